"""Reading and writing images: ``vmtkimagereader`` and ``vmtkimagewriter``.

Besides image files these are folders with a DICOM series, raw voxels, and series of numbered pictures.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mitk_rs._platform import vtk
from mitk_rs.errors import FileError, FileMissingError, RequestError
from mitk_rs.io.atomic import atomic_outputs, check_writable, full_suffix
from mitk_rs.io.formats import writable_format
from mitk_rs.vmtk import tables
from mitk_rs.vmtk.conversion import (
    Frame,
    as_image,
    as_working,
    attach,
    frame_of,
    geometry_note,
    is_vtk_format,
    read_image,
    write_image,
)
from mitk_rs.vmtk.script import pypeScript
from mitk_rs.vmtk.scripts.surfaces import write_point_table

if TYPE_CHECKING:
    from mitk_rs.io import ReadOptions

__all__ = [
    "SCALAR_TYPES",
    "grey_values",
    "read_raw",
    "read_series",
    "vmtkImageReader",
    "vmtkImageWriter",
    "write_pictures",
]

_READ_FORMATS = {
    ".vti": "vtkxml",
    ".vtkxml": "vtkxml",
    ".vtk": "vtk",
    ".dcm": "dicom",
    ".raw": "raw",
    ".mhd": "meta",
    ".mha": "meta",
    ".tif": "tiff",
    ".png": "png",
}
_READ_TITLES = {"vtkxml": "VTK XML image", "vtk": "VTK image", "raw": "RAW image"}
# Where the axes of the voxels point to: L(eft), P(osterior), S(uperior), ...
_ORIENTATIONS = {"native": "", "axial": "LPS", "coronal": "LIP", "sagittal": "PIR"}
_IDENTITY = [float(value) for value in np.eye(4).ravel()]


class vmtkImageReader(pypeScript):
    """Read an image (VMTK's ``vmtkImageReader``).

    Attributes
    ----------
    Image
        ``vtkImageData`` in VMTK's frame: files of ITK's formats have x and y of the origin negated.
    RasToIjkMatrixCoefficients, XyzToRasMatrixCoefficients
        4 x 4, row by row: from RAS millimetres to voxels, and from VMTK's frame to RAS millimetres.
    """

    Table = tables.IMAGE_READER
    Image: Any
    Format: str
    GuessFormat: int
    InputFileName: str
    InputFilePrefix: str
    InputFilePattern: str
    InputDirectoryName: str
    DataExtent: list[int]
    DataSpacing: list[float]
    DataOrigin: list[float]
    DesiredOrientation: str
    DataByteOrder: str
    DataScalarType: str
    HeaderSize: int
    Flip: list[int]
    RasToIjkMatrixCoefficients: list[float]
    XyzToRasMatrixCoefficients: list[float]
    Series: str
    AllowGaps: int
    Output: Any = None

    def Execute(self) -> None:
        """Read the image and log its spacing, origin and dimensions.

        Raises
        ------
        RequestError
            Nothing to read is named.
        FileMissingError, FileError
            A file is missing, damaged, or of no known format.
        """
        image = self._read()
        if any(self.Flip):
            image = _flipped(image, self.Flip)
        self.Image = self.Output = image
        self._set_matrices(image)
        self.PrintLog("Spacing {:f} {:f} {:f}".format(*image.GetSpacing()))
        self.PrintLog("Origin {:f} {:f} {:f}".format(*image.GetOrigin()))
        self.PrintLog("Dimensions {:d} {:d} {:d}".format(*image.GetDimensions()))

    def _read(self) -> Any:
        if self.InputDirectoryName:
            return self._read_folder()
        if self.InputFilePrefix or self.InputFilePattern:
            pattern = self.InputFilePattern or "%s%04d.png"
            return read_series(self.InputFilePrefix, pattern, self.DataExtent, self.DataSpacing, self.DataOrigin)
        if not self.InputFileName:
            self.PrintError("Error: no InputFileName.")
        return self._read_file()

    def _read_folder(self) -> Any:
        if not Path(self.InputDirectoryName).is_dir():
            raise FileError(f"-d {self.InputDirectoryName}: no such folder")
        self.PrintLog("Reading DICOM directory.")
        return read_image(self.InputDirectoryName, _ORIENTATIONS[self.DesiredOrientation], **self._options())

    def _read_file(self) -> Any:
        guessed = _READ_FORMATS.get(full_suffix(self.InputFileName).lower(), "") if self.GuessFormat else ""
        chosen = self.Format or guessed
        if chosen in _READ_TITLES:
            self.PrintLog(f"Reading {_READ_TITLES[chosen]} file.")
        if chosen == "raw":
            return self._read_raw()
        if self.Format and guessed and self.Format != guessed:
            raise RequestError(f"-f {self.Format} does not fit {self.InputFileName}, whose ending says {guessed}")
        code = _ORIENTATIONS[self.DesiredOrientation]
        if code and is_vtk_format(self.InputFileName):
            self.PrintWarning(
                f"-orientation {self.DesiredOrientation} has no effect: {guessed or chosen} files have none"
            )
        return read_image(self.InputFileName, code, **self._options())

    def _options(self) -> ReadOptions:
        return {"series": self.Series or None, "allow_gaps": bool(self.AllowGaps)}

    def _read_raw(self) -> Any:
        return read_raw(
            self.InputFileName,
            extent=self.DataExtent,
            spacing=self.DataSpacing,
            origin=self.DataOrigin,
            scalar_type=self.DataScalarType,
            big_endian=self.DataByteOrder == "bigendian",
            header_size=self.HeaderSize,
        )

    def _set_matrices(self, image: Any) -> None:
        frame, ras = frame_of(image), np.diag([-1.0, -1.0, 1.0])
        to_ras, to_xyz = np.eye(4), np.eye(4)
        if frame is not None:
            to_ras[:3, :3] = ras @ frame.direction
            to_ras[:3, 3] = ras @ (frame.anchor - frame.direction @ frame.memory)
        to_xyz[:3, :3] = np.diag(image.GetSpacing())
        to_xyz[:3, 3] = image.GetOrigin()
        self.XyzToRasMatrixCoefficients = [float(value) for value in to_ras.ravel()]
        self.RasToIjkMatrixCoefficients = [float(value) for value in np.linalg.inv(to_ras @ to_xyz).ravel()]


def _flipped(image: Any, axes: list[int]) -> Any:
    for axis, wanted in enumerate(axes):
        if wanted:
            flip = vtk("vtkImagingCore").vtkImageFlip()
            flip.SetInputData(image)
            flip.SetFilteredAxis(axis)
            flip.Update()
            flipped = flip.GetOutput()
            flipped.GetFieldData().ShallowCopy(image.GetFieldData())
            image = flipped
    return image


# Writing

_WRITE_FORMATS = {
    ".vti": "vtkxml",
    ".vtkxml": "vtkxml",
    ".vtk": "vtk",
    ".png": "png",
    ".tif": "tiff",
    ".dat": "pointdata",
}
_SUFFIXES = {"vtkxml": ".vti", "vtk": ".vtk", "meta": ".mha"}
_WRITE_TITLES = {
    "vtkxml": "VTK XML image",
    "vtk": "VTK image",
    "png": "PNG image",
    "tiff": "TIFF image",
    "pointdata": "PointData",
}
_TYPES = {"double": np.float64, "float": np.float32, "short": np.int16}
_VMTK_WINDOW = [1.0, 0.0]


class vmtkImageWriter(pypeScript):
    """Write an image (VMTK's ``vmtkImageWriter``); the file is whole or absent.

    Attributes
    ----------
    WindowLevel
        For pictures: black at level - window / 2, white at level + window / 2. Window 0, and VMTK's default of
        1 0 (which makes every CT black and white), take the full range.
    RasToIjkMatrixCoefficients
        With ``ApplyTransform``: where the voxels of the file are, 4 x 4 row by row.
    """

    Table = tables.IMAGE_WRITER
    Image: Any
    Format: str
    GuessFormat: int
    ApplyTransform: int
    OutputFileName: str
    OutputDirectoryName: str
    PixelRepresentation: str
    WindowLevel: list[float]
    RasToIjkMatrixCoefficients: list[float]
    Geometry: str
    Input: Any = None

    def Execute(self) -> None:
        """Write the image.

        Raises
        ------
        RequestError
            No image, or no file name.
        FileWriteError
            The file cannot be written, or its format cannot hold the image.
        """
        given = self.Image = self._taken("Image")
        self._write(self._prepared(as_working(given)))

    def CheckOutputs(self) -> None:
        """Refuse a file that could not be written, before anything is computed."""
        if not self.OutputFileName:
            return
        if not self.Format and full_suffix(self.OutputFileName).lower() not in _WRITE_FORMATS:
            writable_format(self.OutputFileName)
        check_writable(
            Path(self.OutputDirectoryName) / Path(self.OutputFileName).name
            if self.OutputDirectoryName
            else self.OutputFileName
        )

    def _prepared(self, image: Any) -> Any:
        if self.PixelRepresentation:
            image = self._cast(image)
        return self._transformed(image) if self.ApplyTransform else image

    def _cast(self, image: Any) -> Any:
        from mitk_rs.image import Image
        from mitk_rs.vmtk.conversion import fresh_like

        values = as_image(image).as_numpy(time_step=0)
        return fresh_like(image, Image(values.astype(_TYPES[self.PixelRepresentation])))

    def _transformed(self, image: Any) -> Any:
        """The image with a frame that puts voxel 0 0 0 and the axes where the matrix says."""
        to_voxels = np.array(self.RasToIjkMatrixCoefficients, dtype=float).reshape(4, 4)
        try:
            world = np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.linalg.inv(to_voxels)
        except np.linalg.LinAlgError:
            raise RequestError("-matrix has no inverse: it has to be the 4 x 4 matrix from RAS to voxels") from None
        copy = image.NewInstance()
        copy.ShallowCopy(image)
        steps = np.linalg.norm(world[:3, :3], axis=0)
        copy.SetSpacing(*steps)
        attach(copy, Frame(np.array(image.GetOrigin()), world[:3, 3], world[:3, :3] / steps))
        return copy

    def _write(self, image: Any) -> None:
        guessed = _WRITE_FORMATS.get(full_suffix(self.OutputFileName).lower(), "") if self.GuessFormat else ""
        chosen = self.Format or guessed
        if chosen in _WRITE_TITLES:
            self.PrintLog(f"Writing {_WRITE_TITLES[chosen]} file.")
        if chosen == "pointdata":
            write_point_table(image, Path(self.OutputFileName))
        elif chosen in ("png", "tiff"):
            self._write_pictures(image, ".png" if chosen == "png" else ".tif")
        else:
            self._write_image(image, _SUFFIXES.get(self.Format, ""))

    def _write_image(self, image: Any, suffix: str) -> None:
        note = geometry_note(image, self.OutputFileName, self.Geometry)
        write_image(image, self.OutputFileName, self.Geometry, suffix)
        if note:
            self.PrintNote(note)

    def _write_pictures(self, image: Any, suffix: str) -> None:
        window, level = (0.0, 0.0) if list(self.WindowLevel) == _VMTK_WINDOW else self.WindowLevel
        name = Path(self.OutputFileName)
        if self.OutputDirectoryName:
            name = Path(self.OutputDirectoryName) / name.name
        names = write_pictures(as_image(image).as_numpy(time_step=0), name, suffix, window, level)
        if len(names) > 1:
            self.PrintNote(f"wrote {len(names)} pictures, {names[0]} to {names[-1]}")


# Files without a header: raw voxels and series of pictures

SCALAR_TYPES = {"float": "f4", "double": "f8", "int": "i4", "short": "i2", "ushort": "u2", "uchar": "u1"}
_PATTERN = re.compile(r"[^%]*(%s)?[^%]*%0?\d{0,2}d[^%]*")


def read_raw(
    name: str,
    *,
    extent: Sequence[int],
    spacing: Sequence[float],
    origin: Sequence[float],
    scalar_type: str,
    big_endian: bool,
    header_size: int,
) -> Any:
    """Read voxels, x fastest, as ``vtkImageData``.

    Raises
    ------
    FileMissingError, FileError
        The file is missing or has another size than the extent needs.
    RequestError
        There is no extent.
    """
    lengths = _lengths(extent)
    kind = np.dtype(SCALAR_TYPES[scalar_type]).newbyteorder(">" if big_endian else "<")
    path = Path(name)
    if not path.is_file():
        raise FileMissingError(f"no such file: {name}")
    needed, present = math.prod(lengths) * kind.itemsize, path.stat().st_size - header_size
    if present < needed:
        text = f"{lengths[0]} x {lengths[1]} x {lengths[2]} {scalar_type}"
        raise FileError(f"cannot read {name}: {text} need {needed} bytes, the file has {max(present, 0)}")
    voxels = np.fromfile(path, kind, math.prod(lengths), offset=header_size)
    native = voxels.astype(kind.newbyteorder("="), copy=False)
    return _image(native.reshape(lengths[::-1]), extent, spacing, origin)


def read_series(
    prefix: str, pattern: str, extent: Sequence[int], spacing: Sequence[float], origin: Sequence[float]
) -> Any:
    """Read pictures with numbered names as the slices of one image.

    Raises
    ------
    RequestError
        There is no extent, or the pattern is not one of a number and perhaps ``%s``.
    FileMissingError, FileError
        A picture is missing or of another size.
    """
    from mitk_rs.io import read_record

    _lengths(extent)
    if not _PATTERN.fullmatch(pattern):
        raise RequestError(f"-pattern {pattern}: it needs one number such as %04d, and may have %s for the prefix")
    slices = []
    for number in range(extent[4], extent[5] + 1):
        values = (prefix, number) if "%s" in pattern else (number,)
        slices.append(read_record(pattern % values).array)
    if len({array.shape for array in slices}) > 1:
        raise FileError(f"the pictures {prefix}... have different sizes")
    stack = np.stack(slices)
    full = [0, stack.shape[2] - 1, 0, stack.shape[1] - 1, extent[4], extent[5]]
    return _image(stack, full, spacing, origin)


def _lengths(extent: Sequence[int]) -> list[int]:
    lengths = [last - first + 1 for first, last in zip(extent[::2], extent[1::2], strict=True)]
    if min(extent) < 0 or min(lengths) < 1:
        raise RequestError("-extent i0 i1 j0 j1 k0 k1 is needed: this format does not say its size")
    return lengths


def _image(voxels: Any, extent: Sequence[int], spacing: Sequence[float], origin: Sequence[float]) -> Any:
    image = vtk("vtkCommonDataModel").vtkImageData()
    image.SetExtent(*extent)
    image.SetSpacing(*spacing)
    image.SetOrigin(*origin)
    components = voxels.shape[3] if voxels.ndim == 4 else 1
    scalars = vtk("util.numpy_support").numpy_to_vtk(np.ascontiguousarray(voxels).reshape(-1, components), deep=True)
    scalars.SetName("ImageScalars")
    image.GetPointData().SetScalars(scalars)
    return image


# Slices as 8-bit pictures


def grey_values(voxels: NDArray[Any], window: float, level: float) -> NDArray[np.uint8]:
    """Values as 0 to 255; window 0 takes the full range, and 8-bit values stay as they are."""
    if voxels.dtype == np.uint8:
        return voxels
    values = voxels.astype(np.float64)
    low, width = (level - window / 2, window) if window else (values.min(), np.ptp(values) or 1.0)
    return np.asarray(np.clip((values - low) / width * 255.0, 0.0, 255.0).astype(np.uint8))


def write_pictures(voxels: NDArray[Any], name: Path, suffix: str, window: float, level: float) -> list[Path]:
    """Write one file of a 2-D image or a single slice, else ``name0000.png``, ``name0001.png``, ...: all or none.

    Raises
    ------
    FileWriteError
        A file cannot be written.
    """
    from mitk_rs.projection.picture import write_picture

    grey = grey_values(voxels, window, level)
    slices = grey[np.newaxis] if grey.ndim == 2 else grey
    stem = name.with_suffix("")
    names = [name] if len(slices) == 1 else [Path(f"{stem}{number:04d}{suffix}") for number in range(len(slices))]
    with atomic_outputs():
        for path, values in zip(names, slices, strict=True):
            write_picture(values, path, suffix=suffix)
    return names
