"""Rows that compare the portable definitions at 50 digits with the textbooks' formulas.

What these rows cannot see, the others can: a portable form that is wrong in the same way on every backend,
oracle included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from multimlp import initializers, losses, random
from multimlp.activations import describe, erf, erfc, names
from multimlp.backend import load_backend
from multimlp.parity import losses as loss_cases
from multimlp.parity import optimizers as optimizer_cases
from multimlp.parity import textbook
from multimlp.parity.axis import rows as axis_rows
from multimlp.parity.cases import label, slope
from multimlp.parity.elementwise import functions
from multimlp.parity.formats import FORMATS
from multimlp.parity.rows import Row

LIMITS = {"optimizer": 4.0, "student_nll": 4.0}
"""In eps of float64, by family or function: the code's options and constants are rounded numbers."""

DEFAULT_LIMIT = 1.0

POINTS = (
    -700.0, -30.0, -12.5, -5.5, -3.25, -2.0, -1.0, -0.6, -0.3, -1e-3, -1e-8,
    1e-8, 1e-3, 0.4, 0.7, 1.25, 2.5, 3.5, 5.0, 7.0, 15.0, 40.0, 300.0,
)  # fmt: skip

SAMPLES = (160, 90)
"""Shape of the weights whose variance is taken."""

Number = Any


def rows(wants: Callable[[str], bool]) -> Iterator[Row]:
    """All of them, for the functions wanted."""
    oracle = load_backend("mpmath")
    for name, options in functions():
        if wants(label(name, options)):
            row = describe(name)
            yield from _elementwise(
                oracle, label(name, options), "activation", name, options, row.function, row.derivative
            )
    for name, operation in (("erf", erf), ("erfc", erfc)):
        if wants(name):
            yield from _elementwise(oracle, name, "special", name, {}, operation, None)
    for name in names():
        if not describe(name).elementwise and wants(name):
            yield _axis(oracle, name)
    for name in losses.names():
        for options in ({}, *loss_cases.VARIANTS.get(name, ())):
            if wants(label(name, options)) and name in textbook.LOSSES:
                yield from _loss(oracle, name, options)
    for name, options, optimizer in optimizer_cases.configured():
        if wants(label(name, options)) and name in textbook.OPTIMIZERS:
            yield _optimizer(oracle, name, options, optimizer)
    for name, variance in textbook.VARIANCES.items():
        if wants(name):
            yield _initializer(name, variance)


def _defined(table: str, name: str) -> Any:
    try:
        return getattr(textbook, table)[name]
    except KeyError:
        raise LookupError(
            f"{name} has no row in multimlp.parity.textbook.{table}: state its formula there, apart from its code"
        ) from None


def _row(
    function: str,
    family: str,
    aspect: str,
    got: Sequence[Number],
    wanted: Sequence[Number],
    at: Sequence[float],
) -> Row:
    eps = FORMATS["float64"].eps
    errors = [_off(g, w) / eps for g, w in zip(got, wanted, strict=True)]
    limit = LIMITS.get(function, LIMITS.get(family, DEFAULT_LIMIT))
    worst = int(np.argmax(np.nan_to_num(errors, nan=np.inf)))
    k = errors[worst]
    return Row(
        function, family, aspect, "mpmath", "cpu", "50 digits", "definition",
        k, limit, k, float(at[worst]), bool(k <= limit), "" if k <= limit else "not the textbook's formula",
    )  # fmt: skip


def _off(got: Number, wanted: Number) -> float:
    same = got == wanted or (got != got and wanted != wanted)
    if same:
        return 0.0
    difference = float(abs(got - wanted) / max(1, abs(wanted)))
    return difference if np.isfinite(difference) else np.inf


def _numbers(array: Any) -> list[Number]:
    return list(array.data.reshape(-1))


def _elementwise(
    oracle: Any,
    function: str,
    family: str,
    name: str,
    options: Mapping[str, Any],
    operation: Callable[..., Any],
    derivative: Callable[..., Any] | None,
) -> Iterator[Row]:
    mp = oracle.context
    definition = _defined("ACTIVATIONS", name)
    formula, stated = definition.formula, definition.kinks(**options)
    at = [x for x in POINTS if x not in stated]
    x = oracle.asarray(np.asarray(at))
    known = [mp.mpf(v) for v in at]
    values = [formula(mp, v, **options) for v in known]
    yield _row(function, family, "value", _numbers(operation(x, **options)), values, at)

    smooth = [mp.diff(lambda v: formula(mp, v, **options), v) for v in known]
    slopes = smooth + [mp.mpf(v) for v in stated.values()]
    places = [*at, *stated]
    everywhere = oracle.asarray(np.asarray(places))
    by_tape = slope(lambda v: operation(v, **options))(oracle, (everywhere,))
    yield _row(function, family, "autodiff", _numbers(by_tape), slopes, places)
    if derivative is not None:
        yield _row(
            function, family, "derivative", _numbers(derivative(everywhere, **options)), slopes, places
        )
    far = (-np.inf, np.inf)
    ends = oracle.asarray(np.asarray(far))
    found = _numbers(slope(lambda v: operation(v, **options))(oracle, (ends,)))
    limits = [definition.slope_at(mp, end, **options) for end in far]
    if derivative is not None:
        found, limits = found + _numbers(derivative(ends, **options)), limits * 2
    yield _row(function, family, "slopes at infinity", found, limits, far * 2)


