"""
The six methods of initialization
=================================

:func:`mitk_rs.initialize_level_set` makes a level set (negative inside) from thresholds, from an isosurface, from
seeds, or from fronts that run through the vessel.
"""

import matplotlib.pyplot as plt

import mitk_rs as mitk
from mitk_rs.projection import axis_picture

tree = mitk.datasets.vessel_tree(size=(96, 96, 80), spacing=(1.3, 1.3, 1.6), generations=3)
fronts = {"sources": [tree.source], "lower_threshold": 200.0}
sources = [tree.source] * len(tree.targets)
methods = {
    "threshold": {"lower_threshold": 200.0},
    "isosurface": {"isosurface": 200.0},
    "seeds": {"sources": [tree.source], "targets": tree.targets},
    "fastmarching": {**fronts, "targets": tree.targets},
    "collidingfronts": {**fronts, "targets": tree.targets[:1]},
    "multiplecollidingfronts": {**fronts, "sources": sources, "targets": tree.targets},
}

# %%
# The first two find everything that is bright, bone included. Fronts stay in the vessel: fast marching comes to all
# targets, colliding fronts keep what is between one source and one target.
figure, axes = plt.subplots(2, 3, figsize=(10, 7), layout="constrained")
for panel, (method, options) in zip(axes.flat, methods.items(), strict=True):
    result = mitk.initialize_level_set(tree.image, method=method, **options)
    picture = axis_picture(tree.image, axis="y", overlay=result.level_set, size=400)
    panel.imshow(picture.coloured())
    panel.set_title(f"{method}\n{result.report.volume_ml:.1f} ml, {result.report.components} piece(s)")
    panel.axis("off")
plt.show()
