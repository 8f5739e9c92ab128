"""Loops that carry a state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from multimlp import tree
from multimlp.backend import Array, array_namespace, is_array
from multimlp.errors import InputError, ShapeError
from multimlp.errors.checks import check_whole, flag
from multimlp.transforms._call import Outputs, backend_of, check_transformed, explained
from multimlp.transforms._carry import arrays_alone, carried, kept, places_of, zeros_like
from multimlp.transforms._engine import engine
from multimlp.tree import Tree


def scan(
    f: Callable[[Tree, Tree], tuple[Tree, Tree]],
    init: Tree,
    xs: Tree,
    length: int | None = None,
    reverse: bool = False,
) -> tuple[Tree, Tree]:
    """``carry, y = f(carry, x)`` over the leading axis of ``xs``; the last carry and all ``y``, stacked.

    Parameters
    ----------
    f : callable
        ``(carry, x) -> (carry, y)``; the carry keeps its structure, shapes and dtypes. Of no steps, it is called once, with zeros for
        ``x``, to learn the shapes of ``y``.
    init : tree of arrays
        A Python float is an array of shape () of the first floating dtype given, else of the selected one.
    xs : tree of arrays with the same leading size, or None
    length : int, optional
        Number of steps; needed when ``xs`` is None.
    reverse : bool
        From the last ``x`` to the first; each ``y`` stands where its ``x`` stood.

    Returns
    -------
    carry : tree of arrays
        Of the structure, shapes and dtypes of ``init``.
    ys : tree of arrays
        Like ``y`` of one step, with a leading axis of steps.

    Raises
    ------
    InputError
        If ``f`` returns no pair, or a carry of another structure; if ``init``, ``xs`` or ``y`` hold what is no array.
    ShapeError, DTypeError
        If the carry changes a shape or a dtype, or the leading sizes differ.
    MixedBackendsError

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> total, partial = mm.scan(lambda c, x: (c + x, c + x), np.asarray(0.0), np.arange(4.0))
    >>> float(total), partial
    (6.0, array([0., 1., 3., 6.]))
    """
    check_transformed("scan", f)
    from_the_end = flag("scan: reverse", reverse)
    carry, rebuild_carry = tree.flatten(init)
    items, rebuild_items = tree.flatten(xs)
    steps = _steps(items, length)
    backend, outputs = backend_of((*carry, *items)), Outputs()
    carry = carried("scan", backend, carry, items)
    places = places_of(init)
    structures: set[str] = set()  # of y: of steps that are called one by one

    def step(carry: Sequence[Array], items: Sequence[Array]) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        before = rebuild_carry(carry)
        after, row = _pair(f(before, rebuild_items(items)))
        structures.add("*" if is_array(row) else tree.structure(row))
        if len(structures) > 1:
            raise InputError(
                f"scan: y must be a tree of the same structure in every step, got {' and '.join(sorted(structures))}"
            )
        return kept("scan", backend, before, after, places), outputs.split(
            arrays_alone("scan: y must hold", row)
        )

    with backend.scope_of(*carry, *items):
        if steps == 0:
            rows = explained(
                backend, step, carry, [zeros_like(item, tuple(item.shape)[1:]) for item in items]
            )[1]
            last, rows = tuple(carry), tuple(zeros_like(row, (0, *tuple(row.shape))) for row in rows)
        else:
            if from_the_end:
                items = list(map(_flipped, items))
            last, rows = explained(
                backend, engine(backend, (*carry, *items)).scan, step, tuple(carry), tuple(items), steps
            )
            if from_the_end:
                rows = tuple(map(_flipped, rows))
    return rebuild_carry(last), outputs.join(rows)


def _steps(items: Sequence[Any], length: int | None) -> int:
    if length is not None:
        try:
            length = check_whole("scan: length", length, low=0)
        except InputError:
            raise InputError(f"scan: length must be an integer >= 0, got {length!r}") from None
    sizes = set() if length is None else {length}
    for item in items:
        if not is_array(item):
            raise InputError(f"scan: xs must hold arrays, got {item!r} of type {type(item).__name__}")
        if not tuple(item.shape):
            raise ShapeError("scan: an array of xs has shape (); it needs a leading axis to loop over")
        sizes.add(int(item.shape[0]))
    if len(sizes) != 1:
        raise ShapeError(
            f"scan: the leading sizes of xs and length must agree, got {', '.join(map(str, sorted(sizes))) or 'none'}"
        )
    return sizes.pop()


def _flipped(x: Array) -> Array:
    return array_namespace(x).flip(x, axis=0)


def _pair(result: Any) -> tuple[Tree, Tree]:
    if not (isinstance(result, tuple) and len(result) == 2):
        size = f" of {len(result)}" if isinstance(result, tuple) else ""
        raise InputError(f"scan: the function must return (carry, y), got {type(result).__name__}{size}")
    return result
