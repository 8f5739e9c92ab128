"""Operations are known by what they are, not by what they are called; and kernels come from anywhere."""

from __future__ import annotations

import doctest
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from libraries import NAMES

import multimlp as mm
from multimlp import activations
from multimlp.backend import (
    OPS,
    Backend,
    _registry,
    array_namespace,
    canonical_name,
    load_backend,
    op,
    owner,
    register,
)
from multimlp.errors import InputError, UnknownBackendError

POINTS = np.asarray([-2.0, -0.5, 0.0, 3.0])


@mm.op()
def relu(x):
    """Not the rectifier."""
    return x * x + 1


@mm.op(arrays=3)
def dense(x, weight, bias):
    """Not the affine map."""
    return x - weight


@mm.op()
def shifted(x):
    return array_namespace(x).exp(x) - 1


@pytest.fixture
def given():
    """Adds kernels for the length of a test: ``given(operation, backend, kernel)``."""
    added = []

    def add(operation, backend, kernel):
        assert operation.kernel(backend)(kernel) is kernel
        added.append((operation, backend))

    yield add
    for operation, backend in reversed(added):
        if canonical_name(backend) in operation.kernels:
            operation.remove_kernel(backend)


def numbers(x):
    return owner(x).to_numpy(x).tolist()


# ---- operations of the same name -----------------------------------------------------------------------------------------


def test_an_operation_of_ones_own_never_meets_the_kernels_of_multimlps(backend):
    x = backend.asarray(POINTS, dtype="float64")
    for _ in range(2):
        assert numbers(relu(x)) == (POINTS**2 + 1).tolist()
        assert numbers(activations.relu(x)) == np.maximum(POINTS, 0).tolist()
    assert numbers(dense(x, x, None)) == [0.0] * 4


def test_nor_under_transforms(training_backend):
    x = training_backend.asarray(POINTS, dtype="float64")
    compiler = "eager" if training_backend.name == "torch" else None
    assert numbers(mm.jit(lambda v: relu(v), compiler=compiler)(x)) == (POINTS**2 + 1).tolist()
    assert numbers(mm.elementwise_grad(relu)(x)) == (2 * POINTS).tolist()
    assert numbers(mm.elementwise_grad(activations.relu)(x)) == [0.0, 0.0, 0.0, 1.0]


def test_names_are_short_for_multimlps_own_alone():
    assert activations.relu.name == "relu"
    assert OPS["relu"] is activations.relu
    assert relu.name == f"{__name__}.relu"
    assert OPS[relu.name] is relu
    assert repr(relu) == f"<op {__name__}.relu>"


def test_an_adapter_names_an_operation_of_somebody_elses_in_full(monkeypatch):
    adapter = load_backend("strict")
    monkeypatch.setattr(adapter, "kernels", {"relu": lambda x: -x, f"{__name__}.relu": lambda x: x})
    assert relu.kernel_for(adapter) is adapter.kernels[f"{__name__}.relu"]
    assert activations.relu.kernel_for(adapter) is adapter.kernels["relu"]


def test_operations_of_one_function_body_are_apart(given):
    def times(factor):
        @op()
        def product(x):
            return factor * x

        return product

    twice, thrice = times(2.0), times(3.0)
    given(twice, "numpy", lambda x: x + 100)
    assert numbers(twice(POINTS)) == (POINTS + 100).tolist()
    assert numbers(thrice(POINTS)) == (3 * POINTS).tolist()


def test_what_has_no_name_is_no_operation():
    import functools

    with pytest.raises(InputError, match="op: expected a function with a name, got functools.partial"):
        op()(functools.partial(pow, 2))


def test_operations_are_pickled_by_reference(given):
    given(relu, "numpy", lambda x: x)
    assert pickle.loads(pickle.dumps(relu)) is relu
    assert pickle.loads(pickle.dumps(activations.relu)) is activations.relu


# ---- kernels from outside ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", [activations.relu, activations.softplus, shifted], ids=lambda o: o.name)
@pytest.mark.parametrize("name", NAMES)
def test_a_kernel_takes_effect_at_once_and_goes_again(name, operation, given):
    x = load_backend(name).asarray(POINTS, dtype="float64")
    before = numbers(operation(x))
    given(operation, name, lambda v: v + 1)
    assert numbers(operation(x)) == (POINTS + 1).tolist()
    given(operation, name, lambda v: v + 2)  # the later one
    assert numbers(operation(x)) == (POINTS + 2).tolist()
    operation.remove_kernel(name)
    assert numbers(operation(x)) == before


def test_an_alias_will_do_and_other_backends_see_nothing_of_it(given):
    given(activations.relu, "np", lambda v: v + 1)
    assert list(activations.relu.kernels) == ["numpy"]
    assert numbers(activations.relu(POINTS)) == (POINTS + 1).tolist()
    strict = load_backend("strict").asarray(POINTS, dtype="float64")
    assert numbers(activations.relu(strict)) == np.maximum(POINTS, 0).tolist()


@pytest.mark.parametrize("name", NAMES)
def test_the_portable_body_itself_switches_an_adapters_kernel_off(name, given, monkeypatch):
    adapter = load_backend(name)
    monkeypatch.setattr(adapter, "kernels", {**adapter.kernels, "tanh": lambda v: v + 1})
    given(activations.tanh, name, activations.tanh.portable)
    x = adapter.asarray(POINTS, dtype="float64")
    np.testing.assert_allclose(numbers(activations.tanh(x)), np.tanh(POINTS), rtol=1e-14)


