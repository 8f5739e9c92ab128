"""Optimisers of Keras with what they remember: a training run moves between the libraries and goes on with the same numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import keras
import numpy as np

from multimlp import optimizers, tree
from multimlp.backend import Backend, owner, select
from multimlp.errors import InputError
from multimlp.errors.checks import refuse
from multimlp.optimizers import Optimizer, OptimizerState
from multimlp.schedules import Schedule
from multimlp.tree import Tree


class _Kind(NamedTuple):
    """How one optimiser is called in both libraries."""

    ours: str
    options: Mapping[str, str]
    """Keras's name to ours."""
    slots: Mapping[str, str]
    """Ours to the attribute in which Keras has the variables."""
    always: Mapping[str, Any] = {}
    """Options that make the two the same."""
    must_be: Mapping[str, Any] = {}
    """What multimlp has no equivalent of, with the value at which it does nothing."""
    decays: bool = False
    """Whether the weight decay of Keras, which is decoupled, has an equivalent."""


_ADAM = _Kind(
    "adam",
    {"beta_1": "beta1", "beta_2": "beta2", "epsilon": "eps"},
    {"m": "_momentums", "v": "_velocities"},
    {"eps_hat": True},
    {"amsgrad": False},
    decays=True,
)
_KINDS: dict[Any, _Kind] = {
    keras.optimizers.SGD: _Kind(
        "sgd", {"momentum": "momentum", "nesterov": "nesterov"}, {"velocity": "momentums"}
    ),
    keras.optimizers.Adam: _ADAM,
    keras.optimizers.AdamW: _ADAM._replace(ours="adamw"),
    keras.optimizers.RMSprop: _Kind(
        "rmsprop",
        {"rho": "rho", "momentum": "momentum", "epsilon": "eps"},
        {"mean_square": "_velocities", "velocity": "_momentums"},
        {"eps_in_sqrt": True},
        {"centered": False},
    ),
    keras.optimizers.Adagrad: _Kind(
        "adagrad",
        {"initial_accumulator_value": "initial_accumulator", "epsilon": "eps"},
        {"accumulator": "_accumulators"},
        {"eps_in_sqrt": True},
    ),
    keras.optimizers.Lion: _Kind(
        "lion", {"beta_1": "beta1", "beta_2": "beta2"}, {"m": "_momentums"}, decays=True
    ),
}
_SUPPORTED = "SGD, Adam, AdamW, RMSprop, Adagrad, Lion"
_IDLE = {
    "clipnorm": None,
    "clipvalue": None,
    "use_ema": False,
    "loss_scale_factor": None,
    "gradient_accumulation_steps": None,
}
"""What every optimiser of Keras may do and multimlp's do not, with the value at which it is not done."""


def read_optimizer(
    optimizer: Any,
    model: Any,
    params_of: Callable[[Any], Tree],
    backend: str | Backend | None,
    device: str | None,
    dtype: Any,
    learning_rate: float | Schedule | None,
) -> tuple[Optimizer, OptimizerState]:
    """See `multimlp.interop.keras.from_optimizer`; ``params_of`` gives the parameters of a model."""
    kind = _KINDS.get(type(optimizer))
    if kind is None:
        raise InputError(
            f"optimizer: expected one of keras.optimizers' {_SUPPORTED}, got {type(optimizer).__name__}, which has no equivalent here"
        )
    made = _made(optimizer, kind, learning_rate)
    variables = _trainable(model)
    leaves, rebuild = tree.flatten(_places(model, params_of))
    target = select(
        backend, device, dtype if dtype is not None else keras.backend.standardize_dtype(variables[0].dtype)
    )
    known = list(getattr(optimizer, "_trainable_variables", ()) or ()) if optimizer.built else []
    if known and {id(v) for v in known} != {id(v) for v in variables}:
        raise InputError(
            "model: the optimizer trains other variables than those of this model that are trainable"
        )
    at = {id(variable): i for i, variable in enumerate(known)}

    def remembered(slot: str, leaf: _Leaf) -> Any:
        start = float(made.options.get(f"initial_{slot}", 0.0))
        values = np.full(leaf.shape, start)
        if known:
            kept = getattr(optimizer, kind.slots[slot])[at[id(variables[leaf.variable])]]
            values = _host(kept).astype(np.float64).reshape(leaf.shape)
        if slot == "velocity":  # Keras has the rate inside of it, and a falling one in the other direction
            values = values * _of_velocity(made, inward=False)
        return target.backend.asarray(values, dtype=target.dtype, device=target.device)

    with target.backend.scope(target.dtype):
        slots = tuple(rebuild([remembered(slot, leaf) for leaf in leaves]) for slot in made.rule.slots)
        steps = int(_host(optimizer.iterations))
        step = target.backend.asarray(np.asarray(steps), dtype="int32", device=target.device)
    return made, OptimizerState(step, slots)


