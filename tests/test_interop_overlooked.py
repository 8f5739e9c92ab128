"""What other libraries' models say in ways that are easily overlooked: it is read as they compute it, or refused; never left out."""

from __future__ import annotations

import json

import numpy as np
import pytest

import multimlp as mm
from multimlp import tree
from multimlp.activations import configured
from multimlp.cli import main
from multimlp.errors import InputError
from multimlp.interop import verify

RNG = np.random.default_rng(0)
X = RNG.normal(size=(7, 4)).astype(np.float32)


def reads_as(read, model, says):
    """The model is refused with these words, or computes the same here."""
    if says:
        with pytest.raises(InputError, match=says):
            read(model)
    else:
        report = verify(read(model), model)
        assert report.ok, report


# ---- torch


def torch_cases():
    torch = pytest.importorskip("torch")
    nn, functional = torch.nn, torch.nn.functional
    torch.manual_seed(0)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last, self.act = nn.Linear(4, 6), nn.Linear(6, 6), nn.ReLU(inplace=True)

    def module(forward, base=Net):
        return type("Own", (base,), {"forward": forward})()

    def discarded(self, x):
        h = self.first(x)
        functional.relu(h, inplace=True)
        return self.last(h)

    def underscore(self, x):
        h = self.first(x)
        h.tanh_()
        return self.last(h)

    def seen_before_and_after(self, x):
        h = self.first(x)
        return h + self.act(h)

    def through_a_view(self, x):
        h = self.first(x)
        functional.relu_(h.view(-1, 6))
        return self.last(h)

    def in_turn(self, x):
        h = self.act(self.first(x))
        return functional.elu(self.last(h) + h, 0.5, True)

    def rows_of_half_the_width(self, x):
        return self.first(x).view(-1, 3)

    def half_as_many_rows(self, x):
        return self.first(x).view(x.size(0) * 2, -1)

    def one_row(self, x):
        return self.first(x).view(1, -1)

    def rows(self, x):
        h = torch.relu(self.first(x.view(x.size(0), -1))).reshape(-1, 6)
        return self.last(h.view(h.shape[0], -1)).view(x.shape[0], 6)

    def by_keywords(self, x):
        h = functional.linear(input=x, weight=self.first.weight, bias=self.first.bias)
        return self.last(input=functional.leaky_relu(input=h, negative_slope=0.3))

    class Half(nn.Linear):
        def forward(self, x):
            return super().forward(x) * 0.5

    class Noisy(nn.Linear):
        def forward(self, x):
            return torch.cumsum(super().forward(x), -1)

    stale = nn.Sequential(nn.utils.weight_norm(nn.Linear(4, 3)), nn.Tanh(), nn.Linear(3, 2))
    with torch.no_grad():
        stale[0].weight_g.mul_(3.0)  # as load_state_dict does
    plain = nn.RMSNorm(6, elementwise_affine=False)
    return mm.interop.torch.from_torch, {
        "softplus of a low threshold": (
            nn.Sequential(nn.Linear(4, 6), nn.Softplus(threshold=2.0)),
            "threshold must be 20 or more",
        ),
        "softplus as usual": (nn.Sequential(nn.Linear(4, 6), nn.Softplus()), ""),
        "an in-place activation whose result is discarded": (module(discarded), "changes 'first' in place, which"),
        "a method with an underscore": (module(underscore), "tanh_ 'tanh_' changes 'first' in place"),
        "seen before and after": (module(seen_before_and_after), "ReLU 'act' changes 'first' in place"),
        "through a view": (module(through_a_view), "relu_ 'relu_' changes 'first' in place"),
        "in place, one after the other": (module(in_turn), ""),
        "rows of half the width": (module(rows_of_half_the_width), "view 'view'"),
        "half as many rows": (module(half_as_many_rows), "view 'view'"),
        "one row": (module(one_row), "view 'view'"),
        "rows": (module(rows), ""),
        "arguments by keywords": (module(by_keywords), ""),
        "a layer made of Linear": (nn.Sequential(Half(4, 6), nn.Tanh(), nn.Linear(6, 2)), ""),
        "one that computes something else": (nn.Sequential(Noisy(4, 6)), "cumsum"),
        "weight_norm whose numbers have changed": (stale, ""),
        "an epsilon of the dtype": (nn.Sequential(nn.Linear(4, 6), plain, nn.Linear(6, 2)).double(), ""),
    }  # fmt: skip


