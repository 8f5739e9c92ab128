"""Fixed numbers of a block as arrays beside those that come in."""

from __future__ import annotations

from typing import Any

import numpy as np

from multimlp.backend import Array, array_namespace, owner


def constant(x: Any, values: np.ndarray, dtype: Any = None) -> Array:
    """Host numbers as an array of the library, device and (unless another is given) dtype of ``x``, which may be traced."""
    device = getattr(x, "device", None) or None
    return array_namespace(x).asarray(values, dtype=x.dtype if dtype is None else dtype, device=device)


def squarable(x: Any) -> Array:
    """The array in float32 if it is in 16 bits, where squares end at 65504 or keep two digits."""
    if owner(x).dtype_name(x.dtype) not in ("float16", "bfloat16"):
        return x
    xp = array_namespace(x)
    return xp.astype(x, xp.float32)
