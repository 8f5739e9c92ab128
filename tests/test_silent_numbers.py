"""What would train or predict on numbers that mean nothing is refused, on every backend."""

from __future__ import annotations

import itertools
import re
import warnings

import numpy as np
import pytest
from libraries import COMPILED, TRAINING

import multimlp as mm
from multimlp import data, files, losses
from multimlp.backend import load_backend
from multimlp.cli import main
from multimlp.errors import DataError, InputError, MultimlpError, NonFiniteLossError, ShapeError

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((12, 3)).astype(np.float32), np.arange(12) % 2
MLP = mm.MLP(3, 4, 2)


def fit(backend, *args, **options):
    settings = {"epochs": 1, "validation": None, "progress": False, "batch_size": 4}
    return mm.fit(MLP, *args, backend=backend, **{**settings, **options})


every_backend = pytest.mark.parametrize("backend", TRAINING)
ALL = [pytest.param(n, marks=pytest.mark.slow) if n in COMPILED else n for n in TRAINING]
every_backend_slowly = pytest.mark.parametrize("backend", ALL)
"""Where libraries that compile take seconds for each case."""


def one_short(outputs, y):
    return losses.cross_entropy(outputs, y)[..., 1:]


def a_column_too_many(outputs, y):
    return outputs


def a_number(outputs, y):
    return mm.array_namespace(outputs).mean(losses.cross_entropy(outputs, y))


@every_backend
@pytest.mark.parametrize("loss", [one_short, a_column_too_many, a_number])
def test_losses_of_ones_own_have_one_number_an_example(backend, loss):
    with pytest.raises(
        ShapeError, match=rf"loss: {loss.__name__} must give one number an example, shape \(2,\)"
    ):
        fit(backend, X, Y, loss=loss)


@every_backend
def test_a_penalty_is_one_number(backend):
    with pytest.raises(ShapeError, match=r"regularizer: expected an array of shape \(\), got shape \(3, 4\)"):
        fit(backend, X, Y, regularizer=lambda params: params[0].weight ** 2)
    with pytest.raises(ShapeError, match=r"regularizer: .* got 0.5 of type float"):
        fit(backend, X, Y, regularizer=lambda params: 0.5)


@every_backend
@pytest.mark.parametrize(
    ("weights", "said"),
    [
        (np.where(np.arange(12) == 5, -1.0, 1.0), r"sample_weight: expected weights >= 0, got -1.0 at \[5\]"),
        (np.zeros(12), "sample_weight: all weights are zero"),
    ],
)
def test_weights_weigh(backend, weights, said):
    with pytest.raises(DataError, match=said):
        fit(backend, X, Y, sample_weight=weights)


def test_what_is_masked_does_not_count_as_what_lies_behind_the_mask():
    pytest.importorskip("sklearn")
    from multimlp.estimators import MLPClassifier, RealMLPClassifier
    from multimlp.frames import Schema

    hidden = np.ma.masked_array(X, mask=X > 1)
    params, said = MLP.init(0, "numpy"), r": \d+ values of a masked array are masked; fill them in"
    ones = np.ma.masked_array(np.ones(12), mask=Y == 1)
    for call, where in (
        (lambda: fit("numpy", hidden, Y), "X"),
        (lambda: fit("numpy", X, np.ma.masked_array(Y, mask=Y == 1)), "y"),
        (lambda: fit("numpy", X, Y, sample_weight=ones), "sample_weight"),
        (lambda: fit("numpy", X, Y, validation=(hidden, Y)), "validation X"),
        (lambda: mm.predict(MLP, params, hidden), "X"),
        (lambda: data.Standardizer.fit(hidden), "X"),
        (lambda: MLPClassifier(2).fit(hidden, Y), "X"),
        (lambda: MLPClassifier(2).fit(X, Y, sample_weight=ones), "sample_weight"),
        (lambda: MLPClassifier(2, max_iter=1).fit(X, Y).predict(hidden), "X"),
        (lambda: RealMLPClassifier().fit(X, np.ma.masked_array(Y, mask=Y == 1)), "y"),
    ):
        with pytest.raises(DataError, match=where + said):
            call()
    nothing = np.ma.masked_array(X, mask=np.zeros(X.shape, bool))
    assert fit("numpy", nothing, Y).history == fit("numpy", X, Y).history
    columns = Schema.of(np.ma.masked_invalid(np.where(X > 1, np.inf, X)))
    assert [column.missing for column in columns.columns] == (X > 1).any(axis=0).tolist()
    names = np.ma.masked_array(np.asarray(["a", "b"] * 6), mask=Y == 1)
    stamps = np.ma.masked_array(np.arange(12).astype("datetime64[D]"), mask=Y == 1)
    encoded = Schema.of({"n": names, "t": stamps}).encode({"n": names, "t": stamps})
    assert (
        (encoded.codes[:, 0] == -1).tolist() == np.isnan(encoded.numbers[:, 0]).tolist() == (Y == 1).tolist()
    )


