"""What is compared: functions of arrays, with aspects to compute and references for the oracle to compute."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from multimlp.backend import Array, Arrays, Backend, array_namespace

Compute = Callable[[Backend, Arrays], Array]
"""``compute(backend, arrays) -> array``; may be traced and compiled."""

Relative = Callable[[Callable[[str], np.ndarray]], np.ndarray]
"""``relative(reference) -> sizes``, where ``reference(name)`` gives an entry of `Case.references` as float64 numbers."""


def everywhere(backend: Backend) -> bool:
    """An aspect that every backend has."""
    return True


@dataclass(frozen=True)
class Aspect:
    """One way to compute something.

    Attributes
    ----------
    name : str
    compute : callable
    reference : str
        The entry of ``Case.references`` that it is compared with.
    kind : str
        Which tolerance holds: ``"value"``, ``"derivative"`` or ``"second"``.
    demanded : array of bool, optional
        Where an error counts; elsewhere it is only reported.
    applies : callable
        Whether a backend has it.
    eager_only : bool
        Whether to leave it out of the compiled run.
    """

    name: str
    compute: Compute
    reference: str = "value"
    kind: str = "value"
    demanded: np.ndarray | None = None
    applies: Callable[[Backend], bool] = everywhere
    eager_only: bool = False


@dataclass(frozen=True)
class Case:
    """One function, at inputs of one dtype.

    Attributes
    ----------
    function, family : str
    inputs : tuple of array
        float64 arrays of numbers of the dtype; integers as they are.
    aspects : tuple of Aspect
    references : mapping of str to Compute or array
        Computed on the oracle, or known exactly.
    places : array, optional
        What to print as the place of the worst error; default: the flat index.
    grid : int
        How many of the leading elements lie on the grid of the pictures; 0 for none.
    scale : mapping of str to array
        By reference: the error is measured against ``max(scale, |reference|)``; default 1.
    relative : mapping of str to Relative
        By reference: the sizes that the relative error is measured against, which are about the reference's own but where it is
        near a sum's cancellation.
    also : array of int, optional
        By element: another one whose reference is as good. Libraries may take a subnormal number for the zero of its sign.
    tolerance : str
        The row of the table of tolerances; default: ``function``.
    """

    function: str
    family: str
    inputs: tuple[np.ndarray, ...]
    aspects: tuple[Aspect, ...]
    references: Mapping[str, Compute | np.ndarray]
    places: np.ndarray | None = None
    grid: int = 0
    scale: Mapping[str, Compute] = field(default_factory=dict)
    relative: Mapping[str, Relative] = field(default_factory=dict)
    also: np.ndarray | None = None
    tolerance: str = ""


def slope(function: Callable[[Array], Array]) -> Compute:
    """The derivative of an element-wise function, by the backend's reverse mode."""

    def compute(backend: Backend, arrays: Arrays) -> Array:
        outputs, pullback = backend.vjp(lambda xs: (function(xs[0]),), arrays)
        xp = array_namespace(*outputs)
        return pullback((xp.ones_like(outputs[0]),))[0]

    return compute


def cotangents(backend: Backend, function: Callable[..., Array], arrays: Arrays, weight: Array) -> Arrays:
    """The pullback of one output."""
    return backend.vjp(lambda xs: (function(*xs),), arrays)[1]((weight,))


def flat(arrays: Arrays) -> Array:
    """All elements of some arrays as one vector."""
    xp = array_namespace(*arrays)
    return xp.concat([xp.reshape(a, (-1,)) for a in arrays])


def label(name: str, options: Mapping[str, object]) -> str:
    """A function's name with the options that it has here."""
    return f"{name}({', '.join(f'{k}={v}' for k, v in options.items())})" if options else name
