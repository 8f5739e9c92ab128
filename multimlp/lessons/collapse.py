"""Composing linear models is useless: the numbers and pictures. What is read is in collapse.md."""

# %%
from __future__ import annotations

import numpy as np

import multimlp as mm
from multimlp import plotting
from multimlp.backend import Backend
from multimlp.lessons import LessonResult, lesson
from multimlp.structure import collapse

RANDOM_BIAS = {"name": "normal", "options": {"stddev": 1.0}}


def collapsed(hidden: list[int]) -> tuple[float, np.ndarray]:
    """How far deep network and single affine map are apart on 1000 points, relative to the largest output,
    and the singular values of the map."""
    mlp = mm.MLP(20, hidden, 10, activation="identity", bias_init=RANDOM_BIAS)
    params = mlp.init(seed=0)
    affine = collapse(mlp, params)
    X = mm.random.host_generator(5).normal(size=(1000, 20))
    deep = mm.convert(mm.predict(mlp, params, X), "numpy")
    flat = mm.convert(mm.predict(mm.MLP(20, (), 10), (affine,), X), "numpy")
    values = np.linalg.svd(mm.convert(affine.weight, "numpy"), compute_uv=False)
    return float(np.max(np.abs(deep - flat)) / np.max(np.abs(deep))), values


# %%
@lesson
def run(backend: Backend) -> LessonResult:
    """Collapse a wide and a narrow network."""
    picture, ax = plotting.figure(size=(4.4, 3.3))
    differences, ranks = [], {}
    for hidden, marker in (([40, 40, 40], "o"), ([40, 3, 40], "s")):
        difference, values = collapsed(hidden)
        differences.append(difference)
        singular = values
        ranks[hidden[1]] = int(np.sum(values > 1e-6 * values[0]))
        sizes = "-".join(map(str, (20, *hidden, 10)))
        ax.plot(
            range(1, 11), np.maximum(values, 1e-18), marker=marker, label=f"{sizes}: rank {ranks[hidden[1]]}"
        )
    ax.set(xlabel="number of the singular value", ylabel="singular value of W", yscale="log")
    ax.legend()
    return LessonResult(
        {
            "difference": max(differences),
            "rank, wide": ranks[40],
            "rank, narrow": ranks[3],
            "largest singular value, narrow": float(singular[0]),
        },
        {"singular-values": picture},
        f"Four affine layers and the one that they collapse to differ by {max(differences):.1e}. With 40 "
        f"units in each hidden layer W has rank {ranks[40]}; with 3 in the middle, rank {ranks[3]}.",
    )
