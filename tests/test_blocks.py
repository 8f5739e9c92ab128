"""Every block: against a formula written anew or the native layer, on every backend, with gradients; chains as models."""

from __future__ import annotations

import itertools
import json
import math
import pickle
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from libraries import NAMES, TRAINING, every_library
from libraries import run as run_on

import multimlp as mm
from multimlp import blocks, tree
from multimlp.errors import DataError, DTypeError, InputError, MixedBackendsError, ShapeError

RNG = np.random.default_rng(0)
ROWS = RNG.standard_normal((6, 4))
CODES = np.asarray([[0, 1, 3], [2, 0, 0], [1, 1, 2], [-1, 2, 4], [np.nan, 0.5, 1]])
EDGES = [[-1.0, 0.0, 0.5, 2.0], [-0.5, 0.5], [-2.0, -1.0, 1.0], [0.0, 1.0]]


class Row(NamedTuple):
    """A block, and what it computes of its parameters and rows."""

    block: Any
    formula: Callable[[Any, np.ndarray], np.ndarray]
    rows: np.ndarray = ROWS

    @property
    def name(self) -> str:
        options = self.block.options
        return f"{self.block.name}-{'-'.join(str(v)[:12] for v in options.values() if isinstance(v, (str, bool)))}"


def _softmax_free_gelu(x):
    return 0.5 * x * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def _selu(x):
    return 1.0507009873554804934193349852946 * np.where(
        x > 0, x, 1.6732632423543772848170429916717 * np.expm1(x)
    )


def _layer_norm(p, x):
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-5) * p["scale"] + p["bias"]


def _weight_norm(p, x):
    v = p["direction"]
    return x @ (v / np.linalg.norm(v, axis=0) * p["length"]) + p["bias"]


def _batch_ensemble(p, x):
    return np.stack([
        ((x[i] * p["r"][i]) @ p["weight"]) * p["s"][i] + p["bias"][i] for i in range(len(x))
    ])  # fmt: skip


def _embedding(p, x):
    table, out = p["table"], np.zeros((*x.shape, 2))
    for (i, j), code in np.ndenumerate(x):
        if code in range((3, 2, 4)[j]):
            out[i, j] = table[(0, 3, 5)[j] + int(code)]
    return out.reshape(len(x), -1)


def _one_hot(sign):
    def formula(p, x):
        columns = []
        for j, count in enumerate((3, 2, 4)):
            if sign and count == 2:
                columns.append(np.where(x[:, j] == 1, 1.0, 0) - (x[:, j] == 0))
            else:
                columns += [(x[:, j] == code) * 1.0 for code in range(count)]
        return np.stack(columns, axis=1)

    return formula


def _periodic(form, activation, keep):
    def formula(p, x):
        made = []
        for j in range(x.shape[1]):
            angle = 2 * math.pi * x[:, j : j + 1] * p["frequency"][j]
            waves = (
                np.cos(angle + p["phase"][j])
                if form == "phase"
                else np.hstack([np.cos(angle), np.sin(angle)])
            )
            units = waves @ p["weight"][j] + p["bias"][j]
            made += [np.maximum(units, 0) if activation else units, *([x[:, j : j + 1]] if keep else [])]
        return np.hstack(made)

    return formula


def _share(x, j):
    edges = EDGES[j]
    shares = []
    for i, (a, b) in enumerate(itertools.pairwise(edges)):
        share = (x[:, j] - a) / (b - a)
        share = share if i == 0 else np.maximum(share, 0)
        shares.append(share if i == len(edges) - 2 else np.minimum(share, 1))
    return np.stack(shares, axis=1)


def _piecewise(p, x):
    return np.hstack([_share(x, j) for j in range(4)])


def _piecewise_dense(p, x):
    made = []
    for j in range(4):
        share = _share(x, j)
        units = np.maximum(share @ p["weight"][j][: share.shape[1]], 0)
        made.append(units + x[:, j : j + 1] * p["slope"][j] + p["shift"][j])
    return np.hstack(made)


def _fourier(p, x):
    matrix = mm.random.host_generator(3, "fourier").standard_normal((4, 5)) * 2.0
    angle = 2 * math.pi * x @ matrix
    return np.hstack([np.cos(angle), np.sin(angle)])


