"""The main job, as a user does it: from a CT angiography to level sets, surfaces and pictures.

    python examples/demo.py --output demo
    python examples/demo.py --output demo --input scan.mha --source 71 213 16 --target 58 78 22 --lower 700

Without an input it takes the scan of `mitk-rs sample`, whose truth is known, and says how well the vessel was found.
All but the drawing of the surface is done by the command `mitk-rs`. `make demo` runs this file; `vessel.png` is the
picture of the README.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Picture
from PIL import ImageDraw

import mitk_rs as mitk
from mitk_rs.projection.camera import aim

MITK_RS = Path(sys.executable).with_name("mitk-rs")
AXES = {"x": 0, "y": 1, "z": 2}
SIDE = 640  # pixels of a picture
VESSEL_COLOUR = np.array([226.0, 104.0, 88.0])


@dataclass(frozen=True)
class Case:
    """What to segment; `truths` are masks for the two methods where they are known."""

    scan: Path
    source: Sequence[int]
    targets: Sequence[Sequence[int]]
    thresholds: list[str]
    window: Sequence[object] = ()
    truths: tuple[Any, Any] = (None, None)


def main() -> int:
    start = time.perf_counter()
    args = arguments()
    args.output.mkdir(parents=True, exist_ok=True)
    try:
        case = given_case(args) if args.input else synthetic_case(args.output / "scan.mha")
        one, all_targets = args.output / "colliding_fronts", args.output / "fast_marching"
        run("init", case, "collidingfronts", case.targets[:1], one, case.truths[0])
        run("init", case, "fastmarching", case.targets, all_targets, case.truths[1])
        vessel = args.output / "vessel"
        run("segment", case, "fastmarching", case.targets, vessel, case.truths[1])
        draw(case, {one: case.targets[:1], all_targets: case.targets, vessel: case.targets})
    except subprocess.CalledProcessError as error:
        print(error.stderr.strip(), file=sys.stderr)
        return error.returncode
    except mitk.Exception as error:
        print(f"demo: error: {error}", file=sys.stderr)
        return 1
    tell("done", f"look at {args.output}/vessel.png and the other pictures there", start)
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Segment a vessel with mitk-rs.")
    parser.add_argument("--output", type=Path, default=Path("demo"), help="folder for the results")
    parser.add_argument("--input", type=Path, help="a scan of your own")
    parser.add_argument("--source", type=int, nargs=3, metavar=("I", "J", "K"), help="voxel in which the vessel begins")
    parser.add_argument("--target", type=int, nargs=3, metavar=("I", "J", "K"), help="voxel in which it ends")
    parser.add_argument("--lower", type=float, help="least value inside of the vessel")
    parser.add_argument("--upper", type=float, help="greatest value inside of the vessel")
    args = parser.parse_args()
    if args.input and not (args.source and args.target and (args.lower is not None or args.upper is not None)):
        parser.error("a scan of your own needs SOURCE, TARGET and LOWER or UPPER")
    if not args.input and (args.source or args.target or args.lower is not None or args.upper is not None):
        parser.error("SOURCE, TARGET, LOWER and UPPER need INPUT")
    return args


def given_case(args: argparse.Namespace) -> Case:
    start = time.perf_counter()
    limits = {"--lower": args.lower, "--upper": args.upper}
    case = Case(
        scan=args.input,
        source=args.source,
        targets=[args.target],
        thresholds=[f"{option}={value}" for option, value in limits.items() if value is not None],
    )
    tell("scan", describe(args.input, mitk.Image(args.input)), start)
    return case


def synthetic_case(scan: Path) -> Case:
    start = time.perf_counter()
    mitk_rs("sample", scan, "--force", "--quiet")
    tree = mitk.datasets.vessel_tree()
    tell("scan", f"{describe(scan, tree.image)}, synthetic", start)
    return Case(
        scan=scan,
        source=tree.source,
        targets=tree.targets,
        thresholds=[f"--lower={tree.lower_threshold}"],
        window=("--window", 1100, "--level", 350),
        truths=(tree.path_mask(0), tree.mask),
    )


def run(command: str, case: Case, method: str, targets: Sequence[Sequence[int]], name: Path, truth: Any) -> None:
    """Run `mitk-rs init` or `mitk-rs segment`: level set and surface."""
    start = time.perf_counter()
    level_set = name.with_suffix(".mha")
    seeds = ["--source", *case.source] + [word for target in targets for word in ("--target", *target)]
    outputs = ["--output", level_set, "--surface", name.with_suffix(".stl"), "--force"]
    output = mitk_rs(command, case.scan, "--method", method, *seeds, *case.thresholds, *outputs, "--json", "--quiet")
    report = json.loads(output)
    volume = report["volume_ml"] if command == "init" else report["evolution"]["volume_ml"]
    text = f"{level_set} and .stl: {volume:.2f} ml"
    if truth is not None:
        text += f", Dice {dice(level_set, truth):.3f} with the truth"
    tell(method if command == "init" else command, text, start)


def draw(case: Case, targets: dict[Path, Sequence[Sequence[int]]]) -> None:
    """Draw outlines and seeds over the projection in which the seeds are farthest apart, and the last surface."""
    start = time.perf_counter()
    axis = broadest_view(case)
    pictures = [name.with_suffix(".png") for name in targets]
    for (name, ends), picture in zip(targets.items(), pictures, strict=True):
        seeds = [word for seed in (case.source, *ends) for word in ("--seeds", *seed)]
        look = ["--axis", axis, "--size", SIDE, SIDE, "--overlay", name.with_suffix(".mha"), *case.window, *seeds]
        mitk_rs("mip", case.scan, "--output", picture, *look, "--force", "--quiet")
    with Picture.open(pictures[-1]) as projection:
        beside = np.hstack([surface_picture(pictures[-1].with_suffix(".stl")), np.asarray(projection.convert("RGB"))])
    Picture.fromarray(beside).save(pictures[-1])
    tell("pictures", f"{', '.join(map(str, pictures))}: projections along {axis} with the vessel's outline", start)


def surface_picture(path: Path, *, azimuth: float = 25.0, elevation: float = 10.0) -> Any:
    """A shaded picture of a surface, seen as `mitk-rs mip --azimuth --elevation` sees a scan: RGB `(y, x, 3)`.

    Triangles are painted from back to front, each in the colour of its slope, so nothing needs OpenGL.
    """
    from vtkmodules.util.numpy_support import vtk_to_numpy

    surface = mitk.read_surface(path)
    points = vtk_to_numpy(surface.GetPoints().GetData()).astype(np.float64)
    corners = points[vtk_to_numpy(surface.GetPolys().GetConnectivityArray()).reshape(-1, 3)]
    view = aim(azimuth, elevation)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    # The light comes from the upper left, over the shoulder of who looks.
    light = -view.forward - 0.5 * view.right - 0.7 * view.down
    slope = np.clip(normals @ (light / np.linalg.norm(light)), 0, 1)[:, None]
    colours = np.clip((0.24 + 0.76 * slope**0.8) * VESSEL_COLOUR + 70 * slope**24, 0, 255).astype(int)
    flat = corners @ np.stack([view.right, view.down], axis=1)
    low, high = flat.min(axis=(0, 1)), flat.max(axis=(0, 1))
    fine = 3 * SIDE
    flat = (flat - (low + high) / 2) * (0.92 * fine / (high - low).max()) + fine / 2
    canvas = Picture.new("RGB", (fine, fine))
    pencil = ImageDraw.Draw(canvas)
    for number in np.argsort(-(corners.mean(axis=1) @ view.forward), kind="stable"):
        pencil.polygon([tuple(corner) for corner in flat[number]], fill=tuple(colours[number]))
    return np.asarray(canvas.reduce(3))


def broadest_view(case: Case) -> str:
    """The axis along which source and targets lie closest together, in mm."""
    spacing = np.array(mitk.Image(case.scan).spacing)
    spread = np.ptp(np.array([case.source, *case.targets]) * spacing, axis=0)
    return min(AXES, key=lambda axis: spread[AXES[axis]])


def dice(level_set: Path, truth: Any) -> float:
    """Overlap of what was found and what is there: 0 for none, 1 for the same voxels."""
    found = mitk.Image(level_set).as_numpy() < 0
    return float(2 * (found & truth).sum() / (found.sum() + truth.sum()))


def mitk_rs(*words: object) -> str:
    """Run the command and return what it prints."""
    command = [str(MITK_RS), *map(str, words)]
    return subprocess.run(command, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout


def describe(path: Path, image: Any) -> str:
    pixels = image.as_numpy()
    size = " x ".join(str(n) for n in reversed(pixels.shape))
    spacing = " x ".join(f"{h:.3g}" for h in image.spacing)
    return f"{path}: {size} voxels of {spacing} mm, {pixels.dtype}"


def tell(step: str, text: str, start: float) -> None:
    print(f"{step + ':':17} {text} ({time.perf_counter() - start:.2f} s)", flush=True)


if __name__ == "__main__":
    sys.exit(main())
