"""The namespace of JAX arrays: `jax.numpy`, whose functions keep 64 bits also while JAX's x64 switch is off.

``jax.numpy`` itself then narrows float64 arrays to float32 in silence (``sum``), or raises (``ones_like``). Operators belong to
the arrays, not to a namespace, and stay as JAX has them; ``docs/exchanging-arrays.md`` says what they do. `expm1` and `tanh` have JAX's
values and derivatives that keep their digits.
"""

from __future__ import annotations

import jax.numpy

from multimlp.backends.jax import fft, linalg
from multimlp.backends.jax._derivatives import expm1, tanh
from multimlp.backends.jax._wide import names_of

__all__ = ["expm1", "fft", "linalg", "tanh"]

__getattr__, __dir__ = names_of(jax.numpy, __name__)
