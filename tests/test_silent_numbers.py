"""What would train or predict on numbers that mean nothing is refused, on every backend."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest
from libraries import TRAINING

import multimlp as mm
from multimlp import data, files, losses
from multimlp.backend import load_backend
from multimlp.cli import main
from multimlp.errors import DataError, InputError, MultimlpError, ShapeError

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((12, 3)).astype(np.float32), np.arange(12) % 2
MLP = mm.MLP(3, 4, 2)


def fit(backend, *args, **options):
    settings = {"epochs": 1, "validation": None, "progress": False, "batch_size": 4}
    return mm.fit(MLP, *args, backend=backend, **{**settings, **options})


every_backend = pytest.mark.parametrize("backend", TRAINING)


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
