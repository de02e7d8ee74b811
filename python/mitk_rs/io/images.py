"""Files of images: :class:`mitk_rs.Image` made of what :mod:`mitk_rs.io` reads, and ``IOUtil`` under MITK's names."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from typing import Unpack

from mitk_rs._validation import brief, check_kind, check_names, type_error
from mitk_rs.errors import RequestError
from mitk_rs.image.image import Image
from mitk_rs.io import read_record, read_records, readers_of, write_record
from mitk_rs.io.checks import check_path, unreadable
from mitk_rs.io.formats import FORMATS
from mitk_rs.io.record import ImageRecord, PathName, ReadOptions
from mitk_rs.properties import property_from_dict

__all__ = ["IOUtil", "get_loaded_modules", "image_of", "read_image", "record_of", "write_image"]

_log = logging.getLogger(__name__)


def read_image(path: PathName, **options: Unpack[ReadOptions]) -> Image:
    """Read an image.

    Parameters
    ----------
    path : str or path-like
        A file, or a folder with a DICOM series. Known endings are those of ``docs/reference/formats.md``; any other
        file is given to ITK, some of whose readers know files by their content.
    time_spacing : bool, optional
        Take the duration of the time steps of a 4-D NIfTI from its header. MITK does not, its steps last 1 ms.
    series : int or str, optional
        Which series of a DICOM folder: its number in :func:`mitk_rs.io.list_series`, its Series Instance UID, or its
        description. A folder with several is refused without it.
    allow_gaps : bool, optional
        Read a DICOM series with missing slices, uneven distances or a tilted gantry, and warn. It is refused otherwise.
    allow_other_folders : bool, optional
        Let a header (``.mhd``, ``.nhdr``, ``.hdr``) name data outside its own folder. It is refused otherwise.
    isolate : bool or Limits, optional
        Read in a process of its own, with limits of memory and time: a file that makes a library crash or hang then
        is a :class:`FileError`. The environment variable ``MITK_RS_ISOLATE=1`` makes this the default.

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

    Warns
    -----
    DicomSeriesWarning
        What ``allow_gaps`` let through, and files of a DICOM folder that were left out.

    See Also
    --------
    mitk_rs.io.read_info, write_image

    Examples
    --------
    >>> import mitk_rs as mitk, numpy as np, pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "scan.nrrd"
    >>> mitk.io.write_image(mitk.Image(np.zeros((4, 5, 6), np.int16), spacing=(0.5, 0.5, 2.0)), path)
    >>> mitk.io.read_image(path).spacing
    (0.5, 0.5, 2.0)
    """
    check_names("read_image", options, ReadOptions)
    return _named(image_of(read_record(path, **options)), path)


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

    See Also
    --------
    read_image

    Examples
    --------
    >>> import mitk_rs as mitk, numpy as np, pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "scan.nii.gz"
    >>> mitk.write_image(mitk.Image(np.zeros((4, 5, 6), np.int16), spacing=(0.5, 0.5, 2.0)), path)
    >>> mitk.read_info(path).shape
    (4, 5, 6)
    """
    image = Image._recognised(image)
    check_kind(image, Image, "image", "an Image")
    with image.read():
        write_record(record_of(image), path, compress=compress, time_spacing=time_spacing)


def image_of(record: ImageRecord, *, shared: bool = False) -> Image:
    """Return an image that takes over the voxels of a record: nobody else writes them, unless they are ``shared``."""
    if shared:
        image = Image(record.array, copy=None, components=record.components > 1)
    else:
        image = Image._taking_over(record.array, components=record.components > 1)
    image.time_geometry = record.time_geometry
    for name, content in record.properties.items():
        try:
            image.set_property(name, property_from_dict(content))
        except (RequestError, TypeError, ValueError) as error:
            _log.error("property %s of the file ignored: %s", name, error)
    image._uid = record.uid
    return image


