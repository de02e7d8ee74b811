"""
The surface, with and without the steps of voxels
=================================================

:func:`mitk_rs.extract_surface` triangulates the zero level in world coordinates; :func:`mitk_rs.smooth_surface`
removes the steps of voxels without shrinking the vessel.
"""

import matplotlib.pyplot as plt
import numpy as np
from vtkmodules.util.numpy_support import vtk_to_numpy

import mitk_rs as mitk

tree = mitk.datasets.vessel_tree(size=(96, 96, 80), spacing=(1.0, 1.0, 1.2), generations=2)
found = mitk.segment_vessel(tree.image, [tree.source], tree.targets, tree.lower_threshold, method="fastmarching")
surfaces = {"steps of voxels": found.initial, "after evolution, smoothed": found.level_set}

figure = plt.figure(figsize=(10, 5), layout="constrained")
for number, (name, level_set) in enumerate(surfaces.items(), start=1):
    surface = mitk.extract_surface(level_set, closed=True)
    surface = mitk.smooth_surface(surface) if number == 2 else surface
    points = vtk_to_numpy(surface.GetPoints().GetData())
    triangles = vtk_to_numpy(surface.GetPolys().GetConnectivityArray()).reshape(-1, 3)
    panel = figure.add_subplot(1, 2, number, projection="3d")
    panel.plot_trisurf(*points.T, triangles=triangles, color="indianred", shade=True, linewidth=0)
    panel.set_box_aspect(np.ptp(points, axis=0))
    panel.view_init(elev=10, azim=-60)
    panel.set_title(f"{name}: {len(triangles)} triangles")
plt.show()
