"""Functions that make arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from multimlp.backends.tensorflow import _device
from multimlp.backends.tensorflow._dlpack import from_dlpack
from multimlp.backends.tensorflow._dtypes import (
    COMPLEX_FLOATING,
    DEFAULT_COMPLEX,
    DEFAULT_FLOAT,
    DEFAULT_INTEGER,
    DType,
    Scalar,
    Tensor,
    complex128,
    float64,
    int64,
    is_scalar,
    promoted,
    truth,
)
from multimlp.backends.tensorflow._dtypes import bool as boolean
from multimlp.backends.tensorflow._shapes import as_shape, shape_of, size_along
from multimlp.errors import DTypeError, InputError, ShapeError

__all__ = [
    "arange", "asarray", "astype", "empty", "empty_like", "eye", "full", "full_like", "linspace",
    "meshgrid", "ones", "ones_like", "tril", "triu", "zeros", "zeros_like",
]  # fmt: skip

_DEFAULTS = {"b": boolean, "i": DEFAULT_INTEGER, "u": tf.uint64, "f": DEFAULT_FLOAT, "c": DEFAULT_COMPLEX}


def astype(x: Tensor, dtype: DType, /, *, copy: bool = True, device: str | None = None) -> Tensor:
    """``x`` with another dtype. Tensors are immutable, so ``copy`` makes no difference that could be seen."""
    if x.dtype in COMPLEX_FLOATING and dtype not in COMPLEX_FLOATING:
        x = truth(x) if dtype == boolean else tf.math.real(x)
    with _device.on(device):
        out = tf.cast(x, dtype)
        return out if device is None else tf.identity(out)


def asarray(
    obj: Any, /, *, dtype: DType | None = None, device: str | None = None, copy: bool | None = None
) -> Tensor:
    """A tensor from an array, a scalar, or nested sequences of scalars and tensors.

    Floats become float32, integers int64 and complex numbers complex64 unless ``dtype`` says otherwise; an
    array keeps its dtype. Gradients flow to tensors inside sequences.

    Examples
    --------
    >>> from multimlp.backends.tensorflow import namespace as xp
    >>> xp.asarray([[1.0, 2.0]]).dtype
    tf.float32
    """
    with _device.on(device):
        if tf.is_tensor(obj):
            if copy is False and dtype not in (None, obj.dtype):
                raise InputError(
                    f"asarray: {obj.dtype.name} to {dtype.name} needs a copy, but copy=False was given"
                )
            out = obj if dtype is None or dtype == obj.dtype else tf.cast(obj, dtype)
            return tf.identity(out) if copy or device is not None else tf.convert_to_tensor(out)
        if copy is False:
            raise InputError("asarray: TensorFlow copies what is no tensor; use copy=None, or from_dlpack")
        if isinstance(obj, (list, tuple)) and _holds_tensor(obj):
            out = tf.stack(promoted(*(each if is_scalar(each) else asarray(each) for each in obj)))
            return out if dtype is None else tf.cast(out, dtype)
        if hasattr(obj, "__dlpack__") and not isinstance(obj, (np.ndarray, np.generic)):
            out = from_dlpack(obj, copy=True)
            return out if dtype is None else tf.cast(out, dtype)
        return _from_numpy(obj, dtype)


def _holds_tensor(obj: Sequence[Any]) -> bool:
    return any(
        tf.is_tensor(each) or (isinstance(each, (list, tuple)) and _holds_tensor(each)) for each in obj
    )


def _from_numpy(obj: Any, dtype: DType | None) -> Tensor:
    if dtype is not None and not hasattr(obj, "dtype"):
        return tf.constant(np.asarray(obj, dtype.as_numpy_dtype))
    array = np.asarray(obj)
    if array.dtype.kind in "OSUMm":
        raise DTypeError(
            f"asarray: expected numbers or booleans, got {type(obj).__qualname__} ({array.dtype})"
        )
    if dtype is None and not hasattr(obj, "dtype"):
        dtype = _DEFAULTS[array.dtype.kind]
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    out = tf.constant(array)
    return out if dtype is None else tf.cast(out, dtype)


def _known(name: str, shape: int | Sequence[Any]) -> tuple[Any, ...]:
    sizes = as_shape(shape)
    if None in sizes:
        raise ShapeError(f"{name}: the shape {sizes} has an unknown dimension; use {name}_like")
    return sizes


def _default(value: Scalar) -> DType:
    return _DEFAULTS["b" if isinstance(value, bool) else np.asarray(value).dtype.kind]


def full(
    shape: int | tuple[int, ...], fill_value: Scalar, *, dtype: DType | None = None, device: str | None = None
) -> Tensor:
    """An array with one value everywhere; its kind is that of the value, unless ``dtype`` is given."""
    with _device.on(device):
        value = fill_value
        if not tf.is_tensor(value) or dtype is not None:
            value = asarray(value, dtype=dtype or (None if tf.is_tensor(value) else _default(fill_value)))
        return tf.fill(_known("full", shape), value)


def zeros(shape: int | tuple[int, ...], *, dtype: DType | None = None, device: str | None = None) -> Tensor:
    """An array of zeros, of float32 unless ``dtype`` is given."""
    with _device.on(device):
        return tf.zeros(_known("zeros", shape), dtype or DEFAULT_FLOAT)


def ones(shape: int | tuple[int, ...], *, dtype: DType | None = None, device: str | None = None) -> Tensor:
    """An array of ones, of float32 unless ``dtype`` is given."""
    with _device.on(device):
        return tf.ones(_known("ones", shape), dtype or DEFAULT_FLOAT)


empty = zeros


def zeros_like(x: Tensor, /, *, dtype: DType | None = None, device: str | None = None) -> Tensor:
    """Zeros in the shape and dtype of ``x``."""
    if device is None and (dtype is None or dtype is x.dtype):
        return tf.raw_ops.ZerosLike(x=x)
    with _device.on(device):
        return tf.zeros_like(x, dtype)


empty_like = zeros_like


def ones_like(x: Tensor, /, *, dtype: DType | None = None, device: str | None = None) -> Tensor:
    """Ones in the shape and dtype of ``x``."""
    if device is None and (dtype is None or dtype is x.dtype):
        return tf.raw_ops.OnesLike(x=x)
    with _device.on(device):
        return tf.ones_like(x, dtype)


def full_like(
    x: Tensor, /, fill_value: Scalar, *, dtype: DType | None = None, device: str | None = None
) -> Tensor:
    """One value in the shape and dtype of ``x``."""
    with _device.on(device):
        return tf.fill(shape_of(x), asarray(fill_value, dtype=dtype or x.dtype))


def eye(
    n_rows: int,
    n_cols: int | None = None,
    /,
    *,
    k: int = 0,
    dtype: DType | None = None,
    device: str | None = None,
) -> Tensor:
    """Ones on the diagonal ``k``, zeros elsewhere."""
    with _device.on(device):
        n_cols = n_rows if n_cols is None else n_cols
        k = max(
            -n_rows, min(k, n_cols)
        )  # beyond them there is no diagonal, and no integer of 64 bits perhaps
        offset = tf.range(n_cols)[None, :] - tf.range(n_rows)[:, None]
        return tf.cast(tf.equal(offset, k), dtype or DEFAULT_FLOAT)


def arange(
    start: float,
    /,
    stop: float | None = None,
    step: float = 1,
    *,
    dtype: DType | None = None,
    device: str | None = None,
) -> Tensor:
    """Numbers from ``start`` to before ``stop``, computed as start + i * step in 64 bits."""
    if stop is None:
        start, stop = 0, start
    if step == 0:
        raise InputError("arange: step must not be 0")
    floating = any(isinstance(each, float) for each in (start, stop, step))
    count = max(0, math.ceil((stop - start) / step))
    with _device.on(device):
        wide = float64 if floating else int64
        out = tf.range(count, dtype=wide) * tf.constant(step, wide) + tf.constant(start, wide)
        return tf.cast(out, dtype or (DEFAULT_FLOAT if floating else DEFAULT_INTEGER))


def linspace(
    start: complex,
    stop: complex,
    /,
    num: int,
    *,
    dtype: DType | None = None,
    device: str | None = None,
    endpoint: bool = True,
) -> Tensor:
    """``num`` evenly spaced numbers from ``start`` to ``stop``, which is met exactly if ``endpoint``."""
    if num < 0:
        raise InputError(f"linspace: num must not be negative, got {num}")
    if dtype is None:
        dtype = DEFAULT_COMPLEX if isinstance(start, complex) or isinstance(stop, complex) else DEFAULT_FLOAT
    wide = complex128 if dtype in COMPLEX_FLOATING else float64
    steps = max(num - 1 if endpoint else num, 1)
    with _device.on(device):
        index = tf.range(num)
        out = tf.cast(index, wide) * tf.constant((stop - start) / steps, wide) + tf.constant(start, wide)
        if endpoint and num > 1:
            out = tf.where(tf.equal(index, num - 1), tf.constant(stop, wide), out)
        return tf.cast(out, dtype)


def meshgrid(*arrays: Tensor, indexing: str = "xy") -> list[Tensor]:
    """Coordinate matrices from coordinate vectors."""
    if indexing not in ("xy", "ij"):
        raise InputError(f"meshgrid: indexing must be 'xy' or 'ij', got {indexing!r}")
    return tf.meshgrid(*promoted(*arrays), indexing=indexing) if arrays else []


def _triangle(name: str, x: Tensor, k: int, lower: bool) -> Tensor:
    if len(x.shape) < 2:
        raise ShapeError(f"{name}: expected at least 2 dimensions, got shape {tuple(x.shape)}")
    rows, columns = (tf.range(size_along(x, axis)) for axis in (-2, -1))
    offset = columns[None, :] - rows[:, None]
    return tf.where(offset <= k if lower else offset >= k, x, tf.zeros((), x.dtype))


def tril(x: Tensor, /, *, k: int = 0) -> Tensor:
    """The lower triangles, zeros above the diagonal ``k``."""
    return _triangle("tril", x, k, lower=True)


def triu(x: Tensor, /, *, k: int = 0) -> Tensor:
    """The upper triangles, zeros below the diagonal ``k``."""
    return _triangle("triu", x, k, lower=False)
