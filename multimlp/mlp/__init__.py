"""The multilayer perceptron: `MLP` is the architecture, its parameters are a tuple of layers, a call is pure."""

from multimlp.mlp._mlp import MLP, Dense, ParametricDense, Params, dense, is_ensemble
from multimlp.mlp._summary import summary

__all__ = ["MLP", "Dense", "ParametricDense", "Params", "dense", "is_ensemble", "summary"]
