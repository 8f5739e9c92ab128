"""Breaking one kernel, derivative, definition or tolerance on purpose must make the parity engine fail.

Each mutant is a mistake that a library or a textbook really makes.
"""

import functools
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import test_compositions
import test_programs
import torch
from compositions import Composition
from libraries import NAMES

import multimlp as mm
from multimlp import activations, random, regularizers, tape
from multimlp.activations import _lookup
from multimlp.backend import _contract, _loops, array_namespace, load_backend
from multimlp.backends.torch import namespace
from multimlp.backends.torch._programs import has_cxx_compiler
from multimlp.backends.torch._tracing import is_compiling as torch_is_compiling
from multimlp.errors import MultimlpError
from multimlp.initializers import INITIALIZERS, Initializer, _scaled
from multimlp.optimizers import _adam
from multimlp.parity import Plan, run, tolerances
from multimlp.tape import reverse, rules_decompositions
from multimlp.transforms import _call, _jacobian


@dataclass
class Mutant:
    """What is broken, how, and the functions to compare."""

    functions: tuple
    kernel: dict = field(default_factory=dict)
    portable: dict = field(default_factory=dict)
    derivative: dict = field(default_factory=dict)
    attribute: tuple = ()
    backend: str = "torch"


def _maximum_relu(x):
    xp = array_namespace(x)
    return xp.maximum(x, xp.zeros_like(x))


def _tanh_gelu(x, approximate="none"):
    return torch.nn.functional.gelu(x, approximate="tanh")


def _abs_with_slope_one(x):
    """|x| with the derivative 1 at 0, as the penalty of jax.numpy.abs has it."""
    xp = array_namespace(x)
    return xp.where(x >= 0, x, -x)


def _mae_with_abs_slope_one(outputs, targets):
    xp = array_namespace(outputs, targets)
    return xp.mean(_abs_with_slope_one(outputs - targets), axis=-1)


def _adam_epsilon_inside(p, g, m, v, *, learning_rate, beta1, beta2, eps, correction1, correction2):
    xp = array_namespace(p, g, m, v)
    m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * (g * g)
    return p - (learning_rate / correction1) * m / xp.sqrt(v / correction2 + eps), m, v


def _naive_sigmoid(x):
    return 1 / (1 + array_namespace(x).exp(-x))


def _cut_softplus(x):
    xp = array_namespace(x)
    return xp.where(x > 20, x, xp.log1p(xp.exp(x)))


def _careless_elu(x, alpha=1.0):
    xp = array_namespace(x)
    return xp.where(x > 0, x, (xp.exp(xp.where(x > 0, xp.zeros_like(x), x)) - 1) * alpha)


def _unshifted_log_softmax(x, axis=-1):
    xp = array_namespace(x)
    return x - xp.log(xp.sum(xp.exp(x), axis=axis, keepdims=True))


def _slope_one_at_the_kink(x, negative_slope=0.01):
    xp = array_namespace(x)
    return xp.where(x < 0, x * negative_slope, x)


def _derivative_one_at_the_kink(x, negative_slope=0.01):
    xp = array_namespace(x)
    return xp.where(x < 0, xp.zeros_like(x) + negative_slope, xp.ones_like(x))


def _shifted_mask(x, key, rate):
    xp = array_namespace(x)
    keep = random.bernoulli(key, 1 - rate, (x.shape[0] + 1,))[1:]
    return xp.where(keep, x * (1 / (1 - rate)), xp.zeros_like(x))


def _float32_erf(x):
    xp = array_namespace(x)
    return xp.astype(torch.special.erf(xp.astype(x, xp.float32)), x.dtype)


def _tanh_of_tanh(x):
    return torch.tanh(x) * (1 + 1e-6)


def _identity(x):
    return x


def _gelu_without_guard(x, approximate="none"):
    """NaN in the derivative at both infinities: the density, zero, times x."""
    return x * 0.5 * activations.erfc(x * -(0.5**0.5))


def _elu_from_its_output(x, alpha=1.0):
    """torch's derivative of expm1 is its value and one."""
    return torch.where(x > 0, x, torch.expm1(torch.where(x > 0, torch.zeros_like(x), x)) * alpha)


def _binary_cross_entropy_of_infinities(outputs, targets):
    xp = array_namespace(outputs, targets)
    rectified = xp.where(outputs > 0, outputs, xp.zeros_like(outputs))
    tail = xp.log1p(xp.exp(xp.where(outputs > 0, -outputs, outputs)))
    return xp.mean(rectified - outputs * targets + tail, axis=-1)


