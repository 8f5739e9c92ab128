"""The calls over which the TensorFlow namespace is compared with NumPy: name, arguments, options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

FLOATS = ("float32", "float64")
COMPLEX = ("complex64", "complex128")
SIGNED = ("int8", "int16", "int32", "int64")
UNSIGNED = ("uint8", "uint16", "uint32", "uint64")
INTEGERS = SIGNED + UNSIGNED
REAL = INTEGERS + FLOATS
NUMERIC = REAL + COMPLEX
ALL = ("bool", *NUMERIC)
NO_XLA = {"unique_all", "unique_counts", "unique_inverse", "unique_values", "linalg.det", "linalg.slogdet"}


def sample(
    dtype: str, shape: tuple[int, ...] = (3, 4), seed: int = 0, low: float = -3.0, high: float = 3.0
) -> Any:
    """Numbers of both signs, with a repetition and a zero."""
    rng = np.random.default_rng(seed)
    if dtype == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    if dtype in UNSIGNED:
        low = 0
    if dtype in INTEGERS:
        return rng.integers(round(low), round(high) + 1, shape).astype(dtype)
    out = rng.uniform(low, high, shape)
    if dtype in COMPLEX:
        out = out + 1j * rng.uniform(low, high, shape)
    elif low < 0 and out.size > 2:
        out.flat[1] = 0.0
    return out.astype(dtype)


class Case(NamedTuple):
    """A call ``name(*arguments(dtype), **options)`` for each dtype."""

    name: str
    dtypes: tuple[str, ...]
    arguments: Callable[[str], tuple[Any, ...]]
    options: dict[str, Any] = {}  # noqa: RUF012 - never changed
    ulps: float = 16


def one(d: str) -> tuple[Any, ...]:
    return (sample(d),)


def two(d: str) -> tuple[Any, ...]:
    return sample(d), sample(d, (4,), 1)


def positive(d: str) -> tuple[Any, ...]:
    return (sample(d, low=0.25, high=4),)


def positive_two(d: str) -> tuple[Any, ...]:
    return sample(d, low=0.25, high=4), sample(d, (4,), 1, low=0.25)


def divisors(d: str) -> tuple[Any, ...]:
    divisor = sample(d, (4,), 1, low=1)
    return sample(d, low=-9, high=9), divisor if d in UNSIGNED else divisor * np.asarray([1, -1, 1, -1], d)


def shifts(d: str) -> tuple[Any, ...]:
    return sample(d), np.asarray([0, 1, 5, np.dtype(d).itemsize * 8 - 1], d)


def unit(d: str) -> tuple[Any, ...]:
    return (sample(d, low=-0.9, high=0.9),)


def above_one(d: str) -> tuple[Any, ...]:
    return (sample(d, low=1.1, high=4),)


def special(d: str) -> tuple[Any, ...]:
    return (np.asarray([np.inf, -np.inf, np.nan, 0.0, -0.0, 1.5, -2.5], d),)


def special_two(d: str) -> tuple[Any, ...]:
    values = special(d)[0]
    return values[:, None], values[None, :]


def vectors(d: str) -> tuple[Any, ...]:
    return sample(d, (4,)), sample(d, (4,), 1)


def batch(d: str) -> tuple[Any, ...]:
    return (sample(d, (2, 3, 4)),)


def square(d: str) -> tuple[Any, ...]:
    return (sample(d, (2, 4, 4), 3) + 3 * np.eye(4, dtype=d),)


def hermitian(d: str) -> tuple[Any, ...]:
    a = sample(d, (2, 4, 4), 3)
    return (a @ np.conj(a.swapaxes(-1, -2)) + 2 * np.eye(4, dtype=d),)


def of(shape1: tuple[int, ...], shape2: tuple[int, ...]) -> Callable[[str], tuple[Any, ...]]:
    return lambda d: (sample(d, shape1), sample(d, shape2, 1))


def with_(maker: Callable[[str], tuple[Any, ...]], *more: Any) -> Callable[[str], tuple[Any, ...]]:
    return lambda d: (*maker(d), *more)


def lists(maker: Callable[[str], tuple[Any, ...]]) -> Callable[[str], tuple[Any, ...]]:
    return lambda d: (list(maker(d)),)


INDICES = np.asarray([[0, 2, -1], [1, 1, -3]])
UNARY_FLOAT = ["atan", "cos", "cosh", "exp", "expm1", "sin", "sinh", "tanh"]
CASES = [
    *(Case(name, FLOATS + COMPLEX, one) for name in UNARY_FLOAT),
    *(
        Case(name, FLOATS, special)
        for name in [
            "exp",
            "expm1",
            "floor",
            "ceil",
            "trunc",
            "round",
            "sign",
            "abs",
            "isnan",
            "isinf",
            "isfinite",
        ]
    ),
    *(
        Case(name, FLOATS, special)
        for name in ["signbit", "negative", "square", "tanh", "argmax", "argmin", "sort", "argsort"]
    ),
    *(Case(name, FLOATS + COMPLEX, unit) for name in ["acos", "asin", "asinh", "atanh", "log1p", "tan"]),
    *(Case(name, FLOATS, positive) for name in ["log", "log2", "log10", "sqrt", "reciprocal"]),
    *(Case(name, COMPLEX, one) for name in ["log", "sqrt", "reciprocal"]),
    Case("acosh", FLOATS, above_one),
    *(
        Case(name, NUMERIC, one)
        for name in ["abs", "negative", "positive", "sign", "square", "round", "conj"]
    ),
    *(Case(name, COMPLEX, one) for name in ["real", "imag", "isnan", "isinf", "isfinite"]),
    *(Case(name, REAL, one) for name in ["floor", "ceil", "trunc", "isnan", "isinf", "isfinite"]),
    *(Case(name, NUMERIC, two) for name in ["add", "subtract", "multiply"]),
    *(Case(name, ALL, two) for name in ["equal", "not_equal"]),
    *(
        Case(name, REAL, two)
        for name in ["less", "less_equal", "greater", "greater_equal", "maximum", "minimum"]
    ),
    *(
        Case(name, FLOATS, special_two)
        for name in ["maximum", "minimum", "logaddexp", "hypot", "copysign", "atan2", "less"]
    ),
    *(Case(name, FLOATS, special_two) for name in ["pow", "equal", "nextafter", "remainder"]),
    *(Case(name, FLOATS, two) for name in ["atan2", "copysign", "hypot", "logaddexp", "nextafter"]),
    *(Case(name, ("bool",), two) for name in ["logical_and", "logical_or", "logical_xor"]),
    Case("logical_not", ("bool",), one),
    Case("bitwise_invert", ("bool", *INTEGERS), one),
    *(Case(name, ("bool", *INTEGERS), two) for name in ["bitwise_and", "bitwise_or", "bitwise_xor"]),
    *(Case(name, INTEGERS, shifts) for name in ["bitwise_left_shift", "bitwise_right_shift"]),
    Case("divide", FLOATS + COMPLEX, positive_two),
    Case("floor_divide", REAL, divisors),
    Case("floor_divide", FLOATS, lambda d: (np.asarray([1.0, -1.0, 0.0, 6.0], d), np.asarray(0.1, d))),
    Case("remainder", REAL, divisors),
    Case("pow", NUMERIC, positive_two),
    Case("clip", REAL, with_(one, 1, 2)),
    Case("clip", FLOATS, with_(special, -1.0, None)),
    Case("clip", FLOATS, lambda d: (sample(d), None, sample(d, (4,), 1))),
    Case("where", ALL, lambda d: (sample("bool"), *two(d))),
    Case("where", FLOATS, lambda d: (sample("bool"), sample(d), -0.0)),
    Case("add", FLOATS, with_(one, 2)),
    Case("subtract", FLOATS, lambda d: (1.5, sample(d))),
    Case("multiply", FLOATS, with_(one, 2j)),
    # statistics
    *(Case(name, NUMERIC, batch) for name in ["sum", "prod"]),
    *(Case(name, NUMERIC, batch, {"axis": (0, -1), "keepdims": True}) for name in ["sum", "prod"]),
    *(Case(name, REAL, batch, {"axis": 1}) for name in ["max", "min"]),
    *(Case(name, FLOATS, special) for name in ["max", "min", "sum"]),
    Case("sum", ("int8",), one, {"dtype": "int8", "axis": 0}),
    Case("mean", FLOATS + COMPLEX, batch, {"axis": (0, 2)}),
    *(Case(name, FLOATS, batch, {"axis": 1, "correction": 1}) for name in ["var", "std"]),
    *(Case(name, FLOATS, batch) for name in ["var", "std", "mean", "max", "min"]),
    *(Case(name, ALL, batch, {"axis": -1}) for name in ["all", "any", "count_nonzero"]),
    *(Case(name, NUMERIC, batch, {"axis": 1}) for name in ["cumulative_sum", "cumulative_prod"]),
    *(
        Case(name, FLOATS, vectors_of_one, {"include_initial": True})
        for vectors_of_one in [lambda d: (sample(d, (5,)),)]
        for name in ["cumulative_sum", "cumulative_prod"]
    ),
    Case("diff", NUMERIC, one, {"n": 2}),
    Case("diff", FLOATS, one, {"axis": 0, "prepend": np.ones((1, 4)), "append": np.ones((2, 4))}),
    # manipulation
    Case("broadcast_to", ALL, with_(one, (2, 3, 4))),
    Case("broadcast_arrays", ALL, two),
    Case("concat", ALL, lists(of((2, 3), (4, 3)))),
    Case("concat", ALL, lists(of((2, 3), (4,))), {"axis": None}),
    Case("stack", ALL, lists(vectors), {"axis": -1}),
    Case("unstack", ALL, batch, {"axis": 1}),
    Case("expand_dims", ALL, one, {"axis": -2}),
    Case("squeeze", ALL, lambda d: (sample(d, (1, 3, 1)),), {"axis": (0, -1)}),
    Case("flip", ALL, batch),
    Case("flip", ALL, batch, {"axis": (0, -1)}),
    Case("permute_dims", ALL, with_(batch, (2, 0, 1))),
    Case("moveaxis", ALL, with_(batch, (0, 1), (-1, 0))),
    Case("matrix_transpose", ALL, batch),
    Case("reshape", ALL, with_(batch, (4, -1))),
    Case("reshape", FLOATS, lambda d: (sample(d, (1, 1)), ())),
    Case("roll", ALL, with_(batch, 5)),
    Case("roll", ALL, with_(batch, (1, -2)), {"axis": (0, 2)}),
    Case("repeat", ALL, with_(batch, 3), {"axis": 1}),
    Case("repeat", ALL, with_(one, 2)),
    Case("tile", ALL, with_(one, (2, 1, 3))),
    Case("tile", ALL, with_(batch, (2,))),
    Case("take", ALL, with_(batch, INDICES[0]), {"axis": 1}),
    Case("take", ALL, with_(one, INDICES[:, 0]), {"axis": 0}),
    Case("take_along_axis", ALL, with_(of((2, 3), (1,)), 0), {}),
    Case("tril", ALL, batch, {"k": -1}),
    Case("triu", ALL, batch, {"k": 1}),
    Case("meshgrid", ALL, vectors),
    Case("meshgrid", ALL, vectors, {"indexing": "ij"}),
    Case("astype", ALL, with_(one, "float64")),
    # searching, sorting, sets
    *(Case(name, REAL, batch, {"axis": 1, "keepdims": True}) for name in ["argmax", "argmin"]),
    *(Case(name, REAL, batch) for name in ["argmax", "argmin"]),
    Case("nonzero", ALL, batch),
    Case("searchsorted", REAL, lambda d: (np.sort(sample(d, (6,))), sample(d, (2, 3), 1)), {"side": "right"}),
    *(Case(name, REAL, batch, {"axis": 1}) for name in ["sort", "argsort"]),
    *(Case(name, REAL, lambda d: (sample(d, (9,)),), {"descending": True}) for name in ("sort", "argsort")),
    *(Case(name, ALL, batch) for name in ["unique_all", "unique_counts", "unique_inverse", "unique_values"]),
    Case("isin", REAL, two),
    # linear algebra
    *(Case("matmul", NUMERIC, of(*shapes)) for shapes in [((3, 4), (4, 2)), ((4,), (4,)), ((2, 3, 4), (4,))]),
    *(
        Case("matmul", FLOATS, of(*shapes))
        for shapes in [((4,), (2, 4, 3)), ((2, 3, 4), (4, 5)), ((4,), (4, 3))]
    ),
    *(
        Case("matmul", FLOATS, of(*shapes))
        for shapes in [((2, 1, 3, 4), (5, 4, 2)), ((0, 4), (4, 2)), ((2, 0), (0, 3))]
    ),
    Case("matmul", FLOATS, of((2, 0, 3), (3, 4))),
    Case("tensordot", NUMERIC, of((2, 3, 4), (3, 4, 5))),
    Case("tensordot", FLOATS, of((2, 3, 4), (4, 2)), {"axes": ([0, -1], [1, 0])}),
    Case("tensordot", FLOATS, of((2,), (3,)), {"axes": 0}),
    Case("vecdot", NUMERIC, of((2, 4), (4,))),
    Case("vecdot", FLOATS + COMPLEX, of((2, 3), (2, 3)), {"axis": -2}),
    Case("linalg.cholesky", FLOATS + COMPLEX, hermitian, {"upper": True}, 64),
    Case("linalg.cross", FLOATS + INTEGERS, of((2, 3), (3,))),
    *(
        Case(f"linalg.{name}", FLOATS + COMPLEX, square, {}, 128)
        for name in ["det", "inv", "svdvals", "matrix_rank", "pinv"]
    ),
    Case("linalg.slogdet", FLOATS, square, {}, 64),
    Case("linalg.diagonal", ALL, batch, {"offset": 1}),
    Case("linalg.trace", NUMERIC, batch, {"offset": -1}),
    Case("linalg.eigvalsh", FLOATS + COMPLEX, hermitian, {}, 64),
    *(
        Case("linalg.matrix_norm", FLOATS, batch, {"ord": o}, 64)
        for o in ("fro", "nuc", 1, -1, 2, np.inf, -np.inf)
    ),
    *(Case("linalg.matrix_power", FLOATS, with_(square, n), {}, 512) for n in (-1, 0, 1, 5)),
    Case("linalg.outer", NUMERIC, vectors),
    Case("linalg.solve", FLOATS + COMPLEX, lambda d: (square(d)[0], sample(d, (4,))), {}, 128),
    Case("linalg.solve", FLOATS, lambda d: (square(d)[0], sample(d, (5, 1, 4, 2))), {}, 128),
    *(
        Case("linalg.vector_norm", FLOATS, batch, {"axis": (0, 1), "ord": o})
        for o in (0, 1, 2, 3, np.inf, -np.inf)
    ),
    Case("linalg.vector_norm", FLOATS + COMPLEX, batch, {"keepdims": True}),
    # creation
    *(Case(name, ALL, one) for name in ["zeros_like", "ones_like", "asarray"]),
    Case("full_like", NUMERIC, with_(one, 2)),
    *(Case(name, ("none",), lambda d: ((2, 3),), {"dtype": "int16"}) for name in ("zeros", "ones")),
    Case("full", ("none",), lambda d: ((2, 3), 7), {"dtype": "uint8"}),
    Case("full", ("none",), lambda d: (4, -0.0), {"dtype": "float64"}),
    Case("eye", ("none",), lambda d: (3, 5), {"k": -1, "dtype": "float64"}),
    *(
        Case("arange", ("none",), lambda d, a=a: a, {"dtype": "float64"})
        for a in [(5,), (1, 4), (5.0, 0.0, -0.7), (3, 1)]
    ),
    Case("linspace", ("none",), lambda d: (-1.0, 2.0, 7), {"dtype": "float32"}),
    Case("linspace", ("none",), lambda d: (-1.0, 2.0, 4), {"dtype": "float64", "endpoint": False}),
]
# by properties, or with the door, below
ELSEWHERE = {"empty", "empty_like", "from_dlpack", "can_cast", "finfo", "iinfo", "isdtype", "result_type"}
ELSEWHERE |= {"linalg.eigh", "linalg.qr", "linalg.svd"}
ELSEWHERE |= {f"linalg.{name}" for name in ("matmul", "matrix_transpose", "tensordot", "vecdot")}


def assert_same(got: Any, expected: Any, ulps: float, zero_signs: bool = True) -> None:
    """Shape, dtype and values of a tensor, or of several, within ``ulps`` of the largest value."""
    if isinstance(expected, (tuple, list)):
        assert len(got) == len(expected)
        for g, e in zip(got, expected, strict=True):
            assert_same(g, e, ulps, zero_signs)
        return
    expected = np.asarray(expected)
    assert tuple(got.shape) == expected.shape
    assert got.dtype.as_numpy_dtype == expected.dtype
    if expected.dtype.kind in "biu":
        np.testing.assert_array_equal(got.numpy(), expected)
        return
    eps = np.finfo(expected.dtype).eps
    scale = np.max(np.abs(expected[np.isfinite(expected)]), initial=1.0)
    np.testing.assert_allclose(got.numpy(), expected, rtol=ulps * eps, atol=ulps * eps * scale)
    if zero_signs and expected.dtype.kind == "f":
        zero = expected == 0
        np.testing.assert_array_equal(np.signbit(got.numpy()[zero]), np.signbit(expected[zero]))
