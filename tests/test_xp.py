"""`multimlp.xp`: every function of the standard goes to the library of its arguments, traced or not."""

from __future__ import annotations

import inspect
import math

import array_api_strict
import numpy as np
import pytest
from libraries import NAMES, needs_numpy_2

import multimlp as mm
from multimlp import xp
from multimlp.backend import is_installed, load_backend
from multimlp.errors import CapabilityError, DTypeError, InputError, MixedBackendsError

COMPILING = ("jax", "tensorflow", "torch")
LIBRARIES = [pytest.param(name, marks=pytest.mark.slow) if name in COMPILING else name for name in NAMES]
"""Those that take seconds to go through the whole standard, a compilation each, are slow."""

FLAGS = {name for name in array_api_strict.__all__ if "flags" in name.lower()}
STANDARD = {n for n in array_api_strict.__all__ if not n.startswith("__")} - FLAGS - {"Device"}

F = np.asarray([[0.25, 0.5, -0.75], [0.125, -0.5, 0.875]], dtype=np.float32)
G = np.asarray([[0.5, 2.0, -1.5], [1.0, 0.25, 3.0]], dtype=np.float32)
S = np.asarray([[2.0, 0.5], [0.5, 1.0]], dtype=np.float32)
V = np.asarray([1.0, -2.0, 0.5], dtype=np.float32)
I = np.asarray([3, 1, 2, 1], dtype=np.int32)
B = np.asarray([True, False, True, True])
C = np.asarray([1 + 2j, -0.5j], dtype=np.complex64)
K = np.asarray([0, 2], dtype=np.int64)

OF_ONE = """abs acos acosh asin asinh atan atanh ceil cos cosh exp expm1 floor isfinite isinf isnan log log1p log2 log10 negative
positive reciprocal round sign signbit sin sinh square sqrt tan tanh trunc all any argmax argmin argsort count_nonzero cumulative_prod
cumulative_sum diff max mean min nonzero prod sort std sum var unique_values matrix_transpose tril triu flip unstack zeros_like ones_like"""
OF_MATRICES = (
    "cholesky det diagonal eigvalsh inv matrix_norm matrix_rank pinv slogdet svdvals trace matrix_transpose"
)
OF_TWO = """add atan2 copysign divide equal floor_divide greater greater_equal hypot less less_equal logaddexp maximum minimum multiply
nextafter not_equal pow remainder subtract vecdot broadcast_arrays"""
CALLS: dict[str, tuple[tuple, dict]] = {
    **{name: ((F,), {}) for name in OF_ONE.split() if not name.startswith("cumulative")},
    **{name: ((F,), {"axis": 1}) for name in ("cumulative_prod", "cumulative_sum", "diff", "sum", "max", "argsort")},
    **{name: ((F, G), {}) for name in OF_TWO.split()},
    **{f"bitwise_{name}": ((I, I[::-1]), {}) for name in ("and", "or", "xor", "left_shift", "right_shift")},
    **{f"logical_{name}": ((B, B[::-1]), {}) for name in ("and", "or", "xor")},
    **{name: ((I,), {}) for name in ("bitwise_invert", "unique_all", "unique_counts", "unique_inverse")},
    **{name: ((C,), {}) for name in ("conj", "imag", "real")},
    "logical_not": ((B,), {}),
    "clip": ((F, -0.5, 0.5), {}),
    "astype": ((G, xp.int32), {}),
    "broadcast_to": ((V, (2, 3)), {}),
    "concat": (([F, G],), {"axis": 1}),
    "stack": (([F, G],), {"axis": 1}),
    "expand_dims": ((F,), {"axis": 1}),
    "squeeze": ((F[None], 0), {}),
    "moveaxis": ((F, 0, 1), {}),
    "permute_dims": ((F, (1, 0)), {}),
    "repeat": ((V, 2), {}),
    "reshape": ((F, (3, 2)), {}),
    "roll": ((F, 1), {"axis": 1}),
    "tile": ((F, (2, 1)), {}),
    "meshgrid": ((V, V), {"indexing": "ij"}),
    "isin": ((I, I[:2]), {}),
    "searchsorted": ((np.sort(V), V), {}),
    "take": ((V, K), {"axis": 0}),
    "take_along_axis": ((F, np.asarray([[0], [2]])), {"axis": 1}),
    "where": ((F > 0, F, 0.0), {}),
    "full_like": ((F, 2), {"dtype": xp.int32}),
    "matmul": ((F, G.T), {}),
    "tensordot": ((F, G), {"axes": 2}),
    **{f"linalg.{name}": ((S,), {}) for name in OF_MATRICES.split()},
    "linalg.cross": ((V, V[::-1]), {}),
    "linalg.matrix_power": ((S, 3), {}),
    "linalg.outer": ((V, V), {}),
    "linalg.solve": ((S, S), {}),
    "linalg.vector_norm": ((F,), {"axis": 1}),
    "linalg.matmul": ((F, G.T), {}),
    "linalg.tensordot": ((F, G), {"axes": 2}),
    "linalg.vecdot": ((F, G), {}),
    "linalg.eigh": ((np.diag(V),), {}),
    "linalg.qr": ((np.diag(abs(V)),), {}),
    "linalg.svd": ((np.diag(abs(V)),), {}),
    **{f"fft.{name}": ((C,), {}) for name in ("fft", "ifft", "irfft", "hfft", "fftshift", "ifftshift", "fftn", "ifftn", "irfftn")},
    **{f"fft.{name}": ((V,), {}) for name in ("rfft", "ihfft", "rfftn")},
}  # fmt: skip
MADE = {
    "zeros": (2,), "ones": ((2, 3),), "full": ((2,), 3.0), "eye": (2, 3), "arange": (1, 7, 2), "linspace": (0.0, 1.0, 5),
    "asarray": ([[1.0, 2.0]],), "fft.fftfreq": (4,), "fft.rfftfreq": (4,), "empty": ((0, 2),),
}  # fmt: skip
SIGNS = {"linalg.eigh", "linalg.qr", "linalg.svd"}
"""What is determined but for signs."""
WITHOUT_LIBRARY = {
    "broadcast_shapes",
    "can_cast",
    "finfo",
    "iinfo",
    "isdtype",
    "result_type",
    "from_dlpack",
    "empty_like",
}
LACKING = {"tensorflow": ("fft.",)}


