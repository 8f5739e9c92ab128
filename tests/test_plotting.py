"""Pictures: what is drawn, read back from the axes; not how it looks."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import multimlp as mm

pytest.importorskip("matplotlib")

from matplotlib.collections import PathCollection
from matplotlib.contour import ContourSet

from multimlp import plotting, structure
from multimlp.errors import DataError, InputError, ShapeError
from multimlp.plotting._activation import GRID


@pytest.fixture
def axes():
    return plotting.figure()[1]


def test_the_grid_is_the_source_texts():
    assert GRID[0] == -8
    assert len(GRID) == 160
    assert GRID[-1] == 7.9


@pytest.mark.parametrize("name", mm.activations.names())
def test_every_activation_can_be_drawn(name, axes):
    plotting.plot_activation(name, "numpy", axes)
    value, derivative = (line.get_ydata() for line in axes.lines)
    assert len(value) == len(derivative) == 160
    assert np.all(np.isfinite(value))
    if name == "softmax":
        assert np.allclose(value, 1 / (1 + np.exp(-GRID)), atol=1e-6)
    if name not in ("step", "threshold", "hardshrink"):  # these jump
        middle = (value[2:] - value[:-2]) / 0.2
        # exp'' reaches exp(8) there; the others are at most about 2
        bound = 6.0 if name == "exponential" else 1.1 if name == "relu_squared" else 0.6
        assert np.max(np.abs(middle - derivative[1:-1])) < bound


def test_agreement_of_the_backends_is_measured(training_backend):
    axes = plotting.figure(3, 1)[1]
    largest = plotting.plot_agreement("tanh", ["numpy", training_backend.name], axes)
    assert all(0 < error < 8 for errors in largest.values() for error in errors)
    assert [len(one.lines) for one in axes] == [2, 2, 2]


def test_a_wrong_activation_would_show():
    axes = plotting.figure(3, 1)[1]
    right = mm.activations.tanh

    def library_dependent(x):
        return right(x) * (1.0 if "float64" in str(x.dtype) else 1.001)

    largest = plotting.plot_agreement(library_dependent, ["numpy"], axes)
    assert largest["numpy"][0] > 1000


def test_history_has_losses_left_and_the_rest_right(axes):
    history = {"loss": [2.0, 1.0], "val_loss": [2.5, 1.5], "val_accuracy": [0.3, 0.6]}
    plotting.plot_history(history, axes)
    right = axes.figure.axes[1]
    assert [list(line.get_ydata()) for line in axes.lines] == [[2.0, 1.0], [2.5, 1.5]]
    assert [list(line.get_ydata()) for line in right.lines] == [[0.3, 0.6]]
    assert len({line.get_linestyle() for line in (*axes.lines, *right.lines)}) == 3


@pytest.mark.parametrize("outputs", [1, 2])
def test_the_boundary_is_where_the_decision_changes(training_backend, outputs, axes):
    mlp = mm.MLP(2, (), outputs)
    weight = np.asarray([[1.0], [0.0]]) if outputs == 1 else np.asarray([[-1.0, 1.0], [0.0, 0.0]])
    params = mm.convert((mm.Dense(weight, np.zeros(outputs)),), training_backend.name)
    X = np.asarray([[-1.0, -1.0], [1.0, 1.0], [1.0, -1.0]])
    plotting.plot_decision_boundary(mlp, params, X, [0, 1, 1], axes, resolution=40)
    (_, border, *_) = axes.collections
    segments = border.get_paths()[0].vertices
    assert np.allclose(segments[:, 0], 0, atol=1e-12)
    points = [one for one in axes.collections if isinstance(one, PathCollection)]
    assert [len(one.get_offsets()) for one in points] == [1, 2]


def test_no_class_is_drawn_between_two_others(axes):
    """Class 1 is nowhere: the border between 0 and 2 is one line, and nothing is filled as 1."""
    mlp = mm.MLP(2, (), 3)
    params = (mm.Dense(np.asarray([[-1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]), np.asarray([0.0, -9.0, 0.0])),)
    X = np.asarray([[-1.0, -1.0], [1.0, 1.0], [1.0, -1.0]])
    plotting.plot_decision_boundary(mlp, params, X, [0, 2, 2], axes, resolution=40)
    contours = [one for one in axes.collections if isinstance(one, ContourSet)]
    filled = [len(one.get_paths()[0].vertices) for one in contours if one.filled]
    assert [count > 0 for count in filled] == [True, False, True]
    assert sum(not one.filled for one in contours) == 1
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["class 0", "class 1", "class 2"]


def test_the_network_has_its_units_and_signed_weights(axes):
    mlp = mm.MLP(4, 5, 3)
    params = mlp.init(seed=0)
    plotting.plot_network(mlp, params, axes)
    assert len(axes.patches) == 4 + 5 + 3
    weights = np.concatenate([params[0].weight.ravel(), params[1].weight.ravel()])
    dashed = [line.get_linestyle() == "--" for line in axes.lines]
    assert dashed == list(weights < 0)
    first = [line.get_linewidth() for line in axes.lines[:20]]
    assert np.argmax(first) == np.argmax(np.abs(params[0].weight))


def test_wide_layers_are_abridged(axes):
    plotting.plot_network(mm.MLP(784, 256, 10), ax=axes, max_units=6)
    assert len(axes.patches) == 18
    labels = [text.get_text() for text in axes.texts]
    assert "$x_{784}$" in labels
    assert "$x_{4}$" not in labels


def test_gradient_flow_and_regions_draw_their_numbers(axes):
    mlp = mm.MLP(2, [6, 6], 2)
    params = mlp.init(seed=0)
    flow = structure.gradient_flow(mlp, params, [[0.0, 1.0], [1.0, 0.5]], [0, 1])
    plotting.plot_gradient_flow(flow, axes)
    assert tuple(axes.lines[0].get_ydata()) == flow.weight_norms
    line = structure.linear_regions(mlp, params, [[-3.0, 1.0], [3.0, 2.0]])
    bends = plotting.plot_regions(line, plotting.figure()[1]).lines[1]
    assert np.array_equal(bends.get_xdata(), line.breakpoints)
    plane = structure.linear_regions(mlp, params, [[-3.0, -3.0], [3.0, -3.0], [-3.0, 3.0]])
    polygons = plotting.plot_regions(plane, plotting.figure()[1]).collections[0]
    assert len(polygons.get_paths()) == len(plane)


def test_what_a_logarithm_has_no_place_for_is_said(axes):
    flow = structure.GradientFlow(1.0, (0.0, 0.2, float("nan")), (0.0,) * 3, (1.0,) * 3)
    plotting.plot_gradient_flow({"mine": flow}, axes)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "mine: 0 in layer 1; not finite in layer 3"
    ]
    assert np.array_equal(np.isfinite(axes.lines[0].get_ydata()), [False, True, False])


def test_candidates_without_a_score_are_marked():
    X, y = np.eye(4), np.asarray([0, 1, 1, 0])
    grid = {"learning_rate": [0.001, 0.01, 1e30]}
    result = mm.sweep(mm.MLP(4, 3, 2), grid, X, y, epochs=3, validation=None, progress=False)
    (panel,) = plotting.plot_sweep(result, axes=[plotting.figure()[1]])
    crosses = next(line for line in panel.lines if line.get_label() == "no score")
    assert list(crosses.get_xdata()) == [1e30]
    assert panel.get_xscale() == "log"


def test_equal_infinities_agree():
    three = plotting.figure(3, 1)[1]
    with np.errstate(over="ignore"):
        found = plotting.plot_agreement(lambda x: 1e308 * x * 1e10, ["numpy"], three, [0.0, 10.0], "float64")
    assert found == {"numpy": (0.0, 0.0)}
    assert np.isfinite(three[2].get_ylim()).all()


def test_pictures_are_in_the_common_look_whoever_draws():
    """Legends, and an axis at the right, are made while a picture is drawn."""
    history = {"loss": [2.0, 1.0], "val_accuracy": [0.3, 0.6]}
    axes = plotting.plot_history(history, plotting.figure()[1])
    assert not axes.get_legend().get_frame_on()
    sizes = {tick.label1.get_fontsize() for tick in axes.yaxis.get_major_ticks()}
    assert sizes == {tick.label2.get_fontsize() for tick in axes.figure.axes[1].yaxis.get_major_ticks()}


def test_saved_files_are_the_same_each_time(tmp_path):
    def write(folder):
        picture, axes = plotting.figure()
        plotting.plot_activation("relu", "numpy", axes)
        return [path.read_bytes() for path in plotting.save(picture, tmp_path / folder, "relu")]

    png, svg = write("a")
    assert (png, svg) == tuple(write("b"))
    assert png.startswith(b"\x89PNG")
    assert ElementTree.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"


def test_without_axes_pyplot_makes_some():
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    drawn = [plotting.plot_history({"loss": [1.0, 0.5]}), plotting.plot_network(mm.MLP(2, 3, 1))]
    assert [axes.figure.number for axes in drawn] == pyplot.get_fignums()[-2:]
    pyplot.close("all")


def test_the_users_own_settings_come_back():
    import matplotlib

    before = dict(matplotlib.rcParams)
    with plotting.style():
        plotting.figure()
    assert dict(matplotlib.rcParams) == before


MLP2 = mm.MLP(2, 3, 2)
PARAMS = MLP2.init(seed=0)
BROKEN = mm.tree.map(lambda leaf: leaf * np.float32(np.nan), PARAMS)
X2 = np.zeros((3, 2))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: plotting.plot_history({"loss": [1.0]}, keys=["accuracy"]), InputError, "accuracy"),
        (lambda: plotting.plot_history({}), InputError, "history"),
        (lambda: plotting.plot_activation("rellu"), InputError, "rellu"),
        (lambda: plotting.plot_activation("relu", ax="here"), InputError, "axes"),
        (lambda: plotting.plot_network("mlp"), InputError, "MLP"),
        (lambda: plotting.plot_network(MLP2, max_units=1), InputError, "max_units"),
        (lambda: plotting.plot_network(MLP2, MLP2.init(seed=[0, 1])), InputError, "ensemble"),
        (lambda: plotting.plot_decision_boundary(MLP2, PARAMS, X2, [0, 1]), ShapeError, r"\(3, 2\)"),
        (lambda: plotting.plot_decision_boundary(MLP2, PARAMS, X2, [0, 1, 1], resolution=1), InputError, "1"),
        (lambda: plotting.plot_decision_boundary(MLP2, BROKEN, X2, [0, 1, 1]), DataError, "NaN"),
        (lambda: plotting.plot_network(MLP2, BROKEN), DataError, r"params\[0\].weight"),
        (lambda: plotting.plot_decision_boundary(mm.MLP(3, (), 2), (), X2, [0]), InputError, "params"),
    ],
)
def test_bad_input_gets_one_clear_error(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_file_in_the_way_of_the_folder_is_named(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(InputError, match="taken"):
        plotting.save(plotting.figure()[0], tmp_path / "taken", "x")
