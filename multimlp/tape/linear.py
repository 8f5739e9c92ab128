"""Forward derivatives made of reverse ones: the pullback is linear in its cotangents, so that its own pullback goes forward.

With the library's own reverse mode, the tape's where it has none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from multimlp._typing import Arrays, Library
from multimlp.errors import InputError, ShapeError
from multimlp.tape.namespace import namespace_for

Map = Callable[[Arrays], Arrays]


def linearize(
    function: Map, arrays: Arrays, library: Library, vjp: Callable[..., Any] | None = None
) -> tuple[Arrays, Map]:
    """The outputs of a function, and the map from tangents of its inputs to those of its outputs.

    The map does not call the function again, however often it is called. The tangent of an integer or boolean output is zeros.
    ``vjp(function, arrays)`` is the reverse mode to take, by default the library's.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> from multimlp import tape
    >>> library = mm.get_backend("numpy")
    >>> _, push = tape.linearize(lambda xs: (xs[0] * xs[0],), (np.asarray(3.0),), library)
    >>> [float(push((np.asarray(t),))[0]) for t in (1.0, 10.0)]
    [6.0, 60.0]
    """
    reverse = library.vjp if vjp is None else vjp
    outputs, pullback = reverse(function, arrays)
    smooth = [i for i, y in enumerate(outputs) if library.is_floating(y)]
    zeros = tuple(namespace_for(library, (y,)).zeros_like(y) for y in outputs)
    forward = transposed(pullback, zeros, smooth, reverse) if smooth else None

    def push(tangents: Arrays) -> Arrays:
        check_same_shapes("tangents", "input", arrays, tangents)
        derivatives = list(zeros)
        if forward is not None:
            for i, derivative in zip(smooth, forward(tuple(tangents)), strict=True):
                derivatives[i] = derivative
        return tuple(derivatives)

    return outputs, push


def transposed(pullback: Map, zeros: Arrays, smooth: list[int], vjp: Callable[..., Any]) -> Map:
    """The transpose of a linear map of cotangents, of which those at ``smooth`` count and all others stay zeros."""

    def of_cotangents(cotangents: Arrays) -> Arrays:
        given = dict(zip(smooth, cotangents, strict=True))
        return pullback(tuple(given.get(i, none) for i, none in enumerate(zeros)))

    back: Map = vjp(of_cotangents, tuple(zeros[i] for i in smooth))[1]
    return back


def jvp_by_pullbacks(
    function: Map, arrays: Arrays, tangents: Arrays, library: Library, vjp: Callable[..., Any] | None = None
) -> tuple[Arrays, Arrays]:
    """The outputs of a function, and their directional derivatives along the tangents of its inputs; ``vjp`` as for `linearize`."""
    check_same_shapes("tangents", "input", arrays, tangents)
    outputs, push = linearize(function, arrays, library, vjp)
    return outputs, push(tangents)


def check_same_shapes(what: str, of: str, arrays: Arrays, given: Arrays) -> None:
    """`InputError` unless there is one array for each, `ShapeError` unless of its shape."""
    if not isinstance(given, (tuple, list)) or len(given) != len(arrays):
        count = len(given) if isinstance(given, (tuple, list)) else type(given).__name__
        raise InputError(
            f"{what}: expected a tuple with one array for each {of} ({len(arrays)}), got {count}"
        )
    for i, (array, other) in enumerate(zip(arrays, given, strict=True)):
        wanted, got = _shape(array), _shape(other)
        if wanted != got:
            raise ShapeError(f"{what}[{i}]: expected the shape of {of} {i}, {wanted}, got {got}")


def _shape(x: Any) -> tuple[int, ...]:
    return tuple(getattr(x, "shape", ()))
