"""Level-set evolution and feature images beside ITK's: time of an iteration, of the set-up, of the whole, and memory.

``python benches/evolution.py --help``. Writes a section of ``benches/results/``. Each package runs in a process of its
own and they take turns. ITK evolves on one thread whatever it is given; its feature filters have as many as we.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import cases
import table

PACKAGES = ("mitk_rs", "numpy", "itk")
ITERATIONS = 40
HEADER = ("case", "mitk_rs, 1 thread", "mitk_rs, 2 threads", "itk", "ratios")
NOTE = f"""The best of several runs that take turns. Ratios: how many times as long ITK takes as mitk_rs with one thread
and with two. An iteration is the difference between {ITERATIONS} iterations and one, divided by {ITERATIONS - 1}; the
set-up is one iteration less that. Weights: advection 1, curvature 0.2, propagation 0.1. `segment`: gradient of a
Gaussian of 1 mm and 300 iterations. Memory: resident beyond that of the scan and the level set to start from, at its
peak. `make bench` or `python benches/evolution.py` writes this file.
"""
CPU_NOTE = """Times are processor time, of all threads together: others used the machine meanwhile.
"""
WEIGHTS = {"propagation": 0.1, "curvature": 0.2, "advection": 1.0}
Call = Callable[[], object]


def tube(n: int) -> tuple[Any, Any]:
    """A noisy scan of the helical tube, and a level set inside it."""
    speed = cases.tube(n).speed
    noise = np.random.default_rng(1).normal(size=speed.shape).astype(np.float32)
    return 300 * (speed > 0) + 20 * noise, np.where(speed > 0.7, np.float32(-1), np.float32(1))


def aorta() -> tuple[Any, Any, tuple[float, float, float]]:
    """The scan of the test data, and the level set of VMTK that it is evolved from."""
    import mitk_rs as mitk

    folder = Path(os.environ["MITK_RS_TEST_DATA"])
    scan = mitk.Image(folder / "aorta.mha")
    return scan.array, mitk.Image(folder / "vmtk_reference_fastmarching.mha").array, scan.spacing


# The packages, each in a process of its own


def ours(threads: int) -> Callable[[dict[str, Any]], Call]:
    """mitk_rs."""
    import mitk_rs as mitk

    mitk.set_num_threads(threads)

    def prepare(request: dict[str, Any]) -> Call:
        scan = mitk.Image(np.load(request["scan"]), spacing=request["spacing"], copy=None)
        if request["what"] == "feature":
            return lambda: mitk.feature_image(scan, sigma=request["sigma"], threads=threads)
        initial = mitk.Image(np.load(request["initial"]), spacing=request["spacing"], copy=None)
        options = {**WEIGHTS, "iterations": request["iterations"], "threads": threads, "max_rms": 0.0}
        if request["what"] == "segment":
            return lambda: mitk.evolve_level_set(scan, initial, feature_sigma=request["sigma"], **options)
        feature = mitk.feature_image(scan)
        return lambda: mitk.evolve_level_set(scan, initial, feature=feature, **options)

    return prepare


def itk_package(threads: int) -> Callable[[dict[str, Any]], Call]:
    """The ``itk`` wheel, set up as VMTK does."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "evolution"))
    import itk
    import itk_worker as filters

    itk.MultiThreaderBase.SetGlobalDefaultNumberOfThreads(threads)

    def feature(scan: Any, spacing: Any, sigma: float) -> Any:
        return filters.reciprocal(filters.gradient(scan, spacing, sigma))

    def evolve(feature: Any, initial: Any, request: dict[str, Any]) -> object:
        options = {**WEIGHTS, "iterations": request["iterations"], "max_rms": 0.0}
        return filters.evolve("geodesic", feature, initial, request["spacing"], **options)

    def prepare(request: dict[str, Any]) -> Call:
        scan, spacing = np.load(request["scan"]), request["spacing"]
        if request["what"] == "feature":
            return lambda: feature(scan, spacing, request["sigma"])
        initial = np.load(request["initial"])
        if request["what"] == "segment":
            return lambda: evolve(feature(scan, spacing, request["sigma"]), initial, request)
        made = feature(scan, spacing, 0.0)
        return lambda: evolve(made, initial, request)

    return prepare


