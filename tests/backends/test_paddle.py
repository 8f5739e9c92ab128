"""Paddle: what its own functions compute wrongly is right here, and training and derivatives are NumPy's."""

from __future__ import annotations

import itertools
import subprocess
import sys

import numpy as np
import pytest

import multimlp as mm
from multimlp import parity
from multimlp.backend import is_installed, load_backend
from multimlp.errors import (
    CapabilityError,
    DataError,
    DeviceError,
    DTypeError,
    MixedBackendsError,
    ShapeError,
)

if not is_installed("paddle"):
    pytest.skip("paddle is not installed here; `make test-paddle` runs these tests", allow_module_level=True)

BACKEND = load_backend("paddle")
xp = BACKEND.xp

import paddle  # noqa: E402 - after the adapter, which keeps it quiet

CUBE = np.arange(24.0).reshape(2, 3, 4)


def moved(x, dtype=None):
    return BACKEND.asarray(np.asarray(x), dtype=dtype)


def host(x):
    return BACKEND.to_numpy(x)


# ---- numbers


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_are_equal_if_they_are_the_same(dtype):
    """Paddle's own take numbers less than one eps apart for equal."""
    info = np.finfo(dtype)
    x = np.asarray(
        [
            0.0,
            -0.0,
            info.smallest_subnormal,
            -info.tiny,
            info.eps / 4,
            1.0,
            1 + info.eps,
            np.inf,
            -np.inf,
            np.nan,
        ]
    )
    x = x.astype(dtype)
    a, b = moved(x[:, None]), moved(x)
    for got in (a == b, xp.equal(a, b)):
        np.testing.assert_array_equal(host(got), x[:, None] == x)
    for got in (a != b, xp.not_equal(a, b)):
        np.testing.assert_array_equal(host(got), x[:, None] != x)
    np.testing.assert_array_equal(host(b == 0), x == 0)
    np.testing.assert_array_equal(host(b != 1.0), x != 1.0)
    np.testing.assert_array_equal(host(xp.isin(b, moved([0.0], dtype))), np.isin(x, [0.0]))


def test_operators_of_integers_and_of_dtypes_mixed():
    x = moved([1, 2, 3])
    assert host(x == 2).tolist() == [False, True, False]
    assert host(x != moved([1, 0, 3])).tolist() == [False, True, False]
    assert host(moved([0.5, 1e-20]) == moved([0.5, 0.0], "float32")).tolist() == [True, False]
    assert host(moved([0.5, 1e-20]) == np.float32(0)).tolist() == [False, False]
    BACKEND.__class__()  # what is replaced is replaced once
    assert not hasattr(paddle.Tensor.__getitem__.__wrapped_by_multimlp__, "__wrapped_by_multimlp__")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_exponentials_vanish(dtype):
    lowest = -103.9 if dtype == "float32" else -745.1
    x = np.asarray(
        [-np.inf, -1e4, lowest - 1, lowest, lowest / 1.1, -88.0, -1.0, 0.0, 1.0, 80.0, np.inf, np.nan],
        dtype=dtype,
    )
    with np.errstate(under="ignore"):
        wanted = np.exp(x.astype(np.longdouble)).astype(dtype)
    got = host(xp.exp(moved(x)))
    assert got.dtype == dtype
    np.testing.assert_allclose(
        got, wanted, rtol=2 * np.finfo(dtype).eps, atol=np.finfo(dtype).smallest_subnormal
    )
    assert got[0] == got[1] == got[2] == 0


def test_roots_of_squares_are_whole():
    squares = np.arange(2000.0, dtype=np.float32) ** 2
    np.testing.assert_array_equal(host(xp.sqrt(moved(squares))), np.sqrt(squares))


@pytest.mark.parametrize("name", ["pow", "where", "maximum", "multiply", "atan2", "clip"])
def test_a_number_beside_float64_keeps_all_of_its_digits(name):
    x = np.asarray([0.05, 3.0, -2.0]) ** 2
    ours, numpys = {
        "pow": (xp.pow, np.power),
        "where": (lambda a, b: xp.where(a > 1, a, b), lambda a, b: np.where(a > 1, a, b)),
        "clip": (lambda a, b: xp.clip(a, b), lambda a, b: np.clip(a, b, None)),
        "atan2": (xp.atan2, np.arctan2),
    }.get(name, (getattr(xp, name), getattr(np, name)))
    got = host(ours(moved(x), 0.1))
    assert got.dtype == np.float64
    np.testing.assert_allclose(got, numpys(x, 0.1), rtol=1e-15)


