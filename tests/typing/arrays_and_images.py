"""What type checkers say of calls as users write them; never run."""

from collections.abc import Iterator
from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray
from vtkmodules.vtkCommonDataModel import vtkImageData

import mitk_rs as mitk


class Scan(mitk.Image):
    """An image of the user's own."""


image, scan = mitk.read_image("scan.mha"), Scan()
array: NDArray[Any] = np.zeros((4, 5, 6))

assert_type(image, mitk.Image)
assert_type(mitk.Image.load("scan.mha"), mitk.Image)
assert_type(Scan.load("scan.mha"), Scan)
assert_type(Scan.from_numpy(array), Scan)
assert_type(scan.copy(), Scan)
assert_type(image.spacing, tuple[float, float, float])
mitk.write_image(image, "out.nrrd")
shape = mitk.read_info("scan.mha").shape
assert_type(shape, tuple[int, ...])

assert_type(mitk.project(image, axis="y", kind="mean", slab=(1, 3)), mitk.Image)
assert_type(mitk.project(scan, threads=2), Scan)
assert_type(mitk.project(array, axis=0), NDArray[Any])
assert_type(mitk.mip(image), mitk.Image)
assert_type(mitk.project_all(array), tuple[NDArray[Any], NDArray[Any], NDArray[Any]])
assert_type(mitk.slide(scan, thickness=3), Scan)
assert_type(mitk.render_mip(image, azimuth=30, zoom=2.0), NDArray[Any])
assert_type(mitk.render_mip(image, depth=True), tuple[NDArray[Any], NDArray[Any]])
assert_type(mitk.render_spin(image, frames=4), Iterator[NDArray[Any]])

assert_type(mitk.fast_marching(scan, seeds=[(1, 1, 1)]).arrival_time, Scan)
assert_type(mitk.fast_marching(array, seeds=[(1, 1, 1)], timeout=3.0).arrival_time, NDArray[Any])
assert_type(mitk.fast_marching(array, seeds=[(1, 1, 1)], sparse=True).arrival_time, mitk.SparseTimes)
assert_type(mitk.colliding_fronts(image, seeds1=[(1, 1, 1)], seeds2=[(3, 3, 3)]), mitk.Image)
assert_type(mitk.colliding_fronts(array, seeds1=[(1, 1, 1)], seeds2=[(3, 3, 3)]), NDArray[np.float32])
assert_type(mitk.initialize_level_set(image, method="threshold", lower_threshold=3).level_set, mitk.Image)

mitk.errors.GeometryError("modules are members of the package")
mitk.interop.from_any(array)

assert_type(mitk.feature_image(scan, sigma=1.0), Scan)
assert_type(mitk.feature_image(array, type="upwind"), NDArray[np.float32])
found = mitk.segment_vessel(vtkImageData(), sources=[(1, 1, 1)], targets=[(3, 3, 3)], lower=200.0)
assert_type(found.level_set, mitk.Image)
assert_type(mitk.feature_image(vtkImageData()), mitk.Image)
mitk.initialize_level_set(vtkImageData(), method="threshold", lower_threshold=3)
mitk.evolve_level_set(image, [image, array], iterations=10, merge=vtkImageData())
mitk.Image(array, spacing=(0.5, 0.5, 2.0), origin=mitk.Point3D(1, 2, 3)).set_spacing(np.ones(3))
