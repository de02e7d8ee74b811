"""``vmtkimagemipviewer``: the maximum intensity projection of an image, in a window or as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitk_rs.errors import DisplayError, FileWriteError, RequestError
from mitk_rs.io.atomic import check_writable
from mitk_rs.vmtk import tables
from mitk_rs.vmtk.conversion import as_image, patient_axes
from mitk_rs.vmtk.scripts.viewers import ViewingScript

__all__ = ["check_picture_name", "vmtkImageMIPViewer", "write_mip"]


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

    Table = tables.MIP
    Opacity: list[float] | None
    MIPOutputFileName: str
    Volume: Any = None

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
            axes=patient_axes(image),
            sample_distance=self.SampleDistance,
            auto_sample_distance=bool(self.AutoSampleDistance),
            window_level=self.WindowLevel,
            opacity=self.Opacity,
        )
        self.Volume = None if shown is None else shown.volume
        self.release_window()


# The picture of the window, without one

_PICTURES = (".png", ".tif", ".tiff")
_VALUES = ".npy"
_SIZE = (1200, 900)
_BACKGROUND = (0.1, 0.1, 0.2)


def check_picture_name(name: str) -> None:
    """Refuse a file that could not be written.

    Raises
    ------
    FileWriteError
        Its ending names no format of pictures, or its folder is missing.
    """
    if Path(name).suffix.lower() not in (*_PICTURES, _VALUES):
        raise FileWriteError(f"cannot write {name}: its ending must be one of {' '.join(_PICTURES)} {_VALUES}")
    check_writable(name)


def write_mip(
    image: Any,
    name: str,
    *,
    window_level: Sequence[float],
    opacity: Sequence[float] | None,
    sample_distance: float | None,
    threads: int | None,
) -> None:
    """Write the view of VMTK's window, 1200 x 900, along -z with y up, in perspective.

    Parameters
    ----------
    image
        ``vtkImageData`` in VMTK's frame.
    name
        A picture; or ``.npy`` for the values themselves as float32, NaN where a ray misses the image.
    window_level
        The full range for a window of 0 or less.
    opacity
        At the lower and upper end of the window; opaque by default.
    sample_distance
        In mm; half the smallest spacing where ``None``.
    threads
        All processors where ``None``.
    """
    from mitk_rs.projection import render_mip
    from mitk_rs.projection.picture import write_array, write_picture

    values = render_mip(
        as_image(image),
        direction=(0, 0, -1),
        up=(0, 1, 0),
        size=_SIZE,
        perspective=True,
        sample_distance=sample_distance,
        dtype=np.float32,
        threads=threads,
    )
    if Path(name).suffix.lower() == _VALUES:
        write_array(values, name)
    else:
        write_picture(_coloured(values, image.GetScalarRange(), window_level, opacity), name)


def _coloured(
    values: NDArray[np.float32],
    full_range: tuple[float, float],
    window_level: Sequence[float],
    opacity: Sequence[float] | None,
) -> NDArray[np.uint8]:
    from mitk_rs.projection.picture import in_window

    window, level = window_level
    low, high = (level - window / 2, level + window / 2) if window > 0 else full_range
    missed = np.isnan(values)
    grey = in_window(values, low, high)
    at_low, at_high = opacity or (1.0, 1.0)
    covered = np.where(missed, 0.0, at_low + (at_high - at_low) * grey)[..., np.newaxis]
    colours = covered * grey[..., np.newaxis] + (1 - covered) * np.array(_BACKGROUND)
    return np.asarray(np.rint(colours * 255).astype(np.uint8))
