"""How the estimators train: every solver on every backend, 16 bits, partial fits, interruption, and scikit-learn's rates step by step."""

from __future__ import annotations

import dataclasses
import os
import pickle
import signal
import warnings

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_digits, load_iris
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.neural_network import MLPClassifier as SklearnClassifier
from sklearn.neural_network import MLPRegressor as SklearnRegressor

from multimlp import losses, optimizers
from multimlp.backend import is_installed, load_backend
from multimlp.callbacks import EarlyStopping
from multimlp.errors import DataError, InputError, NonFiniteLossError
from multimlp.estimators import (
    EnsembleMLPClassifier,
    MLPClassifier,
    MLPRegressor,
    RealMLPClassifier,
    RealMLPRegressor,
    TabMClassifier,
)
from multimlp.estimators._fitted_network import Network
from multimlp.mlp import Dense
from multimlp.training.engines import inplace, portable

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

BACKENDS = [n for n in ("numpy", "torch", "jax", "tensorflow") if is_installed(n)]
COMPILED = [n for n in ("jax", "tensorflow") if n in BACKENDS]
HALVES = [
    (n, d) for n in BACKENDS for d in ("bfloat16", "float16") if d in load_backend(n).capabilities.dtypes
]
IRIS = load_iris(return_X_y=True)
DIABETES = load_diabetes(return_X_y=True)
REGRESSION = DIABETES[0] / DIABETES[0].std(0), (DIABETES[1] - DIABETES[1].mean()) / DIABETES[1].std()
COUNTS = np.random.default_rng(0).poisson(np.exp(REGRESSION[0][:, 2] / 2))


def same(one, other, rtol=1e-9):
    for mine, theirs in zip(one.coefs_ + one.intercepts_, other.coefs_ + other.intercepts_, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=rtol, atol=1e-12)


# ---- solvers -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", optimizers.names())
@pytest.mark.parametrize("backend", BACKENDS)
def test_every_solver_trains_the_same_on_every_backend(backend, solver):
    settings = {"hidden_layer_sizes": 5, "solver": solver, "random_state": 0, "max_iter": 3}
    for kind, data in ((MLPClassifier, IRIS), (MLPRegressor, REGRESSION)):
        there = kind(backend=backend, **settings).fit(*data)
        here = kind(backend="numpy", **settings).fit(*data)
        assert there.n_iter_ == here.n_iter_ == len(there.loss_curve_) == 3
        np.testing.assert_allclose(there.loss_curve_, here.loss_curve_, rtol=1e-9)
        np.testing.assert_allclose(there.coefs_[0], here.coefs_[0], rtol=1e-7, atol=1e-10)


# ---- 16 bits -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("backend", "dtype"), HALVES)
def test_16_bits_are_trained_with_float32_masters_and_a_loss_scale(backend, dtype):
    """A thousand steps of 1e-5 each move a weight of order 1 in float32; in 16 bits each of them is
    rounded away. (The gradients of a model in bfloat16 are noisy: there the way is another third of its length.)"""
    settings = {
        "hidden_layer_sizes": 6, "random_state": 0, "max_iter": 100, "batch_size": 15, "tol": 0.0,
        "solver": "adam", "learning_rate_init": 1e-5, "backend": backend, "alpha": 0.0,
    }  # fmt: skip
    start = MLPClassifier(dtype="float32", **{**settings, "max_iter": 1, "learning_rate_init": 1e-30})
    start.fit(*IRIS)
    wide, narrow = (MLPClassifier(dtype=d, **settings).fit(*IRIS) for d in ("float32", dtype))
    assert narrow.coefs_[0].dtype == np.float32
    moved, expected = (m.coefs_[1] - start.coefs_[1] for m in (narrow, wide))
    assert np.linalg.norm(moved - expected) < 0.5 * np.linalg.norm(expected)
    assert hasattr(narrow._training.optimizer_state(), "scale") == (dtype == "float16")
    assert narrow.predict_proba(IRIS[0]).dtype == np.float32
    again = pickle.loads(pickle.dumps(narrow))
    for model in (narrow, again):
        model.partial_fit(*IRIS)
    same(again, narrow, rtol=0)


