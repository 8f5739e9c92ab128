"""The flat arrays that travel: what may be summed, and in which form."""

from __future__ import annotations

import numpy as np

from multimlp.errors import DTypeError, ShapeError


def flat(vector: np.ndarray) -> np.ndarray:
    """A contiguous array of one axis in the machine's own byte order, or an error."""
    if not isinstance(vector, np.ndarray) or vector.ndim != 1:
        shape = getattr(vector, "shape", type(vector).__name__)
        raise ShapeError(f"vector: expected a NumPy array of shape (n,), got {shape}")
    if vector.dtype.hasobject:
        raise DTypeError(f"vector: expected numbers, got dtype {vector.dtype}")
    native = vector.dtype.newbyteorder("=")
    return np.ascontiguousarray(vector, dtype=native)


_SUMMED = ("float64", "float32", "complex128", "complex64", "int64", "int32", "uint64", "uint32")
_WIDENED = ("float16", "bfloat16")


def summable(vector: np.ndarray) -> np.ndarray:
    """As `flat`, and wide enough to add: 16-bit floats, which most libraries cannot sum, as float32."""
    vector = flat(vector)
    if vector.dtype.name in _WIDENED:
        return vector.astype(np.float32)
    if vector.dtype.name not in _SUMMED:
        raise DTypeError(f"vector: expected one of {', '.join((*_SUMMED, *_WIDENED))}, got {vector.dtype}")
    return vector
