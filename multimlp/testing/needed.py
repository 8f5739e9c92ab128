"""Which functions of the standard a namespace must have, and for what."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from multimlp.backend import Backend


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


NEEDED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "networks, losses, optimisers and training": _names(
            """abs add all any arange argmax asarray astype broadcast_to concat exp expand_dims expm1 eye finfo float32 floor full_like
            int32 isdtype isfinite isinf isnan log log1p logical_and logical_not logical_or matmul matrix_transpose max
            maximum mean minimum moveaxis multiply ones_like permute_dims pi reshape sign sqrt squeeze stack sum take tanh tril triu where
            zeros zeros_like"""
        ),
        "random numbers": _names(
            """argsort bitwise_and bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor cumulative_sum
            float64 full int64 searchsorted"""
        ),
        "metrics": _names("argmax argsort clip cumulative_sum matrix_transpose ones searchsorted"),
        "the tape": _names(
            """clip cos cosh flip hypot min ones pow repeat result_type roll signbit sin sinh subtract
            unstack"""
        ),
    }
)
"""By what needs them; the tape's are needed where the library has no derivatives of its own, each by the rules that use it. Products,
sorting and distinct elements are differentiated by ``cumulative_prod``, ``take_along_axis`` of 2024.12 and ``unique_all`` besides.
Everything else of the standard is handed on to users by `multimlp.xp` where the library has it, and refused where not."""


def missing(backend: Backend) -> dict[str, list[str]]:
    """What the namespace of an adapter lacks, by what needs it; empty if it has all.

    Examples
    --------
    >>> import multimlp as mm
    >>> from multimlp.testing.needed import missing
    >>> missing(mm.get_backend("numpy"))
    {}
    """
    found = {}
    for purpose, names in NEEDED.items():
        if purpose == "the tape" and backend.capabilities.autodiff != "tape":
            continue
        lacking = [name for name in names if not hasattr(backend.xp, name)]
        if lacking:
            found[purpose] = lacking
    return found
