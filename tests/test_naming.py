"""The kit of named things: one way of finding, checking, writing down, pickling and showing, for every family."""

from __future__ import annotations

import copy
import inspect
import json
import pickle
from typing import Annotated

import pytest

from multimlp import initializers, losses, metrics, optimizers, regularizers, schedules
from multimlp._naming import Named, Options, Table, squeezed
from multimlp.errors import InputError
from multimlp.errors.checks import choice, flag, number, optional, whole

FAMILIES = {
    "loss": losses,
    "metric": metrics,
    "optimizer": optimizers,
    "schedule": schedules,
    "initializer": initializers,
    "regularizer": regularizers,
}
REQUIRED = {
    "schedule": {
        "constant": {"value": 0.1},
        "step": {"initial": 0.1, "every": 3},
        "exponential": {"initial": 0.1, "rate": 0.9},
        "cosine": {"initial": 0.1, "steps": 20},
        "warm_up": {"steps": 10, "then": {"name": "constant", "options": {"value": 0.1}}},
        "one_cycle": {"peak": 0.1, "steps": 20},
        "flat_cosine": {"initial": 0.1, "steps": 20},
        "log_cosine": {"peak": 0.1, "steps": 20},
        "piecewise": {"boundaries": [2, 5], "values": [0.3, 0.2, 0.1]},
    },
    "regularizer": {"l1": {"c": 0.1}, "l2": {"c": 0.1}, "elastic_net": {"l1": 0.1, "l2": 0.2}},
}
THINGS = [(kind, name) for kind, family in FAMILIES.items() for name in family.names()]


def made(kind, name):
    return FAMILIES[kind].get({"name": name, "options": REQUIRED.get(kind, {}).get(name, {})})


@pytest.mark.parametrize(("kind", "name"), THINGS)
def test_every_thing_is_written_down_pickled_copied_compared_and_shown(kind, name):
    thing = made(kind, name)
    family = FAMILIES[kind]
    assert isinstance(thing, Named)
    spec = json.loads(json.dumps(thing.to_spec()))
    assert set(spec) == {"name", "options"}
    for again in (family.get(spec), pickle.loads(pickle.dumps(thing)), copy.deepcopy(thing)):
        assert again == thing
        assert hash(again) == hash(thing)
    assert repr(thing).startswith(f"<{kind} {thing.name}")
    assert family.get(thing) is thing


@pytest.mark.parametrize(("kind", "name"), THINGS)
def test_every_name_is_found_however_it_is_spelt(kind, name):
    wanted, options = made(kind, name), REQUIRED.get(kind, {}).get(name, {})
    camel = "".join(part.capitalize() for part in name.split("_"))
    for spelling in (name.upper(), camel, name.replace("_", "-"), f" {name.replace('_', ' ')} "):
        assert FAMILIES[kind].get({"name": spelling, "options": options}) == wanted


@pytest.mark.parametrize("kind", FAMILIES)
def test_errors_say_what_there_is(kind):
    family = FAMILIES[kind]
    name = family.names()[-1]
    with pytest.raises(InputError, match=f"^{kind}: unknown name '{name}x'. Did you mean '{name}'"):
        family.get(f"{name}x")
    with pytest.raises(InputError, match=f"^{kind}: {name} has no option 'no_such'; its options: "):
        family.get({"name": name, "options": {"no_such": 1}})
    with pytest.raises(InputError, match=f"^{kind}: expected"):
        family.get({"nom": name})
    with pytest.raises(InputError, match=f"^{kind}: expected a name"):
        family.get(object())


@pytest.mark.parametrize(("kind", "name"), THINGS)
def test_every_option_has_a_check(kind, name):
    family = FAMILIES[kind]
    entry = family.get(name) if kind in ("loss", "metric") else getattr(family, name)
    for option in entry.known.names:
        with pytest.raises(InputError, match=option):
            entry.known.checked({option: object()})


def mse(first, second):
    """A callable of one's own with the name of a loss."""
    return 0.5


def constant(step):
    return 0.5


OWN = {"loss": mse, "metric": mse, "schedule": constant, "initializer": constant}


@pytest.mark.parametrize("kind", OWN)
def test_your_own_is_not_taken_for_what_it_is_called_after(kind):
    family, function = FAMILIES[kind], OWN[kind]
    thing = family.get(function)
    assert not thing.is_known
    assert made(kind, family.names()[0]).is_known
    assert all(thing != made(kind, name) for name in family.names())
    again = pickle.loads(pickle.dumps(thing))
    assert type(again) is type(thing)
    assert again.name == function.__name__
    assert (again == thing) == (kind != "initializer")
    with pytest.raises(
        InputError, match=f"^{kind}: '{function.__name__}' cannot be written down, since it is your own"
    ):
        thing.to_spec()


def test_signatures_are_those_of_the_options():
    assert list(inspect.signature(optimizers.adam).parameters)[:3] == ["learning_rate", "beta1", "beta2"]
    assert list(inspect.signature(schedules.cosine).parameters) == ["initial", "steps", "floor"]
    assert optimizers.adam.__doc__.startswith("Adam, as in the paper.")
    with pytest.raises(TypeError, match=r"cosine\(\) missing a required argument: 'steps'"):
        schedules.cosine(0.1)
    with pytest.raises(TypeError, match=r"adam\(\) got an unexpected keyword argument 'beta3'"):
        optimizers.adam(beta3=0.1)


def test_an_option_without_a_check_is_refused_at_any_use():
    def adam(learning_rate: Annotated[float, number(low=0)] = 0.1, beta3: float = 0.9) -> None: ...

    with pytest.raises(TypeError, match="adam: the option 'beta3' has no check"):
        Options(adam).checked({"learning_rate": 0.1})
    table = Table("optimizer")
    make = table.maker(adam, lambda name, options: None)
    for use in (make, lambda: table.make("adam"), lambda: make(0.5)):
        with pytest.raises(TypeError, match="beta3"):
            use()


@pytest.mark.parametrize(
    ("check", "good", "kept", "bad", "words"),
    [
        (number(0, 1, high_open=True), 0, 0.0, 1, r"x: expected a number in \[0, 1\), got 1"),
        (number(), "1", None, "1", "x: expected a number, got '1' of type str"),
        (whole(1), 3.0, 3, 2.5, "x: expected a positive integer, got 2.5"),
        (whole(1, "of steps"), 3, 3, 0, "x: expected a positive integer of steps, got 0"),
        (flag, 1, True, "no", "x: expected True or False, got 'no'"),
        (choice("a", "b", "c"), "b", "b", "d", "x: expected 'a', 'b' or 'c', got 'd'"),
        (optional(number(0)), None, None, -1, "x: expected a number"),
    ],
)
def test_checks(check, good, kept, bad, words):
    if kept is not None or good is None:
        assert check("x", good) == kept
        assert type(check("x", good)) is type(kept)
    with pytest.raises(InputError, match=words):
        check("x", bad)


def test_two_things_of_one_spelling_are_refused():
    table = Table("loss")
    table.add("log_loss", 1, "cross_entropy")
    with pytest.raises(ValueError, match="'LogLoss' is already a name of 'log_loss'"):
        table.add("LogLoss", 2)
    assert table.canonical("Cross Entropy") == "log_loss"
    assert table.canonical("huber") is None
    assert squeezed(" Leaky-ReLU_") == "leakyrelu"
