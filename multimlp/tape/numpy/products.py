"""NumPy's products and linear algebra, defined by the standard's functions."""

from __future__ import annotations

import math
import string
from collections.abc import Iterable
from typing import Any

from multimlp._typing import Array, Namespace
from multimlp.errors import InputError
from multimlp.tape.numpy.shapes import Definition, arrays_of, diagonal


def _dot(xp: Namespace, a: Any, b: Any) -> Array:
    a, b = arrays_of(xp, (a, b))
    if a.ndim == 0 or b.ndim == 0:
        return xp.multiply(a, b)
    if b.ndim == 1 or (a.ndim <= 2 and b.ndim == 2):
        return xp.matmul(a, b)
    return xp.tensordot(a, b, axes=((a.ndim - 1,), (b.ndim - 2,)))


def _vdot(xp: Namespace, a: Any, b: Any) -> Array:
    a, b = arrays_of(xp, (a, b))
    return xp.vecdot(xp.reshape(a, (-1,)), xp.reshape(b, (-1,)))


def _inner(xp: Namespace, a: Any, b: Any) -> Array:
    a, b = arrays_of(xp, (a, b))
    if a.ndim == 0 or b.ndim == 0:
        return xp.multiply(a, b)
    return xp.tensordot(a, b, axes=((a.ndim - 1,), (b.ndim - 1,)))


def _outer(xp: Namespace, a: Any, b: Any) -> Array:
    a, b = arrays_of(xp, (a, b))
    return xp.multiply(xp.reshape(a, (-1, 1)), xp.reshape(b, (1, -1)))


def _tensordot(xp: Namespace, a: Any, b: Any, axes: Any = 2) -> Array:
    if not isinstance(axes, int):
        axes = tuple((one,) if isinstance(one, int) else tuple(one) for one in axes)
    return xp.tensordot(*arrays_of(xp, (a, b)), axes=axes)


def _kron(xp: Namespace, a: Any, b: Any) -> Array:
    a, b = arrays_of(xp, (a, b))
    ndim = max(a.ndim, b.ndim)
    left, right = ((1,) * (ndim - x.ndim) + tuple(x.shape) for x in (a, b))
    a = xp.reshape(a, tuple(k for n in left for k in (n, 1)))
    b = xp.reshape(b, tuple(k for n in right for k in (1, n)))
    return xp.reshape(xp.multiply(a, b), tuple(m * n for m, n in zip(left, right, strict=True)))


def _cross(
    xp: Namespace, a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: Any = None
) -> Array:
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = (xp.moveaxis(x, one, -1) for x, one in zip(arrays_of(xp, (a, b)), (axisa, axisb), strict=True))
    a, b = xp.broadcast_arrays(a, b)
    return xp.moveaxis(xp.linalg.cross(a, b), -1, axisc)


# ---- einsum ----------------------------------------------------------------------------------------------------------


def _einsum(xp: Namespace, subscripts: Any, *operands: Any, optimize: Any = False) -> Array:
    """From left to right: each pair as one stack of matrix products, with indices that nobody needs summed beforehand."""
    if not isinstance(subscripts, str):
        raise InputError("einsum: of a traced array the subscripts are a string, such as 'ij,jk->ik'")
    arrays = arrays_of(xp, operands)
    terms, output = _parsed(subscripts.replace(" ", ""), [x.ndim for x in arrays])
    terms, arrays = map(
        list, zip(*(_without_repeats(xp, t, x) for t, x in zip(terms, arrays, strict=True)), strict=True)
    )
    while len(arrays) > 1:
        needed = set(output).union(*terms[2:])
        terms[:2], arrays[:2] = _pair(xp, terms[:2], arrays[:2], needed)
    term, x = _summed(xp, terms[0], arrays[0], set(output))
    return xp.permute_dims(x, tuple(map(term.index, output))) if x.ndim else x


