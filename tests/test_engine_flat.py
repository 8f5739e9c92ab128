"""The flat engine against torch's autograd and optimisers, and against the portable engine."""

from __future__ import annotations

import dataclasses
import itertools
import tracemalloc
from typing import Any

import numpy as np
import pytest

from multimlp import losses, optimizers, random, regularizers, registry, schedules, tree
from multimlp.engine import Chunk, Problem, flat
from multimlp.engine.flat_kernels import Kernels
from multimlp.engine.portable import PortableEngine
from multimlp.mlp import MLP

torch = pytest.importorskip("torch")
F = torch.nn.functional

BACKENDS = ("numpy", "torch")
SEED, SAMPLES, STEPS_PER_EPOCH = 3, 22, 3
"""22 examples in batches of 8: two whole ones and a ragged one of 6."""


@dataclasses.dataclass(frozen=True)
class Case:
    """One training problem; the defaults are the plain one."""

    activation: str = "tanh"
    loss: Any = "cross_entropy"
    optimizer: Any = dataclasses.field(default_factory=optimizers.adam)
    regularizer: Any = None
    hidden: tuple[int, ...] = (7, 6)
    use_bias: bool = True
    weighted: bool = False
    dropout: float = 0.0
    members: int | None = None
    soft: bool = False
    outputs: int = 4
    dtype: str = "float64"

    def __str__(self) -> str:
        changed = (f for f in dataclasses.fields(self) if getattr(self, f.name) != getattr(PLAIN, f.name))
        parts = [f"{f.name}={getattr(self, f.name)}" for f in changed]
        return (
            ", ".join(part.replace("Optimizer(name=", "").replace(", options=", " ") for part in parts)
            or "plain"
        )

    @property
    def mlp(self) -> MLP:
        return MLP(
            5, self.hidden, self.outputs, self.activation, use_bias=self.use_bias, dropout=self.dropout
        )

    def data(self) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        rng = np.random.default_rng(0)
        X = rng.standard_normal((SAMPLES, 5))
        name = losses.get(self.loss).name
        if name == "cross_entropy" and not self.soft:
            y = rng.integers(0, self.outputs, SAMPLES).astype(np.int32)
        elif name == "cross_entropy":
            y = rng.dirichlet(np.ones(self.outputs), SAMPLES)
        elif name in ("binary_cross_entropy", "hinge"):
            y = rng.integers(0, 2, (SAMPLES, self.outputs)).astype(np.float64)
        else:
            y = rng.uniform(0, 2, (SAMPLES, self.outputs))
        return X, y, rng.uniform(0.2, 2, SAMPLES) if self.weighted else None

    def problem(self, backend: str) -> Problem:
        return Problem(
            self.mlp, losses.get(self.loss), self.optimizer, self.regularizer, registry.load(backend), None,
            self.dtype, self.members, batch_size=8, seed=SEED,
        )  # fmt: skip

    def params(self, backend: str = "numpy") -> Any:
        seed = 1 if self.members is None else range(1, 1 + self.members)
        return self.mlp.init(seed=seed, backend=backend, dtype=self.dtype)

    def chunk(self, backend: str) -> Chunk:
        adapter, (X, y, w) = registry.load(backend), self.data()
        labels = y.dtype == np.int32
        return Chunk(
            adapter.asarray(X, dtype=self.dtype),
            adapter.asarray(y, dtype="int32" if labels else self.dtype),
            None if w is None else adapter.asarray(w, dtype=self.dtype),
        )


PLAIN = Case()


def orders(epochs: int) -> list[np.ndarray]:
    return [np.random.default_rng(10 + epoch).permutation(SAMPLES) for epoch in range(epochs)]


def trained(engine: Any, case: Case, backend: str, epochs: int = 3) -> tuple[Any, Any, list[np.ndarray]]:
    """Parameters, optimiser slots and losses after some epochs, as NumPy arrays."""
    adapter, chunk = registry.load(backend), case.chunk(backend)
    found = []
    for epoch, order in enumerate(orders(epochs)):
        result = engine.run(chunk, order, epoch * STEPS_PER_EPOCH)
        assert result.examples == SAMPLES
        found.append(np.asarray(result.loss, dtype=np.float64))
    host = lambda t: [np.array(adapter.to_numpy(leaf)) for leaf in tree.leaves(t)]  # noqa: E731
    return host(engine.params()), host(engine.optimizer_state()), found


