"""Names of layers go along from library to library, and the order of layers is found where a file has nothing but names."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import multimlp as mm
from multimlp import tree
from multimlp.cli import main
from multimlp.errors import InputError

NAMES = ("hidden1", "hidden2", "scores")
MODEL = mm.MLP(4, [5, 5], 3, activation="tanh", dropout=[0.1, 0.0], layer_names=NAMES)
PARAMS = MODEL.init(seed=3, backend="numpy", dtype="float32")


def through_torch(tmp_path):
    from multimlp.interop.torch import from_torch, to_torch

    module = to_torch(MODEL, PARAMS)
    assert [name for name, _ in module.named_children()] == [
        "hidden1", "hidden1_tanh", "hidden1_dropout", "hidden2", "hidden2_tanh", "scores",
    ]  # fmt: skip
    return from_torch(module, "numpy")


def through_state_dict(suffix):
    def through(tmp_path):
        from multimlp.interop.torch import from_state_dict, read_state, to_state_dict, write_state

        state = to_state_dict(MODEL, PARAMS)
        assert list(state)[:2] == ["hidden1.weight", "hidden1.bias"]
        write_state(tmp_path / f"state{suffix}", state)
        return from_state_dict(read_state(tmp_path / f"state{suffix}"), "tanh", backend="numpy")

    return through


def through_keras(tmp_path):
    from multimlp.interop.keras import from_keras, to_keras

    to_keras(MODEL, PARAMS).save(tmp_path / "model.keras")
    return from_keras(tmp_path / "model.keras", "numpy")


def through_linen(tmp_path):
    from multimlp.interop.flax import from_flax, to_flax

    module, variables = to_flax(MODEL, PARAMS)
    assert set(variables["params"]) == set(NAMES)
    return from_flax(module, variables, "numpy")


def through_variables(tmp_path):
    from multimlp.interop.flax import from_variables, read_variables, to_flax, write_variables

    write_variables(tmp_path / "model.msgpack", to_flax(MODEL, PARAMS)[1])
    return from_variables(read_variables(tmp_path / "model.msgpack"), "tanh", backend="numpy")


def through_nnx(tmp_path):
    from multimlp.interop.flax import NnxNamed, from_nnx, to_nnx

    model = to_nnx(MODEL, PARAMS)
    assert isinstance(model, NnxNamed)
    assert type(to_nnx(MODEL.renamed(None), PARAMS)).__name__ == "Sequential"
    return from_nnx(model, "numpy")


def through_equinox(tmp_path):
    from multimlp.interop.equinox import EquinoxNamed, from_equinox, to_equinox

    model = to_equinox(MODEL, PARAMS)
    assert isinstance(model, EquinoxNamed)
    assert type(to_equinox(MODEL.renamed(None), PARAMS)).__name__ == "Sequential"
    return from_equinox(model, "numpy")


def through_onnx(tmp_path):
    from multimlp.interop.onnx import from_onnx, to_onnx

    graph = to_onnx(MODEL, PARAMS).graph
    assert [node.name for node in graph.node if node.op_type == "Gemm"] == list(NAMES)
    assert [tensor.name for tensor in graph.initializer][:2] == ["hidden1.weight", "hidden1.bias"]
    return from_onnx(to_onnx(MODEL, PARAMS), "numpy")


def through_gluon(tmp_path):
    from multimlp.interop.gluon import from_gluon, to_gluon

    to_gluon(MODEL, PARAMS, tmp_path / "model.params")
    return from_gluon(tmp_path / "model.params", "tanh", backend="numpy")


def through_ours(tmp_path):
    mm.save(tmp_path / "model.safetensors", MODEL, PARAMS)
    return mm.load(tmp_path / "model.safetensors", "numpy")


WAYS = {
    "torch": ("torch", through_torch),
    "torch's file": ("torch", through_state_dict(".pt")),
    "a state_dict in safetensors": ("torch", through_state_dict(".safetensors")),
    "keras": ("keras", through_keras),
    "linen": ("flax", through_linen),
    "linen's file": ("flax", through_variables),
    "nnx": ("flax", through_nnx),
    "equinox": ("equinox", through_equinox),
    "onnx": ("onnx", through_onnx),
    "gluon's file": ("numpy", through_gluon),
    "multimlp": ("safetensors", through_ours),
}
"""Each format that holds names of layers."""


@pytest.mark.parametrize("way", WAYS)
def test_names_come_back(way, tmp_path):
    library, through = WAYS[way]
    pytest.importorskip(library)
    mlp, params = through(tmp_path)
    assert mlp.layer_names == NAMES
    for one, other in zip(tree.leaves(params), tree.leaves(PARAMS), strict=True):
        np.testing.assert_array_equal(one, other)


def test_names_are_in_tables_and_reports_and_change_nothing():
    plain = mm.MLP(4, [5, 5], 3, activation="tanh", dropout=[0.1, 0.0])
    assert plain == MODEL
    assert hash(plain) == hash(MODEL)
    assert plain.layer_names is None
    assert "layer_names" not in plain.to_spec()
    assert [row.label for row in MODEL.layers] == [*NAMES]
    assert [row.name for row in MODEL.layers] == ["layers.0", "layers.1", "layers.2"]
    assert all(name in MODEL.summary() for name in NAMES)
    assert mm.MLP.from_spec(MODEL.to_spec()).layer_names == NAMES
    assert pickle.loads(pickle.dumps(MODEL)).layer_names == NAMES
    assert MODEL.renamed(None).layer_names is None
    changed = tree.map(np.copy, PARAMS)
    changed[1].weight[0, 0] += 0.01
    report = mm.interop.verify((MODEL, PARAMS), (MODEL, changed))
    assert report.first_difference == "hidden2 | hidden2, before its activation"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a", "b"], "expected 3 names"),
        (["a", "b", "a"], "'a' stands there twice"),
        (["a", "", "c"], r"layer_names\[1\]: expected a name or None"),
        (["a", 1, "c"], r"layer_names\[1\]: expected a name or None"),
        ("abc", "expected a sequence of names"),
    ],
)
def test_what_is_no_name_is_refused(names, message):
    with pytest.raises(InputError, match=message):
        mm.MLP(4, [5, 5], 3, layer_names=names)


def test_chains_keep_names_of_blocks_inside_of_blocks_too(tmp_path):
    pytest.importorskip("safetensors")
    blocks = mm.blocks
    inner = mm.chain(blocks.layer_norm(), blocks.dense(4, "gelu"), block_names=["norm", "mix"])
    model = mm.chain(
        blocks.dense(4, in_features=3),
        blocks.residual(inner),
        blocks.dense(2),
        block_names=["stem", None, "head"],
    )
    params = model.init(seed=0, backend="numpy")
    mm.save(tmp_path / "chain.safetensors", model, params)
    ways = {"multimlp": lambda: mm.load(tmp_path / "chain.safetensors")[0]}
    for library in ("torch", "keras", "onnx", "flax", "nnx", "equinox"):
        if not _there("flax" if library == "nnx" else library):
            continue
        module = getattr(mm.interop, "flax" if library == "nnx" else library)
        give, take = getattr(module, f"to_{library}"), getattr(module, f"from_{library}")
        made = give(model, params)
        ways[library] = lambda take=take, made=made: take(*made if isinstance(made, tuple) else (made,))[0]
    for library, back in ways.items():
        found = back()
        assert found == model, library
        assert found.block_names == ("stem", None, "head"), library
        assert found.blocks[1].inner.block_names == ("norm", "mix"), library
    assert hash(model.renamed(None)) == hash(model)
    assert model.renamed(None) == model
    with pytest.raises(InputError, match="block_names: expected 3 names"):
        model.renamed(["stem"])
    (tmp_path / "seen").mkdir()
    changed = tree.map(np.copy, params)
    changed[2].weight[0, 0] += 1.0
    assert mm.interop.verify((model, params), (model, changed)).first_difference.startswith("dense 'head'")


def _there(library):
    try:
        __import__(library)
    except ImportError:
        return False
    return True


def test_names_that_a_library_cannot_have_are_changed():
    pytest.importorskip("torch")
    pytest.importorskip("keras")
    from multimlp.interop.keras import to_keras
    from multimlp.interop.torch import from_torch, to_torch

    mlp = mm.MLP(2, [3, 3], 1, layer_names=["net.0", "forward", "net_0"])
    params = mlp.init(seed=0, backend="numpy")
    names = [name for name, _ in to_torch(mlp, params).named_children()]
    assert names == ["net_0", "net_0_relu", "forward_", "forward_relu", "net_0_2"]
    assert from_torch(to_torch(mlp, params))[0].layer_names == ("net_0", "forward", "net_0_2")
    mlp = mlp.renamed(["a/b", None, "a_b"])
    layers = to_keras(mlp, params).layers
    assert (layers[0].name, layers[2].name) == ("a_b", "a_b_2")
    assert layers[1].name.startswith("dense")
    assert to_torch(mlp, params)[4].out_features == 1


def test_names_that_libraries_give_are_none():
    keras, torch = pytest.importorskip("keras"), pytest.importorskip("torch")
    from multimlp.interop.keras import from_keras
    from multimlp.interop.torch import from_torch

    layers = [
        keras.Input((2,)),
        keras.layers.Dense(3),
        keras.layers.Dense(3, name="own"),
        keras.layers.Dense(1),
    ]
    assert from_keras(keras.Sequential(layers))[0].layer_names == (None, "own", None)
    assert (
        from_torch(torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 1)))[0].layer_names is None
    )
    lone = torch.nn.Linear(2, 3)
    assert from_torch(lone)[0].layer_names is None


def test_attributes_of_modules_and_what_is_called_twice():
    torch = pytest.importorskip("torch")
    from multimlp.interop.torch import from_torch

    class Shared(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.body = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.BatchNorm1d(3))
            self.head = torch.nn.Linear(3, 2)

        def forward(self, x):
            return self.head(torch.relu(self.body(torch.tanh(self.body(x)))))

    assert from_torch(Shared())[0].layer_names == ("body.0", "body.0_2", "head")


def test_names_of_exported_graphs(tmp_path):
    """Nodes are called by their path in other exporters' graphs, where the numbers have names of their own."""
    onnx = pytest.importorskip("onnx")
    from multimlp.interop.onnx import from_onnx, to_onnx

    graph = to_onnx(MODEL.renamed(None), PARAMS)
    for node, name in zip(
        [n for n in graph.graph.node if n.op_type == "Gemm"],
        ("/fc1/Gemm", "/block/fc/Gemm", "Gemm_3"),
        strict=True,
    ):
        node.name = name
    for i, tensor in enumerate(graph.graph.initializer):
        new = f"onnx::MatMul_{i}"
        for node in graph.graph.node:
            node.input[:] = [new if name == tensor.name else name for name in node.input]
        tensor.name = new
    onnx.checker.check_model(graph)
    assert from_onnx(graph)[0].layer_names == ("fc1", "block.fc", None)


