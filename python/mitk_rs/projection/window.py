"""From values to grey and colour: window and level, robust ranges, colour maps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitk_rs._validation import numbers
from mitk_rs.errors import RequestError

__all__ = ["COLORMAPS", "apply_colormap", "robust_range", "to_grey", "window_range"]

Array = NDArray[Any]
Bytes = NDArray[np.uint8]

# Percentiles of the default window: a few hot voxels must not turn the picture dark.
ROBUST_PERCENTILES = (0.5, 99.8)


def robust_range(values: Array, *, percentiles: tuple[float, float] = ROBUST_PERCENTILES) -> tuple[float, float]:
    """Least and greatest value of a picture without its outliers.

    Parameters
    ----------
    values
        Array of any shape; NaN and infinite values are left out.
    percentiles
        Which part of the values lies below each end.

    Returns
    -------
    tuple of float
        ``(low, high)``; all of the range where the percentiles fall together, (0, 0) where nothing is finite.

    Raises
    ------
    RequestError
        Percentiles outside 0 to 100 or in the wrong order.
    """
    ends = numbers(percentiles, "percentiles")
    if ends.shape != (2,):
        raise RequestError(f"percentiles are {percentiles!r}: two numbers are needed")
    low, high = map(float, ends)
    if not 0 <= low < high <= 100:
        raise RequestError(f"percentiles are {low:g} and {high:g}: allowed are 0 <= low < high <= 100")
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return 0.0, 0.0
    ends = np.percentile(finite, [low, high])
    if ends[0] == ends[1]:
        ends = np.array([finite.min(), finite.max()], np.float64)
    return float(ends[0]), float(ends[1])


def window_range(window: float | None, level: float | None, values: Array | None = None) -> tuple[float, float]:
    """Values shown black and white.

    Black is ``level - window / 2``, white ``level + window / 2``. Where ``window`` is ``None`` or not positive, both
    are the robust range of ``values``, as VMTK takes the range of the image for a window of 0.

    Raises
    ------
    RequestError
        A window without a level or the other way round; NaN or infinite.
    """
    if (window is None) != (level is None):
        raise RequestError("window and level go together: give both or none")
    if window is None or level is None or window <= 0:
        return (0.0, 0.0) if values is None else robust_range(values)
    if not (np.isfinite(window) and np.isfinite(level)):
        raise RequestError(f"window and level must be finite, got {window:g} and {level:g}")
    return level - window / 2, level + window / 2


def to_grey(values: Array, low: float, high: float, dtype: Any = np.uint8) -> Array:
    """Scale ``low .. high`` to 0 .. 255 (uint8) or 0 .. 65535 (uint16), cut at the ends, rounded to nearest.

    A constant picture (``low == high``) is black below and at the value, white above; NaN is black.
    """
    white = np.iinfo(dtype).max
    values = np.nan_to_num(np.asarray(values, np.float64), nan=-np.inf, posinf=np.inf, neginf=-np.inf)
    if high <= low:
        return np.where(values > high, white, 0).astype(dtype)
    scaled = np.clip((values - low) / (high - low), 0.0, 1.0) * white
    return np.floor(scaled + 0.5).astype(dtype)


def _ramp(*stops: tuple[float, str]) -> Bytes:
    """256 colours between ``(position, hex colour)`` stops."""
    positions = [position * 255 for position, _ in stops]
    colours = np.array([[int(colour[i : i + 2], 16) for i in (0, 2, 4)] for _, colour in stops])
    channels = [np.interp(np.arange(256), positions, colours[:, c]) for c in range(3)]
    return np.floor(np.stack(channels, axis=-1) + 0.5).astype(np.uint8)


#: Colour maps by name: 256 RGB colours each, dark to bright.
COLORMAPS: dict[str, Bytes] = {
    "grey": _ramp((0, "000000"), (1, "ffffff")),
    "inverse": _ramp((0, "ffffff"), (1, "000000")),
    "hot": _ramp((0, "000000"), (0.38, "e60000"), (0.75, "ffd200"), (1, "ffffff")),
    "bone": _ramp((0, "000000"), (0.375, "525272"), (0.75, "a6c5c5"), (1, "ffffff")),
    "ice": _ramp((0, "000000"), (0.4, "0b3c8c"), (0.75, "38b6e8"), (1, "ffffff")),
    "depth": _ramp((0, "fff7c2"), (0.3, "f5a742"), (0.6, "b0306a"), (1, "1b0f40")),
}


def apply_colormap(grey: Bytes, name: str) -> Bytes:
    """Colour a uint8 picture ``(y, x)``; the result is ``(y, x, 3)``, or the picture itself for ``"grey"``.

    Raises
    ------
    RequestError
        No colour map has this name.
    """
    if name not in COLORMAPS:
        raise RequestError(f"colormap is {name!r}: allowed are {', '.join(COLORMAPS)}")
    return grey if name == "grey" else COLORMAPS[name][grey]
