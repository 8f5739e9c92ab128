"""The MLP: against its formula in NumPy, the same bits of parameters everywhere, shapes, ensembles, descriptions, errors."""

import json

import numpy as np
import pytest

from multimlp import random
from multimlp.backend import load_backend
from multimlp.errors import DTypeError, InputError, MixedBackendsError, ShapeError
from multimlp.mlp import MLP, Dense, ParametricDense, check_params, dense, is_ensemble, named_arrays
from multimlp.tree import leaves

RNG = np.random.default_rng(0)
X = RNG.standard_normal((5, 4))


def host(backend, params):
    return [backend.to_numpy(leaf) for leaf in leaves(params)]


@pytest.mark.parametrize(
    ("activation", "formula"),
    [
        ("relu", lambda z: np.maximum(z, 0)),
        ("tanh", np.tanh),
        ("sigmoid", lambda z: 1 / (1 + np.exp(-z))),
        ("identity", lambda z: z),
    ],
)
@pytest.mark.parametrize("hidden", [(), (3,), (6, 2), (3, 3, 3)])
def test_against_the_formula(backend, activation, formula, hidden):
    mlp = MLP(4, hidden, 2, activation=activation, bias_init="normal")
    params = mlp.init(seed=1, backend=backend, dtype="float64")
    outputs = mlp(params, backend.asarray(X, dtype="float64"))
    expected = X
    for i, layer in enumerate(params):
        expected = expected @ backend.to_numpy(layer.weight) + backend.to_numpy(layer.bias)
        if i < len(hidden):
            expected = formula(expected)
    np.testing.assert_allclose(backend.to_numpy(outputs), expected, rtol=1e-13)
    assert backend.dtype_name(outputs.dtype) == "float64"


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_parameters_have_the_same_bits_everywhere(backend, dtype):
    mlp = MLP(7, (5, 3), 2, kernel_init="he_normal", bias_init="uniform")
    reference = host(load_backend("numpy"), mlp.init(seed=3, backend="numpy", dtype=dtype))
    for mine, theirs in zip(
        host(backend, mlp.init(seed=3, backend=backend, dtype=dtype)), reference, strict=True
    ):
        assert mine.dtype == theirs.dtype
        np.testing.assert_array_equal(mine, theirs)


def test_another_seed_gives_other_parameters():
    mlp = MLP(4, 3, 2)
    assert not np.array_equal(mlp.init(0)[0].weight, mlp.init(1)[0].weight)


def test_members_of_an_ensemble_are_the_single_networks(backend):
    mlp = MLP(4, (6,), 2, activation="gelu", bias_init="normal")
    together = mlp.init(seed=range(3), backend=backend, dtype="float64")
    data = backend.asarray(X, dtype="float64")
    outputs = backend.to_numpy(mlp(together, data))
    assert outputs.shape == (3, 5, 2)
    assert is_ensemble(together) == 3
    for seed in range(3):
        alone = mlp(mlp.init(seed=seed, backend=backend, dtype="float64"), data)
        np.testing.assert_allclose(outputs[seed], backend.to_numpy(alone), rtol=1e-13)


def test_one_row_without_an_axis(backend):
    mlp = MLP(4, 3, 2)
    for seed, shape in ((0, (2,)), (range(3), (3, 2))):
        params = mlp.init(seed=seed, backend=backend, dtype="float64")
        assert tuple(mlp(params, backend.asarray(X[0], dtype="float64")).shape) == shape


def test_no_rows(backend):
    mlp = MLP(4, 3, 2)
    params = mlp.init(backend=backend)
    assert tuple(mlp(params, backend.asarray(np.zeros((0, 4)), dtype="float32")).shape) == (0, 2)


def test_without_bias(backend):
    mlp = MLP(4, 3, 2, use_bias=False)
    params = mlp.init(backend=backend, dtype="float64")
    assert params[0].bias is None
    zero = mlp(params, backend.asarray(np.zeros((1, 4)), dtype="float64"))
    np.testing.assert_array_equal(backend.to_numpy(zero), np.zeros((1, 2)))
    assert mlp.num_parameters == 4 * 3 + 3 * 2


