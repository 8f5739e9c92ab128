"""``multimlp convert --verify``: every format into every other, Keras on each of its backends, and models that were tampered with, which
are found out with exit code 1 and the name of the layer."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import multimlp as mm
from multimlp.cli import formats as known
from multimlp.cli import main
from multimlp.interop import verify

FORMATS = {  # ending, package
    "multimlp": (".safetensors", "numpy"),
    "torch": (".pt", "torch"),
    "keras": (".keras", "keras"),
    "flax": (".msgpack", "flax"),
    "nnx": (".nnx.msgpack", "flax"),
    "equinox": (".eqx", "equinox"),
    "sklearn": (".npz", "sklearn"),
    "onnx": (".onnx", "onnxruntime"),
    "gluon": (".params", "numpy"),
}
WEIGHTS_ALONE = ("torch", "flax", "nnx", "equinox", "gluon")
NO_GRADIENTS = ("sklearn", "onnx")


def needed(*names):
    for name in names:
        pytest.importorskip(FORMATS[name][1])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One model in every format that can be written here."""
    folder = tmp_path_factory.mktemp("formats")
    mlp = mm.MLP(6, [9, 9], 3, activation="tanh")
    params = mlp.init(seed=1, backend="numpy", dtype="float32")
    mm.save(folder / "multimlp.safetensors", mlp, params)
    for name, (ending, package) in FORMATS.items():
        try:
            __import__(package)
        except ImportError:
            continue
        if name != "multimlp":
            target = str(folder / f"{name}{ending}")
            assert main(["convert", str(folder / "multimlp.safetensors"), target, "--to", name]) == 0
    return folder


def test_all_formats_are_in_the_table():
    assert set(FORMATS) == set(known.OPENERS) == {*known.READERS, known.OURS} == {*known.WRITERS, known.OURS}


@pytest.mark.parametrize("target", FORMATS)
@pytest.mark.parametrize("source", FORMATS)
def test_every_format_into_every_other(source, target, folder, tmp_path, capsys):
    needed(source, target)
    there = tmp_path / f"there{FORMATS[target][0]}"
    options = ["--activation", "tanh"] if source in WEIGHTS_ALONE else []
    report = tmp_path / "report.json"
    command = ["convert", str(folder / f"{source}{FORMATS[source][0]}"), str(there), "--from", source, "--to"]
    capsys.readouterr()
    assert main([*command, target, "--verify", "--report", str(report), *options]) == 0
    said = capsys.readouterr().out
    assert "compute the same" in " ".join(said.split())
    assert "relative" in said
    found = json.loads(report.read_text())
    assert found["ok"] is True
    assert 0 <= found["outputs_ulp"] < found["tolerance"]
    assert found["gradients_ulp"] < found["tolerance"]
    assert bool(found["by_differences"]) == any(name in NO_GRADIENTS for name in (source, target))
    assert len(found["layers"]) >= 2, "hidden layers are seen in every library"
    assert len(found["worst_inputs"]) >= 1
    assert len(found["worst_inputs"][0]["inputs"]) == 6


