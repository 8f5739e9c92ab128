"""`multimlp.testing`: what it accepts, what it refuses, and what its messages say."""

import ast
import types
from pathlib import Path

import numpy as np
import pytest
from libraries import NAMES
from programs import kalman_filter

from multimlp import activations, xp
from multimlp.backend import array_namespace, load_backend, owner, register
from multimlp.errors import InputError, NotDifferentiableError, ParityError
from multimlp.parity.formats import FORMATS
from multimlp.testing import assert_close, assert_parity, check_grads, ulp_table
from multimlp.testing.contract import refuse_what_lacks
from multimlp.testing.needed import NEEDED, missing

ROOT = Path(__file__).resolve().parent.parent
A = np.asarray([[1.0, 2.0], [3.0, 4.0]])

CLOSE = {
    "equal": (A, A, {}),
    "within the default": (A, A * (1 + 1e-15), {}),
    "within ulp": (np.float32(1) + np.float32(2**-23), np.float32(1), {"ulp": 1}),
    "within rtol": (A, A * 1.0009, {"rtol": 1e-3}),
    "within atol": (A, A + 1e-9, {"rtol": 0, "atol": 1e-8}),
    "nan": (np.asarray([np.nan, np.inf]), np.asarray([np.nan, np.inf]), {}),
    "a list is expected": (A, A.tolist(), {}),
    "integers": (np.asarray([1, 2]), np.asarray([1, 2]), {}),
    "a tree": ({"w": A, "b": (A,)}, {"w": A, "b": (A,)}, {}),
    "another dtype on request": (A.astype(np.float32), A, {"check_dtype": False}),
    "broadcast on request": (np.ones((2, 2)), np.ones(2), {"check_shape": False}),
    "empty": (np.ones((0, 3)), np.ones((0, 3)), {}),
    "a list has no dtype": (A.astype(np.float32), A.tolist(), {}),
    "a number has no dtype": (np.float32(1.5), 1.5, {}),
    "a list of integers": (A, [[1, 2], [3, 4]], {}),
    "complex numbers": (A + 1j, (A + 1j) * (1 + 1e-15), {}),
    "a list of complex numbers": (A + 1j, (A + 1j).tolist(), {"rtol": 1e-12}),
    "complex infinities": (np.asarray([complex(np.inf, 1.0)]), np.asarray([complex(np.inf, 1.0)]), {}),
    "integers beyond 2^53": (np.asarray([2**53 + 1]), np.asarray([2**53 + 1]), {"rtol": 0.0}),
    "integers within atol": (np.asarray(2**60 + 1), np.asarray(2**60), {"rtol": 0.0, "atol": 1}),
    "keys in another order": ({"w": A, "b": -A}, {"b": -A, "w": A}, {}),
}
NOT_CLOSE = {
    "value": (A, A + np.eye(2) * 1e-9, {}, r"(?s)2 of 4 elements differ .*\[0, 0\]"),
    "ulp": (np.float32(1) + np.float32(2**-22), np.float32(1), {"ulp": 1}, "2 ULP"),
    "the worst comes first": (
        A,
        A + np.asarray([[0, 0.1], [0.5, 0]]),
        {},
        r"worst:\s+\[1, 0\].*\n\s+\[0, 1\]",
    ),
    "shape": (A, A[0], {}, r"shape \(2, 2\), expected \(2,\)"),
    "dtype": (A.astype(np.float32), A, {}, "dtype float32, expected float64"),
    "nan is not equal on request": (
        np.asarray([np.nan]),
        np.asarray([np.nan]),
        {"equal_nan": False},
        "1 of 1",
    ),
    "nan against a number": (np.asarray([np.nan]), np.asarray([1.0]), {"rtol": 10.0}, "actual nan"),
    "infinity of another sign": (np.asarray([np.inf]), np.asarray([-np.inf]), {"atol": 1e9}, "1 of 1"),
    "infinity against a number": (np.asarray([np.inf]), np.asarray([1.0]), {"rtol": 1e9}, "1 of 1"),
    "integers": (np.asarray([1, 2]), np.asarray([1, 3]), {}, r"\[1\]  actual 2  expected 3"),
    "structure": ({"w": A}, (A,), {}, "structure"),
    "leaf": ((A, A), (A, A + 1), {}, "leaf 1"),
    "label": (A, A + 1, {"label": "weights: "}, "^weights: "),
    "an imaginary part": (A + 1j, A + 2j, {"rtol": 1e-3}, "4 of 4"),
    "an imaginary part, by default": (A + 1j, A + 1.001j, {}, "4 of 4"),
    "an imaginary part, in ulp": (np.asarray(1j), np.asarray(1j * (1 + 1e-14)), {"ulp": 4}, "45 ULP"),
    "a complex dtype": ((A + 1j).astype(np.complex64), A + 1j, {}, "dtype complex64"),
    "complex NaN in another part": (
        np.asarray(complex(np.nan, 1)),
        np.asarray(complex(1, np.nan)),
        {},
        "1 of 1",
    ),
    "an integer beyond 2^53": (np.asarray([2**53 + 1]), np.asarray([2**53]), {"rtol": 0.0}, "difference 1 "),
    "leaves of another order": ({"w": A, "b": -A}, {"b": A, "w": -A}, {}, "leaf 0"),
    "nothing against NaN": (None, np.asarray(np.nan), {}, "structure"),
    "NaN against nothing": (np.asarray(np.nan), None, {}, "structure"),
}


