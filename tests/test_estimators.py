"""The estimators against scikit-learn: its own checks, its own networks, its tools."""

from __future__ import annotations

import pickle
import subprocess
import sys
import warnings

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.neural_network import MLPClassifier as SklearnClassifier
from sklearn.neural_network import MLPRegressor as SklearnRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import multimlp as mm
from multimlp.backend import is_installed
from multimlp.errors import DataError, InputError, NonFiniteLossError
from multimlp.estimators import EnsembleMLPClassifier, EnsembleMLPRegressor, MLPClassifier, MLPRegressor
from multimlp.estimators._fitted_network import Network
from multimlp.mlp import Dense

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

BACKENDS = [n for n in ("numpy", "torch", "jax", "tensorflow") if is_installed(n)]
every_backend = pytest.mark.parametrize("backend", BACKENDS)

IRIS = load_iris(return_X_y=True)
DIABETES = load_diabetes(return_X_y=True)
REGRESSION = DIABETES[0] / DIABETES[0].std(0), (DIABETES[1] - DIABETES[1].mean()) / DIABETES[1].std()


# ---- scikit-learn's own checks --------------------------------------------------------------------------


@parametrize_with_checks(
    [
        MLPClassifier(max_iter=100),
        MLPRegressor(max_iter=100),
        MLPRegressor(max_iter=100, target_scaling="standard"),
    ]
)
def test_sklearn_checks(estimator, check):
    check(estimator)


