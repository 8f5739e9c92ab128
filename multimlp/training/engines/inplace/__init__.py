"""The in-place engine: training on flat preallocated buffers, for libraries that compile no loops."""

from multimlp.training.engines.inplace.engine import build
from multimlp.training.engines.inplace.full_batch import build_full_batch

__all__ = ["build", "build_full_batch"]
