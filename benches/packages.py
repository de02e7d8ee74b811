"""The packages that march, each run in a process of its own: ``packages.py NAME [THREADS INSTRUCTIONS]``.

A request names a file with the speed, and what to do; see ``cases.Problem``. The array is read, and converted to what
the package takes, before the clock starts.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from table import serve

Request = dict[str, Any]
Call = Callable[[], object]


def ours(threads: int, instructions: Any) -> Callable[[Request], Call]:
    """mitk_rs with a number of threads and a set of vector instructions."""
    import mitk_rs as mitk
    from mitk_rs import _core

    _core.force_instructions(instructions)

    # Also more than the machine has: what that costs is one of the questions.
    mitk.set_num_threads(threads)

    def prepare(request: Request) -> Call:
        speed, spacing, seeds, goals = arguments(request)
        if not goals:
            sparse = request["sparse"]
            return lambda: mitk.fast_marching(speed, seeds=seeds, spacing=spacing, sparse=sparse, threads=threads)
        return lambda: mitk.colliding_fronts(
            speed,
            seeds1=seeds,
            seeds2=goals,
            spacing=spacing,
            stop_on_targets=request["stop_on_targets"],
            threads=threads,
        )

    return prepare


def arguments(request: Request) -> tuple[Any, Any, Any, Any]:
    """Speed (an array, or the name of a file with it), spacing, seeds and goals."""
    speed = request["speed"]
    array = speed if isinstance(speed, np.ndarray) else np.load(speed)
    return array, request["spacing"], request["seeds"], request["goals"]


def simpleitk() -> Callable[[Request], Call]:
    """SimpleITK's filters; they give float64."""
    import SimpleITK as sitk

    def prepare(request: Request) -> Call:
        speed, spacing, seeds, goals = arguments(request)
        image = sitk.GetImageFromArray(speed)
        image.SetSpacing(spacing)
        if not goals:
            march = sitk.FastMarchingUpwindGradientImageFilter()
            march.SetTrialPoints(seeds)
            return lambda: march.Execute(image)
        fronts = sitk.CollidingFrontsImageFilter()
        fronts.SetSeedPoints1(seeds)
        fronts.SetSeedPoints2(goals)
        fronts.SetStopOnTargets(request["stop_on_targets"])
        return lambda: fronts.Execute(image)

    return prepare


def itk() -> Callable[[Request], Call]:
    """The ``itk`` wheel's filters for float images."""
    from itk import image_from_array
    from itk.itkCollidingFrontsImageFilterPython import itkCollidingFrontsImageFilterIF3IF3 as FloatFronts
    from itk.ITKFastMarchingBasePython import itkVectorContainerUILSNF3 as FloatNodes
    from itk.itkFastMarchingUpwindGradientImageFilterPython import (
        itkFastMarchingUpwindGradientImageFilterIF3IF3 as FloatMarch,
    )
    from itk.itkLevelSetNodePython import itkLevelSetNodeF3 as FloatNode

    def nodes(points: Any) -> Any:
        container = FloatNodes.New()
        for number, point in enumerate(points):
            node = FloatNode()
            node.SetIndex(point)
            node.SetValue(0.0)
            container.InsertElement(number, node)
        return container

    def prepare(request: Request) -> Call:
        speed, spacing, seeds, goals = arguments(request)
        image = image_from_array(speed)
        image.SetSpacing(spacing)

        def march() -> object:
            march = FloatMarch.New(image)
            march.SetTrialPoints(nodes(seeds))
            march.SetTargetReachedModeToNoTargets()
            march.SetGenerateGradientImage(False)
            march.Update()
            return march

        def collide() -> object:
            fronts = FloatFronts.New(image)
            fronts.SetSeedPoints1(nodes(seeds))
            fronts.SetSeedPoints2(nodes(goals))
            fronts.SetStopOnTargets(request["stop_on_targets"])
            fronts.Update()
            return fronts

        return collide if goals else march

    return prepare


def scikit_fmm() -> Callable[[Request], Call]:
    """scikit-fmm, first order; it starts from a contour around the seed."""
    import skfmm

    def prepare(request: Request) -> Call:
        speed, spacing, seeds, goals = arguments(request)
        if goals:
            raise ValueError("scikit-fmm has no colliding fronts")
        contour = np.ones(speed.shape, np.float64)
        for x, y, z in seeds:
            contour[z, y, x] = -1
        return lambda: skfmm.travel_time(contour, speed, dx=spacing[::-1], order=1)

    return prepare


def eikonalfm() -> Callable[[Request], Call]:
    """eikonalfm, first order, one seed."""
    import eikonalfm as package

    def prepare(request: Request) -> Call:
        speed, spacing, seeds, goals = arguments(request)
        if goals or len(seeds) != 1:
            raise ValueError("eikonalfm marches from one seed")
        (x, y, z) = seeds[0]
        double = speed.astype(np.float64)
        return lambda: package.fast_marching(double, (z, y, x), tuple(spacing[::-1]), 1)

    return prepare


def output_alone() -> Callable[[Request], Call]:
    """Writing a result of this size and nothing else: what no dense march can be faster than."""

    def prepare(request: Request) -> Call:
        shape = np.load(request["speed"], mmap_mode="r").shape
        return lambda: np.full(shape, np.float32(1.7e38))

    return prepare


PEERS: dict[str, Callable[[], Callable[[Request], Call]]] = {
    "itk": itk,
    "SimpleITK": simpleitk,
    "scikit-fmm": scikit_fmm,
    "eikonalfm": eikonalfm,
    "numpy.full": output_alone,
}


if __name__ == "__main__":
    serve(PEERS[sys.argv[1]]() if sys.argv[1] in PEERS else ours(int(sys.argv[2]), sys.argv[3]))
