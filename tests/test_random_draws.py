"""The draws of distributions: against SciPy's, in the far tails, on every library, in their parameters' derivatives."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from libraries import COMPILED, NAMES, run
from scipy import stats

import multimlp as mm
from multimlp import random
from multimlp.backend import load_backend
from multimlp.errors import CapabilityError, DTypeError, InputError, ShapeError

INF = math.inf
KEY = np.asarray([0x13198A2E, 0x03707344], dtype=np.uint32).view(np.int32)
N = 20_000

# ---- distributions: the draw of N numbers by key and dtype, and SciPy's ---------------------------------------------------

CONTINUOUS = {
    "exponential": (lambda k, d: random.exponential(k, (N,), d), stats.expon()),
    "laplace": (lambda k, d: random.laplace(k, (N,), d), stats.laplace()),
    "gumbel": (lambda k, d: random.gumbel(k, (N,), d), stats.gumbel_r()),
    "normal": (lambda k, d: random.normal(k, (N,), d), stats.norm()),
}
for _a in (0.7, 1.0, 2.5, 300.0, 1e6):
    CONTINUOUS[f"gamma {_a}"] = (lambda k, d, a=_a: random.gamma(k, a, (N,), d), stats.gamma(_a))
for _a, _b in ((1.0, 1.0), (2.0, 5.0), (0.5, 3.0), (1e3, 2e3)):
    CONTINUOUS[f"beta {_a} {_b}"] = (
        lambda k, d, a=_a, b=_b: random.beta(k, a, b, (N,), d),
        stats.beta(_a, _b),
    )
for _df in (0.5, 1.0, 3.0, 30.0, 1e9):
    CONTINUOUS[f"student_t {_df}"] = (lambda k, d, df=_df: random.student_t(k, df, (N,), d), stats.t(_df))
for _low, _high in (
    (-1.0, 2.0),
    (-INF, INF),
    (0.0, INF),
    (-INF, -3.0),
    (5.0, 6.0),
    (-9.0, -8.9),
    (21.0, 21.1),
):
    CONTINUOUS[f"truncated_normal {_low} {_high}"] = (
        lambda k, d, a=_low, b=_high: random.truncated_normal(k, a, b, (N,), d),
        stats.truncnorm(_low, _high),
    )


@pytest.mark.parametrize("name", CONTINUOUS)
def test_numbers_have_the_distribution(name):
    draw, truth = CONTINUOUS[name]
    for dtype in ("float64", "float32"):
        drawn = draw(random.key(7), dtype)
        assert drawn.dtype == dtype
        some = drawn[:4000] if name.startswith("truncated") else drawn  # SciPy takes its time
        assert stats.kstest(some.astype(np.float64), truth.cdf).pvalue > 1e-3, dtype


@pytest.mark.parametrize("a", [0.02, 0.7, 2.5, 1e4])
def test_an_array_of_shapes_gives_what_a_number_gives(a):
    by_number = random.gamma(KEY, a, (1000,), "float64")
    assert np.array_equal(random.gamma(KEY, np.full((1000,), a)), by_number)
    assert np.array_equal(random.gamma(KEY, np.asarray(a), (1000,)), by_number)


def chances(truth, edges):
    return np.diff(np.concatenate([[0.0], truth.cdf(edges), [1.0]]))


@pytest.mark.parametrize("rate", [0.3, 5.0, 9.9, 11.0, 40.0, 9000.0, 2e4, 1e6, 1e9])
def test_poisson_numbers_have_the_distribution(rate):
    truth = stats.poisson(rate)
    edges = np.unique(truth.ppf(np.linspace(0, 1, 32)[1:-1]))
    for lam in (rate, np.full((N,), rate)):
        drawn = random.poisson(random.key(8), lam, (N,))
        counts = np.histogram(drawn, np.concatenate([[-1], edges, [3e9]]) + 0.5)[0]
        assert stats.chisquare(counts, chances(truth, edges) * N).pvalue > 1e-3


DISCRETE = {
    "randint": (lambda k: random.randint(k, (N,), -3, 4) + 3, [1 / 7] * 7),
    "randint of two words": (lambda k: random.randint(k, (N,), 0, 700_000) // 100_000, [1 / 7] * 7),
    "randint between arrays": (lambda k: random.randint(k, (N,), np.zeros(1, np.int32), 7), [1 / 7] * 7),
    "choice": (lambda k: random.choice(k, 5, (N,)), [0.2] * 5),
    "choice by chances": (lambda k: random.choice(k, 4, (N,), p=[2, 0, 3, 5]), [0.2, 0, 0.3, 0.5]),
    "choice of rows": (
        lambda k: random.choice(k, np.asarray([[1, 9], [0, 9]]), (N,), p=np.asarray([0.25, 0.75]))[:, 0],
        [0.75, 0.25],
    ),
    "categorical": (
        lambda k: random.categorical(k, np.log(np.asarray([0.2, 0.5, 0.3])), (N,)),
        [0.2, 0.5, 0.3],
    ),
    "categorical by rows": (
        lambda k: random.categorical(k, np.log(np.full((N, 3), [0.2, 0.5, 0.3]))),
        [0.2, 0.5, 0.3],
    ),
}


@pytest.mark.parametrize("name", DISCRETE)
def test_integers_have_the_distribution(name):
    draw, expected = DISCRETE[name]
    counts, likely = np.bincount(draw(random.key(9)), minlength=len(expected)), np.asarray(expected) > 0
    assert counts[~likely].sum() == 0
    assert stats.chisquare(counts[likely], np.asarray(expected)[likely] * N).pvalue > 1e-3


def test_without_putting_back_likelier_parts_come_first():
    keys = random.split(random.key(4), 600)
    pairs = np.asarray([random.choice(k, 3, (2,), replace=False, p=[0.6, 0.3, 0.1]) for k in keys])
    assert np.all(pairs[:, 0] != pairs[:, 1])
    p = np.asarray([0.6, 0.3, 0.1])
    expected = np.asarray([[0 if i == j else p[i] * p[j] / (1 - p[i]) for j in range(3)] for i in range(3)])
    counts = np.zeros((3, 3))
    np.add.at(counts, (pairs[:, 0], pairs[:, 1]), 1)
    off = ~np.eye(3, dtype=bool)
    assert stats.chisquare(counts[off], expected[off] * 600).pvalue > 1e-3
    assert sorted(random.choice(KEY, 50, (50,), replace=False).tolist()) == list(range(50))


def test_vectors_have_the_distribution():
    alpha = np.asarray([0.3, 1.0, 4.0])
    drawn = random.dirichlet(random.key(2), alpha.tolist(), (N,), "float64")
    assert np.allclose(drawn.sum(axis=-1), 1, rtol=1e-15)
    for i in range(3):
        assert stats.kstest(drawn[:, i], stats.beta(alpha[i], alpha.sum() - alpha[i]).cdf).pvalue > 1e-3
    mean, cov = np.asarray([1.0, -2.0]), np.asarray([[2.0, 0.9], [0.9, 0.5]])
    x = random.multivariate_normal(random.key(3), mean, cov, (N,))
    assert stats.kstest((x - mean) @ np.asarray([1.0, 2.0]), stats.norm(0, math.sqrt(7.6)).cdf).pvalue > 1e-3
    white = np.linalg.solve(np.linalg.cholesky(cov), (x - mean).T)
    assert abs(np.corrcoef(white)[0, 1]) < 4 / math.sqrt(N)
    assert stats.kstest(white[1], "norm").pvalue > 1e-3


# ---- extremes ------------------------------------------------------------------------------------------------------------


def test_the_smallest_shapes_work_in_logarithms():
    beta = random.beta(random.key(1), 1e-6, 3e-6, (N,), "float64")
    assert np.all((beta < 1e-6) | (beta > 1 - 1e-6))
    assert stats.binomtest(int((beta > 0.5).sum()), N, 0.25).pvalue > 1e-3
    one = random.dirichlet(random.key(1), [1e-6, 1e-6, 2e-6], (N,), "float64")
    assert stats.chisquare(np.bincount(one.argmax(-1)), np.asarray([0.25, 0.25, 0.5]) * N).pvalue > 1e-3
    tiny = random.gamma(random.key(1), 0.01, (N,), "float64")
    with np.errstate(divide="ignore"):
        assert stats.kstest(np.log(tiny), lambda y: stats.gamma(0.01).cdf(np.exp(y))).pvalue > 1e-3


def test_what_is_out_of_range_in_an_array_is_not_a_number():
    bad = np.asarray([np.nan, -1.0, 0.0])
    for draw in (random.gamma, random.student_t, lambda k, a: random.beta(k, a, 1.0)):
        assert np.all(np.isnan(draw(KEY, bad)))
        assert np.all(np.isfinite(draw(KEY, np.asarray([1.0, 2.0]))))
    assert np.isinf(random.gamma(KEY, np.asarray([INF]))).all()
    assert np.all(np.isnan(random.truncated_normal(KEY, np.asarray([1.0, np.nan, INF]), 1.0)))
    assert random.poisson(KEY, np.asarray([np.nan, -1.0, 3e9, 0.0, 1e-8])).tolist() == [-1, -1, -1, 0, 0]
    # They take no candidates from the others.
    mixed = np.where(np.arange(4000) % 2 == 0, np.nan, 1.0)
    assert stats.kstest(random.gamma(KEY, mixed)[1::2], "expon").pvalue > 1e-3


def test_tails():
    far = random.truncated_normal(random.key(5), 1e3, INF, (N,), "float64")
    assert far.min() >= 1e3
    assert stats.kstest((far - 1e3) * 1e3, "expon").pvalue > 1e-3
    narrow = random.truncated_normal(random.key(5), np.asarray(-1e8 - 1e-6), np.asarray(-1e8), (100,))
    assert np.all((narrow >= -1e8 - 1e-6) & (narrow <= -1e8))
    assert np.all(np.isfinite(random.gumbel(random.key(5), (1 << 18,), "float64")))
    big = random.gamma(random.key(5), 1e12, (N,), "float64")
    assert stats.kstest((big - 1e12) / 1e6, "norm").pvalue > 1e-3


def test_moments():
    key, count = random.key(6), 200_000
    for drawn, mean, variance in (
        (random.gamma(key, 0.4, (count,), "float64"), 0.4, 0.4),
        (random.laplace(key, (count,), "float64"), 0.0, 2.0),
        (random.gumbel(key, (count,), "float64"), np.euler_gamma, math.pi**2 / 6),
        (random.student_t(key, 9.0, (count,), "float64"), 0.0, 9 / 7),
        (random.poisson(key, 17.5, (count,)), 17.5, 17.5),
    ):
        assert abs(drawn.mean() - mean) < 4.5 * math.sqrt(variance / count)
        assert abs(drawn.var() / variance - 1) < 0.03


# ---- the same on every library ------------------------------------------------------------------------------------------

SHAPES = np.tile([0.05, 0.4, 0.99, 1.0, 1.5, 12.0, 1e3, 1e6], 12)
BOUNDS = np.tile([[-INF, -1, 0, 3, -9, 25, -INF, 1e3], [INF, 2, INF, 4, -8, INF, -30, 1001]], 12)
RATES = np.tile([0.0, 1e-8, 0.5, 9.0, 11.0, 300.0, 1e5, 1e9], 12)
M = len(SHAPES)

# by name: the draw of a key, a dtype's name and arrays, those arrays, and the bound in eps of max(1, |x|) in float64
PORTABLE = {
    "normal": (lambda k, d: random.normal(k, (M,), d), (), 2),
    "exponential": (lambda k, d: random.exponential(k, (M,), d), (), 2),
    "laplace": (lambda k, d: random.laplace(k, (M,), d), (), 2),
    "gumbel": (lambda k, d: random.gumbel(k, (M,), d), (), 2),
    "gamma": (lambda k, d: random.gamma(k, 2.5, (M,), d), (), 0),
    "gamma of an array": (lambda k, d, a: random.gamma(k, a), (SHAPES,), 2),
    "beta": (lambda k, d, a, b: random.beta(k, a, b), (SHAPES, SHAPES[::-1].copy()), 2),
    "dirichlet": (lambda k, d, a: random.dirichlet(k, a, (M,)), (np.asarray([0.3, 1, 5]),), 2),
    "student_t": (lambda k, d, a: random.student_t(k, a), (SHAPES + 2,), 2.5),
    "truncated_normal": (lambda k, d: random.truncated_normal(k, -1.0, 2.0, (M,), d), (), 4),
    "truncated_normal of arrays": (lambda k, d, a, b: random.truncated_normal(k, a, b), tuple(BOUNDS), 4),
    "multivariate_normal": (
        lambda k, d, m, c: random.multivariate_normal(k, m, c, (M,)),
        (np.asarray([0.0, 1.0]), np.asarray([[2.0, 0.5], [0.5, 1.0]])),
        3,
    ),
    "categorical": (lambda k, d, x: random.categorical(k, x, (M,)), (np.asarray([0.0, 1, -1]),), 0),
    "categorical by rows": (lambda k, d, x: random.categorical(k, x), (SHAPES.reshape(-1, 4) % 3,), 0),
    "poisson": (lambda k, d: random.poisson(k, 5.0, (M,)), (), 0),
    "poisson of an array": (lambda k, d, a: random.poisson(k, a), (RATES,), 0),
    "randint": (lambda k, d: random.randint(k, (M,), -3, 9), (), 0),
    "randint of all": (lambda k, d: random.randint(k, (M,), -(2**31), 2**31 - 1), (), 0),
    "randint of 64 bits": (lambda k, d: random.randint(k, (M,), 2**60, 2**60 + 10**6, "int64"), (), 0),
    "choice": (lambda k, d: random.choice(k, 3, (M,), p=[0.1, 0, 0.9]), (), 0),
    "choice by an array": (lambda k, d, p: random.choice(k, M, (9,), False, p), (SHAPES % 1.3,), 0),
}
LIBRARIES = [name for name in NAMES if name != "numpy"]


def compare(name, library, dtype, compiled=False):
    draw, arrays, bound = PORTABLE[name]
    given = tuple(np.asarray(a, dtype=dtype) for a in arrays)

    def of(key, *arrays):
        return draw(key, dtype, *arrays)

    (expected,) = run("numpy", of, KEY, *given)
    (got,) = run(library, of, KEY, *given, compiled=compiled)
    assert (got.dtype, got.shape) == (expected.dtype, expected.shape)
    if expected.dtype.kind == "i":
        assert np.array_equal(got, expected)
        return
    error = np.abs(got.astype(np.float64) - expected) / np.maximum(1, np.abs(expected)) / np.finfo(dtype).eps
    assert np.max(error, where=got != expected, initial=0) <= (1 if dtype == "float32" else bound)


# JAX compiles each when it is first called.
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", PORTABLE)
@pytest.mark.parametrize(
    "library", [pytest.param(x, marks=pytest.mark.slow) if x == "jax" else x for x in LIBRARIES]
)
def test_every_library_draws_the_same(library, name, dtype):
    compare(name, library, dtype)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", PORTABLE)
@pytest.mark.parametrize("library", COMPILED)
def test_compiled_programs_draw_the_same(library, name, dtype):
    compare(name, library, dtype, compiled=True)


@pytest.mark.parametrize("library", COMPILED)
@pytest.mark.parametrize("name", ["exponential", "randint", "choice", "student_t"])
def test_compiled_programs_draw_the_same_quickly(library, name):
    compare(name, library, "float64", compiled=True)


def test_pieces_of_the_host_are_the_whole():
    """More than one piece of NumPy's kernel, of what has a word an element, a block, and rejected candidates."""
    from multimlp.random._elements import by_elements

    kernel, count = by_elements.kernel_for(load_backend("numpy")), (1 << 15) + 5
    shapes = np.linspace(0.5, 3.0, count)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for draw in (
            lambda: random.exponential(KEY, (2 * count,)),
            lambda: random.laplace(KEY, (count,), "float64"),
            lambda: random.gamma(KEY, shapes),
        ):
            pieces = draw()
            by_elements.kernel("numpy")(by_elements.portable)
            try:
                assert np.array_equal(draw(), pieces)
            finally:
                by_elements.remove_kernel("numpy")
    assert kernel is not by_elements.portable


