"""Optimisers of torch with what they remember: a training run moves between the libraries and goes on with the same numbers."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from torch import nn

from multimlp import optimizers, tree
from multimlp.backend import Backend, owner, select
from multimlp.errors import InputError
from multimlp.errors.checks import check_number, refuse
from multimlp.optimizers import Optimizer, OptimizerState
from multimlp.schedules import Schedule
from multimlp.tree import Tree

ParamsOf: TypeAlias = Callable[[nn.Module], Tree]


class _Kind(NamedTuple):
    """How one optimiser is called in both libraries."""

    ours: str
    options: Mapping[str, str]
    """torch's name to ours; ``betas`` apart."""
    slots: Mapping[str, str]
    """Ours to torch's."""
    must_be: Mapping[str, Any]
    """What multimlp has no equivalent of, with the value at which it does nothing."""
    has_step: bool = True


_COMMON = {"lr": "learning_rate", "weight_decay": "weight_decay"}
_ADAM = _Kind(
    "adam",
    {**_COMMON, "eps": "eps"},
    {"m": "exp_avg", "v": "exp_avg_sq"},
    {"amsgrad": False, "maximize": False},
)
_KINDS: dict[Any, _Kind] = {
    torch.optim.SGD: _Kind(
        "sgd",
        {**_COMMON, "momentum": "momentum", "nesterov": "nesterov"},
        {"velocity": "momentum_buffer"},
        {"dampening": 0, "maximize": False},
        has_step=False,
    ),
    torch.optim.Adam: _ADAM,
    torch.optim.AdamW: _ADAM._replace(ours="adamw"),
    torch.optim.RMSprop: _Kind(
        "rmsprop",
        {**_COMMON, "alpha": "rho", "eps": "eps", "momentum": "momentum"},
        {"mean_square": "square_avg", "velocity": "momentum_buffer"},
        {"centered": False, "maximize": False},
    ),
    torch.optim.Adagrad: _Kind(
        "adagrad",
        {**_COMMON, "eps": "eps", "initial_accumulator_value": "initial_accumulator"},
        {"accumulator": "sum"},
        {"lr_decay": 0, "maximize": False},
    ),
}
_SUPPORTED = "SGD, Adam, AdamW, RMSprop, Adagrad"


def read_optimizer(
    optimizer: torch.optim.Optimizer,
    model: nn.Module | Tree,
    params_of: ParamsOf,
    backend: str | Backend | None,
    device: str | None,
    dtype: Any,
    learning_rate: float | Schedule | None,
) -> tuple[Optimizer, OptimizerState]:
    """See `multimlp.interop.torch.from_optimizer`; ``params_of`` gives the parameters of a module."""
    kind = _kind_of(optimizer)
    if learning_rate is not None and not isinstance(learning_rate, Schedule):
        learning_rate = check_number("learning_rate", learning_rate, low=0)
    places = _Places.of(model, params_of)
    groups = [_options(kind, group, learning_rate) for group in optimizer.param_groups]
    numbers = {id(p): i for i, group in enumerate(optimizer.param_groups) for p in group["params"]}
    strangers = numbers.keys() - {id(tensor) for _, tensor in places.tensors}
    if strangers:
        raise InputError("model: the optimizer trains a parameter that is not among the model's")
    # torch never updates what is frozen, whatever group it is in.
    trained = [not isinstance(model, nn.Module) or tensor.requires_grad for _, tensor in places.tensors]
    of_tensors = [
        numbers.get(id(tensor)) if moves else None
        for (_, tensor), moves in zip(places.tensors, trained, strict=True)
    ]
    made = _grouped(kind, groups, [of_tensors[i] for i in places.first_tensors()], places)
    first = places.tensors[0][1]
    target = select(
        backend, device, str(first.dtype).removeprefix("torch.") if dtype is None else dtype, [first]
    )

    def place(values: np.ndarray) -> Any:
        return target.backend.asarray(values, dtype=target.dtype, device=target.device)

    with target.backend.scope(target.dtype):
        slots = tuple(
            tree.map(place, places.read(_remembered(optimizer, kind.slots[slot], made, slot, places)))
            for slot in made.rule.slots
        )
        moving = [tensor for (_, tensor), i in zip(places.tensors, of_tensors, strict=True) if i is not None]
        step = target.backend.asarray(_steps(optimizer, kind, moving), dtype="int32", device=target.device)
    return made, OptimizerState(step, slots)


