"""What engines are given at the edges: each gives what plain steps give, and nothing of one batch or member gets into another."""

from __future__ import annotations

import gc
import importlib.util
import itertools
import math
import time
import weakref
from typing import Any

import numpy as np
import pytest
from libraries import NAMES

import multimlp as mm
from multimlp import activations, losses, optimizers, schedules, tree
from multimlp.backend import Kernels, Target, array_namespace, load_backend, op
from multimlp.errors import CapabilityError, DataError
from multimlp.training._sources import Batches, place
from multimlp.training.engines import Problem, full_batch
from multimlp.training.engines.portable import COMPILED_STEPS, PortableEngine

RNG = np.random.default_rng(0)
TRAINING = [name for name in NAMES if name in ("numpy", "torch", "jax", "tensorflow")]
IN_PLACE = [name for name in TRAINING if name in ("numpy", "torch")]
NUMBA = pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason="needs Numba")
ENGINES = [(name, None) for name in IN_PLACE] + [pytest.param("numpy", "numba", marks=NUMBA)]
QUIET: dict[str, Any] = {"validation": None, "progress": False, "dtype": "float64"}


def host(x: Any) -> np.ndarray:
    return np.array(mm.convert(x, "numpy"))


def leaves_of(result: Any) -> list[np.ndarray]:
    return [host(leaf) for leaf in tree.leaves(result.params)]


