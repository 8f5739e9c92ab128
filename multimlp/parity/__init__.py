"""Proof that every backend gives the same values and the same gradients, against an oracle of 50 digits.

`run` compares and returns a `Report`: rows with the worst error of each function on each backend, device
and dtype, eager and under each compiler (`Plan.compilers_of`). ``multimlp parity`` prints it. Tolerances stand in one table,
`multimlp.parity.tolerances`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multimlp.parity.plan import Plan
    from multimlp.parity.rows import Report, Row
    from multimlp.parity.runner import run

__all__ = ["Plan", "Report", "Row", "run"]

_LAZY_NAMES = {"Plan": "plan", "Report": "rows", "Row": "rows", "run": "runner"}


def __getattr__(name: str) -> Any:
    """A run compares networks and training too; whoever asks for a format or a definition imports neither."""
    if name in _LAZY_NAMES:
        return getattr(importlib.import_module(f"multimlp.parity.{_LAZY_NAMES[name]}"), name)
    raise AttributeError(f"module 'multimlp.parity' has no attribute {name!r}")
