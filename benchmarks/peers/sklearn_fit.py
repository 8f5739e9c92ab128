"""scikit-learn's `MLPClassifier`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier

from benchmarks.channel import Clock
from benchmarks.jobs import Call, Network, Training

_NEVER = -1e4
"""The bias of an output whose probability is exactly 0, so that its gradients are too."""


def _classifier(network: Network, batch: int, rate: float) -> MLPClassifier:
    """A classifier with these parameters.

    Of two classes scikit-learn would make one logistic output, which trains differently; a third class that never
    occurs keeps the two outputs of the others.
    """
    outputs = len(network[-1][1])
    classes = max(outputs, 3)
    hidden = tuple(len(bias) for _, bias in network[:-1])
    classifier = MLPClassifier(hidden, batch_size=batch, alpha=0.0, shuffle=False, learning_rate_init=rate)
    inputs = np.zeros((classes, network[0][0].shape[0]), np.float32)
    with np.errstate(all="ignore"):
        classifier.set_params(batch_size=classes)
        classifier.partial_fit(inputs, np.arange(classes), classes=np.arange(classes))
    classifier.set_params(batch_size=batch)
    for (weight, bias), coefs, intercepts in zip(
        network, classifier.coefs_, classifier.intercepts_, strict=True
    ):
        coefs[...], intercepts[...] = 0, _NEVER
        coefs[:, : weight.shape[1]], intercepts[: len(bias)] = weight, bias
    del classifier._optimizer  # its moments are of the call above; the next one makes a new one
    return classifier


def training(job: Training, clock: Clock) -> None:
    """`partial_fit` for each epoch: `fit` gives no chance to look at the clock."""
    case = job.case
    X, Y = case.data()
    classifiers = [_classifier(network, case.batch, job.rate) for network in job.initial()]
    outputs = case.sizes[-1]

    def read() -> list[Network]:
        return [_network(classifier, outputs) for classifier in classifiers]

    for epoch, order in enumerate(job.orders()):
        in_order = epoch < job.warm_up
        for classifier in classifiers:
            if in_order:
                classifier.partial_fit(X[order], Y[order])
            else:
                classifier.set_params(shuffle=True).partial_fit(X, Y)
        if not clock(read):
            return


def _network(classifier: MLPClassifier, outputs: int) -> Network:
    layers = list(zip(classifier.coefs_, classifier.intercepts_, strict=True))
    weight, bias = layers[-1]
    return [*layers[:-1], (weight[:, :outputs], bias[:outputs])]


def inference(job: Call) -> tuple[Callable[[], Any], Callable[[Any], np.ndarray]]:
    """`predict_proba`; compared as logarithms, which are logits but for a constant a row."""
    classifier, X = _classifier(job.network(), job.rows, 1e-3), job.inputs()
    return lambda: classifier.predict_proba(X), np.log
