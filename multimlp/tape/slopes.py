"""Values whose derivative is known although nothing was recorded on the way to them, such as numbers drawn by rejection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from multimlp._typing import Array, Arrays, Library
from multimlp.tape._array import Wrapped, any_wrapped
from multimlp.tape.batched import Batched
from multimlp.tape.core import Dual, Rule, next_order
from multimlp.tape.custom import expanded
from multimlp.tape.series import Series


def with_slopes(
    value: Array,
    slopes: Callable[..., Arrays],
    parameters: Arrays,
    library: Library,
    of_plain: Callable[..., Array] | None = None,
) -> Array:
    """The value, an array, as an element-wise function of parameters of its shape, of which no other derivative is recorded.

    Parameters
    ----------
    value : array
    slopes : callable
        ``slopes(value, *parameters)``: the derivative in each parameter. It is called if a derivative is asked for; it is differentiated
        for higher ones, in the value too.
    parameters : tuple of array
    library : Library
    of_plain : callable, optional
        ``of_plain(value, slopes, parameters)`` does it for the library's own derivatives.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> from multimlp import tape
    >>> library = mm.get_backend("numpy")
    >>> def root(x):  # y * y = x, so that y' = 1 / (2 y)
    ...     value = np.sqrt(tape.raw(x))
    ...     return tape.with_slopes(value, lambda y, x: (0.5 / y,), (x,), library)
    >>> [float(mm.grad(f)(np.asarray(4.0))) for f in (root, mm.grad(root))]
    [0.25, -0.03125]
    """
    if not any_wrapped(parameters):
        return value if of_plain is None else of_plain(value, slopes, parameters)
    level = max(x.level for x in (value, *parameters) if isinstance(x, Wrapped))

    def of_level(x: Any) -> bool:
        return isinstance(x, Wrapped) and x.level == level

    highest: Any = next(x for x in (value, *parameters) if of_level(x))
    kind = type(highest)
    if issubclass(kind, Series):
        (found,) = expanded(_BySlopes(value, slopes, library, of_plain), parameters, highest, library)
        return found
    if issubclass(kind, Batched):
        count = highest.value.shape[0]
        inside, *rows = (
            x.value if of_level(x) else _repeated(library, x, count) for x in (value, *parameters)
        )
        return kind(with_slopes(inside, slopes, tuple(rows), library, of_plain), level)
    below = tuple(x.value if of_level(x) else x for x in parameters)
    y = with_slopes(value, slopes, below, library, of_plain)

    if issubclass(kind, Dual):
        terms = zip(parameters, slopes(y, *below), strict=True)
        tangents = [x.tangent * slope for x, slope in terms if of_level(x)]
        return kind(y, sum(tangents[1:], tangents[0]), level)

    def slope_in(i: int) -> Rule:
        return lambda xp, g, y, *arguments: g * slopes(y, *arguments)[i]

    which = [i for i, x in enumerate(parameters) if of_level(x)]
    parents, rules = tuple(parameters[i].node for i in which), tuple(map(slope_in, which))
    return kind(y, level, [next_order(), y.shape, parents, rules, y, below, None])


class _BySlopes:
    """As a function with a forward derivative of its own, for Taylor mode."""

    def __init__(self, value: Array, slopes: Callable[..., Arrays], library: Library, of_plain: Any) -> None:
        self._value, self._slopes, self._rest = value, slopes, (library, of_plain)

    def pushed(self, arrays: Arrays, tangents: Arrays) -> tuple[Arrays, Arrays]:
        y = with_slopes(self._value, self._slopes, arrays, *self._rest)
        terms = [t * slope for t, slope in zip(tangents, self._slopes(y, *arrays), strict=True)]
        return (y,), (sum(terms[1:], terms[0]),)


def _repeated(library: Library, x: Array, count: int) -> Array:
    """The same for each row of a batch."""
    xp = x.__array_namespace__() if isinstance(x, Wrapped) else library.xp
    return xp.broadcast_to(xp.expand_dims(x, axis=0), (count, *x.shape))
