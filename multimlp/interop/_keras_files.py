"""What a ``.keras`` file states, looked at before Keras builds anything of it.

Keras makes layers as wide as the configuration says, and reads the weights afterwards: a kilobyte can ask for any amount of memory. Its
configuration can also name any class of any module, and its HDF5 part other files.
"""

from __future__ import annotations

import json
import math
import zipfile
from pathlib import Path
from typing import Any

import h5py

from multimlp.errors import FileFormatError, InputError
from multimlp.files import allowed_bytes, check_archive
from multimlp.interop._keras_layers import MEMBERS
from multimlp.interop._keras_reading import ARITHMETIC, LAYERS, OPERATIONS, readable
from multimlp.interop._layers import unsupported_layer

_PARTS = {"metadata.json", "config.json", "model.weights.h5"}
_OPERATIONS = ("keras.src.ops.numpy", "keras.src.ops.nn")
"""Where Keras has the functions that a model may call, of which `ARITHMETIC` and `OPERATIONS` alone are let in."""
_OF_SEVERAL = ("Add", "Multiply", "Concatenate")
"""Layers that take several inputs."""
_OF_MEMBERS = ("Concatenate", "EinsumDense", "GlobalAveragePooling1D", "RepeatVector")
"""Layers of ensembles."""
_HOLD_A_ROW = ("BatchNormalization", "LayerNormalization", "Normalization", "PReLU", "RMSNormalization")
"""Layers of at least one number for each feature."""
_MODULES = {"keras", *(f"keras.{part}" for part in ("layers", "initializers", "regularizers", "constraints"))}


def check_file(path: Path) -> None:
    """`FileFormatError` unless it is a model of layers that are read, whose weights are all there; `InputError` for other layers."""
    size = path.stat().st_size
    names = {member.filename for member in check_archive(path, size)}
    if names != _PARTS:
        raise FileFormatError(f"expected an archive of {', '.join(sorted(_PARTS))}, got {sorted(names)[:8]}")
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))
        with archive.open("model.weights.h5") as file, h5py.File(file, "r") as weights:
            there = _numbers_in(weights, allowed_bytes(size))
    # How the model was trained is left out when it is loaded (compile=False); a model inside of it would be compiled.
    _check_modules({key: value for key, value in config.items() if key != "compile_config"})
    stated, _ = _numbers_stated(config, None)
    if stated > there:
        raise FileFormatError(f"its layers need {stated} numbers, and there are {there}")


def _numbers_in(weights: h5py.File, allowed: int) -> int:
    count, taken = 0, 0
    groups = [weights]
    seen = set()
    while groups:
        group = groups.pop()
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise FileFormatError(f"its weights are a link to somewhere else, at {name!r}")
            entry = group[name]
            if entry.id in seen:
                continue
            seen.add(entry.id)
            if isinstance(entry, h5py.Group):
                groups.append(entry)
            elif not isinstance(entry, h5py.Dataset):
                raise FileFormatError(f"its weights have a {type(entry).__name__}, at {name!r}")
            elif entry.external or entry.is_virtual or entry.dtype.hasobject:
                raise FileFormatError(f"its weights have no numbers of their own, at {name!r}")
            else:
                count, taken = count + entry.size, taken + entry.nbytes
                if taken > allowed:
                    raise FileFormatError(f"its weights unpack to more than {allowed} bytes")
    return count


