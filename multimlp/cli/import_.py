"""Read a model of another library and save it as a multimlp model.

The format goes by the ending of the name (.onnx, .pt, .pth, .safetensors with a torch state_dict, .keras,
.msgpack, .eqx, .npz, .params) or by --from. Weights alone (torch, flax, nnx, equinox, gluon) tell no
activations: say them with --activation. Opening a file runs nothing that is in it.

example:
  multimlp import model.onnx -o model.safetensors
  multimlp import weights.pt --activation tanh --final-activation sigmoid -o model.safetensors
"""

from __future__ import annotations

import argparse

from multimlp import files
from multimlp._terminal import print_text
from multimlp.cli.common import add_common, file_name, print_json
from multimlp.cli.format_options import add_combine, add_source_options, beside, read_with_meaning
from multimlp.cli.formats import READERS, format_of
from multimlp.files import check_apart, check_writable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=file_name, metavar="FILE", help="the model of another library")
    parser.add_argument(
        "-o", "--output", type=file_name, required=True, metavar="FILE", help="the .safetensors file to write"
    )
    parser.add_argument(
        "--from",
        dest="source",
        choices=tuple(READERS),
        metavar="FORMAT",
        help=f"{', '.join(READERS)}; if the name of the file does not tell",
    )
    add_source_options(parser)
    add_combine(parser)
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    source = args.source or format_of(args.file)
    check_writable(args.output, "--output")
    check_apart(args.output, args.file)
    model = read_with_meaning(args.file, args, source)
    mlp = model.mlp
    files.save(args.output, mlp, model.params, beside(source, model))
    if args.json:
        print_json({"file": args.file, "format": source, "output": args.output, "mlp": mlp.to_spec()})
    else:
        print_text(f"wrote {args.output} ({mlp.num_parameters} parameters): {mlp!r}")
    return 0
