"""``vmtkimageviewer``: an image as three orthogonal slices in a window."""

from __future__ import annotations

from typing import Any

from mitk_rs.viewer.planes import ImagePlanes
from mitk_rs.vmtk.extensions import geometry_member
from mitk_rs.vmtk.viewing import ViewingScript

__all__ = ["vmtkImageViewer"]


class vmtkImageViewer(ViewingScript):
    """Show an image (VMTK's ``vmtkImageViewer``). ``Display`` 0 opens no window unless a renderer is passed in."""

    def __init__(self) -> None:
        super().__init__()
        self.Image: Any = None
        self.ArrayName = ""
        self.WindowLevel = [0.0, 0.0]
        self.Margins = 0
        self.TextureInterpolation = 1
        self.ContinuousCursor = 0
        self.PlaneWidgetX: Any = None
        self.PlaneWidgetY: Any = None
        self.PlaneWidgetZ: Any = None
        self.Geometry = ""
        self.SetScriptName("vmtkimageviewer")
        self.SetScriptDoc("show a 3D image as three orthogonal slices")
        self.SetInputMembers(
            [
                ["Image", "i", "vtkImageData", 1, "", "the input image", "vmtkimagereader"],
                ["ArrayName", "array", "str", 1, "", "name of the array to show"],
                ["vmtkRenderer", "renderer", "vmtkRenderer", 1, "", "external renderer"],
                ["WindowLevel", "windowlevel", "float", 2, "", "window and level; window 0 is the full range"],
                ["Display", "display", "bool", 1, "", "toggle rendering"],
                ["Margins", "margins", "bool", 1, "", "toggle margins that tilt the slices"],
                ["TextureInterpolation", "textureinterpolation", "bool", 1, "", "toggle interpolation on the slices"],
                ["ContinuousCursor", "continuouscursor", "bool", 1, "", "toggle a cursor between voxels"],
            ]
        )
        self.SetOutputMembers(
            [
                ["Image", "o", "vtkImageData", 1, "", "the output image", "vmtkimagewriter"],
                ["PlaneWidgetX", "xplane", "vtkImagePlaneWidget", 1, "", "the slice across x"],
                ["PlaneWidgetY", "yplane", "vtkImagePlaneWidget", 1, "", "the slice across y"],
                ["PlaneWidgetZ", "zplane", "vtkImagePlaneWidget", 1, "", "the slice across z"],
            ]
        )
        self.SetExtensionMembers([geometry_member()])

    def BuildView(self) -> None:
        """Show the slices and, with ``Display``, wait for ``q``."""
        image = self.working_image(self.ArrayName)
        window = self.open_window()
        planes = ImagePlanes(window, image, interpolate=bool(self.TextureInterpolation), margins=bool(self.Margins))
        for widget in planes.widgets:
            widget.SetUseContinuousCursor(self.ContinuousCursor)
            widget.SetDisplayText(self.vmtkRenderer.Annotations)
        if self.WindowLevel[0]:
            planes.set_window_level(*self.WindowLevel)
        self.PlaneWidgetX, self.PlaneWidgetY, self.PlaneWidgetZ = planes.widgets
        window.on_key = lambda symbol, _: planes.key(symbol)
        if self.Display:
            window.renderer.ResetCamera()
            window.run()
            planes.remove()
        self.release_window()

    def Execute(self) -> None:
        """Show the image."""
        if self.Image is None:
            self.PrintError("Error: no Image.")
        if self.Display or self.vmtkRenderer is not None:
            self.BuildView()
