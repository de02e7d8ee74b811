"""How near segmented vessels come to the truth: generated vessels, before and after evolution, with noise.

``python benches/accuracy.py --help``. Writes ``benches/results/accuracy.md`` and pictures of outlines and surfaces,
``docs/images/evolution.png`` and ``evolution_surfaces.png``. The vessels are tubes of known radius around known centre
lines, in soft tissue, with what makes segmentation hard: branches, a stenosis, an aneurysm, bone that touches the wall.
Voxels at a wall hold the mean of what they contain.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import mitk_rs as mitk
import table

TISSUE, LUMEN, BONE = 45.0, 350.0, 750.0
LOWER = (TISSUE + LUMEN) / 2
NOISE, SHOWN = (0.0, 20.0, 60.0), 20.0
SIZE, SPACING = (80, 80, 110), (0.6, 0.6, 0.8)
HEADER = ("vessel", "noise", "Dice before", "Dice after", "distance before", "distance after")
NOTE = f"""`segment_vessel` with its defaults on generated vessels. Dice: overlap of the voxels inside with the truth, 1
for the same. Distance: mean distance between the surface found and the true one, both ways. Before: colliding fronts
through {LOWER:g} and more; after: 300 iterations. Noise: standard deviation in Hounsfield units; the vessel is
{LUMEN - TISSUE:g} brighter than what is around it. Voxels of {SPACING[0]} x {SPACING[1]} x {SPACING[2]} mm; the
tree has voxels of 0.8 x 0.8 x 1 mm. `python benches/accuracy.py` writes this file.
"""
Floats = NDArray[np.float32]
Index = tuple[int, int, int]


@dataclass(frozen=True)
class Vessel:
    """A scan without noise and the truth about it."""

    voxels: Floats
    distance: Floats
    """To the wall in mm, negative inside."""

    spacing: tuple[float, float, float]
    source: Index
    targets: Sequence[Index]
    slices: tuple[int, int] | None = None
    """The first slice and the one behind the last in which results are compared: between the points."""

    def scan(self, noise: float, seed: int = 1) -> Any:
        """The scan, with noise that neighbours share in part."""
        grain = np.random.default_rng(seed).normal(size=self.voxels.shape).astype(np.float32)
        for axis in range(3):
            grain = grain + (np.roll(grain, 1, axis) + np.roll(grain, -1, axis)) / 2
        return mitk.Image(self.voxels + np.float32(noise / 1.5**1.5) * grain, spacing=self.spacing)


def grid(size: Sequence[int], spacing: Sequence[float]) -> list[Floats]:
    """Coordinates x, y, z in mm, to be broadcast."""
    x, y, z = (np.arange(n, dtype=np.float32) * np.float32(h) for n, h in zip(size, spacing, strict=True))
    return [x[None, None, :], y[None, :, None], z[:, None, None]]


def distance_to_balls(points: Any, radii: Any, size: Sequence[int], spacing: Sequence[float]) -> Floats:
    """Distance to the surface of a union of balls."""
    x, y, z = grid(size, spacing)
    distance = np.full((size[2], size[1], size[0]), np.inf, np.float32)
    for (px, py, pz), radius in zip(points, radii, strict=True):
        np.minimum(distance, np.sqrt((x - px) ** 2 + (y - py) ** 2 + (z - pz) ** 2) - np.float32(radius), out=distance)
    return distance


def painted(distance: Floats, spacing: Sequence[float], background: Any = TISSUE) -> Floats:
    """The lumen over what is around it."""
    share = np.clip(0.5 - distance / np.float32(np.mean(spacing)), 0, 1)
    return (background + share * (LUMEN - background)).astype(np.float32)


def curved(radius: Callable[[NDArray[np.float64]], Any]) -> tuple[Any, Any, Floats]:
    """A bent tube from the first slice to the last; its radius goes by the way from 0 to 1."""
    extent = (np.array(SIZE) - 1) * SPACING
    t = np.linspace(-0.05, 1.05, 90)
    points = np.stack(
        [extent[0] * (0.5 + 0.14 * np.sin(4 * t)), extent[1] * (0.5 + 0.1 * np.cos(3 * t)), extent[2] * t], 1
    )
    radii = radius(t)
    return points, radii, distance_to_balls(points, radii, SIZE, SPACING)


def between_ends(points: Any, distance: Floats, background: Any = TISSUE) -> Vessel:
    """A vessel with its points eight slices from the ends."""
    ends = [8, SIZE[2] - 9]
    seeds: list[Index] = []
    for k in ends:
        nearest = points[np.argmin(np.abs(points[:, 2] - k * SPACING[2]))] / SPACING
        seeds.append((round(nearest[0]), round(nearest[1]), k))
    voxels = painted(distance, SPACING, background)
    return Vessel(voxels, distance, SPACING, seeds[0], seeds[1:], (ends[0] + 3, ends[1] - 2))


def tube() -> Vessel:
    points, _, distance = curved(lambda t: np.full(t.shape, 4.0))
    return between_ends(points, distance)


def stenosis() -> Vessel:
    """Narrowed to a third of its radius."""
    points, _, distance = curved(lambda t: 4.2 - 2.8 * np.exp(-(((t - 0.5) / 0.06) ** 2)))
    return between_ends(points, distance)


def aneurysm() -> Vessel:
    points, _, distance = curved(lambda t: 3.0 + 7.0 * np.exp(-(((t - 0.5) / 0.09) ** 2)))
    return between_ends(points, distance)


def touching_bone() -> Vessel:
    """A bone whose wall touches that of the vessel over a few millimetres."""
    points, radii, distance = curved(lambda t: np.full(t.shape, 4.0))
    x, y, z = grid(SIZE, SPACING)
    px, py, pz = points[len(points) // 2]
    half = np.array([7.0, 9.0, 11.0])
    centre = (px + radii[len(points) // 2] + half[0] - 0.3, py, pz)
    depth = 1 - np.sqrt(sum(((a - c) / h) ** 2 for a, c, h in zip((x, y, z), centre, half, strict=True)))
    share = np.clip(0.5 + depth * half[0] / np.mean(SPACING), 0, 1)
    return between_ends(points, distance, TISSUE + share * (BONE - TISSUE))


def tree() -> Vessel:
    size, spacing = (150, 150, 120), (0.8, 0.8, 1.0)
    made = mitk.datasets.vessel_tree(size=size, spacing=spacing, origin=(0, 0, 0), direction=np.eye(3), generations=3)
    # Every fourth point: balls every half a millimetre.
    points, radii = np.concatenate(made.centre_lines)[::4], np.concatenate(made.radii)[::4]
    distance = distance_to_balls(points, radii, size, spacing)
    return Vessel(painted(distance, spacing), distance, spacing, made.source, made.targets)


VESSELS: dict[str, Callable[[], Vessel]] = {
    "tube, radius 4 mm": tube,
    "tree of 7 branches, radius 2.4 to 5 mm": tree,
    "stenosis, radius 4.2 to 1.4 mm": stenosis,
    "aneurysm, radius 3 to 10 mm": aneurysm,
    "bone touches the vessel": touching_bone,
}


def dice(inside: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Overlap: 1 for the same voxels."""
    return float(2 * (inside & truth).sum() / (inside.sum() + truth.sum()))


