"""
What a projection can show
==========================

:func:`mitk_rs.project` folds all voxels along an axis into one value: the maximum, the mean, the index or the depth
of the maximum, and others.
"""

import matplotlib.pyplot as plt
import numpy as np

import mitk_rs as mitk

tree = mitk.datasets.vessel_tree(size=(96, 96, 80), spacing=(1.3, 1.3, 1.6), generations=3)
bright = tree.image.as_numpy() >= tree.lower_threshold

figure, axes = plt.subplots(2, 3, figsize=(10, 6.4), layout="constrained")
for panel, kind in zip(axes.flat, ("max", "min", "mean", "std", "argmax", "depth"), strict=True):
    flat = mitk.project(tree.image, axis="y", kind=kind).as_numpy().astype(float)
    if kind in ("argmax", "depth"):
        # Where a line of voxels meets nothing bright, its maximum is noise.
        flat = np.where(bright.any(axis=1), flat, np.nan)
    shown = panel.imshow(flat, origin="lower", cmap="gray" if kind not in ("argmax", "depth") else "viridis")
    panel.set_title(kind)
    panel.axis("off")
    figure.colorbar(shown, shrink=0.7)
plt.show()
