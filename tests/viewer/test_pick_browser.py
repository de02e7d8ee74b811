"""The page for picking seeds in a browser: clicks, drags, wheel, keys and sliders do what they say."""

import re
import subprocess
import sys
from pathlib import Path
from statistics import median

import browser
import numpy as np
import pytest
from browser import Browser

import mitk_rs as mitk
from mitk_rs.cli.main import main

PROGRAM = Path(sys.executable).with_name("mitk-rs")
pytestmark = pytest.mark.skipif(browser.MISSING is not None, reason=str(browser.MISSING))

INLET, OUTLET = (10, 10, 2), (10, 10, 17)
# Where the pixel of a voxel is in the window.
PLACE = """const view = views.find((one) => one.canvas.id === given[0]);
view.canvas.scrollIntoView({block: "nearest"});
const box = view.canvas.getBoundingClientRect();
const ratio = view.canvas.width / box.width;
const [x, y] = onCanvas(view, given[1]);
return [box.left + x / ratio, box.top + y / ratio];"""
PIXELS = """const view = views.find((one) => one.canvas.id === given[0]);
await new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)));
const data = view.canvas.getContext("2d").getImageData(0, 0, view.canvas.width, view.canvas.height).data;
return Array.from(data.filter((_, n) => n % 4 !== 3));"""
SEEDS = "return state.seeds"


class Page:
    def __init__(self, window, url):
        self.window = window
        # Those of an earlier page are not this one's.
        window.messages()
        window.open(url)
        window.wait("return document.body && document.body.dataset.ready === 'yes'")

    def click(self, view, voxel):
        self.window.mouse(self.window.run(PLACE, view, voxel), "down", "up")

    def pixels(self, view):
        return np.array(self.window.run(PIXELS, view), np.int64).reshape(-1, 3)

    def mode(self, name):
        self.window.run(f"document.querySelector('input[value={name}]').click()")

    def press(self, button):
        self.window.run(f"byId('{button}').click()")

    def slide(self, name, value):
        self.window.run(
            "byId(given[0]).value = given[1]; byId(given[0]).dispatchEvent(new Event('input'))", name, value
        )

    def previewed(self):
        self.window.wait("return document.body.dataset.preview === 'done'")

    @property
    def cursor(self):
        return self.window.run("return state.cursor")


@pytest.fixture(scope="module")
def window():
    with Browser() as one:
        yield one


@pytest.fixture
def scan(tmp_path, monkeypatch):
    """A tube whose brightest line lies off its middle, so that clicks must find it; axes turned and left-handed."""
    monkeypatch.chdir(tmp_path)
    voxels = mitk.datasets.tube().array.copy()
    voxels[2, 10, 10], voxels[17, 10, 10] = 120, 130
    image = mitk.Image(voxels, spacing=(1.0, 1.5, 2.0), direction=[[0, -1, 0], [-1, 0, 0], [0, 0, -1]])
    image.save(tmp_path / "scan.mha")
    return image


@pytest.fixture
def command(scan):
    """``mitk-rs pick``, and the address that it prints."""
    words = [PROGRAM, "pick", "scan.mha", "--no-browser", "--lower", "50"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    url = re.search(r"http://127\.0\.0\.1:\d+/\?t=\S+", process.stderr.readline())[0]
    yield process, url
    process.kill()
    process.communicate()


def test_picking_from_the_first_click_to_the_files(command, window, scan, tmp_path):
    process, url = command
    page = Page(window, url)
    assert "t=" not in window.run("return location.href")

    page.mode("source")
    # The projection along y finds the voxel's y by itself: it is the brightest behind that pixel.
    page.click("projection-y", [10, 3, 2])
    assert window.run(SEEDS)["source"] == [list(INLET)]
    before = page.pixels("slice-x")
    # After the first source, a click places a target.
    page.click("projection-y", [10, 3, 17])
    assert window.run(SEEDS) == {"source": [list(INLET)], "target": [list(OUTLET)]}
    page.previewed()
    green = (page.pixels("slice-x") == (90, 255, 90)).all(axis=1).sum()
    assert green > 0 == (before == (90, 255, 90)).all(axis=1).sum()

    # A threshold that the vessel does not meet takes the outline away, and the page says why.
    page.slide("lower", 125)
    window.wait("return document.body.dataset.preview === 'problem'")
    assert "cannot be reached" in window.run("return byId('result').textContent")
    assert not (page.pixels("slice-x") == (90, 255, 90)).all(axis=1).any()
    page.slide("lower", 60)
    page.previewed()

    page.press("accept")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "mitk-rs pick: wrote seeds.mrk.json and level_set.mha\n")
    assert window.run("return byId('command').textContent") == out.strip()
    accepted = (tmp_path / "level_set.mha").read_bytes()
    assert main([*out.split()[1:], "--force", "-q"]) == 0
    assert (tmp_path / "level_set.mha").read_bytes() == accepted
    assert mitk.read_seeds("seeds.mrk.json").indices(scan) == [INLET, OUTLET]
    assert window.messages() == []


def test_a_second_browser_is_refused(command, window):
    _, url = command
    Page(window, url)
    with Browser() as other:
        other.open(url)
        assert "works in one browser only" in other.run("return document.body.textContent")


