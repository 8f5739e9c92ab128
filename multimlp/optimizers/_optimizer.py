"""First-order optimisers over trees: state, weight decay, clipping, schedules, around an elementwise rule."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, ParamSpec

import numpy as np

from multimlp import tree
from multimlp._naming import Named, Table
from multimlp.backend import Array, Backend, Namespace, array_namespace, is_array, owner, squared
from multimlp.errors import DTypeError, InputError, ShapeError
from multimlp.errors.checks import LARGEST, check_whole, refuse
from multimlp.errors.shown import shown
from multimlp.optimizers._rule import Rule
from multimlp.schedules import Schedule
from multimlp.tree import Tree

P = ParamSpec("P")
OPTIMIZERS: Table[Any] = Table("optimizer")


class OptimizerState(NamedTuple):
    """What an optimiser remembers: arrays in trees, which pass through every transform and into files."""

    step: Array
    """Number of updates made; shape (), int32."""
    slots: tuple[Tree, ...]
    """One tree like the parameters' for each name of ``Optimizer.rule.slots``."""

    def __repr__(self) -> str:
        slots = ", ".join(map(tree.size_of, self.slots))
        return f"OptimizerState(step={shown(self.step)}, slots=({slots}))"


@dataclass(frozen=True, eq=False, repr=False)
class Optimizer(Named):
    """An optimiser with its options. Made by the functions of `multimlp.optimizers`.

    Attributes
    ----------
    name : str
    options : mapping
        All hyper-parameters, defaults included; ``learning_rate`` and ``weight_decay`` are floats or a `Schedule` each.
    rule : Rule
        The arithmetic on one array.
    """

    name: str
    options: Mapping[str, Any]
    rule: Rule

    table = OPTIMIZERS
    full_batch = False
    """Whether it needs the loss of all data as a function, as L-BFGS does."""

    def init(self, params: Tree) -> OptimizerState:
        """The state before the first update.

        Parameters
        ----------
        params : tree of floating arrays of one library

        Raises
        ------
        InputError
            If there is no array among the parameters.
        DTypeError
            If one of them is not floating.
        """
        leaves, rebuild = tree.flatten(params)
        require_arrays(leaves)
        backend = owner(*leaves)
        for leaf in leaves:
            if "float" not in backend.dtype_name(leaf.dtype):
                raise DTypeError(f"params: expected floating arrays, got one of dtype {leaf.dtype}")
        xp, parts = array_namespace(*leaves), self.for_leaves(params)
        with backend.scope_of(*leaves):
            # Slots are arrays of their own, not one shared: an in-place engine may write to each.
            slots = tuple(
                rebuild([part._initial(xp, slot, p) for p, part in zip(leaves, parts, strict=True)])
                for slot in self.rule.slots
            )
            step = xp.zeros((), dtype=xp.int32, device=getattr(leaves[0], "device", None) or None)
        return OptimizerState(step, slots)

    def _initial(self, xp: Namespace, slot: str, p: Array) -> Array:
        value = self.options.get(f"initial_{slot}", 0.0)
        return xp.zeros_like(p) + spread(xp, value, p) if is_array(value) else xp.full_like(p, float(value))

    def for_leaves(self, params: Tree) -> list[Optimizer]:
        """The optimiser of each leaf of the parameters: this one, unless some are `grouped`."""
        return [self] * len(tree.leaves(params))

    def update(self, grads: Tree, state: OptimizerState, params: Tree) -> tuple[Tree, OptimizerState]:
        """One update: the new parameters and the new state; pure, may be traced and compiled.

        Parameters
        ----------
        grads : tree like ``params``
        state : OptimizerState
        params : tree of floating arrays

        Raises
        ------
        InputError, DTypeError
            If the trees do not fit, or gradients are no floating arrays.
        """
        leaves, rebuild = tree.flatten(params)
        gradients = _leaves_like(params, leaves, grads, "grads")
        given = getattr(state, "slots", None)
        if given is None or len(given) != len(self.rule.slots):
            raise refuse("state", "the state that init or an update of this optimizer returned", state)
        slots = [_leaves_like(params, leaves, slot, "state") for slot in state.slots]
        backend, xp = owner(*leaves), array_namespace(*leaves, *gradients)
        for gradient in gradients:
            if not backend.is_floating(gradient):
                raise DTypeError(
                    f"grads: expected floating arrays, got dtype {backend.dtype_name(gradient.dtype)}"
                )
        parts = self.for_leaves(params)
        with backend.scope_of(*leaves):
            work = _work_dtype(backend, leaves)
            distinct = {
                id(part): part for part in parts
            }  # a group's numbers once, not for each of its arrays
            scalars = {key: part._scalars(xp, state.step, work) for key, part in distinct.items()}
            if self.options["clip_norm"] is not None:
                gradients = clip(xp, gradients, self.options["clip_norm"], work)
            rows = []
            for part, p, g, *own in zip(parts, leaves, gradients, *slots, strict=True):
                rows.append(part.update_array(p, g, own, _cast(xp, scalars[id(part)], p)))
            new_leaves, *new_slots = zip(*rows, strict=True)
            step = state.step + xp.ones_like(state.step)
        return rebuild(new_leaves), OptimizerState(step, tuple(rebuild(column) for column in new_slots))

    def update_array(
        self, p: Array, g: Array, slots: Sequence[Array], scalars: Mapping[str, Any]
    ) -> tuple[Array, ...]:
        """One update of one array, or of a flat buffer of all: weight decay and the rule, no clipping.

        Parameters
        ----------
        p, g : array
        slots : sequence of arrays
        scalars : mapping
            As `scalars` returns them; a ``weight_decay`` among them stands in for the option.

        Returns
        -------
        tuple
            The new ``p``, then the new slots.
        """
        numbers = dict(scalars)
        decay = numbers.pop("weight_decay", self.options["weight_decay"])
        if is_nonzero(decay):
            if self.rule.decoupled:
                p = p * (1 - numbers["learning_rate"] * decay)
            else:
                g = g + decay * p
        return tuple(self.rule.apply(p, g, *slots, **numbers))

    def scalars(self, step: int) -> dict[str, Any]:
        """The numbers that the rule takes after ``step`` updates, as Python floats, in double precision.

        Examples
        --------
        >>> from multimlp import optimizers
        >>> round(optimizers.adam().scalars(0)["correction2"], 12)
        0.001
        """
        numbers = np.asarray(check_whole("step", step, low=0, high=LARGEST), dtype=np.int32)
        found = self._scalars(array_namespace(numbers), numbers, np.dtype(np.float64))
        return {name: value if isinstance(value, bool) else float(value) for name, value in found.items()}

    def with_own(self, options: Mapping[str, Array]) -> Optimizer:
        """The same optimiser for an ensemble whose members have options of their own.

        Parameters
        ----------
        options : mapping of str to array of shape (members,)
            Instead of its own; arrays of the parameters' library, in their dtype. The norm that ``clip_norm`` bounds is then each
            member's. What is kept beside the parameters stays what it is: an option that decides about that, such as a first
            momentum, must not be zero in the optimiser itself.

        Examples
        --------
        >>> import numpy as np
        >>> from multimlp import optimizers
        >>> optimizer = optimizers.sgd().with_own({"learning_rate": np.asarray([0.1, 0.2])})
        >>> params = np.ones((2, 3))  # two members
        >>> optimizer.update(np.ones((2, 3)), optimizer.init(params), params)[0]
        array([[0.9, 0.9, 0.9],
               [0.8, 0.8, 0.8]])
        """
        found = self.__copy__()
        object.__setattr__(found, "options", {**self.options, **options})
        return found

    def _computes(self) -> tuple[Any, ...]:
        return (self.rule,)

    def to_spec(self) -> dict[str, Any]:
        """The optimiser as plain values, from which `multimlp.optimizers.get` makes it again.

        Raises
        ------
        InputError
            If it is one of your own that has the name of one of multimlp's.
        """
        if self.name in OPTIMIZERS.names() and not self.is_known:
            raise InputError(f"optimizer: this {self.name!r} is one of your own; give it a name of its own")
        return self.described()

    def _scalars(self, xp: Namespace, step: Array, dtype: Any) -> dict[str, Any]:
        rate = self.options["learning_rate"]
        if isinstance(rate, Schedule):
            rate = rate(step, dtype)
        scalars = {"learning_rate": rate, **self.rule.constants(self.options)}
        decay = self.options["weight_decay"]
        if isinstance(decay, Schedule):
            scalars["weight_decay"] = decay(step, dtype)
        elif is_array(decay):
            scalars["weight_decay"] = decay
        if self.rule.corrections is not None:
            scalars.update(self.rule.corrections(xp, xp.astype(step, dtype) + 1, self.options))
        return scalars


