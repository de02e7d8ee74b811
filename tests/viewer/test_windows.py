"""Windows on a real X server, driven by real keys and clicks; what is on the screen is looked at."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from time import monotonic, sleep

import numpy as np
import pytest
import SimpleITK
from PIL import Image as PillowImage

INIT = "vmtkimageinitialization"
EVOLUTION = "vmtklevelsetsegmentation"
# The window is 1200 x 900 at the upper left corner. The camera looks along z, with -y up. VTK's slice spans voxels 0 to
# 20, so voxel 10 is in the middle of the window whatever slice is shown; at slice k = 0 a voxel is 22 pixels wide, at
# k = 19 it is 14.7. The other two slices are seen from their edges, just above and left of the middle.
MIDDLE = (605, 455)
LOWER = "Lower threshold (a number, n for none, i to look at the image; values: 0 to 100)"
# How many windows signals end, by the variable that tests/reliability has, too.
WINDOWS = {"": 2, "minute": 10, "full": 50}[os.environ.get("MITK_RS_SOAK", "")]


@pytest.fixture
def tube(tmp_path: Path) -> Path:
    """The tube along z of the acceptance examples, 100 in 0, with a second one along x at j = 10, k = 5."""
    z, y, x = np.mgrid[:20, :20, :20]
    values = np.where((x - 10) ** 2 + (y - 10) ** 2 < 16, 100, 0)
    values[(z - 5) ** 2 + (y - 10) ** 2 < 9] = 100
    image = SimpleITK.GetImageFromArray(values.astype(np.int16))
    image.SetSpacing((0.5, 0.5, 1.0))
    image.SetOrigin((-3.0, 2.0, 7.0))
    SimpleITK.WriteImage(image, str(tmp_path / "tube.mha"))
    return tmp_path


class Session:
    """A running program, its log and pictures of its steps."""

    def __init__(self, screen, folder: Path, saves: Path, *words: str) -> None:
        self.screen, self.folder, self.saves = screen, folder, saves
        self.before = screen.picture()
        self.process = screen.start(*words, folder=folder)

    def __enter__(self) -> Session:
        self.screen.do("mousemove", 400, 480)
        self.screen.wait_for_change(self.before)
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def hears(self, text: str, times: int = 1) -> None:
        """Wait until the log has said something that many times."""
        for _ in range(450):
            log = (self.folder / "out.txt").read_text()
            if log.count(text) >= times:
                return
            assert self.process.poll() is None, f"ended without {text!r}:\n{log}\n{self.errors}"
            sleep(0.1)
        raise AssertionError(f"{text!r} does not come; so far:\n{log}")

    def press(self, *keys: str) -> None:
        """Press keys and wait until that is to be seen."""
        before = self.screen.settled()
        self.screen.key(*keys)
        self.screen.wait_for_change(before)

    @property
    def errors(self) -> str:
        return (self.folder / "err.txt").read_text()

    def look(self, name: str) -> np.ndarray:
        picture = self.screen.settled()
        PillowImage.fromarray(picture).save(self.saves / f"{name}.png")
        return picture[:900, :1200].astype(int)

    def sees(self, name: str, wanted: Callable[[np.ndarray], object]) -> np.ndarray:
        """Wait until the window looks as wanted."""
        for _ in range(450):
            picture = self.screen.picture()[:900, :1200].astype(int)
            if wanted(picture):
                return self.look(name)
            assert self.process.poll() is None, self.errors
            sleep(0.1)
        self.look(f"{name}-failed")
        raise AssertionError(f"{name} is not to be seen")

    def ends(self, status: int = 0) -> None:
        assert self.process.wait(60) == status, self.errors


def run(folder: Path, *words: str) -> None:

    subprocess.run([sys.executable, "-m", "mitk_rs.cli.main", *words], cwd=folder, check=True, capture_output=True)


def voxels(path: Path) -> np.ndarray:
    return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))


def reddish(picture: np.ndarray) -> int:
    """Pixels in which red is far above blue: tint, seeds and result."""
    return int(np.count_nonzero(picture[..., 0] - picture[..., 2] > 60))


def yellow_pixels(picture: np.ndarray) -> np.ndarray:
    return (picture[..., 0] > 200) & (picture[..., 1] > 200) & (picture[..., 2] < 180)


def yellow(picture: np.ndarray) -> int:
    """Pixels of the prompt: it is there when the window takes clicks and keys."""
    return int(np.count_nonzero(yellow_pixels(picture)))


def red(picture: np.ndarray) -> np.ndarray:
    return (picture[..., 0] > 180) & (picture[..., 1] < 60) & (picture[..., 2] < 60)


def test_two_branches_by_clicks_and_keys_equal_the_headless_run(screen, tube, saves) -> None:
    with Session(
        screen, tube, saves, INIT, "-ifile", "tube.mha", "-olevelsetsfile", "w.mha", "-osurfacefile", "w.stl"
    ) as window:
        window.hears("(0 collidingfronts")
        opened = window.look("1-opened")
        assert tuple(opened[5, 5]) == (26, 26, 51)
        assert (opened[450, 600] > 200).all()
        screen.type("0")
        window.hears(f"{LOWER}: ")
        screen.do("type", "50")
        window.sees("2-threshold-previewed", lambda picture: reddish(picture) > reddish(opened) + 5000)
        screen.key("Return")
        window.hears("Upper threshold")
        screen.type("n")
        window.hears("Place exactly two seeds")
        screen.key(*["Down"] * 9)
        screen.control_click(*MIDDLE)
        window.hears("seed 1 at 10 10 0")
        screen.control_click(600 - 2 * 22, MIDDLE[1])
        window.hears("seed 2 at 8 10 0")
        screen.key("u")
        window.hears("seed at 8 10 0 taken away")
        screen.key(*["Up"] * 19)
        screen.control_click(*MIDDLE)
        window.hears("seed 2 at 10 10 19")
        window.look("3-two-seeds")
        screen.key("q")
        window.hears("Accept this result? (y/n): ")
        window.look("4-first-result")
        screen.type("y")
        window.hears("Initialize another branch? (y/n): ")
        screen.type("y")
        window.hears("(0 collidingfronts", times=2)
        screen.key(*["Down"] * 14)
        screen.type("2")
        window.hears(f"seeds) [0]: 2\n{LOWER} [50]: ")
        screen.key("Return")
        window.hears("[50]: \nUpper")
        screen.type("n")
        window.hears("Place source seeds")
        screen.control_click(*MIDDLE)
        window.hears("seed 1 at 10 10 5")
        screen.key("q")
        window.hears("Place target seeds")
        # 19.5 pixels a voxel at k = 5.
        screen.control_click(600 - 8 * 19.5, MIDDLE[1])
        window.hears("seed 1 at 2 10 5")
        window.look("5-second-branch")
        screen.key("q")
        window.hears("Accept this result? (y/n): ", times=2)
        window.look("6-second-result")
        screen.type("y")
        screen.type("n")
        window.ends()
    common = ["-ifile", "tube.mha", "-interactive", "0", "-lowerthreshold", "50"]
    points = ["-sourcepoints", "10", "10", "0", "-targetpoints", "10", "10", "19"]
    run(tube, INIT, *common, "-method", "collidingfronts", *points, "-olevelsetsfile", "a.mha")
    points = ["-sourcepoints", "10", "10", "5", "-targetpoints", "2", "10", "5"]
    run(tube, INIT, *common, "-method", "fastmarching", *points, "-olevelsetsfile", "b.mha")
    merged = np.minimum(voxels(tube / "a.mha"), voxels(tube / "b.mha"))
    assert voxels(tube / "w.mha").tobytes() == merged.tobytes()
    image = SimpleITK.GetImageFromArray(merged)
    image.CopyInformation(SimpleITK.ReadImage(str(tube / "tube.mha")))
    SimpleITK.WriteImage(image, str(tube / "merged.mha"))
    run(tube, "vmtkmarchingcubes", "-ifile", "merged.mha", "-ofile", "m.stl")
    assert (tube / "w.stl").read_bytes() == (tube / "m.stl").read_bytes()


def test_escape_cancels_and_leaves_nothing(screen, tube, saves) -> None:
    with Session(screen, tube, saves, INIT, "-ifile", "tube.mha", "-olevelsetsfile", "w.mha") as window:
        screen.key("Escape")
        window.ends(4)
    assert window.errors == f"{INIT}: error: tube.mha: the dialogue was cancelled, nothing is written\n"
    assert not (tube / "w.mha").exists()


def cyan(picture: np.ndarray) -> int:
    """Pixels of seeds."""
    return int(np.count_nonzero((np.abs(picture - (26, 230, 255)) < 12).all(axis=-1)))


def test_a_whole_session_with_mistakes_and_the_way_back(screen, tube, saves) -> None:
    """In a small window: drag, keys, reset, a wrong threshold, a missing seed, Escape asked about, one step back."""
    line = f"vmtkrenderer -size 600 450 --pipe {INIT} -ifile tube.mha -interactive 1 -olevelsetsfile w.mha"
    with Session(screen, tube, saves, "pype", line) as window:
        window.hears("(0 collidingfronts")
        names = subprocess.run(
            ["xdotool", "search", "--name", "tube.mha - mitk_rs"], env=screen.environment, capture_output=True
        )
        assert names.stdout.strip()
        first = window.look("20-first")[:450, :600]
        # The first picture shows the vessel and its question whole.
        assert first[225, 305].min() > 200
        marked = np.flatnonzero(yellow_pixels(first).any(axis=0))
        assert (marked.min() > 5, marked.max() < 594) == (True, True)
        screen.do("mousemove", 320, 240, "mousedown", 3, "mousemove", 380, 150, "mouseup", 3)
        dragged = window.look("21-dragged")[:450, :600]
        assert np.count_nonzero((dragged != first).any(axis=-1)) > 5000
        screen.key("Home")
        assert np.array_equal(window.look("22-reset")[:450, :600], first)
        screen.key("shift+Down", "shift+Left")
        assert np.count_nonzero((window.look("23-keys")[:450, :600] != first).any(axis=-1)) > 5000
        screen.key("Home")
        screen.type("0")
        window.hears(f"{LOWER}: ")
        screen.type("99999")
        window.hears("99999 is outside of the values of the image, 0 to 100; answer it once more to take it")
        screen.key("Return")
        window.hears("Upper threshold")
        screen.type("b")
        window.hears(f"one step back\n{LOWER} [99999]: ")
        screen.type("50")
        window.hears("Upper threshold", times=2)
        screen.type("n")
        window.hears("Place exactly two seeds")
        tinted = window.look("24-tinted")[:450, :600]
        screen.control_click(303, 228)
        window.hears("seed 1 at 10 10 9")
        seed = window.look("25-seed")[:450, :600]
        assert cyan(seed) > cyan(tinted) + 20
        screen.key("q")
        window.hears("exactly 2 seeds are needed, 1 is placed; place one more")
        assert cyan(window.look("26-seed-stays")[:450, :600]) == cyan(seed)
        screen.key(*["Up"] * 5)
        screen.control_click(303, 228)
        window.hears("seed 2 at 10 10 14")
        screen.key("q")
        window.hears("Accept this result? (y/n): ")
        screen.key("Escape")
        window.hears("Cancel and throw this result away? (y/n): ")
        window.look("27-escape")
        screen.key("n")
        window.hears("Accept this result? (y/n): ", times=2)
        screen.type("y")
        window.hears("Initialize another branch? (y/n): ")
        screen.key("Escape")
        window.hears("Cancel and throw the accepted branch away? (y/n): ")
        screen.key("Escape")
        screen.key("F12")
        window.hears("wrote vmtk-screenshot-0.png")
        # The window is as it was, with the name of the file above the question.
        window.sees("28-screenshot", lambda picture: yellow(picture[:450, :600]) > 200)
        last = window.look("28-screenshot")[:450, :600]
        assert (last[100:300, 250:350] == first[100:300, 250:350]).all(axis=-1).mean() > 0.2
        screen.type("n")
        window.ends()
    assert voxels(tube / "w.mha").min() < 0
    with PillowImage.open(tube / "vmtk-screenshot-0.png") as shot:
        assert shot.size == (2400, 1800)
        question = yellow_pixels(np.asarray(shot).astype(int))
    # Letters are as large in a screenshot as in the window: it has sixteen times their pixels.
    assert np.count_nonzero(question) > 6 * yellow(last)


def test_two_branches_are_evolved_in_a_window_as_headless(screen, tube, saves) -> None:
    """Initialization, thresholds, parameters, other parameters, continuation, and a second branch that is merged."""
    words = [EVOLUTION, "-ifile", "tube.mha", "-levelsetstype", "threshold", "-iterations", "0", "-ofile", "w.mha"]
    with Session(screen, tube, saves, *words) as window:
        window.hears("(0 collidingfronts")
        screen.type("4")
        window.hears("Isosurface level")
        screen.type("90")
        window.hears("Accept this result? (y/n): ")
        screen.type("y")
        window.hears("Initialize another branch? (y/n): ")
        screen.type("n")
        window.hears("Lower threshold of the speed (a number, i to look at the image; values: 0 to 100): ")
        start = window.look("30-start-of-evolution")
        screen.type("frog")
        window.hears("'frog' does not answer: a number is needed")
        screen.do("type", "50")
        window.sees("31-threshold-of-speed", lambda picture: reddish(picture) > reddish(start) + 2000)
        screen.key("Return")
        window.hears("Upper threshold of the speed")
        screen.type("100")
        for question, answer in (("iterations", "20"), ("Propagation", "1"), ("Curvature", "0")):
            window.hears(question)
            screen.type(answer)
        window.hears("Accept this result? (y; n for other parameters; c to continue from it): ")
        evolved = window.look("32-first-evolution")
        assert not np.array_equal(evolved, start)
        screen.type("n")
        window.hears("values: 0 to 100) [50]: ")
        screen.type("")
        window.hears("values: 0 to 100) [100]: ")
        screen.type("")
        window.hears("of at least 1) [20]: ")
        screen.type("5")
        window.hears("Propagation scaling (0 or more) [1]: ")
        screen.type("0.5")
        window.hears("Curvature scaling (0 or more) [0]: ")
        screen.type("0.1")
        window.hears("c to continue from it): ", times=2)
        window.look("33-other-parameters")
        screen.type("c")
        window.hears("c to continue from it): ", times=3)
        window.look("34-continued")
        screen.type("y")
        window.hears("Segment another branch? (y/n): ")
        screen.type("y")
        window.hears("(0 collidingfronts", times=2)
        screen.type("3")
        window.hears(f"{LOWER}: ")
        screen.type("50")
        screen.type("n")
        window.hears("Accept this result? (y/n): ", times=2)
        screen.type("y")
        screen.type("n")
        window.hears("Lower threshold of the speed", times=3)
        for question in ("Upper threshold of the speed", "iterations (", "Propagation scaling", "Curvature scaling"):
            screen.type("")
            window.hears(question, times=3)
        screen.type("")
        window.hears("c to continue from it): ", times=4)
        screen.type("y")
        window.hears("Merge this branch with the others? (y; n keeps this one alone): ")
        window.look("35-two-branches")
        screen.type("y")
        screen.type("n")
        window.ends()
    common = ["-ifile", "tube.mha", "-interactive", "0"]
    run(tube, INIT, *common, "-method", "isosurface", "-isosurface", "90", "-olevelsetsfile", "a.mha")
    run(tube, INIT, *common, "-method", "threshold", "-lowerthreshold", "50", "-olevelsetsfile", "b.mha")
    common = [EVOLUTION, "-ifile", "tube.mha", "-levelsetstype", "threshold", "-iterations", "5", "-propagation", "0.5"]
    common += ["-curvature", "0.1", "-lowerthreshold", "50", "-upperthreshold", "100"]
    for start, end in (("a", "c"), ("c", "d"), ("b", "e")):
        run(tube, *common, "-initiallevelsetsfile", f"{start}.mha", "-ofile", f"{end}.mha")
    merged = np.minimum(voxels(tube / "d.mha"), voxels(tube / "e.mha"))
    assert voxels(tube / "w.mha").tobytes() == merged.tobytes()


def test_escape_during_an_evolution_dialogue_leaves_nothing(screen, tube, saves) -> None:
    run(tube, INIT, "-ifile", "tube.mha", "-interactive", "0", "-method", "isosurface", "-isosurface", "90",
        "-olevelsetsfile", "a.mha")  # fmt: skip
    words = [EVOLUTION, "-ifile", "tube.mha", "-initiallevelsetsfile", "a.mha", "-ofile", "w.mha"]
    with Session(screen, tube, saves, *words) as window:
        window.hears("Number of iterations (a whole number of at least 1) [300]: ")
        screen.key("Escape")
        window.hears("Cancel and throw this result away? (y/n): ")
        screen.key("y")
        window.ends(4)
    assert window.errors == f"{EVOLUTION}: error: tube.mha: the dialogue was cancelled, nothing is written\n"
    assert not (tube / "w.mha").exists()


def test_what_the_line_says_is_offered_and_looking_keeps_the_question(screen, tube, saves) -> None:
    words = [INIT, "-ifile", "tube.mha", "-interactive", "1", "-method", "threshold", "-lowerthreshold", "50"]
    with Session(screen, tube, saves, *words, "-olevelsetsfile", "w.mha") as window:
        window.hears("5 seeds) [3]: ")
        screen.key("Return")
        window.hears("[50]: ")
        screen.type("i")
        window.hears("q brings the question back")
        looking = window.look("7-looking")
        window.press("q")
        window.press("7", "BackSpace", "5", "0")
        assert not np.array_equal(window.look("8-question-again"), looking)
        screen.key("Return")
        screen.type("n")
        window.hears("Accept")
        screen.type("y")
        screen.type("n")
        window.ends()
    assert np.array_equal(voxels(tube / "w.mha"), np.where(voxels(tube / "tube.mha") >= 50, -1, 1))


def test_a_shared_renderer_is_used_twice_and_closed_once(screen, tube, saves) -> None:
    line = (
        f"vmtkrenderer -size 700 500 --pipe {INIT} -ifile tube.mha -interactive 1 -method isosurface -isosurface 50 "
        f"-olevelsetsfile a.mha --pipe {INIT} -id 2 -ifile tube.mha -interactive 1 -method isosurface -isosurface 20 "
        "-olevelsetsfile b.mha"
    )
    with Session(screen, tube, saves, "pype", line) as window:
        for number, level in enumerate(("50", "20"), start=1):
            window.hears("(0 collidingfronts", times=number)
            screen.key("Return")
            window.hears(f"[{level}]: ")
            screen.key("Return")
            window.hears("isosurface initialization", times=number)
            screen.type("y")
            screen.type("n")
        window.ends()
    assert float(voxels(tube / "a.mha").max()) == 50.0
    assert float(voxels(tube / "b.mha").max()) == 20.0


def test_the_box_of_the_voi_selector_crops(screen, tube, saves) -> None:
    words = ["vmtkimagevoiselector", "-ifile", "tube.mha", "-ofile", "v.vti", "-boxbounds"]
    with Session(screen, tube, saves, *words, "5", "8", "0", "4", "10", "20") as window:
        window.sees("9-box", lambda picture: yellow(picture) > 500)
        window.press("q")
        window.sees("9-cropped", lambda picture: yellow(picture) > 500)
        screen.key("q")
        window.ends()
    log = (tube / "out.txt").read_text()
    assert "Done executing vmtkimagevoiselector." in log
    made = (tube / "v.vti").read_bytes()
    assert b'WholeExtent="4 10 4 12 3 13"' in made


def test_the_image_viewer_shows_and_goes_on_with_q(screen, tube, saves) -> None:
    with Session(screen, tube, saves, "vmtkimageviewer", "-ifile", "tube.mha", "-windowlevel", "400", "200") as window:
        # 100 in a window of 0 to 400 is a quarter of white.
        window.sees("10-viewer", lambda picture: abs(picture[450, 600, 0] - 64) <= 3)
        screen.key("q")
        window.ends()


def test_seeds_are_stored_as_points(screen, tube, saves) -> None:
    with Session(screen, tube, saves, "vmtkimageseeder", "-ifile", "tube.mha", "-seedsfile", "s.vtp") as window:
        window.sees("11-before", lambda picture: picture[450, 600, 0] > 250 and yellow(picture) > 500)
        screen.control_click(*MIDDLE)
        window.sees("11-seeder", lambda picture: np.count_nonzero(red(picture)) > 20)
        screen.key("q")
        window.ends()
    run(tube, "vmtksurfacereader", "-ifile", "s.vtp", "-ofile", "s.dat")
    assert (tube / "s.dat").read_text() == "X Y Z\n8.0 3.0 16.0\n"


def test_a_surface_is_shown_and_its_representation_changes(screen, tube, saves) -> None:
    run(tube, "vmtkmarchingcubes", "-ifile", "tube.mha", "-l", "50", "-ofile", "s.vtp")
    with Session(screen, tube, saves, "vmtksurfaceviewer", "-ifile", "s.vtp", "-color", "1", "0", "0") as window:
        surface = window.sees("12-surface", lambda picture: reddish(picture) > 15000)
        window.press("w")
        window.press("w")
        wireframe = window.look("13-wireframe")
        assert not np.array_equal(wireframe, surface)
        screen.key("x")
        window.screen.settled()
        screen.key("q")
        window.ends()
    with PillowImage.open(tube / "vmtk-screenshot-0.png") as shot:
        assert shot.size == (4800, 3600)


def test_projection_and_surface_share_a_window(screen, tube, saves) -> None:
    run(tube, "vmtkmarchingcubes", "-ifile", "tube.mha", "-l", "50", "-ofile", "s.vtp")
    line = (
        "vmtkrenderer -size 1200 900 --pipe vmtkimagemipviewer -ifile tube.mha -windowlevel 200 100 -opacity 0 0.4 "
        "-display 0 --pipe vmtksurfaceviewer -ifile s.vtp -color 1 0 0"
    )
    with Session(screen, tube, saves, "pype", line) as window:
        # Where both are, the grey of the projection mixes with the red of the surface behind it.
        window.sees("14-shared", lambda picture: reddish(picture) > 5000 and picture[450, 600, 1] > 20)
        screen.key("q")
        window.ends()


def test_a_dead_display_is_no_display(tube) -> None:

    done = subprocess.run(
        [sys.executable, "-m", "mitk_rs.cli.main", INIT, "-ifile", "tube.mha"],
        cwd=tube,
        env={**os.environ, "DISPLAY": ":987"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 6
    assert "there is no display and no terminal" in done.stderr


@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_closes_a_window_in_which_nothing_happens(screen, tube, saves, which) -> None:
    with Session(screen, tube, saves, "vmtkimageviewer", "-ifile", "tube.mha", "-ofile", "y.vti") as window:
        window.process.send_signal(which)
        assert window.process.wait(30) == 128 + which
        assert window.errors == ""
    assert not (tube / "y.vti").exists()


@pytest.mark.timeout(3600)
def test_signals_at_random_moments_of_a_window(screen, tube, saves) -> None:
    """While it is looked at, and while its slices change."""
    chance, delays = Random(3), []
    for number in range(WINDOWS):
        which = (signal.SIGINT, signal.SIGTERM)[number % 2]
        with Session(screen, tube, saves, "vmtkimageviewer", "-ifile", "tube.mha", "-ofile", "y.vti") as window:
            if number % 3:
                screen.key(*["Up"] * 9)
            sleep(chance.uniform(0, 0.3))
            window.process.send_signal(which)
            began = monotonic()
            assert window.process.wait(30) == 128 + which
            delays.append(monotonic() - began)
            assert window.errors == ""
        assert not (tube / "y.vti").exists()
    delays.sort()
    middle, longest = delays[len(delays) // 2], delays[-1]
    print(f"\nreliability: {WINDOWS} windows: ended {middle:.2f} s after a signal, {longest:.2f} s at most")


INTERRUPTED = """
import os, signal, threading
from mitk_rs.viewer.window import ViewerWindow
window = ViewerWindow(size=(600, 500))
ticks = 0
def tick(*_):
    global ticks
    ticks += 1
    if ticks == 2:
        os.kill(os.getpid(), signal.SIGINT)
