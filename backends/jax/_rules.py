"""Derivatives of a user's own, by JAX's `custom_vjp` and `custom_jvp`.

To JAX the derivative of an integer is of the type float0; multimlp's rules are given zeros of the integer's own dtype.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from multimlp.backend import Array, Arrays, Function
from multimlp.errors import CapabilityError, DifferentiationError, MultimlpError

_FLOAT0 = jax.dtypes.float0


def ordinary(derivative: Array, output: Array) -> Array:
    """Zeros of the output's dtype in place of float0."""
    return jnp.zeros_like(output) if derivative.dtype == _FLOAT0 else derivative


def _jax_own(derivative: Array, like: Array) -> Array:
    """float0 where JAX wants it."""
    smooth = jnp.issubdtype(like.dtype, jnp.inexact)
    return derivative if smooth else np.zeros(like.shape, _FLOAT0)


def has_no_jvp(error: Exception) -> bool:
    """Whether JAX refuses forward mode through a function of `custom_vjp`."""
    return "custom_vjp" in str(error) or "custom_lin" in str(error)


def explain(error: Exception) -> MultimlpError | None:
    """JAX's words on what its derivatives do not go through, in ours."""
    if isinstance(error, (TypeError, NotImplementedError)) and has_no_jvp(error):
        return CapabilityError(
            "jax: forward mode (jvp, jacfwd, linearize) does not go through custom_vjp; use reverse mode (grad, vjp, jacrev), or give the "
            "function a custom_jvp, which has both"
        )
    if isinstance(error, jax.errors.UnexpectedTracerError):
        return DifferentiationError(
            "jax: an array was used outside of the derivative, or the compiled function, that it belongs to: it was kept from inside, or a "
            "function of custom_vjp or custom_jvp, or its rule, closes over it. Return it, make it an argument of the function, or pass "
            "multimlp.stop_gradient(array)"
        )
    if isinstance(
        error, ValueError
    ) and "Reverse-mode differentiation does not work for lax.while_loop" in str(error):
        return CapabilityError(
            "jax: reverse mode does not go through while_loop, nor through fori_loop between bounds that are arrays: how many steps there "
            "are is unknown. Use scan, or fori_loop between Python integers; or forward mode (jvp, jacfwd)"
        )
    return None


def custom_vjp(
    backend: Any,
    function: Function,
    forward: Callable[[Arrays], tuple[Arrays, Arrays]],
    backward: Callable[[Arrays, Arrays], Arrays],
    arrays: Arrays,
) -> Arrays:
    """As `multimlp.backend.Backend.custom_vjp`."""
    known = jax.custom_vjp(lambda *xs: function(xs))

    def fwd(*xs: Array) -> tuple[Arrays, tuple[Arrays, Arrays, Arrays]]:
        with backend.scope_of(*xs):
            outputs, residuals = forward(xs)
        return outputs, (residuals, outputs, xs)

    def bwd(kept: tuple[Arrays, Arrays, Arrays], cotangents: Arrays) -> Arrays:
        residuals, outputs, xs = kept
        with backend.scope_of(*xs):
            found = backward(residuals, tuple(map(ordinary, cotangents, outputs)))
            return tuple(map(_jax_own, found, xs))

    known.defvjp(fwd, bwd)
    return _checked(known(*arrays), arrays)


def custom_jvp(
    backend: Any,
    function: Function,
    rule: Callable[[Arrays, Arrays], tuple[Arrays, Arrays]],
    arrays: Arrays,
) -> Arrays:
    """As `multimlp.backend.Backend.custom_jvp`."""
    known = jax.custom_jvp(lambda *xs: function(xs))

    @known.defjvp
    def _(xs: Arrays, tangents: Arrays) -> tuple[Arrays, Arrays]:
        with backend.scope_of(*xs):
            outputs, derivatives = rule(tuple(xs), tuple(map(ordinary, tangents, xs)))
            return outputs, tuple(map(_jax_own, derivatives, outputs))

    return _checked(known(*arrays), arrays)


_FOLLOWED = ("JVPTracer", "LinearizeTracer")


def _checked(outputs: Arrays, arrays: Arrays) -> Arrays:
    """Without an argument that is differentiated JAX differentiates what the function closes over, without the rule."""
    if any(type(y).__name__ in _FOLLOWED for y in outputs) and not any(
        type(x).__name__ in _FOLLOWED for x in arrays
    ):
        raise DifferentiationError(
            "custom_vjp, custom_jvp: the function closes over an array that is differentiated, and its rule would not be used: make "
            "it an argument of the function, or pass multimlp.stop_gradient(array)"
        )
    return outputs
