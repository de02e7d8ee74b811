"""``vmtkimageseeder``: seeds placed in an image by Ctrl+click."""

from __future__ import annotations

from typing import Any

from mitk_rs._vtk import vtk
from mitk_rs.viewer.planes import ImagePlanes
from mitk_rs.viewer.shapes import SeedMarkers
from mitk_rs.vmtk.extensions import geometry_member
from mitk_rs.vmtk.frames import attach, frame_of
from mitk_rs.vmtk.viewing import ViewingScript

__all__ = ["vmtkImageSeeder"]

Index = tuple[int, int, int]


class vmtkImageSeeder(ViewingScript):
    """Let a user place seeds (VMTK's ``vmtkImageSeeder``).

    Attributes
    ----------
    Seeds
        ``vtkPolyData`` of the positions, in VMTK's frame.
    SeedIndices
        Their voxels i, j, k, in the order of placing.
    """

    def __init__(self) -> None:
        super().__init__()
        self.Image: Any = None
        self.ArrayName = ""
        self.TextureInterpolation = 1
        self.KeepSeeds = 0
        self.Seeds: Any = None
        self.SeedIndices: list[Index] = []
        self.Geometry = ""
        self.SetScriptName("vmtkimageseeder")
        self.SetScriptDoc("place seeds in a 3D image")
        self.SetInputMembers(
            [
                ["Image", "i", "vtkImageData", 1, "", "the input image", "vmtkimagereader"],
                ["ArrayName", "array", "str", 1, "", "name of the array to show"],
                ["vmtkRenderer", "renderer", "vmtkRenderer", 1, "", "external renderer"],
                ["Display", "display", "bool", 1, "", "toggle rendering"],
                ["KeepSeeds", "keepseeds", "bool", 1, "", "leave the seeds in the renderer"],
                ["TextureInterpolation", "textureinterpolation", "bool", 1, "", "toggle interpolation on the slices"],
            ]
        )
        self.SetOutputMembers(
            [
                ["Image", "o", "vtkImageData", 1, "", "the output image", "vmtkimagewriter"],
                ["Seeds", "seeds", "vtkPolyData", 1, "", "the placed seeds", "vmtksurfacewriter"],
            ]
        )
        self.SetExtensionMembers([geometry_member()])

    def InitializeSeeds(self) -> None:
        """Forget all seeds."""
        self.SeedIndices = []
        self.Seeds = vtk("vtkCommonDataModel").vtkPolyData()
        self.Seeds.SetPoints(vtk("vtkCommonCore").vtkPoints())

    def BuildView(self) -> None:
        """Show the slices and, with ``Display``, collect Ctrl+clicks until ``q``; ``u`` takes the last seed away."""
        image = self.working_image(self.ArrayName)
        window = self.open_window()
        markers = SeedMarkers(window, image.GetLength())

        def refresh() -> None:
            markers.show([_position(image, index) for index in self.SeedIndices])
            window.render()

        def add(index: Index) -> None:
            self.SeedIndices.append(index)
            refresh()

        def undo() -> None:
            del self.SeedIndices[-1:]
            refresh()

        planes = ImagePlanes(window, image, on_control_click=add, interpolate=bool(self.TextureInterpolation))
        window.on_key = lambda symbol, _: planes.key(symbol)
        window.bind("u", "take the last seed away", undo)
        window.show_prompt("Ctrl+click adds a seed, u takes the last away, q goes on")
        window.renderer.ResetCamera()
        if self.Display:
            window.run()
        window.show_prompt("")
        window.unbind("u")
        planes.remove()
        if not self.KeepSeeds:
            markers.remove()
        self.release_window()

    def Execute(self) -> None:
        """Collect seeds."""
        if self.Image is None:
            self.PrintError("Error: no Image.")
        self.InitializeSeeds()
        if self.Display:
            self.BuildView()
        image = self.working_image(self.ArrayName)
        for index in self.SeedIndices:
            self.Seeds.GetPoints().InsertNextPoint(*_position(image, index))
        attach(self.Seeds, frame_of(image))


def _position(image: Any, index: Index) -> list[float]:
    point = [0.0, 0.0, 0.0]
    image.TransformIndexToPhysicalPoint(*index, point)
    return point
