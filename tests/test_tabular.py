"""RealMLP and TabM: tables of every form, the authors' own modules with the same numbers, schedules, calibration, errors."""

from __future__ import annotations

import os
import pickle
import signal

import numpy as np
import pytest
from libraries import TRAINING
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import log_loss
from sklearn.utils.estimator_checks import parametrize_with_checks

import multimlp as mm
from multimlp import blocks, estimators, tree
from multimlp.errors import DataError, InputError
from multimlp.estimators import RealMLPClassifier, RealMLPRegressor, TabMClassifier, TabMRegressor
from multimlp.estimators.tabular import _calibration, _realmlp, _tabm
from multimlp.estimators.tabular._calibration import best_temperature, probabilities
from multimlp.estimators.tabular._preparation import Preparation
from multimlp.frames import Schema
from multimlp.training import Ordering

N = 240


def table() -> dict[str, list]:
    rng = np.random.default_rng(0)
    number = rng.standard_normal(N)
    number[::11] = np.nan
    return {
        "a": rng.standard_normal(N).tolist(),
        "b": number.tolist(),
        "flat": [1.0] * N,
        "few": rng.choice(["x", "y", "z"], N).tolist(),
        "many": rng.choice([f"k{i:02d}" for i in range(14)], N).tolist(),
        "truth": (rng.random(N) < 0.5).tolist(),
    }


TABLE = table()
CLASSES = np.asarray(["no", "yes", "maybe"])[
    (np.asarray(TABLE["a"]) > 0) * 1 + (np.asarray(TABLE["few"]) == "x") * (np.asarray(TABLE["truth"]))
]
NUMBERS = (
    np.asarray(TABLE["a"]) * 20
    + 100
    + 10 * (np.asarray(TABLE["few"]) == "x")
    + 5 * np.asarray(TABLE["truth"])
)
SMALL = {"hidden_layer_sizes": [24], "n_epochs": 40, "batch_size": 32, "random_state": 0}
MODELS = {
    "RealMLP": (RealMLPClassifier, RealMLPRegressor, {}),
    "RealMLP simple": (RealMLPClassifier, RealMLPRegressor, {"version": "TD-S"}),
    "TabM": (TabMClassifier, TabMRegressor, {"n_members": 4, "learning_rate": 0.01}),
}


# ---- scikit-learn's own checks

# In float64: rows in another order are rounded otherwise in float32 by some BLAS, by more than the checks forgive.
_CHECKED = {
    "hidden_layer_sizes": [16],
    "batch_size": 16,
    "random_state": 0,
    "backend": "numpy",
    "dtype": "float64",
}
_TABM = {"n_members": 4, "n_epochs": 30, "learning_rate": 0.02}
_EXPECTED = {
    "check_sample_weight_equivalence_on_dense_data": "rows, not weights, fill batches, and decide what is held out and what medians are"
}


def checks_of(estimators):
    """Those of scikit-learn, with what is not to hold, and why."""
    return parametrize_with_checks(estimators, expected_failed_checks=lambda estimator: _EXPECTED)


@checks_of([TabMRegressor(**_CHECKED, **_TABM)])
def test_sklearn_checks(estimator, check):
    check(estimator)


@pytest.mark.slow
@checks_of([
    TabMClassifier(**_CHECKED, **_TABM), RealMLPClassifier(**_CHECKED, n_epochs=30), RealMLPRegressor(**_CHECKED, n_epochs=30),
    TabMRegressor(**_CHECKED, **_TABM, output="gaussian"),
])  # fmt: skip
def test_sklearn_checks_of_the_others(estimator, check):
    check(estimator)


@pytest.mark.parametrize("name", MODELS)
def test_both_kinds_learn_a_table_of_every_kind_of_column(name):
    classifier, regressor, options = MODELS[name]
    model = classifier(**SMALL, **options).fit(TABLE, CLASSES)
    found = model.predict_proba(TABLE)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-12)
    assert model.classes_.tolist() == ["maybe", "no", "yes"]
    assert model.score(TABLE, CLASSES) > 0.85
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict_proba(TABLE), found)
    other = clone(model).fit(TABLE, CLASSES)
    assert np.array_equal(other.predict_proba(TABLE), found)
    numbers = regressor(**SMALL, **options).fit(TABLE, NUMBERS)
    assert numbers.score(TABLE, NUMBERS) > 0.9
    assert numbers.predict(TABLE).max() <= NUMBERS.max()
    unseen = {name: [None] if name != "few" else ["?"] for name in TABLE}
    assert np.isfinite(numbers.predict(unseen)).all()
    two = regressor(**{**SMALL, "n_epochs": 2}, **options).fit(TABLE, np.stack([NUMBERS, -NUMBERS], axis=1))
    assert two.predict(TABLE).shape == (N, 2)


