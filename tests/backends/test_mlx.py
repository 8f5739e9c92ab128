"""MLX: what its namespace adds, and draws whose derivatives MLX is told."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

import multimlp as mm
from multimlp import parity, random
from multimlp.backend import load_backend
from multimlp.errors import CapabilityError
from multimlp.parity import plan

pytest.importorskip("mlx")

MLX = load_backend("mlx")


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("size", [0, 1, 2, 3, 7, 8, 1000])
def test_searchsorted_is_numpys(size, side):
    draws = np.random.default_rng(size)
    ordered = np.sort(draws.integers(0, max(size // 2, 1), size).astype(np.float32))
    asked = np.concatenate([ordered, draws.uniform(-2, size + 2, 20), [-np.inf, np.inf]]).astype(np.float32)
    xp = MLX.xp
    found = xp.searchsorted(
        xp.asarray(ordered), xp.asarray(asked.reshape(2, -1) if size % 2 == 0 else asked), side=side
    )
    np.testing.assert_array_equal(MLX.to_numpy(found).reshape(-1), np.searchsorted(ordered, asked, side=side))


def test_many_draws_by_rejection_and_by_tables_are_numpys():
    """A comparison of all with all would take 30 GB for these."""
    for draw in (
        lambda key: random.gamma(key, 1.5, (200_000,)),
        lambda key: random.poisson(key, 1000.0, (200_000,)),
    ):
        here, there = MLX.to_numpy(draw(random.key(5, "mlx"))), draw(random.key(5, "numpy"))
        np.testing.assert_allclose(here, there, rtol=1e-6)


A = np.asarray([0.6, 2.5, 40.0])
DRAWN = {
    "gamma": lambda key, a: random.gamma(key, a),
    "beta": lambda key, a: random.beta(key, a, 2.0),
    "dirichlet": lambda key, a: random.dirichlet(key, a)[0],
    "truncated_normal": lambda key, a: random.truncated_normal(key, -a, a),
    "student_t": lambda key, a: random.student_t(key, a),
}
TAKEN = {
    "grad": lambda f, a: mm.grad(f)(a),
    "hessian": lambda f, a: mm.hessian(f)(a),
    "jvp": lambda f, a: mm.jvp(f, (a,), (mm.array_namespace(a).ones_like(a),))[1],
    "jet": lambda f, a: mm.array_namespace(a).stack(
        mm.jet(f, (a,), ((mm.array_namespace(a).ones_like(a), None),))[1]
    ),
    "laplacian": lambda f, a: mm.laplacian(f)(a),
    "vmap of grad": lambda f, a: mm.vmap(mm.grad(lambda x: f(x * a)))(
        mm.array_namespace(a).stack([a, 2.0 * a])
    ),
}


@pytest.mark.parametrize("taken", TAKEN)
@pytest.mark.parametrize("drawn", DRAWN)
def test_derivatives_of_draws_are_those_of_the_tape(drawn, taken):
    results = []
    for name in ("numpy", "mlx"):
        backend, key = load_backend(name), random.key(3, name)

        def total(a, key=key):
            xp = mm.array_namespace(a)
            return xp.sum(DRAWN[drawn](key, a) ** 2)

        results.append(backend.to_numpy(TAKEN[taken](total, backend.asarray(A, dtype="float64"))))
    np.testing.assert_allclose(results[1], results[0], rtol=1e-7, atol=1e-9)


BITS = ("bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_left_shift", "bitwise_right_shift", "not_equal")
SYMBOLS = {
    "&": lambda a, b: a & b, "|": lambda a, b: a | b, "^": lambda a, b: a ^ b, "<<": lambda a, b: a << b,
    ">>": lambda a, b: a >> b, "!=": lambda a, b: a != b,
}  # fmt: skip


@pytest.mark.parametrize("name", [*BITS, *SYMBOLS])
def test_bits_of_which_one_operand_is_mapped(name):
    """MLX's own are wrong: of the shape (1, 3), or of other numbers."""
    mapped = np.asarray([[1, 2, 5], [4, 7, 3], [6, 0, 1], [2, 2, 9]], dtype=np.int32)
    fixed, one = np.asarray([3, 2, 1], dtype=np.int32), np.asarray([2], dtype=np.int32)
    both = [mapped, mapped > 3] if name in ("&", "|", "^", "!=") else [mapped]
    for rows in both:
        for other in (fixed, one, 2, fixed[None, :] + np.zeros((2, 1), np.int32)):
            other = other > 1 if rows.dtype == bool else other
            for turned in (False, True):

                def f(row, turned=turned, other=other):
                    xp = mm.array_namespace(row)
                    function = SYMBOLS.get(name) or getattr(xp, name)
                    beside = other if isinstance(other, (int, bool)) else xp.asarray(other)
                    return function(beside, row) if turned else function(row, beside)

                wanted = np.stack([np.asarray(f(row)) for row in rows])
                found = MLX.to_numpy(mm.vmap(f)(MLX.xp.asarray(rows)))
                np.testing.assert_array_equal(found, wanted)


