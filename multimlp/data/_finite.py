"""The one message for missing and infinite values."""

from __future__ import annotations

import numpy as np

from multimlp.errors import DataError


def not_finite(where: str, what: str, bad: np.ndarray, remedy: str) -> DataError:
    """The error for ``what`` (a column or the target) not finite in the rows ``bad``; rows count from 1."""
    count, first = int(np.sum(bad)), int(np.argmax(bad)) + 1
    values = "value" if count == 1 else "values"
    return DataError(
        f"{where}: {what} has {count} missing or infinite {values}, the first in row {first}; {remedy}"
    )