def found(space, path):
    for part in path.split("."):
        space = getattr(space, part)
    return space


def on(library, value):
    if isinstance(value, list):
        return [on(library, each) for each in value]
    if not isinstance(value, np.ndarray):
        return value
    return library.asarray(value, dtype=value.dtype.name)


def results(library, value):
    many = value if isinstance(value, (tuple, list)) else (value,)
    assert all(library.is_array_type(type(each)) for each in many)
    return [np.asarray(library.to_numpy(each)) for each in many]


def test_all_functions_of_the_standard_are_there():
    assert set(dir(xp)) >= STANDARD
    assert set(dir(xp.linalg)) >= set(array_api_strict.linalg.__all__)
    assert set(dir(xp.fft)) >= set(array_api_strict.fft.__all__)


def test_each_function_is_called_by_a_test():
    functions = {n for n in STANDARD if inspect.isfunction(getattr(xp, n))}
    functions |= {f"linalg.{n}" for n in array_api_strict.linalg.__all__} | {
        f"fft.{n}" for n in array_api_strict.fft.__all__
    }
    assert functions - set(CALLS) - set(MADE) - WITHOUT_LIBRARY == set()


@pytest.mark.parametrize("path", [*CALLS, *MADE])
def test_signatures_are_the_standards(path):
    ours = inspect.signature(found(xp, path)).parameters
    theirs = inspect.signature(found(array_api_strict, path)).parameters
    assert [n for n in ours if n != "like"] == [n.rstrip("_") if n == "shapes_" else n for n in theirs]
    assert found(xp, path).__doc__


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("library", [*LIBRARIES, *(["mlx"] if is_installed("mlx") else [])])
def test_every_function_on_every_backend(library):
    library = load_backend(library)
    for path, (args, options) in CALLS.items():
        if path.startswith(LACKING.get(library.name, ("none",))):
            with pytest.raises(CapabilityError, match=path):
                found(xp, path)(*(on(library, a) for a in args), **options)
            continue
        function = found(xp, path)
        got = results(library, function(*(on(library, a) for a in args), **options))
        wanted = results(load_backend("numpy"), function(*args, **options))
        for a, b in zip(got, wanted, strict=True):
            if path in SIGNS:
                a, b = abs(a), abs(b)
            assert a.shape == b.shape, path
            np.testing.assert_allclose(a, b, rtol=3e-6, atol=3e-6, err_msg=path)


@pytest.mark.parametrize("library", LIBRARIES)
def test_arrays_are_made_where_like_and_the_selection_say(library):
    library = load_backend(library)
    like = library.asarray(V, dtype="float32")
    for path, args in MADE.items():
        if path.startswith(LACKING.get(library.name, ("none",))):
            continue
        function = found(xp, path)
        wanted = function(*args)
        with mm.use_backend(library.name, dtype="float64"):
            selected = function(*args)
        for made, kind in ((function(*args, like=like), "float32"), (selected, "float64")):
            assert library.is_array_type(type(made)), path
            assert xp.isdtype(made.dtype, "integral" if path == "arange" else kind), path
            np.testing.assert_allclose(
                np.asarray(library.to_numpy(made)), np.asarray(wanted, dtype=float), rtol=1e-6
            )
        assert function(*args, like=like, dtype=xp.float64).dtype == xp.float64


