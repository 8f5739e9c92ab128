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
from typing import Annotated, Any, Concatenate, ParamSpec, TypeAlias

import numpy as np

from multimlp._naming import Named, Table
from multimlp.backend import Array, Namespace, array_namespace, is_array, owner
from multimlp.errors import InputError, MultimlpError
from multimlp.errors.checks import check_number, each, number, refuse, whole

P = ParamSpec("P")
Function: TypeAlias = Callable[..., Array]
SCHEDULES: Table[Any] = Table("schedule")


@dataclass(frozen=True, eq=False, repr=False)
class Schedule(Named):
    """A named schedule with its options. Made by the functions of this module."""

    name: str
    function: Function
    options: Mapping[str, Any] = field(default_factory=dict)

    table = SCHEDULES

    def __call__(self, step: int | Array, dtype: Any = None) -> Any:
        """The rate for a step; ``dtype`` (default: the library's float32) is the result's for an array."""
        if is_array(step) and not isinstance(step, np.generic):
            xp = array_namespace(step)
            kind = xp.float32 if dtype is None else dtype
            backend = owner(step)
            if isinstance(step, np.ndarray) and step.dtype.kind not in "iuf":
                raise refuse("step", "an integer, or an integer array of shape ()", step)
            try:
                name = backend.dtype_name(kind)
                if "float" not in name:
                    raise TypeError(name)
                with backend.scope(name):
                    time = xp.astype(step, kind)
            except MultimlpError:
                raise
            except Exception as error:
                raise refuse("dtype", "a floating dtype of the library of the step", dtype) from error
            with backend.scope(name):
                return self.function(xp, time, **self.options)
        now = np.asarray(check_number("step", step, low=0))
        return float(self.function(array_namespace(now), now, **self.options))

    def _computes(self) -> tuple[Any, ...]:
        return (self.function,)


@dataclass(frozen=True)
class _OfStep:
    """A callable of the step alone in the form of a formula."""

    own: Callable[[Any], Any]

    def __call__(self, xp: Namespace, t: Array) -> Array:
        return self.own(t)


def _schedule(formula: Callable[Concatenate[Namespace, Array, P], Array]) -> Callable[P, Schedule]:
    """Decorate ``formula(xp, t, ...)``, the rate after ``t`` updates: it makes the schedule for its options."""

    def build(name: str, options: dict[str, Any]) -> Schedule:
        schedule = Schedule(name, formula, options)
        if not any(isinstance(value, Schedule) for value in options.values()):
            schedule(0)  # a formula says itself which options do not go together, now rather than in training
        return schedule

    made: Callable[P, Schedule] = SCHEDULES.maker(formula, build, skip=2)
    return made


def _power(xp: Namespace, base: float, exponent: Array) -> Array:
    return xp.pow(xp.full_like(exponent, base), exponent)


def _limited(xp: Namespace, time: Array, limit: float) -> Array:
    """min(time, limit)"""
    return xp.where(time < limit, time, xp.full_like(time, limit))


def _times_passed(xp: Namespace, time: Array, every: int) -> Array:
    """floor(time / every), also where a compiler takes the product with the reciprocal, which may be just below a whole number."""
    times = xp.floor(time / every)
    times = xp.where((times + 1) * every <= time, times + 1, times)
    return xp.where(times * every > time, times - 1, times)


def _half_cosine(xp: Namespace, start: float, end: float, fraction: Array) -> Array:
    return end + (start - end) * (0.5 * (1 + xp.cos(math.pi * fraction)))


Rate: TypeAlias = Annotated[float, number(low=0)]
Positive: TypeAlias = Annotated[float, number(low=0, low_open=True)]
Count: TypeAlias = Annotated[int, whole(1, "of steps")]


def _any_schedule(where: str, value: Any) -> Schedule:
    try:
        return get(value)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


@_schedule
def constant(xp: Namespace, t: Array, value: Rate) -> Array:
    """``value`` at every step.

    Parameters
    ----------
    value : float
        The rate, >= 0.

    Returns
    -------
    Schedule

    Examples
    --------
    >>> from multimlp import schedules
    >>> schedules.constant(0.1)(1000)
    0.1
    """
    return xp.full_like(t, value)


@_schedule
def step(xp: Namespace, t: Array, initial: Rate, every: Count, factor: Positive = 0.1) -> Array:
    """``initial * factor^floor(t / every)`` after t updates; torch's StepLR.

    Parameters
    ----------
    initial : float
        The rate at the start, >= 0.
    every : int
        After so many updates the rate is multiplied by ``factor``.
    factor : float
        Above 0.

    Returns
    -------
    Schedule

    Examples
    --------
    >>> from multimlp import schedules
    >>> rate = schedules.step(1.0, every=10, factor=0.5)
    >>> rate(9), rate(10), rate(25)
    (1.0, 0.5, 0.25)
    """
    return initial * _power(xp, factor, _times_passed(xp, t, every))