# ---- derivatives --------------------------------------------------------------------------------------------------------


def slopes(draw, at, library="numpy"):
    """What is drawn, and the derivative of each number in the parameter."""
    count = draw(KEY, np.asarray(at)).shape[0]

    def both(key, a):
        xp = mm.array_namespace(a)
        a = xp.broadcast_to(a, (count,))
        return draw(key, a), mm.grad(lambda a: mm.array_namespace(a).sum(draw(key, a)))(a)

    return run(library, both, KEY, np.asarray(at))


QUANTILES = {
    "gamma": (
        lambda k, a: random.gamma(k, a, (60,)),
        lambda a: stats.gamma(a),
        (0.02, 0.3, 1.0, 2.5, 40.0, 1e4),
    ),
    "truncated_normal in the lower": (
        lambda k, a: random.truncated_normal(k, a, 1.5, (60,)),
        lambda a: stats.truncnorm(a, 1.5),
        (-7.0, -1.0, 1.0),
    ),
    "truncated_normal in the upper": (
        lambda k, b: random.truncated_normal(k, -0.5, b, (60,)),
        lambda b: stats.truncnorm(-0.5, b),
        (-0.4, 1.0, 6.0),
    ),
}


@pytest.mark.parametrize(
    ("name", "at"), [(name, at) for name, (_, _, points) in QUANTILES.items() for at in points]
)
def test_derivatives_are_those_of_the_quantile(name, at):
    draw, truth, _ = QUANTILES[name]
    x, slope = slopes(draw, at)
    p = truth(at).cdf(x)
    near = (p > 1e-3) & (p < 1 - 1e-3)
    h = 1e-4 * max(abs(at), 0.1)
    expected = (truth(at + h).ppf(p) - truth(at - h).ppf(p)) / (2 * h)
    assert near.sum() > 40
    assert np.allclose(slope[near], expected[near], rtol=2e-5, atol=1e-12)


