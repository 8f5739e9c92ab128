"""`to_onnx` in every opset from 13 to the newest: valid, read back as the same network, and run by onnxruntime to the same numbers."""

from __future__ import annotations

import functools

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import multimlp as mm  # noqa: E402
from multimlp.cli import main  # noqa: E402
from multimlp.errors import InputError  # noqa: E402
from multimlp.interop import verify  # noqa: E402
from multimlp.interop.onnx import (  # noqa: E402
    OLDEST_OPSET,
    OPSET,
    from_onnx,
    supported_activations,
    to_onnx,
)

NEWEST = onnx.defs.onnx_opset_version()
OPSETS = range(OLDEST_OPSET, NEWEST + 1)
TANH_GELU = {"name": "gelu", "approximate": "tanh"}
SOFT = {"name": "prelu", "learnable": True, "per_unit": True}
ACTIVATIONS = [*(n for n in supported_activations() if n not in ("swish", "prelu")), TANH_GELU, SOFT]
EXPANDED = {"gelu": 20, "mish": 18, "hard_swish": 14}
STEPS = {"gelu": "Erf", "mish": "Softplus", "hard_swish": "HardSigmoid"}


@functools.cache
def newest_run() -> int:
    """The newest opset that this onnxruntime runs; it refuses those that the package onnx is ahead by."""
    for opset in reversed(OPSETS):
        try:
            verify(network("relu"), to_onnx(*network("relu"), opset=opset))
        except InputError:
            continue
        return opset
    raise AssertionError("onnxruntime runs none")


