"""Lotka and Volterra's hares and lynxes by the classical Runge-Kutta method in a `scan`, and the gradients through all its steps.

Volterra, Fluctuations in the abundance of a species considered mathematically (1926); Kutta (1901).
"""

import numpy as np
from complex_step import slopes

import multimlp as mm

STEPS, LENGTH = 24, 0.1


def rate(rates, state):
    xp = mm.array_namespace(rates, state)
    hares, lynxes = state[0], state[1]
    return xp.stack([hares * (rates[0] - rates[1] * lynxes), lynxes * (rates[2] * hares - rates[3])])


def path(rates, start):
    def step(state, _):
        k1 = rate(rates, state)
        k2 = rate(rates, state + 0.5 * LENGTH * k1)
        k3 = rate(rates, state + 0.5 * LENGTH * k2)
        k4 = rate(rates, state + LENGTH * k3)
        state = state + (LENGTH / 6) * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
        return state, state

    return mm.scan(step, start, None, length=STEPS)[1]


def objective(rates, start, observed):
    states = path(rates, start)
    xp = mm.array_namespace(states, observed)
    return xp.mean((states - observed) * (states - observed)), states


def program(rates, start, observed):
    (value, states), gradients = mm.value_and_grad(objective, argnums=(0, 1), has_aux=True)(
        rates, start, observed
    )
    return {"value": value, "states": states, "gradients": gradients}


def inputs():
    t = LENGTH * np.arange(1, STEPS + 1)
    observed = np.stack([1 + 0.5 * np.cos(t), 1 + 0.5 * np.sin(t)], axis=-1)
    return np.asarray([1.1, 0.9, 0.8, 1.2]), np.asarray([1.5, 0.7]), observed


# ---- the truth: the method from its tableau, complex steps


def expected(rates, start, observed):
    tableau, weights = (0, 0.5, 0.5, 1), np.asarray([1, 2, 2, 1]) / 6

    def states(point):
        (a, b, c, d), state = point
        rows = []
        for _ in range(STEPS):
            k = np.zeros((1, 2))
            for share in tableau:
                x, y = state + share * LENGTH * k[-1]
                k = np.concatenate([k, [[a * x - b * x * y, c * x * y - d * y]]])
            state = state + LENGTH * weights @ k[1:]
            rows.append(state)
        return np.asarray(rows)

    def value(point):
        return np.mean((states(point) - observed) ** 2)

    point = rates, start
    return {"value": value(point), "states": states(point), "gradients": slopes(value, point)}
