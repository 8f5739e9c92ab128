"""Numbers that each member of an ensemble has for itself: its learning rate, its decay, its penalty, its dropout.

They come as `Problem.own`, by the names of the optimiser's options, ``"l1"``, ``"l2"`` and ``"dropout"``, and take the place of what
optimiser, regulariser and model say. Everything else is shared: members see the same batches in the same order, and their masks are cut
from the same random words, each at its own rate. So a member is trained as a single network is, whoever is trained beside it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from multimlp import random
from multimlp.backend import Array, array_namespace
from multimlp.mlp import MLP, Params, forward
from multimlp.regularizers import Regularizer
from multimlp.training.engines.base import Problem
from multimlp.tree import Tree

Numbers: TypeAlias = Mapping[str, Any]
"""Arrays of shape (members,), by name."""

PENALTY, DROPOUT = ("l1", "l2"), "dropout"
WORDS, FACTORS = "dropout words", "dropout factors"
"""What a rate is to the masks: the largest random word that keeps a unit (int32), and what a unit that is kept is multiplied with."""


def host_numbers(problem: Problem) -> dict[str, np.ndarray]:
    """The problem's own numbers in double precision; instead of dropout's rates what the masks want."""
    found = {name: np.asarray(values, dtype=np.float64) for name, values in problem.own}
    rates = found.pop(DROPOUT, None)
    if rates is not None:
        # As `random.bernoulli` has it, but for <= instead of <, so that to keep everything is a word too.
        kept = np.round((1 - rates) * 2.0**32) - 2.0**31 - 1
        found[WORDS] = np.maximum(kept, -(2.0**31)).astype(np.int32)
        found[FACTORS] = 1 / (1 - rates)
    return found


def placed(problem: Problem) -> dict[str, Array]:
    """`host_numbers` where the problem is solved, in the dtype of its parameters."""

    def place(numbers: np.ndarray) -> Array:
        dtype = problem.dtype if numbers.dtype.kind == "f" else "int32"
        return problem.backend.asarray(numbers, dtype=dtype, device=problem.device)

    return {name: place(numbers) for name, numbers in host_numbers(problem).items()}


def first_state(problem: Problem, params: Tree) -> Tree:
    """The optimiser's state before the first step."""
    return with_own(problem, placed(problem)).optimizer.init(params)


def with_own(problem: Problem, numbers: Numbers) -> Problem:
    """The problem whose parts know their members' numbers: arrays of shape (members,) of the library and dtype of the parameters."""
    options = dict(numbers)
    if not options:
        return problem
    model, regularizer = problem.model, problem.regularizer
    if WORDS in options:
        model = _with_dropout(model, options.pop(WORDS), options.pop(FACTORS))
    strengths = {name: options.pop(name) for name in PENALTY if name in options}
    if strengths:
        base: Any = regularizer  # a `Regularizer`: nothing else has strengths that could be replaced
        regularizer = Regularizer(**{"l1": 0.0, "l2": 0.0, **(base.options if base else {}), **strengths})
    optimizer = problem.optimizer.with_own(options) if options else problem.optimizer
    return dataclasses.replace(problem, model=model, regularizer=regularizer, optimizer=optimizer)


def _with_dropout(model: Any, words: Array, factors: Array) -> Any:
    if isinstance(model, MLP):
        return OwnDropout(model, words, factors)
    return dataclasses.replace(
        model, model=OwnDropout(model.model, words, factors)
    )  # in 16 bits: `mixed.Model`


@dataclass(frozen=True, eq=False)
class OwnDropout:
    """An MLP whose members have rates of dropout of their own; see `host_numbers`."""

    model: MLP
    words: Array
    factors: Array

    def __call__(self, params: Params, X: Array, key: Array | None = None) -> Array:
        if key is None:
            return self.model(params, X)

        def drop(hidden: Array, i: int) -> Array:
            xp = array_namespace(hidden)
            drawn = random.bits(random.fold_in(key, i), tuple(hidden.shape)[1:])
            kept = drawn[None, ...] <= self.words[:, None, None]
            factors = xp.astype(self.factors[:, None, None], hidden.dtype)
            return xp.where(kept, hidden * factors, xp.zeros_like(hidden))

        return forward(self.model.layers, params, X, drop)
