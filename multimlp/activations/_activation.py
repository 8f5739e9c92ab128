"""What a layer holds: an activation, its options bound, one of them perhaps learned with the weights."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from multimlp.activations._description import Description
from multimlp.activations._lookup import TABLE, describe
from multimlp.activations._operation import ActivationOp
from multimlp.backend import Array, array_namespace
from multimlp.errors import InputError


@dataclass(frozen=True)
class Parameter:
    """One learned option: a number for all units of a layer, or one number a unit."""

    name: str
    value: float
    """Where learning starts."""
    per_unit: bool = False

    def shape(self, width: int) -> tuple[int, ...]:
        """``(width,)`` or ``()``."""
        return (width,) if self.per_unit else ()

    def size(self, width: int) -> int:
        """How many numbers are learned."""
        return width if self.per_unit else 1

    def initial(self, width: int) -> np.ndarray:
        """Where learning starts, as a float64 host array of that shape."""
        return np.full(self.shape(width), self.value, dtype=np.float64)

    def beside(self, array: Array) -> Array:
        """The parameter of shape (members..., *shape), made to broadcast with (members..., n, width)."""
        own = 1 if self.per_unit else 0
        members = len(tuple(array.shape)) - own
        if members == 0:
            return array
        xp = array_namespace(array)
        for _ in range(2 - own):
            array = xp.expand_dims(array, axis=members)
        return array


@dataclass(frozen=True)
class Activation:
    """An activation as an MLP holds it. Made by `parse`, `configured` and `learnable`.

    Attributes
    ----------
    name : str
        Its name in `names`, or ``"custom:<qualified name>"`` for a callable of your own.
    function : callable
        ``f(x, **options)``.
    bound : tuple of (str, value)
        The options that were given.
    parameters : tuple of Parameter
        The options that are learned with the weights.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import activations
    >>> leaky = activations.parse({"name": "leaky_relu", "negative_slope": 0.25})
    >>> leaky(np.asarray([-1.0, 2.0])).tolist()
    [-0.25, 2.0]
    """

    name: str
    function: Callable[..., Any]
    bound: tuple[tuple[str, Any], ...] = ()
    parameters: tuple[Parameter, ...] = ()
    _ready: Callable[..., Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.name in TABLE and TABLE[self.name].function is not self.function:
            raise InputError(
                f"activation: the name {self.name!r} belongs to multimlp's own; "
                "parse(function) finds another for one of yours"
            )
        ready = self.function.apply if isinstance(self.function, ActivationOp) else self.function
        if self.bound:  # `configured` has checked them
            ready = functools.partial(ready, **dict(self.bound))
        object.__setattr__(self, "_ready", ready)

    def __call__(self, x: Array, parameters: Any = None) -> Array:
        """Apply it.

        Parameters
        ----------
        x : array, shape (..., n, width)
        parameters : mapping of str to array, or an array, or None
            The learned options by name; a single one may be given by itself. None means their starting
            values. A leading axis of an ensemble comes before the shape of `Parameter.shape`.
        """
        if not self.parameters:
            return self._ready(x)
        return self.function(x, *self._learned(parameters), **dict(self.bound))

    def __repr__(self) -> str:
        learned = [f"{parameter.name} learned" for parameter in self.parameters]
        options = [f"{name}={value!r}" for name, value in self.bound]
        return f"<activation {', '.join((self.name, *options, *learned))}>"

    def derivative(self, x: Array, parameters: Any = None) -> Array:
        """The closed-form derivative in x; see `multimlp.activations.derivative`."""
        return self._description("derivative").derivative(x, *self._learned(parameters), **dict(self.bound))

    def _learned(self, parameters: Any) -> list[Any]:
        if not self.parameters:
            return []
        if parameters is None:
            return [p.value for p in self.parameters]
        if not isinstance(parameters, Mapping):
            parameters = {self.parameters[0].name: parameters}
        missing = [p.name for p in self.parameters if p.name not in parameters]
        if missing:
            raise InputError(
                f"{self.name}: the parameter {missing[0]!r} is missing; got {sorted(parameters)}"
            )
        return [p.beside(parameters[p.name]) for p in self.parameters]

    @property
    def options(self) -> dict[str, Any]:
        """All options that are not learned, defaults included; empty for a callable of your own."""
        if not self.is_known:
            return {}
        learned = {p.name for p in self.parameters}
        everything = {**TABLE[self.name].options, **dict(self.bound)}
        return {name: value for name, value in everything.items() if name not in learned}

    @property
    def is_known(self) -> bool:
        """Whether it is one of `names`, and not a callable of your own."""
        return self.name in TABLE

    @property
    def elementwise(self) -> bool:
        """Whether it works element by element; a callable of your own is not assumed to."""
        return self.is_known and TABLE[self.name].elementwise

    @property
    def kinks(self) -> tuple[float, ...]:
        """The points where the first derivative jumps (at the starting values of what is learned)."""
        starting = {p.name: p.value for p in self.parameters}
        return self._description("kinks").kinks(**dict(self.bound), **starting)

    @property
    def derivative_from_output(self) -> Callable[[Array], Array] | None:
        """``y -> f'(x)`` for ``y = f(x)``, or None where y does not determine it or an option is learned."""
        if not self.is_known or self.parameters:
            return None
        options = dict(self.bound)
        from_output = TABLE[self.name].derivative_from_output(**options)
        return None if from_output is None else lambda y: from_output(y, **options)

    def width(self, n: int) -> int:
        """How many outputs ``n`` units make; `InputError` if they cannot be that many."""
        return TABLE[self.name].width(n) if self.is_known else n

    def to_spec(self) -> dict[str, Any]:
        """Plain values (JSON) from which `parse` makes it again.

        Raises
        ------
        InputError
            If it is a callable of your own.
        """
        if not self.is_known:
            raise InputError(
                f"activation: {self.name} is a callable of your own and cannot be written to a file; "
                "use one of multimlp.activations.names(), or keep the parameters alone"
            )
        spec: dict[str, Any] = {"name": self.name, **dict(self.bound)}
        for parameter in self.parameters:
            spec |= {"learnable": True, "per_unit": parameter.per_unit, parameter.name: parameter.value}
        return spec

    def _description(self, what: str) -> Description:
        if not self.is_known:
            raise InputError(f"{what}: {self.name} is a callable of your own, of which nothing is known")
        return TABLE[self.name]