def test_beta_and_dirichlet_move_as_their_gamma_numbers_do():
    a, b, h = 0.7, 2.0, 1e-4
    first, second = (
        random.gamma(k, s, (50,), "float64") for k, s in zip(random.split(KEY), (a, b), strict=True)
    )
    moved = [stats.gamma(a + e).ppf(stats.gamma(a).cdf(first)) for e in (h, -h)]
    x, slope = slopes(lambda k, a: random.beta(k, a, b, (50,)), a)
    assert np.allclose(x, first / (first + second), rtol=1e-12)
    expected = (moved[0] / (moved[0] + second) - moved[1] / (moved[1] + second)) / (2 * h)
    assert np.allclose(slope, expected, rtol=1e-5, atol=1e-9)
    # Of the mean, alpha_i / sum, the derivative is known.
    alpha = np.asarray([0.5, 1.5])
    mean = mm.jacobian(lambda a: mm.array_namespace(a).mean(random.dirichlet(KEY, a, (4000,)), axis=0))(alpha)
    assert np.allclose(mean, [[0.375, -0.125], [-0.375, 0.125]], atol=0.02)


@pytest.mark.parametrize(
    "draw",
    [
        lambda k, a: random.student_t(k, a, (30,)),
        lambda k, a: random.multivariate_normal(k, a * np.ones(2), np.eye(2), (30,))[:, 0],
        lambda k, a: a * random.laplace(k, (30,), "float64") + random.gumbel(k, (30,), "float64") / a,
    ],
    ids=["student_t", "multivariate_normal", "location and scale"],
)
def test_derivatives_are_those_of_the_draw(draw):
    key, h = KEY, 1e-5
    slope = mm.grad(lambda a: mm.array_namespace(a).sum(draw(key, a)))(np.asarray(3.0))
    expected = (draw(key, np.asarray(3 + h)).sum() - draw(key, np.asarray(3 - h)).sum()) / (2 * h)
    assert np.allclose(slope, expected, rtol=1e-7)


