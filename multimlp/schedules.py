"""Learning rates that change with the step: functions of the number of updates made so far, 0 at the first.

A schedule is called with a Python integer (and returns a float) or with an integer array of shape () (and
returns a floating array of shape ()); the latter may be traced, so a schedule runs inside compiled loops.

Examples
--------
>>> from multimlp import schedules
>>> schedule = schedules.warm_up(steps=2, then=schedules.cosine(0.1, steps=4))
>>> [round(schedule(t), 4) for t in range(7)]
[0.05, 0.1, 0.1, 0.0854, 0.05, 0.0146, 0.0]
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from multimlp._naming import Table, check_number, unpack_spec
from multimlp.backend import Array, Namespace, array_namespace, is_array, owner
from multimlp.errors import InputError

Function: TypeAlias = Callable[..., Array]


@dataclass(frozen=True)
class Schedule:
    """A named schedule with its options. Made by the functions of this module."""

    name: str
    function: Function = field(repr=False)
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __call__(self, step: int | Array, dtype: Any = None) -> Any:
        """The rate for a step; ``dtype`` (default: the library's float32) is the result's for an array."""
        if is_array(step) and not isinstance(step, np.generic):
            xp = array_namespace(step)
            kind = xp.float32 if dtype is None else dtype
            backend = owner(step)
            with backend.scope(backend.dtype_name(kind)):
                return self.function(xp, xp.astype(step, kind), **self.options)
        time = np.asarray(float(step))
        return float(self.function(array_namespace(time), time, **self.options))

    @property
    def is_known(self) -> bool:
        """Whether the function of its name makes it: not so for one of your own, whatever it is called."""
        if self.name not in SCHEDULES.names():
            return False
        try:
            return SCHEDULES.find(self.name)(**self.options).function is self.function
        except (TypeError, InputError):
            return False

    def to_spec(self) -> dict[str, Any]:
        """The schedule as plain values, from which `get` makes it again."""
        if not self.is_known:
            raise InputError(f"schedule: the callable {self.name!r} cannot be written down; use a named one")
        plain = {k: v.to_spec() if isinstance(v, Schedule) else v for k, v in self.options.items()}
        return {"name": self.name, "options": plain}

    def __reduce__(self) -> tuple[Any, ...]:
        return get, (self.to_spec(),)


SCHEDULES: Table[Callable[..., Schedule]] = Table("schedule")


def _power(xp: Namespace, base: float, exponent: Array) -> Array:
    return xp.pow(xp.full_like(exponent, base), exponent)


def _limited(xp: Namespace, time: Array, limit: float) -> Array:
    """min(time, limit)"""
    return xp.where(time < limit, time, xp.full_like(time, limit))


def _half_cosine(xp: Namespace, start: float, end: float, fraction: Array) -> Array:
    return end + (start - end) * (0.5 * (1 + xp.cos(math.pi * fraction)))


def _rate(where: str, value: object) -> float:
    return check_number(where, value, low=0)


def _count(where: str, value: object) -> int:
    number = check_number(where, value, low=1)
    if number != int(number):
        raise InputError(f"{where}: expected a whole number of steps, got {value!r}")
    return int(number)


def _constant(xp: Namespace, t: Array, value: float) -> Array:
    return xp.full_like(t, value)


def constant(value: float) -> Schedule:
    """``value`` at every step."""
    return Schedule("constant", _constant, {"value": _rate("value", value)})


def _step(xp: Namespace, t: Array, initial: float, every: int, factor: float) -> Array:
    return initial * _power(xp, factor, xp.floor(t / every))


def step(initial: float, every: int, factor: float = 0.1) -> Schedule:
    """``initial * factor^floor(t / every)``; torch's StepLR."""
    options = {
        "initial": _rate("initial", initial),
        "every": _count("every", every),
        "factor": check_number("factor", factor, low=0, low_open=True),
    }
    return Schedule("step", _step, options)


def _exponential(xp: Namespace, t: Array, initial: float, rate: float, every: int) -> Array:
    return initial * _power(xp, rate, t / every)


def exponential(initial: float, rate: float, every: int = 1) -> Schedule:
    """``initial * rate^(t / every)``; torch's ExponentialLR for ``every = 1``."""
    options = {
        "initial": _rate("initial", initial),
        "rate": check_number("rate", rate, low=0, low_open=True),
        "every": _count("every", every),
    }
    return Schedule("exponential", _exponential, options)


def _cosine(xp: Namespace, t: Array, initial: float, steps: int, floor: float) -> Array:
    return _half_cosine(xp, initial, floor, _limited(xp, t, steps) / steps)


def cosine(initial: float, steps: int, floor: float = 0.0) -> Schedule:
    """Half a cosine from ``initial`` down to ``floor`` at step ``steps``, ``floor`` from then on.

    ``floor + (initial - floor) (1 + cos(pi min(t, steps) / steps)) / 2`` (Loshchilov, Hutter,
    arXiv:1608.03983, without restarts).
    """
    options = {
        "initial": _rate("initial", initial),
        "steps": _count("steps", steps),
        "floor": _rate("floor", floor),
    }
    return Schedule("cosine", _cosine, options)


def _warm_up(xp: Namespace, t: Array, steps: int, then: Schedule) -> Array:
    zero = xp.zeros_like(t)
    after = t - steps
    peak = then.function(xp, zero, **then.options)
    rest = then.function(xp, xp.where(after > 0, after, zero), **then.options)
    return xp.where(t < steps, peak * ((t + 1) / steps), rest)


def warm_up(steps: int, then: float | Schedule | Mapping[str, Any]) -> Schedule:
    """Linear up to another schedule: ``then(0) (t + 1) / steps`` for t < steps, then ``then(t - steps)``."""
    return Schedule("warm_up", _warm_up, {"steps": _count("steps", steps), "then": get(then)})


def _one_cycle(
    xp: Namespace, t: Array, peak: float, steps: int, rising: float, start_factor: float, end_factor: float
) -> Array:
    low = peak / start_factor
    top, last = rising * steps - 1, steps - 1.0
    up = _half_cosine(xp, low, peak, t / top)
    down = _half_cosine(xp, peak, low / end_factor, (_limited(xp, t, last) - top) / (last - top))
    return xp.where(t <= top, up, down)


def one_cycle(
    peak: float, steps: int, rising: float = 0.3, start_factor: float = 25.0, end_factor: float = 1e4
) -> Schedule:
    """Up from ``peak / start_factor`` to ``peak``, down to ``peak / start_factor / end_factor``, as cosines.

    The peak is at step ``rising * steps - 1``, the end at ``steps - 1``; torch's OneCycleLR (Smith, Topin,
    arXiv:1708.07120).
    """
    options = {
        "peak": _rate("peak", peak),
        "steps": _count("steps", steps),
        "rising": check_number("rising", rising, low=0, high=1, low_open=True, high_open=True),
        "start_factor": check_number("start_factor", start_factor, low=0, low_open=True),
        "end_factor": check_number("end_factor", end_factor, low=0, low_open=True),
    }
    if options["rising"] * options["steps"] <= 1:
        raise InputError(f"rising, steps: expected rising * steps > 1, got {rising!r} and {steps!r}")
    return Schedule("one_cycle", _one_cycle, options)


def _piecewise(xp: Namespace, t: Array, boundaries: Sequence[int], values: Sequence[float]) -> Array:
    rate = xp.full_like(t, values[0])
    for boundary, value in zip(boundaries, values[1:], strict=True):
        rate = xp.where(t >= boundary, xp.full_like(t, value), rate)
    return rate


def piecewise(boundaries: Sequence[int], values: Sequence[float]) -> Schedule:
    """``values[i]`` from step ``boundaries[i - 1]`` on and before ``boundaries[i]``."""
    edges = [_count("boundaries", edge) for edge in boundaries]
    if sorted(set(edges)) != edges or len(values) != len(edges) + 1:
        raise InputError(
            f"boundaries, values: expected increasing steps and one more value than steps, "
            f"got {list(boundaries)!r} and {list(values)!r}"
        )
    rates = [_rate("values", value) for value in values]
    return Schedule("piecewise", _piecewise, {"boundaries": edges, "values": rates})


for _factory in (constant, step, exponential, cosine, warm_up, one_cycle, piecewise):
    SCHEDULES.add(_factory.__name__, _factory)


def get(schedule: float | str | Schedule | Mapping[str, Any] | Callable[[Any], Any]) -> Schedule:
    """The schedule for a number, a `Schedule`, a ``{"name", "options"}`` mapping, or a callable of the step.

    Raises
    ------
    InputError
        For an unknown name, wrong options or anything else.

    Examples
    --------
    >>> from multimlp import schedules
    >>> schedules.get({"name": "step", "options": {"initial": 1.0, "every": 10}})(25)
    0.010000000000000002
    """
    if isinstance(schedule, Schedule):
        return schedule
    if isinstance(schedule, str):
        schedule = {"name": schedule}
    if isinstance(schedule, Mapping):
        name, options = unpack_spec("schedule", schedule)
        factory = SCHEDULES.find(name)
        try:
            return factory(**options)
        except TypeError as error:
            raise InputError(f"schedule: {error}") from None
    if isinstance(schedule, (int, float)) and not isinstance(schedule, bool):
        return constant(schedule)
    if callable(schedule):
        own = schedule
        return Schedule(getattr(own, "__name__", type(own).__name__), lambda xp, t: own(t))
    raise SCHEDULES.reject(schedule, "a number, a schedule or a callable of the step")


def names() -> tuple[str, ...]:
    """The names of the schedules."""
    return SCHEDULES.names()
