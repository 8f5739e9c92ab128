"""Runs that move between torch, Keras and optax: one table of optimisers, which library has which, and the same next steps in each."""

from __future__ import annotations

import numpy as np
import pytest

import multimlp as mm
from multimlp import optimizers, tree
from multimlp.errors import InputError

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(20, 4)), RNG.normal(size=(20, 2))
MLP = mm.MLP(4, [6, 5], 2, activation=["tanh", "softsign"])
# Numbers that single precision holds: Keras on TensorFlow rounds a Python number to it first, whatever dtype it is for.
BETAS = {"beta1": 0.875, "beta2": 0.96875, "eps": 2.0**-12}
RUNS = {
    "sgd": (optimizers.sgd(0.0625), "torch keras optax"),
    "sgd, decay": (optimizers.sgd(0.0625, weight_decay=0.125), "torch keras optax"),
    "sgd, momentum": (optimizers.sgd(0.0625, 0.875), "torch keras optax"),
    "sgd, nesterov": (optimizers.sgd(0.0625, 0.875, nesterov=True), "torch keras optax"),
    "sgd, momentum and decay": (optimizers.sgd(0.0625, 0.875, weight_decay=0.125), "torch optax"),
    "sgd, clipped": (optimizers.sgd(0.0625, clip_norm=0.25), "keras optax"),
    "adam": (optimizers.adam(0.015625, **BETAS), "torch optax"),
    "adam, eps before the correction": (optimizers.adam(0.015625, **BETAS, eps_hat=True), "keras"),
    "adam, no eps": (optimizers.adam(0.015625, 0.875, 0.96875, eps=0.0), "torch keras optax"),
    "adam, decay": (optimizers.adam(0.015625, eps=0.0, weight_decay=0.125), "torch optax"),
    "adamw": (optimizers.adamw(0.015625, **BETAS, weight_decay=0.125), "torch optax"),
    "adamw, eps before the correction": (
        optimizers.adamw(0.015625, **BETAS, weight_decay=0.125, eps_hat=True, clip_norm=0.25),
        "keras",
    ),
    "rmsprop": (optimizers.rmsprop(0.015625, 0.875, 2.0**-12, 0.75), "torch optax"),
    "rmsprop, eps in the root": (
        optimizers.rmsprop(0.015625, 0.875, 2.0**-12, eps_in_sqrt=True),
        "keras optax",
    ),
    "rmsprop, eps in the root, momentum": (
        optimizers.rmsprop(0.015625, 0.875, 2.0**-12, 0.75, eps_in_sqrt=True),
        "keras optax",
    ),
    "adagrad": (optimizers.adagrad(0.0625, 2.0**-12, 0.25), "torch"),
    "adagrad, eps in the root": (optimizers.adagrad(0.0625, 2.0**-12, 0.25, eps_in_sqrt=True), "keras optax"),
    "lion": (optimizers.lion(0.015625, 0.875, 0.96875, weight_decay=0.125), "keras optax"),
    "nadam": (optimizers.nadam(0.015625), "optax"),
}


class InTorch:
    def __init__(self, optimizer, params, state):
        self.library = mm.interop.torch
        self.model = self.library.to_torch(MLP, params)
        self.there = self.library.to_optimizer(optimizer, state, self.model)

    def step(self, gradient):
        torch = pytest.importorskip("torch")
        for parameter, values in zip(self.model.parameters(), tree.leaves(gradient), strict=True):
            parameter.grad = torch.tensor(np.ascontiguousarray(values.T))
        self.there.step()

    def params(self):
        return self.library.from_torch(self.model, "numpy")[1]

    def back(self):
        return self.library.from_optimizer(self.there, self.model, "numpy")


class InKeras:
    def __init__(self, optimizer, params, state):
        self.library = mm.interop.keras
        self.model = self.library.to_keras(MLP, params)
        self.there = self.library.to_optimizer(optimizer, state, self.model)

    def step(self, gradient):
        keras = pytest.importorskip("keras")
        arrays = [keras.ops.convert_to_tensor(values, "float64") for values in tree.leaves(gradient)]
        self.there.apply(arrays, self.model.trainable_variables)

    def params(self):
        return self.library.from_keras(self.model, "numpy")[1]

    def back(self):
        return self.library.from_optimizer(self.there, self.model, "numpy")


class InOptax:
    def __init__(self, optimizer, params, state):
        self.library = mm.interop.optax
        self.optimizer = optimizer
        self.values = mm.convert(params, "jax", dtype="float64")
        self.transformation = self.library.to_optimizer(optimizer)
        self.state = self.library.to_state(self.transformation, optimizer, state, self.values)

    def step(self, gradient):
        optax = pytest.importorskip("optax")
        with mm.get_backend("jax").scope("float64"):
            placed = mm.convert(gradient, "jax", dtype="float64")
            updates, self.state = self.transformation.update(placed, self.state, self.values)
            self.values = optax.apply_updates(self.values, updates)

    def params(self):
        return mm.convert(self.values, "numpy")

    def back(self):
        state = self.library.from_state(self.transformation, self.state, self.optimizer, self.values)
        return self.optimizer, mm.convert(state, "numpy")