@pytest.mark.parametrize("library", NAMES)
def test_without_a_selected_dtype_it_is_the_librarys_default(library):
    library = load_backend(library)
    default = library.xp.__array_namespace_info__().default_dtypes()["real floating"]
    with mm.use_backend(library.name):
        for made in (
            xp.zeros(2),
            xp.linspace(0, 1, 3),
            xp.full((), 0.5),
            xp.asarray([0.5]),
            xp.arange(0.0, 2.0),
        ):
            assert made.dtype == default
        assert xp.asarray([True, False]).dtype == xp.bool == xp.full(2, True).dtype
        assert xp.isdtype(xp.asarray([1, 2]).dtype, "integral")
        assert xp.isdtype(xp.asarray([1j]).dtype, "complex floating")


def test_arrays_stay_in_their_library_unless_somebody_says_otherwise():
    numpy, strict = np.ones(2, dtype=np.float32), load_backend("strict").asarray([1.0, 2.0])
    assert xp.asarray(numpy) is numpy
    assert xp.asarray(strict) is strict
    with mm.use_backend("strict"):
        assert type(xp.asarray(numpy)) is type(strict)
    assert isinstance(xp.asarray(strict, like=numpy), np.ndarray)
    assert xp.asarray(strict, dtype="float32").dtype == xp.float32
    with pytest.raises(InputError, match="stack"):
        xp.asarray([numpy, numpy])


@pytest.mark.parametrize("library", NAMES)
def test_dtypes_equal_those_of_every_library(library):
    library = load_backend(library)
    for name in ("bool", "int32", "int64", "float32", "float64", "complex64"):
        assert library.dtype(name) == getattr(xp, name)
        assert getattr(xp, name) == library.dtype(name)
        assert xp.isdtype(library.dtype(name), getattr(xp, name))
    assert library.dtype("float32") != xp.float64
    x = library.asarray([1.0, 2.0], dtype="float32")
    assert xp.finfo(x).eps == xp.finfo(x.dtype).eps == 2.0**-23
    assert xp.sum(x, dtype=xp.float64).dtype == xp.float64
    assert xp.astype(x, "int32").dtype == xp.int32
    assert xp.result_type(x, xp.float64) == library.dtype("float64")


