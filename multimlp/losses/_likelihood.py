"""Negative log-likelihoods of outputs that describe a distribution of the targets: its place and its scale."""

from __future__ import annotations

import math
from typing import Annotated, TypeAlias

from multimlp import activations
from multimlp.backend import Array, Namespace, array_namespace, op
from multimlp.errors import ShapeError
from multimlp.errors.checks import number, whole
from multimlp.losses._align import aligned, check_outputs, check_values, require_floating
from multimlp.losses._loss import define
from multimlp.losses._op import per_example
from multimlp.losses._parts import parts, parts_and_targets

__all__ = ["gaussian_nll", "mixture_nll", "student_nll"]

Freedom: TypeAlias = Annotated[float, number(low=0, low_open=True)]
Components: TypeAlias = Annotated[int, whole(1, of="of components")]

_HALF_LOG_2PI = math.log(2 * math.pi) / 2
_WHAT = "a place and the logarithm of a scale for each target"


# ---- Gaussian


def _standardised(xp: Namespace, r: Array, s: Array) -> tuple[Array, Array]:
    """``r exp(-s)`` and the root of ``exp(-s)``, which overflows at twice the s; where r is 0, so is the first."""
    root = xp.exp(-s / 2)
    nothing = xp.logical_and(r == 0, xp.isinf(root))  # zero times infinity, whose limit is 0
    root = xp.exp(-xp.where(nothing, xp.zeros_like(s), s) / 2)
    return (r * root) * root, root


@per_example
def gaussian_loss(outputs: Array, targets: Array) -> Array:
    r"""Negative log-likelihood of normal distributions, outputs being means and logarithms of standard deviations.

    The mean over d targets of :math:`s + z^2 / 2 + \log(2 \pi) / 2` with :math:`z = (t - m) e^{-s}`.

    Parameters
    ----------
    outputs : array, shape (..., n, 2 d), floating
        First the d means m, then the d logarithms s of the standard deviations.
    targets : array, shape (..., n, d), or (n,) if d is 1; cast to the dtype of the outputs

    Returns
    -------
    array, shape (..., n)
        The loss of each example; gradient :math:`-z e^{-s} / d` in m and :math:`(1 - z^2) / d` in s. Infinite where :math:`z^2` is
        beyond the dtype.

    Raises
    ------
    ShapeError
        If the shapes do not fit.

    References
    ----------
    D. Nix, A. Weigend (1994), Estimating the mean and variance of the target probability distribution, ICNN. torch's
    ``GaussianNLLLoss(full=True)`` is the same of a variance ``exp(2 s)``.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import losses
    >>> losses.gaussian_nll(np.asarray([[0.0, 0.0], [0.0, np.log(2)]]), np.asarray([1.0, 2.0])).round(4)
    array([1.4189, 2.1121])
    """
    xp, (m, s), targets = parts_and_targets(outputs, targets, 2, _WHAT)
    z, _ = _standardised(xp, targets - m, s)
    return xp.mean(s + z * z / 2, axis=-1) + _HALF_LOG_2PI


@op(arrays=2)
def gaussian_loss_gradient(outputs: Array, targets: Array) -> Array:
    """The gradient of `gaussian_loss` in the outputs: ``-z exp(-s) / d`` and ``(1 - z^2) / d``."""
    xp, (m, s), targets = parts_and_targets(outputs, targets, 2, _WHAT)
    z, root = _standardised(xp, targets - m, s)
    return xp.concat([-(z * root) * root, 1 - z * z], axis=-1) / m.shape[-1]


# ---- Student


def _near_and_far(xp: Namespace, r: Array, s: Array, df: float) -> tuple[Array, Array, Array, Array]:
    """Whether ``z^2 <= df``; ``r`` and ``s`` there, elsewhere 0; and ``log(z^2 / df)`` elsewhere."""
    zero, one = xp.zeros_like(r), xp.ones_like(r)
    size = xp.where(r == 0, one, xp.where(r < 0, -r, r))
    near = xp.logical_or(r == 0, xp.log(size) - s <= math.log(df) / 2)
    far = 2 * (xp.log(xp.where(near, one, size)) - xp.where(near, zero, s)) - math.log(df)
    return near, xp.where(near, r, zero), xp.where(near, s, zero), far


