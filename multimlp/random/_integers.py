"""Integers in a range."""

from __future__ import annotations

import math
from typing import Any

from multimlp.backend import Array, Namespace, array_namespace, is_array, owner
from multimlp.errors import InputError
from multimlp.errors.checks import check_whole, refuse
from multimlp.random._elements import block, by_elements, wide
from multimlp.random._parameters import check_broadcast, integer_name, is_parameter_array
from multimlp.random._threefry import BITS, Shape, device_of, shape_of, words_of

_ONE_WORD = 1 << 12
"""Up to so many values one word of 32 bits is enough: no chance is off by more than one in a million."""


def randint(
    key: Array, shape: Shape, minval: int | Array, maxval: int | Array, dtype: object = "int32"
) -> Array:
    """Integers from ``minval`` up to, but not with, ``maxval``; bit-identical on every library.

    Parameters
    ----------
    key : array, shape (2,), int32
    shape : sequence of int
    minval, maxval : int or integer array that broadcasts to ``shape``
        At most 2^32 apart and within the dtype. Of arrays nothing is checked: where ``maxval`` is not above ``minval`` the result is
        ``minval``.
    dtype : str or dtype
        ``"int32"`` or ``"int64"``.

    Returns
    -------
    array of that shape and dtype, of the key's library and device
        Of n values each has the chance 1 / n to within 2^-20 of it; exactly, where n is a power of two.

    Raises
    ------
    InputError, ShapeError
        If numbers are out of order or out of range, or an array does not broadcast to ``shape``.

    Examples
    --------
    >>> from multimlp import random
    >>> random.randint(random.key(0), (5,), 1, 7)
    array([6, 5, 6, 1, 2], dtype=int32)
    """
    xp, _, _ = words_of(key)
    shape, name, backend = shape_of(shape), integer_name(key, dtype), owner(key)
    top = 1 << (31 if name == "int32" else 62)
    low, high = (
        _bound(key, "minval", minval, -top, top - 1, shape),
        _bound(key, "maxval", maxval, 1 - top, top, shape),
    )
    with backend.scope("float64"):
        if not (is_array(low) or is_array(high)):
            return _between(key, low, high - low, shape, name)
        start, end = (_wide_integers(xp, key, x) for x in (low, high))
        span = xp.astype(end - start, xp.float64)
        return _added(xp, _flat(xp, start, shape), _flat(xp, span, shape), key, shape, name)


def _bound(key: Array, name: str, x: object, low: int, high: int, shape: tuple[int, ...]) -> Any:
    """An integer, or an integer array of the key's library."""
    if not is_parameter_array(x):
        return check_whole(name, x, low=low, high=high)
    array: Any = x
    if not array_namespace(key, array).isdtype(array.dtype, "integral"):
        raise refuse(name, "an integer, or an integer array of the key's library", x)
    check_broadcast(name, tuple(array.shape), shape)
    return array


def _between(key: Array, low: int, span: int, shape: tuple[int, ...], dtype: str) -> Array:
    if not 0 < span <= 1 << 32:
        raise InputError(
            f"minval, maxval: expected minval < maxval <= minval + 2**32, got {low} and {low + span}"
        )
    xp, size = array_namespace(key), math.prod(shape)
    one_word = span <= _ONE_WORD or span & (span - 1) == 0
    count, draw = ((size + 1) // 2, _by_word) if one_word else (size, _by_block)
    shift = 0 if dtype == "int64" else low
    drawn = by_elements(key, draw=draw, count=count, options=(span, shift, dtype))[:size]
    return xp.reshape(drawn if dtype == "int32" else drawn + low, shape)


def _by_word(key: Array, counter: Array, first: None, second: None, *options: Any) -> tuple[Array, ...]:
    xp = array_namespace(counter)
    words = block(key, counter, BITS)
    return tuple(_scaled(xp, (xp.astype(word, xp.float64) + 2.0**31) * 2.0**-32, *options) for word in words)


def _by_block(key: Array, counter: Array, first: None, second: None, *options: Any) -> tuple[Array, ...]:
    xp = array_namespace(counter)
    return (_scaled(xp, wide(xp, *block(key, counter, BITS)), *options),)


def _scaled(xp: Namespace, u: Array, span: float | Array, shift: float | Array, dtype: str) -> Array:
    """One product, rounded down: so the same on every library, and below ``span``."""
    return xp.astype(xp.floor(u * span) + shift, getattr(xp, dtype))


# ---- arrays of bounds ----------------------------------------------------------------------------------------------------


def _by_bounds(key: Array, counter: Array, span: Array, shift: Array, dtype: str) -> tuple[Array, ...]:
    xp = array_namespace(counter)
    positive = xp.maximum(span, xp.ones_like(span))
    return (_scaled(xp, wide(xp, *block(key, counter, BITS)), positive, shift, dtype),)


def _added(xp: Namespace, start: Array, span: Array, key: Array, shape: tuple[int, ...], dtype: str) -> Array:
    size, floating = math.prod(shape), xp.astype(start, xp.float64)
    if dtype == "int32":
        return xp.reshape(
            by_elements(key, span, floating, draw=_by_bounds, count=size, options=(dtype,)), shape
        )
    offsets = by_elements(key, span, xp.zeros_like(span), draw=_by_bounds, count=size, options=(dtype,))
    return xp.reshape(offsets + start, shape)


def _wide_integers(xp: Namespace, key: Array, x: int | Array) -> Array:
    if is_array(x):
        return xp.astype(x, xp.int64)
    return xp.full((1,), x, dtype=xp.int64, device=device_of(key))


def _flat(xp: Namespace, x: Array, shape: tuple[int, ...]) -> Array:
    return xp.reshape(x, (1,)) if math.prod(x.shape) == 1 else xp.reshape(xp.broadcast_to(x, shape), (-1,))
