"""Sweeps: every candidate is what a fit of its own would have been, whoever is trained beside it."""

import csv
import json
import signal

import numpy as np
import pytest

import multimlp as mm
from multimlp import optimizers, tree
from multimlp.errors import InputError
from multimlp.training import SweepResult, Table

RNG = np.random.default_rng(0)
X, Y, WEIGHT = RNG.standard_normal((70, 5)), RNG.integers(0, 3, 70), RNG.random(70) + 0.1
EVERYTHING = [
    {"seed": 3, "learning_rate": 0.1, "weight_decay": 0.1, "l1": 0.01, "l2": 0.02, "dropout": 0.4, "clip_norm": 0.3},
    {"seed": 4, "learning_rate": 0.02},
    {"seed": 3, "learning_rate": 0.003, "dropout": 0.1, "clip_norm": 1.5, "l2": 0.1},
]  # fmt: skip
OPTIONS = {
    "adam": {"beta1": [0.9, 0.0, 0.5], "beta2": [0.99, 0.9, 0.999], "eps": [1e-8, 1e-3, 1e-5]},
    "adamw": {"beta1": [0.9, 0.0, 0.5]},
    "nadam": {"beta1": [0.9, 0.0, 0.5]},
    "sgd": {"momentum": [0.0, 0.9, 0.3]},
    "rmsprop": {"rho": [0.9, 0.5, 0.99], "momentum": [0.0, 0.9, 0.3]},
    "adagrad": {"initial_accumulator": [0.0, 0.1, 0.3]},
    "lion": {"beta1": [0.9, 0.0, 0.5]},
}


def swept(grid, mlp=None, **given):
    given = {"dtype": "float64", "epochs": 2, "batch_size": 16, "progress": False, "seed": 5, **given}
    return mm.sweep(mm.MLP(5, (6, 4), 3, activation="tanh") if mlp is None else mlp, grid, X, Y, **given)


def again(result, i, **given):
    """The fit of one candidate alone."""
    mlp, seed = result.mlp(i), int(result.table[i].get("seed", 5))
    given = {"dtype": "float64", "epochs": 2, "batch_size": 16, "progress": False, "seed": 5, **given}
    params = mlp.init(
        seed, given.get("backend"), "float32" if given["dtype"] == "bfloat16" else given["dtype"]
    )
    given |= {"optimizer": result.optimizer(i), "regularizer": result.regularizer(i), "params": params}
    return mm.fit(mlp, X, Y, **given)


def distance(result, i, alone):
    backend = mm.get_backend(alone.backend)
    found = zip(tree.leaves(result.params(i)), tree.leaves(alone.params), strict=True)
    parameters = max(np.abs(backend.to_numpy(a) - backend.to_numpy(b)).max() for a, b in found)
    row = result.table[i]
    return max(parameters, *(abs(row[name] - values[-1]) for name, values in alone.history.items()))


def check_all(grid, **given):
    result = swept(grid, **given)
    for i in range(len(result)):
        assert distance(result, i, again(result, i, **given)) < 1e-12, result.settings(i)
    return result


ENGINES = {None: "inplace", "none": "steps", "numba": "numba"}


@pytest.mark.parametrize("compiler", ENGINES)
@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_of_every_optimizer_is_a_members_own(name, compiler):
    if compiler == "numba":
        pytest.importorskip("numba")
    given = {"optimizer": name, "compile": compiler, "backend": "numpy", "sample_weight": WEIGHT}
    own = [{k: v[i] for k, v in OPTIONS[name].items()} for i in range(3)]
    result = check_all([{**a, **b} for a, b in zip(EVERYTHING, own, strict=True)], **given)
    assert result.engine == ENGINES[compiler]


@pytest.mark.parametrize(
    ("backend", "name"),
    [("torch", "adam"), ("torch", "sgd"), ("strict", "adam"), ("jax", "adam"), pytest.param("tensorflow", "adam", marks=pytest.mark.slow)]
    + [pytest.param(b, n, marks=pytest.mark.slow) for b in ("jax", "tensorflow") for n in OPTIONS if n != "adam"],
)  # fmt: skip
def test_backends(backend, name):
    pytest.importorskip({"strict": "array_api_strict"}.get(backend, backend))
    own = [{k: v[i] for k, v in OPTIONS[name].items()} for i in range(3)]
    grid = [{**a, **b} for a, b in zip(EVERYTHING, own, strict=True)]
    check_all(grid if name == "adam" else grid[:2], backend=backend, optimizer=name, sample_weight=WEIGHT)


GROUPED = optimizers.grouped(optimizers.adam(), {"bias": {"weight_decay": 0.0}, "1": {"learning_rate": 0.02}})


