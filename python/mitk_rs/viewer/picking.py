"""Pick seeds in a page: what the page shows of an image, and the level set of what was picked.

The page (``page/``) draws slices and projections itself, from *encoded* values: uint16, little-endian, so that
``value = offset + scale * code``. Integers of up to 16 bits are exact. Pixels are in the order of the voxels; the page
turns them as :mod:`mitk_rs.projection` turns its pictures, from the numbers in ``views``.

The server of the page listens on 127.0.0.1 only. The address that is shown holds a token that works once: it is
exchanged for a cookie, which every request needs. Requests are refused unless they name this machine as their host (a
page elsewhere could otherwise reach the server through a name of its own), and unless those that change something come
from the page itself. Names of files come from the command line, never from the page.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import hmac
import importlib.resources
import json
import logging
import math
import secrets
import shlex
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
from numpy.typing import NDArray

from mitk_rs import errors
from mitk_rs._sources import Source
from mitk_rs.errors import Cancelled, RequestError
from mitk_rs.errors import Exception as MitkError
from mitk_rs.interop import as_image
from mitk_rs.levelset import LevelSetResult, Method, initialize_level_set
from mitk_rs.projection import project_all
from mitk_rs.projection.camera import view_along
from mitk_rs.seeds import Seed, Seeds
from mitk_rs.thresholds import histogram

if TYPE_CHECKING:
    from mitk_rs.image import Image

__all__ = ["PageServer", "PickSession", "Request", "embedded_page"]

_log = logging.getLogger(__name__)

_METHODS = ("collidingfronts", "multiplecollidingfronts", "fastmarching", "threshold", "seeds")
# A page with a larger scan inside is slow to open.
_EMBEDDED_BYTES = 64 * 2**20
_BINS = 128
_MOST_POINTS = 1000
_LARGEST_CODE = 65535

Index = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the page asks a level set of."""

    method: Method = "collidingfronts"
    sources: tuple[Index, ...] = ()
    targets: tuple[Index, ...] = ()
    lower: float | str | None = None
    upper: float | None = None

    @classmethod
    def from_json(cls, content: Any) -> Request:
        """The request of a page, which may send anything; a ``RequestError`` says what is not of the right form."""
        if not isinstance(content, dict):
            raise RequestError("the request must be an object")
        method = content.get("method")
        if method not in _METHODS:
            raise RequestError(f"method must be one of {', '.join(_METHODS)}")
        lower = content.get("lower")
        return cls(
            method=method,
            sources=_points(content.get("sources"), "sources"),
            targets=_points(content.get("targets"), "targets"),
            lower=lower if lower == "auto" else _number(lower, "lower"),
            upper=_number(content.get("upper"), "upper"),
        )


def _points(value: Any, name: str) -> tuple[Index, ...]:
    if not isinstance(value, list) or len(value) > _MOST_POINTS:
        raise RequestError(f"{name} must be a list of at most {_MOST_POINTS} voxels")
    return tuple(_voxel(point) for point in value)


def _voxel(point: Any) -> Index:
    """Three whole numbers from 0."""
    whole = isinstance(point, list) and len(point) == 3 and all(type(i) is int and 0 <= i < 2**31 for i in point)
    if not whole:
        raise RequestError("a voxel must be three whole numbers from 0")
    i, j, k = point
    return i, j, k


def _number(value: Any, name: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):
            if math.isfinite(value):
                return float(value)
    raise RequestError(f"{name} must be a finite number or null")


