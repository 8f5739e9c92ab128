"""L-BFGS on flat buffers against automatic differentiation, the whole data set at once against its pieces."""

from __future__ import annotations

import dataclasses
import functools
import re
import warnings
from typing import Any

import numpy as np
import pytest

import multimlp as mm
from multimlp import losses, optimizers, regularizers, tree
from multimlp.backend import load_backend, owner
from multimlp.training.engines import Chunk, Problem, choose
from multimlp.training.engines.full_batch import HostEngine, TreeEngine
from multimlp.training.engines.inplace import pieces

BACKENDS = ("numpy", "torch")
ROWS = 53
"""A prime, so that pieces never divide it."""
LBFGS = optimizers.lbfgs(tolerance_gradient=1e-13, tolerance_change=0.0)


@dataclasses.dataclass(frozen=True)
class Case:
    activation: Any = "tanh"
    loss: Any = "cross_entropy"
    regularizer: Any = None
    hidden: tuple[int, ...] = (7, 6)
    use_bias: bool = True
    weighted: bool = False
    dropout: float = 0.0
    soft: bool = False
    optimizer: Any = LBFGS

    def __str__(self) -> str:
        changed = (f.name for f in dataclasses.fields(self) if getattr(self, f.name) != getattr(Case, f.name))
        return ", ".join(f"{name}={getattr(self, name)}" for name in changed) or "plain"

    def start(self, backend: str, dtype: str = "float64") -> tuple[Problem, Any, Chunk]:
        """The problem, its parameters, and its data."""
        adapter, rng = load_backend(backend), np.random.default_rng(0)
        mlp = mm.MLP(5, self.hidden, 4, self.activation, use_bias=self.use_bias, dropout=self.dropout)
        loss = losses.get(self.loss)
        labels = loss.name == "cross_entropy" and not self.soft
        y = rng.integers(0, 4, ROWS) if labels else rng.dirichlet(np.ones(4), ROWS)
        problem = Problem(
            mlp, loss, self.optimizer, self.regularizer, adapter, None, dtype, None, batch_size=ROWS, seed=3
        )  # fmt: skip
        X = adapter.asarray(rng.standard_normal((ROWS, 5)), dtype=dtype)
        w = adapter.asarray(rng.uniform(0, 2, ROWS) * (rng.uniform(size=ROWS) < 0.8), dtype=dtype)
        targets = adapter.asarray(y, dtype="int32" if labels else dtype)
        return problem, mlp.init(1, backend, dtype), Chunk(X, targets, w if self.weighted else None)


def trained(engine: Any, chunk: Chunk, iterations: int, first: int = 0) -> list[np.ndarray]:
    """The loss of each iteration, then value, gradient and parameters at the end."""
    found = []
    for step in range(first, first + iterations):
        result = engine.run(chunk, np.arange(ROWS), step)
        assert result.examples == ROWS
        found.append(np.asarray(result.loss, dtype=np.float64))
    state = engine.optimizer_state()
    adapter = owner(state.gradient)
    return [
        *found,
        *(np.array(adapter.to_numpy(leaf)) for leaf in (state.gradient, *tree.leaves(engine.params()))),
    ]


def assert_same(actual: list[np.ndarray], expected: list[np.ndarray], rtol: float = 1e-9) -> None:
    assert len(actual) == len(expected)
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol / 10)


CASES = [
    Case(),
    *(Case(activation=name) for name in ("relu", "sigmoid", "gelu", "softplus", "identity")),
    *(Case(loss=name) for name in ("mse", "huber", "binary_cross_entropy")),
    Case(loss=losses.with_options("cross_entropy", label_smoothing=0.1, class_weights=(0.5, 1.0, 2.0, 3.0))),
    Case(regularizer=regularizers.elastic_net(1e-3, 1e-2)),
    Case(use_bias=False, hidden=()),
    Case(weighted=True),
    Case(weighted=True, loss="mse"),
    Case(soft=True, weighted=True, regularizer=regularizers.l2(1e-2)),
    Case(dropout=0.3),
]  # fmt: skip


@functools.cache
def reference(case: Case) -> list[np.ndarray]:
    """By the tape on NumPy, for every library."""
    problem, params, chunk = case.start("numpy")
    return trained(TreeEngine(problem, params), chunk, 6)


