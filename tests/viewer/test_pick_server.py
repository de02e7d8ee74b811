"""The page for picking seeds, over real HTTP on this machine: what it answers, and whom it refuses."""

import base64
import gzip
import json
import threading
import time
from http.client import HTTPConnection

import numpy as np
import pytest

import mitk_rs as mitk
from mitk_rs.cli.main import main
from mitk_rs.viewer.picking import PageServer, PickSession, Request, embedded_page

SOURCE, TARGET = [10, 10, 2], [10, 10, 17]
ASKED = {"method": "collidingfronts", "sources": [SOURCE], "targets": [TARGET], "lower": 50, "upper": None}
DIRECTION = np.array([[0.0, -1, 0], [0.8, 0, -0.6], [0.6, 0, 0.8]])


class Served:
    """A server in its threads, and a client with or without its cookie."""

    def __init__(self, image, folder, name="scan.mha"):
        image.save(folder / name)
        self.folder = folder
        self.session = PickSession(image, name=name, threads=1)
        self.server = PageServer(self.session, Request(), seeds="seeds.mrk.json", level_set="level_set.mha")
        self.result = None
        self._thread = threading.Thread(target=self._wait)
        self._thread.start()
        self.token = self.server.url.rpartition("=")[2]
        self.cookie = ""

    def _wait(self):
        try:
            self.result = self.server.wait(120)
        except mitk.Exception as error:
            self.result = error

    def ask(self, method, path, content=None, *, cookie=None, headers=None, body=None):
        connection = HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        sent = {"Cookie": self.cookie if cookie is None else cookie, "Connection": "close"}
        if content is not None:
            body, sent["Content-Type"] = json.dumps(content), "application/json"
        connection.request(method, path, body, {**sent, **(headers or {})})
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        return answer, data

    def enter(self):
        answer, _ = self.ask("GET", f"/?t={self.token}")
        self.cookie = answer.getheader("Set-Cookie").partition(";")[0]
        return answer

    def json(self, method, path, content=None):
        answer, data = self.ask(method, path, content)
        return answer.status, json.loads(data)

    def close(self):
        self.server.finish(None)
        self._thread.join(30)
        assert not self._thread.is_alive()


