"""The namespace of JAX arrays: `jax.numpy`, whose functions keep 64 bits also while JAX's x64 switch is off.

``jax.numpy`` itself then narrows float64 arrays to float32 in silence (``sum``), or raises (``ones_like``). Operators belong to
the arrays, not to a namespace, and stay as JAX has them; ``docs/exchanging-arrays.md`` says what they do. `expm1` and `tanh` have JAX's
values and derivatives that keep their digits; `take` takes negative indices of 8 and 16 bits along axes of any length; distinct
elements, and sets of them, have derivatives.
"""

from __future__ import annotations

import functools
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
    "expm1", "fft", "intersect1d", "linalg", "setdiff1d", "setxor1d", "take", "tanh", "union1d", "unique", "unique_all",
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

__getattr__, __dir__ = names_of(jax.numpy, __name__)
