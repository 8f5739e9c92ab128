"""The lessons: each on each backend, with its numbers; their sources, pages and notebooks; the commands."""

from __future__ import annotations

import functools
import json
import math

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from libraries import TRAINING

from multimlp import lessons
from multimlp.cli import lesson as lesson_command
from multimlp.cli import plot as plot_command
from multimlp.errors import InputError

ROUNDING = (0.0, 1e-11)
INF = math.inf

EXPECTED = {
    "linear_models": {
        # the best monotone answer to a valley is flat, so its error is the spread of the risk itself
        "temperature: error, linear in x": (0.35, 0.45),
        "temperature: error, MLP": (0.0, 0.06),
        "temperature: error, linear in the expert's feature": (0.0, 0.04),
        "income: error, linear in x": (0.08, 0.12),
        "income: error, MLP": (0.0, 0.05),
        "income: error, linear in the expert's feature": (0.0, 0.03),
        # 3 s (1 - s) with s = 1 / (1 + exp(-1.5))
        "slope of the risk at 35 °C": (-0.4474394, -0.4474393),
        "slope of the risk at 39 °C": (0.4474393, 0.4474394),
    },
    "feature_maps": {
        "w0": (1 - 1e-11, 1 + 1e-11),
        "w1": (2 - 1e-11, 2 + 1e-11),
        "w2": (4 - 1e-11, 4 + 1e-11),
        "best degree": (2, 2),
        "largest error of a coefficient, degrees 0 to 6": (0, 1e-10),
        "XOR linear: largest distance from 1/2": ROUNDING,
        "XOR with x1 x2: largest error": ROUNDING,
        "XOR with a hidden layer: accuracy": (1, 1),
    },
    "collapse": {
        "difference": ROUNDING,
        "rank, wide": (10, 10),
        "rank, narrow": (3, 3),
        "largest singular value, narrow": (0.5, 5),
    },
    "hidden_layers": {
        "parameters": (43, 43),
        "parameters by the formula": (43, 43),
        "rows of the output": (8, 8),
        "columns of the output": (3, 3),
        "first output of the first example": (-1, 1),
        "difference from the formulas": ROUNDING,
    },
    "activation_functions": {
        "relu'(0)": (0, 0),
        "sigmoid(0)": (0.5, 0.5),
        "sigmoid'(0)": (0.25 - 1e-12, 0.25 + 1e-12),
        "tanh'(0)": (1 - 1e-12, 1 + 1e-12),
        # Phi(1), from tables of the normal distribution
        "gelu(1)": (0.8413447460685429 - 1e-12, 0.8413447460685429 + 1e-12),
        "largest error / eps": (0.05, 12),
    },
    "derivatives": {
        **{
            f"{name}: largest difference": ROUNDING
            for name in ("pReLU, α = 0.25", "Swish, β = 1.5", "sigmoid", "tanh")
        },
        "pReLU, α = 0.25: largest derivative": (1, 1),
        # the maximum of (1 + u - u s(u)) s(u) is 1.0998 for every beta
        "Swish, β = 1.5: largest derivative": (1.0995, 1.09984),
        "sigmoid: largest derivative": (0.25 - 1e-12, 0.25 + 1e-12),
        "sigmoid: where it is largest": (0, 0),
        "tanh: largest derivative": (1 - 1e-12, 1 + 1e-12),
        "pReLU: largest difference of the derivative in alpha": ROUNDING,
    },
    "tanh_and_sigmoid": {
        "identity: largest difference": (0, 1e-15),
        "networks: largest difference": (0, 1e-13),
        "there and back: largest difference": (0, 1e-13),
        "fresh network at 1": (-1, 1),
        "error of the fit": (0, 0.15),
    },
    "piecewise_linear": {
        "bends of a fresh layer of 16": (1, 16),
        "regions along the line": (20, 100),
        "linearity error": ROUNDING,
        "continuity error": ROUNDING,
        "regions in the plane": (100, 1000),
        "linearity error in the plane": ROUNDING,
        "continuity error in the plane": ROUNDING,
        "error of the fit": (0, 0.1),
    },
    "vanishing_gradients": {
        "first / last, 20 layers, sigmoid, glorot_uniform": (0, 1e-10),
        "first / last, 20 layers, tanh, glorot_uniform": (0.1, 10),
        "first / last, 20 layers, relu, glorot_uniform": (0.1, 10),
        "first / last, 20 layers, relu, he_normal": (0.1, 10),
        "derivative of 20 sigmoids in a row": (1e-14, 0.25**20),
        "loss after training, sigmoid": (0.68, 0.72),
        "loss after training, relu": (0, 0.05),
        "first / last after training, sigmoid": (0, 1e-2),
        "first / last after training, relu": (0.05, INF),
    },
    "universal_approximation": {
        "error, width 2": (0.35, 0.5),
        "error, width 4": (0.2, 0.35),
        "error, width 8": (0.1, 0.25),
        "error, width 16": (0.1, 0.2),
        "error, width 32": (0.1, 0.2),
        "error, width 64": (0.05, 0.15),
        "error, width 128": (0.05, 0.15),
        "error, width 256": (0.02, 0.12),
        "error, width 512": (0, 0.04),
        "error, depth 1": (0.015, 0.04),
        "error, depth 2": (0.005, 0.02),
        "error, depth 3": (0, 0.01),
        "error, depth 4": (0, 0.01),
        "error without training, 64 units": (0, 4.5 / 64**2),
        "picture: error, narrow": (0.15, 0.3),
        "picture: error, wide": (0, 0.06),
    },
    "batch_nonlinearity": {
        "accuracy, shuffled batches": (0.93, 1),
        "accuracy, batches of one class": (0.3, 0.7),
        "accuracy, batches of one": (0.5, 0.5),
        "same example, other company: change of output": (1, INF),
        "influence of the others, BN": (0.1, INF),
        "influence of the others, ReLU": (0, 0),
        "influence of the third of three numbers": (0.136, 0.1361),
        "distance from an affine map of the batch": ROUNDING,
    },
    "from_scratch": {
        "accuracy from scratch": (0.9, 1),
        "accuracy concisely": (0.9, 1),
        "first loss": (1.5, 2.3),
        "last loss": (0, 0.25),
        "XOR: loss of epoch 100": (0, 0.05),
        "largest difference of a loss": ROUNDING,
        "largest difference of a parameter": ROUNDING,
    },
}