# ---- the order


def test_many_layers_of_a_sorted_file_keep_their_order(tmp_path):
    """``"10.weight"`` is sorted before ``"2.weight"``, and all have the same shape."""
    torch = pytest.importorskip("torch")
    save_file = pytest.importorskip("safetensors.torch").save_file
    from multimlp.interop.torch import from_state_dict, read_state, to_state_dict, write_state

    mlp = mm.MLP(3, [3] * 7, 3)
    params = mlp.init(seed=0, backend="numpy")
    state = to_state_dict(mlp, params)
    write_state(tmp_path / "ours.safetensors", state)
    save_file({name: tensor.clone() for name, tensor in state.items()}, tmp_path / "theirs.safetensors")
    for name in ("ours", "theirs"):
        found = from_state_dict(read_state(tmp_path / f"{name}.safetensors"), backend="numpy")[1]
        for one, other in zip(tree.leaves(found), tree.leaves(params), strict=True):
            np.testing.assert_array_equal(one, other)
    named = {f"{name}.weight": torch.ones(3, 3) * i for i, name in enumerate(("b", "a"))}
    write_state(tmp_path / "ours.safetensors", named)
    assert list(read_state(tmp_path / "ours.safetensors")) == ["b.weight", "a.weight"]
    save_file(named, tmp_path / "theirs.safetensors")
    with pytest.raises(InputError, match=r"sorted by name and fit together in several orders .* \(a, b\)"):
        read_state(tmp_path / "theirs.safetensors")