TORCH = (
    "softplus of a low threshold", "softplus as usual", "an in-place activation whose result is discarded",
    "a method with an underscore", "seen before and after", "through a view", "in place, one after the other", "rows of half the width",
    "half as many rows", "one row", "rows", "arguments by keywords", "a layer made of Linear", "one that computes something else",
    "weight_norm whose numbers have changed", "an epsilon of the dtype",
)  # fmt: skip


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("case", TORCH)
def test_torch(case):
    read, cases = torch_cases()
    assert {*cases} == {*TORCH}
    model, says = cases[case]
    reads_as(read, model, says)


def test_what_comes_before_an_activation_in_place_is_seen_as_it_was():
    torch = pytest.importorskip("torch")
    nn = torch.nn
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(inplace=True), nn.Linear(6, 2))
    report = verify(mm.interop.torch.from_torch(model), model)
    assert (report.ok, report.left_out) == (True, ())
    assert all(row.ulp <= report.tolerance for row in report.layers)
    assert len(report.layers) == 4


def test_the_epsilon_of_a_torch_norm_without_weights_is_that_of_the_model():
    torch = pytest.importorskip("torch")
    nn = torch.nn
    model = nn.Sequential(nn.Linear(4, 6), nn.RMSNorm(6, elementwise_affine=False), nn.Linear(6, 2))
    for dtype in (torch.float32, torch.float64):
        found, _ = mm.interop.torch.from_torch(model.to(dtype))
        assert found.blocks[1].epsilon == torch.finfo(dtype).eps


# ---- Keras


def keras_cases():
    keras = pytest.importorskip("keras")
    layers, ops = keras.layers, keras.ops
    keras.utils.set_random_seed(0)

    def model(*parts, shape=(4,)):
        return keras.Sequential([keras.Input(shape), *parts])

    def relu(x):
        return ops.relu(x) + 1

    def other_gelu(x):
        return ops.gelu(x, approximate=True)

    other_gelu.__name__ = "gelu"

    def same_relu(x):
        return ops.maximum(x, 0)

    same_relu.__name__ = "relu"

    class Dense(layers.Dense):
        def call(self, inputs, training=None):
            return super().call(inputs) * 2

    class Doubled(keras.Sequential):
        def call(self, inputs, training=None, mask=None):
            return super().call(inputs) * 2

    class DoubledModel(keras.Model):
        def call(self, inputs, training=None, mask=None):
            return super().call(inputs) * 2

    class Add(layers.Layer):
        def call(self, values):
            return values[0] - values[1]

    inputs = keras.Input((4,))
    hidden = layers.Dense(4)(inputs)
    twice = DoubledModel(inputs, layers.Dense(2)(inputs))
    scaled = layers.LayerNormalization(axis=1)
    whole_rows = layers.Dropout(0.5, noise_shape=(None, 1))
    return mm.interop.keras.from_keras, {
        "another function of that name": (model(layers.Dense(3, relu)), "Keras's 'relu' in Dense"),
        "another gelu": (model(layers.Dense(3, other_gelu)), "Keras's 'gelu' in Dense"),
        "the same function": (model(layers.Dense(3, same_relu), layers.Dense(2)), ""),
        "a class of that name": (model(Dense(3)), "cannot convert the layer Dense 'dense"),
        "a sum of that name": (keras.Model(inputs, Add()([inputs, hidden])), "cannot convert the layer Add 'add"),
        "a Sequential of its own": (Doubled([keras.Input((4,)), layers.Dense(3)]), "forward pass cannot be seen"),
        "a Model of its own": (twice, "forward pass cannot be seen"),
        "dropout of whole rows": (model(layers.Dense(3), whole_rows, layers.Dense(2)), "drops numbers together"),
        "a norm of the axis before": (model(layers.Dense(3), scaled, shape=(2, 4)), "must work along the last axis, not"),
        "a norm of axis 1 of rows": (model(layers.Dense(3), layers.LayerNormalization(axis=1)), ""),
        "flattened behind a layer": (model(layers.Dense(3), layers.Flatten(name="flat"), shape=(2, 4)), "Flatten 'flat' behind a layer"),
    }  # fmt: skip