def _trainable(model: Any) -> list[Any]:
    if not isinstance(model, keras.Model):
        raise refuse("model", "a keras.Model", model)
    return list(model.trainable_variables)


def write_optimizer(
    optimizer: Optimizer | str, state: OptimizerState, model: Any, params_of: Callable[[Any], Tree]
) -> Any:
    """See `multimlp.interop.keras.to_optimizer`."""
    made = optimizers.get(optimizer)
    found = next((pair for pair in _KINDS.items() if pair[1].ours == made.name), None)
    if found is None or not isinstance(made, Optimizer) or hasattr(made, "groups"):
        what = "groups" if hasattr(made, "groups") else made.name
        raise InputError(
            f"optimizer: {what} has no equivalent in Keras; {_SUPPORTED} without groups have one"
        )
    library, kind = found
    if not isinstance(state, OptimizerState):
        raise refuse("state", "an OptimizerState of multimlp", state)
    if len(state.slots) != len(made.rule.slots):
        raise InputError(
            f"state: {made.name} keeps {list(made.rule.slots)!r}, and the state holds {len(state.slots)} trees"
        )
    variables = _trainable(model)
    result = library(**_options_there(made, kind))
    result.build(variables)
    places = _places(model, params_of)
    for slot, values in zip(made.rule.slots, state.slots, strict=True):
        factor = _of_velocity(made, inward=True) if slot == "velocity" else 1.0
        try:
            pairs = list(zip(tree.leaves(places), tree.leaves_like(places, values), strict=True))
        except InputError as error:
            raise InputError(f"state: it is not that of this model: {error}") from None
        kept = getattr(result, kind.slots[slot])
        for leaf, array in pairs:
            if tuple(array.shape) != leaf.shape:
                raise InputError(
                    f"state: an array of shape {tuple(array.shape)} stands where the model has one of shape {leaf.shape}"
                )
            host = np.asarray(owner(array).to_numpy(array), dtype=np.float64) * factor
            kept[leaf.variable].assign(host.reshape(tuple(kept[leaf.variable].shape)))
    result.iterations.assign(int(state.step))
    return result


def _made(optimizer: Any, kind: _Kind, learning_rate: float | Schedule | None) -> Optimizer:
    config = optimizer.get_config()
    for name, value in {**_IDLE, **kind.must_be}.items():
        if config.get(name, value) != value:
            raise InputError(
                f"optimizer: it has {name}={config[name]!r}, which multimlp's {kind.ours} has no equivalent of; only {value!r} can be moved"
            )
    if getattr(optimizer, "_exclude_from_weight_decay", None) or getattr(
        optimizer, "_exclude_from_weight_decay_pattern", None
    ):
        raise InputError("optimizer: some variables are left out of its weight decay, which cannot be read")
    rate = config["learning_rate"] if learning_rate is None else learning_rate
    if learning_rate is None and isinstance(rate, Mapping):
        raise InputError(
            f"optimizer: its learning rate is a {rate['class_name']} of Keras, which cannot be read; give learning_rate=, a number or of "
            "multimlp.schedules"
        )
    options = {ours: config[theirs] for theirs, ours in kind.options.items()} | dict(kind.always)
    decay = config.get("weight_decay") or 0.0
    name = "adamw" if kind.ours == "adam" and decay else kind.ours
    if decay and not kind.decays and (kind.ours != "sgd" or options["momentum"]):
        raise InputError(
            f"optimizer: it has weight_decay={decay!r}, which shrinks the weights beside the update; multimlp's {kind.ours} has it in the "
            "gradient"
        )
    make: Callable[..., Optimizer] = getattr(optimizers, name)
    made = make(learning_rate=rate, weight_decay=decay, clip_norm=config.get("global_clipnorm"), **options)
    if "velocity" in made.rule.slots:
        _of_velocity(made, inward=True)
    return made


