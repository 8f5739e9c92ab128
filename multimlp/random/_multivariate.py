"""Normal vectors with covariances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from multimlp.backend import Array, Backend, array_namespace, is_array, owner
from multimlp.errors import InputError, ShapeError
from multimlp.errors.checks import refuse
from multimlp.random._normal import normal
from multimlp.random._parameters import PRECISIONS, check_broadcast, dtype_name, wider
from multimlp.random._threefry import Shape, device_of, shape_of, words_of


def multivariate_normal(
    key: Array,
    mean: Sequence[float] | Array,
    cov: Sequence[Sequence[float]] | Array,
    shape: Shape | None = None,
    dtype: object = None,
) -> Array:
    r"""Normal vectors :math:`x = m + L z`, with Cholesky's factor :math:`L` of the covariance and independent normal numbers :math:`z`.

    Differentiated in the mean and the covariance as it stands.

    Parameters
    ----------
    key : array, shape (2,), int32
    mean : sequence of float, or array, shape (..., k)
    cov : sequence of sequences of float, or array, shape (..., k, k)
        Symmetric and positive definite; only its lower triangle is looked at, on most libraries. What comes of an array that is not is the
        library's: an error from NumPy, torch and TensorFlow, NaN from JAX.
    shape : sequence of int, optional
        Of the batch, without the last axis; default: what those of ``mean`` and ``cov`` broadcast to.
    dtype : str or dtype, optional
        As for `exponential`; default: the widest of ``mean`` and ``cov``, float32 for numbers.

    Returns
    -------
    array, shape (*shape, k), of the key's library and device
        Computed in float64. In float32 equal on all libraries to an ulp of the largest of :math:`|m|, |L| |z|`; in float64 as equal as
        the libraries' factors are, which is to some ulp times the condition of the covariance.

    Raises
    ------
    InputError, ShapeError
        If numbers are no symmetric positive definite matrix, or shapes do not fit.

    References
    ----------
    Devroye, Non-uniform random variate generation (1986), XI.2.

    Examples
    --------
    >>> from multimlp import random
    >>> x = random.multivariate_normal(random.key(0), [1.0, -1.0], [[2.0, 0.5], [0.5, 1.0]], (10000,))
    >>> bool(abs(x.mean(axis=0) - [1, -1]).max() < 0.05)
    True
    """
    words_of(key)
    backend = owner(key)
    with backend.scope("float64"):
        centre, spread = _array(backend, key, "mean", mean), _array(backend, key, "cov", cov)
        array_namespace(key, centre, spread)
        own, square = tuple(centre.shape), tuple(spread.shape)
        if len(own) < 1 or len(square) < 2 or square[-2:] != (own[-1], own[-1]):
            raise ShapeError(f"mean, cov: expected shapes (..., k) and (..., k, k), got {own} and {square}")
        wanted = _batch(own[:-1], square[:-2], shape)
        pairs: list[tuple[Array, Any]] = [(centre, mean), (spread, cov)]
        names = [backend.dtype_name(x.dtype) for x, given in pairs if x is given]
        names = [name for name in names if name in PRECISIONS]
        name = dtype_name(key, wider(names) if dtype is None else dtype)
        z = normal(key, (*wanted, own[-1], 1), "float64")
        xp = array_namespace(centre, spread)
        factor = xp.linalg.cholesky(xp.astype(spread, xp.float64))
        x = xp.astype(centre, xp.float64) + xp.matmul(factor, z)[..., 0]
        return x if name == "float64" else xp.astype(x, backend.dtype(name))


def _array(backend: Backend, key: Array, name: str, x: Any) -> Array:
    if is_array(x) and not isinstance(x, np.generic):
        of = owner(x)
        if not (of.is_floating(x) or of.xp.isdtype(x.dtype, "integral")):
            raise refuse(name, "an array of real numbers, or numbers", x)
        return x
    try:
        values = np.asarray(x, dtype=np.float64)
    except (TypeError, ValueError):
        raise refuse(name, "numbers, or a floating array of the key's library", x) from None
    if not np.all(np.isfinite(values)):
        raise refuse(name, "finite numbers", x)
    if (
        name == "cov"
        and values.ndim >= 2
        and values.shape[-2] == values.shape[-1]
        and not _is_covariance(values)
    ):
        raise InputError("cov: expected a symmetric positive definite matrix, got one that is not")
    return backend.xp.asarray(values.tolist(), dtype=backend.xp.float64, device=device_of(key))


def _is_covariance(matrix: np.ndarray) -> bool:
    return np.array_equal(matrix, np.swapaxes(matrix, -1, -2)) and bool(
        np.all(np.linalg.eigvalsh(matrix) > 0)
    )


def _batch(own: tuple[int, ...], square: tuple[int, ...], shape: Shape | None) -> tuple[int, ...]:
    if shape is not None:
        wanted = shape_of(shape)
        check_broadcast("mean", own, wanted)
        check_broadcast("cov", square, wanted)
        return wanted
    try:
        return shape_of(np.broadcast_shapes(own, square))
    except ValueError:
        raise ShapeError(f"mean, cov: expected batches that broadcast, got {own} and {square}") from None