@pytest.fixture
def served(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tube = mitk.datasets.tube()
    one = Served(mitk.Image(tube.array.copy(), spacing=(0.5, 0.7, 1.1), direction=DIRECTION), tmp_path)
    yield one
    one.close()


@pytest.fixture
def entered(served):
    served.enter()
    return served


def test_the_token_is_exchanged_for_a_cookie_once(served):
    answer = served.enter()
    assert (answer.status, answer.getheader("Location")) == (303, "/")
    cookie = answer.getheader("Set-Cookie")
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert served.token not in cookie
    page, data = served.ask("GET", "/")
    assert (page.status, b"<title>mitk-rs pick" in data) == (200, True)
    # A second browser has the address but no cookie; the first one may load it again.
    assert served.ask("GET", f"/?t={served.token}", cookie="")[0].status == 403
    assert served.ask("GET", f"/?t={served.token}")[0].status == 303


@pytest.mark.parametrize("cookie", ["", "mitk_rs_pick=x", "x=\x7f;;=", "mitk_rs_pick_1=a; b=c"])
@pytest.mark.parametrize("path", ["/", "/scan", "/slice?axis=0&index=0", "/nothing", "/?t=guess", "//", "/%2e%2e"])
def test_without_the_cookie_everything_is_refused(entered, path, cookie):
    answer, data = entered.ask("GET", path, cookie=cookie)
    assert answer.status == 403
    assert b"mitk" in data
    assert b"scan.mha" not in data
    assert entered.ask("POST", "/cancel", {}, cookie=cookie)[0].status == 403


@pytest.mark.parametrize(
    "path", ["/nothing", "/pick.html", "/../seeds.py", "/page/pick.js", "/etc/passwd", "/pick.js/", "/SCAN", "/preview"]
)
def test_a_wrong_path_is_not_found(entered, path):
    assert entered.ask("GET", path)[0].status == 404


def test_other_hosts_and_other_pages_are_refused(entered):
    port = entered.server.port
    for host in ("evil.example", f"evil.example:{port}", f"127.0.0.1.evil.example:{port}", ""):
        assert entered.ask("GET", "/", headers={"Host": host})[0].status == 403
    # Through a tunnel the port is another one.
    assert entered.ask("GET", "/", headers={"Host": "localhost:8000"})[0].status == 200
    for origin in ("http://evil.example", "null", f"http://127.0.0.1:{port + 1}"):
        assert entered.ask("POST", "/cancel", {}, headers={"Origin": origin})[0].status == 403
    assert entered.result is None


def test_every_answer_forbids_other_pages_to_use_it(entered):
    for path in ("/", "/scan", "/nothing"):
        answer, _ = entered.ask("GET", path)
        assert "default-src 'none'" in answer.getheader("Content-Security-Policy")
        assert answer.getheader("X-Content-Type-Options") == "nosniff"
        assert answer.getheader("Cache-Control") == "no-store"
        assert answer.getheader("Access-Control-Allow-Origin") is None


def test_requests_of_a_wrong_form_are_refused(entered):
    post = {"Content-Type": "application/json"}
    refused = [
        ({"body": "{}", "headers": {"Content-Type": "text/plain"}}, 415),
        ({"body": "{", "headers": post}, 400),
        ({"body": "[" * 50_000, "headers": post}, 400),
        ({"body": b"\xff", "headers": post}, 400),
        ({"body": "x" * 70_000, "headers": post}, 413),
        ({"headers": {**post, "Content-Length": "-1"}}, 411),
        ({"headers": {**post, "Content-Length": "9" * 40}}, 413),
    ]
    for options, status in refused:
        assert entered.ask("POST", "/preview", **options)[0].status == status
    for path in ("/nothing", "/scan", "/../accept"):
        assert entered.ask("POST", path, {})[0].status == 404


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "isosurface"}, {"method": 1}, {"method": ["seeds"]}, {"sources": None}, {"sources": [[1, 2]]},
        {"sources": [[1, 2, 2.5]]}, {"sources": [[True, 1, 1]]}, {"sources": [[-1, 1, 1]]}, {"sources": [[20, 1, 1]]},
        {"sources": [[1, 1, 1]] * 1001}, {"targets": "abc"}, {"lower": "7"}, {"upper": True}, {"upper": [1]},
        {"lower": 10**400}, {"cursor": None}, {"cursor": [0, 0, 20]},
    ],
)  # fmt: skip
def test_requests_that_do_not_fit_are_answered_with_a_reason(entered, changes):
    status, answer = entered.json("POST", "/preview", {**ASKED, "cursor": SOURCE, **changes})
    assert (status == 422 and answer["error"]) or answer["problem"]


@pytest.mark.parametrize(
    "path",
    ["/slice", "/slice?axis=3&index=0", "/slice?axis=0&index=20", "/slice?axis=-1&index=0", "/slice?axis=0&index=1e1",
     "/projection?axis=q", "/projection?axis=9", "/masks?generation=0&i=99&j=0&k=0", "/slice?axis=0&index=²"],
)  # fmt: skip
def test_slices_that_do_not_exist_are_answered_with_a_reason(entered, path):
    status, answer = entered.json("GET", path.replace("²", "%C2%B2"))
    assert (status, "error" in answer) == (422, True)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_slices_and_projections_hold_the_values(dtype, tmp_path):
    low, high = (0, 250) if dtype == np.uint8 else (0, 60_000) if dtype == np.uint16 else (-1000, 3000)
    voxels = np.random.default_rng(3).uniform(low, high, (5, 6, 7)).astype(dtype)
    session = PickSession(mitk.Image(voxels), name="a")
    description = session.description(Request(), None)
    exact = np.dtype(dtype).kind in "iu"
    tolerance = 0 if exact else (high - low) / 65535

    def values(data):
        return description["offset"] + description["scale"] * np.frombuffer(data, "<u2").astype(np.float64)

    for axis in range(3):
        part = np.take(voxels, 3, axis=2 - axis)
        np.testing.assert_allclose(values(session.slice(axis, 3)), part.ravel(), rtol=0, atol=tolerance)
        flat, depth = np.split(np.frombuffer(session.projection(axis), "<u2"), 2)
        np.testing.assert_allclose(values(flat), voxels.max(axis=2 - axis).ravel(), rtol=0, atol=tolerance)
        np.testing.assert_array_equal(depth, voxels.argmax(axis=2 - axis).ravel())


