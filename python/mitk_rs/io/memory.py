"""Images as bytes: the content of a file in memory, from an upload or a pipe.

The libraries that read and write files want names, so the bytes go through a file in a temporary folder, which only
this user can read. The format of given bytes is known from the first of them where the format has a mark
(:attr:`mitk_rs.io.formats.Format.marks`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Unpack

from mitk_rs._validation import brief, check_kind, wrong_type
from mitk_rs.errors import FileError, FileWriteError, RequestError
from mitk_rs.io.formats import FORMATS
from mitk_rs.io.images import image_of, write_image
from mitk_rs.io.record import ReadOptions

if TYPE_CHECKING:
    from mitk_rs.image import Image

__all__ = ["MARK_BYTES", "from_bytes", "suffix_of_content", "suffix_of_format", "to_bytes"]

Content = bytes | bytearray | memoryview | IO[bytes]

_DICOM = (".dcm", ((128, b"DICM"),))
#: How many bytes of a file are enough to know its format.
MARK_BYTES = 512
#: What messages call the bytes.
_NAME = "the given bytes"


def from_bytes(content: Content, format: str | None = None, **options: Unpack[ReadOptions]) -> Image:  # noqa: A002
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
    from mitk_rs.io import read_record

    data = _data(content)
    suffix = suffix_of_content(bytes(data[:MARK_BYTES])) if format is None else suffix_of_format(format)
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
    with _temporary(suffix_of_format(format, reading=False)) as path:
        write_image(image, path, compress=compress)
        return path.read_bytes()


def suffix_of_content(first: bytes) -> str | None:
    """Return the ending of the format that bytes begin with, or None.

    Examples
    --------
    >>> suffix_of_content(b"NRRD0004"), suffix_of_content(b"something else")
    ('.nrrd', None)
    """
    known = [(format_.suffixes[0], format_.marks) for format_ in FORMATS] + [_DICOM]
    for suffix, marks in known:
        if any(first[place : place + len(mark)] == mark for place, mark in marks):
            return ".nii.gz" if first[:2] == b"\x1f\x8b" else suffix
    return None


def suffix_of_format(format: str, *, reading: bool = True) -> str:  # noqa: A002
    """Return the ending that a format's name means.

    Raises
    ------
    RequestError
        A format that is not known, or one of several files.
    """
    check_kind(format, str, "format", "an ending such as '.mha'")
    suffix = f".{format.lower().removeprefix('.')}"
    known = {ending: one for one in FORMATS for ending in one.suffixes}
    whole = [ending for ending, one in known.items() if not one.detached] + ([".dcm"] if reading else [])
    if suffix in known and known[suffix].detached:
        raise RequestError(f"format {brief(format)} has its voxels in a second file; in one file: {', '.join(whole)}")
    if suffix not in whole:
        raise RequestError(f"format is {brief(format)}: it must be one of {', '.join(whole)}")
    return suffix


def _data(content: Any) -> bytes | bytearray | memoryview:
    read = getattr(content, "read", None)
    data = read() if callable(read) else content
    if not isinstance(data, bytes | bytearray | memoryview):
        raise wrong_type("source", "bytes or a binary file", content)
    return data


@contextmanager
def _temporary(suffix: str) -> Iterator[Path]:
    """A name for a file; errors about it name the bytes instead."""
    with tempfile.TemporaryDirectory(prefix="mitk_rs_") as folder:
        path = Path(folder, f"image{suffix}")
        try:
            yield path
        except FileError as error:
            what = f"the format {suffix}" if isinstance(error, FileWriteError) else _NAME
            raise type(error)(str(error).replace(str(path), what)) from None