def optimizer(rule_of: Callable[P, Rule]) -> Callable[P, Optimizer]:
    """Decorate a function of options that returns the `Rule` for them: it makes the `Optimizer` of its name.

    Each option is annotated with its check; those that all optimisers have are in `multimlp.optimizers._options`.
    """

    def build(name: str, options: dict[str, Any]) -> Optimizer:
        make_rule: Callable[..., Rule] = rule_of
        return Optimizer(name, options, make_rule(**options))

    made: Callable[P, Optimizer] = OPTIMIZERS.maker(rule_of, build)
    return made


_NO_SHAPE = object()


def require_arrays(leaves: Sequence[Any]) -> None:
    """`InputError` for parameters that are no arrays."""
    for leaf in leaves:
        if not is_array(leaf):
            raise refuse("params", "a tree of floating arrays", leaf)


def _leaves_like(params: Tree, leaves: Sequence[Array], other: Tree, name: str) -> list[Array]:
    try:
        found = tree.leaves_like(params, other)
    except InputError:
        raise InputError(
            f"{name}: expected a tree like the parameters', {tree.structure(params)}, "
            f"got {tree.structure(other)}"
        ) from None
    for leaf, array in zip(leaves, found, strict=True):
        if getattr(array, "shape", None) != getattr(leaf, "shape", _NO_SHAPE):
            require_arrays(leaves)
            got = f"shape {tuple(array.shape)}" if is_array(array) else f"{shown(array)}"
            raise (ShapeError if is_array(array) else InputError)(
                f"{name}: expected an array of shape {tuple(leaf.shape)} for each like it among the parameters, got {got}"
            )
    return found


