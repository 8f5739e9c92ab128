"""Complex numbers and derivatives: those of real functions through complex numbers are right or refused, all others are refused."""

from __future__ import annotations

import numpy as np
import pytest
from libraries import every_library

import multimlp as mm
from multimlp import xp
from multimlp.errors import CapabilityError, MissingRuleError, NonScalarError, NotDifferentiableError

POINT = np.asarray([0.7, -1.3])
W = np.asarray([1 + 2j, 0.5 - 3j])


def square(x):
    return x * x


def total(x):
    return xp.sum(x * x)


COMPLEX_ARGUMENT = {
    "grad": lambda z: mm.grad(total)(z),
    "value_and_grad": lambda z: mm.value_and_grad(total)(z),
    "elementwise_grad": lambda z: mm.elementwise_grad(square)(z),
    "vjp": lambda z: mm.vjp(square, z),
    "jvp": lambda z: mm.jvp(square, (z,), (z,)),
    "linearize": lambda z: mm.linearize(square, z),
    "jacobian": lambda z: mm.jacobian(square)(z),
    "jacfwd": lambda z: mm.jacfwd(square)(z),
    "jacrev": lambda z: mm.jacrev(square)(z),
    "hessian": lambda z: mm.hessian(total)(z),
    "hvp": lambda z: mm.hvp(total, (z,), (z,)),
    "jet": lambda z: mm.jet(square, (z,), ((z,),)),
    "laplacian": lambda z: mm.laplacian(total)(z),
}
COMPLEX_OUTPUT = {
    "grad": lambda f, x: mm.grad(lambda x: xp.sum(f(x)))(x),
    "elementwise_grad": lambda f, x: mm.elementwise_grad(f)(x),
    "vjp": lambda f, x: mm.vjp(f, x),
    "jvp": lambda f, x: mm.jvp(f, (x,), (x,)),
    "jvp of several": lambda f, x: mm.jvp(lambda x: (x, f(x)), (x,), (x,)),
    "linearize": lambda f, x: mm.linearize(f, x),
    "jacobian": lambda f, x: mm.jacobian(f)(x),
    "jacfwd": lambda f, x: mm.jacfwd(f)(x),
    "jacrev": lambda f, x: mm.jacrev(f)(x),
    "hessian": lambda f, x: mm.hessian(lambda x: xp.sum(f(x)))(x),
    "hvp": lambda f, x: mm.hvp(lambda x: xp.sum(f(x)), (x,), (x,)),
    "jet": lambda f, x: mm.jet(f, (x,), ((x,),)),
    "laplacian": lambda f, x: mm.laplacian(f)(x),
}
THROUGH = {
    "exp, abs": lambda z, w: xp.abs(xp.exp(w * z)),
    "exp, real": lambda z, w: xp.real(xp.exp(w * z)),
    "exp, imag": lambda z, w: xp.imag(xp.exp(w * z)),
    "product, conj": lambda z, w: xp.real(w * z * xp.conj(z * z * (w + w * w))),
    "quotient": lambda z, w: xp.imag(w / (z + w)),
    "sqrt, log": lambda z, w: xp.real(xp.sqrt(w * z)) + xp.imag(xp.log(w + z * z)),
    "power": lambda z, w: xp.real((w * z) ** 3),
    "square": lambda z, w: xp.abs(xp.square(w * z + w)),
    "sin, tanh": lambda z, w: xp.imag(xp.sin(w * z)) * xp.real(xp.tanh(w + z)),
    "matmul": lambda z, w: xp.real(xp.matmul(z * w, z + w)),
    "vecdot": lambda z, w: xp.real(xp.vecdot(z * w, z * z * w)),
    "sum, abs": lambda z, w: xp.abs(xp.sum(w * z * z)),
    "where": lambda z, w: xp.real(xp.where(xp.real(z) > 0, w * z, z * z * w)),
    "fft": lambda z, w: xp.abs(xp.fft.fft(z * w)) ** 2 * xp.real(z),
}


