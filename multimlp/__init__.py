"""Multilayer perceptrons, gradients and proof of parity on many array libraries, from one portable definition.

>>> import numpy as np
>>> import multimlp as mm
>>> mlp = mm.MLP(4, 5, 3, activation="gelu")
>>> params = mlp.init(seed=0)
>>> mlp(params, np.ones((2, 4), dtype=np.float32)).shape
(2, 3)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from multimlp import errors, tree
from multimlp.backend import Backend, array_namespace, convert, get_backend, op, set_backend, use_backend
from multimlp.transforms import (
    at,
    cond,
    custom_jvp,
    custom_vjp,
    elementwise_grad,
    fori_loop,
    grad,
    hessian,
    hvp,
    jacfwd,
    jacobian,
    jacrev,
    jet,
    jit,
    jvp,
    laplacian,
    linearize,
    remat,
    scan,
    stop_gradient,
    value_and_grad,
    vjp,
    vmap,
    while_loop,
)

if TYPE_CHECKING:
    from multimlp import (
        activations,
        blocks,
        callbacks,
        initializers,
        losses,
        metrics,
        optimizers,
        random,
        regularizers,
        schedules,
        xp,
    )
    from multimlp.backend import available_backends
    from multimlp.blocks import chain
    from multimlp.files import load, load_tree, save, save_tree
    from multimlp.interop.keras import as_keras_layer
    from multimlp.interop.tensorflow import as_tf_module
    from multimlp.interop.torch import as_torch_module
    from multimlp.mlp import MLP, Dense, ParametricDense
    from multimlp.structure import collapse, gradient_flow, linear_regions, to_sigmoid, to_tanh
    from multimlp.training import FitResult, SweepResult, fit, predict, sweep

__version__ = "0.1.0"

_LAZY_MODULES = (
    "activations",
    "backends",
    "blocks",
    "callbacks",
    "data",
    "distributed",
    "estimators",
    "initializers",
    "interop",
    "lessons",
    "losses",
    "metrics",
    "optimizers",
    "parity",
    "plotting",
    "random",
    "regularizers",
    "schedules",
    "testing",
    "xp",
)
_LAZY_NAMES = {
    "MLP": "mlp",
    "Dense": "mlp",
    "FitResult": "training",
    "ParametricDense": "mlp",
    "SweepResult": "training",
    "as_keras_layer": "interop.keras",
    "as_tf_module": "interop.tensorflow",
    "as_torch_module": "interop.torch",
    "available_backends": "backend",
    "chain": "blocks",
    "collapse": "structure",
    "fit": "training",
    "gradient_flow": "structure",
    "linear_regions": "structure",
    "load": "files",
    "load_tree": "files",
    "predict": "training",
    "save": "files",
    "save_tree": "files",
    "sweep": "training",
    "to_sigmoid": "structure",
    "to_tanh": "structure",
}


def __getattr__(name: str) -> Any:
    """The core is imported at once: backends, transforms, trees. Everything else is when it is first used."""
    if name in _LAZY_MODULES:
        return importlib.import_module(f"multimlp.{name}")
    if name in _LAZY_NAMES:
        found = getattr(importlib.import_module(f"multimlp.{_LAZY_NAMES[name]}"), name)
        globals()[name] = found
        return found
    raise AttributeError(f"module 'multimlp' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY_MODULES, *_LAZY_NAMES})


__all__ = [
    "MLP",
    "Backend",
    "Dense",
    "FitResult",
    "ParametricDense",
    "SweepResult",
    "activations",
    "array_namespace",
    "as_keras_layer",
    "as_tf_module",
    "as_torch_module",
    "at",
    "available_backends",
    "blocks",
    "callbacks",
    "chain",
    "collapse",
    "cond",
    "convert",
    "custom_jvp",
    "custom_vjp",
    "elementwise_grad",
    "errors",
    "fit",
    "fori_loop",
    "get_backend",
    "grad",
    "gradient_flow",
    "hessian",
    "hvp",
    "initializers",
    "jacfwd",
    "jacobian",
    "jacrev",
    "jet",
    "jit",
    "jvp",
    "laplacian",
    "linear_regions",
    "linearize",
    "load",
    "load_tree",
    "losses",
    "metrics",
    "op",
    "optimizers",
    "predict",
    "random",
    "regularizers",
    "remat",
    "save",
    "save_tree",
    "scan",
    "schedules",
    "set_backend",
    "stop_gradient",
    "sweep",
    "to_sigmoid",
    "to_tanh",
    "tree",
    "use_backend",
    "value_and_grad",
    "vjp",
    "vmap",
    "while_loop",
    "xp",
]
