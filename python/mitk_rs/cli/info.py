"""``mitk-rs info`` and ``seeds``: what an image is, from its header, and what a file of points holds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mitk_rs.cli.files import Session, check_inputs, check_outputs
from mitk_rs.cli.parser import CommandParser, Namespace, command
from mitk_rs.errors import UsageError

if TYPE_CHECKING:
    from mitk_rs.image import Image
    from mitk_rs.io import ImageHeader
    from mitk_rs.seeds import Seeds

_BINS, _WIDTH = 24, 48


# mitk-rs info


def _add_info(parser: CommandParser) -> None:
    parser.add_argument("input", metavar="IN", help="image: a file, a folder with a DICOM series, or -")
    parser.option("--statistics", "also read the voxels and print minimum, maximum and mean")
    parser.option("--histogram", "percentiles, bars, and thresholds by Otsu's method")
    parser.time_step("frame of the histogram")
    parser.reading(output=False)


_INFO = """Print size, geometry, pixel type and time steps of an image; only its header is read.

  mitk-rs info scan.mha
  mitk-rs info scan.mha --statistics --json
  mitk-rs info scan.mha --histogram"""


@command("info", _add_info, "print what an image is", _INFO)
def _info(args: Namespace, session: Session) -> None:
    check_inputs(args.input)
    from mitk_rs.io import list_series, read_info
    from mitk_rs.io.formats import series_warnings

    with series_warnings(session.warning):
        series = list_series(args.input) if Path(args.input).is_dir() else []
        facts: dict[str, Any] = {"file": args.input}
        if len(series) <= 1 or args.series is not None:
            facts = _header_facts(args.input, read_info(args.input, **session.reading()))
            if args.statistics or args.histogram:
                facts |= _voxel_facts(args, session.read(args.input), session)
    if series:
        facts["series"] = [asdict(one) for one in series]
    session.facts(facts)
    if "reader" in facts:
        session.result(_text(facts))
    else:
        lines = [f"{args.input}: {len(series)} DICOM series; --series N describes one", *(f"  {one}" for one in series)]
        session.result("\n".join(lines))


def _header_facts(path: str, header: ImageHeader) -> dict[str, Any]:
    shape = header.shape[: header.dimension]
    return {
        "input": path,
        "file_bytes": Path(path).stat().st_size if Path(path).is_file() else None,
        "reader": header.reader,
        "dimensions": header.dimension,
        "size": list(shape[-3:][::-1]),
        "time_steps": header.time_steps,
        "components": header.components,
        "pixel_type": header.dtype.name,
        "memory_bytes": header.byte_count,
        "spacing": list(header.frame.spacing),
        "origin": list(header.frame.origin),
        "direction": header.frame.direction.tolist(),
    }


def _voxel_facts(args: Namespace, image: Image, session: Session) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if args.statistics:
        import numpy as np

        voxels = image.as_numpy(writeable=False)
        found["statistics"] = {
            "minimum": voxels.min().item(),
            "maximum": voxels.max().item(),
            "mean": float(voxels.mean(dtype=np.float64)),
            "not_finite": int(np.count_nonzero(~np.isfinite(voxels))),
        }
    if args.histogram:
        from mitk_rs.thresholds import histogram

        session.check_time_step(image, args.input)
        counted = histogram(image, bins=_BINS, time_step=args.time_step)
        found["histogram"] = {
            "edges": counted.edges.tolist(),
            "counts": counted.counts.tolist(),
            "percentiles": [[share, value] for share, value in counted.percentiles.items()],
            "otsu": list(counted.otsu),
        }
    return found


def _text(facts: dict[str, Any]) -> str:
    from mitk_rs.image.display import memory_text

    rows = [
        ("file", facts["input"]),
        ("reader", facts["reader"]),
        ("size", " x ".join(map(str, facts["size"]))),
        ("spacing", f"{_numbers(facts['spacing'])} mm"),
        ("origin", f"{_numbers(facts['origin'])} mm (LPS)"),
        ("direction", "; ".join(map(_numbers, facts["direction"]))),
        ("pixel type", facts["pixel_type"]),
        ("components", facts["components"]),
        ("time steps", facts["time_steps"]),
        ("memory", memory_text(facts["memory_bytes"])),
    ]
    rows += [(name.replace("_", " "), f"{value:g}") for name, value in facts.get("statistics", {}).items()]
    text = "".join(f"{name + ':':<12} {value}\n" for name, value in rows)
    return text + (_bars(facts["histogram"]) if "histogram" in facts else "")


def _bars(facts: dict[str, Any]) -> str:
    """Percentiles, a bar for each bin, thresholds. Bars are logarithmic: a vessel is a small part of a scan."""
    most = math.log1p(max(facts["counts"]))
    lines = ["", "percentiles:"]
    lines += [f"{share:>7g} % {value:>12.6g}" for share, value in facts["percentiles"]]
    lines += ["", "values from, number of voxels (bars are logarithmic):"]
    for low, count in zip(facts["edges"][:-1], facts["counts"], strict=True):
        bar = "#" * max(round(_WIDTH * math.log1p(count) / most), 1 if count else 0)
        lines.append(f"{low:>12.6g} {count:>12} {bar}".rstrip())
    if facts["otsu"]:
        two, *three = (f"{value:.6g}" for value in facts["otsu"])
        lines += ["", f"Otsu's thresholds: {two} parts in two, {' and '.join(three)} in three"]
    return "\n".join(lines) + "\n"


def _numbers(values: Sequence[float]) -> str:
    return " ".join(f"{value:.10g}" for value in values)


# mitk-rs seeds


def _add_seeds(parser: CommandParser) -> None:
    from mitk_rs.seeds import COORDINATES

    parser.add_argument("input", metavar="FILE[:LABEL]", help="file of points, perhaps with a label")
    parser.add_argument("output", nargs="?", metavar="OUT", help="file to write; its ending names the format")
    parser.option("--image SCAN", "image that maps millimetres to voxels")
    parser.time_step()
    kinds = "of OUT: index, LPS, RAS or napari; by default those of FILE where OUT can hold them, otherwise LPS"
    parser.option("--coordinates KIND", kinds, COORDINATES)
    parser.reading(streams=False)


_SEEDS = """Print the points of a file, or write them in the format that the ending of OUT names.

  mitk-rs seeds seeds.mrk.json
  mitk-rs seeds seeds.mrk.json --image scan.mha            with the voxels that they are in
  mitk-rs seeds seeds.fcsv:aorta aorta.csv --image scan.mha --coordinates index

