"""Where the frameworks' own functions disagree, and what multimlp gives on all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from multimlp import activations
from multimlp.backend import Array, Backend, array_namespace, load_backend
from multimlp.parity.cases import slope


def _magnitude(x: Array) -> Array:
    """abs as multimlp's losses and penalties have it."""
    xp = array_namespace(x)
    return xp.where(x == 0, xp.zeros_like(x), xp.where(x < 0, -x, x))


@dataclass(frozen=True)
class Point:
    """One quantity at one place."""

    title: str
    function: str
    quantity: str
    x: float
    dtype: str = "float32"
    here: Callable[[Array], Array] | None = None


POINTS = (
    Point("relu'(0), written as maximum(x, 0)", "relu by maximum", "derivative", 0.0, here=activations.relu),
    Point("relu'(0)", "relu", "derivative", 0.0),
    Point("relu(NaN)", "relu", "value", float("nan")),
    Point("relu'(NaN)", "relu", "derivative", float("nan")),
    Point("abs'(0)", "abs", "derivative", 0.0, here=_magnitude),
    Point("hard_tanh'(1)", "hard_tanh", "derivative", 1.0),
    Point("leaky_relu(-1) with the default slope", "leaky_relu", "value", -1.0),
    Point("leaky_relu'(0)", "leaky_relu", "derivative", 0.0),
    Point("selu'(0)", "selu", "derivative", 0.0),
    Point("elu(-1e-8)", "elu", "value", -1e-8),
    Point("gelu(1) by default", "gelu", "value", 1.0, "float64"),
    Point("gelu(-9), the far tail", "gelu", "value", -9.0, "float64"),
    Point("softplus(20.5) - 20.5", "softplus", "excess", 20.5, "float64"),
    Point("softplus''(20.5)", "softplus", "second", 20.5, "float64"),
    Point("softplus(-15)", "softplus", "value", -15.0),
    Point("relu(1e-40), a subnormal number", "relu", "value", 1e-40),
)


def table(backends: Sequence[str]) -> list[dict[str, Any]]:
    """A row a point: ``{"point": title, "multimlp": value, backend: value or None, ...}``.

    A framework whose own function cannot be asked has None.
    """
    found = {name: load_backend(name).framework_functions() for name in backends}
    rows = []
    for point in POINTS:
        here = point.here or activations.get(point.function)
        row: dict[str, Any] = {
            "point": point.title,
            "multimlp": _evaluate(load_backend("mpmath"), here, point),
        }
        for name in backends:
            function = found[name].get(point.function)
            row[name] = None if function is None else _evaluate(load_backend(name), function, point)
        rows.append(row)
    return rows


def _evaluate(backend: Backend, function: Callable[[Array], Array], point: Point) -> float | None:
    first = slope(function)
    compute: dict[str, Callable[[Array], Array]] = {
        "value": function,
        "excess": lambda x: function(x) - x,
        "derivative": lambda x: first(backend, (x,)),
        "second": lambda x: slope(lambda y: first(backend, (y,)))(backend, (x,)),
    }
    dtype = point.dtype if point.dtype in backend.capabilities.dtypes else "float64"
    try:
        with backend.scope(dtype), np.errstate(all="ignore"):
            x = backend.asarray(np.asarray([point.x]), dtype=dtype)
            return float(backend.to_numpy(compute[point.quantity](x))[0])
    except Exception:
        return None
