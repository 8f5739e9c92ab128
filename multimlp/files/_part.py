"""The unfinished file beside its target: held by the process that writes it, anybody's once that one is gone.

A file that is written for ``name`` is called ``.name.<slot>.part``, with the first slot that is free, and its writer holds a lock on
it. The system lifts the lock when the process ends, however it ends; so a file without a lock was left behind, and the next writer of
the same name removes it. A process number in the name would tell less: numbers come again, and containers have each their own.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where an open file cannot be removed, which serves as the lock
    fcntl = None  # type: ignore[assignment]

_SLOTS = 8
"""Writers of one name at a time that leave nothing behind; more get names that nobody looks for."""
_NAME = 60
"""Characters of the target's name: with four bytes each there is room for the rest in a name of 255 bytes."""
_FLAGS = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class Part:
    """An unfinished file of this process: its path, and the descriptor that holds the lock."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path, self.descriptor = path, descriptor
        self._open = True

    def close(self) -> None:
        if self._open:
            self._open = False
            os.close(self.descriptor)


@contextmanager
def opened_part(target: Path) -> Iterator[Part]:
    """A new empty file beside ``target``, of this process alone; removed at the end, if it is still there."""
    part = _created(target)
    try:
        yield part
    finally:
        with contextlib.suppress(OSError):
            part.close()
        with contextlib.suppress(OSError):
            part.path.unlink(missing_ok=True)


def _created(target: Path) -> Part:
    """In the first free slot; the others are looked at too, since who left something behind need not have had the first."""
    found = None
    for slot in range(_SLOTS):
        path = target.with_name(f".{target.name[:_NAME]}.{slot}.part")
        free = not os.path.lexists(path) or _removed(path)
        if free and found is None:
            found = _own(path)
    if found is not None:
        return found
    path = target.with_name(f".{target.name[:_NAME]}.{os.urandom(4).hex()}.part")
    return Part(path, os.open(path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o666))


def _own(path: Path) -> Part | None:
    """The file, made and locked; None if another writer was faster."""
    try:
        part = Part(path, os.open(path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o666))
    except FileExistsError:
        return None
    with contextlib.suppress(OSError):  # a file system without locks: then nobody removes it either
        if fcntl is not None:
            fcntl.flock(part.descriptor, fcntl.LOCK_EX)
    if _is_at(path, part.descriptor):
        return part
    part.close()  # between the two calls it looked as if it had been left behind
    return None


def _removed(path: Path) -> bool:
    """Remove what was left behind; False if it is somebody's, or cannot be told."""
    try:
        if fcntl is None:
            path.unlink()
            return True
        descriptor = os.open(path, _FLAGS)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not _is_at(path, descriptor):  # another writer has removed it before, and perhaps made its own
                return False
            path.unlink()
        finally:
            os.close(descriptor)
    except OSError:
        return False
    return True


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False
