"""How long a training step takes on each backend, and how much of that the matrix products alone need.

This is the short form: it compares backends on this machine, in one process. The comparison with other libraries
and with loops written by hand, on a machine that is watched, is `python -m benchmarks` in the repository.

example:
  multimlp bench
  multimlp bench --case digits --case d2l --backend torch --seconds 2 --json
"""

from __future__ import annotations

import argparse
import itertools
import os
from dataclasses import asdict

from multimlp._terminal import print_table, progress
from multimlp.backend import CHECKERS, available_backends, canonical_name
from multimlp.bench import CASES, Timing, find_case, time_fit
from multimlp.cli.common import add_common, note, print_json
from multimlp.errors import BackendError, DTypeError
from multimlp.errors.checks import check_number

QUICK = ("tiny", "digits", "d2l")
COLUMNS = ("backend", "device", "engine", "step", "range", "products alone", "first epoch")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--case",
        action="append",
        metavar="NAME",
        help=f"network: {', '.join(CASES)}; may be repeated (default: {', '.join(QUICK)})",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=1.0,
        metavar="S",
        help="how long to train for each case and backend (default: 1)",
    )
    add_common(parser, "name of a backend; default: every installed one in turn")


def run(args: argparse.Namespace) -> int:
    check_number("--seconds", args.seconds, low=0, low_open=True)
    cases = [find_case(name) for name in args.case or QUICK]
    asked = args.backend or os.environ.get("MULTIMLP_BACKEND")
    names = [canonical_name(asked)] if asked else _installed()
    timings: list[tuple[str, Timing]] = []
    with progress(len(cases) * len(names), "timing") as bar:
        for case in cases:
            for name in names:
                try:
                    timings.append((case.name, time_fit(case, name, args.device, args.dtype, args.seconds)))
                except (BackendError, DTypeError) as error:
                    if len(names) == 1:
                        raise
                    note(f"skipping {name}: {error}")
                bar.advance(1)
    if args.json:
        print_json({"timings": [{"case": case, **asdict(timing)} for case, timing in timings]})
    else:
        for n, (name, of_case) in enumerate(itertools.groupby(timings, lambda pair: pair[0])):
            if n:
                print()
            print_table(COLUMNS, [_row(timing) for _, timing in of_case], f"{name}: {CASES[name].title}")
    return 0


def _installed() -> list[str]:
    return [name for name, info in available_backends().items() if info.installed and name not in CHECKERS]


def _row(timing: Timing) -> tuple[object, ...]:
    return (
        timing.backend,
        timing.device,
        timing.engine,
        f"{timing.step * 1e6:.0f} us",
        f"{timing.fastest * 1e6:.0f} to {timing.slowest * 1e6:.0f}",
        f"{timing.products * 1e6:.0f} us",
        f"{timing.first_epoch:.2f} s",
    )
