"""`multimlp.interop.verify` and ``multimlp convert --verify``: equal models of every pair of libraries are found equal, and a changed
one is found out, at the layer that was changed."""

from __future__ import annotations

import contextlib
import itertools
import json
import math

import numpy as np
import pytest

import multimlp as mm
from multimlp.cli import main
from multimlp.errors import InputError, ShapeError
from multimlp.interop import verify


def torch_model(mlp, params):
    return mm.interop.torch.to_torch(mlp, params)


def flax_model(mlp, params):
    return mm.interop.flax.to_flax(mlp, params)


def nnx_model(mlp, params):
    return mm.interop.flax.to_nnx(mlp, params)


def equinox_model(mlp, params):
    return mm.interop.equinox.to_equinox(mlp, params)


def onnx_model(mlp, params):
    return mm.interop.onnx.to_onnx(mlp, params)


def keras_model(mlp, params):
    return mm.interop.keras.to_keras(mlp, params)


def ours_on_torch(mlp, params):
    return mlp, mm.convert(params, "torch")


MODELS = {
    "ours": (lambda mlp, params: (mlp, params), None),
    "ours on torch": (ours_on_torch, "torch"),
    "torch": (torch_model, "torch"),
    "flax": (flax_model, "flax"),
    "nnx": (nnx_model, "flax"),
    "equinox": (equinox_model, "equinox"),
    "onnx": (onnx_model, "onnxruntime"),
    "keras": (keras_model, "keras"),
}
WITHOUT_GRADIENTS = {"onnx": "ONNX in onnxruntime"}
NAMES = {
    "torch": "Linear '2'",
    "flax": "Dense 'layers_2'",
    "nnx": "Linear 2",
    "equinox": "Linear 2",
    "onnx": "Gemm",
    "keras": "Dense",
}


def network(dtype="float32", activation="gelu", **options):
    mlp = mm.MLP(6, [12, 9], 3, activation=activation, **options)
    return mlp, mlp.init(seed=1, backend="numpy", dtype=dtype)


def made(name, mlp, params):
    make, package = MODELS[name]
    if package is not None:
        pytest.importorskip(package)
    return make(mlp, params)


def changed(params, layer=1, by=1e-3):
    """One weight of one layer."""
    weight = params[layer].weight.copy()
    weight[2, 1] += by
    return (*params[:layer], params[layer]._replace(weight=weight), *params[layer + 1 :])


@pytest.mark.parametrize("names", list(itertools.combinations(MODELS, 2)), ids=" against ".join)
def test_equal_models_are_equal(names):
    mlp, params = network(dropout=0.3)
    report = verify(*(made(name, mlp, params) for name in names))
    assert report.ok, report
    assert report.first_difference is None
    assert report.outputs_ulp < 40
    without = [WITHOUT_GRADIENTS[name] for name in names if name in WITHOUT_GRADIENTS]
    assert list(report.by_differences) == without
    expected = ["inputs", *(f"{part} {i}" for i in range(3) for part in ("weight", "bias"))]
    if without:
        expected = ["inputs, by differences"]
        assert report.left_out == (f"gradients in weights and biases, which {without[0]} has none of",)
    assert sorted(row.name.removeprefix("gradient in ") for row in report.gradients) == sorted(expected)


@pytest.mark.parametrize("name", [name for name in MODELS if name in NAMES])
def test_one_changed_weight_is_found_in_its_layer(name):
    mlp, params = network()
    report = verify((mlp, params), made(name, mlp, changed(params)))
    assert not report.ok
    assert report.first_difference.startswith(f"hidden 2 | {NAMES[name]}"), report
    assert "First: hidden 2" in str(report)


@pytest.mark.parametrize("name", [name for name in MODELS if name not in WITHOUT_GRADIENTS])
def test_gradients_are_those_of_float64(name):
    """Of the model's own library against the tape on NumPy, where the changed activation shows in them."""
    mlp, params = network("float64", "softplus")
    with (
        mm.use_backend("jax", dtype="float64")
        if name in ("flax", "nnx", "equinox")
        else contextlib.nullcontext()
    ):
        there = made(name, mlp, params)
    report = verify((mlp, params), there)
    assert report.gradients_ulp < 60, report
    assert len(set(report.dtypes)) == 1
    other = mm.MLP(6, [12, 9], 3, activation=["softplus", "squareplus"])
    assert verify((other, params), there).gradients_ulp > 1e6


