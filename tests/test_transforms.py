"""Transforms on every backend against derivatives known in closed form, nested in each other, and their errors."""

import math
from typing import NamedTuple

import numpy as np
import pytest

from multimlp import transforms as mm
from multimlp import tree
from multimlp import xp as everywhere
from multimlp.backend import array_namespace, use_backend
from multimlp.errors import (
    CapabilityError,
    DTypeError,
    InputError,
    MixedBackendsError,
    NonScalarError,
    NotDifferentiableError,
    ShapeError,
)

X = np.asarray([1.0, 2.0, -0.5])
EXP = np.exp(X)


def xp_of(*arrays):
    return array_namespace(*arrays)


def place_of_largest(x):
    """1, with an axis for each that it was looked for along."""
    xp = xp_of(x)
    pair = xp.stack([x, x + 1.0])
    return xp.astype(xp.argmax(xp.stack([pair, pair]), keepdims=True), x.dtype)


def total(x):
    """sum(x e^x): gradient (1 + x) e^x, Hessian diag((2 + x) e^x)."""
    xp = xp_of(x)
    return xp.sum(xp.multiply(xp.exp(x), x))


def cube(x):
    return xp_of(x).multiply(xp_of(x).multiply(x, x), x)


def jit(backend, f):
    """Compile with what takes milliseconds; inductor has a test of its own."""
    return mm.jit(f, compiler="eager" if backend.name == "torch" else None)


CASES = {
    "grad": (lambda b: mm.grad(total), (1 + X) * EXP),
    "grad of grad": (
        lambda b: mm.grad(lambda x: xp_of(x).sum(mm.grad(total)(x))),
        (2 + X) * EXP,
    ),
    "third order": (
        lambda b: mm.grad(lambda x: xp_of(x).sum(mm.grad(lambda z: xp_of(z).sum(mm.grad(total)(z)))(x))),
        (3 + X) * EXP,
    ),
    "hessian": (lambda b: mm.hessian(total), np.diag((2 + X) * EXP)),
    "hvp": (lambda b: lambda x: mm.hvp(total, (x,), (x,)), X * (2 + X) * EXP),
    "jvp": (lambda b: lambda x: mm.jvp(total, (x,), (x,))[1], np.sum(X * (1 + X) * EXP)),
    "vjp": (lambda b: lambda x: mm.vjp(cube, x)[1](x)[0], 3 * X**3),
    "jacobian": (lambda b: mm.jacobian(cube), np.diag(3 * X**2)),
    "vmap": (lambda b: mm.vmap(cube), X**3),
    "vmap of grad": (lambda b: mm.vmap(mm.grad(cube)), 3 * X**2),
    "vmap of hessian": (lambda b: mm.vmap(mm.hessian(cube)), 6 * X),
    "vmap of argmax over all axes": (lambda b: mm.vmap(place_of_largest), np.ones((3, 1, 1))),
    "grad of vmap": (lambda b: mm.grad(lambda x: xp_of(x).sum(mm.vmap(cube)(x))), 3 * X**2),
    "jit": (lambda b: jit(b, cube), X**3),
    "jit of vmap of grad": (lambda b: jit(b, mm.vmap(mm.grad(cube))), 3 * X**2),
    "grad of jit": (lambda b: mm.grad(jit(b, total)), (1 + X) * EXP),
    "elementwise_grad": (lambda b: mm.elementwise_grad(cube), 3 * X**2),
    "elementwise_grad twice": (lambda b: mm.elementwise_grad(mm.elementwise_grad(cube)), 6 * X),
    "stop_gradient": (
        lambda b: mm.grad(lambda x: xp_of(x).sum(xp_of(x).multiply(x, mm.stop_gradient(x)))),
        X,
    ),
    "grad of scan": (
        lambda b: mm.grad(lambda x: mm.scan(lambda c, item: (c + cube(item), c), 0 * x[0], x)[0]),
        3 * X**2,
    ),
    "jvp of grad": (lambda b: lambda x: mm.jvp(mm.grad(total), (x,), (x,))[1], X * (2 + X) * EXP),
}


