"""Things of a user's own that bear the name of one of multimlp's: they are never taken for it."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pytest

import multimlp as mm
from multimlp import activations, losses, metrics, optimizers, schedules
from multimlp.backend import array_namespace, is_installed, load_backend, op
from multimlp.errors import InputError
from multimlp.estimators._targets import Labels
from multimlp.optimizers import Optimizer
from multimlp.schedules import Schedule
from multimlp.training.engines import Problem, inplace
from multimlp.training.engines.inplace.heads import ClosedFormHead, SoftmaxHead, SquaredHead, head_for

rng = np.random.default_rng(0)
X, TARGETS = rng.normal(size=(24, 3)), rng.normal(size=(24, 2))
IN_PLACE = [name for name in ("numpy", "torch") if is_installed(name)]


def cubed(outputs, targets):
    """A third power, not a second."""
    xp = array_namespace(outputs)
    return xp.sum(xp.abs(outputs - targets) ** 3, axis=-1)


def cubed_gradient(outputs, targets):
    xp = array_namespace(outputs)
    return 3 * (outputs - targets) * xp.abs(outputs - targets)


def mse(outputs, targets):
    """Not the mean squared error."""
    return cubed(outputs, targets)


@op(arrays=4)
def adam_update(p, g, m, v, *, learning_rate, beta1, beta2, eps, correction1, correction2):
    """Plain descent, in spite of its name."""
    return p - learning_rate * g, m, v


def never_corrected(xp, t, options):
    return {f"correction{i}": xp.ones_like(t) for i in (1, 2)}


def own_adam(**changes):
    known = optimizers.adam(0.05)
    return dataclasses.replace(known, rule=dataclasses.replace(known.rule, **changes))


def trained(backend="numpy", **settings):
    """One full-batch epoch after another, in place where the problem is covered."""
    return mm.fit(
        mm.MLP(3, 4, 2, activation="tanh"), X, TARGETS,
        backend=backend, dtype="float64", epochs=3, batch_size=24, validation=None, progress=False, metrics=(),
        **{"loss": "mse", "optimizer": optimizers.sgd(0.05), **settings},
    ).history["loss"]  # fmt: skip


def same(first, second):
    np.testing.assert_allclose(first, second, rtol=1e-12)


# ---- activations


@mm.op()
def relu(x):
    """Not the rectifier."""
    return x * x


def test_an_activation_called_relu_gets_no_kernels_in_place():
    kernels = load_backend("numpy").inplace_kernels("float64", None)
    y = np.ones((2, 3))
    assert kernels.activation(activations.relu, y, y) is not None
    assert kernels.activation(relu, y, y) is None
    assert kernels.activation(np.tanh, y, y) is None


def test_an_activation_called_relu_is_trained_with_as_it_is():
    mlp = mm.MLP(3, 4, 2, activation=relu)
    problem = Problem(
        mlp,
        losses.mse,
        optimizers.sgd(0.1),
        None,
        load_backend("numpy"),
        None,
        "float64",
        None,
        batch_size=8,
        seed=0,
    )
    assert "relu" in str(inplace.build(problem, mlp.init(dtype="float64")))
    params = mlp.init(seed=1, dtype="float64")
    (w1, b1), (w2, b2) = params
    np.testing.assert_allclose(mlp(params, X), ((X @ w1 + b1) ** 2) @ w2 + b2, rtol=1e-12)
    with pytest.raises(InputError, match="callable of your own"):
        mlp.to_spec()


def test_an_activation_cannot_claim_a_name_that_is_not_its_own():
    with pytest.raises(InputError, match="the name 'relu' belongs to multimlp's own"):
        activations.Activation("relu", relu)


# ---- losses


def test_the_fused_heads_are_for_multimlps_own_losses():
    assert head_for(losses.mse) is SquaredHead
    assert head_for(losses.with_options("cross_entropy", label_smoothing=0.1)) is SoftmaxHead
    for name in ("mse", "cross_entropy"):
        assert head_for(losses.Loss(name, cubed, cubed_gradient)) is ClosedFormHead
    halved = losses.Loss("mse", losses.mse.function, lambda o, t: losses.mse.gradient(o, t) / 2)
    assert head_for(halved) is ClosedFormHead


@pytest.mark.parametrize("backend", IN_PLACE)
@pytest.mark.parametrize("name", ["mse", "cross_entropy"])
def test_a_loss_of_ones_own_is_trained_with_whatever_it_is_called(name, backend):
    expected = trained(backend, loss=losses.Loss("cubed", cubed, cubed_gradient))
    same(trained(backend, loss=losses.Loss(name, cubed, cubed_gradient)), expected)
    same(trained(backend, loss=mse), expected)
    assert abs(expected[0] - trained(backend)[0]) > 0.1


def test_a_loss_of_ones_own_is_not_written_down_as_multimlps():
    for own in (losses.get(mse), losses.Loss("mse", cubed, cubed_gradient)):
        assert not own.is_known
        with pytest.raises(InputError, match="'mse' cannot be written down"):
            own.to_spec()
        again = pickle.loads(pickle.dumps(own))
        assert again.function is own.function
        assert again.gradient_function is own.gradient_function
        assert again.name == "mse"
    assert losses.with_options("huber", delta=2.0).is_known


# ---- optimizers


@pytest.mark.parametrize("backend", IN_PLACE)
@pytest.mark.parametrize(
    "change", [{"apply": adam_update}, {"corrections": never_corrected}], ids=lambda c: str(*c)
)
def test_an_optimizer_called_adam_makes_its_own_updates(change, backend):
    own = own_adam(**change)
    assert own.name == "adam"
    same(
        trained(backend, optimizer=own), trained(backend, optimizer=Optimizer("mine", own.options, own.rule))
    )
    assert (
        abs(trained(backend, optimizer=own)[2] - trained(backend, optimizer=optimizers.adam(0.05))[2]) > 1e-3
    )


def test_plain_descent_called_adam_is_plain_descent():
    same(trained(optimizer=own_adam(apply=adam_update)), trained(optimizer=optimizers.sgd(0.05)))


def test_an_optimizer_of_ones_own_is_not_written_down_as_multimlps():
    own = own_adam(corrections=never_corrected)
    assert not own.is_known
    with pytest.raises(InputError, match="this 'adam' is one of your own"):
        own.to_spec()
    again = pickle.loads(pickle.dumps(own))
    assert again == own
    assert again.rule == own.rule
    assert all(optimizers.get(name).is_known for name in optimizers.names() if name != "lbfgs")


# ---- schedules and metrics


def own_rate(xp, t):
    """Works on one step alone."""
    return xp.asarray(0.1 if float(t) < 1 else 0.01)


def cosine(step):
    """A constant."""
    return 0.02


def test_a_schedule_called_cosine_is_asked_step_by_step():
    own = Schedule("cosine", own_rate)
    rate = [0.1, 0.01, 0.01]
    same(
        trained(optimizer=optimizers.sgd(own)),
        trained(optimizer=optimizers.sgd(lambda step: rate[int(step)])),
    )
    with pytest.raises(InputError, match="'cosine' cannot be written down"):
        own.to_spec()
    with pytest.raises(InputError, match="'cosine' cannot be written down"):
        schedules.get(cosine).to_spec()
    assert schedules.cosine(0.1, 5).is_known


def mae(outputs, targets):
    return 7.0


def test_a_metric_of_ones_own_is_not_written_down_as_multimlps():
    with pytest.raises(InputError, match="'mae' cannot be written down"):
        metrics.get(mae).to_spec()
    assert all(metrics.get(name).is_known for name in metrics.names())


# ---- what was compiled for one is not used for another


@pytest.mark.parametrize("backend", [name for name in ("jax", "tensorflow") if is_installed(name)])
def test_a_compiled_program_is_not_shared_between_things_of_one_name(backend):
    rates = [optimizers.sgd(lambda step: 0.05 + 0 * step), optimizers.sgd(lambda step: 0.2 + 0 * step)]
    assert rates[0] != rates[1]
    for optimizer, rate in zip(rates, (0.05, 0.2), strict=True):
        same(trained(backend, optimizer=optimizer), trained("numpy", optimizer=optimizers.sgd(rate)))
    for optimizer in (
        optimizers.adam(0.05),
        own_adam(apply=adam_update),
        own_adam(corrections=never_corrected),
    ):
        same(trained(backend, optimizer=optimizer), trained("numpy", optimizer=optimizer))
    for loss in ("mse", losses.Loss("mse", cubed, cubed_gradient)):
        same(trained(backend, loss=loss), trained("numpy", loss=loss))


# ---- estimators


def test_a_classifiers_loss_called_cross_entropy_gets_the_targets_of_any_other_of_ones_own():
    y = np.asarray([0, 1, 2, 1])

    def cross_entropy(outputs, targets):
        return cubed(outputs, targets)

    labels = Labels(y)
    encoded = [labels.encode(y, losses.get(loss)) for loss in (cross_entropy, cubed)]
    assert encoded[0].tolist() == encoded[1].tolist() == np.eye(3)[y].tolist()
    assert labels.encode(y, losses.cross_entropy).tolist() == y.tolist()
