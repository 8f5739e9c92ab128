"""RealMLP as scikit-learn estimators, on any backend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from multimlp import random
from multimlp.blocks import Chain
from multimlp.errors.checks import check_choice
from multimlp.estimators._base import store
from multimlp.estimators.tabular import _realmlp
from multimlp.estimators.tabular._base import TableEstimator, widths
from multimlp.estimators.tabular._kinds import TableClassifier, TableRegressor
from multimlp.estimators.tabular._preparation import Preparation
from multimlp.frames import Encoded
from multimlp.tree import Tree

_PARAMETERS = """
    Parameters
    ----------
    version : {"TD", "TD-S"}
        Tuned defaults, or their simple form: no embeddings, learned mixes, dropout and decay.
    hidden_layer_sizes : int or sequence of int
    n_epochs, batch_size : int
    learning_rate : float, optional
        The largest of the schedule; default: the version's.
    validation_fraction : float
        Of the rows, held out to find the best epoch; 0 trains on all and keeps the last.
    n_folds : int, optional
        So many networks, each judged on a fold of the rows and trained on the others; the mean of what they say is predicted.
    n_repeats : int
        The same so many times, with other splits and seeds.
    patience : int, optional
        Ends training after so many epochs without a better one; default: all epochs are made.
    categorical_features : sequence of str or int
        Columns of numbers that are categories.
    backend, device, dtype
        Where it is trained, and in what (default float32); see `multimlp.use_backend`.
    random_state : int, RandomState or None
    callbacks : sequence
        See `multimlp.callbacks`.
    verbose : bool"""


class _RealMLP(TableEstimator):
    _kind = ""
    _drops_last = True
    version: str
    hidden_layer_sizes: Sequence[int]
    learning_rate: float | None

    def _check(self) -> None:
        super()._check()
        check_choice("version", self.version, ("TD", "TD-S"))
        widths(self.hidden_layer_sizes)

    @property
    def _recipe(self) -> _realmlp.Recipe:
        return _realmlp.RECIPES[self.version, self._kind]

    def _prepare(self, X: Encoded) -> Preparation:
        return Preparation.of(self._schema, X, _realmlp.most_one_hot(self._recipe))

    def _build(self, preparation: Preparation, X: np.ndarray, seed: int) -> tuple[Chain, Tree, Any]:
        recipe, steps = self._recipe, self._steps(len(X))
        chain = _realmlp.network(
            recipe, preparation, X, widths(self.hidden_layer_sizes), self._outputs(), steps
        )
        params = chain.host_params(seed)
        if recipe.from_data:
            order = random.host_generator(seed, "first batch").permutation(len(X))
            params = _realmlp.started(chain, params, X[order[: self.batch_size]], seed)
        rate = recipe.learning_rate if self.learning_rate is None else float(self.learning_rate)
        return chain, params, _realmlp.optimizer(recipe, chain, rate, steps)


class RealMLPClassifier(_RealMLP, TableClassifier):
    __doc__ = f"""RealMLP, a multilayer perceptron for tables with tuned defaults, as a classifier.

    Numbers are scaled robustly and embedded by waves, small columns of categories become one-hot, large ones are embedded; layers in
    the neural tangent parametrisation, mixes of SELU and the identity, rates that rise and fall four times, the best epoch kept. What is
    missing is filled with the median and shown by an indicator.
{_PARAMETERS}
    metric : {{"class_error", "log_loss"}}
        What the best epoch has least of.
    label_smoothing : float
    calibrate : bool
        Whether one temperature for each network's outputs is fitted on the rows held out.
    class_weight : dict, "balanced" or None

    References
    ----------
    D. Holzmüller, L. Grinsztajn, I. Steinwart (2024), Better by default: strong pre-tuned MLPs and boosted trees on tabular data,
    NeurIPS, arXiv:2407.04491.

    Examples
    --------
    >>> from multimlp.estimators import RealMLPClassifier
    >>> X = {{"size": [1.0, 2.0, None, 8.0, 9.0, 7.5] * 5, "shape": ["round", "flat"] * 15}}
    >>> y = ["small", "small", "small", "large", "large", "large"] * 5
    >>> model = RealMLPClassifier(n_epochs=20, hidden_layer_sizes=[16], random_state=0).fit(X, y)
    >>> model.predict({{"size": [1.5, 8.5], "shape": ["flat", "round"]}}).tolist()
    ['small', 'large']
    """

    _kind = "classes"

    def __init__(
        self,
        version: str = "TD",
        *,
        hidden_layer_sizes: Sequence[int] = (256, 256, 256),
        n_epochs: int = 256,
        batch_size: int = 256,
        learning_rate: float | None = None,
        validation_fraction: float = 0.2,
        n_folds: int | None = None,
        n_repeats: int = 1,
        patience: int | None = None,
        metric: str = "class_error",
        label_smoothing: float = _realmlp.LABEL_SMOOTHING,
        calibrate: bool = False,
        class_weight: Any = None,
        categorical_features: Sequence[str | int] = (),
        backend: Any = None,
        device: str | None = None,
        dtype: Any = None,
        random_state: Any = None,
        callbacks: Sequence[Any] = (),
        verbose: bool = False,
    ) -> None:
        store(self, locals())


class RealMLPRegressor(_RealMLP, TableRegressor):
    __doc__ = f"""RealMLP, a multilayer perceptron for tables with tuned defaults, as a regressor.

    As `RealMLPClassifier`, with mixes of Mish and the identity; targets are standardised, and predictions stay in the range of
    those that it was trained on.
{_PARAMETERS}
    output : {{"mean", "quantile", "gaussian"}}
        What is learned of each target: its mean, by squared errors; its ``quantiles``, by the pinball loss; or mean and deviation of a
        normal distribution, by its likelihood. See `predict_quantiles`, `predict_interval`, `predict_distribution`.
    quantiles : sequence of float
        Strictly between 0 and 1, the lower first.

    References
    ----------
    D. Holzmüller, L. Grinsztajn, I. Steinwart (2024), Better by default: strong pre-tuned MLPs and boosted trees on tabular data,
    NeurIPS, arXiv:2407.04491.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp.estimators import RealMLPRegressor
    >>> X = np.linspace(0, 1, 64)[:, None]
    >>> model = RealMLPRegressor(n_epochs=60, hidden_layer_sizes=[16], random_state=0).fit(X, 100 * X[:, 0])
    >>> bool(abs(model.predict([[0.5]])[0] - 50) < 10)
    True
    """

    _kind = "numbers"

    def __init__(
        self,
        version: str = "TD",
        *,
        hidden_layer_sizes: Sequence[int] = (256, 256, 256),
        n_epochs: int = 256,
        batch_size: int = 256,
        learning_rate: float | None = None,
        validation_fraction: float = 0.2,
        n_folds: int | None = None,
        n_repeats: int = 1,
        patience: int | None = None,
        output: str = "mean",
        quantiles: Sequence[float] = (0.05, 0.5, 0.95),
        categorical_features: Sequence[str | int] = (),
        backend: Any = None,
        device: str | None = None,
        dtype: Any = None,
        random_state: Any = None,
        callbacks: Sequence[Any] = (),
        verbose: bool = False,
    ) -> None:
        store(self, locals())

    def _build(self, preparation: Preparation, X: np.ndarray, seed: int) -> tuple[Chain, Tree, Any]:
        chain, params, optimizer = super()._build(preparation, X, seed)
        if self.output == "gaussian":
            params = _realmlp.with_even_scales(params, self.n_outputs_)
        return chain, params, optimizer
