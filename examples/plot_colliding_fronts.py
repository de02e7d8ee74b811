"""
Two fronts that collide
=======================

Two fronts start at the ends of a vessel and run against each other. Where their gradients point in opposite
directions, both fronts are on their way: that is the branch between the two points, without the side branches.
"""

import matplotlib.pyplot as plt
import numpy as np

import mitk_rs as mitk

# A vessel from left to right with a dead end downwards.
vessel = np.zeros((1, 80, 160), bool)
vessel[:, 25:35, 5:155] = True
vessel[:, 35:75, 75:85] = True
speed = vessel.astype(np.float32)
ends = (8, 30, 0), (151, 30, 0)

# %%
# The arrival times of both fronts, and the scalar product of their gradients.
there, back = (mitk.fast_marching(speed, seeds=[end]).arrival_time[0] for end in ends)
product = np.asarray(mitk.colliding_fronts(speed, seeds1=ends[:1], seeds2=ends[1:]))[0]

figure, axes = plt.subplots(3, 1, figsize=(7, 9), layout="constrained")
for panel, times, name in zip(axes, (there, back), ("first front", "second front"), strict=False):
    panel.imshow(np.where(times < 1e30, times, np.nan), cmap="viridis")
    panel.set_title(f"arrival times of the {name}")
axes[2].imshow(np.where(product < 0, product, np.nan), cmap="autumn", vmin=-1.2, vmax=0)
axes[2].contour(vessel[0], levels=[0.5], colors="grey")
axes[2].set_title("negative where the fronts collide: the side branch is left out")
plt.show()
