"""A torch module as steps: its forward pass is traced (torch.fx) and followed from the inputs to the outputs."""

from __future__ import annotations

import contextlib
import functools
import inspect
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeGuard, TypeVar

import numpy as np
import torch
from torch import fx, nn
from torch.nn import functional
from torch.nn.parameter import UninitializedParameter
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from multimlp.errors import InputError
from multimlp.errors.shown import one_line
from multimlp.interop._branches import Branches
from multimlp.interop._building import Builder
from multimlp.interop._chains import parts_of_mlp
from multimlp.interop._layers import unsupported_layer
from multimlp.interop._names import chosen
from multimlp.interop._torch_mlp import TorchMLP
from multimlp.interop._torch_modules import (
    ADDING,
    DIVIDING,
    FUNCTIONS,
    IN_PLACE,
    METHODS,
    MULTIPLYING,
    NAMES,
    NEGATING,
    SUBTRACTING,
    WITHOUT_MODULE,
    TorchCombine,
    TorchMembersLinear,
    TorchResidual,
    activation_spec,
    module_of_call,
    on_the_host,
)
from multimlp.mlp import check_params

_Kind = TypeVar("_Kind", bound=nn.Module)
_LAYERS = ("Linear", "BatchNorm1d", "LayerNorm", "RMSNorm", "Dropout", "Flatten", "PReLU")


def read(model: nn.Module, reading: Builder) -> None:
    """Tell the builder what this module does with its inputs.

    Raises
    ------
    InputError
        If it cannot be traced, or for a layer or a structure that there is nothing for here; names it and its place.
    """
    if _Tracer().is_leaf_module(model, ""):
        model = nn.Sequential(model)
    _Reading(model, _traced(model, reading), reading).read()


class _Tracer(fx.Tracer):
    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        own = (TorchMLP, TorchMembersLinear, TorchCombine)
        return _is(module, nn.Linear) or isinstance(module, own) or super().is_leaf_module(module, name)


def _is(module: nn.Module, kind: type[_Kind]) -> TypeGuard[_Kind]:
    """Whether it is of that kind, and not one made of it that computes something else."""
    return isinstance(module, kind) and type(module).forward is kind.forward


def _traced(model: nn.Module, reading: Builder) -> fx.GraphModule:
    try:
        with evaluating(model):
            return fx.GraphModule(model, _Tracer().trace(model))
    except Exception as error:  # whatever the forward pass of a stranger does with a value that is none
        raise InputError(
            f"the {reading.source} {type(model).__name__} cannot be traced by torch.fx: {one_line(error)}. Its forward pass must not "
            "hang on values or shapes; else build an nn.Sequential of its layers, or give its state_dict to from_state_dict"
        ) from None


