"""Points and their values as tables of text: VMTK's ``pointdata`` and Tecplot formats."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from mitk_rs._vtk import vtk
from mitk_rs.io.atomic import atomic_output

__all__ = ["write_point_table", "write_tecplot"]


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
