"""NumPy's formulas of the activations: against the portable bodies and fifty digits, in pieces, in place, and on the tape."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest

import multimlp as mm
from multimlp import activations, tape
from multimlp.backend import OPS, load_backend
from multimlp.backends.numpy.activations import CACHE, FORMULAS, PAIRS, elementwise, paired

VARIANTS: dict[str, list[dict[str, Any]]] = {
    "leaky_relu": [{"negative_slope": 0.25}, {"negative_slope": -0.5}, {"negative_slope": 0.0}],
    "prelu": [{"alpha": 3.0}],
    "elu": [{"alpha": 0.5}, {"alpha": -2.0}],
    "celu": [{"alpha": 2.0}, {"alpha": -0.5}],
    "swish": [{"beta": 1.5}, {"beta": -2.0}, {"beta": 0.0}],
    "gelu": [{"approximate": "tanh"}],
    "softshrink": [{"lambd": 2.0}],
    "hardshrink": [{"lambd": 2.0}],
    "threshold": [{"threshold": 1.0, "value": 1.0}],
}
CASES = [
    pytest.param(name, options, id="-".join([name, *map(str, options.values())]))
    for name in FORMULAS
    for options in ({}, *VARIANTS.get(name.removesuffix("_derivative"), ()))
]
every_case = pytest.mark.parametrize(("name", "options"), CASES)
every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])
OVERFLOWS = ("relu_squared", "swish", "leaky_relu", "prelu", "selu", "celu")
"""Results, or beta times x, which are too large."""


def finite_points(dtype: Any) -> np.ndarray:
    """Where formulas change, both tails down to subnormal results, subnormal and the largest numbers; random ones."""
    info, random = np.finfo(dtype), np.random.default_rng(5)
    sizes = (
        *(0.0, info.smallest_subnormal, info.tiny, 1e-20, 1e-8, 1e-3, 0.5, 1, 2, 3, 6),
        *(7.5, 25, 30, 40, 42, 1e4, 1e19, info.max),
    )
    sizes = np.asarray(sizes, dtype=dtype)
    sizes = np.concatenate([sizes, np.nextafter(sizes[:-1], dtype(np.inf)), np.nextafter(sizes, dtype(-1))])
    tail = np.linspace(0, 800, 1601)
    drawn = np.concatenate([random.normal(scale=3, size=400), random.uniform(-20, 20, 400)])
    return np.concatenate([sizes, -sizes, tail, -tail, drawn]).astype(dtype)


def points(dtype: Any) -> np.ndarray:
    return np.concatenate([finite_points(dtype), np.asarray([np.inf, -np.inf, np.nan], dtype=dtype)])


@every_case
@every_dtype
def test_a_formula_agrees_with_the_portable_body(name: str, options: dict[str, Any], dtype: Any) -> None:
    x, kernel = points(dtype), elementwise(FORMULAS[name])
    before = x.copy()
    with np.errstate(all="ignore"):
        got, wanted = kernel(x, **options), OPS[name].portable(x, **options)
        assert got.dtype == dtype
        np.testing.assert_array_equal(x, before)
        np.testing.assert_array_equal(np.isnan(got), np.isnan(wanted))
        np.testing.assert_array_equal(np.isinf(got), np.isinf(wanted))
        if not name.endswith("_derivative"):  # no -0 that the portable body has not
            assert not np.any((got == 0) & np.signbit(got) & ~np.signbit(wanted))
        size = np.maximum(1, np.abs(wanted))
        off = np.where(np.isfinite(wanted), np.abs(got - wanted) / size, 0)
        assert np.max(off) <= 3 * np.finfo(dtype).eps, x[np.argmax(off)]
        # What is small in the tails, relative to itself: with as many eps as the exponent, whose rounding counts, is large.
        sensitivity = 6 + 2 * np.minimum(np.abs(x) ** 3, 800)
        small = (np.abs(x) > 8) & (np.abs(wanted) < 1e-3) & (np.abs(wanted) > np.finfo(dtype).tiny * 2**20)
        off = np.abs(got - wanted)[small] / np.abs(wanted[small]) / sensitivity[small]
        assert off.size == 0 or np.max(off) <= np.finfo(dtype).eps, x[small][np.argmax(off)]


@every_case
@every_dtype
def test_a_formula_says_nothing_of_finite_numbers(name: str, options: dict[str, Any], dtype: Any) -> None:
    with np.errstate(
        all="raise",
        under="ignore",
        over="ignore" if name.removesuffix("_derivative") in OVERFLOWS else "raise",
    ):
        elementwise(FORMULAS[name])(finite_points(dtype), **options)


@every_dtype
@pytest.mark.parametrize("order", [0, 1])
def test_gelu_against_fifty_digits(order: int, dtype: Any) -> None:
    """What parity compares are arrays so small that the portable form serves."""
    x, eps = finite_points(dtype), float(np.finfo(dtype).eps)
    x = x[(np.abs(x) < 60) & (np.abs(x) > 1e-30)]
    got = elementwise(FORMULAS["gelu_derivative" if order else "gelu"])(x)
    for at, value in zip(x.tolist(), got.tolist(), strict=True):
        at = mpmath.mpf(at)
        phi = mpmath.exp(-at * at / 2) / mpmath.sqrt(2 * mpmath.pi)
        derivatives = [at * mpmath.ncdf(at), mpmath.ncdf(at) + at * phi, phi * (2 - at * at)]
        wanted, slope = derivatives[order], derivatives[order + 1]
        off = abs(value - wanted)
        assert off <= 2 * eps * max(1, abs(wanted)), at
        if max(abs(wanted), abs(at * slope)) > float(np.finfo(dtype).tiny) * 2**20:
            assert off <= 6 * eps * max(abs(wanted), abs(at * slope)), at


# ---- pieces and layouts --------------------------------------------------------------------------------------------------


@every_dtype
@pytest.mark.parametrize("name", ["gelu", "silu_derivative", "hard_swish_derivative", "relu6"])
def test_large_arrays_are_computed_piece_by_piece(name: str, dtype: Any) -> None:
    kernel, size = elementwise(FORMULAS[name]), CACHE // 2 // np.dtype(dtype).itemsize
    x = np.random.default_rng(1).normal(scale=3, size=2 * size + 22 - (2 * size + 22) % 6).astype(dtype)
    whole = kernel(x)
    np.testing.assert_allclose(whole, np.concatenate([kernel(x[:7]), kernel(x[7:])]), rtol=1e-5, atol=1e-6)
    for view in (
        x[::2],
        x[::-1],
        x.reshape(2, -1)[:, 3:],
        x.reshape(2, -1).T,
        x.reshape(2, 3, -1).swapaxes(0, 2),
    ):
        got = kernel(view)
        assert got.shape == view.shape
        assert got.flags.f_contiguous == view.flags.f_contiguous or not view.flags.f_contiguous
        np.testing.assert_allclose(got, kernel(view.copy()), rtol=1e-5, atol=1e-6)
    broadcast = np.broadcast_to(x[:5], (size, 5))
    np.testing.assert_allclose(kernel(broadcast)[-1], kernel(x[:5]), rtol=1e-5, atol=1e-6)
    assert kernel(np.empty((3, 0), dtype=dtype)).shape == (3, 0)


class Subclass(np.ndarray):
    pass


@pytest.mark.parametrize(
    "x",
    [
        np.ones(3, dtype=np.float16),
        np.asarray(1.0),
        np.float64(1.0),
        np.ones(3, dtype=np.longdouble),
        np.ones(3, dtype=np.dtype(np.float32).newbyteorder()),
        np.ma.masked_array(np.ones(3), mask=[True, False, False]),
        np.ones(3).view(Subclass),
    ],
    ids=lambda x: f"{type(x).__name__}-{x.dtype}",
)
def test_what_a_formula_does_not_cover(x: Any) -> None:
    assert elementwise(FORMULAS["silu"])(x) is NotImplemented
    expected = activations.silu.portable(x)
    assert type(activations.silu(x)) is type(expected)
    np.testing.assert_array_equal(np.asarray(activations.silu(x)), np.asarray(expected))


def test_options_that_are_arrays_are_the_portable_bodys() -> None:
    x, slope = np.asarray([-2.0, 1.0]), np.asarray([0.5, 3.0])
    assert elementwise(FORMULAS["leaky_relu"])(x, slope) is NotImplemented
    assert activations.leaky_relu(x, slope).tolist() == [-1.0, 1.0]
    assert elementwise(FORMULAS["threshold"])(x, threshold=1.0) is NotImplemented
    assert activations.threshold(x, 1.0, 7.0).tolist() == [7.0, 7.0]


# ---- in place, for training ----------------------------------------------------------------------------------------------


def _views(dtype: Any) -> list[np.ndarray]:
    """A vector of several pieces; members without a gap between them alone, small and larger than a piece."""
    size, random = CACHE // 4 // np.dtype(dtype).itemsize, np.random.default_rng(2)
    shapes = ((2, 3), (1, 2 * size + 5), (5, 4, size // 16), (2, 3, size))
    return [
        random.normal(scale=2, size=shape).astype(dtype)[..., : shape[-2] - 1 or 1, :] for shape in shapes
    ]


@every_dtype
@pytest.mark.parametrize(("name", "options"), [c for c in CASES if not c.values[0].endswith("_derivative")])
def test_value_and_derivative_in_place(name: str, options: dict[str, Any], dtype: Any) -> None:
    derivative = activations.derivative(name)
    for x in _views(dtype):
        wanted, wanted_slope = OPS[name].portable(x, **options), derivative.portable(x, **options)
        y, slope = np.array(np.broadcast_to(x, (2, *x.shape)))[0], np.empty(x.shape, dtype)
        holder = np.concatenate([y, y[..., :1, :]], axis=-2)
        y = holder[..., :-1, :]  # as in training, where a row of ones follows
        call = paired(name, y, slope, options)
        if name == "threshold" and len(set(options.values())) > 1:
            assert call is None
            return
        assert call is not None
        call()
        tolerance = 3 * np.finfo(dtype).eps
        np.testing.assert_allclose(y, wanted, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(slope, wanted_slope, rtol=tolerance, atol=tolerance)
        np.testing.assert_array_equal(holder[..., -1, :], x[..., 0, :])


def test_what_has_no_formula_is_not_paired() -> None:
    x = np.ones((2, 3))
    assert paired("squareplus", x, np.empty_like(x), {}) is None
    assert paired("threshold", x, np.empty_like(x), {"threshold": 1.0}) is None
    assert PAIRS.keys() <= FORMULAS.keys()


def test_a_kernel_of_the_users_is_not_passed_over_in_training() -> None:
    kernels: Any = load_backend("numpy").inplace_kernels("float64", None)
    y, d = np.ones((2, 3)), np.ones((2, 3))
    assert kernels.activation(activations.silu, y, d) is not None
    activations.silu.kernel("numpy")(activations.silu.portable)
    try:
        assert kernels.activation(activations.silu, y, d) is None
    finally:
        activations.silu.remove_kernel("numpy")


# ---- on the tape -----------------------------------------------------------------------------------------------------------

BY_NAME = [c for c in CASES if f"{c.values[0]}_derivative" in FORMULAS]


@pytest.mark.parametrize(("name", "options"), BY_NAME)
def test_it_is_one_operation_with_the_derivatives_of_the_portable_body(
    name: str, options: dict[str, Any]
) -> None:
    function, x = activations.get(name), np.random.default_rng(3).normal(scale=2, size=50)
    leaf = tape.traced_type(load_backend("numpy"))(x, 1)
    node = function(leaf, **options)
    assert [parent is leaf.node for parent in node.node[2]] == [True]
    if options:  # by position too
        assert [parent is leaf.node for parent in function(leaf, *options.values()).node[2]] == [True]
    ours, portable = (lambda x, f=f: f(x, **options) for f in (function, function.portable))
    for order in range(1, 4):
        ours, portable = mm.elementwise_grad(ours), mm.elementwise_grad(portable)
        got, wanted = ours(x), portable(x)
        off = np.abs(got - wanted) / np.maximum(1, np.abs(wanted))
        assert np.max(off) <= 20**order * np.finfo(x.dtype).eps, (order, x[np.argmax(off)])


def test_what_is_differentiated_in_its_options_stays_portable() -> None:
    x = np.asarray([-1.0, 2.0])

    def f(x: Any, alpha: Any) -> Any:
        return mm.array_namespace(x).sum(activations.elu(x, alpha) * activations.elu(x, 2.0))

    dx, dalpha = mm.grad(f, argnums=(0, 1))(x, np.asarray(0.5))
    e, e2 = np.expm1(-1.0), 2 * np.expm1(-1.0)
    np.testing.assert_allclose(dalpha, e * e2)
    np.testing.assert_allclose(dx, [0.5 * np.exp(-1) * e2 + 0.5 * e * 2 * np.exp(-1), 4.0])


def test_transforms_go_through_the_one_operation() -> None:
    x, v = np.asarray([-1.5, 0.25, 2.0]), np.asarray([1.0, -2.0, 0.5])

    def total(x: Any) -> Any:
        return mm.array_namespace(x).sum(activations.gelu(x) * activations.silu(x))

    def portable(x: Any) -> Any:
        return mm.array_namespace(x).sum(activations.gelu.portable(x) * activations.silu.portable(x))

    np.testing.assert_allclose(mm.hessian(total)(x), mm.hessian(portable)(x), rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(mm.hvp(total, (x,), (v,)), mm.hvp(portable, (x,), (v,)), rtol=1e-13)
    rows = np.stack([x, v])
    np.testing.assert_allclose(mm.vmap(mm.grad(total))(rows), mm.vmap(mm.grad(portable))(rows), rtol=1e-13)
    nested = mm.grad(lambda x: mm.array_namespace(x).sum(x * mm.grad(total)(x)))
    reference = mm.grad(lambda x: mm.array_namespace(x).sum(x * mm.grad(portable)(x)))
    np.testing.assert_allclose(nested(x), reference(x), rtol=1e-13)


def test_libraries_without_kernels_of_the_derivatives_record_the_portable_body() -> None:
    backend = load_backend("strict")
    leaf = tape.traced_type(backend)(backend.asarray([1.0, 2.0], dtype="float64"), 1)
    assert all(parent is not leaf.node for parent in activations.silu(leaf).node[2])
