"""Gradients of two models: those that their libraries compute, and where one has none, slopes by differences of its outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from multimlp import random
from multimlp.interop._verify.report import Row
from multimlp.interop._verify.run import Opened, Run

IN_INPUTS = "gradient in inputs"
_STEP = 4e-4
"""Of the widest difference, in the size of the inputs: short, so that few rows have a kink within it; with two extrapolations a smooth
function's error is of its sixth power, and rounding, divided by its fourth part, 1e-12."""
_SETTLED = 1e-9
"""Part of the usual slope by which two extrapolations may differ; they differ by much more where an activation has its kink between."""
_FEW, _MOST = 4.0, 0.99
"""Units in the last place that are few, and of the rows: in the others a kink may lie between."""
_ROOM = 2.0**-10
"""Of a dtype's largest number: a gradient is the sum of larger ones."""
_EXACT = 2.0**-30
"""To which a slope by differences is known: one unit in the last place of it is at least so much."""


class Probabilities(NamedTuple):
    """What becomes of a model's outputs where the other model gives probabilities of classes."""

    of: Callable[[np.ndarray], np.ndarray]
    pulled_back: Callable[[np.ndarray, np.ndarray], np.ndarray]
    """``pulled_back(outputs, cotangent)``: the cotangent of the outputs for that of the probabilities."""


class Gradients(NamedTuple):
    """What was found.

    Attributes
    ----------
    rows : tuple of Row, or None
        None where nothing could be compared, and ``missing`` says why.
    alone : tuple of str
        What one model has and the other has not.
    by_differences : tuple of str
        The libraries whose gradients were had from differences of outputs.
    """

    rows: tuple[Row, ...] | None
    missing: str = ""
    alone: tuple[str, ...] = ()
    by_differences: tuple[str, ...] = ()


class Side(NamedTuple):
    """One of the two models: what it gave, and what is made of it before it is compared."""

    model: Opened
    run: Callable[[np.ndarray, np.ndarray | None], Run]
    outputs: np.ndarray
    turned: Probabilities | None

    def gradients(self, X: np.ndarray, along: np.ndarray) -> dict[str, np.ndarray] | None:
        """The library's own, of ``sum(compared * along)``."""
        if self.turned is not None:
            along = self.turned.pulled_back(self.outputs, along).astype(along.dtype)
        found = self.run(X, along).gradients
        return None if found is None else dict(found)

    def values(self, X: np.ndarray) -> np.ndarray | None:
        """What is compared, in float64, if the model computes in it; None if it does not."""
        found = None if self.model.in_float64 is None else self.model.in_float64(X)
        return found if found is None or self.turned is None else self.turned.of(found)


def compared(
    one: Side, other: Side, X: np.ndarray, shape: tuple[int, ...], seed: int, eps: float
) -> Gradients:
    """The gradients of two models along one direction of what is compared, of this shape."""
    # Around 1: the gradient in the last bias is their sum, which around 0 would be nothing but its own rounding.
    along = (1 + random.host_generator(seed, "along").standard_normal(shape)).astype(X.dtype)
    first, second = one.gradients(X, along), other.gradients(X, along)
    if first is None or second is None:
        return _by_differences(one, other, (first, second), X, along, seed, eps)
    rows = tuple(
        Row.of(f"gradient in {name}", first[name], second[name], eps) for name in first if name in second
    )
    alone = tuple(
        f"gradients in {', '.join(only)}, which {side.model.library} alone has"
        for side, own, others in ((one, first, second), (other, second, first))
        if (only := [name for name in own if name not in others])
    )
    return Gradients(rows, alone=alone)