def test_voxels_that_are_not_numbers_do_no_harm():
    voxels = np.full((4, 5, 6), 3.0, np.float32)
    voxels[1, 1, 1], voxels[2, 2, :], voxels[3, 3, 3] = np.nan, np.inf, 9.0
    session = PickSession(mitk.Image(voxels), name="a")
    codes = np.frombuffer(session.slice(2, 1), "<u2").reshape(5, 6)
    assert codes[1, 1] == 0
    for axis in range(3):
        assert len(session.projection(axis)) == 4 * voxels.size // voxels.shape[2 - axis]


def test_large_answers_are_packed_where_the_browser_can_unpack(entered):
    _, plain = entered.ask("GET", "/pick.js")
    answer, packed = entered.ask("GET", "/pick.js", headers={"Accept-Encoding": "gzip"})
    assert answer.getheader("Content-Encoding") == "gzip"
    assert gzip.decompress(packed) == plain


def unpack(text, shape):
    bits = np.unpackbits(np.frombuffer(base64.b64decode(text), np.uint8))
    return bits[: np.prod(shape)].reshape(shape).astype(bool)


def test_the_preview_is_the_level_set(entered):
    status, found = entered.json("POST", "/preview", {**ASKED, "cursor": [10, 9, 8]})
    expected = mitk.initialize_level_set(entered.session.image, sources=[SOURCE], targets=[TARGET], lower_threshold=50)
    inside = expected.level_set.array < 0
    assert (status, found["inside"], found["warnings"]) == (200, expected.report.inside, [])
    assert found["values"] == {"sources": [100.0], "targets": [100.0]}
    for axis, index in enumerate((10, 9, 8)):
        part = np.take(inside, index, axis=2 - axis)
        np.testing.assert_array_equal(unpack(found["slices"][axis], part.shape), part)
        flat = inside.any(axis=2 - axis)
        np.testing.assert_array_equal(unpack(found["projections"][axis], flat.shape), flat)
    # Scrolling asks for other slices of the same level set.
    _, more = entered.json("GET", f"/masks?generation={found['generation']}&i=0&j=10&k=3")
    np.testing.assert_array_equal(unpack(more["slices"][1], (20, 20)), inside[:, 10])
    assert not unpack(more["slices"][0], (20, 20)).any()
    assert entered.json("GET", "/masks?generation=999&i=0&j=0&k=0")[1] == {"stale": True}


def test_a_threshold_from_the_seeds_is_told(entered):
    _, found = entered.json("POST", "/preview", {**ASKED, "lower": "auto", "cursor": SOURCE})
    assert found["lower"] == 50.0


def test_what_cannot_be_computed_is_told_and_nothing_breaks(entered):
    _, found = entered.json("POST", "/preview", {**ASKED, "lower": 500, "cursor": SOURCE})
    assert "cannot be reached" in found["problem"]
    assert entered.json("POST", "/preview", {**ASKED, "cursor": SOURCE})[1]["inside"] > 0


def test_a_hundred_quick_changes_leave_no_thread_behind(entered):
    entered.json("POST", "/preview", {**ASKED, "cursor": SOURCE})
    before = threading.active_count()
    answers = []

    def change(number):
        request = {**ASKED, "sources": [[10, 10, 2 + number % 5]], "cursor": SOURCE}
        answers.append((number, entered.json("POST", "/preview", request)[1]))

    clients = [threading.Thread(target=change, args=(number,)) for number in range(100)]
    for client in clients:
        client.start()
        time.sleep(0.002)
    for client in clients:
        client.join()
    kept = [found for _, found in answers if not found.get("stale")]
    assert len(answers) == 100
    # The last request is always answered; those that were overtaken say so.
    assert entered.session.generation == 101
    assert max(found["generation"] for found in kept) == 101
    end = time.monotonic() + 20
    while threading.active_count() > before and time.monotonic() < end:
        time.sleep(0.05)
    assert threading.active_count() <= before


def test_too_many_connections_are_closed_and_the_page_goes_on(entered):
    idle = [HTTPConnection("127.0.0.1", entered.server.port, timeout=30) for _ in range(80)]
    for connection in idle:
        connection.connect()
    for connection in idle:
        connection.close()
    end = time.monotonic() + 20
    while True:
        try:
            assert entered.ask("GET", "/scan")[0].status == 200
            return
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.1)


