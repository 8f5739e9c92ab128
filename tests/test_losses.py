"""Values against mpmath, closed-form gradients against autodiff on every library, checks at the door."""

from __future__ import annotations

import math
import pickle

import mpmath
import numpy as np
import pytest
from libraries import COMPILED, NAMES, agree, every_library, run

import multimlp as mm
from multimlp import losses
from multimlp.backend import array_namespace, load_backend
from multimlp.errors import DataError, InputError, ShapeError

mpmath.mp.dps = 50
RNG = np.random.default_rng(0)

# ---- formulas of one example, in mpmath: outputs and targets are lists of k numbers


def mean(values):
    return mpmath.fsum(values) / len(values)


def cross_entropy(o, t, smoothing=0, weights=None):
    k = len(o)
    total = mpmath.fsum(mpmath.exp(v) for v in o)
    q = [
        (v * (1 - smoothing) + mpmath.mpf(smoothing) / k) * (weights[i] if weights else 1)
        for i, v in enumerate(t)
    ]
    return -mpmath.fsum(p * (v - mpmath.log(total)) for p, v in zip(q, o, strict=True))


def huber(o, t, delta=1):
    def one(r):
        return r * r / 2 if abs(r) <= delta else delta * (abs(r) - mpmath.mpf(delta) / 2)

    return mean([one(a - b) for a, b in zip(o, t, strict=True)])


def elementwise(one):
    return lambda o, t: mean([one(a, b) for a, b in zip(o, t, strict=True)])


def binary(o, t):
    return t * mpmath.log1p(mpmath.exp(-o)) + (1 - t) * mpmath.log1p(mpmath.exp(o))


def one_hot(labels, k):
    return np.eye(k)[labels]


K = 4
BIG = np.asarray([[1e4, -1e4, 0.0, 3.0], [-1e4, -1e4, -1e4, -1e4], [1e4, 1e4, 0.0, -2.5]])
O = np.concatenate([3 * RNG.standard_normal((9, K)), BIG])
N = len(O)
LABELS = RNG.integers(0, K, N)
P = RNG.dirichlet(np.ones(K), N)
R = np.concatenate([O[:9] + RNG.standard_normal((9, K)) * [[1e-4, 1, 3, 0]], np.zeros((3, K))])
BITS = RNG.integers(0, 2, (N, K)).astype(float)
COUNTS = RNG.integers(0, 9, (N, K)).astype(float)
MODERATE = np.clip(O, -20, 20)

WEIGHTS = (1.0, 0.5, 2.0, 0.25)


# ---- losses of outputs in parts: d = 2 targets, 1 for the mixture


def in_parts(one, parts):
    """The mean over d targets of one(its outputs, target)."""

    def formula(o, t):
        d = len(o) // parts
        return mean([one([o[i * d + j] for i in range(parts)], t[j]) for j in range(d)])

    return formula


def pinball(levels):
    levels = [mpmath.mpf(q) for q in levels]

    def one(o, t):
        return mean([q * (t - v) if v < t else (1 - q) * (v - t) for q, v in zip(levels, o, strict=True)])

    return in_parts(one, len(levels))


def gaussian(o, t):
    m, s = o
    return s + ((t - m) * mpmath.exp(-s)) ** 2 / 2 + mpmath.log(2 * mpmath.pi) / 2


def student(df):
    df = mpmath.mpf(df)

    def one(o, t):
        m, s = o
        z = (t - m) * mpmath.exp(-s)
        constant = mpmath.gamma((df + 1) / 2) / mpmath.sqrt(df * mpmath.pi) / mpmath.gamma(df / 2)
        return s + (df + 1) / 2 * mpmath.log(1 + z * z / df) - mpmath.log(constant)

    return in_parts(one, 2)


def mixture(o, t):
    (a, b, *rest), (target,) = o, t
    total = mpmath.exp(a) + mpmath.exp(b)
    densities = [mpmath.exp(-gaussian((rest[j], rest[2 + j]), target)) for j in range(2)]
    return -mpmath.log((mpmath.exp(a) * densities[0] + mpmath.exp(b) * densities[1]) / total)


