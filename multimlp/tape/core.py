"""The recorded array.

Differentiation opens a *level*. An array that is traced at a level wraps a value of a lower level: the plain
array, or an array that an outer differentiation traces. An operation takes off the highest level among its
arguments, computes with what is underneath (recording there too, if that is traced), and wraps the result.
The numbers of the levels only grow, so an inner differentiation never mistakes the variable of an outer one
for its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar, NoReturn, TypeAlias

from multimlp._typing import Library
from multimlp.errors import DifferentiationError, ShapeError

Rule: TypeAlias = Callable[..., Any]
"""``rule(xp, g, y, *arguments, **parameters)``: the cotangent of one argument, from the cotangent ``g`` of
the result ``y``.

``xp`` is the traced namespace, so that what a rule computes can be differentiated again. A rule may return
the shape that its argument was broadcast to: the backward pass sums it down.
"""

_orders = itertools.count()


class Node:
    """One recorded operation: its result, and what the backward pass needs."""

    __slots__ = ("args", "level", "order", "params", "parents", "rules", "value")

    def __init__(
        self,
        value: Any,
        level: int,
        parents: tuple[Node, ...] = (),
        rules: tuple[Rule, ...] = (),
        args: tuple[Any, ...] = (),
        params: dict[str, Any] | None = None,
    ) -> None:
        self.value = value
        self.level = level
        self.parents = parents  # the arguments traced at this level, and beside each its rule
        self.rules = rules
        self.args = args  # all arguments, as values of the level below
        self.params = params
        self.order = next(_orders)

    def forget(self) -> None:
        """Let go of everything but the value."""
        self.parents = self.rules = self.args = ()
        self.params = None


class Traced(Node):
    """An array whose computation is recorded: the array object of the standard, immutable.

    Each backend has a subclass of its own (made by `multimlp.tape.namespace.traced_type`), which carries the
    operators, so that the type alone says which namespace computes with it.
    """

    __slots__ = ()
    __array_ufunc__ = None  # so that ndarray + Traced comes to Traced.__radd__
    __array_priority__ = 1e6
    __hash__ = None  # type: ignore[assignment]
    __multimlp_backend__: ClassVar[Library]
    __multimlp_namespace__: ClassVar[Any]

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        return self.__multimlp_namespace__

    @property
    def shape(self) -> tuple[int, ...]:
        shape: tuple[int, ...] = self.value.shape
        return shape

    @property
    def dtype(self) -> Any:
        return self.value.dtype

    @property
    def device(self) -> Any:
        return device_of(self)

    @property
    def size(self) -> int:
        size: int = raw(self).size
        return size

    @property
    def ndim(self) -> int:
        return len(self.value.shape)

    @property
    def T(self) -> Traced:  # noqa: N802 - the standard's name
        if self.ndim != 2:
            raise ShapeError(
                f"T: expected a matrix, got an array of shape {self.shape}; mT transposes a stack of matrices"
            )
        return self.mT

    @property
    def mT(self) -> Traced:  # noqa: N802 - the standard's name
        transposed: Traced = self.__multimlp_namespace__.matrix_transpose(self)
        return transposed

    def to_device(self, device: Any, /, *, stream: Any = None) -> Traced:
        if stream is not None:
            raise DifferentiationError(
                "to_device: a traced array is moved without a stream; leave stream=None"
            )
        moved: Traced = self.__multimlp_namespace__._to_device(self, device)
        return moved

    def __getitem__(self, key: Any, /) -> Traced:
        taken: Traced = self.__multimlp_namespace__._getitem(self, key)
        return taken

    def __iter__(self) -> Iterator[Traced]:
        return iter(self.__multimlp_namespace__.unstack(self))

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a 0-d array")
        return self.shape[0]

    def __bool__(self) -> bool:
        return bool(raw(self))

    def __float__(self) -> float:
        return float(raw(self))

    def __int__(self) -> int:
        return int(raw(self))

    def __complex__(self) -> complex:
        return complex(raw(self))

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
        return f"Traced(level={self.level}, {raw(self)!r})"

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(
            f"a traced array has no {name!r}: it has what the array API standard gives an array, and the "
            f"functions are in its namespace, multimlp.array_namespace(x)"
        )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NoReturn:
        _refuse_conversion()

    def __dlpack__(
        self, *, stream: Any = None, max_version: Any = None, dl_device: Any = None, copy: bool | None = None
    ) -> NoReturn:
        _refuse_conversion()

    def __dlpack_device__(self) -> NoReturn:
        _refuse_conversion()

    def __setitem__(self, key: Any, value: Any, /) -> NoReturn:
        _refuse_mutation()

    def _refuse_in_place(self, other: Any, /) -> NoReturn:
        _refuse_mutation()

    __iadd__ = __isub__ = __imul__ = __itruediv__ = __ifloordiv__ = _refuse_in_place
    __ipow__ = __imod__ = __imatmul__ = _refuse_in_place


def _refuse_conversion() -> NoReturn:
    raise DifferentiationError(
        "a traced array cannot become a plain array, because the gradient would be lost. Use the functions "
        "of its namespace, multimlp.array_namespace(x), or multimlp.stop_gradient(x) for a constant"
    )


def _refuse_mutation() -> NoReturn:
    raise DifferentiationError(
        "a traced array cannot be changed in place. Write x = x + y for x += y, and xp.where or xp.concat "
        "for x[key] = value"
    )


def raw(x: Any) -> Any:
    """The plain array under all levels; anything that is not traced comes back as it is.

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
    while isinstance(x, Traced):
        x = x.value
    return x


def device_of(x: Any) -> Any:
    """The device of an array, None for arrays that name none (those of NumPy 1)."""
    return getattr(raw(x), "device", None)


def stop_gradient(x: Any) -> Any:
    """The same values as a constant to every derivative, of whatever order.

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
    return raw(x)


def any_traced(values: Iterable[Any]) -> bool:
    """Whether a traced array is among the values or in a list or tuple among them."""
    return any(
        isinstance(value, Traced) or (isinstance(value, (list, tuple)) and any_traced(value))
        for value in values
    )
