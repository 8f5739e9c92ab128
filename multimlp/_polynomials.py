"""Polynomials of arrays, for special functions and random numbers."""

from __future__ import annotations

from collections.abc import Sequence

from multimlp._typing import Array


def horner(coefficients: Sequence[float], x: Array) -> Array:
    """The polynomial with these coefficients, two or more, the highest power's first.

    Examples
    --------
    >>> from multimlp._polynomials import horner
    >>> horner((2.0, 3.0, 5.0), 10.0)
    235.0
    """
    value = coefficients[0] * x + coefficients[1]
    for coefficient in coefficients[2:]:
        value = value * x + coefficient
    return value


def ratio(coefficients: tuple[Sequence[float], Sequence[float]], x: Array) -> Array:
    """One polynomial over another."""
    numerator, denominator = coefficients
    return horner(numerator, x) / horner(denominator, x)