def focal(gamma, weights=(1, 1, 1, 1)):
    def formula(o, t):
        total = mpmath.fsum(mpmath.exp(v) for v in o)
        p = [mpmath.exp(v) / total for v in o]
        rest = [mpmath.fsum(mpmath.exp(w) for j, w in enumerate(o) if j != i) / total for i in range(len(o))]
        return -mpmath.fsum(
            w * q * r**gamma * mpmath.log(v) for w, q, v, r in zip(weights, t, p, rest, strict=True) if q
        )

    return formula


def binary_focal(gamma, alpha=None):
    def one(o, t):
        x = o if t else -o
        weight = 1 if alpha is None else (alpha if t else 1 - alpha)
        return weight * (1 / (1 + mpmath.exp(x))) ** gamma * mpmath.log1p(mpmath.exp(-x))

    return one


PLACES = 3 * RNG.standard_normal((9, 2))
LOG_SCALES = RNG.standard_normal((9, 2))
FAR_PLACES = np.asarray([[1e4, 0.0], [-1e4, 3.0], [0.5, 0.25], [1e-6, 2.0]])
FAR_SCALES = np.asarray([[9.0, 0.0], [0.0, -9.0], [30.0, -3.0], [-12.0, 1.0]])
PAIRS = np.concatenate([np.concatenate([PLACES, LOG_SCALES], 1), np.concatenate([FAR_PLACES, FAR_SCALES], 1)])
TWO = np.concatenate([PLACES + RNG.standard_normal((9, 2)), [[3.0, 0.0], [1.0, 3.0], [0.0, 0.5], [0.0, 1e4]]])
MIXED = np.concatenate(
    [3 * RNG.standard_normal((9, 2)), 2 * RNG.standard_normal((9, 2)), RNG.standard_normal((9, 2))], axis=1
)
MIXED = np.concatenate([MIXED, [[60.0, -60.0, 1.0, -1.0, 0.0, 0.0], [0.0, 0.0, 40.0, -40.0, -1.0, 2.0]]])
ONE = np.concatenate([2 * RNG.standard_normal((9, 1)), [[-3.0], [0.0]]])
RANKS = RNG.integers(0, K + 1, N)
ABOVE = (RANKS[:, None] > np.arange(K)).astype(float)
MILD = np.clip(O, -30, 30)

# case: (loss, outputs, targets, targets of the formula, formula, k of k eps max(1, |ref|) for the value)
CASES = {
    "mse": (losses.mse, O, R, R, elementwise(lambda a, b: (a - b) ** 2), 4),
    "mae": (losses.mae, O, R, R, elementwise(lambda a, b: abs(a - b)), 4),
    "huber": (losses.huber, O, R, R, huber, 4),
    "huber 2.5": (
        losses.with_options("huber", delta=2.5),
        O,
        R,
        R,
        lambda o, t: huber(o, t, mpmath.mpf("2.5")),
        4,
    ),
    "log_cosh": (losses.log_cosh, O, R, R, elementwise(lambda a, b: mpmath.log(mpmath.cosh(a - b))), 8),
    "poisson": (
        losses.poisson,
        MODERATE,
        COUNTS,
        COUNTS,
        elementwise(lambda a, b: mpmath.exp(a) - a * b),
        16,
    ),
    "cross_entropy labels": (losses.cross_entropy, O, LABELS, one_hot(LABELS, K), cross_entropy, 8),
    "cross_entropy probabilities": (losses.cross_entropy, O, P, P, cross_entropy, 8),
    "cross_entropy options": (
        losses.with_options("cross_entropy", label_smoothing=0.25, class_weights=WEIGHTS),
        O,
        LABELS,
        one_hot(LABELS, K),
        lambda o, t: cross_entropy(o, t, mpmath.mpf("0.25"), WEIGHTS),
        8,
    ),
    "binary_cross_entropy": (losses.binary_cross_entropy, O, BITS, BITS, elementwise(binary), 8),
    "binary_cross_entropy soft": (losses.binary_cross_entropy, O, P, P, elementwise(binary), 8),
    "quantile": (losses.quantile, O, R, R, pinball((0.5,)), 4),
    "quantile several": (
        losses.with_options("quantile", quantiles=(0.0625, 0.75)),
        O,
        R[:, :2] + 0.3,
        R[:, :2] + 0.3,
        pinball((0.0625, 0.75)),
        4,
    ),
    "gaussian_nll": (losses.gaussian_nll, PAIRS, TWO, TWO, in_parts(gaussian, 2), 64),
    "student_nll": (losses.student_nll, PAIRS, TWO, TWO, student(4), 64),
    "student_nll cauchy": (
        losses.with_options("student_nll", df=1),
        PAIRS,
        TWO,
        TWO,
        student(1),
        64,
    ),
    "mixture_nll": (losses.mixture_nll, MIXED, ONE, ONE, mixture, 64),
    "focal": (losses.focal, MILD, LABELS, one_hot(LABELS, K), focal(2), 64),
    "focal options": (
        losses.with_options("focal", gamma=1, class_weights=WEIGHTS),
        MILD,
        P,
        P,
        focal(1, WEIGHTS),
        64,
    ),
    "binary_focal": (losses.binary_focal, O, BITS, BITS, elementwise(binary_focal(2)), 64),
    "binary_focal options": (
        losses.with_options("binary_focal", gamma=0.5, alpha=0.25),
        O,
        BITS,
        BITS,
        elementwise(binary_focal(mpmath.mpf("0.5"), mpmath.mpf("0.25"))),
        64,
    ),
    "ordinal": (losses.ordinal, O, RANKS, ABOVE, elementwise(binary), 8),
    "hinge": (
        losses.hinge,
        O,
        BITS,
        BITS,
        elementwise(lambda a, b: max(mpmath.mpf(0), 1 - (a if b > 0 else -a))),
        4,
    ),
    "hinge signs": (
        losses.hinge,
        O,
        2 * BITS - 1,
        BITS,
        elementwise(lambda a, b: max(mpmath.mpf(0), 1 - (a if b > 0 else -a))),
        4,
    ),
}


