"""A Kalman filter by `scan`: a point at nearly constant velocity, seen with noise; the likelihood and its gradients in the noises.

Kalman, A new approach to linear filtering and prediction problems (1960); Särkkä, Bayesian filtering and smoothing (2013), 4.3.
"""

import math

import numpy as np

import multimlp as mm


def filtered(observed, log_process, log_noise):
    """The log-likelihood of the observations, and the mean of (place, velocity) after each."""
    xp = mm.array_namespace(observed, log_process, log_noise)

    def array(rows):
        return xp.asarray(rows, dtype=observed.dtype)

    motion, shape = array([[1.0, 1.0], [0.0, 1.0]]), array([[1 / 3, 0.5], [0.5, 1.0]])
    looking = array([[1.0, 0.0]])
    Q, r = xp.exp(log_process) * shape, xp.exp(log_noise)

    def step(state, y):
        mean, P, total = state
        mean = xp.matmul(motion, mean)
        P = xp.matmul(xp.matmul(motion, P), xp.matrix_transpose(motion)) + Q
        surprise = y - mean[0, 0]
        spread = P[0, 0] + r
        gain = P[:, :1] / spread
        mean = mean + gain * surprise
        P = P - xp.matmul(gain, xp.matmul(looking, P))
        total = total - 0.5 * (surprise * surprise / spread + xp.log(spread) + math.log(2 * math.pi))
        return (mean, P, total), mean[:, 0]

    start = array([[0.0], [0.0]]), array([[1.0, 0.0], [0.0, 1.0]]), 0.0 * log_noise
    (_, _, total), means = mm.scan(step, start, observed)
    return total, means


def program(observed, log_process, log_noise):
    (value, means), gradients = mm.value_and_grad(filtered, argnums=(0, 1, 2), has_aux=True)(
        observed, log_process, log_noise
    )
    return {"value": value, "means": means, "gradients": gradients}


def inputs():
    t = np.arange(8.0)
    return 0.4 * t + np.sin(t), np.asarray(-1.0), np.asarray(-0.5)


# ---- the truth: no filter; all places, velocities and observations are one Gaussian vector


def expected(observed, log_process, log_noise):
    n = len(observed)
    motion, shape = np.asarray([[1.0, 1.0], [0.0, 1.0]]), np.asarray([[1 / 3, 0.5], [0.5, 1.0]])

    def covariance(first, process):
        """Of the states one after the other, shape (n, 2, n, 2)."""
        states = np.zeros((n, 2, n, 2))
        P = first
        for i in range(n):
            P = motion @ P @ motion.T + process
            ahead = P
            for j in range(i, n):
                states[i, :, j, :], states[j, :, i, :] = ahead, ahead.T
                ahead = ahead @ motion.T
        return states

    none = np.zeros((2, 2))
    by_process = np.exp(log_process) * covariance(none, shape)
    states = covariance(np.eye(2), none) + by_process
    noise = np.exp(log_noise) * np.eye(n)
    S = states[:, 0, :, 0] + noise
    a = np.linalg.solve(S, observed)
    inner = np.outer(a, a) - np.linalg.inv(S)
    means = [
        states[i, :, : i + 1, 0] @ np.linalg.solve(S[: i + 1, : i + 1], observed[: i + 1]) for i in range(n)
    ]
    return {
        "value": -(observed @ a + np.linalg.slogdet(S)[1] + n * np.log(2 * np.pi)) / 2,
        "means": np.asarray(means),
        "gradients": (-a, np.sum(inner * by_process[:, 0, :, 0]) / 2, np.sum(inner * noise) / 2),
    }