def _parsed(subscripts: str, ndims: list[int]) -> tuple[list[str], str]:
    """The indices of each operand and of the result, with letters in place of dots."""
    left, arrow, output = subscripts.partition("->")
    terms = left.split(",")
    if len(terms) != len(ndims):
        raise InputError(f"einsum: {subscripts!r} has {len(terms)} operands, and {len(ndims)} are given")
    spare = [letter for letter in string.ascii_letters if letter not in subscripts]
    hidden = [n - len(t.replace("...", "")) for t, n in zip(terms, ndims, strict=True) if "..." in t]
    dots = "".join(spare[: max(hidden, default=0)])
    terms = [
        t.replace("...", dots[len(dots) - (n - len(t.replace("...", ""))) :])
        for t, n in zip(terms, ndims, strict=True)
    ]
    if arrow and dots and "..." not in output:
        raise InputError(f"einsum: the result of {subscripts!r} lacks the axes that '...' stands for")
    if not arrow:
        letters = "".join(terms)
        output = dots + "".join(sorted(c for c in set(letters) if letters.count(c) == 1 and c not in dots))
    output = output.replace("...", dots)
    for term, ndim in zip(terms, ndims, strict=True):
        if len(term) != ndim:
            raise InputError(
                f"einsum: {term!r} in {subscripts!r} stands for {len(term)} axes, the operand has {ndim}"
            )
    if len(set(output)) < len(output) or not set(output).issubset("".join(terms)):
        raise InputError(
            f"einsum: the result of {subscripts!r} has an index twice, or one that no operand has"
        )
    return terms, output


def _without_repeats(xp: Namespace, term: str, x: Array) -> tuple[str, Array]:
    """An index that stands twice is a diagonal."""
    for letter in dict.fromkeys(term):
        while term.count(letter) > 1:
            first = term.index(letter)
            second = term.index(letter, first + 1)
            if x.shape[first] != x.shape[second]:
                raise InputError(
                    f"einsum: the index {letter!r} stands twice in {term!r}, for axes of {x.shape[first]} and {x.shape[second]}"
                )
            x = diagonal(xp, x, 0, first, second)
            term = "".join(c for i, c in enumerate(term) if i not in (first, second)) + letter
    return term, x


def _summed(xp: Namespace, term: str, x: Array, needed: Iterable[str]) -> tuple[str, Array]:
    gone = tuple(i for i, c in enumerate(term) if c not in needed)
    return "".join(c for c in term if c in needed), xp.sum(x, axis=gone) if gone else x


def _pair(
    xp: Namespace, terms: list[str], arrays: list[Array], needed: set[str]
) -> tuple[list[str], list[Array]]:
    (left, a), (right, b) = (
        _summed(xp, term, x, needed | set(other))
        for term, x, other in zip(terms, arrays, terms[::-1], strict=True)
    )
    both = [c for c in left if c in right]
    stack, inner = [c for c in both if c in needed], [c for c in both if c not in needed]
    rows, columns = [c for c in left if c not in both], [c for c in right if c not in both]
    sizes = dict(zip(right, b.shape, strict=True))
    sizes |= {c: n for c, n in zip(left, a.shape, strict=True) if n != 1 or c not in sizes}

    def as_matrices(x: Array, term: str, *groups: list[str]) -> Array:
        order = [c for group in groups for c in group]
        x = xp.permute_dims(x, tuple(map(term.index, order))) if x.ndim else x
        x = xp.broadcast_to(x, tuple(sizes[c] for c in order))
        return xp.reshape(x, tuple(math.prod(sizes[c] for c in group) for group in groups))

    product = xp.matmul(
        as_matrices(a, left, stack, rows, inner), as_matrices(b, right, stack, inner, columns)
    )
    found = stack + rows + columns
    return ["".join(found)], [xp.reshape(product, tuple(sizes[c] for c in found))]


# ---- linear algebra --------------------------------------------------------------------------------------------------


def _plain(name: str) -> Definition:
    return lambda xp, a, *args, **kwargs: getattr(xp.linalg, name)(a, *args, **kwargs)


def _cholesky(xp: Namespace, a: Array, /, *, upper: bool = False) -> Array:
    found = xp.linalg.cholesky(a)
    return xp.matrix_transpose(found) if upper else found


def _qr(xp: Namespace, a: Array, mode: str = "reduced") -> Any:
    if mode not in ("reduced", "complete", "r"):
        raise InputError(
            f"linalg.qr: mode: expected 'reduced', 'complete' or 'r' of a traced array, got {mode!r}"
        )
    return xp.linalg.qr(a).R if mode == "r" else xp.linalg.qr(a, mode=mode)


def _solve(xp: Namespace, a: Any, b: Any) -> Array:
    return xp.linalg.solve(*arrays_of(xp, (a, b)))


