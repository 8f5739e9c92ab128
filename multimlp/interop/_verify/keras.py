"""Keras 3, on whichever backend it runs: Dense layers are seen as further outputs of the model."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, TypeAlias

import keras
import numpy as np

from multimlp.errors import InputError
from multimlp.interop._ensembles import one_below_the_other
from multimlp.interop._keras_layers import MEMBERS
from multimlp.interop._verify.run import Call, Opened, Run

_Seen: TypeAlias = tuple[Any, int, int, np.ndarray, np.ndarray | None]
"""A layer, which tensors it took and gave, and their values."""


def opened(name: str, model: Any) -> Opened:
    """See `multimlp.interop._verify.opened`."""
    if not isinstance(model, keras.Model) or not model.built:
        state = "one that is not built" if isinstance(model, keras.Model) else type(model).__name__
        raise InputError(f"{name}: expected a built keras.Model, got {state}")
    shape = getattr(model, "input_shape", None)
    if not isinstance(shape, tuple) or len(shape) < 2 or None in shape[1:]:
        raise InputError(f"{name}: expected a Keras model of inputs (n, features), got {shape}")

    kernel = next((layer.kernel for layer in _flat(model) if _is_dense(layer)), None)
    dtype = model.variable_dtype if kernel is None else kernel.dtype

    def run(X: np.ndarray, cotangent: np.ndarray | None) -> Run:
        found = _run(model, X.reshape(-1, *shape[1:]), cotangent)
        if found.gradients is not None:  # in rows, as images are given here
            found.gradients = {**found.gradients, "inputs": found.gradients["inputs"].reshape(X.shape)}
        return found

    return Opened(
        f"Keras on {keras.backend.backend()}",
        math.prod(shape[1:]),
        keras.backend.standardize_dtype(dtype),
        run,
    )


def _run(model: Any, X: np.ndarray, cotangent: np.ndarray | None) -> Run:
    dense = [layer for layer in _flat(model) if _is_dense(layer)]
    outputs, seen = (_in_turn if isinstance(model, keras.Sequential) else _as_outputs)(model, X)
    layers, normalised = (
        [
            Call(
                f"{type(layer).__name__} {layer.name!r}",
                source,
                target,
                _units(layer, taken),
                None if given is None else _units(layer, given),
            )
            for layer, source, target, taken, given in seen
            if is_one(layer)
        ]
        for is_one in (_is_dense, _is_norm)
    )
    found = Run(outputs.reshape(len(outputs), -1)).calls(layers, normalised)
    gradients = _GRADIENTS.get(keras.backend.backend())  # numpy and openvino have none
    if cotangent is not None and gradients is not None:
        held = {
            f"{part} {i}": variable
            for i, layer in enumerate(dense)
            for part, variable in (("weight", layer.kernel), ("bias", layer.bias))
            if variable is not None
        }
        found.gradients = dict(
            zip(
                ("inputs", *held),
                gradients(model, [*held.values()], X, cotangent.reshape(outputs.shape)),
                strict=True,
            )
        )
    return found


def _is_dense(layer: Any) -> bool:
    """Whether it is fully connected, of all members of an ensemble too."""
    of_members = isinstance(layer, keras.layers.EinsumDense) and layer.equation == MEMBERS
    return of_members or isinstance(layer, keras.layers.Dense)


def _is_norm(layer: Any) -> bool:
    return isinstance(layer, keras.layers.BatchNormalization)


def _units(layer: Any, values: np.ndarray) -> np.ndarray:
    """Of all members, behind the rows, one below the other, as they are compared; of any other layer as they are."""
    of_members = isinstance(layer, keras.layers.EinsumDense)
    return one_below_the_other(values.swapaxes(0, 1)) if of_members else values


_TRAINED_OTHERWISE = (
    keras.layers.BatchNormalization,
    keras.layers.Dropout,
    keras.layers.AlphaDropout,
    keras.layers.GaussianDropout,
    keras.layers.GaussianNoise,
)


def _in_turn(model: Any, X: np.ndarray) -> tuple[np.ndarray, list[_Seen]]:
    """The layers of a ``Sequential``, called one after the other."""
    found: list[_Seen] = []
    kept = [keras.ops.convert_to_tensor(X)]  # or another tensor could get the id of one that is gone
    for layer in _flat(model):
        hidden = kept[-1]
        kept.append(layer(hidden, training=False) if isinstance(layer, _TRAINED_OTHERWISE) else layer(hidden))
        found.append((layer, id(hidden), id(kept[-1]), _host(hidden), _unfused(layer, _host(kept[-1]))))
    return _host(kept[-1]), found


def _as_outputs(model: Any, X: np.ndarray) -> tuple[np.ndarray, list[_Seen]]:
    """Those of any other model, as further outputs of it."""
    layers = [layer for layer in model.layers if _is_dense(layer) or _is_norm(layer)]
    wanted = [tensor for layer in layers for tensor in (layer.input, layer.output)]
    if not wanted:  # Keras gives a single output as it is
        return _host(model(X, training=False)), []
    watched = keras.Model(model.inputs[0], [*model.outputs, *wanted])
    outputs, *values = (_host(value) for value in watched(X, training=False))
    return outputs, [
        (layer, id(layer.input), id(layer.output), taken, _unfused(layer, given))
        for layer, taken, given in zip(layers, values[::2], values[1::2], strict=True)
    ]


def _unfused(layer: Any, given: np.ndarray) -> np.ndarray | None:
    linear = keras.activations.linear
    return given if getattr(layer, "activation", linear) is linear else None


def _flat(model: Any) -> Iterator[Any]:
    """The layers of a model, those of a ``Sequential`` in it in its place."""
    for layer in model.layers:
        if isinstance(layer, keras.Sequential):
            yield from _flat(layer)
        else:
            yield layer


def _tensorflow(model: Any, variables: list[Any], X: np.ndarray, cotangent: np.ndarray) -> list[np.ndarray]:
    import tensorflow as tf

    inputs = tf.convert_to_tensor(X)
    own = [variable.value for variable in variables]
    with tf.GradientTape() as tape:
        tape.watch([inputs, *own])
        value = tf.reduce_sum(model(inputs, training=False) * tf.convert_to_tensor(cotangent))
    return [np.asarray(gradient) for gradient in tape.gradient(value, [inputs, *own])]


def _torch(model: Any, variables: list[Any], X: np.ndarray, cotangent: np.ndarray) -> list[np.ndarray]:
    import torch

    own = [variable.value for variable in variables]
    frozen = [tensor for tensor in own if not tensor.requires_grad]
    inputs = keras.ops.convert_to_tensor(X).detach().requires_grad_()
    for tensor in frozen:
        tensor.requires_grad_(True)
    try:
        outputs = model(inputs, training=False)
        along = torch.tensor(cotangent, dtype=outputs.dtype, device=outputs.device)
        return [_host(gradient) for gradient in torch.autograd.grad(outputs, [inputs, *own], along)]
    finally:
        for tensor in frozen:
            tensor.requires_grad_(False)


def _jax(model: Any, variables: list[Any], X: np.ndarray, cotangent: np.ndarray) -> list[np.ndarray]:
    import jax

    trained, fixed = list(model.trainable_variables), list(model.non_trainable_variables)

    def value(own: list[Any], X: Any) -> Any:  # frozen layers have gradients too
        held = {id(variable): number for variable, number in zip(variables, own, strict=True)}
        known, others = ([held.get(id(v), v.value) for v in part] for part in (trained, fixed))
        outputs, _ = model.stateless_call(known, others, X, training=False)
        return (outputs * cotangent).sum()

    in_own, in_inputs = jax.grad(value, argnums=(0, 1))(
        [variable.value for variable in variables], jax.numpy.asarray(X)
    )
    return [np.asarray(in_inputs), *map(np.asarray, in_own)]


_GRADIENTS = {"tensorflow": _tensorflow, "torch": _torch, "jax": _jax}


def _host(tensor: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(tensor))
