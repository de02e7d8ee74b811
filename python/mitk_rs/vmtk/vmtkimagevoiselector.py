"""``vmtkimagevoiselector``: the part of an image within a box."""

from __future__ import annotations

import math
from typing import Any

from mitk_rs._vtk import vtk
from mitk_rs.errors import RequestError
from mitk_rs.vmtk.extensions import geometry_member
from mitk_rs.vmtk.flavours import give_back
from mitk_rs.vmtk.viewing import ViewingScript

__all__ = ["vmtkImageVOISelector"]

# Bounds that come from a division may miss a voxel by rounding; a part of a voxel this small does not count.
_SLACK = 1e-6


class vmtkImageVOISelector(ViewingScript):
    """Crop an image (VMTK's ``vmtkImageVOISelector``).

    Attributes
    ----------
    BoxBounds
        x0 x1 y0 y1 z0 z1 in VMTK's frame; voxels whose centres are within are kept.
    CroppedImage
        The result; ``Image`` holds it, too, after ``Execute``. Its extent counts as in the whole image.
    """

    def __init__(self) -> None:
        super().__init__()
        self.Image: Any = None
        self.CroppedImage: Any = None
        self.Interactive = 1
        self.BoxBounds = [0.0] * 6
        self.BoxActive = 0
        self.BoxWidget: Any = None
        self.Geometry = ""
        self.SetScriptName("vmtkimagevoiselector")
        self.SetScriptDoc("keep the part of an image within a box")
        self.SetInputMembers(
            [
                ["Image", "i", "vtkImageData", 1, "", "the input image", "vmtkimagereader"],
                ["Interactive", "interactive", "bool", 1, "", "choose the box in a window"],
                ["BoxBounds", "boxbounds", "float", 6, "", "bounds of the box: x0 x1 y0 y1 z0 z1"],
                ["vmtkRenderer", "renderer", "vmtkRenderer", 1, "", "external renderer"],
            ]
        )
        self.SetOutputMembers([["Image", "o", "vtkImageData", 1, "", "the output image", "vmtkimagewriter"]])
        self.SetExtensionMembers([geometry_member()])

    def Execute(self) -> None:
        """Crop the image.

        Raises
        ------
        RequestError
            No image; no bounds; bounds that hold no voxel.
        DisplayError
            The box is to be chosen in a window and there is no display.
        """
        given, image = self.Image, self.working_image()
        bounded = any(self.BoxBounds)
        if self.Interactive and not self._runs_headless(bounded):
            cropped = self._converse(image)
        elif bounded:
            cropped = self.crop(image)
        else:
            raise RequestError("-boxbounds x0 x1 y0 y1 z0 z1 is needed to crop without a window")
        self.CroppedImage = self.Image = give_back(cropped, given)

    def _runs_headless(self, bounded: bool) -> bool:  # noqa: FBT001
        from mitk_rs.viewer.display import has_display

        if not bounded or has_display():
            return False
        self.PrintNote("no display to choose the box in, running non-interactively")
        return True

    def crop(self, image: Any) -> Any:
        """The part of a ``vtkImageData`` within ``BoxBounds``."""
        extract = vtk("vtkImagingCore").vtkExtractVOI()
        extract.SetInputData(image)
        extract.SetVOI(*self._voxels(image))
        extract.Update()
        return extract.GetOutput()

    def _voxels(self, image: Any) -> list[int]:
        origin, spacing, extent = image.GetOrigin(), image.GetSpacing(), image.GetExtent()
        voxels: list[int] = []
        for axis, name in enumerate("xyz"):
            first, last = extent[2 * axis : 2 * axis + 2]
            low, high = ((bound - origin[axis]) / spacing[axis] for bound in self.BoxBounds[2 * axis : 2 * axis + 2])
            start = max(first, math.ceil(low - _SLACK))
            end = min(last, math.floor(high + _SLACK))
            if start > end:
                bounds = " ".join(f"{bound:g}" for bound in self.BoxBounds[2 * axis : 2 * axis + 2])
                reach = sorted((origin[axis] + first * spacing[axis], origin[axis] + last * spacing[axis]))
                raise RequestError(
                    f"-boxbounds holds no voxel: {name} from {bounds}, the image from {reach[0]:g} {reach[1]:g}"
                )
            voxels += [start, end]
        return voxels

    def _converse(self, image: Any) -> Any:
        """Show the image with a box (key ``i``); every ``q`` with the box shown crops once more."""
        from mitk_rs.viewer.box import choose_box

        window = self.open_window()
        bounds = list(self.BoxBounds) if any(self.BoxBounds) else None
        while True:
            chosen = choose_box(window, image, bounds)
            if chosen is None:
                break
            self.BoxBounds, self.BoxActive, bounds = chosen, 1, None
            image = self.crop(image)
        self.release_window()
        return image
