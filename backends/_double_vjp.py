"""Forward derivatives by two reverse passes, for libraries whose forward mode is not to be had or not to be trusted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from multimlp.backend import Array, Arrays, Function

Vjp = Callable[[Function, Arrays], tuple[Arrays, Callable[[Arrays], Arrays]]]


def jvp(
    vjp: Vjp,
    function: Function,
    arrays: Arrays,
    tangents: Arrays,
    zeros_like: Callable[[Array], Array],
    is_floating: Callable[[Array], Any],
) -> tuple[Arrays, Arrays]:
    """``(outputs, their tangents)``: a pullback is linear in its cotangents, so that its own pullback is the derivative forward."""
    outputs, pullback = vjp(function, arrays)
    smooth = [i for i, output in enumerate(outputs) if is_floating(output)]
    derivatives = [zeros_like(output) for output in outputs]
    if not smooth:
        return outputs, tuple(derivatives)

    def of_cotangents(cotangents: Arrays) -> Arrays:
        given = dict(zip(smooth, cotangents, strict=True))
        return pullback(tuple(given.get(i, none) for i, none in enumerate(derivatives)))

    _, forward = vjp(of_cotangents, tuple(derivatives[i] for i in smooth))
    for i, derivative in zip(smooth, forward(tuple(tangents)), strict=True):
        derivatives[i] = derivative
    return outputs, tuple(derivatives)
