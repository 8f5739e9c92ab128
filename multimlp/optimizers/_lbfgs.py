"""Limited-memory BFGS: decisions on the host, arrays on the device."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Annotated, Any, NamedTuple, TypeAlias

from multimlp import tree
from multimlp._naming import Named, Options
from multimlp.backend import Array, array_namespace, owner
from multimlp.errors import DTypeError
from multimlp.errors.checks import check_function, check_whole, number, whole
from multimlp.errors.shown import short_repr
from multimlp.optimizers._line_search import Point, strong_wolfe
from multimlp.optimizers._optimizer import OPTIMIZERS, require_arrays
from multimlp.optimizers._vectors import Vectors
from multimlp.tree import Tree

ValueAndGrad: TypeAlias = Callable[[Tree], tuple[Array, Tree]]
FlatObjective: TypeAlias = Callable[[Array], tuple[float, Array]]
_PORTABLE = Vectors()
GRADIENT_SMALL = "gradient below tolerance"
CHANGE_SMALL = "change of the value below tolerance"


class LBFGSState(NamedTuple):
    """What the method remembers; arrays are flat, of all parameters one after the other."""

    value: float | None
    """The objective at the parameters, or None before the first step."""
    gradient: Array | None
    steps: tuple[Array, ...]
    """The last differences of parameters, the oldest first."""
    changes: tuple[Array, ...]
    """The differences of gradients that belong to them."""
    iterations: int
    evaluations: int
    """How often the objective was computed."""
    message: str
    """Why there is nothing left to do; empty while there is."""

    @property
    def converged(self) -> bool:
        """Whether there is nothing left to do because a tolerance was met, and not because the search cannot go on."""
        return self.message in (GRADIENT_SMALL, CHANGE_SMALL)

    def __repr__(self) -> str:
        return short_repr(self)


class LBFGSResult(NamedTuple):
    """What `LBFGS.minimize` found."""

    params: Tree
    value: float
    state: LBFGSState

    def __repr__(self) -> str:
        return (
            f"LBFGSResult(params={tree.size_of(self.params)}, value={self.value:.4g}, state={self.state!r})"
        )


@dataclass(frozen=True, eq=False, repr=False)
class LBFGS(Named):
    """Limited-memory BFGS with a line search for the strong Wolfe conditions (c1 = 1e-4, c2 = 0.9).

    The direction is -H g, H from the last ``history`` differences by the two-loop recursion, scaled by s.y
    / y.y. It needs the objective of all data as a function, so it has an interface of its own: `minimize`,
    or `step` again and again. Scalars are decided on in Python, arrays stay where they are; in float64 the
    path is the same on every library up to rounding.

    Parameters
    ----------
    learning_rate : float
        The first step length tried, > 0; at the very first iteration, min(1, 1 / |g|_1) times it.
    history : int
        Pairs kept.
    max_line_search : int
        Evaluations a line search may take.
    tolerance_gradient : float
        Done when no component of the gradient is larger.
    tolerance_change : float
        Done when a step changes the value by less than this times max(1, |value|); 0: never for this reason.

    References
    ----------
    Nocedal, Wright, Numerical optimization (2006), algorithms 7.4, 7.5, 3.5 and 3.6; Liu, Nocedal,
    Mathematical Programming 45 (1989).

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import optimizers
    >>> def rosenbrock(p):
    ...     a, b = p[0], p[1]
    ...     gradient = [-2 * (1 - a) - 400 * a * (b - a * a), 200 * (b - a * a)]
    ...     return (1 - a) ** 2 + 100 * (b - a * a) ** 2, np.asarray(gradient)
    >>> result = optimizers.lbfgs().minimize(rosenbrock, np.asarray([-1.2, 1.0]))
    >>> result.params.round(6), result.state.message
    (array([1., 1.]), 'change of the value below tolerance')
    """

    learning_rate: Annotated[float, number(low=0, low_open=True)] = 1.0
    history: Annotated[int, whole(1)] = 10
    max_line_search: Annotated[int, whole(1)] = 25
    tolerance_gradient: Annotated[float, number(low=0)] = 1e-7
    tolerance_change: Annotated[float, number(low=0)] = 1e-12

    table = OPTIMIZERS
    name = "lbfgs"
    full_batch = True

    def __post_init__(self) -> None:
        for option, value in self.known.checked(self.options).items():
            object.__setattr__(self, option, value)

    @property
    def options(self) -> dict[str, Any]:  # type: ignore[override]
        """All options."""
        return asdict(self)

    def init(self, params: Tree) -> LBFGSState:
        """The state before the first step; checks that the parameters are floating arrays of one dtype."""
        leaves = tree.leaves(params)
        require_arrays(leaves)
        backend = owner(*leaves)
        names = sorted({backend.dtype_name(leaf.dtype) for leaf in leaves})
        if len(names) > 1 or "float" not in names[0]:
            raise DTypeError(f"params: expected floating arrays of one dtype, got {', '.join(names)}")
        return LBFGSState(None, None, (), (), 0, 0, "")

    def step(self, value_and_grad: ValueAndGrad, params: Tree, state: LBFGSState) -> tuple[Tree, LBFGSState]:
        """One iteration: a direction and a line search along it.

        Parameters
        ----------
        value_and_grad : callable
            ``params -> (value, gradients)``, the gradients a tree like the parameters; as
            `multimlp.value_and_grad` makes it.
        params : tree of floating arrays
        state : LBFGSState
            Of these very parameters.

        Returns
        -------
        params, state
            Unchanged parameters and a ``state.message`` when there is nothing left to do.
        """
        if state.message:
            return params, state
        leaves, rebuild = tree.flatten(params)
        backend, xp = owner(*leaves), array_namespace(*leaves)

        def unflatten(flat: Array) -> Tree:
            pieces, start = [], 0
            for leaf in leaves:
                size = math.prod(leaf.shape)
                pieces.append(xp.reshape(flat[start : start + size], tuple(leaf.shape)))
                start += size
            return rebuild(pieces)

        def evaluate(flat: Array) -> tuple[float, Array]:
            value, gradients = value_and_grad(unflatten(flat))
            return float(value), _flat(gradients)

        with backend.scope_of(*leaves):
            flat = _flat(params)
            new_flat, new_state = self.flat_step(evaluate, flat, state)
            return (params if new_flat is flat else unflatten(new_flat)), new_state

    def flat_step(
        self, evaluate: FlatObjective, flat: Array, state: LBFGSState, vectors: Vectors = _PORTABLE
    ) -> tuple[Array, LBFGSState]:
        """`step` on one vector of all parameters, one after the other; for those who keep them so.

        Parameters
        ----------
        evaluate : callable
            ``flat -> (value, gradient)``: a float, and a vector that stays as it is.
        flat : array, shape (size,)
            It is not changed.
        state : LBFGSState
        vectors : Vectors
            Does the arithmetic.

        Returns
        -------
        flat, state
        """
        if state.message:
            return flat, state
        if state.value is None:
            first_value, first_gradient = evaluate(flat)
            state = state._replace(value=first_value, gradient=first_gradient, evaluations=1)
        value, gradient = state.value, state.gradient
        assert value is not None
        assert gradient is not None
        if not math.isfinite(value):
            return flat, state._replace(message="the objective is not finite")
        if vectors.largest(gradient) <= self.tolerance_gradient:
            return flat, state._replace(message=GRADIENT_SMALL)
        direction = _direction(vectors, gradient, state.steps, state.changes)
        slope = vectors.dot(gradient, direction)
        if not slope < 0:  # rounding spoilt the curvature pairs: start again from steepest descent
            state = state._replace(steps=(), changes=())
            direction, slope = vectors.times(gradient, -1.0), -vectors.dot(gradient, gradient)
        first = self.learning_rate
        if not state.steps:
            first *= min(1.0, 1.0 / vectors.size(gradient))

        def along(length: float) -> Point:
            new_flat = vectors.moved(flat, length, direction)
            new_value, new_gradient = evaluate(new_flat)
            return Point(length, new_value, vectors.dot(new_gradient, direction), new_flat, new_gradient)

        start = Point(0.0, value, slope, flat, gradient)
        found, used = strong_wolfe(along, start, first, self.max_line_search)
        state = state._replace(iterations=state.iterations + 1, evaluations=state.evaluations + used)
        if found is start:
            return flat, state._replace(message="the line search found no lower value")
        step = vectors.moved(found.position, -1.0, flat)
        change = vectors.moved(found.gradient, -1.0, gradient)
        least = 1e-10 * vectors.dot(change, change) ** 0.5 * vectors.dot(step, step) ** 0.5
        if vectors.dot(step, change) > least:
            state = state._replace(
                steps=(*state.steps, step)[-self.history :], changes=(*state.changes, change)[-self.history :]
            )
        message = ""
        if vectors.largest(found.gradient) <= self.tolerance_gradient:
            message = GRADIENT_SMALL
        elif abs(found.value - value) < self.tolerance_change * max(1.0, abs(value)):
            message = CHANGE_SMALL
        return found.position, state._replace(value=found.value, gradient=found.gradient, message=message)

    def minimize(self, value_and_grad: ValueAndGrad, params: Tree, max_iterations: int = 200) -> LBFGSResult:
        """Step until done, as ``result.state.message`` says, or, with an empty one, ``max_iterations``."""
        check_function("value_and_grad", value_and_grad, "a function params -> (value, gradients)")
        max_iterations = check_whole("max_iterations", max_iterations, low=0)
        state = self.init(params)
        while not state.message and state.iterations < max_iterations:
            params, state = self.step(value_and_grad, params, state)
        return LBFGSResult(params, math.nan if state.value is None else state.value, state)


LBFGS.known = Options(LBFGS)

lbfgs = OPTIMIZERS.maker(LBFGS, lambda _, options: LBFGS(**options), name="lbfgs")


def _flat(params: Tree) -> Array:
    leaves = tree.leaves(params)
    xp = array_namespace(*leaves)
    return xp.concat([xp.reshape(leaf, (-1,)) for leaf in leaves])


def _direction(
    vectors: Vectors, gradient: Array, steps: tuple[Array, ...], changes: tuple[Array, ...]
) -> Array:
    """``-H g`` by the two-loop recursion (Nocedal, Wright, algorithm 7.4)."""
    dot, add = vectors.dot, vectors.add
    pairs = list(zip(steps, changes, vectors.curvatures(steps, changes), strict=True))
    q = vectors.times(gradient, -1.0)
    weights = []
    for s, y, curvature in reversed(pairs):
        weights.append(dot(s, q) / curvature)
        q = add(q, -weights[-1], y)
    if pairs:
        q = vectors.scale(q, pairs[-1][2] / dot(changes[-1], changes[-1]))
    for (s, y, curvature), weight in zip(pairs, reversed(weights), strict=True):
        q = add(q, weight - dot(y, q) / curvature, s)
    return q
