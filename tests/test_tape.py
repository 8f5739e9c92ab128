"""The tape itself: levels, edge cases of the rules, the namespace it offers, errors, memory, deep loops."""

from __future__ import annotations

import math
import sys
import weakref
from typing import Any

import array_api_strict
import numpy as np
import pytest

from multimlp import registry, tape
from multimlp.errors import (
    DifferentiationError,
    InputError,
    MissingRuleError,
    MixedBackendsError,
    NonScalarError,
    NotDifferentiableError,
    ShapeError,
)

LIBRARIES = pytest.mark.parametrize(
    "asarray", [np.asarray, array_api_strict.asarray], ids=["numpy", "strict"]
)


def space(x: Any) -> Any:
    return registry.array_namespace(x)


def grad(function: Any) -> Any:
    """The derivative of a function of one array with a scalar value."""
    return lambda x: tape.value_and_grad(lambda xs: (function(xs[0]), ()))((x,))[2][0]


def slope(function: Any) -> Any:
    """The element-wise derivative of an element-wise function."""
    return grad(lambda x: space(x).sum(function(space(x), x)))


def numbers(x: Any) -> list[Any]:
    return np.asarray(np.from_dlpack(x) if not isinstance(x, (np.ndarray, np.generic)) else x).tolist()


# ---- levels --------------------------------------------------------------------------------------


@LIBRARIES
def test_inner_derivative_does_not_see_the_outer_variable(asarray: Any) -> None:
    """d/dx [x d/dy (x + y)] = 1: the classic of perturbation confusion."""
    result = grad(lambda x: space(x).multiply(x, grad(lambda y: space(x).add(x, y))(asarray(1.0))))(
        asarray(3.0)
    )
    assert float(result) == 1.0


@LIBRARIES
def test_derivative_with_respect_to_both_levels(asarray: Any) -> None:
    """d/dx [x d/dy (x y³)] at y = x = 2: d/dx [3 x² y²] with y constant = 6 x y² = 48; with y = x = 12 x³ =
    96.
    """
    constant = asarray(2.0)

    def inner(x: Any, y: Any) -> Any:
        return x * grad(lambda z: x * z * z * z)(y)

    assert float(grad(lambda x: inner(x, constant))(asarray(2.0))) == 48.0
    assert float(grad(lambda x: inner(x, x))(asarray(2.0))) == 96.0


@LIBRARIES
@pytest.mark.parametrize("order", range(1, 7))
def test_sixth_derivative_of_a_product(asarray: Any, order: int) -> None:
    """The n-th derivative of x exp(x) is (x + n) exp(x)."""
    function: Any = lambda x: x * space(x).exp(x)  # noqa: E731
    for _ in range(order):
        function = grad(function)
    assert float(function(asarray(0.5))) == pytest.approx((0.5 + order) * math.exp(0.5), rel=1e-13)


def test_stop_gradient_holds_on_all_levels() -> None:
    second = grad(grad(lambda x: tape.stop_gradient(x) * x * x))
    assert second(np.asarray(3.0)) == 6.0
    assert tape.stop_gradient(2.5) == 2.5


def test_raw_is_the_plain_array_under_all_levels() -> None:
    seen = []

    def function(x: Any) -> Any:
        seen.append(tape.raw(x))
        return x * x

    grad(grad(function))(np.asarray([1.0])[0])
    assert isinstance(seen[0], np.generic)


def test_pullback_can_be_called_again_and_is_linear() -> None:
    x, y = np.asarray([1.0, 2.0]), np.asarray([3.0, 5.0])
    (product, total, _), pullback = tape.vjp(lambda xs: (xs[0] * xs[1], xs[0] + xs[1], np.ones(3)), (x, y))
    assert product.tolist() == [3.0, 10.0]
    assert total.tolist() == [4.0, 7.0]
    zero, three = np.zeros(2), np.zeros(3)
    for k in (1.0, 2.0):
        gx, gy = pullback((np.full(2, k), zero, three))
        assert gx.tolist() == [3.0 * k, 5.0 * k]
        assert gy.tolist() == [1.0 * k, 2.0 * k]
    assert pullback((zero, np.ones(2), three))[0].tolist() == [1.0, 1.0]
    assert pullback((zero, zero, np.ones(3)))[0].tolist() == [0.0, 0.0]


def test_outputs_that_are_inputs() -> None:
    x = np.asarray([1.0, 2.0])
    outputs, pullback = tape.vjp(lambda xs: (xs[0], xs[0]), (x,))
    assert outputs[0] is x
    assert pullback((np.ones(2), np.full(2, 3.0)))[0].tolist() == [4.0, 4.0]


