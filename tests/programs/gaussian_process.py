"""The log marginal likelihood of Gaussian-process regression, and its gradient in the kernel's three hyperparameters.

Rasmussen, Williams, Gaussian processes for machine learning (2006), algorithm 2.1 and equation 5.9.
"""

import math

import numpy as np
import scipy.stats

import multimlp as mm


def log_likelihood(X, y, log_length, log_scale, log_noise):
    xp = mm.array_namespace(X, y, log_length)
    n = X.shape[0]
    difference = xp.expand_dims(X, axis=1) - xp.expand_dims(X, axis=0)
    distance = xp.sum(difference * difference, axis=-1)
    K = xp.exp(2.0 * log_scale - 0.5 * distance * xp.exp(-2.0 * log_length))
    K = K + xp.exp(2.0 * log_noise) * xp.eye(n, dtype=X.dtype)
    L = xp.linalg.cholesky(K)
    half = xp.linalg.solve(L, xp.expand_dims(y, axis=-1))
    log_root = xp.sum(xp.log(xp.linalg.diagonal(L)))
    return -0.5 * xp.sum(half * half) - log_root - 0.5 * n * math.log(2 * math.pi)


def program(X, y, log_length, log_scale, log_noise):
    value, gradients = mm.value_and_grad(log_likelihood, argnums=(2, 3, 4))(
        X, y, log_length, log_scale, log_noise
    )
    return {"value": value, "gradients": gradients}


def inputs():
    X = np.random.default_rng(0).uniform(-2, 2, (9, 2))
    return X, np.sin(X[:, 0]) * X[:, 1], np.asarray(0.1), np.asarray(-0.2), np.asarray(-1.3)


# ---- the truth: the density by SciPy, and the derivative (a a^T - K^-1) dK / 2


def expected(X, y, log_length, log_scale, log_noise):
    distance = np.sum((X[:, None] - X[None]) ** 2, axis=-1) * np.exp(-2 * log_length)
    smooth, noise = np.exp(2 * log_scale - distance / 2), np.exp(2 * log_noise) * np.eye(len(X))
    K = smooth + noise
    a = np.linalg.solve(K, y)
    inner = np.outer(a, a) - np.linalg.inv(K)
    slopes = (smooth * distance, 2 * smooth, 2 * noise)
    return {
        "value": scipy.stats.multivariate_normal(cov=K).logpdf(y),
        "gradients": tuple(np.sum(inner * slope) / 2 for slope in slopes),
    }
