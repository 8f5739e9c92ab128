"""How far from the truth a result may be: one table, measured, each row with its reason.

The rule: |error| <= k eps max(1, |reference|), where eps is the dtype's distance from 1 to the next number.
A unit of k is thus at most two units in the last place. The figures are those of the worst backend, rounded
up by a quarter or so, not wishes; a library that improves lets them shrink.
"""

from __future__ import annotations

from dataclasses import dataclass

from multimlp.backend import Backend


@dataclass(frozen=True)
class Tolerance:
    """k for values, first and second derivatives, and why it is not 1."""

    value: float
    derivative: float
    second: float
    reason: str


EXACT = Tolerance(0, 0, 0, "made of comparisons and copies")
ROUNDED = Tolerance(1, 1, 1, "at most two roundings")
SHIFTED = Tolerance(1, 0, 0, "at most two roundings; the slopes are numbers that every format has")
ELEMENTARY = Tolerance(2, 2, 2, "one elementary function of about an ulp, and so are its derivatives")

TABLE: dict[str, Tolerance] = {
    "identity": EXACT,
    "relu": EXACT,
    "relu6": EXACT,
    "step": EXACT,
    "hard_tanh": EXACT,
    "hardshrink": EXACT,
    "threshold": EXACT,
    "leaky_relu": ROUNDED,
    "prelu": SHIFTED,
    "relu_squared": ROUNDED,
    "softshrink": SHIFTED,
    "hard_sigmoid": ROUNDED,
    "hard_swish": Tolerance(2, 1, 1, "three roundings, the argument up to 3"),
    "sparse_plus": ROUNDED,
    "sparse_sigmoid": SHIFTED,
    "exponential": ELEMENTARY,
    "sine": ELEMENTARY,
    "softmax": Tolerance(2, 6, 6, "the gradient is a difference of products"),
    "log_softmax": Tolerance(2, 6, 6, "the gradient is a difference of products"),
    "softmin": Tolerance(2, 6, 6, "the gradient is a difference of products"),
    "glu": Tolerance(2, 16, 16, "a s (1 - s) of a framework's own sigmoid cancels, times a up to 40"),
    "dropout": Tolerance(1, 1, 1, "the mask is exact; x times 1 / (1 - rate) is rounded twice"),
}
"""By function, all backends. Missing: the family's row of `FAMILIES`."""

FAMILIES: dict[str, Tolerance] = {
    "activation": Tolerance(
        2, 2.5, 3.5, "a few elementary functions of about an ulp each; every derivative adds some"
    ),
    "special": Tolerance(2.5, 2.5, 16, "rational approximations of about an ulp"),
    "loss": Tolerance(3, 3, 3, "sums over the outputs, against the size of their terms"),
    "optimizer": Tolerance(6, 6, 6, "a rounding or two in each of twelve updates"),
    "model": Tolerance(4, 8, 8, "sums of products, layer by layer"),
    "transform": Tolerance(4, 4, 6, "two layers, differentiated once or twice"),
    "random": EXACT,
    "initializer": EXACT,
}

_XLA_TANH = (
    "XLA's tanh is off by 7 ulp near saturation in float64, by 4 in float32; each derivative doubles it"
)

XLA: dict[tuple[str, str], Tolerance] = {
    ("tanh", "float64"): Tolerance(5, 10, 20, _XLA_TANH),
    ("tanh", "float32"): Tolerance(3, 6, 12, _XLA_TANH),
    ("tanhshrink", "float64"): Tolerance(5, 10, 20, _XLA_TANH),
    ("tanhshrink", "float32"): Tolerance(3, 6, 12, _XLA_TANH),
}
"""By function and dtype, where the backend compiles with XLA: it has elementary functions of its own."""

RELATIVE: dict[str, float] = {"elu": 4, "selu": 4, "celu": 5}
"""Values that must be right in units in the last place too: tiny ones, which exp(x) - 1 would lose. XLA's expm1 is up to
four units off in float32, to which celu adds a division and a product."""


def ulp_limit(function: str, kind: str) -> float:
    """Units in the last place tolerated of a result; infinite where only k counts."""
    return RELATIVE.get(function, float("inf")) if kind == "value" else float("inf")


def limit(function: str, family: str, kind: str, dtype: str, backend: Backend) -> float:
    """k for a function (without options), its family, a kind of result, a dtype and a backend."""
    tolerance = TABLE.get(function) or FAMILIES[family]
    if "xla" in backend.capabilities.compilers:
        tolerance = XLA.get((function, dtype), tolerance)
    chosen: float = getattr(tolerance, kind)
    return chosen
