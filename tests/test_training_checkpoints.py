"""Checkpoints: one run's alone, whatever makes it another; finished runs stay finished; damage and bad places are seen first."""

import functools
import json
import os
import subprocess
import sys

import numpy as np
import pytest

import multimlp as mm
from multimlp import callbacks, files, optimizers, regularizers, schedules, tree
from multimlp.backend import array_namespace, load_backend
from multimlp.errors import FileFormatError, InputError
from multimlp.mlp import MLP
from multimlp.training import _described, fit
from multimlp.training._described import described, mark

pytest.importorskip("safetensors")

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 4))
Y = (X[:, 0] > 0).astype(int)
WEIGHTS = RNG.uniform(1, 2, 60)
HELD = (X[:9], Y[:9])


def changed(array, by=1):
    array = np.array(array)
    array[-1] += by
    return array


def squares(outputs, y, scale=1.0):
    xp = array_namespace(outputs)
    return xp.sum(xp.square(outputs - y[:, None]), axis=-1) * scale


def cubes(outputs, y):
    xp = array_namespace(outputs)
    return xp.sum(xp.abs(outputs - y[:, None]) ** 3, axis=-1)


FACTOR = 1.0


def times(number):
    def activation(x):
        return x * number * FACTOR

    return activation


class Penalty:
    def __init__(self, rate):
        self.rate = rate

    def __call__(self, params):
        return self.total(params[0].weight)

    def total(self, weight):
        xp = array_namespace(weight)
        return xp.sum(weight * weight) * self.rate


BASE = dict(
    mlp=MLP(4, 3, 2), X=X, y=Y, epochs=1, batch_size=16, validation=HELD, sample_weight=WEIGHTS, progress=False, backend="numpy",
    loss="cross_entropy", optimizer=optimizers.adam(0.01), callbacks=[callbacks.EarlyStopping(patience=5)],
)  # fmt: skip


def run(path, **settings):
    return fit(checkpoint=path, **{**BASE, **settings})


OTHERS = {
    "X": dict(X=changed(X)),
    "y": dict(y=1 - Y),
    "sample_weight": dict(sample_weight=changed(WEIGHTS)),
    "sample_weight=": dict(sample_weight=None),
    "validation": dict(validation=(HELD[0], 1 - HELD[1])),
    "validation.X": dict(validation=(changed(HELD[0]), HELD[1])),
    "validation=": dict(validation=0.25),
    "regularizer": dict(regularizer=regularizers.l2(0.1)),
    "loss.options": dict(loss={"name": "cross_entropy", "options": {"label_smoothing": 0.1}}),
    "optimizer.options.learning_rate": dict(optimizer=optimizers.adam(0.02)),
    "optimizer.options": dict(optimizer=optimizers.adam(schedules.cosine(0.01, 9))),
    "params": dict(params=MLP(4, 3, 2).init(seed=9)),
    "mlp.dropout": dict(mlp=MLP(4, 3, 2, dropout=0.5)),
    "mlp": dict(mlp=MLP(4, 3, 2, kernel_init=lambda generator, shape: np.full(shape, 0.1))),
    "seed": dict(seed=1),
    "batch_size": dict(batch_size=8),
    "dtype": dict(dtype="float64"),
    "shuffle": dict(shuffle=False),
    "last_batch": dict(last_batch="drop"),
    "metrics": dict(metrics=["accuracy", "f1"]),
    "callbacks": dict(callbacks=[callbacks.EarlyStopping(patience=6)]),
    "callbacks=": dict(callbacks=[]),
}


def test_a_checkpoint_of_another_run_is_refused_and_kept(tmp_path):
    path = tmp_path / "run"
    run(path)
    before = path.read_bytes()
    for name, settings in OTHERS.items():
        with pytest.raises(InputError, match=f"checkpoint: .*belongs to a run with {name}.*this one has"):
            run(path, **settings)
        assert path.read_bytes() == before
    run(path, epochs=2)
    with pytest.raises(InputError, match="epochs: .* has 2 epochs already, more than the 1 asked for"):
        run(path, epochs=1)