def test_sides_whose_squares_overflow():
    a, b = (
        np.asarray([1e30, np.inf, np.nan, 0.0, 3.0], "float32"),
        np.asarray([1e30, np.nan, 1.0, 0.0, -4.0], "float32"),
    )
    np.testing.assert_allclose(host(xp.hypot(moved(a), moved(b))), np.hypot(a, b), rtol=3e-7)
    ends = np.asarray([np.inf, -np.inf, 100.0])
    np.testing.assert_array_equal(host(xp.logaddexp(moved(ends), moved(ends))), np.logaddexp(ends, ends))


def test_sums_are_of_the_dtype_that_was_asked_for():
    x = moved(np.asarray([1, 2], dtype=np.int32))
    for name in ("sum", "prod", "cumulative_sum", "cumulative_prod"):
        assert BACKEND.dtype_name(getattr(xp, name)(x).dtype) == "int64"
        assert BACKEND.dtype_name(getattr(xp, name)(x, dtype=xp.int32).dtype) == "int32"
    np.testing.assert_array_equal(host(xp.sum(moved(CUBE), axis=())), CUBE)


def test_dtypes_meet_where_paddle_refuses_them():
    x, i = moved([0.5, 1.5], "float32"), moved([1, 2])
    for got in (xp.add(x, i), xp.where(i > 1, x, 3), xp.concat([x, i]), xp.matmul(x, i)):
        assert BACKEND.dtype_name(got.dtype) == "float32"
    assert BACKEND.dtype_name(xp.stack([x, moved([1.0, 2.0])]).dtype) == "float64"
    assert BACKEND.dtype_name(xp.add(moved([True]), 1j).dtype) == "complex64"


# ---- selection

PARTS = [
    slice(None), 0, -1, slice(1, None), slice(None, None, -1), None, Ellipsis, np.asarray([0, 1]), np.asarray([[1, 0], [0, 1]]),
    np.asarray([1]), np.asarray(1), np.asarray([True, False]), np.asarray([0, 0]),
]  # fmt: skip
KEYS = [
    key
    for n in (1, 2, 3)
    for key in itertools.product(PARTS, repeat=n)
    if sum(part is Ellipsis for part in key) < 2
]


def _is_key(key):
    try:
        CUBE[key]
    except IndexError:
        return False
    return True


def test_every_mixture_of_slices_numbers_arrays_and_new_axes_selects_what_numpys_does():
    """Paddle's own end the process with some of these."""
    x, seen = moved(CUBE), 0
    for key in filter(_is_key, KEYS):
        got = host(x[tuple(moved(part) if isinstance(part, np.ndarray) else part for part in key)])
        np.testing.assert_array_equal(got, CUBE[key], err_msg=str(key))
        seen += 1
    assert seen > 1000


def test_every_mixture_is_assigned_to():
    for key in filter(_is_key, KEYS):
        often = np.zeros_like(CUBE)
        np.add.at(often, key, 1)
        if None in [p for p in key if not isinstance(p, np.ndarray)] or often.max() > 1:
            continue  # the standard has no new axes in assignments; of several values one wins
        wanted, x = CUBE.copy(), moved(CUBE)
        wanted[key] = -CUBE[key]
        x[tuple(moved(part) if isinstance(part, np.ndarray) else part for part in key)] = moved(-CUBE[key])
        np.testing.assert_array_equal(host(x), wanted, err_msg=str(key))


VIEWS = {
    "transposed": (lambda x: x.transpose(2, 1, 0), lambda x: xp.permute_dims(x, (2, 1, 0))),
    "a column": (lambda x: x[:, :, 0], lambda x: x[:, :, 0]),
    "every second": (lambda x: x[:, ::2, 1:], lambda x: x[:, ::2, 1:]),
    "backward": (lambda x: x[::-1], lambda x: x[::-1]),
}
PLACES = np.asarray([1, 0])


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize(
    "key",
    [
        (slice(None), PLACES),
        (PLACES,),
        (PLACES, PLACES),
        (PLACES, slice(None)),
        (slice(None, None, -1), PLACES),
    ],
    ids=["columns", "rows", "places", "all of rows", "backward"],
)
def test_views_are_selected_from_and_assigned_to(view, key):
    """Paddle's own reads other elements of the memory, or writes beside it."""
    numpys, ours = VIEWS[view]
    wanted, x = numpys(CUBE.copy()), ours(moved(CUBE))
    places = tuple(moved(part) if isinstance(part, np.ndarray) else part for part in key)
    np.testing.assert_array_equal(host(x[places]), wanted[key])
    np.testing.assert_array_equal(host(xp.take(x, moved(PLACES), axis=1)), np.take(wanted, PLACES, axis=1))
    wanted[key] = 7.0
    x[places] = 7.0
    np.testing.assert_array_equal(host(x), wanted)


