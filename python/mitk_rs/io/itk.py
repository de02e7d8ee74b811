"""MetaImage, NRRD and PNG through ITK's readers and writers (SimpleITK).

ITK never sees a header that another program wrote: :mod:`mitk_rs.io.headers` checks it and ITK reads a copy made of
the checked fields. The voxels of MetaImage are read here, because ITK's reader does not notice compressed data that
end early. SimpleITK is imported on first use; it gives the interpreter free while it reads and writes.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitk_rs._platform import package
from mitk_rs.errors import FileWriteError, MemoryLimitError
from mitk_rs.geometry import Frame
from mitk_rs.io import checks, formats, headers
from mitk_rs.io.atomic import atomic_folder, atomic_output, disk_is_full, with_small_ending
from mitk_rs.io.checks import unreadable
from mitk_rs.io.formats import Format, ImageHeader, ImageRecord, ReadOptions, name_of
from mitk_rs.io.headers import TextHeader

_TYPES = {
    f"{8 * size}-bit {name}": f"{code}{size}"
    for size in (1, 2, 4, 8)
    for name, code in (("unsigned integer", "u"), ("signed integer", "i"))
} | {"32-bit float": "f4", "64-bit float": "f8"}


_TEXT_FORMATS = ("MetaImage", "NRRD")


@cache
def library() -> Any:
    return package("SimpleITK", "SimpleITK", "files of ITK's formats, resampling and automatic thresholds")


def read_header(path: str, options: ReadOptions) -> ImageHeader:
    if name_of(path) not in _TEXT_FORMATS:
        return read_header_of_any(path, _checked_reader(path))
    return _opened_text(path, options)[0]


def read(path: str, options: ReadOptions) -> ImageRecord:
    """Read a MetaImage, a NRRD or a PNG file, or one that ITK knows by its content."""
    if name_of(path) not in _TEXT_FORMATS:
        return read_any(path, _checked_reader(path))
    header, text = _opened_text(path, options)
    return ImageRecord.of(header, (_meta_voxels if text.is_meta else _nrrd_voxels)(text, header))


def _opened_text(path: str, options: ReadOptions) -> tuple[ImageHeader, TextHeader]:
    """What ITK's reader says of the checked copy of a header, and what was checked."""
    is_meta = name_of(path) == "MetaImage"
    read_text = headers.meta_header if is_meta else headers.nrrd_header
    text = read_text(path, anywhere=options.get("allow_other_folders", False))
    _check_data_size(text)
    with tempfile.TemporaryDirectory(prefix="mitk_rs-") as folder:
        copy = Path(folder, "image.mha" if is_meta else "image.nrrd")
        copy.write_text(text.text, encoding="utf-8")
        with _opened(os.fspath(copy), path, "MetaImageIO" if is_meta else "NrrdImageIO") as source:
            told = _texts(source) | text.entries
            return _described(source, path, source.GetNumberOfComponents(), source.GetImageIO(), told), text


def _check_data_size(text: TextHeader) -> None:
    """Refuse sizes that the data files cannot hold, before anything is made from them."""
    begin = text.start if text.is_attached else 0
    available = sum(max(os.stat(name).st_size - begin, 0) for name in text.files)  # noqa: PTH116
    if text.is_meta:
        shape = list(map(int, text.fields["DimSize"].split()))
        channels = int(text.fields.get("ElementNumberOfChannels", 1))
        shape = [channels, *shape] if channels > 1 else shape
        dtype = np.dtype(headers.META_TYPES[text.fields["ElementType"]])
        encoding = "gzip" if _is_true(text, "CompressedData") else "raw"
        encoding = encoding if _is_true(text, "BinaryData") else "ascii"
    else:
        shape = list(map(int, text.fields["sizes"].split()))
        dtype = np.dtype(headers.NRRD_TYPES[text.fields["type"].lower()])
        encoding = text.fields["encoding"]
    # A number written as text takes two letters, the last one of a file one.
    packing = {"raw": 1.0, "gzip": checks.DEFLATE_LIMIT, "hex": 0.5, "ascii": 0.5 * dtype.itemsize}[encoding]
    checks.check_bytes(text.path, shape[::-1], dtype, available + (encoding == "ascii"), packing=packing)


def _is_true(text: TextHeader, name: str) -> bool:
    return text.storage.get(name, "False")[:1] in "Tt1"


def _parts(text: TextHeader, voxels: NDArray[Any]) -> Iterator[tuple[str, NDArray[Any]]]:
    """The data files with the part of the voxels that each of them holds."""
    count, rest = divmod(voxels.size, len(text.files))
    if rest:
        raise unreadable(text.path, f"its {len(text.files)} data files cannot share {voxels.size} numbers")
    for number, name in enumerate(text.files):
        yield name, voxels.reshape(-1)[number * count : (number + 1) * count]


