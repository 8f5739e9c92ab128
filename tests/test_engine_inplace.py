"""The in-place engine against torch's autograd and optimisers, and against the portable engine."""

from __future__ import annotations

import dataclasses
import tracemalloc
from typing import Any

import numpy as np
import pytest

import multimlp as mm
from multimlp import activations, losses, optimizers, random, regularizers, schedules, tree
from multimlp.backend import Kernels, load_backend
from multimlp.backends._threads import threads_for
from multimlp.mlp import MLP
from multimlp.training.engines import Chunk, Problem, inplace
from multimlp.training.engines.portable import PortableEngine

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
    dropout: float | tuple[float, ...] = 0.0
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
        loss = losses.get(self.loss)
        width = self.outputs if loss.decides is not None else loss.outputs_for(self.outputs)
        return MLP(5, self.hidden, width, self.activation, use_bias=self.use_bias, dropout=self.dropout)

    def data(self) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        rng = np.random.default_rng(0)
        X = rng.standard_normal((SAMPLES, 5))
        decides = losses.get(self.loss).decides
        if decides == "class" and self.soft:
            y = rng.dirichlet(np.ones(self.outputs), SAMPLES)
        elif decides in ("class", "rank"):
            y = rng.integers(0, self.outputs, SAMPLES).astype(np.int32)
        elif decides is not None:
            y = rng.integers(0, 2, (SAMPLES, self.outputs)).astype(np.float64)
        else:
            y = rng.uniform(0, 2, (SAMPLES, self.outputs))
        return X, y, rng.uniform(0.2, 2, SAMPLES) if self.weighted else None

    def problem(self, backend: str) -> Problem:
        return Problem(
            self.mlp, losses.get(self.loss), self.optimizer, self.regularizer, load_backend(backend), None,
            self.dtype, self.members, batch_size=8, seed=SEED,
        )  # fmt: skip

    def params(self, backend: str = "numpy") -> Any:
        seed = 1 if self.members is None else range(1, 1 + self.members)
        return self.mlp.init(seed=seed, backend=backend, dtype=self.dtype)

    def chunk(self, backend: str) -> Chunk:
        adapter, (X, y, w) = load_backend(backend), self.data()
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
    adapter, chunk = load_backend(backend), case.chunk(backend)
    found = []
    for epoch, order in enumerate(orders(epochs)):
        result = engine.run(chunk, order, epoch * STEPS_PER_EPOCH)
        assert result.examples == SAMPLES
        found.append(np.asarray(result.loss, dtype=np.float64))
    host = lambda t: [np.array(adapter.to_numpy(leaf)) for leaf in tree.leaves(t)]  # noqa: E731
    return host(engine.params()), host(engine.optimizer_state()), found


def run_inplace(case: Case, backend: str, epochs: int = 3) -> tuple[Any, Any, list[np.ndarray]]:
    engine = inplace.build(case.problem(backend), case.params(backend))
    assert not isinstance(engine, str), engine
    return trained(engine, case, backend, epochs)


def assert_near(actual: Any, expected: Any, tolerance: float) -> None:
    assert len(actual) == len(expected)
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


# ---- against torch's autograd and optimisers
# ---------------------------------------------------------------------------

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
            if rate := case.mlp.dropouts[i]:
                keep = random.bernoulli(random.fold_in(key, i), 1 - rate, tuple(x.shape))
                x = x * torch.tensor(keep) / (1 - rate)
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
    Case(dropout=(0.4, 0.0, 0.2), hidden=(7, 6, 5), activation="relu"),
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
    params, _, found = run_inplace(case, backend)
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
        params, _, found = run_inplace(case, backend)
        for member in range(case.members or 0):
            alone = dataclasses.replace(case, members=None)
            object.__setattr__(
                alone, "params", lambda b="numpy", m=member, c=alone: c.mlp.init(1 + m, b, c.dtype)
            )
            own_params, _, own_found = run_inplace(alone, backend)
            assert_near([leaf[member] for leaf in params], own_params, 1e-11)
            assert_near([loss[member] for loss in found], own_found, 1e-11)


# ---- against the portable engine -----------------------------------------------------------------------

