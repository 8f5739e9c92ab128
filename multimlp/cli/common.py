"""What the subcommands share: the options that each has, and JSON."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import sys
from typing import Any

from multimlp.backend import FLOAT_DTYPES


def add_common(parser: argparse.ArgumentParser, backend_help: str = "name of a backend") -> None:
    """``--backend``, ``--device``, ``--dtype`` and ``--json``."""
    group = parser.add_argument_group("where it runs")
    group.add_argument("--backend", metavar="NAME", help=backend_help)
    group.add_argument("--device", metavar="NAME", help="cpu, gpu, cuda, cuda:1, ...")
    group.add_argument("--dtype", choices=FLOAT_DTYPES, help="floating-point type")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def file_name(text: str) -> str:
    """The type of an argument that names a file or a folder."""
    if not text or "\0" in text:
        raise argparse.ArgumentTypeError(f"expected the name of a file, got {text!r}")
    return text


def print_json(value: dict[str, Any]) -> None:
    """One JSON object on stdout; NaN and infinities, which JSON lacks, become null."""
    print(json.dumps(_finite(value), indent=2))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def note(message: str) -> None:
    """A remark for the person at the terminal, one line of at most 1000 characters; stdout stays for results."""
    line = " ".join(message.split())
    with contextlib.suppress(OSError):  # nobody is left to be told
        print(f"multimlp: {line if len(line) <= 1000 else line[:997] + '...'}", file=sys.stderr)
