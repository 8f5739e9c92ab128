"""How a function of the namespace is applied to batched arrays: one way for each kind of signature.

Each function here returns, or is, a `BatchRule`: from the function of the namespace, and the namespace, to what is called where the
highest level among the arguments is a batch. It takes off that level, calls the function with the values below, whose rows are along
the first axis, and wraps the result. Rules of composed functions are written with other functions of the namespace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NoReturn, TypeAlias

from multimlp._typing import Array
from multimlp.tape._array import Wrapped
from multimlp.tape.batched import Batched, need_loop

Function: TypeAlias = Callable[..., Any]
BatchRule: TypeAlias = Callable[[Function, Any], Function]


def level_of(values: Iterable[Any]) -> int:
    """The highest level of a batch among the values and in lists and tuples among them, 0 if there is none."""
    found = 0
    for value in values:
        if isinstance(value, Batched):
            found = max(found, value.level)
        elif isinstance(value, (list, tuple)):
            found = max(found, level_of(value))
    return found


def is_at(x: Any, level: int) -> bool:
    """Whether this is an array of that batch."""
    return isinstance(x, Batched) and x.level == level


def spread(xp: Any, x: Any, level: int, ndim: int) -> Any:
    """The value of a batched array with so many axes behind the first, the added ones of length 1; anything else as it is."""
    if not is_at(x, level):
        return x
    value = x.value
    missing = ndim + 1 - len(value.shape)
    if missing <= 0:
        return value
    return xp.reshape(value, (value.shape[0], *(1,) * missing, *value.shape[1:]))


def stretched(xp: Any, x: Any, level: int, rows: int) -> Array:
    """The value of a batched array; of any other array as many copies of it."""
    if is_at(x, level):
        return x.value
    return xp.broadcast_to(xp.expand_dims(x, axis=0), (rows, *x.shape))


def rows_of(values: Iterable[Any], level: int) -> int:
    """How many examples there are."""
    return next(int(x.value.shape[0]) for x in values if is_at(x, level))


def forward(axis: Any, ndim: int) -> Any:
    """An axis, or a tuple of them, counted from the front and behind the hidden one."""
    if isinstance(axis, (tuple, list)):
        return tuple(forward(one, ndim) for one in axis)
    if not -ndim <= axis < ndim:
        raise IndexError(f"axis {axis} of {ndim}")
    return axis % ndim + 1


# ---- kinds of functions ------------------------------------------------------------------------------


def no_rule(name: str) -> BatchRule:
    """Of functions that are called row by row."""

    def make(record: Function, xp: Any) -> Function:
        def batch(*args: Any, **params: Any) -> NoReturn:
            level = level_of((*args, *params.values()))
            need_loop(xp.batched(None, level), name)

        return batch

    return make


def elementwise(record: Function, xp: Any) -> Function:
    """Arrays that are broadcast, and parameters that are none."""
    batched = xp.batched

    def batch(*args: Any, **params: Any) -> Any:
        level = ndim = 0
        for x in args:
            if isinstance(x, Wrapped):
                if type(x) is batched and x.level > level:
                    level = x.level
                ndim = max(ndim, len(x.shape))
            elif xp.owns(x):
                ndim = max(ndim, len(x.shape))
        return batched(record(*[spread(xp, x, level, ndim) for x in args], **params), level)

    return batch


def trailing(record: Function, xp: Any) -> Function:
    """One array, of which the function changes the last two axes and takes all before them for a stack; one result or several."""

    def batch(x: Batched, /, *args: Any, **params: Any) -> Any:
        if x.ndim < 2:
            need_loop(x, "no matrix")  # the hidden axis would be taken for rows
        found = record(x.value, *args, **params)
        if not isinstance(found, tuple):
            return xp.batched(found, x.level)
        items = [xp.batched(item, x.level) for item in found]
        return type(found)(*items) if hasattr(found, "_fields") else tuple(items)

    return batch


def over_axes(record: Function, xp: Any) -> Function:
    """One array and ``axis=None``, which stands for all axes."""

    def batch(x: Batched, /, axis: Any = None, **params: Any) -> Any:
        ndim, value = x.ndim, x.value
        if not ndim and axis in (None, ()):
            params.pop("keepdims", None)
            value, axis = xp.reshape(value, (-1, 1)), 1
        else:
            axis = tuple(range(1, ndim + 1)) if axis is None else forward(axis, ndim)
        return xp.batched(record(value, axis=axis, **params), x.level)

    return batch


def over_flattened(record: Function, xp: Any) -> Function:
    """One array and ``axis=None``, for which the array is flattened."""

    def batch(x: Batched, /, axis: Any = None, **params: Any) -> Any:
        value = x.value
        if axis is None:
            if params.get("keepdims"):
                need_loop(x, "keepdims of a flattened array")
            value, axis = xp.reshape(value, (value.shape[0], -1)), 1
        else:
            axis = forward(axis, x.ndim)
        return xp.batched(record(value, axis=axis, **params), x.level)

    return batch


def along(default: int | None) -> BatchRule:
    """One array and an axis, ``default`` if none is given; with None the array must have one axis alone."""

    def make(record: Function, xp: Any) -> Function:
        def batch(x: Batched, /, axis: Any = default, **params: Any) -> Any:
            if axis is None:
                if x.ndim != 1:
                    need_loop(x, "no axis")  # for the function's own error
                axis = 0
            return xp.batched(record(x.value, axis=forward(axis, x.ndim), **params), x.level)

        return batch

    return make


def inspected(record: Function, xp: Any) -> Function:
    """Functions of dtypes: of an array only its dtype counts, and the result is no array."""

    def below(x: Any) -> Any:
        while isinstance(x, Wrapped):
            x = x.value
        return x

    def batch(*args: Any, **params: Any) -> Any:
        return record(*map(below, args), **params)

    return batch