def run_flat(case: Case, backend: str, epochs: int = 3) -> tuple[Any, Any, list[np.ndarray]]:
    engine = flat.build(case.problem(backend), case.params(backend))
    assert not isinstance(engine, str), engine
    return trained(engine, case, backend, epochs)


def assert_near(actual: Any, expected: Any, tolerance: float) -> None:
    assert len(actual) == len(expected)
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


# ---- against torch's autograd and optimisers ---------------------------------------------------------------------------

ACTIVATIONS = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "gelu": F.gelu,
    "silu": F.silu,
    "elu": F.elu,
    "selu": F.selu,
    "softplus": F.softplus,
    "leaky_relu": F.leaky_relu,
    "mish": F.mish,
    "softsign": F.softsign,
    "hard_tanh": F.hardtanh,
    "relu6": F.relu6,
    "identity": lambda x: x,
}
smoothed = losses.with_options("cross_entropy", label_smoothing=0.1)
classes = losses.with_options("cross_entropy", class_weights=(0.5, 1.0, 2.0, 3.0))
CLASS_WEIGHTS = torch.tensor([0.5, 1.0, 2.0, 3.0], dtype=torch.float64)


def _mean(function: Any) -> Any:
    return lambda o, y: function(o, y, reduction="none").mean(-1)


LOSSES = {
    "cross_entropy": lambda o, y: F.cross_entropy(o, y, reduction="none"),
    "mse": _mean(F.mse_loss),
    "mae": _mean(F.l1_loss),
    "huber": _mean(F.huber_loss),
    "binary_cross_entropy": _mean(F.binary_cross_entropy_with_logits),
    "poisson": _mean(F.poisson_nll_loss),
    smoothed: lambda o, y: F.cross_entropy(o, y, reduction="none", label_smoothing=0.1),
    classes: lambda o, y: F.cross_entropy(o, y, reduction="none", weight=CLASS_WEIGHTS),
}
OPTIMIZERS = {
    optimizers.sgd(0.1): lambda p: torch.optim.SGD(p, 0.1),
    optimizers.sgd(0.1, momentum=0.9): lambda p: torch.optim.SGD(p, 0.1, 0.9),
    optimizers.sgd(0.1, momentum=0.9, nesterov=True, weight_decay=0.01): lambda p: torch.optim.SGD(
        p, 0.1, 0.9, nesterov=True, weight_decay=0.01
    ),
    optimizers.adam(0.01): lambda p: torch.optim.Adam(p, 0.01),
    optimizers.adam(0.01, weight_decay=0.1): lambda p: torch.optim.Adam(p, 0.01, weight_decay=0.1),
    optimizers.adamw(0.01, weight_decay=0.1): lambda p: torch.optim.AdamW(p, 0.01, weight_decay=0.1),
    optimizers.rmsprop(0.01): lambda p: torch.optim.RMSprop(p, 0.01),
    optimizers.rmsprop(0.01, momentum=0.5): lambda p: torch.optim.RMSprop(p, 0.01, momentum=0.5),
    optimizers.adagrad(0.05): lambda p: torch.optim.Adagrad(p, 0.05),
}


