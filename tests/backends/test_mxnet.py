"""MXNet: functions and training against NumPy, derivatives against NumPy and `mxnet.autograd`."""

from __future__ import annotations

import numpy as np
import pytest

import multimlp as mm
from multimlp.backend import array_namespace, is_installed, load_backend
from multimlp.errors import CapabilityError, DeviceError, DTypeError, InputError, MixedBackendsError

if not is_installed("mxnet"):
    pytest.skip("mxnet is not installed here; `make test-mxnet` runs these tests", allow_module_level=True)

BACKEND = load_backend("mxnet")
xp = BACKEND.xp

import mxnet as mx  # noqa: E402 - possible only after the adapter has been loaded

RNG = np.random.default_rng(0)
A = RNG.normal(size=(3, 4))
B = RNG.normal(size=(4, 3))
POSITIVE = np.abs(A) + 0.1
UNIT = np.tanh(A)
HALVES = np.asarray([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5])
ODD = np.asarray([-2.0, -0.0, 0.0, 2.0, np.nan, np.inf, -np.inf])
LARGE = np.asarray([100.0, -np.inf, np.inf, 1e4, 0.0, -np.inf, 1.0])
INTEGERS = np.asarray([[5, -7, 2], [5, 100, -3]], dtype=np.int32)
THREES = np.full_like(INTEGERS, 3)
BOOLEANS = A > 0
INDICES = np.asarray([2, 0, 0], dtype=np.int32)
ALONG = np.asarray([[0, 3], [1, 1], [-1, 2]])
SPD = A @ A.T + np.eye(3)


def host(x):
    return BACKEND.to_numpy(x)


def moved(x):
    if isinstance(x, np.ndarray):
        return BACKEND.asarray(x)
    return [moved(item) for item in x] if isinstance(x, list) else x


def same_name(names, *arguments):
    """Cases of functions that NumPy has under the same names."""
    return [(name, arguments, {}, getattr(np, name)) for name in names.split()]


