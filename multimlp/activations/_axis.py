"""Activations of a whole axis: softmax and its kin, and the gated linear unit."""

from __future__ import annotations

from typing import Any

from multimlp.activations._description import activation, derivative_of
from multimlp.activations._operation import integer
from multimlp.activations._sigmoidal import sigmoid, sigmoid_derivative
from multimlp.backend import Array, Namespace, array_namespace, owner
from multimlp.errors import ShapeError

__all__ = [
    "glu",
    "log_softmax",
    "softmax",
    "softmin",
]


@activation(axis=integer, elementwise=False)
def softmax(x: Array, axis: int = -1) -> Array:
    r"""Softmax, :math:`f(x)_i = e^{x_i} / \sum_j e^{x_j}`.

    The largest entry is subtracted first, as a constant to every derivative. Derivative:
    :math:`\partial f_i / \partial x_j = f_i (\delta_{ij} - f_j)`. An entry -inf gives 0; NaN or +inf
    anywhere, or -inf everywhere, makes the whole row NaN.

    Parameters
    ----------
    x : array of a real floating-point dtype, at least 1-d
    axis : int
        The axis along which the result sums to 1.

    Returns
    -------
    array, of the shape, dtype and device of ``x``

    Raises
    ------
    ShapeError
        If ``x`` has no such axis.

    References
    ----------
    J. S. Bridle (1990), Probabilistic interpretation of feedforward classification network outputs,
    Neurocomputing, 227-236.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import activations
    >>> activations.softmax(np.asarray([0.0, 0.0, 1000.0])).tolist()
    [0.0, 0.0, 1.0]
    """
    xp = array_namespace(x)
    e = xp.exp(_shifted(xp, x, axis, "softmax"))
    total = _total(xp, e, axis)
    return e / total if total.dtype == e.dtype else xp.astype(xp.astype(e, total.dtype) / total, e.dtype)


@derivative_of(softmax)
def softmax_derivative(x: Array, axis: int = -1) -> Array:
    """f_i (delta_ij - f_j), shape (..., n, n) with the axis moved to the end."""
    xp, x = _last(x, axis, "softmax")
    f = softmax(x)
    return f[..., :, None] * (_eye(xp, x) - f[..., None, :])


@activation(axis=integer, elementwise=False)
def log_softmax(x: Array, axis: int = -1) -> Array:
    r"""Logarithm of softmax, :math:`f(x)_i = x_i - \log \sum_j e^{x_j}`.

    The largest entry is subtracted first, as a constant to every derivative. Derivative:
    :math:`\partial f_i / \partial x_j = \delta_{ij} - e^{f_j}`. An entry -inf gives -inf; NaN or +inf
    anywhere, or -inf everywhere, makes the whole row NaN.

    Parameters
    ----------
    x : array of a real floating-point dtype, at least 1-d
    axis : int
        The axis along which the exponentials of the result sum to 1.

    Returns
    -------
    array, of the shape, dtype and device of ``x``

    Raises
    ------
    ShapeError
        If ``x`` has no such axis.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import activations
    >>> activations.log_softmax(np.asarray([0.0, 0.0])).round(4).tolist()
    [-0.6931, -0.6931]
    """
    xp = array_namespace(x)
    shifted = _shifted(xp, x, axis, "log_softmax")
    total = xp.log(_total(xp, xp.exp(shifted), axis))
    return shifted - (total if total.dtype == x.dtype else xp.astype(total, x.dtype))


@derivative_of(log_softmax)
def log_softmax_derivative(x: Array, axis: int = -1) -> Array:
    """delta_ij - softmax(x)_j, shape (..., n, n) with the axis moved to the end."""
    xp, x = _last(x, axis, "log_softmax")
    return _eye(xp, x) - softmax(x)[..., None, :]


@activation(axis=integer, elementwise=False)
def softmin(x: Array, axis: int = -1) -> Array:
    r"""Softmin, :math:`f(x)_i = e^{-x_i} / \sum_j e^{-x_j}`: `softmax` of -x.

    Derivative: :math:`\partial f_i / \partial x_j = -f_i (\delta_{ij} - f_j)`. An entry +inf gives 0; NaN or
    -inf anywhere, or +inf everywhere, makes the whole row NaN.

    Parameters
    ----------
    x : array of a real floating-point dtype, at least 1-d
    axis : int
        The axis along which the result sums to 1.

    Returns
    -------
    array, of the shape, dtype and device of ``x``

    Raises
    ------
    ShapeError
        If ``x`` has no such axis.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import activations
    >>> activations.softmin(np.asarray([0.0, 0.0, 1000.0])).tolist()
    [0.5, 0.5, 0.0]
    """
    return softmax(-x, axis)