def test_lbfgs_is_refused_in_float16_as_in_fit():
    with pytest.raises(InputError, match="'lbfgs' needs more precise losses than float16"):
        MLPClassifier(solver="lbfgs", dtype="float16", backend="numpy").fit(*IRIS)


@pytest.mark.parametrize(("tol", "warns"), [(1e-4, True), (1e3, False)])
def test_a_search_that_is_stuck_is_no_convergence(tol, warns):
    """With the derivative of another function no step helps: scikit-learn warns of it, too."""
    right = losses.get("mse")
    wrong = dataclasses.replace(
        right, name="wrong", gradient_function=lambda *arrays: -right.gradient(*arrays)
    )
    model = MLPRegressor(solver="lbfgs", loss=wrong, tol=tol, backend="numpy", random_state=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(*REGRESSION)
    said = [str(w.message) for w in caught if issubclass(w.category, ConvergenceWarning)]
    assert len(said) == warns
    assert all("the line search found no lower value in iteration 1, at a kink" in text for text in said)


# ---- partial fits --------------------------------------------------------------------------------------------------------


def rows(count, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((count, 4))
    return X, (X[:, 0] * X[:, 1] > 0).astype(int)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_partial_fit_takes_as_many_steps_as_its_own_rows_ask_for(backend):
    model = MLPClassifier(6, random_state=0, backend=backend)
    model.partial_fit(*rows(1), classes=[0, 1])
    assert model._training.steps == 1
    model.partial_fit(*rows(2000))
    assert model._training.steps == 11
    assert model.t_ == 2001


SOLVERS = [
    {"solver": "adam", "dropout": 0.3},
    {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.1},
    {"solver": "sgd", "learning_rate": "adaptive", "tol": 10.0, "n_iter_no_change": 1},
    {"solver": "rmsprop"},
]


@pytest.mark.parametrize("settings", SOLVERS, ids=lambda s: s.get("learning_rate", s["solver"]))
@pytest.mark.parametrize("backend", ["numpy", *COMPILED[:1]])
def test_pickling_between_partial_fits_changes_nothing(backend, settings):
    first = MLPClassifier(6, random_state=np.random.RandomState(0), backend=backend, **settings)
    first.partial_fit(*rows(50), classes=[0, 1])
    second = pickle.loads(pickle.dumps(first))
    for count in (50, 1, 300, 300, 450):
        first.partial_fit(*rows(count, seed=count))
        second.partial_fit(*rows(count, seed=count))
        second = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(second))))
    same(first, second, rtol=1e-12)
    assert first.loss_curve_ == pytest.approx(second.loss_curve_, rel=1e-12)
    assert first._rate == second._rate


def test_another_solver_between_partial_fits_begins_with_a_memory_of_its_own():
    first = MLPClassifier(6, random_state=0).partial_fit(*rows(50), classes=[0, 1])
    second = pickle.loads(pickle.dumps(first))
    for model in (first, second):
        model.set_params(solver="sgd").partial_fit(*rows(50))
    same(first, second)


# ---- parameters set between calls ----------------------------------------------------------------------------------------

