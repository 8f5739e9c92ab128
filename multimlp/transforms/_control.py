"""Loops and branches that depend on the values of arrays, eager and compiled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from multimlp import tree
from multimlp.backend import Array, Backend, array_namespace, common_owner, is_array, owner
from multimlp.errors import DTypeError, InputError, ShapeError
from multimlp.errors.checks import refuse
from multimlp.transforms._call import Outputs, backend_of, check_transformed, explained
from multimlp.transforms._carry import arrays_alone, carried, kept, places_of
from multimlp.transforms._engine import engine
from multimlp.transforms._scan import scan
from multimlp.tree import Tree


def while_loop(cond_fun: Callable[[Tree], Any], body_fun: Callable[[Tree], Tree], init_val: Tree) -> Tree:
    """``carry = body_fun(carry)`` while ``cond_fun(carry)``; the last carry.

    Parameters
    ----------
    cond_fun : callable
        From the carry to a boolean of shape ().
    body_fun : callable
        From the carry to the next one, of the same structure, shapes and dtypes.
    init_val : tree of arrays
        A Python float is an array of shape () of the first floating dtype given, else of the selected one.

    Returns
    -------
    tree of arrays
        Of the structure, shapes and dtypes of ``init_val``.

    Notes
    -----
    Reverse mode needs to know how many steps there are: JAX refuses it, and so does XLA on TensorFlow; `fori_loop` and `scan` have it.
    Other backends differentiate the steps that were made.

    Raises
    ------
    InputError, ShapeError, DTypeError
        If the condition is no boolean of shape (), or the carry changes its structure, a shape or a dtype.
    MixedBackendsError

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> float(mm.while_loop(lambda x: x < 100.0, lambda x: x * 2.0, np.asarray(3.0)))
    192.0
    """
    check_transformed("while_loop", cond_fun)
    check_transformed("while_loop", body_fun)
    carry, rebuild = tree.flatten(init_val)
    backend = backend_of(carry)
    carry = carried("while_loop", backend, carry)
    places = places_of(init_val)

    def condition(arrays: Sequence[Array]) -> Array:
        return _boolean("while_loop: cond_fun", backend, cond_fun(rebuild(arrays)))

    def body(arrays: Sequence[Array]) -> tuple[Array, ...]:
        before = rebuild(arrays)
        return kept("while_loop", backend, before, body_fun(before), places)

    with backend.scope_of(*carry):
        return rebuild(explained(backend, engine(backend, carry).while_loop, condition, body, tuple(carry)))


def fori_loop(lower: Any, upper: Any, body_fun: Callable[[Array, Tree], Tree], init_val: Tree) -> Tree:
    """``carry = body_fun(i, carry)`` for i from ``lower`` up to and without ``upper``; the last carry.

    Parameters
    ----------
    lower, upper : int or integer array of shape ()
        Python integers make a loop of known length, which has all derivatives; of arrays it is a `while_loop`.
    body_fun : callable
        From an integer array of shape () and the carry to the next carry, of the same structure, shapes and dtypes.
    init_val : tree of arrays
        As for `while_loop`.

    Returns
    -------
    tree of arrays
        Of the structure, shapes and dtypes of ``init_val``.

    Raises
    ------
    InputError, ShapeError, DTypeError, MixedBackendsError
        As for `while_loop`; if a bound is no integer.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> float(mm.fori_loop(1, 6, lambda i, product: product * i, np.asarray(1.0)))
    120.0
    """
    check_transformed("fori_loop", body_fun)
    lower, upper = (int(bound) if isinstance(bound, np.integer) else bound for bound in (lower, upper))
    given = [bound for bound in (lower, upper) if is_array(bound)]
    backend = backend_of((*tree.leaves(init_val), *given))
    bounds = [_bound(backend, name, bound) for name, bound in (("lower", lower), ("upper", upper))]
    xp = array_namespace(*given) if given else backend.xp
    if not given:
        numbers = xp.arange(bounds[0], max(bounds))
        return scan(lambda carry, i: (body_fun(i, carry), None), init_val, numbers)[0]
    first, last = (bound if is_array(bound) else xp.asarray(bound, dtype=given[0].dtype) for bound in bounds)
    return while_loop(lambda c: c[0] < last, lambda c: (c[0] + 1, body_fun(*c)), (first, init_val))[1]


def _bound(backend: Backend, name: str, bound: Any) -> Any:
    if is_array(bound) and tuple(bound.shape) == () and backend.xp.isdtype(bound.dtype, "integral"):
        return bound
    if isinstance(bound, int) and not isinstance(bound, bool):
        return bound
    raise refuse(f"fori_loop: {name}", "an integer, or an integer array of shape ()", bound)


def cond(pred: Any, true_fun: Callable[..., Tree], false_fun: Callable[..., Tree], *operands: Tree) -> Tree:
    """``true_fun(*operands)`` if ``pred`` is true, else ``false_fun(*operands)``.

    Parameters
    ----------
    pred : bool, or array of shape ()
        Numbers are true unless they are 0.
    true_fun, false_fun : callable
        Both return trees of arrays, of the same structure, shapes and dtypes. Compiled, both are traced and one is run; eager, one is
        called. Under `vmap`, where the condition differs from row to row, both are computed on JAX, torch and TensorFlow.
    *operands : tree
        What is no array, or Python float, is a constant.

    Returns
    -------
    tree of arrays
        What the branch taken returns.

    Raises
    ------
    InputError, ShapeError
        If ``pred`` is no scalar; if a branch returns what is no array, or another tree than the other one.
    MixedBackendsError

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> f = lambda x: mm.cond(x > 0.0, lambda x: x * x, lambda x: -x, x)
    >>> float(f(np.asarray(3.0))), float(mm.grad(f)(np.asarray(-2.0)))
    (9.0, -1.0)
    """
    check_transformed("cond", true_fun)
    check_transformed("cond", false_fun)
    leaves, rebuild = tree.flatten(operands)
    if isinstance(pred, np.generic) and common_owner(leaves) not in (None, owner(pred)):
        pred = bool(pred)  # a number of NumPy's beside arrays of another library
    if isinstance(pred, (bool, int, float)):
        return (true_fun if pred else false_fun)(*operands)
    backend = backend_of((pred, *leaves))
    places = [i for i, leaf in enumerate(leaves) if is_array(leaf)]
    outputs = Outputs()
    structures: set[str] = set()  # of the branches that are looked at: one where values are known, else both

    def branch(function: Callable[..., Tree]) -> Callable[[Sequence[Array]], tuple[Array, ...]]:
        def run(arrays: Sequence[Array]) -> tuple[Array, ...]:
            filled = list(leaves)
            for i, array in zip(places, arrays, strict=True):
                filled[i] = array
            result = arrays_alone("cond: a branch must return", function(*rebuild(filled)))
            structures.add(tree.structure(result))
            if len(structures) > 1:
                raise InputError(
                    f"cond: both branches must return trees of the same structure, got {' and '.join(sorted(structures))}"
                )
            return outputs.split(result)

        return run

    arrays = tuple(leaves[i] for i in places)
    with backend.scope_of(pred, *arrays):
        condition = _boolean("cond: pred", backend, pred)
        found = explained(
            backend,
            engine(backend, (condition, *arrays)).cond,
            condition,
            branch(true_fun),
            branch(false_fun),
            arrays,
        )
    return outputs.join(found)


def _boolean(where: str, backend: Backend, value: Any) -> Any:
    """The value as a boolean array of shape (), or as Python's."""
    if isinstance(value, bool):
        return value
    if not is_array(value):
        raise refuse(where, "a boolean, or a boolean array of shape ()", value)
    if tuple(value.shape) != ():
        raise ShapeError(
            f"{where} has shape {tuple(value.shape)}; it must be one boolean, of shape (): use xp.all, xp.any, or xp.where"
        )
    if backend.dtype_name(value.dtype) == "bool":
        return value
    if where.startswith("while_loop"):
        raise DTypeError(
            f"{where} returned {backend.dtype_name(value.dtype)}; it must be a boolean, e.g. x > 0"
        )
    return array_namespace(value).not_equal(value, 0)
