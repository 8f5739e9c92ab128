"""float64, float32, bfloat16, float16: what each backend computes in them, and training in 16 bits."""

from __future__ import annotations

import numpy as np
import pytest

import multimlp as mm
from multimlp import tree
from multimlp.backend import array_namespace, is_installed, load_backend, owner
from multimlp.errors import DTypeError, InputError
from multimlp.training.engines import mixed

LIBRARIES = [n for n in ("numpy", "torch", "jax", "tensorflow", "mxnet", "strict") if is_installed(n)]
EPS = {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}
PAIRS = [(n, d) for n in LIBRARIES for d in EPS if d in load_backend(n).capabilities.dtypes]
HALVES = [(n, d) for n, d in PAIRS if mixed.is_mixed(d)]
RNG = np.random.default_rng(0)


def host(x) -> np.ndarray:
    return np.asarray(owner(x).to_numpy(x), dtype=np.float64)


@pytest.mark.parametrize(("library", "dtype"), PAIRS)
def test_outputs_and_gradients_keep_their_dtype_and_their_accuracy(library, dtype):
    backend = load_backend(library)
    mlp = mm.MLP(5, [7, 6], 3, activation="gelu")
    params = mlp.init(seed=0, backend=library, dtype=dtype)
    X = RNG.normal(size=(4, 5))

    def loss(p, inputs):
        xp = array_namespace(p[0].weight)
        outputs = mlp(p, inputs)
        return xp.sum(outputs * outputs)

    gradients = mm.grad(loss)(params, backend.asarray(X, dtype=dtype))
    assert {backend.dtype_name(g.dtype) for g in tree.leaves(gradients)} == {dtype}
    exact = mm.grad(loss)(tree.map(host, params), host(backend.asarray(X, dtype=dtype)))
    for got, expected in zip(tree.leaves(gradients), tree.leaves(exact), strict=True):
        assert np.max(np.abs(host(got) - expected)) < 16 * EPS[dtype] * np.max(np.abs(expected))


# ---- 16 bits: training


@pytest.mark.parametrize(("library", "dtype"), [(n, d) for n, d in HALVES if n != "mxnet"])
def test_digits_are_learned_with_float32_master_parameters(library, dtype):
    data = mm.data.load("digits")
    settings = {"epochs": 12, "optimizer": mm.optimizers.adam(4e-3), "progress": False, "backend": library}
    result = mm.fit(mm.MLP(64, [48], 10), data.X, data.y, dtype=dtype, **settings)
    assert result.history["val_accuracy"][-1] >= 0.95
    assert result.dtype == dtype
    backend = load_backend(library)
    assert {backend.dtype_name(leaf.dtype) for leaf in tree.leaves(result.params)} == {"float32"}


def line(loss_factor: float = 1.0):
    """`fit`'s arguments for a model of one weight, and a loss that is proportional to its output."""
    params = (mm.mlp.Dense(np.asarray([[1.0]], dtype=np.float32), None),)
    X, y = np.ones((8, 1), dtype=np.float32), np.zeros((8, 1), dtype=np.float32)

    def loss(outputs, targets):
        return outputs[:, 0] * loss_factor

    return {"X": X, "y": y, "loss": loss, "params": params}


def train(library, dtype, arguments, **others):
    mlp = mm.MLP(1, [], 1, use_bias=False)
    return mm.fit(
        mlp,
        backend=library,
        dtype=dtype,
        validation=None,
        progress=False,
        batch_size=8,
        **arguments,
        **others,
    )


@pytest.mark.parametrize(("library", "dtype"), HALVES)
def test_updates_below_the_resolution_of_16_bits_add_up(library, dtype):
    """1 - 0.0001 is 1 in both formats; a hundred such updates are a hundredth in float32."""
    arguments = line()
    result = train(library, dtype, arguments, optimizer=mm.optimizers.sgd(1e-4), epochs=100)
    assert host(result.params[0].weight)[0, 0] == pytest.approx(0.99, abs=1e-5)


@pytest.mark.parametrize("library", [n for n, d in HALVES if d == "float16"])
def test_derivatives_too_small_for_float16_are_not_lost(library):
    """A derivative of 1e-8 / 8 is 0 in float16, whose smallest number is 6e-8."""
    arguments = line(1e-8)
    result = train(library, "float16", arguments, optimizer=mm.optimizers.sgd(1e6), epochs=10)
    assert host(result.params[0].weight)[0, 0] == pytest.approx(0.9, abs=1e-3)


@pytest.mark.parametrize("library", [n for n, d in HALVES if d == "float16"])
def test_steps_that_overflow_are_left_out_and_halve_the_scale(library):
    """A derivative of 1e4 fits into float16, whose largest number is 65504, when it is scaled by at most 4."""
    arguments = line(1e4)
    rule = mm.optimizers.sgd(1e-6)
    one = train(library, "float16", arguments, optimizer=rule, epochs=1)
    assert host(one.params[0].weight)[0, 0] == 1.0
    assert float(host(one.optimizer_state.scale)) == mixed.INITIAL_SCALE / 2
    many = train(library, "float16", arguments, optimizer=rule, epochs=20)
    assert float(host(many.optimizer_state.scale)) == 4.0
    done = 20 - int(np.log2(mixed.INITIAL_SCALE / 4))
    assert host(many.params[0].weight)[0, 0] == pytest.approx(1 - done * 1e-2, abs=1e-4)
    assert int(host(many.optimizer_state.inner.step)) == done


