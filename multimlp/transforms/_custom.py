"""Functions whose derivative is their author's: `custom_vjp` and `custom_jvp`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from multimlp import tree
from multimlp.backend import Array, Backend, array_namespace, is_array
from multimlp.errors import InputError
from multimlp.errors.checks import as_given, check_function
from multimlp.transforms._call import (
    NUMBERS,
    ArgNums,
    Outputs,
    backend_of,
    check_transformed,
    explained,
    positions_given,
)
from multimlp.transforms._directions import directions
from multimlp.transforms._engine import engine
from multimlp.tree import Tree


class _Custom:
    """What the two share: a function with the signature of the one it was made of, and which arguments have derivatives."""

    _name: str

    def __init__(self, fun: Callable[..., Any], nondiff_argnums: ArgNums = ()) -> None:
        check_transformed(self._name, fun)
        wrapper: Any = self
        functools.update_wrapper(wrapper, fun)
        given = positions_given(f"{self._name}: nondiff_argnums", nondiff_argnums)
        self._fun = fun
        self._nondiff = (given,) if isinstance(given, int) else given

    def __repr__(self) -> str:
        return f"<{self._name} of {getattr(self._fun, '__qualname__', repr(self._fun))}>"

    def _bound(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """All arguments by position, defaults among them."""
        if not kwargs and not self._has_defaults:
            return args
        bound = inspect.signature(self._fun).bind(*args, **kwargs)
        bound.apply_defaults()
        if bound.kwargs:
            raise InputError(
                f"{self._name}: arguments that are given by name alone have no derivative rule: {', '.join(bound.kwargs)}; "
                "let the function take them by position"
            )
        return bound.args

    @functools.cached_property
    def _has_defaults(self) -> bool:
        parameters = inspect.signature(self._fun).parameters.values()
        return any(p.default is not p.empty or p.kind is p.KEYWORD_ONLY for p in parameters)


class custom_vjp(_Custom):  # noqa: N801 - JAX's name
    """A function with a reverse derivative of your own.

    Parameters
    ----------
    fun : callable
        From trees to a tree of arrays; all arguments by position.
    nondiff_argnums : int or sequence of int
        Arguments that have no derivative, functions and the like: the backward rule gets them first, the forward rule where they stand.

    Notes
    -----
    `defvjp` gives the rules. Both are differentiated for higher orders. Arrays that function and rules close over are constants: if
    one of them is differentiated, it is an error, since its derivative would be lost. In forward mode (`jvp`, `jacfwd`, `linearize`) the
    backward rule is transposed; JAX and torch refuse that.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> @mm.custom_vjp
    ... def clipped(x):  # the identity; its gradient goes no further than 1
    ...     return x
    >>> clipped.defvjp(lambda x: (x, None), lambda _, g: (mm.array_namespace(g).clip(g, -1.0, 1.0),))
    >>> float(mm.grad(lambda x: 5.0 * clipped(x))(np.asarray(2.0)))
    1.0
    """

    _name = "custom_vjp"
    _rules: tuple[Callable[..., Any], Callable[..., Any]] | None = None

    def defvjp(self, fwd: Callable[..., Any], bwd: Callable[..., Any]) -> None:
        """Give the rules.

        Parameters
        ----------
        fwd : callable
            ``fwd(*args) -> (outputs, residuals)``: the function's outputs, and any tree that the backward rule needs.
        bwd : callable
            ``bwd(*nondiff, residuals, cotangents)``, of cotangents like the outputs, to a tuple with an entry for each argument that has
            a derivative: a tree like the argument, or None for zeros. What stands for an integer array is passed over.
        """
        self._rules = (
            check_function("defvjp: fwd", fwd, "(*args) -> (outputs, residuals)"),
            check_function("defvjp: bwd", bwd, "(residuals, cotangents) -> cotangents of the arguments"),
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._rules is None:
            raise InputError(f"{self!r} has no rules yet; call its defvjp(fwd, bwd) first")
        call = _CustomCall(self._name, self._fun, self._bound(args, kwargs), self._nondiff)
        if not call.arrays:
            return call.direct()
        backend, (fwd, bwd), residuals, likes = call.backend, self._rules, Outputs(), _Likes(call)

        def forward(arrays: Sequence[Array]) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
            likes.see(arrays)
            result = fwd(*call.filled(arrays))
            if not (isinstance(result, tuple) and len(result) == 2):
                raise InputError(f"defvjp: fwd must return (outputs, residuals), got {type(result).__name__}")
            return call.outputs.split(result[0]), residuals.split(result[1])

        def backward(kept: Sequence[Array], cotangents: Sequence[Array]) -> tuple[Array, ...]:
            given = bwd(*call.nondiff, residuals.join(kept), call.outputs.join(cotangents))
            return likes.matched(given)

        with backend.scope_of(*call.arrays):
            found = explained(
                backend, engine(backend, call.arrays).custom_vjp, call.flat, forward, backward, call.arrays
            )
        return call.outputs.join(found)


class custom_jvp(_Custom):  # noqa: N801 - JAX's name
    """A function with a forward derivative of your own; reverse mode transposes it.

    Parameters
    ----------
    fun, nondiff_argnums
        As for `custom_vjp`; the rule gets arguments without derivative first.

    Notes
    -----
    `defjvp` or `defjvps` gives the rule. It is differentiated for higher orders. What it closes over is a constant, as for `custom_vjp`.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> @mm.custom_jvp
    ... def logistic(x):
    ...     return 1.0 / (1.0 + mm.array_namespace(x).exp(-x))
    >>> logistic.defjvps(lambda t, y, x: t * y * (1.0 - y))
    >>> float(mm.grad(logistic)(np.asarray(0.0)))
    0.25
    """

    _name = "custom_jvp"
    _rule: Callable[..., Any] | None = None

    def defjvp(self, jvp: Callable[..., Any]) -> Callable[..., Any]:
        """Give the rule ``jvp(*nondiff, primals, tangents) -> (outputs, tangents of the outputs)``; also as a decorator.

        Primals and tangents are tuples with an entry for each argument that has a derivative; the result is linear in the tangents. The
        tangents of integer arrays and of Python's numbers are zeros.
        """
        self._rule = check_function("defjvp: jvp", jvp, "(primals, tangents) -> (outputs, tangents)")
        return jvp

    def defjvps(self, *jvps: Callable[..., Any] | None) -> None:
        """Give the rule as one function for each argument, ``jvp(tangent, outputs, *args)``, whose results are added; None for zeros."""
        if self._nondiff:
            raise InputError("defjvps: it does not go with nondiff_argnums; use defjvp")
        for one in jvps:
            if one is not None:
                check_function("defjvps", one, "(tangent, outputs, *args) -> tangent of the outputs")

        def rule(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
            if len(jvps) != len(primals):
                raise InputError(f"defjvps: {len(jvps)} rules for {len(primals)} arguments")
            outputs = self(*primals)
            terms = [
                one(tangent, outputs, *primals)
                for one, tangent in zip(jvps, tangents, strict=True)
                if one is not None
            ]
            if not terms:
                return outputs, tree.map(lambda y: array_namespace(y).zeros_like(y), outputs)
            total = terms[0]
            for term in terms[1:]:
                total = tree.map(lambda a, b: a + b, total, term)
            return outputs, total

        self._rule = rule

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._rule is None:
            raise InputError(f"{self!r} has no rule yet; call its defjvp(jvp) first")
        call = _CustomCall(self._name, self._fun, self._bound(args, kwargs), self._nondiff)
        if not call.arrays:
            return call.direct()
        backend, given_rule = call.backend, self._rule

        def rule(
            arrays: Sequence[Array], tangents: Sequence[Array]
        ) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
            along = call.arguments(tangents, of_numbers=True)
            result = given_rule(*call.nondiff, call.arguments(arrays), along)
            if not (isinstance(result, tuple) and len(result) == 2):
                raise InputError(f"defjvp: jvp must return (outputs, tangents), got {type(result).__name__}")
            outputs = call.outputs.split(result[0])
            names = ("defjvp: a tangent", "output")
            return outputs, directions(backend, result[1], call.outputs.join(outputs), names)

        with backend.scope_of(*call.arrays):
            found = explained(backend, engine(backend, call.arrays).custom_jvp, call.flat, rule, call.arrays)
        return call.outputs.join(found)


class _CustomCall:
    """One call: its arrays, and the function of those alone."""

    def __init__(
        self, name: str, fun: Callable[..., Any], args: tuple[Any, ...], nondiff: Sequence[int]
    ) -> None:
        for position in nondiff:
            if not -len(args) <= position < len(args):
                raise InputError(
                    f"{name}: nondiff_argnums={tuple(nondiff)} does not fit a call with {len(args)} arguments"
                )
        fixed = {position % len(args) for position in nondiff}
        self._fun, self._args, self._fixed = fun, args, fixed
        self.nondiff = tuple(args[i] for i in sorted(fixed))
        self.trees = tuple(a for i, a in enumerate(args) if i not in fixed)
        self._leaves, self._rebuild = tree.flatten(self.trees)
        self.places = [i for i, leaf in enumerate(self._leaves) if is_array(leaf)]
        self.arrays = tuple(self._leaves[i] for i in self.places)
        self.outputs = Outputs()

    @property
    def backend(self) -> Backend:
        return backend_of(self.arrays)

    def arguments(self, arrays: Sequence[Array], of_numbers: bool = False) -> tuple[Tree, ...]:
        """The arguments with derivatives, with other arrays; ``of_numbers``: with zeros for Python's numbers, which are constants."""
        filled = [type(x)(0) if of_numbers and type(x) in NUMBERS else x for x in self._leaves]
        for i, array in zip(self.places, arrays, strict=True):
            filled[i] = array
        return tuple(self._rebuild(filled))

    def filled(self, arrays: Sequence[Array]) -> list[Any]:
        """All arguments, with other arrays."""
        supply = iter(self.arguments(arrays))
        return [a if i in self._fixed else next(supply) for i, a in enumerate(self._args)]

    def flat(self, arrays: Sequence[Array]) -> tuple[Array, ...]:
        return self.outputs.split(self._fun(*self.filled(arrays)))

    def direct(self) -> Any:
        return self._fun(*self._args)


