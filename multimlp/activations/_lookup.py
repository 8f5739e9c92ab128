"""Activations by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from multimlp._naming import Table as KitTable
from multimlp.activations import _axis, _exponential, _gated, _hard, _rectifiers, _sigmoidal
from multimlp.activations._description import ROWS, Description
from multimlp.activations._operation import ActivationOp
from multimlp.backend import Array
from multimlp.errors import InputError
from multimlp.errors.checks import refuse

_FAMILIES = [m.__name__ for m in (_rectifiers, _hard, _exponential, _sigmoidal, _gated, _axis)]

TABLE: dict[str, Description] = {
    row.name: row for row in sorted(ROWS.values(), key=lambda row: _FAMILIES.index(row.function.__module__))
}
"""By name: the families in this order, whichever was imported first, and each as its file is written."""


_SPELLINGS: KitTable[str] = KitTable("activation")
for _row in TABLE.values():
    _SPELLINGS.add(_row.name, _row.name, *_row.aliases)


def names() -> tuple[str, ...]:
    """The names of all activations, sorted.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> from multimlp import activations
    >>> "gelu" in activations.names()
    True
    """
    return tuple(sorted(TABLE))


def describe(name: str) -> Description:
    """What is known of the activation of that name.

    Parameters
    ----------
    name : str
        Case, ``_`` and ``-`` do not matter.

    Returns
    -------
    Description
        Its function, its derivatives, its options with their defaults, its kinks, what of it can be learned.

    Raises
    ------
    InputError
        If no activation has that name; names the closest.

    Examples
    --------
    >>> from multimlp import activations
    >>> activations.describe("LeakyReLU").options
    {'negative_slope': 0.01}
    >>> activations.describe("relu6").kinks()
    (0.0, 6.0)
    """
    if not isinstance(name, str):
        raise refuse("activation", "a name such as 'relu'", name)
    canonical = _SPELLINGS.canonical(name)
    if canonical is None:
        close = _SPELLINGS.close(name, 3)
        hint = (
            f"did you mean {' or '.join(map(repr, close))}? " if close else f"known: {', '.join(names())}. "
        )
        raise InputError(
            f"activation: no activation is called {name!r}; {hint}A callable of your own works too."
        )
    return TABLE[canonical]


def get(name: str | Callable[..., Any]) -> Callable[..., Array]:
    """The activation of that name, as a function of an array.

    Parameters
    ----------
    name : str or callable
        A callable is returned as it is.

    Returns
    -------
    callable
        ``f(x, **options)``: an array of the library, dtype and device of ``x``.

    Raises
    ------
    InputError
        If no activation has that name; names the closest.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import activations
    >>> activations.get("relu")(np.asarray([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """
    if callable(name) and not isinstance(name, type):
        return name
    found: Any = name
    return describe(found).function


def derivative(name: str | ActivationOp) -> ActivationOp:
    """The closed-form derivative of an activation in x, as a function ``f'(x, **options)``.

    Of an activation along an axis it returns all partial derivatives, shape ``(..., outputs, inputs)`` with
    the axis moved to the end.

    Parameters
    ----------
    name : str, or one of the activations of this module

    Returns
    -------
    callable
        ``f'(x, **options)``: an array of the shape, library, dtype and device of ``x``.

    Raises
    ------
    InputError
        If no activation has that name; names the closest.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import activations
    >>> activations.derivative("relu")(np.asarray([-1.0, 0.0, 2.0])).tolist()
    [0.0, 0.0, 1.0]
    """
    return describe(name.name if isinstance(name, ActivationOp) else name).derivative
