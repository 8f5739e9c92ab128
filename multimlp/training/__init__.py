"""Training: `fit` turns a model, data, a loss and an optimiser into trained parameters; `predict` uses them."""

from multimlp.training._evaluation import predict
from multimlp.training._fit import FitResult, fit
from multimlp.training._sources import place

__all__ = ["FitResult", "fit", "place", "predict"]
