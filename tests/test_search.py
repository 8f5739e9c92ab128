"""`MLPSearchCV`: the scores of scikit-learn's searches on the same estimator, and its manners."""

import json

import numpy as np
import pytest
from scipy import stats
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import FitFailedWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, KFold, RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from multimlp.errors import FileFormatError, InputError
from multimlp.estimators import MLPClassifier, MLPRegressor, MLPSearchCV

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = load_iris(return_X_y=True)
X, Y = X[::2], Y[::2]
WEIGHT = np.random.default_rng(0).random(len(Y))
CLASSIFIER = MLPClassifier(
    8, max_iter=30, random_state=0, learning_rate_init=0.01, tol=0.02, n_iter_no_change=2
)
REGRESSOR = MLPRegressor(hidden_layer_sizes=5, max_iter=12, random_state=1, solver="sgd")
PIPELINE = make_pipeline(StandardScaler(), CLASSIFIER)
NUMBERS = {
    "alpha": [0.0, 0.5],
    "learning_rate_init": [0.003, 0.03],
    "dropout": [0.0, 0.3],
    "beta_1": [0.5, 0.9],
}

ALIKE = {
    "numbers": (CLASSIFIER, NUMBERS, {}),
    "shapes": (CLASSIFIER, {"hidden_layer_sizes": [4, (3, 3)], "solver": ["adam", "lbfgs"], "alpha": [0.0, 0.1]}, {}),
    "grids": (CLASSIFIER, [{"alpha": [0.1]}, {"activation": ["tanh"], "epsilon": [1e-8, 1e-2]}], {"cv": 2}),
    "seeds": (CLASSIFIER, {"random_state": [0, 1], "alpha": [0.0, 1.0]}, {"cv": KFold(3, shuffle=True, random_state=0)}),
    "early": (
        clone(CLASSIFIER).set_params(early_stopping=True, validation_fraction=0.3, n_iter_no_change=1),
        {"alpha": [0.0, 1.0], "learning_rate_init": [0.03, 0.003]},
        {"return_train_score": True},
    ),
    "early regressor": (
        clone(REGRESSOR).set_params(early_stopping=True, tol=0.1, n_iter_no_change=1, target_scaling="standard"),
        {"momentum": [0.0, 0.9], "alpha": [0.0, 10.0]},
        {},
    ),
    "regressor": (REGRESSOR, {"momentum": [0.0, 0.9], "alpha": [0.0, 0.1]}, {}),
    "target scaling": (clone(REGRESSOR).set_params(solver="adam"), {"target_scaling": [None, "standard"], "alpha": [0.0, 0.1]}, {}),
    "adaptive": (clone(REGRESSOR).set_params(learning_rate="adaptive"), {"momentum": [0.0, 0.9]}, {}),
    "pipeline": (PIPELINE, {"mlpclassifier__alpha": [0.0, 1.0], "standardscaler__with_mean": [True, False]}, {}),
    "many scores": (CLASSIFIER, {"alpha": [0.0, 1.0]}, {"scoring": ["accuracy", "neg_log_loss"], "refit": "neg_log_loss"}),
    "one score": (CLASSIFIER, {"alpha": [0.0, 1.0]}, {"scoring": "f1_macro", "return_train_score": True}),
    "rms": (clone(CLASSIFIER).set_params(solver="rmsprop"), {"learning_rate_init": [0.01, 0.001]}, {}),
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        *((name, None) for name in ALIKE),
        *((name, WEIGHT) for name in ("numbers", "regressor", "shapes", "early", "early regressor")),
    ],
)
def test_scores_are_those_of_a_grid_search(name, weights):
    estimator, grid, given = ALIKE[name]
    given = {"cv": 3, **given}
    theirs, ours = GridSearchCV(estimator, grid, **given), MLPSearchCV(estimator, grid, **given)
    fit = {} if weights is None else {"sample_weight": weights}
    theirs.fit(X, Y, **fit)
    ours.fit(X, Y, **fit)
    assert theirs.cv_results_.keys() == ours.cv_results_.keys()
    for key, values in theirs.cv_results_.items():
        if key == "params":
            assert values == ours.cv_results_[key]
        elif key.startswith("param_"):
            assert values.tolist() == ours.cv_results_[key].tolist()
            assert values.dtype == ours.cv_results_[key].dtype
        elif "time" not in key:
            np.testing.assert_allclose(ours.cv_results_[key], values, rtol=1e-9, atol=1e-9, err_msg=key)
    assert ours.best_params_ == theirs.best_params_
    assert ours.score(X, Y) == pytest.approx(theirs.score(X, Y))
    assert np.array_equal(ours.predict(X), theirs.predict(X))
    assert bool(ours.alone_) == (name in ("shapes", "adaptive"))