def _work_dtype(backend: Backend, leaves: Sequence[Array]) -> Any:
    """float64 if a parameter is; else float32, because 16-bit numbers cannot hold a step count."""
    names = {backend.dtype_name(leaf.dtype) for leaf in leaves}
    return backend.dtype("float64" if "float64" in names else "float32")


def is_nonzero(option: Any) -> bool:
    """Whether an option is more than the number 0: what members have of their own is."""
    return not isinstance(option, (int, float)) or option != 0


def _cast(xp: Namespace, scalars: Mapping[str, Any], p: Array) -> dict[str, Any]:
    """Arrays among the scalars in the parameter's dtype, since dtypes must not mix; one number a member along its first axis."""
    dtype = p.dtype
    return {
        name: spread(xp, xp.astype(value, dtype) if value.dtype != dtype else value, p)
        if getattr(value, "dtype", None) is not None
        else value
        for name, value in scalars.items()
    }


def spread(xp: Namespace, numbers: Array, like: Array) -> Array:
    """Numbers of shape (members,) with as many axes as an array whose first axis they belong to; one of shape () as it is."""
    return xp.reshape(numbers, (-1,) + (1,) * (like.ndim - 1)) if numbers.ndim else numbers


def clip(xp: Namespace, gradients: Sequence[Array], limit: Any, work: Any) -> list[Array]:
    """All gradients times ``min(1, limit / norm)``, the norm of all of them together, ensembles included; of each member's own for
    limits of shape (members,). Where squares would overflow, in units of the largest number."""
    wide = [xp.astype(g, work, copy=False) for g in gradients if math.prod(g.shape)]
    if not wide:
        return list(gradients)

    members = is_array(limit)
    sizes = [xp.abs(xp.reshape(g, (g.shape[0], -1)) if members else g) for g in wide]
    largest = functools.reduce(xp.maximum, [xp.max(s, axis=-1) if members else xp.max(s) for s in sizes])
    one = xp.ones_like(largest)
    most = squared(owner(largest).dtype_name(largest.dtype))
    unit = xp.where(xp.logical_and(largest > most, xp.isfinite(largest)), largest, one)
    parts = [(g / spread(xp, unit, g)) ** 2 for g in wide]
    squares = [xp.sum(s, axis=tuple(range(1, s.ndim))) if members else xp.sum(s) for s in parts]
    norm = xp.sqrt(functools.reduce(xp.add, squares))
    clipped = norm > limit / unit
    scale = xp.where(clipped, limit / xp.where(clipped, norm, one), unit)

    def apply(g: Array) -> Array:
        by, of = (spread(xp, n if g.dtype == work else xp.astype(n, g.dtype), g) for n in (unit, scale))
        return g / by * of

    return [apply(g) for g in gradients]
