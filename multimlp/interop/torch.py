"""PyTorch: ``nn.Sequential`` and ``state_dict`` both ways, and an MLP as an ``nn.Module`` of its own.

Linear layers hold their weights the other way round there, (out, in); values are equal to the bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from multimlp.activations import Activation
from multimlp.backend import Array, Backend, convert
from multimlp.errors import DTypeError, InputError, missing_dependency
from multimlp.interop._layers import (
    Builder,
    dtype_of,
    is_prelu,
    layers_of,
    name_elsewhere,
    unsupported_activation,
    unsupported_layer,
    with_dropout,
)
from multimlp.interop._torch_files import read_state, write_state
from multimlp.interop._torch_optimizers import read_optimizer, write_optimizer
from multimlp.mlp import MLP, Dense, ParametricDense, Params, check_params, layer_params, learned_by
from multimlp.optimizers import Optimizer, OptimizerState
from multimlp.schedules import Schedule
from multimlp.tree import Tree

try:
    import torch
    from torch import nn
except ImportError:
    raise missing_dependency("torch", "multimlp.interop.torch", "torch") from None

__all__ = [
    "TorchMLP",
    "as_torch_module",
    "from_optimizer",
    "from_state_dict",
    "from_torch",
    "read_state",
    "supported_activations",
    "to_optimizer",
    "to_state_dict",
    "to_torch",
    "write_state",
]

_MODULES: dict[str, tuple[Callable[..., nn.Module], dict[str, str]]] = {
    "identity": (nn.Identity, {}),
    "relu": (nn.ReLU, {}),
    "leaky_relu": (nn.LeakyReLU, {"negative_slope": "negative_slope"}),
    "relu6": (nn.ReLU6, {}),
    "threshold": (nn.Threshold, {"threshold": "threshold", "value": "value"}),
    "hard_sigmoid": (nn.Hardsigmoid, {}),
    "hard_tanh": (nn.Hardtanh, {}),
    "hard_swish": (nn.Hardswish, {}),
    "softshrink": (nn.Softshrink, {"lambd": "lambd"}),
    "hardshrink": (nn.Hardshrink, {"lambd": "lambd"}),
    "elu": (nn.ELU, {"alpha": "alpha"}),
    "selu": (nn.SELU, {}),
    "celu": (nn.CELU, {"alpha": "alpha"}),
    "sigmoid": (nn.Sigmoid, {}),
    "log_sigmoid": (nn.LogSigmoid, {}),
    "tanh": (nn.Tanh, {}),
    "tanhshrink": (nn.Tanhshrink, {}),
    "softsign": (nn.Softsign, {}),
    "softplus": (nn.Softplus, {}),
    "gelu": (nn.GELU, {"approximate": "approximate"}),
    "silu": (nn.SiLU, {}),
    "mish": (nn.Mish, {}),
    "softmax": (nn.Softmax, {"axis": "dim"}),
    "log_softmax": (nn.LogSoftmax, {"axis": "dim"}),
    "softmin": (nn.Softmin, {"axis": "dim"}),
    "glu": (nn.GLU, {"axis": "dim"}),
}
"""Activation to module, and its options to the module's attributes."""

_FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
_NAMES = {module: name for name, (module, _) in _MODULES.items()}
_FIXED: dict[type, dict[str, float]] = {
    nn.Hardtanh: {"min_val": -1.0, "max_val": 1.0},
    nn.Softplus: {"beta": 1.0},
}
"""Attributes that must have these values, because the activation here has no such option."""


_ATTRIBUTES: dict[str, dict[str, float]] = {"softplus": {"threshold": 40.0}}
"""Written with the module: above torch's own 20 it takes x for softplus, whose slope is off by 2e-9 there; from 37 on it is x in
float64."""


def supported_activations() -> tuple[str, ...]:
    """The names of the activations that have a module."""
    return (*_MODULES, "prelu", "swish")


# ---- nn.Sequential ----------------------------------------