@pytest.mark.parametrize("library", [name for name in TRAINING if name != "numpy"])
@pytest.mark.parametrize("name", ["RealMLP", "TabM"])
def test_the_same_numbers_on_every_backend(name, library):
    classifier, _, options = MODELS[name]
    options = {**SMALL, **options, "n_epochs": 2, "dtype": "float64"}
    expected = classifier(**options, backend="numpy").fit(TABLE, CLASSES).predict_proba(TABLE)
    found = classifier(**options, backend=library).fit(TABLE, CLASSES).predict_proba(TABLE)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_frames_and_mappings_are_one_table():
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("narwhals")
    options = {**SMALL, "n_epochs": 3}
    one = RealMLPClassifier(**options).fit(TABLE, CLASSES)
    frame = pandas.DataFrame(TABLE)
    two = RealMLPClassifier(**options).fit(frame, pandas.Series(CLASSES))
    assert np.array_equal(one.predict_proba(TABLE), two.predict_proba(frame[frame.columns[::-1]]))
    assert two.feature_names_in_.tolist() == list(TABLE)


def test_folds_and_repeats_are_averaged():
    model = RealMLPClassifier(**{**SMALL, "n_epochs": 3}, n_folds=3, n_repeats=2).fit(TABLE, CLASSES)
    assert len(model.best_epochs_) == 6
    encoded = model._schema.encode(TABLE)
    each = [probabilities(member.outputs(encoded), member.after) for member in model._members]
    np.testing.assert_allclose(model.predict_proba(TABLE), np.mean(each, axis=0), atol=1e-12)


def test_the_best_epoch_is_kept():
    model = RealMLPRegressor(**{**SMALL, "n_epochs": 12}).fit(TABLE, NUMBERS)
    (errors,), (best,) = model.validation_curves_, model.best_epochs_
    assert len(errors) == 12
    assert errors[best - 1] == min(errors)
    stopped = TabMClassifier(**{**SMALL, "n_epochs": 200}, n_members=2, learning_rate=0.05, patience=2).fit(
        TABLE, CLASSES
    )
    assert len(stopped.loss_curves_[0]) == stopped.best_epochs_[0] + 3