@pytest.mark.parametrize("case", CLOSE)
def test_close(case):
    actual, expected, options = CLOSE[case]
    assert_close(actual, expected, **options)


@pytest.mark.parametrize("case", NOT_CLOSE)
def test_not_close(case):
    actual, expected, options, message = NOT_CLOSE[case]
    with pytest.raises(ParityError, match=message) as caught:
        assert_close(actual, expected, **options)
    assert isinstance(caught.value, AssertionError)


@pytest.mark.parametrize("options", [{"ulp": 1, "rtol": 1}, {"ulp": -1}, {"atol": float("nan")}])
def test_impossible_tolerances(options):
    with pytest.raises(InputError):
        assert_close(A, A, **options)


@pytest.mark.parametrize("name", NAMES)
def test_close_on_every_library(name):
    backend = load_backend(name)
    a = backend.asarray(A, dtype="float32")
    assert_close(a, backend.asarray(A, dtype="float32"))
    with pytest.raises(ParityError, match=r"\[1, 1\]"):
        assert_close(a, backend.asarray(A + np.asarray([[0, 0], [0, 1e-3]]), dtype="float32"))
    if name != "numpy":
        with pytest.raises(ParityError, match=f"an array of {name}, expected one of numpy"):
            assert_close(a, A.astype(np.float32), check_namespace=True)
        assert_close(a, A.astype(np.float32))  # NumPy's are a target for all
        with pytest.raises(ParityError, match="an array of numpy, expected one of"):
            assert_close(A.astype(np.float32), a)
        with pytest.raises(ParityError, match="dtype float32, expected float64"):
            assert_close(a, A)


@pytest.mark.parametrize("name", NAMES)
def test_complex_numbers_of_every_library_are_compared_in_both_parts(name):
    backend = load_backend(name)
    if "complex" not in dir(backend.xp) and not hasattr(backend.xp, "complex128"):
        pytest.skip("no complex numbers")
    one, two = (backend.asarray(np.asarray([1.0 + k * 1j]), dtype="complex128") for k in (1, 2))
    assert_close(one, one, rtol=1e-9)
    for options in ({}, {"rtol": 1e-6}, {"ulp": 2}):
        with pytest.raises(ParityError, match="1 of 1"):
            assert_close(one, two, **options)


def test_spacing_and_rounding_against_numpy():
    x = np.asarray([1.0, 0.75, 1e-30, 1e-44, 3e38, 5.0, 0.0, -2.0])
    np.testing.assert_array_equal(FORMATS["float32"].spacing(x), np.abs(np.spacing(x.astype(np.float32))))
    values = np.random.default_rng(0).normal(size=1000) * 10.0 ** np.arange(-50, 50).repeat(10)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(
            FORMATS["float32"].round(values), values.astype(np.float32).astype(float)
        )
        np.testing.assert_array_equal(
            FORMATS["float16"].round(values), values.astype(np.float16).astype(float)
        )


