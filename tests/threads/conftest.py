"""Tools of the tests with threads: a watchdog, so that a deadlock is a failure and not a hang."""

import faulthandler
import threading
import time

import pytest


@pytest.fixture
def watchdog():
    """End the process with all stacks if a test hangs in a place where no exception can reach it."""
    faulthandler.dump_traceback_later(120, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


class Crew:
    """Threads that start together and whose errors are raised when they are joined."""

    def __init__(self):
        self._threads, self._errors = [], []

    def add(self, work, *args):
        self._threads.append(threading.Thread(target=self._run, args=(work, args), daemon=True))

    def _run(self, work, args):
        try:
            work(*args)
        except BaseException as error:
            self._errors.append(error)

    def start(self):
        for thread in self._threads:
            thread.start()

    def join(self, seconds=60):
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        if self._errors:
            raise self._errors[0]
        stuck = [thread.name for thread in self._threads if thread.is_alive()]
        assert not stuck, f"these threads hang: {stuck}"

    def run(self, seconds=60):
        self.start()
        self.join(seconds)


@pytest.fixture
def crew(watchdog):
    return Crew()
