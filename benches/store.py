"""The image store beside SimpleITK's and ITK's: views, images of arrays, images of files.

``python benches/store.py [--quick]`` writes the section "Image store" of RESULTS.md. Each package runs in a process of
its own and they take turns. Files are read from the page cache: what is compared is the software, not the disk.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import timeit
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import table

PACKAGES = ("mitk_rs", "numpy", "SimpleITK", "itk")
TITLE = "Image store"
# Views are so quick that others' work on the machine shows: the best of many short runs counts, as timeit advises.
VIEWS, SHORT_RUNS = 500, 200
HEADER = ("case", *PACKAGES)
NOTE = """Views: best of many short runs; the others: medians of runs that take turns. In brackets how many times as
long as mitk_rs. (A view of SimpleITK's dangles once its image is gone.)
"""


def voxels(megabytes: int) -> Any:
    """A volume of 16-bit noise, 1024 voxels wide."""
    shape = (megabytes, 512, 1024)
    return np.random.default_rng(1).integers(-1000, 3000, shape, np.int16)


def mitk_rs_calls(case: str, megabytes: int, path: str) -> Callable[[], object]:
    import mitk_rs as mitk

    if case == "file":
        return lambda: mitk.Image(path)
    if case == "array":
        array = voxels(megabytes)
        return lambda: mitk.Image(array)
    image = mitk.Image(np.zeros((64, 64, 64), np.int16))
    return image.as_numpy if case == "view" else lambda: image.as_numpy(use_accessor=True)


def numpy_calls(_case: str, megabytes: int, _path: str) -> Callable[[], object]:
    return voxels(megabytes).copy


def simpleitk_calls(case: str, megabytes: int, path: str) -> Callable[[], object]:
    import SimpleITK as sitk

    if case == "file":
        return lambda: sitk.ReadImage(path)
    if case == "array":
        array = voxels(megabytes)
        return lambda: sitk.GetImageFromArray(array)
    image = sitk.GetImageFromArray(np.zeros((64, 64, 64), np.int16))
    return lambda: sitk.GetArrayViewFromImage(image)


def itk_calls(case: str, megabytes: int, path: str) -> Callable[[], object]:
    import itk

    if case == "file":
        return lambda: itk.imread(path)
    if case == "array":
        array = voxels(megabytes)
        return lambda: itk.image_from_array(array)
    image = itk.image_from_array(np.zeros((64, 64, 64), np.int16))
    return lambda: itk.array_view_from_image(image)


CALLS: Mapping[str, Callable[[str, int, str], Callable[[], object]]] = {
    "mitk_rs": mitk_rs_calls,
    "numpy": numpy_calls,
    "SimpleITK": simpleitk_calls,
    "itk": itk_calls,
}
# Which packages have something to compare.
CASES = {
    "view": ("mitk_rs", "SimpleITK", "itk"),
    "accessor": ("mitk_rs",),
    "array": PACKAGES,
    "file": ("mitk_rs", "SimpleITK", "itk"),
}


def work(package: str, megabytes: int, path: str) -> None:
    """Answer requests for runs of one package; what a case needs is made once."""
    ready: dict[str, Callable[[], object]] = {}

    def prepare(request: dict[str, Any]) -> Callable[[], object]:
        case = request["case"]
        if case not in ready:
            ready.clear()
            ready[case] = CALLS[package](case, megabytes, path)
        return ready[case]

    table.serve(prepare)


def time_view(package: str, case: str) -> None:
    """Print the seconds that one view takes."""
    view = CALLS[package](case, 0, "")
    sys.stdout.write(str(min(timeit.repeat(view, number=VIEWS, repeat=SHORT_RUNS)) / VIEWS))


def write_raw(path: str, megabytes: int) -> None:
    """An uncompressed MetaImage."""
    import mitk_rs as mitk

    mitk.io.write_image(mitk.Image(voxels(megabytes), copy=None), path, compress=False)


def views(case: str) -> dict[str, float]:
    """Best seconds of each package, each in a process of its own."""
    times = {}
    for name in CASES[case]:
        command = [sys.executable, __file__, "--view", name, case]
        times[name] = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return times


def volumes(case: str, workers: Mapping[str, table.Worker], repeats: int) -> dict[str, float]:
    """Median seconds of each package, after one run that does not count."""
    runs = {name: partial(workers[name].run, {"case": case}) for name in CASES[case]}
    for run in runs.values():
        run()
    samples = table.alternate(runs, dict.fromkeys(runs, repeats))
    return {name: table.median(taken).seconds for name, taken in samples.items()}


def row(label: str, seconds: Mapping[str, float]) -> list[str]:
    """Our time, and the others' with how many times ours it is."""
    ours = seconds["mitk_rs"]
    cells = [f"{table.format_seconds(s)} ({table.format_ratio(s, ours)})" for s in seconds.values()]
    found = dict(zip(seconds, cells, strict=True)) | {"mitk_rs": table.format_seconds(ours)}
    return [label, *(found.get(name, "") for name in PACKAGES)]


def report(megabytes: int, path: str, repeats: int) -> str:
    """The text of the section."""
    rows = [
        row("`as_numpy()` and views of others", views("view")),
        row("`as_numpy(use_accessor=True)`", views("accessor")),
    ]
    with ExitStack() as stack:
        worker = partial(table.Worker, __file__, "--worker")
        workers = {name: stack.enter_context(worker(name, str(megabytes), path)) for name in PACKAGES}
        rows.append(row(f"`Image(array)`, {megabytes} MiB, and `array.copy()`", volumes("array", workers, repeats)))
        rows.append(row(f"`Image(path)`, raw .mha of {megabytes} MiB", volumes("file", workers, repeats)))
    return f"{table.environment(PACKAGES)}\n{NOTE}\n{table.markdown(HEADER, rows)}"


def main() -> None:
    """Measure and write the section, or serve as a worker."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small volumes, few repeats")
    parser.add_argument("--worker", nargs=3, metavar=("PACKAGE", "MEGABYTES", "PATH"), help=argparse.SUPPRESS)
    parser.add_argument("--view", nargs=2, metavar=("PACKAGE", "CASE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        package, megabytes, path = options.worker
        work(package, int(megabytes), path)
    elif options.view:
        time_view(*options.view)
    else:
        compare(*((128, 3) if options.quick else (1024, 5)))


def compare(megabytes: int, repeats: int) -> None:
    """Measure everything and write the section."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "raw.mha")
        write_raw(path, megabytes)
        text = report(megabytes, path, repeats)
    table.write_section(TITLE, text)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