@pytest.mark.parametrize("name", NAMES)
def test_right_derivatives_pass(name):
    backend = load_backend(name)

    def f(x, y):
        xp = array_namespace(x)
        return {"a": xp.sin(x) * xp.exp(y), "b": (xp.sum(x * x * y),)}

    check_grads(
        f, (backend.asarray([0.3, -0.7], dtype="float32"), backend.asarray(0.5, dtype="float32")), order=2
    )


WRONG = {
    "rev": lambda x: x * owner(x).stop_gradient(x),
    "fwd": lambda x: x * owner(x).stop_gradient(x),
}


@pytest.mark.parametrize("mode", WRONG)
def test_wrong_derivatives_are_found(mode):
    with pytest.raises(ParityError, match="order 1") as caught:
        check_grads(WRONG[mode], (np.asarray([0.5, 2.0]),), modes=(mode,))
    assert {"rev": "reverse", "fwd": "forward"}[mode] in str(caught.value)


def test_outputs_that_have_no_derivative_are_left_out():
    check_grads(lambda x: (xp.argmax(x), x * x), (np.asarray([0.5, 2.0]),))
    with pytest.raises(NotDifferentiableError, match="got int64"):
        check_grads(lambda x: xp.argmax(x), (np.asarray([0.5, 2.0]),))


def test_wrong_second_derivative_is_found():
    def f(x):
        xp = array_namespace(x)
        stopped = owner(x).stop_gradient(x)
        return xp.exp(stopped) * (x - stopped) + x * 0 + stopped  # value x, slope exp(x), but f' is constant

    with pytest.raises(ParityError, match="order"):
        check_grads(f, (np.asarray([0.5]),), order=2)


def filtered(observed, log_process, log_noise):
    """The log-likelihood of a local level, a recursion whose slopes in the noises span orders of magnitude."""
    mean, spread, total = 0.0 * log_noise, 0.0 * log_noise + 10.0, 0.0 * log_noise
    for i in range(observed.shape[0]):
        spread = spread + xp.exp(log_process)
        surprise, variance = observed[i] - mean, spread + xp.exp(log_noise)
        gain = spread / variance
        mean, spread = mean + gain * surprise, spread * (1.0 - gain)
        total = total - 0.5 * (surprise * surprise / variance + xp.log(variance))
    return total


OBSERVED = np.cumsum(np.random.default_rng(3).normal(size=12)) * 30.0
NOISES = (np.asarray(-6.0), np.asarray(-9.0))
METHODS = [{"order": 2}, {"order": 1, "method": "complex", "rtol": 1e-12}, {"order": 1, "step": 1e-3}]


@pytest.mark.parametrize("options", METHODS, ids=str)
def test_a_kalman_filter_passes(options):
    check_grads(filtered, (OBSERVED, *NOISES), **options)
    program = kalman_filter.filtered
    observed = np.asarray([0.0, 1.3, 1.6, 1.5, 0.8])
    if options.get("method") != "complex":
        check_grads(
            lambda *args: program(*args)[0], (observed, np.asarray(-1.0), np.asarray(-8.0)), **options
        )


@pytest.mark.parametrize("options", METHODS, ids=str)
@pytest.mark.parametrize("mode", ["rev", "fwd"])
def test_a_kalman_filter_with_a_slope_off_by_a_ten_thousandth_fails(options, mode):
    def wrong(observed, log_process, log_noise):
        stopped = owner(log_noise).stop_gradient(log_noise)
        return filtered(observed, log_process, stopped + (log_noise - stopped) * 0.9999)

    with pytest.raises(ParityError, match="argument 2"):
        check_grads(wrong, (OBSERVED, *NOISES), modes=(mode,), **{**options, "rtol": 1e-7})


def test_differences_that_settle_nowhere_say_so():
    def noisy(x):
        return x + float(np.random.default_rng().normal()) * 1e-3

    with pytest.raises(ParityError, match="do not settle"):
        check_grads(noisy, (np.asarray([0.5]),), order=1)


