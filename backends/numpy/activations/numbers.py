"""The numbers in the formulas of a dtype, as 0-d arrays: ufuncs convert Python numbers at every call, which takes 0.2 us."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


class Numbers:
    """The numbers of one dtype.

    Attributes
    ----------
    top : 0-d array
        1 + exp(top) is exp(top), exp(2 top) is finite, and top exp(-top) vanishes beside 1: where a gate has long been 1.
    bottom : 0-d array
        exp(bottom) is zero.
    density_end, gaussian_end, tanh_end : 0-d array
        exp(-end^2 / 2), exp(-end^2) and exp(-2 end) are zero.
    tanh_top, tanh_bottom : 0-d array
        Of x, what top and bottom are of the argument 2 u of the tanh form of GELU.
    linear, cubic, cubic_slope : 0-d array
        2 u = linear x + cubic x^3, and three times cubic.
    density_peak : 0-d array
        The normal density at 0.
    mills_pole : 0-d array
        See `mills`.
    """

    def __init__(self, dtype: str, mills_pole: float, mills: Sequence[float], columns: int) -> None:
        def number(value: float) -> np.ndarray:
            return np.asarray(value, dtype=dtype)

        self.zero, self.half, self.one, self.two = map(number, (0, 0.5, 1, 2))
        self.three, self.four, self.six, self.twenty = map(number, (3, 4, 6, 20))
        self.minus_half, self.minus_one, self.minus_two, self.minus_three = map(number, (-0.5, -1, -2, -3))
        self.least, self.most = number(-np.inf), number(np.inf)
        self.top, self.bottom = number(42), number(-800)
        self.density_end, self.gaussian_end, self.tanh_end = number(40), number(30), number(400)
        self.tanh_top, self.tanh_bottom = number(7.5), number(-25)
        linear = 2 * (2 / np.pi) ** 0.5
        self.linear, self.cubic = number(linear), number(linear * 0.044715)
        self.cubic_slope = number(3 * linear * 0.044715)
        self.density_peak = number((2 * np.pi) ** -0.5)
        self.mills_pole = number(mills_pole)
        self._table = np.asarray(mills, dtype=dtype).reshape(-1, columns)
        self._numbers = [number(value) for value in mills]

    def mills(self, t: np.ndarray, out: np.ndarray) -> np.ndarray:
        """m with (1 - Phi(a)) / exp(-a^2 / 2) = m t at t = 1 / (1 + mills_pole a), for a >= 0; Phi is the normal distribution.

        A polynomial through the values at Chebyshev's points, by Horner's rule in t^k on rows of k coefficients. With k = 6 a matrix
        product makes the rows: of 24 coefficients twice as fast; of the 9 that float32 needs k = 1 is faster.
        """
        columns, step, rows = self._table.shape[1], t, self._numbers
        if columns > 1:
            powers = np.empty((columns + 1, *t.shape), dtype=t.dtype)
            powers[0], powers[1] = 1, t
            for i in range(1, columns):
                np.multiply(powers[i], t, out=powers[i + 1])
            step = powers[columns]
            made = np.matmul(self._table, powers[:columns].reshape(columns, t.size))
            rows = [*made.reshape(len(made), *t.shape)]
        np.multiply(step, rows[-1], out=out)
        for row in rows[-2:0:-1]:
            out += row
            out *= step
        out += rows[0]
        return out


NUMBERS: dict[np.dtype, Numbers] = {
    np.dtype(np.float32): Numbers(
        "float32",
        0.35,  # up to a = 13.5; 4e-8 off
        (
            *(0.13961890197156052, 0.13990826499781348, 0.1194794326868689),
            *(0.10695824035962094, -0.026633097922763183, 0.16439173547481228),
            *(-0.26033790535540857, 0.14622420650001317, -0.029609795491101154),
        ),
        1,
    ),
    np.dtype(np.float64): Numbers(
        "float64",
        0.2,  # up to a = 39; 6e-19 off
        (
            *(0.07978845607961714, 0.07978845612945137, 0.07659691615132193, 0.07021387726640763),
            *(0.06102167729577108, 0.0497938918915418, 0.03753330340154867, 0.025973688096624162),
            *(0.01326460024413677, 0.015110436917665022, -0.02852278925213371, 0.08943216666817333),
            *(-0.22957468046997923, 0.47221702058749665, -0.8144804814866494, 1.14994919894517),
            *(-1.3182078310245355, 1.2105451498726731, -0.8682432522476472, 0.47114862329141877),
            *(-0.18592828357605737, 0.05027628997089989, -0.008336683573687928, 0.0006402488207730839),
        ),
        6,
    ),
}

TRAINING: dict[np.dtype, Numbers] = NUMBERS | {
    np.dtype(np.float32): Numbers(
        "float32",
        0.28,  # 1.1e-8 off beside 1, which is what counts in training; far out it has no digits
        (
            *(0.11672920401620933, 0.06622902376256744, 0.2719735943399281),
            *(-0.24067106777225578, 0.39206805045981874, -0.1063288158926635),
        ),
        1,
    ),
}