def _tanh_of_jax(x):
    import jax.numpy

    return jax.numpy.tanh(x)


def _reversed_order(key, x):
    xp = array_namespace(key)
    return xp.flip(_permutation(key, x), axis=0)


_permutation = random.permutation


MUTANTS = {
    "relu through maximum, as a kernel": Mutant(("relu",), kernel={"relu": _maximum_relu}),
    "relu through maximum, as the definition": Mutant(("relu",), portable={"relu": _maximum_relu}),
    "gelu: tanh for exact, as a kernel": Mutant(("gelu",), kernel={"gelu": _tanh_gelu}),
    "gelu: tanh for exact, as the definition": Mutant(
        ("gelu",), portable={"gelu": lambda x, approximate="none": activations.silu(1.702 * x) / 1.702}
    ),
    "abs'(0) = 1 in the absolute error": Mutant(
        ("mae",), portable={"mean_absolute_error": _mae_with_abs_slope_one}
    ),
    "Adam's epsilon inside the root, as the definition": Mutant(
        ("adam",), portable={"adam_update": _adam_epsilon_inside}
    ),
    "Adam's epsilon inside the root, as a kernel": Mutant(
        ("adam",), kernel={"adam_update": _adam_epsilon_inside}
    ),
    "leaky_relu: slope 1 at the kink, as a kernel": Mutant(
        ("leaky_relu",), kernel={"leaky_relu": _slope_one_at_the_kink}
    ),
    "leaky_relu: slope 1 at the kink, in the closed form": Mutant(
        ("leaky_relu",), derivative={"leaky_relu": _derivative_one_at_the_kink}
    ),
    "leaky_relu: slope 1 at the kink, everywhere": Mutant(
        ("leaky_relu",),
        portable={"leaky_relu": _slope_one_at_the_kink},
        derivative={"leaky_relu": _derivative_one_at_the_kink},
    ),
    "softplus cut off at 20": Mutant(("softplus",), kernel={"softplus": _cut_softplus}),
    "elu with exp(x) - 1": Mutant(("elu",), kernel={"elu": _careless_elu}),
    "sigmoid with exp(-x)": Mutant(("sigmoid",), kernel={"sigmoid": _naive_sigmoid}),
    "log_softmax without shift": Mutant(("log_softmax",), kernel={"log_softmax": _unshifted_log_softmax}),
    "erf computed in float32": Mutant(("erf",), kernel={"erf": _float32_erf}),
    "tanh off by one in a million": Mutant(("tanh",), kernel={"tanh": _tanh_of_tanh}),
    "silu without its gate": Mutant(("silu",), kernel={"silu": _identity}),
    "initial weights by the wrong fan": Mutant(
        ("glorot_uniform",),
        attribute=(
            INITIALIZERS._things,
            "glorot_uniform",
            Initializer("glorot_uniform", _scaled("fan_in", "uniform", 1.0)),
        ),
    ),
    "dropout's mask shifted by one": Mutant(("dropout",), attribute=(regularizers, "dropout", _shifted_mask)),
    "gelu' NaN at infinities, as a kernel": Mutant(("gelu",), kernel={"gelu": _gelu_without_guard}),
    "tanh' by 1 - y^2": Mutant(("tanh",), kernel={"tanh": _tanh_of_jax}, backend="jax"),
    "elu' from the output": Mutant(("elu",), kernel={"elu": _elu_from_its_output}),
    "softsign' as the quotient has it": Mutant(
        ("softsign",), kernel={"softsign": torch.nn.functional.softsign}
    ),
    "a loss NaN at infinite outputs": Mutant(
        ("binary_cross_entropy",), portable={"sigmoid_cross_entropy": _binary_cross_entropy_of_infinities}
    ),
    "a permutation from its end": Mutant(
        ("random.permutation",), attribute=(random, "permutation", _reversed_order)
    ),
    "a tolerance without room": Mutant(
        ("sigmoid",), attribute=(tolerances.FAMILIES, "activation", tolerances.Tolerance(0, 0, 0, ""))
    ),
}


def _forget_dispatch(monkeypatch):
    """Operations choose their kernel once per type: let them choose again, now and after the test."""
    from multimlp.backend import OPS

    for operation in OPS.values():
        monkeypatch.setattr(operation, "_implementations", {})