GROUPS = {"a": {"learning_rate": 0.0}}
OWN = {
    "loss": (dict(loss=squares), dict(loss=functools.partial(squares, scale=2.0))),
    "loss of the same name": (dict(loss=lambda o, y: squares(o, y)), dict(loss=lambda o, y: cubes(o, y))),
    "regularizer": (dict(regularizer=Penalty(0.1)), dict(regularizer=Penalty(0.2))),
    "mlp": (dict(mlp=MLP(4, 3, 2, activation=times(2.0))), dict(mlp=MLP(4, 3, 2, activation=times(3.0)))),
    "optimizer": (
        dict(
            optimizer=optimizers.grouped("adam", GROUPS, lambda path, leaf: "a" if path[0] == "0" else None)
        ),
        dict(
            optimizer=optimizers.grouped("adam", GROUPS, lambda path, leaf: "a" if path[0] == "1" else None)
        ),
    ),
    "metrics": (dict(metrics=[lambda o, y: o[0, 0]]), dict(metrics=[lambda o, y: o[0, 1]])),
}


@pytest.mark.parametrize("case", OWN)
def test_functions_of_ones_own_are_told_apart(case, tmp_path):
    path = tmp_path / "run"
    one, other = OWN[case]
    run(path, **one)
    run(path, **one, epochs=2)
    with pytest.raises(InputError, match=f"belongs to a run with {case.split()[0]}"):
        run(path, **other, epochs=2)


def test_what_functions_read_counts(monkeypatch):
    before = described(times(2.0))
    assert before == described(times(2.0))
    monkeypatch.setitem(globals(), "FACTOR", 2.0)
    assert before != described(times(2.0))

    compiled = mm.jit(lambda x: 2 * x)
    before = described(compiled)
    compiled(X)  # what it keeps from a call does not count
    assert before == described(compiled) != described(mm.jit(lambda x: 3 * x))

    class Doubled(Penalty):
        def total(self, weight):
            return 2 * super().total(weight)

    class Loop:
        def __init__(self):
            self.me, self.lock, self.not_a_number = self, __import__("threading").Lock(), float("nan")

    Doubled.__qualname__ = "Penalty"
    assert described(Penalty(1)) == described(Penalty(1)) != described(Doubled(1))
    assert described(Loop()) == described(Loop())


def test_the_same_values_from_elsewhere_resume(tmp_path):
    """Another library, dtype, layout, or container; the end has the same bits."""
    path = tmp_path / "run"
    narrow = X.astype(np.float32)
    whole = run(None, X=narrow, epochs=2)
    others = [
        np.asfortranarray(narrow),
        narrow.astype(np.float64),
        narrow.tolist(),
        narrow[::-1].copy()[::-1],
    ]
    for name in ("torch", "jax", "tensorflow"):
        try:
            others.append(load_backend(name).asarray(narrow, dtype="float32", device=None))
        except ImportError:
            continue
    for other in others:
        path.unlink(missing_ok=True)
        run(path, X=narrow)
        resumed = run(path, X=other, y=Y.astype(np.int8), epochs=2)
        assert resumed.history == whole.history
        for a, b in zip(tree.leaves(resumed.params), tree.leaves(whole.params), strict=True):
            assert np.array_equal(a, b)
    for backend in ("torch", "jax"):
        pytest.importorskip(backend)
        path.unlink()
        run(path)
        resumed = run(path, backend=backend, epochs=2)
        np.testing.assert_allclose(resumed.history["loss"], whole.history["loss"], rtol=1e-4)


def test_a_large_array_is_marked_in_bounded_time(monkeypatch):
    monkeypatch.setattr(_described, "MARKED_BYTES", 400)
    monkeypatch.setattr(_described, "_BLOCK_BYTES", 100)
    big = np.arange(3000.0).reshape(1000, 3)
    first, last = changed(big.T.copy().T, 0), changed(big)
    first[0, 0] = 5
    marks = {mark(array, "float32") for array in (big, first, last, big[:-1])}
    assert len(marks) == 4
    memory = sum(block.nbytes for block in _described._blocks(big.astype(np.float32), 4))
    assert memory <= 400


def test_batches_resume_by_their_settings_alone(tmp_path):
    def batches():
        yield X[:30], Y[:30]
        yield X[30:], Y[30:]

    settings = dict(X=batches, y=None, sample_weight=None)
    whole = run(None, **settings, epochs=2)
    run(tmp_path / "run", **settings)
    assert run(tmp_path / "run", **settings, epochs=2).history == whole.history