def test_notimplemented_means_the_portable_body(given):
    given(shifted, "numpy", lambda v: v + 1 if v.ndim == 1 else NotImplemented)
    assert numbers(shifted(POINTS)) == (POINTS + 1).tolist()
    assert numbers(shifted(POINTS[None])) == [(np.exp(POINTS) - 1).tolist()]


@pytest.mark.parametrize("name", ["numpy", "strict"])
def test_the_tape_differentiates_the_portable_body(name, given):
    seen = []
    given(shifted, name, lambda v: seen.append(v) or v + 1)
    x = load_backend(name).asarray(POINTS, dtype="float64")
    np.testing.assert_allclose(numbers(mm.elementwise_grad(shifted)(x)), np.exp(POINTS), rtol=1e-14)
    assert not seen


def test_torchs_autograd_goes_through_a_kernel(given):
    torch = pytest.importorskip("torch")
    given(shifted, "torch", torch.expm1)
    x = torch.tensor(POINTS)
    np.testing.assert_allclose(numbers(mm.elementwise_grad(shifted)(x)), np.exp(POINTS), rtol=1e-14)


def test_a_kernel_inside_a_compiled_torch_function_also_one_that_comes_later(given):
    torch = pytest.importorskip("torch")
    given(shifted, "torch", lambda v: torch.expm1(v) + 1)
    compiled = torch.compile(lambda v: shifted(v) * 2, backend="eager", fullgraph=True)
    x = torch.tensor(POINTS)
    np.testing.assert_allclose(numbers(compiled(x)), 2 * np.exp(POINTS), rtol=1e-14)
    given(shifted, "torch", lambda v: v + 1)
    assert numbers(compiled(x)) == (2 * (POINTS + 1)).tolist()
    shifted.remove_kernel("torch")
    np.testing.assert_allclose(numbers(compiled(x)), 2 * np.expm1(POINTS), rtol=1e-14)


@pytest.mark.parametrize("name", [name for name in ("numpy", "torch", "jax", "tensorflow") if name in NAMES])
def test_a_kernel_under_jit(name, given):
    given(shifted, name, lambda v: v + 1)
    x = load_backend(name).asarray(POINTS, dtype="float64")
    compiled = mm.jit(lambda v: shifted(v) * 2, compiler="eager" if name == "torch" else None)
    assert numbers(compiled(x)) == (2 * (POINTS + 1)).tolist()


def test_an_operation_compiled_before_sees_the_new_kernel_of_one_inside_it(given):
    """JAX compiles operations when they are called by themselves: gelu holds erf."""
    jax = pytest.importorskip("jax")
    x = jax.numpy.asarray([1.0, 2.0])
    np.testing.assert_allclose(activations.gelu(x), [0.841345, 1.954500], rtol=1e-5)
    given(activations.erf, "jax", jax.numpy.zeros_like)
    given(activations.erfc, "jax", jax.numpy.ones_like)
    np.testing.assert_allclose(activations.gelu(x), [0.5, 1.0], rtol=1e-6)


def test_a_kernel_may_come_before_its_backend():
    code = (
        "import sys, numpy as np, multimlp as mm\n"
        "@mm.activations.relu.kernel('strict')\n"
        "def kernel(x):\n"
        "    return x + 1\n"
        "assert kernel(1) == 2 and 'array_api_strict' not in sys.modules\n"
        "x = mm.get_backend('strict').asarray(np.asarray([-1.0]), dtype='float64')\n"
        "print(float(mm.activations.relu(x)[0]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "0.0\n"


def test_a_backend_that_nobody_has_is_refused():
    with pytest.raises(UnknownBackendError, match="unknown backend 'torhc'"):
        activations.relu.kernel("torhc")
    with pytest.raises(InputError, match="expected a name"):
        activations.relu.kernel(3)


@pytest.mark.parametrize("value", [None, 1.0, "relu"])
def test_what_cannot_be_called_is_refused(value):
    with pytest.raises(InputError, match=r"kernel: expected a function with the signature of relu, got "):
        activations.relu.kernel("numpy")(value)
    assert not activations.relu.kernels


def test_what_was_not_given_cannot_be_removed():
    with pytest.raises(InputError, match=r"relu was given no kernel for 'torch'; given for: none"):
        activations.relu.remove_kernel("pytorch")
    with pytest.raises(UnknownBackendError):
        activations.relu.remove_kernel("torhc")


def test_an_adapter_registered_anew_brings_its_kernels(monkeypatch):
    monkeypatch.setattr(_registry, "_loaded", dict(_registry._loaded))

    class Number(float):
        pass

    class Adapter(Backend):
        name = "adapter-of-a-test"
        xp = load_backend("strict").xp

        def is_array_type(self, cls):
            return cls is Number

    first, second = Adapter(), Adapter()
    first.kernels = {relu.name: lambda x: 1}
    second.kernels = {relu.name: lambda x: 2}
    for adapter, wanted in ((first, 1), (second, 2)):
        register(adapter)
        assert relu(Number(0.0)) == wanted


def test_the_page_for_authors_of_adapters_shows_what_happens():
    page = Path(__file__).parents[1] / "docs" / "adding-a-backend.md"
    found = doctest.testfile(str(page), module_relative=False, optionflags=doctest.ELLIPSIS)
    assert found.attempted > 5
    assert found.failed == 0
