"""What the standard's decompositions return."""

from __future__ import annotations

from typing import NamedTuple

from multimlp.backend import Array


class Eigh(NamedTuple):
    eigenvalues: Array
    eigenvectors: Array


class QR(NamedTuple):
    Q: Array
    R: Array


class Slogdet(NamedTuple):
    sign: Array
    logabsdet: Array


class SVD(NamedTuple):
    U: Array
    S: Array
    Vh: Array
