"""One table of fits that are the same on any number of processes, and the functions that processes of tests run."""

from __future__ import annotations

import functools
import itertools
import os
import signal
import tempfile
import threading
from unittest import mock

import numpy as np

import multimlp as mm
from multimlp import blocks
from multimlp.distributed import Group, Window
from multimlp.errors import MultimlpError

ROWS, FEATURES, CLASSES = 57, 5, 3
EPOCHS = 3


def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((ROWS, FEATURES))
    return X, rng.integers(0, CLASSES, ROWS).astype(np.int32), rng.random(ROWS) + 0.1


def own_loss(outputs, y):
    xp = mm.array_namespace(outputs)
    return xp.sum((outputs - y) ** 2, axis=-1)


def own_penalty(params):
    return 0.01 * sum(mm.xp.sum(leaf * leaf) for leaf in mm.tree.leaves(params))


def own_model(params, X, key=None):
    return X @ params["w"] + params["b"]


def stream():
    X, y, w = data()
    return lambda: ((X[i:j], y[i:j], w[i:j]) for i, j in itertools.pairwise((0, 10, 30, 40, ROWS)))


def memory_map():
    X = data()[0]
    path = os.path.join(tempfile.mkdtemp(), "X.npy")
    np.save(path, X)
    return np.load(path, mmap_mode="r")


def regression():
    X = data()[0]
    return X[:, :2] ** 2


def own_params():
    return {"w": np.full((FEATURES, CLASSES), 0.1), "b": np.zeros(CLASSES)}


def numbers():
    return data()[0][:, 0] ** 2


def decisions():
    return (data()[0][:, :2] > 0).astype(np.float64)


def named_inputs():
    X, y, _ = data()
    return {"a": X[:, :2], "b": {"c": X[:, 2:]}, "kind": y[:, None]}


def placed_inputs():
    X, y, _ = data()
    return X[:, :2], X[:, 2:], y[:, None]


def of_several(first, second, kind):
    """A chain of two inputs of numbers, the second by a key or by keys in turn, and one of categories."""
    parts = [
        blocks.select(first, features=2),
        mm.chain(*map(blocks.select, second[:-1]), blocks.select(second[-1], features=3)),
        mm.chain(blocks.select(kind, features=1), blocks.embedding([CLASSES], 2)),
    ]
    return mm.chain(blocks.concat(parts), blocks.dense(6, "tanh"), blocks.dropout(0.2), blocks.dense(2))


def normalised():
    inner = mm.chain(blocks.rms_norm(), blocks.dense(8, "gelu"), blocks.dropout(0.2), blocks.dense(8))
    return mm.chain(
        blocks.dense(8, in_features=FEATURES),
        blocks.layer_norm(),
        "silu",
        blocks.residual(inner),
        blocks.weight_norm_dense(CLASSES),
    )


def fading():
    rate = mm.schedules.cosine(0.4, 20)
    return mm.chain(
        blocks.dense(8, "tanh", in_features=FEATURES), blocks.dropout(rate), blocks.dense(CLASSES)
    )


def batch_ensemble():
    """Members inside one network."""
    layer = blocks.batch_ensemble(8, 4, in_features=FEATURES, input_init="signs")
    return mm.chain(blocks.replicate(4), layer, "tanh", blocks.dropout(0.2), blocks.heads(CLASSES, 4))


MODEL = {"activation": "tanh"}
_loss = mm.losses.with_options
WEIGHTED = {"sample_weight": lambda: data()[2]}
L2 = mm.regularizers.l2(0.01)

