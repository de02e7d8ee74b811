"""
Before and after evolution
==========================

:func:`mitk_rs.segment_vessel` finds the vessel with fronts (orange) and lets the level set evolve until its surface
rests on the edges of the scan (green).
"""

import matplotlib.pyplot as plt

import mitk_rs as mitk

tree = mitk.datasets.vessel_tree(size=(96, 96, 80), spacing=(1, 1, 1.2), generations=2)
found = mitk.segment_vessel(tree.image, [tree.source], tree.targets, tree.lower_threshold)

figure, panel = plt.subplots(figsize=(12, 3.2), layout="constrained")
panel.imshow(found.picture(tree.image))
panel.axis("off")
plt.show()

# %%
# The overlap with the truth (Dice, 1 for the same voxels) grows:


def dice(level_set: mitk.Image) -> float:
    inside = level_set.as_numpy() < 0
    return 2 * (inside & tree.mask).sum() / (inside.sum() + tree.mask.sum())


print(f"before: {dice(found.initial):.3f}, {found.report.initialization.volume_ml:.2f} ml")
print(f"after:  {dice(found.level_set):.3f}, {found.report.evolution.volume_ml:.2f} ml")
