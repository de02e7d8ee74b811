"""The main job, as a user does it: from a CT angiography to level sets, surfaces and a picture.

    python examples/demo.py --output demo
    python examples/demo.py --output demo --input scan.mha --source 71 213 16 --target 58 78 22 --lower 700

Without an input it makes a synthetic scan whose truth is known and says how well the vessel was found. Everything else
is done by the command `mitk-rs`. `make demo` runs this file.
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

import mitk_rs as mitk

MITK_RS = Path(sys.executable).with_name("mitk-rs")
AXES = {"x": 0, "y": 1, "z": 2}


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
        segment(case, "collidingfronts", case.targets[:1], one, case.truths[0])
        segment(case, "fastmarching", case.targets, all_targets, case.truths[1])
        draw(case, {one: case.targets[:1], all_targets: case.targets})
    except subprocess.CalledProcessError as error:
        print(error.stderr.strip(), file=sys.stderr)
        return error.returncode
    except mitk.Exception as error:
        print(f"demo: error: {error}", file=sys.stderr)
        return 1
    tell("done", f"look at the pictures in {args.output}/", start)
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
    tree = mitk.datasets.vessel_tree()
    tree.image.save(scan)
    tell("scan", f"{describe(scan, tree.image)}, synthetic", start)
    return Case(
        scan=scan,
        source=tree.source,
        targets=tree.targets,
        thresholds=[f"--lower={tree.lower_threshold}"],
        window=("--window", 800, "--level", 300),
        truths=(tree.path_mask(0), tree.mask),
    )


def segment(case: Case, method: str, targets: Sequence[Sequence[int]], name: Path, truth: Any) -> None:
    """Run `mitk-rs init`: level set and surface."""
    start = time.perf_counter()
    level_set = name.with_suffix(".mha")
    seeds = ["--source", *case.source] + [word for target in targets for word in ("--target", *target)]
    outputs = ["--output", level_set, "--surface", name.with_suffix(".stl"), "--force"]
    output = mitk_rs("init", case.scan, "--method", method, *seeds, *case.thresholds, *outputs, "--json", "--quiet")
    report = json.loads(output)
    text = f"{level_set} and .stl: {report['volume_ml']:.2f} ml"
    if truth is not None:
        text += f", Dice {dice(level_set, truth):.3f} with the truth"
    tell(method, text, start)


def draw(case: Case, targets: dict[Path, Sequence[Sequence[int]]]) -> None:
    """Run `mitk-rs mip`: outlines and seeds over the projection in which the seeds lie farthest apart."""
    start = time.perf_counter()
    axis = broadest_view(case)
    pictures = [name.with_suffix(".png") for name in targets]
    for (name, ends), picture in zip(targets.items(), pictures, strict=True):
        seeds = [word for seed in (case.source, *ends) for word in ("--seeds", *seed)]
        look = ["--axis", axis, "--size", 640, 640, "--overlay", name.with_suffix(".mha"), *case.window, *seeds]
        mitk_rs("mip", case.scan, "--output", picture, *look, "--force", "--quiet")
    tell("pictures", f"{' and '.join(map(str, pictures))}: projection along {axis} with the vessel's outline", start)


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
