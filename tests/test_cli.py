"""The command: what it prints, what it writes, its exit codes, and one clear line for every bad input."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from multimlp import data, errors, files, losses
from multimlp.backend import Backend, _catalog, available_backends
from multimlp.backend._registry import _loaded
from multimlp.cli import COMMANDS, backends, main, train
from multimlp.training import predict

pytest.importorskip("sklearn")
pytest.importorskip("safetensors")

FAST = ["--backend", "numpy", "--epochs", "2", "--hidden", "8"]


@pytest.fixture(autouse=True)
def no_selection(monkeypatch):
    for name in ("BACKEND", "DEVICE", "DTYPE", "DATA"):
        monkeypatch.delenv(f"MULTIMLP_{name}", raising=False)


@pytest.fixture(scope="module")
def iris(tmp_path_factory):
    """Iris as a .csv, and a model trained on it by the command."""
    folder = tmp_path_factory.mktemp("iris")
    dataset = data.load("iris")
    with (folder / "iris.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*dataset.feature_names, "species"])
        for row, label in zip(dataset.X.tolist(), dataset.y, strict=True):
            writer.writerow([*row, dataset.classes[label]])
    model = folder / "iris.safetensors"
    arguments = ["train", str(folder / "iris.csv"), "--target", "species", "--backend", "numpy"]
    assert main([*arguments, "--save", str(model), "--no-progress"]) == 0
    return folder


def outcome(capsys, *arguments: object) -> tuple[int, str, str]:
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def as_json(capsys, *arguments: object) -> dict:
    code, out, _ = outcome(capsys, *arguments, "--json")
    assert code == 0
    return json.loads(out)


# ---- the frame


def command(*arguments: object, **options) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "multimlp.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        **options,
    )


def test_version_and_help_import_no_framework():
    script = (
        "import sys\nfrom multimlp.cli import main\n"
        "codes = main(['--version']), main(['--help'])\n"
        "found = {'torch', 'jax', 'tensorflow', 'sklearn', 'pandas', 'rich'} & set(sys.modules)\n"
        "sys.exit(f'{codes} {found}' if found or any(codes) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("multimlp 0.")
    assert all(name in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help_with_an_example_and_the_common_options(capsys, name):
    code, out, _ = outcome(capsys, name, "--help")
    assert code == 0
    assert f"example:\n  multimlp {name}" in out
    assert all(option in out for option in ("--backend", "--device", "--dtype", "--json"))


def test_the_first_help_lists_each_command_on_lines_of_its_own(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    listed, _, examples = out.partition("commands:\n")[2].partition("example:\n")
    assert [line.split()[0] for line in listed.splitlines() if line[:3].strip()] == list(COMMANDS)
    assert "\\" not in listed
    assert examples.startswith("  multimlp ")


def test_bad_usage_in_a_real_process_is_one_line(tmp_path):
    done = command("train", "no-such-set", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("multimlp: error: 'no-such-set' is neither a data set")
    assert done.stderr.count("\n") == 1


def test_a_reader_that_stops_early_is_no_error(iris):
    process = subprocess.Popen(
        [sys.executable, "-m", "multimlp.cli", "predict", iris / "iris.safetensors", iris / "iris.csv"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.close()
    assert process.wait(timeout=120) == 0
    assert b"Traceback" not in process.stderr.read()


# ---- backends


def test_backends_lists_all_that_are_known(capsys):
    listed = as_json(capsys, "backends")["backends"]
    assert {one["name"]: one["installed"] for one in listed} == {
        name: info.installed for name, info in available_backends().items()
    }
    code, out, _ = outcome(capsys, "backends")
    lines = out.splitlines()
    assert code == 0
    assert lines[0].split()[:3] == ["backend", "version", "devices"]
    assert max(map(len, lines)) <= 80
    absent = [one for one in listed if not one["installed"]]
    for one in listed:
        line = next(line for line in lines if line.startswith(one["name"] + " "))
        assert line.split()[1] == (one["version"] if one["installed"] else "missing")
    if absent:
        start = lines.index("not installed; to have one, run its line:") + 1
        assert [line.strip() for line in lines[start:]] == [one["install"] for one in absent]
    assert next(line for line in lines if "compilers" in line).split()[0] == "backend"


def test_many_devices_take_little_room(capsys, monkeypatch):
    info = available_backends()["numpy"].as_dict()
    everything = {
        **info,
        "devices": ["cpu", *(f"cuda:{i}" for i in range(8))],
        "version": "2.13.0+cpu",
        "name": "tensorflow",
    }
    everything["capabilities"] = {
        **info["capabilities"],
        "autodiff": "native",
        "vmap": "native",
        "epoch": "compiled",
    }
    everything["capabilities"]["dtypes"] = ("float64", "float32", "bfloat16", "float16")

    class Info:
        def as_dict(self):
            return everything

    monkeypatch.setattr(backends, "available_backends", lambda: {"tensorflow": Info()})
    monkeypatch.setenv("COLUMNS", "80")
    _, out, _ = outcome(capsys, "backends")
    assert "cpu cuda x8  native  native  compiled  f64 f32 bf16 f16" in out.splitlines()[1]


def test_backends_of_one_kind(capsys):
    assert [one["name"] for one in as_json(capsys, "backends", "--backend", "np")["backends"]] == ["numpy"]
    halves = as_json(capsys, "backends", "--dtype", "float16")["backends"]
    assert "numpy" in {one["name"] for one in halves}
    assert "strict" not in {one["name"] for one in halves}


def test_a_broken_framework_does_not_hide_the_others(capsys, monkeypatch):
    def broken(name):
        raise OSError("libfoo.so not found") if name == "torch" else AssertionError(name)

    monkeypatch.setattr(_catalog, "is_installed", lambda name: name == "torch")
    monkeypatch.setattr(_catalog, "load_backend", broken)
    code, out, err = outcome(capsys, "backends")
    assert code == 0
    assert "broken" in out
    assert "torch is installed and cannot be used: OSError: libfoo.so not found" in err


# ---- train


def test_the_defaults_learn_digits(capsys):
    report = as_json(capsys, "train", "digits", "--backend", "numpy")
    (run,) = report["runs"]
    assert report["rows"] == {"train": 1438, "test": 359}
    assert run["score"] >= 0.97
    assert run["seconds"] < 20
    assert len(run["history"]["loss"]) == run["epochs"]


def test_every_installed_backend_is_trained_and_compared(capsys):
    report = as_json(capsys, "train", "iris", "--epochs", "3", "--hidden", "8", "--dtype", "float64")
    expected = [name for name, info in available_backends().items() if info.installed]
    reference, *runs = report["runs"]
    assert report["skipped"] == {}
    assert [run["backend"] for run in runs] == [name for name in expected if name not in train.CHECKERS]
    assert reference["is_reference"]
    assert reference["parameter_difference"] is None
    for run in runs:
        assert run["parameter_difference"] < 1e-12, run["backend"]
        assert run["output_difference"] < 1e-12, run["backend"]
        assert run["loss"] == pytest.approx(reference["loss"], rel=1e-12)


def test_differences_are_measured_not_assumed(capsys):
    report = as_json(capsys, "train", "iris", *FAST, "--dtype", "float32", "--reference")
    reference, run = report["runs"]
    assert (reference["dtype"], run["dtype"]) == ("float64", "float32")
    assert 0 < run["parameter_difference"] < 1e-5
    assert 0 < run["output_difference"] < 1e-4


class Broken(Backend):
    name = "broken"
    xp = np

    def asarray(self, x, *, dtype=None, device=None):
        raise RuntimeError("driver version\nmismatch")


def test_broken_backends_are_skipped_unless_they_were_named(capsys, monkeypatch):
    monkeypatch.setitem(_loaded, "broken", Broken())
    known = {name: info for name, info in available_backends().items() if name == "numpy"}
    monkeypatch.setattr(train, "available_backends", lambda: {**known, "broken": known["numpy"]})
    code, out, err = outcome(capsys, "train", "iris", "--epochs", "1")
    assert code == 0
    assert re.search(r"^numpy +float64 .* reference +reference$", out, re.MULTILINE)
    assert "--dtype float64" in out
    assert err.strip() == "multimlp: skipping broken: driver version mismatch"
    monkeypatch.setattr(train, "available_backends", lambda: {"broken": known["numpy"]})
    code, _, err = outcome(capsys, "train", "iris", "--epochs", "1")
    assert code == 2
    assert "none of the backends broken can do this" in err


def test_the_environment_selects_one_backend(capsys, monkeypatch):
    monkeypatch.setenv("MULTIMLP_BACKEND", "numpy")
    report = as_json(capsys, "train", "iris", "--epochs", "1")
    assert [run["backend"] for run in report["runs"]] == ["numpy"]
    monkeypatch.setenv("MULTIMLP_BACKEND", "nmpy")
    code, _, err = outcome(capsys, "train", "iris")
    assert code == 2
    assert "unknown backend 'nmpy'" in err


@pytest.mark.parametrize(
    ("name", "options", "least"),
    [
        ("diabetes", ["--epochs", "20"], 0.4),
        ("breast_cancer", ["--epochs", "20", "--loss", "binary_cross_entropy"], 0.94),
        ("breast_cancer", ["--epochs", "20", "--loss", "binary_focal"], 0.94),
        ("breast_cancer", ["--epochs", "20", "--loss", "hinge"], 0.94),
        ("digits", ["--epochs", "10", "--loss", "focal"], 0.94),
        ("wine", ["--epochs", "40", "--dropout", "0.2", "--l2", "1e-4", "--activation", "gelu"], 0.94),
        ("iris", ["--epochs", "60", "--hidden", "--optimizer", "sgd", "--learning-rate", "0.1"], 0.9),
    ],
)
def test_other_tasks_losses_and_options_learn(capsys, name, options, least):
    (run,) = as_json(capsys, "train", name, "--backend", "numpy", *options)["runs"]
    assert run["score"] > least


@pytest.mark.parametrize("loss", ["hinge", "binary_focal", "ordinal", "focal"])
def test_models_of_every_loss_of_classes_predict(capsys, tmp_path, loss):
    path = tmp_path / "t.csv"
    values = np.random.default_rng(0).standard_normal((200, 2))
    ranks = (values[:, 0] > 0).astype(int) + (values[:, 0] > 1) * (loss == "ordinal")
    lines = [f"{a:.4f},{b:.4f},{label * 10}" for (a, b), label in zip(values, ranks, strict=True)]
    path.write_text("\n".join(["a,b,y", *lines]) + "\n")
    options = ["--backend", "numpy", "--epochs", "60", "--loss", loss, "--save", tmp_path / "m.safetensors"]
    (run,) = as_json(capsys, "train", path, *options)["runs"]
    assert run["score"] > 0.85
    found = as_json(capsys, "predict", tmp_path / "m.safetensors", path)
    assert np.mean(np.asarray(found["predictions"]) == ranks * 10) > 0.85
    assert set(found["predictions"]) <= set(found["classes"])
    code, _, err = outcome(capsys, "predict", tmp_path / "m.safetensors", path, "--proba")
    assert code == (0 if "focal" in loss else 2)
    assert code == 0 or f"trained with {loss} has no probabilities" in err


@pytest.mark.parametrize(
    ("name", "loss", "words"),
    [
        ("iris", "mse", "--loss: mse is for numbers, and the target holds 3 classes; take cross_entropy"),
        ("iris", "hinge", "--loss: hinge is for two classes, and the target holds 3 classes"),
        ("iris", "ordinal", "--loss: ordinal is for classes in an order, and text has none"),
    ],
)
def test_losses_of_other_targets_are_refused(capsys, name, loss, words):
    code, out, err = outcome(capsys, "train", name, *FAST, "--loss", loss)
    assert (code, out) == (2, "")
    assert words in err


@pytest.mark.parametrize("loss", ["gaussian_nll", "student_nll", "mixture_nll", "quantile"])
def test_losses_of_several_outputs_get_their_network(capsys, tmp_path, loss):
    path, out = tmp_path / "m.safetensors", tmp_path / "out.csv"
    options = ["--backend", "numpy", "--epochs", "20", "--loss", loss, "--save", path]
    (run,) = as_json(capsys, "train", "diabetes", *options)["runs"]
    assert run["score"] > 0.4
    mlp, params = files.load(path, backend="numpy")
    rule, extra = losses.get(loss), files.load_extra(path)
    assert losses.get(extra["loss"]) == rule
    assert mlp.out_features == rule.outputs_for(1)
    X, few = data.load("diabetes").X[:5], tmp_path / "few.csv"
    few.write_text("\n".join(",".join(map(str, row)) for row in [extra["feature_names"], *X.tolist()]))
    assert outcome(capsys, "predict", path, few, "-o", out)[0] == 0
    outputs = predict(mlp, params, (X - extra["inputs"]["mean"]) / extra["inputs"]["scale"])
    expected = rule.predict(outputs)[:, 0] * extra["targets"]["scale"][0] + extra["targets"]["mean"][0]
    np.testing.assert_allclose([float(n) for n in out.read_text().split()[1:]], expected, rtol=1e-4)


def test_the_table_names_data_model_and_how_to_predict(capsys, tmp_path):
    path = tmp_path / "m.safetensors"
    code, out, err = outcome(capsys, "train", "iris", *FAST, "--save", path, "--verbose")
    assert code == 0
    assert out.splitlines()[0].startswith("iris: ")
    assert "MLP(4, [8], 3, activation='relu'): 67 parameters" in out
    assert out.splitlines()[-1].strip() == f"multimlp predict {path} NEW.csv -o predictions.csv"
    assert [line.split()[1] for line in err.splitlines()] == ["1/2", "2/2"]


# ---- predict


def test_predictions_are_those_of_the_library(capsys, iris, tmp_path):
    out = tmp_path / "out.csv"
    code, _, err = outcome(
        capsys, "predict", iris / "iris.safetensors", iris / "iris.csv", "-o", out, "--proba"
    )
    assert code == 0
    assert "ignored the column 'species'" in err
    with out.open() as file:
        header, *rows = list(csv.reader(file))
    assert header == ["prediction", "proba_setosa", "proba_versicolor", "proba_virginica"]
    mlp, params = files.load(iris / "iris.safetensors", backend="numpy")
    extra = files.load_extra(iris / "iris.safetensors")
    X = (data.load("iris").X - np.asarray(extra["inputs"]["mean"])) / extra["inputs"]["scale"]
    logits = predict(mlp, params, X).astype(np.float64)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose([[float(p) for p in row[1:]] for row in rows], expected, atol=1e-5)
    assert [row[0] for row in rows] == [extra["classes"][i] for i in expected.argmax(axis=1)]
    right = np.mean(np.asarray(extra["classes"])[data.load("iris").y] == [row[0] for row in rows])
    assert right > 0.95


def test_columns_are_found_by_name(capsys, iris, tmp_path):
    with (iris / "iris.csv").open() as file:
        rows = [row[::-1] for row in csv.reader(file)]
    path = tmp_path / "reversed.csv"
    path.write_text("\n".join(",".join(row) for row in rows))
    model = iris / "iris.safetensors"
    direct = as_json(capsys, "predict", model, iris / "iris.csv")
    turned = as_json(capsys, "predict", model, path)
    assert turned["predictions"] == direct["predictions"]
    assert (turned["rows"], turned["ignored"], turned["output"]) == (150, ["species"], None)
    _, out, _ = outcome(capsys, "predict", model, path, "-o", "-")
    assert out.split() == ["prediction", *direct["predictions"]]


@pytest.mark.parametrize("backend", [n for n, i in available_backends().items() if i.installed])
def test_any_backend_predicts_the_same(capsys, iris, backend):
    arguments = ("predict", iris / "iris.safetensors", iris / "iris.csv", "--proba")
    if backend == "mpmath":
        few = iris / "few.csv"
        few.write_text("".join((iris / "iris.csv").read_text().splitlines(keepends=True)[:4]))
        arguments = (*arguments[:2], few, arguments[3])
    expected = as_json(capsys, *arguments, "--backend", "numpy", "--dtype", "float64")
    found = as_json(capsys, *arguments, "--backend", backend, "--dtype", "float64")
    np.testing.assert_allclose(found["probabilities"], expected["probabilities"], atol=1e-12)


def test_regression_values_are_on_the_scale_of_the_targets(capsys, tmp_path):
    path, model = tmp_path / "line.csv", tmp_path / "m.safetensors"
    X = np.linspace(-1, 1, 200)
    path.write_text("x,price\n" + "".join(f"{x},{1000 + 300 * x}\n" for x in X))
    arguments = ["train", path, "--target", "price", "--backend", "numpy", "--learning-rate", "0.01"]
    assert outcome(capsys, *arguments, "--save", model)[0] == 0
    values = as_json(capsys, "predict", model, path)["predictions"]
    np.testing.assert_allclose(values, 1000 + 300 * X, atol=15)


# ---- bad input: exit code 2, one line, nothing written

CSV = "a,b,kind\n1,2,x\n3,4,y\n5,6,x\n7,8,y\n9,1,x\n2,3,y\n"

BAD_TRAINING = {
    "missing file": (["none.csv"], "there is no such file"),
    "unknown set": (["irris"], "neither a data set .* nor a file"),
    "empty file": (["empty.csv"], "the file is empty"),
    "missing target": (["good.csv", "--target", "knd"], "did you mean 'kind'"),
    "no target": (["good.csv"], "which column to predict"),
    "text": (["text.csv", "--target", "kind"], "column 'b', row 2: 'four' is not a number"),
    "infinity": (["infinity.csv", "--target", "kind"], "column 'b', row 2: inf is not finite"),
    "one class": (["one.csv", "--target", "kind"], "every row has the same class"),
    "ragged": (["ragged.csv", "--target", "kind"], "row 2 has 2 cells"),
    "unknown backend": (["iris", "--backend", "tensorflw"], "unknown backend 'tensorflw'"),
    "one of several unknown": (["iris", "--backend", "numpy,foo"], "unknown backend 'foo'"),
    "target of a set": (["iris", "--target", "species"], "--target and --task are for files"),
    "task of a set": (["iris", "--task", "regression"], "--target and --task are for files"),
    "no device": (["iris", "--backend", "numpy", "--device", "cuda"], "--device: 'cuda' is not available"),
    "unknown dtype": (["iris", "--dtype", "float31"], "--dtype: invalid choice"),
    "absent dtype": (["iris", "--backend", "numpy", "--dtype", "bfloat16"], "not supported by the numpy"),
    "unknown option": (
        ["iris", "--hiden", "3"],
        "unrecognized arguments: --hiden 3; did you mean '--hidden'",
    ),
    "misspelt set": (["irsi"], "did you mean 'iris'"),
    "no number": (["iris", "--epochs", "ten"], "train: error: --epochs: expected a whole number, got 'ten'"),
    "no fraction": (["iris", "--dropout", "half"], "--dropout: expected a number, got 'half'"),
    "unknown activation": (
        ["iris", *FAST, "--activation", "rellu"],
        "--activation: .*'rellu'; did you mean 'relu'[^.]*$",
    ),
    "unknown optimizer": (["iris", *FAST, "--optimizer", "adm"], "Did you mean 'adam'"),
    "unknown loss": (["iris", *FAST, "--loss", "mee"], "loss: unknown name 'mee'"),
    "loss of another task": (
        ["diabetes", *FAST, "--loss", "cross_entropy"],
        "is for classes, and the target holds numbers",
    ),
    "negative width": (["iris", *FAST, "--hidden", "-3"], "hidden"),
    "no batch": (["iris", *FAST, "--batch-size", "0"], "--batch-size: expected"),
    "negative epochs": (["iris", "--backend", "numpy", "--epochs", "-1"], "epochs"),
    "negative rate": (["iris", *FAST, "--learning-rate", "-1"], "--learning-rate: expected"),
    "dropout of 1": (["iris", *FAST, "--dropout", "1"], "--dropout: expected"),
    "negative l2": (["iris", *FAST, "--l2", "-1"], "--l2: expected"),
    "negative seed": (["iris", *FAST, "--seed", "-1"], "seed"),
    "whole test": (["iris", *FAST, "--test-size", "1"], r"--test-size: expected a number in \(0, 1\)"),
    "no folder": (["iris", *FAST, "--save", "no/m.safetensors"], "folder .* does not exist"),
    "a folder": (["iris", *FAST, "--save", "."], "--save: .* it is a folder"),
    "a card in its place": (["iris", *FAST, "--card", "."], "--card: .* it is a folder"),
    "too wide": (["digits", *FAST, "--hidden", "2147483647"], "not enough memory"),
    "wider still": (["iris", *FAST, "--hidden", "100000000000"], "up to 2147483647"),
    "images not there": (["mnist", "--folder", ".", "--backend", "numpy"], "download .* from https"),
}


@pytest.fixture
def bad_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    contents = {
        "good": CSV,
        "empty": "",
        "text": CSV.replace("3,4", "3,four"),
        "infinity": CSV.replace("3,4", "3,inf"),
        "one": CSV.replace("y", "x"),
        "ragged": CSV.replace("3,4,", "3,"),
    }
    for name, text in contents.items():
        (tmp_path / f"{name}.csv").write_text(text)
    return tmp_path


def assert_refused(capsys, folder: Path, arguments: list[object], message: str) -> None:
    before = sorted(folder.iterdir())
    code, out, err = outcome(capsys, *arguments)
    assert code == 2
    assert out == ""
    assert err.count("\n") == 1, err
    assert err.startswith("multimlp")
    assert "error: " in err
    assert re.search(message, err), err
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize("case", BAD_TRAINING)
def test_bad_training_input(capsys, bad_files, case):
    arguments, message = BAD_TRAINING[case]
    assert_refused(capsys, bad_files, ["train", *arguments], message)


def test_a_backend_that_is_not_installed(capsys, bad_files):
    absent = [name for name, info in available_backends().items() if not info.installed]
    if not absent:
        pytest.skip("every backend is installed")
    for name in absent:
        assert_refused(
            capsys, bad_files, ["train", "iris", "--backend", name], rf"pip install 'multimlp\[{name}"
        )


BAD_PREDICTION = {
    "no model": (["none.safetensors", "good.csv"], "cannot read 'none.safetensors': there is no such file"),
    "a table as the model": (["good.csv", "good.csv"], "not a safetensors file"),
    "cut off": (["cut.safetensors", "good.csv"], "damaged"),
    "no pipeline": (["bare.safetensors", "good.csv"], "needs a model saved by multimlp train"),
    "spoilt pipeline": (["spoilt.safetensors", "good.csv"], "needs a model saved by multimlp train"),
    "no data": (["good.safetensors", "none.csv"], "there is no such file"),
    "missing column": (["good.safetensors", "less.csv"], "missing column 'b'"),
    "infinity": (["good.safetensors", "infinity.csv"], "column 'b', row 2: inf is not finite"),
    "text": (["good.safetensors", "text.csv"], "row 2: 'four'"),
    "unwritable": (["good.safetensors", "good.csv", "-o", "no/out.csv"], "folder .* does not exist"),
    "unknown backend": (["good.safetensors", "good.csv", "--backend", "foo"], "unknown backend 'foo'"),
    "absent dtype": (
        ["good.safetensors", "good.csv", "--backend", "numpy", "--dtype", "bfloat16"],
        "not supported",
    ),
    "no output name": (["good.safetensors", "good.csv", "-o"], "expected one argument"),
    "values have no probabilities": (["values.safetensors", "good.csv", "--proba"], "no probabilities"),
}


@pytest.fixture
def bad_models(bad_files, capsys):
    base = ["train", "good.csv", *FAST]
    assert outcome(capsys, *base, "--target", "kind", "--save", "good.safetensors")[0] == 0
    (bad_files / "less.csv").write_text(CSV.replace("a,b", "a,c"))
    (bad_files / "numbers.csv").write_text(CSV.replace("x", "0").replace("y", "1"))
    base[1] = "numbers.csv"
    assert (
        outcome(capsys, *base, "--target", "b", "--task", "regression", "--save", "values.safetensors")[0]
        == 0
    )
    (bad_files / "good.csv").write_text(CSV.replace("x", "0").replace("y", "1"))
    mlp, params = files.load("good.safetensors", backend="numpy")
    whole = (bad_files / "good.safetensors").read_bytes()
    (bad_files / "cut.safetensors").write_bytes(whole[:-1])
    files.save("bare.safetensors", mlp, params)
    extra = files.load_extra("good.safetensors")
    files.save("spoilt.safetensors", mlp, params, {**extra, "inputs": {"mean": [0.0], "scale": ["x"]}})
    return bad_files


@pytest.mark.parametrize("case", BAD_PREDICTION)
def test_bad_prediction_input(capsys, bad_models, case):
    arguments, message = BAD_PREDICTION[case]
    assert_refused(capsys, bad_models, ["predict", *arguments], message)


def test_divergence_is_a_failed_run(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = [
        "train",
        "iris",
        *FAST,
        "--activation",
        "relu",
        "--optimizer",
        "sgd",
        "--learning-rate",
        "1e30",
        "--save",
        "m.safetensors",
    ]
    code, out, err = outcome(capsys, *arguments)
    assert (code, out) == (1, "")
    assert "the training loss became" in err
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
@pytest.mark.parametrize("save", [True, False])
def test_ctrl_c_saves_what_was_learned(tmp_path, save):
    model = tmp_path / "m.safetensors"
    arguments = ["train", "iris", "--backend", "numpy", "--epochs", "1000000", "--verbose"]
    process = subprocess.Popen(
        [sys.executable, "-m", "multimlp.cli", *arguments, *(["--save", str(model)] if save else [])],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # which a shell's background ignores
    )
    assert process.stderr.readline().startswith("epoch 1/")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert err.rstrip().endswith(f"interrupted; saved {model}" if save else "interrupted; nothing was saved")
    assert model.exists() == save
    if save:
        mlp, params = files.load(model, backend="numpy")
        assert np.all(np.isfinite(predict(mlp, params, np.ones((1, 4)))))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--save", "a.safetensors", "--checkpoint", "a.safetensors"], "--checkpoint: 'a.safetensors' is the file of --save as well"),
        (["--save", "a.safetensors", "--card", "./a.safetensors"], "--card: './a.safetensors' is the file of --save as well"),
        (["--checkpoint", "a.json", "--card", "a.json"], "--card: 'a.json' is the file of --checkpoint as well"),
        (["--plot", "a.svg", "--card", "link.svg"], "--card: 'link.svg' is the file of --plot as well"),
    ],
)  # fmt: skip
def test_no_two_options_write_one_file(capsys, tmp_path, monkeypatch, options, says):
    monkeypatch.chdir(tmp_path)
    os.symlink("a.svg", "link.svg")
    code, out, err = outcome(capsys, "train", "iris", *FAST, *options)
    assert (code, out) == (2, "")
    assert says in err
    assert os.listdir() == ["link.svg"]


@pytest.mark.parametrize(
    ("error", "code"),
    [(KeyboardInterrupt(), 130), (MemoryError("much"), 2), (OSError(28, "No space left on device"), 2), (errors.InputError("x"), 2)],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_whatever_ends_the_command_the_other_processes_need_not_wait(capsys, monkeypatch, error, code):
    """Under MPI a process that just ends waits for the others, and they for it."""

    def fails(args):
        raise error

    told = []
    monkeypatch.setattr("multimlp.cli.abandon", lambda: told.append("gone"))
    monkeypatch.setattr("multimlp.cli._discard_output", lambda: None)
    monkeypatch.setattr(backends, "run", fails)
    found, _, err = outcome(capsys, "backends")
    assert found == code
    assert err.count("\n") == 1
    assert told == ["gone"]
