"""What type checkers say of calls as users write them; never run."""

from collections.abc import Iterator
from typing import Any, assert_type

import nibabel.nifti1
import numpy as np
import SimpleITK as sitk
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

point, vector, plane = mitk.Point3D(1, 2, 3), mitk.Vector3D(0, 0, 1), mitk.PlaneGeometry()
brightest = np.unravel_index(array.argmax(), array.shape)
assert_type(image.index_to_world(point), mitk.Point3D)
assert_type(image.index_to_world((1, 2, 3)), mitk.Point3D)
assert_type(image.index_to_world(brightest[::-1]), mitk.Point3D)
assert_type(image.index_to_world(vector, time_step=0), mitk.Vector3D)
assert_type(image.world_to_index(array), NDArray[np.float64])
assert_type(image.world_to_index([(1, 2, 3), (4, 5, 6)]), NDArray[np.float64])
assert_type(image.get_geometry().world_to_index([point, point]), NDArray[np.float64])
assert_type(image.get_geometry().index_to_world(vector), mitk.Vector3D)
image.get_geometry().index_to_world(array, np.empty_like(array))
image.get_geometry().world_to_index((1, 2, 3), point)
assert_type(plane.index_to_world(mitk.Point2D(1, 2)), mitk.Point2D)
assert_type(plane.world_to_index(mitk.Vector2D(1, 2)), mitk.Vector2D)
assert_type(plane.world_to_index(point), mitk.Point3D)
plane.index_to_world(mitk.Point2D(1, 2), mitk.Point2D())
assert_type(plane.is_inside(point), bool)
assert_type(plane.is_index_inside((1, 2.5, 3)), bool)
assert_type(plane.is_inside(array), bool | NDArray[np.bool_])
assert_type(image.get_property("a", raw=True), mitk.BaseProperty | None)
assert_type(image.to_simpleitk(), sitk.Image)
assert_type(image.to_nibabel(), nibabel.nifti1.Nifti1Image)
mitk.Image.from_simpleitk(image.to_simpleitk())
assert_type(image.index_to_world(point).x, float)
assert_type(point - point, mitk.Vector3D)
assert_type(point - vector, mitk.Point3D)
