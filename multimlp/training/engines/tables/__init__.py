"""The engine of tables: a step is a table of compiled calls, an epoch one call."""

from multimlp.training.engines.tables.engine import build
from multimlp.training.engines.tables.worth import not_worth

__all__ = ["build", "not_worth"]
