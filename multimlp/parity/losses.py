"""Losses: their values, closed-form gradients, and gradients by autodiff."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from multimlp import losses
from multimlp.backend import Array, Arrays, Backend, array_namespace
from multimlp.losses import Loss
from multimlp.parity.cases import Aspect, Case, Compute, label
from multimlp.parity.formats import Format

COLUMNS = 4

VARIANTS: dict[str, tuple[Mapping[str, Any], ...]] = {
    "cross_entropy": ({"label_smoothing": 0.125}, {"class_weights": (1.0, 2.0, 0.5, 4.0)}),
    "huber": ({"delta": 2.0},),
}


def outputs(form: Format, quick: bool) -> np.ndarray:
    """Scores of usual size, equal ones, kinks of the losses, large ones."""
    random = np.random.default_rng(21)
    usual = random.normal(size=(4 if quick else 16, COLUMNS)) * 3
    special = np.asarray(
        [
            [0, 0, 0, 0],
            [1, -1, 1, -1],
            [2, 1, 0, -1],
            [1e-8, 0, -1e-8, 1],
            [10, -10, 10, -10],
            [300, -300, 0, 1],
        ]
    )
    largest = min(300.0, np.sqrt(form.max) / 3)  # so that sums of squares do not overflow
    return form.round(np.clip(np.concatenate([usual, special]), -largest, largest))


def targets(name: str, form: Format, count: int) -> np.ndarray:
    """Class labels, decisions, counts, or numbers."""
    random = np.random.default_rng(22)
    if name == "cross_entropy":
        return random.integers(0, COLUMNS, count)
    if name in ("binary_cross_entropy", "hinge"):
        return random.integers(0, 2, (count, COLUMNS)).astype(np.float64)
    if name == "poisson":
        return random.integers(0, 5, (count, COLUMNS)).astype(np.float64)
    values = form.round(random.normal(size=(count, COLUMNS)))
    values[-6:-3] = 0.0  # so that some residuals are exactly at the kinks
    return values


def cases(form: Format, quick: bool) -> Iterator[Case]:
    o = outputs(form, quick)
    for name in losses.names():
        # exp(300) is no number of the formats below float64, and its square none of float64
        given = np.where(np.abs(o) > 50, np.sign(o) * 5, o) if name == "poisson" else o
        for options in ({}, *VARIANTS.get(name, ())):
            loss = losses.with_options(name, **options)
            yield Case(
                function=label(name, options),
                family="loss",
                inputs=(given, targets(name, form, len(given))),
                aspects=(
                    Aspect("value", _value(loss)),
                    Aspect("derivative", _gradient(loss), "derivative", "derivative"),
                    Aspect("autodiff", _autodiff(loss), "derivative", "derivative"),
                ),
                references={"value": _value(loss), "derivative": _gradient(loss)},
                scale={"value": _magnitude(name), "derivative": _slope_magnitude(name)},
                tolerance=name,
            )


def _value(loss: Loss) -> Compute:
    return lambda backend, arrays: loss(arrays[0], arrays[1])


def _gradient(loss: Loss) -> Compute:
    return lambda backend, arrays: loss.gradient(arrays[0], arrays[1])


def _autodiff(loss: Loss) -> Compute:
    def compute(backend: Backend, arrays: Arrays) -> Array:
        values, pullback = backend.vjp(lambda xs: (loss(xs[0], arrays[1]),), arrays[:1])
        return pullback((array_namespace(*values).ones_like(values[0]),))[0]

    return compute


def _terms(name: str) -> Callable[[Any, Array, Array], Array]:
    """The size of the numbers whose difference the loss is: rounding errors are relative to these."""
    if name == "cross_entropy":
        return lambda xp, o, t: 1 + xp.abs(o)
    if name == "poisson":
        return lambda xp, o, t: xp.exp(o) + xp.abs(o * t)
    if name in ("mse", "huber"):
        return lambda xp, o, t: (xp.abs(o) + xp.abs(t)) ** 2
    return lambda xp, o, t: xp.abs(o) + xp.abs(t)


def _magnitude(name: str) -> Compute:
    terms = _terms(name)

    def compute(backend: Backend, arrays: Arrays) -> Array:
        return 1 + backend.xp.max(terms(backend.xp, *arrays), axis=-1)

    return compute


def _slope_magnitude(name: str) -> Compute:
    def compute(backend: Backend, arrays: Arrays) -> Array:
        o, t = arrays
        if name == "poisson":
            return 1 + backend.xp.exp(o) + t
        return (
            1 + backend.xp.abs(o) * 0
            if name == "cross_entropy"
            else 1 + backend.xp.abs(o) + backend.xp.abs(t)
        )

    return compute
