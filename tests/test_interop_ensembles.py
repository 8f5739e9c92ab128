"""Ensembles in other libraries: one graph or module for all members, and what is made of their outputs."""

from __future__ import annotations

import numpy as np
import pytest

import multimlp as mm
from multimlp import tree
from multimlp.cli import main
from multimlp.errors import InputError, ShapeError
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


def of_linen(mlp, params, combine):
    pytest.importorskip("flax")
    module, variables = mm.interop.flax.to_flax(mlp, params, combine=combine)
    assert variables["params"]["layers_0"]["kernel"].shape == (5, 4, 6)
    return np.asarray(module.apply(variables, X))


def of_nnx(mlp, params, combine):
    pytest.importorskip("flax")
    return np.asarray(mm.interop.flax.to_nnx(mlp, params, combine=combine)(X))


def of_equinox(mlp, params, combine):
    pytest.importorskip("equinox")
    import jax

    model = mm.interop.equinox.to_equinox(mlp, params, combine=combine)
    assert model.layers[0].weight.shape == (5, 6, 4)
    return np.asarray(jax.jit(jax.vmap(model, out_axes=-2))(X))


WAYS = {
    "onnx": of_onnx,
    "torch": of_torch,
    "keras": of_keras,
    "linen": of_linen,
    "nnx": of_nnx,
    "equinox": of_equinox,
}
NEEDED = {"onnx": "onnxruntime", "linen": "flax", "nnx": "flax"}


def written(library, mlp, params, combine="members"):
    """A model of the library, as a tuple."""
    pytest.importorskip(NEEDED.get(library, library))
    module = getattr(mm.interop, {"linen": "flax", "nnx": "flax"}.get(library, library))
    made = getattr(module, {"linen": "to_flax"}.get(library, f"to_{library}"))(mlp, params, combine=combine)
    return made if library == "linen" else (made,)


def read(library, *model, **options):
    module = getattr(mm.interop, {"linen": "flax", "nnx": "flax"}.get(library, library))
    return getattr(module, {"linen": "from_flax"}.get(library, f"from_{library}"))(
        *model, backend="numpy", **options
    )


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
    mlp, params = ensemble(use_bias=library not in ("torch", "equinox"))
    there = written(library, mlp, params, combine)
    there = there if len(there) == 2 else there[0]
    report = verify((mlp, params), there, combine=combine)
    assert report.ok, report
    assert (report.gradients is None) == (combine == "vote")
    if library != "onnx" and combine != "vote":
        parts = ("weight", "bias") if mlp.use_bias else ("weight",)
        assert {row.name for row in report.gradients} == {
            "gradient in inputs",
            *(f"gradient in {part} {i}" for i in range(3) for part in parts),
        }
    weight = params[1].weight.copy()
    weight[3, 2, 1] += 1.0
    changed = (params[0], params[1]._replace(weight=weight), params[2])
    report = verify((mlp, changed), there, combine=combine)
    assert not report.ok
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
    make, combine, message = REFUSED[case]
    with pytest.raises(InputError, match=message):
        written(library, *make(*ensemble()), combine=combine)


def test_a_library_of_one_network_says_who_takes_an_ensemble(tmp_path):
    message = "an ensemble of 5 members; ONNX, torch, Keras, Flax and Equinox take it whole"
    with pytest.raises(InputError, match=message):
        mm.interop.gluon.to_gluon(*ensemble(), tmp_path / "a.params")
    pytest.importorskip("sklearn")
    with pytest.raises(InputError, match=message):
        mm.interop.sklearn.to_sklearn(*ensemble())


# ---- and back


