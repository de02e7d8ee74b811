"""What the viewing scripts share: a renderer of their own or one passed in, and the image to show."""

from __future__ import annotations

from typing import Any

from mitk_rs.errors import RequestError
from mitk_rs.viewer.display import require_display
from mitk_rs.vmtk.flavours import as_working
from mitk_rs.vmtk.script import pypeScript

__all__ = ["ViewingScript", "select_array"]


def select_array(image: Any, name: str) -> Any:
    """The image with the point array ``name`` active; the image itself for an empty name.

    Raises
    ------
    RequestError
        There is no such array; the message lists those that are.
    """
    data = image.GetPointData()
    names = [data.GetArrayName(position) or "ImageScalars" for position in range(data.GetNumberOfArrays())]
    if not name or (len(names) == 1 and name == "ImageScalars" and name not in names):
        return image
    if name not in names:
        raise RequestError(f"-array {name}: no such array; the image has {', '.join(names) or 'none'}")
    if names.index(name) == 0 and data.GetArrayName(0) is None:
        return image
    copy = image.NewInstance()
    copy.ShallowCopy(image)
    copy.GetPointData().SetActiveScalars(name)
    return copy


class ViewingScript(pypeScript):
    """Base of scripts that show something in a window."""

    Image: Any

    def __init__(self) -> None:
        super().__init__()
        self.vmtkRenderer: Any = None
        self.OwnRenderer = 0
        self.Display = 1

    def open_window(self) -> Any:
        """The window of the renderer, a new one if none was passed in.

        Raises
        ------
        DisplayError
            It is going to be shown, and there is no display.
        """
        if self.Display:
            require_display("the window")
        if self.vmtkRenderer is None:
            from mitk_rs.vmtk.vmtkrenderer import vmtkRenderer

            self.vmtkRenderer = vmtkRenderer()
            self.OwnRenderer = 1
        self.vmtkRenderer.RegisterScript(self)
        return self.vmtkRenderer.Window

    def release_window(self) -> None:
        """Close the window if it is the script's own, so that the script can be executed again."""
        if self.OwnRenderer:
            self.vmtkRenderer.Deallocate()
            self.vmtkRenderer = None
            self.OwnRenderer = 0

    def working_image(self, array: str = "") -> Any:
        """The input as ``vtkImageData`` with the wanted array active."""
        if self.Image is None:
            self.PrintError("Error: no Image.")
        return select_array(as_working(self.Image), array)
