"""What every activation is made with: an operation that refuses what it cannot compute."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from multimlp import tape
from multimlp.backend import (
    Array,
    Namespace,
    Op,
    array_namespace,
    common_owner,
    is_array,
    owner,
    owner_of_type,
)
from multimlp.errors import DTypeError, InputError

_PLAIN = (float, int, str)

Check = Callable[[Any], str | None]
"""Says what was expected if the value of an option cannot be used, else returns None."""


def number(value: Any) -> str | None:
    """Any finite real number."""
    return None if _is_real(value) else "a finite number"


def positive(value: Any) -> str | None:
    """A finite number above zero."""
    return None if _is_real(value) and value > 0 else "a finite number > 0"


def nonzero(value: Any) -> str | None:
    """A finite number other than zero."""
    return None if _is_real(value) and value != 0 else "a finite number other than 0"


def integer(value: Any) -> str | None:
    """An integer."""
    return None if isinstance(value, int) and not isinstance(value, bool) else "an integer"


def one_of(*choices: str) -> Check:
    """One of the strings given."""
    wanted = "one of " + ", ".join(map(repr, choices))

    def check(value: Any) -> str | None:
        return None if isinstance(value, str) and value in choices else wanted

    return check


def _is_real(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    # Integers that large are no number of 64 bits, to libraries that take them as such.
    return abs(value) < (float("inf") if isinstance(value, float) else 2**63)


def _are_plain(options: Sequence[Any]) -> bool:
    """Whether there is no array among them, which might be what is differentiated or batched."""
    return all(isinstance(option, _PLAIN) for option in options)


class ActivationOp(Op):
    """An operation on one floating-point array, with options. Made by the decorators of `_description`."""

    derivative: ActivationOp | None = None
    """Of an activation of single numbers, its derivative in x."""
    elementwise: bool = False
    """Whether it computes each number from one number of ``x``."""
    expands: bool = False
    """Whether derivatives of higher orders are those of its body, a function of the standard, and not those of its derivative."""

    def __init__(self, portable: Callable[..., Any], arrays: int, checks: Mapping[str, Check]) -> None:
        super().__init__(portable, arrays)
        self.checks = checks
        parameters = list(inspect.signature(portable).parameters.values())[1:]
        self.option_names = tuple(p.name for p in parameters)
        self.defaults: dict[str, Any] = {p.name: p.default for p in parameters if p.default is not p.empty}
        self._accepted: dict[type, set[Any]] = {}
        """The dtypes by the type of array: a compiler of one library must not have to hash the dtypes of another."""

    def __call__(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        if args or kwargs:
            for name, value in (*zip(self.option_names, args, strict=False), *kwargs.items()):
                self.check_option(name, value, x)
        return self.apply(x, *args, **kwargs)

    def apply(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Call it with options that were checked before; a compiler may since have made arrays of them."""
        cls = type(x)
        try:
            types = cls if self.arrays == 1 else (cls, *map(type, args[: self.arrays - 1]))
            implementation = self._implementations[types] if x.dtype in self._accepted[cls] else None
        except (KeyError, AttributeError):
            implementation = None
        if implementation is None:
            self._accept(x)
            return super().__call__(x, *args, **kwargs)
        try:
            return implementation(x, *args, **kwargs)
        except Exception as error:  # libraries have types of their own
            self.explain(error, (x, *args))
            raise

    def _choose(self, types: Any) -> Callable[..., Any]:
        """The tape records it as one operation where the backend has a kernel for its derivative, which is the rule then; what is
        batched is computed with as it is."""
        portable, slope = super()._choose(types), self.derivative
        cls = types[0] if isinstance(types, tuple) else types
        if self.elementwise and issubclass(cls, tape.Batched):
            return self._of_batches(portable)
        if slope is None:
            return portable
        if issubclass(cls, tape.Series):
            return portable if self.expands else self._of_series(portable, slope)

        def pullback(xp: Namespace, g: Array, below: Array, *args: Any, **options: Any) -> Array:
            return xp.multiply(g, slope.apply(below, *args, **options))

        return self._as_one(types, slope, portable, pullback, self.apply, _are_plain, self.elementwise)

    def _of_batches(self, portable: Callable[..., Any]) -> Callable[..., Any]:
        def batched(x: Any, *args: Any, **options: Any) -> Any:
            if not _are_plain((*args, *options.values())):
                return portable(x, *args, **options)
            return type(x)(self.apply(x.value, *args, **options), x.level)

        return batched

    def _of_series(self, portable: Callable[..., Any], slope: ActivationOp) -> Callable[..., Any]:
        """All derivatives by the closed form of the first, at the values alone."""

        def expanded(x: Any, *args: Any, **options: Any) -> Any:
            if any(isinstance(option, tape.Series) for option in (*args, *options.values())):
                return portable(x, *args, **options)
            return tape.composed(
                x,
                lambda value: self.apply(value, *args, **options),
                lambda point: slope.apply(point, *args, **options),
            )

        return expanded

    def _accept(self, x: Any) -> None:
        backend = owner_of_type(type(x))
        if backend is None:
            raise InputError(
                f"{self.name}: x must be an array, got {type(x).__name__}; "
                "make one first, e.g. numpy.asarray(x, dtype=float)"
            )
        xp = array_namespace(x)
        if not xp.isdtype(x.dtype, "real floating"):
            raise DTypeError(
                f"{self.name}: x has dtype {backend.dtype_name(x.dtype)}, "
                "expected a real floating-point dtype; convert it first, e.g. xp.astype(x, xp.float32)"
            )
        self._accepted.setdefault(type(x), set()).add(x.dtype)

    def prepare(self, cls: type, dtypes: Sequence[Any]) -> None:
        super().prepare(cls, dtypes)
        self._accepted.setdefault(cls, set()).update(dtypes)

    def check_option(self, name: str, value: Any, x: Any = None) -> None:
        """`InputError` or `DTypeError` if ``value`` cannot be the option ``name``, in a call with ``x``."""
        check = self.checks.get(name)
        if check is None:
            options = ", ".join(self.option_names) or "none"
            raise InputError(f"{self.name}: no option {name!r}; its options: {options}")
        dtype = getattr(value, "dtype", None)
        if dtype is not None and x is not None and name == self.option_names[0] and self.arrays == 2:
            if not is_array(x):
                self._accept(x)
            if dtype != x.dtype and common_owner((x, value)) is not None:
                raise DTypeError(
                    f"{self.name}: {name} has dtype {dtype}, x has {x.dtype}; "
                    "give a Python number, or an array of x's dtype"
                )
            return
        wanted = check(value)
        if wanted is not None:
            raise InputError(f"{self.name}: {name} must be {wanted}, got {value!r}")

    def __repr__(self) -> str:
        return f"<activation {self.name}>"


