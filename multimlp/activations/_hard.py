"""Activations of straight or parabolic pieces that stand in for smooth ones, and shrinkage.

Comparisons are arranged so that NaN falls through to a branch that keeps it.
"""

from __future__ import annotations

from multimlp.activations._description import activation, derivative_from_output_of, derivative_of
from multimlp.activations._operation import positive
from multimlp.backend import Array, array_namespace

__all__ = [
    "hard_sigmoid",
    "hard_swish",
    "hard_tanh",
    "hardshrink",
    "softshrink",
    "sparse_plus",
    "sparse_sigmoid",
]


@activation(kinks=(-3.0, 3.0))
def hard_sigmoid(x: Array) -> Array:
    r"""Piecewise linear sigmoid, :math:`f(x) = \min(\max(x/6 + 1/2, 0), 1)`.

    Derivative: 1/6 for :math:`-3 < x < 3`, else 0; so 0 at both kinks. NaN stays NaN with derivative 1/6. The
    slope is that of PyTorch, JAX and Keras 3; Keras 2 had 1/5.

    Parameters
    ----------
    x : array of a real floating-point dtype

    Returns
    -------
    array, of the shape, dtype and device of ``x``

    References
    ----------
    A. Howard et al. (2019), Searching for MobileNetV3, ICCV.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import activations
    >>> activations.hard_sigmoid(np.asarray([-4.0, 0.0, 1.5, 3.0])).tolist()
    [0.0, 0.5, 0.75, 1.0]
    """
    xp = array_namespace(x)
    return xp.where(x <= -3, xp.zeros_like(x), xp.where(x >= 3, xp.ones_like(x), x / 6 + 0.5))


@derivative_of(hard_sigmoid)
def hard_sigmoid_derivative(x: Array) -> Array:
    """1/6 where -3 < x < 3, else 0."""
    xp = array_namespace(x)
    return xp.where(xp.logical_or(x <= -3, x >= 3), xp.zeros_like(x), xp.ones_like(x) / 6)


@activation(kinks=(-1.0, 1.0))
def hard_tanh(x: Array) -> Array:
    r"""Piecewise linear tanh, :math:`f(x) = \min(\max(x, -1), 1)`.

    Derivative: 1 for :math:`-1 < x < 1`, else 0; so 0 at both kinks (JAX and TensorFlow give 1 there). NaN
    stays NaN with derivative 1.

    Parameters
    ----------
    x : array of a real floating-point dtype

    Returns
    -------
    array, of the shape, dtype and device of ``x``

    References
    ----------
    R. Collobert (2004), Large scale machine learning, thesis, Université Paris VI.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import activations
    >>> activations.hard_tanh(np.asarray([-2.0, 0.5, 2.0])).tolist()
    [-1.0, 0.5, 1.0]
    """
    xp = array_namespace(x)
    return xp.where(x <= -1, xp.full_like(x, -1.0), xp.where(x >= 1, xp.ones_like(x), x))


@derivative_of(hard_tanh)
def hard_tanh_derivative(x: Array) -> Array:
    """1 where -1 < x < 1, else 0."""
    xp = array_namespace(x)
    return xp.where(xp.logical_or(x <= -1, x >= 1), xp.zeros_like(x), xp.ones_like(x))


@derivative_from_output_of(hard_tanh)
def hard_tanh_from_output(y: Array) -> Array:
    """1 where -1 < y < 1, else 0."""
    xp = array_namespace(y)
    return xp.where(xp.logical_or(y <= -1, y >= 1), xp.zeros_like(y), xp.ones_like(y))


@activation(kinks=(-3.0, 3.0), aliases=("hardsilu",))
def hard_swish(x: Array) -> Array:
    r"""Piecewise parabolic swish, :math:`f(x) = x \min(\max(x/6 + 1/2, 0), 1)`.

    Derivative: 0 for :math:`x \le -3`, 1 for :math:`x \ge 3`, else :math:`x/3 + 1/2`; so the outer one at
    both kinks. 0 at -inf; NaN stays NaN.

    Parameters
    ----------
    x : array of a real floating-point dtype

    Returns
    -------
    array, of the shape, dtype and device of ``x``

    References
    ----------
    A. Howard et al. (2019), Searching for MobileNetV3, ICCV.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import activations
    >>> activations.hard_swish(np.asarray([-3.0, -1.5, 0.0, 4.0])).tolist()
    [0.0, -0.375, 0.0, 4.0]
    """
    xp = array_namespace(x)
    inner = xp.where(
        xp.logical_or(x <= -3, x >= 3), xp.zeros_like(x), x
    )  # an infinity must not reach the product
    return xp.where(x <= -3, xp.zeros_like(x), xp.where(x >= 3, x, inner * (inner / 6 + 0.5)))


@derivative_of(hard_swish)
def hard_swish_derivative(x: Array) -> Array:
    """0 where x <= -3, 1 where x >= 3, else x/3 + 1/2."""
    xp = array_namespace(x)
    return xp.where(x <= -3, xp.zeros_like(x), xp.where(x >= 3, xp.ones_like(x), x / 3 + 0.5))


