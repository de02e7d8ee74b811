"""Projections beside NumPy, SimpleITK, ITK and VTK's CPU ray caster, and beside the speed of memory.

``python benches/mip.py --help``. Writes a section of ``benches/results/``. All candidates of a row run in this process
and take turns; every array is made by NumPy, which asks for huge pages. ``--cpu`` compares processor time instead of
wall time, for machines that others use meanwhile.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import mitk_rs as mitk
import table
from mitk_rs import _core
from mitk_rs.projection.camera import aim
from mitk_rs.projection.rays import Camera, Volume, _kept

TITLE = "Projections"
HEADER = ("case", "threads", "mitk_rs", "peer", "ratio", "promised")
NOTE = """Ratio: the peer's time divided by ours, medians of runs that take turns. "Memory" is reading the same bytes
with NumPy's vectorized maximum, each thread its share from front to back; the ratio is the part of that speed we reach
(more than all of it where several rows are read side by side, which memory likes better). Pictures from an angle have
512 x 512 pixels and samples one voxel apart; VTK is `vtkFixedPointVolumeRayCastMapper` with the same camera, samples
and threads, its picture read back. `make bench` or `python benches/mip.py` writes this file.
"""
AXES = {"z": 0, "y": 1, "x": 2}
ANGLES = (30.0, 20.0)

Calls = Mapping[str, Callable[[], object]]


class Bench:
    """Measures rows and keeps them."""

    def __init__(self, *, quick: bool, cpu: bool) -> None:
        self.repeats = 3 if quick else 7
        self.clock = time.process_time if cpu else time.perf_counter
        self.rows: list[tuple[str, ...]] = []

    def seconds(self, calls: Calls) -> dict[str, float]:
        """Median time of each, taken in turns after one run to warm up."""
        for call in calls.values():
            call()

        def run(call: Callable[[], object]) -> table.Sample:
            start = self.clock()
            call()
            return table.Sample(self.clock() - start, 0)

        runs = {name: partial(run, call) for name, call in calls.items()}
        samples = table.alternate(runs, dict.fromkeys(calls, self.repeats))
        return {name: table.median(s).seconds for name, s in samples.items()}

    def row(self, case: str, threads: int, ours: Callable[[], object], peers: Calls, promised: str = "") -> None:
        """One row for each peer."""
        taken = self.seconds({"mitk_rs": ours, **peers})
        own = taken.pop("mitk_rs")
        for name, seconds in taken.items():
            texts = (table.format_seconds(own), f"{name} {table.format_seconds(seconds)}")
            self.add(case, str(threads), *texts, table.format_ratio(seconds, own), promised)

    def add(self, *row: str) -> None:
        """Keep a row and show it."""
        self.rows.append(row)
        print(" | ".join(row), flush=True)


def volume(n: int, dtype: str) -> Any:
    """CT-like noise."""
    values = np.random.default_rng(1).integers(-1000, 3000, (n, n, n), np.int16)
    return values if dtype == "int16" else values.astype(dtype)


def axis_rows(bench: Bench, n: int, dtype: str, threads: Sequence[int]) -> None:
    """Maximum along each axis against NumPy and the speed of memory; along z against SimpleITK and ITK."""
    voxels = volume(n, dtype)
    large = n >= 512
    for axis, number in AXES.items():
        for count in threads:
            ours = partial(mitk.mip, voxels, axis=axis, threads=count)
            peers: dict[str, Callable[[], object]] = {"numpy": partial(voxels.max, axis=number)}
            promised = promise_beside_numpy(dtype, axis, count) if large else ""
            bench.row(f"max along {axis}, {dtype} {n}^3", count, ours, peers, promised)
    last = threads[-1]
    memory_rows(bench, voxels, f"{dtype} {n}^3", last, "at least 85%" if large and dtype == "float32" else "")
    along_z, promised = partial(mitk.mip, voxels, threads=last), "at least 12x" if large else ""
    bench.row(f"max along z, {dtype} {n}^3", last, along_z, itk_peers(voxels), promised)
    three = {"one after the other": lambda: [mitk.mip(voxels, axis=a, threads=last) for a in AXES]}
    all_axes, promised = partial(mitk.project_all, voxels, threads=last), "at least 2x" if large else ""
    bench.row(f"all three axes, {dtype} {n}^3", last, all_axes, three, promised)


def promise_beside_numpy(dtype: str, axis: str, threads: int) -> str:
    """What is promised of 512^3."""
    if dtype == "int16":
        return "at least 1x" if threads == 1 else "at least 2.5x" if axis == "x" else "at least 1.3x"
    return "at least 2x" if threads > 1 else ""


def memory_rows(bench: Bench, voxels: Any, name: str, threads: int, promised: str) -> None:
    """Each axis against reading the same bytes from front to back."""
    parts = np.array_split(voxels.reshape(-1), 16 * threads)
    with ThreadPoolExecutor(threads) as pool:
        calls = {axis: partial(mitk.mip, voxels, axis=axis, threads=threads) for axis in AXES}
        taken = bench.seconds({"read": lambda: list(pool.map(np.max, parts)), **calls})
    for axis in AXES:
        texts = (table.format_seconds(taken[axis]), f"memory {table.format_seconds(taken['read'])}")
        speed = f"{taken['read'] / taken[axis]:.0%} ({voxels.nbytes / taken[axis] / 1e9:.1f} GB/s)"
        bench.add(f"max along {axis}, {name}", str(threads), *texts, speed, promised)


def itk_peers(voxels: Any) -> Calls:
    import itk
    import SimpleITK as sitk

    simple, full = sitk.GetImageFromArray(voxels), itk.image_from_array(voxels)
    flat = itk.Image[itk.template(full)[1][0], 3]

    def by_itk() -> object:
        projector = itk.MaximumProjectionImageFilter[type(full), flat].New(full, ProjectionDimension=2)
        projector.Update()
        return projector.GetOutput()

    return {"SimpleITK": partial(sitk.MaximumProjection, simple, 2), "itk": by_itk}


def oblique_rows(bench: Bench, name: str, image: Any, threads: int, promised: tuple[str, str]) -> None:
    """A picture of 512 x 512 from 30, 20 degrees, samples one spacing apart, bricks kept and not."""
    distance = min(image.spacing)
    options = {"azimuth": ANGLES[0], "elevation": ANGLES[1], "sample_distance": distance, "threads": threads}
    shade = {"window": 2000.0, "level": 500.0}
    ours = partial(mitk.render_mip, image, **options, **shade)

    def from_scratch() -> object:
        _kept.pop(image, None)
        return ours()

    vtk = {"VTK": vtk_picture(image, distance, threads)}
    bench.row(f"from an angle, {name}", threads, ours, vtk, promised[0])
    bench.row(f"from an angle with making bricks, {name}", threads, from_scratch, vtk, promised[1])


def vtk_picture(image: Any, distance: float, threads: int) -> Callable[[], object]:
    """What VTK's fixed-point mapper does for the same picture, read back."""
    from vtkmodules.vtkRenderingCore import vtkRenderer, vtkRenderWindow, vtkWindowToImageFilter

    from mitk_rs.viewer.mip_viewer import mip_volume

    shown = mip_volume(image, auto_sample_distance=False, sample_distance=distance, window_level=(2000, 500))
    shown.mapper.SetNumberOfThreads(threads)
    window, renderer = vtkRenderWindow(), vtkRenderer()
    window.SetOffScreenRendering(1)
    window.SetMultiSamples(0)
    window.SetSize(512, 512)
    window.AddRenderer(renderer)
    renderer.AddVolume(shown.volume)
    view, scene = aim(*ANGLES), Volume(image, None).scene
    camera = renderer.GetActiveCamera()
    camera.ParallelProjectionOn()
    camera.SetFocalPoint(*scene.centre())
    camera.SetPosition(*(scene.centre() - 2000 * view.forward))
    camera.SetViewUp(*(-view.down))
    camera.SetParallelScale(256 * Camera(azimuth=ANGLES[0], elevation=ANGLES[1]).pixel(Volume(image, None)))
    renderer.ResetCameraClippingRange()

    def picture() -> object:
        # A camera that has moved is drawn anew; this little does not change the picture.
        camera.Azimuth(1e-4)
        grab = vtkWindowToImageFilter()
        grab.SetInput(window)
        grab.ReadFrontBufferOff()
        grab.Update()
        return grab.GetOutput()

    return picture


