"""Where elements are, in what order, and which differ."""

from __future__ import annotations

import tensorflow as tf
from tensorflow import raw_ops as raw

from multimlp.backends._host_sets import UniqueAll, with_the_others
from multimlp.backends.tensorflow._dtypes import (
    ANY,
    BOOLEAN,
    COMPLEX_FLOATING,
    REAL,
    REAL_FLOATING,
    Tensor,
    bfloat16,
    float16,
    float32,
    int32,
    int64,
    promoted,
    require,
    result_type,
    truth,
    uint8,
    uint16,
)
from multimlp.backends.tensorflow._dtypes import bool as boolean
from multimlp.backends.tensorflow._manipulation import moveaxis, take_along_axis
from multimlp.backends.tensorflow._shapes import one_axis, shape_of, size_along
from multimlp.errors import InputError, ShapeError

__all__ = [
    "argmax", "argmin", "argsort", "isin", "nonzero", "searchsorted", "sort", "unique_all", "unique_counts",
    "unique_inverse", "unique_values",
]  # fmt: skip


# ---- searching ---------------------------------------------------------------------------------------------


def _arg_extremum(name: str, find_largest: bool, x: Tensor, axis: int | None, keepdims: bool) -> Tensor:
    require(name, result_type(x), REAL)
    ndim = len(x.shape)
    place = 0 if axis is None else one_axis(name, axis, ndim)
    if 0 in (tuple(x.shape) if axis is None else (x.shape[place],)):
        raise ShapeError(f"{name}: an empty array has none, got shape {tuple(x.shape)}")
    candidates = tf.reshape(x, (-1,)) if axis is None else x
    kernel = raw.ArgMax if find_largest else raw.ArgMin
    out = kernel(input=candidates, dimension=place, output_type=int64)
    if x.dtype in REAL_FLOATING:  # the first NaN wins, as in max and min; the kernel passes over it
        nan = raw.IsNan(x=candidates)
        first_nan = raw.ArgMax(input=nan, dimension=place, output_type=int64)
        out = tf.where(tf.reduce_any(nan, place), first_nan, out)
    if not keepdims:
        return out
    return tf.reshape(out, (1,) * ndim) if axis is None else tf.expand_dims(out, place)


def argmax(x: Tensor, /, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Where the largest element is, or the first NaN; the first of equals."""
    return _arg_extremum("argmax", True, x, axis, keepdims)


def argmin(x: Tensor, /, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Where the smallest element is, or the first NaN; the first of equals."""
    return _arg_extremum("argmin", False, x, axis, keepdims)


def nonzero(x: Tensor, /) -> tuple[Tensor, ...]:
    """For each axis the indices of the elements that are true, or not zero."""
    if len(x.shape) == 0:
        raise ShapeError("nonzero: expected at least 1 dimension, got a 0-d array")
    return tuple(tf.unstack(tf.where(truth(x)), axis=1))


def searchsorted(x1: Tensor, x2: Tensor, /, *, side: str = "left", sorter: Tensor | None = None) -> Tensor:
    """Where each element of ``x2`` would be inserted into the sorted 1-d array ``x1``."""
    if side not in ("left", "right"):
        raise InputError(f"searchsorted: side must be 'left' or 'right', got {side!r}")
    if len(x1.shape) != 1:
        raise ShapeError(f"searchsorted: x1 must have 1 dimension, got shape {tuple(x1.shape)}")
    if sorter is not None:
        x1 = tf.gather(x1, sorter)
    ordered, values = promoted(x1, x2)
    require("searchsorted", ordered.dtype, REAL)
    flat = tf.reshape(values, (-1,))
    found = tf.searchsorted(ordered, flat, side, out_type=int64)
    if flat.dtype in REAL_FLOATING:  # NaN comes last
        found = tf.where(raw.IsNan(x=flat), tf.size(ordered, out_type=int64), found)
    return tf.reshape(found, shape_of(x2))


# ---- sorting -----------------------------------------------------------------------------------------------


def _sort_key(x: Tensor) -> Tensor:
    """Integers in the order of ``x``, NaN last: the kernel orders NaN, and under XLA -0.0, as it happens."""
    if x.dtype in REAL_FLOATING:
        if x.dtype in (float16, bfloat16):
            x = tf.cast(x, float32)
        bits, largest = (int32, int32.max) if x.dtype == float32 else (int64, int64.max)
        key = tf.bitcast(tf.where(tf.equal(x, 0), tf.zeros((), x.dtype), x), bits)
        # of negative numbers all bits but the sign are turned round
        key = tf.where(key < 0, tf.bitwise.bitwise_xor(key, tf.constant(largest, bits)), key)
        return tf.where(raw.IsNan(x=x), tf.constant(largest, bits), key)
    if x.dtype == boolean:
        return tf.cast(x, uint8)
    return tf.cast(x, int32) if x.dtype == uint16 else x  # XLA cannot sort uint16


def argsort(x: Tensor, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """The indices that sort along one axis: NaN last, or first if descending; always stable."""
    require("argsort", result_type(x), REAL | BOOLEAN)
    axis = one_axis("argsort", axis, len(x.shape))
    key = moveaxis(_sort_key(x), axis, -1)
    if not descending:
        key = tf.bitwise.invert(key)  # reverses the order of integers, signed or not
    order = tf.math.top_k(key, size_along(key, -1)).indices
    return moveaxis(tf.cast(order, int64), -1, axis)


def sort(x: Tensor, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """The elements in order along one axis: NaN last, or first if descending."""
    return take_along_axis(x, argsort(x, axis=axis, descending=descending), axis=axis)


# ---- sets --------------------------------------------------------------------------------------------------


def _flat_order(flat: Tensor) -> Tensor:
    """The stable order of a flat array; complex numbers by real part, then by imaginary part."""
    if flat.dtype in COMPLEX_FLOATING:
        by_imaginary = argsort(tf.math.imag(flat))
        return tf.gather(by_imaginary, argsort(tf.gather(tf.math.real(flat), by_imaginary)))
    return argsort(flat)


def _unique_all(x: Tensor, /) -> UniqueAll:
    """The values in ascending order, where each is first, which one each element is, how often each occurs.

    Each NaN is a value of its own. The number of values depends on the data, so XLA cannot compile this.
    """
    require("unique_all", result_type(x), ANY)
    flat = tf.reshape(x, (-1,))
    order = _flat_order(flat)
    ordered = tf.gather(flat, order)
    is_new = tf.concat([tf.ones_like(ordered[:1], boolean), tf.not_equal(ordered[1:], ordered[:-1])], 0)
    starts = tf.where(is_new)[:, 0]
    group = tf.cumsum(tf.cast(is_new, int64)) - 1
    ends = tf.concat([starts[1:], tf.shape(flat, int64)[:1]], 0)
    inverse = tf.scatter_nd(order[:, None], group, tf.shape(flat, int64))
    return UniqueAll(
        values=tf.gather(ordered, starts),
        indices=tf.gather(order, starts),
        inverse_indices=tf.reshape(inverse, shape_of(x)),
        counts=ends[: tf.size(starts)] - starts,
    )


unique_all, unique_counts, unique_inverse, unique_values = with_the_others(_unique_all)


def isin(
    x1: Tensor | int, x2: Tensor | int, /, *, assume_unique: bool = False, invert: bool = False
) -> Tensor:
    """Whether each element of ``x1`` occurs in ``x2``; of the standard 2025.12."""
    first, second = promoted(x1, x2)
    found = tf.reduce_any(tf.equal(first[..., None], tf.reshape(second, (-1,))), -1)
    return tf.logical_not(found) if invert else found
