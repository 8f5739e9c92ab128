"""`jax.numpy.fft`, whose functions keep 64 bits."""

from __future__ import annotations

import jax.numpy.fft

from multimlp.backends.jax._wide import names_of

__getattr__, __dir__ = names_of(jax.numpy.fft, __name__)
