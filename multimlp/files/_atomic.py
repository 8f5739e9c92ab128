"""Files that appear whole or not at all: written beside, flushed to the disk, and renamed."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from multimlp.errors import InputError
from multimlp.files._part import opened_part
from multimlp.files._paths import as_path, why_unwritable


@contextmanager
def replacing(path: str | os.PathLike[str], name: str = "path") -> Iterator[Path]:
    """A place to write what ``path`` shall hold: it takes the name when the block ends, or vanishes.

    A file that is there keeps its permissions, a new one gets those that the umask leaves; of a symbolic link the file
    that it leads to is written. What an earlier run left behind when it was killed is removed.

    Parameters
    ----------
    path : path
    name : str
        What the errors call it: the argument that it came from.

    Raises
    ------
    InputError
        If the folder does not exist, ``path`` is no file, or nothing can be written there.

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
    check_writable(path, name)
    target = Path(os.path.realpath(path))
    try:
        with opened_part(target) as part:
            mode = _mode(target, part.descriptor)
            _set_mode(part.path, mode)
            yield part.path
            _set_mode(part.path, mode)  # a library may have put another file in its place
            _flush(part.path, os.O_RDWR)
            if os.name == "nt":  # an open file cannot be renamed there
                part.close()
            os.replace(part.path, target)
    except OSError as error:
        raise cannot_write(path, error.strerror or str(error), name) from None
    with contextlib.suppress(OSError):  # a folder cannot be opened everywhere; the file is there all the same
        _flush(target.parent, os.O_RDONLY)


def check_writable(path: str | os.PathLike[str], name: str = "path") -> None:
    """`InputError` if ``path`` cannot be written to, before work is done whose result would go there."""
    why = why_unwritable(Path(os.path.realpath(as_path(path, name))))
    if why is not None:
        raise cannot_write(path, why, name)


def cannot_write(path: str | os.PathLike[str], why: str, name: str = "path") -> InputError:
    """The error for a file that cannot be written."""
    return InputError(f"{name}: cannot write {str(path)!r}: {why}")


def _mode(target: Path, descriptor: int) -> int:
    """The permissions of the file that is there, or those that a new one got."""
    try:
        return stat.S_IMODE(os.stat(target).st_mode)
    except FileNotFoundError:
        return stat.S_IMODE(os.fstat(descriptor).st_mode)


def _set_mode(path: Path, mode: int) -> None:
    if stat.S_IMODE(path.stat().st_mode) != mode:  # file systems without permissions refuse to change them
        path.chmod(mode)


def _flush(path: Path, mode: int) -> None:
    descriptor = os.open(path, mode)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