def surface_of(level_set: Floats, spacing: Sequence[float]) -> Any:
    return mitk.extract_surface(mitk.Image(np.ascontiguousarray(level_set), spacing=tuple(spacing)))


def distances(found: Any, truth: Any) -> Any:
    """A filter whose outputs are both surfaces, with the distance of each point from the other surface."""
    from vtkmodules.vtkFiltersGeneral import vtkDistancePolyDataFilter

    measure = vtkDistancePolyDataFilter()
    measure.SetInputData(0, found)
    measure.SetInputData(1, truth)
    measure.SignedDistanceOff()
    measure.Update()
    return measure


def distance_between(found: Any, truth: Any) -> float:
    """Mean distance of the points of each surface from the other one."""
    from vtkmodules.util.numpy_support import vtk_to_numpy

    measure = distances(found, truth)
    sides = (measure.GetOutput(), measure.GetSecondDistanceOutput())
    return float(np.mean([vtk_to_numpy(side.GetPointData().GetArray("Distance")).mean() for side in sides]))


def compare(vessel: Vessel, level_set: Any) -> tuple[float, float]:
    """Dice and mean surface distance of a level set."""
    compared = slice(*vessel.slices) if vessel.slices else slice(None)
    part, truth = level_set.array[compared], vessel.distance[compared]
    surfaces = (surface_of(part, vessel.spacing), surface_of(truth, vessel.spacing))
    return dice(part < 0, truth < 0), distance_between(*surfaces)


def segmented(vessel: Vessel, noise: float, **options: Any) -> Any:
    return mitk.segment_vessel(vessel.scan(noise), [vessel.source], vessel.targets, LOWER, **options)


def results(vessel: Vessel, noise: float, name: str) -> tuple[list[str], Any]:
    """A row of the table, and the segmentation."""
    found = segmented(vessel, noise)
    before, after = compare(vessel, found.initial), compare(vessel, found.level_set)
    figures = [f"{before[0]:.3f}", f"{after[0]:.3f}", f"{before[1]:.2f} mm", f"{after[1]:.2f} mm"]
    return [name, f"{noise:g} HU", *figures], found


