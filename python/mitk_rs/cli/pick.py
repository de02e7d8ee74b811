"""``mitk-rs pick``: pick seeds and thresholds in a page of the browser."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mitk_rs.cli.console import Console
from mitk_rs.cli.files import IMAGE_SUFFIXES, add_input_options, add_time_step, check_files, read_frame
from mitk_rs.cli.parser import CommandParser, Points, Subparsers, integer, number, one_of
from mitk_rs.cli.seeds import given_seeds, voxels_of
from mitk_rs.errors import RequestError, UsageError

if TYPE_CHECKING:
    from mitk_rs.image import Image
    from mitk_rs.seeds import Seeds
    from mitk_rs.viewer.picking import PickSession, Request

__all__ = ["add_parser", "run"]

_METHODS = ("collidingfronts", "multiplecollidingfronts", "fastmarching", "threshold", "seeds")
_SEEDS, _LEVEL_SET = "seeds.mrk.json", "level_set.mha"

_DESCRIPTION = """Pick sources, targets and thresholds of a scan in the browser, and see the level set at once.

  mitk-rs pick scan.mha                                   writes seeds.mrk.json and level_set.mha
  mitk-rs pick scan.mha -o ends.csv --level-set level.nii.gz --lower 700
  mitk-rs pick scan.mha --html seeds.html                 the page as one file, for a machine without this program

Accept writes the files, and prints the command that makes the level set again."""

_EPILOG = """The page is served to this machine only, under an address with a token that works once. From another
machine: ssh -L 8000:127.0.0.1:PORT HOST with the port that is printed, then open the address with 8000 in its place.
Nothing is loaded from the internet."""


def add_parser(subparsers: Subparsers[CommandParser]) -> CommandParser:
    """Add the command to the program's."""
    from mitk_rs.seeds import SEED_SUFFIXES

    parser = subparsers.add_parser("pick", help="pick seeds in the browser", description=_DESCRIPTION, epilog=_EPILOG)
    parser.add_argument("input", metavar="IN", help="image: a file, or a folder with a DICOM series")
    endings = " ".join(SEED_SUFFIXES)
    parser.add_argument(
        "-o", "--output", metavar="SEEDS", help=f"file of points to write: {endings} (default: {_SEEDS})"
    )
    parser.add_argument("--level-set", metavar="LEVELSET", help=f"level set to write (default: {_LEVEL_SET})")
    parser.add_argument("--html", metavar="PAGE", help="write the page with the scan in it, at most 64 MB, and leave")
    _add_beginning(parser)
    group = parser.add_argument_group("server")
    group.add_argument("--port", type=integer(minimum=0), metavar="N", help="port to listen on (default: a free one)")
    group.add_argument("--no-browser", action="store_true", help="print the address, open nothing")
    text = "give up when the page was not used for so long (default: 3600)"
    group.add_argument("--timeout", type=number(), default=3600.0, metavar="S", help=text)
    add_input_options(parser, threads=True, streams=False)
    return parser


def _add_beginning(parser: CommandParser) -> None:
    group = parser.add_argument_group("what the page begins with")
    group.add_argument(
        "--method", type=one_of(_METHODS), default=_METHODS[0], metavar="METHOD", help=", ".join(_METHODS)
    )
    for name in ("source", "target"):
        text = f"{name}s: voxels, or a file of points; may be repeated"
        group.add_argument(f"--{name}", type=Points(), action="append", metavar="I J K", help=text)
    group.add_argument("--lower", type=number(), metavar="L", help="lower threshold")
    group.add_argument("--upper", type=number(), metavar="U", help="upper threshold")
    add_time_step(group)


def run(args: Namespace) -> None:
    """Check everything, read, show the page, write what was picked."""
    from mitk_rs.viewer.picking import PickSession

    _check(args)
    console = Console("mitk-rs pick", quiet=args.quiet, as_json=args.json)
    given = {name: given_seeds(args, name, name) for name in ("source", "target")}
    image = read_frame(args, args.input, console, result=None if args.html else args.level_set)
    request = _request(args, image, given)
    session = PickSession(image, name=args.input, time_step=args.time_step, threads=args.threads)
    session.reading = _reading_words(args)
    session.values(request)
    if args.html:
        _write_page(args, session, request, console)
        return
    _serve(args, session, request, console)


