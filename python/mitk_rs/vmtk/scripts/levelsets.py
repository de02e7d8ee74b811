"""Level sets: surfaces of them, initial ones, feature images, and evolution, headless or in a dialogue.

The numbers are VMTK's (``compat="vmtk"`` of :func:`mitk_rs.initialize_level_set`; :func:`mitk_rs.feature_image`,
:func:`mitk_rs.evolve_level_set`); what VMTK does silently wrong is an error or a warning, or it is done right unless
``--compat vmtk`` keeps it. Level sets are float32, negative inside, on the grid of the image.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mitk_rs.errors import RequestError, UsageError
from mitk_rs.vmtk import tables
from mitk_rs.vmtk.conversion import (
    as_image,
    as_working,
    attach,
    filtered,
    frame_of,
    fresh_like,
    give_back,
    indices_of,
    inside,
    select_array,
    to_indices,
    voxels_of,
)
from mitk_rs.vmtk.script import pypeScript

__all__ = ["vmtkImageFeatures", "vmtkImageInitialization", "vmtkLevelSetSegmentation", "vmtkMarchingCubes"]


class _LevelSetScript(pypeScript):
    """What scripts that make level sets share."""

    OwnRenderer = 0
    SurfaceViewer: Any = None
    Report: Any = None

    def _judge(self, report: Any) -> None:
        """Keep the report of a computation and show its warnings."""
        self.Report = report
        for warning in report.warnings:
            self.PrintWarning(warning)

    def _warn_unstored(self, option: str, *names: str) -> None:
        if self._words is not None and not (any(names) or self.ConsumedMembers):
            self.PrintWarning(f"the result is not stored; {option} FILE stores it")

    def DisplayLevelSetSurface(self, levelSets: Any, value: float = 0.0) -> None:
        """Show the surface of a level set in the renderer, half transparent."""
        from mitk_rs.vmtk.scripts import dialogue

        dialogue.display_surface(self, as_working(levelSets), value)


# Surfaces


def _surface_at(image: Any, level: float = 0.0) -> Any:
    from mitk_rs.surface import extract_surface

    return extract_surface(as_image(image), level=level)


class vmtkMarchingCubes(tables.MarchingCubes, pypeScript):
    """Make an isosurface (VMTK's ``vmtkMarchingCubes``), in VMTK's frame, open at the ends of the image.

    With ``UseContourFilter`` it is what ``vtkContourFilter`` makes: in a 2-D image it consists of lines.
    """

    def Execute(self) -> None:
        """Make the surface. Raises ``RequestError`` (no image, no such array, or an image without three dimensions)."""
        image = select_array(as_working(self._needed("Image")), self.ArrayName)
        if self.UseContourFilter:
            surface = filtered(image, "vtkFiltersCore", "vtkContourFilter", SetValue=(0, self.Level))
        else:
            surface = _surface_at(image, self.Level)
        if surface.GetNumberOfPoints() == 0:
            low, high = image.GetScalarRange()
            self.PrintWarning(f"the surface is empty: no value of {self.Level:g} within {low:g} to {high:g}")
        elif self.Connectivity:
            core = "vtkFiltersCore"
            piece = filtered(surface, core, "vtkPolyDataConnectivityFilter", SetExtractionModeToLargestRegion=())
            surface = filtered(piece, core, "vtkCleanPolyData")
        attach(surface, frame_of(image))
        self.Surface = surface


# Initialization

_TITLES = {
    "collidingfronts": "Colliding fronts",
    "multiplecollidingfronts": "Multiple colliding fronts",
    "fastmarching": "Fast marching",
    "threshold": "Threshold",
    "isosurface": "Isosurface",
    "seeds": "Seed",
}


def _initializing(method: str, how: str) -> Callable[[vmtkImageInitialization], None]:
    def initialize(self: vmtkImageInitialization) -> None:
        self._initialize(method)

    initialize.__doc__ = f"Set ``InitialLevelSets`` by {how}."
    return initialize


class vmtkImageInitialization(tables.ImageInitialization, _LevelSetScript):
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
    InitialLevelSetsOutputFileName: str
    SurfaceOutputFileName: str
    ImageSeeder: Any = None
    MergedInitialLevelSets: Any = None
    NumSeedsSelected = 0

    # Running

    def Execute(self) -> None:
        """Make the level set.

        Raises ``RequestError`` (no image, or a request that does not fit it) or ``UsageError`` (points that are not in
        triples) or ``DisplayError`` (the dialogue is wanted and there is neither a display nor a terminal).
        """
        image = as_working(self._needed("Image"))
        for name, role in (("SourcePoints", "source"), ("TargetPoints", "target")):
            self._take_points(image, name, role)
        for name in ("SourcePoints", "TargetPoints"):
            count = len(getattr(self, name))
            if count % 3:
                raise UsageError(f"{name} has {count} values, need a multiple of 3")
        if not (self.Interactive and self._converse(image)):
            self._initialize(self.Method)
        if self.SurfaceOutputFileName or "Surface" in self.ConsumedMembers:
            self.Surface = self.surface_of(self.InitialLevelSets)
        self._warn_unstored("-olevelsetsfile", self.InitialLevelSetsOutputFileName, self.SurfaceOutputFileName)

    def _converse(self, image: Any) -> bool:
        from mitk_rs.vmtk.scripts import dialogue

        return dialogue.converse(self, image)

    def _take_points(self, image: Any, name: str, role: str) -> None:
        """Replace files of points by voxels, and append the points given in millimetres."""
        physical = list(getattr(self, f"{name}Physical"))
        setattr(self, name, indices_of(image, getattr(self, name), role))
        if physical:
            setattr(self, name, [*getattr(self, name), *to_indices(image, physical)])
            setattr(self, f"{name}Physical", [])

    def IOWrite(self) -> None:
        """Write the level set and its surface; without a surface the level set alone.

        Raises ``RequestError`` (a surface file was asked for and the level set has no surface: the level set has been
        written).
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
        self.InitialLevelSets = give_back(self.compute(as_working(self.Image), method), self.Image)
        self.IsoSurfaceValue = 0.0

    def compute(self, image: Any, method: Any) -> Any:
        """The level set of a working image as ``vtkImageData``, from the present attributes."""
        from mitk_rs.levelset import initialize_level_set

        combine: Any = self.Combine
        shift = _speed_shift(image, method, self.LowerThreshold, self.UpperThreshold)
        result = initialize_level_set(
            _shifted(image, shift),
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
        if self.FailEmpty and result.report.inside == 0:
            raise RequestError("the level set is empty: no voxel is inside")
        return fresh_like(image, result.level_set)

    def surface_of(self, level_sets: Any) -> Any:
        """The zero level of a level set as ``vtkPolyData`` in VMTK's frame."""
        image = as_working(level_sets)
        surface = _surface_at(image)
        attach(surface, frame_of(image))
        return surface

    # VMTK's methods for embedding programs

    CollidingFrontsInitialize = _initializing("collidingfronts", "colliding fronts")
    MultipleCollidingFrontsInitialize = _initializing("multiplecollidingfronts", "fronts between pairs of points")
    FastMarchingInitialize = _initializing("fastmarching", "fast marching")
    ThresholdInitialize = _initializing("threshold", "thresholds")
    IsosurfaceInitialize = _initializing("isosurface", "an isosurface")
    SeedInitialize = _initializing("seeds", "marking the points")

    def MergeLevelSets(self) -> None:
        """Merge ``InitialLevelSets`` into ``MergedInitialLevelSets`` by the voxelwise minimum."""
        new = as_working(self.InitialLevelSets)
        merged = new if self.MergedInitialLevelSets is None else self.merge(self.MergedInitialLevelSets, new)
        self.MergedInitialLevelSets = give_back(merged, self.InitialLevelSets)

    def merge(self, one: Any, other: Any) -> Any:
        """The voxelwise minimum of two level sets as ``vtkImageData``."""
        return fresh_like(as_working(one), np.minimum(voxels_of(one), voxels_of(other)))

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
        return text == "n" or float(text) == float(text)
    except ValueError:
        return False


def _speed_shift(image: Any, method: str, lower: float | None, upper: float | None) -> float:
    """What has to be added to the values so that VMTK's formula masks what is outside of the thresholds.

    VMTK gives voxels outside the value ``min - max``, which lies above the minimum where all values are negative:
    the mask is inverted then. Values from 0 on have the same speeds inside, and speed 0 outside.
    """
    low, high = image.GetScalarRange()
    fronts = ("collidingfronts", "fastmarching", "multiplecollidingfronts")
    masked = method in fronts and (lower is not None or upper is not None)
    return -low if masked and high < 0 else 0.0


def _shifted(image: Any, shift: float) -> Any:
    """The image as ours, with ``shift`` added to every value."""
    ours = as_image(image)
    if shift == 0:
        return ours
    from mitk_rs.image import Image

    values = np.asarray(ours.as_numpy(time_step=0), dtype=np.float64) + shift
    return Image(values.astype(np.float32), spacing=ours.spacing, origin=ours.origin, direction=ours.direction)


# Feature images


class _FeatureScript(pypeScript):
    """What both scripts know of feature images."""

    FeatureImageType: str
    SigmoidRemapping: int
    UpwindFactor: float
    FWHMRadius: list[float]
    FWHMBackgroundValue: float

    def feature_of(self, image: Any, sigma: float, dimensionality: int = 3) -> Any:
        """The feature image of a working image as ``vtkImageData``; what the type does not use is left out."""
        from mitk_rs.features import feature_image

        kind: Any = self.FeatureImageType
        if any(radius != int(radius) for radius in self.FWHMRadius):
            raise RequestError(f"FWHMRadius is {list(self.FWHMRadius)}: whole numbers of voxels are needed")
        made = feature_image(
            as_image(image),
            type=kind,
            sigma=sigma if kind == "gradient" else 0.0,
            sigmoid=bool(self.SigmoidRemapping) and kind in ("gradient", "upwind"),
            upwind_factor=self.UpwindFactor,
            radius=[int(radius) for radius in self.FWHMRadius],
            background=self.FWHMBackgroundValue,
            dimensionality=dimensionality,
            threads=self.Threads,
        )
        if self.SigmoidRemapping and kind not in ("gradient", "upwind"):
            self.PrintWarning(f"-sigmoid is ignored: {kind} has a map of its own")
        return fresh_like(image, made)


class vmtkImageFeatures(tables.ImageFeatures, _FeatureScript):
    """Make a feature image (VMTK's ``vmtkImageFeatures``).

    Attributes
    ----------
    Image
        ``vtkImageData``, :class:`mitk_rs.Image`, SimpleITK image or NumPy array; afterwards the feature image, as in
        VMTK.
    FeatureImage
        The feature image, float32, in the flavour of ``Image``.

    Examples
    --------
    >>> import numpy as np
    >>> from mitk_rs.vmtk import vmtkscripts
    >>> script = vmtkscripts.vmtkImageFeatures()
    >>> script.Image = np.zeros((5, 5, 5), np.int16)
    >>> script.Execute()
    >>> float(script.FeatureImage.min())
    1.0
    """

    FeatureImage: Any = None

    def Execute(self) -> None:
        """Make the feature image. Raises ``RequestError`` (no image, or options that do not fit it)."""
        image = as_working(self._needed("Image"))
        made = self.feature_of(image, self.DerivativeSigma, self.Dimensionality)
        self.FeatureImage = self.Image = give_back(made, self.Image)


# Evolution


class vmtkLevelSetSegmentation(tables.LevelSetSegmentation, _FeatureScript, _LevelSetScript):
    """Evolve level sets (VMTK's ``vmtkLevelSetSegmentation``).

    Attributes
    ----------
    Image
        The scan: ``vtkImageData``, :class:`mitk_rs.Image`, SimpleITK image or NumPy array; it is not changed.
    InitialLevelSets
        The level set to start from, of any numeric type, negative inside.
    FeatureImage
        Given, or computed from ``Image``.
    LevelSets
        Merged into the result, then the result: float32, negative inside, in the flavour of ``Image``.
    NumberOfIterations
        0 asks in a dialogue; more run without any window.
    Report
        The :class:`mitk_rs.EvolutionReport` of the last evolution.

    Examples
    --------
    >>> import numpy as np
    >>> from mitk_rs.vmtk import vmtkscripts
    >>> z, y, x = np.mgrid[:20, :20, :20] - 9.5
    >>> distance = np.sqrt(x**2 + y**2 + z**2)
    >>> script = vmtkscripts.vmtkLevelSetSegmentation()
    >>> script.Image, script.InitialLevelSets = (distance < 7) * 100.0, distance - 4
    >>> script.NumberOfIterations, script.PropagationScaling, script.LogOn = 100, 1.0, 0
    >>> script.Execute()
    >>> bool((script.InitialLevelSets < 0).sum() < (script.LevelSets < 0).sum())
    True
    """

    LevelSetsOutputFileName: str
    LevelSetsInput: Any = None
    LevelSetsOutput: Any = None

    def Execute(self) -> None:
        """Evolve.

        Raises ``RequestError`` (no image, no level set to start from, or options that do not fit them) or
        ``DisplayError`` (the dialogue is wanted, and there is neither a display nor a terminal).
        """
        self._needed("Image")
        if self.InitialLevelSets is None and self.LevelSetsInput is not None:
            self.PrintError("Error: LevelSetsInput is an intermediate result; set InitialLevelSets to start from it.")
        image = as_working(self.Image)
        if not self.NumberOfIterations:
            from mitk_rs.vmtk.scripts import dialogue

            dialogue.converse_about_evolution(self, image)
        elif self.InitialLevelSets is None:
            self.PrintError(
                "Error: no InitialLevelSets: give -initiallevelsetsfile, or vmtkimageinitialization before."
            )
        else:
            self.finish(self._merged(self.evolve(image, as_working(self.InitialLevelSets), self.IsoSurfaceValue)))
        self._warn_unstored("-ofile", self.LevelSetsOutputFileName)

    def finish(self, made: Any) -> None:
        """Take over a result."""
        self.LevelSetsOutput = made
        self.LevelSets = give_back(made, self.Image)

    def evolve(self, image: Any, initial: Any, isosurface: float = 0.0) -> Any:
        """What becomes of a level set, as ``vtkImageData``, by the present attributes."""
        from mitk_rs.evolution import evolve_level_set

        self.check_sizes(image, initial)
        self.PrintLog(f"{self.LevelSetsType} evolution, {self.NumberOfIterations} iterations.")
        kind: Any = self.LevelSetsType
        compat: Any = self.Compat or None
        found = evolve_level_set(
            as_image(image),
            voxels_of(initial),
            type=kind,
            iterations=self.NumberOfIterations,
            propagation=self.PropagationScaling,
            curvature=self.CurvatureScaling,
            isosurface=isosurface,
            compat=compat,
            threads=self.Threads,
            max_rms=self.MaximumRMSError,
            **self._options_of_type(image),
        )
        self._judge(found.report)
        return fresh_like(image, found.level_set)

    def _options_of_type(self, image: Any) -> dict[str, Any]:
        if self.LevelSetsType == "threshold":
            return self._threshold_options()
        if self.LevelSetsType not in ("geodesic", "curves"):
            return {}
        if self.FeatureImage is None:
            self.FeatureImage = give_back(self.feature_of(image, self.FeatureDerivativeSigma), self.Image)
        feature = as_working(self.FeatureImage)
        self.check_sizes(image, feature)
        return {
            "advection": self.AdvectionScaling,
            "feature": voxels_of(feature),
            "advection_sigma": self.FeatureDerivativeSigma,
        }

    def _threshold_options(self) -> dict[str, Any]:
        bounds = {"-lowerthreshold": self.LowerThreshold, "-upperthreshold": self.UpperThreshold}
        missing = [option for option, value in bounds.items() if value is None]
        if missing:
            self.PrintError(f"Error: -levelsetstype threshold needs {' and '.join(missing)}.")
        return {
            "lower_threshold": self.LowerThreshold,
            "upper_threshold": self.UpperThreshold,
            "edge_weight": self.EdgeWeight,
            "smoothing_iterations": self.SmoothingIterations,
            "smoothing_time_step": self.SmoothingTimeStep,
            "smoothing_conductance": self.SmoothingConductance,
        }

    def check_sizes(self, image: Any, other: Any) -> None:
        """Refuse images that are not on the same grid, which VMTK reads as if they were."""
        one, two = (tuple(each.GetDimensions()) for each in (image, other))
        if one != two:
            sizes = [" x ".join(map(str, size)) for size in (two, one)]
            raise RequestError(f"an image has {sizes[0]} voxels, the input image {sizes[1]}: they must be on one grid")
        spacings = list(zip(image.GetSpacing(), other.GetSpacing(), strict=True))
        if any(abs(a - b) > 1e-4 * a for a, b in spacings):
            raise RequestError(
                f"an image has the spacing {other.GetSpacing()} and the input image {image.GetSpacing()}: resample one"
            )

    def _judge(self, report: Any) -> None:
        super()._judge(report)
        self.PrintLog(
            f"stopped by {report.stopped_by} after {report.iterations} iterations, RMS change {report.rms[-1]:.3g} mm, "
            f"{report.inside} voxels inside, {report.volume_ml:.4g} ml"
        )

    def merge(self, one: Any, other: Any) -> Any:
        """The voxelwise minimum of two level sets as ``vtkImageData``."""
        self.check_sizes(one, other)
        first, second = (np.asarray(voxels_of(each), np.float32) for each in (one, other))
        return fresh_like(other, np.minimum(first, second))

    # VMTK's methods for embedding programs

    def LevelSetEvolution(self) -> None:
        """Evolve ``LevelSetsInput``, or else ``InitialLevelSets``, into ``LevelSetsOutput``."""
        start = self.LevelSetsInput if self.LevelSetsInput is not None else self._needed("InitialLevelSets")
        self.LevelSetsOutput = self.evolve(as_working(self.Image), as_working(start), self.IsoSurfaceValue)

    def MergeLevelSet(self) -> None:
        """Merge ``LevelSetsOutput`` into ``LevelSets``."""
        self.LevelSets = give_back(self._merged(as_working(self.LevelSetsOutput)), self.Image)

    def _merged(self, made: Any) -> Any:
        return made if self.LevelSets is None else self.merge(as_working(self.LevelSets), made)
