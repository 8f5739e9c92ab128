"""Write a saved model in the format of another library.

  onnx     .onnx, opset 20 or --opset
  torch    state_dict: .safetensors, or .pt
  keras    .keras
  flax     linen's variables as .msgpack
  nnx      parameters of an nnx.Sequential as .msgpack
  equinox  leaves as .eqx
  sklearn  weights and classes as .npz
  gluon    .params

The file holds the network alone. A model of `multimlp train` expects standardised inputs; the command says
so.

example:
  multimlp export model.safetensors --to onnx -o model.onnx
"""

from __future__ import annotations

import argparse
from pathlib import Path

from multimlp import files
from multimlp._terminal import print_text
from multimlp.cli.common import add_common, file_name, print_json
from multimlp.cli.formats import (
    WRITERS,
    add_target_options,
    check_opset,
    check_target,
    read_ours,
    remark,
    with_target_options,
)


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
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    files.check_apart(args.output, args.model)
    check_opset(args, args.to)
    model = with_target_options(read_ours(args.model, args), args, args.to)
    check_target(args.to, model.mlp)
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
