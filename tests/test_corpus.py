"""Models as people write them (`tests/corpus`): each is read, written in every direction that has an equivalent and read back, and each
side is run by its own library. What cannot be read is named, with its place and what to do."""

from __future__ import annotations

import importlib
import sys

import numpy as np
import pytest

import multimlp as mm
from multimlp import tree
from multimlp.errors import InputError
from multimlp.interop import verify

MODULES = {
    "torch": ("torch_models", "ROWS"),
    "keras": ("keras_models", "ROWS"),
    "flax": ("flax_models", "LINEN"),
    "nnx": ("flax_models", "NNX"),
    "equinox": ("equinox_models", "ROWS"),
    "onnx": ("onnx_models", "ROWS"),
}
NEEDS = {"nnx": "flax", "onnx": "onnxruntime"}


def rows():
    """The library and the row of each model whose library is here."""
    for library, (module, name) in MODULES.items():
        try:
            importlib.import_module(NEEDS.get(library, library))
        except ImportError:
            continue
        for row in getattr(importlib.import_module(f"corpus.{module}"), name):
            yield pytest.param(library, row, id=row.name)


ROWS = [*rows()]


@pytest.fixture(autouse=True)
def _seeded():
    """Of the libraries whose layers draw as they are made."""
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(0)


def read(library, model, **options):
    if library == "flax":
        return mm.interop.flax.from_flax(*model, backend="numpy")
    if library == "equinox":
        return mm.interop.equinox.from_equinox(getattr(model, "model", model), "numpy", **options)
    reader = {
        "torch": lambda: mm.interop.torch.from_torch,
        "keras": lambda: mm.interop.keras.from_keras,
        "nnx": lambda: mm.interop.flax.from_nnx,
        "onnx": lambda: mm.interop.onnx.from_onnx,
    }[library]()
    return reader(model, "numpy")


def written(library, mlp, params):
    writer = {
        "torch": lambda: mm.interop.torch.to_torch,
        "keras": lambda: mm.interop.keras.to_keras,
        "flax": lambda: mm.interop.flax.to_flax,
        "nnx": lambda: mm.interop.flax.to_nnx,
        "equinox": lambda: mm.interop.equinox.to_equinox,
        "onnx": lambda: mm.interop.onnx.to_onnx,
    }[library]()
    return writer(mlp, params)


def test_there_are_forty():
    assert len(ROWS) == 40 or len({param.values[0] for param in ROWS}) < len(MODULES)


@pytest.mark.parametrize(
    ("library", "row"),
    [
        pytest.param(*row.values, id=row.id, marks=[pytest.mark.slow] if row.values[1].slow else [])
        for row in ROWS
    ],
)
def test_a_model_is_read_as_it_computes(library, row):
    model = row.make()
    mlp, params = read(library, model, **row.options(model))
    report = verify((mlp, params), model)
    assert report.ok, report
    assert report.gradients or library == "onnx"
    if row.hidden is None:
        assert isinstance(mlp, mm.blocks.Chain)
    else:
        assert isinstance(mlp, mm.MLP)
        assert mlp.hidden == row.hidden


def unlike(a, b):
    """The first leaf that differs in its bits."""
    for one, other in zip(tree.leaves(a), tree.leaves(b), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
@pytest.mark.parametrize("target", MODULES)
@pytest.mark.parametrize(("library", "row"), ROWS)
def test_a_model_is_written_for_every_library_and_comes_back(library, row, target):
    pytest.importorskip(NEEDS.get(target, target))
    model = row.make()
    mlp, params = read(library, model, **row.options(model))
    if target in row.lacking:
        with pytest.raises(InputError, match=row.lacking[target]):
            written(target, mlp, params)
        return
    there = written(target, mlp, params)
    report = verify(model, there)
    assert report.ok, report
    back, back_params = read(target, there)
    if target != "onnx" or not mlp.dropout:  # which has no dropout
        assert back == mlp
    unlike(params, back_params)
