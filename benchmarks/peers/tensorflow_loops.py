"""Training loops by hand in TensorFlow: a compiled step called from Python, and a compiled epoch.

The idiomatic step is compiled by XLA, which is faster here than a plain graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.channel import Clock
from benchmarks.jobs import Network, Training

ACTIVATIONS = {"relu": tf.nn.relu, "gelu": tf.nn.gelu, "silu": tf.nn.silu}


def outputs(params: Sequence[Any], x: Any, activation: Any = tf.nn.relu) -> Any:
    """The network as a user of TensorFlow writes it: ``params`` are weight, bias, weight, bias, ..."""
    for i in range(0, len(params), 2):
        bias = params[i + 1]
        x = tf.matmul(x, params[i]) + (bias if len(bias.shape) == 1 else bias[:, None, :])
        if i < len(params) - 2:
            x = activation(x)
    return x


def loss(params: Sequence[Any], x: Any, y: Any, activation: Any = tf.nn.relu) -> Any:
    """The mean cross-entropy."""
    scores = outputs(params, x, activation)
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, scores))


def _network(arrays: Sequence[Any]) -> Network:
    host = [array.numpy() for array in arrays]
    return list(zip(host[::2], host[1::2], strict=True))


def idiomatic(job: Training, clock: Clock) -> None:
    """`GradientTape` in a `tf.function` step; the members of an ensemble one after another."""
    case = job.case
    X, Y = case.data()
    members = [_variables(network) for network in job.initial()]
    activation = ACTIVATIONS[case.activation]

    @tf.function(jit_compile=True)
    def step(params: Any, m: Any, v: Any, t: Any, x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            value = loss(params, x, y, activation)
        gradients = tape.gradient(value, params)
        t.assign_add(1.0)
        first, second = 1 - 0.9**t, 1 - 0.999**t
        for p, a, b, g in zip(params, m, v, gradients, strict=True):
            a.assign(0.9 * a + 0.1 * g)
            b.assign(0.999 * b + 0.001 * g * g)
            p.assign_sub(job.rate * (a / first) / (tf.sqrt(b / second) + 1e-8))
        return value

    for order in job.orders():
        for member in members:
            for start in range(0, case.rows, case.batch):
                taken = order[start : start + case.batch]
                value = step(*member, X[taken], Y[taken])
        value.numpy()
        if not clock(lambda: [_network(params) for params, *_ in members]):
            return


def _variables(network: Network) -> tuple[Any, Any, Any, Any]:
    params = [tf.Variable(array) for layer in network for array in layer]
    m, v = ([tf.Variable(tf.zeros_like(p)) for p in params] for _ in range(2))
    return params, m, v, tf.Variable(0.0)


def best(job: Training, clock: Clock) -> None:
    """The whole epoch in one XLA program, the members of an ensemble side by side."""
    case = job.case
    X, Y = map(tf.constant, case.data())
    networks = job.initial()
    stacked = networks[0] if case.members is None else _stack(networks)
    params = [tf.constant(array) for layer in stacked for array in layer]

    def step(params: Any, m: Any, v: Any, t: Any, x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(params)
            scores = outputs(params, x)
            labels = y if case.members is None else tf.broadcast_to(y, (case.members, case.batch))
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, scores)
            value = tf.reduce_sum(losses) / case.batch
        gradients = tape.gradient(value, params)
        t = t + 1.0
        first, second = 1 - 0.9**t, 1 - 0.999**t
        m = [0.9 * a + 0.1 * g for a, g in zip(m, gradients, strict=True)]
        v = [0.999 * a + 0.001 * g * g for a, g in zip(v, gradients, strict=True)]
        moved = zip(params, m, v, strict=True)
        return (
            [p - job.rate * (a / first) / (tf.sqrt(b / second) + 1e-8) for p, a, b in moved],
            m,
            v,
            t,
            value,
        )

    @tf.function(jit_compile=True)
    def epoch(params: Any, m: Any, v: Any, t: Any, order: Any) -> Any:
        xs = tf.reshape(tf.gather(X, order), (case.steps, case.batch, -1))
        ys = tf.reshape(tf.gather(Y, order), (case.steps, case.batch))

        def body(i: Any, params: Any, m: Any, v: Any, t: Any, total: Any) -> Any:
            params, m, v, t, value = step(params, m, v, t, xs[i], ys[i])
            return i + 1, params, m, v, t, total + value

        start = (tf.constant(0), params, m, v, t, tf.constant(0.0))
        return tf.while_loop(lambda i, *_: i < case.steps, body, start, maximum_iterations=case.steps)[1:]

    zeros = [tf.zeros_like(array) for array in params]
    state: Any = (params, zeros, zeros, tf.constant(0.0))

    def read() -> list[Network]:
        host = _network(state[0])
        return (
            [host] if case.members is None else [[(w[i], b[i]) for w, b in host] for i in range(case.members)]
        )

    for order in job.orders():
        *state, total = epoch(*state, tf.constant(order.astype(np.int32)))
        total.numpy()
        if not clock(read):
            return


def _stack(networks: list[Network]) -> Network:
    layers = zip(*networks, strict=True)
    return [(np.stack([w for w, _ in layer]), np.stack([b for _, b in layer])) for layer in layers]