@pytest.mark.parametrize(
    "given",
    [
        {"optimizer": GROUPED},
        {"optimizer": GROUPED, "compile": "none"},
        {"optimizer": optimizers.sgd(mm.schedules.cosine(0.1, 8), momentum=0.9)},
        {"optimizer": optimizers.adam(clip_norm=0.5), "loss": "mse"},
        {"mlp": mm.MLP(5, (), 3)},
        {"mlp": mm.MLP(5, 4, 3, activation="prelu", dropout=0.2)},
        {"mlp": mm.MLP(5, 4, 3, use_bias=False), "regularizer": mm.regularizers.l1(0.01)},
        {"batch_size": None, "validation": None, "shuffle": False},
        {"last_batch": "drop", "validation": (X[:9], Y[:9]), "metrics": ["accuracy", "f1"]},
    ],
    ids=lambda given: " ".join(given),
)
def test_whatever_candidates_share(given):
    given = {"backend": "numpy", **given}
    mlp = given.pop("mlp", mm.MLP(5, 4, 3))
    if given.get("loss") == "mse":
        mlp = mm.MLP(5, 4, 1)
    result = swept({"seed": [1, 2], "weight_decay": [0.0, 0.1], "l2": [0.0, 0.05]}, mlp, **given)
    for i in range(len(result)):
        assert distance(result, i, again(result, i, **given)) < 1e-12


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_results_do_not_depend_on_who_is_trained_beside_a_candidate(backend):
    pytest.importorskip(backend)
    grid = {"seed": range(5), "learning_rate": [0.1, 0.01], "dropout": [0.0, 0.3]}
    whole = swept(grid, backend=backend, optimizer=optimizers.adam(clip_norm=0.5))
    for size in (1, 7):
        cut = swept(grid, backend=backend, optimizer=optimizers.adam(clip_norm=0.5), members_per_program=size)
        for a, b in zip(tree.leaves(whole.host_params), tree.leaves(cut.host_params), strict=True):
            assert np.array_equal(a, b) if backend == "numpy" else np.allclose(a, b, rtol=0, atol=1e-13)


@pytest.mark.parametrize("compiler", [None, "none"])
def test_a_candidate_that_diverges_harms_no_other(compiler):
    given = {
        "backend": "numpy",
        "optimizer": optimizers.sgd(clip_norm=1e9),
        "epochs": 3,
        "compile": compiler,
        "loss": "mse",
    }
    result = mm.sweep(
        mm.MLP(5, 4, 1),
        {"learning_rate": [1e200, 0.01]},
        X,
        X[:, :1],
        dtype="float64",
        progress=False,
        **given,
    )
    alone = mm.sweep(
        mm.MLP(5, 4, 1), {"learning_rate": [0.01]}, X, X[:, :1], dtype="float64", progress=False, **given
    )
    assert not np.isfinite(result.table[0]["loss"])
    assert result.table[1]["loss"] == alone.table[0]["loss"]
    assert result.best.index == 1
    assert [row["candidate"] for row in result.ranked()] == [1, 0]


@pytest.mark.parametrize("given", [{}, {"callbacks": [lambda run: None]}])
def test_a_candidate_that_diverges_is_never_the_best(given):
    """Outputs that are NaN are all of the first class, which may be the class of most rows."""
    y = np.where(np.arange(70) % 10, 0, 1)
    grid = [{"learning_rate": 1e300}, {"learning_rate": 1e-9}]
    result = mm.sweep(
        mm.MLP(5, 4, 2), grid, X, y, optimizer="sgd", epochs=3, validation=(X, 1 - y), metrics=["accuracy"],
        score="val_accuracy", dtype="float64", backend="numpy", progress=False, **given,
    )  # fmt: skip
    diverged, sound = result.table
    assert np.isnan(diverged["val_accuracy"])
    assert np.isnan(diverged["val_loss"])
    assert sound["val_accuracy"] == again_accuracy(result, 1, 1 - y)
    assert result.best.index == 1


def again_accuracy(result, i, y):
    return float(np.mean(mm.predict(result.mlp(i), result.params(i), X).argmax(axis=-1) == y))


def test_where_nothing_is_finite_there_is_no_best():
    grid = {"learning_rate": [0.1, 0.2]}
    result = swept(grid, backend="numpy")
    result.table.columns["val_loss"][:] = np.inf
    with pytest.raises(InputError, match="no candidate has a finite val_loss"):
        _ = result.best


def test_a_generator_is_refused_before_anything_is_trained():
    for given in ({"epochs": 2}, {"epochs": 1, "members_per_program": 1}):
        seen = []
        with pytest.raises(InputError, match="one epoch only"):
            mm.sweep(
                mm.MLP(5, 4, 3),
                {"seed": [1, 2]},
                iter([(X, Y)]),
                callbacks=[seen.append],
                progress=False,
                **given,
            )
        assert seen == []


