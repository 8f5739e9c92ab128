"""How each function of the standard is applied to series, by name: ``rule(frame, f, *arguments, **parameters)``.

``f`` is the function of the namespace, for terms of lower levels. What is not here is composed of what is, sees the values alone
because no derivative flows through it, is element-wise in one array and follows from its derivative, or raises
`multimlp.errors.MissingRuleError`.

Functions with kinks are in ``series_kinks.py``, those of matrices in ``series_linalg.py``. Where norms are 0, and ``hypot`` at the origin,
all derivatives are zero, as in reverse mode.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

from multimlp._typing import Array
from multimlp.errors import MissingRuleError, NotDifferentiableError
from multimlp.tape import series_kinks, series_linalg
from multimlp.tape.batching import Function
from multimlp.tape.core import raw
from multimlp.tape.rules_reductions import axes_of
from multimlp.tape.series import Frame
from multimlp.tape.series_slopes import SLOPES, Slopes, derivatives, polynomial, power_of

SeriesRule: TypeAlias = Callable[..., Any]


def expand(
    is_elementwise: bool,
    frame: Frame,
    name: str,
    f: Function,
    slope: Callable[..., Any] | None,
    args: tuple[Any, ...],
    params: dict[str, Any],
) -> Any:
    """The function of that name, of arguments of which the highest level is a series; ``slope`` is its rule of reverse mode, if it is
    a function of one array alone."""
    rule = SERIES_RULES.get(name)
    if rule is None and slope is not None and is_elementwise:
        rule = _by_reverse_rule(f, slope)
    if rule is None:
        raise MissingRuleError(
            f"{name}: jet and laplacian have no rule for this function. Compose it of functions that have one, add a row to "
            "multimlp/tape/series_rules.py, or pass multimlp.stop_gradient(x) where a constant is meant"
        )
    return rule(frame, f, *args, **params)


def _smooth(slopes: Slopes) -> SeriesRule:
    """An element-wise function of one array of which all derivatives are known."""

    def rule(frame: Frame, f: Function, x: Any) -> Any:
        terms = frame.terms(x)
        y = f(terms[0])
        return frame.composed(y, slopes(frame.xp, terms[0], y, frame.order), terms)

    return rule


def _by_reverse_rule(f: Function, back: Callable[..., Any]) -> SeriesRule:
    """An element-wise function of one array with a rule of reverse mode, which says its derivative."""

    def slopes(xp: Any, x: Any, y: Any, n: int) -> list[Any]:
        return derivatives(lambda point: back(xp, xp.ones_like(x), f(point), point), xp, x, n)

    return _smooth(slopes)


def _linear(frame: Frame, f: Function, x: Any, *args: Any, **params: Any) -> Any:
    """Functions that are linear in their first argument, whatever the others are."""
    return frame.mapped(lambda term: f(term, *args, **params), x)


def _of_list(frame: Frame, f: Function, arrays: Any, **params: Any) -> Any:
    """Functions that are linear in the arrays of a list."""
    rows = [frame.terms(x) for x in arrays]
    zeros = [frame.xp.zeros_like(raw(row[0])) for row in rows]
    found: list[Any] = []
    for terms in zip(*rows, strict=True):
        if all(term is None for term in terms):
            found.append(None)
        else:
            found.append(
                f(
                    tuple(zero if term is None else term for term, zero in zip(terms, zeros, strict=True)),
                    **params,
                )
            )
    return frame.series(found[0], found[1:])


def _sum_of(sign: float) -> SeriesRule:
    def rule(frame: Frame, f: Function, a: Any, b: Any) -> Any:
        a, b = frame.terms(a), frame.terms(b)
        y = f(a[0], b[0])

        def term(left: Any, right: Any) -> Any:
            if left is None:
                return frame.like(right if sign > 0 or right is None else frame.xp.negative(right), y)
            return frame.like(left, y) if right is None else f(left, right)

        return frame.series(y, [term(*pair) for pair in zip(a[1:], b[1:], strict=True)])

    return rule


def _bilinear(frame: Frame, f: Function, a: Any, b: Any) -> Any:
    a, b = frame.terms(a), frame.terms(b)
    return frame.series(
        f(a[0], b[0]), [frame.total(k, frame.product(f, a, b, k)) for k in range(1, frame.order + 1)]
    )


def _multiply(frame: Frame, f: Function, a: Any, b: Any) -> Any:
    def product(k: int) -> Any:
        return frame.total(k, frame.product(lambda left, right: frame.times(k, left, right, f), a, b, k))

    a, b = frame.terms(a), frame.terms(b)
    return frame.series(f(a[0], b[0]), [product(k) for k in range(1, frame.order + 1)])


def _square(frame: Frame, f: Function, x: Any) -> Any:
    return frame.xp.multiply(x, x)


def _divide(frame: Frame, f: Function, a: Any, b: Any) -> Any:
    """From a = y b: each term is what Leibniz' rule leaves for it, divided by b."""
    a, b = frame.terms(a), frame.terms(b)
    xp, y = frame.xp, [f(a[0], b[0])]
    for k in range(1, frame.order + 1):
        known = frame.total(k, frame.product(xp.multiply, b, [*y, None], k, start=1))
        rest = a[k] if known is None else xp.negative(known) if a[k] is None else xp.subtract(a[k], known)
        y.append(None if rest is None else f(rest, b[0]))
    return frame.series(y[0], y[1:])


