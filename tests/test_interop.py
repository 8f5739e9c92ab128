"""Conversions to and from other libraries: outputs and gradients against the real library, parameters equal
to the bit."""

from __future__ import annotations

import struct
import subprocess
import sys

import numpy as np
import pytest

import multimlp as mm
from multimlp import activations, tree
from multimlp.activations import configured, learnable
from multimlp.errors import DTypeError, FileFormatError, InputError, ShapeError

X = np.random.default_rng(0).normal(size=(11, 5)) * 2
OPTIONS = {
    "leaky_relu": {"negative_slope": 0.25},
    "elu": {"alpha": 0.75},
    "celu": {"alpha": 0.5},
    "gelu": {"approximate": "tanh"},
    "hardshrink": {"lambd": 0.75},
    "softshrink": {"lambd": 0.25},
    "squareplus": {"b": 2.0},
    "threshold": {"threshold": 0.5, "value": -1.0},
}


def model(activation, dtype="float64", final=None, hidden=(6, 4), **options):
    options = {"activation": activation, "final_activation": final, **options}
    drawn = mm.MLP(5, hidden, 3, bias_init="normal", **options)
    return mm.MLP(5, hidden, 3, **options), drawn.init(seed=3, backend="numpy", dtype=dtype)


def gradient(mlp, params):
    """Of the sum of squared outputs in the inputs and the first weight, by the tape on NumPy."""

    def value(inputs, weight):
        first = params[0]._replace(weight=weight)
        outputs = mlp((first, *params[1:]), inputs)
        return mm.array_namespace(outputs).sum(outputs * outputs)

    return mm.grad(value, argnums=(0, 1))(X.astype(params[0].weight.dtype), params[0].weight)


def same_bits(a, b):
    leaves, others = tree.leaves(a), tree.leaves(b)
    assert len(leaves) == len(others)
    for one, other in zip(leaves, others, strict=True):
        one, other = mm.convert(one, "numpy"), mm.convert(other, "numpy")
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


def variants(names):
    """Each activation with its default options, and with others where it has them."""
    for name in names:
        yield pytest.param(name, id=name)
        if name in OPTIONS:
            yield pytest.param(configured(name, **OPTIONS[name]), id=f"{name}-options")


# ---- torch ----------------------------------------

torch = pytest.importorskip("torch")
from multimlp.interop import torch as torch_interop  # noqa: E402

TORCH_ACTIVATIONS = sorted(set(torch_interop.supported_activations()) - {"prelu", "swish"})
LEARNED = [
    pytest.param(learnable("prelu"), id="prelu"),
    pytest.param(learnable("prelu", per_unit=True), id="prelu-per-unit"),
]


@pytest.mark.parametrize("activation", [*variants(TORCH_ACTIVATIONS), *LEARNED])
def test_torch_sequential_computes_the_same_and_comes_back(activation):
    mlp, params = model(activation, dropout=0.25)
    there = torch_interop.to_torch(mlp, params).eval()
    inputs = torch.tensor(X, requires_grad=True)
    outputs = there(inputs)
    np.testing.assert_allclose(outputs.detach().numpy(), mlp(params, X), rtol=1e-12, atol=1e-12)
    (outputs * outputs).sum().backward()
    by_inputs, by_weight = gradient(mlp, params)
    tolerance = (
        1e-6 if activation == "hard_sigmoid" else 1e-9
    )  # torch's derivative of it is 1/6 in single precision
    np.testing.assert_allclose(inputs.grad.numpy(), by_inputs, rtol=tolerance, atol=1e-10)
    np.testing.assert_allclose(there[0].weight.grad.numpy().T, by_weight, rtol=tolerance, atol=1e-8)
    back, back_params = torch_interop.from_torch(there)
    assert back == mlp
    same_bits(params, back_params)
    np.testing.assert_allclose(
        mm.predict(back, back_params, X).detach().numpy(), mlp(params, X), rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
def test_torch_keeps_the_dtype(dtype, tmp_path):
    mlp = mm.MLP(5, 4, 3)
    params = mlp.init(seed=0, backend="torch", dtype=dtype)
    there = torch_interop.to_torch(mlp, params)
    assert there[0].weight.dtype is getattr(torch, dtype)
    found = [torch_interop.from_torch(there)[1]]
    if dtype == "bfloat16":
        with pytest.raises(
            DTypeError, match=r"bfloat16.*; say which one the torch model shall have: dtype='float32'"
        ):
            torch_interop.from_torch(there, "numpy")
    for name in ("state.pt", "state.safetensors"):
        torch_interop.write_state(tmp_path / name, there.state_dict())
        found.append(torch_interop.from_state_dict(torch_interop.read_state(tmp_path / name))[1])
    for back in found:
        for one, other in zip(tree.leaves(params), tree.leaves(back), strict=True):
            assert one.dtype == other.dtype
            assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: torch.nn.Sequential(torch.nn.Conv2d(1, 1, 3)), "Conv2d"),
        (lambda: torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(4, 1)), "4 inputs, but 3"),
        (lambda: torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Hardtanh(-2, 2)), "min_val"),
        (lambda: torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Softmax(dim=0)), "last axis"),
        (lambda: torch.nn.Sequential(torch.nn.ReLU()), "no fully connected"),
        (lambda: torch.nn.Sequential(), "no fully connected"),
    ],
)
def test_torch_says_what_it_cannot_convert(build, says):
    with pytest.raises(InputError, match=says):
        torch_interop.from_torch(build())


