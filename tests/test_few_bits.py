"""Arrays of few bits: indices and labels of 8 bits, whose sums and products wrap, and half precision, which holds no counts beyond 2048.

Every row is compared with the same of 64 bits.
"""

from __future__ import annotations

import numpy as np
import pytest
from libraries import NAMES, every_library, needs_numpy_2

import multimlp as mm
from multimlp import activations, losses, metrics, xp
from multimlp.backend import array_namespace as space
from multimlp.backend import load_backend

RNG = np.random.default_rng(0)
WIDE = RNG.standard_normal((3, 200))
MANY = RNG.standard_normal((200, 5))
LONG = RNG.integers(0, 120, (3, 7))
SHORT = RNG.integers(0, 5, (200, 3))

# name: a function of arrays, the arrays, and the indices that it also takes
INDICES = {
    "take_along_axis": (lambda x, i: space(x).take_along_axis(x, i, axis=1), WIDE, LONG),
    "grad of take_along_axis": (
        lambda x, i: mm.grad(lambda x: space(x).sum(space(x).take_along_axis(x, i, axis=1) ** 2))(x),
        WIDE,
        LONG,
    ),
    "grad of take": (
        lambda x, i: mm.grad(lambda x: space(x).sum(space(x).take(x, i[0, ...], axis=1) ** 2))(x),
        WIDE,
        LONG,
    ),
    "vmap of take": (mm.vmap(lambda x, i: space(x).take(x, i, axis=0)), MANY, SHORT),
    "grad of vmap of take": (
        lambda x, i: mm.grad(
            lambda x: space(x).sum(mm.vmap(lambda x, i: space(x).take(x, i, axis=0))(x, i) ** 2)
        )(x),
        MANY,
        SHORT,
    ),
}
KINDS = {
    "numpy": ("int8", "uint8", "int16", "uint16"),
    "torch": ("int8", "uint8", "int32"),
    "strict": ("int8", "uint8"),
}


@pytest.mark.parametrize("name", INDICES)
@pytest.mark.parametrize(
    ("library", "kind"),
    [(library, kind) for library in NAMES for kind in KINDS.get(library, ("int8",))],
)
def test_indices(library, kind, name):
    function, x, indices = INDICES[name]
    backend = load_backend(library)
    with backend.scope("float64"):
        x = backend.asarray(x, dtype="float64")
        found, wanted = (
            np.asarray(backend.to_numpy(function(x, backend.asarray(indices, dtype=dtype))))
            for dtype in (kind, "int64")
        )
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("kind", ["int8", "int16"])
def test_negative_indices_of_the_tape(kind):
    indices = (LONG - 60).astype(kind)
    f = lambda i: mm.grad(lambda x: np.sum(np.take_along_axis(x, i, axis=1) ** 3))(WIDE)  # noqa: E731
    np.testing.assert_array_equal(f(indices), f(indices.astype(np.int64)))
    g = mm.vmap(lambda x, i: space(x).take(x, i, axis=0))
    np.testing.assert_array_equal(g(WIDE, indices), np.take_along_axis(WIDE, indices, 1))


def test_rows_picked_by_two_short_indices():
    """Places in the flattened array are beyond 127."""
    i, j = np.asarray([2, 1], dtype=np.int8), np.asarray([90, 5], dtype=np.int8)
    pick = lambda i, j: space(i)._getitem(WIDE, (i, j))  # noqa: E731
    np.testing.assert_array_equal(mm.vmap(pick)(i, j), WIDE[i, j])


@every_library
@pytest.mark.parametrize("name", ["cross_entropy", "focal"])
def test_labels_of_8_bits_and_300_classes(library, name):
    """A range of 300 in 8 bits begins anew at 256."""
    backend, loss = load_backend(library), losses.get(name)
    logits = backend.asarray(RNG.standard_normal((4, 300)), dtype="float32")
    few, many = (backend.asarray(np.asarray([3, 40, 43, 255]), dtype=kind) for kind in ("uint8", "int64"))
    for function in (loss, loss.gradient):
        found, wanted = (backend.to_numpy(function(logits, labels)) for labels in (few, many))
        np.testing.assert_array_equal(found, wanted)


