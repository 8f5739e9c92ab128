"""Compare every backend's values and gradients with an oracle of 50 digits.

example:
  multimlp parity --quick
  multimlp parity --backend torch --backend jax --function "gelu*" --dtype float32
  multimlp parity --html report.html
  multimlp parity --processes 2
  multimlp parity --json > mine.json; multimlp parity --against mine.json
"""

from __future__ import annotations

import argparse
import functools
from collections.abc import Sequence

from multimlp.backend import canonical_name, is_installed, load_backend
from multimlp.cli.common import file_name, note
from multimlp.errors import InputError, missing_dependency
from multimlp.errors.checks import check_whole
from multimlp.files import check_apart, check_writable, opening, replacing
from multimlp.parity.formats import FORMATS
from multimlp.testing import comparable_backends

QUICK_DTYPES = ("float64", "float32")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--backend",
        metavar="NAME",
        action="append",
        help="compare this one; may be repeated (default: all installed)",
    )
    add(
        "--function",
        metavar="NAME",
        action="append",
        help="a name or a pattern; may be repeated (default: all)",
    )
    add(
        "--dtype",
        choices=tuple(FORMATS),
        metavar="NAME",
        action="append",
        help=f"{', '.join(FORMATS)}; may be repeated (default: all; with --quick float64 and float32)",
    )
    add(
        "--compiler",
        metavar="NAME",
        action="append",
        help="compile with this one alone, e.g. inductor; may be repeated (default: all; with --quick XLA alone)",
    )
    add(
        "--processes",
        metavar="N",
        type=int,
        help="compare the training runs on so many processes with those on one, and nothing else",
    )
    add("--device", metavar="NAME", help="cpu, gpu, cuda:1, ... (default: every device)")
    add(
        "--quick",
        action="store_true",
        help="fewer points, fewer modes, no half precision: about a minute and a half",
    )
    add("--json", action="store_true", help="print the report as one JSON object and nothing else")
    add("--markdown", action="store_true", help="print the report as a section of Markdown and nothing else")
    add("--html", metavar="FILE", type=file_name, help="write a self-contained page")
    add(
        "--against",
        metavar="FILE",
        type=file_name,
        action="append",
        default=[],
        help="also compare with a report made elsewhere with --json, and show its backends; may be repeated",
    )


def run(args: argparse.Namespace) -> int:
    from multimlp.parity.rows import Report

    if args.processes is None and not is_installed("mpmath"):
        raise missing_dependency("mpmath", "multimlp parity", "parity")
    if args.html is not None:
        check_writable(args.html, "--html")
        for path in args.against:
            check_apart(args.html, path, what="--html")
    others = []
    for given in args.against:
        with opening(given, "--against: cannot be compared with") as path:
            others.append(Report.from_json(path.read_text(encoding="utf-8")))
    report = _compared(args)
    from multimlp.parity.comparison import compare

    rows = [row for other in others for row in compare(report, other)]
    shown = functools.reduce(Report.beside, others, report)
    if args.html is not None:
        from multimlp.parity.html import page

        text = page(shown, rows)
        with replacing(args.html, "--html") as beside:
            beside.write_text(text, encoding="utf-8")
    if args.json:
        print(report.to_json())
    elif args.markdown:
        if args.processes is None:
            from multimlp.parity.markdown import render
        else:
            from multimlp.parity.processes import render
        print(render(shown), end="")
    else:
        from multimlp.parity.terminal import show

        show(shown, rows)
    return 0 if shown.passed and all(row.passed for row in rows) else 1


def _compared(args: argparse.Namespace):  # type: ignore[no-untyped-def]  # the import of the type is what is put off
    from multimlp.parity import Plan
    from multimlp.parity import run as compare_all

    names = [canonical_name(name) for name in args.backend or comparable_backends()]
    for name in names:
        load_backend(name)
    plan = Plan(
        backends=tuple(dict.fromkeys(names)),
        functions=tuple(args.function or ()),
        dtypes=tuple(args.dtype or (QUICK_DTYPES if args.quick else FORMATS)),
        device=args.device,
        quick=args.quick,
        compilers=tuple(args.compiler or ()),
    )
    _check_compilers(plan.backends, plan.compilers)

    def said(stage: str) -> None:
        if not (args.json or args.markdown):
            note(f"comparing {stage}")

    if args.processes is not None:
        from multimlp.parity.processes import compare

        return compare(plan, check_whole("--processes", args.processes, low=2, high=64), said)
    return compare_all(plan, said)


def _check_compilers(backends: Sequence[str], compilers: Sequence[str]) -> None:
    known = sorted({c for name in backends for c in load_backend(name).capabilities.compilers})
    for name in compilers:
        if name not in known:
            raise InputError(
                f"--compiler: no backend compared has {name!r}; there are: {', '.join(known) or 'none'}"
            )