@pytest.mark.parametrize(
    ("scale", "calm", "gradient", "expected"),
    [
        (8.0, 5, 1.0, (8.0, 6, 0.9)),
        (8.0, mixed.PATIENCE - 1, 1.0, (16.0, 0, 0.9)),
        (8.0, 5, np.inf, (4.0, 0, 1.0)),
        (8.0, mixed.PATIENCE - 1, np.nan, (4.0, 0, 1.0)),
        (1.0, 5, np.nan, (1.0, 0, 1.0)),
        (mixed.LARGEST_SCALE, mixed.PATIENCE - 1, 1.0, (mixed.LARGEST_SCALE, 0, 0.9)),
    ],
)
def test_the_rule_of_the_loss_scale(scale, calm, gradient, expected):
    optimizer = mixed.ScaledOptimizer(mm.optimizers.sgd(0.1))
    params = {"w": np.ones(2, dtype=np.float32)}
    state = optimizer.init(params)._replace(scale=np.float32(scale), calm=np.int32(calm))
    new, state = optimizer.update({"w": np.asarray([gradient, 1.0], dtype=np.float32)}, state, params)
    assert (float(state.scale), int(state.calm)) == expected[:2]
    assert new["w"] == pytest.approx(expected[2])


@pytest.mark.parametrize("library", [n for n, d in HALVES if d == "float16"])
def test_the_scale_changes_no_bit_of_the_outputs(library):
    backend = load_backend(library)
    mlp = mm.MLP(5, [7], 3)
    model = mixed.Model(mlp, backend, "float16")
    params = mlp.init(seed=0, backend=library, dtype="float32")
    X = backend.asarray(RNG.normal(size=(4, 5)), dtype="float32")
    scale = backend.asarray(2.0**15, dtype="float32")
    plain, scaled = model(params, X), model(params, X, scale=scale)
    assert np.array_equal(host(plain), host(scaled))
    assert backend.dtype_name(scaled.dtype) == "float32"


@pytest.mark.parametrize(("library", "dtype"), [(n, d) for n, d in HALVES if n in ("numpy", "torch", "jax")])
def test_a_resumed_run_ends_with_the_same_bits(library, dtype, tmp_path):
    X, y = RNG.normal(size=(48, 4)), RNG.integers(0, 3, size=48)
    settings = {"backend": library, "dtype": dtype, "progress": False, "batch_size": 16}
    whole = mm.fit(mm.MLP(4, [6], 3), X, y, epochs=4, **settings)
    for epochs in (2, 4):
        parts = mm.fit(mm.MLP(4, [6], 3), X, y, epochs=epochs, checkpoint=tmp_path / "run", **settings)
    for a, b in zip(tree.leaves(whole.params), tree.leaves(parts.params), strict=True):
        assert np.array_equal(host(a), host(b))
    assert parts.history == whole.history


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_an_ensemble_and_dropout_train_in_16_bits(dtype):
    X = np.random.default_rng(1).normal(size=(64, 4))
    y = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)
    mlp = mm.MLP(4, [8], 3, dropout=0.2)
    pytest.importorskip("jax")
    members = [mlp.init(seed=s, backend="jax", dtype="float32") for s in range(3)]
    params = tree.map(lambda *leaves: array_namespace(*leaves).stack(leaves), *members)
    result = mm.fit(mlp, X, y, params=params, dtype=dtype, epochs=10, batch_size=16, progress=False)
    assert result.member_loss.shape == (3,)
    assert result.history["loss"][-1] < result.history["loss"][0]


def test_optimisers_that_search_along_a_line_are_refused_in_float16_only():
    X, y = RNG.normal(size=(32, 4)), RNG.integers(0, 3, size=32)
    settings = {"optimizer": "lbfgs", "epochs": 3, "progress": False}
    with pytest.raises(InputError, match="'lbfgs' needs more precise losses than float16"):
        mm.fit(mm.MLP(4, [6], 3), X, y, backend="numpy", dtype="float16", **settings)
    if "torch" in LIBRARIES:
        result = mm.fit(mm.MLP(4, [6], 3), X, y, backend="torch", dtype="bfloat16", **settings)
        assert np.isfinite(result.history["loss"][-1])


# ---- 64 bits, and dtypes that a backend lacks


def test_float64_on_jax_needs_no_switch_and_moves_none():
    jax = pytest.importorskip("jax")
    before = jax.config.jax_enable_x64
    X, y = RNG.normal(size=(32, 4)), RNG.integers(0, 3, size=32)
    ours, numpys = (
        mm.fit(mm.MLP(4, [6], 3), X, y, backend=n, dtype="float64", epochs=3, progress=False)
        for n in ("jax", "numpy")
    )
    assert str(ours.params[0].weight.dtype) == "float64"
    assert ours.history["loss"] == pytest.approx(numpys.history["loss"], rel=1e-12)
    assert jax.config.jax_enable_x64 == before
    assert str(jax.numpy.asarray(1.0).dtype) == ("float64" if before else "float32")


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_dtype_that_the_backend_lacks_is_refused_by_name(library):
    for dtype in set(EPS) - set(load_backend(library).capabilities.dtypes):
        with pytest.raises(DTypeError, match=f"'{dtype}' is not supported by the {library} backend"):
            mm.fit(mm.MLP(2, [2], 2), np.ones((4, 2)), np.asarray([0, 1, 0, 1]), backend=library, dtype=dtype)
