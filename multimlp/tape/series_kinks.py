"""Rules for series of functions with kinks, of which each side has derivatives of its own.

At a kink each derivative is the mean of those of both sides where reverse mode takes the mean of the slopes (``maximum`` and
``minimum`` at a tie, ``max`` and ``min`` too), and all are zero where it takes zero (``abs`` at 0). ``clip`` counts its bounds to the
inside.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from multimlp.tape.batching import Function
from multimlp.tape.core import raw
from multimlp.tape.rules_reductions import axes_of, restore_axes, shares_of_extrema
from multimlp.tape.series import Frame


def _chosen(frame: Frame, y: Any, choices: list[tuple[Any, Any]]) -> Any:
    """The value, and the derivatives of the first choice whose condition holds, zero if none does."""
    xp, zero = frame.xp, frame.xp.zeros_like(raw(y))
    higher = []
    for k in range(1, frame.order + 1):
        term: Any = None
        for condition, terms in reversed(choices):
            if term is not None or terms[k] is not None:
                term = xp.where(
                    condition, zero if terms[k] is None else terms[k], zero if term is None else term
                )
        higher.append(term)
    return frame.series(y, higher)


def _where(frame: Frame, f: Function, condition: Any, a: Any, b: Any) -> Any:
    condition = raw(condition)
    a, b = frame.terms(a), frame.terms(b)
    return _chosen(frame, f(condition, a[0], b[0]), [(condition, a), (~condition, b)])


def _extreme_of_two(is_taken: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def rule(frame: Frame, f: Function, a: Any, b: Any) -> Any:
        a, b = frame.terms(a), frame.terms(b)
        left, right = raw(a[0]), raw(b[0])
        mean = [
            None
            if s is None and t is None
            else frame.scaled(0.5, s if t is None else t if s is None else frame.xp.add(s, t))
            for s, t in zip((None, *a[1:]), (None, *b[1:]), strict=True)
        ]
        choices = [(is_taken(left, right), a), (is_taken(right, left), b), (left == right, mean)]
        return _chosen(frame, f(a[0], b[0]), choices)

    return rule


def _clip(frame: Frame, f: Function, x: Any, low: Any = None, high: Any = None) -> Any:
    x, low_terms, high_terms = frame.terms(x), frame.terms(low), frame.terms(high)
    y, at = f(x[0], low_terms[0], high_terms[0]), raw(x[0])
    choices, top, bottom = [], raw(high_terms[0]), raw(low_terms[0])
    if high is not None:  # where the bounds are the wrong way round, the upper one counts
        choices.append(((at > top) if low is None else (at > top) | (bottom > top), high_terms))
    if low is not None:
        choices.append((at < bottom, low_terms))
    return _chosen(frame, y, [*choices, (frame.xp.ones_like(at, dtype=frame.xp.bool), x)])


def _abs(frame: Frame, f: Function, x: Any) -> Any:
    terms = frame.terms(x)
    sign = frame.xp.sign(raw(terms[0]))
    return frame.series(f(terms[0]), [None if t is None else frame.xp.multiply(sign, t) for t in terms[1:]])


def _copysign(frame: Frame, f: Function, a: Any, b: Any) -> Any:
    value = frame.terms(a)[0]
    y = f(value, frame.terms(b)[0])
    xp = frame.xp
    start = xp.full_like(y, value) if not hasattr(value, "dtype") else value
    sign = xp.where(
        start == 0,
        xp.zeros_like(y),
        xp.where(xp.signbit(start) == xp.signbit(y), xp.ones_like(y), -xp.ones_like(y)),
    )
    return frame.series(y, [None if t is None else xp.multiply(sign, t) for t in frame.terms(a)[1:]])


def _extremum(frame: Frame, f: Function, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    xp, terms = frame.xp, frame.terms(x)
    y, at = f(terms[0], axis=axis, keepdims=keepdims), raw(terms[0])
    reached, share = shares_of_extrema(xp, at, restore_axes(xp, raw(y), at, axis), axes_of(at, axis))

    def taken(term: Any) -> Any:
        kept = xp.where(reached, xp.multiply(share, term), xp.zeros_like(at))
        return xp.sum(kept, axis=axes_of(at, axis), keepdims=keepdims)

    return frame.series(y, [None if term is None else taken(term) for term in terms[1:]])


SERIES_RULES: dict[str, Any] = {
    "abs": _abs,
    "clip": _clip,
    "copysign": _copysign,
    "max": _extremum,
    "maximum": _extreme_of_two(lambda a, b: a > b),
    "min": _extremum,
    "minimum": _extreme_of_two(lambda a, b: a < b),
    "where": _where,
}
