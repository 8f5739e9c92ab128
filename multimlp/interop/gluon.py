"""MXNet Gluon: ``.params`` files both ways, without MXNet.

Two formats are read: NumPy's ``.npz``, which Gluon 2 writes, and the list of arrays of MXNet 1
(``mx.nd.save``). The latter, all little-endian:

====================  ======================================================================================
uint64                0x112, then uint64 0
uint64                number of arrays, then each array:
uint32                0xF993FAC9 (V2) or 0xF993FACA (V3)
int32                 storage type: 0, dense
uint32 or int32 (V3)  number of axes, then int64 for each axis
int32, int32          kind of device, its number
int32                 dtype: 0 float32, 1 float64, 2 float16
bytes                 the values in C order
uint64                number of names, then each: uint64 length, bytes (UTF-8)
====================  ======================================================================================

Names are ``<block>.weight`` with shape (out, in) and ``<block>.bias``, perhaps after ``arg:``; of BatchNorm ``gamma``, ``beta``,
``running_mean`` and ``running_var``, perhaps after ``aux:``. A file knows no activations.
"""

from __future__ import annotations

import math
import os
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np

from multimlp.backend import Backend
from multimlp.errors import DTypeError, InputError
from multimlp.errors.checks import check_number
from multimlp.files import opening, read_arrays, replacing
from multimlp.interop._building import Builder, rules_of
from multimlp.interop._layers import layers_of
from multimlp.interop._names import Names
from multimlp.mlp import MLP, Params

_FILE_MAGIC, _V2, _V3 = 0x112, 0xF993FAC9, 0xF993FACA
_DTYPES = {0: "float32", 1: "float64", 2: "float16"}


def from_gluon(
    path: str | os.PathLike[str],
    activation: Any = "relu",
    final_activation: Any = None,
    backend: str | Backend | None = None,
    device: str | None = None,
    dtype: Any = None,
    *,
    batch_norm: str | None = None,
    epsilon: float = 1e-5,
) -> tuple[MLP, Params]:
    """An MLP and its parameters from a file of Gluon's ``save_parameters``; layers in the order of the file.

    Parameters
    ----------
    path : path
    activation : str, or one a hidden layer
        The file does not say.
    final_activation : str, optional
    backend, device, dtype : optional
    batch_norm : {"before", "after"}, optional
        Whether the BatchNorm behind a layer stands before its activation or after it, which the file does not say either; it is folded
        into the weights beside it, with the statistics that it has gathered.
    epsilon : float
        Of the BatchNorm layers; default: Gluon's.

    Raises
    ------
    FileFormatError
        If the file is damaged.
    InputError
        If it holds anything but fully connected layers and BatchNorm, or the latter where ``batch_norm`` is not said.

    Examples
    --------
    See `to_gluon`.
    """
    if batch_norm not in (None, "before", "after"):
        raise InputError(f"batch_norm: expected 'before' or 'after' the activation, got {batch_norm!r}")
    epsilon = check_number("epsilon", epsilon, low=0)
    source, arrays = f"Gluon file {str(path)!r}", read_params(path)
    if any(name.endswith("running_var") for name in arrays):
        reading = _normalised(source, arrays, activation, final_activation, batch_norm, epsilon)
    else:
        reading = Builder.from_arrays(source, arrays, activation, final_activation)
    return reading.build(backend, device, dtype)


_NORM = ("gamma", "beta", "running_mean", "running_var")


def _normalised(
    source: str,
    arrays: dict[str, np.ndarray],
    activation: Any,
    final_activation: Any,
    batch_norm: str | None,
    epsilon: float,
) -> Builder:
    """Fully connected layers with BatchNorm between them, in the order of the file."""
    if batch_norm is None:
        raise InputError(
            f"batch_norm: {source} holds BatchNorm, and does not say where the activations are; say whether it stands 'before' or 'after' "
            "them (--batch-norm)"
        )
    layers = list(dict.fromkeys(re.sub(_PARTS, "", name) for name in arrays))
    dense = [layer for layer in layers if f"{layer}weight" in arrays]
    known = {
        f"{layer}{part}" for layer in layers for part in (("weight", "bias") if layer in dense else _NORM)
    }
    odd = [
        *(arrays.keys() - known),
        *(f"{n}{part}" for n in layers if n not in dense for part in _NORM if f"{n}{part}" not in arrays),
    ]
    odd += [f"{layer}weight" for layer in dense if arrays[f"{layer}weight"].ndim != 2]
    if odd or not dense:
        raise InputError(
            f"{source}: expected fully connected layers and BatchNorm ({', '.join(_NORM)}), found {odd[0] if odd else 'no weight'!r}"
        )
    reading = Builder(source)
    rules = dict(zip(dense, rules_of(activation, final_activation, len(dense)), strict=True))
    waiting: list[Any] = []  # activations that stand behind the next BatchNorm

    def activate() -> None:
        if waiting:
            reading.activation(waiting.pop())

    for layer in layers:
        if layer in rules:
            activate()
            reading.named(layer)
            reading.dense(arrays[f"{layer}weight"].T, arrays.get(f"{layer}bias"))
            if rules[layer] is not None:
                waiting.append(rules[layer])
            if batch_norm == "after":
                activate()
        else:
            reading.named(layer)
            gamma, beta, mean, variance = (arrays[f"{layer}{part}"] for part in _NORM)
            reading.batch_norm(mean, variance, gamma, beta, epsilon)
            activate()
    activate()
    return reading


