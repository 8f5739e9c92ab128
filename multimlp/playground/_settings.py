"""What is chosen in the playground, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from multimlp import activations, losses, optimizers, regularizers
from multimlp.backend import CHECKERS, FLOAT_DTYPES, available_backends
from multimlp.data import Dataset, Standardizer
from multimlp.errors import InputError
from multimlp.errors.checks import check_choice, check_number, check_whole
from multimlp.mlp import DEFAULT_ACTIVATION, MLP
from multimlp.playground._plane import Plane
from multimlp.playground._problems import NAMES, Upload, parts, problem

MOST_UNITS, MOST_LAYERS, MOST_SAMPLES, MOST_EPOCHS = 512, 16, 5000, 100_000
"""What a page can still draw while it trains."""
TEST_SHARE = 0.25


@dataclass(frozen=True)
class Place:
    """Where one network is trained."""

    backend: str
    dtype: str = "float32"
    device: str | None = None

    def __str__(self) -> str:
        return f"{self.backend}, {self.dtype}"


def _first_place() -> Place:
    return Place("numpy")


@dataclass(frozen=True)
class Settings:
    """All choices of a session.

    Attributes
    ----------
    data : str
        One of `NAMES`.
    samples, noise
        Of the sets that are made.
    upload : Upload or None
    hidden : str
        Widths of the hidden layers, ``"8, 8"``; ``"8:tanh"`` gives a layer an activation of its own. Empty: a linear model.
    activation : str
        Of the layers that have none of their own.
    optimizer : str
    learning_rate : float or None
        None: the optimiser's own.
    batch_size : int
    l2 : float
        Weight of the penalty.
    seed : int
    epochs : int
        Where training ends.
    place : Place
    other : Place or None
        A second one, to compare with.
    """

    data: str = "circles"
    samples: int = 300
    noise: float = 0.1
    upload: Upload | None = None
    hidden: str = "8, 8"
    activation: str = DEFAULT_ACTIVATION
    optimizer: str = "adam"
    learning_rate: float | None = 0.01
    batch_size: int = 32
    l2: float = 0.0
    seed: int = 0
    epochs: int = 2000
    place: Place = field(default_factory=_first_place)
    other: Place | None = None


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything that the trainings of a session share, made of checked settings.

    Attributes
    ----------
    settings : Settings
    dataset : Dataset
        Its training part.
    mlp : MLP
    train, test : tuple of numpy.ndarray
        Standardised inputs and targets as the loss wants them.
    targets : Standardizer or None
        Of a regression.
    loss : Loss
    plane : Plane
        What the pictures show of the inputs.
    options : mapping
        For `multimlp.fit`.
    """

    settings: Settings
    dataset: Dataset
    mlp: MLP
    train: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]
    targets: Standardizer | None
    loss: losses.Loss
    plane: Plane
    options: Mapping[str, Any]

    @classmethod
    def of(cls, settings: Settings) -> Plan:
        """Read the data and check every choice.

        Raises
        ------
        MultimlpError
            For a choice that cannot be, with its name.

        Examples
        --------
        >>> from multimlp.playground import Plan, Settings
        >>> Plan.of(Settings(data="xor", hidden="4:tanh, 3")).mlp
        MLP(2, [4, 3], 2, activation=['tanh', 'relu'])
        """
        check_choice("data", settings.data, NAMES)
        check_whole("samples", settings.samples, low=20, high=MOST_SAMPLES)
        check_number("noise", settings.noise, low=0, high=2)
        widths, rules = layers_of(settings.hidden, settings.activation)
        rate = (
            {}
            if settings.learning_rate is None
            else {
                "learning_rate": check_number("learning rate", settings.learning_rate, low=0, low_open=True)
            }
        )
        penalty = check_number("L2", settings.l2, low=0)
        options = {
            "optimizer": optimizers.get({"name": settings.optimizer, "options": rate}),
            "epochs": check_whole("epochs", settings.epochs, low=1, high=MOST_EPOCHS),
            "batch_size": check_whole("batch size", settings.batch_size, low=1),
            "seed": check_whole("seed", settings.seed, low=0),
            "regularizer": regularizers.l2(penalty) if penalty else None,
        }
        for place in (settings.place, settings.other):
            if place is not None:
                check_choice("backend", place.backend, backends())
                check_choice("dtype", place.dtype, FLOAT_DTYPES)
        found = problem(settings.data, settings.samples, settings.noise, settings.seed, settings.upload)
        dataset, test = parts(found, TEST_SHARE, settings.seed)
        inputs = Standardizer.fit(dataset.X, shared=dataset.image_shape is not None)
        loss = losses.get("cross_entropy" if dataset.classes is not None else "mse")
        targets = None if dataset.classes is not None else Standardizer.fit(dataset.y[:, None])

        def prepared(part: Dataset) -> tuple[np.ndarray, np.ndarray]:
            return inputs(part.X), part.y if targets is None else targets(part.y[:, None])[:, 0]

        return cls(
            settings=settings,
            dataset=dataset,
            mlp=MLP(
                dataset.X.shape[1],
                widths,
                1 if dataset.classes is None else len(dataset.classes),
                activation=rules if widths else settings.activation,
            ),
            train=prepared(dataset),
            test=prepared(test),
            targets=targets,
            loss=loss,
            plane=Plane.through(dataset, inputs),
            options=options,
        )


def layers_of(hidden: str, activation: str) -> tuple[list[int], list[str]]:
    """Widths and activations for what was written of the hidden layers.

    Examples
    --------
    >>> from multimlp.playground import layers_of
    >>> layers_of("16, 8:tanh", "relu")
    ([16, 8], ['relu', 'tanh'])
    """
    activations.describe(activation)
    widths, rules = [], []
    for part in hidden.replace(";", ",").split(","):
        if not part.strip():
            continue
        width, _, rule = part.partition(":")
        if not width.strip().isdecimal():
            raise InputError(
                f"layers: expected widths such as '8, 8', or '8:tanh' for a layer with an activation of its own, got {part.strip()!r}"
            )
        widths.append(check_whole("layers", int(width), low=1, high=MOST_UNITS))
        rules.append(activations.describe(rule.strip() or activation).name)
    if len(widths) > MOST_LAYERS:
        raise InputError(f"layers: expected at most {MOST_LAYERS} hidden layers, got {len(widths)}")
    return widths, rules


def backends() -> tuple[str, ...]:
    """The backends that are installed, those that only check others left out."""
    return tuple(
        name for name, info in available_backends().items() if info.installed and name not in CHECKERS
    )
