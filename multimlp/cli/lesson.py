"""Run a lesson on multilayer perceptrons, or list the lessons.

A lesson prints its question, what it found and what its pictures show; with --out it writes the
pictures, as PNG and SVG, to a folder.

example:
  multimlp lesson
  multimlp lesson vanishing_gradients --backend torch --out pictures
  multimlp lesson all --out pictures
"""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path
from typing import Any

from multimlp._terminal import print_table, print_text
from multimlp.cli.common import add_common, file_name, note, print_json
from multimlp.errors import missing_dependency
from multimlp.files import check_folder

ALL = "all"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", nargs="?", help=f"a lesson, or {ALL}; without it: the list")
    parser.add_argument("--out", metavar="DIR", type=file_name, help="where to write the pictures")
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    if importlib.util.find_spec("matplotlib") is None:
        raise missing_dependency("matplotlib", "a lesson", "plot")
    from multimlp import lessons

    if args.name is None:
        return _list(args.json)
    if args.out is not None:
        check_folder(args.out, "--out")
    chosen = lessons.names() if args.name == ALL else (lessons.module(args.name).__name__.rpartition(".")[2],)
    done = []
    for name in chosen:
        result = lessons.run(name, args.backend, device=args.device, dtype=args.dtype)
        written = [] if args.out is None else result.save(args.out, name)
        done.append(_as_dict(name, result, written))
        if not args.json:
            _show(name, result, written)
    if args.json:
        print_json({"lessons": done})
    elif args.out is None:
        note("the pictures were not kept; --out DIR writes them")
    return 0


def _list(as_json: bool) -> int:
    from multimlp import lessons

    if as_json:
        print_json({"lessons": [{"name": name, "title": lessons.title(name)} for name in lessons.names()]})
    else:
        print_table(("lesson", "title"), [(name, lessons.title(name)) for name in lessons.names()])
    return 0


def _as_dict(name: str, result: Any, written: list[Path]) -> dict[str, Any]:
    return {
        "name": name,
        "backend": result.backend,
        "dtype": result.dtype,
        "seconds": result.seconds,
        "text": result.text,
        "numbers": result.numbers,
        "files": [str(path) for path in written],
    }


def _show(name: str, result: Any, written: list[Path]) -> None:
    from multimlp import lessons

    print_text(lessons.title(name), "bold")
    print_text(lessons.question(name))
    print()
    print_text(f"What came out ({result.backend}, {result.dtype}, {result.seconds:.1f} s)", "bold")
    for paragraph in result.text.splitlines():
        print_text(paragraph)
    print()
    print_text("What to see in the pictures", "bold")
    for point in lessons.what_to_see(name):
        print_text(f"* {point}")
    print()
    print_table(("number", "value"), list(result.numbers.items()))
    for path in written:
        print(f"  {path}")
    print()