CASES = [
    # name, arguments, keywords, NumPy's way
    *same_name(
        "abs sin cos tan sinh cosh tanh exp expm1 floor ceil trunc square negative isfinite isnan "
        "isinf sign signbit reciprocal positive round ", A
    ),
    *same_name(
        "sqrt log log1p log2 log10", POSITIVE
    ),
    ("round", (HALVES,), {}, np.round),
    *same_name(
        "sign isnan isfinite isinf abs exp tanh trunc signbit", ODD
    ),
    ("asin", (UNIT,), {}, np.arcsin),
    ("acos", (UNIT,), {}, np.arccos),
    ("atan", (A,), {}, np.arctan),
    ("asinh", (A,), {}, np.arcsinh),
    ("acosh", (POSITIVE + 1,), {}, np.arccosh),
    ("atanh", (UNIT,), {}, np.arctanh),
    ("atan2", (A, POSITIVE), {}, np.arctan2),
    *same_name(
        "add subtract multiply divide maximum minimum equal less less_equal greater greater_equal "
        "not_equal hypot copysign logaddexp remainder floor_divide nextafter ", A, POSITIVE
    ),
    ("logaddexp", (LARGE, LARGE[::-1].copy()), {}, np.logaddexp),
    ("pow", (POSITIVE, A), {}, np.power),
    *same_name(
        "logical_and logical_or logical_xor", BOOLEANS, ~BOOLEANS.T.reshape(3, 4)
    ),
    ("logical_not", (BOOLEANS,), {}, np.logical_not),
    *same_name(
        "bitwise_and bitwise_or bitwise_xor floor_divide remainder add multiply", INTEGERS, THREES
    ),
    ("bitwise_left_shift", (INTEGERS, np.abs(INTEGERS) % 31), {}, np.left_shift),
    ("bitwise_right_shift", (INTEGERS, np.abs(INTEGERS) % 31), {}, np.right_shift),
    ("bitwise_invert", (INTEGERS,), {}, np.invert),
    ("clip", (A, -0.5, 0.5), {}, np.clip),
    ("clip", (ODD, None, 1.0), {}, lambda x, low, high: np.minimum(x, high)),
    *((name, (A,), {"axis": axis, "keepdims": keep}, getattr(np, name))
      for name in "sum prod mean max min var std all any".split()  # noqa: SIM905
      for axis in (None, 0, -1, (0, 1)) for keep in (True, False)),
    ("var", (A,), {"axis": 0, "correction": 1.0}, lambda x, axis, correction: np.var(x, axis=axis, ddof=1)),
    *same_name("sum prod max min", INTEGERS),
    ("sum", (BOOLEANS,), {"axis": 0}, np.sum),
    ("sum", (INTEGERS,), {"dtype": np.dtype("float64")}, np.sum),
    ("count_nonzero", (INTEGERS,), {"axis": 1}, np.count_nonzero),
    ("cumulative_sum", (A,), {"axis": 1}, lambda x, axis: np.cumsum(x, axis=axis)),
    ("cumulative_sum", (INTEGERS,), {"axis": 0}, lambda x, axis: np.cumsum(x, axis=axis)),
    ("cumulative_sum", (A,), {"axis": 0, "include_initial": True},
     lambda x, axis, include_initial: np.vstack([np.zeros(4), np.cumsum(x, axis=0)])),
    ("cumulative_prod", (A,), {"axis": 1}, lambda x, axis: np.cumprod(x, axis=axis)),
    ("argmax", (A,), {"axis": 1}, np.argmax),
    ("argmin", (A,), {"axis": 0}, np.argmin),
    ("argsort", (INTEGERS,), {"axis": 0}, lambda x, axis: np.argsort(x, axis=axis, kind="stable")),
    ("argsort", (INTEGERS,), {"axis": 0, "descending": True},
     lambda x, axis, descending: np.argsort(-x, axis=axis, kind="stable")),
    ("sort", (A,), {"axis": 1}, np.sort),
    ("sort", (A,), {"descending": True}, lambda x, descending: -np.sort(-x)),
    ("matmul", (A, B), {}, np.matmul),
    ("matmul", (A, B[:, 0]), {}, np.matmul),
    ("matmul", (A, np.stack([B, -B])), {}, np.matmul),
    ("matmul", (INTEGERS, INTEGERS.T), {}, np.matmul),
    ("matmul", (A.astype(np.float32), B.astype(np.float32)), {}, np.matmul),
    ("matrix_transpose", (np.stack([A, A]),), {}, lambda x: np.swapaxes(x, -1, -2)),
    ("vecdot", (A, POSITIVE), {"axis": 0}, lambda a, b, axis: np.sum(a * b, axis=axis)),
    ("tensordot", (A, A), {"axes": ((1,), (1,))}, np.tensordot),
    ("reshape", (A, (2, -1)), {"copy": True}, lambda x, shape, copy: np.reshape(x, shape)),
    ("permute_dims", (A, (1, 0)), {}, np.transpose),
    ("moveaxis", (np.ones((2, 3, 4)), 0, -1), {}, np.moveaxis),
    ("expand_dims", (A,), {"axis": 1}, np.expand_dims),
    ("squeeze", (A[:, None],), {"axis": 1}, np.squeeze),
    ("flip", (A,), {"axis": 1}, np.flip),
    ("roll", (A, 1), {"axis": 0}, np.roll),
    ("repeat", (A, 2), {"axis": 1}, np.repeat),
    ("tile", (A, (2, 1)), {}, np.tile),
    ("tril", (A,), {"k": 1}, np.tril),
    ("triu", (A,), {}, np.triu),
    ("diff", (A,), {"axis": 0}, np.diff),
    ("broadcast_to", (A, (2, 3, 4)), {}, np.broadcast_to),
    ("concat", ([A, A],), {"axis": 1}, np.concatenate),
    ("concat", ([A, A],), {"axis": None}, np.concatenate),
    ("stack", ([A, A],), {"axis": -1}, np.stack),
    ("where", (BOOLEANS, A, 0.0), {}, np.where),
    ("where", (BOOLEANS, A, 2 * A), {}, np.where),
    ("take", (A, INDICES), {"axis": 0}, np.take),
    ("take", (A, INDICES), {"axis": 1}, np.take),
    ("take_along_axis", (A, ALONG), {"axis": 1}, np.take_along_axis),
    ("take_along_axis", (A, np.asarray([[0, 2, 1, 1]])), {"axis": 0}, np.take_along_axis),
    ("searchsorted", (np.sort(A[0]), A[1]), {"side": "right"}, np.searchsorted),
    ("unique_values", (INTEGERS,), {}, np.unique),
    ("linalg.cholesky", (SPD,), {}, np.linalg.cholesky),
    ("linalg.det", (SPD,), {}, np.linalg.det),
    ("linalg.inv", (SPD,), {}, np.linalg.inv),
    ("linalg.solve", (SPD, A), {}, np.linalg.solve),
    ("linalg.outer", (A[0], B[0]), {}, np.outer),
    ("linalg.trace", (SPD,), {"offset": 1}, np.trace),
    ("linalg.vector_norm", (A,), {"axis": 1}, np.linalg.norm),
    ("linalg.vector_norm", (A,), {"axis": 1, "ord": float("inf")}, np.linalg.norm),
    ("linalg.vector_norm", (A,), {"axis": 1, "ord": 3}, np.linalg.norm),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "arguments", "keywords", "numpys"), CASES, ids=lambda v: v if isinstance(v, str) else None
)
def test_functions_agree_with_numpy_in_value_and_dtype(name, arguments, keywords, numpys):
    function = xp
    for part in name.split("."):
        function = getattr(function, part)
    with np.errstate(all="ignore"):
        expected = np.asarray(numpys(*arguments, **keywords))
    got = host(function(*moved(list(arguments)), **keywords))
    assert got.dtype == expected.dtype
    assert got.shape == expected.shape
    eps = np.finfo(expected.dtype).eps if expected.dtype.kind == "f" else 0.0
    np.testing.assert_allclose(got, expected, rtol=8 * eps, atol=8 * eps)


