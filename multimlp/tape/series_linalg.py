"""Series of linear systems, determinants, factorisations and norms: each term is what Leibniz' rule leaves for it."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from multimlp.tape.batching import Function
from multimlp.tape.core import raw
from multimlp.tape.series import Frame


def _solve(frame: Frame, f: Function, a: Any, b: Any) -> Any:
    """From A y = b."""
    a, b = frame.terms(a), frame.terms(b)
    xp, y = frame.xp, [f(a[0], b[0])]
    for k in range(1, frame.order + 1):
        known = frame.total(k, frame.product(xp.matmul, a, [*y, None], k, start=1))
        rest = b[k] if known is None else xp.negative(known) if b[k] is None else xp.subtract(b[k], known)
        y.append(None if rest is None else f(a[0], rest))
    return frame.series(y[0], y[1:])


def _inv(frame: Frame, f: Function, x: Any) -> Any:
    """From X y = 1."""
    x = frame.terms(x)
    xp, y = frame.xp, [f(x[0])]
    for k in range(1, frame.order + 1):
        known = frame.total(k, frame.product(xp.matmul, x, [*y, None], k, start=1))
        y.append(None if known is None else xp.negative(xp.matmul(y[0], known)))
    return frame.series(y[0], y[1:])


def _log_determinant(frame: Frame, x: Any) -> list[Any]:
    """The derivatives of log |det X|: of log det(1 + N) with N = X_0^-1 (X - X_0), by the traces of the powers of N."""
    xp, terms = frame.xp, frame.terms(x)
    step = [None, *(None if t is None else xp.linalg.solve(terms[0], t) for t in terms[1:])]
    parts: list[list[Any]] = [[] for _ in terms]
    power = step
    for m in range(1, frame.order + 1):
        if m > 1:
            power = [frame.total(k, frame.product(xp.matmul, step, power, k)) for k in range(frame.order + 1)]
        for k, term in enumerate(power):
            if term is not None:
                parts[k].append(frame.scaled((-1) ** (m + 1) / m, xp.linalg.trace(term)))
    return [frame.total(k, parts[k]) for k in range(1, frame.order + 1)]


class _SignAndLogarithm(NamedTuple):
    """The standard's names; not every library's own type takes other arrays."""

    sign: Any
    logabsdet: Any


def _slogdet(frame: Frame, f: Function, x: Any) -> Any:
    sign, logarithm = f(frame.terms(x)[0])
    return _SignAndLogarithm(sign, frame.series(logarithm, _log_determinant(frame, x)))


def _det(frame: Frame, f: Function, x: Any) -> Any:
    y = f(frame.terms(x)[0])
    return frame.composed(y, (y,) * frame.order, [None, *_log_determinant(frame, x)])


def _cholesky(frame: Frame, f: Function, x: Any, *, upper: bool = False) -> Any:
    """From L L^T = X: L_k = L_0 P(L_0^-1 R L_0^-T), where R is the rest and P halves the diagonal of the lower triangle."""
    xp, x = frame.xp, frame.terms(x)
    y = [f(x[0])]
    first = y[0]
    half = xp.tril(xp.ones_like(raw(first))) - 0.5 * xp.tril(xp.triu(xp.ones_like(raw(first))))

    def product(a: Any, b: Any) -> Any:
        return xp.matmul(a, xp.matrix_transpose(b))

    for k in range(1, frame.order + 1):
        known = frame.total(k, frame.product(product, y, [*y, None], k, start=1, end=1))
        rest = x[k] if known is None else xp.negative(known) if x[k] is None else xp.subtract(x[k], known)
        if rest is not None:
            # A direction that is not symmetric counts as its symmetric part.
            rest = 0.5 * (rest + xp.matrix_transpose(rest))
            left = xp.linalg.solve(first, rest)
            inner = xp.matrix_transpose(xp.linalg.solve(first, xp.matrix_transpose(left)))
            rest = xp.matmul(first, xp.multiply(half, inner))
        y.append(rest)
    lower = frame.series(y[0], y[1:])
    return xp.matrix_transpose(lower) if upper else lower


def _vector_norm(
    frame: Frame,
    f: Function,
    x: Any,
    *,
    axis: Any = None,
    keepdims: bool = False,
    ord: Any = 2,  # noqa: A002
) -> Any:
    xp = frame.xp
    if ord in (math.inf, -math.inf):
        return (xp.max if ord > 0 else xp.min)(xp.abs(x), axis=axis, keepdims=keepdims)
    value = frame.terms(x)[0]
    y = f(value, axis=axis, keepdims=keepdims, ord=ord)
    if ord == 0:
        return y
    largest = xp.max(xp.abs(raw(value)), axis=axis, keepdims=True)
    origin = largest == 0
    one = xp.ones_like(largest)
    ratio = xp.abs(xp.divide(x, xp.where(origin, one, largest)))  # neither overflows nor underflows
    powers = xp.square(ratio) if ord == 2 else xp.pow(ratio, float(ord))
    total = xp.where(origin, one, xp.sum(powers, axis=axis, keepdims=True))  # no slope at 0
    root = xp.sqrt(total) if ord == 2 else xp.pow(total, 1.0 / ord)
    norm = xp.reshape(xp.multiply(largest, root), y.shape)
    return frame.series(y, frame.terms(norm)[1:])


SERIES_RULES: dict[str, Any] = {
    "linalg.cholesky": _cholesky,
    "linalg.det": _det,
    "linalg.inv": _inv,
    "linalg.slogdet": _slogdet,
    "linalg.solve": _solve,
    "linalg.vector_norm": _vector_norm,
}