@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize(
    "backend", ["numpy", "torch", "jax", pytest.param("tensorflow", marks=pytest.mark.slow)]
)
def test_each_candidate_ends_as_its_own_fit(backend, early):
    pytest.importorskip(backend)
    from multimlp.estimators._members import Fitting

    settings = [
        {"alpha": 0.5, "dropout": 0.2},
        {"learning_rate_init": 0.003},
        {"beta_1": 0.2, "epsilon": 1e-3},
    ]
    if backend not in ("numpy", "torch"):
        settings = settings[:2]
    given = {"backend": backend, "dtype": "float64", "max_iter": 20}
    if early:
        given |= {"early_stopping": True, "validation_fraction": 0.3, "tol": 0.0}
        settings[0]["learning_rate_init"] = 0.1
    alone = [clone(CLASSIFIER).set_params(**given, **s).fit(X, Y) for s in settings]
    together = [clone(CLASSIFIER).set_params(**given, **s) for s in settings]
    fitting = Fitting(together, X, Y, None)
    assert fitting.errors == [None] * len(settings)
    assert len({e.n_iter_ for e in alone}) > 1 or backend not in ("numpy", "torch")
    for one, other in zip(alone, together, strict=True):
        assert one.n_iter_ == other.n_iter_
        assert one.t_ == other.t_
        np.testing.assert_allclose(one.loss_curve_, other.loss_curve_, rtol=1e-11)
        assert one.best_loss_ == (None if early else pytest.approx(other.best_loss_, rel=1e-11))
        assert one.validation_scores_ == other.validation_scores_
        assert one.best_validation_score_ == other.best_validation_score_
        for a, b in zip(one.coefs_, other.coefs_, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-11)


