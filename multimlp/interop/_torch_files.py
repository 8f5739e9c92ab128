"""A torch ``state_dict`` in a file: safetensors, or torch's own format without running what it may carry."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from multimlp.errors import FileFormatError
from multimlp.files import (
    allowed_bytes,
    as_path,
    check_archive,
    opening,
    read_tensors,
    replacing,
    tensor_dtypes,
    write_tensors,
)
from multimlp.interop._order import as_metadata, from_metadata, in_order, natural


def write_state(path: Path, state: Mapping[str, torch.Tensor]) -> None:
    """Write a ``state_dict``; a name that ends in ``.safetensors`` chooses that format."""
    if path.suffix == ".safetensors":
        tensors = {name: tensor.detach() for name, tensor in state.items()}
        write_tensors(path, tensors, {"format": "pt", **as_metadata(tensors)})
        return
    # Through memory: torch puts the name of the file into it, and calls a full disk a RuntimeError.
    content = io.BytesIO()
    torch.save(state, content)
    with replacing(path) as beside:
        beside.write_bytes(content.getbuffer())


def _order(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> list[str]:
    """That of the layers, which safetensors does not keep; of what is no stack of fully connected layers, that of the names."""
    names = sorted(shapes, key=natural)
    weights = {name.removesuffix("weight"): shapes[name] for name in names if name.endswith("weight")}
    plain = all(len(shape) in (2, 3) for shape in weights.values())
    if not plain or any(
        name.removesuffix("bias") not in weights for name in names if not name.endswith("weight")
    ):
        return names
    # (out, in), and of an ensemble (members, in, out)
    ends = {name: (shape[1], shape[0] if len(shape) == 2 else shape[2]) for name, shape in weights.items()}
    layers = in_order(repr(str(path)), ends)
    return [f"{layer}{part}" for layer in layers for part in ("weight", "bias") if f"{layer}{part}" in shapes]


def _tensor(array: Any, dtype: str) -> torch.Tensor:
    tensor = torch.from_numpy(array)
    return tensor.to(torch.bfloat16) if dtype == "bfloat16" else tensor  # which NumPy lacks


def read_state(path: Path) -> dict[str, torch.Tensor]:
    """Read a ``state_dict``; a pickle in it is not run.

    Raises
    ------
    InputError
        If the file cannot be read.
    FileFormatError
        If it holds anything but named tensors.

    Notes
    -----
    safetensors files are sorted by name. `write_state` keeps the order beside; in a file of others, layers go by the numbers in their
    names, else by their shapes, and `InputError` says where these leave it open.
    """
    path = as_path(path)
    if path.suffix == ".safetensors":
        arrays, metadata = read_tensors(path)
        order = from_metadata(metadata, arrays) or _order(path, {name: a.shape for name, a in arrays.items()})
        dtypes = tensor_dtypes(path)
        return {name: _tensor(arrays[name], dtypes[name]) for name in order}
    with opening(path, "holds no plain state_dict"):
        if zipfile.is_zipfile(path):
            check_archive(path, path.stat().st_size)
        state = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(state, dict):
        raise FileFormatError(f"{str(path)!r} holds {type(state).__name__}, not a plain state_dict")
    for name, tensor in state.items():
        if not isinstance(name, str) or not isinstance(tensor, torch.Tensor):
            raise FileFormatError(
                f"{str(path)!r} holds no plain state_dict: {name!r} is {type(tensor).__name__}, expected a tensor; "
                "save model.state_dict() alone"
            )
    stated = sum(tensor.numel() * tensor.element_size() for tensor in state.values())
    if stated > (allowed := allowed_bytes(path.stat().st_size)):
        raise FileFormatError(
            f"{str(path)!r}: its tensors are views that take {stated} bytes, at most {allowed} are read; save clones of them"
        )
    return state
