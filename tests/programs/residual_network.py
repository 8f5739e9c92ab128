"""Words to classes: an embedding (`take`), a residual block with layer normalisation, a mean over words, cross-entropy.

He et al., Deep residual learning (2016); Ba, Kiros, Hinton, Layer normalization (2016); Xiong et al., On layer normalization in
the transformer architecture (2020), for the norm before the block.
"""

import numpy as np
from complex_step import slopes

import multimlp as mm

EPSILON = 1e-5


def layer_norm(x, scale, shift):
    xp = mm.array_namespace(x, scale)
    centred = x - xp.mean(x, axis=-1, keepdims=True)
    variance = xp.mean(centred * centred, axis=-1, keepdims=True)
    return centred / xp.sqrt(variance + EPSILON) * scale + shift


def objective(params, words, labels):
    xp = mm.array_namespace(words, params["embedding"])
    n, length = words.shape
    flat = xp.take(params["embedding"], xp.reshape(words, (n * length,)), axis=0)
    x = xp.reshape(flat, (n, length, params["embedding"].shape[1]))
    normed = layer_norm(x, params["scale"], params["shift"])
    x = x + xp.matmul(mm.activations.silu(xp.matmul(normed, params["up"])), params["down"])
    logits = xp.matmul(xp.mean(x, axis=1), params["head"])
    return mm.losses.reduce(mm.losses.cross_entropy(logits, labels)), logits


def program(params, words, labels):
    (value, logits), gradient = mm.value_and_grad(objective, has_aux=True)(params, words, labels)
    return {"value": value, "logits": logits, "gradient": gradient}


def inputs():
    generator = np.random.default_rng(6)
    shapes = {"embedding": (7, 4), "up": (4, 5), "down": (5, 4), "head": (4, 3), "scale": (4,), "shift": (4,)}
    params = {name: generator.normal(size=shape) for name, shape in shapes.items()}
    return params, generator.integers(0, 7, (3, 5)), np.asarray([2, 0, 1])


# ---- the truth: a second implementation, complex steps


def expected(params, words, labels):
    def logits(p):
        x = p["embedding"][words]
        deviation = np.sqrt(np.mean(x**2, -1, keepdims=True) - np.mean(x, -1, keepdims=True) ** 2 + EPSILON)
        a = ((x - np.mean(x, -1, keepdims=True)) / deviation * p["scale"] + p["shift"]) @ p["up"]
        return np.mean(x + (a / (1 + np.exp(-a))) @ p["down"], axis=1) @ p["head"]

    def value(p):
        scores = logits(p)
        return np.mean(np.log(np.sum(np.exp(scores), axis=-1)) - scores[np.arange(3), labels])

    return {"value": value(params), "logits": logits(params), "gradient": slopes(value, params)}
