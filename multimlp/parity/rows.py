"""What a comparison found: plain rows, and the report that holds them, to and from JSON."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from multimlp.errors import FileFormatError

VERSION = 1


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes
    ----------
    function : str
        With its options: ``"gelu(approximate=tanh)"``.
    family : str
        ``"activation"``, ``"loss"``, ``"optimizer"``, ...
    aspect : str
        What was compared: ``"value"``, ``"portable"``, ``"derivative"`` (closed form), ``"autodiff"``, ...
    backend, device, dtype : str
    mode : str
        ``"eager"``, the name of a compiler (``"traced"`` for torch's ``"eager"``), or ``"definition"`` for the definition itself
        against the textbook's formula.
    worst_error_in_k : float
        Largest |error| / (eps max(1, |reference|)).
    limit_in_k : float
        What is tolerated.
    worst_ulp : float
        The largest error in units in the last place of the reference, where that is a normal number.
    at : float
        The input (or flat index of the element) with the largest error.
    passed : bool
    note : str
        Why it failed, or what is reported though nothing is demanded of it.
    worst_relative : float
        Largest |error| / (eps size), where size is |reference| but near a sum's cancellation: of a function of one number
        max(|f|, |x f'|), of its derivative max(|f'|, |x f''|).
    relative_limit : float
        What is tolerated of it; infinite where nothing is.
    """

    function: str
    family: str
    aspect: str
    backend: str
    device: str
    dtype: str
    mode: str
    worst_error_in_k: float
    limit_in_k: float
    worst_ulp: float
    at: float
    passed: bool
    note: str = ""
    worst_relative: float = 0.0
    relative_limit: float = float("inf")

    def __repr__(self) -> str:
        where = f"{self.backend} {self.device} {self.dtype} {self.mode}"
        verdict = "" if self.passed else ", FAILED"
        return f"Row({self.function}, {self.aspect}, {where}: {self.worst_error_in_k:.3g} of {self.limit_in_k:g} eps{verdict})"


