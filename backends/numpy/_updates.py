"""NumPy's optimiser updates: no temporaries, pieces that fit the cache."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from multimlp.backend import FusedUpdate, Scalars, UpdateRule

CHUNK = 1 << 16
"""Numbers in a piece: five arrays of it stay in the second-level cache of current processors, and the calls
are long enough for two threads not to wait for the interpreter's lock (with 2^14, two threads were slower
than one)."""


def fused_update(
    rule: UpdateRule, p: np.ndarray, g: np.ndarray, slots: Sequence[np.ndarray]
) -> FusedUpdate | None:
    """See `multimlp.backend.Kernels.fused_update`."""
    if rule.name not in _RULES:
        return None
    work = np.zeros_like(p[:CHUNK])
    pieces = [
        _piece(rule, work, *(array[start : start + CHUNK] for array in (p, g, *slots)))
        for start in range(0, p.size, CHUNK)
    ]
    if len(pieces) == 1:
        return pieces[0]

    def update(scalars: Scalars, number: int) -> None:
        for piece in pieces:
            piece(scalars, number)

    return update


def _piece(
    rule: UpdateRule, work: np.ndarray, p: np.ndarray, g: np.ndarray, *slots: np.ndarray
) -> FusedUpdate:
    """The update of one piece, with the weight decay before it."""
    work, decay = work[: p.size], rule.options["weight_decay"]
    update = _RULES[rule.name](rule.options, work, p, g, *slots)
    if not decay:
        return update

    def shrink(scalars: Scalars, number: int) -> None:
        np.multiply(p, 1 - scalars["learning_rate"] * decay, out=p)
        update(scalars, number)

    def add_to_gradient(scalars: Scalars, number: int) -> None:
        np.multiply(p, decay, out=work)
        np.add(g, work, out=g)
        update(scalars, number)

    return shrink if rule.decoupled else add_to_gradient


def _adam(
    options: Mapping[str, Any], work: np.ndarray, p: np.ndarray, g: np.ndarray, m: np.ndarray, v: np.ndarray
) -> FusedUpdate:
    multiply, add, sqrt, divide, subtract = np.multiply, np.add, np.sqrt, np.divide, np.subtract
    beta1, beta2, rest1, rest2, rate, shift = (
        np.asarray(value, dtype=p.dtype)
        for value in (options["beta1"], options["beta2"], 1 - options["beta1"], 1 - options["beta2"], 0, 0)
    )
    eps = options["eps"]

    def update(scalars: Scalars, number: int) -> None:
        # lr (m / c1) / (sqrt(v / c2) + eps) with the corrections taken out of the arrays
        root = math.sqrt(scalars["correction2"])
        rate[()] = scalars["learning_rate"] * root / scalars["correction1"]
        shift[()] = eps * root
        multiply(m, beta1, m)
        multiply(g, rest1, work)
        add(m, work, m)
        multiply(g, g, g)
        multiply(g, rest2, g)
        multiply(v, beta2, v)
        add(v, g, v)
        sqrt(v, work)
        add(work, shift, work)
        divide(m, work, work)
        multiply(work, rate, work)
        subtract(p, work, p)

    return update


def _sgd(
    options: Mapping[str, Any], work: np.ndarray, p: np.ndarray, g: np.ndarray, *velocity: np.ndarray
) -> FusedUpdate:
    multiply, add, subtract = np.multiply, np.add, np.subtract
    rate, momentum = (np.asarray(value, dtype=p.dtype) for value in (0, options["momentum"]))
    nesterov = options["nesterov"]

    def update(scalars: Scalars, number: int) -> None:
        rate[()] = scalars["learning_rate"]
        direction = g
        for u in velocity:
            multiply(u, momentum, u)
            add(u, g, u)
            if nesterov:
                multiply(u, momentum, work)
                add(g, work, g)
            else:
                direction = u
        multiply(direction, rate, work)
        subtract(p, work, p)

    return update


_RULES: dict[str, Any] = {"adam": _adam, "adamw": _adam, "sgd": _sgd}
