"""Where the files of runs lie: those of complete ones in the repository, all others in ``build``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.process import ROOT
from multimlp.errors import InputError

RESULTS = ROOT / "benchmarks" / "results"
SCRATCH = ROOT / "build" / "benchmarks"
BEFORE = "-before"
"""Ends the name of the run before the newest: a target counts as reached when both have reached it."""
KINDS = ("scale", "tables")
"""The commands below ``python -m benchmarks`` whose files begin with their names."""


def stem(described: dict[str, Any], complete: bool, kind: str = "") -> Path:
    """Where a run on this machine is kept, without an ending."""
    name = machine.slug(described)
    return (RESULTS if complete else SCRATCH) / (f"{kind}-{name}" if kind else name)


def unfinished(output: Path) -> Path:
    """Where the pieces of a complete run lie until all of them are there."""
    return SCRATCH / f"{output.name}-unfinished.json"


def latest(kind: str = "") -> Path:
    """The newest complete run of a kind, by what its file says, default: of none of `KINDS`.

    Raises
    ------
    InputError
        If there is none.
    """
    found = [
        path for path in RESULTS.glob("*.json") if _kind(path) == kind and not path.stem.endswith(BEFORE)
    ]
    if not found:
        command = f"python -m benchmarks {kind}".strip()
        raise InputError(
            f"markdown: there are no results{f' of {kind}' if kind else f' in {RESULTS}'}; run {command} first"
        )
    return max(found, key=_measured)


def _measured(path: Path) -> str:
    """When; files know it, their dates do not: those of a clone are all of the day when it was made."""
    return str(json.loads(path.read_text(encoding="utf-8")).get("machine", {}).get("measured", ""))


def _kind(path: Path) -> str:
    return next((kind for kind in KINDS if path.stem.startswith(f"{kind}-")), "")


def from_docs(path: Path) -> str:
    """A picture's path as the pages of ``docs`` name it."""
    whole = path.resolve()
    return f"../{whole.relative_to(ROOT)}" if whole.is_relative_to(ROOT) else str(path)


def picture_of(path: Path) -> str | None:
    """The picture beside a results file, as the pages name it; None if there is none."""
    drawn = path.with_suffix(".svg")
    return from_docs(drawn) if drawn.exists() else None
