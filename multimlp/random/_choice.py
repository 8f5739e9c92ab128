"""Choices: classes by their logits, and items of a list or rows of an array by their chances."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from multimlp.backend import Array, Namespace, array_namespace, is_array, is_traced, owner
from multimlp.errors import InputError, ShapeError
from multimlp.errors.checks import LARGEST, check_items, check_number, check_whole, flag, refuse
from multimlp.random._draws import permutation
from multimlp.random._elements import block, by_elements, exponential_of, wide
from multimlp.random._integers import randint
from multimlp.random._parameters import check_axis, is_parameter_array
from multimlp.random._tables import drawn_by_table, exact_sums
from multimlp.random._threefry import BITS, Shape, device_of, shape_of, words_of


def categorical(key: Array, logits: Array, shape: Shape = ()) -> Array:
    """Draw classes from softmax(logits).

    A uniform number of 53 bits is looked up in the partial sums of the chances, which are rounded to multiples of 2^-52, so that the
    sums are exact.

    Parameters
    ----------
    key : array, shape (2,), int32
    logits : array, shape (..., k), floating
        A class of -inf is never drawn. Where one is NaN or inf, or all are -inf, the class means nothing.
    shape : sequence of int
        Of independent draws; leading axes of the result.

    Returns
    -------
    array, shape (*shape, ...), int32
        The same on all libraries, whose exponentials may differ in the last bit, but for once in some 10^15 / k draws.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import random
    >>> random.categorical(random.key(0), np.asarray([0.0, -np.inf]), (3,))
    array([0, 0, 0], dtype=int32)
    """
    words_of(key)
    if not is_array(logits):
        raise refuse("logits", "an array of the key's library", logits)
    xp, backend, shape = array_namespace(key, logits), owner(key, logits), shape_of(shape)
    if not backend.is_floating(logits) or not tuple(logits.shape) or not logits.shape[-1]:
        kind = f"{backend.dtype_name(logits.dtype)} of shape {tuple(logits.shape)}"
        raise InputError(f"logits: expected a floating array of shape (..., k) with k >= 1, got {kind}")
    with backend.scope("float64"):
        plain = backend.stop_gradient(logits)
        xp = array_namespace(plain)
        wide_logits = xp.astype(plain, xp.float64)
        sums = exact_sums(xp, xp.exp(wide_logits - xp.max(wide_logits, axis=-1, keepdims=True)))
        if len(sums.shape) == 1:
            return drawn_by_table(key, sums, shape, "int32")
        return _by_rows(xp, key, sums, shape)


def _by_rows(xp: Namespace, key: Array, sums: Array, shape: tuple[int, ...]) -> Array:
    rows = (*shape, *tuple(sums.shape)[:-1])
    u = xp.reshape(by_elements(key, draw=_uniform, count=math.prod(rows)), (*rows, 1))
    below = xp.astype(sums <= u * sums[..., -1:], xp.int32)
    return xp.sum(below, axis=-1, dtype=xp.int32)


def _uniform(key: Array, counter: Array, first: None, second: None) -> tuple[Array, ...]:
    return (wide(array_namespace(counter), *block(key, counter, BITS)),)


def choice(
    key: Array,
    a: int | Array,
    shape: Shape = (),
    replace: bool = True,
    p: Sequence[float] | Array | None = None,
    axis: int = 0,
) -> Array:
    """Draw from 0 .. a-1, or from the parts of an array along an axis, with or without putting back.

    Parameters
    ----------
    key : array, shape (2,), int32
    a : int, or array of the key's library
    shape : sequence of int
        Of the draws.
    replace : bool
        False: no part is drawn twice.
    p : sequence of float, or array, shape (n,), optional
        How likely each part is; they are divided by their sum. Default: all the same. Of an array nothing is checked: what is drawn
        means nothing where one is negative or NaN, or where fewer parts are likely than are drawn without putting back.
    axis : int
        The axis of ``a``.

    Returns
    -------
    array
        Of shape ``shape`` and int32 for an integer ``a``; else that of ``a`` with ``shape`` in place of the axis. Bit-identical on every
        library; without putting back by ``p``, but where two keys of 53 bits are neighbours.

    Raises
    ------
    InputError, ShapeError
        If there is nothing to draw from, more is drawn than there is, or numbers are no chances.

    References
    ----------
    Efraimidis, Spirakis, Weighted random sampling with a reservoir, Information Processing Letters 97 (2006), without putting back.

    Examples
    --------
    >>> from multimlp import random
    >>> random.choice(random.key(0), 5, (3,), replace=False)
    array([0, 1, 4], dtype=int32)
    """
    words_of(key)
    xp, shape, again = array_namespace(key), shape_of(shape), flag("replace", replace)
    parts: Any = a
    whole = not (is_array(parts) and tuple(parts.shape))
    place = 0 if whole else check_axis(axis, len(parts.shape), "a")
    count = check_whole("a", a, low=0, high=LARGEST) if whole else int(parts.shape[place])
    size = math.prod(shape)
    if size and (count == 0 or (not again and size > count)):
        how = "" if again else " without putting back"
        raise InputError(f"a: expected at least {1 if again else size} to draw {size} from{how}, got {count}")
    index = _index(xp, key, count, shape, again, p)
    if whole:
        return index
    if not is_traced(parts):
        owner(key, parts)
    xp = array_namespace(parts)
    taken = xp.take(parts, xp.reshape(index, (-1,)), axis=place)
    own = tuple(parts.shape)
    return xp.reshape(taken, (*own[:place], *shape, *own[place + 1 :]))


def _index(xp: Namespace, key: Array, count: int, shape: tuple[int, ...], again: bool, p: Any) -> Array:
    if p is None:
        if not math.prod(shape):
            return xp.zeros(shape, dtype=xp.int32, device=device_of(key))
        if again:
            return randint(key, shape, 0, count)
        return xp.reshape(permutation(key, count)[: math.prod(shape)], shape)
    backend = owner(key)
    with backend.scope("float64"):
        weights = _weights(xp, key, count, shape, again, p)
        if again:
            return drawn_by_table(key, exact_sums(array_namespace(weights), weights), shape, "int32")
        if isinstance(weights, np.ndarray):
            weights = backend.asarray(weights, device=backend.device_name(key))
        waits = by_elements(key, draw=_waits, count=count) / weights
        # Infinite where nothing is likely, and nowhere else, be a chance as small as it may.
        longest = xp.minimum(waits, xp.full_like(waits, _LONGEST))
        waits = xp.where(weights > 0, longest, xp.full_like(waits, math.inf))
        order = xp.astype(xp.argsort(waits, stable=True), xp.int32)
        return xp.reshape(order[: math.prod(shape)], shape)


_LONGEST = 1.7e308


def _waits(key: Array, counter: Array, first: None, second: None) -> tuple[Array, ...]:
    xp = array_namespace(counter)
    e = exponential_of(xp, block(key, counter, BITS))
    return (xp.maximum(e, xp.full_like(e, 2.0**-54)),)


def _weights(xp: Namespace, key: Array, count: int, shape: tuple[int, ...], again: bool, p: Any) -> Array:
    if is_parameter_array(p):
        array_namespace(key, p)
        if tuple(p.shape) != (count,):
            raise ShapeError(f"p: expected shape ({count},), one chance for each part, got {tuple(p.shape)}")
        return xp.astype(owner(key).stop_gradient(p), xp.float64)
    chances = np.asarray([check_number("p", x, low=0) for x in check_items("p", p, "of chances")])
    if chances.shape != (count,):
        raise ShapeError(f"p: expected {count} chances, one for each part, got {len(chances)}")
    likely = int(np.count_nonzero(chances))
    needed = 1 if again else math.prod(shape)
    if likely < needed or not math.isfinite(float(chances.sum())):
        raise InputError(f"p: expected {needed} or more chances above 0 and a finite sum, got {likely}")
    return chances
