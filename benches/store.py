"""The image store beside SimpleITK's and ITK's: views, images of arrays, images of files.

``python benches/store.py --help``. Writes a section of ``benches/results/``. Each package runs in a process of its
own and they take turns. Files are read from the page cache: what is compared is the software, not the disk.
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
KEPT_VIEWS = 1000
HEADER = ("case", *PACKAGES, "promised of mitk_rs")
NOTE = """Views: best of many short runs; the others: medians of runs that take turns, after one that does not count.
In brackets how many times as long as mitk_rs. The last row is resident memory added by views that are all kept, in the
first and only run. (A view of SimpleITK's dangles once its image is gone.) `make bench` or `python benches/store.py`
writes this file.
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
    if case == "kept":
        large = mitk.Image(voxels(megabytes), copy=None)
        return lambda: [large.as_numpy() for _ in range(KEPT_VIEWS)]
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
    if case == "kept":
        large = sitk.GetImageFromArray(voxels(megabytes))
        return lambda: [sitk.GetArrayViewFromImage(large) for _ in range(KEPT_VIEWS)]
    image = sitk.GetImageFromArray(np.zeros((64, 64, 64), np.int16))
    return lambda: sitk.GetArrayViewFromImage(image)


def itk_calls(case: str, megabytes: int, path: str) -> Callable[[], object]:
    import itk

    if case == "file":
        return lambda: itk.imread(path)
    if case == "array":
        array = voxels(megabytes)
        return lambda: itk.image_from_array(array)
    if case == "kept":
        large = itk.image_from_array(voxels(megabytes))
        return lambda: [itk.array_view_from_image(large) for _ in range(KEPT_VIEWS)]
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
    "kept": ("mitk_rs", "SimpleITK", "itk"),
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


def volumes(case: str, workers: Mapping[str, table.Worker], repeats: int) -> dict[str, table.Sample]:
    """Medians of each package; of several runs the first does not count."""
    runs = {name: partial(workers[name].run, {"case": case}) for name in CASES[case]}
    if repeats > 1:
        table.alternate(runs, dict.fromkeys(runs, 1))
    samples = table.alternate(runs, dict.fromkeys(runs, repeats))
    return {name: table.median(taken) for name, taken in samples.items()}


def seconds_of(samples: Mapping[str, table.Sample]) -> dict[str, float]:
    """The times alone."""
    return {name: sample.seconds for name, sample in samples.items()}


def row(label: str, seconds: Mapping[str, float], promise: str) -> list[str]:
    """Our time, and the others' with how many times ours it is."""
    ours = seconds["mitk_rs"]
    cells = [f"{table.format_seconds(s)} ({table.format_ratio(s, ours)})" for s in seconds.values()]
    found = dict(zip(seconds, cells, strict=True)) | {"mitk_rs": table.format_seconds(ours)}
    return [label, *(found.get(name, "") for name in PACKAGES), promise]


def memory_row(label: str, samples: Mapping[str, table.Sample], promise: str) -> list[str]:
    """Resident memory that each added."""
    added = {name: f"{sample.peak / 1024:.0f} KiB" for name, sample in samples.items()}
    return [label, *(added.get(name, "") for name in PACKAGES), promise]


def report(megabytes: int, path: str, repeats: int) -> str:
    """The text of the file."""
    rows = [
        row("`as_numpy()` and views of others", views("view"), "under 2 us"),
        row("`as_numpy(use_accessor=True)`", views("accessor"), "under 5 us"),
    ]
    size = f"{megabytes} MiB"
    with ExitStack() as stack:
        worker = partial(table.Worker, __file__, "--worker")
        workers = {name: stack.enter_context(worker(name, str(megabytes), path)) for name in PACKAGES}
        array, file = (volumes(case, workers, repeats) for case in ("array", "file"))
        kept = volumes("kept", workers, 1)
    rows += [
        row(f"`Image(array)`, {size}, and `array.copy()`", seconds_of(array), "at most 1.2 times numpy"),
        row(f"`Image(path)`, raw .mha of {size}", seconds_of(file), "at most 1.3 times SimpleITK"),
        memory_row(f"{KEPT_VIEWS} views of {size}", kept, "no voxels"),
    ]
    return f"{table.environment(PACKAGES)}\n{NOTE}\n{table.markdown(HEADER, rows)}"


def main() -> None:
    """Measure and write the results, or serve as a worker."""
    options = parse()
    if options.worker:
        package, megabytes, path = options.worker
        work(package, int(megabytes), path)
    elif options.view:
        time_view(*options.view)
    else:
        compare(options.megabytes, options.repeats, options.output)


def parse() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="volumes of 128 MiB, three runs, printed only")
    parser.add_argument("--megabytes", type=int, default=1024, help="size of the volumes in MiB (default 1024)")
    parser.add_argument("--repeats", type=int, default=7, help="runs of each, of which the median counts (default 7)")
    parser.add_argument("--output", type=Path, help="default benches/results/MACHINE-INSTRUCTIONS.md")
    parser.add_argument("--worker", nargs=3, metavar=("PACKAGE", "MEGABYTES", "PATH"), help=argparse.SUPPRESS)
    parser.add_argument("--view", nargs=2, metavar=("PACKAGE", "CASE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.quick:
        options.megabytes, options.repeats = min(options.megabytes, 128), 3
    elif options.output is None:
        options.output = table.results()
    return options


def compare(megabytes: int, repeats: int, output: Path | None) -> None:
    """Measure everything, and print and write the results."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "raw.mha")
        write_raw(path, megabytes)
        text = report(megabytes, path, repeats)
    if output is not None:
        table.write_section(TITLE, text, output)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