@pytest.mark.parametrize(
    ("shape", "new"), [((2, 0), (0, 2)), ((0, 3), (5, 0)), ((0, 2), (-1, 2)), ((0,), (0, 4))]
)
def test_empty_arrays_take_the_shape_that_was_said(shape, new):
    """Paddle's own reads 0 as "as it was"."""
    assert tuple(xp.reshape(xp.zeros(shape), new).shape) == np.zeros(shape).reshape(new).shape


# ---- what is refused


def test_what_cannot_be_right_is_refused():
    with pytest.raises(DataError, match="negative powers"):
        xp.pow(moved([2, 3]), -1)
    with pytest.raises(ShapeError, match="axis 0 has length 2"):
        xp.squeeze(moved([1.0, 2.0]), 0)
    with pytest.raises(DTypeError, match="uint32"):
        xp.asarray(np.zeros(2, dtype=np.uint32))
    for half in ("float16", "bfloat16"):
        with pytest.raises(DTypeError, match=half):
            mm.use_backend("paddle", dtype=half).__enter__()
    with pytest.raises(DTypeError, match="kind: expected one of"):
        xp.isdtype(xp.float32, "floating")
    with pytest.raises(DeviceError, match="'cpu', 'cuda', 'cuda:1' or 'gpu', got 'tpu'"):
        xp.zeros(2, device="tpu")
    with pytest.raises(CapabilityError, match="compiler: 'xla' is not one of the paddle backend's"):
        mm.jit(lambda x: x, compiler="xla")(moved([1.0]))
    with pytest.raises(MixedBackendsError, match="Convert one of them"):
        mm.losses.get("mse")(moved(CUBE[0]), CUBE[0])


# ---- derivatives and training


@pytest.mark.parametrize("name", mm.activations.names())
def test_first_derivatives_are_paddles_own(name):
    points = np.concatenate([np.linspace(-6, 6, 24), [-20.0, 1e-3, 3.3, 20.0]]).reshape(2, 14)
    activation = mm.activations.get(name)
    weights = np.random.default_rng(0).normal(size=np.shape(activation(points)))
    leaf = paddle.to_tensor(points, stop_gradient=False)
    xp.sum(moved(weights) * activation(leaf)).backward()
    ours = mm.grad(lambda x: mm.array_namespace(x).sum(moved(weights) * activation(x)))(moved(points))
    np.testing.assert_allclose(host(ours), leaf.grad.numpy(), rtol=2e-13, atol=1e-13)


def test_an_array_gives_way_to_a_traced_one_on_its_right():
    def total(c, x):
        space = mm.array_namespace(x)
        return space.sum(
            c * x + c / x - (c - x) * space.astype(c < x, x.dtype) + space.astype(c != x, x.dtype) * x
        )

    c, x = np.asarray([1.0, 2.0, 3.0]), np.asarray([1.0, 2.5, 0.5])
    got = mm.grad(lambda v: total(moved(c), v))(moved(x))
    np.testing.assert_allclose(host(got), mm.grad(lambda v: total(c, v))(x), rtol=1e-15)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "lbfgs"])
def test_training_follows_numpys_trajectory(optimizer):
    generator = np.random.default_rng(0)
    X, y = generator.normal(size=(64, 4)), generator.integers(0, 3, size=64)
    mlp = mm.MLP(4, [5, 6], 3, activation="tanh", dropout=0.0 if optimizer == "lbfgs" else 0.25)
    settings = dict(
        optimizer=optimizer, epochs=5, batch_size=16, dtype="float64", progress=False, validation=None
    )
    ours, numpys = (mm.fit(mlp, X, y, backend=name, **settings) for name in ("paddle", "numpy"))
    assert (ours.backend, ours.device) == ("paddle", "cpu")
    assert ours.engine == ("full-batch" if optimizer == "lbfgs" else "steps")
    assert all(isinstance(leaf, paddle.Tensor) for leaf in mm.tree.leaves(ours.params))
    np.testing.assert_allclose(ours.history["loss"], numpys.history["loss"], rtol=1e-9)
    for got, wanted in zip(mm.tree.leaves(ours.params), mm.tree.leaves(numpys.params), strict=True):
        np.testing.assert_allclose(host(got), wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_paritys_report_finds_nothing(dtype):
    report = parity.run(parity.Plan(backends=("paddle",), dtypes=(dtype,), quick=True))
    assert len(report.rows) > 200
    assert [row for row in report.rows if not row.passed] == []


# ---- the process


def test_loading_it_says_nothing_and_leaves_logging_as_it_was():
    script = (
        "import logging; root = logging.getLogger(); before = root.level, root.handlers[:]\n"
        "import multimlp as mm; mm.get_backend('paddle'); assert (root.level, root.handlers) == before, root.handlers"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
