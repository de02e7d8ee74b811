"""Read files in a process of their own, with limits of memory and time.

A file that makes a reading library crash, hang or take all memory then ends that process and becomes a
:class:`mitk_rs.FileError` here. The description of an image comes back as JSON, which runs nothing; its voxels come in
shared memory. Workers wait a while for the next file, so that only the first one waits for Python to start; any thread
may use them.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import math
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitk_rs import _platform, errors
from mitk_rs._validation import real_number
from mitk_rs.errors import FileError, InternalError, RequestError
from mitk_rs.geometry import Frame
from mitk_rs.io.checks import bytes_of, printable, read_raw, shown, unreadable, zeros_of
from mitk_rs.io.formats import ImageHeader, ImageRecord, ReadOptions, geometries_of, placed
from mitk_rs.time_geometry import ArbitraryTimeGeometry, ProportionalTimeGeometry, TimeGeometry

_log = logging.getLogger(__name__)

_NOT_HERE = "reading in a process of its own, which files of unknown formats need, is possible on Linux and macOS only"
_IDLE_SECONDS = 60.0
_LONGEST_MESSAGE = 1 << 30
_SWITCH, _MEMORY, _SECONDS = "MITK_RS_ISOLATE", "MITK_RS_ISOLATE_MEMORY", "MITK_RS_ISOLATE_SECONDS"
_START = """import json, sys
sys.path[:] = json.loads(sys.argv[1])
from mitk_rs.io.isolation import serve
serve(int(sys.argv[2]))"""


@dataclass(frozen=True)
class Limits:
    """What a reader process may use for one file.

    Attributes
    ----------
    memory
        Bytes beside those of the interpreter and its libraries; None is half of the machine's memory.
    seconds
        Time until the process is ended.

    Raises
    ------
    RequestError
        A number that is not above 0.

    Examples
    --------
    >>> import mitk_rs as mitk
    >>> mitk.io.Limits(memory=2 << 30, seconds=60)
    Limits(memory=2147483648, seconds=60)
    """

    memory: int | None = None
    seconds: float = 300.0

    def __post_init__(self) -> None:
        for name in ("memory", "seconds"):
            number = getattr(self, name)
            if number is None and name == "memory":
                continue
            if not real_number(number, name) > 0:
                raise RequestError(f"{name} of a reader process must be above 0, got {number}")

    @property
    def bytes(self) -> int:
        """``memory``, or its default."""
        return self.memory or _platform.memory_bytes() // 2


def limits_of(isolate: bool | Limits | None) -> Limits | None:  # noqa: FBT001 (the value of an option)
    """Return the limits that an option ``isolate`` means; None for reading in this process.

    None as the option leaves it to the environment: ``MITK_RS_ISOLATE=1``, and ``MITK_RS_ISOLATE_MEMORY`` (bytes) and
    ``MITK_RS_ISOLATE_SECONDS`` for the limits.
    """
    if isinstance(isolate, Limits):
        return isolate
    if isolate is None and os.environ.get(_SWITCH, "0").lower() in ("", "0", "no", "false", "off"):
        return None
    if isolate is False:
        return None
    if _platform.process_limits() is None:
        raise RequestError(_NOT_HERE)
    try:
        memory, seconds = os.environ.get(_MEMORY), os.environ.get(_SECONDS)
        return Limits(int(memory) if memory else None, float(seconds) if seconds else Limits.seconds)
    except ValueError as error:
        raise RequestError(f"{_MEMORY} and {_SECONDS} must be numbers: {error}") from error


def read_header(path: str, options: ReadOptions, limits: Limits) -> ImageHeader:
    """Read a description in a process of its own."""
    (answer,) = _asked({"kind": "header", "path": path, "options": _plain(options)}, limits)
    return _header(answer["header"])


def read_records(
    path: str, options: ReadOptions, limits: Limits, *, reader: str = "", every: bool = False
) -> Iterator[ImageRecord]:
    """Read images in a process of its own; one, or with ``every`` all that :func:`mitk_rs.io.read_records` reads."""
    request = {"kind": "records" if every else "record", "path": path, "reader": reader, "options": _plain(options)}
    for answer in _asked(request, limits):
        yield ImageRecord.of(_header(answer["header"]), answer["voxels"])


def read_pixels(paths: Sequence[str], limits: Limits) -> Iterator[NDArray[Any]]:
    """Read the rescaled frames of DICOM files, file after file."""
    request = {"kind": "pixels", "path": paths[0], "paths": list(paths), "options": {}}
    return (answer["voxels"] for answer in _asked(request, limits))


def _plain(options: ReadOptions) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name != "isolate"}


# --- the side that asks ------------------------------------------------------------------------------------------


class _Worker:
    """A reader process and the socket to it; ``waited`` for another file after it had answered."""

    def __init__(self) -> None:
        if _platform.process_limits() is None:
            raise RequestError(_NOT_HERE)
        ours, theirs = socket.socketpair()
        self.socket = ours
        self.waited = False
        # Opened for appending, so that what a library prints next follows where the file was emptied.
        self._words = tempfile.TemporaryFile("a+b")  # noqa: SIM115 (closed with the worker)
        environment = {name: value for name, value in os.environ.items() if name != _SWITCH}
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _START, json.dumps(sys.path), str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=self._words,
                stderr=self._words,
                pass_fds=[theirs.fileno()],
                env=environment,
                process_group=0,
            )

    def last_words(self) -> str:
        """Return, and forget, what libraries printed."""
        self._words.seek(0)
        text = self._words.read(1 << 16).decode(errors="replace")
        self._words.truncate(0)
        return shown(text, 300)

    def end(self) -> int:
        """End the process if it has not ended; return its status."""
        self.socket.close()
        if self.process.poll() is None:
            self.process.kill()
        status = self.process.wait()
        self._words.close()
        return status


_idle: list[_Worker] = []
_lock = threading.Lock()


def _forget_workers() -> None:
    global _lock
    _lock = threading.Lock()
    for worker in _idle:
        # It belongs to the parent, and is not to be waited for.
        worker.process.returncode = 0
        worker.end()
    _idle.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_workers)


@atexit.register
def _end_workers() -> None:
    with _lock:
        while _idle:
            _idle.pop().end()


def _take() -> _Worker:
    with _lock:
        while _idle:
            worker = _idle.pop()
            if worker.process.poll() is None:
                return worker
            worker.end()
    return _Worker()


def _give_back(worker: _Worker) -> None:
    with _lock:
        if len(_idle) < (os.cpu_count() or 1):
            worker.waited = True
            _idle.append(worker)
            return
    worker.end()


def _asked(request: dict[str, Any], limits: Limits) -> list[dict[str, Any]]:
    """Have a worker answer; its errors are raised here, and its death is one."""
    path = request["path"]
    request |= {"folder": str(Path.cwd()), "memory": limits.bytes, "seconds": limits.seconds}
    worker, answers = _take(), []
    try:
        for answer in _answers(worker, request, time.monotonic() + limits.seconds):
            answers.append(answer)
        if not answers:
            raise ValueError("nothing was answered")
        spoken = worker.last_words()
    except errors.Exception:
        worker.last_words()
        _give_back(worker)
        raise
    except (TimeoutError, ConnectionError, EOFError, ValueError, KeyError, OSError) as error:
        if worker.waited and not answers and _has_ended(worker):
            return _asked(request, limits)
        raise _death(worker, path, limits, error) from None
    except BaseException:
        worker.end()
        raise
    _give_back(worker)
    if spoken:
        _log.info("%s: the reader says: %s", printable(path), spoken)
    return answers


def _has_ended(worker: _Worker) -> bool:
    """Return True for a worker that ended by itself, having waited long enough, just when it was asked."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        if worker.process.wait(0.5) == 0:
            worker.end()
            return True
    return False