def run(bench: Bench, sizes: Sequence[int], threads: Sequence[int]) -> None:
    """All rows."""
    for n in sizes:
        for dtype in ("int16", "float32"):
            axis_rows(bench, n, dtype, threads)
    for n in sizes:
        tree = mitk.datasets.vessel_tree(size=(n, n, n), spacing=(128 / n,) * 3).image
        promised = ("at least 6x", "at least 3x") if n >= 256 else ("", "")
        oblique_rows(bench, f"vessel tree int16 {n}^3", tree, threads[-1], promised)
    for n in sizes:
        noise = mitk.Image(np.random.default_rng(2).integers(0, 4000, (n, n, n), np.int16), copy=None)
        oblique_rows(bench, f"noise int16 {n}^3", noise, threads[-1], ("at least 1.5x" * (n >= 256), ""))


def has_priority() -> bool:
    """Whether this process goes before all usual ones, as after ``chrt -f 10``."""
    return hasattr(os, "sched_getscheduler") and os.sched_getscheduler(0) in (os.SCHED_FIFO, os.SCHED_RR)


def main() -> None:
    """Run all rows and write the section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the first size only, three runs")
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512], help="edges of the volumes (256 512)")
    parser.add_argument("--cpu", action="store_true", help="compare processor time")
    parser.add_argument("--instructions", choices=table.SETS, help="vector instructions to use (default the fastest)")
    parser.add_argument("--output", type=Path, help="default benches/results/MACHINE-INSTRUCTIONS.md")
    options = parser.parse_args()
    _core.force_instructions(options.instructions)
    bench = Bench(quick=options.quick, cpu=options.cpu)
    cores = min(2, table.available_cores())
    run(bench, options.sizes[:1] if options.quick else options.sizes, (1, cores) if cores > 1 else (1,))
    clock = "Processor time instead of wall time.\n" if options.cpu else ""
    clock += "Run with real-time priority: other programs had to wait.\n" if has_priority() else ""
    packages = ("mitk_rs", "numpy", "SimpleITK", "itk", "vtk")
    text = "\n".join([table.environment(packages), NOTE + clock, table.markdown(HEADER, bench.rows)])
    table.write_section(TITLE, text, options.output or table.results(options.instructions))


if __name__ == "__main__":
    main()
