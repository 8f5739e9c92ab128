"""The array API namespace of torch: that of array-api-compat, but for what torch's compilers get wrong or refuse there.

All the rest, dtypes and torch's own functions too, is handed on as it is.
"""

from __future__ import annotations

import builtins
import importlib
from typing import Any

import numpy as np
import torch
from array_api_compat.torch import *

from multimlp.backend import Array
from multimlp.backends.torch import linalg as _linalg
from multimlp.backends.torch._sets import unique_all as unique_all
from multimlp.backends.torch._sets import unique_counts as unique_counts
from multimlp.backends.torch._sets import unique_inverse as unique_inverse
from multimlp.backends.torch._sets import unique_values as unique_values
from multimlp.backends.torch._tracing import is_compiling
from multimlp.errors import ShapeError

_compat: Any = importlib.import_module("array_api_compat.torch")  # its types say less than it has
__array_api_version__ = _compat.__array_api_version__
__array_namespace_info__ = _compat.__array_namespace_info__
fft, linalg = _compat.fft, _linalg

__all__ = sorted({*_compat.__all__, "__array_namespace_info__", "fft", "linalg"})


def __dir__() -> list[str]:
    return __all__


def eye(
    n_rows: int,
    n_cols: int | None = None,
    /,
    *,
    k: int = 0,
    dtype: torch.dtype | None = None,
    device: Any | None = None,
) -> Array:
    """Ones on the k-th diagonal, by comparison.

    array-api-compat writes them through a view of zeros, which inductor gets wrong in larger programs: in the gradient of a
    Gaussian process' likelihood with 20 rows, not with 12.
    """
    rows = torch.arange(n_rows, device=device)[:, None]
    columns = torch.arange(n_rows if n_cols is None else n_cols, device=device)
    wanted = torch.get_default_dtype() if dtype is None else dtype
    return (columns - rows == k).to(wanted)


def argmax(x: Array, /, *, axis: int | None = None, keepdims: bool = False) -> Array:
    """The index of the greatest, which torch's vmap gives too few axes where it is that of all and ``keepdims`` is asked for."""
    if axis is None and keepdims:
        return torch.reshape(torch.argmax(x), (1,) * x.ndim)
    return _compat.argmax(x, axis=axis, keepdims=keepdims)


def argmin(x: Array, /, *, axis: int | None = None, keepdims: bool = False) -> Array:
    """As `argmax`, of the least."""
    if axis is None and keepdims:
        return torch.reshape(torch.argmin(x), (1,) * x.ndim)
    return _compat.argmin(x, axis=axis, keepdims=keepdims)


def expm1(x: Array, /) -> Array:
    """exp(x) - 1 without cancellation, compiled too, with the derivative exp(x).

    Inductor writes the difference as it stands for loops with SIMD, so that tiny x give 0. There the value is
    tanh(x / 2) (exp(x) + 1), which has no cancellation. What is differentiated is the difference: the derivatives of all
    orders are exp(x), also where it overflows, and not torch's expm1(x) + 1, of which no digit is left below -17 or -37.
    """
    compiling = is_compiling()
    if not x.dtype.is_floating_point or not (compiling or may_be_differentiated(x)):
        return torch.expm1(x)
    e = torch.exp(x)
    difference = e - 1
    value = (torch.tanh(x / 2) * (e + 1) if compiling else torch.expm1(x)).detach()
    nothing = difference.detach() - difference  # subtracted, so that -0 stays -0
    return torch.where(torch.isfinite(value), value - nothing, difference)


def take(x: Array, indices: Array, /, *, axis: int | None = None) -> Array:
    """Slices of x at indices of any integer dtype and any number of axes. Torch's own takes one axis and the wider dtypes; of an index
    without axes its vmap makes a result of a wrong shape."""
    indices = indices if indices.dtype is torch.int32 else _wide(indices)
    if indices.ndim == 1:
        return _compat.take(x, indices, axis=axis)
    found = _compat.take(x, torch.reshape(indices, (-1,)), axis=axis)
    place = 0 if axis is None else axis % x.ndim
    return torch.reshape(found, (*x.shape[:place], *indices.shape, *x.shape[place + 1 :]))