INFINITE = np.asarray(
    [[1.0, np.inf, 2.0], [1.0, 2.0, -np.inf], [np.inf, -np.inf, 0.0], [np.nan, np.inf, 1.0]]
)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize("name", ["sum", "mean", "max", "min", "prod"])
def test_reductions_of_infinities(name, axis, dtype):
    """MXNet's own sum makes NaN of them."""
    x = INFINITE.astype(dtype)
    for rows in (x, x[:1], x[1:2]):
        with np.errstate(invalid="ignore"):
            expected = getattr(np, name)(rows, axis=axis)
        np.testing.assert_array_equal(host(getattr(xp, name)(moved(rows), axis=axis)), expected)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda: xp.asarray(1.5), "float32"),
        (lambda: xp.asarray([1, 2]), "int64"),
        (lambda: xp.asarray([True]), "bool"),
        (lambda: xp.asarray(np.ones(2)), "float64"),
        (lambda: xp.asarray([[1, 2]], dtype=xp.int32), "int32"),
        (lambda: xp.asarray(xp.zeros(2), dtype=xp.float64), "float64"),
        (lambda: xp.arange(3), "int64"),
        (lambda: xp.arange(0.0, 1.0, 0.5), "float32"),
        (lambda: xp.linspace(0.0, 1.0, 3, dtype=xp.float64), "float64"),
        (lambda: xp.zeros(()), "float32"),
        (lambda: xp.full((2,), 7), "int64"),
        (lambda: xp.full_like(xp.zeros(2, dtype=xp.float64), 7), "float64"),
        (lambda: xp.eye(2, dtype=xp.float64), "float64"),
        (lambda: xp.mean(xp.zeros(2, dtype=xp.float64)), "float64"),
        (lambda: xp.matmul(xp.ones((2, 2), dtype=xp.float16), xp.ones((2, 2), dtype=xp.float16)), "float16"),
        (lambda: xp.concat([xp.zeros(2, dtype=xp.float64), xp.zeros(2)]), "float64"),
    ],
)
def test_dtypes_of_results(call, expected):
    assert BACKEND.dtype_name(call().dtype) == expected


def test_several_results():
    values, indices, inverse, counts = (host(part) for part in xp.unique_all(moved(INTEGERS)))
    assert values.tolist() == [-7, -3, 2, 5, 100]
    assert counts.tolist() == [1, 1, 1, 2, 1]
    assert np.array_equal(values[inverse], INTEGERS)
    assert np.array_equal(INTEGERS.ravel()[indices], values)
    assert [host(row).tolist() for row in xp.unstack(moved(INTEGERS))] == INTEGERS.tolist()
    left, right = xp.meshgrid(xp.arange(2), xp.arange(3), indexing="ij")
    assert (left.shape, right.shape) == ((2, 3), (2, 3))
    assert [a.shape for a in xp.broadcast_arrays(moved(A), moved(A[0]))] == [(3, 4), (3, 4)]


