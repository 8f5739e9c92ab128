"""From a portable element-wise body to the lines of a scalar loop: the body is called once with numbers that record.

What the body computes becomes one assignment a step, equal steps one. The tables of activations, losses and optimisers are so
written once: their own definitions are what is compiled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from multimlp.backend import Backend, UntranslatableError


class Graph:
    """The steps of one kernel, in order."""

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype
        self.lines: list[str] = []
        self._known: dict[tuple[str, str], Number] = {}

    def input(self, name: str, kind: str = "real", shape: tuple[int, ...] = (), true: bool = False) -> Number:
        """A number that the loop has under this name; a scalar with ``true`` is known not to be zero."""
        return Number(self, name, kind, shape, true)

    def step(self, kind: str, text: str) -> Number:
        """The result of an expression over earlier names."""
        found = self._known.get((kind, text))
        if found is None:
            found = self._known[kind, text] = Number(self, f"t{len(self.lines)}", kind)
            self.lines.append(f"{found.name} = {text}")
        return found

    def real(self, x: Any) -> str:
        """The text of ``x`` as a number of the loop's dtype."""
        if isinstance(x, Number):
            return {"real": x.name, "scalar": f"F({x.name})", "flag": f"F({x.name})"}[x.kind]
        if isinstance(x, (bool, int, float, np.floating)):
            return f"F({_literal(float(x))})"
        raise UntranslatableError(f"it computes with a {type(x).__name__}")

    def text(self) -> str:
        return "\n".join(self.lines)


def _literal(x: float) -> str:
    if x != x:
        return "NAN"
    return {np.inf: "INF", -np.inf: "-INF"}.get(x) or repr(x)


class Number:
    """One element of an array (``real``), a scalar in double precision that all elements share, or a truth value (``flag``)."""

    __array_ufunc__ = None
    __hash__ = None  # type: ignore[assignment]

    def __init__(
        self, graph: Graph, name: str, kind: str, shape: tuple[int, ...] = (), true: bool = False
    ) -> None:
        self.graph, self.name, self.kind, self.shape, self._true = graph, name, kind, shape, true
        self.dtype = "bool" if kind == "flag" else graph.dtype

    def __bool__(self) -> bool:
        if self._true:
            return True
        raise UntranslatableError("it branches on a value")

    def _with(self, other: Any, operator: str, swapped: bool = False) -> Number:
        a, b = (other, self) if swapped else (self, other)
        comparison = operator in ("<", "<=", ">", ">=", "==", "!=")
        if self.kind == "scalar" and (
            isinstance(other, (int, float)) or getattr(other, "kind", "") == "scalar"
        ):
            first, second = (x.name if isinstance(x, Number) else _literal(float(x)) for x in (a, b))
            return self.graph.step("flag" if comparison else "scalar", f"{first} {operator} {second}")
        if (
            operator == "/" and isinstance(b, Number) and b.kind == "scalar"
        ):  # one division for the whole loop
            return a * (1.0 / b)
        real = self.graph.real
        return self.graph.step("flag" if comparison else "real", f"{real(a)} {operator} {real(b)}")

    def __add__(self, other: Any) -> Number:
        return self._with(other, "+")

    def __radd__(self, other: Any) -> Number:
        return self._with(other, "+", True)

    def __sub__(self, other: Any) -> Number:
        return self._with(other, "-")

    def __rsub__(self, other: Any) -> Number:
        return self._with(other, "-", True)

    def __mul__(self, other: Any) -> Number:
        return self._with(other, "*")

    def __rmul__(self, other: Any) -> Number:
        return self._with(other, "*", True)

    def __truediv__(self, other: Any) -> Number:
        return self._with(other, "/")

    def __rtruediv__(self, other: Any) -> Number:
        return self._with(other, "/", True)

    def __neg__(self) -> Number:
        return self.graph.step(self.kind, f"-{self.name}")

    def __lt__(self, other: Any) -> Number:
        return self._with(other, "<")

    def __le__(self, other: Any) -> Number:
        return self._with(other, "<=")

    def __gt__(self, other: Any) -> Number:
        return self._with(other, ">")

    def __ge__(self, other: Any) -> Number:
        return self._with(other, ">=")

    def __eq__(self, other: Any) -> Number:  # type: ignore[override]
        return self._with(other, "==")

    def __ne__(self, other: Any) -> Number:  # type: ignore[override]
        return self._with(other, "!=")


