"""Which problems the in-place engine covers, and one sentence for each that it does not."""

from __future__ import annotations

from typing import Any

from multimlp.losses import Loss
from multimlp.mlp import MLP, Dense
from multimlp.optimizers import Optimizer
from multimlp.regularizers import Regularizer
from multimlp.schedules import Schedule
from multimlp.training.engines.base import Problem
from multimlp.tree import Tree


def why_not(problem: Problem, params: Tree) -> str | None:
    """Why the problem is not covered, or None if it is."""
    reason = why_no_gradient(problem, params)
    if reason is None and not _is_plain(problem.optimizer):
        return f"{getattr(problem.optimizer, 'name', problem.optimizer)} is no element-wise update rule"
    if reason is None and any(
        isinstance(part.options["weight_decay"], Schedule) for part in problem.optimizer.for_leaves(params)
    ):
        return "a weight decay that changes with the step has no in-place rule"
    return reason


def why_no_gradient(problem: Problem, params: Tree) -> str | None:
    """Why there are no in-place rules for loss and gradient, whatever the optimiser; or None if there are."""
    model, loss = problem.model, problem.loss
    if problem.dtype not in ("float32", "float64"):
        return f"in-place rules are written for float32 and float64, not {problem.dtype}"
    if type(model) is not MLP or not all(type(layer) is Dense for layer in params):
        kind = (
            "a model of its own"
            if type(model) is not MLP
            else "an activation that is learned with the weights"
        )
        return f"{kind} needs automatic differentiation"
    if model.final_activation is not None:
        return f"the final activation {model.final_activation.name} needs automatic differentiation"
    for rule in model.activations:
        if not rule.elementwise:
            kind = "works along an axis" if rule.is_known else "has no derivative in closed form"
            return f"the activation {rule.name} {kind}"
    if type(loss) is not Loss or loss.gradient_function is None:
        return f"the loss {getattr(loss, 'name', loss)} has no gradient in closed form"
    if problem.regularizer is not None and type(problem.regularizer) is not Regularizer:
        return "the regularizer has no gradient in closed form"
    return None


def _is_plain(optimizer: Any) -> bool:
    """Whether an optimiser is nothing but its rule: a class of somebody's own may make more of an update."""
    return isinstance(optimizer, Optimizer) and all(
        getattr(type(optimizer), name) is getattr(Optimizer, name)
        for name in ("update", "update_array", "scalars")
    )
