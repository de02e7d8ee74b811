"""The oracle of the bits, and the real CT as a speed image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from workers import PickleWorker

from mitk_rs import _core


class Oracle(PickleWorker):
    """ITK in a process of its own."""

    def march(self, *arguments: Any, **options: Any) -> dict[str, Any]:
        """``itk.FastMarchingUpwindGradientImageFilter``: times, gradient, target value."""
        return self.ask("march", *arguments, **options)

    def collide(self, *arguments: Any, **options: Any) -> NDArray[np.float32]:
        """``itk.CollidingFrontsImageFilter``."""
        return self.ask("collide", *arguments, **options)


@pytest.fixture(scope="session")
def oracle() -> Iterator[Oracle]:
    made = Oracle(Path(__file__).with_name("itk_worker.py"))
    yield made
    made.close()


@dataclass(frozen=True)
class Scan:
    """A speed image with two ends of a vessel."""

    speed: NDArray[np.float32]
    spacing: tuple[float, float, float]
    source: tuple[int, int, int]
    target: tuple[int, int, int]


@pytest.fixture(scope="session")
def aorta(test_data: Path) -> Scan:
    """The aorta of the test data: speeds from intensities of at least 700, spacing in single precision as VMTK's."""
    import SimpleITK as sitk

    image = sitk.ReadImage(str(test_data / "aorta.mha"), sitk.sitkFloat32)
    speed = _core.speed_image(sitk.GetArrayFromImage(image), (700.0, None, False, True))
    x, y, z = (float(np.float32(h)) for h in image.GetSpacing())
    return Scan(speed, (x, y, z), (71, 213, 16), (58, 78, 22))
