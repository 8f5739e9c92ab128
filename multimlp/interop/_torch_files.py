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
    write_tensors,
)


def write_state(path: Path, state: Mapping[str, torch.Tensor]) -> None:
    """Write a ``state_dict``; a name that ends in ``.safetensors`` chooses that format."""
    if path.suffix == ".safetensors":
        write_tensors(path, {name: _array(tensor) for name, tensor in state.items()}, {"format": "pt"})
        return
    # Through memory: torch puts the name of the file into it, and calls a full disk a RuntimeError.
    content = io.BytesIO()
    torch.save(state, content)
    with replacing(path) as beside:
        beside.write_bytes(content.getbuffer())


def _array(tensor: torch.Tensor) -> Any:
    """16-bit floats as float32, which NumPy has."""
    return (tensor.float() if tensor.dtype.itemsize < 4 else tensor).contiguous().numpy()


def read_state(path: Path) -> dict[str, torch.Tensor]:
    """Read a ``state_dict``; a pickle in it is not run.

    Raises
    ------
    InputError
        If the file cannot be read.
    FileFormatError
        If it holds anything but named tensors.
    """
    path = as_path(path)
    if path.suffix == ".safetensors":
        return {name: torch.from_numpy(array) for name, array in read_tensors(path)[0].items()}
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