def record_of(image: Image) -> ImageRecord:
    """Describe an image; the record shows its voxels, unprotected, so hold an accessor meanwhile."""
    found = ((name, image.get_property(name, raw=True)) for name in image.property_keys)
    stored = {name: value for name, value in found if value is not None}
    return ImageRecord(
        shape=image.shape,
        dtype=image.dtype,
        time_geometry=image.time_geometry,
        components=image.components,
        properties={name: one.to_dict() for name, one in stored.items() if one is not None},
        uid=image._uid,
        array=image.array,
    )


def _named(image: Image, path: PathName) -> Image:
    image.set_property("path", os.fsdecode(path))
    return image


def get_loaded_modules() -> list[str]:
    """Return the names of the modules that hold the voxels and read and write files.

    MITK lists its native modules here; ours are the Rust core and one adapter for each library of file formats.

    Examples
    --------
    >>> import mitk_rs as mitk
    >>> mitk.get_loaded_modules()[:2]
    ['mitk_rs._core', 'mitk_rs.io.dicom']
    """
    adapters = {"dicom", *(format_.adapter for format_ in FORMATS)}
    return ["mitk_rs._core", *sorted(f"mitk_rs.io.{adapter}" for adapter in adapters)]


class IOUtil:
    """Load and save data; a namespace of static methods, as in MITK."""

    __module__ = "mitk_rs"

    @staticmethod
    def load(
        path: PathName,
        reader_preferences: Sequence[str] | None = None,
        reader_blacklist: Sequence[str] | None = None,
    ) -> list[Image]:
        """Load everything that a file or a folder holds.

        Parameters
        ----------
        path
            A file, or a folder with DICOM images, of which every volume of every series is loaded.
        reader_preferences
            Descriptions of readers to try first, such as ``"ITK NrrdImageIO"``. Names that do not exist, or cannot
            read this file, are ignored.
        reader_blacklist
            Descriptions of readers not to use.

        Returns
        -------
        list of Image
            One for a file.

        Raises
        ------
        FileMissingError
            There is no such file.
        FileError
            It cannot be read, or the blacklist leaves no reader.

        Examples
        --------
        >>> import mitk_rs as mitk, numpy as np, pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "scan.nrrd"
        >>> mitk.IOUtil.save(mitk.Image(np.zeros((4, 5, 6), np.int16)), path)
        >>> [image.shape for image in mitk.IOUtil.load(path, reader_preferences=["ITK NrrdImageIO"])]
        [(4, 5, 6)]
        """
        name = check_path(path)
        reader = _chosen(name, _names(reader_preferences), _names(reader_blacklist))
        return [_named(image_of(record), name) for record in read_records(name, reader)]

    @staticmethod
    def save(data: Image, path: PathName) -> None:
        """Save an image; the ending chooses the format. Errors are those of :meth:`Image.save`.

        Raises
        ------
        TypeError
            ``data`` is not an image.
        """
        image = Image._recognised(data)
        if not isinstance(image, Image):
            raise type_error(f"only an Image can be saved, got {type(data).__name__}")
        write_image(image, path)

    @staticmethod
    def readers(path: PathName) -> list[str]:
        """Descriptions of the readers for a file, the one that :meth:`load` would use first."""
        return readers_of(path)


def _names(given: Sequence[str] | None) -> list[str]:
    if given is None:
        return []
    if isinstance(given, str):
        raise type_error(f"a list of reader descriptions is needed, got the single text {brief(given)}")
    if not isinstance(given, Sequence) or not all(isinstance(name, str) for name in given):
        raise type_error(f"readers must be a list of descriptions, got {brief(given)}")
    return list(given)


def _chosen(path: str, preferred: list[str], refused: list[str]) -> str:
    candidates = readers_of(path)
    left = [reader for reader in candidates if reader not in refused]
    if not left:
        raise unreadable(path, f"the blacklist leaves no reader; without it: {', '.join(candidates)}")
    return next((reader for reader in preferred if reader in left), left[0])