@pytest.mark.parametrize("activation", ["sine", "gaussian", "squareplus"])
def test_torch_names_the_activation_it_lacks(activation):
    with pytest.raises(InputError, match=f"{activation}.*supported: celu"):
        torch_interop.to_torch(*model(activation))


def test_torch_state_dict_both_ways():
    mlp, params = model("tanh", final="softmax")
    state = torch_interop.to_state_dict(mlp, params)
    assert list(state) == [f"{i}.{part}" for i in (0, 2, 4) for part in ("weight", "bias")]
    back, back_params = torch_interop.from_state_dict(state, activation="tanh", final_activation="softmax")
    assert [r.name for r in back.layer_activations] == ["tanh", "tanh", "softmax"]
    same_bits(params, back_params)
    with pytest.raises(InputError, match="conv"):
        torch_interop.from_state_dict({**state, "conv.scale": torch.ones(1)})


def test_a_state_dict_that_does_not_fit_together():
    state = torch_interop.to_state_dict(*model("tanh"))
    with pytest.raises(
        ShapeError, match=r"state_dict does not fit together: params\[1\]\.bias has shape \(1,\)"
    ):
        torch_interop.from_state_dict({**state, "2.bias": torch.ones(1, dtype=state["2.bias"].dtype)})


def test_foreign_parameters_make_no_module():
    mlp = mm.MLP(5, 4, 3)
    for params in (mlp.init(seed=0)[:1], mm.MLP(5, 4, 2).init(seed=0), 3):
        with pytest.raises(InputError, match="params"):
            torch_interop.as_torch_module(mlp, params)
        with pytest.raises(InputError, match="params"):
            torch_interop.to_torch(mlp, params)


def test_as_torch_module_trains_with_torch():
    mlp = mm.MLP(5, 16, 1, activation=learnable("prelu"), dropout=0.1)
    module = mm.interop.torch.as_torch_module(mlp, mlp.init(seed=0, dtype="float64"))
    names = [
        "layers.0.weight",
        "layers.0.bias",
        "layers.0.activation.alpha",
        "layers.1.weight",
        "layers.1.bias",
    ]
    assert sorted(module.state_dict()) == sorted(names)
    data = torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(X[:, :1] ** 2))
    loader = torch.utils.data.DataLoader(
        data, batch_size=4, shuffle=True, generator=torch.Generator().manual_seed(0)
    )
    optimizer = torch.optim.Adam(module.parameters(), lr=0.02)

    def loss_of(outputs, y):
        return torch.nn.functional.mse_loss(outputs, y)

    before = float(loss_of(module.eval()(torch.tensor(X)), torch.tensor(X[:, :1] ** 2)))
    module.train()
    for _ in range(60):
        for inputs, targets in loader:
            optimizer.zero_grad()
            loss_of(module(inputs), targets).backward()
            optimizer.step()
    module.eval()
    after = float(loss_of(module(torch.tensor(X)), torch.tensor(X[:, :1] ** 2)))
    assert after < before / 10
    np.testing.assert_array_equal(
        module(torch.tensor(X)).detach(), mlp(module.params, torch.tensor(X)).detach()
    )
    again = mm.interop.torch.as_torch_module(mlp, mlp.init(seed=1, dtype="float64")).eval()
    again.load_state_dict(module.state_dict())
    assert torch.equal(again(torch.tensor(X)), module(torch.tensor(X)))
    back, params = torch_interop.from_torch(module)
    assert back == mlp
    same_bits(params, tree.map(lambda p: p.detach(), module.params))


