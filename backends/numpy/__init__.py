"""NumPy: kernels where a ufunc beats the portable form, updates in place; the tape differentiates."""

from multimlp.backends.numpy.adapter import NumpyBackend

__all__ = ["NumpyBackend"]