class PickSession:
    """A scalar volume, and the level set of the seeds and thresholds that the page sent last.

    ``name`` is what the page and the printed command call it.
    """

    def __init__(self, image: Image, *, name: str, time_step: int | None = None, threads: int | None = None) -> None:
        image = as_image(image)
        self.image, self.name, self.time_step, self.threads = image, name, time_step, threads
        #: Options of reading, for the printed command.
        self.reading: Sequence[str] = ()
        self.source = Source(image, "the image", time_step=time_step, axes=(3,))
        self.generation = 0
        self._lock = threading.Lock()
        self._running = threading.Lock()
        self._cancel = threading.Event()
        self._inside: tuple[int, _Inside] | None = None

    @property
    def size(self) -> Index:
        """Voxels along x, y and z."""
        z, y, x = self.source.shape
        return x, y, z

    # What the page shows

    @cached_property
    def _codes(self) -> tuple[float, float]:
        """Offset and scale of the encoded values."""
        low, high = self._histogram.percentiles[0.0], self._histogram.percentiles[100.0]
        exact = np.dtype(self.image.dtype).kind in "iub" and high - low <= _LARGEST_CODE
        return low, 1.0 if exact else (high - low) / _LARGEST_CODE or 1.0

    @cached_property
    def _histogram(self) -> Any:
        return histogram(self.image, bins=_BINS, time_step=self.time_step)

    def encode(self, values: NDArray[Any]) -> NDArray[np.uint16]:
        """Values as the page gets them; what is not a number becomes the least value."""
        offset, scale = self._codes
        codes = np.nan_to_num((values.astype(np.float64) - offset) / scale, nan=0.0, posinf=_LARGEST_CODE, neginf=0.0)
        return np.rint(codes).clip(0, _LARGEST_CODE).astype("<u2")

    def slice(self, axis: int, index: int) -> bytes:
        """The encoded slice across an axis (0 is x), rows before columns."""
        if axis not in (0, 1, 2) or not 0 <= index < self.size[axis]:
            raise RequestError(f"there is no slice {index} across axis {axis}")
        return self.source.read(lambda voxels: self.encode(np.take(voxels, index, axis=2 - axis)).tobytes())

    def projection(self, axis: int) -> bytes:
        """The encoded maxima along an axis, then the index of each along that axis."""
        if axis not in (0, 1, 2):
            raise RequestError(f"there is no axis {axis}")
        return self._projections[axis]

    @cached_property
    def _projections(self) -> list[bytes]:
        found = []
        options: dict[str, Any] = {"time_step": self.time_step, "threads": self.threads}
        all_values = project_all(self.image, kind="max", **options)
        all_places = project_all(self.image, kind="argmax", **options)
        for axis in range(3):
            values, depth = all_values[axis].array, all_places[axis].array
            # Only lines without any number have no depth; they have no maximum to click at, either.
            places = np.clip(depth.astype(np.int64), 0, self.size[axis] - 1).astype("<u2")
            found.append(self.encode(values).tobytes() + places.tobytes())
        return found

    def description(self, request: Request, files: dict[str, str] | None) -> dict[str, Any]:
        """What the page needs to begin with; ``files`` is what Accept writes, ``None`` where nobody listens."""
        offset, scale = self._codes
        found = self._histogram
        return {
            "title": Path(self.name).name or self.name,
            "size": self.size,
            "offset": offset,
            "scale": scale,
            "views": [self._view(axis) for axis in range(3)],
            "percentiles": [found.percentiles[share] for share in (1.0, 99.9)],
            "histogram": {"edges": found.edges.tolist(), "counts": found.counts.tolist(), "otsu": list(found.otsu)},
            "methods": _METHODS,
            "request": {**request.__dict__},
            "files": files,
            "timeStep": self.time_step,
        }

    def _view(self, axis: int) -> dict[str, Any]:
        view = view_along(self.source.direction, self.source.spacing, axis)
        turned = {"swap": view.swap, "flipRows": view.flip_rows, "flipColumns": view.flip_columns}
        return {**turned, "pixel": view.pixel, "letters": view.letters}

    # The level set

    def initialize(self, request: Request, *, cancel: threading.Event | None = None) -> LevelSetResult:
        """The level set of a request, as ``mitk-rs init`` makes it."""
        # The texts in a request are checked: a method, and "auto" for the lower threshold.
        asked: dict[str, Any] = {"method": request.method, "lower_threshold": request.lower}
        return initialize_level_set(
            self.image,
            sources=request.sources,
            targets=request.targets,
            upper_threshold=request.upper,
            time_step=self.time_step,
            threads=self.threads,
            cancel=cancel,
            **asked,
        )

    def preview(self, request: Request, cursor: Index) -> dict[str, Any] | None:
        """Facts and outlines of the level set of a request; ``None`` where a later request has overtaken it.

        The level set of the previous request is cancelled, and only one is computed at a time.
        """
        with self._lock:
            self._cancel.set()
            self._cancel = cancel = threading.Event()
            self.generation += 1
            generation = self.generation
        with self._running:
            if cancel.is_set():
                return None
            try:
                result = self.initialize(request, cancel=cancel)
            except Cancelled:
                return None
            inside = _Inside(result, self.source.shape)
            with self._lock:
                if generation == self.generation:
                    self._inside = (generation, inside)
        return {**_facts(result), "generation": generation, **(self.masks(generation, cursor) or {}), **inside.flat()}

    def abandon(self) -> None:
        """Cancel what is being computed."""
        with self._lock:
            self._cancel.set()

    def masks(self, generation: int, cursor: Index) -> dict[str, Any] | None:
        """Where the last level set is negative in the slices through a voxel; ``None`` if there is a later one."""
        if not all(0 <= i < n for i, n in zip(cursor, self.size, strict=True)):
            raise RequestError("the voxel lies outside the image")
        with self._lock:
            held = self._inside
        if held is None or held[0] != generation:
            return None
        return {"slices": [held[1].slice(axis, cursor[axis]) for axis in range(3)]}

    def values(self, request: Request) -> dict[str, Any]:
        """Values of the image at the seeds, which must lie inside."""
        for point in (*request.sources, *request.targets):
            if not all(0 <= i < n for i, n in zip(point, self.size, strict=True)):
                raise RequestError(f"the voxel {point} lies outside the image")

        def read(voxels: NDArray[Any]) -> dict[str, Any]:
            pairs = (("sources", request.sources), ("targets", request.targets))
            return {name: [float(voxels[point[::-1]]) for point in points] for name, points in pairs}

        return {"values": self.source.read(read)}

    # What comes out

    def write(self, request: Request, seeds: str, level_set: str | None) -> str:
        """Write the point file and, if named, the level set; both or none. Returns the command that repeats it."""
        from mitk_rs.io import write_image
        from mitk_rs.io.atomic import atomic_outputs
        from mitk_rs.seeds import write_seeds

        if not request.sources and not request.targets:
            raise RequestError("there are no seeds to write")
        self.values(request)
        result = self.initialize(request) if level_set else None
        points = [Seed(point, "source") for point in request.sources]
        points += [Seed(point, "target") for point in request.targets]
        with atomic_outputs():
            write_seeds(Seeds(points), seeds, image=self.image)
            if result is not None and level_set:
                write_image(result.level_set, level_set)
        lower = request.lower if result is None else result.report.parameters["lower"]
        return self.command(request, lower, seeds, level_set or "level_set.mha")

    def command(self, request: Request, lower: Any, seeds: str, level_set: str) -> str:
        """The line of a shell that makes the level set."""
        words = ["mitk-rs", "init", self.name, "-o", level_set, "--method", request.method]
        words += ["--lower", repr(lower)] if isinstance(lower, float) else []
        words += ["--upper", repr(request.upper)] if request.upper is not None else []
        words += ["--source", f"{seeds}:source"] if request.sources else []
        words += ["--target", f"{seeds}:target"] if request.targets else []
        words += ["--time-step", str(self.time_step)] if self.time_step is not None else []
        return shlex.join([*words, *self.reading])


