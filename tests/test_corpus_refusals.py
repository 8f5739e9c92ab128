"""What there is nothing for here is refused: the error names the layer, its place, and what to do."""

from __future__ import annotations

import numpy as np
import pytest

import multimlp as mm
from multimlp import blocks, schedules
from multimlp.errors import InputError


def of_torch():
    torch = pytest.importorskip("torch")
    nn = torch.nn

    class Branching(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(3, 2)

        def forward(self, x):
            return self.fc(x) if x.sum() > 0 else -self.fc(x)

    class Noisy(Branching):
        def forward(self, x):
            return self.fc(nn.functional.dropout(x, 0.5))

    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.left, self.right = nn.Linear(3, 2), nn.Linear(3, 2)

        def forward(self, x):
            return self.left(x) + self.right(x)

    class Squeezed(Branching):
        def forward(self, x):
            return self.fc(x).squeeze(-1)

    linear = nn.Linear(3, 4)
    return mm.interop.torch.from_torch, [
        (nn.Sequential(linear, nn.Sequential(nn.ReLU(), nn.GRU(4, 2))), "GRU '1.1'.*Convert the parts"),
        (nn.Sequential(linear, nn.AlphaDropout()), "AlphaDropout '1'"),
        (
            nn.Sequential(linear, nn.BatchNorm1d(4, track_running_stats=False)),
            "BatchNorm1d '1'.*track_running_stats=True",
        ),
        (
            nn.Sequential(linear, nn.BatchNorm1d(5)),
            "BatchNorm1d '1' works on 5 features, but Linear '0' beside it has 4",
        ),
        (nn.Sequential(linear, nn.LayerNorm((2, 4))), "LayerNorm '1' works on 2 axes"),
        (nn.Sequential(nn.BatchNorm1d(3), nn.ReLU()), "no fully connected layer"),
        (nn.LazyLinear(3), "LazyLinear '0' has no weights yet; call the model once"),
        (Branching(), "Branching cannot be traced.*from_state_dict"),
        (Noisy(), "dropout 'dropout' is on in evaluation too; write training=self.training"),
        (Two(), "adds two branches at add 'add', behind Linear 'left' and Linear 'right'"),
        (Squeezed(), "squeeze 'squeeze'"),
        (3, "model: expected a torch.nn.Module"),
    ]


def of_keras():
    keras = pytest.importorskip("keras")
    layers = keras.layers

    class Own(keras.Model):
        def call(self, x):
            return x

    own, inputs = Own(), keras.Input((3,))
    own(np.ones((1, 3)))

    def then(*parts):
        return keras.Sequential([keras.Input((3,)), layers.Dense(4), *parts])

    return mm.interop.keras.from_keras, [
        (then(layers.GaussianNoise(0.1, name="noise")), "GaussianNoise 'noise'.*Convert the parts"),
        (then(layers.ReLU(max_value=2.0, name="bounded")), "ReLU 'bounded' with .max_value"),
        (then(layers.Reshape((2, 2), name="square")), r"Reshape 'square' to \(2, 2\)"),
        (then(layers.Softmax(axis=0, name="rows")), "Softmax 'rows' must work along the last axis"),
        (
            then(layers.Activation("log_sigmoid"), layers.Dense(2, "glu", name="gated")),
            "'glu' in Dense 'gated'",
        ),
        (
            keras.Model(inputs, layers.Concatenate(name="both")([inputs, layers.Dense(2)(inputs)])),
            "Concatenate 'both'",
        ),
        (own, "got Own, whose forward pass cannot be seen"),
    ]


def of_flax():
    pytest.importorskip("flax")
    from flax import linen, nnx

    variables = {
        "params": {"layers_0": {"kernel": np.ones((3, 2), np.float32), "bias": np.ones(2, np.float32)}}
    }
    rngs = nnx.Rngs(0)

    def read(model):
        if isinstance(model, nnx.Module):
            return mm.interop.flax.from_nnx(model)
        return mm.interop.flax.from_flax(model, variables)

    return read, [
        (linen.Sequential([linen.Dense(2), linen.GroupNorm(1)]), "GroupNorm 'layers_1'"),
        (
            linen.Sequential([linen.Dense(2), linen.BatchNorm()]),
            "a layer BatchNorm 'layers_1', but there is no",
        ),
        (linen.Sequential([linen.Dense(2), lambda x: x**3]), "<lambda>"),
        (linen.Dense(2), "got Dense, whose forward pass cannot be seen"),
        (nnx.Sequential(nnx.Linear(3, 2, rngs=rngs), nnx.GroupNorm(2, 1, rngs=rngs)), "GroupNorm 1"),
        (nnx.Linear(3, 2, rngs=rngs), "got Linear, whose forward pass cannot be seen"),
    ]


def of_equinox():
    eqx = pytest.importorskip("equinox")
    import jax

    linear = eqx.nn.Linear(3, 4, key=jax.random.key(0))
    return mm.interop.equinox.from_equinox, [
        (eqx.nn.Sequential([linear, eqx.nn.GroupNorm(2, 4)]), "GroupNorm 1"),
        (
            eqx.nn.Sequential([linear, eqx.nn.BatchNorm(4, "batch", mode="batch")]),
            "BatchNorm 1 keeps its statistics there",
        ),
        (linear, "got Linear, whose forward pass cannot be seen"),
    ]


def of_onnx():
    pytest.importorskip("onnxruntime")
    from corpus.onnx_models import model, numbers

    constants = {"W": numbers(3, 4), "b": numbers(4)}
    start = ("MatMul", ["input", "W"], ["x"], {})

    def then(*nodes):
        return model([start, *nodes], constants, 3, 4)

    return mm.interop.onnx.from_onnx, [
        (then(("Floor", ["x"], ["output"], {"name": "down"})), "Floor 'down'.*Convert the parts"),
        (then(("Div", ["b", "x"], ["output"], {})), "Div 'output' by the value"),
        (then(("Erf", ["x"], ["output"], {"name": "e"})), "error function outside of gelu, Erf 'e'"),
        (then(("Sin", ["x"], ["y"], {}), ("Mul", ["x", "y"], ["output"], {"name": "p"})), "two branches at Mul 'p'"),
        (then(("LayerNormalization", ["x", "b"], ["output"], {"axis": 0, "name": "n"})), "LayerNormalization 'n' of another axis"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "library", [of_torch, of_keras, of_flax, of_equinox, of_onnx], ids=lambda make: make.__name__[3:]
)
def test_the_error_names_the_layer_its_place_and_what_to_do(library):
    read, cases = library()
    for model, says in cases:
        with pytest.raises(InputError, match=says):
            read(model)


def test_blocks_without_an_equivalent_are_named():
    torch = pytest.importorskip("torch")
    assert torch
    odd = [
        (
            mm.chain(blocks.dense(3, in_features=2), blocks.smooth_clip()),
            r"block 1: other libraries .*smooth_clip",
        ),
        (
            mm.chain(blocks.dense(3, in_features=2), blocks.residual(mm.chain(blocks.smooth_clip()))),
            "block 1 .residual. 0 .chain. 0",
        ),
        (
            mm.chain(blocks.dense(3, in_features=2), blocks.dropout(schedules.flat_cosine(0.2, steps=9))),
            "a rate that changes",
        ),
        (mm.chain(blocks.dense(3, "sine", in_features=2)), "no equivalent of sine"),
    ]
    for model, says in odd:
        with pytest.raises(InputError, match=says):
            mm.interop.torch.to_torch(model, model.init(seed=0))
    model = mm.chain(blocks.dense(3, in_features=2))
    with pytest.raises(InputError, match="an ensemble of 2 members"):
        mm.interop.torch.to_torch(model, model.init(seed=[0, 1]))
    layered = mm.chain(blocks.dense(3, in_features=2), blocks.layer_norm())
    with pytest.raises(InputError, match="scikit-learn has fully connected layers"):
        mm.interop.sklearn.to_sklearn(layered, layered.init(seed=0))