@_schedule
def exponential(xp: Namespace, t: Array, initial: Rate, rate: Positive, every: Count = 1) -> Array:
    """``initial * rate^(t / every)`` after t updates; torch's ExponentialLR for ``every = 1``.

    Parameters
    ----------
    initial : float
        The rate at the start, >= 0.
    rate : float
        By what the rate is multiplied over ``every`` updates, above 0.
    every : int

    Returns
    -------
    Schedule

    Examples
    --------
    >>> from multimlp import schedules
    >>> schedules.exponential(1.0, rate=0.25, every=2)(1)
    0.5
    """
    return initial * _power(xp, rate, t / every)


@_schedule
def cosine(xp: Namespace, t: Array, initial: Rate, steps: Count, floor: Rate = 0.0) -> Array:
    """Half a cosine from ``initial`` down to ``floor`` at step ``steps``, ``floor`` from then on.

    ``floor + (initial - floor) (1 + cos(pi min(t, steps) / steps)) / 2`` after t updates.

    Parameters
    ----------
    initial : float
        The rate at the start, >= 0.
    steps : int
        Updates until ``floor``.
    floor : float
        The rate at the end, >= 0.

    Returns
    -------
    Schedule

    References
    ----------
    Loshchilov, Hutter, SGDR: stochastic gradient descent with warm restarts, arXiv:1608.03983; here without restarts.

    Examples
    --------
    >>> from multimlp import schedules
    >>> rate = schedules.cosine(0.1, steps=100)
    >>> [round(rate(t), 4) for t in (0, 50, 100, 200)]
    [0.1, 0.05, 0.0, 0.0]
    """
    return _half_cosine(xp, initial, floor, _limited(xp, t, steps) / steps)


@_schedule
def flat_cosine(
    xp: Namespace,
    t: Array,
    initial: Rate,
    steps: Count,
    flat: Annotated[float, number(low=0, high=1, high_open=True)] = 0.5,
) -> Array:
    """``initial`` until step ``flat * steps``, then half a cosine down to 0 at step ``steps``.

    Parameters
    ----------
    initial : float
        The rate at the start, >= 0.
    steps : int
        Updates until 0.
    flat : float
        The fraction of them that the rate stays, in [0, 1).

    Returns
    -------
    Schedule

    References
    ----------
    Holzmüller et al., Better by default, arXiv:2407.04491.

    Examples
    --------
    >>> from multimlp import schedules
    >>> rate = schedules.flat_cosine(0.1, steps=100)
    >>> [round(rate(t), 4) for t in (0, 50, 75, 100)]
    [0.1, 0.1, 0.05, 0.0]
    """
    fraction = (_limited(xp, t / steps, 1.0) - flat) / (1 - flat)
    return _half_cosine(xp, initial, 0.0, xp.where(fraction > 0, fraction, xp.zeros_like(fraction)))


@_schedule
def log_cosine(
    xp: Namespace,
    t: Array,
    peak: Rate,
    steps: Count,
    cycles: Annotated[int, whole(1, "of cycles")] = 4,
) -> Array:
    """Up from 0 and down again ``cycles`` times, each twice as long as the one before.

    ``peak (1 - cos(2 pi log2(1 + (2^cycles - 1) t / steps))) / 2`` after t updates.

    Parameters
    ----------
    peak : float
        The largest rate, >= 0.
    steps : int
        Updates in all.
    cycles : int

    Returns
    -------
    Schedule

    References
    ----------
    Holzmüller et al., Better by default, arXiv:2407.04491, "coslog4".

    Examples
    --------
    >>> from multimlp import schedules
    >>> rate = schedules.log_cosine(0.1, steps=15)
    >>> [round(rate(t), 4) for t in (0, 1, 3, 7, 15)]
    [0.0, 0.0, 0.0, 0.0, 0.0]
    """
    turns = xp.log2(1 + (2.0**cycles - 1) * _limited(xp, t / steps, 1.0))
    return peak * (0.5 * (1 - xp.cos(2 * math.pi * turns)))


