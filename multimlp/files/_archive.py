"""Archives and arrays of NumPy from untrusted files: what they state is held against what is there before anything is allocated.

A few megabytes of a packed archive can state gigabytes, and an array header any size at all.
"""

from __future__ import annotations

import math
import os
import sys
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import IO, Any

import numpy as np

from multimlp.errors import FileFormatError
from multimlp.errors.shown import one_line
from multimlp.files._opening import opening

ALWAYS_ALLOWED, RATIO_ALLOWED = 64 << 20, 20
"""Bytes that any file may become, and how many times its size: tables of measurements pack to a fifth, images to a fifth."""


def allowed_bytes(size: int) -> int:
    """How many bytes a file of this size may become in memory."""
    return max(ALWAYS_ALLOWED, RATIO_ALLOWED * size)


def check_archive(file: str | os.PathLike[str] | IO[bytes], size: int) -> list[zipfile.ZipInfo]:
    """The members of a zip archive of ``size`` bytes; `FileFormatError` if they are encrypted, repeated, or unpack to too much."""
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
    except Exception as error:  # whatever the reader makes of damage
        raise FileFormatError(f"it is no zip archive, or is damaged: {one_line(error)}") from None
    names = [member.filename for member in members]
    if len(set(names)) != len(names):
        raise FileFormatError("it holds two entries of one name")
    for member in members:
        if member.flag_bits & 0x1:
            raise FileFormatError(f"its entry {member.filename!r} is encrypted; save it without a password")
    total = sum(member.file_size for member in members)
    if total > allowed_bytes(size):
        raise FileFormatError(
            f"its {size} bytes unpack to {total}, more than {allowed_bytes(size)} are not unpacked; "
            "if it is what it should be, save it unpacked (numpy.savez)"
        )
    return members


def read_arrays(path: str | os.PathLike[str], names: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """The arrays of a ``.npz`` file, all of them or those of these names that are there; nothing in it is run.

    Raises
    ------
    InputError
        If it cannot be read.
    FileFormatError
        If it is damaged, encrypted, another kind of file, holds Python objects, or states sizes that it does not hold.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> from multimlp.files import read_arrays
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "arrays.npz"
    >>> np.savez(path, X=np.arange(3), y=np.ones(2))
    >>> read_arrays(path, ["X"])
    {'X': array([0, 1, 2])}
    """
    with opening(path, "is not a readable .npz file of plain arrays") as where:
        members = _arrays_in(where)
        wanted = members if names is None else {name: members[name] for name in names if name in members}
        found = {}
        with zipfile.ZipFile(where) as archive:
            for name, member in wanted.items():
                with archive.open(member) as file:
                    found[name] = _read_array(file, member.file_size, name)
        return found


def array_names(path: str | os.PathLike[str]) -> list[str]:
    """The names of the arrays of a ``.npz`` file; raises as `read_arrays` does."""
    with opening(path, "is not a readable .npz file of plain arrays") as where:
        return list(_arrays_in(where))


def _arrays_in(where: Path) -> dict[str, zipfile.ZipInfo]:
    return {
        member.filename.removesuffix(".npy"): member
        for member in check_archive(where, where.stat().st_size)
        if member.filename.endswith(".npy")
    }


def read_array(path: str | os.PathLike[str]) -> np.ndarray:
    """The array of a ``.npy`` file; raises as `read_arrays` does.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> from multimlp.files import read_array
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "X.npy"
    >>> np.save(path, np.arange(3))
    >>> read_array(path)
    array([0, 1, 2])
    """
    with opening(path, "is not a readable .npy file of plain numbers") as where, where.open("rb") as file:
        return _read_array(file, where.stat().st_size, "the array")


def read_array_sequence(path: str | os.PathLike[str]) -> list[np.ndarray]:
    """The arrays that ``numpy.save`` wrote into one file, one after the other; raises as `read_arrays` does.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> from multimlp.files import read_array_sequence
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "leaves.eqx"
    >>> with path.open("wb") as file:
    ...     np.save(file, np.arange(3))
    ...     np.save(file, 0.5)
    >>> read_array_sequence(path)
    [array([0, 1, 2]), array(0.5)]
    """
    found: list[np.ndarray] = []
    with opening(path, "is no sequence of plain arrays") as where, where.open("rb") as file:
        size = where.stat().st_size
        while file.tell() < size:
            found.append(_read_array(file, size, f"array {len(found)}", alone=False))
    return found


def _read_array(file: IO[bytes], size: int, name: str, alone: bool = True) -> np.ndarray:
    """An array of NumPy's format in a file of ``size`` bytes, which it fills to the last if it is alone."""
    version = np.lib.format.read_magic(file)
    if version not in _HEADERS:
        raise FileFormatError(f"{name} has the version {version} of the format; 1.0 and 2.0 are read")
    header: tuple[Any, ...] = _HEADERS[version](file)
    shape, fortran, dtype = header
    if dtype.hasobject:
        raise FileFormatError(f"{name} holds Python objects, which would run code; save numbers or text")
    if dtype.kind == "V" or not dtype.itemsize or min(shape, default=0) < 0:
        raise FileFormatError(f"{name} has the dtype {dtype} and the shape {_shown(shape)}")
    stated, there = math.prod(shape) * dtype.itemsize, size - file.tell()
    if stated > there or (alone and stated != there):
        raise FileFormatError(
            f"{name} states {stated} bytes (shape {_shown(shape)}, dtype {dtype}), and {there} are there"
        )
    content = file.read(stated)
    if len(content) != stated:
        raise FileFormatError(f"{name} ends after {len(content)} of {stated} bytes")
    flat = np.frombuffer(bytearray(content), dtype=dtype) if stated else np.empty(0, dtype)
    if dtype.kind == "U":
        codes = flat.view(f"{dtype.str[0]}u4")
        if np.any((codes > sys.maxunicode) | ((codes >= 0xD800) & (codes <= 0xDFFF))):
            raise FileFormatError(f"{name} holds text of characters that do not exist")
    return flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)


_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def _shown(shape: tuple[int, ...]) -> str:
    return str(shape) if len(shape) <= 8 else f"of {len(shape)} axes"
