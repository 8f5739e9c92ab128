"""MLX, Apple's array library, on the CPU of Linux too: derivatives, vectorisation and compilation are its own."""

from multimlp.backends.mlx.adapter import MLXBackend

__all__ = ["MLXBackend"]
