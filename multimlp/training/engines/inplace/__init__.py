"""The in-place engine: training on flat preallocated buffers, for libraries that compile no loops."""

from multimlp.training.engines.inplace.engine import build

__all__ = ["build"]