window.interactor.AddObserver("TimerEvent", tick)
try:
    window.run()
except KeyboardInterrupt:
    print("interrupted after", ticks, "ticks")
"""


def test_ctrl_c_in_a_window_of_the_users_own_program_is_an_ordinary_interrupt(screen, tube) -> None:
    """It comes with the next tick of the window's timer, twenty of which make a second."""
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], env=screen.environment, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout in ("interrupted after 2 ticks\n", "interrupted after 3 ticks\n")


def test_an_exception_behind_a_key_comes_out_of_the_window(screen, tube, saves) -> None:
    program = (
        "from mitk_rs.viewer.window import ViewerWindow\n"
        "window = ViewerWindow(size=(600, 500))\n"
        "window.bind('a', 'fail', lambda: 1 / 0)\n"
        "print('ready', flush=True)\n"
        "window.run()\n"
    )
    with (tube / "out.txt").open("w") as out, (tube / "err.txt").open("w") as err:
        process = subprocess.Popen([sys.executable, "-c", program], env=screen.environment, stdout=out, stderr=err)
    screen.do("mousemove", 300, 300)
    for _ in range(450):
        if process.poll() is not None:
            break
        if "ready" in (tube / "out.txt").read_text():
            screen.key("a")
        sleep(0.3)
    assert process.wait(30) == 1
    assert (tube / "err.txt").read_text().endswith("ZeroDivisionError: division by zero\n")


