"""Models of several inputs: what `fit` and `predict` make of tuples and dicts of arrays, against one array that holds the same."""

from __future__ import annotations

import numpy as np
import pytest

import multimlp as mm
from multimlp import blocks
from multimlp.backend import array_namespace, owner
from multimlp.errors import DataError, InputError, ShapeError

RNG = np.random.default_rng(0)
A, B, CODES = RNG.standard_normal((60, 2)), RNG.standard_normal((60, 3)), RNG.integers(0, 4, (60, 1))
TOGETHER = np.hstack([A, B, CODES])
Y = (A[:, 0] + B[:, 1] + CODES[:, 0] > 1).astype(np.int64)


def rest():
    return blocks.dense(8, "tanh"), blocks.dropout(0.2), blocks.dense(2)


def tabular(first, second, codes):
    table = mm.chain(codes, blocks.embedding([4], 3))
    return mm.chain(blocks.concat([first, second, table]), *rest())


ONE = tabular(blocks.select([0, 1]), blocks.select([2, 3, 4]), blocks.select([5]))
NAMED = tabular(
    blocks.select("a", features=2), blocks.select("b", features=3), blocks.select("codes", features=1)
)
PLACED = tabular(blocks.select(0, features=2), blocks.select(1, features=3), blocks.select(2, features=1))
DICT = {"a": A, "b": B, "codes": CODES}
TUPLE = (A, B, CODES)
SETTINGS = dict(epochs=3, batch_size=16, dtype="float64", progress=False, seed=3)


def at(X, rows):
    return {k: v[rows] for k, v in X.items()} if isinstance(X, dict) else tuple(v[rows] for v in X)


def host(array):
    return np.asarray(owner(array).to_numpy(array))


def flat(result):
    return np.concatenate([np.ravel(host(leaf)) for leaf in mm.tree.leaves(result.params)])


def equal(one, other):
    np.testing.assert_allclose(flat(other), flat(one), rtol=0, atol=1e-12)
    for name, values in one.history.items():
        np.testing.assert_allclose(other.history[name], values, rtol=0, atol=1e-12)


WAYS = {
    "as it comes": {},
    "steps": {"compile": "none"},
    "shards": {"shards": 2},
    "validation data": {"validation": 40},
    "all at once": {"batch_size": None},
    "weights": {"sample_weight": np.arange(60.0) + 1},
}


@pytest.mark.parametrize(("model", "X"), [(NAMED, DICT), (PLACED, TUPLE)], ids=["dict", "tuple"])
@pytest.mark.parametrize("way", WAYS)
def test_several_inputs_learn_what_one_learns(model, X, way):
    check("numpy", model, X, way)


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_they_do_on_every_backend(backend, way):
    check(backend.name, NAMED, DICT, way)


def check(name, model, X, way):
    options = {**SETTINGS, **WAYS[way], "backend": name}
    X, one, y = X, TOGETHER, Y
    if way == "validation data":
        held = slice(40, None)
        others = {**options, "validation": (at(X, held), Y[held])}
        options["validation"] = (TOGETHER[held], Y[held])
        X, one, y = at(X, slice(0, 40)), TOGETHER[:40], Y[:40]
    else:
        others = options
    expected = mm.fit(ONE, one, y, **options)
    found = mm.fit(model, X, y, **others)
    equal(expected, found)
    outputs = [mm.predict(m, r.params, x) for m, r, x in ((ONE, expected, one), (model, found, X))]
    np.testing.assert_allclose(host(outputs[1]), host(outputs[0]), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["numpy", "torch", "jax", "tensorflow"])
def test_arrays_of_a_library_and_a_function_of_ones_own(name):
    pytest.importorskip({"numpy": "numpy"}.get(name, name))
    start = {"w": np.zeros((2, 1)), "v": np.zeros((2, 3, 1))}

    def model(params, X, key=None):
        xp = array_namespace(params["w"])
        left, (cube,) = X["left"], X["right"]
        assert cube.shape[1:] == (2, 3)
        return xp.matmul(left, params["w"]) + xp.sum(cube[..., None] * params["v"], axis=(-3, -2))

    cube = RNG.standard_normal((50, 2, 3))
    targets = A[:50] @ [1.0, 2.0] + cube.sum(axis=(1, 2))

    def given(array):
        return mm.convert(array, backend=name, dtype="float64")

    X = {"left": given(A[:50]), "right": (given(cube),)}
    options = dict(
        loss="mse",
        optimizer=mm.optimizers.sgd(0.1),
        epochs=60,
        dtype="float64",
        progress=False,
        validation=None,
    )
    result = mm.fit(model, X, targets, params=start, backend=name, **options)
    np.testing.assert_allclose(host(result.params["w"])[:, 0], [1, 2], atol=1e-2)
    said = host(mm.predict(model, result.params, X))
    np.testing.assert_allclose(said[:, 0], targets, atol=5e-2)


