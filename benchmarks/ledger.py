"""A run in pieces: one entry a finished piece in a file, written after each, so that nothing is measured twice."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import stored
from multimlp.errors import FileFormatError, InputError

VERSION = 1


@dataclass(frozen=True)
class Piece:
    """Something to measure; ``run()`` gives plain values, with the reason under ``"problem"`` where it could not be measured."""

    name: str
    run: Callable[[], dict[str, Any]]


class Ledger:
    """Results by the names of pieces.

    Parameters
    ----------
    path : Path
        It is read if it exists.
    setting : dict of plain values
        What results that stand beside each other have in common; others in the file are refused.

    Raises
    ------
    InputError
        If the file has results of another setting.
    FileFormatError
        If it is no such file.
    """

    def __init__(self, path: Path, setting: dict[str, Any]) -> None:
        self.path, self.setting = path, json.loads(json.dumps(setting))
        self.pieces: dict[str, dict[str, Any]] = {}
        if path.exists():
            self._read()

    def _read(self) -> None:
        try:
            plain = json.loads(self.path.read_text(encoding="utf-8"))
            version, setting, pieces = plain["version"], dict(plain["setting"]), dict(plain["pieces"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FileFormatError(
                f"output: {str(self.path)!r} holds no pieces of a run: {error}; move it away, or name another file as --output"
            ) from None
        if version != VERSION:
            raise FileFormatError(f"output: {str(self.path)!r} is of version {version}, expected {VERSION}")
        for name, value in self.setting.items():
            if setting.get(name) != value:
                raise InputError(
                    f"output: {str(self.path)!r} has results with {name}={setting.get(name)!r}, this run has {value!r}; "
                    "give another file as --output, or move that one away"
                )
        self.pieces = pieces

    def done(self, name: str, retry: bool = False) -> bool:
        """Whether a piece is finished; with ``retry`` one that found a problem is not."""
        entry = self.pieces.get(name)
        return entry is not None and not (retry and entry["problem"])

    def note(self, name: str, seconds: float, found: dict[str, Any], problem: str) -> None:
        """Keep what a piece has found, in the file too; whoever ends the program now loses nothing."""
        self.pieces[name] = {"seconds": round(seconds, 1), "found": found, "problem": problem}
        stored.write_plain(self.path, {"setting": self.setting, "pieces": self.pieces}, VERSION)

    def go_on(
        self, wanted: Iterable[Piece], minutes: float, retry: bool = False, longest: float = float("inf")
    ) -> int:
        """Run what is missing as long as there is time; how many pieces are left.

        No piece begins that may end after so many ``minutes``, to judge by the longest so far; one that takes more than ``longest``
        seconds is named.
        """
        missing = [piece for piece in wanted if not self.done(piece.name, retry)]
        until = time.monotonic() + 60 * minutes
        slowest = 0.0
        for number, piece in enumerate(missing):
            if number and time.monotonic() + slowest > until:
                return len(missing) - number
            started = time.monotonic()
            found = piece.run()
            seconds = time.monotonic() - started
            slowest = max(slowest, seconds)
            problem = str(found.pop("problem", ""))
            if seconds > longest:
                print(f"{piece.name} took {seconds:.0f} s, more than a piece should", file=sys.stderr)
            self.note(piece.name, seconds, found, problem)
            print(f"{number + 1}/{len(missing)} {piece.name}: {problem or f'{seconds:.1f} s'}", flush=True)
        return 0


def add_minutes(parser: argparse.ArgumentParser) -> None:
    """The option that says for how long to measure."""
    parser.add_argument(
        "--minutes",
        type=_minutes,
        default=float("inf"),
        help="start no piece that may last longer than this; default: no limit",
    )


def _minutes(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"expected a positive number of minutes, got {text}")
    return value
