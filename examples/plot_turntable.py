"""
A turntable
===========

:func:`mitk_rs.render_spin` gives the pictures of a whole turn, all in the same window and scale;
:func:`mitk_rs.projection.write_animation` makes a GIF or WebP file of them. ``mitk-rs mip scan.mha -o turn.gif --spin
36`` does the same.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

import mitk_rs as mitk
from mitk_rs.projection import write_animation

tree = mitk.datasets.vessel_tree(size=(96, 96, 80), spacing=(1.3, 1.3, 1.6), generations=4)
vessel = tree.image.like((tree.image.as_numpy() * (tree.labels > 0)).astype("int16"))
frames = list(mitk.render_spin(vessel, frames=24, elevation=10, size=200))

with tempfile.TemporaryDirectory() as folder:
    turn = Path(folder) / "turn.gif"
    write_animation(frames, turn, seconds=4)
    print(f"{len(frames)} frames, {turn.stat().st_size / 1000:.0f} kB")

# %%
# Every third frame:
figure, axes = plt.subplots(2, 4, figsize=(10, 5), layout="constrained")
for panel, number in zip(axes.flat, range(0, 24, 3), strict=True):
    panel.imshow(frames[number], cmap="gray")
    panel.set_title(f"{number * 15}°")
    panel.axis("off")
plt.show()
