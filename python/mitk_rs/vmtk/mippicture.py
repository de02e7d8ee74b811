"""The projection of ``vmtkimagemipviewer`` as a file, with the looks of its window and without one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitk_rs.errors import FileWriteError
from mitk_rs.io.atomic import check_writable
from mitk_rs.vmtk.flavours import as_image

__all__ = ["check_picture_name", "write_mip"]

_PICTURES = (".png", ".tif", ".tiff")
_VALUES = ".npy"
_SIZE = (1200, 900)
_BACKGROUND = (0.1, 0.1, 0.2)


def check_picture_name(name: str) -> None:
    """Refuse a file that could not be written.

    Raises
    ------
    FileWriteError
        Its ending names no format of pictures, or its folder is missing.
    """
    if Path(name).suffix.lower() not in (*_PICTURES, _VALUES):
        raise FileWriteError(f"cannot write {name}: its ending must be one of {' '.join(_PICTURES)} {_VALUES}")
    check_writable(name)


def write_mip(
    image: Any,
    name: str,
    *,
    window_level: Sequence[float],
    opacity: Sequence[float] | None,
    sample_distance: float | None,
    threads: int | None,
) -> None:
    """Write the view of VMTK's window, 1200 x 900, along -z with y up, in perspective.

    Parameters
    ----------
    image
        ``vtkImageData`` in VMTK's frame.
    name
        A picture; or ``.npy`` for the values themselves as float32, NaN where a ray misses the image.
    window_level
        The full range for a window of 0 or less.
    opacity
        At the lower and upper end of the window; opaque by default.
    sample_distance
        In mm; half the smallest spacing where ``None``.
    threads
        All processors where ``None``.
    """
    from mitk_rs.projection import render_mip
    from mitk_rs.projection.files import write_array, write_picture

    values = render_mip(
        as_image(image),
        direction=(0, 0, -1),
        up=(0, 1, 0),
        size=_SIZE,
        perspective=True,
        sample_distance=sample_distance,
        dtype=np.float32,
        threads=threads,
    )
    if Path(name).suffix.lower() == _VALUES:
        write_array(values, name)
    else:
        write_picture(_coloured(values, image.GetScalarRange(), window_level, opacity), name)


def _coloured(
    values: NDArray[np.float32],
    full_range: tuple[float, float],
    window_level: Sequence[float],
    opacity: Sequence[float] | None,
) -> NDArray[np.uint8]:
    window, level = window_level
    low, high = (level - window / 2, level + window / 2) if window > 0 else full_range
    missed = np.isnan(values)
    grey = np.clip((np.where(missed, low, values) - low) / ((high - low) or 1.0), 0.0, 1.0)
    at_low, at_high = opacity or (1.0, 1.0)
    covered = np.where(missed, 0.0, at_low + (at_high - at_low) * grey)[..., np.newaxis]
    colours = covered * grey[..., np.newaxis] + (1 - covered) * np.array(_BACKGROUND)
    return np.asarray(np.rint(colours * 255).astype(np.uint8))
