"""``mitk-rs info``: what an image is, from its header."""

from __future__ import annotations

import math
from argparse import Namespace
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mitk_rs.cli.console import Console
from mitk_rs.cli.files import (
    add_input_options,
    add_time_step,
    check_inputs,
    check_time_step,
    read_input,
    reading_options,
)
from mitk_rs.cli.parser import CommandParser, Subparsers

if TYPE_CHECKING:
    from mitk_rs.image import Image
    from mitk_rs.io import ImageHeader
    from mitk_rs.io.dicom import SeriesInfo

__all__ = ["add_parser", "run"]

_BINS, _WIDTH = 24, 48

_DESCRIPTION = """Print size, geometry, pixel type and time steps of an image; only its header is read.

  mitk-rs info scan.mha
  mitk-rs info scan.mha --statistics --json
  mitk-rs info scan.mha --histogram"""


def add_parser(subparsers: Subparsers[CommandParser]) -> CommandParser:
    """Add the command to the program's."""
    parser = subparsers.add_parser("info", help="print what an image is", description=_DESCRIPTION)
    parser.add_argument("input", metavar="IN", help="image: a file, a folder with a DICOM series, or -")
    statistics = "also read the voxels and print minimum, maximum and mean"
    parser.add_argument("--statistics", action="store_true", help=statistics)
    parser.add_argument("--histogram", action="store_true", help="percentiles, bars, and thresholds by Otsu's method")
    add_time_step(parser, "frame of the histogram")
    add_input_options(parser, output=False)
    return parser


def run(args: Namespace) -> None:
    """Read and print."""
    check_inputs(args.input)
    from mitk_rs.io import list_series, read_info
    from mitk_rs.io.record import series_warnings

    console = Console("mitk-rs info", quiet=args.quiet, as_json=args.json)
    with series_warnings(console.warning):
        series = list_series(args.input) if Path(args.input).is_dir() else []
        if len(series) > 1 and args.series is None:
            facts: dict[str, Any] = {"file": args.input}
        else:
            facts = _facts(args.input, read_info(args.input, **reading_options(args)))
            if args.statistics or args.histogram:
                facts |= _values(args, read_input(args, args.input, console))
    if series:
        facts["series"] = [asdict(one) for one in series]
    if args.json:
        console.result_json(facts)
    else:
        console.result(_text(facts) if "reader" in facts else _series_text(args.input, series))


def _series_text(path: str, series: list[SeriesInfo]) -> str:
    lines = [f"{path}: {len(series)} DICOM series; --series N describes one", *(f"  {one}" for one in series)]
    return "\n".join(lines)


def _facts(path: str, header: ImageHeader) -> dict[str, Any]:
    frame = header.frame
    shape = header.shape[: header.dimension]
    spatial = shape[-3:] if header.dimension > 2 else shape
    return {
        "input": path,
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


def _values(args: Namespace, image: Image) -> dict[str, Any]:
    """What the voxels say."""
    found: dict[str, Any] = {"statistics": _statistics(image)} if args.statistics else {}
    if args.histogram:
        check_time_step(image, args.input, args.time_step)
        found["histogram"] = _histogram(image, args.time_step)
    return found


def _statistics(image: Image) -> dict[str, float]:
    import numpy as np

    voxels = image.as_numpy(writeable=False)
    return {
        "minimum": voxels.min().item(),
        "maximum": voxels.max().item(),
        "mean": float(voxels.mean(dtype=np.float64)),
        "not_finite": int(np.count_nonzero(~np.isfinite(voxels))),
    }


def _histogram(image: Image, time_step: int | None) -> dict[str, Any]:
    from mitk_rs.thresholds import histogram

    found = histogram(image, bins=_BINS, time_step=time_step)
    return {
        "edges": found.edges.tolist(),
        "counts": found.counts.tolist(),
        "percentiles": [[share, value] for share, value in found.percentiles.items()],
        "otsu": list(found.otsu),
    }


def _text(facts: dict[str, Any]) -> str:
    from mitk_rs.image.display import memory_text

    rows = [
        ("file", facts["input"]),
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
