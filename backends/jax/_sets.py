"""Distinct elements and sets of them, with derivatives: JAX's have zeros.

JAX's functions say what is in the result; each element of it is then the first of the arguments' that is equal.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from multimlp.backend import Array
from multimlp.backends.jax._wide import keeping

__all__ = [
    "intersect1d", "setdiff1d", "setxor1d", "union1d", "unique", "unique_all", "unique_counts", "unique_inverse", "unique_values",
]  # fmt: skip


def _firsts(values: Array, *sources: Array) -> Array:
    """``values`` as elements of the sources; where there is no such element (fill values), as they are."""
    flat = jnp.concatenate([jnp.ravel(jnp.asarray(source)) for source in sources])
    if flat.size == 0 or not jnp.issubdtype(flat.dtype, jnp.inexact):
        return values
    known = jax.lax.stop_gradient(flat)
    order = jnp.argsort(known, stable=True)
    place = jnp.clip(jnp.searchsorted(known[order], values), 0, flat.size - 1)
    found = flat[order[place]]
    return _where_alike(found.astype(values.dtype), values)


def _where_alike(found: Array, values: Array) -> Array:
    return jnp.where((found == values) | (jnp.isnan(found) & jnp.isnan(values)), found, values)


def _unique(x: Array, *more: Any, **options: Any) -> Any:
    found = jnp.unique(x, *more, **options)
    if not isinstance(x, jax.core.Tracer):
        return found
    values, *rest = found if isinstance(found, tuple) else (found,)
    axis = more[3] if len(more) > 3 else options.get("axis")
    values = _firsts(values, x) if axis is None else _slices(values, x, int(axis), options)
    return (values, *rest) if rest else values


def _slices(values: Array, x: Array, axis: int, options: dict[str, Any]) -> Array:
    """The distinct slices along an axis, as slices of x."""
    kept = {name: options[name] for name in ("size", "equal_nan") if name in options}
    _, first = jnp.unique(x, return_index=True, axis=axis, **kept)
    return _where_alike(jnp.take(x, first, axis=axis), values)


def _with_values(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of the standard that returns values, or values and more by name."""

    @functools.wraps(function)
    def followed(x: Array, /, **options: Any) -> Any:
        found = function(x, **options)
        if not isinstance(x, jax.core.Tracer):
            return found
        if isinstance(found, jax.Array):
            return _firsts(found, x)
        return found._replace(values=_firsts(found.values, x))

    return followed


def _of_two(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def followed(a: Array, b: Array, *more: Any, **options: Any) -> Any:
        found = function(a, b, *more, **options)
        if not isinstance(a, jax.core.Tracer) and not isinstance(b, jax.core.Tracer):
            return found
        if isinstance(found, tuple):
            return (_firsts(found[0], a, b), *found[1:])
        return _firsts(found, a, b)

    return followed


def _named(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    return keeping(functools.wraps(getattr(jnp, name))(function), __name__, name)


unique = _named(_unique, "unique")
unique_all = _named(_with_values(jnp.unique_all), "unique_all")
unique_counts = _named(_with_values(jnp.unique_counts), "unique_counts")
unique_inverse = _named(_with_values(jnp.unique_inverse), "unique_inverse")
unique_values = _named(_with_values(jnp.unique_values), "unique_values")
union1d = _named(_of_two(jnp.union1d), "union1d")
intersect1d = _named(_of_two(jnp.intersect1d), "intersect1d")
setdiff1d = _named(_of_two(jnp.setdiff1d), "setdiff1d")
setxor1d = _named(_of_two(jnp.setxor1d), "setxor1d")
