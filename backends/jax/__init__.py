"""JAX: its transforms are the model for ours, its namespace is ``jax.numpy`` with 64 bits kept, its compiler is XLA."""

from multimlp.backends.jax.adapter import JaxBackend

__all__ = ["JaxBackend"]