def test_sparse_matrices_are_to_be_made_dense():
    sparse = pytest.importorskip("scipy.sparse")
    for kind in (sparse.csr_matrix, sparse.csr_array, sparse.coo_array):
        for call in (
            lambda kind=kind: fit("numpy", kind(X), Y),
            lambda kind=kind: mm.predict(MLP, MLP.init(0, "numpy"), kind(X)),
        ):
            with pytest.raises(
                DataError,
                match=r"X: expected an array, got a sparse matrix; make it dense first, X.toarray\(\)",
            ):
                call()


@pytest.mark.parametrize("where", ["X", "y", "sample_weight"])
def test_complex_numbers_are_refused(where):
    given = {"X": X, "y": Y.astype(np.float64), "sample_weight": np.ones(12)}
    given[where] = given[where] + 1j
    with pytest.raises(DataError, match=f"{where}: expected real numbers, got complex"):
        fit("numpy", given["X"], given["y"], loss="mse", sample_weight=given["sample_weight"])


@every_backend
@pytest.mark.parametrize(
    ("held", "error", "said"),
    [
        ((X, Y + 5), DataError, "validation .*5"),
        ((X[:, :2], Y), ShapeError, r"validation X: expected shape \(n, 3\)"),
        ((X[:5], Y), ShapeError, "validation y: expected 5 rows"),
        ((np.where(X > 1, np.nan, X), Y), DataError, "validation X: .* NaN or infinite"),
        ((X[:0], Y[:0]), DataError, "validation X: there are no rows"),
    ],
)
def test_what_is_validated_on_is_checked(backend, held, error, said):
    with pytest.raises(error, match=said):
        fit(backend, X, Y, validation=held)


@every_backend
@pytest.mark.parametrize(
    ("second", "error", "said"),
    [
        ((X[:4, :2], Y[:4]), ShapeError, r"batch 1: X: expected shape \(n, 3\)"),
        ((X[:4], Y[:4] + 7), DataError, "batch 1: .*7"),
        ((X[:4], None), InputError, "None for y"),
        ((X[:4] * np.nan, Y[:4]), DataError, "batch 1: X: .* NaN or infinite"),
        ((X[:4], Y[:4], -np.ones(4)), DataError, "batch 1: sample_weight: expected weights >= 0"),
        ((X[:4], Y[:4], np.ones(3)), ShapeError, r"batch 1: sample_weight: expected shape \(4,\)"),
    ],
)
def test_each_batch_of_a_stream_is_checked(backend, second, error, said):
    with pytest.raises(error, match=said):
        fit(backend, lambda: iter([(X[:4], Y[:4]), second]))


@every_backend
def test_a_stream_of_no_weight_is_refused(backend):
    with pytest.raises(DataError, match="all weights of all batches are zero"):
        fit(backend, lambda: iter([(X[:4], Y[:4], np.zeros(4))] * 3))


