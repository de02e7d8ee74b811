r"""A segmentation service in one file: upload a scan, name seeds and thresholds, get a mask, a surface or a picture.

    pip install mitk_rs fastapi uvicorn python-multipart
    MITK_RS_NUM_THREADS=8 uvicorn app:app --port 8000
    curl -F scan=@scan.mha -F method=threshold -F lower=700 'localhost:8000/segment?output=stl' -o vessel.stl
    curl -F scan=@scan.mha -F evolve=1 -F sources='47 48 61' -F targets='68 52 15' -F lower=200 \
        localhost:8000/segment -o mask.mha

What it shows:

- Files come from anywhere: they are read in a process of their own with limits of memory and time (`isolate`).
- A client that leaves cancels its computation; so does the time limit. Nothing computes on for nobody.
- All requests share one budget of threads (`MITK_RS_NUM_THREADS`); only so many compute at once, the others wait, and
  when too many wait the answer is 503 at once.
- Libraries are loaded before the first request, durations are logged, errors are one line with a fitting status.
- For several processes: `uvicorn app:app --workers 4`, each with a quarter of the threads.
"""

import asyncio
import json
import logging
import os
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from fastapi import FastAPI, File, Form, HTTPException, Request, Response, UploadFile
from fastapi.responses import JSONResponse

import mitk_rs as mitk
from mitk_rs import aio
from mitk_rs.io import read_image

log = logging.getLogger("uvicorn.error")

MAX_UPLOAD = int(os.environ.get("SERVICE_MAX_UPLOAD", str(1 << 30)))
TIMEOUT = float(os.environ.get("SERVICE_TIMEOUT", "60"))
AT_ONCE = int(os.environ.get("SERVICE_AT_ONCE", str(mitk.get_num_threads())))
WAITING = int(os.environ.get("SERVICE_WAITING", "64"))
# Endings that may be uploaded: each is one file with its header.
SUFFIXES = (".mha", ".nrrd", ".nii", ".nii.gz", ".vti")
TYPES = {"mask": "application/octet-stream", "stl": "model/stl", "png": "image/png", "json": "application/json"}

Result = mitk.LevelSetResult | mitk.VesselSegmentation
Output = Literal["mask", "stl", "png", "json"]
Method = Literal["isosurface", "threshold", "seeds", "fastmarching", "collidingfronts", "multiplecollidingfronts"]


@asynccontextmanager
async def warm_up(app: FastAPI) -> AsyncIterator[None]:
    """Load what requests need before the first one comes."""
    start = time.perf_counter()
    app.state.slots, app.state.waiting = asyncio.Semaphore(AT_ONCE), 0
    tube = np.zeros((16, 16, 16), "int16")
    tube[:, 5:11, 5:11] = 100
    with tempfile.TemporaryDirectory() as name:
        scan = Path(name) / "warm.mha"
        mitk.Image(tube).save(scan)
        segment(scan, {"method": "threshold", "lower_threshold": 50.0}, Path(name), "png")
        segment(scan, {"method": "threshold", "lower_threshold": 50.0}, Path(name), "stl")
    log.info("ready after %.2f s, %d threads", time.perf_counter() - start, mitk.get_num_threads())
    yield


app = FastAPI(title="mitk_rs", lifespan=warm_up)


@app.exception_handler(mitk.Exception)
async def refused(_: Request, error: mitk.Exception) -> JSONResponse:
    """One line with the status that fits: 422 for a bad file or request, 504 for the time limit, 507 for memory."""
    status = 504 if isinstance(error, TimeoutError) else 507 if isinstance(error, MemoryError) else 422
    return JSONResponse({"error": str(error)}, status_code=status)


@app.get("/health")
async def health() -> dict[str, object]:
    """Whether the service answers, and how busy it is."""
    return {"status": "ok", "threads": mitk.get_num_threads(), "waiting": app.state.waiting}


