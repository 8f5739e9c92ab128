"""torch's warnings about what torch and array-api-compat do inside, of which nobody who reads them can do anything."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_INSIDE: tuple[tuple[str, type[Warning]], ...] = (
    (r"`torch\.jit\.script(_method)?` is deprecated", DeprecationWarning),
    (r"`torch\._prims_common\.check` is deprecated", FutureWarning),
    (r"(?s)Dynamo detected a call to a `functools\.lru_cache`.*array_api_compat", UserWarning),
)


@contextmanager
def quiet_inside() -> Iterator[None]:
    """Hide these warnings; all others come through."""
    with warnings.catch_warnings():
        for message, category in _INSIDE:
            warnings.filterwarnings("ignore", message, category)
        yield


@functools.cache
def load_forward_mode() -> None:
    """What torch imports at the first forward derivative, and which warns."""
    with quiet_inside():
        import torch._decomp.decompositions_for_jvp  # noqa: F401
