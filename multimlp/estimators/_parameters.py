"""What each hyper-parameter may be; checked once, when fitting starts."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from multimlp import optimizers
from multimlp.errors.checks import LARGEST, refuse


def _is_integer(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and not math.isnan(value)


def _widths(value: Any) -> bool:
    if _is_integer(value):
        return value > 0
    if isinstance(value, (str, bytes, Mapping)) or not hasattr(value, "__getitem__"):
        return False
    return all(_is_integer(width) and width > 0 for width in value)


def _solver(value: Any) -> bool:
    return value in optimizers.names() if isinstance(value, str) else hasattr(value, "update")


@dataclass(frozen=True)
class Rule:
    """A condition on a value, and how to say it."""

    holds: Callable[[Any], bool]
    expected: str


def _at_least(low: int) -> Rule:
    return Rule(lambda v: _is_integer(v) and v >= low, f"an integer >= {low}")


def _between(low: float, high: float, *, low_open: bool = False, high_open: bool = False) -> Rule:
    def holds(value: Any) -> bool:
        if not _is_number(value):
            return False
        return (value > low if low_open else value >= low) and (value < high if high_open else value <= high)

    return Rule(holds, f"a number in {'(' if low_open else '['}{low:g}, {high:g}{')' if high_open else ']'}")


_FLAG = Rule(lambda v: isinstance(v, bool) or type(v).__name__ == "bool_", "True or False")
_ANY_POSITIVE = _between(0, math.inf, low_open=True, high_open=True)

RULES: Mapping[str, Rule] = {
    "loss": Rule(
        lambda v: isinstance(v, (str, Mapping)) or (callable(v) and not isinstance(v, type)),
        "the name of a loss, a Loss, or a function (outputs, targets)",
    ),
    "hidden_layer_sizes": Rule(_widths, "a positive integer or a sequence of positive integers (> 0)"),
    "solver": Rule(_solver, "one of multimlp.optimizers.names() or an Optimizer"),
    "alpha": _between(0, math.inf, high_open=True),
    "batch_size": Rule(lambda v: v == "auto" or (_is_integer(v) and v >= 1), "'auto' or an integer >= 1"),
    "learning_rate": Rule(
        lambda v: isinstance(v, str) and v in ("constant", "invscaling", "adaptive"),
        "'constant', 'invscaling' or 'adaptive'",
    ),
    "learning_rate_init": _ANY_POSITIVE,
    "power_t": _between(0, math.inf, high_open=True),
    "max_iter": _at_least(1),
    "shuffle": _FLAG,
    "tol": _between(0, math.inf, high_open=True),
    "verbose": Rule(lambda v: isinstance(v, bool) or _is_integer(v), "True, False or an integer"),
    "warm_start": _FLAG,
    "momentum": _between(0, 1, high_open=True),
    "nesterovs_momentum": _FLAG,
    "early_stopping": _FLAG,
    "validation_fraction": _between(0, 1, low_open=True, high_open=True),
    "beta_1": _between(0, 1, high_open=True),
    "beta_2": _between(0, 1, high_open=True),
    "epsilon": _ANY_POSITIVE,
    "n_iter_no_change": Rule(
        lambda v: v == math.inf or (_is_integer(v) and v >= 1), "an integer >= 1 or numpy.inf"
    ),
    "max_fun": _at_least(1),
    "dropout": _between(0, 1, high_open=True),
    "class_weight": Rule(
        lambda v: (
            v is None
            or isinstance(v, Mapping)
            or (isinstance(v, str) and v == "balanced")
            or _is_list_of_mappings(v)
        ),
        "None, 'balanced' or a dict",
    ),
    "target_scaling": Rule(
        lambda v: v is None or (isinstance(v, str) and v == "standard"), "None or 'standard'"
    ),
    "n_members": Rule(
        lambda v: v is None or (_is_integer(v) and 1 <= v <= LARGEST), "None or an integer >= 1"
    ),
}


def _is_list_of_mappings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, Mapping) for item in value)


def check(parameters: Mapping[str, Any]) -> None:
    """Check hyper-parameters; those without a rule are checked by the part that uses them.

    Raises
    ------
    InputError
        Names the first one that cannot be used, its value, and what it may be.

    Examples
    --------
    >>> from multimlp.estimators._parameters import check
    >>> check({"momentum": 1.5})
    Traceback (most recent call last):
        ...
    multimlp.errors.InputError: momentum: expected a number in [0, 1), got 1.5
    """
    for name, value in parameters.items():
        rule = RULES.get(name)
        if rule is not None and not _holds(rule, value):
            raise refuse(name, rule.expected, value)


def _holds(rule: Rule, value: Any) -> bool:
    try:
        return rule.holds(value)
    except (TypeError, ValueError, RuntimeError):  # of an array, which is no answer to a comparison
        return False
