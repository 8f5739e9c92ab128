"""The backward pass, and the transforms made of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from multimlp._typing import Array, Arrays, Library
from multimlp.errors import InputError, NonScalarError, NotDifferentiableError
from multimlp.tape._state import RECORDING, call_with, new_level
from multimlp.tape.core import Node, Traced, next_order
from multimlp.tape.linear import check_same_shapes
from multimlp.tape.namespace import TracedNamespace, owned, refuses_traced, traced_type


def value_and_grad(
    function: Callable[[Arrays], tuple[Array, Arrays]], library: Library
) -> Callable[[Arrays], tuple[Array, Arrays, Arrays]]:
    """Reverse mode for a scalar function of a tuple of arrays.

    Parameters
    ----------
    function : callable
        ``function(arrays) -> (value, auxiliary)``: a 0-d array, and a tuple of further outputs that are
        handed through.
    library : Library
        Whose arrays these are.

    Returns
    -------
    callable
        ``arrays -> (value, auxiliary, gradients)``, each gradient of the shape and dtype of its array, zeros
        for an array that the value does not depend on.

    Raises
    ------
    InputError
        If an argument is no array of the library.
    NotDifferentiableError
        If an array is not of a real floating-point dtype.
    NonScalarError
        If the value is not 0-d.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> from multimlp import tape
    >>> library = mm.get_backend("numpy")
    >>> value, _, (g,) = tape.value_and_grad(lambda xs: (xs[0] * xs[0] * xs[0], ()), library)((np.asarray(2.0),))
    >>> float(value), float(g)
    (8.0, 12.0)
    """

    def run(arrays: Arrays) -> tuple[Array, Arrays, Arrays]:
        xp, level, leaves = _open(arrays, library)
        value, auxiliary = call_with((*RECORDING.levels, (library, level)), function, leaves)
        shape = getattr(value, "shape", ())
        if tuple(shape) != ():
            raise NonScalarError(
                f"value_and_grad: the function must return a scalar (an array of shape ()), got shape "
                f"{tuple(shape)}; reduce it, e.g. with xp.sum or xp.mean"
            )
        auxiliary = tuple(_lower(a, level) for a in auxiliary)
        if not _is_at(value, level):
            return value, auxiliary, _gradients(xp, {}, leaves, arrays)
        result, node = value.value, value.node
        del value
        cotangents = _backward(xp, [(node, xp.ones_like(result))], release=True)
        return result, auxiliary, _gradients(xp, cotangents, leaves, arrays)

    return run


def vjp(
    function: Callable[[Arrays], Arrays], arrays: Arrays, library: Library
) -> tuple[Arrays, Callable[[Arrays], Arrays]]:
    """The outputs of a function of a tuple of arrays, and the map from cotangents of the outputs to
    cotangents of the inputs.

    Parameters
    ----------
    function : callable
        From a tuple of arrays to a tuple of arrays.
    arrays : tuple of array
        Real floating-point arrays.
    library : Library
        Whose arrays these are.

    Returns
    -------
    outputs : tuple of array
    pullback : callable
        ``pullback(cotangents)``: one cotangent for each output, of its shape, to one for each input (zeros
        where nothing depends on it). It may be called any number of times. That of an integer or boolean
        output does not count.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> from multimlp import tape
    >>> library = mm.get_backend("numpy")
    >>> outputs, pullback = tape.vjp(lambda xs: (xs[0] * xs[1],), (np.asarray(2.0), np.asarray(5.0)), library)
    >>> [float(c) for c in pullback((np.asarray(1.0),))]
    [5.0, 2.0]
    """
    xp, level, leaves = _open(arrays, library)
    traced_outputs = tuple(call_with((*RECORDING.levels, (library, level)), function, leaves))
    outputs = tuple(_lower(y, level) for y in traced_outputs)

    def pullback(cotangents: Arrays) -> Arrays:
        check_same_shapes("cotangents", "output", outputs, cotangents)
        seeds = [(y.node, g) for y, g in zip(traced_outputs, cotangents, strict=True) if _is_at(y, level)]
        return _gradients(xp, _backward(xp, seeds, release=False), leaves, arrays, cotangents)

    return outputs, pullback


# ---- levels --------------------------------------------------------------------------------------


def _namespace_of(library: Library) -> TracedNamespace:
    namespace: TracedNamespace = traced_type(library).__multimlp_namespace__
    return namespace


def _open(arrays: Arrays, library: Library) -> tuple[TracedNamespace, int, tuple[Traced, ...]]:
    """A new level with each array traced at it."""
    xp, level = checked(arrays, library), new_level()
    return xp, level, tuple(xp.traced(array, level) for array in arrays)


def checked(arrays: Arrays, library: Library) -> TracedNamespace:
    """What computes with the arrays where they are differentiated, if they can be."""
    xp = _namespace_of(library)
    for i, array in enumerate(arrays):
        if hasattr(array, "dtype") and not xp.owns(array):
            raise InputError(
                f"argument {i}: expected an array of the {library.name} library, got {type(array).__name__}"
            )
        if not _differentiable(xp, array):
            what = getattr(array, "dtype", type(array).__name__)
            raise NotDifferentiableError(
                f"argument {i} is {what}: derivatives exist with respect to real floating-point arrays. "
                "Convert it with xp.astype(x, xp.float64), or keep it out of the arguments to differentiate"
            )
    return xp


def _differentiable(xp: TracedNamespace, x: Any) -> bool:
    return xp.owns(x) and xp.is_real_floating(x.dtype)


def _is_at(x: Any, level: int) -> bool:
    return isinstance(x, Traced) and x.level == level


def _lower(x: Any, level: int) -> Any:
    return x.value if _is_at(x, level) else x


# ---- backward ------------------------------------------------------------------------------------


def _backward(xp: TracedNamespace, seeds: Sequence[tuple[Node, Any]], release: bool) -> dict[int, Any]:
    """The cotangents of the leaves, by the order in which they were made.

    With ``release``, each operation is forgotten as soon as it is done with, so that memory is freed on the
    way back.
    """
    traced, refusing = xp.traced, refuses_traced(xp.library)
    cotangents: dict[int, Any] = {}
    own: set[int] = set()  # sums made here, which nobody else holds
    for node, g in seeds:
        _accumulate(cotangents, node[0], g)
    nodes = reachable(node for node, _ in seeds)
    while nodes:
        node = nodes.pop()
        order, shape, parents, rules, y, args, params = node
        if order not in cotangents:  # it leads to those results of a checkpoint that do not count
            continue
        g = cotangents.pop(order)
        if release:
            node[2:] = _FORGOTTEN
        if shape is None:  # several results, of which g is None for those that do not count
            if rules is AGAIN:
                _run_again(args[0], g, cotangents, nodes)
                continue
            g = tuple(xp.zeros_like(b) if a is None else a for a, b in zip(g, y, strict=True))
        if refusing and (
            shape is None or type(g) is traced or type(y) is traced or traced in map(type, args)
        ):
            g, y, args = _lift(xp, (g, y, args))
        for parent, rule in zip(parents, rules, strict=True):
            c = rule(xp, g, y, *args, **params) if params else rule(xp, g, y, *args)
            to, wanted = parent[0], parent[1]
            known = cotangents.get(to)
            if wanted is None:
                _accumulate(cotangents, to, c)
                continue
            if c.shape != wanted:
                c = _sum_to(xp, c, wanted)
            if known is None:
                cotangents[to] = c
            elif to in own and type(known) is type(c) and known.dtype == c.dtype:
                known += c
                cotangents[to] = known
            else:
                cotangents[to] = total = known + c
                (own.discard if type(total) in xp.wrapped else own.add)(to)
        g = y = args = c = known = None
    return cotangents


_FORGOTTEN = ((), (), None, (), None)
"""The second half of a node without parents."""


AGAIN: Any = "run again"
"""In the place of a node's rules: its operations were not kept, and are recorded anew by calling its argument. `checkpoint` makes such."""


