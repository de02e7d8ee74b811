"""A process with the ``itk`` wheel in it that evolves level sets and makes feature images on request.

Reads pickled requests ``(name, arguments)`` from standard input and writes pickled answers to standard output. It is a
process of its own because ITK's filters take seconds and half a gigabyte to load.
"""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable, Sequence
from typing import Any

import itk
import numpy as np

# By name: `itk.GeodesicActiveContourLevelSetImageFilter` would load the wrapping of every type.
from itk.itkBoundedReciprocalImageFilterPython import itkBoundedReciprocalImageFilterIF3IF3 as Reciprocal
from itk.itkCurvesLevelSetImageFilterPython import itkCurvesLevelSetImageFilterIF3IF3F as Curves
from itk.itkFlatStructuringElementPython import itkFlatStructuringElement3 as Ball
from itk.itkGeodesicActiveContourLevelSetImageFilterPython import itkGeodesicActiveContourLevelSetImageFilterIF3IF3F
from itk.itkGradientMagnitudeImageFilterPython import itkGradientMagnitudeImageFilterIF3IF3 as Gradient
from itk.itkGradientMagnitudeRecursiveGaussianImageFilterPython import (
    itkGradientMagnitudeRecursiveGaussianImageFilterIF3IF3 as SmoothGradient,
)
from itk.itkGrayscaleDilateImageFilterPython import itkGrayscaleDilateImageFilterIF3IF3SE3 as Dilation
from itk.itkLaplacianSegmentationLevelSetImageFilterPython import itkLaplacianSegmentationLevelSetImageFilterIF3IF3F
from itk.itkSigmoidImageFilterPython import itkSigmoidImageFilterIF3IF3 as Sigmoid
from itk.itkThresholdSegmentationLevelSetImageFilterPython import itkThresholdSegmentationLevelSetImageFilterIF3IF3F
from numpy.typing import NDArray

Floats = NDArray[np.float32]
FILTERS = {
    "geodesic": itkGeodesicActiveContourLevelSetImageFilterIF3IF3F,
    "curves": Curves,
    "threshold": itkThresholdSegmentationLevelSetImageFilterIF3IF3F,
    "laplacian": itkLaplacianSegmentationLevelSetImageFilterIF3IF3F,
}


def image(voxels: NDArray[Any], spacing: Sequence[float]) -> Any:
    """An ITK image of floats without origin and direction."""
    made = itk.Image[itk.F, 3].New()
    made.SetRegions([int(n) for n in voxels.shape[::-1]])
    made.Allocate()
    # `image_from_array` would take a column (n, 1, 1), which is in Fortran order too, for a row.
    itk.array_view_from_image(made)[:] = voxels
    made.SetSpacing([float(h) for h in spacing])
    return made


def evolve(
    kind: str,
    feature: Floats,
    initial: Floats,
    spacing: Sequence[float],
    *,
    iterations: int,
    propagation: float = 0.0,
    curvature: float = 0.0,
    advection: float = 1.0,
    sigma: float = 0.0,
    isosurface: float = 0.0,
    max_rms: float = 1e-20,
    reverse: bool = False,
    thresholds: tuple[float, float] | None = None,
    edge_weight: float = 0.0,
    smoothing: tuple[int, float, float] = (5, 0.1, 0.8),
) -> dict[str, Any]:
    """A segmentation level-set filter as VMTK sets it up; ``feature`` is the scan for threshold and laplacian."""
    found = FILTERS[kind].New()
    found.SetInput(image(initial, spacing))
    found.SetFeatureImage(image(feature, spacing))
    found.SetNumberOfIterations(iterations)
    found.SetMaximumRMSError(max_rms)
    found.SetIsoSurfaceValue(isosurface)
    found.SetInterpolateSurfaceLocation(True)
    found.UseImageSpacingOn()
    found.SetNumberOfLayers(3)
    found.SetPropagationScaling(-propagation if kind == "laplacian" else propagation)
    found.SetCurvatureScaling(curvature)
    if kind in ("geodesic", "curves"):
        found.SetAdvectionScaling(advection)
        found.SetDerivativeSigma(sigma)
        found.SetReverseExpansionDirection(reverse)
    if kind == "threshold" and thresholds is not None:
        found.SetLowerThreshold(thresholds[0])
        found.SetUpperThreshold(thresholds[1])
        found.SetEdgeWeight(edge_weight)
        found.SetSmoothingIterations(smoothing[0])
        found.SetSmoothingTimeStep(smoothing[1])
        found.SetSmoothingConductance(smoothing[2])
    found.Update()
    return {
        "level_set": itk.array_from_image(found.GetOutput()),
        "rms": found.GetRMSChange(),
        "iterations": found.GetElapsedIterations(),
    }


def gradient(voxels: Floats, spacing: Sequence[float], sigma: float) -> Floats:
    """``GradientMagnitudeImageFilter``, for ``sigma > 0`` the recursive Gaussian one."""
    made = (SmoothGradient if sigma > 0 else Gradient).New(image(voxels, spacing))
    if sigma > 0:
        made.SetSigma(sigma)
        made.SetNormalizeAcrossScale(False)
    made.Update()
    return itk.array_from_image(made.GetOutput())


def reciprocal(voxels: Floats) -> Floats:
    """``BoundedReciprocalImageFilter``."""
    made = Reciprocal.New(image(voxels, (1, 1, 1)))
    made.Update()
    return itk.array_from_image(made.GetOutput())


def sigmoid(voxels: Floats, alpha: float, beta: float) -> Floats:
    """``SigmoidImageFilter`` with the range 0 to 1."""
    made = Sigmoid.New(image(voxels, (1, 1, 1)))
    made.SetAlpha(alpha)
    made.SetBeta(beta)
    made.SetOutputMinimum(0.0)
    made.SetOutputMaximum(1.0)
    made.Update()
    return itk.array_from_image(made.GetOutput())


def dilate(voxels: Floats, radius: Sequence[int]) -> Floats:
    """``GrayscaleDilateImageFilter`` with a ball."""
    made = Dilation.New(image(voxels, (1, 1, 1)))
    made.SetKernel(Ball.Ball([int(r) for r in radius]))
    made.Update()
    return itk.array_from_image(made.GetOutput())


REQUESTS: dict[str, Callable[..., Any]] = {
    "evolve": evolve,
    "gradient": gradient,
    "reciprocal": reciprocal,
    "sigmoid": sigmoid,
    "dilate": dilate,
}


def main() -> None:
    """Answer until standard input ends."""
    itk.MultiThreaderBase.SetGlobalDefaultNumberOfThreads(1)
    itk.Object.SetGlobalWarningDisplay(False)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    while True:
        try:
            name, positional, options = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer: Any = REQUESTS[name](*positional, **options)
        except RuntimeError as error:
            answer = error.args[0] if error.args else repr(error)
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    main()