ASKING = """
from mitk_rs.vmtk import pypes, vmtkscripts

renderer = vmtkscripts.vmtkRenderer()
renderer.Initialize()
script = pypes.pypeScript()
renderer.RegisterScript(script)
print("ready", flush=True)
print("answer", script.InputText("How wide? ", str.isdigit), flush=True)
renderer.PromptAsync("Name: ", lambda name: print("name", name, flush=True))
renderer.Render()
renderer.Deallocate()
"""


def test_a_script_with_a_renderer_asks_in_the_window(screen, tube, saves) -> None:
    with (tube / "out.txt").open("w") as out, (tube / "err.txt").open("w") as err:
        process = subprocess.Popen(
            [sys.executable, "-c", ASKING], env=screen.environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err
        )

    def hears(text: str) -> None:
        for _ in range(450):
            if text in (tube / "out.txt").read_text():
                return
            assert process.poll() is None, (tube / "err.txt").read_text()
            sleep(0.1)
        raise AssertionError(f"{text} does not come")

    screen.do("mousemove", 300, 300)
    hears("ready")
    hears("How wide? ")
    screen.settled()
    screen.type("wide")
    for _ in range(450):
        if (tube / "out.txt").read_text().count("How wide? ") == 2:
            break
        sleep(0.1)
    screen.settled()
    screen.type("12")
    hears("answer 12\n")
    screen.settled()
    screen.type("Ada L.")
    hears("name Ada L.\n")
    assert process.wait(30) == 0
    assert (tube / "err.txt").read_text() == ""