def to_torch(mlp: MLP, params: Params, device: Any = None) -> nn.Sequential:
    """The model as ``nn.Sequential`` of Linear, activation and Dropout.

    Parameters
    ----------
    mlp : MLP
    params : tuple of Dense
        Of any backend; no ensemble.
    device : optional
        Default: the device of torch parameters, else the CPU.

    Raises
    ------
    InputError
        For an activation that torch has no module for; names those that it has.

    Examples
    --------
    >>> import multimlp as mm
    >>> from multimlp.interop import torch as interop
    >>> mlp = mm.MLP(2, 3, 1, activation="tanh")
    >>> interop.to_torch(mlp, mlp.init(seed=0))
    Sequential(
      (0): Linear(in_features=2, out_features=3, bias=True)
      (1): Tanh()
      (2): Linear(in_features=3, out_features=1, bias=True)
    )
    """
    layers, dtype = layers_of(mlp, params), getattr(torch, dtype_of(params))
    if device is None and isinstance(params[0].weight, torch.Tensor):
        device = params[0].weight.device
    modules: list[nn.Module] = []
    for layer in layers:
        fan_in, fan_out = layer.weight.shape
        linear = nn.utils.skip_init(
            nn.Linear, fan_in, fan_out, layer.bias is not None, device=device or "cpu", dtype=dtype
        )
        with torch.no_grad():
            linear.weight.copy_(torch.tensor(layer.weight).T)
            if layer.bias is not None:
                linear.bias.copy_(torch.tensor(layer.bias))
        modules.append(linear)
        if layer.activation is not None:
            modules.append(_module(layer.activation, layer.learned).to(device=device, dtype=dtype))
        if layer.dropout is not None:
            modules.append(nn.Dropout(layer.dropout))
    return nn.Sequential(*modules)


def _module(rule: Activation, learned: Mapping[str, Any]) -> nn.Module:
    if is_prelu(rule):
        ((_, slope),) = learned.items()
        values = torch.tensor(slope).reshape(-1)
        module = nn.PReLU(max(slope.size, 1), dtype=values.dtype)
        with torch.no_grad():
            module.weight.copy_(values)
        return module
    name = name_elsewhere(rule)
    if rule.parameters or name not in _MODULES:
        raise unsupported_activation("torch", rule, supported_activations())
    make, attributes = _MODULES[name]
    options = {attributes[option]: value for option, value in rule.options.items() if option in attributes}
    return make(**options, **_ATTRIBUTES.get(name, {}))


def from_torch(
    model: nn.Module, backend: str | Backend | None = None, device: str | None = None, dtype: Any = None
) -> tuple[MLP, Params]:
    """An MLP and its parameters from ``nn.Sequential`` (nested too), ``nn.Linear``, or `as_torch_module`.

    Parameters
    ----------
    model : nn.Module
    backend, device, dtype : optional
        Where the parameters go; default: torch, as they are (copied).

    Raises
    ------
    InputError
        For a layer or an order of layers that no MLP has; names it.

    Examples
    --------
    >>> import torch
    >>> from multimlp.interop import torch as interop
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.GELU(), torch.nn.Linear(3, 1))
    >>> interop.from_torch(model)[0]
    MLP(2, [3], 1, activation='gelu')
    """
    if isinstance(model, TorchMLP):
        reading = Builder("torch module")
        for layer in layers_of(model.mlp, model.params):
            reading.dense(layer.weight, layer.bias)
            if layer.activation is not None:
                reading.activation(layer.activation, layer.learned)
            if layer.dropout is not None:
                reading.dropout(layer.dropout)
    else:
        reading = Builder("torch model")
        _read(model, reading)
    tensors = list(model.parameters())
    return reading.build(backend, device, dtype, tensors, _one_dtype("torch model", tensors, dtype))


def _one_dtype(source: str, tensors: Sequence[torch.Tensor], asked: Any) -> str | None:
    """The dtype of all, which the host, that takes bfloat16 as float32, cannot tell."""
    found = sorted({str(tensor.dtype).removeprefix("torch.") for tensor in tensors})
    if len(found) > 1 and asked is None:
        raise DTypeError(
            f"the {source} mixes the dtypes {' and '.join(found)}; say which one it shall have: dtype= (--dtype)"
        )
    return found[0] if found else None


def _read(module: nn.Module, reading: Builder) -> None:
    if isinstance(module, nn.Sequential):
        for child in module:
            _read(child, reading)
    elif isinstance(module, nn.Linear):
        reading.dense(_host(module.weight.T), None if module.bias is None else _host(module.bias))
    elif isinstance(module, nn.Dropout):
        reading.dropout(module.p)
    elif isinstance(module, nn.PReLU):
        reading.prelu(_host(module.weight))
    elif type(module) in _NAMES:
        _read_activation(module, reading)
    else:
        layers = ("Sequential", "Linear", "Dropout", "PReLU", *(module.__name__ for module in _NAMES))
        raise unsupported_layer("torch model", type(module).__name__, layers)


