"""Function transforms on every backend: the public face of the adapters, with JAX's names and argument order.

A transform looks at the arrays it is called with, asks their library's adapter, and hands it flat tuples; trees, ``argnums``,
auxiliary outputs and all checks are dealt with here, once. Transforms nest: ``jit(vmap(grad(f)))``, ``grad(grad(f))``.
"""

from multimlp.transforms._at import at
from multimlp.transforms._call import ArgNums
from multimlp.transforms._control import cond, fori_loop, while_loop
from multimlp.transforms._custom import custom_jvp, custom_vjp
from multimlp.transforms._forward import hvp, jvp, linearize
from multimlp.transforms._jacobian import hessian, jacfwd, jacobian, jacrev
from multimlp.transforms._jet import jet
from multimlp.transforms._jit import jit
from multimlp.transforms._laplacian import laplacian
from multimlp.transforms._remat import remat
from multimlp.transforms._reverse import elementwise_grad, grad, value_and_grad, vjp
from multimlp.transforms._scan import scan
from multimlp.transforms._stop_gradient import stop_gradient
from multimlp.transforms._vmap import vmap

__all__ = [
    "ArgNums",
    "at",
    "cond",
    "custom_jvp",
    "custom_vjp",
    "elementwise_grad",
    "fori_loop",
    "grad",
    "hessian",
    "hvp",
    "jacfwd",
    "jacobian",
    "jacrev",
    "jet",
    "jit",
    "jvp",
    "laplacian",
    "linearize",
    "remat",
    "scan",
    "stop_gradient",
    "value_and_grad",
    "vjp",
    "vmap",
    "while_loop",
]
