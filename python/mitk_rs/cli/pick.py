"""``mitk-rs pick``: pick seeds and thresholds in a page of the browser."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mitk_rs.cli.console import Console
from mitk_rs.cli.files import IMAGE_SUFFIXES, Session, descriptions
from mitk_rs.cli.parser import CommandParser, Namespace, Points, command
from mitk_rs.errors import RequestError, UsageError, reason

if TYPE_CHECKING:
    from mitk_rs.viewer.picking import PickSession, Request

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


def _add_options(parser: CommandParser) -> None:
    from mitk_rs.seeds import SEED_SUFFIXES

    parser.add_argument("input", metavar="IN", help="image: a file, or a folder with a DICOM series")
    text = f"file of points to write: {' '.join(SEED_SUFFIXES)} (default: {_SEEDS})"
    parser.option("-o --output SEEDS", text)
    parser.option("--level-set LEVELSET", f"level set to write (default: {_LEVEL_SET})")
    parser.option("--html PAGE", "write the page with the scan in it, at most 64 MB, and leave")
    group = parser.group("what the page begins with")
    group.option("--method METHOD", ", ".join(_METHODS), _METHODS, default=_METHODS[0])
    for name in ("source", "target"):
        text = f"{name}s: voxels, or a file of points; may be repeated"
        group.option(f"--{name} I J K", text, Points(), action="append")
    group.option("--lower L", "lower threshold", float)
    group.option("--upper U", "upper threshold", float)
    group.time_step()
    group = parser.group("server")
    group.option("--port N", "port to listen on (default: a free one)", int, least=0)
    group.option("--no-browser", "print the address, open nothing")
    text = "give up when the page was not used for so long (default: 3600)"
    group.option("--timeout S", text, float, default=3600.0)
    parser.reading(threads=True, streams=False)


@command("pick", _add_options, "pick seeds in the browser", _DESCRIPTION, _EPILOG)
def _run(args: Namespace, session: Session) -> None:
    from mitk_rs.viewer.picking import PickSession, Request

    _check(args, session)
    given = session.seeds()
    image = session.read_frame(args.input, result=None if args.html else args.level_set)
    voxels = {name: tuple(found) for name, found in session.voxels(given, image).items()}
    request = Request(method=args.method, **voxels, lower=args.lower, upper=args.upper)
    picking = PickSession(image, name=args.input, time_step=args.time_step, threads=args.threads)
    # The options of reading, for the command that repeats what was picked.
    picking.reading = ["--series", args.series] if args.series is not None else []
    picking.reading += ["--allow-gaps"] if args.allow_gaps else []
    picking.reading += ["--allow-other-folders"] if args.allow_other_folders else []
    picking.values(request)
    write = _write_page if args.html else _serve
    write(args, picking, request, session)


def _check(args: Namespace, session: Session) -> None:
    from mitk_rs.seeds import SEED_SUFFIXES

    if args.html:
        for name, value in (("-o", args.output), ("--level-set", args.level_set), ("--port", args.port)):
            if value is not None:
                raise UsageError(f"{name} does not go with --html: the page writes no files")
        session.check_files([args.input], [(args.html, (".html", ".htm"))])
        return
    if args.port is not None and args.port > 65535:
        raise UsageError(f"--port must be at most 65535, got {args.port}")
    args.output, args.level_set = args.output or _SEEDS, args.level_set or _LEVEL_SET
    session.check_files([args.input], [(args.output, SEED_SUFFIXES), (args.level_set, IMAGE_SUFFIXES)])


def _write_page(args: Namespace, picking: PickSession, request: Request, session: Session) -> None:
    from mitk_rs.io.atomic import atomic_output
    from mitk_rs.viewer.picking import embedded_page

    page = embedded_page(picking, request)
    with atomic_output(args.html) as name:
        name.write_text(page, encoding="utf-8", newline="\n")
    session.note(f"wrote {args.html}: {len(page) / 2**20:.1f} MB; it holds the voxels of {Path(args.input).name}")
    session.facts({"input": args.input, "outputs": descriptions({"page": args.html}), "line": None})


def _serve(args: Namespace, picking: PickSession, request: Request, session: Session) -> None:
    from mitk_rs.viewer.picking import PageServer

    try:
        server = PageServer(picking, request, seeds=args.output, level_set=args.level_set, port=args.port or 0)
    except OSError as error:
        raise RequestError(f"cannot listen on port {args.port} of 127.0.0.1: {reason(error)}") from error
    # Not a note: without the address the page cannot be opened.
    Console("mitk-rs pick").note(f"open {server.url}")
    with contextlib.nullcontext() if args.no_browser else _browser(server.url):
        picked = server.wait(args.timeout)
    session.note(f"wrote {' and '.join(picked.files)}")
    files = dict(zip(("points", "image"), picked.files, strict=False))
    session.facts({"input": args.input, "outputs": descriptions(files), "line": picked.command})
    session.result(picked.command)


@contextlib.contextmanager
def _browser(url: str) -> Iterator[None]:
    """Open a browser, if there is a display, through a file: other users can read the words of a process."""
    from mitk_rs._platform import has_display

    if not has_display() and not os.environ.get("WAYLAND_DISPLAY"):
        yield
        return
    import tempfile
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