def namespace(x: Array, option: Any) -> Namespace:
    """The namespace of ``x`` and of an option that may be an array as well."""
    return array_namespace(x) if isinstance(option, (float, int)) else array_namespace(x, option)


def exact(xp: Namespace, numerator: int, denominator: int) -> Any:
    """A fraction in the precision of the namespace's own pi: a float, or better."""
    return xp.pi / xp.pi * numerator / denominator


def cut_off(xp: Namespace, x: Array, end: float) -> Array:
    """x kept between -end and end; the derivative of ``clip`` there and at NaN depends on the library."""
    return xp.where(x > end, xp.full_like(x, end), xp.where(x < -end, xp.full_like(x, -end), x))


def gated(
    xp: Namespace, x: Array, z: Array, end: float, gate: Callable[[Array], Array], bounded: bool = False
) -> Array:
    """x times a gate of z that is 0 below -``end`` and 1 above ``end`` in every format.

    There the gate is a constant: else its derivative, zero, would meet the factor x, infinite, and make NaN of the limits 0 and 1.
    At -inf itself the product is infinity times zero, NaN. Where nobody differentiates the product alone has the same values, unless
    the gate is only for ``bounded`` z.
    """
    if not bounded and _is_constant(x) and (z is x or _is_constant(z)):
        return x * gate(z)
    above = z > end
    outside = xp.logical_or(above, z < -end)
    nothing = xp.zeros_like(x)
    inside = xp.where(outside, nothing, x)
    near = inside if z is x else xp.where(outside, xp.zeros_like(z), z)
    far = xp.where(
        above, x, x * 0.0
    )  # not x times the comparison: XLA makes a choice between x and 0 of that
    return xp.where(outside, far, inside * gate(near))


def differentiated_as(value: Array, surrogate: Callable[[], Array]) -> Array:
    """The value, with the derivatives, of all orders, of a finite function that differs from it by a constant.

    For values without cancellation whose derivatives would have one.
    """
    if _is_constant(value):
        return value
    backend, other = owner(value), surrogate()
    return backend.stop_gradient(value) - (backend.stop_gradient(other) - other)  # so that -0 stays -0


def _is_constant(x: Array) -> bool:
    """Whether it is known that nobody differentiates what is made of x."""
    return owner(x).stop_gradient(x) is x
