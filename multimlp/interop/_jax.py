"""What the libraries built on JAX share: layers as JAX arrays, activations as the functions of ``jax.nn``."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import Any, TypeGuard, TypeVar

import numpy as np

from multimlp.backend import select
from multimlp.errors import missing_dependency
from multimlp.interop._building import Builder
from multimlp.interop._ensembles import combined
from multimlp.interop._layers import check_axis, name_elsewhere, unsupported_activation
from multimlp.interop._parts import Pointwise

try:
    import jax
    from jax import nn
except ImportError:
    raise missing_dependency("jax", "multimlp.interop of JAX libraries", "jax") from None

_Kind = TypeVar("_Kind")
_exact_gelu = functools.partial(nn.gelu, approximate=False)
_tanh_gelu = functools.partial(nn.gelu, approximate=True)

_FUNCTIONS: dict[str, tuple[Callable[..., Any], dict[str, str]]] = {
    "relu": (nn.relu, {}),
    "relu6": (nn.relu6, {}),
    "leaky_relu": (nn.leaky_relu, {"negative_slope": "negative_slope"}),
    "elu": (nn.elu, {"alpha": "alpha"}),
    "celu": (nn.celu, {"alpha": "alpha"}),
    "selu": (nn.selu, {}),
    "sigmoid": (nn.sigmoid, {}),
    "log_sigmoid": (nn.log_sigmoid, {}),
    "tanh": (jax.numpy.tanh, {}),
    "softplus": (nn.softplus, {}),
    "softsign": (nn.soft_sign, {}),
    "silu": (nn.silu, {}),
    "mish": (nn.mish, {}),
    "hard_tanh": (nn.hard_tanh, {}),
    "hard_sigmoid": (nn.hard_sigmoid, {}),
    "hard_swish": (nn.hard_silu, {}),
    "sparse_plus": (nn.sparse_plus, {}),
    "sparse_sigmoid": (nn.sparse_sigmoid, {}),
    "squareplus": (nn.squareplus, {"b": "b"}),
    "softmax": (nn.softmax, {}),
    "log_softmax": (nn.log_softmax, {}),
    "glu": (nn.glu, {}),
    "exponential": (jax.numpy.exp, {}),
    "sine": (jax.numpy.sin, {}),
}
_SAME = {
    jax.lax.tanh: "tanh",
    nn.tanh: "tanh",
    nn.swish: "silu",
    nn.hard_swish: "hard_swish",
    nn.gelu: "gelu",
}


def supported_activations() -> tuple[str, ...]:
    """The names of the activations that JAX has a function for."""
    return ("gelu", "identity", *_FUNCTIONS)


def identity(x: Any) -> Any:
    """What comes in."""
    return x


class Placed:
    """Values of a model as JAX arrays of its dtype."""

    def __init__(self, dtype: str) -> None:
        target = select("jax", None, dtype)
        self._backend, self._device = target.backend, target.device
        self.dtype = target.dtype

    def scope(self) -> contextlib.AbstractContextManager[Any]:
        """Where modules can be made of that dtype; JAX has float64 only where it is asked for."""
        return self._backend.scope(self.dtype)

    def __call__(self, values: Any) -> Any:
        return self._backend.asarray(np.array(values), dtype=self.dtype, device=self._device)


def function_of(part: Pointwise, where: str) -> Callable[..., Any]:
    """The function of ``jax.nn``, options bound."""
    rule = part.rule
    name = name_elsewhere(rule)
    if rule.parameters or name not in supported_activations():
        raise unsupported_activation(where, rule, supported_activations())
    check_axis(where, rule)
    if name == "gelu":
        return _exact_gelu if rule.options["approximate"] == "none" else _tanh_gelu
    if name == "identity":
        return identity
    function, options = _FUNCTIONS[name]
    bound = {options[option]: value for option, value in dict(rule.bound).items() if option in options}
    return functools.partial(function, **bound) if bound else function


def combining(combine: str) -> list[Callable[..., Any]]:
    """The function of the outputs of all members, if anything is made of them."""
    return [] if combine == "members" else [functools.partial(combined, combine=combine)]


def read_function(function: Any, where: str, reading: Builder) -> None:
    """Tell the builder what a function of a model is: an activation, or what is made of the outputs of all members."""
    if isinstance(function, functools.partial) and function.func is combined and not function.args:
        reading.combined(str(function.keywords.get("combine", "")))
        return
    spec = spec_of(function, where)
    if spec["name"] == "identity" and not _is_identity(function, (2, 3, 5)):
        reading.on_rows()  # such as ``lambda x: x.reshape((len(x), -1))``
    reading.activation(spec)


def is_plain(module: Any, kind: type[_Kind]) -> TypeGuard[_Kind]:
    """Whether it is of that kind, and not one made of it that computes something else."""
    return isinstance(module, kind) and type(module).__call__ is kind.__call__


def check_norm(module: Any, reading: Builder) -> None:
    """`InputError` for a normalisation of Flax over other axes than the last."""
    for name in ("reduction_axes", "feature_axes"):
        axes = getattr(module, name)
        if axes != -1 and tuple(np.atleast_1d(axes)) != (-1,):
            raise reading.unlike(
                f"has {reading.where} with {name}={axes!r}, and only the last axis has an equivalent"
            )


def check_dropout(module: Any, reading: Builder) -> None:
    """`InputError` for a dropout of Flax that drops numbers together."""
    if tuple(module.broadcast_dims):
        raise reading.unlike(
            f"has {reading.where} with broadcast_dims={module.broadcast_dims!r}, which drops numbers together"
        )


def spec_of(function: Any, where: str) -> dict[str, Any]:
    """What `multimlp.activations.parse` takes for a function of ``jax.nn``, also with options bound by
    `functools.partial`."""
    options: dict[str, Any] = {}
    while isinstance(function, functools.partial) and not function.args:
        options = {**function.keywords, **options}
        function = function.func
    inner = getattr(function, "__wrapped__", function)
    for name, (known, names) in _FUNCTIONS.items():
        if known is function or getattr(known, "__wrapped__", known) is inner:
            ours = {theirs: option for option, theirs in names.items()}
            if options.keys() <= ours.keys():
                return {"name": name, **{ours[key]: float(value) for key, value in options.items()}}
    for same, name in _SAME.items():
        if same is function or getattr(same, "__wrapped__", same) is inner:
            if name == "gelu":
                return {"name": "gelu", "approximate": "tanh" if options.get("approximate", True) else "none"}
            return {"name": name}
    if _is_identity(function, (3, 5), (5,)):
        return {"name": "identity"}
    shown = getattr(function, "__name__", repr(function))
    raise unsupported_activation(f"multimlp (reading {where})", shown, supported_activations())


def _is_identity(function: Any, *shapes: tuple[int, ...]) -> bool:
    """Whether it gives back as they are arrays of the first of these shapes that it takes."""
    for shape in shapes:
        with contextlib.suppress(Exception):  # whatever a function of another kind of array makes of this one
            traced = jax.make_jaxpr(function)(jax.ShapeDtypeStruct(shape, "float32")).jaxpr
            return not traced.eqns and list(traced.outvars) == list(traced.invars)
    return False
