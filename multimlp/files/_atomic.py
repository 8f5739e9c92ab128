"""Files that appear whole or not at all: written beside, flushed to the disk, and renamed."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from multimlp.errors import InputError


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A place to write what ``path`` shall hold: it takes the name when the block ends, or vanishes.

    Raises
    ------
    InputError
        If the folder does not exist, ``path`` is a folder, or nothing can be written there.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from multimlp.files import replacing
    >>> target = pathlib.Path(tempfile.mkdtemp()) / "out.txt"
    >>> with replacing(target) as beside:
    ...     _ = beside.write_text("whole or not at all")
    >>> target.read_text()
    'whole or not at all'
    """
    target = Path(os.path.realpath(path))
    check_writable(path)
    beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        beside.touch(exist_ok=False)
        yield beside
        _flush(beside, os.O_RDWR)
        os.replace(beside, target)
        if os.name != "nt":  # a folder cannot be opened there
            _flush(target.parent, os.O_RDONLY)
    except OSError as error:
        raise cannot_write(path, error.strerror or str(error)) from None
    finally:
        beside.unlink(missing_ok=True)


def check_writable(path: str | os.PathLike[str]) -> None:
    """`InputError` if ``path`` cannot be written to, before work is done whose result would go there."""
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise cannot_write(path, f"the folder {str(target.parent)!r} does not exist; create it first")
    if target.is_dir():
        raise cannot_write(path, "it is a folder; give the name of a file")
    if not os.access(target.parent, os.W_OK):
        raise cannot_write(path, f"no permission to write to the folder {str(target.parent)!r}")


def cannot_write(path: str | os.PathLike[str], why: str) -> InputError:
    """The error for a file that cannot be written."""
    return InputError(f"path: cannot write {str(path)!r}: {why}")


def _flush(path: Path, mode: int) -> None:
    descriptor = os.open(path, mode)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
