"""Results in notebooks and terminals: one line, a table, an upright picture; and bars for ``progress=True``."""

import io
import pickle
import subprocess
import sys
import textwrap

import numpy as np
import PIL.Image
import pytest

import mitk_rs as mitk
from mitk_rs.projection import axis_picture


@pytest.fixture(scope="module")
def scan():
    return mitk.datasets.tube()


FRONTS = {"sources": [(10, 10, 2)], "targets": [(10, 10, 17)], "lower_threshold": 50}
RESULTS = {
    "level set": (
        lambda scan: mitk.initialize_level_set(scan, **FRONTS),
        ["LevelSetResult(collidingfronts, ", " ml in 1 piece", " of 8000 voxels"],
    ),
    "evolution": (
        lambda scan: mitk.evolve_level_set(scan, mitk.initialize_level_set(scan, **FRONTS).level_set, iterations=3),
        ["LevelSetEvolution(geodesic, 3 iterations, ", " ml in 1 piece"],
    ),
    "segmentation": (
        lambda scan: mitk.segment_vessel(scan, FRONTS["sources"], FRONTS["targets"], 50, iterations=3),
        ["VesselSegmentation(collidingfronts, ", " ml before 3 iterations"],
    ),
    "arrival": (
        lambda scan: mitk.fast_marching(scan, seeds=[(10, 10, 2)], targets=[(10, 10, 17)]),
        ["Arrival(", " voxels accepted, target reached at ", "times up to "],
    ),
    "arrival of an array": (
        lambda scan: mitk.fast_marching(scan.array, seeds=[(10, 10, 2)]),
        ["voxels accepted, the front went everywhere"],
    ),
    "sparse arrival": (
        lambda scan: mitk.fast_marching(scan, seeds=[(10, 10, 2)], sparse=True),
        ["voxels accepted, the front went everywhere"],
    ),
    "arrival in a picture": (lambda _: mitk.fast_marching(np.ones((6, 7)), seeds=[(0, 0)]), ["42 voxels accepted"]),
    "level set of a picture": (
        lambda _: mitk.initialize_level_set(mitk.Image(np.eye(5)), method="threshold", lower_threshold=1),
        ["in 5 pieces", "5 of 25 voxels"],
    ),
}


@pytest.mark.parametrize("name", RESULTS)
def test_a_result_is_one_line_and_a_table_with_a_picture(name, scan):
    make, words = RESULTS[name]
    result = make(scan)
    line = repr(result)
    assert "\n" not in line
    assert len(line) < 250
    for word in words:
        assert word in line
    picture = PIL.Image.open(io.BytesIO(result._repr_png_()))
    assert min(picture.size) > 40
    html = result._repr_html_()
    assert html.count("<img") == 1
    assert "ml in" in html or "accepted" in html
    assert repr(pickle.loads(pickle.dumps(result))) == line


def test_warnings_are_shown(scan):
    result = mitk.initialize_level_set(scan, method="threshold", lower_threshold=1e9)
    assert result.report.warnings
    assert result.report.warnings[0] in repr(result)
    assert "<th style='text-align:left'>warnings</th>" in result._repr_html_()


def test_an_empty_level_set_has_no_picture(scan):
    result = mitk.initialize_level_set(scan, method="threshold", lower_threshold=1e9)
    assert result._repr_png_() is None
    assert "<img" not in result._repr_html_()
    assert "0 ml in 0 pieces" in repr(result)


def test_pictures_of_results_are_the_upright_contact_sheet_of_the_inside():
    """Whatever the axes of the scan: a result on turned axes shows what the same result on upright axes shows."""
    voxels = np.zeros((40, 12, 40), np.int16)
    for step in range(5, 36):
        voxels[step, 4:8, step - 2 : step + 3] = 100
    upright = mitk.initialize_level_set(mitk.Image(voxels), method="threshold", lower_threshold=50)
    turned = mitk.Image(voxels[::-1, ::-1, ::-1].copy(), direction=-np.eye(3))
    result = mitk.initialize_level_set(turned, method="threshold", lower_threshold=50)
    assert result._repr_png_() == upright._repr_png_()


def test_pictures_are_arrays_that_show_themselves(scan):
    for pixels in (mitk.montage(scan), mitk.render_mip(scan, size=40), next(mitk.render_spin(scan, frames=2, size=9))):
        assert isinstance(pixels, np.ndarray)
        shown = np.asarray(PIL.Image.open(io.BytesIO(pixels._repr_png_())))
        np.testing.assert_array_equal(shown, pixels)
        assert pixels[np.newaxis, np.newaxis]._repr_png_() is None
        assert (pixels / 2)._repr_png_() is None
        assert type(pickle.loads(pickle.dumps(pixels))) is type(pixels)
    deep = mitk.render_mip(scan, size=40, dtype="uint16")
    assert np.asarray(PIL.Image.open(io.BytesIO(deep._repr_png_()))).dtype == np.uint16
    assert not hasattr(mitk.render_mip(scan, size=40, dtype="float32"), "_repr_png_")
    picture = axis_picture(scan)
    height, width = picture.pixels.shape[:2]
    assert repr(picture) == f"Picture({width} x {height} pixels of {picture.mm:.3g} mm)"
    np.testing.assert_array_equal(np.asarray(PIL.Image.open(io.BytesIO(picture._repr_png_()))), picture.pixels)


