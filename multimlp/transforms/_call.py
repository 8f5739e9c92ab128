"""What the transforms share: whose arrays a call holds, whether they can be differentiated, and trees taken apart and put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from multimlp import tape, tree
from multimlp.backend import Array, Backend, common_owner, get_backend, is_array, select
from multimlp.errors import (
    DTypeError,
    InputError,
    MixedBackendsError,
    MultimlpError,
    NotDifferentiableError,
    TracedValueError,
)
from multimlp.errors.checks import LARGEST, check_function, check_items, check_whole
from multimlp.tree import Tree

ArgNums = int | Sequence[int]
NUMBERS = (int, float, complex)
"""Python's own, which are constants beside arrays."""


def positions_given(where: str, argnums: Any) -> int | tuple[int, ...]:
    """``argnums`` as Python's own integers: one, or a tuple of them; `InputError` for anything else."""
    if (
        isinstance(argnums, (str, dict))
        or not hasattr(argnums, "__iter__")
        or getattr(argnums, "shape", 1) == ()
    ):
        return check_whole(where, argnums, low=-LARGEST, high=LARGEST)
    return tuple(
        check_whole(where, position, low=-LARGEST, high=LARGEST)
        for position in check_items(where, argnums, "of integers")
    )


def backend_of(leaves: Sequence[Any]) -> Backend:
    """The adapter of the arrays among the leaves; Python numbers alone go to the selected backend."""
    tape.check_arithmetic("an argument", leaves)
    return common_owner(leaves) or get_backend()


def explained(backend: Backend, function: Callable[..., Any], *args: Any) -> Any:
    """``function(*args)``; the library's errors about traced arrays become ours, with theirs as the cause."""
    try:
        return function(*args)
    except MultimlpError:
        raise
    except Exception as error:
        if isinstance(
            error.__cause__, MultimlpError
        ):  # NumPy's "setting an array element with a sequence", for one
            raise error.__cause__ from error
        ours = backend.explain(error) or _of_another_library(backend, error, args)
        if ours is None:
            raise
        raise ours from error


def _of_another_library(backend: Backend, error: Exception, args: tuple[Any, ...]) -> MultimlpError | None:
    """What to do where the function called what does not know the arrays that it is traced with: ``torch.sum(x)`` on another
    library, or ``x.sum()``. Libraries say no more than the name of the type."""
    kinds = {type(leaf).__name__ for leaf in tree.leaves(args) if is_array(leaf)} | {
        "Tracer",
        "Traced",
        "Series",
    }
    advice = "Use xp = multimlp.array_namespace(x) and its functions, e.g. xp.sum(x)"
    if isinstance(error, AttributeError):
        if not any(kind in type(error.obj).__name__ for kind in kinds):
            return None
        return TracedValueError(
            f"x.{error.name}: an array of the {backend.name} backend has no {error.name!r} where it is traced. {advice}"
        )
    if isinstance(error, TypeError) and str(error).startswith("Multiple namespaces for array inputs"):
        return MixedBackendsError(
            f"a function that looks for one namespace, as those of array_api_extra do, was given arrays of the {backend.name} backend with "
            "derivatives and plain ones, for instance one that it made to write into. Use xp.where, xp.concat or multimlp.at, which "
            "write into nothing"
        )
    if isinstance(error, TypeError) and any(kind in str(error) for kind in kinds):
        return MixedBackendsError(
            f"a function that does not work with arrays of the {backend.name} backend was given one: {error}. {advice}, and constants "
            f"of the same library, e.g. xp.asarray(...)"
        )
    return None


def check_transformed(name: str, f: Any) -> None:
    """`InputError` for what is no function, when it is to be transformed and not when it is called."""
    check_function(f"{name}: f", f, "a function of arrays")


def _refused(backend: Backend, leaf: Any, where: str) -> NotDifferentiableError:
    """Why a leaf that stood there cannot be differentiated."""
    if not is_array(leaf):
        return NotDifferentiableError(
            f"{where}: cannot differentiate with respect to {leaf!r} of type {type(leaf).__name__}; "
            "give a floating-point array, or leave this argument out of argnums"
        )
    return NotDifferentiableError(
        f"{where}: cannot differentiate with respect to an array of dtype {backend.dtype_name(leaf.dtype)}; "
        "convert it to a real floating-point dtype first"
    )


def _same_dtype(backend: Backend, arrays: Sequence[Array], others: Sequence[Any], name: str) -> None:
    dtypes = {a.dtype for a in arrays} | {o.dtype for o in others if is_array(o)}
    if len(dtypes) == 1:
        return
    kinds = {backend.dtype_name(dtype) for dtype in dtypes}
    floats = sorted(kind for kind in kinds if kind.startswith(("float", "bfloat")))
    if len(floats) > 1:
        raise DTypeError(
            f"{name}: arguments of different floating dtypes: {' and '.join(floats)}. Backends promote these differently; "
            "convert them to one dtype first"
        )


