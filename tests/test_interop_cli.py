"""``multimlp export`` and ``multimlp import``: each format there and back, and one clear line for what cannot
be done."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

import multimlp as mm
from multimlp import tree
from multimlp.cli import main

ROUND_TRIPS = [
    ("onnx", "m.onnx", []),
    ("torch", "m.pt", ["--activation", "tanh"]),
    ("torch", "m.state.safetensors", ["--activation", "tanh"]),
    ("flax", "m.msgpack", ["--activation", "tanh", "tanh"]),
    ("sklearn", "m.npz", []),
    ("gluon", "m.params", ["--activation", "tanh"]),
    pytest.param("keras", "m.keras", [], marks=pytest.mark.slow),
]
NEEDS = {"onnx": "onnx", "torch": "torch", "flax": "flax", "sklearn": "sklearn", "keras": "keras"}


@pytest.fixture
def saved(tmp_path):
    mlp = mm.MLP(4, (5, 3), 3, activation="tanh")
    params = mlp.init(seed=2, backend="numpy", dtype="float32")
    mm.save(tmp_path / "model.safetensors", mlp, params)
    return tmp_path, mlp, params


@pytest.mark.parametrize(("target", "name", "options"), ROUND_TRIPS)
def test_there_and_back_is_equal_to_the_bit(saved, target, name, options, capsys):
    folder, mlp, params = saved
    if target in NEEDS:
        pytest.importorskip(NEEDS[target])
    model, middle, again = (str(folder / n) for n in ("model.safetensors", name, "again.safetensors"))
    assert main(["export", model, "--to", target, "-o", middle, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["parameters"] == mlp.num_parameters
    assert main(["import", middle, "-o", again, *options]) == 0
    back, back_params = mm.load(again, backend="numpy")
    assert back == mlp
    for one, other in zip(tree.leaves(params), tree.leaves(back_params), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_trained_classifier_keeps_its_classes_in_scikit_learn(tmp_path, capsys):
    from multimlp.interop import sklearn as interop

    rows = np.random.default_rng(0).normal(size=(60, 2))
    table = "\n".join(["a,b,y", *(f"{a},{b},{'up' if a > b else 'down'}" for a, b in rows)])
    (tmp_path / "data.csv").write_text(table)
    model = str(tmp_path / "model.safetensors")
    train = [
        "train",
        str(tmp_path / "data.csv"),
        "--target",
        "y",
        "--backend",
        "numpy",
        "--epochs",
        "60",
        "--hidden",
        "8",
    ]
    assert main([*train, "--batch-size", "16", "--no-progress", "--save", model]) == 0
    assert main(["export", model, "--to", "sklearn", "-o", str(tmp_path / "m.npz")]) == 0
    assert "standardise" in capsys.readouterr().err
    fitted = interop.read_npz(tmp_path / "m.npz")
    assert fitted.classes_.tolist() == ["down", "up"]
    assert np.mean(fitted.predict(rows) == np.where(rows[:, 0] > rows[:, 1], "up", "down")) > 0.8


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["export", "absent.safetensors", "--to", "onnx", "-o", "x.onnx"], "absent"),
        (["export", "model.safetensors", "--to", "caffe", "-o", "x"], "invalid choice"),
        (["export", "model.safetensors", "--to", "onnx", "-o", "no/such/folder/x.onnx"], "does not exist"),
        (["export", "odd.safetensors", "--to", "onnx", "-o", "x.onnx"], "gaussian"),
        (["export", "odd.safetensors", "--to", "torch", "-o", "x.pt"], "gaussian"),
        (["import", "model.xyz", "-o", "y.safetensors"], "--from"),
        (["import", "absent.onnx", "-o", "y.safetensors"], "absent.onnx"),
        (["import", "bad.onnx", "-o", "y.safetensors"], "bad.onnx"),
        (["import", "bad.pt", "-o", "y.safetensors"], "state_dict"),
        (["import", "bad.npz", "-o", "y.safetensors"], "bad.npz"),
        (["import", "bad.params", "-o", "y.safetensors"], "bad.params"),
        (["import", "bad.msgpack", "-o", "y.safetensors"], "bad.msgpack"),
        (
            ["import", "bad.onnx", "--activation", "tanh", "-o", "y.safetensors"],
            "onnx models tell their activations",
        ),
        (["import", "bad.pt", "--activation", "tnah", "-o", "y.safetensors"], "tanh"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(saved, arguments, says, capsys, monkeypatch):
    folder, _, _ = saved
    monkeypatch.chdir(folder)
    odd = mm.MLP(4, 5, 3, activation="gaussian")
    mm.save("odd.safetensors", odd, odd.init(seed=0, backend="numpy"))
    for name in ("bad.onnx", "bad.npz", "bad.params", "bad.msgpack"):
        (folder / name).write_bytes(b"neither this nor that")
    (folder / "bad.pt").write_bytes(pickle.dumps(Hostile()))
    before = sorted(p.name for p in folder.iterdir())
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert says in error
    assert "Traceback" not in error
    assert len(error.strip().splitlines()) == 1
    assert sorted(p.name for p in folder.iterdir()) == before


class Hostile:
    """Creates a file when it is unpickled."""

    def __reduce__(self):
        return open, ("executed", "w")


def test_a_chain_of_blocks_goes_where_there_is_something_for_it(tmp_path, capsys, monkeypatch):
    pytest.importorskip("onnxruntime")
    monkeypatch.chdir(tmp_path)
    inner = mm.chain(mm.blocks.dense(6, "gelu"), mm.blocks.dense(6))
    model = mm.chain(
        mm.blocks.layer_norm(4), mm.blocks.dense(6), mm.blocks.residual(inner), mm.blocks.dense(2)
    )
    params = model.init(seed=0, backend="numpy")
    mm.save("model.safetensors", model, params)
    assert main(["export", "model.safetensors", "--to", "onnx", "-o", "model.onnx"]) == 0
    assert main(["convert", "model.onnx", "again.safetensors", "--verify"]) == 0
    back, back_params = mm.load("again.safetensors", backend="numpy")
    assert back == model
    for one, other in zip(tree.leaves(params), tree.leaves(back_params), strict=True):
        np.testing.assert_array_equal(one, other)
    capsys.readouterr()
    assert main(["convert", "model.onnx", "model.pt"]) == 2
    assert "torch files hold plain networks alone" in capsys.readouterr().err
    assert not (tmp_path / "model.pt").exists()