def same(params, back):
    for one, other in zip(tree.leaves(params), tree.leaves(back), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("combine", COMBINES)
@pytest.mark.parametrize("library", WAYS)
def test_an_ensemble_comes_back_with_its_parameters(library, combine, outputs):
    if (library, combine) == ("keras", "vote"):
        pytest.skip("refused")
    mlp, params = ensemble(outputs, dropout=[0.0, 0.25])
    model = written(library, mlp, params, combine)
    back, back_params = read(library, *model, combine=combine)
    assert back == (mlp if library != "onnx" else mm.MLP(4, [6, 5], outputs, activation=["gelu", "tanh"]))
    same(params, back_params)


@pytest.mark.parametrize("library", WAYS)
def test_without_biases_in_other_dtypes_and_with_an_activation_at_the_end(library):
    """Whose mean is the mean of probabilities by another name."""
    mlp, params = ensemble(use_bias=False, final_activation="softmax", layer_names=["first", None, "scores"])
    wide = tree.map(lambda leaf: leaf.astype(np.float64), params)
    back, back_params = read(library, *written(library, mlp, wide, "mean"), combine="mean")
    assert (back, back.layer_names) == (mlp, mlp.layer_names)
    same(wide, back_params)
    scores = mm.MLP(4, [6, 5], 3, activation=["gelu", "tanh"], use_bias=False)
    found, found_params = read(library, *written(library, mlp, wide, "mean"), combine="probabilities")
    assert found == scores
    same(wide, found_params)
    with pytest.raises(
        InputError, match=r"makes 'mean' or 'probabilities' of its members' outputs, got 'vote'"
    ):
        read(library, *written(library, mlp, wide, "mean"), combine="vote")


@pytest.mark.parametrize("library", WAYS)
def test_what_is_made_of_the_outputs_is_not_lost_without_a_word(library):
    mlp, params = ensemble()
    with pytest.raises(
        InputError, match=r"makes .*'probabilities' of its members' outputs, got 'members'; .*--combine pro"
    ):
        read(library, *written(library, mlp, params, "probabilities"))
    with pytest.raises(InputError, match="makes 'members' of its members' outputs, got 'mean'"):
        read(library, *written(library, mlp, params), combine="mean")
    one = tree.map(lambda leaf: leaf[0], params)
    with pytest.raises(InputError, match="combine: 'mean' is for ensembles, and the .* is one network"):
        read(library, *written(library, mlp, one), combine="mean")
    with pytest.raises(InputError, match="combine: expected 'members', .* got 'median'"):
        read(library, *written(library, mlp, one), combine="median")


def test_a_module_of_multimlp_is_read_with_its_members():
    pytest.importorskip("torch")
    from multimlp.interop.torch import as_torch_module, from_state_dict, from_torch

    mlp, params = ensemble(activation=["prelu", "tanh"])
    module = as_torch_module(mlp, params)
    back, back_params = from_torch(module, "numpy")
    assert back == mlp
    same(params, back_params)
    square = mm.MLP(3, [3], 3)
    params = square.init(seed=range(3), backend="numpy", dtype="float32")
    same(params, from_state_dict(as_torch_module(square, params).state_dict(), backend="numpy")[1])


def test_an_ensemble_that_torch_trains_goes_on_here():
    torch = pytest.importorskip("torch")
    from multimlp.interop._ensembles import combined
    from multimlp.interop.torch import from_optimizer, from_torch, to_torch

    mlp, params = ensemble()
    rows = X.astype(np.float64)
    model = to_torch(mlp, tree.map(lambda leaf: leaf.astype(np.float64), params), combine="probabilities")
    theirs = torch.optim.Adam(model.parameters(), lr=0.01)

    def step():
        theirs.zero_grad()
        (model(torch.tensor(rows))[:, 0] ** 2).sum().backward()
        theirs.step()

    for _ in range(3):
        step()
    mlp, params = from_torch(model, "numpy", combine="probabilities")
    ours, state = from_optimizer(theirs, model, "numpy")
    slope = mm.grad(lambda p: mm.xp.sum(combined(mlp(p, rows), "probabilities")[:, 0] ** 2))
    for _ in range(2):
        params, state = ours.update(slope(params), state, params)
        step()
    found = from_torch(model, "numpy", combine="probabilities")[1]
    for one, other in zip(tree.leaves(params), tree.leaves(found), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


def test_what_only_looks_like_an_ensemble_is_refused():
    torch, onnx = pytest.importorskip("torch"), pytest.importorskip("onnx")
    from multimlp.interop.onnx import from_onnx, to_onnx
    from multimlp.interop.torch import TorchCombine, TorchMembersLinear, from_state_dict, from_torch

    nn = torch.nn
    layer, last = (TorchMembersLinear(torch.ones(2, 3, 3), torch.zeros(2, 1, 3)) for _ in range(2))
    for parts, message in (
        ((layer, nn.LayerNorm(3), last), "is an ensemble of something else than plain networks"),
        ((layer, nn.BatchNorm1d(3), last), "than plain networks, with BatchNorm1d '1'"),
        ((layer, nn.Softmax(dim=1), last), "than plain networks, with Softmax '1'"),
        ((layer, nn.Flatten()), "than plain networks, with Flatten '1'"),
        ((nn.Linear(3, 3), last), r"params\[1\].weight has shape \(2, 3, 3\), expected \(3, 3\)"),
        ((layer, TorchCombine("mean"), nn.Linear(3, 3)), "at TorchCombine '1', that is none of"),
        ((nn.Linear(3, 3), TorchCombine("mean")), "at TorchCombine '1', that is none of"),
    ):
        with pytest.raises(InputError, match=message):
            from_torch(nn.Sequential(*parts))
    with pytest.raises(
        InputError, match="nothing tells whether it is a layer of an ensemble or a convolution"
    ):
        from_state_dict({"weight": torch.ones(8, 3, 5)})
    with pytest.raises(ShapeError, match="its bias has shape"):
        from_state_dict(nn.Conv1d(3, 8, 5).state_dict())
    graph = to_onnx(*ensemble(), combine="mean")
    mean = next(node for node in graph.graph.node if node.op_type == "ReduceMean")
    next(a for a in mean.attribute if a.name == "keepdims").i = 1
    with pytest.raises(InputError, match="ReduceMean 'Y' of other axes than that of the members"):
        from_onnx(graph, combine="mean")
    plain = to_onnx(*[mm.MLP(4, 3, 2), mm.MLP(4, 3, 2).init(seed=0, backend="numpy")])
    added = onnx.helper.make_node("Add", ["Y", "many"], ["Z"])
    plain.graph.node.append(added)
    plain.graph.output[0].name = "Z"
    plain.graph.initializer.append(onnx.numpy_helper.from_array(np.ones((5, 1, 2), np.float32), "many"))
    with pytest.raises(InputError, match="numbers of shape .5, 2. for members of an ensemble, which Gemm"):
        from_onnx(plain)


def test_a_function_that_keeps_rows_alone_is_refused_behind_members():
    pytest.importorskip("flax")
    from flax import linen

    from multimlp.interop.flax import from_flax, to_flax

    module, variables = to_flax(*ensemble())
    flat = linen.Sequential([*module.layers, lambda x: x.reshape((len(x), -1))])
    with pytest.raises(
        InputError, match="is an ensemble of something else than plain networks, with function"
    ):
        from_flax(flat, variables)
    module, variables = to_flax(*ensemble(final_activation="identity"))
    assert from_flax(module, variables, "numpy")[0].final_activation is None


def test_a_keras_model_whose_members_have_inputs_of_their_own_is_refused():
    keras = pytest.importorskip("keras")
    from multimlp.interop.keras import from_keras

    layers = keras.layers
    dense = layers.EinsumDense("nmi,mio->nmo", (2, 3), bias_axes="mo")
    with pytest.raises(InputError, match="has no RepeatVector, which is read once, before the EinsumDense"):
        from_keras(keras.Sequential([keras.Input((2, 4)), dense]))
    with pytest.raises(InputError, match="has RepeatVector 'twice', which is read once"):
        from_keras(
            keras.Sequential([keras.Input((4,)), layers.RepeatVector(2, name="twice"), layers.Dense(3)])
        )
    other = layers.EinsumDense("nmi,io->nmo", (2, 3), name="shared")
    with pytest.raises(InputError, match="EinsumDense 'shared' of 'nmi,io->nmo'"):
        from_keras(keras.Sequential([keras.Input((4,)), layers.RepeatVector(2), other]))


@pytest.mark.parametrize("suffix", [".pt", ".safetensors", ".msgpack", ".nnx.msgpack", ".eqx"])
def test_weights_alone_come_back(suffix, tmp_path):
    """Twelve layers of one shape, whose files are sorted by name."""
    mlp = mm.MLP(3, [3] * 11, 3, activation="tanh")
    params = mm.MLP(3, [3] * 11, 3, bias_init="normal").init(seed=range(3), backend="numpy", dtype="float32")
    path = tmp_path / f"weights{suffix}"
    if suffix in (".pt", ".safetensors"):
        interop = pytest.importorskip("multimlp.interop.torch")
        interop.write_state(path, interop.to_state_dict(mlp, params))
        found = interop.from_state_dict(interop.read_state(path), "tanh", backend="numpy")
        if suffix == ".safetensors":
            from safetensors.torch import save_file

            save_file(interop.to_state_dict(mlp, params), path)
            same(params, interop.from_state_dict(interop.read_state(path), "tanh", backend="numpy")[1])
    elif suffix == ".eqx":
        interop = pytest.importorskip("multimlp.interop.equinox")
        interop.write_leaves(path, interop.to_equinox(mlp, params))
        found = interop.from_leaves(interop.read_leaves(path), "tanh", backend="numpy")
    else:
        interop = pytest.importorskip("multimlp.interop.flax")
        model = interop.to_nnx(mlp, params) if "nnx" in suffix else interop.to_flax(mlp, params)[1]
        interop.write_variables(path, model)
        found = interop.from_variables(interop.read_variables(path), "tanh", backend="numpy")
    assert found[0] == mlp
    same(params, found[1])


def test_linen_draws_each_member_as_one_layer():
    flax = pytest.importorskip("multimlp.interop.flax")
    import jax

    variables = flax.LinenMembersDense(50, 400).init(jax.random.key(0), np.ones((1, 100), np.float32))
    kernel = np.asarray(variables["params"]["kernel"])
    assert kernel.shape == (50, 100, 400)
    assert abs(kernel.std() - 0.1) < 1e-3
    assert not np.array_equal(kernel[0], kernel[1])


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
        ("f.msgpack", []),
        ("g.nnx.msgpack", ["--to", "nnx"]),
        ("h.eqx", []),
    ):
        assert main(["convert", source, str(tmp_path / target), "--verify", *options]) == 0, target
        assert "compute the same" in " ".join(capsys.readouterr().out.split())
    assert main(["export", source, "--to", "onnx", "-o", str(tmp_path / "f.onnx"), "--combine", "vote"]) == 0
    assert main(["convert", source, str(tmp_path / "g.pt"), "--combine", "mean"]) == 2
    assert "--combine: torch files hold the weights of the members alone" in " ".join(
        capsys.readouterr().err.split()
    )


def test_ensembles_of_other_libraries_are_converted_with_what_is_made_of_them(tmp_path, capsys):
    for package in ("onnxruntime", "torch", "keras", "safetensors", "flax", "equinox"):
        pytest.importorskip(package)
    mlp, params = ensemble(layer_names=["a", "b", "c"])
    mm.save(tmp_path / "e.safetensors", mlp, params)
    mean, told = ["--combine", "mean"], ["--activation", "gelu", "tanh"]
    for source, target, options in (
        ("e.safetensors", "a.onnx", mean),
        ("a.onnx", "b.keras", mean),
        ("b.keras", "c.safetensors", mean),
        ("c.safetensors", "d.pt", []),
        ("d.pt", "f.onnx", [*mean, *told]),
        ("d.pt", "g.msgpack", told),
        ("g.msgpack", "h.keras", [*mean, *told]),
        ("g.msgpack", "i.eqx", told),
        ("i.eqx", "j.onnx", [*mean, *told]),
    ):
        files = [str(tmp_path / name) for name in (source, target)]
        assert main(["convert", *files, "--verify", *options]) == 0, target
    back, back_params = mm.load(tmp_path / "c.safetensors")
    assert (back, back.layer_names) == (mlp, mlp.layer_names)
    same(params, back_params)
    capsys.readouterr()
    assert main(["convert", str(tmp_path / "a.onnx"), str(tmp_path / "k.keras")]) == 2
    assert "makes 'mean' of its members' outputs, got 'members'" in " ".join(capsys.readouterr().err.split())
    assert main(["import", str(tmp_path / "a.onnx"), "-o", str(tmp_path / "l.safetensors"), *mean]) == 0
    same(params, mm.load(tmp_path / "l.safetensors")[1])
