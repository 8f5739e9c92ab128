"""A short training run in float64: every backend must follow the same path as NumPy, to 1e-9."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from multimlp import optimizers, tree
from multimlp.backend import load_backend
from multimlp.mlp import MLP
from multimlp.parity.formats import FORMATS
from multimlp.parity.plan import Plan
from multimlp.parity.rows import Row
from multimlp.training import fit

STEPS = 100
BATCH = 16
LIMIT = 1e-9
"""Relative to the largest parameter: rounding errors of 1e-16 grow on the way."""


@dataclass(frozen=True)
class Recipe:
    """One way to train."""

    activation: str
    optimizer: str
    options: Mapping[str, Any] = field(default_factory=dict)
    dropout: float = 0.0

    @property
    def label(self) -> str:
        dropout = f", dropout {self.dropout:g}" if self.dropout else ""
        return f"fit {self.activation}, {self.optimizer}{dropout}"


RECIPES = (
    Recipe("relu", "adam", {"learning_rate": 0.01}),
    Recipe("tanh", "sgd", {"learning_rate": 0.05, "momentum": 0.9}),
    Recipe("gelu", "adam", {"learning_rate": 0.01}, 0.2),
    Recipe("sigmoid", "lbfgs"),
)


def rows(plan: Plan) -> Iterator[Row]:
    """For each recipe a row a backend."""
    if "float64" not in plan.dtypes:
        return
    for recipe in RECIPES:
        if plan.wants(recipe.label) or plan.wants("fit"):
            truth = trained(recipe, "numpy", None)
            for name in plan.backends:
                backend = load_backend(name)
                device = backend.resolve_device(plan.device) or backend.devices()[0]
                yield _row(recipe, name, device, truth)


def _data() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(71)
    X = random.normal(size=(BATCH * 10, 6))
    return X, (X[:, 0] * X[:, 1] + X[:, 2] > 0).astype(np.int64)


def trained(recipe: Recipe, backend: str, device: str | None, **shared: Any) -> np.ndarray:
    """The parameters that a recipe ends with, as one vector; ``shared`` are the arguments ``devices`` and ``shards`` of `fit`."""
    X, y = _data()
    mlp = MLP(6, (12, 8), 2, activation=recipe.activation, dropout=recipe.dropout)
    optimizer = optimizers.get({"name": recipe.optimizer, "options": recipe.options})
    epochs = STEPS // 10
    result = fit(
        mlp, X, y, optimizer=optimizer, epochs=epochs, batch_size=BATCH, validation=None, seed=3,
        backend=backend, device=device, dtype="float64", progress=False, **shared,
    )  # fmt: skip
    owner = load_backend(backend)
    leaves: Sequence[Any] = tree.leaves(result.params)
    return np.concatenate([owner.to_numpy(leaf).reshape(-1) for leaf in leaves])


def _row(recipe: Recipe, backend: str, device: str, truth: np.ndarray) -> Row:
    eps = FORMATS["float64"].eps
    try:
        params = trained(recipe, backend, device)
        off = float(np.max(np.abs(params - truth)) / np.max(np.abs(truth)))
        off, note = (off, "") if np.isfinite(off) else (np.inf, "not finite")
    except Exception as error:
        off, note = np.inf, f"{type(error).__name__}: {error}".partition("\n")[0][:200]
    return Row(
        recipe.label, "training", "parameters", backend, device, "float64", "eager",
        off / eps, LIMIT / eps, off / eps, 0.0, off <= LIMIT, note or f"relative {off:.1e}",
    )  # fmt: skip