ORDERS = {
    "numbers": ({"fc10": (3, 3), "fc9": (3, 3)}, ["fc9", "fc10"]),
    "numbers of many digits": (
        {f"fc1{'0' * 5000}": (3, 3), f"fc{'9' * 5000}": (3, 3), "fc007": (3, 3)},
        ["fc007", f"fc{'9' * 5000}", f"fc1{'0' * 5000}"],
    ),
    "shapes": ({"hidden": (4, 8), "first": (2, 4), "scores": (8, 3)}, ["first", "hidden", "scores"]),
    "numbers and shapes": ({"out": (3, 1), "h2": (3, 3), "h1": (3, 3)}, ["h1", "h2", "out"]),
    "half of what comes out": ({"b": (4, 1), "a": (2, 8)}, ["a", "b"]),
    "several": ({"a": (3, 3), "b": (3, 3)}, None),
    "none": ({"a": (3, 4), "b": (3, 4)}, None),
    "more than are tried": ({"abcdefghij"[i]: (i + 1, i + 2) for i in range(10)}, None),
}


@pytest.mark.parametrize("case", ORDERS)
def test_the_order_of_layers_is_found_or_refused(case):
    from multimlp.interop._order import in_order

    layers, expected = ORDERS[case]
    if expected is None:
        with pytest.raises(InputError, match="sorted by name"):
            in_order("file", layers)
    else:
        assert in_order("file", layers) == expected