def write_optimizer(
    optimizer: Optimizer | str, state: OptimizerState, model: nn.Module | Tree, params_of: ParamsOf
) -> torch.optim.Optimizer:
    """See `multimlp.interop.torch.to_optimizer`."""
    made = optimizers.get(optimizer)
    found = next((pair for pair in _KINDS.items() if pair[1].ours == made.name), None)
    if found is None or not isinstance(made, Optimizer):
        raise InputError(f"optimizer: {made.name} has no equivalent in torch; {_SUPPORTED} have one")
    if not isinstance(state, OptimizerState):
        raise refuse("state", "an OptimizerState of multimlp", state)
    library, kind = found
    places = _Places.of(model, params_of)
    parts = made.for_leaves(places.ids)
    groups: dict[int, list[int]] = {}
    for leaf, i in enumerate(places.first_tensors()):
        same = next((n for n in groups if parts[n].options == parts[leaf].options), leaf)
        groups.setdefault(same, []).append(i)
    result: torch.optim.Optimizer = library(
        [
            {"params": [places.tensors[i][1] for i in members], **_options_there(kind, parts[leaf].options)}
            for leaf, members in groups.items()
        ]
    )
    if len(state.slots) != len(made.rule.slots):
        raise InputError(
            f"state: {made.name} keeps {list(made.rule.slots)!r}, and the state holds {len(state.slots)} trees"
        )
    slots = [places.write(slot) for slot in state.slots]
    step = int(state.step)
    for i, (_, tensor) in enumerate(places.tensors):
        kept: dict[str, Any] = {"step": torch.tensor(float(step))} if kind.has_step else {}
        for name, values in zip(made.rule.slots, slots, strict=True):
            kept[kind.slots[name]] = torch.as_tensor(
                values[i], dtype=tensor.dtype, device=tensor.device
            ).clone()
        if kept:
            result.state[tensor] = kept
    return result


def _kind_of(optimizer: Any) -> _Kind:
    if type(optimizer) not in _KINDS:
        raise InputError(
            f"optimizer: expected one of torch.optim's {_SUPPORTED}, got {type(optimizer).__name__}, which multimlp has no equivalent of"
        )
    kind = _KINDS[type(optimizer)]
    decoupled = {
        group.get("decoupled_weight_decay", kind.ours == "adamw") for group in optimizer.param_groups
    }
    if kind.slots is not _ADAM.slots:
        return kind
    if len(decoupled) > 1:
        raise InputError("optimizer: weight decay is decoupled in some of its groups and not in others")
    return kind._replace(ours="adamw" if decoupled == {True} else "adam")


def _options(kind: _Kind, group: Mapping[str, Any], learning_rate: Any) -> dict[str, Any]:
    """A group's options, by our names."""
    for name, value in kind.must_be.items():
        idle = name == "dampening" and not group["momentum"]
        if group[name] != value and not idle:
            raise InputError(
                f"optimizer: it has {name}={group[name]!r}, which multimlp's {kind.ours} has no equivalent of; only {value!r} can be moved"
            )
    if "initial_lr" in group and learning_rate is None:
        raise InputError(
            "optimizer: a scheduler of torch changes its learning rate, which cannot be read; give learning_rate=, a number or one of "
            "multimlp.schedules"
        )
    options = {ours: _plain(group[name]) for name, ours in kind.options.items()}
    if "betas" in group:
        options |= dict(zip(("beta1", "beta2"), map(_plain, group["betas"]), strict=True))
    if learning_rate is not None:
        options["learning_rate"] = learning_rate
    return options