def test_an_activation_of_another_form_is_found():
    torch = pytest.importorskip("torch")
    mlp, params = network(activation=["gelu", {"name": "gelu", "approximate": "tanh"}])
    model = torch.nn.Sequential(
        torch.nn.Linear(6, 12),
        torch.nn.GELU(),
        torch.nn.Linear(12, 9),
        torch.nn.GELU(),
        torch.nn.Linear(9, 3),
    )
    model.load_state_dict(mm.interop.torch.to_state_dict(mlp, params))
    assert verify((mlp, params), model).first_difference == "hidden 2 | Linear '2', after its activation"


def test_modules_of_ones_own_are_run():
    torch = pytest.importorskip("torch")
    linen = pytest.importorskip("flax.linen")
    _, params = network(activation="relu")

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.last, self.first, self.middle = (
                torch.nn.Linear(9, 3),
                torch.nn.Linear(6, 12),
                torch.nn.Linear(12, 9),
            )

        def forward(self, x):
            return self.last(torch.relu(self.middle(torch.relu(self.first(x)))))

    class Module(linen.Module):
        @linen.compact
        def __call__(self, x):
            for width in (12, 9):
                x = linen.relu(linen.Dense(width)(x))
            return linen.Dense(3)(x)

    net = Net()
    for layer, own in zip(params, (net.first, net.middle, net.last), strict=True):
        own.weight.data, own.bias.data = torch.tensor(layer.weight.T), torch.tensor(layer.bias)
    variables = {"params": {f"Dense_{i}": {"kernel": p.weight, "bias": p.bias} for i, p in enumerate(params)}}
    report = verify(net, (Module(), variables))
    assert report.ok, report
    assert [row.name for row in report.layers][:2] == [
        "Linear 'first' | Dense 'Dense_0', before its activation",
        "Linear 'first' | Dense 'Dense_0', after its activation",
    ]


@pytest.mark.parametrize("outputs", [1, 2, 4])
def test_probabilities_are_compared_with_scikit_learn(outputs):
    sklearn = pytest.importorskip("sklearn.neural_network")
    assert sklearn
    mlp = mm.MLP(6, [7], outputs, activation="tanh")
    params = mlp.init(seed=0, backend="numpy", dtype="float64")
    fitted = mm.interop.sklearn.to_sklearn(mlp, params)
    report = verify((mlp, params), fitted)
    assert report.ok, report
    assert report.outputs.name == "probabilities"
    assert report.by_differences == ("scikit-learn",)
    assert report.gradients_ulp < 1
    fitted.coefs_[0][0, 0] += 1e-3
    assert not verify((mlp, params), fitted).ok


@pytest.mark.parametrize("library", ["onnx", "sklearn"])
@pytest.mark.parametrize("wrong", [1.0, 1.0 + 1e-4], ids=["right", "wrong"])
def test_slopes_of_libraries_without_gradients_show_a_wrong_gradient(library, wrong):
    """A torch module that computes the right outputs, and gradients that are off by 1e-4."""
    torch = pytest.importorskip("torch")
    pytest.importorskip({"onnx": "onnxruntime", "sklearn": "sklearn"}[library])

    class Off(torch.autograd.Function):
        @staticmethod
        def forward(context, x):
            return x.clone()

        @staticmethod
        def backward(context, gradient):
            return wrong * gradient

    class Module(torch.nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, x):
            return self.inner(Off.apply(x))

    mlp, params = network(activation="tanh")
    to = {"onnx": mm.interop.onnx.to_onnx, "sklearn": mm.interop.sklearn.to_sklearn}[library]
    report = verify(Module(torch_model(mlp, params)), to(mlp, params))
    assert report.outputs_ulp < 10
    assert report.ok == (wrong == 1.0), report
    if wrong != 1.0:
        assert report.first_difference == "gradient in inputs, by differences"
    assert report.to_dict()["by_differences"] == (report.b,)
    assert "from differences of outputs" in report.to_html()


def test_rows_beside_a_kink_are_left_out_of_slopes():
    """At 0 a relu without biases has a left and a right slope, the mean of which is neither."""
    pytest.importorskip("onnxruntime")
    mlp, params = network("float64", "relu")
    X = np.random.default_rng(0).normal(size=(20, 6))
    X[7] = 0.0
    report = verify((mlp, params), mm.interop.onnx.to_onnx(mlp, params), X)
    assert report.ok, report
    assert "gradient in inputs of 1 of 20 rows" in report.left_out[1]
    report = verify((mlp, params), mm.interop.onnx.to_onnx(mlp, params), X[7:8])
    assert report.gradients is None
    assert "settle in no row" in report.gradients_missing