OPTIONS = {
    "activation_functions": {"backends": TRAINING},
    "from_scratch": {"epochs": 8},
}
FEWER_PROGRAMS = {"universal_approximation": {"widths": (2, 512), "depths": (3,)}}
"""On backends that compile, each width is one more program."""


@functools.cache
def result(name, backend):
    if name == "from_scratch":
        pytest.importorskip("sklearn")
    fewer = {} if backend == "numpy" else FEWER_PROGRAMS.get(name, {})
    return lessons.run(name, backend, **OPTIONS.get(name, {}), **fewer)


def test_every_lesson_is_expected_something_of():
    assert set(EXPECTED) == set(lessons.names())
    assert len(lessons.names()) == 12


COMPILING = ("feature_maps", "universal_approximation", "vanishing_gradients")
"""Most of their time on JAX and TensorFlow is compilation."""


@pytest.mark.parametrize(
    ("name", "backend"),
    [
        pytest.param(
            name, backend, marks=[pytest.mark.slow] * (backend in ("jax", "tensorflow") and name in COMPILING)
        )
        for name in lessons.names()
        for backend in TRAINING
    ],
)
def test_the_numbers_of_each_lesson_on_each_backend(name, backend):
    """They are what the lesson says, and, since all training is in float64 from the same start, NumPy's up to rounding."""
    found = result(name, backend)
    assert found.backend == backend
    assert found.dtype == "float64"
    if backend == "numpy" or name not in FEWER_PROGRAMS:
        assert set(found.numbers) == set(EXPECTED[name])
    for key, value in found.numbers.items():
        low, high = EXPECTED[name][key]
        assert low <= value <= high, (key, value)
    reference = found.numbers if backend == "numpy" else result(name, "numpy").numbers
    for key, value in found.numbers.items():
        assert value == pytest.approx(reference[key], rel=1e-6, abs=1e-10), key
    assert found.text
    for picture in found.figures.values():
        assert picture.axes
        assert picture.get_figwidth() <= 4.6, "is read on a telephone, 390 pixels wide"
        for ax in picture.axes:
            assert ax.get_xlabel() or ax.get_ylabel() or not ax.axison or ax.get_title()


def test_what_the_page_says_of_incomes_is_what_is_drawn():
    """The linear model is far too high for the lowest incomes, and too low from 150 to 500 thousand."""
    lines = {
        line.get_label(): line for line in result("linear_models", "numpy").figures["income"].axes[0].lines
    }
    income, true = (np.ravel(values) for values in lines["true"].get_data())
    off = np.ravel(lines["linear in x"].get_ydata()) - true
    assert np.all(off[income < 20] > 0.4)
    assert np.all(off[(income > 150) & (income < 500)] < 0)