def test_functions_that_end_close_by_and_numbers_of_all_sizes_pass():
    check_grads(lambda x: xp.log(x), (np.asarray([1e-2, 1e3]),), step=1e-3)
    check_grads(lambda x: xp.sin(x / 1e6), (np.asarray([1e6, 3e6]),))
    check_grads(lambda x: xp.sin(1000.0 * x), (np.asarray([0.3]),), order=1)
    with pytest.raises(InputError, match="order=1"):
        check_grads(lambda x: x, (A,), method="complex")


def test_single_precision_has_tolerances_of_its_own():
    check_grads(lambda x: xp.exp(xp.sin(x)), (A,), dtype="float32")
    with pytest.raises(ParityError, match="order 1"):
        check_grads(lambda x: x * owner(x).stop_gradient(x), (A,), dtype="float32")
    with pytest.raises(InputError):
        check_grads(lambda x: x, (A,), dtype="float16")


def test_a_backends_own_failure_is_a_line_of_the_table():
    class Broken(type(load_backend("strict"))):
        name = "broken"

        def is_array_type(self, cls):
            return False

        def asarray(self, x, **options):
            raise RuntimeError("out of\nmemory")

    calls = []

    def f(x):
        if owner(x).name == "strict":
            raise ValueError("its own words")
        calls.append(1)
        return x * float(len(calls))  # of another value each time

    register(Broken())
    with pytest.raises(ParityError) as caught:
        assert_parity(f, A, backends=["broken", "strict", "numpy"], compiled=False)
    lines = str(caught.value).splitlines()
    assert "broken: failed: RuntimeError: out of memory" in lines
    assert "strict: failed: ValueError: its own words" in lines
    assert any(line.startswith("numpy, value") for line in lines)


def test_ulp_tables_of_names_and_of_functions_of_ones_own():
    table = ulp_table("sin", backends=["numpy", "strict"])
    assert {(row.backend, row.quantity) for row in table} >= {("numpy", "value"), ("strict", "derivative")}
    assert 0.4 < table.worst < 2
    assert "numpy       float32   value" in repr(table)
    lossy = ulp_table(
        lambda x: xp.exp(x) - 1, reference=lambda mp, x: mp.expm1(x), points=A / 1e3, backends=["numpy"]
    )
    assert lossy.worst > 100
    own = ulp_table(activations.softplus, points=np.linspace(-30, 30, 11), backends=["numpy"])
    assert own.worst < 4
    broken = ulp_table("exp", backends=["numpy"], points=np.asarray([1e4, 1.0]), derivative=False)
    assert [row.beyond for row in broken] == [0, 0]  # both infinite
    with pytest.raises(InputError, match="expected one of abs"):
        ulp_table("sine")


@pytest.mark.parametrize(
    ("function", "reference"),
    [
        (lambda x: xp.logaddexp(x, 0.0), lambda mp, x: mp.log1p(mp.exp(x))),
        (xp.sin, lambda mp, x: mp.sin(x)),
        (xp.log, lambda mp, x: mp.log(x)),
        (xp.tanh, lambda mp, x: mp.tanh(x)),
    ],
    ids=["softplus", "sin", "log", "tanh"],
)
def test_slopes_of_a_reference_of_ones_own_are_right_at_numbers_of_all_sizes(function, reference):
    """The default points reach from the smallest normal number to the largest: steps are neither lost in them nor larger than they."""
    table = ulp_table(function, reference=reference, backends=["numpy"])
    assert {row.quantity for row in table} == {"value", "derivative"}
    assert all(row.points > 20 for row in table)
    assert table.worst < 40


PORTABLE = {
    "networks, losses, optimisers and training": """activations losses optimizers mlp regularizers initializers training
        backend transforms""",
    "random numbers": "random",
    "metrics": "metrics",
    "the tape": "tape",
}


def names_used(room):
    path = ROOT / "multimlp" / room
    for file in [path.with_suffix(".py")] if path.with_suffix(".py").exists() else path.rglob("*.py"):
        if file.parent.name == "numpy" or file.name.startswith("series"):
            continue  # NumPy's own names, and Taylor mode: what expands a function calls that function
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute):
                of = node.value
                if getattr(of, "id", getattr(of, "attr", "")) in ("xp", "namespace", "space"):
                    yield node.attr


