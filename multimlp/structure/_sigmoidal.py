"""The same function with the other sigmoidal unit: tanh(z) = 2 sigmoid(2 z) - 1."""

from __future__ import annotations

from multimlp.activations import configured
from multimlp.backend import array_namespace, owner
from multimlp.errors import InputError
from multimlp.mlp import MLP, Params, check_params


def to_sigmoid(mlp: MLP, params: Params) -> tuple[MLP, Params]:
    """A network of tanh units as the network of sigmoid units that computes the same function.

    From tanh(z) = 2 sigmoid(2 z) - 1: a layer whose units become sigmoids has its weight and bias doubled,
    and the layer after it, (W, b), becomes

        W' = 2 W,    b' = b - (column sums of W).

    Parameters
    ----------
    mlp : MLP
        Its hidden layers with ``"tanh"`` are rewritten; the others and the final activation stay.
    params : tuple of Dense
        Of any library; an ensemble stays one.

    Returns
    -------
    mlp : MLP
        Has biases even if the one given has none.
    params : tuple of Dense

    Raises
    ------
    InputError
        If no hidden layer has tanh units, or ``params`` does not fit.

    Notes
    -----
    Equal outputs up to rounding; doubling is exact, the sum in the bias is not. With dropout the two differ
    while training, because a sigmoid unit that is dropped gives 0 where a tanh unit that is dropped gives the
    middle of its range.

    References
    ----------
    Zhang et al., Dive into Deep Learning, section 5.1.5, exercise on tanh(x) + 1 = 2 sigmoid(2 x).

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> from multimlp.structure import to_sigmoid
    >>> mlp = mm.MLP(2, 5, 1, activation="tanh")
    >>> params = mlp.init(seed=0, dtype="float64")
    >>> other, other_params = to_sigmoid(mlp, params)
    >>> other.activations[0].name
    'sigmoid'
    >>> X = np.asarray([[0.5, -2.0]])
    >>> bool(np.allclose(other(other_params, X), mlp(params, X)))
    True
    """
    return _rewrite(mlp, params, "tanh", "sigmoid", inner=2.0, outer=2.0, shift=-1.0)


def to_tanh(mlp: MLP, params: Params) -> tuple[MLP, Params]:
    """A network of sigmoid units as the network of tanh units that computes the same function.

    The inverse of `to_sigmoid`: sigmoid(z) = tanh(z / 2) / 2 + 1 / 2, so a rewritten layer's weight and
    bias are halved, and the layer after it, (W, b), becomes W' = W / 2, b' = b + (column sums of W) / 2.

    Parameters
    ----------
    mlp : MLP
        Its hidden layers with ``"sigmoid"`` are rewritten; the others and the final activation stay.
    params : tuple of Dense

    Returns
    -------
    mlp : MLP
    params : tuple of Dense

    Raises
    ------
    InputError
        If no hidden layer has sigmoid units, or ``params`` does not fit.

    Examples
    --------
    >>> import multimlp as mm
    >>> from multimlp.structure import to_tanh
    >>> mlp = mm.MLP(2, 5, 1, activation="sigmoid")
    >>> to_tanh(mlp, mlp.init(seed=0))[0]
    MLP(2, [5], 1, activation='tanh')
    """
    return _rewrite(mlp, params, "sigmoid", "tanh", inner=0.5, outer=0.5, shift=0.5)


def _rewrite(
    mlp: MLP, params: Params, old: str, new: str, inner: float, outer: float, shift: float
) -> tuple[MLP, Params]:
    """Use old(z) = outer * new(inner * z) + shift in each hidden layer that has the old activation."""
    check_params(mlp, params)
    replaced = [rule.name == old for rule in mlp.activations]
    if not any(replaced):
        raise InputError(f"mlp: no hidden layer has the activation {old!r}; got {mlp!r}")
    xp = array_namespace(params[0].weight)
    layers = []
    with owner(params[0].weight).scope_of(params[0].weight):
        for i, layer in enumerate(params):
            weight, bias = layer.weight, layer.bias
            if bias is None:
                bias = xp.zeros_like(xp.sum(weight, axis=-2))
            if i > 0 and replaced[i - 1]:
                bias = bias + shift * xp.sum(weight, axis=-2)
                weight = outer * weight
            if i < len(replaced) and replaced[i]:
                weight, bias = inner * weight, inner * bias
            layers.append(layer._replace(weight=weight, bias=bias))
    rules = zip(mlp.activations, replaced, strict=True)
    rewritten = MLP(
        mlp.in_features,
        mlp.hidden,
        mlp.out_features,
        activation=[configured(new) if is_replaced else rule for rule, is_replaced in rules],
        final_activation=mlp.final_activation,
        use_bias=True,
        kernel_init=mlp.kernel_init,
        bias_init=mlp.bias_init,
        dropout=mlp.dropout_rates,
        layer_names=mlp.layer_names,
    )
    return rewritten, tuple(layers)
