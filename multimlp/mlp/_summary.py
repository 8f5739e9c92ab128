"""The table of layers of a network."""

from __future__ import annotations

from typing import Any

_COLUMNS = ("layer", "units", "activation", "weight", "bias", "learned with it", "parameters")
_NUMBERS = ("units", "parameters")


def summary(mlp: Any) -> str:
    """A table of the layers: units, activation, shapes, number of parameters.

    Parameters
    ----------
    mlp : MLP

    Returns
    -------
    str

    Examples
    --------
    >>> import multimlp as mm
    >>> from multimlp.structure import summary
    >>> print(summary(mm.MLP(4, 5, 3)))
    layer     units  activation  weight  bias  parameters
    input         4
    hidden 1      5  relu        (4, 5)  (5,)          25
    output        3              (5, 3)  (3,)          18
    total                                              43
    """
    rows: list[dict[str, str]] = [{"layer": "input", "units": str(mlp.in_features)}]
    last = len(mlp.hidden)
    for i, ((fan_in, fan_out), rule) in enumerate(zip(mlp.layer_shapes, mlp.layer_activations, strict=True)):
        learned = {p.name: p.shape(fan_out) for p in rule.parameters} if rule is not None else {}
        count = fan_in * fan_out + (fan_out if mlp.use_bias else 0)
        count += sum(p.size(fan_out) for p in rule.parameters) if rule is not None else 0
        rows.append({
            "layer": "output" if i == last else f"hidden {i + 1}",
            "units": str(fan_out),
            "activation": "" if rule is None else rule.name,
            "weight": str((fan_in, fan_out)),
            "bias": str((fan_out,)) if mlp.use_bias else "",
            "learned with it": ", ".join(f"{name} {shape}" for name, shape in learned.items()),
            "parameters": f"{count:,}",
        })  # fmt: skip
    rows.append({"layer": "total", "parameters": f"{mlp.num_parameters:,}"})
    return _table(rows)


def _table(rows: list[dict[str, str]]) -> str:
    used = [c for c in _COLUMNS if any(row.get(c) for row in rows)]
    widths = {c: max(len(c), *(len(row.get(c, "")) for row in rows)) for c in used}
    lines = []
    for row in ({c: c for c in used}, *rows):
        cells = (
            row.get(c, "").rjust(widths[c]) if c in _NUMBERS else row.get(c, "").ljust(widths[c])
            for c in used
        )
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
