"""Activation functions: array in, array of the same library, dtype and device out.

Each is written once, on the array API standard, with the same value and the same derivative on every library,
at kinks too; each has its closed-form derivative. A backend's own kernel stands in only where it agrees.

Find them by name with `get`, `names`, `derivative`, `describe`. `configured`, `learnable` and `parse` make
what a layer holds.
"""

# ruff: noqa: F403
from multimlp.activations import _axis, _exponential, _gated, _hard, _rectifiers, _sigmoidal
from multimlp.activations._activation import Activation, Parameter, configured, learnable, parse
from multimlp.activations._axis import *
from multimlp.activations._description import Description
from multimlp.activations._erf import erf, erfc
from multimlp.activations._exponential import *
from multimlp.activations._gated import *
from multimlp.activations._hard import *
from multimlp.activations._lookup import derivative, describe, get, names
from multimlp.activations._rectifiers import *
from multimlp.activations._sigmoidal import *

__all__ = [
    "Activation",
    "Description",
    "Parameter",
    "configured",
    "derivative",
    "describe",
    "erf",
    "erfc",
    "get",
    "learnable",
    "names",
    "parse",
]
__all__ += _rectifiers.__all__
__all__ += _hard.__all__
__all__ += _exponential.__all__
__all__ += _sigmoidal.__all__
__all__ += _gated.__all__
__all__ += _axis.__all__
