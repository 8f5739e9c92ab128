"""What each activation is, in arbitrary precision, and how far the implementations may be from it.

From the definitions, not from the code: values by formula, derivatives by differences with enough digits.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import mpmath as mp
import numpy as np

mp.mp.dps = DIGITS = 50
INF = float("inf")
NAN = float("nan")


@dataclass(frozen=True, eq=False)
class Reference:
    """One elementwise activation with one set of options."""

    name: str
    f: Callable[[Any], Any]
    value: float
    """|error| <= value * eps * max(1, |reference|), for values."""
    slope: float
    """The same for first derivatives."""
    curvature: float | None = None
    """The same for second derivatives; None where they jump."""
    options: Mapping[str, Any] = field(default_factory=dict)
    kinks: Mapping[float, float] = field(default_factory=dict)
    """Points where the first derivative jumps, and what is stated for them."""
    at_minus_inf: float = NAN
    at_plus_inf: float = INF

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


def _clip(x: Any, low: float, high: float) -> Any:
    return min(max(x, mp.mpf(low)), mp.mpf(high))


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + mp.exp(-x))


def _gelu_tanh(x: Any) -> Any:
    u = mp.sqrt(2 / mp.pi) * (x + mp.mpf("0.044715") * x**3)
    return x * _sigmoid(2 * u)


def _selu(x: Any) -> Any:
    scale, alpha = mp.mpf("1.0507009873554804934193349852946"), mp.mpf("1.6732632423543772848170429916717")
    return scale * (x if x > 0 else alpha * mp.expm1(x))


def _softplus(x: Any) -> Any:
    return mp.log1p(mp.exp(x)) if x < 0 else x + mp.log1p(mp.exp(-x))


REFERENCES = [
    Reference("identity", lambda x: x, 0, 0, 0, at_minus_inf=-INF),
    Reference("relu", lambda x: max(x, mp.mpf(0)), 0, 0, None, {}, {0.0: 0}, 0.0),
    Reference("leaky_relu", lambda x: x if x > 0 else x * mp.mpf(0.01), 1, 1, None, {}, {0.0: 0.01}, -INF),
    Reference(
        "leaky_relu", lambda x: x if x > 0 else x / 4, 1, 0, None, {"negative_slope": 0.25}, {0.0: 0.25}, -INF
    ),
    Reference("prelu", lambda x: x if x > 0 else -x / 2, 1, 0, None, {"alpha": -0.5}, {0.0: -0.5}, INF),
    Reference("relu6", lambda x: _clip(x, 0, 6), 0, 0, None, {}, {0.0: 0, 6.0: 0}, 0.0, 6.0),
    Reference("relu_squared", lambda x: max(x, mp.mpf(0)) ** 2, 1, 1, None, {}, {}, 0.0),
    Reference(
        "threshold",
        lambda x: x if x > 1 else mp.mpf(-2),
        0,
        0,
        None,
        {"threshold": 1.0, "value": -2.0},
        {1.0: 0},
        -2.0,
    ),
    Reference("step", lambda x: mp.mpf(x > 0), 0, 0, None, {}, {0.0: 0}, 0.0, 1.0),
    Reference(
        "hard_sigmoid", lambda x: _clip(x / 6 + 0.5, 0, 1), 1, 1, None, {}, {-3.0: 0, 3.0: 0}, 0.0, 1.0
    ),
    Reference("hard_tanh", lambda x: _clip(x, -1, 1), 0, 0, None, {}, {-1.0: 0, 1.0: 0}, -1.0, 1.0),
    Reference("hard_swish", lambda x: x * _clip(x / 6 + 0.5, 0, 1), 2, 1, None, {}, {-3.0: 0, 3.0: 1}, 0.0),
    Reference("softshrink", lambda x: x - _clip(x, -0.5, 0.5), 1, 0, None, {}, {-0.5: 0, 0.5: 0}, -INF),
    Reference(
        "softshrink", lambda x: x - _clip(x, -2, 2), 1, 0, None, {"lambd": 2.0}, {-2.0: 0, 2.0: 0}, -INF
    ),
    Reference(
        "hardshrink", lambda x: x if abs(x) > 0.5 else mp.mpf(0), 0, 0, None, {}, {-0.5: 0, 0.5: 0}, -INF
    ),
    Reference(
        "sparse_plus",
        lambda x: (_clip(x, -1, 1) + 1) ** 2 / 4 + max(x - 1, mp.mpf(0)),
        1,
        1,
        None,
        {},
        {},
        0.0,
    ),
    Reference(
        "sparse_sigmoid", lambda x: _clip((x + 1) / 2, 0, 1), 1, 0, None, {}, {-1.0: 0, 1.0: 0}, 0.0, 1.0
    ),
    Reference("elu", lambda x: x if x > 0 else mp.expm1(x), 2, 2, None, {}, {}, -1.0),
    Reference("elu", lambda x: x if x > 0 else 2 * mp.expm1(x), 2, 2, None, {"alpha": 2.0}, {0.0: 2}, -2.0),
    Reference("selu", _selu, 2, 2, None, {}, {0.0: 1.7580993408473766}, -1.7580993408473766),
    Reference("celu", lambda x: x if x > 0 else mp.expm1(x), 2, 2, None, {}, {}, -1.0),
    Reference("celu", lambda x: x if x > 0 else 3 * mp.expm1(x / 3), 2, 2, None, {"alpha": 3.0}, {}, -3.0),
    Reference("exponential", mp.exp, 2, 2, 2, at_minus_inf=0.0),
    Reference("gaussian", lambda x: mp.exp(-x * x), 2, 2, 4, at_minus_inf=0.0, at_plus_inf=0.0),
    Reference("sine", mp.sin, 2, 2, 2, at_plus_inf=NAN),
    Reference("sigmoid", _sigmoid, 2, 2, 4, at_minus_inf=0.0, at_plus_inf=1.0),
    Reference("log_sigmoid", lambda x: -_softplus(-x), 2, 2, 4, at_minus_inf=-INF, at_plus_inf=0.0),
    Reference("tanh", mp.tanh, 2, 2, 4, at_minus_inf=-1.0, at_plus_inf=1.0),
    Reference("tanhshrink", lambda x: x - mp.tanh(x), 2, 2, 4, at_minus_inf=-INF),
    Reference("softsign", lambda x: x / (1 + abs(x)), 2, 2, None, at_plus_inf=NAN),
    Reference("softplus", _softplus, 2, 2, 4, at_minus_inf=0.0),
    Reference("squareplus", lambda x: (x + mp.sqrt(x * x + 4)) / 2, 2, 2, 4, at_minus_inf=0.0),
    Reference("squareplus", lambda x: (x + mp.sqrt(x * x + 0.5)) / 2, 2, 2, 4, {"b": 0.5}, {}, 0.0),
    Reference("gelu", lambda x: x / 2 * mp.erfc(-x / mp.sqrt(2)), 2, 2, 4),
    Reference("gelu", _gelu_tanh, 2, 2, 4, {"approximate": "tanh"}),
    Reference("silu", lambda x: x * _sigmoid(x), 2, 2, 4),
    Reference("swish", lambda x: x * _sigmoid(x), 2, 2, 4),
    Reference("swish", lambda x: x * _sigmoid(2.5 * x), 2, 2, 4, {"beta": 2.5}),
    Reference("mish", lambda x: x * mp.tanh(_softplus(x)), 2, 2, 4),
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
