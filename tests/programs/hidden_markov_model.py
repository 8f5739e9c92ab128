"""A hidden Markov model: the likelihood by the forward recursion in a `scan`; its gradients are expected counts.

Rabiner, A tutorial on hidden Markov models (1989); Eisner, Inside-outside and forward-backward algorithms are just backprop (2016).
"""

import itertools

import numpy as np

import multimlp as mm


def log_sum_exp(x, axis):
    xp = mm.array_namespace(x)
    largest = mm.stop_gradient(xp.max(x, axis=axis, keepdims=True))
    return xp.squeeze(xp.log(xp.sum(xp.exp(x - largest), axis=axis, keepdims=True)) + largest, axis=axis)


def log_likelihood(params, seen):
    """``params``: logarithms of the probabilities of first states, moves and signs."""
    xp = mm.array_namespace(params["first"], seen)

    def step(alpha, sign):
        moved = log_sum_exp(xp.expand_dims(alpha, axis=1) + params["move"], axis=0)
        emitted = xp.take(params["sign"], xp.reshape(sign, (1,)), axis=1)[:, 0]
        alpha = moved + emitted
        return alpha, alpha

    first = params["first"] + xp.take(params["sign"], seen[:1], axis=1)[:, 0]
    last, _ = mm.scan(step, first, seen[1:])
    return log_sum_exp(last, axis=0)


def program(params, seen):
    value, counts = mm.value_and_grad(log_likelihood)(params, seen)
    return {"value": value, "counts": counts}


def inputs():
    generator = np.random.default_rng(18)
    shapes = {"first": (3,), "move": (3, 3), "sign": (3, 2)}
    chances = {name: generator.uniform(0.2, 1, shape) for name, shape in shapes.items()}
    params = {name: np.log(p / np.sum(p, axis=-1, keepdims=True)) for name, p in chances.items()}
    return params, np.asarray([0, 1, 1, 0, 1])


# ---- the truth: every one of the 243 paths, its probability and what it counts


def expected(params, seen):
    total = 0.0
    counts = {name: np.zeros_like(p) for name, p in params.items()}
    for path in itertools.product(range(3), repeat=len(seen)):
        own = {name: np.zeros_like(p) for name, p in params.items()}
        own["first"][path[0]] = 1
        np.add.at(own["move"], (path[:-1], path[1:]), 1)
        np.add.at(own["sign"], (path, seen), 1)
        p = np.exp(sum(np.sum(own[name] * params[name]) for name in params))
        total += p
        for name in params:
            counts[name] += p * own[name]
    return {"value": np.log(total), "counts": {name: count / total for name, count in counts.items()}}
