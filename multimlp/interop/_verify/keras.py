"""Keras 3, on whichever backend it runs: Dense layers are seen as further outputs of the model."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from multimlp.errors import InputError
from multimlp.interop._verify.run import Opened, Run


def opened(name: str, model: Any) -> Opened:
    """See `multimlp.interop._verify.opened`."""
    if not isinstance(model, keras.Model) or not model.built:
        state = "one that is not built" if isinstance(model, keras.Model) else type(model).__name__
        raise InputError(f"{name}: expected a built keras.Model, got {state}")
    shape = getattr(model, "input_shape", None)
    if not isinstance(shape, tuple) or len(shape) != 2 or shape[1] is None:
        raise InputError(f"{name}: expected a Keras model of inputs (n, features), got {shape}")

    kernel = next((layer.kernel for layer in model.layers if isinstance(layer, keras.layers.Dense)), None)
    dtype = model.variable_dtype if kernel is None else kernel.dtype

    def run(X: np.ndarray, cotangent: np.ndarray | None) -> Run:
        return _run(model, X, cotangent)

    return Opened(
        f"Keras on {keras.backend.backend()}",
        int(shape[1]),
        keras.backend.standardize_dtype(dtype),
        run,
    )


def _run(model: Any, X: np.ndarray, cotangent: np.ndarray | None) -> Run:
    dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    wanted = [tensor for layer in dense for tensor in (layer.input, layer.output)]
    values = [
        _host(value) for value in keras.Model(model.inputs[0], [*model.outputs, *wanted])(X, training=False)
    ]
    outputs, inputs, after = values[0], values[1::2], values[2::2]
    linear = [
        out if layer.activation is keras.activations.linear else None
        for layer, out in zip(dense, after, strict=True)
    ]
    found = Run(outputs).chain([f"Dense {layer.name!r}" for layer in dense], linear, inputs)
    if cotangent is not None:
        variables = [v for layer in dense for v in (layer.kernel, *([layer.bias] if layer.use_bias else []))]
        names = [
            f"{part} {i}"
            for i, layer in enumerate(dense)
            for part in ("weight", *(["bias"] if layer.use_bias else []))
        ]
        found.gradients = dict(
            zip(
                ("inputs", *names),
                _GRADIENTS[keras.backend.backend()](model, variables, X, cotangent),
                strict=True,
            )
        )
    return found


def _tensorflow(model: Any, variables: list[Any], X: np.ndarray, cotangent: np.ndarray) -> list[np.ndarray]:
    import tensorflow as tf

    inputs = tf.convert_to_tensor(X)
    own = [variable.value for variable in variables]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        value = tf.reduce_sum(model(inputs, training=False) * tf.convert_to_tensor(cotangent))
    return [np.asarray(gradient) for gradient in tape.gradient(value, [inputs, *own])]


def _torch(model: Any, variables: list[Any], X: np.ndarray, cotangent: np.ndarray) -> list[np.ndarray]:
    import torch

    own = [variable.value for variable in variables]
    inputs = keras.ops.convert_to_tensor(X).detach().requires_grad_()
    outputs = model(inputs, training=False)
    along = torch.tensor(cotangent, dtype=outputs.dtype, device=outputs.device)
    return [_host(gradient) for gradient in torch.autograd.grad(outputs, [inputs, *own], along)]


def _jax(model: Any, variables: list[Any], X: np.ndarray, cotangent: np.ndarray) -> list[np.ndarray]:
    import jax

    trained = list(model.trainable_variables)
    fixed = [variable.value for variable in model.non_trainable_variables]

    def value(own: list[Any], X: Any) -> Any:
        outputs, _ = model.stateless_call(own, fixed, X, training=False)
        return (outputs * cotangent).sum()

    in_trained, in_inputs = jax.grad(value, argnums=(0, 1))(
        [variable.value for variable in trained], jax.numpy.asarray(X)
    )
    places = {id(variable): i for i, variable in enumerate(trained)}
    return [np.asarray(in_inputs), *(np.asarray(in_trained[places[id(v)]]) for v in variables)]


_GRADIENTS = {"tensorflow": _tensorflow, "torch": _torch, "jax": _jax}


def _host(tensor: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(tensor))
