"""Activations that multiply x by a smooth gate of x: GELU, SiLU, swish, mish.

At -inf the product is infinity times zero, NaN, as in every library's own kernels; everywhere else the tails
are right, and the derivatives have their limits, 0 and 1, at the infinities.
"""

from __future__ import annotations

from multimlp.activations._description import activation, derivative_of
from multimlp.activations._erf import erfc
from multimlp.activations._operation import cut_off, exact, gated, namespace, number, one_of
from multimlp.activations._sigmoidal import decay, logistic, logistic_slope
from multimlp.backend import Array, Namespace, array_namespace

__all__ = [
    "gelu",
    "mish",
    "silu",
    "swish",
]

GELU_END = 25.0
"""Beyond it the gate of the tanh form is 0 or 1 in every format; its cube overflows in none."""

DENSITY_END = 40.0
"""exp(-40 * 40 / 2) is zero in every IEEE format."""

LOGISTIC_END = 800.0
"""exp(-800) is zero in every IEEE format."""


def _logistic(xp: Namespace, z: Array) -> Array:
    return logistic(xp, z, decay(xp, z))


def _beside(xp: Namespace, x: Array, e: Array) -> Array:
    """x as a factor of e, which is 0 where x may be infinite."""
    return xp.where(e > 0, x, xp.zeros_like(x))


@activation(approximate=one_of("none", "tanh"))
def gelu(x: Array, approximate: str = "none") -> Array:
    r"""Gaussian error linear unit, :math:`f(x) = x \Phi(x)`, with the normal distribution :math:`\Phi`.

    ``approximate="tanh"``: :math:`f(x) = \frac{x}{2} (1 + \tanh u)`,
    :math:`u = \sqrt{2/\pi} (x + 0.044715 x^3)`, computed as :math:`x / (1 + e^{-2u})`. Derivatives:
    :math:`\Phi(x) + x \varphi(x)` with the normal density :math:`\varphi`; and with
    :math:`s = 1 / (1 + e^{-2u})`, :math:`s + 2 x s (1 - s) u'`. No kinks. +inf at +inf, NaN at -inf and NaN; the
    derivative is 1 and 0 at the infinities. :math:`\Phi` is computed with `multimlp.activations.erfc`, so the left tail does not cancel.

    Parameters
    ----------
    x : array of a real floating-point dtype
    approximate : {"none", "tanh"}
        The exact function (default here, in PyTorch and TensorFlow), or the approximation (default in JAX).

    Returns
    -------
    array, of the shape, dtype and device of ``x``

    References
    ----------
    D. Hendrycks, K. Gimpel (2016), Gaussian error linear units, arXiv:1606.08415.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import activations
    >>> activations.gelu(np.asarray([-1.0, 1.0])).round(5).tolist()
    [-0.15866, 0.84134]
    >>> activations.gelu(np.asarray([-1.0, 1.0]), "tanh").round(5).tolist()
    [-0.15881, 0.84119]
    """
    xp = array_namespace(x)
    if approximate == "tanh":
        return gated(xp, x, x, GELU_END, lambda x: _logistic(xp, 2 * gelu_argument(xp, x)), bounded=True)
    return gated(xp, x, x, DENSITY_END, lambda x: 0.5 * erfc(x * -(exact(xp, 1, 2) ** 0.5)))


@derivative_of(gelu)
def gelu_derivative(x: Array, approximate: str = "none") -> Array:
    """Phi(x) + x phi(x); for the tanh form s + 2 x s (1 - s) u'."""
    xp = array_namespace(x)
    if approximate == "tanh":
        bounded = cut_off(xp, x, GELU_END)
        z = 2 * gelu_argument(xp, bounded)
        e = decay(xp, z)
        slope = (1 + bounded * bounded * exact(xp, 3 * 44715, 1000000)) * (2 * (2 / xp.pi) ** 0.5)
        return logistic(xp, z, e) + bounded * slope * logistic_slope(e)
    bounded = cut_off(xp, x, DENSITY_END)
    density = xp.exp(-bounded * bounded / 2) * (2 * xp.pi) ** -0.5
    return erfc(x * -(exact(xp, 1, 2) ** 0.5)) / 2 + bounded * density


def gelu_argument(xp: Namespace, x: Array) -> Array:
    """u of the tanh form, for x that is not beyond `GELU_END`."""
    return (x + x * x * x * exact(xp, 44715, 1000000)) * (2 / xp.pi) ** 0.5


