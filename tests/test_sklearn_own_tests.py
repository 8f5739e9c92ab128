"""scikit-learn's own tests of its multilayer perceptrons fail on ours where the table says so, and nowhere else."""

from __future__ import annotations

import pytest
from sklearn_own_tests import EXPECTED, failures, run

from multimlp.backend import is_installed

OTHERS = [name for name in ("torch", "jax", "tensorflow") if is_installed(name)]


@pytest.mark.parametrize(
    "backend", ["numpy", *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)]
)
def test_what_fails_is_what_is_expected_to(backend):
    outcomes = run(backend)
    assert len(outcomes) >= 50
    failed = failures(outcomes)
    assert failed.keys() == EXPECTED.keys(), {name: failed[name] for name in failed.keys() - EXPECTED.keys()}
    for name, reason in EXPECTED.items():
        assert ("private" in reason) <= ("AttributeError" in failed[name]), failed[name]
