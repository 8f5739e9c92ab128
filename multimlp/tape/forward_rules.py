"""How the tangent of a result comes from those of the arguments, by name.

Most is in the rules of reverse mode. The Jacobian of an element-wise function is diagonal, so that its pullback is its own transpose; a
function that is linear in an array is applied to its tangent; and any other rule is linear in the cotangent, so that it can be
transposed by differentiating it. Written out are those where that would be slow.
"""

from __future__ import annotations

from typing import Any

from multimlp._typing import Array, Arrays
from multimlp.tape.rules_reductions import axes_of, restore_axes, shares_of_extrema
from multimlp.tape.source import ForwardRule, Source


def along_slopes(source: Source, xp: Any, y: Array, values: Arrays, tangents: Arrays, params: Any) -> Array:
    """Of element-wise functions."""
    total = None
    for rule, tangent in zip(source.rules, tangents, strict=False):
        if tangent is not None:
            term = rule(xp, _spread(xp, tangent, y), y, *values, **params)
            total = term if total is None else total + term
    return _like(xp, total, y)


def _spread(xp: Any, x: Array, y: Array) -> Array:
    """Of the shape of the result, and of its dtype among real ones."""
    real = xp.is_real_floating(x.dtype) and xp.is_real_floating(y.dtype)
    x = x if x.shape == y.shape else xp.broadcast_to(x, y.shape)
    return xp.astype(x, y.dtype) if real and x.dtype != y.dtype else x


def _like(xp: Any, x: Array, y: Array) -> Array:
    """Of the shape and dtype of the result."""
    if x.shape != y.shape:
        x = xp.broadcast_to(x, y.shape)
    if x.dtype != y.dtype and xp.isdtype(x.dtype, "complex floating") and xp.is_real_floating(y.dtype):
        x = xp.real(x)
    return x if x.dtype == y.dtype else xp.astype(x, y.dtype)


def linear(source: Source, xp: Any, y: Array, values: Arrays, tangents: Arrays, params: Any) -> Array:
    """Of functions that are linear in their first argument, and have tangents in no other."""
    return source.record(tangents[0], *values[1:], **params)


def _of_sequence(source: Source, xp: Any, y: Array, values: Any, tangents: Any, params: Any) -> Array:
    pairs = zip(values[0], tangents[0], strict=True)
    return source.record([xp.zeros_like(x) if t is None else t for x, t in pairs], *values[1:], **params)


def _bilinear(source: Source, xp: Any, y: Array, values: Arrays, tangents: Arrays, params: Any) -> Array:
    (a, b), (da, db) = values, tangents
    if da is None:
        return source.record(a, db)
    return source.record(da, b) if db is None else source.record(da, b) + source.record(a, db)


def _extremum(source: Source, xp: Any, y: Array, values: Arrays, tangents: Arrays, params: Any) -> Array:
    """The mean over the places where it is reached."""
    x, given = values[0], dict(params)
    axis = values[1] if len(values) > 1 else given.pop("axis", None)
    axes, keepdims = axes_of(x, axis), given.get("keepdims", False)
    whole = y if keepdims else restore_axes(xp, y, x, axes)
    reached, share = shares_of_extrema(xp, x, whole, axes)
    return xp.sum(xp.where(reached, tangents[0] * share, xp.zeros_like(x)), axis=axes, keepdims=keepdims)


def _over_slices(source: Source, xp: Any, y: Array, values: Arrays, tangents: Arrays, params: Any) -> Array:
    """Of reductions, where each element of x counts in one element of y."""
    given = dict(params)
    axis = values[1] if len(values) > 1 else given.pop("axis", None)
    slopes = source.rules[0](xp, xp.ones_like(y), y, *values, **params)
    axes = axes_of(values[0], axis)
    return xp.sum(tangents[0] * slopes, axis=axes, keepdims=given.get("keepdims", False))


def _inv(source: Source, xp: Any, y: Array, values: Arrays, tangents: Arrays, params: Any) -> Array:
    return -xp.matmul(y, xp.matmul(tangents[0], y))


def _det(source: Source, xp: Any, y: Array, values: Arrays, tangents: Arrays, params: Any) -> Array:
    return y * xp.linalg.trace(xp.linalg.solve(values[0], tangents[0]))


def _solve(source: Source, xp: Any, y: Array, values: Arrays, tangents: Arrays, params: Any) -> Array:
    (a, _), (da, db) = values, tangents
    side = db
    if da is not None:
        moved = xp.matmul(da, y)
        side = -moved if db is None else db - moved
    return source.record(a, side)


def by_transpose(source: Source, xp: Any, y: Any, values: Arrays, tangents: Arrays, params: Any) -> Any:
    """Of any function, by differentiating its rules in the cotangent."""
    several = isinstance(y, tuple)
    zeros = tuple(xp.zeros_like(item) for item in y) if several else (xp.zeros_like(y),)
    pairs = [(rule, i) for i, rule in enumerate(source.rules) if tangents[i] is not None]

    def pullback(g: Arrays) -> Arrays:
        return tuple(
            _summed(xp, rule(xp, g if several else g[0], y, *values, **params), values[i])
            for rule, i in pairs
        )

    _, push = xp.library.vjp(pullback, zeros)
    found: Arrays = push(tuple(tangents[i] for _, i in pairs))
    return found if several else found[0]


def _summed(xp: Any, g: Array, x: Array) -> Array:
    """Over the axes that broadcasting added or stretched."""
    extra = len(g.shape) - len(x.shape)
    stretched = (i + extra for i, n in enumerate(x.shape) if n == 1 and g.shape[i + extra] != 1)
    axes = (*range(extra), *stretched)
    return xp.reshape(xp.sum(g, axis=axes), x.shape) if axes else g


def _real_part_of_slope(
    source: Source, xp: Any, y: Array, values: Arrays, tangents: Arrays, params: Any
) -> Array:
    """Of functions from complex numbers to real ones: the real part of slope times tangent, not slope times its real part."""
    return _like(xp, source.rules[0](xp, xp.ones_like(y), y, *values) * tangents[0], y)


_ELEMENTWISE = """
    acos acosh add asin asinh atan atan2 atanh clip conj copysign cos cosh divide exp expm1 hypot log log10 log1p log2 logaddexp
    maximum minimum multiply negative nextafter positive pow reciprocal remainder sin sinh sqrt square subtract tan tanh where
"""
_LINEAR = """
    astype broadcast_to cumulative_sum expand_dims flip linalg.matrix_transpose matrix_transpose mean moveaxis permute_dims reshape roll
    squeeze sum take take_along_axis tril triu _add_at _getitem _put _to_device
"""

FORWARD_RULES: dict[str, ForwardRule] = {
    **dict.fromkeys(_ELEMENTWISE.split(), along_slopes),
    **dict.fromkeys(_LINEAR.split(), linear),
    **dict.fromkeys(("abs", "imag", "real"), _real_part_of_slope),
    **dict.fromkeys(("concat", "stack"), _of_sequence),
    **dict.fromkeys(("matmul", "linalg.matmul"), _bilinear),
    **dict.fromkeys(("max", "min"), _extremum),
    **dict.fromkeys(("prod", "linalg.vector_norm"), _over_slices),
    "linalg.inv": _inv,
    "linalg.det": _det,
    "linalg.solve": _solve,
}
"""What is not here is transposed."""
