"""A network without nonlinearities as the one affine map that it is."""

from __future__ import annotations

from multimlp.backend import array_namespace, owner
from multimlp.errors import InputError
from multimlp.mlp import MLP, Dense, Params, check_params


def collapse(mlp: MLP, params: Params) -> Dense:
    """The single affine map that a network with identity activations computes.

    With layers H W_l + b_l and nothing between them,

        W = W_1 W_2 ... W_L,    b = b_1 W_2 ... W_L + b_2 W_3 ... W_L + ... + b_L,

    so the network can express no more than a linear model, and less if a hidden layer is narrower than both
    inputs and outputs: then W has at most that rank.

    Parameters
    ----------
    mlp : MLP
        All its activations must be ``"identity"``.
    params : tuple of Dense
        Of any library; an ensemble gives an ensemble of maps.

    Returns
    -------
    Dense
        ``weight`` of shape (in_features, out_features), ``bias`` of shape (out_features,) or None if the
        network has none. Dropout, which is for training, is left out.

    Raises
    ------
    InputError
        If an activation is not the identity, or ``params`` does not fit.

    References
    ----------
    Zhang et al., Dive into Deep Learning, section 5.1.1.2, equation (5.1.2).

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> from multimlp.structure import collapse
    >>> mlp = mm.MLP(4, [3, 2], 5, activation="identity")
    >>> params = mlp.init(seed=0, dtype="float64")
    >>> affine = collapse(mlp, params)
    >>> X = np.ones((1, 4))
    >>> bool(np.allclose(X @ affine.weight + affine.bias, mlp(params, X)))
    True
    >>> int(np.linalg.matrix_rank(affine.weight))
    2
    """
    check_params(mlp, params)
    for row in mlp.layers:
        if row.activation is not None and row.activation.name != "identity":
            raise InputError(
                f"mlp: layer {row.label!r} has the activation {row.activation.name!r}; only a network of 'identity' "
                "activations is one affine map"
            )
    weight, bias = params[0].weight, params[0].bias
    xp = array_namespace(weight)
    with owner(weight).scope_of(weight):
        for layer in params[1:]:
            if bias is not None:
                row = xp.matmul(xp.expand_dims(bias, axis=-2), layer.weight)
                bias = xp.squeeze(row, axis=-2) + layer.bias
            weight = xp.matmul(weight, layer.weight)
    return Dense(weight, bias)