# ---- Keras, one process a backend


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "torch", "jax", "numpy"])
def test_keras_on_each_of_its_backends(backend, folder, tmp_path):
    """There and back, and a changed weight is found, by the Keras of that backend."""
    needed("keras")
    pytest.importorskip(backend)
    script = tmp_path / "keras_on.py"
    script.write_text(
        f"""
import keras, sys
import multimlp as mm
from multimlp.cli import main
from multimlp.interop import verify
assert keras.backend.backend() == {backend!r}
source, folder = sys.argv[1:]
assert main(["convert", source, folder + "/a.keras", "--verify"]) == 0
assert main(["convert", folder + "/a.keras", folder + "/b.safetensors", "--verify"]) == 0
mlp, params = mm.load(source, "numpy")
model = mm.interop.keras.to_keras(mlp, params)
report = verify((mlp, params), model)
assert report.ok and f"Keras on {backend}" == report.b, report
assert (report.gradients_ulp is None) == ({backend!r} == "numpy"), report
assert {backend!r} != "numpy" or "has no gradients" in report.sentence()
model.layers[0].trainable = False
assert verify((mlp, params), model).ok
second = [layer for layer in model.layers if layer.weights][1]
second.set_weights([w + 1e-3 for w in second.get_weights()])
report = verify((mlp, params), model)
assert not report.ok and report.first_difference.startswith("hidden 2 | Dense "), report
print("done")
"""
    )
    done = subprocess.run(
        [sys.executable, str(script), str(folder / "multimlp.safetensors"), str(tmp_path)],
        env={**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "2"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.stdout.endswith("done\n"), done.stdout + done.stderr


# ---- tampered models


def one_weight(mlp, params):
    weight = params[1].weight.copy()
    weight[2, 1] += np.float32(1e-3)
    return mlp, (params[0], params[1]._replace(weight=weight), params[2])


def other_gelu(mlp, params):
    tanh = {"name": "gelu", "approximate": "tanh"}
    return mm.MLP(6, [9, 9], 3, activation=["gelu", tanh]), params


def transposed(mlp, params):
    return mlp, (params[0], params[1]._replace(weight=params[1].weight.T.copy()), params[2])


def a_lost_bias(mlp, params):
    return mlp, (params[0], params[1]._replace(bias=np.zeros_like(params[1].bias)), params[2])


def two_swapped_units(mlp, params):
    order = [1, 0, *range(2, 9)]
    return mlp, (params[0], params[1]._replace(weight=params[1].weight[:, order]), params[2])


MUTANTS = [one_weight, other_gelu, transposed, a_lost_bias, two_swapped_units]


@pytest.fixture
def genuine(tmp_path):
    mlp = mm.MLP(6, [9, 9], 3, activation="gelu", bias_init=mm.initializers.get("normal"))
    params = mlp.init(seed=1, backend="numpy", dtype="float32")
    mm.save(tmp_path / "model.safetensors", mlp, params)
    return tmp_path / "model.safetensors"


@pytest.mark.parametrize("mutant", MUTANTS)
@pytest.mark.parametrize("target", [name for name in FORMATS if name not in ("multimlp", "sklearn")])
def test_a_tampered_model_is_found_out_in_its_layer(target, mutant, genuine, tmp_path, monkeypatch, capsys):
    """The writer writes another model than it was given; what is read back is what is in the file."""
    needed(target)
    table, write = (known.WRITERS, known.WRITERS[target])

    def tampering(path, model):
        mlp, params = mutant(model.mlp, model.params)
        write(path, model._replace(mlp=mlp, params=params))

    monkeypatch.setitem(table, target, tampering)
    if mutant is other_gelu:
        if target == "keras":
            pytest.skip("Keras has the exact gelu alone")
        if target in WEIGHTS_ALONE:  # such a file tells no activation: whoever opens it has the other one
            read = known.READERS[target]
            monkeypatch.setitem(
                known.READERS,
                target,
                lambda path, how: other_gelu(None, read(path, how)[1]),
            )
    there = str(tmp_path / f"there{FORMATS[target][0]}")
    capsys.readouterr()
    code = main(["convert", str(genuine), there, "--to", target, "--verify"])
    said = " ".join(capsys.readouterr().out.split())
    assert code == 1, said
    assert "First: hidden 2 | " in said, said
    fused = (
        mutant is other_gelu or target == "keras"
    )  # what comes before the activation is right, or not seen
    where = said.partition("First: ")[2].partition(". ")[0]
    assert ("after its activation" in where) == fused, said
    assert "farthest apart: row" in said


TAMPERED = """
import sys
from multimlp.cli import formats, main
write = formats.WRITERS["gluon"]
def tampering(path, model):
    weight = model.params[1].weight.copy()
    weight[2, 1] += 1e-3
    write(path, model._replace(params=(model.params[0], model.params[1]._replace(weight=weight), *model.params[2:])))
formats.WRITERS["gluon"] = tampering
sys.exit(main(sys.argv[1:]))
"""


def test_the_process_ends_with_0_where_nothing_changed_1_where_it_did_and_2_for_bad_input(genuine, tmp_path):
    def ended(*command):
        done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
        return done.returncode, " ".join((done.stdout + done.stderr).split())

    convert = ["convert", str(genuine), str(tmp_path / "there.params"), "--verify"]
    code, said = ended("-m", "multimlp", *convert)
    assert (code, "compute the same" in said) == (0, True), said
    code, said = ended("-c", TAMPERED, *convert)
    assert (code, "differ: over 256 rows" in said, "First: hidden 2 | " in said) == (1, True, True), said
    code, said = ended("-m", "multimlp", "convert", str(tmp_path / "absent.onnx"), *convert[2:])
    assert (code, "cannot read" in said) == (2, True), said


@pytest.mark.parametrize("mutant", [one_weight, transposed, a_lost_bias])
def test_a_tampered_estimator_of_scikit_learn(mutant, tmp_path, monkeypatch, capsys):
    needed("sklearn")
    mlp = mm.MLP(6, [9, 9], 3, activation="tanh", bias_init=mm.initializers.get("normal"))
    mm.save(tmp_path / "model.safetensors", mlp, mlp.init(seed=1, backend="numpy", dtype="float32"))
    write = known.write_sklearn

    def tampering(path, model):
        mlp, params = mutant(model.mlp, model.params)
        write(path, model._replace(mlp=mlp, params=params))

    monkeypatch.setitem(known.WRITERS, "sklearn", tampering)
    assert main(["convert", str(tmp_path / "model.safetensors"), str(tmp_path / "m.npz"), "--verify"]) == 1
    assert "First: hidden 2 | layer 2, after its activation" in " ".join(capsys.readouterr().out.split())


# ---- normalisation by stored numbers, which another model has in its weights


def torch_with_norm(eps):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    nn = torch.nn
    norm = nn.BatchNorm1d(9, eps=eps)
    model = nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Linear(12, 9), norm, nn.Tanh(), nn.Linear(9, 3))
    with torch.no_grad():
        norm.weight.uniform_(0.5, 2.0)
        norm.bias.normal_()
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.01, 2.0)
    return model.eval()


