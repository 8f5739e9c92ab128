"""This run against an older one: what became faster, what slower, and what only looks so."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from benchmarks.results import Measurement, Results

LEAST = 0.05
"""Changes below this are not called changes, whatever the rounds say."""
_DECIDING = ("cpu", "cores", "threads", "device", "gpu", "environment")


@dataclass(frozen=True)
class Change:
    """One measurement in two runs; ``verdict`` is ``faster``, ``slower`` or ``same``."""

    old: Measurement
    new: Measurement
    factor: float
    """New time over old."""
    noise: float
    """Changes below this fraction are within the spread of the rounds."""
    verdict: str


def change(old: Measurement, new: Measurement) -> Change:
    """The verdict on one measurement."""
    factor = new.median / old.median
    noise = max(LEAST, 2 * math.hypot(old.spread, new.spread))
    if abs(math.log(factor)) <= math.log1p(noise):
        verdict = "same"
    else:
        verdict = "faster" if factor < 1 else "slower"
    return Change(old, new, factor, noise, verdict)


def changes(old: Results, new: Results, role: str | None = None) -> list[Change]:
    """Everything that both runs measured (of one role, if given)."""
    found = []
    for one in new.measurements:
        before = old.find(one.case, one.backend, one.role)
        if before is not None and one.counts and role in (None, one.role):
            found.append(change(before, one))
    return found


def failures(old: Results, new: Results) -> list[Measurement]:
    """What counted in the old run and is of no use in the new one, the reason in ``problem``."""
    return [
        one
        for one in new.measurements
        if not one.counts and old.find(one.case, one.backend, one.role) is not None
    ]


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """What makes two machines incomparable, a sentence each."""
    return [
        f"{name}: {old.get(name)} then, {new.get(name)} now"
        for name in _DECIDING
        if (old.get(name) or None) != (new.get(name) or None)
    ]
