"""``mitk-rs sample``: a scan to try everything with."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from mitk_rs.cli.console import Console
from mitk_rs.cli.files import IMAGE_SUFFIXES, check_outputs
from mitk_rs.cli.parser import CommandParser, Subparsers, add_common

if TYPE_CHECKING:
    from mitk_rs.datasets import VesselTree

__all__ = ["add_parser", "run"]

_DESCRIPTION = """Write a synthetic CT angiography whose truth is known: mitk_rs.datasets.vessel_tree().

  mitk-rs sample scan.mha
  mitk-rs sample scan.mha --seeds seeds.mrk.json --truth truth.mha

A branching vessel in soft tissue, with bone, a calcification and noise; always the same voxels. Points and threshold
for the other commands are printed."""


def add_parser(subparsers: Subparsers[CommandParser]) -> CommandParser:
    """Add the command to the program's."""
    parser = subparsers.add_parser("sample", help="write a scan to try the commands with", description=_DESCRIPTION)
    parser.add_argument("output", metavar="OUT", help=f"scan to write: {' '.join(IMAGE_SUFFIXES)}")
    points = "file for the points, labelled source and target: .mrk.json .fcsv .mps .csv .json"
    parser.add_argument("--seeds", metavar="FILE", help=points)
    parser.add_argument("--truth", metavar="MASK", help="image of the true vessel, 1 inside")
    add_common(parser)
    return parser


def run(args: Namespace) -> None:
    """Check the names, make the scan, write all files or none."""
    from mitk_rs.seeds import SEED_SUFFIXES

    kinds = [(args.output, IMAGE_SUFFIXES), (args.truth, IMAGE_SUFFIXES), (args.seeds, SEED_SUFFIXES)]
    check_outputs([(name, suffixes) for name, suffixes in kinds if name], force=args.force)
    from mitk_rs.datasets import vessel_tree

    tree = vessel_tree()
    _write(tree, args)
    console = Console("mitk-rs sample", quiet=args.quiet, as_json=args.json)
    if args.json:
        console.result_json(_facts(tree, args))
    else:
        points = ", ".join(_spaced(target) for target in tree.targets)
        console.note(
            f"wrote {' and '.join(name for name, _ in kinds if name)}: {' x '.join(map(str, _size(tree)))} voxels"
        )
        console.note(f"source {_spaced(tree.source)}; targets {points}; lower threshold {tree.lower_threshold:g}")


def _write(tree: VesselTree, args: Namespace) -> None:
    import numpy as np

    from mitk_rs.io import write_image
    from mitk_rs.io.atomic import atomic_outputs
    from mitk_rs.seeds import write_seeds

    with atomic_outputs():
        write_image(tree.image, args.output)
        if args.truth:
            write_image(tree.image.like(tree.mask.astype(np.uint8)), args.truth)
        if args.seeds:
            write_seeds(tree.seeds, args.seeds, image=tree.image)


def _facts(tree: VesselTree, args: Namespace) -> dict[str, object]:
    image = {"size": _size(tree), "pixel_type": tree.image.dtype.name}
    written: list[dict[str, object]] = [{"path": args.output, "kind": "image", **image}]
    if args.truth:
        written.append({"path": args.truth, "kind": "mask", **image, "pixel_type": "uint8"})
    if args.seeds:
        written.append({"path": args.seeds, "kind": "points"})
    return {
        "outputs": written,
        "source": tree.source,
        "targets": tree.targets,
        "lower_threshold": tree.lower_threshold,
    }


def _size(tree: VesselTree) -> list[int]:
    return [tree.image.get_dimension(axis) for axis in range(3)]


def _spaced(index: tuple[int, int, int]) -> str:
    return " ".join(map(str, index))
