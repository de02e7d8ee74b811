"""Surfaces: making, reading and writing them, also as the text tables of VMTK's ``pointdata`` and Tecplot formats."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from mitk_rs._platform import vtk
from mitk_rs.errors import FileError, FileWriteError, RequestError
from mitk_rs.io.atomic import atomic_output, check_writable
from mitk_rs.vmtk import tables
from mitk_rs.vmtk.conversion import Frame, as_image, as_working, attach, detach, frame_of, select_array
from mitk_rs.vmtk.script import pypeScript

__all__ = ["vmtkMarchingCubes", "vmtkSurfaceReader", "vmtkSurfaceWriter", "write_point_table", "write_tecplot"]


class vmtkMarchingCubes(pypeScript):
    """Make an isosurface (VMTK's ``vmtkMarchingCubes``), in VMTK's frame, open at the ends of the image.

    With ``UseContourFilter`` it is what ``vtkContourFilter`` makes: in a 2-D image it consists of lines.
    """

    Table = tables.MARCHING_CUBES
    Image: Any
    Surface: Any
    ArrayName: str
    Level: float
    Connectivity: int
    UseContourFilter: int

    def Execute(self) -> None:
        """Make the surface.

        Raises
        ------
        RequestError
            No image, no such array, or an image without three dimensions.
        """
        from mitk_rs.surface import extract_surface

        if self.Image is None:
            self.PrintError("Error: no Image.")
        image = select_array(as_working(self.Image), self.ArrayName)
        surface = (
            _contour(image, self.Level) if self.UseContourFilter else extract_surface(as_image(image), level=self.Level)
        )
        if surface.GetNumberOfPoints() == 0:
            low, high = image.GetScalarRange()
            self.PrintWarning(f"the surface is empty: no value of {self.Level:g} within {low:g} to {high:g}")
        elif self.Connectivity:
            surface = _largest_piece(surface)
        attach(surface, frame_of(image))
        self.Surface = surface


def _contour(image: Any, level: float) -> Any:
    contour = vtk("vtkFiltersCore").vtkContourFilter()
    contour.SetInputData(image)
    contour.SetValue(0, level)
    contour.Update()
    return contour.GetOutput()


def _largest_piece(surface: Any) -> Any:
    connectivity = vtk("vtkFiltersCore").vtkPolyDataConnectivityFilter()
    connectivity.SetInputData(surface)
    connectivity.SetExtractionModeToLargestRegion()
    cleaned = vtk("vtkFiltersCore").vtkCleanPolyData()
    cleaned.SetInputConnection(connectivity.GetOutputPort())
    cleaned.Update()
    return cleaned.GetOutput()


# Reading

_READ_FORMATS = {".vtp": "vtkxml", ".vtkxml": "vtkxml", ".vtk": "vtk", ".stl": "stl", ".obj": "wavefront"}


class vmtkSurfaceReader(pypeScript):
    """Read a surface (VMTK's ``vmtkSurfaceReader``); points are taken as they are."""

    Table = tables.SURFACE_READER
    Surface: Any
    Format: str
    GuessFormat: int
    InputFileName: str
    Output: Any = None

    def Execute(self) -> None:
        """Read the surface.

        Raises
        ------
        FileMissingError, FileError
            The file is missing, damaged, or of no known format.
        """
        if not self.InputFileName:
            self.PrintError("Error: no InputFileName.")
        guessed = _READ_FORMATS.get(Path(self.InputFileName).suffix.lower(), "") if self.GuessFormat else ""
        chosen = self.Format or guessed
        if not chosen:
            raise RequestError(f"cannot tell the format of {self.InputFileName}; known: {' '.join(_READ_FORMATS)}")
        self.Surface = self.Output = _read(self.InputFileName, chosen)


def _read(name: str, chosen: str) -> Any:
    from mitk_rs.io.checks import check_path
    from mitk_rs.io.vtk import read_surface_as

    if Path(name).is_dir():
        raise FileError(f"cannot read {name}: it is a folder")
    return read_surface_as(check_path(name), _SUFFIXES[chosen])


# Writing

_WRITE_FORMATS = {
    ".vtp": "vtkxml",
    ".vtkxml": "vtkxml",
    ".vtk": "vtk",
    ".stl": "stl",
    ".ply": "ply",
    ".obj": "wavefront",
    ".tec": "tecplot",
    ".dat": "pointdata",
}
_SUFFIXES = {"vtkxml": ".vtp", "vtk": ".vtk", "stl": ".stl", "ply": ".ply", "wavefront": ".obj"}
_TITLES = {
    "vtkxml": "VTK XML surface",
    "vtk": "VTK surface",
    "stl": "STL surface",
    "ply": "PLY surface",
    "wavefront": "wavefront obj surface",
    "tecplot": "Tecplot",
    "pointdata": "PointData",
}


class vmtkSurfaceWriter(pypeScript):
    """Write a surface (VMTK's ``vmtkSurfaceWriter``); the file is whole or absent."""

    Table = tables.SURFACE_WRITER
    Surface: Any
    Format: str
    GuessFormat: int
    CellData: int
    Mode: str
    OutputFileName: str
    Geometry: str
    Input: Any = None

    def Execute(self) -> None:
        """Write the surface.

        Raises
        ------
        RequestError
            No surface, or no file name.
        FileWriteError
            The file cannot be written, its ending names no known format, or the surface is empty.
        """
        given = self.Surface = self._taken("Surface")
        chosen = self._chosen_format()
        self.PrintLog(f"Writing {_TITLES[chosen]} file.")
        self._write(self._placed(given), chosen)

    def CheckOutputs(self) -> None:
        """Refuse a file that could not be written, before anything is computed."""
        if self.OutputFileName:
            self._chosen_format()
            check_writable(self.OutputFileName)

    def _chosen_format(self) -> str:
        guessed = _WRITE_FORMATS.get(Path(self.OutputFileName).suffix.lower(), "") if self.GuessFormat else ""
        if not (self.Format or guessed):
            raise FileWriteError(
                f"cannot write {self.OutputFileName}: its ending must be one of {' '.join(_WRITE_FORMATS)}"
            )
        return self.Format or guessed

    def _write(self, surface: Any, chosen: str) -> None:
        path = Path(self.OutputFileName)
        if chosen == "pointdata":
            write_point_table(surface, path, cells=bool(self.CellData))
        elif chosen == "tecplot":
            write_tecplot(surface, path)
        else:
            from mitk_rs.surface import write_surface

            write_surface(surface, path, suffix=_SUFFIXES[chosen], binary=self.Mode == "binary", space=self._space())

    def _space(self) -> str:
        """World coordinates as some formats name them; VMTK's frame has no name."""
        return "LPS" if self.Geometry == "physical" else ""

    def _placed(self, surface: Any) -> Any:
        frame = frame_of(surface)
        if frame is None or frame.is_identity:
            return detach(surface)
        if self.Geometry == "physical":
            return _to_world(surface, frame)
        if not self.Geometry:
            self.PrintNote(
                f"{self.OutputFileName} is in VMTK's frame; -geometry physical writes the world positions of the input"
            )
        return detach(surface)


def _to_world(surface: Any, frame: Frame) -> Any:
    affine = np.eye(4)
    affine[:3, :3] = frame.direction
    affine[:3, 3] = frame.anchor - frame.direction @ frame.memory
    matrix = vtk("vtkCommonMath").vtkMatrix4x4()
    matrix.DeepCopy(affine.ravel().tolist())
    transform = vtk("vtkCommonTransforms").vtkTransform()
    transform.SetMatrix(matrix)
    move = vtk("vtkFiltersGeneral").vtkTransformPolyDataFilter()
    move.SetInputData(detach(surface))
    move.SetTransform(transform)
    if np.linalg.det(frame.direction) > 0:
        move.Update()
        return move.GetOutput()
    # A mirror turns triangles inside out.
    turn = vtk("vtkFiltersCore").vtkReverseSense()
    turn.SetInputConnection(move.GetOutputPort())
    turn.ReverseCellsOn()
    turn.Update()
    return turn.GetOutput()


# Tables of text


def write_point_table(dataset: Any, path: Path, *, cells: bool = False) -> None:
    """Write a line of names and a line a point (or cell, with its first point): ``X Y Z`` and all named arrays.

    Raises
    ------
    FileWriteError
        It cannot be written.
    """
    names, values = _columns(dataset.GetCellData() if cells else dataset.GetPointData())
    table = np.hstack([_cell_points(dataset) if cells else _points(dataset), *values])
    with atomic_output(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(" ".join(["X", "Y", "Z", *names]) + "\n")
        _write_rows(file, table)


def write_tecplot(surface: Any, path: Path) -> None:
    """Write triangles as a Tecplot zone of finite elements.

    Raises
    ------
    FileWriteError
        It cannot be written.
    """
    triangles = vtk("vtkFiltersCore").vtkTriangleFilter()
    triangles.SetInputData(surface)
    triangles.PassVertsOff()
    triangles.PassLinesOff()
    triangles.Update()
    mesh = triangles.GetOutput()
    names, values = _columns(mesh.GetPointData())
    with atomic_output(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write("VARIABLES = " + ",".join(["X", "Y", "Z", *names]) + "\n")
        file.write(f"ZONE N={mesh.GetNumberOfPoints()},E={mesh.GetNumberOfCells()},F=FEPOINT,ET=TRIANGLE\n")
        _write_rows(file, np.hstack([_points(mesh), *values]))
        _write_rows(file, _corners(mesh) + 1)


def _write_rows(file: TextIO, table: NDArray[Any]) -> None:
    for row in table.tolist():
        file.write(" ".join(map(str, row)) + "\n")


def _points(dataset: Any) -> NDArray[np.float64]:
    return np.array([dataset.GetPoint(number) for number in range(dataset.GetNumberOfPoints())]).reshape(-1, 3)


def _cell_points(dataset: Any) -> NDArray[np.float64]:
    firsts = [dataset.GetCell(number).GetPointId(0) for number in range(dataset.GetNumberOfCells())]
    return np.array([dataset.GetPoint(number) for number in firsts]).reshape(-1, 3)


def _corners(mesh: Any) -> NDArray[Any]:
    return np.asarray(vtk("util.numpy_support").vtk_to_numpy(mesh.GetPolys().GetConnectivityArray())).reshape(-1, 3)


def _columns(data: Any) -> tuple[list[str], list[NDArray[Any]]]:
    """Names and values of the arrays that have a name; one column a component. Names ending in _ are private."""
    names: list[str] = []
    values: list[NDArray[Any]] = []
    for position in range(data.GetNumberOfArrays()):
        array = data.GetArray(position)
        name = array.GetName() or "Scalars"
        if name.endswith("_"):
            continue
        count = array.GetNumberOfComponents()
        names += [name] if count == 1 else [f"{name}{component}" for component in range(count)]
        values.append(vtk("util.numpy_support").vtk_to_numpy(array).reshape(-1, count))
    return names, values
