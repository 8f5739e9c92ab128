"""`check_grads`: derivatives against differences that are extrapolated, or against imaginary steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from multimlp import transforms, tree
from multimlp.backend import Array, Backend, common_owner, get_backend, is_array, owner
from multimlp.errors import InputError, ParityError
from multimlp.errors.checks import check_choice, check_function, check_items, check_number, check_whole
from multimlp.testing._differences import PRECISIONS, Precision, complex_step, extrapolated
from multimlp.tree import Tree

_BASIS_LIMIT = 32
_RANDOM_DIRECTIONS = 4


def check_grads(
    f: Callable[..., Tree],
    args: Sequence[Tree],
    order: int = 2,
    modes: Sequence[str] = ("rev", "fwd"),
    *,
    rtol: float | None = None,
    atol: float | None = None,
    step: float | None = None,
    method: str = "differences",
    dtype: str | None = None,
    seed: int = 0,
) -> None:
    """Raise unless the derivatives of ``f`` agree with what its values say.

    Up to 32 numbers, each is varied by itself; more, and four random directions are tried. ``"differences"``: central differences at
    ever smaller steps, extrapolated to none until they settle, so that neither step nor order is a matter of luck. ``"complex"``: the
    imaginary part of ``f(x + ih) / h``, right to the last digits, of functions that are analytic and take complex arrays.
    Derivatives of order 2 are those of the derivative of order 1.

    Parameters
    ----------
    f : callable
        ``f(*args)`` returns an array or a tree of arrays; smooth around ``args``. What is not floating-point among them is left out.
    args : sequence of trees of arrays
        Floating-point, of one library; NumPy arrays and numbers go to the selected backend.
    order : int
        1 or more.
    modes : sequence of {"rev", "fwd"}
        Reverse mode (`multimlp.vjp`), forward mode (`multimlp.jvp`).
    rtol, atol : float, optional
        |derivative - difference| <= atol + rtol |difference|. Default: 1e-6 in float64, 2e-3 in float32.
    step : float, optional
        The first one, relative to max(1, |x|). Default: 2^-6 in float64, 2^-2 in float32. Give a smaller one where ``f`` ends close to
        ``args``.
    method : {"differences", "complex"}
        The second one checks order 1 only.
    dtype : {"float64", "float32"}, optional
        In which everything is computed. Default: float64, or float32 on a backend without it.
    seed : int
        Of the random directions.

    Raises
    ------
    ParityError
        An `AssertionError` that says which order, mode, argument and element disagree, and by how much; or that the differences do
        not settle, so that they say nothing: ``f`` is not smooth there, or noisy.
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
    check_choice("method", method, ("differences", "complex"))
    if method == "complex" and order > 1:
        raise InputError(
            "method: the complex step checks derivatives of order 1; give order=1, or method='differences'"
        )
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
        """The outputs that have derivatives; all of them where none has, for the error."""
        outputs = tree.leaves(f(*rebuild(arrays)))
        smooth = [y for y in outputs if is_array(y) and owner(y).is_floating(y)]
        return tuple(smooth or outputs)

    kind = _dtype(backend, dtype)
    wanted = _with(PRECISIONS[kind], rtol=rtol, atol=atol, step=step)
    check = _Check(backend, kind, tuple(modes), wanted, method, np.random.default_rng(seed))
    with backend.scope(kind):
        check(flat, start, 1, order)


_HIGHEST = 8
"""Orders of derivatives that differences can still tell from rounding."""


def _dtype(backend: Backend, dtype: str | None) -> str:
    here = [name for name in PRECISIONS if name in backend.capabilities.dtypes]
    return here[0] if dtype is None else check_choice("dtype", dtype, here)


