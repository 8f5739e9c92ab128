"""What the source texts on multilayer perceptrons show, runnable on every backend.

A lesson is two files of one name: in the Markdown file stands what is read, question first; in the module a function
``run(backend)`` that returns the numbers and the pictures. Its documentation page and its notebook are made from both.

>>> from multimlp import lessons
>>> lessons.names()[0]
'linear_models'
>>> result = lessons.run("collapse", backend="numpy")
>>> result.numbers["difference"] < 1e-12
True
"""

from __future__ import annotations

import importlib
import importlib.resources
from types import ModuleType
from typing import Any

from multimlp._naming import Table
from multimlp.backend import Backend
from multimlp.lessons._lesson import LessonResult, array, lesson

_NAMES = (
    "linear_models",
    "feature_maps",
    "collapse",
    "hidden_layers",
    "activation_functions",
    "derivatives",
    "tanh_and_sigmoid",
    "piecewise_linear",
    "vanishing_gradients",
    "universal_approximation",
    "batch_nonlinearity",
    "from_scratch",
)

_TABLE: Table[str] = Table("lesson")
for _name in _NAMES:
    _TABLE.add(_name, _name)


def names() -> tuple[str, ...]:
    """The lessons, in the order in which they build on one another.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> from multimlp import lessons
    >>> lessons.names()[:2]
    ('linear_models', 'feature_maps')
    """
    return _NAMES


def text(name: str) -> str:
    """What is read in a lesson, as Markdown: question, pictures, what to see, formula, code, exercises.

    Parameters
    ----------
    name : str
        One of `names`; hyphens do as well.

    Returns
    -------
    str

    Raises
    ------
    InputError
        If there is no such lesson; names the closest.

    Examples
    --------
    >>> from multimlp import lessons
    >>> lessons.text("collapse").splitlines()[0]
    '# Composing linear models is useless'
    """
    found = importlib.resources.files(__name__).joinpath(f"{_TABLE.find(name)}.md")
    return found.read_text(encoding="utf-8")


def title(name: str) -> str:
    """What the lesson is called; names and errors as for `text`.

    Parameters
    ----------
    name : str

    Returns
    -------
    str

    Examples
    --------
    >>> from multimlp import lessons
    >>> lessons.title("collapse")
    'Composing linear models is useless'
    """
    return text(name).splitlines()[0].removeprefix("# ")


def question(name: str) -> str:
    """What the lesson asks; names and errors as for `text`.

    Parameters
    ----------
    name : str

    Returns
    -------
    str
        In one line.

    Examples
    --------
    >>> from multimlp import lessons
    >>> lessons.question("collapse").endswith("that a linear model cannot?")
    True
    """
    return " ".join(text(name).split("\n\n")[1].split())


def what_to_see(name: str) -> tuple[str, ...]:
    """What the lesson's pictures show; names and errors as for `text`.

    Parameters
    ----------
    name : str

    Returns
    -------
    tuple of str
        A sentence or two each.

    Examples
    --------
    >>> from multimlp import lessons
    >>> lessons.what_to_see("collapse")[0]
    'Four affine layers are one affine layer: the two differ by rounding.'
    """
    points = text(name).partition("## What to see\n\n* ")[2].partition("\n\n")[0].split("\n* ")
    return tuple(" ".join(point.split()) for point in points)


def module(name: str) -> ModuleType:
    """The module with what a lesson draws and measures; names and errors as for `text`.

    Parameters
    ----------
    name : str

    Returns
    -------
    module

    Examples
    --------
    >>> from multimlp import lessons
    >>> lessons.module("collapse").__name__
    'multimlp.lessons.collapse'
    """
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

    Raises
    ------
    InputError
        If there is no such lesson.

    Examples
    --------
    >>> from multimlp import lessons
    >>> lessons.run("hidden-layers", backend="numpy").numbers["parameters"]
    43.0
    """
    return module(name).run(backend, **options)


__all__ = [
    "LessonResult",
    "array",
    "lesson",
    "module",
    "names",
    "question",
    "run",
    "text",
    "title",
    "what_to_see",
]