def _pow(frame: Frame, f: Function, a: Any, b: Any) -> Any:
    xp, base, exponent = frame.xp, frame.terms(a), frame.terms(b)
    y = f(base[0], exponent[0])
    if not frame.holds(b):
        slopes = power_of(float(b)) if isinstance(b, (int, float)) else _power_of_array(b)
        return frame.composed(y, slopes(xp, base[0], y, frame.order), base)
    start = base[0] if hasattr(base[0], "dtype") else xp.full_like(y, base[0])
    positive = start > 0
    safe = [xp.where(positive, start, xp.ones_like(start)), *base[1:]]
    logarithm = xp.multiply(b, xp.log(frame.series(safe[0], safe[1:])))
    # 0 ** b does not change with b >= 0; what a negative base does is no function of real exponents
    slope = xp.where(positive, y, xp.where(start < 0, xp.full_like(y, math.nan), xp.zeros_like(y)))
    return frame.composed(y, (slope,) * frame.order, frame.terms(logarithm))


def _power_of_array(b: Array) -> Slopes:
    def slopes(xp: Any, x: Any, y: Any, n: int) -> Any:
        factor = xp.ones_like(y)
        for m in range(1, n + 1):
            factor = factor * (b - (m - 1))
            ended = factor == 0
            yield factor * xp.pow(x, xp.where(ended, xp.ones_like(factor), b - m))

    return slopes


def _remainder(frame: Frame, f: Function, a: Any, b: Any) -> Any:
    xp, (dividend, divisor) = frame.xp, (frame.terms(a), frame.terms(b))
    y, quotient = f(dividend[0], divisor[0]), xp.floor_divide(raw(dividend[0]), raw(divisor[0]))
    moved = xp.subtract(a, xp.multiply(quotient, b))
    return frame.series(y, frame.terms(moved)[1:])


def _hypot(frame: Frame, f: Function, a: Any, b: Any) -> Any:
    y = f(frame.terms(a)[0], frame.terms(b)[0])
    xp = frame.xp
    return _root_of_squares(
        frame, y, lambda r: xp.add(xp.square(xp.divide(a, r)), xp.square(xp.divide(b, r)))
    )


def _root_of_squares(frame: Frame, y: Any, squares: Callable[[Any], Any]) -> Any:
    """sqrt of a sum of squares that was divided by its value y: neither overflows, and at 0 there is no slope."""
    xp = frame.xp
    origin = y == 0
    scale = xp.where(origin, xp.ones_like(y), y)
    terms = frame.terms(squares(scale))
    root = frame.terms(xp.sqrt(frame.series(xp.ones_like(y), terms[1:])))
    scale = xp.where(origin, xp.zeros_like(y), y)
    return frame.series(
        y, [None if term is None else xp.where(origin, scale, xp.multiply(scale, term)) for term in root[1:]]
    )


def _atan2(frame: Frame, f: Function, a: Any, b: Any) -> Any:
    """The angle moves by atan of what is seen across, over along, the direction of the values."""
    xp, (first, second) = frame.xp, (frame.terms(a)[0], frame.terms(b)[0])
    y = f(first, second)
    radius = xp.hypot(first, second)
    sine, cosine = xp.divide(first, radius), xp.divide(second, radius)
    across = xp.subtract(xp.multiply(cosine, a), xp.multiply(sine, b))
    along = xp.add(xp.multiply(sine, a), xp.multiply(cosine, b))
    moved = frame.terms(
        xp.atan(xp.divide(_from(frame, across, xp.zeros_like(y)), _from(frame, along, radius)))
    )
    return frame.series(y, moved[1:])


def _from(frame: Frame, x: Any, value: Any) -> Any:
    """The series with another value."""
    return frame.series(value, frame.terms(x)[1:])


