"""TabM as scikit-learn estimators, on any backend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from multimlp.blocks import Chain
from multimlp.errors.checks import check_number
from multimlp.estimators._base import store
from multimlp.estimators.tabular import _tabm
from multimlp.estimators.tabular._base import TableEstimator, check_count, widths
from multimlp.estimators.tabular._kinds import TableClassifier, TableRegressor
from multimlp.estimators.tabular._preparation import Preparation
from multimlp.frames import Encoded
from multimlp.tree import Tree

_PARAMETERS = """
    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int
    n_members : int
        Networks in one: they share their large matrices, and their mean is predicted.
    n_epochs : int
        At most.
    batch_size : int
    learning_rate, weight_decay, dropout : float
    validation_fraction : float
        Of the rows, held out to find the best epoch; 0 trains on all and keeps the last.
    n_folds : int, optional
        So many models, each judged on a fold of the rows and trained on the others; the mean of what they say is predicted.
    n_repeats : int
        The same so many times, with other splits and seeds.
    patience : int, optional
        Ends training after so many epochs without a better one; None: all epochs are made.
    categorical_features : sequence of str or int
        Columns of numbers that are categories.
    backend, device, dtype
        Where it is trained, and in what (default float32); see `multimlp.use_backend`.
    random_state : int, RandomState or None
    callbacks : sequence
        See `multimlp.callbacks`.
    verbose : bool"""


class _TabM(TableEstimator):
    _drops_last = False
    hidden_layer_sizes: Sequence[int]
    n_members: int
    learning_rate: float
    weight_decay: float
    dropout: float

    def _check(self) -> None:
        super()._check()
        widths(self.hidden_layer_sizes)
        check_count("n_members", self.n_members)
        check_number("learning_rate", self.learning_rate, low=0, low_open=True)
        check_number("weight_decay", self.weight_decay, low=0)
        check_number("dropout", self.dropout, low=0, high=1, high_open=True)

    def _prepare(self, X: Encoded) -> Preparation:
        return Preparation.of(self._schema, X, 2**31, normal=True)

    def _build(self, preparation: Preparation, X: np.ndarray, seed: int) -> tuple[Chain, Tree, Any]:
        chain = _tabm.network(
            preparation,
            X,
            widths(self.hidden_layer_sizes),
            self._outputs(),
            self.n_members,
            float(self.dropout),
        )
        return (
            chain,
            chain.host_params(seed),
            _tabm.optimizer(float(self.learning_rate), float(self.weight_decay)),
        )


class TabMClassifier(_TabM, TableClassifier):
    __doc__ = f"""TabM, an ensemble of perceptrons in one network, for tables, as a classifier.

    Numbers become normal by their ranks and are encoded by the bins that they lie in, categories become one-hot; k members share their
    matrices and have vectors and last layers of their own; each is trained by itself, all on the same batches, and the mean of their
    probabilities is predicted. What is missing is filled with the median and shown by an indicator.
{_PARAMETERS}
    metric : {{"class_error", "log_loss"}}
        What the best epoch has least of.
    label_smoothing : float
    calibrate : bool
        Whether one temperature for each model's outputs is fitted on the rows held out.
    class_weight : dict, "balanced" or None

    References
    ----------
    Y. Gorishniy, A. Kotelnikov, A. Babenko (2024), TabM: advancing tabular deep learning with parameter-efficient ensembling, ICLR 2025,
    arXiv:2410.24210.

    Examples
    --------
    >>> from multimlp.estimators import TabMClassifier
    >>> X = {{"size": [1.0, 2.0, None, 8.0, 9.0, 7.5] * 5, "shape": ["round", "flat"] * 15}}
    >>> y = ["small", "small", "small", "large", "large", "large"] * 5
    >>> model = TabMClassifier(n_epochs=60, hidden_layer_sizes=[16], n_members=4, random_state=0).fit(X, y)
    >>> model.predict({{"size": [1.5, 8.5], "shape": ["flat", "round"]}}).tolist()
    ['small', 'large']
    """

    def __init__(
        self,
        hidden_layer_sizes: Sequence[int] = (512, 512),
        *,
        n_members: int = 32,
        n_epochs: int = 256,
        batch_size: int = 256,
        learning_rate: float = 2e-3,
        weight_decay: float = _tabm.WEIGHT_DECAY,
        dropout: float = _tabm.DROPOUT,
        validation_fraction: float = 0.2,
        n_folds: int | None = None,
        n_repeats: int = 1,
        patience: int | None = 16,
        metric: str = "log_loss",
        label_smoothing: float = 0.0,
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


class TabMRegressor(_TabM, TableRegressor):
    __doc__ = f"""TabM, an ensemble of perceptrons in one network, for tables, as a regressor.

    As `TabMClassifier`; targets are standardised, and the mean of the members' predictions stays in the range of those that it was
    trained on.
{_PARAMETERS}
    output : {{"mean", "quantile", "gaussian"}}
        What is learned of each target: its mean, by squared errors; its ``quantiles``, by the pinball loss; or mean and deviation of a
        normal distribution, by its likelihood. See `predict_quantiles`, `predict_interval`, `predict_distribution`.
    quantiles : sequence of float
        Strictly between 0 and 1, the lower first.

    References
    ----------
    Y. Gorishniy, A. Kotelnikov, A. Babenko (2024), arXiv:2410.24210.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp.estimators import TabMRegressor
    >>> X = np.linspace(0, 1, 64)[:, None]
    >>> model = TabMRegressor(n_epochs=100, hidden_layer_sizes=[16], n_members=4, random_state=0).fit(X, 100 * X[:, 0])
    >>> bool(abs(model.predict([[0.5]])[0] - 50) < 10)
    True
    """

    def __init__(
        self,
        hidden_layer_sizes: Sequence[int] = (512, 512),
        *,
        n_members: int = 32,
        n_epochs: int = 256,
        batch_size: int = 256,
        learning_rate: float = 2e-3,
        weight_decay: float = _tabm.WEIGHT_DECAY,
        dropout: float = _tabm.DROPOUT,
        validation_fraction: float = 0.2,
        n_folds: int | None = None,
        n_repeats: int = 1,
        patience: int | None = 16,
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
