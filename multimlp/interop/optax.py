"""optax: an optimiser's state both ways, and multimlp's optimisers as transformations of optax.

optax keeps an optimiser's options to itself. So whoever reads or writes a state says which of multimlp's optimisers it is, and a trial
decides: both make a few steps from the start, with gradients of all sizes, and must come to the same parameters and to the same state.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from multimlp import optimizers, random, tree
from multimlp.backend import is_array, load_backend, owner
from multimlp.errors import InputError, missing_dependency
from multimlp.errors.checks import check_function, refuse
from multimlp.optimizers import Optimizer, OptimizerState
from multimlp.schedules import Schedule
from multimlp.tree import Tree

try:
    import jax
    import optax
except ImportError:
    raise missing_dependency("optax", "multimlp.interop.optax", "optax") from None

__all__ = ["from_state", "to_optimizer", "to_state"]

_SLOTS = {
    "ScaleByAdamState": {"mu": "m", "nu": "v"},
    "ScaleByLionState": {"mu": "m"},
    "TraceState": {"trace": "velocity"},
    "ScaleByRmsState": {"nu": "mean_square"},
    "ScaleByRmsWithCountState": {"nu": "mean_square"},
    "ScaleByRssState": {"sum_of_squares": "accumulator"},
    "ScaleByScheduleState": {},
    "EmptyState": {},
}
"""optax's states by the names of their classes: which of their fields are which of multimlp's slots. ``count`` is the step."""
_AROUND = {
    "InjectHyperparamsState": "inner_state",
    "InjectStatefulHyperparamsState": "inner_state",
    "MaskedState": "inner_state",
}
"""States that hold another."""
_STEPS = (0, 1, 2, 3, 10, 100, 1000, 10**4, 10**5)
"""The trial's: schedules may change late."""
_EXTENT = 4
"""Its arrays are at most so long along each axis: what both compute, they compute number by number, but for a clipping."""
_AGREED = 1e-9
"""Part of a step by which the two may differ."""

Layout = Callable[[Tree], Tree]


def to_optimizer(optimizer: Optimizer | str) -> optax.GradientTransformation:
    """The transformation of optax that makes the same updates.

    Parameters
    ----------
    optimizer : Optimizer or str
        sgd, adam, adamw, nadam, rmsprop, lion, and adagrad with ``eps=0`` or ``eps_in_sqrt=True``; with clipping, weight decay and
        schedules of the learning rate.

    Raises
    ------
    InputError
        For what optax has no equivalent of: adagrad with an eps outside the root; adam with ``eps_hat``; groups; a schedule of the decay.

    Examples
    --------
    >>> import multimlp as mm
    >>> from multimlp.interop.optax import to_optimizer
    >>> params = mm.MLP(2, 3, 1).init(seed=0, backend="jax")
    >>> state = to_optimizer(mm.optimizers.adam(1e-2, clip_norm=1.0)).init(params)
    >>> type(state[1][0]).__name__
    'ScaleByAdamState'
    """
    made = optimizers.get(optimizer)
    if not isinstance(made, Optimizer) or made.name not in _MAKERS or hasattr(made, "groups"):
        what = "groups" if hasattr(made, "groups") else made.name
        raise InputError(
            f"optimizer: {what} cannot be made in optax; {', '.join(sorted(_MAKERS))} without groups can. With a transformation of your "
            "own use to_state"
        )
    options, decay = made.options, made.options["weight_decay"]
    if isinstance(decay, Schedule):
        raise InputError(
            "optimizer: weight_decay is a schedule; with a transformation of your own use to_state"
        )
    parts = [_MAKERS[made.name](options, _rate(options["learning_rate"]))]
    if decay and not made.rule.decoupled:
        parts.insert(0, optax.add_decayed_weights(decay))
    if options["clip_norm"] is not None:
        parts.insert(0, optax.clip_by_global_norm(options["clip_norm"]))
    return parts[0] if len(parts) == 1 else optax.chain(*parts)


