"""What a traced array and its namespace offer, what they refuse and how, and how to add to them."""

from __future__ import annotations

import math
from typing import Any

import array_api_strict
import numpy as np
import owned_tape
import pytest
from test_tape import LIBRARIES, grad, numbers, space, traced_array

from multimlp import tape
from multimlp.backend import array_namespace
from multimlp.errors import (
    DifferentiationError,
    InputError,
    MissingRuleError,
    MixedBackendsError,
    NonScalarError,
    NotDifferentiableError,
    ShapeError,
    TracedValueError,
)

# ---- the array object ----------------------------------------------------------------------------


@LIBRARIES
def test_traced_arrays_have_what_the_standard_asks_for(asarray: Any) -> None:
    raw = asarray(np.arange(6.0).reshape(2, 3))
    ran = []

    def function(x: Any) -> Any:
        xp = space(x)
        assert array_namespace(raw, x) is xp
        assert x.__array_namespace__() is xp
        assert (x.shape, x.ndim, x.size, len(x)) == ((2, 3), 2, 6, 2)
        assert x.dtype == raw.dtype
        assert x.device == raw.device
        assert x.T.shape == x.mT.shape == (3, 2)
        assert x.to_device(x.device).shape == (2, 3)
        item = x[1, 2]
        assert (int(item), bool(item)) == (5, True)
        for number in (float, complex):  # constants in the eyes of a derivative, in silence
            with pytest.raises(TracedValueError, match="stop_gradient"):
                number(item)
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
    xp = space(traced_array(asarray([1.0])))
    source = array_namespace(asarray([1.0]))
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
    result = getattr(space(traced_array(raw)), name)(traced_array(raw))
    assert not isinstance(result, tape.Traced)
    np.testing.assert_equal(result, getattr(space(raw), name)(raw))


# ---- creation from a list, and what decides without being differentiated ----


def test_a_nested_list_of_traced_arrays_and_numbers_is_an_array() -> None:
    def f(x: Any) -> Any:
        xp = space(x)
        matrix = xp.asarray([[x[0], 2.0], [3, x[1] * x[0]]])
        assert (matrix.shape, matrix.dtype) == ((2, 2), np.float64)
        return xp.sum(matrix * np.asarray([[1.0, 10.0], [100.0, 1000.0]]))

    np.testing.assert_allclose(grad(f)(np.asarray([5.0, 7.0])), [1 + 1000 * 7, 1000 * 5])


def test_the_next_number_moves_with_the_first_argument_alone() -> None:
    def f(xs: Any) -> Any:
        return space(xs).sum(space(xs).nextafter(xs[0], xs[1]) * 3.0)

    np.testing.assert_array_equal(grad(f)(np.asarray([1.0, 2.0])), [3.0, 0.0])


def test_the_tolerance_of_a_pseudo_inverse_may_be_traced() -> None:
    def f(x: Any) -> Any:
        xp = space(x)
        return xp.sum(xp.linalg.pinv(xp.reshape(x, (2, 2)), rtol=x[0] * 1e-9))

    def fixed(x: Any) -> Any:
        return space(x).sum(space(x).linalg.pinv(space(x).reshape(x, (2, 2)), rtol=1e-9))

    x = np.asarray([2.0, 1.0, 0.5, 3.0])
    np.testing.assert_array_equal(grad(f)(x), grad(fixed)(x))


# ---- errors --------------------------------------------------------------------------------------

