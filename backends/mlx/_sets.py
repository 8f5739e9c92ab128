"""Sets: on the host, since the sizes of the results depend on the values."""

from __future__ import annotations

import mlx.core as mx
import numpy as np

from multimlp.backends import _host_sets

__all__ = ["unique_all", "unique_counts", "unique_inverse", "unique_values"]

unique_all, unique_counts, unique_inverse, unique_values = _host_sets.on_the_host(
    np.array, lambda host, x: mx.array(host), mx.take
)
