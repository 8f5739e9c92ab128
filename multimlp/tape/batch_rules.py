"""How each function of the standard is applied to batched arrays, by name.

What is not here is composed of what is, or is called row by row: functions whose results have a shape that depends on values
(``nonzero``, ``unique_values`` and the like), and what is rarely met (``fft``).
"""

from __future__ import annotations

from typing import Any

from multimlp.tape import batch_rules_indexing, batch_rules_linalg, batch_rules_shapes
from multimlp.tape.batched import Batched
from multimlp.tape.batching import (
    BatchRule,
    Function,
    along,
    elementwise,
    inspected,
    over_axes,
    over_flattened,
    trailing,
)


def _like(create: str) -> BatchRule:
    """Arrays of the shape of an example: the same for all."""

    def make(record: Function, xp: Any) -> Function:
        def batch(x: Batched, /, *, dtype: Any = None, device: Any = None) -> Any:
            place = x.device if device is None else device
            return getattr(xp, create)(x.shape, dtype=x.dtype if dtype is None else dtype, device=place)

        return batch

    return make


_ELEMENTWISE = """
    abs acos acosh add asin asinh astype atan atan2 atanh bitwise_and bitwise_invert bitwise_left_shift bitwise_or
    bitwise_right_shift bitwise_xor ceil clip conj copysign cos cosh divide equal exp expm1 floor floor_divide greater
    greater_equal hypot imag isfinite isinf isnan less less_equal log log10 log1p log2 logaddexp logical_and logical_not
    logical_or logical_xor maximum minimum multiply negative nextafter not_equal positive pow real reciprocal remainder round
    sign signbit sin sinh sqrt square subtract tan tanh trunc where _to_device
"""
_TRAILING = """
    matrix_transpose tril triu linalg.cholesky linalg.det linalg.eigh linalg.eigvalsh linalg.inv linalg.matrix_rank
    linalg.matrix_transpose linalg.pinv linalg.qr linalg.slogdet linalg.svd linalg.svdvals
"""
_OVER_AXES = "all any count_nonzero max mean min prod std sum var linalg.vector_norm"
_OVER_FLATTENED = "argmax argmin"
_RUNNING = "cumulative_prod cumulative_sum"
_INSPECTED = "can_cast finfo iinfo result_type"

BATCH_RULES: dict[str, BatchRule] = {
    **dict.fromkeys(_ELEMENTWISE.split(), elementwise),
    **dict.fromkeys(_TRAILING.split(), trailing),
    **dict.fromkeys(_OVER_AXES.split(), over_axes),
    **dict.fromkeys(_OVER_FLATTENED.split(), over_flattened),
    **dict.fromkeys(_RUNNING.split(), along(None)),
    **dict.fromkeys(_INSPECTED.split(), inspected),
    "empty_like": _like("empty"),
    "ones_like": _like("ones"),
    "zeros_like": _like("zeros"),
    **batch_rules_indexing.BATCH_RULES,
    **batch_rules_linalg.BATCH_RULES,
    **batch_rules_shapes.BATCH_RULES,
}
