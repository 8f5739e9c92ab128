"""The comparison of two models."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from multimlp import random
from multimlp.backend import host_values
from multimlp.errors import InputError, ShapeError
from multimlp.errors.checks import check_choice, check_number, check_whole
from multimlp.interop._ensembles import COMBINES
from multimlp.interop._verify.gradients import IN_INPUTS, Gradients, Probabilities, Side
from multimlp.interop._verify.gradients import compared as gradients_compared
from multimlp.interop._verify.opened import opened
from multimlp.interop._verify.report import Row, Verification, WorstInput, ulps_of_rows
from multimlp.interop._verify.run import Opened, Place, Run

_PER_TERM = 4.0
"""Units in the last place by which a layer may differ, times the square root of the terms of its longest sum: rounding in another
order makes a random walk of half a unit a step, seen over thousands of outputs."""
_EPS = {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}
_WORST = 5
"""How many of the worst inputs are told."""
_MOST, _FEW = 0.95, 4.0
"""Of the rows, and units in the last place: see `_amplification`."""
_OTHER_WEIGHTS = (
    "layers and gradients in weights, since these differ where the models, as functions of their inputs, do not: one has a scale or a "
    "shift in its weights that the other has beside them"
)
_SCALES = (1.0, 1.0, 0.1, 10.0)
"""Of rows that are drawn: ordinary ones, some near zero, some where activations saturate."""


def verify(
    a: Any,
    b: Any,
    X: Any = None,
    *,
    rows: int = 256,
    seed: int = 0,
    tolerance: float | None = None,
    combine: str = "members",
) -> Verification:
    """Whether two models, of whatever libraries, compute the same: each is run by its own library, on the same rows.

    Differences are in units in the last place of the less precise dtype: ``|a - b| / (eps max(|a|, |b|, r))``, with r the root
    mean square of the array, because a sum's rounding is as large as its terms and not as its value (of outputs and layers at most ten
    times that of the example in the middle, so that a few huge examples hide nothing in the others).

    Parameters
    ----------
    a, b : model
        ``(mlp, params)`` of an `MLP` or a chain of blocks, a ``torch.nn.Module``, a ``keras.Model``, ``(linen module, variables)``, an
        ``nnx.Sequential``, an Equinox module, a fitted network of scikit-learn, an ``onnx.ModelProto``, or a Gluon block. Dropout is off.
    X : array_like, shape (n, in_features), optional
        Default: ``rows`` rows drawn from normal distributions of several widths.
    rows, seed : int
        Of what is drawn: the rows, and the direction along which gradients are taken.
    tolerance : float, optional
        Units in the last place that count as equal. Default: 4 sqrt(longest sum) times the number of layers; more where model ``a``
        itself moves by more than a few units when its inputs do by one.
    combine : {"members", "mean", "probabilities", "vote"}
        Of an ensemble ``(mlp, params)``: what is made of its members' outputs, as `multimlp.interop.onnx.to_onnx` says.

    Returns
    -------
    Verification
        ``ok``, ``outputs_ulp``, ``gradients_ulp``, ``first_difference``, ...; of gradients in the inputs and in every weight and bias,
        where both libraries have them. Where one has none (scikit-learn, ONNX), its slope along one direction in each row is had from
        differences of its outputs in float64 and held against the other's gradient in the inputs; the report says so, and that gradients in
        weights were not compared. Rows beside a kink of an activation are left out of that.

    Raises
    ------
    InputError
        For something that is no model, or two that differ in their inputs or outputs.

    Examples
    --------
    >>> import multimlp as mm
    >>> from multimlp.interop import torch as interop
    >>> mlp = mm.MLP(4, [8], 3, activation="gelu")
    >>> params = mlp.init(seed=0)
    >>> report = mm.interop.verify((mlp, params), interop.to_torch(mlp, params))
    >>> report.ok, report.first_difference
    (True, None)
    >>> other = mm.MLP(4, [8], 3, activation={"name": "gelu", "approximate": "tanh"})
    >>> mm.interop.verify((other, params), interop.to_torch(mlp, params)).first_difference
    "hidden 1 | Linear '0', after its activation"
    """
    check_choice("combine", combine, COMBINES)
    one, other = opened("a", a, combine), opened("b", b, combine)
    if one.in_features != other.in_features:
        raise ShapeError(
            f"a takes {one.in_features} inputs ({one.library}), b takes {other.in_features} ({other.library})"
        )
    if not {one.dtype, other.dtype} <= _EPS.keys():
        raise InputError(f"models of dtypes {one.dtype} and {other.dtype} cannot be compared")
    eps = max(_EPS[one.dtype], _EPS[other.dtype])
    if tolerance is not None:
        tolerance = check_number("tolerance", tolerance, low=0)
    inputs = _inputs(X, one, other, check_whole("rows", rows, low=1), check_whole("seed", seed, low=0))
    first, second = _run(one, inputs, None), _run(other, inputs, None)
    sides = [_side(*row) for row in ((one, first, second), (other, second, first))]
    here, there = (side.outputs if side.turned is None else side.turned.of(side.outputs) for side in sides)
    compared = "probabilities" if first.probabilities or second.probabilities else "outputs"
    if here.shape != there.shape:
        raise ShapeError(f"a gives outputs of shape {here.shape}, b of shape {there.shape}")
    depths = {name: run.depth for name, run in (("a", first), ("b", second))}
    left_out = _different_layers(one, other, depths)
    layers = []
    for place in [] if left_out else _places(first, second):
        one_seen, other_seen = first.layers[place], second.layers[place]
        name = f"{one_seen.name} | {other_seen.name}, {place.stage}"
        layers.append(Row.of(name, one_seen.values, other_seen.values, eps, examples=True))
    found = (
        Gradients(None, "votes have none")
        if combine == "vote"
        else gradients_compared(sides[0], sides[1], inputs, here.shape, seed, eps)
    )
    gradients, alone = found.rows, found.alone
    if tolerance is None:
        tolerance = _tolerance(first, second, inputs.shape[1]) * _amplification(
            one, inputs, first.outputs, eps, seed
        )
    if gradients is not None:
        alone = () if left_out and not found.by_differences else alone
        gradients, apart = _comparable(gradients, bool(left_out), first.rescaled ^ second.rescaled)
        left_out += (*apart, *alone)
    outputs = Row.of(compared, here, there, eps, examples=True)
    if _is_same_function(outputs, gradients, tolerance) and any(
        not row.ulp <= tolerance for row in (*layers, *(gradients or ()))
    ):
        layers, gradients = (
            [],
            gradients and tuple(row for row in gradients if row.name.startswith(IN_INPUTS)),
        )
        left_out += (_OTHER_WEIGHTS,)
    return Verification(
        a=one.library,
        b=other.library,
        dtypes=(one.dtype, other.dtype),
        rows=len(inputs),
        tolerance=tolerance,
        outputs=outputs,
        layers=tuple(layers),
        gradients=gradients,
        gradients_missing=found.missing,
        by_differences=found.by_differences,
        left_out=left_out,
        worst_inputs=_worst(inputs, here, there, eps),
    )


def _is_same_function(outputs: Row, gradients: tuple[Row, ...] | None, tolerance: float) -> bool:
    """Whether outputs are the same, and gradients in the inputs where there are any."""
    in_inputs = [row for row in gradients or () if row.name.startswith(IN_INPUTS)]
    return all(row.ulp <= tolerance for row in (outputs, *in_inputs))


def _places(first: Run, second: Run) -> list[Place]:
    return sorted(first.layers.keys() & second.layers.keys(), key=lambda place: place.order)


def _different_layers(one: Opened, other: Opened, depths: dict[str, int]) -> tuple[str, ...]:
    """What is to be said where both show layers, and not as many."""
    if 0 in depths.values() or depths["a"] == depths["b"]:
        return ()
    return (
        f"layers and gradients in weights, since {one.library} has {depths['a']} fully connected layers and {other.library} "
        f"{depths['b']}",
    )


def _comparable(
    rows: tuple[Row, ...], only_inputs: bool, rescaled: set[int]
) -> tuple[tuple[Row, ...], tuple[str, ...]]:
    """The gradients that are of the same thing, and why others are not."""
    if only_inputs:
        return tuple(row for row in rows if row.name.startswith(IN_INPUTS)), ()
    names = {f"gradient in {part} {i}" for part in ("weight", "bias") for i in rescaled}
    apart = tuple(
        f"{row.name}, since one model has a normalisation there and the other has it in the weights"
        for row in rows
        if row.name in names
    )
    return tuple(row for row in rows if row.name not in names), apart


def _worst(inputs: np.ndarray, here: np.ndarray, there: np.ndarray, eps: float) -> tuple[WorstInput, ...]:
    """The rows whose outputs are the farthest apart, the worst first; at least one, and none without a difference after it."""
    ulps = ulps_of_rows(here, there, eps)
    order = np.argsort(-ulps, kind="stable")[:_WORST]
    return tuple(
        WorstInput(
            int(i),
            float(ulps[i]),
            *(tuple(float(value) for value in values[i]) for values in (inputs, here, there)),
        )
        for n, i in enumerate(order)
        if n == 0 or ulps[i] > 0
    )


def _amplification(model: Opened, X: np.ndarray, outputs: np.ndarray, eps: float, seed: int) -> float:
    """How much more than a few units the outputs move, at most of the rows, when every input is rounded another way: a chain of
    exponentials multiplies the rounding of what goes into it, in each library its own."""
    signs = random.host_generator(seed, "rounding").choice([-1.0, 1.0], X.shape)
    moved = _run(model, (X * (1 + eps * signs)).astype(X.dtype), None).outputs
    return max(1.0, float(np.quantile(ulps_of_rows(outputs, moved, eps), _MOST)) / _FEW)


def _inputs(X: Any, one: Opened, other: Opened, rows: int, seed: int) -> np.ndarray:
    if X is None:
        generator = random.host_generator(seed, "verify")
        scales = np.resize(np.asarray(_SCALES), rows)[:, None]
        found = generator.standard_normal((rows, one.in_features)) * scales
    else:
        found = np.asarray(host_values(X, "X"), dtype=np.float64)
        if found.ndim != 2 or found.shape[1] != one.in_features or not len(found):
            raise ShapeError(f"X: expected shape (n, {one.in_features}), got {found.shape}")
    narrow = max((one.dtype, other.dtype), key=lambda name: _EPS[name])
    # bfloat16 is no dtype of the host: what it holds, float32 does.
    return found.astype("float32" if narrow == "bfloat16" else narrow)


def _run(model: Opened, X: np.ndarray, cotangent: np.ndarray | None) -> Run:
    dtype = "float32" if model.dtype == "bfloat16" else model.dtype
    return model.run(X.astype(dtype), None if cotangent is None else cotangent.astype(dtype))


def _side(model: Opened, own: Run, others: Run) -> Side:
    """A model with what is made of its outputs, so that they can be held against the other's: probabilities, if it gives scores and the
    other one these."""
    needed = bool(others.probabilities) and not own.probabilities and not _are_probabilities(own.outputs)
    turned = (_EACH if others.probabilities == "each" else _CLASSES) if needed else None
    return Side(model, lambda X, along: _run(model, X, along), own.outputs, turned)


def _are_probabilities(outputs: np.ndarray) -> bool:
    """Whether each row is made of probabilities of several classes."""
    return outputs.shape[1] > 1 and bool(
        (outputs >= 0).all() and np.allclose(outputs.sum(axis=1), 1, rtol=0, atol=1e-3)
    )


def _classes(scores: np.ndarray) -> np.ndarray:
    """Of classes, as a classifier of scikit-learn makes them: the sigmoid of one score, the softmax of several."""
    if scores.shape[1] == 1:
        scores = np.concatenate([np.zeros_like(scores), scores], axis=1)
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def _classes_back(scores: np.ndarray, along: np.ndarray) -> np.ndarray:
    p = _classes(scores.astype(np.float64))
    pulled = p * (along - (p * along).sum(axis=1, keepdims=True))
    return np.asarray(pulled[:, 1:] if scores.shape[1] == 1 else pulled)


def _each(scores: np.ndarray) -> np.ndarray:
    """Of labels that do not exclude each other: the sigmoid of each score."""
    small = np.exp(-np.abs(scores))
    return np.asarray(np.where(scores > 0, 1, small) / (1 + small))


def _each_back(scores: np.ndarray, along: np.ndarray) -> np.ndarray:
    p = _each(scores.astype(np.float64))
    return np.asarray(along * p * (1 - p))


_CLASSES, _EACH = Probabilities(_classes, _classes_back), Probabilities(_each, _each_back)


def _tolerance(first: Run, second: Run, in_features: int) -> float:
    widths = [seen.values.shape[-1] for run in (first, second) for seen in run.layers.values()]
    return _PER_TERM * math.sqrt(max(in_features, 16, *widths)) * max(first.depth, second.depth, 1)