def _options_there(kind: _Kind, options: Mapping[str, Any]) -> dict[str, Any]:
    if options["clip_norm"] is not None:
        raise InputError(
            "optimizer: torch's optimisers do not clip; make it with clip_norm=None and call torch.nn.utils.clip_grad_norm_"
        )
    for name in ("eps_hat", "eps_in_sqrt"):
        if options.get(name) and options["eps"]:
            raise InputError(
                f"optimizer: it has {name}=True, and torch has its eps elsewhere; only eps=0 is the same in both"
            )
    for name in ("learning_rate", "weight_decay"):
        if not isinstance(options[name], (int, float)):
            raise InputError(
                f"optimizer: {name} is a schedule, which torch has beside its optimisers; give a number and a torch.optim.lr_scheduler"
            )
    found = {there: options[here] for there, here in kind.options.items()}
    return found | ({"betas": (options["beta1"], options["beta2"])} if "beta1" in options else {})


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, torch.Tensor) else value


def _grouped(
    kind: _Kind, groups: list[dict[str, Any]], of_leaves: list[int | None], places: _Places
) -> Optimizer:
    """The optimiser of the largest group, with the options of the others for theirs."""
    make: Callable[..., Optimizer] = getattr(optimizers, kind.ours)
    counts = [of_leaves.count(i) for i in range(len(groups))]
    base = groups[counts.index(max(counts))]
    frozen = {**base, "learning_rate": 0.0, "weight_decay": 0.0}
    wanted = [frozen if i is None else groups[i] for i in of_leaves]
    own = [{name: value for name, value in row.items() if value != base[name]} for row in wanted]
    made = make(**base)
    if not any(own):
        return made
    paths = tree.paths(places.ids)
    parts: dict[str, list[dict[str, Any]]] = {}
    for path, options in zip(paths, own, strict=True):
        parts.setdefault(path[-1], []).append(options)
    if all(row == rows[0] for rows in parts.values() for row in rows):
        names = {part: rows[0] for part, rows in parts.items() if rows[0]}  # all biases, say
    else:
        names = {".".join(path): options for path, options in zip(paths, own, strict=True) if options}
    grouped = optimizers.grouped(made, names)
    for path, part, row in zip(paths, grouped.for_leaves(places.ids), wanted, strict=True):
        if any(part.options[name] != value for name, value in row.items()):
            raise InputError(
                f"optimizer: the options of {'.'.join(path)!r} cannot be told apart from those of other parameters by name"
            )
    return grouped


def _remembered(
    optimizer: torch.optim.Optimizer, key: str, made: Optimizer, slot: str, places: _Places
) -> list[np.ndarray]:
    """A slot of every tensor of the model; as before the first step where torch has not made one yet."""
    start = float(made.options.get(f"initial_{slot}", 0.0))
    found = []
    for _, tensor in places.tensors:
        kept = optimizer.state.get(tensor, {}).get(key)
        found.append(np.full(tuple(tensor.shape), start) if kept is None else _host(kept))
    return found


def _steps(optimizer: torch.optim.Optimizer, kind: _Kind, tensors: list[torch.Tensor]) -> int:
    """The steps that these tensors have made; one that never had a gradient has made none."""
    steps = {int(_plain(optimizer.state.get(tensor, {}).get("step", 0))) for tensor in tensors}
    if kind.has_step and len(steps) > 1:
        raise InputError(
            f"optimizer: its parameters have made different numbers of steps, {sorted(steps)}; multimlp counts them together"
        )
    return steps.pop() if kind.has_step and steps else 0


def _host(tensor: torch.Tensor) -> np.ndarray:
    tensor = tensor.detach().cpu()
    return np.asarray((tensor.float() if tensor.dtype.itemsize < 4 else tensor).numpy())


