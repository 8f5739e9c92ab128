"""What is known of each activation, and the decorators that say it where the activation is written.

The file of a family holds all of an activation, one part below the other:

* ``@activation(...)``: the function, with what each option may be, its kinks, its aliases, what can be learned;
* ``@derivative_of(f)``: the derivative in x. It makes the row of the table, so that none lacks a derivative;
* ``@derivative_from_output_of(f)``: the derivative from ``y = f(x)``, where y determines it.

`describe`, training, tests and reports read the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from multimlp.activations._operation import ActivationOp, Check
from multimlp.errors import InputError

Portable = Callable[..., Any]
Kinks = tuple[float, ...] | Callable[..., tuple[float, ...]]
"""Points, or ``kinks(**options)`` where the options move them."""


@dataclass(frozen=True)
class Description:
    """What is known of one activation.

    Attributes
    ----------
    function, derivative : operation
        ``f(x, **options)`` and its closed-form derivative in x. Of an activation along an axis, all partial
        derivatives.
    from_output : operation or None
        The derivative as a function of ``y = f(x)``, where y determines it.
    from_output_if : mapping of str to check
        What the options must be for that.
    elementwise : bool
        False for those that work along an axis.
    learnable : str or None
        The option that can be learned with the weights.
    halves : bool
        Whether it makes one output of two inputs.
    aliases : tuple of str
        Names used elsewhere.
    """

    function: ActivationOp
    derivative: ActivationOp
    from_output: ActivationOp | None = None
    from_output_if: Mapping[str, Check] = field(default_factory=dict)
    kinks_at: Kinks = ()
    elementwise: bool = True
    learnable: str | None = None
    halves: bool = False
    aliases: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.function.name

    @property
    def summary(self) -> str:
        """The first line of the documentation."""
        return (self.function.__doc__ or "").partition("\n")[0]

    @property
    def options(self) -> dict[str, Any]:
        """The options and their defaults."""
        return dict(self.function.defaults)

    def kinks(self, **options: Any) -> tuple[float, ...]:
        """The points where the first derivative jumps."""
        return self.kinks_at(**{**self.options, **options}) if callable(self.kinks_at) else self.kinks_at

    def derivative_from_output(self, **options: Any) -> ActivationOp | None:
        """`from_output`, unless y does not determine the derivative with these options."""
        merged = {**self.options, **options}
        determined = all(check(merged[name]) is None for name, check in self.from_output_if.items())
        return self.from_output if determined else None

    def width(self, n: int) -> int:
        """How many outputs ``n`` inputs make."""
        if not self.halves:
            return n
        if n % 2:
            raise InputError(f"{self.name} halves its inputs, so their number must be even; got {n}")
        return n // 2


ROWS: dict[str, Description] = {}
"""By name, in the order in which the families were imported; `_lookup.TABLE` has an order of its own."""

_FACTS: dict[str, dict[str, Any]] = {}
"""What `activation` was told of those that still lack their derivative."""


def activation(
    arrays: int = 1,
    /,
    *,
    kinks: Kinks = (),
    learnable: str | None = None,
    elementwise: bool = True,
    halves: bool = False,
    aliases: tuple[str, ...] = (),
    expands: bool = False,
    **checks: Check,
) -> Callable[[Portable], ActivationOp]:
    """Decorate the portable body of an activation.

    Parameters
    ----------
    arrays : int
        2 if the first option may be an array as well, so that it can be learned.
    kinks : tuple of float, or callable
        The points where the first derivative jumps, or ``kinks(**options)``.
    learnable, elementwise, halves, aliases
        See `Description`.
    expands : bool
        Whether its body is one function of the standard, of which all derivatives are known.
    **checks : Check
        What each option may be.
    """

    def decorate(portable: Portable) -> ActivationOp:
        operation = ActivationOp(portable, arrays, checks)
        operation.expands = expands
        _FACTS[operation.name] = {
            "kinks_at": kinks,
            "learnable": learnable,
            "elementwise": elementwise,
            "halves": halves,
            "aliases": aliases,
        }
        return operation

    return decorate


def derivative_of(function: ActivationOp) -> Callable[[Portable], ActivationOp]:
    """Decorate the closed-form derivative of an activation in x, written out by hand.

    It takes the options of the activation. At kinks it gives what differentiating the activation gives. It is finite for
    every finite x (in half precision too), and that of a smooth activation keeps its relative accuracy in the tails. Along
    an axis it returns the matrix of all partial derivatives.
    """

    def decorate(portable: Portable) -> ActivationOp:
        operation = ActivationOp(portable, function.arrays, function.checks)
        row = ROWS[function.name] = Description(function, operation, **_FACTS.pop(function.name))
        if row.elementwise:
            function.derivative = operation
            function.elementwise = operation.elementwise = True
        return operation

    return decorate


def derivative_from_output_of(
    function: ActivationOp, /, **only_if: Check
) -> Callable[[Portable], ActivationOp]:
    """Decorate the derivative computed from the output y = f(x), for training that keeps outputs and not inputs.

    It equals the closed form in x up to rounding, at kinks too.

    Parameters
    ----------
    function : operation
    **only_if : Check
        What the options must be for y to determine the derivative.
    """

    def decorate(portable: Portable) -> ActivationOp:
        operation = ActivationOp(portable, function.arrays, function.checks)
        row = ROWS[function.name]
        ROWS[function.name] = replace(row, from_output=operation, from_output_if=only_if)
        return operation

    return decorate