def test_torch_module_drops_in_training_mode_only_and_by_torchs_seed():
    mlp = mm.MLP(5, 64, 3, dropout=0.5)
    module = torch_interop.as_torch_module(mlp, mlp.init(seed=0, dtype="float64"))
    inputs = torch.tensor(X)
    torch.manual_seed(5)
    first = module(inputs)
    torch.manual_seed(5)
    assert torch.equal(first, module(inputs))
    assert not torch.equal(first, module(inputs))
    assert torch.equal(module.eval()(inputs), module(inputs))


# ---- scikit-learn ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["identity", "sigmoid", "tanh", "relu"])
@pytest.mark.parametrize("task", ["classification", "regression", "binary"])
def test_sklearn_both_ways(activation, task):
    from multimlp.interop import sklearn as interop

    outputs = 1 if task == "binary" else 3
    mlp = mm.MLP(5, (6, 4), outputs, activation=activation)
    params = mm.MLP(5, (6, 4), outputs, activation=activation, bias_init="normal").init(
        seed=1, dtype="float64"
    )
    kind = "regression" if task == "regression" else "classification"
    fitted = interop.to_sklearn(mlp, params, kind)
    outputs = mlp(params, X)
    if task == "regression":
        np.testing.assert_allclose(fitted.predict(X), outputs, rtol=1e-12)
    elif task == "binary":
        np.testing.assert_allclose(
            fitted.predict_proba(X)[:, 1], activations.sigmoid(outputs)[:, 0], rtol=1e-12
        )
    else:
        np.testing.assert_allclose(fitted.predict_proba(X), activations.softmax(outputs), rtol=1e-12)
        np.testing.assert_array_equal(fitted.predict(X), outputs.argmax(1))
    back, back_params = interop.from_sklearn(fitted)
    assert back == mlp
    same_bits(params, back_params)


def test_sklearn_trained_there_predicts_here():
    from sklearn.datasets import load_iris
    from sklearn.neural_network import MLPClassifier

    from multimlp.interop import sklearn as interop

    inputs, labels = load_iris(return_X_y=True)
    fitted = MLPClassifier((8,), random_state=0, max_iter=60, solver="lbfgs").fit(inputs, labels)
    mlp, params = interop.from_sklearn(fitted)
    np.testing.assert_allclose(
        activations.softmax(mlp(params, inputs)), fitted.predict_proba(inputs), rtol=1e-10
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((*model("gelu"),), "gelu"),
        ((*model(["tanh", "relu"]),), "several"),
        ((*model("relu"), "ranking"), "task"),
        ((*model("relu"), "classification", ["b", "a", "c"]), "ascending"),
        ((*model("relu", final="tanh"), "regression"), "tanh"),
    ],
)
def test_sklearn_says_what_it_cannot_convert(arguments, says):
    from multimlp.interop import sklearn as interop

    with pytest.raises(InputError, match=says):
        interop.to_sklearn(*arguments)


# ---- ONNX ----------------------------------------

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
from multimlp.interop import onnx as onnx_interop  # noqa: E402


def run_onnx(proto, inputs):
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"X": inputs})[0]


ONNX_ACTIVATIONS = [
    n for n in onnx_interop.supported_activations() if n not in ("prelu", "threshold", "swish")
]


