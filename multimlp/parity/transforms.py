"""The transforms of functions: grad, vjp, jvp, jacobian, hessian, hvp, vmap, scan, on one small network."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from multimlp import activations, transforms
from multimlp.backend import Array, Arrays, Backend, array_namespace
from multimlp.parity.cases import Aspect, Case, Compute
from multimlp.parity.formats import Format


def _layer(x: Array, w: Array) -> Array:
    """A vector-valued function of a vector, with curvature."""
    xp = array_namespace(x, w)
    return activations.softplus(xp.matmul(activations.tanh(x), w))


def _energy(x: Array, w: Array) -> Array:
    xp = array_namespace(x, w)
    y = _layer(x, w)
    return xp.sum(y * y)


def _scanned(x: Array, w: Array) -> Array:
    return transforms.scan(lambda carry, row: (_layer(carry, w) + row,) * 2, x[0, ...], x)[1]


_TRANSFORMED: dict[str, tuple[str, Callable[[Array, Array, Array], Array]]] = {
    "grad": ("derivative", lambda x, w, v: transforms.grad(_energy)(x, w)),
    "grad in the second argument": ("derivative", lambda x, w, v: transforms.grad(_energy, argnums=1)(x, w)),
    "vjp": ("derivative", lambda x, w, v: transforms.vjp(_layer, x, w)[1](v)[0]),
    "jvp": ("derivative", lambda x, w, v: transforms.jvp(lambda a: _layer(a, w), (x,), (v,))[1]),
    "jacobian": ("derivative", lambda x, w, v: transforms.jacobian(_layer)(x, w)),
    "hessian": ("second", lambda x, w, v: transforms.hessian(_energy)(x, w)),
    "hvp": ("second", lambda x, w, v: transforms.hvp(lambda a: _energy(a, w), (x,), (v,))),
    "elementwise_grad": ("derivative", lambda x, w, v: transforms.elementwise_grad(activations.tanh)(x)),
}
"""On vectors: the kind of tolerance, and the function of ``x, w, v``."""

_BATCHED: dict[str, tuple[str, Callable[[Array, Array], Array]]] = {
    "vmap": ("value", lambda x, w: transforms.vmap(_energy, in_axes=(0, None))(x, w)),
    "vmap of grad": (
        "derivative",
        lambda x, w: transforms.vmap(transforms.grad(_energy), in_axes=(0, None))(x, w),
    ),
    "scan": ("value", _scanned),
}
"""On matrices."""

_DIFFERENTIATING = ("hessian", "hvp")


def cases(form: Format, quick: bool) -> Iterator[Case]:
    random = np.random.default_rng(51)
    x, w, v, batch = (form.round(random.normal(size=s)) for s in ((4,), (4, 4), (4,), (3, 4)))
    for name, (kind, function) in _TRANSFORMED.items():
        yield _case(name, kind, lambda backend, a, f=function: f(*a), (x, w, v))  # type: ignore[misc]
    for name, (kind, batched) in _BATCHED.items():
        yield _case(name, kind, lambda backend, a, f=batched: f(*a), (batch, w))  # type: ignore[misc]


def _case(name: str, kind: str, compute: Compute, inputs: tuple[np.ndarray, ...]) -> Case:
    def applies(backend: Backend) -> bool:
        return backend.capabilities.higher_order or name not in _DIFFERENTIATING

    def largest(backend: Backend, arrays: Arrays) -> Array:
        return backend.xp.max(backend.xp.abs(compute(backend, arrays)))

    return Case(
        name, "transform", inputs, (Aspect("value", compute, kind=kind, applies=applies),),
        {"value": compute}, scale={"value": largest}, tolerance="transform",
    )  # fmt: skip