def _with(usual: Precision, **given: float | None) -> Precision:
    changes: dict[str, Any] = {
        name: check_number(name, value, low=0, low_open=name == "step")
        for name, value in given.items()
        if value is not None
    }
    return replace(usual, **changes)


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
        dtype: str,
        modes: tuple[str, ...],
        wanted: Precision,
        method: str,
        random: np.random.Generator,
    ) -> None:
        self.backend, self.dtype, self.modes = backend, dtype, modes
        self.wanted, self.method, self.random = wanted, method, random

    def __call__(
        self, f: Callable[..., tuple[Array, ...]], start: list[np.ndarray], order: int, last: int
    ) -> None:
        outputs, pullback = transforms.vjp(f, *self._place(start))
        weights = [self.random.standard_normal(tuple(o.shape)) for o in outputs]
        for label, direction in self._directions(start):
            slopes, errors = self._slopes(f, start, direction)
            if "fwd" in self.modes:
                tangents = transforms.jvp(f, self._place(start), self._place(direction))[1]
                self._alike(tangents, outputs, f"order {order}, forward mode, {label}", "tangent of output")
                for i, (tangent, slope, error) in enumerate(zip(tangents, slopes, errors, strict=True)):
                    where = f"order {order}, forward mode, {label}, output {i}"
                    self._compare(self.backend.to_numpy(tangent), slope, error, where)
            if "rev" in self.modes:
                gradients = pullback(tuple(self._place(weights)))
                self._alike(
                    gradients, self._place(start), f"order {order}, reverse mode", "cotangent of argument"
                )
                reverse = _dot([self.backend.to_numpy(g) for g in gradients], direction)
                total = _dot([np.abs(w) for w in weights], errors)
                self._compare(
                    np.asarray(reverse),
                    np.asarray(_dot(weights, slopes)),
                    np.asarray(total),
                    f"order {order}, reverse mode, {label}",
                )
        if order < last:
            for mode in self.modes:
                self(self._derivative(f, mode, weights, start), start, order + 1, last)

    def _alike(self, found: Sequence[Array], of: Sequence[Array], where: str, what: str) -> None:
        """Values that are broadcast, or of another dtype, would pass a comparison of values."""
        for i, (x, like) in enumerate(zip(found, of, strict=True)):
            got, wanted = (f"{self.backend.dtype_name(y.dtype)} of shape {tuple(y.shape)}" for y in (x, like))
            if got != wanted:
                raise ParityError(f"{where}: the {what} {i} is {got}, expected {wanted}")

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
        kinds = {"f": self.dtype, "c": {"float64": "complex128", "float32": "complex64"}[self.dtype]}
        return [self.backend.asarray(a, dtype=kinds[a.dtype.kind]) for a in host]

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

    def _slopes(
        self, f: Callable[..., tuple[Array, ...]], start: list[np.ndarray], direction: list[np.ndarray]
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """What the values of f say about each output's derivative along the direction, and how far that may be off."""

        def along(h: complex) -> list[np.ndarray]:
            moved = [a + h * d for a, d in zip(start, direction, strict=True)]
            return [
                np.asarray(self.backend.to_numpy(y)).astype(np.result_type(type(h), float))
                for y in f(*self._place(moved))
            ]

        if self.method == "complex":
            return complex_step(along)
        sizes = [float(np.max(np.abs(a * (d != 0)))) for a, d in zip(start, direction, strict=True) if a.size]
        return extrapolated(along, self.wanted.step * max(1.0, *sizes), self.wanted)

    def _compare(self, derivative: np.ndarray, difference: np.ndarray, error: np.ndarray, where: str) -> None:
        bound = self.wanted.bound(difference)
        off = np.abs(derivative - difference)
        unsettled = ~(error <= 10 * bound)
        failed = unsettled | ~(off <= bound + error)
        if np.any(failed):
            at = np.unravel_index(
                int(np.argmax(np.where(failed, np.nan_to_num(off, nan=np.inf), -1))), failed.shape
            )
            place = f" at {[int(i) for i in at]}" if at else ""
            found = f"derivative {derivative[at]:.12g}, finite difference {difference[at]:.12g}"
            if unsettled[at]:
                advice = "the differences do not settle: f is not smooth here, or noisy, or ends close by (give a smaller step)"
                raise ParityError(f"{where}{place}: {found} +- {error[at]:.3g}: {advice}")
            raise ParityError(
                f"{where}{place}: {found} (difference {off[at]:.3g}, tolerance {self.wanted.atol:g} + {self.wanted.rtol:g} |difference|)"
            )


def _dot(left: Sequence[np.ndarray], right: Sequence[np.ndarray]) -> float:
    return float(sum(np.sum(a * b) for a, b in zip(left, right, strict=True)))
