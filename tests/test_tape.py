"""The tape itself: nested levels, the three transforms, memory, deep loops."""

from __future__ import annotations

import math
import sys
import weakref
from typing import Any

import array_api_strict
import numpy as np
import owned_tape
import pytest

from multimlp import tape
from multimlp.backend import array_namespace, load_backend

LIBRARIES = pytest.mark.parametrize(
    "asarray", [np.asarray, array_api_strict.asarray], ids=["numpy", "strict"]
)


def space(x: Any) -> Any:
    return array_namespace(x)


def grad(function: Any) -> Any:
    """The derivative of a function of one array with a scalar value."""
    return lambda x: owned_tape.value_and_grad(lambda xs: (function(xs[0]), ()))((x,))[2][0]


def slope(function: Any) -> Any:
    """The element-wise derivative of an element-wise function."""
    return grad(lambda x: space(x).sum(function(space(x), x)))


def numbers(x: Any) -> list[Any]:
    return np.asarray(np.from_dlpack(x) if not isinstance(x, (np.ndarray, np.generic)) else x).tolist()


def traced_array(x: Any) -> Any:
    """An array traced at a level of its own."""
    kept: list[Any] = []
    owned_tape.value_and_grad(lambda xs: (kept.append(xs[0]) or space(x).sum(x), ()))((x,))
    return kept[0]


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
    (product, total, _), pullback = owned_tape.vjp(
        lambda xs: (xs[0] * xs[1], xs[0] + xs[1], np.ones(3)), (x, y)
    )
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
    outputs, pullback = owned_tape.vjp(lambda xs: (xs[0], xs[0]), (x,))
    assert outputs[0] is x
    assert pullback((np.ones(2), np.full(2, 3.0)))[0].tolist() == [4.0, 4.0]


def test_jvp_of_several_outputs() -> None:
    def function(xs: Any) -> Any:
        (x,) = xs
        return x * x, space(x).argmax(x), np.ones(2), space(x).sum(x)

    outputs, tangents = owned_tape.jvp(function, (np.asarray([1.0, 4.0]),), (np.asarray([1.0, 0.5]),))
    assert outputs[0].tolist() == [1.0, 16.0]
    assert outputs[1] == 1
    assert tangents[0].tolist() == [2.0, 4.0]
    assert [tangents[1], tangents[2].tolist(), tangents[3]] == [0, [0.0, 0.0], 1.5]


def test_jvp_inside_a_gradient() -> None:
    """d/dx (d/dx x³ along 1) = 6 x."""
    along = lambda x: owned_tape.jvp(lambda xs: (xs[0] * xs[0] * xs[0],), (x,), (np.asarray(1.0),))[1][0]  # noqa: E731
    assert grad(along)(np.asarray(2.0)) == 12.0


def test_any_precision() -> None:
    """The rules hold beyond float64: a third derivative to 40 digits, against mpmath's Taylor series."""
    mpmath = pytest.importorskip("mpmath")
    backend = load_backend("mpmath")

    def function(x: Any) -> Any:
        xp = space(x)
        return xp.tanh(x) * xp.exp(x) / xp.sqrt(x)

    point = mpmath.mpf("0.7")
    with mpmath.workdps(70):
        series = mpmath.taylor(lambda t: mpmath.tanh(t) * mpmath.exp(t) / mpmath.sqrt(t), point, 3)
        expected = 6 * series[3]
    third = grad(grad(grad(function)))(backend.asarray([point])[0])
    assert abs(third.data.item() - expected) < abs(expected) * mpmath.mpf(10) ** -40


def test_value_auxiliary_and_unused_arguments() -> None:
    def function(xs: Any) -> Any:
        return xs[0] * xs[0], (xs[0] + 1.0, "label", xs[1])

    unused = np.ones((2, 3), dtype="float32")
    value, (plus, label, same), (used, zeros) = owned_tape.value_and_grad(function)((np.asarray(3.0), unused))
    assert (value, plus, label, used) == (9.0, 4.0, "label", 6.0)
    assert same is unused
    assert zeros.shape == (2, 3)
    assert zeros.dtype == unused.dtype
    assert not zeros.any()
    assert owned_tape.value_and_grad(lambda xs: (np.asarray(1.0), ()))((unused,))[2][0].shape == (2, 3)


@LIBRARIES
def test_gradients_are_the_callers_own(asarray: Any) -> None:
    """Rules hand on one cotangent to two arguments, or a view of it; whoever writes into a gradient changes that alone."""
    x, y = asarray([1.0, 2.0]), asarray([3.0, 4.0])
    _, _, (a, b) = owned_tape.value_and_grad(lambda xs: (space(x).sum(xs[0] + xs[1]), ()))((x, y))
    a[...] = 5.0
    assert numbers(b) == [1.0, 1.0]
    given = asarray([1.0, 10.0])
    _, pullback = owned_tape.vjp(lambda xs: (xs[0] + xs[1], space(x).flip(xs[0])), (x, y))
    for g in pullback((given, given)):
        g[...] = 7.0
    assert numbers(given) == [1.0, 10.0]
    many = space(x).zeros(5000, dtype=x.dtype)
    _, _, (g,) = owned_tape.value_and_grad(lambda xs: (space(x).sum(xs[0]), ()))((many,))
    g[0] = 3.0
    assert numbers(g[:2]) == [3.0, 1.0]


@LIBRARIES
def test_products_without_elements_have_gradients(asarray: Any) -> None:
    xp = space(asarray([1.0]))
    for rows, inner, columns in ((3, 0, 4), (3, 4, 0), (0, 4, 2)):
        a, b = xp.zeros((2, rows, inner)), xp.zeros((inner, columns))
        total = owned_tape.value_and_grad(lambda xs: (space(xs[0]).sum(space(xs[0]).matmul(*xs)), ()))
        _, _, (g, h) = total((a, b))
        assert (g.shape, h.shape) == (a.shape, b.shape)


def test_axes_and_shifts_may_be_numbers_of_numpy() -> None:
    one, x = np.int64(1), np.arange(6.0).reshape(2, 3)
    for function in (
        lambda x: space(x).sum(x, axis=one),
        lambda x: space(x).max(x, axis=one),
        lambda x: space(x).prod(x, axis=one),
        lambda x: space(x).linalg.vector_norm(x, axis=one),
        lambda x: space(x).roll(x, one, axis=one),
        lambda x: space(x).cumulative_sum(x, axis=one),
    ):
        found = grad(lambda x: space(x).sum(function(x) ** 2))(x)  # noqa: B023
        assert found.shape == x.shape


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

    owned_tape.value_and_grad(function)((np.ones(10),))
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
    _, pullback = owned_tape.vjp(lambda xs: (chain(xs[0]),), (x,))
    assert float(pullback((x,))[0]) == 2 * (1 + steps / 4)


def test_wide_sharing_costs_one_visit_a_node() -> None:
    """2**60 paths lead from the result to the argument, through 60 nodes."""

    def double(x: Any) -> Any:
        for _ in range(60):
            x = x + x
        return x

    assert grad(double)(np.asarray(1.0)) == 2.0**60