def _meta_voxels(text: TextHeader, header: ImageHeader) -> NDArray[Any]:
    voxels = checks.zeros_of(text.path, header.shape, header.dtype)
    for name, part in _parts(text, voxels):
        _read_meta_part(text, name, part)
    is_swapped = _is_true(text, "BinaryDataByteOrderMSB") or _is_true(text, "ElementByteOrderMSB")
    if is_swapped and _is_true(text, "BinaryData"):
        voxels.byteswap(inplace=True)
    return voxels


def _read_meta_part(text: TextHeader, name: str, part: NDArray[Any]) -> None:
    skip = int(text.storage.get("HeaderSize", 0))
    if text.is_attached and skip > 0:
        raise unreadable(text.path, f"field HeaderSize is {skip}, but the voxels follow the header")
    with checks.open_regular(name) as file:
        file.seek(text.start if text.is_attached else max(skip, 0))
        if not _is_true(text, "BinaryData"):
            checks.read_numbers(text.path, file, part)
        elif _is_true(text, "CompressedData"):
            most = int(text.storage.get("CompressedDataSize", 0))
            checks.read_deflated(text.path, file, part, most=most or None)
        else:
            checks.read_raw(text.path, file, part, at_end=skip == -1)


_DOMAIN_KINDS = {"domain", "space", "time", "none", "???"}


def _nrrd_voxels(text: TextHeader, header: ImageHeader) -> NDArray[Any]:
    sizes = [int(size) for size in text.fields["sizes"].split()][::-1]
    is_swapped = text.fields.get("endian", "").lower() == "big" and text.fields["encoding"] != "ascii"
    stored = checks.zeros_of(text.path, sizes, header.dtype.newbyteorder(">" if is_swapped else "="))
    for name, part in _parts(text, stored):
        _read_nrrd_part(text, name, part)
    stored = checks.native(stored)
    kinds = text.fields.get("kinds", "").lower().split()[::-1]
    ranges = [axis for axis, kind in enumerate(kinds) if kind not in _DOMAIN_KINDS]
    if ranges:
        stored = np.moveaxis(stored, ranges[0], -1)
        # The first component of a masked tensor says whether it is one.
        stored = stored[..., 1:] if kinds[ranges[0]] == "3d-masked-symmetric-matrix" else stored
    return np.ascontiguousarray(stored).reshape(header.shape)


def _read_nrrd_part(text: TextHeader, name: str, part: NDArray[Any]) -> None:
    encoding, skip = text.fields["encoding"], int(text.storage.get("byte skip", 0))
    with checks.open_regular(name) as file:
        file.seek(text.start if text.is_attached else 0)
        for _ in range(int(text.storage.get("line skip", 0))):
            if not file.readline():
                raise unreadable(text.path, "field line skip leads beyond the end of the file")
        if skip < 0 and encoding != "raw":
            raise unreadable(text.path, f"field byte skip is {skip}, which is possible for raw voxels only")
        if encoding == "gzip":
            checks.read_deflated(text.path, file, part, skipped=skip)
            return
        file.seek(max(skip, 0), os.SEEK_CUR)
        if encoding == "raw":
            checks.read_raw(text.path, file, part, at_end=skip < 0)
        else:
            (checks.read_numbers if encoding == "ascii" else checks.read_hexadecimal)(text.path, file, part)


def _checked_reader(path: str) -> str:
    """ITK's reader of a PNG file whose chunks have the right order, lengths and checksums: it prints what is wrong."""
    if name_of(path) != "PNG":
        return ""
    from PIL import Image, UnidentifiedImageError

    with checks.open_regular(path) as file:
        try:
            Image.open(file, formats=("PNG",)).verify()
        except UnidentifiedImageError as error:
            raise unreadable(path, "not a PNG picture, or its beginning is damaged") from error
        except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
            raise unreadable(path, f"the file is damaged: {checks.shown(str(error), 200)}") from error
    return "PNGImageIO"


def read_header_of_any(path: str, reader: str = "") -> ImageHeader:
    """As :func:`read_any`, without the voxels."""
    with checks.alias(path) as name, _opened(name, path, reader) as source:
        return _header_of_any(source, path)


def read_any(path: str, reader: str = "") -> ImageRecord:
    """Read a file, without checks of its header, with a reader of ITK (``PNGImageIO``), or that which ITK chooses."""
    with checks.alias(path) as name, _opened(name, path, reader) as source:
        header = _header_of_any(source, path)
        return ImageRecord.of(header, _voxels(source, path, header).reshape(header.shape))