def from_state(
    transformation: optax.GradientTransformation,
    state: Any,
    optimizer: Optimizer | str,
    params: Tree,
    layout: Layout | None = None,
) -> OptimizerState:
    """What a transformation of optax remembers, as multimlp's optimiser of the same options does.

    Parameters
    ----------
    transformation : optax.GradientTransformation
        ``optax.adam(1e-3)``, or a chain of your own.
    state
        Its state after any number of updates.
    optimizer : Optimizer or str
        The same of multimlp: ``multimlp.optimizers.adam(1e-3)``.
    params : tree of arrays
        multimlp's parameters.
    layout : callable, optional
        Makes of a tree like optax's parameters one like ``params``, where they are not the same: for Flax
        ``lambda p: from_flax(module, {"params": p})[1]``.

    Returns
    -------
    OptimizerState
        On JAX; `multimlp.convert` moves it. Where optax counts no steps it starts at step 0.

    Raises
    ------
    InputError
        If the two do not make the same updates (eps inside or outside the root, coupled or decoupled decay, another rate ...), and for a
        state that multimlp has no equivalent of.

    Examples
    --------
    >>> import optax
    >>> import multimlp as mm
    >>> from multimlp.interop.optax import from_state
    >>> params = mm.MLP(2, 3, 1).init(seed=0, backend="jax")
    >>> transformation = optax.adam(1e-2)
    >>> state = transformation.init(params)
    >>> _, state = transformation.update(params, state, params)
    >>> int(from_state(transformation, state, mm.optimizers.adam(1e-2), params).step)
    1
    >>> from_state(transformation, state, mm.optimizers.adam(1e-3), params)
    Traceback (most recent call last):
        ...
    multimlp.errors.InputError: optimizer: adam and the transformation of optax part in step 1 ...
    """
    made = _first_order(optimizer)
    if layout is not None:
        check_function("layout", layout)
    factor = _trial(transformation, made, params)
    found = _Found(state)
    own = [found.slot(slot) if layout is None else layout(found.slot(slot)) for slot in made.rule.slots]
    slots = tuple(
        _scaled(_like(params, values), factor if slot == "velocity" else 1.0)
        for slot, values in zip(made.rule.slots, own, strict=True)
    )
    return OptimizerState(jax.numpy.asarray(found.count or 0, "int32"), slots)


def to_state(
    transformation: optax.GradientTransformation,
    optimizer: Optimizer | str,
    state: OptimizerState,
    params: Tree,
    layout: Layout | None = None,
) -> Any:
    """The state in which a transformation of optax goes on where multimlp's optimiser is.

    Parameters
    ----------
    transformation : optax.GradientTransformation
        `to_optimizer` makes it, or one of your own.
    optimizer : Optimizer or str
        The same of multimlp.
    state : OptimizerState
        Of any library.
    params : tree of arrays
        multimlp's parameters.
    layout : callable, optional
        Makes of a tree like ``params`` one like optax's parameters, where they are not the same: for Flax
        ``lambda p: to_flax(mlp, p)[1]["params"]``.

    Raises
    ------
    InputError
        As `from_state`.

    Examples
    --------
    >>> import multimlp as mm
    >>> from multimlp.interop.optax import to_optimizer, to_state
    >>> params, optimizer = mm.MLP(2, 3, 1).init(seed=0, backend="jax"), mm.optimizers.adam(1e-2)
    >>> params, state = optimizer.update(params, optimizer.init(params), params)
    >>> int(to_state(to_optimizer(optimizer), optimizer, state, params)[0].count)
    1
    """
    made = _first_order(optimizer)
    if not isinstance(state, OptimizerState):
        raise refuse("state", "an OptimizerState of multimlp", state)
    factor = _trial(transformation, made, params)
    if len(state.slots) != len(made.rule.slots):
        raise InputError(
            f"state: {made.name} keeps {list(made.rule.slots)!r}, and the state holds {len(state.slots)} trees"
        )
    arrange: Layout = (lambda values: values) if layout is None else check_function("layout", layout)
    held = {}
    for slot, values in zip(made.rule.slots, state.slots, strict=True):
        held[slot] = arrange(_scaled(_like(params, values), 1 / factor if slot == "velocity" else 1.0))
    own = arrange(_like(params, params))
    with load_backend("jax").scope_of(*tree.leaves(own)):
        return _filled(transformation.init(own), held, int(state.step))


def _first_order(optimizer: Optimizer | str) -> Optimizer:
    made = optimizers.get(optimizer)
    if not isinstance(made, Optimizer):
        raise InputError(f"optimizer: {made.name} has no state that optax has too")
    return made


# ---- multimlp's optimisers in optax ----------------------------------------


def _rate(rate: Any) -> Any:
    if not isinstance(rate, Schedule):
        return rate
    return lambda count: rate(count, jax.numpy.result_type(float))


def _sgd(o: Any, rate: Any) -> optax.GradientTransformation:
    return optax.sgd(rate, o["momentum"] if o["momentum"] or o["nesterov"] else None, o["nesterov"])