def configured(name: str, **options: Any) -> Activation:
    """An activation with options.

    Parameters
    ----------
    name : str
    **options
        Such as ``approximate`` of gelu; what is left out has its default.

    Returns
    -------
    Activation
        What ``activation=`` of a layer takes.

    Raises
    ------
    InputError
        If the activation has no such option, or the value cannot be used.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import activations
    >>> activations.configured("gelu", approximate="tanh").to_spec()
    {'name': 'gelu', 'approximate': 'tanh'}
    """
    row = describe(name)
    return Activation(row.name, row.function, _checked(row, options))


def _checked(row: Description, options: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    plain = {name: _plain(value) for name, value in options.items()}
    for name, value in plain.items():
        row.function.check_option(name, value)
    return tuple(plain.items())


def _plain(value: Any) -> Any:
    """NumPy's scalars as Python's, which do not change the dtype of what they are multiplied with."""
    return value.item() if isinstance(value, np.generic) else value


def learnable(name: str, per_unit: bool = False, **initial: float) -> Activation:
    """An activation one of whose options is learned with the weights: prelu, leaky_relu, elu, celu, swish.

    Parameters
    ----------
    name : str
    per_unit : bool
        One number a unit, rather than one for the whole layer.
    **initial : float
        Where learning starts; by default the option's default.

    Returns
    -------
    Activation
        What ``activation=`` of a layer takes.

    Raises
    ------
    InputError
        If nothing can be learned about the activation.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import activations
    >>> prelu = activations.learnable("prelu", per_unit=True)
    >>> [(p.name, p.shape(3), p.value) for p in prelu.parameters]
    [('alpha', (3,), 0.25)]
    >>> prelu(np.asarray([[-1.0, -1.0]]), np.asarray([0.5, 0.1])).tolist()
    [[-0.5, -0.1]]
    """
    row = describe(name)
    if row.learnable is None:
        able = ", ".join(n for n, r in TABLE.items() if r.learnable is not None)
        raise InputError(f"activation: {row.name} has no option that can be learned; these have: {able}")
    unknown = set(initial) - {row.learnable}
    if unknown:
        raise InputError(
            f"{row.name}: what is learned is {row.learnable!r}; it cannot start from {sorted(unknown)[0]!r}"
        )
    if not isinstance(per_unit, bool):
        raise InputError(f"{row.name}: per_unit must be True or False, got {per_unit!r}")
    ((_, start),) = _checked(row, {row.learnable: row.options[row.learnable], **initial})
    return Activation(row.name, row.function, (), (Parameter(row.learnable, float(start), per_unit),))


def parse(spec: Any) -> Activation:
    """The activation that a user means.

    Parameters
    ----------
    spec : str, mapping, callable, Activation, or None
        A name (``"prelu"`` means ``learnable("prelu")``, ``"swish"`` has beta fixed at 1); what
        `Activation.to_spec` returned; ``f(x) -> array`` of your own; None is the identity.

    Returns
    -------
    Activation

    Raises
    ------
    InputError
        If it is none of these.

    Examples
    --------
    >>> from multimlp import activations
    >>> activations.parse("prelu").parameters
    (Parameter(name='alpha', value=0.25, per_unit=False),)
    """
    if isinstance(spec, Activation):
        return spec
    if spec is None:
        return configured("identity")
    if (
        isinstance(spec, ActivationOp)
        and TABLE.get(spec.name) is not None
        and TABLE[spec.name].function is spec
    ):
        spec = spec.name
    if isinstance(spec, Mapping):
        return _from_mapping(spec)
    if callable(spec) and not inspect.isclass(spec):
        return Activation("custom:" + getattr(spec, "__qualname__", type(spec).__qualname__), spec)
    if not isinstance(spec, str):
        raise InputError(f"activation: expected a name, a mapping with a 'name', or a callable, got {spec!r}")
    return learnable(spec) if describe(spec).name == "prelu" else configured(spec)


def _from_mapping(spec: Mapping[str, Any]) -> Activation:
    options = dict(spec)
    name = options.pop("name", None)
    if name is None:
        raise InputError(f"activation: a mapping needs a 'name', got the keys {sorted(map(str, spec))}")
    is_learnable = options.pop("learnable", False)
    if is_learnable:
        return learnable(name, **options)
    return configured(name, **options) if options else parse(name)
