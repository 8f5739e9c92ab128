"""Activations of single numbers, and the special functions they need."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from multimlp import transforms
from multimlp.activations import describe, erf, erfc, names
from multimlp.backend import Array, Arrays, Backend, Op, array_namespace
from multimlp.parity.cases import Aspect, Case, Compute, Relative, label, slope
from multimlp.parity.formats import Format
from multimlp.parity.points import flushed, grid, is_subnormal, points

Options = Mapping[str, Any]

VARIANTS: dict[str, tuple[Options, ...]] = {
    "gelu": ({"approximate": "tanh"},),
    "leaky_relu": ({"negative_slope": 0.25},),
    "elu": ({"alpha": 0.5},),
    "celu": ({"alpha": 2.0},),
    "threshold": ({"threshold": 0.5, "value": -1.0},),
    "swish": ({"beta": 1.5},),
}
"""Further options at which a function is compared, beside its defaults."""

EITHER_CURVATURE: dict[str, float] = {"elu": 0.0, "selu": 0.0, "celu": 0.0}
"""Where the second derivative jumps and may be that of either side: libraries' own kernels take the right one, `where` the left one."""


_ORDERS = 4

_JUMPS: dict[str, tuple[float, ...]] = {"elu": (0.0,), "selu": (0.0,), "celu": (0.0,)}
"""Where a derivative above the first jumps."""


def functions() -> Iterator[tuple[str, Options]]:
    """The element-wise activations with the options at which they are compared."""
    for name in names():
        if describe(name).elementwise:
            for options in ({}, *VARIANTS.get(name, ())):
                yield name, options


def cases(form: Format, quick: bool) -> Iterator[Case]:
    for name, options in functions():
        row = describe(name)
        derivative = _bound(row.derivative, options)
        kinks = row.kinks(**options)
        yield _case(name, "activation", row.function, options, derivative, kinks, form, quick)
        yield _taylor(name, row.function, options, kinks, form, quick)
    for name, operation in (("erf", erf), ("erfc", erfc)):
        yield _case(name, "special", operation, {}, None, (), form, quick)


def _bound(function: Callable[..., Array], options: Options) -> Callable[[Array], Array]:
    return lambda x: function(x, **options)


def _on_first(function: Callable[[Array], Array]) -> Compute:
    return lambda backend, arrays: function(arrays[0])


def _portable(operation: Op, options: Options) -> Compute:
    return lambda backend, arrays: backend.wrap(operation.portable)(arrays[0], **options)


def _portable_slope(operation: Op, options: Options) -> Compute:
    def compute(backend: Backend, arrays: Arrays) -> Array:
        return slope(lambda x: backend.wrap(operation.portable)(x, **options))(backend, arrays)

    return compute


def _relative(x: np.ndarray, of: str, slope: str) -> Relative:
    """max(|f|, |x f'|): beside the size of f what a rounding of x alone does to it, near a zero of f above all."""

    def sizes(reference: Callable[[str], np.ndarray]) -> np.ndarray:
        with np.errstate(all="ignore"):
            moved: np.ndarray = np.nan_to_num(np.abs(x * reference(slope)), nan=0.0)
            larger: np.ndarray = np.maximum(np.abs(reference(of)), moved)
        return larger

    return sizes


def _second(first: Compute) -> Compute:
    """The derivative of a derivative."""

    def compute(backend: Backend, arrays: Arrays) -> Array:
        return slope(lambda x: first(backend, (x,)))(backend, arrays)

    return compute


def _jet(function: Callable[[Array], Array]) -> Compute:
    """The derivatives of the orders 1 to 4, one after the other."""

    def compute(backend: Backend, arrays: Arrays) -> Array:
        (x,) = arrays
        xp = array_namespace(x)
        path = (xp.ones_like(x), *(None,) * (_ORDERS - 1))
        return xp.concat(transforms.jet(function, (x,), (path,))[1])

    return compute


def _taylor(
    name: str, operation: Op, options: Options, kinks: tuple[float, ...], form: Format, quick: bool
) -> Case:
    """Taylor mode, where no order overflows on its way and none jumps."""
    x = points(form, kinks, quick)
    x = x[np.isfinite(x) & (np.abs(x) <= (8 if form.max < 1e6 else 16)) & ~is_subnormal(x, form)]
    edges = np.asarray((*kinks, *_JUMPS.get(name, ())))
    x = x[np.all(np.abs(x[:, None] - edges) > 1e-3, axis=1)]
    compute = _jet(_bound(operation, options))
    return Case(
        function=label(name, options),
        family="activation",
        inputs=(x,),
        aspects=(Aspect("jet", compute, "jet", "jet", eager_only=True),),
        references={"jet": compute},
        places=np.tile(x, _ORDERS),
        tolerance=name,
    )


def _case(
    name: str,
    family: str,
    operation: Op,
    options: Options,
    derivative: Callable[[Array], Array] | None,
    kinks: tuple[float, ...],
    form: Format,
    quick: bool,
) -> Case:
    x = points(form, kinks, quick)
    # A second derivative may overflow on its way where the function itself has long been a straight line.
    smooth = ~is_subnormal(x, form) & np.isfinite(x) & (np.abs(x) <= 1000)
    smooth &= x != EITHER_CURVATURE.get(name, np.nan)
    function = _bound(operation, options)

    def has_kernel(backend: Backend) -> bool:
        return operation.kernel_for(backend) is not None

    def has_second(backend: Backend) -> bool:
        return backend.capabilities.higher_order

    autodiff = slope(function)
    truth = autodiff if derivative is None else _on_first(derivative)
    aspects = [
        Aspect("value", _on_first(function)),
        Aspect("portable", _portable(operation, options), applies=has_kernel),
        Aspect("autodiff", autodiff, "derivative", "derivative"),
        Aspect("portable autodiff", _portable_slope(operation, options), "derivative", "derivative", applies=has_kernel),
        Aspect("second", _second(autodiff), "second", "second", smooth, has_second, eager_only=True),
    ]  # fmt: skip
    if derivative is not None:
        aspects.insert(2, Aspect("derivative", _on_first(derivative), "derivative", "derivative"))
    return Case(
        function=label(name, options),
        family=family,
        inputs=(x,),
        aspects=tuple(aspects),
        references={"value": _on_first(function), "derivative": truth, "second": _second(truth)},
        places=x,
        grid=len(grid(form, quick)),
        relative={
            "value": _relative(x, "value", "derivative"),
            "derivative": _relative(x, "derivative", "second"),
        },
        also=flushed(x, form),
        tolerance=name,
    )