def test_limits_and_promotion_are_numpys():
    for name in ("float32", "float64", "float16"):
        ours, theirs = xp.finfo(name), np.finfo(name)
        assert (ours.bits, ours.eps, ours.max, ours.min, ours.smallest_normal) == (
            theirs.bits, theirs.eps, theirs.max, theirs.min, theirs.smallest_normal,
        )  # fmt: skip
    integers = [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
    for name in integers:
        assert (xp.iinfo(name).min, xp.iinfo(name).max) == (np.iinfo(name).min, np.iinfo(name).max)
    floats = ["float32", "float64", "complex64", "complex128"]
    for names in (integers, floats):
        for a in names:
            for b in names:
                wanted = np.promote_types(a, b)
                if wanted.kind == "f" and names is integers:
                    with pytest.raises(DTypeError):
                        xp.result_type(a, b)
                else:
                    assert xp.result_type(a, b) == wanted
                    assert xp.can_cast(a, b) == (wanted == b)
    with pytest.raises(DTypeError):
        xp.finfo(xp.int32)
    with pytest.raises(DTypeError):
        xp.isdtype("no dtype", "integral")


def test_arrays_of_two_libraries_are_refused():
    numpy, strict = np.ones(2), load_backend("strict").asarray([1.0, 2.0])
    for call in (
        lambda: xp.add(numpy, strict),
        lambda: xp.concat([strict, numpy]),
        lambda: xp.where(numpy > 0, strict, strict),
        lambda: xp.clip(numpy, min=strict),
        lambda: mm.grad(lambda x: xp.sum(xp.multiply(x, strict)))(numpy),
    ):
        with pytest.raises(MixedBackendsError):
            call()
    for call in (lambda: xp.sin(1.0), lambda: xp.sum([1.0]), lambda: xp.add(1.0, 2.0), lambda: xp.stack([])):
        with pytest.raises(InputError):
            call()


@pytest.mark.parametrize(
    "call", [lambda: xp.sin(), lambda: xp.sum(V, 0), lambda: xp.sum(V, where=V > 0), lambda: xp.reshape(V), lambda: xp.stack(axis=0)]
)  # fmt: skip
def test_what_the_standard_has_not_is_refused_on_numpy_too(call):
    with pytest.raises(TypeError):
        call()


def residual(x, w):
    """Of many kinds of functions: constants, mixes, creation, indexing by conditions, linear algebra."""
    ones = xp.ones(3, like=x)
    a = xp.sin(x) + xp.multiply(x, w) + xp.where(w > 0, x, 0.0) + xp.maximum(x, 0.25)
    b = xp.concat([a, w, ones]) * xp.asarray(2.0, like=x)
    c = xp.stack([xp.pow(x, 2.0), xp.atan2(w, x)], axis=0)
    return (
        xp.sum(xp.exp(-b))
        + xp.linalg.vector_norm(xp.matmul(c, w))
        + xp.pi * xp.mean(xp.cumulative_sum(x, axis=0))
    )


X, W = np.asarray([0.5, -0.25, 1.5]), np.asarray([1.0, -2.0, 0.5])


def slope_by_differences():
    h = 1e-6
    return [(residual(X + h * e, W) - residual(X - h * e, W)) / (2 * h) for e in np.eye(3)]


@pytest.mark.parametrize("compiled", [pytest.param(False, marks=pytest.mark.slow), True])
@pytest.mark.parametrize("library", NAMES)
def test_derivatives_by_every_backends_own_means(library, compiled):
    library = load_backend(library)
    x, w = (library.asarray(a, dtype="float64") for a in (X, W))
    slope = mm.grad(residual)
    slope = mm.jit(slope) if compiled else slope
    np.testing.assert_allclose(library.to_numpy(slope(x, w)), slope_by_differences(), rtol=1e-7)
    if not compiled:
        rows = mm.vmap(mm.grad(residual), in_axes=(0, None))(xp.stack([x, x]), w)
        np.testing.assert_allclose(library.to_numpy(rows)[1], slope_by_differences(), rtol=1e-7)


def test_plain_and_traced_arrays_mix_in_both_orders_on_strict():
    library = load_backend("strict")
    plain = library.asarray(W)

    def f(x):
        inner = mm.grad(lambda y: xp.sum(xp.multiply(plain, y) * x * plain))(plain)  # plain, and traced twice
        return xp.sum(plain * x + x / plain - xp.where(plain > 0, x, plain)) + xp.sum(
            inner * plain + (plain < x) * 1.0 if False else inner
        )

    got = library.to_numpy(mm.grad(f)(library.asarray(X)))
    np.testing.assert_allclose(got, W + 1 / W - (W > 0) + W * W, rtol=1e-14)


def test_the_frameworks_own_transforms_go_through():
    torch, jax = pytest.importorskip("torch"), pytest.importorskip("jax")
    x, w = X.astype(np.float32), W.astype(np.float32)
    wanted = slope_by_differences()
    np.testing.assert_allclose(
        torch.func.grad(residual)(torch.asarray(x), torch.asarray(w)), wanted, rtol=1e-5
    )
    np.testing.assert_allclose(
        jax.jit(jax.grad(residual))(jax.numpy.asarray(x), jax.numpy.asarray(w)), wanted, rtol=1e-5
    )


@pytest.mark.slow
@needs_numpy_2
def test_torch_compiles_it_without_a_break():
    torch = pytest.importorskip("torch")
    x, w = torch.asarray(X), torch.asarray(W)

    def f(x, w):
        ones = xp.ones(3, like=x)
        return xp.sum(xp.concat([xp.sin(x), xp.add(w, ones)])) + xp.linalg.vector_norm(
            xp.stack([x, w], axis=1), axis=0
        )

    compiled = torch.compile(f, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x, w), f(x, w))


def test_constants_are_numbers():
    assert (xp.pi, xp.e, xp.inf, xp.newaxis) == (math.pi, math.e, math.inf, None)
    assert math.isnan(xp.nan)
    assert repr(xp.float32) == "xp.float32"


@pytest.mark.parametrize("given", [None, "abc", ["a", "b"], [None], 2**64, [[1.0], [1.0, 2.0]], object()])
def test_what_is_no_numbers_is_refused(given):
    with pytest.raises(InputError):
        xp.asarray(given)


def test_integers_that_the_dtype_of_like_does_not_hold_are_refused():
    like = np.ones(2, dtype=np.uint8)
    assert xp.arange(256, like=like).dtype == xp.uint8
    assert xp.arange(300, dtype=xp.int64, like=like).tolist() == list(range(300))
    assert xp.arange(5, 0, -2, like=like).tolist() == [5, 3, 1]
    for call in (lambda: xp.arange(257, like=like), lambda: xp.full(2, -1, like=like)):
        with pytest.raises(InputError, match="the dtype of like"):
            call()
