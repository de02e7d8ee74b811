"""
Feature images
==============

Level sets evolve on a feature image: near 1 where the scan is homogeneous, near 0 at edges.
:func:`mitk_rs.feature_image` computes four types.
"""

import matplotlib.pyplot as plt

import mitk_rs as mitk

tree = mitk.datasets.vessel_tree(size=(80, 80, 64), spacing=(1.5, 1.5, 1.9), generations=3)
middle = 36

features = {
    "scan": tree.image,
    "gradient": mitk.feature_image(tree.image),
    "gradient, sigma 1.5 mm, sigmoid": mitk.feature_image(tree.image, sigma=1.5, sigmoid=True, sigmoid_range=(10, 120)),
    "vtkgradient": mitk.feature_image(tree.image, type="vtkgradient"),
    "upwind, sigmoid": mitk.feature_image(tree.image, type="upwind", sigmoid=True, sigmoid_range=(10, 200)),
    "fwhm": mitk.feature_image(tree.image, type="fwhm", radius=(3, 3, 3), background=40.0),
}

# %%
# Noise makes edges of its own; a Gaussian takes them away, and widens the edge of the vessel.
figure, axes = plt.subplots(2, 3, figsize=(10, 7), layout="constrained")
for panel, (name, feature) in zip(axes.flat, features.items(), strict=True):
    panel.imshow(feature.as_numpy()[middle], cmap="gray")
    panel.set_title(name)
    panel.axis("off")
plt.show()
