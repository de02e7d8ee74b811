"""Pictures of a dialogue's state for those without a window: projections of the image with seeds and result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitk_rs.io.atomic import atomic_output
from mitk_rs.viewer.dialogue import Dialogue
from mitk_rs.vmtk.flavours import as_image

__all__ = ["preview", "write_preview"]

_RED = (255, 40, 40)
_ORANGE = (255, 150, 60)
_GAP = 6
_SMALLEST = 256

Picture = NDArray[np.uint8]


def write_preview(image: Any, dialogue: Dialogue, path: Path) -> None:
    """Write a PNG: the maximum of the image along z, y and x side by side, seeds red, result orange.

    Raises
    ------
    FileWriteError
        It cannot be written.
    """
    from PIL import Image as PillowImage

    with atomic_output(path) as temporary:
        PillowImage.fromarray(preview(image, dialogue)).save(temporary, format="PNG")


def preview(image: Any, dialogue: Dialogue) -> Picture:
    """The picture as ``(y, x, 3)`` of uint8."""
    voxels = np.asarray(as_image(image).as_numpy(time_step=0), dtype=np.float32)
    result = dialogue.result if dialogue.result is not None else dialogue.merged
    inside = None if result is None else np.asarray(as_image(result).as_numpy(time_step=0)) < 0
    start = np.array(image.GetExtent()[::2])
    seeds = np.array(dialogue.seeds, dtype=int).reshape(-1, 3) - start
    panels = [_panel(voxels, inside, seeds, image.GetSpacing(), axis) for axis in (2, 1, 0)]
    return _beside(panels)


def _panel(
    voxels: NDArray[np.float32], inside: NDArray[np.bool_] | None, seeds: NDArray[Any], spacing: Any, axis: int
) -> Picture:
    along = 2 - axis
    colours = _grey(voxels.max(axis=along))
    if inside is not None:
        colours[_outline(np.asarray(inside.any(axis=along)))] = _ORANGE
    across, down = [other for other in range(3) if other != axis]
    picture, step = _resized(colours, spacing[across], spacing[down])
    for seed in seeds:
        _mark(picture, (seed[across] + 0.5) * step[0], (seed[down] + 0.5) * step[1])
    # Feet towards the bottom where the vertical axis is z, as in the viewers of the field.
    return picture[::-1] if down == 2 else picture


def _grey(values: NDArray[np.float32]) -> Picture:
    low, high = float(values.min()), float(values.max())
    scaled = np.clip((values - low) / ((high - low) or 1.0), 0, 1) * 255
    return np.repeat(scaled.astype(np.uint8)[..., None], 3, axis=2)


def _outline(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pixels of a mask that have a neighbour outside of it."""
    padded = np.pad(mask, 1)
    kept = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return np.asarray(mask & ~kept)


def _resized(colours: Picture, width: float, height: float) -> tuple[Picture, tuple[float, float]]:
    """Square pixels, and at least ``_SMALLEST`` of them on the longer side; with the factors of both axes."""
    longest = max(colours.shape[1] * width, colours.shape[0] * height)
    scale = max(_SMALLEST, max(colours.shape[:2])) / longest
    columns = max(1, round(colours.shape[1] * width * scale))
    rows = max(1, round(colours.shape[0] * height * scale))
    picked_rows = np.arange(rows) * colours.shape[0] // rows
    picked_columns = np.arange(columns) * colours.shape[1] // columns
    factors = (columns / colours.shape[1], rows / colours.shape[0])
    return colours[picked_rows][:, picked_columns].copy(), factors


def _mark(picture: Picture, x: float, y: float) -> None:
    rows, columns = np.ogrid[: picture.shape[0], : picture.shape[1]]
    radius = max(2.0, max(picture.shape[:2]) / 100)
    picture[(rows - y) ** 2 + (columns - x) ** 2 <= radius**2] = _RED


def _beside(panels: list[Picture]) -> Picture:
    height = max(panel.shape[0] for panel in panels)
    width = sum(panel.shape[1] for panel in panels) + _GAP * (len(panels) - 1)
    sheet = np.full((height, width, 3), 32, np.uint8)
    left = 0
    for panel in panels:
        sheet[: panel.shape[0], left : left + panel.shape[1]] = panel
        left += panel.shape[1] + _GAP
    return sheet
