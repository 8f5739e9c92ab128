"""Training loops by hand in JAX: a compiled step called from Python, and a compiled epoch."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.channel import Clock
from benchmarks.jobs import Network, Training

ACTIVATIONS = {
    "relu": jax.nn.relu,
    "gelu": partial(jax.nn.gelu, approximate=False),
    "silu": jax.nn.silu,
}

State = tuple[Any, Any, Any, jax.Array]


def outputs(params: Any, x: jax.Array, activation: Any = jax.nn.relu) -> jax.Array:
    """The network as a user of JAX writes it."""
    for weight, bias in params[:-1]:
        x = activation(x @ weight + bias)
    weight, bias = params[-1]
    return x @ weight + bias


def loss(params: Any, x: jax.Array, y: jax.Array, activation: Any = jax.nn.relu) -> jax.Array:
    """The mean cross-entropy."""
    scores = jax.nn.log_softmax(outputs(params, x, activation))
    return -jnp.mean(jnp.take_along_axis(scores, y[:, None], axis=1))


def _start(network: Any) -> State:
    params = jax.tree.map(jnp.asarray, network)
    zeros = jax.tree.map(jnp.zeros_like, params)
    return params, zeros, jax.tree.map(jnp.zeros_like, params), jnp.zeros((), jnp.int32)


def _adam(state: State, gradients: Any, rate: float) -> State:
    params, m, v, t = state
    t = t + 1
    m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, gradients)
    v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, gradients)
    first, second = 1 - 0.9**t, 1 - 0.999**t
    params = jax.tree.map(
        lambda p, m, v: p - rate * (m / first) / (jnp.sqrt(v / second) + 1e-8), params, m, v
    )
    return params, m, v, t


def _host(params: Any) -> Network:
    return [(np.asarray(w), np.asarray(b)) for w, b in params]


def idiomatic(job: Training, clock: Clock) -> None:
    """A jitted step over batches that Python cuts; the members of an ensemble one after another."""
    case = job.case
    X, Y = case.data()
    states = [_start(network) for network in job.initial()]
    slope = jax.grad(partial(loss, activation=ACTIVATIONS[case.activation]))

    @partial(jax.jit, donate_argnums=0)
    def step(state: State, x: jax.Array, y: jax.Array) -> State:
        return _adam(state, slope(state[0], x, y), job.rate)

    for order in job.orders():
        for member in range(len(states)):
            for start in range(0, case.rows, case.batch):
                taken = order[start : start + case.batch]
                states[member] = step(states[member], X[taken], Y[taken])
        jax.block_until_ready(states)
        if not clock(lambda: [_host(state[0]) for state in states]):
            return


def best(job: Training, clock: Clock) -> None:
    """The whole epoch in `lax.scan`, buffers donated, the members of an ensemble side by side under `vmap`."""
    case = job.case
    X, Y = map(jnp.asarray, case.data())
    members = case.members or 1
    networks = job.initial()
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *networks) if case.members else networks[0]

    def total(params: Any, x: jax.Array, y: jax.Array) -> jax.Array:
        if case.members is None:
            return loss(params, x, y)
        return jnp.sum(jax.vmap(loss, in_axes=(0, None, None))(params, x, y))

    def step(state: State, batch: tuple[jax.Array, jax.Array]) -> tuple[State, jax.Array]:
        value, gradients = jax.value_and_grad(total)(state[0], *batch)
        return _adam(state, gradients, job.rate), value

    @partial(jax.jit, donate_argnums=0)
    def epoch(state: State, order: jax.Array) -> tuple[State, jax.Array]:
        xs = X[order].reshape(case.steps, case.batch, -1)
        return jax.lax.scan(step, state, (xs, Y[order].reshape(case.steps, case.batch)))

    state = _start(stacked)

    def read() -> list[Network]:
        host = _host(state[0])
        return [host] if case.members is None else [[(w[i], b[i]) for w, b in host] for i in range(members)]

    for order in job.orders():
        state, losses = epoch(state, order)
        jax.block_until_ready(losses)
        if not clock(read):
            return
