"""Proof that every backend gives the same values and the same gradients, against an oracle of 50 digits.

`run` compares and returns a `Report`: rows with the worst error of each function on each backend, device
and dtype, eager and under each compiler (`Plan.compilers_of`). ``multimlp parity`` prints it. Tolerances stand in one table,
`multimlp.parity.tolerances`.
"""

from __future__ import annotations

from multimlp.parity.plan import Plan
from multimlp.parity.rows import Report, Row
from multimlp.parity.runner import run

__all__ = ["Plan", "Report", "Row", "run"]