LIBRARIES = {"torch": InTorch, "keras": InKeras, "optax": InOptax}


@pytest.fixture(autouse=True)
def _rates_in_float64():
    """Keras keeps a learning rate in the precision that it takes by default."""
    try:
        import keras
    except ImportError:
        yield
        return
    before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    yield
    keras.config.set_floatx(before[0])
    keras.config.set_dtype_policy(before[1])


def gradient_of(params):
    return mm.grad(lambda p: ((MLP(p, X) - Y) ** 2).mean())(params)


def close(a, b, rtol=1e-12):
    for one, other in zip(tree.leaves(a), tree.leaves(b), strict=True):
        np.testing.assert_allclose(one, other, rtol=rtol, atol=rtol * np.abs(other).max())


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("name", RUNS)
def test_a_run_moves_and_goes_on_with_the_same_numbers(name, library):
    pytest.importorskip(library)
    optimizer, having = RUNS[name]
    params = MLP.init(seed=0, backend="numpy", dtype="float64")
    state = optimizer.init(params)
    if library not in having.split():
        with pytest.raises(InputError, match="optimizer: "):
            LIBRARIES[library](optimizer, params, state)
        return
    for _ in range(3):
        params, state = optimizer.update(gradient_of(params), state, params)
    there = LIBRARIES[library](optimizer, params, state)
    for _ in range(3):
        there.step(gradient_of(there.params()))
        params, state = optimizer.update(gradient_of(params), state, params)
    close(there.params(), params)
    found, moved = there.back()
    close(moved.slots, state.slots, 1e-9)
    assert int(moved.step) in (int(state.step), 0, 3)  # torch's sgd and some of optax count nothing
    own, _ = found.update(gradient_of(params), moved._replace(step=state.step), params)
    params, state = optimizer.update(gradient_of(params), state, params)
    close(own, params)


# ---- Keras


def keras_model(**first):
    keras = pytest.importorskip("keras")
    layers = [
        keras.layers.Dense(6, "tanh", **first),
        keras.layers.Dense(5),
        keras.layers.PReLU(),
        keras.layers.Dense(2),
    ]
    return keras.Sequential([keras.Input((4,)), *layers])


def test_a_model_that_keras_trains_itself():
    """In single precision, with the defaults of Keras, on whatever library it runs."""
    keras = pytest.importorskip("keras")
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    model = keras_model()
    model.compile(keras.optimizers.Adam(0.01), "mse")
    x, y = X.astype("float32"), Y.astype("float32")
    for _ in range(3):
        model.train_on_batch(x, y)
    mlp, params = mm.interop.keras.from_keras(model, "numpy")
    adam, state = mm.interop.keras.from_optimizer(model.optimizer, model, "numpy")
    assert (adam.name, adam.options["eps_hat"], adam.options["eps"], int(state.step)) == (
        "adam",
        True,
        1e-7,
        3,
    )
    assert adam.options["learning_rate"] == np.float32(0.01)
    gradient = mm.grad(lambda p: ((mlp(p, x) - y) ** 2).mean())
    for _ in range(3):
        model.train_on_batch(x, y)
        params, state = adam.update(gradient(params), state, params)
    close(mm.interop.keras.from_keras(model, "numpy")[1], params, 3e-5)


def test_an_optimizer_of_keras_that_has_made_no_step():
    keras = pytest.importorskip("keras")
    model = keras_model()
    adagrad, state = mm.interop.keras.from_optimizer(keras.optimizers.Adagrad(0.5), model, "numpy")
    assert int(state.step) == 0
    assert all((leaf == 0.1).all() for leaf in tree.leaves(state.slots))
    assert adagrad.options["eps_in_sqrt"] is True


def of_keras():
    """Optimisers that are refused, and why."""
    keras = pytest.importorskip("keras")
    o = keras.optimizers
    return {
        "Nadam": (o.Nadam(), "got Nadam"),
        "Adamax": (o.Adamax(), "got Adamax"),
        "a word": ("adam", "got str"),
        "amsgrad": (o.Adam(amsgrad=True), "amsgrad=True"),
        "centered": (o.RMSprop(centered=True), "centered=True"),
        "clipnorm": (o.SGD(clipnorm=1.0), "clipnorm=1.0"),
        "clipvalue": (o.SGD(clipvalue=1.0), "clipvalue=1.0"),
        "averages": (o.Adam(use_ema=True), "use_ema=True"),
        "accumulation": (o.Adam(gradient_accumulation_steps=2), "gradient_accumulation_steps=2"),
        "decay beside momentum": (o.SGD(momentum=0.9, weight_decay=0.1), "weight_decay=0.1"),
        "decay of rmsprop": (o.RMSprop(weight_decay=0.1), "weight_decay=0.1"),
        "a schedule": (
            o.Adam(o.schedules.ExponentialDecay(0.1, 2, 0.5)),
            "a ExponentialDecay of Keras.*give learning_rate=",
        ),
    }


