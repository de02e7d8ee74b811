"""
3. An image with time steps
===========================

CT perfusion, cine MR and dynamic angiography have a time axis. This lesson makes such an image, looks at its time
geometry, and segments the frame with the most contrast agent.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import mitk_rs as mitk

# %%
# Ten frames
# ----------
#
# Arrays of 4-D images are ``(t, z, y, x)``. The contrast agent arrives and leaves again.
tree = mitk.datasets.vessel_tree(size=(80, 80, 64), spacing=(1.6, 1.6, 2.0), generations=3)
still = np.where(tree.mask, 45, tree.image.array)
bolus = np.exp(-(((np.arange(10) - 4) / 2.0) ** 2))
frames = np.stack([still + 305 * amount * tree.mask for amount in bolus]).astype(np.int16)

series = mitk.Image(frames, spacing=tree.image.spacing, origin=tree.image.origin, direction=tree.image.direction)
print(series.shape, series.time_steps, "time steps")

# %%
# Time geometry
# -------------
#
# A new image has steps of 1 ms. This one has a frame every 1.5 s; times are milliseconds.
series.time_geometry = mitk.ProportionalTimeGeometry(0.0, 1500.0, steps=10, geometry=series.get_geometry())
times = series.time_geometry
print("bounds of step 4:", times.get_time_bounds(4), "ms")
print("step at 7 s:", times.time_point_to_time_step(7000.0))

# %%
# Frames at irregular times are an :class:`mitk_rs.ArbitraryTimeGeometry`:
irregular = mitk.ArbitraryTimeGeometry.from_time_points([0, 500, 1000, 3000, 9000])
print(irregular.time_points)

# %%
# One frame
# ---------
#
# ``time_step=`` chooses a frame in every function. ``as_numpy(time_step=...)`` is a view of one frame, without a copy.
inside = np.array([series.as_numpy(time_step=step)[tree.mask].mean() for step in range(series.time_steps)])
best = int(inside.argmax())

figure, axes = plt.subplots(1, 4, figsize=(12, 3.2), layout="constrained")
for panel, step in zip(axes, (0, 2, best), strict=False):
    panel.imshow(mitk.mip(series, axis="y", time_step=step).array[::-1], cmap="gray", vmin=-100, vmax=600)
    panel.set_title(f"{times.get_time_bounds(step)[0] / 1000:g} s")
    panel.axis("off")
axes[3].plot(np.array(times.time_points[:-1]) / 1000, inside, "o-")
axes[3].set(xlabel="s", title="mean HU in the vessel")
plt.show()

# %%
# Segment the frame with the most contrast agent. The result is a 3-D image at its place.
found = mitk.initialize_level_set(
    series,
    method="fastmarching",
    sources=[tree.source],
    targets=tree.targets,
    lower_threshold=200.0,
    time_step=best,
)
print(f"step {best}: {found.report.volume_ml:.2f} ml")

# %%
# Over time
# ---------
#
# ``axis="t"`` folds the frames: the maximum over time shows the vessel wherever the bolus has been, the index of the
# maximum says when.
largest = mitk.project(series, axis="t", kind="max")
when = mitk.project(series, axis="t", kind="argmax")
print(largest.shape, when.dtype)

figure, axes = plt.subplots(1, 2, figsize=(8, 3.6), layout="constrained")
axes[0].imshow(mitk.mip(largest, axis="y").array[::-1], cmap="gray", vmin=-100, vmax=600)
axes[0].set_title("maximum over time")
slice_ = 40
shown = axes[1].imshow(np.where(tree.mask[slice_], when.array[slice_], np.nan), vmin=0, vmax=9)
axes[1].set_title(f"frame of the maximum, slice {slice_}")
figure.colorbar(shown)
plt.show()

# %%
# Files
# -----
#
# MetaImage and NRRD keep time steps and their times exactly:
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "series.nrrd"
    series.save(path)
    again = mitk.Image(path)
print(again.time_geometry.get_time_bounds(4), again.equals(series))

# %%
# Next: :doc:`plot_4_threads`.
