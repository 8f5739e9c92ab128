"""Keras models as steps: Sequential and functional ones, in each other too."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import keras
import numpy as np

from multimlp.errors import InputError
from multimlp.interop._branches import Branches
from multimlp.interop._building import Builder
from multimlp.interop._keras_layers import BY_NAME, MEMBERS
from multimlp.interop._layers import unsupported_activation, unsupported_layer
from multimlp.interop._names import chosen
from multimlp.interop._parts import Linear, Part

_FROM_NAME = {theirs: (ours, options) for ours, (theirs, options) in BY_NAME.items()}

Read = Callable[[Any, Mapping[str, Any], Builder], None]


def read(model: Any, reading: Builder) -> None:
    """Tell the builder what a model does with its inputs.

    Raises
    ------
    InputError
        For a layer or a structure that there is nothing for here; names it.
    """
    _read_model(model, reading)
    repeated = [part for part in reading.parts if isinstance(part, _Repeated)]
    members = any(isinstance(part, Linear) and part.weight.ndim == 3 for part in reading.parts)
    if len(repeated) != members:
        where = repeated[0].where if repeated else "no RepeatVector"
        raise reading.unlike(
            f"has {where}, which is read once, before the EinsumDense layers of an ensemble, and these behind it"
        )
    reading.parts = [part for part in reading.parts if not isinstance(part, _Repeated)]


class _Repeated(Part):
    """Each row once for every member, as Keras has its ensembles, and the others have without saying it."""


def _read_model(model: Any, reading: Builder) -> None:
    own = getattr(type(model), "call", None)  # somebody may have made a call of his own of it
    plain = own is not None and own.__module__.partition(".")[0] == "keras"
    if plain and isinstance(model, keras.Sequential):
        for layer in model.layers:
            _read_layer(layer, reading)
    elif plain and isinstance(model, keras.Model) and getattr(model, "operations", None):
        _read_functional(model, reading)
    else:
        raise InputError(
            f"model: expected keras.Sequential or a functional keras.Model, got {type(model).__name__}, whose forward pass cannot be "
            "seen; build it of layers and their outputs, keras.Model(inputs, outputs)"
        )


def _read_layer(layer: Any, reading: Builder) -> None:
    if isinstance(layer, keras.Model):
        _read_model(layer, reading)
        return
    kind = type(layer).__name__
    reading.at(kind, layer.name, chosen(layer.name, kind))
    if kind not in LAYERS or type(layer) is not getattr(keras.layers, kind):
        raise unsupported_layer(reading.source, reading.where, readable())
    LAYERS[kind](layer, layer.get_config(), reading)


# ---- functional models ----------------------------------------


def _read_functional(model: Any, reading: Builder) -> None:
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise reading.unlike(f"has {len(model.inputs)} inputs and {len(model.outputs)} outputs")
    values, before = Branches(reading), reading.parts
    values.start(_key(model.inputs[0]))
    for tensor, node in _in_turn(model):
        _read_node(node, _key(tensor), values, reading)
    values.end(_key(model.outputs[0]))
    reading.parts = [*before, *reading.parts]


def _key(tensor: Any) -> Hashable:
    """What tells one value of a model from the others."""
    made = tensor._keras_history
    return id(made.operation), made.node_index, made.tensor_index


def _in_turn(model: Any) -> list[tuple[Any, Any]]:
    """Values with the nodes that make them, each behind those that it is made of."""
    found: dict[Hashable, tuple[Any, Any]] = {}
    start = _key(model.inputs[0])
    waiting = [model.outputs[0]]
    while waiting:
        tensor = waiting[-1]
        made = tensor._keras_history
        node = made.operation._inbound_nodes[made.node_index]
        missing = [t for t in node.input_tensors if _key(t) not in found and _key(t) != start]
        if missing and _key(tensor) not in found:
            waiting += missing
        else:
            waiting.pop()
            if _key(tensor) != start:
                found.setdefault(_key(tensor), (tensor, node))
    return list(found.values())


def _read_node(node: Any, out: Hashable, values: Branches, reading: Builder) -> None:
    operation = node.operation
    kind = type(operation).__name__
    reading.at(kind, operation.name, chosen(operation.name, kind))
    sources = [_key(tensor) for tensor in node.input_tensors]
    if not isinstance(operation, keras.Model) and type(operation).__module__.partition(".")[0] != "keras":
        raise unsupported_layer(reading.source, reading.where, readable())  # whatever it is called
    if kind == "Add" and len(sources) >= 2:
        total = sources[0]
        for i, source in enumerate(sources[1:]):
            last = i == len(sources) - 2
            values.add(out if last else (out, i), total, source)
            total = (out, i)
    elif kind == "Multiply" and len(sources) == 2:
        values.multiply(out, *sources)
    elif kind == "Concatenate" and len(sources) == 2 and operation.axis in (-1, 1):
        values.join(out, *sources)
    elif len(sources) != 1:
        raise unsupported_layer(reading.source, reading.where, readable())
    elif isinstance(operation, keras.Layer):
        values.step(out, sources[0], lambda: _read_layer(operation, reading))
    else:
        values.step(out, sources[0], lambda: _read_operation(node, kind, reading))


def _read_operation(node: Any, kind: str, reading: Builder) -> None:
    """A function of `keras.ops`, or arithmetic with a constant."""
    arguments = node.arguments.args
    if kind in OPERATIONS:
        reading.activation(OPERATIONS[kind])
        return
    constants = [value for value in arguments if isinstance(value, (int, float, np.ndarray))]
    if kind not in ARITHMETIC or len(arguments) != 2 or len(constants) != 1:
        raise unsupported_layer(reading.source, reading.where, readable())
    constant = np.asarray(constants[0], dtype=np.float64)
    first = arguments[1] is constants[0]
    if kind == "Add":
        reading.affine(1.0, constant)
    elif kind == "Subtract":
        reading.affine(1.0 if first else -1.0, -constant if first else constant)
    elif kind == "Multiply":
        reading.affine(constant)
    elif first and constant.all():
        reading.affine(1 / constant)
    else:
        raise unsupported_layer(reading.source, f"{reading.where} by the value, or by 0", readable())


ARITHMETIC = ("Add", "Subtract", "Multiply", "TrueDivide", "Divide")
OPERATIONS = {
    "Relu": "relu",
    "Relu6": "relu6",
    "Selu": "selu",
    "Sigmoid": "sigmoid",
    "Silu": "silu",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Tanh": "tanh",
}
"""Functions of `keras.ops` that take nothing but a value, to the activation here."""


# ---- layers ----------------------------------------


def _dense(layer: Any, config: Mapping[str, Any], reading: Builder) -> None:
    reading.dense(_host(layer.kernel), _host(layer.bias) if layer.use_bias else None)
    _named(layer, config, reading)


def _dense_of_members(layer: Any, config: Mapping[str, Any], reading: Builder) -> None:
    if (config["equation"], config["bias_axes"] or "mo") != (MEMBERS, "mo"):
        raise unsupported_layer(reading.source, f"{reading.where} of {config['equation']!r}", readable())
    reading.dense_of_members(_host(layer.kernel), None if layer.bias is None else _host(layer.bias))
    _named(layer, config, reading)


def _repeat(layer: Any, config: Mapping[str, Any], reading: Builder) -> None:
    reading.parts.append(_Repeated(where=reading.where))


def _mean(layer: Any, config: Mapping[str, Any], reading: Builder) -> None:
    if config["data_format"] != "channels_last" or config["keepdims"]:
        raise unsupported_layer(
            reading.source, f"{reading.where} of another axis than the members", readable()
        )
    reading.combined("mean")


def _named(layer: Any, config: Mapping[str, Any], reading: Builder) -> None:
    written = keras.activations.serialize(layer.activation)
    name = written if isinstance(written, str) else getattr(layer.activation, "__name__", str(written))
    if name not in _FROM_NAME or not _is_the_same(layer.activation, keras.activations.get(name)):
        raise unsupported_activation("multimlp", f"Keras's {name!r} in {reading.where}", _FROM_NAME)
    ours, options = _FROM_NAME[name]
    reading.activation({"name": ours, **{o: v for o, v in options.items() if o != "axis"}})


def _is_the_same(given: Any, own: Any) -> bool:
    """Whether a function is Keras's own of that name; those of its backends are often called the same, and not all of them are it."""
    if given is own:
        return True
    try:
        values = keras.ops.convert_to_tensor(np.linspace(-9, 9, 72, dtype=np.float32)[None])
        return bool(np.allclose(_host(given(values)), _host(own(values)), rtol=1e-5, atol=1e-5))
    except Exception:  # whatever a stranger's function does
        return False


