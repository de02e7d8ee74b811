"""Reading and writing files of images and surfaces.

An adapter for each library that knows file formats (:mod:`.itk`, :mod:`.nifti`, :mod:`.dicom`, :mod:`.vtk`,
:mod:`.pictures`), loaded on first use; :mod:`.formats` has the one table of what each format holds. An adapter has
``library()``, which loads its library, ``read_header``, ``read`` and, where it can, ``write``; it gives and takes
:class:`ImageRecord`, plain arrays and numbers. :func:`read_image` and :func:`write_image` do the same for
:class:`mitk_rs.Image`, :func:`from_bytes` and :func:`to_bytes` for the content of a file in memory.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar, Unpack

from mitk_rs import errors
from mitk_rs._validation import check_kind, check_names, flag, path_name, text, type_error, wrong_type
from mitk_rs.errors import FileError, FileWriteError, RequestError, brief
from mitk_rs.image.image import Image
from mitk_rs.io import checks, formats, isolation
from mitk_rs.io.atomic import PathName
from mitk_rs.io.checks import unreadable
from mitk_rs.io.formats import FORMATS, ImageHeader, ImageRecord, ReadOptions, format_of
from mitk_rs.io.isolation import Limits
from mitk_rs.properties import property_from_dict

if TYPE_CHECKING:
    from mitk_rs.io.dicom import SeriesInfo
    from mitk_rs.io.vtk import read_surface as read_surface

__all__ = [
    "ImageHeader",
    "ImageRecord",
    "Limits",
    "ReadOptions",
    "from_bytes",
    "list_series",
    "read_image",
    "read_info",
    "read_record",
    "read_records",
    "read_surface",
    "readers_of",
    "to_bytes",
    "write_image",
    "write_record",
]

_log = logging.getLogger(__name__)

_READS = 20
_Read = TypeVar("_Read", ImageHeader, ImageRecord)


def __getattr__(name: str) -> Any:
    if name == "read_surface":
        return import_module("mitk_rs.io.vtk").read_surface
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


# --- images ------------------------------------------------------------------------------------------------------


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
    return ImageRecord(
        shape=image.shape,
        dtype=image.dtype,
        time_geometry=image.time_geometry,
        components=image.components,
        properties={name: value.to_dict() for name, value in found if value is not None},
        uid=image._uid,
        array=image.array,
    )


def _named(image: Image, path: PathName) -> Image:
    image.set_property("path", os.fsdecode(path))
    return image


# --- descriptions and records ------------------------------------------------------------------------------------


def read_info(path: PathName, **options: Unpack[ReadOptions]) -> ImageHeader:
    """Read the description of an image without its voxels.

    Parameters and errors are those of :func:`read_image`. Gaps in a DICOM series are warned of and not refused.

    Examples
    --------
    >>> import mitk_rs as mitk, numpy as np, pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "scan.mha"
    >>> mitk.io.write_image(mitk.Image(np.zeros((4, 5, 6), np.int16)), path)
    >>> mitk.io.read_info(path).shape
    (4, 5, 6)
    """
    check_names("read_info", options, ReadOptions)
    name = checks.check_path(path)
    limits = _limits(name, options)
    if limits:
        return isolation.read_header(name, options, limits)
    header: ImageHeader = _unreplaced(name, _adapter(name).read_header, options)
    return header


def read_record(path: PathName, **options: Unpack[ReadOptions]) -> ImageRecord:
    """Read an image as plain arrays and numbers; parameters and errors as for :func:`read_image`."""
    name = checks.check_path(path)
    limits = _limits(name, options)
    if limits:
        return next(isolation.read_records(name, options, limits))
    record: ImageRecord = _unreplaced(name, _adapter(name).read, options)
    return record


def read_records(path: PathName, reader: str = "", **options: Unpack[ReadOptions]) -> Iterator[ImageRecord]:
    """Read everything that a file or a folder holds, with a reader of :func:`readers_of`."""
    name = checks.check_path(path)
    is_other = text(reader, "reader") != "" and reader != readers_of(name)[0]
    limits = _limits(name, options) or (Limits() if is_other and not isolation.is_worker() else None)
    if limits:
        yield from isolation.read_records(name, options, limits, reader=reader if is_other else "", every=True)
    elif is_other:
        yield import_module("mitk_rs.io.itk").read_any(name, reader.removeprefix("ITK "))
    elif os.path.isdir(name):  # noqa: PTH112
        yield from import_module("mitk_rs.io.dicom").read_all(name, options)
    else:
        yield _unreplaced(name, _adapter(name).read, options)


def _unreplaced(name: str, read: Callable[[str, ReadOptions], _Read], options: ReadOptions) -> _Read:
    """Read a file again that changed meanwhile: libraries open it several times, for its header and for its voxels."""
    for _ in range(_READS):
        before = _identity(name)
        try:
            found = read(name, options)
        except errors.Exception:
            if _identity(name) == before:
                raise
        else:
            if _identity(name) == before:
                return found
    raise unreadable(name, f"another program changed it during each of {_READS} reads")


def _identity(name: str) -> tuple[int, ...] | None:
    try:
        status = os.stat(name)  # noqa: PTH116
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def list_series(folder: PathName) -> list[SeriesInfo]:
    """Return the DICOM series of a folder, in the order in which ``series=`` numbers them.

    Raises
    ------
    FileMissingError, FileError
        There is no such folder, or no DICOM image in it.
    """
    found: list[SeriesInfo] = import_module("mitk_rs.io.dicom").list_series(checks.check_path(folder))
    return found


def readers_of(path: PathName) -> list[str]:
    """Return descriptions of the readers for a file, the one that is used first."""
    name = checks.check_path(path)
    chosen = format_of(name)
    if chosen and not os.path.isdir(name):  # noqa: PTH112
        return [chosen.reader, *chosen.other_readers]
    return [read_info(name).reader if _is_unchecked(name) else import_module("mitk_rs.io.dicom").READER]


def write_record(record: ImageRecord, path: PathName, *, compress: bool = True, time_spacing: bool = False) -> None:
    """Write plain arrays and numbers; parameters and errors as for :func:`write_image`."""
    check_kind(record, ImageRecord, "record", "an ImageRecord")
    name = path_name(path)
    chosen = formats.check_fits(record, name)
    formats.check_entries(record, chosen, name)
    lost = formats.losses(record, chosen)
    if lost:
        _log.warning("%s: %s does not keep %s", checks.printable(name), chosen.name, ", ".join(lost))
    stored = record.of_dimension(formats.stored_dimension(record, chosen))
    options = {"compress": flag(compress, "compress"), "time_spacing": flag(time_spacing, "time_spacing")}
    import_module(f"mitk_rs.io.{chosen.adapter}").write(stored, name, chosen, **options)


def _limits(path: str, options: ReadOptions) -> Limits | None:
    """The limits of the process that is to read a file; None to read it in this one."""
    limits = isolation.limits_of(options.get("isolate"))
    if limits is None and _is_unchecked(path):
        limits = Limits()
    return None if isolation.is_worker() else limits


def _is_unchecked(path: str) -> bool:
    """Whether nothing checks a file, so that another process reads it: of no known ending, maybe known to ITK."""
    return format_of(path) is None and not import_module("mitk_rs.io.dicom").is_dicom(path)


def _adapter(path: str) -> Any:
    chosen = format_of(path)
    if chosen and not os.path.isdir(path):  # noqa: PTH112
        return import_module(f"mitk_rs.io.{chosen.adapter}")
    return import_module(f"mitk_rs.io.{'itk' if _is_unchecked(path) else 'dicom'}")


def library_of(path: str) -> None:
    """Load the library that reads a file, which is otherwise loaded when it is first needed."""
    _adapter(path).library()


# --- the content of a file in memory -----------------------------------------------------------------------------

_DICOM = (".dcm", ((128, b"DICM"),))
#: How many bytes of a file are enough to know its format.
MARK_BYTES = 512
#: What messages call the bytes.
_NAME = "the given bytes"


def from_bytes(
    content: bytes | bytearray | memoryview | IO[bytes],
    format: str | None = None,  # noqa: A002
    **options: Unpack[ReadOptions],
) -> Image:
    """Read an image from the content of a file.

    Parameters
    ----------
    content
        Bytes, or a binary file such as ``io.BytesIO``, which is read to its end.
    format
        Ending of the format, ``".mha"`` or ``"mha"``. May be left out where the content begins with a mark: MetaImage,
        NRRD, NIfTI, VTK, TIFF, PNG, JPEG, BMP, npy, DICOM.
    options
        Those of :func:`mitk_rs.read_image`.

    Raises
    ------
    FileError
        The content is damaged, or not in the format.
    RequestError
        No format is given and the content does not show it; a format whose voxels are in a second file.

    Examples
    --------
    >>> import io, numpy as np, mitk_rs as mitk
    >>> content = mitk.Image(np.zeros((4, 5, 6), "int16")).to_bytes(".nrrd")
    >>> mitk.Image(io.BytesIO(content)).shape
    (4, 5, 6)
    """
    data = _data(content)
    suffix = suffix_of_content(bytes(data[:MARK_BYTES])) if format is None else _suffix_of_format(format)
    if suffix is None:
        raise RequestError(f"{_NAME} do not show their format: give it, such as format='.mha'")
    with _temporary(suffix) as path:
        path.write_bytes(data)
        return image_of(read_record(path, **options))


def to_bytes(image: Image, format: str = ".mha", *, compress: bool = True) -> bytes:  # noqa: A002
    """Return the content of the file that :func:`mitk_rs.write_image` writes.

    Raises
    ------
    FileWriteError
        The format cannot hold the image.
    RequestError
        The format is unknown, or has its voxels in a second file.
    """
    with _temporary(_suffix_of_format(format, reading=False)) as path:
        write_image(image, path, compress=compress)
        return path.read_bytes()


def suffix_of_content(first: bytes) -> str | None:
    """Return the ending of the format that bytes begin with, or None.

    Examples
    --------
    >>> suffix_of_content(b"NRRD0004"), suffix_of_content(b"something else")
    ('.nrrd', None)
    """
    for suffix, marks in [(format_.suffixes[0], format_.marks) for format_ in FORMATS] + [_DICOM]:
        if any(first[place : place + len(mark)] == mark for place, mark in marks):
            return ".nii.gz" if first[:2] == b"\x1f\x8b" else suffix
    return None


def _suffix_of_format(format: str, *, reading: bool = True) -> str:  # noqa: A002
    """The ending that a format's name means, of those that are one file."""
    check_kind(format, str, "format", "an ending such as '.mha'")
    suffix = f".{format.lower().removeprefix('.')}"
    whole = [ending for ending, one in formats.BY_SUFFIX.items() if not one.detached] + ([".dcm"] if reading else [])
    if suffix in whole:
        return suffix
    if suffix in formats.BY_SUFFIX:
        raise RequestError(f"format {brief(format)} has its voxels in a second file; in one file: {', '.join(whole)}")
    raise RequestError(f"format is {brief(format)}: it must be one of {', '.join(whole)}")


def _data(content: Any) -> bytes | bytearray | memoryview:
    read = getattr(content, "read", None)
    data = read() if callable(read) else content
    if not isinstance(data, bytes | bytearray | memoryview):
        raise wrong_type("source", "bytes or a binary file", content)
    return data


@contextmanager
def _temporary(suffix: str) -> Iterator[Path]:
    """A name, in a folder that only this user can read, for libraries want one; errors about it name the bytes."""
    with tempfile.TemporaryDirectory(prefix="mitk_rs_") as folder:
        path = Path(folder, f"image{suffix}")
        try:
            yield path
        except FileError as error:
            what = f"the format {suffix}" if isinstance(error, FileWriteError) else _NAME
            raise type(error)(str(error).replace(str(path), what)) from None


# --- MITK's names ------------------------------------------------------------------------------------------------


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
        name = checks.check_path(path)
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
