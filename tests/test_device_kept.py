"""Results stay on the device of the arguments: shown on torch's ``meta`` device, which refuses to mix."""

from __future__ import annotations

import pytest
from loss_data import outputs_and_targets

import multimlp as mm
from multimlp import losses, metrics, optimizers, random, regularizers, tree

torch = pytest.importorskip("torch")
META = torch.device("meta")
O = torch.zeros((6, 4), device=META)
LABELS = torch.zeros(6, dtype=torch.int64, device=META)
KEY = torch.zeros(2, dtype=torch.int32, device=META)

WARM = {
    "name": "warm_up",
    "options": {"steps": 3, "then": {"name": "cosine", "options": {"initial": 0.1, "steps": 9}}},
}
OPTIONS = {"learning_rate": WARM, "clip_norm": 1.0, "weight_decay": 0.1}


def updated(name):
    optimizer = optimizers.get({"name": name, "options": OPTIONS})
    return optimizer.update({"w": O}, optimizer.init({"w": O}), {"w": O})


def squares(x):
    return x * x


def cubes(x):
    xp = mm.array_namespace(x)
    return xp.sum(x * x * x)


CLASSES = (
    "accuracy",
    "f1",
    "top_k_accuracy",
    "roc_auc",
    "log_loss",
    "brier",
    "expected_calibration_error",
)
TWO_ENDS = ("crps_gaussian", "interval_coverage")


def of_classes(name):
    return LABELS if name in CLASSES else O[:, :2] if name in TWO_ENDS else O


def of_loss(name):
    """Outputs and targets that go together."""
    return [
        torch.zeros(array.shape, dtype=torch.int64 if array.dtype.kind == "i" else torch.float32, device=META)
        for array in outputs_and_targets(losses.get(name), 6, 4)
    ]


SMOOTH = losses.with_options("cross_entropy", label_smoothing=0.1, class_weights=[1, 2, 3, 4])
TOP = metrics.with_options("top_k_accuracy", k=2)

CALLS = {
    **{f"loss {n}": lambda n=n: losses.get(n)(*of_loss(n)) for n in losses.names()},
    **{f"gradient {n}": lambda n=n: losses.get(n).gradient(*of_loss(n)) for n in losses.names()},
    **{
        f"metric {n}": lambda n=n: metrics.get(n)(O, of_classes(n)) for n in metrics.names() if n[:3] != "top"
    },
    **{
        f"optimizer {n}": lambda n=n: updated(n)
        for n in optimizers.names()
        if not optimizers.get(n).full_batch
    },
    "loss with options": lambda: (SMOOTH(O, LABELS), SMOOTH.gradient(O, LABELS)),
    "metric with options": lambda: TOP(O, LABELS),
    "key": lambda: random.key(0, like=O),
    "split": lambda: random.split(KEY),
    "fold_in": lambda: random.fold_in(KEY, 3),
    "bits": lambda: random.bits(KEY, (3,)),
    "uniform": lambda: random.uniform(KEY, (3,), minval=-1.0),
    "normal": lambda: random.normal(KEY, (3,)),
    "bernoulli": lambda: (random.bernoulli(KEY, 0.5, (3,)), random.bernoulli(KEY, 1, (3,))),
    "permutation": lambda: (random.permutation(KEY, 9), random.permutation(KEY, O)),
    "categorical": lambda: random.categorical(KEY, O, (2,)),
    "penalty": lambda: regularizers.elastic_net(0.1, 0.1)({"w": O}),
    "dropout": lambda: regularizers.dropout(O, KEY, 0.5),
    "jacobians": lambda: (mm.jacrev(squares)(O), mm.jacfwd(squares)(O), mm.jacrev(squares)(O[:0])),
    "hessian": lambda: (mm.hessian(cubes)(O), mm.hessian(cubes)(O[:0])),
    "products": lambda: (mm.hvp(cubes, (O,), (O,)), mm.jvp(squares, (O,), (O,)), mm.vjp(squares, O)[1](O)),
    "laplacian": lambda: mm.laplacian(cubes)(O),
    "updates": lambda: (mm.at(O)[[1, 1]].set(2.0), mm.at(O)[[1, 1]].add(2.0), mm.at(O)[1].multiply(2.0)),
    "loops": lambda: (mm.scan(lambda c, x: (c + x, c), O[0], O), mm.fori_loop(0, 3, lambda i, c: c + i, O)),
}


@pytest.mark.parametrize("name", CALLS)
def test_results_stay_on_the_device(name):
    results = tree.leaves(CALLS[name]())
    assert results
    assert {result.device for result in results} == {META}