@pytest.mark.parametrize("mlp", [MLP(4, 3, 2), "ensemble"])
def test_a_run_that_is_over_comes_back_as_it_ended(mlp, tmp_path):
    settings = dict(
        optimizer=optimizers.adam(0.3), epochs=60, callbacks=[callbacks.EarlyStopping(patience=2)]
    )
    if mlp == "ensemble":
        settings["params"] = MLP(4, 3, 2).init(seed=range(3))
    ended = run(tmp_path / "run", **settings)
    assert "has not improved" in ended.stopped
    before = (tmp_path / "run").read_bytes()
    settings["callbacks"] = [callbacks.EarlyStopping(patience=2)]
    for epochs in (60, 90):
        again = run(tmp_path / "run", **{**settings, "epochs": epochs})
        assert (again.stopped, again.epochs, again.history) == (ended.stopped, ended.epochs, ended.history)
        assert np.array_equal(again.member_loss, ended.member_loss)
        for a, b in zip(tree.leaves(again.params), tree.leaves(ended.params), strict=True):
            assert np.array_equal(a, b)
    assert (tmp_path / "run").read_bytes() == before


PROGRAM = """
import sys
import numpy as np
from multimlp.backend import array_namespace
from multimlp.training import fit

def linear(x, w):
    return array_namespace(x).matmul(x, w)

class Model:
    scale = 1.0
    def __call__(self, params, X, key=None):
        return linear(X, params["w"]) * self.scale

def model(params, X, key=None):
    return linear(X, params["w"])

params = {"w": np.ones((4, 2), dtype="float32")}
for number, (epochs, own) in enumerate([(int(sys.argv[1]), model), (int(sys.argv[1]), Model())]):
    result = fit(own, np.eye(4), np.arange(4) % 2, params=params, epochs=epochs, checkpoint=f"run{number}", progress=False,
                 validation=None, loss=lambda o, y: array_namespace(o).sum((o - y[:, None]) ** 2, axis=-1))
    print(result.epochs, result.history["loss"])
"""


def test_functions_resume_in_another_process(tmp_path):
    def python(epochs, seed):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", PROGRAM, str(epochs)]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, text=True, capture_output=True, check=True
        )
        return [line.split(" ", 1) for line in done.stdout.splitlines()]

    first, resumed = python(1, "1"), python(3, "2")
    assert [epochs for epochs, _ in resumed] == ["3", "3"]
    assert [json.loads(losses)[:1] for _, losses in resumed] == [json.loads(losses) for _, losses in first]


# ---- damage ------------------------------------------------------------------------------------------------------------


def _nested():
    value: object = []
    for _ in range(200):
        value = {"list": [value]}
    return value


DAMAGE = {
    "no run": lambda m, l, a: m.pop("multimlp.run"),
    "no JSON": lambda m, l, a: m.update({"multimlp.run": "{"}),
    "deep JSON": lambda m, l, a: m.update({"multimlp.run": "[" * 100_000}),
    "a list": lambda m, l, a: m.update({"multimlp.run": "[]"}),
    "no version": lambda m, l, a: m.pop("multimlp.checkpoint"),
    **{f"no {key}": lambda m, l, a, key=key: l.pop(key) for key in
       ("params", "optimizer", "callbacks", "history", "epoch", "steps", "stopped", "settings", "member_loss")},
    "settings": lambda m, l, a: l.update(settings=3),
    "epoch": lambda m, l, a: l.update(epoch="1"),
    "negative": lambda m, l, a: l.update(steps=-1),
    "huge": lambda m, l, a: l.update(steps=10**40),
    "stopped": lambda m, l, a: l.update(stopped=[1]),
    "history": lambda m, l, a: l.update(history={"loss": [1.0, 2.0]}),
    "history values": lambda m, l, a: l.update(history={"loss": 1.0}),
    "params kind": lambda m, l, a: l.update(params={"list": [1, 2]}),
    "params nesting": lambda m, l, a: l.update(params=_nested()),
    "other array": lambda m, l, a: l["params"]["tuple"][0]["tuple"].reverse(),
    "array name": lambda m, l, a: l["params"]["tuple"][0]["tuple"][0].update(array="no"),
    "array dtype": lambda m, l, a: l["params"]["tuple"][0]["tuple"][0].update(dtype="no"),
    "array gone": lambda m, l, a: a.pop("params.0.0"),
    "array shape": lambda m, l, a: a.update({"params.0.0": np.ones((2, 2), np.float32)}),
    "optimizer shape": lambda m, l, a: a.update({"optimizer.1.0.0.0": np.ones(3, np.float32)}),
    "callback": lambda m, l, a: l.update(callbacks=[None]),
    "callback figures": lambda m, l, a: l["callbacks"][0]["dict"]["figures"]["dict"].update(best="no"),
    "callback params": lambda m, l, a: l["callbacks"][0]["dict"].update(params={"list": []}),
    "more callbacks": lambda m, l, a: l["callbacks"].append(None),
}  # fmt: skip