_PARTS = re.compile(
    r"(?:weight|bias|gamma|beta|running_mean|running_var)$"
)  # what follows the name of a layer


def to_gluon(mlp: MLP, params: Params, path: str | os.PathLike[str]) -> None:
    """Write the parameters as Gluon's ``Sequential`` of ``Dense`` layers loads them (format V2); activations are not written.

    Layers that have names are written by these, as a block with such attributes loads them; ``mlp.renamed(None)`` has none.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import multimlp as mm
    >>> from multimlp.interop import gluon
    >>> mlp = mm.MLP(2, 3, 1)
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "model.params"
    >>> gluon.to_gluon(mlp, mlp.init(seed=0), path)
    >>> gluon.from_gluon(path)[0] == mlp
    True
    """
    if not isinstance(mlp, MLP):
        raise InputError(
            f"mlp: expected an MLP, got {type(mlp).__name__}: the order is to_gluon(mlp, params, path)"
        )
    arrays, names = {}, Names()
    for i, layer in enumerate(layers_of(mlp, params, "a Gluon file")):
        name = names(layer.name or str(i))
        arrays[f"{name}.weight"] = np.ascontiguousarray(layer.weight.T)
        if layer.bias is not None:
            arrays[f"{name}.bias"] = layer.bias
        if layer.learned:
            raise InputError(
                f"activation: a Gluon file cannot hold what {sorted(layer.learned)[0]!r} has learned"
            )
    with replacing(path) as beside:
        beside.write_bytes(_packed(arrays))


def _packed(arrays: dict[str, np.ndarray]) -> bytes:
    numbers = {name: number for number, name in _DTYPES.items()}
    parts = [struct.pack("<QQQ", _FILE_MAGIC, 0, len(arrays))]
    for name, array in arrays.items():
        if array.dtype.name not in numbers:
            raise DTypeError(f"{name}: dtype {array.dtype} cannot be written; convert to float32 first")
        little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        parts.append(struct.pack(f"<IiI{array.ndim}q", _V2, 0, array.ndim, *array.shape))
        parts.append(struct.pack("<iii", 1, 0, numbers[array.dtype.name]) + little.tobytes())
    parts.append(struct.pack("<Q", len(arrays)))
    for name in arrays:
        encoded = name.encode()
        parts.append(struct.pack("<Q", len(encoded)) + encoded)
    return b"".join(parts)


def read_params(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """The named arrays of a ``.params`` file; sizes are checked against the file before anything is read.

    Raises
    ------
    InputError
        If it cannot be opened.
    FileFormatError
        If it is damaged or another kind of file.
    """
    with opening(path, "is no Gluon parameter file, or is damaged"):
        content = Path(path).read_bytes()
        return read_arrays(path) if content.startswith(b"PK") else _Reader(content).arrays()


class _Reader:
    """Reads the array list from bytes, never beyond them."""

    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, 0

    def arrays(self) -> dict[str, np.ndarray]:
        magic, _ = self._take("<QQ")
        if magic != _FILE_MAGIC:
            raise ValueError(f"it starts with {magic:#x}, not {_FILE_MAGIC:#x}")
        values = [self._array() for _ in range(self._count(12))]
        names = [self._bytes(self._take("<Q")[0]).decode() for _ in range(self._count(8))]
        names = [name.removeprefix("arg:").removeprefix("aux:") for name in names]
        if len(set(names)) != len(values):
            raise ValueError(f"it has {len(values)} arrays and {len(set(names))} names")
        return dict(zip(names, values, strict=True))

    def _take(self, layout: str) -> tuple[Any, ...]:
        return struct.unpack(layout, self._bytes(struct.calcsize(layout)))

    def _bytes(self, size: int) -> bytes:
        if size > len(self._content) - self._at:
            raise ValueError("it ends too early")
        self._at += size
        return self._content[self._at - size : self._at]

    def _count(self, smallest: int) -> int:
        (count,) = self._take("<Q")
        if count * smallest > len(self._content):
            raise ValueError(f"it claims {count} entries, more than fit in it")
        return int(count)

    def _array(self) -> np.ndarray:
        magic, storage = self._take("<Ii")
        if magic not in (_V2, _V3):
            raise ValueError(f"an array has the version {magic:#x}; V2 and V3 are read")
        if storage != 0:
            raise ValueError("sparse arrays are not read")
        (axes,) = self._take("<i")
        if not 0 <= axes <= 32:
            raise ValueError(f"an array claims {axes} axes")
        shape = self._take(f"<{axes}q")
        _, _, kind = self._take("<iii")
        if kind not in _DTYPES or min(shape, default=0) < 0:
            raise ValueError(f"an array has dtype number {kind} and shape {shape}")
        dtype = np.dtype(_DTYPES[kind]).newbyteorder("<")
        values = np.frombuffer(self._bytes(math.prod(shape) * dtype.itemsize), dtype=dtype)
        return values.reshape(shape).astype(_DTYPES[kind])
