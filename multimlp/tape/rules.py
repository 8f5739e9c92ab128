"""The rules of all functions with a derivative, or with none by nature, by name."""

from __future__ import annotations

from multimlp.tape import (
    rules_constant,
    rules_decompositions,
    rules_elementwise,
    rules_indexing,
    rules_linalg,
    rules_manipulation,
    rules_reductions,
)
from multimlp.tape.source import Maker

RULES: dict[str, Maker] = {
    **rules_constant.RULES,
    **rules_decompositions.RULES,
    **rules_elementwise.RULES,
    **rules_indexing.RULES,
    **rules_linalg.RULES,
    **rules_manipulation.RULES,
    **rules_reductions.RULES,
}