def reference(outputs, targets, formula):
    rows = zip(outputs.tolist(), np.asarray(targets).tolist(), strict=True)
    return np.asarray(
        [float(formula([mpmath.mpf(v) for v in o], [mpmath.mpf(v) for v in t])) for o, t in rows]
    )


def test_the_table_covers_every_name():
    assert {case.split()[0] for case in CASES} == set(losses.names())


@every_library
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", CASES)
def test_values_against_mpmath(library, case, dtype):
    loss, outputs, targets, plain, formula, factor = CASES[case]
    outputs = outputs.astype(dtype)
    if targets.dtype.kind == "f":
        targets = targets.astype(dtype)
        plain = np.asarray(plain).astype(dtype)
    expected = reference(outputs, plain, formula)
    # jax's log1p in float64 is good to 128 eps only.
    factor = 128 if library == "jax" and dtype == "float64" else factor
    for compiled in {False, library in COMPILED}:
        (got,) = run(library, loss, outputs, targets, compiled=compiled)
        assert got.dtype == dtype
        agree(got, expected, factor, case)


def numerical_gradient(outputs, targets, formula):
    with mpmath.workdps(60):
        h = mpmath.mpf(10) ** -25
        rows = []
        for o, t in zip(outputs.tolist(), np.asarray(targets).tolist(), strict=True):
            o, t = [mpmath.mpf(v) for v in o], [mpmath.mpf(v) for v in t]
            shifted = [[v + (h if i == j else 0) for j, v in enumerate(o)] for i in range(len(o))]
            lowered = [[v - (h if i == j else 0) for j, v in enumerate(o)] for i in range(len(o))]
            pairs = zip(shifted, lowered, strict=True)
            rows.append([float((formula(a, t) - formula(b, t)) / (2 * h)) for a, b in pairs])
    return np.asarray(rows)


@every_library
@pytest.mark.parametrize("case", CASES)
def test_gradient_against_mpmath_and_autodiff(library, case):
    loss, outputs, targets, plain, formula, factor = CASES[case]
    smooth = np.abs(outputs) < 1e3  # where a central difference of 1e-25 keeps enough digits
    expected = numerical_gradient(outputs, plain, formula)
    (closed,) = run(library, loss.gradient, outputs, targets)
    agree(closed[smooth], expected[smooth], 4 * factor, case)
    if library == "strict":  # no stricter than NumPy: both are differentiated by the tape
        return
    backend = load_backend(library)

    def derived(o, t):
        def total(arrays):
            per_example = loss(arrays[0], t)
            return array_namespace(per_example).sum(per_example), ()

        return backend.value_and_grad(total)((o,))[2][0]

    (automatic,) = run(library, derived, outputs, targets)
    agree(automatic, closed, 128 if library == "jax" else 16, case)


