"""Training in 16 bits: parameters, optimiser state and loss in float32, the model in bfloat16 or float16.

Each step casts the float32 *master* parameters and the batch to 16 bits, runs the model, and casts its outputs
back; the derivatives of the casts bring the gradients back to float32 (Micikevicius et al., Mixed precision
training, ICLR 2018). An update smaller than a 16-bit rounding error is so not lost.

float16 has few exponents, and small derivatives would vanish: backward through the model they are multiplied by
a *loss scale* S, a power of two that is halved when a gradient overflows (that step is left out) and doubled
after `PATIENCE` steps without overflow. Only the cotangents see S; the loss and its value do not. bfloat16 has
the exponents of float32 and needs none of it.
"""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from multimlp import tree
from multimlp.backend import Array, Backend, array_namespace, owner
from multimlp.errors import InputError
from multimlp.training.engines.base import Problem
from multimlp.training.engines.portable import PortableEngine, Program
from multimlp.tree import Tree

MASTER = "float32"
SCALED = "float16"
INITIAL_SCALE = 2.0**15
LARGEST_SCALE = 2.0**24
PATIENCE = 200
"""Steps without overflow after which the scale is doubled."""


def is_mixed(dtype: str) -> bool:
    """Whether training in this dtype keeps master parameters in another."""
    return dtype in ("bfloat16", SCALED)


def master_dtype(dtype: str) -> str:
    """The dtype of parameters, data and losses when the model is to run in ``dtype``."""
    return MASTER if is_mixed(dtype) else dtype


@dataclass(frozen=True)
class Model:
    """A model of float32 parameters and inputs that computes in 16 bits.

    Parameters
    ----------
    model : callable ``model(params, X, key=None) -> outputs``
    backend : Backend
    dtype : {"bfloat16", "float16"}
    """

    model: Any
    backend: Backend
    dtype: str

    @property
    def dropout(self) -> float:
        return getattr(self.model, "dropout", 0.0)

    @property
    def scheduled(self) -> bool:
        """Whether it is another at another step."""
        return getattr(self.model, "scheduled", False)

    def __call__(
        self,
        params: Tree,
        X: Array,
        key: Array | None = None,
        scale: Array | None = None,
        **told: Any,
    ) -> Array:
        narrow, wide = self.backend.dtype(self.dtype), self.backend.dtype(MASTER)
        xp = array_namespace(X, *tree.leaves(params))
        if scale is not None:
            params = tree.map(lambda leaf: self._with_slope(leaf, 1 / scale), params)
        outputs = self.model(
            tree.map(lambda leaf: xp.astype(leaf, narrow), params), xp.astype(X, narrow), key=key, **told
        )
        outputs = xp.astype(outputs, wide)
        return outputs if scale is None else self._with_slope(outputs, scale)

    def _with_slope(self, x: Array, slope: Array) -> Array:
        """``x`` to the last bit, with derivative ``slope``."""
        fixed = self.backend.stop_gradient(x)
        return fixed + (x - fixed) * _spread(slope, x)


class ScaledState(NamedTuple):
    """The state of a `ScaledOptimizer`."""

    scale: Array
    """The loss scale, float32 of shape (), or (members,)."""
    calm: Array
    """Steps since the scale last changed, int32 of that shape."""
    inner: Tree


@dataclass(frozen=True)
class ScaledOptimizer:
    """An optimiser that leaves out steps whose gradients overflowed, and keeps the loss scale.

    Members of an ensemble have scales of their own, and each leaves out its own steps, so that one that diverges does not hold up the
    others; steps are counted for all of them together.
    """

    inner: Any
    members: int | None = None

    full_batch = False

    @property
    def name(self) -> str:
        return str(self.inner.name)

    def init(self, params: Tree) -> ScaledState:
        first = tree.leaves(params)[0]
        backend = owner(first)
        device = backend.device_name(first)
        shape = () if self.members is None else (self.members,)
        scale = backend.asarray(np.full(shape, INITIAL_SCALE), dtype=MASTER, device=device)
        calm = backend.asarray(np.zeros(shape), dtype="int32", device=device)
        return ScaledState(scale, calm, self.inner.init(params))

    def update(self, grads: Tree, state: ScaledState, params: Tree) -> tuple[Tree, ScaledState]:
        xp = array_namespace(*tree.leaves(params))
        finite = functools.reduce(xp.logical_and, map(self._all_finite, tree.leaves(grads)))
        if self.members is not None:  # an infinite gradient would be part of the norm that is common to all
            grads = tree.map(lambda g: xp.where(_spread(finite, g), g, xp.zeros_like(g)), grads)

        def keep_if_finite(new: Array, old: Array) -> Array:
            return xp.where(_spread(finite, old) if old.ndim else xp.any(finite), new, old)

        new_params, new_inner = self.inner.update(grads, state.inner, params)
        waited = state.calm + xp.ones_like(state.calm)
        doubled = xp.where(state.scale < LARGEST_SCALE, state.scale * 2, state.scale)
        halved = xp.where(state.scale > 1, state.scale / 2, state.scale)
        due = waited >= PATIENCE
        none = xp.zeros_like(state.calm)
        scale = xp.where(finite, xp.where(due, doubled, state.scale), halved)
        return tree.map(keep_if_finite, new_params, params), ScaledState(
            xp.astype(scale, state.scale.dtype),  # NumPy 1 makes float64 of a 0-d float32 and a Python number
            xp.where(xp.logical_and(finite, xp.logical_not(due)), waited, none),
            tree.map(keep_if_finite, new_inner, state.inner),
        )

    def _all_finite(self, g: Array) -> Array:
        xp = array_namespace(g)
        ok = xp.isfinite(g)
        return xp.all(ok) if self.members is None else xp.all(xp.reshape(ok, (self.members, -1)), axis=-1)


def _spread(numbers: Array, like: Array) -> Array:
    """One number a member, made to broadcast with an array whose first axis are the members; one of shape () as it is."""
    return (
        array_namespace(numbers).reshape(numbers, (-1, *(1,) * (like.ndim - 1))) if numbers.ndim else numbers
    )


class ScaledProgram(Program):
    """Steps with the model at the scale that the optimiser's state holds."""

    def current(self, optimizer_state: ScaledState) -> Problem:
        model = functools.partial(self._problem.model, scale=optimizer_state.scale)
        return dataclasses.replace(self._problem, model=model)


class ScaledEngine(PortableEngine):
    """The portable engine for `ScaledOptimizer`."""

    program = ScaledProgram


def prepared(problem: Problem) -> Problem:
    """The problem in terms of its master dtype: what engines solve. Any but those of 16 bits are such as they are.

    Raises
    ------
    InputError
        For an optimiser that searches along a line, in float16.
    """
    if not is_mixed(problem.dtype):
        return problem
    optimizer = problem.optimizer
    if problem.dtype == SCALED:
        if getattr(optimizer, "full_batch", False):
            raise InputError(
                f"optimizer: {optimizer.name!r} needs more precise losses than {SCALED} gives; use dtype='float32', or "
                "a first-order optimizer such as 'adam'"
            )
        optimizer = ScaledOptimizer(optimizer, problem.members)
    model = Model(problem.model, problem.backend, problem.dtype)
    return dataclasses.replace(problem, model=model, optimizer=optimizer, dtype=MASTER)


def is_scaled(problem: Problem) -> bool:
    """Whether a problem wants the `ScaledEngine`."""
    return isinstance(problem.optimizer, ScaledOptimizer)
