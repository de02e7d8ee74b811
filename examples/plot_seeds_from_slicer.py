"""
Seeds from a file of 3D Slicer
==============================

Points that were placed in 3D Slicer are seeds as they are: :func:`mitk_rs.read_seeds` reads ``.mrk.json`` and
``.fcsv``, in LPS or RAS.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

import mitk_rs as mitk

tree = mitk.datasets.vessel_tree(size=(96, 96, 80), spacing=(1.3, 1.3, 1.6), generations=3)
folder = tempfile.TemporaryDirectory()
markups = Path(folder.name) / "seeds.mrk.json"
mitk.write_seeds(tree.seeds, markups, image=tree.image)  # as 3D Slicer would write them
print(*markups.read_text().splitlines()[:12], sep="\n")

# %%
# A label behind the name of the file takes the points with this label.
found = mitk.initialize_level_set(
    tree.image,
    method="fastmarching",
    sources=f"{markups}:source",
    targets=f"{markups}:target",
    lower_threshold="auto",
)
print(f"lower threshold {found.report.auto_lower.value:.0f} HU")

voxels = mitk.read_seeds(markups).indices(tree.image)
figure, panel = plt.subplots(figsize=(9, 3.6), layout="constrained")
panel.imshow(mitk.montage(tree.image, size=(900, 340), overlay=found.level_set, seeds=voxels, window=900, level=300))
panel.axis("off")
plt.show()
folder.cleanup()
