"""An MLP as an ``nn.Module`` of its own."""

from __future__ import annotations

from torch import nn

from multimlp.backend import Array
from multimlp.interop._layers import with_dropout
from multimlp.mlp import MLP, Dense, ParametricDense, Params, layer_params, learned_by


class _DenseParameters(nn.Module):
    """The parameters of one layer, under the names of the model file."""

    def __init__(self, layer: Dense | ParametricDense) -> None:
        super().__init__()
        self.weight = nn.Parameter(layer.weight.detach().clone())
        self.bias = None if layer.bias is None else nn.Parameter(layer.bias.detach().clone())
        learned = {name: value.detach().clone() for name, value in learned_by(layer).items()}
        self.activation = nn.ParameterDict(learned)

    def layer(self) -> Dense | ParametricDense:
        return layer_params(self.weight, self.bias, dict(self.activation.items()))


class TorchMLP(nn.Module):
    """An MLP as an ``nn.Module``; see `as_torch_module`."""

    def __init__(self, mlp: MLP, params: Params) -> None:
        super().__init__()
        self.mlp = mlp
        self.layers = nn.ModuleList(_DenseParameters(layer) for layer in params)

    @property
    def params(self) -> Params:
        """The parameters as the tree that multimlp's functions take; the very tensors that torch trains."""
        return tuple(layer.layer() for layer in self.layers)  # type: ignore[operator]

    def forward(self, X: Array) -> Array:
        drop = nn.functional.dropout if self.training else None
        return with_dropout(self.mlp, self.params, X, drop)

    def extra_repr(self) -> str:
        return repr(self.mlp)
