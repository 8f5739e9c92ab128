"""The Fourier transforms of the standard, from MLX's."""

from __future__ import annotations

from typing import Any

import mlx.core as mx

from multimlp.backend import Array
from multimlp.errors import CapabilityError

fftshift, ifftshift = mx.fft.fftshift, mx.fft.ifftshift


def _single(x: Array) -> Array:
    if x.dtype == mx.float64:
        raise CapabilityError(
            "fft: MLX has no complex128, so that half of the digits would be lost; cast to float32: xp.astype(x, 'float32')"
        )
    return x


def _of_one_axis(function: Any) -> Any:
    def transform(x: Array, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Array:
        return function(_single(x), n=n, axis=axis, norm=norm)

    return transform


def _of_axes(function: Any) -> Any:
    def transform(x: Array, /, *, s: Any = None, axes: Any = None, norm: str = "backward") -> Array:
        axes = list(range(x.ndim)) if axes is None and s is None else axes
        return function(_single(x), s=s, axes=axes, norm=norm)

    return transform


fft, ifft, rfft, irfft = map(_of_one_axis, (mx.fft.fft, mx.fft.ifft, mx.fft.rfft, mx.fft.irfft))
fftn, ifftn, rfftn, irfftn = map(_of_axes, (mx.fft.fftn, mx.fft.ifftn, mx.fft.rfftn, mx.fft.irfftn))

_SWAPPED = {"backward": "forward", "forward": "backward", "ortho": "ortho"}


def hfft(x: Array, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Array:
    return irfft(mx.conjugate(x), n=n, axis=axis, norm=_SWAPPED[norm])


def ihfft(x: Array, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Array:
    return mx.conjugate(rfft(x, n=n, axis=axis, norm=_SWAPPED[norm]))


def fftfreq(n: int, /, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> Array:
    found = mx.fft.fftfreq(n, d)
    return found if dtype is None else found.astype(dtype)


def rfftfreq(n: int, /, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> Array:
    found = mx.fft.rfftfreq(n, d)
    return found if dtype is None else found.astype(dtype)
