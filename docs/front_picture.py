"""The picture of the README and of the site's first page: one network, trained on four libraries.

    python docs/front_picture.py            draw docs/front.svg from docs/front.json
    python docs/front_picture.py --run      train anew, and write docs/front.json too

Training is that of `train`; tests train again and compare. The picture is made of the numbers in the file alone, so that the same file
gives the same bytes everywhere.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

import multimlp as mm

DOCS = Path(__file__).resolve().parent
RESULTS, PICTURE = DOCS / "front.json", DOCS / "front.svg"
COMMAND = "python docs/front_picture.py"
LIBRARIES = {"numpy": "NumPy", "torch": "PyTorch", "jax": "JAX", "tensorflow": "TensorFlow"}

Run = dict[str, list[float]]
"""``loss`` after each epoch, and ``apart``: how far the weight that is farthest from NumPy's is from it."""

WIDTH, HEIGHT, TOP, BOTTOM = 760, 320, 62, 258
LEFT, RIGHT = (56, 350), (452, 616)
"""Of the picture, and where the two panels begin and end; pixels."""
LOWEST, HIGHEST = -16.5, -7.0
"""Powers of ten of the right panel."""
COLOURS = {"numpy": "#9ecae1", "torch": "#f16913", "jax": "#238b45", "tensorflow": "#08306b"}
THICK = {"numpy": 13.0, "torch": 8.0, "jax": 4.5, "tensorflow": 1.5}
"""Each curve is thinner than those below it, so that all are seen where they are the same."""


def moons() -> tuple[np.ndarray, np.ndarray]:
    """Two half circles that reach into each other, with noise: 400 points and the circle of each."""
    rng = np.random.default_rng(0)
    angle, circle = rng.uniform(0, np.pi, 400), np.arange(400) % 2
    points = np.stack([np.cos(angle), np.sin(angle)], axis=1) * (1 - 2 * circle)[:, None]
    return points + circle[:, None] * np.asarray([1.0, 0.5]) + 0.15 * rng.standard_normal((400, 2)), circle


def train(backend: str) -> tuple[list[float], np.ndarray]:
    """The loss after each epoch, and all weights: (epochs, weights), in float64."""
    weights: list[np.ndarray] = []

    def note(run: mm.callbacks.Run) -> None:
        arrays = [mm.convert(array, "numpy") for layer in run.params for array in (layer.weight, layer.bias)]
        weights.append(np.concatenate([np.ravel(array) for array in arrays]))

    X, y = moons()
    result = mm.fit(
        mm.MLP(2, [16, 16], 2, activation="gelu"),
        X,
        y,
        optimizer=mm.optimizers.adam(0.01),
        epochs=30,
        batch_size=32,
        validation=None,
        callbacks=[note],
        progress=False,
        backend=backend,
        dtype="float64",
    )
    return result.history["loss"], np.stack(weights)


def measured() -> dict[str, Run]:
    """Every library's run, beside NumPy's."""
    losses, ours = train("numpy")
    found = {"numpy": Run(loss=losses, apart=[0.0] * len(losses))}
    for backend in list(LIBRARIES)[1:]:
        losses, theirs = train(backend)
        found[backend] = Run(loss=losses, apart=np.max(np.abs(theirs - ours), axis=1).tolist())
    return found


class Panel(NamedTuple):
    """From numbers to pixels."""

    left: float
    right: float
    low: float
    high: float
    epochs: int

    def x(self, epoch: float) -> float:
        return self.left + (self.right - self.left) * (epoch - 1) / (self.epochs - 1)

    def y(self, value: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * (value - self.low) / (self.high - self.low)

    def curve(self, values: Sequence[float], backend: str, thick: float) -> str:
        points = " ".join(f"{self.x(i):.1f},{self.y(value):.1f}" for i, value in enumerate(values, 1))
        return f'<polyline points="{points}" stroke="{COLOURS[backend]}" stroke-width="{thick}"/>'

    def frame(self, title: str, ticks: Sequence[tuple[float, str]]) -> list[str]:
        lines = [_text(self.left, 34, title, "title")]
        for value, label in ticks:
            y = self.y(value)
            lines.append(f'<path class="grid" d="M{self.left} {y:.1f}H{self.right}"/>')
            lines.append(_text(self.left - 8, y + 6, label, "end"))
        epochs = [_text(self.x(epoch), BOTTOM + 25, str(epoch), "middle") for epoch in (1, 10, 20, 30)]
        return [*lines, *epochs, _text((self.left + self.right) / 2, BOTTOM + 48, "epoch", "middle")]


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}">{text}</text>'


def _power(exponent: int) -> str:
    digits = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
    return "10" + str(exponent).translate(digits)


def picture(runs: dict[str, Run]) -> str:
    """The SVG: the losses, and how far the weights are apart."""
    epochs = len(runs["numpy"]["loss"])
    losses, apart = Panel(*LEFT, 0.0, 0.6, epochs), Panel(*RIGHT, LOWEST, HIGHEST, epochs)
    lines = losses.frame("The loss on four libraries", [(t / 10, f"{t / 10:.1f}") for t in range(0, 7, 2)])
    for i, (backend, run) in enumerate(runs.items()):
        lines.append(losses.curve(run["loss"], backend, THICK[backend]))
        y = 84 + 27 * i
        lines.append(
            f'<path d="M188 {y}h34" stroke="{COLOURS[backend]}" stroke-width="{THICK[backend]}" fill="none"/>'
        )
        lines.append(_text(232, y + 6, LIBRARIES[backend], "start"))
    ticks = [(power, _power(power)) for power in (-16, -14, -12, -10, -8)]
    lines += apart.frame("Weights: gap to NumPy’s", ticks)
    single = math.log10(np.finfo(np.float32).eps)
    lines.append(f'<path class="eps" d="M{RIGHT[0]} {apart.y(single):.1f}H{RIGHT[1]}"/>')
    lines.append(_text(RIGHT[1] + 6, apart.y(single) + 6, "eps of float32", "start"))
    others = {name: run for name, run in runs.items() if name != "numpy"}
    order = sorted(others, key=lambda name: -others[name]["apart"][-1])
    middle = apart.y(math.log10(others[order[1]]["apart"][-1]))
    for i, name in enumerate(order):
        values = [max(LOWEST, math.log10(value)) if value else LOWEST for value in others[name]["apart"]]
        lines.append(apart.curve(values, name, 2.0))
        y = middle + 22 * (i - 1)
        lines.append(f'<path d="M{RIGHT[1] + 6} {y:.1f}h14" stroke="{COLOURS[name]}" stroke-width="3"/>')
        lines.append(_text(RIGHT[1] + 25, y + 6, LIBRARIES[name], "start"))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img">',
            "<title>One network trained on four libraries: the losses are one curve, the weights differ by rounding</title>",
            "<style>text{font:19px system-ui,sans-serif;fill:#222}.title{font-weight:600;font-size:20px}.end{text-anchor:end}"
            ".middle{text-anchor:middle}.grid{stroke:#ddd}.eps{stroke:#888;stroke-dasharray:5 4}"
            "polyline{fill:none;stroke-linejoin:round;stroke-linecap:round}</style>",
            f'<rect width="{WIDTH}" height="{HEIGHT}" rx="8" fill="#fff"/>',
            *lines,
            "</svg>",
            "",
        ]
    )


def main(arguments: Sequence[str]) -> int:
    if "--run" in arguments:
        RESULTS.write_text(json.dumps(measured(), indent=1) + "\n", encoding="utf-8")
    PICTURE.write_text(picture(json.loads(RESULTS.read_text(encoding="utf-8"))), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
