"""Breaking one kernel, derivative, definition or tolerance on purpose must make the parity engine fail.

Each mutant is a mistake that a library or a textbook really makes.
"""

import math
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch

from multimlp import activations, random, regularizers
from multimlp.activations import _lookup
from multimlp.backend import array_namespace, load_backend
from multimlp.initializers import INITIALIZERS, Initializer, _scaled
from multimlp.optimizers import _adam
from multimlp.parity import Plan, run, tolerances


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
