"""
A contact sheet
===============

:func:`mitk_rs.montage` puts the three projections on one sheet in one scale, with the sides of the patient, a scale
bar, the outline of a level set and seeds. ``mitk-rs mip scan.mha -o sheet.png --montage`` writes the same picture.
"""

import matplotlib.pyplot as plt

import mitk_rs as mitk

tree = mitk.datasets.vessel_tree(size=(96, 96, 80), spacing=(1.3, 1.3, 1.6), generations=3)
found = mitk.initialize_level_set(
    tree.image, method="fastmarching", sources=[tree.source], targets=tree.targets, lower_threshold=200.0
)
sheet = mitk.montage(
    tree.image, size=(1100, 400), overlay=found.level_set, seeds=[tree.source, *tree.targets], window=900, level=300
)

figure, panel = plt.subplots(figsize=(11, 4.2), layout="constrained")
panel.imshow(sheet)
panel.axis("off")
plt.show()
