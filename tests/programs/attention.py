"""Causal attention with two heads, written for one sequence and mapped over rows of a batch.

Vaswani et al., Attention is all you need (2017), section 3.2.
"""

import math

import numpy as np
from complex_step import slopes

import multimlp as mm

HEADS, WIDTH = 2, 3


def attention(params, x):
    """Shape (length, features) to the same."""
    xp = mm.array_namespace(x, params["query"])
    length = x.shape[0]

    def heads(weight):
        projected = xp.reshape(xp.matmul(x, weight), (length, HEADS, WIDTH))
        return xp.permute_dims(projected, (1, 0, 2))

    query, keys, values = (heads(params[name]) for name in ("query", "key", "value"))
    scores = xp.matmul(query, xp.matrix_transpose(keys)) / math.sqrt(WIDTH)
    seen = xp.tril(xp.ones((length, length), dtype=xp.bool))
    scores = xp.where(seen, scores, xp.full_like(scores, -math.inf))
    mixed = xp.matmul(mm.activations.softmax(scores), values)
    joined = xp.reshape(xp.permute_dims(mixed, (1, 0, 2)), (length, HEADS * WIDTH))
    return xp.matmul(joined, params["out"])


def objective(params, X):
    xp = mm.array_namespace(X, params["query"])
    outputs = mm.vmap(attention, in_axes=(None, 0))(params, X)
    return xp.mean(xp.sum(outputs[:, 1:, :] * X[:, :-1, :], axis=-1)), outputs


def program(params, X):
    (value, outputs), gradients = mm.value_and_grad(objective, argnums=(0, 1), has_aux=True)(params, X)
    return {"value": value, "outputs": outputs, "gradients": gradients}


def inputs():
    generator = np.random.default_rng(11)
    params = {name: generator.normal(size=(4, HEADS * WIDTH)) for name in ("query", "key", "value")}
    params["out"] = generator.normal(size=(HEADS * WIDTH, 4))
    return params, generator.normal(size=(2, 5, 4))


# ---- the truth: sums over what each place sees, complex steps


def expected(params, X):
    def outputs(params, X):
        found = np.zeros(X.shape, dtype=np.result_type(X, params["query"]))
        for b, t, h in np.ndindex(len(X), X.shape[1], HEADS):
            part = slice(h * WIDTH, (h + 1) * WIDTH)
            seen = X[b, : t + 1]
            scores = seen @ params["key"][:, part] @ (X[b, t] @ params["query"][:, part]) / np.sqrt(WIDTH)
            weights = np.exp(scores) / np.sum(np.exp(scores))
            found[b, t] += weights @ seen @ params["value"][:, part] @ params["out"][part]
        return found

    def value(point):
        params, X = point
        return np.mean(np.sum(outputs(params, X)[:, 1:] * X[:, :-1], axis=-1))

    return {
        "value": value((params, X)),
        "outputs": outputs(params, X),
        "gradients": slopes(value, (params, X)),
    }
