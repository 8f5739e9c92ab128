"""Predict from a file with a model that `multimlp train --save` wrote.

The inputs are prepared as in training: columns are found by name, in any order, and standardised. The output
is a CSV file with a column `prediction`, and with --proba a column of probabilities for each class.

example:
  multimlp predict model.safetensors new.csv -o predictions.csv
  multimlp predict model.safetensors new.csv --proba --json
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from typing import Any, TextIO

import numpy as np

from multimlp import files
from multimlp.backend import owner
from multimlp.cli.common import add_common, file_name, note, print_json
from multimlp.cli.pipeline import Pipeline
from multimlp.data import read_features
from multimlp.errors import DataError, InputError
from multimlp.files import check_apart, check_writable, replacing
from multimlp.mlp import is_ensemble
from multimlp.training import predict


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model", type=file_name, metavar="MODEL", help="a .safetensors file written by multimlp train --save"
    )
    parser.add_argument(
        "data", type=file_name, metavar="DATA", help=".csv, .npz (X) or .npy with the features"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=file_name,
        default="-",
        metavar="FILE",
        help="a .csv file; - is standard output (default)",
    )
    parser.add_argument("--proba", action="store_true", help="probabilities of the classes, too")
    add_common(parser)


def run(args: argparse.Namespace) -> int:
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
    if args.output != "-":
        check_writable(args.output)
        check_apart(args.output, args.model, args.data)
    X, ignored = read_features(args.data, pipeline.feature_names)
    outputs = predict(mlp, params, pipeline.inputs(X))
    host = owner(outputs).to_numpy(outputs).astype(np.float64)
    _check_finite(args.data, host)
    decided: list[Any] = pipeline.decide(host).tolist()
    if pipeline.classes is not None:
        decided = [pipeline.classes[index] for index in decided]
    probabilities = pipeline.probabilities(host).tolist() if args.proba else None
    if ignored:
        note(f"ignored the column{'s' if len(ignored) > 1 else ''} {', '.join(map(repr, ignored))}")
    header = ["prediction"]
    if args.proba:
        header += [f"proba_{label}" for label in pipeline.classes or ()]
    rows = [[label, *(probabilities[i] if probabilities else ())] for i, label in enumerate(decided)]
    if args.output != "-":
        with replacing(args.output) as beside, beside.open("w", newline="", encoding="utf-8") as file:
            _write(file, header, rows)
    if args.json:
        written = None if args.output == "-" else args.output
        print_json(
            {
                "rows": len(rows),
                "output": written,
                "classes": pipeline.classes,
                "predictions": decided,
                "probabilities": probabilities,
                "ignored": ignored,
            }
        )
    elif args.output == "-":
        _write(sys.stdout, header, rows)
    else:
        note(f"wrote {len(rows)} predictions to {args.output}")
    return 0


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
