"""Arrays of any library on the host."""

from __future__ import annotations

from typing import Any

import numpy as np

from multimlp import tree
from multimlp.backend import owner


def on_host(array: Any) -> np.ndarray:
    """An array of any library as NumPy's."""
    return np.asarray(owner(array).to_numpy(array))


def dtype_of(params: Any) -> str:
    """The dtype of the parameters, which the host cannot always express (bfloat16); float32 where there are none."""
    leaves = tree.leaves(params)
    return owner(leaves[0]).dtype_name(leaves[0].dtype) if leaves else "float32"
