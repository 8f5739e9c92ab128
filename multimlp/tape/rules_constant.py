"""Functions through which no derivative flows, by nature: they see the raw values and return plain arrays.

A function belongs here only if its derivative is zero wherever it exists, or if its result is not made of
real numbers. Whatever is neither here nor in a table of rules raises `multimlp.errors.MissingRuleError` on a
traced array.
"""

from __future__ import annotations

from typing import Any

from multimlp.tape.recording import constant
from multimlp.tape.source import Maker, Source

_NAMES = """
    all any argmax argmin argsort can_cast ceil count_nonzero empty_like equal finfo floor floor_divide
    greater greater_equal iinfo isdtype isfinite isin isinf isnan less less_equal linalg.matrix_rank
    logical_and logical_not logical_or logical_xor nonzero not_equal ones_like result_type round searchsorted
    signbit trunc zeros_like
"""


def _sign(source: Source, xp: Any) -> Any:
    """The maker of sign: a constant of real numbers, of complex ones their direction."""
    plain = constant(source, xp)

    def sign(x: Any, /) -> Any:
        if type(x) not in xp.differentiated or xp.is_real_floating(x.dtype):
            return plain(x)
        size = xp.abs(x)
        return x / xp.where(size == 0, xp.ones_like(size), size)

    return sign


RULES: dict[str, Maker] = {**dict.fromkeys(_NAMES.split(), constant), "sign": _sign}