KERAS = (
    "another function of that name", "another gelu", "the same function", "a class of that name", "a sum of that name",
    "a Sequential of its own", "a Model of its own", "dropout of whole rows", "a norm of the axis before",
    "a norm of axis 1 of rows", "flattened behind a layer",
)  # fmt: skip


@pytest.mark.parametrize("case", KERAS)
def test_keras(case):
    read, cases = keras_cases()
    assert {*cases} == {*KERAS}
    model, says = cases[case]
    reads_as(read, model, says)


# ---- Flax and Equinox


def jax_cases():
    pytest.importorskip("flax")
    import jax
    from flax import linen, nnx

    def read(model):
        if isinstance(model, tuple):
            return mm.interop.flax.from_flax(*model)
        if isinstance(model, nnx.Module):
            return mm.interop.flax.from_nnx(model)
        return mm.interop.equinox.from_equinox(model)

    def of_linen(*parts, kind=linen.Sequential):
        module = kind([linen.Dense(4), *parts])
        return module, module.init(jax.random.key(0), X)

    class LinenDense(linen.Dense):
        @linen.compact
        def __call__(self, inputs):
            return super().__call__(inputs) * 2

    class LinenTwice(linen.Sequential):
        def __call__(self, x):
            return super().__call__(x) * 2

    class NnxLinear(nnx.Linear):
        def __call__(self, inputs):
            return super().__call__(inputs) * 2

    rngs = nnx.Rngs(0)
    normed = nnx.Sequential(nnx.Linear(4, 2, rngs=rngs), nnx.LayerNorm(2, reduction_axes=0, rngs=rngs))
    many = linen.vmap(
        linen.Dense, variable_axes={"params": 0}, split_rngs={"params": True}, axis_size=3, in_axes=None
    )
    cases = {
        "linen: a Dense of its own": (of_linen(LinenDense(2)), "cannot convert the layer LinenDense"),
        "linen: a Sequential of its own": (of_linen(kind=LinenTwice), "got LinenTwice, whose forward pass"),
        "linen: a vmapped Dense": (of_linen(many(2)), "cannot convert the layer VmapDense"),
        "linen: a norm of rows": (of_linen(linen.LayerNorm(reduction_axes=0)), "LayerNorm 'layers_1' with reduction_axes=0"),
        "linen: an RMS norm of all": (of_linen(linen.RMSNorm(reduction_axes=(0, 1))), "RMSNorm 'layers_1' with reduction_axes="),
        "linen: dropout of whole rows": (of_linen(linen.Dropout(0.5, broadcast_dims=(1,), deterministic=True)), "broadcast_dims=.1,."),
        "nnx: a Linear of its own": (nnx.Sequential(NnxLinear(4, 2, rngs=rngs)), "cannot convert the layer NnxLinear"),
        "nnx: a norm of rows": (normed, "LayerNorm 1 with reduction_axes=0"),
    }  # fmt: skip
    return read, cases


JAX = (
    "linen: a Dense of its own", "linen: a Sequential of its own", "linen: a vmapped Dense", "linen: a norm of rows",
    "linen: an RMS norm of all", "linen: dropout of whole rows", "nnx: a Linear of its own", "nnx: a norm of rows",
)  # fmt: skip


@pytest.mark.parametrize("case", JAX)
def test_flax(case):
    read, cases = jax_cases()
    assert {*cases} == {*JAX}
    model, says = cases[case]
    reads_as(read, model, says)


def test_equinox_modules_of_ones_own():
    eqx = pytest.importorskip("equinox")
    import jax

    class Twice(eqx.nn.Linear):
        def __call__(self, x, *, key=None):
            return 2 * super().__call__(x)

    twice = Twice(4, 2, key=jax.random.key(0))
    with pytest.raises(InputError, match="cannot convert the layer Twice 0"):
        mm.interop.equinox.from_equinox(eqx.nn.Sequential([twice]))


