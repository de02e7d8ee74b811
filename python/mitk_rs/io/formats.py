"""What each file format can hold, and the refusal of what it cannot, before anything is written."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mitk_rs.errors import FileWriteError
from mitk_rs.io.atomic import full_suffix
from mitk_rs.io.record import ImageHeader, is_axis_aligned

__all__ = [
    "FORMATS",
    "Format",
    "check_fits",
    "format_of",
    "loses_axes",
    "stored_dimension",
    "suffixes_that_hold",
    "writable_format",
]

ALL_TYPES = frozenset(["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"])
Geometry = Literal["any", "orthonormal", "aligned", "none"]


@dataclass(frozen=True)
class Format:
    """One format and its limits.

    Attributes
    ----------
    suffixes
        Endings in lower case, the usual one first.
    reader
        Name of the reader as ``IOUtil.load`` knows it.
    adapter
        Module of :mod:`mitk_rs.io` that reads and writes it.
    dimensions, types, components
        What it can hold; ``components`` None is any number.
    geometry
        ``any``: every direction matrix. ``orthonormal``: no shear. ``aligned``: spacing and origin only.
        ``none``: a picture, which knows no millimetres.
    metadata
        True where it can hold time points and properties.
    detached
        True where the voxels are in a file of their own.
    lossy
        True where the voxels come back changed.
    other_readers
        Readers that can be preferred to ``reader``.
    drops_ones
        True where readers leave out last axes of length 1.
    longest_axis
        What a length can be at most.
    longest_entry
        Number of letters that a text entry can have at most.
    marks
        What files of the format begin with: bytes, and the place at which they are.
    """

    name: str
    suffixes: tuple[str, ...]
    reader: str
    adapter: str
    dimensions: frozenset[int] = frozenset({2, 3, 4})
    types: frozenset[str] = ALL_TYPES
    components: frozenset[int] | None = None
    geometry: Geometry = "any"
    metadata: bool = False
    detached: bool = False
    lossy: bool = False
    other_readers: tuple[str, ...] = ()
    drops_ones: bool = False
    longest_axis: int = 1 << 31
    longest_entry: int | None = None
    marks: tuple[tuple[int, bytes], ...] = ()


_BYTES = frozenset({"u1"})
_FLAT = frozenset({2})
_NIFTI: Any = {
    "geometry": "orthonormal",
    "drops_ones": True,
    "longest_axis": 32767,
    "other_readers": ("ITK NiftiImageIO",),
}
_META: Any = {"metadata": True, "longest_entry": 32767}
_NRRD: Any = {"metadata": True, "longest_entry": 1 << 25}
FORMATS: tuple[Format, ...] = (
    Format(
        "MetaImage",
        (".mha",),
        "ITK MetaImageIO",
        "itk",
        marks=((0, b"ObjectType"), (0, b"NDims"), (0, b"Comment =")),
        **_META,
    ),
    Format("MetaImage", (".mhd",), "ITK MetaImageIO", "itk", detached=True, **_META),
    Format("NRRD", (".nrrd",), "ITK NrrdImageIO", "itk", marks=((0, b"NRRD000"),), **_NRRD),
    Format("NRRD", (".nhdr",), "ITK NrrdImageIO", "itk", detached=True, **_NRRD),
    Format(
        "NIfTI",
        (".nii", ".nii.gz"),
        "nibabel NIfTI",
        "nifti",
        marks=((344, b"n+1\0"), (4, b"n+2\0"), (0, b"\x1f\x8b")),
        **_NIFTI,
    ),
    Format("NIfTI pair", (".hdr", ".img", ".hdr.gz", ".img.gz"), "nibabel NIfTI", "nifti", detached=True, **_NIFTI),
    Format(
        "VTK XML",
        (".vti", ".vtkxml"),
        "VTK XMLImageDataReader",
        "vtk",
        frozenset({2, 3}),
        metadata=True,
        marks=((0, b"<?xml"), (0, b"<VTKFile")),
    ),
    Format(
        "VTK legacy",
        (".vtk",),
        "VTK StructuredPointsReader",
        "vtk",
        frozenset({2, 3}),
        geometry="aligned",
        metadata=True,
        other_readers=("ITK VTKImageIO",),
        marks=((0, b"# vtk DataFile"),),
    ),
    Format(
        "TIFF",
        (".tif", ".tiff"),
        "tifffile TIFF",
        "pictures",
        frozenset({2, 3}),
        ALL_TYPES - {"u8", "i8", "f8"},
        geometry="none",
        drops_ones=True,
        other_readers=("ITK TIFFImageIO",),
        marks=((0, b"II*\0"), (0, b"MM\0*"), (0, b"II+\0"), (0, b"MM\0+")),
    ),
    Format(
        "PNG",
        (".png",),
        "ITK PNGImageIO",
        "itk",
        _FLAT,
        frozenset({"u1", "u2"}),
        frozenset({1, 3, 4}),
        geometry="none",
        marks=((0, b"\x89PNG\r\n"),),
    ),
    Format(
        "JPEG",
        (".jpg", ".jpeg"),
        "Pillow JPEG",
        "pictures",
        _FLAT,
        _BYTES,
        frozenset({1, 3}),
        geometry="none",
        lossy=True,
        other_readers=("ITK JPEGImageIO",),
        marks=((0, b"\xff\xd8\xff"),),
    ),
    Format(
        "BMP",
        (".bmp",),
        "Pillow BMP",
        "pictures",
        _FLAT,
        _BYTES,
        frozenset({1, 3}),
        geometry="none",
        other_readers=("ITK BMPImageIO",),
        marks=((0, b"BM"),),
    ),
    Format(
        "NumPy",
        (".npy",),
        "NumPy npy",
        "pictures",
        components=frozenset({1}),
        geometry="none",
        marks=((0, b"\x93NUMPY"),),
    ),
)
# A header names its data file in a line of text, and readers take % for the template of a series.
_UNNAMEABLE = re.compile("[\\x00-\\x1f\\x7f%\ud800-\udfff]|^\\s")
_BY_SUFFIX = {suffix: format_ for format_ in FORMATS for suffix in format_.suffixes}


def format_of(path: str | os.PathLike[str]) -> Format | None:
    """Return the format that the ending of ``path`` names, in small or capital letters; None if there is none."""
    suffix = full_suffix(path).lower()
    return _BY_SUFFIX.get(suffix) or _BY_SUFFIX.get(os.path.splitext(suffix)[1])  # noqa: PTH122


def writable_format(path: str | os.PathLike[str]) -> Format:
    """Return the format to write ``path`` in.

    Raises
    ------
    FileWriteError
        The name has no ending, or one that no format here has.
    """
    chosen = format_of(path)
    if chosen is None:
        suffix = full_suffix(path)
        what = f"unknown format {suffix!r}" if suffix else "a name without an ending that would name the format"
        raise FileWriteError(f"cannot write {os.fspath(path)}: {what}; known are {', '.join(sorted(_BY_SUFFIX))}")
    refusal = _name_refusal(os.path.basename(os.fspath(path)), chosen)  # noqa: PTH119
    if refusal:
        raise FileWriteError(f"cannot write {os.fspath(path)!r}: {refusal}")
    return chosen


def _name_refusal(name: str, chosen: Format) -> str | None:
    if chosen.detached and chosen.metadata and _UNNAMEABLE.search(name):
        return (
            f"a {chosen.name} header cannot name a data file with a blank before it, "
            "control characters, a % or bytes that are not UTF-8 in it"
        )
    if chosen.name == "NIfTI pair" and full_suffix(name) != full_suffix(name).lower():
        return "the endings of a NIfTI pair must be in small letters"
    return None


def suffixes_that_hold(image: ImageHeader) -> list[str]:
    """Return the usual endings of the formats that can hold ``image`` with its geometry."""
    return [
        format_.suffixes[0] for format_ in FORMATS if format_.geometry != "none" and _misfit(image, format_) is None
    ]


def check_fits(image: ImageHeader, path: str | os.PathLike[str]) -> Format:
    """Return the format of ``path`` if it can hold ``image``.

    Raises
    ------
    FileWriteError
        It cannot; the message says what does not fit and which endings would do.
    """
    chosen = writable_format(path)
    misfit = _misfit(image, chosen)
    if misfit is None:
        return chosen
    others = ", ".join(suffixes_that_hold(image)) or "no format here"
    raise FileWriteError(f"cannot write {os.fspath(path)}: {chosen.name} cannot hold {misfit}; {others} can")


def _misfit(image: ImageHeader, format_: Format) -> str | None:
    code = image.dtype.str[1:]
    if stored_dimension(image, format_) not in format_.dimensions:
        return f"{image.dimension} dimensions"
    if code not in format_.types:
        return f"{image.dtype.name} voxels"
    if max(image.shape[: image.dimension]) > format_.longest_axis:
        return f"an axis of {max(image.shape[: image.dimension])} voxels"
    if format_.components is not None and image.components not in format_.components:
        return f"{image.components} components per voxel"
    if format_.name.startswith("NIfTI") and image.components > 1 and set(image.shape[:-2]) == {1}:
        return "several components in a single row of voxels"
    return _geometry_misfit(image, format_)


def stored_dimension(image: ImageHeader, format_: Format) -> int:
    """Return how many axes the file has: a single slice goes into a format for pictures, as in MITK."""
    is_slice = image.dimension == 3 and image.shape[0] == 1
    return 2 if is_slice and max(format_.dimensions) == 2 else image.dimension


def loses_axes(image: ImageHeader, format_: Format) -> bool:
    """Return True where the image comes back with fewer axes; those it loses have length 1."""
    if stored_dimension(image, format_) < image.dimension:
        return True
    # NIfTI knows the axes of a scalar image up to the third.
    is_known = format_.name.startswith("NIfTI") and image.components == 1 and image.dimension < 4
    return format_.drops_ones and image.dimension > 2 and image.shape[0] == 1 and not is_known


def _geometry_misfit(image: ImageHeader, format_: Format) -> str | None:
    direction = image.frame.direction
    if format_.geometry == "none" and not is_axis_aligned(direction):
        return "an oblique direction"
    if format_.geometry == "aligned" and not np.array_equal(direction, np.eye(3)):
        return "a direction matrix"
    if format_.geometry == "orthonormal":
        if np.abs(direction.T @ direction - np.eye(3)).max() > 1e-5:
            return "a sheared direction matrix"
        if image.dimension == 2 and not lies_in_plane(image):
            return "a 2-D image whose plane is tilted or away from z = 0"
    if image.has_moving_frame and not format_.metadata:
        return "a geometry of its own for each time step"
    return None


def lies_flat(direction: NDArray[np.float64]) -> bool:
    """Return True where x and y of the image are turned within the world's x and y only."""
    third = [0.0, 0.0, 1.0]
    return np.array_equal(direction[2], third) and np.array_equal(direction[:, 2], third)


def lies_in_plane(image: ImageHeader) -> bool:
    """Return True where a 2-D header says all: the plane z = 0 with unit thickness (MITK's rule for 2-D files)."""
    frame = image.frame
    return lies_flat(frame.direction) and frame.spacing[2] == 1.0 and frame.origin[2] == 0.0