def test_bfloat16_is_close_to_a_fit_of_its_own():
    pytest.importorskip("torch")
    result = swept(EVERYTHING, backend="torch", dtype="bfloat16")
    alone = again(result, 0, backend="torch", dtype="bfloat16")
    assert distance(result, 0, alone) < 0.05


def test_what_is_kept():
    grid = {"learning_rate": [0.0001, 0.1, 0.05, 0.01]}
    everything, two = (
        swept(grid, backend="numpy"),
        swept(grid, backend="numpy", keep=2, members_per_program=1),
    )
    best = [row["candidate"] for row in everything.ranked()][:2]
    assert two.kept.tolist() == sorted(best)
    for index in best:
        assert np.array_equal(two.params(index)[0].weight, everything.params(index)[0].weight)
    with pytest.raises(InputError, match=r"index: the parameters of candidate \d were not kept"):
        two.params(next(i for i in range(4) if i not in best))
    with pytest.raises(InputError, match="index: there are 4 candidates, got 4"):
        two.params(4)


def test_the_table_and_its_files(tmp_path):
    result = swept({"seed": [0, 1], "decay": [0.0, 0.1]}, backend="numpy", score="val_accuracy")
    table = result.table
    assert list(table.columns) == [
        "candidate", "seed", "weight_decay", "loss", "val_loss", "val_accuracy", "epochs",
    ]  # fmt: skip
    assert [(row["seed"], row["weight_decay"]) for row in table] == [(0, 0.0), (0, 0.1), (1, 0.0), (1, 0.1)]
    assert result.higher_is_better
    assert result.best.score == max(row["val_accuracy"] for row in table)
    table.to_csv(tmp_path / "a.csv")
    with open(tmp_path / "a.csv", newline="") as file:
        assert [float(row["loss"]) for row in csv.DictReader(file)] == [row["loss"] for row in table]
    Table({"a": np.asarray([np.nan, 1.0])}).to_json(tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text()) == [{"a": None}, {"a": 1.0}]
    assert "4 candidates, best val_accuracy=" in repr(result)
    pandas = pytest.importorskip("pandas")
    assert isinstance(table.to_pandas(), pandas.DataFrame)
    assert len(table[1:3]) == 2


def test_ctrl_c_returns_what_there_is(monkeypatch):
    seen = []

    def interrupt(self, n, **figures):
        seen.append(n)
        if len(seen) == 3:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("multimlp._terminal._progress._Silent.advance", interrupt)
    result = swept({"seed": range(6)}, backend="numpy", members_per_program=2)
    assert result.stopped == "interrupted"
    assert [row["epochs"] for row in result.table] == [2, 2, 1, 1, 0, 0]
    assert np.isnan(result.table[5]["loss"])
    assert isinstance(result, SweepResult)
    assert result.best.index < 4


WRONG = [
    ({}, {}, "grid: expected at least one setting"),
    ([], {}, "grid: expected at least one candidate"),
    ({"seed": []}, {}, r"grid\['seed'\]: expected at least one value"),
    ({"seed": [1.5]}, {}, r"grid\['seed'\]: expected an integer >= 0"),
    ({"dropout": [1.0]}, {}, r"grid\['dropout'\]: expected a number in \[0, 1\)"),
    (
        {"l2": [0.0, 0.1]},
        {"mlp": mm.MLP(5, [4, 4], 3, dropout=[0.1, 0.2])},
        "one rate of dropout for all its hidden layers",
    ),
    ({"learning_rate": [-1.0]}, {}, "learning_rate: expected a number in"),
    ({"learning_rate": [mm.schedules.cosine(0.1, 5)]}, {}, "set a schedule in optimizer="),
    ({"learning_rat": [0.1]}, {}, "there is no setting 'learning_rat'.*did you mean 'learning_rate'"),
    ({"momentum": [0.1]}, {}, "there is no setting 'momentum'"),
    ({"hidden": [3, 4]}, {}, "'hidden' cannot differ.*MLPSearchCV.*Many models"),
    ({"batch_size": [3]}, {}, "'batch_size' cannot differ"),
    ({"l2": [0.1]}, {"regularizer": mm.regularizers.get}, "regularizer is one of your own"),
    ({"seed": [1]}, {"optimizer": "lbfgs"}, "searches one step length"),
    ({"seed": [1]}, {"dtype": "float16"}, "float16 leaves out steps"),
    (
        {"seed": [1]},
        {"score": "val_los"},
        "score: expected one of loss, val_loss, val_accuracy, got 'val_los'",
    ),
    ({"seed": [1]}, {"devices": 2}, "devices: expected 2, one per process, but this process is alone"),
    ([{"seed": 1}, 3], {}, r"grid\[1\]: expected a mapping"),
]


@pytest.mark.parametrize(("grid", "given", "message"), WRONG)
def test_wrong_arguments(grid, given, message):
    with pytest.raises(InputError, match=message):
        swept(grid, **{"backend": "numpy", **given})
