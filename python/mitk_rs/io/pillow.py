"""JPEG and BMP through Pillow, which reports damaged files where ITK's readers print and go on."""

from __future__ import annotations

from typing import Any

import numpy as np

from mitk_rs.geometry.frame import Frame
from mitk_rs.io import checks, metadata
from mitk_rs.io.atomic import atomic_output
from mitk_rs.io.formats import Format, unreadable
from mitk_rs.io.record import ImageHeader, ImageRecord

__all__ = ["read", "read_header", "write"]

# Pictures of one byte per sample; palettes are looked up, bits become 0 and 255.
_TARGET_MODES = {"1": "L", "L": "L", "P": "RGB", "RGB": "RGB", "RGBA": "RGBA"}


def read_header(path: str, **_: Any) -> ImageHeader:
    """Read size and number of components without the voxels."""
    with _open(path) as picture:
        return _header(picture, path)


def read(path: str, **_: Any) -> ImageRecord:
    """Read a picture of one, three or four components.

    Raises
    ------
    FileError
        The file is damaged or in colours that are not red, green, blue.
    """
    with _open(path) as picture:
        header = _header(picture, path)
        try:
            array = np.array(picture.convert(_TARGET_MODES[picture.mode]))
        except (OSError, ValueError, SyntaxError) as error:
            raise checks.as_file_error(path, error) from error
    return ImageRecord.of(header, array)


def _open(path: str) -> Any:
    from PIL import Image, UnidentifiedImageError

    try:
        return Image.open(path, formats=("JPEG", "BMP"))
    except UnidentifiedImageError as error:
        raise unreadable(path, "neither a JPEG nor a BMP picture, or its beginning is damaged") from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise checks.as_file_error(path, error) from error


def _header(picture: Any, path: str) -> ImageHeader:
    if picture.mode not in _TARGET_MODES:
        raise unreadable(path, f"colours of kind {picture.mode} are not possible, grey and RGB are")
    components = len(_TARGET_MODES[picture.mode]) if picture.mode != "1" else 1
    size = (picture.height, picture.width)
    return ImageHeader(
        shape=size + ((components,) if components > 1 else ()),
        dtype=np.dtype("u1"),
        time_geometry=metadata.time_geometry({}, Frame(), size),
        components=components,
        reader=f"Pillow {picture.format}",
    )


def write(record: ImageRecord, path: str, format_: Format, **_: Any) -> None:
    """Write a picture; JPEG changes the voxels a little."""
    from PIL import Image

    with atomic_output(path) as temporary:
        Image.fromarray(record.array).save(temporary, format=format_.name, **_options(format_))


def _options(format_: Format) -> dict[str, Any]:
    return {"quality": 95, "subsampling": 0} if format_.lossy else {}
