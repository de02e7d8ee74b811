"""
1. A first vessel, from the CT to the surface
=============================================

At the end of this lesson you have a mask, a surface and a picture of a vessel, and know what is in them.

You need ``pip install mitk_rs matplotlib``, and nothing else: the scan is made by the package. In a shell, the same
lesson is two lines:

.. code-block:: console

   $ mitk-rs sample scan.mha --seeds seeds.mrk.json
   $ mitk-rs segment scan.mha --mask mask.nii.gz --surface vessel.stl --picture vessel.png --lower 200 \\
       --source seeds.mrk.json:source --target seeds.mrk.json:target
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import mitk_rs as mitk

folder = tempfile.TemporaryDirectory()
workplace = Path(folder.name)

# %%
# The scan
# --------
#
# ``vessel_tree`` gives a synthetic CT angiography: a branching vessel with contrast agent between two bones. It has a
# truth, which a scan of a patient does not have; we keep it for the end. From here on we use the file, as with a scan
# of your own.
tree = mitk.datasets.vessel_tree()
tree.image.save(workplace / "scan.mha")

scan = mitk.Image(workplace / "scan.mha")
print("array (z, y, x):", scan.shape, scan.dtype)
print("spacing (x, y, z):", scan.spacing, "mm")

# %%
# The contact sheet shows the brightest voxel on each line of sight, from three sides. Letters are the sides of the
# patient.
figure, panel = plt.subplots(figsize=(11, 4.2), layout="constrained")
panel.imshow(mitk.montage(scan, size=(1100, 410), window=1100, level=350))
panel.axis("off")
plt.show()

# %%
# Two points and a threshold
# --------------------------
#
# Fronts need to know where the vessel begins (the source), where it ends (the target), and which grey values belong to
# it. Points are voxel indices (x, y, z), counted from 0. You find them with ``mitk-rs pick scan.mha`` in the browser,
# or place them in 3D Slicer; here the data set knows them.
source, target = tree.source, tree.targets[0]
print("source", source, "target", target)
print("values there:", [int(scan.array[k, j, i]) for i, j, k in (source, target)], "HU")

# %%
# The vessel has about 350 HU, the tissue around it 45 HU. A threshold half way between is right:
found = mitk.initialize_level_set(
    scan, method="collidingfronts", sources=[source], targets=[target], lower_threshold=200.0
)
print(f"{found.report.volume_ml:.2f} ml in {found.report.components} piece(s)")

# %%
# What came out is a *level set*: an image that is negative inside the vessel and positive outside.
middle = 60
figure, axes = plt.subplots(1, 2, figsize=(9, 4.2), layout="constrained")
axes[0].imshow(scan.array[middle], cmap="gray", vmin=-200, vmax=900)
axes[0].contour(found.level_set.array[middle], levels=[0], colors="lime")
axes[0].set_title(f"slice {middle} with the outline")
shown = axes[1].imshow(found.level_set.array[middle], cmap="coolwarm", vmin=-1, vmax=1)
axes[1].set_title("the level set in this slice")
figure.colorbar(shown)
plt.show()

# %%
# From there to the edges of the scan
# -----------------------------------
#
# The outline follows voxels. :func:`mitk_rs.segment_vessel` starts in the same way and lets the surface evolve until it
# rests where the scan changes fastest. One source goes with all targets, so that we get the whole tree.
vessel = mitk.segment_vessel(scan, [source], tree.targets, 200.0)
before, after = vessel.report.initialization.volume_ml, vessel.report.evolution.volume_ml
print(f"before evolution {before:.2f} ml, after {after:.2f} ml")


figure, panel = plt.subplots(figsize=(12, 3.2), layout="constrained")
panel.imshow(vessel.picture(scan, size=360))
panel.set_title("orange: before, green: after")
panel.axis("off")
plt.show()

# %%
# Files
# -----
#
# The mask is an image with the geometry of the scan. The surface is closed and smooth, in millimetres (LPS), and opens
# in 3D Slicer, ParaView or MeshLab. A file is written whole or not at all.
vessel.mask.save(workplace / "mask.nii.gz")
mitk.write_surface(vessel.surface(), workplace / "vessel.stl")
print(sorted(path.name for path in workplace.iterdir()))

# %%
# How good is it?
# ---------------
#
# Here we know the truth. Dice is 1 for the same voxels and 0 for none in common.
inside = vessel.mask.array > 0
dice = 2 * (inside & tree.mask).sum() / (inside.sum() + tree.mask.sum())
print(f"Dice {dice:.3f}; true volume {tree.mask.sum() * np.prod(scan.spacing) / 1000:.2f} ml")

folder.cleanup()

# %%
# Next: :doc:`plot_2_choosing`.
