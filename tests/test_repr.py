"""What is shown of public things is short, and says what they are."""

from __future__ import annotations

import inspect
import re

import numpy as np
import pytest

import multimlp as mm
from multimlp import callbacks, data, structure
from multimlp.backend import available_backends, load_backend, select
from multimlp.parity import Report, Row

X = np.linspace(-1, 1, 600, dtype=np.float32).reshape(20, 30)
MLP = mm.MLP(30, [64] * 20, 2, activation="gelu")
PARAMS = MLP.init(seed=0)


def loss(w, scale=1.0):
    """Of w alone."""
    return scale * mm.array_namespace(w).sum(w * w)


ROW = Row("relu", "activation", "value", "numpy", "cpu", "float32", "eager", 0.5, 1.0, 0.5, 0.0, True)

SHOWN = {
    "Dense(weight=float32[64, 64], bias=float32[64])": PARAMS[1],
    "ParametricDense(weight=float32[3, 4], bias=float32[4], activation={'alpha': float32[]})": mm.MLP(
        3, 4, 2, activation="prelu"
    ).init(seed=0)[0],
    "MLP(30, [64] * 20, 2, activation='gelu')": MLP,
    "<activation leaky_relu, negative_slope=0.25>": mm.activations.parse(
        {"name": "leaky_relu", "negative_slope": 0.25}
    ),
    "<backend numpy>": load_backend("numpy"),
    "Target(backend=<backend numpy>, device=None, dtype='float32')": select("numpy"),
    "Row(relu, value, numpy cpu float32 eager: 0.5 of 1 eps)": ROW,
    "<Report of 1 rows, numpy: all within tolerance>": Report([ROW]),
    "<grad of loss>": mm.grad(loss),
    "<jit of <value_and_grad of loss>>": mm.jit(mm.value_and_grad(loss)),
    "<hessian of loss>": mm.hessian(loss),
    "<vmap of relu>": mm.vmap(mm.activations.relu),
    "<callback EarlyStopping, monitor='val_loss', patience=3, min_delta=0, restore_best=True, mode='min', best_epoch=0>": (
        callbacks.EarlyStopping(patience=3)
    ),
    "Standardizer(mean=float64[30], scale=float64[30])": data.Standardizer.fit(X),
    "GradientFlow(loss=0.3333, weight_norms=(1, 2), bias_norms=(0, 0), parameter_norms=(1, 1))": structure.GradientFlow(
        1 / 3, (1.0, 2.0), (0.0, 0.0), (1.0, 1.0)
    ),
}


@pytest.mark.parametrize("expected", SHOWN)
def test_what_is_shown(expected):
    assert repr(SHOWN[expected]) == expected


def test_states_are_shown_by_their_size():
    small = mm.MLP(3, 4, 2).init(seed=0)
    expected = "OptimizerState(step=int32[], slots=(26 numbers in 4 arrays, 26 numbers in 4 arrays))"
    assert repr(mm.optimizers.adam().init(small)) == expected


def test_a_result_is_shown_by_its_last_figures():
    text = repr(mm.fit(mm.MLP(30, 4, 2), X, np.arange(20) % 2, epochs=2))
    assert re.fullmatch(
        r"FitResult\(epochs=2, loss=[\d.]+, val_loss=[\d.]+, val_accuracy=[\d.]+, backend='\w+', "
        r"dtype='float32', engine='\w+', seconds=[\d.e-]+, params=134 numbers in 4 arrays\)",
        text,
    )


def test_everything_is_short(backend):
    things = [backend, available_backends()[backend.name], select(backend.name), *MLP.layers]
    things += [mm.MLP(3, 4, 2).init(seed=0, backend=backend.name)]
    things += [getattr(f, n) for f in (mm.losses, mm.metrics, mm.activations) for n in f.names()]
    things += [getattr(mm.optimizers, name)() for name in mm.optimizers.names()]
    assert [thing for thing in things if len(repr(thing)) > 200 or " at 0x" in repr(thing)] == []


TRANSFORMS = (mm.grad, mm.value_and_grad, mm.jit, mm.vmap, mm.jacobian, mm.hessian, mm.elementwise_grad)


@pytest.mark.parametrize("transform", TRANSFORMS, ids=lambda one: one.__name__)
def test_a_transformed_function_is_documented_as_the_one_it_was_made_of(transform):
    made = transform(loss)
    assert (made.__name__, made.__qualname__, made.__module__, made.__doc__) == (
        "loss",
        "loss",
        __name__,
        "Of w alone.",
    )
    assert inspect.signature(made) == inspect.signature(loss)
    assert made.__wrapped__ is loss
