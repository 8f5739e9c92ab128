"""The table of layers of a network."""

from __future__ import annotations

from multimlp.mlp._check import Layered

_COLUMNS = ("layer", "units", "activation", "weight", "bias", "learned with it", "parameters")
_NUMBERS = ("units", "parameters")


def summary(mlp: Layered) -> str:
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
    >>> from multimlp.mlp import summary
    >>> print(summary(mm.MLP(4, 5, 3)))
    layer     units  activation  weight  bias  parameters
    input         4
    hidden 1      5  relu        (4, 5)  (5,)          25
    output        3              (5, 3)  (3,)          18
    total                                              43
    """
    rows = [{"layer": "input", "units": str(mlp.layers[0].fan_in)}]
    for layer in mlp.layers:
        shapes, rule = layer.shapes, layer.activation
        rows.append({
            "layer": layer.label,
            "units": str(layer.fan_out),
            "activation": "" if rule is None else rule.name,
            "weight": str(shapes["weight"]),
            "bias": str(shapes.get("bias", "")),
            "learned with it": ", ".join(f"{name} {shape}" for name, shape in layer.learned.items()),
            "parameters": f"{layer.num_parameters:,}",
        })  # fmt: skip
    rows.append({"layer": "total", "parameters": f"{sum(layer.num_parameters for layer in mlp.layers):,}"})
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
