"""Activations that are an exponential on one side, or altogether.

The argument of ``expm1`` is zero where the other branch is taken, so that neither value nor derivative of it
can overflow.
"""

from __future__ import annotations

from multimlp.activations._description import activation, derivative_from_output_of, derivative_of
from multimlp.activations._operation import cut_off, namespace, nonzero, number, positive
from multimlp.backend import Array, Namespace, array_namespace

__all__ = [
    "celu",
    "elu",
    "exponential",
    "gaussian",
    "selu",
    "sine",
]

SELU_SCALE = 1.0507009873554804934193349852946
SELU_ALPHA = 1.6732632423543772848170429916717
"""Both as the paper prints them; every library uses the nearest double."""

GAUSSIAN_END = 30.0
"""exp(-30 * 30) is zero in every IEEE format, and 30 * 30 overflows in none."""


def _left(xp: Namespace, x: Array) -> Array:
    """x where the exponential is taken, else 0."""
    return xp.where(x <= 0, x, xp.zeros_like(x))


@activation(2, alpha=number, kinks=lambda alpha: () if alpha == 1 else (0.0,), learnable="alpha")
def elu(x: Array, alpha: float | Array = 1.0) -> Array:
    r"""Exponential linear unit, :math:`f(x) = x` for :math:`x > 0`, else :math:`\alpha (e^x - 1)`.

    Derivative: 1 for :math:`x > 0`, else :math:`\alpha e^x`. At 0 it is the left-hand one, :math:`\alpha`: a
    kink unless :math:`\alpha = 1`; the second derivative there is that of either side. :math:`-\alpha` at -inf;
    NaN stays NaN with derivative 1. Accurate for tiny negative x (``expm1``); the derivative keeps its digits in
    the tail, but in training in place, which computes it from the output.

    Parameters
    ----------
    x : array of a real floating-point dtype
    alpha : float, or array of the dtype of ``x`` that broadcasts with it

    Returns
    -------
    array, of the shape, dtype and device of ``x``

    References
    ----------
    D.-A. Clevert, T. Unterthiner, S. Hochreiter (2016), Fast and accurate deep network learning by
    exponential linear units, ICLR.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import activations
    >>> activations.elu(np.asarray([-1.0, 0.0, 2.0])).round(4).tolist()
    [-0.6321, 0.0, 2.0]
    """
    xp = namespace(x, alpha)
    return xp.where(x <= 0, xp.expm1(_left(xp, x)) * alpha, x)


@derivative_of(elu)
def elu_derivative(x: Array, alpha: float | Array = 1.0) -> Array:
    """alpha exp(x) where x <= 0, else 1."""
    xp = namespace(x, alpha)
    return xp.where(x <= 0, xp.exp(_left(xp, x)) * alpha, xp.ones_like(x))


@derivative_from_output_of(elu, alpha=positive)
def elu_from_output(y: Array, alpha: float | Array = 1.0) -> Array:
    """y + alpha where y <= 0, else 1; for alpha above zero."""
    xp = namespace(y, alpha)
    return xp.where(y <= 0, y + alpha, xp.ones_like(y))


@activation(kinks=(0.0,))
def selu(x: Array) -> Array:
    r"""Scaled ELU, :math:`f(x) = \lambda x` for :math:`x > 0`, else :math:`\lambda \alpha (e^x - 1)`.

    :math:`\lambda = 1.0507009873554805`, :math:`\alpha = 1.6732632423543772`. Derivative: :math:`\lambda` for
    :math:`x > 0`, else :math:`\lambda \alpha e^x`. At the kink 0 it is the left-hand one,
    :math:`\lambda \alpha = 1.7581` (TensorFlow's own gives :math:`\lambda`); the second derivative there is that of either side.
    :math:`-\lambda\alpha` at -inf; NaN stays NaN with derivative :math:`\lambda`.

    Parameters
    ----------
    x : array of a real floating-point dtype

    Returns
    -------
    array, of the shape, dtype and device of ``x``

    References
    ----------
    G. Klambauer, T. Unterthiner, A. Mayr, S. Hochreiter (2017), Self-normalizing neural networks, NeurIPS.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import activations
    >>> activations.selu(np.asarray([-1.0, 0.0, 1.0])).round(4).tolist()
    [-1.1113, 0.0, 1.0507]
    """
    xp = array_namespace(x)
    negative = xp.expm1(_left(xp, x))
    return xp.where(x <= 0, negative * (SELU_SCALE * SELU_ALPHA), x * SELU_SCALE)


@derivative_of(selu)
def selu_derivative(x: Array) -> Array:
    """scale alpha exp(x) where x <= 0, else scale."""
    xp = array_namespace(x)
    left = xp.exp(_left(xp, x)) * (SELU_SCALE * SELU_ALPHA)
    return xp.where(x <= 0, left, xp.full_like(x, SELU_SCALE))


