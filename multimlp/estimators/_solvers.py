"""From scikit-learn's solver parameters to optimisers."""

from __future__ import annotations

from typing import Any

from multimlp import optimizers
from multimlp.backend import Array, Namespace, op
from multimlp.optimizers import Optimizer, Rule
from multimlp.schedules import Schedule


def full_batch(solver: Any) -> bool:
    """Whether the solver works on all rows at once."""
    return bool(solver == "lbfgs" or getattr(solver, "full_batch", False))


def optimizer_for(
    estimator: Any, rate: float, rows: int, batch_size: int, steps: int = 0, before: Any = None
) -> Any:
    """The optimiser for an estimator's parameters.

    Parameters
    ----------
    estimator : estimator
    rate : float
        The learning rate now; what ``learning_rate="adaptive"`` has made of ``learning_rate_init``.
    rows, batch_size : int
        For ``learning_rate="invscaling"``, whose time is the number of rows seen at the end of the last epoch.
    steps : int
        Made so far by an optimiser that is to be gone on with.
    before : Optimizer, optional
        That one; it comes back where nothing has changed.
    """
    solver = estimator.solver
    if solver == "adam":
        return optimizers.adam(rate, estimator.beta_1, estimator.beta_2, estimator.epsilon)
    if solver == "sgd":
        return _sgd(estimator, rate, rows, -(-rows // batch_size), steps, before)
    if solver == "lbfgs":
        return optimizers.lbfgs(tolerance_gradient=estimator.tol, tolerance_change=1e-9)
    if isinstance(solver, str):
        return optimizers.get({"name": solver, "options": {"learning_rate": rate}})
    return optimizers.get(solver)


def _sgd(estimator: Any, rate: float, rows: int, epoch_steps: int, steps: int, before: Any) -> Any:
    momentum = estimator.momentum
    nesterov = bool(estimator.nesterovs_momentum and momentum)
    if estimator.learning_rate == "constant":
        return optimizers.sgd(rate, momentum, nesterov)
    schedule: Any = rate
    if estimator.learning_rate == "invscaling":
        options = {
            "rate": rate,
            "power": estimator.power_t,
            "rows": rows,
            "steps": epoch_steps,
            "start": steps,
            "seen": estimator.t_,
            "first": steps == 0,
        }
        if _goes_on(before, options):
            return before
        schedule = Schedule("inverse_scaling", _inverse_scaling, options)
    if not momentum:
        return optimizers.sgd(schedule)
    options = {
        "learning_rate": schedule,
        "momentum": momentum,
        "nesterov": nesterov,
        "weight_decay": 0.0,
        "clip_norm": None,
    }
    return Optimizer("momentum_in_steps", options, _MOMENTUM_IN_STEPS)


# ---- rates that change ---------------------------------------------------------------------------------------------------


def _inverse_scaling(
    xp: Namespace,
    t: Array,
    rate: float,
    power: float,
    rows: int,
    steps: int,
    start: int,
    seen: int,
    first: bool,
) -> Array:
    """``rate / (n + 1)^power``, n the number of rows seen when the epoch began: ``seen`` at step ``start``, and ``rows`` more every
    ``steps``. As in scikit-learn a first epoch has the rate itself, whatever was seen before."""
    done = xp.floor(xp.where(t > start, t - start, xp.zeros_like(t)) / steps)
    scaled = rate * xp.pow(seen + 1 + done * rows, xp.full_like(t, -power))
    return xp.where(done > 0, scaled, xp.full_like(t, rate)) if first else scaled


def _goes_on(optimizer: Any, options: dict[str, Any]) -> bool:
    """Whether the schedule of an optimiser already says what one with these options would."""
    schedule = optimizer.options["learning_rate"] if isinstance(optimizer, Optimizer) else None
    if not isinstance(schedule, Schedule) or schedule.function is not _inverse_scaling:
        return False
    known = schedule.options
    epochs, rest = divmod(options["start"] - known["start"], known["steps"])
    return (
        all(known[name] == options[name] for name in ("rate", "power", "rows", "steps"))
        and rest == 0
        and known["seen"] + epochs * known["rows"] == options["seen"]
    )


@op(arrays=3)
def momentum_in_steps_update(
    p: Array, g: Array, velocity: Array, *, learning_rate: Any, momentum: Any, nesterov: bool
) -> tuple[Array, Array]:
    """``u = mu u - lr g``; ``p + u``, or ``p + mu u - lr g`` with Nesterov's look-ahead.

    scikit-learn's form: the velocity keeps the rates of the steps that made it, where that of `multimlp.optimizers.sgd` is multiplied
    by today's rate. For a constant rate they are the same.
    """
    step = learning_rate * g
    velocity = momentum * velocity - step
    return p + (momentum * velocity - step if nesterov else velocity), velocity


_MOMENTUM_IN_STEPS = Rule(momentum_in_steps_update)