class _Inside:
    """Where a level set is negative: a mask of its bounding box only."""

    def __init__(self, result: LevelSetResult, shape: Sequence[int]) -> None:
        self.shape = tuple(shape)
        box = result.report.bounding_box or [[0, -1]] * 3
        self.box = tuple(slice(low, high + 1) for low, high in box[::-1])
        self.mask = result.level_set.as_numpy(writeable=False).reshape(self.shape)[self.box] < 0

    def slice(self, axis: int, index: int) -> str:
        across = 2 - axis
        inner = self.box[across]
        if not inner.start <= index < inner.stop:
            return self._packed(None, across)
        return self._packed(np.take(self.mask, index - inner.start, axis=across), across)

    def flat(self) -> dict[str, Any]:
        return {"projections": [self._packed(np.logical_or.reduce(self.mask, axis=a), a) for a in (2, 1, 0)]}

    def _packed(self, part: NDArray[Any] | None, across: int) -> str:
        """One bit a pixel, rows before columns, first pixel in the highest bit, in base64."""
        kept = [n for n in range(3) if n != across]
        whole = np.zeros([self.shape[n] for n in kept], bool)
        if part is not None:
            whole[self.box[kept[0]], self.box[kept[1]]] = part
        return base64.b64encode(np.packbits(whole).tobytes()).decode("ascii")


