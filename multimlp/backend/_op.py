"""Operations that are written once and that a backend may replace by a kernel of its own.

``@op`` turns a portable function of arrays into an `Op`. A call looks at the types of the array arguments, once per combination of
types: where the backend has a kernel for the operation the kernel runs, on every other backend, and for every traced array, the
portable body. The body stays reachable as ``operation.portable``: it is the specification that the kernels are compared with.

An operation is known by a name that no other one has: those of multimlp by a short one (``"relu"``), which adapters use in their
tables, everybody else's by module and qualified name (``"mypackage.layers.relu"``). So an operation of yours never meets a kernel
that was written for another of the same ``__name__``.
"""

from __future__ import annotations

import functools
import inspect
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

from multimlp import tape
from multimlp.backend import _registry
from multimlp.backend._contract import Backend
from multimlp.backend._registry import (
    canonical_name,
    is_array,
    is_traced,
    namespace_of_type,
    owner,
    owner_of_type,
)
from multimlp.errors import DTypeError, InputError, MultimlpError
from multimlp.errors.checks import as_given, check_whole, refuse
from multimlp.errors.shown import one_line

_BESIDE_ARRAYS = (type(None), float, int)
"""What may stand in the place of the last of several arrays."""

F = TypeVar("F", bound=Callable[..., Any])

OPS: dict[str, Op] = {}
"""Every operation by name, for adapters, their tests and the parity report; of two of one name the later."""

_HERE = __name__.partition(".")[0]


