"""Files with tables, for `multimlp train` and `multimlp predict`: their options, their parts, and what is to be said of them."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from multimlp import data
from multimlp.cli.common import note
from multimlp.data import Dataset, Frame
from multimlp.errors import DataError, InputError
from multimlp.frames import Features, Schema

MODELS = ("mlp", "realmlp", "tabm")
OUTPUTS = ("mean", "quantile", "gaussian")
_MANY = 100
"""Different texts of a column, from which on it is worth a word if nearly every row has its own."""


def add_table_arguments(group: Any) -> None:
    """The options that say what is in a file."""
    group.add_argument("--drop", nargs="+", default=[], metavar="COLUMN", help="columns to leave out")
    group.add_argument(
        "--categorical",
        nargs="+",
        default=[],
        metavar="COLUMN",
        help="columns of categories, even if they look like numbers",
    )
    group.add_argument(
        "--drop-missing",
        action="store_true",
        help="leave out rows whose target is missing (default: an error)",
    )


def add_validation_arguments(group: Any) -> None:
    """The options for rows that are held out while training."""
    group.add_argument(
        "--validation",
        type=float,
        metavar="F",
        help="fraction of the training rows to judge each epoch by (default: 0; 0.1 with --patience; 0.2 for realmlp and tabm)",
    )
    group.add_argument(
        "--patience", type=int, metavar="N", help="stop N epochs after the best one, and keep that one"
    )


def add_output_arguments(group: Any) -> None:
    """The options for what RealMLP and TabM learn of a number."""
    group.add_argument(
        "--output",
        choices=OUTPUTS,
        help="what realmlp and tabm learn of a number: its mean (default), quantiles, or mean and deviation",
    )
    group.add_argument(
        "--levels",
        metavar="Q,Q,...",
        help="quantiles to learn with --output quantile, or to report with gaussian (default: 0.05,0.5,0.95)",
    )


def levels_of(text: str) -> list[float]:
    """Levels as they stand on the command line: rising, between 0 and 1, and not all on one side of the median.

    Examples
    --------
    >>> from multimlp.cli.tables import levels_of
    >>> levels_of("0.1,0.5,0.9")
    [0.1, 0.5, 0.9]
    """
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        raise InputError(
            f"--levels: expected numbers with commas between them, such as 0.1,0.5,0.9, got {text!r}"
        ) from None
    rising = all(a < b for a, b in itertools.pairwise(found))
    if not rising or not (0 < found[0] <= 0.5 <= found[-1] < 1):
        raise InputError(
            f"--levels: expected numbers that rise, between 0 and 1, on both sides of 0.5 (predictions are medians), got {text!r}"
        )
    return found


def is_table(args: argparse.Namespace) -> bool:
    """Whether the data are a file with named columns."""
    return not data.is_name(args.data) and data.is_frame_file(args.data)


def check_options(args: argparse.Namespace) -> None:
    """`InputError` for options of tables without one, or of models for them."""
    for name in ("output", "levels"):
        if getattr(args, name) is not None and args.model == "mlp":
            raise InputError(
                f"--{name}: is for --model realmlp and tabm, not for mlp, which learns what --loss says; leave it out, or name one "
                "of them"
            )
    if is_table(args):
        return
    for name, given in (
        ("--drop", args.drop),
        ("--categorical", args.categorical),
        ("--drop-missing", args.drop_missing),
    ):
        if given:
            raise InputError(
                f"{name}: is for files with named columns (.csv, .parquet, ...), not for {args.data!r}; leave it out"
            )
    if args.model != "mlp":
        raise InputError(
            f"--model: {args.model} is for files with named columns (.csv, .parquet, ...), not for {args.data!r}; leave it out"
        )


def read(args: argparse.Namespace) -> tuple[Frame, Frame]:
    """The training and the test part of the file."""
    frame = data.read_frame(args.data, args.target, args.task, args.drop, args.categorical, args.drop_missing)
    if frame.left_out:
        note(f"left out {frame.left_out} rows whose target, {frame.target!r}, is missing")
    _remark(frame)
    return frame.split(args.test_size, args.seed)


def _remark(frame: Frame) -> None:
    """A word on columns that say nothing of other rows: texts of their own, numbers that count them."""
    for name, values in frame.columns.items():
        if isinstance(values, list):
            texts = [value for value in values if isinstance(value, str)]
            different = len(set(texts))
            if different > max(_MANY, len(texts) // 2):
                note(
                    f"the column {name!r} has {different} different texts in {len(texts)} rows; if they name the rows, leave it out: "
                    f"--drop {name!r}"
                )
        elif values.dtype.kind == "f" and len(values) > _MANY and (np.diff(values) == 1).all():
            note(
                f"the column {name!r} counts the rows; unless that says something, leave it out: --drop {name!r}"
            )


def parts(args: argparse.Namespace) -> tuple[Dataset, Dataset, Features]:
    """The training and the test part as matrices, and what makes them of the file's columns."""
    train, test = read(args)
    return train.datasets(test)


def read_for(path: str, schema: Schema) -> tuple[dict[str, Any], list[str], dict[str, Any]]:
    """The columns of a model's table from a file, the names of those left out, and what is odd about them.

    The last is, by column, ``{"unseen": {category: rows}, "missing": rows}``: categories that training had not, and values missing
    where training had none.
    """
    columns, ignored = data.read_columns(path, schema)
    odd: dict[str, Any] = {}
    for name, items in schema.unseen(columns).items():
        found, counts = np.unique(np.asarray(items, dtype=object), return_counts=True)
        odd.setdefault(name, {})["unseen"] = dict(zip(found.tolist(), counts.tolist(), strict=True))
    for column in schema.columns:
        gone = _missing(columns[column.name])
        if gone and not column.missing:
            odd.setdefault(column.name, {})["missing"] = gone
    return columns, ignored, odd


def _missing(values: Any) -> int:
    if isinstance(values, np.ndarray):
        return int((np.isnat(values) if values.dtype.kind == "M" else np.isnan(values)).sum())
    return sum(value is None for value in values)


def remark_on(odd: Mapping[str, Any]) -> None:
    """Say what `read_for` found."""
    for name, what in odd.items():
        if "unseen" in what:
            most = sorted(what["unseen"].items(), key=lambda item: -item[1])[:3]
            listed = ", ".join(repr(category) for category, _ in most)
            more = "" if len(what["unseen"]) <= len(most) else ", ..."
            note(
                f"the column {name!r}: {sum(what['unseen'].values())} rows hold categories that training had not ({listed}{more}); they "
                "count as none of those known"
            )
        if "missing" in what:
            note(
                f"the column {name!r}: {what['missing']} values are missing, and training had none; they count as the median, or as no "
                "category"
            )


def check_kind(path: str) -> None:
    """`DataError` unless a file can hold the table of a model."""
    if not data.is_frame_file(path):
        raise DataError(
            f"{path}: the model takes a table with named columns: a .csv, .tsv, .csv.gz, .parquet, .arrow or .feather file, not "
            f"{Path(path).suffix or 'a file without ending'}"
        )