def _read_activation(module: nn.Module, reading: Builder) -> None:
    for attribute, value in _FIXED.get(type(module), {}).items():
        if getattr(module, attribute) != value:
            raise InputError(f"torch model: {module} has no equivalent; only {attribute}={value:g} has")
    name = _NAMES[type(module)]
    options = {option: getattr(module, attribute) for option, attribute in _MODULES[name][1].items()}
    if "axis" in options:
        if options["axis"] not in (-1, 1):
            raise InputError(f"torch model: {module} must work along the last axis (dim=-1)")
        del options["axis"]
    reading.activation({"name": name, **options})


def _host(tensor: torch.Tensor) -> Any:
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.dtype is torch.bfloat16 else tensor).contiguous().numpy()


def _numbers_of(name: str, tensor: Any) -> Any:
    """The values of an entry of a ``state_dict``, which may hold tensors without any, or of kinds that NumPy lacks."""
    if not isinstance(name, str) or not isinstance(tensor, torch.Tensor):
        raise InputError(f"state_dict: expected names of tensors, got {name!r}: {type(tensor).__name__}")
    plain = tensor.layout is torch.strided and not (tensor.is_meta or tensor.is_quantized or tensor.is_nested)
    if not plain or tensor.dtype not in _FLOATS:
        kind = "meta" if tensor.is_meta else str(tensor.layout).removeprefix("torch.")
        raise DTypeError(
            f"state_dict: {name!r} is a {kind} tensor of {str(tensor.dtype).removeprefix('torch.')}; expected a strided one of "
            f"{', '.join(str(known).removeprefix('torch.') for known in _FLOATS)}"
        )
    return _host(tensor)


# ---- state_dict ----------------------------------------


def to_state_dict(mlp: MLP, params: Params) -> dict[str, torch.Tensor]:
    """The ``state_dict`` of `to_torch`'s model: ``"0.weight"`` (out, in), ``"0.bias"``, ``"2.weight"``,
    ..."""
    return dict(to_torch(mlp, params).state_dict())


def from_state_dict(
    state: Mapping[str, torch.Tensor],
    activation: Any = "relu",
    final_activation: Any = None,
    backend: str | Backend | None = None,
    device: str | None = None,
    dtype: Any = None,
) -> tuple[MLP, Params]:
    """An MLP and its parameters from a ``state_dict``, which knows weights and no activations.

    Parameters
    ----------
    state : mapping
        In each module's turn ``<module>.weight`` (out, in) and perhaps ``<module>.bias``; names do not
        matter, their order does.
    activation : str, or one a hidden layer
    final_activation : str, optional
    backend, device, dtype : optional
        Default: torch, as they are.

    Raises
    ------
    InputError
        For entries that are no fully connected layers.
    ShapeError
        If one layer's outputs are not the next one's inputs.

    Examples
    --------
    >>> import multimlp as mm
    >>> from multimlp.interop import torch as interop
    >>> mlp = mm.MLP(2, 3, 1, activation="tanh")
    >>> interop.from_state_dict(interop.to_state_dict(mlp, mlp.init(seed=0)), activation="tanh")[0] == mlp
    True
    """
    arrays = {name: _numbers_of(name, tensor) for name, tensor in state.items()}
    reading = Builder.from_arrays("state_dict", arrays, activation, final_activation)
    tensors = list(state.values())
    return reading.build(backend, device, dtype, tensors[:1], _one_dtype("state_dict", tensors, dtype))


# ---- a module of its own ----------------------------------------


class _DenseParameters(nn.Module):
    """The parameters of one layer, under the names of the model file."""

    def __init__(self, layer: Dense | ParametricDense) -> None:
        super().__init__()
        self.weight = nn.Parameter(layer.weight.detach().clone())
        self.bias = None if layer.bias is None else nn.Parameter(layer.bias.detach().clone())
        learned = {name: value.detach().clone() for name, value in learned_by(layer).items()}
        self.activation = nn.ParameterDict(learned)

    def layer(self) -> Dense | ParametricDense:
        return layer_params(self.weight, self.bias, dict(self.activation.items()))


class TorchMLP(nn.Module):
    """An MLP as an ``nn.Module``; see `as_torch_module`."""

    def __init__(self, mlp: MLP, params: Params) -> None:
        super().__init__()
        self.mlp = mlp
        self.layers = nn.ModuleList(_DenseParameters(layer) for layer in params)

    @property
    def params(self) -> Params:
        """The parameters as the tree that multimlp's functions take; the very tensors that torch trains."""
        return tuple(layer.layer() for layer in self.layers)  # type: ignore[operator]

    def forward(self, X: Array) -> Array:
        drop = (lambda hidden: nn.functional.dropout(hidden, self.mlp.dropout)) if self.training else None
        return with_dropout(self.mlp, self.params, X, drop)

    def extra_repr(self) -> str:
        return repr(self.mlp)