@pytest.mark.parametrize("cut", ["whole", "resident", "by turns"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_as_automatic_differentiation(backend, cut, monkeypatch):
    if cut != "whole":
        monkeypatch.setattr(pieces, "_PIECE_BYTES", 1)
        monkeypatch.setattr(pieces, "_LEAST_ROWS", 8)
    if cut == "by turns":
        monkeypatch.setattr(pieces, "_RESIDENT_BYTES", 0)
    for case in CASES:
        problem, params, chunk = case.start(backend)
        engine, reason = choose(problem, params)
        assert "in-place" in reason, case
        assert_same(trained(engine, chunk, 6), reference(case))


@pytest.mark.parametrize("backend", ["jax", pytest.param("tensorflow", marks=pytest.mark.slow)])
def test_vectors_on_the_host_beside_a_compiled_gradient(backend):
    pytest.importorskip(backend)
    case = Case(weighted=True, dropout=0.3, soft=True, use_bias=False)
    problem, params, chunk = case.start(backend)
    with problem.backend.scope("float64"):
        engine, reason = choose(problem, params)
        assert type(engine) is HostEngine
        assert reason.endswith(f"the {backend} backend compiles it")
        found = trained(engine, chunk, 6)
        arrays = [x for x in tree.leaves((engine.params(), engine.optimizer_state())) if hasattr(x, "shape")]
    assert_same(found, reference(case))
    assert {owner(x).name for x in arrays} == {backend}
    assert {owner(x).dtype_name(x.dtype) for x in arrays} == {"float64"}


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_engine_goes_on_from_either_ones_state(backend):
    problem, params, chunk = Case().start(backend)
    whole = trained(choose(problem, params)[0], chunk, 8)
    for first, second in ((choose, TreeEngine), (TreeEngine, choose), (choose, choose)):
        engine: Any = first(problem, params)
        engine = engine[0] if isinstance(engine, tuple) else engine
        trained(engine, chunk, 4)
        later: Any = second(problem, *engine.finish())
        later = later[0] if isinstance(later, tuple) else later
        assert_same(trained(later, chunk, 4, first=4), whole[4:])


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_handed_out_stays_as_it_is(backend):
    problem, params, chunk = Case().start(backend)
    before = [np.array(leaf.tolist()) for leaf in tree.leaves(params)]
    engine, _ = choose(problem, params)
    trained(engine, chunk, 3)
    kept = engine.params(), engine.optimizer_state()
    arrays = [x for x in tree.leaves(kept) if hasattr(x, "shape")]
    copies = [np.array(x.tolist()) for x in arrays]
    trained(engine, chunk, 3, first=3)
    assert all(np.array_equal(x, y) for x, y in zip(arrays, copies, strict=True))
    assert all(np.array_equal(x, y) for x, y in zip(tree.leaves(params), before, strict=True))
    assert {owner(x).name for x in arrays} == {backend}


@pytest.mark.parametrize("backend", BACKENDS)
def test_other_rows_are_another_objective(backend):
    """`Training.go_on_with` and streams bring other chunks; the old data must not be used."""
    problem, params, chunk = Case().start(backend)
    other = chunk._replace(inputs=chunk.inputs * 2)
    engine, tree_engine = choose(problem, params)[0], TreeEngine(problem, params)
    assert_same(trained(engine, chunk, 2), trained(tree_engine, chunk, 2))
    assert_same(trained(engine, other, 2, first=2), trained(tree_engine, other, 2, first=2))


def test_what_has_no_rule_is_differentiated_and_says_so():
    own = lambda x: x * x  # noqa: E731
    cases = [
        (Case(activation=own), "own|closed form"),
        (Case(loss=lambda o, t: ((o - t) ** 2).sum(-1), soft=True), "closed form"),
    ]
    for case, why in cases:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            problem, params, _ = case.start("numpy")
        engine, reason = choose(problem, params)
        assert type(engine) is TreeEngine
        assert "all data as a function" in reason
        assert re.search(why, reason), reason
    problem, params, _ = Case().start("numpy")
    for other in (
        dataclasses.replace(problem, compiler="none"),
        dataclasses.replace(problem, dtype="bfloat16"),
    ):
        assert type(choose(other, params)[0]) is TreeEngine


@pytest.mark.parametrize("backend", BACKENDS)
def test_float32_reaches_what_float64_does(backend):
    case = Case(regularizer=regularizers.l2(1e-2), optimizer=optimizers.lbfgs())
    ends = []
    for dtype in ("float32", "float64"):
        problem, params, chunk = case.start(backend, dtype)
        engine, _ = choose(problem, params)
        assert type(engine) is not TreeEngine
        ends.append(trained(engine, chunk, 60)[59])
    np.testing.assert_allclose(*ends, rtol=1e-3)


def test_the_estimators_find_the_minimum_that_scikit_learn_does(monkeypatch):
    """Without hidden layers there is one minimum."""
    neural_network = pytest.importorskip("sklearn.neural_network")
    datasets = pytest.importorskip("sklearn.datasets")
    threadpoolctl = pytest.importorskip("threadpoolctl")
    from multimlp import estimators

    monkeypatch.setattr(pieces, "_LEAST_ROWS", 64)
    monkeypatch.setattr(pieces, "_PIECE_BYTES", 1)
    for kind, load in (("Classifier", datasets.load_wine), ("Regressor", datasets.load_diabetes)):
        X, y = load(return_X_y=True)
        X, y = (X - X.mean(0)) / X.std(0), y if kind == "Classifier" else (y - y.mean()) / y.std()
        settings = dict(
            hidden_layer_sizes=(), solver="lbfgs", alpha=1.0, tol=1e-9, max_iter=2000, random_state=0
        )
        found = getattr(estimators, "MLP" + kind)(backend="numpy", **settings).fit(X, y)
        with threadpoolctl.threadpool_limits(1):
            theirs = getattr(neural_network, "MLP" + kind)(**settings).fit(X, y)
        assert found.loss_ <= theirs.loss_ * (1 + 1e-7)
        np.testing.assert_allclose(found.coefs_[0], theirs.coefs_[0], atol=2e-3)


def test_pieces_depend_on_the_problem_alone():
    assert [pieces.count_of(rows, 880) for rows in (1, 297, 298, 596, 1797)] == [1, 1, 2, 3, 7]
    assert pieces.count_of(10_000, 1 << 30) == 40