# Measuring


def measured(workers: Mapping[str, table.Worker], request: dict[str, Any], repeats: int) -> dict[str, table.Sample]:
    """The quickest run of each package, taken in turns."""
    runs = {name: partial(worker.run, request) for name, worker in workers.items()}
    samples = table.alternate(runs, dict.fromkeys(runs, repeats))
    return {name: min(taken, key=lambda sample: sample.seconds) for name, taken in samples.items()}


def row(label: str, seconds: Mapping[str, float]) -> list[str]:
    """Times, and how many times ours ITK's is."""
    one, two, theirs = seconds["1"], seconds["2"], seconds["itk"]
    ratios = f"{table.format_ratio(theirs, one)}, {table.format_ratio(theirs, two)}"
    return [label, *(table.format_seconds(s) for s in (one, two, theirs)), ratios]


def volume_rows(
    name: str, workers: Mapping[str, table.Worker], files: dict[str, Any], repeats: int, *, whole: bool
) -> list[list[str]]:
    """The rows about one volume."""
    ask = partial(measured, workers, repeats=repeats)
    feature = ask({**files, "what": "feature", "sigma": 1.0})
    few = ask({**files, "what": "evolve", "iterations": 1})
    many = ask({**files, "what": "evolve", "iterations": ITERATIONS})
    step = {key: (many[key].seconds - few[key].seconds) / (ITERATIONS - 1) for key in many}
    made = [
        row(f"{name}: feature, sigma 1", {key: sample.seconds for key, sample in feature.items()}),
        row(f"{name}: set-up", {key: few[key].seconds - step[key] for key in few}),
        row(f"{name}: an iteration", step),
    ]
    if whole:
        taken = measured(workers, {**files, "what": "segment", "sigma": 1.0, "iterations": 300}, repeats)
        made.append(row(f"{name}: `segment`", {key: sample.seconds for key, sample in taken.items()}))
    voxels = np.load(files["scan"], mmap_mode="r").size
    added = [f"{many[key].peak / voxels:.1f} bytes a voxel" for key in ("1", "2", "itk")]
    return [*made, [f"{name}: memory", *added, ""]]


def report(n: int, repeats: int, *, cpu: bool) -> str:
    """The text of the file."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        worker = partial(table.Worker, __file__, *(["--cpu"] if cpu else []), "--worker")
        workers = {
            key: stack.enter_context(worker("itk" if key == "itk" else "mitk_rs", key)) for key in ("1", "2", "itk")
        }
        rows = []
        volumes = {f"tube {n}³": (*tube(n), (1.0, 1.0, 1.0))}
        if os.environ.get("MITK_RS_TEST_DATA"):
            volumes = {"aorta": aorta(), **volumes}
        for name, (scan, initial, spacing) in volumes.items():
            files = {"scan": str(folder / "scan.npy"), "initial": str(folder / "initial.npy"), "spacing": spacing}
            np.save(files["scan"], scan)
            np.save(files["initial"], initial)
            rows += volume_rows(name, workers, files, repeats, whole=name == "aorta")
    clock = CPU_NOTE if cpu else ""
    return f"{table.environment(PACKAGES)}\n{NOTE}{clock}\n{table.markdown(HEADER, rows)}"


def main() -> None:
    """Measure and write the results, or serve as a worker."""
    parser = argparse.ArgumentParser(description="Compare level-set evolution with ITK.")
    parser.add_argument("--quick", action="store_true", help="a small tube, one run each")
    parser.add_argument("--cpu", action="store_true", help="processor time: for machines that others use meanwhile")
    parser.add_argument("--output", type=Path, help="default benches/results/MACHINE-INSTRUCTIONS.md")
    parser.add_argument("--worker", nargs=2, metavar=("PACKAGE", "THREADS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        package, threads = options.worker
        prepare = itk_package(table.available_cores()) if package == "itk" else ours(int(threads))
        table.serve(prepare, time.process_time if options.cpu else time.perf_counter)
        return
    text = report(96 if options.quick else 256, 1 if options.quick else 5, cpu=options.cpu)
    table.write_section("Level-set evolution", text, options.output or table.results())
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
