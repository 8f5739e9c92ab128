"""fit: the same trajectory on every backend, its policies, its errors, and that nothing is lost on the way."""

import csv
import json
import os
import signal
import threading

import numpy as np
import pytest

from multimlp import callbacks, losses, metrics, optimizers, regularizers, tree
from multimlp.backend import load_backend
from multimlp.errors import (
    CapabilityError,
    DataError,
    FileFormatError,
    InputError,
    NonFiniteLossError,
    ShapeError,
)
from multimlp.mlp import MLP, Dense
from multimlp.training import _figures, fit, predict, sweep
from multimlp.training._evaluation import bucket

RNG = np.random.default_rng(0)
X = RNG.standard_normal((150, 6))
LABELS = (X[:, 0] * X[:, 1] + X[:, 2] > 0).astype(int) + (X[:, 3] > 1)
VALUES = np.stack([X[:, 0] * X[:, 1], np.sin(X[:, 2])], axis=1)


def host(result):
    backend = load_backend(result.backend)
    return [backend.to_numpy(leaf) for leaf in tree.leaves(result.params)]


def largest_difference(first, second):
    return max(
        float(np.max(np.abs(a - b)) / max(1.0, float(np.max(np.abs(b)))))
        for a, b in zip(host(first), host(second), strict=True)
    )


# ---- parity ------------------------------------------------------------------------------------------------------------

OPTIMIZERS = {
    "adam": lambda: optimizers.adam(0.01),
    "momentum": lambda: optimizers.sgd(0.05, momentum=0.9),
    "lbfgs": lambda: optimizers.lbfgs(tolerance_gradient=1e-12, tolerance_change=0.0),
}
_references: dict = {}


def hundred_steps(backend, activation, optimizer, dropout):
    """100 steps in float64: 20 epochs of 5 batches, the last of them smaller, or 100 of L-BFGS.

    L-BFGS without dropout makes 30: on a flat valley floor its path multiplies the last bit by ten every three
    iterations, whatever computes it, so that nothing is left to compare after 50. A small penalty bends the floor.
    """
    full_batch = optimizer == "lbfgs"
    epochs = (100 if dropout else 30) if full_batch else 20
    return fit(
        MLP(6, (8, 7), 3, activation=activation, dropout=dropout), X, LABELS, optimizer=OPTIMIZERS[optimizer](),
        epochs=epochs, batch_size=32, validation=None, seed=5, backend=backend, dtype="float64",
        regularizer=regularizers.l2(3e-3) if full_batch else None, progress=False,
    )  # fmt: skip


@pytest.mark.parametrize("dropout", [pytest.param(0.0, marks=pytest.mark.slow), 0.2])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(
    ("name", "activation"),
    [
        pytest.param(
            name, activation, marks=() if name == "torch" or activation == "gelu" else pytest.mark.slow
        )
        for name in ("torch", "jax", "tensorflow")
        for activation in ("relu", "tanh", "gelu", "sigmoid")
    ],
)  # a compilation a case on JAX and TensorFlow
def test_a_hundred_steps_end_at_the_same_parameters(name, activation, optimizer, dropout):
    case = activation, optimizer, dropout
    if case not in _references:
        _references[case] = hundred_steps("numpy", *case)
    result = hundred_steps(name, *case)
    assert largest_difference(result, _references[case]) < 1e-9
    np.testing.assert_allclose(result.history["loss"], _references[case].history["loss"], rtol=1e-9)


