"""array-api-strict: the standard and nothing else; what runs here is written on the standard."""

from __future__ import annotations

from typing import Any

import array_api_strict as xp
import numpy as np

from multimlp.backend import Array, Backend, Capabilities


class StrictBackend(Backend):
    """Adapter for `array_api_strict.Array`."""

    name = "strict"
    xp = xp
    capabilities = Capabilities()

    def is_array_type(self, cls: type) -> bool:
        return cls.__module__.partition(".")[0] == "array_api_strict" and cls.__name__ == "Array"

    def asarray(self, x: Any, *, dtype: str | None = None, device: str | None = None) -> Array:
        if self.is_array_type(type(x)):
            return super().asarray(x, dtype=dtype)
        return xp.asarray(np.asarray(x, dtype=dtype))