def test_probabilities_of_labels_that_do_not_exclude_each_other():
    neural = pytest.importorskip("sklearn.neural_network")
    pytest.importorskip("onnxruntime")
    X = np.random.default_rng(0).normal(size=(40, 3))
    fitted = neural.MLPClassifier(5, max_iter=300, tol=0.01, random_state=0).fit(
        X, np.stack([X[:, 0] > 0, X[:, 1] > 0], 1)
    )
    mlp, params = mm.interop.sklearn.from_sklearn(fitted)
    for there in ((mlp, params), mm.interop.onnx.to_onnx(mlp, params)):
        report = verify(fitted, there)
        assert (report.ok, report.outputs.name) == (True, "probabilities"), report


def test_probabilities_that_a_model_gives_itself_are_taken_as_they_are():
    pytest.importorskip("sklearn")
    mlp = mm.MLP(6, [7], 4, activation="tanh")
    params = mlp.init(seed=0, backend="numpy", dtype="float64")
    ending = mm.MLP(6, [7], 4, activation="tanh", final_activation="softmax")
    report = verify(mm.interop.sklearn.to_sklearn(mlp, params), (ending, params))
    assert (report.ok, report.outputs.name) == (True, "probabilities"), report


def test_frozen_layers_have_gradients_too_and_what_one_alone_has_is_told():
    torch = pytest.importorskip("torch")
    mlp, params = network()
    model = torch_model(mlp, params)
    model[0].requires_grad_(False)
    report = verify((mlp, params), model)
    assert report.ok
    assert (len(report.gradients), report.left_out) == (7, ())
    assert not model[0].weight.requires_grad
    model[2].bias.data.zero_()
    model[2].bias = None
    without = (params[0], params[1]._replace(bias=np.zeros(9, np.float32)), params[2])
    report = verify((mlp, without), model)
    assert report.ok
    assert report.left_out == ("gradients in bias 1, which multimlp on numpy alone has",)
    assert "not compared: gradients in bias 1" in report.sentence()
    assert isinstance(model, torch.nn.Module)


def test_multimlp_as_a_module_and_as_an_estimator():
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    from multimlp.estimators import MLPClassifier

    mlp, params = network(activation="sine")  # which torch has not
    report = verify((mlp, params), mm.interop.torch.as_torch_module(mlp, params))
    assert report.ok, report
    assert report.b == "torch"
    X = np.random.default_rng(0).normal(size=(40, 6))
    fitted = MLPClassifier([5], max_iter=3).fit(X, np.arange(40) % 3)
    layers = tuple(mm.mlp.Dense(w, b) for w, b in zip(fitted.coefs_, fitted.intercepts_, strict=True))
    assert verify((mm.MLP(6, [5], 3), layers), fitted, X).ok


def test_the_rows_may_be_given_and_the_worst_is_told():
    mlp, params = network()
    X = np.zeros((5, 6))
    X[3, 2] = 2.0
    weight = params[0].weight.copy()
    weight[2] += 0.1
    report = verify((mlp, params), (mlp, (params[0]._replace(weight=weight), *params[1:])), X)
    assert report.rows == 5
    assert report.worst_input == tuple(X[3])


def test_nan_and_infinities_must_stand_at_the_same_places():
    mlp, params = network("float64", "relu")
    broken = (params[0], params[1]._replace(bias=np.full(9, np.nan)), params[2])
    report = verify((mlp, params), (mlp, broken))
    assert report.outputs_ulp == math.inf
    assert json.loads(report.to_json())["outputs_ulp"] is None
    assert verify((mlp, broken), (mlp, broken)).ok


def test_reports_say_the_same_in_every_form():
    mlp, params = network()
    report = verify((mlp, params), (mlp, changed(params)))
    plain = json.loads(report.to_json())
    assert plain["ok"] is False
    assert plain["first_difference"] == report.first_difference
    page = report.to_html()
    assert page.count("<tr") == 1 + len(report.layers) + 1 + len(report.gradients) + 1 + len(
        report.worst_inputs
    )
    assert page.count("class=differs>") == sum(
        row.ulp > report.tolerance for row in (*report.layers, report.outputs, *report.gradients)
    )
    assert report.sentence() in page.replace("&#x27;", "'")


