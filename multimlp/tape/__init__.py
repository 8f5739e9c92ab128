"""Differentiation, reverse and forward, and vectorisation over any eager array-API namespace, for the libraries that have
none of their own, and Taylor mode for all libraries.

What is computed is recorded, or batched, through ``x.__array_namespace__()``, and the rules are written on the
standard alone: they work on NumPy, CuPy, array-api-strict and whatever else follows it. Rules are recorded too, so
that there are derivatives of any order, and derivatives and `vmap` nest in any order. Of what the standard gained in
2024.12 they use two functions only: ``cumulative_prod``, for products, and ``take_along_axis``, for sorting.
"""

from multimlp.tape._array import Wrapped, any_wrapped, check_arithmetic
from multimlp.tape._state import RECORDING, outermost_level
from multimlp.tape.batched import Batched, NeedsLoop
from multimlp.tape.checkpoint import checkpoint
from multimlp.tape.core import Dual, Traced, raw, stop_gradient
from multimlp.tape.custom import custom_jvp, custom_vjp
from multimlp.tape.expansion import composed, jet, laplacian
from multimlp.tape.forward import jvp
from multimlp.tape.linear import jvp_by_pullbacks, linearize
from multimlp.tape.namespace import constants_for, namespace_for, primitive, traced_type
from multimlp.tape.recording import operation
from multimlp.tape.reverse import value_and_grad, vjp
from multimlp.tape.series import Series
from multimlp.tape.slopes import with_slopes
from multimlp.tape.vectorized import vmap

__all__ = [
    "RECORDING",
    "Batched",
    "Dual",
    "NeedsLoop",
    "Series",
    "Traced",
    "Wrapped",
    "any_wrapped",
    "check_arithmetic",
    "checkpoint",
    "composed",
    "constants_for",
    "custom_jvp",
    "custom_vjp",
    "jet",
    "jvp",
    "jvp_by_pullbacks",
    "laplacian",
    "linearize",
    "namespace_for",
    "operation",
    "outermost_level",
    "primitive",
    "raw",
    "stop_gradient",
    "traced_type",
    "value_and_grad",
    "vjp",
    "vmap",
    "with_slopes",
]
