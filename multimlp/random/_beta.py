"""Beta and Dirichlet numbers: gamma numbers as parts of their sum, in logarithms, so that the smallest shapes work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from multimlp.activations import sigmoid
from multimlp.backend import Array, array_namespace, owner
from multimlp.errors import ShapeError
from multimlp.errors.checks import check_items, check_number
from multimlp.random._gamma import SHAPE_BOUNDS, log_gamma_numbers
from multimlp.random._parameters import check_broadcast, is_parameter_array, parameters_of
from multimlp.random._threefry import Shape, shape_of, split, words_of


def beta(
    key: Array, a: float | Array, b: float | Array, shape: Shape | None = None, dtype: object = None
) -> Array:
    r"""Beta numbers, density :math:`x^{a - 1} (1 - x)^{b - 1} / B(a, b)` on [0, 1].

    They are :math:`1 / (1 + e^{h - g})` with logarithms :math:`g, h` of gamma numbers of shapes :math:`a` and :math:`b`, drawn and
    differentiated as `gamma` says.

    Parameters
    ----------
    key : array, shape (2,), int32
    a, b : float or array
        Above 0. Of arrays nothing is checked: the result is NaN where one of them is not above 0.
    shape : sequence of int, optional
        Default: what ``a`` and ``b`` broadcast to.
    dtype : str or dtype, optional
        As for `exponential`; default: the widest of ``a`` and ``b``, float32 for numbers.

    Returns
    -------
    array of that shape and dtype, of the key's library and device
        Equal on all libraries to two units in the last place of 1; in float64 for shapes below 1 to some :math:`1 / \min(a, b)` of them,
        as the logarithms are so long.

    Raises
    ------
    InputError, ShapeError
        If a number is not above 0, or an array does not broadcast to ``shape``.

    References
    ----------
    Devroye, Non-uniform random variate generation (1986), IX.4.

    Examples
    --------
    >>> from multimlp import random
    >>> random.beta(random.key(0), 2.0, 6.0, (10000,)).mean().round(2)
    np.float32(0.25)
    """
    given = parameters_of(key, shape, dtype, a=(a, SHAPE_BOUNDS), b=(b, SHAPE_BOUNDS))
    with given.backend.scope("float64"):
        keys = split(key)
        first, second = (
            log_gamma_numbers(parameters_of(keys[i, :], given.shape, "float64", a=(x, SHAPE_BOUNDS)))
            for i, x in enumerate(given.values)
        )
        return given.rounded(sigmoid(first - second))


def dirichlet(
    key: Array, alpha: Sequence[float] | Array, shape: Shape | None = None, dtype: object = None
) -> Array:
    r"""Dirichlet vectors, density proportional to :math:`\prod_i x_i^{\alpha_i - 1}` on the vectors that sum to 1.

    They are the softmax of logarithms of gamma numbers of shapes :math:`\alpha_i`, drawn and differentiated as `gamma` says.

    Parameters
    ----------
    key : array, shape (2,), int32
    alpha : sequence of float, or array, shape (..., k)
        Above 0. Of arrays nothing is checked: the vector is NaN where one of them is not above 0.
    shape : sequence of int, optional
        Of the batch, without the last axis; default: that of ``alpha``.
    dtype : str or dtype, optional
        As for `exponential`; default: that of ``alpha``, float32 for numbers.

    Returns
    -------
    array, shape (*shape, k), of the key's library and device
        As equal on all libraries as those of `beta`.

    Raises
    ------
    InputError, ShapeError
        If a number is not above 0, if there are none, or if the batch does not broadcast to ``shape``.

    References
    ----------
    Devroye, Non-uniform random variate generation (1986), XI.4.

    Examples
    --------
    >>> from multimlp import random
    >>> random.dirichlet(random.key(0), [1.0, 2.0, 5.0], (10000,), "float64").mean(axis=0).round(1).tolist()
    [0.1, 0.3, 0.6]
    """
    words_of(key)
    backend = owner(key)
    default = None
    if not is_parameter_array(alpha):
        numbers = [
            check_number("alpha", x, **SHAPE_BOUNDS) for x in check_items("alpha", alpha, "of numbers")
        ]
        default = "float32"
        with backend.scope("float64"):
            xp = array_namespace(key)
            alpha = xp.asarray(numbers, dtype=xp.float64, device=getattr(key, "device", None) or None)
    vectors: Any = alpha
    own = tuple(vectors.shape)
    if not own or not own[-1]:
        raise ShapeError(f"alpha: expected shape (..., k) with k >= 1, got {own}")
    if shape is not None:
        check_broadcast("alpha", own[:-1], shape_of(shape))
        own = (*shape_of(shape), own[-1])
    given = parameters_of(key, own, default if dtype is None else dtype, alpha=(vectors, SHAPE_BOUNDS))
    with given.backend.scope("float64"):
        logs = log_gamma_numbers(given)
        xp = array_namespace(logs)
        parts = xp.exp(logs - xp.max(logs, axis=-1, keepdims=True))
        return given.rounded(parts / xp.sum(parts, axis=-1, keepdims=True))
