"""Fixed numbers of a block as arrays beside those that come in."""

from __future__ import annotations

from typing import Any

import numpy as np

from multimlp.backend import Array, array_namespace


def constant(x: Any, values: np.ndarray, dtype: Any = None) -> Array:
    """Host numbers as an array of the library, device and (unless another is given) dtype of ``x``, which may be traced."""
    device = getattr(x, "device", None) or None
    return array_namespace(x).asarray(values, dtype=x.dtype if dtype is None else dtype, device=device)
