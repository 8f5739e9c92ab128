"""Reading files of others: what their readers raise becomes one of our errors, with the name of the file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from multimlp.errors import FileFormatError, InputError, MultimlpError
from multimlp.errors.shown import one_line
from multimlp.files._paths import check_readable


@contextmanager
def opening(path: str | os.PathLike[str], otherwise: str) -> Iterator[Path]:
    """`InputError` where the file cannot be opened; `FileFormatError` that says ``otherwise`` for whatever its reader raises.

    What the package itself raises inside passes, but for a `FileFormatError`, which gets the name of the file.

    Examples
    --------
    >>> from multimlp.files import opening
    >>> with opening("absent.txt", "is no number") as path:
    ...     float(path.read_text())
    Traceback (most recent call last):
        ...
    multimlp.errors.InputError: path: cannot read 'absent.txt': there is no such file
    """
    where = check_readable(path)
    try:
        yield where
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:  # without a number it is the reader's own
            raise InputError(f"path: cannot read {str(path)!r}: {error.strerror}") from None
        if isinstance(error, MultimlpError) and not isinstance(error, FileFormatError):
            raise
        raise FileFormatError(f"{str(path)!r} {otherwise}: {one_line(error)}") from None