def _by_differences(
    one: Side,
    other: Side,
    found: tuple[dict[str, np.ndarray] | None, dict[str, np.ndarray] | None],
    X: np.ndarray,
    along: np.ndarray,
    seed: int,
    eps: float,
) -> Gradients:
    directions = random.host_generator(seed, "directions").standard_normal(X.shape)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    slopes, settled, within, growth = [], np.ones(len(X), dtype=bool), np.ones(len(X), dtype=bool), 1.0
    largest = min((float(np.finfo(own["inputs"].dtype).max) for own in found if own), default=np.inf) * _ROOM
    without = [side for side, own in zip((one, other), found, strict=True) if own is None]
    names = tuple(sorted({side.model.library for side in without}))
    for side, own in zip((one, other), found, strict=True):
        if own is not None:
            slopes.append((own["inputs"].astype(np.float64) * directions).sum(axis=1))
            growth = _growth(side, X, along, directions, slopes[-1], seed, eps)
            continue
        by_differences = _slopes(side, X.astype(np.float64), directions, along.astype(np.float64))
        if by_differences is None:
            return Gradients(
                None,
                f"{_have(names)} no gradients, and {side.model.library} gives no outputs in float64, whose differences would tell them",
            )
        slopes.append(by_differences[0])
        within &= np.abs(by_differences[0]) <= largest
        settled &= by_differences[1]
    if not (settled & within).any():
        reason = (
            "an activation has a kink beside each" if within.any() else "they are beyond the dtype's numbers"
        )
        return Gradients(None, f"{_have(names)} no gradients, and differences settle in no row: {reason}")
    first, second = (values[settled & within] for values in slopes)
    row = Row.of(f"{IN_INPUTS}, by differences", first, second, max(growth * eps, _EXACT))
    alone = [f"gradients in weights and biases, which {_have(names)} none of"]
    if not settled.all():
        alone.append(
            f"the gradient in inputs of {int((~settled).sum())} of {len(X)} rows, beside which an activation has a kink"
        )
    if not within.all():
        alone.append(
            f"the gradient in inputs of {int((~within).sum())} of {len(X)} rows, which is beyond the numbers of its dtype"
        )
    return Gradients((row,), alone=tuple(alone), by_differences=names)


def _growth(
    side: Side,
    X: np.ndarray,
    along: np.ndarray,
    directions: np.ndarray,
    slopes: np.ndarray,
    seed: int,
    eps: float,
) -> float:
    """How much more than a few units a library's own slopes move, at most, when every input is rounded another way: so far they may be from
    exact ones."""
    signs = random.host_generator(seed, "rounding").choice([-1.0, 1.0], X.shape)
    moved = side.gradients((X * (1 + eps * signs)).astype(X.dtype), along)
    if moved is None:
        return 1.0
    other = (moved["inputs"].astype(np.float64) * directions).sum(axis=1)
    apart = np.sort(Row.ulps(slopes, other, eps))
    return max(1.0, float(apart[int(_MOST * (len(apart) - 1))]) / _FEW)


def _have(names: tuple[str, ...]) -> str:
    return f"{' and '.join(names)} {'has' if len(names) == 1 else 'have'}"


def _slopes(
    side: Side, X: np.ndarray, directions: np.ndarray, along: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """Of ``sum(compared * along)`` in each row along its direction, and whether they are known; None without float64.

    Central differences of three steps, extrapolated twice (Richardson).
    """
    here = side.values(X)
    if here is None or here.dtype != np.float64:
        return None

    def value(step: float) -> np.ndarray:
        return np.asarray((np.asarray(side.values(X + step * directions)) * along).sum(axis=1))

    middle = (here * along).sum(axis=1)
    widest = _STEP * max(1.0, float(np.sqrt(np.mean(X**2))))
    central, second = [], []
    for step in (widest, widest / 2, widest / 4):
        above, below = value(step), value(-step)
        central.append((above - below) / (2 * step))
        second.append(np.abs(above - 2 * middle + below) / step)
    wide, narrow = ((4 * central[i + 1] - central[i]) / 3 for i in (0, 1))
    found = (16 * narrow - wide) / 15
    size = _usual(found)
    with np.errstate(invalid="ignore"):  # what is infinite is not known
        smooth = (
            second[2] <= second[0] / 2 + _SETTLED * size
        )  # at a kink it does not get smaller with the step
        return found, (np.abs(found - narrow) <= _SETTLED * np.maximum(np.abs(found), size)) & smooth


def _usual(slopes: np.ndarray) -> float:
    """The root of the mean square of those that are finite, whose squares may be beyond the largest number."""
    finite = np.abs(slopes[np.isfinite(slopes)])
    peak = max(float(finite.max(initial=0.0)), 1e-300)
    return max(peak * float(np.sqrt(np.mean((finite / peak) ** 2))), 1e-300) if finite.size else peak
