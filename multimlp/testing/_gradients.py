"""`check_grads`: derivatives against finite differences, in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from multimlp import transforms, tree
from multimlp.backend import Array, Backend, common_owner, get_backend, is_array, owner
from multimlp.errors import InputError, ParityError
from multimlp.errors.checks import check_choice, check_function, check_items, check_number, check_whole
from multimlp.tree import Tree

STEP = 1e-3
"""Of the differences, relative to max(1, |x|); the formula's error is of its fourth power."""

_BASIS_LIMIT = 32
_RANDOM_DIRECTIONS = 4


def check_grads(
    f: Callable[..., Tree],
    args: Sequence[Tree],
    order: int = 2,
    modes: Sequence[str] = ("rev", "fwd"),
    *,
    rtol: float = 1e-6,
    atol: float = 1e-6,
    step: float = STEP,
    seed: int = 0,
) -> None:
    """Raise unless the derivatives of ``f`` agree with finite differences.

    The arguments are taken to float64. Up to 32 numbers, each is varied by itself; more, and four random
    directions are tried. Differences: ``(8 (f(x+h) - f(x-h)) - (f(x+2h) - f(x-2h))) / 12h``. Derivatives of
    order 2 are those of the derivative of order 1.

    Parameters
    ----------
    f : callable
        ``f(*args)`` returns an array or a tree of arrays; smooth around ``args``.
    args : sequence of trees of arrays
        Floating-point, of one library; NumPy arrays and numbers go to the selected backend.
    order : int
        1 or more.
    modes : sequence of {"rev", "fwd"}
        Reverse mode (`multimlp.vjp`), forward mode (`multimlp.jvp`).
    rtol, atol : float
        |derivative - difference| <= atol + rtol |difference|.
    step : float
        h, relative to max(1, |x|).
    seed : int
        Of the random directions.

    Raises
    ------
    ParityError
        An `AssertionError` that says which order, mode, argument and element disagree, and by how much.
    InputError
        For an unknown mode, an order below 1, arguments that are not floating-point, or nothing to vary.
    NotDifferentiableError
        If ``f`` returns no floating-point array.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> from multimlp.testing import check_grads
    >>> check_grads(lambda x: mm.array_namespace(x).sin(x) * x, (np.asarray([0.5, 1.0]),))
    """
    check_function("f", f)
    order, seed = check_whole("order", order, low=1, high=_HIGHEST), check_whole("seed", seed, low=0)
    rtol, atol = check_number("rtol", rtol, low=0), check_number("atol", atol, low=0)
    step = check_number("step", step, low=0, low_open=True)
    modes = check_items("modes", modes, "of 'rev' and 'fwd'")
    if not modes:
        raise InputError("modes: expected 'rev', 'fwd' or both, got none")
    for mode in modes:
        check_choice("modes", mode, ("rev", "fwd"))
    if not isinstance(args, (tuple, list)):
        raise InputError(f"args: expected a tuple of the arguments of f, got {args!r}; write (x,)")
    leaves, rebuild = tree.flatten(tuple(args))
    backend = common_owner(leaves) or get_backend()
    start = [_floats(leaf) for leaf in leaves]
    if not any(array.size for array in start):
        raise InputError("args: there is no number among them to vary, so that nothing would be checked")

    def flat(*arrays: Array) -> tuple[Array, ...]:
        return tuple(tree.leaves(f(*rebuild(arrays))))

    check = _Check(backend, tuple(modes), rtol, atol, step, np.random.default_rng(seed))
    with backend.scope("float64"):
        check(flat, start, 1, order)


_HIGHEST = 8
"""Orders of derivatives that differences can still tell from rounding."""


def _floats(leaf: Any) -> np.ndarray:
    host = np.asarray(owner(leaf).to_numpy(leaf) if is_array(leaf) else leaf)
    if host.dtype.kind != "f":
        raise InputError(
            f"args: expected floating-point arrays or numbers, got {leaf!r} of type {type(leaf).__name__} ({host.dtype}); a function of "
            "integers has no derivatives: write 7.0 for 7, or bind the argument, e.g. by functools.partial"
        )
    return host.astype(np.float64)


