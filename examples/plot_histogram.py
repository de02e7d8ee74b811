"""
Which threshold?
================

:func:`mitk_rs.histogram` shows which values a scan holds, and :func:`mitk_rs.propose_lower_threshold` proposes the
lower threshold from the values at the seeds.
"""

import matplotlib.pyplot as plt
import numpy as np

import mitk_rs as mitk

tree = mitk.datasets.vessel_tree(size=(96, 96, 80), spacing=(1.3, 1.3, 1.6), generations=3)
values = mitk.histogram(tree.image, bins=128)
proposed = mitk.propose_lower_threshold(tree.image, [tree.source, *tree.targets])

# %%
# The peaks are air, fat, soft tissue and, hardly visible, the vessel at 350 HU: hence the logarithm.
figure, panel = plt.subplots(figsize=(8, 3.6), layout="constrained")
panel.stairs(np.maximum(values.counts, 0.5), values.edges, fill=True, color="lightsteelblue")
panel.set_yscale("log")
for name, value, colour in (
    ("background", proposed.background, "grey"),
    ("proposed threshold", proposed.value, "red"),
    ("darkest seed", proposed.seeds, "green"),
):
    panel.axvline(value, color=colour, label=f"{name}: {value:.0f} HU")
panel.set_xlabel("HU")
panel.set_ylabel("voxels")
panel.legend()
plt.show()
