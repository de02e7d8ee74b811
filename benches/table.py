"""What all benchmarks share: measuring, alternating, and writing tables, a file for each machine and instruction set.

``python benches/table.py`` names the instruction sets of this machine.

A figure is only worth something next to another one taken in the same run: machines are noisy. So the candidates of a
case take turns (:func:`alternate`), and what counts is the median of each and the ratio of the medians.

A benchmark that compares packages runs each in a process of its own: the parent starts a :class:`Worker` per package
and asks it for one run at a time, the child answers in :func:`serve`. Only the call is timed, not reading the input,
and the peak of the memory that the call added is read from the kernel.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, Self, get_args

FOLDER = Path(__file__).parent / "results"
InstructionSet = Literal["avx512", "avx2", "neon", "baseline"]
SETS: tuple[InstructionSet, ...] = get_args(InstructionSet)


@dataclass(frozen=True)
class Sample:
    """One run: wall time, and bytes resident at its peak beyond those before it."""

    seconds: float
    peak: int


def measure(call: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> Sample:
    """Run ``call`` once; ``time.process_time`` as clock counts processor time."""
    gc.collect()
    reset_peak()
    before = resident("VmRSS")
    start = clock()
    result = call()
    seconds = clock() - start
    peak = resident("VmHWM") - before
    del result
    return Sample(seconds, max(peak, 0))


def reset_peak() -> None:
    """Let the kernel forget this process's memory peak so far (Linux; elsewhere peaks are not known)."""
    clear = Path("/proc/self/clear_refs")
    if clear.exists():
        clear.write_text("5")


def resident(field: str) -> int:
    """``VmRSS`` (now) or ``VmHWM`` (peak) of this process in bytes; 0 where the system does not tell."""
    status = Path("/proc/self/status")
    found = re.search(rf"{field}:\s+(\d+) kB", status.read_text()) if status.exists() else None
    return int(found[1]) * 1024 if found else 0


def alternate(runs: Mapping[str, Callable[[], Sample]], repeats: Mapping[str, int]) -> dict[str, list[Sample]]:
    """Samples of each candidate, taken in turns: one of each, then again one of each that needs more."""
    samples: dict[str, list[Sample]] = {name: [] for name in runs}
    for turn in range(max(repeats.values())):
        for name, run in runs.items():
            if turn < repeats[name]:
                samples[name].append(run())
    return samples


def median(samples: Iterable[Sample]) -> Sample:
    """Median time and median peak."""
    taken = list(samples)
    return Sample(statistics.median(s.seconds for s in taken), int(statistics.median(s.peak for s in taken)))


class Worker:
    """A process that runs ``script`` with ``arguments`` and answers requests; see :func:`serve`."""

    def __init__(self, script: str | Path, *arguments: str) -> None:
        command = [sys.executable, str(script), *arguments]
        self._name = " ".join([Path(script).name, *arguments])
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests, self._answers = self._process.stdin, self._process.stdout

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """One request, one answer. An error in the worker, or its death, is a ``RuntimeError`` here."""
        self._requests.write(json.dumps(request) + "\n")
        self._requests.flush()
        line = self._answers.readline()
        if not line:
            raise RuntimeError(f"{self._name}: the worker ended with code {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"{self._name}: {answer['error']}")
        return answer

    def run(self, request: Mapping[str, Any]) -> Sample:
        """One measured run."""
        answer = self.ask(request)
        return Sample(answer["seconds"], answer["peak"])

    def close(self) -> None:
        """End the process."""
        self._requests.close()
        self._process.wait()
        self._answers.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


def serve(
    prepare: Callable[[dict[str, Any]], Callable[[], object]], clock: Callable[[], float] = time.perf_counter
) -> None:
    """Answer requests until there are no more: ``prepare`` turns one into the call to measure."""
    answers = sys.stdout
    sys.stdout = sys.stderr
    for line in sys.stdin:
        try:
            sample = measure(prepare(json.loads(line)), clock)
            answer: dict[str, Any] = {"seconds": sample.seconds, "peak": sample.peak}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are aligned right."""
    lines = [header, [":--"] + ["--:"] * (len(header) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def format_seconds(seconds: float) -> str:
    """Three significant digits with a fitting unit."""
    unit, scale = next(((u, s) for u, s in (("s", 1.0), ("ms", 1e-3)) if seconds >= s), ("us", 1e-6))
    value = seconds / scale
    return f"{value:.{max(0, 3 - len(str(int(value))))}f} {unit}"


def format_ratio(peer: float, ours: float) -> str:
    """How many times as long the peer takes."""
    ratio = peer / ours
    return f"{ratio:.0f}x" if ratio >= 10 else f"{ratio:.2g}x"


def format_bytes(count: float) -> str:
    """In MiB."""
    return f"{count / 2**20:.0f} MiB"


def environment(packages: Iterable[str]) -> str:
    """A paragraph that says when, on what machine and with which versions figures were taken."""
    versions = ", ".join(f"{name} {_version(name)}" for name in packages)
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    cores = available_cores()
    return (
        f"Taken {now} on {_cpu()}, {cores} core{'s' * (cores != 1)} available, {platform.system()} "
        f"{platform.machine()}, Python {platform.python_version()}; {versions}. Load average over the last quarter of "
        f"an hour: {_load()} (a quiet machine shows no more than the threads of the benchmark).\n"
    )


def available_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _load() -> str:
    return f"{os.getloadavg()[2]:.1f}" if hasattr(os, "getloadavg") else "unknown"


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def instruction_sets() -> list[InstructionSet]:
    """The sets of vector instructions that kernels can use on this machine, fastest first."""
    from mitk_rs import RequestError, _core

    found: list[InstructionSet] = []
    for name in SETS:
        with contextlib.suppress(RequestError):
            _core.force_instructions(name)
            found.append(name)
    _core.force_instructions(None)
    return found


def results(instructions: str | None = None) -> Path:
    """The file for this machine and a set of instructions, its fastest by default."""
    machine = re.sub(r"\((r|tm)\)|cpu|processor|@.*", "", _cpu().lower())
    name = "-".join(re.findall(r"[a-z0-9]+", machine)) or "unknown"
    return FOLDER / f"{name}-{instructions or instruction_sets()[0]}.md"


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*:\s*(.+)", info.read_text()) if info.exists() else None
    return found[1] if found else platform.processor() or "an unknown processor"


def write_section(title: str, text: str, path: Path) -> None:
    """Replace the section ``## title`` of the file of results, or append it; other sections stay."""
    path.parent.mkdir(parents=True, exist_ok=True)
    old = path.read_text(encoding="utf-8") if path.exists() else f"# Speed: {path.stem}\n"
    section = f"## {title}\n\n{text.strip()}\n"
    pattern = re.compile(rf"^## {re.escape(title)}\n.*?(?=^## |\Z)", re.DOTALL | re.MULTILINE)
    found = pattern.search(old)
    new = pattern.sub(lambda _: section + "\n", old) if found else f"{old.rstrip()}\n\n{section}"
    path.write_text(new.rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    print(*instruction_sets())
