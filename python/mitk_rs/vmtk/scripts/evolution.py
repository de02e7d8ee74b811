"""``vmtkimagefeatures`` and ``vmtklevelsetsegmentation``: feature images, and level sets that evolve on them.

The numbers are VMTK's (see :func:`mitk_rs.feature_image` and :func:`mitk_rs.evolve_level_set`) without its defects,
which ``--compat vmtk`` keeps. Images of any type are converted, sizes are compared, thresholds are options.
"""

from __future__ import annotations

from typing import Any

from mitk_rs.errors import RequestError
from mitk_rs.vmtk import tables
from mitk_rs.vmtk.conversion import as_image, as_working, fresh_like, give_back
from mitk_rs.vmtk.script import pypeScript

__all__ = ["vmtkImageFeatures", "vmtkLevelSetSegmentation"]

_WITH_FEATURE = ("geodesic", "curves")


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

        kind = self.FeatureImageType
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


class vmtkImageFeatures(_FeatureScript):
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

    Image: Any
    Dimensionality: int
    DerivativeSigma: float
    Geometry: str
    Table = tables.FEATURES
    FeatureImage: Any = None

    def Execute(self) -> None:
        """Make the feature image.

        Raises
        ------
        RequestError
            No image, or options that do not fit it.
        """
        if self.Image is None:
            self.PrintError("Error: no Image.")
        made = self.feature_of(as_working(self.Image), self.DerivativeSigma, self.Dimensionality)
        self.FeatureImage = self.Image = give_back(made, self.Image)


class vmtkLevelSetSegmentation(_FeatureScript):
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

    Image: Any
    FeatureImage: Any
    InitializationImage: Any
    InitialLevelSets: Any
    LevelSets: Any
    LevelSetsType: str
    IsoSurfaceValue: float
    DerivativeSigma: float
    FeatureDerivativeSigma: float
    NegateImage: int
    NumberOfIterations: int
    PropagationScaling: float
    CurvatureScaling: float
    AdvectionScaling: float
    EdgeWeight: float
    SmoothingIterations: int
    SmoothingTimeStep: float
    SmoothingConductance: float
    vmtkRenderer: Any
    LowerThreshold: float | None
    UpperThreshold: float | None
    MaximumRMSError: float
    Compat: str
    DialogueFileName: str
    Geometry: str
    LevelSetsOutputFileName: str
    Table = tables.LEVEL_SETS
    LevelSetsInput: Any = None
    LevelSetsOutput: Any = None
    OwnRenderer = 0
    SurfaceViewer: Any = None
    Report: Any = None

    def Execute(self) -> None:
        """Evolve.

        Raises
        ------
        RequestError
            No image, no level set to start from, or options that do not fit them.
        DisplayError
            The dialogue is wanted, and there is neither a display nor a terminal.
        """
        if self.Image is None:
            self.PrintError("Error: no Image.")
        if self.InitialLevelSets is None and self.LevelSetsInput is not None:
            self.PrintError("Error: LevelSetsInput is an intermediate result; set InitialLevelSets to start from it.")
        image = as_working(self.Image)
        if self.NumberOfIterations:
            self._segment(image)
        else:
            from mitk_rs.vmtk.scripts import dialogue

            dialogue.converse_about_evolution(self, image)
        if self._words is not None and not (self.LevelSetsOutputFileName or self.ConsumedMembers):
            self.PrintWarning("the result is not stored; -ofile FILE stores it")

    def _segment(self, image: Any) -> None:
        if self.InitialLevelSets is None:
            self.PrintError(
                "Error: no InitialLevelSets: give -initiallevelsetsfile, or vmtkimageinitialization before."
            )
        made = self.evolve(image, as_working(self.InitialLevelSets), self.IsoSurfaceValue)
        self.finish(made if self.LevelSets is None else self.merge(as_working(self.LevelSets), made))

    def finish(self, made: Any) -> None:
        """Take over a result."""
        self.LevelSetsOutput = made
        self.LevelSets = give_back(made, self.Image)

    def evolve(self, image: Any, initial: Any, isosurface: float = 0.0) -> Any:
        """What becomes of a level set, as ``vtkImageData``, by the present attributes."""
        from mitk_rs.evolution import evolve_level_set

        self.check_sizes(image, initial)
        self.PrintLog(f"{self.LevelSetsType} evolution, {self.NumberOfIterations} iterations.")
        found = evolve_level_set(
            as_image(image),
            as_image(initial).as_numpy(time_step=0),
            type=self.LevelSetsType,
            iterations=self.NumberOfIterations,
            propagation=self.PropagationScaling,
            curvature=self.CurvatureScaling,
            isosurface=isosurface,
            compat=self.Compat or None,
            threads=self.Threads,
            max_rms=self.MaximumRMSError,
            **self._options_of_type(image),
        )
        self._judge(found.report)
        return fresh_like(image, found.level_set)

    def _options_of_type(self, image: Any) -> dict[str, Any]:
        if self.LevelSetsType == "threshold":
            return self._threshold_options()
        if self.LevelSetsType not in _WITH_FEATURE:
            return {}
        return {
            "advection": self.AdvectionScaling,
            "feature": self._feature(image),
            "advection_sigma": self.FeatureDerivativeSigma,
        }

    def _feature(self, image: Any) -> Any:
        """The voxels of the given feature image, or of one that is computed once."""
        if self.FeatureImage is None:
            self.FeatureImage = give_back(self.feature_of(image, self.FeatureDerivativeSigma), self.Image)
        feature = as_working(self.FeatureImage)
        self.check_sizes(image, feature)
        return as_image(feature).as_numpy(time_step=0)

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
        self.Report = report
        for warning in report.warnings:
            self.PrintWarning(warning)
        self.PrintLog(
            f"stopped by {report.stopped_by} after {report.iterations} iterations, RMS change {report.rms[-1]:.3g} mm, "
            f"{report.inside} voxels inside, {report.volume_ml:.4g} ml"
        )

    def merge(self, one: Any, other: Any) -> Any:
        """The voxelwise minimum of two level sets as ``vtkImageData``."""
        import numpy as np

        from mitk_rs.image import Image

        self.check_sizes(one, other)
        first, second = (np.asarray(as_image(each).as_numpy(time_step=0), np.float32) for each in (one, other))
        return fresh_like(other, Image(np.minimum(first, second)))

    # VMTK's methods for embedding programs

    def LevelSetEvolution(self) -> None:
        """Evolve ``LevelSetsInput``, or else ``InitialLevelSets``, into ``LevelSetsOutput``."""
        start = self.LevelSetsInput if self.LevelSetsInput is not None else self.InitialLevelSets
        if start is None:
            self.PrintError("Error: no InitialLevelSets.")
        self.LevelSetsOutput = self.evolve(as_working(self.Image), as_working(start), self.IsoSurfaceValue)

    def MergeLevelSet(self) -> None:
        """Merge ``LevelSetsOutput`` into ``LevelSets``."""
        made = as_working(self.LevelSetsOutput)
        self.LevelSets = give_back(
            made if self.LevelSets is None else self.merge(as_working(self.LevelSets), made), self.Image
        )

    def DisplayLevelSetSurface(self, levelSets: Any, value: float = 0.0) -> None:
        """Show the surface of a level set in the renderer, half transparent."""
        from mitk_rs.vmtk.scripts import dialogue

        dialogue.display_surface(self, as_working(levelSets), value)
