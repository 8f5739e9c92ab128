"""64 bits on JAX while its switch is off: what `multimlp.convert` hands out, and a namespace that neither raises nor narrows."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest

import multimlp as mm
from multimlp.backend import load_backend
from multimlp.errors import DTypeError, PrecisionWarning

jax = pytest.importorskip("jax")

if jax.config.jax_enable_x64:
    pytest.skip("the switch is on", allow_module_level=True)

RNG = np.random.default_rng(0)
V = np.abs(RNG.normal(size=5)) / 4
A = RNG.normal(size=(3, 3))
S = A @ A.T + np.eye(3)


def wide(values):
    return mm.convert(np.asarray(values), "jax", dtype=np.asarray(values).dtype.name)


# ---- what convert hands out


@pytest.mark.parametrize(("kind", "narrow"), [("float64", "float32"), ("complex128", "complex64")])
def test_values_that_lose_bits_are_handed_out_narrow_with_a_word(kind, narrow):
    with pytest.warns(PrecisionWarning) as caught:
        x = mm.convert({"a": np.ones(3, dtype=kind), "b": None}, "jax")["a"]
    assert str(x.dtype) == str((x + 1).dtype) == narrow
    (message,) = [str(w.message) for w in caught]
    for part in (f"{kind} became {narrow}", f'dtype="{kind}"', 'jax.config.update("jax_enable_x64", True)'):
        assert part in message
    assert caught[0].filename == __file__


@pytest.mark.parametrize(("kind", "narrow"), [("int64", "int32"), ("uint64", "uint32")])
def test_integers_that_fit_lose_nothing_and_are_quiet(kind, narrow):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        x = mm.convert(np.asarray([0, np.iinfo(narrow).max], dtype=kind), "jax")
    assert str(x.dtype) == narrow
    assert np.asarray(x).tolist() == [0, np.iinfo(narrow).max]


@pytest.mark.parametrize(
    "value", [np.int64(2**31), np.int64(-(2**31) - 1), np.uint64(2**32), np.float64(1e300), np.complex128(1e300j)]
)  # fmt: skip
def test_values_beyond_the_narrow_dtype_are_refused(value):
    with pytest.raises(DTypeError, match=rf'does not fit .*dtype="{value.dtype}"'):
        mm.convert(np.asarray([0, value], dtype=value.dtype), "jax")
    assert np.asarray(mm.convert(np.asarray(value), "jax", dtype=value.dtype.name)) == value


def test_infinities_and_nan_are_values_of_float32():
    with pytest.warns(PrecisionWarning):
        x = mm.convert(np.asarray([np.inf, -np.inf, np.nan]), "jax")
    np.testing.assert_array_equal(np.asarray(x), [np.inf, -np.inf, np.nan])


def test_64_bits_that_were_asked_for_are_kept_quietly(monkeypatch):
    def kinds():
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return [str(mm.convert(np.ones(2, dtype=k), "jax").dtype) for k in ("float64", "int64")]

    with mm.use_backend("jax", dtype="float64"):
        assert kinds() == ["float64", "int64"]
    with jax.enable_x64(True):
        assert kinds() == ["float64", "int64"]
    monkeypatch.setenv("MULTIMLP_DTYPE", "float64")
    assert kinds() == ["float64", "int64"]


def test_an_array_that_is_jaxs_already_stays_as_it_is():
    x = wide(V)
    assert mm.convert(x, "jax") is x


def test_what_the_readme_does_is_quiet():
    X, y = RNG.normal(size=(30, 4)), RNG.integers(0, 3, size=30)
    mlp = mm.MLP(4, 5, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error", PrecisionWarning)
        warnings.simplefilter("error", UserWarning)
        result = mm.fit(mlp, X, y, epochs=2, backend="jax", progress=False)
        outputs = mm.predict(mlp, result.params, X)
        mm.metrics.accuracy(outputs, mm.convert(y, backend="jax"))


# ---- the namespace

ELEMENTWISE = (
    "abs acos asin asinh atan atanh ceil cos cosh exp expm1 floor isfinite isinf isnan log log10 log1p log2 negative positive round "
    "sign signbit sin sinh sqrt square tan tanh trunc all any argmax argmin max min mean prod std sum var count_nonzero "
    "cumulative_sum cumulative_prod sort argsort flip zeros_like ones_like unique_values nonzero diff reciprocal"
)
PAIRS = (
    "add subtract multiply divide pow maximum minimum atan2 copysign hypot logaddexp remainder floor_divide equal less greater "
    "nextafter vecdot"
)
LINALG = "det slogdet inv cholesky qr svd svdvals pinv matrix_rank eigh eigvalsh matrix_norm"
CALLS = {
    **{n: (lambda xp, x, n=n: getattr(xp, n)(x), V) for n in ELEMENTWISE.split()},
    **{n: (lambda xp, x, n=n: getattr(xp, n)(x, xp.flip(x)), V) for n in PAIRS.split()},
    **{f"linalg.{n}": (lambda xp, x, n=n: getattr(xp.linalg, n)(x), S) for n in LINALG.split()},
    "searchsorted": (lambda xp, x: xp.searchsorted(xp.sort(x), x), V),
    "matmul": (lambda xp, x: xp.matmul(x, x), A),
    "tensordot": (lambda xp, x: xp.tensordot(x, x), A),
    "where": (lambda xp, x: xp.where(xp.greater(x, 0.1), x, 0.5), V),
    "clip": (lambda xp, x: xp.clip(x, 0.1, 0.2), V),
    "concat": (lambda xp, x: xp.concat([x, x]), V),
    "stack": (lambda xp, x: xp.stack((x, x)), V),
    "eye": (lambda xp, x: xp.eye(3, dtype=x.dtype), V),
    "arange": (lambda xp, x: xp.arange(5, dtype=xp.float64), V),
    "linspace": (lambda xp, x: xp.linspace(0, 1, 7, dtype=x.dtype), V),
    "full": (lambda xp, x: xp.full((5,), 1 / 3, dtype=xp.float64), V),
    "full_like": (lambda xp, x: xp.full_like(x, 1 / 3), V),
    "asarray": (lambda xp, x: xp.asarray([1 / 3, 2], dtype=x.dtype), V),
    "astype": (lambda xp, x: xp.astype(xp.astype(x, xp.float32), xp.float64), V.astype("float32").astype("float64")),
    "fft": (lambda xp, x: xp.fft.fft(x), V),
    "fft.rfft": (lambda xp, x: xp.fft.rfft(x), V),
    "int64": (lambda xp, x: xp.astype(xp.multiply(x, 2**40), xp.int64), V),
    "result_type": (lambda xp, x: xp.zeros(2, dtype=xp.result_type(xp.float64, xp.float32)), V),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_functions_of_the_namespace_keep_64_bits(name):
    call, values = CALLS[name]
    x = wide(values)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = mm.tree.leaves(call(mm.array_namespace(x), x))
    expected = mm.tree.leaves(call(load_backend("numpy").xp, values))
    for ours, theirs in zip(got, expected, strict=True):
        assert np.asarray(ours).dtype.itemsize >= (8 if np.asarray(theirs).dtype.kind in "fc" else 1)
        np.testing.assert_allclose(np.abs(np.asarray(ours)), np.abs(theirs), rtol=1e-13, atol=1e-14)


def test_float32_is_left_alone_by_neighbours_of_numpy():
    xp = load_backend("jax").xp
    x = xp.ones(3, dtype=xp.float32)
    assert str(xp.multiply(x, np.float64(2)).dtype) == str(xp.add(x, np.ones(3)).dtype) == "float32"
    assert str(xp.asarray(np.ones(3)).dtype) == str(jax.numpy.asarray(np.ones(3)).dtype)


def test_the_namespace_is_jax_numpy_by_every_other_name():
    xp = load_backend("jax").xp
    assert xp.float64 is jax.numpy.float64
    assert (xp.pi, xp.newaxis, xp.ndarray) == (jax.numpy.pi, None, jax.numpy.ndarray)
    assert set(dir(jax.numpy)) <= set(dir(xp))
    assert set(dir(jax.numpy.linalg)) <= set(dir(xp.linalg))
    assert xp.__array_api_version__ == jax.numpy.__array_api_version__
    assert xp.sum.__doc__ == jax.numpy.sum.__doc__
    with pytest.raises(AttributeError, match="nothing"):
        _ = xp.nothing
    x = wide(V)
    assert float(xp.add.reduce(x)) == pytest.approx(V.sum(), rel=1e-14)


@pytest.mark.parametrize("name", ["sum", "add", "astype", "linalg.det", "fft.fft", "add.reduce"])
def test_functions_can_be_pickled(name):
    function = load_backend("jax").xp
    for part in name.split("."):
        function = getattr(function, part)
    assert pickle.loads(pickle.dumps(function)) is function


def test_users_own_transforms_of_namespace_functions():
    x = wide(V)
    xp = mm.array_namespace(x)

    def f(x):
        return xp.sum(xp.multiply(xp.sin(x), x))

    slope = np.cos(V) * V + np.sin(V)
    for g in (jax.grad(f), jax.jit(jax.grad(f)), jax.vmap(jax.grad(lambda x: xp.multiply(xp.sin(x), x)))):
        assert str(g(x).dtype) == "float64"
        np.testing.assert_allclose(np.asarray(g(x)), slope, rtol=1e-14)
    assert str(jax.jit(f)(x).dtype) == "float64"


def test_operators_are_right_inside_transforms_and_as_documented_outside():
    x = wide(V)
    for result in (
        mm.jit(lambda x: (x + 1) * x / 3)(x),
        mm.vmap(lambda x: (x + 1) * x / 3)(x),
        mm.scan(lambda c, x: (c, (x + 1) * x / 3), wide(0.0), x)[1],
    ):
        assert str(result.dtype) == "float64"
        np.testing.assert_allclose(np.asarray(result), (V + 1) * V / 3, rtol=1e-14)
    np.testing.assert_allclose(np.asarray(mm.grad(lambda x: (3 * x * x + 1).sum())(x)), 6 * V, rtol=1e-14)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kept = (x + x, x - x, x * x, x / x, -x, x**2, x[0], x.T)
        narrowed = (x + 1, 2 * x, x / 3, x**0.5, x + V, x.sum(), x.mean())
    assert {str(r.dtype) for r in kept} == {"float64"}
    assert {str(r.dtype) for r in narrowed} == {"float32"}
    xp = mm.array_namespace(x)
    assert float(xp.sum(x * x)) == pytest.approx((V * V).sum(), rel=1e-14)
