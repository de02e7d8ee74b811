"""
Arrival times of a front
========================

:func:`mitk_rs.fast_marching` says when a front that starts at a seed arrives at each voxel. Where the speed is 0, the
front goes around.
"""

import matplotlib.pyplot as plt
import numpy as np

import mitk_rs as mitk

speed = np.ones((1, 160, 160), np.float32)
speed[:, 60:64, :120] = 0.0  # a wall with a gap at its right end
speed[:, 100:104, 40:] = 0.0  # and one with a gap at its left end
speed[:, 120:, 80:] = 0.3  # slow

arrival = mitk.fast_marching(speed, seeds=[(20, 20, 0)])
times = np.where(arrival.arrival_time < 1e30, arrival.arrival_time, np.nan)[0]

# %%
# Lines of equal time are the front at those times: circles around the seed until the first wall.
figure, panel = plt.subplots(figsize=(6, 5), layout="constrained")
shown = panel.imshow(times, cmap="viridis")
panel.contour(times, levels=np.arange(0, 600, 20), colors="white", linewidths=0.6)
panel.plot(20, 20, "o", color="red")
panel.set_xlabel("x in mm")
panel.set_ylabel("y in mm")
figure.colorbar(shown, label="arrival time in mm per unit of speed")
plt.show()