# ---- on the command line


def test_convert_keeps_names_or_leaves_them_out(tmp_path, capsys):
    for package in ("keras", "torch", "safetensors", "onnx"):
        pytest.importorskip(package)
    from multimlp.interop.onnx import from_onnx

    mm.save(tmp_path / "a.safetensors", MODEL, PARAMS)
    for source, target in (("a.safetensors", "b.onnx"), ("b.onnx", "c.pt"), ("c.pt", "d.params")):
        told = [] if source != "c.pt" else ["--activation", "tanh"]
        assert main(["convert", str(tmp_path / source), str(tmp_path / target), *told]) == 0
    assert (
        main(["convert", str(tmp_path / "d.params"), str(tmp_path / "e.onnx"), "--activation", "tanh"]) == 0
    )
    assert from_onnx(tmp_path / "e.onnx")[0].layer_names == NAMES
    assert main(["convert", str(tmp_path / "e.onnx"), str(tmp_path / "f.onnx"), "--no-names"]) == 0
    assert from_onnx(tmp_path / "f.onnx")[0].layer_names is None


def test_a_flax_file_has_numbers_where_names_tell_no_order(tmp_path, capsys):
    pytest.importorskip("flax")
    from multimlp.interop.flax import read_variables

    named = mm.MLP(3, [3, 3], 3, layer_names=["c", "a", "b"])
    mm.save(tmp_path / "a.safetensors", named, named.init(seed=0))
    assert main(["convert", str(tmp_path / "a.safetensors"), str(tmp_path / "b.msgpack"), "--verify"]) == 0
    assert "tell no order: c, a, b" in capsys.readouterr().err
    assert list(read_variables(tmp_path / "b.msgpack")["params"]) == ["layers_0", "layers_2", "layers_4"]


def test_a_keras_model_is_read_in_the_dtype_of_its_layers():
    """And not in that of the policy under which the model was put together."""
    pytest.importorskip("keras")
    from multimlp.interop.keras import from_keras, to_keras

    wide = MODEL.init(seed=0, backend="numpy", dtype="float64")
    _, params = from_keras(to_keras(MODEL, wide), "numpy")
    for one, other in zip(tree.leaves(params), tree.leaves(wide), strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == np.float64
