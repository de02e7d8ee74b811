"""
Thick slabs
===========

:func:`mitk_rs.slide` replaces each slice by the maximum of the slab around it. It takes the same time for any
thickness.
"""

import matplotlib.pyplot as plt

import mitk_rs as mitk

tree = mitk.datasets.vessel_tree(size=(96, 96, 80), spacing=(1.3, 1.3, 1.6), generations=4)

figure, axes = plt.subplots(1, 4, figsize=(11, 3.2), layout="constrained")
for panel, thickness in zip(axes, (1, 5, 15, 40), strict=True):
    slab = mitk.slide(tree.image, axis="z", thickness=thickness)
    panel.imshow(slab.as_numpy()[24], cmap="gray", vmin=-100, vmax=700)
    panel.set_title(f"{thickness} slice{'s' * (thickness > 1)}, {thickness * 1.6:.1f} mm")
    panel.axis("off")
plt.show()
