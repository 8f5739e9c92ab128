"""Activation functions: array in, array of the same library, dtype and device out.

Each is written once, on the array API standard, with the same value and the same derivative on every library,
at kinks too; each has its closed-form derivative. A backend's own kernel stands in only where it agrees.

Find them by name with `get`, `names`, `derivative`, `describe`. `configured`, `learnable` and `parse` make
what a layer holds.
"""

from multimlp.activations._activation import Activation, Parameter, configured, learnable, parse
from multimlp.activations._axis import glu, log_softmax, softmax, softmin
from multimlp.activations._erf import erf, erfc
from multimlp.activations._exponential import celu, elu, exponential, gaussian, selu, sine
from multimlp.activations._gated import gelu, mish, silu, swish
from multimlp.activations._hard import (
    hard_sigmoid,
    hard_swish,
    hard_tanh,
    hardshrink,
    softshrink,
    sparse_plus,
    sparse_sigmoid,
)
from multimlp.activations._lookup import derivative, describe, get, names
from multimlp.activations._rectifiers import (
    identity,
    leaky_relu,
    prelu,
    relu,
    relu6,
    relu_squared,
    step,
    threshold,
)
from multimlp.activations._sigmoidal import (
    log_sigmoid,
    sigmoid,
    softplus,
    softsign,
    squareplus,
    tanh,
    tanhshrink,
)
from multimlp.activations._table import Description

__all__ = [
    "Activation",
    "Description",
    "Parameter",
    "celu",
    "configured",
    "derivative",
    "describe",
    "elu",
    "erf",
    "erfc",
    "exponential",
    "gaussian",
    "gelu",
    "get",
    "glu",
    "hard_sigmoid",
    "hard_swish",
    "hard_tanh",
    "hardshrink",
    "identity",
    "leaky_relu",
    "learnable",
    "log_sigmoid",
    "log_softmax",
    "mish",
    "names",
    "parse",
    "prelu",
    "relu",
    "relu6",
    "relu_squared",
    "selu",
    "sigmoid",
    "silu",
    "sine",
    "softmax",
    "softmin",
    "softplus",
    "softshrink",
    "softsign",
    "sparse_plus",
    "sparse_sigmoid",
    "squareplus",
    "step",
    "swish",
    "tanh",
    "tanhshrink",
    "threshold",
]