def test_jvp_of_several_outputs() -> None:
    def function(xs: Any) -> Any:
        (x,) = xs
        return x * x, space(x).argmax(x), np.ones(2), space(x).sum(x)

    outputs, tangents = tape.jvp(function, (np.asarray([1.0, 4.0]),), (np.asarray([1.0, 0.5]),))
    assert outputs[0].tolist() == [1.0, 16.0]
    assert outputs[1] == 1
    assert tangents[0].tolist() == [2.0, 4.0]
    assert [tangents[1], tangents[2].tolist(), tangents[3]] == [0, [0.0, 0.0], 1.5]


def test_jvp_inside_a_gradient() -> None:
    """d/dx (d/dx x³ along 1) = 6 x."""
    along = lambda x: tape.jvp(lambda xs: (xs[0] * xs[0] * xs[0],), (x,), (np.asarray(1.0),))[1][0]  # noqa: E731
    assert grad(along)(np.asarray(2.0)) == 12.0


def test_value_auxiliary_and_unused_arguments() -> None:
    def function(xs: Any) -> Any:
        return xs[0] * xs[0], (xs[0] + 1.0, "label", xs[1])

    unused = np.ones((2, 3), dtype="float32")
    value, (plus, label, same), (used, zeros) = tape.value_and_grad(function)((np.asarray(3.0), unused))
    assert (value, plus, label, used) == (9.0, 4.0, "label", 6.0)
    assert same is unused
    assert zeros.shape == (2, 3)
    assert zeros.dtype == unused.dtype
    assert not zeros.any()
    assert tape.value_and_grad(lambda xs: (np.asarray(1.0), ()))((unused,))[2][0].shape == (2, 3)


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
    ("tanh", lambda xp, x: xp.tanh(x), [-INF, -200.0, 0.0], [0, 0, 1]),
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
    np.testing.assert_allclose(numbers(slope(function)(asarray(points))), slopes, rtol=1e-14)


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
    _, _, (gx, gw) = tape.value_and_grad(lambda xs: (space(xs[0]).sum(xs[0] * xs[1]), ()))((x, w))
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


@LIBRARIES
def test_functions_mix_on_either_side(asarray: Any) -> None:
    weights = asarray([2.0, 4.0])
    for function in (lambda xp, x: xp.multiply(weights, x), lambda xp, x: xp.multiply(x, weights)):
        assert numbers(slope(function)(asarray([1.0, 1.0]))) == [2.0, 4.0]


# ---- the array object ----------------------------------------------------------------------------


@LIBRARIES
def test_traced_arrays_have_what_the_standard_asks_for(asarray: Any) -> None:
    raw = asarray(np.arange(6.0).reshape(2, 3))
    ran = []

    def function(x: Any) -> Any:
        xp = space(x)
        assert registry.array_namespace(raw, x) is xp
        assert x.__array_namespace__() is xp
        assert (x.shape, x.ndim, x.size, len(x)) == ((2, 3), 2, 6, 2)
        assert x.dtype == raw.dtype
        assert x.device == raw.device
        assert x.T.shape == x.mT.shape == (3, 2)
        assert x.to_device(x.device).shape == (2, 3)
        item = x[1, 2]
        assert (float(item), int(item), bool(item), complex(item)) == (5.0, 5, True, 5 + 0j)
        assert [row.shape for row in x] == [(3,), (3,)]
        for relation in (x == raw, x <= raw, x >= x, xp.equal(raw, x)):
            assert not isinstance(relation, tape.Traced)
            assert numbers(space(relation).all(relation))
        assert not bool(xp.any(x < x)) and not bool(xp.any(x != raw)) and not bool(xp.any(x > raw))  # noqa: PT018
        assert "level" in repr(x)
        ran.append(True)
        return xp.sum(+x - (-x) + abs(x))

    gradient = grad(function)(raw)
    assert ran
    assert numbers(gradient) == [[2.0, 3.0, 3.0], [3.0, 3.0, 3.0]]


@LIBRARIES
def test_the_namespace_passes_on_what_does_not_concern_derivatives(asarray: Any) -> None:
    xp = space(tape_of(asarray([1.0])))
    source = registry.array_namespace(asarray([1.0]))
    assert xp.float32 is source.float32
    assert xp.pi == math.pi
    assert xp.finfo(xp.float32).bits == 32
    assert xp.isdtype(xp.int32, "integral")
    assert xp.__array_api_version__ == source.__array_api_version__
    assert xp.__array_namespace_info__().default_dtypes()["real floating"] == source.float64
    assert not isinstance(xp.linspace(0, 1, 3), tape.Traced)
    assert {"sin", "float64"} <= set(dir(xp))
    assert source.__name__ in xp.__name__
    with pytest.raises(AttributeError, match="nonsense"):
        xp.nonsense