@_schedule
def warm_up(
    xp: Namespace,
    t: Array,
    steps: Count,
    then: Annotated[float | Schedule | Mapping[str, Any], _any_schedule],
) -> Array:
    """Linear up to another schedule: ``then(0) (t + 1) / steps`` for t < steps, then ``then(t - steps)``.

    Parameters
    ----------
    steps : int
        Updates of the rise.
    then : float, Schedule or mapping
        What follows; its own steps count from the end of the rise.

    Returns
    -------
    Schedule

    Raises
    ------
    InputError
        If ``then`` is no schedule.

    Examples
    --------
    >>> from multimlp import schedules
    >>> rate = schedules.warm_up(steps=2, then=0.1)
    >>> rate(0), rate(1), rate(2)
    (0.05, 0.1, 0.1)
    """
    assert isinstance(then, Schedule)  # what the check makes of it
    zero = xp.zeros_like(t)
    after = t - steps
    peak = then.function(xp, zero, **then.options)
    rest = then.function(xp, xp.where(after > 0, after, zero), **then.options)
    return xp.where(t < steps, peak * ((t + 1) / steps), rest)


@_schedule
def one_cycle(
    xp: Namespace,
    t: Array,
    peak: Rate,
    steps: Count,
    rising: Annotated[float, number(low=0, high=1, low_open=True, high_open=True)] = 0.3,
    start_factor: Positive = 25.0,
    end_factor: Positive = 1e4,
) -> Array:
    """Up from ``peak / start_factor`` to ``peak``, down to ``peak / start_factor / end_factor``, as cosines.

    The peak is at step ``rising * steps - 1``, the end at ``steps - 1``; torch's OneCycleLR.

    Parameters
    ----------
    peak : float
        The largest rate, >= 0.
    steps : int
        Updates in all.
    rising : float
        The fraction of them that the rate rises, in (0, 1).
    start_factor, end_factor : float
        Above 0.

    Returns
    -------
    Schedule

    Raises
    ------
    InputError
        Unless ``rising * steps`` is above 1.

    References
    ----------
    Smith, Topin, Super-convergence, arXiv:1708.07120.

    Examples
    --------
    >>> from multimlp import schedules
    >>> rate = schedules.one_cycle(0.1, steps=10)
    >>> [round(rate(t), 4) for t in (0, 2, 9)]
    [0.004, 0.1, 0.0]
    """
    low = peak / start_factor
    top, last = rising * steps - 1, steps - 1.0
    if top <= 0:
        raise InputError(f"rising, steps: expected rising * steps > 1, got {rising!r} and {steps!r}")
    up = _half_cosine(xp, low, peak, t / top)
    down = _half_cosine(xp, peak, low / end_factor, (_limited(xp, t, last) - top) / (last - top))
    return xp.where(t <= top, up, down)


@_schedule
def piecewise(
    xp: Namespace,
    t: Array,
    boundaries: Annotated[Sequence[int], each(whole(1, "of steps"))],
    values: Annotated[Sequence[float], each(number(low=0))],
) -> Array:
    """``values[i]`` from step ``boundaries[i - 1]`` on and before ``boundaries[i]``.

    Parameters
    ----------
    boundaries : sequence of int
        Increasing, each at least 1.
    values : sequence of float
        One more than there are boundaries, each >= 0.

    Returns
    -------
    Schedule

    Raises
    ------
    InputError
        If the boundaries do not increase, or there is another number of values.

    Examples
    --------
    >>> from multimlp import schedules
    >>> rate = schedules.piecewise([10, 20], [0.5, 0.25, 0.125])
    >>> rate(9), rate(10), rate(20)
    (0.5, 0.25, 0.125)
    """
    if sorted(set(boundaries)) != boundaries or len(values) != len(boundaries) + 1:
        raise InputError(
            f"boundaries, values: expected increasing steps and one more value than steps, "
            f"got {boundaries!r} and {values!r}"
        )
    rate = xp.full_like(t, values[0])
    for boundary, value in zip(boundaries, values[1:], strict=True):
        rate = xp.where(t >= boundary, xp.full_like(t, value), rate)
    return rate


@SCHEDULES.reader
def get(schedule: float | str | Schedule | Mapping[str, Any] | Callable[[Any], Any]) -> Schedule:
    """The schedule that is meant.

    Parameters
    ----------
    schedule : float, Schedule, mapping or callable
        A constant rate, ``{"name": ..., "options": {...}}``, or ``callable(step)`` that returns the rate.

    Returns
    -------
    Schedule

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
    if isinstance(schedule, (str, Mapping)):
        found: Schedule = SCHEDULES.make(schedule)
        return found
    if isinstance(schedule, (int, float)) and not isinstance(schedule, bool):
        return constant(schedule)
    function = SCHEDULES.own(schedule, "a number, a schedule or a callable of the step")
    return Schedule(getattr(schedule, "__name__", type(schedule).__name__), _OfStep(function))


def names() -> tuple[str, ...]:
    """The names of the schedules.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> from multimlp import schedules
    >>> "one_cycle" in schedules.names()
    True
    """
    return SCHEDULES.names()
