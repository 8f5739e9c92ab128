"""A normalising flow of two affine couplings: exact densities by the change of variables, checked by the whole Jacobian.

Dinh, Sohl-Dickstein, Bengio, Density estimation using Real NVP (2017), equations 7 and 8.
"""

import math

import numpy as np
from complex_step import slopes

import multimlp as mm


def coupling(params, fixed, moved):
    xp = mm.array_namespace(fixed, params["scale"])
    scale = xp.tanh(xp.matmul(fixed, params["scale"]))
    return moved * xp.exp(scale) + xp.matmul(fixed, params["shift"]), xp.sum(scale)


def flow(params, x):
    """Where one x of four numbers goes, and the logarithm of the volume's growth."""
    xp = mm.array_namespace(x, params[0]["scale"])
    left, right = x[:2], x[2:]
    right, first = coupling(params[0], left, right)
    left, second = coupling(params[1], right, left)
    return xp.concat([left, right]), first + second


def negative_log_likelihood(params, X):
    xp = mm.array_namespace(X, params[0]["scale"])
    Z, growth = mm.vmap(lambda x: flow(params, x))(X)
    return xp.mean(0.5 * xp.sum(Z * Z, axis=1) - growth) + 2 * math.log(2 * math.pi)


def program(params, X):
    xp = mm.array_namespace(X)
    value, gradients = mm.value_and_grad(negative_log_likelihood, argnums=(0, 1))(params, X)
    jacobians = mm.vmap(mm.jacobian(lambda x: flow(params, x)[0]))(X)
    volumes = xp.linalg.slogdet(jacobians)[1]
    return {"value": value, "gradients": gradients, "jacobians": jacobians, "volumes": volumes}


def inputs():
    generator = np.random.default_rng(20)
    params = tuple({"scale": s, "shift": t} for s, t in generator.normal(size=(2, 2, 2, 2)))
    return params, generator.normal(size=(5, 4))


# ---- the truth: the flow again, complex steps for its Jacobian and the gradients


def expected(params, X):
    def moved(params, x):
        a, b = x[..., :2], x[..., 2:]
        s = np.tanh(a @ params[0]["scale"])
        b = b * np.exp(s) + a @ params[0]["shift"]
        t = np.tanh(b @ params[1]["scale"])
        return np.concatenate([a * np.exp(t) + b @ params[1]["shift"], b], axis=-1), np.sum(s + t, axis=-1)

    def value(point):
        Z, growth = moved(*point)
        return np.mean(np.sum(Z**2, axis=-1) / 2 - growth) + 2 * np.log(2 * np.pi)

    jacobians = np.stack([slopes(lambda x: moved(params, x)[0], x) for x in X])
    return {
        "value": value((params, X)),
        "gradients": slopes(value, (params, X)),
        "jacobians": jacobians,
        "volumes": np.log(np.abs(np.linalg.det(jacobians))),
    }