@pytest.mark.parametrize("case", CASES)
def test_against_the_closed_form(backend, case):
    make, expected = CASES[case]
    result = make(backend)(backend.asarray(X, dtype="float64"))
    assert backend.is_array_type(type(result))
    np.testing.assert_allclose(backend.to_numpy(result), expected, rtol=1e-13, atol=1e-14)


def test_perturbations_are_not_confused(backend):
    """d/dx [x d/dy (x + y)] = 1, not 2: the classical trap of nested differentiation (Siskind and Pearlmutter 2005)."""
    one = backend.asarray(1.0, dtype="float64")
    result = mm.grad(lambda x: xp_of(x).multiply(x, mm.grad(lambda y: x + y)(one)))(one)
    assert float(result) == 1.0


class Layer(NamedTuple):
    weight: object
    bias: object


def test_trees_argnums_and_aux(backend):
    layer = {
        "a": Layer(backend.asarray(X, dtype="float64"), None),
        "b": [backend.asarray(2.0, dtype="float64")],
    }

    def f(factor, tree_, label):
        xp = xp_of(tree_["a"].weight)
        value = xp.multiply(factor, xp.sum(xp.multiply(tree_["a"].weight, tree_["b"][0])))
        return value, {"label": label, "twice": value + value}

    three = backend.asarray(3.0, dtype="float64")
    (value, aux), (d_factor, d_tree) = mm.value_and_grad(f, argnums=(0, 1), has_aux=True)(
        three, layer, "kept"
    )
    assert float(value) == 3 * 2 * X.sum()
    assert aux["label"] == "kept"
    assert float(aux["twice"]) == 2 * float(value)
    assert float(d_factor) == 2 * X.sum()
    assert isinstance(d_tree["a"], Layer)
    assert d_tree["a"].bias is None
    np.testing.assert_array_equal(backend.to_numpy(d_tree["a"].weight), np.full(3, 6.0))
    assert float(d_tree["b"][0]) == 3 * X.sum()


def test_an_input_that_does_not_matter_gets_zeros(backend):
    x = backend.asarray(X, dtype="float64")
    gradient = mm.grad(lambda x, y: xp_of(x).sum(x), argnums=1)(x, x)
    np.testing.assert_array_equal(backend.to_numpy(gradient), np.zeros(3))


def test_python_floats_are_arrays_of_the_selected_backend():
    assert float(mm.grad(lambda x: x * x)(3.0)) == 6.0


def test_float32_stays_float32(backend):
    x = backend.asarray(X, dtype="float32")
    for result in (mm.grad(total)(x), mm.hessian(total)(x), mm.vmap(cube)(x), jit(backend, cube)(x)):
        assert backend.dtype_name(result.dtype) == "float32"


def test_vmap_axes(backend):
    matrix = backend.asarray(np.arange(6.0).reshape(2, 3), dtype="float64")
    vector = backend.asarray(np.asarray([1.0, 10.0]), dtype="float64")
    dot = mm.vmap(lambda column, w: xp_of(column).sum(xp_of(column).multiply(column, w)), in_axes=(1, None))
    np.testing.assert_array_equal(backend.to_numpy(dot(matrix, vector)), [30.0, 41.0, 52.0])
    doubled = mm.vmap(lambda column: column + column, in_axes=1, out_axes=1)
    np.testing.assert_array_equal(backend.to_numpy(doubled(matrix)), 2 * np.arange(6.0).reshape(2, 3))


