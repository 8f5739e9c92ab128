"""An array API namespace over ``mlx.core``: MLX's functions, but where the standard has other arguments or results.

All of it works eagerly, under MLX's own transforms and in ``mx.compile``, but for what needs the values on the host: `nonzero`, `nextafter`
and the sets. float64 exists on the CPU alone, and there is no complex128; `_exact` has what MLX
computes with too few digits.
"""

from __future__ import annotations

import mlx.core as _mx
from mlx.core import *

from multimlp.backends.mlx import fft as fft
from multimlp.backends.mlx import linalg as linalg
from multimlp.backends.mlx._bits import *
from multimlp.backends.mlx._exact import *
from multimlp.backends.mlx._functions import *
from multimlp.backends.mlx._info import *
from multimlp.backends.mlx._sets import *

__array_api_version__ = "2024.12"
bool = _mx.bool_

for _name in ("array", "compile", "erf", "erfinv", "grad", "jvp", "random", "value_and_grad", "vjp", "vmap"):
    del globals()[_name]  # none of the standard's; ``erf`` is 0 for tiny numbers

__all__ = sorted(name for name in globals() if not name.startswith("_") and name != "annotations")
