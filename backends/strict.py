"""array-api-strict: the standard and nothing else; what runs here is written on the standard."""

from __future__ import annotations

from typing import Any

import array_api_strict as xp
import numpy as np

from multimlp.backend import Array, Backend, Capabilities, is_traced
from multimlp.backends._dtype_names import leave_names_to_answer


def _leave_traced_arrays_to_answer() -> None:
    """Operators of the library mean to return NotImplemented for a right operand that they do not know, so that it may answer, but a
    check before that raises. Traced arrays pass it; everything else is refused as before."""
    check = getattr(xp._array_object.Array, "_check_type_device", None)
    if check is None:
        return  # a version without it

    def checked(self: Array, other: Any) -> None:
        if not is_traced(other):
            check(self, other)

    xp._array_object.Array._check_type_device = checked  # type: ignore[method-assign]


_leave_traced_arrays_to_answer()
leave_names_to_answer(type(xp.float32))


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

    def to_numpy(self, x: Array) -> np.ndarray:
        """Not through DLPack, by which NumPy before 2.1 hands out no array that is read-only."""
        return np.asarray(x)