@pytest.mark.parametrize("name", ["RealMLP", "TabM"])
def test_rows_that_somebody_brings_judge_the_epochs(name):
    classifier, regressor, options = MODELS[name]
    first = {column: values[: N // 2] for column, values in TABLE.items()}
    other = {column: values[N // 2 :] for column, values in TABLE.items()}
    small = SMALL | {"n_epochs": 8}
    model = regressor(**small, **options).fit(first, NUMBERS[: N // 2], X_val=other, y_val=NUMBERS[N // 2 :])
    best = model.validation_curves_[0][model.best_epochs_[0] - 1]
    deviation = NUMBERS[: N // 2].std()
    low, high = NUMBERS[: N // 2].min(), NUMBERS[: N // 2].max()
    error = np.sqrt(np.mean((model.predict(other) - NUMBERS[N // 2 :]) ** 2)) / deviation
    assert low <= model.predict(other).min() <= model.predict(other).max() <= high
    assert error == pytest.approx(best, rel=1e-12)  # of predictions, which stay in the range of the targets
    again = regressor(**small, **options).fit(first, NUMBERS[: N // 2], X_val=other, y_val=NUMBERS[N // 2 :])
    assert (again.predict(other) == model.predict(other)).all()
    classes = classifier(**small, **options).fit(
        first, CLASSES[: N // 2], X_val=other, y_val=CLASSES[N // 2 :]
    )
    assert len(classes.validation_curves_[0]) <= 8
    for bad, words in (
        ({"X_val": other}, "y_val: expected rows to judge by"),
        ({"X_val": other, "y_val": CLASSES[:3]}, "y_val: expected 120 rows, as X_val has"),
        ({"X_val": other, "y_val": np.full(N // 2, "never")}, "classes not in"),
    ):
        with pytest.raises(ValueError, match=words):
            classifier(**small, **options).fit(first, CLASSES[: N // 2], **bad)
    with pytest.raises(InputError, match="n_folds=None with it"):
        regressor(**small, **options, n_folds=2).fit(
            first, NUMBERS[: N // 2], X_val=other, y_val=NUMBERS[N // 2 :]
        )


def test_a_temperature_makes_held_out_probabilities_better():
    model = RealMLPClassifier(**SMALL, calibrate=True).fit(TABLE, CLASSES)
    plain = RealMLPClassifier(**SMALL).fit(TABLE, CLASSES)
    (heat,) = (member.after for member in model._members)
    assert heat != 1.0
    outputs = np.random.default_rng(0).standard_normal((400, 3)) * 6
    y = np.asarray(
        [np.random.default_rng(i).choice(3, p=probabilities(outputs[i : i + 1], 3.0)[0]) for i in range(400)]
    )
    found = best_temperature(outputs, y)
    losses = [log_loss(y, probabilities(outputs, t)) for t in (found * 0.98, found, found * 1.02)]
    assert losses[1] == min(losses)
    assert 2.0 < found < 4.5
    assert np.array_equal(plain.predict(TABLE), model.predict(TABLE))


def test_weights_of_rows_and_classes_are_heeded():
    options = {**SMALL, "n_epochs": 20, "validation_fraction": 0.0}
    weights = np.where(CLASSES == "no", 1.0, 0.0)
    only = RealMLPClassifier(**options).fit(TABLE, CLASSES, sample_weight=weights)
    assert set(only.predict(TABLE)) == {"no"}
    same = RealMLPClassifier(**options, class_weight={"no": 1.0, "yes": 0.0, "maybe": 0.0}).fit(
        TABLE, CLASSES
    )
    assert np.array_equal(only.predict_proba(TABLE), same.predict_proba(TABLE))


def rows_of(table, chosen):
    return {name: [values[i] for i in chosen] for name, values in table.items()}


@pytest.mark.parametrize("name", MODELS)
def test_rows_of_no_weight_are_as_if_they_were_not_there(name):
    classifier, regressor, given = MODELS[name]
    options = {**SMALL, **given, "n_epochs": 5}
    counted = np.flatnonzero(np.arange(N) % 7)
    weights = np.isin(np.arange(N), counted) * 2.0
    wild = np.where(weights > 0, NUMBERS, 1e9)
    for make, targets in ((classifier, CLASSES), (regressor, wild)):
        some = make(**options).fit(rows_of(TABLE, counted), targets[counted], np.full(len(counted), 2.0))
        every = make(**options).fit(TABLE, targets, sample_weight=weights)
        assert every.best_epochs_ == some.best_epochs_
        assert np.array_equal(every.predict(TABLE), some.predict(TABLE))


def test_weights_count_in_errors_as_rows_that_come_so_often():
    rng = np.random.default_rng(0)
    counts = rng.integers(1, 4, 40)
    repeated = np.repeat(np.arange(40), counts)
    outputs = rng.standard_normal((40, 3)) * 2
    y = (outputs + rng.gumbel(size=(40, 3))).argmax(axis=1)
    for found in (
        lambda o, t, w: _calibration.log_loss(probabilities(o), t, w),
        best_temperature,
        lambda o, t, w: RealMLPClassifier()._judge(t, w)(o),
    ):
        assert found(outputs, y, counts) == pytest.approx(
            found(outputs[repeated], y[repeated], None), rel=1e-6
        )
        assert found(outputs, y, counts) != pytest.approx(found(outputs, y, None), rel=1e-3)
    targets = rng.standard_normal((40, 2))
    for output, width in (("mean", 2), ("quantile", 6), ("gaussian", 4)):
        model = RealMLPRegressor(output=output)
        said = rng.standard_normal((40, width))
        expected = model._judge(targets[repeated], None)(said[repeated])
        assert model._judge(targets, counts)(said) == pytest.approx(expected, rel=1e-12)
    scale, same = model._standard(targets, counts), model._standard(targets[repeated], None)
    np.testing.assert_allclose([scale.mean, scale.deviation], [same.mean, same.deviation], rtol=1e-12)


def test_an_estimator_whose_fit_failed_is_none():
    epochs = []

    def fails(run):
        epochs.append(run.epoch)
        if len(epochs) == 7:
            raise RuntimeError("enough")

    model = RealMLPRegressor(**{**SMALL, "n_epochs": 3}, n_folds=3)
    model.fit(TABLE, NUMBERS).set_params(callbacks=[fails])
    with pytest.raises(RuntimeError, match="enough"):
        model.fit(TABLE, NUMBERS)
    with pytest.raises(NotFittedError):
        model.predict(TABLE)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
def test_ctrl_c_ends_all_networks(monkeypatch):
    def interrupt(run):
        if run.epoch == 2:
            os.kill(os.getpid(), signal.SIGINT)

    model = RealMLPRegressor(**{**SMALL, "n_epochs": 5}, n_folds=3, callbacks=[interrupt])
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.warns(UserWarning, match="interrupted by user"):
            model.fit(TABLE, NUMBERS)
    finally:
        signal.signal(signal.SIGINT, before)
    assert [len(curve) for curve in model.loss_curves_] == [2]
    assert np.isfinite(model.predict(TABLE)).all()
    monkeypatch.setattr("multimlp.training._loop._DeferredInterrupt.asked", True)
    with pytest.raises(KeyboardInterrupt):  # there is not even one epoch
        model.fit(TABLE, NUMBERS)
    assert not model.__sklearn_is_fitted__()


def test_each_network_has_a_log_of_its_own(tmp_path):
    log = mm.callbacks.CSVLogger(tmp_path / "network-{candidate}.csv")
    RealMLPRegressor(**{**SMALL, "n_epochs": 2}, n_folds=2, callbacks=[log]).fit(TABLE, NUMBERS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["network-0.csv", "network-1.csv"]
    with pytest.raises(InputError, match="networks of an estimator, would write to"):
        RealMLPRegressor(**SMALL, n_repeats=2, callbacks=[mm.callbacks.CSVLogger(tmp_path / "one.csv")]).fit(
            TABLE, NUMBERS
        )


def test_what_a_callback_restores_is_kept_where_nothing_is_held_out():
    stopping = mm.callbacks.EarlyStopping("loss", mode="max", patience=9)
    options = {**SMALL, "validation_fraction": 0, "version": "TD-S"}
    model = RealMLPRegressor(**{**options, "n_epochs": 4}, callbacks=[stopping]).fit(TABLE, NUMBERS)
    assert model.best_epochs_ == [stopping.best_epoch] == [1]
    _, params = model.to_chain()
    for kept, best in zip(mm.tree.leaves(params), mm.tree.leaves(stopping.best_params), strict=True):
        assert np.array_equal(kept, best)


def test_predictions_are_those_of_the_fit_whatever_is_set_since(tmp_path):
    model = RealMLPRegressor(**{**SMALL, "n_epochs": 4}, output="quantile").fit(TABLE, NUMBERS)
    before = model.predict_quantiles(TABLE), model.predict(TABLE)
    model.set_params(quantiles=(0.25, 0.5, 0.75), output="gaussian")
    model.save(tmp_path / "model.safetensors")
    for one in (model, estimators.load(tmp_path / "model.safetensors"), pickle.loads(pickle.dumps(model))):
        assert np.array_equal(one.predict_quantiles(TABLE), before[0])
        assert np.array_equal(one.predict(TABLE), before[1])
        assert not hasattr(one, "predict_distribution")


def test_whole_numbers_that_float64_does_not_tell_apart_are_no_categories():
    table = {"id": [2**60, 2**60 + 1] * 10, "a": range(20)}
    with pytest.raises(
        DataError, match=r"the column 'id' holds categories that are whole numbers of 2\^53 or more"
    ):
        Schema.of(table, ["id"])
    assert len(Schema.of({**table, "id": [str(i) for i in table["id"]]}).columns[0].categories) == 2
    with pytest.raises(DataError, match="the column 'id' holds a number beyond float64"):
        Schema.of({"id": [10**400] * 20})
    with pytest.raises(InputError, match="two columns are called '1'"):
        Schema.of({1: range(3), "1": range(3)})


@pytest.mark.parametrize(
    ("make", "X", "y", "error", "words"),
    [
        (RealMLPClassifier, {"a": [1.0] * 10}, [0, 1] * 5, DataError, "every column is constant"),
        (RealMLPClassifier, {"a": range(10)}, [0] * 10, DataError, "two or more classes"),
        (RealMLPClassifier, {"a": range(10)}, [0] * 9, ValueError, "y: expected 10 rows"),
        (RealMLPRegressor, {"a": range(10)}, ["x"] * 10, DataError, "y: expected real numbers, got text"),
        (RealMLPRegressor, {"a": range(10)}, [np.nan] * 10, DataError, "y: expected finite"),
        (lambda: RealMLPClassifier("XX"), {"a": range(10)}, [0, 1] * 5, InputError, "version: expected"),
        (lambda: RealMLPClassifier(n_folds=1), {"a": range(10)}, [0, 1] * 5, InputError, "n_folds: "),
        (lambda: RealMLPClassifier(metric="auc"), {"a": range(10)}, [0, 1] * 5, InputError, "metric: "),
        (lambda: TabMClassifier(n_members=0), {"a": range(10)}, [0, 1] * 5, InputError, "n_members: "),
        (lambda: TabMRegressor(dropout=1), {"a": range(10)}, [0, 1] * 5, InputError, "dropout: "),
        (lambda: TabMRegressor(categorical_features=["b"]), {"a": range(10)}, [0, 1] * 5, InputError, "no column 'b'"),
    ],
)  # fmt: skip
def test_what_is_refused(make, X, y, error, words):
    with pytest.raises(error, match=words):
        make().fit(X, y)


def test_columns_are_checked_when_predicting():
    model = TabMRegressor(**{**SMALL, "n_epochs": 1}, n_members=2).fit(
        {"a": range(10), "b": range(10)}, range(10)
    )
    with pytest.raises(DataError, match="missing 'b'"):
        model.predict({"a": [1.0]})


# ---- the authors' own -------------------------------------------------------------------------------------------------


def _matrix(normal: bool) -> tuple[Preparation, np.ndarray, np.ndarray]:
    """A table of numbers, a column of few categories, one of many, and truth values, all there."""
    rng = np.random.default_rng(1)
    X = {
        "a": rng.standard_normal(N),
        "b": rng.exponential(size=N),
        "few": rng.choice(["p", "q", "r"], N),
        "truth": rng.random(N) < 0.5,
        "many": rng.choice([f"k{i:02d}" for i in range(14)], N),
    }
    schema = Schema.of(X)
    encoded = schema.encode(X)
    preparation = Preparation.of(schema, encoded, 2**31 if normal else 9, normal)
    return preparation, preparation.matrix(encoded), encoded.codes


def _leaves(params) -> np.ndarray:
    return np.concatenate([np.ravel(leaf) for leaf in tree.leaves(params)])


def _tensor(values):
    torch = pytest.importorskip("torch")
    return torch.tensor(np.asarray(values), dtype=torch.float64)


def _compared(chain, params, X, outputs, places, tolerance) -> None:
    """Outputs and gradients of one cotangent: ours by the tape on NumPy, theirs by torch; ``places`` pairs a tensor of theirs with an
    array of ours, each as what makes the other's layout of a gradient of ours."""
    cotangent = np.cos(np.arange(outputs.detach().numpy().size)).reshape(outputs.shape)
    ours = chain(params, X)
    np.testing.assert_allclose(ours, outputs.detach().numpy(), rtol=0, atol=tolerance)
    gradients = mm.grad(lambda held: mm.array_namespace(held[-1].weight).sum(chain(held, X) * cotangent))(
        params
    )
    (outputs * _tensor(cotangent)).sum().backward()
    for tensor, ours_of in places:
        np.testing.assert_allclose(
            ours_of(gradients), tensor.grad.numpy(), rtol=10 * tolerance, atol=10 * tolerance
        )


@pytest.mark.parametrize(("cls", "taken"), [(RealMLPRegressor, 8), (TabMRegressor, 10)])
def test_an_epoch_takes_the_rows_that_the_authors_take(cls, taken, monkeypatch):
    """pytabkit's RealMLP leaves out what fills no batch; TabM's example and pytabkit's split all rows into batches."""
    orders = []
    of_rows = Ordering.rows

    def noted(self: Ordering, epoch: int, count: int) -> np.ndarray:
        orders.append(of_rows(self, epoch, count))
        return orders[-1]

    monkeypatch.setattr(Ordering, "rows", noted)
    options = {"n_epochs": 2, "batch_size": 4, "hidden_layer_sizes": [3], "validation_fraction": 0.0}
    cls(**options, random_state=0).fit({"a": list(range(10))}, np.arange(10.0))
    assert {len(set(order.tolist())) for order in orders} == {taken}


def test_tabm_is_the_authors_network():
    torch = pytest.importorskip("torch")
    theirs = pytest.importorskip("tabm")
    numbers = pytest.importorskip("rtdl_num_embeddings")
    preparation, X, codes = _matrix(normal=True)
    chain = _tabm.network(preparation, X, [16, 16], 3, members=4, dropout=0.0)
    assert [part.name for part in chain.blocks] == [
        "concat", "replicate", "batch_ensemble", "activation", "batch_ensemble", "activation", "heads",
    ]  # fmt: skip
    params = chain.host_params(0)
    binned = params[0][0][1]
    binned["weight"] = np.random.default_rng(2).standard_normal(binned["weight"].shape)
    edges = chain.blocks[0].branches[0].blocks[1].edges
    assert len({len(e) for e in edges}) == 1  # theirs lays shorter ones out otherwise
    embedding = numbers.PiecewiseLinearEmbeddings(
        [_tensor(e) for e in edges], _tabm.EMBEDDING, activation=False, version="B"
    )
    model = theirs.TabM.make(
        n_num_features=2, cat_cardinalities=[3, 2, 14], d_out=3, num_embeddings=embedding, k=4, n_blocks=2,
        d_block=16, dropout=0.0,
    ).double()  # fmt: skip
    layers = [block[0] for block in model.backbone.blocks]
    with torch.no_grad():
        embedding.linear0.weight.copy_(_tensor(binned["slope"]))
        embedding.linear0.bias.copy_(_tensor(binned["shift"]))
        embedding.linear.weight.copy_(_tensor(binned["weight"]))
        for layer, own in zip(layers, (params[2], params[4]), strict=True):
            layer.weight.copy_(_tensor(own["weight"].T))
            for name in ("r", "s", "bias"):
                getattr(layer, name).copy_(_tensor(own[name]))
        model.output.weight.copy_(_tensor(params[6].weight))
        model.output.bias.copy_(_tensor(params[6].bias))
    outputs = model(_tensor(X[:, :2]), torch.tensor(codes.astype(int))).transpose(0, 1)
    _compared(
        chain,
        params,
        X,
        outputs,
        [
            (embedding.linear0.weight, lambda g: g[0][0][1]["slope"]),
            (embedding.linear.weight, lambda g: g[0][0][1]["weight"]),
            *(
                (layer.weight, lambda g, i=i: g[i]["weight"].T)
                for layer, i in zip(layers, (2, 4), strict=True)
            ),
            *((layer.r, lambda g, i=i: g[i]["r"]) for layer, i in zip(layers, (2, 4), strict=True)),
            *((layer.bias, lambda g, i=i: g[i]["bias"]) for layer, i in zip(layers, (2, 4), strict=True)),
            (model.output.weight, lambda g: g[6].weight),
        ],
        1e-6,
    )  # fmt: skip; its bins are in float32


def test_realmlp_is_the_authors_network():
    torch = pytest.importorskip("torch")
    theirs = pytest.importorskip("pytabkit.models.realmlp.model")
    preparation, X, codes = _matrix(normal=False)
    chain = _realmlp.network(_realmlp.RECIPES["TD", "classes"], preparation, X, [20, 12], 3, steps=10)
    params = _realmlp.started(chain, chain.host_params(0), X[:64], 0)
    assert [part.name for part in chain.blocks if not part.dropout] == [
        "concat", "scale", "dense", "mixed_activation", "dense", "mixed_activation", "dense",
    ]  # fmt: skip
    learned = [own for own, part in zip(params, chain.blocks, strict=True) if not part.dropout]
    # Theirs: category 0 is what is missing; of two others the second is -1, where ours is +1.
    model = theirs.RealMLP(
        2, [4, 3, 15], 3, 1, theirs.RealMLPConfig(hidden_sizes=[20, 12], p_drop=0.0), True
    ).double()
    ours, table = chain.blocks[0].branches[0], learned[0][1][1]["table"]
    centre, spread = (
        np.asarray(figures) for figures in (ours.blocks[0].blocks[1].mean, ours.blocks[0].blocks[1].std)
    )
    waves = learned[0][0][1][0][1]
    # Their inputs of the first layer: three waves of each number, the numbers, four one-hot features, the embedding.
    order = np.asarray([0, 1, 2, 4, 5, 6, 3, 7, *range(8, 20)])
    flip = np.ones(20)
    flip[11] = -1
    sign = np.asarray([1, 1, 1, 1, 1, -1])
    named = dict(model.mlp.named_children())
    scale, first, bias1, act1, _, second, bias2, act2, _, last, bias3 = named.values()
    with torch.no_grad():
        model.x_median.copy_(_tensor(sign * centre)[None, None])
        model.x_scale.copy_(_tensor(1 / spread)[None, None])
        model.plr_weight_1.copy_(_tensor(waves["frequency"][None, :, None]))
        model.plr_bias_1.copy_(_tensor(waves["phase"][None, :, None]))
        model.plr_weight_2.copy_(_tensor(waves["weight"][None]))
        model.plr_bias_2.copy_(_tensor(waves["bias"][None, :, None]))
        model.cat_emb.copy_(_tensor(np.concatenate([np.zeros((1, 8)), table])[None]))
        scale.scale.copy_(_tensor(learned[1]["scale"][order])[None, None])
        for layer, bias, own, rows in (
            (first, bias1, learned[2], order), (second, bias2, learned[4], slice(None)), (last, bias3, learned[6], slice(None)),
        ):  # fmt: skip
            factor = flip[:, None] if layer is first else 1.0
            layer.weight.copy_(_tensor(own.weight[rows] * factor)[None])
            bias.bias.copy_(_tensor(own.bias)[None, None])
        for layer, own in ((act1, learned[3]), (act2, learned[5])):
            layer.weight.copy_(_tensor(own["mix"])[None, None])
    outputs = model(_tensor(X[None, :, :2]), torch.tensor(codes[None].astype(int) + 1))[0]
    _compared(chain, params, X, outputs, [
        (model.plr_weight_1, lambda g: g[0][0][1][0][1]["frequency"][None, :, None]),
        (model.plr_weight_2, lambda g: g[0][0][1][0][1]["weight"][None]),
        (scale.scale, lambda g: g[1]["scale"][order][None, None]),
        (first.weight, lambda g: (g[2].weight[order] * flip[:, None])[None]),
        (act1.weight, lambda g: g[3]["mix"][None, None]),
        (bias2.bias, lambda g: g[5].bias[None, None]),
    ], 1e-11)  # fmt: skip


def test_the_schedules_are_the_authors():
    theirs = pytest.importorskip("pytabkit.models.realmlp.train")
    steps = 40
    ours = {"coslog4": mm.schedules.log_cosine(1.0, steps), "flat_cos": mm.schedules.flat_cosine(1.0, steps)}
    for name, schedule in ours.items():
        expected = [theirs.SCHEDULES[name](t / steps) for t in range(steps)]
        np.testing.assert_allclose([schedule(t) for t in range(steps)], expected, atol=1e-12)


def test_parameters_have_the_authors_rates_and_decays():
    theirs = pytest.importorskip("pytabkit.models.realmlp.model")
    config = theirs.RealMLPConfig()
    preparation, X, _ = _matrix(normal=False)
    recipe = _realmlp.RECIPES["TD", "classes"]
    chain = _realmlp.network(recipe, preparation, X, [20], 3, steps=10)
    params = chain.host_params(0)
    optimizer = _realmlp.optimizer(recipe, chain, config.lr, 10)
    found = {}
    for name, part in zip(chain.shapes, optimizer.for_leaves(params), strict=True):
        decay = part.options["weight_decay"]
        found[name.rpartition(".")[2] if not name.startswith("0.0") else "waves"] = (
            part.options["learning_rate"](8) / mm.schedules.log_cosine(config.lr, 10)(8),
            decay if decay == 0 else decay(0) / config.wd,
        )
    expected = {
        "waves": (config.plr_lr_factor, config.plr_wd_factor),
        "table": (1.0, 1.0),
        "scale": (config.scale_lr_factor, config.scale_wd_factor),
        "weight": (1.0, 1.0),
        "bias": (config.bias_lr_factor, config.bias_wd_factor),
        "mix": (config.act_lr_factor, config.act_wd_factor),
    }
    assert found.keys() == expected.keys()
    for name, factors in expected.items():
        np.testing.assert_allclose(found[name], factors, rtol=1e-12, err_msg=name)


def test_a_start_from_data_has_outputs_of_deviation_one():
    preparation, X, _ = _matrix(normal=False)
    chain = _realmlp.network(_realmlp.RECIPES["TD", "numbers"], preparation, X, [40, 30], 2, steps=10)
    params = _realmlp.started(chain, chain.host_params(0), X, 0)
    x = X
    for part, own in zip(chain.blocks, params, strict=True):
        if isinstance(part, blocks.Dense):
            units = x @ own.weight / np.sqrt(len(own.weight))
            np.testing.assert_allclose(units.std(axis=0), 1, rtol=1e-9)
            inside = (-own.bias >= units.min(axis=0)) & (-own.bias <= units.max(axis=0))
            assert inside.all()
        x = part.apply(own, x, None)


# ---- how sure a prediction is


def heteroscedastic(n, seed):
    """The deviation grows from 0.5 to 5 with the first column."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(0, 1, (n, 2))
    deviation = 0.5 + 4.5 * X[:, 0]
    mean = 100 + 10 * np.sin(4 * X[:, 0]) + 5 * X[:, 1]
    return X, mean + deviation * rng.standard_normal(n), mean, deviation


UNSURE = {
    "RealMLP": (RealMLPRegressor, {"n_epochs": 30}),
    "TabM": (TabMRegressor, {"n_members": 4, "n_epochs": 40, "learning_rate": 0.005}),
}


@pytest.mark.parametrize("output", ["quantile", "gaussian"])
@pytest.mark.parametrize("name", UNSURE)
def test_intervals_cover_what_they_say_and_widen_with_the_noise(name, output):
    kind, options = UNSURE[name]
    X, y, *_ = heteroscedastic(1200, 0)
    new, truth, expected, spread = heteroscedastic(2000, 1)
    model = kind(hidden_layer_sizes=[32], batch_size=128, random_state=0, output=output, **options).fit(X, y)
    ends = model.predict_interval(new, 0.9)
    inside = (ends[:, 0] <= truth) & (truth <= ends[:, 1])
    assert 0.83 < inside.mean() < 0.96
    calm, noisy = spread < 1.5, spread > 4
    assert 0.78 < inside[calm].mean() < 0.99
    assert 0.78 < inside[noisy].mean() < 0.99
    widths = ends[:, 1] - ends[:, 0]
    assert widths[noisy].mean() > 2 * widths[calm].mean()
    found = model.predict_quantiles(new, [0.05, 0.3, 0.5, 0.9, 0.95])
    assert (np.diff(found, axis=-1) >= 0).all()
    assert model.predict_quantiles(new).shape == (2000, 3)
    assert np.abs(model.predict(new) - expected).mean() < 1.2
    if output == "gaussian":
        centre, scale = model.predict_distribution(new)
        np.testing.assert_allclose(found[:, 2], centre, rtol=1e-12)
        assert np.abs(scale / spread - 1).mean() < 0.4


@pytest.mark.parametrize("output", ["quantile", "gaussian"])
@pytest.mark.parametrize("name", UNSURE)
def test_intervals_of_several_targets_follow_their_units(name, output):
    kind, options = UNSURE[name]
    X, y, *_ = heteroscedastic(100, 0)
    options = {**options, "n_epochs": 3, "hidden_layer_sizes": [8], "random_state": 0, "dtype": "float64"}
    two = kind(output=output, n_folds=2, **options).fit(X, np.stack([y, -1000 * y + 7], axis=1))
    found = two.predict_quantiles(X, [0.1, 0.9])
    assert found.shape == (100, 2, 2)
    assert two.predict(X).shape == (100, 2)
    one = kind(output=output, n_folds=2, **options).fit(X, y)
    scaled = kind(output=output, n_folds=2, **options).fit(X, 1000 * y + 7)
    np.testing.assert_allclose(
        scaled.predict_interval(X, 0.5), 1000 * one.predict_interval(X, 0.5) + 7, rtol=1e-8
    )
    again = pickle.loads(pickle.dumps(one))
    assert np.array_equal(again.predict_interval(X), one.predict_interval(X))


def test_what_networks_do_not_say_is_refused():
    X, y, *_ = heteroscedastic(60, 0)
    tiny = {"hidden_layer_sizes": [4], "n_epochs": 1}
    mean = RealMLPRegressor(**tiny).fit(X, y)
    assert not hasattr(mean, "predict_quantiles")
    with pytest.raises(AttributeError, match="predict_interval"):
        mean.predict_interval(X)
    three = RealMLPRegressor(**tiny, output="quantile").fit(X, y)
    assert not hasattr(three, "predict_distribution")
    with pytest.raises(InputError, match=r"from 0.05 to 0.95, got 0.005"):
        three.predict_interval(X, 0.99)
    with pytest.raises(InputError, match="q: expected"):
        three.predict_quantiles(X, [0.5, 1.5])
    for options, words in (({"output": "median"}, "output"), ({"quantiles": (0.9, 0.1)}, "lower first")):
        with pytest.raises(InputError, match=words):
            RealMLPRegressor(**tiny, **options).fit(X, y)
