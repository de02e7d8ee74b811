"""``mitk-rs info``: what an image is, from its header."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mitk_rs.cli.console import Console
from mitk_rs.cli.files import check_inputs
from mitk_rs.cli.parser import CommandParser, Subparsers, add_common

if TYPE_CHECKING:
    from mitk_rs.io.record import ImageHeader

__all__ = ["add_parser", "run"]

_DESCRIPTION = """Print size, geometry, pixel type and time steps of an image; only its header is read.

  mitk-rs info scan.mha
  mitk-rs info scan.mha --statistics --json"""


def add_parser(subparsers: Subparsers[CommandParser]) -> CommandParser:
    """Add the command to the program's."""
    parser = subparsers.add_parser("info", help="print what an image is", description=_DESCRIPTION)
    parser.add_argument("input", metavar="IN", help="image: a file, or a folder with a DICOM series")
    parser.add_argument("--statistics", action="store_true", help="read the voxels, too: least, greatest, mean value")
    add_common(parser, output=False)
    return parser


def run(args: Namespace) -> None:
    """Read and print."""
    check_inputs(args.input)
    from mitk_rs.io import read_info

    facts = _facts(args.input, read_info(args.input))
    if args.statistics:
        facts["statistics"] = _statistics(args.input)
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
    return "".join(f"{name + ':':<12} {value}\n" for name, value in rows)


def _numbers(values: list[float]) -> str:
    return " ".join(f"{value:.10g}" for value in values)