def _rmsprop(o: Any, rate: Any) -> optax.GradientTransformation:
    momentum = [optax.trace(o["momentum"])] if o["momentum"] else []
    scaled = optax.scale_by_rms(o["rho"], o["eps"], eps_in_sqrt=o["eps_in_sqrt"])
    return optax.chain(scaled, *momentum, optax.scale_by_learning_rate(rate))


def _adagrad(o: Any, rate: Any) -> optax.GradientTransformation:
    if o["eps"] and not o["eps_in_sqrt"]:
        raise InputError(
            f"optimizer: adagrad has eps={o['eps']:g} outside the root and optax has it inside; only eps=0 is the same in both, or "
            "eps_in_sqrt=True"
        )
    return optax.adagrad(rate, o["initial_accumulator"], o["eps"])


def _adam(
    o: Any, make: Callable[..., optax.GradientTransformation], *rest: Any
) -> optax.GradientTransformation:
    if o["eps_hat"] and o["eps"]:
        raise InputError(
            "optimizer: it has eps_hat=True, and optax adds eps behind the correction; only eps=0 is the same in both"
        )
    return make(*rest)


_MAKERS: dict[str, Callable[[Any, Any], optax.GradientTransformation]] = {
    "sgd": _sgd,
    "adam": lambda o, rate: _adam(o, optax.adam, rate, o["beta1"], o["beta2"], o["eps"]),
    "adamw": lambda o, rate: _adam(
        o,
        functools.partial(optax.adamw, weight_decay=o["weight_decay"]),
        rate,
        o["beta1"],
        o["beta2"],
        o["eps"],
    ),
    "nadam": lambda o, rate: optax.nadam(rate, o["beta1"], o["beta2"], o["eps"]),
    "rmsprop": _rmsprop,
    "adagrad": _adagrad,
    "lion": lambda o, rate: optax.lion(rate, o["beta1"], o["beta2"], weight_decay=o["weight_decay"]),
}


# ---- states ----------------------------------------


class _Found:
    """What is in a state of optax, however deep it stands there."""

    def __init__(self, state: Any) -> None:
        self._slots: dict[str, Tree] = {}
        self.count: int | None = None
        for node in _states(state):
            for field, slot in _SLOTS[type(node).__name__].items():
                if slot in self._slots:
                    raise InputError(
                        f"state: it holds two of {type(node).__name__}; multimlp's optimisers keep one"
                    )
                self._slots[slot] = getattr(node, field)
            if _counts(node):
                self.count = int(node.count)

    def slot(self, name: str) -> Tree:
        """The tree of a slot."""
        if name not in self._slots:
            raise InputError(
                f"state: it holds no {name!r}; there is {', '.join(map(repr, self._slots)) or 'nothing'}"
            )
        return self._slots[name]


def _states(node: Any) -> Iterator[Any]:
    name = type(node).__name__
    if name in _SLOTS:
        yield node
    elif name in _AROUND:
        yield from _states(getattr(node, _AROUND[name]))
    elif type(node) in (tuple, list):
        for inner in node:
            yield from _states(inner)
    elif jax.tree.leaves(node):
        raise InputError(f"state: it holds {name}, which multimlp's optimisers have no equivalent of")


def _counts(node: Any) -> bool:
    return "count" in getattr(node, "_fields", ())  # every tuple has a method of that name


def _filled(node: Any, held: Mapping[str, Tree], count: int) -> Any:
    """The state with these slots, where they are given, instead of its own, after so many steps."""
    name = type(node).__name__
    new: dict[str, Any] = {"count": jax.numpy.asarray(count, node.count.dtype)} if _counts(node) else {}
    if name in _SLOTS:
        for field, slot in _SLOTS[name].items():
            new[field] = _onto(getattr(node, field), held[slot]) if slot in held else getattr(node, field)
        return node._replace(**new)
    if name in _AROUND:
        return node._replace(**{_AROUND[name]: _filled(getattr(node, _AROUND[name]), held, count)}, **new)
    if type(node) in (tuple, list):
        return type(node)(_filled(inner, held, count) for inner in node)
    return node


def _onto(own: Tree, values: Tree) -> Tree:
    return jax.tree.map(lambda old, new: jax.numpy.asarray(new, old.dtype), own, values)


