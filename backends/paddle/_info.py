"""What the namespace says of itself."""

from __future__ import annotations

import paddle

from multimlp.backends.paddle import _dtypes as dtypes
from multimlp.backends.paddle._dtypes import DType

__all__ = ["__array_namespace_info__"]

_DTYPES = {"bool": paddle.bool} | {
    name: getattr(dtypes, name)
    for name in ("int8", "int16", "int32", "int64", "uint8", "float32", "float64", "complex64", "complex128")
}


class __array_namespace_info__:  # noqa: N801 - the standard's name
    """The standard's inspection functions."""

    def capabilities(self) -> dict[str, bool | int]:
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 9}

    def default_device(self) -> str:
        return self.devices()[-1].partition(":")[0] + (":0" if len(self.devices()) > 1 else "")

    def devices(self) -> list[str]:
        return ["cpu", *(f"cuda:{i}" for i in range(paddle.device.cuda.device_count()))]

    def default_dtypes(self, *, device: str | None = None) -> dict[str, DType]:
        return {
            "real floating": dtypes.DEFAULT_FLOAT,
            "complex floating": dtypes.DEFAULT_COMPLEX,
            "integral": dtypes.DEFAULT_INTEGER,
            "indexing": dtypes.DEFAULT_INTEGER,
        }

    def dtypes(
        self, *, device: str | None = None, kind: str | tuple[str, ...] | None = None
    ) -> dict[str, DType]:
        return {name: d for name, d in _DTYPES.items() if kind is None or dtypes.isdtype(d, kind)}
