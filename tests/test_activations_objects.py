"""Activations by name, bound to options, learned; and what is refused at the door."""

from __future__ import annotations

import inspect
import json
import pickle
import re
from itertools import pairwise
from typing import Any

import mpmath as mp
import numpy as np
import pytest
from libraries import NAMES, convert, every_library, run

from multimlp import activations
from multimlp.activations import Activation, _description, _lookup, configured, describe, learnable, parse
from multimlp.backend import Array, array_namespace, load_backend, owner
from multimlp.errors import DTypeError, InputError, MixedBackendsError

every_name = pytest.mark.parametrize("name", activations.names())

SPECS: list[Any] = [
    "relu",
    "glu",
    {"name": "leaky_relu", "negative_slope": 0.2},
    {"name": "gelu", "approximate": "tanh"},
    {"name": "softmax", "axis": -1},
    "prelu",
    {"name": "prelu", "learnable": True, "per_unit": True, "alpha": 0.1},
    {"name": "swish", "learnable": True, "per_unit": False},
    learnable("elu", per_unit=True),
]

LEARNED: dict[str, tuple[Any, tuple[float, ...]]] = {
    "prelu": (lambda x, p: x if x > 0 else p * x, (0.25, -0.3)),
    "leaky_relu": (lambda x, p: x if x > 0 else p * x, (0.01, 0.4)),
    "elu": (lambda x, p: x if x > 0 else p * mp.expm1(x), (1.0, 0.5)),
    "celu": (lambda x, p: x if x > 0 else p * mp.expm1(x / p), (1.0, 2.0)),
    "swish": (lambda x, p: x / (1 + mp.exp(-p * x)), (1.0, -0.7)),
}


# ---- by name -----------------------------------------------------------------------------------------------


def test_there_are_many() -> None:
    assert len(activations.names()) >= 28
    assert list(activations.names()) == sorted(activations.names())


@every_name
def test_table_is_consistent(name: str) -> None:
    row = describe(name)
    assert name in activations.__all__, f"{name} is missing in the __all__ of {row.function.__module__}"
    assert activations.get(name) is getattr(activations, name) is row.function
    assert activations.derivative(name) is row.derivative is activations.derivative(row.function)
    for other in (row.derivative, row.from_output):
        if other is not None:
            assert (other.option_names, other.defaults) == (row.function.option_names, row.function.defaults)
            assert set(other.checks) == set(other.option_names)
            assert pickle.loads(pickle.dumps(other)) is other
    assert row.learnable is None or row.learnable in row.options
    assert pickle.loads(pickle.dumps(row.function)) is row.function


def test_none_lacks_its_derivative() -> None:
    lacking = ", ".join(_description._FACTS)
    assert not lacking, f"{lacking}: no derivative follows; write one below with @derivative_of"


def test_table_is_in_the_order_of_the_families_and_their_files() -> None:
    families = [row.function.__module__.rpartition("._")[2] for row in _lookup.TABLE.values()]
    order = list(dict.fromkeys(families))
    assert order == ["rectifiers", "hard", "exponential", "sigmoidal", "gated", "axis"]
    assert families == sorted(families, key=order.index)
    lines = [
        (row.function.__module__, inspect.getsourcelines(row.function.portable)[1])
        for row in _lookup.TABLE.values()
    ]
    assert all(a[1] < b[1] for a, b in pairwise(lines) if a[0] == b[0])


@every_name
def test_documentation(name: str) -> None:
    text = inspect.getdoc(activations.get(name)) or ""
    for part in ("Derivative", "Parameters\n---", "Returns\n---", "Examples\n---", ">>> "):
        assert part in text, part
    assert re.search(r"NaN|nan|kink", text)
    assert describe(name).summary.endswith(".") or ":" in describe(name).summary


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("ReLU", "relu"),
        ("LeakyReLU", "leaky_relu"),
        ("hard-swish", "hard_swish"),
        ("linear", "identity"),
        ("LogSigmoid", "log_sigmoid"),
    ],
)
def test_other_spellings(given: str, name: str) -> None:
    assert activations.get(given) is activations.get(name)
    assert parse(given).name == name


