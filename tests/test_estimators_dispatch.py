"""Arrays in, arrays of the same library out: needs SciPy imported under SCIPY_ARRAY_API=1, so these tests run
in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn import config_context
from sklearn.datasets import load_iris
from sklearn.utils.estimator_checks import check_array_api_input

import multimlp as mm
from multimlp.backend import is_installed, owner
from multimlp.estimators import EnsembleMLPClassifier, MLPClassifier, MLPRegressor

IRIS = load_iris(return_X_y=True)
INSIDE = os.environ.get("SCIPY_ARRAY_API") == "1"
inside = pytest.mark.skipif(not INSIDE, reason="run by test_in_a_process_of_its_own")
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.skipif(INSIDE, reason="this is that process")
def test_in_a_process_of_its_own():
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", __file__],
        capture_output=True,
        text=True,
        env={**os.environ, "SCIPY_ARRAY_API": "1"},
        cwd=Path(__file__).parent.parent,
    )
    assert run.returncode == 0, run.stdout[-3000:]


@inside
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor, EnsembleMLPClassifier])
def test_sklearns_own_check(kind):
    check_array_api_input(kind.__name__, kind(max_iter=20), "numpy", expect_only_array_outputs=False)


@inside
@pytest.mark.parametrize("backend", [n for n in ("numpy", "torch", "jax", "tensorflow") if is_installed(n)])
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor, EnsembleMLPClassifier])
def test_arrays_of_a_library_come_back_as_such_with_dispatch_on(backend, kind):
    library = mm.get_backend(backend)
    X, y = (library.asarray(v, dtype=d) for v, d in zip(IRIS, ("float32", "int32"), strict=True))
    with config_context(array_api_dispatch=True):
        model = kind(hidden_layer_sizes=4, max_iter=3, random_state=0).fit(X, y)
        methods = [m for m in ("predict", "predict_proba", "predict_spread") if hasattr(model, m)]
        for method in methods:
            out = getattr(model, method)(X)
            assert owner(out) is library
            assert library.device_name(out) == library.device_name(X)
        assert isinstance(model.score(X, y), float)
    assert model._network.params[0].weight.dtype == X.dtype
    assert owner(model._network.params[0].weight) is library
    for method in methods:
        assert isinstance(getattr(model, method)(IRIS[0]), np.ndarray)
    on_host = kind(hidden_layer_sizes=4, max_iter=3, random_state=0).fit(IRIS[0].astype(np.float32), IRIS[1])
    assert model.loss_ == pytest.approx(on_host.loss_, rel=1e-4)


@inside
def test_foreign_arrays_are_checked():
    torch = pytest.importorskip("torch")
    X, y = torch.tensor(IRIS[0]), torch.tensor(IRIS[1])
    with config_context(array_api_dispatch=True):
        model = MLPClassifier(4, max_iter=2).fit(X, y)
        for bad, says in (
            (X[:, :2], "features"),
            (X[0], "shape"),
            (X * torch.nan, "NaN"),
            (X[:0], "at least one"),
        ):
            with pytest.raises(ValueError, match=says):
                model.predict(bad)
