"""``vmtksurfacewriter``: a surface to a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mitk_rs._vtk import vtk
from mitk_rs.errors import FileWriteError
from mitk_rs.io.atomic import check_writable
from mitk_rs.vmtk.extensions import geometry_member
from mitk_rs.vmtk.frames import Frame, detach, frame_of
from mitk_rs.vmtk.script import pypeScript
from mitk_rs.vmtk.tables import write_point_table, write_tecplot

__all__ = ["vmtkSurfaceWriter"]

_FORMATS = {
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

    def __init__(self) -> None:
        super().__init__()
        self.Format = ""
        self.GuessFormat = 1
        self.OutputFileName = ""
        self.Surface: Any = None
        self.Input: Any = None
        self.CellData = 0
        self.Mode = "binary"
        self.Geometry = ""
        self.SetScriptName("vmtksurfacewriter")
        self.SetScriptDoc("write a surface")
        formats = "[" + ",".join(f'"{name}"' for name in _TITLES) + "]"
        self.SetInputMembers(
            [
                ["Surface", "i", "vtkPolyData", 1, "", "the input surface", "vmtksurfacereader"],
                ["Format", "f", "str", 1, formats, "file format"],
                ["GuessFormat", "guessformat", "bool", 1, "", "tell the format by the ending"],
                ["CellData", "celldata", "bool", 1, "", "pointdata: write the arrays of the cells"],
                ["Mode", "mode", "str", 1, '["ascii","binary"]', "text or bytes"],
                ["OutputFileName", "ofile", "str", 1, "", "output file name"],
                ["OutputFileName", "o", "str", 1, "", "output file name (old name of -ofile)"],
            ]
        )
        self.SetExtensionMembers([geometry_member()])

    def Execute(self) -> None:
        """Write the surface.

        Raises
        ------
        RequestError
            No surface, or no file name.
        FileWriteError
            The file cannot be written, its ending names no known format, or the surface is empty.
        """
        given = self.Surface if self.Surface is not None else self.Input
        if given is None:
            self.PrintError("Error: no Surface.")
        if not self.OutputFileName:
            self.PrintError("Error: no OutputFileName.")
        self.Surface = given
        chosen = self._chosen_format()
        self.PrintLog(f"Writing {_TITLES[chosen]} file.")
        self._write(self._placed(given), chosen)

    def CheckOutputs(self) -> None:
        """Refuse a file that could not be written, before anything is computed."""
        if self.OutputFileName:
            self._chosen_format()
            check_writable(self.OutputFileName)

    def _chosen_format(self) -> str:
        guessed = _FORMATS.get(Path(self.OutputFileName).suffix.lower(), "") if self.GuessFormat else ""
        if not (self.Format or guessed):
            raise FileWriteError(f"cannot write {self.OutputFileName}: its ending must be one of {' '.join(_FORMATS)}")
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
