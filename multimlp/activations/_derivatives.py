"""The closed-form derivative of every activation in x, written out by hand.

At kinks each gives what differentiating the activation gives. All are finite for every finite x (in half
precision too), and those of the smooth activations keep their relative accuracy in the tails. Those along an
axis return the matrix of all partial derivatives.
"""

from __future__ import annotations

from multimlp.activations import _axis, _exponential, _gated, _hard, _rectifiers, _sigmoidal
from multimlp.activations._erf import erfc
from multimlp.activations._operation import cut_off, exact, like, namespace
from multimlp.activations._sigmoidal import decay
from multimlp.backend import Array, Namespace, array_namespace

_DENSITY_END = 40.0
"""exp(-40 * 40 / 2) is zero in every IEEE format."""


def _logistic_slope(e: Array) -> Array:
    """s (1 - s) for the logistic function s, from ``e = exp(-|x|)``."""
    return e / ((1 + e) * (1 + e))


def _logistic(xp: Namespace, x: Array, e: Array) -> Array:
    return xp.where(x >= 0, xp.ones_like(x), e) / (1 + e)


# ---- rectifiers --------------------------------------------------------------------------------------------


@like(_rectifiers.identity)
def identity_derivative(x: Array) -> Array:
    """1."""
    return array_namespace(x).ones_like(x)


@like(_rectifiers.relu)
def relu_derivative(x: Array) -> Array:
    """0 where x <= 0, else 1."""
    xp = array_namespace(x)
    return xp.where(x <= 0, xp.zeros_like(x), xp.ones_like(x))


@like(_rectifiers.leaky_relu)
def leaky_relu_derivative(x: Array, negative_slope: float | Array = 0.01) -> Array:
    """The slope where x <= 0, else 1."""
    xp = namespace(x, negative_slope)
    return xp.where(x <= 0, xp.zeros_like(x) + negative_slope, xp.ones_like(x))


@like(_rectifiers.prelu)
def prelu_derivative(x: Array, alpha: float | Array = 0.25) -> Array:
    """alpha where x <= 0, else 1."""
    return leaky_relu_derivative(x, alpha)


@like(_rectifiers.relu6)
def relu6_derivative(x: Array) -> Array:
    """1 where 0 < x < 6, else 0."""
    xp = array_namespace(x)
    return xp.where(xp.logical_or(x <= 0, x >= 6), xp.zeros_like(x), xp.ones_like(x))


@like(_rectifiers.relu_squared)
def relu_squared_derivative(x: Array) -> Array:
    """2 max(x, 0)."""
    xp = array_namespace(x)
    return xp.where(x <= 0, xp.zeros_like(x), 2 * x)


@like(_rectifiers.threshold)
def threshold_derivative(x: Array, threshold: float = 0.0, value: float = 0.0) -> Array:
    """0 where x <= threshold, else 1."""
    xp = array_namespace(x)
    return xp.where(x <= threshold, xp.zeros_like(x), xp.ones_like(x))


@like(_rectifiers.step)
def step_derivative(x: Array) -> Array:
    """0 (1 at NaN, which the step passes on)."""
    xp = array_namespace(x)
    return xp.astype(xp.isnan(x), x.dtype)


# ---- pieces ------------------------------------------------------------------------------------------------


@like(_hard.hard_sigmoid)
def hard_sigmoid_derivative(x: Array) -> Array:
    """1/6 where -3 < x < 3, else 0."""
    xp = array_namespace(x)
    return xp.where(xp.logical_or(x <= -3, x >= 3), xp.zeros_like(x), xp.ones_like(x) / 6)


@like(_hard.hard_tanh)
def hard_tanh_derivative(x: Array) -> Array:
    """1 where -1 < x < 1, else 0."""
    xp = array_namespace(x)
    return xp.where(xp.logical_or(x <= -1, x >= 1), xp.zeros_like(x), xp.ones_like(x))


@like(_hard.hard_swish)
def hard_swish_derivative(x: Array) -> Array:
    """0 where x <= -3, 1 where x >= 3, else x/3 + 1/2."""
    xp = array_namespace(x)
    return xp.where(x <= -3, xp.zeros_like(x), xp.where(x >= 3, xp.ones_like(x), x / 3 + 0.5))


