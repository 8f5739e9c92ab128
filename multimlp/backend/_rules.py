"""What the contract says of derivatives beyond `vjp` and `jvp`: a user's own, linear maps, and values computed twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from multimlp import tape
from multimlp._typing import Arrays, Library
from multimlp.errors import CapabilityError

Map = Callable[[Arrays], Arrays]


class OwnRules:
    """All by the tape. A library that differentiates by itself does not see the rules of `custom_vjp` and `custom_jvp`: they are refused
    until its adapter overrides them; `checkpoint` saves nothing until then."""

    def jacobian_products(self: Library, function: Map, arrays: Arrays) -> tuple[Arrays, Map]:
        """As `linearize`, for a map that is called for many v at once, under `vmap`, and may call the function again there."""
        return function(arrays), lambda tangents: self.jvp(function, arrays, tangents)[1]

    def linearize(self: Library, function: Map, arrays: Arrays) -> tuple[Arrays, Map]:
        """``(outputs, v -> J v)``, where the map does not call the function again."""
        return tape.linearize(function, arrays, self)

    def custom_vjp(
        self: Library,
        function: Map,
        forward: Callable[[Arrays], tuple[Arrays, Arrays]],
        backward: Callable[[Arrays, Arrays], Arrays],
        arrays: Arrays,
    ) -> Arrays:
        """``function(arrays)``; to a derivative ``forward(arrays)``, which gives outputs and residuals, and
        ``backward(residuals, cotangents of the outputs)``: the cotangents of the arrays.

        Both are differentiated for higher orders. What they close over is a constant; if it is differentiated, that is an error."""
        _check_tape(self, "custom_vjp")
        return tape.custom_vjp(function, forward, backward, arrays, self)

    def custom_jvp(
        self: Library,
        function: Map,
        rule: Callable[[Arrays, Arrays], tuple[Arrays, Arrays]],
        arrays: Arrays,
    ) -> Arrays:
        """``function(arrays)``; to a derivative ``rule(arrays, tangents)``: outputs and their tangents, which are linear in the tangents.

        The rest as for `custom_vjp`."""
        _check_tape(self, "custom_jvp")
        return tape.custom_jvp(function, rule, arrays, self)

    def checkpoint(self: Library, function: Map, arrays: Arrays) -> Arrays:
        """``function(arrays)``, of which reverse mode keeps the arrays alone: it computes the rest again where it is needed."""
        return tape.checkpoint(function, arrays, self)


def _check_tape(library: Any, what: str) -> None:
    if library.capabilities.autodiff != "tape":
        raise CapabilityError(
            f"{what}: the {library.name} backend differentiates by itself, and its adapter has no way to give a derivative of one's own"
        )