def _relu(layer: Any, config: Mapping[str, Any], reading: Builder) -> None:
    shape = (config["max_value"], config["negative_slope"], config["threshold"])
    if shape[0] is None and shape[2] == 0:
        spec = {"name": "leaky_relu", "negative_slope": float(shape[1])} if shape[1] else {"name": "relu"}
        reading.activation(spec)
    elif shape == (6.0, 0.0, 0.0):
        reading.activation("relu6")
    else:
        raise InputError(
            f"Keras model: {reading.where} with (max_value, negative_slope, threshold) = {shape} has no equivalent"
        )


def _batch_norm(layer: Any, config: Mapping[str, Any], reading: Builder) -> None:
    _last_axis(layer, config, reading)
    scale = _host(layer.gamma) if config["scale"] else None
    shift = _host(layer.beta) if config["center"] else None
    reading.batch_norm(
        _host(layer.moving_mean), _host(layer.moving_variance), scale, shift, config["epsilon"]
    )


def _normalization(layer: Any, config: Mapping[str, Any], reading: Builder) -> None:
    if layer.mean is None:
        raise InputError(f"Keras model: {reading.where} has no mean and variance yet; call its adapt()")
    mean, variance = (_host(value).astype(np.float64) for value in (layer.mean, layer.variance))
    deviation = np.maximum(np.sqrt(variance), keras.backend.epsilon())
    if config["invert"]:
        reading.affine(deviation, mean)
    else:
        reading.affine(1 / deviation, -mean / deviation)


