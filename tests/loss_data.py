"""Outputs and targets that go together, for tests that call every loss."""

from __future__ import annotations

import numpy as np

from multimlp.losses import Loss


def outputs_and_targets(loss: Loss, rows: int, columns: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Of so many classes, ranks, decisions or numbers a row; float64, labels int32."""
    random = np.random.default_rng(seed)
    width = columns if loss.decides is not None else loss.outputs_for(columns)
    outputs = random.normal(size=(rows, width))
    if loss.decides in ("class", "rank"):
        return outputs, random.integers(0, columns, rows).astype(np.int32)
    return outputs, random.integers(0, 2, (rows, columns)).astype(np.float64)