def floating_dtype(backend: Backend, leaves: Sequence[Any]) -> str | None:
    """The first floating dtype among arrays, which Python's floats take beside them; None if there is none."""
    return next((backend.dtype_name(x.dtype) for x in leaves if is_array(x) and backend.is_floating(x)), None)


def _positions(argnums: ArgNums, count: int, name: str) -> tuple[int, ...]:
    if isinstance(argnums, int) and 0 <= argnums < count:
        return (argnums,)
    given = (argnums,) if isinstance(argnums, int) else argnums
    for position in given:
        if not -count <= position < count:
            raise InputError(
                f"{name}: argnums={argnums!r} does not fit a call with {count} positional argument{'s' * (count != 1)}"
            )
    positions = tuple(position % count for position in given)
    if len(set(positions)) < len(positions):
        raise InputError(f"{name}: argnums={argnums!r} names an argument twice; each may be given once")
    return positions


class Outputs:
    """Splits a function's output tree into arrays for the adapter, and puts the tree together again afterwards.

    Parameters
    ----------
    lasting : bool
        Whether trees are put together many times, and nothing of the one that was split is to be kept.
    """

    def __init__(self, lasting: bool = False) -> None:
        self._lasting = lasting
        self._rebuild: Callable[[Any], Tree] = _alone
        self._constants: dict[int, Any] = {}

    def split(self, outputs: Tree) -> tuple[Array, ...]:
        if is_array(outputs):
            self._rebuild, self._constants = _alone, {}
            return (outputs,)
        leaves, self._rebuild = tree.flatten(outputs)
        if self._lasting:
            self._rebuild = tree.rebuilder(outputs)
        self._constants = {i: leaf for i, leaf in enumerate(leaves) if not is_array(leaf)}
        return tuple(leaf for i, leaf in enumerate(leaves) if i not in self._constants)

    def join(self, arrays: Sequence[Array]) -> Tree:
        if not self._constants:
            return self._rebuild(arrays)
        supply = iter(arrays)
        count = len(arrays) + len(self._constants)
        return self._rebuild(
            [self._constants[i] if i in self._constants else next(supply) for i in range(count)]
        )


def _alone(leaves: Sequence[Any]) -> Any:
    """The tree that is one leaf."""
    return leaves[0]


class Call:
    """One call of a transformed function: its differentiated leaves, its backend, and how to call with other leaves.

    Every call of a derivative makes one, so that an argument that is an array goes the short way.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        argnums: ArgNums,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        name: str,
    ) -> None:
        self.single = isinstance(argnums, int)
        positions = _positions(argnums, len(args), name)
        chosen, self._rebuild = _flattened([args[p] for p in positions])
        if not chosen:
            raise NotDifferentiableError(
                f"{name}, argument {argnums}: there is no array in it to differentiate with respect to"
            )
        rest = tree.leaves(([a for p, a in enumerate(args) if p not in positions], kwargs))
        self.backend = backend = backend_of((*chosen, *rest) if rest else chosen)
        for i, leaf in enumerate(chosen):
            if not is_array(leaf) and isinstance(leaf, float):
                kind = floating_dtype(backend, (*chosen, *rest)) or select(backend).dtype
                chosen[i] = backend.asarray(leaf, dtype=kind)
            elif not is_array(leaf) or not backend.is_floating(leaf):
                raise _refused(backend, leaf, f"{name}, argument {argnums}")
        self.arrays = tuple(chosen)
        if len(chosen) > 1 or rest:
            _same_dtype(backend, self.arrays, rest, name)
        self._function, self._positions, self._args, self._kwargs = function, positions, args, kwargs

    def __call__(self, arrays: Sequence[Array]) -> Any:
        args = list(self._args)
        for position, value in zip(self._positions, self._rebuild(arrays), strict=True):
            args[position] = value
        return self._function(*args, **self._kwargs)

    def gradients(self, arrays: Sequence[Array]) -> Tree:
        """Arrays as a tree like the argument (or a tuple of trees like the arguments) differentiated."""
        trees = self._rebuild(arrays)
        return trees[0] if self.single else tuple(trees)


def _flattened(arguments: list[Tree]) -> tuple[list[Any], Callable[[Sequence[Any]], Sequence[Tree]]]:
    """As `tree.flatten`; arguments that are arrays are leaves, which need not be put together."""
    for argument in arguments:
        if not is_array(argument):
            return tree.flatten(arguments)
    return arguments, _same


def _same(leaves: Sequence[Any]) -> Sequence[Tree]:
    return leaves
