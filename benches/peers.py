"""Marches of mitk_rs and of other packages, taking turns in one run: ``python benches/peers.py --help``.

Every package runs in a process of its own and is asked for one run at a time, so that all of them meet the same moods
of the machine. Writes the section "Fronts" of each file in ``benches/results/``, one for every set of vector
instructions that the machine has, and the plots ``docs/images/time_*.png``.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from cases import Case, Problem, all_cases, dense, whole_collision
from table import (
    Sample,
    Worker,
    alternate,
    available_cores,
    environment,
    format_bytes,
    format_ratio,
    format_seconds,
    instruction_sets,
    markdown,
    median,
    results,
    write_section,
)

PACKAGES = Path(__file__).with_name("packages.py")
IMAGES = Path(__file__).parents[1] / "docs" / "images"
PEERS = ("itk", "SimpleITK", "scikit-fmm", "eikonalfm")
VERSIONS = ("mitk_rs", "itk", "SimpleITK", "scikit-fmm", "eikonalfm", "numpy")


def main() -> None:
    """Run what the command line asks for."""
    options = parse()
    cases = all_cases(options.size, options.large)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fronts-")))
        bench = Bench(folder, options, stack)
        rows: dict[str, list[list[str]]] = {name: [] for name in options.instructions}
        for case in (case for name, case in cases.items() if wanted(name, case, options)):
            for name, found in bench.rows(case).items():
                rows[name] += found
        texts = {n: "\n".join([environment(VERSIONS), EXPLANATION, markdown(HEADER, r)]) for n, r in rows.items()}
        if options.plots:
            sizes, threads = bench.against_size(), bench.against_threads()
            plot_sizes(sizes, IMAGES / "time_against_size.png")
            plot_threads(threads, IMAGES / "time_against_threads.png")
            texts[options.instructions[0]] += PLOTS + per_voxel(sizes)
    for name, text in texts.items():
        if options.write:
            write_section("Fronts", text, options.output or results(name))
        print(f"{name}\n\n{text}")


def parse() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="ten minutes: peers run once, no long cases, no plots")
    parser.add_argument("--size", type=int, default=256, help="edge of the volumes (default 256)")
    parser.add_argument("--large", type=int, default=400, help="edge of the large volumes (default 400)")
    parser.add_argument("--cases", nargs="+", metavar="NAME", help=f"only these of {', '.join(all_cases(1, 1))}")
    parser.add_argument("--peers", nargs="*", choices=PEERS, metavar="NAME", help=f"only these of {', '.join(PEERS)}")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each, of which the median counts (default 3)")
    parser.add_argument("--threads", type=int, nargs="+", default=sorted({1, available_cores()}), help="ours runs with")
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 96, 128, 192, 256], help="edges in the plot")
    parser.add_argument("--no-plots", dest="plots", action="store_false", help="write no plots")
    parser.add_argument("--no-write", dest="write", action="store_false", help="print only")
    sets = instruction_sets()
    parser.add_argument("--instructions", nargs="+", choices=sets, default=sets, help="sets of vector instructions")
    parser.add_argument("--output", type=Path, help="file of results (default benches/results/MACHINE-INSTRUCTIONS.md)")
    options = parser.parse_args()
    if options.quick:
        options.plots = False
    return options


def wanted(name: str, case: Case, options: argparse.Namespace) -> bool:
    """Whether the command line asks for a case."""
    return name in options.cases if options.cases else not (options.quick and case.long)


class Bench:
    """Processes of the packages, kept for the whole run, and what to measure with them."""

    def __init__(self, folder: Path, options: argparse.Namespace, stack: contextlib.ExitStack) -> None:
        self._folder = folder
        self._options = options
        self._stack = stack
        self._workers: dict[str, Worker] = {}
        self._best = options.instructions[:1]

    def _worker(self, *arguments: str) -> Worker:
        name = " ".join(arguments)
        if name not in self._workers:
            self._workers[name] = self._stack.enter_context(Worker(PACKAGES, *arguments))
            self._workers[name].run(dense("constant", 16)().request(self._folder, "warm-up"))
        return self._workers[name]

    def _take_turns(
        self, problem: Problem, threads: Sequence[int], peers: Mapping[str, int], sets: Sequence[str], times: int = 1
    ) -> dict[str, Sample]:
        """Medians of ours at each number of threads and set of instructions, and of each peer with its repeats.

        Ours runs ``times`` as often as the command line asks for.
        """
        request = problem.request(self._folder, "problem")
        workers = {ours(n, name): self._worker("ours", str(n), name) for name in sets for n in threads}
        turns = dict.fromkeys(workers, times * self._options.repeats) | dict(peers)
        workers |= {peer: self._worker(peer) for peer in peers}
        samples = alternate({name: partial(worker.run, request) for name, worker in workers.items()}, turns)
        return {name: median(taken) for name, taken in samples.items()}

    def _peers(self, case: Case) -> list[str]:
        chosen = self._options.peers
        return [peer for peer in case.peers if chosen is None or peer in chosen or peer not in PEERS]

    def rows(self, case: Case) -> dict[str, list[list[str]]]:
        """For each set of instructions a row for each peer."""
        print(case.title, file=sys.stderr, flush=True)
        options = self._options
        peers = dict.fromkeys(self._peers(case), 1 if options.quick else min(case.peer_repeats, options.repeats))
        found = self._take_turns(case.make(), options.threads, peers, options.instructions, case.own_repeats)
        return {name: self._rows_of(case, name, peers, found) for name in options.instructions}

    def _rows_of(self, case: Case, name: str, peers: Mapping[str, int], found: Mapping[str, Sample]) -> list[list[str]]:
        own = [found[ours(count, name)] for count in self._options.threads]
        times = " / ".join(format_seconds(sample.seconds) for sample in own)
        rows = []
        for peer, repeats in peers.items():
            ratios = " / ".join(format_ratio(found[peer].seconds, sample.seconds) for sample in own)
            theirs = format_seconds(found[peer].seconds) + " (one run)" * (repeats == 1)
            memory = [format_bytes(sample.peak) for sample in (own[-1], found[peer])]
            rows.append([case.title, times, memory[0], peer, theirs, memory[1], ratios])
            print("    " + " | ".join([name, *rows[-1][1:]]), file=sys.stderr, flush=True)
        return rows

    def against_size(self) -> dict[str, dict[int, float]]:
        """Seconds by package and edge length, smooth speed; peers up to ``--size``, ours also at ``--large``."""
        peers = [peer for peer in PEERS if self._options.peers is None or peer in self._options.peers]
        series: dict[str, dict[int, float]] = {}
        for n in [*self._options.sizes, self._options.large]:
            print(f"plot: {n}³", file=sys.stderr, flush=True)
            repeats = dict.fromkeys(peers if n <= self._options.size else [], self._options.repeats if n <= 128 else 1)
            found = self._take_turns(dense("smooth", n)(), self._options.threads, repeats, self._best)
            for name, sample in found.items():
                series.setdefault(name, {})[n] = sample.seconds
        return series

    def against_threads(self) -> dict[str, dict[int, float]]:
        """Seconds by case and number of threads, up to twice as many as there are cores."""
        n, counts = self._options.size, [*range(1, available_cores() + 1), 2 * available_cores()]
        problems = {f"march {n}³": dense("smooth", n)(), f"colliding fronts {n}³": whole_collision(n)}
        series: dict[str, dict[int, float]] = {}
        for name, problem in problems.items():
            found = self._take_turns(problem, counts, {}, self._best)
            series[name] = {count: found[ours(count, self._best[0])].seconds for count in counts}
        return series


def ours(threads: int, instructions: str) -> str:
    """What a line of ours is called."""
    return f"mitk_rs, {threads} thread{'s' * (threads > 1)}, {instructions}"


HEADER = ("case, float32", "mitk_rs", "its memory", "peer", "its time", "its memory", "ratio")
EXPLANATION = """Wall time of the call alone, input in memory, packages loaded; medians of runs that took turns, each
package in its own process. Of mitk_rs, one thread / all threads. Memory is what the call added at its peak, on top of
its input. The ratio is the peer's time over ours. `numpy.full` writes an array of the result's size and does no more.
"""
PLOTS = """
![Seconds against volume size](../../docs/images/time_against_size.png)
![Seconds against threads](../../docs/images/time_against_threads.png)
"""


def per_voxel(series: Mapping[str, Mapping[int, float]]) -> str:
    """Table of nanoseconds per voxel by edge length."""
    sizes = sorted({n for times in series.values() for n in times})
    rows = [[name, *(nanoseconds(times, n) for n in sizes)] for name, times in series.items()]
    return "\nNanoseconds per voxel, smooth speed:\n\n" + markdown(["edge", *(f"{n}³" for n in sizes)], rows)


def nanoseconds(times: Mapping[int, float], n: int) -> str:
    """Per voxel, at an edge length; nothing where it was not run."""
    return f"{times[n] / n**3 * 1e9:.0f}" if n in times else ""


def plot_sizes(series: Mapping[str, Mapping[int, float]], path: Path) -> None:
    """Time against volume size."""
    from matplotlib.ticker import NullLocator

    figure, axes = new_figure("One march, smooth speed, one seed", "edge of the volume in voxels")
    for name, times in series.items():
        axes.loglog(list(times), list(times.values()), "o-" if name.startswith("mitk_rs") else "s--", label=name)
    sizes = sorted({n for times in series.values() for n in times})
    axes.set_xticks(sizes, labels=[f"{n}³" for n in sizes])
    axes.xaxis.set_minor_locator(NullLocator())
    finish(figure, axes, path)


def plot_threads(series: Mapping[str, Mapping[int, float]], path: Path) -> None:
    """Time against threads."""
    figure, axes = new_figure("mitk_rs, smooth speed", f"threads (on {available_cores()} cores)")
    for name, times in series.items():
        axes.plot(list(times), list(times.values()), "o-", label=name)
    axes.set_ylim(0, None)
    axes.set_xticks(list(next(iter(series.values()))))
    finish(figure, axes, path)


def new_figure(title: str, xlabel: str) -> tuple[Any, Any]:
    """An empty plot of seconds."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.5), layout="constrained")
    axes.set(title=title, xlabel=xlabel, ylabel="seconds")
    return figure, axes


def finish(figure: Any, axes: Any, path: Path) -> None:
    """Grid, legend, file."""
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