@every_library
@pytest.mark.parametrize("name", ["cross_entropy", "focal"])
def test_a_label_that_does_not_exist_has_no_loss_of_zero(library, name):
    backend, loss = load_backend(library), losses.get(name)
    logits = backend.asarray(np.zeros((3, 4)), dtype="float32")
    labels = backend.asarray(np.asarray([1, -1, 4]), dtype="int64")
    try:
        found = backend.to_numpy(loss(logits, labels))
    except mm.errors.InputError:
        return
    assert np.isfinite(found[0])
    assert np.isnan(found[1:]).all()


# ---- half precision --------------------------------------------------------------------------------------------------

HALF = [name for name in NAMES if "float16" in load_backend(name).capabilities.dtypes]
OUTPUTS = RNG.standard_normal((9000, 3))
LABELS = RNG.integers(0, 3, 9000)
TARGETS = OUTPUTS + 0.5 * RNG.standard_normal(OUTPUTS.shape)
TIES = np.zeros((5000, 2))

# name: (function, arrays, error allowed)
COUNTS = {
    "softmax": (lambda x: activations.softmax(x, axis=0), (TIES,), 1e-6),
    "log_softmax": (lambda x: activations.log_softmax(x, axis=0), (TIES,), 5e-3),
    "accuracy": (metrics.accuracy, (OUTPUTS, LABELS), 1e-3),
    "top_k_accuracy": (metrics.with_options("top_k_accuracy", k=2), (OUTPUTS, LABELS), 1e-3),
    "f1": (metrics.f1, (OUTPUTS, LABELS), 1e-3),
    "confusion_matrix": (metrics.confusion_matrix, (OUTPUTS, LABELS), 0),
    "r2": (metrics.r2, (OUTPUTS, TARGETS), 1e-3),
    "rmse": (metrics.rmse, (OUTPUTS, TARGETS), 1e-3),
    "mae": (metrics.mae, (OUTPUTS, TARGETS), 1e-3),
    "rmse of large numbers": (metrics.rmse, (300 * OUTPUTS, 300 * TARGETS), 0.3),
    "mean of many": (lambda x: mm.grad(lambda x: space(x).mean(x))(x), (np.ones(70000),), 1e-7),
    "max of many": (lambda x: mm.grad(lambda x: space(x).max(x))(x), (np.ones(70000),), 1e-7),
    "max along an axis": (
        lambda x: mm.grad(lambda x: space(x).sum(space(x).max(x, axis=0)))(x), (TIES,), 1e-6,
    ),
    "a broadcast bias": (
        lambda x: mm.grad(lambda b: space(b).mean(x + b))(x[0, ...]), (TIES,), 1e-3,
    ),
}  # fmt: skip
OF_THE_TAPE = ("mean of many", "max of many", "max along an axis", "a broadcast bias")
"""On libraries that differentiate by themselves these are theirs."""


@needs_numpy_2
@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("library", HALF)
def test_counts_in_half_precision(library, name):
    backend = load_backend(library)
    if name in OF_THE_TAPE and backend.capabilities.autodiff != "tape":
        pytest.skip("the library's own derivative")
    function, arrays, allowed = COUNTS[name]
    rounded = [a.astype(np.float16) if a.dtype.kind == "f" else a for a in arrays]
    given = [backend.asarray(a, dtype=a.dtype.name) for a in rounded]
    found = np.asarray(backend.to_numpy(function(*given)), dtype=np.float64)
    wanted = function(*(a.astype(np.float64) if a.dtype.kind == "f" else a for a in rounded))
    np.testing.assert_allclose(found, np.asarray(wanted), rtol=0, atol=allowed)


@needs_numpy_2
def test_forward_derivatives_of_ties_in_half_precision():
    x = np.ones(70000, dtype=np.float16)
    assert abs(float(mm.jvp(np.max, (x,), (x,))[1]) - 1) < 2e-3
    value, found = mm.jet(np.max, (x,), ((x, None),))
    assert (float(value), abs(float(found[0]) - 1) < 2e-3) == (1.0, True)


@needs_numpy_2
@pytest.mark.parametrize("name", ["var", "std"])
def test_spreads_in_half_precision(name):
    x = np.tile(np.asarray([0.0, 1.0], dtype=np.float16), 40000)
    value, slope = mm.value_and_grad(getattr(xp, name))(x)
    wide = mm.value_and_grad(getattr(xp, name))(x.astype(np.float64))
    np.testing.assert_allclose(float(value), wide[0], rtol=1e-3)
    np.testing.assert_allclose(slope.astype(float), wide[1], atol=1e-7)


