"""
Views from any angle
====================

:func:`mitk_rs.render_mip` casts rays: azimuth turns the camera around the patient, elevation lifts it. Pixels are
square and in scale, whatever the spacing of the voxels.
"""

import matplotlib.pyplot as plt

import mitk_rs as mitk

tree = mitk.datasets.vessel_tree(size=(96, 96, 80), spacing=(1.3, 1.3, 1.6), generations=4)
# Without the body wall: voxels outside of the vessel and its surroundings are set to air.
vessel = tree.image.like((tree.image.as_numpy() * (tree.labels > 0)).astype("int16"))

figure, axes = plt.subplots(2, 3, figsize=(9, 6.2), layout="constrained")
views = [(0, 0), (45, 0), (90, 0), (0, 45), (0, 90), (30, 20)]
for panel, (azimuth, elevation) in zip(axes.flat, views, strict=True):
    picture = mitk.render_mip(vessel, azimuth=azimuth, elevation=elevation, size=256, window=500, level=250)
    panel.imshow(picture, cmap="gray")
    panel.set_title(f"azimuth {azimuth}, elevation {elevation}")
    panel.axis("off")
plt.show()
