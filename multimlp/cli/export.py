"""Write a saved model in the format of another library.

  onnx     .onnx, opset 20 or --opset
  torch    state_dict: .safetensors, or .pt
  keras    .keras
  flax     linen's variables as .msgpack
  nnx      parameters of an nnx.Sequential as .msgpack
  equinox  leaves as .eqx
  sklearn  weights and classes as .npz
  gluon    .params

The file holds the network alone; where that expects standardised inputs, as a model of `multimlp train` does,
the command says so. With --whole an ONNX model also holds what prepares the inputs and reads the outputs, and
RealMLP and TabM are always written so. Its inputs are the columns of the table, by name and of shape (rows, 1):

  numbers         float64, NaN for a missing one
  dates           float64, days since 1970
  truth values    float64, 0 or 1
  categories      text

Its outputs are label and probabilities, or prediction (and quantiles).

example:
  multimlp export model.safetensors --to onnx -o model.onnx
  multimlp export model.safetensors --to onnx --whole -o model.onnx
"""

from __future__ import annotations

import argparse
from pathlib import Path

from multimlp import files
from multimlp._terminal import print_text
from multimlp.cli import whole
from multimlp.cli.common import add_common, file_name, print_json
from multimlp.cli.format_options import (
    add_target_options,
    check_opset,
    check_target,
    read_ours,
    remark,
    with_target_options,
)
from multimlp.cli.formats import WRITERS
from multimlp.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model", type=file_name, metavar="MODEL", help="a .safetensors file written by multimlp"
    )
    parser.add_argument(
        "--to", required=True, choices=tuple(WRITERS), metavar="FORMAT", help=f"{', '.join(WRITERS)}"
    )
    parser.add_argument(
        "-o", "--output", type=file_name, required=True, metavar="FILE", help="the file to write"
    )
    add_target_options(parser)
    parser.add_argument(
        "--whole",
        action="store_true",
        help="also write what prepares the inputs and reads the outputs (onnx alone)",
    )
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    files.check_readable(args.model, "MODEL")
    files.check_writable(args.output, "--output")
    files.check_apart(args.output, args.model)
    check_opset(args, args.to)
    if files.is_estimator(args.model):
        return _whole_estimator(args)
    model = with_target_options(read_ours(args.model, args), args, args.to)
    check_target(args.to, model.mlp)
    if args.whole:
        _check_whole(args, "--whole is for ONNX models")
        whole.write_network(args.model, model.mlp, model.params, args.output, args.opset)
    else:
        WRITERS[args.to](Path(args.output), model)
        remark(model)
    mlp = model.mlp
    if args.json:
        print_json(
            {"model": args.model, "format": args.to, "output": args.output, "parameters": mlp.num_parameters}
        )
    else:
        print_text(f"wrote {args.output} ({args.to}, {mlp.num_parameters} parameters): {mlp!r}")
    return 0


def _check_whole(args: argparse.Namespace, reason: str) -> None:
    if args.to != "onnx":
        raise InputError(f"--to: {reason}, got {args.to}; give --to onnx")


def _whole_estimator(args: argparse.Namespace) -> int:
    _check_whole(args, "an estimator for tables, with what prepares its columns, goes to ONNX alone")
    found = whole.write_estimator(args.model, args.output, args.opset)
    kind, columns = type(found).__name__, list(found.schema_.names)
    if args.json:
        print_json(
            {
                "model": args.model,
                "format": args.to,
                "output": args.output,
                "estimator": kind,
                "columns": columns,
            }
        )
    else:
        print_text(f"wrote {args.output} (onnx): {kind}, whose inputs are the columns {', '.join(columns)}")
    return 0