def read_voxels(path: str, reader: str) -> NDArray[Any]:
    """Return the voxels that one of ITK's readers finds in a file, in its own shape."""
    with checks.alias(path) as name, _opened(name, path, reader) as source:
        return _voxels(source, path, _header_of_any(source, path))


def _header_of_any(source: Any, path: str) -> ImageHeader:
    name = source.GetImageIO() or source.GetImageIOFromFileName(source.GetFileName())
    sizes = tuple(reversed(source.GetSize()))
    checks.check_bytes(path, (*sizes, source.GetNumberOfComponents()), _dtype(source, path), os.stat(path).st_size << 4)  # noqa: PTH116
    return _described(source, path, source.GetNumberOfComponents(), name, _texts(source))


@contextmanager
def _opened(name: str, path: str, reader: str) -> Iterator[Any]:
    """Give ITK's reader with the header of ``name`` read; turn ITK's exceptions into ours, about ``path``."""
    source = library().ImageFileReader()
    if reader:
        source.SetImageIO(reader)
    try:
        source.SetFileName(name)
        source.ReadImageInformation()
        yield source
    except RuntimeError as error:
        if type(error) is not RuntimeError:
            raise
        raise unreadable(path, _itk_reason(str(error))) from error


def _voxels(source: Any, path: str, header: ImageHeader) -> NDArray[Any]:
    try:
        return adopt(source.Execute())
    except RuntimeError as error:
        if "allocate" in str(error).lower():
            message = f"cannot read {path}: not enough memory for the {header.byte_count} bytes of its voxels"
            raise MemoryLimitError(message) from error
        raise


def _itk_reason(message: str) -> str:
    """The one thing that went wrong, out of ITK's exception."""
    if "Unable to determine ImageIO" in message:
        return "it is in no format that ITK knows, or its beginning is damaged"
    if "[nrrd]" in message:
        return checks.shown(message.rsplit("[nrrd]", 1)[1].split(": ", 1)[-1], 300)
    lines = [line.strip() for line in message.replace("sitk::ERROR:", "").splitlines()]
    told = " ".join(line for line in lines if line and not line.startswith(("Exception thrown", "/")))
    return checks.shown(told.removeprefix("ITK ERROR: ").split("): ", 1)[-1], 300) or "ITK gives no reason"


def _texts(source: Any) -> dict[str, str]:
    """The texts of a header, without what SimpleITK can only name, not print, and names that it cannot give back."""
    told = {}
    for key in source.GetMetaDataKeys():
        if checks.is_utf8(key) and "[UNKNOWN_PRINT_CHARACTERISTICS]" not in (text := source.GetMetaData(key)):
            told[key] = checks.decoded(text.encode("utf-8", "surrogateescape"))
    return told


def _described(source: Any, path: str, components: int, reader: str, told: Mapping[str, str]) -> ImageHeader:
    """What ITK's reader and SimpleITK's image say in the same words."""
    dimension = source.GetDimension()
    if not 2 <= dimension <= 4:
        raise unreadable(path, f"it has {dimension} dimensions, 2 to 4 are possible")
    sizes = tuple(reversed(source.GetSize()))
    checks.check_shape(path, sizes)
    provided, full_name = ({"ITK.InputFilterName": reader}, f"ITK {reader}") if reader else ({}, "")
    dtype, frame = _dtype(source, path), _frame(source, path, dimension)
    return formats.header(
        path, sizes, dtype, frame, components=components, entries=told, provided=provided, reader=full_name
    )


def _dtype(source: Any, path: str) -> np.dtype[Any]:
    name = library().GetPixelIDValueAsString(source.GetPixelID())
    code = _TYPES.get(name.removeprefix("vector of "))
    if code is None:
        raise unreadable(path, f"its voxels are of type {name}; the types here are {', '.join(_TYPES)}")
    return np.dtype(code)


def _frame(source: Any, path: str, dimension: int) -> Frame:
    axes = min(dimension, 3)
    spacing, origin, direction = np.ones(3), np.zeros(3), np.eye(3)
    spacing[:axes] = source.GetSpacing()[:axes]
    origin[:axes] = source.GetOrigin()[:axes]
    whole = np.array(source.GetDirection(), np.float64).reshape(dimension, dimension)
    direction[:axes, :axes] = whole[:axes, :axes]
    return checks.frame(path, spacing, origin, direction)


class _Owner:
    """Keeps a SimpleITK image alive for the arrays that show its voxels."""

    def __init__(self, image: Any) -> None:
        view = library().GetArrayViewFromImage(image)
        self.image = image
        address = view.__array_interface__["data"][0]
        self.__array_interface__ = {
            "data": (address, False),
            "shape": view.shape,
            "typestr": view.dtype.str,
            "version": 3,
        }