@activation()
def silu(x: Array) -> Array:
    r"""Sigmoid linear unit, :math:`f(x) = x / (1 + e^{-x})`: `swish` with :math:`\beta = 1`.

    Derivative: :math:`s + x s (1 - s)` with :math:`s = 1 / (1 + e^{-x})`. No kinks. +inf at +inf, NaN at -inf
    and NaN; the derivative is 1 and 0 at the infinities.

    Parameters
    ----------
    x : array of a real floating-point dtype

    Returns
    -------
    array, of the shape, dtype and device of ``x``

    References
    ----------
    S. Elfwing, E. Uchibe, K. Doya (2018), Sigmoid-weighted linear units for neural network function
    approximation in reinforcement learning, Neural Networks 107, 3-11.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import activations
    >>> activations.silu(np.asarray([-1.0, 0.0, 1.0])).round(4).tolist()
    [-0.2689, 0.0, 0.7311]
    """
    xp = array_namespace(x)
    return gated(xp, x, x, LOGISTIC_END, lambda x: _logistic(xp, x))


@derivative_of(silu)
def silu_derivative(x: Array) -> Array:
    """s + x s (1 - s) with s = 1 / (1 + exp(-x))."""
    xp = array_namespace(x)
    e = decay(xp, x)
    return logistic(xp, x, e) + _beside(xp, x, e) * logistic_slope(e)


@activation(2, beta=number, learnable="beta")
def swish(x: Array, beta: float | Array = 1.0) -> Array:
    r"""Swish, :math:`f(x) = x / (1 + e^{-\beta x})`.

    Derivatives: with :math:`s = 1 / (1 + e^{-\beta x})`, :math:`s + \beta x s (1 - s)` in x and
    :math:`x^2 s (1 - s)` in :math:`\beta`. No kinks. +inf at +inf, NaN at -inf (for :math:`\beta > 0`) and
    NaN; the derivative is 1 and 0 at the infinities.

    Parameters
    ----------
    x : array of a real floating-point dtype
    beta : float, or array of the dtype of ``x`` that broadcasts with it
        1 makes it `silu`; the name ``"swish"`` alone means that, ``learnable("swish")`` learns beta, starting
        from 1.

    Returns
    -------
    array, of the shape, dtype and device of ``x``

    References
    ----------
    P. Ramachandran, B. Zoph, Q. V. Le (2017), Searching for activation functions, arXiv:1710.05941.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import activations
    >>> activations.swish(np.asarray([-1.0, 0.0, 1.0]), 2.0).round(4).tolist()
    [-0.1192, 0.0, 0.8808]
    """
    xp = namespace(x, beta)
    return gated(xp, x, x * beta, LOGISTIC_END, lambda z: _logistic(xp, z))


@derivative_of(swish)
def swish_derivative(x: Array, beta: float | Array = 1.0) -> Array:
    """s + beta x s (1 - s) with s = 1 / (1 + exp(-beta x))."""
    xp = namespace(x, beta)
    z = x * beta
    e = decay(xp, z)
    return logistic(xp, z, e) + _beside(xp, x, e) * logistic_slope(e) * beta


@activation()
def mish(x: Array) -> Array:
    r"""Mish, :math:`f(x) = x \tanh(\log(1 + e^x))`.

    Computed with one exponential: :math:`\tanh(\log(1 + u)) = (u^2 + 2u) / (u^2 + 2u + 2)` for
    :math:`u = e^x`, both divided by :math:`u^2` on the right. Derivative:
    :math:`t + x (1 - t^2) / (1 + e^{-x})` with :math:`t = f(x)/x`. No kinks. +inf at +inf, NaN at -inf and
    NaN; the derivative is 1 and 0 at the infinities.

    Parameters
    ----------
    x : array of a real floating-point dtype

    Returns
    -------
    array, of the shape, dtype and device of ``x``

    References
    ----------
    D. Misra (2019), Mish: a self regularized non-monotonic activation function, arXiv:1908.08681.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import activations
    >>> activations.mish(np.asarray([-1.0, 0.0, 1.0])).round(4).tolist()
    [-0.3034, 0.0, 0.8651]
    """
    xp = array_namespace(x)

    def gate(x: Array) -> Array:
        numerator, denominator = mish_gate(xp, x, decay(xp, x))
        return numerator / denominator

    return gated(xp, x, x, LOGISTIC_END, gate)


@derivative_of(mish)
def mish_derivative(x: Array) -> Array:
    """t + x (1 - t^2) / (1 + exp(-x)) with t = tanh(log(1 + exp(x)))."""
    xp = array_namespace(x)
    e = decay(xp, x)
    numerator, denominator = mish_gate(xp, x, e)
    sech_squared_times_logistic = 4 * xp.where(x >= 0, e * e, e) * (1 + e) / (denominator * denominator)
    return numerator / denominator + _beside(xp, x, e) * sech_squared_times_logistic


def mish_gate(xp: Namespace, x: Array, e: Array) -> tuple[Array, Array]:
    """Numerator and denominator of tanh(log(1 + exp x)), from ``e = exp(-|x|)``."""
    right = x >= 0
    numerator = xp.where(right, 1 + 2 * e, e * (e + 2))
    return numerator, numerator + xp.where(right, 2 * e * e, xp.full_like(x, 2.0))
