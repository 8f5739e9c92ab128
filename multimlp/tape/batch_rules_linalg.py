"""Batching of products and of linear systems: as few products, as large ones, as there are."""

from __future__ import annotations

from typing import Any

from multimlp.tape.batching import BatchRule, Function, is_at, level_of, spread


def _matmul(record: Function, xp: Any) -> Function:
    batched = xp.batched

    def product(a: Any, b: Any, level: int) -> Any:
        """The value of the result, rows along the first axis."""
        (left, right), (m, n) = (is_at(a, level), is_at(b, level)), (len(a.shape), len(b.shape))
        if left and not right and (n == 1 or (n == 2 and m == 1)):
            return record(a.value, b)
        if right and not left and m <= 2 and n == 1:
            return record(b.value, a if m == 1 else xp.matrix_transpose(a))
        if left and not right and m == n == 2:  # one product instead of one for each example
            value = a.value
            rows, height, inner = value.shape
            found = record(xp.reshape(value, (rows * height, inner)), b)
            return xp.reshape(found, (rows, height, b.shape[1]))
        if m == n == 1:
            return xp.sum(xp.multiply(a.value, b.value), axis=-1)
        if m == 1:
            return product(xp.expand_dims(a, axis=0), b, level)[..., 0, :]
        if n == 1:
            return product(a, xp.expand_dims(b, axis=1), level)[..., 0]
        ndim = max(m, n)
        return record(spread(xp, a, level, ndim), spread(xp, b, level, ndim))

    def batch(a: Any, b: Any, /) -> Any:
        level = level_of((a, b))
        return batched(product(a, b, level), level)

    return batch


def _solve(record: Function, xp: Any) -> Function:
    def batch(a: Any, b: Any, /) -> Any:
        level = level_of((a, b))
        if len(b.shape) == 1:
            if not is_at(a, level) and len(a.shape) == 2:  # one matrix, many sides
                found = record(a, xp.matrix_transpose(b.value))
                return xp.batched(xp.matrix_transpose(found), level)
            return xp.linalg.solve(a, xp.expand_dims(b, axis=1))[..., 0]
        if not is_at(a, level) and len(a.shape) == len(b.shape) == 2:
            rows, n, k = b.value.shape
            found = record(a, xp.reshape(xp.permute_dims(b.value, (1, 0, 2)), (n, rows * k)))
            return xp.batched(xp.permute_dims(xp.reshape(found, (n, rows, k)), (1, 0, 2)), level)
        ndim = max(len(a.shape), len(b.shape))
        return xp.batched(record(spread(xp, a, level, ndim), spread(xp, b, level, ndim)), level)

    return batch


BATCH_RULES: dict[str, BatchRule] = {
    "matmul": _matmul,
    "linalg.matmul": _matmul,
    "linalg.solve": _solve,
}