@pytest.mark.parametrize(
    ("b", "error", "message"),
    [
        (lambda mlp, params: "model.onnx", InputError, "b: expected .* got str"),
        (lambda mlp, params: (mlp, params[:2]), InputError, "params"),
        (lambda mlp, params: network_of(5, 3), ShapeError, "a takes 6 inputs .*, b takes 5"),
        (lambda mlp, params: network_of(6, 4), ShapeError, "a gives outputs of shape .* b of shape"),
    ],
)
def test_what_cannot_be_compared_is_refused(b, error, message):
    mlp, params = network()
    with pytest.raises(error, match=message):
        verify((mlp, params), b(mlp, params))


def network_of(inputs, outputs):
    mlp = mm.MLP(inputs, [4], outputs)
    return mlp, mlp.init(seed=0, backend="numpy", dtype="float32")


@pytest.mark.parametrize(
    ("X", "message"), [(np.zeros((3, 4)), "X: expected shape"), (np.zeros((0, 6)), "X: expected shape")]
)
def test_rows_that_do_not_fit_are_refused(X, message):
    with pytest.raises(ShapeError, match=message):
        verify(network(), network(), X)


# ---- the command

FILES = {
    "m.onnx": "onnxruntime",
    "m.pt": "torch",
    "m.msgpack": "flax",
    "m.npz": "sklearn",
    "m.params": None,
    "m.keras": "keras",
}


@pytest.fixture
def saved(tmp_path):
    mlp, params = network(activation="tanh")
    mm.save(tmp_path / "model.safetensors", mlp, params)
    return tmp_path


@pytest.mark.parametrize("name", FILES)
def test_files_are_converted_there_and_back_with_proof(saved, name, capsys):
    if FILES[name] is not None:
        pytest.importorskip(FILES[name])
    middle, again = str(saved / name), str(saved / "again.safetensors")
    report = str(saved / "report.html")
    assert (
        main(["convert", str(saved / "model.safetensors"), middle, "--verify", "--report", report, "--json"])
        == 0
    )
    assert json.loads(capsys.readouterr().out)["ok"] is True
    weights_alone = name in ("m.pt", "m.msgpack", "m.params")
    options = ["--activation", "tanh"] if weights_alone else []
    assert main(["convert", middle, again, "--verify", *options]) == 0
    assert "compute the same" in " ".join(capsys.readouterr().out.split())
    (_, here), (_, there) = mm.load(saved / "model.safetensors"), mm.load(again)
    for one, other in zip(mm.tree.leaves(here), mm.tree.leaves(there), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_conversion_that_changes_something_exits_with_1(saved, capsys, monkeypatch):
    """The writer is made to lose a little."""
    pytest.importorskip("torch")
    from multimlp.cli import formats

    def careless(path, model):
        formats.write_torch(path, model._replace(params=changed(model.params)))

    monkeypatch.setitem(formats.WRITERS, "torch", careless)
    code = main(["convert", str(saved / "model.safetensors"), str(saved / "m.pt"), "--verify"])
    assert code == 1
    assert "First: hidden 2" in " ".join(capsys.readouterr().out.split())


def test_rows_from_a_table(saved, capsys):
    pytest.importorskip("onnxruntime")
    (saved / "rows.csv").write_text("a,b,c,d,e,f\n1,2,3,4,5,6\n0,0,0,0,0,1\n")
    arguments = ["convert", str(saved / "model.safetensors"), str(saved / "m.onnx"), "--json"]
    assert main([*arguments, "--data", str(saved / "rows.csv")]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 2
    (saved / "short.csv").write_text("a,b\n1,2\n")
    assert main([*arguments, "--data", str(saved / "short.csv")]) == 2
    assert "X: expected shape (n, 6), got (1, 2)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["{0}/m.xyz"], "--to: cannot tell the format"),
        (["{0}/m.onnx", "--activation", "tanh"], "multimlp models tell their activations themselves"),
        (["{0}/m.onnx", "--batch-norm", "before"], "--batch-norm: multimlp models say themselves"),
        (["{0}/no/m.onnx"], "TARGET: cannot write"),
        (["{0}/model.safetensors"], "is the file that is read"),
        (["{0}/rows.npz", "--data", "{0}/rows.npz"], "is the file that is read"),
        (["{0}/m.onnx", "--report", "{0}/r.txt"], "--report: expected a name that ends in .html or .json"),
        (["{0}/m.onnx", "--verify", "--tolerance", "-1"], "tolerance"),
    ],
)
def test_bad_usage_is_one_line(saved, options, message, capsys):
    code = main(["convert", str(saved / "model.safetensors"), *(option.format(saved) for option in options)])
    assert code == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
