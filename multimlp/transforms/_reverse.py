"""Reverse mode: gradients and vector-Jacobian products."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from multimlp import tree
from multimlp.backend import Array, Backend, array_namespace, is_array, owner, owner_of_type
from multimlp.errors import InputError, NonScalarError, NotDifferentiableError
from multimlp.errors.checks import check_whole, flag
from multimlp.transforms._call import ArgNums, Call, Outputs, check_transformed, explained, positions_given
from multimlp.transforms._directions import directions
from multimlp.transforms._engine import engine
from multimlp.transforms._transformed import Transformed
from multimlp.tree import Tree


def value_and_grad(f: Callable[..., Any], argnums: ArgNums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The function that returns ``(f(*args), gradient)``.

    Parameters
    ----------
    f : callable
        Returns a scalar array, or ``(scalar, aux)`` with ``has_aux``.
    argnums : int or sequence of int
        Which positional arguments (trees of floating-point arrays) to differentiate with respect to. A sequence gives a tuple.
    has_aux : bool
        Whether ``f`` returns auxiliary output too; then the result is ``((value, aux), gradient)``.

    Returns
    -------
    callable
        Of the arguments of ``f``; the gradient is a tree like the argument, of arrays of the same shapes and dtypes.

    Raises
    ------
    NonScalarError
        If ``f`` does not return a floating-point scalar.
    NotDifferentiableError
        If an argument holds integers, booleans or no arrays.
    MixedBackendsError, DTypeError
        If arguments belong to two libraries or have two floating dtypes.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> value, gradient = mm.value_and_grad(lambda x: mm.array_namespace(x).sum(x * x))(np.asarray([1.0, 2.0]))
    >>> float(value), gradient
    (5.0, array([2., 4.]))
    """
    return Transformed(_differentiated(f, argnums, has_aux), value_and_grad, f, argnums, has_aux)


def _differentiated(f: Callable[..., Any], argnums: ArgNums, has_aux: bool) -> Callable[..., Any]:
    """What `value_and_grad` and `grad` call."""
    check_transformed("grad", f)
    argnums, has_aux = positions_given("grad: argnums", argnums), flag("grad: has_aux", has_aux)

    def transformed(*args: Any, **kwargs: Any) -> Any:
        call = Call(f, argnums, args, kwargs, "grad")
        backend, outputs = call.backend, Outputs()

        def scalar_and_aux(arrays: Sequence[Array]) -> tuple[Array, tuple[Array, ...]]:
            result = call(arrays)
            if not has_aux:
                return _scalar(backend, result, "grad"), ()
            value, aux = unpack_aux(result)
            return _scalar(backend, value, "grad"), outputs.split(aux)

        with backend.scope_of(*call.arrays):
            value, aux, gradients = explained(
                backend, engine(backend, call.arrays).value_and_grad(scalar_and_aux), call.arrays
            )
        return ((value, outputs.join(aux)) if has_aux else value), call.gradients(gradients)

    return transformed