SCHEDULED = optimizers.adam(schedules.warm_up(2, schedules.cosine(0.01, 9)), weight_decay=0.01)
ALL_ACTIVATIONS = [n for n in activations.names() if activations.describe(n).elementwise and n != "prelu"]
AGAINST_PORTABLE = [
    *(Case(activation=name) for name in ALL_ACTIVATIONS if name not in ACTIVATIONS),
    *(
        Case(activation=activations.configured(name, **options))
        for name, options in (
            ("leaky_relu", {"negative_slope": 0.2}),
            ("leaky_relu", {"negative_slope": -0.5}),
            ("gelu", {"approximate": "tanh"}),
            ("elu", {"alpha": 0.5}),
        )
    ),
    *(Case(loss=loss) for loss in losses.names() if loss not in LOSSES),
    *(Case(loss=loss.scaled(2.5)) for loss in (losses.cross_entropy, losses.mse, losses.huber)),
    *(Case(loss=loss.scaled(2.5), weighted=True) for loss in (losses.cross_entropy, losses.mse)),
    Case(loss="cross_entropy", weighted=True, dropout=0.2, soft=True),
    Case(optimizer=optimizers.nadam(0.01)),
    Case(optimizer=optimizers.lion(0.001, weight_decay=0.1)),
    Case(optimizer=optimizers.adagrad(0.05, initial_accumulator=0.1)),
    Case(optimizer=SCHEDULED),
    Case(optimizer=optimizers.sgd(lambda t: 0.1 / (1 + t), momentum=0.5)),
    Case(members=2, dropout=0.3, activation="relu"),
    Case(members=2, dropout=(0.0, 0.3), activation="relu"),
    Case(members=2, soft=True, loss=classes),
    Case(hidden=(40,), optimizer=optimizers.rmsprop(0.01, clip_norm=0.1)),
]


def run_portable(case: Case, backend: str) -> tuple[Any, Any, list[np.ndarray]]:
    return trained(PortableEngine(case.problem(backend), case.params(backend)), case, backend)


@pytest.mark.parametrize("case", AGAINST_PORTABLE, ids=str)
def test_trajectory_equals_the_portable_engine(case: Case) -> None:
    """Parameters, optimiser state and losses agree on NumPy, and torch agrees with NumPy."""
    expected = run_portable(case, "numpy")
    for backend in BACKENDS:
        for found, wanted in zip(run_inplace(case, backend), expected, strict=True):
            assert_near(found, wanted, 1e-11)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "gelu"])
def test_float32_stays_close_to_float64(activation: str, backend: str) -> None:
    case = Case(activation=activation, optimizer=optimizers.sgd(0.1, momentum=0.9))
    narrow, _, narrow_losses = run_inplace(dataclasses.replace(case, dtype="float32"), backend)
    wide, _, wide_losses = run_inplace(case, backend)
    assert all(leaf.dtype == np.float32 for leaf in narrow)
    assert_near(narrow, wide, 2e-6)
    assert_near(narrow_losses, wide_losses, 2e-6)


