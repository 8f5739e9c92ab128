"""Derivative rules of the matrix decompositions (real matrices).

Symmetric input (``cholesky``, ``eigh``, ``eigvalsh``): the gradient is the symmetric one. Vectors that belong
to equal eigenvalues or singular values have no derivative: where it matters to the result, the gradient is
infinite or NaN, where it does not, finite.

References: Giles (2008), "Collected matrix derivative results for forward and reverse mode algorithmic
differentiation"; Murray (2016), "Differentiation of the Cholesky decomposition", arXiv:1602.07527; Roberts
and Roberts (2020), "QR and LQ decomposition matrix backpropagation algorithms", arXiv:2009.10071; Townsend
(2016), "Differentiating the singular value decomposition".
"""

from __future__ import annotations

from typing import Any

from multimlp._typing import Array, Namespace
from multimlp.errors import MissingRuleError
from multimlp.tape._array import device_of
from multimlp.tape.batching import Function
from multimlp.tape.recording import check_real, composed, parametric, several_results
from multimlp.tape.source import Maker, Source


def _t(xp: Namespace, x: Array) -> Array:
    return xp.matrix_transpose(x)


def _symmetric(xp: Namespace, x: Array) -> Array:
    return 0.5 * (x + _t(xp, x))


def _ratio(xp: Namespace, numerator: Array, denominator: Array) -> Array:
    """The quotient, with 0 / 0 = 0."""
    nothing = (numerator == 0) & (denominator == 0)
    return xp.where(
        nothing,
        xp.zeros_like(numerator),
        numerator / xp.where(nothing, xp.ones_like(denominator), denominator),
    )


def _diagonal_matrix(xp: Namespace, d: Array) -> Array:
    return d[..., None, :] * xp.eye(d.shape[-1], dtype=d.dtype, device=device_of(d))


def _lower_half(xp: Namespace, x: Array) -> Array:
    """The lower triangle with half the diagonal."""
    return 0.5 * (xp.tril(x) + xp.tril(x, k=-1))


def _cholesky(xp: Namespace, g: Array, y: Array, _x: Array, upper: bool = False) -> Array:
    check_real(xp, "linalg.cholesky", y)
    l, g = (_t(xp, y), _t(xp, g)) if upper else (y, g)
    middle = _lower_half(xp, xp.matmul(_t(xp, l), xp.tril(g)))
    solved = xp.linalg.solve(_t(xp, l), _t(xp, xp.linalg.solve(_t(xp, l), _t(xp, middle))))
    return _symmetric(xp, solved)


def _eigh(xp: Namespace, g: tuple[Array, Array], y: tuple[Array, Array], x: Array) -> Array:
    check_real(xp, "linalg.eigh", x)
    (gw, gv), (w, v) = g, y
    gaps = w[..., None, :] - w[..., :, None]
    inner = _ratio(xp, _without_diagonal(xp, xp.matmul(_t(xp, v), gv)), gaps) + _diagonal_matrix(xp, gw)
    return _symmetric(xp, xp.matmul(v, xp.matmul(inner, _t(xp, v))))


def _without_diagonal(xp: Namespace, x: Array) -> Array:
    return xp.tril(x, k=-1) + xp.triu(x, k=1)


def _eigvalsh(xp: Namespace, x: Array) -> Array:
    return xp.linalg.eigh(x)[0]


def _slogdet(xp: Namespace, g: tuple[Array, Array], y: tuple[Array, Array], x: Array) -> Array:
    check_real(xp, "linalg.slogdet", x)
    return g[1][..., None, None] * _t(xp, xp.linalg.inv(x))


def _qr_tall(
    xp: Namespace, g: tuple[Array, Array], y: tuple[Array, Array], x: Array, mode: str = "reduced"
) -> Array:
    check_real(xp, "linalg.qr", x)
    (gq, gr), (q, r) = g, y
    m = xp.matmul(r, _t(xp, gr)) - xp.matmul(_t(xp, gq), q)
    lower = xp.tril(m, k=-1)
    symmetric = xp.tril(m) + _t(xp, lower)
    return _t(xp, xp.linalg.solve(r, _t(xp, gq + xp.matmul(q, symmetric))))


def _qr(source: Source, xp: Any) -> Function:
    """The maker of qr: a wide matrix is a square one with columns appended; of a tall one, only the reduced
    form has a derivative.
    """
    record, differentiated = several_results(_qr_tall)(source, xp), xp.differentiated

    def qr(x: Any, /, *, mode: str = "reduced") -> Any:
        if type(x) not in differentiated:
            return source(x, mode=mode)
        rows, columns = x.shape[-2:]
        if rows >= columns:
            if mode != "reduced" and rows > columns:
                raise MissingRuleError(
                    "linalg.qr: no derivative for mode='complete' of a tall matrix; use mode='reduced'"
                )
            return record(x, mode=mode)
        result = record(x[..., :rows], mode=mode)
        q, left = result
        return type(result)(q, xp.concat([left, xp.matmul(_t(xp, q), x[..., rows:])], axis=-1))

    return qr


def _svd_reduced(
    xp: Namespace,
    g: tuple[Array, Array, Array],
    y: tuple[Array, Array, Array],
    x: Array,
    full_matrices: bool = True,
) -> Array:
    check_real(xp, "linalg.svd", x)
    (gu, gs, gvt), (u, s, vt) = g, y
    ut, v, gv = _t(xp, u), _t(xp, vt), _t(xp, gvt)
    gaps = (s[..., None, :] - s[..., :, None]) * (s[..., None, :] + s[..., :, None])
    a, b = xp.matmul(ut, gu), xp.matmul(vt, gv)
    inner = _ratio(xp, a - _t(xp, a), gaps) * s[..., None, :] + s[..., :, None] * _ratio(
        xp, b - _t(xp, b), gaps
    )
    result = xp.matmul(u, xp.matmul(inner + _diagonal_matrix(xp, gs), vt))
    rows, columns = x.shape[-2:]
    if rows > columns:
        result = result + xp.matmul(
            _ratio(xp, gu - xp.matmul(u, a), xp.broadcast_to(s[..., None, :], u.shape)), vt
        )
    if columns > rows:
        result = result + xp.matmul(
            u, _t(xp, _ratio(xp, gv - xp.matmul(v, b), xp.broadcast_to(s[..., None, :], v.shape)))
        )
    return result


def _svd(source: Source, xp: Any) -> Function:
    """The maker of svd: the vectors that full_matrices adds are arbitrary and have no derivative."""
    record, differentiated = several_results(_svd_reduced)(source, xp), xp.differentiated

    def svd(x: Any, /, *, full_matrices: bool = True) -> Any:
        if type(x) in differentiated and full_matrices and x.shape[-1] != x.shape[-2]:
            raise MissingRuleError(
                "linalg.svd: no derivative with full_matrices=True unless the matrix is square; "
                "use full_matrices=False"
            )
        return record(x, full_matrices=full_matrices)

    return svd


def _svdvals(xp: Namespace, x: Array) -> Array:
    return xp.linalg.svd(x, full_matrices=False)[1]


RULES: dict[str, Maker] = {
    "linalg.cholesky": parametric(_cholesky),
    "linalg.eigh": several_results(_eigh),
    "linalg.eigvalsh": composed(_eigvalsh),
    "linalg.slogdet": several_results(_slogdet),
    "linalg.qr": _qr,
    "linalg.svd": _svd,
    "linalg.svdvals": composed(_svdvals),
}
