"""`jax.numpy.linalg`, whose functions keep 64 bits."""

from __future__ import annotations

import jax.numpy.linalg

from multimlp.backends.jax._wide import names_of

__getattr__, __dir__ = names_of(jax.numpy.linalg, __name__)
