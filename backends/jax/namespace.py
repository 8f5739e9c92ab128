"""The namespace of JAX arrays: `jax.numpy`, whose functions keep 64 bits also while JAX's x64 switch is off.

``jax.numpy`` itself then narrows float64 arrays to float32 in silence (``sum``), or raises (``ones_like``). Operators belong to
the arrays, not to a namespace, and stay as JAX has them; ``docs/exchanging-arrays.md`` says what they do. `expm1` and `tanh` have JAX's
values and derivatives that keep their digits; `mean` and `sum` add short rows of large arrays column by column; `take` takes negative
indices of 8 and 16 bits along axes of any length; distinct elements, and sets of them, have derivatives.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import jax.numpy
import numpy as np

from multimlp.backend import Array
from multimlp.backends.jax import fft, linalg
from multimlp.backends.jax._derivatives import expm1, tanh
from multimlp.backends.jax._sets import (
    intersect1d,
    setdiff1d,
    setxor1d,
    union1d,
    unique,
    unique_all,
    unique_counts,
    unique_inverse,
    unique_values,
)
from multimlp.backends.jax._wide import keeping, names_of

__all__ = [
    "expm1", "fft", "intersect1d", "linalg", "mean", "setdiff1d", "setxor1d", "sum", "take", "tanh", "union1d", "unique", "unique_all",
    "unique_counts", "unique_inverse", "unique_values",
]  # fmt: skip

_FEW_BITS = frozenset(np.dtype(name) for name in ("int8", "uint8", "int16", "uint16"))


@functools.wraps(jax.numpy.take)
def _take(a: Array, indices: Array, *more: Any, **options: Any) -> Array:
    """JAX adds the length of the axis to negative ones in their own dtype, in which it may be another number."""
    if getattr(indices, "dtype", None) in _FEW_BITS:
        indices = jax.numpy.astype(indices, "int32")
    return jax.numpy.take(a, indices, *more, **options)


take = keeping(_take, __name__, "take")

_FEW, _MANY = 16, 1 << 15
"""Columns, and numbers altogether."""


def _is_short(x: Any, axis: Any) -> bool:
    """Whether a large floating-point array is reduced along a last axis of a few numbers."""
    shape: tuple[int, ...] = getattr(x, "shape", ())
    return (
        len(shape) > 1
        and axis in (-1, len(shape) - 1)
        and 1 < shape[-1] <= _FEW
        and math.prod(shape) >= _MANY
        and jax.numpy.issubdtype(x.dtype, jax.numpy.floating)
        and jax.numpy.finfo(x.dtype).bits >= 32
    )


@jax.custom_jvp
def _added(x: Array) -> Array:
    """The sum along a short last axis, column by column: XLA's reductions on a CPU take ten times as long."""
    total = x[..., 0]
    for i in range(1, x.shape[-1]):
        total = total + x[..., i]
    return total


_added.defjvps(lambda tangent, y, x: jax.numpy.sum(tangent, -1))


def _by_columns(library: Any, factor: Any) -> Any:
    """``library(a, axis)``, a sum times ``factor(count)``; along short axes by `_added`."""

    @functools.wraps(library)
    def reduced(a: Array, axis: Any = None, *more: Any, keepdims: bool = False, **options: Any) -> Array:
        if more or options or not _is_short(a, axis):
            return library(a, axis, *more, keepdims=keepdims, **options)
        total = factor(_added(a), a.shape[-1])
        return total[..., None] if keepdims else total

    return keeping(reduced, __name__, library.__name__)


mean = _by_columns(jax.numpy.mean, lambda total, count: total / count)
sum = _by_columns(jax.numpy.sum, lambda total, count: total)  # noqa: A001 - the standard's name


__getattr__, __dir__ = names_of(jax.numpy, __name__)