class _Check:
    """One call of `check_grads`: how arrays are made and compared."""

    def __init__(
        self,
        backend: Backend,
        modes: tuple[str, ...],
        rtol: float,
        atol: float,
        step: float,
        random: np.random.Generator,
    ) -> None:
        self.backend, self.modes, self.rtol, self.atol = backend, modes, rtol, atol
        self.step, self.random = step, random

    def __call__(
        self, f: Callable[..., tuple[Array, ...]], start: list[np.ndarray], order: int, last: int
    ) -> None:
        outputs, pullback = transforms.vjp(f, *self._place(start))
        weights = [self.random.standard_normal(tuple(o.shape)) for o in outputs]
        for label, direction in self._directions(start):
            slopes = self._differences(f, start, direction)
            if "fwd" in self.modes:
                tangents = transforms.jvp(f, self._place(start), self._place(direction))[1]
                for i, (tangent, slope) in enumerate(zip(tangents, slopes, strict=True)):
                    self._compare(
                        self.backend.to_numpy(tangent),
                        slope,
                        f"order {order}, forward mode, {label}, output {i}",
                    )
            if "rev" in self.modes:
                gradients = pullback(tuple(self._place(weights)))
                reverse = _dot([self.backend.to_numpy(g) for g in gradients], direction)
                self._compare(
                    np.asarray(reverse),
                    np.asarray(_dot(weights, slopes)),
                    f"order {order}, reverse mode, {label}",
                )
        if order < last:
            for mode in self.modes:
                self(self._derivative(f, mode, weights, start), start, order + 1, last)

    def _derivative(
        self,
        f: Callable[..., tuple[Array, ...]],
        mode: str,
        weights: list[np.ndarray],
        start: list[np.ndarray],
    ) -> Callable[..., tuple[Array, ...]]:
        """The function to differentiate next: the gradient, or the derivative along a direction."""
        cotangents = tuple(self._place(weights))
        along = self._place([self.random.standard_normal(a.shape) for a in start])

        def reverse(*arrays: Array) -> tuple[Array, ...]:
            pulled: tuple[Array, ...] = transforms.vjp(f, *arrays)[1](cotangents)
            return pulled

        def forward(*arrays: Array) -> tuple[Array, ...]:
            pushed: tuple[Array, ...] = transforms.jvp(f, arrays, along)[1]
            return pushed

        return reverse if mode == "rev" else forward

    def _place(self, host: Sequence[np.ndarray]) -> list[Array]:
        return [self.backend.asarray(a, dtype="float64") for a in host]

    def _directions(self, start: list[np.ndarray]) -> Iterator[tuple[str, list[np.ndarray]]]:
        if sum(a.size for a in start) > _BASIS_LIMIT:
            for number in range(_RANDOM_DIRECTIONS):
                yield f"random direction {number}", [self.random.standard_normal(a.shape) for a in start]
            return
        for which, array in enumerate(start):
            for place in np.ndindex(array.shape):
                direction = [np.zeros(a.shape) for a in start]
                direction[which][place] = 1.0
                yield f"argument {which}{list(place) if place else ''}", direction

    def _differences(
        self, f: Callable[..., tuple[Array, ...]], start: list[np.ndarray], direction: list[np.ndarray]
    ) -> list[np.ndarray]:
        size = max((float(np.max(np.abs(a))) for a in start if a.size), default=0.0)
        h = self.step * max(1.0, size)

        def at(multiple: float) -> list[np.ndarray]:
            moved = [a + multiple * h * d for a, d in zip(start, direction, strict=True)]
            return [np.asarray(self.backend.to_numpy(y), dtype=np.float64) for y in f(*self._place(moved))]

        points = zip(at(1), at(-1), at(2), at(-2), strict=True)
        return [(8 * (a - b) - (c - d)) / (12 * h) for a, b, c, d in points]

    def _compare(self, derivative: np.ndarray, difference: np.ndarray, where: str) -> None:
        error = np.abs(derivative - difference)
        failed = ~(error <= self.atol + self.rtol * np.abs(difference))
        if np.any(failed):
            at = np.unravel_index(int(np.argmax(np.where(failed, error, -1))), failed.shape)
            place = f" at {[int(i) for i in at]}" if at else ""
            raise ParityError(
                f"{where}{place}: derivative {derivative[at]:.12g}, finite difference {difference[at]:.12g} "
                f"(difference {error[at]:.3g}, tolerance {self.atol:g} + {self.rtol:g} |difference|)"
            )


def _dot(left: Sequence[np.ndarray], right: Sequence[np.ndarray]) -> float:
    return float(sum(np.sum(a * b) for a, b in zip(left, right, strict=True)))
