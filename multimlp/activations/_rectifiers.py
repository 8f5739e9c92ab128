"""Activations made of straight pieces with a corner at zero, and their kin.

Every one is written with ``where(x <= 0, ...)``: the derivative at the corner is then the left-hand one in
every library, and NaN stays NaN.
"""

from __future__ import annotations

from multimlp.activations._description import activation, derivative_from_output_of, derivative_of
from multimlp.activations._operation import namespace, number, positive
from multimlp.backend import Array, array_namespace

__all__ = [
    "identity",
    "leaky_relu",
    "prelu",
    "relu",
    "relu6",
    "relu_squared",
    "step",
    "threshold",
]


@activation(aliases=("linear",))
def identity(x: Array) -> Array:
    r"""The identity, :math:`f(x) = x`.

    Derivative: 1 everywhere. No kinks; NaN and infinities pass through.

    Parameters
    ----------
    x : array of a real floating-point dtype

    Returns
    -------
    array
        ``x`` itself.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import activations
    >>> activations.identity(np.asarray([-1.0, 2.0])).tolist()
    [-1.0, 2.0]
    """
    return x


@derivative_of(identity)
def identity_derivative(x: Array) -> Array:
    """1."""
    return array_namespace(x).ones_like(x)


@derivative_from_output_of(identity)
def identity_from_output(y: Array) -> Array:
    """1."""
    return array_namespace(y).ones_like(y)


@activation(kinks=(0.0,))
def relu(x: Array) -> Array:
    r"""Rectified linear unit, :math:`f(x) = \max(x, 0)`.

    Derivative: 0 for :math:`x \le 0`, 1 for :math:`x > 0`. At the kink 0 it is the left-hand one, 0. NaN
    stays NaN with derivative 1; -inf gives 0, +inf gives +inf.

    Parameters
    ----------
    x : array of a real floating-point dtype

    Returns
    -------
    array, of the shape, dtype and device of ``x``

    References
    ----------
    V. Nair, G. E. Hinton (2010), Rectified linear units improve restricted Boltzmann machines, ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import activations
    >>> activations.relu(np.asarray([-1.0, 0.0, 2.0])).tolist()
    [0.0, 0.0, 2.0]
    """
    xp = array_namespace(x)
    return xp.where(x <= 0, xp.zeros_like(x), x)


@derivative_of(relu)
def relu_derivative(x: Array) -> Array:
    """0 where x <= 0, else 1."""
    xp = array_namespace(x)
    return xp.where(x <= 0, xp.zeros_like(x), xp.ones_like(x))


@derivative_from_output_of(relu)
def relu_from_output(y: Array) -> Array:
    """0 where y <= 0, else 1."""
    xp = array_namespace(y)
    return xp.where(y <= 0, xp.zeros_like(y), xp.ones_like(y))


@activation(
    2,
    negative_slope=number,
    kinks=lambda negative_slope: () if negative_slope == 1 else (0.0,),
    learnable="negative_slope",
)
def leaky_relu(x: Array, negative_slope: float | Array = 0.01) -> Array:
    r"""Leaky ReLU, :math:`f(x) = x` for :math:`x > 0`, else :math:`a x`.

    Derivative: 1 for :math:`x > 0`, else :math:`a`. At the kink 0 it is the left-hand one, :math:`a`. NaN
    stays NaN with derivative 1.

    Parameters
    ----------
    x : array of a real floating-point dtype
    negative_slope : float, or array of the dtype of ``x`` that broadcasts with it
        The slope :math:`a`. PyTorch's and JAX's default is 0.01 as here, Keras' is 0.3, TensorFlow's 0.2.

    Returns
    -------
    array, of the shape, dtype and device of ``x``

    References
    ----------
    A. L. Maas, A. Y. Hannun, A. Y. Ng (2013), Rectifier nonlinearities improve neural network acoustic
    models, ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import activations
    >>> activations.leaky_relu(np.asarray([-1.0, 0.0, 2.0]), 0.25).tolist()
    [-0.25, 0.0, 2.0]
    """
    xp = namespace(x, negative_slope)
    return xp.where(x <= 0, x * negative_slope, x)


