"""What a loss is: per-example values, gradient in closed form, checks at the door; and the choice by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from multimlp._naming import Named, Options, Table, document_as
from multimlp.backend import Array, Op, host_values, is_array, owner
from multimlp.errors import InputError, ShapeError
from multimlp.errors.checks import check_items, check_number, check_whole, refuse
from multimlp.losses._align import check_outputs
from multimlp.losses._op import LossOp

Shape = tuple[int, ...]
LOSSES: Table[Loss] = Table("loss")


@dataclass(frozen=True, eq=False, repr=False)
class Loss(Named):
    """A loss with its options: call it as ``loss(outputs, targets)`` for the losses of the single examples.

    Made by this package and by `with_options`; `get` also wraps any callable of the same signature.

    Parameters
    ----------
    name : str
        The name in the table.
    function : callable
        ``function(outputs, targets, **options)`` -> per-example losses of shape (..., n) for outputs (...,
        n, k).
    gradient_function : callable, optional
        The derivative of each example's loss with respect to its outputs, in closed form, same signature,
        shape (..., n, k).
    check : callable, optional
        ``check(outputs_shape, targets)`` on NumPy targets; raises for targets that the loss cannot use.
    predict_function, activation_function : callable, optional
        See `predict` and `activation`; the default returns the outputs as they are.
    known : Options
        What may be set.
    options : mapping
        What is set and differs from the defaults.
    decides : {"class", "binary", "sign", "rank"}, optional
        What the targets of a classification loss are: class indices, 0/1, -1/+1, or indices of ordered classes; None for numbers.
    scale : float
        What the losses and their gradients are multiplied by.
    parts : callable, optional
        ``parts(d, **options)``: how many outputs go with d targets a row; see `outputs_for`. Default: as many as targets.
    predicts_with : tuple of str
        The options that ``predict_function`` and ``activation_function`` take.

    Notes
    -----
    A value: two losses of the same function, gradient, options and scale are equal, and so is what was compiled for them.
    """

    name: str
    function: Callable[..., Array]
    gradient_function: Callable[..., Array] | None = None
    check: Callable[[Shape, np.ndarray], None] | None = None
    predict_function: Callable[..., Array] | None = None
    activation_function: Callable[..., Array] | None = None
    known: Options = Options()  # noqa: RUF009 - nobody changes it
    options: Mapping[str, Any] = field(default_factory=dict)
    decides: str | None = None
    scale: float = 1.0
    parts: Callable[..., int] | None = None
    predicts_with: tuple[str, ...] = ()

    table = LOSSES

    def __post_init__(self) -> None:
        document_as(self, self.function)

    def _computes(self) -> tuple[Any, ...]:
        return self.function, self.gradient_function

    @property
    def defaults(self) -> dict[str, Any]:
        """The options that the loss knows, with their defaults."""
        return self.known.defaults

    def configured(self, given: Mapping[str, Any]) -> Loss:
        found = super().configured(given)
        # What is as it is anyway need not be written down: two ways to one loss are equal.
        changed = {n: v for n, v in found.options.items() if v != self.defaults[n]}
        return self if found is self else replace(self, options=changed)

    @property
    def integer_targets(self) -> bool:
        """Whether integer targets stay integers: class indices, and whatever a user's callable expects."""
        return self.decides == "class" or self.gradient_function is None

    @property
    def default_metrics(self) -> tuple[str, ...]:
        """What training reports beside the loss."""
        return ("accuracy",) if self.decides in ("class", "binary", "sign") else ()

    def outputs_for(self, targets: int) -> int:
        """How many outputs a network needs for so many targets a row: several where they describe a distribution.

        Examples
        --------
        >>> from multimlp import losses
        >>> losses.mse.outputs_for(3), losses.gaussian_nll.outputs_for(3)
        (3, 6)
        >>> losses.with_options("quantile", quantiles=(0.05, 0.5, 0.95)).outputs_for(1)
        3
        """
        count = check_whole("targets", targets, low=1)
        return count if self.parts is None else self.parts(count, **self._all_options())

    def _all_options(self) -> dict[str, Any]:
        return {**self.defaults, **self.options}

    def __call__(self, outputs: Array, targets: Array) -> Array:
        values = self.function(outputs, targets, **self.options)
        return values if self.scale == 1 else values * self.scale

    def gradient(self, outputs: Array, targets: Array) -> Array:
        """The derivative of each example's loss in its outputs, in closed form, shape of ``outputs``.

        Raises
        ------
        InputError
            If the loss is a plain callable, whose gradient only automatic differentiation knows.
        """
        if self.gradient_function is None:
            raise InputError(f"loss: {self.name} has no closed-form gradient; use multimlp.grad")
        values = self.gradient_function(outputs, targets, **self.options)
        return values if self.scale == 1 else values * self.scale

    def scaled(self, factor: float) -> Loss:
        """``factor`` times this loss; what it checks and predicts stays.

        Examples
        --------
        >>> import numpy as np
        >>> from multimlp import losses
        >>> losses.mse.scaled(0.5)(np.asarray([[3.0]]), np.asarray([[1.0]]))
        array([2.])
        >>> losses.mse.scaled(0.5) == losses.mse.scaled(0.5)
        True
        """
        return replace(self, scale=self.scale * check_number("factor", factor, low=0, low_open=True))

    def validate(self, outputs_shape: Shape, targets: Any) -> None:
        """Check targets against the shape of the outputs, once, before training; reads values on the host.

        Raises
        ------
        ShapeError
            If the shapes do not fit.
        DataError
            If a value is impossible: a label outside 0 .. k-1, a fraction as a label, a negative count, NaN.
        """
        if self.check is not None:
            values = host_values(targets, "targets")
            sizes = check_items("outputs_shape", outputs_shape, "of integers")
            known: Any = tuple(None if n is None else check_whole("outputs_shape", n, low=0) for n in sizes)
            check_outputs(known)
            weights = self.options.get("class_weights")
            if weights is not None and len(weights) != known[-1]:
                raise ShapeError(
                    f"class_weights: expected {known[-1]} weights, one per output, got {len(weights)}"
                )
            self.check(self._shape_of_targets(known, values), values)

    def _shape_of_targets(self, outputs: Any, targets: np.ndarray) -> Any:
        """The shape of the outputs with the targets' columns; `ShapeError` where those need more or fewer outputs."""
        if self.parts is None:
            return outputs
        columns = targets.shape[-1] if targets.ndim > 1 else 1
        needed = self.outputs_for(max(columns, 1))
        if outputs[-1] not in (None, needed):
            raise ShapeError(
                f"targets: {self.name} takes {needed} outputs for {columns} targets a row, got outputs of shape {outputs}; make a network "
                f"with out_features={needed}"
            )
        return (*outputs[:-1], columns)

    def _made_of(self, function: Callable[..., Array], outputs: Array) -> Array:
        known = self._all_options()
        return function(outputs, **{name: known[name] for name in self.predicts_with})

    def predict(self, outputs: Array) -> Array:
        """What the outputs say: class indices, 0 / 1 decisions, rates (poisson), means of distributions, else the outputs.

        One output a row gives one decision a row: shape (..., n) for binary outputs (..., n, 1).
        """
        _require_outputs(outputs)
        return outputs if self.predict_function is None else self._made_of(self.predict_function, outputs)

    def activation(self, outputs: Array) -> Array:
        """What turns outputs into probabilities or means: softmax, sigmoid, exp, or nothing."""
        _require_outputs(outputs)
        if self.activation_function is None:
            return outputs
        return self._made_of(self.activation_function, outputs)

    def to_spec(self) -> dict[str, Any]:
        """The loss as plain values, ``{"name": ..., "options": {...}}``, from which `get` makes it again; with ``"scale"``
        if that is not 1."""
        spec = super().to_spec()
        return spec if self.scale == 1 else {**spec, "scale": self.scale}

    def _identity(self) -> tuple[Any, ...]:
        return (*super()._identity(), self.scale)

    def _shown(self) -> list[str]:
        return [*super()._shown(), *([] if self.scale == 1 else [f"scale={self.scale!r}"])]


