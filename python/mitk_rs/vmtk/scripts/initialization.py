"""``vmtkimageinitialization``: an initial level set from an image, headless or in a dialogue.

Negative inside, float32, on the grid of the image. The numbers are VMTK's (``compat="vmtk"`` of
:func:`mitk_rs.initialize_level_set`); what VMTK does silently wrong is an error or a warning here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mitk_rs.errors import RequestError, UsageError
from mitk_rs.vmtk import tables
from mitk_rs.vmtk.conversion import (
    as_image,
    as_working,
    attach,
    frame_of,
    fresh_like,
    give_back,
    inside,
    to_indices,
    voxels_of,
)
from mitk_rs.vmtk.script import pypeScript

__all__ = ["shifted", "speed_shift", "take_points", "vmtkImageInitialization"]

_TITLES = {
    "collidingfronts": "Colliding fronts",
    "multiplecollidingfronts": "Multiple colliding fronts",
    "fastmarching": "Fast marching",
    "threshold": "Threshold",
    "isosurface": "Isosurface",
    "seeds": "Seed",
}


class vmtkImageInitialization(pypeScript):
    """Make an initial level set (VMTK's ``vmtkImageInitialization``).

    Attributes
    ----------
    Image
        ``vtkImageData``, :class:`mitk_rs.Image`, SimpleITK image or NumPy array; it is not changed.
    Method
        ``isosurface``, ``threshold``, ``collidingfronts``, ``fastmarching``, ``seeds``, ``multiplecollidingfronts``.
    SourcePoints, TargetPoints
        Flat lists of voxel indices i, j, k, counted as in the extent of the image; or a file of points (``FILE`` or
        ``FILE:LABEL``, see :func:`mitk_rs.read_seeds`), :class:`mitk_rs.seeds.Seeds`, or a list of these.
    LowerThreshold, UpperThreshold, IsoSurfaceValue
        In the values of the image, after negation.
    InitialLevelSets
        The result, in the flavour of ``Image``, float32, negative inside.
    Surface
        Its zero level: after a dialogue, and where a file or a later script wants it.

    Examples
    --------
    >>> import numpy as np
    >>> from mitk_rs.vmtk import vmtkscripts
    >>> script = vmtkscripts.vmtkImageInitialization()
    >>> script.Image = np.arange(27, dtype=np.int16).reshape(3, 3, 3)
    >>> script.Interactive, script.Method, script.LowerThreshold, script.LogOn = 0, "threshold", 20, 0
    >>> script.Execute()
    >>> int((script.InitialLevelSets < 0).sum())
    7
    """

    Summary = (
        "make an initial level set, negative inside, from an image: by isosurface, threshold, seeds, fast marching, "
        "or fronts that collide between seeds"
    )

    Image: Any
    Method: str
    SourcePoints: Any
    TargetPoints: Any
    LowerThreshold: float | None
    UpperThreshold: float | None
    IsoSurfaceValue: float
    NegateImage: int
    Interactive: int
    InitialLevelSets: Any
    Surface: Any
    vmtkRenderer: Any
    InitialLevelSetsOutputFileName: str
    SurfaceOutputFileName: str

    Table = tables.INIT
    Combine: str
    FarValue: float | None
    FailEmpty: int
    DialogueFileName: str
    SourcePointsPhysical: list[float]
    TargetPointsPhysical: list[float]
    OwnRenderer = 0
    ImageSeeder: Any = None
    SurfaceViewer: Any = None
    MergedInitialLevelSets: Any = None
    NumSeedsSelected = 0
    Report: Any = None

    # Running

    def Execute(self) -> None:
        """Make the level set.

        Raises
        ------
        RequestError
            No image, or a request that does not fit it.
        UsageError
            Points that are not in triples.
        DisplayError
            The dialogue is wanted and there is neither a display nor a terminal.
        """
        if self.Image is None:
            self.PrintError("Error: no Image.")
        image = as_working(self.Image)
        take_points(self, image)
        self._check_triples()
        if not self._converse(image):
            self._initialize(self.Method)
        self._finish()

    def _check_triples(self) -> None:
        for name in ("SourcePoints", "TargetPoints"):
            count = len(getattr(self, name))
            if count % 3:
                raise UsageError(f"{name} has {count} values, need a multiple of 3")

    def _converse(self, image: Any) -> bool:
        """Lead the dialogue if one is wanted; ``False`` when the run has to be headless."""
        if not self.Interactive:
            return False

        from mitk_rs.vmtk.scripts import dialogue

        return dialogue.converse(self, image)

    def _finish(self) -> None:
        if self.SurfaceOutputFileName or "Surface" in self.ConsumedMembers:
            self.Surface = self.surface_of(self.InitialLevelSets)
        stored = self.InitialLevelSetsOutputFileName or self.SurfaceOutputFileName or self.ConsumedMembers
        if self._words is not None and not stored:
            self.PrintWarning("the result is not stored; -olevelsetsfile FILE stores it")

    def IOWrite(self) -> None:
        """Write the level set and its surface; without a surface the level set alone.

        Raises
        ------
        RequestError
            A surface file was asked for and the level set has no surface. The level set has been written.
        """
        name = self.SurfaceOutputFileName
        if not name or self.Surface is None or self.Surface.GetNumberOfPoints():
            super().IOWrite()
            return
        self.SurfaceOutputFileName = ""
        super().IOWrite()
        self.SurfaceOutputFileName = name
        written = self.InitialLevelSetsOutputFileName
        rest = f"; the level set is in {written}" if written else ""
        raise RequestError(f"{name} is not written: the level set has no surface{rest}")

    def _initialize(self, method: str) -> None:
        self.PrintLog(f"{_TITLES.get(method, method)} initialization.")
        image = as_working(self.Image)
        made = self.compute(image, method)
        self.InitialLevelSets = give_back(made, self.Image)
        self.IsoSurfaceValue = 0.0

    def compute(self, image: Any, method: Any) -> Any:
        """The level set of a working image as ``vtkImageData``, from the present attributes."""
        from mitk_rs.levelset import initialize_level_set

        combine: Any = self.Combine
        shift = speed_shift(image, method, self.LowerThreshold, self.UpperThreshold)
        result = initialize_level_set(
            shifted(image, shift),
            method=method,
            sources=inside(image, self.SourcePoints),
            targets=inside(image, self.TargetPoints),
            lower_threshold=None if self.LowerThreshold is None else self.LowerThreshold + shift,
            upper_threshold=None if self.UpperThreshold is None else self.UpperThreshold + shift,
            isosurface=self.IsoSurfaceValue,
            negate=bool(self.NegateImage),
            combine=combine,
            far_value=self.FarValue,
            compat="vmtk",
            threads=self.Threads,
        )
        self._judge(result.report)
        return fresh_like(image, result.level_set)

    def _judge(self, report: Any) -> None:
        """Keep the report, show its warnings, and refuse an empty result where that was asked for."""
        self.Report = report
        for warning in report.warnings:
            self.PrintWarning(warning)
        if self.FailEmpty and report.inside == 0:
            raise RequestError("the level set is empty: no voxel is inside")

    def surface_of(self, level_sets: Any) -> Any:
        """The zero level of a level set as ``vtkPolyData`` in VMTK's frame."""
        from mitk_rs.surface import extract_surface

        image = as_working(level_sets)
        surface = extract_surface(as_image(image), level=0.0)
        attach(surface, frame_of(image))
        return surface

    # VMTK's methods for embedding programs

    def CollidingFrontsInitialize(self) -> None:
        """Set ``InitialLevelSets`` by colliding fronts."""
        self._initialize("collidingfronts")

    def MultipleCollidingFrontsInitialize(self) -> None:
        """Set ``InitialLevelSets`` by fronts between pairs of points."""
        self._initialize("multiplecollidingfronts")

    def FastMarchingInitialize(self) -> None:
        """Set ``InitialLevelSets`` by fast marching."""
        self._initialize("fastmarching")

    def ThresholdInitialize(self) -> None:
        """Set ``InitialLevelSets`` by thresholds."""
        self._initialize("threshold")

    def IsosurfaceInitialize(self) -> None:
        """Set ``InitialLevelSets`` by an isosurface."""
        self._initialize("isosurface")

    def SeedInitialize(self) -> None:
        """Set ``InitialLevelSets`` by marking the points."""
        self._initialize("seeds")

    def MergeLevelSets(self) -> None:
        """Merge ``InitialLevelSets`` into ``MergedInitialLevelSets`` by the voxelwise minimum."""
        new = as_working(self.InitialLevelSets)
        merged = new if self.MergedInitialLevelSets is None else self.merge(self.MergedInitialLevelSets, new)
        self.MergedInitialLevelSets = give_back(merged, self.InitialLevelSets)

    def merge(self, one: Any, other: Any) -> Any:
        """The voxelwise minimum of two level sets as ``vtkImageData``."""
        import numpy as np

        from mitk_rs.image import Image

        first, second = as_working(one), as_working(other)
        arrays = [as_image(image).as_numpy(time_step=0) for image in (first, second)]
        return fresh_like(first, Image(np.minimum(*arrays)))

    def DisplayLevelSetSurface(self, levelSets: Any, value: float = 0.0) -> None:
        """Show the surface of a level set in the renderer, half transparent."""
        from mitk_rs.vmtk.scripts import dialogue

        dialogue.display_surface(self, as_working(levelSets), value)

    def SeedInput(self, queryString: str, numberOfSeeds: int) -> Any:
        """Let the user place seeds in the window; ``vtkPolyData`` of their positions."""
        from mitk_rs.vmtk.scripts import dialogue

        return dialogue.ask_seeds(self, queryString, numberOfSeeds)

    def ThresholdInput(self, queryString: str) -> float | None:
        """Ask for a number; ``n`` is none."""
        text = self.InputText(queryString, _is_threshold)
        return None if text == "n" else float(text)


def _is_threshold(text: str) -> bool:
    try:
        return text == "n" or bool(float(text) == float(text))
    except ValueError:
        return False


_FRONTS = ("collidingfronts", "fastmarching", "multiplecollidingfronts")


def take_points(script: vmtkImageInitialization, image: Any) -> None:
    """Replace files of points by voxels, and append the points given in millimetres to the voxel points of a script."""
    for name, role in (("SourcePoints", "source"), ("TargetPoints", "target")):
        setattr(script, name, voxels_of(image, getattr(script, name), role))
        flat = list(getattr(script, f"{name}Physical"))
        if flat:
            setattr(script, name, [*getattr(script, name), *to_indices(image, flat)])
            setattr(script, f"{name}Physical", [])


def speed_shift(image: Any, method: str, lower: float | None, upper: float | None) -> float:
    """What has to be added to the values so that VMTK's formula masks what is outside of the thresholds.

    VMTK gives voxels outside the value ``min - max``, which lies above the minimum where all values are negative:
    the mask is inverted then. Values from 0 on have the same speeds inside, and speed 0 outside.
    """
    low, high = image.GetScalarRange()
    masked = method in _FRONTS and (lower is not None or upper is not None)
    return -low if masked and high < 0 else 0.0


def shifted(image: Any, shift: float) -> Any:
    """The image as ours, with ``shift`` added to every value."""
    ours = as_image(image)
    if shift == 0:
        return ours
    from mitk_rs.image import Image

    values = np.asarray(ours.as_numpy(time_step=0), dtype=np.float64) + shift
    return Image(values.astype(np.float32), spacing=ours.spacing, origin=ours.origin, direction=ours.direction)
