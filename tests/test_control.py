"""Loops, branches, own derivatives and rematerialisation: one table of functions, one of transforms, NumPy's closed forms."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from libraries import NAMES, every_library

import multimlp as mm
from multimlp import tape
from multimlp.backend import array_namespace as space
from multimlp.backend import load_backend
from multimlp.errors import CapabilityError, DifferentiationError, DTypeError, InputError, ShapeError

X = np.asarray([1.0, 2.0, -0.5])


def total(f):
    return lambda x: space(x).sum(f(x))


def _with_own_vjp(scale):
    """sin, with the reverse derivative ``scale * cos``."""

    @mm.custom_vjp
    def function(x):
        return space(x).sin(x)

    function.defvjp(
        lambda x: (space(x).sin(x), (x, None)), lambda kept, g: (scale * g * space(g).cos(kept[0]),)
    )
    return function


def _with_own_jvp(scale):
    @mm.custom_jvp
    def function(x):
        return space(x).sin(x)

    @function.defjvp
    def _(primals, tangents):
        ((x,), (t,)) = primals, tangents
        return function(x), scale * t * space(x).cos(x)

    return function


# name: function, first derivative and second derivative as functions of NumPy's arrays; all element by element
FUNCTIONS = {
    "custom_vjp": (_with_own_vjp(2.0), np.sin, lambda x: 2 * np.cos(x), lambda x: -2 * np.sin(x)),
    "custom_jvp": (_with_own_jvp(2.0), np.sin, lambda x: 2 * np.cos(x), lambda x: -2 * np.sin(x)),
    "remat": (
        mm.remat(lambda x: space(x).sin(x) * x),
        lambda x: np.sin(x) * x,
        lambda x: np.cos(x) * x + np.sin(x),
        lambda x: 2 * np.cos(x) - np.sin(x) * x,
    ),
    "cond": (
        lambda x: mm.cond(space(x).sum(x) > 0.0, lambda x: x * x * x, lambda x: -x, x),
        lambda x: x**3 if x.sum() > 0 else -x,
        lambda x: 3 * x**2 if x.sum() > 0 else -np.ones_like(x),
        lambda x: 6 * x if x.sum() > 0 else 0 * x,
    ),
    "fori_loop": (
        lambda x: mm.fori_loop(0, 3, lambda i, c: c * x, space(x).ones_like(x)),
        lambda x: x**3,
        lambda x: 3 * x**2,
        lambda x: 6 * x,
    ),
    "while_loop": (
        lambda x: mm.while_loop(lambda c: c[0] < 3.0, lambda c: (c[0] + 1.0, c[1] * x), (0.0, space(x).ones_like(x)))[1],
        lambda x: x**3,
        lambda x: 3 * x**2,
        lambda x: 6 * x,
    ),
}  # fmt: skip

# name: the transformed function, and what it must give from (value, first, second derivative)
TRANSFORMS = {
    "value": (lambda f: f, lambda v, d, h, x: v(x)),
    "grad": (lambda f: mm.grad(total(f)), lambda v, d, h, x: d(x)),
    "jvp": (lambda f: lambda x: mm.jvp(f, (x,), (x,))[1], lambda v, d, h, x: d(x) * x),
    "linearize": (lambda f: lambda x: mm.linearize(f, x)[1](x), lambda v, d, h, x: d(x) * x),
    "jacfwd": (lambda f: mm.jacfwd(f), lambda v, d, h, x: np.diag(d(x))),
    "jacrev": (lambda f: mm.jacrev(f), lambda v, d, h, x: np.diag(d(x))),
    "hessian": (lambda f: mm.hessian(total(f)), lambda v, d, h, x: np.diag(h(x))),
    "hvp": (lambda f: lambda x: mm.hvp(total(f), (x,), (x,)), lambda v, d, h, x: h(x) * x),
    "grad of grad": (lambda f: mm.grad(total(mm.grad(total(f)))), lambda v, d, h, x: h(x)),
    "jvp of grad": (lambda f: lambda x: mm.jvp(mm.grad(total(f)), (x,), (x,))[1], lambda v, d, h, x: h(x) * x),
    "grad of jvp": (
        lambda f: mm.grad(total(lambda x: mm.jvp(f, (x,), (space(x).ones_like(x),))[1])), lambda v, d, h, x: h(x),
    ),
    "vmap": (
        lambda f: lambda x: mm.vmap(f)(space(x).stack([x, -2 * x])), lambda v, d, h, x: np.stack([v(x), v(-2 * x)]),
    ),
    "vmap of grad": (
        lambda f: lambda x: mm.vmap(mm.grad(total(f)))(space(x).stack([x, -2 * x])),
        lambda v, d, h, x: np.stack([d(x), d(-2 * x)]),
    ),
    "grad of vmap": (
        lambda f: mm.grad(lambda x: space(x).sum(mm.vmap(f)(space(x).stack([x, -2 * x])))),
        lambda v, d, h, x: d(x) - 2 * d(-2 * x),
    ),
    "jet": (
        lambda f: lambda x: space(x).stack(mm.jet(f, (x,), ((x, 2 * x),))[1]),
        lambda v, d, h, x: np.stack([d(x) * x, h(x) * x**2 + d(x) * 2 * x]),
    ),
    "laplacian": (lambda f: mm.laplacian(total(f)), lambda v, d, h, x: np.sum(h(x))),
    "laplacian of vmap": (
        lambda f: mm.laplacian(lambda x: space(x).sum(mm.vmap(f)(space(x).stack([x, -2 * x])))),
        lambda v, d, h, x: np.sum(h(x) + 4 * h(-2 * x)),
    ),
    "vmap of laplacian": (
        lambda f: lambda x: mm.vmap(mm.laplacian(total(f)))(space(x).stack([x, -2 * x])),
        lambda v, d, h, x: np.stack([np.sum(h(x)), np.sum(h(-2 * x))]),
    ),
    "laplacian of jit": (lambda f: mm.laplacian(mm.jit(total(f))), lambda v, d, h, x: np.sum(h(x))),
    "jit of laplacian": (lambda f: mm.jit(mm.laplacian(total(f))), lambda v, d, h, x: np.sum(h(x))),
    "jit": (lambda f: mm.jit(f), lambda v, d, h, x: v(x)),
    "jit of grad": (lambda f: mm.jit(mm.grad(total(f))), lambda v, d, h, x: d(x)),
    "grad of jit": (lambda f: mm.grad(mm.jit(total(f))), lambda v, d, h, x: d(x)),
    "grad of scan": (
        lambda f: mm.grad(lambda x: space(x).sum(mm.scan(lambda c, row: (c + f(row * x), None), 0 * x, space(x).stack([x, x]))[0])),
        lambda v, d, h, x: 4 * x * d(x * x),
    ),
}  # fmt: skip

FORWARD = ("jvp", "linearize", "jacfwd", "jvp of grad", "grad of jvp")
REVERSE = ("grad", "jacrev", "hessian", "hvp", "grad of grad", "jvp of grad", "vmap of grad", "grad of vmap", "jit of grad", "grad of jit",
           "grad of scan", "grad of jvp")  # fmt: skip

REFUSED = {
    **{("jax", "custom_vjp", name): "forward mode" for name in FORWARD if name != "jvp of grad"},
    **{("torch", "custom_vjp", name): "forward mode" for name in FORWARD if name != "linearize"},
    **{("jax", "while_loop", name): "reverse mode" for name in REVERSE},
    ("tensorflow", "while_loop", "jit of grad"): "XLA",
    ("tensorflow", "while_loop", "grad of jit"): "XLA",
    ("tensorflow", "fori_loop", "grad of jit"): "XLA",
    **{(name, "while_loop", "jit of laplacian"): "inside jet or laplacian" for name in ("jax", "tensorflow")},
    **{("tensorflow", "while_loop", "vmap of laplacian"): "inside jet or laplacian"},
}
"""What the library cannot: an error of ours that names it."""

QUICK = ("grad", "vmap of grad", "grad of vmap")
"""On the frameworks; all on NumPy and strict."""


def _cases():
    for library in NAMES:
        for function in FUNCTIONS:
            for transform in TRANSFORMS:
                quick = library in ("numpy", "strict") or transform in QUICK
                quick = quick or (transform == "jit" and function in ("cond", "while_loop"))
                marks = [] if quick else [pytest.mark.slow]
                yield pytest.param(library, function, transform, marks=marks)


@pytest.mark.filterwarnings("ignore:remat")
@pytest.mark.parametrize(("library", "function", "transform"), list(_cases()))
def test_every_transform_of_every_function(library, function, transform):
    backend = load_backend(library)
    f, value, first, second = FUNCTIONS[function]
    make, wanted = TRANSFORMS[transform]
    x = backend.asarray(X, dtype="float64")
    with backend.scope("float64"):
        if (library, function, transform) in REFUSED:
            with pytest.raises(CapabilityError, match=REFUSED[library, function, transform]):
                make(f)(x)
            return
        found = np.asarray(backend.to_numpy(make(f)(x)))
    expected = wanted(value, first, second, X)
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-13)


@every_library
def test_what_cannot_be_is_in_the_capabilities(library):
    """What is said of a backend is what the table above found."""
    said = load_backend(library).capabilities
    refused = {(function, transform) for name, function, transform in REFUSED if name == library}
    assert (said.custom_vjp == "reverse") == (("custom_vjp", "jvp") in refused)
    loops = {"all": set(), "uncompiled": {"jit of grad", "grad of jit"}, "forward": set(REVERSE)}[
        said.while_loop
    ]
    assert loops == {
        transform
        for function, transform in refused
        if function == "while_loop" and "laplacian" not in transform
    }


# ---- slopes of what is not taken --------------------------------------------------------------------------------------

ROWS = np.asarray([-1.0, 0.0, 4.0])


def _square_root_or_double(x):
    return mm.cond(x > 0.0, lambda x: space(x).sqrt(x), lambda x: 2.0 * x, x)


def _double_or_square_root(x):
    return mm.cond(x <= 0.0, lambda x: 2.0 * x, lambda x: space(x).sqrt(x), x)


def _until_small(x):
    """At 1, where the loop ends, the slope of its step is infinite."""
    return mm.while_loop(lambda c: c > 1.0, lambda c: space(c).sqrt(c - 1.0), x)


NOT_TAKEN = {
    "cond": (_square_root_or_double, ROWS, [2.0, 2.0, 0.25]),
    "cond, the other way round": (_double_or_square_root, ROWS, [2.0, 2.0, 0.25]),
    "while_loop": (_until_small, np.asarray([1.0, 2.0, 5.0]), [1.0, 0.5, 0.125]),
}


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("name", NOT_TAKEN)
@pytest.mark.parametrize("way", ["grad of vmap", "vmap of grad"])
@every_library
def test_what_a_row_does_not_take_has_no_slope(library, way, name, compiled):
    """Under `vmap` libraries compute both branches: an infinite slope times zero is not to reach the result."""
    f, x, wanted = NOT_TAKEN[name]
    backend = load_backend(library)
    if name == "while_loop" and (library == "jax" or (library == "tensorflow" and compiled)):
        pytest.skip("reverse mode does not go through while_loop there")
    if compiled and library in ("numpy", "strict", "paddle"):
        pytest.skip("nothing is compiled")
    transformed = {
        "grad of vmap": mm.grad(lambda x: space(x).sum(mm.vmap(f)(x))),
        "vmap of grad": mm.vmap(mm.grad(f)),
    }[way]
    with backend.scope("float64"):
        found = (mm.jit(transformed) if compiled else transformed)(backend.asarray(x, dtype="float64"))
    np.testing.assert_allclose(backend.to_numpy(found), wanted, rtol=1e-14)


# ---- remat -----------------------------------------------------------------------------------------------------------


@every_library
def test_remat_has_the_same_bits(library):
    backend = load_backend(library)
    mlp = mm.MLP(3, (8, 8), 1, activation="gelu")
    params = mlp.init(seed=0, backend=library, dtype="float64")
    X = backend.asarray(np.random.default_rng(0).standard_normal((5, 3)), dtype="float64")

    def loss(call):
        return lambda params: space(X).sum(call(params, X) ** 2)

    with backend.scope("float64"):
        plain = mm.value_and_grad(loss(mlp))(params)
        again = mm.value_and_grad(loss(mm.remat(lambda params, X: mlp(params, X))))(params)
    for a, b in zip(mm.tree.leaves(plain), mm.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(backend.to_numpy(a), backend.to_numpy(b))


@pytest.mark.parametrize("library", [name for name in NAMES if name in ("numpy", "torch", "tensorflow")])
def test_remat_keeps_nothing_of_the_forward_pass(library):
    """What is computed on the way is gone when the function returns, and computed again for the gradient."""
    backend, kept, counts = load_backend(library), [], []

    def step(x):
        y = space(x).exp(x)
        z = space(x).sin(y)
        kept.append(weakref.ref(tape.raw(z) if hasattr(z, "level") else z))
        return z * z

    def alive(call):
        def f(x):
            y = call(x)
            gc.collect()
            counts.append(sum(ref() is not None for ref in kept))
            return space(y).sum(y)

        kept.clear()
        mm.grad(f)(backend.asarray(X, dtype="float64"))
        return counts[-1], len(kept)

    assert alive(step) == (1, 1)
    assert alive(mm.remat(step)) == (0, 2)


@every_library
def test_remat_of_which_one_result_counts(library):
    """What leads to the other one has no cotangent."""
    backend, x = load_backend(library), X

    def f(x):
        u, v = x * 2.0, x * 3.0
        a, _ = mm.remat(lambda u, v: (space(u).sin(u), space(v).sin(v)))(u, v)
        return space(a).sum(a)

    with backend.scope("float64"):
        found = mm.grad(f)(backend.asarray(x, dtype="float64"))
    np.testing.assert_allclose(backend.to_numpy(found), 2 * np.cos(2 * x), rtol=1e-14)


def test_remat_of_a_closure_on_tensorflow_warns_and_is_right():
    if "tensorflow" not in NAMES:
        pytest.skip("needs TensorFlow")
    backend = load_backend("tensorflow")
    w, x = (backend.asarray(v, dtype="float64") for v in (3.0, 2.0))
    f = lambda w: mm.remat(lambda x: x * w * w)(x)  # noqa: E731
    with pytest.warns(RuntimeWarning, match="remat.*closes over"):
        assert float(mm.grad(f)(w)) == 12.0


# ---- own derivatives -------------------------------------------------------------------------------------------------


@every_library
def test_trees_integers_and_arguments_without_derivative(library):
    backend = load_backend(library)
    seen = []

    @mm.custom_vjp
    def total(params, order, x):
        return {"sum": space(x).sum(params["w"] * x), "n": order}

    total.defvjp(
        lambda params, order, x: (total(params, order, x), (params["w"], x)),
        lambda kept, g: (seen.append(sorted(g)), ({"w": 5.0 * g["sum"] * kept[1]}, None, None))[1],
    )
    power = mm.custom_vjp(lambda p, x: x**p, nondiff_argnums=0)
    power.defvjp(lambda p, x: (x**p, x), lambda p, x, g: (100.0 * p * g * x,))
    w, x = (backend.asarray(v, dtype="float64") for v in (X, X + 1))
    order = backend.asarray([1, 0])
    with backend.scope("float64"):
        dw, dx = mm.grad(lambda w, x: total({"w": w}, order, x)["sum"], argnums=(0, 1))(w, x)
        dp = mm.grad(lambda x: space(x).sum(power(2, x)))(x)
    np.testing.assert_allclose(backend.to_numpy(dw), 5.0 * (X + 1))
    np.testing.assert_allclose(backend.to_numpy(dx), 0 * X)
    np.testing.assert_allclose(backend.to_numpy(dp), 200.0 * (X + 1))
    assert seen[-1] == ["n", "sum"]


@every_library
@pytest.mark.parametrize("kind", ["vjp", "jvp"])
@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("argument", ["differentiated", "constant"])
def test_a_closure_that_is_differentiated_is_refused(library, kind, compiled, argument):
    backend = load_backend(library)
    if compiled and library not in ("tensorflow",):
        pytest.skip("the same as eager, or JAX's own error")

    def f(w):
        if kind == "vjp":
            g = mm.custom_vjp(lambda x: x * w)
            g.defvjp(lambda x: (x * w, None), lambda _, c: (c * w,))
        else:
            g = mm.custom_jvp(lambda x: x * w)
            g.defjvps(lambda t, y, x: t * w)
        return g(w * 0.0 + 2.0 if argument == "differentiated" else backend.asarray(2.0, dtype="float64"))

    at = backend.asarray(3.0, dtype="float64")
    with backend.scope("float64"), pytest.raises((DifferentiationError, CapabilityError)):
        mm.grad(mm.jit(f) if compiled else f)(at)


MISTAKES = {
    "no rules": (InputError, "defvjp", lambda x: mm.custom_vjp(lambda x: x)(x)),
    "no rule": (InputError, "defjvp", lambda x: mm.custom_jvp(lambda x: x)(x)),
    "no pair": (InputError, "fwd must return", lambda x: mm.grad(_defined(lambda x: x, lambda r, g: (g,)))(x)),
    "too few": (InputError, "each of the 1", lambda x: mm.grad(_defined(lambda x: (x, None), lambda r, g: ()))(x)),
    "shape": (
        ShapeError, "defvjp: a cotangent",
        lambda x: mm.grad(_defined(lambda x: (x, None), lambda r, g: (space(g).stack([g, g]),)))(x),
    ),
    "a condition of two": (ShapeError, "cond: pred", lambda x: mm.cond(space(x).stack([x, x]) > 0, abs, abs, x)),
    "a number": (InputError, "cond: a branch must return arrays", lambda x: mm.cond(x > 0, lambda x: 1.0, lambda x: x, x)),
    "a number for a row": (InputError, "scan: y must hold arrays", lambda x: mm.scan(lambda c, _: (c, 1.0), x, None, 3)),
    "no boolean": (DTypeError, "while_loop: cond_fun", lambda x: mm.while_loop(lambda x: x, lambda x: x, x)),
    "another shape": (
        ShapeError, "carry", lambda x: mm.while_loop(lambda x: space(x).all(x > 0), lambda x: space(x).stack([x, x]), x),
    ),
    "bounds": (InputError, "fori_loop: upper", lambda x: mm.fori_loop(0, 1.5, lambda i, x: x, x)),
    "holomorphic": (DifferentiationError, "holomorphic", lambda x: mm.jacfwd(lambda x: x, holomorphic=True)(x)),
}  # fmt: skip


def _defined(fwd, bwd):
    function = mm.custom_vjp(lambda x: x)
    function.defvjp(fwd, bwd)
    return function


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_named(name):
    error, message, call = MISTAKES[name]
    with pytest.raises(error, match=message):
        call(np.asarray(2.0))


@every_library
@pytest.mark.parametrize("compiled", [False, True])
def test_a_number_among_the_arguments_of_custom_jvp_is_a_constant(library, compiled):
    backend = load_backend(library)
    scaled = mm.custom_jvp(lambda x, c: x * c)
    scaled.defjvp(lambda p, t: (p[0] * p[1], t[0] * p[1] + p[0] * t[1]))
    by_argument = mm.custom_jvp(lambda x, c: x * c)
    by_argument.defjvps(lambda t, y, x, c: t * c, lambda t, y, x, c: t * x)
    x, one = (backend.asarray(v, dtype="float64") for v in (3.0, 1.0))
    for own in (scaled, by_argument):
        slope = lambda x, t, own=own: mm.jvp(lambda x: own(x, 2.0), (x,), (t,))[1]  # noqa: E731
        assert float((mm.jit(slope) if compiled else slope)(x, one)) == 2.0
        assert float(mm.grad(lambda x, own=own: own(x, 2.0))(x)) == 2.0
        assert float(mm.jvp(lambda x, own=own: own({"x": x}["x"], 2), (x,), (one,))[1]) == 2.0


@every_library
def test_a_scan_from_the_end(library):
    backend = load_backend(library)
    x = backend.asarray(X, dtype="float64")

    def discounted(x):
        return mm.scan(lambda c, x: (0.5 * c + x, c), space(x).sum(x) * 0.0, x, reverse=True)

    carry, wanted = 0.0, np.zeros_like(X)
    for i in reversed(range(len(X))):
        wanted[i] = carry
        carry = 0.5 * carry + X[i]
    with backend.scope("float64"):
        last, rows = discounted(x)
        slopes = mm.grad(lambda x: discounted(x)[0])(x)
    np.testing.assert_allclose(backend.to_numpy(last), carry)
    np.testing.assert_allclose(backend.to_numpy(rows), wanted)
    np.testing.assert_allclose(backend.to_numpy(slopes), 0.5 ** np.arange(len(X)))


@pytest.mark.parametrize("library", [name for name in NAMES if name in ("jax", "tensorflow")])
def test_branches_of_different_trees_are_refused_where_both_are_looked_at(library):
    x = load_backend(library).asarray(-1.0, dtype="float64")
    for other in (lambda x: {"b": x, "a": 2 * x}, lambda x: (x, 2 * x)):
        with pytest.raises(InputError, match="same structure"):
            mm.jit(lambda x, f=other: mm.cond(x > 0, lambda x: {"a": x, "b": 2 * x}, f, x))(x)


@every_library
def test_numbers_of_numpys_decide_and_bound_on_every_library(library):
    x = load_backend(library).asarray(3.0, dtype="float64")
    assert float(mm.cond(np.bool_(True), lambda x: 2 * x, lambda x: x, x)) == 6.0
    assert float(mm.fori_loop(np.int64(0), np.int32(3), lambda i, c: 2.0 * c, x)) == 24.0


@every_library
def test_a_float_beside_arrays_has_their_dtype(library):
    backend = load_backend(library)
    x = backend.asarray(X, dtype="float32")
    a = mm.grad(lambda a, x: space(x).sum(a * x))(2.0, x)
    assert backend.dtype_name(a.dtype) == "float32"
    np.testing.assert_allclose(backend.to_numpy(a), X.astype(np.float32).sum(), rtol=1e-6)
    assert mm.stop_gradient((2.0, 3)) == (2.0, 3)


# ---- at --------------------------------------------------------------------------------------------------------------

UPDATES = {
    "a row": lambda x: mm.at(x)[0].set(x[1, ...] * 2),
    "a column": lambda x: mm.at(x)[:, 1].set(7.0),
    "twice": lambda x: mm.at(x)[[0, 0], [1, 1]].add(x[:, 0]),
    "products": lambda x: mm.at(x)[np.asarray([0, 0])].multiply(x),
    "the lesser": lambda x: mm.at(x)[1, ...].min(x[0, ...] * 3),
    "the greater": lambda x: mm.at(x)[..., -1].max(4),
    "nothing": lambda x: mm.at(x)[2:1].set(x[0, 0]),
    "a mask": lambda x: mm.at(x)[np.asarray([[True, False, True], [False] * 3])].set(x[:, 0]),
}


@pytest.mark.parametrize(
    ("name", "library"),
    [
        pytest.param(name, library, marks=[pytest.mark.slow] * (library in ("jax", "tensorflow") and name not in ("a row", "twice")))
        for name in UPDATES
        for library in NAMES
    ],
)  # fmt: skip
def test_updates(name, library):
    """NumPy's assignment and ufunc.at for values; gradients are those of NumPy, which central differences check."""
    f, x = UPDATES[name], np.asarray([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]) + 0.1
    ways = {
        "value": lambda f: f,
        "grad": lambda f: mm.grad(lambda x: space(x).sum(f(x) ** 2)),
        "jvp": lambda f: lambda x: mm.jvp(f, (x,), (x,))[1],
        "vmap": lambda f: lambda x: mm.vmap(f)(space(x).stack([x, 2 * x])),
    }
    if library in ("jax", "tensorflow") and name == "a row":
        ways["jit"] = lambda f: mm.jit(mm.grad(lambda x: space(x).sum(f(x) ** 2)))
    backend = load_backend(library)
    with backend.scope("float64"):
        for way, transform in ways.items():
            found = backend.to_numpy(transform(f)(backend.asarray(x, dtype="float64")))
            np.testing.assert_allclose(found, ways[way](f)(x), rtol=1e-14, err_msg=way)
    if library == "numpy":
        mm.testing.check_grads(lambda x: space(x).sum(f(x) ** 2), (x,))