@pytest.mark.parametrize(
    ("dtype", "kind", "expected"),
    [
        ("float16", "real floating", True), ("int8", "signed integer", True), ("uint8", "integral", True),
        ("bool", "bool", True), ("bool", "numeric", False), ("float32", ("bool", "integral"), False),
        ("float64", np.dtype("float64"), True), ("float64", "complex floating", False),
    ],
)  # fmt: skip
def test_isdtype(dtype, kind, expected):
    assert xp.isdtype(BACKEND.dtype(dtype), kind) is expected


def test_bad_arguments_get_one_clear_error():
    with pytest.raises(DTypeError, match="kind: expected one of"):
        xp.isdtype(xp.float32, "floating")
    with pytest.raises(DTypeError, match="no arrays of dtype complex128"):
        xp.asarray(1j)
    with pytest.raises(DeviceError, match="'cpu', 'cuda', 'cuda:1' or 'gpu', got 'tpu'"):
        xp.zeros(2, device="tpu")
    with pytest.raises(DTypeError, match="bfloat16"):
        mm.use_backend("mxnet", dtype="bfloat16").__enter__()
    with pytest.raises(CapabilityError, match="compiler: 'xla' is not one of the mxnet backend's"):
        mm.jit(lambda x: x, compiler="xla")(moved(A))
    with pytest.raises(MixedBackendsError, match="Convert one of them"):
        mm.losses.get("mse")(moved(A), A)
    if not mx.device.num_gpus():
        with pytest.raises(
            DeviceError, match="'gpu' is not available to the mxnet backend here; available: cpu"
        ):
            mm.MLP(2, 3, 1).init(backend="mxnet", device="gpu")


# ---- derivatives


def by_autograd(function, *arrays):
    """First derivatives by MXNet itself."""
    leaves = [mx.np.array(a, dtype=a.dtype) for a in arrays]
    for leaf in leaves:
        leaf.attach_grad()
    with mx.autograd.record():
        value = function(*leaves)
    value.backward()
    return [leaf.grad.asnumpy() for leaf in leaves]


@pytest.mark.parametrize("name", mm.activations.names())
def test_activations_agree_with_numpy_and_with_mxnets_own_derivatives(name):
    points = np.concatenate([np.linspace(-6, 6, 41), [-0.0, 1e-8, -1e-8, 30.0, -30.0]])
    activation = mm.activations.get(name)
    np.testing.assert_allclose(host(activation(moved(points))), activation(points), rtol=2e-14, atol=1e-14)

    def total(x):
        return array_namespace(x).sum(activation(x))

    by_tape = host(mm.grad(total)(moved(points)))
    np.testing.assert_allclose(by_tape, mm.grad(total)(points), rtol=2e-13, atol=1e-13)
    np.testing.assert_allclose(by_tape, by_autograd(total, points)[0], rtol=2e-13, atol=1e-13)


def mlp_loss(mlp, X, y):
    def loss(params):
        outputs = mlp(params, X)
        return array_namespace(outputs).mean(mm.losses.get("cross_entropy")(outputs, y))

    return loss


@pytest.fixture
def problem():
    mlp = mm.MLP(4, [5, 6], 3, activation="tanh")
    X, y = RNG.normal(size=(8, 4)), RNG.integers(0, 3, size=8)
    return mlp, X, y, mlp.init(seed=1, backend="numpy", dtype="float64")


def test_gradients_of_an_mlp_are_numpys_and_autograds(problem):
    mlp, X, y, params = problem
    loss = mlp_loss(mlp, moved(X), moved(y))
    got = [host(g) for g in mm.tree.leaves(mm.grad(loss)(mm.convert(params, backend="mxnet")))]
    expected = mm.tree.leaves(mm.grad(mlp_loss(mlp, X, y))(params))
    leaves, rebuild = mm.tree.flatten(params)
    native = by_autograd(lambda *arrays: loss(rebuild(arrays)), *leaves)
    for ours, numpys, mxnets in zip(got, expected, native, strict=True):
        np.testing.assert_allclose(ours, numpys, rtol=1e-13, atol=1e-14)
        np.testing.assert_allclose(ours, mxnets, rtol=1e-13, atol=1e-14)


def cubic(x):
    space = array_namespace(x)
    return space.sum(x * x * x) + space.sum(space.tanh(x)) ** 2


