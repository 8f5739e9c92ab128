"""How far results are from the reference, in eps and in units in the last place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from multimlp.parity.formats import Format


@dataclass(frozen=True)
class Reference:
    """Numbers of 50 digits as the unevaluated sum of two float64 arrays."""

    high: np.ndarray
    low: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        return self.high.shape

    @classmethod
    def of(cls, array: Any) -> Reference:
        """From an array of the oracle."""
        data = np.asarray(array.data)
        with np.errstate(all="ignore"):
            high = data.astype(np.float64)
            rest = np.asarray(data - high.astype(object)) if data.dtype == object else np.zeros(data.shape)
            low = np.where(np.isfinite(high), rest.astype(np.float64), 0.0)
        return cls(high, low)

    @classmethod
    def exact(cls, array: np.ndarray) -> Reference:
        """From float64 numbers that are the truth."""
        array = np.asarray(array, dtype=np.float64)
        return cls(array, np.zeros_like(array))

    def at(self, index: np.ndarray) -> Reference:
        """Those of other elements."""
        return Reference(self.high.reshape(-1)[index], self.low.reshape(-1)[index])

    def error(self, actual: np.ndarray) -> np.ndarray:
        """|actual - reference|, with the digits of both parts."""
        with np.errstate(invalid="ignore", over="ignore"):
            error: np.ndarray = np.abs((np.asarray(actual, dtype=np.float64) - self.high) - self.low)
        return error


@dataclass(frozen=True)
class Worst:
    """The largest errors of an array of results."""

    k: float
    ulp: float
    relative: float
    """In eps of the sizes that were given."""
    index: int
    relative_index: int
    finite_mismatch: bool
    """Whether an infinity or NaN stands where it should not, or lacks."""


def worst(
    actual: np.ndarray,
    reference: Reference,
    form: Format,
    demanded: np.ndarray | None = None,
    scale: np.ndarray | float = 1.0,
    k: float = np.inf,
    relative: np.ndarray | None = None,
    also: np.ndarray | None = None,
) -> Worst:
    """Measure results against the reference.

    Parameters
    ----------
    actual : array
        Results, of any floating dtype that NumPy has.
    reference : Reference
        Of the same shape.
    form : Format
        The format of the results.
    demanded : array of bool, optional
        Where an error counts; default: everywhere.
    scale : array or float
        The error is divided by ``eps max(scale, |reference|)``.
    k : float
        The limit, for results that may or may not overflow within it.
    relative : array, optional
        What the relative error is measured against; nothing is measured below `Format.surely_normal`.
    also : array of int, optional
        By element: another one whose reference is as good.

    Returns
    -------
    Worst
    """
    errors = _errors(actual, reference, form, scale, k, relative)
    if also is not None:
        others = _errors(actual, reference.at(also), form, scale, k, relative)
        errors = tuple(np.minimum(a, b) for a, b in zip(errors, others, strict=True))
    if demanded is not None:
        errors = tuple(np.where(demanded, e, 0.0) for e in errors)  # type: ignore[assignment]
    in_k, in_ulp, in_relative = errors
    if not in_k.size:
        return Worst(0.0, 0.0, 0.0, 0, 0, False)
    index, relative_index = int(np.argmax(in_k)), int(np.argmax(in_relative))
    return Worst(
        float(in_k.max()), float(in_ulp.max()), float(in_relative.max()), index, relative_index, bool(np.isinf(in_k.max()))
    )  # fmt: skip


def _errors(
    actual: np.ndarray,
    reference: Reference,
    form: Format,
    scale: np.ndarray | float,
    k: float,
    relative: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """By element: the error in eps max(scale, |reference|), in units in the last place, in eps of the relative sizes."""
    actual = np.asarray(actual, dtype=np.float64)
    wanted = np.where(np.abs(reference.high) > form.max, np.copysign(np.inf, reference.high), reference.high)
    finite = np.isfinite(wanted) & np.isfinite(actual)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        error = reference.error(actual)
        in_k = error / (form.eps * np.maximum(scale, np.abs(wanted)))
        in_ulp = error / form.spacing(np.where(np.isfinite(wanted), wanted, 1.0))
        same = (actual == wanted) | ((actual != actual) & (wanted != wanted))
        # The largest numbers: rounding decides whether they overflow.
        near_overflow = np.maximum(np.abs(wanted), np.abs(reference.high)) >= form.max * (
            1 - min(k, 1e3) * form.eps
        )
        brink = near_overflow & (np.abs(reference.high) <= form.max * (1 + min(k, 1e3) * form.eps))
        large = (np.abs(actual) >= form.max * (1 - min(k, 1e3) * form.eps)) & (
            np.sign(actual) == np.sign(wanted)
        )
        same = same | (brink & large)
        in_k = np.where(finite, in_k, np.where(same, 0.0, np.inf))
        # What leads to smaller numbers may be flushed to zero.
        in_ulp = np.where(finite & (np.abs(wanted) >= form.tiny * 1024), in_ulp, 0.0)
        if relative is None:
            return in_k, in_ulp, np.zeros_like(in_k)
        sizes = np.where(np.isfinite(relative), relative, 0.0)
        measured = finite & (sizes >= form.surely_normal)
        return in_k, in_ulp, np.where(measured, error / (form.eps * np.where(measured, sizes, 1.0)), 0.0)
