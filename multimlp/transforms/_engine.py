"""Who differentiates and batches: the library itself, or the tape inside `jet` and `laplacian`, whose arrays no library knows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from multimlp import tape
from multimlp.backend import Array, Arrays, Backend, Function, is_traced
from multimlp.errors import CapabilityError, MultimlpError


class _ByTape:
    """A backend with the tape's transforms, whatever its library has."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def value_and_grad(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return tape.value_and_grad(function, self._backend)

    def vjp(self, function: Function, arrays: Arrays) -> tuple[Arrays, Callable[[Arrays], Arrays]]:
        return tape.vjp(function, arrays, self._backend)

    def jvp(self, function: Function, arrays: Arrays, tangents: Arrays) -> tuple[Arrays, Arrays]:
        return tape.jvp(function, arrays, tangents, self._backend)

    def linearize(self, function: Function, arrays: Arrays) -> tuple[Arrays, Function]:
        return tape.linearize(function, arrays, self._backend, self.vjp)

    def jacobian_products(self, function: Function, arrays: Arrays) -> tuple[Arrays, Function]:
        return function(arrays), lambda tangents: self.jvp(function, arrays, tangents)[1]

    def custom_vjp(
        self, function: Function, forward: Callable[..., Any], backward: Callable[..., Any], arrays: Arrays
    ) -> Arrays:
        return tape.custom_vjp(function, forward, backward, arrays, self._backend, self)

    def custom_jvp(self, function: Function, rule: Callable[..., Any], arrays: Arrays) -> Arrays:
        return tape.custom_jvp(function, rule, arrays, self._backend, self)

    def checkpoint(self, function: Function, arrays: Arrays) -> Arrays:
        return tape.checkpoint(function, arrays, self._backend)

    def while_loop(self, condition: Callable[[Arrays], Array], body: Function, carry: Arrays) -> Arrays:
        while (goes_on := self._known(condition(carry))) is not False:
            if goes_on is None:
                raise CapabilityError(
                    "while_loop inside jet or laplacian: under jit or vmap nobody knows how many steps there are; use fori_loop or scan, "
                    "or leave jit and vmap out"
                )
            carry = body(carry)
        return carry

    def cond(self, condition: Array, when_true: Function, when_false: Function, arrays: Arrays) -> Arrays:
        chosen = self._known(condition)
        if chosen is not None:
            return (when_true if chosen else when_false)(arrays)
        pairs = zip(when_true(arrays), when_false(arrays), strict=True)
        return tuple(tape.namespace_for(self._backend, (a, b)).where(condition, a, b) for a, b in pairs)

    def _known(self, condition: Array) -> bool | None:
        """The condition's value; None where the library compiles or batches and has none."""
        try:
            return bool(condition)
        except Exception as error:
            if isinstance(error, MultimlpError) or self._backend.explain(error) is None:
                raise
            return None

    def hessian_products(self, gradient: Function, arrays: Arrays) -> Callable[[Arrays], Arrays]:
        return self.vjp(gradient, arrays)[1]

    def vmap(self, function: Function) -> Function:
        return Backend.vmap(self._backend, function)

    def scan(self, *args: Any, **options: Any) -> Any:
        return Backend.scan(self._backend, *args, **options)

    def compile(self, function: Function, compiler: str | None = None) -> Function:
        return Backend.compile(self._backend, function, compiler)


def engine(backend: Backend, arrays: Sequence[Array]) -> Any:
    """What has the transforms for these arrays: the backend, unless the tape is at work on arrays of its library."""
    by_tape_anyway = type(backend).vjp is Backend.vjp
    if by_tape_anyway or (tape.outermost_level(backend) is None and not is_traced(*arrays)):
        return backend
    return _ByTape(backend)
