"""A screen without a monitor, and hands and eyes for it: Xvfb, xdotool, and the frame buffer as an array."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

SIZE = (1280, 1024)
SECONDS = 45.0


class Screen:
    """One X server."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        reading, writing = os.pipe()
        command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", f"{SIZE[0]}x{SIZE[1]}x24", "-fbdir", folder]
        self._server = subprocess.Popen(
            [*command, "-nolisten", "tcp", "-noreset"],
            pass_fds=[writing],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(writing)
        with os.fdopen(reading) as pipe:
            self.name = f":{pipe.readline().strip()}"

    def close(self) -> None:
        self._server.terminate()
        self._server.wait(10)

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "DISPLAY": self.name}

    def start(self, *words: str, folder: Path) -> subprocess.Popen[str]:
        """Start ``mitk-rs`` on this screen with its input closed."""
        with (folder / "out.txt").open("w") as out, (folder / "err.txt").open("w") as err:
            return subprocess.Popen(
                [sys.executable, "-m", "mitk_rs.cli.main", *words],
                cwd=folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                text=True,
            )

    @contextmanager
    def running(self, *words: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
        """As :meth:`start`; its window does not outlive the block, so that it takes no keys of others."""
        program = self.start(*words, folder=folder)
        try:
            yield program
        finally:
            program.kill()
            program.wait(SECONDS)

    def do(self, *words: str | int) -> None:
        """Move the mouse and press keys."""
        subprocess.run(["xdotool", *map(str, words)], env=self.environment, check=True, timeout=SECONDS)

    def key(self, *keys: str) -> None:
        self.do("key", "--delay", 30, *keys)

    def type(self, text: str) -> None:
        """Type text and Return."""
        if text:
            self.do("type", "--delay", 30, text)
        self.key("Return")

    def control_click(self, x: float, y: float) -> None:
        """Click with Ctrl held, at pixels from the upper left corner."""
        self.do("mousemove", round(x), round(y))
        self.do("keydown", "ctrl", "click", 1, "keyup", "ctrl")

    def picture(self) -> NDArray[np.uint8]:
        """What is on the screen, ``(y, x, 3)``; the frame buffer is a file in the format of xwd."""
        content = (self._folder / "Xvfb_screen0").read_bytes()
        fields = struct.unpack(">25I", content[:100])
        header, width, height, line, colours = fields[0], fields[4], fields[5], fields[12], fields[19]
        rows = np.frombuffer(content, np.uint8, line * height, header + 12 * colours).reshape(height, line)
        return rows[:, : 4 * width].reshape(height, width, 4)[:, :, 2::-1].copy()

    def settled(self) -> NDArray[np.uint8]:
        """The screen once it has stopped changing."""
        before = self.picture()
        for _ in range(int(SECONDS / 0.2)):
            time.sleep(0.2)
            now = self.picture()
            if np.array_equal(now, before):
                return now
            before = now
        raise AssertionError("the screen does not come to rest")

    def wait_for(self, wanted: Callable[[NDArray[np.uint8]], object]) -> None:
        """Wait until the screen looks as wanted."""
        for _ in range(int(SECONDS / 0.1)):
            if wanted(self.picture()):
                return
            time.sleep(0.1)
        raise AssertionError("the screen does not come to look as wanted")

    def wait_for_change(self, before: NDArray[np.uint8]) -> NDArray[np.uint8]:
        for _ in range(int(SECONDS / 0.1)):
            if not np.array_equal(self.picture(), before):
                return self.settled()
            time.sleep(0.1)
        raise AssertionError("nothing happened on the screen")


@pytest.fixture(scope="session")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Screen]:
    missing = [name for name in ("Xvfb", "xdotool") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"{' and '.join(missing)} not installed: windows are not tested")
    made = Screen(tmp_path_factory.mktemp("screen"))
    yield made
    made.close()


@pytest.fixture
def saves(tmp_path: Path) -> Path:
    """Where tests leave pictures of their steps: ``MITK_RS_TEST_PICTURES`` if set, else the temporary folder."""
    folder = Path(os.environ.get("MITK_RS_TEST_PICTURES", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
