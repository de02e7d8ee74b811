"""
2. Choosing method, seeds and thresholds
========================================

What to do when the result is too much, too little, or nothing at all.
"""

import matplotlib.pyplot as plt
import numpy as np

import mitk_rs as mitk
from mitk_rs.projection import axis_picture

tree = mitk.datasets.vessel_tree()
scan = tree.image

# %%
# Thresholds: too low, right, too high
# ------------------------------------
#
# The threshold decides where fronts may go. We try three values with ``fastmarching``, which follows the vessel from
# one source to all targets.


def attempt(lower: float, panel: plt.Axes, targets: list[tuple[int, int, int]]) -> None:
    try:
        found = mitk.initialize_level_set(
            scan, method="fastmarching", sources=[tree.source], targets=targets, lower_threshold=lower
        )
        inside, outline = found.level_set.array < 0, found.level_set
        dice = 2 * (inside & tree.mask).sum() / (inside.sum() + tree.mask.sum())
        text = f"{found.report.volume_ml:.1f} ml, Dice {dice:.2f}"
    except mitk.RequestError as error:
        outline, text = None, str(error).split(":")[0]
    panel.imshow(axis_picture(scan, axis="y", overlay=outline, size=360).coloured())
    panel.set_title(f"lower threshold {lower:g} HU\n{text}", fontsize=9)
    panel.axis("off")


figure, axes = plt.subplots(1, 3, figsize=(11, 4.4), layout="constrained")
for panel, lower in zip(axes, (60, 200, 330), strict=True):
    attempt(lower, panel, list(tree.targets))
plt.show()

# %%
# - **Too low**: the fronts leave the vessel and fill what is next to it.
# - **Right**: half way between the vessel and what is around it.
# - **Too high**: a target is cut off. That is an error, not an empty result, and it says which target and why.
#
# Let the histogram and the seeds propose a value:
proposed = mitk.propose_lower_threshold(scan, [tree.source, *tree.targets])
print(
    f"darkest seed {proposed.seeds:.0f} HU, background {proposed.background:.0f} HU: threshold {proposed.value:.0f} HU"
)

values = mitk.histogram(scan, bins=100)
figure, panel = plt.subplots(figsize=(8, 3), layout="constrained")
panel.stairs(np.maximum(values.counts, 0.5), values.edges, fill=True, color="lightsteelblue")
panel.axvline(proposed.value, color="red", label="proposed threshold")
panel.set(yscale="log", xlabel="HU", ylabel="voxels")
panel.legend()
plt.show()

# %%
# An upper threshold keeps fronts out of what is brighter than the vessel: bone, calcium, metal. Here the calcification
# in the wall of the root has up to 1100 HU.
for upper in (None, 500.0):
    found = mitk.initialize_level_set(
        scan,
        method="fastmarching",
        sources=[tree.source],
        targets=tree.targets,
        lower_threshold=200.0,
        upper_threshold=upper,
    )
    print(f"upper threshold {upper}: {found.report.volume_ml:.2f} ml")

# %%
# Which method?
# -------------
#
# ================================== ==========================================================================
# you want                           method
# ================================== ==========================================================================
# the vessel between two points      ``collidingfronts``: side branches are left out
# several vessels at once            ``multiplecollidingfronts``: source k with target k
# a whole tree                       ``fastmarching``: from the sources to all targets, side branches included
# everything that is bright          ``threshold``, or ``isosurface`` for a surface between voxels
# a start for growing                ``seeds``: small balls around the points
# ================================== ==========================================================================
figure, axes = plt.subplots(1, 3, figsize=(11, 4.2), layout="constrained")
cases = {
    "collidingfronts": {"sources": [tree.source], "targets": tree.targets[:1]},
    "fastmarching": {"sources": [tree.source], "targets": tree.targets[:1]},
    "threshold": {},
}
for panel, (method, points) in zip(axes, cases.items(), strict=True):
    found = mitk.initialize_level_set(scan, method=method, lower_threshold=200.0, **points)
    picture = axis_picture(scan, axis="y", overlay=found.level_set, seeds=points.get("sources", []), size=360)
    panel.imshow(picture.coloured())
    panel.set_title(f"{method}: {found.report.volume_ml:.1f} ml, {found.report.components} piece(s)")
    panel.axis("off")
plt.show()

# %%
# Where to put seeds
# ------------------
#
# - Inside the vessel, a few voxels from its wall. A seed on the wall may have a value below the threshold.
# - For colliding fronts, at both ends of the part that you want: what lies behind the points is left out.
# - For fast marching, targets at the end of every branch that you want; the surface is where the front is when it
#   reaches the last of them.
#
# A seed outside the thresholds is named in the error:
try:
    mitk.initialize_level_set(scan, sources=[(5, 5, 5)], targets=[tree.targets[0]], lower_threshold=200.0)
except mitk.RequestError as error:
    print(error)

# %%
# Next: :doc:`plot_3_time`.
