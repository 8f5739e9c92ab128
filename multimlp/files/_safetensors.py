"""Named arrays in safetensors files; bfloat16 included, although NumPy has none."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from multimlp.backend import Array
from multimlp.errors import DTypeError, FileFormatError, InputError, missing_dependency
from multimlp.files._atomic import cannot_write, replacing
from multimlp.files._hosted import hosted
from multimlp.files._paths import check_readable

MAX_HEADER_BYTES = 64 * 1024 * 1024
"""Names, shapes and metadata of a model are a few kilobytes; a longer header is a damaged or hostile file."""

_DTYPES = {
    **{"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "BOOL": "bool"},
    **{"I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8"},
    **{"U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8"},
}


METADATA = "__metadata__"
"""What the format calls the metadata, beside the names of the tensors."""
_CODES = {dtype: code for code, dtype in _DTYPES.items()}


def write_tensors(
    path: str | os.PathLike[str], tensors: Mapping[str, Array], metadata: Mapping[str, str] | None = None
) -> None:
    """Write named arrays to a safetensors file, whole or not at all.

    Parameters
    ----------
    path : path
    tensors : mapping of str to array
        Of any library; of floats (bfloat16 as the ``ml_dtypes`` package has it included), integers or booleans.
    metadata : mapping of str to str, optional

    Raises
    ------
    InputError, DTypeError
        If the file cannot be written there, or an array has another dtype.
    MissingDependencyError
        If the package safetensors is missing.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> from multimlp.files import read_tensors, write_tensors
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "arrays.safetensors"
    >>> write_tensors(path, {"a": np.arange(3)}, {"made by": "hand"})
    >>> read_tensors(path)
    ({'a': array([0, 1, 2])}, {'made by': 'hand'})
    """
    write_hosted(
        path, {name: hosted(array, f"tensors[{name!r}]") for name, array in tensors.items()}, metadata
    )


def write_hosted(
    path: str | os.PathLike[str],
    tensors: Mapping[str, tuple[np.ndarray, str]],
    metadata: Mapping[str, str] | None,
) -> None:
    """`write_tensors` of ``(array, dtype name)``; bfloat16 may come as raw bits in uint16."""
    require_package()  # what is written here shall be read here
    for pair in (metadata or {}).items():
        if not all(isinstance(text, str) and _is_text(text) for text in pair):
            raise InputError(
                f"metadata: expected texts by text, which is all that the format holds, got {pair!r}"
            )
    ready = {}
    for name, (array, dtype) in tensors.items():
        if not isinstance(name, str) or name == METADATA or not _is_text(name):
            raise InputError(
                f"tensors: expected names that are text other than {METADATA!r}, which is the format's own, got {name!r}"
            )
        if dtype not in _CODES:
            raise DTypeError(f"tensors[{name!r}]: cannot store dtype {dtype}; known are {', '.join(_CODES)}")
        ready[name] = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False)), dtype
    # Wide numbers first, so that all lie on multiples of their size.
    ordered = sorted(ready.items(), key=lambda item: (-item[1][0].itemsize, item[0]))
    header = _header(path, ordered, tensors, metadata)
    with replacing(path) as beside, beside.open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        for _, (array, _) in ordered:
            file.write(array.reshape(-1).view(np.uint8).data)


def _is_text(name: str) -> bool:
    """Whether it can be written; halves of surrogate pairs cannot."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _header(
    path: str | os.PathLike[str],
    ordered: Sequence[tuple[str, tuple[np.ndarray, str]]],
    tensors: Mapping[str, tuple[np.ndarray, str]],
    metadata: Mapping[str, str] | None,
) -> bytes:
    """Sorted, for the same model gives the same bytes; the package's own writer takes the metadata in an order of chance."""
    entries: dict[str, Any] = {METADATA: dict(sorted((metadata or {}).items()))}
    end = 0
    for name, (array, dtype) in ordered:
        start, end = end, end + array.nbytes
        shape = list(tensors[name][0].shape)  # `ascontiguousarray` makes (1,) of ()
        entries[name] = {"dtype": _CODES[dtype], "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(entries, ensure_ascii=False, separators=(",", ":")).encode()
    if len(text) > MAX_HEADER_BYTES:
        raise cannot_write(
            path, f"names and metadata of {len(text)} bytes; at most {MAX_HEADER_BYTES} are read"
        )
    return text + b" " * (-len(text) % 8)


def read_tensors(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The named arrays and the metadata of a safetensors file; bfloat16 comes as float32 of the same values.

    Raises
    ------
    InputError
        If there is no such file.
    FileFormatError
        If the file is damaged or of another kind. Nothing is allocated that the file is too short to fill.

    Examples
    --------
    See `write_tensors`.
    """
    with opened(path) as file:
        return read_opened(path, file), dict(file.metadata() or {})


def require_package() -> Any:
    """The package safetensors, or a `MissingDependencyError`."""
    try:
        import safetensors
    except ImportError:
        raise missing_dependency("safetensors", "reading and writing models", "safetensors") from None
    return safetensors


def tensor_dtypes(path: str | os.PathLike[str]) -> dict[str, str]:
    """The dtype of each array of a safetensors file by its name, bfloat16 included; raises as `read_tensors` does.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> from multimlp.files import tensor_dtypes, write_tensors
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "arrays.safetensors"
    >>> write_tensors(path, {"a": np.arange(3), "b": np.float16([0.5])})
    >>> tensor_dtypes(path)
    {'a': 'int64', 'b': 'float16'}
    """
    with opened(path) as file:
        return {name: stored_dtype(path, file, name) for name in file.keys()}  # noqa: SIM118 - it is no mapping


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[Any]:
    """The safetensors reader of a file, its header checked and nothing else read; its errors become ours."""
    safetensors = require_package()
    _check_header(check_readable(path))
    try:
        with safetensors.safe_open(os.fspath(path), framework="np") as file:
            yield file
    except safetensors.SafetensorError as error:
        raise _damaged(path, str(error)) from None


def _check_header(path: str | os.PathLike[str]) -> None:
    """The length that the first eight bytes state must be possible, before so much is read."""
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        start = file.read(8)
    length = struct.unpack("<Q", start)[0] if len(start) == 8 else None
    if length is None or length > size - 8:
        raise _damaged(path, "it ends before its header does")
    if length > MAX_HEADER_BYTES:
        raise _damaged(path, f"its header has {length} bytes; at most {MAX_HEADER_BYTES} are read")


def _damaged(path: str | os.PathLike[str], why: str) -> FileFormatError:
    return FileFormatError(f"{str(path)!r} is damaged or not a safetensors file: {why}")


def stored_dtype(path: str | os.PathLike[str], file: Any, name: str) -> str:
    """The dtype of one array of an `opened` file."""
    code = file.get_slice(name).get_dtype()
    if code not in _DTYPES:
        raise FileFormatError(
            f"{str(path)!r}: tensor {name!r} has dtype {code}; known are {', '.join(_DTYPES)}"
        )
    return _DTYPES[code]


def read_opened(path: str | os.PathLike[str], file: Any) -> dict[str, np.ndarray]:
    """All arrays of an `opened` file."""
    names = list(file.keys())
    dtypes = {name: stored_dtype(path, file, name) for name in names}
    # The package's NumPy reader refuses bfloat16; its raw reader gives the bits.
    raw = require_package().deserialize(Path(path).read_bytes()) if "bfloat16" in dtypes.values() else ()
    halves = {name: view for name, view in raw if dtypes[name] == "bfloat16"}
    return {name: _widened(halves[name]) if name in halves else file.get_tensor(name) for name in names}


def _widened(view: Mapping[str, Any]) -> np.ndarray:
    """float32 of the bits of bfloat16, which are its upper half."""
    bits = np.frombuffer(view["data"], dtype="<u2").reshape(view["shape"])
    return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)
