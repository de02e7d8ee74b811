"""A process with the ``itk`` wheel in it that marches on request: the oracle of the bits.

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

# By name: `itk.LevelSetNode` would load every module of ITK, this loads a tenth of them.
from itk.itkCollidingFrontsImageFilterPython import itkCollidingFrontsImageFilterIF3IF3 as FloatFronts
from itk.ITKFastMarchingBasePython import itkVectorContainerUILSNF3 as FloatNodes
from itk.itkFastMarchingUpwindGradientImageFilterPython import (
    itkFastMarchingUpwindGradientImageFilterIF3IF3 as FloatMarch,
)
from itk.itkLevelSetNodePython import itkLevelSetNodeF3 as FloatNode
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Points = Sequence[tuple[int, int, int]]
MODES = {"none": "NoTargets", "one": "OneTarget", "some": "SomeTargets", "all": "AllTargets"}


def image(speed: NDArray[Any], spacing: Sequence[float]) -> Any:
    """The speed as an ITK image of floats."""
    made = itk.Image[itk.F, 3].New()
    made.SetRegions([int(n) for n in speed.shape[::-1]])
    made.Allocate()
    # `image_from_array` would take a column (n, 1, 1), which is in Fortran order too, for a row.
    itk.array_view_from_image(made)[:] = speed
    made.SetSpacing([float(h) for h in spacing])
    return made


def nodes(points: Points, times: Sequence[float] | None = None) -> Any:
    """A container of level-set nodes."""
    container = FloatNodes.New()
    for number, point in enumerate(points):
        node = FloatNode()
        node.SetIndex([int(i) for i in point])
        node.SetValue(0.0 if times is None else times[number])
        container.InsertElement(number, node)
    return container


def march(
    speed: NDArray[Any],
    spacing: Sequence[float],
    seeds: Points,
    *,
    seed_times: Sequence[float] | None = None,
    targets: Points = (),
    mode: str = "none",
    count: int = 0,
    offset: float = 1.0,
    stopping_time: float | None = None,
    gradient: bool = False,
) -> dict[str, Any]:
    """``FastMarchingUpwindGradientImageFilter``."""
    march = FloatMarch.New(image(speed, spacing))
    march.SetTrialPoints(nodes(seeds, seed_times))
    march.SetTargetOffset(offset)
    march.SetGenerateGradientImage(gradient)
    if targets:
        march.SetTargetPoints(nodes(targets))
    set_mode = getattr(march, f"SetTargetReachedModeTo{MODES[mode]}")
    set_mode(count) if mode == "some" else set_mode()
    if stopping_time is not None:
        march.SetStoppingValue(stopping_time)
    march.Update()
    slopes = itk.array_from_image(march.GetGradientImage()) if gradient else None
    times = itk.array_from_image(march.GetOutput())
    return {"times": times, "gradient": slopes, "target_value": march.GetTargetValue()}


def collide(
    speed: NDArray[Any],
    spacing: Sequence[float],
    seeds1: Points,
    seeds2: Points,
    *,
    stop_on_targets: bool = True,
    apply_connectivity: bool = True,
    negative_epsilon: float = -1e-6,
) -> Floats:
    """``CollidingFrontsImageFilter``."""
    fronts = FloatFronts.New(image(speed, spacing))
    fronts.SetSeedPoints1(nodes(seeds1))
    fronts.SetSeedPoints2(nodes(seeds2))
    fronts.SetStopOnTargets(stop_on_targets)
    fronts.SetApplyConnectivity(apply_connectivity)
    fronts.SetNegativeEpsilon(negative_epsilon)
    fronts.Update()
    return itk.array_from_image(fronts.GetOutput())


REQUESTS: dict[str, Callable[..., Any]] = {"march": march, "collide": collide}


def main() -> None:
    """Answer until standard input ends."""
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