def _check_modules(value: Any) -> None:
    """Objects of Keras's own and no others: Keras would import what is named."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            if "class_name" in item and not _is_own(item):
                raise FileFormatError(
                    f"it names {item.get('module')}.{item['class_name']}, which is not Keras's own"
                )
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)


def _is_own(item: dict[str, Any]) -> bool:
    module, name, registered = (item.get(key) for key in ("module", "class_name", "registered_name"))
    if name == "__keras_tensor__":
        return "module" not in item
    if name == "Functional":
        return module in ("keras", "keras.src.models.functional") and registered in (None, "Functional")
    if module in _OPERATIONS:
        return name in (*ARITHMETIC, *OPERATIONS) and registered in (None, name)
    return module in _MODULES and registered is None


def _numbers_stated(model: Any, shape: list[int] | None) -> tuple[int, list[int] | None]:
    """How many numbers the layers of a model will hold, and the shape of a row of its outputs, from that of one of its inputs."""
    kind = model.get("class_name") if isinstance(model, dict) else type(model).__name__
    if kind not in ("Sequential", "Functional"):
        raise InputError(f"model: expected keras.Sequential or a functional keras.Model, got {kind}")
    inner = model["config"]
    stated = _shape(inner.get("build_input_shape"))
    shape = stated if shape is None else shape
    count = 0
    shapes: dict[str, list[int] | None] = {}
    for layer in inner["layers"]:
        own, shape = _of_layer(layer, _shape_before(layer, shapes) if kind == "Functional" else shape)
        count += own
        shapes[layer.get("name")] = shape
    if kind == "Functional":
        outputs = inner["output_layers"]
        shape = shapes[(outputs[0] if isinstance(outputs[0], list) else outputs)[0]]
    return count, shape


def _shape_before(layer: Any, shapes: dict[str, list[int] | None]) -> list[int] | None:
    """Of the values that a layer of a functional model takes; they come from layers before it, and are of one shape in all its calls."""
    found = []
    waiting: list[Any] = [layer["inbound_nodes"]]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict) and item.get("class_name") == "__keras_tensor__":
            found.append(shapes[item["config"]["keras_history"][0]])
        elif isinstance(item, dict):
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
    if any(shape != found[0] for shape in found):
        raise FileFormatError(f"its layer {layer['class_name']} takes inputs of the shapes {found[:8]}")
    return found[0] if found else None


def _of_layer(layer: Any, shape: list[int] | None) -> tuple[int, list[int] | None]:
    """How many numbers a layer will hold, and the shape of a row of its outputs."""
    kind, own = layer["class_name"], layer["config"]
    if kind in ("Sequential", "Functional"):
        return _numbers_stated(layer, shape)
    if layer.get("module") in _OPERATIONS and layer["class_name"] in (*ARITHMETIC, *OPERATIONS):
        return 0, shape
    if kind not in LAYERS and kind not in _OF_SEVERAL:
        raise unsupported_layer("Keras model", f"{kind} {own.get('name')!r}", readable())
    given = [own.get("batch_shape")]
    if kind not in (*_OF_SEVERAL, "Normalization"):  # several inputs; the shape of what it was adapted to
        given.append(layer.get("build_config", {}).get("input_shape"))
    for stated in map(_shape, given):
        if shape is not None and stated is not None and stated != shape:
            width, came = (item[0] if len(item) == 1 else item for item in (stated, shape))
            raise FileFormatError(f"its layer {kind} takes {width} inputs, and {came} come in")
        shape = stated if shape is None else shape
    if kind == "InputLayer":
        return 0, shape
    if kind == "PReLU" and shape is not None and len(shape) != 1:
        raise FileFormatError("its layer PReLU has more than one axis of units")
    if shape is None:
        raise FileFormatError("it does not say how many inputs it takes; give the model an Input layer")
    if kind == "Dense":
        units = own["units"]
        if type(units) is not int or units < 1:
            raise FileFormatError(f"its layer Dense has {units!r} units")
        return units * shape[-1], [*shape[:-1], units]
    if kind in _OF_MEMBERS:
        return _of_members(layer, shape)
    if kind in ("Flatten", "Reshape"):
        return 0, [math.prod(shape)]
    return (shape[-1] if kind in _HOLD_A_ROW else 0), shape


def _of_members(layer: Any, shape: list[int]) -> tuple[int, list[int]]:
    """Of a layer as `to_keras` writes ensembles with."""
    kind, own = layer["class_name"], layer["config"]
    if kind == "RepeatVector" and len(shape) == 1:
        return 0, [_whole(own["n"]), *shape]
    if kind == "GlobalAveragePooling1D" and len(shape) == 2:
        return 0, [shape[1]]
    if kind == "Concatenate" and len(shape) == 1:
        return 0, [json.dumps(layer["inbound_nodes"]).count("__keras_tensor__") * shape[0]]
    if kind == "EinsumDense" and len(shape) == 2 and own["equation"] == MEMBERS:
        members, width = (_whole(extent) for extent in own["output_shape"])
        if members == shape[0]:
            return members * shape[1] * width, [members, width]
    raise FileFormatError(
        f"its layer {kind} is not as multimlp writes ensembles, and takes inputs of shape {shape}"
    )


def _whole(value: Any) -> int:
    if type(value) is not int or value < 1:
        raise FileFormatError(f"a layer has the extent {value!r}")
    return value


def _shape(shape: Any) -> list[int] | None:
    """That of a row, if it is one."""
    if shape is None:
        return None
    if not isinstance(shape, list) or len(shape) < 2 or any(type(n) is not int or n < 1 for n in shape[1:]):
        raise FileFormatError(f"a layer has inputs of shape {shape!r}")
    return shape[1:]