def _facts(result: LevelSetResult) -> dict[str, Any]:
    report = result.report
    return {
        "inside": report.inside,
        "volume": report.volume_ml,
        "components": report.components,
        "lower": report.parameters["lower"],
        "warnings": report.warnings,
    }


# --- the page ----------------------------------------------------------------------------------------------------


@lru_cache
def _page_file(name: str) -> bytes:
    """A file of the page."""
    return importlib.resources.files("mitk_rs.viewer").joinpath("page", name).read_bytes()


_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"


def embedded_page(session: PickSession, request: Request) -> str:
    """The page as one file, with an image of at most 64 MB inside; it sends nothing anywhere."""
    count = int(np.prod(session.size)) * np.dtype(session.image.dtype).itemsize
    if count > _EMBEDDED_BYTES:
        raise RequestError(
            f"the image has {count / 2**20:.0f} MB, a page holds at most {_EMBEDDED_BYTES >> 20} MB: crop it first "
            "(mitk-rs crop), or use mitk-rs pick without --html"
        )
    voxels = session.source.read(lambda values: gzip.compress(session.encode(values).tobytes(), 6, mtime=0))
    scan = {**session.description(request, None), "voxels": base64.b64encode(voxels).decode("ascii")}
    # So that no text of the scan ends the element.
    data = json.dumps(scan).replace("<", "\\u003c")
    page = _page_file("pick.html").decode("utf-8")
    style, script = (_page_file(f"pick.{kind}").decode("utf-8") for kind in ("css", "js"))
    page = page.replace("<!-- policy -->", f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">')
    page = page.replace('<link rel="stylesheet" href="pick.css">', f"<style>\n{style}</style>")
    inline = f'<script type="application/json" id="scan">{data}</script>\n<script>\n{script}</script>'
    return page.replace('<script src="pick.js"></script>', inline)


# --- its server --------------------------------------------------------------------------------------------------

_LARGEST_BODY = 64 * 2**10
_IDLE_SECONDS = 20
_MOST_CONNECTIONS = 64
_HOSTS = ("127.0.0.1", "localhost", "[::1]")
_TYPES = {"html": "text/html; charset=utf-8", "css": "text/css", "js": "text/javascript"}
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True)
class Picked:
    """What was accepted: the command that repeats it, and the files that were written."""

    command: str
    files: list[str]


