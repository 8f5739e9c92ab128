"""S-shaped activations, and the smooth ramps that they are the derivatives of.

Everything is computed from ``exp(-|x|)``, which is never above 1: nothing overflows, and the tails keep their
relative accuracy.
"""

from __future__ import annotations

from multimlp.activations._description import activation, derivative_from_output_of, derivative_of
from multimlp.activations._operation import differentiated_as, exact, namespace, positive
from multimlp.backend import Array, Namespace, array_namespace

__all__ = [
    "log_sigmoid",
    "sigmoid",
    "softplus",
    "softsign",
    "squareplus",
    "tanh",
    "tanhshrink",
]


def decay(xp: Namespace, x: Array) -> Array:
    """exp(-|x|), with the derivative at 0 that fits the branches ``x >= 0`` and ``x < 0`` built on it."""
    return xp.exp(xp.where(x >= 0, -x, x))


def logistic(xp: Namespace, x: Array, e: Array) -> Array:
    """The logistic function of x, from ``e = exp(-|x|)``."""
    return xp.where(x >= 0, xp.ones_like(x), e) / (1 + e)


def logistic_slope(e: Array) -> Array:
    """s (1 - s) for the logistic function s, from ``e = exp(-|x|)``."""
    return e / ((1 + e) * (1 + e))


@activation(aliases=("logistic",))
def sigmoid(x: Array) -> Array:
    r"""The logistic function, :math:`f(x) = 1 / (1 + e^{-x})`.

    Derivative: :math:`f(x) (1 - f(x))`, from the exponential, so that both tails keep their digits; the autodiff of torch and
    TensorFlow, and training in place, compute it from the output: there its error is relative to 1 on the right. No kinks;
    0 at -inf, 1 at +inf, NaN at NaN.

    Parameters
    ----------
    x : array of a real floating-point dtype

    Returns
    -------
    array, of the shape, dtype and device of ``x``

    References
    ----------
    D. R. Cox (1958), The regression analysis of binary sequences, J. Royal Stat. Soc. B 20, 215-242.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import activations
    >>> activations.sigmoid(np.asarray([-1.0, 0.0, 1000.0])).round(4).tolist()
    [0.2689, 0.5, 1.0]
    """
    xp = array_namespace(x)
    e = decay(xp, x)
    return xp.where(x >= 0, 1 / (1 + e), e / (1 + e))


@derivative_of(sigmoid)
def sigmoid_derivative(x: Array) -> Array:
    """e / (1 + e)^2 with e = exp(-|x|)."""
    return logistic_slope(decay(array_namespace(x), x))


@derivative_from_output_of(sigmoid)
def sigmoid_from_output(y: Array) -> Array:
    """y (1 - y)."""
    return y * (1 - y)


@activation()
def log_sigmoid(x: Array) -> Array:
    r"""Logarithm of the logistic function, :math:`f(x) = -\log(1 + e^{-x})`.

    Derivative: :math:`1 / (1 + e^x)`. No kinks; -inf at -inf, 0 at +inf, NaN at NaN.

    Parameters
    ----------
    x : array of a real floating-point dtype

    Returns
    -------
    array, of the shape, dtype and device of ``x``

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import activations
    >>> activations.log_sigmoid(np.asarray([-1000.0, 0.0])).round(4).tolist()
    [-1000.0, -0.6931]
    """
    xp = array_namespace(x)
    return xp.where(x >= 0, xp.zeros_like(x), x) - xp.log1p(decay(xp, x))


@derivative_of(log_sigmoid)
def log_sigmoid_derivative(x: Array) -> Array:
    """1 / (1 + exp(x))."""
    return sigmoid(-x)


@derivative_from_output_of(log_sigmoid)
def log_sigmoid_from_output(y: Array) -> Array:
    """1 - exp(y)."""
    return -array_namespace(y).expm1(y)


