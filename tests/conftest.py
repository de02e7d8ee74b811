"""What all tests share."""

from __future__ import annotations

import locale
import os
import signal
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says more about the machine than about the code: pytest's own timeout watches instead.
settings.register_profile("project", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("project")


@pytest.fixture(scope="session", autouse=True)
def signals_are_heard() -> None:
    """A shell lets programs in the background ignore Ctrl-C, and nohup a closed terminal; children would inherit it."""
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


@pytest.fixture(autouse=True)
def locale_stays() -> Iterator[None]:
    """SimpleITK's writer of DICOM leaves the process in the locale "C", in which Python takes text for ASCII."""
    before = locale.setlocale(locale.LC_ALL)
    yield
    locale.setlocale(locale.LC_ALL, before)


@pytest.fixture(scope="session", autouse=True)
def output_is_buffered() -> None:
    """Programs that tests start buffer what they print, as those of users do: a question must not wait in a buffer."""
    os.environ.pop("PYTHONUNBUFFERED", None)


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Folder with the real CT ``aorta.mha`` and the results VMTK published for it."""
    folder = os.environ.get("MITK_RS_TEST_DATA")
    if not folder:
        pytest.skip("MITK_RS_TEST_DATA is not set: no real CT and no published results to compare with")
    return Path(folder)


@pytest.fixture(scope="module")
def many_threads() -> Iterator[None]:
    """A budget of 16 threads, whatever the machine has, so that ``threads=16`` gives as many."""
    import mitk_rs as mitk

    mitk.set_num_threads(16)
    yield
    mitk.set_num_threads(None)


@pytest.fixture(scope="session")
def itk_files() -> None:
    """SimpleITK for ``.nrrd`` and the like: a dependency, but without wheels for free-threaded interpreters."""
    if find_spec("SimpleITK") is None:
        pytest.skip("SimpleITK is not installed: nothing reads or writes .nrrd")
