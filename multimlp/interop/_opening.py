"""Opening other libraries' files: what goes wrong becomes one of our errors, with the name of the file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from multimlp.errors import FileFormatError, InputError


@contextmanager
def opening(path: str | os.PathLike[str], otherwise: str) -> Iterator[None]:
    """`InputError` where the file cannot be opened; `FileFormatError` that says ``otherwise`` for whatever its reader raises."""
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot read {str(path)!r}: {error.strerror or error}") from None
    except Exception as error:
        why = str(error).partition("\n")[0] or type(error).__name__
        raise FileFormatError(f"{str(path)!r} {otherwise}: {why}") from None