def _not_hermitian(name: str, hermitian: bool) -> None:
    """NumPy then looks at one triangle alone, and signs of vectors are others."""
    if hermitian:
        raise InputError(
            f"linalg.{name}: hermitian=True is not there for a traced array; use eigh, or leave it out"
        )


def _svd(
    xp: Namespace, a: Array, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False
) -> Any:
    _not_hermitian("svd", hermitian)
    if not compute_uv:
        return xp.linalg.svdvals(a)
    return xp.linalg.svd(a, full_matrices=full_matrices)


def _lower(name: str) -> Definition:
    def find(xp: Namespace, a: Array, UPLO: str = "L") -> Any:
        return getattr(xp.linalg, name)(a if UPLO.upper() == "L" else xp.matrix_transpose(a))

    return find


def _pinv(xp: Namespace, a: Array, rcond: Any = None, hermitian: bool = False, **more: Any) -> Array:
    """NumPy's bound is another one than the standard's unless ``rtol=None`` asks for that."""
    _not_hermitian("pinv", hermitian)
    if rcond is None:
        rcond = more.pop("rtol", 1e-15)
    if more:
        raise InputError(
            f"linalg.pinv: there is no argument {next(iter(more))!r} beside rcond for a traced array"
        )
    return xp.linalg.pinv(a, rtol=rcond)


def _norm(xp: Namespace, x: Array, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Array:  # noqa: A002
    if isinstance(axis, (tuple, list)) and len(axis) == 2:
        return _matrix_norm(xp, x, "fro" if ord is None else ord, tuple(axis), keepdims)
    if axis is None and ord is not None and x.ndim == 2:
        return _matrix_norm(xp, x, ord, (0, 1), keepdims)
    if axis is None and ord is None:
        return xp.linalg.vector_norm(x, keepdims=keepdims)
    if axis is None and x.ndim > 2:
        raise InputError(f"linalg.norm: of {x.ndim} axes, ord={ord!r} asks for one axis or two: give axis")
    if ord in ("fro", "nuc"):
        raise InputError(f"linalg.norm: ord={ord!r} is one of matrices; give axis as a pair, or a matrix")
    return xp.linalg.vector_norm(x, axis=axis, keepdims=keepdims, ord=2 if ord is None else ord)


def _matrix_norm(xp: Namespace, x: Array, ord: Any, axes: tuple[int, ...], keepdims: bool) -> Array:  # noqa: A002
    found = xp.linalg.matrix_norm(xp.moveaxis(x, axes, (-2, -1)), ord=ord)
    for axis in sorted(a % x.ndim for a in axes) if keepdims else ():
        found = xp.expand_dims(found, axis=axis)
    return found


def _multi_dot(xp: Namespace, arrays: Any) -> Array:
    found, *rest = arrays_of(xp, arrays)
    for one in rest:
        found = xp.matmul(found, one)
    return found


DEFINITIONS: dict[str, Definition] = {
    "dot": _dot,
    "vdot": _vdot,
    "inner": _inner,
    "outer": _outer,
    "tensordot": _tensordot,
    "kron": _kron,
    "cross": _cross,
    "einsum": _einsum,
    "linalg.cholesky": _cholesky,
    "linalg.qr": _qr,
    "linalg.solve": _solve,
    "linalg.svd": _svd,
    "linalg.pinv": _pinv,
    "linalg.norm": _norm,
    "linalg.multi_dot": _multi_dot,
    "linalg.cond": lambda xp, x: (lambda s: s[..., 0] / s[..., -1])(xp.linalg.svdvals(x)),
    "linalg.outer": lambda xp, x1, x2, /: xp.linalg.outer(x1, x2),
    "linalg.tensordot": _tensordot,
    "linalg.matrix_norm": _plain("matrix_norm"),
    **{f"linalg.{name}": _lower(name) for name in ("eigh", "eigvalsh")},
    **{
        f"linalg.{name}": _plain(name)
        for name in (
            "cross", "det", "diagonal", "inv", "matmul", "matrix_power", "matrix_rank", "matrix_transpose", "slogdet",
            "svdvals", "trace", "vecdot", "vector_norm",
        )
    },
}  # fmt: skip
"""By NumPy's name: ``definition(xp, *args, **kwargs)`` with NumPy's parameters, less those that are refused."""
