"""
A level set on its way
======================

A sphere within the vessel grows with :func:`mitk_rs.evolve_level_set`: propagation blows it up, curvature keeps it
smooth, and advection holds it at the edges of the feature image.
"""

import matplotlib.pyplot as plt
import numpy as np

import mitk_rs as mitk

z, y, x = np.mgrid[:40, :64, :64].astype(np.float32)
from_axis = np.hypot(x - 32 - 6 * np.sin(z / 8), y - 32)
noise = np.random.default_rng(1).normal(0, 12, from_axis.shape)
scan = (300 * (from_axis < 12) + noise).astype(np.float32)
sphere = np.sqrt((x - 32) ** 2 + (y - 32) ** 2 + (z - 20) ** 2) - 5

feature = mitk.feature_image(scan, sigma=1.0, sigmoid=True)

# %%
# The same start, stopped after more and more iterations.
figure, axes = plt.subplots(1, 4, figsize=(11, 3), layout="constrained")
for panel, iterations in zip(axes, (5, 25, 60, 200), strict=True):
    evolved = mitk.evolve_level_set(
        scan, sphere, iterations=iterations, propagation=1.0, curvature=0.2, advection=1.0, feature=feature
    )
    panel.imshow(scan[20], cmap="gray", vmin=-50, vmax=400)
    panel.contour(sphere[20], levels=[0], colors="orange", linewidths=1)
    panel.contour(np.asarray(evolved.level_set)[20], levels=[0], colors="lime", linewidths=1.5)
    panel.set_title(f"{evolved.report.iterations} iterations")
    panel.axis("off")
plt.show()
