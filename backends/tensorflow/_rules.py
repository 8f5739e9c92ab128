"""Derivatives of a user's own, by `tf.custom_gradient`, and memory for time.

What such a function closes over is a constant to TensorFlow, without a word. Here it is asked whether a tape follows the results of
arguments that no tape follows.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import record  # whether a tape follows something is told nowhere else

from multimlp.backend import Array, Arrays, Function
from multimlp.backends.tensorflow._tracing import is_for_vmap, keep_own_gradient
from multimlp.errors import DifferentiationError


def custom_vjp(
    function: Function,
    forward: Callable[[Arrays], tuple[Arrays, Arrays]],
    backward: Callable[[Arrays, Arrays], Arrays],
    arrays: Arrays,
) -> Arrays:
    """As `multimlp.backend.Backend.custom_vjp`."""

    def pulled(xs: Arrays) -> tuple[Arrays, Callable[[Arrays], Arrays]]:
        outputs, residuals = forward(xs)
        return outputs, lambda cotangents: backward(residuals, cotangents)

    return _called(function, pulled, arrays)


def custom_jvp(
    function: Function, rule: Callable[[Arrays, Arrays], tuple[Arrays, Arrays]], arrays: Arrays
) -> Arrays:
    """As `multimlp.backend.Backend.custom_jvp`."""

    def pulled(xs: Arrays) -> tuple[Arrays, Callable[[Arrays], Arrays]]:
        outputs = rule(xs, tuple(map(tf.zeros_like, xs)))[0]

        def pullback(cotangents: Arrays) -> Arrays:
            tangents = tuple(map(tf.zeros_like, xs))
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch([t for t in tangents if t.dtype.is_floating])
                derivatives = rule(xs, tangents)[1]
            pairs = [(d, g) for d, g in zip(derivatives, cotangents, strict=True) if d.dtype.is_floating]
            return tuple(
                tape.gradient(
                    [d for d, _ in pairs],
                    list(tangents),
                    [g for _, g in pairs],
                    unconnected_gradients=tf.UnconnectedGradients.ZERO,
                )
            )

        return outputs, pullback

    return _called(function, pulled, arrays)


_of_constants: ContextVar[bool] = ContextVar("multimlp_tensorflow_of_constants", default=False)


def is_followed(arrays: Arrays) -> bool:
    """Whether a tape of this thread follows one of the arrays."""
    return bool(record.should_record_backprop(list(arrays)))


def _called(
    function: Function,
    pulled: Callable[[Arrays], tuple[Arrays, Callable[[Arrays], Arrays]]],
    arrays: Arrays,
) -> Arrays:
    in_graph = not tf.executing_eagerly()  # somebody outside may follow what is traced
    if not is_followed(arrays) and not (in_graph and not _of_constants.get()):
        outputs = function(arrays)
        if is_followed(outputs):
            raise _closes_over()
        return outputs
    keep_own_gradient()
    constants = tuple(map(tf.stop_gradient, arrays))
    token = _of_constants.set(True)
    try:
        outputs, pullback = pulled(constants)
    finally:
        _of_constants.reset(token)
    if is_followed(outputs) or (in_graph and _rest_on_inputs(outputs, constants)):
        raise _closes_over()

    @tf.custom_gradient
    def known(*xs: Array) -> tuple[Arrays, Callable[..., list[Array]]]:
        def gradient(*cotangents: Array) -> list[Array]:
            followed = not tf.executing_eagerly() or is_followed((*xs, *cotangents))
            pull = pulled(tuple(xs))[1] if followed else pullback
            found = pull(tuple(cotangents))
            return [g if x.dtype.is_floating else None for g, x in zip(found, xs, strict=True)]

        return tuple(map(tf.identity, outputs)), gradient

    return tuple(known(*arrays))


def _rest_on_inputs(outputs: Arrays, constants: Arrays) -> bool:
    """Whether values in a graph rest on real numbers that come from outside of it, but by the constants."""
    met = {x.op.name for x in constants}
    stack = [y.op for y in outputs]
    while stack:
        operation = stack.pop()
        if operation.name in met:
            continue
        met.add(operation.name)
        if operation.type == "Placeholder" and operation.outputs[0].dtype.is_floating:
            return True
        stack += [x.op for x in operation.inputs]
    return False


def _closes_over() -> DifferentiationError:
    return DifferentiationError(
        "custom_vjp, custom_jvp: the function, or its rule, closes over an array that is differentiated. Its derivative would be lost: "
        "make it an argument of the function, or pass multimlp.stop_gradient(array)"
    )


def checkpoint(function: Function, arrays: Arrays) -> Arrays:
    """As `multimlp.backend.Backend.checkpoint`."""
    in_graph = not tf.executing_eagerly()
    if is_for_vmap():
        return function(arrays)
    if not in_graph and not is_followed(arrays):
        outputs = function(arrays)
        if is_followed(outputs):
            _warn_of_closure()
        return outputs
    constants = tuple(map(tf.stop_gradient, arrays))
    outputs = tuple(function(constants))
    if is_followed(outputs) or (in_graph and _rest_on_inputs(outputs, constants)):
        _warn_of_closure()
        return function(arrays)

    @tf.custom_gradient
    def known(*xs: Array) -> tuple[Arrays, Callable[..., list[Array]]]:
        def gradient(*cotangents: Array) -> Any:
            with tf.control_dependencies(cotangents):  # else a compiler takes the first results for these
                again = tuple(map(tf.identity, xs))
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(again)
                values = function(again)
            pairs = [(y, g) for y, g in zip(values, cotangents, strict=True) if y.dtype.is_floating]
            return tape.gradient([y for y, _ in pairs], list(again), [g for _, g in pairs])

        return tuple(map(tf.identity, outputs)), gradient

    return tuple(known(*arrays))


def _warn_of_closure() -> None:
    warnings.warn(
        "remat: the function closes over an array that is, or may be, differentiated, and saves no memory on TensorFlow: make it an "
        "argument",
        RuntimeWarning,
        stacklevel=6,
    )


def by_rows(function: Function, arrays: Arrays) -> Arrays:
    """A function of each row, in a loop."""
    first = function(tuple(x[0] for x in arrays))
    kinds = tuple(tf.TensorSpec(y.shape, y.dtype) for y in first)
    return tuple(
        tf.map_fn(lambda rows: tuple(function(tuple(rows))), tuple(arrays), fn_output_signature=kinds)
    )
