"""Activations and losses whose derivative in JAX is their closed form, rather than that of each step of their definition.

What goes from the pass forward to the one backward is then one array, and the compiler shares the exponential. And since nobody
differentiates the values, gates need no care at infinities.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero

from multimlp.backend import OPS, Array, Arrays

_CLOSED = (
    "gelu", "hard_sigmoid", "hard_swish", "log_sigmoid", "mish", "sigmoid", "silu", "softplus", "softsign",
)  # fmt: skip


def _gelu(x: Array, approximate: str = "none") -> Array:
    if approximate == "tanh":
        return OPS["gelu"].portable(x, approximate)
    return x * (OPS["erfc"](x * -math.sqrt(0.5)) * 0.5)


def _silu(x: Array) -> Array:
    """By JAX's logistic function, which is 0 where it is subnormal: in half precision the product is none there."""
    return x * jax.nn.sigmoid(x) if jnp.finfo(x.dtype).bits >= 32 else OPS["silu"].portable(x)


def _hard_swish(x: Array) -> Array:
    """One choice, so that -inf does not meet zero and -0 does not come up; the definition has three for its derivative."""
    return jnp.where(x <= -3, jnp.zeros_like(x), x * jnp.minimum(x / 6 + 0.5, 1))


_VALUES: dict[str, Callable[..., Array]] = {
    "gelu": _gelu,
    "hard_swish": _hard_swish,
    "sigmoid": jax.nn.sigmoid,
    "silu": _silu,
    "softsign": lambda x: x / (1 + jnp.abs(x)),
}
"""Where they are cheaper than the portable definition."""


_PLAIN = (type(None), bool, int, float, str, tuple)


def with_closed_slope(portable: Callable[..., Any]) -> Callable[..., Any]:
    """An activation of `_CLOSED`, or a loss, with the derivative that its closed form gives; other operations as they are."""
    name = portable.__qualname__
    operation = OPS.get(name)
    if operation is None or operation.portable is not portable:
        return portable
    gradient = getattr(operation, "gradient", None)
    if gradient is not None:
        return _with_gradient(portable, gradient.portable)
    if name not in _CLOSED:
        return portable
    value, slope = _VALUES.get(name, portable), OPS[f"{name}_derivative"].portable

    def activation(x: Array, *args: Any, **options: Any) -> Array:
        @jax.custom_jvp
        def function(x: Array) -> Array:
            return value(x, *args, **options)

        function.defjvps(lambda tangent, y, x: tangent * slope(x, *args, **options))
        result: Array = function(x)
        return result

    return activation


def _with_gradient(portable: Callable[..., Any], gradient: Callable[..., Any]) -> Callable[..., Any]:
    """A loss; with targets that are differentiated, or options that may be, it is the portable one."""

    def loss(outputs: Array, targets: Array, *args: Any, **options: Any) -> Array:
        def definition(outputs: Array, targets: Array) -> Array:
            values: Array = portable(outputs, targets, *args, **options)
            return values

        if not all(isinstance(option, _PLAIN) for option in (*args, *options.values())):
            return definition(outputs, targets)
        function = jax.custom_jvp(definition)

        def rule(primals: Arrays, tangents: Arrays) -> tuple[Array, Array]:
            moved = [i for i, tangent in enumerate(tangents) if not isinstance(tangent, SymbolicZero)]
            if moved == [0]:
                slope = gradient(*primals, *args, **options)
                return function(*primals), jnp.sum(tangents[0] * slope, axis=-1)

            def of_moved(*given: Array) -> Array:
                arrays = dict(enumerate(primals)) | dict(zip(moved, given, strict=True))
                return definition(*arrays.values())

            found: tuple[Array, Array] = jax.jvp(
                of_moved, [primals[i] for i in moved], [tangents[i] for i in moved]
            )
            return found

        function.defjvp(rule, symbolic_zeros=True)
        result: Array = function(outputs, targets)
        return result

    return loss
