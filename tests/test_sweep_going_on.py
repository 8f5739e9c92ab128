"""Sweeps with callbacks, and sweeps that go on where they were: the same numbers as without, and as fits of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

import numpy as np
import pytest
from processes import environment, python
from test_sweep import X, again, distance, swept

import multimlp as mm
from multimlp import tree
from multimlp.errors import FileFormatError, InputError

GRID = {"seed": [1, 2], "learning_rate": [0.3, 0.05, 0.001], "dropout": [0.0, 0.2]}
LONG = {"epochs": 12, "validation": 0.3}
STOPPING = {"patience": 2, "min_delta": 0.01}


def stopping(**more):
    return [mm.callbacks.EarlyStopping(**STOPPING | more)]


def vectors(result):
    kept = [np.ravel(leaf) for leaf in tree.leaves(result.host_params)]
    return {**result.table.columns, "kept": result.kept, "params": np.concatenate(kept)}


def same(one, other):
    one, other = vectors(one), vectors(other)
    assert one.keys() == other.keys()
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name], err_msg=name)


# ---- callbacks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("backend", "given"),
    [
        ("numpy", {}),
        ("numpy", {"compile": "none"}),
        ("torch", {}),
        pytest.param("jax", {}, marks=pytest.mark.slow),
        pytest.param("tensorflow", {}, marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("restore", [True, False])
def test_each_candidate_stops_when_its_own_fit_would(backend, given, restore):
    pytest.importorskip(backend)
    given = {"backend": backend, **LONG, **given}
    grid = GRID if backend == "numpy" else {"learning_rate": [0.3, 0.001], "seed": [1, 2]}
    result = swept(grid, callbacks=stopping(restore_best=restore), **given)
    epochs = result.table.column("epochs")
    assert min(epochs) < max(epochs), "they end at different times"
    assert result.stopped is None
    for i in range(len(result)):
        own = stopping(restore_best=restore)
        alone = again(result, i, callbacks=own, **given)
        assert epochs[i] == alone.epochs
        last = own[0].best_epoch if restore else alone.epochs
        alone.history = {name: values[:last] for name, values in alone.history.items()}
        assert distance(result, i, alone) < 1e-12, result.settings(i)


def test_whoever_is_left_goes_on_in_a_smaller_program():
    """The others end after their first epoch, so that programs of 12, 6, 3 and 1 members are made."""
    seen = []

    def leave(run):
        seen.append((run.candidate, run.epoch))
        if run.epoch > run.candidate // 3:
            run.stop("enough")

    result = swept(GRID, callbacks=[leave], backend="numpy", **LONG)
    assert result.table.column("epochs").tolist() == [1] * 3 + [2] * 3 + [3] * 3 + [4] * 3
    assert sorted(seen) == [(i, e) for i in range(12) for e in range(1, i // 3 + 2)]
    for i in (0, 4, 11):
        alone = again(
            result,
            i,
            backend="numpy",
            callbacks=[lambda run, i=i: run.epoch > i // 3 and run.stop("")],
            **LONG,
        )
        assert distance(result, i, alone) < 1e-12


def test_what_a_callback_sees():
    """Figures, parameters and settings of its own candidate, and the beginning and the end."""
    told = []

    class Watcher(mm.callbacks.Callback):
        def on_fit_begin(self, run):
            told.append((run.candidate, "begin", run.epoch, run.params[0].weight.copy()))

        def on_epoch_end(self, run):
            outputs = mm.predict(run.mlp, run.params, X[:3])
            told.append((run.candidate, run.settings, run.latest(), outputs))

        def on_fit_end(self, run):
            told.append((run.candidate, "end", run.epoch, run.params[0].weight.copy()))

    result = swept(GRID, callbacks=[Watcher()], backend="numpy", epochs=2)
    for i in range(len(result)):
        begin, _, last, end = (entry[1:] for entry in told if entry[0] == i)
        assert begin[:2] == ("begin", 0)
        assert np.array_equal(
            begin[2], result.mlp(i).init(result.settings(i)["seed"], dtype="float64")[0].weight
        )
        assert last[0] == result.settings(i)
        assert last[1]["val_loss"] == result.table[i]["val_loss"]
        assert np.array_equal(last[2], mm.predict(result.mlp(i), result.params(i), X[:3]))
        assert end[:2] == ("end", 2)
        assert np.array_equal(end[2], result.params(i)[0].weight)


def test_a_candidate_that_diverges_ends_and_harms_no_other():
    grid = [{"learning_rate": 1e300}, {"learning_rate": 0.01}]
    result = swept(
        grid,
        callbacks=stopping(patience=9),
        backend="numpy",
        optimizer="sgd",
        loss="mse",
        mlp=mm.MLP(5, 4, 1),
        epochs=4,
    )
    assert result.table[0]["epochs"] < 4
    assert not np.isfinite(result.table[0]["loss"])
    assert result.best.index == 1
    assert result.table[1]["epochs"] == 4
    assert result.stopped is None


def test_loggers_have_a_file_for_each_candidate(tmp_path):
    log = mm.callbacks.CSVLogger(tmp_path / "history-{candidate}.csv")
    swept({"seed": [1, 2]}, callbacks=[log], backend="numpy")
    assert [len((tmp_path / f"history-{i}.csv").read_text().splitlines()) for i in (0, 1)] == [3, 3]
    with pytest.raises(
        InputError,
        match=r"path: all candidates of a sweep, or networks of an estimator, would write to .*put \{candidate\} into it",
    ):
        swept(
            {"seed": [1, 2]},
            callbacks=[mm.callbacks.JSONLinesLogger(tmp_path / "one.jsonl")],
            backend="numpy",
        )


def test_ctrl_c_with_callbacks():
    def interrupt(run):
        if (run.candidate, run.epoch) == (3, 2):
            signal.raise_signal(signal.SIGINT)

    result = swept(
        {"seed": range(6)}, callbacks=[interrupt], backend="numpy", members_per_program=2, epochs=3
    )
    assert result.stopped == "interrupted"
    assert result.table.column("epochs").tolist() == [3, 3, 2, 2, 0, 0]


def test_callbacks_that_cannot_be_copied():
    class Locked(mm.callbacks.Callback):
        def __deepcopy__(self, memo):
            raise TypeError("not this one")

    with pytest.raises(
        InputError, match="callbacks: each candidate of a sweep has a copy of its own.*not this one"
    ):
        swept({"seed": [1]}, callbacks=[Locked()], backend="numpy")
    with pytest.raises(InputError, match="callbacks: expected a sequence of callbacks"):
        swept({"seed": [1]}, callbacks=Locked(), backend="numpy")


# ---- checkpoints -------------------------------------------------------------------------------------------------------

BLOCKS = {"backend": "numpy", "members_per_program": 5, "epochs": 3}


@pytest.mark.parametrize(
    "more", [{}, {"keep": 3}, {"callbacks": stopping()}, {"validation": None}], ids=" ".join
)
def test_a_sweep_goes_on_with_the_same_bits(tmp_path, monkeypatch, more):
    more = {**BLOCKS, "epochs": 6, **more}
    whole = swept(GRID, **more)
    folder = tmp_path / "new" / "sweep"
    seen = []

    def interrupt(self, n, **figures):
        seen.append(n)
        if len(seen) == 8:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr("multimlp._terminal._progress._Silent.advance", interrupt)
        stopped = swept(GRID, checkpoint=folder, **more)
    assert stopped.stopped == "interrupted"
    done = [path.name for path in folder.iterdir()]
    assert 0 < len(done) < 3, "whole blocks alone"
    same(swept(GRID, checkpoint=folder, **more), whole)
    monkeypatch.setattr("multimlp.training._members.Training", None)  # nothing is left to train
    monkeypatch.setattr("multimlp.training._watched.Training", None)
    finished = swept(GRID, checkpoint=folder, **more)
    same(finished, whole)
    assert finished.engine == whole.engine
    assert finished.best.settings == whole.best.settings


def test_other_blocks_and_another_backend_go_on(tmp_path):
    whole = swept(GRID, **BLOCKS)
    folder = tmp_path / "sweep"
    swept(GRID, checkpoint=folder, **BLOCKS)
    for path in sorted(folder.iterdir())[1:]:
        path.unlink()
    (folder / "notes.txt").write_text("not of the sweep")
    (folder / ".candidates-0-4.safetensors.1.part").write_text("of one that was killed")
    same(swept(GRID, checkpoint=folder, **BLOCKS | {"members_per_program": 3}), whole)
    pytest.importorskip("torch")
    for path in folder.glob("candidates-5-*"):
        path.unlink()
    other = swept(GRID, checkpoint=folder, **BLOCKS | {"backend": "torch"})
    assert np.abs(vectors(other)["params"] - vectors(whole)["params"]).max() < 1e-12


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"epochs": 4}, "epochs=3, this one has 4"),
        ({"seed": 6}, "seed=5, this one has 6"),
        ({"keep": 2}, "keep=None, this one has 2"),
        ({"score": "val_accuracy"}, "score='val_loss', this one has 'val_accuracy'"),
        ({"grid": {"seed": [1, 3], **{k: v for k, v in GRID.items() if k != "seed"}}}, "grid.seed="),
        ({"optimizer": "adamw"}, "optimizer.name='adam'"),
        ({"sample_weight": np.ones(len(X))}, "sample_weight=None"),
        ({"mlp": mm.MLP(5, 7, 3)}, "mlp.activation="),
        ({"dtype": "float32"}, "dtype='float64'"),
        ({"callbacks": stopping()}, "callbacks="),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_folder_belongs_to_its_sweep(swept_folder, more, message):
    more = dict(more)
    with pytest.raises(InputError, match=rf"checkpoint: '.*' belongs to a sweep with .*{message}"):
        swept(more.pop("grid", GRID), checkpoint=swept_folder, **BLOCKS | more)


@pytest.fixture(scope="module")
def swept_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints") / "sweep"
    swept(GRID, checkpoint=folder, **BLOCKS)
    return folder


@pytest.mark.parametrize("damage", ["empty", "cut", "version", "JSON", "numbers", "shape", "missing"])
def test_damaged_files_are_named(tmp_path, damage):
    folder = tmp_path / "sweep"
    swept(GRID, checkpoint=folder, **BLOCKS)
    path = max(folder.iterdir())
    arrays, metadata = mm.files.read_tensors(path)
    if damage in ("empty", "cut"):
        path.write_bytes(path.read_bytes()[: 0 if damage == "empty" else 500])
    else:
        about = json.loads(metadata["multimlp.run"])
        if damage == "version":
            metadata["multimlp.sweep"] = "0"
        elif damage == "JSON":
            metadata["multimlp.run"] = "{"
        elif damage == "numbers":
            arrays["numbers"] = arrays["numbers"] + 5
        elif damage == "shape":
            arrays["params.0"] = arrays["params.0"][:, 1:]
        else:
            del arrays["figure.loss"]
        if damage != "JSON":
            metadata["multimlp.run"] = json.dumps(about)
        mm.files.write_tensors(path, {k: np.ascontiguousarray(v) for k, v in arrays.items()}, metadata)
    with pytest.raises(FileFormatError, match=path.name):
        swept(GRID, checkpoint=folder, **BLOCKS)


def test_places_that_cannot_be_a_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="checkpoint: cannot make the folder .*is a file"):
        swept(GRID, checkpoint=tmp_path / "file", **BLOCKS)
    with pytest.raises(InputError, match="checkpoint: "):
        swept(GRID, checkpoint=3, **BLOCKS)


@pytest.mark.slow
def test_a_sweep_that_was_killed_goes_on_and_on_two_processes(tmp_path):
    folder = tmp_path / "sweep"
    process = subprocess.Popen(python("sweep_worker.py", folder), env=environment())
    end = time.monotonic() + 60
    while not (folder.is_dir() and any(folder.glob("candidates-*"))) and time.monotonic() < end:
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    done = len(list(folder.glob("candidates-*")))
    assert 0 < done < 40
    from sweep_worker import long_sweep

    whole = long_sweep(None)
    for together in mm.distributed.run(long_sweep, 2, "numpy", (os.fspath(folder), "all"), timeout=120):
        same(together, whole)
    same(long_sweep(folder), whole)