def folded(model):
    """The same in an MLP, in float64 on the way."""
    norm = model[3]
    scale = (norm.weight / (norm.running_var + norm.eps).sqrt()).detach().double().numpy()
    params = []
    for i in (0, 2, 5):
        weight, bias = (p.detach().double().numpy() for p in (model[i].weight.T, model[i].bias))
        if i == 2:
            weight = weight * scale
            bias = (bias - norm.running_mean.double().numpy()) * scale + norm.bias.detach().double().numpy()
        params.append(mm.mlp.Dense(weight.astype("float32"), bias.astype("float32")))
    return mm.MLP(6, [12, 9], 3, activation="tanh"), tuple(params)


def test_a_folded_normalisation_is_the_same_and_another_epsilon_is_found():
    report = verify(folded(torch_with_norm(1e-5)), torch_with_norm(1e-5))
    assert report.ok, report
    assert all(row.ulp < report.tolerance for row in report.layers)
    assert [row.name for row in report.gradients] == [
        "gradient in inputs", "gradient in weight 0", "gradient in bias 0", "gradient in weight 2", "gradient in bias 2"
    ]  # fmt: skip
    assert report.left_out[0].startswith("gradient in weight 1, since one model has a normalisation there")
    report = verify(folded(torch_with_norm(1e-3)), torch_with_norm(1e-5))
    assert not report.ok
    assert report.first_difference == "hidden 2 | Linear '2', before its activation"
    report = verify(torch_with_norm(1e-3), torch_with_norm(1e-5))
    assert report.first_difference == "Linear '2' | Linear '2', before its activation"
    assert len(report.gradients) == 7


