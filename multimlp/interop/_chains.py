"""Steps as a model of blocks, and a model's blocks as steps."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from multimlp import blocks
from multimlp.blocks import Block, Chain, chain
from multimlp.errors import InputError, ShapeError
from multimlp.interop._arrays import on_host
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
    width_after,
)
from multimlp.mlp import MLP, Params, learned_by
from multimlp.tree import Tree

# ---- steps to blocks ----------------------------------------


def chain_of(source: str, parts: Path) -> tuple[Chain, Tree]:
    """The chain of blocks that computes what these steps compute, and its parameters on the host.

    Raises
    ------
    InputError
        If a step works on a number of features that nothing tells.
    ShapeError
        If one step's outputs are not the next one's inputs.
    """
    try:
        return _chained(source, parts, None)
    except ShapeError as error:
        raise ShapeError(f"the {source} does not fit together: {error}") from None


def _chained(source: str, parts: Path, features: int | None) -> tuple[Chain, Tree]:
    made: list[Block] = []
    params: list[Tree] = []
    names: list[str | None] = []
    distinct = Names()
    i = 0
    while i < len(parts):
        part, following = parts[i], parts[i + 1] if i + 1 < len(parts) else None
        known = width_after(parts[:i]) or features
        if isinstance(part, Linear):
            activated = following if isinstance(following, Pointwise) else None
            block, values = _dense(part, activated)
            i += activated is not None
        elif isinstance(part, Residual):
            inner, held = _chained(source, part.inner, known)
            block, values = blocks.residual(inner), held
        else:
            block, values = _other(source, part, known)
        made.append(block)
        params.append((values,) if isinstance(part, Residual) else block.packed(values))
        names.append(distinct(part.name) if part.name else None)
        i += 1
    return chain(*made, block_names=names), tuple(params)


def _dense(layer: Linear, following: Pointwise | None) -> tuple[Block, dict[str, Any]]:
    fan_in, fan_out = layer.weight.shape
    rule = None if following is None else following.rule
    block = blocks.dense(fan_out, rule, fan_in, layer.bias is not None)
    values = {"weight": layer.weight} | ({} if layer.bias is None else {"bias": layer.bias})
    return block, values | dict(following.learned if following is not None else {})


def _other(source: str, part: Part, features: int | None) -> tuple[Block, dict[str, Any]]:
    if isinstance(part, Pointwise):
        return blocks.activation(part.rule, features), dict(part.learned)
    if isinstance(part, Dropout):
        return blocks.dropout(part.rate), {}
    if isinstance(part, LayerNorm):
        values = {"scale": part.scale} | ({} if part.shift is None else {"bias": part.shift})
        return blocks.layer_norm(len(part.scale), part.epsilon, part.shift is not None), values
    if isinstance(part, RMSNorm):
        return blocks.rms_norm(len(part.scale), part.epsilon), {"scale": part.scale}
    if not isinstance(part, Affine):
        raise InputError(
            f"the {source}: {part.where} stands inside of a residual addition, and nothing here is the same there"
        )
    if part.shift.ndim > 1:
        raise InputError(
            f"the {source}: {part.where} has numbers for each member of an ensemble, and stands behind no layer of one"
        )
    width = len(part.scale) if part.scale.ndim else len(part.shift) if part.shift.ndim else features
    if width is None:
        raise InputError(
            f"the {source}: {part.where} has no fully connected layer beside it that it can be folded into, and nothing tells how many "
            "features it works on; put it beside a fully connected layer, or apply it to the data"
        )
    shifted = bool(part.shift.any())
    values = {"scale": np.broadcast_to(part.scale, (width,))}
    if shifted:
        values["bias"] = np.broadcast_to(part.shift, (width,))
    return blocks.scale(in_features=width, use_bias=shifted), values


# ---- blocks to steps ----------------------------------------


def parts_of_mlp(mlp: MLP, params: Params) -> Path:
    """The steps of a network."""
    found: list[Part] = []
    last = len(mlp.layers) - 1
    for i, (row, layer) in enumerate(zip(mlp.layers, params, strict=True)):
        where, name = row.label, (mlp.layer_names[i] if mlp.layer_names else None) or ""
        bias = None if layer.bias is None else on_host(layer.bias)
        found.append(Linear(on_host(layer.weight), bias, where=where, name=name))
        if row.activation is not None:
            learned = {name: on_host(value) for name, value in learned_by(layer).items()}
            found.append(Pointwise(row.activation, learned, where=where))
        if i < last and mlp.dropouts[i]:
            found.append(Dropout(mlp.dropouts[i], where=where))
    return tuple(found)


def parts_of_chain(model: Chain, params: Tree, where: str = "block ") -> Path:
    """The steps of a chain.

    Raises
    ------
    InputError
        For a block that other libraries have nothing for; names it and where it stands.
    """
    found: list[Part] = []
    names = model.block_names or (None,) * len(model.blocks)
    for i, (block, own, name) in enumerate(zip(model.blocks, params, names, strict=True)):
        parts = _parts_of(block, own, f"{where}{i}" if name is None else f"{where}{i} {name!r}")
        if parts and name is not None and not parts[0].name:
            parts = (dataclasses.replace(parts[0], name=name), *parts[1:])
        found += parts
    return tuple(found)


def has_parts(block: Block) -> bool:
    """Whether other libraries have something for a block and for all that it is made of."""
    return block.name in _READERS and all(has_parts(part) for part in getattr(block, "parts", ()))


def _parts_of(block: Block, params: Any, place: str) -> Path:
    if block.name not in _READERS:
        raise InputError(
            f"{place}: other libraries have no equivalent of {block!r}; those with one: {', '.join(sorted(_READERS))}"
        )
    return _READERS[block.name](block, params, f"{place} ({block.name})")


def _parts_of_dense(block: Any, params: Any, where: str) -> Path:
    weight = on_host(params.weight)
    if block.scaling == "neural_tangent":
        weight = weight.astype(np.float64) / np.sqrt(weight.shape[0])
    layer = Linear(weight, None if params.bias is None else on_host(params.bias), where=where)
    if block.activation is None:
        return (layer,)
    learned = {name: on_host(value) for name, value in learned_by(params).items()}
    return layer, Pointwise(block.activation, learned, where=where)


def _parts_of_weight_norm(block: Any, params: Any, where: str) -> Path:
    held = {name: on_host(value).astype(np.float64) for name, value in params.items()}
    direction = held["direction"]
    weight = direction * (held["length"] / np.linalg.norm(direction, axis=0))
    return (Linear(weight, held.get("bias"), where=where),)


def _parts_of_activation(block: Any, params: Any, where: str) -> Path:
    return (Pointwise(block.rule, {name: on_host(value) for name, value in params.items()}, where=where),)


def _parts_of_dropout(block: Any, params: Any, where: str) -> Path:
    if block.scheduled:
        raise InputError(
            f"{where}: a rate that changes has no equivalent in other libraries; give dropout a number"
        )
    return (Dropout(block.rate, where=where),) if block.rate else ()


def _parts_of_layer_norm(block: Any, params: Any, where: str) -> Path:
    shift = on_host(params["bias"]) if block.use_bias else None
    return (LayerNorm(on_host(params["scale"]), shift, block.epsilon, where=where),)


def _parts_of_rms_norm(block: Any, params: Any, where: str) -> Path:
    return (RMSNorm(on_host(params["scale"]), block.epsilon, where=where),)


def _parts_of_scale(block: Any, params: Any, where: str) -> Path:
    scale = on_host(params["scale"]).astype(np.float64)
    shift = on_host(params["bias"]).astype(np.float64) if block.use_bias else np.zeros(())
    return (Affine(scale, shift, where=where),)


def _parts_of_multiply(block: Any, params: Any, where: str) -> Path:
    return (Affine(np.asarray(float(block.factor)), np.zeros(()), where=where),)


def _parts_of_standardize(block: Any, params: Any, where: str) -> Path:
    mean, std = np.asarray(block.mean), np.asarray(block.std)
    return (Affine(1 / std, -mean / std, where=where),)


def _parts_of_residual(block: Any, params: Any, where: str) -> Path:
    return (Residual(_parts_of(block.inner, params[0], f"{where} 0"), where=where),)


_READERS: dict[str, Callable[[Any, Any, str], Path]] = {
    "activation": _parts_of_activation,
    "chain": lambda block, params, where: parts_of_chain(block, params, f"{where} "),
    "dense": _parts_of_dense,
    "dropout": _parts_of_dropout,
    "layer_norm": _parts_of_layer_norm,
    "mlp": lambda block, params, where: parts_of_mlp(block.mlp, params),
    "multiply": _parts_of_multiply,
    "residual": _parts_of_residual,
    "rms_norm": _parts_of_rms_norm,
    "scale": _parts_of_scale,
    "standardize": _parts_of_standardize,
    "weight_norm_dense": _parts_of_weight_norm,
}
