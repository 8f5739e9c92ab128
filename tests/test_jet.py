"""Taylor mode: derivatives of the orders 1 to 4 against mpmath's at 60 digits, another engine's, and JAX's own jet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
from libraries import NAMES

import multimlp as mm
from multimlp.activations import describe
from multimlp.errors import DTypeError, InputError, MissingRuleError, NotDifferentiableError, ShapeError
from multimlp.parity.elementwise import functions
from multimlp.parity.textbook import ACTIVATIONS

ORDER = 4
EPS = float(np.finfo(np.float64).eps)
BOUNDS = (2.0, 2.5, 3.5, 5.0, 8.0)
"""|error| <= k eps max(1, |derivative|), for the value and the orders 1 to 4; measured, and rounded up."""
XLA_TANH = (5.0, 10.0, 20.0, 20.0, 20.0)
"""XLA's tanh is off by several units near saturation."""

mp = mpmath.mp.clone()
mp.dps = 60

GRID = np.concatenate([np.linspace(-20.0, 20.0, 17), [-2.7, -1.3, -0.4, 1e-8, 0.3, 0.9, 2.2]])
BACKENDS = [
    name if name in ("numpy", "torch") else pytest.param(name, marks=pytest.mark.slow)
    for name in (*NAMES, "mpmath")
]

STANDARD: dict[str, tuple[Callable[[Any], Any], tuple[float, float]]] = {
    "abs": (abs, (-5, 5)),
    "acos": (mp.acos, (-0.9, 0.9)),
    "acosh": (mp.acosh, (1.2, 9)),
    "asin": (mp.asin, (-0.9, 0.9)),
    "asinh": (mp.asinh, (-9, 9)),
    "atan": (mp.atan, (-9, 9)),
    "atanh": (mp.atanh, (-0.9, 0.9)),
    "cos": (mp.cos, (-9, 9)),
    "cosh": (mp.cosh, (-9, 9)),
    "exp": (mp.exp, (-9, 9)),
    "expm1": (mp.expm1, (-9, 9)),
    "log": (mp.log, (0.5, 9)),
    "log10": (mp.log10, (0.5, 9)),
    "log1p": (mp.log1p, (-0.5, 9)),
    "log2": (lambda x: mp.log(x, 2), (0.5, 9)),
    "negative": (lambda x: -x, (-9, 9)),
    "positive": (lambda x: x, (-9, 9)),
    "reciprocal": (lambda x: 1 / x, (0.5, 9)),
    "sin": (mp.sin, (-9, 9)),
    "sinh": (mp.sinh, (-9, 9)),
    "sqrt": (mp.sqrt, (0.5, 9)),
    "square": (lambda x: x * x, (-9, 9)),
    "tan": (mp.tan, (-1.3, 1.3)),
    "tanh": (mp.tanh, (-20, 20)),
}
"""By name in the namespace: the function on mpmath's numbers, and where it is compared."""