@pytest.mark.parametrize("backend", TRAINING)
@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("collapse", "difference"),
        ("derivatives", "Swish, β = 1.5: largest difference"),
        pytest.param(
            "feature_maps", "largest error of a coefficient, degrees 0 to 6", marks=pytest.mark.slow
        ),
    ],
)
def test_a_lesson_computes_in_the_dtype_it_is_told(name, number, backend):
    found = lessons.run(name, backend, dtype="float32")
    assert found.dtype == "float32"
    assert 1e-9 < found.numbers[number] < 1e-3


@pytest.mark.parametrize("name", [name for name in lessons.names() if name != "activation_functions"])
def test_no_lesson_mixes_dtypes(name):
    """Mixing float32 parameters with float64 inputs is an error of the network."""
    if name == "from_scratch":
        pytest.importorskip("sklearn")
    assert lessons.run(name, "numpy", dtype="float32").numbers.keys() == EXPECTED[name].keys()


def test_a_lesson_leaves_the_callers_settings_alone():
    import matplotlib

    from multimlp import get_backend

    before = dict(matplotlib.rcParams)
    lessons.run("hidden_layers", TRAINING[-1])
    assert get_backend().name == "numpy"
    assert dict(matplotlib.rcParams) == before


def test_a_notebook_shows_text_numbers_and_pictures():
    html = lessons.run("hidden_layers", "numpy")._repr_html_()
    assert html.count("<svg") == 2
    assert "<td>parameters</td><td>43</td>" in html


def test_unknown_lessons_are_named():
    with pytest.raises(InputError, match="colapse"):
        lessons.run("colapse")
    assert lessons.title("from-scratch") == "An MLP from scratch, and concisely"


# ---- the commands


def call(command, *arguments):
    import argparse

    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args(list(map(str, arguments))))


def test_lesson_lists(capsys):
    assert call(lesson_command) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in lessons.names())


def test_lesson_writes_pictures_and_says_where(tmp_path, capsys):
    assert call(lesson_command, "hidden-layers", "--backend", "numpy", "--out", tmp_path / "new") == 0
    shown = capsys.readouterr().out
    written = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert written == [
        f"hidden_layers-{name}.{kind}" for name in ("diagram", "weights") for kind in ("png", "svg")
    ]
    assert all(name in shown for name in written)
    assert "43" in shown


def test_lesson_as_json(capsys):
    assert call(lesson_command, "collapse", "--backend", "numpy", "--json") == 0
    (one,) = json.loads(capsys.readouterr().out)["lessons"]
    assert one["name"] == "collapse"
    assert one["numbers"]["rank, narrow"] == 3
    assert one["files"] == []


def test_unknown_lesson_of_the_command():
    with pytest.raises(InputError, match="nothing"):
        call(lesson_command, "nothing")


@pytest.mark.parametrize("backend", [None, "numpy"])
def test_plot_draws_one_backend_or_all(tmp_path, capsys, backend, monkeypatch):
    from multimlp.lessons import activation_functions

    monkeypatch.setattr(activation_functions, "installed", lambda: list(TRAINING))
    chosen = [] if backend is None else ["--backend", backend]
    assert call(plot_command, "gelu", *chosen, "--out", tmp_path) == 0
    shown = capsys.readouterr().out
    stem = "gelu" if backend is None else "gelu-numpy"
    assert {path.name for path in tmp_path.iterdir()} == {f"{stem}.png", f"{stem}.svg"}
    assert stem in shown
    assert (TRAINING[-1] in shown) == (backend is None)


def test_plot_refuses_a_misspelt_activation_before_it_draws(tmp_path):
    with pytest.raises(InputError, match="rellu"):
        call(plot_command, "relu", "rellu", "--backend", "numpy", "--out", tmp_path)
    assert not list(tmp_path.iterdir())


def test_figures_are_drawn_from_numbers_not_from_a_display(monkeypatch):
    """No lesson touches pyplot, whose backend may need a display."""
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    found = lessons.run("feature_maps", "numpy")
    line = found.figures["degrees"].axes[0].lines[1]
    assert int(np.argmin(line.get_ydata())) == 2


def test_a_backend_that_cannot_be_used_is_left_out(monkeypatch):
    from multimlp.backend import BackendInfo
    from multimlp.lessons.activation_functions import installed

    monkeypatch.setattr(
        BackendInfo, "devices", property(lambda self: 1 / 0 if self.name == "torch" else ("cpu",))
    )
    found = installed()
    assert "numpy" in found
    assert not {"torch", "strict", "mpmath"} & set(found)