def adopt(image: Any) -> NDArray[Any]:
    """Return the voxels of a SimpleITK image that nobody else has, without a copy; the array keeps it alive."""
    return np.asarray(_Owner(image))


# --- writing -----------------------------------------------------------------------------------------------------


def write(record: ImageRecord, path: str, format_: Format, *, compress: bool, **_: Any) -> None:
    image = record_to_sitk(record)
    if format_.metadata:
        describe(image, record, longest=format_.longest_entry)
    target = Path(path)
    if not format_.detached:
        with atomic_output(target) as temporary:
            _write(image, temporary, target, compress=compress)
        return
    with atomic_folder(target) as header:
        _write(image, header.with_name(with_small_ending(target.name)), target, compress=compress)
        if "\\" in target.name and format_.name == "MetaImage":
            _name_data(header)


def _name_data(header: Path) -> None:
    """Write the whole name of the data file into a header: MetaIO takes a backslash for the end of a folder."""
    (data,) = (file.name for file in header.parent.iterdir() if file != header)
    text = header.read_bytes()
    header.write_bytes(text[: text.rindex(b"ElementDataFile")] + f"ElementDataFile = {data}\n".encode())


def _write(image: Any, temporary: Path, target: Path, *, compress: bool) -> None:
    # Packing takes as much again.
    checks.check_room(2 * _bytes_of(image), "writing the voxels")
    writer = library().ImageFileWriter()
    writer.SetUseCompression(compress)
    is_meta = temporary.suffix in (".mha", ".mhd")
    try:
        if is_meta and _has_little_room(temporary.parent, image):
            _write_through_memory(writer, image, temporary)
            return
        with checks.alias(os.fspath(temporary)) as name:
            writer.SetFileName(name)
            writer.Execute(image)
    except RuntimeError as error:
        full = disk_is_full(temporary.parent)
        reason = "the disk is full" if full else _itk_reason(str(error)).replace(temporary.name, "the file")
        raise FileWriteError(f"cannot write {target}: {reason}") from error


def _has_little_room(folder: Path, image: Any) -> bool:
    """Whether the file system may be full before all is written."""
    if not hasattr(os, "memfd_create"):
        return False
    return bool(shutil.disk_usage(folder).free < _bytes_of(image) + (1 << 20))


def _bytes_of(image: Any) -> int:
    return int(image.GetNumberOfPixels() * image.GetNumberOfComponentsPerPixel() * image.GetSizeOfPixelComponent())


def _write_through_memory(writer: Any, image: Any, temporary: Path) -> None:
    """Write files to memory first and copy them: MetaIO prints when a disk is full, a copy raises an error."""
    names = [temporary.name, *(temporary.with_suffix(suffix).name for suffix in (".raw", ".zraw"))]
    with tempfile.TemporaryDirectory(prefix="mitk_rs-") as folder, contextlib.ExitStack() as files:
        made = [files.enter_context(open(os.memfd_create("image"), "rb")) for _ in names]  # noqa: PTH123
        for name, file in zip(names, made, strict=True):
            Path(folder, name).symlink_to(f"/proc/self/fd/{file.fileno()}")
        writer.SetFileName(os.path.join(folder, temporary.name))  # noqa: PTH118
        writer.Execute(image)
        for name, file in zip(names, made, strict=True):
            if os.fstat(file.fileno()).st_size:
                with temporary.with_name(name).open("wb") as copy:
                    shutil.copyfileobj(file, copy)


def record_to_sitk(record: ImageRecord) -> Any:
    """Return a SimpleITK image with a copy of the voxels and the geometry that SimpleITK can hold."""
    checks.check_room(record.byte_count, "a copy of the voxels")
    image = library().GetImageFromArray(record.array, isVector=record.components > 1)
    frame, dimension = formats.header_frame(record), record.dimension
    axes = min(dimension, 3)
    direction = np.eye(dimension)
    direction[:axes, :axes] = frame.direction[:axes, :axes]
    image.SetSpacing((*frame.spacing[:axes], 1.0)[:dimension])
    image.SetOrigin((*frame.origin[:axes], 0.0)[:dimension])
    image.SetDirection(direction.ravel().tolist())
    return image


def describe(image: Any, record: ImageRecord, *, longest: int | None = None) -> None:
    """Give a SimpleITK image the text entries that files of the record have, each of at most ``longest`` letters."""
    for key, value in formats.entries_of(record, longest=longest).items():
        image.SetMetaData(key, value)


def sitk_to_record(image: Any) -> ImageRecord:
    header = _described(image, "SimpleITK image", image.GetNumberOfComponentsPerPixel(), "", _texts(image))
    return ImageRecord.of(header, adopt(image).reshape(header.shape).copy())