def network(activation, dtype="float32"):
    mlp = mm.MLP(6, [12, 9], 3, activation=activation)
    params = mlp.init(seed=1, backend="numpy", dtype=dtype)
    smaller = tuple(layer._replace(weight=layer.weight * layer.weight.dtype.type(0.5)) for layer in params)
    return mlp, smaller


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
def test_every_opset_is_valid_and_read_back(activation):
    mlp, params = network(activation)
    for opset in OPSETS:
        model = to_onnx(mlp, params, opset=opset)
        onnx.checker.check_model(model, full_check=True)
        assert model.opset_import[0].version == opset
        again, arrays = from_onnx(model, "numpy")
        assert again == mlp, opset
        for one, other in zip(mm.tree.leaves(params), mm.tree.leaves(arrays), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
def test_onnxruntime_computes_the_same(activation):
    mlp, params = network(activation)
    assert newest_run() >= 22
    every = isinstance(activation, dict) or activation in EXPANDED
    for opset in range(OLDEST_OPSET, newest_run() + 1) if every else (13, 18, newest_run()):
        report = verify((mlp, params), to_onnx(mlp, params, opset=opset))
        assert report.ok, (opset, report)


@pytest.mark.parametrize("name", EXPANDED)
def test_an_operator_is_used_from_the_opset_that_brings_it(name):
    for opset in OPSETS:
        kinds = {node.op_type.lower() for node in to_onnx(*network(name), opset=opset).graph.node}
        assert (STEPS[name].lower() in kinds) == (opset < EXPANDED[name])


def test_without_a_word_it_is_20():
    assert to_onnx(*network("relu")).opset_import[0].version == OPSET == 20


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_steps_are_read_in_torchs_order_too(dtype):
    """Operands of a sum or a product the other way round, constants in nodes of their own."""
    mlp, params = network(TANH_GELU, dtype)
    model = to_onnx(mlp, params, opset=13)
    for node in model.graph.node:
        if node.op_type in ("Mul", "Add"):
            node.input[:] = reversed(node.input)
    assert from_onnx(model)[0] == mlp


def inside(model):
    """The node in the middle of the first activation in steps."""
    return next(node for node in model.graph.node if node.op_type in ("Tanh", "Erf", "HardSigmoid"))


SPREAD = ["gelu", TANH_GELU, "mish", "hard_swish"]


@pytest.mark.parametrize("name", SPREAD, ids=str)
def test_steps_with_another_number_or_another_reader_are_refused(name):
    model = to_onnx(*network(name), opset=13)
    if name == "hard_swish":
        inside(model).attribute[0].f = 0.2
    else:
        inside(model).op_type = "Sin"
    with pytest.raises(InputError, match="multiplies two branches|no equivalent of HardSigmoid"):
        from_onnx(model)
    model = to_onnx(*network(name), opset=13)
    nodes = list(model.graph.node)
    place = next(i for i, node in enumerate(nodes) if node.op_type == "Gemm" and i)
    spy = onnx.helper.make_node("Add", [nodes[place].input[0], inside(model).output[0]], ["spied"])
    nodes[place].input[0] = "spied"
    del model.graph.node[:]
    model.graph.node.extend([*nodes[:place], spy, *nodes[place:]])
    onnx.checker.check_model(model, full_check=True)
    with pytest.raises(InputError, match="adds two branches|multiplies two branches"):
        from_onnx(model)


@pytest.mark.parametrize("name", SPREAD, ids=str)
def test_what_no_output_hangs_on_is_nothing(name):
    mlp, params = network(name)
    model = to_onnx(mlp, params, opset=13)
    model.graph.node.append(onnx.helper.make_node("Relu", [inside(model).output[0]], ["spy"]))
    assert from_onnx(model)[0] == mlp


@pytest.mark.parametrize("name", SPREAD, ids=str)
def test_steps_around_which_there_is_a_residual_addition(name):
    """The value goes into the activation's steps and past them."""
    blocks = mm.blocks
    inner = mm.chain(blocks.activation(name), blocks.dense(6))
    model = mm.chain(blocks.dense(6, in_features=4), blocks.residual(inner), blocks.dense(2))
    params = model.init(seed=0, backend="numpy")
    written = to_onnx(model, params, opset=13)
    assert from_onnx(written)[0] == model
    assert verify((model, params), written).ok


def test_a_normalisation_needs_the_opset_that_brought_it():
    blocks = mm.blocks
    for norm, since, operator in (
        (blocks.layer_norm(), 17, "LayerNormalization"),
        (blocks.rms_norm(), 23, "RMSNormalization"),
    ):
        model = mm.chain(blocks.dense(5, in_features=4), blocks.residual(norm), blocks.dense(2))
        params = model.init(seed=0, backend="numpy")
        assert to_onnx(model, params).opset_import[0].version == max(since, OPSET)
        assert to_onnx(model, params, opset=since).opset_import[0].version == since
        with pytest.raises(InputError, match=f"opset: {since - 1} has no {operator}.*came with {since}"):
            to_onnx(model, params, opset=since - 1)


@pytest.mark.parametrize("opset", [12, 1000, 13.5, "20", True])
def test_other_opsets_are_refused(opset):
    with pytest.raises(InputError, match="opset"):
        to_onnx(*network("relu"), opset=opset)


@pytest.mark.parametrize("command", ["convert", "export"])
def test_on_the_command_line(command, tmp_path, capsys):
    mlp, params = network("mish")
    mm.save(tmp_path / "m.safetensors", mlp, params)
    source, target = str(tmp_path / "m.safetensors"), str(tmp_path / "m.onnx")
    how = (
        ["convert", source, target, "--verify"]
        if command == "convert"
        else ["export", source, "--to", "onnx", "-o", target]
    )
    assert main([*how, "--opset", "13"]) == 0
    assert onnx.load(target).opset_import[0].version == 13
    assert main([*how, "--opset", "7"]) == 2
    assert "opset: expected" in capsys.readouterr().err
    how[how.index(target)] = str(tmp_path / "m.params")
    if "--to" in how:
        how[how.index("onnx")] = "gluon"
    assert main([*how, "--opset", "13"]) == 2
    assert "--opset: gluon models have none" in capsys.readouterr().err
