"""The page of errors is made of what was measured, with the versions and definitions of today."""

import json
from pathlib import Path

import accuracy_page
import pytest

from multimlp.parity.standard import FUNCTIONS

ROOT = Path(__file__).resolve().parent.parent
KEPT = json.loads(accuracy_page.KEPT.read_text())["backends"]
PINS = dict(
    line.split("==")
    for line in (ROOT / "constraints.txt").read_text().splitlines()
    if "==" in line and line[0] != "#"
)
PINNED = {
    "numpy": "numpy",
    "torch": "torch",
    "jax": "jax",
    "tensorflow": "tensorflow_cpu",
    "strict": "array_api_strict",
}


def test_the_page_is_of_today():
    assert accuracy_page.stale() == []


@pytest.mark.parametrize("name", PINNED)
def test_it_was_measured_with_the_versions_that_are_tested(name):
    assert KEPT[name]["version"].partition("+")[0] == PINS[PINNED[name]], f"run {accuracy_page.COMMAND}"


@pytest.mark.parametrize("name", ["numpy", "torch", "jax", "tensorflow", "strict", "mxnet"])
def test_every_function_is_there_for_every_backend(name):
    assert set(KEPT[name]["rows"]) == set(FUNCTIONS)


def test_a_change_of_a_definition_makes_it_stale(monkeypatch):
    monkeypatch.setattr(accuracy_page, "digest", lambda: "another")
    assert "have changed" in accuracy_page.stale()[0]


@pytest.mark.slow
@pytest.mark.parametrize("function", ["exp", "tanh"])
def test_measured_again_it_is_the_same(function, monkeypatch):
    for other in set(FUNCTIONS) - {function}:
        monkeypatch.delitem(FUNCTIONS, other)
    again = accuracy_page.measure("numpy")["rows"][function]
    assert json.loads(json.dumps(again)) == KEPT["numpy"]["rows"][function]
