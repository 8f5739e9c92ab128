"""Names of files, looked at before anything is opened: what cannot be read or written is said, and never waited for.

Opening a FIFO waits for somebody at its other end, a device never ends, and renaming a finished file over either destroys it; only
regular files are read and replaced.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

from multimlp.errors import InputError
from multimlp.errors.checks import check_path

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe (FIFO)",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
    stat.S_IFLNK: "a link that leads to itself",
}


def as_path(path: Any, what: str = "path") -> Path:
    """The name as a `Path`; `InputError` that starts with ``what`` if it cannot name a file anywhere.

    Examples
    --------
    >>> from multimlp.files import as_path
    >>> as_path("model.safetensors").suffix
    '.safetensors'
    """
    return Path(check_path(what, path))


def why_unreadable(path: Path) -> str | None:
    """Why nothing can be read from there, or None if it is a regular file that may be opened."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            return f"it is {_kind(mode)}; give a file"
        os.close(os.open(path, os.O_RDONLY))
    except FileNotFoundError:
        return "there is no such file"
    except OSError as error:
        return error.strerror or str(error)
    return None


def check_readable(path: Any, what: str = "path") -> Path:
    """The name as a `Path` of a regular file that may be read; `InputError` that starts with ``what`` otherwise.

    Examples
    --------
    >>> from multimlp.files import check_readable
    >>> check_readable(".", "model")
    Traceback (most recent call last):
        ...
    multimlp.errors.InputError: model: cannot read '.': it is a folder; give a file
    """
    where = as_path(path, what)
    why = why_unreadable(where)
    if why is not None:
        raise InputError(f"{what}: cannot read {str(path)!r}: {why}")
    return where


def why_unwritable(target: Path) -> str | None:
    """Why a file cannot be put there whole, or None; ``target`` is free of symbolic links."""
    try:
        mode = target.lstat().st_mode
    except FileNotFoundError:
        return _why_no_folder(target.parent)
    except NotADirectoryError:
        return _why_no_folder(target.parent)
    except OSError as error:
        return error.strerror or str(error)
    if stat.S_ISDIR(mode):
        return "it is a folder; give the name of a file"
    if not stat.S_ISREG(mode):
        return f"it is {_kind(mode)}, which a file would replace; give the name of a file"
    if not os.access(target, os.W_OK):
        return "no permission to write to it"
    return _why_no_folder(target.parent)


def _why_no_folder(folder: Path) -> str | None:
    if not folder.is_dir():
        return f"the folder {str(folder)!r} does not exist; create it first"
    return (
        None
        if os.access(folder, os.W_OK | os.X_OK)
        else f"no permission to write to the folder {str(folder)!r}"
    )


def check_apart(output: Any, *inputs: Any, what: str = "output") -> None:
    """`InputError` if ``output`` is one of the files that are read, by whatever name or link; it would be replaced.

    Examples
    --------
    >>> from multimlp.files import check_apart
    >>> check_apart("model.onnx", "model.onnx")
    Traceback (most recent call last):
        ...
    multimlp.errors.InputError: output: 'model.onnx' is the file that is read, which writing would destroy; give another name
    """
    for path in inputs:
        same = os.path.realpath(output) == os.path.realpath(path)
        if not same:
            try:
                same = os.path.samefile(output, path)  # hard links
            except OSError:
                continue
        if same:
            also = "" if str(output) == str(path) else f" {str(path)!r}"
            raise InputError(
                f"{what}: {str(output)!r} is the file{also} that is read, which writing would destroy; give another name"
            )


def check_folder(path: Any, what: str = "output") -> Path:
    """The name as a `Path` of a folder that is there or can be made, nothing made yet; `InputError` otherwise."""
    folder = as_path(path, what)
    there = folder.absolute()
    try:
        while not there.exists() and there != there.parent:
            there = there.parent
        if not there.is_dir():
            raise InputError(f"{what}: cannot make the folder {str(path)!r}: {str(there)!r} is a file")
        folder.exists()
    except OSError as error:
        raise InputError(f"{what}: cannot make the folder {str(path)!r}: {error.strerror or error}") from None
    if not os.access(there, os.W_OK):
        raise InputError(f"{what}: no permission to write to the folder {str(there)!r}")
    return folder


def make_folder(folder: Path, what: str = "") -> None:
    """Make it, and those around it, unless it is there; `InputError`, with ``what`` in front, if that cannot be done."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = f"cannot make the folder {str(folder)!r}: {error.strerror or error}"
        raise InputError(f"{what}: {reason}" if what else reason) from None


def _kind(mode: int) -> str:
    return _KINDS.get(stat.S_IFMT(mode), "no regular file")
