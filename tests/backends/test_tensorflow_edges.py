"""The TensorFlow namespace at its edges: unknown and empty shapes, dtypes, devices, exchange, bad input."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
tf = pytest.importorskip("tensorflow")
npx = pytest.importorskip("array_api_compat.numpy")

from tensorflow_cases import ALL, COMPLEX, FLOATS, SIGNED, UNSIGNED, assert_same, hermitian, sample  # noqa: E402

from multimlp.backends.tensorflow import namespace as xp  # noqa: E402
from multimlp.errors import DeviceError, DTypeError, InputError, MixedBackendsError, ShapeError  # noqa: E402

# ---- shapes that are unknown, empty, or of one element -----------------------------------------------------

DYNAMIC: list[tuple[str, Callable[[Any, Any], Any]]] = [
    ("reshape with the shape of the array", lambda ns, x: ns.reshape(x, (x.shape[0], 1, 3))),
    ("reshape with -1 too", lambda ns, x: ns.reshape(x, (x.shape[0], -1, 1))),
    ("broadcast_to", lambda ns, x: ns.broadcast_to(x, (2, *tuple(x.shape)))),
    ("take", lambda ns, x: ns.take(x, ns.asarray([0, -1]), axis=0)),
    ("take_along_axis", lambda ns, x: ns.take_along_axis(x, ns.argsort(x, axis=0), axis=0)),
    *(
        (name, lambda ns, x, name=name: getattr(ns, name)(x))
        for name in ["zeros_like", "ones_like", "tril", "sort"]
    ),
    ("full_like", lambda ns, x: ns.full_like(x, 2)),
    *((name, lambda ns, x, name=name: getattr(ns, name)(x, 2)) for name in ["repeat", "roll"]),
    ("repeat along an axis", lambda ns, x: ns.repeat(x, 2, axis=0)),
    ("tile", lambda ns, x: ns.tile(x, (2, 1))),
    (
        "matmul of a batch",
        lambda ns, x: ns.matmul(ns.expand_dims(x, axis=0), ns.ones((3, 2), dtype=ns.float32)),
    ),
    ("var", lambda ns, x: ns.var(x, axis=0, correction=1)),
    ("cumulative_sum", lambda ns, x: ns.cumulative_sum(x, axis=1, include_initial=True)),
    ("diagonal", lambda ns, x: ns.linalg.diagonal(x)),
    ("broadcast_arrays", lambda ns, x: ns.broadcast_arrays(x, ns.ones((3,), dtype=ns.float32))[1]),
    ("max", lambda ns, x: ns.max(x, axis=0)),
]


@pytest.mark.parametrize("function", [d[1] for d in DYNAMIC], ids=[d[0] for d in DYNAMIC])
def test_an_unknown_leading_dimension(function: Callable[[Any, Any], Any]) -> None:
    signature = [tf.TensorSpec((None, 3), tf.float32)]
    traced = tf.function(
        tf.autograph.experimental.do_not_convert(lambda x: function(xp, x)), input_signature=signature
    )
    x = sample("float32", (5, 3))
    assert_same(traced(tf.constant(x)), function(npx, x), 16)


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (), (1,), (1, 1)], ids=str)
@pytest.mark.parametrize(
    "name",
    [
        "exp",
        "add",
        "sum",
        "prod",
        "mean",
        "all",
        "any",
        "flip",
        "sort",
        "argsort",
        "concat",
        "stack",
        "roll",
        "repeat",
        "matmul",
        "var",
        "unique_values",
        "reshape",
    ],
)
def test_empty_and_single_shapes(name: str, shape: tuple[int, ...]) -> None:
    x = sample("float64", shape)
    if name in ("sort", "argsort", "concat", "matmul") and not shape:
        pytest.skip("needs a dimension")
    arguments: dict[str, Callable[[Any, Any], tuple[Any, ...]]] = {
        "add": lambda ns, a: (a, a),
        "concat": lambda ns, a: ([a, a],),
        "stack": lambda ns, a: ([a, a],),
        "roll": lambda ns, a: (a, 1),
        "repeat": lambda ns, a: (a, 2),
        "matmul": lambda ns, a: (a, a if len(shape) == 1 else ns.matrix_transpose(a[:1])),
        "reshape": lambda ns, a: (a, (-1,) if x.size else (0, 2)),
    }
    make = arguments.get(name, lambda ns, a: (a,))
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # NumPy's, of the mean of nothing
        expected = getattr(npx, name)(*make(npx, x))
    assert_same(getattr(xp, name)(*make(xp, tf.constant(x))), expected, 16)


# ---- factorisations, by what defines them ------------------------------------------------------------------


@pytest.mark.parametrize("dtype", FLOATS + COMPLEX)
def test_factorisations_multiply_to_the_matrix(dtype: str) -> None:
    x, h = tf.constant(sample(dtype, (2, 4, 3), 5)), tf.constant(hermitian(dtype)[0])
    tolerance = 200 * np.finfo(dtype).eps
    u, s, vh = xp.linalg.svd(x, full_matrices=False)
    q, r = xp.linalg.qr(x)
    values, vectors = xp.linalg.eigh(h)
    for got, expected in (
        ((u * tf.cast(s, u.dtype)[..., None, :]) @ vh, x),
        (q @ r, x),
        (tf.linalg.adjoint(q) @ q, np.broadcast_to(np.eye(3), (2, 3, 3))),
        ((vectors * tf.cast(values, vectors.dtype)[..., None, :]) @ tf.linalg.adjoint(vectors), h),
    ):
        np.testing.assert_allclose(got, expected, atol=tolerance * 30)
    assert xp.linalg.svd(x).U.shape == (2, 4, 4)
    assert xp.linalg.qr(x, mode="complete").Q.shape == (2, 4, 4)


# ---- dtypes, devices, exchange -----------------------------------------------------------------------------


def test_promotion_follows_the_standard() -> None:
    names = SIGNED + UNSIGNED
    for first in names:
        for second in names:
            expected = np.promote_types(first, second)
            if expected.kind == "f":
                with pytest.raises(DTypeError):
                    xp.result_type(getattr(xp, first), getattr(xp, second))
            else:
                assert xp.result_type(getattr(xp, first), getattr(xp, second)).name == expected.name
    assert xp.result_type(xp.float32, xp.complex64) == xp.complex64
    assert xp.result_type(xp.float64, xp.complex64) == xp.complex128
    assert xp.result_type(xp.float16, xp.bfloat16) == xp.float32
    assert xp.result_type(xp.ones(2, dtype=xp.float16), 1.0, 3) == xp.float16
    assert xp.can_cast(xp.int8, xp.int32)
    assert not xp.can_cast(xp.int32, xp.int8)
    assert not xp.can_cast(xp.int32, xp.float64)


def test_kinds_and_limits() -> None:
    assert xp.isdtype(xp.bfloat16, "real floating")
    assert xp.isdtype(xp.uint8, ("bool", "unsigned integer"))
    assert not xp.isdtype(xp.int8, "unsigned integer")
    for name in ("float16", *FLOATS, *COMPLEX):
        ours, theirs = xp.finfo(getattr(xp, name)), np.finfo(name)
        assert (ours.eps, ours.max, ours.min, ours.smallest_normal) == tuple(
            float(v) for v in (theirs.eps, theirs.max, theirs.min, theirs.smallest_normal)
        )
    assert xp.finfo(xp.bfloat16).eps == 2**-7
    assert (xp.iinfo(xp.uint16).min, xp.iinfo(xp.uint16).max, xp.iinfo(xp.int64).bits) == (0, 65535, 64)
    info = xp.__array_namespace_info__()
    assert set(info.dtypes(kind="signed integer")) == set(SIGNED)
    assert set(info.dtypes()) == {*ALL}
    assert info.default_device() in info.devices()
    assert xp.asarray(1.0).dtype == info.default_dtypes()["real floating"] == xp.float32
    assert xp.asarray([1]).dtype == info.default_dtypes()["integral"] == xp.int64


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_half_precision(name: str) -> None:
    x = xp.asarray([1.5, -2.0, 0.25], dtype=getattr(xp, name))
    for out, expected in (
        (xp.add(x, 1.0), [2.5, -1.0, 1.25]),
        (xp.sort(x), [-2.0, 0.25, 1.5]),
        (xp.where(x > 0, x, 0.0), [1.5, 0.0, 0.25]),
        (xp.copysign(x, -1.0), [-1.5, -2.0, -0.25]),
        (xp.sum(x), -0.25),
    ):
        assert out.dtype == x.dtype
        np.testing.assert_array_equal(tf.cast(out, tf.float32), expected)


def test_arrays_come_in_without_harm() -> None:
    for offset in range(1, 4):  # a view at each offset: TensorFlow would abort on an unaligned buffer
        source = np.arange(70, dtype=np.float32)[offset:]
        np.testing.assert_array_equal(xp.exp(xp.from_dlpack(source) * 0), np.ones(70 - offset))
        np.testing.assert_array_equal(xp.from_dlpack(source[::-2]), source[::-2])
    assert xp.from_dlpack(np.ones(3), copy=True).dtype == xp.float64
    np.testing.assert_array_equal(xp.asarray(np.arange(3, dtype=">f8")), [0, 1, 2])
    np.testing.assert_array_equal(xp.asarray(np.ones(2), dtype=xp.int8, device="CPU:0"), [1, 1])
    source = np.zeros(2)
    made = xp.asarray(source)
    source += 1
    np.testing.assert_array_equal(made, [0, 0])
    assert xp.empty((2, 3)).shape == xp.empty_like(xp.zeros((2, 3))).shape == (2, 3)


@pytest.mark.parametrize("name", ["float32", "float64", "bfloat16", "int32"])
def test_torch_tensors_come_in_aligned_or_not(name: str) -> None:
    torch = pytest.importorskip("torch")
    source = torch.arange(40, dtype=getattr(torch, name))
    for view in (source, source[1:], source[::3], source.reshape(8, 5).T):
        for out in (xp.from_dlpack(view.contiguous()[1:]), xp.asarray(view.contiguous()[1:])):
            assert out.dtype.name == name
            np.testing.assert_array_equal(tf.cast(out, tf.float64) + 0.0, view[1:].double().numpy())


X = np.ones((2, 3), np.float32)
ERRORS: list[tuple[str, Callable[[Any], Any], type[Exception], str]] = [
    ("mixed kinds", lambda x: xp.add(x, xp.ones((3,), dtype=xp.int32)), DTypeError, "float32 and int32"),
    ("float with integers", lambda x: xp.multiply(xp.astype(x, xp.int32), 0.5), DTypeError, "0.5"),
    ("integers divided", lambda x: xp.divide(xp.astype(x, xp.int32), 2), DTypeError, "divide.*int32"),
    ("exp of integers", lambda x: xp.exp(xp.astype(x, xp.int64)), DTypeError, "exp.*int64"),
    ("an array of NumPy", lambda x: xp.add(x, np.ones(3, np.float32)), MixedBackendsError, "numpy.ndarray"),
    ("a scalar alone", lambda x: xp.exp(1.0), InputError, "at least one array"),
    ("where not boolean", lambda x: xp.where(x, x, x), DTypeError, "condition.*float32"),
    ("axis", lambda x: xp.sum(x, axis=2), IndexError, "sum: axis 2"),
    ("axis twice", lambda x: xp.sum(x, axis=(0, -2)), ShapeError, "twice"),
    ("expand_dims", lambda x: xp.expand_dims(x, axis=3), IndexError, "expand_dims: axis 3"),
    ("squeeze", lambda x: xp.squeeze(x, axis=0), ValueError, "squeeze: axis 0"),
    ("matmul of 0-d", lambda x: xp.matmul(x, x[0, 0]), ShapeError, "at least 1 dimension"),
    ("matmul", lambda x: xp.matmul(x, x), ShapeError, r"\(2, 3\) and \(2, 3\)"),
    ("solve", lambda x: xp.linalg.solve(x, x), ShapeError, "square"),
    ("maximum of nothing", lambda x: xp.max(x[:0], axis=0), ShapeError, "empty"),
    ("argmax of nothing", lambda x: xp.argmax(x[:0]), ShapeError, "empty"),
    ("broadcast", lambda x: xp.broadcast_arrays(x, x[:, :2]), ShapeError, "broadcast"),
    ("take", lambda x: xp.take(x, tf.constant([0])), ShapeError, "axis is needed"),
    ("take by floats", lambda x: xp.take(x, x[0], axis=0), DTypeError, "indices.*float32"),
    ("cumulative_sum", lambda x: xp.cumulative_sum(x), ShapeError, "axis is needed"),
    ("zeros of unknown length", lambda x: xp.zeros((None, 3)), ShapeError, "zeros_like"),
    ("device", lambda x: xp.zeros(3, device="TPU:7"), DeviceError, "TPU:7"),
    ("device spelled wrong", lambda x: xp.zeros(3, device="here"), DeviceError, "here"),
    ("asarray of text", lambda x: xp.asarray("abc"), DTypeError, "str"),
    ("asarray without a copy", lambda x: xp.asarray(np.ones(2), copy=False), ValueError, "copy"),
    ("from_dlpack", lambda x: xp.from_dlpack([1.0]), InputError, "__dlpack__"),
    ("kind", lambda x: xp.isdtype(xp.int8, "integer"), InputError, "integral"),
    ("arange", lambda x: xp.arange(0, 1, 0), InputError, "step"),
    ("norm", lambda x: xp.linalg.matrix_norm(x, ord=3), InputError, "ord"),
    ("roll", lambda x: xp.roll(x, (1, 2, 3), axis=(0, 1)), ShapeError, "3 shifts for 2"),
    ("permute_dims", lambda x: xp.permute_dims(x, (0,)), ShapeError, "permute_dims"),
    ("concat of nothing", lambda x: xp.concat([]), InputError, "at least one"),
]


@pytest.mark.parametrize(
    ("function", "error", "message"), [e[1:] for e in ERRORS], ids=[e[0] for e in ERRORS]
)
def test_bad_input_is_refused_at_the_door(
    function: Callable[[Any], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        function(tf.constant(X))


# ---- complex numbers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["expm1", "log", "log1p", "log2", "log10", "tanh"])
@pytest.mark.parametrize("compiled", [False, True])
def test_complex_functions_agree_with_an_oracle(name: str, compiled: bool) -> None:
    """Where the kernels lose digits: near 0, near the unit circle, and where the modulus' square under- or overflows."""
    mpmath = pytest.importorskip("mpmath")
    exact = {
        "log2": lambda z: mpmath.log(z) / mpmath.log(2),
        "log1p": lambda z: mpmath.log(1 + z),
        "expm1": lambda z: mpmath.expm1(z),
    }
    points = [1e-9 + 1e-12j, -1e-9 + 0.3j, 0.3 - 0.4j, 2 + 1e-9j, -0.7 + 2j, 1e-3 + 1e-3j, 3 - 4j]
    if name.startswith("log") and name != "log1p":
        points += [1.8e-253 + 4e-276j, -1e200 + 1e201j]
    function = getattr(xp, name)
    if compiled:
        function = tf.function(function, jit_compile=True)
    got = function(tf.constant(points, tf.complex128)).numpy()
    with mpmath.workdps(60):
        expected = [complex(exact.get(name, getattr(mpmath, name, None))(mpmath.mpc(z))) for z in points]
    np.testing.assert_allclose(got, expected, rtol=4e-15)


def test_derivatives_of_complex_logarithms_are_finite() -> None:
    x = tf.constant([0.25 + 0.1j, 3 - 4j, -2 + 0j], tf.complex128)
    for function, derivative in ((xp.log1p, 1 / (1 + x)), (xp.log, 1 / x), (xp.expm1, tf.exp(x))):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        np.testing.assert_allclose(tape.gradient(y, x), tf.math.conj(derivative), rtol=1e-12)


def test_a_complex_number_is_true_if_either_part_is() -> None:
    z = tf.constant([0j, 1j, 1 + 0j, 0j])
    expected = [False, True, True, False]
    assert xp.astype(z, xp.bool).numpy().tolist() == expected
    assert xp.nonzero(z)[0].numpy().tolist() == [1, 2]
    assert (bool(xp.any(z[:2])), bool(xp.all(z[1:3])), int(xp.count_nonzero(z))) == (True, True, 2)


def test_a_diagonal_beyond_the_matrix_is_empty() -> None:
    for k in (2**63, -(2**70), 3, -2):
        assert not np.any(xp.eye(2, 3, k=k))
    assert np.array_equal(xp.eye(2, 3, k=-1), np.eye(2, 3, k=-1))