SHORT = {"random_state": 0, "max_iter": 3}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("again", ["fit", "partial_fit"])
def test_a_network_that_is_trained_further_has_the_activation_and_dropout_of_now(backend, again):
    X, y = IRIS
    options = {"hidden_layer_sizes": 4, "warm_start": True, "backend": backend, "dtype": "float64", **SHORT}
    ours, theirs = MLPClassifier(**options).fit(X, y), MLPClassifier(**options, activation="tanh").fit(X, y)
    theirs._network = Network(theirs._network.mlp, ours._network.params)
    theirs._training = theirs._paused = None
    state = ours.__getstate__()
    ours.__setstate__(state)
    ours._paused = None
    ours.set_params(activation="tanh")
    for model in (ours, theirs):
        getattr(model, again)(X, y)
    same(ours, theirs, rtol=1e-12)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-12)
    assert ours.set_params(dropout=0.5).fit(X, y)._network.mlp.dropout == 0.5


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"hidden_layer_sizes": (7,)}, r"hidden_layer_sizes, activation, loss: .*\(4, 4\).*\(4, 7\)"),
        ({"hidden_layer_sizes": (4, 4)}, "hidden_layer_sizes, activation, loss"),
        ({"activation": "glu"}, "hidden_layer_sizes, activation, loss"),
        ({"n_members": 2}, "n_members: expected None, as in the last call"),
    ],
)
@pytest.mark.parametrize("again", ["fit", "partial_fit"])
def test_another_network_is_not_trained_further(changed, said, again):
    model = MLPClassifier(4, warm_start=True, **SHORT).fit(*IRIS)
    before = model.predict_proba(IRIS[0]), model.n_iter_, list(model.loss_curve_)
    with pytest.raises(InputError, match=said):
        getattr(model.set_params(**changed), again)(*IRIS)
    np.testing.assert_array_equal(model.predict_proba(IRIS[0]), before[0])
    assert (model.n_iter_, model.loss_curve_) == before[1:]


def test_a_fit_that_failed_leaves_no_network_of_other_classes():
    X, y = IRIS
    model = MLPClassifier(4, solver="sgd", **SHORT).fit(X, y)
    with pytest.raises(ValueError, match="X"):
        model.fit(X[:0], y[:0])
    assert model.predict(X).shape == (150,)
    with pytest.raises(NonFiniteLossError):
        model.set_params(learning_rate_init=1e200).fit(X, np.asarray(["a", "b", "c"])[y])
    with pytest.raises(NotFittedError):
        model.predict(X)


def test_predictions_are_those_of_the_fit_whatever_is_set_since():
    X, y = IRIS
    counts = MLPRegressor(loss="poisson", hidden_layer_sizes=4, **SHORT).fit(X, y)
    members = EnsembleMLPClassifier(4, n_members=3, **SHORT).fit(X, y)
    margins = MLPClassifier(4, loss="hinge", **SHORT).fit(X, y == 1)
    for model, changed in (
        (counts, {"loss": "squared_error"}),
        (members, {"n_members": None, "loss": "cross_entropy"}),
        (margins, {"loss": "log_loss"}),
    ):
        before = model.predict(X), model.score(X, y)
        copied = pickle.loads(pickle.dumps(model.set_params(**changed)))
        for one in (model, copied):
            np.testing.assert_array_equal(one.predict(X), before[0])
            assert one.score(X, y) == before[1]
    assert members.predict_members(X).shape == (3, 150, 3)
    assert not hasattr(margins, "predict_proba")
    assert margins.fit(X, y == 1).predict_proba(X).shape == (150, 2)


@pytest.mark.parametrize("backend", BACKENDS)
def test_partial_fits_go_on_from_the_parameters_that_early_stopping_kept(backend):
    X, y = load_digits(return_X_y=True)
    X, y = X[:300] / 16, y[:300]
    settings = {"early_stopping": True, "learning_rate_init": 0.05, "random_state": 0, "max_iter": 30}
    model = MLPClassifier(16, backend=backend, dtype="float64", **settings).fit(X, y)
    assert np.argmax(model.validation_scores_) < model.n_iter_ - 1
    best = [w.copy() for w in model.coefs_]
    model._rate = 1e-12
    model.set_params(early_stopping=False).partial_fit(X, y)
    for kept, now in zip(best, model.coefs_, strict=True):
        np.testing.assert_allclose(now, kept, rtol=0, atol=1e-8)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_a_callback_restores_is_kept(backend):
    X, y = IRIS
    stopping = EarlyStopping("loss", mode="max", patience=4)  # the first epoch is the best
    model = MLPClassifier(
        4, callbacks=[stopping], learning_rate_init=0.05, backend=backend, dtype="float64", **SHORT
    )
    model.fit(X, y)
    first = MLPClassifier(
        4, learning_rate_init=0.05, random_state=0, max_iter=1, backend=backend, dtype="float64"
    )
    first.fit(X, y)
    assert (stopping.best_epoch, model.n_iter_) == (1, 3)
    assert stopping.best == model.loss_curve_[0]
    same(model, first, rtol=1e-12)
    model._rate = 1e-12
    model.set_params(callbacks=[]).partial_fit(X, y)
    np.testing.assert_allclose(model.coefs_[0], first.coefs_[0], rtol=0, atol=1e-8)