class PageServer(ThreadingHTTPServer):
    """The page of one image.

    ``request`` holds the seeds and thresholds to begin with, ``seeds`` and ``level_set`` are the files that Accept
    writes. The system chooses a port of 0.
    """

    daemon_threads = True

    def __init__(self, session: PickSession, request: Request, *, seeds: str, level_set: str, port: int = 0) -> None:
        self.session, self.request = session, request
        self.seeds, self.level_set = seeds, level_set
        self.picked: Picked | None = None
        self.last_used = time.monotonic()
        self._token = secrets.token_urlsafe(16)
        self._cookie = secrets.token_urlsafe(16)
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._free = threading.BoundedSemaphore(_MOST_CONNECTIONS)
        super().__init__(("127.0.0.1", port), _Handler)
        self.port: int = self.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/?t={self._token}"

    # One thread for each connection, but not for any number of them.

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread for a connection, or close it where there are too many."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away is not an error."""
        _log.debug("a connection ended", exc_info=True)

    # Who may ask

    @property
    def cookie_name(self) -> str:
        """Cookies do not know ports, so the name does."""
        return f"mitk_rs_pick_{self.port}"

    def exchange(self, token: str) -> str | None:
        """The cookie for the token, once."""
        with self._lock:
            if not self._token or not hmac.compare_digest(token.encode(), self._token.encode()):
                return None
            self._token = ""
            return self._cookie

    def knows(self, cookie: str) -> bool:
        """Whether a cookie is the one that was given out."""
        return hmac.compare_digest(cookie.encode(), self._cookie.encode())

    # The end

    def finish(self, picked: Picked | None) -> None:
        """Let :meth:`wait` return."""
        with self._lock:
            self.picked = self.picked or picked
        self._done.set()

    def wait(self, timeout: float | None = None) -> Picked:
        """Serve until something is accepted, the page is cancelled, or nobody has used it for ``timeout`` seconds."""
        thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1}, name="mitk-rs pick")
        thread.start()
        try:
            while not self._done.wait(0.2):
                if timeout is not None and time.monotonic() - self.last_used > timeout:
                    raise errors.TimeoutError(f"nobody has used the page for {timeout:g} s: nothing is written")
        finally:
            self.session.abandon()
            self.shutdown()
            thread.join()
            self.server_close()
        if self.picked is None:
            raise Cancelled("the page was closed with Cancel: nothing is written")
        return self.picked


