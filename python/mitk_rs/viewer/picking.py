"""Pick seeds in a page: what the page shows of an image, and the level set of what was picked.

The page (``page/``) draws slices and projections itself, from *encoded* values: uint16, little-endian, so that
``value = offset + scale * code``. Integers of up to 16 bits are exact. Pixels are in the order of the voxels; the page
turns them as :mod:`mitk_rs.projection` turns its pictures, from the numbers in ``views``.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import importlib.resources
import json
import math
import shlex
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mitk_rs._sources import Source
from mitk_rs.errors import Cancelled, RequestError
from mitk_rs.interop import as_image
from mitk_rs.levelset import LevelSetResult, Method, initialize_level_set
from mitk_rs.projection import project_all
from mitk_rs.projection.camera import view_along
from mitk_rs.seeds import Seed, Seeds
from mitk_rs.thresholds import histogram

if TYPE_CHECKING:
    from mitk_rs.image import Image

__all__ = ["EMBEDDED_BYTES", "METHODS", "PickSession", "Request", "embedded_page", "page_file"]

METHODS = ("collidingfronts", "multiplecollidingfronts", "fastmarching", "threshold", "seeds")
# A page with a larger scan inside is slow to open.
EMBEDDED_BYTES = 64 * 2**20
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
        """The request of a page, which may send anything.

        Raises
        ------
        RequestError
            It is not of the right form.
        """
        if not isinstance(content, dict):
            raise RequestError("the request must be an object")
        method = content.get("method")
        if method not in METHODS:
            raise RequestError(f"method must be one of {', '.join(METHODS)}")
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
    return tuple(voxel(point) for point in value)


def voxel(point: Any) -> Index:
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
    """An image, and the level set of the seeds and thresholds that the page sent last.

    Parameters
    ----------
    image
        A scalar volume.
    name
        What the page and the printed command call it.
    time_step
        Which frame of an image with several.
    threads
        The most threads of a level set.
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
        """The encoded slice across an axis (0 is x), rows before columns.

        Raises
        ------
        RequestError
            There is no such slice.
        """
        if axis not in (0, 1, 2) or not 0 <= index < self.size[axis]:
            raise RequestError(f"there is no slice {index} across axis {axis}")
        return self.source.read(lambda voxels: self.encode(np.take(voxels, index, axis=2 - axis)).tobytes())

    def projection(self, axis: int) -> bytes:
        """The encoded maxima along an axis, then the index of each along that axis.

        Raises
        ------
        RequestError
            There is no such axis.
        """
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
            "methods": METHODS,
            "request": {**request.__dict__},
            "files": files,
            "timeStep": self.time_step,
        }

    def _view(self, axis: int) -> dict[str, Any]:
        view = view_along(self.source.direction, self.source.spacing, axis)
        return {
            "swap": view.swap,
            "flipRows": view.flip_rows,
            "flipColumns": view.flip_columns,
            "pixel": view.pixel,
            "letters": view.letters,
        }

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
        """Values of the image at the seeds.

        Raises
        ------
        RequestError
            A seed lies outside.
        """
        for point in (*request.sources, *request.targets):
            if not all(0 <= i < n for i, n in zip(point, self.size, strict=True)):
                raise RequestError(f"the voxel {point} lies outside the image")

        def read(voxels: NDArray[Any]) -> dict[str, Any]:
            pairs = (("sources", request.sources), ("targets", request.targets))
            return {name: [float(voxels[point[::-1]]) for point in points] for name, points in pairs}

        return {"values": self.source.read(read)}

    # What comes out

    def write(self, request: Request, seeds: str, level_set: str | None) -> str:
        """Write the point file and, if it is named, the level set; both or none. Returns the command that repeats it.

        Raises
        ------
        FileWriteError, RequestError
            A file cannot be written, or the request does not fit the image.
        """
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
        return {
            "projections": [self._packed(np.logical_or.reduce(self.mask, axis=2 - axis), 2 - axis) for axis in range(3)]
        }

    def _packed(self, part: NDArray[Any] | None, across: int) -> str:
        """One bit a pixel, rows before columns, first pixel in the highest bit, in base64."""
        kept = [n for n in range(3) if n != across]
        whole = np.zeros([self.shape[n] for n in kept], bool)
        if part is not None:
            whole[self.box[kept[0]], self.box[kept[1]]] = part
        return base64.b64encode(np.packbits(whole).tobytes()).decode("ascii")


def _facts(result: LevelSetResult) -> dict[str, Any]:
    report = result.report
    lower = report.parameters["lower"]
    return {
        "inside": report.inside,
        "volume": report.volume_ml,
        "components": report.components,
        "lower": lower,
        "warnings": report.warnings,
    }


# --- the page ----------------------------------------------------------------------------------------------------


@lru_cache
def page_file(name: str) -> bytes:
    """A file of the page."""
    return importlib.resources.files("mitk_rs.viewer").joinpath("page", name).read_bytes()


_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"


def embedded_page(session: PickSession, request: Request) -> str:
    """The page as one file, with the image inside; it sends nothing anywhere.

    Raises
    ------
    RequestError
        The image is larger than 64 MB.
    """
    count = int(np.prod(session.size)) * np.dtype(session.image.dtype).itemsize
    if count > EMBEDDED_BYTES:
        raise RequestError(
            f"the image has {count / 2**20:.0f} MB, a page holds at most {EMBEDDED_BYTES >> 20} MB: crop it first "
            "(mitk-rs crop), or use mitk-rs pick without --html"
        )
    voxels = session.source.read(lambda values: gzip.compress(session.encode(values).tobytes(), 6, mtime=0))
    scan = {**session.description(request, None), "voxels": base64.b64encode(voxels).decode("ascii")}
    # So that no text of the scan ends the element.
    data = json.dumps(scan).replace("<", "\\u003c")
    page = page_file("pick.html").decode("utf-8")
    style, script = (page_file(f"pick.{kind}").decode("utf-8") for kind in ("css", "js"))
    page = page.replace("<!-- policy -->", f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">')
    page = page.replace('<link rel="stylesheet" href="pick.css">', f"<style>\n{style}</style>")
    inline = f'<script type="application/json" id="scan">{data}</script>\n<script>\n{script}</script>'
    return page.replace('<script src="pick.js"></script>', inline)