def test_updates_are_those_of_numpy():
    x, rng = np.zeros((4, 3)), np.random.default_rng(0)
    key, values = (rng.integers(0, 4, 20), rng.integers(0, 3, 20)), rng.standard_normal(20)
    for name, ufunc in (("add", np.add), ("multiply", np.multiply), ("min", np.minimum), ("max", np.maximum)):
        expected = x + 1
        ufunc.at(expected, key, values)
        np.testing.assert_array_equal(getattr(mm.at(x + 1)[key], name)(values), expected)
    for error, call in {
        IndexError: lambda: mm.at(x)[4].set(0.0),
        ShapeError: lambda: mm.at(x)[0].set(np.ones(2)),
        DTypeError: lambda: mm.at(np.zeros(2, dtype=int))[0].set(0.5),
    }.items():
        with pytest.raises(error):
            call()


@pytest.mark.parametrize("values", [1j, np.asarray(1j), np.asarray(1j, dtype=np.complex64)])
def test_complex_numbers_go_into_complex_arrays_alone(values):
    for kind in (float, int):
        with pytest.raises(DTypeError, match="do not go into an array"):
            mm.at(np.zeros(2, dtype=kind))[0].set(values)
    np.testing.assert_array_equal(mm.at(np.zeros(2, dtype=complex))[0].set(values), [1j, 0])
    np.testing.assert_array_equal(mm.at(np.zeros(2, dtype=complex))[0].set(1.5), [1.5, 0])