PATHS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "add": (lambda xp, a, b: xp.add(a, b), lambda a, b: a + b),
    "subtract": (lambda xp, a, b: 2.0 - xp.subtract(a, b), lambda a, b: 2 - a + b),
    "multiply": (lambda xp, a, b: xp.multiply(a, b) * a, lambda a, b: a * b * a),
    "divide": (lambda xp, a, b: xp.divide(a, b), lambda a, b: a / b),
    "constant / x": (lambda xp, a, b: 3.0 / b, lambda a, b: 3 / b),
    "pow": (lambda xp, a, b: xp.pow(a, b), lambda a, b: a**b),
    "x ** 3": (lambda xp, a, b: (b - 2.0) ** 3, lambda a, b: (b - 2) ** 3),
    "x ** 2.5": (lambda xp, a, b: a**2.5, lambda a, b: a ** mp.mpf(2.5)),
    "x ** -2": (lambda xp, a, b: a**-2, lambda a, b: a**-2),
    "2 ** x": (lambda xp, a, b: 2.0**b, lambda a, b: 2**b),
    "atan2": (lambda xp, a, b: xp.atan2(a, b), lambda a, b: mp.atan2(a, b)),
    "hypot": (lambda xp, a, b: xp.hypot(a, b), lambda a, b: mp.hypot(a, b)),
    "logaddexp": (lambda xp, a, b: xp.logaddexp(a, b), lambda a, b: mp.log(mp.exp(a) + mp.exp(b))),
    "remainder": (
        lambda xp, a, b: xp.remainder(a, b),
        lambda a, b: a - b * mp.floor(mp.mpf(1.25) / mp.mpf(0.5)),
    ),
    "maximum": (lambda xp, a, b: xp.maximum(a, b) * b, lambda a, b: a * b),
    "minimum": (lambda xp, a, b: xp.minimum(a, b) * a, lambda a, b: b * a),
    "where": (lambda xp, a, b: xp.where(a > b, a * a, b), lambda a, b: a * a),
    "clip": (lambda xp, a, b: xp.clip(a * b, b, 5.0), lambda a, b: a * b),
    "clip to a bound": (lambda xp, a, b: xp.clip(b, a, 5.0), lambda a, b: a),
    "copysign": (lambda xp, a, b: xp.copysign(-a, b), lambda a, b: a),
    "abs": (lambda xp, a, b: xp.abs(-a * b), lambda a, b: a * b),
    "floor": (lambda xp, a, b: xp.floor(a) * b, lambda a, b: b),
    "float32 and back": (
        lambda xp, a, b: xp.astype(xp.astype(a > b, xp.float64), a.dtype) * a,
        lambda a, b: a,
    ),
}
"""Functions of a = 1.25 + ... and b = 0.5 + ..., both along a path: on arrays, and on mpmath's numbers."""

A = (1.25, 0.75, -0.5, 0.25, 1.5)
B = (0.5, -0.25, 1.0, 0.75, -1.0)


def derivatives(
    backend: Any, f: Callable[..., Any], paths: list[Any], compiled: bool = False
) -> list[np.ndarray]:
    """The value and the derivatives of ``f`` of arrays along paths, each a sequence of arrays."""
    order = len(paths[0]) - 1
    arrays = [backend.asarray(np.asarray(x), dtype="float64") for path in paths for x in path]

    def run(*arrays: Any) -> Any:
        rows = [arrays[i : i + order + 1] for i in range(0, len(arrays), order + 1)]
        value, found = mm.jet(f, tuple(row[0] for row in rows), tuple(tuple(row[1:]) for row in rows))
        return (value, *found)

    return [backend.to_numpy(x).astype(float) for x in (mm.jit(run) if compiled else run)(*arrays)]


def along_x(x: np.ndarray) -> list[np.ndarray]:
    zero = np.zeros_like(x)
    return [x, np.ones_like(x), *[zero] * (ORDER - 1)]


def exact(f: Callable[[Any], Any], x: np.ndarray) -> np.ndarray:
    """The value and the derivatives at each x, a row an order."""
    return np.array([[float(v) for v in mp.diffs(f, mp.mpf(float(v)), ORDER)] for v in x]).T


def assert_within(found: list[np.ndarray], wanted: np.ndarray, bounds: tuple[float, ...], name: str) -> None:
    for k, (y, reference) in enumerate(zip(found, wanted, strict=True)):
        off = np.max(np.abs(y - reference) / np.maximum(1.0, np.abs(reference))) / EPS
        assert off <= bounds[k], f"{name}, order {k}: off by {off:.1f} eps, {bounds[k]} allowed"


def bounds_of(name: str, backend: Any) -> tuple[float, ...]:
    is_xla = "xla" in backend.capabilities.compilers
    return XLA_TANH if is_xla and name in ("tanh", "tanhshrink", "mish") else BOUNDS


@pytest.fixture(scope="module")
def textbook() -> list[Any]:
    """Of each activation: its function, where it is compared, and its derivatives there."""
    rows = []
    for name, options in functions():
        row = ACTIVATIONS[name]
        kinks = (*row.kinks(**options), 0.0, 1.0, -1.0, 3.0, -3.0)  # the second derivative may jump there
        x = GRID[[all(abs(v - kink) > 1e-6 or name in SMOOTH for kink in kinks) for v in GRID]]
        rows.append((name, options, x, exact(lambda t, f=row.formula, o=options: f(mp, t, **o), x)))
    return rows


SMOOTH = {
    "exponential",
    "gaussian",
    "sine",
    "sigmoid",
    "log_sigmoid",
    "tanh",
    "tanhshrink",
    "softplus",
    "squareplus",
    "gelu",
}
SMOOTH |= {"silu", "swish", "mish", "identity"}


