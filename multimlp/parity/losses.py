"""Losses: their values, closed-form gradients, and gradients by autodiff."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np

from multimlp import losses
from multimlp.backend import Array, Arrays, Backend, array_namespace
from multimlp.errors import DataError
from multimlp.losses import Loss
from multimlp.parity.cases import Aspect, Case, Compute, Relative, label
from multimlp.parity.formats import Format

COLUMNS = 4

VARIANTS: dict[str, tuple[Mapping[str, Any], ...]] = {
    "cross_entropy": ({"label_smoothing": 0.125}, {"class_weights": (1.0, 2.0, 0.5, 4.0)}),
    "huber": ({"delta": 2.0},),
    "quantile": ({"quantiles": (0.125, 0.75)},),
    "student_nll": ({"df": 1.0},),
    "focal": ({"gamma": 1.0, "class_weights": (1.0, 2.0, 0.5, 4.0)},),
    "binary_focal": ({"gamma": 0.5, "alpha": 0.25},),
}

EXPONENTIAL = ("poisson",)
"""Losses whose value grows as the exponential of the outputs."""

LIKELIHOODS = ("gaussian_nll", "student_nll", "mixture_nll")
"""Losses of outputs that are logarithms of scales: where these are large the loss is as large as exponentials of them squared."""

NO_LIMITS = (*LIKELIHOODS, "focal", "binary_focal")
"""Losses that promise nothing at infinite outputs."""

Terms: TypeAlias = Callable[[Any, Array, Array], Array]
TERMS: dict[str, Terms] = {
    "cross_entropy": lambda xp, o, t: 1 + xp.abs(o),
    "poisson": lambda xp, o, t: xp.exp(o) + xp.abs(o * t),
}
SLOPE_TERMS: dict[str, Terms] = {
    "cross_entropy": lambda xp, o, t: 0 * o,
    "poisson": lambda xp, o, t: xp.exp(o) + t,
}
"""Of the losses whose value, or slope, is a difference of other numbers than outputs and targets."""


def outputs(loss: Loss, form: Format, quick: bool) -> np.ndarray:
    """Scores of usual size, equal ones, kinks of the losses, large ones."""
    random = np.random.default_rng(21)
    width = _width(loss)
    usual = random.normal(size=(4 if quick else 16, width)) * 3
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
    special = np.concatenate([special, special], axis=1)[:, :width]
    largest = (
        2.0 if loss.name in LIKELIHOODS else min(300.0, np.sqrt(form.max) / 3)
    )  # so that sums of squares do not overflow
    found = form.round(np.clip(np.concatenate([usual, special]), -largest, largest))
    # What has no finite value in a format is no case in it: exp(300) is no number below float64.
    return np.where(np.abs(found) > 50, np.sign(found) * 5, found) if loss.name in EXPONENTIAL else found


def _columns(loss: Loss) -> int:
    """Of the targets: as many as go with `COLUMNS` outputs, at least one."""
    return max([1, *(d for d in range(1, COLUMNS + 1) if loss.outputs_for(d) <= COLUMNS)])


def _width(loss: Loss) -> int:
    """Of the outputs."""
    return loss.outputs_for(_columns(loss))


def edges(loss: Loss, form: Format) -> tuple[np.ndarray, np.ndarray]:
    """Infinite, very large and the smallest normal outputs, against each of two targets."""
    width = _width(loss)
    row = np.resize(np.asarray([1.0, -1.0, 0.5, 0.0]), (1, width))
    largest = (
        5.0 if loss.name in (*EXPONENTIAL, *LIKELIHOODS) else form.max / 8
    )  # the sum over the outputs must not overflow
    limits = () if loss.name in NO_LIMITS else (np.inf, -np.inf)
    first = (*limits, largest, -largest, form.tiny, -form.tiny)
    o = np.concatenate([np.where(np.arange(width) == 0, x, row) for x in first] * 2)
    t = np.repeat([0, 1], len(first))
    of_rows = loss.decides in ("class", "rank")
    return o, t if of_rows else np.repeat(t[:, None], _columns(loss), axis=1).astype(np.float64)


def targets(loss: Loss, form: Format, count: int) -> np.ndarray:
    """Class labels, decisions, or numbers: counts for a loss that takes no others."""
    random = np.random.default_rng(22)
    if loss.decides == "class":
        return random.integers(0, COLUMNS, count)
    if loss.decides == "rank":
        return random.integers(0, COLUMNS + 1, count)
    if loss.decides is not None:
        return random.integers(0, 2, (count, COLUMNS)).astype(np.float64)
    columns = _columns(loss)
    values = form.round(random.normal(size=(count, columns)))
    values[-6:-3] = 0.0  # so that some residuals are exactly at the kinks
    try:
        loss.validate((count, _width(loss)), values)
    except DataError:
        return np.random.default_rng(22).integers(0, 5, (count, columns)).astype(np.float64)
    return values


def cases(form: Format, quick: bool) -> Iterator[Case]:
    for name in losses.names():
        for options in ({}, *VARIANTS.get(name, ())):
            loss = losses.with_options(name, **options)
            given = outputs(loss, form, quick)
            far, beside = edges(loss, form)
            near = targets(loss, form, len(given))
            yield Case(
                function=label(name, options),
                family="loss",
                inputs=(np.concatenate([given, far]), np.concatenate([near, beside])),
                aspects=(
                    Aspect("value", _value(loss)),
                    Aspect("derivative", _gradient(loss), "derivative", "derivative"),
                    Aspect("autodiff", _autodiff(loss), "derivative", "derivative"),
                ),
                references={"value": _value(loss), "derivative": _gradient(loss), **_sizes(loss)},
                scale={"value": _magnitude(loss), "derivative": _slope_magnitude(loss)},
                relative=_relative(loss),
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


VALUE_SIZES: dict[str, Terms] = {"poisson": lambda xp, o, t: xp.mean(xp.exp(o) + xp.abs(o * t), axis=-1)}
"""Of the losses whose value is a difference, and may be small beside its terms."""

NOT_RELATIVE = ("cross_entropy", "focal", *LIKELIHOODS)
"""Values that are only good beside 1: the logarithm of a sum that is nearly 1, or a sum of logarithms of both signs."""


def _sizes(loss: Loss) -> dict[str, Compute]:
    """References for `_relative`: of the slope what the loss makes of the outputs, from which the targets are subtracted."""

    def predicted(backend: Backend, arrays: Arrays) -> Array:
        if loss.activation_function is None or loss.parts is not None:
            return 0 * arrays[0]
        return loss.activation(arrays[0]) / (1 if loss.decides == "class" else COLUMNS)

    def terms(backend: Backend, arrays: Arrays) -> Array:
        known = VALUE_SIZES.get(loss.name, lambda xp, o, t: 0 * xp.sum(o, axis=-1))
        return known(backend.xp, *arrays)

    return {"terms": terms, "predicted": predicted}


def _relative(loss: Loss) -> dict[str, Relative]:
    def of_slope(reference: Callable[[str], np.ndarray]) -> np.ndarray:
        size: np.ndarray = np.abs(reference("derivative")) + np.nan_to_num(
            reference("predicted"), nan=0.0, posinf=0.0
        )
        return size

    def of_value(reference: Callable[[str], np.ndarray]) -> np.ndarray:
        size: np.ndarray = np.abs(reference("value")) + np.nan_to_num(reference("terms"), nan=0.0, posinf=0.0)
        return size

    if loss.name in NO_LIMITS:  # slopes that are differences of products
        return {}
    return {"derivative": of_slope} | ({} if loss.name in NOT_RELATIVE else {"value": of_value})


def _magnitude(loss: Loss) -> Compute:
    """The size of the numbers whose difference the loss is: rounding errors are relative to these."""
    terms = TERMS.get(loss.name, _sides(loss))

    def compute(backend: Backend, arrays: Arrays) -> Array:
        xp = backend.xp
        return 1 + xp.abs(loss(*arrays)) + xp.max(terms(xp, *arrays), axis=-1)

    return compute


def _sides(loss: Loss) -> Terms:
    """The outputs, and the targets where there is one for each of them."""
    apart = loss.parts is not None or loss.decides in ("class", "rank")
    return lambda xp, o, t: xp.abs(o) if apart else xp.abs(o) + xp.abs(t)


def _slope_magnitude(loss: Loss) -> Compute:
    terms = SLOPE_TERMS.get(loss.name, _sides(loss))

    def compute(backend: Backend, arrays: Arrays) -> Array:
        return 1 + terms(backend.xp, *arrays)

    return compute