@pytest.mark.parametrize(
    "transformed",
    [
        lambda x: mm.hessian(cubic)(x),
        lambda x: mm.jacobian(lambda v: v * array_namespace(v).exp(v))(x),
        lambda x: mm.jvp(cubic, (x,), (x,))[1],
        lambda x: mm.vjp(cubic, x)[1](array_namespace(x).ones_like(cubic(x))),
        lambda x: mm.grad(lambda v: array_namespace(v).sum(mm.grad(cubic)(v) * v))(x),
        lambda x: mm.vmap(cubic)(array_namespace(x).stack([x, 2 * x])),
        lambda x: mm.jit(mm.grad(cubic))(x),
        lambda x: mm.scan(lambda c, item: (c + item, c * item), x[0], x)[1],
        lambda x: mm.grad(lambda v: array_namespace(v).sum(v * mm.stop_gradient(v)))(x),
    ],
    ids=["hessian", "jacobian", "jvp", "vjp", "second", "vmap", "jit", "scan", "stop_gradient"],
)
def test_transforms_of_every_order_agree_with_numpy(transformed):
    """MXNet itself has first derivatives only; the tape gives the others."""
    x = np.asarray([0.5, -1.25, 2.0])
    got, expected = mm.tree.leaves(transformed(moved(x))), mm.tree.leaves(transformed(x))
    for ours, numpys in zip(got, expected, strict=True):
        np.testing.assert_allclose(host(ours), numpys, rtol=1e-13, atol=1e-13)


def test_an_array_gives_way_to_a_traced_one_on_its_right():
    x = moved(A)
    value, gradient = mm.value_and_grad(lambda v: xp_sum(x * v) + xp_sum(x - v) + xp_sum(x / (v * v + 1)))(x)
    _, expected = mm.value_and_grad(lambda v: xp_sum(A * v) + xp_sum(A - v) + xp_sum(A / (v * v + 1)))(A)
    assert value.shape == ()
    np.testing.assert_allclose(host(gradient), expected, rtol=1e-13)


def xp_sum(x):
    return array_namespace(x).sum(x)


# ---- training


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "lbfgs"])
def test_training_follows_numpys_trajectory(problem, optimizer):
    mlp, _, _, _ = problem
    X, y = RNG.normal(size=(64, 4)), RNG.integers(0, 3, size=64)
    settings = {
        "optimizer": optimizer,
        "epochs": 5,
        "batch_size": 16,
        "dtype": "float64",
        "progress": False,
        "validation": None,
    }
    ours, numpys = (mm.fit(mlp, X, y, backend=name, **settings) for name in ("mxnet", "numpy"))
    np.testing.assert_allclose(ours.history["loss"], numpys.history["loss"], rtol=1e-9)
    for got, expected in zip(mm.tree.leaves(ours.params), mm.tree.leaves(numpys.params), strict=True):
        np.testing.assert_allclose(host(got), expected, rtol=1e-9, atol=1e-12)


def test_dropout_draws_the_bits_of_every_library():
    X, y = RNG.normal(size=(32, 4)).astype(np.float32), RNG.integers(0, 3, size=32)
    mlp = mm.MLP(4, [16], 3, dropout=0.5)
    ours, numpys = (
        mm.fit(mlp, X, y, backend=n, epochs=3, batch_size=8, progress=False) for n in ("mxnet", "numpy")
    )
    np.testing.assert_allclose(ours.history["loss"], numpys.history["loss"], rtol=1e-5)
    key = mm.random.key(7)
    for draw in (lambda k: mm.random.bits(k, (5,)), lambda k: mm.random.uniform(k, (5,), "float64")):
        assert np.array_equal(host(draw(moved(key))), draw(key))


def test_arrays_of_the_users_choose_the_backend_and_come_back():
    X, y = moved(RNG.normal(size=(20, 4)).astype(np.float32)), moved(RNG.integers(0, 3, size=20))
    result = mm.fit(mm.MLP(4, [5], 3), X, y, epochs=1, progress=False)
    assert (result.backend, result.dtype, result.device, result.engine) == (
        "mxnet",
        "float32",
        "cpu",
        "steps",
    )
    assert all(isinstance(leaf, mx.np.ndarray) for leaf in mm.tree.leaves(result.params))


def test_legacy_arrays_are_not_taken_for_arrays_of_this_backend():
    with pytest.raises(InputError, match="NDArray"):
        array_namespace(mx.nd.ones((2,)))