@like(_hard.softshrink)
def softshrink_derivative(x: Array, lambd: float = 0.5) -> Array:
    """0 where |x| <= lambd, else 1."""
    xp = array_namespace(x)
    return xp.where(xp.logical_and(x >= -lambd, x <= lambd), xp.zeros_like(x), xp.ones_like(x))


@like(_hard.hardshrink)
def hardshrink_derivative(x: Array, lambd: float = 0.5) -> Array:
    """0 where |x| <= lambd, else 1."""
    return softshrink_derivative(x, lambd)


@like(_hard.sparse_plus)
def sparse_plus_derivative(x: Array) -> Array:
    """(x + 1)/2 kept between 0 and 1."""
    return _hard.sparse_sigmoid(x)


@like(_hard.sparse_sigmoid)
def sparse_sigmoid_derivative(x: Array) -> Array:
    """1/2 where -1 < x < 1, else 0."""
    xp = array_namespace(x)
    return xp.where(xp.logical_or(x <= -1, x >= 1), xp.zeros_like(x), xp.full_like(x, 0.5))


# ---- exponentials ------------------------------------------------------------------------------------------


@like(_exponential.elu)
def elu_derivative(x: Array, alpha: float | Array = 1.0) -> Array:
    """1 where x > 0, else alpha exp(x)."""
    xp = namespace(x, alpha)
    return xp.where(x > 0, xp.ones_like(x), xp.exp(xp.where(x > 0, xp.zeros_like(x), x)) * alpha)


@like(_exponential.selu)
def selu_derivative(x: Array) -> Array:
    """scale where x > 0, else scale alpha exp(x)."""
    xp = array_namespace(x)
    scale, alpha = _exponential.SELU_SCALE, _exponential.SELU_ALPHA
    left = xp.exp(xp.where(x > 0, xp.zeros_like(x), x)) * (scale * alpha)
    return xp.where(x > 0, xp.full_like(x, scale), left)


@like(_exponential.celu)
def celu_derivative(x: Array, alpha: float | Array = 1.0) -> Array:
    """1 where x > 0, else exp(x / alpha)."""
    xp = namespace(x, alpha)
    return xp.where(x > 0, xp.ones_like(x), xp.exp(xp.where(x > 0, xp.zeros_like(x), x) / alpha))


@like(_exponential.exponential)
def exponential_derivative(x: Array) -> Array:
    """exp(x)."""
    return _exponential.exponential(x)


@like(_exponential.gaussian)
def gaussian_derivative(x: Array) -> Array:
    """-2 x exp(-x^2)."""
    xp = array_namespace(x)
    bounded = cut_off(xp, x, _exponential.GAUSSIAN_END)
    return -2 * bounded * xp.exp(-bounded * bounded)


@like(_exponential.sine)
def sine_derivative(x: Array) -> Array:
    """cos(x)."""
    return array_namespace(x).cos(x)


# ---- s-shaped, and ramps -----------------------------------------------------------------------------------


@like(_sigmoidal.sigmoid)
def sigmoid_derivative(x: Array) -> Array:
    """e / (1 + e)^2 with e = exp(-|x|)."""
    return _logistic_slope(decay(array_namespace(x), x))


@like(_sigmoidal.log_sigmoid)
def log_sigmoid_derivative(x: Array) -> Array:
    """1 / (1 + exp(x))."""
    return _sigmoidal.sigmoid(-x)


@like(_sigmoidal.tanh)
def tanh_derivative(x: Array) -> Array:
    """4 e / (1 + e)^2 with e = exp(-2 |x|)."""
    e = decay(array_namespace(x), x)
    return 4 * _logistic_slope(e * e)


@like(_sigmoidal.tanhshrink)
def tanhshrink_derivative(x: Array) -> Array:
    """tanh(x)^2."""
    t = array_namespace(x).tanh(x)
    return t * t


@like(_sigmoidal.softsign)
def softsign_derivative(x: Array) -> Array:
    """1 / (1 + |x|)^2."""
    root = 1 / (1 + x * array_namespace(x).sign(x))
    return root * root


@like(_sigmoidal.softplus)
def softplus_derivative(x: Array) -> Array:
    """1 / (1 + exp(-x))."""
    return _sigmoidal.sigmoid(x)


@like(_sigmoidal.squareplus)
def squareplus_derivative(x: Array, b: float | Array = 4.0) -> Array:
    """f(x) / sqrt(x^2 + b), which is (1 + x / sqrt(x^2 + b)) / 2 without the cancellation."""
    xp = namespace(x, b)
    return _sigmoidal.squareplus(x, b) / _sigmoidal.radius(xp, x, b)


