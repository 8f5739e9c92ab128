"""Functions through which no derivative flows, by nature: they see the raw values and return plain arrays.

A function belongs here only if its derivative is zero wherever it exists, or if its result is not made of
real numbers. Whatever is neither here nor in a table of rules raises `multimlp.errors.MissingRuleError` on a
traced array.
"""

from __future__ import annotations

from multimlp.tape.recording import Maker, constant

_NAMES = """
    all any argmax argmin argsort can_cast ceil count_nonzero empty_like equal finfo floor floor_divide
    greater greater_equal iinfo imag isdtype isfinite isin isinf isnan less less_equal linalg.matrix_rank
    logical_and logical_not logical_or logical_xor nonzero not_equal ones_like result_type round searchsorted
    sign signbit trunc unique_inverse zeros_like
"""

RULES: dict[str, Maker] = dict.fromkeys(_NAMES.split(), constant)
