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
    """k for values, first and second derivatives, and why it is not 1; and for the derivatives of the orders 1 to 4 by Taylor mode."""

    value: float
    derivative: float
    second: float
    reason: str
    jet: float = 12


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
    "mish": Tolerance(2, 2.5, 3.5, "tanh of softplus: the terms of its fourth derivative cancel", jet=25),
    "hard_swish": Tolerance(2, 1, 1, "three roundings, the argument up to 3"),
    "sparse_plus": ROUNDED,
    "sparse_sigmoid": SHIFTED,
    "exponential": ELEMENTARY,
    "sine": ELEMENTARY,
    "softmax": Tolerance(2, 6, 6, "the gradient is a difference of products"),
    "log_softmax": Tolerance(2, 6, 6, "the gradient is a difference of products"),
    "softmin": Tolerance(2, 6, 6, "the gradient is a difference of products"),
    "glu": Tolerance(2, 16, 16, "a s (1 - s) of a framework's own sigmoid cancels, times a up to 40"),
    "random.uniform(minval, maxval)": Tolerance(1, 1, 1, "a multiple of the spacing, scaled and shifted"),
    "random.normal": Tolerance(2, 1, 1, "a root of a logarithm times a cosine"),
    "random.exponential": ROUNDED,
    "random.laplace": ROUNDED,
    "random.gumbel": ELEMENTARY,
    "random.gamma": Tolerance(2, 1, 1, "a cube, and for small shapes an exponential of a quotient"),
    "random.beta": ELEMENTARY,
    "random.dirichlet": ELEMENTARY,
    "random.student_t": Tolerance(4, 1, 1, "a root, the exponential in it, and a sine"),
    "random.multivariate_normal": Tolerance(3, 1, 1, "a sum of products with normal numbers"),
    "random.truncated_normal(-1, 2)": Tolerance(4, 1, 1, "a quotient of polynomials of degree 7"),
    "random.truncated_normal(-9, -8)": Tolerance(4, 1, 1, "a quotient of polynomials of degree 7"),
    "random.truncated_normal(0.5, inf)": Tolerance(4, 1, 1, "a quotient of polynomials of degree 7"),
    "gaussian_nll": Tolerance(
        4,
        6,
        6,
        "a square of a product with two exponentials, a rounding or two each; the slopes have up to four",
    ),
    "mixture_nll": Tolerance(4, 6, 6, "as of gaussian_nll, each times a softmax"),
    "grad of fori_loop": Tolerance(
        4, 16, 16, "three derivatives of tanh, one in another, which TensorFlow computes from outputs near 1"
    ),
    "blocks.one_hot": EXACT,
    "blocks.select": EXACT,
    "blocks.residual": Tolerance(
        3.25,
        11.5,
        11.5,
        "the slope of the normalisation in it is a difference of sums, over a small deviation",
    ),
    "blocks.fourier": Tolerance(
        6.5, 7, 7, "an angle of some turns is rounded, and its waves are off by as much"
    ),
    "blocks.periodic": Tolerance(14, 13.5, 13.5, "as of blocks.fourier, and a sum of products of the waves"),
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
    "block": Tolerance(3.25, 5, 5, "sums of products, some behind a normalisation"),
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

RELATIVE: dict[str, float] = {"activation": 6, "special": 4.5, "loss": 5, "optimizer": 4}
"""In eps of sizes that are about the result's own, by family: what `Case.relative` says. Missing: only k counts."""

_OWN_TANH = "the derivative of the library's tanh is 1 - y^2: eps beside 1, so that far out no digit is left"
_OWN_SIGMOID = "the derivative of the library's sigmoid is y (1 - y): eps beside 1, so that on the right no digit is left"
_SHRINK = "x - tanh x, and by autodiff 1 - tanh'(x), near 0: the error is relative to x, and to 1"

NOT_RELATIVE: dict[tuple[str, str, str | None], str] = {
    ("tanh", "autodiff", "torch"): _OWN_TANH,
    ("tanh", "autodiff", "tensorflow"): _OWN_TANH,
    ("sigmoid", "autodiff", "torch"): _OWN_SIGMOID,
    ("sigmoid", "autodiff", "tensorflow"): _OWN_SIGMOID,
    ("tanhshrink", "value", None): _SHRINK,
    ("tanhshrink", "autodiff", None): _SHRINK,
}
"""By function, kind and backend, None for all: where only k counts, and why. To mend them costs more than their own time."""

XLA_RELATIVE: dict[str, float] = {"tanh": 5, "tanhshrink": 10}
"""Where the backend compiles with XLA, for the reason of `XLA`."""


def relative_limit(function: str, family: str, kind: str, backend: Backend) -> float:
    """What `Row.worst_relative` may be; infinite where only k counts. `kind` is that of `limit`, or ``"autodiff"``."""
    if any((function, kind, name) in NOT_RELATIVE for name in (backend.name, None)):
        return float("inf")
    if "xla" in backend.capabilities.compilers and function in XLA_RELATIVE:
        return XLA_RELATIVE[function]
    return RELATIVE.get(family, float("inf"))


def limit(function: str, family: str, kind: str, dtype: str, backend: Backend) -> float:
    """k for a function (without options), its family, a kind of result, a dtype and a backend."""
    tolerance = TABLE.get(function) or FAMILIES[family]
    if "xla" in backend.capabilities.compilers:
        tolerance = XLA.get((function, dtype), tolerance)
    chosen: float = getattr(tolerance, kind)
    return chosen
