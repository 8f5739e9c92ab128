"""The transforms of each library in its own words, under one set of names, and ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.transform_functions import Function

Maker = Callable[[Callable[..., Any]], Callable[..., Any]]


@dataclass(frozen=True)
class Transforms:
    """One side of the comparison.

    Attributes
    ----------
    name : str
    space : callable
        From what is differentiated to the namespace that functions compute with.
    asarray : callable
        From a NumPy array.
    makers : dict of str to callable
        For each transform a function of ``f``: the result is called as ``f`` is, with ``x`` and data; that of ``hvp`` takes x, a
        direction, and data. ``per-example`` maps over the first axis of all data.
    compiled : callable or None
        From a function to a compiled one.
    wait : callable
        Returns its argument when it has been computed.
    """

    name: str
    space: Callable[[Any], Any]
    asarray: Callable[[np.ndarray], Any]
    makers: dict[str, Maker]
    compiled: Maker | None = None
    wait: Callable[[Any], Any] = lambda result: result

    def call(
        self, function: Function, transform: str, arguments: tuple[Any, ...], jit: bool
    ) -> Callable[[], Any]:
        """The transformed function with its arguments, to be called without any."""
        plain = function.vector if transform == "jacobian" else function.scalar
        x, *data = _map(self.asarray, arguments)
        given = (x, _map(lambda leaf: leaf, x), *data) if transform == "hvp" else (x, *data)
        space, wait = self.space, self.wait
        made = self.makers[transform](lambda x, *data: plain(space(x), x, *data))
        if jit:
            if self.compiled is None:
                raise NotImplementedError(f"{self.name} has no compiler")
            made = self.compiled(made)
        return lambda: wait(made(*given))


def _map(function: Callable[[Any], Any], given: Any) -> Any:
    return tuple(_map(function, part) for part in given) if isinstance(given, tuple) else function(given)


def _first(given: Any) -> Any:
    return _first(given[0]) if isinstance(given, tuple) else given


def ours(library: str) -> Transforms:
    """Our transforms on a library."""
    import multimlp as mm

    backend = mm.get_backend(library)

    def hvp(f: Callable[..., Any]) -> Callable[..., Any]:
        return lambda x, v, *data: mm.hvp(lambda x: f(x, *data), (x,), (v,))

    def per_example(f: Callable[..., Any]) -> Callable[..., Any]:
        return lambda x, *data: mm.vmap(mm.grad(f), in_axes=(None, *(0 for _ in data)))(x, *data)

    def wait(result: Any) -> Any:
        backend.synchronize(*mm.tree.leaves(result))
        return result

    return Transforms(
        "multimlp",
        lambda x: mm.array_namespace(_first(x)),
        lambda host: backend.asarray(host, dtype="float64"),
        {
            "grad": mm.grad,
            "value_and_grad": mm.value_and_grad,
            "hvp": hvp,
            "per-example": per_example,
            "jacobian": mm.jacobian,
            "hessian": mm.hessian,
        },
        mm.jit,
        wait,
    )


def _autograd() -> Transforms:
    """HIPS autograd, on NumPy's arrays. It has no `vmap`: gradients of examples are taken one by one."""
    import autograd
    import autograd.numpy as xp

    def per_example(f: Callable[..., Any]) -> Callable[..., Any]:
        gradient = autograd.grad(f)

        def loop(x: Any, *data: Any) -> Any:
            return _stack([gradient(x, *row) for row in zip(*data, strict=True)])

        return loop

    def hvp(f: Callable[..., Any]) -> Callable[..., Any]:
        return lambda x, v, *data: autograd.hessian_vector_product(f)(x, *data, v)

    return Transforms(
        "autograd",
        lambda x: xp,
        np.asarray,
        {
            "grad": autograd.grad,
            "value_and_grad": autograd.value_and_grad,
            "hvp": hvp,
            "per-example": per_example,
            "jacobian": autograd.jacobian,
            "hessian": autograd.hessian,
        },
    )


def _stack(rows: list[Any]) -> Any:
    if isinstance(rows[0], tuple):
        return tuple(_stack([row[i] for row in rows]) for i in range(len(rows[0])))
    return np.stack(rows)


