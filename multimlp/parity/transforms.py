"""The transforms of functions, from grad to the Laplacian, and loops, branches and own derivatives under them, on one small network."""

from __future__ import annotations

import math
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


@transforms.custom_vjp
def _own_vjp(x: Array) -> Array:
    return activations.softplus(x)


_own_vjp.defvjp(
    lambda x: (activations.softplus(x), (x,)), lambda kept, g: (g * activations.sigmoid(kept[0]),)
)


@transforms.custom_jvp
def _own_jvp(x: Array) -> Array:
    return activations.softplus(x)


_own_jvp.defjvps(lambda t, y, x: t * activations.sigmoid(x))


def _with_own(own: Callable[[Array], Array]) -> Callable[[Array, Array], Array]:
    """The energy of a layer whose activation has a derivative of its author's."""

    def energy(x: Array, w: Array) -> Array:
        xp = array_namespace(x, w)
        y = own(xp.matmul(activations.tanh(x), w))
        return xp.sum(y * y)

    return energy


def _chosen(x: Array, w: Array) -> Array:
    xp = array_namespace(x, w)
    return transforms.cond(xp.sum(x) < 1e9, lambda a: _energy(a, w), lambda a: xp.sum(a), x)


def _repeated(x: Array, w: Array) -> Array:
    xp = array_namespace(x, w)
    return xp.sum(transforms.fori_loop(0, 3, lambda i, carry: activations.tanh(carry + _layer(carry, w)), x))


def _while(x: Array, w: Array) -> Array:
    xp = array_namespace(x, w)
    start = (xp.zeros_like(x[0]), x)
    return transforms.while_loop(
        lambda c: c[0] < 3.0,
        lambda c: (c[0] + xp.ones_like(c[0]), activations.tanh(c[1] + _layer(c[1], w))),
        start,
    )[1]


def _jet(x: Array, w: Array, v: Array) -> Array:
    """The derivatives of the orders 1 to 4 along a curved path, in a row, each over its factorial."""
    xp = array_namespace(x, w, v)
    found = transforms.jet(lambda a: _layer(a, w), (x,), ((v, 0.5 * v, v * v, None),))[1]
    return xp.concat([term / math.factorial(k) for k, term in enumerate(found, 1)])


def _sums_along(f: Callable[[Array, Array], Array], x: Array, w: Array, v: Array) -> Array:
    """The derivatives of the orders 1 to 3 of a number along a line."""
    xp = array_namespace(x, w, v)
    return xp.stack(transforms.jet(lambda a: f(a, w), (x,), ((v, None, None),))[1])


def _sums(x: Array, w: Array) -> Array:
    """Laplacians of each of the layer's outputs."""
    return transforms.laplacian(lambda a: _layer(a, w))(x)


_TRANSFORMED: dict[str, tuple[str, Callable[[Array, Array, Array], Array]]] = {
    "grad": ("derivative", lambda x, w, v: transforms.grad(_energy)(x, w)),
    "grad in the second argument": ("derivative", lambda x, w, v: transforms.grad(_energy, argnums=1)(x, w)),
    "vjp": ("derivative", lambda x, w, v: transforms.vjp(_layer, x, w)[1](v)[0]),
    "jvp": ("derivative", lambda x, w, v: transforms.jvp(lambda a: _layer(a, w), (x,), (v,))[1]),
    "jacobian": ("derivative", lambda x, w, v: transforms.jacobian(_layer)(x, w)),
    "hessian": ("second", lambda x, w, v: transforms.hessian(_energy)(x, w)),
    "hvp": ("second", lambda x, w, v: transforms.hvp(lambda a: _energy(a, w), (x,), (v,))),
    "elementwise_grad": ("derivative", lambda x, w, v: transforms.elementwise_grad(activations.tanh)(x)),
    "jacfwd": ("derivative", lambda x, w, v: transforms.jacfwd(_layer)(x, w)),
    "jacrev": ("derivative", lambda x, w, v: transforms.jacrev(_layer)(x, w)),
    "linearize": ("derivative", lambda x, w, v: transforms.linearize(lambda a: _layer(a, w), x)[1](v)),
    "jet": ("second", lambda x, w, v: _jet(x, w, v)),
    "jet of a function with its own vjp": (
        "second",
        lambda x, w, v: _sums_along(_with_own(_own_vjp), x, w, v),
    ),
    "jet of a function with its own jvp": (
        "second",
        lambda x, w, v: _sums_along(_with_own(_own_jvp), x, w, v),
    ),
    "laplacian": ("second", lambda x, w, v: _sums(x, w)),
    "grad of laplacian": (
        "second",
        lambda x, w, v: transforms.grad(lambda a: array_namespace(a).sum(_sums(a, w)))(x),
    ),
    "grad of custom_vjp": ("derivative", lambda x, w, v: transforms.grad(_with_own(_own_vjp))(x, w)),
    "grad of custom_jvp": ("derivative", lambda x, w, v: transforms.grad(_with_own(_own_jvp))(x, w)),
    "grad of cond": ("derivative", lambda x, w, v: transforms.grad(_chosen)(x, w)),
    "grad of fori_loop": ("derivative", lambda x, w, v: transforms.grad(_repeated)(x, w)),
    "grad of remat": ("derivative", lambda x, w, v: transforms.grad(transforms.remat(_energy))(x, w)),
    "while_loop": ("value", lambda x, w, v: _while(x, w)),
}
"""On vectors: the kind of tolerance, and the function of ``x, w, v``."""

_BATCHED: dict[str, tuple[str, Callable[[Array, Array], Array]]] = {
    "vmap": ("value", lambda x, w: transforms.vmap(_energy, in_axes=(0, None))(x, w)),
    "vmap of laplacian": (
        "second",
        lambda x, w: transforms.vmap(transforms.laplacian(_energy), in_axes=(0, None))(x, w),
    ),
    "vmap of grad": (
        "derivative",
        lambda x, w: transforms.vmap(transforms.grad(_energy), in_axes=(0, None))(x, w),
    ),
    "scan": ("value", _scanned),
}
"""On matrices."""

_DIFFERENTIATING = ("hessian", "hvp")

_WITH_OWN = (
    "grad of custom_vjp",
    "grad of custom_jvp",
    "jet of a function with its own vjp",
    "jet of a function with its own jvp",
)


def cases(form: Format, quick: bool) -> Iterator[Case]:
    random = np.random.default_rng(51)
    x, w, v, batch = (form.round(random.normal(size=s)) for s in ((4,), (4, 4), (4,), (3, 4)))
    for name, (kind, function) in _TRANSFORMED.items():
        yield _case(name, kind, lambda backend, a, f=function: f(*a), (x, w, v))  # type: ignore[misc]
    for name, (kind, batched) in _BATCHED.items():
        yield _case(name, kind, lambda backend, a, f=batched: f(*a), (batch, w))  # type: ignore[misc]


def _case(name: str, kind: str, compute: Compute, inputs: tuple[np.ndarray, ...]) -> Case:
    def applies(backend: Backend) -> bool:
        said = backend.capabilities
        return (said.higher_order or name not in _DIFFERENTIATING) and (
            said.custom_vjp != "none" or name not in _WITH_OWN
        )

    def largest(backend: Backend, arrays: Arrays) -> Array:
        return backend.xp.max(backend.xp.abs(compute(backend, arrays)))

    return Case(
        name, "transform", inputs, (Aspect("value", compute, kind=kind, applies=applies),),
        {"value": compute}, scale={"value": largest},
    )  # fmt: skip
