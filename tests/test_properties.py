"""Laws that hold for all inputs, on every library: Hypothesis looks for inputs that break them."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import multimlp as mm
from multimlp import activations
from multimlp.backend import array_namespace, is_installed, load_backend

LIBRARIES = [name for name in ("numpy", "torch", "strict", "tensorflow", "jax") if is_installed(name)]
every_library = pytest.mark.parametrize("library", LIBRARIES)
few = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
EPS = {"float64": 2.0**-52, "float32": 2.0**-23}

shapes = st.sampled_from([(), (0,), (1,), (4,), (2, 3), (2, 0, 3), (1, 1)])
dtypes = st.sampled_from(["float64", "float32"])


@pytest.fixture(autouse=True)
def _wide_numbers(request):
    """JAX narrows float64 unless told not to, and the tests compute with operators of its own."""
    with load_backend(request.node.callspec.params["library"]).scope("float64"):
        yield


@st.composite
def arrays(draw, size=30.0, shape=shapes):
    dtype = draw(dtypes)
    elements = st.floats(-size, size, width=int(dtype[-2:]), allow_subnormal=False)
    return draw(hnp.arrays(dtype, draw(shape), elements=elements))


def placed(library, x):
    backend = load_backend(library)
    return backend, backend.asarray(x, dtype=x.dtype.name)


def host(backend, x):
    return np.asarray(backend.to_numpy(x))


def near(got, wanted, k, scale=1.0):
    """|difference| <= k eps max(scale, |wanted|)."""
    assert got.shape == wanted.shape
    assert got.dtype == wanted.dtype
    bound = k * EPS[got.dtype.name] * np.maximum(scale, np.abs(wanted))
    assert np.all(np.abs(got - wanted) <= bound)


@every_library
@given(x=arrays())
@few
def test_shape_and_dtype_are_kept(library, x):
    backend, a = placed(library, x)
    for name in ("relu", "gelu", "softplus", "hard_swish"):
        got = host(backend, activations.get(name)(a))
        assert got.shape == x.shape
        assert got.dtype == x.dtype
        assert np.all(np.isfinite(got))


@every_library
@given(x=arrays())
@few
def test_tanh_and_sigmoid(library, x):
    backend, a = placed(library, x)
    near(host(backend, activations.tanh(a) + 1), host(backend, 2 * activations.sigmoid(2 * a)), 16)


@every_library
@given(x=arrays(size=1e4))
@few
def test_softplus_of_minus_x(library, x):
    backend, a = placed(library, x)
    near(host(backend, activations.softplus(a) - activations.softplus(-a)), x, 8, scale=np.abs(x) + 1)


@every_library
@given(x=arrays(shape=st.sampled_from([(1,), (4,), (3, 5), (0, 3)])), shift=st.floats(-100, 100, width=32))
@few
def test_softmax_does_not_see_a_shift(library, x, shift):
    backend, a = placed(library, x)
    near(host(backend, activations.softmax(a + shift)), host(backend, activations.softmax(a)), 400)
    if x.size:
        near(host(backend, activations.softmax(a)).sum(-1), np.ones(x.shape[:-1], x.dtype), 16)


@every_library
@given(x=arrays(size=3e4, shape=st.sampled_from([(3,), (2, 4)])))
@few
def test_large_logits_are_no_trouble(library, x):
    backend, a = placed(library, x)
    assert np.all(np.isfinite(host(backend, activations.log_softmax(a))))


@every_library
@given(x=arrays(size=5.0, shape=st.sampled_from([(4,), (2, 3)])), c=st.floats(-3, 3, width=32))
@few
def test_vjp_is_linear(library, x, c):
    backend, a = placed(library, x)
    random = np.random.default_rng(0)
    u, v = (random.normal(size=x.shape).astype(x.dtype) for _ in range(2))
    _, pullback = mm.vjp(lambda t: activations.gelu(t) * t, a)
    (u_, v_), both = (placed(library, w)[1] for w in (u, v)), placed(library, u + x.dtype.type(c) * v)[1]
    left = host(backend, pullback(both)[0])
    right = host(backend, pullback(u_)[0]) + x.dtype.type(c) * host(backend, pullback(v_)[0])
    near(left, right, 64, scale=30.0)


@every_library
@given(x=arrays(size=5.0, shape=st.sampled_from([(1, 3), (4, 2)])))
@few
def test_vmap_is_a_stack(library, x):
    backend, a = placed(library, x)

    def energy(row):
        return array_namespace(row).sum(activations.softplus(row) * row)

    rows = [host(backend, energy(placed(library, row)[1])) for row in x]
    near(host(backend, mm.vmap(energy)(a)), np.stack(rows), 32, scale=10.0)


@pytest.mark.parametrize("library", [name for name in LIBRARIES if name != "torch"])
@given(x=arrays(size=5.0, shape=st.sampled_from([(3,)])))
@few
def test_jit_changes_nothing(library, x):
    backend, a = placed(library, x)
    near(host(backend, _compiled(a)), host(backend, _energy_slope(a)), 32, scale=10.0)


def _energy_slope(x):
    return mm.grad(lambda t: array_namespace(t).sum(activations.mish(t)))(x)


_compiled = mm.jit(_energy_slope)


@every_library
@pytest.mark.parametrize("name", ["elu", "softplus", "sigmoid", "gelu", "mish", "log_sigmoid", "squareplus"])
def test_the_branch_not_taken_gives_no_nan(library, name):
    """At numbers where exp overflows, or the logarithm of the other branch would be that of zero."""
    for dtype in ("float64", "float32"):
        backend, a = placed(
            library, np.asarray([-1e30, -1e4, -800.0, -100.0, 0.0, 100.0, 800.0, 1e4, 1e30], dtype)
        )
        slope = host(backend, mm.elementwise_grad(activations.get(name))(a))
        assert np.all(np.isfinite(slope)), slope


@pytest.mark.parametrize("library", [name for name in LIBRARIES if name in ("numpy", "torch")])
@given(x=arrays(shape=st.sampled_from([(4, 6)])))
@few
def test_memory_layout_does_not_matter(library, x):
    backend, a = placed(library, x)
    for view, expected in ((a.T, x.T), (a[:, ::2], x[:, ::2]), (a[1:, 1:], x[1:, 1:])):
        plain = placed(library, np.ascontiguousarray(expected))[1]
        np.testing.assert_array_equal(host(backend, activations.gelu(view)).shape, expected.shape)
        near(host(backend, activations.gelu(view)), host(backend, activations.gelu(plain)), 4)
        near(
            host(backend, mm.elementwise_grad(activations.silu)(view)),
            host(backend, mm.elementwise_grad(activations.silu)(plain)),
            16,
        )


@every_library
@given(data=st.data())
@few
def test_options_broadcast(library, data):
    x = data.draw(hnp.arrays("float64", (3, 4), elements=st.floats(-5, 5)))
    slopes = data.draw(hnp.arrays("float64", (4,), elements=st.floats(-1, 1)))
    backend, a = placed(library, x)
    got = host(backend, activations.prelu(a, placed(library, slopes)[1]))
    near(got, np.where(x <= 0, x * slopes, x), 1)