def _death(worker: _Worker, path: str, limits: Limits, error: Exception) -> FileError:
    if isinstance(error, TimeoutError):
        worker.end()
        return unreadable(path, f"reading took longer than {limits.seconds:g} s")
    with contextlib.suppress(subprocess.TimeoutExpired):
        worker.process.wait(5)
    spoken = worker.last_words()
    status = worker.end()
    how = signal.Signals(-status).name if -status in set(signal.Signals) else f"status {status}"
    if how == "SIGXCPU":
        return unreadable(path, f"reading took longer than {limits.seconds:g} s")
    words = f"; its last words: {spoken}" if spoken else ""
    return unreadable(path, f"the reader process died ({how}) with a limit of {limits.bytes} bytes of memory{words}")


def _answers(worker: _Worker, request: dict[str, Any], end: float) -> Iterator[dict[str, Any]]:
    _send(worker.socket, request)
    while True:
        answer, handles = _receive(worker.socket, end)
        try:
            for name, level, message in answer.get("log", []):
                logging.getLogger(str(name)).log(int(level), "%s", message)
            for message in answer.get("warnings", []):
                warnings.warn(str(message), errors.DicomSeriesWarning, stacklevel=6)
            if "error" in answer:
                raise _error_of(answer)
            if handles:
                answer["voxels"] = _voxels(handles[0], answer)
            if answer.get("more"):
                yield answer
        finally:
            for handle in handles:
                os.close(handle)
        if not answer.get("more"):
            return


