"""Models of other libraries: ``to_x(mlp, params)`` and ``from_x(model)``, one module a library, imported when
first used.

* ``torch``: `to_torch`, `to_state_dict`, `as_torch_module`; back `from_torch`, `from_state_dict`; files of a
  ``state_dict``: `write_state`, `read_state`; optimisers with their states: `from_optimizer`, `to_optimizer`
* ``keras``: `to_keras`, `as_keras_layer`; back `from_keras` (a model or a .keras file); optimisers with their states:
  `from_optimizer`, `to_optimizer`
* ``flax``: `to_flax` (linen), `to_nnx`; back `from_flax`, `from_nnx`, `from_variables`; files of variables:
  `write_variables`, `read_variables`
* ``equinox``: `to_equinox`; back `from_equinox`, `from_leaves`; files of leaves: `write_leaves`, `read_leaves`
* ``optax``: states of optimisers, `from_state`, `to_state`, and `to_optimizer`
* ``tensorflow``: `as_tf_module`; back its ``params``
* ``sklearn``: `to_sklearn`; back `from_sklearn`
* ``onnx``: `to_onnx`; back `from_onnx`
* ``gluon``: `to_gluon`; back `from_gluon`

Names of layers (``layer_names`` of an MLP, ``block_names`` of a chain) go along; ONNX, torch, Keras, Flax and Equinox take ensembles
whole and give them back.

`verify` runs two models, each in its own library, and says whether they compute the same.
"""

from __future__ import annotations

import importlib
from typing import Any

_MODULES = ("equinox", "flax", "gluon", "keras", "onnx", "optax", "sklearn", "tensorflow", "torch")
__all__ = [*_MODULES, "Verification", "verify"]


def __getattr__(name: str) -> Any:
    if name in ("Verification", "verify"):
        return getattr(importlib.import_module("multimlp.interop._verify"), name)
    if name in _MODULES:
        return importlib.import_module(f"multimlp.interop.{name}")
    raise AttributeError(f"module 'multimlp.interop' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