@every_backend
def test_an_epoch_without_batches_is_refused(backend):
    once = iter([(X[:4], Y[:4])])
    with pytest.raises(DataError, match="X: there are no batches in epoch 2"):
        fit(backend, lambda: once, epochs=2)


def by_hand(params, batches, rate):
    """Gradient descent on the mean squared error of a network with tanh, a step a batch."""
    (w1, b1), (w2, b2) = ((np.asarray(weight), np.asarray(bias)) for weight, bias in params)
    losses = []
    for inputs, targets in batches:
        hidden = np.tanh(inputs @ w1 + b1)
        error = hidden @ w2 + b2 - targets[:, None]
        losses.append(np.mean(error**2))
        slope = 2 * error / len(inputs)
        below = slope @ w2.T * (1 - hidden**2)
        w2, b2 = w2 - rate * hidden.T @ slope, b2 - rate * slope.sum(0)
        w1, b1 = w1 - rate * inputs.T @ below, b1 - rate * below.sum(0)
    return (w1, b1, w2, b2), losses


SIZES = (2, 5, 1, 4)
SLOWLY = [("jax", {"shards": 2}), *((name, {}) for name in COMPILED)]
WAYS = [
    *((name, {}) for name in TRAINING if name not in COMPILED),
    ("numpy", {"compile": "none"}),
    ("numpy", {"compile": "numba"}),
    ("numpy", {"shards": 2}),
    *(pytest.param(*way, marks=pytest.mark.slow) for way in SLOWLY if way[0] in COMPILED),
]


@pytest.mark.parametrize(("backend", "given"), WAYS)
def test_a_batch_is_a_step_whatever_its_size(backend, given):
    if given.get("compile") == "numba":
        pytest.importorskip("numba")
    if "float64" not in load_backend(backend).capabilities.dtypes:
        pytest.skip("no float64")
    mlp, wide = mm.MLP(3, 4, 1, activation="tanh"), X.astype(np.float64)
    cuts = np.cumsum((0, *SIZES))
    batches = [(wide[i:j], Y[i:j] * 1.0) for i, j in itertools.pairwise(cuts)]
    start = mlp.init(0, "numpy", "float64")
    expected, losses = by_hand(start, batches * 2, 0.1)
    found = mm.fit(
        mlp, lambda: iter(batches), loss="mse", optimizer=mm.optimizers.sgd(0.1), params=start, epochs=2, validation=None,
        progress=False, backend=backend, dtype="float64", **given,
    )  # fmt: skip
    for leaf, wanted in zip(mm.tree.leaves(found.params), expected, strict=True):
        np.testing.assert_allclose(load_backend(backend).to_numpy(leaf), wanted, rtol=0, atol=1e-12)
    means = [np.dot(losses[i : i + 4], SIZES) / sum(SIZES) for i in (0, 4)]
    np.testing.assert_allclose(found.history["loss"], means, rtol=1e-12)


@pytest.mark.parametrize("train", [mm.fit, lambda mlp, X, **given: mm.sweep(mlp, {"seed": [0]}, X, **given)])
def test_batches_come_as_they_are(train):
    batches = lambda: iter([(X[:4], Y[:4]), (X[4:], Y[4:])])  # noqa: E731
    with pytest.raises(InputError, match="last_batch: 'drop' leaves out rows"):
        train(MLP, batches, last_batch="drop", validation=None, progress=False)
    with pytest.raises(InputError, match="optimizer: 'lbfgs' "):
        train(MLP, batches, optimizer="lbfgs", validation=None, progress=False)


@every_backend
@pytest.mark.parametrize("weight", [1e-60, 1e-40, 1e32, 1e37])
def test_weights_that_the_dtype_cannot_add_up_are_refused(backend, weight):
    for given in ((X, Y), (lambda: iter([(X, Y, np.full(12, weight))]),)):
        weights = {"sample_weight": np.full(12, weight)} if len(given) == 2 else {}
        with pytest.raises(DataError, match="sample_weight: expected weights whose sum float32 can compute"):
            fit(backend, *given, dtype="float32", **weights)