def _error_of(answer: Mapping[str, Any]) -> Exception:
    """An error of ours that the worker raised."""
    known = getattr(errors, str(answer["error"]), None) if answer["error"] in errors.__all__ else None
    made: Exception = known(answer["text"]) if known else InternalError(f"{answer['error']}: {answer['text']}")
    if isinstance(made, OSError) and answer.get("errno"):
        made.errno, made.filename = answer["errno"], answer.get("filename")
    return made


def _voxels(handle: int, answer: Mapping[str, Any]) -> NDArray[Any]:
    """The voxels out of the shared memory, as many as their description says."""
    dtype, shape = np.dtype(str(answer["dtype"])), [int(length) for length in answer["shape"]]
    if min(shape) < 1 or os.fstat(handle).st_size != math.prod(shape) * dtype.itemsize:
        raise ValueError("the voxels do not fit their description")
    array = zeros_of(answer["path"], shape, dtype)
    with open(handle, "rb", buffering=0, closefd=False) as file:
        file.seek(0)
        read_raw(answer["path"], file, array)
    return array


def _send(connection: socket.socket, message: Mapping[str, Any], handle: int | None = None) -> None:
    content = json.dumps(message).encode()
    start = struct.pack("<Q", len(content))
    if handle is None:
        connection.sendall(start)
    else:
        socket.send_fds(connection, [start], [handle])
    connection.sendall(content)


def _receive(connection: socket.socket, end: float) -> tuple[dict[str, Any], list[int]]:
    handles: list[int] = []

    def some(count: int) -> bytes:
        connection.settimeout(max(end - time.monotonic(), 1e-3))
        part, received, _, _ = socket.recv_fds(connection, min(count, 1 << 20), 1)
        handles.extend(received)
        if not part:
            raise EOFError
        return part

    def exactly(count: int) -> bytes:
        parts = []
        while count:
            parts.append(some(count))
            count -= len(parts[-1])
        return b"".join(parts)

    try:
        (length,) = struct.unpack("<Q", exactly(8))
        if length > _LONGEST_MESSAGE:
            raise ValueError("a message is too long")
        message = json.loads(exactly(length))
    except BaseException:
        for handle in handles:
            os.close(handle)
        raise
    return message, handles


# --- headers as JSON ---------------------------------------------------------------------------------------------


def _header(stored: Mapping[str, Any]) -> ImageHeader:
    shape, components = tuple(int(length) for length in stored["shape"]), int(stored["components"])
    frames = [Frame(spacing, tuple(cosines), origin) for spacing, origin, cosines in stored["frames"]]
    geometries = geometries_of(shape[: len(shape) - (components > 1)], frames)
    times: TimeGeometry
    if "points" in stored:
        times = ArbitraryTimeGeometry.from_time_points(stored["points"], geometries[0])
    else:
        first, duration, count = stored["grid"]
        times = ProportionalTimeGeometry(first, duration, count, geometries[0])
    return ImageHeader(
        shape=shape,
        dtype=np.dtype(str(stored["dtype"])),
        time_geometry=placed(times, geometries),
        components=components,
        properties=stored["properties"],
        uid=stored["uid"],
        reader=str(stored["reader"]),
    )


