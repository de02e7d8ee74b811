"""``vmtkimagewriter``: an image to a file, or to a series of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mitk_rs.errors import RequestError
from mitk_rs.io.atomic import check_writable, full_suffix
from mitk_rs.io.formats import writable_format
from mitk_rs.vmtk.extensions import geometry_member
from mitk_rs.vmtk.files import geometry_note, write_image
from mitk_rs.vmtk.flavours import as_image, as_working
from mitk_rs.vmtk.frames import Frame, attach
from mitk_rs.vmtk.pictures import write_pictures
from mitk_rs.vmtk.script import pypeScript
from mitk_rs.vmtk.tables import write_point_table

__all__ = ["vmtkImageWriter"]

_FORMATS = {
    ".vti": "vtkxml",
    ".vtkxml": "vtkxml",
    ".vtk": "vtk",
    ".png": "png",
    ".tif": "tiff",
    ".dat": "pointdata",
}
_SUFFIXES = {"vtkxml": ".vti", "vtk": ".vtk", "meta": ".mha"}
_TITLES = {
    "vtkxml": "VTK XML image",
    "vtk": "VTK image",
    "png": "PNG image",
    "tiff": "TIFF image",
    "pointdata": "PointData",
}
_TYPES = {"double": np.float64, "float": np.float32, "short": np.int16}
_VMTK_WINDOW = [1.0, 0.0]


class vmtkImageWriter(pypeScript):
    """Write an image (VMTK's ``vmtkImageWriter``); the file is whole or absent.

    Attributes
    ----------
    WindowLevel
        For pictures: black at level - window / 2, white at level + window / 2. Window 0, and VMTK's default of
        1 0 (which makes every CT black and white), take the full range.
    RasToIjkMatrixCoefficients
        With ``ApplyTransform``: where the voxels of the file are, 4 x 4 row by row.
    """

    def __init__(self) -> None:
        super().__init__()
        self.Format = ""
        self.GuessFormat = 1
        self.UseITKIO = 1
        self.ApplyTransform = 0
        self.OutputFileName = ""
        self.OutputRawFileName = ""
        self.OutputDirectoryName = ""
        self.PixelRepresentation = ""
        self.Image: Any = None
        self.Input: Any = None
        self.WindowLevel = list(_VMTK_WINDOW)
        self.RasToIjkMatrixCoefficients = [float(value) for value in np.eye(4).ravel()]
        self.Geometry = ""
        self.SetScriptName("vmtkimagewriter")
        self.SetScriptDoc("write an image")
        self.SetInputMembers(
            [
                ["Image", "i", "vtkImageData", 1, "", "the input image", "vmtkimagereader"],
                ["Format", "f", "str", 1, '["vtkxml","vtk","meta","tiff","png","pointdata"]', "file format"],
                ["GuessFormat", "guessformat", "bool", 1, "", "tell the format by the ending"],
                ["UseITKIO", "useitk", "bool", 1, "", "accepted; the library that writes a format right is used"],
                ["ApplyTransform", "transform", "bool", 1, "", "place the voxels by -matrix"],
                ["OutputFileName", "ofile", "str", 1, "", "output file name"],
                ["OutputFileName", "o", "str", 1, "", "output file name (old name of -ofile)"],
                ["OutputRawFileName", "rawfile", "str", 1, "", "accepted; raw files are named after their header"],
                ["OutputDirectoryName", "d", "str", 1, "", "folder for a series of pictures"],
                ["PixelRepresentation", "r", "str", 1, '["double","float","short"]', "type of the voxels"],
                ["WindowLevel", "windowlevel", "float", 2, "", "window and level of pictures; window 0: full range"],
                ["RasToIjkMatrixCoefficients", "matrix", "float", 16, "", "from RAS to voxels, row by row"],
            ]
        )
        self.SetExtensionMembers([geometry_member()])

    def Execute(self) -> None:
        """Write the image.

        Raises
        ------
        RequestError
            No image, or no file name.
        FileWriteError
            The file cannot be written, or its format cannot hold the image.
        """
        given = self.Image if self.Image is not None else self.Input
        if given is None:
            self.PrintError("Error: no Image.")
        if not self.OutputFileName:
            self.PrintError("Error: no OutputFileName.")
        self.Image = given
        self._write(self._prepared(as_working(given)))

    def CheckOutputs(self) -> None:
        """Refuse a file that could not be written, before anything is computed."""
        if not self.OutputFileName:
            return
        if not self.Format and full_suffix(self.OutputFileName).lower() not in _FORMATS:
            writable_format(self.OutputFileName)
        check_writable(
            Path(self.OutputDirectoryName) / Path(self.OutputFileName).name
            if self.OutputDirectoryName
            else self.OutputFileName
        )

    def _prepared(self, image: Any) -> Any:
        if self.PixelRepresentation:
            image = self._cast(image)
        return self._transformed(image) if self.ApplyTransform else image

    def _cast(self, image: Any) -> Any:
        from mitk_rs.image import Image
        from mitk_rs.vmtk.flavours import fresh_like

        values = as_image(image).as_numpy(time_step=0)
        return fresh_like(image, Image(values.astype(_TYPES[self.PixelRepresentation])))

    def _transformed(self, image: Any) -> Any:
        """The image with a frame that puts voxel 0 0 0 and the axes where the matrix says."""
        to_voxels = np.array(self.RasToIjkMatrixCoefficients, dtype=float).reshape(4, 4)
        try:
            world = np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.linalg.inv(to_voxels)
        except np.linalg.LinAlgError:
            raise RequestError("-matrix has no inverse: it has to be the 4 x 4 matrix from RAS to voxels") from None
        copy = image.NewInstance()
        copy.ShallowCopy(image)
        steps = np.linalg.norm(world[:3, :3], axis=0)
        copy.SetSpacing(*steps)
        attach(copy, Frame(np.array(image.GetOrigin()), world[:3, 3], world[:3, :3] / steps))
        return copy

    def _write(self, image: Any) -> None:
        guessed = _FORMATS.get(full_suffix(self.OutputFileName).lower(), "") if self.GuessFormat else ""
        chosen = self.Format or guessed
        if chosen in _TITLES:
            self.PrintLog(f"Writing {_TITLES[chosen]} file.")
        if chosen == "pointdata":
            write_point_table(image, Path(self.OutputFileName))
        elif chosen in ("png", "tiff"):
            self._write_pictures(image, ".png" if chosen == "png" else ".tif")
        else:
            self._write_image(image, _SUFFIXES.get(self.Format, ""))

    def _write_image(self, image: Any, suffix: str) -> None:
        note = geometry_note(image, self.OutputFileName, self.Geometry)
        write_image(image, self.OutputFileName, self.Geometry, suffix)
        if note:
            self.PrintNote(note)

    def _write_pictures(self, image: Any, suffix: str) -> None:
        window, level = (0.0, 0.0) if list(self.WindowLevel) == _VMTK_WINDOW else self.WindowLevel
        name = Path(self.OutputFileName)
        if self.OutputDirectoryName:
            name = Path(self.OutputDirectoryName) / name.name
        names = write_pictures(as_image(image).as_numpy(time_step=0), name, suffix, window, level)
        if len(names) > 1:
            self.PrintNote(f"wrote {len(names)} pictures, {names[0]} to {names[-1]}")
