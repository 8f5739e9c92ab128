"""The number that stands for those that are missing."""

from __future__ import annotations

import numpy as np


def median(numbers: np.ndarray) -> float:
    """The median of finite numbers, of which there are some, also where the sum of the two in the middle overflows.

    Parameters
    ----------
    numbers : numpy.ndarray, shape (n,), float64

    Returns
    -------
    float

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp.frames import median
    >>> median(np.asarray([3.0, 1.0, 2.0])), median(np.asarray([1.5e308, 1.7e308]))
    (2.0, 1.6e+308)
    """
    with np.errstate(over="ignore"):
        found = float(np.median(numbers))
    return found if np.isfinite(found) else 2 * float(np.median(numbers / 2))