@pytest.mark.parametrize("library", ["keras", "flax", "nnx", "onnx"])
@pytest.mark.parametrize("eps", [1e-5, 1e-3])
def test_normalisations_of_every_library(library, eps):
    """Against the folded one of epsilon 1e-5."""
    needed(library)
    torch = pytest.importorskip("torch")
    original = torch_with_norm(eps)
    report = verify(folded(torch_with_norm(1e-5)), WITH_NORM[library](original, torch))
    assert report.ok == (eps == 1e-5), report
    assert report.first_difference is None or report.first_difference.startswith("hidden 2 | "), report
    if library != "onnx":
        assert len(report.gradients) == 5


def numbers(tensor):
    return tensor.detach().numpy()


def in_keras(model, torch):
    keras = pytest.importorskip("keras")
    made = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(12, activation="tanh"),
            keras.Sequential([keras.layers.Dense(9), keras.layers.BatchNormalization(epsilon=model[3].eps)]),
            keras.layers.Activation("tanh"),
            keras.layers.Dense(3),
        ]
    )
    inner = made.layers[1]
    for mine, i in ((made.layers[0], 0), (inner.layers[0], 2), (made.layers[-1], 5)):
        mine.set_weights([numbers(model[i].weight).T, numbers(model[i].bias)])
    norm = model[3]
    inner.layers[1].set_weights(
        [numbers(v) for v in (norm.weight, norm.bias, norm.running_mean, norm.running_var)]
    )
    return made


def in_flax(model, torch):
    from flax import linen

    class Net(linen.Module):
        @linen.compact
        def __call__(self, x):
            x = linen.tanh(linen.Dense(12)(x))
            x = linen.BatchNorm(use_running_average=True, epsilon=model[3].eps)(linen.Dense(9)(x))
            return linen.Dense(3)(linen.tanh(x))

    params = {
        f"Dense_{n}": {"kernel": numbers(model[i].weight).T, "bias": numbers(model[i].bias)}
        for n, i in enumerate((0, 2, 5))
    }
    norm = model[3]
    params["BatchNorm_0"] = {"scale": numbers(norm.weight), "bias": numbers(norm.bias)}
    stats = {"mean": numbers(norm.running_mean), "var": numbers(norm.running_var)}
    return Net(), {"params": params, "batch_stats": {"BatchNorm_0": stats}}


def in_nnx(model, torch):
    import jax
    from flax import nnx

    rngs = nnx.Rngs(0)
    linears = [nnx.Linear(a, b, rngs=rngs) for a, b in ((6, 12), (12, 9), (9, 3))]
    for mine, i in zip(linears, (0, 2, 5), strict=True):
        mine.kernel = nnx.Param(jax.numpy.asarray(numbers(model[i].weight).T))
        mine.bias = nnx.Param(jax.numpy.asarray(numbers(model[i].bias)))
    norm, old = nnx.BatchNorm(9, epsilon=model[3].eps, use_running_average=True, rngs=rngs), model[3]
    norm.scale, norm.bias = (nnx.Param(jax.numpy.asarray(numbers(v))) for v in (old.weight, old.bias))
    norm.mean, norm.var = (
        nnx.BatchStat(jax.numpy.asarray(numbers(v))) for v in (old.running_mean, old.running_var)
    )
    return nnx.Sequential(linears[0], jax.numpy.tanh, linears[1], norm, jax.numpy.tanh, linears[2])


def in_onnx(model, torch):
    onnx = pytest.importorskip("onnx")
    make, constant = onnx.helper.make_node, onnx.numpy_helper.from_array
    norm = model[3]
    held = {f"w{i}": numbers(model[i].weight) for i in (0, 2, 5)} | {
        f"b{i}": numbers(model[i].bias) for i in (0, 2, 5)
    }
    held |= {
        name: numbers(v)
        for name, v in zip("smtv", (norm.weight, norm.bias, norm.running_mean, norm.running_var), strict=True)
    }
    nodes = [
        make("Gemm", ["X", "w0", "b0"], ["h0"], transB=1),
        make("Tanh", ["h0"], ["h1"]),
        make("Gemm", ["h1", "w2", "b2"], ["h2"], transB=1),
        make("BatchNormalization", ["h2", "s", "m", "t", "v"], ["h3"], epsilon=norm.eps),
        make("Tanh", ["h3"], ["h4"]),
        make("Gemm", ["h4", "w5", "b5"], ["Y"], transB=1),
    ]
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes,
        "g",
        [value("X", 1, ["N", 6])],
        [value("Y", 1, ["N", 3])],
        [constant(array, name) for name, array in held.items()],
    )
    opset = [onnx.helper.make_opsetid("", 17)]
    return onnx.helper.make_model(graph, opset_imports=opset, ir_version=8)


