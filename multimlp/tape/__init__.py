"""Reverse-mode differentiation over any eager array-API namespace, for the libraries that have none of their
own.

What is computed is recorded through ``x.__array_namespace__()``, and the rules are written on the standard
alone: they work on NumPy, CuPy, array-api-strict and whatever else follows it. Rules are recorded too, so
that there are derivatives of any order. Of what the standard gained in 2024.12 they use two functions only:
``cumulative_prod``, for products, and ``take_along_axis``, for sorting.
"""

from multimlp.tape._state import RECORDING, outermost_level
from multimlp.tape.core import Traced, raw, stop_gradient
from multimlp.tape.namespace import constants_for, namespace_for, primitive, traced_type
from multimlp.tape.reverse import jvp, value_and_grad, vjp
from multimlp.tape.slopes import with_slopes

__all__ = [
    "RECORDING",
    "Traced",
    "constants_for",
    "jvp",
    "namespace_for",
    "outermost_level",
    "primitive",
    "raw",
    "stop_gradient",
    "traced_type",
    "value_and_grad",
    "vjp",
    "with_slopes",
]
