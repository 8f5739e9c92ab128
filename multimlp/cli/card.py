"""The model card: what a model was trained on, with which settings, where, and how good it is; a JSON file."""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from multimlp import files
from multimlp._json import finite
from multimlp.backend import load_backend
from multimlp.cli.common import check_distinct
from multimlp.frames import Schema

_NO_SETTINGS = ("given", "json", "verbose", "no_progress", "data", "save", "card", "plot")


def card_file(args: argparse.Namespace) -> str | None:
    """Where the card goes: where --card says, else beside the saved model, else nowhere."""
    if args.card is not None:
        return str(args.card)
    return None if args.save is None else str(Path(args.save).with_suffix(".card.json"))


def check_card(args: argparse.Namespace, *read: str) -> None:
    """`InputError` if the card cannot be written where it goes, or two options write one file."""
    where = card_file(args)
    check_distinct(
        {"--save": args.save, "--checkpoint": args.checkpoint, "--plot": args.plot, "--card": where}
    )
    if where is None:
        return
    files.check_writable(where, "--card")
    files.check_apart(where, *read, what="--card")


def write_card(
    args: argparse.Namespace,
    backend: str,
    data: Mapping[str, Any],
    model: Mapping[str, Any],
    scores: Mapping[str, Any],
    history: Mapping[str, Any],
    without: Sequence[str] = (),
) -> str | None:
    """Write the card, if one is wanted, and say where it is; ``without`` the options that the model does not have."""
    where = card_file(args)
    if where is None:
        return None
    from multimlp import __version__

    versions = {
        "multimlp": __version__,
        "python": platform.python_version(),
        "backend": f"{backend} {load_backend(backend).version}",
    }
    settings = {name: value for name, value in vars(args).items() if name not in (*_NO_SETTINGS, *without)}
    card = {
        "model": {**model, "file": args.save},
        "data": {"file": args.data, **data},
        "settings": settings,
        "scores": scores,
        "history": history,
        "versions": versions,
        "platform": platform.platform(),
    }
    with files.replacing(where, "--card") as beside:
        beside.write_text(json.dumps(finite(card), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return where


def described(schema: Schema | None, rows: Mapping[str, int], **more: Any) -> dict[str, Any]:
    """The data of a card."""
    columns = None if schema is None else schema.to_spec()
    return {**more, "rows": dict(rows), "columns": columns}
