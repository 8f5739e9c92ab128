"""Plain values as JSON has them."""

from __future__ import annotations

import math
from typing import Any


def finite(value: Any) -> Any:
    """NaN and infinities, which JSON lacks, as null; lists and mappings through and through.

    Examples
    --------
    >>> from multimlp._json import finite
    >>> finite({"loss": [0.5, float("nan")], "epoch": 3})
    {'loss': [0.5, None], 'epoch': 3}
    """
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
