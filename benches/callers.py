"""Calls at the same time against the same calls one after the other: ``python benches/callers.py --help``.

All calls run in this process. One after the other each has all cores; at the same time the cores are shared, so the
total must be about the same. Writes the section "Concurrent callers" of ``benches/results/``.
"""

from __future__ import annotations

import argparse
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import mitk_rs as mitk
import table
from cases import all_cases

CALLERS = (1, 4, 16)
HEADER = ("case", "callers", "one after the other", "at the same time", "ratio", "workers", "promised")
NOTE = """Total time of as many calls as there are callers, medians of runs that take turns. The ratio is the time of
calls at the same time over that of the same calls one after the other, each on all cores. Workers are the threads of
ours that exist in the end, never more than the budget. `make bench` or `python benches/callers.py` writes this section.
"""


def job(name: str, edge: int) -> tuple[str, Callable[[], object]]:
    """What every caller computes."""
    case = all_cases(edge, edge)[name]
    problem = case.make()
    if not problem.goals:
        return case.title, partial(mitk.fast_marching, problem.speed, seeds=problem.seeds, spacing=problem.spacing)
    ends = {"seeds1": problem.seeds, "seeds2": problem.goals, "spacing": problem.spacing}
    return case.title, partial(mitk.colliding_fronts, problem.speed, **ends)


def at_once(call: Callable[[], object], callers: int) -> float:
    """Seconds that the calls of so many threads take."""
    start = threading.Barrier(callers + 1)

    def caller() -> None:
        start.wait()
        call()

    with ThreadPoolExecutor(callers) as pool:
        waiting = [pool.submit(caller) for _ in range(callers)]
        start.wait()
        return table.measure(lambda: [done.result() for done in waiting]).seconds


def in_sequence(call: Callable[[], object], callers: int) -> float:
    """Seconds that as many calls take one after the other."""
    return table.measure(lambda: [call() for _ in range(callers)]).seconds


def workers() -> int:
    """Threads of ours that exist; 0 where the system does not tell."""
    found = 0
    for name in Path("/proc/self/task").glob("*/comm"):
        # A thread may end between being listed and being looked at.
        with contextlib.suppress(OSError):
            found += name.read_text().startswith("mitk_rs-")
    return found


def rows(names: list[str], edge: int, repeats: int) -> list[list[str]]:
    """A row for each case and number of callers."""
    found = []
    for name in names:
        title, call = job(name, edge)
        call()
        for callers in CALLERS:
            runs = {
                "in sequence": lambda call=call, n=callers: table.Sample(in_sequence(call, n), 0),
                "at once": lambda call=call, n=callers: table.Sample(at_once(call, n), 0),
            }
            samples = table.alternate(runs, dict.fromkeys(runs, repeats))
            one, other = (table.median(samples[way]).seconds for way in runs)
            times = [table.format_seconds(one), table.format_seconds(other), f"{other / one:.2f}"]
            found.append([title, str(callers), *times, str(workers()), "at most 1.1"])
            print(" | ".join(found[-1]), flush=True)
    return found


def main() -> None:
    """Measure and write the section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="three runs")
    parser.add_argument("--size", type=int, default=96, help="edge of the volumes (default 96)")
    parser.add_argument("--output", type=Path, help="default benches/results/MACHINE-INSTRUCTIONS.md")
    options = parser.parse_args()
    names = [name for name in ("aorta", "tube", "smooth") if name in all_cases(1, 1)]
    found = rows(names, options.size, 3 if options.quick else 7)
    text = "\n".join([table.environment(("mitk_rs", "numpy")), NOTE, table.markdown(HEADER, found)])
    table.write_section("Concurrent callers", text, options.output or table.results())


if __name__ == "__main__":
    main()