def _logaddexp(frame: Frame, f: Function, a: Any, b: Any) -> Any:
    """b + log(1 + exp(a - b)), of which a - b alone is composed with."""
    xp, (first, second) = frame.xp, (frame.terms(a)[0], frame.terms(b)[0])
    y = f(first, second)
    share = xp.exp(xp.where(first == y, xp.zeros_like(y), first) - xp.where(first == y, xp.zeros_like(y), y))
    both = (first == y) & (first == second)  # both infinite
    share = xp.where(both, 0.5 * share, share)
    other = xp.exp(
        xp.where(second == y, xp.zeros_like(y), second) - xp.where(second == y, xp.zeros_like(y), y)
    )
    other = xp.where(both, 0.5 * other, other)
    # (s P(s))' = s (1 - s) (P + s P'), the rest of each polynomial behind the factor s (1 - s)
    higher = _logistic_slopes(share, share * other, frame.order)
    move = frame.composed(xp.zeros_like(y), higher, frame.terms(xp.subtract(a, b)))
    whole = xp.add(b, move) if frame.holds(move) or frame.holds(b) else b
    return frame.series(y, [frame.like(term, y) for term in frame.terms(whole)[1:]])


def _logistic_slopes(s: Any, slope: Any, n: int) -> Any:
    """s, and its derivatives: s (1 - s) times polynomials of s, of which each is (1 - 2 s) P + s (1 - s) P'."""
    yield s

    def following(p: list[int]) -> list[int]:
        found = [0] * (len(p) + 1)
        for i, c in enumerate(p):
            found[i] += c * (i + 1)
            found[i + 1] -= c * (i + 2)
        return found

    yield from polynomial(slope, s, following, n - 1)


def _astype(frame: Frame, f: Function, x: Any, dtype: Any, **params: Any) -> Any:
    if frame.xp.is_real_floating(dtype):
        return _linear(frame, f, x, dtype, **params)
    if frame.xp.isdtype(dtype, "complex floating"):
        raise NotDifferentiableError(
            f"astype: derivatives are those of real numbers; an array with derivatives cannot become {dtype}"
        )
    return f(raw(x), dtype, **params)


def _prod(frame: Frame, f: Function, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Halves are multiplied until one is left, so that zeros among the factors are harmless."""
    xp, y = frame.xp, f(frame.terms(x)[0], axis=axis, keepdims=keepdims)
    axes = axes_of(x, axis)
    kept = tuple(i for i in range(x.ndim) if i not in axes)
    rest = xp.reshape(
        xp.permute_dims(x, kept + axes), (*(x.shape[i] for i in kept), math.prod(x.shape[i] for i in axes))
    )
    if rest.shape[-1] == 0:
        return y
    while (size := rest.shape[-1]) > 1:
        half = size // 2
        product = xp.multiply(rest[..., :half], rest[..., half : 2 * half])
        rest = xp.concat([product, rest[..., 2 * half :]], axis=-1) if size % 2 else product
    terms = frame.terms(xp.reshape(rest[..., 0], y.shape))
    return frame.series(y, terms[1:])


def _cumulative_prod(
    frame: Frame, f: Function, x: Any, axis: int | None = None, include_initial: bool = False
) -> Any:
    """Each product of a run from the products of its halves."""
    xp, y = frame.xp, f(frame.terms(x)[0], axis=axis, include_initial=include_initial)
    axis = 0 if axis is None else axis % x.ndim
    rest = xp.moveaxis(x, axis, -1)
    if include_initial:
        rest = xp.concat([xp.ones_like(rest[..., :1]), rest], axis=-1)
    step = 1
    while step < rest.shape[-1]:
        rest = xp.concat([rest[..., :step], xp.multiply(rest[..., step:], rest[..., :-step])], axis=-1)
        step *= 2
    return frame.series(y, frame.terms(xp.moveaxis(rest, -1, axis))[1:])


def _nextafter(frame: Frame, f: Function, a: Any, b: Any) -> Any:
    a, b = frame.terms(a), frame.terms(b)
    return frame.series(f(a[0], b[0]), a[1:])


_LINEAR = """
    reshape squeeze expand_dims broadcast_to permute_dims moveaxis flip roll tril triu sum mean cumulative_sum take take_along_axis
    matrix_transpose linalg.matrix_transpose negative positive conj real _getitem _put _add_at _to_device
"""

SERIES_RULES: dict[str, SeriesRule] = {
    **dict.fromkeys(_LINEAR.split(), _linear),
    **{name: _smooth(slopes) for name, slopes in SLOPES.items()},
    "add": _sum_of(1.0),
    "astype": _astype,
    "atan2": _atan2,
    "concat": _of_list,
    "cumulative_prod": _cumulative_prod,
    "divide": _divide,
    "hypot": _hypot,
    "logaddexp": _logaddexp,
    "matmul": _bilinear,
    "linalg.matmul": _bilinear,
    "multiply": _multiply,
    "nextafter": _nextafter,
    "pow": _pow,
    "prod": _prod,
    "remainder": _remainder,
    "square": _square,
    "stack": _of_list,
    "subtract": _sum_of(-1.0),
    **series_kinks.SERIES_RULES,
    **series_linalg.SERIES_RULES,
}
