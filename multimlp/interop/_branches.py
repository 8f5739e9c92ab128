"""Models that are graphs: what each value has gone through, from the inputs on, until all is one chain again."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from typing import NamedTuple

import numpy as np

from multimlp.interop._building import Builder
from multimlp.interop._ensembles import WITH_REST
from multimlp.interop._folding import folded
from multimlp.interop._parts import Affine, Erf, Part, Path, Pointwise, width_after


class _Way(NamedTuple):
    """The last of the steps that a value has gone through, and those before."""

    before: _Way | None
    part: Part
    length: int


class Branches:
    """The steps between the inputs and each value of a graph; nodes are told in the order in which they are computed.

    Parameters
    ----------
    reading : Builder
        Takes each step.
    """

    def __init__(self, reading: Builder) -> None:
        self._reading = reading
        self._ways: dict[Hashable, _Way | None] = {}

    def start(self, value: Hashable) -> None:
        """These are the inputs."""
        self._ways[value] = None

    def __contains__(self, value: Hashable) -> bool:
        return value in self._ways

    def width(self, value: Hashable) -> int | None:
        """How many features a value has; None where nothing tells."""
        return width_after(tuple(_steps(self._ways[value], None)))

    def step(self, out: Hashable, value: Hashable, read: Callable[[], None]) -> None:
        """``read`` tells the builder the steps from one value to another."""
        self._behind(out, self._ways[value], read)

    def _behind(self, out: Hashable, way: _Way | None, read: Callable[[], None]) -> None:
        self._reading.parts = []
        read()
        for part in self._reading.parts:
            way = _Way(way, part, 1 if way is None else way.length + 1)
        self._ways[out] = way

    def add(self, out: Hashable, one: Hashable, other: Hashable) -> None:
        """The sum of two values, one of which is on the way to the other.

        Raises
        ------
        InputError
            If neither is.
        """
        common, first, second = self._apart(one, other)
        if first and second:
            names = " and ".join(rest[-1].where for rest in (first, second))
            raise self._reading.unlike(
                f"adds two branches at {self._reading.where}, behind {names}; one of them must be what goes into the other"
            )
        inner = first or second
        self._behind(
            out, common, lambda: self._reading.residual(inner) if inner else self._reading.affine(2.0)
        )

    def multiply(self, out: Hashable, one: Hashable, other: Hashable) -> None:
        """The product of a value and what it has become: silu, mish, hard_swish, or gelu, in parts.

        Raises
        ------
        InputError
            For any other product.
        """
        common, first, second = self._apart(one, other)
        if _factor(first) is None:
            first, second = second, first
        factor, found = _factor(first), _gate(second)
        if factor is None or found is None:
            raise self._reading.unlike(f"multiplies two branches at {self._reading.where}")
        name, times = found

        def read() -> None:
            self._reading.activation(name)
            if factor * times != 1:
                self._reading.affine(factor * times)

        self._behind(out, common, read)

    def join(self, out: Hashable, one: Hashable, other: Hashable) -> None:
        """Two values side by side: what is left of the second one to 1, and the second one.

        Raises
        ------
        InputError
            For any others.
        """
        common, first, second = self._apart(one, other)
        rest = first[0] if len(first) == 1 and not second else None
        if not (isinstance(rest, Affine) and _is(rest.scale, -1) and _is(rest.shift, 1)):
            raise self._reading.unlike(f"joins two branches at {self._reading.where}")
        self._behind(out, common, lambda: self._reading.combined(WITH_REST))

    def end(self, value: Hashable) -> None:
        """This value is the outputs."""
        self._reading.parts = _steps(self._ways[value], None)

    def _apart(self, one: Hashable, other: Hashable) -> tuple[_Way | None, Path, Path]:
        """What two values have in common, and what each has gone through since."""
        first, second = self._ways[one], self._ways[other]
        while first is not second:
            if second is None or (first is not None and first.length >= second.length):
                assert first is not None
                first = first.before
            else:
                second = second.before
        return first, tuple(_steps(self._ways[one], first)), tuple(_steps(self._ways[other], first))


def _steps(way: _Way | None, since: _Way | None) -> list[Part]:
    found = []
    while way is not since:
        assert way is not None
        found.append(way.part)
        way = way.before
    return found[::-1]


def _is(values: np.ndarray, number: float) -> bool:
    return values.ndim == 0 and float(values) == number


_GATES = {("sigmoid",): "silu", ("softplus", "tanh"): "mish", ("hard_sigmoid",): "hard_swish"}
"""Steps from a value to what it is multiplied by, to the activation that the product is."""


def _factor(path: Path) -> float | None:
    """The number that these steps multiply by, if they do nothing else."""
    factor = 1.0
    for part in path:
        if not isinstance(part, Affine) or part.scale.ndim or part.shift.any():
            return None
        factor *= float(part.scale)
    return factor


def _gate(path: Path) -> tuple[str, float] | None:
    """The activation that a value becomes if it is multiplied by these steps of it, and how many times that is."""
    names = tuple(part.rule.name for part in path if isinstance(part, Pointwise))
    if len(names) == len(path) and names in _GATES:
        return _GATES[names], 1.0
    steps = folded(path)  # erf(x / sqrt 2) + 1, perhaps halved
    if (
        len(steps) == 3
        and isinstance(steps[0], Affine)
        and isinstance(steps[1], Erf)
        and isinstance(steps[2], Affine)
    ):
        before, after = steps[0], steps[2]
        narrow = before.scale.ndim == 0 and abs(float(before.scale) * math.sqrt(2) - 1) < 1e-6
        even = after.scale.ndim == after.shift.ndim == 0 and after.scale == after.shift
        if narrow and not before.shift.any() and even:
            return "gelu", 2 * float(after.scale)
    return None
