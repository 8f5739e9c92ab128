"""Activations and their derivatives as curves, of one backend or of all laid over one another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from multimlp import activations
from multimlp.activations import Activation
from multimlp.backend import Array, Backend, array_namespace, get_backend, host_values, select
from multimlp.errors import InputError, ShapeError
from multimlp.errors.checks import check_choice, check_items, flag
from multimlp.plotting._style import COLOURS, LINES, axes_or_new, check_axes, drawn_in_style
from multimlp.transforms import elementwise_grad

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GRID = np.arange(-80, 80) / 10
"""[-8, 8) in steps of 0.1, as in the source text."""


def activation_curve(
    activation: Any, x: Any = GRID, backend: str | Backend | None = None, dtype: str | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Value and derivative of an activation at some points, computed by a backend; the derivative by
    autodiff.

    Parameters
    ----------
    activation : str, mapping, callable or Activation
        As for `multimlp.MLP`. Of one that works along an axis, such as softmax, the first output for (x, 0).
    x : array of shape (n,)
    backend, dtype
        By the usual order of precedence.

    Returns
    -------
    value, derivative : numpy.ndarray, shape (n,)

    Examples
    --------
    >>> from multimlp import plotting
    >>> value, derivative = plotting.activation_curve("sigmoid", [0.0])
    >>> value.tolist(), derivative.tolist()
    ([0.5], [0.25])
    """
    target = select(backend, dtype=dtype)
    rule = activations.parse(activation)
    points = target.backend.asarray(_points(x), dtype=target.dtype, device=target.device)

    def curve(z: Array) -> Array:
        return rule(z) if not _along_an_axis(rule) else _first_output(rule, z)

    with target.backend.scope_of(points):
        value, derivative = curve(points), elementwise_grad(curve)(points)
        return target.backend.to_numpy(value), target.backend.to_numpy(derivative)


def _points(x: Any) -> np.ndarray:
    values = host_values(x, "x")
    if values.ndim != 1 or not values.size:
        raise ShapeError(f"x: expected points of shape (n,), got {values.shape}")
    return values


def _along_an_axis(rule: Activation) -> bool:
    return rule.is_known and not rule.elementwise


def _first_output(rule: Activation, z: Array) -> Array:
    xp = array_namespace(z)
    return rule(xp.stack([z, xp.zeros_like(z)], axis=-1))[..., 0]


def _label(rule: Activation) -> str:
    return f"{rule.name}(x, 0), first output" if _along_an_axis(rule) else f"{rule.name}(x)"


@drawn_in_style
def plot_activation(
    activation: Any,
    backend: str | Backend | None = None,
    ax: Axes | None = None,
    x: Any = GRID,
    derivative: bool = True,
    dtype: str | None = None,
) -> Axes:
    """An activation and its derivative.

    Parameters
    ----------
    activation : str, mapping, callable or Activation
    backend, dtype
        Who computes it; by the usual order of precedence.
    ax : matplotlib axes, optional
        New ones by default.
    x : array of shape (n,)
        Default: [-8, 8) in steps of 0.1.
    derivative : bool
        Whether to draw the derivative too.

    Returns
    -------
    matplotlib axes

    Examples
    --------
    >>> from multimlp import plotting
    >>> picture, axes = plotting.figure()
    >>> plotting.plot_activation("gelu", "numpy", axes).get_title()
    'gelu, numpy'
    """
    axes, derivative, x = axes_or_new(ax), flag("derivative", derivative), _points(x)
    rule = activations.parse(activation)
    value, slope = activation_curve(rule, x, backend, dtype)
    axes.plot(x, value, color=COLOURS[0], linestyle=LINES[0], label=_label(rule))
    if derivative:
        axes.plot(x, slope, color=COLOURS[1], linestyle=LINES[1], label="its derivative")
    axes.set_xlabel("x")
    axes.set_ylabel(f"{rule.name} and derivative" if derivative else rule.name)
    axes.set_title(f"{rule.name}, {get_backend(backend).name}")
    axes.legend()
    return axes


@drawn_in_style
def plot_agreement(
    activation: Any,
    backends: Sequence[str],
    axes: Sequence[Axes],
    x: Any = GRID,
    dtype: str = "float32",
) -> dict[str, tuple[float, float]]:
    """An activation of several backends laid over one another, and beneath how far each is from float64.

    Parameters
    ----------
    activation : str, mapping, callable or Activation
    backends : sequence of str
    axes : three matplotlib axes
        For values, derivatives, and errors in units of eps max(1, |reference|).
    x : array of shape (n,)
    dtype : str
        In which the backends compute.

    Returns
    -------
    dict
        Per backend the largest errors of value and derivative in those units. The reference is NumPy in
        float64.

    Raises
    ------
    InputError
        For no backend, other than three axes, or a dtype that it does not draw.

    Examples
    --------
    >>> from multimlp import plotting
    >>> picture, axes = plotting.figure(3, 1, sharex=True)
    >>> plotting.plot_agreement("relu", ["numpy"], axes)
    {'numpy': (0.0, 0.0)}
    """
    rule = activations.parse(activation)
    value_axes, slope_axes, error_axes = _three(axes)
    check_choice("dtype", dtype, ("float64", "float32", "float16"))
    points = _points(x).astype(dtype)
    backends = check_items("backends", backends, "of names of backends")
    if not backends:
        raise InputError("backends: expected the name of one backend or more, got none")
    reference = activation_curve(rule, points, "numpy", "float64")
    eps = float(np.finfo(dtype).eps)
    largest = {}
    for i, name in enumerate(backends):
        look: dict[str, Any] = {"color": COLOURS[i % len(COLOURS)], "linestyle": LINES[i % len(LINES)]}
        thick: dict[str, Any] = {"linewidth": 1.2 + 1.1 * (len(backends) - 1 - i), "label": name}
        curves = activation_curve(rule, points, name, dtype)
        for one, curve in zip((value_axes, slope_axes), curves, strict=True):
            one.plot(points, curve, **look, **thick)
        errors = [_error(got, true, eps) for got, true in zip(curves, reference, strict=True)]
        error_axes.plot(points, np.maximum(*errors), **look, linewidth=1.2, label=name)
        largest[name] = (float(errors[0].max()), float(errors[1].max()))
    value_axes.set_ylabel(_label(rule))
    slope_axes.set_ylabel("derivative")
    error_axes.set_ylabel("error / eps")
    finite = [error for pair in largest.values() for error in pair if np.isfinite(error)]
    error_axes.set_ylim(0, 1.1 * max([1.0, *finite]))
    error_axes.set_xlabel("x")
    value_axes.legend()
    return largest


def _three(axes: Any) -> list[Axes]:
    found = check_items("axes", axes, "of three matplotlib axes")
    if len(found) != 3:
        raise InputError(f"axes: expected three matplotlib axes, got {len(found)}")
    return [check_axes(f"axes[{i}]", ax) for i, ax in enumerate(found)]


def _error(got: np.ndarray, true: np.ndarray, eps: float) -> np.ndarray:
    """Equal infinities, and NaN where NaN belongs, are no error; an infinity or a NaN elsewhere is an infinite one."""
    same = (got == true) | (np.isnan(got) & np.isnan(true))
    with np.errstate(invalid="ignore"):
        error = np.abs(got - true) / (eps * np.maximum(1, np.abs(true)))
    return np.where(same, 0.0, np.where(np.isnan(error), np.inf, error))