@per_example
def student_loss(outputs: Array, targets: Array, df: Freedom = 4.0) -> Array:
    r"""Negative log-likelihood of Student's t distributions: as `gaussian_nll`, with tails that forgive far targets.

    The mean over d targets of :math:`s + \frac{\nu + 1}{2} \log(1 + z^2 / \nu) + \frac12 \log(\nu \pi) + \log\Gamma(\nu / 2) -
    \log\Gamma((\nu + 1) / 2)` with :math:`z = (t - m) e^{-s}`. Far out the logarithm of z alone is computed, so that nothing
    overflows.

    Parameters
    ----------
    outputs : array, shape (..., n, 2 d), floating
        First the d places m, then the d logarithms s of the scales.
    targets : array, shape (..., n, d), or (n,) if d is 1; cast to the dtype of the outputs
    df : float
        The degrees of freedom, :math:`\nu` > 0: 1 is Cauchy's distribution, many are nearly a normal one.

    Returns
    -------
    array, shape (..., n)
        The loss of each example; gradient :math:`-(\nu + 1) z e^{-s} / (\nu + z^2) / d` in m and :math:`(1 - (\nu + 1) z^2 / (\nu +
        z^2)) / d` in s.

    Raises
    ------
    ShapeError
        If the shapes do not fit.

    References
    ----------
    K. Lange, R. Little, J. Taylor (1989), Robust statistical modeling using the t distribution, JASA 84.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import losses
    >>> cauchy = losses.with_options("student_nll", df=1)
    >>> cauchy(np.asarray([[0.0, 0.0]]), np.asarray([1.0])).round(4)  # log(2 pi)
    array([1.8379])
    """
    xp, (m, s), targets = parts_and_targets(outputs, targets, 2, _WHAT)
    near, r, scale, far = _near_and_far(xp, targets - m, s, df)
    z, _ = _standardised(xp, r, scale)
    small, large = xp.log1p(z * z / df), far + xp.log1p(xp.exp(-far))
    return xp.mean(s + (df + 1) / 2 * xp.where(near, small, large), axis=-1) + _student_constant(df)


@op(arrays=2)
def student_loss_gradient(outputs: Array, targets: Array, df: Freedom = 4.0) -> Array:
    """The gradient of `student_loss` in the outputs: ``-(v + 1) z exp(-s) / (v + z^2) / d`` and ``(1 - (v + 1) z^2 / (v + z^2)) / d``."""
    xp, (m, s), targets = parts_and_targets(outputs, targets, 2, _WHAT)
    difference = targets - m
    near, r, scale, far = _near_and_far(xp, difference, s, df)
    z, root = _standardised(xp, r, scale)
    share = xp.where(near, z * z / (df + z * z), activations.sigmoid(far))  # z^2 / (v + z^2)
    slope = xp.where(
        near,
        (z * root) * root / (df + z * z),
        activations.sigmoid(far) / xp.where(near, xp.ones_like(difference), difference),
    )
    return xp.concat([-(df + 1) * slope, 1 - (df + 1) * share], axis=-1) / m.shape[-1]


def _student_constant(df: float) -> float:
    return math.log(df * math.pi) / 2 + math.lgamma(df / 2) - math.lgamma((df + 1) / 2)


# ---- mixtures


def _mixture_targets(outputs: int, components: int) -> int:
    """How many targets there are for so many outputs: ``components (1 + 2 d)``."""
    width, rest = divmod(outputs, components)
    if rest or width % 2 == 0 or width < 3:
        raise ShapeError(
            f"outputs: expected {components} (1 + 2 d) outputs for d targets: a weight, d means and d logarithms of deviations for each of "
            f"{components} components, got {outputs}"
        )
    return (width - 1) // 2


def _components(outputs: Array, components: int) -> tuple[Array, list[Array], list[Array]]:
    """The logits (..., n, K), and each component's means and logarithms of deviations, (..., n, d)."""
    require_floating(outputs)
    shape = tuple(outputs.shape)
    check_outputs(shape)
    _mixture_targets(shape[-1], components)
    rest = parts(
        outputs[..., components:], 2 * components, "a mean and the logarithm of a deviation for each target"
    )
    return outputs[..., :components], rest[:components], rest[components:]


