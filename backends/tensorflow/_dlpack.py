"""DLPack in: from any array library to TensorFlow, sharing memory where that is safe.

``tf.experimental.dlpack.from_dlpack`` takes a buffer of any alignment, and the first kernel that reads one
which is not aligned to 64 bytes ends the process. So the address is read from the DLPack header first.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from multimlp.backends._dlpack import CPU, layout
from multimlp.backends.tensorflow import _device
from multimlp.backends.tensorflow._dtypes import Tensor
from multimlp.errors import InputError

__all__ = ["from_dlpack"]

_ALIGNMENT = 64


def _can_be_shared(capsule: Any) -> bool:
    """Whether the buffer is aligned and lies in C order."""
    found = layout(capsule)
    return found.address % _ALIGNMENT == 0 and found.in_c_order


def from_dlpack(x: Any, /, *, device: str | None = None, copy: bool | None = None) -> Tensor:
    """A tensor with the elements of any array that speaks DLPack.

    The memory is shared where TensorFlow can read it in place, else copied. Tensors are taken to be
    immutable: do not write into an array whose memory is shared.

    Parameters
    ----------
    x
        An array with ``__dlpack__`` and ``__dlpack_device__``.
    device
        Where the tensor is to lie; None leaves it where it is.
    copy
        True always copies, False never does, None only if it must.

    Raises
    ------
    InputError
        ``copy=False`` and the memory is unaligned, not in C order, or on another device.
    """
    if tf.is_tensor(x):
        shared: Tensor | None = tf.convert_to_tensor(x)
    else:
        if not hasattr(x, "__dlpack__"):
            raise InputError(
                f"from_dlpack: expected an array with a __dlpack__ method, got {type(x).__qualname__}"
            )
        shared = None
        if not copy and getattr(getattr(x, "flags", None), "writeable", True):
            capsule = x.__dlpack__()
            if _can_be_shared(capsule):
                shared = tf.experimental.dlpack.from_dlpack(capsule)
    if shared is None:
        if copy is False:
            raise InputError(
                "from_dlpack: this memory cannot be shared with TensorFlow; use copy=None or copy=True"
            )
        shared = _copied(x)
    with _device.on(device):
        return tf.identity(shared) if copy or device is not None else shared


def _copied(x: Any) -> Tensor:
    if isinstance(x, np.ndarray):
        return tf.constant(x)
    if x.__dlpack_device__()[0] == CPU:
        try:
            return tf.constant(np.from_dlpack(x))
        except RuntimeError:  # NumPy knows no bfloat16
            pass
    capsule = x.__dlpack__(copy=True)
    if not _can_be_shared(capsule):
        raise InputError("from_dlpack: a contiguous, aligned array is needed; make a contiguous copy first")
    return tf.experimental.dlpack.from_dlpack(capsule)