# name: (a function of two arrays, their shapes); two rows are mapped, as many as other axes are long
MAPPED = {
    "solve": (lambda xp, a, c: xp.linalg.solve(a, c), (2, 2), (2, 2)),
    "solve for a vector": (lambda xp, a, c: xp.linalg.solve(a, c), (2, 2), (2,)),
    "solve a stack": (lambda xp, a, c: xp.linalg.solve(a, c), (2, 3, 3), (3, 2)),
    "solve a stack for a square": (lambda xp, a, c: xp.linalg.solve(a, c), (2, 2, 2), (2, 2)),
    "solve a stack for a vector": (lambda xp, a, c: xp.linalg.solve(a, c), (2, 3, 3), (3,)),
    "vecdot": (lambda xp, a, c: xp.vecdot(a, c), (2, 3), (3,)),
    "vecdot along another axis": (lambda xp, a, c: xp.vecdot(a, c, axis=-2), (2, 3, 1), (3, 2)),
    "linalg.vecdot": (lambda xp, a, c: xp.linalg.vecdot(a, c), (2, 3), (3,)),
    "moveaxis": (lambda xp, a, c: xp.moveaxis(a, 0, -1) * c, (3, 2, 2), (3,)),
    "unstack": (lambda xp, a, c: xp.unstack(a, axis=-1)[1] * c, (3, 2), (3,)),
}


@pytest.mark.parametrize("name", MAPPED)
def test_vmap_is_a_loop_where_rows_look_like_other_axes(backend, name):
    function, first, second = MAPPED[name]
    rng = np.random.default_rng(0)
    given = rng.standard_normal((2, *first)), rng.standard_normal((2, *second))
    f = lambda a, c: function(xp_of(a, c), a, c)  # noqa: E731
    for axes in ((0, 0), (0, None), (None, 0), (-1, 0)):
        rows = [x[0] if axis is None else x for x, axis in zip(given, axes, strict=True)]
        wanted = [
            f(*(x if axis is None else x[i] for x, axis in zip(rows, axes, strict=True))) for i in range(2)
        ]
        arrays = [
            backend.asarray(np.moveaxis(x, 0, axis or 0) if axis else x, dtype="float64")
            for x, axis in zip(rows, axes, strict=True)
        ]
        found = backend.to_numpy(mm.vmap(f, in_axes=axes)(*arrays))
        np.testing.assert_allclose(found, np.stack(wanted), rtol=1e-11, atol=1e-12)