@pytest.mark.parametrize(
    "activation",
    [
        *variants(sorted(set(ONNX_ACTIVATIONS))),
        *LEARNED,
        pytest.param(configured("threshold", threshold=0.5), id="threshold"),
    ],
)
def test_onnx_computes_the_same_in_onnxruntime_and_comes_back(activation):
    mlp, params = model(activation, "float32")
    proto = onnx_interop.to_onnx(mlp, params)
    inputs = X.astype(np.float32)
    np.testing.assert_allclose(run_onnx(proto, inputs), mlp(params, inputs), rtol=2e-5, atol=2e-5)
    assert proto.opset_import[0].version == onnx_interop.OPSET
    back, back_params = onnx_interop.from_onnx(proto)
    assert back.activations == mlp.activations
    same_bits(params, back_params)


def test_onnx_in_float64_and_from_a_file(tmp_path):
    mlp, params = model("tanh", final="softmax", use_bias=False)
    path = tmp_path / "model.onnx"
    onnx_interop.to_onnx(mlp, params, path)
    np.testing.assert_allclose(run_onnx(onnx.load(path), X), mlp(params, X), rtol=1e-12)
    back, back_params = onnx_interop.from_onnx(path)
    assert not back.use_bias
    assert back.final_activation.name == "softmax"
    same_bits(params, back_params)


def test_onnx_reads_matmul_add_and_transposed_gemm():
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    first, second = X[:5, :4].astype(np.float32), X[:4, :3].astype(np.float32)
    bias = np.arange(4, dtype=np.float32)
    nodes = [
        helper.make_node("MatMul", ["X", "W1"], ["a"]),
        helper.make_node("Add", ["b1", "a"], ["b"]),
        helper.make_node("Relu", ["b"], ["c"]),
        helper.make_node("Gemm", ["c", "W2"], ["Y"], transB=1),
    ]
    constants = [
        numpy_helper.from_array(v, n)
        for n, v in (("W1", first), ("b1", bias), ("W2", np.ascontiguousarray(second.T)))
    ]
    ends = [
        helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, ["N", k]) for n, k in (("X", 5), ("Y", 3))
    ]
    proto = helper.make_model(
        helper.make_graph(nodes, "g", ends[:1], ends[1:], constants),
        ir_version=9,
        opset_imports=[helper.make_opsetid("", 13)],
    )
    mlp, params = onnx_interop.from_onnx(proto)
    inputs = X.astype(np.float32)
    np.testing.assert_allclose(mlp(params, inputs), run_onnx(proto, inputs), rtol=1e-6, atol=1e-6)
    nodes[2] = helper.make_node("Erf", ["b"], ["c"])
    proto = helper.make_model(helper.make_graph(nodes, "g", ends[:1], ends[1:], constants))
    with pytest.raises(InputError, match="error function outside of gelu"):
        onnx_interop.from_onnx(proto)


def test_onnx_refuses_damaged_files_and_foreign_activations(tmp_path):
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(b"\x08\x09not a model")
    with pytest.raises(FileFormatError, match="damaged"):
        onnx_interop.from_onnx(damaged)
    with pytest.raises(InputError, match="cannot read"):
        onnx_interop.from_onnx(tmp_path / "absent.onnx")
    with pytest.raises(InputError, match=r"gaussian.*supported"):
        onnx_interop.to_onnx(*model("gaussian"))


# ---- Flax, Equinox, JAX ----------------------------------------


def _jax_cases():
    pytest.importorskip("jax")
    from multimlp.interop import _jax

    return list(variants(sorted(_jax.supported_activations())))


def jax_gradient(function, weight):
    import jax

    return jax.grad(lambda w: (function(w) ** 2).sum())(weight)


