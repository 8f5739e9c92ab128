"""What a metric is, and the choice by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from multimlp._naming import Named, Options, Table, document_as
from multimlp.backend import Array, host_values
from multimlp.errors import InputError
from multimlp.errors.checks import check_items, check_whole

METRICS: Table[Metric] = Table("metric")


Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False, repr=False)
class Metric(Named):
    """A named measure with its options.

    Attributes
    ----------
    name : str
    higher_is_better : bool
    options : dict
        Those given to `with_options`.
    takes_weights : bool
        Whether a call takes ``sample_weight``, of shape (n,): finite, none negative, not all zero.
    """

    name: str
    function: Callable[..., Array]
    higher_is_better: bool
    known: Options = Options()  # noqa: RUF009 - nobody changes it
    options: Mapping[str, Any] = field(default_factory=dict)
    takes_weights: bool = False
    check: Callable[..., None] | None = None

    table = METRICS

    def __post_init__(self) -> None:
        document_as(self, self.function)

    def _computes(self) -> tuple[Any, ...]:
        return (self.function,)

    def __call__(self, outputs: Array, targets: Array, sample_weight: Array | None = None) -> Array:
        if sample_weight is None:
            return self.function(outputs, targets, **self.options)
        if not self.takes_weights:
            weighted = ", ".join(name for name in names() if get(name).takes_weights)
            raise InputError(
                f"sample_weight: {self.name} takes no weights; leave them out, or use one of {weighted}"
            )
        return self.function(outputs, targets, sample_weight, **self.options)

    def validate(self, outputs_shape: Shape, targets: Any) -> None:
        """Check targets against the shape of the outputs, as `multimlp.losses.Loss.validate`; reads values on the host.

        A call itself looks at shapes alone, since values cannot be read within a compiled function: of labels that do not exist it
        makes NaN. `fit` validates before it trains.

        Raises
        ------
        ShapeError
            If the shapes do not fit.
        DataError
            If a value is impossible: a label outside 0 .. k-1, a fraction as a label, NaN.

        Examples
        --------
        >>> from multimlp import metrics
        >>> metrics.roc_auc.validate((2, 3), [0, 1, 2])
        Traceback (most recent call last):
        ...
        multimlp.errors.ShapeError: targets: expected 2 labels, one per row of the outputs, got 3
        """
        if self.check is not None:
            sizes = check_items("outputs_shape", outputs_shape, "of integers")
            shape = tuple(check_whole("outputs_shape", size, low=0) for size in sizes)
            self.check(shape, host_values(targets, "targets"), **self.options)


def metric(
    name: str,
    higher_is_better: bool,
    *aliases: str,
    check: Callable[..., None] | None = None,
    takes_weights: bool = False,
) -> Callable[[Callable[..., Array]], Metric]:
    """Decorate a function of outputs and targets, and of ``sample_weight`` where it takes weights; what follows are options.

    ``check(outputs_shape, targets, **options)`` looks at NumPy targets, see `Metric.validate`.
    """

    def add(function: Callable[..., Array]) -> Metric:
        options = Options(function, skip=3 if takes_weights else 2)
        made = Metric(name, function, higher_is_better, options, takes_weights=takes_weights, check=check)
        return METRICS.add(name, made, *aliases)

    return add


def with_options(metric: str | Metric, **options: Any) -> Metric:
    """The metric with options set.

    Parameters
    ----------
    metric : str or Metric
        The metric, or its name.
    **options
        ``each`` (accuracy), ``k`` (top_k_accuracy), ``average`` (f1), ``from_logits`` (those of probabilities), ``quantiles`` (pinball,
        crps_quantile), ``bins`` (expected_calibration_error).

    Returns
    -------
    Metric

    Raises
    ------
    InputError
        For an option that the metric does not have, or a value that it cannot have.

    Examples
    --------
    >>> from multimlp import metrics
    >>> metrics.with_options("top_k_accuracy", k=3)
    <metric top_k_accuracy, k=3>
    """
    return get(metric).configured(options)


@METRICS.reader
def get(metric: str | Metric | Mapping[str, Any] | Callable[[Array, Array], Any]) -> Metric:
    """The metric that is meant.

    Parameters
    ----------
    metric : str, Metric, mapping or callable
        A name, ``{"name": ..., "options": {...}}``, or ``callable(outputs, targets)`` that returns a number, of which higher is better.

    Returns
    -------
    Metric

    Raises
    ------
    InputError
        For an unknown name or anything else.

    Examples
    --------
    >>> from multimlp import metrics
    >>> metrics.get("top_k_accuracy").name
    'top_k_accuracy'
    """
    if isinstance(metric, Metric):
        return metric
    if isinstance(metric, (str, Mapping)):
        found: Metric = METRICS.make(metric)
        return found
    METRICS.own(metric, "a multimlp.metrics.Metric or a callable (outputs, targets) -> number")
    return Metric(getattr(metric, "__name__", type(metric).__name__), metric, higher_is_better=True)


def names() -> tuple[str, ...]:
    """The names of the metrics.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> from multimlp import metrics
    >>> "roc_auc" in metrics.names()
    True
    """
    return METRICS.names()