def torch_reference(case: Case, epochs: int = 3) -> tuple[list[np.ndarray], list[float]]:
    """Parameters and epoch losses of a loop written with torch alone, for one network."""
    activation, loss_of = ACTIVATIONS[case.activation], LOSSES[case.loss]
    leaves = [torch.tensor(leaf, requires_grad=True) for leaf in tree.leaves(case.params())]
    optimizer = OPTIMIZERS.get(case.optimizer, lambda p: torch.optim.Adam(p, 1e-3))(leaves)
    X, y, w = (None if a is None else torch.tensor(a) for a in case.data())
    y = y.long() if y.dtype == torch.int32 else y
    found, step = [], 0
    for order in orders(epochs):
        total = 0.0
        for rows in (order[:8], order[8:16], order[16:]):
            outputs = _forward(case, leaves, X[rows], activation, step)
            per_example = loss_of(outputs, y[rows])
            weights = torch.ones(len(rows), dtype=torch.float64) if w is None else w[rows]
            loss = (per_example * weights).sum() / weights.sum()
            if case.regularizer is not None:
                matrices = [leaf for leaf in leaves if leaf.ndim == 2]
                loss = loss + sum(
                    case.regularizer.l1 * m.abs().sum() + case.regularizer.l2 * (m**2).sum() for m in matrices
                )
            optimizer.zero_grad()
            loss.backward()
            limit = case.optimizer.options["clip_norm"]
            if limit is not None:
                norm = torch.cat([leaf.grad.flatten() for leaf in leaves]).norm()
                for leaf in leaves:
                    leaf.grad *= min(1.0, limit / norm.item())
            optimizer.step()
            total += loss.item() * len(rows)
            step += 1
        found.append(total)
    return [leaf.detach().numpy() for leaf in leaves], found


def _forward(case: Case, leaves: list[Any], x: Any, activation: Any, step: int) -> Any:
    per_layer = 2 if case.use_bias else 1
    key = random.fold_in(random.key(SEED, like=np.zeros(1)), step)
    for i in range(len(case.hidden) + 1):
        x = x @ leaves[per_layer * i]
        if case.use_bias:
            x = x + leaves[per_layer * i + 1]
        if i < len(case.hidden):
            x = activation(x)
            if case.dropout:
                keep = random.bernoulli(random.fold_in(key, i), 1 - case.dropout, tuple(x.shape))
                x = x * torch.tensor(keep) / (1 - case.dropout)
    return x


AGAINST_TORCH = [
    *(Case(activation=name) for name in ACTIVATIONS),
    *(Case(loss=loss) for loss in LOSSES),
    *(Case(loss=loss, weighted=True) for loss in ("cross_entropy", "mse", "huber", classes)),
    *(Case(optimizer=optimizer) for optimizer in OPTIMIZERS),
    Case(optimizer=optimizers.adam(clip_norm=0.05)),
    Case(optimizer=optimizers.adam(clip_norm=1e6)),
    Case(regularizer=regularizers.l1(0.01)),
    Case(regularizer=regularizers.l2(0.01)),
    Case(regularizer=regularizers.elastic_net(0.02, 0.03), loss="mse", weighted=True),
    Case(dropout=0.4),
    Case(dropout=0.3, activation="relu", use_bias=False, loss="mse"),
    Case(dropout=0.3, activation="gelu"),
    Case(use_bias=False),
    Case(hidden=()),
    Case(hidden=(), use_bias=False, loss="mse", outputs=1),
    Case(hidden=(3, 9, 2, 8), activation="relu"),
    Case(soft=True),
    Case(soft=True, weighted=True, loss=smoothed),
]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("case", AGAINST_TORCH, ids=str)
def test_trajectory_equals_autograd(case: Case, backend: str) -> None:
    params, _, found = run_flat(case, backend)
    expected, expected_losses = torch_reference(case)
    assert_near(params, expected, 1e-10)
    assert_near(found, expected_losses, 1e-10)


@pytest.mark.parametrize("backend", BACKENDS)
def test_each_member_of_an_ensemble_trains_as_if_alone(backend: str) -> None:
    for case in (
        Case(members=3),
        Case(
            members=3,
            activation="relu",
            loss="mse",
            weighted=True,
            regularizer=regularizers.elastic_net(0.01, 0.02),
        ),
        Case(members=2, activation="gelu", loss="huber", optimizer=optimizers.sgd(0.1, momentum=0.9)),
    ):
        params, _, found = run_flat(case, backend)
        for member in range(case.members or 0):
            alone = dataclasses.replace(case, members=None)
            object.__setattr__(
                alone, "params", lambda b="numpy", m=member, c=alone: c.mlp.init(1 + m, b, c.dtype)
            )
            own_params, _, own_found = run_flat(alone, backend)
            assert_near([leaf[member] for leaf in params], own_params, 1e-11)
            assert_near([loss[member] for loss in found], own_found, 1e-11)