@pytest.mark.parametrize("activation", _jax_cases())
@pytest.mark.parametrize("kind", ["linen", "nnx", "equinox"])
def test_flax_and_equinox_compute_the_same_and_come_back(activation, kind):
    jax = pytest.importorskip("jax")
    pytest.importorskip("equinox" if kind == "equinox" else "flax")
    mlp, params = model(activation, "float32", dropout=0.25)
    inputs = X.astype(np.float32)
    if kind == "linen":
        from multimlp.interop import flax as interop

        module, variables = interop.to_flax(mlp, params)
        outputs = module.apply(variables, inputs)
        back, back_params = interop.from_flax(module, variables)

        def of_weight(w):
            first = {**variables["params"]["layers_0"], "kernel": w}
            return module.apply({"params": {**variables["params"], "layers_0": first}}, inputs)

        by_weight = jax_gradient(of_weight, variables["params"]["layers_0"]["kernel"])
    elif kind == "nnx":
        from flax import nnx

        from multimlp.interop import flax as interop

        module = interop.to_nnx(mlp, params)
        outputs = module(inputs)
        back, back_params = interop.from_nnx(module)
        by_weight = nnx.grad(lambda m: (m(inputs) ** 2).sum())(module)["layers"][0]["kernel"][...]
    else:
        import equinox as eqx

        from multimlp.interop import equinox as interop

        module = interop.to_equinox(mlp, params)
        outputs = jax.vmap(module)(inputs)
        back, back_params = interop.from_equinox(module)
        by_weight = eqx.filter_grad(lambda m: (jax.vmap(m)(inputs) ** 2).sum())(module).layers[0].weight.T
    np.testing.assert_allclose(outputs, mlp(params, inputs), rtol=2e-5, atol=2e-5)
    np.testing.assert_allclose(by_weight, gradient(mlp, params)[1], rtol=5e-4, atol=5e-4)
    assert back == mlp
    assert type(back_params[0].weight).__module__.startswith("jax")
    same_bits(params, back_params)


def test_flax_reads_a_modules_own_variables():
    pytest.importorskip("flax")
    import jax
    from flax import linen

    from multimlp.interop import flax as interop

    class Network(linen.Module):
        @linen.compact
        def __call__(self, x):
            for width in [3] * 11:  # Dense_10 sorts after Dense_9
                x = linen.tanh(linen.Dense(width)(x))
            return linen.Dense(2)(x)

    inputs = X.astype(np.float32)
    variables = Network().init(jax.random.key(0), inputs)
    mlp, params = interop.from_variables(variables, activation="tanh")
    np.testing.assert_allclose(
        mlp(params, jax.numpy.asarray(inputs)), Network().apply(variables, inputs), rtol=1e-5, atol=1e-6
    )
    with pytest.raises(InputError, match="Conv"):
        interop.from_variables({"Conv_0": {"kernel": np.zeros((3, 3, 1, 1))}})


def test_equinox_mlp_is_read():
    eqx = pytest.importorskip("equinox")
    import jax

    from multimlp.interop import equinox as interop

    module = eqx.nn.MLP(
        5, 3, 7, 2, activation=jax.nn.silu, final_activation=jax.nn.sigmoid, key=jax.random.key(1)
    )
    mlp, params = interop.from_equinox(module)
    assert repr(mlp) == "MLP(5, [7, 7], 3, activation='silu', final_activation='sigmoid')"
    inputs = jax.numpy.asarray(X, dtype=jax.numpy.float32)
    np.testing.assert_allclose(mlp(params, inputs), jax.vmap(module)(inputs), rtol=1e-5, atol=1e-6)


def test_parameters_are_a_jax_pytree_that_optax_trains():
    jax, optax = pytest.importorskip("jax"), pytest.importorskip("optax")
    mlp = mm.MLP(5, 16, 1, activation="tanh")
    params = mlp.init(seed=0, backend="jax")
    inputs = jax.numpy.asarray(X, dtype=jax.numpy.float32)
    targets = inputs[:, :1] * inputs[:, 1:2]
    optimizer = optax.adam(0.02)

    def loss(p):
        return ((mlp(p, inputs) - targets) ** 2).mean()

    @jax.jit
    def step(p, state):
        updates, state = optimizer.update(jax.grad(loss)(p), state, p)
        return optax.apply_updates(p, updates), state

    state, before = optimizer.init(params), float(loss(params))
    for _ in range(200):
        params, state = step(params, state)
    assert type(params[0]).__name__ == "Dense"
    assert float(loss(params)) < before / 10


