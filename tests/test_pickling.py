"""Whatever is public can be pickled and copied: it equals what it was, or does the same, in this process and in a fresh one."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import multimlp as mm
from multimlp import bench, callbacks, data, errors, structure
from multimlp.activations import parse
from multimlp.backend import load_backend, owner, select
from multimlp.parity import Plan, Report, Row

X = np.linspace(-1, 1, 60, dtype=np.float32).reshape(20, 3)
Y = np.arange(20) % 2


def square(x):
    """The sum of the squares."""
    xp = mm.array_namespace(x)
    return xp.sum(x * x)


def own_rate(step):
    """A schedule."""
    return 0.1


@mm.jit
def compiled(x):
    return x * 2.0


class Model:
    @mm.jit
    def scaled(self, x):
        return x * 3.0


def equal(a, b) -> bool:
    """Equal values, arrays by their elements, objects by their attributes."""
    if type(a) is not type(b):
        return False
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if hasattr(a, "shape") and hasattr(a, "dtype"):
        return np.array_equal(owner(a).to_numpy(a), owner(b).to_numpy(b))
    if type(a).__eq__ is object.__eq__:
        return a is b or equal(vars(a), vars(b))
    return bool(a == b)


def works(a, b) -> bool:
    """Functions that give the same."""
    return equal(a(X), b(X)) and (a.__name__, a.__doc__) == (b.__name__, b.__doc__)


def predicts(a, b) -> bool:
    return equal(a.predict(X), b.predict(X)) and a.get_params() == b.get_params()


MLP = mm.MLP(3, 4, 2, activation=["prelu"], dropout=0.1)
FAMILIES = (mm.optimizers, mm.losses, mm.metrics, mm.initializers, mm.activations)
NAMED = {
    f"{family.__name__}.{name}": getattr(family, name)
    for family in FAMILIES
    for name in family.names()
    if hasattr(family, name)
}

EQUAL = {
    **NAMED,
    "optimizer": mm.optimizers.adam(mm.schedules.cosine(0.1, 100)),
    "groups": mm.optimizers.grouped(mm.optimizers.adam(), {"bias": {"learning_rate": 0.1}}),
    "own schedule": mm.optimizers.adam(own_rate),
    "own schedule inside": mm.optimizers.sgd(mm.schedules.warm_up(2, then=own_rate)),
    "own schedule of a group": mm.optimizers.grouped(
        mm.optimizers.sgd(own_rate), {"bias": {"learning_rate": own_rate}}
    ),
    "lbfgs": mm.optimizers.lbfgs(history=3),
    "regularizer": mm.regularizers.l2(0.1),
    "loss": mm.losses.get({"name": "huber", "options": {"delta": 2.0}}),
    "activation": parse({"name": "leaky_relu", "negative_slope": 0.25}),
    "learned": parse("prelu"),
    "description": mm.activations.describe("gelu"),
    "MLP": MLP,
    "layers": MLP.layers,
    "params": MLP.init(seed=0),
    "state": mm.optimizers.adam().init(MLP.init(seed=0)),
    "key": mm.random.key(3),
    "target": select("numpy"),
    "capabilities": load_backend("numpy").capabilities,
    "info": mm.available_backends()["cupy"],
    "plan": Plan(("numpy",), ("relu",)),
    "row": Row("relu", "activation", "value", "numpy", "cpu", "float32", "eager", 0.5, 1.0, 0.5, 0.0, True),
    "report": Report(versions={"numpy": "2.0"}, grids={"relu|float32": X}),
    "dataset": data.Dataset(X, Y, ("a", "b", "c"), ("no", "yes"), "classification", "made up"),
    "standardizer": data.Standardizer.fit(X),
    "case": bench.CASES["tiny"],
    "flow": structure.GradientFlow(1.0, (1.0, 2.0), (0.0, 0.0), (1.0, 1.0)),
    "callback": callbacks.EarlyStopping(patience=3),
    "method": Model.scaled,
    "decorated": compiled,
}
TRANSFORMED = {
    "grad": mm.grad(square),
    "value_and_grad": mm.value_and_grad(square, argnums=(0,)),
    "jit": mm.jit(square, compiler="none"),
    "jit of grad": mm.jit(mm.grad(square)),
    "vmap": mm.vmap(square, in_axes=1),
    "jacobian": mm.jacobian(mm.activations.relu),
    "hessian": mm.hessian(square),
    "elementwise_grad": mm.elementwise_grad(mm.activations.tanh),
}
ERRORS = {
    name: error("what was wrong")
    for name, error in vars(errors).items()
    if isinstance(error, type) and issubclass(error, Exception)
}


def again(thing):
    return pickle.loads(pickle.dumps(thing))


@pytest.mark.parametrize("way", [again, copy.deepcopy, copy.copy])
def test_everything_is_pickled_and_copied(way):
    for name, thing in EQUAL.items():
        assert equal(way(thing), thing), name
    for name, function in TRANSFORMED.items():
        assert works(way(function), function), name
    for name, error in ERRORS.items():
        assert type(way(error)) is type(error), name
        assert str(way(error)) == str(error), name


@pytest.mark.parametrize("way", [again, copy.deepcopy])
def test_backends_and_what_was_trained_on_them(way, backend):
    """A backend is the one of the process; a result and an estimator predict the same."""
    estimators = pytest.importorskip("multimlp.estimators")
    assert way(backend) is backend
    assert way(select(backend.name)).backend is backend
    params = mm.MLP(3, 4, 2).init(seed=0, backend=backend.name)
    assert equal(way(params), params)
    estimator = estimators.MLPClassifier((4,), max_iter=1, random_state=0, backend=backend.name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator.fit(X, Y)
    assert predicts(way(estimator), estimator)


def test_a_result():
    result = mm.fit(mm.MLP(3, 4, 2), X, Y, epochs=1)
    for copied in (again(result), copy.deepcopy(result)):
        assert equal(copied, result)
    assert result != copied  # and no error: which of the arrays would have to be equal?


def test_a_run_keeps_the_parameters_of_its_time():
    kept = []
    mm.fit(mm.MLP(3, 4, 2), X, Y, epochs=2, validation=None, callbacks=[lambda run: kept.append(again(run))])
    assert [run.epoch for run in kept] == [1, 2]
    assert not equal(kept[0].params, kept[1].params)


def test_a_tensorflow_module():
    pytest.importorskip("tensorflow")
    mlp = mm.MLP(3, 4, 2)
    module = mm.as_tf_module(mlp, mlp.init(seed=0))
    for copied in (again(module), copy.deepcopy(module)):
        x = mm.convert(X, backend="tensorflow")
        np.testing.assert_array_equal(copied(x), module(x))


def test_a_function_that_has_no_name_says_so():
    with pytest.raises((pickle.PicklingError, AttributeError), match="lambda"):
        pickle.dumps(mm.grad(lambda x: x))


def test_methods_can_be_transformed():
    np.testing.assert_array_equal(Model().scaled(X), X * 3.0)


def test_in_a_fresh_process(tmp_path):
    """By ``spawn``, as it were: what is read knows nothing of what this process has imported."""
    everything = (EQUAL, TRANSFORMED, load_backend("numpy"))
    (tmp_path / "everything").write_bytes(pickle.dumps(everything))
    script = (
        "import pickle, sys\n"
        "values, functions, numpy = pickle.load(open(sys.argv[1], 'rb'))\n"
        "import test_pickling as here\n"
        "from multimlp.backend import load_backend\n"
        "assert numpy is load_backend('numpy')\n"
        "assert [n for n in values if not here.equal(values[n], here.EQUAL[n])] == []\n"
        "assert [n for n in functions if not here.works(functions[n], here.TRANSFORMED[n])] == []\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "everything")],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent,
    )
    assert (done.returncode, done.stderr) == (0, "")