def sweep(vessels: dict[str, Vessel], noise: float) -> str:
    """Mean figures for settings among which the defaults were chosen."""
    made = []
    for width in (0.0, 0.5, 1.0, 1.5):
        for curvature in (0.0, 0.1, 0.3):
            options = {"feature_sigma": width * SPACING[0], "curvature": curvature}
            scores = [compare(v, segmented(v, noise, **options).level_set) for v in vessels.values()]
            mean = np.mean(scores, axis=0)
            made.append([f"{width:g}", f"{curvature:g}", f"{noise:g} HU", f"{mean[0]:.3f}", f"{mean[1]:.3f} mm"])
    return table.markdown(("sigma / smallest spacing", "curvature", "noise", "Dice", "distance"), made)


def main() -> None:
    """Measure, and write table and picture."""
    parser = argparse.ArgumentParser(description="Compare segmented vessels with the truth.")
    parser.add_argument("--sweep", action="store_true", help="print figures of other settings instead")
    options = parser.parse_args()
    vessels = {name: make() for name, make in VESSELS.items()}
    if options.sweep:
        for noise in (20.0, 60.0):
            print(sweep(vessels, noise), flush=True)
        return
    rows, shown = [], {}
    for name, vessel in vessels.items():
        for noise in NOISE:
            row, found = results(vessel, noise, name)
            print(*row, flush=True)
            rows.append(row)
            if noise == SHOWN:
                shown[name] = (vessel, found)
    text = f"# Accuracy of segmentation\n\n{NOTE}\n{table.markdown(HEADER, rows)}"
    (table.FOLDER / "accuracy.md").write_text(text, encoding="utf-8")
    write(outlines(shown), "evolution.png")
    write(surfaces(shown), "evolution_surfaces.png")


# Pictures

Shown = dict[str, tuple[Vessel, Any]]
#: Width of a picture of a slice or a surface, in pixels.
WIDTH = 230
#: Distance from the true wall, in mm, that has the strongest colour.
FAR = 0.8


def write(rows: dict[str, NDArray[np.uint8]], file: str) -> None:
    """Write rows of pictures below each other, each with its title, in as few colours as need be."""
    from PIL import Image, ImageDraw

    strips = []
    for title, row in rows.items():
        strip = Image.new("RGB", (row.shape[1], row.shape[0] + 18), "black")
        strip.paste(Image.fromarray(row), (0, 18))
        ImageDraw.Draw(strip).text((4, 3), title, "white", font_size=12)
        strips.append(np.asarray(strip))
    whole = Image.fromarray(np.vstack(strips)).quantize(96)
    whole.save(Path(__file__).parents[1] / "docs" / "images" / file, optimize=True)


def outlines(shown: Shown) -> dict[str, NDArray[np.uint8]]:
    """For each vessel a projection and three slices, cut out around it."""
    made = {}
    for name, (vessel, found) in shown.items():
        inside = np.argwhere((found.level_set.array < 0) | (found.initial.array < 0))[:, ::-1]
        lower = np.maximum(inside.min(0) - 5, 0).tolist()
        upper = np.minimum(inside.max(0) + 6, found.level_set.array.shape[::-1]).tolist()
        parts = {part: getattr(found, part).crop(lower, upper) for part in ("level_set", "initial")}
        scan = vessel.scan(SHOWN).crop(lower, upper)
        title = f"{name}: projection, slices across x, y, z; before evolution orange, after green"
        made[title] = replace(found, **parts).picture(scan, size=WIDTH)
    return made


def surfaces(shown: Shown) -> dict[str, NDArray[np.uint8]]:
    """For each vessel its surface before and after evolution, coloured by the distance from the true wall."""
    made = {}
    for name, (vessel, found) in shown.items():
        truth = surface_of(vessel.distance, vessel.spacing)
        pair = [mitk.extract_surface(found.initial), found.surface()]
        title = f"{name}: before, after; blue 0, red {FAR:g} mm or more from the true wall"
        made[title] = np.hstack([rendered(surface, truth) for surface in pair])
    return made


def rendered(surface: Any, truth: Any) -> NDArray[np.uint8]:
    """A surface, drawn lying on its side."""
    from PIL import Image
    from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper

    from mitk_rs.viewer.window import ViewerWindow

    window = ViewerWindow(size=(2 * WIDTH, WIDTH - 30), background=(1.0, 1.0, 1.0), magnification=1)
    for key in "qrx":
        window.unbind(key)
    mapper = vtkPolyDataMapper()
    mapper.SetInputData(distances(surface, truth).GetOutput())
    mapper.SetScalarRange(0, FAR)
    mapper.GetLookupTable().SetHueRange(0.6, 0.0)
    actor = vtkActor()
    actor.SetMapper(mapper)
    window.renderer.AddActor(actor)
    camera = window.renderer.GetActiveCamera()
    camera.SetPosition(0, -1, 0)
    camera.SetViewUp(-1, 0, 0)
    window.renderer.ResetCamera()
    camera.Zoom(2.0)
    window.render()
    with tempfile.TemporaryDirectory() as folder, Image.open(window.screenshot(Path(folder) / "drawn.png")) as drawn:
        picture = np.array(drawn.convert("RGB"))
    window.close()
    return picture


if __name__ == "__main__":
    main()