# ---- Gluon ----------------------------------------


def gluon_bytes(version=0xF993FAC9):
    """A file by the documented format, written without the code under test: 2 inputs, 1 output."""
    weight = struct.pack("<Ii", version, 0) + struct.pack("<i2q", 2, 1, 2) + struct.pack("<3i", 1, 0, 0)
    bias = struct.pack("<Ii", version, 0) + struct.pack("<i1q", 1, 1) + struct.pack("<3i", 1, 0, 0)
    content = (
        struct.pack("<3Q", 0x112, 0, 2)
        + weight
        + struct.pack("<2f", 1.5, -2.0)
        + bias
        + struct.pack("<f", 0.25)
    )
    return (
        content
        + struct.pack("<Q", 2)
        + b"".join(struct.pack("<Q", len(n)) + n for n in (b"0.weight", b"arg:0.bias"))
    )


@pytest.mark.parametrize("version", [0xF993FAC9, 0xF993FACA])
def test_gluon_file_of_the_documented_format(tmp_path, version):
    from multimlp.interop import gluon

    path = tmp_path / "model.params"
    path.write_bytes(gluon_bytes(version))
    mlp, params = gluon.from_gluon(path)
    assert mlp == mm.MLP(2, (), 1)
    np.testing.assert_array_equal(params[0].weight, np.asarray([[1.5], [-2.0]], np.float32))
    np.testing.assert_array_equal(params[0].bias, np.asarray([0.25], np.float32))


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_gluon_both_ways_and_npz(tmp_path, dtype):
    from multimlp.interop import gluon

    mlp, params = model("tanh", dtype)
    gluon.to_gluon(mlp, params, tmp_path / "a.params")
    np.savez(tmp_path / "b.npz", **gluon.read_params(tmp_path / "a.params"))
    for name in ("a.params", "b.npz"):
        back, back_params = gluon.from_gluon(tmp_path / name, activation="tanh")
        assert back == mm.MLP(5, (6, 4), 3, activation="tanh")
        same_bits(params, back_params)


@pytest.mark.parametrize("cut", [0, 7, 30, 60, 90, 120])
def test_gluon_refuses_files_that_end_too_early(tmp_path, cut):
    from multimlp.interop import gluon

    (tmp_path / "cut.params").write_bytes(gluon_bytes()[:cut])
    with pytest.raises(FileFormatError):
        gluon.from_gluon(tmp_path / "cut.params")


@pytest.mark.parametrize("place", [16, 32, 36])
def test_gluon_refuses_absurd_sizes_without_reading_them(tmp_path, place):
    from multimlp.interop import gluon

    content = bytearray(gluon_bytes())
    content[place : place + 4] = b"\xff\xff\xff\x7f"
    (tmp_path / "huge.params").write_bytes(bytes(content))
    with pytest.raises(FileFormatError):
        gluon.from_gluon(tmp_path / "huge.params")


# ---- Keras and TensorFlow, each Keras backend in a process of its own -----------------------------------