@pytest.mark.parametrize(
    "library", [pytest.param(x, marks=pytest.mark.slow) if x in COMPILED else x for x in LIBRARIES]
)
def test_derivatives_are_the_same_on_every_library(library):
    def first_and_second(key, a):
        def total(a):
            xp = mm.array_namespace(a)
            return xp.sum(xp.sin(random.gamma(key, a)) + random.truncated_normal(key, -a, a))

        return mm.grad(total)(a), mm.hvp(total, (a,), (mm.array_namespace(a).ones_like(a),))

    given = np.asarray([0.3, 1.0, 2.5, 30.0])
    expected = run("numpy", lambda k, a: first_and_second(k, a), KEY, given)
    for got, wanted in zip(run(library, first_and_second, KEY, given), expected, strict=True):
        assert np.allclose(got, wanted, rtol=1e-9)


def test_torch_takes_third_derivatives_by_autograd_but_not_by_its_func():
    torch = pytest.importorskip("torch")
    key = random.key(1, "torch")

    def third(grad, a):
        return grad(grad(grad(lambda a: random.gamma(key, a))))(a)

    with pytest.raises(CapabilityError, match="create_graph"):
        third(torch.func.grad, torch.tensor(2.0, dtype=torch.float64))
    ours = third(mm.grad, torch.tensor(2.0, dtype=torch.float64))
    a = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    derivative = random.gamma(key, a)
    for _ in range(3):
        (derivative,) = torch.autograd.grad(derivative, a, create_graph=True)
    plain = random.key(1)
    expected = mm.grad(mm.grad(mm.grad(lambda a: random.gamma(plain, a))))(np.asarray(2.0))
    assert abs(float(derivative) / float(expected) - 1) < 1e-9
    assert abs(float(ours) / float(expected) - 1) < 1e-9


