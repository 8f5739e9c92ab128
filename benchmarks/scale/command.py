"""The command ``python -m benchmarks scale``; see the package for what it measures.

examples:
  python -m benchmarks scale --quick
  python -m benchmarks scale --backend numpy --case digits
  python -m benchmarks scale --markdown
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import places
from benchmarks.scale import picture
from benchmarks.scale.measure import measure, plan
from benchmarks.scale.results import Results
from benchmarks.scale.tables import section, tables
from multimlp.backend import canonical_name, is_installed, load_backend
from multimlp.bench import find_case, print_table, progress
from multimlp.errors import InputError, MultimlpError

DONE, PROBLEMS, BAD_USAGE = 0, 1, 2
BACKENDS = ("numpy", "torch", "jax", "tensorflow")
CASES = ("tiny", "digits", "d2l", "wide")
KIND = "scale"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, or render what was measured: 0, 1 if something could not be measured, 2 for bad usage."""
    args = _parser().parse_args(argv)
    try:
        if args.markdown is not None:
            path = Path(args.markdown) if args.markdown else places.latest(KIND)
            print(section(Results.read(path), places.picture_of(path)), end="")
            return DONE
        names = _backends(args.backend)
        cases = [find_case(name).name for name in args.case or CASES]
        chosen = plan(names, dict.fromkeys(["tiny", *cases]), args.quick)
    except MultimlpError as error:
        print(f"benchmarks scale: error: {error}", file=sys.stderr)
        return BAD_USAGE
    with progress(chosen.parts, "scale") as bar:

        def advance(text: str) -> None:
            bar.advance(1)
            if not sys.stderr.isatty():
                print(text, file=sys.stderr, flush=True)

        results = measure(chosen, advance)
    for table in tables(results):
        print()
        print_table(table.columns, table.rows, table.title)
        print(*table.remarks, sep="\n")
    complete = not (args.quick or args.case or args.backend)
    default = places.stem(results.machine, complete, KIND).with_suffix(".json")
    path = Path(args.output) if args.output else default
    results.write(path)
    drawn = picture.draw(results, path.with_suffix(".svg"))
    print(f"\nwritten: {', '.join(str(p) for p in (path, drawn) if p is not None)}")
    return PROBLEMS if results.problems else DONE


def _backends(asked: list[str] | None) -> list[str]:
    if asked is None:
        return [name for name in BACKENDS if is_installed(name)]
    names = [canonical_name(name) for name in dict.fromkeys(asked)]
    for name in names:
        if name not in BACKENDS:
            raise InputError(f"backend: {name!r} takes no part; choose from {', '.join(BACKENDS)}")
        load_backend(name)
    return names


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks scale",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="short runs and sums: to see that it works")
    parser.add_argument(
        "--backend", action="append", metavar="NAME", help=f"{', '.join(BACKENDS)}; may be repeated"
    )
    parser.add_argument(
        "--case", action="append", metavar="NAME", help=f"default: {', '.join(CASES)}; may be repeated"
    )
    parser.add_argument(
        "--output", metavar="FILE", help="where to write the results (.json; the picture beside it)"
    )
    parser.add_argument(
        "--markdown", nargs="?", const="", metavar="FILE",
        help="measure nothing; print the section of docs/benchmarks.md from a results file",
    )  # fmt: skip
    return parser
