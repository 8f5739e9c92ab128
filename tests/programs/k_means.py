"""Lloyd's algorithm: nearest centres by `argmin`, new centres from sums over a one-hot matrix; then the slope of the inertia.

Lloyd, Least squares quantization in PCM (1982).
"""

import numpy as np
import scipy.cluster.vq

import multimlp as mm

ROUNDS = 5


def distances(points, centres):
    xp = mm.array_namespace(points, centres)
    difference = xp.expand_dims(points, axis=1) - xp.expand_dims(centres, axis=0)
    return xp.sum(difference * difference, axis=-1)


def nearest(points, centres):
    """Labels, and as rows of zeros and a one."""
    xp = mm.array_namespace(points, centres)
    labels = xp.argmin(distances(points, centres), axis=1)
    places = xp.arange(centres.shape[0], dtype=labels.dtype)
    return labels, xp.astype(xp.expand_dims(labels, axis=1) == places, points.dtype)


def clustered(points, centres):
    def update(centres, _):
        xp = mm.array_namespace(points, centres)
        members = nearest(points, centres)[1]
        sums = xp.matmul(xp.matrix_transpose(members), points)
        return sums / xp.expand_dims(xp.sum(members, axis=0), axis=1), None

    return mm.scan(update, centres, None, length=ROUNDS)[0]


def inertia(points, centres):
    xp = mm.array_namespace(points, centres)
    found = clustered(points, centres)
    labels, members = nearest(points, found)
    return xp.sum(members * distances(points, found)), (found, labels)


def program(points, centres):
    (value, (found, labels)), slope = mm.value_and_grad(inertia, has_aux=True)(points, centres)
    return {"value": value, "centres": found, "labels": labels, "slope": slope}


def inputs():
    generator = np.random.default_rng(10)
    groups = [generator.normal(place, 0.5, (6, 2)) for place in ((0, 0), (3, 1), (-1, 3))]
    points = np.concatenate(groups)
    return points, points[[0, 7, 9]]


# ---- the truth: SciPy's; at its optimum the centres' own slope is zero, which leaves 2 (x - c)


def expected(points, centres):
    found, labels = scipy.cluster.vq.kmeans2(points, centres, iter=ROUNDS, minit="matrix")
    labels = scipy.cluster.vq.vq(points, found)[0]
    away = points - found[labels]
    return {"value": np.sum(away**2), "centres": found, "labels": labels, "slope": 2 * away}
