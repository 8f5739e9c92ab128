"""Composing linear models is useless."""

# %% [markdown]
# # Composing linear models is useless
#
# Two affine layers in a row,
#
# $$\mathbf{H} = \mathbf{X} \mathbf{W}_1 + \mathbf{b}_1, \qquad
#   \mathbf{O} = \mathbf{H} \mathbf{W}_2 + \mathbf{b}_2,$$
#
# are one affine layer:
#
# $$\mathbf{O} = \mathbf{X} \underbrace{\mathbf{W}_1 \mathbf{W}_2}_{\mathbf{W}}
#   + \underbrace{\mathbf{b}_1 \mathbf{W}_2 + \mathbf{b}_2}_{\mathbf{b}}$$
#
# (*Dive into Deep Learning*, equation 5.1.2). More layers and more units add parameters and no function that
# a linear model did not have. They can take some away: through a layer of $k$ units only matrices of rank at
# most $k$ pass.

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


# %% [markdown]
# ## What to look at
#
# * The difference is rounding.
# * A singular value of (numerically) zero is a direction in which the network is blind. A layer of 3 units
#   leaves 3 of the 10; widening the *other* layers brings none back.


# %%
@lesson
def run(backend: Backend) -> LessonResult:
    """Collapse a wide and a narrow network."""
    picture, ax = plotting.figure(size=(5.6, 3.4))
    differences, ranks = [], {}
    for hidden, marker in (([40, 40, 40], "o"), ([40, 3, 40], "s")):
        difference, values = collapsed(hidden)
        differences.append(difference)
        ranks[hidden[1]] = int(np.sum(values > 1e-6 * values[0]))
        sizes = "-".join(map(str, (20, *hidden, 10)))
        ax.plot(
            range(1, 11), np.maximum(values, 1e-18), marker=marker, label=f"{sizes}: rank {ranks[hidden[1]]}"
        )
    ax.set(xlabel="number of the singular value", ylabel="singular value of W", yscale="log")
    ax.legend()
    return LessonResult(
        {"difference": max(differences), "rank, wide": ranks[40], "rank, narrow": ranks[3]},
        {"singular-values": picture},
        f"Four affine layers and the one that they collapse to differ by {max(differences):.1e}. With 40 "
        f"units in each hidden layer W has rank {ranks[40]}; with 3 in the middle, rank {ranks[3]}.",
    )
