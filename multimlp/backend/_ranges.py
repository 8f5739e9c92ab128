"""How large numbers may be before what is made of them overflows."""

from __future__ import annotations

import numpy as np


def squared(dtype: str) -> float:
    """A number of which very many squares can be added up in a dtype, ``"float32"`` or ``"float64"``.

    Examples
    --------
    >>> from multimlp.backend import squared
    >>> print(f"{squared('float32'):.1e}")
    2.6e+15
    """
    largest = float(np.finfo(dtype).max)
    return float(largest**0.4)