@derivative_of(leaky_relu)
def leaky_relu_derivative(x: Array, negative_slope: float | Array = 0.01) -> Array:
    """The slope where x <= 0, else 1."""
    xp = namespace(x, negative_slope)
    return xp.where(x <= 0, xp.zeros_like(x) + negative_slope, xp.ones_like(x))


@derivative_from_output_of(leaky_relu, negative_slope=positive)
def leaky_relu_from_output(y: Array, negative_slope: float | Array = 0.01) -> Array:
    """The slope where y <= 0, else 1; for slopes above zero."""
    xp = namespace(y, negative_slope)
    return xp.where(y <= 0, xp.zeros_like(y) + negative_slope, xp.ones_like(y))


@activation(2, alpha=number, kinks=lambda alpha: () if alpha == 1 else (0.0,), learnable="alpha")
def prelu(x: Array, alpha: float | Array = 0.25) -> Array:
    r"""Parametric ReLU, :math:`f(x) = x` for :math:`x > 0`, else :math:`\alpha x`, :math:`\alpha` learned.

    Derivatives: in ``x`` as for `leaky_relu` (:math:`\alpha` at the kink 0); in :math:`\alpha`, :math:`x` for
    :math:`x \le 0`, else 0. NaN stays NaN.

    Parameters
    ----------
    x : array of a real floating-point dtype
    alpha : float, or array of the dtype of ``x`` that broadcasts with it
        One number for all units, or one a unit (shape ``(width,)``). The default is the paper's starting
        value.

    Returns
    -------
    array, of the shape, dtype and device of ``x``

    References
    ----------
    K. He, X. Zhang, S. Ren, J. Sun (2015), Delving deep into rectifiers, ICCV.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import activations
    >>> activations.prelu(np.asarray([[-1.0, -1.0]]), np.asarray([0.5, 0.25])).tolist()
    [[-0.5, -0.25]]
    """
    xp = namespace(x, alpha)
    return xp.where(x <= 0, x * alpha, x)


@derivative_of(prelu)
def prelu_derivative(x: Array, alpha: float | Array = 0.25) -> Array:
    """alpha where x <= 0, else 1."""
    return leaky_relu_derivative.apply(x, alpha)


@activation(kinks=(0.0, 6.0))
def relu6(x: Array) -> Array:
    r"""ReLU cut off at six, :math:`f(x) = \min(\max(x, 0), 6)`.

    Derivative: 1 for :math:`0 < x < 6`, else 0; so 0 at both kinks. NaN stays NaN with derivative 1.

    Parameters
    ----------
    x : array of a real floating-point dtype

    Returns
    -------
    array, of the shape, dtype and device of ``x``

    References
    ----------
    A. Krizhevsky (2010), Convolutional deep belief networks on CIFAR-10.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import activations
    >>> activations.relu6(np.asarray([-1.0, 3.0, 8.0])).tolist()
    [0.0, 3.0, 6.0]
    """
    xp = array_namespace(x)
    return xp.where(x <= 0, xp.zeros_like(x), xp.where(x >= 6, xp.full_like(x, 6.0), x))


@derivative_of(relu6)
def relu6_derivative(x: Array) -> Array:
    """1 where 0 < x < 6, else 0."""
    xp = array_namespace(x)
    return xp.where(xp.logical_or(x <= 0, x >= 6), xp.zeros_like(x), xp.ones_like(x))


@derivative_from_output_of(relu6)
def relu6_from_output(y: Array) -> Array:
    """1 where 0 < y < 6, else 0."""
    xp = array_namespace(y)
    return xp.where(xp.logical_or(y <= 0, y >= 6), xp.zeros_like(y), xp.ones_like(y))