# ---- ONNX


def graph(nodes, constants=(), out=(None, 3), rows="N"):
    onnx = pytest.importorskip("onnx")
    make, value = onnx.helper.make_node, onnx.helper.make_tensor_value_info
    weights = {"W": RNG.normal(size=(4, 3)).astype(np.float32), "b": np.ones(3, np.float32)} | dict(constants)
    made = onnx.helper.make_graph(
        [make(kind, inputs, outputs, **attributes) for kind, inputs, outputs, attributes in nodes],
        "g",
        [value("X", 1, [rows, 4])],
        [value("Y", 1, list(out))],
        [onnx.numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    return onnx.helper.make_model(made, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)


def column(*numbers):
    return np.asarray(numbers, np.float32)[:, None]


def whole(*numbers):
    return np.asarray(numbers, np.int64)


LINEAR = ("Gemm", ["X", "W", "b"], ["h"], {})
SIZES = [
    ("Shape", ["h"], ["s"], {}),
    ("Gather", ["s", "zero"], ["n"], {"axis": 0}),
    ("Mul", ["n", "two"], ["m"], {}),
    ("Concat", ["n", "rest"], ["t"], {"axis": 0}),
    ("Concat", ["m", "rest"], ["u"], {"axis": 0}),
]
NUMBERS = {"zero": whole(0), "two": whole(2), "rest": whole(-1)}
ONNX = {
    "a bias of the rows": (
        [("Gemm", ["X", "W", "c"], ["Y"], {})], {"c": column(1, 2, 3)}, "with a bias of shape .3, 1."
    ),
    "one number for a bias": ([("Gemm", ["X", "W", "c"], ["Y"], {})], {"c": np.float32([[2.5]])}, ""),
    "slopes of the rows": (
        [LINEAR, ("PRelu", ["h", "c"], ["Y"], {})], {"c": column(1, 2, 3)}, "with slopes of shape .3, 1."
    ),
    "rows of a third": ([LINEAR, ("Reshape", ["h", "t"], ["Y"], {})], {"t": whole(-1, 1)}, "Reshape 'Y' to something else"),
    "rows as wide as they are": ([LINEAR, ("Reshape", ["h", "t"], ["Y"], {})], {"t": whole(-1, 3)}, ""),
    "another number of rows": ([LINEAR, ("Reshape", ["h", "t"], ["Y"], {})], {"t": whole(5, -1)}, "Reshape 'Y' to something else"),
    "as many rows as there are": ([LINEAR, *SIZES[:2], SIZES[3], ("Reshape", ["h", "t"], ["Y"], {})], NUMBERS, ""),
    "twice as many": ([LINEAR, *SIZES[:3], SIZES[4], ("Reshape", ["h", "u"], ["Y"], {})], NUMBERS, "Reshape 'Y' to something else"),
    "dropout that is on": (
        [LINEAR, ("Dropout", ["h", "rate", "on"], ["Y"], {})], {"rate": np.float32(0.5), "on": np.asarray(True)}, "in training mode"
    ),
    "dropout that is off": (
        [LINEAR, ("Dropout", ["h", "rate", "on"], ["Y"], {})], {"rate": np.float32(0.5), "on": np.asarray(False)}, ""
    ),
    "the error function in a sum": (
        [("Erf", ["X"], ["e"], {}), ("Add", ["X", "e"], ["s"], {}), ("Gemm", ["s", "W", "b"], ["Y"], {})], {}, "Erf 'e' stands inside"
    ),
    "a mean of the rows in a sum": (
        [("ReduceMean", ["X"], ["m"], {"axes": [0], "keepdims": 0}), ("Add", ["X", "m"], ["s"], {}), ("Gemm", ["s", "W", "b"], ["Y"], {})],
        {},
        "ReduceMean 'm' stands inside of a residual addition",
    ),
    "a mean of the rows": (
        [LINEAR, ("ReduceMean", ["h"], ["Y"], {"axes": [0], "keepdims": 0})], {}, "of the members of an ensemble, at ReduceMean 'Y'"
    ),
    "a bias of zeros": ([("MatMul", ["X", "W"], ["h"], {}), ("Add", ["h", "c"], ["Y"], {})], {"c": np.zeros(3, np.float32)}, ""),
}  # fmt: skip


@pytest.mark.parametrize("case", ONNX)
def test_onnx(case):
    pytest.importorskip("onnxruntime")
    nodes, constants, says = ONNX[case]
    model = graph(nodes, constants)
    reads_as(mm.interop.onnx.from_onnx, model, says)
    if case == "a bias of zeros":
        assert mm.interop.onnx.from_onnx(model)[0].use_bias


def test_an_opset_whose_arithmetic_is_another_is_refused():
    model = graph([("Add", ["X", "b"], ["Y"], {"broadcast": 1, "axis": 1})])
    model.opset_import[0].version = 6
    with pytest.raises(InputError, match="it is of opset 6, and read are graphs from opset 7 on"):
        mm.interop.onnx.from_onnx(model)


def test_a_graph_of_so_many_rows_may_say_so():
    pytest.importorskip("onnxruntime")
    nodes = [LINEAR, ("Reshape", ["h", "t"], ["Y"], {})]
    mlp, _ = mm.interop.onnx.from_onnx(graph(nodes, {"t": whole(1, -1)}, rows=1))
    assert mlp == mm.MLP(4, (), 3)


# ---- activations of another axis than the last


@pytest.mark.parametrize("library", ["flax", "nnx", "equinox", "onnx", "keras", "sklearn"])
def test_a_softmax_of_the_rows_is_not_written_as_one_of_the_features(library):
    pytest.importorskip("flax" if library == "nnx" else library)
    mlp = mm.MLP(4, (), 3, final_activation=configured("softmax", axis=0))
    params = mlp.init(seed=0, backend="numpy")
    module = getattr(mm.interop, "flax" if library == "nnx" else library)
    options = ("regression",) if library == "sklearn" else ()
    with pytest.raises(InputError, match="axis"):
        getattr(module, f"to_{library}")(mlp, params, *options)


def test_torch_has_other_axes():
    torch = pytest.importorskip("torch")
    mlp = mm.MLP(4, (), 3, final_activation=configured("softmax", axis=0))
    params = mlp.init(seed=0, backend="numpy")
    outputs = mm.interop.torch.to_torch(mlp, params)(torch.tensor(X)).detach().numpy()
    np.testing.assert_allclose(outputs.sum(axis=0), 1, rtol=1e-6)


# ---- optimisers


def test_what_is_frozen_in_a_group_of_torch_stays_so():
    torch = pytest.importorskip("torch")
    from multimlp.interop.torch import from_optimizer, from_torch

    torch.manual_seed(0)
    nn = torch.nn
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 2)).double()
    model[0].weight.requires_grad_(False)
    theirs = torch.optim.Adam(model.parameters(), lr=0.1)
    inputs = torch.tensor(X, dtype=torch.float64)

    def step():
        theirs.zero_grad()
        (model(inputs) ** 2).sum().backward()
        theirs.step()

    for _ in range(3):
        step()
    mlp, params = from_torch(model, "numpy")
    ours, state = from_optimizer(theirs, model, "numpy")
    rows = X.astype(np.float64)
    gradient = mm.grad(lambda p: mm.xp.sum(mlp(p, rows) ** 2))
    for _ in range(2):
        params, state = ours.update(gradient(params), state, params)
        step()
    for one, other in zip(tree.leaves(params), tree.leaves(from_torch(model, "numpy")[1]), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_a_parameter_that_never_had_a_gradient_has_made_no_step():
    torch = pytest.importorskip("torch")
    from multimlp.interop.torch import from_optimizer

    model = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.Tanh(), torch.nn.Linear(5, 2))
    theirs = torch.optim.Adam(model.parameters())
    model(torch.tensor(X)).sum().backward()
    model[0].bias.grad = None
    theirs.step()
    with pytest.raises(InputError, match=r"different numbers of steps, \[0, 1\]"):
        from_optimizer(theirs, model)