KINKS = [
    (losses.mae, 2.0, 2.0, 0.0),
    (losses.huber, 1.0, 0.0, 1.0),
    (losses.huber, -1.0, 0.0, -1.0),
    (losses.hinge, 1.0, 1.0, 0.0),
    (losses.hinge, -1.0, 0.0, 0.0),
    (losses.log_cosh, 0.0, 0.0, 0.0),
    (losses.binary_cross_entropy, 0.0, 1.0, -0.5),
]


@every_library
@pytest.mark.parametrize(("loss", "output", "target", "expected"), KINKS)
def test_gradient_at_kinks(library, loss, output, target, expected):
    o, t = np.asarray([[output]]), np.asarray([target])
    assert run(library, loss.gradient, o, t)[0].item() == expected
    backend = load_backend(library)

    def derived(o, t):
        return backend.value_and_grad(lambda arrays: (loss(arrays[0], t)[0], ()))((o,))[2][0]

    assert run(library, derived, o, t)[0].item() == expected


@pytest.mark.parametrize("case", CASES)
def test_ensembles_and_columns(case):
    loss, outputs, targets, *_ = CASES[case]
    stacked = np.stack([outputs, outputs[::-1]])
    rows = loss(stacked, targets)
    assert np.array_equal(rows, np.stack([loss(outputs, targets), loss(outputs[::-1], targets)]))
    assert np.array_equal(loss.gradient(stacked, targets)[1], loss.gradient(outputs[::-1], targets))
    if loss.outputs_for(K) == K and loss.decides not in ("class", "rank"):
        assert np.array_equal(loss(outputs[:, :1], targets[:, 0]), loss(outputs[:, :1], targets[:, :1]))


def test_masked_classes_cost_nothing():
    o = np.asarray([[0.0, -np.inf, 1.0]])
    assert losses.cross_entropy(o, np.asarray([2]))[0] == pytest.approx(math.log1p(math.exp(-1)))
    assert losses.cross_entropy.gradient(o, np.asarray([2]))[0, 1] == 0


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_against_torch(smoothing):
    torch = pytest.importorskip("torch")
    ours = losses.with_options("cross_entropy", label_smoothing=smoothing, class_weights=WEIGHTS)(O, LABELS)
    theirs = torch.nn.functional.cross_entropy(
        torch.tensor(O),
        torch.tensor(LABELS),
        torch.tensor(WEIGHTS, dtype=torch.float64),
        reduction="none",
        label_smoothing=smoothing,
    )
    agree(ours, theirs.numpy(), 8)


def test_predictions_and_probabilities():
    o = np.asarray([[1.0, 2.0], [0.5, -1.0]])
    assert losses.cross_entropy.predict(o).tolist() == [1, 0]
    assert losses.binary_cross_entropy.predict(o).tolist() == [[1, 1], [1, 0]]
    assert losses.binary_cross_entropy.predict(o[:, 1:]).tolist() == [1, 0]
    assert losses.mse.predict(o) is o
    assert losses.cross_entropy.activation(o).sum(axis=-1) == pytest.approx(1)
    assert losses.binary_cross_entropy.activation(o)[0, 0] == pytest.approx(1 / (1 + math.exp(-1)))
    assert losses.poisson.predict(o)[0, 0] == pytest.approx(math.e)


@every_library
def test_reduce(library):
    l, w = np.asarray([[1.0, 4.0], [2.0, 2.0]]), np.asarray([3.0, 1.0])
    assert run(library, losses.reduce, l)[0].tolist() == [2.5, 2.0]
    assert run(library, losses.reduce, l, w)[0].tolist() == [1.75, 2.0]
    assert run(library, losses.reduce, l, 10 * w)[0].tolist() == [1.75, 2.0]
    assert run(library, lambda l, w: losses.reduce(l, w, "sum"), l, w)[0].tolist() == [7.0, 8.0]
    assert run(library, lambda l, w: losses.reduce(l, w, "none"), l, w)[0].tolist() == [[3, 4], [6, 2]]
    with pytest.raises(InputError, match="reduction"):
        losses.reduce(l, reduction="median")


