"""The models, each with its authors' defaults, and what a table has to be made into for those that do not take it as it comes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.process import cores_available
from benchmarks.tabular.datasets import categories
from multimlp.errors import InputError

THREADS = len(cores_available())
"""Of each model: as many as this process may use cores, of which `taskset` gives it fewer."""


@dataclass(frozen=True)
class Model:
    """What is compared.

    Attributes
    ----------
    name : str
    package : str
        What must be installed.
    make : callable
        ``make(is_classification, seed, frame)``: an estimator of scikit-learn's kind.
    fit : callable
        ``fit(estimator, frame, y)``
    quick : bool
        Whether a quick run has it.
    """

    name: str
    package: str
    make: Callable[[bool, int, Any], Any]
    fit: Callable[[Any, Any, Any], Any] = lambda model, frame, y: model.fit(frame, y)
    quick: bool = False


def _columns(frame: Any, scale: bool, one_hot: bool) -> Any:
    """scikit-learn's usual preparation: medians and an indicator for gaps, categories one-hot or numbered."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

    text = categories(frame)
    numbers = [c for c in frame.columns if c not in text]
    filled = SimpleImputer(strategy="median", add_indicator=True)
    encoder = (
        OneHotEncoder(handle_unknown="ignore", sparse_output=False, max_categories=50)
        if one_hot
        else OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, max_categories=250)
    )
    prepared = make_pipeline(SimpleImputer(strategy="constant", fill_value="missing"), encoder)
    numeric = make_pipeline(filled, StandardScaler()) if scale else "passthrough"
    return ColumnTransformer([("numbers", numeric, numbers), ("text", prepared, text)])


def _pipeline(frame: Any, model: Any) -> Any:
    from sklearn.pipeline import make_pipeline

    return make_pipeline(_columns(frame, scale=True, one_hot=True), model)


def _ours(kind: str, backend: str) -> Callable[[bool, int, Any], Any]:
    def make(is_classification: bool, seed: int, frame: Any) -> Any:
        from multimlp import estimators

        cls = getattr(estimators, f"{kind}{'Classifier' if is_classification else 'Regressor'}")
        return cls(backend=backend, random_state=seed)

    return make


def _pytabkit(kind: str) -> Callable[[bool, int, Any], Any]:
    def make(is_classification: bool, seed: int, frame: Any) -> Any:
        import pytabkit

        cls = getattr(pytabkit, f"{kind}_{'Classifier' if is_classification else 'Regressor'}")
        return _Filled(cls(random_state=seed, n_threads=THREADS, device="cpu"))

    return make


class _Prepared:
    """A model that gets its tables made ready."""

    _model: Any

    def _prepared(self, frame: Any) -> Any:
        raise NotImplementedError

    def predict(self, frame: Any) -> Any:
        return self._model.predict(self._prepared(frame))

    def predict_proba(self, frame: Any) -> Any:
        return self._model.predict_proba(self._prepared(frame))


def _as_text(column: Any) -> Any:
    """With a category of its own for what is missing."""
    return column.astype(object).where(column.notna(), "missing").astype(str)


class _Filled(_Prepared):
    """For models that take categories but no gaps in numbers: medians."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def _prepared(self, frame: Any) -> Any:
        frame = frame.copy()
        for name in frame.columns:
            if name in self._text:
                frame[name] = _as_text(frame[name])
            else:
                frame[name] = frame[name].astype("float32").fillna(self._medians[name])
        return frame

    def fit(self, frame: Any, y: Any) -> _Filled:
        self._text = categories(frame)
        self._medians = {c: frame[c].median() for c in frame.columns if c not in self._text}
        self._model.fit(self._prepared(frame), y, cat_col_names=self._text)
        return self


def _sklearn_mlp(is_classification: bool, seed: int, frame: Any) -> Any:
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.preprocessing import StandardScaler

    if is_classification:
        return _pipeline(frame, MLPClassifier(random_state=seed))
    scaled = TransformedTargetRegressor(MLPRegressor(random_state=seed), transformer=StandardScaler())
    return _pipeline(frame, scaled)


def _trees(is_classification: bool, seed: int, frame: Any) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.pipeline import make_pipeline

    cls = HistGradientBoostingClassifier if is_classification else HistGradientBoostingRegressor
    count = len(frame.columns)
    chosen = range(count - len(categories(frame)), count)
    return make_pipeline(
        _columns(frame, scale=False, one_hot=False),
        cls(random_state=seed, categorical_features=list(chosen) or None),
    )


def _linear(is_classification: bool, seed: int, frame: Any) -> Any:
    from sklearn.linear_model import LogisticRegression, RidgeCV

    return _pipeline(frame, LogisticRegression(max_iter=2000) if is_classification else RidgeCV())


def _lightgbm(is_classification: bool, seed: int, frame: Any) -> Any:
    import lightgbm

    cls = lightgbm.LGBMClassifier if is_classification else lightgbm.LGBMRegressor
    return _Categorical(cls(random_state=seed, n_jobs=THREADS, verbose=-1), as_text=False)


def _catboost(is_classification: bool, seed: int, frame: Any) -> Any:
    import catboost

    cls = catboost.CatBoostClassifier if is_classification else catboost.CatBoostRegressor
    model = cls(
        random_seed=seed, thread_count=THREADS, verbose=False, allow_writing_files=False,
        cat_features=categories(frame),
    )  # fmt: skip
    return _Categorical(model, as_text=True)


class _Categorical(_Prepared):
    """For trees with categories of their own: pandas' categories, or text where gaps are a category."""

    def __init__(self, model: Any, as_text: bool) -> None:
        self._model, self._as_text = model, as_text

    def _prepared(self, frame: Any) -> Any:
        import pandas

        frame = frame.copy()
        for name, values in self._levels.items():
            column = frame[name]
            frame[name] = _as_text(column) if self._as_text else pandas.Categorical(column, categories=values)
        return frame

    def fit(self, frame: Any, y: Any) -> _Categorical:
        self._levels = {name: sorted(frame[name].dropna().unique(), key=str) for name in categories(frame)}
        self._model.fit(self._prepared(frame), y)
        return self


MODELS: dict[str, Model] = {
    one.name: one
    for one in (
        Model("RealMLP", "numpy", _ours("RealMLP", "numpy")),
        Model("TabM", "torch", _ours("TabM", "torch")),
        Model("RealMLP of pytabkit", "pytabkit", _pytabkit("RealMLP_TD")),
        Model("TabM of pytabkit", "pytabkit", _pytabkit("TabM_D")),
        Model("MLP of scikit-learn", "sklearn", _sklearn_mlp, quick=True),
        Model("HistGradientBoosting", "sklearn", _trees, quick=True),
        Model("LightGBM", "lightgbm", _lightgbm),
        Model("CatBoost", "catboost", _catboost),
        Model("linear", "sklearn", _linear, quick=True),
    )
}
"""By name; the networks of this package on NumPy and, with 32 members, on torch."""


def find(name: str) -> Model:
    """`InputError` for a name that is not in the table."""
    if name not in MODELS:
        raise InputError(f"model: {name!r} is not known; choose from {', '.join(MODELS)}")
    return MODELS[name]
