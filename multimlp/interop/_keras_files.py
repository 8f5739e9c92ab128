"""What a ``.keras`` file states, looked at before Keras builds anything of it.

Keras makes layers as wide as the configuration says, and reads the weights afterwards: a kilobyte can ask for any amount of memory. Its
configuration can also name any class of any module, and its HDF5 part other files.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

import h5py

from multimlp.errors import FileFormatError, InputError
from multimlp.files import allowed_bytes, check_archive
from multimlp.interop._layers import unsupported_layer

_PARTS = {"metadata.json", "config.json", "model.weights.h5"}
_MODULES = {"keras", *(f"keras.{part}" for part in ("layers", "initializers", "regularizers", "constraints"))}


def check_file(path: Path, layers: Collection[str]) -> None:
    """`FileFormatError` unless it is a Sequential of these layers, whose weights are all there; `InputError` for other layers."""
    size = path.stat().st_size
    names = {member.filename for member in check_archive(path, size)}
    if names != _PARTS:
        raise FileFormatError(f"expected an archive of {', '.join(sorted(_PARTS))}, got {sorted(names)[:8]}")
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))
        with archive.open("model.weights.h5") as file, h5py.File(file, "r") as weights:
            there = _numbers_in(weights, allowed_bytes(size))
    _check_modules(config)
    stated = _numbers_stated(config, layers)
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
            if "class_name" in item and (
                item.get("module") not in _MODULES or item.get("registered_name") is not None
            ):
                raise FileFormatError(
                    f"it names {item.get('module')}.{item['class_name']}, which is not Keras's own"
                )
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)


def _numbers_stated(config: Any, layers: Collection[str]) -> int:
    """How many numbers the layers will hold."""
    if not isinstance(config, dict) or config.get("class_name") != "Sequential":
        kind = config.get("class_name") if isinstance(config, dict) else type(config).__name__
        raise InputError(f"model: expected keras.Sequential, got {kind}")
    inner = config["config"]
    width = _width(inner.get("build_input_shape"))
    count = 0
    for layer in inner["layers"]:
        kind, own = layer["class_name"], layer["config"]
        shapes = [layer.get("build_config", {}).get("input_shape"), own.get("batch_shape")]
        for stated in map(_width, shapes):
            if width is not None and stated not in (None, width):
                raise FileFormatError(f"its layer {kind} takes {stated} inputs, and {width} come in")
            width = stated if width is None else width
        if kind == "InputLayer":
            continue
        if kind not in layers:
            raise unsupported_layer("Keras model", f"{kind} {own.get('name')!r}", layers)
        if kind == "PReLU" and any(shape is not None and len(shape) != 2 for shape in shapes):
            raise FileFormatError("its layer PReLU has more than one axis of units")
        if width is None:
            raise FileFormatError("it does not say how many inputs it takes; give the model an Input layer")
        if kind == "Dense":
            units = own["units"]
            if type(units) is not int or units < 1:
                raise FileFormatError(f"its layer Dense has {units!r} units")
            count, width = count + units * width, units
    return count


def _width(shape: Any) -> int | None:
    """The last axis of a shape, if it is one."""
    if shape is None:
        return None
    if not isinstance(shape, list) or len(shape) < 2 or type(shape[-1]) is not int or shape[-1] < 1:
        raise FileFormatError(f"a layer has inputs of shape {shape!r}")
    return shape[-1]
