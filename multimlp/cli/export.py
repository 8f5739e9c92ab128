"""Write a saved model in the format of another library.

  onnx     .onnx, opset 20
  torch    state_dict: .safetensors, or .pt
  keras    .keras
  flax     variables as .msgpack
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
from multimlp.cli.common import add_common, file_name, note, print_json
from multimlp.cli.formats import WRITERS, Writing
from multimlp.cli.pipeline import meaning


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
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    files.check_apart(args.output, args.model)
    mlp, params = files.load(args.model, args.backend or "numpy", args.device, args.dtype)
    task, classes, prepared = meaning(args.model, files.load_extra(args.model), mlp)
    WRITERS[args.to](Path(args.output), Writing(mlp, params, task, classes))
    if prepared:
        note(
            "the file holds the network alone: standardise inputs as `multimlp train` did "
            "(multimlp.files.load_extra)"
        )
    if args.json:
        print_json(
            {"model": args.model, "format": args.to, "output": args.output, "parameters": mlp.num_parameters}
        )
    else:
        print_text(f"wrote {args.output} ({args.to}, {mlp.num_parameters} parameters): {mlp!r}")
    return 0