def function_of(name, library):
    """A function of real numbers, its constants of the library."""
    backend = mm.get_backend(library)
    w, one = backend.asarray(W, dtype="complex128"), backend.asarray(1 + 0j, dtype="complex128")

    def complexified(x):
        try:
            return xp.astype(x, xp.complex128)
        except NotDifferentiableError:  # the tape, which may be given a product
            if library == "tensorflow":  # it mixes no dtypes
                raise
            return x * one

    return lambda x: xp.sum(THROUGH[name](complexified(x), w))


def host(library, value):
    return np.asarray(mm.get_backend(library).to_numpy(value))


@every_library
@pytest.mark.parametrize("transform", COMPLEX_ARGUMENT)
@pytest.mark.parametrize("compiled", [False, True])
def test_derivatives_in_complex_numbers_are_refused(library, transform, compiled):
    backend = mm.get_backend(library)
    z = backend.asarray(W, dtype="complex128" if "complex128" in backend.capabilities.dtypes else None)
    call = COMPLEX_ARGUMENT[transform]
    with pytest.raises(
        NotDifferentiableError, match="cannot differentiate with respect to an array of dtype complex"
    ):
        (mm.jit(call) if compiled else call)(z)


@every_library
@pytest.mark.parametrize("transform", COMPLEX_OUTPUT)
def test_derivatives_of_complex_outputs_are_refused(library, transform):
    backend = mm.get_backend(library)
    x, w = backend.asarray(POINT, dtype="float64"), backend.asarray(W, dtype="complex128")

    def f(x):
        try:
            z = xp.astype(x, xp.complex128)
        except NotDifferentiableError:
            if library == "tensorflow":
                raise
            z = x * (w / w)
        return z * w * z

    with pytest.raises((NotDifferentiableError, NonScalarError), match="floating-point|real numbers"):
        COMPLEX_OUTPUT[transform](f, x)


@every_library
@pytest.mark.parametrize("name", THROUGH)
def test_real_functions_through_complex_numbers_are_right_or_refused(library, name):
    f, x = function_of(name, library), mm.get_backend(library).asarray(POINT, dtype="float64")
    plain, step = function_of(name, "numpy"), 1e-5
    axes = step * np.eye(2)
    slope = np.asarray([(plain(POINT + e) - plain(POINT - e)) / (2 * step) for e in axes])
    wide = 20 * axes
    around = [
        [sum(s * t * plain(POINT + s * a + t * b) for s in (1, -1) for t in (1, -1)) for a in wide]
        for b in wide
    ]
    bend = np.asarray(around) / (4 * (20 * step) ** 2)
    expected = {
        "grad": (lambda: mm.grad(f)(x), slope),
        "grad, compiled": (lambda: mm.jit(mm.grad(f))(x), slope),
        "jvp": (lambda: mm.jvp(f, (x,), (x,))[1], slope @ POINT),
        "jacfwd": (lambda: mm.jacfwd(f)(x), slope),
        "hvp": (lambda: mm.hvp(f, (x,), (x,)), bend @ POINT),
        "hessian": (lambda: mm.hessian(f)(x), bend),
        "hessian, compiled": (lambda: mm.jit(mm.hessian(f))(x), bend),
        "jet": (lambda: mm.jet(f, (x,), ((x, None),))[1][1], POINT @ bend @ POINT),
        "laplacian": (lambda: mm.laplacian(f)(x), np.trace(bend)),
    }
    right = 0
    for how, (call, value) in expected.items():
        try:
            found = host(library, call())
        except (NotDifferentiableError, MissingRuleError, CapabilityError):
            continue
        right += 1
        np.testing.assert_allclose(found, value, rtol=1e-4, atol=1e-4, err_msg=f"{name}, {how}")
        assert found.dtype == np.float64, (name, how)
    assert right or name == "fft", "something of it is there"
