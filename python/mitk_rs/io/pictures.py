"""Pictures and plain arrays: TIFF through tifffile, JPEG and BMP through Pillow, ``.npy`` through NumPy.

They have no directions and no times; the resolution of a TIFF is its spacing.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from mitk_rs.errors import FileError
from mitk_rs.geometry import Frame
from mitk_rs.io import checks, isolation
from mitk_rs.io.atomic import atomic_output
from mitk_rs.io.checks import as_file_error, unreadable
from mitk_rs.io.formats import ALL_TYPES, Format, ImageHeader, ImageRecord, ReadOptions, header, name_of


def library() -> Any:
    import PIL.Image
    import tifffile

    return tifffile, PIL.Image


def read_header(path: str, options: ReadOptions) -> ImageHeader:
    return _READERS[name_of(path)](path, with_voxels=False)[0]


def read(path: str, options: ReadOptions) -> ImageRecord:
    """Read a picture, the pages of a TIFF as slices, or an array of two to four axes (``[[t,] z,] y, x``)."""
    described, voxels = _READERS[name_of(path)](path, with_voxels=True)
    return ImageRecord.of(described, np.ascontiguousarray(voxels))


def write(record: ImageRecord, path: str, format_: Format, *, compress: bool, **_: Any) -> None:
    """Write an image that fits ``format_``. JPEG changes the voxels a little."""
    with atomic_output(path) as temporary, temporary.open("wb") as file:
        _WRITERS[format_.name](record, file, compress=compress)


@contextmanager
def _reading(path: str, *kinds: type[BaseException]) -> Iterator[BinaryIO]:
    """Open a file; what a library raises about it becomes one line that names the file."""
    with checks.open_regular(path) as file:
        try:
            yield file
        except kinds as error:
            if isinstance(error, FileError | MemoryError):
                raise
            raise as_file_error(path, error) from error


# --- JPEG and BMP ------------------------------------------------------------------------------------------------

# Pictures of one byte per sample; palettes are looked up, bits become 0 and 255.
_TARGET_MODES = {"1": "L", "L": "L", "P": "RGB", "RGB": "RGB", "RGBA": "RGBA"}
_PILLOW_ERRORS = (OSError, ValueError, SyntaxError, EOFError, TypeError, IndexError, KeyError)


def _read_pillow(path: str, *, with_voxels: bool) -> tuple[ImageHeader, Any]:
    from PIL import Image, UnidentifiedImageError

    with _reading(path, *_PILLOW_ERRORS, Image.DecompressionBombError) as file:
        try:
            picture = Image.open(file, formats=("JPEG", "BMP"))
        except UnidentifiedImageError as error:
            raise unreadable(path, "neither a JPEG nor a BMP picture, or its beginning is damaged") from error
        if picture.mode not in _TARGET_MODES:
            raise unreadable(path, f"colours of kind {picture.mode} are not possible, grey and RGB are")
        target, lengths = _TARGET_MODES[picture.mode], (picture.height, picture.width)
        reader = f"Pillow {picture.format}"
        described = header(path, lengths, np.dtype("u1"), Frame(), components=len(target), reader=reader)
        return described, np.array(picture.convert(target)) if with_voxels else None


def _write_pillow(record: ImageRecord, file: BinaryIO, *, name: str, **_: Any) -> None:
    from PIL import Image

    options = {"quality": 95, "subsampling": 0} if name == "JPEG" else {}
    Image.fromarray(record.array).save(file, format=name, **options)


# --- TIFF --------------------------------------------------------------------------------------------------------

# Kinds of pages whose numbers are the voxels: black is 0, and red, green, blue. Pillow reads the others.
_BLACK_IS_0, _RGB, _CONTIGUOUS = 1, 2, 1
_PACKED = {1, 8, 32773, 32946, 50013}
_MILLIMETRES = {2: 25.4, 3: 10.0}
_TIFF_MODES = {**_TARGET_MODES, "I;16": "I;16", "I;16B": "I;16", "I": "I", "F": "F"}


def _read_tiff(path: str, *, with_voxels: bool) -> tuple[ImageHeader, Any]:
    import tifffile

    complaints = _Complaints()
    with _reading(path, Exception, RecursionError) as file, complaints, tifffile.TiffFile(file) as tiff:
        pages: list[Any] = [page for page in tiff.pages if not page.is_reduced]
        if complaints.first:
            raise unreadable(path, f"the file is damaged: {complaints.first}")
        if not pages:
            raise unreadable(path, "it has no page that is a picture")
        first = pages[0]
        if _is_plain(first):
            return _read_plain_tiff(path, pages, with_voxels=with_voxels)
        frame = _tiff_frame(path, first)
    return _read_other_tiff(path, frame, with_voxels=with_voxels)


class _Complaints(logging.Handler):
    """Notes what tifffile only logs, of this thread: a page that is not there, a tag that cannot be."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.first, self._thread = "", threading.get_ident()

    def __enter__(self) -> None:
        logging.getLogger("tifffile").addHandler(self)

    def __exit__(self, *_: object) -> None:
        logging.getLogger("tifffile").removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self.first = self.first or checks.shown(record.getMessage(), 200)


