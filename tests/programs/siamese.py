"""A Siamese network: one network looks at both of a pair; the contrastive loss draws likes together and pushes others a margin apart.

Hadsell, Chopra, LeCun, Dimensionality reduction by learning an invariant mapping (2006), equation 4.
"""

import numpy as np
from complex_step import slopes

import multimlp as mm

MARGIN = 2.0
mlp = mm.MLP(3, 5, 2, activation="softplus")


def objective(params, left, right, alike):
    xp = mm.array_namespace(left, params[0].weight)
    difference = mlp(params, left) - mlp(params, right)
    distance = xp.sqrt(xp.sum(difference * difference, axis=-1))
    apart = mm.activations.relu(MARGIN - distance)
    return xp.mean(xp.where(alike, distance * distance, apart * apart))


def program(params, left, right, alike):
    value, gradient = mm.value_and_grad(objective)(params, left, right, alike)
    return {"value": value, "gradient": gradient}


def inputs():
    generator = np.random.default_rng(7)
    left, right = generator.normal(size=(2, 6, 3))
    right[3] = left[3] + 9.0  # unlike, and beyond the margin
    alike = np.asarray([True, False, False, False, True, False])
    return mlp.init(seed=7, backend="numpy", dtype="float64"), left, right, alike


# ---- the truth: a second implementation, which takes pair by pair, complex steps


def expected(params, left, right, alike):
    def code(p, x):
        return np.log(1 + np.exp(x @ p[0].weight + p[0].bias)) @ p[1].weight + p[1].bias

    def value(p):
        total = 0
        for a, b, same in zip(left, right, alike, strict=True):
            squared = np.sum((code(p, a) - code(p, b)) ** 2)
            if same:
                total += squared
            elif squared.real < MARGIN**2:
                total += (MARGIN - np.sqrt(squared)) ** 2
        return total / len(left)

    return {"value": np.real(value(params)), "gradient": slopes(value, params)}