CASES = {
    # name: (options of the MLP, or what makes a model, arguments of fit); batches of 7 rows, the last of one, unless said otherwise
    "plain": ({}, {}),
    "dropout": ({"dropout": 0.3}, {"batch_size": 8}),
    "weights, clipped, scheduled": (
        {},
        WEIGHTED
        | {"optimizer": mm.optimizers.sgd(mm.schedules.cosine(0.5, 20), momentum=0.9, clip_norm=0.05)},
    ),
    "l2, decay, last batch dropped": (
        {"activation": "relu"},
        {"regularizer": L2, "optimizer": mm.optimizers.adamw(0.01), "last_batch": "drop"},
    ),
    "l1 and squared error": ({}, {"y": regression, "loss": "mse", "regularizer": mm.regularizers.l1(0.01)}),
    "ensemble": ({"dropout": 0.2, "members": 3}, {"regularizer": L2, "batch_size": 9}),
    "own loss": ({}, {"y": regression, "loss": own_loss, "regularizer": L2}),
    "learned activation": ({"activation": "prelu", "dropout": 0.3}, WEIGHTED),
    "own model": (None, {"params": own_params}),
    "all rows at once": ({}, WEIGHTED | {"batch_size": None}),
    "float16": ({"dropout": 0.2}, {"dtype": "float16", "regularizer": L2}),
    "bfloat16": ({}, {"dtype": "bfloat16"}),
    "float32": ({}, {"dtype": "float32", "batch_size": 1}),
    "lbfgs": ({"dropout": 0.2}, {"optimizer": "lbfgs", "regularizer": L2}),
    "lbfgs, weights": ({}, WEIGHTED | {"optimizer": "lbfgs"}),
    "lbfgs, own loss": ({}, {"y": regression, "loss": own_loss, "optimizer": "lbfgs", "regularizer": L2}),
    "stream": ({}, {"X": stream, "y": lambda: None}),
    "memory map": ({}, {"X": memory_map}),
    "validation": ({}, {"validation": 0.2, "metrics": ["accuracy"]}),
    "more processes than rows": ({}, {"batch_size": 1}),
    "quantile": ({}, WEIGHTED | {"y": numbers, "loss": _loss("quantile", quantiles=(0.1, 0.5, 0.9))}),
    "gaussian_nll": ({}, {"y": regression, "loss": "gaussian_nll", "regularizer": L2}),
    "student_nll": ({}, WEIGHTED | {"y": numbers, "loss": _loss("student_nll", df=3.0)}),
    "mixture_nll": ({"dropout": 0.2}, {"y": numbers, "loss": _loss("mixture_nll", components=3)}),
    "focal": ({}, {"loss": _loss("focal", gamma=1.5, class_weights=(0.5, 1.0, 2.0))}),
    "binary_focal": ({}, WEIGHTED | {"y": decisions, "loss": "binary_focal"}),
    "ordinal": ({}, {"loss": "ordinal", "optimizer": "lbfgs"}),
    "class weights, ensemble": (
        {"members": 2},
        WEIGHTED | {"loss": _loss("cross_entropy", class_weights=(0.5, 1.0, 2.0), label_smoothing=0.1)},
    ),
    "normalised, residual": (normalised, WEIGHTED | {"regularizer": L2}),
    "dropout that fades": (fading, {"batch_size": 8}),
    "batch ensemble": (batch_ensemble, WEIGHTED | {"regularizer": own_penalty, "validation": 0.2}),
    "batch ensemble, lbfgs": (batch_ensemble, {"optimizer": "lbfgs", "regularizer": own_penalty}),
    "inputs by name": (
        lambda: of_several("a", ["b", "c"], "kind"),
        WEIGHTED | {"X": named_inputs, "y": regression, "loss": "mse"},
    ),
    "inputs in turn": (lambda: of_several(0, [1], 2), {"X": placed_inputs, "y": regression, "loss": "huber"}),
}
FOR_MANY = (
    "plain",
    "dropout",
    "weights, clipped, scheduled",
    "float16",
    "lbfgs",
    "normalised, residual",
    "batch ensemble",
)
"""What is compiled for several numbers of devices or processes, up to a minute a case: one of each kind."""
TOLERANCES = {"float16": 1e-3, "bfloat16": 2e-2, "float32": 1e-4}
"""Where numbers are not float64's: products of other sizes round in another order, to 16 bits."""


def outputs_for(loss, y):
    """How many outputs a network needs for the targets."""
    rule = mm.losses.get("cross_entropy" if loss is None else loss)
    columns = 1 if y is None or y.ndim == 1 else y.shape[1]
    return (
        CLASSES - (rule.decides == "rank")
        if rule.decides in ("class", "rank") or y is None
        else rule.outputs_for(columns)
    )