def _reading_words(args: Namespace) -> list[str]:
    """The options of reading, for the command that repeats what was picked."""
    words = ["--series", args.series] if args.series is not None else []
    words += ["--allow-gaps"] if args.allow_gaps else []
    return words + (["--allow-other-folders"] if args.allow_other_folders else [])


def _check(args: Namespace) -> None:
    from mitk_rs.seeds import SEED_SUFFIXES

    if args.html:
        for option, value in (("-o", args.output), ("--level-set", args.level_set), ("--port", args.port)):
            if value is not None:
                raise UsageError(f"{option} does not go with --html: the page writes no files")
        check_files(args, [args.input], [(args.html, (".html", ".htm"))])
        return
    if args.port is not None and args.port > 65535:
        raise UsageError(f"--port must be at most 65535, got {args.port}")
    args.output, args.level_set = args.output or _SEEDS, args.level_set or _LEVEL_SET
    outputs = [(args.output, SEED_SUFFIXES), (args.level_set, IMAGE_SUFFIXES)]
    check_files(args, [args.input], outputs)


def _request(args: Namespace, image: Image, given: dict[str, list[Seeds]]) -> Request:
    from mitk_rs.viewer.picking import Request

    sources, targets = (voxels_of(given[name], name, image, args.time_step) for name in ("source", "target"))
    return Request(
        method=args.method, sources=tuple(sources), targets=tuple(targets), lower=args.lower, upper=args.upper
    )


def _write_page(args: Namespace, session: PickSession, request: Request, console: Console) -> None:
    from mitk_rs.io.atomic import atomic_output
    from mitk_rs.viewer.picking import embedded_page

    page = embedded_page(session, request)
    with atomic_output(args.html) as name:
        name.write_text(page, encoding="utf-8", newline="\n")
    console.note(f"wrote {args.html}: {len(page) / 2**20:.1f} MB; it holds the voxels of {Path(args.input).name}")
    if args.json:
        console.result_json({"input": args.input, "outputs": [{"path": args.html, "kind": "page"}], "line": None})


def _serve(args: Namespace, session: PickSession, request: Request, console: Console) -> None:
    from mitk_rs.viewer.page_server import PageServer

    try:
        server = PageServer(session, request, seeds=args.output, level_set=args.level_set, port=args.port or 0)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise RequestError(f"cannot listen on port {args.port} of 127.0.0.1: {reason}") from error
    # Not a note: without the address the page cannot be opened.
    Console("mitk-rs pick").note(f"open {server.url}")
    with contextlib.ExitStack() as stack:
        if not args.no_browser:
            stack.enter_context(_browser(server.url))
        picked = server.wait(args.timeout)
    console.note(f"wrote {' and '.join(picked.files)}")
    if args.json:
        outputs = [{"path": path, "kind": kind} for path, kind in zip(picked.files, ("points", "image"), strict=False)]
        console.result_json({"input": args.input, "outputs": outputs, "line": picked.command})
    else:
        console.result(picked.command)


@contextlib.contextmanager
def _browser(url: str) -> Iterator[None]:
    """Open a browser, if there is a display, through a file: other users can read the words of a process."""
    from mitk_rs.viewer.display import has_display

    if not has_display() and not os.environ.get("WAYLAND_DISPLAY"):
        yield
        return
    import webbrowser

    descriptor, name = tempfile.mkstemp(prefix="mitk-rs-pick-", suffix=".html")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as page:
            page.write(
                f'<!doctype html><meta http-equiv="refresh" content="0;url={url}"><a href="{url}">mitk-rs pick</a>\n'
            )
        if not webbrowser.open(Path(name).as_uri()) and sys.stderr is not None:
            Console("mitk-rs pick").note("no browser could be opened: open the address yourself")
        yield
    finally:
        Path(name).unlink(missing_ok=True)
