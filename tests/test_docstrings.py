"""What docstrings of functions that users call say: what goes in, what comes out, and an example, which `test_doctests.py` runs."""

from __future__ import annotations

import inspect
import re
from importlib import import_module

import pytest

from multimlp.backend import Op
from multimlp.losses import Loss
from multimlp.metrics import Metric

MODULES = (
    "activations",
    "blocks",
    "initializers",
    "lessons",
    "losses",
    "metrics",
    "optimizers",
    "plotting",
    "random",
    "regularizers",
    "schedules",
    "structure",
    "transforms",
    "tree",
)
"""Rooms whose names are for users; what packages hand on to one another has as much as its readers need."""

FOR_LESSONS = {"lessons.array", "lessons.lesson"}
"""Used inside of lessons alone."""


def _public(module):
    found = import_module(f"multimlp.{module}")
    names = getattr(found, "__all__", None) or [
        name for name in vars(found) if getattr(vars(found)[name], "__module__", "") == found.__name__
    ]
    for name in names:
        thing = getattr(found, name)
        is_function = inspect.isfunction(thing) or isinstance(thing, (Op, Loss, Metric))
        if is_function and not name.startswith("_") and f"{module}.{name}" not in FOR_LESSONS:
            yield name, thing


def _lacks(doc, takes):
    """The sections that a docstring has not."""
    needed = (["Parameters"] if takes else []) + ["Returns", "Examples"]
    return [title for title in needed if not re.search(rf"^{title}\n-+$", doc, flags=re.MULTILINE)]


@pytest.mark.parametrize("module", MODULES)
def test_public_functions_say_what_goes_in_and_what_comes_out(module):
    if module in ("lessons", "plotting"):
        pytest.importorskip("matplotlib")
    found = list(_public(module))
    assert found
    lacking = {}
    for name, thing in found:
        makes = (
            hasattr(thing, "known") and module != "losses"
        )  # makers of one kind of thing, which is said there
        missing = _lacks(inspect.getdoc(thing) or "", bool(inspect.signature(thing).parameters))
        missing = [title for title in missing if not (makes and title == "Returns")]
        if missing:
            lacking[name] = missing
    assert lacking == {}


def test_a_docstring_that_says_nothing_is_seen():
    assert _lacks("One line.", True) == ["Parameters", "Returns", "Examples"]
    assert _lacks("One line.\n\nReturns\n-------\nint\n\nExamples\n--------\n>>> 1\n1", False) == []
