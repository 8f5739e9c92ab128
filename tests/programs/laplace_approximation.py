"""The evidence of Bayesian logistic regression by Laplace's approximation: Newton steps with `hessian`, then its determinant.

MacKay, The evidence framework applied to classification networks (1992); Bishop, Pattern recognition and machine learning (2006), 4.4.
"""

import math

import numpy as np

import multimlp as mm

STEPS = 6


def negative_log_joint(w, X, y, log_precision):
    xp = mm.array_namespace(w, X, log_precision)
    scores, d = xp.matmul(X, w), w.shape[0]
    likelihood = xp.sum(mm.activations.softplus(scores) - y * scores)
    prior = 0.5 * xp.exp(log_precision) * xp.sum(w * w) - 0.5 * d * (log_precision - math.log(2 * math.pi))
    return likelihood + prior


def evidence(X, y, log_precision):
    """log p(y), and the mode; differentiable in the precision through all Newton steps."""
    xp = mm.array_namespace(X, y, log_precision)
    hessian = mm.hessian(negative_log_joint)
    w = xp.zeros_like(X[0, :])
    for _ in range(STEPS):
        slope = mm.grad(negative_log_joint)(w, X, y, log_precision)
        w = w - xp.linalg.solve(hessian(w, X, y, log_precision), xp.expand_dims(slope, axis=1))[:, 0]
    determinant = xp.linalg.slogdet(hessian(w, X, y, log_precision))
    value = -negative_log_joint(w, X, y, log_precision)
    return value + 0.5 * w.shape[0] * math.log(2 * math.pi) - 0.5 * determinant[1], w


def program(X, y, log_precision):
    (value, mode), slope = mm.value_and_grad(evidence, argnums=2, has_aux=True)(X, y, log_precision)
    return {"value": value, "mode": mode, "slope": slope}


def inputs():
    X = np.random.default_rng(19).normal(size=(10, 3))
    return X, (X[:, 0] > X[:, 1]).astype(np.float64), np.asarray(-0.4)


# ---- the truth: the Hessian X^T S X + a, and the slope from how the mode moves with a


def expected(X, y, log_precision):
    a, w = np.exp(log_precision), np.zeros(3)
    for _ in range(20):
        p = 1 / (1 + np.exp(-X @ w))
        H = X.T * (p * (1 - p)) @ X + a * np.eye(3)
        w = w - np.linalg.solve(H, X.T @ (p - y) + a * w)
    scores = X @ w
    p = 1 / (1 + np.exp(-scores))
    H = X.T * (p * (1 - p)) @ X + a * np.eye(3)
    joint = np.sum(y * scores - np.log1p(np.exp(scores))) - a * w @ w / 2 + 3 / 2 * log_precision
    moved = -np.linalg.solve(H, a * w)
    bent = X.T * (p * (1 - p) * (1 - 2 * p) * (X @ moved)) @ X + a * np.eye(3)
    return {
        "value": joint - np.linalg.slogdet(H)[1] / 2,
        "mode": w,
        "slope": -a * w @ w / 2 + 3 / 2 - np.trace(np.linalg.solve(H, bent)) / 2,
    }
