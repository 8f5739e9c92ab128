"""What a training step minimises, as a function of flat parameters; shared by the engines that differentiate automatically."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from multimlp import tree
from multimlp.backend import Array, array_namespace
from multimlp.losses import batch_mean, total_weight
from multimlp.training.engines.base import Problem
from multimlp.tree import Tree

Arrays = tuple[Array, ...]
Objective = Callable[[Arrays], tuple[Array, Arrays]]


def batch_objective(
    problem: Problem, rebuild: Callable[..., Tree], key: Array, batch: Sequence[Any], step: Array
) -> Objective:
    """``arrays -> (objective, (mean loss,))`` for one batch of inputs, targets and perhaps sample weights, at the step of this number.

    The mean loss has one number per ensemble member; their sum is the objective, so that each member gets its own gradient.
    """
    X, y, *weight = batch
    timed = _at(problem.model, step)

    def objective(arrays: Arrays) -> tuple[Array, Arrays]:
        params = rebuild(arrays)
        outputs = problem.model(params, X, key=key, **timed)
        mean = batch_mean(example_losses(problem, outputs, y), weight[0] if weight else None)
        if problem.regularizer is not None:
            mean = mean + _penalty(problem, params)
        return array_namespace(mean).sum(mean), (mean,)

    return objective


def example_losses(problem: Problem, outputs: Array, y: Array) -> Array:
    """The losses, shape (n,) or (members, n). An example's is the mean over what else a model keeps before its rows, as `blocks.replicate`
    makes members inside one network."""
    losses: Array = problem.loss(outputs, y)
    inside = range(0 if problem.members is None else 1, losses.ndim - 1)
    return array_namespace(losses).mean(losses, axis=tuple(inside)) if inside else losses


def _at(model: Any, step: Array) -> dict[str, Array]:
    """What a model that changes with the step is told of it."""
    return {"step": step} if getattr(getattr(model, "func", model), "scheduled", False) else {}


def _penalty(problem: Problem, params: Tree) -> Array:
    """The penalty as one number, or what it adds to each member's loss."""
    penalty = problem.regularizer(params)  # type: ignore[misc]
    together = problem.members is not None and penalty.ndim == 0  # one number for all members
    return penalty / problem.members if together else penalty


# ---- some rows of a batch --------------------------------------------------------------------------------------------


def flat_share(
    problem: Problem,
    rebuild: Callable[..., Tree],
    arrays: Arrays,
    key: Array,
    data: Sequence[Any],
    rows: Array,
    everyone: Array,
    start: Any,
    step: Array,
    counted: Array | None = None,
) -> Array:
    """What some rows of a batch add to its gradient and mean loss: a flat array of all gradients, and after them a loss a member.

    Parameters
    ----------
    arrays : tuple of array
        The leaves of the parameters.
    data : sequence of array
        Inputs, targets and perhaps sample weights of all examples.
    rows, everyone : array of int
        The examples in question, and those of the whole batch, whose number or sum of weights the loss is divided by.
    start : int, array or None
        The place of the first row in the batch, for the masks of dropout; None: the model draws none.
    step : array of shape ()
        The number of the step.
    counted : array of bool, optional
        Which of the rows count; default: all.
    """
    X, y, *weight = (array_namespace(a).take(a, rows, axis=0) for a in data)
    told = {} if start is None else {"window": (start, int(everyone.shape[0]))}
    told |= _at(problem.model, step)

    def objective(arrays: Arrays) -> tuple[Array, Arrays]:
        losses = example_losses(problem, problem.model(rebuild(arrays), X, key=key, **told), y)
        xp, whole = array_namespace(losses), float(everyone.shape[0])
        if weight:
            losses = losses * xp.astype(weight[0], losses.dtype)
            whole = total_weight(xp.astype(xp.take(data[2], everyone, axis=0), losses.dtype))
        if counted is not None:
            losses = losses * xp.astype(counted, losses.dtype)
        mean = xp.sum(losses, axis=-1) / whole
        return xp.sum(mean), (mean,)

    _, (mean,), gradients = problem.backend.final_value_and_grad(objective)(arrays)
    return array_namespace(mean).concat([array_namespace(a).reshape(a, (-1,)) for a in (*gradients, mean)])


def flat_size(problem: Problem, params: Tree) -> int:
    """How many numbers `flat_share` gives."""
    size: int = sum(math.prod(leaf.shape) for leaf in tree.leaves(params))
    return size + (problem.members or 1)


def nothing(problem: Problem, size: int) -> Array:
    """What no rows at all give."""
    return problem.backend.asarray(np.zeros(size), dtype=problem.dtype, device=problem.device)


def with_penalty(
    problem: Problem, rebuild: Callable[..., Tree], arrays: Arrays, flat: Array
) -> tuple[Array, list[Array]]:
    """``(mean loss, gradients)`` of a whole batch, with the penalty, from the sum of what `flat_share` gives of its rows."""
    xp = array_namespace(flat)
    cuts = [0, *itertools.accumulate(math.prod(a.shape) for a in arrays)]
    gradients = [
        xp.reshape(flat[i:j], tuple(a.shape))
        for a, (i, j) in zip(arrays, itertools.pairwise(cuts), strict=True)
    ]
    mean = xp.reshape(flat[cuts[-1] :], () if problem.members is None else (problem.members,))
    if problem.regularizer is None:
        return mean, gradients

    def objective(arrays: Arrays) -> tuple[Array, Arrays]:
        penalty = _penalty(problem, rebuild(arrays))
        xp = array_namespace(penalty)
        each = penalty if penalty.ndim or problem.members is None else xp.broadcast_to(penalty, mean.shape)
        return xp.sum(each), (penalty,)

    _, (penalty,), slopes = problem.backend.final_value_and_grad(objective)(arrays)
    return mean + penalty, [g + slope for g, slope in zip(gradients, slopes, strict=True)]