@pytest.mark.parametrize("compiler", ["none", None])
def test_against_a_loop_written_by_hand(training_backend, compiler):
    """Two epochs of Adam on one hidden layer, in NumPy, with the order of the rows that fit documents."""
    from multimlp.random import host_permutation

    mlp = MLP(6, 4, 2, activation="tanh")
    weights = [np.asarray(a) for a in tree.leaves(mlp.init(3, "numpy", "float64"))]
    slots = [[np.zeros_like(w), np.zeros_like(w)] for w in weights]
    t = 0
    for epoch in range(2):
        order = host_permutation(3, epoch, 150)
        for start in range(0, 150, 64):
            rows = order[start : start + 64]
            W1, b1, W2, b2 = weights
            hidden = np.tanh(X[rows] @ W1 + b1)
            delta = 2 * (hidden @ W2 + b2 - VALUES[rows]) / 2 / len(rows)
            back = (delta @ W2.T) * (1 - hidden**2)
            gradients = [X[rows].T @ back, back.sum(0), hidden.T @ delta, delta.sum(0)]
            t += 1
            for w, g, (m, v) in zip(weights, gradients, slots, strict=True):
                m += 0.1 * (g - m)
                v += 0.001 * (g * g - v)
                w -= 0.01 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    result = fit(
        mlp, X, VALUES, loss="mse", optimizer=optimizers.adam(0.01), epochs=2, batch_size=64, validation=None, seed=3,
        backend=training_backend, dtype="float64", progress=False, compile=compiler,
    )  # fmt: skip
    for mine, theirs in zip(host(result), weights, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("loss", "dropout"),
    [
        pytest.param("mse", 0.3, marks=pytest.mark.slow),
        ("mse", 0.0),
        ("mae", 0.0),
        ("huber", 0.0),
        ("log_cosh", 0.0),
    ],
)
def test_every_engine_of_a_backend_agrees(training_backend, loss, dropout):
    settings = dict(
        loss=loss, optimizer="rmsprop", epochs=3, batch_size=50, validation=None, backend=training_backend, dtype="float64",
        progress=False, regularizer=regularizers.l2(1e-3), sample_weight=np.abs(X[:, 0]) + 0.1,
    )  # fmt: skip
    mlp = MLP(6, (5, 5), 2, activation="elu", dropout=dropout)
    fast, plain = fit(mlp, X, VALUES, **settings), fit(mlp, X, VALUES, **settings, compile="none")
    assert plain.engine == "steps"
    assert fast.engine in ("inplace", "compiled")
    assert largest_difference(fast, plain) < 1e-11
    np.testing.assert_allclose(fast.history["loss"], plain.history["loss"], rtol=1e-11)


@pytest.mark.parametrize("engine", ["fast", "none", "numba", "shards", "batches"])
def test_a_batch_whose_weights_are_all_zero_teaches_nothing(training_backend, engine):
    """By plain gradient descent, which a gradient of zero leaves where it is; the rows without the batch say what is right."""
    if engine == "numba" and training_backend not in ("numpy", "torch"):
        pytest.skip("no epochs compiled by Numba")
    weights = np.repeat([1.0, 0.0, 2.0], 16)
    compiler = {"none": {"compile": "none"}, "numba": {"compile": "numba"}, "shards": {"shards": 2}}.get(
        engine, {}
    )
    settings = dict(
        loss="mse", optimizer=optimizers.sgd(0.1), epochs=2, batch_size=16, validation=None, backend=training_backend,
        dtype="float64", progress=False, **compiler,
    )  # fmt: skip
    mlp, rows = MLP(6, (5,), 2), np.flatnonzero(weights)
    if engine == "batches":
        parts = [(X[i : i + 16], VALUES[i : i + 16], weights[i : i + 16]) for i in (0, 16, 32)]
        one = fit(mlp, lambda: iter(parts), **settings)
    else:
        one = fit(mlp, X[:48], VALUES[:48], sample_weight=weights, shuffle=False, **settings)
    other = fit(mlp, X[rows], VALUES[rows], shuffle=False, **settings)
    assert largest_difference(one, other) < 1e-14
    np.testing.assert_allclose(
        np.asarray(one.history["loss"]) * 48, np.asarray(other.history["loss"]) * 32, rtol=1e-12
    )