def test_batches_of_several_inputs():
    options = {**SETTINGS, "backend": "numpy", "validation": None}
    starts = range(0, 60, 20)

    def batches(X):
        return lambda: ((at(X, slice(i, i + 20)), Y[i : i + 20]) for i in starts)

    held = (at(DICT, slice(0, 9)), Y[:9])
    found = mm.fit(NAMED, batches(DICT), **{**options, "validation": held})
    one = lambda: ((TOGETHER[i : i + 20], Y[i : i + 20]) for i in starts)  # noqa: E731
    equal(mm.fit(ONE, one, **{**options, "validation": (TOGETHER[:9], Y[:9])}), found)


def test_a_checkpoint_goes_on(tmp_path):
    options = {**SETTINGS, "backend": "numpy"}
    expected = mm.fit(NAMED, DICT, Y, **options)
    mm.fit(NAMED, DICT, Y, **{**options, "epochs": 1}, checkpoint=tmp_path / "c")
    found = mm.fit(NAMED, DICT, Y, **options, checkpoint=tmp_path / "c")
    np.testing.assert_array_equal(flat(found), flat(expected))


def test_an_ensemble_and_sixteen_bits():
    options = {**SETTINGS, "backend": "numpy"}
    params = NAMED.init(seed=range(3), backend="numpy", dtype="float64")
    equal(
        mm.fit(ONE, TOGETHER, Y, params=params, **options), mm.fit(NAMED, DICT, Y, params=params, **options)
    )
    pytest.importorskip("torch")
    result = mm.fit(NAMED, DICT, Y, **{**options, "dtype": "bfloat16", "backend": "torch"})
    assert np.isfinite(result.history["loss"]).all()


def test_the_order_of_names_does_not_count():
    params = NAMED.init(seed=0, backend="numpy")
    turned = dict(reversed(DICT.items()))
    np.testing.assert_array_equal(mm.predict(NAMED, params, turned), mm.predict(NAMED, params, DICT))


WRONG = {
    "lengths": ({**DICT, "b": B[:9]}, ShapeError, r"X\['b'\]: expected 60 rows, as X\['a'\] has, got 9"),
    "text": ({**DICT, "b": "b.csv"}, InputError, r"X\['b'\]: expected an array, got 'b.csv'"),
    "nothing": ({**DICT, "b": None}, InputError, r"X\['b'\]: expected an array, got None"),
    "words": ({**DICT, "b": [["x"]] * 60}, DataError, r"X\['b'\]: expected numbers"),
    "a number": ({**DICT, "b": 1.0}, ShapeError, r"X\['b'\]: expected an array with a row for each example"),
    "an empty dict": ({}, InputError, "X: expected arrays, got an empty dict"),
    "not a number": ({**DICT, "b": np.full((60, 3), np.nan)}, DataError, "NaN or infinite"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_no_input_is_named(case):
    X, error, message = WRONG[case]
    with pytest.raises(error, match=message):
        mm.fit(NAMED, X, Y, **SETTINGS, backend="numpy")


def test_validation_and_batches_must_be_as_the_examples():
    with pytest.raises(
        InputError, match=r"validation X: expected inputs of the structure \{'a': \*, 'b': \*, 'codes': \*\}"
    ):
        mm.fit(NAMED, DICT, Y, validation=(TUPLE, Y), backend="numpy", progress=False)
    with pytest.raises(ShapeError, match=r"validation X\['b'\]: expected shape \(n, 3\), got \(60, 2\)"):
        mm.fit(NAMED, DICT, Y, validation=({**DICT, "b": A}, Y), backend="numpy", progress=False)
    with pytest.raises(InputError, match="an MLP takes one array"):
        mm.fit(mm.MLP(6, 4, 2), lambda: iter([(DICT, Y)]), backend="numpy", progress=False)