@derivative_of(softmin)
def softmin_derivative(x: Array, axis: int = -1) -> Array:
    """-f_i (delta_ij - f_j), shape (..., n, n) with the axis moved to the end."""
    return -softmax_derivative(-x, axis)


@activation(axis=integer, elementwise=False, halves=True)
def glu(x: Array, axis: int = -1) -> Array:
    r"""Gated linear unit, :math:`f(a, b) = a / (1 + e^{-b})` for the two halves a, b of an axis.

    Derivatives: :math:`s` in a and :math:`a s (1 - s)` in b, with :math:`s = 1 / (1 + e^{-b})`. No kinks.
    Infinite times zero is NaN.

    Parameters
    ----------
    x : array of a real floating-point dtype, at least 1-d
    axis : int
        The axis that is halved.

    Returns
    -------
    array, of the dtype and device of ``x``
        Half as long as ``x`` along the axis.

    Raises
    ------
    ShapeError
        If ``x`` has no such axis, or its length is odd.

    References
    ----------
    Y. N. Dauphin, A. Fan, M. Auli, D. Grangier (2017), Language modeling with gated convolutional networks,
    ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import activations
    >>> activations.glu(np.asarray([3.0, 4.0, 0.0, 1000.0])).tolist()
    [1.5, 4.0]
    """
    a, b = halves(x, axis)
    return a * sigmoid(b)


@derivative_of(glu)
def glu_derivative(x: Array, axis: int = -1) -> Array:
    """s in the first half, a s (1 - s) in the second; shape (..., n / 2, n), the axis moved to the end."""
    xp, x = _last(x, axis, "glu")
    a, b = halves(x, -1)
    eye = _eye(xp, a)
    by_a = sigmoid(b)[..., :, None] * eye
    by_b = (a * sigmoid_derivative(b))[..., :, None] * eye
    return xp.concat([by_a, by_b], axis=-1)


def halves(x: Array, axis: int) -> tuple[Array, Array]:
    """The two halves of an axis of even length."""
    shape = tuple(x.shape)
    check_axis(shape, axis, "glu")
    half, odd = divmod(shape[axis], 2)
    if odd:
        raise ShapeError(f"glu: axis {axis} of x must have an even length, got shape {shape}")
    before = (slice(None),) * (axis % len(shape))
    return x[(*before, slice(None, half), Ellipsis)], x[(*before, slice(half, None), Ellipsis)]


def check_axis(shape: tuple[int, ...], axis: int, name: str) -> None:
    """`ShapeError` unless an array of that shape has the axis."""
    if not -len(shape) <= axis < len(shape):
        raise ShapeError(f"{name}: x has no axis {axis}; its shape is {shape}")


def _shifted(xp: Any, x: Array, axis: int, name: str) -> Array:
    shape = tuple(x.shape)
    check_axis(shape, axis, name)
    if shape[axis] == 0:
        return x  # of no entries there is no largest
    largest = xp.max(x, axis=axis, keepdims=True)
    return x - owner(x).stop_gradient(largest)  # libraries differ in the derivative of max at ties


def _total(xp: Namespace, e: Array, axis: int) -> Array:
    """The sum along the axis, in float32 of half precision: some libraries add up in that, where it ends at 2048 ones."""
    is_half = owner(e).dtype_name(e.dtype) in ("float16", "bfloat16")
    return xp.sum(e, axis=axis, keepdims=True, **({"dtype": xp.float32} if is_half else {}))


def _eye(xp: Namespace, x: Array) -> Array:
    """An identity matrix for each row, where x lives."""
    rows = xp.ones_like(x)
    return xp.tril(xp.triu(rows[..., :, None] * rows[..., None, :]))


def _last(x: Array, axis: int, name: str) -> tuple[Namespace, Array]:
    """x with the axis moved to its end."""
    xp = array_namespace(x)
    check_axis(tuple(x.shape), axis, name)
    return xp, xp.moveaxis(x, axis, -1)