@derivative_from_output_of(selu)
def selu_from_output(y: Array) -> Array:
    """y + scale alpha where y <= 0, else scale."""
    xp = array_namespace(y)
    return xp.where(y <= 0, y + SELU_SCALE * SELU_ALPHA, xp.full_like(y, SELU_SCALE))


@activation(2, alpha=nonzero, learnable="alpha")
def celu(x: Array, alpha: float | Array = 1.0) -> Array:
    r"""Differentiable ELU, :math:`f(x) = x` for :math:`x > 0`, else :math:`\alpha (e^{x/\alpha} - 1)`.

    Derivative: 1 for :math:`x > 0`, else :math:`e^{x/\alpha}`, continuous; no kinks. The second derivative
    jumps at 0, where it is that of either side. :math:`-\alpha` at -inf (for :math:`\alpha > 0`); NaN stays NaN with derivative 1.

    Parameters
    ----------
    x : array of a real floating-point dtype
    alpha : float other than 0, or array of the dtype of ``x`` that broadcasts with it

    Returns
    -------
    array, of the shape, dtype and device of ``x``

    References
    ----------
    J. T. Barron (2017), Continuously differentiable exponential linear units, arXiv:1704.07483.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import activations
    >>> activations.celu(np.asarray([-1.0, 0.0, 2.0]), 2.0).round(4).tolist()
    [-0.7869, 0.0, 2.0]
    """
    xp = namespace(x, alpha)
    return xp.where(x <= 0, xp.expm1(_left(xp, x) / alpha) * alpha, x)


@derivative_of(celu)
def celu_derivative(x: Array, alpha: float | Array = 1.0) -> Array:
    """exp(x / alpha) where x <= 0, else 1."""
    xp = namespace(x, alpha)
    return xp.where(x <= 0, xp.exp(_left(xp, x) / alpha), xp.ones_like(x))


@derivative_from_output_of(celu, alpha=positive)
def celu_from_output(y: Array, alpha: float | Array = 1.0) -> Array:
    """y / alpha + 1 where y <= 0, else 1; for alpha above zero."""
    xp = namespace(y, alpha)
    return xp.where(y <= 0, y / alpha + 1, xp.ones_like(y))


@activation(aliases=("exp",), expands=True)
def exponential(x: Array) -> Array:
    r"""The exponential, :math:`f(x) = e^x`.

    Derivative: :math:`e^x`. No kinks; 0 at -inf, +inf at +inf and where the dtype overflows, NaN at NaN.

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
    >>> activations.exponential(np.asarray([0.0, 1.0])).round(4).tolist()
    [1.0, 2.7183]
    """
    return array_namespace(x).exp(x)


@derivative_of(exponential)
def exponential_derivative(x: Array) -> Array:
    """exp(x)."""
    return exponential(x)


@derivative_from_output_of(exponential)
def exponential_from_output(y: Array) -> Array:
    """y."""
    return y


@activation()
def gaussian(x: Array) -> Array:
    r"""The bell curve, :math:`f(x) = e^{-x^2}`.

    Derivative: :math:`-2 x e^{-x^2}`. No kinks; 0 at infinities, NaN at NaN.

    Parameters
    ----------
    x : array of a real floating-point dtype

    Returns
    -------
    array, of the shape, dtype and device of ``x``

    References
    ----------
    D. S. Broomhead, D. Lowe (1988), Multivariable functional interpolation and adaptive networks, Complex
    Systems 2, 321-355.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import activations
    >>> activations.gaussian(np.asarray([0.0, 1.0])).round(4).tolist()
    [1.0, 0.3679]
    """
    xp = array_namespace(x)
    bounded = cut_off(xp, x, GAUSSIAN_END)
    return xp.exp(-bounded * bounded)


@derivative_of(gaussian)
def gaussian_derivative(x: Array) -> Array:
    """-2 x exp(-x^2)."""
    xp = array_namespace(x)
    bounded = cut_off(xp, x, GAUSSIAN_END)
    return -2 * bounded * xp.exp(-bounded * bounded)


@activation(aliases=("sin",), expands=True)
def sine(x: Array) -> Array:
    r"""The sine, :math:`f(x) = \sin x`.

    Derivative: :math:`\cos x`. No kinks; NaN at infinities and NaN.

    Parameters
    ----------
    x : array of a real floating-point dtype

    Returns
    -------
    array, of the shape, dtype and device of ``x``

    References
    ----------
    V. Sitzmann et al. (2020), Implicit neural representations with periodic activation functions, NeurIPS.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import activations
    >>> activations.sine(np.asarray([0.0, 1.0])).round(4).tolist()
    [0.0, 0.8415]
    """
    return array_namespace(x).sin(x)


@derivative_of(sine)
def sine_derivative(x: Array) -> Array:
    """cos(x)."""
    return array_namespace(x).cos(x)