def tape_of(x: Any) -> Any:
    """An array traced at a level of its own."""
    kept: list[Any] = []
    tape.value_and_grad(lambda xs: (kept.append(xs[0]) or space(x).sum(x), ()))((x,))
    return kept[0]


UNTRACED = [
    "argmax",
    "argmin",
    "argsort",
    "isnan",
    "isfinite",
    "isinf",
    "signbit",
    "ceil",
    "trunc",
    "round",
    "nonzero",
    "count_nonzero",
    "all",
    "any",
    "zeros_like",
    "ones_like",
    "result_type",
]


@pytest.mark.parametrize("name", UNTRACED)
def test_functions_without_derivative_see_raw_values(name: str) -> None:
    raw = np.asarray([1.5, 0.0, -2.5])
    result = getattr(space(tape_of(raw)), name)(tape_of(raw))
    assert not isinstance(result, tape.Traced)
    np.testing.assert_equal(result, getattr(space(raw), name)(raw))


# ---- errors --------------------------------------------------------------------------------------

MISUSE = [
    (MissingRuleError, r"nextafter.*tape\.primitive", lambda x: space(x).nextafter(x, x)),
    (MissingRuleError, r"unique_values", lambda x: space(x).unique_values(x)),
    (MissingRuleError, r"fft\.fft", lambda x: space(x).fft.fft(x)),
    (MissingRuleError, r"linspace", lambda x: space(x).linspace(0.0, x[0], 3)),
    (MissingRuleError, r"full_matrices", lambda x: space(x).linalg.svd(space(x).reshape(x, (2, 1)))),
    (MissingRuleError, r"'complete'", lambda x: space(x).linalg.qr(x[:, None], mode="complete")),
    (NotDifferentiableError, r"complex", lambda x: space(x).astype(x, space(x).complex128)),
    (NotDifferentiableError, r"xp\.stack", lambda x: space(x).asarray([x[0], x[1]])),
    (InputError, r"out", lambda x: space(x).sum(x, out=np.zeros(()))),
    (InputError, r"where", lambda x: space(x).max(x, where=np.ones(2, dtype=bool))),
    (InputError, r"ord", lambda x: space(x).linalg.matrix_norm(space(x).reshape(x, (2, 1)), ord="one")),
    (ShapeError, r"vecdot", lambda x: space(x).vecdot(x, x[:1])),
    (ShapeError, r"tensordot", lambda x: space(x).tensordot(x, x[:1], axes=1)),
    (ShapeError, r"broadcast_arrays", lambda x: space(x).broadcast_arrays(x, np.ones(3))),
    (ShapeError, r"mT", lambda x: x.T),
    (DifferentiationError, r"in place.*where", lambda x: x.__setitem__(0, 1.0)),
    (DifferentiationError, r"in place", lambda x: x.__iadd__(1.0)),
    (DifferentiationError, r"plain array", lambda x: np.asarray(x)),
    (DifferentiationError, r"plain array", lambda x: np.from_dlpack(x)),
    (DifferentiationError, r"plain array", lambda x: np.concatenate([x, x])),
    (TypeError, r"", lambda x: np.sin(x)),
    (TypeError, r"0-d", lambda x: len(x[0])),
    (TypeError, r"unhashable", lambda x: hash(x)),
    (AttributeError, r"no 'sum'.*namespace", lambda x: x.sum()),
]  # fmt: skip


@pytest.mark.parametrize(
    ("error", "message", "function"), MISUSE, ids=[f"{r[0].__name__} {r[1]}" for r in MISUSE]
)
def test_misuse_is_named(error: type[Exception], message: str, function: Any) -> None:
    with pytest.raises(error, match=message):
        grad(lambda x: (function(x), space(x).sum(x))[1])(np.asarray([1.0, 2.0]))


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (NonScalarError, r"shape \(2,\)", lambda x: grad(lambda t: t)(x)),
        (NotDifferentiableError, "int64", lambda x: grad(lambda t: t)(np.asarray([1]))),
        (NotDifferentiableError, "complex128", lambda x: grad(lambda t: t)(x + 1j)),
        (NotDifferentiableError, "argument 1 is float", lambda x: tape.vjp(lambda xs: xs, (x, 2.0))),
        (InputError, "expected an array", lambda x: tape.vjp(lambda xs: xs, (2.0,))),
        (
            MixedBackendsError,
            "two libraries",
            lambda x: tape.vjp(lambda xs: xs, (x, array_api_strict.ones(2))),
        ),
        (InputError, r"each output \(1\), got 2", lambda x: tape.vjp(lambda xs: xs, (x,))[1]((x, x))),
        (InputError, "got ndarray", lambda x: tape.vjp(lambda xs: xs, (x,))[1](x)),
        (ShapeError, r"cotangents\[0\]", lambda x: tape.vjp(lambda xs: xs, (x,))[1]((np.ones(3),))),
        (ShapeError, r"tangents\[0\]", lambda x: tape.jvp(lambda xs: xs, (x,), (np.ones(3),))),
    ],
)
def test_bad_input_stops_at_the_door(error: type[Exception], message: str, call: Any) -> None:
    with pytest.raises(error, match=message):
        call(np.asarray([1.0, 2.0]))


