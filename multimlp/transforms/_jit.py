"""Compilation, once for each kind of arguments."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from multimlp import registry, tree
from multimlp.backend import Backend
from multimlp.errors import InputError
from multimlp.registry import Array
from multimlp.selection import select
from multimlp.transforms._call import ArgNums, Outputs, backend_of


def jit(
    f: Callable[..., Any], static_argnums: ArgNums = (), compiler: str | None = None
) -> Callable[..., Any]:
    """Compile a function; on backends without a compiler it is returned working as it is.

    Arrays (and Python floats, as 0-d arrays) are inputs of the compiled function; everything else among the leaves of the
    arguments (integers, strings, callables, ...) is a constant: another value compiles again.

    Parameters
    ----------
    f : callable
        Pure: of its arguments only, without side effects.
    static_argnums : int or sequence of int
        Positional arguments to treat as constants although they hold arrays or floats; must be hashable.
    compiler : str, optional
        One of the backend's ``capabilities.compilers``, or ``"none"``.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> mm.jit(lambda x: mm.activations.relu(x) + 1.0)(np.asarray([-1.0, 1.0]))
    array([1., 2.])
    """
    compiled: dict[Any, tuple[Callable[..., Any], Outputs]] = {}
    fixed = {static_argnums} if isinstance(static_argnums, int) else set(static_argnums)

    @functools.wraps(f)
    def transformed(*args: Any, **kwargs: Any) -> Any:
        leaves, rebuild = tree.flatten((args, kwargs))
        held = {id(leaf) for p in fixed if p < len(args) for leaf in tree.leaves(args[p])}
        dynamic = [
            i
            for i, leaf in enumerate(leaves)
            if id(leaf) not in held and (registry.is_array(leaf) or isinstance(leaf, float))
        ]
        backend = backend_of([leaves[i] for i in dynamic])
        constants = {i: leaf for i, leaf in enumerate(leaves) if i not in set(dynamic)}
        kind = _float_kind(backend, [leaves[i] for i in dynamic])
        arrays = tuple(
            leaf if registry.is_array(leaf) else backend.asarray(leaf, dtype=kind)
            for leaf in (leaves[i] for i in dynamic)
        )
        traced = registry.array_namespace(*arrays) is not backend.xp if arrays else False
        signature = tuple((tuple(a.shape), str(a.dtype)) for a in arrays)
        key = (
            backend.name,
            traced,
            tree.structure((args, kwargs)),
            _hashable(constants),
            tuple(dynamic),
            signature,
        )
        if key not in compiled:
            outputs = Outputs()

            def flat(arrays: Sequence[Array]) -> tuple[Array, ...]:
                filled = [constants.get(i) for i in range(len(leaves))]
                for i, array in zip(dynamic, arrays, strict=True):
                    filled[i] = array
                inner_args, inner_kwargs = rebuild(filled)
                return outputs.split(f(*inner_args, **inner_kwargs))

            compiled[key] = (flat if traced else backend.compile(flat, compiler)), outputs
        function, outputs = compiled[key]
        with backend.scope_of(*arrays):
            return outputs.join(function(arrays))

    return transformed


def _float_kind(backend: Backend, leaves: Sequence[Any]) -> str:
    for leaf in leaves:
        if registry.is_array(leaf) and backend.xp.isdtype(leaf.dtype, "real floating"):
            return backend.dtype_name(leaf.dtype)
    return select(backend).dtype


def _hashable(constants: dict[int, Any]) -> tuple[Any, ...]:
    items = tuple((i, type(value), value) for i, value in constants.items())
    try:
        hash(items)
    except TypeError as error:
        raise InputError(f"jit: an argument that is no array must be hashable: {error}") from error
    return items