def _is_plain(page: Any) -> bool:
    """Whether tifffile alone gives the voxels of a page."""
    return (
        int(page.compression) in _PACKED
        and int(page.photometric) in (_BLACK_IS_0, _RGB)
        and page.dtype is not None
        and page.bitspersample == page.dtype.itemsize * 8
    )


def _read_plain_tiff(path: str, pages: Sequence[Any], *, with_voxels: bool) -> tuple[ImageHeader, Any]:
    first = pages[0]
    if any(page.shape != first.shape or page.dtype != first.dtype or not _is_plain(page) for page in pages):
        raise unreadable(path, "its pages have different sizes, types or colours")
    dtype = first.dtype.newbyteorder("=")
    if dtype.str[1:] not in ALL_TYPES or first.imagedepth != 1:
        raise unreadable(path, f"its voxels are of type {dtype.name}, depth {first.imagedepth}")
    components = first.samplesperpixel
    lengths = ((len(pages),) if len(pages) > 1 else ()) + (first.imagelength, first.imagewidth)
    frame = _tiff_frame(path, first)
    described = header(path, lengths, dtype, frame, components=components, reader="tifffile TIFF")
    _check_tiff_data(path, pages, described)
    return described, _tiff_voxels(path, pages, described) if with_voxels else None


def _tiff_frame(path: str, page: Any) -> Frame:
    """The resolution of a page as spacing; 1 where it says none."""
    spacing, unit = [1.0, 1.0, 1.0], page.tags.get(296)
    millimetres = _MILLIMETRES.get(int(unit.value) if unit is not None else 2)
    for axis, code in enumerate((282, 283)):
        tag = page.tags.get(code)
        if tag is None or millimetres is None:
            continue
        above, below = tag.value
        if above and below:
            spacing[axis] = millimetres * below / above
    return checks.frame(path, spacing, (0, 0, 0), np.eye(3))


def _check_tiff_data(path: str, pages: Sequence[Any], described: ImageHeader) -> None:
    """Refuse pages whose data are not all in the file: tifffile would show 0 in their place."""
    size = pages[0].parent.filehandle.size
    checks.check_bytes(path, described.shape, described.dtype, size)
    for number, page in enumerate(pages):
        counts, offsets = page.databytecounts, page.dataoffsets
        if len(counts) != len(offsets) or len(counts) < math.prod(page.chunked):
            raise unreadable(path, f"page {number} has {len(offsets)} pieces of data, {math.prod(page.chunked)} needed")
        for offset, count in zip(offsets, counts, strict=True):
            if count <= 0 or offset <= 0 or offset + count > size:
                end = f"data of page {number} end at byte {offset + count}, the file has {size}"
                raise unreadable(path, f"the file is truncated: {end}")
        if int(page.compression) == 1 and sum(counts) < page.nbytes:
            raise unreadable(path, f"page {number} has {sum(counts)} bytes of data, {page.nbytes} are needed")


def _tiff_voxels(path: str, pages: Sequence[Any], described: ImageHeader) -> NDArray[Any]:
    voxels = checks.zeros_of(path, described.shape, described.dtype)
    planes = voxels.reshape(len(pages), *described.shape[-2 - (described.components > 1) :])
    for plane, page in zip(planes, pages, strict=True):
        array = page.asarray(maxworkers=1)
        if int(page.planarconfig) != _CONTIGUOUS and described.components > 1:
            array = np.moveaxis(array, 0, -1)
        plane[...] = array
    return voxels