def take_along_axis(x: Array, indices: Array, /, *, axis: int = -1) -> Array:
    """Of indices of any integer dtype, of which torch's own takes int64."""
    return _compat.take_along_axis(x, _wide(indices), axis=axis)


def moveaxis(x: Array, source: int | tuple[int, ...], destination: int | tuple[int, ...], /) -> Array:
    """As a permutation where torch's vmap may see it, which has no rule for its own."""
    moved: Any = (source, destination)
    if not (is_compiling() or torch._C._are_functorch_transforms_active()):
        return torch.moveaxis(x, *moved)
    order = np.moveaxis(np.empty(tuple(builtins.range(x.ndim))), *moved).shape
    return torch.permute(x, order)


def unstack(x: Array, /, *, axis: int = 0) -> tuple[Array, ...]:
    """The slices along an axis; array-api-compat's moves it by what torch's vmap has no rule for."""
    return torch.unbind(x, axis)


def tril(x: Array, /, *, k: int = 0) -> Array:
    """The lower triangle. Of vectors torch's vmap would take the rows that it hides for rows of a matrix."""
    return torch.tril(_matrices("tril", x), k)


def triu(x: Array, /, *, k: int = 0) -> Array:
    """As `tril`, the upper one."""
    return torch.triu(_matrices("triu", x), k)


def _matrices(name: str, x: Array) -> Array:
    if x.ndim < 2:
        raise ShapeError(
            f"{name}: expected a matrix or a stack of them, got an array of shape {tuple(x.shape)}"
        )
    return x


def searchsorted(x1: Array, x2: Array, /, **options: Any) -> Array:
    """Places in a sorted vector; torch's vmap would take its rows for one."""
    if x1.ndim != 1:
        raise ShapeError(f"searchsorted: expected a sorted vector, got an array of shape {tuple(x1.shape)}")
    return _compat.searchsorted(x1, x2, **options)


def vecdot(x1: Array, x2: Array, /, *, axis: int = -1) -> Array:
    """The sum of products along an axis, which is array-api-compat's but for the `moveaxis` above."""
    if x1.shape[axis] != x2.shape[axis]:
        raise ShapeError(
            f"vecdot: axis {axis} must be of one length, got shapes {tuple(x1.shape)} and {tuple(x2.shape)}"
        )
    rows, columns = moveaxis(x1, axis, -1)[..., None, :], moveaxis(x2, axis, -1)[..., None]
    return _compat.matmul(torch.conj(rows), columns)[..., 0, 0]


def _wide(indices: Array) -> Array:
    if indices.dtype is torch.bool or indices.dtype.is_floating_point or indices.dtype.is_complex:
        return indices  # which torch refuses
    return indices.to(torch.int64)


def may_be_differentiated(x: torch.Tensor) -> bool:
    """Whether autograd, a transform of `torch.func` or a forward derivative sees what is done to x."""
    return (
        x.requires_grad
        or torch._C._are_functorch_transforms_active()
        or torch.autograd.forward_ad.unpack_dual(x).tangent is not None
    )


def atanh(x: Array, /) -> Array:
    """The inverse of tanh; inductor writes the logarithm of a quotient, of which tiny x have no digit left."""
    if not is_compiling() or not x.dtype.is_floating_point:
        return torch.atanh(x)
    return (torch.log1p(x) - torch.log1p(-x)) / 2


def sign(x: Array, /) -> Array:
    """-1, 0, 1, and NaN at NaN; array-api-compat assigns by a mask, which `torch.func.vmap` refuses."""
    if not x.dtype.is_floating_point:
        return _compat.sign(x)
    return torch.where(torch.isnan(x), x, torch.sign(x))


def erf(x: Array, /) -> Array:
    """The error function; of 16 bits in float32, because torch gives 0 for tiny x in bfloat16; compiled, of float32 in float64:
    inductor takes an approximation there that is off by up to 4e-7, and gives 0 for tiny x."""
    on_cpu = x.device.type == "cpu"
    if on_cpu and x.dtype is not torch.float64 and is_compiling():
        return torch.special.erf(x.to(torch.float64)).to(x.dtype)
    if on_cpu and x.dtype in (torch.bfloat16, torch.float16):
        return torch.special.erf(x.to(torch.float32)).to(x.dtype)
    return torch.special.erf(x)