# --- progress=True

CALL = """
import sys, types
import numpy as np
import mitk_rs as mitk
from mitk_rs import _sources
_sources._PATIENCE_SECONDS = 0.0
{setup}
speed = np.ones(({edge},) * 3, "float32")
try:
    mitk.fast_marching(speed, seeds=[(0, 0, 0)], progress=True, threads=1{options})
except mitk.TimeoutError:
    print("timeout")
{after}
"""
NOTEBOOK = """
import rich.console
rich.console._is_jupyter = lambda: True
shown = []
class Handle:
    def update(self, html): shown.append(html)
display = types.SimpleNamespace(HTML=str, display=lambda html, display_id: Handle())
sys.modules["IPython"] = types.SimpleNamespace(display=display)
sys.modules["IPython.display"] = display
"""


def in_terminal(setup="", options="", after="", edge=180):
    """What a call writes to standard error, if that is a terminal, and to standard output."""
    import os
    import pty

    script = textwrap.dedent(CALL.format(setup=setup, options=options, after=after, edge=edge))
    reading, writing = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    running = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=writing, env=environment, text=True
    )
    os.close(writing)
    written = b""
    while True:
        try:
            block = os.read(reading, 65536)
        except OSError:
            break
        if not block:
            break
        written += block
    os.close(reading)
    out = running.communicate(timeout=60)[0]
    assert running.returncode == 0, written
    return written.decode(), out


def test_true_shows_a_bar_in_a_terminal():
    written, _ = in_terminal()
    assert "fast marching" in written
    assert "%" in written
    assert written.rstrip().endswith("\x1b[2K")


def test_the_bar_is_removed_when_the_call_fails():
    written, out = in_terminal(options=", timeout=0.3", edge=400)
    assert out == "timeout\n"
    assert "fast marching" in written
    assert written.count("\x1b[?25l") == written.count("\x1b[?25h")


def test_true_shows_a_bar_in_a_notebook():
    _, out = in_terminal(setup=NOTEBOOK, after="print(shown[0]); print(repr(shown[-1]))")
    first, last = out.splitlines()
    assert first.startswith("<div>fast marching <progress max='1' value='0.")
    assert last == "''"


def test_no_bar_where_standard_error_is_a_file():
    script = CALL.format(setup="", options="", after="", edge=180)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, timeout=60)
    assert done.stderr == b""


CALLS = {
    "fast_marching": lambda scan, **run: mitk.fast_marching(scan, seeds=[(10, 10, 2)], **run).arrival_time,
    "colliding_fronts": lambda scan, **run: mitk.colliding_fronts(
        scan, seeds1=[(10, 10, 2)], seeds2=[(10, 10, 17)], **run
    ),
    "initialize_level_set": lambda scan, **run: mitk.initialize_level_set(scan, **FRONTS, **run).level_set,
    "evolve_level_set": lambda scan, **run: (
        mitk.evolve_level_set(scan, mitk.initialize_level_set(scan, **FRONTS).level_set, iterations=3, **run).level_set
    ),
    "feature_image": lambda scan, **run: mitk.feature_image(scan, **run),
    "segment_vessel": lambda scan, **run: (
        mitk.segment_vessel(scan, [(10, 10, 2)], [(10, 10, 17)], 50, iterations=3, **run).level_set
    ),
    "project": lambda scan, **run: mitk.project(scan, **run),
    "mip": lambda scan, **run: mitk.mip(scan, **run),
    "project_all": lambda scan, **run: mitk.project_all(scan, **run)[0],
    "slide": lambda scan, **run: mitk.slide(scan, thickness=3, **run),
    "render_mip": lambda scan, **run: mitk.render_mip(scan, size=20, **run),
    "render_spin": lambda scan, **run: np.stack(list(mitk.render_spin(scan, frames=3, size=20, **run))),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_bar_changes_nothing(name, scan, monkeypatch):
    monkeypatch.setattr("mitk_rs._sources._PATIENCE_SECONDS", 0.0)
    call = CALLS[name]
    expected = call(scan)
    for progress in (True, False, None):
        np.testing.assert_array_equal(np.asarray(call(scan, progress=progress)), np.asarray(expected))