def _read_other_tiff(path: str, frame: Frame, *, with_voxels: bool) -> tuple[ImageHeader, Any]:
    """Palettes, bits, white as 0, and what is packed as LZW, JPEG or for fax: through Pillow, page by page."""
    from PIL import Image, ImageSequence

    if not isolation.is_worker():
        # libtiff prints about damaged data, and there is no need to trust it.
        if not with_voxels:
            return isolation.read_header(path, {}, isolation.Limits()), None
        record = next(isolation.read_records(path, {}, isolation.Limits()))
        return record.header, record.array
    with _reading(path, *_PILLOW_ERRORS, Image.DecompressionBombError) as file:
        picture: Any = Image.open(file, formats=("TIFF",))
        count, size = picture.n_frames, picture.size
        mode = _TIFF_MODES.get(picture.mode)
        if mode is None:
            raise unreadable(path, f"colours of kind {picture.mode} are not possible, grey and RGB are")
        dtype = np.dtype({"I;16": "u2", "I": "i4", "F": "f4"}.get(mode, "u1"))
        lengths = ((count,) if count > 1 else ()) + size[::-1]
        components = len(mode) if mode.startswith("RGB") else 1
        described = header(path, lengths, dtype, frame, components=components, reader="Pillow TIFF")
        checks.check_bytes(path, described.shape, dtype, 1 << 20 | file.seek(0, 2))
        if not with_voxels:
            return described, None
        voxels = checks.zeros_of(path, (count, *described.shape[-2 - (components > 1) :]), dtype)
        for number, page in enumerate(ImageSequence.Iterator(picture)):
            if page.size != size or _TIFF_MODES.get(page.mode) != mode:
                raise unreadable(path, "its pages have different sizes, types or colours")
            voxels[number] = np.asarray(page if page.mode.startswith("I;16") else page.convert(mode))
        return described, voxels.reshape(described.shape)


def _write_tiff(record: ImageRecord, file: BinaryIO, *, compress: bool) -> None:
    import tifffile

    array = record.array
    pages = array[np.newaxis] if record.dimension == 2 else array
    is_colour = record.components in (3, 4)
    spacing = record.frame.spacing
    with tifffile.TiffWriter(file) as tiff:
        for page in pages:
            tiff.write(
                page,
                photometric="rgb" if is_colour else "minisblack",
                planarconfig="contig" if record.components > 1 else None,
                extrasamples=["unassalpha"] if record.components == 4 else None,
                compression="zlib" if compress else None,
                resolution=(25.4 / spacing[0], 25.4 / spacing[1]),
                resolutionunit="INCH",
                metadata=None,
                software=False,
            )


# --- .npy --------------------------------------------------------------------------------------------------------


def _npy_header(path: str, file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape of the array, whether it is in Fortran's order, and the type of its elements."""
    from numpy.lib import format as npy

    if file.read(len(npy.MAGIC_PREFIX)) != npy.MAGIC_PREFIX:
        raise unreadable(path, r"it does not begin with \x93NUMPY: it is not a .npy file, or its beginning is damaged")
    file.seek(0)
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    try:
        version = npy.read_magic(file)
        if version in readers:
            return readers[version](file)
    except Exception as error:
        if isinstance(error, MemoryError):
            # Python also says so of a header that is nested too deeply; then there is room.
            checks.check_room(1 << 20, "the header")
        raise unreadable(path, "its header is damaged, truncated or longer than 10000 bytes") from error
    raise unreadable(path, f"it has version {version} of the format, 1.0 and 2.0 are possible")


def _read_npy(path: str, *, with_voxels: bool) -> tuple[ImageHeader, Any]:
    with checks.open_regular(path) as file:
        shape, is_fortran, stored = _npy_header(path, file)
        start, size = file.tell(), file.seek(0, 2)
    if len(shape) not in (2, 3, 4):
        raise unreadable(path, f"field shape has {len(shape)} axes, 2 to 4 are possible")
    checks.check_shape(path, shape, stored.itemsize or 1)
    native = np.dtype("u1") if stored == np.bool_ else stored.newbyteorder("=")
    if native.str[1:] not in ALL_TYPES:
        raise unreadable(path, f"field descr is {checks.shown(str(stored))}, which is not a type of voxels")
    described = header(path, shape, native, Frame(), reader="NumPy npy")
    checks.check_bytes(path, shape, native, size - start, packing=1)
    if not with_voxels:
        return described, None
    voxels = checks.zeros_of(path, shape[::-1] if is_fortran else shape, stored)
    with checks.open_regular(path) as file:
        file.seek(start)
        checks.read_raw(path, file, voxels)
    if stored == np.bool_:
        voxels = (voxels.view("u1") != 0).view("u1")
    voxels = checks.native(voxels)
    return described, np.ascontiguousarray(voxels.T) if is_fortran else voxels


def _write_npy(record: ImageRecord, file: BinaryIO, **_: Any) -> None:
    np.save(file, record.array, allow_pickle=False)


_READERS = {"JPEG": _read_pillow, "BMP": _read_pillow, "TIFF": _read_tiff, "NumPy": _read_npy}
_WRITERS: dict[str, Callable[..., None]] = {
    **{name: partial(_write_pillow, name=name) for name in ("JPEG", "BMP")},
    "TIFF": _write_tiff,
    "NumPy": _write_npy,
}