class _Likes:
    """The arguments as the forward rule last saw them: what cotangents must be like."""

    def __init__(self, call: _CustomCall) -> None:
        self._call, self._arrays = call, call.arrays

    def see(self, arrays: Sequence[Array]) -> None:
        self._arrays = tuple(arrays)

    def matched(self, given: Any) -> tuple[Array, ...]:
        """The cotangents as flat arrays, zeros where there is None."""
        trees = self._call.arguments(self._arrays)
        if not isinstance(given, (tuple, list)) or len(given) != len(trees):
            raise InputError(
                f"defvjp: bwd must return a tuple with an entry for each of the {len(trees)} arguments, got {as_given(given)}"
            )
        found: list[Array] = []
        backend = self._call.backend
        for argument, cotangent in zip(trees, given, strict=True):
            arrays = [leaf for leaf in tree.leaves(argument) if is_array(leaf)]
            if cotangent is None:
                found += [array_namespace(a).zeros_like(a) for a in arrays]
            else:
                found += directions(backend, self._smooth(argument, cotangent), argument, _NAMES)
        return tuple(found)

    def _smooth(self, argument: Tree, cotangent: Tree) -> Tree:
        """The cotangent; for integer arrays, which have none, anything of their shape and dtype."""
        is_floating = self._call.backend.is_floating
        return tree.map(lambda a, c: c if not is_array(a) or is_floating(a) else a, argument, cotangent)


_NAMES = ("defvjp: a cotangent", "argument")
