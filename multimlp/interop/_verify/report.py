"""What a comparison of two models found: a verdict, the numbers, and both as text, HTML and JSON."""

from __future__ import annotations

import html
import json
import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color-scheme: light dark }}
table {{ border-collapse: collapse; width: 100% }}
td, th {{ padding: .3rem .6rem; text-align: left; border-bottom: 1px solid #8884 }}
.differs {{ color: #c33; font-weight: 600 }}
</style>
<h1>{title}</h1>
<p>{sentence}</p>
<table><tr><th>what</th><th>ulp</th><th>relative</th><th>largest difference</th></tr>
{rows}
</table></html>
"""


@dataclass(frozen=True)
class Row:
    """One array of the two models, compared.

    Attributes
    ----------
    name : str
    ulp : float
        The largest difference in units in the last place; see `verify`.
    relative : float
        The largest ``|a - b|`` over the largest ``|a|``.
    absolute : float
        The largest ``|a - b|``.
    """

    name: str
    ulp: float
    relative: float
    absolute: float

    @classmethod
    def of(cls, name: str, a: np.ndarray, b: np.ndarray, eps: float) -> Row:
        """The row of two arrays; of other shapes, or with NaN or infinities at other places, infinitely far apart."""
        if a.shape != b.shape:
            return cls(name, math.inf, math.inf, math.inf)
        ulps, differences = _apart(a, b, eps)
        if not ulps.size:
            return cls(name, 0.0, 0.0, 0.0)
        largest = float(np.max(np.abs(a[np.isfinite(a)]), initial=0.0))
        absolute = float(differences.max())
        return cls(name, float(ulps.max()), absolute / largest if largest else absolute, absolute)

    @staticmethod
    def worst_row(a: np.ndarray, b: np.ndarray, eps: float) -> int:
        """The number of the row in which the arrays are the farthest apart."""
        return int(np.argmax(_apart(a, b, eps)[0].max(axis=-1)))


def _apart(a: np.ndarray, b: np.ndarray, eps: float) -> tuple[np.ndarray, np.ndarray]:
    """Differences in units in the last place, and as they are."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    finite = np.isfinite(a) & np.isfinite(b)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore", over="ignore"):
        differences = np.where(same, 0.0, np.where(finite, np.abs(a - b), np.inf))
        root = math.sqrt(float(np.mean(np.where(finite, a, 0.0) ** 2))) if a.size else 0.0
        scale = eps * np.maximum(np.maximum(np.abs(a), np.abs(b)), root)
        ulps = np.where(
            differences == 0, 0.0, np.where(finite, differences / np.where(scale > 0, scale, eps), np.inf)
        )
    return ulps, differences


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What `multimlp.interop.verify` found.

    Attributes
    ----------
    ok : bool
        Whether outputs and gradients are within ``tolerance``.
    outputs_ulp, gradients_ulp : float
        The largest difference in units in the last place; of gradients None where a library has none, and ``gradients_missing``
        says which.
    first_difference : str or None
        The first layer, from the inputs on, that is not within ``tolerance``, as each library calls it.
    a, b : str
        The libraries that ran the models.
    dtypes : tuple of str
    rows : int
    tolerance : float
        In units in the last place.
    outputs : Row
    layers : tuple of Row
        Where both could be looked at, from the inputs on.
    gradients : tuple of Row or None
    worst_input : tuple of float
        The row whose outputs are the farthest apart.
    """

    a: str
    b: str
    dtypes: tuple[str, str]
    rows: int
    tolerance: float
    outputs: Row
    layers: tuple[Row, ...]
    gradients: tuple[Row, ...] | None
    gradients_missing: str
    worst_input: tuple[float, ...]

    @property
    def ok(self) -> bool:
        return all(row.ulp <= self.tolerance for row in (self.outputs, *(self.gradients or ())))

    @property
    def outputs_ulp(self) -> float:
        return self.outputs.ulp

    @property
    def gradients_ulp(self) -> float | None:
        return None if self.gradients is None else max((row.ulp for row in self.gradients), default=0.0)

    @property
    def first_difference(self) -> str | None:
        rows = (*self.layers, self.outputs, *(self.gradients or ()))
        return next((row.name for row in rows if not row.ulp <= self.tolerance), None)

    def sentence(self) -> str:
        """The verdict in a sentence or two."""
        told = (
            f"no gradients were compared: {self.gradients_missing}"
            if self.gradients_ulp is None
            else f"gradients by {self.gradients_ulp:.3g}"
        )
        found = f"over {self.rows} rows outputs differ by {self.outputs_ulp:.3g} ulp, {told}; {self.tolerance:.3g} are allowed"
        if self.ok:
            return f"{self.a} and {self.b} compute the same: {found}."
        return f"{self.a} and {self.b} differ: {found}. First: {self.first_difference}."

    def __str__(self) -> str:
        rows = (*self.layers, self.outputs, *(self.gradients or ()))
        width = max(len(row.name) for row in rows)
        lines = [
            f"  {row.name:{width}}  {row.ulp:9.3g} ulp  {row.relative:9.2g}{'' if row.ulp <= self.tolerance else '  differs'}"
            for row in rows
        ]
        return "\n".join([self.sentence(), *lines])

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "ok": self.ok,
            "outputs_ulp": self.outputs_ulp,
            "gradients_ulp": self.gradients_ulp,
            "first_difference": self.first_difference,
            **asdict(self),
        }

    def to_json(self) -> str:
        """`to_dict` as JSON; what is infinitely far apart is null."""
        plain = json.loads(json.dumps(self.to_dict()), parse_constant=lambda _: None)
        return json.dumps(plain, indent=2)

    def to_html(self) -> str:
        """A page that stands alone."""
        rows = "\n".join(
            f"<tr{'' if row.ulp <= self.tolerance else ' class=differs'}><td>{html.escape(row.name)}</td>"
            f"<td>{row.ulp:.3g}</td><td>{row.relative:.2g}</td><td>{row.absolute:.2g}</td></tr>"
            for row in (*self.layers, self.outputs, *(self.gradients or ()))
        )
        title = f"{self.a} against {self.b}"
        return _PAGE.format(title=html.escape(title), sentence=html.escape(self.sentence()), rows=rows)
