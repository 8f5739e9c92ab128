"""An array of any library as it is written."""

from __future__ import annotations

from typing import Any

import numpy as np

from multimlp.backend import owner, unmasked


def hosted(leaf: Any, name: str) -> tuple[np.ndarray, str]:
    """The values on the host and the dtype that they have on their own library; bfloat16, which NumPy lacks, as its bits. `DataError` that
    begins with the name for values that are masked, since a file holds no mask."""
    leaf = unmasked(leaf, name)
    backend = owner(leaf)
    dtype, host = backend.dtype_name(leaf.dtype), np.asarray(backend.to_numpy(leaf))
    if dtype == "bfloat16":  # the upper half of the float32 of the same value
        host = (host.astype(np.float32, order="C").view(np.uint32) >> 16).astype(np.uint16)
    return host, dtype