class Reduced:
    """The mean or the sum over the outputs of an example: where the loss of an example ends."""

    def __init__(self, term: Number, mean: bool) -> None:
        self.term, self.mean = term, mean


class _Namespace:
    """What of the array API works element by element."""

    pi, inf, nan = np.pi, np.inf, np.nan
    float32, float64 = "float32", "float64"

    def __getattr__(self, name: str) -> Any:
        if name in ("erf", "erfc") or name.startswith("__"):  # the portable bodies do
            raise AttributeError(name)
        if name in ("exp", "expm1", "log", "log1p", "tanh", "sqrt", "sin", "cos", "floor", "sign"):
            return lambda x: x.graph.step("real", f"{name}({x.graph.real(x)})")
        raise UntranslatableError(f"it calls {name}")

    def where(self, condition: Number, a: Any, b: Any) -> Number:
        real = condition.graph.real
        return condition.graph.step("real", f"{real(a)} if {condition.name} else {real(b)}")

    def full_like(self, x: Number, value: Any) -> Number:
        return x.graph.step("real", x.graph.real(value))

    def zeros_like(self, x: Number) -> Number:
        return self.full_like(x, 0.0)

    def ones_like(self, x: Number) -> Number:
        return self.full_like(x, 1.0)

    def abs(self, x: Number) -> Number:
        return x.graph.step("real", f"abs({x.name})")

    def isnan(self, x: Number) -> Number:
        return x.graph.step("flag", f"{x.name} != {x.name}")

    def isinf(self, x: Number) -> Number:
        return x.graph.step("flag", f"abs({x.name}) == INF")

    def logical_and(self, a: Number, b: Number) -> Number:
        return a.graph.step("flag", f"{a.name} & {b.name}")

    def logical_or(self, a: Number, b: Number) -> Number:
        return a.graph.step("flag", f"{a.name} | {b.name}")

    def logical_not(self, a: Number) -> Number:
        return a.graph.step("flag", f"not {a.name}")

    def astype(self, x: Number, dtype: Any, copy: bool = True) -> Number:
        if dtype != x.graph.dtype:
            raise UntranslatableError(f"it converts to {dtype}")
        return x.graph.step("real", x.graph.real(x)) if x.kind == "flag" else x

    def mean(self, x: Number, axis: Any = None) -> Reduced:
        return self._reduced(x, axis, True)

    def sum(self, x: Number, axis: Any = None) -> Reduced:
        return self._reduced(x, axis, False)

    def _reduced(self, x: Number, axis: Any, mean: bool) -> Reduced:
        if axis != -1:
            raise UntranslatableError("it reduces over another axis than the last")
        return Reduced(x, mean)

    def isdtype(self, dtype: Any, kind: Any) -> bool:
        return "real floating" in kind and dtype != "bool"

    def finfo(self, dtype: Any) -> Any:
        return np.finfo(dtype)


def _gelu(x: Number, approximate: str = "none") -> Any:
    """The portable body takes erfc by three rational functions; in single precision one series will do."""
    return x * _normal(x, "normal") if _is_single_and_exact(x, approximate) else NotImplemented


def _gelu_derivative(x: Number, approximate: str = "none") -> Any:
    if not _is_single_and_exact(x, approximate):
        return NotImplemented
    return _normal(x, "normal") + _normal(x, "normal_slope")


def _is_single_and_exact(x: Number, approximate: str) -> bool:
    return x.dtype == "float32" and approximate == "none"


def _normal(x: Number, name: str) -> Number:
    return x.graph.step("real", f"{name}({x.name})")


class _Recorder(Backend):
    """The owner of numbers that record, so that operations and helpers of portable code take them for arrays."""

    name = "numba-recorder"
    xp = _Namespace()

    def __init__(self) -> None:
        self.kernels = {"gelu": _gelu, "gelu_derivative": _gelu_derivative}

    def dtype_name(self, dtype: Any) -> str:
        return str(dtype)


Number.__multimlp_backend__ = _Recorder()  # type: ignore[attr-defined]


def recorded(call: Callable[[], Any], what: Any) -> Any:
    """What a portable body returns for numbers that record.

    Raises
    ------
    UntranslatableError
        If it cannot be written as a loop over elements.
    """
    try:
        return call()
    except Exception as error:  # the body may be anybody's
        name = getattr(what, "name", None) or getattr(what, "__name__", repr(what))
        raise UntranslatableError(f"{name} is no formula of one element: {error}") from error
