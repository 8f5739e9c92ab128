"""Ensembles in other libraries: one graph or module for all members, and what is made of their outputs."""

from __future__ import annotations

import numpy as np
import pytest

import multimlp as mm
from multimlp import tree
from multimlp.cli import main
from multimlp.errors import InputError, MultimlpError
from multimlp.interop import verify

X = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
COMBINES = ("members", "mean", "probabilities", "vote")


def ensemble(outputs=3, members=5, **options):
    mlp = mm.MLP(4, [6, 5], outputs, **{"activation": ["gelu", "tanh"], **options})
    return mlp, mlp.init(seed=range(members), backend="numpy", dtype="float32")


def expected(mlp, params, combine):
    """Member by member, in float64."""
    wide = tree.map(lambda a: a.astype(np.float64), params)
    each = []
    for i in range(len(params[0].weight)):
        out = mlp(tree.map(lambda a, i=i: a[i], wide), X.astype(np.float64))
        if combine == "probabilities":
            out = (
                1 / (1 + np.exp(-out))
                if out.shape[1] == 1
                else np.exp(out) / np.exp(out).sum(1, keepdims=True)
            )
        elif combine == "vote":
            out = (out > 0) * 1.0 if out.shape[1] == 1 else np.eye(out.shape[1])[out.argmax(1)]
        each.append(out)
    if combine == "members":
        return np.stack(each)
    mean = np.mean(each, axis=0)
    return np.concatenate([1 - mean, mean], 1) if combine != "mean" and mean.shape[1] == 1 else mean


def of_onnx(mlp, params, combine, **options):
    runtime = pytest.importorskip("onnxruntime")
    graph = mm.interop.onnx.to_onnx(mlp, params, combine=combine, **options)
    assert sum(node.op_type == "MatMul" for node in graph.graph.node) == 3
    session = runtime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    given = session.run(None, {"X": X})[0]
    stated = [d.dim_value or d.dim_param for d in graph.graph.output[0].type.tensor_type.shape.dim]
    assert tuple(30 if axis == "N" else axis for axis in stated) == given.shape
    return given


def of_torch(mlp, params, combine):
    torch = pytest.importorskip("torch")
    module = mm.interop.torch.to_torch(mlp, params, combine=combine)
    assert module[0].weight.shape == (5, 4, 6)
    return module(torch.tensor(X)).detach().numpy()


def of_keras(mlp, params, combine):
    pytest.importorskip("keras")
    given = np.asarray(mm.interop.keras.to_keras(mlp, params, combine=combine)(X))
    return given.transpose(1, 0, 2) if combine == "members" else given


WAYS = {"onnx": of_onnx, "torch": of_torch, "keras": of_keras}


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("combine", COMBINES)
@pytest.mark.parametrize("library", WAYS)
def test_an_ensemble_is_one_model_of_the_library(library, combine, outputs):
    mlp, params = ensemble(outputs)
    if (library, combine) == ("keras", "vote"):
        pytest.importorskip("keras")
        with pytest.raises(
            InputError, match="combine: Keras has 'members', 'mean', 'probabilities', got 'vote'"
        ):
            of_keras(mlp, params, combine)
        return
    given = WAYS[library](mlp, params, combine)
    np.testing.assert_allclose(given, expected(mlp, params, combine), rtol=0, atol=1e-6)


@pytest.mark.parametrize("combine", COMBINES)
def test_an_older_opset_computes_the_same(combine):
    mlp, params = ensemble()
    np.testing.assert_allclose(
        of_onnx(mlp, params, combine, opset=13), expected(mlp, params, combine), rtol=0, atol=1e-6
    )


@pytest.mark.parametrize("combine", COMBINES)
@pytest.mark.parametrize("library", WAYS)
def test_verify_understands_ensembles(library, combine):
    if (library, combine) == ("keras", "vote"):
        pytest.skip("refused")
    pytest.importorskip("onnxruntime" if library == "onnx" else library)
    mlp, params = ensemble(use_bias=library != "torch")
    module = getattr(mm.interop, library)
    there = getattr(module, f"to_{library}")(mlp, params, combine=combine)
    report = verify((mlp, params), there, combine=combine)
    assert report.ok, report
    assert (report.gradients is None) == (combine == "vote")
    if library == "torch" and combine != "vote":
        assert {row.name for row in report.gradients} == {
            "gradient in inputs",
            *(f"gradient in weight {i}" for i in range(3)),
        }
    weight = params[1].weight.copy()
    weight[3, 2, 1] += 1.0
    changed = (params[0], params[1]._replace(weight=weight), params[2])
    report = verify((mlp, changed), there, combine=combine)
    assert not report.ok
    if library != "keras":
        assert report.first_difference.startswith("hidden 2 | ")