@pytest.mark.parametrize("name", BACKENDS)
def test_every_activation(name: str, textbook: list[Any]) -> None:
    backend = mm.get_backend(name)
    for activation, options, x, wanted in textbook:
        function = describe(activation).function
        found = derivatives(backend, lambda t, f=function, o=options: f(t, **o), [along_x(x)])
        assert_within(found, wanted, bounds_of(activation, backend), f"{activation}{options}")


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in ("torch", "jax", "tensorflow") if n in NAMES])
def test_every_activation_compiled(name: str, textbook: list[Any]) -> None:
    backend = mm.get_backend(name)
    for activation, options, x, wanted in textbook:
        function = describe(activation).function
        found = derivatives(backend, lambda t, f=function, o=options: f(t, **o), [along_x(x)], compiled=True)
        assert_within(found, wanted, bounds_of(activation, backend), f"{activation}{options}")


@pytest.mark.parametrize("name", BACKENDS)
def test_every_function_of_one_array(name: str) -> None:
    backend = mm.get_backend(name)
    for function, (formula, (low, high)) in STANDARD.items():
        x = np.linspace(low, high, 12) if function != "abs" else np.asarray([-2.0, 3.0])
        found = derivatives(backend, lambda t, f=function: getattr(mm.array_namespace(t), f)(t), [along_x(x)])
        scale = (
            (16.0 if name == "jax" else 4.0) if function.startswith("a") else 2.0
        )  # XLA's atanh is off by 23 eps
        bounds = tuple(scale * k for k in bounds_of(function, backend))
        assert_within(found, exact(formula, x), bounds, function)


@pytest.mark.parametrize("name", BACKENDS)
def test_functions_of_two_arrays_along_a_path(name: str) -> None:
    backend = mm.get_backend(name)

    def path(terms: tuple[float, ...], t: Any) -> Any:
        return sum(mp.mpf(c) * t**k / mp.factorial(k) for k, c in enumerate(terms))

    for label, (function, formula) in PATHS.items():
        found = derivatives(
            backend, lambda a, b, f=function: f(mm.array_namespace(a, b), a, b), [list(A), list(B)]
        )
        wanted = exact(lambda t, f=formula: f(path(A, t), path(B, t)), np.asarray([0.0]))
        assert_within(found, wanted[:, 0], (2.0, 4.0, 8.0, 16.0, 32.0), label)