def _plan(mutant):
    return Plan((mutant.backend,), mutant.functions, ("float64",), quick=True, compiled=False)


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_found(name, monkeypatch):
    from multimlp.backend import OPS

    mutant = MUTANTS[name]
    backend = load_backend(mutant.backend)
    _forget_dispatch(monkeypatch)
    assert run(_plan(mutant)).passed, "the original must pass"

    _forget_dispatch(monkeypatch)
    if mutant.kernel:
        monkeypatch.setattr(backend, "kernels", {**backend.kernels, **mutant.kernel})
    for operation, portable in mutant.portable.items():
        monkeypatch.setattr(OPS[operation], "portable", portable)
        if operation in backend.kernels and not mutant.kernel:
            kernels = {k: v for k, v in backend.kernels.items() if k != operation}
            monkeypatch.setattr(backend, "kernels", kernels)
    for function, derivative in mutant.derivative.items():
        changed = replace(_lookup.TABLE[function], derivative=derivative)
        monkeypatch.setitem(_lookup.TABLE, function, changed)
    if mutant.attribute:
        owner, attribute, value = mutant.attribute
        if isinstance(owner, dict):
            monkeypatch.setitem(owner, attribute, value)
        else:
            monkeypatch.setattr(owner, attribute, value)
    report = run(_plan(mutant))
    assert not report.passed
    assert all(
        np.isfinite(row.limit_in_k) and not math.isnan(row.worst_error_in_k) for row in report.failures
    )


def test_there_are_enough_mutants_of_each_kind():
    kinds = {
        kind
        for m in MUTANTS.values()
        for kind in ("kernel", "portable", "derivative", "attribute")
        if getattr(m, kind)
    }
    assert kinds == {"kernel", "portable", "derivative", "attribute"}
    assert _adam.adam_update.portable is not _adam_epsilon_inside


# ---- mistakes in the transforms, which compositions and programs must see


@dataclass
class BrokenTransform:
    """What takes whose place, made from the original, and the fast test that must fail."""

    owner: object
    attribute: str
    broken: Callable[[Callable], Callable]
    proof: Callable[[], None]


NUMPY = load_backend("numpy")


def _program(name):
    """`test_program` of it on NumPy."""
    return functools.partial(test_programs.check, name, "numpy", "none")


def _composition(*steps):
    """`test_composition` of such a chain on NumPy."""
    return functools.partial(test_compositions.check, Composition(steps, (2,)), "numpy", None)


def _gradient_of_a_loop():
    """Of a vmap that has to look at single rows."""
    rows = mm.vmap(lambda x: x * x if x > 0 else 3.0 * x)
    found = mm.grad(lambda x: array_namespace(x).sum(rows(x)))(np.asarray([1.0, -2.0]))
    assert found.tolist() == [2.0, 3.0]


def _plain_stack(stacked):
    return lambda library, rows: tuple(
        np.stack([tape.raw(x) for x in column]) for column in zip(*rows, strict=True)
    )


def _vmap_one_row_late(vmap):
    return lambda function: (
        lambda arrays: vmap(function)(tuple(array_namespace(a).roll(a, 1, axis=0) for a in arrays))
    )


def _scan_backwards(scan):
    def scanned(function, carry, xs, length, collect=True):
        return scan(function, carry, tuple(array_namespace(x).flip(x, axis=0) for x in xs), length, collect)

    return scanned


def _scan_without_the_last(scan):
    return lambda function, carry, xs, length, collect=True: scan(function, carry, xs, length - 1, collect)


def _carry_not_carried(scan):
    def scanned(function, carry, xs, length, collect=True):
        return scan(lambda _, x: function(carry, x), carry, xs, length, collect)

    return scanned


def _products_with_the_other_sign(hessian_products):
    def products(gradient, arrays):
        product = hessian_products(gradient, arrays)
        return lambda v: tuple(-h for h in product(v))

    return products


def _tangents_with_the_other_sign(jvp):
    def transformed(function, arrays, tangents):
        values, derivatives = jvp(function, arrays, tangents)
        return values, tuple(-d for d in derivatives)

    return transformed


def _pullback_with_the_other_sign(vjp):
    def transformed(function, arrays):
        outputs, pullback = vjp(function, arrays)
        return outputs, lambda cotangents: tuple(-c for c in pullback(cotangents))

    return transformed