def _layer_norm(layer: Any, config: Mapping[str, Any], reading: Builder) -> None:
    _last_axis(layer, config, reading)
    if not config["scale"]:
        raise InputError(
            f"Keras model: {reading.where} without a scale has no equivalent; give it scale=True"
        )
    if config.get("rms_scaling"):
        raise InputError(
            f"Keras model: {reading.where} with rms_scaling=True, which Keras has given up, has no equivalent; use RMSNormalization"
        )
    shift = _host(layer.beta) if config["center"] else None
    reading.layer_norm(_host(layer.gamma), shift, config["epsilon"])


def _rms_norm(layer: Any, config: Mapping[str, Any], reading: Builder) -> None:
    _last_axis(layer, config, reading)
    reading.rms_norm(_host(layer.scale), config["epsilon"])


def _last_axis(layer: Any, config: Mapping[str, Any], reading: Builder) -> None:
    axes = config["axis"] if isinstance(config["axis"], (list, tuple)) else [config["axis"]]
    if list(axes) not in ([-1], [_axes(layer) - 1]):
        raise InputError(f"Keras model: {reading.where} must work along the last axis, not {config['axis']}")


def _flatten(layer: Any, config: Mapping[str, Any], reading: Builder) -> None:
    reading.on_rows()
    if _axes(layer) > 2 and reading.has_layers:
        raise unsupported_layer(
            reading.source, f"{reading.where} behind a layer that works on one axis of several", readable()
        )


def _reshape(layer: Any, config: Mapping[str, Any], reading: Builder) -> None:
    _flatten(layer, config, reading)
    if len(config["target_shape"]) != 1:
        raise unsupported_layer(
            reading.source, f"{reading.where} to {tuple(config['target_shape'])}", readable()
        )


def _axes(layer: Any) -> int:
    """How many axes the inputs of a layer have, rows included."""
    try:
        return len(layer.input.shape)
    except (AttributeError, ValueError):  # it is called more than once, or was built by a call
        return 2


def _dropout(layer: Any, config: Mapping[str, Any], reading: Builder) -> None:
    if config.get("noise_shape") is not None:
        raise InputError(
            f"Keras model: {reading.where} drops numbers together (noise_shape={config['noise_shape']!r}), which has no equivalent"
        )
    reading.dropout(config["rate"])


def _softmax(layer: Any, config: Mapping[str, Any], reading: Builder) -> None:
    if config["axis"] != -1:
        raise InputError(f"Keras model: {reading.where} must work along the last axis, not {config['axis']}")
    reading.activation("softmax")


def _nothing(layer: Any, config: Mapping[str, Any], reading: Builder) -> None:
    """Nothing is computed on rows."""


LAYERS: dict[str, Read] = {
    "Dense": _dense,
    "EinsumDense": _dense_of_members,
    "Activation": _named,
    "ReLU": _relu,
    "LeakyReLU": lambda layer, config, reading: reading.activation(
        {"name": "leaky_relu", "negative_slope": float(config["negative_slope"])}
    ),
    "ELU": lambda layer, config, reading: reading.activation(
        {"name": "elu", "alpha": float(config["alpha"])}
    ),
    "PReLU": lambda layer, config, reading: reading.prelu(_host(layer.alpha)),
    "Softmax": _softmax,
    "Dropout": _dropout,
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    "RMSNormalization": _rms_norm,
    "Normalization": _normalization,
    "Rescaling": lambda layer, config, reading: reading.affine(config["scale"], config["offset"]),
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Identity": _nothing,
    "InputLayer": _nothing,
    "RepeatVector": _repeat,
    "GlobalAveragePooling1D": _mean,
}


def readable() -> tuple[str, ...]:
    """What can be read, for errors."""
    return (*LAYERS, "Add of a value and what it has become", "+, -, *, / of constants")


def _host(variable: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(variable))
