"""A layer that is an equation, z = tanh(W z + x): found by repetition, differentiated by the implicit function theorem.

Bai, Kolter, Koltun, Deep equilibrium models (2019), theorem 1. One Newton step from the solution, its matrix held constant, has
the right derivative, so that nothing of the repetition is kept.
"""

import numpy as np
from complex_step import slopes

import multimlp as mm

ROUNDS = 60


def layer(weight, x, z):
    xp = mm.array_namespace(weight, x, z)
    return xp.tanh(xp.matmul(weight, z) + x)


def solution(weight, x):
    xp = mm.array_namespace(weight, x)
    fixed_weight, fixed_x = mm.stop_gradient((weight, x))
    z = mm.scan(lambda z, _: (layer(fixed_weight, fixed_x, z), None), fixed_x, None, length=ROUNDS)[0]
    z = mm.stop_gradient(z)
    slope = mm.jacobian(layer, argnums=2)(fixed_weight, fixed_x, z)
    matrix = mm.stop_gradient(xp.eye(x.shape[0], dtype=x.dtype) - slope)
    return z + xp.linalg.solve(matrix, xp.expand_dims(layer(weight, x, z) - z, axis=1))[:, 0]


def objective(weight, x):
    xp = mm.array_namespace(weight, x)
    z = solution(weight, x)
    return xp.sum(z * xp.exp(z)), z


def program(weight, x):
    (value, z), gradients = mm.value_and_grad(objective, argnums=(0, 1), has_aux=True)(weight, x)
    return {
        "value": value,
        "z": z,
        "gradients": gradients,
        "jacobian": mm.jacobian(solution, argnums=1)(weight, x),
    }


def inputs():
    generator = np.random.default_rng(13)
    return 0.3 * generator.normal(size=(4, 4)), generator.normal(size=4)


# ---- the truth: the repetition itself, differentiated by complex steps


def expected(weight, x):
    def repeated(point):
        weight, x = point
        z = x
        for _ in range(120):
            z = np.tanh(weight @ z + x)
        return z

    def value(point):
        z = repeated(point)
        return np.sum(z * np.exp(z))

    point = weight, x
    return {
        "value": value(point),
        "z": repeated(point),
        "gradients": slopes(value, point),
        "jacobian": slopes(lambda x: repeated((weight, x)), x),
    }