@pytest.mark.parametrize("library", [x for x in NAMES if x not in COMPILED])
@pytest.mark.parametrize("name", ["gamma", "poisson", "truncated_normal", "laplace", "categorical"])
def test_vectorised_over_keys(library, name):
    draw, arrays, _ = PORTABLE[name]
    keys = random.split(KEY, 3)
    (got,) = run(library, lambda k: mm.vmap(lambda k: draw(k, "float32", *arrays_of(k, arrays)))(k), keys)
    expected = np.stack([draw(k, "float32", *(a.astype(np.float32) for a in arrays)) for k in keys])
    assert np.allclose(got, expected, rtol=3e-7)


def arrays_of(key, arrays):
    backend = mm.backend.owner(key)
    return tuple(backend.asarray(a, dtype="float32") for a in arrays)


# ---- arguments ----------------------------------------------------------------------------------------------------------


def test_shapes_and_dtypes():
    column, row = np.ones((3, 1), np.float32), np.ones((2,), np.float64)
    assert random.beta(KEY, column, row).shape == (3, 2)
    assert random.beta(KEY, column, row).dtype == np.float64
    assert random.beta(KEY, column, 2.0).dtype == np.float32
    assert random.gamma(KEY, column, (4, 3, 5), "float16").shape == (4, 3, 5)
    assert random.gamma(KEY, 2.0).shape == ()
    assert random.gamma(KEY, 2.0).dtype == np.float32
    assert random.dirichlet(KEY, np.ones((4, 3))).shape == (4, 3)
    assert random.multivariate_normal(KEY, np.zeros(2), np.broadcast_to(np.eye(2), (5, 2, 2))).shape == (5, 2)
    assert random.poisson(KEY, column, dtype="int64").dtype == np.int64
    assert random.choice(KEY, np.zeros((4, 5)), (2, 3), axis=1).shape == (4, 2, 3)
    assert random.key(3, "numpy").tolist() == [3, 0]