def test_draws_are_the_same_under_vmap():
    keys = np.stack([np.asarray(random.key(i, "numpy")) for i in range(4)])
    for draw in (
        lambda key: random.gamma(key, 0.7, (50,)),
        lambda key: random.randint(key, (50,), -3, 9),
        lambda key: random.permutation(key, 20),
        lambda key: random.categorical(key, mm.array_namespace(key).zeros((5,)), (50,)),
        lambda key: random.choice(key, 9, (4,), replace=False),
        lambda key: random.normal(random.fold_in(random.split(key)[1], 3), (7,)),
    ):
        found = MLX.to_numpy(mm.vmap(draw)(MLX.xp.asarray(keys)))
        np.testing.assert_allclose(found, np.stack([np.asarray(draw(key)) for key in keys]), rtol=1e-6)


def test_what_mlx_does_not_map_is_mapped_by_the_tape():
    """Of linear systems MLX's vmap has no rule, and conditions are asked for their values."""
    draws = np.random.default_rng(0)
    a, b = draws.normal(size=(4, 3, 3)) + 3.0 * np.eye(3), draws.normal(size=(4, 3))

    def solved(a, b):
        xp = mm.array_namespace(a, b)
        x = xp.linalg.solve(a, b)
        return mm.cond(xp.sum(x) > 0, lambda x: 2.0 * x, lambda x: -x, x)

    x = np.linalg.solve(a, b[..., None])[..., 0]
    wanted = np.where(x.sum(axis=1, keepdims=True) > 0, 2.0 * x, -x)
    given = [MLX.asarray(v, dtype="float64") for v in (a, b)]
    np.testing.assert_allclose(MLX.to_numpy(mm.vmap(solved)(*given)), wanted, rtol=1e-10)
    total = lambda b: mm.array_namespace(b).sum(mm.vmap(solved)(given[0], b))  # noqa: E731
    slopes = np.linalg.solve(
        a.transpose(0, 2, 1),
        np.where(x.sum(axis=1, keepdims=True) > 0, 2.0, -1.0)[..., None] * np.ones((4, 3, 1)),
    )[..., 0]
    np.testing.assert_allclose(MLX.to_numpy(mm.grad(total)(given[1])), slopes, rtol=1e-10)


def test_what_mlx_has_no_rule_for_is_named():
    with pytest.raises(CapabilityError, match="MLX has no rule for it in vjp"):
        mm.grad(lambda x: MLX.xp.sum(MLX.xp.linalg.svdvals(x)))(MLX.asarray(np.eye(3), dtype="float64"))