def test_a_loss_is_a_frozen_value_with_a_scale():
    half = losses.mse.scaled(0.5)
    outputs, targets = np.asarray([[3.0, 1.0]]), np.asarray([[1.0, 4.0]])
    assert half(outputs, targets) == losses.mse(outputs, targets) / 2
    assert np.array_equal(half.gradient(outputs, targets), losses.mse.gradient(outputs, targets) / 2)
    assert half == losses.get("mse").scaled(0.5) != losses.mse
    assert hash(half) == hash(losses.get("mse").scaled(0.5))
    assert half.scaled(2) == losses.mse
    assert losses.get(half.to_spec()) == half == pickle.loads(pickle.dumps(half))
    with pytest.raises(AttributeError):
        half.scale = 3.0
    with pytest.raises(InputError, match="factor"):
        half.scaled(0)


def test_specs_names_and_pickles():
    loss = losses.with_options("cross_entropy", label_smoothing=0.1, class_weights=[1, 2])
    assert loss.to_spec() == {
        "name": "cross_entropy",
        "options": {"label_smoothing": 0.1, "class_weights": (1.0, 2.0)},
    }
    assert losses.get(loss.to_spec()) == loss == pickle.loads(pickle.dumps(loss))
    assert losses.get("mean_squared_error") is losses.mse is mm.losses.mse
    for spelling in ("CrossEntropy", "cross-entropy", "Cross Entropy", "crossentropy"):
        assert losses.get(spelling) is losses.cross_entropy

    def own(outputs, targets):
        return (outputs - targets)[:, 0] ** 4

    wrapped = losses.get(own)
    assert wrapped(np.asarray([[2.0]]), np.asarray([[0.0]])) == 16
    for call in (wrapped.to_spec, lambda: wrapped.gradient(O, O)):
        with pytest.raises(InputError):
            call()


def test_a_callable_with_the_name_of_a_loss_is_not_that_loss():
    def mse(outputs, targets):
        return 0 * outputs[:, 0]

    wrapped = losses.get(mse)
    assert wrapped != losses.mse
    with pytest.raises(InputError, match="cannot be written down"):
        wrapped.to_spec()


BAD_TARGETS = [
    ("cross_entropy", (3, 4), np.asarray([0, 1, 4]), DataError, "0 to 3"),
    ("cross_entropy", (3, 4), np.asarray([0, -1, 2]), DataError, "-1"),
    ("cross_entropy", (3, 4), np.asarray([0.0, 1.0, 2.0]), DataError, "astype"),
    ("cross_entropy", (3, 4), np.asarray([0.5, 1.0, 2.0]), DataError, "encode"),
    ("cross_entropy", (3, 4), np.asarray(["a", "b", "c"]), DataError, "numbers"),
    ("cross_entropy", (3, 4), np.asarray([0, 1]), ShapeError, "3 labels"),
    ("cross_entropy", (3, 4), np.asarray([[0], [1], [2]]), ShapeError, "class labels"),
    ("cross_entropy", (3, 2), np.asarray([[0.5, 0.5], [0.5, 0.2], [1, 0]]), DataError, "sum 0.7"),
    ("cross_entropy", (3,), np.asarray([0, 1, 1]), ShapeError, "outputs"),
    ("binary_cross_entropy", (2, 1), np.asarray([0, 2]), DataError, "between 0 and 1"),
    ("hinge", (2, 1), np.asarray([0, -1]), DataError, "-1 and 1"),
    ("poisson", (2, 1), np.asarray([0, -1]), DataError, "counts"),
    ("gaussian_nll", (2, 3), np.zeros((2, 2)), ShapeError, "4 outputs for 2 targets"),
    ("gaussian_nll", (2, 2), np.asarray([0, np.inf]), DataError, "infinite"),
    ("mixture_nll", (2, 5), np.zeros(2), ShapeError, "out_features=6"),
    ("quantile", (2, 2), np.zeros(2), ShapeError, "1 outputs for 1 targets"),
    ("focal", (3, 4), np.asarray([0, 1, 4]), DataError, "0 to 3"),
    ("binary_focal", (2, 1), np.asarray([0.5, 1]), DataError, "0 and 1"),
    ("ordinal", (2, 3), np.asarray([0, 4]), DataError, "0 to 3"),
    ("ordinal", (2, 3), np.asarray([0.5, 1]), DataError, "whole"),
    ("ordinal", (2, 3), np.zeros((2, 3)), ShapeError, "2 labels"),
    ("mse", (2, 1), np.asarray([0, np.nan]), DataError, "NaN"),
    ("mse", (2, 3), np.asarray([0.0, 1.0]), ShapeError, "targets"),
    ("mse", (2, 3), np.zeros((3, 2)), ShapeError, "targets"),
]