def test_small_and_large_weights_are_as_good_as_others():
    plain = fit("numpy", X, Y, dtype="float64").history["loss"]
    for weight in (1e-60, 1e-20, 1e37):
        weighted = fit("numpy", X, Y, dtype="float64", sample_weight=np.full(12, weight)).history["loss"]
        np.testing.assert_allclose(weighted, plain, rtol=1e-12)
    fit("numpy", X, Y, dtype="float32", sample_weight=np.where(np.arange(12) == 3, 1e-60, 1.0))


def test_rows_held_out_are_not_all_that_count():
    from multimlp.training._orders import held_out

    weights = np.zeros(12)
    weights[held_out(0, 12, 3)] = 1.0
    with pytest.raises(
        DataError, match="all weights of the rows that validation leaves to train on are zero"
    ):
        fit("numpy", X, Y, sample_weight=weights, validation=0.25)
    with pytest.raises(DataError, match="all weights of the rows that validation holds out are zero"):
        fit("numpy", X, Y, sample_weight=1.0 - weights, validation=0.25)


@every_backend_slowly
def test_rows_to_validate_on_weigh_what_they_weigh(backend):
    from multimlp.training._orders import held_out

    weights, rows = np.linspace(0, 3, 12), held_out(0, 12, 6)
    split = fit(backend, X, Y, sample_weight=weights, validation=0.5)
    given = fit(backend, X, Y, validation=(X[rows], Y[rows], weights[rows]))
    swept = mm.sweep(
        MLP, {"seed": [0, 1]}, X, Y, sample_weight=weights, validation=0.5, epochs=1, batch_size=4, progress=False, backend=backend,
    )  # fmt: skip
    library = load_backend(backend)
    for params, found in (
        (split.params, split.history["val_loss"][-1]),
        (given.params, given.history["val_loss"][-1]),
        (swept.params(1), swept.table[1]["val_loss"]),
    ):
        outputs = MLP(mm.tree.map(library.to_numpy, params), X[rows])
        expected = np.average(losses.cross_entropy(outputs, Y[rows]), weights=weights[rows])
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert (
        fit(backend, X, Y, validation=(X, Y)).history == fit(backend, X, Y, validation=(X, Y, None)).history
    )


@pytest.mark.parametrize(
    ("weights", "error", "said"),
    [
        (
            np.zeros(12),
            DataError,
            "validation sample_weight: all weights are zero, so there is nothing to validate on",
        ),
        (-np.ones(12), DataError, "validation sample_weight: expected weights >= 0"),
        (np.ones(11), ShapeError, "validation sample_weight: expected shape"),
    ],
)
def test_weights_to_validate_with_are_checked(weights, error, said):
    with pytest.raises(error, match=said):
        fit("numpy", X, Y, validation=(X, Y, weights))


FACTOR = [1.0]


def factor():
    return FACTOR[0]


def own_loss(outputs, y):
    return losses.cross_entropy(outputs, y) * factor()


def own_penalty(params):
    return mm.array_namespace(params[0].weight).sum(params[0].weight ** 2) * factor()


def own_model(params, inputs, key=None):
    return MLP(params, inputs) * factor()


OWN = {
    "loss": {"loss": own_loss},
    "regularizer": {"regularizer": own_penalty},
    "model": {"mlp": own_model},
    "optimizer": {"optimizer": mm.optimizers.sgd(learning_rate=lambda step: 0.1 * factor())},
}