# ---- scikit-learn


def test_the_last_activation_of_a_regressor_is_read():
    pytest.importorskip("sklearn")
    from multimlp.interop.sklearn import from_sklearn, to_sklearn

    mlp = mm.MLP(4, 5, 2, final_activation="sigmoid")
    fitted = to_sklearn(mlp, mlp.init(seed=0, backend="numpy", dtype="float64"), "regression")
    back, params = from_sklearn(fitted)
    assert back == mlp
    np.testing.assert_allclose(mm.predict(back, params, X.astype(np.float64)), fitted.predict(X), rtol=1e-12)
    fitted.out_activation_ = "tanh"
    with pytest.raises(InputError, match="no equivalent of scikit-learn's 'tanh'"):
        from_sklearn(fitted)


def test_task_and_classes_go_along_on_the_command_line(tmp_path, capsys):
    pytest.importorskip("sklearn")
    pytest.importorskip("onnx")
    from multimlp.interop.sklearn import read_npz, to_sklearn, write_npz

    mlp = mm.MLP(4, 5, 3)
    params = mlp.init(seed=0, backend="numpy")
    write_npz(tmp_path / "c.npz", to_sklearn(mlp, params, classes=["ape", "bee", "cat"]))
    write_npz(tmp_path / "r.npz", to_sklearn(mlp, params, "regression"))

    def convert(source, target, *options):
        return main(["convert", str(tmp_path / source), str(tmp_path / target), *options])

    for name in "cr":
        assert convert(f"{name}.npz", f"{name}2.npz", "--verify") == 0
        assert convert(f"{name}.npz", f"{name}.safetensors", "--verify") == 0
        assert convert(f"{name}.safetensors", f"{name}2.safetensors") == 0
        assert (
            main(["import", str(tmp_path / f"{name}.npz"), "-o", str(tmp_path / f"{name}3.safetensors")]) == 0
        )
        for source in (f"{name}.safetensors", f"{name}2.safetensors", f"{name}3.safetensors"):
            assert convert(source, f"{name}4.npz") == 0
            found = read_npz(tmp_path / f"{name}4.npz")
            kind, labels = type(found).__name__, getattr(found, "classes_", None)
            assert kind == ("MLPClassifier" if name == "c" else "MLPRegressor")
            assert name == "r" or labels.tolist() == ["ape", "bee", "cat"]
    assert convert("r.npz", "r.onnx") == 0
    capsys.readouterr()
    assert convert("r.onnx", "t.npz") == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "onnx models do not tell what they are for: classification is taken" in said
    assert convert("r.onnx", "u.npz", "--task", "regression", "--verify") == 0
    assert type(read_npz(tmp_path / "u.npz")).__name__ == "MLPRegressor"
    assert convert("r.npz", "v.onnx", "--task", "regression") == 2
    assert "--task: onnx models have none" in " ".join(capsys.readouterr().err.split())


