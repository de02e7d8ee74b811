"""NIfTI's traps: truncated files that read as zeros, and neighbours whose voxels are read by mistake."""

from __future__ import annotations

import gzip
import os
import struct
import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from mitk_rs.io.atomic import full_suffix

__all__ = ["bad_spacing", "missing_bytes", "restore_non_finite", "unambiguous"]

# The library behind ITK looks for voxels under the base name, uncompressed first: asked for x.nii.gz, it takes the
# voxels of x.nii where that exists, too.
_PREFERRED = {".nii.gz": (".nii",), ".hdr.gz": (".img", ".nii"), ".img.gz": (".img", ".nii")}
_DATA = {".hdr": (".img", ".img.gz"), ".hdr.gz": (".img.gz", ".img")}
_HEADER = {".img": (".hdr", ".hdr.gz"), ".img.gz": (".hdr.gz", ".hdr")}
# By the header's first number, its own length: type and place of dim and of pixdim in NIfTI-1 and NIfTI-2.
_LAYOUTS = {348: ("8h", 40, "8f", 76), 540: ("8q", 16, "8d", 104)}
_LONGEST = 168
# NIfTI-1: length, type and place of the data; the types that know NaN; how many voxels are looked at together.
_TYPE_FIELDS = (("i", 0), ("h", 70), ("f", 108))
_FLOATS = {16: "f4", 64: "f8"}
_CHUNK = 1 << 20


@contextmanager
def unambiguous(path: str) -> Iterator[str]:
    """Give a name for a NIfTI file under which no neighbour can be taken for it."""
    suffix = full_suffix(path).lower()
    stem = path[: -len(suffix)] if suffix else path
    # It knows endings in small or in capital letters, not in a mixture of both.
    is_mixed = suffix in (".nii", ".nii.gz") and not path.endswith((suffix, suffix.upper()))
    if not is_mixed and not any(os.path.exists(stem + other) for other in _PREFERRED.get(suffix, ())):  # noqa: PTH110
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        alias = Path(folder, "image" + suffix)
        alias.symlink_to(Path(path).absolute())
        for header, data in ((".hdr.gz", ".img.gz"), (".img.gz", ".hdr.gz")):
            if suffix == header:
                Path(folder, "image" + data).symlink_to(Path(stem + data).absolute())
        yield os.fspath(alias)


def _sibling(path: Path, endings: Mapping[str, tuple[str, ...]]) -> Path:
    """The other file of a pair .hdr/.img, compressed or not; the file itself where it is alone."""
    suffix = full_suffix(path).lower()
    stem = path.name[: -len(suffix)] if suffix else path.name
    candidates = [path.with_name(stem + other) for other in endings.get(suffix, ())]
    return next((one for one in candidates if one.exists()), path)


def _opened(file: Path) -> IO[bytes]:
    is_packed = file.name.lower().endswith(".gz")
    return gzip.open(file, "rb") if is_packed else file.open("rb")  # type: ignore[return-value]


def _first_bytes(path: str) -> bytes:
    with _opened(_sibling(Path(path), _HEADER)) as stream:
        return stream.read(_LONGEST)


def bad_spacing(path: str) -> str | None:
    """Return the field whose voxel size is not above 0, which ITK would silently replace by 1; else None."""
    header = _first_bytes(path)
    for order in "<>":
        layout = _LAYOUTS.get(struct.unpack_from(order + "i", header)[0]) if len(header) == _LONGEST else None
        if layout is not None:
            sizes, at, spacings, there = layout
            return _first_bad(
                struct.unpack_from(order + sizes, header, at), struct.unpack_from(order + spacings, header, there)
            )
    return None


def _first_bad(dim: Sequence[int], pixdim: Sequence[float]) -> str | None:
    for axis in range(1, min(dim[0], 3) + 1):
        if dim[axis] > 1 and not 0 < pixdim[axis] < float("inf"):
            return f"field pixdim[{axis}] is {pixdim[axis]:g}, it must be above 0"
    return None


def restore_non_finite(path: str, voxels: NDArray[Any]) -> None:
    """Put NaN and infinities back into ``voxels``: the library behind ITK makes them 0 without a word.

    Parameters
    ----------
    path
        The file, or one of a pair.
    voxels
        What was read, in the order of the file, components slowest; changed in place.
    """
    header = _first_bytes(path)
    order = "<" if header[:4] == struct.pack("<i", 348) else ">"
    (size,), (code,), (offset,) = (struct.unpack_from(order + kind, header, at) for kind, at in _TYPE_FIELDS)
    if size == 348 and code in _FLOATS:
        _restore(_sibling(Path(path), _DATA), int(offset), np.dtype(order + _FLOATS[code]), voxels)


def _restore(file: Path, offset: int, dtype: np.dtype[Any], voxels: NDArray[Any]) -> None:
    with _opened(file) as stream:
        stream.seek(offset)
        for first in range(0, voxels.size, _CHUNK):
            count = min(_CHUNK, voxels.size - first)
            numbers = np.frombuffer(stream.read(count * dtype.itemsize), dtype)
            lost = np.flatnonzero(~np.isfinite(numbers))
            voxels[np.unravel_index(first + lost, voxels.shape)] = numbers[lost]


def missing_bytes(path: str, fields: Mapping[str, str]) -> str | None:
    """Return how much the header needs and how little there is, None if all is there.

    Parameters
    ----------
    path
        The file, or the header of a pair.
    fields
        The header's fields under ITK's names (``dim[1]``, ``bitpix``, ``vox_offset``).
    """
    if "bitpix" not in fields:
        return None
    voxels = 1
    for axis in range(1, int(fields["dim[0]"]) + 1):
        voxels *= max(int(fields[f"dim[{axis}]"]), 1)
    needed = voxels * int(fields["bitpix"]) // 8 + int(float(fields["vox_offset"]))
    held = _held(_sibling(Path(path), _DATA), needed)
    return None if held >= needed else f"the header needs {needed} bytes, there are {held}"


def _held(path: Path, needed: int) -> int:
    """Bytes in the file, unpacked if it is a gzip file; counting may stop at ``needed``."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if file.read(2) != b"\x1f\x8b" or size < 18:
            return size
        file.seek(-4, os.SEEK_END)
        (promised,) = struct.unpack("<I", file.read(4))
    # The end of a whole gzip file says how long its content is; only when it disagrees is the content counted.
    return needed if promised == needed % 2**32 else _unpacked(path, needed)


def _unpacked(path: Path, enough: int) -> int:
    count = 0
    try:
        with gzip.open(path, "rb") as stream:
            while count < enough and (block := stream.read(1 << 20)):
                count += len(block)
    except (EOFError, OSError, zlib.error):
        pass
    return count
