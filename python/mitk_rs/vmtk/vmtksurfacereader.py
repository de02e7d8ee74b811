"""``vmtksurfacereader``: a surface from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mitk_rs._vtk import vtk
from mitk_rs.errors import FileError, FileMissingError, RequestError
from mitk_rs.vmtk.script import pypeScript

__all__ = ["vmtkSurfaceReader"]

_FORMATS = {".vtp": "vtkxml", ".vtkxml": "vtkxml", ".vtk": "vtk", ".stl": "stl", ".obj": "wavefront"}


class vmtkSurfaceReader(pypeScript):
    """Read a surface (VMTK's ``vmtkSurfaceReader``); points are taken as they are."""

    def __init__(self) -> None:
        super().__init__()
        self.Format = ""
        self.GuessFormat = 1
        self.InputFileName = ""
        self.Surface: Any = None
        self.Output: Any = None
        self.SetScriptName("vmtksurfacereader")
        self.SetScriptDoc("read a surface")
        self.SetInputMembers(
            [
                ["Format", "f", "str", 1, '["vtkxml","vtk","stl","wavefront"]', "file format"],
                ["GuessFormat", "guessformat", "bool", 1, "", "tell the format by the ending"],
                ["Surface", "i", "vtkPolyData", 1, "", "the input surface"],
                ["InputFileName", "ifile", "str", 1, "", "input file name"],
            ]
        )
        self.SetOutputMembers([["Surface", "o", "vtkPolyData", 1, "", "the output surface", "vmtksurfacewriter"]])

    def Execute(self) -> None:
        """Read the surface.

        Raises
        ------
        FileMissingError, FileError
            The file is missing, damaged, or of no known format.
        """
        if not self.InputFileName:
            self.PrintError("Error: no InputFileName.")
        guessed = _FORMATS.get(Path(self.InputFileName).suffix.lower(), "") if self.GuessFormat else ""
        chosen = self.Format or guessed
        if not chosen:
            raise RequestError(f"cannot tell the format of {self.InputFileName}; known: {' '.join(_FORMATS)}")
        self.Surface = self.Output = _read(self.InputFileName, chosen)


def _read(name: str, chosen: str) -> Any:
    from mitk_rs.io.vtk_messages import vtk_messages

    path = Path(name)
    if not path.exists():
        raise FileMissingError(f"no such file: {name}")
    if not path.is_file():
        raise FileError(f"cannot read {name}: it is not a file")
    reader = _reader(chosen)
    reader.SetFileName(name)
    with vtk_messages() as messages:
        reader.Update()
    surface = reader.GetOutput()
    if messages.text or surface is None or surface.GetNumberOfPoints() == 0:
        reason = messages.first() if messages.text else "it holds no surface"
        raise FileError(f"cannot read {name}: {reason}")
    _check_cells(surface, name)
    return surface


def _check_cells(surface: Any, name: str) -> None:
    """Refuse points that do not exist: whoever draws the surface would read memory that is not its own."""
    points = surface.GetNumberOfPoints()
    for cells in (surface.GetVerts(), surface.GetLines(), surface.GetPolys(), surface.GetStrips()):
        used = vtk("util.numpy_support").vtk_to_numpy(cells.GetConnectivityArray())
        if used.size and not (used.min() >= 0 and used.max() < points):
            raise FileError(f"cannot read {name}: a cell uses point {used.max()} of {points}")


def _reader(chosen: str) -> Any:
    module, name = {
        "vtkxml": ("vtkIOXML", "vtkXMLPolyDataReader"),
        "vtk": ("vtkIOLegacy", "vtkPolyDataReader"),
        "stl": ("vtkIOGeometry", "vtkSTLReader"),
        "wavefront": ("vtkIOGeometry", "vtkOBJReader"),
    }[chosen]
    return getattr(vtk(module), name)()
