"""Ridge regression by conjugate gradients in a `scan`; the matrix is never formed, its product with a vector is an `hvp`.

Hestenes, Stiefel, Methods of conjugate gradients for solving linear systems (1952); Pearlmutter, Fast exact multiplication by the
Hessian (1994). The slope in the ridge goes through all iterations.
"""

import numpy as np

import multimlp as mm

ITERATIONS = 4


def loss(w, X, y, ridge):
    xp = mm.array_namespace(w, X, ridge)
    residuals = xp.matmul(X, w) - y
    return 0.5 * xp.sum(residuals * residuals) + 0.5 * ridge * xp.sum(w * w)


def minimum(X, y, ridge):
    xp = mm.array_namespace(X, y, ridge)
    start = xp.zeros_like(X[0, :])

    def step(state, _):
        w, residual, direction = state
        product = mm.hvp(lambda w: loss(w, X, y, ridge), (w,), (direction,))
        length = xp.sum(residual * residual) / xp.sum(direction * product)
        new = residual - length * product
        share = xp.sum(new * new) / xp.sum(residual * residual)
        return (w + length * direction, new, new + share * direction), xp.sum(new * new)

    first = -mm.grad(loss)(start, X, y, ridge)
    (w, _, _), _ = mm.scan(step, (start, first, first), None, length=ITERATIONS)
    return w


def program(X, y, ridge):
    def weighed(X, y, ridge):
        w = minimum(X, y, ridge)
        xp = mm.array_namespace(w)
        return xp.sum(w * xp.asarray([1.0, -2.0, 3.0, -4.0], dtype=w.dtype)), w

    (_, w), gradients = mm.value_and_grad(weighed, argnums=(1, 2), has_aux=True)(X, y, ridge)
    return {"w": w, "gradients": gradients}


def inputs():
    generator = np.random.default_rng(14)
    return generator.normal(size=(9, 4)), generator.normal(size=9), np.asarray(0.7)


# ---- the truth: the normal equations; after as many iterations as unknowns the method is exact


def expected(X, y, ridge):
    A = X.T @ X + ridge * np.eye(4)
    w, back = np.linalg.solve(A, X.T @ y), np.linalg.solve(A, [1.0, -2.0, 3.0, -4.0])
    return {"w": w, "gradients": (X @ back, -back @ w)}