def fitted(name, backend, **more):
    """``(parameters as one vector, history)``; None where the backend lacks the dtype."""
    options, arguments = CASES[name]
    X, y, _ = data()
    given = {
        "X": X,
        "y": y,
        "epochs": EPOCHS,
        "batch_size": 7,
        "validation": None,
        "dtype": "float64",
        "progress": False,
    }
    given.update(
        {
            key: value() if key in ("X", "y", "sample_weight", "params") else value
            for key, value in arguments.items()
        }
    )
    given.update(more, backend=backend)
    if given["dtype"] not in mm.get_backend(backend).capabilities.dtypes:
        return None
    if options is None:
        model = own_model
    elif callable(options):
        model = options()
    else:
        members = options.get("members")
        width = outputs_for(given.get("loss"), given["y"])
        model = mm.MLP(FEATURES, 8, width, **MODEL | {k: v for k, v in options.items() if k != "members"})
        if members:
            master = "float32" if given["dtype"] in ("float16", "bfloat16") else given["dtype"]
            given["params"] = model.init(range(members), backend, master)
    result = mm.fit(model, given.pop("X"), given.pop("y"), **given)
    host = mm.get_backend(backend).to_numpy
    vector = np.concatenate([np.ravel(host(leaf)) for leaf in mm.tree.leaves(result.params)])
    return vector, result.history


def table(names, backend, times=1, **more):
    """What all cases give, each fitted so many times."""
    return [{name: fitted(name, backend, **more) for name in names} for _ in range(times)]


# ---- wrong on purpose --------------------------------------------------------------------------------------------------


def averaging_averages():
    """Each process divides by its own rows, and the sum by the number of processes."""
    right = Group.windows

    def wrong(self, rows):
        return tuple(Window(w.start, w.stop, max(w.size, 1) * self.size) for w in right(self, rows))

    return mock.patch.object(Group, "windows", wrong)


def masks_of_ones_own():
    """Each process draws a mask for its rows as if they were the batch."""
    right = mm.random.bernoulli

    def wrong(key, p, shape, *, window=None):
        return right(key, p, shape)

    return mock.patch.object(mm.random, "bernoulli", wrong)


def penalty_first():
    """Each process adds the penalty before the sum."""
    from multimlp.training.engines.inplace.penalty import Penalty

    right = Penalty.call

    def wrong(self, position):
        call = right(self, position)
        return lambda: [call() for _ in range(mm.distributed.size())]

    return mock.patch.object(Penalty, "call", wrong)


MUTANTS = {
    averaging_averages: "plain",
    masks_of_ones_own: "dropout",
    penalty_first: "l2, decay, last batch dropped",
}


def mutated(backend):
    found = {}
    for mutant, name in MUTANTS.items():
        with mutant():
            found[name] = fitted(name, backend, devices="all")
    return found


# ---- what is refused, agreed on, written and read ------------------------------------------------------------------------


def said(call):
    try:
        call()
    except MultimlpError as error:
        return f"{type(error).__name__}: {error}"
    return "nothing"


def small_fit(**more):
    X, y, _ = data()
    given = {
        "epochs": 2,
        "batch_size": 7,
        "validation": None,
        "dtype": "float64",
        "progress": False,
        "devices": "all",
    }
    given.update({"X": X, "y": y}, **more)
    model = given.pop("model", mm.MLP(FEATURES, 8, CLASSES, **MODEL))
    return mm.fit(model, given.pop("X"), given.pop("y"), **given)


def noisy_model(params, X, key=None):
    noise = mm.random.normal(key, tuple(X.shape), "float64") if key is not None else 0.0
    return own_model(params, X + noise)


def mixing_model(params, X, key=None):
    return own_model(params, X - X.mean(axis=0))


def mixing(x):
    return x - x.mean(axis=-2, keepdims=True)


