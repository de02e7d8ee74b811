"""``mitk-rs info``: what an image is, from its header."""

from __future__ import annotations

import math
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mitk_rs.cli.console import Console
from mitk_rs.cli.files import check_inputs, check_time_step
from mitk_rs.cli.parser import CommandParser, Subparsers, add_common, integer

if TYPE_CHECKING:
    from mitk_rs.io.record import ImageHeader

__all__ = ["add_parser", "run"]

_BINS, _WIDTH = 24, 48

_DESCRIPTION = """Print size, geometry, pixel type and time steps of an image; only its header is read.

  mitk-rs info scan.mha
  mitk-rs info scan.mha --statistics --json
  mitk-rs info scan.mha --histogram"""


def add_parser(subparsers: Subparsers[CommandParser]) -> CommandParser:
    """Add the command to the program's."""
    parser = subparsers.add_parser("info", help="print what an image is", description=_DESCRIPTION)
    parser.add_argument("input", metavar="IN", help="image: a file, or a folder with a DICOM series")
    parser.add_argument("--statistics", action="store_true", help="read the voxels, too: least, greatest, mean value")
    parser.add_argument("--histogram", action="store_true", help="percentiles, bars, and thresholds by Otsu's method")
    parser.add_argument("--time-step", type=integer(minimum=0), metavar="N", help="frame of the histogram")
    add_common(parser, output=False)
    return parser


def run(args: Namespace) -> None:
    """Read and print."""
    check_inputs(args.input)
    from mitk_rs.io import read_info

    facts = _facts(args.input, read_info(args.input))
    if args.statistics:
        facts["statistics"] = _statistics(args.input)
    if args.histogram:
        facts["histogram"] = _histogram(args)
    console = Console("mitk-rs info", quiet=args.quiet, as_json=args.json)
    if args.json:
        console.result_json(facts)
    else:
        console.result(_text(facts))


def _facts(path: str, header: ImageHeader) -> dict[str, Any]:
    frame = header.frame
    shape = header.shape[: header.dimension]
    spatial = shape[-3:] if header.dimension > 2 else shape
    return {
        "file": path,
        "file_bytes": Path(path).stat().st_size if Path(path).is_file() else None,
        "reader": header.reader,
        "dimensions": header.dimension,
        "size": list(spatial[::-1]),
        "time_steps": header.time_steps,
        "components": header.components,
        "pixel_type": header.dtype.name,
        "memory_bytes": header.byte_count,
        "spacing": list(frame.spacing),
        "origin": list(frame.origin),
        "direction": frame.direction.tolist(),
    }


def _statistics(path: str) -> dict[str, float]:
    import numpy as np

    from mitk_rs.io import read_image

    voxels = read_image(path).as_numpy(writeable=False)
    return {
        "minimum": voxels.min().item(),
        "maximum": voxels.max().item(),
        "mean": float(voxels.mean(dtype=np.float64)),
        "not_finite": int(np.count_nonzero(~np.isfinite(voxels))),
    }


def _histogram(args: Namespace) -> dict[str, Any]:
    from mitk_rs.io import read_image
    from mitk_rs.thresholds import histogram

    image = read_image(args.input)
    check_time_step(image, args.input, args.time_step)
    found = histogram(image, bins=_BINS, time_step=args.time_step)
    return {
        "edges": found.edges.tolist(),
        "counts": found.counts.tolist(),
        "percentiles": [[share, value] for share, value in found.percentiles.items()],
        "otsu": list(found.otsu),
    }


def _text(facts: dict[str, Any]) -> str:
    from mitk_rs.image.display import memory_text

    rows = [
        ("file", facts["file"]),
        ("reader", facts["reader"]),
        ("size", " x ".join(map(str, facts["size"]))),
        ("spacing", f"{_numbers(facts['spacing'])} mm"),
        ("origin", f"{_numbers(facts['origin'])} mm (LPS)"),
        ("direction", "; ".join(_numbers(row) for row in facts["direction"])),
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
    counts, edges = facts["counts"], facts["edges"]
    most = math.log1p(max(counts))
    lines = ["", "percentiles:"]
    lines += [f"{share:>7g} % {value:>12.6g}" for share, value in facts["percentiles"]]
    lines += ["", "values from, number of voxels (bars are logarithmic):"]
    for low, count in zip(edges[:-1], counts, strict=True):
        bar = "#" * max(round(_WIDTH * math.log1p(count) / most), 1 if count else 0)
        lines.append(f"{low:>12.6g} {count:>12} {bar}".rstrip())
    if facts["otsu"]:
        two, three = facts["otsu"][0], facts["otsu"][1:]
        lines += [
            "",
            f"Otsu's thresholds: {two:.6g} parts in two, {' and '.join(f'{value:.6g}' for value in three)} in three",
        ]
    return "\n".join(lines) + "\n"


def _numbers(values: list[float]) -> str:
    return " ".join(f"{value:.10g}" for value in values)