def test_members_of_an_ensemble_train_like_single_networks(training_backend):
    mlp = MLP(6, (5,), 3)
    settings = dict(
        epochs=4,
        batch_size=32,
        validation=None,
        seed=0,
        backend=training_backend,
        dtype="float64",
        progress=False,
    )
    together = fit(mlp, X, LABELS, params=mlp.init(range(3), training_backend, "float64"), **settings)
    assert together.member_loss.shape == (3,)
    for i in range(3):
        alone = fit(mlp, X, LABELS, params=mlp.init(i, training_backend, "float64"), **settings)
        for mine, theirs in zip(host(together), host(alone), strict=True):
            np.testing.assert_allclose(mine[i], theirs, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(together.member_loss[i], alone.history["loss"][-1], rtol=1e-10)


def test_members_that_diverge_do_not_hide_the_others(training_backend):
    """The loss of an ensemble is the mean over its finite members; without one it is that of all, and an error."""
    mlp = MLP(6, (5,), 2)
    params = mlp.init(range(3), "numpy", "float64")
    params[0].weight[1] = 1e200
    settings = dict(loss="mse", epochs=2, validation=None, backend=training_backend, progress=False)
    result = fit(mlp, X, VALUES, params=params, dtype="float64", **settings)
    finite = np.isfinite(result.member_loss)
    assert finite.tolist() == [True, False, True]
    np.testing.assert_allclose(result.history["loss"][-1], result.member_loss[finite].mean(), rtol=1e-12)
    params[0].weight[:] = 1e200
    with pytest.raises(NonFiniteLossError):
        fit(mlp, X, VALUES, params=params, dtype="float64", **settings)


def test_schedules_of_the_same_name_share_no_program(training_backend):
    """Every lambda is called "<lambda>"."""
    results = [
        fit(
            MLP(6, 5, 3), X, LABELS, optimizer=optimizers.sgd(lambda t, rate=rate: rate + 0 * t), epochs=2,
            backend=training_backend, dtype="float64", progress=False,
        )
        for rate in (0.1, 0.0)
    ]  # fmt: skip
    for mine, start in zip(
        host(results[1]), tree.leaves(MLP(6, 5, 3).init(0, "numpy", "float64")), strict=True
    ):
        np.testing.assert_array_equal(mine, start)


# ---- what fit does with data -------------------------------------------------------------------------------------------


def small(**changes):
    settings = dict(epochs=3, batch_size=32, progress=False, backend="numpy", dtype="float64")
    return fit(MLP(6, 5, 3), X, LABELS, **(settings | changes))


def test_validation_is_split_off_by_seed():
    first, second, other = small(), small(), small(seed=1)
    assert first.history == second.history
    assert first.history != other.history
    assert set(first.history) == {"loss", "val_loss", "val_accuracy"}
    assert all(isinstance(v, float) for values in first.history.values() for v in values)


def test_validation_pair_is_what_it_says():
    held = X[:20], LABELS[:20]
    result = small(validation=held)
    outputs = MLP(6, 5, 3)(result.params, held[0])
    expected = float(np.mean(losses.get("cross_entropy")(outputs, held[1])))
    np.testing.assert_allclose(result.history["val_loss"][-1], expected, rtol=1e-12)
    np.testing.assert_allclose(result.history["val_accuracy"][-1], np.mean(outputs.argmax(1) == held[1]))


def test_every_metric_has_a_figure_of_its_own():
    wider = metrics.with_options("top_k_accuracy", k=3)

    def loss(outputs, targets):
        return 0.0

    found = small(metrics=["accuracy", {"name": "top_k_accuracy", "options": {"k": 2}}, metrics.roc_auc])
    assert set(found.history) == {"loss", "val_loss", "val_accuracy", "val_top_k_accuracy", "val_roc_auc"}
    for two, name in (
        (["accuracy", "accuracy"], "val_accuracy"),
        (["top_k_accuracy", wider], "val_top_k_accuracy"),
        ([loss], "val_loss"),
    ):
        with pytest.raises(InputError, match=f"metrics: two figures would be called '{name}'"):
            small(metrics=two)
        with pytest.raises(InputError, match=f"metrics: two figures would be called '{name}'"):
            sweep(MLP(6, 5, 3), {"seed": [0]}, X, LABELS, metrics=two, progress=False)


def test_the_last_batch_is_kept_or_dropped():
    kept, dropped = small(validation=None, epochs=1), small(validation=None, epochs=1, last_batch="drop")
    assert int(kept.optimizer_state.step) == 5
    assert int(dropped.optimizer_state.step) == 4


def test_start_from_params_leaves_them_alone():
    params = MLP(6, 5, 3).init(9, "numpy", "float64")
    before = [leaf.copy() for leaf in tree.leaves(params)]
    small(params=params)
    for leaf, old in zip(tree.leaves(params), before, strict=True):
        np.testing.assert_array_equal(leaf, old)


def test_arrays_of_a_framework_choose_the_backend():
    torch = pytest.importorskip("torch")
    result = fit(MLP(6, 5, 3), torch.asarray(X), torch.asarray(LABELS), epochs=1, progress=False)
    assert (result.backend, result.dtype) == ("torch", "float64")
    assert fit(MLP(6, 5, 3), X, LABELS, epochs=1, progress=False).dtype == "float32"


def test_data_frames_and_lists():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcdef"))
    reference = small(epochs=1)
    for data, labels in ((frame, pandas.Series(LABELS)), (X.tolist(), LABELS.tolist())):
        result = fit(
            MLP(6, 5, 3),
            data,
            labels,
            epochs=1,
            batch_size=32,
            progress=False,
            backend="numpy",
            dtype="float64",
        )
        assert result.history == reference.history


def test_memory_mapped_data_trains_like_data_in_memory(training_backend, tmp_path, monkeypatch):
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    monkeypatch.setattr("multimlp.training._on_disk.STREAM_BYTES", 64 * X[:1].nbytes)
    settings = dict(
        epochs=2, batch_size=32, validation=None, backend=training_backend, dtype="float64", progress=False
    )
    streamed, held = fit(MLP(6, 5, 3), mapped, LABELS, **settings), fit(MLP(6, 5, 3), X, LABELS, **settings)
    assert largest_difference(streamed, held) < 1e-12
    np.testing.assert_allclose(streamed.history["loss"], held.history["loss"], rtol=1e-12)


@pytest.mark.parametrize("large", [False, True])
def test_a_memory_map_with_nan_says_so(tmp_path, monkeypatch, large):
    """And does not advise another learning rate."""
    X2 = X.copy()
    X2[140, 4] = np.nan
    np.save(tmp_path / "X.npy", X2)
    monkeypatch.setattr("multimlp.training._on_disk.STREAM_BYTES", 64 * X[:1].nbytes)
    if large:
        monkeypatch.setattr("multimlp.training._orders.LARGE_NUMBERS", 100)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    with pytest.raises(
        DataError, match="X: 1 values among .* are NaN or infinite, the first of them in column 4"
    ):
        fit(MLP(6, 5, 3), mapped, LABELS, epochs=2, batch_size=32, validation=None, progress=False)
    with pytest.raises(DataError, match="X, among the rows that validation holds out: 1 values are NaN"):
        fit(MLP(6, 5, 3), mapped, LABELS, epochs=2, validation=0.99, progress=False, seed=1)


def test_batches_from_a_callable(training_backend):
    def batches():
        for start in range(0, 150, 50):
            yield X[start : start + 50], LABELS[start : start + 50]

    settings = dict(epochs=2, backend=training_backend, dtype="float64", progress=False, validation=None)
    streamed = fit(MLP(6, 5, 3), batches, **settings)
    held = fit(MLP(6, 5, 3), X, LABELS, batch_size=50, shuffle=False, **settings)
    assert largest_difference(streamed, held) < 1e-12


def test_a_generator_serves_one_epoch():
    seen = []
    with pytest.raises(InputError, match="one epoch only"):
        fit(
            MLP(6, 5, 3),
            ((X[:9], LABELS[:9]) for _ in range(2)),
            epochs=2,
            progress=False,
            callbacks=[seen.append],
        )
    assert seen == [], "refused before anything is trained"
    assert fit(MLP(6, 5, 3), ((X[:9], LABELS[:9]) for _ in range(2)), epochs=1, progress=False).epochs == 1


def test_an_error_in_the_users_iterator_is_raised_and_its_thread_ends():
    def batches():
        yield X[:9], LABELS[:9]
        raise RuntimeError("disk gone")

    with pytest.raises(RuntimeError, match="disk gone"):
        fit(MLP(6, 5, 3), batches, epochs=1, progress=False)
    assert not any(thread.name == "multimlp-prefetch" for thread in threading.enumerate())


def test_own_model_loss_and_metric(training_backend):
    from multimlp.backend import array_namespace

    def model(params, inputs, key=None):
        return array_namespace(inputs, params["w"]).matmul(inputs, params["w"])

    def loss(outputs, y):
        xp = array_namespace(outputs)
        return xp.sum(xp.square(outputs - y), axis=-1)

    params = {"w": training_backend.asarray(np.zeros((6, 2)), dtype="float64")}
    result = fit(
        model, X, X[:, :2], loss=loss, optimizer=optimizers.adam(0.05), params=params, epochs=60, progress=False,
        metrics=[lambda outputs, y: array_namespace(outputs).mean(outputs)],
    )  # fmt: skip
    np.testing.assert_allclose(training_backend.to_numpy(result.params["w"]), np.eye(6)[:, :2], atol=0.02)
    assert result.engine in ("compiled", "steps")


# ---- stopping and starting again ---------------------------------------------------------------------------------------


def test_early_stopping_restores_the_best():
    stopper = callbacks.EarlyStopping(patience=3)
    result = small(epochs=400, optimizer=optimizers.adam(0.05), callbacks=[stopper])
    assert "has not improved for 3 epochs" in result.stopped
    assert result.epochs == stopper.best_epoch + 3
    assert (
        result.history["val_loss"][stopper.best_epoch - 1] == min(result.history["val_loss"]) == stopper.best
    )
    again = small(epochs=stopper.best_epoch, optimizer=optimizers.adam(0.05))
    assert largest_difference(result, again) == 0.0
    highest = callbacks.EarlyStopping("val_accuracy", mode="max")
    assert highest.best == -np.inf
    assert max(small(epochs=3, callbacks=[highest]).history["val_accuracy"]) == highest.best


@pytest.mark.parametrize("name", ["numpy", "torch", "jax", "tensorflow"])
@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_a_resumed_run_ends_with_the_same_bits(name, optimizer, tmp_path):
    settings = dict(
        optimizer=optimizer, batch_size=32, seed=4, backend=name, progress=False, dtype="float32",
    )  # fmt: skip
    mlp = MLP(6, 5, 3, dropout=0.2)
    path = tmp_path / "run.safetensors"
    whole = fit(mlp, X, LABELS, epochs=6, callbacks=[callbacks.EarlyStopping(patience=50)], **settings)
    fit(
        mlp,
        X,
        LABELS,
        epochs=2,
        callbacks=[callbacks.EarlyStopping(patience=50)],
        checkpoint=path,
        **settings,
    )
    resumed = fit(
        mlp,
        X,
        LABELS,
        epochs=6,
        callbacks=[callbacks.EarlyStopping(patience=50)],
        checkpoint=path,
        **settings,
    )
    assert resumed.history == whole.history
    assert largest_difference(resumed, whole) == 0.0


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    path = tmp_path / "run.safetensors"
    small(epochs=1, checkpoint=path)
    with pytest.raises(InputError, match="belongs to a run with seed=0, this one has 1"):
        small(checkpoint=path, seed=1)
    (tmp_path / "junk.safetensors").write_bytes(b"junk")
    with pytest.raises(FileFormatError):
        small(checkpoint=tmp_path / "junk.safetensors")


@pytest.fixture
def ctrl_c():
    """SIGINT raises KeyboardInterrupt, also where the tests run in the background and the shell ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_leaves_a_usable_result():
    def press(run):
        if run.epoch == 2:
            os.kill(os.getpid(), signal.SIGINT)

    result = small(epochs=1000, callbacks=[press])
    assert result.stopped == "interrupted"
    assert result.epochs == 2
    assert all(np.isfinite(leaf).all() for leaf in host(result))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_loss_that_is_not_finite_stops(training_backend):
    with pytest.raises(NonFiniteLossError, match="epoch 1.*Lower the learning rate"):
        fit(
            MLP(6, 5, 2, activation="identity"), X, 1e30 * VALUES, loss="mse", optimizer=optimizers.sgd(1e10), epochs=50,
            backend=training_backend, progress=False,
        )  # fmt: skip


def test_callbacks_write_what_happened(tmp_path):
    result = small(
        callbacks=[callbacks.CSVLogger(tmp_path / "h.csv"), callbacks.JSONLinesLogger(tmp_path / "h.jsonl")]
    )
    with (tmp_path / "h.csv").open() as file:
        rows = list(csv.DictReader(file))
    lines = [json.loads(line) for line in (tmp_path / "h.jsonl").read_text().splitlines()]
    assert [float(row["val_loss"]) for row in rows] == result.history["val_loss"]
    assert [line["loss"] for line in lines] == result.history["loss"]
    assert [line["epoch"] for line in lines] == [1, 2, 3]


def doubled(run):
    """A figure of one's own, of every second epoch."""
    if run.epoch % 2 == 0:
        run.record({"doubled, rarely": np.float32(2 * run.epoch)})


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("cut", [None, 1, 2, 3])
def test_records_hold_the_figures_of_their_own_epoch(tmp_path, before, cut):
    def run(epochs):
        logs = [callbacks.CSVLogger(tmp_path / "h.csv"), callbacks.JSONLinesLogger(tmp_path / "h.jsonl")]
        watchers = [doubled, *logs] if before else [*logs, doubled]
        return small(epochs=epochs, callbacks=watchers, checkpoint=tmp_path / "c.safetensors")

    if cut is not None:
        run(cut)
    result = run(5)
    assert result.history["doubled, rarely"] == [4, 8]
    with (tmp_path / "h.csv").open() as file:
        rows = list(csv.DictReader(file))
    lines = [json.loads(line) for line in (tmp_path / "h.jsonl").read_text().splitlines()]
    assert [float(row["loss"]) for row in rows] == [line["loss"] for line in lines] == result.history["loss"]
    own = ["", "4.0", "", "8.0", ""] if before else [""] * 5
    assert [row.get("doubled, rarely", "") for row in rows] == own
    assert [str(line.get("doubled, rarely", "")) for line in lines] == own
    assert all(None not in row for row in rows), "as many cells as columns"


@pytest.mark.parametrize("value", ["warm", None, [1.0], 1j])
def test_figures_are_numbers(value):
    with pytest.raises(InputError, match=r"figures\['phase'\]: expected a number"):
        small(callbacks=[lambda run: run.record({"phase": value})])


@pytest.mark.parametrize("reason", [None, 3])
def test_a_run_is_stopped_by_a_reason(reason):
    with pytest.raises(InputError, match="reason: expected why training ends, as text"):
        small(callbacks=[lambda run: run.stop(reason)])


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a disk that is full")
@pytest.mark.parametrize("logger", [callbacks.CSVLogger, callbacks.JSONLinesLogger])
def test_a_log_on_a_full_disk(logger):
    with pytest.raises(InputError, match="path: cannot write '/dev/full': No space left"):
        small(callbacks=[logger("/dev/full")])


def test_all_that_have_begun_hear_of_the_end():
    class Watcher(callbacks.Callback):
        def __init__(self, name, fails=""):
            self.name, self.fails = name, fails

        def on_fit_begin(self, run):
            told.append(f"{self.name} begins")
            if self.fails == "begin":
                raise RuntimeError(self.name)

        def on_fit_end(self, run):
            told.append(f"{self.name} ends")
            if self.fails == "end":
                raise RuntimeError(self.name)

    told = []
    with pytest.raises(RuntimeError, match="b"):
        small(callbacks=[Watcher("a"), Watcher("b", "begin"), Watcher("c")])
    assert told == ["a begins", "b begins", "a ends"]
    told.clear()
    with pytest.raises(RuntimeError, match="a"):
        small(callbacks=[Watcher("a", "end"), Watcher("b")])
    assert told == ["a begins", "b begins", "a ends", "b ends"]


@pytest.mark.parametrize("way", ["whole", "resumed", "swept"])
def test_batches_of_an_epoch_are_those_of_its_number(tmp_path, way):
    asked = []

    def batches(epoch):
        asked.append(epoch)
        rows = np.random.default_rng(epoch).permutation(len(X))
        for part in np.array_split(rows, 5):
            yield X[part], LABELS[part]

    settings = dict(
        epochs=4, progress=False, validation=None, backend="numpy", dtype="float64", optimizer="adam"
    )
    rows = [np.random.default_rng(epoch).permutation(len(X)) for epoch in range(4)]
    parts = [part for order in rows for part in np.array_split(order, 5)]
    expected = fit(
        MLP(6, 5, 3), lambda: iter([(X[p], LABELS[p]) for p in parts]), **{**settings, "epochs": 1}
    )
    if way == "whole":
        found = fit(MLP(6, 5, 3), batches, **settings).params
        assert asked == [0, 1, 2, 3]
    elif way == "resumed":
        settings["checkpoint"] = tmp_path / "run.safetensors"
        for epochs in (1, 3, 4):
            found = fit(MLP(6, 5, 3), batches, **{**settings, "epochs": epochs}).params
    else:
        swept = sweep(MLP(6, 5, 3), {"seed": [1, 2, 0]}, batches, members_per_program=1, **settings)
        found = swept.params(2)
    for mine, theirs in zip(tree.leaves(found), tree.leaves(expected.params), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=0 if way != "swept" else 1e-12)


def test_a_run_that_was_killed_before_its_checkpoint_does_not_write_an_epoch_twice(tmp_path, monkeypatch):
    """Records are written before the checkpoint of an epoch; some of them may be there in part alone."""
    from multimlp.training._checkpoint import Checkpoint

    def run(folder, epochs):
        folder.mkdir(exist_ok=True)
        logs = [callbacks.CSVLogger(folder / "h.csv"), callbacks.JSONLinesLogger(folder / "h.jsonl")]
        return small(epochs=epochs, callbacks=logs, checkpoint=folder / "c.safetensors")

    run(tmp_path / "whole", 5)
    killed = tmp_path / "killed"
    run(killed, 2)

    def dies(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "save", dies)
        with pytest.raises(KeyboardInterrupt):
            run(killed, 5)
    with (killed / "h.csv").open("a") as file:
        file.write("4,0.1")
    run(killed, 5)
    for name in ("h.csv", "h.jsonl"):
        assert (killed / name).read_text() == (tmp_path / "whole" / name).read_text()


def test_one_of_the_processes_of_a_run_writes(tmp_path):
    run = callbacks.Run(None, 1, {}, dict)
    run.is_main = False
    for log in (callbacks.CSVLogger(tmp_path / "h.csv"), callbacks.TensorBoardLogger(tmp_path / "board")):
        with callbacks.watched(run, [log]):
            log.on_epoch_end(run)
    assert not list(tmp_path.iterdir())


def test_no_epochs_give_the_initial_parameters():
    result = small(epochs=0)
    for mine, theirs in zip(host(result), tree.leaves(MLP(6, 5, 3).init(0, "numpy", "float64")), strict=True):
        np.testing.assert_array_equal(mine, theirs)


BAD = {
    "targets": (dict(y=None), InputError, "y: targets are needed"),
    "rows": (dict(y=LABELS[:9]), ShapeError, "y: expected 150 rows"),
    "one dimension": (dict(X=X[:, 0]), ShapeError, r"X: expected shape \(n, features\)"),
    "features": (dict(X=X[:, :5]), ShapeError, r"expected shape \(n, 6\)"),
    "empty": (dict(X=X[:0], y=LABELS[:0], validation=None), DataError, "no rows"),
    "nan": (
        dict(X=np.where(X > 2, np.nan, X)),
        DataError,
        r"X: \d+ values are NaN or infinite, the first at \[",
    ),
    "label": (dict(y=LABELS + 1), DataError, "label|class"),
    "text": (dict(X=[["a"] * 6] * 150), DataError, "X: expected numbers"),
    "ragged": (dict(X=[[1.0], [1.0, 2.0]]), ShapeError, "different lengths"),
    "loss": (dict(loss="mze"), InputError, "Did you mean 'm[sa]e'"),
    "optimizer": (dict(optimizer="adan"), InputError, "Did you mean 'adam'"),
    "epochs": (dict(epochs=-1), InputError, "epochs: expected"),
    "batch": (dict(batch_size=0), InputError, "batch_size: expected a positive integer"),
    "validation": (dict(validation=1.5), InputError, r"validation: expected a fraction in \[0, 1\)"),
    "nothing left": (dict(X=X[:1], y=LABELS[:1], validation=0.9), DataError, "leaves nothing"),
    "last": (dict(last_batch="pad"), InputError, "last_batch"),
    "weights": (dict(sample_weight=np.ones(3)), ShapeError, r"sample_weight: expected shape \(150,\)"),
    "callback": (dict(callbacks=[3]), InputError, "callbacks: expected"),
    "monitor": (
        dict(callbacks=[callbacks.EarlyStopping("val_f2")]),
        InputError,
        "'val_f2' is not in the history",
    ),
    "compiler": (dict(compile="gcc"), CapabilityError, "'gcc' is not one of"),
    "model": (dict(mlp="mlp"), InputError, "mlp: expected an MLP"),
    "params": (dict(params=(Dense(np.ones((3, 3)), None),)), InputError, "params"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_arguments(case):
    changes, error, message = BAD[case]
    arguments = dict(mlp=MLP(6, 5, 3), X=X, y=LABELS, epochs=1, batch_size=32, progress=False) | changes
    with pytest.raises(error, match=message):
        fit(arguments.pop("mlp"), arguments.pop("X"), arguments.pop("y"), **arguments)


# ---- prediction --------------------------------------------------------------------------------------------------------


def test_prediction_in_pieces_and_buckets(training_backend):
    mlp = MLP(6, 5, 3)
    params = mlp.init(backend=training_backend, dtype="float64")
    whole = X @ training_backend.to_numpy(params[0].weight)
    expected = np.maximum(whole, 0) @ training_backend.to_numpy(params[1].weight)
    for batch_size in (7, 64, 65536):
        outputs = predict(mlp, params, X, batch_size=batch_size)
        np.testing.assert_allclose(training_backend.to_numpy(outputs), expected, rtol=1e-12, atol=1e-14)
    assert tuple(predict(mlp, params, X[:0]).shape) == (0, 3)
    together = mlp.init(range(2), training_backend, "float64")
    assert tuple(predict(mlp, together, X, batch_size=64).shape) == (2, 150, 3)


@pytest.fixture
def compilations():
    """How often XLA has compiled for JAX since the test began."""
    monitoring = pytest.importorskip("jax").monitoring
    events = []

    def listen(event, seconds, **_):
        if event == "/jax/core/compile/backend_compile_duration":
            events.append(event)

    monitoring.register_event_duration_secs_listener(listen)
    yield events
    monitoring.unregister_event_duration_listener(listen)


def test_many_batch_sizes_need_few_compilations(compilations):
    mlp = MLP(2, 3, 2)
    params = mlp.init(0, "jax", "float32")
    same = mlp.init(0, "numpy", "float32")
    for rows in range(1, 128):
        data = np.full((rows, 2), rows / 128, dtype=np.float32)
        np.testing.assert_allclose(predict(mlp, params, data), mlp(same, data), rtol=1e-5, atol=1e-6)
    assert 0 < len(compilations) <= 5  # for 1, 16, 32, 64 and 128 rows


def test_one_example_and_rows_of_each_members_own_are_predicted_as_they_are(training_backend):
    mlp = MLP(6, (5,), 3)
    params, same = (mlp.init(range(2), name, "float64") for name in (training_backend, "numpy"))
    for data in (X[0], np.stack([X[:20], X[20:40]])):
        outputs = training_backend.to_numpy(predict(mlp, params, data))
        np.testing.assert_allclose(outputs, mlp(same, data), rtol=1e-12, atol=1e-12)


def test_bucket_is_at_least_the_rows():
    for rows in range(1, 5000):
        assert rows <= bucket(rows, 65536) < max(2 * rows, 17)
    assert bucket(1, 65536) == 1


def test_an_epoch_that_was_left_is_whole_when_it_is_made_again():
    from multimlp.training import InMemory
    from multimlp.training._orders import Ordering
    from multimlp.training.engines import Chunk

    def source():
        return InMemory(Chunk(X, LABELS, None), Ordering(0, 32, shuffle=True, drop_last=False))

    left, whole = source(), source()
    for number in (0, 1):
        orders = [np.concatenate([rows for _, rows in one.epoch(number)]) for one in (left, whole)]
        assert np.array_equal(*orders)
        next(left.epoch(number + 1))  # and no further, as after Ctrl-C


@pytest.mark.parametrize("members", [None, 2])
def test_many_rows_are_validated_on_part_by_part(monkeypatch, members):
    """So that memory does not hold what every layer makes of all of them."""
    mlp, seen, call = MLP(6, 5, 3), [], MLP.__call__
    start = None if members is None else mlp.init(range(members), "numpy", "float64")

    def history():
        return fit(
            mlp, X, LABELS, epochs=2, validation=(X, LABELS), params=start, backend="numpy", dtype="float64",
            compile="none", progress=False, batch_size=7,
        ).history  # fmt: skip

    whole = history()

    def watched(model, params, inputs, *args, **kwargs):
        seen.append(inputs.shape[0])
        return call(model, params, inputs, *args, **kwargs)

    monkeypatch.setattr("multimlp.training._figures.PREDICT_ROWS", 40)
    monkeypatch.setattr(MLP, "__call__", watched)
    parts = history()
    assert {40, 150 % 40} <= {*seen}
    assert max(seen) == 40
    assert parts["val_accuracy"] == whole["val_accuracy"]
    np.testing.assert_allclose(parts["val_loss"], whole["val_loss"], rtol=1e-14)


@pytest.mark.parametrize("backend", ["jax", "tensorflow"])
def test_validation_is_compiled_once_for_all_fits_unless_functions_of_the_users_are_part_of_it(
    backend, monkeypatch
):
    pytest.importorskip(backend)
    compiled, bound = [], [0.5]
    adapter = load_backend(backend)
    compile_ = type(adapter).compile
    monkeypatch.setattr(
        type(adapter), "compile", lambda self, f, *a: compiled.append(f) or compile_(self, f, *a)
    )
    _figures._shared.cache_clear()

    def shifted(outputs, targets):
        return outputs[0, 0] * 0 + bound[0]

    def figures(*metrics, width=5):
        compiled.clear()
        found = fit(
            MLP(6, width, 3), X, LABELS, epochs=1, validation=(X[:9], LABELS[:9]), metrics=metrics, backend=backend,
            progress=False,
        ).history  # fmt: skip
        return [f for f in compiled if "_figures" in f.__code__.co_filename], found

    assert len(figures("accuracy")[0]) == 1
    assert len(figures("accuracy")[0]) == 0
    assert len(figures()[0]) == 1
    assert len(figures("accuracy", width=4)[0]) == 1
    for bound[0] in (0.5, 0.25):  # what a function reads may be another number now
        programs, found = figures(shifted)
        assert (len(programs), found["val_shifted"]) == (1, [bound[0]])
