"""Turn a model file of one library into that of another, and prove that nothing changed.

The formats go by the endings of the names, or by --from and --to: onnx, torch (a state_dict), keras, flax
(linen's variables), nnx (its parameters), equinox (its leaves), sklearn, gluon, multimlp. Those that hold weights
alone (torch, flax, nnx, equinox, gluon) tell no activations: say them with --activation.

With --verify both files are opened again, each model is run by its own library on the same rows, and outputs,
gradients and layers are compared. The exit code is 1 if they differ by more than rounding.

example:
  multimlp convert model.keras model.onnx --verify
  multimlp convert weights.pt model.safetensors --activation tanh --verify --data rows.csv --report report.html
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from multimlp import files
from multimlp._terminal import print_text
from multimlp.cli.common import add_common, check_distinct, file_name, print_json
from multimlp.cli.format_options import (
    add_source_options,
    add_target_options,
    beside,
    check_opset,
    check_target,
    read_with_meaning,
    remark,
    with_target_options,
)
from multimlp.cli.formats import (
    OPENERS,
    OURS,
    READERS,
    WITH_ACTIVATIONS,
    WRITERS,
    Model,
    Reading,
    Writing,
    format_of,
)
from multimlp.data import read_features
from multimlp.errors import FileFormatError, InputError
from multimlp.files import check_apart, check_writable, opening, replacing
from multimlp.mlp import MLP


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("source", type=file_name, metavar="SOURCE", help="the model to read")
    add("target", type=file_name, metavar="TARGET", help="the file to write")
    add(
        "--from",
        dest="source_format",
        choices=tuple(OPENERS),
        metavar="FORMAT",
        help="format of SOURCE (default: by its name)",
    )
    add(
        "--to",
        dest="target_format",
        choices=tuple(OPENERS),
        metavar="FORMAT",
        help="format of TARGET (default: by its name)",
    )
    add_source_options(parser)
    add_target_options(parser)
    add("--no-names", action="store_true", help="leave out what the layers of SOURCE are called")
    add("--verify", action="store_true", help="run both models and compare outputs, gradients and layers")
    add(
        "--data",
        type=file_name,
        metavar="FILE",
        help="rows to compare on: .csv, .npy or .npz (X); default: drawn at random",
    )
    add(
        "--rows",
        type=int,
        default=256,
        metavar="N",
        help="how many rows are drawn without --data (default: 256)",
    )
    add(
        "--tolerance",
        type=float,
        metavar="ULP",
        help="how many units in the last place count as equal (default: as rounding explains)",
    )
    add("--report", type=file_name, metavar="FILE", help="write the comparison as .html or .json")
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    verifying = args.verify or args.report is not None or args.data is not None
    source = args.source_format or _format_of_source(args.source)
    target = args.target_format or _format_of_target(args.target)
    check_opset(args, target)
    read = [args.source] if args.data is None else [args.source, args.data]
    check_writable(args.target, "TARGET")
    check_apart(args.target, *read)
    if args.report is not None:
        _check_report(args, read)
    model = with_target_options(read_with_meaning(args.source, args, source), args, target, source)
    mlp = model.mlp.renamed(None) if args.no_names else model.mlp
    model = model._replace(mlp=mlp)
    check_target(target, mlp)
    if target == OURS:
        files.save(args.target, mlp, model.params, beside(source, model))
    else:
        WRITERS[target](Path(args.target), model)
        remark(model)
    if not verifying:
        if args.json:
            print_json(
                {
                    "source": args.source,
                    "from": source,
                    "target": args.target,
                    "to": target,
                    "mlp": mlp.to_spec(),
                }
            )
        else:
            print_text(f"wrote {args.target} ({target}, {mlp.num_parameters} parameters): {mlp!r}")
        return 0
    return _verified(args, source, target, model)


def _verified(args: argparse.Namespace, source: str, target: str, model: Writing) -> int:
    from multimlp.interop import verify

    mlp = model.mlp
    before = OPENERS[source](Path(args.source), mlp, model.params, args.combine)
    after = OPENERS[target](Path(args.target), *_read_back(args, target, model), args.combine)
    X = None if args.data is None else _rows(args.data, mlp.in_features)
    report = verify(before, after, X, rows=args.rows, tolerance=args.tolerance, combine=args.combine)
    if args.report is not None:
        text = report.to_json() if args.report.endswith(".json") else report.to_html()
        with replacing(args.report, "--report") as part:
            part.write_text(text, encoding="utf-8")
    if args.json:
        print_json(
            {"source": args.source, "from": source, "target": args.target, "to": target, **report.to_dict()}
        )
    else:
        print_text(f"wrote {args.target} ({target}, {mlp.num_parameters} parameters): {mlp!r}")
        for line in str(report).splitlines():
            print_text(line)
    return 0 if report.ok else 1


def _read_back(args: argparse.Namespace, target: str, model: Writing) -> Model:
    """What has been written; the model tells the activations that a file of weights does not."""
    mlp = model.mlp
    if target == OURS:
        return files.load(args.target, args.backend or "numpy", args.device, args.dtype)
    if target not in WITH_ACTIVATIONS and mlp.members(model.params) is not None and not mlp.use_bias:
        # Weights alone of such an ensemble could be a convolution's, and are not read.
        return mlp, model.params
    rules = ([*mlp.activations], mlp.final_activation) if isinstance(mlp, MLP) else ("relu", None)
    how = Reading(*rules, args.backend, args.device, args.dtype, combine=args.combine)
    return READERS[target](Path(args.target), how)


def _format_of_source(path: str) -> str:
    """A .safetensors file is a model of multimlp if it says so, else a state_dict."""
    if Path(path).suffix.lower() == ".safetensors":
        try:
            files.load_extra(path)
        except FileFormatError:
            return "torch"
        return OURS
    return format_of(path)


def _format_of_target(path: str) -> str:
    return OURS if Path(path).suffix.lower() == ".safetensors" else format_of(path, "--to")


def _check_report(args: argparse.Namespace, read: Sequence[str]) -> None:
    if Path(args.report).suffix not in (".html", ".json"):
        raise InputError(f"--report: expected a name that ends in .html or .json, got {args.report!r}")
    check_writable(args.report, "--report")
    check_distinct({"TARGET": args.target, "--report": args.report})
    check_apart(args.report, *read, what="--report")


def _rows(path: str, in_features: int) -> np.ndarray:
    """All columns of a file, in their order."""
    names = [str(i) for i in range(in_features)]
    if Path(path).suffix in (".csv", ".tsv"):
        with opening(path, "cannot be read") as where, where.open(newline="", encoding="utf-8-sig") as file:
            names = next(csv.reader(file, delimiter="\t" if where.suffix == ".tsv" else ","), [])
    return read_features(path, names)[0]
