"""Logistic regression with a ridge penalty by L-BFGS, whose steps are decided on the host and whose objective may be compiled.

Hastie, Tibshirani, Friedman, The elements of statistical learning (2009), 4.4.
"""

import numpy as np

import multimlp as mm

RIDGE = 0.1


def objective(params, X, y):
    xp = mm.array_namespace(X, params["weights"])
    scores = xp.matmul(X, params["weights"]) + params["bias"]
    penalty = 0.5 * RIDGE * xp.sum(params["weights"] * params["weights"])
    return xp.mean(mm.activations.softplus(scores) - y * scores) + penalty


def program(params, X, y, compiler="none"):
    value_and_gradient = mm.jit(mm.value_and_grad(objective), compiler=compiler)
    first, gradient = value_and_gradient(params, X, y)
    optimizer = mm.optimizers.lbfgs(tolerance_gradient=1e-12, tolerance_change=0.0)
    found = optimizer.minimize(lambda params: value_and_gradient(params, X, y), params)
    last, _ = value_and_gradient(found.params, X, y)
    return {"first": first, "gradient": gradient, "last": last, "params": found.params}


def inputs():
    generator = np.random.default_rng(8)
    X = generator.normal(size=(20, 3))
    y = (X @ [1.0, -2.0, 0.5] + generator.normal(size=20) > 0).astype(np.float64)
    return {"weights": np.zeros(3), "bias": np.asarray(0.0)}, X, y


# ---- the truth: Newton's method to the end, with the gradient and the Hessian in closed form


def expected(params, X, y):
    columns, ridge = np.column_stack([X, np.ones(len(X))]), RIDGE * np.diag([1.0, 1.0, 1.0, 0.0])

    def value(w):
        scores = columns @ w
        return np.mean(np.log1p(np.exp(scores)) - y * scores) + w @ ridge @ w / 2

    def gradient(w):
        return columns.T @ (1 / (1 + np.exp(-columns @ w)) - y) / len(X) + ridge @ w

    start = np.append(params["weights"], params["bias"])
    w = start
    for _ in range(12):
        p = 1 / (1 + np.exp(-columns @ w))
        w = w - np.linalg.solve(columns.T * (p * (1 - p)) @ columns / len(X) + ridge, gradient(w))
    first = gradient(start)
    return {
        "first": value(start),
        "gradient": {"weights": first[:3], "bias": first[3]},
        "last": value(w),
        "params": {"weights": w[:3], "bias": w[3]},
    }