class _Places(NamedTuple):
    """Where each number of a model's tensors is in multimlp's parameters."""

    tensors: list[tuple[str, torch.Tensor]]
    """By name, in the model's order."""
    ids: Tree
    """A tree like multimlp's parameters: each number is the place of one of the tensors' numbers, counted through all of them from 1."""

    @classmethod
    def of(cls, model: nn.Module | Tree, params_of: ParamsOf) -> _Places:
        """Found by reading a copy of the model whose parameters are numbered."""
        named = _tensors_of(model)
        if not named:
            raise InputError("model: it has no parameters")
        numbered, end = [], 1
        for _, tensor in named:
            count = tensor.numel()
            numbered.append(torch.arange(end, end + count, dtype=torch.float64).reshape(tensor.shape))
            end += count
        ids = tree.map(_whole, _read_like(model, numbered, params_of))
        found = np.sort(np.concatenate([leaf.reshape(-1) for leaf in tree.leaves(ids)]))
        if not np.array_equal(found, np.arange(1, end)):
            raise InputError(
                "model: its parameters are not one to one those of multimlp's model (a normalisation that is folded into weights, a bias "
                "that only some of the layers have); an optimiser's state cannot be moved"
            )
        return cls(named, ids)

    def first_tensors(self) -> list[int]:
        """The tensor that each leaf of the tree comes from."""
        ends = np.cumsum([tensor.numel() for _, tensor in self.tensors])
        return [int(np.searchsorted(ends, leaf.reshape(-1)[0])) for leaf in tree.leaves(self.ids)]

    def read(self, values: list[np.ndarray]) -> Tree:
        """Values like the tensors as a tree like the parameters."""
        flat = np.concatenate([np.zeros(1), *(value.reshape(-1).astype(np.float64) for value in values)])
        return tree.map(lambda ids: flat[ids], self.ids)

    def write(self, values: Tree) -> list[np.ndarray]:
        """The inverse of `read`."""
        flat = np.zeros(1 + sum(tensor.numel() for _, tensor in self.tensors))
        try:
            pairs = list(zip(tree.leaves(self.ids), tree.leaves_like(self.ids, values), strict=True))
        except InputError as error:
            raise InputError(f"state: it is not that of this model: {error}") from None
        for ids, leaf in pairs:
            if tuple(leaf.shape) != ids.shape:
                raise InputError(
                    f"state: an array of shape {tuple(leaf.shape)} stands where the model has one of shape {ids.shape}"
                )
            flat[ids] = np.asarray(owner(leaf).to_numpy(leaf), dtype=np.float64)
        ends = np.cumsum([1, *(tensor.numel() for _, tensor in self.tensors)])
        return [
            flat[start:end].reshape(tuple(tensor.shape))
            for start, end, (_, tensor) in zip(ends, ends[1:], self.tensors, strict=False)
        ]


def _whole(leaf: Any) -> np.ndarray:
    return np.asarray(owner(leaf).to_numpy(leaf)).astype(np.int64)


def _tensors_of(model: nn.Module | Tree) -> list[tuple[str, torch.Tensor]]:
    if isinstance(model, nn.Module):
        return list(model.named_parameters())
    named = [(".".join(path), leaf) for path, leaf in zip(tree.paths(model), tree.leaves(model), strict=True)]
    for name, leaf in named:
        if not isinstance(leaf, torch.Tensor):
            raise InputError(
                f"model: expected a torch.nn.Module or a tree of tensors, got {type(leaf).__name__} at {name or 'its root'!r}"
            )
    return named


def _read_like(model: nn.Module | Tree, values: list[torch.Tensor], params_of: ParamsOf) -> Tree:
    """multimlp's parameters of a model of this kind with these values."""
    if not isinstance(model, nn.Module):
        return tree.flatten(model)[1](values)
    numbered = copy.deepcopy(model).to(torch.float64)
    for parameter, value in zip(numbered.parameters(), values, strict=True):
        parameter.data = value
    return params_of(numbered)