# ---- gated -------------------------------------------------------------------------------------------------


@like(_gated.gelu)
def gelu_derivative(x: Array, approximate: str = "none") -> Array:
    """Phi(x) + x phi(x); for the tanh form s + 2 x s (1 - s) u'."""
    xp = array_namespace(x)
    if approximate == "tanh":
        z = 2 * _gated.gelu_argument(xp, x)
        e = decay(xp, z)
        bounded = cut_off(xp, x, _gated.GELU_END)
        slope = (1 + bounded * bounded * exact(xp, 3 * 44715, 1000000)) * (2 * (2 / xp.pi) ** 0.5)
        return _logistic(xp, z, e) + bounded * slope * _logistic_slope(e)
    bounded = cut_off(xp, x, _DENSITY_END)
    density = xp.exp(-bounded * bounded / 2) * (2 * xp.pi) ** -0.5
    return erfc(x * -(exact(xp, 1, 2) ** 0.5)) / 2 + bounded * density


@like(_gated.silu)
def silu_derivative(x: Array) -> Array:
    """s + x s (1 - s) with s = 1 / (1 + exp(-x))."""
    xp = array_namespace(x)
    e = decay(xp, x)
    return _logistic(xp, x, e) + x * _logistic_slope(e)


@like(_gated.swish)
def swish_derivative(x: Array, beta: float | Array = 1.0) -> Array:
    """s + beta x s (1 - s) with s = 1 / (1 + exp(-beta x))."""
    xp = namespace(x, beta)
    z = x * beta
    e = decay(xp, z)
    return _logistic(xp, z, e) + x * _logistic_slope(e) * beta


@like(_gated.mish)
def mish_derivative(x: Array) -> Array:
    """t + x (1 - t^2) / (1 + exp(-x)) with t = tanh(log(1 + exp(x)))."""
    xp = array_namespace(x)
    e = decay(xp, x)
    numerator, denominator = _gated.mish_gate(xp, x, e)
    sech_squared_times_logistic = 4 * xp.where(x >= 0, e * e, e) * (1 + e) / (denominator * denominator)
    return numerator / denominator + x * sech_squared_times_logistic


# ---- along an axis: shape (..., outputs, inputs), the axis moved to the end --------------------------------


def _eye(xp: Namespace, x: Array) -> Array:
    """An identity matrix for each row, where x lives."""
    rows = xp.ones_like(x)
    return xp.tril(xp.triu(rows[..., :, None] * rows[..., None, :]))


def _last(x: Array, axis: int, name: str) -> tuple[Namespace, Array]:
    xp = array_namespace(x)
    _axis.check_axis(tuple(x.shape), axis, name)
    return xp, xp.moveaxis(x, axis, -1)


@like(_axis.softmax)
def softmax_derivative(x: Array, axis: int = -1) -> Array:
    """f_i (delta_ij - f_j), shape (..., n, n) with the axis moved to the end."""
    xp, x = _last(x, axis, "softmax")
    f = _axis.softmax(x)
    return f[..., :, None] * (_eye(xp, x) - f[..., None, :])


@like(_axis.log_softmax)
def log_softmax_derivative(x: Array, axis: int = -1) -> Array:
    """delta_ij - softmax(x)_j, shape (..., n, n) with the axis moved to the end."""
    xp, x = _last(x, axis, "log_softmax")
    return _eye(xp, x) - _axis.softmax(x)[..., None, :]


@like(_axis.softmin)
def softmin_derivative(x: Array, axis: int = -1) -> Array:
    """-f_i (delta_ij - f_j), shape (..., n, n) with the axis moved to the end."""
    return -softmax_derivative(-x, axis)


@like(_axis.glu)
def glu_derivative(x: Array, axis: int = -1) -> Array:
    """s in the first half, a s (1 - s) in the second; shape (..., n / 2, n), the axis moved to the end."""
    xp, x = _last(x, axis, "glu")
    a, b = _axis.halves(x, -1)
    eye = _eye(xp, a)
    by_a = _sigmoidal.sigmoid(b)[..., :, None] * eye
    by_b = (a * sigmoid_derivative(b))[..., :, None] * eye
    return xp.concat([by_a, by_b], axis=-1)
