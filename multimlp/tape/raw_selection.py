"""What the traced namespace has beyond the standard: selection as a function, and its transposes, on raw arrays.

The scatter-add of repeated indices is not in the standard: a library may offer it as ``scatter_add(target, key,
values)``, which adds into ``target`` and returns it; `_add_segments` serves the others.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from multimlp._typing import Array, Library, Namespace
from multimlp.tape._array import device_of


def _raw_put(zeros: Callable[..., Array], xp: Namespace, g: Array, key: Any, shape: tuple[int, ...]) -> Array:
    """Zeros of a shape with g at the key."""
    out = zeros(shape, dtype=g.dtype, device=device_of(g))
    if isinstance(key, tuple) and any(k is None for k in key):  # the standard has no newaxis in assignment
        key = tuple(k for k in key if k is not None)
        g = xp.reshape(g, out[key].shape)
    try:
        out[key] = g
    except IndexError:  # array-api-strict takes no array for an index here, be it of one number
        out[tuple(map(_number, key)) if isinstance(key, tuple) else _number(key)] = g
    return out


def _number(part: Any) -> Any:
    """Python's integer for an index that is an array of shape ()."""
    return int(part) if hasattr(part, "dtype") and len(part.shape) == 0 else part


def _raw_add_at(library: Library, g: Array, indices: Array, size: int) -> Array:
    """Zeros of length ``size``, to which each g[i, ...] is added at indices[i]."""
    kernel = library.scatter_add
    if kernel is None:
        return _add_segments(library.xp, g, as_places(library, library.xp, indices), size)
    target = library.xp.zeros((size, *g.shape[1:]), dtype=g.dtype, device=device_of(g))
    return kernel(target, indices, g)


def _add_segments(xp: Namespace, g: Array, indices: Array, size: int) -> Array:
    """Scatter-add on the standard alone: sorted by target, the k-th contributions of all targets are added at
    once.

    No product with zeros, so that an infinite cotangent reaches only its own target.
    """
    out = xp.zeros((size, *g.shape[1:]), dtype=g.dtype, device=device_of(g))
    if size == 0 or g.size == 0:
        return out
    indices = xp.where(indices < 0, indices + size, indices)
    order = xp.argsort(indices)
    indices, g = xp.take(indices, order, axis=0), xp.take(g, order, axis=0)
    targets = xp.arange(size, dtype=indices.dtype, device=device_of(indices))
    start = xp.searchsorted(indices, targets, side="left")
    count = xp.searchsorted(indices, targets, side="right") - start
    zero = xp.zeros_like(out)
    last = indices.shape[0] - 1
    for k in range(int(xp.max(count))):
        contribution = xp.take(g, xp.clip(start + k, max=last), axis=0)
        present = xp.reshape(count > k, (size,) + (1,) * (g.ndim - 1))
        out = out + xp.where(present, contribution, zero)
    return out


_SHORT = ("int8", "uint8", "int16", "uint16")


def as_places(library: Library, xp: Namespace, indices: Array) -> Array:
    """Indices that go with sizes: in 8 and 16 bits their sums and products would wrap, or be refused."""
    return xp.astype(indices, xp.int32) if library.dtype_name(indices.dtype) in _SHORT else indices


OWN: dict[str, Callable[[Library], Callable[..., Any]]] = {
    "_getitem": lambda library: lambda x, key: x[key],
    "_put": lambda library: partial(_raw_put, library.functions.get("zeros", library.xp.zeros), library.xp),
    "_add_at": lambda library: partial(_raw_add_at, library),
    "_to_device": lambda library: lambda x, device: x.to_device(device),
}
"""By name, the function for a library."""
