"""Slices of an image as 8-bit pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitk_rs.io.atomic import atomic_output, atomic_outputs

__all__ = ["grey_values", "write_pictures"]


def grey_values(voxels: NDArray[Any], window: float, level: float) -> NDArray[np.uint8]:
    """Values as 0 to 255; window 0 takes the full range, and 8-bit values stay as they are."""
    if voxels.dtype == np.uint8:
        return voxels
    values = voxels.astype(np.float64)
    low, width = (level - window / 2, window) if window else (values.min(), np.ptp(values) or 1.0)
    return np.asarray(np.clip((values - low) / width * 255.0, 0.0, 255.0).astype(np.uint8))


def write_pictures(voxels: NDArray[Any], name: Path, suffix: str, window: float, level: float) -> list[Path]:
    """Write one file of a 2-D image or a single slice, else ``name0000.png``, ``name0001.png``, ...: all or none.

    Raises
    ------
    FileWriteError
        A file cannot be written.
    """
    from PIL import Image as PillowImage

    grey = grey_values(voxels, window, level)
    slices = grey[np.newaxis] if grey.ndim == 2 else grey
    stem = name.with_suffix("")
    names = [name] if len(slices) == 1 else [Path(f"{stem}{number:04d}{suffix}") for number in range(len(slices))]
    kind = "PNG" if suffix == ".png" else "TIFF"
    with atomic_outputs():
        for path, values in zip(names, slices, strict=True):
            with atomic_output(path) as temporary:
                PillowImage.fromarray(values).save(temporary, format=kind)
    return names