MATRICES: dict[str, Callable[[Any, Any, Any], Any]] = {
    "matmul": lambda xp, a, v: xp.matmul(a, a),
    "matmul with a vector": lambda xp, a, v: xp.matmul(xp.matmul(a, v), a),
    "tensordot": lambda xp, a, v: xp.tensordot(a, a, axes=([0, 1], [1, 0])),
    "vecdot": lambda xp, a, v: xp.vecdot(a, v),
    "outer": lambda xp, a, v: xp.linalg.outer(v, v * v),
    "cross": lambda xp, a, v: xp.linalg.cross(v, a[0, :]),
    "solve": lambda xp, a, v: xp.linalg.solve(a, v[:, None]),
    "inv": lambda xp, a, v: xp.linalg.inv(a),
    "det": lambda xp, a, v: xp.linalg.det(a),
    "slogdet": lambda xp, a, v: xp.linalg.slogdet(a)[1],
    "cholesky": lambda xp, a, v: xp.linalg.cholesky(xp.matmul(a, xp.matrix_transpose(a))),
    "trace, diagonal": lambda xp, a, v: xp.linalg.trace(a * a) * xp.linalg.diagonal(a),
    "vector_norm": lambda xp, a, v: xp.linalg.vector_norm(a, axis=1),
    "vector_norm of order 3": lambda xp, a, v: xp.linalg.vector_norm(v, ord=3),
    "matrix_norm": lambda xp, a, v: xp.linalg.matrix_norm(a),
    "matrix_power": lambda xp, a, v: xp.linalg.matrix_power(a, 3),
    "sums": lambda xp, a, v: xp.sum(xp.cumulative_sum(a * a, axis=1), axis=0) * xp.mean(a),
    "products": lambda xp, a, v: xp.prod(a, axis=1) + xp.cumulative_prod(v),
    "var, std": lambda xp, a, v: xp.var(a, axis=0) * xp.std(v),
    "max, min": lambda xp, a, v: xp.max(a * a, axis=1) * xp.min(v),
    "sort, take": lambda xp, a, v: xp.sort(v * v) * xp.take(v, xp.asarray([2, 0, 0])),
    "take_along_axis": lambda xp, a, v: xp.take_along_axis(a * a, xp.asarray([[0], [2], [1]]), axis=1),
    "indexing": lambda xp, a, v: (a * a)[1:, ::2] * v[0] + a[0, 1],
    "shapes": lambda xp, a, v: xp.flip(xp.roll(xp.reshape(xp.permute_dims(a * a, (1, 0)), (-1,)), 2)),
    "concat, stack": lambda xp, a, v: xp.stack(
        [xp.concat([v * v, v]), xp.concat([v, xp.ones(3, dtype=v.dtype)])]
    ),
    "broadcast": lambda xp, a, v: (
        xp.broadcast_to(v, (2, 3)) + xp.expand_dims(v[:2], axis=1) + xp.tile(v, (2, 1))
    ),
    "triangles": lambda xp, a, v: xp.tril(a * a) - xp.triu(a),
    "unstack, repeat": lambda xp, a, v: (
        sum(xp.unstack(a * a)) + xp.repeat(v[:1], 3) * xp.diff(v, append=v[:1])
    ),
    "softmax": lambda xp, a, v: mm.activations.softmax(a) + mm.activations.log_softmax(a),
    "glu": lambda xp, a, v: mm.activations.glu(a[:, :2]),
    "prelu, learned": lambda xp, a, v: mm.activations.prelu(a, v),
    "a network": lambda xp, a, v: NETWORK(mm.tree.map(lambda w: xp.asarray(w), WEIGHTS), a),
}
NETWORK = mm.MLP(3, [5, 4], 2, activation=["tanh", "gelu"])
WEIGHTS = NETWORK.init(seed=0, backend="numpy", dtype="float64")


def matrix_paths() -> list[list[np.ndarray]]:
    random = np.random.default_rng(3)
    paths = [[random.normal(size=s) for _ in range(ORDER)] for s in ((3, 3), (3,))]
    paths[0][0] += 2.0 * np.eye(3)
    return paths


def nested(f: Callable[[Any], Any], order: int) -> Callable[[Any], Any]:
    """The derivative of that order by forward mode in forward mode."""

    def slope(t: Any) -> Any:
        return mm.jvp(nested(f, order - 1), (t,), (mm.array_namespace(t).ones_like(t),))[1]

    return slope if order else f


@pytest.mark.parametrize(
    ("name", "orders"), [("numpy", 3), pytest.param("jax", ORDER, marks=pytest.mark.slow)]
)
def test_other_functions_against_nested_derivatives(name: str, orders: int) -> None:
    """On NumPy by the rules of reverse mode; on JAX by an engine that knows none of ours."""
    backend, paths = mm.get_backend(name), matrix_paths()
    given = [[backend.asarray(x, dtype="float64") for x in path] for path in paths]
    start = backend.asarray(0.0, dtype="float64")
    for label, f in MATRICES.items():

        def at(t: Any, f: Any = f) -> Any:
            a, v = (p[0] + p[1] * t + p[2] * (t * t / 2.0) + p[3] * (t * t * t / 6.0) for p in given)
            return f(mm.array_namespace(a, v), a, v)

        found = derivatives(
            backend, lambda a, v, f=f: f(mm.array_namespace(a, v), a, v), paths, name == "jax"
        )
        for k in range(orders):
            wanted = backend.to_numpy((mm.jit if name == "jax" else lambda f: f)(nested(at, k))(start))
            np.testing.assert_allclose(found[k], wanted, rtol=1e-9, atol=1e-9, err_msg=f"{label}, order {k}")


@pytest.mark.parametrize("name", BACKENDS[1:-1])  # the oracle has not all of them
def test_other_functions_are_the_same_everywhere(name: str) -> None:
    paths: list[Any] = matrix_paths()
    found: dict[str, list[Any]] = {}
    for backend in (mm.get_backend("numpy"), mm.get_backend(name)):
        for label, f in list(MATRICES.items())[:-1]:
            found.setdefault(label, []).append(
                derivatives(backend, lambda a, v, f=f: f(mm.array_namespace(a, v), a, v), paths)
            )
    for label, (wanted, got) in found.items():
        for k in range(ORDER):
            np.testing.assert_allclose(
                got[k], wanted[k], rtol=1e-9, atol=1e-10, err_msg=f"{label}, order {k}"
            )


