"""A search over hyper-parameters that trains candidates of equal shape as the members of one program."""

from __future__ import annotations

import numbers
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone, is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import check_scoring
from sklearn.model_selection import ParameterGrid, ParameterSampler, check_cv
from sklearn.utils import get_tags, indexable
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from multimlp.errors import DataError, InputError
from multimlp.errors.checks import check_whole, refuse
from multimlp.estimators._base import store
from multimlp.estimators._classifier import MLPClassifier
from multimlp.estimators._inputs import check_weights, explained
from multimlp.estimators._members import Fitting, why_alone
from multimlp.estimators._regressor import MLPRegressor
from multimlp.estimators._search_checkpoint import SearchCheckpoint, settings_of
from multimlp.estimators._search_groups import Settings, grouped, last_step, prefix_of, transformed
from multimlp.estimators._search_results import cv_results
from multimlp.estimators._search_scores import Fitted, Rows, ScoreTable, fitted_alone


def _best_has(method: str) -> Callable[[Any], bool]:
    """Whether the best estimator has a method; an AttributeError says why it cannot be called."""

    def check(search: Any) -> bool:
        if not search.refit:
            raise AttributeError(
                f"refit=False, so there is no estimator on all rows to call {method} of; use best_params_"
            )
        getattr(getattr(search, "best_estimator_", search.estimator), method)
        return True

    return check


