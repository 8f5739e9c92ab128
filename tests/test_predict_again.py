"""The second prediction goes a shorter way than the first: it must give the same, and refuse the same."""

import numpy as np
import pytest
from libraries import NAMES

import multimlp as mm
from multimlp.backend import load_backend
from multimlp.errors import MultimlpError
from multimlp.training._prepared import PREPARED

LIBRARIES = [name for name in ("numpy", "torch", "jax", "tensorflow") if name in NAMES]
ROWS = np.random.default_rng(0).normal(size=(20, 4)).astype("float32")


@pytest.fixture(params=LIBRARIES)
def backend(request):
    return load_backend(request.param)


def _made(backend, seed=0, **options):
    mlp = mm.MLP(4, (5, 6), 3, **{"activation": "elu", **options})
    return mlp, mlp.init(seed, backend=backend)


def _numbers(backend, x):
    return np.asarray(backend.to_numpy(x))


@pytest.mark.parametrize(
    "options",
    [{}, {"activation": {"name": "leaky_relu", "negative_slope": 0.3}}, {"final_activation": "sigmoid"},
     {"activation": "prelu"}, {"use_bias": False}, {"activation": lambda x: x * x}],
    ids=["elu", "with an option", "final", "learned", "without bias", "of one's own"],
)  # fmt: skip
def test_the_second_prediction_is_the_first(backend, options):
    mlp, params = _made(backend, **options)
    other = mlp.init(1, backend=backend)
    for count in (1, 3, 16):
        rows = backend.asarray(ROWS[:count])
        first = [_numbers(backend, mm.predict(mlp, p, rows)) for p in (params, other)]
        again = [_numbers(backend, mm.predict(mlp, p, rows)) for p in (params, other)]
        np.testing.assert_array_equal(first, again)
        np.testing.assert_allclose(first[0], _numbers(backend, mlp(params, rows)), rtol=1e-5, atol=1e-6)


def test_whatever_differs_goes_the_long_way(backend):
    mlp, params = _made(backend)
    rows = backend.asarray(ROWS)
    expected = _numbers(backend, mm.predict(mlp, params, rows))
    assert id(mlp) in PREPARED
    for given in (ROWS.tolist(), ROWS, ROWS.astype("float64")):
        found = mm.predict(mlp, params, given)
        np.testing.assert_allclose(_numbers(backend, found), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        _numbers(backend, mm.predict(mlp, params, rows, batch_size=7)), expected, rtol=1e-5, atol=1e-6
    )
    one = _numbers(backend, mm.predict(mlp, params, backend.asarray(ROWS[0])))
    np.testing.assert_allclose(one, expected[0], rtol=1e-5, atol=1e-6)
    members = mm.predict(mlp, mlp.init((0, 1), backend=backend), rows)
    np.testing.assert_allclose(_numbers(backend, members)[0], expected, rtol=1e-5, atol=1e-6)
    wrong = [
        (params, backend.asarray(ROWS[:, :3]), {}),
        (params[:2], rows, {}),
        (mm.MLP(4, (6, 6), 3).init(0, backend=backend)[:1] + params[1:], rows, {}),
        (params, rows, {"batch_size": 0}),
        (params, rows, {"batch_size": True}),
        (params, rows, {"batch_size": "7"}),
    ]
    for given, inputs, options in wrong:
        with pytest.raises(MultimlpError):
            mm.predict(mlp, given, inputs, **options)


def test_a_kernel_given_later_is_heard():
    mlp, params = _made(load_backend("numpy"))
    expected = mm.predict(mlp, params, ROWS)
    assert id(mlp) in PREPARED
    mm.activations.elu.kernel("numpy")(lambda x, alpha=1.0: x * 0)
    try:
        assert (mm.predict(mlp, params, ROWS) == mm.predict(mlp, params, ROWS * 2)).all()
    finally:
        mm.activations.elu.remove_kernel("numpy")
    np.testing.assert_array_equal(mm.predict(mlp, params, ROWS), expected)
