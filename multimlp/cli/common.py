"""What the subcommands share: the options that each has, and JSON."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Mapping
from typing import Any

from multimlp._json import finite
from multimlp._terminal import is_terminal, room, wrapped
from multimlp.backend import FLOAT_DTYPES
from multimlp.errors import InputError
from multimlp.errors.shown import cut


def add_common(parser: argparse.ArgumentParser, backend_help: str = "name of a backend") -> None:
    """``--backend``, ``--device``, ``--dtype`` and ``--json``."""
    group = parser.add_argument_group("where it runs")
    group.add_argument("--backend", metavar="NAME", help=backend_help)
    group.add_argument("--device", metavar="NAME", help="cpu, gpu, cuda, cuda:1, ...")
    group.add_argument(
        "--dtype",
        choices=FLOAT_DTYPES,
        metavar="NAME",
        help=f"floating-point type: {', '.join(FLOAT_DTYPES)}",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def file_name(text: str) -> str:
    """The type of an argument that names a file or a folder."""
    if not text or "\0" in text:
        raise argparse.ArgumentTypeError(f"expected the name of a file, got {text!r}")
    return text


def print_json(value: dict[str, Any]) -> None:
    """One JSON object on stdout; NaN and infinities, which JSON lacks, become null."""
    print(json.dumps(finite(value), indent=2))


def note(message: str) -> None:
    """A remark for the person at the terminal, in one line elsewhere; stdout stays for results."""
    say(f"multimlp: {message}")


def say(message: str) -> None:
    """A message on stderr: in lines that fit a terminal, in one line elsewhere."""
    if sys.stderr is None:  # print would take standard output
        return
    text = cut(" ".join(message.split()), 1000)
    width = room(sys.stderr) if is_terminal(sys.stderr) else None
    with contextlib.suppress(OSError):  # nobody is left to be told
        for line in wrapped(text, width, indent="  "):
            print(line, file=sys.stderr)


def check_distinct(outputs: Mapping[str, str | None]) -> None:
    """`InputError` if two options (or arguments), by whatever names and links, say one file: what is written last would be all of it.

    Parameters
    ----------
    outputs : mapping of str to str or None
        By the names of the options.
    """
    taken: dict[str, str] = {}
    for option, path in outputs.items():
        if path is None:
            continue
        other = taken.setdefault(os.path.realpath(path), option)
        if other != option:
            raise InputError(
                f"{option}: {path!r} is the file of {other} as well; give each a file of its own"
            )
