"""Floating-point formats by name, and the size of a unit in the last place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Format:
    """A binary floating-point format.

    Attributes
    ----------
    name : str
    digits : int
        Bits of the significand, the leading one included.
    lowest, highest : int
        Exponents of the smallest normal number, ``2**lowest``, and of the largest numbers, below
        ``2**(highest + 1)``.
    """

    name: str
    digits: int
    lowest: int
    highest: int

    @property
    def eps(self) -> float:
        """The distance from 1 to the next number."""
        return 2.0 ** (1 - self.digits)

    @property
    def tiny(self) -> float:
        """The smallest normal number."""
        return 2.0**self.lowest

    @property
    def surely_normal(self) -> float:
        """What is not made of subnormal numbers, also where it is a small one times the square of an argument."""
        return self.tiny * (2.0**20 if self.lowest < -100 else 16)

    @property
    def max(self) -> float:
        """The largest finite number."""
        return 2.0**self.highest * (2 - self.eps)

    def spacing(self, x: np.ndarray) -> np.ndarray:
        """The unit in the last place of each number: the distance between its neighbours in this format.

        Examples
        --------
        >>> import numpy as np
        >>> from multimlp.parity.formats import FORMATS
        >>> FORMATS["float32"].spacing(np.asarray([1.0, 2.0])) / 2.0**-23
        array([1., 2.])
        """
        magnitude = np.abs(np.asarray(x, dtype=np.float64))
        exponent = np.frexp(np.where(np.isfinite(magnitude), magnitude, 1.0))[1] - 1
        exponent = np.clip(np.where(magnitude == 0, self.lowest, exponent), self.lowest, self.highest)
        unit: np.ndarray = np.ldexp(1.0, exponent - (self.digits - 1))
        return unit

    def round(self, x: np.ndarray) -> np.ndarray:
        """float64 numbers rounded to the nearest of this format, to even at a tie; as float64.

        Examples
        --------
        >>> import numpy as np
        >>> from multimlp.parity.formats import FORMATS
        >>> float(FORMATS["bfloat16"].round(np.asarray(1.01)))
        1.0078125
        """
        x = np.asarray(x, dtype=np.float64)
        unit = self.spacing(x)
        with np.errstate(over="ignore", invalid="ignore"):
            rounded = np.where(np.isfinite(x), np.round(x / unit) * unit, x)
            return np.where(np.abs(rounded) > self.max, np.copysign(np.inf, rounded), rounded)


FORMATS = {
    "float64": Format("float64", 53, -1022, 1023),
    "float32": Format("float32", 24, -126, 127),
    "bfloat16": Format("bfloat16", 8, -126, 127),
    "float16": Format("float16", 11, -14, 15),
}