def grad(f: Callable[..., Any], argnums: ArgNums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The gradient function of a scalar function.

    Parameters
    ----------
    f, argnums, has_aux
        As for `value_and_grad`.

    Returns
    -------
    callable
        Of the arguments of ``f``; returns the gradient, a tree like the argument, of arrays of the same shapes and dtypes; with ``has_aux``
        ``(gradient, aux)``.

    Raises
    ------
    NonScalarError, NotDifferentiableError, MixedBackendsError, DTypeError
        When it is called, as `value_and_grad`.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> mm.grad(lambda x: mm.array_namespace(x).sum(mm.activations.relu(x)))(np.asarray([-1.0, 0.0, 2.0]))
    array([0., 0., 1.])
    """
    value_and_gradient = _differentiated(f, argnums, has_aux)

    def transformed(*args: Any, **kwargs: Any) -> Any:
        value, gradient = value_and_gradient(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return Transformed(transformed, grad, f, argnums, has_aux)


def vjp(f: Callable[..., Any], *primals: Tree, has_aux: bool = False) -> tuple[Any, ...]:
    """``(outputs, pullback)``: ``pullback(cotangents)`` is the tuple of cotangents of the primals, J^T v.

    Parameters
    ----------
    f : callable
        Returns a tree of arrays; with ``has_aux`` ``(tree, aux)``.
    *primals : trees of floating-point arrays
        The arguments of ``f``.
    has_aux : bool

    Returns
    -------
    outputs : tree of arrays
        ``f(*primals)``
    pullback : callable
        Of a tree like the outputs, of arrays of the same shapes and dtypes; what is given for an output that is not floating-point is
        passed over. Returns a tuple of trees like the primals. It may be called more than once.
    aux
        Only with ``has_aux``.

    Raises
    ------
    InputError, ShapeError, DTypeError, MixedBackendsError
        From the pullback: if a cotangent is missing, or differs from its output in shape, dtype or library.
    NotDifferentiableError
        If no output is a floating-point array, or a primal is none.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> outputs, pullback = mm.vjp(lambda x: x * x, np.asarray([1.0, 2.0]))
    >>> pullback(np.asarray([1.0, 10.0]))
    (array([ 2., 40.]),)
    """
    check_transformed("vjp", f)
    has_aux = flag("vjp: has_aux", has_aux)
    call = Call(f, tuple(range(len(primals))), primals, {}, "vjp")
    backend, outputs, auxiliary = call.backend, Outputs(), Outputs()
    count = 0

    def flat(arrays: Sequence[Array]) -> tuple[Array, ...]:
        nonlocal count
        result, aux = unpack_aux(call(arrays)) if has_aux else (call(arrays), None)
        arrays_out = outputs.split(result)
        count = len(arrays_out)
        if not any(backend.is_floating(array) for array in arrays_out):
            raise NotDifferentiableError(no_floats("vjp", result))
        return (*arrays_out, *auxiliary.split(aux))

    with backend.scope_of(*call.arrays):
        flat_outputs, flat_pullback = explained(backend, engine(backend, call.arrays).vjp, flat, call.arrays)
    aux_arrays = flat_outputs[count:]

    def pullback(cotangents: Tree) -> Tree:
        given = directions(
            backend, cotangents, outputs.join(flat_outputs[:count]), ("vjp: a cotangent", "output")
        )
        with backend.scope_of(*call.arrays):
            padded = (*given, *(backend.xp.zeros_like(a) for a in aux_arrays))
            return call.gradients(flat_pullback(padded))

    result = outputs.join(flat_outputs[:count])
    return (result, pullback, auxiliary.join(aux_arrays)) if has_aux else (result, pullback)


def elementwise_grad(f: Callable[..., Any], argnums: int = 0) -> Callable[..., Any]:
    """The derivative of an element-wise function, element by element: an array of the argument's shape.

    Defined as the gradient of ``sum(f(x))``, so it is the derivative only if each output depends on its own input alone.

    Parameters
    ----------
    f : callable
        Returns an array of the shape of its argument.
    argnums : int
        Which argument is differentiated in.

    Returns
    -------
    callable
        Of the arguments of ``f``; returns an array of the shape and dtype of that argument.

    Raises
    ------
    NotDifferentiableError
        When it is called: if the argument is not a floating-point array.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> mm.elementwise_grad(mm.activations.tanh)(np.asarray([0.0, 1.0])).round(4)
    array([1.  , 0.42])
    """

    check_transformed("elementwise_grad", f)
    argnums = check_whole("elementwise_grad: argnums", argnums)

    def total(*args: Any, **kwargs: Any) -> Array:
        result = f(*args, **kwargs)
        return array_namespace(result).sum(result) if is_array(result) else result

    return Transformed(grad(total, argnums), elementwise_grad, f, argnums)


def gradient_of(call: Call, name: str) -> Callable[[Sequence[Array]], tuple[Array, ...]]:
    """The gradient of the scalar function that is called, for an adapter."""
    backend = call.backend
    both = engine(backend, call.arrays).value_and_grad(
        lambda arrays: (_scalar(backend, call(arrays), name), ())
    )
    return lambda arrays: both(tuple(arrays))[2]


def _scalar(backend: Backend, value: Any, name: str) -> Array:
    found = owner_of_type(type(value))
    if found is backend and len(value.shape) == 0 and backend.is_floating(value):
        return value
    if found is None:
        if isinstance(value, tuple):
            raise NonScalarError(
                f"{name}: the function returned a tuple; if it returns (value, aux), pass has_aux=True"
            )
        raise NonScalarError(
            f"{name}: the function returned {value!r}, not an array of the {backend.name} backend. float(), .item(), math's and NumPy's "
            "functions take a value out of its trace: use those of multimlp.array_namespace(x)"
        )
    if found is not backend:
        raise NonScalarError(
            f"{name}: the function returned an array of {found.name}, its arguments belong to {backend.name}, so that the "
            "gradient is lost: use the functions of multimlp.array_namespace(x)"
        )
    if tuple(value.shape) != ():
        raise NonScalarError(
            f"{name}: the function must return a scalar (shape ()), got shape {tuple(value.shape)}; "
            "reduce it (xp.sum, xp.mean), or use jacobian or vjp"
        )
    raise NonScalarError(
        f"{name}: the function returned a scalar of dtype {backend.dtype_name(value.dtype)}; it must be floating-point"
    )


def is_complex(leaf: Array) -> bool:
    """Whether an output holds complex numbers, in whose derivatives libraries differ, or which they leave out in silence."""
    return bool(owner(leaf).xp.isdtype(leaf.dtype, "complex floating"))


def no_floats(name: str, result: Any) -> str:
    kinds = [_kind(leaf) for leaf in tree.leaves(result)]
    return (
        f"{name}: the function must return floating-point arrays of the library of its arguments, got {', '.join(kinds) or 'nothing'}; "
        "return others as auxiliary output, real and imaginary parts of complex ones, or leave them out"
    )


def _kind(leaf: Any) -> str:
    return (
        f"{owner(leaf).dtype_name(leaf.dtype)} of {owner(leaf).name}"
        if is_array(leaf)
        else type(leaf).__name__
    )


def unpack_aux(result: Any) -> tuple[Any, Any]:
    if not (isinstance(result, tuple) and len(result) == 2):
        raise InputError(f"has_aux=True: the function must return (value, aux), got {type(result).__name__}")
    return result