def test_what_goes_with_a_model_of_ours_stays_with_it(tmp_path, capsys):
    pytest.importorskip("safetensors")
    mlp = mm.MLP(4, 5, 3)
    mm.save(tmp_path / "a.safetensors", mlp, mlp.init(seed=0), extra={"features": ["a", "b"]})
    command = ["convert", str(tmp_path / "a.safetensors"), str(tmp_path / "b.safetensors")]
    assert main([*command, "--dtype", "float64", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["to"] == "multimlp"
    assert mm.files.load_extra(tmp_path / "b.safetensors") == {"features": ["a", "b"]}


# ---- memory


def copies():
    """Of each library a model of the same network, as arguments of its reader."""
    mlp = mm.MLP(4, [5, 5], 3, activation="tanh")
    params = mlp.init(seed=0, backend="numpy", dtype="float64")
    interop = mm.interop
    return params, {
        "torch": lambda: interop.torch.from_torch(interop.torch.to_torch(mlp, params), "numpy"),
        "keras": lambda: interop.keras.from_keras(interop.keras.to_keras(mlp, params), "numpy"),
        "flax": lambda: interop.flax.from_flax(*interop.flax.to_flax(mlp, params), "numpy"),
        "nnx": lambda: interop.flax.from_nnx(interop.flax.to_nnx(mlp, params), "numpy"),
        "equinox": lambda: interop.equinox.from_equinox(interop.equinox.to_equinox(mlp, params), "numpy"),
        "onnx": lambda: interop.onnx.from_onnx(interop.onnx.to_onnx(mlp, params), "numpy"),
        "sklearn": lambda: interop.sklearn.from_sklearn(interop.sklearn.to_sklearn(mlp, params), "numpy"),
    }


@pytest.mark.filterwarnings("error:Explicitly requested dtype float64")
@pytest.mark.parametrize("library", ["torch", "keras", "flax", "nnx", "equinox", "onnx", "sklearn"])
def test_parameters_are_arrays_of_their_own(library):
    pytest.importorskip("flax" if library == "nnx" else library)
    params, readers = copies()
    for one, other in zip(tree.leaves(params), tree.leaves(readers[library]()[1]), strict=True):
        np.testing.assert_array_equal(one, other)
        assert other.flags.c_contiguous
        other += 1  # what a library has given away cannot be written to


@pytest.mark.parametrize("backend", ["numpy", "jax", "torch"])
def test_training_a_torch_model_further_leaves_what_was_read_as_it_is(backend):
    torch = pytest.importorskip("torch")
    pytest.importorskip(backend)
    model = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.Tanh(), torch.nn.Linear(64, 64))
    _, params = mm.interop.torch.from_torch(model, backend)
    before = [np.array(mm.convert(leaf, "numpy")) for leaf in tree.leaves(params)]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1.0)
    for one, other in zip(before, tree.leaves(params), strict=True):
        np.testing.assert_array_equal(one, mm.convert(other, "numpy"))


