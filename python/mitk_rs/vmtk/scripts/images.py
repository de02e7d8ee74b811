"""Work on images: a box of them, comparison, and NumPy arrays in and out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mitk_rs._platform import vtk
from mitk_rs.errors import RequestError
from mitk_rs.vmtk import tables
from mitk_rs.vmtk.conversion import as_image, as_working, give_back, patient_axes
from mitk_rs.vmtk.script import pypeScript
from mitk_rs.vmtk.scripts.viewers import ViewingScript

__all__ = ["vmtkImageCompare", "vmtkImageToNumpy", "vmtkImageVOISelector", "vmtkNumpyToImage"]

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

    Table = tables.VOI_SELECTOR
    Interactive: int
    BoxBounds: list[float]
    CroppedImage: Any = None
    BoxActive = 0
    BoxWidget: Any = None

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
            chosen = choose_box(window, image, bounds, axes=patient_axes(image))
            if chosen is None:
                break
            self.BoxBounds, self.BoxActive, bounds = chosen, 1, None
            image = self.crop(image)
        self.release_window()
        return image


# Comparison


class vmtkImageCompare(pypeScript):
    """Compare an image with a reference (VMTK's ``vmtkImageCompare``).

    Attributes
    ----------
    Result
        Whether the largest difference (of voxels, or of the ends of the value ranges) is below ``Tolerance``.
    ResultLog
        What differs.
    """

    Table = tables.COMPARE
    Image: Any
    ReferenceImage: Any
    Method: str
    Tolerance: float
    Result: Any
    ResultLog: str

    def Execute(self) -> None:
        """Compare.

        Raises
        ------
        RequestError
            An image or the method is missing.
        """
        for value, name in (
            (self.Image, "Image"),
            (self.ReferenceImage, "reference image"),
            (self.Method or None, "Method"),
        ):
            if value is None:
                self.PrintError(f"Error: no {name}.")
        first, second = _voxels(self.Image), _voxels(self.ReferenceImage)
        difference = self._range_difference(first, second) if self.Method == "range" else self._largest(first, second)
        self.Result = bool(difference < self.Tolerance)
        if not self.Result and not self.ResultLog:
            self.ResultLog = f"Difference {difference:g} is not below {self.Tolerance:g}"

    def _range_difference(self, first: Any, second: Any) -> float:
        ranges = [(float(array.min()), float(array.max())) for array in (first, second)]
        self.PrintLog(f"Image Range: {ranges[0]}")
        self.PrintLog(f"Reference Image Range: {ranges[1]}")
        return float(max(abs(mine - theirs) for mine, theirs in zip(*ranges, strict=True)))

    def _largest(self, first: Any, second: Any) -> float:
        self.PrintLog(f"Image Points: {first.size}")
        self.PrintLog(f"Reference Image Points: {second.size}")
        if first.shape != second.shape:
            self.ResultLog = "Uneven NumberOfPoints" if first.size != second.size else "Different dimensions"
            return float("inf")
        difference = first.astype(np.float64) - second.astype(np.float64)
        self.PrintLog(f"Difference Range: {(float(difference.min()), float(difference.max()))}")
        return float(np.abs(difference).max())


def _voxels(image: Any) -> Any:
    return as_image(as_working(image)).as_numpy(time_step=0)


# NumPy arrays


class vmtkImageToNumpy(pypeScript):
    """Take an image apart (VMTK's ``vmtkImageToNumpy``).

    Attributes
    ----------
    ArrayDict
        ``Origin``, ``Dimensions``, ``Spacing`` (x, y, z) and ``PointData``, a dictionary of arrays indexed
        ``[x, y, z]`` as in VMTK, with a last axis for components.
    """

    Table = tables.TO_NUMPY
    Image: Any

    def __init__(self) -> None:
        super().__init__()
        self.ArrayDict: dict[str, Any] = {}

    def Execute(self) -> None:
        """Fill ``ArrayDict``."""
        if self.Image is None:
            self.PrintError("Error: no Image.")
        image = as_working(self.Image)
        self.PrintLog("Converting Image to Numpy Array")
        self.ArrayDict = {
            "Origin": np.array(image.GetOrigin()),
            "Dimensions": np.array(image.GetDimensions()),
            "Spacing": np.array(image.GetSpacing()),
            "PointData": _arrays(image),
        }


def _arrays(image: Any) -> dict[str, Any]:
    data, shape = image.GetPointData(), image.GetDimensions()[::-1]
    arrays: dict[str, Any] = {}
    for position in range(data.GetNumberOfArrays()):
        array = data.GetArray(position)
        values = vtk("util.numpy_support").vtk_to_numpy(array)
        components = array.GetNumberOfComponents()
        values = values.reshape((*shape, components) if components > 1 else shape)
        axes = (2, 1, 0, 3) if components > 1 else (2, 1, 0)
        arrays[array.GetName() or "ImageScalars"] = values.transpose(axes).copy()
    return arrays


_KEYS = ("Origin", "Dimensions", "Spacing", "PointData")


class vmtkNumpyToImage(pypeScript):
    """Put an image together (VMTK's ``vmtkNumpyToImage``) from what :class:`vmtkImageToNumpy` makes."""

    Table = tables.FROM_NUMPY
    ArrayDict: Any
    Image: Any

    def Execute(self) -> None:
        """Make the image.

        Raises
        ------
        RequestError
            No dictionary, a missing key, or arrays of another size than ``Dimensions``.
        """
        if self.ArrayDict is None:
            self.PrintError("Error: no ArrayDict.")
        missing = [key for key in _KEYS if key not in self.ArrayDict]
        if missing:
            raise RequestError(f"the dictionary lacks {', '.join(missing)}; needed: {', '.join(_KEYS)}")
        self.PrintLog("Converting Numpy Array to vtkImageData")
        self.Image = self._empty_image()
        for name, array in self.ArrayDict["PointData"].items():
            self._add(name, np.asarray(array))

    def _empty_image(self) -> Any:
        image = vtk("vtkCommonDataModel").vtkImageData()
        image.SetDimensions(*(int(value) for value in self.ArrayDict["Dimensions"]))
        image.SetOrigin(*(float(value) for value in self.ArrayDict["Origin"]))
        image.SetSpacing(*(float(value) for value in self.ArrayDict["Spacing"]))
        return image

    def _add(self, name: str, array: Any) -> None:
        dimensions = self.Image.GetDimensions()
        if array.shape[:3] != dimensions or array.ndim not in (3, 4):
            raise RequestError(f"array {name} has the shape {array.shape}, Dimensions are {dimensions}")
        ordered = np.ascontiguousarray(array.transpose((2, 1, 0, 3) if array.ndim == 4 else (2, 1, 0)))
        flat = ordered.reshape(-1, ordered.shape[3]) if array.ndim == 4 else ordered.reshape(-1)
        values = vtk("util.numpy_support").numpy_to_vtk(flat, deep=True)
        values.SetName(name)
        data = self.Image.GetPointData()
        data.AddArray(values)
        if data.GetScalars() is None:
            data.SetActiveScalars(name)