class Op:
    """A portable function with per-backend kernels. Made by `op`.

    Parameters
    ----------
    portable : callable
        The definition, on the array API standard alone.
    arrays : int
        How many of the leading positional arguments are arrays (or None).

    Attributes
    ----------
    name : str
        Its name in `OPS` and in the tables of adapters: short for an operation of multimlp (``"relu"``), else module and qualified
        name (``"mypackage.layers.relu"``).
    """

    def __init__(self, portable: Callable[..., Any], arrays: int) -> None:
        functools.update_wrapper(self, portable)
        self.name = _name(portable)
        self.portable = portable
        self.arrays = arrays
        self._implementations: dict[Any, Callable[..., Any]] = {}
        self._kernels: dict[str, Callable[..., Any]] = {}
        _remember(self)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            types = type(args[0]) if self.arrays == 1 else tuple(map(type, args[: self.arrays]))
            implementation = self._implementations[types]
        except (IndexError, KeyError):
            if self._named_arrays(len(args), kwargs):
                bound = inspect.signature(self.portable).bind(*args, **kwargs)
                return self(*bound.args, **bound.kwargs)
            types = type(args[0]) if self.arrays == 1 else tuple(map(type, args[: self.arrays]))
            owner(*args[: self.arrays])  # raises where there is not exactly one
            self._require_arrays(args)
            implementation = self._implementations[types] = self._choose(types)
        try:
            return implementation(*args, **kwargs)
        except Exception as error:  # libraries have types of their own
            self.explain(error, args)
            raise

    def _named_arrays(self, count: int, kwargs: Mapping[str, Any]) -> bool:
        """Whether arrays that the operation needs were given by name, behind ``count`` positional arguments."""
        if not kwargs or count >= self.arrays:
            return False
        leading = list(inspect.signature(self.portable).parameters.values())[count : self.arrays]
        return any(parameter.default is parameter.empty and parameter.name in kwargs for parameter in leading)

    def _require_arrays(self, args: tuple[Any, ...]) -> None:
        """`InputError` for what stands in the place of an array; looked at when a combination of types is new."""
        parameters = list(inspect.signature(self.portable).parameters.values())
        own = self.portable.__module__.partition(".")[0] == _HERE
        for i, (given, parameter) in enumerate(zip(args[: self.arrays], parameters, strict=False)):
            beside = i > 0 and type(given) in _BESIDE_ARRAYS
            if not is_array(given) and not (beside and (not own or parameter.default is not parameter.empty)):
                raise refuse(
                    f"{self.name}: {parameter.name}", "an array of the same library as the others", given
                )

    def explain(self, error: Exception, args: tuple[Any, ...]) -> None:
        """Raise what a library said of the arguments in the words of multimlp, if they do not fit an operation of ours."""
        ours = self._misuse(error, args)
        if ours is not None:
            raise ours from error

    def _misuse(self, error: Exception, args: tuple[Any, ...]) -> MultimlpError | None:
        """What a library says about arrays that do not fit an operation of multimlp, with what they are; None for other errors."""
        kind = type(error)
        if (
            isinstance(error, (MultimlpError, FloatingPointError))
            or self.portable.__module__.partition(".")[0] != _HERE
        ):
            return None
        if (
            kind.__module__.partition(".")[0] not in ("builtins", "numpy")
            and kind.__name__ != "InvalidArgumentError"
        ):
            return None
        arrays = [a for a in args[: self.arrays] if is_array(a)]
        if not arrays or is_traced(*arrays) or owner(*arrays).explain(error) is not None:
            return None
        names = list(inspect.signature(self.portable).parameters)
        given = ", ".join(
            f"{name} {_described(a)}" for name, a in zip(names, args[: self.arrays], strict=False)
        )
        return (DTypeError if isinstance(error, TypeError) else InputError)(
            f"{self.name}: these arguments do not fit: {given}: {one_line(error)}"
        )

    def _choose(self, types: Any) -> Callable[..., Any]:
        classes = types if isinstance(types, tuple) else (types,)
        backend = next(found for cls in classes if (found := owner_of_type(cls)) is not None)
        namespaces = [found for cls in classes if (found := namespace_of_type(cls)) is not None]
        if any(found is not backend.xp for found in namespaces):
            return backend.wrap(self.portable)  # a traced array: what is computed must be seen
        kernel, portable = self.kernel_for(backend), self.portable
        if kernel is None:
            return backend.compile_operation(portable, self.arrays)

        def kernel_or_portable(*args: Any, **kwargs: Any) -> Any:
            result = kernel(*args, **kwargs)
            return portable(*args, **kwargs) if result is NotImplemented else result

        return backend.wrap(kernel_or_portable)

    def _as_one(
        self,
        types: Any,
        kernel_of: Op,
        portable: Callable[..., Any],
        pullback: Callable[..., Any],
        call: Callable[..., Any],
        is_constant: Callable[[Sequence[Any]], bool] = lambda others: not tape.any_wrapped(others),
        elementwise: bool = False,
    ) -> Callable[..., Any]:
        """What the tape records as one operation where the backend has a kernel of ``kernel_of``, else the portable body.

        Parameters
        ----------
        pullback : callable
            ``pullback(xp, g, x, *args, **options)``: the cotangent of the first argument.
        call : callable
            The operation on what is under the first argument.
        is_constant : callable
            Whether all other arguments stay what they are when the first one is differentiated; default: none is traced or batched.
        elementwise : bool
            Whether the Jacobian is diagonal, so that forward mode may use the pullback.
        """
        cls = types[0] if isinstance(types, tuple) else types
        backend = owner_of_type(cls)
        followed = (tape.Traced, tape.Dual) if elementwise else (tape.Traced,)
        if backend is None or not issubclass(cls, followed) or kernel_of.kernel_for(backend) is None:
            return portable

        def recorded(x: Any, *args: Any, **options: Any) -> Any:
            if not is_constant((*args, *options.values())):
                return portable(x, *args, **options)
            return tape.operation(
                lambda below: call(below, *args, **options),
                lambda xp, g, below: pullback(xp, g, below, *args, **options),
                x,
            )

        return recorded

    # ---- kernels

    def kernel(self, backend: str) -> Callable[[F], F]:
        """Decorate a kernel of your own for this operation on a backend, whoever wrote either.

        It takes effect at once, and takes the place of the adapter's own and of one that was given before; `remove_kernel` undoes it,
        and a kernel that is ``operation.portable`` itself switches the adapter's off. Functions that JAX or TensorFlow compiled
        before keep what they were compiled with. Kernels belong to this process: a pickled operation does not carry them.

        Parameters
        ----------
        backend : str
            Its name or alias; it is not imported for this.

        Returns
        -------
        callable
            The decorator; the function comes back as it is. The function has the operation's signature, agrees with its portable body
            in value and derivative, at kinks too, can be differentiated by the backend, and may return ``NotImplemented`` for
            arguments that it does not cover: the portable body runs then, as it does for arrays that the tape traces.

        Raises
        ------
        UnknownBackendError
            If no backend has that name.
        InputError
            If what is decorated cannot be called.

        Examples
        --------
        >>> import numpy as np
        >>> from multimlp.backend import array_namespace, op
        >>> @op()
        ... def distance(x):
        ...     xp = array_namespace(x)
        ...     return xp.sqrt(xp.sum(x * x))
        >>> @distance.kernel("numpy")
        ... def _(x):
        ...     return np.linalg.norm(x) if x.ndim == 1 else NotImplemented
        >>> float(distance(np.asarray([3.0, 4.0]))), float(distance(np.asarray([[3.0], [4.0]])))
        (5.0, 5.0)
        """
        name = canonical_name(backend)

        def decorate(function: F) -> F:
            if not callable(function):
                raise InputError(
                    f"kernel: expected a function with the signature of {self.name}, got {function!r} "
                    f"of type {type(function).__name__}"
                )
            self._kernels[name] = function
            _choose_again()
            return function

        return decorate

    def remove_kernel(self, backend: str) -> None:
        """Forget the kernel given by `kernel`; the adapter's own, if it has one, is used again.

        Raises
        ------
        UnknownBackendError
            If no backend has that name.
        InputError
            If no kernel was given for it.
        """
        name = canonical_name(backend)
        if name not in self._kernels:
            given = ", ".join(self._kernels) or "none"
            raise InputError(f"backend: {self.name} was given no kernel for {name!r}; given for: {given}")
        del self._kernels[name]
        _choose_again()

    @property
    def kernels(self) -> Mapping[str, Callable[..., Any]]:
        """The kernels given by `kernel`, by the name of the backend."""
        return MappingProxyType(self._kernels)

    def kernel_for(self, backend: Backend) -> Callable[..., Any] | None:
        """What replaces the portable body on plain arrays of the backend: a kernel given by `kernel`, else the adapter's own."""
        given = self._kernels.get(backend.name)
        return backend.kernels.get(self.name) if given is None else given

    def implementation(self, types: tuple[type, ...]) -> Callable[..., Any]:
        """What a call with arrays of these types runs, without the call's checks; right until `when_kernels_change` says otherwise."""
        key = types[0] if self.arrays == 1 else types
        if key not in self._implementations:
            self._implementations[key] = self._choose(key)
        return self._implementations[key]

    def prepare(self, cls: type, dtypes: Sequence[Any]) -> None:
        """Decide now for arrays of type ``cls``, so that a compiler that traces a call sees no cache change."""
        for optional in (cls, *_BESIDE_ARRAYS):
            types = cls if self.arrays == 1 else (*(cls,) * (self.arrays - 1), optional)
            if types not in self._implementations:
                self._implementations[types] = self._choose(types)

    def __repr__(self) -> str:
        return f"<op {self.name}>"

    def __reduce__(self) -> str:
        return self.portable.__qualname__


