"""Structure: collapse, reparametrisation, linear regions, gradient flow, summary; on every backend."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import multimlp as mm
from multimlp import structure
from multimlp.activations import parse
from multimlp.errors import InputError, ShapeError
from multimlp.structure._plane import area

RNG = np.random.default_rng(7)
X = RNG.normal(size=(50, 4))
EPS = np.finfo(np.float64).eps


def setting(backend, mlp, seed=0, bias=True):
    """float64 parameters with biases that are not zero, inputs beside them, and a way to call on the host."""
    params = mlp.init(seed=seed, backend=backend, dtype="float64")

    def shake(leaf):
        host = backend.to_numpy(leaf)
        noise = np.random.default_rng(host.size).normal(size=host.shape) * 0.3
        return backend.asarray(host + noise, dtype="float64")

    params = mm.tree.map(shake, params)

    def call(network, weights, points):
        inputs = backend.asarray(points, dtype="float64")
        with backend.scope_of(inputs):
            return backend.to_numpy(network(weights, inputs))

    return params, call


# ---- collapse


@pytest.mark.parametrize("hidden", [(), (7,), (6, 2, 5)])
@pytest.mark.parametrize("use_bias", [True, False])
def test_collapse_is_the_same_function(backend, hidden, use_bias):
    mlp = mm.MLP(4, hidden, 3, activation="identity", use_bias=use_bias)
    params, call = setting(backend, mlp)
    affine = structure.collapse(mlp, params)
    weight = backend.to_numpy(affine.weight)
    assert weight.shape == (4, 3)
    assert (affine.bias is None) == (not use_bias)
    bias = 0.0 if affine.bias is None else backend.to_numpy(affine.bias)
    assert np.allclose(call(mlp, params, X), X @ weight + bias, rtol=0, atol=100 * EPS)


def test_a_narrow_layer_limits_the_rank():
    mlp = mm.MLP(6, [8, 2, 9], 5, activation="identity")
    affine = structure.collapse(mlp, mlp.init(seed=1, dtype="float64"))
    assert np.linalg.matrix_rank(affine.weight) == 2


def test_collapse_keeps_the_members_of_an_ensemble():
    mlp = mm.MLP(4, [5, 3], 2, activation="identity", bias_init="ones")
    together = structure.collapse(mlp, mlp.init(seed=[0, 1], dtype="float64"))
    alone = structure.collapse(mlp, mlp.init(seed=1, dtype="float64"))
    assert together.weight.shape == (2, 4, 2)
    assert together.bias.shape == (2, 2)
    assert np.allclose(together.weight[1], alone.weight, rtol=0, atol=1e-15)
    assert np.allclose(together.bias[1], alone.bias, rtol=0, atol=1e-15)


# ---- tanh and sigmoid


@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("activation", ["tanh", ["tanh", "prelu", "tanh"], ["relu", "tanh", "glu"]])
def test_to_sigmoid_is_the_same_function_and_to_tanh_brings_it_back(backend, activation, use_bias):
    mlp = mm.MLP(4, [6, 4, 8], 2, activation=activation, final_activation="tanh", use_bias=use_bias)
    params, call = setting(backend, mlp)
    outputs = call(mlp, params, X)
    other, other_params = structure.to_sigmoid(mlp, params)
    assert "tanh" not in [rule.name for rule in other.activations]
    assert other.final_activation.name == "tanh"
    assert np.allclose(call(other, other_params, X), outputs, rtol=0, atol=100 * EPS)
    back, back_params = structure.to_tanh(other, other_params)
    assert [rule.name for rule in back.activations] == [rule.name for rule in mlp.activations]
    assert np.allclose(call(back, back_params, X), outputs, rtol=0, atol=100 * EPS)
    assert np.array_equal(backend.to_numpy(back_params[0].weight), backend.to_numpy(params[0].weight))


def test_an_ensemble_is_rewritten_member_by_member():
    mlp = mm.MLP(4, 5, 2, activation="tanh")
    params = mlp.init(seed=[3, 4], dtype="float64")
    other, other_params = structure.to_sigmoid(mlp, params)
    assert np.allclose(other(other_params, X), mlp(params, X), rtol=0, atol=100 * EPS)


def test_layers_keep_their_names():
    mlp = mm.MLP(4, 5, 2, activation="tanh", layer_names=["encoder", "scores"])
    other, params = structure.to_sigmoid(mlp, mlp.init(seed=0))
    assert other.layer_names == ("encoder", "scores")
    assert structure.to_tanh(other, params)[0].layer_names == ("encoder", "scores")


# ---- linear regions


def brute_force_bends(mlp, params, start, end):
    """Where the activation pattern along the line changes, by bisection between samples."""
    pattern_layers = range(len(mlp.hidden))

    def pattern(t):
        hidden = start + t * (end - start)
        signs = []
        for i in pattern_layers:
            z = hidden @ params[i].weight + params[i].bias
            signs.extend(bool(value > kink) for kink in mlp.activations[i].kinks for value in z)
            hidden = mlp.activations[i](z[None], getattr(params[i], "activation", None))[0]
        return signs

    grid = np.linspace(0, 1, 4001)
    found = []
    for low, high in itertools.pairwise(grid):
        if pattern(low) == pattern(high):
            continue
        a, b = low, high
        for _ in range(60):
            middle = (a + b) / 2
            a, b = (middle, b) if pattern(middle) == pattern(low) else (a, middle)
        found.append((a + b) / 2)
    return np.asarray(found)


@pytest.mark.parametrize(
    "activation", ["relu", "leaky_relu", "prelu", "relu6", "hard_tanh", "hard_sigmoid", "softshrink"]
)
def test_breakpoints_agree_with_bisection(activation):
    mlp = mm.MLP(2, [6, 5], 2, activation=activation)
    params, call = setting(mm.get_backend("numpy"), mlp, seed=5)
    start, end = np.asarray([-9.0, -7.0]), np.asarray([8.0, 9.0])
    regions = structure.linear_regions(mlp, params, [start, end])
    assert len(regions) > 5
    assert np.allclose(regions.breakpoints, brute_force_bends(mlp, params, start, end), rtol=0, atol=1e-12)
    t = np.linspace(0, 1, 1001)
    assert np.allclose(regions(t), call(mlp, params, start + t[:, None] * (end - start)), rtol=0, atol=1e-12)


def test_the_units_that_bend_are_at_their_kink():
    mlp = mm.MLP(3, [8, 6], 1)
    params, _ = setting(mm.get_backend("numpy"), mlp)
    regions = structure.linear_regions(mlp, params, [[-4.0, 1.0, 3.0], [5.0, -2.0, -3.0]])
    assert {layer for layer, _ in regions.units} == {1, 2}
    for point, (layer, unit) in zip(regions.points, regions.units, strict=True):
        first = point @ params[0].weight + params[0].bias
        second = np.maximum(first, 0) @ params[1].weight + params[1].bias
        assert abs((first, second)[layer - 1][unit]) < 1e-13


@pytest.mark.parametrize(("dtype", "bound"), [("float64", 1e-14), ("float32", 1e-6)])
@pytest.mark.parametrize("count", [2, 3])
def test_linearity_and_continuity_are_measured_on_each_backend(training_backend, dtype, bound, count):
    mlp = mm.MLP(3, [8, 8], 2)
    params = mlp.init(seed=3, backend=training_backend, dtype=dtype)
    points = np.asarray([[-4.0, 1.0, 3.0], [5.0, -2.0, -3.0], [0.0, 6.0, -6.0]])[:count]
    regions = structure.linear_regions(mlp, params, points)
    assert len(regions) > 4
    assert regions.linearity_error < bound
    assert regions.continuity_error < bound


def test_a_wrong_formula_is_noticed(monkeypatch):
    """The measured error is a measurement: it is large for a network that is not what the regions say."""
    from multimlp.structure import _regions

    mlp = mm.MLP(1, 3, 1)
    monkeypatch.setattr(_regions, "own_outputs", lambda mlp, params, X: np.sin(3 * X))
    assert structure.linear_regions(mlp, mlp.init(seed=0), [[-1.0], [1.0]]).linearity_error > 0.1


def test_plane_regions_tile_the_square_and_carry_the_network():
    mlp = mm.MLP(2, [6, 5], 1)
    params, call = setting(mm.get_backend("numpy"), mlp)
    corners = np.asarray([[-5.0, -5.0], [5.0, -5.0], [-5.0, 5.0]])
    regions = structure.linear_regions(mlp, params, corners)
    assert sum(map(area, regions.polygons)) == pytest.approx(1, abs=1e-12)

    def patterns(coordinates):
        first = regions.points(coordinates) @ params[0].weight + params[0].bias
        second = np.maximum(first, 0) @ params[1].weight + params[1].bias
        return {tuple(row) for row in np.concatenate([first > 0, second > 0], axis=1)}

    middles = np.stack([polygon.mean(axis=0) for polygon in regions.polygons])
    # A region of a relu network is convex and has a pattern of active units of its own.
    assert len(patterns(middles)) == len(regions)
    assert patterns(np.random.default_rng(0).uniform(size=(4000, 2))) <= patterns(middles)
    for polygon, offset, slope in zip(regions.polygons, regions.offsets, regions.slopes, strict=True):
        inside = np.random.default_rng(1).dirichlet(np.ones(len(polygon)), size=5) @ polygon
        assert np.allclose(offset + inside @ slope, call(mlp, params, regions.points(inside)), atol=1e-12)


# ---- gradient flow


@pytest.mark.parametrize(("loss", "y"), [("cross_entropy", np.arange(50) % 3), ("mse", X[:, :3])])
def test_gradient_flow_agrees_with_finite_differences(training_backend, loss, y):
    mlp = mm.MLP(4, [5, 6], 3, activation="tanh")
    params = mlp.init(seed=0, backend=training_backend, dtype="float64")
    flow = structure.gradient_flow(mlp, params, X, y, loss)
    host = mm.convert(params, "numpy")
    rule = mm.losses.get(loss)

    def value(layers):
        return float(mm.losses.reduce(rule(mlp(layers, X), y)))

    assert flow.loss == pytest.approx(value(host), rel=1e-12)
    for i, layer in enumerate(host):
        gradient = np.empty_like(layer.weight)
        for place in np.ndindex(*layer.weight.shape):
            shift = np.zeros_like(layer.weight)
            shift[place] = 1e-6
            up, down = (
                tuple(kept._replace(weight=kept.weight + sign * shift) if j == i else kept
                      for j, kept in enumerate(host))
                for sign in (1, -1)
            )  # fmt: skip
            gradient[place] = (value(up) - value(down)) / 2e-6
        assert flow.weight_norms[i] == pytest.approx(np.linalg.norm(gradient), rel=1e-6)
    assert flow.verdict == "healthy"


@pytest.mark.parametrize(
    ("activation", "init", "verdict"),
    [
        ("sigmoid", "glorot_uniform", "vanishing"),
        ("relu", "he_normal", "healthy"),
        ("tanh", {"name": "normal", "options": {"stddev": 1.2}}, "exploding"),
    ],
)
def test_verdicts(activation, init, verdict):
    mlp = mm.MLP(4, [64] * 20, 3, activation=activation, kernel_init=init)
    flow = structure.gradient_flow(mlp, mlp.init(seed=0, dtype="float64"), X, np.arange(50) % 3)
    assert flow.verdict == verdict
    assert verdict in str(flow)
    assert len(str(flow).splitlines()) == 2 + 21


def test_the_callback_records_before_training_and_every_so_many_epochs():
    watch = structure.RecordGradientFlow(X, np.arange(50) % 3, every=2)
    mlp = mm.MLP(4, 8, 3)
    mm.fit(mlp, X, np.arange(50) % 3, epochs=5, callbacks=[watch], progress=False, validation=None)
    assert watch.epochs == [0, 2, 4]
    assert watch.records[0] == structure.gradient_flow(mlp, mlp.init(seed=0), X, np.arange(50) % 3)
    assert watch.records[-1].loss < watch.records[0].loss


def test_the_callback_goes_on_with_its_run_and_begins_anew_with_another(tmp_path):
    mlp, y = mm.MLP(4, 8, 3), np.arange(50) % 3

    def fit(epochs, watch, checkpoint=None):
        mm.fit(
            mlp,
            X,
            y,
            epochs=epochs,
            callbacks=[watch],
            progress=False,
            validation=None,
            checkpoint=checkpoint,
        )
        return watch

    whole = fit(5, structure.RecordGradientFlow(X, y, every=2))
    fit(3, structure.RecordGradientFlow(X, y, every=2), tmp_path / "c.safetensors")
    resumed = fit(5, structure.RecordGradientFlow(X, y, every=2), tmp_path / "c.safetensors")
    again = fit(5, fit(2, structure.RecordGradientFlow(X, y, every=2)))
    for watch in (resumed, again):
        assert watch.epochs == whole.epochs
        assert watch.records == whole.records
    with pytest.raises(InputError, match="every"):
        fit(6, structure.RecordGradientFlow(X, y), tmp_path / "c.safetensors")


# ---- summary


def test_summary_counts_what_init_makes():
    mlp = mm.MLP(784, [256, 128], 10, activation=["relu", parse("prelu")])
    text = structure.summary(mlp)
    made = sum(np.size(leaf) for leaf in mm.tree.leaves(mlp.init(seed=0)))
    assert text.splitlines()[-1].split() == ["total", f"{made:,}"]
    assert [line.split()[0] for line in text.splitlines()] == [
        *("layer", "input", "hidden", "hidden", "output", "total")
    ]
    assert "200,960" in text  # 784 * 256 + 256
    assert "alpha ()" in text


# ---- bad input

RELU = mm.MLP(2, 3, 1)
PARAMS = RELU.init(seed=0)
TWO = np.asarray([[0.0, 0.0], [1.0, 1.0]])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: structure.collapse(RELU, PARAMS), InputError, "'relu'"),
        (lambda: structure.collapse("mlp", PARAMS), InputError, "expected a multimlp.MLP"),
        (lambda: structure.collapse(mm.MLP(2, (), 1), PARAMS), InputError, "tuple of 1 layers"),
        (lambda: structure.collapse(mm.MLP(3, 3, 1), PARAMS), InputError, "params\\[0\\].weight"),
        (lambda: structure.to_sigmoid(RELU, PARAMS), InputError, "no hidden layer has the activation 'tanh'"),
        (lambda: structure.to_tanh(RELU, PARAMS), InputError, "'sigmoid'"),
        (lambda: structure.linear_regions(RELU, PARAMS, np.zeros(2)), ShapeError, "points"),
        (lambda: structure.linear_regions(RELU, PARAMS, np.zeros((2, 3))), ShapeError, "points"),
        (lambda: structure.linear_regions(RELU, PARAMS, np.zeros((2, 2))), InputError, "span"),
        (lambda: structure.linear_regions(RELU, PARAMS, TWO * np.nan), InputError, "finite"),
        (lambda: structure.linear_regions(mm.MLP(2, 3, 1, "gelu"), PARAMS, TWO), InputError, "'gelu'"),
        (lambda: structure.linear_regions(RELU, RELU.init(seed=[0, 1]), TWO), InputError, "ensemble of 2"),
        (lambda: structure.gradient_flow(RELU, RELU.init(seed=[0]), TWO, [0, 0]), InputError, "ensemble"),
        (lambda: structure.gradient_flow(RELU, PARAMS, TWO, [0, 5]), InputError, "5"),
        (lambda: structure.RecordGradientFlow(TWO, [0, 0], every=0), InputError, "every"),
    ],
)
def test_bad_input_gets_one_clear_error(call, error, message):
    with pytest.raises(error, match=message):
        call()
