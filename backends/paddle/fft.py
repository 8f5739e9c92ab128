"""The Fourier transforms of the standard, which Paddle has under the same names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import paddle

from multimlp.backends.paddle._creation import asarray
from multimlp.backends.paddle._dtypes import DEFAULT_FLOAT, Array, DType

__all__ = [
    "fft", "fftfreq", "fftn", "fftshift", "hfft", "ifft", "ifftn", "ifftshift", "ihfft", "irfft", "irfftn", "rfft", "rfftfreq", "rfftn",
]  # fmt: skip


def _of_one_axis(function: Callable[..., Array]) -> Callable[..., Array]:
    def transform(x: Array, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Array:
        return function(x, n=n, axis=axis, norm=norm)

    return transform


def _of_axes(function: Callable[..., Array]) -> Callable[..., Array]:
    def transform(x: Array, /, *, s: Any = None, axes: Any = None, norm: str = "backward") -> Array:
        return function(x, s=s, axes=axes, norm=norm)

    return transform


fft, ifft, rfft, irfft = map(
    _of_one_axis, (paddle.fft.fft, paddle.fft.ifft, paddle.fft.rfft, paddle.fft.irfft)
)
hfft, ihfft = map(_of_one_axis, (paddle.fft.hfft, paddle.fft.ihfft))
fftn, ifftn, rfftn, irfftn = map(
    _of_axes, (paddle.fft.fftn, paddle.fft.ifftn, paddle.fft.rfftn, paddle.fft.irfftn)
)


def fftshift(x: Array, /, *, axes: Any = None) -> Array:
    return _shifted(x, axes, lambda n: n // 2)


def ifftshift(x: Array, /, *, axes: Any = None) -> Array:
    return _shifted(x, axes, lambda n: -(n // 2))


def _shifted(x: Array, axes: Any, shift: Callable[[int], int]) -> Array:
    """Paddle's own fail on the CPU."""
    chosen = list(range(x.ndim)) if axes is None else [axes] if isinstance(axes, int) else list(axes)
    return paddle.roll(x, [shift(x.shape[axis]) for axis in chosen], chosen)


def fftfreq(n: int, /, *, d: float = 1.0, dtype: DType | None = None, device: Any = None) -> Array:
    return asarray(np.fft.fftfreq(n, d), dtype=DEFAULT_FLOAT if dtype is None else dtype, device=device)


def rfftfreq(n: int, /, *, d: float = 1.0, dtype: DType | None = None, device: Any = None) -> Array:
    return asarray(np.fft.rfftfreq(n, d), dtype=DEFAULT_FLOAT if dtype is None else dtype, device=device)