EDGES = {
    "sign": (lambda xp, x: xp.sign(x), np.asarray([-2.0, 0.0, np.nan, np.inf])),
    "hypot": (lambda xp, x: xp.hypot(x, xp.flip(x)), np.asarray([np.inf, np.nan, 1.0, np.nan, -np.inf])),
    "nextafter": (lambda xp, x: xp.nextafter(x, xp.full_like(x, 2.0)), np.asarray([1.0, 0.0, 3.0])),
    "searchsorted": (
        lambda xp, x: xp.searchsorted(xp.asarray([1.0, 2.0]), x),
        np.asarray([np.nan, 0.0, 1.5]),
    ),
    "mean of nothing": (lambda xp, x: xp.mean(x[:0, ...]), np.ones(3)),
    "mean of empty rows": (lambda xp, x: xp.mean(x[:, :0], axis=1, keepdims=True), np.ones((2, 3))),
    "var of nothing": (lambda xp, x: xp.var(x[:0, ...], axis=0), np.ones((3, 2))),
    "std of nothing": (lambda xp, x: xp.std(x[:0, ...]), np.ones(3)),
    "remainder": (lambda xp, x: xp.remainder(x, xp.full_like(x, 0.3)), np.asarray([1.0, -1.0, np.nan])),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", EDGES)
def test_edges_are_those_of_numpy(name):
    function, x = EDGES[name]
    found = function(MLX.xp, MLX.asarray(x, dtype="float64"))
    np.testing.assert_array_equal(MLX.to_numpy(found), function(load_backend("numpy").xp, x))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_mean_of_16_bits_is_not_infinite(dtype):
    x = MLX.asarray(np.full((5000, 2), 20.0), dtype=dtype)
    found = MLX.xp.mean(x, axis=0)
    assert MLX.dtype_name(found.dtype) == dtype
    np.testing.assert_array_equal(MLX.to_numpy(found).astype(float), [20.0, 20.0])


@pytest.mark.parametrize("taken", ["grad", "hessian", "vmap of grad", "laplacian"])
def test_derivatives_of_linear_systems_are_those_of_the_tape(taken):
    results = []
    for name in ("numpy", "mlx"):
        backend = load_backend(name)

        def total(v):
            xp = mm.array_namespace(v)
            side = xp.reshape(xp.stack([v, v * v]), (3, 2))
            solved = xp.linalg.solve(xp.linalg.outer(v, v) + 3.0 * xp.eye(3, dtype=v.dtype), side)
            return xp.sum(solved**2) + xp.sum(
                xp.linalg.solve(xp.eye(3, dtype=v.dtype) + xp.linalg.outer(v, v), v)
            )

        results.append(backend.to_numpy(TAKEN[taken](total, backend.asarray(A / 20.0, dtype="float64"))))
    np.testing.assert_allclose(results[1], results[0], rtol=1e-9, atol=1e-12)


def test_forward_mode_in_the_matrix_of_a_system_is_refused():
    def solved(a):
        return MLX.xp.linalg.solve(a, MLX.xp.ones((2,), dtype=a.dtype))

    a = MLX.xp.eye(2, dtype=MLX.xp.float64)
    with pytest.raises(CapabilityError), mm.use_backend("mlx"):
        mm.transforms.jvp(solved, (a,), (a,))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_sums_on_the_way_of_16_bits_are_of_single_precision(dtype):
    xp = MLX.xp
    functions = {
        "cumulative_sum": (xp.cumulative_sum, np.ones(5000)),
        "var": (xp.var, np.resize([200.0, 600.0], 5000)),
        "std": (xp.std, np.resize([200.0, 600.0], 5000)),
        "norm": (xp.linalg.vector_norm, np.resize([200.0, 600.0], 4)),
    }
    for name, (function, values) in functions.items():
        found = function(MLX.asarray(values, dtype=dtype))
        assert MLX.dtype_name(found.dtype) == dtype, name
        wanted = MLX.to_numpy(function(MLX.asarray(values, dtype="float64")))
        np.testing.assert_allclose(MLX.to_numpy(found).astype(float), wanted, rtol=5e-3, err_msg=name)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_exponentials_keep_their_digits_in_the_left_tail(dtype):
    """In float16 the reciprocal of exp(11.2) was that of infinity."""
    x = MLX.asarray(np.linspace(-16, 4, 400), dtype=dtype)
    rounded = MLX.to_numpy(x).astype(np.float64)
    eps = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23, "float64": 2.0**-52}[dtype]
    tiny = 2.0**-24 if dtype == "float16" else 0.0  # of subnormal numbers
    found = MLX.to_numpy(MLX.xp.exp(x)).astype(np.float64)
    assert np.all(np.abs(found - np.exp(rounded)) <= 2 * eps * np.exp(rounded) + tiny)


