"""What the namespace says of itself."""

from __future__ import annotations

import mlx.core as mx

__all__ = ["__array_namespace_info__"]

_DTYPES = {
    name: getattr(mx, name.replace("bool", "bool_"))
    for name in (
        "bool",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "float32",
        "float64",
        "complex64",
    )
}


class __array_namespace_info__:  # noqa: N801 - the standard's name
    """The standard's inspection functions; float16 and bfloat16, which it does not know, are not listed."""

    def capabilities(self) -> dict[str, bool | int]:
        return {"boolean indexing": False, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self) -> str:
        return mx.default_device().type.name

    def devices(self) -> list[str]:
        return [self.default_device()]

    def default_dtypes(self, *, device: str | None = None) -> dict[str, mx.Dtype]:
        return {
            "real floating": mx.float32,
            "complex floating": mx.complex64,
            "integral": mx.int32,
            "indexing": mx.int64,
        }

    def dtypes(
        self, *, device: str | None = None, kind: str | tuple[str, ...] | None = None
    ) -> dict[str, mx.Dtype]:
        return {name: dtype for name, dtype in _DTYPES.items() if kind is None or mx.isdtype(dtype, kind)}
