"""What a training step minimises, as a function of flat parameters; shared by the engines that differentiate automatically."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from multimlp.backend import Array, array_namespace
from multimlp.losses import batch_mean
from multimlp.training.engines.base import Problem
from multimlp.tree import Tree


def batch_objective(
    problem: Problem, rebuild: Callable[..., Tree], key: Array, batch: Sequence[Any]
) -> Callable[[tuple[Array, ...]], tuple[Array, tuple[Array, ...]]]:
    """``arrays -> (objective, (mean loss,))`` for one batch of inputs, targets and perhaps sample weights.

    The mean loss has one number per ensemble member; their sum is the objective, so that each member gets its own gradient.
    """
    X, y, *weight = batch

    def objective(arrays: tuple[Array, ...]) -> tuple[Array, tuple[Array, ...]]:
        params = rebuild(arrays)
        outputs = problem.model(params, X, key=key)
        mean = batch_mean(problem.loss(outputs, y), weight[0] if weight else None)
        if problem.regularizer is not None:
            penalty = problem.regularizer(params)
            together = problem.members is not None and penalty.ndim == 0  # one number for all members
            mean = mean + (penalty / problem.members if together else penalty)
        return array_namespace(mean).sum(mean), (mean,)

    return objective
