"""Metrics against scikit-learn, and what it lacks against mpmath and NumPy, on every library."""

from __future__ import annotations

import pickle

import mpmath
import numpy as np
import pytest
from libraries import COMPILED, TRAINING, agree, every_library, run

import multimlp as mm
from multimlp import metrics
from multimlp.backend import load_backend
from multimlp.errors import DataError, DTypeError, InputError, ShapeError

sk = pytest.importorskip("sklearn.metrics")
RNG = np.random.default_rng(2)
N, K = 60, 4
SCORES = RNG.standard_normal((N, K))
LABELS = RNG.integers(0, K - 1, N)  # the last class never occurs, but is predicted
GUESS = SCORES.argmax(axis=1)
LOGITS = RNG.standard_normal((N, 1))
BITS = RNG.integers(0, 2, N)
DECIDED = (LOGITS[:, 0] > 0).astype(int)
VALUES = RNG.standard_normal((N, 3))
TRUTH = VALUES + RNG.standard_normal((N, 3))
CONSTANT = np.concatenate([np.ones((N, 2)), TRUTH[:, :1]], axis=1)
MET = np.concatenate([np.ones((N, 1)), VALUES[:, :2]], axis=1)
o = metrics.with_options

# ---- probabilities and ranks: few different scores, so that there are ties

TIED = np.round(SCORES[:, :3])
TIED_LOGITS = np.round(2 * LOGITS)
WEIGHTS = RNG.uniform(0, 3, N).round(1)
P3 = np.exp(TIED) / np.exp(TIED).sum(axis=1, keepdims=True)
P4 = np.exp(SCORES) / np.exp(SCORES).sum(axis=1, keepdims=True)
P1 = 1 / (1 + np.exp(-LOGITS))
SURE = np.where(BITS[:, None] == 1, 1.0, 0.0)
SURE[:2] = 1 - SURE[:2]
SOFT = RNG.dirichlet(np.ones(3), N)


def ece(p, labels, bins, weights=None):
    """By the bins of NumPy's histogram."""
    weights = np.ones(N) if weights is None else weights
    confidence, right = p.max(axis=1), p.argmax(axis=1) == labels
    edges = np.linspace(0, 1, bins + 1)
    parts = [
        np.histogram(confidence, edges, weights=weights * x)[0] for x in (confidence, right.astype(float))
    ]
    return np.abs(parts[0] - parts[1]).sum() / weights.sum()


def soft_auc(scores, positive):
    """Over all pairs, each by its weight."""
    above = (scores[:, None] > scores[None]) + 0.5 * (scores[:, None] == scores[None])
    pairs = positive[:, None] * (1 - positive)[None]
    return (pairs * above).sum() / pairs.sum()


# ---- forecasts

MEANS, LOG_SCALES, WANTED = VALUES[:, :2], RNG.standard_normal((N, 2)), TRUTH[:, :2]
GAUSSIAN = np.concatenate([MEANS, LOG_SCALES], axis=1)
LEVELS = (0.1, 0.5, 0.9)
QUANTILES = np.concatenate([MEANS - 1, MEANS, MEANS + 1.5], axis=1)


def crps(mean, log_scale, target):
    """The integral of the squared distance of the distribution functions, at 30 digits."""
    m, s, t = mpmath.mpf(mean), mpmath.exp(log_scale), mpmath.mpf(target)
    left = mpmath.quad(lambda x: mpmath.ncdf(x, m, s) ** 2, [m - 30 * s, min(m, t), t])
    right = mpmath.quad(lambda x: (1 - mpmath.ncdf(x, m, s)) ** 2, [t, max(m, t), m + 30 * s])
    return left + right


FEW = 4
CRPS = np.asarray(
    [
        [float(crps(*numbers)) for numbers in zip(*row, strict=True)]
        for row in zip(MEANS[:FEW], LOG_SCALES[:FEW], WANTED[:FEW], strict=True)
    ]
)


