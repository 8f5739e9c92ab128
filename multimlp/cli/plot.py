"""Draw activation functions and their derivatives.

Without --backend all installed backends are laid over one another, with the difference beneath.

example:
  multimlp plot relu --backend torch
  multimlp plot gelu swish --out pictures
"""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path
from typing import Any

from multimlp._terminal import print_table, print_text
from multimlp.cli.common import add_common, file_name, print_json
from multimlp.errors import missing_dependency
from multimlp.files import check_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", metavar="ACTIVATION", nargs="+", help="one or several, by name")
    parser.add_argument(
        "--out", metavar="DIR", type=file_name, default=".", help="where to write PNG and SVG (default: here)"
    )
    add_common(parser, "backend that computes it (default: all that are installed, compared)")


def run(args: argparse.Namespace) -> int:
    if importlib.util.find_spec("matplotlib") is None:
        raise missing_dependency("matplotlib", "a picture", "plot")
    from multimlp import activations

    for name in args.names:
        activations.describe(name)  # a misspelt one is reported before anything is drawn
    check_folder(args.out, "--out")
    drawn = [_compare(name, args) if args.backend is None else _draw(name, args) for name in args.names]
    if args.json:
        print_json({"plots": drawn})
        return 0
    for one in drawn:
        if one["errors"]:
            rows = [(backend, *pair) for backend, pair in one["errors"].items()]
            print_text(f"{one['name']}, {one['dtype']}: largest errors, in units of eps max(1, |f|)")
            print_table(("backend", "value", "derivative"), rows)
        for path in one["files"]:
            print(f"  {path}")
    return 0


def _draw(name: str, args: argparse.Namespace) -> dict[str, Any]:
    from multimlp import plotting
    from multimlp.backend import select, use_backend

    target = select(args.backend, args.device, args.dtype)
    with use_backend(target.backend.name, target.device, target.dtype), plotting.style():
        picture, axes = plotting.figure()
        plotting.plot_activation(name, target.backend, axes)
    return _saved(picture, name, f"{name}-{target.backend.name}", target.dtype, {}, Path(args.out))


def _compare(name: str, args: argparse.Namespace) -> dict[str, Any]:
    from multimlp import plotting
    from multimlp.lessons.activation_functions import installed

    dtype = args.dtype or "float32"
    with plotting.style():
        picture, axes = plotting.figure(3, 1, size=(5.6, 6.4), sharex=True, height_ratios=(3, 3, 2))
        errors = plotting.plot_agreement(name, installed(), axes, dtype=dtype)
        axes[0].set_title(f"{name}, {dtype}, on all backends")
    return _saved(picture, name, name, dtype, errors, Path(args.out))


def _saved(
    picture: Any, name: str, file: str, dtype: str, errors: dict[str, tuple[float, float]], folder: Path
) -> dict[str, Any]:
    from multimlp import plotting

    written = plotting.save(picture, folder, file)
    return {"name": name, "dtype": dtype, "errors": errors, "files": [str(path) for path in written]}