@activation(expands=True)
def tanh(x: Array) -> Array:
    r"""Hyperbolic tangent, :math:`f(x) = (e^x - e^{-x}) / (e^x + e^{-x})`.

    Derivative: :math:`1 - f(x)^2`, computed as :math:`4 e / (1 + e)^2` with :math:`e = \exp(-2 |x|)`, so that the tails keep their
    digits; the autodiff of torch and TensorFlow, and training in place, compute it from the output: there its error is relative to 1.
    No kinks; -1 and 1 at the infinities, NaN at NaN.

    Parameters
    ----------
    x : array of a real floating-point dtype

    Returns
    -------
    array, of the shape, dtype and device of ``x``

    References
    ----------
    Y. LeCun, L. Bottou, G. B. Orr, K.-R. Müller (1998), Efficient backprop.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import activations
    >>> activations.tanh(np.asarray([0.0, 1.0])).round(4).tolist()
    [0.0, 0.7616]
    """
    return array_namespace(x).tanh(x)


@derivative_of(tanh)
def tanh_derivative(x: Array) -> Array:
    """4 e / (1 + e)^2 with e = exp(-2 |x|)."""
    e = decay(array_namespace(x), x)
    return 4 * logistic_slope(e * e)


@derivative_from_output_of(tanh)
def tanh_from_output(y: Array) -> Array:
    """1 - y^2."""
    return 1 - y * y


@activation()
def tanhshrink(x: Array) -> Array:
    r"""What tanh leaves over, :math:`f(x) = x - \tanh x`.

    Derivative: :math:`\tanh^2 x`. No kinks; infinite at the infinities, NaN at NaN. Near 0, where f is about
    :math:`x^3/3`, the error is relative to x, not to f, and that of the derivative by autodiff to 1.

    Parameters
    ----------
    x : array of a real floating-point dtype

    Returns
    -------
    array, of the shape, dtype and device of ``x``

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import activations
    >>> activations.tanhshrink(np.asarray([0.0, 1.0])).round(4).tolist()
    [0.0, 0.2384]
    """
    return x - array_namespace(x).tanh(x)


@derivative_of(tanhshrink)
def tanhshrink_derivative(x: Array) -> Array:
    """tanh(x)^2."""
    t = array_namespace(x).tanh(x)
    return t * t


@activation()
def softsign(x: Array) -> Array:
    r"""Softsign, :math:`f(x) = x / (1 + |x|)`.

    Derivative: :math:`1 / (1 + |x|)^2`, continuous; the second derivative jumps at 0 (0 is taken there). NaN
    at infinities, as in every library, where the derivative is 0, and at NaN.

    Parameters
    ----------
    x : array of a real floating-point dtype

    Returns
    -------
    array, of the shape, dtype and device of ``x``

    References
    ----------
    J. Bergstra et al. (2009), Quadratic polynomials learn better image features, Université de Montréal,
    report 1337.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import activations
    >>> activations.softsign(np.asarray([-3.0, 0.0, 1.0])).tolist()
    [-0.75, 0.0, 0.5]
    """
    xp = array_namespace(x)
    size = x * xp.sign(
        x
    )  # abs has another derivative at 0 in JAX, which the second derivative here would show
    return differentiated_as(x / (1 + size), lambda: _softsign_without_cancellation(xp, x, size))


def _softsign_without_cancellation(xp: Namespace, x: Array, size: Array) -> Array:
    """The derivative of the quotient is 1 / (1 + |x|) - |x| / (1 + |x|)^2, so that far out no digit of it is left, and NaN at
    infinities."""
    is_far = size > 1
    near = xp.where(is_far, xp.zeros_like(x), x)
    return xp.where(is_far, -xp.sign(x) / (1 + size), near / (1 + near * xp.sign(near)))


@derivative_of(softsign)
def softsign_derivative(x: Array) -> Array:
    """1 / (1 + |x|)^2."""
    root = 1 / (1 + x * array_namespace(x).sign(x))
    return root * root


@derivative_from_output_of(softsign)
def softsign_from_output(y: Array) -> Array:
    """(1 - |y|)^2."""
    root = 1 - y * array_namespace(y).sign(y)
    return root * root