def _run_again(
    record: Callable[[], Sequence[tuple[Node, int]]], g: Any, cotangents: dict[int, Any], nodes: list[Node]
) -> None:
    """The nodes that stand for one come last among those to be done, so that sums have the order that they would have had."""
    since = next_order()
    found = [(node, g[i]) for node, i in record() if g[i] is not None]
    for node, c in found:
        _accumulate(cotangents, node[0], c)
    nodes.extend(reachable((node for node, _ in found), since))


def _lift(xp: TracedNamespace, values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Values for a rule, all traced if one of them is.

    A rule uses operators, and the plain array on the left of a traced one is free to refuse it, as MLX's do. Where they do not,
    constants stay plain: nobody wants their cotangents.
    """
    level = max(_levels_in(values), default=0)

    def lift(x: Any) -> Any:
        if isinstance(x, tuple):
            return type(x)(*map(lift, x)) if hasattr(x, "_fields") else tuple(map(lift, x))
        above = type(x) is xp.traced or (type(x) is xp.batched and x.level > level)
        return x if above or not _differentiable(xp, x) else xp.traced(x, level)

    return lift(values) if level else values


def _levels_in(values: tuple[Any, ...]) -> Iterator[int]:
    for x in values:
        if isinstance(x, tuple):
            yield from _levels_in(x)
        elif isinstance(x, Traced):
            yield x.level


def reachable(outputs: Iterable[Node], since: int = -1) -> list[Node]:
    """All operations behind the outputs, the earliest first; only those recorded after ``since``."""
    found: dict[int, Node] = {}
    stack = [node for node in outputs if node[2] and node[0] > since]
    while stack:
        node = stack.pop()
        order = node[0]
        if order not in found:
            found[order] = node
            stack.extend([parent for parent in node[2] if parent[2] and parent[0] > since])
    return [found[order] for order in sorted(found)]


def _accumulate(cotangents: dict[int, Any], order: int, c: Any) -> None:
    known = cotangents.get(order)
    if known is None:
        cotangents[order] = c
    elif isinstance(c, tuple):  # of an operation with several results, None for those that do not count
        pairs = zip(known, c, strict=True)
        cotangents[order] = tuple(b if a is None else a if b is None else a + b for a, b in pairs)
    else:
        cotangents[order] = known + c


def _sum_to(xp: TracedNamespace, g: Array, shape: tuple[int, ...]) -> Array:
    """Summed over the axes that broadcasting added or stretched."""
    extra = len(g.shape) - len(shape)
    stretched = (i + extra for i, n in enumerate(shape) if n == 1 and g.shape[i + extra] != 1)
    g = xp.sum(g, axis=(*range(extra), *stretched))
    return g if g.shape == shape else xp.reshape(g, shape)


def _gradients(
    xp: TracedNamespace, cotangents: dict[int, Any], leaves: Arrays, arrays: Arrays, given: Arrays = ()
) -> Arrays:
    """Each in memory of its own, which the caller may write to: rules hand on the cotangents that they are given, or views of them."""
    known = {id(c) for c in given}
    found = []
    for leaf, x in zip(leaves, arrays, strict=True):
        g = owned(xp, _gradient(xp, cotangents.get(leaf.node[0]), x), known)
        known.add(id(g))
        found.append(g)
    return tuple(found)


def _gradient(xp: TracedNamespace, g: Any, x: Array) -> Array:
    if g is None:
        return xp.zeros_like(x)
    if g.dtype != x.dtype and not xp.is_real_floating(g.dtype):
        g = xp.real(g)
    return g if g.dtype == x.dtype else xp.astype(g, x.dtype)