def test_the_derivative_of_gelu_is_as_good_as_elsewhere():
    special = pytest.importorskip("scipy.special")
    points = np.linspace(-8, 8, 4001).astype(np.float32)
    found = MLX.to_numpy(mm.vmap(mm.grad(mm.activations.gelu))(MLX.asarray(points)))
    x = points.astype(np.float64)
    density = np.exp(-x * x / 2) / np.sqrt(2 * np.pi)
    exact, second = special.ndtr(x) + x * density, density * (2 - x * x)
    unit = np.finfo(np.float32).eps * np.maximum(np.abs(exact), np.abs(x * second))
    assert np.all(np.abs(found - exact) <= 5 * unit)


def test_what_its_compiler_fails_on_is_said():
    if shutil.which("g++") is None:
        pytest.skip("MLX compiles by g++")
    xp = MLX.xp

    def slope(x):
        return mm.grad(lambda x: xp.sum(mm.activations.squareplus(x)))(x)

    with pytest.raises(CapabilityError, match=r"compiler='mlx'"):
        mm.jit(slope, compiler="mlx")(xp.ones((3,)))


@pytest.mark.parametrize(("compiler", "function", "aspect"), sorted(plan.REFUSED))
def test_parity_leaves_out_what_is_refused_and_nothing_else(monkeypatch, compiler, function, aspect):
    if shutil.which("g++") is None:
        pytest.skip("MLX compiles by g++")
    wanted = plan.Plan(("mlx",), (function,), ("float32",), compilers=(compiler,))
    assert all((row.mode, row.aspect) != (compiler, aspect) for row in parity.run(wanted).rows)
    monkeypatch.setattr(plan, "REFUSED", frozenset())
    (failed,) = parity.run(wanted).failures
    assert (failed.mode, failed.function, failed.aspect) == (compiler, function, aspect)


ASSIGNED = {
    "a number": lambda mx, r: (0, 5.0),
    "numbers": lambda mx, r: (slice(1, None), 5.0),
    "an array of one's own": lambda mx, r: (slice(0, 2), mx.array([7.0, 8.0])),
    "a part of the row": lambda mx, r: (slice(1, None), r[:2] * 10),
    "at indices": lambda mx, r: (mx.array([0, 2]), 7.0),
    "an infinite row": lambda mx, r: (0, 1.0 / (r[0] - r[0])),
}


@pytest.mark.parametrize("name", ASSIGNED)
@pytest.mark.parametrize("fresh", [False, True])
def test_assignment_under_vmap_is_done_in_every_row(name, fresh):
    """MLX's own writes what is the same for all rows into the first one alone."""
    import mlx.core as mx

    def assigned(row):
        y = row * 1 if fresh else row
        key, value = ASSIGNED[name](mx, row)
        y[key] = value
        return y

    rows = np.asarray([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], dtype=np.float32)
    found = np.asarray(mm.vmap(assigned)(mx.array(rows)))
    np.testing.assert_array_equal(found, np.stack([np.asarray(assigned(mx.array(row))) for row in rows]))


def test_a_running_product_has_no_forward_mode():
    import mlx.core as mx

    x = mx.array(np.asarray([1.0, 2.0], dtype=np.float32))
    with pytest.raises(CapabilityError, match="cumulative prod/min/max: MLX has no rule for it in jvp"):
        mm.jvp(lambda x: mm.array_namespace(x).cumulative_prod(x), (x,), (x,))