def test_accept_writes_what_the_printed_command_writes(entered, capsys):
    status, answer = entered.json("POST", "/accept", {**ASKED, "lower": 37.25})
    assert (status, answer["files"]) == (200, ["seeds.mrk.json", "level_set.mha"])
    entered.close()
    assert entered.result.command == answer["command"]
    accepted = (entered.folder / "level_set.mha").read_bytes()
    (entered.folder / "level_set.mha").unlink()
    words = answer["command"].split()
    assert words[:2] == ["mitk-rs", "init"]
    assert main(words[1:]) == 0
    assert (entered.folder / "level_set.mha").read_bytes() == accepted
    labels = [seed.label for seed in mitk.read_seeds("seeds.mrk.json").seeds]
    assert labels == ["source", "target"]


def test_seeds_alone_may_be_written(entered):
    _, answer = entered.json("POST", "/save", {**ASKED, "targets": []})
    assert answer["files"] == ["seeds.mrk.json"]
    entered.close()
    assert mitk.read_seeds("seeds.mrk.json:source").indices(entered.session.image) == [tuple(SOURCE)]
    assert not (entered.folder / "level_set.mha").exists()


def test_what_cannot_be_accepted_writes_nothing_and_the_page_stays(entered):
    before = sorted(file.name for file in entered.folder.iterdir())
    for changes in ({"targets": []}, {"lower": 500}, {"sources": [], "targets": []}):
        status, answer = entered.json("POST", "/accept", {**ASKED, **changes})
        assert (status, "error" in answer) == (422, True)
    (entered.folder / "level_set.mha").mkdir()
    assert entered.json("POST", "/accept", ASKED)[0] == 422
    (entered.folder / "level_set.mha").rmdir()
    assert sorted(file.name for file in entered.folder.iterdir()) == before
    assert entered.result is None


def test_cancel_ends_without_files(entered):
    before = sorted(file.name for file in entered.folder.iterdir())
    assert entered.json("POST", "/cancel", {}) == (200, {"cancelled": True})
    entered.close()
    assert isinstance(entered.result, mitk.Cancelled)
    assert sorted(file.name for file in entered.folder.iterdir()) == before
    with pytest.raises(OSError):  # noqa: PT011 - refused or reset
        entered.ask("GET", "/scan")


def test_nobody_comes(tmp_path):
    session = PickSession(mitk.datasets.tube(), name="a")
    server = PageServer(session, Request(), seeds="a.csv", level_set="a.mha")
    with pytest.raises(mitk.TimeoutError, match=r"nobody has used the page for 0\.1 s: nothing is written"):
        server.wait(0.1)


def test_the_page_loads_nothing_from_elsewhere():
    page = embedded_page(PickSession(mitk.datasets.tube(), name="a</script>b.mha"), Request())
    assert page.count("</script>") == 2
    assert "src=" not in page
    assert "default-src 'none'" in page
    addresses = {word for word in page.split() if "//" in word and "://" in word}
    assert addresses == set()


def test_a_page_holds_no_more_than_64_mb():
    large = mitk.Image(np.zeros((34, 1024, 1024), np.uint16))
    with pytest.raises(mitk.RequestError, match=r"the image has 68 MB, a page holds at most 64 MB: crop it first"):
        embedded_page(PickSession(large, name="a"), Request())


@pytest.mark.parametrize(
    ("line", "status", "text"),
    [
        ("pick absent.mha", 3, "no such file"),
        ("pick scan.mha -o seeds.txt", 5, "its ending must be one of"),
        ("pick scan.mha --level-set a.png", 5, "its ending must be one of"),
        ("pick scan.mha --level-set scan.mha", 5, "it is the input"),
        ("pick scan.mha --port 70000", 2, "--port must be at most 65535, got 70000"),
        ("pick scan.mha --html a.html --port 1", 2, "--port does not go with --html"),
        ("pick scan.mha --source 99 1 1 --no-browser", 4, "lies outside"),
        ("pick scan.mha --timeout 0.1 --no-browser", 4, "nobody has used the page"),
        ("pick flat.mha --no-browser", 4, "(z, y, x)"),
    ],
)
def test_mistakes_of_the_command_are_one_line(tmp_path, monkeypatch, capsys, line, status, text):
    monkeypatch.chdir(tmp_path)
    mitk.datasets.tube().save("scan.mha")
    mitk.Image(np.zeros((5, 6), np.uint8)).save("flat.mha")
    before = sorted(file.name for file in tmp_path.iterdir())
    assert main(line.split()) == status
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("mitk-rs pick: error: ")
    assert text in last
    assert sorted(file.name for file in tmp_path.iterdir()) == before
