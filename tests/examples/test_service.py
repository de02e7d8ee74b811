"""The service of ``examples/service`` as clients meet it: real requests to a real server on loopback."""

import asyncio
import io
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
from PIL import Image as Picture

import mitk_rs as mitk

APP = Path(__file__).parents[2] / "examples" / "service"


def start(folder, **settings):
    """A server at a free port, once it answers."""
    command = [sys.executable, "-m", "uvicorn", "app:app", "--port", "0", "--app-dir", str(APP)]
    log = folder / "log"
    with log.open("w") as file:
        server = subprocess.Popen(command, env={**os.environ, **settings}, stderr=file, cwd=folder)
    deadline = time.monotonic() + 120
    while not (found := re.search(r"running on (http://\S+)", log.read_text())):
        assert server.poll() is None, log.read_text()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return server, found[1]


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("service")
    server, url = start(folder, MITK_RS_NUM_THREADS="2")
    yield url, psutil.Process(server.pid), folder / "log"
    server.terminate()
    server.wait(60)


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    """A tube as the bytes of a file."""
    voxels = np.random.default_rng(3).normal(0, 20, (24, 24, 40)).astype("int16")
    voxels[8:16, 8:16] += 300
    path = tmp_path_factory.mktemp("scan") / "tube.mha"
    mitk.Image(voxels, (0.5, 0.5, 0.5)).save(path)
    return path


ENDS = {"sources": "2 12 12", "targets": "37 12 12", "lower": "150"}


def post(url, scan, output="mask", name=None, **form):
    files = {"scan": (name or scan.name, scan.read_bytes() if isinstance(scan, Path) else scan)}
    return httpx.post(f"{url}/segment", params={"output": output}, files=files, data=form, timeout=120)


def test_a_mask_equals_that_of_a_call(service, scan, tmp_path):
    answer = post(service[0], scan, **ENDS)
    assert answer.status_code == 200, answer.text
    (tmp_path / "mask.mha").write_bytes(answer.content)
    mask = mitk.Image(tmp_path / "mask.mha")
    result = mitk.initialize_level_set(
        mitk.Image(scan), sources=[(2, 12, 12)], targets=[(37, 12, 12)], lower_threshold=150
    )
    assert np.array_equal(mask.as_numpy(), result.level_set.as_numpy() < 0)
    assert mask.get_spacing() == (0.5, 0.5, 0.5)


def test_a_level_set_can_be_evolved(service, scan, tmp_path):
    answer = post(service[0], scan, evolve="1", **ENDS)
    assert answer.status_code == 200, answer.text
    found = mitk.segment_vessel(mitk.Image(scan), [(2, 12, 12)], [(37, 12, 12)], 150)
    assert mitk.Image(answer.content, format="mha").equals(found.mask)
    assert len(post(service[0], scan, "stl", evolve="1", **ENDS).content) > 1000
    assert post(service[0], scan, "json", evolve="1", **ENDS).json()["evolution"]["components"] == 1
    missing = post(service[0], scan, evolve="1", **{**ENDS, "lower": ""})
    assert missing.status_code == 422
    assert "evolve needs lower" in missing.text
    assert "method is 'threshold'" in post(service[0], scan, evolve="1", method="threshold", **ENDS).text


def test_surface_picture_and_report(service, scan):
    surface = post(service[0], scan, "stl", **ENDS).content
    assert len(surface) == 84 + 50 * int.from_bytes(surface[80:84], "little") > 1000
    assert Picture.open(io.BytesIO(post(service[0], scan, "png", **ENDS).content)).size[0] > 100
    assert post(service[0], scan, "json", **ENDS).json()["components"] == 1


@pytest.mark.parametrize(
    ("name", "content", "form", "status", "text"),
    [
        ("scan.mha", b"ObjectType = Image\nNDims = 3\n", {"method": "threshold", "lower": "1"}, 422, "cannot read"),
        ("scan.exe", b"MZ", {}, 415, "must end with one of"),
        ("scan.mha", None, {"sources": "1 2"}, 422, "three numbers"),
        ("scan.mha", None, {"sources": "1 2 x"}, 422, "whole numbers"),
        ("scan.mha", None, {**ENDS, "sources": "99 0 0"}, 422, "lies outside the image"),
        ("scan.mha", None, {"method": "guess"}, 422, "method"),
    ],
)
def test_a_bad_request_gets_its_reason(service, scan, name, content, form, status, text):
    answer = post(service[0], content or scan, name=name, **form)
    assert answer.status_code == status
    assert text in answer.text


def test_sixteen_clients_stay_within_the_budget(service, scan):
    url, process, _ = service
    content = scan.read_bytes()
    most = []

    async def clients():
        async with httpx.AsyncClient(timeout=120) as client:

            async def one():
                files = {"scan": ("tube.mha", content)}
                return await client.post(f"{url}/segment", params={"output": "json"}, files=files, data=ENDS)

            work = asyncio.gather(*(one() for _ in range(48)))
            while not work.done():
                names = [thread.id for thread in process.threads()]
                most.append(sum(worker(process.pid, identity) for identity in names))
                await asyncio.sleep(0.02)
            return await work

    answers = asyncio.run(clients())
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["inside"] for answer in answers}) == 1
    assert max(most) <= 2


def worker(process, thread):
    """Whether a thread is one of ours, by its name."""
    try:
        return "mitk" in Path(f"/proc/{process}/task/{thread}/comm").read_text()
    except OSError:
        return False


def test_a_client_that_leaves_cancels_its_computation(service, tmp_path):
    url, _, log = service
    big = tmp_path / "big.mha"
    voxels = np.full((400, 400, 400), 100, "uint8")
    voxels[200, 200, 200] = 0
    mitk.Image(voxels).save(big)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            f"{url}/segment",
            files={"scan": ("big.mha", big.read_bytes())},
            data={"method": "fastmarching", "sources": "0 0 0", "targets": "399 399 399", "lower": "50"},
            timeout=httpx.Timeout(60, read=0.2),
        )
    deadline = time.monotonic() + 60
    while "client left" not in log.read_text():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)


def test_too_many_waiting_requests_are_refused_at_once(scan, tmp_path):
    server, url = start(tmp_path, SERVICE_WAITING="0")
    try:
        answer = post(url, scan, **ENDS)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    finally:
        server.terminate()
        server.wait(60)
