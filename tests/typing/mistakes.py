"""Calls that type checkers refuse: each line with a comment holds one mistake; never run."""

import numpy as np

import mitk_rs as mitk

array = np.zeros((4, 5, 6))

mitk.project(array, axis="w")  # no such axis
mitk.project(array, kind="median")  # no such kind
mitk.project(array, thread=2)  # no such option
mitk.slide(array, thickness=3, axis="t")  # not along time
mitk.render_mip(array, zoom="2")  # not a number
mitk.fast_marching(array, seeds=[(1, 1, 1)], target_offsets=3.0)  # no such option
mitk.initialize_level_set(array, method="thresholds")  # no such method
mitk.montage(array)  # not an image
mitk.Image().index_to_world("1 2 3")  # not numbers
mitk.Geometry3D().index_to_world(mitk.Vector3D()).x = "1"  # not a number
print(mitk.Imgae)  # no such name
