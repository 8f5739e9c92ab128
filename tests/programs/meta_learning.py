"""Model-agnostic meta-learning: the gradient of the loss after a gradient step, over tasks that are mapped over.

Finn, Abbeel, Levine, Model-agnostic meta-learning for fast adaptation of deep networks (2017), algorithm 1.
"""

import numpy as np

import multimlp as mm

RATE = 0.2


def loss(w, X, y):
    xp = mm.array_namespace(w, X)
    return xp.mean((xp.matmul(X, w) - y) ** 2)


def adapted_loss(w, X, y, new_X, new_y):
    return loss(w - RATE * mm.grad(loss)(w, X, y), new_X, new_y)


def objective(w, *tasks):
    values = mm.vmap(lambda *task: adapted_loss(w, *task))(*tasks)
    return mm.array_namespace(values).mean(values)


def program(w, *tasks):
    value, gradient = mm.value_and_grad(objective)(w, *tasks)
    return {"value": value, "gradient": gradient, "hessian": mm.hessian(objective)(w, *tasks)}


def inputs():
    generator = np.random.default_rng(17)
    X, new_X = generator.normal(size=(2, 4, 6, 3))
    y, new_y = generator.normal(size=(2, 4, 6))
    return generator.normal(size=3), X, y, new_X, new_y


# ---- the truth: the loss is quadratic, a gradient step affine, so all is closed form


def expected(w, X, y, new_X, new_y):
    value, gradient, hessian = 0, 0, 0
    for A, b, C, d in zip(X, y, new_X, new_y, strict=True):
        step = np.eye(3) - 2 * RATE / 6 * A.T @ A
        error = C @ (step @ w + 2 * RATE / 6 * A.T @ b) - d
        value += np.mean(error**2) / 4
        gradient += 2 / 6 * step.T @ C.T @ error / 4
        hessian += 2 / 6 * step.T @ C.T @ C @ step / 4
    return {"value": value, "gradient": gradient, "hessian": hessian}