def test_high_orders() -> None:
    order, x = 12, np.asarray([0.7])
    for name, formula in (("tanh", mp.tanh), ("exp", mp.exp), ("sqrt", mp.sqrt), ("asinh", mp.asinh)):
        path = (np.ones(1), *[None] * (order - 1))
        _, found = mm.jet(lambda t, f=name: getattr(mm.array_namespace(t), f)(t), (x,), (path,))
        wanted = [float(v) for v in mp.diffs(formula, mp.mpf(0.7), order)][1:]
        np.testing.assert_allclose([float(y[0]) for y in found], wanted, rtol=1e-10, err_msg=name)


def test_it_is_jax_jet() -> None:
    jax = pytest.importorskip("jax")
    from jax.experimental.jet import jet

    def f(x: Any, y: Any) -> Any:
        return {"a": jax.numpy.sin(x * y), "b": (jax.numpy.exp(x) / y, x)}

    def portable(x: Any, y: Any) -> Any:
        xp = mm.array_namespace(x, y)
        return {"a": xp.sin(x * y), "b": (xp.exp(x) / y, x)}

    with jax.enable_x64(True):
        rows = [jax.numpy.asarray(v) for v in np.random.default_rng(0).uniform(1.0, 2.0, (8, 3))]
        given = (rows[0], rows[1]), ((rows[2], rows[3], rows[4]), (rows[5], rows[6], rows[7]))
        theirs, ours = jet(f, *given), mm.jet(portable, *given)
    assert jax.tree.structure(theirs) == jax.tree.structure(ours)
    for a, b in zip(jax.tree.leaves(theirs), jax.tree.leaves(ours), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13)


def test_kinks() -> None:
    zero, one = np.asarray(0.0), np.asarray(1.0)

    def of(f: Callable[[Any], Any]) -> list[float]:
        return [float(y) for y in mm.jet(f, (zero,), ((one, None),))[1]]

    xp = np
    assert of(lambda x: mm.array_namespace(x).abs(x)) == [0.0, 0.0]
    assert of(mm.activations.relu) == [0.0, 0.0]
    assert of(lambda x: mm.array_namespace(x).maximum(x * x, xp.asarray(0.0))) == [0.0, 1.0]
    assert of(lambda x: mm.array_namespace(x).clip(x, 0.0, 1.0)) == [1.0, 0.0]
    assert of(lambda x: mm.array_namespace(x).hypot(x, x)) == [0.0, 0.0]
    assert of(lambda x: mm.array_namespace(x).linalg.vector_norm(mm.array_namespace(x).stack([x, x]))) == [
        0.0,
        0.0,
    ]
    assert of(lambda x: x**2) == [0.0, 2.0]


