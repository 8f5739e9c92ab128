"""Fourier transforms: the extension of the standard, on libraries that have it."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from multimlp._typing import Array
from multimlp.xp._creation import made
from multimlp.xp._dispatch import FFT, dispatched
from multimlp.xp._dtypes import DTypeLike

__all__ = [
    "fft",
    "fftfreq",
    "fftn",
    "fftshift",
    "hfft",
    "ifft",
    "ifftn",
    "ifftshift",
    "ihfft",
    "irfft",
    "irfftn",
    "rfft",
    "rfftfreq",
    "rfftn",
]

of_fft = functools.partial(dispatched, part=FFT)


@of_fft
def fft(x: Array, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Array:
    """Discrete Fourier transform."""


@of_fft
def ifft(x: Array, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Array:
    """Inverse of `fft`."""


@of_fft
def rfft(x: Array, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Array:
    """Fourier transform of real numbers: the half that determines it."""


@of_fft
def irfft(x: Array, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Array:
    """Inverse of `rfft`."""


@of_fft
def hfft(x: Array, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Array:
    """Fourier transform of Hermitian numbers, which is real."""


@of_fft
def ihfft(x: Array, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Array:
    """Inverse of `hfft`."""


@of_fft
def fftn(
    x: Array, /, *, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: str = "backward"
) -> Array:
    """Fourier transform along several axes."""


@of_fft
def ifftn(
    x: Array, /, *, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: str = "backward"
) -> Array:
    """Inverse of `fftn`."""


@of_fft
def rfftn(
    x: Array, /, *, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: str = "backward"
) -> Array:
    """Fourier transform of real numbers along several axes."""


@of_fft
def irfftn(
    x: Array, /, *, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: str = "backward"
) -> Array:
    """Inverse of `rfftn`."""


@of_fft
def fftshift(x: Array, /, *, axes: int | Sequence[int] | None = None) -> Array:
    """The frequency 0 in the middle."""


@of_fft
def ifftshift(x: Array, /, *, axes: int | Sequence[int] | None = None) -> Array:
    """Inverse of `fftshift`."""


def fftfreq(
    n: int,
    /,
    *,
    d: float = 1.0,
    dtype: DTypeLike = None,
    device: Any | None = None,
    like: Array | None = None,
) -> Array:
    """The frequencies of `fft`."""
    return made("fftfreq", "real floating", dtype, device, like, n, part=FFT, d=d)


def rfftfreq(
    n: int,
    /,
    *,
    d: float = 1.0,
    dtype: DTypeLike = None,
    device: Any | None = None,
    like: Array | None = None,
) -> Array:
    """The frequencies of `rfft`."""
    return made("rfftfreq", "real floating", dtype, device, like, n, part=FFT, d=d)
