"""The arbitrary-precision backend: portable code at 50 digits, which errors are measured against."""

from multimlp.backends.mpmath.adapter import MpmathBackend

__all__ = ["MpmathBackend"]
