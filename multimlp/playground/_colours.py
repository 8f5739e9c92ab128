"""Colours of classes and values. Classes differ in the shape of their marks too, so that nothing hangs on colour alone."""

from __future__ import annotations

import numpy as np

CLASSES = (
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#b8a800", "#7f4fc9", "#444444", "#a0522d",
)  # fmt: skip
"""Okabe and Ito's, which people with colour-blindness tell apart, in an order for the first two; then three more."""
MARKS = ("circle", "square", "triangle", "diamond", "inverted_triangle", "plus", "star", "hex", "cross", "x")
SIGNS = "●■▲◆▼✚★⬢✖✕"
"""The marks as text, for what says which class is which."""
LOW, MIDDLE, HIGH = "#0072b2", "#f7f7f7", "#e69f00"
"""Of values: the smallest, the one between, the largest."""


def rgb(colours: str | tuple[str, ...]) -> np.ndarray:
    """``"#rrggbb"``, or several of these, as numbers from 0 to 255; shape (3,) or (n, 3).

    Examples
    --------
    >>> from multimlp.playground._colours import rgb
    >>> rgb("#ff8000").tolist()
    [255.0, 128.0, 0.0]
    """
    if isinstance(colours, str):
        return np.asarray([int(colours[i : i + 2], 16) for i in (1, 3, 5)], dtype=np.float64)
    return np.stack([rgb(colour) for colour in colours])


def of_classes(probabilities: np.ndarray) -> np.ndarray:
    """The colour of the likeliest class, the paler the less likely it is; pixels for `packed`.

    Parameters
    ----------
    probabilities : numpy.ndarray, shape (..., k)

    Returns
    -------
    numpy.ndarray, shape (..., 3)
    """
    count = probabilities.shape[-1]
    best = np.argmax(probabilities, axis=-1)
    top = np.nan_to_num(np.max(probabilities, axis=-1))
    certainty = (
        np.clip((top - 1 / count) / (1 - 1 / count), 0, 1)[..., None]
        if count > 1
        else np.ones((*best.shape, 1))
    )
    colours = rgb(CLASSES)[best % len(CLASSES)]
    share = 0.15 + 0.5 * certainty
    return np.asarray(255 + share * (colours - 255))


def of_values(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Colours from `LOW` over `MIDDLE` to `HIGH`; shape (..., 3)."""
    span = high - low if high > low else 1.0
    share = np.clip(np.nan_to_num((values - low) / span), 0, 1)[..., None]
    down, up = np.minimum(2 * share, 1), np.maximum(2 * share - 1, 0)
    return np.asarray(rgb(LOW) + down * (rgb(MIDDLE) - rgb(LOW)) + up * (rgb(HIGH) - rgb(MIDDLE)))


def of_differences(values: np.ndarray) -> np.ndarray:
    """Dark where the values are largest, white where they are 0; shape (..., 3)."""
    largest = float(np.max(values, initial=0.0))
    share = (values / largest if largest > 0 else np.zeros_like(values))[..., None]
    return np.asarray(255 + share * (rgb("#14213d") - 255))


def packed(colours: np.ndarray) -> np.ndarray:
    """Colours of shape (rows, columns, 3) as opaque pixels of 32 bits, the red one lowest; shape (rows, columns).

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp.playground._colours import packed
    >>> hex(int(packed(np.asarray([[[1.0, 2.0, 3.0]]]))[0, 0]))
    '0xff030201'
    """
    r, g, b = (np.rint(colours[..., i]).astype(np.uint32) for i in range(3))
    return np.asarray(r | g << 8 | b << 16 | np.uint32(0xFF000000))


def hexadecimal(colours: np.ndarray) -> list[str]:
    """Colours of shape (n, 3) as ``"#rrggbb"``."""
    return ["#" + "".join(f"{int(part):02x}" for part in np.rint(colour)) for colour in colours]
