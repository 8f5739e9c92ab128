"""Optimisers: the parameters after a number of updates with given gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from multimlp import optimizers
from multimlp.backend import Array, Arrays, Backend
from multimlp.optimizers import Optimizer
from multimlp.parity.cases import Aspect, Case, Compute, Relative, label
from multimlp.parity.formats import Format

STEPS = 12
SIZE = 8

VARIANTS: dict[str, tuple[Mapping[str, Any], ...]] = {
    "sgd": ({"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}, {"weight_decay": 0.1}),
    "rmsprop": ({"momentum": 0.9},),
    "adam": ({"weight_decay": 0.1}, {"eps": 1e-3}),
    "lion": ({"weight_decay": 0.1},),
}


def configured() -> Iterator[tuple[str, Mapping[str, Any], Optimizer]]:
    """The first-order optimisers with the options at which they are compared."""
    for name in optimizers.names():
        for options in ({}, *VARIANTS.get(name, ())):
            optimizer = optimizers.get({"name": name, "options": options})
            if isinstance(optimizer, Optimizer):
                yield name, options, optimizer


def inputs(form: Format) -> tuple[np.ndarray, np.ndarray]:
    """Parameters, and a gradient a step: of usual size, tiny (where epsilon counts), zero, large.

    In float16, where the square of a tiny gradient and epsilon are both zero, all are of usual size.
    """
    random = np.random.default_rng(31)
    scale = np.asarray([1.0, 1.0, 1.0, 1e-4, 1e-8, 0.0, 30.0, 1.0])
    scale = np.ones(SIZE) if form.tiny > 1e-8 else scale
    gradients = random.normal(size=(STEPS, SIZE)) * scale
    return form.round(random.normal(size=SIZE)), form.round(gradients)


def cases(form: Format, quick: bool) -> Iterator[Case]:
    for name, options, optimizer in configured():
        after, given = _after(optimizer), inputs(form)
        yield Case(
            function=label(name, options),
            family="optimizer",
            inputs=given,
            aspects=(Aspect("value", after),),
            references={"value": after},
            relative={"value": _beside(given[0])},
            tolerance=name,
        )


def _beside(start: np.ndarray) -> Relative:
    """What the updates add is small beside the parameters, which may cancel it."""

    def sizes(reference: Callable[[str], np.ndarray]) -> np.ndarray:
        size: np.ndarray = np.abs(reference("value")) + np.abs(start)
        return size

    return sizes


def _after(optimizer: Optimizer) -> Compute:
    def compute(backend: Backend, arrays: Arrays) -> Array:
        params, gradients = arrays
        state = optimizer.init(params)
        for step in range(STEPS):
            params, state = optimizer.update(gradients[step, ...], state, params)
        return params

    return compute
