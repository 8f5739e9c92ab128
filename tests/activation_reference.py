"""What each activation is, in arbitrary precision, and how far the implementations may be from it.

The formulas, and the slopes stated at kinks, are those of `multimlp.parity.textbook`, which are written apart from
the code under test; derivatives are differences of them with enough digits. Options, limits and bounds are stated here.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import mpmath as mp
import numpy as np

from multimlp.parity import textbook

mp.mp.dps = DIGITS = 50
INF = float("inf")
NAN = float("nan")


DEFAULTS: dict[str, dict[str, Any]] = {
    "leaky_relu": {"negative_slope": 0.01},
    "softshrink": {"lambd": 0.5},
    "hardshrink": {"lambd": 0.5},
    "elu": {"alpha": 1.0},
    "celu": {"alpha": 1.0},
    "squareplus": {"b": 4.0},
    "gelu": {"approximate": "none"},
    "swish": {"beta": 1.0},
}
"""What an activation that is called without options is expected to do."""


@dataclass(frozen=True, eq=False)
class Reference:
    """One elementwise activation with one set of options."""

    name: str
    value: float
    """|error| <= value * eps * max(1, |reference|), for values."""
    slope: float
    """The same for first derivatives."""
    curvature: float | None = None
    """The same for second derivatives; None where they jump."""
    at_minus_inf: float = NAN
    at_plus_inf: float = INF
    options: Mapping[str, Any] = field(default_factory=dict)

    @functools.cached_property
    def _all_options(self) -> dict[str, Any]:
        return {**DEFAULTS.get(self.name, {}), **self.options}

    @functools.cached_property
    def kinks(self) -> dict[float, float]:
        """Points where the first derivative jumps, and what is stated for them."""
        stated = textbook.SLOPES_AT_KINKS.get(self.name)
        return {} if stated is None else stated(**self._all_options)

    def f(self, x: Any) -> Any:
        return textbook.ACTIVATIONS[self.name](mp.mp, x, **self._all_options)

    @property
    def id(self) -> str:
        return "-".join([self.name, *(f"{k}={v}" for k, v in self.options.items())])

    def derivative(self, x: float, order: int = 1) -> Any:
        """By differences, on the side of the nearest kink where x is."""
        if order == 1 and x in self.kinks:
            return mp.mpf(self.kinks[x])
        direction = 0
        for kink in self.kinks:
            if abs(x - kink) < 1e-12:
                direction = 1 if x > kink else -1
        return mp.diff(self.f, mp.mpf(x), order, direction=direction)


REFERENCES = [
    Reference("identity", 0, 0, 0, -INF),
    Reference("relu", 0, 0, None, 0.0),
    Reference("leaky_relu", 1, 1, None, -INF),
    Reference("leaky_relu", 1, 0, None, -INF, INF, {"negative_slope": 0.25}),
    Reference("prelu", 1, 0, None, INF, INF, {"alpha": -0.5}),
    Reference("relu6", 0, 0, None, 0.0, 6.0),
    Reference("relu_squared", 1, 1, None, 0.0),
    Reference("threshold", 0, 0, None, -2.0, INF, {"threshold": 1.0, "value": -2.0}),
    Reference("step", 0, 0, None, 0.0, 1.0),
    Reference("hard_sigmoid", 1, 1, None, 0.0, 1.0),
    Reference("hard_tanh", 0, 0, None, -1.0, 1.0),
    Reference("hard_swish", 2, 1, None, 0.0),
    Reference("softshrink", 1, 0, None, -INF),
    Reference("softshrink", 1, 0, None, -INF, INF, {"lambd": 2.0}),
    Reference("hardshrink", 0, 0, None, -INF),
    Reference("sparse_plus", 1, 1, None, 0.0),
    Reference("sparse_sigmoid", 1, 0, None, 0.0, 1.0),
    Reference("elu", 2, 2, None, -1.0),
    Reference("elu", 2, 2, None, -2.0, INF, {"alpha": 2.0}),
    Reference("selu", 2, 2, None, -1.7580993408473766),
    Reference("celu", 2, 2, None, -1.0),
    Reference("celu", 2, 2, None, -3.0, INF, {"alpha": 3.0}),
    Reference("exponential", 2, 2, 2, 0.0),
    Reference("gaussian", 2, 2, 4, 0.0, 0.0),
    Reference("sine", 2, 2, 2, NAN, NAN),
    Reference("sigmoid", 2, 2, 4, 0.0, 1.0),
    Reference("log_sigmoid", 2, 2, 4, -INF, 0.0),
    Reference("tanh", 2, 2, 4, -1.0, 1.0),
    Reference("tanhshrink", 2, 2, 4, -INF),
    Reference("softsign", 2, 2, None, NAN, NAN),
    Reference("softplus", 2, 2, 4, 0.0),
    Reference("squareplus", 2, 2, 4, 0.0),
    Reference("squareplus", 2, 2, 4, 0.0, INF, {"b": 0.5}),
    Reference("gelu", 2, 2, 4),
    Reference("gelu", 2, 2, 4, NAN, INF, {"approximate": "tanh"}),
    Reference("silu", 2, 2, 4),
    Reference("swish", 2, 2, 4),
    Reference("swish", 2, 2, 4, NAN, INF, {"beta": 2.5}),
    Reference("mish", 2, 2, 4),
]


XLA_TANH = {"tanh": 4, "tanhshrink": 4}
"""By how much more TensorFlow's and XLA's tanh is off: 7 ULP, and each derivative doubles it."""


def allowance(reference: Reference, library: str) -> float:
    """The factor on the bounds of `Reference` for a library."""
    return XLA_TANH.get(reference.name, 1) if library in ("jax", "tensorflow") else 1


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
