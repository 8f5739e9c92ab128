"""Special functions that the array API standard lacks, written on the standard alone: `erf` and `erfc`.

Both are operations, so a backend's own kernel stands in where it has one, and both are primitives of the tape
with the derivative of the mathematical function rather than of the approximation.
"""

from __future__ import annotations

from multimlp import tape
from multimlp._polynomials import ratio
from multimlp.backend import Array, Namespace, array_namespace, op

# Cody's coefficients (see `erf`), numerators and denominators, highest power first.
_SMALL = (
    (
        1.85777706184603153e-1,
        3.16112374387056560,
        1.13864154151050156e2,
        3.77485237685302021e2,
        3.20937758913846947e3,
    ),
    (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3),
)
_MIDDLE = (
    (
        2.15311535474403846e-8,
        5.64188496988670089e-1,
        8.88314979438837594,
        6.61191906371416295e1,
        2.98635138197400131e2,
        8.81952221241769090e2,
        1.71204761263407058e3,
        2.05107837782607147e3,
        1.23033935479799725e3,
    ),
    (
        1.0,
        1.57449261107098347e1,
        1.17693950891312499e2,
        5.37181101862009858e2,
        1.62138957456669019e3,
        3.29079923573345963e3,
        4.36261909014324716e3,
        3.43936767414372164e3,
        1.23033935480374942e3,
    ),
)
_FAR = (
    (
        1.63153871373020978e-2,
        3.05326634961232344e-1,
        3.60344899949804439e-1,
        1.25781726111229246e-1,
        1.60837851487422766e-2,
        6.58749161529837803e-4,
    ),
    (
        1.0,
        2.56852019228982242,
        1.87295284992346725,
        5.27905102951428412e-1,
        6.05183413124413191e-2,
        2.33520497626869185e-3,
    ),
)
_SMALL_END = 0.46875
_MIDDLE_END = 4.0
_UNDERFLOW = 30.0
"""exp(-30 * 30) is zero in every IEEE format."""


@op()
def erf(x: Array) -> Array:
    r"""The error function, :math:`\operatorname{erf} x = \frac{2}{\sqrt\pi} \int_0^x e^{-t^2}\,dt`.

    The portable body is Cody's: three rational approximations, each used where it is good to about 1e-16
    relative. Half-precision arrays are computed in float32. Derivative: :math:`\frac{2}{\sqrt\pi} e^{-x^2}`.

    Parameters
    ----------
    x : array of a real floating-point dtype

    Returns
    -------
    array, of the shape, dtype and device of ``x``
        -1 at -inf, 1 at +inf, NaN at NaN, -0.0 at -0.0.

    References
    ----------
    W. J. Cody (1969), Rational Chebyshev approximations for the error function, Math. Comp. 23, 631-637.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp.activations import erf
    >>> erf(np.asarray([0.0, 0.5, 6.0])).round(6).tolist()
    [0.0, 0.5205, 1.0]
    """
    xp = array_namespace(x)
    native = getattr(xp, "erf", None)  # a traced or an arbitrary-precision namespace brings its own
    if native is not None:
        return native(x)
    if _is_half(xp, x):
        return xp.astype(erf(xp.astype(x, xp.float32)), x.dtype)
    near, tail, is_near = _pieces(xp, x)
    return xp.where(is_near, near, xp.where(x < 0, tail - 1, 1 - tail))


@op()
def erfc(x: Array) -> Array:
    r"""The complement :math:`\operatorname{erfc} x = 1 - \operatorname{erf} x`, without its cancellation.

    Derivative: :math:`-\frac{2}{\sqrt\pi} e^{-x^2}`. See `erf` for the method.

    Parameters
    ----------
    x : array of a real floating-point dtype

    Returns
    -------
    array, of the shape, dtype and device of ``x``
        2 at -inf, 0 at +inf, NaN at NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp.activations import erfc
    >>> [f"{value:.6e}" for value in erfc(np.asarray([0.0, 10.0])).tolist()]
    ['1.000000e+00', '2.088488e-45']
    """
    xp = array_namespace(x)
    native = getattr(xp, "erfc", None)
    if native is not None:
        return native(x)
    if _is_half(xp, x):
        return xp.astype(erfc(xp.astype(x, xp.float32)), x.dtype)
    near, tail, is_near = _pieces(xp, x)
    return xp.where(is_near, 1 - near, xp.where(x < 0, 2 - tail, tail))


def _is_half(xp: Namespace, x: Array) -> bool:
    return bool(xp.finfo(x.dtype).bits < 32)


def _pieces(xp: Namespace, x: Array) -> tuple[Array, Array, Array]:
    """erf(x) for small |x|, erfc(|x|) for the others, and which is meant. Neither overflows."""
    a = xp.where(x < 0, -x, x)
    is_near = a <= _SMALL_END
    small = xp.where(is_near, x, xp.zeros_like(x))
    near = small * ratio(_SMALL, small * small)

    a = xp.where(a > _UNDERFLOW, xp.full_like(a, _UNDERFLOW), a)
    inverse_square = 1 / xp.where(a > _MIDDLE_END, a * a, xp.full_like(a, _MIDDLE_END * _MIDDLE_END))
    far = (1 / xp.pi**0.5 - inverse_square * ratio(_FAR, inverse_square)) / xp.where(
        is_near, xp.ones_like(a), a
    )
    scale = xp.where(a > _MIDDLE_END, far, ratio(_MIDDLE, a))
    # a * a split in two, the first part exact: exp would amplify the rounding of the square
    head = xp.floor(a * 16) / 16
    return near, xp.exp(-head * head) * xp.exp(-(a - head) * (a + head)) * scale, is_near


def _slope_of_erf(xp: Namespace, x: Array) -> Array:
    bounded = xp.where(xp.abs(x) > _UNDERFLOW, xp.full_like(x, _UNDERFLOW), x)  # its square must not overflow
    return xp.exp(-bounded * bounded) * (2 / xp.pi**0.5)


tape.primitive(
    "erf", lambda xp, x: erf(x), lambda xp, g, y, x: xp.multiply(g, _slope_of_erf(xp, x)), elementwise=True
)
tape.primitive(
    "erfc", lambda xp, x: erfc(x), lambda xp, g, y, x: xp.multiply(-g, _slope_of_erf(xp, x)), elementwise=True
)