def test_learned_slopes(backend):
    mlp = MLP(4, (3,), 2, activation="prelu")
    params = mlp.init(backend=backend, dtype="float64")
    assert isinstance(params[0], ParametricDense)
    assert isinstance(params[1], Dense)
    ((name, slope),) = params[0].activation.items()
    assert float(slope) == 0.25
    assert mlp.num_parameters == 4 * 3 + 3 + 1 + 3 * 2 + 2
    identity = (params[0]._replace(activation={name: backend.asarray(1.0, dtype="float64")}), params[1])
    linear = MLP(4, (3,), 2, activation="identity")
    plain = (Dense(*params[0][:2]), params[1])
    data = backend.asarray(X, dtype="float64")
    np.testing.assert_allclose(
        backend.to_numpy(mlp(identity, data)), backend.to_numpy(linear(plain, data)), rtol=1e-13
    )


def test_glu_halves_the_width(backend):
    mlp = MLP(4, (6, 8), 2, activation="glu")
    assert mlp.layer_shapes == ((4, 6), (3, 8), (4, 2))
    params = mlp.init(backend=backend)
    assert tuple(mlp(params, backend.asarray(X, dtype="float32")).shape) == (5, 2)
    with pytest.raises(InputError, match=r"hidden\[0\]"):
        MLP(4, (5,), 2, activation="glu")


def test_each_hidden_layer_may_have_its_own_rate_of_dropout():
    mlp = MLP(4, (64, 64, 64), 3, dropout=[0.5, 0, 0.25], activation=["relu", "tanh", "gelu"])
    assert (mlp.dropout, mlp.dropouts) == (0.5, (0.5, 0.0, 0.25))
    assert repr(mlp).endswith("dropout=[0.5, 0.0, 0.25])")
    assert MLP.from_spec(mlp.to_spec()) == mlp != MLP(4, (64, 64, 64), 3, dropout=0.5)
    assert MLP(4, (8, 8), 3, dropout=(0.5, 0.5)) == MLP(4, (8, 8), 3, dropout=0.5)
    assert MLP(4, (8, 8), 3, dropout=(0.5, 0.5)).to_spec()["dropout"] == 0.5
    params, X = mlp.init(seed=0, backend="numpy", dtype="float64"), np.ones((5, 4))
    key, hidden = random.key(1), X
    for i, (layer, row, rate) in enumerate(zip(params, mlp.layers, (0.5, 0.0, 0.25, 0.0), strict=True)):
        hidden = hidden @ layer.weight + layer.bias
        hidden = hidden if row.activation is None else row.activation(hidden, None)
        if rate:
            kept = random.bernoulli(random.fold_in(key, i), 1 - rate, hidden.shape)
            hidden = hidden * kept / (1 - rate)
    np.testing.assert_allclose(mlp(params, X, key=key), hidden, rtol=1e-13)


def test_dropout_is_on_with_a_key_only_and_the_same_everywhere(backend):
    mlp = MLP(4, (64,), 3, dropout=0.5)
    reference = load_backend("numpy")
    outputs = {}
    for b in (reference, backend):
        params = mlp.init(backend=b, dtype="float64")
        data = b.asarray(X, dtype="float64")
        key = random.key(7, like=data)
        outputs[b.name] = b.to_numpy(mlp(params, data, key=key)), b.to_numpy(mlp(params, data))
    dropped, plain = outputs[backend.name]
    assert not np.allclose(dropped, plain)
    np.testing.assert_allclose(dropped, outputs["numpy"][0], rtol=1e-13)


LAYERED = {
    "plain": MLP(4, (6, 8), 2),
    "linear": MLP(4, (), 2),
    "no bias": MLP(4, 3, 2, use_bias=False),
    "narrowed": MLP(4, (6, 8), 2, activation=["glu", "tanh"], final_activation="softmax"),
    "learned": MLP(
        4, (6, 8), 2, activation=["prelu", {"name": "prelu", "learnable": True, "per_unit": True}]
    ),
}


