"""What the namespace says of itself."""

from __future__ import annotations

import tensorflow as tf

from multimlp.backends.tensorflow import _device
from multimlp.backends.tensorflow._dtypes import (
    ANY,
    DEFAULT_COMPLEX,
    DEFAULT_FLOAT,
    DEFAULT_INTEGER,
    DType,
    bfloat16,
    float16,
    int64,
    isdtype,
)

__all__ = ["__array_namespace_info__"]


class __array_namespace_info__:  # noqa: N801 - the standard's name
    """The standard's inspection functions; float16 and bfloat16, which it does not know, are not listed."""

    def capabilities(self) -> dict[str, bool | int]:
        """What a plain ``tf.Tensor`` can do; ``nonzero`` and ``take`` stand in for boolean indexing."""
        return {"boolean indexing": False, "data-dependent shapes": True, "max dimensions": 254}

    def default_device(self) -> str:
        """The device of a new tensor."""
        return tf.zeros(()).device

    def devices(self) -> list[str]:
        """All devices of this process."""
        return _device.devices()

    def default_dtypes(self, *, device: str | None = None) -> dict[str, DType]:
        """The dtypes of arrays made from Python numbers."""
        return {
            "real floating": DEFAULT_FLOAT,
            "complex floating": DEFAULT_COMPLEX,
            "integral": DEFAULT_INTEGER,
            "indexing": int64,
        }

    def dtypes(
        self, *, device: str | None = None, kind: str | tuple[str, ...] | None = None
    ) -> dict[str, DType]:
        """The standard's dtypes of a kind, by name."""
        listed = sorted(ANY - {float16, bfloat16}, key=lambda dtype: dtype.as_datatype_enum)
        return {dtype.name: dtype for dtype in listed if kind is None or isdtype(dtype, kind)}