@pytest.mark.parametrize(
    ("backend", "part"),
    [
        *(
            pytest.param(b, part, marks=pytest.mark.slow)
            for b in COMPILED
            for part in OWN
            if (b, part) != ("jax", "loss")
        ),
        *((b, part) for b in TRAINING if b not in COMPILED for part in OWN),
        *(("jax", "loss") for b in COMPILED if b == "jax"),
    ],
)
def test_functions_of_ones_own_are_read_anew_in_each_fit(backend, part):
    """A compiled program has what they read as constants, so it is not for the next fit."""
    given = {"optimizer": mm.optimizers.sgd(0.1), "mlp": MLP, **OWN[part]}

    def trained(factor):
        FACTOR[0] = factor
        settings = {"epochs": 2, "validation": None, "progress": False, "batch_size": 4, "backend": backend}
        found = mm.fit(X=X, y=Y, params=MLP.init(0, "numpy"), **settings, **given)
        return found.history["loss"]

    try:
        first, second = trained(1.0), trained(3.0)
    finally:
        FACTOR[0] = 1.0
    assert abs(first[1] - second[1]) > 1e-3


@every_backend
@pytest.mark.parametrize("jit", [False, True])
def test_the_slope_of_a_singular_determinant_is_never_zero_in_silence(backend, jit):
    """It is the matrix of cofactors; libraries that divide by what they decompose the matrix into do not have it."""
    matrix = load_backend(backend).asarray(np.asarray([[1.0, 2.0], [2.0, 4.0]]), dtype="float64")
    slope = mm.grad(lambda x: mm.array_namespace(x).linalg.det(x))
    said, found = "", np.zeros((2, 2))
    try:
        found = np.asarray((mm.jit(slope) if jit else slope)(matrix))
    except Exception as error:
        said = str(error).lower()
    refused = "singular" in said or "not invertible" in said
    assert refused or np.isnan(found).all() or np.allclose(found, [[4.0, -2.0], [-2.0, 1.0]])


@every_backend
@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize(("kind", "scale"), [("float32", 1e-8), ("float64", 1e-60)])
def test_the_slope_of_a_small_determinant_is_a_number(backend, jit, kind, scale):
    """Its square is 0 in the dtype; the determinant is not."""
    matrix = load_backend(backend).asarray(scale * np.diag([1.0, 2.0, 3.0]), dtype=kind)
    slope = mm.grad(lambda x: mm.array_namespace(x).linalg.det(x))
    found = load_backend(backend).to_numpy((mm.jit(slope) if jit else slope)(matrix))
    np.testing.assert_allclose(found, scale**2 * np.diag([6.0, 3.0, 2.0]), rtol=1e-5, atol=0)


@every_backend
def test_running_sums_of_matrices_need_an_axis(backend):
    x = load_backend(backend).asarray(np.ones((2, 3)))
    for name in ("cumulative_sum", "cumulative_prod"):
        with pytest.raises(Exception, match=r"axis|dim"):
            getattr(mm.array_namespace(x), name)(x)


@every_backend
def test_no_variance_is_negative(backend):
    """With a correction beyond the count nothing is left to divide by."""
    library = load_backend(backend)
    x = library.asarray(np.asarray([1.0, 2.0, 4.0]), dtype="float32")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = float(mm.array_namespace(x).var(x, correction=5))
    assert not found < 0


@every_backend_slowly
def test_the_last_step_may_be_the_one_that_diverges(backend):
    """Its loss is known only after the next one."""
    given = {"optimizer": mm.optimizers.sgd(1e38), "batch_size": None, "dtype": "float32"}
    wide = 1e30 * X
    with pytest.raises(
        NonFiniteLossError, match="the parameters became infinite or NaN in the last steps of epoch 1"
    ):
        fit(backend, wide, Y, **given)
    for callbacks in ([], [lambda run: None]):
        swept = mm.sweep(
            MLP, {"learning_rate": [1e38, 0.0]}, wide, Y, epochs=1, validation=None, progress=False, backend=backend,
            callbacks=callbacks, **given,
        )  # fmt: skip
        assert np.isnan(swept.table.column("loss")).tolist() == [True, False]
        assert swept.best.index == 1


