"""The IDX file format of MNIST and its like: a magic number, the sizes, and the bytes.

The magic number is 0, 0, the type of the elements, the number of axes; each size is a big-endian uint32
(https://yann.lecun.com/exdb/mnist).
"""

from __future__ import annotations

import gzip
import math
import os
import zlib
from io import BufferedReader

import numpy as np

from multimlp.errors import DataError
from multimlp.errors.checks import optional, whole
from multimlp.files import allowed_bytes, as_path, why_unreadable

_UNSIGNED_BYTE = 0x08
MAX_BYTES = 1 << 30


def read_idx(path: str | os.PathLike[str], ndim: int | None = None) -> np.ndarray:
    """The array in an IDX file of unsigned bytes, packed with gzip (.gz) or not.

    Parameters
    ----------
    path : path
    ndim : int, optional
        The number of axes that it must have: 3 for images, 1 for labels.

    Returns
    -------
    numpy.ndarray, uint8

    Raises
    ------
    DataError
        If the file is missing, damaged or of another kind. No more is unpacked than the header states, never more
        than 1 GiB, and of a small file not more than 20 times its size or 64 MiB.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from multimlp.data import read_idx
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "labels-idx1-ubyte"
    >>> _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1]))
    >>> read_idx(path)
    array([7, 2, 1], dtype=uint8)
    """
    where, ndim = as_path(path), optional(whole(1, "of axes"))("ndim", ndim)
    why = why_unreadable(where)
    if why is not None:
        raise DataError(f"cannot read {str(path)!r}: {why}")
    try:
        limit = min(MAX_BYTES, allowed_bytes(where.stat().st_size))
        with gzip.open(where) if where.suffix == ".gz" else where.open("rb") as file:
            return _parse(str(path), file, ndim, limit)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise _damaged(path, str(error)) from None
    except OSError as error:
        raise DataError(f"cannot read {str(path)!r}: {error.strerror or error}") from None


def _parse(path: str, file: gzip.GzipFile | BufferedReader, ndim: int | None, limit: int) -> np.ndarray:
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0":
        raise _damaged(path, f"it starts with {magic.hex(' ') or 'nothing'}, not with 00 00")
    kind, axes = magic[2], magic[3]
    if kind != _UNSIGNED_BYTE:
        raise _damaged(path, f"its elements have the type 0x{kind:02x}; only unsigned bytes (0x08) are read")
    if not axes or (ndim is not None and axes != ndim):
        raise _damaged(path, f"it has {axes} axes, expected {ndim or 'at least 1'}")
    header = file.read(4 * axes)
    if len(header) < 4 * axes:
        raise _damaged(path, "it ends inside its header")
    shape = tuple(int(size) for size in np.frombuffer(header, dtype=">u4"))
    size = math.prod(shape)
    if size > limit:
        raise _damaged(path, f"its header states {size} bytes; at most {limit} are read")
    content = file.read(size + 1)
    if len(content) != size:
        found = f"only {len(content)}" if len(content) < size else "more"
        raise _damaged(path, f"its header states {size} bytes for the shape {shape}, and there are {found}")
    try:
        return np.frombuffer(content, dtype=np.uint8).reshape(shape)
    except ValueError:  # more axes than NumPy has, or one of none among huge ones
        raise _damaged(path, f"there are no arrays of {axes} axes with the sizes {shape[:8]}") from None


def _damaged(path: str | os.PathLike[str], why: str) -> DataError:
    return DataError(f"{str(path)!r} is damaged or not an IDX file: {why}")
