"""The colour maps of ``vmtksurfaceviewer``."""

from __future__ import annotations

from typing import Any

from mitk_rs._vtk import vtk

__all__ = ["MAPS", "lookup_table"]

Node = tuple[float, float, float, float]
MAPS: dict[str, tuple[Node, ...]] = {
    "rainbow": ((0, 0, 0, 1), (0.25, 0, 1, 1), (0.5, 0, 1, 0), (0.75, 1, 1, 0), (1, 1, 0, 0)),
    "blackbody": ((0, 0, 0, 0), (0.4, 0.9, 0, 0), (0.8, 0.9, 0.9, 0), (1, 1, 1, 1)),
    "cooltowarm": ((0, 0.23, 0.30, 0.75), (0.5, 0.87, 0.87, 0.87), (1, 0.71, 0.02, 0.15)),
    "grayscale": ((0, 0, 0, 0), (1, 1, 1, 1)),
}


def lookup_table(name: str, count: int) -> Any:
    """A ``vtkLookupTable`` with ``count`` colours of a map."""
    function = vtk("vtkRenderingCore").vtkColorTransferFunction()
    for position, red, green, blue in MAPS[name]:
        function.AddRGBPoint(position, red, green, blue)
    table = vtk("vtkCommonCore").vtkLookupTable()
    table.SetNumberOfTableValues(count)
    for entry in range(count):
        table.SetTableValue(entry, *function.GetColor(entry / (count - 1)), 1.0)
    return table
