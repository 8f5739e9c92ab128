"""What multimlp is to reach, as ratios of times in one run, on a CPU."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.results import Ratio
from benchmarks.tasks import SMOOTH

FLOOR = 0.97
"""Never slower than the loop written by hand; less counts as noise."""
SLOWDOWN = 3.0
"""How many times as long a step may take beside other processes at full load."""
ALONE = 0.9
"""An activation or loss by itself: the time of the library's own over ours."""
_CASES = ("tiny", "digits", "d2l", "deep", "wide")

_TABLE: dict[tuple[str, str], tuple[float | None, ...]] = {
    ("torch", "loop"): (150, 8, 1.8, 2.4, 1.1),
    ("jax", "loop"): (9, 1.6, 1.3, 1.3, 1.0),
    ("tensorflow", "loop"): (45, 10, 2.6, 2.9, 1.0),
    ("torch", "keras"): (30, 20, 3, 2.6, 1.3),
    ("jax", "keras"): (30, 6, 1.25, 1.3, 1.1),
    ("tensorflow", "keras"): (100, 30, 4, 4, 2),
    ("numpy", "sklearn"): (80, 8, 2.6, 2.8, 2),
    ("numpy", "products"): (None, 0.85, 0.9, 0.9, 0.92),
    ("jax", "products"): (None, 0.7, 0.9, 0.9, 0.92),
    ("torch", "products"): (None, 0.7, 0.9, 0.9, 0.92),
    ("tensorflow", "products"): (None, 0.6, 0.9, 0.9, 0.92),
}
_WITHOUT_NUMBA: dict[tuple[str, str], tuple[float | None, ...]] = {
    ("numpy", "sklearn"): (12, 5, 2.5, 2.4, 2),
}
_SMOOTH = (1.3, 1.4, 1.15, 1.2, 1.05)
"""Our step with another activation over ours with relu, on the libraries whose step is not compiled."""
_SMOOTH_ON = ("numpy", "torch")


def target(case: str, backend: str, role: str) -> float | None:
    """The ratio to reach, or None if there is none."""
    if role == "ours-relu":
        network = case.partition("-")[0]
        return 1 / _SMOOTH[_CASES.index(network)] if backend in _SMOOTH_ON and network in _CASES else None
    given = _TABLE.get((backend, role))
    if given is not None and case in _CASES:
        return given[_CASES.index(case)]
    return FLOOR if role == "loop" and case in (*_CASES, "ensemble") else None


def rows() -> Iterable[tuple[str, str, str, float, str]]:
    """Every target: case, backend, role, ratio, and the role of ours that is to reach it."""
    for table, ours in ((_TABLE, "ours"), (_WITHOUT_NUMBA, "ours-inplace")):
        for (backend, role), values in table.items():
            for case, value in zip(_CASES, values, strict=True):
                if value is not None:
                    yield case, backend, role, value, ours
    for backend in _SMOOTH_ON:
        for case in _CASES:
            for activation in SMOOTH:
                name = f"{case}-{activation}"
                wanted = target(name, backend, "ours-relu")
                assert wanted is not None
                yield name, backend, "ours-relu", wanted, "ours"


def verdict(found: Ratio, wanted: float) -> str:
    """``reached``, ``missed``, or ``close``: missed by less than the rounds differ among themselves."""
    needed = FLOOR if FLOOR <= wanted <= 1.0 else wanted
    if found.value >= needed:
        return "reached"
    return "close" if found.high >= needed else "missed"
