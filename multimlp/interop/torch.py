"""PyTorch: ``nn.Sequential`` and ``state_dict`` both ways, and an MLP as an ``nn.Module`` of its own.

Linear layers hold their weights the other way round there, (out, in); values are equal to the bit.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from multimlp import tree
from multimlp.backend import Backend, convert
from multimlp.errors import DeviceError, DTypeError, InputError, missing_dependency
from multimlp.errors.checks import as_given, refuse
from multimlp.optimizers import Optimizer, OptimizerState
from multimlp.schedules import Schedule
from multimlp.tree import Tree

try:
    import torch
    from torch import nn
except ImportError:
    raise missing_dependency("torch", "multimlp.interop.torch", "torch") from None

from multimlp.interop._arrays import dtype_of
from multimlp.interop._building import Builder
from multimlp.interop._ensembles import parts_and_members
from multimlp.interop._layers import Network
from multimlp.interop._names import Names
from multimlp.interop._parts import (
    Affine,
    Dropout,
    LayerNorm,
    Linear,
    Part,
    Path,
    Pointwise,
    Residual,
    RMSNorm,
)
from multimlp.interop._torch_files import read_state, write_state
from multimlp.interop._torch_mlp import TorchMLP
from multimlp.interop._torch_modules import (
    TorchCombine,
    TorchMembersLinear,
    TorchResidual,
    TorchScale,
    activation_module,
    on_the_host,
    supported_activations,
)
from multimlp.interop._torch_optimizers import read_optimizer, write_optimizer
from multimlp.interop._torch_reading import read
from multimlp.mlp import MLP, Params, check_params

__all__ = [
    "TorchCombine",
    "TorchMLP",
    "TorchMembersLinear",
    "TorchResidual",
    "TorchScale",
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

_FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)


# ---- nn.Sequential ----------------------------------------


def to_torch(mlp: Network, params: Any, device: Any = None, combine: str = "members") -> nn.Sequential:
    """The model as ``nn.Sequential`` of Linear, activation and Dropout; of a chain of blocks also LayerNorm, RMSNorm, `TorchResidual`
    and `TorchScale`.

    Parameters
    ----------
    mlp : MLP, or a chain of blocks
    params : tuple of Dense, or of the blocks' parameters
        Of any backend; of an MLP an ensemble too, as `TorchMembersLinear` layers, whose weights have the members in front.
    device : optional
        Default: the device of torch parameters, else the CPU.
    combine : {"members", "mean", "probabilities", "vote"}
        What is made of the outputs of an ensemble: nothing, (members, n, k), as a call gives; their mean; the mean of the probabilities of
        classes, as ``predict_proba`` of the estimators gives; for each class the part of the members that vote for it.

    Raises
    ------
    InputError
        For an activation that torch has no module for, and names those that it has; or for a block without an equivalent.

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
    parts, members = parts_and_members(mlp, params, combine, "torch")
    dtype = getattr(torch, dtype_of(params))
    if device is None:
        held = [leaf for leaf in tree.leaves(params) if isinstance(leaf, torch.Tensor)]
        device = held[0].device if held else "cpu"
    try:
        place = torch.device(device)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DeviceError(f"device: expected a device of torch, got {as_given(device)}") from error
    model = _sequential(parts, place, dtype)
    if members is not None and combine != "members":
        model.append(TorchCombine(combine))
    return model


def _sequential(parts: Path, device: Any, dtype: torch.dtype) -> nn.Sequential:
    """By the names of its layers where there are any, else by numbers."""
    modules = [_module(part, device, dtype) for part in parts]
    names = Names(_module_name).of(parts)
    if not any(names):
        return nn.Sequential(*modules)
    return nn.Sequential(
        OrderedDict(
            (name or str(i), module) for i, (name, module) in enumerate(zip(names, modules, strict=True))
        )
    )


def _module_name(name: str) -> str:
    """torch takes a dot for a step to a module inside, and has attributes of its own."""
    plain = name.replace(".", "_")
    return f"{plain}_" if hasattr(nn.Sequential, plain) or plain == "training" else plain


def _module(part: Part, device: Any, dtype: torch.dtype) -> nn.Module:
    place = {"device": device, "dtype": dtype}
    if isinstance(part, Linear):
        if part.weight.ndim == 3:
            bias = None if part.bias is None else torch.tensor(part.bias[:, None, :], **place)
            return TorchMembersLinear(torch.tensor(part.weight, **place), bias)
        fan_in, fan_out = part.weight.shape
        linear = nn.utils.skip_init(nn.Linear, fan_in, fan_out, part.bias is not None, **place)
        return _filled(linear, weight=part.weight.T, bias=part.bias)
    if isinstance(part, Pointwise):
        return activation_module(part.rule, part.learned).to(**place)
    if isinstance(part, Dropout):
        return nn.Dropout(part.rate)
    if isinstance(part, LayerNorm):
        norm = nn.LayerNorm(len(part.scale), part.epsilon, bias=part.shift is not None, **place)
        return _filled(norm, weight=part.scale, bias=part.shift)
    if isinstance(part, RMSNorm):
        return _filled(nn.RMSNorm(len(part.scale), part.epsilon, **place), weight=part.scale)
    if isinstance(part, Residual):
        return TorchResidual(_sequential(part.inner, device, dtype))
    assert isinstance(part, Affine)
    return TorchScale(part.scale, part.shift).to(**place)


