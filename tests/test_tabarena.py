"""RealMLP and TabM as AutoGluon's models, on AutoGluon's own classes; where it is not installed there is nothing to test."""

from __future__ import annotations

import numpy as np
import pytest

pandas = pytest.importorskip("pandas")
models = pytest.importorskip("autogluon.core.models")

from benchmarks.tabular.tabarena import MultimlpRealMLP, MultimlpTabM  # noqa: E402

SMALL = {
    MultimlpRealMLP: {"n_epochs": 20, "hidden_layer_sizes": [16], "batch_size": 32, "backend": "numpy"},
    MultimlpTabM: {
        "n_epochs": 20,
        "hidden_layer_sizes": [16],
        "n_members": 4,
        "learning_rate": 0.01,
        "batch_size": 32,
        "backend": "numpy",
    },
}
ROWS = 200


def table():
    rng = np.random.default_rng(0)
    frame = pandas.DataFrame(
        {
            "a": rng.standard_normal(ROWS),
            "b": rng.integers(0, 9, ROWS),
            "c": rng.choice(["u", "v", "w"], ROWS),
        }
    )
    frame["c"] = frame["c"].astype("category")
    frame.loc[3, "a"] = np.nan
    number = frame["a"].fillna(0) + (frame["c"] == "u") * 2
    return frame, number


@pytest.mark.parametrize("problem", ["binary", "multiclass", "regression", "quantile"])
@pytest.mark.parametrize("kind", SMALL, ids=lambda kind: kind.ag_name)
def test_the_interface(tmp_path, kind, problem):
    X, number = table()
    y = {"binary": (number > 1).astype(int), "multiclass": pandas.qcut(number, 3, labels=False)}.get(
        problem, number
    )
    levels = {"ag.quantile_levels": [0.1, 0.5, 0.9]} if problem == "quantile" else {}
    model = kind(path=str(tmp_path), name="m", problem_type=problem, hyperparameters=SMALL[kind] | levels)
    model.fit(
        X=X[:150],
        y=y[:150],
        X_val=X[150:],
        y_val=y[150:],
        num_classes=3 if problem == "multiclass" else None,
        time_limit=60,
    )
    found = model.predict_proba(X[150:])
    assert (
        found.shape
        == {"binary": (50,), "multiclass": (50, 3), "regression": (50,), "quantile": (50, 3)}[problem]
    )
    assert (
        model.score(X[150:], y[150:])
        > {"binary": 0.6, "multiclass": 0.5, "regression": -1.2, "quantile": -1.0}[problem]
    )
    assert model.params_trained["n_epochs"] == model.model.best_epochs_[0]
    again = kind.load(model.save())
    np.testing.assert_array_equal(again.predict_proba(X[150:]), found)
    full = again.convert_to_refit_full_template()
    full.fit(X=X, y=y)
    assert full.model.n_epochs == model.model.best_epochs_[0]
    assert full.model.validation_curves_ == [[]]


def test_time_ends_training(tmp_path):
    X, number = table()
    endless = SMALL[MultimlpTabM] | {"n_epochs": 10**6, "patience": None}
    model = MultimlpTabM(path=str(tmp_path), name="m", problem_type="regression", hyperparameters=endless)
    model.fit(X=X, y=number, time_limit=1.5)
    assert 1 <= len(model.model.loss_curves_[0]) < 10**6