FILE:LABEL takes the points with that label only."""
_SEEDS_EPILOG = """Endings: .mrk.json and .fcsv (3D Slicer), .mps (MITK), .csv (a table, or napari's), .json (mitk_rs).
Files in LPS or RAS millimetres need an image to become voxel indices, and the other way round."""


@command("seeds", _add_seeds, "print or convert files of points", _SEEDS, _SEEDS_EPILOG)
def _seeds(args: Namespace, session: Session) -> None:
    from mitk_rs.seeds import SEED_SUFFIXES, read_seeds, write_seeds

    if args.coordinates and not args.output:
        raise UsageError("--coordinates is for OUT, the file to write")
    if args.output:
        check_outputs([(args.output, SEED_SUFFIXES)], inputs=[args.input], force=args.force)
    seeds = read_seeds(args.input)
    image = None
    if args.image:
        check_inputs(args.image)
        image = session.read(args.image)
    voxels = seeds.indices(image, time_step=args.time_step) if image is not None else None
    if args.output:
        write_seeds(seeds, args.output, coordinates=args.coordinates, image=image)
        session.note(f"wrote {args.output}: {len(seeds)} points")
    else:
        session.result(_table(seeds, voxels))
    entries: list[dict[str, Any]] = [{"label": seed.label, "position": seed.position} for seed in seeds.seeds]
    for entry, voxel in zip(entries, voxels or [], strict=False):
        entry["voxel"] = voxel
    written = [{"path": args.output, "kind": "points"}] if args.output else []
    session.facts({"input": args.input, "outputs": written, "coordinates": seeds.space, "seeds": entries})


def _table(seeds: Seeds, voxels: list[Any] | None) -> str:
    rows = [["label", f"x y z ({'voxel index' if seeds.space == 'index' else 'LPS mm'})"]]
    rows += [[seed.label, _numbers(seed.position)] for seed in seeds.seeds]
    if voxels is not None:
        cells = ["voxel", *(" ".join(map(str, voxel)) for voxel in voxels)]
        rows = [[*row, cell] for row, cell in zip(rows, cells, strict=True)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "".join(f"{line.rstrip()}\n" for line in lines)
