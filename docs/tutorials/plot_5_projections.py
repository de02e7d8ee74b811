"""
5. Projections and turntables
=============================

How to look at a scan without a window: projections along axes, views from any direction, and an animation.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import mitk_rs as mitk
from mitk_rs.projection import axis_picture, write_animation, write_picture

tree = mitk.datasets.vessel_tree()
scan = tree.image

# %%
# Values and pictures
# -------------------
#
# :func:`mitk_rs.mip` gives *values*: the brightest voxel along an axis, in the order of the voxels, as a 2-D image at
# its place in the world. A *picture* is turned for radiologists and has shades.
values = mitk.mip(scan, axis="y")
print(values.shape, values.dtype, "spacing", values.spacing)

picture = axis_picture(scan, axis="y")
print(picture.pixels.shape, picture.pixels.dtype, "sides", picture.view.letters)

figure, axes = plt.subplots(1, 2, figsize=(9, 4.2), layout="constrained")
axes[0].imshow(values.array, cmap="gray")
axes[0].set_title("values, row 0 at the top: upside down")
axes[1].imshow(picture.pixels, cmap="gray")
axes[1].set_title("picture, the head at the top")
plt.show()

# %%
# Slabs
# -----
#
# A slab leaves out what is in front of and behind it, here most of the bones. Depth says how far away the brightest
# voxel is.
figure, axes = plt.subplots(1, 3, figsize=(11, 3.8), layout="constrained")
for panel, slab in zip(axes, (None, (60, 100), (75, 85)), strict=True):
    panel.imshow(axis_picture(scan, axis="y", slab=slab, size=300).pixels, cmap="gray")
    panel.set_title("everything" if slab is None else f"y from {slab[0]} to {slab[1] - 1}")
    panel.axis("off")
plt.show()

# %%
# From any direction
# ------------------
#
# :func:`mitk_rs.render_mip` casts rays. Azimuth 0 looks from the front; 90 from the patient's left; elevation lifts the
# camera. The body wall would hide the vessel: a narrow window helps, and so does a mask.
vessel = mitk.segment_vessel(scan, [tree.source], tree.targets, 200.0)
only_vessel = scan.like(np.where(vessel.mask.array > 0, scan.array, -200).astype(np.int16))

figure, axes = plt.subplots(1, 4, figsize=(12, 3.4), layout="constrained")
axes[0].imshow(mitk.render_mip(scan, azimuth=30, size=300), cmap="gray")
axes[0].set_title("scan, azimuth 30")
for panel, azimuth in zip(axes[1:], (0, 30, 60), strict=True):
    panel.imshow(
        mitk.render_mip(only_vessel, azimuth=azimuth, elevation=10, size=300, window=900, level=250), cmap="gray"
    )
    panel.set_title(f"vessel, azimuth {azimuth}")
for panel in axes:
    panel.axis("off")
plt.show()

# %%
# A turntable
# -----------
#
# All frames have one window and one scale. The size of the files follows from the number of frames and pixels.
frames = list(mitk.render_spin(only_vessel, frames=36, elevation=10, size=240, window=900, level=250))
with tempfile.TemporaryDirectory() as folder:
    write_animation(frames, Path(folder) / "turn.gif", seconds=4)
    write_picture(frames[0], Path(folder) / "first.png")
    print({path.name: f"{path.stat().st_size / 1000:.0f} kB" for path in sorted(Path(folder).iterdir())})

figure, axes = plt.subplots(1, 6, figsize=(12, 2.3), layout="constrained")
for panel, number in zip(axes, range(0, 36, 6), strict=True):
    panel.imshow(frames[number], cmap="gray")
    panel.set_title(f"{10 * number}°")
    panel.axis("off")
plt.show()

# %%
# In the shell:
#
# .. code-block:: console
#
#    $ mitk-rs mip scan.mha -o mip.png --axis y
#    $ mitk-rs mip scan.mha -o slab.png --axis y --slab 60:100
#    $ mitk-rs mip scan.mha -o view.png --azimuth 30 --elevation 10 --overlay vessel.mha
#    $ mitk-rs mip scan.mha -o turn.gif --spin 36
#    $ mitk-rs mip scan.mha -o sheet.png --montage
