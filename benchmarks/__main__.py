"""The command ``python -m benchmarks``; see the package for what it measures.

examples:
  python -m benchmarks --quick
  python -m benchmarks --case digits --case inference --backend numpy --rounds 7
  python -m benchmarks --compare benchmarks/results/old.json
  python -m benchmarks --verdict
  python -m benchmarks scale
  python -m benchmarks tables
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import compare, machine, markdown, places, plots, report
from benchmarks.implementations import BACKENDS, ROLES
from benchmarks.ledger import Ledger, add_minutes
from benchmarks.pieces import Plan, together
from benchmarks.process import cores_available
from benchmarks.results import Results
from benchmarks.runner import Options
from benchmarks.scale import command as scale
from benchmarks.tabular import command as tables
from benchmarks.tasks import GROUPS, choose
from multimlp.backend import canonical_name, is_installed, load_backend
from multimlp.bench import print_table, progress
from multimlp.errors import InputError, MultimlpError

CHECK_FAILED, BAD_USAGE, UNFINISHED = 1, 2, 3


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, or render or compare what was measured; 0, 1 if something is wrong or slower, 2 for bad usage, 3 if pieces are left."""
    argv = sys.argv[1:] if argv is None else argv
    if argv[:1] == ["scale"]:
        return scale.main(argv[1:])
    if argv[:1] == ["tables"]:
        return tables.main(argv[1:])
    args = _parser().parse_args(argv)
    try:
        if args.markdown is not None:
            path = Path(args.markdown) if args.markdown else places.latest()
            print(markdown.section(Results.read(path), _plots_of(path)), end="")
            return 0
        if args.verdict is not None:
            return _verdict([Path(path) for path in args.verdict])
        old = None if args.compare is None else Results.read(Path(args.compare))
        measured = _measure(args)
    except MultimlpError as error:
        print(f"benchmarks: error: {error}", file=sys.stderr)
        return BAD_USAGE
    if measured is None:
        return UNFINISHED
    results, stem = measured
    code = _show(results)
    path = stem.with_suffix(".json")
    if args.output is None and path.exists():
        path.replace(path.with_stem(path.stem + places.BEFORE))
    results.write(path)
    places.unfinished(stem).unlink(missing_ok=True)
    drawn = plots.draw(results, stem)
    text = stem.with_suffix(".md")
    pictures = [Path(p.name) for p in drawn if p.suffix == ".svg"]
    text.write_text(markdown.page(results, pictures), encoding="utf-8")
    print(f"\nwritten: {', '.join(str(p) for p in (path, text, *drawn))}", flush=True)
    return max(code, _compare(old, results)) if old is not None else code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="the small networks and one-row inference, few rounds"
    )
    parser.add_argument(
        "--case", action="append", metavar="NAME", help=f"{', '.join(GROUPS)}; may be repeated"
    )
    parser.add_argument(
        "--backend", action="append", metavar="NAME", help="may be repeated; default: all installed"
    )
    parser.add_argument("--device", metavar="NAME", help="cpu (the default) or cuda")
    parser.add_argument("--threads", type=int, metavar="N", help="processors to use; default: all")
    parser.add_argument("--rounds", type=int, metavar="N", help="default: 5; 3 with --quick")
    add_minutes(parser)
    parser.add_argument(
        "--fresh", action="store_true", help="do not go on with a complete run that was interrupted"
    )
    parser.add_argument("--compare", metavar="FILE", help="older results to compare with")
    parser.add_argument(
        "--output", metavar="FILE", help="where to write the results (.json; plots beside it)"
    )
    parser.add_argument(
        "--markdown",
        nargs="?",
        const="",
        metavar="FILE",
        help="measure nothing; print the section of docs/benchmarks.md from a results file",
    )
    parser.add_argument(
        "--verdict",
        nargs="*",
        metavar="FILE",
        help="measure nothing; which targets all of these results files reached, default: the last two complete runs",
    )
    return parser


def _verdict(paths: list[Path]) -> int:
    """0 if every target is reached in each of the runs, else 1."""
    if not paths:
        newest = places.latest()
        paths = [newest, newest.with_stem(newest.stem + places.BEFORE)]
        if not paths[1].exists():
            raise InputError(
                f"verdict: {newest.name} is the only complete run; make another one: python -m benchmarks"
            )
    runs = [Results.read(path) for path in paths]
    for other in runs[1:]:
        for sentence in compare.differences(other.machine, runs[0].machine):
            print(f"warning: another machine: {sentence}")
    table = report.target_table(*runs)
    print_table(table.columns, table.rows, table.title)
    print(*table.remarks, sep="\n")
    return 0 if table.rows and all(row[-1] == "reached" for row in table.rows) else CHECK_FAILED


