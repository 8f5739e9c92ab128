"""Operations that are written once and that a backend may replace by a kernel of its own.

``@op`` turns a portable function of arrays into an `Op`. A call looks at the types of the array arguments, once per combination of
types: a backend that has a kernel under the operation's name runs the kernel, every other backend, and every traced array, runs the
portable body. The body stays reachable as ``operation.portable``: it is the specification that the kernels are compared with.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from multimlp.backend._registry import array_namespace, owner, owner_of_type

OPS: dict[str, Op] = {}
"""Every operation by name, for the parity report and for the tests of adapters."""


class Op:
    """A portable function with per-backend kernels. Made by `op`.

    Parameters
    ----------
    portable : callable
        The definition, on the array API standard alone.
    arrays : int
        How many of the leading positional arguments are arrays (or None).
    """

    def __init__(self, portable: Callable[..., Any], arrays: int) -> None:
        functools.update_wrapper(self, portable)
        self.name = portable.__name__
        self.portable = portable
        self.arrays = arrays
        self._implementations: dict[Any, Callable[..., Any]] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        types = type(args[0]) if self.arrays == 1 else tuple(map(type, args[: self.arrays]))
        try:
            implementation = self._implementations[types]
        except KeyError:
            implementation = self._implementations[types] = self._choose(args[: self.arrays])
        return implementation(*args, **kwargs)

    def _choose(self, arrays: tuple[Any, ...]) -> Callable[..., Any]:
        backend = owner(*arrays)
        return self._select(backend, array_namespace(*arrays) is not backend.xp)

    def _select(self, backend: Any, traced: bool) -> Callable[..., Any]:
        kernel = None if traced else backend.kernels.get(self.name)
        if kernel is None:
            return backend.wrap(self.portable) if traced else backend.operation(self.portable, self.arrays)
        portable = self.portable

        def kernel_or_portable(*args: Any, **kwargs: Any) -> Any:
            result = kernel(*args, **kwargs)
            return portable(*args, **kwargs) if result is NotImplemented else result

        return backend.wrap(kernel_or_portable)

    def prepare(self, cls: type, dtypes: Sequence[Any]) -> None:
        """Decide now for arrays of type ``cls``, so that a compiler that traces a call sees no cache change."""
        for optional in (cls, type(None)):
            types = cls if self.arrays == 1 else (*(cls,) * (self.arrays - 1), optional)
            if types not in self._implementations:
                self._implementations[types] = self._select(owner_of_type(cls), False)

    def __repr__(self) -> str:
        return f"<op {self.name}>"

    def __reduce__(self) -> str:
        return self.portable.__qualname__


def prepare_all(cls: type, dtypes: Sequence[Any]) -> None:
    """`Op.prepare` for every operation."""
    for operation in OPS.values():
        operation.prepare(cls, dtypes)


def op(arrays: int = 1) -> Callable[[Callable[..., Any]], Op]:
    """Decorate a portable function of ``arrays`` leading array arguments, so that backends may have a kernel for it.

    A kernel has the same signature. It must agree with the portable body in value and derivative, at kinks too, and may return
    ``NotImplemented`` for arguments that it does not cover.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp.backend import array_namespace, op
    >>> @op()
    ... def cube(x):
    ...     return x * x * x
    >>> float(cube(np.asarray(2.0)))
    8.0
    """

    def decorate(portable: Callable[..., Any]) -> Op:
        operation = Op(portable, arrays)
        OPS[operation.name] = operation
        return operation

    return decorate