def _jax() -> Transforms:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)

    def hvp(f: Callable[..., Any]) -> Callable[..., Any]:
        return lambda x, v, *data: jax.jvp(lambda x: jax.grad(f)(x, *data), (x,), (v,))[1]

    def per_example(f: Callable[..., Any]) -> Callable[..., Any]:
        return lambda x, *data: jax.vmap(jax.grad(f), in_axes=(None, *(0 for _ in data)))(x, *data)

    return Transforms(
        "jax",
        lambda x: jnp,
        jnp.asarray,
        {
            "grad": jax.grad,
            "value_and_grad": jax.value_and_grad,
            "hvp": hvp,
            "per-example": per_example,
            "jacobian": jax.jacrev,
            "hessian": jax.hessian,
        },
        jax.jit,
        jax.block_until_ready,
    )


def _torch() -> Transforms:
    import array_api_compat.torch as xp
    import torch
    from torch import func

    def value_and_grad(f: Callable[..., Any]) -> Callable[..., Any]:
        both = func.grad_and_value(f)
        return lambda x, *data: both(x, *data)[::-1]

    def hvp(f: Callable[..., Any]) -> Callable[..., Any]:
        return lambda x, v, *data: func.jvp(lambda x: func.grad(f)(x, *data), (x,), (v,))[1]

    def per_example(f: Callable[..., Any]) -> Callable[..., Any]:
        return lambda x, *data: func.vmap(func.grad(f), in_dims=(None, *(0 for _ in data)))(x, *data)

    return Transforms(
        "torch.func",
        lambda x: xp,
        torch.from_numpy,
        {
            "grad": func.grad,
            "value_and_grad": value_and_grad,
            "hvp": hvp,
            "per-example": per_example,
            "jacobian": func.jacrev,
            "hessian": func.hessian,
        },
        torch.compile,
    )


def _tensorflow() -> Transforms:
    import tensorflow as tf

    def reduced(operation: Callable[..., Any]) -> Callable[..., Any]:
        return lambda x, axis=None, keepdims=False: operation(x, axis=axis, keepdims=keepdims)

    def product(a: Any, b: Any) -> Any:
        return tf.linalg.matvec(b, a, transpose_a=True) if len(a.shape) == 1 else _rows_product(tf, a, b)

    xp = SimpleNamespace(
        abs=tf.abs,
        exp=tf.exp,
        log=tf.math.log,
        log1p=tf.math.log1p,
        sin=tf.sin,
        tanh=tf.tanh,
        sum=reduced(tf.reduce_sum),
        max=reduced(tf.reduce_max),
        roll=lambda x, shift: tf.roll(x, shift, axis=0),
        matmul=product,
        transpose=tf.linalg.matrix_transpose,
        where=tf.where,
        linalg=SimpleNamespace(solve=tf.linalg.solve, slogdet=tf.linalg.slogdet),
    )

    def value_and_grad(f: Callable[..., Any]) -> Callable[..., Any]:
        def transformed(x: Any, *data: Any) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(x)
                value = f(x, *data)
            return value, tape.gradient(value, x)

        return transformed

    def grad(f: Callable[..., Any]) -> Callable[..., Any]:
        both = value_and_grad(f)
        return lambda x, *data: both(x, *data)[1]

    def hvp(f: Callable[..., Any]) -> Callable[..., Any]:
        def transformed(x: Any, v: Any, *data: Any) -> Any:
            with tf.autodiff.ForwardAccumulator(x, v) as forward:
                gradient = grad(f)(x, *data)
            return forward.jvp(gradient)

        return transformed

    def per_example(f: Callable[..., Any]) -> Callable[..., Any]:
        gradient = grad(f)
        return lambda x, *data: tf.vectorized_map(lambda row: gradient(x, *row), tuple(data))

    def jacobian(f: Callable[..., Any]) -> Callable[..., Any]:
        def transformed(x: Any, *data: Any) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(x)
                value = f(x, *data)
            return tape.jacobian(value, x)

        return transformed

    return Transforms(
        "tensorflow",
        lambda x: xp,
        tf.convert_to_tensor,
        {
            "grad": grad,
            "value_and_grad": value_and_grad,
            "hvp": hvp,
            "per-example": per_example,
            "jacobian": jacobian,
            "hessian": lambda f: jacobian(grad(f)),
        },
        lambda f: tf.function(f, jit_compile=True),
    )


def _rows_product(tf: Any, a: Any, b: Any) -> Any:
    return tf.linalg.matvec(a, b) if len(b.shape) == 1 else tf.matmul(a, b)


PEERS: dict[str, Callable[[], Transforms]] = {
    "numpy": _autograd,
    "jax": _jax,
    "torch": _torch,
    "tensorflow": _tensorflow,
}
"""By library: who is compared with us there."""
