"""``mitk-rs seeds``: print files of points and turn one format into another."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from mitk_rs.cli.console import Console
from mitk_rs.cli.files import add_input_options, add_time_step, check_inputs, check_outputs, read_input
from mitk_rs.cli.parser import CommandParser, Subparsers, one_of
from mitk_rs.errors import UsageError

if TYPE_CHECKING:
    from mitk_rs.image import Image
    from mitk_rs.seeds import Seeds

__all__ = ["add_parser", "given_seeds", "run", "voxels_of"]

_DESCRIPTION = """Print the points of a file, or write them in the format that the ending of OUT names.

  mitk-rs seeds seeds.mrk.json
  mitk-rs seeds seeds.mrk.json --image scan.mha            with the voxels that they are in
  mitk-rs seeds seeds.fcsv:aorta aorta.csv --image scan.mha --coordinates index

FILE:LABEL takes the points with that label only."""

_EPILOG = """Endings: .mrk.json and .fcsv (3D Slicer), .mps (MITK), .csv (a table, or napari's), .json (mitk_rs).
Files in LPS or RAS millimetres need an image to become voxel indices, and the other way round."""


def add_parser(subparsers: Subparsers[CommandParser]) -> CommandParser:
    """Add the command to the program's."""
    from mitk_rs.seeds import COORDINATES

    parser = subparsers.add_parser(
        "seeds", help="print or convert files of points", description=_DESCRIPTION, epilog=_EPILOG
    )
    parser.add_argument("input", metavar="FILE[:LABEL]", help="file of points, perhaps with a label")
    parser.add_argument("output", nargs="?", metavar="OUT", help="file to write; its ending names the format")
    parser.add_argument("--image", metavar="SCAN", help="image that maps millimetres to voxels")
    add_time_step(parser)
    kinds = "of OUT: index, LPS, RAS or napari; by default those of FILE where OUT can hold them, otherwise LPS"
    parser.add_argument("--coordinates", type=one_of(COORDINATES), metavar="KIND", help=kinds)
    add_input_options(parser, streams=False)
    return parser


def run(args: Namespace) -> None:
    """Check everything, read, print or write."""
    from mitk_rs.seeds import SEED_SUFFIXES, read_seeds, write_seeds

    if args.coordinates and not args.output:
        raise UsageError("--coordinates is for OUT, the file to write")
    if args.output:
        check_outputs([(args.output, SEED_SUFFIXES)], inputs=[args.input], force=args.force)
    seeds = read_seeds(args.input)
    console = Console("mitk-rs seeds", quiet=args.quiet, as_json=args.json)
    image = _image(args, console)
    voxels = seeds.indices(image, time_step=args.time_step) if image is not None else None
    if args.output:
        write_seeds(seeds, args.output, coordinates=args.coordinates, image=image)
        console.note(f"wrote {args.output}: {len(seeds)} points")
    if args.json:
        console.result_json(_facts(args, seeds, voxels))
    elif not args.output:
        console.result(_table(seeds, voxels))


def _image(args: Namespace, console: Console) -> Image | None:
    if not args.image:
        return None
    check_inputs(args.image)
    return read_input(args, args.image, console)


def _facts(args: Namespace, seeds: Seeds, voxels: list[Any] | None) -> dict[str, Any]:
    entries: list[dict[str, Any]] = [{"label": seed.label, "position": seed.position} for seed in seeds.seeds]
    for entry, voxel in zip(entries, voxels or [], strict=False):
        entry["voxel"] = voxel
    written = [{"path": args.output, "kind": "points"}] if args.output else []
    return {"input": args.input, "outputs": written, "coordinates": seeds.space, "seeds": entries}


def _table(seeds: Seeds, voxels: list[Any] | None) -> str:
    unit = "voxel index" if seeds.space == "index" else "LPS mm"
    rows = [["label", f"x y z ({unit})", *(["voxel"] if voxels is not None else [])]]
    for number, seed in enumerate(seeds.seeds):
        row = [seed.label, " ".join(f"{value:.10g}" for value in seed.position)]
        rows.append(row if voxels is None else [*row, " ".join(map(str, voxels[number]))])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "".join(f"{line.rstrip()}\n" for line in lines)


def given_seeds(args: Namespace, attribute: str, name: str) -> list[Seeds]:
    """What all occurrences of an option with points gave, in order; files are read.

    Raises
    ------
    UsageError
        Numbers with fractions where voxel indices are expected.
    FileError, RequestError
        As :func:`mitk_rs.read_seeds`.
    """
    from mitk_rs.seeds import Seed, Seeds, read_seeds

    kind = getattr(args, "points", "index")
    found = []
    for group in getattr(args, attribute) or []:
        if isinstance(group[0], str):
            found.append(read_seeds(group[0]))
            continue
        if kind == "index":
            _check_whole(group, name)
        side = -1.0 if kind == "ras" else 1.0
        seeds = [Seed((side * group[i], side * group[i + 1], group[i + 2])) for i in range(0, len(group), 3)]
        found.append(Seeds(seeds, "index" if kind == "index" else "LPS"))
    return found


def _check_whole(numbers: list[float], name: str) -> None:
    for value in numbers:
        if not value.is_integer():
            raise UsageError(f"--{name} expects whole numbers, got {value:g}; --points physical takes mm")


def voxels_of(seeds: list[Seeds], name: str, image: Image, time_step: int | None) -> list[tuple[int, int, int]]:
    """The voxels of all of them, as :meth:`mitk_rs.Seeds.indices` finds them."""
    return [voxel for group in seeds for voxel in group.indices(image, role=name, time_step=time_step)]
