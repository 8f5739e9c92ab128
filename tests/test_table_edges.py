"""Estimators for tables where numbers are far from 1, labels or values missing, columns without names, parameters NumPy's."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import multimlp as mm
from multimlp import estimators
from multimlp.errors import DataError, DTypeError, InputError, ShapeError
from multimlp.estimators import RealMLPClassifier, RealMLPRegressor, TabMClassifier, TabMRegressor
from multimlp.estimators.tabular import _realmlp
from multimlp.estimators.tabular._preparation import Preparation
from multimlp.frames import Schema

N = 200
RNG = np.random.default_rng(0)
X = RNG.standard_normal((N, 2))
Y = np.sin(2 * X[:, 0]) + X[:, 1]
SMALL = {"hidden_layer_sizes": [24], "n_epochs": 25, "batch_size": 32, "random_state": 0}
REGRESSORS = {
    "RealMLP": RealMLPRegressor(**SMALL),
    "TabM": TabMRegressor(**SMALL, n_members=4, learning_rate=0.01),
}

# ---- numbers far from 1

FAR = {
    "seconds since 1970": lambda x: 1.7e9 + 60 * x,
    "billionths": lambda x: 1e-9 * x,
    "beyond float32": lambda x: 1e200 * x,
    "next to nothing": lambda x: 1e-200 * x,
    "large and apart": lambda x: 1e12 + x,
}


@pytest.mark.parametrize("scale", FAR)
@pytest.mark.parametrize("name", REGRESSORS)
def test_offset_and_unit_of_numbers_do_not_matter(name, scale):
    model = clone(REGRESSORS[name])
    plain = clone(model).fit(X, Y)
    far = model.fit(FAR[scale](X), Y)
    assert plain.score(X, Y) > 0.8
    assert far.score(FAR[scale](X), Y) > plain.score(X, Y) - 0.05


@pytest.mark.parametrize("name", REGRESSORS)
def test_one_wild_number_takes_nothing_from_the_others(name):
    wild = X.copy()
    wild[0, 0] = 1e12
    model = clone(REGRESSORS[name]).fit(wild, Y)
    assert model.score(wild[1:], Y[1:]) > clone(model).fit(X, Y).score(X, Y) - 0.1
    assert np.isfinite(model.predict(np.asarray([[1e300, 0.0], [-1e300, 1e-300]]))).all()


def test_numbers_come_in_units_that_keep_their_digits():
    table = {
        "t": 1.7e9 + np.arange(8.0),
        "tiny": 1e-300 * np.arange(8.0),
        "huge": 1.7e308 * np.linspace(-1, 1, 8),
    }
    schema = Schema.of(table)
    encoded = schema.encode(table)
    matrix = Preparation.of(schema, encoded).matrix(encoded)
    ranges = np.ptp(matrix, axis=0)
    assert ((ranges > 1) & (ranges < 8)).all()
    for j in range(3):
        # Steps are equal to the last bit of float32: nothing was rounded but what float64 rounds.
        np.testing.assert_allclose(np.diff(matrix[:, j].astype(np.float32)), np.diff(matrix[:, j]), rtol=1e-6)


def test_years_are_told_apart_in_16_bits():
    torch = pytest.importorskip("torch")
    years = {"year": np.arange(1990.0, 2020.0)}
    schema = Schema.of(years)
    matrix = Preparation.of(schema, schema.encode(years)).matrix(schema.encode(years))
    assert len(torch.tensor(matrix).bfloat16().unique()) == 30
    assert len(torch.tensor(years["year"]).bfloat16().unique()) < 10


def test_a_first_batch_of_equal_rows_starts_with_sound_weights():
    rare = np.zeros((400, 1))
    rare[-8:] = 1
    schema = Schema.of(rare)
    encoded = schema.encode(rare)
    preparation = Preparation.of(schema, encoded)
    matrix = preparation.matrix(encoded)
    chain = _realmlp.network(_realmlp.RECIPES["TD", "numbers"], preparation, matrix, [16], 1, steps=10)
    drawn = chain.host_params(0)
    for leaf, before in zip(
        mm.tree.leaves(_realmlp.started(chain, drawn, matrix[:32], 0)), mm.tree.leaves(drawn), strict=True
    ):
        assert np.abs(leaf).max() < 20 * max(1.0, np.abs(before).max())


# ---- categories in few bits


@pytest.mark.parametrize("kind", ["one_hot", "embedding"])
def test_codes_that_a_dtype_does_not_tell_apart_are_refused(kind):
    torch = pytest.importorskip("torch")
    for dtype, most in ((torch.bfloat16, 256), (torch.float16, 2048)):
        for count in (most, most + 1):
            block = mm.blocks.one_hot([count]) if kind == "one_hot" else mm.blocks.embedding([count], 2)
            chain = mm.chain(block)
            params = chain.init(seed=0, backend="torch", dtype=str(dtype).rpartition(".")[2])
            codes = torch.tensor([[most - 1.0], [most - 2.0]], dtype=dtype)
            if count > most:
                with pytest.raises(
                    DTypeError, match=f"{count} categories, and .*float16 tells {most} codes apart"
                ):
                    chain(params, codes)
            else:
                found = chain(params, codes)
                assert not torch.equal(found[0], found[1])


def test_an_estimator_with_more_categories_than_its_dtype_has_codes_says_so():
    pytest.importorskip("torch")
    table = {"c": [f"c{i}" for i in range(300)] * 2}
    with pytest.raises(DTypeError, match="300 categories, and bfloat16 tells 256 codes apart"):
        RealMLPRegressor(**SMALL, backend="torch", dtype="bfloat16", validation_fraction=0).fit(
            table, np.arange(600.0)
        )


# ---- names of columns


def test_columns_without_names_go_by_their_places():
    pandas = pytest.importorskip("pandas")
    options = {**SMALL, "n_epochs": 2}
    frame = pandas.DataFrame(X, columns=["a", "b"])
    named = RealMLPRegressor(**options).fit(frame, Y)
    expected = named.predict(frame[["b", "a"]])
    with pytest.warns(
        UserWarning, match="X does not have valid feature names, but RealMLPRegressor was fitted with"
    ):
        assert np.array_equal(named.predict(X), expected)
    unnamed = RealMLPRegressor(**options).fit(X, Y)
    assert not hasattr(unnamed, "feature_names_in_")
    with pytest.warns(UserWarning, match="X has feature names, but RealMLPRegressor was fitted without"):
        assert np.array_equal(unnamed.predict(frame), expected)
    numbered = pandas.DataFrame(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(unnamed.predict(numbered), expected)
        again = RealMLPRegressor(**options).fit(numbered, Y)
        assert not hasattr(again, "feature_names_in_")
        assert np.array_equal(again.predict(X.tolist()), expected)
        assert np.array_equal(again.predict(numbered[[1, 0]]), expected)
    with pytest.raises(DataError, match="missing 'b'.*unexpected 'c'"):
        named.predict(frame.rename(columns={"b": "c"}))
    with pytest.raises(DataError, match="X has 3 features, but RealMLPRegressor is expecting 2"):
        named.predict(np.zeros((2, 3)))


@pytest.mark.parametrize("name", REGRESSORS)
def test_no_rows_are_refused(name):
    model = clone(REGRESSORS[name]).set_params(n_epochs=1).fit({"a": X[:, 0]}, Y)
    with pytest.raises(DataError, match=r"0 sample\(s\)"):
        model.predict({"a": []})


# ---- targets and weights


@pytest.mark.parametrize("make", [RealMLPClassifier, estimators.MLPClassifier])
def test_a_label_that_is_missing_is_refused(make):
    pandas = pytest.importorskip("pandas")
    for missing in (None, np.nan, pandas.NA):
        labels = np.asarray(["a", "b", missing, "a"] * 5, dtype=object)
        with pytest.raises(DataError, match=r"y.*(label in row 2 is missing|NaN)"):
            make().fit(np.arange(20.0)[:, None], labels)


@pytest.mark.parametrize("make", [RealMLPRegressor, estimators.MLPRegressor])
def test_text_is_no_target_of_a_regressor(make):
    with pytest.raises(DataError, match=r"y: expected real numbers, got text.*y.astype\(float\)"):
        make().fit(X, Y.astype(str))


def test_a_class_of_one_row_cannot_be_held_out():
    model = estimators.MLPClassifier(early_stopping=True)
    with pytest.raises(DataError, match="validation_fraction: The least populated class"):
        model.fit(X, np.arange(N) == 0)


def test_complex_weights_are_refused():
    for model in (RealMLPRegressor(), estimators.MLPRegressor()):
        with pytest.raises(DataError, match="sample_weight: expected real numbers"):
            model.fit(X, Y, sample_weight=np.ones(N) * 1j)


def test_weights_of_classes_count_for_rows_that_somebody_brings():
    labels = np.where(Y > 0.8, "rare", "often")
    options = {**SMALL, "n_epochs": 6, "metric": "class_error", "class_weight": {"rare": 5.0, "often": 0.0}}
    model = RealMLPClassifier(**options).fit(X, labels, X_val=X[:100], y_val=labels[:100])
    own = model.predict(X[:100]) == labels[:100]
    rare = labels[:100] == "rare"
    assert model.validation_curves_[0][model.best_epochs_[0] - 1] == pytest.approx(1 - own[rare].mean())
    with pytest.raises(DataError, match="y_val: the classes of all rows weigh nothing"):
        RealMLPClassifier(**options).fit(X, labels, X_val=X[:3], y_val=["often"] * 3)


def test_equal_epochs_do_not_hold_up_the_end():
    easy = np.where(X[:, 0] > 0, 1, 0)
    model = RealMLPClassifier(**{**SMALL, "n_epochs": 200}, patience=3).fit(X + 3 * easy[:, None], easy)
    errors = np.asarray(model.validation_curves_[0])
    lowest = np.minimum.accumulate(errors)
    assert len(errors) == np.flatnonzero(np.diff(lowest, prepend=np.inf) < 0)[-1] + 1 + 4
    assert model.best_epochs_ == [int(np.flatnonzero(errors == errors.min())[-1]) + 1]


def test_logarithms_of_probabilities():
    model = TabMClassifier(**{**SMALL, "n_epochs": 2}, n_members=2).fit(X, Y > 0)
    assert np.array_equal(model.predict_log_proba(X), np.log(model.predict_proba(X)))


def test_one_width_need_be_no_sequence():
    for width in (8, np.int64(8)):
        model = RealMLPRegressor(**{**SMALL, "hidden_layer_sizes": width, "n_epochs": 1}).fit(X, Y)
        assert model.to_chain()[0].blocks[2].out_features == 8
    for bad in (0, True, "8", None):
        with pytest.raises(InputError, match="hidden_layer_sizes"):
            RealMLPRegressor(hidden_layer_sizes=bad).fit(X, Y)


# ---- parameters that are NumPy's


def test_quantiles_of_numpy_come_back_from_a_file(tmp_path):
    levels = np.asarray([0.25, 0.5, 0.75])
    model = RealMLPRegressor(**{**SMALL, "n_epochs": np.int64(2)}, output="quantile", quantiles=levels).fit(
        X, Y
    )
    model.save(tmp_path / "m.safetensors")
    again = estimators.load(tmp_path / "m.safetensors")
    assert list(again.quantiles) == levels.tolist()
    assert again.n_epochs == 2
    assert np.array_equal(again.predict_quantiles(X), model.predict_quantiles(X))
    assert np.array_equal(again.predict_interval(X, 0.5), model.predict_interval(X, 0.5))


def test_a_median_that_was_not_learned_is_refused_by_predict():
    model = RealMLPRegressor(**{**SMALL, "n_epochs": 1}, output="quantile", quantiles=[0.9]).fit(X, Y)
    assert model.predict_quantiles(X).shape == (N, 1)
    with pytest.raises(InputError, match="predictions are medians.*call predict_quantiles"):
        model.predict(X)


@pytest.mark.parametrize("kind", ["int8", "uint8", "uint64", "float32", "bool", "U", "O"])
def test_labels_of_every_kind_are_saved_and_exported(tmp_path, kind):
    ort = pytest.importorskip("onnxruntime")
    labels = (Y > 0).astype(int)
    labels = np.where(labels, "yes", "no").astype(kind) if kind in "UO" else labels.astype(kind)
    model = RealMLPClassifier(**{**SMALL, "n_epochs": 2}).fit(X, labels)
    model.save(tmp_path / "m.safetensors")
    again = estimators.load(tmp_path / "m.safetensors")
    assert again.predict(X).tolist() == model.predict(X).tolist()
    session = ort.InferenceSession(
        estimators.to_onnx(model).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    found, _ = session.run(None, {f"x{j}": X[:, j : j + 1] for j in range(2)})
    assert found.tolist() == model.predict(X).tolist()


def test_labels_that_cannot_be_written_down_are_said(tmp_path):
    days = np.where(Y > 0, np.datetime64("2024-01-01"), np.datetime64("2024-01-02"))
    model = RealMLPClassifier(**{**SMALL, "n_epochs": 1}).fit(X, days)
    assert model.predict(X).dtype == days.dtype
    with pytest.raises(
        InputError, match=r"classes_: expected text, numbers or truth values.*y.astype\(str\)"
    ):
        model.save(tmp_path / "m.safetensors")


# ---- categories that a network was not trained on


@pytest.mark.parametrize("name", REGRESSORS)
def test_categories_of_rows_held_out_alone_are_none_that_is_known(name, tmp_path):
    """There are none of a network's own numbers for them but those that it began with."""
    ort = pytest.importorskip("onnxruntime")
    kept = {"a": X[:150, 0], "c": [f"c{i % 14}" for i in range(150)]}
    held = {"a": X[150:, 0], "c": [f"d{i % 5}" for i in range(50)]}
    both = {"a": X[:, 0], "c": [*kept["c"], *held["c"]]}
    model = clone(REGRESSORS[name]).set_params(n_epochs=2, categorical_features=["c"], validation_fraction=0)
    model.fit(both, Y, sample_weight=[1.0] * 150 + [0.0] * 50)
    expected = model.predict({**held, "c": ["never"] * 50})
    assert np.array_equal(model.predict(held), expected)
    assert not np.array_equal(model.predict({**held, "c": ["c1"] * 50}), expected)
    model.save(tmp_path / "m.safetensors")
    assert np.array_equal(estimators.load(tmp_path / "m.safetensors").predict(held), expected)
    session = ort.InferenceSession(
        estimators.to_onnx(model).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    feeds = {"a": held["a"][:, None], "c": np.asarray(held["c"], dtype=object)[:, None]}
    np.testing.assert_allclose(session.run(None, feeds)[0], expected, atol=1e-5)


# ---- a column of nothing


@pytest.mark.parametrize(
    "later", [["x", "y"], [1.0, None], [True, False], ["2024-01-01", None], [None, None]]
)
def test_a_column_of_which_nothing_was_there_may_hold_anything_later(later):
    nothing = {"a": X[:, 0], "note": [None] * N}
    model = RealMLPRegressor(**{**SMALL, "n_epochs": 1}).fit(nothing, Y)
    found = model.predict({"a": X[:2, 0], "note": later})
    assert np.array_equal(found, model.predict({"a": X[:2, 0], "note": [None, None]}))


def test_one_row_for_a_chain_with_members_is_refused():
    chain = mm.chain(mm.blocks.replicate(3), mm.blocks.batch_ensemble(2, 3, in_features=2))
    params = chain.init(seed=0, backend="numpy")
    with pytest.raises(ShapeError, match=r"one row is X\[None, :\]"):
        chain(params, np.zeros(2, dtype="float32"))


def test_weights_without_a_direction_are_refused():
    with pytest.raises(InputError, match="kernel_init: weight_norm_dense needs weights that point somewhere"):
        mm.chain(mm.blocks.weight_norm_dense(3, in_features=2, kernel_init="zeros")).init(backend="numpy")


@pytest.mark.parametrize("name", REGRESSORS)
def test_a_network_without_hidden_layers(name):
    model = clone(REGRESSORS[name]).set_params(hidden_layer_sizes=(), n_epochs=3).fit(X, Y)
    assert np.isfinite(model.predict(X)).all()


def test_attributes_before_a_fit_say_so():
    for name in ("best_epochs_", "loss_curves_", "validation_curves_", "interrupted_", "schema_"):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            getattr(RealMLPRegressor(), name)
        assert not hasattr(TabMClassifier(), name)


# ---- targets as lists and objects hold them

CLASSIFIERS = {
    "RealMLP": RealMLPClassifier(**{**SMALL, "n_epochs": 1}),
    "MLP": estimators.MLPClassifier(4, solver="lbfgs", max_iter=2),
}


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize("missing", [np.nan, None])
def test_a_missing_label_in_a_list_of_text_is_no_class(name, missing):
    with pytest.raises(DataError, match=r"y: the label in row 3 is missing"):
        clone(CLASSIFIERS[name]).fit(X[:40], ["a", "b", "a", missing, *"abab"] * 5)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_labels_of_several_kinds_are_refused(name):
    for mixed in ([1, "1"], [True, "a"], np.asarray([1, "1"], dtype=object)):
        with pytest.raises(
            DataError, match="y: the labels are of several kinds, .* in row 0 and '.' in row 1"
        ):
            clone(CLASSIFIERS[name]).fit(X[:40], [*mixed] * 20)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize("kind", [bool, int, np.int16, np.bool_])
def test_objects_of_one_kind_are_labels_of_that_kind(name, kind):
    pandas = pytest.importorskip("pandas")
    labels = np.asarray([kind(value) for value in Y > 0], dtype=object)
    nullable = pandas.Series(labels).astype("boolean" if kind in (bool, np.bool_) else "Int64")
    for given in (labels, pandas.Series(labels, index=range(5, 5 + N)), nullable):
        model = clone(CLASSIFIERS[name]).fit(X, given)
        assert model.classes_.dtype.kind == ("b" if kind in (bool, np.bool_) else "i")
        assert 0 <= model.score(X, given) <= 1


@pytest.mark.parametrize("make", [RealMLPRegressor, estimators.MLPRegressor])
def test_objects_that_are_no_numbers_are_no_targets(make):
    day = np.timedelta64(1, "D").astype(object)
    for items, words in (
        ([*map(str, Y)], "got text in row 0"),
        ([day] * N, "got durations in row 0"),
        ([0.5, np.datetime64("2020", "D").astype(object)] * (N // 2), "got dates or times in row 1"),
    ):
        with pytest.raises(DataError, match=f"y: expected real numbers, {words}"):
            make().fit(X, np.asarray(items, dtype=object))


def test_the_first_target_that_is_no_number_is_named():
    pandas = pytest.importorskip("pandas")
    for missing in (None, np.nan, pandas.NA, np.inf):
        with pytest.raises(DataError, match="y: expected finite numbers.*first row 7"):
            RealMLPRegressor().fit(X, pandas.Series([*Y[:7], missing, *Y[8:]], dtype=object))
    with pytest.raises(DataError, match="y_val: expected finite numbers.*first row 0"):
        RealMLPRegressor().fit(X, Y, X_val=X[:1], y_val=[np.nan])
    with pytest.raises(ShapeError, match="y: expected 200 rows.*got shape"):
        RealMLPRegressor().fit(X, np.zeros((N, 0)))


def test_weights_of_classes_that_some_rows_lack():
    labels = np.where(Y > 0.5, "b", "a")
    only = labels == "a"
    weights = {"b": 3.0}
    model = RealMLPClassifier(**{**SMALL, "n_epochs": 1}, class_weight=weights)
    model.fit(X, labels, X_val=X[only], y_val=labels[only])
    learner = estimators.MLPClassifier(4, class_weight=weights, random_state=0)
    learner.partial_fit(X, labels, classes=["a", "b"]).partial_fit(X[only], labels[only])
    alone = estimators.MLPClassifier(4, random_state=0)
    alone.partial_fit(X, labels, np.where(only, 1.0, 3.0), ["a", "b"]).partial_fit(X[only], labels[only])
    for one, other in zip(learner.coefs_, alone.coefs_, strict=True):
        assert np.array_equal(one, other)
    with pytest.raises(DataError, match="class_weight: The classes"):
        model.set_params(class_weight={"c": 3.0}).fit(X, labels)
    with pytest.raises(InputError, match="class_weight: expected None, 'balanced' or a dict, got 'balance'"):
        model.set_params(class_weight="balance").fit(X, labels)


def test_a_temperature_needs_rows_held_out():
    model = RealMLPClassifier(**{**SMALL, "n_epochs": 1}, calibrate=True, validation_fraction=0)
    with pytest.raises(InputError, match="calibrate: the temperature is fitted on rows held out"):
        model.fit(X, Y > 0)
    assert model.fit(X, Y > 0, X_val=X[:50], y_val=Y[:50] > 0).predict_proba(X).shape == (N, 2)
    assert model.set_params(n_folds=2).fit(X, Y > 0).predict_proba(X).shape == (N, 2)


@pytest.mark.parametrize(
    ("learned", "given"),
    [
        ([2019, 2020], [2020, 2021]),
        ([("u", "a"), ("u", "b")], [("v", "a"), ("v", "b")]),
        ([2019, "b"], [2019, "c"]),
    ],
)
def test_names_that_are_no_text_are_names_all_the_same(learned, given):
    pandas = pytest.importorskip("pandas")
    model = RealMLPRegressor(**{**SMALL, "n_epochs": 2})

    def frame(values, names):
        found = pandas.DataFrame(values)
        found.columns = pandas.Index(names, tupleize_cols=True)
        return found

    model.fit(frame(X, learned), Y)
    expected = model.predict(X)  # without names, by place
    assert np.array_equal(model.predict(frame(X, learned)), expected)
    assert np.array_equal(model.predict(frame(X[:, ::-1], learned[::-1])), expected)
    assert np.array_equal(model.predict(pandas.DataFrame(X)), expected)
    with pytest.raises(DataError, match="missing .*unexpected"):
        model.predict(frame(X, given))


def test_numbers_whose_sum_overflows_have_a_median():
    wide = np.where(np.arange(N) % 2, 1.7e308, 1.6e308)
    table = {"a": wide}
    schema = Schema.of(table)
    encoded = schema.encode(table)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        preparation = Preparation.of(schema, encoded)
        matrix = preparation.matrix(encoded)
    assert preparation.fill == pytest.approx((1.65e308,))
    assert len(np.unique(matrix)) == 2
