"""Activations of single numbers, and the special functions they need."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from multimlp.activations import describe, erf, erfc, names
from multimlp.backend import Array, Arrays, Backend, Op, array_namespace
from multimlp.parity.cases import Aspect, Case, Compute, label, slope
from multimlp.parity.formats import Format
from multimlp.parity.points import grid, is_subnormal, points

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
        yield _case(name, "activation", row.function, options, derivative, row.kinks(**options), form, quick)
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


def _with_float_limits(
    function: Callable[[Array], Array], name: str, options: Options
) -> Callable[[Array], Array]:
    """What is stated at -inf for the one activation whose gate does not vanish in exact arithmetic: NaN."""
    if (name, options.get("approximate")) != ("gelu", "tanh"):
        return function

    def stated(x: Array) -> Array:
        xp = array_namespace(x)
        return xp.where(x == -xp.inf, xp.full_like(x, xp.nan), function(x))

    return stated


def _second(first: Compute) -> Compute:
    """The derivative of a derivative."""

    def compute(backend: Backend, arrays: Arrays) -> Array:
        return slope(lambda x: first(backend, (x,)))(backend, arrays)

    return compute


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
    normal = ~is_subnormal(x, form)
    # A second derivative may overflow on its way where the function itself has long been a straight line.
    smooth = normal & np.isfinite(x) & (np.abs(x) <= 1000)
    function = _bound(operation, options)

    def has_kernel(backend: Backend) -> bool:
        return operation.kernel_for(backend) is not None

    def has_second(backend: Backend) -> bool:
        return backend.capabilities.higher_order

    autodiff = slope(function)
    exact = _on_first(_with_float_limits(function, name, options))
    truth = autodiff if derivative is None else _on_first(derivative)
    aspects = [
        Aspect("value", _on_first(function), demanded=normal),
        Aspect("portable", _portable(operation, options), demanded=normal, applies=has_kernel),
        Aspect("autodiff", autodiff, "derivative", "derivative", normal & np.isfinite(x)),
        Aspect(
            "portable autodiff",
            _portable_slope(operation, options),
            "derivative",
            "derivative",
            normal & np.isfinite(x),
            has_kernel,
        ),
        Aspect("second", _second(autodiff), "second", "second", smooth, has_second, eager_only=True),
    ]
    if derivative is not None:
        aspects.insert(2, Aspect("derivative", _on_first(derivative), "derivative", "derivative", normal))
    return Case(
        function=label(name, options),
        family=family,
        inputs=(x,),
        aspects=tuple(aspects),
        references={"value": exact, "derivative": truth, "second": _second(truth)},
        places=x,
        grid=len(grid(form, quick)),
        tolerance=name,
    )