@activation(lambd=positive, kinks=lambda lambd: (-lambd, lambd))
def softshrink(x: Array, lambd: float = 0.5) -> Array:
    r"""Soft shrinkage, :math:`f(x) = \operatorname{sign}(x) \max(|x| - \lambda, 0)`.

    Derivative: 1 for :math:`|x| > \lambda`, else 0; so 0 at both kinks. NaN stays NaN with derivative 1.

    Parameters
    ----------
    x : array of a real floating-point dtype
    lambd : float
        :math:`\lambda > 0`.

    Returns
    -------
    array, of the shape, dtype and device of ``x``

    References
    ----------
    D. L. Donoho (1995), De-noising by soft-thresholding, IEEE Trans. Inf. Theory 41, 613-627.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import activations
    >>> activations.softshrink(np.asarray([-1.0, 0.25, 2.0])).tolist()
    [-0.5, 0.0, 1.5]
    """
    xp = array_namespace(x)
    inside = xp.logical_and(x >= -lambd, x <= lambd)
    return xp.where(inside, xp.zeros_like(x), xp.where(x > 0, x - lambd, x + lambd))


@derivative_of(softshrink)
def softshrink_derivative(x: Array, lambd: float = 0.5) -> Array:
    """0 where |x| <= lambd, else 1."""
    xp = array_namespace(x)
    return xp.where(xp.logical_and(x >= -lambd, x <= lambd), xp.zeros_like(x), xp.ones_like(x))


@derivative_from_output_of(softshrink)
def softshrink_from_output(y: Array, lambd: float = 0.5) -> Array:
    """0 where y is 0, else 1."""
    xp = array_namespace(y)
    return xp.where(y == 0, xp.zeros_like(y), xp.ones_like(y))


@activation(lambd=positive, kinks=lambda lambd: (-lambd, lambd))
def hardshrink(x: Array, lambd: float = 0.5) -> Array:
    r"""Hard shrinkage, :math:`f(x) = x` for :math:`|x| > \lambda`, else 0.

    Derivative: 1 for :math:`|x| > \lambda`, else 0; so 0 at :math:`\pm\lambda`, where f jumps. NaN stays NaN
    with derivative 1.

    Parameters
    ----------
    x : array of a real floating-point dtype
    lambd : float
        :math:`\lambda > 0`.

    Returns
    -------
    array, of the shape, dtype and device of ``x``

    References
    ----------
    D. L. Donoho, I. M. Johnstone (1994), Ideal spatial adaptation by wavelet shrinkage, Biometrika 81,
    425-455.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import activations
    >>> activations.hardshrink(np.asarray([-1.0, 0.25, 2.0])).tolist()
    [-1.0, 0.0, 2.0]
    """
    xp = array_namespace(x)
    return xp.where(xp.logical_and(x >= -lambd, x <= lambd), xp.zeros_like(x), x)


@derivative_of(hardshrink)
def hardshrink_derivative(x: Array, lambd: float = 0.5) -> Array:
    """0 where |x| <= lambd, else 1."""
    return softshrink_derivative(x, lambd)


@derivative_from_output_of(hardshrink)
def hardshrink_from_output(y: Array, lambd: float = 0.5) -> Array:
    """0 where y is 0, else 1."""
    return softshrink_from_output(y)


@activation()
def sparse_plus(x: Array) -> Array:
    r"""Softplus with a finite tail, :math:`f(x) = 0` up to -1, :math:`(x+1)^2/4` up to 1, then :math:`x`.

    Derivative: :math:`\min(\max((x+1)/2, 0), 1)`, continuous; the second derivative jumps at :math:`\pm 1` (0
    is taken there). NaN stays NaN.

    Parameters
    ----------
    x : array of a real floating-point dtype

    Returns
    -------
    array, of the shape, dtype and device of ``x``

    References
    ----------
    A. F. T. Martins, R. F. Astudillo (2016), From softmax to sparsemax, ICML (its two-class loss).

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import activations
    >>> activations.sparse_plus(np.asarray([-2.0, 0.0, 3.0])).tolist()
    [0.0, 0.25, 3.0]
    """
    xp = array_namespace(x)
    outside = xp.logical_or(x <= -1, x >= 1)
    half = xp.where(outside, xp.zeros_like(x), x + 1) / 2  # an infinity must not reach the square
    return xp.where(x <= -1, xp.zeros_like(x), xp.where(x >= 1, x, half * half))


@derivative_of(sparse_plus)
def sparse_plus_derivative(x: Array) -> Array:
    """(x + 1)/2 kept between 0 and 1."""
    return sparse_sigmoid(x)


@activation(kinks=(-1.0, 1.0))
def sparse_sigmoid(x: Array) -> Array:
    r"""The derivative of `sparse_plus`, :math:`f(x) = \min(\max((x+1)/2, 0), 1)`.

    Derivative: 1/2 for :math:`-1 < x < 1`, else 0; so 0 at both kinks. NaN stays NaN with derivative 1/2.

    Parameters
    ----------
    x : array of a real floating-point dtype

    Returns
    -------
    array, of the shape, dtype and device of ``x``

    References
    ----------
    A. F. T. Martins, R. F. Astudillo (2016), From softmax to sparsemax, ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import activations
    >>> activations.sparse_sigmoid(np.asarray([-2.0, 0.0, 3.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    xp = array_namespace(x)
    return xp.where(x <= -1, xp.zeros_like(x), xp.where(x >= 1, xp.ones_like(x), x / 2 + 0.5))


@derivative_of(sparse_sigmoid)
def sparse_sigmoid_derivative(x: Array) -> Array:
    """1/2 where -1 < x < 1, else 0."""
    xp = array_namespace(x)
    return xp.where(xp.logical_or(x <= -1, x >= 1), xp.zeros_like(x), xp.full_like(x, 0.5))
