"""What a worker process does with one case: read, compute, write, and keep a record."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from mitk_rs import _platform
from mitk_rs.cohort.cases import READING, Case
from mitk_rs.errors import Exception as MitkError
from mitk_rs.errors import RequestError, brief

if TYPE_CHECKING:
    from mitk_rs.image import Image
    from mitk_rs.io import ReadOptions
    from mitk_rs.levelset import LevelSetResult
    from mitk_rs.segmentation import VesselSegmentation

__all__ = ["Plan", "Record", "Stop", "as_json", "begin_worker", "failed", "read_record", "run_case"]

Record = dict[str, Any]
"""What is known of a case: ``name``, ``input``, ``status`` (``"done"`` or ``"failed"``), ``key``, ``error``, ``files``
with their sizes, ``report``, ``seconds``; ``computed`` is false where it was read from an earlier run."""

# Data files of these headers have the same stem.
_HEADERS = (".mhd", ".nhdr", ".hdr", ".img")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is the same for all cases of a batch."""

    output: str
    suffix: str
    surface: str | None
    segment: bool
    pictures: bool
    threads: int
    timeout: float | None
    retry_failed: bool
    overwrite: bool
    stop: str | None = None
    """A file whose presence asks all workers to stop."""

    def path(self, name: str, suffix: str) -> Path:
        """A file of a case."""
        return Path(self.output) / f"{name}{suffix}"

    def targets(self, name: str) -> dict[str, Path]:
        """The files that a case writes, by what they hold."""
        endings = {"level_set": self.suffix, "surface": self.surface, "picture": ".png" if self.pictures else None}
        return {kind: self.path(name, ending) for kind, ending in endings.items() if ending}


class Stop:
    """Set once the file of a plan exists. It is looked at ten times a second at most."""

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._next, self._found = 0.0, False

    def is_set(self) -> bool:
        """Whether the work should end."""
        if self._path is not None and not self._found and time.monotonic() >= self._next:
            self._next = time.monotonic() + 0.1
            self._found = Path(self._path).exists()
        return self._found


def run_case(case: Case, plan: Plan) -> Record:
    """Compute a case, or find that an earlier run did; errors become part of the record."""
    start = time.perf_counter()
    if case.error:
        return {**failed(case, case.error), "computed": False}
    key = ""
    try:
        key = _key(case, plan)
        earlier = read_record(plan.path(case.name, ".json"))
        if earlier is not None and _still_holds(earlier, key, plan):
            return {**earlier, "name": case.name, "input": case.input, "computed": False}
        foreign = [path for path in plan.targets(case.name).values() if path.exists()]
        if foreign and earlier is None and not plan.overwrite:
            return failed(case, f"cannot write {foreign[0]}: it exists and no batch wrote it; --force replaces it")
        # Files that a killed worker leaves are known to be ours.
        _write_record(plan.path(case.name, ".json"), _record(case, "started", key=key))
        report = _compute(case, plan)
    except (MitkError, MemoryError, OSError, TypeError, ValueError) as error:
        if Stop(plan.stop).is_set():
            return _record(case, "stopped", error="stopped")
        record = failed(case, " ".join(str(error).split()) or type(error).__name__, key=key)
    else:
        files = {kind: [path.name, path.stat().st_size] for kind, path in plan.targets(case.name).items()}
        record = _record(case, "done", key=key, files=files, report=report)
    record["seconds"] = round(time.perf_counter() - start, 6)
    _write_record(plan.path(case.name, ".json"), record)
    return record


def failed(case: Case, error: str, *, key: str = "") -> Record:
    """The record of a case that gave no result."""
    return _record(case, "failed", key=key, error=error)


def _record(case: Case, status: str, **known: Any) -> Record:
    empty: Record = {"key": "", "error": None, "files": {}, "report": None, "seconds": 0.0, "computed": True}
    return {"name": case.name, "input": case.input, "status": status, **empty, **known}


def _key(case: Case, plan: Plan) -> str:
    """Hash of everything that the result depends on: the bytes of the input, the arguments, the version, the files."""
    from mitk_rs._core import version

    digest = hashlib.sha256()
    settings = [version(), case.arguments, plan.suffix, plan.surface, plan.segment, plan.pictures]
    digest.update(json.dumps(settings, sort_keys=True).encode())
    for path in [*_input_files(Path(case.input)), *_seed_files(case)]:
        digest.update(f"\0{path.name}\0".encode("utf-8", "surrogateescape"))
        with path.open("rb") as file:
            hashlib.file_digest(file, lambda: digest)
    return digest.hexdigest()


def _input_files(source: Path) -> Iterable[Path]:
    """The files of an image. What cannot be read is left to the reader, which says so."""
    if source.is_dir():
        return sorted(path for path in source.iterdir() if path.is_file())
    if source.suffix.lower() in _HEADERS:
        return sorted(path for path in source.parent.glob(f"{source.stem}.*") if path.is_file())
    return [source] if source.is_file() else []


def _seed_files(case: Case) -> list[Path]:
    """Files of points that the case names. The name may end with a label."""
    words = [case.arguments.get(name) for name in ("sources", "targets")]
    files = [Path(part) for word in words if isinstance(word, str) for part in (word, word.rpartition(":")[0])]
    return [path for path in files if path.is_file()]