def _pullback_of_ones(vjp):
    def transformed(function, arrays):
        outputs, pullback = vjp(function, arrays)
        return outputs, lambda cotangents: pullback(tuple(np.ones_like(c) for c in cotangents))

    return transformed


def _transposed_rows(rows):
    return lambda *args: tuple(array_namespace(r).matrix_transpose(r) for r in rows(*args))


def _whole_lower_triangle(lower_half):
    return lambda xp, x: xp.tril(x)


def _first_instead_of_sum(sum_to):
    def first(xp, g, shape):
        while len(g.shape) > len(shape):
            g = g[0, ...]
        return sum_to(xp, g, shape)

    return first


def _repeated_index_counted_once(scatter_add):
    def assigned(target, index, values):
        target[index] = values
        return target

    return assigned


BROKEN_TRANSFORMS = {
    "rows stacked as constants": BrokenTransform(
        _loops, "stacked", _plain_stack, _composition("scan", "grad")
    ),
    "rows of a traced vmap stacked as constants": BrokenTransform(
        _contract, "stacked", _plain_stack, _gradient_of_a_loop
    ),
    "stop_gradient dropped": BrokenTransform(
        NUMPY, "stop_gradient", lambda _: _identity, _composition("stop_gradient", "grad")
    ),
    "vmap one row late": BrokenTransform(NUMPY, "vmap", _vmap_one_row_late, _program("attention")),
    "scan from the end": BrokenTransform(NUMPY, "scan", _scan_backwards, _program("kalman_filter")),
    "scan without its last step": BrokenTransform(
        NUMPY, "scan", _scan_without_the_last, _program("logistic_map")
    ),
    "scan whose carry stays": BrokenTransform(NUMPY, "scan", _carry_not_carried, _program("predator_prey")),
    "argnums mixed up": BrokenTransform(
        _call, "_positions", lambda old: lambda *args: old(*args)[::-1], _program("gaussian_process")
    ),
    "auxiliary outputs in another order": BrokenTransform(
        _call.Outputs, "join", lambda old: lambda self, arrays: old(self, arrays[::-1]), _program("k_means")
    ),
    "jvp with the other sign": BrokenTransform(
        NUMPY, "jvp", _tangents_with_the_other_sign, _program("logistic_map")
    ),
    "hvp with the other sign": BrokenTransform(
        NUMPY, "hessian_products", _products_with_the_other_sign, _composition("hvp")
    ),
    "a pullback that does not look at its cotangent": BrokenTransform(
        NUMPY, "vjp", _pullback_of_ones, _program("heat_equation")
    ),
    "a transposed Jacobian": BrokenTransform(_jacobian, "_rows", _transposed_rows, _program("fixed_point")),
    "Cholesky's derivative with the whole triangle": BrokenTransform(
        rules_decompositions, "_lower_half", _whole_lower_triangle, _program("gaussian_process")
    ),
    "broadcasting undone by the first row": BrokenTransform(
        reverse, "_sum_to", _first_instead_of_sum, _program("residual_network")
    ),
    "a repeated word counted once": BrokenTransform(
        NUMPY, "scatter_add", _repeated_index_counted_once, _program("residual_network")
    ),
    "derivatives that share a level": BrokenTransform(
        reverse, "new_level", lambda _: lambda: 0, _program("physics_informed")
    ),
}


@pytest.mark.parametrize("name", BROKEN_TRANSFORMS)
def test_a_broken_transform_is_found(name, monkeypatch):
    mutant = BROKEN_TRANSFORMS[name]
    mutant.proof()
    monkeypatch.setattr(
        mutant.owner, mutant.attribute, mutant.broken(getattr(mutant.owner, mutant.attribute))
    )
    with pytest.raises((AssertionError, MultimlpError)):
        mutant.proof()


# ---- what only compiled programs show


@dataclass
class CompiledMutant:
    """What is broken where a program is compiled, and nowhere else."""

    compiler: str
    dtype: str
    function: str
    names: dict = field(default_factory=dict)
    """In the namespace."""
    kernels: dict = field(default_factory=dict)
    attribute: tuple = ()
    backend: str = "torch"


def _is_compiling():
    if torch_is_compiling():
        return True
    tensorflow = sys.modules.get("tensorflow")
    return tensorflow is not None and not tensorflow.executing_eagerly()


def _compiled_only(wrong, right):
    """A function that is wrong where torch or TensorFlow compiles."""

    def chosen(*args, **kwargs):
        return (wrong if _is_compiling() else right)(*args, **kwargs)

    return chosen


