"""Trees: nested tuples, named tuples, lists and dicts whose leaves are anything else; ``None`` is a tree without leaves.

One small definition instead of a library: the frameworks' own tree functions (``jax.tree``, ``torch.utils._pytree``, ``tf.nest``)
disagree about ``None``, about the order of dict keys and about named tuples, and parameters must be the same tree on all of them.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

from multimlp.errors import InputError

Tree: TypeAlias = Any
"""A leaf, ``None``, or a tuple, named tuple, list or dict of trees."""


def _rebuild(node: Any, children: Iterable[Any]) -> Any:
    if isinstance(node, dict):
        return dict(zip(node, children, strict=True))
    if hasattr(node, "_fields"):
        return type(node)(*children)
    return type(node)(children)


def _children(node: Any) -> tuple[Any, ...] | None:
    """The subtrees of a node, or None for a leaf."""
    if node is None:
        return ()
    if isinstance(node, dict):
        return tuple(node.values())
    if isinstance(node, (tuple, list)):
        return tuple(node)
    return None


def map(function: Callable[..., Any], tree: Tree, *rest: Tree) -> Tree:  # noqa: A001 - the field's standard name
    """Apply ``function`` to each leaf of ``tree`` and the leaves at the same place in ``rest``.

    Parameters
    ----------
    function : callable
        Of as many leaves as there are trees.
    tree : tree
    *rest : trees of the same structure

    Returns
    -------
    tree
        Of the structure of ``tree``; None stays None.

    Raises
    ------
    InputError
        If the trees have different structures, or ``function`` cannot be called.

    Examples
    --------
    >>> from multimlp import tree
    >>> tree.map(lambda a, b: a + b, {"w": 1, "b": (2, None)}, {"w": 10, "b": (20, None)})
    {'w': 11, 'b': (22, None)}
    """
    if not callable(function):
        raise InputError(
            f"function: expected a function of a leaf, got {function!r} of type {type(function).__name__}"
        )
    return _map(function, tree, *rest)


def _map(function: Callable[..., Any], tree: Tree, *rest: Tree) -> Tree:
    children = _children(tree)
    if children is None:
        return function(tree, *rest)
    if tree is None:
        return None
    others = [_matching_children(tree, other) for other in rest]
    return _rebuild(tree, (_map(function, *group) for group in zip(children, *others, strict=True)))


def _matching_children(tree: Tree, other: Tree) -> tuple[Any, ...]:
    if isinstance(tree, dict) and isinstance(other, dict) and tree.keys() == other.keys():
        return tuple(other[key] for key in tree)
    children = _children(other)
    size = len(_children(tree) or ())
    if isinstance(tree, dict) or isinstance(other, dict) or children is None or len(children) != size:
        raise _different(tree, other)
    return children


def _different(tree: Tree, other: Tree) -> InputError:
    return InputError(f"trees of different structure: {structure(tree)} against {structure(other)}")


def leaves(tree: Tree) -> list[Any]:
    """The leaves in order: of dicts in that of their keys, None left out.

    Parameters
    ----------
    tree : tree

    Returns
    -------
    list

    Examples
    --------
    >>> from multimlp import tree
    >>> tree.leaves({"w": 1, "b": (2, None, [3])})
    [1, 2, 3]
    """
    found: list[Any] = []
    _collect(tree, found)
    return found


def _collect(tree: Tree, found: list[Any]) -> None:
    if isinstance(tree, (tuple, list)):
        for child in tree:
            _collect(child, found)
    elif isinstance(tree, dict):
        for child in tree.values():
            _collect(child, found)
    elif tree is not None:
        found.append(tree)


def leaves_like(tree: Tree, other: Tree) -> list[Any]:
    """The leaves of ``other`` in the order of the leaves of ``tree``: by the keys of dicts, whatever their order.

    Parameters
    ----------
    tree, other : trees of the same structure

    Returns
    -------
    list

    Raises
    ------
    InputError
        If the trees differ in structure.

    Examples
    --------
    >>> from multimlp import tree
    >>> tree.leaves_like({"w": 1, "b": (2, None)}, {"b": (20, None), "w": 10})
    [10, 20]
    """
    found: list[Any] = []
    _collect_like(tree, other, found)
    return found


def _collect_like(tree: Tree, other: Tree, found: list[Any]) -> None:
    children = _children(tree)
    if children is None:
        if _children(other) is not None:
            raise _different(tree, other)
        found.append(other)
        return
    if (tree is None) != (other is None):
        raise _different(tree, other)
    for child, twin in zip(children, _matching_children(tree, other), strict=True):
        _collect_like(child, twin, found)


def paths(tree: Tree) -> list[tuple[str, ...]]:
    """Where each leaf is, in the order of `leaves`: keys of dicts, fields of named tuples, positions in sequences.

    Parameters
    ----------
    tree : tree

    Returns
    -------
    list of tuple of str

    Examples
    --------
    >>> from multimlp import tree
    >>> tree.paths({"w": 1, "b": (2, None, [3])})
    [('w',), ('b', '0'), ('b', '2', '0')]
    """
    children = _children(tree)
    if children is None:
        return [()]
    if isinstance(tree, dict):
        steps = [str(key) for key in tree]
    else:
        steps = list(getattr(tree, "_fields", None) or (str(i) for i in range(len(children))))
    return [(step, *path) for step, child in zip(steps, children, strict=True) for path in paths(child)]


def keyed(tree: Tree) -> tuple[list[Any], tuple[Any, ...]]:
    """The leaves, and something hashable that trees of the same structure have in common.

    Parameters
    ----------
    tree : tree

    Returns
    -------
    leaves : list
    key : tuple

    Examples
    --------
    >>> from multimlp import tree
    >>> tree.keyed((1, {"a": 2}))[1] == tree.keyed((3, {"a": 4}))[1] != tree.keyed((3, {"b": 4}))[1]
    True
    """
    found: list[Any] = []
    nodes: list[Any] = []
    _collect_keyed(tree, found, nodes)
    return found, tuple(nodes)


def _collect_keyed(tree: Tree, found: list[Any], nodes: list[Any]) -> None:
    if isinstance(tree, (tuple, list)):
        nodes.append((type(tree), len(tree)))
        for child in tree:
            _collect_keyed(child, found, nodes)
    elif isinstance(tree, dict):
        nodes.append((type(tree), tuple(tree)))
        for child in tree.values():
            _collect_keyed(child, found, nodes)
    else:
        nodes.append(tree is None)
        if tree is not None:
            found.append(tree)


def flatten(tree: Tree) -> tuple[list[Any], Callable[[Iterable[Any]], Tree]]:
    """The leaves, and a function that puts as many new leaves into the same structure.

    Parameters
    ----------
    tree : tree

    Returns
    -------
    leaves : list
    unflatten : callable
        Of an iterable of new leaves; `InputError` for another number of them.

    Examples
    --------
    >>> from multimlp import tree
    >>> flat, unflatten = tree.flatten((1, {"a": 2}))
    >>> unflatten(10 * leaf for leaf in flat)
    (10, {'a': 20})
    """
    flat = leaves(tree)
    return flat, lambda new_leaves: _filled(tree, iter(_as_many(new_leaves, len(flat), tree)))


def _as_many(new_leaves: Iterable[Any], count: int, tree: Tree) -> list[Any]:
    try:
        supply = list(() if isinstance(new_leaves, str) else new_leaves)
    except TypeError:
        kind = type(new_leaves).__name__
        raise InputError(f"leaves: expected {count} in a sequence, got {kind}") from None
    if len(supply) != count:
        raise InputError(f"expected {count} leaves for the tree {structure(tree)}, got {len(supply)}")
    return supply


def _filled(tree: Tree, supply: Iterator[Any]) -> Tree:
    """As `_map` of what comes next, without its generators: each call of a transform does this."""
    if isinstance(tree, (tuple, list)):
        children = [_filled(child, supply) for child in tree]
        return tuple(children) if type(tree) is tuple else _rebuild(tree, children)
    if isinstance(tree, dict):
        return {key: _filled(child, supply) for key, child in tree.items()}
    return None if tree is None else next(supply)


def rebuilder(tree: Tree) -> Callable[[Iterable[Any]], Tree]:
    """The second half of `flatten` without the first: it knows the structure, and keeps no leaf of the tree alive.

    Parameters
    ----------
    tree : tree

    Returns
    -------
    callable
        As the second result of `flatten`.

    Examples
    --------
    >>> from multimlp import tree
    >>> tree.rebuilder((1, {"a": 2}))([10, 20])
    (10, {'a': 20})
    """
    shape = _map(lambda _: 0, tree)
    count, make = _maker(shape, 0)
    return lambda new_leaves: make(_as_many(new_leaves, count, shape))


def _maker(tree: Tree, start: int) -> tuple[int, Callable[[list[Any]], Tree]]:
    """Where the leaves that begin at ``start`` end, and what puts them together: in a third of the time of `_filled`, if done often."""
    children = _children(tree)
    if children is None:
        return start + 1, operator.itemgetter(start)
    if tree is None:
        return start, lambda leaves: None
    end, parts = start, []
    for child in children:
        end, part = _maker(child, end)
        parts.append(part)
    take: Callable[[list[Any]], list[Any]] = lambda leaves: [part(leaves) for part in parts]  # noqa: E731
    if all(_children(child) is None for child in children):
        take = operator.itemgetter(slice(start, end))
    kind = type(tree)
    if isinstance(tree, dict):
        keys = tuple(tree)
        return end, lambda leaves: dict(zip(keys, take(leaves), strict=True))
    if hasattr(tree, "_fields"):
        return end, lambda leaves: kind(*take(leaves))
    return end, lambda leaves: kind(take(leaves))


def structure(tree: Tree) -> str:
    """The shape of the tree as text, for messages.

    Parameters
    ----------
    tree : tree

    Returns
    -------
    str

    Examples
    --------
    >>> from multimlp import tree
    >>> tree.structure((1, {"a": [2, None]}))
    "(*, {'a': [*, None]})"
    """
    children = _children(tree)
    if children is None:
        return "*"
    if tree is None:
        return "None"
    if isinstance(tree, dict):
        return "{" + ", ".join(f"{key!r}: {structure(value)}" for key, value in tree.items()) + "}"
    inner = ", ".join(structure(child) for child in children)
    if isinstance(tree, list):
        return f"[{inner}]"
    if hasattr(tree, "_fields"):
        return f"{type(tree).__name__}({inner})"
    return f"({inner},)" if len(children) == 1 else f"({inner})"


def size_of(value: Tree) -> str:
    """How much a tree of arrays holds, in words.

    Parameters
    ----------
    value : tree of arrays

    Returns
    -------
    str

    Examples
    --------
    >>> import multimlp as mm
    >>> mm.tree.size_of(mm.MLP(4, 5, 3).init(seed=0))
    '43 numbers in 4 arrays'
    """
    arrays = [leaf for leaf in leaves(value) if hasattr(leaf, "shape")]
    numbers = sum(math.prod(int(extent) for extent in array.shape) for array in arrays)
    return f"{numbers} numbers in {len(arrays)} array{'s' * (len(arrays) != 1)}"