def test_estimators_for_tables_do_not_decide_on_nan():
    pytest.importorskip("sklearn")
    from multimlp.estimators import RealMLPRegressor, TabMRegressor

    options = {"hidden_layer_sizes": [4], "random_state": 0, "validation_fraction": 0, "n_epochs": 1}
    with pytest.raises(NonFiniteLossError, match="the parameters became infinite or NaN in epoch 1"):
        TabMRegressor(learning_rate=1e39, n_members=2, **options).fit(X, Y * 1.0)
    model = RealMLPRegressor(**options).fit(X, Y * 1.0)
    layers, huge = model._members[0].fitted.network, X.astype(np.float64)
    layers._params = mm.tree.map(lambda leaf: leaf * np.float32(1e30), layers.params)
    huge[3, 1] = 1e4
    with pytest.raises(DataError, match=r"a network's outputs are NaN or infinite, first for row \d"):
        model.predict(huge)


STAMPS = 1_700_000_000.0 + np.arange(1, 41)


def test_a_table_is_not_narrowed_before_it_is_standardised(tmp_path):
    path = tmp_path / "stamps.csv"
    lines = ["when,x,y"] + [f"{int(t)},{i % 7},{i}" for i, t in enumerate(STAMPS)]
    path.write_text("\n".join(lines) + "\n")
    table = (
        data.read_table(str(path), target="y")
        if hasattr(data, "read_table")
        else data.load(str(path), target="y")
    )
    assert len(np.unique(table.X[:, 0])) == 40
    standardised = data.Standardizer.fit(table.X)(table.X)
    np.testing.assert_allclose(standardised[:, 0], (STAMPS - STAMPS.mean()) / STAMPS.std(), rtol=1e-6)


def test_a_table_that_single_precision_holds_stays_there():
    assert data._compact.compact(np.asarray([[1.0, 0.1], [2.0, 0.2]])).dtype == np.float32
    assert data._compact.compact(STAMPS).dtype == np.float64


@every_backend
def test_an_estimator_does_not_decide_on_nan(backend):
    pytest.importorskip("sklearn")
    from multimlp.estimators import MLPClassifier, MLPRegressor

    model = MLPClassifier(
        hidden_layer_sizes=4, max_iter=2, random_state=0, backend=backend, dtype="float32", tol=0
    )
    model.fit(X, Y)
    huge = X.astype(np.float64)
    huge[3] = 1e300
    for call in (model.predict, model.predict_proba, lambda X: model.score(X, Y)):
        with pytest.raises(DataError, match="the network's outputs are NaN or infinite, first for row 3"):
            call(huge)
    regressor = MLPRegressor(
        hidden_layer_sizes=4, max_iter=2, random_state=0, backend=backend, dtype="float32", tol=0
    ).fit(X, Y * 1.0)
    with pytest.raises(DataError, match="first for row 3"):
        regressor.predict(huge)


def test_the_command_does_not_decide_on_nan(tmp_path, capsys):
    rows = [f"{a},{b},{int(a + b > 0)}" for a, b in RNG.standard_normal((30, 2))]
    table, model = tmp_path / "t.csv", tmp_path / "m.safetensors"
    table.write_text("\n".join(["a,b,y", *rows]) + "\n")
    assert (
        main(
            [
                "train",
                str(table),
                "--target",
                "y",
                "--save",
                str(model),
                "--epochs",
                "2",
                "--backend",
                "numpy",
            ]
        )
        == 0
    )
    mlp, params = mm.load(model, backend="numpy")
    extra = files.load_extra(model)
    mm.save(model, mlp, mm.tree.map(lambda w: w / np.max(np.abs(w)) * np.float32(3e38), params), extra=extra)
    new = tmp_path / "new.csv"
    new.write_text("a,b\n0,0\n1e20,-1e20\n")
    capsys.readouterr()
    code = main(["predict", str(model), str(new), "-o", str(tmp_path / "out.csv")])
    err = capsys.readouterr().err
    assert code == 2
    assert re.search("outputs are NaN or infinite for [12] of 2 rows", err), err
    assert not (tmp_path / "out.csv").exists()


def test_every_refusal_is_one_of_ours():
    assert issubclass(DataError, MultimlpError)