WITH_NORM = {"keras": in_keras, "flax": in_flax, "nnx": in_nnx, "onnx": in_onnx}


# ---- chains of blocks


def test_chains_are_compared_layer_by_layer():
    torch = pytest.importorskip("torch")
    from multimlp import blocks

    inner = mm.chain(blocks.layer_norm(), blocks.dense(8, "gelu"), blocks.dense(8))
    model = mm.chain(blocks.dense(8, "tanh", in_features=6), blocks.residual(inner), blocks.dense(3))
    params = model.init(seed=0, backend="numpy", dtype="float32")

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.norm, self.up, self.down, self.last = (
                torch.nn.Linear(6, 8),
                torch.nn.LayerNorm(8),
                torch.nn.Linear(8, 8),
                torch.nn.Linear(8, 8),
                torch.nn.Linear(8, 3),
            )

        def forward(self, x):
            x = torch.tanh(self.first(x))
            return self.last(x + self.down(torch.nn.functional.gelu(self.up(self.norm(x)))))

    net, (_, up, down) = Net(), params[1][0]
    for mine, held in ((net.first, params[0]), (net.up, up), (net.down, down), (net.last, params[2])):
        mine.weight.data, mine.bias.data = torch.tensor(held.weight.T), torch.tensor(held.bias)
    report = verify((model, params), net)
    assert report.ok, report
    assert len(report.layers) == 8
    assert len(report.gradients) == 9
    net.down.weight.data[0, 1] += 1e-3
    assert verify((model, params), net).first_difference.startswith("dense '1.0.2' | Linear 'down', before")
    net.norm.weight.data[0] += 1e-2
    found = verify(
        (model, params), net
    ).first_difference  # what comes out of a layer is what the next one takes
    assert found == "dense '0' | Linear 'first', after its activation"
    with_two = mm.chain(blocks.dense(8, in_features=6), blocks.dense(3))
    report = verify((model, params), (with_two, with_two.init(seed=0, backend="numpy", dtype="float32")))
    assert not report.ok
    assert "has 4 fully connected layers and multimlp on numpy 2" in report.sentence()


def test_a_model_that_keras_has_trained_is_read(tmp_path, capsys):
    """Its file says how it was trained, which nobody asks for."""
    keras = pytest.importorskip("keras")
    layers = [
        keras.Input((6,)),
        keras.layers.Dense(4, "tanh", name="hidden"),
        keras.layers.Dense(3, name="scores"),
    ]
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.Adam(), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    X = np.random.default_rng(0).normal(size=(16, 6))
    model.fit(X, np.arange(16) % 3, verbose=0)
    model.save(tmp_path / "trained.keras")
    there = tmp_path / "there.safetensors"
    assert main(["convert", str(tmp_path / "trained.keras"), str(there), "--verify"]) == 0
    assert "Dense 'hidden' | hidden" in capsys.readouterr().out
    np.testing.assert_allclose(mm.predict(*mm.load(there), X), model(X), rtol=1e-5, atol=1e-5)


def test_activations_that_nobody_said_are_told(folder, tmp_path, capsys):
    needed("torch")
    source, there = str(folder / "torch.pt"), str(tmp_path / "a.safetensors")
    assert main(["convert", source, there]) == 0
    assert "tell no activations: relu is taken" in " ".join(capsys.readouterr().err.split())
    assert main(["convert", source, there, "--activation", "relu"]) == 0
    assert "activations" not in capsys.readouterr().err
