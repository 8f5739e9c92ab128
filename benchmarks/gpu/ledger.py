"""The file of results: one entry a finished piece, written after each, so that nothing is measured twice."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from multimlp.errors import FileFormatError, InputError

VERSION = 1


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
                f"output: {str(self.path)!r} holds no results of bench-gpu: {error}"
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

    def done(self, name: str, retry: bool) -> bool:
        """Whether a piece is finished; with ``retry`` one that found a problem is not."""
        entry = self.pieces.get(name)
        return entry is not None and not (retry and entry["problem"])

    def note(self, name: str, seconds: float, found: dict[str, Any], problem: str) -> None:
        """Keep what a piece has found, in the file too; whoever ends the program now loses nothing."""
        self.pieces[name] = {"seconds": round(seconds, 1), "found": found, "problem": problem}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_suffix(".part")
        plain = {"version": VERSION, "setting": self.setting, "pieces": self.pieces}
        beside.write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")
        os.replace(beside, self.path)
