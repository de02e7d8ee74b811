"""``IOUtil``: loading and saving under MITK's names (``mitk::IOUtil``)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from importlib import import_module

from mitk_rs.image import Image
from mitk_rs.io import checks, write_image
from mitk_rs.io.atomic import PathName
from mitk_rs.io.convert import image_of
from mitk_rs.io.formats import FORMATS, format_of, unreadable
from mitk_rs.io.record import ImageRecord

__all__ = ["IOUtil", "get_loaded_modules"]


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
        images = [image_of(record) for record in _records(name, reader)]
        for image in images:
            image.set_property("path", name)
        return images

    @staticmethod
    def save(data: Image, path: PathName) -> None:
        """Save an image; the ending chooses the format. Errors are those of :meth:`Image.save`.

        Raises
        ------
        TypeError
            ``data`` is no image.
        """
        if not isinstance(data, Image):
            raise TypeError(f"only an Image can be saved, got {type(data).__name__}")
        write_image(data, path)

    @staticmethod
    def readers(path: PathName) -> list[str]:
        """Descriptions of the readers for a file, the one that :meth:`load` would use first."""
        return _candidates(checks.check_path(path))


def _names(given: Sequence[str] | None) -> list[str]:
    if isinstance(given, str):
        raise TypeError(f"a list of reader descriptions is needed, got the single text {given!r}")
    return list(given or ())


def _chosen(path: str, preferred: list[str], refused: list[str]) -> str:
    left = [reader for reader in _candidates(path) if reader not in refused]
    if not left:
        raise unreadable(path, f"the blacklist leaves no reader; without it: {', '.join(_candidates(path))}")
    return next((reader for reader in preferred if reader in left), left[0])


def _candidates(path: str) -> list[str]:
    chosen = format_of(path)
    if chosen and not os.path.isdir(path):  # noqa: PTH112
        return [chosen.reader, *chosen.other_readers]
    dicom = import_module("mitk_rs.io.dicom")
    if dicom.is_dicom(path):
        return [dicom.READER]
    return [import_module("mitk_rs.io.simpleitk").read_header(path).reader]


def _records(path: str, reader: str) -> Iterator[ImageRecord]:
    chosen = format_of(path)
    is_folder = os.path.isdir(path)  # noqa: PTH112
    if chosen and not is_folder and reader == chosen.reader:
        yield import_module(f"mitk_rs.io.{chosen.adapter}").read(path)
    elif is_folder:
        yield from import_module("mitk_rs.io.dicom").read_all(path)
    elif import_module("mitk_rs.io.dicom").is_dicom(path):
        yield import_module("mitk_rs.io.dicom").read(path)
    else:
        yield import_module("mitk_rs.io.simpleitk").read(path, reader=reader.removeprefix("ITK "))