MISUSE = [
    (MissingRuleError, r"fft\.fft.*tape\.primitive", lambda x: space(x).fft.fft(x)),
    (MissingRuleError, r"linspace", lambda x: space(x).linspace(0.0, x[0], 3)),
    (MissingRuleError, r"full_matrices", lambda x: space(x).linalg.svd(space(x).reshape(x, (2, 1)))),
    (MissingRuleError, r"'complete'", lambda x: space(x).linalg.qr(x[:, None], mode="complete")),
    (NotDifferentiableError, r"complex", lambda x: space(x).astype(x, space(x).complex128)),
    (InputError, r"out", lambda x: space(x).sum(x, out=np.zeros(()))),
    (InputError, r"where", lambda x: space(x).max(x, where=np.ones(2, dtype=bool))),
    (InputError, r"ord", lambda x: space(x).linalg.matrix_norm(space(x).reshape(x, (2, 1)), ord="one")),
    (ShapeError, r"vecdot", lambda x: space(x).vecdot(x, x[:1])),
    (ShapeError, r"tensordot", lambda x: space(x).tensordot(x, x[:1], axes=1)),
    (ShapeError, r"broadcast_arrays", lambda x: space(x).broadcast_arrays(x, np.ones(3))),
    (DifferentiationError, r"in place.*at\(x\)", lambda x: x.__setitem__(0, 1.0)),
    (DifferentiationError, r"in place", lambda x: x.__iadd__(1.0)),
    (DifferentiationError, r"plain array", lambda x: np.asarray(x)),
    (DifferentiationError, r"plain array", lambda x: np.from_dlpack(x)),
    (DifferentiationError, r"plain array", lambda x: x.__dlpack_device__()),
    (DifferentiationError, r"plain array", lambda x: np.array([x[0], x[1]])),
    (DifferentiationError, r"numpy\.interp", lambda x: np.interp(x, [0.0, 1.0], [0.0, 1.0])),
    (DifferentiationError, r"stream", lambda x: x.to_device("cpu", stream=1)),
    (TypeError, r"0-d", lambda x: len(x[0])),
    (TypeError, r"not an index", lambda x: range(x[0])),
    (TypeError, r"real numbers", lambda x: ~x),
    (TypeError, r"unsupported operand.*&", lambda x: x & x),
    (TypeError, r"unsupported operand.*<<", lambda x: 1 << x),
    (TypeError, r"unhashable", lambda x: hash(x)),
    (AttributeError, r"no 'fill'.*namespace", lambda x: x.fill(0.0)),
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
        (NotDifferentiableError, "argument 1 is float", lambda x: owned_tape.vjp(lambda xs: xs, (x, 2.0))),
        (InputError, "expected an array", lambda x: owned_tape.vjp(lambda xs: xs, (2.0,))),
        (
            MixedBackendsError,
            "two libraries",
            lambda x: owned_tape.vjp(lambda xs: xs, (x, array_api_strict.ones(2))),
        ),
        (InputError, r"each output \(1\), got 2", lambda x: owned_tape.vjp(lambda xs: xs, (x,))[1]((x, x))),
        (InputError, "got ndarray", lambda x: owned_tape.vjp(lambda xs: xs, (x,))[1](x)),
        (ShapeError, r"cotangents\[0\]", lambda x: owned_tape.vjp(lambda xs: xs, (x,))[1]((np.ones(3),))),
        (ShapeError, r"tangents\[0\]", lambda x: owned_tape.jvp(lambda xs: xs, (x,), (np.ones(3),))),
    ],
)
def test_bad_input_stops_at_the_door(error: type[Exception], message: str, call: Any) -> None:
    with pytest.raises(error, match=message):
        call(np.asarray([1.0, 2.0]))


def test_no_function_of_the_namespace_loses_the_gradient_in_silence() -> None:
    """Every function of one array either records, or is known to have no derivative, or raises."""
    from multimlp.tape import rules_constant

    x = traced_array(np.asarray([[0.5, 0.25], [0.125, 0.75]]))
    xp = space(x)
    for name in dir(array_namespace(tape.raw(x))):
        function = None if name.startswith("_") else getattr(xp, name)
        if not callable(function) or isinstance(function, type):
            continue
        try:
            with np.errstate(all="ignore"):
                result = function(x)
        except (MissingRuleError, TypeError, ValueError, AttributeError):
            continue
        parts = result if isinstance(result, tuple) else (result,)
        real = [p for p in parts if hasattr(p, "dtype") and np.isdtype(p.dtype, "real floating")]
        is_lost = not all(isinstance(p, tape.Traced) for p in real)
        is_constant = name in rules_constant.RULES and len(parts) == 1
        assert not is_lost or is_constant, name


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
    _, _, (ga, gb) = owned_tape.value_and_grad(
        lambda xs: (space(xs[0]).sum(space(xs[0]).linalg.weigh(*xs)), ())
    )((a, b))
    assert ga.tolist() == [[8.0]] * 3
    assert gb.tolist() == [3.0] * 4
