"""Importing frameworks without their greetings."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator

_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_OURS = "3"
"""Not 2, which lets errors through: oneDNN reports falling back to another kernel as one. What fails is raised as well."""
_chosen = os.environ.get(_LEVEL)
"""What it was when nothing here had set it."""


@contextlib.contextmanager
def quiet_tensorflow() -> Iterator[None]:
    """Keep what TensorFlow's C++ half says while it is imported away from the terminal; show it after all if the block fails.

    It writes to file descriptor 2 before any log level can stop it. Afterwards it logs nothing; what fails is raised. Where the
    user has said what TensorFlow shall log, that holds, here too.
    """
    if _is_chosen():
        yield
        return
    os.environ[_LEVEL] = _OURS
    with caught(2):
        yield


@contextlib.contextmanager
def caught(descriptor: int) -> Iterator[None]:
    """Keep what is written to standard output (1) or error (2) by whatever language away from the terminal; show it after all if the
    block fails."""
    try:
        (sys.stdout if descriptor == 1 else sys.stderr).flush()
        kept = os.dup(descriptor)
    except (AttributeError, OSError, ValueError):  # there is none to keep clean
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), descriptor)
        try:
            yield
        except BaseException:
            os.dup2(kept, descriptor)
            held.seek(0)
            os.write(descriptor, held.read())
            raise
        finally:
            os.dup2(kept, descriptor)
            os.close(kept)


def _is_chosen() -> bool:
    """Whether the user has chosen the level: JAX sets 1 for everybody who imports it, and this module a level of its own."""
    level = os.environ.get(_LEVEL)
    if level is None or level == _OURS != _chosen:
        return False
    return not (level == "1" and "jax" in sys.modules)