@pytest.mark.parametrize("name", BACKENDS)
def test_transforms_inside_and_around(name: str) -> None:
    """g(x) = sum sin(x) x^2 along x: each transform inside a jet, and a jet inside each."""
    backend = mm.get_backend(name)
    host = np.asarray([0.3, -0.7, 1.1])
    x = backend.asarray(host, dtype="float64")

    def g(x: Any) -> Any:
        xp = mm.array_namespace(x)
        return xp.sum(xp.sin(x) * x * x)

    def second(f: Callable[[Any], Any]) -> np.ndarray:
        return backend.to_numpy(mm.jet(f, (x,), ((x, None),))[1][1]).astype(float)

    def g_by_hand(k: int) -> np.ndarray:
        s, c = np.sin(host), np.cos(host)
        return [
            s * host**2,
            c * host**2 + 2 * s * host,
            -s * host**2 + 4 * c * host + 2 * s,
            -c * host**2 - 6 * s * host + 6 * c,
            s * host**2 - 8 * c * host - 12 * s,
        ][k]

    np.testing.assert_allclose(second(g), np.sum(g_by_hand(2) * host**2), rtol=1e-13)
    for inside in (
        lambda x: mm.grad(g)(x),
        lambda x: mm.jvp(lambda x: mm.grad(g)(x), (x,), (x * 0.0 + 1.0,))[0],
        lambda x: mm.vmap(lambda row: mm.grad(g)(row))(x),
    ):
        np.testing.assert_allclose(second(inside), g_by_hand(3) * host**2, rtol=1e-12)
    np.testing.assert_allclose(second(mm.laplacian(g)), np.sum(g_by_hand(4) * host**2), rtol=1e-12)
    slope = mm.grad(lambda x: mm.jet(g, (x,), ((mm.array_namespace(x).ones_like(x), None),))[1][1])(x)
    np.testing.assert_allclose(backend.to_numpy(slope).astype(float), g_by_hand(3), rtol=1e-12)
    rows = mm.vmap(lambda row: mm.jet(g, (row,), ((mm.array_namespace(row).ones_like(row), None),))[1][1])(x)
    np.testing.assert_allclose(backend.to_numpy(rows).astype(float), g_by_hand(2), rtol=1e-13)
    fixed = second(lambda x: mm.stop_gradient(x) * x)
    np.testing.assert_allclose(fixed, 0.0)


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda x, f: mm.jet(f, (x,), ((x, x), (x, x))), InputError, "1 primals but 2 series"),
        (lambda x, f: mm.jet(f, (x, x), ((x, x), (x,))), InputError, "as many terms"),
        (lambda x, f: mm.jet(f, (x,), ((),)), InputError, "one or more"),
        (lambda x, f: mm.jet(f, x, (x,)), InputError, "tuple"),
        (lambda x, f: mm.jet(f, (x,), ((x[:1],),)), ShapeError, "a term of the series"),
        (lambda x, f: mm.jet(f, (x,), ((x.astype(np.float32),),)), DTypeError, "a term of the series"),
        (lambda x, f: mm.jet(f, ((x, x),), ((x,),)), InputError, "one array"),
        (lambda x, f: mm.jet(f, (np.arange(3),), ((x,),)), NotDifferentiableError, "int64"),
        (lambda x, f: mm.jet(f, (x,), ((x,),)), MissingRuleError, "linalg.qr"),
        (lambda x, f: mm.laplacian(f)(x), MissingRuleError, "linalg.qr"),
        (lambda x, f: mm.laplacian(f)((x, x)), InputError, "one array"),
        (lambda x, f: mm.laplacian(f, argnums="x"), InputError, "argnums"),
    ],
)
def test_errors(call: Any, error: type[Exception], says: str) -> None:
    def f(x: Any, *rest: Any) -> Any:
        xp = mm.array_namespace(x)
        return xp.linalg.qr(xp.linalg.outer(x, x))[0]

    with pytest.raises(error, match=says):
        call(np.asarray([1.0, 2.0, 3.0]), f)


def test_bounds_the_wrong_way_round_and_nan_have_the_slopes_of_forward_mode() -> None:
    points, ones = np.asarray([-2.0, 0.5, 3.0, np.nan]), np.ones(4)
    low, high = np.full(4, 1.0), np.full(4, -1.0)
    for given in ((low, high), (high, low), (None, low), (low, None)):

        def moved(t: Any, given: Any = given) -> Any:
            bounds = (None if b is None else b * (1.0 + 2.0 * t) for b in given)
            return mm.array_namespace(t).clip(points + 3.0 * t, *bounds)

        wanted = mm.jvp(moved, (0.0 * ones,), (ones,))[1]
        found = mm.jet(moved, (0.0 * ones,), ((ones, None),))[1][0]
        some = slice(3 if given[0] is low and given[1] is high else 4)  # of NaN between such bounds anything
        np.testing.assert_array_equal(found[some], wanted[some])


def test_cholesky_along_a_direction_that_is_not_symmetric_is_that_of_forward_mode() -> None:
    a = np.asarray([[4.0, 1.0], [1.0, 3.0]])
    v = np.asarray([[0.3, -0.2], [0.9, 0.1]])

    def factor(x: Any) -> Any:
        return mm.array_namespace(x).linalg.cholesky(x)

    def first(x: Any) -> Any:
        return mm.jvp(factor, (x,), (v,))[1]

    found = mm.jet(factor, (a,), ((v, None),))[1]
    np.testing.assert_allclose(found[0], first(a), rtol=1e-12)
    np.testing.assert_allclose(found[1], mm.jvp(first, (a,), (v,))[1], rtol=1e-12)
