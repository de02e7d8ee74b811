"""Reading and writing images and surfaces.

``read_image`` and ``write_image`` are the whole of it; ``IOUtil`` has the names of MITK. One module for each library
that knows file formats (``simpleitk``, ``vtk``, ``pillow``, ``npy``), loaded on first use.
"""

from __future__ import annotations

import logging
import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from mitk_rs.io import checks, metadata
from mitk_rs.io.formats import Format, check_fits, format_of, stored_dimension
from mitk_rs.io.record import ImageHeader, ImageRecord, PathName

if TYPE_CHECKING:
    from mitk_rs.image import Image

__all__ = ["read_image", "read_info", "read_record", "write_image", "write_record"]

_log = logging.getLogger(__name__)


def read_image(path: PathName, *, time_spacing: bool = False) -> Image:
    """Read an image.

    Parameters
    ----------
    path
        A file, or a folder with a DICOM series. Known endings are those of :data:`mitk_rs.io.formats.FORMATS`; any
        other file is given to ITK, some of whose readers know files by their content.
    time_spacing
        Take the duration of the time steps of a 4-D NIfTI from its header. MITK does not, its steps last 1 ms.

    Returns
    -------
    Image
        Voxels ``(t, z, y, x[, c])`` with spacing, origin (mm, LPS) and direction, time steps and properties.

    Raises
    ------
    FileMissingError
        There is no such file.
    FileError
        The file is damaged, not permitted, or in no format that can be read; the message names file and field.
    MemoryLimitError
        There is not enough memory for the voxels.

    Examples
    --------
    >>> import mitk_rs as mitk, numpy as np, pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "scan.nrrd"
    >>> mitk.io.write_image(mitk.Image(np.zeros((4, 5, 6), np.int16), spacing=(0.5, 0.5, 2.0)), path)
    >>> mitk.io.read_image(path).spacing
    (0.5, 0.5, 2.0)
    """
    from mitk_rs.io.convert import image_of

    image = image_of(read_record(path, time_spacing=time_spacing))
    image.set_property("path", os.fsdecode(path))
    return image


def write_image(image: Image, path: PathName, *, compress: bool = True, time_spacing: bool = False) -> None:
    """Write an image; the file is replaced as a whole or not at all.

    The image is held by a read accessor until it is written.

    Parameters
    ----------
    image
        What to write.
    path
        Where; the ending chooses the format.
    compress
        Pack the voxels where the format can.
    time_spacing
        Write the duration of the time steps into the header of a 4-D NIfTI (MITK writes 1).

    Raises
    ------
    FileWriteError
        The format cannot hold the image (the message names formats that can), the folder is missing or not
        writable, or the disk is full. An old file is left as it was.
    MemoryIsLockedError
        This thread holds a write accessor of the image.
    """
    from mitk_rs.io.convert import record_of

    with image.read():
        write_record(record_of(image), path, compress=compress, time_spacing=time_spacing)


def read_info(path: PathName, *, time_spacing: bool = False) -> ImageHeader:
    """Read the description of an image without its voxels; parameters and errors as for :func:`read_image`.

    Examples
    --------
    >>> import mitk_rs as mitk, numpy as np, pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "scan.mha"
    >>> mitk.io.write_image(mitk.Image(np.zeros((4, 5, 6), np.int16)), path)
    >>> mitk.io.read_info(path).shape
    (4, 5, 6)
    """
    name = checks.check_path(path)
    header: ImageHeader = _adapter(name).read_header(name, time_spacing=time_spacing)
    return header


def read_record(path: PathName, *, time_spacing: bool = False) -> ImageRecord:
    """Read an image as plain arrays and numbers; parameters and errors as for :func:`read_image`."""
    name = checks.check_path(path)
    record: ImageRecord = _adapter(name).read(name, time_spacing=time_spacing)
    return record


def write_record(record: ImageRecord, path: PathName, *, compress: bool = True, time_spacing: bool = False) -> None:
    """Write plain arrays and numbers; parameters and errors as for :func:`write_image`."""
    name = os.fsdecode(path)
    chosen = check_fits(record, name)
    _tell_losses(record, name, chosen)
    adapter = import_module(f"mitk_rs.io.{chosen.adapter}")
    stored = record.of_dimension(stored_dimension(record, chosen))
    adapter.write(stored, name, chosen, compress=compress, time_spacing=time_spacing)


def _adapter(path: str) -> Any:
    chosen = format_of(path)
    if chosen and not os.path.isdir(path):  # noqa: PTH112
        return import_module(f"mitk_rs.io.{chosen.adapter}")
    dicom = import_module("mitk_rs.io.dicom")
    return dicom if dicom.is_dicom(path) else import_module("mitk_rs.io.simpleitk")


def _tell_losses(record: ImageRecord, path: str, chosen: Format) -> None:
    lost = metadata.losses(record, chosen)
    if lost:
        _log.warning("%s: %s does not keep %s", path, chosen.name, ", ".join(lost))
