"""The HTML report: signs, not only colours, mark failures and differences; nothing is fetched."""

from __future__ import annotations

import re

import numpy as np
import pytest

from multimlp.parity import Report
from multimlp.parity.html import page
from multimlp.parity.rows import Row


def row(function, family, *, error=0.5, backend="numpy"):
    return Row(
        function=function,
        family=family,
        aspect="value",
        backend=backend,
        device="cpu",
        dtype="float32",
        mode="eager",
        worst_error_in_k=error,
        limit_in_k=1.0,
        worst_ulp=1.0,
        at=0.25,
        passed=error <= 1.0,
    )


def report(*rows, special=()):
    return Report(list(rows), {"numpy": "2"}, {"dtypes": ["float32"], "seconds": 1}, special=list(special))


def cells(html, name):
    """The text of the cells of a function's or a point's row."""
    found = re.search(rf'<th scope="row">{re.escape(name)}</th>(.*?)</tr>', html)
    return re.findall(r"<td[^>]*>(.*?)</td>", found[1])


def test_a_failure_is_marked_without_colour_and_listed():
    html = page(report(row("relu", "activation"), row("mse", "loss", error=7.0)))
    assert cells(html, "relu") == ["0.5 / 1.0"]
    assert cells(html, "mse") == ["✗ 7.0 / 1.0"]
    assert "✗ 1 of 2 comparisons" in html
    assert "<li>mse, value, numpy cpu float32 eager: 7 eps at 0.25" in html
    assert "✓ All 1 comparisons" in page(report(row("relu", "activation")))


@pytest.mark.parametrize(
    ("theirs", "shown"),
    [
        (1.0, "1"),
        (np.float64(np.float32(1.00001)), "1.00001"),
        (0.5, "≠ 0.5"),
        (float("nan"), "≠ nan"),
        (None, "–"),
    ],
)
def test_another_answer_than_ours_is_marked(theirs, shown):
    here = {"point": "relu at 0", "multimlp": 1.0, "torch": theirs, "jax": 1.0}
    elsewhere = here | {"point": "relu at 1", "torch": 1.0}
    assert cells(page(report(special=[here, elsewhere])), "relu at 0") == ["1", shown, "1"]


def test_functions_of_a_family_stand_together():
    html = page(report(row("relu", "activation"), row("mse", "loss"), row("softmax", "activation")))
    names = re.findall(r'<th scope="row(?:group)?">(.*?)</th>', html)
    assert names == ["activation", "relu", "softmax", "loss", "mse"]


def test_nothing_is_fetched_and_markup_is_escaped():
    html = page(report(row("<script>alert(1)</script>", "activation", error=9)))
    assert "<script" not in html
    assert not re.search(r"(?:src|href)=\"(?!#)|url\(|@import", html)
