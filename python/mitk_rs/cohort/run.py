"""Run the cases of a batch, here or on a cluster, gather their records, and write the summaries."""

from __future__ import annotations

import csv
import json
import os
import tempfile
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass, replace
from html import escape
from multiprocessing import get_context
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Unpack
from urllib.parse import quote

from mitk_rs._sources import shows_progress
from mitk_rs._validation import RunOptions, check_names, flag, positive, run_options, whole_number
from mitk_rs.cohort.cases import Case, Rows, read_cases
from mitk_rs.cohort.worker import Plan, Record, as_json, begin_worker, failed, run_case
from mitk_rs.errors import Cancelled, FileWriteError, RequestError, UsageError, brief, reason

__all__ = ["BatchResult", "batch"]

# How often a case may end its worker process before it is recorded as failed.
_ATTEMPTS = 2
# How often a cancel is looked at.
_POLL_SECONDS = 0.2

_FACTS = ("method", "inside", "volume_ml", "components", "level_time")
_COLUMNS = ("name", "status", "input", *_FACTS, "warnings", "error", "seconds")

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 15px/1.4 system-ui, sans-serif; margin: 1.5rem; color: #222; background: #fafafa }}
main {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(min(22rem, 100%), 1fr)); gap: 1rem }}
article {{ background: #fff; border: 1px solid #ddd; border-radius: 6px; padding: .75rem; overflow-wrap: anywhere }}
article.failed {{ border-color: #b00020 }}
article img {{ width: 100%; background: #000 }}
h2 {{ font-size: 1rem; margin: 0 0 .5rem }}
.error {{ color: #b00020 }}
.warning {{ color: #7a5200 }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{counts}. Numbers: <a href="summary.csv">summary.csv</a>, <a href="summary.json">summary.json</a>.</p>
<main>
{cases}
</main>
</body>
</html>
"""


@dataclass(frozen=True, kw_only=True, repr=False)
class BatchResult:
    """What :func:`batch` returns."""

    __module__ = "mitk_rs"
    output: Path
    """The folder of the results."""

    records: list[dict[str, Any]]
    """One for each case, in the order of the table: ``name``, ``input``, ``status`` (``"done"`` or ``"failed"``),
    ``error``, ``files``, ``report`` (that of the level set), ``seconds``, and ``computed``, false where an earlier run
    had done it."""

    @property
    def failed(self) -> list[dict[str, Any]]:
        """The records of cases without a result."""
        return [record for record in self.records if record["status"] != "done"]

    @property
    def computed(self) -> int:
        """How many cases this run worked on."""
        return sum(record["computed"] for record in self.records)

    def __repr__(self) -> str:
        cases, failed = len(self.records), len(self.failed)
        return f"BatchResult({cases - failed} of {cases} cases done, {failed} failed, {self.computed} computed now)"


@shows_progress
def batch(
    cases: Rows,
    output: str | PathLike[str],
    *,
    jobs: int | None = None,
    scheduler: str | None = None,
    suffix: str = ".mha",
    surface: str | None = ".stl",
    segment: bool = False,
    pictures: bool = True,
    retry_failed: bool = False,
    overwrite: bool = False,
    **run: Unpack[RunOptions],
) -> BatchResult:
    """Make level sets, or segment vessels, of many images, one for each row of a table.

    Parameters
    ----------
    cases
        A ``.csv`` file or mappings, as for :func:`mitk_rs.cohort.read_cases`: ``input``, ``name`` and the arguments of
        :func:`mitk_rs.initialize_level_set`, or with ``segment`` those of :func:`mitk_rs.segment_vessel`.
    output
        Folder for the results; made if it does not exist. Case ``a`` writes ``a.mha``, ``a.stl``, ``a.png`` and its
        record ``a.json``; the batch writes ``summary.csv``, ``summary.json`` and the contact sheet ``index.html``.
    jobs
        Worker processes on this machine (default: as many as the thread budget allows, at most one for each case).
        Not used with a scheduler.
    threads
        Threads of each worker (default: the thread budget divided by ``jobs``; 1 with a scheduler).
    scheduler
        Address of a ``dask.distributed`` scheduler, ``tcp://host:8786``. Its workers need this package and the same
        folders under the same names. Needs ``pip install mitk_rs[cluster]``.
    suffix, surface
        Endings of the level sets and of the surfaces; ``surface=None`` writes no surfaces.
    segment
        Segment a vessel in each case, with :func:`mitk_rs.segment_vessel`, rather than make a level set.
    pictures
        Whether to draw the three projections with the outline and the seeds.
    retry_failed
        Work again on cases that an earlier run recorded as failed. Cases whose input, arguments or version of this
        package changed are always computed again.
    overwrite
        Replace files of these names that no batch wrote.
    timeout
        Seconds after which the computation of one case is given up and recorded as failed.
    progress
        Called with the fraction of the cases that are finished; ``True`` shows a bar with the time left.
    cancel
        An object with ``is_set()``; true stops with :class:`~mitk_rs.errors.Cancelled`. Finished cases stay.

    Returns
    -------
    BatchResult
        ``records``, ``failed``, ``computed`` and ``output``.

    Raises
    ------
    FileError, UsageError, RequestError
        The table cannot be read, or two cases have the same name. What is wrong with a single case is in its record.
    FileWriteError
        The folder cannot be made or written to.

    See Also
    --------
    mitk_rs.initialize_level_set, mitk_rs.segment_vessel : one case.

    Examples
    --------
    >>> import tempfile, mitk_rs as mitk
    >>> folder = tempfile.mkdtemp()
    >>> tree = mitk.datasets.vessel_tree(size=(64, 64, 48), spacing=(2, 2, 2.6))
    >>> tree.image.save(f"{folder}/a.mha")
    >>> cases = [{"input": f"{folder}/a.mha", "method": "threshold", "lower": 200}]
    >>> result = mitk.batch(cases, f"{folder}/out", jobs=1)
    >>> [record["status"] for record in result.records]
    ['done']
    """
    from mitk_rs.io.formats import BY_SUFFIX, VOLUME_SUFFIXES
    from mitk_rs.surface import SURFACE_SUFFIXES

    check_names("batch", run, RunOptions)
    how = run_options(run)
    found = read_cases(cases, segment=flag(segment, "segment"))
    images = [one for one in VOLUME_SUFFIXES if not BY_SUFFIX[one].detached]
    surfaces = [one for one in SURFACE_SUFFIXES if one not in VOLUME_SUFFIXES]
    jobs, threads = _workers(jobs, how.get("threads"), scheduler, len(found))
    plan = Plan(
        output=_folder(output),
        suffix=_ending(suffix, "suffix", images),
        surface=None if surface is None else _ending(surface, "surface", surfaces),
        segment=bool(segment),
        pictures=bool(pictures),
        threads=threads,
        timeout=positive(how.get("timeout"), "timeout"),
        retry_failed=bool(retry_failed),
        overwrite=bool(overwrite),
    )
    with tempfile.TemporaryDirectory(prefix="mitk_rs_") as folder:
        plan = replace(plan, stop=str(Path(plan.output) / ".stop") if scheduler else str(Path(folder) / "stop"))
        work = _on_cluster(found, plan, scheduler) if scheduler else _here(found, plan, jobs)
        records = _gather(work, found, how.get("progress"), how.get("cancel"))
    _write_summaries(Path(plan.output), records)
    return BatchResult(output=Path(plan.output), records=records)


def _workers(jobs: int | None, threads: int | None, scheduler: str | None, cases: int) -> tuple[int, int]:
    from mitk_rs._core import get_num_threads

    for value, name in ((jobs, "jobs"), (threads, "threads")):
        if value is not None and not 1 <= whole_number(value, name) <= 4096:
            raise RequestError(f"{name} is {value}: it must be 1..4096")
    if scheduler is not None and not isinstance(scheduler, str):
        raise TypeError(f"batch: scheduler must be an address, got {type(scheduler).__name__}")
    budget = get_num_threads()
    jobs = min(jobs or budget, cases)
    return jobs, threads or (1 if scheduler else max(1, budget // jobs))


def _folder(output: str | PathLike[str]) -> str:
    path = Path(fspath(output)).absolute()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileWriteError(f"cannot write to {path}: {reason(error)}") from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise FileWriteError(f"cannot write to {path}: no permission to write in this folder")
    return str(path)


def _ending(suffix: str, name: str, allowed: list[str]) -> str:
    if suffix not in allowed:
        raise RequestError(f"{name} is {brief(suffix)}: it must be one of {', '.join(allowed)}")
    return suffix


def _gather(
    run: Generator[Record], cases: list[Case], progress: Callable[[float], object] | None, cancel: Any
) -> list[Record]:
    """All records in the order of the cases. Whatever ends the run early closes it, which ends its workers."""
    records: dict[str, Record] = {}
    with closing(run):
        for record in run:
            if record:
                records[record["name"]] = record
            if cancel is not None and cancel.is_set():
                raise Cancelled("the batch was cancelled; finished cases are kept")
            if progress is not None:
                progress(len(records) / len(cases))
    return [records[case.name] for case in cases]


def _here(cases: list[Case], plan: Plan, jobs: int) -> Generator[Record]:
    """Records as worker processes of this machine give them; an empty one now and then while they work."""
    together, alone = deque(cases), deque[Case]()
    ended: dict[str, int] = {}
    while together or alone:
        # Cases at work when a process died run alone from then on: it shows which one ends its process.
        queue, workers = (together, jobs) if together else (alone, 1)
        suspects: list[Case] = []
        yield from _pool(queue, plan, workers, suspects)
        for case in suspects:
            ended[case.name] = ended.get(case.name, 0) + 1
            if ended[case.name] > _ATTEMPTS:
                yield failed(case, f"its worker process was ended {ended[case.name]} times")
            else:
                alone.append(case)


def _pool(queue: deque[Case], plan: Plan, workers: int, suspects: list[Case]) -> Generator[Record]:
    """Work on a queue until it is empty or a process dies; then `suspects` are the cases that were at work."""
    running: dict[Any, Case] = {}
    pool = ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=begin_worker, initargs=(plan.threads,)
    )
    try:
        while queue or running:
            while queue and len(running) < workers:
                case = queue.popleft()
                running[pool.submit(run_case, case, plan)] = case
            done, _ = wait(running, timeout=_POLL_SECONDS, return_when=FIRST_COMPLETED)
            if not done:
                yield {}
            for future in done:
                yield future.result()
                del running[future]
    except BrokenProcessPool:
        suspects.extend(running.values())
    except BaseException:
        Path(plan.stop or "").touch()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _on_cluster(cases: list[Case], plan: Plan, scheduler: str) -> Generator[Record]:
    """Records as the workers of a dask scheduler give them. The cases of a worker that dies run on another."""
    try:
        from distributed import Client, as_completed
    except ImportError:
        raise UsageError("a scheduler needs dask: pip install mitk_rs[cluster]") from None
    Path(plan.stop or "").unlink(missing_ok=True)
    try:
        client = Client(scheduler, timeout="10s", set_as_default=False)
    except (OSError, ValueError) as error:
        raise RequestError(f"no scheduler answers at {scheduler}: {' '.join(str(error).split())}") from error
    with client:
        futures = {client.submit(run_case, case, plan, pure=False, key=f"mitk_rs-{case.name}"): case for case in cases}
        try:
            for future in as_completed(futures, loop=client.loop):
                yield _result(future, futures[future])
        except BaseException:
            Path(plan.stop or "").touch()
            client.cancel(list(futures))
            raise


def _result(future: Any, case: Case) -> Record:
    from distributed.scheduler import KilledWorker

    try:
        record: Record = future.result()
    except KilledWorker:
        return failed(case, "its worker process was ended several times")
    except ModuleNotFoundError as error:
        raise RequestError(f"the workers of the scheduler lack a package: {error}") from error
    return record


# Summaries


def _write_summaries(folder: Path, records: list[dict[str, Any]]) -> None:
    """Write ``summary.csv``, ``summary.json`` and ``index.html``, all or none."""
    from mitk_rs.io.atomic import atomic_output, atomic_outputs

    with atomic_outputs():
        with atomic_output(folder / "summary.csv") as path, path.open("w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, _COLUMNS)
            table.writeheader()
            table.writerows(map(_row, records))
        with atomic_output(folder / "summary.json") as path:
            path.write_text(json.dumps(as_json(records), indent=1, allow_nan=False), encoding="utf-8")
        with atomic_output(folder / "index.html") as path:
            path.write_text(_page(records, folder.name), encoding="utf-8")


def _row(record: dict[str, Any]) -> dict[str, Any]:
    report = record["report"] or {}
    known = {**record, **{name: report.get(name) for name in _FACTS}, "warnings": "; ".join(report.get("warnings", ()))}
    return {name: _cell(known[name]) for name in _COLUMNS}


def _cell(value: Any) -> Any:
    # A cell that begins like a formula would be run by spreadsheets.
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value


def _page(records: list[dict[str, Any]], title: str) -> str:
    done = sum(record["status"] == "done" for record in records)
    counts = f"{len(records)} cases: {done} done, {len(records) - done} failed"
    return _PAGE.format(title=escape(title), counts=counts, cases="\n".join(_articles(records)))


def _articles(records: Iterable[dict[str, Any]]) -> Iterable[str]:
    for record in records:
        lines = [f'<article class="{record["status"]}">', f"<h2>{escape(record['name'])}</h2>"]
        picture = record["files"].get("picture")
        if picture:
            lines.append(
                f'<img loading="lazy" src="{quote(picture[0])}" alt="projections of {escape(record["name"])}">'
            )
        report = record["report"]
        if report:
            pieces = "1 piece" if report["components"] == 1 else f"{report['components']} pieces"
            lines.append(
                f"<p>{report['method']}: {report['volume_ml']:.4g} ml in {pieces}, {record['seconds']:.2f} s</p>"
            )
            lines += [f'<p class="warning">{escape(text)}</p>' for text in report["warnings"]]
        if record["error"]:
            lines.append(f'<p class="error">{escape(record["error"])}</p>')
        yield "\n".join([*lines, "</article>"])