EMPTY = {
    "exponential": lambda s: random.exponential(KEY, s),
    "normal": lambda s: random.normal(KEY, s),
    "gamma": lambda s: random.gamma(KEY, 2.0, s),
    "gamma of an array": lambda s: random.gamma(KEY, np.ones(s)),
    "beta": lambda s: random.beta(KEY, 2.0, 3.0, s),
    "student_t": lambda s: random.student_t(KEY, np.ones(s)),
    "truncated_normal": lambda s: random.truncated_normal(KEY, 0.0, 1.0, s),
    "poisson": lambda s: random.poisson(KEY, 3.0, s),
    "poisson of an array": lambda s: random.poisson(KEY, np.ones(s)),
    "randint": lambda s: random.randint(KEY, s, 0, 5),
    "choice": lambda s: random.choice(KEY, 3, s, p=[1, 1, 1]),
    "choice of nothing": lambda s: random.choice(KEY, 0, s),
    "categorical": lambda s: random.categorical(KEY, np.zeros(3), s),
    "multivariate_normal": lambda s: random.multivariate_normal(KEY, [0.0], [[1.0]], s)[..., 0],
    "dirichlet": lambda s: random.dirichlet(KEY, [1.0], s)[..., 0],
}


@pytest.mark.parametrize("name", EMPTY)
def test_empty_shapes(name):
    assert EMPTY[name]((3, 0)).shape == (3, 0)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: random.gamma(KEY, 0.0, (3,)), InputError, "a: expected"),
        (lambda: random.gamma(KEY, np.nan), InputError, "a: expected"),
        (lambda: random.gamma(KEY, "2"), InputError, "a: expected"),
        (lambda: random.gamma(KEY, np.asarray(["2"])), InputError, "a: expected"),
        (lambda: random.gamma(KEY, np.ones(3), (2,)), ShapeError, "a: expected an array that broadcasts"),
        (lambda: random.gamma(KEY, 1.0, (3,), "int32"), DTypeError, "dtype"),
        (lambda: random.gamma(3, 1.0), InputError, "key: expected"),
        (lambda: random.beta(KEY, 1.0, -1.0), InputError, "b: expected"),
        (lambda: random.beta(KEY, np.ones(2), np.ones(3)), ShapeError, "a, b: expected arrays"),
        (lambda: random.dirichlet(KEY, [1.0, 0.0]), InputError, "alpha: expected"),
        (lambda: random.dirichlet(KEY, []), ShapeError, "alpha: expected"),
        (lambda: random.student_t(KEY, 0.0), InputError, "df: expected"),
        (lambda: random.truncated_normal(KEY, 1.0, 1.0), InputError, "lower < upper"),
        (lambda: random.truncated_normal(KEY, INF, INF), InputError, "lower < upper"),
        (lambda: random.multivariate_normal(KEY, [0.0], [[-1.0]]), InputError, "positive definite"),
        (lambda: random.multivariate_normal(KEY, [0.0], [1.0]), ShapeError, "mean, cov"),
        (lambda: random.multivariate_normal(KEY, ["a"], [[1.0]]), InputError, "mean: expected"),
        (lambda: random.poisson(KEY, -1.0), InputError, "lam: expected"),
        (lambda: random.poisson(KEY, 3e9), InputError, "lam: expected"),
        (lambda: random.poisson(KEY, 3.0, dtype="float32"), InputError, "dtype: expected"),
        (lambda: random.randint(KEY, (3,), 5, 5), InputError, "minval < maxval"),
        (lambda: random.randint(KEY, (3,), 0.5, 5), InputError, "minval: expected"),
        (lambda: random.randint(KEY, (3,), 0, 2**31 + 1), InputError, "maxval: expected"),
        (lambda: random.randint(KEY, (3,), np.ones(3), 5), InputError, "minval: expected"),
        (lambda: random.choice(KEY, 0, (3,)), InputError, "a: expected at least 1"),
        (lambda: random.choice(KEY, 2, (3,), replace=False), InputError, "without putting back"),
        (lambda: random.choice(KEY, 2, (3,), p=[0.0, 0.0]), InputError, "p: expected"),
        (lambda: random.choice(KEY, 2, (3,), p=[1.0]), ShapeError, "p: expected 2"),
        (lambda: random.choice(KEY, 2, (3,), p=[1.0, -1.0]), InputError, "p: expected"),
        (lambda: random.choice(KEY, np.ones(2), (3,), axis=1), ShapeError, "axis"),
        (lambda: random.key(0, "numpy", like=KEY), InputError, "one of them"),
    ],
)
def test_bad_input(call, error, words):
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize("lead", [(), (3,)])
def test_a_window_of_a_draw_is_the_slice_of_the_draw(backend, lead):
    """What a process draws for its rows of a batch."""
    key = random.fold_in(random.key(3, backend), 17)
    for rows, k in ((1, 1), (2, 3), (5, 3), (33, 5), (64, 7)):
        whole = backend.to_numpy(random.bernoulli(key, 0.3, (*lead, rows, k)))
        for start, stop in {
            (0, rows),
            (rows // 3, 2 * rows // 3),
            (rows // 2, rows),
            (1, 1),
            (rows - 1, rows),
        }:
            shape = (*lead, stop - start, k)
            part = backend.to_numpy(random.bernoulli(key, 0.3, shape, window=(start, rows)))
            assert np.array_equal(part, whole[..., start:stop, :]), (rows, k, start, stop)


def test_rates_too_small_to_divide_by_draw_nothing():
    for rate in (5e-324, 1e-310, 1e-300, 1e-20):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert not np.any(random.poisson(KEY, rate, (1000,)))
        assert not np.any(random.poisson(KEY, np.asarray(rate), (1000,)))


def test_what_is_impossible_is_never_chosen_beside_what_is_nearly_so():
    for i in range(20):
        key = random.key(i)
        for p in ([0.5, 0.0, 1e-310], np.asarray([0.5, 0.0, 1e-310])):
            assert sorted(random.choice(key, 3, (2,), replace=False, p=p).tolist()) == [0, 2]


def test_what_may_be_left_out_and_along_which_axis():
    assert random.bits(KEY).shape == random.uniform(KEY).shape == random.normal(KEY).shape == ()
    assert random.bernoulli(KEY).shape == ()
    assert np.array_equal(
        random.bernoulli(KEY, np.full((3, 2), 0.5)), random.bernoulli(KEY, np.asarray(0.5), (3, 2))
    )
    rows = np.arange(12.0).reshape(3, 4)
    mixed = random.permutation(KEY, rows, axis=-1)
    assert np.array_equal(mixed, rows[:, random.permutation(KEY, 4)])
    with pytest.raises(ShapeError, match="axis: expected one of 2 axes of x"):
        random.permutation(KEY, rows, axis=2)


def test_parameters_of_the_two_formats_of_16_bits_make_single_precision():
    torch = pytest.importorskip("torch")
    key = random.key(0, "torch")
    a, b = torch.ones(3, dtype=torch.float16), torch.ones(3, dtype=torch.bfloat16)
    assert random.beta(key, a, b).dtype == torch.float32
    assert random.multivariate_normal(key, a, torch.eye(3, dtype=torch.bfloat16)).dtype == torch.float32


@pytest.mark.parametrize("library", NAMES)
def test_numbers_of_numpys_are_parameters_on_every_library(library):
    key = random.key(0, library)
    backend = load_backend(library)
    drawn = random.bernoulli(key, np.float64(0.25), (1000,))
    assert 200 < int(np.sum(backend.to_numpy(drawn))) < 300
    vectors = random.multivariate_normal(key, [0, 1], np.eye(2).tolist(), (5,))
    assert tuple(vectors.shape) == (5, 2)
    mean = backend.asarray(np.asarray([0, 1]), dtype="int32")
    np.testing.assert_array_equal(
        backend.to_numpy(random.multivariate_normal(key, mean, np.eye(2).tolist(), (5,))),
        backend.to_numpy(vectors),
    )


@pytest.mark.parametrize("a", [1e9, 1e12, 1e15, 1e20, 1e28])
def test_slopes_of_large_shapes(a):
    """From the normal limit: x = a + z sqrt(a) + (z^2 - 1) / 3 + ..., z fixed."""
    x, slope = (
        f(np.asarray(a))
        for f in (lambda a: random.gamma(KEY, a, ()), mm.grad(lambda a: random.gamma(KEY, a, ())))
    )
    assert abs(float(slope) - (1 + 0.5 * (float(x) - a) / a)) < 1e-8


def test_taylor_mode_goes_through_what_is_drawn_by_rejection():
    """By the implicit slope, whose own derivatives are those of `grad`."""

    def drawn(a):
        return random.gamma(KEY, a, ())

    at, orders = np.asarray(2.5), []
    f = drawn
    for _ in range(3):
        f = mm.grad(f)
        orders.append(float(f(at)))
    found = mm.jet(drawn, (at,), ((np.asarray(1.0), None, None),))[1]
    np.testing.assert_allclose([float(x) for x in found], orders, rtol=1e-7)


SLOW = ("jax", "tensorflow")  # eager, a call at a time


@pytest.mark.parametrize(
    "library", [pytest.param(x, marks=pytest.mark.slow) if x in SLOW else x for x in NAMES]
)
def test_laplacians_of_what_is_drawn_are_traces_of_hessians(library):
    backend = load_backend(library)
    with backend.scope("float64"):
        key, a = random.key(0, library), backend.asarray([2.5, 0.7], dtype="float64")

        def total(a):
            xp = mm.array_namespace(a)
            return xp.sum(random.gamma(key, a) * random.truncated_normal(key, 0.1 * a, a))

        hessian = backend.to_numpy(mm.hessian(total)(a))
        np.testing.assert_allclose(backend.to_numpy(mm.laplacian(total)(a)), np.trace(hessian), rtol=1e-6)


FEW_BITS = {
    "normal": (), "exponential": (), "laplace": (), "gumbel": (), "gamma": (2.0,), "beta": (2.0, 3.0), "student_t": (3.0,),
    "truncated_normal": (-1.0, 1.0), "dirichlet": ([1.0, 2.0],),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("name", FEW_BITS)
def test_draws_of_few_bits_are_the_others_rounded(backend, name, dtype):
    """Also where the numbers are NumPy's, which has no bfloat16."""
    if dtype not in backend.capabilities.dtypes:
        pytest.skip(f"{backend.name} has no {dtype}")
    key, draw = random.key(0, backend.name), getattr(random, name)
    few, many = (draw(key, *FEW_BITS[name], shape=(6,), dtype=kind) for kind in (dtype, "float32"))
    assert backend.dtype_name(few.dtype) == dtype
    eps = {"bfloat16": 2.0**-7, "float16": 2.0**-10}[dtype]
    found, wanted = (backend.to_numpy(x).astype(np.float64) for x in (few, many))
    np.testing.assert_allclose(found, wanted, rtol=eps, atol=eps / 100)
