"""Pictures in files, whole or absent."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitk_rs.errors import FileWriteError
from mitk_rs.io.atomic import atomic_output

__all__ = ["write_animation", "write_array", "write_picture"]

Array = NDArray[Any]


def write_picture(pixels: Array, path: str | os.PathLike[str], *, mm: float | None = None) -> None:
    """Write grey (uint8, uint16) or RGB (uint8) pixels to a PNG or TIFF.

    Parameters
    ----------
    pixels
        ``(y, x)`` or ``(y, x, 3)``.
    path
        Name of the file; its ending chooses the format.
    mm
        Size of a pixel, written as resolution.

    Raises
    ------
    FileWriteError
        An unknown ending, or a file that cannot be written; an old one is then as it was.
    """
    from PIL import Image

    kind = _format(path, {".png": "PNG", ".tif": "TIFF", ".tiff": "TIFF"})
    options: dict[str, Any] = {"dpi": (25.4 / mm, 25.4 / mm)} if mm and 1e-3 < mm < 1e3 else {}
    if kind == "TIFF":
        options["compression"] = "tiff_deflate"
    with atomic_output(path) as temporary:
        Image.fromarray(np.ascontiguousarray(pixels)).save(temporary, format=kind, **options)


def write_array(array: Array, path: str | os.PathLike[str]) -> None:
    """Write an array to a ``.npy`` file.

    Raises
    ------
    FileWriteError
        As for :func:`write_picture`.
    """
    with atomic_output(path) as temporary, temporary.open("wb") as file:
        np.save(file, array, allow_pickle=False)


def write_animation(frames: Sequence[Array], path: str | os.PathLike[str], *, seconds: float) -> None:
    """Write frames (uint8, grey or RGB) as an endless animated GIF or WebP that takes ``seconds`` for a turn.

    Raises
    ------
    FileWriteError
        As for :func:`write_picture`.
    """
    from PIL import Image

    kind = _format(path, {".gif": "GIF", ".webp": "WEBP"})
    first, *others = [Image.fromarray(np.ascontiguousarray(frame)) for frame in frames]
    options = {"lossless": False, "quality": 85} if kind == "WEBP" else {"optimize": True}
    # GIF counts hundredths of a second, and players slow down frames shorter than two of them.
    duration = max(20, round(1000 * seconds / len(frames)))
    with atomic_output(path) as temporary:
        first.save(temporary, format=kind, save_all=True, append_images=others, duration=duration, loop=0, **options)


def _format(path: str | os.PathLike[str], known: dict[str, str]) -> str:
    suffix = Path(path).suffix.lower()
    if suffix not in known:
        raise FileWriteError(f"cannot write {os.fspath(path)}: its ending must be one of {' '.join(known)}")
    return known[suffix]