@parametrize_with_checks(
    [EnsembleMLPClassifier(max_iter=50, n_members=2), EnsembleMLPRegressor(max_iter=50, n_members=2)]
)
def test_sklearn_checks_of_ensembles(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(
    [
        kind(max_iter=100, backend=name)
        for name in BACKENDS
        if name != "numpy"
        for kind in (MLPClassifier, MLPRegressor)
    ]
)
def test_sklearn_checks_on_other_backends(estimator, check):
    check(estimator)


# ---- the same numbers as scikit-learn's -----------------------------------------------------------------


def from_the_same_start(theirs, ours, X, y, sample_weight=None, **settings):
    """Both fitted for eight epochs from scikit-learn's initial parameters, rows in the order given."""
    settings = {"hidden_layer_sizes": (7, 5), "warm_start": True, "shuffle": False, **settings}
    theirs = theirs(max_iter=1, **settings).fit(X, y)
    ours = ours(max_iter=1, **settings).fit(X, y)
    start = tuple(Dense(w.copy(), b.copy()) for w, b in zip(theirs.coefs_, theirs.intercepts_, strict=True))
    ours._network = Network(ours._network.mlp, start)
    for model in (theirs, ours):
        model.set_params(max_iter=8)
        model.loss_curve_, model.best_loss_, model.t_ = [], np.inf, 0
        model.fit(X, y, sample_weight=sample_weight)
    return theirs, ours


TARGETS = {
    "classes": IRIS[1],
    "binary": IRIS[1] > 0,
    "multilabel": np.stack([IRIS[1] > 0, IRIS[1] > 1], axis=1),
}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    "settings",
    [
        {"solver": "sgd", "activation": "logistic"},
        {"solver": "sgd", "learning_rate": "adaptive", "nesterovs_momentum": False},
        {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.1, "momentum": 0.0},
        {"solver": "sgd", "alpha": 1.0, "activation": "tanh"},
    ],
    ids=["logistic", "adaptive", "invscaling", "penalty"],
)
def test_the_trajectory_is_scikit_learns(target, settings):
    y = TARGETS[target].astype(int)
    theirs, ours = from_the_same_start(
        SklearnClassifier, MLPClassifier, IRIS[0], y, batch_size=50, **settings
    )
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-12)
    for one, other in zip(ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(ours.predict_proba(IRIS[0]), theirs.predict_proba(IRIS[0]), rtol=1e-9)
    np.testing.assert_array_equal(ours.predict(IRIS[0]), theirs.predict(IRIS[0]))
    names = ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_")
    assert {n: getattr(ours, n) for n in names} == {n: getattr(theirs, n) for n in names}
    assert ours.best_loss_ == pytest.approx(theirs.best_loss_, rel=1e-12)


@pytest.mark.parametrize("columns", [1, 2])
def test_the_regressors_trajectory_is_scikit_learns(columns):
    X, y = REGRESSION[0][:400], REGRESSION[1][:400]
    y = y if columns == 1 else np.stack([y, y**2], axis=1)
    theirs, ours = from_the_same_start(SklearnRegressor, MLPRegressor, X, y, solver="sgd", batch_size=50)
    for one, other in zip(ours.coefs_, theirs.coefs_, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-9)
    assert ours.score(X, y) == pytest.approx(theirs.score(X, y))


def test_sample_weights_are_scikit_learns():
    weights = np.random.default_rng(0).uniform(0.5, 2, len(IRIS[1]))
    theirs, ours = from_the_same_start(
        SklearnClassifier, MLPClassifier, *IRIS, weights, solver="sgd", batch_size=50, alpha=0.0
    )
    for one, other in zip(ours.coefs_, theirs.coefs_, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
    with pytest.raises(ValueError, match="non-zero|all zero"):
        MLPClassifier().fit(*IRIS, sample_weight=np.zeros(len(IRIS[1])))


@pytest.mark.parametrize("data", ["digits", "breast_cancer"])
def test_scores_are_not_worse_than_scikit_learns(data):
    X, y = {"digits": load_digits, "breast_cancer": load_breast_cancer}[data](return_X_y=True)
    X, X_test, y, y_test = train_test_split(X, y, random_state=0, stratify=y, test_size=0.4)
    scale = StandardScaler().fit(X)
    scores = {}
    for kind in (SklearnClassifier, MLPClassifier):
        runs = [kind(32, random_state=seed, max_iter=40).fit(scale.transform(X), y) for seed in range(3)]
        scores[kind] = np.mean([model.score(scale.transform(X_test), y_test) for model in runs])
    assert scores[MLPClassifier] > scores[SklearnClassifier] - 0.01
    assert scores[MLPClassifier] > 0.93


@pytest.mark.parametrize("backend", [name for name in BACKENDS if name != "numpy"])
def test_all_backends_learn_the_same(backend):
    settings = {
        "hidden_layer_sizes": 6,
        "random_state": 0,
        "max_iter": 5,
        "dropout": 0.2,
        "alpha": 0.1,
        "activation": "gelu",
    }
    here = MLPClassifier(backend="numpy", **settings).fit(*IRIS)
    there = MLPClassifier(backend=backend, **settings).fit(*IRIS)
    np.testing.assert_allclose(there.loss_curve_, here.loss_curve_, rtol=1e-9)
    np.testing.assert_allclose(there.predict_proba(IRIS[0]), here.predict_proba(IRIS[0]), rtol=1e-8)


# ---- scikit-learn's tools -------------------------------------------------------------------------------


def test_pipeline_grid_search_clone_and_cross_validation():
    model = make_pipeline(
        StandardScaler(), MLPClassifier(8, max_iter=30, random_state=0, learning_rate_init=0.02)
    )
    grid = {"mlpclassifier__alpha": [1e-4, 1e-2], "mlpclassifier__activation": ["tanh", "mish"]}
    search = GridSearchCV(model, grid, cv=2).fit(*IRIS)
    assert search.best_score_ > 0.85
    scores = cross_val_score(clone(search.best_estimator_), *IRIS, cv=3, n_jobs=2)
    assert scores.mean() > 0.85


def test_early_stopping_keeps_the_best_and_partial_fit_goes_on():
    X, y = load_digits(return_X_y=True)
    model = MLPClassifier(16, early_stopping=True, max_iter=15, random_state=0, n_iter_no_change=3).fit(
        X[:600], y[:600]
    )
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert len(model.validation_scores_) == model.n_iter_
    assert model.best_loss_ is None
    whole = MLPClassifier(16, random_state=0, batch_size=64, shuffle=False)
    for _ in range(3):
        whole.partial_fit(X[:512], y[:512], classes=np.arange(10))
    again = MLPClassifier(16, random_state=0, batch_size=64, shuffle=False, max_iter=3).fit(X[:512], y[:512])
    np.testing.assert_allclose(whole.loss_curve_, again.loss_curve_, rtol=1e-12)


def test_partial_fit_goes_on_after_pickling_as_if_nothing_had_happened():
    first = MLPClassifier(6, random_state=0).partial_fit(*IRIS, classes=[0, 1, 2])
    second = pickle.loads(pickle.dumps(first))
    for _ in range(3):
        first.partial_fit(*IRIS)
        second.partial_fit(*IRIS)
    np.testing.assert_allclose(first.coefs_[0], second.coefs_[0], rtol=1e-12)
    with pytest.raises(ValueError, match=r"not in `self.classes_`"):
        first.partial_fit(IRIS[0], IRIS[1] + 1)


@every_backend
def test_pickles_hold_numpy_arrays_and_load_where_the_backend_is_not(backend, tmp_path):
    model = MLPClassifier(6, backend=backend, max_iter=5, random_state=0).fit(*IRIS)
    joblib.dump(model, tmp_path / "model.joblib")
    np.testing.assert_array_equal(
        joblib.load(tmp_path / "model.joblib").predict(IRIS[0]), model.predict(IRIS[0])
    )
    np.save(tmp_path / "proba.npy", model.predict_proba(IRIS[0]))
    code = f"""
import importlib.abc, sys
class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "jax", "tensorflow"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
import importlib.util
found = importlib.util.find_spec
absent = ("torch", "jax", "tensorflow")
importlib.util.find_spec = lambda name, *rest: None if name in absent else found(name, *rest)
import joblib, numpy as np
from sklearn.datasets import load_iris
model = joblib.load(r"{tmp_path / "model.joblib"}")
before = np.load(r"{tmp_path / "proba.npy"}")
np.testing.assert_allclose(model.predict_proba(load_iris().data), before, rtol=1e-9)
assert not {{"torch", "jax", "tensorflow"}} & set(sys.modules)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-2000:]


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_data_frames_and_their_names(library):
    frames = pytest.importorskip(library)
    names = ["a", "b", "c", "d"]
    frame = frames.DataFrame(dict(zip(names, IRIS[0].T, strict=True)))
    model = MLPClassifier(6, max_iter=20, random_state=0).fit(frame, IRIS[1])
    assert model.feature_names_in_.tolist() == names
    np.testing.assert_array_equal(model.predict(frame), model.predict(frame.to_numpy()))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[["b", "a", "c", "d"]])


# ---- what scikit-learn's networks do not have -----------------------------------------------------------


@pytest.mark.parametrize("activation", mm.activations.names())
def test_every_activation(activation):
    model = MLPClassifier(8, activation=activation, max_iter=3, random_state=0).fit(*IRIS)
    assert np.all(np.isfinite(model.loss_curve_))


def test_losses_class_weights_and_callbacks():
    smooth = mm.losses.with_options("cross_entropy", label_smoothing=0.2)
    settings = {"max_iter": 200, "learning_rate_init": 0.02, "random_state": 0}
    surest = [
        MLPClassifier(8, loss=loss, **settings).fit(*IRIS).predict_proba(IRIS[0]).max()
        for loss in (smooth, "log_loss")
    ]
    assert surest[0] < 0.99 < surest[1]
    margin = MLPClassifier(8, loss="hinge", max_iter=100, learning_rate_init=0.02, random_state=0).fit(
        IRIS[0], IRIS[1] > 0
    )
    assert margin.score(IRIS[0], IRIS[1] > 0) > 0.95
    assert not hasattr(margin, "predict_proba")
    rare = np.flatnonzero(IRIS[1] != 2).tolist() + np.flatnonzero(IRIS[1] == 2)[:5].tolist()
    X, y = IRIS[0][rare], IRIS[1][rare]
    recalls = []
    for weight in (None, "balanced"):
        fitted = MLPClassifier(
            4, class_weight=weight, max_iter=150, random_state=0, learning_rate_init=0.01
        ).fit(X, y)
        recalls.append(np.mean(fitted.predict(IRIS[0][IRIS[1] == 2]) == 2))
    assert recalls[1] > recalls[0]
    seen = []

    def watch(run):
        seen.append(run.latest()["loss"])
        if run.epoch == 4:
            run.stop("enough")

    stopped = MLPClassifier(4, callbacks=[watch], max_iter=50).fit(*IRIS)
    assert stopped.n_iter_ == 4
    assert seen == stopped.loss_curve_


@pytest.mark.parametrize("loss", ["poisson", "huber", "mae"])
def test_losses_of_regressors(loss):
    counts = np.random.default_rng(0).poisson(np.exp(REGRESSION[0][:, 2] / 2))
    model = MLPRegressor(loss, 8, max_iter=60, random_state=0, learning_rate_init=0.01).fit(
        REGRESSION[0], counts
    )
    assert (model.predict(REGRESSION[0]) > 0).all() or loss != "poisson"
    assert model.score(REGRESSION[0], counts) > 0.1


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("hidden_layer_sizes", -1),
        ("hidden_layer_sizes", (3, 0)),
        ("solver", "newton"),
        ("alpha", -1),
        ("batch_size", 0),
        ("learning_rate", "cosine"),
        ("learning_rate_init", 0),
        ("max_iter", 0),
        ("momentum", 1.5),
        ("validation_fraction", 1.0),
        ("dropout", 1.0),
        ("activation", "rleu"),
        ("loss", "log_los"),
        ("backend", "torhc"),
        ("dtype", "int8"),
        ("callbacks", [3]),
    ],
)
def test_bad_parameters_are_named(parameter, value):
    name = {"hidden_layer_sizes": "hidden"}.get(parameter, parameter)
    with pytest.raises(ValueError, match=name):
        MLPClassifier(**{parameter: value}).fit(*IRIS)


def test_divergence_is_an_error_that_says_what_to_do():
    with pytest.raises(NonFiniteLossError, match="learning_rate_init"), np.errstate(all="ignore"):
        MLPRegressor(solver="sgd", learning_rate_init=1e6, random_state=0).fit(IRIS[0] * 1e6, IRIS[1])


def test_reaching_max_iter_warns():
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        with pytest.raises(ConvergenceWarning, match="Maximum iterations"):
            MLPClassifier(4, max_iter=2).fit(*IRIS)


# ---- ensembles ----------------------------------------


@every_backend
def test_an_ensembles_first_member_is_the_single_network(backend):
    settings = {"hidden_layer_sizes": 8, "random_state": 0, "alpha": 5.0, "max_iter": 8, "backend": backend}
    several = EnsembleMLPClassifier(n_members=3, **settings).fit(*IRIS)
    single = MLPClassifier(**settings).fit(*IRIS)
    for one, other in zip(several.coefs_, single.coefs_, strict=True):
        np.testing.assert_allclose(one[0], other, rtol=1e-9, atol=1e-12)
    members = several.predict_members(IRIS[0])
    np.testing.assert_allclose(members[0], single.predict_proba(IRIS[0]), rtol=1e-9)
    np.testing.assert_allclose(several.predict_proba(IRIS[0]), members.mean(0), rtol=1e-12)
    np.testing.assert_allclose(several.predict_spread(IRIS[0]), members.std(0), rtol=1e-9, atol=1e-15)


def test_ensembles_of_regressors_and_in_grid_search():
    X, y = REGRESSION
    model = EnsembleMLPRegressor(hidden_layer_sizes=8, n_members=4, random_state=0, max_iter=40)
    search = GridSearchCV(model, {"learning_rate_init": [1e-5, 1e-2]}, cv=2).fit(X, y)
    assert search.best_params_ == {"learning_rate_init": 1e-2}
    best = search.best_estimator_
    assert best.predict(X).shape == best.predict_spread(X).shape == y.shape
    np.testing.assert_allclose(best.predict(X), best.predict_members(X).mean(0), rtol=1e-12)
    far = best.predict_spread(X * 20).mean()
    assert far > 3 * best.predict_spread(X).mean()
    with pytest.raises(InputError, match="lbfgs"):
        EnsembleMLPRegressor(solver="lbfgs").fit(X, y)


# ---- targets in units that suit a network


def test_target_scaling_makes_the_defaults_learn_diabetes():
    plain = MLPRegressor(random_state=0).fit(*DIABETES)
    scaled = MLPRegressor(random_state=0, target_scaling="standard").fit(*DIABETES)
    assert plain.score(*DIABETES) < 0 < 0.4 < scaled.score(*DIABETES)


@pytest.mark.parametrize("backend", ["numpy", "torch", "jax"])
@pytest.mark.parametrize("kind", [MLPRegressor, EnsembleMLPRegressor])
@pytest.mark.parametrize("columns", [1, 2])
def test_target_scaling_is_standardising_by_hand(kind, columns, backend):
    X, y = DIABETES[0][:80], np.stack([DIABETES[1], 1e6 + 5 * DIABETES[1]], axis=1)[:80, :columns]
    y = y[:, 0] if columns == 1 else y
    weights = np.linspace(0, 2, 80)
    options = {"hidden_layer_sizes": 8, "max_iter": 5, "random_state": 0, "backend": backend}
    model = kind(target_scaling="standard", **options).fit(X, y, weights)
    mean = np.average(y, axis=0, weights=weights)
    deviation = np.sqrt(np.average((y - mean) ** 2, axis=0, weights=weights))
    by_hand = kind(**options).fit(X, (y - mean) / deviation, weights)
    np.testing.assert_allclose(model.predict(X), by_hand.predict(X) * deviation + mean, rtol=1e-12)
    np.testing.assert_allclose(model.loss_curve_, by_hand.loss_curve_, rtol=1e-9)
    if kind is EnsembleMLPRegressor:
        np.testing.assert_allclose(model.predict_spread(X), by_hand.predict_spread(X) * deviation, rtol=1e-5)
    outputs = mm.predict(*model.to_mlp(), X) if backend == "numpy" else None
    if outputs is not None:
        mean_output = outputs.mean(axis=0) if kind is EnsembleMLPRegressor else outputs
        np.testing.assert_allclose(mean_output.reshape(model.predict(X).shape), model.predict(X), rtol=1e-12)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_allclose(again.predict(X), model.predict(X), rtol=1e-12)


def test_target_scaling_goes_on_in_the_first_units():
    X, y = DIABETES
    options = {"hidden_layer_sizes": 8, "random_state": 0, "target_scaling": "standard"}
    model = MLPRegressor(**options).partial_fit(X, y)
    first = model.predict(X)
    coefficients = model.coefs_[-1]
    model.partial_fit(X[:50], 1000 * y[:50])
    assert (
        np.abs(model.predict(X) - first).max() < 0.5 * y.std()
    )  # one small step, in the units of the first rows
    assert np.abs(model.coefs_[-1] - coefficients).max() < 0.1 * y.std()
    with pytest.raises(ValueError, match="target_scaling"):
        model.set_params(target_scaling=None).partial_fit(X, y)
    warm = MLPRegressor(**options, max_iter=3, warm_start=True).fit(X, y).fit(X, y)
    assert np.isfinite(warm.score(X, y))


def test_target_scaling_with_early_stopping_scores_the_targets_themselves():
    X, y = DIABETES
    model = MLPRegressor(
        random_state=0, target_scaling="standard", early_stopping=True, learning_rate_init=0.01
    )
    model.fit(X, y)
    assert 0.2 < model.best_validation_score_ < 1


def test_target_scaling_of_constant_and_huge_targets():
    X = DIABETES[0][:40]
    for y in (np.full(40, 0.1), np.linspace(-1e200, 3e200, 40)):
        model = MLPRegressor(
            hidden_layer_sizes=8, random_state=0, target_scaling="standard", max_iter=300
        ).fit(X, y)
        assert np.abs(model.predict(X) - y).max() <= np.ptp(y) + 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"target_scaling": "robust"}, "target_scaling: expected None or 'standard', got 'robust'"),
        ({"target_scaling": True}, "target_scaling: expected None or 'standard'"),
        ({"target_scaling": "standard", "loss": "poisson"}, "no predictions"),
    ],
)
def test_target_scaling_refuses(options, words):
    with pytest.raises(ValueError, match=words):
        MLPRegressor(**options).fit(DIABETES[0], DIABETES[1])


def test_losses_of_distributions_in_the_estimators():
    X, y = REGRESSION
    options = {"hidden_layer_sizes": 8, "max_iter": 40, "random_state": 0, "learning_rate_init": 0.01}
    for loss in ("gaussian_nll", "student_nll", "mixture_nll", "quantile"):
        model = MLPRegressor(loss, **options).fit(X, y)
        assert model.predict(X).shape == y.shape
        assert model.score(X, y) > 0.3
    several = mm.losses.with_options("quantile", quantiles=(0.1, 0.9))
    with pytest.raises(InputError, match="output='quantile'"):
        MLPRegressor(several, **options).fit(X, y)
    for loss in ("ordinal", "gaussian_nll"):
        with pytest.raises(InputError, match="loss: "):
            MLPClassifier(8, loss=loss, max_iter=2).fit(*IRIS)


# ---- tables that are no matrix of numbers

TABLES = {
    "text": ({"a": [1.0, 2.0], "s": ["u", "v"]}, "the column 's' holds text: could not convert"),
    "dates": ({"a": [1.0, 2.0], "t": np.asarray(["2020-01-01", "2020-01-02"], dtype="M8[us]")}, "the column 't' holds dates"),
    "gaps": ({"a": [1.0, np.nan]}, "X: Input X contains NaN."),
}  # fmt: skip


@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize("case", TABLES)
def test_tables_are_refused_with_the_column_and_who_takes_them(case, library):
    frames = pytest.importorskip(library)
    columns, words = TABLES[case]
    for kind, other in ((MLPClassifier, "RealMLPClassifier"), (MLPRegressor, "RealMLPRegressor")):
        with pytest.raises(
            DataError, match=rf"{words}.*{kind.__name__} takes numbers alone.*{other} and TabM"
        ):
            kind(max_iter=2).fit(frames.DataFrame(columns), [0, 1])


def test_an_array_of_dates_is_refused():
    with pytest.raises(DataError, match="the array holds dates or times"):
        MLPRegressor(max_iter=2).fit(np.asarray([["2020-01-01"], ["2020-01-02"]], dtype="M8[D]"), [0.0, 1.0])


@every_backend
def test_predictions_for_numpy_arrays_can_be_written_to(backend):
    X, y = IRIS
    options = {"hidden_layer_sizes": [3], "backend": backend, "max_iter": 2, "random_state": 0}
    classifier = MLPClassifier(**options).fit(X, y)
    regressor = MLPRegressor(**options).fit(X, y)
    for found in (classifier.predict(X), classifier.predict_proba(X), regressor.predict(X)):
        assert found.flags.writeable
