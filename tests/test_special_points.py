"""The report on where frameworks disagree asks the adapters for the frameworks' own functions."""

from __future__ import annotations

import pytest
from libraries import NAMES

from multimlp.backend import load_backend
from multimlp.parity import special_points

FUNCTIONS = {"relu", "relu by maximum", "abs", "hard_tanh", "leaky_relu", "elu", "selu", "gelu", "softplus"}


@pytest.mark.parametrize("name", [name for name in ("torch", "jax", "tensorflow") if name in NAMES])
def test_a_framework_brings_all_that_is_asked(name):
    assert load_backend(name).framework_functions().keys() == FUNCTIONS
    assert {point.function for point in special_points.POINTS} == FUNCTIONS


@pytest.mark.parametrize("name", [name for name in ("numpy", "strict") if name in NAMES])
def test_a_library_without_functions_of_its_own_has_none(name):
    assert load_backend(name).framework_functions() == {}
    assert {row[name] for row in special_points.table((name,))} == {None}


def test_the_table_shows_what_the_adapter_brings(monkeypatch):
    adapter = load_backend("numpy")
    monkeypatch.setattr(adapter, "framework_functions", lambda: {"relu": lambda x: x + 2}, raising=False)
    values = {row["point"]: row["numpy"] for row in special_points.table(("numpy",))}
    assert values["relu'(0)"] == 1.0
    assert values["relu(1e-40), a subnormal number"] == 2.0
    assert values["elu(-1e-8)"] is None


def test_what_torch_and_jax_are_known_to_disagree_on():
    names = [name for name in ("torch", "jax") if name in NAMES]
    if len(names) < 2:
        pytest.skip("needs torch and jax")
    rows = {row["point"]: row for row in special_points.table(names)}
    row = rows["relu'(0), written as maximum(x, 0)"]
    assert (row["multimlp"], row["torch"], row["jax"]) == (0.0, 0.5, 0.5)
    row = rows["abs'(0)"]
    assert (row["multimlp"], row["torch"], row["jax"]) == (0.0, 0.0, 1.0)