@pytest.mark.parametrize("weight", [-1.0, np.nan, np.inf])
@pytest.mark.parametrize("kind", [MLPClassifier, RealMLPClassifier, TabMClassifier])
def test_classes_weigh_something(kind, weight):
    labels = np.asarray(["a", "b", "c"])[IRIS[1]]
    model = kind(class_weight={"a": 1.0, "b": weight, "c": 2.0})
    with pytest.raises(
        DataError, match=rf"class_weight: expected finite weights >= 0, got {weight} for the class 'b'"
    ):
        model.fit(IRIS[0], labels)


@pytest.mark.parametrize("kind", [MLPRegressor, RealMLPRegressor])
@pytest.mark.parametrize(
    ("y", "said"),
    [
        (np.arange(150).astype("datetime64[D]"), r"dates or times \(datetime64\[D\]\)"),
        (np.arange(150).astype("timedelta64[s]"), "durations"),
        (np.arange(150) + 1j, "complex|Complex"),
    ],
)
def test_dates_are_no_numbers_to_predict(kind, y, said):
    with pytest.raises(DataError, match=f"y: .*{said}"):
        kind().fit(IRIS[0], y)


def test_a_part_of_the_rows_does_not_say_what_is_balanced():
    model = MLPClassifier(4, class_weight="balanced", **SHORT)
    with pytest.raises(InputError, match="class_weight: 'balanced' is about all rows"):
        model.partial_fit(*IRIS, classes=[0, 1, 2])
    model.set_params(class_weight={0: 1.0, 1: 2.0})
    with pytest.raises(DataError, match="sample_weight"):
        model.partial_fit(*IRIS, sample_weight=-np.ones(150), classes=[0, 1, 2])
    with pytest.raises(InputError, match="classes must be passed on the first call"):
        model.partial_fit(IRIS[0][:100], IRIS[1][:100])
    assert model.partial_fit(IRIS[0][:100], IRIS[1][:100], classes=[0, 1, 2]).n_outputs_ == 3


# ---- scikit-learn, step by step ------------------------------------------------------------------------------------------


def begin_alike(theirs, ours, X, y, **classes):
    """Our estimator gets scikit-learn's parameters after a first epoch; neither remembers more of it than rows and losses."""
    theirs.partial_fit(X, y, **classes)
    ours.partial_fit(X, y, **classes)
    del theirs._optimizer
    ours._training = None
    start = tuple(Dense(w.copy(), b.copy()) for w, b in zip(theirs.coefs_, theirs.intercepts_, strict=True))
    ours._network = Network(ours._network.mlp, start)
    for model in (theirs, ours):
        model.loss_curve_, model.best_loss_ = [], np.inf
    return theirs, ours


RATES = [
    {"learning_rate": "invscaling", "learning_rate_init": 0.1, "momentum": 0.9},
    {"learning_rate": "invscaling", "learning_rate_init": 0.1, "momentum": 0.9, "nesterovs_momentum": False},
    {"learning_rate": "invscaling", "learning_rate_init": 0.1, "momentum": 0.0},
    {"learning_rate": "adaptive", "learning_rate_init": 0.1, "tol": 0.1, "n_iter_no_change": 2},
]


