"""Losses, and the gradients that need it, without ``where``: `multimlp.backends.numpy.activations` says why.

The kernels take outputs and targets of one shape and dtype, or rows of outputs and class labels; everything else, whatever makes NaN
among it (infinite outputs have limits of their own), is the portable body's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np

from multimlp.backends.numpy.activations import CACHE, NUMBERS, Numbers, gates

Array: TypeAlias = np.ndarray
_FEW = 64
"""Columns."""
_Terms: TypeAlias = Callable[..., None]
"""``terms(n, o, t, out, *work, *options)``: the loss of each output, or its derivative, in arrays like the outputs."""


def _blocks(rows: int, columns: int, itemsize: int) -> Iterator[slice]:
    """Slices of rows, of which five arrays fit the cache."""
    size = max(1, CACHE // (5 * columns * itemsize))
    return (slice(start, start + size) for start in range(0, rows, size))


def _rows(outputs: Any, targets: Any) -> tuple[Numbers, np.ndarray, np.ndarray] | None:
    """Both as matrices of one shape and dtype; None for what is not plain, or does not fit."""
    if type(outputs) is not np.ndarray or type(targets) is not np.ndarray or outputs.ndim < 2:
        return None
    n, k = NUMBERS.get(outputs.dtype), outputs.shape[-1]
    if targets.ndim == 1 and k == 1:
        targets = targets[:, None]
    fits = targets.ndim >= 2 and targets.shape == outputs.shape[-targets.ndim :]
    if n is None or not fits or not outputs.size or targets.dtype.kind not in "biuf":
        return None
    if targets.shape != outputs.shape:  # an ensemble
        targets = np.broadcast_to(targets, outputs.shape)
    return n, outputs.reshape(-1, k), targets.reshape(-1, k).astype(outputs.dtype, copy=False)


def _sum_rows(terms: np.ndarray, out: np.ndarray) -> None:
    """Not a product with a vector: what BLAS makes of a row depends on where it stands. A reduction takes 14 ns to begin a row, which
    `einsum` does not; it adds one number to the next."""
    if terms.shape[1] <= _FEW:
        np.einsum("ij->i", terms, out=out)
    else:
        np.add.reduce(terms, axis=-1, out=out)


def _mean_of(terms: _Terms, count: int) -> Callable[..., Any]:
    """The kernel of a loss that is the mean over the outputs of something."""

    def kernel(outputs: np.ndarray, targets: np.ndarray, *args: Any, **options: Any) -> Any:
        found = _rows(outputs, targets)
        if found is None:
            return NotImplemented
        n, o, t = found
        means, work = np.empty(len(o), dtype=o.dtype), None
        for rows in _blocks(len(o), o.shape[1], o.itemsize):
            part = o[rows]
            if work is None or len(part) != len(work[0]):
                work = [np.empty_like(part) for _ in range(count + 1)]
            terms(n, part, t[rows], *work, *args, **options)
            _sum_rows(work[0], means[rows])
        means /= o.shape[1]
        return means.reshape(outputs.shape[:-1])

    return kernel


def _with_limits(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """The kernel of a loss whose product may be zero times infinity, which has a limit: where it makes NaN the portable body serves."""

    def limited(outputs: np.ndarray, targets: np.ndarray, *args: Any, **options: Any) -> Any:
        with np.errstate(invalid="ignore"):
            values = kernel(outputs, targets, *args, **options)
        return NotImplemented if values is not NotImplemented and np.isnan(values).any() else values

    return limited


def _each(terms: _Terms, count: int) -> Callable[..., Any]:
    """The kernel of a gradient."""

    def kernel(outputs: np.ndarray, targets: np.ndarray, *args: Any, **options: Any) -> Any:
        found = _rows(outputs, targets)
        if found is None:
            return NotImplemented
        n, o, t = found
        out = np.empty(o.shape, dtype=o.dtype)
        for rows in _blocks(len(o), o.shape[1], o.itemsize):
            part = o[rows]
            work = [np.empty_like(part) for _ in range(count)]
            terms(n, part, t[rows], out[rows], *work, *args, **options)
        return out.reshape(outputs.shape)

    return kernel


# ---- numbers -----------------------------------------------------------------------------------------------------------


def _squared(n: Numbers, o: Any, t: Any, out: Any) -> None:
    np.subtract(o, t, out=out)
    out *= out


def _absolute(n: Numbers, o: Any, t: Any, out: Any) -> None:
    np.subtract(o, t, out=out)
    np.absolute(out, out=out)


def _huber(n: Numbers, o: Any, t: Any, out: Any, size: Any, delta: float = 1.0) -> None:
    """c (|r| - c / 2) with c = min(|r|, delta)"""
    _absolute(n, o, t, size)
    gates.not_above(n, size, delta, out)
    size -= out * n.half
    out *= size


def _huber_gradient(n: Numbers, o: Any, t: Any, out: Any, delta: float = 1.0) -> None:
    np.subtract(o, t, out=out)
    gates.bounded(out, -delta, delta, out)
    out /= o.shape[-1]


def _log_cosh(n: Numbers, o: Any, t: Any, out: Any, size: Any, e: Any) -> None:
    """log(1 + e^2 / (2 + 2 e)) with e = exp|r| - 1, up to |r| = 20, from where it is a straight line."""
    _absolute(n, o, t, size)
    gates.not_above(n, size, n.twenty, out)
    size -= out
    np.expm1(out, out=e)
    np.add(e, n.one, out=out)
    out *= n.two
    e *= e
    np.divide(e, out, out=out)
    np.log1p(out, out=out)
    out += size


def _poisson(n: Numbers, o: Any, t: Any, out: Any, product: Any) -> None:
    np.multiply(o, t, out=product)
    np.exp(o, out=out)
    out -= product


# ---- decisions and classes ------------------------------------------------------------------------------------------------


def _binary_cross_entropy(n: Numbers, o: Any, t: Any, out: Any, linear: Any) -> None:
    """o (h - t) + log(1 + exp(-|o|)) with h = 1 where o > 0, else 0"""
    np.copyto(linear, o > n.zero)
    linear -= t
    linear *= o
    np.absolute(o, out=out)
    np.negative(out, out=out)
    np.exp(out, out=out)
    np.log1p(out, out=out)
    out += linear


def _signed(n: Numbers, o: Any, t: Any, sign: Any, slack: Any) -> None:
    """1 where t > 0, else -1, and 1 minus that times o."""
    np.copyto(sign, t > n.zero)
    sign *= n.two
    sign -= n.one
    np.multiply(sign, o, out=slack)
    np.subtract(n.one, slack, out=slack)


def _hinge(n: Numbers, o: Any, t: Any, out: Any, sign: Any) -> None:
    _signed(n, o, t, sign, out)
    gates.not_below(n, out, n.zero, out)


def _hinge_gradient(n: Numbers, o: Any, t: Any, out: Any, slack: Any) -> None:
    _signed(n, o, t, out, slack)
    np.copyto(slack, slack <= n.zero)
    slack -= n.one  # 0 where the margin is kept, else -1
    out *= slack
    out /= o.shape[-1]


def _of_classes(fill: Callable[[Array, Any, Array], None], per_example: bool) -> Callable[..., Any]:
    """The kernel of what ``fill(z, chosen, out)`` does to rows of outputs, their largest subtracted, and the labels of their classes.

    In z each example is a column, since NumPy reduces along rows; ``chosen`` picks the labels' elements.
    """

    def kernel(outputs: Array, labels: Array, *args: Any, **options: Any) -> Any:
        plain = type(outputs) is type(labels) is np.ndarray and outputs.dtype in NUMBERS
        if not plain or args or options or outputs.ndim < 2 or labels.shape != outputs.shape[-2:-1]:
            return NotImplemented
        n, k = outputs.shape[-2:]
        if not outputs.size or labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= k:
            return NotImplemented
        result = np.empty(outputs.shape[:-1] if per_example else outputs.shape, dtype=outputs.dtype)
        members = zip(
            outputs.reshape(-1, n, k), result.reshape(-1, *result.shape[outputs.ndim - 2 :]), strict=True
        )
        for o, out in members:
            for rows in _blocks(n, k, outputs.itemsize):
                z = np.array(o[rows].T, order="C")
                top = z.max(axis=0)
                if not np.isfinite(top).all():
                    return NotImplemented
                z -= top
                fill(z, (labels[rows], np.arange(len(top))), out[rows])
        return result

    return kernel


def _cross_entropy(z: Array, chosen: Any, out: Array) -> None:
    own = z[chosen]
    np.exp(z, out=z)
    np.log(z.sum(axis=0), out=out)
    out -= own


def _cross_entropy_gradient(z: Array, chosen: Any, out: Array) -> None:
    np.exp(z, out=z)
    z /= z.sum(axis=0)
    z[chosen] -= 1
    out[...] = z.T


KERNELS = {
    "mean_squared_error": _mean_of(_squared, 0),
    "mean_absolute_error": _mean_of(_absolute, 0),
    "huber_loss": _mean_of(_huber, 1),
    "huber_loss_gradient": _each(_huber_gradient, 0),
    "log_cosh_loss": _mean_of(_log_cosh, 2),
    "poisson_loss": _with_limits(_mean_of(_poisson, 1)),
    "sigmoid_cross_entropy": _with_limits(_mean_of(_binary_cross_entropy, 1)),
    "hinge_loss": _mean_of(_hinge, 1),
    "hinge_loss_gradient": _each(_hinge_gradient, 1),
    "softmax_cross_entropy": _of_classes(_cross_entropy, per_example=True),
    "softmax_cross_entropy_gradient": _of_classes(_cross_entropy_gradient, per_example=False),
}
"""By the names of the operations."""
