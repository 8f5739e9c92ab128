"""Transforms of transforms, and what they must give: differences of 160-digit numbers, which know nothing of derivatives.

A composition is a base function and a chain of steps; each step makes a function of one array out of a function of one
array, by a transform of multimlp on one side and by plain loops and central differences on the other.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np

import multimlp as mm
from multimlp import array_namespace

Function = Callable[[Any], Any]
Reference = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""``f(x, fixed)`` on arrays of `mpmath.mpf`; ``fixed`` is where x was before anything was differentiated: what
`stop_gradient` sees."""

mp = mpmath.MPContext()
mp.dps = 160
STEP = mp.mpf(10) ** -20
"""Of central differences: six of them in a row leave 160 - 6 * 20 digits, and an error of 1e-40 of their own."""

ROWS = [0.5, -1.25, 2.0]


def exact(values: Any) -> np.ndarray:
    """Numbers as an array of mpf."""
    host = np.asarray(values)
    out = np.empty(host.shape, dtype=object)
    for index in np.ndindex(host.shape):
        out[index] = mp.mpf(host[index])
    return out


def _each(function: Callable[[Any], Any], x: np.ndarray) -> np.ndarray:
    out = np.empty(x.shape, dtype=object)
    for index in np.ndindex(x.shape):
        out[index] = function(x[index])
    return out


def _total(x: Any) -> Any:
    return array_namespace(x).sum(x)


def _direction(shape: tuple[int, ...]) -> np.ndarray:
    return np.cos(1.0 + np.arange(int(np.prod(shape)), dtype=np.float64)).reshape(shape)


def _towards(x: Any, shape: tuple[int, ...]) -> Any:
    """`_direction` as an array of the library and dtype of ``x``."""
    xp = array_namespace(x)
    return xp.cos(1.0 + xp.reshape(xp.arange(math.prod(shape), dtype=x.dtype), shape))


def _row_factors(x: Any) -> Any:
    return array_namespace(x).asarray(ROWS, dtype=x.dtype)


# ---- the base: every output depends on every input


def base(x: Any) -> Any:
    xp = array_namespace(x)
    return xp.sin(x) * xp.exp(0.25 * xp.mean(x)) + 0.5 * x * x


def base_reference(x: np.ndarray, fixed: np.ndarray) -> np.ndarray:
    mean = x.sum() / x.size if x.shape else x[()]
    return _each(mp.sin, x) * mp.exp(mean / 4) + x * x / 2


# ---- the steps


@dataclass(frozen=True)
class Step:
    """A step in multimlp's words, and in loops and differences."""

    name: str
    apply: Callable[[Function], Function]
    reference: Callable[[Reference], Reference]


def _moved(x: np.ndarray, direction: np.ndarray, sign: int) -> np.ndarray:
    return np.asarray(x + sign * STEP * direction, dtype=object)


def _along(f: Reference, x: np.ndarray, fixed: np.ndarray, direction: np.ndarray) -> np.ndarray:
    return np.asarray(
        (f(_moved(x, direction, 1), fixed) - f(_moved(x, direction, -1), fixed)) / (2 * STEP), dtype=object
    )


def _jacobian(f: Reference) -> Reference:
    def transformed(x: np.ndarray, fixed: np.ndarray) -> np.ndarray:
        columns = []
        for index in np.ndindex(x.shape):
            unit = exact(np.zeros(x.shape))
            unit[index] = mp.mpf(1)
            columns.append(_along(f, x, fixed, unit))
        stacked = np.stack(columns, axis=-1)
        return stacked.reshape((*stacked.shape[:-1], *x.shape))

    return transformed


def _sum(f: Reference) -> Reference:
    return lambda x, fixed: np.asarray(np.sum(f(x, fixed)), dtype=object)


def _grad(f: Reference) -> Reference:
    return _jacobian(_sum(f))


def _vjp(f: Reference) -> Reference:
    def transformed(x: np.ndarray, fixed: np.ndarray) -> np.ndarray:
        cotangent = exact(_direction(np.shape(f(x, fixed))))
        return _jacobian(lambda x, fixed: np.asarray(np.sum(f(x, fixed) * cotangent), dtype=object))(x, fixed)

    return transformed


def _rows(x: np.ndarray) -> list[np.ndarray]:
    return [np.asarray(mp.mpf(r) * x, dtype=object) for r in ROWS]


def _mapped(f: Reference) -> Reference:
    def transformed(x: np.ndarray, fixed: np.ndarray) -> np.ndarray:
        return np.stack([f(a, b) for a, b in zip(_rows(x), _rows(fixed), strict=True)])

    return transformed


def _scanned(f: Reference) -> Reference:
    def transformed(x: np.ndarray, fixed: np.ndarray) -> np.ndarray:
        carry, rows = (mp.mpf(0), mp.mpf(0)), []
        for row, at in zip(_rows(x), _rows(fixed), strict=True):
            carry = tuple(c / 2 + np.sum(f(value, at)) for c, value in zip(carry, (row, at), strict=True))
            rows.append(carry[0] * np.sum(row))
        return np.asarray(rows, dtype=object)

    return transformed


def _vmap_argument(f: Function) -> Function:
    return lambda x: mm.vmap(f)(mm.vmap(lambda r: r * x)(_row_factors(x)))


def _scan(f: Function) -> Function:
    def transformed(x: Any) -> Any:
        def body(carry: Any, r: Any) -> Any:
            carry = 0.5 * carry + _total(f(r * x))
            return carry, carry * _total(r * x)

        return mm.scan(body, _total(x) * 0.0, _row_factors(x))[1]

    return transformed