def _options_there(made: Optimizer, kind: _Kind) -> dict[str, Any]:
    options = made.options
    for name in ("learning_rate", "weight_decay"):
        if not isinstance(options[name], (int, float)):
            raise InputError(
                f"optimizer: {name} is a schedule, and Keras's have steps of their own; give a number"
            )
    for name, value in kind.always.items():
        if options["eps"] and options[name] != value:
            raise InputError(
                f"optimizer: Keras has the eps of {made.name} elsewhere; make it with {name}={value}, or with eps=0"
            )
    decay = options["weight_decay"]
    if decay and (made.name == "adam" or (not kind.decays and (made.name != "sgd" or options["momentum"]))):
        raise InputError(
            f"optimizer: the weight_decay of {made.name} is part of the gradient, and Keras's is not; "
            f"{'use adamw' if made.name == 'adam' else 'make it with weight_decay=0'}"
        )
    found = {there: options[here] for there, here in kind.options.items()}
    return {
        **found,
        "learning_rate": options["learning_rate"],
        "weight_decay": decay or None,
        "global_clipnorm": options["clip_norm"],
    }


def _of_velocity(made: Optimizer, inward: bool) -> float:
    """What a velocity is multiplied by on its way into Keras, which has the rate in it (SGD's with the sign of the step), or back."""
    rate = made.options["learning_rate"]
    if not isinstance(rate, (int, float)) or not rate:
        raise InputError(
            f"optimizer: the velocity of Keras's {made.name} has the learning rate in it, which must be a number above 0, not {rate!r}"
        )
    factor = -rate if made.name == "sgd" else rate
    return factor if inward else 1 / factor


@dataclass(frozen=True)
class _Leaf:
    """An array of multimlp's parameters: which of the model's variables it is."""

    variable: int
    shape: tuple[int, ...]


def _places(model: Any, params_of: Callable[[Any], Tree]) -> Tree:
    """Where each of multimlp's parameters is among the model's trainable variables: found by reading a copy of the model in which each
    variable is full of its own number."""
    if not isinstance(model, keras.Model) or not model.built or not model.trainable_variables:
        raise InputError(
            f"model: expected a built keras.Model with trainable variables, got {type(model).__name__}"
        )
    copy = keras.models.clone_model(model)
    for i, variable in enumerate(copy.trainable_variables):
        variable.assign(np.full(tuple(variable.shape), i + 1.0))
    shapes = [tuple(variable.shape) for variable in model.trainable_variables]
    found: list[int] = []

    def leaf(values: Any) -> _Leaf:
        host = np.asarray(owner(values).to_numpy(values))
        number = int(host.flat[0])
        one = (
            (host == number).all() and 1 <= number <= len(shapes) and host.size == np.prod(shapes[number - 1])
        )
        found.append(number if one else 0)
        return _Leaf(number - 1, host.shape)

    places = tree.map(leaf, params_of(copy))
    if sorted(found) != list(range(1, len(shapes) + 1)):
        raise InputError(
            "model: its trainable variables are not one to one the parameters of multimlp's model (a normalisation that is folded into "
            "weights, a bias that only some of the layers have, a frozen layer); an optimiser's state cannot be moved"
        )
    return places


def _host(variable: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(variable))
