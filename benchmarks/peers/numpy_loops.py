"""Training loops by hand in NumPy and, where the arrays live on a GPU, in CuPy.

The idiomatic loop is the one of the textbooks: new arrays in every line. The best that is known keeps all
parameters in one buffer, writes every result into workspaces made once, and updates the buffer in blocks that
stay in the cache.
"""

from __future__ import annotations

import importlib
from typing import Any

from benchmarks.channel import Clock
from benchmarks.jobs import Network, Training

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
_BLOCK = 1 << 15


def idiomatic(library: str, job: Training, clock: Clock) -> None:
    """A loop as in a textbook; the members of an ensemble one after another."""
    np = importlib.import_module(library)
    X, Y = map(np.asarray, job.case.data())
    members = [_Textbook(np, network, job) for network in job.initial()]
    batch, rows = job.case.batch, job.case.rows
    for order in job.orders():
        shuffled = np.asarray(order)
        for member in members:
            for start in range(0, rows, batch):
                taken = shuffled[start : start + batch]
                member.step(X[taken], Y[taken])
        if not clock(lambda: [member.read() for member in members]):
            return


class _Textbook:
    def __init__(self, np: Any, network: Network, job: Training) -> None:
        self.np, self.rate = np, job.rate
        self.params = [np.asarray(array) for layer in network for array in layer]
        self.m = [np.zeros_like(p) for p in self.params]
        self.v = [np.zeros_like(p) for p in self.params]
        self.t = 0

    def step(self, x: Any, y: Any) -> None:
        np, params = self.np, self.params
        count = len(params) // 2
        layers = [x]
        for i in range(count):
            z = layers[-1] @ params[2 * i] + params[2 * i + 1]
            layers.append(np.maximum(z, 0) if i < count - 1 else z)
        exponentials = np.exp(layers[-1] - layers[-1].max(axis=1, keepdims=True))
        delta = exponentials / exponentials.sum(axis=1, keepdims=True)
        delta[np.arange(len(y)), y] -= 1
        delta /= len(y)
        gradients: list[Any] = []
        for i in range(count - 1, -1, -1):
            gradients = [layers[i].T @ delta, delta.sum(axis=0), *gradients]
            if i:
                delta = (delta @ params[2 * i].T) * (layers[i] > 0)
        self.t += 1
        first, second = 1 - BETA1**self.t, 1 - BETA2**self.t
        for p, g, m, v in zip(params, gradients, self.m, self.v, strict=True):
            m *= BETA1
            m += (1 - BETA1) * g
            v *= BETA2
            v += (1 - BETA2) * g * g
            p -= self.rate * (m / first) / (np.sqrt(v / second) + EPSILON)

    def read(self) -> Network:
        host = [p.get() if hasattr(p, "get") else p for p in self.params]
        return list(zip(host[::2], host[1::2], strict=True))


def best(job: Training, clock: Clock) -> None:
    """Flat buffers, no allocation, no derivative of the first layer's inputs."""
    import numpy as np

    case = job.case
    X, Y = case.data()
    (network,) = job.initial()
    size = sum(w.size + b.size for w, b in network)
    flat, grad, m, v, spare = (np.zeros(size, np.float32) for _ in range(5))
    params, gradients, at = [], [], 0
    for w, b in network:
        middle, end = at + w.size, at + w.size + b.size
        flat[at:middle], flat[middle:end] = w.ravel(), b
        params.append((flat[at:middle].reshape(w.shape), flat[middle:end]))
        gradients.append((grad[at:middle].reshape(w.shape), grad[middle:end]))
        at = end
    batch, last = case.batch, len(network)
    layers = [np.empty((batch, width), np.float32) for width in case.sizes]
    deltas = [np.empty((batch, width), np.float32) for width in case.sizes]
    masks = [np.empty((batch, width), bool) for width in case.sizes]
    rows, ones = np.arange(batch), np.ones(batch, np.float32)
    shuffled_x, shuffled_y = np.empty_like(X), np.empty_like(Y)
    number = np.float32
    t = 0
    for order in job.orders():
        np.take(X, order, axis=0, out=shuffled_x, mode="clip")
        np.take(Y, order, axis=0, out=shuffled_y, mode="clip")
        for start in range(0, case.rows, batch):
            layers[0] = shuffled_x[start : start + batch]
            for i, (weight, bias) in enumerate(params):
                z = layers[i + 1]
                np.matmul(layers[i], weight, out=z)
                z += bias
                if i < last - 1:
                    np.maximum(z, 0, out=z)
            z = layers[last]
            z -= z.max(axis=1, keepdims=True)
            np.exp(z, out=z)
            z /= z.sum(axis=1, keepdims=True)
            z[rows, shuffled_y[start : start + batch]] -= 1
            z *= number(1 / batch)
            delta = z
            for i in range(last - 1, -1, -1):
                np.matmul(layers[i].T, delta, out=gradients[i][0])
                np.matmul(ones, delta, out=gradients[i][1])
                if i:
                    np.matmul(delta, params[i][0].T, out=deltas[i])
                    np.greater(layers[i], 0, out=masks[i])
                    deltas[i] *= masks[i]
                    delta = deltas[i]
            t += 1
            second = float(np.sqrt(1 - BETA2**t))
            rate, epsilon = number(job.rate * second / (1 - BETA1**t)), number(EPSILON * second)
            for a in range(0, size, _BLOCK):
                g, mm, vv, work = (
                    grad[a : a + _BLOCK],
                    m[a : a + _BLOCK],
                    v[a : a + _BLOCK],
                    spare[a : a + _BLOCK],
                )
                mm *= number(BETA1)
                np.multiply(g, number(1 - BETA1), out=work)
                mm += work
                vv *= number(BETA2)
                np.multiply(g, g, out=work)
                work *= number(1 - BETA2)
                vv += work
                np.sqrt(vv, out=work)
                work += epsilon
                np.divide(mm, work, out=work)
                work *= rate
                flat[a : a + _BLOCK] -= work
        if not clock(lambda: [[(w.copy(), b.copy()) for w, b in params]]):
            return
