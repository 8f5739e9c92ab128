"""The forward Laplacian: against the trace of the Hessian at 50 digits and by every library's own engine."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from libraries import NAMES

import multimlp as mm
from multimlp.activations import describe, names
from multimlp.backend import owner

OTHERS = [name if name == "numpy" else pytest.param(name, marks=pytest.mark.slow) for name in NAMES]
SOME = [name if name in ("numpy", "torch") else pytest.param(name, marks=pytest.mark.slow) for name in NAMES]
X = np.random.default_rng(1).normal(size=(6, 3))


def arrays(name: str, *given: np.ndarray) -> tuple[Any, ...]:
    return tuple(mm.get_backend(name).asarray(x, dtype="float64") for x in given)


def host(x: Any) -> np.ndarray:
    return np.asarray(owner(x).to_numpy(x), dtype=float)


def trace(f: Any, argnums: int = 0) -> Any:
    """Of the Hessian, by reverse mode in whatever way the library has."""

    def of(*args: Any) -> Any:
        h = mm.hessian(f, argnums)(*args)
        return sum(h[i, i] for i in range(h.shape[0]))

    return of


def rows(f: Any) -> Any:
    return mm.vmap(f, in_axes=(None, 0))


@pytest.mark.parametrize("name", OTHERS)
def test_networks_of_every_smooth_activation(name: str) -> None:
    smooth = [n for n in names() if describe(n).elementwise and not describe(n).kinks()]
    (x,) = arrays(name, X)
    for activation in smooth:
        mlp = mm.MLP(3, [5, 4], 1, activation=activation)
        params = mlp.init(seed=2, backend=name, dtype="float64")

        def u(params: Any, x: Any, mlp: Any = mlp) -> Any:
            return mlp(params, x)[0]

        found = rows(mm.laplacian(u, argnums=1))(params, x)
        wanted = rows(trace(u, 1))(params, x)
        np.testing.assert_allclose(host(found), host(wanted), rtol=1e-11, atol=1e-12, err_msg=activation)


@pytest.mark.parametrize("activation", ["tanh", "softplus", "gelu", "sine", "silu"])
def test_fifty_digits(activation: str) -> None:
    """The same network on numbers of 50 digits, differentiated by reverse mode."""
    mlp = mm.MLP(3, [6, 6], 1, activation=activation)
    params = mlp.init(seed=0, backend="numpy", dtype="float64")
    exact = mm.convert(params, backend="mpmath")
    found = rows(mm.laplacian(lambda p, x: mlp(p, x)[0], argnums=1))(params, X)
    wanted = [host(trace(lambda x: mlp(exact, x)[0])(mm.convert(row, backend="mpmath"))) for row in X[:3]]
    np.testing.assert_allclose(
        found[:3], wanted, rtol=0, atol=8 * np.finfo(float).eps * max(1.0, np.max(np.abs(wanted)))
    )


@pytest.mark.parametrize("name", SOME)
def test_gradients_and_compiled_functions(name: str) -> None:
    """The gradient of a loss of Laplacians in the parameters, eager and compiled, is that of traces of Hessians."""
    mlp = mm.MLP(3, [5, 5], 1, activation="tanh")
    params = mlp.init(seed=0, backend=name, dtype="float64")
    (x,) = arrays(name, X)

    def loss_of(operator: Any) -> Any:
        def loss(params: Any, x: Any) -> Any:
            found = rows(operator(lambda p, x: mlp(p, x)[0], 1))(params, x)
            return mm.array_namespace(found).mean(found * found)

        return loss

    wanted = mm.grad(loss_of(trace))(params, x)
    for gradient in (mm.grad(loss_of(mm.laplacian)), mm.jit(mm.grad(loss_of(mm.laplacian)))):
        found = gradient(params, x)
        for a, b in zip(mm.tree.leaves(found), mm.tree.leaves(wanted), strict=True):
            np.testing.assert_allclose(host(a), host(b), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", SOME)
def test_shapes_of_arguments_and_results(name: str) -> None:
    x, w = arrays(name, X[0], X)
    xp = mm.array_namespace(x)
    # f_k = sum_i w_ki x_i^3, so that its Laplacian is 6 w x
    found = mm.laplacian(lambda w, x: {"f": xp_of(x).matmul(w, x**3), "one": w}, argnums=1)(w, x)
    np.testing.assert_allclose(host(found["f"]), 6 * X @ X[0], rtol=1e-13)
    assert np.all(host(found["one"]) == 0.0)
    matrix = mm.laplacian(lambda a: xp_of(a).sum(a**4) + xp_of(a).linalg.trace(a[:3, :]))(w)
    np.testing.assert_allclose(host(matrix), 12 * np.sum(X**2), rtol=1e-13)
    scalar = mm.laplacian(lambda t: xp_of(t).exp(2.0 * t))(xp.sum(x))
    np.testing.assert_allclose(host(scalar), 4 * np.exp(2 * X[0].sum()), rtol=1e-13)
    bilaplacian = mm.laplacian(mm.laplacian(lambda x: xp_of(x).sum(x * x) ** 2))(x)
    np.testing.assert_allclose(host(bilaplacian), 8 * 3 * (3 + 2), rtol=1e-12)
    # a constant of the size of the number of directions: rows are no directions
    mixed = mm.laplacian(lambda x: xp_of(x).sum(x * x) * w[0, :] * x)(x)
    np.testing.assert_allclose(host(mixed), X[0] * (2 * 3 + 4) * X[0], rtol=1e-12)


def xp_of(x: Any) -> Any:
    return mm.array_namespace(x)


@pytest.mark.parametrize("name", SOME)
def test_functions_that_need_numbers(name: str) -> None:
    (x,) = arrays(name, X[0])

    def branches(x: Any) -> Any:
        return x[0] ** 4 if x[1] < 100.0 else x[0] ** 2

    np.testing.assert_allclose(host(mm.laplacian(branches)(x)), 12 * X[0, 0] ** 2, rtol=1e-13)


def test_functions_without_a_rule_for_many_directions() -> None:
    """Indices with a slice between them are taken of one direction at a time."""
    x, i = np.arange(1.0, 9.0), np.asarray([0, 1])

    def cubes(x: Any) -> Any:
        picked = xp_of(x).reshape(x, (2, 2, 2))[i, :, i]
        return {"sum": xp_of(x).sum(picked**3), "each": picked**2}

    found = mm.laplacian(cubes)(x)
    np.testing.assert_allclose(found["sum"], 6 * np.sum(x[[0, 2, 5, 7]]))
    np.testing.assert_allclose(found["each"], 2 * np.ones((2, 2)))
    third = mm.grad(lambda x: mm.laplacian(cubes)(x)["sum"])(x)
    np.testing.assert_allclose(third, np.where(np.isin(np.arange(8), [0, 2, 5, 7]), 6.0, 0.0))


def test_kinks_follow_the_branch() -> None:
    found = mm.laplacian(lambda x: xp_of(x).sum(xp_of(x).maximum(x * x, x)))(np.asarray([-1.0, 0.5, 2.0]))
    assert float(found) == 4.0