KERAS = """
import sys, numpy as np, keras, multimlp as mm
from multimlp.activations import configured, learnable
from multimlp.interop import keras as interop
from multimlp import tree
X = np.random.default_rng(0).normal(size=(9, 5)).astype("float32")
cases = [n for n in interop.supported_activations() if n != "prelu"]
cases += [learnable("prelu"), learnable("prelu", per_unit=True)]
cases += [configured("leaky_relu", negative_slope=0.3), configured("elu", alpha=0.5)]
for activation in cases:
    mlp = mm.MLP(5, (6, 4), 3, activation=activation, bias_init="normal", dropout=0.25)
    params = mlp.init(seed=3, backend="numpy")
    mlp = mm.MLP(5, (6, 4), 3, activation=activation, dropout=0.25)
    model = interop.to_keras(mlp, params)
    there = keras.ops.convert_to_numpy(model(X))
    np.testing.assert_allclose(there, mlp(params, X), rtol=2e-5, atol=2e-5, err_msg=str(activation))
    back, back_params = interop.from_keras(model, backend="numpy")
    assert back == mlp, (back, mlp)
    for a, b in zip(tree.leaves(params), tree.leaves(back_params), strict=True):
        np.testing.assert_array_equal(a, b)
folder = sys.argv[1]
model.save(folder + "/model.keras")
back, _ = interop.from_keras(folder + "/model.keras", backend="numpy")
assert back == mlp
sine = mm.MLP(5, 4, 3, activation="sine")
noisy = keras.Sequential([keras.Input((4,)), keras.layers.GaussianNoise(0.1)])
for build, says in (
    (lambda: interop.to_keras(sine, sine.init()), "sine"),
    (lambda: interop.from_keras(noisy), "GaussianNoise"),
):
    try:
        build()
    except mm.errors.InputError as error:
        assert says in str(error) and "supported" in str(error), error
    else:
        raise AssertionError(says)

# as a layer: every activation, gradients flow, saved and loaded
mlp = mm.MLP(5, 16, 1, activation="sine", dropout=0.1)
layer = interop.as_keras_layer(mlp, mlp.init(seed=0, backend="numpy"))
there, here = keras.ops.convert_to_numpy(layer(X)), mlp(mlp.init(seed=0, backend="numpy"), X)
np.testing.assert_allclose(there, here, rtol=1e-4, atol=1e-5)
model = keras.Sequential([keras.Input((5,)), layer])
model.compile(keras.optimizers.Adam(0.02), "mse")
targets = X[:, :1] * 2
before = model.evaluate(X, targets, verbose=0)
model.fit(X, targets, epochs=60, batch_size=4, verbose=0)
assert model.evaluate(X, targets, verbose=0) < before / 10
model.save(folder + "/layer.keras")
again = keras.saving.load_model(folder + "/layer.keras")
np.testing.assert_allclose(again.predict(X, verbose=0), model.predict(X, verbose=0), rtol=1e-5, atol=1e-6)
print("fine on", keras.backend.backend())
"""

TF = """
import numpy as np, tensorflow as tf, multimlp as mm
from multimlp.interop.tensorflow import as_tf_module
X = np.random.default_rng(0).normal(size=(9, 5)).astype("float32")
mlp = mm.MLP(5, 16, 1, activation="prelu", dropout=0.1)
module = as_tf_module(mlp, mlp.init(seed=0, backend="numpy"))
here = mlp(mlp.init(seed=0, backend="numpy"), X)
np.testing.assert_allclose(module(tf.constant(X)), here, rtol=1e-5, atol=1e-6)
targets = tf.constant(X[:, :1] * 2)
def loss(training=False):
    return tf.reduce_mean((module(tf.constant(X), training=training) - targets) ** 2)
optimizer, before = tf.keras.optimizers.Adam(0.02), float(loss())
@tf.function
def step():
    with tf.GradientTape() as tape:
        value = loss(training=True)
    variables = module.trainable_variables
    optimizer.apply_gradients(zip(tape.gradient(value, variables), variables))
for _ in range(100):
    step()
assert float(loss()) < before / 5
import sys
checkpoint = tf.train.Checkpoint(module=module)
path = checkpoint.write(sys.argv[1] + "/checkpoint")
other = as_tf_module(mlp, mlp.init(seed=1, backend="numpy"))
tf.train.Checkpoint(module=other).read(path).assert_consumed()
np.testing.assert_array_equal(other(tf.constant(X)), module(tf.constant(X)))
print("fine on tensorflow")
"""


def in_a_process(code, folder, **environment):
    import os

    run = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        capture_output=True,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment},
    )
    assert run.returncode == 0, run.stderr[-3000:]
    return run.stdout


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["torch", "jax", "tensorflow"])
def test_keras_on_each_of_its_backends(backend, tmp_path):
    pytest.importorskip("keras")
    pytest.importorskip(backend)
    assert f"fine on {backend}" in in_a_process(KERAS, tmp_path, KERAS_BACKEND=backend)


@pytest.mark.slow
def test_tf_module_trains_and_is_checkpointed(tmp_path):
    pytest.importorskip("tensorflow")
    assert "fine on tensorflow" in in_a_process(TF, tmp_path)