def _measure(args: argparse.Namespace) -> tuple[Results, Path] | None:
    """What was found, and where it is to be kept without an ending; None while pieces of a complete run are left."""
    tasks, others = choose(args.case, args.quick)
    options = _options(args)
    cores = list(options.cores)
    here = machine.describe(len(cores), cores, options.device, {})
    complete = not (args.quick or args.case or args.backend)
    if not complete and (args.fresh or args.minutes != float("inf")):
        raise InputError(
            "fresh, minutes: a complete run alone goes on where it stopped; leave out --quick, --case and --backend"
        )
    plain = {"rounds": options.rounds, "round_seconds": options.round_seconds, "quick": args.quick}
    output = places.stem(here, complete) if args.output is None else Path(args.output).with_suffix("")
    plan = Plan(tasks, others, options, lambda text: _advance(bar, text))
    fixed = {name: value for name, value in here.items() if name != "measured"}
    ledger = (
        _ledger(output, {"machine": fixed, "backends": options.backends, **plain}, args.fresh)
        if complete
        else None
    )
    where = f"{here['gpu']}, " if here["gpu"] else ""
    print(
        f"{where}{here['cpu']}, {len(cores)} threads, pinned to {', '.join(map(str, cores))}{machine.environment(here)}"
    )
    with progress(plan.steps() if ledger is None else plan.steps(ledger.done), "benchmarks") as bar:
        if ledger is None:
            found = [piece.run() for piece in plan.pieces()]
        else:
            if left := ledger.go_on(plan.pieces(), args.minutes):
                print(f"{left} pieces are left; the same call goes on with them")
                return None
            found = [ledger.pieces[piece.name]["found"] for piece in plan.pieces()]
    results = together(
        found, lambda versions: machine.describe(len(cores), cores, options.device, versions), plain
    )
    return results, output


def _ledger(output: Path, setting: dict[str, Any], fresh: bool) -> Ledger:
    """Of the pieces of a complete run, which lies in the scratch folder until all of them are there."""
    path = places.unfinished(output)
    if fresh:
        path.unlink(missing_ok=True)
    return Ledger(path, setting)


def _advance(bar: object, text: str) -> None:
    bar.advance(1)  # type: ignore[attr-defined]
    if not sys.stderr.isatty():
        print(text, file=sys.stderr, flush=True)


def _options(args: argparse.Namespace) -> Options:
    cores = cores_available()
    threads = len(cores) if args.threads is None else args.threads
    if not 1 <= threads <= len(cores):
        raise InputError(f"threads: expected 1 to {len(cores)}, got {args.threads}")
    rounds = (3 if args.quick else 5) if args.rounds is None else args.rounds
    if rounds < 1:
        raise InputError(f"rounds: expected at least 1, got {rounds}")
    return Options(
        backends=_backends(args.backend, args.device),
        cores=tuple(cores[:threads]),
        device=args.device,
        rounds=rounds,
        round_seconds=0.15 if args.quick else 0.3,
        growth_seconds=5.0 if args.quick else 30.0,
        cold_rounds=min(2, rounds),
    )


def _backends(asked: list[str] | None, device: str | None) -> tuple[str, ...]:
    able = [name for name in BACKENDS if (name == "cupy") <= (device not in (None, "cpu"))]
    able = [name for name in able if not (name == "numpy" and device not in (None, "cpu"))]
    if asked is None:
        return tuple(name for name in able if is_installed(name))
    names = tuple(dict.fromkeys(canonical_name(name) for name in asked))
    for name in names:
        if name not in able:
            raise InputError(
                f"backend: {name!r} takes no part on {device or 'cpu'}; choose from {', '.join(able)}"
            )
        if not is_installed(name):
            load_backend(name)
    return names


def _show(results: Results) -> int:
    wrong = any(one.role == "ours" and one.problem for one in results.measurements)
    found = [*report.tables(results)]
    if not results.machine["gpu"]:
        found.append(report.target_table(results))
    for table in found:
        if table.rows:
            print()
            print_table(table.columns, table.rows, table.title)
        for remark in table.remarks if table.rows else ():
            print(remark)
    warning = report.quiet(results)
    if warning:
        print(f"\nwarning: {warning}")
    return CHECK_FAILED if wrong else 0


def _compare(old: Results, new: Results) -> int:
    for sentence in compare.differences(old.machine, new.machine):
        print(f"warning: another machine: {sentence}")
    found = compare.changes(old, new)
    table = report.change_table(found)
    print()
    print_table(table.columns, table.rows, table.title)
    slower = [one for one in found if one.verdict == "slower" and one.new.role == "ours"]
    print(f"{len(slower)} of our {sum(one.new.role == 'ours' for one in found)} times became slower")
    failed = compare.failures(old, new)
    for one in failed:
        print(f"failed now: {one.case} {one.backend} {ROLES[one.role]}: {one.problem or 'no times'}")
    return CHECK_FAILED if slower or any(one.role == "ours" for one in failed) else 0


def _plots_of(path: Path) -> list[Path]:
    """The pictures of a results file, seen from docs/."""
    return [Path(places.from_docs(p)) for p in sorted(path.parent.glob(f"{path.stem}-*.svg"), reverse=True)]


if __name__ == "__main__":
    sys.exit(main())