def test_vmap_within_vmap_along_other_axes(backend):
    x = np.arange(24.0).reshape(2, 3, 4)
    inner = mm.vmap(lambda v: v * xp_of(v).sum(v), in_axes=1, out_axes=1)
    found = mm.vmap(inner)(backend.asarray(x))
    np.testing.assert_array_equal(backend.to_numpy(found), x * x.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("axis", [0, -1])
@pytest.mark.parametrize("shape", [(), (4,), (2, 3)])
def test_take_at_indices_of_any_number_of_axes(backend, shape, axis):
    """Torch's own takes one, and under vmap makes a result of a wrong shape where there is none."""
    if backend.name == "strict" and len(shape) != 1:
        pytest.skip("the standard's has one axis")
    table = np.arange(12.0).reshape(4, 3)
    places = np.asarray([[1, -1, 0, 2, 2, -3], [0, 1, -2, 1, 1, 0]])[:, : math.prod(shape)].reshape(2, *shape)
    wanted = np.stack([np.take(table, one, axis=axis) for one in places])
    x, indices = backend.asarray(table), backend.asarray(places)
    take = lambda x, i: xp_of(x, i).take(x, i, axis=axis)  # noqa: E731
    np.testing.assert_array_equal(backend.to_numpy(take(x, indices[0, ...])), wanted[0])
    with backend.scope_of(x):
        np.testing.assert_array_equal(backend.to_numpy(mm.vmap(take, in_axes=(None, 0))(x, indices)), wanted)
        slopes = mm.grad(lambda x: xp_of(x).sum(mm.vmap(take, in_axes=(None, 0))(x, indices)))(x)
    counts = np.zeros_like(table)
    np.add.at(np.moveaxis(counts, axis, 0), places.reshape(-1), 1.0)
    np.testing.assert_array_equal(backend.to_numpy(slopes), counts)


def test_vjp_with_aux_and_two_calls(backend):
    x = backend.asarray(X, dtype="float64")
    outputs, pullback, aux = mm.vjp(lambda x: (cube(x), {"sum": xp_of(x).sum(x)}), x, has_aux=True)
    np.testing.assert_allclose(backend.to_numpy(outputs), X**3)
    assert float(aux["sum"]) == X.sum()
    for _ in range(2):
        np.testing.assert_allclose(backend.to_numpy(pullback(x)[0]), 3 * X**3)


def test_jacobian_of_trees(backend):
    x = backend.asarray(np.ones((2, 2)), dtype="float64")
    y = backend.asarray(2.0, dtype="float64")
    result = mm.jacobian(lambda x, y: {"p": xp_of(x).multiply(x, y)}, argnums=(0, 1))(x, y)
    assert tuple(result["p"][0].shape) == (2, 2, 2, 2)
    np.testing.assert_array_equal(backend.to_numpy(result["p"][1]), np.ones((2, 2)))
    np.testing.assert_array_equal(backend.to_numpy(result["p"][0]).reshape(4, 4), 2 * np.eye(4))


def test_scan_collects(backend):
    items = backend.asarray(np.arange(4.0), dtype="float64")
    carry, rows = mm.scan(lambda c, x: (c + x, {"before": c, "double": x + x}), items[0], items)
    assert float(carry) == 6.0
    np.testing.assert_array_equal(backend.to_numpy(rows["before"]), [0.0, 0.0, 1.0, 3.0])
    np.testing.assert_array_equal(backend.to_numpy(rows["double"]), [0.0, 2.0, 4.0, 6.0])


def test_jit_compiles_again_for_another_constant(backend):
    f = jit(backend, lambda x, n, name: sum([x] * n) if name == "sum" else x)
    x = backend.asarray(X, dtype="float64")
    np.testing.assert_array_equal(backend.to_numpy(f(x, 3, "sum")), 3 * X)
    np.testing.assert_array_equal(backend.to_numpy(f(x, 2, "sum")), 2 * X)
    np.testing.assert_array_equal(backend.to_numpy(f(x, 2, "other")), X)


def test_jit_traces_once_per_shape(backend):
    if not backend.capabilities.compilers or backend.name == "torch":
        pytest.skip("no tracing compiler, or one whose tracing is its own affair")
    calls = []
    f = mm.jit(lambda x: calls.append(1) or cube(x))
    for size in (2, 3, 2, 3):
        f(backend.asarray(np.ones(size), dtype="float32"))
    assert len(calls) == 2


def test_jit_compiles_again_for_what_is_selected(backend):
    """Arrays that the function makes have the selected dtype, compiled as eager."""
    f = jit(backend, lambda x: everywhere.ones((3,)) + 0.0 * everywhere.astype(x, everywhere.ones(()).dtype))
    x = backend.asarray(X, dtype="float64")
    for dtype in ("float32", "float64", "float32"):
        with use_backend(backend.name, dtype=dtype):
            assert backend.dtype_name(f(x).dtype) == dtype


def test_jit_tells_trees_of_arrays_apart(backend):
    x = backend.asarray([1.0, 2.0])
    arguments = [
        (x, x),
        ((x, x),),
        ([x, x],),
        ((x, x), None),
        (None, x, x),
        ({"a": x, "b": x},),
        ({"b": x, "a": x},),
        ([[x], [x]],),
    ]
    program = mm.jit(lambda *args: [str(tree.structure(args)), args])
    for _ in range(2):
        for args in arguments:
            said, returned = program(*args)
            assert said == tree.structure(args) == tree.structure(returned)
            assert [*map(type, returned)] == [*map(type, args)]


def test_jit_tells_zeros_apart(backend):
    f = mm.jit(lambda sign, x: x if math.copysign(1.0, sign) > 0 else -x, static_argnums=0)
    x = backend.asarray(X, dtype="float64")
    for sign in (0.0, -0.0, 0.0):
        expected = X if math.copysign(1.0, sign) > 0 else -X
        np.testing.assert_array_equal(backend.to_numpy(f(sign, x)), expected)


def test_what_is_not_compiled_returns_what_the_function_returns():
    """Numbers beside arrays are those of the call, whichever thread makes another one meanwhile."""
    results = []
    f = mm.jit(lambda x: results.append({"x": x, "total": float(x.sum())}) or results[-1])
    assert f(X) is results[0]
    assert f(2 * X)["total"] == 2 * X.sum()


@pytest.mark.slow
def test_torch_inductor():
    torch = pytest.importorskip("torch")
    x = torch.asarray(X)
    np.testing.assert_allclose(mm.jit(mm.vmap(mm.grad(cube)))(x).numpy(), 3 * X**2, rtol=1e-14)


# ---- errors ------------------------------------------------------------------------------------------------------------


def test_non_scalar_output(backend):
    x = backend.asarray(X, dtype="float64")
    with pytest.raises(NonScalarError, match=r"must return a scalar.*got shape \(3,\)"):
        mm.grad(cube)(x)
    with pytest.raises(NonScalarError, match="has_aux=True"):
        mm.grad(lambda x: (total(x), 1))(x)
    with pytest.raises(NonScalarError, match="not an array"):
        mm.grad(lambda x: 1.0)(x)


def test_integer_and_foreign_inputs(backend):
    with pytest.raises(NotDifferentiableError, match="dtype int32"):
        mm.grad(total)(backend.asarray([1, 2], dtype="int32"))
    with pytest.raises(NotDifferentiableError, match="cannot differentiate with respect to 'text'"):
        mm.grad(lambda x, y: x, argnums=1)(backend.asarray(1.0), "text")


def test_mixed_dtypes(backend):
    narrow, wide = backend.asarray(X, dtype="float32"), backend.asarray(X, dtype="float64")
    with pytest.raises(DTypeError, match="float32 and float64"):
        mm.grad(lambda x, y: total(x))(narrow, wide)


def test_mixed_backends(training_backend):
    if training_backend.name == "numpy":
        pytest.skip("needs a second library")
    with pytest.raises(MixedBackendsError):
        mm.grad(lambda x, y: total(x))(training_backend.asarray(X), X)


ERRORS = {
    "argnums": (lambda x: mm.grad(total, argnums=2)(x), InputError, "argnums=2 does not fit"),
    "no aux": (lambda x: mm.grad(total, has_aux=True)(x), InputError, "must return"),
    "in_axes count": (lambda x: mm.vmap(cube, in_axes=(0, 0))(x), InputError, "2 entries for 1"),
    "in_axes range": (
        lambda x: mm.vmap(cube, in_axes=1)(x),
        ShapeError,
        r"does not fit an argument of shape \(3,\)",
    ),
    "in_axes none": (lambda x: mm.vmap(cube, in_axes=None)(x), InputError, "nothing to map"),
    "sizes": (lambda x: mm.vmap(lambda a, b: a)(x, x[:2]), ShapeError, "different sizes: 2, 3"),
    "tangent shape": (lambda x: mm.jvp(cube, (x,), (x[:2],)), ShapeError, r"tangent \[0\] has shape"),
    "scan length": (lambda x: mm.scan(lambda c, x: (c, x), x[0], x, length=7), ShapeError, "3, 7"),
    "compiler": (lambda x: mm.jit(cube, compiler="gcc")(x), CapabilityError, "'gcc' is not one of"),
    "unhashable": (lambda x: mm.jit(lambda x, y: x)(x, {1, 2}), InputError, "hashable"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors(backend, case):
    call, error, message = ERRORS[case]
    with pytest.raises(error, match=message):
        call(backend.asarray(X, dtype="float64"))


def test_trees_of_tangents_must_match(backend):
    x = backend.asarray(X, dtype="float64")
    with pytest.raises(InputError, match="different structure"):
        mm.jvp(lambda pair: pair[0], ((x, x),), (x,))
    assert tree.leaves(mm.jvp(lambda pair: pair[0], ((x, x),), ((x, x),)))
