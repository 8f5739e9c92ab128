"""Models of other libraries: ``to_x(mlp, params)`` and ``from_x(model)``, one module a library, imported when
first used.

================  ====================================================
========================================= module            there
    back
================  ====================================================
========================================= torch             ``to_torch``, ``to_state_dict``,
``as_torch_module``   ``from_torch``, ``from_state_dict`` keras             ``to_keras``, ``as_keras_layer``
                    ``from_keras`` (a model or a .keras file) flax              ``to_flax`` (linen),
                    ``to_nnx``                        ``from_flax``, ``from_nnx``
equinox           ``to_equinox``                                         ``from_equinox``
tensorflow        ``as_tf_module``                                       its ``params``
sklearn           ``to_sklearn``                                         ``from_sklearn``
onnx              ``to_onnx``                                            ``from_onnx``
gluon             ``to_gluon``                                           ``from_gluon``
================  ====================================================
=========================================
"""

from __future__ import annotations

import importlib
from typing import Any

_MODULES = ("equinox", "flax", "gluon", "keras", "onnx", "sklearn", "tensorflow", "torch")


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"multimlp.interop.{name}")
    raise AttributeError(f"module 'multimlp.interop' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
