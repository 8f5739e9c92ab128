"""A loss of your own, minimised: no data set, no network, any tree of parameters."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from multimlp import tree
from multimlp.backend import Array, Backend, array_namespace, owner
from multimlp.errors.checks import check_function, check_whole, refuse
from multimlp.errors.shown import short_repr
from multimlp.optimizers._get import get
from multimlp.optimizers._optimizer import require_arrays
from multimlp.transforms import jit, value_and_grad
from multimlp.tree import Tree

_LOOKED_AT = 100
"""So many steps are made between two looks at the values, which would wait for the device."""


class MinimizeResult(NamedTuple):
    """What `minimize` found."""

    params: Tree
    value: float
    """The loss at these parameters."""
    values: tuple[float, ...]
    """The loss before each step."""
    steps: int
    """How many steps were made."""
    message: str
    """Why there is nothing left to do; empty where the steps were all made."""

    def __repr__(self) -> str:
        return short_repr(self)


def minimize(
    loss: Callable[..., Array],
    params: Tree,
    *args: Any,
    optimizer: Any = "lbfgs",
    steps: int = 1000,
    compiler: str | None = None,
) -> MinimizeResult:
    """Minimise ``loss(params, *args)`` over the parameters.

    Parameters
    ----------
    loss : callable
        Pure; returns a scalar. It is differentiated and compiled as by ``jit(value_and_grad(loss))``.
    params : tree of floating arrays
        Where to start; they stay as they are.
    *args
        What else the loss takes: trees of arrays, such as the points at which a differential equation is to hold. They are inputs
        of the compiled function; what the loss closes over is a constant of it.
    optimizer : str or optimizer
        As for `multimlp.fit`: ``"lbfgs"``, ``"adam"``, ``multimlp.optimizers.adam(learning_rate=1e-3)``. L-BFGS needs a loss that is
        the same function at every step.
    steps : int
        How many steps at most; with L-BFGS, iterations.
    compiler : str, optional
        As for `multimlp.jit`.

    Returns
    -------
    MinimizeResult

    Raises
    ------
    InputError, DTypeError
        If there are no floating arrays among the parameters, or ``loss`` is no function.
    NonScalarError
        If the loss returns no scalar.

    Notes
    -----
    Where the loss becomes infinite or NaN, the message says so; first-order optimisers see it within a hundred steps. L-BFGS on a CPU
    keeps its vectors in NumPy, whatever the library, since each small operation of a library that compiles takes long.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> def rosenbrock(p):
    ...     return (1.0 - p["a"]) ** 2 + 100.0 * (p["b"] - p["a"] ** 2) ** 2
    >>> found = mm.optimizers.minimize(rosenbrock, {"a": np.asarray(-1.2), "b": np.asarray(1.0)})
    >>> found.params["a"].round(6), found.message
    (np.float64(1.0), 'change of the value below tolerance')
    """
    check_function("loss", loss, "a function params -> scalar")
    count = check_whole("steps", steps, low=0)
    method = get(optimizer)
    leaves = tree.leaves(params)
    require_arrays(leaves)
    if not any(math.prod(leaf.shape) for leaf in leaves):
        raise refuse("params", "one number to change or more", params)
    backend = owner(*leaves)
    with backend.scope_of(*leaves):
        run = _by_line_search if getattr(method, "full_batch", False) else _by_updates
        return run(loss, params, args, method, count, compiler, backend)


def _by_line_search(
    loss: Callable[..., Array],
    params: Tree,
    args: tuple[Any, ...],
    method: Any,
    count: int,
    compiler: str | None,
    backend: Backend,
) -> MinimizeResult:
    """On one vector of all parameters, which the compiled function takes apart."""
    leaves, rebuild = tree.flatten(params)
    shapes = [tuple(leaf.shape) for leaf in leaves]
    dtype, device = backend.dtype_name(leaves[0].dtype), backend.device_name(leaves[0])
    state = method.init(params)
    on_host = device.startswith("cpu") and dtype in ("float32", "float64")

    def of_vector(vector: Array, args: tuple[Any, ...]) -> Array:
        return loss(rebuild(_pieces(vector, shapes)), *args)

    both = jit(value_and_grad(of_vector), compiler=compiler)

    def evaluate(vector: Array) -> tuple[float, Array]:
        value, gradient = both(given(vector), args)
        return float(value), backend.to_numpy(gradient) if on_host else gradient

    def given(vector: Array) -> Array:
        return backend.asarray(vector, dtype=dtype, device=device) if on_host else vector

    xp = array_namespace(*leaves)
    vector = xp.concat([xp.reshape(leaf, (-1,)) for leaf in leaves])
    vector = backend.to_numpy(vector) if on_host else vector
    value, gradient = evaluate(vector)
    state = state._replace(value=value, gradient=gradient, evaluations=1)
    values = []
    while not state.message and state.iterations < count:
        values.append(state.value)
        vector, state = method.flat_step(evaluate, vector, state)
    found = rebuild(_pieces(given(vector), shapes))
    return MinimizeResult(found, state.value, tuple(values), state.iterations, state.message)


def _pieces(vector: Array, shapes: list[tuple[int, ...]]) -> list[Array]:
    xp, pieces, start = array_namespace(vector), [], 0
    for shape in shapes:
        size = math.prod(shape)
        pieces.append(xp.reshape(vector[start : start + size], shape))
        start += size
    return pieces


def _by_updates(
    loss: Callable[..., Array],
    params: Tree,
    args: tuple[Any, ...],
    method: Any,
    count: int,
    compiler: str | None,
    backend: Backend,
) -> MinimizeResult:
    """Value, gradient and update in one compiled function; the values stay on the device until they are looked at."""

    def step(params: Tree, state: Tree, args: tuple[Any, ...]) -> tuple[Array, Tree, Tree]:
        value, gradient = value_and_grad(loss)(params, *args)
        return value, *method.update(gradient, state, params)

    update, state = jit(step, compiler=compiler), method.init(params)
    values: list[float] = []
    message = ""
    while not message and len(values) < count:
        seen = []
        for _ in range(min(_LOOKED_AT, count - len(values))):
            value, params, state = update(params, state, args)
            seen.append(value)
        values += [float(value) for value in seen]
        if not all(map(math.isfinite, values[-len(seen) :])):
            message = "the loss is not finite"
    value = float(jit(loss, compiler=compiler)(params, *args))
    return MinimizeResult(params, value, tuple(values), len(values), message)