def _tree(f: Function) -> Function:
    """The gradient with respect to a tree, with auxiliary output, of a function that closes over an integer array."""

    def transformed(x: Any) -> Any:
        order = array_namespace(x).asarray([1, 0], dtype=array_namespace(x).int32)

        def total(params: dict[str, Any]) -> Any:
            xp = array_namespace(params["a"])
            both = xp.take(xp.stack([params["a"], params["b"]]), order, axis=0)
            outputs = f(both[0, ...] * both[1, ...])
            return _total(outputs), {"outputs": outputs}

        gradient, aux = mm.grad(total, has_aux=True)({"a": x, "b": 0.5 * x})
        return gradient["a"] + 2.0 * gradient["b"] + _total(aux["outputs"])

    return transformed


def _tree_reference(f: Reference) -> Reference:
    def transformed(x: np.ndarray, fixed: np.ndarray) -> np.ndarray:
        inner, outer = np.asarray(x * x / 2, dtype=object), np.asarray(fixed * fixed / 2, dtype=object)
        slope = _grad(f)(inner, outer)
        return np.asarray(slope * x / 2 + 2 * slope * x + np.sum(f(inner, outer)), dtype=object)

    return transformed


STEPS = (
    Step("grad", lambda f: mm.grad(lambda x: _total(f(x))), _grad),
    Step(
        "value_and_grad",
        lambda f: (
            lambda x: (lambda value, slope: value * slope)(*mm.value_and_grad(lambda x: _total(f(x)))(x))
        ),
        lambda f: lambda x, fixed: np.asarray(_sum(f)(x, fixed)[()] * _grad(f)(x, fixed), dtype=object),
    ),
    Step(
        "vjp",
        lambda f: lambda x: (lambda y, back: back(_towards(x, tuple(y.shape)))[0])(*mm.vjp(f, x)),
        _vjp,
    ),
    Step(
        "jvp",
        lambda f: lambda x: mm.jvp(f, (x,), (_towards(x, tuple(x.shape)),))[1],
        lambda f: lambda x, fixed: _along(f, x, fixed, exact(_direction(x.shape))),
    ),
    Step("jacobian", lambda f: mm.jacobian(f), _jacobian),
    Step("hessian", lambda f: mm.hessian(lambda x: _total(f(x))), lambda f: _jacobian(_grad(f))),
    Step(
        "hvp",
        lambda f: lambda x: mm.hvp(lambda x: _total(f(x)), (x,), (_towards(x, tuple(x.shape)),)),
        lambda f: lambda x, fixed: _along(_grad(f), x, fixed, exact(_direction(x.shape))),
    ),
    Step("vmap of the argument", _vmap_argument, _mapped),
    Step("vmap around it", lambda f: lambda x: mm.vmap(lambda r: f(r * x))(_row_factors(x)), _mapped),
    Step(
        "vmap, unbatched",
        lambda f: lambda x: mm.vmap(lambda w, r: f(r * w), in_axes=(None, 0))(x, _row_factors(x)),
        _mapped,
    ),
    Step("scan", _scan, _scanned),
    Step("jit", lambda f: mm.jit(f), lambda f: f),
    Step("tree, aux, integers", _tree, _tree_reference),
    Step(
        "stop_gradient",
        lambda f: lambda x: f(x) * mm.stop_gradient(f(x)),
        lambda f: lambda x, fixed: np.asarray(f(x, fixed) * f(fixed, fixed), dtype=object),
    ),
)
BY_NAME = {step.name: step for step in STEPS}
SHAPES = ((), (2,), (2, 2), (2, 1, 2))
LARGEST = 100
"""Numbers of a result: Jacobians of Jacobians of Jacobians of matrices prove nothing more."""


@dataclass(frozen=True)
class Composition:
    """A chain of steps, the innermost first, at a point of some shape."""

    steps: tuple[str, ...]
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{' of '.join(reversed(self.steps))} at {self.shape}"

    @property
    def point(self) -> np.ndarray:
        return 0.3 + 0.2 * _direction(self.shape)

    @property
    def size(self) -> int:
        """How many numbers the result holds."""
        size = points = math.prod(self.shape)
        for step in self.steps:
            if step in ("grad", "value_and_grad", "vjp", "hvp", "tree, aux, integers"):
                size = points
            elif step == "jacobian":
                size *= points
            elif step == "hessian":
                size = points * points
            elif step.startswith("vmap"):
                size *= len(ROWS)
            elif step == "scan":
                size = len(ROWS)
        return size

    def function(self) -> Function:
        f: Function = base
        for name in self.steps:
            f = BY_NAME[name].apply(f)
        return f

    def expected(self) -> np.ndarray:
        f: Reference = base_reference
        for name in self.steps:
            f = BY_NAME[name].reference(f)
        x = exact(self.point)
        return np.asarray(f(x, x), dtype=object).astype(np.float64)


def every(depth: int) -> Iterator[Composition]:
    """All chains of that many steps, each at one of the shapes in turn."""
    for n, steps in enumerate(itertools.product(BY_NAME, repeat=depth)):
        found = Composition(steps, SHAPES[n % len(SHAPES)])
        yield found if found.size <= LARGEST else Composition(steps, (2,))


def some(depth: int, count: int) -> list[Composition]:
    """A sample that is the same each time, with each step in it."""
    generator = random.Random(depth)
    chains = list(every(depth))
    generator.shuffle(chains)
    return chains[:count]
