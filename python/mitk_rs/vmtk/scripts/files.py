"""Reading and writing images and surfaces.

Besides files of images and surfaces these are folders with a DICOM series, raw voxels, series of numbered pictures, and
the text tables of VMTK's ``pointdata`` and Tecplot formats.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ClassVar, TextIO

import numpy as np
from numpy.typing import NDArray

from mitk_rs._platform import vtk
from mitk_rs.errors import FileError, FileMissingError, FileWriteError, RequestError
from mitk_rs.io.atomic import atomic_output, atomic_outputs, check_writable, full_suffix
from mitk_rs.io.formats import writable_format
from mitk_rs.vmtk import tables
from mitk_rs.vmtk.conversion import (
    RAS,
    Frame,
    arrays_of,
    as_image,
    as_working,
    attach,
    detach,
    filtered,
    frame_of,
    fresh_like,
    placement,
    twin,
    voxels_of,
    vtk_array,
)
from mitk_rs.vmtk.script import pypeScript

__all__ = ["SCALAR_TYPES", "vmtkImageReader", "vmtkImageWriter", "vmtkSurfaceReader", "vmtkSurfaceWriter"]


def _by_ending(**endings: str) -> dict[str, str]:
    """The name of the format of each ending."""
    return {ending: name for name, known in endings.items() for ending in known.split()}


class _FileScript(pypeScript):
    """What readers and writers share."""

    Format: str
    GuessFormat: int
    _formats: ClassVar[dict[str, str]]
    _titles: ClassVar[dict[str, str]] = {}

    def _guessed(self, name: str) -> str:
        return self._formats.get(full_suffix(name).lower(), "") if self.GuessFormat else ""


class _Writer(_FileScript):
    """What writers share."""

    OutputFileName: str
    Input: Any = None
    _member: ClassVar[str]
    _check_name: Callable[[], None]  # refuses a name under which nothing can be written
    _write: Callable[[Any], None]

    def Execute(self) -> None:
        """Write the image or surface.

        Raises ``RequestError`` (nothing to write, or no file name) or ``FileWriteError`` (the file cannot be written,
        its ending names no known format, or its format cannot hold what is written).
        """
        # As VMTK's scripts allow, it may be in `Input`.
        if getattr(self, self._member) is None:
            setattr(self, self._member, self.Input)
        given = self._needed(self._member)
        self._needed("OutputFileName")
        self._write(given)

    def CheckOutputs(self) -> None:
        """Refuse a file that could not be written, before anything is computed."""
        if self.OutputFileName:
            self._check_name()
            check_writable(self._path())

    def _path(self) -> str:
        return self.OutputFileName

    def _say_format(self, chosen: str) -> None:
        if chosen in self._titles:
            self.PrintLog(f"Writing {self._titles[chosen]} file.")


# Images

SCALAR_TYPES = {"float": "f4", "double": "f8", "int": "i4", "short": "i2", "ushort": "u2", "uchar": "u1"}
# Where the axes of the voxels point to: L(eft), P(osterior), S(uperior), ...
_ORIENTATIONS = {"axial": "LPS", "coronal": "LIP", "sagittal": "PIR"}
_PATTERN = re.compile(r"[^%]*(%s)?[^%]*%0?\d{0,2}d[^%]*")


def _is_vtk_format(name: str) -> bool:
    return full_suffix(name).lower() in (".vti", ".vtkxml", ".vtk")


class vmtkImageReader(tables.ImageReader, _FileScript):
    """Read an image (VMTK's ``vmtkImageReader``).

    Attributes
    ----------
    Image
        ``vtkImageData`` in VMTK's frame: files of ITK's formats have x and y of the origin negated.
    RasToIjkMatrixCoefficients, XyzToRasMatrixCoefficients
        4 x 4, row by row: from RAS millimetres to voxels, and from VMTK's frame to RAS millimetres.
    """

    Output: Any = None
    _formats = _by_ending(
        vtkxml=".vti .vtkxml", vtk=".vtk", dicom=".dcm", raw=".raw", meta=".mhd .mha", tiff=".tif", png=".png"
    )
    _titles: ClassVar = {"vtkxml": "VTK XML image", "vtk": "VTK image", "raw": "RAW image"}

    def Execute(self) -> None:
        """Read the image and log its spacing, origin and dimensions.

        Raises ``RequestError`` (nothing to read is named) or ``FileMissingError``, ``FileError`` (a file is missing,
        damaged, or of no known format).
        """
        if self.InputDirectoryName:
            image = self._read_folder()
        elif self.InputFilePrefix or self.InputFilePattern:
            image = self._read_series(self.InputFilePattern or "%s%04d.png")
        else:
            image = self._read_file(self._needed("InputFileName"))
        for axis, wanted in enumerate(self.Flip):
            if wanted:
                flipped = filtered(image, "vtkImagingCore", "vtkImageFlip", SetFilteredAxis=(axis,))
                flipped.GetFieldData().ShallowCopy(image.GetFieldData())
                image = flipped
        self.Image = self.Output = image
        self._set_matrices(image)
        self.PrintLog("Spacing {:f} {:f} {:f}".format(*image.GetSpacing()))
        self.PrintLog("Origin {:f} {:f} {:f}".format(*image.GetOrigin()))
        self.PrintLog("Dimensions {:d} {:d} {:d}".format(*image.GetDimensions()))

    def _read_folder(self) -> Any:
        if not Path(self.InputDirectoryName).is_dir():
            raise FileError(f"-d {self.InputDirectoryName}: no such folder")
        self.PrintLog("Reading DICOM directory.")
        return self._read(self.InputDirectoryName)

    def _read_file(self, name: str) -> Any:
        guessed = self._guessed(name)
        chosen = self.Format or guessed
        if chosen in self._titles:
            self.PrintLog(f"Reading {self._titles[chosen]} file.")
        if chosen == "raw":
            return self._read_raw(Path(name))
        if self.Format and guessed and self.Format != guessed:
            raise RequestError(f"-f {self.Format} does not fit {name}, whose ending says {guessed}")
        if self.DesiredOrientation != "native" and _is_vtk_format(name):
            self.PrintWarning(
                f"-orientation {self.DesiredOrientation} has no effect: {guessed or chosen} files have none"
            )
        return self._read(name)

    def _read(self, name: str) -> Any:
        """A file, or a folder with a DICOM series. VTK's formats keep extent, arrays and orientation."""
        if _is_vtk_format(name):
            from mitk_rs.io import checks
            from mitk_rs.io.vtk import read_image_data

            return read_image_data(checks.check_path(name))
        from mitk_rs.io import read_image

        image = read_image(name, series=self.Series or None, allow_gaps=bool(self.AllowGaps))
        if self.DesiredOrientation != "native":
            from mitk_rs.interop.libraries import oriented

            image = oriented(image, _ORIENTATIONS[self.DesiredOrientation])
        return as_working(image)

    def _read_raw(self, path: Path) -> Any:
        """Voxels without a header, x fastest."""
        lengths = self._lengths()
        kind = np.dtype(SCALAR_TYPES[self.DataScalarType]).newbyteorder(
            ">" if self.DataByteOrder == "bigendian" else "<"
        )
        if not path.is_file():
            raise FileMissingError(f"no such file: {self.InputFileName}")
        needed, present = math.prod(lengths) * kind.itemsize, path.stat().st_size - self.HeaderSize
        if present < needed:
            text = f"{lengths[0]} x {lengths[1]} x {lengths[2]} {self.DataScalarType}"
            raise FileError(
                f"cannot read {self.InputFileName}: {text} need {needed} bytes, the file has {max(present, 0)}"
            )
        voxels = np.fromfile(path, kind, math.prod(lengths), offset=self.HeaderSize)
        native = voxels.astype(kind.newbyteorder("="), copy=False)
        return self._image(native.reshape(lengths[::-1]), self.DataExtent)

    def _read_series(self, pattern: str) -> Any:
        """Pictures with numbered names as the slices of one image."""
        from mitk_rs.io import read_record

        self._lengths()
        if not _PATTERN.fullmatch(pattern):
            raise RequestError(f"-pattern {pattern}: it needs one number such as %04d, and may have %s for the prefix")
        numbers = range(self.DataExtent[4], self.DataExtent[5] + 1)
        names = (pattern % ((self.InputFilePrefix, number) if "%s" in pattern else (number,)) for number in numbers)
        slices = [read_record(name).array for name in names]
        if len({array.shape for array in slices}) > 1:
            raise FileError(f"the pictures {self.InputFilePrefix}... have different sizes")
        stack = np.stack(slices)
        return self._image(stack, [0, stack.shape[2] - 1, 0, stack.shape[1] - 1, *self.DataExtent[4:]])

    def _lengths(self) -> list[int]:
        extent = self.DataExtent
        lengths = [last - first + 1 for first, last in zip(extent[::2], extent[1::2], strict=True)]
        if min(extent) < 0 or min(lengths) < 1:
            raise RequestError("-extent i0 i1 j0 j1 k0 k1 is needed: this format does not say its size")
        return lengths

    def _image(self, voxels: Any, extent: list[int]) -> Any:
        image = vtk("vtkCommonDataModel").vtkImageData()
        image.SetExtent(*extent)
        image.SetSpacing(*self.DataSpacing)
        image.SetOrigin(*self.DataOrigin)
        flat = np.ascontiguousarray(voxels).reshape(-1, voxels.shape[3] if voxels.ndim == 4 else 1)
        image.GetPointData().SetScalars(vtk_array(flat, "ImageScalars"))
        return image

    def _set_matrices(self, image: Any) -> None:
        frame, to_ras, to_xyz = frame_of(image), np.eye(4), np.eye(4)
        if frame is not None:
            to_ras[:3, :3] = np.diag(RAS) @ frame.direction
            to_ras[:3, 3] = np.diag(RAS) @ frame.affine[:3, 3]
        to_xyz[:3, :3] = np.diag(image.GetSpacing())
        to_xyz[:3, 3] = image.GetOrigin()
        self.XyzToRasMatrixCoefficients = to_ras.ravel().tolist()
        self.RasToIjkMatrixCoefficients = np.linalg.inv(to_ras @ to_xyz).ravel().tolist()


_SUFFIXES = {"vtkxml": ".vti", "vtk": ".vtk", "meta": ".mha"}
_TYPES = {"double": np.float64, "float": np.float32, "short": np.int16}
_VMTK_WINDOW = [1.0, 0.0]
_IN_VMTK_FRAME = "{} is in VMTK's frame; -geometry physical writes the world positions of the input"


class vmtkImageWriter(tables.ImageWriter, _Writer):
    """Write an image (VMTK's ``vmtkImageWriter``); the file is whole or absent.

    Attributes
    ----------
    WindowLevel
        For pictures: black at level - window / 2, white at level + window / 2. Window 0, and VMTK's default of
        1 0 (which makes every CT black and white), take the full range.
    RasToIjkMatrixCoefficients
        With ``ApplyTransform``: where the voxels of the file are, 4 x 4 row by row.
    """

    _member = "Image"
    _formats = _by_ending(vtkxml=".vti .vtkxml", vtk=".vtk", png=".png", tiff=".tif", pointdata=".dat")
    _titles: ClassVar = {
        "vtkxml": "VTK XML image",
        "vtk": "VTK image",
        "png": "PNG image",
        "tiff": "TIFF image",
        "pointdata": "PointData",
    }

    def _check_name(self) -> None:
        if not self.Format and full_suffix(self.OutputFileName).lower() not in self._formats:
            writable_format(self.OutputFileName)

    def _path(self) -> str:
        name, folder = self.OutputFileName, self.OutputDirectoryName
        return str(Path(folder) / Path(name).name) if folder else name

    def _write(self, given: Any) -> None:
        image = as_working(given)
        if self.PixelRepresentation:
            image = fresh_like(image, voxels_of(image).astype(_TYPES[self.PixelRepresentation]))
        image = self._transformed(image) if self.ApplyTransform else image
        chosen = self.Format or self._guessed(self.OutputFileName)
        self._say_format(chosen)
        if chosen == "pointdata":
            write_point_table(image, Path(self.OutputFileName))
        elif chosen in ("png", "tiff"):
            self._write_pictures(voxels_of(image), ".png" if chosen == "png" else ".tif")
        else:
            self._write_image(image, self.OutputFileName, _SUFFIXES.get(self.Format, ""))
            self._note_geometry(image)

    def _write_image(self, image: Any, name: str, suffix: str) -> None:
        """Write in the format of ``suffix`` if given, whatever the name ends with."""
        if not suffix or full_suffix(name).lower() == suffix:
            self._write_file(image, name)
            return
        with atomic_output(name) as temporary:
            other = temporary.with_name(temporary.name + suffix)
            with atomic_outputs(apart=True):
                self._write_file(image, str(other))
            other.replace(temporary)

    def _write_file(self, image: Any, name: str) -> None:
        itk_format = not _is_vtk_format(name)
        physical = self.Geometry == "physical" if self.Geometry else itk_format
        place = origin, direction = placement(image, physical=physical, itk_format=itk_format)
        if itk_format:
            from mitk_rs.io import write_image

            write_image(as_image(image, place), name)
            return
        from mitk_rs.io.vtk import write_image_data

        # The first voxel is at `origin`; the extent stays.
        copy = detach(image)
        copy.SetOrigin(*(origin - direction @ (np.array(image.GetExtent()[::2]) * image.GetSpacing())))
        copy.SetDirectionMatrix(*direction.ravel())
        write_image_data(copy, name)

    def _note_geometry(self, image: Any) -> None:
        """Say it when the chosen mode is a default and the other one would give another file."""
        name, frame = self.OutputFileName, frame_of(image)
        if self.Geometry:
            return
        if _is_vtk_format(name):
            if frame is not None and not frame.is_identity:
                self.PrintNote(_IN_VMTK_FRAME.format(name))
        elif frame is None and np.any(image.GetOrigin()[:2]):
            self.PrintNote(
                f"{name} keeps the positions of the input; -geometry vmtk writes what VMTK reads back to its own frame"
            )

    def _transformed(self, image: Any) -> Any:
        """The image with a frame that puts voxel 0 0 0 and the axes where the matrix says."""
        to_voxels = np.array(self.RasToIjkMatrixCoefficients, dtype=float).reshape(4, 4)
        try:
            world = np.diag([*RAS, 1.0]) @ np.linalg.inv(to_voxels)
        except np.linalg.LinAlgError:
            raise RequestError("-matrix has no inverse: it has to be the 4 x 4 matrix from RAS to voxels") from None
        copy = twin(image)
        steps = np.linalg.norm(world[:3, :3], axis=0)
        copy.SetSpacing(*steps)
        attach(copy, Frame(np.array(image.GetOrigin()), world[:3, 3], world[:3, :3] / steps))
        return copy

    def _write_pictures(self, voxels: NDArray[Any], suffix: str) -> None:
        """One file of a 2-D image or a single slice, else ``name0000.png``, ``name0001.png``, ...: all or none."""
        from mitk_rs.projection.picture import write_picture

        window, level = (0.0, 0.0) if list(self.WindowLevel) == _VMTK_WINDOW else self.WindowLevel
        grey, name = _grey_values(voxels, window, level), Path(self._path())
        slices = grey[np.newaxis] if grey.ndim == 2 else grey
        stem = name.with_suffix("")
        names = [name] if len(slices) == 1 else [Path(f"{stem}{number:04d}{suffix}") for number in range(len(slices))]
        with atomic_outputs():
            for path, values in zip(names, slices, strict=True):
                write_picture(values, path, suffix=suffix)
        if len(names) > 1:
            self.PrintNote(f"wrote {len(names)} pictures, {names[0]} to {names[-1]}")


def _grey_values(voxels: NDArray[Any], window: float, level: float) -> NDArray[np.uint8]:
    """Values as 0 to 255; window 0 takes the full range, and 8-bit values stay as they are."""
    if voxels.dtype == np.uint8:
        return voxels
    values = voxels.astype(np.float64)
    low, width = (level - window / 2, window) if window else (values.min(), np.ptp(values) or 1.0)
    return np.asarray(np.clip((values - low) / width * 255.0, 0.0, 255.0).astype(np.uint8))


# Surfaces

_SURFACE_SUFFIXES = {"vtkxml": ".vtp", "vtk": ".vtk", "stl": ".stl", "ply": ".ply", "wavefront": ".obj"}


class vmtkSurfaceReader(tables.SurfaceReader, _FileScript):
    """Read a surface (VMTK's ``vmtkSurfaceReader``); points are taken as they are."""

    Output: Any = None
    _formats = _by_ending(vtkxml=".vtp .vtkxml", vtk=".vtk", stl=".stl", wavefront=".obj")

    def Execute(self) -> None:
        """Read the surface.

        Raises ``FileMissingError``, ``FileError`` (the file is missing, damaged, or of no known format).
        """
        from mitk_rs.io.checks import check_path
        from mitk_rs.io.vtk import read_surface_as

        name = self._needed("InputFileName")
        chosen = self.Format or self._guessed(name)
        if not chosen:
            raise RequestError(f"cannot tell the format of {name}; known: {' '.join(self._formats)}")
        if Path(name).is_dir():
            raise FileError(f"cannot read {name}: it is a folder")
        self.Surface = self.Output = read_surface_as(check_path(name), _SURFACE_SUFFIXES[chosen])


class vmtkSurfaceWriter(tables.SurfaceWriter, _Writer):
    """Write a surface (VMTK's ``vmtkSurfaceWriter``); the file is whole or absent."""

    _member = "Surface"
    _formats = _by_ending(
        vtkxml=".vtp .vtkxml", vtk=".vtk", stl=".stl", ply=".ply", wavefront=".obj", tecplot=".tec", pointdata=".dat"
    )
    _titles: ClassVar = {
        "vtkxml": "VTK XML surface",
        "vtk": "VTK surface",
        "stl": "STL surface",
        "ply": "PLY surface",
        "wavefront": "wavefront obj surface",
        "tecplot": "Tecplot",
        "pointdata": "PointData",
    }

    def _check_name(self) -> None:
        self._chosen_format()

    def _chosen_format(self) -> str:
        chosen = self.Format or self._guessed(self.OutputFileName)
        if not chosen:
            known = " ".join(self._formats)
            raise FileWriteError(f"cannot write {self.OutputFileName}: its ending must be one of {known}")
        return chosen

    def _write(self, given: Any) -> None:
        from mitk_rs.surface import write_surface

        chosen, path = self._chosen_format(), Path(self.OutputFileName)
        self._say_format(chosen)
        surface = self._placed(given)
        if chosen == "pointdata":
            write_point_table(surface, path, cells=bool(self.CellData))
        elif chosen == "tecplot":
            _write_tecplot(surface, path)
        else:
            # World coordinates, as some formats name them; VMTK's frame has no name.
            space = "LPS" if self.Geometry == "physical" else ""
            binary = self.Mode == "binary"
            write_surface(surface, path, suffix=_SURFACE_SUFFIXES[chosen], binary=binary, space=space)

    def _placed(self, surface: Any) -> Any:
        frame = frame_of(surface)
        if frame is None or frame.is_identity:
            return detach(surface)
        if self.Geometry == "physical":
            return _to_world(surface, frame)
        if not self.Geometry:
            self.PrintNote(_IN_VMTK_FRAME.format(self.OutputFileName))
        return detach(surface)


def _to_world(surface: Any, frame: Frame) -> Any:
    transform = vtk("vtkCommonTransforms").vtkTransform()
    transform.SetMatrix(frame.affine.ravel().tolist())
    moved = filtered(detach(surface), "vtkFiltersGeneral", "vtkTransformPolyDataFilter", SetTransform=(transform,))
    if np.linalg.det(frame.direction) > 0:
        return moved
    # A mirror turns triangles inside out.
    return filtered(moved, "vtkFiltersCore", "vtkReverseSense", ReverseCellsOn=())


# Tables of text


def write_point_table(dataset: Any, path: Path, *, cells: bool = False) -> None:
    """Write a line of names and a line a point (or cell, with its first point): ``X Y Z`` and all named arrays."""
    names, values = _columns(dataset.GetCellData() if cells else dataset.GetPointData())
    count = dataset.GetNumberOfCells() if cells else dataset.GetNumberOfPoints()
    points = (dataset.GetCell(number).GetPointId(0) for number in range(count)) if cells else range(count)
    with atomic_output(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(" ".join(["X", "Y", "Z", *names]) + "\n")
        _write_rows(file, np.hstack([_positions(dataset, points), *values]))


def _write_tecplot(surface: Any, path: Path) -> None:
    """Write triangles as a Tecplot zone of finite elements."""
    mesh = filtered(surface, "vtkFiltersCore", "vtkTriangleFilter", PassVertsOff=(), PassLinesOff=())
    names, values = _columns(mesh.GetPointData())
    points = _positions(mesh, range(mesh.GetNumberOfPoints()))
    corners = vtk("util.numpy_support").vtk_to_numpy(mesh.GetPolys().GetConnectivityArray())
    with atomic_output(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write("VARIABLES = " + ",".join(["X", "Y", "Z", *names]) + "\n")
        file.write(f"ZONE N={mesh.GetNumberOfPoints()},E={mesh.GetNumberOfCells()},F=FEPOINT,ET=TRIANGLE\n")
        _write_rows(file, np.hstack([points, *values]))
        _write_rows(file, corners.reshape(-1, 3) + 1)


def _write_rows(file: TextIO, table: NDArray[Any]) -> None:
    for row in table.tolist():
        file.write(" ".join(map(str, row)) + "\n")


def _positions(dataset: Any, points: Iterable[int]) -> NDArray[np.float64]:
    return np.array([dataset.GetPoint(number) for number in points]).reshape(-1, 3)


def _columns(data: Any) -> tuple[list[str], list[NDArray[Any]]]:
    """Names and values of the arrays; one column a component. Names ending in _ are private."""
    names: list[str] = []
    values: list[NDArray[Any]] = []
    for array_name, array in arrays_of(data):
        name, count = array_name or "Scalars", array.GetNumberOfComponents()
        if not name.endswith("_"):
            names += [name] if count == 1 else [f"{name}{component}" for component in range(count)]
            values.append(vtk("util.numpy_support").vtk_to_numpy(array).reshape(-1, count))
    return names, values