@pytest.mark.parametrize(("given", "close"), [("rleu", "relu"), ("gleu", "gelu"), ("softmx", "softmax")])
def test_unknown_names_come_with_close_ones(given: str, close: str) -> None:
    for look_up in (activations.get, activations.derivative, describe, parse, configured, learnable):
        with pytest.raises(InputError, match=f"{given!r}; did you mean .*{close!r}"):
            look_up(given)
    with pytest.raises(InputError, match="known: celu"):
        activations.get("xyzzyxyzzy")


# ---- at the door -------------------------------------------------------------------------------------------


@every_name
def test_lists_and_numbers_are_refused(name: str) -> None:
    for function in (activations.get(name), activations.derivative(name)):
        for bad in ([1.0, 2.0], 1.0, None, "x"):
            with pytest.raises(
                InputError, match=f"{function.name}: x must be an array, got {type(bad).__name__}"
            ):
                function(bad)


@every_library
@pytest.mark.parametrize("dtype", ["int32", "bool"])
def test_integers_and_booleans_are_refused(library: str, dtype: str) -> None:
    x = convert(load_backend(library), np.ones(3, dtype=dtype))
    for name in ("relu", "softmax", "gelu"):
        with pytest.raises(DTypeError, match=f"{name}: x has dtype {dtype}, expected a real floating"):
            activations.get(name)(x)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "leaky_relu",
            {"negative_slope": "0.1"},
            "leaky_relu: negative_slope must be a finite number, got '0.1'",
        ),
        ("leaky_relu", {"negative_slope": float("nan")}, "finite number"),
        ("leaky_relu", {"negative_slope": True}, "finite number"),
        ("leaky_relu", {"slope": 0.1}, "no option 'slope'; its options: negative_slope"),
        ("relu", {"alpha": 1.0}, "no option 'alpha'; its options: none"),
        ("celu", {"alpha": 0.0}, "other than 0"),
        ("squareplus", {"b": -1.0}, "> 0"),
        ("softshrink", {"lambd": -0.5}, "> 0"),
        ("gelu", {"approximate": "fast"}, "one of 'none', 'tanh', got 'fast'"),
        ("softmax", {"axis": 0.5}, "an integer"),
    ],
)
def test_bad_options_are_refused(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        activations.get(name)(np.ones(2), **options)
    with pytest.raises(InputError, match=re.escape(message)):
        configured(name, **options)
    with pytest.raises(InputError, match=re.escape(message)):
        parse({"name": name, **options})


def test_options_of_another_dtype_or_library_are_refused() -> None:
    x = np.ones(3, dtype=np.float32)
    with pytest.raises(DTypeError, match="alpha has dtype float64, x has float32"):
        activations.prelu(x, np.full(3, 0.5))
    if "torch" in NAMES:
        with pytest.raises(MixedBackendsError):
            activations.prelu(x, convert(load_backend("torch"), x))


# ---- bound to options --------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_spec_makes_it_again(spec: Any) -> None:
    activation = parse(spec)
    written = json.loads(json.dumps(activation.to_spec()))
    assert parse(written) == activation
    assert parse(activation) is activation
    assert hash(parse(written)) == hash(activation)


def test_options_are_bound() -> None:
    leaky = configured("leaky_relu", negative_slope=np.float32(0.5))
    x = np.asarray([-2.0, 2.0], dtype=np.float32)
    assert leaky(x).dtype == np.float32
    assert leaky(x).tolist() == [-1.0, 2.0]
    assert leaky.derivative(x).tolist() == [0.5, 1.0]
    assert leaky.derivative_from_output is not None
    assert leaky.derivative_from_output(leaky(x)).tolist() == [0.5, 1.0]
    assert (leaky.options, leaky.kinks, leaky.elementwise, leaky.width(7)) == (
        {"negative_slope": 0.5},
        (0.0,),
        True,
        7,
    )


def test_defaults() -> None:
    assert parse(None) == parse("identity") == parse(activations.identity)
    assert parse("swish").parameters == ()
    assert parse("prelu") == parse(activations.prelu) == learnable("prelu")
    assert not parse("softmax").elementwise


def test_a_callable_of_your_own() -> None:
    def cubed(x: Array) -> Array:
        return x * x * x

    own = parse(cubed)
    assert own.name.startswith("custom:")
    assert own.name.endswith("cubed")
    assert own(np.asarray([2.0])).tolist() == [8.0]
    assert (own.parameters, own.width(3), own.elementwise, own.derivative_from_output) == ((), 3, False, None)
    for ask in (own.to_spec, lambda: own.kinks, lambda: own.derivative(np.ones(1))):
        with pytest.raises(InputError, match="a callable of your own"):
            ask()


@pytest.mark.parametrize("bad", [3, {"negative_slope": 0.1}, ["relu"], Activation])
def test_what_is_no_activation(bad: Any) -> None:
    with pytest.raises(InputError, match="activation"):
        parse(bad)


# ---- learned -----------------------------------------------------------------------------------------------


def test_what_can_be_learned() -> None:
    able = {name for name in activations.names() if describe(name).learnable is not None}
    assert able == set(LEARNED)
    with pytest.raises(
        InputError, match="relu has no option that can be learned; these have: leaky_relu, prelu"
    ):
        learnable("relu")
    with pytest.raises(InputError, match="'beta'; it cannot start from 'alpha'"):
        learnable("swish", alpha=1.0)
    with pytest.raises(InputError, match="alpha must be a finite number other than 0"):
        learnable("celu", alpha=0.0)


@pytest.mark.parametrize("per_unit", [False, True])
def test_description_of_the_parameter(per_unit: bool) -> None:
    (parameter,) = learnable("prelu", per_unit=per_unit, alpha=0.5).parameters
    assert parameter.shape(4) == ((4,) if per_unit else ())
    assert parameter.size(4) == (4 if per_unit else 1)
    np.testing.assert_array_equal(parameter.initial(4), np.full(parameter.shape(4), 0.5), strict=True)


@every_library
@pytest.mark.parametrize("name", LEARNED)
@pytest.mark.parametrize("per_unit", [False, True])
def test_derivative_in_the_parameter(library: str, name: str, per_unit: bool) -> None:
    f, values = LEARNED[name]
    activation = learnable(name, per_unit=per_unit)
    start = activation.parameters[0].value
    assert start == values[0]
    x = np.random.default_rng(5).uniform(-3, 3, (4, 2))
    p = np.asarray(values) if per_unit else np.asarray(values[1])

    def gradients(x: Array, p: Array) -> tuple[Array, ...]:
        (y,), pullback = owner(x).vjp(
            lambda xs: (activation(xs[0], {activation.parameters[0].name: xs[1]}),), (x, p)
        )
        return y, *pullback((array_namespace(y).ones_like(y),)), activation.derivative(x, p)

    value, by_x, by_p, closed = run(library, gradients, x, p)
    with mp.workdps(40):
        at = [
            [(mp.mpf(float(v)), mp.mpf(float(np.broadcast_to(p, 2)[j]))) for j, v in enumerate(row)]
            for row in x
        ]
        wanted = np.asarray([[float(f(v, q)) for v, q in row] for row in at])
        wanted_x = np.asarray([[float(mp.diff(f, (v, q), (1, 0))) for v, q in row] for row in at])
        wanted_p = np.asarray([[float(mp.diff(f, (v, q), (0, 1))) for v, q in row] for row in at])
    np.testing.assert_allclose(value, wanted, rtol=2e-15, atol=2e-15)
    np.testing.assert_allclose(by_x, wanted_x, rtol=4e-15, atol=4e-15)
    np.testing.assert_allclose(closed, wanted_x, rtol=4e-15, atol=4e-15)
    np.testing.assert_allclose(by_p, wanted_p.sum(axis=0 if per_unit else None), rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("per_unit", [False, True])
def test_ensembles_have_a_parameter_a_member(per_unit: bool) -> None:
    activation = learnable("prelu", per_unit=per_unit)
    x = np.random.default_rng(6).normal(size=(3, 5, 2))
    p = np.random.default_rng(7).normal(size=(3, 2) if per_unit else (3,))
    together = activation(x, {"alpha": p})
    for member in range(3):
        np.testing.assert_array_equal(together[member], activation(x[member], p[member]))


def test_missing_parameter() -> None:
    prelu = learnable("prelu")
    assert prelu(np.asarray([-4.0])).tolist() == [-1.0]
    with pytest.raises(InputError, match=r"'alpha' is missing; got \['beta'\]"):
        prelu(np.ones(1), {"beta": np.ones(())})
    assert prelu.derivative_from_output is None
