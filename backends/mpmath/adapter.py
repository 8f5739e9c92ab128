"""mpmath: an oracle, not a library to train with. The tape differentiates, with as many digits."""

from __future__ import annotations

from typing import Any

import numpy as np

from multimlp.backend import Array, Backend, Capabilities
from multimlp.backends.mpmath import namespace
from multimlp.backends.mpmath.array import Array as MpArray
from multimlp.backends.mpmath.scalars import context


class MpmathBackend(Backend):
    """Adapter for arrays of arbitrary precision; 50 digits unless ``context.dps`` says otherwise."""

    name = "mpmath"
    xp = namespace
    module = "mpmath"
    capabilities = Capabilities(dtypes=("float64",))
    context = context

    @staticmethod
    def scatter_add(target: Array, index: Any, values: Array) -> Array:
        np.add.at(target.data, index.data, values.data)
        return target

    def is_array_type(self, cls: type) -> bool:
        return issubclass(cls, MpArray)

    def dtype(self, name: str) -> Any:
        return namespace.bool if name == "bool" else super().dtype(name)

    def asarray(self, x: Any, *, dtype: str | None = None, device: str | None = None) -> Array:
        return namespace.asarray(x, dtype=None if dtype is None else self.dtype(dtype))

    def to_numpy(self, x: Array) -> np.ndarray:
        """Real numbers rounded to float64."""
        return x.data.astype(np.float64) if x.dtype is namespace.float64 else x.data
