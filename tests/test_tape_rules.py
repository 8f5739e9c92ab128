"""Every derivative rule of the tape, from one table.

A row is a function of a namespace and arrays. Each row is checked in value against the raw namespace, in its
gradient against torch.autograd and central differences, in its second derivative and forward derivative
against central differences, on array-api-strict against NumPy, and for its dtype in float32.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import array_api_compat.numpy as anp
import array_api_strict
import numpy as np
import owned_tape
import pytest

from multimlp import tape

Maker = Callable[[np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Row:
    name: str
    function: Callable[..., Any]
    arguments: tuple[Maker, ...]
    torch: bool = True
    """False where torch lacks the function or its derivative, or takes another signature."""
    strict: bool = True
    """False for what libraries allow beyond the standard."""


def normal(*shape: int) -> Maker:
    return lambda rng: rng.standard_normal(shape)


def between(low: float, high: float, *shape: int) -> Maker:
    return lambda rng: rng.uniform(low, high, shape)


def apart(*shape: int) -> Maker:
    """Numbers whose neighbours in size are far enough from each other for a difference quotient."""
    return lambda rng: rng.permutation(np.linspace(-2.0, 2.3, int(np.prod(shape)))).reshape(shape)


def values(*numbers: Any) -> Maker:
    return lambda rng: np.asarray(numbers, dtype=np.float64)


def ints(xp: Any, *numbers: Any) -> Any:
    return xp.asarray(numbers)


def symmetric(xp: Any, x: Any) -> Any:
    return 0.5 * (x + xp.matrix_transpose(x))


def positive_definite(xp: Any, x: Any) -> Any:
    return xp.matmul(x, xp.matrix_transpose(x)) + 2.0 * xp.eye(x.shape[-1], dtype=x.dtype)


def signless(xp: Any, q: Any) -> Any:
    """What does not change when the columns of a matrix change sign."""
    return q * q


def unary(name: str, maker: Maker) -> Row:
    return Row(name, lambda xp, x: getattr(xp, name)(x), (maker,))


def binary(name: str, a: Maker, b: Maker, torch: bool = True) -> Row:
    return Row(name, lambda xp, x, y: getattr(xp, name)(x, y), (a, b), torch)


def linalg(name: str, *arguments: Maker, torch: bool = True, label: str = "", **params: Any) -> Row:
    return Row(
        f"linalg.{name}{label}", lambda xp, *xs: getattr(xp.linalg, name)(*xs, **params), arguments, torch
    )


def fluent(
    name: str, function: Callable[..., Any], *arguments: Maker, torch: bool = True, strict: bool = True
) -> Row:
    return Row(name, function, arguments, torch, strict)


M34, M44 = normal(3, 4), normal(4, 4)

ELEMENTWISE = [
    *(
        unary(n, normal(3, 2))
        for n in [
            "abs",
            "atan",
            "asinh",
            "cos",
            "cosh",
            "exp",
            "expm1",
            "negative",
            "positive",
            "sin",
            "sinh",
            "square",
            "tan",
            "tanh",
        ]
    ),
    *(unary(n, between(-0.9, 0.9, 5)) for n in ["acos", "asin", "atanh"]),
    *(unary(n, between(0.2, 3.0, 5)) for n in ["log", "log10", "log1p", "log2", "reciprocal", "sqrt"]),
    unary("acosh", between(1.2, 3.0, 5)),
    *(
        binary(n, normal(3, 1), normal(2, 1, 4))
        for n in [
            "add",
            "subtract",
            "multiply",
            "divide",
            "atan2",
            "hypot",
            "logaddexp",
            "maximum",
            "minimum",
        ]
    ),
    binary("copysign", normal(6), normal(6)),
    binary("pow", between(0.3, 2.0, 3, 1), normal(4)),
    binary("remainder", values(5.3, -5.3, 7.1, -2.2), values(2.0, 3.0, -4.0, -0.7)),
    fluent(
        "pow scalar exponents", lambda xp, x: x**3 + x**2 + x**1 + x**0 + x**-1 + x**0.5, between(0.3, 2.0, 4)
    ),
    fluent("pow scalar base", lambda xp, x: 2.0**x, normal(4)),
    fluent("pow of a negative base", lambda xp, x: xp.pow(x, xp.full_like(x, 3.0)), values(-1.5, -0.2, 2.0)),
    fluent("scalars", lambda xp, x: (1 - x) * 2 / x + 3 - 1 / x + (+x) + abs(x) % 2.0, between(0.3, 0.9, 4)),
    fluent("clip", lambda xp, x: xp.clip(x, min=-0.5, max=0.7), normal(8)),
    fluent("clip one side", lambda xp, x: xp.clip(x, 0.1) + xp.clip(x, max=0.3), normal(8)),
    fluent(
        "clip arrays",
        lambda xp, x, a, b: xp.clip(x, a, b),
        normal(8),
        between(-0.6, -0.3, 8),
        between(0.2, 0.5, 8),
    ),
    fluent("where", lambda xp, x, y: xp.where(x > 0.2, x * y, y), normal(3, 2), normal(2)),
    fluent("where scalar", lambda xp, x: xp.where(x > 0.2, x * x, 1.0), normal(6)),
    fluent("maximum scalar", lambda xp, x: xp.maximum(x, 0.1) + xp.minimum(0.2, x), normal(8)),
    fluent(
        "constants", lambda xp, x: x * xp.floor(x) + x * xp.sign(x) + x * xp.astype(x > 0, x.dtype), normal(6)
    ),
]

REDUCTIONS = [
    fluent("sum", lambda xp, x: xp.sum(x * x), M34),
    fluent("sum axis", lambda xp, x: xp.sum(x, axis=-1) ** 2, M34),
    fluent("sum axes keepdims", lambda xp, x: xp.sum(x, axis=(0, 2), keepdims=True) ** 2, normal(2, 3, 2)),
    fluent("mean", lambda xp, x: xp.mean(x, axis=1) ** 2 + xp.mean(x), M34),
    fluent("max", lambda xp, x: xp.max(x, axis=0) * xp.max(x), apart(3, 4)),
    fluent("min", lambda xp, x: xp.min(x, axis=(0, 1), keepdims=True) * x, apart(3, 4), torch=False),
    fluent("prod", lambda xp, x: xp.prod(x, axis=1), M34),
    fluent("prod all", lambda xp, x: xp.prod(x), M34),
    fluent("prod axes", lambda xp, x: xp.prod(x, axis=(0, 2)), normal(2, 3, 2), torch=False),
    fluent(
        "prod with zeros",
        lambda xp, x: xp.prod(x, axis=1),
        values([1.5, 0.0, 2.0], [0.0, 3.0, 0.0], [1.0, 2.0, -3.0]),
    ),
    fluent("var", lambda xp, x: xp.var(x, axis=1) + xp.var(x, axis=1, correction=1.0), M34),
    fluent("var all", lambda xp, x: xp.var(x, keepdims=True), M34, torch=False),
    fluent("std", lambda xp, x: xp.std(x, axis=0, correction=1, keepdims=True), M34),
    fluent("cumulative_sum", lambda xp, x: xp.cumulative_sum(x * x, axis=1), M34),
    fluent(
        "cumulative_sum initial", lambda xp, x: xp.cumulative_sum(x, axis=0, include_initial=True) ** 2, M34
    ),
    fluent("cumulative_prod", lambda xp, x: xp.cumulative_prod(x, axis=1), normal(2, 7)),
    fluent("cumulative_prod initial", lambda xp, x: xp.cumulative_prod(x, axis=0, include_initial=True), M34),
    fluent(
        "cumulative_prod with zeros",
        lambda xp, x: xp.cumulative_prod(x),
        values(2.0, 0.0, 3.0, 0.5, 0.0, 4.0),
        torch=False,
    ),
    fluent("sum dtype", lambda xp, x: xp.sum(x * x, dtype=x.dtype), M34),
]

MANIPULATION = [
    fluent("reshape", lambda xp, x: xp.reshape(x, (2, -1)) ** 2, M34),
    fluent("concat", lambda xp, x, y: xp.concat([x, y, x], axis=-1) ** 2, normal(2, 3), normal(2, 1)),
    fluent("concat flat", lambda xp, x, y: xp.concat([x, y], axis=None) ** 2, normal(2, 3), normal(4)),
    fluent("stack", lambda xp, x, y: xp.stack([x, y, x], axis=1) ** 2, normal(2, 3), normal(2, 3)),
    fluent("unstack", lambda xp, x: tuple(r * r for r in xp.unstack(x, axis=1)), M34),
    fluent("broadcast_to", lambda xp, x: xp.broadcast_to(x, (2, 3, 4)) ** 2, normal(3, 1)),
    fluent("broadcast_arrays", lambda xp, x, y: tuple(xp.broadcast_arrays(x, y)), normal(3, 1), normal(4)),
    fluent("permute_dims", lambda xp, x: xp.permute_dims(x, (2, 0, 1)) ** 2, normal(2, 3, 4)),
    fluent("moveaxis", lambda xp, x: xp.moveaxis(x, 0, -1) ** 2, normal(2, 3, 4)),
    fluent("moveaxis several", lambda xp, x: xp.moveaxis(x, (0, 1), (2, 0)) ** 2, normal(2, 3, 4)),
    fluent(
        "squeeze, expand_dims",
        lambda xp, x: xp.expand_dims(xp.squeeze(x, axis=1), axis=0) ** 2,
        normal(2, 1, 3),
    ),
    fluent("flip", lambda xp, x: xp.flip(x, axis=0) * x + xp.flip(x), M34),
    fluent("roll", lambda xp, x: xp.roll(x, 2, axis=1) * x + xp.roll(x, 1), M34),
    fluent("roll several", lambda xp, x: xp.roll(x, (1, -1), axis=(0, 1)) * x, M34),
    fluent("tile", lambda xp, x: xp.tile(x, (2, 1, 3)) ** 2, normal(2, 2)),
    fluent("tile short", lambda xp, x: xp.tile(x, (3,)) ** 2, normal(2, 2)),
    fluent("repeat", lambda xp, x: xp.repeat(x, 3, axis=1) ** 2, M34),
    fluent("repeat each", lambda xp, x: xp.repeat(x, ints(xp, 2, 0, 3), axis=0) ** 2, M34),
    fluent("repeat flat", lambda xp, x: xp.repeat(x, 2) ** 2, M34),
    fluent("tril, triu", lambda xp, x: xp.tril(x, k=1) ** 2 + xp.triu(x, k=-1), M34),
    fluent("diff", lambda xp, x: xp.diff(x, axis=1, n=2) ** 2, M34),
    fluent("diff ends", lambda xp, x, y: xp.diff(x, axis=0, prepend=y, append=x) ** 2, M34, normal(1, 4)),
    fluent("meshgrid", lambda xp, x, y: tuple(xp.meshgrid(x, y)), normal(3), normal(2)),
    fluent(
        "meshgrid ij",
        lambda xp, x, y, z: tuple(m**2 for m in xp.meshgrid(x, y, z, indexing="ij")),
        normal(3),
        normal(2),
        normal(2),
    ),
    fluent(
        "asarray, full",
        lambda xp, x: xp.asarray(x) * xp.full_like(x, 2.0) + xp.full((2, 3), x[1]),
        normal(3),
        torch=False,
    ),
    fluent("zeros_like", lambda xp, x: x * xp.ones_like(x) + xp.zeros_like(x), normal(3)),
]

INDEXING = [
    fluent("getitem basic", lambda xp, x: x[1, ::-2] ** 2 + x[None, 0, 1:3] + x[..., 0][0], M34, torch=False),
    fluent("getitem mask", lambda xp, x: x[tape.raw(x) > 0] ** 2, M34),
    fluent("getitem integers", lambda xp, x: x[ints(xp, 0, 2, 0), ints(xp, 1, 1, 1)] ** 2, M34),
    fluent("getitem rows", lambda xp, x: x[ints(xp, 0, 2, 0, -1), ...] ** 2, M34, strict=False),
    fluent("take", lambda xp, x: xp.take(x, ints(xp, 0, 2, 0), axis=1) ** 2, M34),
    fluent("take 1-d", lambda xp, x: xp.take(x, ints(xp, 3, 0, 3, 3)) ** 3, normal(5)),
    fluent(
        "take_along_axis",
        lambda xp, x: xp.take_along_axis(x, ints(xp, [0, 2, 0, 1], [1, 1, 2, 2]), axis=0) ** 2,
        M34,
    ),
    fluent(
        "take_along_axis last",
        lambda xp, x: xp.take_along_axis(x, ints(xp, [3, 3], [0, 1], [2, 0])) ** 2,
        M34,
    ),
    fluent("sort", lambda xp, x: xp.sort(x, axis=0) * x + xp.sort(x, descending=True) ** 2, apart(3, 4)),
    fluent("rows", lambda xp, x: sum(r * r for r in x), M34),
]

PRODUCTS = [
    *(
        Row(f"matmul {a} {b}", lambda xp, x, y: xp.matmul(x, y) ** 2, (normal(*a), normal(*b)))
        for a, b in [
            ((3, 4), (4, 2)),
            ((4,), (4,)),
            ((4,), (4, 2)),
            ((3, 4), (4,)),
            ((2, 3, 4), (4, 2)),
            ((3, 4), (2, 4, 2)),
            ((2, 1, 3, 4), (5, 4, 2)),
            ((2, 3, 4), (4,)),
            ((4,), (2, 4, 3)),
            ((2, 2, 3, 4), (4, 2)),
        ]
    ),
    fluent("matmul operator", lambda xp, x, y: (x @ y) ** 2, M34, normal(4, 2)),
    fluent("transposes", lambda xp, x: xp.matrix_transpose(x) * x.T + x.mT, M34),
    fluent("vecdot", lambda xp, x, y: xp.vecdot(x, y) ** 2, normal(2, 1, 4), normal(3, 4)),
    fluent("vecdot axis", lambda xp, x, y: xp.vecdot(x, y, axis=-2) ** 2, M34, M34),
    fluent("tensordot", lambda xp, x, y: xp.tensordot(x, y) ** 2, normal(2, 3, 4), normal(3, 4, 2)),
    fluent(
        "tensordot axes",
        lambda xp, x, y: xp.tensordot(x, y, axes=((0, -1), (1, 0))) ** 2,
        normal(2, 3, 4),
        normal(4, 2, 2),
    ),
    fluent("tensordot outer", lambda xp, x, y: xp.tensordot(x, y, axes=0) ** 2, normal(2), normal(3)),
]

LINALG = [
    linalg("matmul", M34, normal(4, 2)),
    linalg("matrix_transpose", M34),
    linalg("vecdot", M34, M34),
    linalg("tensordot", normal(2, 3, 4), normal(3, 4, 2)),
    linalg("outer", normal(3), normal(4)),
    linalg("cross", M34, M34, axis=0),
    linalg("diagonal", normal(2, 3, 4)),
    *(linalg("diagonal", M34, label=f" {k}", offset=k) for k in (-2, -1, 2, 3)),
    linalg("trace", normal(2, 3, 4), offset=1),
    *(linalg("matrix_power", normal(2, 3, 3), label=f" {n}", n=n) for n in (0, 1, 2, 5, -2)),
    linalg("inv", normal(2, 4, 4)),
    linalg("det", normal(2, 4, 4)),
    fluent("linalg.slogdet", lambda xp, x: xp.linalg.slogdet(x).logabsdet, normal(2, 4, 4), torch=False),
    linalg("solve", M44, normal(4)),
    linalg("solve", M44, normal(4, 2), label=" matrix"),
    linalg("solve", normal(2, 1, 4, 4), normal(3, 4, 2), label=" batch"),
    linalg("pinv", normal(5, 3), label=" tall"),
    linalg("pinv", normal(2, 3, 5), label=" wide"),
    linalg("vector_norm", M34),
    *(
        linalg("vector_norm", apart(3, 4), label=f" {order}", ord=order, axis=1, keepdims=True)
        for order in (1, 2, 3, 2.5, np.inf, -np.inf)
    ),
    linalg("matrix_norm", normal(2, 3, 4)),
    *(
        linalg("matrix_norm", normal(2, 3, 4), label=f" {order}", ord=order, keepdims=True)
        for order in ("nuc", 1, -1, 2, -2, np.inf, -np.inf)
    ),
    fluent("linalg.cholesky", lambda xp, x: xp.linalg.cholesky(positive_definite(xp, x)), normal(2, 3, 3)),
    fluent(
        "linalg.cholesky upper",
        lambda xp, x: xp.linalg.cholesky(positive_definite(xp, x), upper=True),
        normal(3, 3),
    ),
    fluent(
        "linalg.eigh",
        lambda xp, x: (lambda w, v: (w, signless(xp, v)))(*xp.linalg.eigh(symmetric(xp, x))),
        normal(2, 4, 4),
    ),
    fluent("linalg.eigvalsh", lambda xp, x: xp.linalg.eigvalsh(symmetric(xp, x)), M44),
    *(
        fluent(f"linalg.qr {s}", lambda xp, x: tuple(signless(xp, m) for m in xp.linalg.qr(x)), normal(*s))
        for s in [(5, 3), (4, 4), (2, 3, 5)]
    ),
    *(
        fluent(
            f"linalg.svd {s}",
            lambda xp, x: (lambda u, v, w: (signless(xp, u), v, signless(xp, w)))(
                *xp.linalg.svd(x, full_matrices=False)
            ),
            normal(*s),
        )
        for s in [(5, 3), (4, 4), (2, 3, 5)]
    ),
    linalg("svdvals", normal(2, 3, 4)),
]

ROWS = ELEMENTWISE + REDUCTIONS + MANIPULATION + INDEXING + PRODUCTS + LINALG
strict_rows = pytest.mark.parametrize("row", [row for row in ROWS if row.strict], ids=lambda row: row.name)
all_rows = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


# ---- the machinery -------------------------------------------------------------------------------


def arguments(row: Row, dtype: str = "float64") -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(zlib.crc32(row.name.encode()))
    return tuple(np.asarray(make(rng), dtype=dtype) for make in row.arguments)


def outputs(row: Row, xp: Any, arrays: Any) -> tuple[Any, ...]:
    result = row.function(xp, *arrays)
    return tuple(result) if isinstance(result, (tuple, list)) else (result,)


def weighted_sum(xp: Any, results: tuple[Any, ...]) -> Any:
    """A scalar to which each number among the results contributes differently."""
    total: Any = 0.0
    for k, y in enumerate(results):
        weight = np.cos(1.0 + 3 * k + np.arange(int(np.prod(y.shape)))).reshape(tuple(y.shape))
        total = total + xp.sum(y * xp.asarray(weight, dtype=y.dtype))
    return total


def scalar(row: Row) -> Callable[..., Any]:
    def function(arrays: Any) -> Any:
        xp = arrays[0].__array_namespace__()
        return weighted_sum(xp, outputs(row, xp, arrays)), ()

    return function


def gradient(row: Row, arrays: Any) -> tuple[Any, ...]:
    return owned_tape.value_and_grad(scalar(row))(tuple(arrays))[2]


def directional(row: Row) -> Callable[..., Any]:
    """The first derivative, made a scalar again."""

    def function(arrays: Any) -> Any:
        xp = arrays[0].__array_namespace__()
        return weighted_sum(xp, gradient(row, arrays)), ()

    return function


def differences(
    function: Callable[..., float], arrays: tuple[np.ndarray, ...], h: float = 1e-5
) -> list[np.ndarray]:
    """Central differences of fourth order."""
    result = []
    for k, array in enumerate(arrays):
        g = np.zeros_like(array)
        for index in np.ndindex(array.shape):

            def at(step: float, k: int = k, index: Any = index) -> float:
                moved = [a.copy() for a in arrays]
                moved[k][index] += step
                return float(function(tuple(moved)))

            g[index] = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h)
        result.append(g)
    return result


def assert_all_close(actual: Any, expected: Any, rtol: float) -> None:
    for a, e in zip(actual, expected, strict=True):
        a, e = np.asarray(a), np.asarray(e)
        assert a.shape == e.shape
        scale = max(1.0, float(np.max(np.abs(e), initial=0.0)))
        np.testing.assert_allclose(a, e, rtol=rtol, atol=rtol * scale)


# ---- the checks ----------------------------------------------------------------------------------


@all_rows
def test_value_is_that_of_the_raw_namespace(row: Row) -> None:
    arrays = arguments(row)
    traced, _ = owned_tape.vjp(lambda xs: outputs(row, xs[0].__array_namespace__(), xs), arrays)
    assert_all_close(traced, outputs(row, anp, arrays), 1e-12)


@all_rows
def test_gradient_against_differences(row: Row) -> None:
    arrays = arguments(row)
    expected = differences(lambda xs: weighted_sum(anp, outputs(row, anp, xs)), arrays, 1e-4)
    assert_all_close(gradient(row, arrays), expected, 2e-8)


@pytest.mark.parametrize("row", [row for row in ROWS if row.torch], ids=lambda row: row.name)
def test_gradient_against_torch(row: Row) -> None:
    torch = pytest.importorskip("torch")
    import array_api_compat.torch as xp

    arrays = arguments(row)
    tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
    weighted_sum(xp, outputs(row, xp, tensors)).backward()
    assert_all_close(gradient(row, arrays), [t.grad.numpy() for t in tensors], 1e-11)


@all_rows
def test_second_derivative_against_differences(row: Row) -> None:
    arrays = arguments(row)
    second = owned_tape.value_and_grad(directional(row))(arrays)[2]
    expected = differences(lambda xs: weighted_sum(anp, gradient(row, xs)), arrays, 1e-4)
    assert_all_close(second, expected, 2e-7)


@all_rows
def test_forward_derivative_against_reverse(row: Row) -> None:
    arrays = arguments(row)
    rng = np.random.default_rng(0)
    tangents = tuple(rng.standard_normal(a.shape) for a in arrays)
    _, (slope,) = owned_tape.jvp(lambda xs: scalar(row)(xs)[:1], arrays, tangents)
    expected = sum(np.sum(g * t) for g, t in zip(gradient(row, arrays), tangents, strict=True))
    assert_all_close([slope], [expected], 1e-11)


DATA_DEPENDENT = ("getitem mask", "repeat each")
"""Rows whose shapes depend on values, which the strictest flags forbid."""


@strict_rows
@pytest.mark.parametrize("order", [1, 2])
def test_strict_namespace(row: Row, order: int) -> None:
    arrays = arguments(row)
    function = scalar(row) if order == 1 else directional(row)
    expected_value, _, expected = owned_tape.value_and_grad(function)(arrays)
    free = row.name in DATA_DEPENDENT
    with array_api_strict.ArrayAPIStrictFlags(boolean_indexing=free, data_dependent_shapes=free):
        value, _, actual = owned_tape.value_and_grad(function)(
            tuple(array_api_strict.asarray(a) for a in arrays)
        )
    assert all(isinstance(g, type(array_api_strict.ones(1))) for g in actual)
    assert_all_close([np.from_dlpack(value)], [expected_value], 1e-10)
    assert_all_close([np.from_dlpack(g) for g in actual], expected, 1e-10)


def test_older_standard_suffices() -> None:
    """On 2023.12 everything that exists has its first and second derivative, except products and sorting."""
    failed, passed = set(), 0
    for row in (row for row in ROWS if row.strict):
        arrays = tuple(array_api_strict.asarray(a) for a in arguments(row))
        with array_api_strict.ArrayAPIStrictFlags(api_version="2023.12"):
            try:
                outputs(row, array_api_strict, arrays)
            except (RuntimeError, TypeError, ValueError, AttributeError, IndexError):
                continue  # not in that version
            try:
                owned_tape.value_and_grad(directional(row))(arrays)
                passed += 1
            except RuntimeError:
                failed.add(row.name)
    assert failed == {"prod", "prod all", "prod axes", "prod with zeros", "sort"}
    assert passed > 140


@all_rows
def test_float32_stays_float32(row: Row) -> None:
    asarray = array_api_strict.asarray if row.strict else np.asarray
    arrays = tuple(asarray(a) for a in arguments(row, "float32"))
    value, _, second = owned_tape.value_and_grad(directional(row))(arrays)
    for g in (value, *gradient(row, arrays), *second):
        assert g.dtype == arrays[0].dtype
