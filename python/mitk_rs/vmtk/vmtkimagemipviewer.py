"""``vmtkimagemipviewer``: the maximum intensity projection of an image, in a window or as a picture."""

from __future__ import annotations

from typing import Any

from mitk_rs.cli.members import MIP
from mitk_rs.errors import DisplayError, RequestError
from mitk_rs.vmtk.extensions import geometry_member
from mitk_rs.vmtk.member import pypeMember
from mitk_rs.vmtk.mippicture import check_picture_name, write_mip
from mitk_rs.vmtk.viewing import ViewingScript

__all__ = ["vmtkImageMIPViewer"]


class vmtkImageMIPViewer(ViewingScript):
    """Show the maximum intensity projection of an image (VMTK's ``vmtkImageMIPViewer``).

    Attributes
    ----------
    WindowLevel
        Black at level - window / 2, white at level + window / 2; window 0 takes the full range.
    Opacity
        ``None``, or two numbers from 0 to 1: opacity at the lower and at the upper end of the grey ramp.
    MIPOutputFileName
        Where the picture is written (``-omipfile``); ``ImageOutputFileName`` (``-ofile``) gets the *input*, as in
        VMTK.
    Volume
        The ``vtkVolume`` that was shown.
    """

    ArrayName: str
    SampleDistance: float
    AutoSampleDistance: int
    WindowLevel: list[float]
    ImageOutputFileName: str
    Summary = "show the maximum intensity projection of a 3D image, or write it as a picture"

    def __init__(self) -> None:
        super().__init__()
        self.Opacity: list[float] | None = None
        self.MIPOutputFileName = ""
        self.Volume: Any = None
        self.Geometry = ""
        self.SetMembersFromTable(MIP)
        opacity = pypeMember(
            "Opacity", "opacity", "float", 2, "(0.0,1.0)", "opacity at the lower and at the upper end of the window"
        )
        picture = pypeMember(
            "MIPOutputFileName", "omipfile", "str", 1, "", "file for the projection itself; -ofile writes the input"
        )
        self.SetExtensionMembers([opacity, picture, geometry_member()])

    def Execute(self) -> None:
        """Write the picture, show the window.

        Raises
        ------
        RequestError
            No image or no such array.
        DisplayError
            ``Display`` is 1, there is no display, and no picture was asked for.
        """
        if self.Image is None:
            self.PrintError("Error: no Image.")
        self._check_values()
        image = self.working_image(self.ArrayName)
        if self.MIPOutputFileName:
            write_mip(
                image,
                self.MIPOutputFileName,
                window_level=self.WindowLevel,
                opacity=self.Opacity,
                sample_distance=self._sample_distance(),
                threads=self.Threads,
            )
        if self.Display or self.vmtkRenderer is not None:
            self._show()
        self._say_what_was_made()

    def CheckOutputs(self) -> None:
        """Refuse files that could not be written, before anything is computed."""
        super().CheckOutputs()
        if self.MIPOutputFileName:
            check_picture_name(self.MIPOutputFileName)

    def _check_values(self) -> None:
        if self.SampleDistance < 0:
            raise RequestError(f"SampleDistance must be >= 0, got {self.SampleDistance:g}")
        if self.Opacity is not None and not all(0 <= value <= 1 for value in self.Opacity):
            raise RequestError(f"Opacity must be two numbers from 0 to 1, got {self.Opacity}")

    def _sample_distance(self) -> float | None:
        """The distance between samples in mm; ``None`` is half the smallest spacing."""
        return None if self.AutoSampleDistance or not self.SampleDistance else self.SampleDistance

    def _show(self) -> None:
        try:
            self.BuildView()
        except DisplayError:
            if not self.MIPOutputFileName:
                raise DisplayError(
                    "there is no display to show the projection on; -display 0 -omipfile FILE writes it"
                ) from None
            self.PrintNote("there is no display, the projection is written only")

    def _say_what_was_made(self) -> None:
        if self.ImageOutputFileName:
            self.PrintNote("-ofile writes the input image, not the projection; -omipfile FILE writes that")
        elif self._words is not None and not self._makes_something():
            self.PrintNote("nothing was produced; -omipfile FILE writes the projection")

    def _makes_something(self) -> bool:
        shared = self.vmtkRenderer is not None
        return bool(self.Display or shared or self.MIPOutputFileName or self.ConsumedMembers)

    def BuildView(self) -> None:
        """Show the projection and, with ``Display``, wait for ``q``.

        Raises
        ------
        DisplayError
            There is no display.
        """
        from mitk_rs.viewer.mip_viewer import show

        image = self.working_image(self.ArrayName)
        window = self.open_window()
        if self.Volume is not None:
            window.renderer.RemoveViewProp(self.Volume)
        shown = show(
            image,
            window=window,
            display=bool(self.Display),
            sample_distance=self.SampleDistance,
            auto_sample_distance=bool(self.AutoSampleDistance),
            window_level=self.WindowLevel,
            opacity=self.Opacity,
        )
        self.Volume = None if shown is None else shown.volume
        self.release_window()
