"""A physics-informed network for u'' = -pi^2 sin(pi x), u(0) = u(1) = 0: derivatives in x inside a derivative in the parameters.

Raissi, Perdikaris, Karniadakis, Physics-informed neural networks (2019).
"""

import math

import numpy as np
from complex_step import slopes

import multimlp as mm


def network(params, x):
    xp = mm.array_namespace(x, params["inner"])
    return xp.sum(params["outer"] * xp.tanh(params["inner"] * x + params["bias"]))


def objective(params, places):
    def curvature(x):  # the parameters are closed over
        return mm.grad(mm.grad(lambda x: network(params, x)))(x)

    xp = mm.array_namespace(places, params["inner"])
    residuals = mm.vmap(curvature)(places) + math.pi**2 * xp.sin(math.pi * places)
    left, right = network(params, 0.0 * places[0]), network(params, 0.0 * places[0] + 1.0)
    return xp.mean(residuals * residuals) + left * left + right * right


def program(params, places):
    value, gradient = mm.value_and_grad(objective)(params, places)
    values = mm.vmap(network, in_axes=(None, 0))(params, places)
    return {"value": value, "values": values, "gradient": gradient}


def inputs():
    generator = np.random.default_rng(1)
    params = {
        "inner": generator.normal(size=5),
        "bias": generator.normal(size=5),
        "outer": generator.normal(size=5),
    }
    return params, np.linspace(0.1, 0.9, 6)


# ---- the truth: tanh'' = -2 tanh (1 - tanh^2) by hand, complex steps in the parameters


def expected(params, places):
    def values(p, x):
        return np.sum(p["outer"] * np.tanh(p["inner"] * np.asarray(x)[..., None] + p["bias"]), axis=-1)

    def total(p):
        t = np.tanh(p["inner"] * places[:, None] + p["bias"])
        curvature = np.sum(-2 * p["outer"] * p["inner"] ** 2 * t * (1 - t**2), axis=-1)
        residuals = curvature + np.pi**2 * np.sin(np.pi * places)
        return np.mean(residuals**2) + values(p, 0.0) ** 2 + values(p, 1.0) ** 2

    return {"value": total(params), "values": values(params, places), "gradient": slopes(total, params)}