@pytest.mark.parametrize(("name", "shape", "targets", "error", "words"), BAD_TARGETS)
def test_bad_targets(name, shape, targets, error, words):
    with pytest.raises(error, match=words):
        losses.get(name).validate(shape, targets)


@pytest.mark.parametrize("case", CASES)
def test_good_targets_pass(case):
    loss, outputs, targets, *_ = CASES[case]
    loss.validate(outputs.shape, targets)
    loss.validate((2, *outputs.shape), targets)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: losses.get("crossentrpy"), "Did you mean 'cross_entropy'"),
        (lambda: losses.get(3), "expected a name"),
        (lambda: losses.with_options("mse", delta=1.0), "no option 'delta'"),
        (lambda: losses.with_options("huber", delta=0), "delta"),
        (lambda: losses.with_options("cross_entropy", label_smoothing=1.0), "label_smoothing"),
        (lambda: losses.with_options("cross_entropy", class_weights=[1, -1]), "class_weights"),
        (lambda: losses.with_options("quantile", quantiles=(0.9, 0.1)), "the lower first"),
        (lambda: losses.with_options("quantile", quantiles=0.5), "sequence"),
        (lambda: losses.with_options("quantile", quantiles=(0.0, 0.5)), "between 0 and 1"),
        (lambda: losses.with_options("focal", gamma=0.5), "gamma"),
        (lambda: losses.with_options("student_nll", df=0), "df"),
        (lambda: losses.with_options("mixture_nll", components=0), "components"),
        (lambda: losses.gaussian_nll(np.zeros((2, 3)), np.zeros(2)), "multiple of 2"),
        (lambda: losses.mixture_nll(np.zeros((2, 4)), np.zeros(2)), "2 components"),
        (lambda: losses.ordinal(np.zeros((2, 4)), np.zeros((2, 4))), "one label a row"),
        (lambda: losses.gaussian_nll.outputs_for(0), "targets"),
        (lambda: losses.mse(np.zeros((2, 3)), np.zeros((3, 2))), "targets"),
        (lambda: losses.cross_entropy(np.zeros((2, 3)), np.zeros(3, dtype=int)), "one label a row"),
    ],
)
def test_bad_calls(call, words):
    with pytest.raises(InputError, match=words):
        call()


def test_a_total_of_what_has_none_is_refused():
    with pytest.raises(InputError, match="weights: expected an array of shape"):
        losses.total_weight(np.asarray(["a", "b"]))


@pytest.mark.parametrize("label", [3, -4, -100, 1000])
def test_torch_refuses_labels_that_there_are_not(label):
    """-100 too, which torch by itself leaves out without a word."""
    torch = pytest.importorskip("torch")
    with pytest.raises(InputError, match="softmax_cross_entropy: these arguments do not fit"):
        mm.losses.cross_entropy(torch.zeros(2, 3), torch.tensor([0, label]))


# ---- losses of distributions


