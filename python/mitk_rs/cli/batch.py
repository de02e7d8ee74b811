"""``mitk-rs batch``: level sets of many images, one for each row of a table."""

from __future__ import annotations

from argparse import Namespace

from mitk_rs.cli.console import Console
from mitk_rs.cli.errors import ExitCode, FailedError
from mitk_rs.cli.files import check_inputs
from mitk_rs.cli.parser import CommandParser, Subparsers, add_common, integer, number

__all__ = ["add_parser", "run"]

_DESCRIPTION = """Make a level set, a surface and a picture of every case in a table.

  mitk-rs batch cases.csv -o results/
  mitk-rs batch cases.csv -o results/ --segment
  mitk-rs batch cases.csv -o results/ --scheduler tcp://head:8786

cases.csv begins with a header line. The column input names the image (relative names count from the folder of the
table), name is the stem of the results (default: that of the input); the other columns are options of mitk-rs init
without dashes: method, source, target, lower, upper, isosurface, negate, combine, compat, far_value, stop_time,
target_offset, points, time_step. Points are i j k, several are separated by ;, or a file of points such as
seeds.mrk.json:inlet. With --segment they are the options of mitk-rs segment: method, source, target, lower, upper,
iterations, propagation, curvature, advection, sigma, sigmoid, stop_rms, points, time_step. The columns series,
allow_gaps and allow_other_folders say how the image is read. An empty cell leaves the default:

  input,method,source,target,lower
  a.mha,fastmarching,71 213 16,58 78 22; 60 80 20,700"""

_EPILOG = """A case that fails is recorded with its error and the others go on; the exit status is then 4. Run the same
line again to continue an interrupted batch: a case is computed again only if its input, its row or the version of
mitk_rs changed, or with --retry-failed. Results: NAME.mha, NAME.stl, NAME.png and NAME.json for each case, summary.csv,
summary.json, and index.html with all pictures."""


def add_parser(subparsers: Subparsers[CommandParser]) -> CommandParser:
    """Add the command to the program's."""
    parser = subparsers.add_parser(
        "batch", help="make level sets of many images", description=_DESCRIPTION, epilog=_EPILOG
    )
    parser.add_argument("input", metavar="CASES.csv", help="table of cases")
    parser.add_argument("-o", "--output", metavar="FOLDER", required=True, help="folder for the results")
    parser.add_argument("--segment", action="store_true", help="segment a vessel in each case, as mitk-rs segment does")
    jobs = "worker processes on this machine (default: one for each core that this process may use)"
    parser.add_argument("--jobs", type=integer(minimum=1), metavar="N", help=jobs)
    threads = "threads of each worker (default: cores divided by jobs; 1 with --scheduler)"
    parser.add_argument("--job-threads", type=integer(minimum=1), metavar="N", help=threads)
    scheduler = "dask scheduler whose workers compute, such as tcp://host:8786; needs mitk_rs[cluster]"
    parser.add_argument("--scheduler", metavar="ADDRESS", help=scheduler)
    parser.add_argument("--suffix", default=".mha", metavar="SUFFIX", help="ending of the level sets (default: .mha)")
    parser.add_argument(
        "--surface", default=".stl", metavar="SUFFIX", help="ending of the surfaces (default: .stl); none for none"
    )
    parser.add_argument("--no-pictures", action="store_true", help="draw no projections")
    parser.add_argument("--retry-failed", action="store_true", help="work again on cases that failed before")
    parser.add_argument("--timeout", type=number(), metavar="SECONDS", help="give up a case after this time")
    add_common(parser)
    return parser


def run(args: Namespace) -> None:
    """Run the batch; say how many cases failed."""
    from mitk_rs.cohort import batch

    console = Console("mitk-rs batch", quiet=args.quiet, as_json=args.json)
    check_inputs(args.input)
    with console.progress("cases") as progress:
        result = batch(
            args.input,
            args.output,
            jobs=args.jobs,
            threads=args.job_threads,
            scheduler=args.scheduler,
            suffix=args.suffix,
            surface=None if args.surface == "none" else args.surface,
            segment=args.segment,
            pictures=not args.no_pictures,
            retry_failed=args.retry_failed,
            overwrite=args.force,
            timeout=args.timeout,
            progress=progress,
        )
    cases, failed = len(result.records), len(result.failed)
    facts = {
        "input": args.input,
        "outputs": [{"path": str(result.output), "kind": "folder"}],
        "cases": cases,
        "failed": failed,
        "computed": result.computed,
    }
    console.note(f"{cases - failed} of {cases} cases done ({result.computed} computed now): {result.output}/index.html")
    for record in result.failed:
        console.warning(f"{record['name']}: {record['error']}")
    if failed:
        text = f"{args.input}: {failed} of {cases} cases failed: {result.output}/summary.csv has their errors"
        raise FailedError(text, ExitCode.REQUEST, facts)
    if args.json:
        console.result_json(facts)
