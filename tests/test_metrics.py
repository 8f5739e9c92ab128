"""Metrics against scikit-learn on every library."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from libraries import COMPILED, agree, every_library, run

from multimlp import metrics
from multimlp.errors import InputError, ShapeError

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

CASES = {
    "accuracy": (metrics.accuracy, SCORES, LABELS, sk.accuracy_score(LABELS, GUESS)),
    "accuracy one-hot": (metrics.accuracy, SCORES, np.eye(K)[LABELS], sk.accuracy_score(LABELS, GUESS)),
    "accuracy binary": (metrics.accuracy, LOGITS, BITS, sk.accuracy_score(BITS, DECIDED)),
    "accuracy column": (metrics.accuracy, LOGITS, BITS[:, None], sk.accuracy_score(BITS, DECIDED)),
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
    "r2 one column": (metrics.r2, VALUES[:, :1], TRUTH[:, 0], sk.r2_score(TRUTH[:, 0], VALUES[:, 0])),
}


def test_the_table_covers_every_name():
    assert {case.split()[0] for case in CASES} - {"confusion_matrix"} == set(metrics.names())


@every_library
@pytest.mark.parametrize("case", CASES)
def test_against_sklearn(library, case):
    metric, outputs, targets, expected = CASES[case]
    for compiled in {False, library in COMPILED}:
        (got,) = run(library, metric, outputs, targets, compiled=compiled)
        agree(got, np.asarray(expected), 32, case)
    (stacked,) = run(library, metric, np.stack([outputs, outputs]), targets)
    agree(stacked, np.stack([expected, expected]), 32, case)


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
    ],
)
def test_bad_input(call, error, words):
    with pytest.raises(error, match=words):
        call()
