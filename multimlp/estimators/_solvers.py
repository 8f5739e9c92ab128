"""From scikit-learn's solver parameters to optimisers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from multimlp import optimizers
from multimlp.backend import Array, array_namespace


def full_batch(solver: Any) -> bool:
    """Whether the solver works on all rows at once."""
    return bool(solver == "lbfgs" or getattr(solver, "full_batch", False))


def optimizer_for(estimator: Any, rate: float, rows: int, steps_per_epoch: int) -> Any:
    """The optimiser for an estimator's parameters.

    Parameters
    ----------
    estimator : estimator
    rate : float
        The learning rate now; what ``learning_rate="adaptive"`` has made of ``learning_rate_init``.
    rows, steps_per_epoch : int
        For ``learning_rate="invscaling"``, whose time is the number of rows seen at the end of the last
        epoch.
    """
    solver = estimator.solver
    if solver == "adam":
        return optimizers.adam(rate, estimator.beta_1, estimator.beta_2, estimator.epsilon)
    if solver == "sgd":
        schedule: Any = rate
        if estimator.learning_rate == "invscaling":
            schedule = inverse_scaling(rate, estimator.power_t, rows, steps_per_epoch)
        nesterov = bool(estimator.nesterovs_momentum and estimator.momentum)
        return optimizers.sgd(schedule, estimator.momentum, nesterov)
    if solver == "lbfgs":
        return optimizers.lbfgs(tolerance_gradient=estimator.tol, tolerance_change=1e-9)
    if isinstance(solver, str):
        return optimizers.get({"name": solver, "options": {"learning_rate": rate}})
    return optimizers.get(solver)


def inverse_scaling(rate: float, power: float, rows: int, steps_per_epoch: int) -> Callable[[Any], Any]:
    """``rate / (t + 1)^power`` as a schedule, t the number of rows seen when the epoch began."""

    def schedule(step: Array) -> Array:
        xp = array_namespace(step)
        seen = xp.floor(step / steps_per_epoch) * rows
        return rate * xp.pow(seen + 1, xp.full_like(step, -power))

    return schedule
