"""Results of a run as a JSON file, whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from multimlp.errors import FileFormatError, InputError
from multimlp.files import replacing

R = TypeVar("R")


def write(path: Path, results: Any, version: int) -> None:
    """A dataclass of plain values."""
    write_plain(path, asdict(results), version)


def write_plain(path: Path, values: dict[str, Any], version: int) -> None:
    """Plain values by their names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"version": version, **values}, indent=1) + "\n"
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


def read(path: Path, version: int, what: str, make: Callable[[dict[str, Any]], R]) -> R:
    """What ``make`` makes of the file's values.

    Raises
    ------
    InputError
        If there is no file.
    FileFormatError
        If it holds something else than ``what``.
    """
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
        if plain.pop("version") != version:
            raise ValueError("another version")
        return make(plain)
    except OSError as error:
        raise InputError(f"cannot read {str(path)!r}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FileFormatError(f"{path}: no {what} of version {version}: {error}") from None