def pinballs(weights=None):
    return np.mean(
        [
            sk.mean_pinball_loss(WANTED, QUANTILES[:, 2 * i : 2 * i + 2], alpha=q, sample_weight=weights)
            for i, q in enumerate(LEVELS)
        ]
    )


COVERED = (QUANTILES[:, :2] <= WANTED) & (QUANTILES[:, 4:] >= WANTED)

CASES = {
    "accuracy": (metrics.accuracy, SCORES, LABELS, sk.accuracy_score(LABELS, GUESS)),
    "accuracy one-hot": (metrics.accuracy, SCORES, np.eye(K)[LABELS], sk.accuracy_score(LABELS, GUESS)),
    "accuracy binary": (metrics.accuracy, LOGITS, BITS, sk.accuracy_score(BITS, DECIDED)),
    "accuracy column": (metrics.accuracy, LOGITS, BITS[:, None], sk.accuracy_score(BITS, DECIDED)),
    "accuracy of each": (
        o("accuracy", each=True),
        VALUES,
        (TRUTH > 0).astype(float),
        1 - sk.hamming_loss(TRUTH > 0, VALUES > 0),
    ),
    "top_k_accuracy 2": (
        o("top_k_accuracy", k=2),
        SCORES,
        LABELS,
        sk.top_k_accuracy_score(LABELS, SCORES, k=2, labels=np.arange(K)),
    ),
    "top_k_accuracy 3": (
        o("top_k_accuracy", k=3),
        SCORES,
        LABELS,
        sk.top_k_accuracy_score(LABELS, SCORES, k=3, labels=np.arange(K)),
    ),
    "confusion_matrix": (
        metrics.confusion_matrix,
        SCORES,
        LABELS,
        sk.confusion_matrix(LABELS, GUESS, labels=range(K)),
    ),
    "confusion_matrix binary": (metrics.confusion_matrix, LOGITS, BITS, sk.confusion_matrix(BITS, DECIDED)),
    "f1 macro": (metrics.f1, SCORES, LABELS, sk.f1_score(LABELS, GUESS, average="macro")),
    "f1 absent": (
        metrics.f1,
        SCORES[:, :3],
        LABELS // 2,
        sk.f1_score(LABELS // 2, SCORES[:, :3].argmax(1), average="macro"),
    ),
    "f1 micro": (o("f1", average="micro"), SCORES, LABELS, sk.f1_score(LABELS, GUESS, average="micro")),
    "f1 binary": (o("f1", average="binary"), LOGITS, BITS, sk.f1_score(BITS, DECIDED)),
    "mae": (metrics.mae, VALUES, TRUTH, sk.mean_absolute_error(TRUTH, VALUES)),
    "rmse": (metrics.rmse, VALUES, TRUTH, sk.mean_squared_error(TRUTH, VALUES) ** 0.5),
    "r2": (metrics.r2, VALUES, TRUTH, sk.r2_score(TRUTH, VALUES)),
    "r2 constant": (metrics.r2, MET, CONSTANT, sk.r2_score(CONSTANT, MET)),
    "r2 equal numbers": (  # whose mean is another number
        metrics.r2,
        np.full((N, 2), 0.1) + np.asarray([0.0, 0.25]),
        np.full((N, 2), 0.1),
        0.5,
    ),
    "r2 one column": (metrics.r2, VALUES[:, :1], TRUTH[:, 0], sk.r2_score(TRUTH[:, 0], VALUES[:, 0])),
    "roc_auc": (metrics.roc_auc, LOGITS, BITS, sk.roc_auc_score(BITS, LOGITS[:, 0])),
    "roc_auc ties": (metrics.roc_auc, TIED_LOGITS, BITS[:, None], sk.roc_auc_score(BITS, TIED_LOGITS[:, 0])),
    "roc_auc two columns": (
        metrics.roc_auc,
        TIED[:, :2],
        BITS,
        sk.roc_auc_score(BITS, TIED[:, 1] - TIED[:, 0]),
    ),
    "roc_auc classes": (
        metrics.roc_auc,
        SCORES[:, :3],
        LABELS,
        sk.roc_auc_score(LABELS, P4[:, :3] / P4[:, :3].sum(axis=1, keepdims=True), multi_class="ovr"),
    ),
    "roc_auc probabilities": (
        o("roc_auc", from_logits=False),
        P3,
        np.eye(3)[LABELS],
        sk.roc_auc_score(LABELS, P3, multi_class="ovr"),
    ),
    "roc_auc binary probabilities": (
        o("roc_auc", from_logits=False),
        np.concatenate([1 - P1, P1], axis=1).round(2),
        BITS,
        sk.roc_auc_score(BITS, P1[:, 0].round(2)),
    ),
    "roc_auc absent": (  # the fourth class, which has no examples, is left out
        metrics.roc_auc,
        SCORES,
        LABELS,
        np.mean([sk.roc_auc_score(c == LABELS, P4[:, c]) for c in range(3)]),
    ),
    "roc_auc soft": (
        o("roc_auc", from_logits=False),
        P3,
        SOFT,
        np.mean([soft_auc(P3[:, c], SOFT[:, c]) for c in range(3)]),
    ),
    "roc_auc weighted": (
        metrics.roc_auc,
        TIED_LOGITS,
        BITS,
        sk.roc_auc_score(BITS, TIED_LOGITS[:, 0], sample_weight=WEIGHTS),
        WEIGHTS,
    ),
    "roc_auc one class": (metrics.roc_auc, LOGITS, 0 * BITS, np.nan),
    "roc_auc not a number": (metrics.roc_auc, np.where(LOGITS > 1, np.nan, LOGITS), BITS, np.nan),
    "roc_auc infinite": (
        metrics.roc_auc,
        np.where(LOGITS > 1, np.inf, LOGITS),
        BITS,
        sk.roc_auc_score(BITS, np.where(LOGITS > 1, 99, LOGITS)[:, 0]),
    ),
    "roc_auc impossible": (metrics.roc_auc, TIED, LABELS + 1, np.nan),
    "log_loss": (metrics.log_loss, SCORES, LABELS, sk.log_loss(LABELS, P4, labels=range(K))),
    "log_loss binary": (metrics.log_loss, LOGITS, BITS, sk.log_loss(BITS, P1[:, 0])),
    "log_loss probabilities": (o("log_loss", from_logits=False), P1, BITS, sk.log_loss(BITS, P1[:, 0])),
    "log_loss sure": (o("log_loss", from_logits=False), SURE, BITS, sk.log_loss(BITS, SURE[:, 0])),
    "log_loss soft": (o("log_loss", from_logits=False), P3, SOFT, -np.mean((SOFT * np.log(P3)).sum(axis=1))),
    "log_loss certain": (metrics.log_loss, np.where(BITS, 1, -1)[:, None] * 1e4, BITS, 0.0),
    "log_loss weighted": (
        metrics.log_loss,
        SCORES,
        LABELS,
        sk.log_loss(LABELS, P4, labels=range(K), sample_weight=WEIGHTS),
        WEIGHTS,
    ),
    "log_loss no weight": (metrics.log_loss, SCORES, LABELS, np.nan, 0 * WEIGHTS),
    "brier no weight": (metrics.brier, SCORES, LABELS, np.nan, 0 * WEIGHTS),
    "pinball no weight": (o("pinball", quantiles=LEVELS), QUANTILES, WANTED, np.nan, 0 * WEIGHTS),
    "log_loss impossible": (metrics.log_loss, LOGITS, BITS + 1, np.nan),
    "log_loss none": (o("log_loss", from_logits=False), SCORES, LABELS, np.nan),
    "brier": (metrics.brier, SCORES, LABELS, sk.brier_score_loss(LABELS, P4, labels=range(K))),
    "brier binary": (metrics.brier, LOGITS, BITS, sk.brier_score_loss(BITS, P1[:, 0])),
    "brier two columns": (
        o("brier", from_logits=False),
        np.concatenate([1 - P1, P1], axis=1),
        BITS,
        sk.brier_score_loss(BITS, P1[:, 0]),
    ),
    "brier weighted": (
        o("brier", from_logits=False),
        P1,
        BITS,
        sk.brier_score_loss(BITS, P1[:, 0], sample_weight=WEIGHTS),
        WEIGHTS,
    ),
    "brier negative weight": (metrics.brier, LOGITS, BITS, np.nan, WEIGHTS - 1),
    "brier none": (o("brier", from_logits=False), LOGITS, BITS, np.nan),
    "expected_calibration_error": (metrics.expected_calibration_error, SCORES, LABELS, ece(P4, LABELS, 15)),
    "expected_calibration_error binary": (
        o("ece", from_logits=False, bins=7),
        P1,
        BITS,
        ece(np.concatenate([1 - P1, P1], axis=1), BITS, 7),
    ),
    "expected_calibration_error sure": (o("ece", from_logits=False), SURE, BITS, 2 / N),
    "expected_calibration_error weighted": (
        o("ece", bins=10),
        SCORES,
        LABELS,
        ece(P4, LABELS, 10, WEIGHTS),
        WEIGHTS,
    ),
    "expected_calibration_error not a number": (o("ece"), np.where(LOGITS > 1, np.nan, LOGITS), BITS, np.nan),
    "pinball": (o("pinball", quantiles=LEVELS), QUANTILES, WANTED, pinballs()),
    "pinball weighted": (o("pinball", quantiles=LEVELS), QUANTILES, WANTED, pinballs(WEIGHTS), WEIGHTS),
    "crps_quantile": (o("crps_quantile", quantiles=LEVELS), QUANTILES, WANTED, 2 * pinballs()),
    "crps_quantile median": (
        metrics.crps_quantile,
        VALUES[:, :1],
        TRUTH[:, 0],
        sk.mean_absolute_error(TRUTH[:, 0], VALUES[:, 0]),
    ),
    "crps_gaussian": (metrics.crps_gaussian, GAUSSIAN[:FEW], WANTED[:FEW], CRPS.mean()),
    "crps_gaussian weighted": (
        metrics.crps_gaussian,
        GAUSSIAN[:FEW],
        WANTED[:FEW],
        np.average(CRPS.mean(axis=1), weights=WEIGHTS[:FEW]),
        WEIGHTS[:FEW],
    ),
    "crps_gaussian no width": (
        metrics.crps_gaussian,
        np.asarray([[1.0, -1e4], [2.0, -1e4]]),
        np.asarray([1.0, 5.0]),
        1.5,
    ),
    "interval_coverage": (metrics.interval_coverage, QUANTILES, WANTED, COVERED.mean()),
    "interval_coverage ends": (
        metrics.interval_coverage,
        np.asarray([[1.0, 2.0], [1.0, 2.0], [2.0, 1.0], [-np.inf, np.inf]]),
        np.asarray([1.0, 2.0, 1.5, 0.0]),
        0.75,
    ),
    "interval_coverage weighted": (
        metrics.interval_coverage,
        QUANTILES,
        WANTED,
        np.average(COVERED.mean(axis=1), weights=WEIGHTS),
        WEIGHTS,
    ),
    "interval_coverage not a number": (
        metrics.interval_coverage,
        np.asarray([[1.0, np.nan]]),
        np.asarray([1.0]),
        np.nan,
    ),
}


def test_the_table_covers_every_name():
    assert {case.split()[0] for case in CASES} - {"confusion_matrix"} == set(metrics.names())


@every_library
@pytest.mark.parametrize("case", CASES)
def test_against_sklearn(library, case):
    metric, outputs, targets, expected, *weights = CASES[case]
    (got,) = run(library, metric, outputs, targets, *weights)
    agree(got, np.asarray(expected), 32, case)
    if case.split()[1:] not in ([], ["weighted"], ["probabilities"]):
        return
    if library in COMPILED:
        (got,) = run(library, metric, outputs, targets, *weights, compiled=True)
        agree(got, np.asarray(expected), 32, case)
    (stacked,) = run(library, metric, np.stack([outputs, outputs]), targets, *weights)
    agree(stacked, np.stack([expected, expected]), 32, case)


@pytest.mark.parametrize("name", ["roc_auc", "log_loss", "brier", "ece"])
def test_counts_of_many_rows_in_half_precision(name):
    """float16 counts to 2048 alone."""
    scores = np.round(RNG.standard_normal((5000, 1)), 1).astype(np.float16)
    labels = (scores[:, 0] + RNG.standard_normal(5000) > 0).astype(int)
    got = metrics.get(name)(scores, labels)
    assert got.dtype == np.float16
    assert abs(float(got) - float(metrics.get(name)(scores.astype(np.float64), labels))) < 1e-3


@pytest.mark.parametrize("name", ["pinball", "crps_quantile"])
def test_weights_of_many_rows_in_half_precision(name):
    """float16 holds no sum beyond 65504."""
    forecasts = RNG.standard_normal((5000, 1)).astype(np.float16)
    targets, weights = RNG.standard_normal(5000), RNG.uniform(50, 150, 5000)
    got = metrics.get(name)(forecasts, targets, weights)
    assert got.dtype == np.float16
    assert abs(float(got) - float(metrics.get(name)(forecasts.astype(np.float64), targets, weights))) < 1e-3


@pytest.mark.parametrize("backend", [name for name in TRAINING if name != "paddle"])
def test_fit_reports_them(backend):
    X, names = RNG.standard_normal((60, 2)), ["roc_auc", "log_loss", "brier", "expected_calibration_error"]
    y = (X[:, 0] > 0).astype(np.int64)
    mlp = mm.MLP(2, 4, 2)
    found = mm.fit(
        mlp, X, y, loss="cross_entropy", epochs=2, validation=(X, y), metrics=names,
        progress=False, backend=backend, dtype="float64",
    )  # fmt: skip
    outputs = np.asarray(load_backend(backend).to_numpy(mm.predict(mlp, found.params, X)))
    p = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
    expected = (sk.roc_auc_score(y, p[:, 1]), sk.log_loss(y, p), sk.brier_score_loss(y, p[:, 1]))
    assert [found.history[f"val_{n}"][-1] for n in names[:3]] == pytest.approx(expected)
    assert found.history["val_log_loss"] == pytest.approx(found.history["val_loss"])


def test_fit_counts_each_of_several_decisions():
    X = RNG.standard_normal((80, 2))
    y = np.stack([X[:, 0] > 0, X[:, 1] > 0, X[:, 0] > 1], axis=1).astype(float)
    mlp = mm.MLP(2, 4, 3)
    options = {
        "loss": "binary_cross_entropy",
        "epochs": 2,
        "validation": (X, y),
        "progress": False,
        "backend": "numpy",
    }
    found = mm.fit(mlp, X, y, **options)
    expected = 1 - sk.hamming_loss(y > 0.5, mm.predict(mlp, found.params, X) > 0)
    assert found.history["val_accuracy"][-1] == pytest.approx(expected)


def test_fit_refuses_targets_that_a_metric_cannot_use_before_it_trains():
    X = RNG.standard_normal((20, 2))
    with pytest.raises(DataError, match="validation targets"):
        mm.fit(
            mm.MLP(2, 4, 1), X, X[:, :1], loss="mse", epochs=1, validation=(X, X[:, :1] + 3),
            metrics=["mae", "roc_auc"], progress=False, backend="numpy",
        )  # fmt: skip


def test_direction_agrees_with_the_effect_of_noise():
    rough = VALUES + 3 * RNG.standard_normal(VALUES.shape)
    for metric in (metrics.mae, metrics.rmse, metrics.r2):
        assert (metric(VALUES, TRUTH) > metric(rough, TRUTH)) == metric.higher_is_better
    perfect = np.eye(K)[LABELS]
    for metric in (metrics.accuracy, metrics.f1, o("top_k_accuracy", k=2)):
        assert (metric(perfect, LABELS) > metric(SCORES, LABELS)) == metric.higher_is_better


def test_specs_and_own_callables():
    metric = metrics.with_options("top_k_accuracy", k=2)
    again = metrics.get(metric.to_spec())
    assert (again.name, again.options) == ("top_k_accuracy", {"k": 2})
    assert again == metric == pickle.loads(pickle.dumps(metric)) != metrics.top_k_accuracy
    own = metrics.get(lambda outputs, targets: 0.5)
    assert own(SCORES, LABELS) == 0.5
    with pytest.raises(InputError, match="written down"):
        own.to_spec()


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: metrics.get("acuracy"), InputError, "Did you mean 'accuracy'"),
        (lambda: metrics.get(3), InputError, "expected a name"),
        (lambda: o("accuracy", k=2), InputError, "no option 'k'"),
        (lambda: metrics.top_k_accuracy(SCORES, LABELS), InputError, "from 1 to 4"),
        (lambda: o("f1", average="weighted"), InputError, "average: expected 'macro', 'micro' or 'binary'"),
        (lambda: o("top_k_accuracy", k=2.5), InputError, "positive integer"),
        (lambda: metrics.get({"name": "f1", "options": {"avg": "micro"}}), InputError, "no option 'avg'"),
        (lambda: o("f1", average="binary")(SCORES, LABELS), InputError, "two classes"),
        (lambda: metrics.accuracy(SCORES, LABELS[:-1]), ShapeError, "outputs, targets"),
        (lambda: metrics.r2(SCORES, LABELS), ShapeError, "targets"),
        (lambda: metrics.roc_auc(SCORES, LABELS[1:]), ShapeError, "outputs, targets"),
        (lambda: metrics.roc_auc(SCORES > 0, LABELS), DTypeError, "outputs: expected a real floating"),
        (lambda: metrics.log_loss(SCORES, BITS[:, None]), ShapeError, r"expected shape \(60, 4\) or \(60,\)"),
        (lambda: metrics.brier(LOGITS, BITS, WEIGHTS[1:]), ShapeError, "sample_weight: expected shape"),
        (lambda: metrics.rmse(VALUES, TRUTH, WEIGHTS), InputError, "rmse takes no weights.*brier"),
        (lambda: o("brier", from_logits="no"), InputError, "from_logits: expected True or False"),
        (lambda: o("ece", bins=0), InputError, "bins: expected a positive integer of bins"),
        (lambda: o("pinball", quantiles=(0.0, 0.5)), InputError, "quantiles: expected a sequence"),
        (lambda: o("crps_quantile", quantiles=(0.5, 0.1)), InputError, "the lower first"),
        (lambda: o("pinball", quantiles=LEVELS)(VALUES, TRUTH), ShapeError, "expected shape"),
        (lambda: metrics.crps_gaussian(VALUES, TRUTH), ShapeError, "a mean and the logarithm"),
        (lambda: metrics.crps_gaussian(GAUSSIAN, TRUTH), ShapeError, "targets: expected shape"),
        (lambda: metrics.interval_coverage(VALUES, TRUTH), ShapeError, "m >= 2"),
        (lambda: metrics.roc_auc.validate((N, 3), LABELS + 1), DataError, "class labels from 0 to 2"),
        (lambda: metrics.brier.validate((N, 1), BITS - 1), DataError, "targets"),
        (lambda: metrics.crps_gaussian.validate((N, 3), TRUTH), ShapeError, "takes 6 outputs"),
        (lambda: metrics.pinball.validate((N, 1), TRUTH[:, 0] * np.nan), DataError, "NaN"),
        (lambda: metrics.interval_coverage.validate((N, 3), WANTED), ShapeError, "m >= 2"),
    ],
)
def test_bad_input(call, error, words):
    with pytest.raises(error, match=words):
        call()