@pytest.mark.parametrize("classes", [2, 3])
def test_the_graph_of_an_estimator_gives_its_probabilities(classes):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("sklearn")
    from multimlp.estimators import EnsembleMLPClassifier

    y = np.arange(30) % classes
    fitted = EnsembleMLPClassifier(6, n_members=4, max_iter=400, tol=0.01, random_state=0).fit(X, y)
    graph = mm.interop.onnx.to_onnx(*fitted.to_mlp(), combine="probabilities")
    session = runtime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(None, {"X": X})[0], fitted.predict_proba(X), rtol=0, atol=1e-6)
    report = verify(fitted, graph, X)
    assert (report.ok, report.outputs.name) == (True, "probabilities"), report


def test_names_of_layers_are_kept():
    pytest.importorskip("torch")
    mlp, params = ensemble(layer_names=["first", "second", "scores"])
    assert "second.weight" in mm.interop.torch.to_torch(mlp, params, combine="mean").state_dict()


REFUSED = {
    "no ensemble": (lambda m, p: (m, tree.map(lambda a: a[0], p)), "mean", "'mean' is for ensembles"),
    "unknown": (lambda m, p: (m, p), "median", "got 'median'"),
    "an activation at the end": (
        lambda m, p: (mm.MLP(4, [6, 5], 3, activation=["gelu", "tanh"], final_activation="softmax"), p),
        "probabilities",
        "ends in 'softmax'; give combine='mean'",
    ),
    "a learned activation": (
        lambda m, p: ensemble(activation=["prelu", "tanh"]),
        "mean",
        "no equivalent of an ensemble of networks with the learned activation 'prelu'",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("library", WAYS)
def test_what_there_is_nothing_for_is_refused(case, library):
    pytest.importorskip(library)
    make, combine, message = REFUSED[case]
    write = getattr(getattr(mm.interop, library), f"to_{library}")
    with pytest.raises(InputError, match=message):
        write(*make(*ensemble()), combine=combine)


@pytest.mark.parametrize("library", ["flax", "equinox", "sklearn"])
def test_libraries_of_one_network_say_who_takes_an_ensemble(library):
    pytest.importorskip(library)
    write = getattr(getattr(mm.interop, library), f"to_{library}")
    with pytest.raises(InputError, match="an ensemble of 5 members; ONNX, torch and Keras take it whole"):
        write(*ensemble())


def test_reading_one_is_refused():
    pytest.importorskip("torch")
    pytest.importorskip("onnx")
    mlp, params = ensemble()
    with pytest.raises(InputError, match="cannot convert the layer TorchMembersLinear '0'"):
        mm.interop.torch.from_torch(mm.interop.torch.to_torch(mlp, params))
    with pytest.raises(MultimlpError, match="its weight has shape"):
        mm.interop.onnx.from_onnx(mm.interop.onnx.to_onnx(mlp, params))


def test_convert_and_export_on_the_command_line(tmp_path, capsys):
    for package in ("onnxruntime", "torch", "keras", "safetensors"):
        pytest.importorskip(package)
    mm.save(tmp_path / "e.safetensors", *ensemble())
    source = str(tmp_path / "e.safetensors")
    for target, options in (
        ("a.onnx", ["--combine", "probabilities"]),
        ("b.onnx", []),
        ("c.pt", []),
        ("d.keras", ["--combine", "mean"]),
        ("e2.safetensors", []),
    ):
        assert main(["convert", source, str(tmp_path / target), "--verify", *options]) == 0, target
        assert "compute the same" in " ".join(capsys.readouterr().out.split())
    assert main(["export", source, "--to", "onnx", "-o", str(tmp_path / "f.onnx"), "--combine", "vote"]) == 0
    assert main(["convert", source, str(tmp_path / "g.pt"), "--combine", "mean"]) == 2
    assert "--combine: torch files hold the weights of the members alone" in " ".join(
        capsys.readouterr().err.split()
    )