@dataclass(eq=False)
class Report:
    """All rows of a run, and what a reader or another run needs beside them.

    Attributes
    ----------
    rows : list of Row
    versions : dict
        Of the libraries, by backend.
    settings : dict
        What was run: dtypes, quick, seconds; compilers: by backend those that it has, used or not.
    grids : dict of str to array
        Inputs for pictures and for comparison with another report, by ``function|dtype``.
    results : dict of str to array
        Eager results there, by ``function|aspect|dtype|backend``; the oracle's under the backend
        ``"mpmath"``.
    special : list of dict
        What each library does by itself at points where they differ.
    """

    rows: list[Row] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    grids: dict[str, np.ndarray] = field(default_factory=dict)
    results: dict[str, np.ndarray] = field(default_factory=dict)
    special: list[dict[str, Any]] = field(default_factory=list)

    def __repr__(self) -> str:
        failed = len(self.failures)
        verdict = f"{failed} out of tolerance" if failed else "all within tolerance"
        return f"<Report of {len(self.rows)} rows, {', '.join(self.backends) or 'no backend'}: {verdict}>"

    @property
    def passed(self) -> bool:
        """Whether no row is out of its tolerance."""
        return all(row.passed for row in self.rows)

    @property
    def failures(self) -> list[Row]:
        return [row for row in self.rows if not row.passed]

    @property
    def backends(self) -> list[str]:
        """In the order of their first row."""
        return list(dict.fromkeys(row.backend for row in self.rows if row.mode != "definition"))

    def beside(self, other: Report) -> Report:
        """This report and what ``other`` says of backends that this one lacks, because they run elsewhere.

        Examples
        --------
        >>> from multimlp.parity import Report
        >>> Report(versions={"numpy": "2.0"}).beside(Report(versions={"numpy": "1.26", "mxnet": "2.0"})).versions
        {'numpy': '2.0', 'mxnet': '2.0'}
        """
        new = set(other.versions) - set(self.versions)
        rows = [row for row in other.rows if row.backend in new and row.mode != "definition"]
        results = {key: value for key, value in other.results.items() if key.rpartition("|")[2] in new}
        return replace(
            self,
            rows=[*self.rows, *rows],
            settings=self.settings
            | {
                "compilers": {
                    **{n: c for n, c in other.settings.get("compilers", {}).items() if n in new},
                    **self.settings.get("compilers", {}),
                }
            },
            versions=self.versions | {name: other.versions[name] for name in other.versions if name in new},
            results=self.results | results,
        )

    def to_json(self) -> str:
        """Strict JSON: infinities and NaN of the rows are written as text."""
        plain = {
            "multimlp_parity": VERSION,
            "passed": self.passed,
            "versions": self.versions,
            "settings": self.settings,
            "rows": [{k: _plain(v) for k, v in asdict(row).items()} for row in self.rows],
            "special": [{k: _plain(v) for k, v in entry.items()} for entry in self.special],
            "grids": _packed(self.grids),
            "results": _packed(self.results),
        }
        return json.dumps(plain, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Report:
        """The inverse of `to_json`; `FileFormatError` for anything else.

        Examples
        --------
        >>> from multimlp.parity import Report
        >>> Report.from_json(Report(versions={"numpy": "2.0"}).to_json()).versions
        {'numpy': '2.0'}
        """
        try:
            plain = json.loads(text)
            if plain["multimlp_parity"] != VERSION:
                raise FileFormatError(
                    f"a parity report of version {plain['multimlp_parity']!r}, expected {VERSION}"
                )
            _check_kinds(plain)
            rows = [Row(**{k: _number(k, v) for k, v in row.items()}) for row in plain["rows"]]
            grids, results = _unpacked(plain["grids"]), _unpacked(plain["results"])
            limits = {f"{row.function}|{row.aspect}|{row.dtype}|{row.backend}" for row in rows}
            for key, values in results.items():
                function, _, dtype, backend = key.split("|")
                if values.shape != grids[f"{function}|{dtype}"].shape:
                    raise ValueError(f"{key!r} has not as many results as its grid has points")
                if backend != "mpmath" and key not in limits:
                    raise ValueError(f"there is no row for the results of {key!r}")
            return cls(rows, plain["versions"], plain["settings"], grids, results, plain["special"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            if isinstance(error, FileFormatError):
                raise
            raise FileFormatError(
                f"not a parity report (JSON as `multimlp parity --json` writes it): {error}"
            ) from None


_NUMBERS = ("worst_error_in_k", "limit_in_k", "worst_ulp", "at", "worst_relative", "relative_limit")


def _check_kinds(plain: Mapping[str, Any]) -> None:
    """`ValueError` where a part is not of its kind, which would come out only after all has been compared."""
    kinds = {
        "rows": list,
        "versions": dict,
        "settings": dict,
        "grids": dict,
        "results": dict,
        "special": list,
    }
    for key, kind in kinds.items():
        if not isinstance(plain[key], kind):
            raise ValueError(f"{key} is {type(plain[key]).__name__}, expected {kind.__name__}")
    for row in plain["rows"]:
        for name, value in row.items():
            if name == "passed" and not isinstance(value, bool):
                raise ValueError(f"a row has passed={value!r}")
            if name not in ("passed", *_NUMBERS) and not isinstance(value, str):
                raise ValueError(f"a row has {name}={value!r}, expected text")
    if not all(isinstance(version, str) for version in plain["versions"].values()):
        raise ValueError("versions are not all text")
    compilers = plain["settings"].get("compilers", {})
    if not isinstance(compilers, dict) or not all(
        isinstance(names, list) and all(isinstance(name, str) for name in names)
        for names in compilers.values()
    ):
        raise ValueError("settings: compilers are no lists of names")


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, float) and not np.isfinite(value) else value


def _number(name: str, value: Any) -> Any:
    return float(value) if name in _NUMBERS else value


def _packed(arrays: Mapping[str, np.ndarray]) -> dict[str, str]:
    return {key: base64.b64encode(np.asarray(a, dtype="<f8").tobytes()).decode() for key, a in arrays.items()}


def _unpacked(texts: Mapping[str, str]) -> dict[str, np.ndarray]:
    return {key: np.frombuffer(base64.b64decode(text), dtype="<f8") for key, text in texts.items()}