@pytest.mark.parametrize("shape", [(300_001, 2), (2, 300_001, 2), (3, 5, 20_001, 2)])
def test_a_sum_of_many_rows_in_single_precision(shape):
    """NumPy's own, row after row, is 0.3 % off: that is the gradient of what is added to all rows."""
    x = np.full(shape, 1.1, dtype=np.float32)
    slope = mm.grad(lambda b: np.sum(x * b))(np.ones(2, dtype=np.float32)[: shape[-1]])
    np.testing.assert_allclose(slope, x.astype(np.float64).sum(axis=tuple(range(x.ndim - 1))), rtol=1e-5)
    value, _ = mm.value_and_grad(lambda x: np.sum(np.sum(x, axis=-2, keepdims=True)))(x)
    np.testing.assert_allclose(value, x.astype(np.float64).sum(), rtol=1e-5)


@needs_numpy_2
def test_the_median_of_large_numbers_in_half_precision():
    x = np.asarray([60000.0, 61000.0, 5.0, 65000.0], dtype=np.float16)
    assert float(mm.value_and_grad(np.median)(x)[0]) == float(np.median(x))


@every_library
def test_the_class_of_nan_is_not_among_the_first(library):
    """Nor is a class that does not exist."""
    backend = load_backend(library)
    scores = np.full((4, 5), np.nan)
    scores[3] = [-1.0, -2.0, -3.0, -4.0, -5.0]
    given = backend.asarray(scores, dtype="float32"), backend.asarray(np.asarray([0, 1, 4, 7]))
    assert float(metrics.with_options("top_k_accuracy", k=2)(*given)) == 0.0


@every_library
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_mean_whose_sum_is_beyond_half_precision(library, dtype):
    backend = load_backend(library)
    if dtype not in backend.capabilities.dtypes:
        pytest.skip(f"no {dtype}")
    x = backend.asarray(np.full((5000, 2), 20.0), dtype=dtype)
    for axis in (None, 0):
        found = backend.to_numpy(backend.xp.mean(x, axis=axis)).astype(float)
        np.testing.assert_array_equal(found, 20.0 + 0.0 * found)
    slopes = mm.grad(lambda x: space(x).sum(space(x).mean(x, axis=0)))(x)
    np.testing.assert_allclose(backend.to_numpy(slopes).astype(float), 1 / 5000, rtol=0.01)


@every_library
def test_nan_is_searched_for_behind_all_numbers(library):
    backend = load_backend(library)
    ordered, asked = (
        backend.asarray(np.asarray(x), dtype="float64") for x in ([1.0, 2.0, 2.0], [np.nan, 2.0, 9.0, -1.0])
    )
    for side, wanted in (("left", [3, 1, 3, 0]), ("right", [3, 3, 3, 0])):
        found = backend.xp.searchsorted(ordered, asked, side=side)
        np.testing.assert_array_equal(backend.to_numpy(found), wanted)


@every_library
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", ["sum", "cumulative_sum", "var", "std", "norm"])
def test_sums_on_the_way_are_of_single_precision(library, dtype, name):
    backend = load_backend(library)
    if dtype not in backend.capabilities.dtypes:
        pytest.skip(f"no {dtype}")
    if library == "numpy" or (library == "jax" and name == "norm"):
        pytest.skip("the library's own function, in 16 bits")
    values = {"norm": [[200.0], [600.0]] * 2, "var": [[200.0], [600.0]] * 2500}
    values = values.get(name.replace("std", "var"), np.ones((5000, 2)))
    function = {"norm": lambda x: xp.linalg.vector_norm(x, axis=0)}.get(name) or (
        lambda x: getattr(xp, name)(x, axis=0)
    )
    x, wide = (backend.asarray(np.asarray(values), dtype=kind) for kind in (dtype, "float32"))
    wanted = backend.to_numpy(function(wide))
    found = backend.to_numpy(function(x))
    assert backend.dtype_name(function(x).dtype) == dtype
    np.testing.assert_allclose(found.astype(np.float32), wanted, rtol=1e-2 if dtype == "bfloat16" else 1e-3)
