"""`Dense` and `MLP`: outputs, and gradients in parameters and inputs, of several depths and widths."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from multimlp.backend import Array, Arrays, Backend
from multimlp.mlp import MLP, Dense, dense
from multimlp.parity.cases import Aspect, Case, Compute, cotangents, flat
from multimlp.parity.formats import Format

ROWS = 5


@dataclass(frozen=True)
class Network:
    """A network to compare: widths from inputs to outputs, and the activation between them."""

    widths: tuple[int, ...]
    activation: str

    @property
    def label(self) -> str:
        return f"mlp {'-'.join(map(str, self.widths))} {self.activation}"


NETWORKS = (
    Network((4, 8, 3), "relu"),
    Network((4, 8, 3), "gelu"),
    Network((6, 16, 8, 4), "tanh"),
    Network((3, 6, 6, 6, 6, 2), "silu"),
    Network((2, 24, 1), "softplus"),
    Network((5, 3), "identity"),
)


def cases(form: Format, quick: bool) -> Iterator[Case]:
    yield _dense(form)
    for network in NETWORKS:
        yield _mlp(network, form)


def _drawn(form: Format, *shapes: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    random = np.random.default_rng(41)
    return tuple(form.round(random.normal(size=shape) / np.sqrt(shape[0])) for shape in shapes)


def _dense(form: Format) -> Case:
    """The affine map, against eps (|x| |W| + |b|): a sum that cancels has no smaller error."""
    given = _drawn(form, (ROWS, 32), (32, 7), (7,), (ROWS, 7))

    def value(backend: Backend, arrays: Arrays) -> Array:
        return dense(*arrays[:3])

    def gradient(backend: Backend, arrays: Arrays) -> Array:
        return flat(cotangents(backend, dense, arrays[:3], arrays[3]))

    def size(backend: Backend, arrays: Arrays) -> Array:
        return dense(*map(backend.xp.abs, arrays[:3]))

    def gradient_size(backend: Backend, arrays: Arrays) -> Array:
        return gradient(backend, tuple(map(backend.xp.abs, arrays)))

    return Case(
        "dense", "model", given,
        (Aspect("value", value), Aspect("autodiff", gradient, "derivative", "derivative")),
        {"value": value, "derivative": gradient}, scale={"value": size, "derivative": gradient_size},
    )  # fmt: skip


def _mlp(network: Network, form: Format) -> Case:
    layers = list(zip(network.widths[:-1], network.widths[1:], strict=True))
    shapes = [shape for fan_in, fan_out in layers for shape in ((fan_in, fan_out), (fan_out,))]
    given = _drawn(form, (ROWS, network.widths[0]), *shapes, (ROWS, network.widths[-1]))
    mlp = MLP(network.widths[0], network.widths[1:-1], network.widths[-1], activation=network.activation)

    def outputs(x: Array, *leaves: Array) -> Array:
        params = tuple(Dense(w, b) for w, b in zip(leaves[::2], leaves[1::2], strict=True))
        return mlp(params, x)

    def gradient(backend: Backend, arrays: Arrays) -> Array:
        return flat(cotangents(backend, outputs, arrays[:-1], arrays[-1]))

    return Case(
        network.label, "model", given,
        (
            Aspect("value", lambda backend, arrays: outputs(*arrays[:-1])),
            Aspect("autodiff", gradient, "derivative", "derivative"),
        ),
        {"value": lambda backend, arrays: outputs(*arrays[:-1]), "derivative": gradient},
        scale={"derivative": _largest(gradient)}, tolerance="mlp",
    )  # fmt: skip


def _largest(compute: Compute) -> Compute:
    """One scale for all elements: sums over the batch cancel, element by element, at random."""

    def size(backend: Backend, arrays: Arrays) -> Array:
        return backend.xp.max(backend.xp.abs(compute(backend, arrays)))

    return size
