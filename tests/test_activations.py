"""Every elementwise activation and its derivatives, on every library, against arbitrary precision."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from activation_reference import ELEMENTWISE, REFERENCES, Reference, error, expected, points
from libraries import COMPILED, NAMES, needs_numpy_2, run

import multimlp as mm
from multimlp import activations
from multimlp.backend import Array, array_namespace, owner
from multimlp.parity import textbook

every_reference = pytest.mark.parametrize("reference", REFERENCES, ids=lambda r: r.id)
every_dtype = pytest.mark.parametrize("dtype", [np.float64, np.float32])
every_library = pytest.mark.parametrize("library", NAMES)


def differentiated(f: Any) -> Any:
    """The elementwise derivative, by the library's own differentiation or the tape."""

    def derivative(x: Array) -> Array:
        _, pullback = owner(x).vjp(lambda xs: (f(xs[0]),), (x,))
        return pullback((array_namespace(x).ones_like(x),))[0]

    return derivative


def versions(reference: Reference) -> dict[str, tuple[Any, int]]:
    """Each way to compute a value or derivative, with the order of the derivative."""
    options = dict(reference.options)
    f, closed = activations.get(reference.name), activations.derivative(reference.name)

    def bind(function: Any) -> Any:
        return lambda x: function(x, **options)

    ways = {
        "value": (bind(f), 0),
        "portable value": (bind(f.portable), 0),
        "closed-form derivative": (bind(closed), 1),
        "differentiated": (differentiated(bind(f)), 1),
        "differentiated portable": (differentiated(bind(f.portable)), 1),
    }
    if reference.is_smooth:
        ways["differentiated twice"] = (differentiated(differentiated(bind(f))), 2)
        ways["closed form differentiated"] = (differentiated(bind(closed)), 2)
    return ways


def test_every_elementwise_activation_has_a_row_in_the_textbook() -> None:
    rows = set(textbook.ACTIVATIONS) - {"erf", "erfc"}
    missing = ", ".join(set(ELEMENTWISE) - rows)
    assert not missing, (
        f"{missing}: no row in multimlp.parity.textbook.ACTIVATIONS; state its formula there, apart from its code"
    )
    assert rows == set(ELEMENTWISE)


@every_reference
def test_defaults_are_those_of_the_textbook(reference: Reference) -> None:
    assert activations.describe(reference.name).options == reference.definition.options


@every_library
@every_reference
@every_dtype
def test_value_and_derivatives(library: str, reference: Reference, dtype: Any) -> None:
    x = points(dtype)
    for what, (function, order) in versions(reference).items():
        with np.errstate(over="ignore" if reference.name == "exponential" else "warn"):
            (got,) = run(library, function, x)
        assert got.dtype == dtype, what
        off = error(got, expected(reference, dtype, order))
        assert off <= reference.bound(order, library, dtype), (what, off)


@pytest.mark.parametrize("library", COMPILED)
@every_dtype
def test_compiled(library: str, dtype: Any) -> None:
    x = points(dtype)
    table = [(r, what, *way) for r in REFERENCES for what, way in versions(r).items() if what != "value"]
    results = run(library, lambda x: tuple(function(x) for _, _, function, _ in table), x, compiled=True)
    for (reference, what, _, order), got in zip(table, results, strict=True):
        off = error(got, expected(reference, dtype, order))
        assert off <= reference.bound(order, library, dtype), (reference.id, what, off)


@every_library
@every_reference
def test_infinities_nan_and_signed_zero(library: str, reference: Reference) -> None:
    options = dict(reference.options)
    f, closed = activations.get(reference.name), activations.derivative(reference.name)
    x = np.asarray([-np.inf, np.inf, np.nan, -0.0])
    with np.errstate(all="ignore"):
        (values,) = run(library, lambda x: f(x, **options), x)
        (slopes,) = run(library, lambda x: closed(x, **options), x[2:])
        (differentiated_slopes,) = run(library, differentiated(lambda x: f.portable(x, **options)), x[2:])
    np.testing.assert_allclose(values[:2], reference.limits, rtol=1e-15)
    assert np.isnan(values[2])
    assert values[3] == f(np.asarray(0.0), **options)
    np.testing.assert_allclose(slopes, differentiated_slopes, rtol=1e-14)


@every_reference
@every_dtype
def test_derivative_from_output(reference: Reference, dtype: Any) -> None:
    from_output = activations.configured(reference.name, **reference.options).derivative_from_output
    available = activations.describe(reference.name).from_output
    assert (from_output is None) == (available is None)
    if from_output is None:
        return
    x = points(dtype)
    with np.errstate(over="ignore"):
        got = from_output(activations.get(reference.name)(x, **reference.options))
    assert got.dtype == dtype
    assert error(got, expected(reference, dtype, 1)) <= max(2, 2 * reference.bound(1, "numpy", dtype))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("leaky_relu", {"negative_slope": 0.0}),
        ("leaky_relu", {"negative_slope": -0.1}),
        ("elu", {"alpha": -1.0}),
    ],
)
def test_no_derivative_from_output_where_the_output_does_not_determine_it(name: str, options: Any) -> None:
    assert activations.configured(name, **options).derivative_from_output is None


@every_reference
def test_kinks_are_where_the_derivative_jumps(reference: Reference) -> None:
    kinks = activations.describe(reference.name).kinks(**reference.options)
    assert kinks == reference.jumps(0, 1)


@needs_numpy_2
def test_shape_and_device_are_kept() -> None:
    for name in activations.names():
        if activations.describe(name).elementwise:
            for shape in ((), (0,), (2, 0, 3), (2, 3)):
                x = np.zeros(shape, dtype=np.float32)
                y = activations.get(name)(x)
                assert (y.shape, y.dtype) == (shape, np.float32), name


@pytest.mark.parametrize("name", ["relu", "relu6", "leaky_relu", "hard_sigmoid", "hard_swish", "hard_tanh"])
def test_second_derivatives_at_kinks_by_reverse_mode_twice(backend, name):
    """Of whole arrays, where a library's own rules of many elements are used; those of the tape are the specification's."""
    function, points = getattr(activations, name), np.asarray([-3.0, -1.0, 0.0, 1.0, 3.0, 6.0])
    slope = mm.grad(lambda x: mm.xp.sum(function(x)))
    second = mm.grad(lambda x: mm.xp.sum(slope(x)))
    found = backend.to_numpy(second(backend.asarray(points, dtype="float64")))
    np.testing.assert_allclose(found, second(points), atol=1e-12)
