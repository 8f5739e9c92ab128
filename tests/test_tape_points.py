"""Derivatives where they are delicate: kinks, ties, infinities, empty arrays, mixed dtypes and operands."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import owned_tape
import pytest
from test_tape import LIBRARIES, grad, numbers, slope, space

from multimlp import tape

# ---- kinks, ties, infinities ---------------------------------------------------------------------

INF, NAN = math.inf, math.nan
AT_POINTS = [
    ("abs", lambda xp, x: xp.abs(x), [0.0, -0.0, -INF, NAN], [0, 0, -1, NAN]),
    ("sign", lambda xp, x: x * xp.sign(x), [0.0, -2.0], [0, -1]),
    ("maximum tie", lambda xp, x: xp.maximum(x, 0.0), [-1.0, 0.0, 1.0], [0, 0.5, 1]),
    ("minimum tie", lambda xp, x: xp.minimum(0.0, x), [-1.0, 0.0, 1.0], [1, 0.5, 0]),
    ("maximum of itself", lambda xp, x: xp.maximum(x, x), [2.0, INF], [1, 1]),
    (
        "clip at its bounds",
        lambda xp, x: xp.clip(x, 0.0, 6.0),
        [-1.0, 0.0, 3.0, 6.0, 7.0, NAN],
        [0, 1, 1, 1, 0, 1],
    ),
    ("clip without bounds", lambda xp, x: xp.clip(x), [-1.0, 2.0], [1, 1]),
    ("relu", lambda xp, x: xp.where(x <= 0, xp.zeros_like(x), x), [-1.0, 0.0, 1.0, NAN], [0, 0, 1, 1]),
    (
        "where shields",
        lambda xp, x: xp.where(x > 0, xp.sqrt(xp.where(x > 0, x, xp.ones_like(x))), x),
        [-4.0, 4.0],
        [1, 0.25],
    ),
    ("x**0", lambda xp, x: x**0, [0.0, 2.0, -1.0], [0, 0, 0]),
    ("x**1", lambda xp, x: x**1, [0.0, -1.0], [1, 1]),
    ("x**2", lambda xp, x: x**2, [0.0, -1.0], [0, -2]),
    ("pow(x, 0)", lambda xp, x: xp.pow(x, xp.zeros_like(x)), [0.0, 2.0], [0, 0]),
    ("pow(0, y)", lambda xp, x: xp.pow(xp.zeros_like(x), x), [0.0, 1.0, 2.5], [0, 0, 0]),
    ("pow(-1, y)", lambda xp, x: xp.pow(xp.full_like(tape.raw(x), -1.0), x), [2.0], [NAN]),
    ("hypot", lambda xp, x: xp.hypot(x, 0.0), [0.0, -2.0], [0, -1]),
    ("copysign", lambda xp, x: xp.copysign(x, -1.0), [0.0, 2.0, -2.0], [0, -1, 1]),
    ("copysign second", lambda xp, x: xp.copysign(2.0, x), [1.0, -1.0], [0, 0]),
    ("logaddexp", lambda xp, x: xp.logaddexp(x, 0.0), [-INF, -800.0, 0.0, 800.0, INF], [0, 0, 0.5, 1, 1]),
    ("logaddexp ties", lambda xp, x: xp.logaddexp(x, x), [-INF, 0.0, INF], [1, 1, 1]),
    ("tanh", lambda xp, x: xp.tanh(x), [-INF, -200.0, 0.0], [0, 4 * np.exp(-400.0), 1]),
    ("expm1", lambda xp, x: xp.expm1(x), [-INF, -1e-300], [0, 1]),
    ("exp", lambda xp, x: xp.exp(x), [-INF, 0.0], [0, 1]),
    ("asinh", lambda xp, x: xp.asinh(x), [1e300], [1e-300]),
    ("floor", lambda xp, x: x + xp.floor(x) + xp.round(x) + x // 2.0, [1.0, 2.5], [1, 1]),
]  # fmt: skip


@LIBRARIES
@pytest.mark.parametrize(
    ("function", "points", "slopes"), [row[1:] for row in AT_POINTS], ids=[r[0] for r in AT_POINTS]
)
def test_derivative_at_special_points(asarray: Any, function: Any, points: Any, slopes: Any) -> None:
    with np.errstate(invalid="ignore"):  # the sum of infinities, of which only the slope counts
        found = numbers(slope(function)(asarray(points)))
    np.testing.assert_allclose(found, slopes, rtol=1e-14)


def test_second_derivative_stays_finite_far_out() -> None:
    second = grad(lambda x: space(x).sum(slope(lambda xp, y: xp.tanh(y))(x)))
    np.testing.assert_allclose(
        second(np.asarray([-500.0, 0.5, 500.0])), [0, -2 * np.tanh(0.5) / np.cosh(0.5) ** 2, 0]
    )


@pytest.mark.parametrize(
    ("name", "x", "expected"),
    [
        ("max", [3.0, 1.0, 3.0, 3.0], [1 / 3, 0, 1 / 3, 1 / 3]),
        ("min", [1.0, 1.0, 5.0], [0.5, 0.5, 0]),
        ("max", [INF, 1.0], [1, 0]),
        ("max", [NAN, 1.0], [1, 0]),
        ("prod", [0.0, 2.0, 5.0], [10, 0, 0]),
        ("prod", [0.0, 0.0, 5.0], [0, 0, 0]),
    ],
)
def test_reductions_at_special_points(name: str, x: Any, expected: Any) -> None:
    np.testing.assert_allclose(grad(lambda t: getattr(space(t), name)(t))(np.asarray(x)), expected)


def test_norms_have_derivative_zero_at_the_origin() -> None:
    for order in (1, 2, 3):
        assert grad(lambda t, o=order: space(t).linalg.vector_norm(t, ord=o))(np.zeros(3)).tolist() == [
            0,
            0,
            0,
        ]
    assert not grad(lambda t: space(t).linalg.matrix_norm(t))(np.zeros((2, 2))).any()
    assert grad(lambda t: space(t).linalg.vector_norm(t, ord=0))(np.ones(3)).tolist() == [0, 0, 0]


def test_eigenvalues_that_are_equal() -> None:
    """The sum of the eigenvalues is the trace, also where they coincide; vectors have no derivative there."""
    x = 2.0 * np.eye(3)
    np.testing.assert_allclose(grad(lambda t: space(t).sum(space(t).linalg.eigvalsh(t)))(x), np.eye(3))
    np.testing.assert_allclose(grad(lambda t: space(t).sum(space(t).linalg.svdvals(t)))(x), np.eye(3))
    with np.errstate(divide="ignore", invalid="ignore"):
        assert not np.isfinite(grad(lambda t: space(t).linalg.eigh(t)[1][0, 1])(x)).all()


@LIBRARIES
def test_infinite_cotangents_stay_where_they_belong(asarray: Any) -> None:
    def function(x: Any) -> Any:
        xp = space(x)
        return xp.sum(xp.take(x, asarray([0, 2, 0]), axis=0) * asarray([INF, 1.0, 1.0]))

    assert numbers(grad(function)(asarray([1.0, 1.0, 1.0]))) == [INF, 0.0, 1.0]


# ---- shapes and dtypes ---------------------------------------------------------------------------


@LIBRARIES
@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 4)])
def test_empty_arrays(asarray: Any, shape: tuple[int, ...]) -> None:
    def function(x: Any) -> Any:
        xp = space(x)
        y = xp.concat([xp.exp(x), x * x], axis=0)
        return xp.sum(y) + xp.prod(xp.reshape(x, (-1,))) + xp.sum(xp.take(x, asarray([0, 0])[:0], axis=0))

    assert grad(function)(asarray(np.ones(shape))).shape == shape


@LIBRARIES
def test_astype(asarray: Any) -> None:
    def function(x: Any) -> Any:
        xp = space(x)
        wide = xp.astype(x, xp.float64)
        assert wide.dtype == xp.float64
        whole = xp.astype(x, xp.int64)
        assert not isinstance(whole, tape.Traced)
        return xp.astype(xp.sum(wide * wide), xp.float32)

    gradient = grad(function)(asarray(np.asarray([1.5, 2.0], dtype="float32")))
    assert gradient.dtype == space(gradient).float32
    assert numbers(gradient) == [3.0, 4.0]


def test_mixed_precision_gradients_have_the_dtype_of_their_arrays() -> None:
    x, w = np.ones(3, dtype="float32"), np.full(3, 2.0)
    _, _, (gx, gw) = owned_tape.value_and_grad(lambda xs: (space(xs[0]).sum(xs[0] * xs[1]), ()))((x, w))
    assert (gx.dtype, gw.dtype) == (np.float32, np.float64)


def test_sum_in_a_wider_dtype() -> None:
    gradient = grad(lambda x: space(x).sum(x * x, dtype=np.float64))(np.asarray([1.0, 2.0], dtype="float32"))
    assert gradient.dtype == np.float32
    assert gradient.tolist() == [2.0, 4.0]


@pytest.mark.parametrize("plain", [np.asarray([2.0, 4.0]), np.float64(2.0), 2.0, 2, True])
def test_numpy_values_mix_on_either_side(plain: Any) -> None:
    x = np.asarray([1.0, 3.0])

    def function(t: Any) -> Any:
        total = (plain * t) * t + (plain + t) - (plain - t) + plain / t + t**plain + (plain < t) * t
        return space(t).sum(total)

    p = np.asarray(plain, dtype=float)
    expected = 2 * p * x + 2 - p / x**2 + p * x ** (p - 1) + (p < x)
    np.testing.assert_allclose(grad(function)(x), expected * np.ones(2), rtol=1e-14)


def test_matmul_operator_mixes_on_either_side() -> None:
    a, b = np.asarray([[1.0, 2.0], [3.0, 5.0]]), np.asarray([[7.0, 11.0], [13.0, 17.0]])
    assert grad(lambda x: space(x).sum(a @ x))(b).tolist() == [[4.0, 4.0], [7.0, 7.0]]
    assert grad(lambda x: space(x).sum(x @ b))(a).tolist() == [[18.0, 30.0], [18.0, 30.0]]


@LIBRARIES
def test_functions_mix_on_either_side(asarray: Any) -> None:
    weights = asarray([2.0, 4.0])
    for function in (lambda xp, x: xp.multiply(weights, x), lambda xp, x: xp.multiply(x, weights)):
        assert numbers(slope(function)(asarray([1.0, 1.0]))) == [2.0, 4.0]
