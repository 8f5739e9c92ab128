"""What each activation is, in arbitrary precision, and how far the implementations may be from it.

Formulas, defaults, slopes at kinks and limits are those of `multimlp.parity.textbook`, which are written apart from the
code under test; derivatives are differences of them with enough digits. Bounds are those of `multimlp.parity.tolerances`.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import mpmath as mp
import numpy as np

from multimlp import activations
from multimlp.backend import load_backend
from multimlp.parity import textbook, tolerances

mp.mp.dps = DIGITS = 50
INF = float("inf")

VARIANTS: dict[str, tuple[dict[str, Any], ...]] = {
    "leaky_relu": ({"negative_slope": 0.25},),
    "prelu": ({"alpha": -0.5},),
    "threshold": ({"threshold": 1.0, "value": -2.0},),
    "softshrink": ({"lambd": 2.0},),
    "elu": ({"alpha": 2.0},),
    "celu": ({"alpha": 3.0},),
    "squareplus": ({"b": 0.5},),
    "gelu": ({"approximate": "tanh"},),
    "swish": ({"beta": 2.5},),
}
"""Options to try beside the defaults."""

KINDS = ("value", "derivative", "second")
"""What `tolerances` calls the derivatives, by order."""

CORNERS = (-3.0, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0, 6.0)
"""Where the derivatives of activations of pieces jump, and a few points more."""


@dataclass(frozen=True, eq=False)
class Reference:
    """One elementwise activation with one set of options."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return "-".join([self.name, *(f"{k}={v}" for k, v in self.options.items())])

    @functools.cached_property
    def definition(self) -> textbook.Elementwise:
        return textbook.ACTIVATIONS[self.name]

    @functools.cached_property
    def kinks(self) -> dict[float, float]:
        """Points where the first derivative jumps, and what is stated for them."""
        return self.definition.kinks(**self.options)

    def f(self, x: Any) -> Any:
        return self.definition.formula(mp.mp, x, **self.options)

    @property
    def limits(self) -> tuple[float, float]:
        """At -inf and +inf."""
        left = self.definition.at_minus_inf
        return float(self.f(mp.ninf)) if left is None else left, float(self.f(mp.inf))

    def derivative(self, x: float, order: int = 1) -> Any:
        """By differences, on the side of the nearest kink where x is."""
        if order == 1 and x in self.kinks:
            return mp.mpf(self.kinks[x])
        direction = 0
        for kink in self.kinks:
            if abs(x - kink) < 1e-12:
                direction = 1 if x > kink else -1
        return mp.diff(self.f, mp.mpf(x), order, direction=direction)

    def jumps(self, *orders: int) -> tuple[float, ...]:
        """The corners where a derivative of one of these orders jumps; the value is that of order 0."""
        h = mp.mpf(10) ** -9

        def jump(x: float, order: int) -> Any:
            left, right = (mp.diff(self.f, x + side * h, order, direction=side) for side in (-1, 1))
            return abs(right - left) / max(1, abs(left))

        return tuple(x for x in CORNERS if any(jump(x, order) > 1e-6 for order in orders))

    @functools.cached_property
    def is_smooth(self) -> bool:
        """Whether two derivatives exist everywhere."""
        return not self.jumps(0, 1, 2)

    def bound(self, order: int, library: str, dtype: Any) -> float:
        """The bound that parity sets: ``|error| <= bound * eps * max(1, |reference|)``."""
        name = np.dtype(dtype).name
        return tolerances.limit(self.name, "activation", KINDS[order], name, load_backend(library))


ELEMENTWISE = [name for name in activations.names() if activations.describe(name).elementwise]

REFERENCES = [
    Reference(name, options)
    for name in ELEMENTWISE
    if name in textbook.ACTIVATIONS
    for options in ({}, *VARIANTS.get(name, ()))
]


@functools.cache
def expected(reference: Reference, dtype: Any, order: int) -> list[Any]:
    """Value or derivative at `points`."""
    xs = [float(x) for x in points(dtype)]
    return [reference.f(mp.mpf(x)) if order == 0 else reference.derivative(x, order) for x in xs]


def error(got: np.ndarray, wanted: list[Any]) -> float:
    """The largest |error| / (eps max(1, |reference|)); infinities must be where the dtype overflows."""
    info = np.finfo(got.dtype)
    worst = 0.0
    for value, reference in zip(got.tolist(), wanted, strict=True):
        if abs(reference) > float(info.max):
            worst = max(worst, 0.0 if value == float(mp.sign(reference)) * INF else INF)
        elif not np.isfinite(value):
            worst = INF
        else:
            worst = max(worst, float(abs(value - reference) / max(1, abs(reference)) / float(info.eps)))
    return worst


def points(dtype: Any) -> np.ndarray:
    """A grid, random points, kinks and their neighbours, zeros, tiny and large numbers.

    No subnormal ones: XLA takes them for zero.
    """
    random = np.random.default_rng(20240607)
    info = np.finfo(dtype)
    corners = np.asarray([0.5, 1.0, 2.0, 3.0, 6.0], dtype=dtype)
    corners = np.concatenate([corners, -corners])
    sizes = (float(info.tiny), 1e-20, 1e-8, 1e-4, 30.0, 80.0, 100.0, 700.0, 1e4)
    return np.concatenate(
        [
            np.linspace(-20, 20, 81).astype(dtype),
            random.uniform(-20, 20, 100).astype(dtype),
            random.uniform(-4, 4, 100).astype(dtype),
            corners,
            np.nextafter(corners, dtype(INF)),
            np.nextafter(corners, dtype(-INF)),
            np.asarray([0.0, -0.0, *sizes, *(-size for size in sizes)], dtype=dtype),
        ]
    )