def test_damage_is_told_as_such(tmp_path):
    path = tmp_path / "run.safetensors"
    run(path)
    for case, damage in DAMAGE.items():
        arrays, metadata = files.read_tensors(path)
        layout = json.loads(metadata["multimlp.run"])
        damage(metadata, layout, arrays)
        if metadata.get("multimlp.run") == files.read_tensors(path)[1]["multimlp.run"]:
            metadata["multimlp.run"] = json.dumps(layout)
        files.write_tensors(tmp_path / "damaged", arrays, metadata)
        with pytest.raises(FileFormatError, match="checkpoint: .*damaged") as caught:
            run(tmp_path / "damaged", epochs=2)
        assert len(str(caught.value)) < 2000, case


# ---- bad places --------------------------------------------------------------------------------------------------------


def test_bad_places_are_refused_before_anything_is_trained(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    (tmp_path / "locked").mkdir()
    os.mkfifo(tmp_path / "pipe")
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: "locked" not in str(path) and access(path, mode))
    for path, message in {
        tmp_path / "no" / "run": "the folder .* does not exist",
        tmp_path / "file" / "run": "the folder .* does not exist",
        tmp_path: "it is a folder",
        "": "expected the name of a file",
        tmp_path / "pipe": "it is a pipe",
        tmp_path / "locked" / "run": "no permission",
        3: "expected the name of a file, got 3",
    }.items():
        seen = []
        with pytest.raises(InputError, match=f"checkpoint: .*{message}"):
            run(path, callbacks=[seen.append])
        assert not seen


def test_an_error_in_training_leaves_the_last_good_checkpoint(tmp_path):
    path = tmp_path / "run"
    run(path)
    before = path.read_bytes()

    class Failing(callbacks.EarlyStopping):
        def on_epoch_end(self, run):
            raise KeyError("mine")

    Failing.__qualname__ = "EarlyStopping"
    with pytest.raises(KeyError, match="mine"):
        run(path, epochs=2, callbacks=[Failing(patience=5)])
    assert path.read_bytes() == before


class Keeps(callbacks.Callback):
    """A state, or settings, of any kind."""

    def __init__(self, state=None, settings=None):
        self.kept, self.own = state, {} if settings is None else settings

    def state(self):
        return self.kept

    def settings(self):
        return self.own

    def restore(self, state):
        self.kept = state


@pytest.mark.parametrize(
    "state",
    [[1, (2.5, None)], ("a", []), {"a": [np.arange(2)], "b": {"list": 1}}, [], float("inf"), "text", True],
)
def test_the_state_of_a_callback_comes_back_as_it_was(tmp_path, state):
    run(tmp_path / "c", callbacks=[Keeps(state)])
    again = Keeps()
    run(tmp_path / "c", epochs=2, callbacks=[again])
    assert repr(again.kept) == repr(state)


@pytest.mark.parametrize(
    ("callback", "message"),
    [
        (Keeps({1: 2.0}), r"callbacks\[1\]: the state of Keeps cannot be kept in a checkpoint: expected keys that are text, got 1"),
        (Keeps({1, 2}), r"callbacks\[1\]: the state of Keeps cannot be kept .* got set"),
        (Keeps(settings=[1]), r"callbacks\[1\].settings\(\): expected a dict of plain values, got \[1\]"),
    ],
)  # fmt: skip
def test_what_a_callback_cannot_keep(tmp_path, callback, message):
    with pytest.raises(InputError, match=message):
        run(tmp_path / "c", callbacks=[Keeps(), callback])