@activation()
def softplus(x: Array) -> Array:
    r"""Softplus, :math:`f(x) = \log(1 + e^x)`.

    Derivative: :math:`1 / (1 + e^{-x})`. No kinks, and no point beyond which another formula is used, so that
    the second derivative is right everywhere. 0 at -inf, +inf at +inf, NaN at NaN.

    Parameters
    ----------
    x : array of a real floating-point dtype

    Returns
    -------
    array, of the shape, dtype and device of ``x``

    References
    ----------
    C. Dugas et al. (2001), Incorporating second-order functional knowledge for better option pricing,
    NeurIPS.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import activations
    >>> activations.softplus(np.asarray([-1000.0, 0.0, 1000.0])).round(4).tolist()
    [0.0, 0.6931, 1000.0]
    """
    xp = array_namespace(x)
    return xp.where(x >= 0, x, xp.zeros_like(x)) + xp.log1p(decay(xp, x))


@derivative_of(softplus)
def softplus_derivative(x: Array) -> Array:
    """1 / (1 + exp(-x))."""
    return sigmoid(x)


@derivative_from_output_of(softplus)
def softplus_from_output(y: Array) -> Array:
    """1 - exp(-y)."""
    return -array_namespace(y).expm1(-y)


@activation(2, b=positive)
def squareplus(x: Array, b: float | Array = 4.0) -> Array:
    r"""Squareplus, :math:`f(x) = (x + \sqrt{x^2 + b}) / 2`.

    Derivative: :math:`(1 + x / \sqrt{x^2 + b}) / 2`. No kinks; 0 at -inf, +inf at +inf, NaN at NaN. On the
    left it is computed as :math:`\frac{b}{2} / (\sqrt{x^2 + b} - x)`, which does not cancel.

    Parameters
    ----------
    x : array of a real floating-point dtype
    b : float above 0, or array of the dtype of ``x`` that broadcasts with it
        How round the corner is.

    Returns
    -------
    array, of the shape, dtype and device of ``x``

    References
    ----------
    J. T. Barron (2021), Squareplus: a softplus-like algebraic rectifier, arXiv:2112.11687.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import activations
    >>> activations.squareplus(np.asarray([0.0, 1.5])).tolist()
    [1.0, 2.0]
    """
    xp = namespace(x, b)
    infinite = xp.isinf(x)  # there the curvature, zero, would meet an infinite factor in the derivative
    finite = xp.where(infinite, xp.zeros_like(x), x)
    far_side = xp.where(finite >= 0, finite, -finite) / 2 + radius(xp, finite, b) / 2
    limit = xp.where(x > 0, x, xp.zeros_like(x))
    return xp.where(infinite, limit, xp.where(finite >= 0, far_side, b / 4 / far_side))


@derivative_of(squareplus)
def squareplus_derivative(x: Array, b: float | Array = 4.0) -> Array:
    """f(x) / sqrt(x^2 + b), which is (1 + x / sqrt(x^2 + b)) / 2 without the cancellation."""
    xp = namespace(x, b)
    infinite = xp.isinf(x)
    finite = xp.where(infinite, xp.zeros_like(x), x)
    slope = squareplus.apply(finite, b) / radius(xp, finite, b)
    return xp.where(infinite, xp.astype(x > 0, x.dtype), slope)


def radius(xp: Namespace, x: Array, b: float | Array) -> Array:
    """sqrt(x^2 + b) without overflow. (JAX's hypot has a wrong second derivative where x^2 = b.)"""
    root = xp.zeros_like(x) + (exact(xp, 1, 1) * b) ** 0.5
    is_far = xp.where(x >= 0, x, -x) > root
    larger, smaller = xp.where(is_far, x, root), xp.where(is_far, root, x)
    ratio = smaller / larger
    return xp.where(larger >= 0, larger, -larger) * xp.sqrt(1 + ratio * ratio)