def test_gaussian_student_and_mixture_against_torch():
    torch = pytest.importorskip("torch")
    outputs, targets = torch.tensor(PAIRS[:9]), torch.tensor(TWO[:9])
    m, s = outputs[:, :2], outputs[:, 2:]
    theirs = torch.nn.GaussianNLLLoss(full=True, eps=0.0, reduction="none")(m, targets, torch.exp(2 * s))
    agree(losses.gaussian_nll(PAIRS[:9], TWO[:9]), theirs.mean(-1).numpy(), 64)
    theirs = -torch.distributions.StudentT(3.0, m, torch.exp(s)).log_prob(targets)
    agree(losses.with_options("student_nll", df=3)(PAIRS[:9], TWO[:9]), theirs.mean(-1).numpy(), 64)
    K, d = 3, 2
    o = np.random.default_rng(3).standard_normal((9, K * (1 + 2 * d)))
    t = torch.tensor(o)
    parts = torch.distributions.Independent(
        torch.distributions.Normal(
            t[:, K : K + K * d].reshape(9, K, d), t[:, K + K * d :].reshape(9, K, d).exp()
        ),
        1,
    )
    whole = torch.distributions.MixtureSameFamily(torch.distributions.Categorical(logits=t[:, :K]), parts)
    three = losses.with_options("mixture_nll", components=K)
    agree(three(o, TWO[:9]), -whole.log_prob(targets).numpy() / d, 64)
    agree(three.predict(o), whole.mean.numpy(), 64)


def test_one_component_is_a_gaussian():
    one = losses.with_options("mixture_nll", components=1)
    outputs = np.concatenate([np.ones((13, 1)), PAIRS], axis=1)
    agree(one(outputs, TWO), losses.gaussian_nll(PAIRS, TWO), 4)
    agree(one.gradient(outputs, TWO)[:, 1:], losses.gaussian_nll.gradient(PAIRS, TWO), 4)


def test_pinball_against_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    ours = losses.with_options("quantile", quantiles=(0.1, 0.9))(O, R[:, :2])
    theirs = [
        metrics.mean_pinball_loss(R[:, :2], O[:, 2 * i : 2 * i + 2], alpha=q)
        for i, q in enumerate((0.1, 0.9))
    ]
    assert ours.mean() == pytest.approx(np.mean(theirs), rel=1e-14)


@np.errstate(over="ignore")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_likelihoods_in_the_tails(dtype):
    """Where exp(-s) overflows and the loss does not, where it underflows, and where nothing is off."""
    far = 100.0 if dtype == "float32" else 900.0
    rows = [
        (0.0, -far, np.exp(-0.8 * far)),
        (0.0, far, 1e6),
        (1.0, -4 * far, 1.0),
        (0.0, 0.0, 1e15),
        (0.0, -far / 2, 1e-30),
    ]
    o = np.asarray([row[:2] for row in rows], dtype)
    t = np.asarray([row[2] for row in rows], dtype)
    gauss = reference(o, t[:, None], in_parts(gaussian, 2))
    agree(
        run("numpy", losses.gaussian_nll, o, t[:, None])[0],
        np.where(gauss < np.finfo(dtype).max, gauss, np.inf),
        512,
    )
    found = run("numpy", losses.student_nll, o, t[:, None])[0]
    agree(found, reference(o, t[:, None], student(4)), 1024)  # exp of hundreds: as many eps as its argument
    slope = run("numpy", losses.student_nll.gradient, o, t[:, None])[0][0, 0]
    assert slope == pytest.approx(-5 / float(t[0]), rel=1e-6)  # so far out that z^2 is all there is
    for loss, formula in ((losses.gaussian_nll, in_parts(gaussian, 2)), (losses.student_nll, student(4))):
        expected = numerical_gradient(o, t[:, None], formula)[[1, 3]]
        got = run("numpy", loss.gradient, o, t[:, None])[0][[1, 3]]
        held = np.abs(expected) < np.finfo(dtype).max
        assert np.array_equal(np.isfinite(got), held)
        got, expected = got[held], expected[held]
        assert np.all(np.abs(got - expected) <= 2000 * np.finfo(dtype).eps * np.maximum(1, np.abs(expected)))


@every_library
@pytest.mark.parametrize(
    "name", ["gaussian_nll", "student_nll", "mixture_nll", "quantile", "focal", "binary_focal"]
)
def test_extreme_outputs_have_finite_gradients(library, name):
    loss = losses.get(name)
    width = loss.outputs_for(1) if loss.decides is None else 2
    o = np.zeros((4, width))
    o[1, 0], o[2, -1], o[3, -1] = 1e6, -50.0, 300.0
    t = np.zeros(4, int) if loss.decides == "class" else np.zeros((4, width if loss.decides else 1))
    backend = load_backend(library)

    def derived(o, t):
        def total(arrays):
            per_example = loss(arrays[0], t)
            return array_namespace(per_example).sum(per_example), ()

        return backend.value_and_grad(total)((o,))[2][0]

    for gradient in (loss.gradient, derived):
        (got,) = run(library, gradient, o, t)
        assert np.isfinite(got).all(), (name, got)