def _likelihoods(
    xp: Namespace, logits: Array, means: list[Array], scales: list[Array], targets: Array
) -> tuple[Array, list[tuple[Array, Array]]]:
    """Of each component the logarithm of its weight times its density, (..., n, K); and what `_standardised` says."""
    found = [_standardised(xp, targets - m, s) for m, s in zip(means, scales, strict=True)]
    logs = [
        xp.sum(-s - z * z / 2 - _HALF_LOG_2PI, axis=-1, dtype=targets.dtype)
        for (z, _), s in zip(found, scales, strict=True)
    ]
    return activations.log_softmax(logits) + xp.stack(logs, axis=-1), found


@per_example
def mixture_loss(outputs: Array, targets: Array, components: Components = 2) -> Array:
    r"""Negative log-likelihood of mixtures of normal distributions, a mixture density network's loss.

    :math:`-\log \sum_j w_j \prod_i N(t_i; m_{ji}, e^{s_{ji}})`, divided by the number d of targets, so that one component is
    `gaussian_nll`; the weights w are the softmax of their outputs.

    Parameters
    ----------
    outputs : array, shape (..., n, K (1 + 2 d)), floating
        First K logits of the weights, then the d means of the first component, those of the second, and so on, then in the same order
        the logarithms s of the standard deviations.
    targets : array, shape (..., n, d), or (n,) if d is 1; cast to the dtype of the outputs
    components : int
        K.

    Returns
    -------
    array, shape (..., n)
        The loss of each example; its gradient are those of the components' likelihoods, each times its share. Infinite where no
        component has a likelihood whose logarithm the dtype holds.

    Raises
    ------
    ShapeError
        If the shapes do not fit.

    References
    ----------
    C. Bishop (1994), Mixture density networks, NCRG/94/004.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import losses
    >>> outputs = np.asarray([[0.0, 0.0, -1.0, 1.0, 0.0, 0.0]])  # equal weights, means -1 and 1, deviations 1
    >>> losses.mixture_nll(outputs, np.asarray([0.0])).round(4)
    array([1.4189])
    """
    logits, means, scales = _components(outputs, components)
    xp, targets = aligned(means[0], targets)
    logs, _ = _likelihoods(xp, logits, means, scales, targets)
    largest = xp.max(logs, axis=-1, keepdims=True)
    largest = xp.where(xp.isinf(largest), xp.zeros_like(largest), largest)
    total = xp.log(xp.sum(xp.exp(logs - largest), axis=-1, dtype=logs.dtype)) + largest[..., 0]
    return -total / targets.shape[-1]


@op(arrays=2)
def mixture_loss_gradient(outputs: Array, targets: Array, components: Components = 2) -> Array:
    """The gradient of `mixture_loss` in the outputs: the components' gradients, each times its share of the likelihood."""
    logits, means, scales = _components(outputs, components)
    xp, targets = aligned(means[0], targets)
    logs, found = _likelihoods(xp, logits, means, scales, targets)
    shares = activations.softmax(logs)
    of_means, of_scales = [], []
    for j, (z, root) in enumerate(found):
        share = shares[..., j : j + 1]
        none = xp.zeros_like(z)
        # A component without a share has no slope, even where z is infinite.
        of_means.append(xp.where(share == 0, none, -share * ((z * root) * root)))
        of_scales.append(xp.where(share == 0, none, share * (1 - z * z)))
    return (
        xp.concat([activations.softmax(logits) - shares, *of_means, *of_scales], axis=-1) / targets.shape[-1]
    )


# ---- what they predict


def _place(outputs: Array) -> Array:
    return parts(outputs, 2, _WHAT)[0]


def _mixture_mean(outputs: Array, components: int) -> Array:
    logits, means, _ = _components(outputs, components)
    weights = activations.softmax(logits)
    total = array_namespace(outputs).zeros_like(means[0])
    for j, mean in enumerate(means):
        total = total + weights[..., j : j + 1] * mean
    return total


gaussian_nll = define(
    "gaussian_nll",
    gaussian_loss,
    gaussian_loss_gradient,
    check_values,
    _place,
    _place,
    aliases=("gaussian",),
    parts=lambda d: 2 * d,
)
student_nll = define(
    "student_nll",
    student_loss,
    student_loss_gradient,
    check_values,
    _place,
    _place,
    aliases=("student_t",),
    parts=lambda d, df: 2 * d,
)
mixture_nll = define(
    "mixture_nll",
    mixture_loss,
    mixture_loss_gradient,
    check_values,
    _mixture_mean,
    _mixture_mean,
    aliases=("mixture_density", "mdn"),
    parts=lambda d, components: components * (1 + 2 * d),
    predicts_with=("components",),
)