@pytest.mark.parametrize(
    ("settings", "backend"),
    [
        pytest.param(rates, name, marks=pytest.mark.slow if name in COMPILED and i in (1, 2) else ())
        for i, rates in enumerate(RATES)
        for name in BACKENDS
    ],
    ids=lambda value: (
        value if isinstance(value, str) else f"{value['learning_rate']} {value.get('momentum', '')}"
    ),
)
def test_changing_rates_are_scikit_learns(settings, backend):
    """Several warm-started fits of several epochs, and partial fits of changing numbers of rows after them."""
    mixed = np.random.default_rng(0).permutation(150)
    X, y = IRIS[0][mixed], IRIS[1][mixed]
    shared = {
        "hidden_layer_sizes": 5, "solver": "sgd", "shuffle": False, "warm_start": True, "batch_size": 50, **settings,
    }  # fmt: skip
    theirs, ours = begin_alike(
        SklearnClassifier(**shared), MLPClassifier(backend=backend, **shared), X, y, classes=[0, 1, 2]
    )
    for epochs in (5, 4):
        for model in (theirs, ours):
            model.set_params(max_iter=epochs).fit(X, y)
        same(ours, theirs)
        assert ours.t_ == theirs.t_
        assert (
            ours._rate == pytest.approx(theirs._optimizer.learning_rate) or "inv" in settings["learning_rate"]
        )
    for count in (150, 150, 100, 150):
        for model in (theirs, ours):
            model.partial_fit(X[-count:], y[-count:])
        same(ours, theirs)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-9)
    assert ours._no_improvement_count == theirs._no_improvement_count


def test_the_adaptive_rate_has_changed_in_the_test_above():
    settings = {"hidden_layer_sizes": 5, "solver": "sgd", "random_state": 0, **RATES[-1]}
    model = MLPClassifier(max_iter=9, **settings).fit(*IRIS)
    assert model._rate < 0.1