def test_what_a_namespace_must_have_is_what_portable_code_calls():
    standard = {name for name in dir(xp) if not name.startswith("_")} - {"linalg", "fft"}
    standard -= {
        "cumulative_prod",  # of 2024.12: for derivatives of products and sorting alone
        "take_along_axis",
        "unique_all",  # for derivatives of distinct elements alone
        "conj",  # of complex numbers alone
        "real",
        "vecdot",  # where it is there
    }
    before = set()
    for purpose, rooms in PORTABLE.items():
        used = {name for room in rooms.split() for name in names_used(room)} & standard - before
        assert used <= set(NEEDED[purpose]), f"{purpose}: add {sorted(used - set(NEEDED[purpose]))}"
        before |= used
    page = (ROOT / "docs" / "adding-a-backend.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in page for names in NEEDED.values() for name in names)


def test_a_namespace_that_lacks_functions_is_told_which(tmp_path):
    strict = load_backend("strict").xp
    poor = types.SimpleNamespace(
        **{n: getattr(strict, n) for n in dir(strict) if n not in ("expm1", "bitwise_xor", "roll")}
    )

    class Poor(type(load_backend("strict"))):
        name, xp = "poor", poor

    assert missing(Poor()) == {
        "networks, losses, optimisers and training": ["expm1"], "random numbers": ["bitwise_xor"], "the tape": ["roll"],
    }  # fmt: skip
    register(Poor())
    with pytest.raises(
        pytest.fail.Exception, match="lacks for networks.*: expm1; for random numbers: bitwise_xor"
    ):
        refuse_what_lacks(load_backend("poor"))


def test_many_numbers_use_random_directions():
    x = np.random.default_rng(0).normal(size=(10, 10))
    check_grads(lambda a: array_namespace(a).sin(a), (x,), order=1)
    with pytest.raises(ParityError, match="random direction"):
        check_grads(WRONG["rev"], (x,), order=1)


@pytest.mark.parametrize("options", [{"order": 0}, {"order": True}, {"modes": ("backward",)}, {"modes": ()}])
def test_impossible_checks(options):
    with pytest.raises(InputError):
        check_grads(lambda x: x, (A,), **options)


@pytest.mark.parametrize("reference", ["numpy", "mpmath"])
def test_parity_of_a_function_of_ones_own(reference):
    def f(x, w):
        return activations.softplus(array_namespace(x, w).matmul(x, w))

    x = np.random.default_rng(0).normal(size=(3, 4))
    assert_parity(f, x, x.T, reference=reference)


@pytest.mark.skipif("torch" not in NAMES, reason="torch is not installed")
def test_parity_finds_a_value_that_differs():
    def f(x):
        wrong = 1e-6 if owner(x).name == "torch" else 0.0
        return x * (1 + wrong)

    with pytest.raises(ParityError, match="torch, value") as caught:
        assert_parity(f, A, compiled=False)
    assert "jax" not in str(caught.value)


@pytest.mark.skipif("tensorflow" not in NAMES, reason="TensorFlow is not installed")
def test_parity_finds_a_gradient_that_differs():
    """The maximum at a tie: half of the derivative on the tape, all of it in TensorFlow."""

    def f(x):
        xp = array_namespace(x)
        return xp.maximum(x, xp.zeros_like(x))

    with pytest.raises(ParityError, match="gradient"):
        assert_parity(f, np.asarray([-1.0, 0.0, 1.0]), backends=["tensorflow"], compiled=False)


def test_parity_needs_something_to_differentiate():
    with pytest.raises(InputError):
        assert_parity(lambda x: x, np.asarray([1, 2]))
    assert_parity(lambda x: x + x, np.asarray([1, 2]), gradients=False, backends=["numpy"])


def on_others(function):
    """What NumPy is given as it is, and others what ``function`` makes of it."""
    return lambda x: function(x) if owner(x).name != "numpy" else x


MUTANTS = {
    "a float dtype": (on_others(lambda x: xp.astype(x, "float32")), {}, "dtype float32, expected float64"),
    "a kind of dtype": (on_others(lambda x: x > 0), {"gradients": False}, "dtype bool, expected float64"),
    "one output more": (on_others(lambda x: (x, x)), {}, r"it returns \(\*, \*\), expected \*"),
    "other keys": (
        lambda x: {"a" if owner(x).name == "numpy" else "b": x},
        {},
        "it returns {'b': \\*}, expected {'a': \\*}",
    ),
    "an integer": (
        lambda x: (x, xp.astype(xp.max(x) * 0 + (200000 + (owner(x).name != "numpy")), "int32")),
        {"dtype": "float32"},
        "value 1: 1 of 1 element",
    ),
    "a shape": (on_others(lambda x: x[None, ...]), {}, r"shape \(1, 2, 2\)"),
    "NaN": (on_others(lambda x: x * float("nan")), {}, "actual nan"),
    "an error": (on_others(lambda x: 1 / 0), {}, "failed: ZeroDivisionError"),
    "a gradient": (lambda x: x * (x if owner(x).name == "numpy" else owner(x).stop_gradient(x)), {}, "gradient: "),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTANTS)
def test_what_differs_between_backends_is_named(name):
    fn, options, message = MUTANTS[name]
    with pytest.raises(ParityError, match=f"(?s)strict.*{message}"):
        assert_parity(fn, A, backends=["numpy", "strict"], **options)


def test_a_function_that_returns_nothing_to_compare_is_no_success():
    with pytest.raises(InputError, match="returns an array"):
        assert_parity(lambda x: None, A, gradients=False, backends=["strict"])
    with pytest.raises(InputError, match="gradients=False"):
        assert_parity(xp.argmax, A, backends=["strict"])


def test_complex_outputs_and_integers_of_another_width_are_compared():
    def spectrum(x):
        return xp.astype(x, "complex128") * 1j, xp.argmax(x)

    assert_parity(spectrum, A, gradients=False, backends=["strict"])
    with pytest.raises(ParityError, match="value 0"):
        assert_parity(
            lambda x: (spectrum(x)[0] + (owner(x).name == "strict") * 1e-3j, x),
            A,
            gradients=False,
            backends=["strict"],
        )


def test_ulp_tables_of_functions_of_two_numbers_of_ones_own():
    table = ulp_table(lambda x, y: x * y + y, backends=["numpy"], points=(A / 3, A / 7))
    assert [row.quantity for row in table] == ["value", "derivative 0", "derivative 1"] * 2
    assert table.worst < 2
    table = ulp_table(lambda x, y: x * y, reference=lambda mp, x, y: x * y, backends=["numpy"])
    assert len(table) == 6  # at the usual points, of all sizes
    assert all(row.points > 20 for row in table)
    assert table.worst <= 0.5
    far = (np.asarray([1e-150, 1e150, 3.0]), np.asarray([1e150, 1e-150, 4.0]))
    table = ulp_table(
        xp.hypot,
        reference=lambda mp, x, y: mp.hypot(x, y),
        backends=["numpy"],
        points=far,
        dtypes=["float64"],
    )
    assert table.worst < 4
    with pytest.raises(InputError, match="points: expected a tuple of 3 arrays"):
        ulp_table(lambda x, y, z: x, reference=lambda mp, x, y, z: x, backends=["numpy"])


def test_an_ulp_table_of_nothing_is_no_success():
    for options in ({"backends": []}, {"dtypes": []}):
        with pytest.raises(InputError, match="got none"):
            ulp_table("sin", **options)
    nothing = ulp_table(lambda x: x * float("nan"), backends=["numpy"], points=A, derivative=False)
    assert nothing.worst == np.inf
    assert "no" in nothing[0].problem
    (lacking,) = ulp_table("sin", backends=["numpy"], dtypes=["bfloat16"], points=A, derivative=False)
    assert lacking.problem == "it has no bfloat16"
    for wrong in (xp.sum, lambda x: xp.astype(x, "float64") * 1.0):
        table = ulp_table(
            wrong,
            reference=lambda mp, x: x,
            points=A,
            backends=["numpy"],
            dtypes=["float32"],
            derivative=False,
        )
        assert "not element-wise, or casts" in table[0].problem