@activation(aliases=("squared_relu",))
def relu_squared(x: Array) -> Array:
    r"""Squared ReLU, :math:`f(x) = \max(x, 0)^2`.

    Derivative: :math:`2 \max(x, 0)`, continuous; the second derivative jumps from 0 to 2 at 0 (0 is taken
    there). NaN stays NaN.

    Parameters
    ----------
    x : array of a real floating-point dtype

    Returns
    -------
    array, of the shape, dtype and device of ``x``

    References
    ----------
    D. So et al. (2021), Primer: searching for efficient transformers for language modeling, NeurIPS.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import activations
    >>> activations.relu_squared(np.asarray([-1.0, 3.0])).tolist()
    [0.0, 9.0]
    """
    xp = array_namespace(x)
    positive_part = xp.where(x <= 0, xp.zeros_like(x), x)
    return positive_part * positive_part


@derivative_of(relu_squared)
def relu_squared_derivative(x: Array) -> Array:
    """2 max(x, 0)."""
    xp = array_namespace(x)
    return xp.where(x <= 0, xp.zeros_like(x), 2 * x)


@derivative_from_output_of(relu_squared)
def relu_squared_from_output(y: Array) -> Array:
    """2 sqrt(y)."""
    return 2 * array_namespace(y).sqrt(y)


@activation(threshold=number, value=number, kinks=lambda threshold, value: (float(threshold),))
def threshold(x: Array, threshold: float = 0.0, value: float = 0.0) -> Array:
    r"""Thresholded unit, :math:`f(x) = x` for :math:`x > \theta`, else :math:`v`.

    Derivative: 1 for :math:`x > \theta`, else 0; so 0 at :math:`\theta`, where f jumps unless
    :math:`v = \theta`. NaN stays NaN with derivative 1. The defaults make it `relu`.

    Parameters
    ----------
    x : array of a real floating-point dtype
    threshold : float
        :math:`\theta`.
    value : float
        :math:`v`, taken at and below the threshold.

    Returns
    -------
    array, of the shape, dtype and device of ``x``

    References
    ----------
    K. Konda, R. Memisevic, D. Krueger (2014), Zero-bias autoencoders and the benefits of co-adapting
    features.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import activations
    >>> activations.threshold(np.asarray([0.5, 1.0, 2.0]), 1.0, -1.0).tolist()
    [-1.0, -1.0, 2.0]
    """
    xp = array_namespace(x)
    return xp.where(x <= threshold, xp.full_like(x, value), x)


@derivative_of(threshold)
def threshold_derivative(x: Array, threshold: float = 0.0, value: float = 0.0) -> Array:
    """0 where x <= threshold, else 1."""
    xp = array_namespace(x)
    return xp.where(x <= threshold, xp.zeros_like(x), xp.ones_like(x))


@activation(kinks=(0.0,), aliases=("heaviside",))
def step(x: Array) -> Array:
    r"""Heaviside's step, :math:`f(x) = 1` for :math:`x > 0`, else 0.

    Derivative: 0 everywhere, at the jump too, so nothing below it is trained; for perceptrons and for
    counting. NaN stays NaN.

    Parameters
    ----------
    x : array of a real floating-point dtype

    Returns
    -------
    array, of the shape, dtype and device of ``x``

    References
    ----------
    F. Rosenblatt (1958), The perceptron, Psychological Review 65, 386-408.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import activations
    >>> activations.step(np.asarray([-1.0, 0.0, 2.0])).tolist()
    [0.0, 0.0, 1.0]
    """
    xp = array_namespace(x)
    return xp.where(x <= 0, xp.zeros_like(x), xp.where(x > 0, xp.ones_like(x), x))


@derivative_of(step)
def step_derivative(x: Array) -> Array:
    """0 (1 at NaN, which the step passes on)."""
    xp = array_namespace(x)
    return xp.astype(xp.isnan(x), x.dtype)
