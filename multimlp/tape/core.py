"""The recorded array, and the array with a tangent.

Differentiation opens a *level*. An array that is traced at a level wraps a value of a lower level: the plain
array, or an array that an outer differentiation traces or an outer `vmap` batches. An operation takes off the
highest level among its arguments, computes with what is underneath (recording there too, if that is traced),
and wraps the result. The numbers of the levels only grow, so an inner differentiation never mistakes the
variable of an outer one for its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, NoReturn, TypeAlias

from multimlp.errors import DifferentiationError, value_taken
from multimlp.tape._array import Wrapped, admit

Rule: TypeAlias = Callable[..., Any]
"""``rule(xp, g, y, *arguments, **parameters)``: the cotangent of one argument, from the cotangent ``g`` of
the result ``y``.

``xp`` is the traced namespace, so that what a rule computes can be differentiated again. A rule may return
the shape that its argument was broadcast to: the backward pass sums it down. What a rule does not look at it names with an
underscore in front, ``_y``: it is not kept, and the rule gets None. For a first argument named ``x_like`` a rule of one array gets a
`multimlp.tape.recording.Like`, since the shape is all that it looks at.
"""

Node: TypeAlias = list[Any]
"""What the backward pass knows of a value: ``[order, shape, parents, rules, y, args, params]``.

Its number, by which later values have larger ones; its shape, None for a tuple; the nodes of the arguments traced at its level, and
beside each its rule; then what the rules look at: the result, and all arguments, as values of the level below (None where no rule
does, so that their memory is free), and parameters. A plain list, since one is made for every operation.
"""

next_order: Callable[[], int] = itertools.count().__next__


class Differentiated(Wrapped):
    """An array of real numbers that derivatives follow, by whatever mode; what it holds is not to leave it unseen."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return bool(raw(self))

    def __float__(self) -> NoReturn:
        raise value_taken("float(), or a function of math", self.__multimlp_backend__.name)

    def __int__(self) -> int:  # which is a constant between its jumps
        return int(raw(self))

    def __complex__(self) -> NoReturn:
        raise value_taken("complex()", self.__multimlp_backend__.name)

    def __index__(self) -> NoReturn:
        raise TypeError(
            f"a traced array is a real number ({self.dtype}), not an index; int(x) makes one of it"
        )

    def __invert__(self) -> NoReturn:
        raise TypeError(
            f"~: a traced array holds real numbers ({self.dtype}); ~ is for booleans and integers"
        )

    def _has_no_bits(self, other: Any, /) -> Any:
        return NotImplemented

    __and__ = __or__ = __xor__ = __lshift__ = __rshift__ = _has_no_bits
    __rand__ = __ror__ = __rxor__ = __rlshift__ = __rrshift__ = _has_no_bits

    def __repr__(self) -> str:
        return f"{type(self).__name__}(level={self.level}, {raw(self)!r})"

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(
            f"a traced array has no {name!r}: it has what the array API standard gives an array, and the "
            f"functions are in its namespace, multimlp.array_namespace(x)"
        )

    def _refuse_conversion(self) -> NoReturn:
        raise DifferentiationError(
            "a traced array cannot become a plain array, because the gradient would be lost. Use the functions "
            "of its namespace, multimlp.array_namespace(x), or multimlp.stop_gradient(x) for a constant"
        )

    def _refuse_mutation(self) -> NoReturn:
        raise DifferentiationError(
            "a traced array cannot be changed in place. Write x = x + y for x += y, and x = multimlp.at(x)[key].set(value) "
            "for x[key] = value"
        )

    def _refuse_numpy(self, what: str) -> NoReturn:
        raise value_taken(what, self.__multimlp_backend__.name)


class Traced(Differentiated):
    """An array whose computation is recorded: the array object of the standard, immutable."""

    __slots__ = ("level", "node", "value")

    def __init__(self, value: Any, level: int, node: Node | None = None) -> None:
        if type(value) not in self.admitted:
            admit(type(self), value)
        self.value = value
        self.level = level
        self.node = [next_order(), value.shape, (), (), None, (), None] if node is None else node


class Dual(Differentiated):
    """An array and its derivative along a direction, of the same shape and dtype: forward mode computes both at once."""

    __slots__ = ("level", "tangent", "value")

    def __init__(self, value: Any, tangent: Any, level: int) -> None:
        if type(value) not in self.admitted:
            admit(type(self), value)
        self.value = value
        self.tangent = tangent
        self.level = level

    def around(self, value: Any) -> Dual:
        """The same derivative of the same numbers in another wrapping."""
        return type(self)(value, self.tangent, self.level)


def raw(x: Any) -> Any:
    """What is under all levels of differentiation: the plain array, still batched where a `vmap` is open; anything else as it is.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> from multimlp import tape
    >>> value_and_grad = tape.value_and_grad(lambda xs: (tape.raw(xs[0]) * xs[0], ()), mm.get_backend("numpy"))
    >>> value, _, _ = value_and_grad((np.asarray(3.0),))
    >>> float(value)
    9.0
    """
    while isinstance(x, Differentiated):
        x = x.value
    if isinstance(x, Wrapped):
        value = raw(x.value)
        return x if value is x.value else type(x)(value, x.level)  # type: ignore[call-arg]
    return x


def stop_gradient(x: Any, of_plain: Callable[[Any], Any] | None = None) -> Any:
    """The same values as a constant to every derivative, of whatever order; ``of_plain`` does it for the library's own derivatives.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> from multimlp import tape
    >>> def f(xs):
    ...     return tape.stop_gradient(xs[0]) * xs[0], ()
    >>> _, _, (g,) = tape.value_and_grad(f, mm.get_backend("numpy"))((np.asarray(3.0),))
    >>> float(g)
    3.0
    """
    x = raw(x)
    if of_plain is None:
        return x
    if not isinstance(x, Wrapped):
        return of_plain(x)
    value = stop_gradient(x.value, of_plain)
    return x if value is x.value else type(x)(value, x.level)  # type: ignore[call-arg]