@every_library
def test_binary_focal_at_infinite_outputs(library):
    o = np.asarray([[np.inf], [-np.inf], [np.inf], [-np.inf]])
    t = np.asarray([1.0, 1.0, 0.0, 0.0])
    for gamma in (0.0, 0.5, 2.0):
        loss = losses.with_options("binary_focal", gamma=gamma)
        (values,) = run(library, loss, o, t)
        assert values.tolist() == [0, np.inf, np.inf, 0]
        (slopes,) = run(library, loss.gradient, o, t)
        assert slopes.tolist() == [[0], [-1], [1], [0]]


def test_more_ranks_than_half_precision_has_numbers():
    torch = pytest.importorskip("torch")
    outputs = torch.zeros((4, 300), dtype=torch.bfloat16)
    ranks = torch.tensor([256, 257, 258, 299])
    wide = losses.ordinal.gradient(outputs.to(torch.float32), ranks)
    assert torch.equal(losses.ordinal.gradient(outputs, ranks) > 0, wide > 0)


def test_what_distributions_predict():
    o = np.asarray([[1.0, 2.0, 0.5, -0.5]])
    assert (
        losses.gaussian_nll.predict(o).tolist() == losses.student_nll.activation(o).tolist() == [[1.0, 2.0]]
    )
    assert losses.ordinal.predict(o).tolist() == [3]
    assert losses.focal.predict(o).tolist() == [1]
    assert (losses.ordinal.default_metrics, losses.focal.default_metrics) == ((), ("accuracy",))


@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_focal_against_keras(gamma):
    keras = pytest.importorskip("keras")
    outputs = np.clip(O, -8, 8)
    theirs = keras.losses.CategoricalFocalCrossentropy(
        alpha=1.0, gamma=gamma, from_logits=True, reduction=None
    )
    ours = losses.with_options("focal", gamma=gamma)(outputs, LABELS)
    np.testing.assert_allclose(ours, np.asarray(theirs(one_hot(LABELS, K), outputs)), rtol=1e-4, atol=1e-6)
    theirs = keras.losses.BinaryFocalCrossentropy(
        apply_class_balancing=True, alpha=0.25, gamma=gamma, from_logits=True, reduction=None
    )
    ours = losses.with_options("binary_focal", gamma=gamma, alpha=0.25)(outputs, BITS)
    np.testing.assert_allclose(ours, np.asarray(theirs(BITS, outputs)), rtol=1e-4, atol=1e-6)


FITS = [
    (losses.with_options("quantile", quantiles=(0.1, 0.9)), 2),
    (losses.gaussian_nll, 2),
    (losses.student_nll, 2),
    (losses.mixture_nll, 6),
    (losses.ordinal, 2),
    (losses.focal, 3),
]


@pytest.mark.parametrize(
    "library",
    [
        pytest.param(name, marks=pytest.mark.slow) if name == "tensorflow" else name
        for name in ("numpy", "torch", "jax", "tensorflow")
        if name in NAMES
    ],
)
@pytest.mark.parametrize(("loss", "width"), FITS)
def test_fit_is_the_same_on_every_library_with_weights(loss, width, library):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 3))
    y = rng.integers(0, 3, 60) if loss.decides else X[:, 0] + 0.1 * rng.standard_normal(60)
    options = {
        "loss": loss,
        "optimizer": "adam",
        "epochs": 3,
        "batch_size": 20,
        "seed": 0,
        "dtype": "float64",
    }
    options["sample_weight"] = rng.random(60)
    given = mm.fit(mm.MLP(3, 8, width), X, y, backend=library, **options)
    expected = mm.fit(
        mm.MLP(3, 8, width),
        X,
        y,
        backend="numpy",
        **{**options, "loss": lambda outputs, targets: loss(outputs, targets)},
    )
    np.testing.assert_allclose(given.history["loss"], expected.history["loss"], rtol=1e-9)
    assert given.history["loss"][-1] < given.history["loss"][0]
