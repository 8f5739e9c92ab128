"""Training: `fit` turns a model, data, a loss and an optimiser into trained parameters; `predict` uses them.

`fit` is one policy over the training loop. Others build on the same parts: a `Problem` says what is to be minimised, a source such as
`InMemory` hands out the data in a certain `Ordering`, and a `Training` runs the one on the other, epoch by epoch.
"""

from multimlp.training._agreement import Agreement
from multimlp.training._checkpoint import check_settings
from multimlp.training._described import described
from multimlp.training._devices import GroupReport, group_for
from multimlp.training._evaluation import predict
from multimlp.training._examples import check_rows
from multimlp.training._fit import FitResult, fit
from multimlp.training._loop import Epoch, Training
from multimlp.training._members import members_that_fit
from multimlp.training._orders import Ordering
from multimlp.training._rows import all_finite, take_rows
from multimlp.training._settings import compared
from multimlp.training._setup import check_rows_apart
from multimlp.training._sources import InMemory, Source, place
from multimlp.training._sweep import sweep
from multimlp.training._sweep_result import Best, SweepResult
from multimlp.training._table import Table
from multimlp.training._watched import go_on_with, part_of, worth_cutting
from multimlp.training.engines import Problem

__all__ = [
    "Agreement",
    "Best",
    "Epoch",
    "FitResult",
    "GroupReport",
    "InMemory",
    "Ordering",
    "Problem",
    "Source",
    "SweepResult",
    "Table",
    "Training",
    "all_finite",
    "check_rows",
    "check_rows_apart",
    "check_settings",
    "compared",
    "described",
    "fit",
    "go_on_with",
    "group_for",
    "members_that_fit",
    "part_of",
    "place",
    "predict",
    "sweep",
    "take_rows",
    "worth_cutting",
]