# ---- a bias that only some of the layers have


def with_one_bias(library, path):
    """Weights of two layers, the second of which has no bias, written by the library itself."""
    if library == "torch":
        torch = pytest.importorskip("torch")
        parts = torch.nn.Linear(4, 5), torch.nn.Tanh(), torch.nn.Linear(5, 3, bias=False)
        torch.save(torch.nn.Sequential(*parts).state_dict(), path)
    elif library == "safetensors":
        torch, save = pytest.importorskip("torch"), pytest.importorskip("safetensors.torch").save_file
        parts = torch.nn.Linear(4, 5), torch.nn.Tanh(), torch.nn.Linear(5, 3, bias=False)
        save(torch.nn.Sequential(*parts).state_dict(), path)
    elif library == "flax":
        linen = pytest.importorskip("flax.linen")
        import jax

        module = linen.Sequential([linen.Dense(5), linen.tanh, linen.Dense(3, use_bias=False)])
        mm.interop.flax.write_variables(path, module.init(jax.random.key(0), X))
    elif library == "nnx":
        nnx = pytest.importorskip("flax.nnx")
        rngs = nnx.Rngs(0)
        last = nnx.Linear(5, 3, use_bias=False, rngs=rngs)
        mm.interop.flax.write_variables(path, nnx.Sequential(nnx.Linear(4, 5, rngs=rngs), nnx.tanh, last))
    else:
        eqx = pytest.importorskip("equinox")
        import jax

        key = jax.random.key(0)
        model = eqx.nn.MLP(4, 3, 5, 1, use_final_bias=False, activation=jax.numpy.tanh, key=key)
        eqx.tree_serialise_leaves(path, model)


@pytest.mark.parametrize("library", ["torch", "safetensors", "flax", "nnx", "equinox"])
def test_a_missing_bias_beside_others_is_zeros_and_verified(library, tmp_path, capsys):
    ending = {"torch": ".pt", "safetensors": ".safetensors", "equinox": ".eqx"}.get(library, ".msgpack")
    with_one_bias(library, tmp_path / f"a{ending}")
    source = ["--from", "nnx"] if library == "nnx" else []
    command = [
        "convert",
        str(tmp_path / f"a{ending}"),
        str(tmp_path / "b.params"),
        *source,
        "--activation",
        "tanh",
    ]
    assert main([*command, "--verify"]) == 0
    _, params = mm.interop.gluon.from_gluon(tmp_path / "b.params", "tanh")
    assert params[0].bias.shape == (5,)
    assert not params[1].bias.any()
