"""Dask's arrays as a backend of multimlp: the tape differentiates what Dask puts off, and training is refused."""

import array_api_compat.dask.array as xp
import dask
import dask.array as da
import numpy as np

from multimlp.backend import Backend, Capabilities


class DaskBackend(Backend):
    name = "dask"
    xp = xp
    module = "dask"
    capabilities = Capabilities(epoch="none")  # each step would put off all steps before it once more

    def is_array_type(self, cls):
        return issubclass(cls, da.Array)

    def dtype_name(self, dtype):
        return np.dtype(dtype).name

    def asarray(self, x, *, dtype=None, device=None):
        if isinstance(x, da.Array):
            return x if dtype is None else x.astype(dtype)
        return da.from_array(np.array(x, dtype=dtype))

    def to_numpy(self, x):
        return np.asarray(x.compute(scheduler="synchronous"))

    def synchronize(self, *arrays):
        dask.compute(*arrays, scheduler="synchronous")
