"""What is known of each activation: one row each. Tests, reports, `describe` and the training engine read it.

To add an activation, write it and its derivative with the decorators of `_operation` and add a row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from multimlp.activations import _axis, _exponential, _gated, _hard, _rectifiers, _sigmoidal
from multimlp.activations import _derivatives as d
from multimlp.activations import _from_output as o
from multimlp.activations._operation import ActivationOp
from multimlp.errors import InputError

Options = Mapping[str, Any]


@dataclass(frozen=True)
class Description:
    """What is known of one activation.

    Attributes
    ----------
    function, derivative : operation
        ``f(x, **options)`` and its closed-form derivative in x. Of an activation along an axis, all partial
        derivatives.
    from_output : operation or None
        The derivative as a function of ``y = f(x)``, where y determines it.
    elementwise : bool
        False for those that work along an axis.
    learnable : str or None
        The option that can be learned with the weights.
    """

    function: ActivationOp
    derivative: ActivationOp
    from_output: ActivationOp | None = None
    kinks_for: Callable[[Options], tuple[float, ...]] = lambda options: ()
    from_output_if: Callable[[Options], bool] = lambda options: True
    elementwise: bool = True
    learnable: str | None = None
    halves: bool = False

    @property
    def name(self) -> str:
        return self.function.name

    @property
    def summary(self) -> str:
        """The first line of the documentation."""
        return (self.function.__doc__ or "").partition("\n")[0]

    @property
    def options(self) -> dict[str, Any]:
        """The options and their defaults."""
        return dict(self.function.defaults)

    def kinks(self, **options: Any) -> tuple[float, ...]:
        """The points where the first derivative jumps."""
        return self.kinks_for({**self.options, **options})

    def width(self, n: int) -> int:
        """How many outputs ``n`` inputs make."""
        if not self.halves:
            return n
        if n % 2:
            raise InputError(f"{self.name} halves its inputs, so their number must be even; got {n}")
        return n // 2


def _at(*points: float) -> Callable[[Options], tuple[float, ...]]:
    return lambda options: points


def _at_zero_unless_smooth(option: str) -> Callable[[Options], tuple[float, ...]]:
    return lambda options: () if options[option] == 1 else (0.0,)


def _at_plus_minus_lambda(options: Options) -> tuple[float, ...]:
    return (-options["lambd"], options["lambd"])


def _if_positive(option: str) -> Callable[[Options], bool]:
    return lambda options: isinstance(options[option], (int, float)) and options[option] > 0


_zero = _at(0.0)

_ROWS = (
    Description(_rectifiers.identity, d.identity_derivative, o.identity_from_output),
    Description(_rectifiers.relu, d.relu_derivative, o.relu_from_output, _zero),
    Description(
        _rectifiers.leaky_relu,
        d.leaky_relu_derivative,
        o.leaky_relu_from_output,
        _at_zero_unless_smooth("negative_slope"),
        _if_positive("negative_slope"),
        learnable="negative_slope",
    ),
    Description(
        _rectifiers.prelu, d.prelu_derivative, None, _at_zero_unless_smooth("alpha"), learnable="alpha"
    ),
    Description(_rectifiers.relu6, d.relu6_derivative, o.relu6_from_output, _at(0.0, 6.0)),
    Description(_rectifiers.relu_squared, d.relu_squared_derivative, o.relu_squared_from_output),
    Description(
        _rectifiers.threshold, d.threshold_derivative, None, lambda options: (float(options["threshold"]),)
    ),
    Description(_rectifiers.step, d.step_derivative, None, _zero),
    Description(_hard.hard_sigmoid, d.hard_sigmoid_derivative, None, _at(-3.0, 3.0)),
    Description(_hard.hard_tanh, d.hard_tanh_derivative, o.hard_tanh_from_output, _at(-1.0, 1.0)),
    Description(_hard.hard_swish, d.hard_swish_derivative, None, _at(-3.0, 3.0)),
    Description(_hard.softshrink, d.softshrink_derivative, o.softshrink_from_output, _at_plus_minus_lambda),
    Description(_hard.hardshrink, d.hardshrink_derivative, o.hardshrink_from_output, _at_plus_minus_lambda),
    Description(_hard.sparse_plus, d.sparse_plus_derivative),
    Description(_hard.sparse_sigmoid, d.sparse_sigmoid_derivative, None, _at(-1.0, 1.0)),
    Description(
        _exponential.elu,
        d.elu_derivative,
        o.elu_from_output,
        _at_zero_unless_smooth("alpha"),
        _if_positive("alpha"),
        learnable="alpha",
    ),
    Description(_exponential.selu, d.selu_derivative, o.selu_from_output, _zero),
    Description(
        _exponential.celu,
        d.celu_derivative,
        o.celu_from_output,
        from_output_if=_if_positive("alpha"),
        learnable="alpha",
    ),
    Description(_exponential.exponential, d.exponential_derivative, o.exponential_from_output),
    Description(_exponential.gaussian, d.gaussian_derivative),
    Description(_exponential.sine, d.sine_derivative),
    Description(_sigmoidal.sigmoid, d.sigmoid_derivative, o.sigmoid_from_output),
    Description(_sigmoidal.log_sigmoid, d.log_sigmoid_derivative, o.log_sigmoid_from_output),
    Description(_sigmoidal.tanh, d.tanh_derivative, o.tanh_from_output),
    Description(_sigmoidal.tanhshrink, d.tanhshrink_derivative),
    Description(_sigmoidal.softsign, d.softsign_derivative, o.softsign_from_output),
    Description(_sigmoidal.softplus, d.softplus_derivative, o.softplus_from_output),
    Description(_sigmoidal.squareplus, d.squareplus_derivative),
    Description(_gated.gelu, d.gelu_derivative),
    Description(_gated.silu, d.silu_derivative),
    Description(_gated.swish, d.swish_derivative, learnable="beta"),
    Description(_gated.mish, d.mish_derivative),
    Description(_axis.softmax, d.softmax_derivative, elementwise=False),
    Description(_axis.log_softmax, d.log_softmax_derivative, elementwise=False),
    Description(_axis.softmin, d.softmin_derivative, elementwise=False),
    Description(_axis.glu, d.glu_derivative, elementwise=False, halves=True),
)

TABLE: dict[str, Description] = {row.name: row for row in _ROWS}

ALIASES = {
    "linear": "identity",
    "logistic": "sigmoid",
    "heaviside": "step",
    "squaredrelu": "relu_squared",
    "exp": "exponential",
    "sin": "sine",
    "hardsilu": "hard_swish",
}
"""Names used elsewhere, in lower case and without underscores."""