def _stored(header: ImageHeader) -> dict[str, Any]:
    times = header.time_geometry
    stored = {name: getattr(header, name) for name in ("shape", "components", "properties", "uid", "reader")}
    stored["dtype"] = header.dtype.str
    stored["frames"] = [(frame.spacing, frame.origin, frame.cosines) for frame in header.frames]
    if isinstance(times, ProportionalTimeGeometry):
        return stored | {"grid": (times.first_time_point, times.step_duration, times.count_time_steps())}
    return stored | {"points": times.time_points}


# --- the side that reads -----------------------------------------------------------------------------------------

_serving = False


def is_worker() -> bool:
    return _serving


def serve(handle: int) -> None:
    """Answer requests until the other side has gone, or does not ask for a while."""
    global _serving
    _serving = True
    resource = _platform.process_limits()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with socket.socket(fileno=handle) as connection:
        while True:
            try:
                request, _ = _receive(connection, time.monotonic() + _IDLE_SECONDS)
            except (EOFError, OSError):
                return
            _answer(connection, request)


def _answer(connection: socket.socket, request: Mapping[str, Any]) -> None:
    from logging.handlers import BufferingHandler

    from mitk_rs.io import itk, library_of

    collected, log = BufferingHandler(1 << 62), logging.getLogger("mitk_rs")
    log.addHandler(collected)
    log.setLevel(logging.INFO)
    answer: dict[str, Any] = {}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            os.chdir(request["folder"])
            # Before the limits, so that the memory of the library does not count.
            is_itk = request["kind"] == "pixels" or request.get("reader")
            itk.library() if is_itk else library_of(request["path"])
            _limit(request)
            _send_images(connection, request)
        except MemoryError as error:
            text = str(error) or f"cannot read {request['path']}: not enough memory"
            answer = {"error": "MemoryLimitError", "text": text}
        except Exception as error:
            answer = {"error": type(error).__name__, "text": str(error)}
            if isinstance(error, OSError):
                answer |= {"errno": error.errno, "filename": error.filename}
    log.removeHandler(collected)
    answer["log"] = [(one.name, one.levelno, one.getMessage()) for one in collected.buffer]
    answer["warnings"] = [str(one.message) for one in caught if issubclass(one.category, errors.DicomSeriesWarning)]
    _send(connection, answer)


def _limit(request: Mapping[str, Any]) -> None:
    """Set the limits for one file, from what the process uses now."""
    resource = _platform.process_limits()
    with contextlib.suppress(OSError, ValueError), open("/proc/self/statm") as file:  # noqa: PTH123
        used = int(file.read().split()[0]) * _platform.page_bytes()
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        wanted = used + request["memory"]
        resource.setrlimit(resource.RLIMIT_AS, (wanted if hard < 0 else min(wanted, hard), hard))
    spent = time.process_time()
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    wanted = int(spent + request["seconds"] * (os.cpu_count() or 1)) + 2
    resource.setrlimit(resource.RLIMIT_CPU, (wanted if hard < 0 else min(wanted, hard), hard))


def _send_images(connection: socket.socket, request: Mapping[str, Any]) -> None:
    from mitk_rs import io

    path, options = request["path"], request["options"]
    if request["kind"] == "header":
        _send(connection, {"header": _stored(io.read_info(path, **options)), "more": True})
    elif request["kind"] == "pixels":
        from mitk_rs.io.dicom_files import pixels

        for name in request["paths"]:
            _send_array(connection, name, pixels(name))
    else:
        every = request["kind"] == "records"
        records = io.read_records(path, request["reader"], **options) if every else [io.read_record(path, **options)]
        for record in records:
            _send_array(connection, path, record.array, header=_stored(record.header))


def _send_array(connection: socket.socket, path: str, array: NDArray[Any], **others: Any) -> None:
    with _shared(array) as file:
        message = {"path": path, "shape": array.shape, "dtype": array.dtype.str, "more": True, **others}
        _send(connection, message, file)


@contextlib.contextmanager
def _shared(array: NDArray[Any]) -> Iterator[int]:
    """The voxels as a file in memory."""
    content = bytes_of(np.ascontiguousarray(array))
    if hasattr(os, "memfd_create"):
        handle = os.memfd_create("voxels", os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile() as file:
            handle = os.dup(file.fileno())
    try:
        done = 0
        while done < len(content):
            done += os.write(handle, content[done : done + (1 << 26)])
        yield handle
    finally:
        os.close(handle)
