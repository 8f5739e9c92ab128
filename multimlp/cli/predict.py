"""Predict from a file with a model that `multimlp train --save` wrote.

The inputs are prepared as in training. Columns are found by name, in any order; one that is missing, or holds
another kind of values, is an error. A category that training has not seen counts as none of those known, with a
remark on standard error.

The output is a CSV file, or JSON if its name ends in .json. Its columns:

  prediction      always
  proba_LABEL     of each class, with --proba
  quantile_Q      of each level, for models of --output quantile or gaussian
  deviation       for models of --output gaussian
  low, high       with --interval

example:
  multimlp predict model.safetensors new.csv -o predictions.csv
  multimlp predict model.safetensors new.csv --proba --json
  multimlp predict prices.safetensors new.csv --interval 0.9
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple, TextIO

import numpy as np

from multimlp import files
from multimlp._json import finite
from multimlp.backend import owner
from multimlp.cli import tables
from multimlp.cli.common import add_common, file_name, note, print_json
from multimlp.cli.pipeline import Pipeline
from multimlp.data import read_features
from multimlp.errors import DataError, InputError
from multimlp.errors.checks import check_number
from multimlp.files import check_apart, check_readable, check_writable, replacing
from multimlp.mlp import is_ensemble
from multimlp.training import predict


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model", type=file_name, metavar="MODEL", help="a .safetensors file written by multimlp train --save"
    )
    parser.add_argument(
        "data", type=file_name, metavar="DATA", help=".csv, .parquet, .npz (X), .npy, ... with the features"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=file_name,
        default="-",
        metavar="FILE",
        help="a .csv or .json file; - is standard output (default)",
    )
    parser.add_argument("--proba", action="store_true", help="probabilities of the classes, too")
    parser.add_argument(
        "--interval",
        type=float,
        metavar="F",
        help="add the ends low and high of an interval that holds a fraction F (models of --output quantile or gaussian)",
    )
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    check_readable(args.model, "MODEL")
    found = (_of_estimator if files.is_estimator(args.model) else _of_network)(args)
    if found.ignored:
        note(
            f"ignored the column{'s' if len(found.ignored) > 1 else ''} {', '.join(map(repr, found.ignored))}"
        )
    tables.remark_on(found.odd)
    header = ["prediction"]
    if found.probabilities is not None:
        header += [f"proba_{label}" for label in found.classes or ()]
    header += found.columns
    rows = [
        [
            label,
            *(found.probabilities[i] if found.probabilities else ()),
            *(column[i] for column in found.columns.values()),
        ]
        for i, label in enumerate(found.decided)
    ]
    report = {
        "rows": len(rows),
        "output": None if args.output == "-" else args.output,
        "classes": found.classes,
        "predictions": found.decided,
        "probabilities": found.probabilities,
        **found.columns,
        "ignored": found.ignored,
        "odd": found.odd,
    }
    if args.output != "-":
        with (
            replacing(args.output, "--output") as beside,
            beside.open("w", newline="", encoding="utf-8") as file,
        ):
            if args.output.endswith(".json"):
                json.dump(finite(report), file, indent=2)
            else:
                _write(file, header, rows)
    if args.json:
        print_json(report)
    elif args.output == "-":
        _write(sys.stdout, header, rows)
    else:
        note(f"wrote {len(rows)} predictions to {args.output}")
    return 0


class _Found(NamedTuple):
    """What a model says of a file."""

    decided: list[Any]
    probabilities: list[list[float]] | None
    classes: Sequence[Any] | None
    ignored: list[str]
    odd: dict[str, Any]
    columns: dict[str, list[Any]]
    """How sure it is: numbers of each row, by name."""


def _of_network(args: argparse.Namespace) -> _Found:
    extra = files.load_extra(args.model)
    mlp, params = files.load(args.model, args.backend, args.device, args.dtype)
    pipeline = Pipeline.from_dict(args.model, extra, mlp)
    if is_ensemble(params) is not None:
        raise InputError(
            f"model: {args.model!r} holds an ensemble of {is_ensemble(params)} networks, expected one; save a member, "
            "e.g. multimlp.tree.map(lambda a: a[0, ...], params)"
        )
    if args.proba:
        pipeline.require_probabilities()
    if args.interval is not None:
        raise InputError(_NO_INTERVAL)
    _check_output(args)
    odd: dict[str, Any] = {}
    if pipeline.table is None:
        X, ignored = read_features(args.data, pipeline.feature_names)
    else:
        tables.check_kind(args.data)
        columns, ignored, odd = tables.read_for(args.data, pipeline.table.schema)
        X = pipeline.table.matrix(pipeline.table.schema.encode(columns))
    outputs = predict(mlp, params, pipeline.inputs(X))
    host = owner(outputs).to_numpy(outputs).astype(np.float64)
    _check_finite(args.data, host)
    decided: list[Any] = pipeline.decide(host).tolist()
    if pipeline.classes is not None:
        decided = [pipeline.classes[index] for index in decided]
    probabilities = pipeline.probabilities(host).tolist() if args.proba else None
    return _Found(decided, probabilities, pipeline.classes, ignored, odd, {})


def _of_estimator(args: argparse.Namespace) -> _Found:
    from multimlp import estimators  # needs scikit-learn

    model = estimators.load(args.model, args.backend, args.device, args.dtype)
    classes = getattr(model, "classes_", None)
    if getattr(model, "n_outputs_", 1) > 1:
        raise InputError(
            f"model: {args.model!r} predicts {model.n_outputs_} numbers a row, and a file of predictions has a column for one; read it in "
            "Python, multimlp.estimators.load, and call predict"
        )
    if args.proba and classes is None:
        raise InputError("--proba: a model for regression has no probabilities")
    if args.interval is not None:
        _check_interval(model, args.interval)
    _check_output(args)
    tables.check_kind(args.data)
    columns, ignored, odd = tables.read_for(args.data, model.schema_)
    if classes is None:
        found = model.predict(columns)
        _check_finite(args.data, found.reshape(len(found), -1))
        return _Found(found.tolist(), None, None, ignored, odd, _sureness(model, columns, args.interval))
    probabilities = model.predict_proba(columns)
    _check_finite(args.data, probabilities)
    decided = classes[probabilities.argmax(axis=1)].tolist()
    return _Found(decided, probabilities.tolist() if args.proba else None, classes.tolist(), ignored, odd, {})


def _check_interval(model: Any, interval: float) -> None:
    check_number("--interval", interval, low=0, high=1, low_open=True, high_open=True)
    if not hasattr(model, "predict_interval"):
        raise InputError(_NO_INTERVAL)
    low, high = model.quantiles[0], model.quantiles[-1]
    if model.output == "quantile" and interval > 1 - 2 * max(low, 1 - high) + 1e-9:
        raise InputError(
            f"--interval: the model learned quantiles from {low:g} to {high:g}, which hold no interval of {interval:g}; train it with "
            "others (--levels) or with --output gaussian"
        )


_NO_INTERVAL = "--interval: the model does not say how sure it is; train one with --model realmlp or tabm and --output quantile or gaussian"


def _sureness(model: Any, columns: dict[str, Any], interval: float | None) -> dict[str, list[Any]]:
    """The columns of quantiles, the deviation and the interval, as far as a model has them."""
    found: dict[str, list[Any]] = {}
    if hasattr(model, "predict_quantiles"):
        for level, values in zip(model.quantiles, model.predict_quantiles(columns).T, strict=True):
            found[f"quantile_{level:g}"] = values.tolist()
    if hasattr(model, "predict_distribution"):
        found["deviation"] = model.predict_distribution(columns)[1].tolist()
    if interval is not None:
        found["low"], found["high"] = model.predict_interval(columns, interval).T.tolist()
    return found


def _check_output(args: argparse.Namespace) -> None:
    if args.output != "-":
        check_writable(args.output, "--output")
        check_apart(args.output, args.model, args.data)


def _check_finite(where: str, outputs: np.ndarray) -> None:
    bad = np.flatnonzero(~np.isfinite(outputs).all(axis=-1))
    if len(bad):
        raise DataError(
            f"{where}: the model's outputs are NaN or infinite for {len(bad)} of {len(outputs)} rows, the first of them row {bad[0] + 1}; "
            "its values are too large for the model's dtype, or the model's parameters are not finite"
        )


def _write(file: TextIO, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
