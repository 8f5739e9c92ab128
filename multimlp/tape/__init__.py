"""Reverse-mode differentiation over any eager array-API namespace, for the libraries that have none of their
own.

What is computed is recorded through ``x.__array_namespace__()``, and the rules are written on the array API
standard alone, so this works on NumPy, CuPy, array-api-strict and on whatever else follows the standard.
Rules are recorded too: derivatives of any order.
"""

from multimlp.tape.core import Traced, raw, stop_gradient
from multimlp.tape.namespace import primitive, traced_type
from multimlp.tape.reverse import jvp, value_and_grad, vjp

__all__ = ["Traced", "jvp", "primitive", "raw", "stop_gradient", "traced_type", "value_and_grad", "vjp"]
