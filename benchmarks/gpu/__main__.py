"""The command ``make bench-gpu``, or ``python -m benchmarks.gpu``; see the package for what it measures.

Finished pieces are skipped, so that it can be interrupted and called again.

examples:
  make bench-gpu
  python -m benchmarks.gpu --minutes 9
  python -m benchmarks.gpu --device cpu --quick
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import machine
from benchmarks.gpu.pieces import Plan, pieces
from benchmarks.gpu.tables import tables
from benchmarks.implementations import BACKENDS
from benchmarks.ledger import Ledger, add_minutes
from benchmarks.process import ROOT, cores_available
from multimlp.backend import is_installed
from multimlp.bench import print_table
from multimlp.errors import InputError, MultimlpError

DONE, PROBLEMS, BAD_USAGE, UNFINISHED = 0, 1, 2, 3
LONGEST = 600.0
"""Seconds that a piece is expected to take at most."""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what is missing: 0, 1 if a piece found a problem, 2 for bad usage or no GPU, 3 if pieces are left."""
    args = _parser().parse_args(argv)
    try:
        described = machine.describe(len(cores_available()), cores_available(), args.device, {})
        if args.device != "cpu" and not described["gpu"]:
            raise InputError(
                "there is no CUDA device here; --device cpu --quick runs the same pieces on the CPU"
            )
        setting = {
            "device": args.device,
            "gpu": described["gpu"],
            "cpu": described["cpu"],
            "quick": args.quick,
        }
        ledger = Ledger(_output(args, described), setting)
        plan = Plan(_backends(args), args.device, tuple(cores_available()), args.quick)
    except MultimlpError as error:
        print(f"bench-gpu: {error}", file=sys.stderr)
        return BAD_USAGE
    wanted = [piece for piece in pieces(plan) if args.only is None or args.only in piece.name]
    left = ledger.go_on(wanted, args.minutes, args.retry, LONGEST)
    for table in tables(ledger.pieces, args.device):
        print()
        print_table(table.columns, table.rows, table.title)
    print(f"\nwritten: {ledger.path}")
    if left:
        print(f"{left} pieces are left; the same call goes on with them")
        return UNFINISHED
    return PROBLEMS if any(entry["problem"] for entry in ledger.pieces.values()) else DONE


def _backends(args: argparse.Namespace) -> tuple[str, ...]:
    able = [name for name in BACKENDS if name != ("cupy" if args.device == "cpu" else "numpy")]
    names = [name for name in able if is_installed(name)] if args.backend is None else args.backend
    for name in names:
        if name not in able or not is_installed(name):
            raise InputError(
                f"backend: {name!r} takes no part on {args.device}, or is not installed; choose from {', '.join(able)}"
            )
    return tuple(dict.fromkeys(names))


def _output(args: argparse.Namespace, described: dict[str, object]) -> Path:
    if args.output is not None:
        return Path(args.output)
    folder = ROOT / ("build/benchmarks" if args.device == "cpu" or args.quick else "benchmarks/results")
    return folder / f"gpu-{machine.slug(described)}{'-quick' if args.quick else ''}.json"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="default: cuda")
    parser.add_argument("--quick", action="store_true", help="small sizes, one round: to see that it works")
    parser.add_argument(
        "--backend", action="append", metavar="NAME", help="may be repeated; default: all installed"
    )
    parser.add_argument("--only", metavar="WORDS", help="pieces whose names contain this")
    add_minutes(parser)
    parser.add_argument("--retry", action="store_true", help="measure again what found a problem")
    parser.add_argument(
        "--output", metavar="FILE", help="the file of results; default: named after the machine"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
