"""
Threshold too low, right, too high
==================================

Fronts run through voxels within the thresholds. A lower threshold half way between the vessel and what is around it
is right; one that is too low lets the fronts leak into bone and tissue, one that is too high loses thin branches.
"""

import matplotlib.pyplot as plt

import mitk_rs as mitk
from mitk_rs.projection import axis_picture

tree = mitk.datasets.vessel_tree(size=(96, 96, 80), spacing=(1.3, 1.3, 1.6), generations=3)

# %%
# The true values are 350 HU in the vessel and 45 HU around it, with 20 HU of noise. Half way is about 200 HU.
figure, axes = plt.subplots(1, 3, figsize=(10, 3.8), layout="constrained")
for panel, (name, lower) in zip(axes, {"too low": 80, "right": 200, "too high": 320}.items(), strict=True):
    # Of all bright voxels only those that a front from the source reaches are of interest.
    speed = (tree.image.as_numpy() >= lower).astype("float32")
    reached = mitk.fast_marching(speed, seeds=[tree.source]).arrival_time < 1e30
    picture = axis_picture(tree.image, axis="y", overlay=tree.image.like(1.0 - 2.0 * reached), size=400)
    panel.imshow(picture.coloured())
    share = 100 * (reached & tree.mask).sum() / tree.mask.sum()
    wrong = 100 * (reached & ~tree.mask).sum() / reached.sum()
    panel.set_title(f"{name}: {lower} HU\n{share:.0f} % of the vessel, {wrong:.0f} % of it wrong")
    panel.axis("off")
plt.show()
