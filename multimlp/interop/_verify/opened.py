"""The library that a model belongs to, found by its type; nothing is imported that is not there already."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from multimlp.errors import InputError
from multimlp.interop._verify.run import Opened

_MODULES = {
    "keras": "keras",  # on torch its models are torch's modules too
    "torch": "torch",
    "flax": "flax",
    "equinox": "equinox",
    "sklearn": "sklearn",
    "onnx": "onnx",
    "mxnet": "gluon",
    "multimlp": "ours",  # after the libraries whose modules it has classes of
}
"""Root module of a model's type, in the order in which they are looked for, to the module here that runs it."""
_EXPECTED = (
    "(mlp, params), a torch.nn.Module, a keras.Model, (linen module, variables), an nnx.Module, an equinox Module, a fitted "
    "scikit-learn estimator, an onnx.ModelProto, or a Gluon block"
)


def opened(name: str, model: Any, combine: str = "members") -> Opened:
    """A model of any library, ready to be run; ``combine`` says what is made of the members of an ensemble of multimlp.

    Raises
    ------
    InputError
        For anything else; ``name`` says for which argument.
    """
    first = model[0] if isinstance(model, tuple) and len(model) == 2 else model
    roots = {kind.__module__.partition(".")[0] for kind in type(first).__mro__}
    for root, module in _MODULES.items():
        if root in roots:
            open_model: Callable[..., Opened] = importlib.import_module(
                f"multimlp.interop._verify.{module}"
            ).opened
            return open_model(name, model, combine) if module == "ours" else open_model(name, model)
    raise InputError(f"{name}: expected {_EXPECTED}; got {type(model).__name__}")