class StopsOn(mm.callbacks.Callback):
    """Ends training after the first epoch, on one process: by a word to the run, or as Ctrl-C does."""

    def __init__(self, rank, how):
        self.rank, self.how = rank, how

    def settings(self):
        return {}

    def on_epoch_end(self, run):
        if mm.distributed.rank() != self.rank:
            return
        if self.how == "Ctrl-C":
            os.kill(os.getpid(), signal.SIGINT)
        else:
            run.stop(self.how)


def unlike_processors():
    """The update of one process rounds otherwise."""
    from multimlp.training.engines.inplace import group

    right = group.total

    def wrong(*arguments):
        found = right(*arguments)
        return found * (1 + 1e-15) if mm.distributed.rank() else found

    return mock.patch.object(group, "total", wrong)


def everything_else(folder):
    """What two processes refuse and agree on."""
    rank = mm.distributed.rank()
    X, y, _ = data()
    found = {
        "other data": said(lambda: small_fit(X=X + rank)),
        "other seed": said(lambda: small_fit(seed=rank)),
        "other epochs": said(lambda: small_fit(epochs=2 + rank)),
        "one checkpoint": said(lambda: small_fit(checkpoint=None if rank else os.path.join(folder, "one"))),
        "shards": said(lambda: small_fit(shards=3)),
        "number": said(lambda: small_fit(devices=3)),
        "names": said(lambda: small_fit(devices=["cpu", "cpu"])),
        "numba": said(lambda: small_fit(compile="numba")),
        "random": said(lambda: small_fit(model=noisy_model, params=own_params())),
        "mixing": said(lambda: small_fit(model=mixing_model, params=own_params())),
        "mixing activation": said(lambda: small_fit(model=mm.MLP(FEATURES, 8, CLASSES, activation=mixing))),
        "stream": said(lambda: small_fit(X=lambda: iter([(X + rank, y)]), y=None)),
        "fewer batches": said(lambda: small_fit(X=lambda: iter([(X, y)] * (2 + rank)), y=None)),
        "thread": said(lambda: small_fit(callbacks=[TrainsInAThread()])),
    }
    with unlike_processors():
        found["unlike"] = said(small_fit)
    found["alone"] = small_fit(devices=None).group
    for how in ("enough", "Ctrl-C"):
        result = small_fit(epochs=3, callbacks=[StopsOn(1, how)])
        found[how] = result.epochs, result.stopped
    path = os.path.join(folder, "run.safetensors")
    with mock.patch("os.path.exists", functools.partial(_seen_by_main, os.path.exists)):
        small_fit(checkpoint=path)
        small_fit(checkpoint=os.path.join(folder, "shards.safetensors"), shards=4)
        found["resumed"] = vector(small_fit(checkpoint=path, epochs=4))
    wrong = os.path.join(folder, "wrong.safetensors")
    if rank == 0:
        with open(wrong, "wb") as file:
            file.write(b"nothing of the kind")
    found["damaged"] = said(lambda: small_fit(checkpoint=wrong))
    from multimlp.estimators import MLPClassifier

    estimator = MLPClassifier(8, max_iter=3, devices="all", early_stopping=True, tol=0.0).fit(X, y)
    estimator = estimator.set_params(early_stopping=False).partial_fit(X, y)
    found["estimator"] = [estimator.loss_curve_, estimator.coefs_, estimator.n_iter_]
    return found


class TrainsInAThread(mm.callbacks.Callback):
    """Another run with the same processes, at the same time; and one without them, which is allowed."""

    def on_epoch_end(self, run):
        found = []
        for devices in (None, "all"):
            thread = threading.Thread(
                target=lambda given=devices: found.append(said(lambda: small_fit(devices=given)))
            )
            thread.start()
            thread.join()
        assert found[0] == "nothing"
        raise mm.errors.InputError(found[1])


def _seen_by_main(exists, path):
    """Other processes may have no such file system."""
    if mm.distributed.rank() and str(path).endswith(".safetensors"):
        raise AssertionError("only the main process looks at files")
    return exists(path)


def vector(result):
    return np.concatenate([np.ravel(np.asarray(leaf)) for leaf in mm.tree.leaves(result.params)])