@pytest.mark.parametrize("name", LAYERED)
@pytest.mark.parametrize("members", [None, 3])
def test_the_table_of_layers_says_what_init_makes(name, members):
    mlp = LAYERED[name]
    params = mlp.init(0 if members is None else range(members), "numpy")
    leading = () if members is None else (members,)
    made = [{part: array.shape for part, array in named_arrays(layer).items()} for layer in params]
    assert made == [{p: (*leading, *shape) for p, shape in row.shapes.items()} for row in mlp.layers]
    sizes = [sum(leaf.size for leaf in leaves(layer)) // (members or 1) for layer in params]
    assert [row.num_parameters for row in mlp.layers] == sizes
    assert mlp.num_parameters == sum(sizes)
    assert [row.name for row in mlp.layers] == [f"layers.{i}" for i in range(len(params))]
    assert [row.label for row in mlp.layers] == [
        *(f"hidden {i + 1}" for i in range(len(mlp.hidden))),
        "output",
    ]
    assert tuple(row.activation for row in mlp.layers) == (*mlp.activations, mlp.final_activation)
    check_params(mlp, params)
    mlp.check_params(list(params))


PLAIN, LEARNED = LAYERED["plain"], LAYERED["learned"]
GOOD, SLOPES = PLAIN.init(0, "numpy"), LEARNED.init(0, "numpy")


def changed(params, i, **parts):
    return (*params[:i], params[i]._replace(**parts), *params[i + 1 :])


MISFITS = {
    "no MLP": (lambda: check_params(GOOD, PLAIN), InputError, "mlp: expected a multimlp.MLP, got tuple"),
    "no tuple": (lambda: check_params(PLAIN, 3), InputError, "expected a tuple of 3 layers .* got int"),
    "layers": (lambda: check_params(PLAIN, GOOD[:2]), InputError, "a tuple of 3 layers .* got 2 layers"),
    "layer": (
        lambda: check_params(PLAIN, (*GOOD[:2], 3)),
        InputError,
        r"params\[2\]: expected a Dense.* got int",
    ),
    "list": (
        lambda: check_params(PLAIN, changed(GOOD, 1, weight=[1.0])),
        InputError,
        r"params\[1\]\.weight: expected an array, got list",
    ),
    "weight": (
        lambda: check_params(PLAIN, changed(GOOD, 1, weight=np.ones((6, 7)))),
        ShapeError,
        r"params\[1\]\.weight has shape \(6, 7\), expected \(6, 8\)",
    ),
    "bias": (
        lambda: check_params(PLAIN, changed(GOOD, 2, bias=np.ones(1))),
        ShapeError,
        r"params\[2\]\.bias has shape \(1,\), expected \(2,\)",
    ),
    "no bias": (
        lambda: check_params(PLAIN, changed(GOOD, 0, bias=None)),
        InputError,
        r"missing params\[0\]\.bias",
    ),
    "a bias": (
        lambda: check_params(LAYERED["no bias"], MLP(4, 3, 2).init(0, "numpy")),
        InputError,
        r"unexpected params\[0\]\.bias, params\[1\]\.bias",
    ),
    "no slope": (
        lambda: check_params(LEARNED, (Dense(*SLOPES[0][:2]), *SLOPES[1:])),
        InputError,
        r"missing params\[0\]\.activation\.alpha",
    ),
    "slope of another": (
        lambda: check_params(LEARNED, changed(SLOPES, 1, activation={"alpha": np.ones(6)})),
        ShapeError,
        r"params\[1\]\.activation\.alpha has shape \(6,\), expected \(8,\)",
    ),
    "slope without a name": (
        lambda: check_params(LEARNED, changed(SLOPES, 0, activation=np.ones(()))),
        InputError,
        r"params\[0\]: expected a Dense",
    ),
    "foreign slope": (
        lambda: check_params(PLAIN, (ParametricDense(*GOOD[0], {"beta": np.ones(())}), *GOOD[1:])),
        InputError,
        r"unexpected params\[0\]\.activation\.beta",
    ),
    "members": (
        lambda: check_params(PLAIN, (*PLAIN.init([0, 1], "numpy")[:2], *PLAIN.init([0], "numpy")[2:])),
        ShapeError,
        r"params\[2\]\.weight has shape \(1, 8, 2\), expected \(2, 8, 2\)",
    ),
    "some members": (
        lambda: check_params(PLAIN, (GOOD[0], *PLAIN.init([0], "numpy")[1:])),
        ShapeError,
        r"params\[1\]\.weight has shape \(1, 6, 8\), expected \(6, 8\)",
    ),
    "dtypes": (
        lambda: check_params(PLAIN, changed(GOOD, 1, bias=np.ones(8, np.float16))),
        DTypeError,
        r"one float dtype .* got float32 \(params\[0\]\.weight\), float16 \(params\[1\]\.bias\)",
    ),
    "integers": (
        lambda: check_params(MLP(1, (), 1, use_bias=False), (Dense(np.ones((1, 1), int), None),)),
        DTypeError,
        r"one float dtype .* got int64 \(params\[0\]\.weight\)",
    ),
    "ensemble": (
        lambda: check_params(PLAIN, PLAIN.init([0, 1], "numpy"), single=True),
        InputError,
        "expected one network, got an ensemble of 2 members",
    ),
}


@pytest.mark.parametrize("case", MISFITS)
def test_parameters_that_do_not_fit(case):
    check, error, message = MISFITS[case]
    with pytest.raises(error, match=message):
        check()


def test_parameters_of_every_library_fit(backend):
    check_params(LEARNED, LEARNED.init([0, 1], backend))


def test_description_round_trip():
    mlp = MLP(
        4,
        (5, 3),
        2,
        activation=["prelu", "tanh"],
        final_activation="softmax",
        dropout=0.1,
        kernel_init="he_uniform",
    )
    again = MLP.from_spec(json.loads(json.dumps(mlp.to_spec())))
    assert again == mlp
    assert hash(again) == hash(mlp)
    assert again.to_spec() == mlp.to_spec()
    with pytest.raises(InputError, match="not the description of an MLP"):
        MLP.from_spec({"layers": 3})


def test_own_callables_serve_but_cannot_be_written():
    mlp = MLP(4, 3, 2, activation=lambda x: x * x)
    params = mlp.init(dtype="float64")
    expected = (X @ params[0].weight) ** 2 @ params[1].weight
    np.testing.assert_allclose(mlp(params, X), expected)
    with pytest.raises(InputError):
        mlp.to_spec()


def test_repr():
    assert repr(MLP(4, [5, 3], 2, dropout=0.5)) == "MLP(4, [5, 3], 2, activation='relu', dropout=0.5)"


BAD_DESCRIPTIONS = {
    "zero inputs": (lambda: MLP(0, 3, 2), "in_features: expected a positive integer, got 0"),
    "fraction": (lambda: MLP(4, 3.5, 2), "hidden: expected a width"),
    "negative width": (lambda: MLP(4, (3, -1), 2), r"hidden\[1\]: expected a positive integer, got -1"),
    "text": (lambda: MLP(4, "3", 2), "hidden: expected"),
    "boolean": (lambda: MLP(4, 3, True), "out_features"),
    "activation": (lambda: MLP(4, 3, 2, activation="rleu"), "did you mean 'relu'"),
    "one a layer": (lambda: MLP(4, (3, 3), 2, activation=["relu"]), "1 given for 2 hidden layers"),
    "dropout": (lambda: MLP(4, 3, 2, dropout=1.0), r"dropout: expected a number in \[0, 1\)"),
    "dropout[1]": (
        lambda: MLP(4, [3, 3], 2, dropout=[0.1, 1.0]),
        r"dropout\[1\]: expected a number in \[0, 1\)",
    ),
    "dropouts": (lambda: MLP(4, [3, 3], 2, dropout=[0.1]), "dropout: 1 given for 2 hidden layers"),
    "initializer": (lambda: MLP(4, 3, 2, kernel_init="xavier_magic"), "kernel_init|initializer"),
    "no seeds": (lambda: MLP(4, 3, 2).init(seed=[]), "at least one seed"),
}


@pytest.mark.parametrize("case", BAD_DESCRIPTIONS)
def test_bad_descriptions(case):
    make, message = BAD_DESCRIPTIONS[case]
    with pytest.raises(InputError, match=message):
        make()


def test_bad_calls(training_backend):
    mlp = MLP(4, 3, 2)
    params = mlp.init(backend=training_backend, dtype="float64")
    data = training_backend.asarray(X, dtype="float64")
    with pytest.raises(ShapeError, match=r"X: expected shape \(\.\.\., 4\), got \(5, 3\)"):
        mlp(params, data[:, :3])
    with pytest.raises(DTypeError, match="X has dtype float32, params have float64"):
        mlp(params, training_backend.asarray(X, dtype="float32"))
    with pytest.raises(InputError, match="X: expected an array, got list"):
        mlp(params, [[1.0] * 4])
    with pytest.raises(InputError, match="params: expected a tuple of 2 layers"):
        mlp(params[:1], data)
    with pytest.raises(InputError, match=r"params\[0\]: expected a Dense"):
        mlp((1, 2), data)
    if training_backend.name != "numpy":
        with pytest.raises(MixedBackendsError, match=r"multimlp\.convert"):
            mlp(params, X)


def test_dense_is_an_op_with_a_portable_body():
    weight, bias = RNG.standard_normal((4, 3)), RNG.standard_normal(3)
    np.testing.assert_allclose(dense(X, weight, bias), X @ weight + bias)
    np.testing.assert_allclose(dense.portable(X, weight, None), X @ weight)