class _Refused(Exception):  # noqa: N818
    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    server: PageServer
    protocol_version = "HTTP/1.1"
    server_version = "mitk-rs"
    sys_version = ""
    timeout = _IDLE_SECONDS
    # The answer to a click is small and must not wait for more to send.
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        # The first address holds the token.
        _log.debug("%s %s", self.command, urlsplit(getattr(self, "path", "")).path)

    def _answer(self, make: Callable[[], None]) -> None:
        try:
            self._check_host()
            make()
        except _Refused as refused:
            # What is left of a refused body would be read as the next request.
            self.close_connection = True
            self._send(refused.status, f"{refused}\n".encode(), "text/plain; charset=utf-8")
        except MitkError as error:
            self._send_json({"error": " ".join(str(error).split())}, HTTPStatus.UNPROCESSABLE_ENTITY)
        except OSError:
            # The browser has gone.
            raise
        except Exception as error:
            _log.exception("a request failed")
            text = f"unexpected {type(error).__name__}: {error}"
            self._send_json({"error": text}, HTTPStatus.INTERNAL_SERVER_ERROR)

    def _check_host(self) -> None:
        host = self.headers.get("Host", "")
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        if name not in _HOSTS:
            raise _Refused(HTTPStatus.FORBIDDEN, "this server is for this machine only")

    def _check_cookie(self) -> None:
        try:
            cookies = SimpleCookie(self.headers.get("Cookie", ""))
        except CookieError:
            cookies = SimpleCookie()
        mine = cookies.get(self.server.cookie_name)
        if mine is None or not self.server.knows(mine.value):
            text = "the address that mitk-rs pick printed is needed; it works in one browser only"
            raise _Refused(HTTPStatus.FORBIDDEN, text)
        self.server.last_used = time.monotonic()

    # GET

    def _get(self) -> None:
        path, query = self._parts()
        if path == "/" and "t" in query:
            self._exchange(query["t"])
            return
        self._check_cookie()
        files = {"/": "pick.html", "/pick.css": "pick.css", "/pick.js": "pick.js"}
        if path in files:
            name = files[path]
            self._send(HTTPStatus.OK, _page_file(name), _TYPES[name.rpartition(".")[2]])
            return
        made = {"/scan": self._scan, "/slice": self._slice, "/projection": self._projection, "/masks": self._masks}
        if path not in made:
            raise _Refused(HTTPStatus.NOT_FOUND, "there is no such page")
        made[path](query)

    def _parts(self) -> tuple[str, Mapping[str, str]]:
        try:
            parts = urlsplit(self.path)
            return parts.path, {name: values[-1] for name, values in parse_qs(parts.query, max_num_fields=8).items()}
        except ValueError:
            raise _Refused(HTTPStatus.BAD_REQUEST, "the address cannot be understood") from None

    def _exchange(self, token: str) -> None:
        cookie = self.server.exchange(token)
        if cookie is None:
            # A page that is loaded again from the address with the token still has its cookie.
            self._check_cookie()
            cookie = ""
        self.send_response(HTTPStatus.SEE_OTHER)
        self.send_header("Location", "/")
        if cookie:
            name = self.server.cookie_name
            self.send_header("Set-Cookie", f"{name}={cookie}; HttpOnly; SameSite=Strict; Path=/")
        self.send_header("Content-Length", "0")
        self._send_common()

    def _scan(self, _query: Mapping[str, str]) -> None:
        server = self.server
        files = {"seeds": server.seeds, "levelSet": server.level_set}
        self._send_json(server.session.description(server.request, files))

    def _slice(self, query: Mapping[str, str]) -> None:
        axis, index = _whole(query, "axis"), _whole(query, "index")
        self._send(HTTPStatus.OK, self.server.session.slice(axis, index), "application/octet-stream")

    def _projection(self, query: Mapping[str, str]) -> None:
        self._send(HTTPStatus.OK, self.server.session.projection(_whole(query, "axis")), "application/octet-stream")

    def _masks(self, query: Mapping[str, str]) -> None:
        cursor = (_whole(query, "i"), _whole(query, "j"), _whole(query, "k"))
        self._send_json(self.server.session.masks(_whole(query, "generation"), cursor) or {"stale": True})

    # POST

    def _post(self) -> None:
        path, _ = self._parts()
        self._check_cookie()
        made: dict[str, Callable[[Any], None]] = {
            "/preview": self._preview,
            "/accept": lambda content: self._write(content, self.server.level_set),
            "/save": lambda content: self._write(content, None),
            "/cancel": self._cancel,
        }
        if path not in made:
            raise _Refused(HTTPStatus.NOT_FOUND, "there is no such page")
        origin = self.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != self.headers.get("Host"):
            raise _Refused(HTTPStatus.FORBIDDEN, "the request comes from another page")
        if self.headers.get_content_type() != "application/json":
            raise _Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the request must be application/json")
        made[path](self._body())

    def _body(self) -> Any:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            raise _Refused(HTTPStatus.LENGTH_REQUIRED, "the request has no length")
        if len(length) > 9 or int(length) > _LARGEST_BODY:
            raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the request is larger than {_LARGEST_BODY} bytes")
        try:
            return json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            raise _Refused(HTTPStatus.BAD_REQUEST, "the request is not JSON") from None

    def _preview(self, content: Any) -> None:
        session, request = self.server.session, Request.from_json(content)
        values = session.values(request)
        try:
            found = session.preview(request, _voxel(content.get("cursor")))
        except MitkError as error:
            self._send_json({"problem": " ".join(str(error).split()), **values})
            return
        self._send_json({"stale": True} if found is None else {**found, **values})

    def _write(self, content: Any, level_set: str | None) -> None:
        server = self.server
        server.session.abandon()
        command = server.session.write(Request.from_json(content), server.seeds, level_set)
        files = [server.seeds, *([level_set] if level_set else [])]
        self._send_json({"command": command, "files": files})
        server.finish(Picked(command, files))

    def _cancel(self, _content: Any) -> None:
        self._send_json({"cancelled": True})
        self.server.finish(None)

    # Answers

    def _send_json(self, content: Any, status: HTTPStatus = HTTPStatus.OK) -> None:
        self._send(status, json.dumps(content).encode(), "application/json")

    def _send(self, status: HTTPStatus, data: bytes, kind: str) -> None:
        packed = len(data) > 1400 and "gzip" in self.headers.get("Accept-Encoding", "")
        data = gzip.compress(data, 1) if packed else data
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        if packed:
            self.send_header("Content-Encoding", "gzip")
        if self.close_connection:
            self.send_header("Connection", "close")
        self._send_common()
        self.wfile.write(data)

    def _send_common(self) -> None:
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.end_headers()


def _whole(query: Mapping[str, str], name: str) -> int:
    word = query.get(name, "")
    if not (word.isascii() and word.isdecimal() and len(word) < 10):
        raise RequestError(f"{name} must be a whole number")
    return int(word)