def as_torch_module(mlp: MLP, params: Params, device: str | None = None) -> TorchMLP:
    """An ``nn.Module`` that computes what ``mlp(params, X)`` computes, with parameters that torch's
    optimisers train.

    Every activation works, ensembles too. Dropout is on in training mode; its masks follow
    ``torch.manual_seed``. The names in ``state_dict`` are those of the model file: ``layers.0.weight`` (in,
    out), ``layers.0.bias``.

    Parameters
    ----------
    mlp : MLP
    params : tuple of Dense
        Of any backend; copied.
    device : str, optional

    Examples
    --------
    >>> import torch
    >>> import multimlp as mm
    >>> from multimlp.interop.torch import as_torch_module
    >>> mlp = mm.MLP(2, 3, 1)
    >>> module = as_torch_module(mlp, mlp.init(seed=0))
    >>> optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    >>> module(torch.ones(4, 2)).sum().backward()
    >>> optimizer.step()
    """
    check_params(mlp, params)
    return TorchMLP(mlp, convert(params, "torch", device))


# ---- optimisers ----------------------------------------


def from_optimizer(
    optimizer: torch.optim.Optimizer,
    model: nn.Module | Tree,
    backend: str | Backend | None = None,
    device: str | None = None,
    dtype: Any = None,
    *,
    learning_rate: float | Schedule | None = None,
) -> tuple[Optimizer, OptimizerState]:
    """The same optimiser here, and what it remembers, for the parameters that `from_torch` makes of the model.

    Parameters
    ----------
    optimizer : torch.optim.SGD, Adam, AdamW, RMSprop or Adagrad
        Groups of parameters with options of their own become `multimlp.optimizers.grouped`; parameters that it does not train get
        the learning rate 0.
    model : nn.Module or tree of tensors
        Whose parameters it trains: one that `from_torch` reads, that `as_torch_module` made, or the parameters of multimlp themselves.
    backend, device, dtype : optional
        Of the state, as in `from_torch`; say the same in both.
    learning_rate : float or Schedule, optional
        Instead of the one that it has now; must be given where a scheduler of torch changes it, since nothing can be read from that.

    Returns
    -------
    (Optimizer, OptimizerState)
        Whose next update is torch's, up to rounding. SGD in torch counts no steps: the state then starts at step 0.

    Raises
    ------
    InputError
        For another optimiser; for options that multimlp has no equivalent of (dampening, amsgrad, centered, maximize, lr_decay); for a
        scheduler; for a model whose parameters are not one to one those of an MLP, as where a normalisation is folded into them.

    Examples
    --------
    >>> import torch
    >>> import multimlp as mm
    >>> from multimlp.interop.torch import from_optimizer, from_torch
    >>> model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
    >>> optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    >>> model(torch.ones(2, 4)).sum().backward()
    >>> optimizer.step()
    >>> mlp, params = from_torch(model, "numpy")
    >>> adamw, state = from_optimizer(optimizer, model, "numpy")
    >>> adamw.name, int(state.step), state.slots[0][0].weight.shape
    ('adamw', 1, (4, 8))
    """
    return read_optimizer(optimizer, model, _params_of, backend, device, dtype, learning_rate)


def to_optimizer(
    optimizer: Optimizer | str, state: OptimizerState, model: nn.Module | Tree
) -> torch.optim.Optimizer:
    """An optimiser of torch that goes on where this one is.

    Parameters
    ----------
    optimizer : Optimizer
        sgd, adam, adamw, rmsprop or adagrad, with groups or without; the learning rate a number.
    state : OptimizerState
        Of any library.
    model : nn.Module or tree of tensors
        What `to_torch` or `as_torch_module` made of the model, whose parameters it shall train.

    Raises
    ------
    InputError
        For what torch has no equivalent of, and for a state of another model.

    Examples
    --------
    >>> import multimlp as mm
    >>> from multimlp.interop.torch import to_optimizer, to_torch
    >>> mlp = mm.MLP(4, 8, 3)
    >>> params, optimizer = mlp.init(seed=0, backend="numpy"), mm.optimizers.adam(1e-2)
    >>> model = to_torch(mlp, params)
    >>> type(to_optimizer(optimizer, optimizer.init(params), model)).__name__
    'Adam'
    """
    return write_optimizer(optimizer, state, model, _params_of)


def _params_of(module: nn.Module) -> Tree:
    return module.params if isinstance(module, TorchMLP) else from_torch(module, "numpy", None, "float64")[1]
