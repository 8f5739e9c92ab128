"""What a comparison of two models found: a verdict, the numbers, and both as text, HTML and JSON."""

from __future__ import annotations

import html
import json
import math
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

_SHOWN = 6
"""Numbers of a row in text and pages; JSON has them all."""
_OUTLYING = 10.0
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
</table>
<h2>The inputs whose outputs are the farthest apart</h2>
<table><tr><th>row</th><th>ulp</th><th>inputs</th><th>{a}</th><th>{b}</th></tr>
{worst}
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

    @staticmethod
    def ulps(a: np.ndarray, b: np.ndarray, eps: float) -> np.ndarray:
        """How far apart each number of the arrays is, in units in the last place."""
        return _apart(a, b, eps, False)[0]

    @classmethod
    def of(cls, name: str, a: np.ndarray, b: np.ndarray, eps: float, examples: bool = False) -> Row:
        """The row of two arrays, one line an example if ``examples``; of other shapes, or with NaN or infinities at other places,
        infinitely far apart."""
        if a.shape != b.shape:
            return cls(name, math.inf, math.inf, math.inf)
        ulps, differences = _apart(a, b, eps, examples)
        if not ulps.size:
            return cls(name, 0.0, 0.0, 0.0)
        largest = float(np.max(np.abs(a[np.isfinite(a)]), initial=0.0))
        absolute = float(differences.max())
        return cls(name, float(ulps.max()), absolute / largest if largest else absolute, absolute)


class WorstInput(NamedTuple):
    """A row of the inputs whose outputs are far apart.

    Attributes
    ----------
    row : int
        Its place among the inputs, from 0.
    ulp : float
        The largest difference of its outputs.
    inputs, a, b : tuple of float
        The row, and what each model makes of it.
    """

    row: int
    ulp: float
    inputs: tuple[float, ...]
    a: tuple[float, ...]
    b: tuple[float, ...]


def ulps_of_rows(a: np.ndarray, b: np.ndarray, eps: float) -> np.ndarray:
    """How far apart the arrays are in each row."""
    return np.asarray(_apart(a, b, eps, True)[0].max(axis=-1))


def _apart(a: np.ndarray, b: np.ndarray, eps: float, examples: bool) -> tuple[np.ndarray, np.ndarray]:
    """Differences in units in the last place, and as they are."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    finite = np.isfinite(a) & np.isfinite(b)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore", over="ignore"):
        differences = np.where(same, 0.0, np.where(finite, np.abs(a - b), np.inf))
        size = _usual_size(np.where(finite, a, 0.0), examples)
        scale = eps * np.maximum(np.maximum(np.abs(a), np.abs(b)), size)
        ulps = np.where(
            differences == 0, 0.0, np.where(finite, differences / np.where(scale > 0, scale, eps), np.inf)
        )
    return ulps, differences


def _usual_size(values: np.ndarray, examples: bool) -> Any:
    """The root mean square; of examples at most ten times that of the middle one, so that a few huge ones hide nothing in the others."""
    if not values.size:
        return 0.0
    root = math.sqrt(float(np.mean(values**2)))
    if not examples:
        return root
    own = np.sqrt(np.mean(values**2, axis=-1, keepdims=True))
    middle = float(np.median(own))
    return np.maximum(own, min(root, _OUTLYING * middle)) if middle > 0 else root


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
    by_differences : tuple of str
        The libraries that have no gradients, and whose slopes were had from differences of their outputs in float64.
    left_out : tuple of str
        What both have and was not compared, and why.
    worst_inputs : tuple of WorstInput
        The rows whose outputs are the farthest apart, up to five, the worst first.
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
    by_differences: tuple[str, ...]
    left_out: tuple[str, ...]
    worst_inputs: tuple[WorstInput, ...]

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
    def worst_input(self) -> tuple[float, ...]:
        """The row whose outputs are the farthest apart."""
        return self.worst_inputs[0].inputs

    @property
    def first_difference(self) -> str | None:
        if self.ok:
            return None
        rows = (*self.layers, self.outputs, *(self.gradients or ()))
        return next((row.name for row in rows if not row.ulp <= self.tolerance), None)

    def sentence(self) -> str:
        """The verdict in a sentence or two."""
        told = (
            f"no gradients were compared: {self.gradients_missing}"
            if self.gradients_ulp is None
            else f"gradients by {self.gradients_ulp:.3g}"
        )
        if self.by_differences:
            told += (
                f" (in the inputs alone; of {' and '.join(self.by_differences)} from differences of outputs)"
            )
        found = f"over {self.rows} rows {self.outputs.name} differ by {self.outputs_ulp:.3g} ulp, {told}; {self.tolerance:.3g} are allowed"
        if self.left_out:
            found += f"; not compared: {'; '.join(self.left_out)}"
        if self.ok:
            return f"{self.a} and {self.b} compute the same: {found}."
        return f"{self.a} and {self.b} differ: {found}. First: {self.first_difference}."

    def __str__(self) -> str:
        rows = (*self.layers, self.outputs, *(self.gradients or ()))
        width = max(len(row.name) for row in rows)
        lines = [f"  {'':{width}}  {'ulp':>9}  {'relative':>9}"]
        lines += [
            f"  {row.name:{width}}  {row.ulp:9.3g}  {row.relative:9.2g}{'' if row.ulp <= self.tolerance else '  differs'}"
            for row in rows
        ]
        lines += [
            f"  farthest apart: row {worst.row}, by {worst.ulp:.3g} ulp: {_row(worst.inputs)} gives {_row(worst.a)} and {_row(worst.b)}"
            for worst in ([] if self.ok else self.worst_inputs)
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
            "worst_input": self.worst_input,
            "worst_inputs": [worst._asdict() for worst in self.worst_inputs],
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
        worst = "\n".join(
            f"<tr><td>{worst.row}</td><td>{worst.ulp:.3g}</td>"
            + "".join(f"<td>{_row(values)}</td>" for values in (worst.inputs, worst.a, worst.b))
            + "</tr>"
            for worst in self.worst_inputs
        )
        title, a, b = (html.escape(text) for text in (f"{self.a} against {self.b}", self.a, self.b))
        sentence = html.escape(self.sentence())
        return _PAGE.format(title=title, a=a, b=b, sentence=sentence, rows=rows, worst=worst)


def _row(values: tuple[float, ...]) -> str:
    """Numbers in seven digits, the first few of a long row."""
    shown = " ".join(f"{value:.7g}" for value in values[:_SHOWN])
    return f"({shown}{' ...' if len(values) > _SHOWN else ''})"
