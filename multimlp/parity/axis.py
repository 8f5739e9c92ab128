"""Activations that work along an axis: softmax and its kin."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from multimlp.activations import describe, names
from multimlp.backend import Array, Arrays, Backend, Op
from multimlp.parity.cases import Aspect, Case, Compute, cotangents
from multimlp.parity.formats import Format

COLUMNS = 6


def rows(form: Format, quick: bool) -> np.ndarray:
    """Logits of usual size, far apart, equal, tiny, as large as the format allows."""
    random = np.random.default_rng(11)
    usual = random.normal(size=(4 if quick else 16, COLUMNS))
    far = np.sqrt(form.max)
    special = np.asarray(
        [
            np.zeros(COLUMNS),
            np.full(COLUMNS, 3.0),
            np.arange(COLUMNS) * 20.0,
            np.arange(COLUMNS) * -100.0,
            np.where(np.arange(COLUMNS) == 2, far, -far),
            np.arange(COLUMNS) * form.tiny,
            np.linspace(-1e-4, 1e-4, COLUMNS),
        ]
    )
    return form.round(np.concatenate([usual, usual * 20, special]))


def cases(form: Format, quick: bool) -> Iterator[Case]:
    x = rows(form, quick)
    masked = np.where(np.arange(COLUMNS) == 1, -np.inf, x[:2])
    for name in names():
        row = describe(name)
        if not row.elementwise:
            halves = row.halves
            given = x if halves else np.concatenate([x, masked])
            weight = form.round(np.random.default_rng(12).normal(size=(len(given), COLUMNS // (1 + halves))))
            demanded = np.repeat(np.isfinite(given).all(-1), COLUMNS).reshape(given.shape)
            yield Case(
                function=name,
                family="activation",
                inputs=(given, weight),
                aspects=(
                    Aspect("value", _value(row.function)),
                    Aspect("portable", _portable(row.function), applies=_has_kernel(row.function)),
                    Aspect("derivative", _value(row.derivative), "derivative", "derivative"),
                    Aspect("autodiff", _pulled(row.function), "autodiff", "derivative", demanded),
                    Aspect(
                        "portable autodiff", _pulled_portable(row.function), "autodiff", "derivative",
                        demanded, _has_kernel(row.function),
                    ),
                ),
                references={
                    "value": _value(row.function),
                    "derivative": _value(row.derivative),
                    "autodiff": _contracted(row.derivative),
                },
            )  # fmt: skip


def _value(function: Callable[[Array], Array]) -> Compute:
    return lambda backend, arrays: function(arrays[0])


def _portable(operation: Callable[..., Array]) -> Compute:
    return lambda backend, arrays: backend.wrap(operation.portable)(arrays[0])  # type: ignore[attr-defined]


def _pulled(function: Callable[[Array], Array]) -> Compute:
    return lambda backend, arrays: cotangents(backend, function, arrays[:1], arrays[1])[0]


def _pulled_portable(operation: Callable[..., Array]) -> Compute:
    def compute(backend: Backend, arrays: Arrays) -> Array:
        return _pulled(backend.wrap(operation.portable))(backend, arrays)  # type: ignore[attr-defined]

    return compute


def _contracted(jacobian: Callable[[Array], Array]) -> Compute:
    """The cotangent by the closed form: the weights times the matrix of partial derivatives."""

    def compute(backend: Backend, arrays: Arrays) -> Array:
        xp = backend.xp
        return xp.sum(jacobian(arrays[0]) * xp.expand_dims(arrays[1], axis=-1), axis=-2)

    return compute


def _has_kernel(operation: Op) -> Callable[[Backend], bool]:
    return lambda backend: operation.kernel_for(backend) is not None
