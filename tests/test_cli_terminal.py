"""What the commands say: examples that their own parsers take, one default activation, 80 columns, learning curves."""

from __future__ import annotations

import importlib
import inspect
import re
import shlex

import numpy as np
import pytest

import multimlp as mm
from multimlp import data, files
from multimlp.cli import COMMANDS, Parser, main
from multimlp.cli.comparison import on_rounding
from multimlp.mlp import DEFAULT_ACTIVATION

pytest.importorskip("sklearn")
pytest.importorskip("safetensors")


@pytest.fixture(autouse=True)
def no_selection(monkeypatch):
    for name in ("BACKEND", "DEVICE", "DTYPE", "DATA"):
        monkeypatch.delenv(f"MULTIMLP_{name}", raising=False)


# ---- help


def examples(name: str) -> list[list[str]]:
    """The arguments of the command lines below ``example:``; what a shell does with the output is left out."""
    text = importlib.import_module(COMMANDS[name].module).__doc__.partition("example:\n")[2]
    lines = [line.strip() for line in text.splitlines() if line.startswith("  ")]
    commands = [part.partition(">")[0] for line in lines for part in line.split(";")]
    return [shlex.split(command) for command in commands]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_examples_are_taken_by_the_commands_own_parser(name):
    module = importlib.import_module(COMMANDS[name].module)
    parser = Parser(prog=f"multimlp {name}", allow_abbrev=False)
    module.add_arguments(parser)
    found = examples(name)
    assert found
    for program, command, *arguments in found:
        assert (program, command) == ("multimlp", name)
        parser.parse_args(arguments)


def test_an_example_that_is_wrong_is_seen():
    parser = Parser(prog="multimlp train", allow_abbrev=False)
    importlib.import_module(COMMANDS["train"].module).add_arguments(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(["digits", "--no-such-option"])


def test_there_is_one_default_activation():
    from multimlp.estimators import MLPClassifier, MLPRegressor
    from multimlp.playground import Settings

    defaults = {
        "MLP": inspect.signature(mm.MLP.__init__).parameters["activation"].default,
        "MLPClassifier": MLPClassifier().activation,
        "MLPRegressor": MLPRegressor().activation,
        "playground": Settings().activation,
    }
    for module, function in (
        ("torch", "from_state_dict"),
        ("flax", "from_variables"),
        ("equinox", "from_leaves"),
        ("gluon", "from_gluon"),
    ):
        try:
            library = importlib.import_module(f"multimlp.interop.{module}")
        except mm.errors.MissingDependencyError:
            continue
        defaults[module] = inspect.signature(getattr(library, function)).parameters["activation"].default
    parser = Parser(prog="multimlp train", allow_abbrev=False)
    importlib.import_module(COMMANDS["train"].module).add_arguments(parser)
    defaults["train"] = parser.parse_args(["digits"]).activation
    assert defaults == dict.fromkeys(defaults, DEFAULT_ACTIVATION)
    for name in ("train", "convert", "import"):
        module = importlib.import_module(COMMANDS[name].module)
        parser = Parser(prog=name)
        module.add_arguments(parser)
        helps = next(action.help for action in parser._actions if "--activation" in action.option_strings)
        assert f"default: {DEFAULT_ACTIVATION}" in helps


# ---- 80 columns


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    where = tmp_path_factory.mktemp("terminal")
    iris = data.load("iris")
    mlp = mm.MLP(4, [8, 8], 3)
    files.save(where / "m.safetensors", mlp, mlp.init(seed=0))
    rows = [
        ",".join(map(str, row)) + f",{iris.classes[label]}"
        for row, label in zip(iris.X.tolist(), iris.y, strict=True)
    ]
    (where / "iris.csv").write_text("\n".join([",".join([*iris.feature_names, "species"]), *rows]))
    train = ["train", str(where / "iris.csv"), "--target", "species", "--backend", "numpy", "--epochs", "2"]
    assert main([*train, "--save", str(where / "t.safetensors"), "--no-progress"]) == 0
    return where


IRIS = ["train", "iris.csv", "--target", "species", "--backend", "numpy", "--epochs", "1"]
RUNS = {
    "backends": [["backends"], ["backends", "--backend", "numpy"]],
    "train": [
        [*IRIS, "--reference", "--plot", "curve.png", "--save", "n.safetensors"],
        ["train", "diabetes", "--backend", "numpy", "--hidden", *["16"] * 12, "--epochs", "1", "--verbose"],
    ],
    "predict": [["predict", "t.safetensors", "iris.csv", "--proba", "-o", "p.csv"]],
    "bench": [["bench", "--backend", "numpy", "--case", "tiny", "--seconds", "0.01"]],
    "parity": [["parity", "--quick", "--backend", "numpy", "--function", "threshold"]],
    "plot": [["plot", "relu", "--backend", "numpy"], ["plot", "gelu"]],
    "lesson": [["lesson"], ["lesson", "collapse", "--backend", "numpy"]],
    "playground": [["playground", "--port", "-1"]],
    "export": [["export", "t.safetensors", "--to", "sklearn", "-o", "e.npz"]],
    "convert": [["convert", "m.safetensors", "c.npz", "--verify"]],
    "import": [["import", "e.npz", "-o", "i.safetensors"]],
}


def test_every_command_is_run_at_80_columns():
    assert list(RUNS) == list(COMMANDS)


@pytest.mark.parametrize(
    "arguments", [run for runs in RUNS.values() for run in runs], ids=lambda run: " ".join(run[:3])
)
def test_all_that_a_command_says_fits_in_80_columns(capsys, monkeypatch, folder, arguments):
    if arguments[0] in ("plot", "lesson") or "--plot" in arguments:
        pytest.importorskip("matplotlib")
    if arguments[0] == "playground":
        pytest.importorskip("bokeh")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "80")
    code = main(arguments)
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert code == (2 if arguments[0] == "playground" else 0), captured.err
    assert lines or captured.err
    assert [line for line in lines if len(line) > 80] == []