def _still_holds(record: Record, key: str, plan: Plan) -> bool:
    """Whether an earlier run did this case, with the same key, and its files are all there."""
    if record["key"] != key or record["status"] == "started" or (record["status"] == "failed" and plan.retry_failed):
        return False
    files = ((Path(plan.output) / name, size) for name, size in record["files"].values())
    return all(path.is_file() and path.stat().st_size == size for path, size in files)


def read_record(path: Path) -> Record | None:
    """The record in a file, or ``None`` where there is none that can be used."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    known = isinstance(record, dict) and isinstance(record.get("files"), dict)
    return record if known and {"key", "status", "name"} <= record.keys() else None


def _write_record(path: Path, record: Record) -> None:
    from mitk_rs.io.atomic import atomic_output

    with atomic_output(path) as temporary:
        temporary.write_text(json.dumps(as_json(record), indent=1, allow_nan=False), encoding="utf-8")


def as_json(value: Any) -> Any:
    """``value`` of JSON's own types; numbers that JSON does not have become text."""
    if isinstance(value, dict):
        return {str(key): as_json(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(entry) for entry in value]
    if hasattr(value, "tolist"):
        return as_json(value.tolist())
    if isinstance(value, float) and value - value != 0:
        return str(value)
    return value


def _compute(case: Case, plan: Plan) -> dict[str, Any]:
    from mitk_rs.io import read_image
    from mitk_rs.io.formats import series_warnings
    from mitk_rs.levelset import initialize_level_set

    run: dict[str, Any] = {"threads": plan.threads, "timeout": plan.timeout, "cancel": Stop(plan.stop)}
    arguments = dict(case.arguments)
    reading = cast("ReadOptions", {name: arguments.pop(name) for name in READING if name in arguments})
    told: list[str] = []
    with series_warnings(told.append):
        image = read_image(case.input, **reading)
    kind = arguments.pop("points", "index")
    for name in ("sources", "targets"):
        if name in arguments:
            arguments[name] = _voxels(arguments[name], kind, name.removesuffix("s"), image, arguments.get("time_step"))
    if plan.segment:
        report = _segment(case, plan, image, arguments, run)
    else:
        result = initialize_level_set(image, **arguments, **run)
        _write(result, image, arguments, plan.targets(case.name))
        report = asdict(result.report)
    return {**report, "warnings": [*told, *report.get("warnings", [])]}


def _segment(case: Case, plan: Plan, image: Image, arguments: dict[str, Any], run: dict[str, Any]) -> dict[str, Any]:
    from mitk_rs.segmentation import segment_vessel

    missing = [name for name in ("sources", "targets", "lower") if name not in arguments]
    if missing:
        raise RequestError(f"{missing[0].removesuffix('s')} is missing: a vessel needs source, target and lower")
    found = segment_vessel(image, **arguments, **run)
    _write(found, image, arguments, plan.targets(case.name))
    report = found.report.as_dict()
    facts = {name: report["evolution"][name] for name in ("inside", "volume_ml", "components")}
    return {"method": found.report.initialization.method, **facts, **report}


def _voxels(points: Any, kind: str, role: str, image: Image, time_step: int | None) -> list[tuple[int, int, int]]:
    """Voxel indices of points or of a file of points."""
    from mitk_rs.seeds import Seed, Seeds, read_seeds

    if isinstance(points, str):
        return read_seeds(points).indices(image, role=role, time_step=time_step)
    if kind not in ("index", "physical", "ras"):
        raise RequestError(f"points is {brief(kind)}: it must be one of 'index', 'physical', 'ras'")
    if kind == "index" and not all(float(value).is_integer() for point in points for value in point):
        raise RequestError(f"{role} expects whole numbers, got {points}; points physical takes mm")
    if kind == "ras":
        points = [(-x, -y, z) for x, y, z in points]
    seeds = Seeds([Seed(tuple(point)) for point in points], "index" if kind == "index" else "LPS")
    return seeds.indices(image, role=role, time_step=time_step)


def _write(
    result: LevelSetResult | VesselSegmentation, image: Image, arguments: dict[str, Any], targets: dict[str, Path]
) -> None:
    """Write all files of the case or none."""
    from mitk_rs.io import write_image
    from mitk_rs.io.atomic import atomic_outputs
    from mitk_rs.projection import montage, write_picture
    from mitk_rs.surface import write_surface

    surface = result.surface() if "surface" in targets else None
    if surface is not None and surface.GetNumberOfPoints() == 0:
        raise RequestError("the level set has no zero crossing: there is no surface to write")
    with atomic_outputs():
        write_image(result.level_set, str(targets["level_set"]))
        if surface is not None:
            write_surface(surface, str(targets["surface"]))
        if "picture" in targets:
            seeds = [*arguments.get("sources", ()), *arguments.get("targets", ())]
            sheet = montage(image, time_step=arguments.get("time_step"), overlay=result.level_set, seeds=seeds)
            write_picture(sheet, str(targets["picture"]))


def begin_worker(threads: int) -> None:
    """Prepare a worker process of this machine: the parent alone handles Ctrl-C, and its end is the worker's."""
    import signal
    import threading

    from mitk_rs._core import set_num_threads

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    set_num_threads(threads)
    threading.Thread(target=_watch, daemon=True).start()


def _watch() -> None:
    _platform.wait_for_end_of_parent()
    sys.stderr.flush()
    os._exit(1)
