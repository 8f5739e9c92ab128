"""Compilation, once for each kind of arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from multimlp import tree
from multimlp.backend import Array, Backend, is_traced, owner_of_type, select, selections
from multimlp.errors import InputError
from multimlp.errors.checks import refuse
from multimlp.transforms._call import (
    ArgNums,
    Outputs,
    backend_of,
    check_transformed,
    explained,
    floating_dtype,
    positions_given,
)
from multimlp.transforms._transformed import Transformed
from multimlp.tree import Tree


def jit(
    f: Callable[..., Any], static_argnums: ArgNums = (), compiler: str | None = None
) -> Callable[..., Any]:
    """Compile a function; on backends without a compiler it is returned working as it is.

    Arrays (and Python floats, as 0-d arrays) are inputs of the compiled function; everything else among the leaves of the
    arguments (integers, strings, callables, ...) is a constant: another value compiles again.

    Parameters
    ----------
    f : callable
        Pure: of its arguments only, without side effects; what is selected (`multimlp.use_backend`) counts among them.
    static_argnums : int or sequence of int
        Positional arguments to treat as constants although they hold arrays or floats; must be hashable.
    compiler : str, optional
        One of the backend's ``capabilities.compilers``, or ``"none"``. Default: the first of them; on torch, where the arrays hold
        16384 numbers or more, ``"inductor"``, if it finds a C++ compiler.

    Returns
    -------
    callable
        Of the arguments of ``f``; compiles at the first call, and again for other shapes, dtypes and constants.

    Raises
    ------
    CapabilityError
        If the backend has no such compiler, or (torch) if it fails.
    InputError
        If an argument that is no array cannot be hashed.

    Notes
    -----
    Control flow that depends on the values of arrays is refused by JAX and TensorFlow. On torch that part runs as Python between
    compiled parts, with the same results.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> mm.jit(lambda x: mm.activations.relu(x) + 1.0)(np.asarray([-1.0, 1.0]))
    array([1., 2.])
    """
    check_transformed("jit", f)
    if compiler is not None and not isinstance(compiler, str):
        raise refuse("jit: compiler", "the name of a compiler, 'none' or None", compiler)
    programs: dict[Any, _Program] = {}
    of_arrays: dict[Any, _Program] = {}
    """The same, of calls with nothing but arrays, alone or in trees, which are most: their key is found in a few microseconds."""
    static = positions_given("jit: static_argnums", static_argnums)
    fixed = {static} if isinstance(static, int) else set(static)

    def transformed(*args: Any, **kwargs: Any) -> Any:
        arrays: list[Any] = []
        seen: list[Any] = [*selections()]  # both keys hold what is selected
        short_key = tuple(seen) if not (kwargs or fixed) and _look(args, arrays, seen) else None
        if short_key in of_arrays:
            return of_arrays[short_key](arrays)
        leaves, structure = tree.keyed((args, kwargs))
        held = {id(leaf) for p in fixed if -len(args) <= p < len(args) for leaf in tree.leaves(args[p])}
        kinds = tuple([_kind(leaf, id(leaf) in held) for leaf in leaves])
        backend = backend_of(
            [leaf for leaf, kind in zip(leaves, kinds, strict=True) if kind[0] is not _CONSTANT]
        )
        key = backend.name, structure, kinds, *selections()
        try:
            program = programs.get(key)
        except TypeError as error:
            raise InputError(f"jit: an argument that is no array must be hashable: {error}") from error
        if program is None:
            program = programs[key] = _Program(f, (args, kwargs), kinds, backend, compiler)
        if short_key is not None:
            of_arrays[short_key] = program
        return program(leaves)

    return Transformed(transformed, jit, f, static_argnums, compiler)


def _look(nodes: Iterable[Any], arrays: list[Any], key: list[Any]) -> bool:
    """Put the leaves into ``arrays``, what `_kind` says of them and the structure into ``key``; False where a leaf is no array."""
    for node in nodes:
        cls = type(node)
        if owner_of_type(cls) is not None:
            arrays.append(node)
            key += (cls, tuple(node.shape), node.dtype)  # a shape may be a list
        elif isinstance(node, (tuple, list)):
            key += (cls, len(node))
            if not _look(node, arrays, key):
                return False
        elif isinstance(node, dict):
            key += (cls, tuple(node))
            if not _look(node.values(), arrays, key):
                return False
        elif node is None:
            key.append(None)
        else:
            return False
    return True


_CONSTANT = object()


def _kind(leaf: Any, held: bool) -> tuple[Any, ...]:
    """What of a leaf a compiled program depends on: of an array its type, shape and dtype, of a constant its value."""
    cls = type(leaf)
    if not held:
        if owner_of_type(cls) is not None:
            return cls, tuple(leaf.shape), leaf.dtype
        if issubclass(cls, float):
            return (float,)
    return _CONSTANT, cls, leaf, repr(leaf) if isinstance(leaf, (float, complex)) else None  # 0.0 == -0.0


class _Program:
    """A function compiled for one kind of arguments."""

    def __init__(
        self,
        f: Callable[..., Any],
        arguments: Tree,
        kinds: tuple[tuple[Any, ...], ...],
        backend: Backend,
        compiler: str | None,
    ) -> None:
        leaves = tree.leaves(arguments)
        dynamic = [i for i, kind in enumerate(kinds) if kind[0] is not _CONSTANT]
        constants = [leaf if kind[0] is _CONSTANT else None for leaf, kind in zip(leaves, kinds, strict=True)]
        rebuild = tree.rebuilder(arguments)
        outputs = Outputs(lasting=True)

        def as_it_is(arrays: Sequence[Array]) -> Tree:
            filled = list(constants)
            for i, array in zip(dynamic, arrays, strict=True):
                filled[i] = array
            args, kwargs = rebuild(filled)
            return f(*args, **kwargs)

        def flat(arrays: Sequence[Array]) -> tuple[Array, ...]:
            return outputs.split(as_it_is(arrays))

        arrays = [leaves[i] for i in dynamic if kinds[i][0] is not float]
        traced = is_traced(*arrays)
        self._function: Callable[..., Any] = flat if traced else backend.compile(flat, compiler)
        self._join: Callable[[Any], Tree] = outputs.join
        if self._function is flat:  # what it returns beside arrays is the call's own
            self._function, self._join = as_it_is, _unchanged
        self._backend, self._dynamic = backend, dynamic
        self._all_dynamic = len(dynamic) == len(leaves)
        self._floats = [n for n, i in enumerate(dynamic) if kinds[i][0] is float]
        self._one_of_each = [*{kinds[i][-1]: n for n, i in enumerate(dynamic)}.values()]
        """Where each dtype is, of Python's floats too."""

    def __call__(self, leaves: Sequence[Any]) -> Tree:
        backend = self._backend
        arrays = leaves if self._all_dynamic else [leaves[i] for i in self._dynamic]
        if self._floats:
            arrays = list(arrays)
            kind = _float_kind(backend, arrays)
            for n in self._floats:
                arrays[n] = backend.asarray(arrays[n], dtype=kind)
        with backend.scope_of(*[arrays[n] for n in self._one_of_each]):
            return self._join(explained(backend, self._function, tuple(arrays)))


def _unchanged(result: Tree) -> Tree:
    return result


def _float_kind(backend: Backend, leaves: Sequence[Any]) -> str:
    return floating_dtype(backend, leaves) or select(backend).dtype
