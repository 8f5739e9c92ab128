"""Three differential equations solved by networks, one code for every library; the guide for physicists shows them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import multimlp as mm

NETWORK = mm.MLP(2, [20, 20], 1, activation="tanh")


# ---- Poisson: u_xx + u_yy = -2 pi^2 sin(pi x) sin(pi y) on the unit square, u = 0 at its border


def poisson_solution(params, point):
    x, y = point[0], point[1]
    return x * (1 - x) * y * (1 - y) * NETWORK(params, point)[0]


def poisson_loss(params, points):
    def residual(point):
        xp = mm.array_namespace(point)
        force = 2 * math.pi**2 * xp.sin(math.pi * point[0]) * xp.sin(math.pi * point[1])
        return mm.laplacian(poisson_solution, argnums=1)(params, point) + force

    xp = mm.array_namespace(points)
    return xp.mean(mm.vmap(residual)(points) ** 2)


def poisson_exact(points: np.ndarray) -> np.ndarray:
    return np.sin(np.pi * points[:, 0]) * np.sin(np.pi * points[:, 1])


# ---- heat: u_t = 0.1 u_xx for 0 < x < 1, u = 0 at both ends, u = sin(pi x) at the start


def heat_solution(params, t, x):
    xp = mm.array_namespace(t, x)
    return xp.sin(math.pi * x) + t * x * (1 - x) * NETWORK(params, xp.stack([t, x]))[0]


def heat_loss(params, points):
    def residual(point):
        t, x = point[0], point[1]
        one = t * 0.0 + 1.0
        _, (u_t,) = mm.jet(lambda t: heat_solution(params, t, x), (t,), ((one,),))
        _, (_, u_xx) = mm.jet(lambda x: heat_solution(params, t, x), (x,), ((one, 0),))
        return u_t - 0.1 * u_xx

    xp = mm.array_namespace(points)
    return xp.mean(mm.vmap(residual)(points) ** 2)


def heat_exact(points: np.ndarray) -> np.ndarray:
    return np.exp(-0.1 * np.pi**2 * points[:, 0]) * np.sin(np.pi * points[:, 1])


# ---- Burgers: u_t + u u_x = 0.1 u_xx for -1 < x < 1, u = 0 at both ends, u = -sin(pi x) at the start


def burgers_solution(params, t, x):
    xp = mm.array_namespace(t, x)
    return t * (1 - x * x) * NETWORK(params, xp.stack([t, x]))[0] - xp.sin(math.pi * x)


def burgers_loss(params, points):
    def residual(point):
        t, x = point[0], 2 * point[1] - 1
        one = t * 0.0 + 1.0
        _, (u_t,) = mm.jet(lambda t: burgers_solution(params, t, x), (t,), ((one,),))
        u, (u_x, u_xx) = mm.jet(lambda x: burgers_solution(params, t, x), (x,), ((one, 0),))
        return u_t + u * u_x - 0.1 * u_xx

    xp = mm.array_namespace(points)
    return xp.mean(mm.vmap(residual)(points) ** 2)


def burgers_exact(points: np.ndarray) -> np.ndarray:
    """By the transform of Cole and Hopf: quotients of integrals, computed by Gauss and Hermite's rule."""
    nodes, weights = np.polynomial.hermite.hermgauss(100)
    t, x, nu = points[:, :1], 2 * points[:, 1:] - 1, 0.1
    places = x - np.sqrt(4 * nu * t) * nodes
    heights = weights * np.exp(-np.cos(np.pi * places) / (2 * np.pi * nu))
    return -np.sum(np.sin(np.pi * places) * heights, axis=1) / np.sum(heights, axis=1)


EQUATIONS: dict[str, Any] = {
    "poisson": (poisson_loss, lambda p, point: poisson_solution(p, point), poisson_exact),
    "heat": (heat_loss, lambda p, point: heat_solution(p, point[0], point[1]), heat_exact),
    "burgers": (
        burgers_loss,
        lambda p, point: burgers_solution(p, point[0], 2 * point[1] - 1),
        burgers_exact,
    ),
}


def solve(equation: str, backend: str, steps: int) -> tuple[float, Any]:
    """The largest error of the solution on a grid, and what `minimize` found."""
    loss, solution, exact = EQUATIONS[equation]
    library = mm.get_backend(backend)
    params = NETWORK.init(seed=0, backend=backend, dtype="float64")
    points = mm.random.uniform(mm.random.key(1, backend=backend), (200, 2), dtype="float64")
    found = mm.optimizers.minimize(loss, params, points, optimizer="lbfgs", steps=steps)
    side = np.linspace(0.0, 1.0, 21)
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    values = mm.vmap(solution, in_axes=(None, 0))(found.params, library.asarray(grid, dtype="float64"))
    return float(np.max(np.abs(library.to_numpy(values) - exact(grid)))), found