REFUSED = ("Nadam", "Adamax", "a word", "amsgrad", "centered", "clipnorm", "clipvalue", "averages", "accumulation",
           "decay beside momentum", "decay of rmsprop", "a schedule")  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_there_is_nothing_for_is_refused(case):
    optimizer, message = of_keras()[case]
    with pytest.raises(InputError, match=message):
        mm.interop.keras.from_optimizer(optimizer, keras_model())


def test_a_rate_may_be_said_instead_of_a_schedule():
    pytest.importorskip("keras")
    optimizer, _ = of_keras()["a schedule"]
    found, _ = mm.interop.keras.from_optimizer(optimizer, keras_model(), "numpy", learning_rate=0.25)
    assert found.options["learning_rate"] == 0.25


def test_models_that_are_not_one_to_one_and_strangers_are_refused():
    keras = pytest.importorskip("keras")
    interop = mm.interop.keras
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(3), keras.layers.BatchNormalization(), keras.layers.Dense(2)]
    )
    with pytest.raises(InputError, match="not one to one"):
        interop.from_optimizer(keras.optimizers.SGD(), model)
    with pytest.raises(InputError, match="not one to one"):
        interop.from_optimizer(keras.optimizers.SGD(), keras_model(use_bias=False))
    frozen = keras_model()
    frozen.layers[0].trainable = False
    with pytest.raises(InputError, match="a frozen layer"):
        interop.from_optimizer(keras.optimizers.SGD(), frozen)
    model, other = keras_model(), keras_model()
    optimizer = keras.optimizers.Adam()
    optimizer.build(other.trainable_variables)
    with pytest.raises(InputError, match="the optimizer trains other variables"):
        interop.from_optimizer(optimizer, model)
    sgd = optimizers.sgd(0.5, 0.5)
    with pytest.raises(InputError, match="state: it is not that of this model"):
        interop.to_optimizer(sgd, sgd.init(MLP.init(seed=0, backend="numpy")), model)
    with pytest.raises(InputError, match="state: sgd keeps"):
        interop.to_optimizer(
            sgd, optimizers.adam().init(MLP.init(seed=0)), interop.to_keras(MLP, MLP.init(seed=0))
        )


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        (optimizers.adam(), "Keras has the eps of adam elsewhere; make it with eps_hat=True"),
        (optimizers.rmsprop(), "make it with eps_in_sqrt=True"),
        (optimizers.adam(eps=0.0, weight_decay=0.1), "use adamw"),
        (optimizers.sgd(0.1, 0.9, weight_decay=0.1), "make it with weight_decay=0"),
        (optimizers.sgd(mm.schedules.cosine(0.1, 10)), "learning_rate is a schedule"),
        (optimizers.sgd(0.0, 0.9), "must be a number above 0"),
        (optimizers.grouped("lion", {"bias": {"learning_rate": 0.0}}), "groups has no equivalent in Keras"),
        (optimizers.nadam(), "nadam has no equivalent in Keras"),
    ],
)
def test_what_keras_has_not_is_refused(optimizer, message):
    pytest.importorskip("keras")
    params = MLP.init(seed=0, backend="numpy")
    with pytest.raises(InputError, match=message):
        mm.interop.keras.to_optimizer(
            optimizer, optimizer.init(params), mm.interop.keras.to_keras(MLP, params)
        )


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_eps_before_the_correction_in_fit_is_not_left_to_fused_updates(backend):
    """Engines have hand-written updates for Adam as it usually is."""
    pytest.importorskip(backend)
    adam = optimizers.adam(0.01, eps=0.05, eps_hat=True)
    params = MLP.init(seed=0, backend="numpy", dtype="float64")
    options = {
        "loss": "mse",
        "epochs": 4,
        "batch_size": 20,
        "shuffle": False,
        "progress": False,
        "validation": None,
    }
    fitted = mm.fit(MLP, X, Y, optimizer=adam, params=params, backend=backend, dtype="float64", **options)
    state = adam.init(params)
    gradient = mm.grad(lambda p: mm.losses.mse(MLP(p, X), Y).mean())
    for _ in range(4):
        params, state = adam.update(gradient(params), state, params)
    close(mm.convert(fitted.params, "numpy"), params, 1e-11)
