"""What multimlp is to reach, as ratios of times in one run, on a CPU."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.results import Ratio

FLOOR = 0.97
"""Never slower than the loop written by hand; less counts as noise."""
_CASES = ("tiny", "digits", "d2l", "deep", "wide")

_TABLE: dict[tuple[str, str], tuple[float | None, ...]] = {
    ("torch", "loop"): (6, 5, 1.8, 2, 1.1),
    ("jax", "loop"): (6, 2.5, 1.0, 1.25, 1.0),
    ("tensorflow", "loop"): (40, 9, 1.4, 1.5, 1.0),
    ("torch", "keras"): (30, 20, 3, 2.6, 1.3),
    ("jax", "keras"): (30, 6, 1.25, 1.3, 1.1),
    ("tensorflow", "keras"): (100, 30, 4, 4, 2),
    ("numpy", "sklearn"): (4, 4.5, 2.8, 6, 1.3),
    ("numpy", "products"): (None, None, 0.75, 0.7, 0.9),
    ("jax", "products"): (None, None, 0.75, 0.7, 0.9),
    ("torch", "products"): (None, None, 0.75, 0.7, 0.9),
}


def target(case: str, backend: str, role: str) -> float | None:
    """The ratio to reach, or None if there is none."""
    given = _TABLE.get((backend, role))
    if given is not None and case in _CASES:
        return given[_CASES.index(case)]
    return FLOOR if role == "loop" and case in (*_CASES, "ensemble") else None


def rows() -> Iterable[tuple[str, str, str, float]]:
    """Every target: case, backend, role, ratio."""
    for (backend, role), values in _TABLE.items():
        for case, value in zip(_CASES, values, strict=True):
            if value is not None:
                yield case, backend, role, value


def verdict(found: Ratio, wanted: float) -> str:
    """``reached``, ``missed``, or ``close``: missed by less than the rounds differ among themselves."""
    needed = FLOOR if FLOOR <= wanted <= 1.0 else wanted
    if found.value >= needed:
        return "reached"
    return "close" if found.high >= needed else "missed"