@every_library
def test_an_update_has_no_slope_where_it_is_not(library):
    """An infinity elsewhere, in the array or among the values, makes no NaN."""
    backend = load_backend(library)
    with backend.scope("float64"):
        x = backend.asarray(np.asarray([2.0, np.inf, 3.0]), dtype="float64")
        v = backend.asarray(np.asarray([np.inf, 5.0]), dtype="float64")
        of_values = mm.grad(lambda v: mm.at(x)[0].multiply(v)[0])(v[1])
        of_array = mm.grad(lambda x: mm.at(x)[[0, 2]].multiply(v)[2])(x)
    assert float(of_values) == 2.0
    assert backend.to_numpy(of_array)[2] == 5.0


# ---- own derivatives in Taylor mode ----------------------------------------------------------------------------------


@every_library
@pytest.mark.parametrize("make", [_with_own_vjp, _with_own_jvp])
def test_all_orders_follow_from_the_own_derivative(library, make):
    """The rule says ``2 cos`` where ``cos`` is right, so that each order shows whose derivative it is."""
    backend, f = load_backend(library), make(2.0)
    x, v, w = (backend.asarray(a, dtype="float64") for a in (X, X**2, 1.0 + X))
    with backend.scope("float64"):
        value, found = mm.jet(lambda x, y: f(x * y), (x, v), ((v, w, None, None), (w, None, x, None)))
        inner = mm.jet(lambda x, y: x * y, (x, v), ((v, w, None, None), (w, None, x, None)))[1]
        wanted = mm.jet(lambda u: 2.0 * space(u).sin(u), (x * v,), (inner,))[1]
        third = mm.grad(mm.laplacian(total(f)))(x)
    np.testing.assert_allclose(backend.to_numpy(value), np.sin(X**3), rtol=1e-13)
    for got, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(backend.to_numpy(got), backend.to_numpy(other), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(backend.to_numpy(third), -2.0 * np.cos(X), rtol=1e-13)


@every_library
def test_own_derivatives_of_several_arrays_in_a_laplacian(library):
    """Two arguments and two outputs, one of them integer."""
    backend = load_backend(library)

    @mm.custom_jvp
    def f(x, y):
        return {"sum": space(x, y).sum(x * y), "sign": space(x).astype(space(x).sign(x), space(x).int32)}

    @f.defjvp
    def _(primals, tangents):
        (x, y), (s, t) = primals, tangents
        xp = space(x, y, s, t)
        return f(x, y), {"sum": 3.0 * xp.sum(x * t + y * s), "sign": xp.zeros_like(x, dtype=xp.int32)}

    x = backend.asarray(X, dtype="float64")
    with backend.scope("float64"):
        found = mm.laplacian(lambda x: f(x * x, space(x).exp(x))["sum"])(x)
    wanted = 3.0 * np.sum((2.0 + 4.0 * X + X**2) * np.exp(X))
    np.testing.assert_allclose(backend.to_numpy(found), wanted, rtol=1e-13)


@every_library
def test_an_error_inside_vmap_is_its_own(library):
    backend = load_backend(library)

    def f(x):
        raise ShapeError("mine")

    with pytest.raises(ShapeError, match="mine"):
        mm.vmap(f)(backend.asarray(X))