@contextlib.contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Dropout and the like off, and each module as it was afterwards."""
    training = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, was in training.items():
            module.training = was


class _Reading:
    def __init__(self, model: nn.Module, graph: fx.GraphModule, reading: Builder) -> None:
        self._model = model  # the graph has modules of its own, without their types
        self._graph, self._reading = graph, reading
        self._dtype = next((p.dtype for p in model.parameters() if p.is_floating_point()), torch.float32)
        self._values = Branches(reading)

    def read(self) -> None:
        inputs = [node for node in self._graph.graph.nodes if node.op == "placeholder"]
        if len(inputs) != 1:
            raise self._reading.unlike(f"takes {len(inputs)} inputs")
        for node in self._graph.graph.nodes:
            if node.op == "placeholder":
                self._values.start(node)
            elif node.op == "output":
                if not isinstance(node.args[0], fx.Node) or node.args[0] not in self._values:
                    raise self._reading.unlike("gives something else than one array that hangs on its inputs")
                self._values.end(node.args[0])
            elif any(argument in self._values for argument in node.all_input_nodes):
                self._node(node)

    def _node(self, node: fx.Node) -> None:
        if not node.args and "input" in node.kwargs:
            node.kwargs, node.args = (
                {name: value for name, value in node.kwargs.items() if name != "input"},
                (node.kwargs["input"],),
            )
        if node.op == "call_module":
            module = self._graph.get_submodule(str(node.target))
            self._reading.at(type(module).__name__, str(node.target), self._name_of(str(node.target)))
            self._check_in_place(
                node, getattr(module, "inplace", False) and not isinstance(module, nn.Dropout)
            )
            read = functools.partial(_read_module, module, self._reading, self._dtype)
            if not node.args:
                raise self._unknown()
            source: Any = node.args[0]
            self._values.step(node, source, read)
            return
        name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", node.target)
        self._reading.at(str(name), node.name)
        self._check_in_place(node, _changes_its_input(node, str(name)))
        if node.target in (getattr, "size", "dim", functional.dropout, "dropout", torch.dropout):
            if node.target in (functional.dropout, torch.dropout):
                self._dropout(node)
            return  # sizes are no values
        arithmetic = {ADDING: self._add, SUBTRACTING: self._subtract, MULTIPLYING: self._multiply}
        for names, follow in arithmetic.items():
            if node.target in names:
                follow(node)
                return
        self._function(node)

    def _check_in_place(self, node: fx.Node, changes: bool) -> None:
        """`InputError` where something else, too, takes the value that this step changes: what it would see, the graph does not tell."""
        value: Any = node.args[0] if changes and node.args else None
        while isinstance(value, fx.Node):
            if len(value.users) > 1:
                others = ", ".join(repr(user.name) for user in value.users if user is not node)
                raise InputError(
                    f"the {self._reading.source}: {self._reading.where} changes {value.name!r} in place, which {others} takes too; give "
                    "the changed value a name of its own (inplace=False, a function without the underscore)"
                )
            value = value.args[0] if self._is_the_same(value) and value.args else None

    def _is_the_same(self, node: fx.Node) -> bool:
        """Whether a step gives back what it takes, or another view of it."""
        if node.op == "call_module":
            module = self._graph.get_submodule(str(node.target))
            return isinstance(module, (nn.Flatten, nn.Identity, nn.Dropout))
        name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
        return node.op in ("call_method", "call_function") and name in _VIEWS

    def _name_of(self, target: str) -> str:
        """What a module is called, within the residual addition that it is in."""
        steps = target.split(".")
        for i in range(len(steps) - 1, 0, -1):
            if isinstance(self._model.get_submodule(".".join(steps[:i])), TorchResidual):
                return chosen(".".join(steps[i + 1 :]))
        return chosen(target)

    # ---- functions of one value

    def _function(self, node: fx.Node) -> None:
        source: Any = node.args[0] if node.args else None
        rest = node.args[1:]
        if source not in self._values:
            raise self._unknown()
        reading, target = self._reading, node.target
        read: Callable[[], None]
        if target in FUNCTIONS or target in METHODS:
            module = module_of_call(
                FUNCTIONS[target] if target in FUNCTIONS else METHODS[str(target)], rest, node.kwargs
            )
            read = functools.partial(_read_module, module, reading, self._dtype)
        elif target is functional.linear:
            given = dict(zip(("weight", "bias"), rest, strict=False)) | node.kwargs
            weight, bias = (self._constant(given.get(part)) for part in ("weight", "bias"))
            read = functools.partial(_dense, reading, weight, bias)
        elif target in DIVIDING and not node.kwargs:
            read = functools.partial(reading.affine, 1 / np.float64(self._constant(rest[0])))
        elif target in NEGATING:
            read = functools.partial(reading.affine, -1.0)
        elif target in (torch.flatten, "flatten", "view", "reshape", torch.reshape) and self._keeps_rows(
            node
        ):
            read = reading.on_rows
        elif target in WITHOUT_MODULE:
            read = functools.partial(reading.activation, WITHOUT_MODULE[target])
        elif target in (torch.erf, torch.special.erf, "erf"):
            read = reading.erf
        elif target in ("contiguous", "clone", "float"):
            read = _nothing
        else:
            raise self._unknown()
        self._values.step(node, source, read)

    def _keeps_rows(self, node: fx.Node) -> bool:
        """Whether all axes but the first become one."""
        rest = [*node.args[1:], *node.kwargs.values()]
        if node.target in (torch.flatten, "flatten"):
            return rest in ([1], [1, -1])
        shape = rest[0] if len(rest) == 1 and isinstance(rest[0], (tuple, list)) else rest
        if len(shape) != 2:
            return False
        source: Any = node.args[0]
        rows, features = (_axis_of(extent) if isinstance(extent, fx.Node) else extent for extent in shape)
        if type(features) is int and features != -1:
            return rows in (-1, "0") and self._values.width(source) in (None, features)
        return rows == "0" and features in (-1, "1", "-1")

    def _dropout(self, node: fx.Node) -> None:
        source: Any = node.args[0]
        given: dict[str, Any] = dict(zip(("p", "training"), node.args[1:], strict=False)) | node.kwargs
        if given.get("train", given.get("training", True)):
            raise InputError(
                f"the {self._reading.source}: {self._reading.where} is on in evaluation too; write training=self.training"
            )
        self._values.step(node, source, functools.partial(self._reading.dropout, float(given.get("p", 0.5))))

    # ---- arithmetic

    def _operands(self, node: fx.Node) -> tuple[Any, Any]:
        if len(node.args) != 2 or node.kwargs:
            raise self._unknown()
        return node.args[0], node.args[1]

    def _add(self, node: fx.Node) -> None:
        one, other = self._operands(node)
        if one in self._values and other in self._values:
            self._values.add(node, one, other)
        else:
            value, constant = (one, other) if one in self._values else (other, one)
            self._affine(node, value, 1.0, self._constant(constant))

    def _subtract(self, node: fx.Node) -> None:
        one, other = self._operands(node)
        if one in self._values and other in self._values:
            raise self._unknown()
        if one in self._values:
            self._affine(node, one, 1.0, -np.float64(self._constant(other)))
        else:
            self._affine(node, other, -1.0, self._constant(one))

    def _multiply(self, node: fx.Node) -> None:
        one, other = self._operands(node)
        if one in self._values and other in self._values:
            self._values.multiply(node, one, other)
        else:
            value, constant = (one, other) if one in self._values else (other, one)
            self._affine(node, value, self._constant(constant))

    def _affine(self, node: fx.Node, value: Any, scale: Any, shift: Any = 0.0) -> None:
        self._values.step(node, value, functools.partial(self._reading.affine, scale, shift))

    def _constant(self, value: Any) -> Any:
        """A number, or a parameter or buffer of the module, as it stands."""
        if isinstance(value, fx.Node) and value.op == "get_attr":
            found: Any = self._graph
            for step in str(value.target).split("."):
                found = getattr(found, step)
            return on_the_host(found)
        if value is None or isinstance(value, (int, float)):
            return value
        raise self._unknown()

    def _unknown(self) -> InputError:
        return unsupported_layer(self._reading.source, self._reading.where, _readable())


def _changes_its_input(node: fx.Node, name: str) -> bool:
    """Whether a function or a method writes into its first argument."""
    if node.target in (functional.dropout, torch.dropout):  # does nothing in evaluation
        return False
    if node.target in IN_PLACE or (name.endswith("_") and not name.endswith("__")):
        return True
    given: Mapping[str, Any] = node.kwargs
    if callable(node.target):
        with contextlib.suppress(TypeError, ValueError):  # one that does not tell its arguments has no such
            given = inspect.signature(node.target).bind_partial(*node.args, **node.kwargs).arguments
    return bool(given.get("inplace", False))


def _axis_of(node: fx.Node) -> str:
    """The axis whose extent this is, as text; "" for anything else."""
    taken: tuple[Any, ...] = ()
    if node.op == "call_method" and node.target == "size":
        taken = (*node.args[1:], *node.kwargs.values())
    elif node.target is operator.getitem and isinstance(node.args[0], fx.Node):
        inner = node.args[0]
        is_shape = inner.target is getattr and inner.args[1:] == ("shape",)
        is_shape |= inner.op == "call_method" and inner.target == "size" and len(inner.args) == 1
        taken = node.args[1:] if is_shape else ()
    return str(taken[0]) if len(taken) == 1 and type(taken[0]) is int else ""


_VIEWS = ("view", "reshape", "flatten", "contiguous", "float", "dropout", "squeeze", "unsqueeze", "detach")
"""Methods and functions that may give another view of what they take."""


def _nothing() -> None:
    """A step that computes nothing on rows."""


def _readable() -> tuple[str, ...]:
    functions = ("functions of torch and torch.nn.functional for these", "+, -, *, / of constants")
    return (*_LAYERS, *(module.__name__ for module in NAMES), *functions)


def _read_module(module: nn.Module, reading: Builder, dtype: torch.dtype) -> None:
    """``dtype`` is that of the model, in which a layer without parameters computes."""
    if _is(module, nn.Linear):
        if isinstance(module.weight, UninitializedParameter):
            raise InputError(f"the {reading.source}: {reading.where} has no weights yet; call the model once")
        _renew_weight(module)
        _dense(
            reading,
            on_the_host(module.weight),
            None if module.bias is None else on_the_host(module.bias),
        )
    elif isinstance(module, TorchMembersLinear):
        bias = None if module.bias is None else on_the_host(module.bias)[:, 0, :]
        reading.dense_of_members(on_the_host(module.weight), bias)
    elif isinstance(module, TorchCombine):
        reading.combined(module.combine)
    elif isinstance(module, TorchMLP):
        check_params(module.mlp, module.params)
        reading.parts += parts_of_mlp(module.mlp, module.params)
    elif _is(module, nn.Dropout):
        reading.dropout(module.p)
    elif _is(module, nn.PReLU):
        reading.prelu(on_the_host(module.weight))
    elif _is(module, nn.BatchNorm1d):
        _read_batch_norm(module, reading)
    elif _is(module, nn.LayerNorm) or _is(module, nn.RMSNorm):
        _read_norm(module, reading, dtype)
    elif type(module) in NAMES:
        if getattr(module, "dim", -1) != -1:
            reading.on_rows()
        reading.activation(activation_spec(module))
    elif isinstance(module, nn.Flatten) and (module.start_dim, module.end_dim) == (1, -1):
        reading.on_rows()
    else:
        raise unsupported_layer(reading.source, reading.where, _readable())


def _renew_weight(module: nn.Linear) -> None:
    """The weight of a layer that makes it anew before each call, from what it has learned, as torch's older weight_norm does: it is that of
    the last call, and other numbers may have been loaded since."""
    with evaluating(module):
        for hook in module._forward_pre_hooks.values():
            if isinstance(hook, (WeightNorm, SpectralNorm)):
                hook(module, ())


def _dense(reading: Builder, weight: Any, bias: Any | None) -> None:
    reading.dense(weight.T, bias)


def _read_batch_norm(module: nn.BatchNorm1d, reading: Builder) -> None:
    if module.running_mean is None or module.running_var is None:
        raise InputError(
            f"the {reading.source}: {reading.where} keeps no running statistics, so that a row's outputs hang on the others of its "
            "batch; make it with track_running_stats=True"
        )
    scale, shift = (None if p is None else on_the_host(p) for p in (module.weight, module.bias))
    reading.batch_norm(
        on_the_host(module.running_mean), on_the_host(module.running_var), scale, shift, module.eps
    )


def _read_norm(module: nn.LayerNorm | nn.RMSNorm, reading: Builder, dtype: torch.dtype) -> None:
    if len(module.normalized_shape) != 1:
        raise InputError(
            f"the {reading.source}: {reading.where} works on {len(module.normalized_shape)} axes; one, of the features, has an equivalent"
        )
    weight = module.weight
    scale = np.ones(module.normalized_shape, np.float32) if weight is None else on_the_host(weight)
    if isinstance(module, nn.RMSNorm):
        epsilon = module.eps
        if epsilon is None:  # torch takes that of its inputs' dtype
            epsilon = torch.finfo(dtype if weight is None else weight.dtype).eps
        reading.rms_norm(scale, epsilon)
    else:
        reading.layer_norm(scale, None if module.bias is None else on_the_host(module.bias), module.eps)
