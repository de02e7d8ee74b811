"""Serve the page for picking seeds on this machine.

The server listens on 127.0.0.1 only. The address that is shown holds a token that works once: it is exchanged for a
cookie, which every request needs. Requests are refused unless they name this machine as their host (a page elsewhere
could otherwise reach the server through a name of its own), and unless those that change something come from the page
itself. Names of files come from the command line, never from the page.
"""

from __future__ import annotations

import gzip
import hmac
import json
import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from mitk_rs import errors
from mitk_rs.errors import Cancelled, RequestError
from mitk_rs.errors import Exception as MitkError
from mitk_rs.viewer.picking import PickSession, Request, page_file, voxel

__all__ = ["PageServer", "Picked"]

_log = logging.getLogger(__name__)

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

    Parameters
    ----------
    session
        The image.
    request
        Seeds and thresholds to begin with.
    seeds, level_set
        Files that Accept writes.
    port
        0: the system chooses.
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
        """Serve until something is accepted.

        Raises
        ------
        Cancelled
            The page was cancelled.
        TimeoutError
            Nobody has used the page for ``timeout`` seconds.
        """
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
            self._send(HTTPStatus.OK, page_file(name), _TYPES[name.rpartition(".")[2]])
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
        made = {"/preview": self._preview, "/accept": self._accept, "/save": self._save, "/cancel": self._cancel}
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
            found = session.preview(request, voxel(content.get("cursor")))
        except MitkError as error:
            self._send_json({"problem": " ".join(str(error).split()), **values})
            return
        self._send_json({"stale": True} if found is None else {**found, **values})

    def _accept(self, content: Any) -> None:
        self._write(content, self.server.level_set)

    def _save(self, content: Any) -> None:
        self._write(content, None)

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
