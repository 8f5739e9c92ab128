"""Mistakes in the use of transforms: the same clear error on every backend."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

import multimlp as mm
from multimlp.backend import array_namespace as xp_of
from multimlp.backend import load_backend
from multimlp.errors import (
    CapabilityError,
    DifferentiationError,
    DTypeError,
    InputError,
    MixedBackendsError,
    NonScalarError,
    NotDifferentiableError,
    ShapeError,
    TracedValueError,
)
from multimlp.testing import check_grads


@pytest.fixture
def x(backend):
    return backend.asarray(np.asarray([1.0, 2.0]), dtype="float64")


def array(x, values, dtype="float64"):
    return mm.backend.owner(x).asarray(np.asarray(values), dtype=dtype)


# ---- tangents and cotangents


def both(x):
    return {"a": x * x, "b": xp_of(x).sum(x)}


WRONG = {
    "scalar": (lambda x: array(x, 1.0), ShapeError, r"shape \(\), its {of} \(2,\)"),
    "longer": (lambda x: array(x, [1.0, 1.0, 1.0]), ShapeError, r"shape \(3,\), its {of} \(2,\)"),
    "integers": (lambda x: array(x, [1, 1], "int32"), DTypeError, "dtype int32, its {of} float64"),
    "number": (lambda x: 2.0, InputError, r"must be an array of shape \(2,\) and dtype float64, as its {of}; got 2.0"),
    "text": (lambda x: "u", InputError, "got 'u' of type str"),
    "none": (lambda x: None, InputError, "got None of type NoneType"),
    "tuple": (lambda x: (x, x), InputError, "of type tuple"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_cotangent_fits_its_output(x, case):
    make, error, message = WRONG[case]
    pullback = mm.vjp(both, x)[1]
    with pytest.raises(error, match=r"vjp: a cotangent \[a\].*" + message.format(of="output")):
        pullback({"a": make(x), "b": array(x, 1.0)})


@pytest.mark.parametrize("case", WRONG)
def test_a_tangent_fits_its_primal(x, case):
    make, error, message = WRONG[case]
    with pytest.raises(error, match=r"jvp: a tangent \[0\].*" + message.format(of="primal")):
        mm.jvp(lambda x: x * x, (x,), (make(x),))


@pytest.mark.parametrize("cotangents", [lambda x: {"a": x}, lambda x: (x, x), lambda x: x])
def test_cotangents_have_the_structure_of_the_outputs(x, cotangents):
    with pytest.raises(InputError, match=r"vjp: a cotangent is missing.*\{'a': \*, 'b': \*\} against"):
        mm.vjp(both, x)[1](cotangents(x))


def test_tangents_have_the_structure_of_the_primals(x):
    with pytest.raises(InputError, match="jvp: a tangent is missing"):
        mm.jvp(lambda x: x * x, (x,), ())
    for call in (lambda: mm.jvp(lambda x: x * x, x, x), lambda: mm.hvp(lambda x: xp_of(x).sum(x), x, x)):
        with pytest.raises(InputError, match=r"primals must be a tuple .*write \(primal,\)"):
            call()


def test_directions_belong_to_the_library_of_the_rest(x):
    other = load_backend("strict" if mm.backend.owner(x).name == "numpy" else "numpy").asarray([1.0, 1.0])
    with pytest.raises(MixedBackendsError):
        mm.vjp(lambda x: x * x, x)[1](other)
    with pytest.raises(MixedBackendsError):
        mm.jvp(lambda x: x * x, (x,), (other,))


def test_numbers_may_stand_for_arrays_without_axes(x):
    (gradient,) = mm.vjp(lambda x: xp_of(x).sum(x * x), x)[1](3.0)
    assert np.asarray(mm.backend.owner(x).to_numpy(gradient)).tolist() == [6.0, 12.0]


def test_outputs_that_are_not_floating_have_no_part_in_derivatives(x):
    def f(x):
        return x * x, xp_of(x).argmax(x)

    backend = mm.backend.owner(x)
    outputs, pullback = mm.vjp(f, x)
    assert backend.to_numpy(pullback((x, outputs[1]))[0]).tolist() == [2.0, 8.0]
    assert int(outputs[1]) == 1
    _, pullback, aux = mm.vjp(f, x, has_aux=True)
    assert (int(aux), backend.to_numpy(pullback(x)[0]).tolist()) == (1, [2.0, 8.0])
    (_, place), (slope, none) = mm.jvp(f, (x,), (x,))
    assert backend.to_numpy(slope).tolist() == [2.0, 8.0]
    assert (int(none), backend.dtype_name(none.dtype)) == (0, backend.dtype_name(place.dtype))


WITHOUT_DERIVATIVE = {
    "integers": lambda x: xp_of(x).argmax(x),
    "booleans": lambda x: x > 1,
    "number": lambda x: 3.0,
    "nothing": lambda x: None,
}


@pytest.mark.parametrize("case", WITHOUT_DERIVATIVE)
@pytest.mark.parametrize("transform", [lambda f: mm.jacobian(f), lambda f: lambda x: mm.vjp(f, x)])
def test_functions_without_floating_output_have_no_derivative(x, case, transform):
    with pytest.raises(NotDifferentiableError, match="must return floating-point arrays"):
        transform(WITHOUT_DERIVATIVE[case])(x)


def test_a_jacobian_is_of_floating_outputs_alone(x):
    with pytest.raises(NotDifferentiableError, match="float64 of .*, int"):
        mm.jacobian(lambda x: (x, xp_of(x).argmax(x)))(x)
    with pytest.raises(NonScalarError):
        mm.hessian(lambda x: xp_of(x).argmax(x))(x)


# ---- values taken out of their trace

TAKEN = {
    "np.sum": lambda x: np.sum(x * x),
    "np.sin": lambda x: xp_of(x).sum(np.sin(x)),
    "np.dot": lambda x: np.dot(x, x),
    "float": lambda x: float(xp_of(x).sum(x)),
    "math.sin": lambda x: math.sin(xp_of(x).sum(x)),
    "np": np.sum,
}


@pytest.mark.parametrize("case", TAKEN)
def test_numpy_inside_grad_says_what_to_use(x, case):
    if mm.backend.owner(x).name == "jax" and case in ("np.sum", "np"):
        assert np.asarray(mm.grad(TAKEN[case])(x)).shape == (2,)  # NumPy calls the array's own method: right
        return
    if mm.backend.owner(x).name == "numpy" and "np" in case:
        assert mm.grad(TAKEN[case])(x).shape == (2,)  # the tape knows NumPy's functions
        return
    with pytest.raises((DifferentiationError, MixedBackendsError)) as caught:
        mm.grad(TAKEN[case])(x)
    assert re.search("array_namespace|xp.asarray", str(caught.value))


# ---- scan

CARRIES = {
    "structure": (lambda c, x: ((c, c), x), InputError, "was an array and became"),
    "shape": (lambda c, x: (c + x[None], x), ShapeError, r"had shape \(\) and got \(1,\)"),
    "dtype": (lambda c, x: (xp_of(c).astype(c, xp_of(c).int32), x), DTypeError, "had dtype float64 and got int32"),
    "narrower": (lambda c, x: (xp_of(c).astype(c, xp_of(c).float32), x), DTypeError, "float64 and got float32"),
    "number": (lambda c, x: (1.0, x), InputError, "became 1.0 of type float"),
    "none": (lambda c, x: (None, x), InputError, "became None"),
    "no pair": (lambda c, x: c + x, InputError, r"must return \(carry, y\)"),
    "triple": (lambda c, x: (c, x, x), InputError, r"must return \(carry, y\), got tuple of 3"),
}  # fmt: skip


@pytest.mark.parametrize("case", CARRIES)
@pytest.mark.parametrize("steps", [0, 2])
def test_a_carry_keeps_what_it_is(x, case, steps):
    f, error, message = CARRIES[case]
    with pytest.raises(error, match=message):
        mm.scan(f, array(x, 0.0), x[:steps])


def test_a_carry_that_is_a_tree_keeps_its_structure(x):
    with pytest.raises(InputError, match=r"keep its structure.*\{'a': \*\} against \{'b': \*\}"):
        mm.scan(lambda c, x: ({"b": c["a"]}, x), {"a": array(x, 0.0)}, x)
    with pytest.raises(ShapeError, match=r"carry \[a\] had shape"):
        mm.scan(lambda c, x: ({"a": c["a"] + x[None]}, x), {"a": array(x, 0.0)}, x)


def test_a_scan_of_no_steps_has_rows_of_the_right_shape(x):
    last, rows = mm.scan(lambda c, x: (c + x, (x, x[None] > 0)), array(x, 7.0), x[:0])
    backend = mm.backend.owner(x)
    assert float(last) == 7.0
    assert [tuple(r.shape) for r in rows] == [(0,), (0, 1)]
    assert [backend.dtype_name(r.dtype) for r in rows] == ["float64", "bool"]
    last, rows = mm.scan(lambda c, _: (c, c), array(x, 7.0), None, length=0)
    assert (float(last), tuple(rows.shape)) == (7.0, (0,))


SCANS = {
    "negative": (lambda x: {"length": -1}, InputError, "length must be an integer >= 0, got -1"),
    "float": (lambda x: {"length": 2.5}, InputError, "length must be an integer"),
    "bool": (lambda x: {"length": True}, InputError, "length must be an integer"),
    "no axis": (lambda x: {"xs": x[0]}, ShapeError, "needs a leading axis"),
    "list": (lambda x: {"xs": [1.0, 2.0]}, InputError, "xs must hold arrays, got 1.0"),
    "integer": (lambda x: {"init": 0, "xs": x}, InputError, "init must hold arrays, got 0"),
}


@pytest.mark.parametrize("case", SCANS)
def test_arguments_of_scan(x, case):
    make, error, message = SCANS[case]
    with pytest.raises(error, match=message):
        mm.scan(lambda c, x: (c, c), **{"init": array(x, 0.0), "xs": None, **make(x)})


def test_a_float_is_a_carry_of_the_dtype_at_hand(x):
    last, rows = mm.scan(lambda c, x: (c + x, c), 0.0, x)
    assert (float(last), mm.backend.owner(x).dtype_name(last.dtype), tuple(rows.shape)) == (
        3.0,
        "float64",
        (2,),
    )


# ---- vmap


@pytest.fixture
def rows(backend):
    return backend.asarray(np.arange(6.0).reshape(2, 3), dtype="float64")


VMAPS = {
    "text": (lambda r: mm.vmap(lambda a: a, in_axes="0")(r), InputError, "in_axes: expected an integer, None or a tree"),
    "float": (lambda r: mm.vmap(lambda a: a, in_axes=1.5)(r), InputError, "got 1.5"),
    "bool": (lambda r: mm.vmap(lambda a: a, in_axes=True)(r), InputError, "got True"),
    "beyond": (lambda r: mm.vmap(lambda a: a, in_axes=3)(r), ShapeError, r"in_axes=3 does not fit an argument of shape \(2, 3\)"),
    "tree": (lambda r: mm.vmap(lambda a: a["w"], in_axes=({"v": 0},))({"w": r}), InputError, r"fits \{'w': \*\}, got \{'v': 0\}"),
    "number": (lambda r: mm.vmap(lambda a, b: a * b)(r, 2.0), InputError, "maps over 2.0 of type float.*give None"),
    "out beyond": (lambda r: mm.vmap(lambda a: a, out_axes=2)(r), ShapeError, r"out_axes=2 does not fit an output of shape \(2, 3\)"),
    "out before": (lambda r: mm.vmap(lambda a: a, out_axes=-3)(r), ShapeError, "out_axes=-3"),
    "out none": (lambda r: mm.vmap(lambda a: a, out_axes=None)(r), InputError, "out_axes must be an integer"),
    "out tuple": (lambda r: mm.vmap(lambda a: (a, a), out_axes=(0, 1))(r), InputError, "out_axes must be an integer"),
}  # fmt: skip


@pytest.mark.parametrize("case", VMAPS)
def test_arguments_of_vmap(rows, case):
    call, error, message = VMAPS[case]
    with pytest.raises(error, match=message):
        call(rows)


def test_axes_may_be_given_for_a_tree(rows):
    backend = mm.backend.owner(rows)

    def f(p, s):
        return xp_of(p["w"]).sum(p["w"]) + p["b"][0] * s

    host = backend.to_numpy(rows)
    got = mm.vmap(f, in_axes=({"w": 1, "b": None}, None))({"w": rows, "b": rows[0, ...]}, 2.0)
    np.testing.assert_allclose(backend.to_numpy(got), host.sum(axis=0) + host[0, 0] * 2)
    got = mm.vmap(lambda pair: pair[0] * pair[1][0], in_axes=((0, 1),))((rows, rows[:, :2]))
    np.testing.assert_allclose(backend.to_numpy(got), host * host[0, :2][:, None])


def test_negative_axes_count_from_the_end(rows):
    backend = mm.backend.owner(rows)
    host = backend.to_numpy(rows)
    sums = mm.vmap(lambda a: xp_of(a).sum(a), in_axes=-1)(rows)
    np.testing.assert_allclose(backend.to_numpy(sums), host.sum(axis=0))
    twice = mm.vmap(lambda a: xp_of(a).stack([a, 2 * a]), out_axes=-1)(rows)
    np.testing.assert_allclose(
        backend.to_numpy(twice), np.moveaxis(np.stack([host, 2 * host], axis=1), 0, -1)
    )


def test_keyword_arguments_are_given_whole(rows):
    backend = mm.backend.owner(rows)
    weights = backend.asarray([1.0, 2.0, 3.0], dtype="float64")
    got = mm.vmap(lambda a, w=None: xp_of(a).sum(a * w))(rows, w=weights)
    np.testing.assert_allclose(backend.to_numpy(got), backend.to_numpy(rows) @ [1.0, 2.0, 3.0])


# ---- check_grads


@pytest.mark.parametrize("args", [(7,), (True,), ("a",), (np.arange(3),), (np.ones(2, dtype=complex),)])
def test_check_grads_refuses_what_has_no_derivative(args):
    with pytest.raises(InputError, match="expected floating-point arrays or numbers"):
        check_grads(lambda x: x * x, args)


@pytest.mark.parametrize("args", [(), (None,), (np.ones(0),), ({},)])
def test_check_grads_does_not_pass_having_checked_nothing(args):
    with pytest.raises(InputError, match="nothing would be checked"):
        check_grads(lambda *x: x, args)


def test_check_grads_wants_a_tuple_and_a_floating_output():
    with pytest.raises(InputError, match=r"write \(x,\)"):
        check_grads(lambda x: x, 7.0)
    with pytest.raises(NotDifferentiableError):
        check_grads(lambda x: 7, (7.0,))


# ---- what a compiler cannot do

SHAPED_BY_VALUES = {
    "unique_values": lambda x: xp_of(x).unique_values(x),
    "unique_counts": lambda x: xp_of(x).unique_counts(x).values,
    "unique_inverse": lambda x: xp_of(x).unique_inverse(x).values,
    "unique_all": lambda x: xp_of(x).unique_all(x).values,
    "nonzero": lambda x: xp_of(x).nonzero(x)[0],
    "repeat": lambda x: xp_of(x).repeat(x, xp_of(x).astype(x, xp_of(x).int32)),
    "x[mask]": lambda x: x[x > 1],
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", SHAPED_BY_VALUES)
def test_jax_says_which_function_cannot_be_compiled(case, dtype):
    jax = pytest.importorskip("jax")
    x = load_backend("jax").asarray([1.0, 2.0, 2.0], dtype=dtype)
    for transformed in (mm.jit(SHAPED_BY_VALUES[case]), lambda x: mm.vmap(SHAPED_BY_VALUES[case])(x[None])):
        with pytest.raises(
            CapabilityError, match=rf"^{re.escape(case)}: the shape of the result depends on values"
        ) as caught:
            transformed(x)
        assert "jit(f, compiler='none')" in str(caught.value)
        assert isinstance(
            caught.value.__cause__,
            (jax.errors.ConcretizationTypeError, jax.errors.NonConcreteBooleanIndexError),
        )
    mm.jit(SHAPED_BY_VALUES[case], compiler="none")(x)


TRACED = {
    "if": lambda x: x if xp_of(x).sum(x) > 0 else -x,
    "float": lambda x: x * float(xp_of(x).sum(x)),
    "range": lambda x: x * len([0 for _ in range(xp_of(x).astype(xp_of(x).sum(x), xp_of(x).int32))]),
    "numpy": lambda x: x * xp_of(x).asarray(np.sin(x)),
}


@pytest.mark.parametrize("case", TRACED)
@pytest.mark.parametrize("library", ["jax", "tensorflow"])
def test_values_of_traced_arrays_are_not_to_be_had(library, case):
    pytest.importorskip(library)
    x = load_backend(library).asarray([1.0, 2.0], dtype="float32")
    for transformed in (mm.jit(TRACED[case]), lambda x: mm.vmap(TRACED[case])(x[None])):
        with pytest.raises(TracedValueError, match=f"a traced array of the {library} backend") as caught:
            transformed(x)
        assert caught.value.__cause__ is not None
    mm.jit(TRACED[case], compiler="none")(x)


@pytest.mark.parametrize("case", ["x[mask]", "nonzero", "if", "float"])
def test_torch_says_what_vmap_cannot_do(case):
    pytest.importorskip("torch")
    x = load_backend("torch").asarray([[1.0, 2.0]], dtype="float32")
    with pytest.raises(CapabilityError):
        mm.vmap({**SHAPED_BY_VALUES, **TRACED}[case])(x)


def test_torch_says_for_what_vmap_has_no_rule():
    torch = pytest.importorskip("torch")
    with pytest.raises(CapabilityError, match="moveaxis: torch's vmap has no rule"):
        mm.vmap(lambda x: torch.moveaxis(x, 0, -1))(torch.ones((2, 3, 4)))


def test_tensorflow_says_which_operation_xla_lacks():
    tf = pytest.importorskip("tensorflow")
    x = load_backend("tensorflow").asarray([1.0, 2.0], dtype="float32")

    def f(x):
        return tf.numpy_function(np.sin, [x], tf.float32)

    with pytest.raises(
        CapabilityError, match="PyFunc.*cannot be compiled by XLA.*compiler='graph'"
    ) as caught:
        mm.jit(f, compiler="xla")(x)
    assert isinstance(caught.value.__cause__, tf.errors.OpError)
    mm.jit(f, compiler="graph")(x)