def test_dragging_changes_window_and_level_and_the_pixels(command, window):
    page = Page(window, command[1])
    window.wait("return views.every((view) => view.codes)")
    before, state = page.pixels("slice-z"), window.run("return [state.window, state.level]")
    x, y = window.run(PLACE, "slice-z", [10, 10, 10])
    window.mouse((x, y), "down", (x + 40, y + 60), "up")
    width, level = window.run("return [state.window, state.level]")
    # To the right: a wider window. Down: a lower level, which is brighter.
    assert width > state[0]
    assert level < state[1]
    assert window.run(SEEDS) == {"source": [], "target": []}
    assert (page.pixels("slice-z") != before).any()
    page.press("reset")
    assert window.run("return [state.window, state.level]") == state
    assert (page.pixels("slice-z") == before).all()


def test_the_wheel_and_the_slider_go_through_slices(command, window):
    page = Page(window, command[1])
    x, y = window.run(PLACE, "slice-z", [10, 10, 10])
    window.wheel(x, y, 120)
    assert page.cursor == [10, 10, 11]
    window.run("const slider = views[1].slider; slider.value = 4; slider.dispatchEvent(new Event('input'))")
    assert page.cursor == [10, 4, 11]


def test_the_keyboard_alone_suffices(command, window):
    process, url = command
    page = Page(window, url)
    window.run("byId('slice-z').focus()")
    # Up is anterior, whatever the direction of the image.
    start = page.cursor
    window.keys("\ue015", "\ue012", "\ue00e")  # down, left, page up
    moved = np.subtract(page.cursor, start)
    assert np.abs(moved).tolist() == [1, 1, 1]
    window.run("moveTo([10, 10, 2]); byId('slice-z').focus()")
    window.keys("s", "t", "u")
    assert window.run(SEEDS) == {"source": [list(INLET)], "target": []}
    window.run("moveTo([10, 10, 17]); byId('slice-z').focus()")
    window.keys("t")
    page.previewed()
    # Tab reaches Accept.
    for _ in range(60):
        window.keys("\ue004")
        if window.run("return document.activeElement.id") == "accept":
            break
    window.keys("\ue007")
    assert process.wait(60) == 0
    assert Path("level_set.mha").exists()


@pytest.mark.parametrize("width", [390, 700, 1400])
def test_no_width_cuts_anything_off(command, window, width):
    Page(window, command[1])
    window.resize(width, 900)
    try:
        assert window.run("return document.documentElement.scrollWidth <= window.innerWidth")
        outside = """return [...document.querySelectorAll('canvas, button, input, select, p, h1')]
            .filter((one) => one.offsetParent && one.getBoundingClientRect().right > window.innerWidth + 1).length"""
        assert window.run(outside) == 0
    finally:
        window.resize(1400, 1000)


def test_the_page_as_one_file(scan, window, tmp_path):
    assert main(["pick", "scan.mha", "--html", "seeds.html", "--lower", "50", "-q"]) == 0
    page = Page(window, (tmp_path / "seeds.html").as_uri())
    page.mode("source")
    page.click("projection-y", [10, 3, 2])
    page.click("projection-y", [10, 3, 17])
    line = window.run("return byId('command').textContent")
    expected = "mitk-rs init scan.mha -o level_set.mha --method collidingfronts --lower 50 "
    assert line == f"{expected}--source 10 10 2 --target 10 10 17"
    (tmp_path / "seeds.json").write_text(window.run("return seedFile()"))
    assert mitk.read_seeds("seeds.json:target").indices(scan) == [OUTLET]
    assert "(120)" in window.run("return byId('sources').textContent")
    assert main([*line.split()[1:], "-q"]) == 0
    assert window.messages() == []


def test_both_pages_show_the_same_pixels(scan, command, window, tmp_path):
    """The one-file page cuts and projects by itself what otherwise the server does."""
    assert main(["pick", "scan.mha", "--html", "seeds.html", "--lower", "50", "-q"]) == 0
    views = [f"{kind}-{axis}" for kind in ("slice", "projection") for axis in "xyz"]
    shown = []
    for url in (command[1], (tmp_path / "seeds.html").as_uri()):
        page = Page(window, url)
        window.run("moveTo([9, 8, 7])")
        window.wait(
            "return views.every((view) => view.codes && (view.flat || view.shownIndex === [9, 8, 7][view.axis]))"
        )
        shown.append({view: page.pixels(view) for view in views})
    for view in views:
        np.testing.assert_array_equal(shown[0][view], shown[1][view])
        assert len(np.unique(shown[0][view], axis=0)) > 3


def test_the_preview_of_a_real_scan(test_data, window, tmp_path, monkeypatch, record_property):
    monkeypatch.chdir(tmp_path)
    words = [PROGRAM, "pick", test_data / "aorta.mha", "--no-browser", "--lower", "700"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        url = re.search(r"http\S+", process.stderr.readline())[0]
        page = Page(window, url)
        page.mode("source")
        page.click("projection-z", [71, 213, 16])
        page.click("projection-z", [58, 78, 22])
        page.previewed()
        # A pixel of the window is about as large as a voxel.
        picked = [seed[:2] for seeds in window.run(SEEDS).values() for seed in seeds]
        assert np.abs(np.subtract(picked, [[71, 213], [58, 78]])).max() <= 1
        assert window.run("return Number(byId('result').textContent.split(' ')[0])") > 10_000
        times = window.run(
            """const times = [];
            for (let n = 0; n < 9; n += 1) {
              state.seeds.target[0][0] = 58 + (n % 2);
              const start = performance.now();
              await preview();
              times.push(performance.now() - start);
            }
            return times;"""
        )
        record_property("preview_milliseconds", median(times))
        page.press("cancel")
        assert process.wait(60) == 130
    assert list(tmp_path.iterdir()) == []
