"""``vmtkmarchingcubes``: the surface where an image takes a value."""

from __future__ import annotations

from typing import Any

from mitk_rs._vtk import vtk
from mitk_rs.vmtk.extensions import geometry_member
from mitk_rs.vmtk.flavours import as_image, as_working
from mitk_rs.vmtk.frames import attach, frame_of
from mitk_rs.vmtk.script import pypeScript
from mitk_rs.vmtk.viewing import select_array

__all__ = ["vmtkMarchingCubes"]


class vmtkMarchingCubes(pypeScript):
    """Make an isosurface (VMTK's ``vmtkMarchingCubes``), in VMTK's frame, open at the ends of the image."""

    def __init__(self) -> None:
        super().__init__()
        self.Image: Any = None
        self.Surface: Any = None
        self.ArrayName = ""
        self.Level = 0.0
        self.Connectivity = 0
        self.Geometry = ""
        self.SetScriptName("vmtkmarchingcubes")
        self.SetScriptDoc("make the surface where a 3D image takes a value")
        self.SetInputMembers(
            [
                ["Image", "i", "vtkImageData", 1, "", "the input image", "vmtkimagereader"],
                ["ArrayName", "array", "str", 1, "", "name of the array to work with"],
                ["Level", "l", "float", 1, "", "the value"],
                ["Connectivity", "connectivity", "bool", 1, "", "keep the largest piece only"],
            ]
        )
        self.SetOutputMembers([["Surface", "o", "vtkPolyData", 1, "", "the output surface", "vmtksurfacewriter"]])
        self.SetExtensionMembers([geometry_member()])

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
        surface = extract_surface(as_image(image), level=self.Level)
        if surface.GetNumberOfPoints() == 0:
            low, high = image.GetScalarRange()
            self.PrintWarning(f"the surface is empty: no value of {self.Level:g} within {low:g} to {high:g}")
        elif self.Connectivity:
            surface = _largest_piece(surface)
        attach(surface, frame_of(image))
        self.Surface = surface


def _largest_piece(surface: Any) -> Any:
    connectivity = vtk("vtkFiltersCore").vtkPolyDataConnectivityFilter()
    connectivity.SetInputData(surface)
    connectivity.SetExtractionModeToLargestRegion()
    cleaned = vtk("vtkFiltersCore").vtkCleanPolyData()
    cleaned.SetInputConnection(connectivity.GetOutputPort())
    cleaned.Update()
    return cleaned.GetOutput()