def assert_same(found: Any, wanted: Any, tolerance: float = 1e-10) -> None:
    for a, b in zip(leaves_of(found), leaves_of(wanted), strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
    assert found.history["loss"] == pytest.approx(wanted.history["loss"], rel=tolerance)


# ---- batches of several kinds in one stream


def of_kinds(*kinds: tuple[bool, bool], rows: int = 4) -> list[tuple[Any, ...]]:
    """Batches: with probabilities or labels, with weights or without; and a smaller one at the end."""
    rng, found = np.random.default_rng(1), []
    for soft, weighted in (*kinds, kinds[0]):
        count = rows if len(found) < len(kinds) else rows - 1
        y = rng.dirichlet(np.ones(3), count) if soft else rng.integers(0, 3, count)
        found.append((rng.normal(size=(count, 2)), y, *([rng.uniform(0.5, 2, count)] if weighted else [])))
    return found


@pytest.mark.parametrize(("backend", "compiler"), ENGINES)
@pytest.mark.parametrize("loss", ["cross_entropy", "focal"])
def test_batches_may_bring_labels_probabilities_and_weights_in_turn(backend, compiler, loss):
    if compiler == "numba" and loss == "focal":
        pytest.skip("not a formula of one element")
    batches = of_kinds((False, False), (True, False), (False, True), (True, True))

    def fit(how: str | None) -> Any:
        return mm.fit(
            mm.MLP(2, 5, 3), lambda: iter(batches), loss=loss, epochs=2, backend=backend, compile=how, **QUIET
        )

    assert_same(fit(compiler), fit("none"))


@pytest.mark.parametrize("backend", IN_PLACE)
def test_integers_as_probabilities_do_not_round_those_of_later_batches(backend):
    X = RNG.normal(size=(4, 2))
    batches = [(X, np.eye(3, dtype=int)[[0, 1, 2, 0]]), (X, np.full((4, 3), 1 / 3))]

    def fit(how: str | None) -> Any:
        return mm.fit(
            mm.MLP(2, 5, 3),
            lambda: iter(batches),
            loss="focal",
            epochs=2,
            backend=backend,
            compile=how,
            **QUIET,
        )

    assert_same(fit(None), fit("none"))


@pytest.mark.parametrize("backend", TRAINING)
def test_a_batch_keeps_its_numbers_when_the_generator_fills_its_arrays_again(backend):
    adapter, loss = load_backend(backend), losses.get("mse")
    target = Target(adapter, None, "float32")
    own = [np.zeros((64, 16), dtype=np.float32)]
    if backend == "torch":
        own.append(adapter.asarray(own[0]))
    for X in own:
        y, w = np.zeros(64, dtype=np.float32), np.ones(64, dtype=np.float32)

        def batches(X: Any = X, y: Any = y, w: Any = w) -> Any:
            for i in range(3):
                X[:], y[:], w[:] = i, i, i + 1
                yield X, y, w

        source = Batches(batches, lambda *rows: place(target, loss, *rows), lambda rows, where: None)
        chunks = [chunk for chunk, _ in source.epoch(0)]
        assert [[float(host(a).ravel()[-1]) for a in chunk] for chunk in chunks] == [
            [0, 0, 1],
            [1, 1, 2],
            [2, 2, 3],
        ]


def test_integers_beyond_32_bits_are_refused_rather_than_wrapped():
    def distance(outputs: Any, targets: Any) -> Any:
        xp = array_namespace(outputs)
        return xp.abs(outputs[:, 0] - xp.astype(targets, outputs.dtype))

    X, y = np.ones((4, 1)), np.asarray([1, 2, 3, 2**32 + 1])
    with pytest.raises(DataError, match="integers of 32 bits, and these are from 1 to 4294967297"):
        mm.fit(mm.MLP(1, 2, 1), X, y, loss=distance, **QUIET)
    result = mm.fit(mm.MLP(1, 2, 1), X, y.astype(float), loss=distance, epochs=1, **QUIET)
    assert result.history["loss"][0] > 2**29


# ---- gradients


def clipped_in_place(g: np.ndarray, how: str) -> np.ndarray:
    numpy = load_backend("numpy")
    if how == "any library":
        Kernels(numpy, g.dtype.name, None, np).clip(g, 1.0)()
    elif how == "numba":
        kernels: Any = numpy.compiled_kernels(g.dtype.name, None)
        kernels.in_turn([[kernels.clip(g, np.asarray([1.0]))]], [], 1).bound({}, 1)[0]()
    else:
        adapter = load_backend(how)
        array = adapter.asarray(g)
        adapter.inplace_kernels(g.dtype.name, None).clip(array, 1.0)()
        return host(array)
    return g


@pytest.mark.parametrize("how", ["any library", *IN_PLACE, pytest.param("numba", marks=NUMBA)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_infinite_gradient_is_clipped_as_in_plain_steps(how, dtype):
    """All else becomes 0 in the same step, in an ensemble the gradients of other members, and not NaN."""
    large = float(np.finfo(dtype).max) / 4
    for gradient in (
        [1.0, math.inf, -2.0],
        [1.0, math.nan, 2.0],
        [large, -large, 1.0],
        [0.3, 0.4, 0.0],
        [3.0, 4.0, 0.0],
    ):
        g = np.asarray(gradient, dtype=dtype)
        rule, zero = optimizers.sgd(1.0, clip_norm=1.0), np.zeros(3, dtype=dtype)
        with np.errstate(all="ignore"):
            wanted = -rule.update(g, rule.init(zero), zero)[0]
            found = clipped_in_place(g.copy(), how)
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-12)


def test_the_left_tail_of_the_sigmoid_keeps_its_digits_in_training():
    x = np.asarray([-80.0, -20.0, -3.0, 0.0, 5.0, 100.0])
    for dtype in ("float32", "float64"):
        y = x.astype(dtype)
        forward, _ = (
            load_backend("numpy")
            .inplace_kernels(dtype, None)
            .activation(activations.sigmoid, y, np.ones_like(y))
        )
        forward()
        np.testing.assert_allclose(y, 1 / (1 + np.exp(-x)), rtol=4 * np.finfo(dtype).eps)


# ---- optimisers and schedules


class Halved(optimizers.Optimizer):
    """One whose class makes more of an update than its rule."""

    def update(self, grads: Any, state: Any, params: Any) -> Any:
        return super().update(tree.map(lambda g: g / 2, grads), state, params)


def test_an_optimizer_with_an_update_of_its_own_is_not_run_in_place():
    X, y = RNG.normal(size=(8, 2)), RNG.integers(0, 2, 8)
    plain = optimizers.sgd(0.2)
    half = Halved(plain.name, plain.options, plain.rule)

    def fit(optimizer: Any) -> Any:
        return mm.fit(mm.MLP(2, 3, 2), X, y, optimizer=optimizer, epochs=2, backend="numpy", **QUIET)

    found = fit(half)
    assert (found.engine, found.engine_reason) == ("steps", "sgd is no element-wise update rule")
    assert_same(found, fit(optimizers.sgd(0.1)))


@op(arrays=4)
def delayed_update(p: Any, g: Any, last: Any, before: Any, *, learning_rate: Any) -> Any:
    """With the gradient of two steps ago."""
    return p - learning_rate * (g + before), g, last


@pytest.mark.parametrize(("backend", "compiler"), ENGINES)
def test_a_rule_may_hand_on_what_another_of_its_arrays_held(backend, compiler):
    plain = optimizers.sgd(0.1)
    optimizer = optimizers.Optimizer("delayed", plain.options, optimizers.Rule(delayed_update))
    X, y = RNG.normal(size=(8, 2)), RNG.integers(0, 2, 8)
    mlp, settings = mm.MLP(2, 3, 2), {"optimizer": optimizer, "epochs": 5, "backend": backend, **QUIET}
    wanted = mm.fit(mlp, X, y, compile="none", **settings)
    assert_same(mm.fit(mlp, X, y, compile=compiler, **settings), wanted)
    swept = mm.sweep(mlp, {"seed": [0], "learning_rate": [0.2, 0.1]}, X, y, compile=compiler, **settings)
    for a, b in zip(tree.leaves(swept.params(1)), leaves_of(wanted), strict=True):
        np.testing.assert_allclose(host(a), b, rtol=1e-10)


def by_hand(step: Any) -> float:
    return 0.1 if step < 2 else 0.01


def test_a_schedule_of_your_own_inside_another_is_asked_step_by_step():
    X, y = RNG.normal(size=(8, 2)), RNG.integers(0, 2, 8)

    def fit(rate: Any) -> Any:
        optimizer = optimizers.sgd(rate)
        return mm.fit(
            mm.MLP(2, 3, 2), X, y, optimizer=optimizer, epochs=3, batch_size=4, backend="numpy", **QUIET
        )

    known = schedules.piecewise([2], [0.1, 0.01])
    assert_same(fit(schedules.warm_up(2, then=by_hand)), fit(schedules.warm_up(2, then=known)))


@pytest.mark.parametrize("backend", TRAINING)
def test_a_step_of_the_rate_comes_at_its_time_where_divisions_are_compiled(backend):
    """XLA multiplies with the reciprocal, and 49 times the nearest number to 1/49 is below 1."""
    adapter = load_backend(backend)
    rates = [schedules.step(1.0, every=every, factor=0.5) for every in (3, 41, 47, 49, 55, 61, 83, 93, 97)]

    def all_of_them(time: Any) -> Any:
        xp = array_namespace(time)
        return xp.stack([rate(time) for rate in rates])

    compiled = mm.jit(all_of_them)
    for now in (40, 49, 82, 83, 93, 98, 147, 186):
        found = host(compiled(adapter.asarray(np.asarray(now), dtype="int32")))
        np.testing.assert_array_equal(found, [0.5 ** (now // rate.options["every"]) for rate in rates])


# ---- members of an ensemble


def with_a_lost_member(mlp: Any, backend: str) -> Any:
    """Three members, the second of them diverged."""
    params = mlp.init(seed=range(3), backend="numpy", dtype="float32")
    for leaf in tree.leaves(params):
        leaf[1] = np.nan
    return mm.convert(params, backend)


@pytest.mark.parametrize("backend", [name for name in TRAINING if name != "tensorflow"])
def test_in_float16_a_member_that_has_diverged_does_not_hold_up_the_others(backend):
    X = np.random.default_rng(2).normal(size=(32, 2))
    y = (X[:, 0] > 0).astype(int)
    mlp, often = (
        mm.MLP(2, 4, 2),
        {"epochs": 4, "batch_size": 8, "backend": backend, "dtype": "float16", "progress": False},
    )
    for optimizer in (optimizers.adam(0.05), optimizers.sgd(0.1, clip_norm=100.0)):
        settings = {**often, "optimizer": optimizer, "validation": (X, y)}
        together = mm.fit(mlp, X, y, params=with_a_lost_member(mlp, backend), **settings)
        alone = [
            mm.fit(mlp, X, y, params=mlp.init(seed=seed, backend=backend, dtype="float32"), **settings)
            for seed in (0, 2)
        ]
        for member, single in zip((0, 2), alone, strict=True):
            for a, b in zip(leaves_of(together), leaves_of(single), strict=True):
                np.testing.assert_allclose(a[member], b, rtol=0, atol=2e-3)
        mean = np.mean([single.history["val_loss"][-1] for single in alone])
        assert together.history["val_loss"][-1] == pytest.approx(mean, rel=1e-2)
        assert host(together.optimizer_state.scale)[1] < host(together.optimizer_state.scale)[0]


# ---- compiled programs


@pytest.mark.skipif("jax" not in TRAINING, reason="needs JAX")
def test_a_kernel_given_between_two_fits_is_used_by_the_second():
    X, y = RNG.normal(size=(8, 2)), RNG.integers(0, 2, 8)
    mlp = mm.MLP(2, 3, 2, activation="softsign")

    def fit() -> Any:
        return mm.fit(mlp, X, y, epochs=1, backend="jax", validation=None, progress=False)

    plain, called = fit(), []

    @activations.softsign.kernel("jax")
    def _(x: Any) -> Any:
        called.append(x)
        return activations.softsign.portable(x)

    try:
        assert_same(fit(), plain, 1e-6)
        assert called
        called.clear()
        mm.predict(mlp, plain.params, X.astype(np.float32))
        assert called
    finally:
        activations.softsign.remove_kernel("jax")


@pytest.mark.skipif("torch" not in TRAINING, reason="needs torch")
def test_where_loops_are_pythons_a_program_is_one_step():
    X, y = RNG.normal(size=(24, 2)), RNG.integers(0, 2, 24)

    def fit(how: str) -> Any:
        return mm.fit(mm.MLP(2, 3, 2), X, y, epochs=2, batch_size=5, backend="torch", compile=how, **QUIET)

    compiled, plain = fit("fx"), fit("none")
    assert compiled.engine == "compiled"
    assert_same(compiled, plain)
    mlp = mm.MLP(2, 3, 2)
    for backend, most in (("torch", 1), ("jax", COMPILED_STEPS)):
        if backend in TRAINING:
            problem = Problem(
                mlp, losses.get("mse"), optimizers.adam(), None, load_backend(backend), None, "float32", None, 4, 0,
                load_backend(backend).capabilities.compilers[0],
            )  # fmt: skip
            assert PortableEngine(problem, mlp.init(backend=backend)).steps_per_call == most


@pytest.mark.skipif("torch" not in TRAINING, reason="needs torch")
def test_a_program_of_torch_is_for_arrays_that_lie_alike():
    import torch

    def rows(x: Any) -> Any:
        xp = array_namespace(x)
        return xp.reshape(x, (-1,)) * 2.0

    x, program = torch.arange(16.0).reshape(4, 4), mm.jit(rows)
    for given in (x, x.T, x, torch.arange(32.0).reshape(4, 8)[:, ::2]):
        torch.testing.assert_close(program(given), given.reshape(-1) * 2)


# ---- L-BFGS


def noisy(params: Any, X: Any, key: Any = None) -> Any:
    """A model of one's own that draws a mask."""
    xp = array_namespace(X)
    hidden = xp.tanh(xp.matmul(X, params["first"]))
    if key is not None:
        hidden = mm.regularizers.dropout(hidden, key, 0.5)
    return xp.matmul(hidden, params["second"])


@pytest.mark.parametrize("backend", TRAINING)
def test_lbfgs_forgets_the_value_under_another_mask_of_a_model_of_ones_own(backend, monkeypatch):
    X, y = RNG.normal(size=(16, 3)), RNG.normal(size=(16, 1))
    params = {"first": RNG.normal(size=(3, 6)), "second": RNG.normal(size=(6, 1))}
    forgotten: list[int] = []
    forget = full_batch.FullBatchEngine._forget
    monkeypatch.setattr(
        full_batch.FullBatchEngine, "_forget", lambda self: (forgotten.append(1), forget(self))[1]
    )
    settings = {
        "loss": "mse",
        "optimizer": "lbfgs",
        "epochs": 3,
        "params": params,
        "backend": backend,
        **QUIET,
    }
    mm.fit(noisy, X, y, **settings)
    assert len(forgotten) == 3
    forgotten.clear()
    mm.fit(lambda params, X, key=None: noisy(params, X), X, y, **settings)
    assert not forgotten


# ---- Numba


@NUMBA
def test_groups_by_shape_are_those_of_all_members_in_compiled_steps():
    def matrices(path: Any, leaf: Any) -> str | None:
        return "matrices" if len(leaf.shape) == 3 else None

    optimizer = optimizers.grouped(optimizers.sgd(0.1), {"matrices": {"learning_rate": 0.0}}, label=matrices)
    X, y = RNG.normal(size=(8, 2)), RNG.integers(0, 2, 8)
    mlp = mm.MLP(2, 3, 2)

    def fit(how: str) -> Any:
        params = mlp.init(seed=range(2), dtype="float64")
        return mm.fit(
            mlp, X, y, params=params, optimizer=optimizer, epochs=2, backend="numpy", compile=how, **QUIET
        )

    assert_same(fit("numba"), fit("none"))


@NUMBA
@pytest.mark.parametrize(
    "error", [ImportError("Numba needs NumPy 2.9 or less"), ValueError("no such instruction")]
)
def test_where_numba_cannot_compile_training_goes_on_without(error, monkeypatch, tmp_path):
    from multimlp.backends._numba import compiling, store

    def fails(*args: Any) -> Any:
        raise error

    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(store, "_addresses", {})
    monkeypatch.setattr(compiling, "of_kernel", fails)
    X, y = np.ones((8, 2)), np.zeros(8, dtype=int)
    monkeypatch.setenv("MULTIMLP_NUMBA", "always")
    result = mm.fit(mm.MLP(2, 3, 2), X, y, epochs=1, backend="numpy", **QUIET)
    assert result.engine == "inplace"
    assert f"Numba cannot compile its kernels here ({type(error).__name__}: {error})" in result.engine_reason
    with pytest.raises(CapabilityError, match="cannot compile its kernels here"):
        mm.fit(mm.MLP(2, 3, 2), X, y, epochs=1, backend="numpy", compile="numba", **QUIET)


@NUMBA
def test_where_scipy_has_no_product_to_lend_training_goes_on_without_numba(monkeypatch):
    from scipy.linalg import cython_blas

    from multimlp.backends._numba import blas

    monkeypatch.setattr(cython_blas, "__pyx_capi__", {})
    blas.product.cache_clear()
    monkeypatch.setenv("MULTIMLP_NUMBA", "always")
    X, y = np.ones((8, 2)), np.zeros(8, dtype=int)
    result = mm.fit(mm.MLP(2, 3, 2), X, y, epochs=1, backend="numpy", **QUIET)
    assert result.engine == "inplace"
    assert "Numba cannot compile its kernels here (KeyError: 'dgemm')" in result.engine_reason


@op(arrays=14)
def remembering(
    p: Any,
    g: Any,
    a: Any,
    b: Any,
    c: Any,
    d: Any,
    e: Any,
    f: Any,
    h: Any,
    i: Any,
    j: Any,
    k: Any,
    m: Any,
    n: Any,
    *,
    learning_rate: Any,
) -> Any:
    """Gradient descent that keeps the last twelve gradients."""
    return (p - learning_rate * (g + n), g, a, b, c, d, e, f, h, i, j, k, m)


@NUMBA
def test_an_optimizer_of_more_arrays_than_a_row_holds_is_run_in_place(monkeypatch):
    plain = optimizers.sgd(0.1)
    optimizer = optimizers.Optimizer("remembering", plain.options, optimizers.Rule(remembering))
    X, y = RNG.normal(size=(8, 2)), RNG.integers(0, 2, 8)

    def fit(compiler: str | None) -> Any:
        return mm.fit(
            mm.MLP(2, 3, 2), X, y, optimizer=optimizer, epochs=15, backend="numpy", compile=compiler, **QUIET
        )

    monkeypatch.setenv("MULTIMLP_NUMBA", "always")
    found = fit(None)
    assert found.engine == "inplace"
    assert "works on 18 arrays and numbers, more than 15" in found.engine_reason
    assert_same(found, fit("none"))


@NUMBA
def test_what_a_table_works_on_lives_as_long_as_its_calls():
    """A helper may be at work when Ctrl-C has ended the training whose arrays they are."""
    kernels: Any = load_backend("numpy").compiled_kernels("float64", None)
    array = kernels.zeros((4,))
    alive = weakref.ref(array)
    table = kernels.in_turn([[kernels.multiply(array, array, array)]], [], 1)
    calls = table.bound({}, 1)
    del array, table
    gc.collect()
    assert alive() is not None
    calls[0]()


# ---- what is kept of a run


@pytest.mark.parametrize(("backend", "compiler"), [("numpy", None), ("numpy", "none")])
def test_the_history_has_the_same_bits_on_a_slow_machine(backend, compiler, monkeypatch):
    """Losses are added up call by call, and how many steps a call makes is no matter of the clock."""
    X, y = RNG.normal(size=(300, 2)), RNG.integers(0, 2, 300)
    settings = {
        "epochs": 3,
        "batch_size": 2,
        "backend": backend,
        "compile": compiler,
        "validation": None,
        "progress": False,
    }
    quick = mm.fit(mm.MLP(2, 3, 2), X, y, **settings)
    clock = itertools.count()
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock) * 0.3)
    slow = mm.fit(mm.MLP(2, 3, 2), X, y, **settings)
    assert slow.history == quick.history


@pytest.mark.parametrize("backend", [name for name in TRAINING if name != "tensorflow"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_learned_number_of_a_layer_comes_back_from_a_checkpoint(backend, dtype, tmp_path):
    """It has shape (), and such numbers of NumPy's in double precision are Python's floats too."""
    X, y = RNG.normal(size=(8, 2)), RNG.integers(0, 2, 8)

    def fit(epochs: int, path: Any = None) -> Any:
        mlp, stopping = mm.MLP(2, 3, 2, activation="prelu"), mm.callbacks.EarlyStopping("loss", patience=5)
        settings = {**QUIET, "dtype": dtype, "backend": backend, "callbacks": [stopping], "checkpoint": path}
        return mm.fit(mlp, X, y, epochs=epochs, **settings)

    fit(1, tmp_path / "run")
    resumed, straight = fit(3, tmp_path / "run"), fit(3)
    assert resumed.history == straight.history
    for a, b in zip(leaves_of(resumed), leaves_of(straight), strict=True):
        np.testing.assert_array_equal(a, b)


# ---- settings of a library that are not ours


@pytest.mark.skipif("torch" not in TRAINING, reason="needs torch")
@pytest.mark.parametrize("compiler", [None, "none", "fx"])
def test_torch_trains_in_inference_mode_too(compiler):
    """There autograd records nothing, so that its gradients would all be zero."""
    import torch

    X, y = RNG.normal(size=(16, 2)), RNG.integers(0, 2, 16)

    def fit(X: Any) -> Any:
        mlp = mm.MLP(2, 3, 2, activation="silu", dropout=0.2)
        return mm.fit(mlp, X, y, epochs=2, batch_size=8, backend="torch", compile=compiler, **QUIET)

    wanted = fit(X)
    with torch.inference_mode():
        found, given = fit(X), torch.tensor(X)
    assert_same(found, wanted)
    assert_same(fit(given), wanted)


@pytest.mark.parametrize("compiler", [None, "none"])
@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_numpys_settings_for_its_errors_do_not_reach_into_training(compiler, optimizer):
    X, y = RNG.normal(size=(16, 2)) * 1e-30, RNG.integers(0, 2, 16)

    def fit() -> Any:
        mlp = mm.MLP(2, [3, 3], 2, activation=["sigmoid", "elu"])
        return mm.fit(
            mlp,
            X,
            y,
            optimizer=optimizer,
            epochs=2,
            backend="numpy",
            compile=compiler,
            **QUIET | {"dtype": "float32"},
        )

    wanted = fit()
    with np.errstate(all="raise"):
        found = fit()
        with pytest.raises(FloatingPointError, match="underflow"):  # outside of training they are the user's
            activations.sigmoid(np.full(3, -800.0))
    assert_same(found, wanted)


@pytest.mark.skipif("jax" not in TRAINING, reason="needs JAX")
@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_training_can_be_looked_into_with_jaxs_compiler_off(optimizer):
    import jax

    X, y = RNG.normal(size=(16, 2)), RNG.integers(0, 2, 16)

    def fit() -> Any:
        settings = {"epochs": 2, "batch_size": 8, "backend": "jax", "validation": 0.25, "progress": False}
        return mm.fit(mm.MLP(2, 3, 2), X, y, optimizer=optimizer, **settings)

    with jax.disable_jit():
        found = fit()
    assert_same(found, fit(), 1e-4)
