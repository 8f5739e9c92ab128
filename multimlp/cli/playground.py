"""Open a page on this machine on which a network is changed, trained and looked into, live.

Data, layers, activations, optimiser and backend are chosen on the page; it shows the decision boundary, the loss, the gradient in
each layer, the activations and the linear regions while training runs, and two backends side by side with their difference.
It needs no network, and nobody but this machine can open it. Ctrl-C ends it.

example:
  multimlp playground
  multimlp playground --backend jax --port 8000 --no-browser
"""

from __future__ import annotations

import argparse
import importlib.util
import sys

from multimlp.backend import select
from multimlp.cli.common import add_common, note, print_json
from multimlp.errors import missing_dependency


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--port",
        type=int,
        default=5006,
        metavar="N",
        help="port to listen at (default: 5006); 0 takes any that is free",
    )
    parser.add_argument("--no-browser", action="store_true", help="only say the address")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="address to listen at (default: 127.0.0.1, this machine alone)",
    )
    add_common(parser, "backend that the page begins with")


def run(args: argparse.Namespace) -> int:
    for package in ("bokeh", "matplotlib"):
        if importlib.util.find_spec(package) is None:
            raise missing_dependency(package, "multimlp playground", "playground")
    from multimlp.playground import Place, Settings, serve

    target = select(args.backend, args.device, args.dtype)

    def ready(address: str) -> None:
        if args.json:
            print_json({"address": address})
        else:
            print(f"the playground is at {address} (Ctrl-C ends it)")
        sys.stdout.flush()  # whoever reads it through a pipe waits for the address
        if args.host != "127.0.0.1":
            note(f"whoever reaches {args.host} can train on this machine through the page")

    place = Place(target.backend.name, target.dtype, target.device)
    serve(Settings(place=place), args.port, args.host, not args.no_browser, ready)
    note("the playground has ended")
    return 0