def _axis(oracle: Any, name: str) -> Row:
    mp = oracle.context
    x = axis_rows(FORMATS["float64"], True)[:8]
    got = _numbers(describe(name).function(oracle.asarray(x)))
    wanted = [v for row in x for v in _defined("AXIS", name)(mp, [mp.mpf(a) for a in row])]
    return _row(name, "activation", "value", got, wanted, range(len(got)))


def _loss(oracle: Any, name: str, options: Mapping[str, Any]) -> Iterator[Row]:
    mp, form = oracle.context, FORMATS["float64"]
    loss = losses.with_options(name, **options)
    o = loss_cases.outputs(loss, form, True)
    o = np.where(np.abs(o) > 50, np.sign(o) * 5, o)
    targets = loss_cases.targets(loss, form, len(o))
    merged = {**loss.defaults, **loss.options}
    columns = (
        np.eye(o.shape[1])[targets]
        if loss.decides == "class"
        else targets.reshape(len(targets), -1).astype(float)
    )
    pairs = [([mp.mpf(a) for a in row], [mp.mpf(a) for a in t]) for row, t in zip(o, columns, strict=True)]
    wanted = [textbook.LOSSES[name](mp, row, t, **merged) for row, t in pairs]
    outputs, given = oracle.asarray(o), oracle.asarray(targets)
    got = _numbers(loss(outputs, given))
    yield _row(label(name, options), "loss", "value", got, wanted, range(len(got)))
    closed = _numbers(loss.gradient(outputs, given))
    pullback = oracle.vjp(lambda xs: (loss(xs[0], given),), (outputs,))[1]
    by_tape = _numbers(pullback((oracle.xp.ones(o.shape[:1]),))[0])
    yield _row(label(name, options), "loss", "derivative", closed, by_tape, range(len(closed)))
    if not options and name not in loss_cases.NO_LIMITS:
        yield _loss_limits(oracle, name, loss)


def _loss_limits(oracle: Any, name: str, loss: Any) -> Row:
    """Values, closed gradients and gradients by the tape at infinite outputs."""
    got: list[Number] = []
    wanted: list[Number] = []
    for o, t, value, gradient in textbook.LOSS_LIMITS[name]:
        outputs, targets = oracle.asarray(np.asarray([o])), oracle.asarray(np.asarray([t]))
        pullback = oracle.vjp(lambda xs, targets=targets: (loss(xs[0], targets),), (outputs,))[1]
        for found in (
            loss(outputs, targets),
            loss.gradient(outputs, targets),
            pullback((oracle.xp.ones((1,)),))[0],
        ):
            got += _numbers(found)
        wanted += [value, *gradient, *gradient]
    return _row(name, "loss", "infinite outputs", got, wanted, range(len(got)))


def _optimizer(oracle: Any, name: str, options: Mapping[str, Any], optimizer: Any) -> Row:
    mp = oracle.context
    params, gradients = optimizer_cases.inputs(FORMATS["float64"])
    current, state = oracle.asarray(params), None
    state = optimizer.init(current)
    for gradient in gradients:
        current, state = optimizer.update(oracle.asarray(gradient), state, current)
    wanted = []
    for i, start in enumerate(params):
        p = mp.mpf(start)
        memory: dict[str, Number] = {}
        for t, g in enumerate(gradients[:, i], start=1):
            p, g = _decayed(mp, name, optimizer.options, p, mp.mpf(g))
            p = textbook.OPTIMIZERS[name](mp, p, g, memory, t, optimizer.options)
        wanted.append(p)
    return _row(label(name, options), "optimizer", "value", _numbers(current), wanted, range(len(wanted)))


def _decayed(mp: Any, name: str, options: Mapping[str, Any], p: Number, g: Number) -> tuple[Number, Number]:
    decay = options["weight_decay"]
    if name in textbook.DECOUPLED_DECAY:
        return p * (1 - mp.mpf(options["learning_rate"]) * decay), g
    return p, g + decay * p


def _initializer(name: str, variance: Callable[[int, int], float]) -> Row:
    """The variance of many weights; their number makes the statistical error at most a third of the limit."""
    weights = initializers.get(name)(random.host_generator(0, 0, 0), SAMPLES)
    ratio = float(np.var(weights)) / variance(*SAMPLES)
    off = abs(ratio - 1)
    limit = 0.06
    return Row(
        name, "initializer", "variance", "numpy", "cpu", "float64", "definition", off, limit, 0.0, ratio,
        off <= limit, "" if off <= limit else f"variance {ratio:.3f} times that of the formula",
    )  # fmt: skip