def _filled(module: nn.Module, **values: Any) -> nn.Module:
    with torch.no_grad():
        for name, array in values.items():
            if array is not None:
                getattr(module, name).copy_(torch.tensor(array))
    return module


def from_torch(
    model: nn.Module,
    backend: str | Backend | None = None,
    device: str | None = None,
    dtype: Any = None,
    combine: str = "members",
) -> tuple[Any, Any]:
    """A model and its parameters from an ``nn.Module``, whose forward pass is traced by torch.fx: an MLP where it is one, else a chain
    of blocks.

    Batch normalisation, scales and shifts are folded into the weights beside them, with the statistics that the module has gathered:
    outputs are those in evaluation. Flattening is nothing here: give rows. The module's mode is left as it is.

    Parameters
    ----------
    model : nn.Module
        ``nn.Sequential``, or a module of your own.
    backend, device, dtype : optional
        Where the parameters go; default: torch, as they are (copied).
    combine : {"members", "mean", "probabilities", "vote"}
        What an ensemble that `to_torch` has written makes of its members' outputs. That is no part of the network that comes back, which
        gives them all: whoever reads it says it.

    Returns
    -------
    model : MLP or Chain
    params : tuple
        Of an ensemble with the members in front.

    Raises
    ------
    InputError
        For a layer or an order of layers that there is nothing for here, and names it and its place; for another ``combine``.

    Examples
    --------
    >>> import torch
    >>> from multimlp.interop import torch as interop
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.GELU(), torch.nn.Linear(3, 1))
    >>> interop.from_torch(model)[0]
    MLP(2, [3], 1, activation='gelu')
    """
    if not isinstance(model, nn.Module):
        raise refuse("model", "a torch.nn.Module", model)
    reading = Builder("torch model")
    read(model, reading)
    tensors = list(model.parameters())
    stored = _one_dtype("torch model", tensors, dtype)
    return reading.build(backend, device, dtype, tensors, stored, combine)


def _one_dtype(source: str, tensors: Sequence[torch.Tensor], asked: Any) -> str | None:
    """The dtype of all, which the host, that takes bfloat16 as float32, cannot tell."""
    found = sorted({str(tensor.dtype).removeprefix("torch.") for tensor in tensors})
    if len(found) > 1 and asked is None:
        raise DTypeError(
            f"the {source} mixes the dtypes {' and '.join(found)}; say which one it shall have: dtype= (--dtype)"
        )
    return found[0] if found else None


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
    return on_the_host(tensor)


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
        matter, their order does. Of an ensemble as `TorchMembersLinear` has them, biases included.
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
    if not isinstance(state, Mapping):
        raise refuse("state", "a mapping of names to tensors, as state_dict() returns", state)
    arrays = _of_members({name: _numbers_of(name, tensor) for name, tensor in state.items()})
    reading = Builder.from_arrays("state_dict", arrays, activation, final_activation)
    tensors = list(state.values())
    return reading.build(backend, device, dtype, tensors[:1], _one_dtype("state_dict", tensors, dtype))


def _of_members(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """With the arrays of ensembles, weight (members, in, out) and bias (members, 1, out) of `TorchMembersLinear` or (members, out) of
    `TorchMLP`, laid out as those of Linear are."""
    found = dict(arrays)
    for name, weight in arrays.items():
        bias = f"{name.removesuffix('weight')}bias"
        if name.endswith("weight") and weight.ndim == 3 and bias in arrays:
            found[name] = weight.swapaxes(1, 2)
            if arrays[bias].ndim == 3 and arrays[bias].shape[1] == 1:
                found[bias] = arrays[bias][:, 0, :]
    return found


# ---- a module of its own ----------------------------------------


def as_torch_module(mlp: MLP, params: Params, device: str | None = None) -> TorchMLP:
    """An ``nn.Module`` that computes what ``mlp(params, X)`` computes, with parameters that torch's
    optimisers train.

    Every activation works, ensembles too. Dropout is on in training mode; its masks follow
    ``torch.manual_seed``. The names in ``state_dict`` are those of the model file: ``layers.0.weight`` (in,
    out), ``layers.0.bias``; `from_state_dict` takes weights for torch's own, (out, in), so load such a dict into
    a module and give that to `from_torch`.

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
    if isinstance(module, TorchMLP):
        return module.params
    made = [part.combine for part in module.modules() if isinstance(part, TorchCombine)]
    return from_torch(module, "numpy", None, "float64", made[0] if made else "members")[1]