def test_no_function_of_the_namespace_loses_the_gradient_in_silence() -> None:
    """Every function of one array either records, or is known to have no derivative, or raises."""
    from multimlp.tape import rules_constant

    x = tape_of(np.asarray([[0.5, 0.25], [0.125, 0.75]]))
    xp = space(x)
    for name in dir(registry.array_namespace(tape.raw(x))):
        function = None if name.startswith("_") else getattr(xp, name)
        if not callable(function) or isinstance(function, type):
            continue
        try:
            with np.errstate(all="ignore"):
                result = function(x)
        except (MissingRuleError, TypeError, ValueError, AttributeError):
            continue
        parts = result if isinstance(result, tuple) else (result,)
        is_real = any(hasattr(p, "dtype") and np.isdtype(p.dtype, "real floating") for p in parts)
        recorded = all(isinstance(p, tape.Traced) for p in parts)
        assert recorded or not is_real or name in rules_constant.RULES, name


# ---- further primitives --------------------------------------------------------------------------


@LIBRARIES
def test_a_registered_primitive_works_on_all_levels(asarray: Any) -> None:
    tape.primitive("cubed", lambda xp, x: xp.pow(x, xp.full_like(x, 3.0)), lambda xp, g, y, x: 3 * g * x * x)
    cube = lambda x: space(x).cubed(x)  # noqa: E731
    assert float(grad(cube)(asarray(2.0))) == 12.0
    assert float(grad(grad(cube))(asarray(2.0))) == 12.0
    assert float(grad(grad(grad(cube)))(asarray(2.0))) == 6.0
    tape.primitive("cubed", lambda xp, x: x, lambda xp, g, y, x: g)  # a later definition takes over
    assert float(grad(cube)(asarray(2.0))) == 1.0


def test_a_registered_primitive_of_two_arrays_broadcasts() -> None:
    tape.primitive(
        "linalg.weigh", lambda xp, a, b: a * b, lambda xp, g, y, a, b: g * b, lambda xp, g, y, a, b: g * a
    )
    a, b = np.ones((3, 1)), np.full(4, 2.0)
    _, _, (ga, gb) = tape.value_and_grad(lambda xs: (space(xs[0]).sum(space(xs[0]).linalg.weigh(*xs)), ()))(
        (a, b)
    )
    assert ga.tolist() == [[8.0]] * 3
    assert gb.tolist() == [3.0] * 4


# ---- memory and depth ----------------------------------------------------------------------------


def test_intermediate_values_die_on_the_way_back() -> None:
    alive: list[weakref.ref[Any]] = []
    seen: list[int] = []

    def watch(x: Any) -> Any:
        """The identity; its rule counts the values that are still there."""
        alive.append(weakref.ref(tape.raw(x)))
        return space(x).watched(x)

    def rule(xp: Any, g: Any, y: Any, x: Any) -> Any:
        seen.append(sum(ref() is not None for ref in alive))
        return g

    tape.primitive("watched", lambda xp, x: x + 0.0, rule)

    def function(xs: Any) -> Any:
        (x,) = xs
        for _ in range(6):
            x = watch(space(x).exp(x * 0.1))
        return space(x).sum(x), ()

    tape.value_and_grad(function)((np.ones(10),))
    assert seen == sorted(seen, reverse=True)
    assert seen[-1] <= 2
    assert seen[0] >= 5
    assert all(ref() is None for ref in alive)


@LIBRARIES
@pytest.mark.parametrize("steps", [20_000])
def test_long_chains_need_no_recursion(asarray: Any, steps: int) -> None:
    assert steps > sys.getrecursionlimit()
    if asarray is array_api_strict.asarray:
        steps //= 10

    def chain(x: Any) -> Any:
        for _ in range(steps):
            x = x + 0.25
        return x * x

    x = asarray(1.0)
    assert float(grad(chain)(x)) == 2 * (1 + steps / 4)
    _, pullback = tape.vjp(lambda xs: (chain(xs[0]),), (x,))
    assert float(pullback((x,))[0]) == 2 * (1 + steps / 4)


def test_wide_sharing_costs_one_visit_a_node() -> None:
    """2**60 paths lead from the result to the argument, through 60 nodes."""

    def double(x: Any) -> Any:
        for _ in range(60):
            x = x + x
        return x

    assert grad(double)(np.asarray(1.0)) == 2.0**60
