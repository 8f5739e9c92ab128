"""What the source texts on multilayer perceptrons show, runnable on every backend.

Each lesson is one module: cells of explanation and of code, and a function ``run(backend)`` that returns the
numbers and the pictures. Its documentation page and its notebook are made from the same file.

>>> from multimlp import lessons
>>> lessons.names()[0]
'linear_models'
>>> result = lessons.run("collapse", backend="numpy")
>>> result.numbers["difference"] < 1e-12
True
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

from multimlp._naming import Table
from multimlp.backend import Backend
from multimlp.lessons._lesson import LessonResult, array, lesson

_TITLES = {
    "linear_models": "Limits of linear models",
    "feature_maps": "Feature maps",
    "collapse": "Composing linear models is useless",
    "hidden_layers": "Hidden layers",
    "activation_functions": "Activation functions",
    "derivatives": "Derivatives of activations",
    "tanh_and_sigmoid": "tanh and sigmoid are one function",
    "piecewise_linear": "ReLU networks are continuous and piecewise linear",
    "vanishing_gradients": "Vanishing gradients",
    "universal_approximation": "Universal approximation",
    "batch_nonlinearity": "A nonlinearity over the mini-batch",
    "from_scratch": "An MLP from scratch, and concisely",
}

_TABLE: Table[str] = Table("lesson")
for _name in _TITLES:
    _TABLE.add(_name, _name)


def names() -> tuple[str, ...]:
    """The lessons, in the order in which they build on one another."""
    return tuple(_TITLES)


def title(name: str) -> str:
    """What the lesson is called."""
    return _TITLES[_TABLE.find(name)]


def module(name: str) -> ModuleType:
    """The lesson's module; `InputError` if there is no such lesson."""
    return importlib.import_module(f"multimlp.lessons.{_TABLE.find(name)}")


def run(name: str, backend: str | Backend | None = None, **options: Any) -> LessonResult:
    """Run a lesson.

    Parameters
    ----------
    name : str
        One of `names`; hyphens do as well.
    backend, device, dtype
        Where; by the usual order of precedence. The default dtype is float64.
    **options
        The lesson's own.

    Returns
    -------
    LessonResult
    """
    return module(name).run(backend, **options)


__all__ = ["LessonResult", "array", "lesson", "module", "names", "run", "title"]