# ---- the comparison, and curves


def run_of(dtype: str, **more):
    return type("Run", (), {"dtype": dtype, "is_reference": False, **more})


def test_what_is_said_of_rounding():
    reference = run_of("float64", is_reference=True)
    single, double = [reference, run_of("float32")], [reference, run_of("float64")]
    assert on_rounding(mm.MLP(2, 3, 1), double) == ""
    assert "kink of relu" in on_rounding(mm.MLP(2, 3, 1), single)
    assert "kink" not in on_rounding(mm.MLP(2, 3, 1, activation="tanh"), single)


def test_a_table_of_runs_says_it(capsys):
    assert main(["train", "iris", "--backend", "numpy", "--reference", "--epochs", "1", "--no-progress"]) == 0
    out = capsys.readouterr().out
    assert "activation='relu'" in out
    assert "the kink of relu" in out


def test_plot_draws_the_losses(capsys, tmp_path, monkeypatch):
    plotting = pytest.importorskip("multimlp.plotting")
    drawn = {}

    def remembered(history, axes, *rest, **options):
        drawn.update(history)
        return original(history, axes, *rest, **options)

    original = plotting.plot_history
    monkeypatch.setattr(plotting, "plot_history", remembered)
    path = tmp_path / "curve.svg"
    arguments = ["train", "iris", "--backend", "numpy", "--reference", "--epochs", "3", "--plot", str(path)]
    assert main([*arguments, "--no-progress"]) == 0
    assert f"drew the learning curves in {path}" in capsys.readouterr().out
    assert re.search(r"<svg", path.read_text())
    assert [key for key in drawn if key.endswith(" loss")] == ["numpy float64 loss", "numpy loss"]
    assert np.allclose(drawn["numpy loss"], drawn["numpy float64 loss"], rtol=1e-3)
    assert all(len(losses) == 3 for losses in drawn.values())


@pytest.mark.parametrize(
    ("path", "what"),
    [("curve.txt", "ends in .png or .svg"), ("no/curve.png", "--plot"), ("m.png", "--plot")],
)
def test_a_picture_that_cannot_be_is_refused_before_training(capsys, monkeypatch, tmp_path, path, what):
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    code = main(
        ["train", "iris", "--backend", "numpy", "--plot", path, "--checkpoint", "m.png", "--epochs", "1"]
    )
    assert code == 2
    assert what in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib_plot_says_what_to_install(capsys, monkeypatch):
    from multimlp.cli import curve

    monkeypatch.setattr(curve.importlib.util, "find_spec", lambda name: None)
    assert main(["train", "iris", "--backend", "numpy", "--plot", "x.png"]) == 2
    assert "pip install 'multimlp[plot]'" in capsys.readouterr().err