def _require_outputs(outputs: Any) -> None:
    if not is_array(outputs) or not owner(outputs).is_floating(outputs):
        raise refuse("outputs", "an array of a real floating-point dtype", outputs)
    if not tuple(outputs.shape) or outputs.shape[-1] == 0:
        raise ShapeError(f"outputs: expected shape (..., n, k) with k >= 1, got {tuple(outputs.shape)}")


def define(
    name: str,
    function: LossOp,
    gradient_function: Op,
    check: Callable[[Shape, np.ndarray], None],
    predict_function: Callable[..., Array] | None = None,
    activation_function: Callable[..., Array] | None = None,
    decides: str | None = None,
    aliases: tuple[str, ...] = (),
    parts: Callable[..., int] | None = None,
    predicts_with: tuple[str, ...] = (),
) -> Loss:
    """Put a loss into the table; its options are the parameters of ``function`` after the two arrays."""
    function.gradient = gradient_function
    known = Options(function, skip=2)
    loss = Loss(
        name,
        function,
        gradient_function,
        check,
        predict_function,
        activation_function,
        known,
        decides=decides,
        parts=parts,
        predicts_with=predicts_with,
    )
    return LOSSES.add(name, loss, *aliases)


def with_options(loss: str | Loss, **options: Any) -> Loss:
    """The loss with options set.

    Parameters
    ----------
    loss : str or Loss
        The loss, or its name.
    **options
        Such as ``delta`` (huber), ``label_smoothing`` and ``class_weights`` (cross_entropy), ``quantiles`` (quantile), ``df``
        (student_nll), ``components`` (mixture_nll), ``gamma`` (focal).

    Returns
    -------
    Loss

    Raises
    ------
    InputError
        For an option that the loss does not have, or a value that it cannot have.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import losses
    >>> loss = losses.with_options("huber", delta=2.0)
    >>> loss(np.asarray([[5.0]]), np.asarray([[0.0]]))
    array([8.])
    >>> loss.to_spec()
    {'name': 'huber', 'options': {'delta': 2.0}}
    """
    return get(loss).configured(options)


@LOSSES.reader
def get(loss: str | Loss | Mapping[str, Any] | Callable[[Array, Array], Array]) -> Loss:
    """The loss that is meant.

    Parameters
    ----------
    loss : str, Loss, mapping or callable
        A name, what ``to_spec`` returned, or ``callable(outputs, targets)`` that returns a loss for each example.

    Returns
    -------
    Loss

    Raises
    ------
    InputError
        For an unknown name or anything else.

    Examples
    --------
    >>> from multimlp import losses
    >>> losses.get("mse")
    <loss mse>
    """
    if isinstance(loss, Loss):
        return loss
    if isinstance(loss, str):
        named: Loss = LOSSES.make(loss)
        return named
    if isinstance(loss, Mapping):
        plain = {key: value for key, value in loss.items() if key != "scale"}
        written: Loss = LOSSES.make(plain)
        return written.scaled(loss.get("scale", 1.0))
    LOSSES.own(loss, "a multimlp.losses.Loss or a callable (outputs, targets) -> per-example losses")
    return Loss(getattr(loss, "__name__", type(loss).__name__), loss)


def names() -> tuple[str, ...]:
    """The names of the losses.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> from multimlp import losses
    >>> "mse" in losses.names()
    True
    """
    return LOSSES.names()