def _portable(name):
    from multimlp.backend import OPS

    return OPS[name].portable


def _expm1_as_a_constant(x):
    return torch.expm1(x.detach())


_expm1 = namespace.expm1


def _erf_by_the_compiler(x):
    return torch.special.erf(x)


def _short_of_bits(key, shape, dtype="float32", minval=0.0, maxval=1.0):
    xp = array_namespace(key)
    return xp.floor(_uniform(key, shape, dtype, minval, maxval) * 2.0**20) * 2.0**-20


def _half_huber(outputs, targets, delta=1.0):
    return _portable("huber_loss")(outputs, targets, delta) * 0.5


def _momentum_lost(p, g, velocity, **options):
    return p - options["learning_rate"] * g, velocity


_uniform = random.uniform


COMPILED = {
    "expm1 left to inductor": CompiledMutant(
        "inductor", "float64", "elu", names={"expm1": _compiled_only(torch.expm1, _expm1)}
    ),
    "erf left to inductor": CompiledMutant(
        "inductor", "float32", "erf", kernels={"erf": _erf_by_the_compiler}
    ),
    "expm1 cut off from its derivative": CompiledMutant(
        "aot_eager", "float64", "selu", names={"expm1": _compiled_only(_expm1_as_a_constant, _expm1)}
    ),
    "relu through maximum": CompiledMutant(
        "aot_eager", "float64", "relu", kernels={"relu": _compiled_only(_maximum_relu, torch.relu)}
    ),
    "sigmoid with exp(-x)": CompiledMutant(
        "aot_eager", "float64", "sigmoid", kernels={"sigmoid": _compiled_only(_naive_sigmoid, torch.sigmoid)}
    ),
    "Adam's epsilon inside the root": CompiledMutant(
        "aot_eager",
        "float64",
        "adam",
        kernels={"adam_update": _compiled_only(_adam_epsilon_inside, _portable("adam_update"))},
    ),
    "gelu' NaN at infinities": CompiledMutant(
        "aot_eager",
        "float64",
        "gelu",
        kernels={"gelu": _compiled_only(_gelu_without_guard, _portable("gelu"))},
    ),
    "dropout's mask shifted by one": CompiledMutant(
        "aot_eager",
        "float64",
        "dropout",
        attribute=(regularizers, "dropout", _compiled_only(_shifted_mask, regularizers.dropout)),
    ),
    "uniform numbers short of bits": CompiledMutant(
        "aot_eager",
        "float32",
        "random.uniform",
        attribute=(random, "uniform", _compiled_only(_short_of_bits, random.uniform)),
    ),
    "half of huber under XLA": CompiledMutant(
        "xla",
        "float32",
        "huber",
        kernels={"huber_loss": _compiled_only(_half_huber, _portable("huber_loss"))},
        backend="tensorflow",
    ),
    "momentum lost in a graph": CompiledMutant(
        "graph",
        "float64",
        "sgd",
        kernels={"sgd_momentum_update": _compiled_only(_momentum_lost, _portable("sgd_momentum_update"))},
        backend="tensorflow",
    ),
}


@pytest.mark.parametrize("name", COMPILED)
def test_a_mutant_of_compiled_programs_is_found(name, monkeypatch):
    mutant = COMPILED[name]
    if mutant.backend not in NAMES:
        pytest.skip(f"{mutant.backend} is not installed")
    backend = load_backend(mutant.backend)
    if mutant.compiler == "inductor" and not has_cxx_compiler():
        pytest.skip("there is no C++ compiler")
    eager = Plan((mutant.backend,), (mutant.function,), (mutant.dtype,), quick=True, compiled=False)
    compiled = replace(eager, eager=False, compiled=True, compilers=(mutant.compiler,))
    _forget_dispatch(monkeypatch)
    assert run(compiled).passed, "the original must pass"

    _forget_dispatch(monkeypatch)
    monkeypatch.setattr(backend, "kernels", {**backend.kernels, **mutant.kernels})
    for attribute, value in mutant.names.items():
        monkeypatch.setattr(backend.xp, attribute, value)
    if mutant.attribute:
        monkeypatch.setattr(*mutant.attribute)
    assert run(eager).passed, "eagerly it must not show"
    report = run(compiled)
    assert not report.passed
    assert {row.mode for row in report.failures} == {mutant.compiler}