@app.post("/segment")
async def post_segment(
    request: Request,
    scan: Annotated[UploadFile, File()],
    method: Annotated[Method, Form()] = "collidingfronts",
    sources: Annotated[str, Form()] = "",
    targets: Annotated[str, Form()] = "",
    lower: Annotated[float | None, Form()] = None,
    upper: Annotated[float | None, Form()] = None,
    evolve: Annotated[bool, Form()] = False,  # noqa: FBT002
    output: Output = "mask",
) -> Response:
    """Segment the uploaded scan. Points are `i j k`, several separated by `;`.

    With `evolve` the level set is evolved to the edges of the scan, as `mitk.segment_vessel` does.
    """
    start = time.perf_counter()
    arguments = {
        "method": method,
        "sources": points(sources, "sources"),
        "targets": points(targets, "targets"),
        "lower_threshold": lower,
        "upper_threshold": upper,
        "evolve": evolve,
    }
    with tempfile.TemporaryDirectory(prefix="service_") as name:
        path = await store(scan, Path(name))
        async with slot():
            content = await unless_gone(request, compute(path, arguments, Path(name), output))
    log.info("%s %s: %.0f ms", method, output, 1000 * (time.perf_counter() - start))
    return Response(content, media_type=TYPES[output])


def points(text: str, field: str) -> list[tuple[int, int, int]]:
    """Voxel indices in a form field."""
    try:
        numbers = [int(word) for word in text.replace(";", " ").replace(",", " ").split()]
    except ValueError:
        raise HTTPException(422, f"{field} must be whole numbers, got {text[:60]!r}") from None
    if len(numbers) % 3:
        raise HTTPException(422, f"{field} needs three numbers for each point, got {len(numbers)}")
    return [(numbers[i], numbers[i + 1], numbers[i + 2]) for i in range(0, len(numbers), 3)]


async def store(scan: UploadFile, folder: Path) -> Path:
    """The upload as a file with a name of ours; of the client's name only the ending counts."""
    suffix = next((s for s in sorted(SUFFIXES, key=len)[::-1] if (scan.filename or "").lower().endswith(s)), None)
    if suffix is None:
        raise HTTPException(415, f"the name of the scan must end with one of {' '.join(SUFFIXES)}")
    path, size = folder / f"scan{suffix}", 0
    with path.open("wb") as file:
        while block := await scan.read(1 << 20):
            size += len(block)
            if size > MAX_UPLOAD:
                raise HTTPException(413, f"a scan may have {MAX_UPLOAD} bytes")
            file.write(block)
    return path


@asynccontextmanager
async def slot() -> AsyncIterator[None]:
    """Wait for the turn to compute; refuse at once where too many wait."""
    if app.state.waiting >= WAITING:
        raise HTTPException(503, "too many requests are waiting", headers={"Retry-After": "5"})
    app.state.waiting += 1
    try:
        await app.state.slots.acquire()
    finally:
        app.state.waiting -= 1
    try:
        yield
    finally:
        app.state.slots.release()


async def unless_gone(request: Request, work):
    """The result of the work, which is cancelled when the client leaves."""
    task = asyncio.ensure_future(work)
    try:
        while not (await asyncio.wait([task], timeout=0.1))[0]:
            if await request.is_disconnected():
                log.info("client left: cancelled")
                raise HTTPException(499, "the client left")
        return task.result()
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait([task])


async def compute(path: Path, arguments: dict, folder: Path, output: Output) -> bytes:
    """Read apart, compute with a time limit, make the output."""
    image = await asyncio.to_thread(read_image, path, isolate=True)
    if arguments.pop("evolve"):
        if arguments["lower_threshold"] is None:
            raise mitk.RequestError("evolve needs lower, the least grey value of the vessel")
        arguments["lower"], arguments["upper"] = arguments.pop("lower_threshold"), arguments.pop("upper_threshold")
        result = await aio.segment_vessel(image, **arguments, timeout=TIMEOUT)
    else:
        result = await aio.initialize_level_set(image, **arguments, timeout=TIMEOUT)
    return await asyncio.to_thread(encode, image, result, folder, output)


def segment(path: Path, arguments: dict, folder: Path, output: Output) -> bytes:
    """The same without `async`, for the warm-up."""
    image = read_image(path, isolate=True)
    return encode(image, mitk.initialize_level_set(image, **arguments, timeout=TIMEOUT), folder, output)


def encode(
    image: mitk.Image, result: mitk.LevelSetResult | mitk.VesselSegmentation, folder: Path, output: Output
) -> bytes:
    """The bytes of the answer."""
    if output == "json":
        return json.dumps(result.report.as_dict(), default=str).encode()
    if output == "mask":
        return result.mask.to_bytes(".mha")
    if output == "stl":
        mitk.write_surface(result.surface(), folder / "surface.stl")
        return (folder / "surface.stl").read_bytes()
    from mitk_rs.projection import write_picture

    write_picture(mitk.montage(image, overlay=result.level_set), folder / "picture.png")
    return (folder / "picture.png").read_bytes()
