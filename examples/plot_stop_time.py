"""
A front stopped in time
=======================

Without targets, ``stop_time`` says where the surface is: fast marching then grows through the vessel as far as a
front comes until that time.
"""

import matplotlib.pyplot as plt

import mitk_rs as mitk
from mitk_rs.projection import axis_picture

tree = mitk.datasets.vessel_tree(size=(96, 96, 80), spacing=(1.3, 1.3, 1.6), generations=4)

figure, axes = plt.subplots(1, 4, figsize=(11, 3.4), layout="constrained")
for panel, stop_time in zip(axes, (30, 80, 130, 180), strict=True):
    found = mitk.initialize_level_set(
        tree.image, method="fastmarching", sources=[tree.source], lower_threshold=200.0, stop_time=stop_time
    )
    panel.imshow(axis_picture(tree.image, axis="y", overlay=found.level_set, size=300).coloured())
    panel.set_title(f"time {stop_time}: {found.report.volume_ml:.1f} ml")
    panel.axis("off")
plt.show()
