"""Arrays with some elements replaced: what assignment is elsewhere, as a function that can be differentiated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from multimlp.backend import Array, Backend, Namespace, array_namespace, is_array, owner
from multimlp.errors import DTypeError, ShapeError
from multimlp.errors.checks import as_given, refuse
from multimlp.transforms._call import explained


class at:  # noqa: N801 - read as a function: at(x)[key].set(values)
    """``at(x)[key]``, of which ``set``, ``add``, ``multiply``, ``min`` and ``max`` return a new array; ``x`` stays as it is.

    As JAX's ``x.at[key]``, on every backend, plain, differentiated, vectorised and compiled. The key is one of NumPy's and known when the
    function is traced: integers, slices, masks, and arrays of integers that stand for no argument of a compiled function. Where it names
    an element more than once, ``set`` takes the last value, and the others apply all of them, one after another.

    Raises
    ------
    IndexError
        If the key does not fit the array; nothing is dropped in silence.
    ShapeError
        If the values cannot be broadcast to what the key picks.
    DTypeError
        If real values are to go into integers, or complex ones into real numbers.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> x = np.asarray([1.0, 2.0, 3.0])
    >>> mm.at(x)[0].set(5.0), mm.at(x)[[1, 1]].add(10.0)
    (array([5., 2., 3.]), array([ 1., 22.,  3.]))
    >>> mm.grad(lambda x: mm.array_namespace(x).sum(mm.at(x)[1:].multiply(x[0])))(x)
    array([6., 1., 1.])
    """

    def __init__(self, x: Array) -> None:
        owner(x)
        if isinstance(x, np.ndarray) and x.dtype.kind not in "biufc" and x.dtype.name != "bfloat16":
            raise refuse("at", "an array of numbers", x)
        self._x, self._key = x, ...

    def __getitem__(self, key: Any) -> at:
        found = at(self._x)
        found._key = key
        return found

    def __repr__(self) -> str:
        return f"at({self._x!r})[{self._key!r}]"

    def set(self, values: Any) -> Array:
        """The array with ``values`` at the key."""
        return self._updated(values, lambda xp, old, new: new, last=True)

    def add(self, values: Any) -> Array:
        """The array with ``values`` added at the key."""
        return self._updated(values, lambda xp, old, new: old + new)

    def multiply(self, values: Any) -> Array:
        """The array with the elements at the key multiplied by ``values``."""
        return self._updated(values, lambda xp, old, new: old * new)

    def min(self, values: Any) -> Array:
        """The array with the lesser of elements and ``values`` at the key."""
        return self._updated(values, lambda xp, old, new: xp.minimum(old, new))

    def max(self, values: Any) -> Array:
        """The array with the greater of elements and ``values`` at the key."""
        return self._updated(values, lambda xp, old, new: xp.maximum(old, new))

    def _updated(self, values: Any, combine: Callable[..., Array], last: bool = False) -> Array:
        x, backend = self._x, owner(self._x, values)
        shape = tuple(x.shape)
        with backend.scope_of(x):
            xp = array_namespace(x, values)
            picked = explained(backend, _picked, self._key, shape)
            if not picked.size:
                _broadcast(backend, xp, values, x, picked.shape)  # for what is wrong with the values
                return x
            flat = xp.reshape(_broadcast(backend, xp, values, x, picked.shape), (-1,))
            for slots in [_last(picked, shape)] if last else _rounds(picked, shape):
                there = _constant(backend, xp, slots >= 0, x)
                which = _constant(backend, xp, np.maximum(slots, 0).reshape(-1), x)
                new = xp.reshape(xp.take(flat, which, axis=0), shape)
                # Elsewhere ones are combined: an infinity or NaN there would make NaN of the slopes, which are zero.
                one = xp.ones_like(new)
                x = xp.where(there, combine(xp, xp.where(there, x, one), xp.where(there, new, one)), x)
        return x


def _picked(key: Any, shape: tuple[int, ...]) -> np.ndarray:
    """The numbers, in row-major order, of the elements that the key picks."""
    parts = tuple(_on_host(part) for part in key) if isinstance(key, tuple) else _on_host(key)
    try:
        return np.asarray(np.arange(int(np.prod(shape))).reshape(shape)[parts])
    except OverflowError:
        raise IndexError(f"at: {as_given(key)} is out of bounds for an array of shape {shape}") from None


def _on_host(part: Any) -> Any:
    """A part of a key as NumPy takes it; `InputError` for what is none."""
    if part is None or part is Ellipsis or isinstance(part, slice):
        return part
    found = owner(part).to_numpy(part) if is_array(part) else part
    try:
        picks = np.asarray(found)
    except (TypeError, ValueError):
        picks = np.empty(1)  # lists of several lengths, for one
    if picks.dtype.kind not in "biu" and (picks.size or is_array(part)):
        raise refuse("at", "a key of integers, slices, ..., None, or arrays of integers or booleans", part)
    return found


def _constant(backend: Backend, xp: Namespace, values: Any, like: Array, dtype: str | None = None) -> Array:
    """The values as an array beside another."""
    made, place = backend.asarray(values, dtype=dtype), getattr(like, "device", None)
    return made if getattr(made, "device", None) == place else xp.asarray(made, device=place)


def _last(picked: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """For each element of the array which value goes there, the last of several; -1 for none."""
    slots = np.full(int(np.prod(shape)), -1)
    slots[picked.reshape(-1)] = np.arange(picked.size)
    return slots.reshape(shape)


def _rounds(picked: np.ndarray, shape: tuple[int, ...]) -> list[np.ndarray]:
    """The same for the first values of all elements, for the second ones, and so on."""
    places = picked.reshape(-1)
    order = np.argsort(places, kind="stable")
    starts = np.searchsorted(places[order], places[order], side="left")
    turn = np.empty(places.size, dtype=int)
    turn[order] = np.arange(places.size) - starts
    found = []
    for k in range(int(turn.max(initial=-1)) + 1):
        slots = np.full(int(np.prod(shape)), -1)
        slots[places[turn == k]] = np.flatnonzero(turn == k)
        found.append(slots.reshape(shape))
    return found


def _broadcast(backend: Backend, xp: Namespace, values: Any, x: Array, shape: tuple[int, ...]) -> Array:
    """The values, of the dtype of ``x``, one for each element that is picked."""
    if not is_array(values):
        try:
            kind = np.asarray(values).dtype
        except (TypeError, ValueError):
            kind = np.dtype(object)  # lists of several lengths, for one
        if kind.kind not in "biufc" and kind.name != "bfloat16":
            raise refuse("at", "numbers or an array as values", values)
        name = backend.dtype_name(x.dtype) if kind.kind in "biu" else kind.name
        values = _constant(backend, xp, values, x, name)
    names = [backend.dtype_name(one.dtype) for one in (values, x)]
    if names[0] != names[1]:
        order = [("complex" in name) + ("complex" in name or "float" in name) for name in names]
        if order[0] > order[1]:
            raise DTypeError(
                f"at: values of dtype {names[0]} do not go into an array of {names[1]}; convert one of them first"
            )
        values = xp.astype(values, x.dtype)
    given = tuple(values.shape)
    if len(given) > len(shape) or any(
        n not in (1, m) for n, m in zip(given[::-1], shape[::-1], strict=False)
    ):
        raise ShapeError(
            f"at: values of shape {given} cannot be broadcast to what the key picks, of shape {shape}"
        )
    return xp.broadcast_to(values, shape)