def _like(params: Tree, values: Tree) -> Tree:
    """A tree like the parameters, on JAX, in its own dtype."""
    backend = load_backend("jax")
    try:
        leaves = tree.leaves_like(params, values)
    except InputError as error:
        raise InputError(f"state: it is not that of these parameters ({error}); give layout=") from None
    placed = []
    for leaf, mine in zip(leaves, tree.leaves(params), strict=True):
        if tuple(leaf.shape) != tuple(mine.shape):
            raise InputError(
                f"state: an array of shape {tuple(leaf.shape)} stands where the parameters have one of shape {tuple(mine.shape)}"
            )
        dtype = owner(leaf).dtype_name(leaf.dtype)
        with backend.scope(dtype):
            # A copy: JAX may take the memory of the host's array, which goes on being written to there.
            placed.append(backend.asarray(np.array(owner(leaf).to_numpy(leaf)), dtype=dtype))
    return tree.flatten(params)[1](placed)


def _scaled(values: Tree, factor: float) -> Tree:
    with load_backend("jax").scope_of(*tree.leaves(values)):
        return values if factor == 1.0 else tree.map(lambda leaf: leaf * factor, values)


# ---- the trial ----------------------------------------


def _trial(transformation: Any, optimizer: Optimizer, params: Tree) -> float:
    """What optax's velocity is to be multiplied with, 1 but where it has the learning rate inside; `InputError` unless both libraries
    make the same steps."""
    if not isinstance(transformation, optax.GradientTransformation):
        raise refuse("transformation", "an optax.GradientTransformation", transformation)
    for leaf in tree.leaves(params):
        if not is_array(leaf):
            raise refuse("params", "a tree of floating arrays", leaf)
    backend = load_backend("jax")
    generator = random.host_generator(0, "trial of an optimizer")
    shapes = [tuple(min(extent, _EXTENT) for extent in leaf.shape) for leaf in tree.leaves(params)]
    _, rebuild = tree.flatten(params)

    def drawn(small: float, large: float) -> Tree:
        """Normal numbers times powers of ten, so that an eps shows, and a clipping; on the host, where multimlp's steps are made."""
        return rebuild(
            generator.standard_normal(shape) * 10.0 ** generator.uniform(small, large, shape)
            for shape in shapes
        )

    def placed(values: Tree) -> Tree:
        return tree.map(lambda leaf: backend.asarray(leaf, dtype="float64"), values)

    with backend.scope("float64"):
        mine = drawn(0, 0)
        theirs = placed(mine)
        state, there = optimizer.init(mine), transformation.init(theirs)
        for count in _STEPS:
            state = state._replace(step=np.asarray(count, np.int32))
            gradients, before = drawn(-10, 3), mine
            mine, state = optimizer.update(gradients, state, mine)
            updates, there = transformation.update(placed(gradients), _filled(there, {}, count), theirs)
            theirs = optax.apply_updates(theirs, updates)
            apart = _part_apart(mine, theirs, before)
            if apart > _AGREED:
                raise InputError(
                    f"optimizer: {optimizer.name} and the transformation of optax part in step {count + 1} by {apart:.2g} of the step: "
                    "their options differ. optax has eps inside the root in rmsprop and adagrad, as eps_in_sqrt=True has it here, and "
                    "another decay in adamw"
                )
            theirs = placed(mine)
        found = _Found(there)
        rate = optimizer.options["learning_rate"]
        for factor in [1.0] if isinstance(rate, Schedule) or not rate else [1.0, -1 / rate]:
            slots = [
                _scaled(found.slot(name), factor if name == "velocity" else 1.0)
                for name in optimizer.rule.slots
            ]
            if all(
                _close(one, other)
                for pair in zip(slots, state.slots, strict=True)
                for one, other in _pairs(*pair)
            ):
                return factor
    raise InputError(
        f"state: what the transformation keeps is not what {optimizer.name} keeps, though both make the same steps"
    )


def _pairs(a: Tree, b: Tree) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(np.asarray(x), np.asarray(y)) for x, y in zip(tree.leaves(a), tree.leaves(b), strict=True)]


def _part_apart(mine: Tree, theirs: Tree, before: Tree) -> float:
    """The largest difference as a part of the step that this number made."""
    parts = [0.0]
    for (one, other), (_, old) in zip(_pairs(mine, theirs), _pairs(mine, before), strict=True):
        step = np.maximum(np.abs(one - old), np.abs(other - old))
        rounding = 1e-14 * np.maximum(
            np.abs(old), np.abs(one)
        )  # of a tiny step from a large number nothing more is known
        part = np.maximum(np.abs(one - other) - rounding, 0.0) / np.maximum(step, 1e-300)
        parts.append(float(part.max(initial=0.0)))
    return max(parts)


def _close(one: np.ndarray, other: np.ndarray) -> bool:
    return bool(np.allclose(one, other, rtol=1e-6, atol=1e-30))