def _residual(p, x):
    (norm, layer, _) = p[0]
    return x + np.tanh(_layer_norm(norm, x) @ layer.weight + layer.bias)


THREE = np.stack([ROWS, 2 * ROWS, ROWS**2])
TABLE = (
    Row(blocks.dense(3, in_features=4), lambda p, x: x @ p.weight + p.bias),
    Row(blocks.dense(3, "gelu", in_features=4), lambda p, x: _softmax_free_gelu(x @ p.weight + p.bias)),
    Row(blocks.dense(3, "prelu", in_features=4),
        lambda p, x: (lambda z: np.where(z > 0, z, p.activation["alpha"] * z))(x @ p.weight + p.bias)),
    Row(blocks.dense(3, in_features=4, scaling="neural_tangent", use_bias=False), lambda p, x: x @ p.weight / 2),
    Row(blocks.weight_norm_dense(3, in_features=4), _weight_norm),
    Row(blocks.activation("tanh"), lambda p, x: np.tanh(x)),
    Row(blocks.mixed_activation("selu", in_features=4), lambda p, x: x + p["mix"] * (_selu(x) - x)),
    Row(blocks.scale(in_features=4), lambda p, x: x * p["scale"]),
    Row(blocks.scale(in_features=4, use_bias=True), lambda p, x: x * p["scale"] + p["bias"]),
    Row(blocks.multiply(-3.0), lambda p, x: x * -3),
    Row(blocks.smooth_clip(2.0), lambda p, x: x / np.sqrt(1 + (x / 2) ** 2)),
    Row(blocks.layer_norm(in_features=4), _layer_norm),
    Row(blocks.rms_norm(in_features=4),
        lambda p, x: x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6) * p["scale"]),
    Row(blocks.standardize([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 0.5, -1.0]),
        lambda p, x: (x - np.arange(1.0, 5)) / np.asarray([1.0, 2.0, 0.5, -1.0])),
    Row(blocks.residual(mm.chain(blocks.layer_norm(), blocks.dense(4), "tanh")).after(4), _residual),
    Row(blocks.concat([blocks.select([3, 0]), blocks.dense(2)]).after(4),
        lambda p, x: np.hstack([x[:, [3, 0]], x @ p[1].weight + p[1].bias])),
    Row(blocks.embedding([3, 2, 4], 2), _embedding, CODES),
    Row(blocks.one_hot([3, 2, 4]), _one_hot(sign=False), CODES),
    Row(blocks.one_hot([3, 2, 4], binary="sign"), _one_hot(sign=True), CODES),
    Row(blocks.periodic(3, 5, 0.5, in_features=4), _periodic("pair", True, False)),
    Row(blocks.periodic(4, 5, 0.5, "phase", None, keep=True, in_features=4), _periodic("phase", False, True)),
    Row(blocks.piecewise_linear(EDGES), _piecewise),
    Row(blocks.piecewise_linear(EDGES, 3, "relu"), _piecewise_dense),
    Row(blocks.fourier(5, 2.0, 3, in_features=4), _fourier),
    Row(blocks.replicate(3), lambda p, x: np.stack([x, x, x])),
    Row(blocks.batch_ensemble(2, 3, in_features=4), _batch_ensemble, THREE),
    Row(blocks.heads(2, 3, in_features=4), lambda p, x: x @ p.weight + p.bias[:, None], THREE),
    Row(blocks.as_block("block", mm.MLP(4, 5, 2, "tanh")),
        lambda p, x: np.tanh(x @ p[0].weight + p[0].bias) @ p[1].weight + p[1].bias),
)  # fmt: skip
NAMED = pytest.mark.parametrize("row", TABLE, ids=[row.name for row in TABLE])


def _params(row: Row) -> Any:
    """Parameters that are nowhere 0 or 1, so that nothing of them is seen to be left out."""
    start = row.block.initial(0, (0,))
    return tree.map(lambda a: np.asarray(a) + RNG.uniform(0.1, 0.5, np.shape(a)), start)


