"""
An image with time steps
========================

A 4-D image has one geometry and one time interval for each step. Here contrast agent arrives in a vessel.
"""

import matplotlib.pyplot as plt
import numpy as np

import mitk_rs as mitk

tree = mitk.datasets.vessel_tree(size=(64, 64, 48), spacing=(2.0, 2.0, 2.6), generations=2)
plain = np.where(tree.mask, 45, tree.image.as_numpy())
enhancement = 300 * np.exp(-(((np.arange(8) - 4) / 1.6) ** 2))
steps = np.stack([plain + value * tree.mask for value in enhancement]).astype(np.int16)

series = mitk.Image(steps, spacing=tree.image.spacing, origin=tree.image.origin, direction=tree.image.direction)
series.time_geometry = mitk.ProportionalTimeGeometry(0.0, 1500.0, steps=8, geometry=series.get_geometry())

# %%
# The maximum over time is an image like the others; each step can be projected on its own.
figure, axes = plt.subplots(1, 4, figsize=(11, 3), layout="constrained")
for panel, step in zip(axes, (0, 2, 4), strict=False):
    panel.imshow(mitk.mip(series, axis="y", time_step=step).as_numpy()[::-1], cmap="gray", vmin=-100, vmax=600)
    panel.set_title(f"step {step}: {series.time_geometry.get_time_bounds(step)[0] / 1000:g} s")
    panel.axis("off")
inside = [float(series.as_numpy(time_step=step)[tree.mask].mean()) for step in range(series.time_steps)]
axes[3].plot([point / 1000 for point in series.time_geometry.time_points[:-1]], inside, "o-")
axes[3].set_xlabel("s")
axes[3].set_title("mean HU in the vessel")
plt.show()