@pytest.mark.parametrize("weights", [None, np.random.default_rng(1).uniform(0.5, 2, 400)])
@pytest.mark.parametrize("columns", [1, 2])
def test_the_poisson_loss_is_scikit_learns(columns, weights):
    X, y = REGRESSION[0][:400], COUNTS[:400]
    y = y if columns == 1 else np.stack([y, y // 2], axis=1)
    settings = {
        "loss": "poisson", "hidden_layer_sizes": 5, "solver": "sgd", "shuffle": False, "warm_start": True,
        "batch_size": 50, "alpha": 0.0,
    }  # fmt: skip
    theirs, ours = begin_alike(SklearnRegressor(**settings), MLPRegressor(**settings), X, y)
    for model in (theirs, ours):
        model.set_params(max_iter=5).fit(X, y, sample_weight=weights)
    same(ours, theirs)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-9)
    assert ours.out_activation_ == theirs.out_activation_ == "exp"


def test_patience_goes_on_over_warm_starts_as_scikit_learns():
    settings = {
        "hidden_layer_sizes": 3,
        "solver": "sgd",
        "warm_start": True,
        "tol": 1.0,
        "n_iter_no_change": 4,
    }
    for kind in (SklearnClassifier, MLPClassifier):
        model = kind(max_iter=50, random_state=0, **settings).fit(*IRIS)
        assert model._no_improvement_count == 5
        assert model.fit(*IRIS).n_iter_ == 1


# ---- stopping ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def ctrl_c():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def pressed_during_a_step(monkeypatch, ctrl_c):
    """Ctrl-C comes in the middle of the third call of an engine; the calls that came to their end."""
    finished = []
    for engine in (inplace.engine.InplaceEngine, portable.PortableEngine):

        def run(self, *arguments, _run=engine.run):
            result = _run(self, *arguments)
            if len(finished) == 2:
                os.kill(os.getpid(), signal.SIGINT)
            finished.append(True)
            return result

        monkeypatch.setattr(engine, "run", run)
    return finished


@pytest.mark.parametrize("backend", ["numpy", *COMPILED[:1]])
def test_ctrl_c_is_heard_between_steps_and_keeps_what_was_learned(backend, pressed_during_a_step):
    model = MLPClassifier(6, max_iter=500, random_state=0, backend=backend)
    with pytest.warns(UserWarning, match="interrupted by user"):
        model.fit(*IRIS)
    assert len(pressed_during_a_step) == 3
    assert 2 <= model.n_iter_ <= 3
    assert np.all(np.isfinite(model.predict_proba(IRIS[0])))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_in_a_partial_fit_is_raised_when_the_steps_are_done(pressed_during_a_step):
    model = MLPClassifier(6, random_state=0)
    model.partial_fit(*IRIS, classes=[0, 1, 2])
    model.partial_fit(*IRIS)
    with pytest.raises(KeyboardInterrupt):
        model.partial_fit(*IRIS)
    assert model.n_iter_ == 1
    assert model.t_ == 450


@pytest.mark.parametrize("backend", BACKENDS)
def test_divergence_raises_and_warns_of_nothing_else(backend):
    model = MLPRegressor(
        hidden_layer_sizes=8,
        activation="identity",
        solver="sgd",
        learning_rate_init=1e6,
        random_state=0,
        backend=backend,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(NonFiniteLossError, match="learning_rate_init"):
            model.fit(*REGRESSION)
        with pytest.raises(ValueError, match="Solver produced non-finite parameter weights"):
            model.fit(*REGRESSION)


def test_divergence_with_rows_held_out_keeps_the_best_parameters_before():
    model = MLPRegressor(
        hidden_layer_sizes=100, activation="identity", solver="sgd", learning_rate_init=1, max_iter=20, early_stopping=True, random_state=0
    )  # fmt: skip
    with pytest.warns(ConvergenceWarning, match="diverged"):
        model.fit(*IRIS)
    assert np.isnan(model.validation_scores_[-1])
    assert np.all(np.isfinite(model.coefs_[0]))
    assert model.score(*IRIS) > -1e6


def test_rows_held_out_have_to_beat_the_score_of_the_fit_before():
    """As in scikit-learn: a warm start that makes things worse ends with the parameters that it began with."""
    X, y = load_digits(return_X_y=True)
    settings = {"hidden_layer_sizes": 16, "early_stopping": True, "warm_start": True, "random_state": 0}
    model = MLPClassifier(max_iter=100, **settings).fit(X[:500], y[:500])
    before, best = [w.copy() for w in model.coefs_], model.best_validation_score_
    model.set_params(max_iter=2, learning_rate_init=1.0).fit(X[:500], y[:500])
    assert model.best_validation_score_ == best
    for mine, old in zip(model.coefs_, before, strict=True):
        np.testing.assert_array_equal(mine, old)


# ---- cost ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [MLPRegressor, MLPClassifier])
@pytest.mark.parametrize("loss", ["default", "poisson"])
@pytest.mark.parametrize("backend", COMPILED)
def test_programs_are_shared_by_fits(backend, kind, loss):
    data = {MLPRegressor: (REGRESSION[0], COUNTS), MLPClassifier: IRIS}[kind]
    if kind is MLPClassifier and loss != "default":
        pytest.skip("a loss of regressors")
    settings = {} if loss == "default" else {"loss": loss}

    def fit(seed):
        return kind(hidden_layer_sizes=5, max_iter=2, random_state=seed, backend=backend, **settings).fit(
            *data
        )

    fit(0)
    compiled = portable._cached_program.cache_info().misses
    fit(1)
    assert portable._cached_program.cache_info().misses == compiled


def test_a_regressor_has_the_head_that_is_written_for_its_loss():
    model = MLPRegressor(hidden_layer_sizes=5, max_iter=2).fit(*REGRESSION)
    (program,) = {
        type(part.head).__name__ for p in model._training._engine._programs.values() for part in p._passes
    }
    assert program == "SquaredHead"


def test_the_ensembles_differ_in_a_default_alone():
    plain = MLPClassifier(n_members=3, hidden_layer_sizes=4, max_iter=3, random_state=0).fit(*IRIS)
    named = EnsembleMLPClassifier(4, n_members=3, max_iter=3, random_state=0).fit(*IRIS)
    same(plain, named, rtol=0)
    np.testing.assert_array_equal(plain.predict_spread(IRIS[0]), named.predict_spread(IRIS[0]))
    assert EnsembleMLPClassifier().get_params() == {**MLPClassifier().get_params(), "n_members": 10}
    assert not hasattr(MLPClassifier(), "predict_members")