def test_a_randomized_search():
    given = {"n_iter": 5, "cv": 2, "random_state": 3}
    distributions = {"alpha": stats.loguniform(1e-5, 1.0), "dropout": [0.0, 0.2]}
    theirs = RandomizedSearchCV(CLASSIFIER, distributions, **given).fit(X, Y)
    ours = MLPSearchCV(CLASSIFIER, param_distributions=distributions, **given).fit(X, Y)
    assert ours.cv_results_["params"] == theirs.cv_results_["params"]
    np.testing.assert_allclose(ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"])


def test_a_candidate_that_diverges_gets_the_error_score():
    estimator = MLPRegressor(hidden_layer_sizes=4, max_iter=5, random_state=0, solver="sgd")
    search = MLPSearchCV(estimator, {"learning_rate_init": [1e200, 0.001], "alpha": [-1.0, 0.1]}, cv=2)
    with pytest.warns(match="6 fits of 8 failed; the first, of candidate 0"):
        search.fit(X, Y)
    assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [True, True, True, False]
    assert search.best_params_ == {"alpha": 0.1, "learning_rate_init": 0.001}
    with pytest.raises(ValueError, match="alpha: expected a number"):
        clone(search).set_params(error_score="raise").fit(X, Y)
    with pytest.raises(ValueError, match="alpha: expected a number") as raised:
        MLPSearchCV(estimator, {"alpha": [-1.0]}, cv=2).fit(X, Y)
    assert "2 fits of 2 failed" in raised.value.__notes__[0]


def test_rows_held_out_of_which_nothing_is_finite_end_a_candidate_alone():
    estimator = MLPRegressor(
        hidden_layer_sizes=100, activation="identity", solver="sgd", max_iter=20, early_stopping=True, random_state=0
    )  # fmt: skip
    grid = {"learning_rate_init": [1.0, 0.001, 1e200]}
    theirs, ours = GridSearchCV(estimator, grid, cv=2), MLPSearchCV(estimator, grid, cv=2)
    for search in (theirs, ours):
        with pytest.warns(FitFailedWarning, match="2 fits"):
            search.fit(X, Y)
    np.testing.assert_allclose(
        ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"], rtol=1e-6
    )
    assert np.isnan(ours.cv_results_["mean_test_score"]).tolist() == [False, False, True]
    assert not ours.alone_


def broken(estimator, X, y):
    raise TypeError("no such score")


def test_a_scorer_that_fails_costs_its_own_scores_alone(tmp_path):
    given = {"cv": 2, "scoring": {"good": "accuracy", "bad": broken}, "refit": "good"}
    theirs = GridSearchCV(CLASSIFIER, {"alpha": [0.0, 1.0]}, **given)
    with pytest.warns(UserWarning, match="no such score"):
        theirs.fit(X, Y)
    ours = MLPSearchCV(CLASSIFIER, {"alpha": [0.0, 1.0]}, checkpoint=tmp_path, **given)
    for _ in range(2):
        with pytest.warns(
            FitFailedWarning, match="4 fits of 4 could not be scored by every scorer.*no such score"
        ):
            ours.fit(X, Y)
        for key in ("mean_test_good", "mean_test_bad", "rank_test_bad", "rank_test_good"):
            np.testing.assert_allclose(ours.cv_results_[key], theirs.cv_results_[key], err_msg=key)
    with pytest.raises(TypeError, match="no such score"):
        clone(ours).set_params(error_score="raise", checkpoint=None).fit(X, Y)


def test_whatever_a_fit_raises_gets_the_error_score():
    def own_loss(outputs, y):
        raise RuntimeError("not today")

    for estimator in (CLASSIFIER, clone(CLASSIFIER).set_params(solver="lbfgs")):
        search = MLPSearchCV(estimator, {"loss": ["log_loss", own_loss]}, cv=2)
        with pytest.warns(FitFailedWarning, match="2 fits of 4 failed.*RuntimeError: not today"):
            search.fit(X, Y)
        assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [False, True]


def test_who_decides_is_asked_before_anything_is_fitted(monkeypatch):
    monkeypatch.setattr(MLPSearchCV, "_scored", None)
    for refit in (True, "recall"):
        with pytest.raises(
            InputError, match="refit: with several scorers expected the name of the one that decides"
        ):
            MLPSearchCV(CLASSIFIER, {"alpha": [0.0]}, scoring=["accuracy", "f1_macro"], refit=refit).fit(X, Y)


def test_without_a_refit_there_is_nothing_to_predict_with():
    search = MLPSearchCV(CLASSIFIER, {"alpha": [0.1]}, cv=2, refit=False).fit(X, Y)
    assert search.best_params_ == {"alpha": 0.1}
    assert not hasattr(search, "predict")
    with pytest.raises(NotFittedError):
        MLPSearchCV(CLASSIFIER, {"alpha": [0.1]}).predict(X)
    chosen = MLPSearchCV(CLASSIFIER, {"alpha": [0.1, 0.2]}, cv=2, refit=lambda results: 1).fit(X, Y)
    assert chosen.best_params_ == {"alpha": 0.2}
    chosen.set_params(scoring=["accuracy", "f1_macro"]).fit(X, Y)
    assert chosen.best_params_ == {"alpha": 0.2}
    with pytest.raises(
        InputError, match="refit: a function has chosen by several scores, accuracy, f1_macro"
    ):
        chosen.score(X, Y)


@pytest.mark.parametrize(
    ("estimator", "given", "message"),
    [
        (StandardScaler(), {"param_grid": {"with_mean": [True]}}, "estimator: expected an MLPClassifier or MLPRegressor"),
        (CLASSIFIER, {}, "param_grid, param_distributions: give one of the two"),
        (CLASSIFIER, {"param_grid": {"alpha": [1.0]}, "cv": []}, "cv: expected at least one pair of rows"),
        (CLASSIFIER, {"param_grid": {"alpha": [1.0, 2.0]}, "refit": lambda results: 0.7}, "refit: expected a function that .* got 0.7"),
        (CLASSIFIER, {"param_distributions": {"alpha": [1.0]}, "n_iter": 0}, "n_iter: expected a positive integer"),
        (CLASSIFIER, {"param_grid": []}, "param_grid: expected at least one candidate"),
        (CLASSIFIER, {"param_grid": {"alpha": [1.0]}, "scoring": ["accuracy"]}, "refit: with several scorers expected the name"),
    ],
)  # fmt: skip
def test_wrong_arguments(estimator, given, message):
    with pytest.raises(InputError, match=message):
        MLPSearchCV(estimator, **{"cv": 2, **given}).fit(X, Y)


def test_in_a_pipeline():
    search = MLPSearchCV(CLASSIFIER, {"alpha": [0.0, 1.0]}, cv=2)
    model = make_pipeline(StandardScaler(), search).fit(X, Y)
    assert model.predict_proba(X).shape == (len(Y), 3)
    assert search.classes_.tolist() == [0, 1, 2]


MANY = {"max_iter": 100, "random_state": 0, "learning_rate_init": 0.03}


@parametrize_with_checks(
    [
        MLPSearchCV(MLPClassifier(10, **MANY), {"alpha": [0.001, 0.1]}, cv=2),
        MLPSearchCV(MLPRegressor(hidden_layer_sizes=20, **MANY), {"alpha": [0.001, 0.1]}, cv=2),
    ]
)
def test_sklearn_checks(estimator, check):
    check(estimator)


# ---- checkpoints ---------------------------------------------------------------------------------------------------------


def results(search):
    return {k: v for k, v in search.cv_results_.items() if "time" not in k}


def equal_results(one, other):
    assert results(one).keys() == results(other).keys()
    for name, values in results(one).items():
        if name == "params":
            assert values == other.cv_results_[name]
        else:
            np.testing.assert_array_equal(
                np.ma.getdata(values), np.ma.getdata(other.cv_results_[name]), err_msg=name
            )
    assert (one.alone_, one.best_params_, one.best_score_) == (
        other.alone_,
        other.best_params_,
        other.best_score_,
    )


@pytest.mark.parametrize("name", ["shapes", "pipeline", "many scores", "one score", "early"])
def test_a_search_that_was_cut_short_goes_on(tmp_path, monkeypatch, name):
    estimator, grid, given = ALIKE[name]
    given = {"cv": 3, **given}
    whole = MLPSearchCV(estimator, grid, **given).fit(X, Y, sample_weight=WEIGHT)
    folder = tmp_path / "new" / "search"
    kept = MLPSearchCV(estimator, grid, checkpoint=folder, **given)
    scored, calls = MLPSearchCV._scored, []

    def cut(self, *arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return scored(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(MLPSearchCV, "_scored", cut)
        with pytest.raises(KeyboardInterrupt):
            kept.fit(X, Y, sample_weight=WEIGHT)
        assert len(list(folder.iterdir())) == 2
        kept.fit(X, Y, sample_weight=WEIGHT)
        equal_results(kept, whole)
        patch.setattr(MLPSearchCV, "_scored", None)
        equal_results(kept.fit(X, Y, sample_weight=WEIGHT), whole)


def test_a_folder_belongs_to_its_search(tmp_path):
    grid = {"alpha": [0.0, 1.0]}
    MLPSearchCV(CLASSIFIER, grid, cv=3, checkpoint=tmp_path).fit(X, Y)
    for given, rows, message in [
        ((CLASSIFIER, {"alpha": [0.0, 2.0]}), (X, Y), "candidates="),
        ((clone(CLASSIFIER).set_params(max_iter=31), grid), (X, Y), "estimator="),
        ((CLASSIFIER, grid), (X + 1, Y), "X="),
        ((CLASSIFIER, grid), (X, Y, WEIGHT), "sample_weight=None"),
        ((CLASSIFIER, grid, {"cv": KFold(3)}), (X, Y), "splits="),
        ((CLASSIFIER, grid, {"scoring": "f1_macro"}), (X, Y), "scoring=None"),
    ]:
        *plain, more = given if len(given) == 3 else (*given, {})
        search = MLPSearchCV(*plain, checkpoint=tmp_path, **{"cv": 3, **more})
        with pytest.raises(InputError, match=rf"checkpoint: .* belongs to a search with {message}"):
            search.fit(*rows)
    labels = np.asarray(["a", "b", "c"])[Y]
    MLPSearchCV(CLASSIFIER, grid, cv=3, checkpoint=tmp_path / "labels").fit(X, labels)
    with pytest.raises(InputError, match="belongs to a search with y="):
        MLPSearchCV(CLASSIFIER, grid, cv=3, checkpoint=tmp_path / "labels").fit(X, labels[::-1])


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "3", "version", "scores"])
def test_damaged_scores_are_named(tmp_path, text):
    search = MLPSearchCV(CLASSIFIER, {"alpha": [0.0, 1.0]}, cv=2, checkpoint=tmp_path).fit(X, Y)
    path = tmp_path / "group-0-split-1.json"
    if text in ("version", "scores"):
        held = json.loads(path.read_text())
        held |= {"multimlp.search": 0} if text == "version" else {"scores": {"scores": [{}]}}
        text = json.dumps(held)
    path.write_text(text)
    with pytest.raises(FileFormatError, match=path.name):
        search.fit(X, Y)


def test_fits_that_failed_are_remembered(tmp_path):
    search = MLPSearchCV(CLASSIFIER, {"learning_rate_init": [0.01, -1.0]}, cv=2, checkpoint=tmp_path)
    whole = MLPSearchCV(CLASSIFIER, {"learning_rate_init": [0.01, -1.0]}, cv=2)
    for one in (whole, search, search):
        with pytest.warns(
            FitFailedWarning, match="2 fits of 4 failed; the first, of candidate 1 .*expected a number in"
        ):
            one.fit(X, Y)
    equal_results(search, whole)
    none = MLPSearchCV(CLASSIFIER, {"learning_rate_init": [-2.0, -1.0]}, cv=2, checkpoint=tmp_path / "none")
    for _ in range(2):
        with pytest.raises(ValueError, match="expected a number in"):
            none.fit(X, Y)