# ---- one order of arguments, and files of nnx and Equinox


def test_the_other_order_of_arguments_is_refused_with_the_right_one(tmp_path):
    flax = pytest.importorskip("multimlp.interop.flax")
    from multimlp.interop import gluon

    mlp = mm.MLP(2, 3, 1)
    params = mlp.init(seed=0, backend="numpy")
    module, variables = flax.to_flax(mlp, params)
    with pytest.raises(InputError, match=r"the order is from_flax\(module, variables\)"):
        flax.from_flax(variables, module)
    with pytest.raises(InputError, match=r"the order is to_gluon\(mlp, params, path\)"):
        gluon.to_gluon(tmp_path / "m.params", mlp, params)
    assert flax.from_flax(*flax.to_flax(mlp, params))[0] == mlp


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_files_of_nnx_and_equinox_are_those_of_the_libraries(dtype, tmp_path):
    """Written here, read by the library itself; and the other way round."""
    eqx, nnx = pytest.importorskip("equinox"), pytest.importorskip("flax.nnx")
    from flax import serialization

    from multimlp.interop import equinox, flax

    mlp = mm.MLP(3, [5, 4], 2, activation="tanh", dropout=0.2)
    params = mlp.init(seed=0, backend="numpy", dtype=dtype)
    with mm.get_backend("jax").scope(dtype):
        model = equinox.to_equinox(mlp, params)
        equinox.write_leaves(tmp_path / "a.eqx", model)
        zeros = equinox.to_equinox(mlp, tree.map(np.zeros_like, params))
        again = equinox.from_equinox(eqx.tree_deserialise_leaves(tmp_path / "a.eqx", zeros), "numpy")
        eqx.tree_serialise_leaves(tmp_path / "b.eqx", model)
        module = flax.to_nnx(mlp, params)
        flax.write_variables(tmp_path / "m.msgpack", module)
        pure = serialization.msgpack_restore((tmp_path / "m.msgpack").read_bytes())
        held = nnx.to_pure_dict(nnx.state(module, nnx.Param))
    assert (tmp_path / "a.eqx").read_bytes() == (tmp_path / "b.eqx").read_bytes()
    np.testing.assert_array_equal(pure["layers"]["0"]["kernel"], held["layers"][0]["kernel"])
    found = [
        again[1],
        equinox.from_leaves(equinox.read_leaves(tmp_path / "b.eqx"), "tanh", backend="numpy")[1],
        flax.from_variables(flax.read_variables(tmp_path / "m.msgpack"), "tanh", backend="numpy")[1],
    ]
    for mine in found:
        for one, other in zip(tree.leaves(params), tree.leaves(mine), strict=True):
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)


def test_equinox_files_cannot_hold_bfloat16(tmp_path):
    equinox = pytest.importorskip("multimlp.interop.equinox")
    mlp = mm.MLP(2, 3, 1)
    model = equinox.to_equinox(mlp, mlp.init(seed=0, backend="jax", dtype="bfloat16"))
    with pytest.raises(DTypeError, match="bfloat16; convert it to float32 first"):
        equinox.write_leaves(tmp_path / "a.eqx", model)
    with pytest.raises(InputError, match="expected an Equinox module"):
        equinox.write_leaves(tmp_path / "a.eqx", "model")
    with pytest.raises(FileFormatError, match="other shapes|other leaves"):
        equinox.with_leaves(model, [np.ones((2, 2))])
    assert not list(tmp_path.iterdir())


def test_a_learned_slope_keeps_all_its_digits_in_torch():
    interop = pytest.importorskip("multimlp.interop.torch")
    mlp = mm.MLP(2, 3, 1, activation={"name": "prelu", "learnable": True, "per_unit": True})
    params = tree.map(lambda leaf: leaf + 0.1, mlp.init(seed=0, backend="numpy", dtype="float64"))
    again = interop.from_torch(interop.to_torch(mlp, params), "numpy")[1]
    np.testing.assert_array_equal(again[0].activation["alpha"], params[0].activation["alpha"])
