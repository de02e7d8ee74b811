"""
Indices and millimetres
=======================

Voxel indices (i, j, k) become world coordinates (LPS millimetres) through origin, spacing and direction. On an
oblique scan the axes of the voxels are not those of the patient.
"""

import matplotlib.pyplot as plt
import numpy as np

import mitk_rs as mitk

tree = mitk.datasets.vessel_tree(size=(48, 48, 40), spacing=(2.5, 2.5, 3.0), generations=3)
scan = tree.image
print("spacing", scan.spacing)
print("direction", np.round(scan.direction, 3), sep="\n")
print("source", tree.source, "is at", np.round(scan.index_to_world(tree.source), 1), "mm")

# %%
# The box of the voxels, and the centre lines of the vessel, in the world.
size = [scan.get_dimension(axis) - 1 for axis in range(3)]
corners = np.array([[i, j, k] for i in (0, size[0]) for j in (0, size[1]) for k in (0, size[2])], float)
world = np.array([scan.index_to_world(corner) for corner in corners])

figure = plt.figure(figsize=(6, 6), layout="constrained")
panel = figure.add_subplot(projection="3d")
for first, one in enumerate(corners):
    for second in range(first + 1, 8):
        if (one != corners[second]).sum() == 1:
            panel.plot(*world[[first, second]].T, color="grey")
for line in tree.centre_lines:
    panel.plot(*line.T, color="indianred")
panel.scatter(*scan.index_to_world(tree.source), color="red", s=40)
panel.set(xlabel="x: to the left, mm", ylabel="y: to the back, mm", zlabel="z: to the head, mm")
panel.set_box_aspect(np.ptp(world, axis=0))
plt.show()
