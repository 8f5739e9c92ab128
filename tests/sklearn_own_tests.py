"""scikit-learn's own tests of its multilayer perceptrons, run on ours: the installed ``test_mlp.py``, with two names replaced.

Nothing of it is copied: a process of its own puts our classes where scikit-learn keeps its two before pytest imports the file. Run as a
script it prints what fails on a backend; `EXPECTED` says why each of these does, and ``test_sklearn_own_tests.py`` that nothing else does.

    python tests/sklearn_own_tests.py numpy
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

MODULE = "sklearn.neural_network.tests.test_mlp"
RESULTS = "MULTIMLP_SKLEARN_RESULTS"

_OPTIMIZER = "private: reads the learning rate from the attribute _optimizer"

EXPECTED: dict[str, str] = {
    "test_fit": "documented: coefs_ and intercepts_ are read from the network and cannot be assigned; sets private attributes too",
    "test_gradient": "private: calls the method _loss_grad_lbfgs",
    "test_learning_rate_warmstart": _OPTIMIZER,
    "test_adaptive_learning_rate": _OPTIMIZER,
    "test_lbfgs_regression_maxfun[X0-y0]": (
        "documented: L-BFGS has a line search of its own, which converges on the linear network within the 10 evaluations that are "
        "to be too few"
    ),
}
"""What fails and why; the same on every backend."""


def run(backend: str) -> dict[str, str]:
    """Each test's outcome on a backend: empty where it passed, else the last line of what went wrong."""
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.json"
        here = str(Path(__file__).parent)
        environment = {
            **os.environ,
            "MULTIMLP_BACKEND": backend,
            RESULTS: str(results),
            "PYTHONPATH": os.pathsep.join([here, os.environ.get("PYTHONPATH", "")]),
        }
        plugin = Path(__file__).stem
        process = subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-q",
                "-p",
                plugin,
                "-p",
                "no:cacheprovider",
                "--pyargs",
                MODULE,
            ],
            capture_output=True,
            text=True,
            env=environment,
            cwd=folder,
        )
        if not results.exists():
            raise RuntimeError(process.stdout[-2000:] + process.stderr[-2000:])
        found: dict[str, str] = json.loads(results.read_text())
    return found


def failures(outcomes: dict[str, str]) -> dict[str, str]:
    """The tests that failed, with what went wrong."""
    return {name: error for name, error in outcomes.items() if error}


# ---- inside the process: this file is a plugin of pytest -----------------------------------------------------------------

_outcomes: dict[str, str] = {}


def pytest_configure(config: Any) -> None:
    from sklearn import neural_network

    from multimlp import estimators

    neural_network.MLPClassifier = estimators.MLPClassifier
    neural_network.MLPRegressor = estimators.MLPRegressor


def pytest_runtest_logreport(report: Any) -> None:
    if report.skipped or (report.when != "call" and report.passed):
        return
    name = report.nodeid.rpartition("::")[2]
    crash = getattr(report.longrepr, "reprcrash", None)
    _outcomes[name] = "" if report.passed else str(crash.message if crash else report.longrepr).split("\n")[0]


def pytest_unconfigure(config: Any) -> None:
    if RESULTS in os.environ:
        Path(os.environ[RESULTS]).write_text(json.dumps(_outcomes))


if __name__ == "__main__":
    outcomes = run(sys.argv[1] if len(sys.argv) > 1 else "numpy")
    failed = failures(outcomes)
    for test, error in failed.items():
        print(f"{test}\n    {error}\n    {EXPECTED.get(test, 'NOT EXPECTED')}")
    print(f"{len(outcomes) - len(failed)} of {len(outcomes)} passed")
