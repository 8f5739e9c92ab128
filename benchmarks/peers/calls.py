"""Calls as users of each library write them: a forward pass, an activation, a derivative; and a plain copy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.jobs import Call, flatten

Prepared = tuple[Callable[[], Any], Callable[[Any], np.ndarray]]


def numpy(job: Call) -> Prepared:
    """NumPy, and SciPy for what it lacks."""
    from scipy.special import erf, expit

    x = job.inputs()
    if job.kind == "inference":
        (w1, b1), (w2, b2) = job.network()
        return lambda: np.maximum(x @ w1 + b1, 0) @ w2 + b2, np.asarray
    if job.kind == "transform":
        return _numpy_gradient(job)
    functions: dict[str, Callable[[], np.ndarray]] = {
        "relu": lambda: np.maximum(x, 0),
        "sigmoid": lambda: expit(x),
        "tanh": lambda: np.tanh(x),
        "gelu": lambda: x * (1 + erf(x * np.float32(0.5**0.5))) * np.float32(0.5),
        "silu": lambda: x * expit(x),
        "softplus": lambda: np.logaddexp(x, np.float32(0)),
    }
    return functions[job.name], np.asarray


def _numpy_gradient(job: Call) -> Prepared:
    """The gradient written out by hand for this network."""
    x, y = job.inputs(), job.labels()
    (w1, b1), (w2, b2) = job.network()
    rows = np.arange(len(y))

    def gradient() -> list[np.ndarray]:
        hidden = np.tanh(x @ w1 + b1)
        z = hidden @ w2 + b2
        e = np.exp(z - z.max(axis=1, keepdims=True))
        delta = e / e.sum(axis=1, keepdims=True)
        delta[rows, y] -= 1
        delta /= len(y)
        inner = (delta @ w2.T) * (1 - hidden * hidden)
        return [x.T @ inner, inner.sum(axis=0), hidden.T @ delta, delta.sum(axis=0)]

    return gradient, flatten


def copy(backend: str, job: Call) -> Prepared:
    """A copy of the inputs: what the memory allows."""
    import multimlp as mm

    adapter = mm.get_backend(backend)
    x = adapter.asarray(job.inputs(), dtype="float32", device=job.device)
    function = {"jax": lambda: adapter.xp.copy(x), "tensorflow": lambda: _tensorflow_copy(x)}.get(
        backend, lambda: adapter.xp.asarray(x, copy=True)
    )

    def compute() -> Any:
        result = function()
        adapter.synchronize(result)
        return result

    return compute, adapter.to_numpy


def _tensorflow_copy(x: Any) -> Any:
    import tensorflow as tf

    return tf.raw_ops.DeepCopy(x=x)


def torch(job: Call) -> Prepared:
    """PyTorch, eager."""
    import torch

    from benchmarks.peers.torch_loops import sequential

    device = torch.device(job.device or "cpu")
    x = torch.from_numpy(job.inputs()).to(device)

    def host(result: Any) -> np.ndarray:
        leaves = result if isinstance(result, (list, tuple)) else [result]
        return flatten([leaf.detach().cpu().numpy() for leaf in leaves])

    def synchronized(function: Callable[[], Any]) -> Callable[[], Any]:
        if device.type != "cuda":
            return function

        def compute() -> Any:
            result = function()
            torch.cuda.synchronize(device)
            return result

        return compute

    if job.kind == "inference":
        model = sequential(job.network(), torch.nn.ReLU, device)

        def forward() -> Any:
            with torch.inference_mode():
                return model(x)

        return synchronized(forward), host
    if job.kind == "activation":
        functional = torch.nn.functional
        functions = {"sigmoid": torch.sigmoid, "tanh": torch.tanh}
        function = functions.get(job.name) or getattr(functional, job.name)
        return synchronized(lambda: function(x)), host
    return synchronized(_torch_transform(job, x)), host


def _torch_transform(job: Call, x: Any) -> Callable[[], Any]:
    import torch
    from torch.func import grad, hessian, jacrev, jvp, vmap

    y = torch.from_numpy(job.labels()).long().to(x.device)
    params = tuple(torch.from_numpy(a.copy()).to(x.device) for layer in job.network() for a in layer)

    def outputs(params: Any, x: Any) -> Any:
        w1, b1, w2, b2 = params
        return torch.tanh(x @ w1 + b1) @ w2 + b2

    def loss(params: Any, x: Any, y: Any) -> Any:
        return torch.nn.functional.cross_entropy(outputs(params, x), y)

    def one(params: Any, x: Any, y: Any) -> Any:
        return grad(loss)(params, x[None], y[None])[0]

    transforms: dict[str, Callable[[], Any]] = {
        "grad": lambda: grad(loss)(params, x, y),
        "hvp": lambda: jvp(lambda p: grad(loss)(p, x, y), (params,), (params,))[1],
        "per-example": lambda: vmap(one, in_dims=(None, 0, 0))(params, x, y),
        "jacobian": lambda: jacrev(lambda row: outputs(params, row))(x[0]),
        "hessian": lambda: hessian(lambda row: outputs(params, row).sum())(x[0]),
    }
    return transforms[job.name]


def jax(job: Call) -> Prepared:
    """JAX, jitted."""
    import jax
    import jax.numpy as jnp

    from benchmarks.peers.jax_loops import loss, outputs

    x, y, params = (
        jnp.asarray(job.inputs()),
        jnp.asarray(job.labels()),
        jax.tree.map(jnp.asarray, job.network()),
    )

    def smooth(params: Any, x: Any, y: Any) -> Any:
        return loss(params, x, y, jnp.tanh)

    def one(params: Any, x: Any, y: Any) -> Any:
        return jax.grad(smooth)(params, x[None], y[None])[0][0]

    def row(params: Any, x: Any) -> Any:
        return outputs(params, x, jnp.tanh)

    functions: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
        "forward": (outputs, (params, x)),
        "grad": (jax.grad(smooth), (params, x, y)),
        "hvp": (lambda p, x, y: jax.jvp(lambda q: jax.grad(smooth)(q, x, y), (p,), (p,))[1], (params, x, y)),
        "per-example": (jax.vmap(one, in_axes=(None, 0, 0)), (params, x, y)),
        "jacobian": (lambda p, x: jax.jacrev(lambda r: row(p, r))(x), (params, x[0])),
        "hessian": (lambda p, x: jax.hessian(lambda r: row(p, r).sum())(x), (params, x[0])),
        "gelu": (lambda x: jax.nn.gelu(x, approximate=False), (x,)),
    }
    found = functions.get(job.name)
    function, arguments = found if found is not None else (getattr(jax.nn, job.name), (x,))
    compiled = jax.jit(function)
    return lambda: jax.block_until_ready(compiled(*arguments)), lambda r: flatten(
        [np.asarray(leaf) for leaf in jax.tree.leaves(r)]
    )


def tensorflow(job: Call) -> Prepared:
    """TensorFlow, in a `tf.function` compiled by XLA; activations eager."""
    import tensorflow as tf

    from benchmarks.peers.tensorflow_loops import loss, outputs

    x, y = tf.constant(job.inputs()), tf.constant(job.labels())
    params = [tf.constant(a) for layer in job.network() for a in layer]

    def host(result: Any) -> np.ndarray:
        return flatten([leaf.numpy() for leaf in (result if isinstance(result, (list, tuple)) else [result])])

    def wait(result: Any) -> Any:
        if tf.config.list_logical_devices("GPU"):
            tf.test.experimental.sync_devices()
        return result

    if job.kind == "activation":
        names = {"gelu": tf.nn.gelu, "silu": tf.nn.silu, "softplus": tf.math.softplus}
        function = names.get(job.name) or getattr(tf.nn, job.name)
        return lambda: wait(function(x)), host

    def gradient(params: Any, x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(params)
            value = loss(params, x, y, tf.tanh)
        return tape.gradient(value, params)

    def hvp(params: Any, x: Any, y: Any) -> Any:
        with tf.autodiff.ForwardAccumulator(params, params) as accumulator:
            gradients = gradient(params, x, y)
        return accumulator.jvp(gradients)

    def per_example(params: Any, x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(params)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, outputs(params, x, tf.tanh))
        return tape.jacobian(losses, params[0])

    def jacobian(params: Any, x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            scores = outputs(params, x[None], tf.tanh)[0]
        return tape.jacobian(scores, x)

    def hessian(params: Any, x: Any, y: Any) -> Any:
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as tape:
                tape.watch(x)
                total = tf.reduce_sum(outputs(params, x[None], tf.tanh))
            slope = tape.gradient(total, x)
        return outer.jacobian(slope, x)

    functions: dict[str, Callable[..., Any]] = {
        "forward": lambda params, x, y: outputs(params, x),
        "grad": gradient,
        "hvp": hvp,
        "per-example": per_example,
        "jacobian": jacobian,
        "hessian": hessian,
    }
    compiled = tf.function(functions[job.name], jit_compile=True)
    argument = x[0] if job.name in ("jacobian", "hessian") else x
    return lambda: wait(compiled(params, argument, y)), host