class MLPSearchCV(MetaEstimatorMixin, BaseEstimator):
    """A search by cross-validation over the hyper-parameters of multimlp's estimators; scikit-learn's interface.

    Scores are those of `sklearn.model_selection.GridSearchCV` or `RandomizedSearchCV` on the same estimator, up to rounding. Candidates
    that differ in numbers alone (``alpha``, ``learning_rate_init``, ``momentum``, ``beta_1``, ``beta_2``, ``epsilon``, ``dropout``) are
    trained on each split as the members of one program, and each stops when its own fit would have, early stopping included; all others
    (other layers, another solver or seed) come one group after the other. Estimators with L-BFGS, a changing learning rate or members of
    their own are fitted one by one.

    Parameters
    ----------
    estimator : MLPClassifier, MLPRegressor, or a Pipeline that ends in one
        In a pipeline the steps before are fitted once for each split and group.
    param_grid : mapping of str to sequence, or sequence of these
        All combinations, as for ``GridSearchCV``.
    param_distributions : mapping of str to sequence or distribution, or sequence of these
        Instead: ``n_iter`` candidates drawn from these, as for ``RandomizedSearchCV``.
    n_iter : int
    scoring : str, callable, list, tuple, dict or None
        As in scikit-learn.
    refit : bool, str or callable
        Whether to fit the best candidate to all rows: with several scorers the name of the one that decides; a callable gets
        ``cv_results_`` and returns the index.
    cv : int, splitter, iterable or None
    random_state : int, RandomState or None
        Of the candidates drawn.
    error_score : "raise" or number
        The score of a candidate that cannot be fitted, such as one that diverges.
    return_train_score : bool
    verbose : int
    checkpoint : path, optional
        A folder, in which the scores of each group of candidates on each split are kept when they are known; if it exists, the search goes
        on with those that are missing. One of another search (estimator, candidates, data, splits) is refused: give ``random_state`` where
        candidates are drawn, and where ``cv`` shuffles.

    Attributes
    ----------
    cv_results_ : dict
    best_estimator_, best_params_, best_score_, best_index_, refit_time_, scorer_, n_splits_, multimetric_
    classes_, n_features_in_, feature_names_in_
        Those of the best estimator.
    alone_ : dict of int to str
        Why candidates were not trained together with others, by their indices.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from multimlp.estimators import MLPClassifier, MLPSearchCV
    >>> X, y = load_iris(return_X_y=True)
    >>> grid = {"alpha": [0.0001, 0.01, 1.0], "learning_rate_init": [0.001, 0.01]}
    >>> search = MLPSearchCV(MLPClassifier(16, max_iter=300, random_state=0), grid, cv=3).fit(X, y)
    >>> search.best_params_["learning_rate_init"], bool(search.best_score_ > 0.9), len(search.cv_results_["params"])
    (0.01, True, 6)
    """

    def __init__(
        self,
        estimator: Any,
        param_grid: Any = None,
        *,
        param_distributions: Any = None,
        n_iter: int = 10,
        scoring: Any = None,
        refit: Any = True,
        cv: Any = None,
        random_state: Any = None,
        error_score: Any = np.nan,
        return_train_score: bool = False,
        verbose: int = 0,
        checkpoint: Any = None,
    ) -> None:
        store(self, locals())

    # ---- fitting

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None, groups: Any = None) -> MLPSearchCV:
        """Score all candidates and, if ``refit``, fit the best to all rows.

        Parameters
        ----------
        X, y
            As the estimator takes them.
        sample_weight : array of shape (n,), optional
            For fitting, and for scorers that take weights.
        groups : array of shape (n,), optional
            For splitters that need them.

        Returns
        -------
        self
        """
        last = last_step(self.estimator)
        if type(last) not in (MLPClassifier, MLPRegressor):
            raise refuse(
                "estimator",
                "an MLPClassifier or MLPRegressor of multimlp.estimators, or a Pipeline that ends in one",
                last,
            )
        if y is None:
            raise DataError("y: this search requires y to be passed, but the target y is None")
        try:
            X, y = indexable(X, y)
        except (TypeError, ValueError) as error:
            raise DataError(f"X, y: {error}") from None
        candidates = self._candidates()
        with explained("cv"):
            splitter = check_cv(self.cv, y, classifier=is_classifier(self.estimator))
            splits = list(splitter.split(X, y, groups))
        weights = check_weights(sample_weight, len(y))
        scorer = check_scoring(
            self.estimator, scoring=self.scoring, raise_exc=isinstance(self.error_score, str)
        )
        self._check_refit(scorer)
        if not splits:
            raise refuse("cv", "at least one pair of rows to train on and rows to score", self.cv)
        if self.verbose:
            print(f"Fitting {len(splits)} folds for each of {len(candidates)} candidates")
        scores = ScoreTable(scorer, len(candidates), len(splits), self.error_score, self.return_train_score)
        self.alone_: dict[int, str] = {}
        keeper = None
        if self.checkpoint is not None:
            about = settings_of(self, candidates, splits, X, y, weights)
            keeper = SearchCheckpoint(self.checkpoint, about)
        unfinished = 0
        for group, members in enumerate(grouped(candidates, prefix_of(self.estimator))):
            own = [candidates[i] for i in members]
            for split, (train, test) in enumerate(splits):
                rows = Rows(X, y, weights, train), Rows(X, y, weights, test)
                kept = None if keeper is None else keeper.load(group, split)
                if kept is not None:
                    try:
                        unfinished += self._restored(scores, members, split, kept)
                    except (ValueError, TypeError, KeyError, AttributeError) as error:
                        raise keeper.damaged(group, split, error) from error  # type: ignore[union-attr]
                    continue
                gave_up = self._scored(scores, own, members, split, rows, len(splits))
                unfinished += gave_up
                if keeper is not None:
                    alone = [self.alone_.get(i) for i in members]
                    figures = [scores.kept(i, split) for i in members]
                    keeper.save(group, split, {"scores": figures, "alone": alone, "unfinished": gave_up})
        scores.report(unfinished)
        self.cv_results_ = cv_results(
            candidates, scores.fit_time, scores.score_time, scores.test, scores.train
        )
        self.n_splits_, self.scorer_, self.multimetric_ = len(splits), scorer, scores.multimetric
        self._choose(X, y, sample_weight)
        return self

    def _scored(
        self,
        scores: ScoreTable,
        candidates: Sequence[Settings],
        members: Sequence[int],
        split: int,
        rows: tuple[Rows, Rows],
        repeats: int,
    ) -> int:
        """Fit and score one group on one split; how many fits reached ``max_iter``."""
        train, test = rows
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ConvergenceWarning)
            fitted = self._fitted(candidates, members, train, repeats)
        unfinished = sum(f.unfinished for f in fitted)
        for warning in caught:
            if issubclass(warning.category, ConvergenceWarning):
                unfinished += 1
            else:
                warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
        for i, one in zip(members, fitted, strict=True):
            scores.add(i, split, one, test, train)
        return unfinished

    def _restored(self, scores: ScoreTable, members: Sequence[int], split: int, kept: Any) -> int:
        """Take over what a checkpoint keeps of one group on one split."""
        for i, figures, why in zip(members, kept["scores"], kept["alone"], strict=True):
            scores.restore(i, split, figures)
            if why is not None:
                self.alone_[i] = str(why)
        return int(kept["unfinished"])

    def _candidates(self) -> list[dict[str, Any]]:
        if (self.param_grid is None) == (self.param_distributions is None):
            raise InputError("param_grid, param_distributions: give one of the two")
        given = "param_distributions" if self.param_grid is None else "param_grid"
        try:
            if self.param_grid is not None:
                found = list(ParameterGrid(self.param_grid))
            else:
                count = check_whole("n_iter", self.n_iter, low=1)
                found = list(
                    ParameterSampler(self.param_distributions, count, random_state=self.random_state)
                )
        except TypeError as error:
            raise InputError(f"{given}: {error}") from None
        if not found:
            raise refuse(given, "at least one candidate", getattr(self, given))
        known = self.estimator.get_params()
        for name in dict.fromkeys(name for candidate in found for name in candidate):
            if name not in known:
                clone(self.estimator).set_params(**{name: None})  # scikit-learn's own words
        return found

    def _fitted(
        self, candidates: Sequence[Settings], members: Sequence[int], rows: Rows, repeats: int
    ) -> list[Fitted]:
        """The estimators of one group, fitted to the rows of a split."""
        estimators = [
            clone(self.estimator).set_params(**clone(settings, safe=False)) for settings in candidates
        ]
        X, y, weights = rows.taken()
        before = time.perf_counter()
        try:
            X = transformed(estimators, X, y)
        except Exception as error:  # of anybody's steps
            return [Fitted(estimator, error, 0.0) for estimator in estimators]
        seconds = time.perf_counter() - before
        networks = [last_step(estimator) for estimator in estimators]
        why = why_alone(networks[0])
        if why is not None:
            self.alone_ |= dict.fromkeys(members, why)
            return [
                fitted_alone(e, n, X, y, weights, seconds) for e, n in zip(estimators, networks, strict=True)
            ]
        try:
            fitting = Fitting(networks, X, y, weights, repeats)
        except Exception as error:  # as above
            return [Fitted(estimator, error, seconds) for estimator in estimators]
        if fitting.alone is not None:
            self.alone_ |= dict.fromkeys(members, fitting.alone)
        each = (seconds + fitting.seconds) / len(estimators)
        return [
            Fitted(estimator, error, each, unfinished)
            for estimator, error, unfinished in zip(
                estimators, fitting.errors, fitting.unfinished, strict=True
            )
        ]

    def _check_refit(self, scorer: Any) -> None:
        """`InputError`, before anything is fitted, where several scorers are known and none decides."""
        names = getattr(scorer, "_scorers", None)
        if names is None or self.refit is False or callable(self.refit):
            return
        if not isinstance(self.refit, str) or self.refit not in names:
            raise self._wrong_refit()

    def _wrong_refit(self) -> InputError:
        return InputError(
            f"refit: with several scorers expected the name of the one that decides, a function or False, got {self.refit!r}"
        )

    def _choose(self, X: Any, y: Any, sample_weight: Any) -> None:
        results = self.cv_results_
        metric = self.refit if self.multimetric_ else "score"
        if callable(self.refit):
            chosen = self.refit(results)
            self.best_index_ = int(chosen) if isinstance(chosen, numbers.Integral) else -1
            if not 0 <= self.best_index_ < len(results["params"]):
                raise refuse("refit", "a function that returns the index of a candidate", chosen)
        elif self.multimetric_ and self.refit and f"rank_test_{metric}" not in results:
            raise self._wrong_refit()
        elif not self.multimetric_ or self.refit:
            self.best_index_ = int(results[f"rank_test_{metric}"].argmin())
            self.best_score_ = results[f"mean_test_{metric}"][self.best_index_]
        else:
            return
        self.best_params_ = results["params"][self.best_index_]
        if self.refit:
            started = time.perf_counter()
            best = clone(self.estimator).set_params(**clone(self.best_params_, safe=False))
            given = (
                {} if sample_weight is None else {f"{prefix_of(self.estimator)}sample_weight": sample_weight}
            )
            self.best_estimator_ = best.fit(X, y, **given)
            self.refit_time_ = time.perf_counter() - started
            if hasattr(best, "feature_names_in_"):
                self.feature_names_in_ = best.feature_names_in_

    # ---- the best estimator

    def _best(self) -> Any:
        check_is_fitted(self)
        return self.best_estimator_

    @available_if(_best_has("predict"))
    def predict(self, X: Any) -> Any:
        """`predict` of the best estimator."""
        return self._best().predict(X)

    @available_if(_best_has("predict_proba"))
    def predict_proba(self, X: Any) -> Any:
        """`predict_proba` of the best estimator."""
        return self._best().predict_proba(X)

    @available_if(_best_has("predict_log_proba"))
    def predict_log_proba(self, X: Any) -> Any:
        """`predict_log_proba` of the best estimator."""
        return self._best().predict_log_proba(X)

    def score(self, X: Any, y: Any = None) -> float:
        """What the scorer that decided makes of the best estimator's predictions."""
        _best_has("predict")(self)
        check_is_fitted(self)
        found = self.scorer_(self.best_estimator_, X, y)
        if isinstance(found, dict) and not isinstance(self.refit, str):
            raise InputError(
                f"refit: a function has chosen by several scores, {', '.join(found)}, none of which is the score; call search.scorer_"
            )
        return float(found[self.refit] if isinstance(found, dict) else found)

    @property
    def classes_(self) -> Any:
        """Of the best estimator."""
        _best_has("classes_")(self)
        return self._best().classes_

    @property
    def n_features_in_(self) -> int:
        """Of the best estimator."""
        try:
            check_is_fitted(self)
        except ValueError as error:
            raise AttributeError("n_features_in_: not fitted yet: call fit first") from error
        return int(self.best_estimator_.n_features_in_)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "best_estimator_") or (not self.refit and hasattr(self, "cv_results_"))

    def __sklearn_tags__(self) -> Any:
        tags, own = super().__sklearn_tags__(), get_tags(self.estimator)
        tags.estimator_type, tags.classifier_tags = own.estimator_type, own.classifier_tags
        tags.regressor_tags, tags.target_tags = own.regressor_tags, own.target_tags
        tags.input_tags.sparse = own.input_tags.sparse
        return tags
