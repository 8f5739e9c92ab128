"""What the element-wise functions of the array API standard are: value and derivative of single numbers, in mpmath.

Written from the literature, not from any library's code. A row is a function of ``mp`` and of real numbers; outside of the domain it is
NaN, as the standard has it. Derivatives are those in each argument; None where there is none by nature (results that are no real numbers,
or steps).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

Formula: TypeAlias = Callable[..., Any]
"""``formula(mp, *numbers)``"""


@dataclass(frozen=True)
class Definition:
    """A function of numbers and its derivatives in each; where to look at it besides the usual points."""

    value: Formula
    slopes: tuple[Formula, ...] | None = None
    hard: tuple[float, ...] = ()
    inside: tuple[float, float] = (-float("inf"), float("inf"))
    """Outside of this closed interval it is NaN."""

    @property
    def arguments(self) -> int:
        return len(self.slopes) if self.slopes else 1


def _sign(mp: Any, x: Any) -> Any:
    return mp.sign(x)


_POLES = (1.5707963267948966, 3.141592653589793, 6.283185307179586, 22.0, 355.0, 1e5, 1e10, 1e22)
"""Close to multiples of pi / 2, and large, where the argument must be reduced with many digits."""
_ONE = (1.0, -1.0, 1 - 2.0**-24, 1 + 2.0**-23, 1 - 2.0**-53, 0.9999, 1.0001, 0.99, 1.01)
_EXP = (88.72, 88.73, -87.33, -103.9, 709.78, 709.79, -708.39, -745.1, 2.0**-24, 2.0**-53, -(2.0**-24))

FUNCTIONS: dict[str, Definition] = {
    "abs": Definition(lambda mp, x: abs(x), (lambda mp, x: mp.sign(x) if x else mp.nan,)),
    "acos": Definition(lambda mp, x: mp.acos(x), (lambda mp, x: -1 / mp.sqrt(1 - x * x),), _ONE, (-1, 1)),
    "acosh": Definition(lambda mp, x: mp.acosh(x), (lambda mp, x: 1 / mp.sqrt(x * x - 1),), _ONE, (1, float("inf"))),
    "asin": Definition(lambda mp, x: mp.asin(x), (lambda mp, x: 1 / mp.sqrt(1 - x * x),), _ONE, (-1, 1)),
    "asinh": Definition(lambda mp, x: mp.asinh(x), (lambda mp, x: 1 / mp.sqrt(1 + x * x),), _ONE),
    "atan": Definition(lambda mp, x: mp.atan(x), (lambda mp, x: 1 / (1 + x * x),), _ONE),
    "atanh": Definition(lambda mp, x: mp.atanh(x), (lambda mp, x: 1 / (1 - x * x),), _ONE, (-1, 1)),
    "cos": Definition(lambda mp, x: mp.cos(x), (lambda mp, x: -mp.sin(x),), _POLES),
    "cosh": Definition(lambda mp, x: mp.cosh(x), (lambda mp, x: mp.sinh(x),), _EXP),
    "exp": Definition(lambda mp, x: mp.exp(x), (lambda mp, x: mp.exp(x),), _EXP),
    "expm1": Definition(lambda mp, x: mp.expm1(x), (lambda mp, x: mp.exp(x),), _EXP),
    "log": Definition(lambda mp, x: mp.log(x), (lambda mp, x: 1 / x,), _ONE, (0, float("inf"))),
    "log10": Definition(lambda mp, x: mp.log10(x), (lambda mp, x: 1 / (x * mp.log(10)),), (*_ONE, 10.0, 1000.0), (0, float("inf"))),
    "log1p": Definition(lambda mp, x: mp.log1p(x), (lambda mp, x: 1 / (1 + x),), (*_ONE, *_EXP), (-1, float("inf"))),
    "log2": Definition(lambda mp, x: mp.log(x, 2), (lambda mp, x: 1 / (x * mp.log(2)),), (*_ONE, 8.0, 2.0**-20), (0, float("inf"))),
    "negative": Definition(lambda mp, x: -x, (lambda mp, x: mp.mpf(-1),)),
    "positive": Definition(lambda mp, x: x, (lambda mp, x: mp.mpf(1),)),
    "reciprocal": Definition(lambda mp, x: 1 / x, (lambda mp, x: -1 / x**2,)),
    "sin": Definition(lambda mp, x: mp.sin(x), (lambda mp, x: mp.cos(x),), _POLES),
    "sinh": Definition(lambda mp, x: mp.sinh(x), (lambda mp, x: mp.cosh(x),), _EXP),
    "sqrt": Definition(lambda mp, x: mp.sqrt(x), (lambda mp, x: 1 / (2 * mp.sqrt(x)),), (), (0, float("inf"))),
    "square": Definition(lambda mp, x: x * x, (lambda mp, x: 2 * x,)),
    "tan": Definition(lambda mp, x: mp.tan(x), (lambda mp, x: 1 + mp.tan(x) ** 2,), _POLES),
    "tanh": Definition(lambda mp, x: mp.tanh(x), (lambda mp, x: mp.sech(x) ** 2,), (*_EXP, 9.0, 19.0)),
    "ceil": Definition(lambda mp, x: mp.ceil(x)),
    "floor": Definition(lambda mp, x: mp.floor(x)),
    "round": Definition(lambda mp, x: mp.nint(x), None, (0.5, 1.5, 2.5, -0.5, 0.49999997)),
    "sign": Definition(_sign),
    "trunc": Definition(lambda mp, x: mp.floor(x) if x > 0 else mp.ceil(x)),
    "add": Definition(lambda mp, x, y: x + y, (lambda mp, x, y: mp.mpf(1), lambda mp, x, y: mp.mpf(1))),
    "atan2": Definition(
        lambda mp, x, y: mp.atan2(x, y),
        (lambda mp, x, y: y / (x * x + y * y), lambda mp, x, y: -x / (x * x + y * y)),
    ),
    "divide": Definition(lambda mp, x, y: x / y, (lambda mp, x, y: 1 / y, lambda mp, x, y: -x / y**2)),
    "hypot": Definition(
        lambda mp, x, y: mp.hypot(x, y),
        (lambda mp, x, y: x / mp.hypot(x, y), lambda mp, x, y: y / mp.hypot(x, y)),
    ),
    "logaddexp": Definition(
        lambda mp, x, y: max(x, y) + mp.log1p(mp.exp(-abs(x - y))),
        (lambda mp, x, y: 1 / (1 + mp.exp(y - x)), lambda mp, x, y: 1 / (1 + mp.exp(x - y))),
    ),
    "multiply": Definition(lambda mp, x, y: x * y, (lambda mp, x, y: y, lambda mp, x, y: x)),
    "pow": Definition(
        lambda mp, x, y: mp.power(abs(x), y),
        (lambda mp, x, y: y * mp.power(abs(x), y - 1), lambda mp, x, y: mp.power(abs(x), y) * mp.log(abs(x))),
    ),
    "subtract": Definition(lambda mp, x, y: x - y, (lambda mp, x, y: mp.mpf(1), lambda mp, x, y: mp.mpf(-1))),
}  # fmt: skip
"""By the standard's name. ``pow`` is asked for positive bases alone."""