def test_every_block_has_a_row():
    own = {"chain", "dropout", "select", "mlp"}  # below, and inside of the others
    assert {row.block.name for row in TABLE} | own == set(blocks.names())


@NAMED
@every_library
def test_a_block_computes_its_formula_and_learns_by_its_slope(row, library):
    params = _params(row)
    expected = row.formula(params, row.rows)
    leaves, rebuild = tree.flatten(params)
    count = len(leaves)
    cotangent = np.cos(np.arange(expected.size)).reshape(expected.shape)
    with np.errstate(invalid="ignore"):
        (got,) = run_on(
            library, lambda *a: row.block.apply(rebuild(a[:count]), a[count], None), *leaves, row.rows
        )
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)
    if not count:
        return

    def pulled(*arrays):
        def total(*own):
            xp = mm.array_namespace(own[0])
            return xp.sum(row.block.apply(rebuild(own), arrays[count], None) * arrays[count + 1])

        return mm.grad(total, argnums=tuple(range(count)))(*arrays[:count])

    with np.errstate(invalid="ignore"):
        slopes = run_on(
            library, pulled, *leaves, row.rows, cotangent, compiled=library in ("jax", "tensorflow")
        )
    step = 1e-6
    for i, (slope, leaf) in enumerate(zip(slopes, leaves, strict=True)):
        for at in list(np.ndindex(leaf.shape))[:: max(1, leaf.size // 5)]:
            ends = []
            for sign in (1, -1):
                moved = [np.array(array) for array in leaves]
                moved[i][at] += sign * step
                ends.append(np.sum(row.formula(rebuild(moved), row.rows) * cotangent))
            assert slope[at] == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=2e-6, abs=2e-7), (i, at)


@NAMED
def test_a_block_is_written_down_read_back_and_pickled(row):
    again = blocks.get(json.loads(json.dumps(row.block.to_spec())))
    assert again == row.block
    assert hash(again) == hash(row.block)
    assert repr(again) == repr(row.block)
    assert pickle.loads(pickle.dumps(row.block)) == row.block


@NAMED
def test_the_width_of_a_block_is_that_of_its_outputs(row):
    outputs = row.formula(_params(row), row.rows)
    assert row.block.width(row.rows.shape[-1]) == outputs.shape[-1]


# ---- chains ----------------------------------------------------------------------------------------------------------


def model(dropout: float = 0.0, after: Any = None) -> blocks.Chain:
    return mm.chain(
        blocks.dense(8, in_features=4),
        blocks.layer_norm(),
        "gelu",
        blocks.dropout(dropout if after is None else after),
        blocks.residual(mm.chain(blocks.rms_norm(), mm.MLP(8, 5, 8, "tanh", dropout=dropout))),
        blocks.dense(3),
    )


@every_library
def test_members_of_an_ensemble_are_the_single_models(library):
    chain = model()
    backend = mm.get_backend(library)
    many = chain.init(range(3), library, "float64")
    X = backend.asarray(ROWS)
    outputs = backend.to_numpy(chain(many, X))
    own = backend.to_numpy(chain(many, backend.asarray(THREE)))
    for i in range(3):
        single = chain.init(i, library, "float64")
        np.testing.assert_allclose(outputs[i], backend.to_numpy(chain(single, X)), atol=1e-13)
        alone = backend.to_numpy(chain(single, backend.asarray(THREE[i])))
        np.testing.assert_allclose(own[i], alone, atol=1e-13)


def test_two_equal_blocks_start_with_other_numbers():
    first, second = mm.chain(mm.MLP(3, 4, 3), mm.MLP(3, 4, 3)).init(seed=0)
    assert not np.array_equal(first[0].weight, second[0].weight)


def test_chains_train_to_the_same_numbers_on_every_backend():
    X = RNG.standard_normal((70, 4))
    y = (X[:, 0] * X[:, 1] > 0).astype(int) + (X[:, 2] > 0)
    chain, ends = model(0.3), {}
    for library in TRAINING:
        result = mm.fit(
            chain,
            X,
            y,
            backend=library,
            dtype="float64",
            epochs=2,
            batch_size=16,
            validation=0.2,
            progress=False,
        )
        leaves = tree.leaves(result.params)
        ends[library] = np.concatenate([np.ravel(mm.get_backend(library).to_numpy(leaf)) for leaf in leaves])
    for library, found in ends.items():
        np.testing.assert_allclose(found, ends["numpy"], atol=1e-12, err_msg=library)


@pytest.mark.parametrize("library", ["numpy", "torch", pytest.param("jax", marks=pytest.mark.slow)])
@pytest.mark.parametrize("ensemble", [False, True])
def test_members_inside_a_network_learn_each_by_itself(library, ensemble):
    """The loss of an example is the mean over them: at k times the rate each learns as a network of its own."""
    pytest.importorskip(library)
    X, y = RNG.standard_normal((40, 4)), RNG.integers(0, 3, 40)
    model = mm.chain(blocks.replicate(2), blocks.heads(3, 2, in_features=4))
    alone = mm.chain(blocks.dense(3, in_features=4))
    given = {
        "epochs": 2,
        "batch_size": 9,
        "dtype": "float64",
        "validation": (X[:9], y[:9]),
        "progress": False,
    }
    given["sample_weight"] = RNG.random(40)
    start = model.init(range(2) if ensemble else 0, dtype="float64")
    twice, once = (mm.optimizers.sgd(rate, momentum=0.0) for rate in (0.2, 0.1))
    found = mm.fit(model, X, y, params=start, backend=library, optimizer=twice, **given)
    host = mm.get_backend(library).to_numpy
    histories = []
    for outer in range(2) if ensemble else [None]:
        for member in range(2):
            mine = (outer, member) if ensemble else (member,)
            params = (tree.map(lambda leaf, mine=mine: leaf[mine], start[1]),)
            single = mm.fit(alone, X, y, params=params, optimizer=once, **given)
            histories.append(single.history)
            for leaf, own in zip(tree.leaves(found.params[1]), tree.leaves(single.params), strict=True):
                assert np.abs(host(leaf)[mine] - own).max() < 1e-12
    for name, values in found.history.items():
        assert np.abs(np.mean([history[name] for history in histories], axis=0) - values).max() < 1e-12


def test_a_rate_that_changes_is_that_of_the_step():
    chain = mm.chain(blocks.dropout(mm.schedules.piecewise([3], [0.75, 0.0])))
    ones, key = np.ones((200, 50)), mm.random.key(0)
    assert chain.scheduled
    for step, rate in ((None, 0.75), (2, 0.75), (3, 0.0)):
        kept = chain(((),), ones, key, step=step)
        assert set(np.unique(kept)) <= {0.0, 1 / (1 - rate)}
        assert abs((kept == 0).mean() - rate) < 0.02
    whole = chain(((),), ones, key)
    assert np.array_equal(chain(((),), ones[30:60], key, window=(30, 200)), whole[30:60])


def test_a_decay_that_changes_is_that_of_the_step():
    decay = mm.schedules.piecewise([1], [0.5, 0.0])
    optimizer = mm.optimizers.adamw(0.1, weight_decay=decay)
    params = np.asarray([2.0])
    state = optimizer.init(params)
    for expected in (2.0 * (1 - 0.05), 1.9):
        params, state = optimizer.update(np.zeros(1), state, params)
        np.testing.assert_allclose(params, [expected])
    result = mm.fit(
        mm.MLP(4, 3, 2),
        ROWS,
        np.zeros(6, int),
        optimizer=optimizer,
        validation=None,
        epochs=1,
        progress=False,
    )
    assert "weight decay that changes" in result.engine_reason


def test_members_draw_masks_of_their_own():
    chain, key = model(0.5), mm.random.key(0)
    params = tree.map(lambda a: np.stack([a, a]), chain.init(0, "numpy"))
    first, second = chain(params, ROWS.astype(np.float32), key)
    assert not np.array_equal(first, second)


def test_chains_are_saved_and_loaded(tmp_path):
    chain = model(0.1)
    for seed in (0, range(2)):
        params = chain.init(seed)
        mm.save(tmp_path / "chain.safetensors", chain, params)
        again, loaded = mm.load(tmp_path / "chain.safetensors")
        assert again == chain
        assert tree.structure(loaded) == tree.structure(params)
        for a, b in zip(tree.leaves(loaded), tree.leaves(params), strict=True):
            assert np.array_equal(a, b)


def test_a_function_of_your_own_cannot_be_written_down(tmp_path):
    chain = mm.chain(blocks.dense(2, in_features=2), lambda x: x * 2)
    assert chain(chain.init(), np.ones((1, 2), np.float32)).shape == (1, 2)
    assert not chain.is_known
    with pytest.raises(InputError, match="callable|own|written"):
        mm.save(tmp_path / "own.safetensors", chain, chain.init())
    assert not list(tmp_path.iterdir())


def test_how_many_features_come_in_is_what_the_first_that_knows_takes():
    for chain, expected in (
        (mm.chain("relu", blocks.dropout(0.1), blocks.dense(3, in_features=5)), 5),
        (mm.chain(mm.chain("relu"), mm.chain(blocks.smooth_clip(), blocks.scale(in_features=4))), 4),
        (mm.chain(mm.chain(blocks.select([0, 3])), blocks.dense(3)), None),
        (mm.chain(blocks.concat([blocks.select([1]), "relu"]), blocks.dense(3, in_features=5)), None),
        (mm.chain("glu", blocks.dense(3, in_features=2)), None),
        (mm.chain(blocks.dense(6), blocks.layer_norm()), None),
        (mm.chain(blocks.periodic(2), blocks.scale(in_features=8)), None),
        (mm.chain(blocks.layer_norm(), blocks.scale(in_features=8)), 8),
    ):
        assert chain.in_features == expected


def test_a_chain_whose_first_block_takes_any_number_stands_in_another():
    inner = mm.chain(blocks.dense(6), blocks.rms_norm())
    chain = mm.chain(blocks.dense(3, in_features=2), inner)
    assert chain.blocks[1].in_features == 3
    assert mm.chain(inner).after(5).in_features == 5


@pytest.mark.parametrize("library", NAMES)
def test_several_inputs_by_name(library):
    chain = mm.chain(
        blocks.concat(
            [blocks.select("numbers", features=2), mm.chain(blocks.select("kind"), blocks.one_hot([3]))]
        ),
        blocks.dense(2),
    )
    backend = mm.get_backend(library)
    inputs = {"numbers": backend.asarray(ROWS[:2, :2]), "kind": backend.asarray(np.asarray([[0.0], [2.0]]))}
    params = chain.init(0, library, "float64")
    whole = np.hstack([ROWS[:2, :2], [[1, 0, 0], [0, 0, 1]]])
    weight = backend.to_numpy(params[1].weight)
    np.testing.assert_allclose(backend.to_numpy(chain(params, inputs)), whole @ weight, atol=1e-14)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: mm.chain(), InputError, "at least one block"),
        (lambda: mm.chain(3), InputError, r"blocks\[0\]: expected a block"),
        (lambda: mm.chain(blocks.dense), InputError, r"make one: dense\(...\)"),
        (lambda: mm.chain("reluu"), InputError, "did you mean|known"),
        (lambda: mm.chain(blocks.layer_norm()).init(), ShapeError, "layer_norm must know how many features"),
        (lambda: mm.chain(blocks.dense(3, in_features=2), blocks.dense(4, in_features=5)), ShapeError,
         "block 1: dense takes 5 features, but 3 come in"),
        (lambda: mm.chain(blocks.dense(3, in_features=2), blocks.residual(blocks.dense(4))), ShapeError,
         "block 1: residual adds 3 features to 4"),
        (lambda: mm.chain(blocks.dense(3, in_features=2), blocks.select([3])), ShapeError, "column 3"),
        (lambda: blocks.dense(0), InputError, "out_features: expected a positive integer"),
        (lambda: blocks.dense(2, "nope"), InputError, "activation: "),
        (lambda: blocks.dense(2, kernel_init="nope"), InputError, "kernel_init: "),
        (lambda: blocks.dropout(1.0), InputError, "rate: expected"),
        (lambda: blocks.standardize([1.0], [0.0]), InputError, r"std: .*got 0 at \[0\]"),
        (lambda: blocks.standardize([1.0], [1.0, 2.0]), ShapeError, "equally many"),
        (lambda: blocks.piecewise_linear([[1.0, 1.0]]), InputError, r"edges\[0\]: "),
        (lambda: blocks.quantile_edges(np.ones((5, 1))), InputError, "column 0 has one value"),
        (lambda: blocks.quantile_edges(np.asarray([[1.0, 0.0], [2.0, np.nan]])), DataError, "got nan in row 1 of column 1"),
        (lambda: blocks.embedding([], 2), InputError, "categories: "),
        (lambda: blocks.periodic(1, keep=True), InputError, "features: expected 2"),
        (lambda: blocks.get({"name": "dense", "options": {"out_features": 2, "units": 3}}), InputError,
         "no option 'units'"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_block_is_said(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_what_is_wrong_with_a_call_is_said():
    chain, X = model(), ROWS.astype(np.float32)
    params = chain.init()
    with pytest.raises(ShapeError, match=r"X: expected shape \(..., 4\), got \(6, 3\)"):
        chain(params, X[:, :3])
    with pytest.raises(DTypeError, match="X has dtype float64, params have float32"):
        chain(params, ROWS)
    with pytest.raises(InputError, match=r"missing params\[5\]"):
        chain(params[:5], X)
    with pytest.raises(InputError, match="X: expected an array, got list"):
        chain(params, X.tolist())
    wrong = (params[0]._replace(bias=np.zeros(3, np.float32)), *params[1:])
    with pytest.raises(ShapeError, match=r"params\[0\].bias has shape \(3,\), expected \(8,\)"):
        chain(wrong, X)
    if "torch" in NAMES:
        with pytest.raises(MixedBackendsError, match="X is a torch array"):
            chain(params, mm.convert(X, "torch"))
    with pytest.raises(ShapeError, match=r"X: expected shape \(n, 4\)"):
        mm.fit(chain, ROWS[:, :2], np.zeros(6, int), progress=False)


@pytest.mark.parametrize("library", [name for name in NAMES if name != "strict"])
@pytest.mark.parametrize("name", ["layer_norm", "rms_norm", "weight_norm_dense"])
def test_squares_of_16_bits_are_no_infinities(library, name):
    """Their outputs are those of float64 to the digits of 16 bits, though squares of the numbers are beyond them."""
    options = {"out_features": 2, "use_bias": False} if name == "weight_norm_dense" else {}
    chain = mm.chain(getattr(blocks, name)(in_features=3, **options))
    params, x = chain.init(backend="numpy", dtype="float64"), np.asarray([[100.0, 300.0, -400.0]])
    if name == "weight_norm_dense":
        params = mm.tree.map(lambda leaf: leaf * 500, params)
        x = x / 1000
    expected = chain(params, x)
    backend = mm.get_backend(library)
    half = mm.tree.map(lambda leaf: backend.asarray(leaf, dtype="float16"), params)
    found = chain(half, backend.asarray(x, dtype="float16"))
    assert backend.dtype_name(found.dtype) == "float16"
    np.testing.assert_allclose(backend.to_numpy(found).astype(float), expected, rtol=4e-3)


@pytest.mark.parametrize("library", NAMES)
def test_a_column_that_is_not_there_is_said(library):
    chain = mm.chain(blocks.select([0, 5]), blocks.dense(2))
    params = chain.init(backend=library, dtype="float32")
    for call in (chain, lambda params, x: mm.predict(chain, params, x)):
        with pytest.raises(
            ShapeError, match="X: expected at least 6 columns, of which select takes the last, got 3"
        ):
            call(params, mm.get_backend(library).asarray(np.ones((2, 3)), dtype="float32"))


@pytest.mark.parametrize("layer", [blocks.batch_ensemble, blocks.heads])
def test_members_of_another_number_are_said(layer):
    chain = mm.chain(blocks.replicate(2), layer(4, 3, in_features=2))
    with pytest.raises(
        ShapeError, match=r"expected the rows of 3 members, as replicate\(3\) makes them, got 2"
    ):
        chain(chain.init(backend="numpy"), np.ones((5, 2), dtype="float32"))