def _described(x: Any) -> str:
    return (
        f"of shape {tuple(x.shape)} and dtype {owner(x).dtype_name(x.dtype)}" if is_array(x) else as_given(x)
    )


def _name(portable: Callable[..., Any]) -> str:
    try:
        module, qualified = portable.__module__, portable.__qualname__
    except AttributeError:
        raise refuse("op", "a function with a name", portable, "wrap it: def f(x): ...") from None
    if not callable(portable):
        raise refuse("op", "a function with a name", portable)
    return qualified if module.partition(".")[0] == _HERE else f"{module}.{qualified}"


# ---- all of them -----------------------------------------------------------------------------------------------------

_alive: weakref.WeakSet[Op] = weakref.WeakSet()
"""Also those that a later one of their name has replaced in `OPS`."""
_lock = threading.Lock()


def _remember(operation: Op) -> None:
    known = OPS.get(operation.name)
    if known is not None and known.portable.__module__ != operation.portable.__module__:
        raise ValueError(
            f"two operations are called {operation.name!r}: {known.portable} and {operation.portable}"
        )
    with _lock:
        OPS[operation.name] = operation
        _alive.add(operation)


def _everything() -> list[Op]:
    with _lock:
        return list(_alive)


def _choose_again() -> None:
    """Kernels have changed. All operations: one that was compiled may hold another inside."""
    for operation in _everything():
        for types in list(operation._implementations):
            operation._implementations[types] = operation._choose(types)
    for forget in _when_changed:
        forget()


def _forget() -> None:
    """Adapters have changed, so that arrays may have other owners."""
    for operation in _everything():
        operation._implementations.clear()
    for forget in _when_changed:
        forget()


_when_changed: list[Callable[[], None]] = []


def when_kernels_change(forget: Callable[[], None]) -> None:
    """Call ``forget`` whenever what `Op.implementation` gave may no longer be right."""
    _when_changed.append(forget)


_registry.when_registered.append(_forget)


def prepare_all(cls: type, dtypes: Sequence[Any]) -> None:
    """`Op.prepare` for every operation."""
    for plain in _BESIDE_ARRAYS:
        owner_of_type(plain)
    for operation in _everything():
        operation.prepare(cls, dtypes)


def op(arrays: int = 1) -> Callable[[Callable[..., Any]], Op]:
    """Decorate a portable function of ``arrays`` leading array arguments, so that backends may have a kernel for it.

    Parameters
    ----------
    arrays : int
        How many of the leading positional arguments are arrays; the last of several may be None.

    Returns
    -------
    callable
        The decorator, which makes an `Op`: call it as the function; give it kernels by `Op.kernel`.

    Raises
    ------
    InputError
        If what is decorated is no function with a name, or the parentheses of ``@op()`` are missing.

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
    if callable(arrays):
        raise InputError("op: it is called for a decorator; write @op(), or op()(function)")
    count = check_whole("arrays", arrays, low=1)
    return lambda portable: Op(portable, count)