@pytest.mark.parametrize(
    "case", [Case(), Case(activation="relu", loss="mse", weighted=True, members=2)], ids=str
)
def test_the_primitives_as_they_stand_do_the_same(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that overrides none of the primitives (CuPy) trains the same network."""
    expected = run_inplace(case, "numpy")
    numpy = load_backend("numpy")
    monkeypatch.setattr(numpy, "inplace_kernels", lambda dtype, device: Kernels(numpy, dtype, device, np))
    for found, wanted in zip(run_inplace(case, "numpy"), expected, strict=True):
        assert_near(found, wanted, 1e-11)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_relu_passes_gradients_where_its_input_is_above_zero_only(backend: str, dtype: str) -> None:
    adapter = load_backend(backend)
    kernels: Any = adapter.inplace_kernels(dtype, None)
    tiny = float(np.finfo(dtype).smallest_subnormal)
    z = np.asarray([[0.0, -0.0, tiny, -tiny, 1.0, -1.0, np.inf, -np.inf]], dtype=dtype)
    y, d = adapter.asarray(z, dtype=dtype), adapter.asarray(np.full_like(z, -2.5), dtype=dtype)
    forward, backward = kernels.activation(activations.relu, y, d)
    forward()
    assert np.array_equal(adapter.to_numpy(y), np.where(z > 0, z, 0))
    backward()
    assert np.array_equal(adapter.to_numpy(d), np.where(z > 0, -2.5, 0))


# ---- state ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "optimizer",
    [optimizers.adam(0.01), optimizers.sgd(0.1, momentum=0.9), optimizers.nadam(0.01)],
    ids=lambda o: o.name,
)
def test_going_on_from_a_checkpoint_is_exact(optimizer: Any, backend: str) -> None:
    case = Case(optimizer=optimizer, dropout=0.2, dtype="float32")
    problem, chunk, adapter = case.problem(backend), case.chunk(backend), load_backend(backend)
    first, second = orders(2)
    whole: Any = inplace.build(problem, case.params(backend))
    whole.run(chunk, first, 0)
    params, state = whole.params(), whole.optimizer_state()
    assert tree.structure(state) == tree.structure(optimizer.init(params))
    assert int(state.step) == STEPS_PER_EPOCH
    whole.run(chunk, second, STEPS_PER_EPOCH)
    resumed: Any = inplace.build(problem, params, state)
    resumed.run(chunk, second, STEPS_PER_EPOCH)
    pairs = zip(
        tree.leaves((whole.params(), whole.optimizer_state())),
        tree.leaves((resumed.params(), resumed.optimizer_state())),
        strict=True,
    )
    assert all(np.array_equal(adapter.to_numpy(a), adapter.to_numpy(b)) for a, b in pairs)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_it_hands_out_is_not_its_own_memory(backend: str) -> None:
    case = Case()
    adapter, given = load_backend(backend), case.params(backend)
    engine: Any = inplace.build(case.problem(backend), given)
    before = [np.array(adapter.to_numpy(leaf)) for leaf in tree.leaves((given, engine.params()))]
    handed_out = engine.params()
    engine.run(case.chunk(backend), orders(1)[0], 0)
    after = [adapter.to_numpy(leaf) for leaf in tree.leaves((given, handed_out))]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert not np.array_equal(adapter.to_numpy(engine.params()[0].weight), before[0])


def test_batches_of_any_size_in_any_order() -> None:
    """A stream brings chunks of several sizes; each is cut into batches like the whole."""
    case = Case(activation="relu")
    X, y, _ = case.data()
    sizes = (5, 8, 3, 1, 2, 7, 6, 4, 8, 5)
    engines: list[Any] = [inplace.build(case.problem("numpy"), case.params())]
    engines.append(PortableEngine(case.problem("numpy"), case.params()))
    for engine in engines:
        for step, size in enumerate(sizes):
            rows = np.arange(size) + step
            engine.run(Chunk(X[rows], y[rows], None), np.arange(size), step)
    first, second = (tree.leaves(engine.params()) for engine in engines)
    assert_near(first, second, 1e-12)


def test_a_large_buffer_is_updated_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    from multimlp.backends.numpy import _updates as numpy_updates

    case = Case(hidden=(30, 20), optimizer=optimizers.adamw(0.01, weight_decay=0.1))
    expected = run_inplace(case, "numpy")
    monkeypatch.setattr(numpy_updates, "CHUNK", 64)
    for found, wanted in zip(run_inplace(case, "numpy"), expected, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(found, wanted, strict=True))


# ---- gradients whose squares overflow -------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1.0, 1e30])
@pytest.mark.parametrize("members", [None, 2])
@pytest.mark.parametrize("backend", ["numpy", "torch", "numba", "portable", "jax", "tensorflow"])
def test_a_gradient_whose_squares_overflow_is_bounded(
    backend: str, members: int | None, limit: float
) -> None:
    """float32 has no square of 1e24; float64 has it."""
    library, compiler = {"numba": ("numpy", "numba"), "portable": ("numpy", "none")}.get(
        backend, (backend, None)
    )
    for name in {library, "numba"} & {"torch", "jax", "tensorflow", backend}:
        pytest.importorskip(name)
    if backend == "numba" and members:
        pytest.skip("members are trained one after the other there")
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((8, 3)) * 1e14, rng.standard_normal(8) * 1e10
    mlp = mm.MLP(3, 2, 1, activation="identity")

    def update(backend: str, dtype: str, compiler: str | None) -> list[np.ndarray]:
        start = mlp.init(0 if members is None else list(range(members)), "numpy", dtype)
        found = mm.fit(
            mlp, X, y, loss="mse", optimizer=mm.optimizers.sgd(1e-3, clip_norm=limit), params=start, epochs=1, batch_size=None,
            validation=None, progress=False, backend=backend, dtype=dtype, compile=compiler,
        )  # fmt: skip
        host = load_backend(backend).to_numpy
        return [
            np.asarray(host(now), dtype=np.float64) - then
            for now, then in zip(tree.leaves(found.params), tree.leaves(start), strict=True)
        ]

    found, exact = update(library, "float32", compiler), update("numpy", "float64", "none")
    size = np.sqrt(sum(np.sum(part**2) for part in exact))
    assert size == pytest.approx(1e-3 * limit, rel=1e-6) or limit > 1
    for mine, wanted in zip(found, exact, strict=True):
        np.testing.assert_allclose(mine, wanted, rtol=1e-2, atol=1e-3 * size)


@pytest.mark.parametrize(
    ("backend", "compiler"), [("numpy", None), ("torch", None), ("numpy", "numba"), ("jax", None)]
)
def test_members_bounds_hold_where_squares_overflow(backend: str, compiler: str | None) -> None:
    pytest.importorskip(compiler or backend)
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((8, 3)) * 1e14, rng.standard_normal(8) * 1e10
    mlp, limits = mm.MLP(3, 2, 1, activation="identity"), [1.0, 100.0]
    found = mm.sweep(
        mlp, {"clip_norm": limits}, X, y, loss="mse", optimizer=mm.optimizers.sgd(1e-3), epochs=1, batch_size=None, validation=None,
        progress=False, backend=backend, compile=compiler, dtype="float32",
    )  # fmt: skip
    start = mlp.init(0, "numpy", "float32")
    for i, limit in enumerate(limits):
        moved = [
            np.asarray(now) - then
            for now, then in zip(tree.leaves(found.params(i)), tree.leaves(start), strict=True)
        ]
        size = np.sqrt(sum(np.sum(part.astype(np.float64) ** 2) for part in moved))
        assert size == pytest.approx(1e-3 * limit, rel=1e-3)


# ---- cost ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
def test_steps_allocate_nothing_in_the_steady_state(loss: str) -> None:
    batch, width = 256, 128
    case = Case(activation="relu", loss=loss, hidden=(width, width), dtype="float32")
    problem = dataclasses.replace(case.problem("numpy"), batch_size=batch)
    X = np.zeros((8 * batch, 5), dtype=np.float32)
    y = np.zeros(8 * batch, np.int32) if loss == "cross_entropy" else np.zeros((8 * batch, 4), np.float32)
    engine: Any = inplace.build(problem, case.params())
    engine.run(Chunk(X, y, None), np.arange(len(X)), 0)
    program = next(iter(engine._programs.values()))
    engine._update.prepare(program.steps)
    tracemalloc.start()
    program._kernels.run(program._runs.phases[0])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # One layer's activations take 128 KiB, the gradient of its weight 64 KiB; NumPy buffers what broadcasts.
    assert peak < 16384


def threads_now() -> list[int]:
    info = pytest.importorskip("threadpoolctl").threadpool_info()
    return [torch.get_num_threads(), *(pool["num_threads"] for pool in info if pool["user_api"] == "blas")]


@pytest.mark.parametrize("backend", BACKENDS)
def test_threads_are_given_back_after_an_exception(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(hidden=(256, 256))
    problem = dataclasses.replace(case.problem(backend), batch_size=22)
    engine: Any = inplace.build(problem, case.params(backend))
    before, inside = threads_now(), []

    def fail(*args: Any) -> None:
        inside.extend(threads_now())
        raise KeyboardInterrupt

    monkeypatch.setattr("multimlp.training.engines.inplace.program.Program.run", fail)
    with pytest.raises(KeyboardInterrupt):
        engine.run(case.chunk(backend), np.arange(22), 0)
    assert threads_now() == before
    if max(before) > 1:
        assert inside != before
        assert 1 in inside


def test_threads_depend_on_the_largest_product() -> None:
    assert threads_for(2 * 64 * 64 * 128, all_from=2 * 128**3) == 1
    assert threads_for(2 * 128**3, all_from=2 * 128**3) is None


# ---- what is not covered -------------------------------------------------------------------------------


def _scaled(x: Any) -> Any:
    return 2 * x


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"dtype": "float16"}, "float16"),
        ({"model": lambda params, X, key=None: X}, "model of its own"),
        ({"model": MLP(5, 3, 4, _scaled)}, "_scaled"),
        ({"model": MLP(5, 4, 4, "softmax")}, "softmax works along an axis"),
        ({"model": MLP(5, 3, 4, "tanh", "sigmoid")}, "final activation sigmoid"),
        ({"model": MLP(5, 3, 4, "prelu")}, "learned"),
        ({"loss": losses.get(lambda o, y: o[..., 0])}, "no gradient in closed form"),
        ({"optimizer": optimizers.lbfgs()}, "lbfgs"),
        ({"regularizer": lambda params: 0.0}, "regularizer"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_says_why_a_problem_is_not_covered(change: dict[str, Any], said: str) -> None:
    problem = dataclasses.replace(Case().problem("numpy"), **change)
    params = problem.model.init() if isinstance(problem.model, MLP) else Case().params()
    reason = inplace.build(problem, params)
    assert isinstance(reason, str)
    assert said in reason


def test_a_backend_without_kernels_says_so() -> None:
    case = Case()
    problem = dataclasses.replace(case.problem("numpy"), backend=load_backend("strict"))
    assert "strict backend brings no in-place kernels" in str(inplace.build(problem, case.params()))
