"""What algorithms compute on, an ``Image`` or an array, and how they show their progress.

:class:`Source` checks the argument, reads it (an image under a read accessor) and gives a result back as what the
source was: an ``Image`` for an image, of the same class and at the same place, an array for an array. Images of other
libraries become an ``Image`` first.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, ParamSpec, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from mitk_rs import _validation
from mitk_rs._validation import check_unmasked, existing_step, type_error, wrong_type
from mitk_rs.errors import GeometryError, RequestError, brief
from mitk_rs.errors import TimeoutError as TooSlow
from mitk_rs.image.protocols import place
from mitk_rs.interop import as_image

if TYPE_CHECKING:
    from mitk_rs.geometry import BaseGeometry
    from mitk_rs.image import Image
    from mitk_rs.interop import ForeignImage

Array = NDArray[Any]
#: What functions take where an image is needed.
AnyImage: TypeAlias = "Image | NDArray[Any] | ForeignImage"
Triple = tuple[float, float, float]
Indices = list[tuple[int, int, int]]
_Result = TypeVar("_Result")
_Parameters = ParamSpec("_Parameters")
#: For functions that give an image for an image: of the same class.
ImageT = TypeVar("ImageT", bound="Image")

# Largest cosine between two axes that fronts accept: they measure distances along the axes.
MAX_SHEAR = 1e-3
# Work that ends sooner than this shows no bar.
_PATIENCE_SECONDS = 1.0


class Source:
    """Voxels to compute on, given as an ``Image``, as an image of another library, or as an array.

    ``name`` is what messages call it; ``time_step`` says which step of an image; ``spacing`` (x, y, z) in mm is the
    image's own, or 1 for an array, where ``None``; ``axes`` are those a time step may have: 3 is a volume (z, y, x), 2
    a picture (y, x). With ``series`` several time steps and components are allowed; then ``step`` is ``None`` where no
    step is chosen. ``components`` says whether the last axis counts components, ``shape`` is that of what :meth:`read`
    hands over.
    """

    def __init__(
        self,
        source: Any,
        name: str = "the image",
        *,
        time_step: int | None = None,
        spacing: Any = None,
        axes: Sequence[int] = (2, 3),
        series: bool = False,
        components: bool = False,
    ) -> None:
        self._source = source = as_image(source)
        self._name = name
        self.is_image = hasattr(source, "get_geometry")
        if not self.is_image:
            if not isinstance(source, np.ndarray):
                raise wrong_type(name, "an Image or a numpy array", source)
            check_unmasked(source, name)
            kind, size = source.dtype.kind, source.dtype.itemsize
            if kind not in "biuf" or (kind == "f" and size not in (4, 8)) or not source.dtype.isnative:
                allowed = "native uint8 to uint64, int8 to int64, float32, float64"
                raise type_error(f"{name} has dtype {source.dtype}: allowed are {allowed}")
        elif source.time_steps == 0:
            raise RequestError(f"{name} is empty: it has no voxels before initialize()")
        elif source.components > 1 and not series:
            raise RequestError(f"{name} has {source.components} components a voxel: one is needed")
        self.components = bool(source.components > 1) if self.is_image else components
        self.step = self._chosen_step(time_step, series=series)
        self.shape = self._chosen_shape(axes, series=series)
        if spacing is not None and len(self.shape) == 2 and np.shape(spacing) == (2,):
            # A picture has no third axis, so two numbers say everything.
            spacing = [*spacing, 1.0]
        self._spacing = None if spacing is None else _validation.spacing(spacing)

    def _chosen_step(self, time_step: int | None, *, series: bool) -> int | None:
        if self.is_image:
            steps = self._source.time_steps
        elif time_step is not None and not series:
            raise type_error(f"time_step goes with an Image: pass {self._name.removeprefix('the ')}[time_step]")
        else:
            steps = len(self._source) if self._source.ndim - self.components == 4 else 1
        if time_step is not None:
            return existing_step(time_step, steps, self._name)
        if self.is_image and steps > 1 and not series:
            raise RequestError(f"{self._name} has {steps} time steps: choose one with time_step= or --time-step")
        return 0 if self.is_image and not series else None

    def _chosen_shape(self, axes: Sequence[int], *, series: bool) -> tuple[int, ...]:
        shape: tuple[int, ...] = self._source.shape
        spatial = len(shape) - self.components
        # An array counts time as an axis only where a series is allowed; there a step takes that axis away.
        self._takes_step = spatial == 4 and self.step is not None
        shape = shape[1:] if self._takes_step else shape
        allowed = [*axes, 4] if series else axes
        if len(shape) - self.components not in allowed:
            forms = {2: "(y, x)", 3: "(z, y, x)", 4: "(t, z, y, x)"}
            wanted = " or ".join(forms[n] for n in sorted(allowed, key=lambda n: (n == 2, n)))
            wanted = wanted.replace("x)", "x, c)") if self.components else wanted
            found = "a 2-D image of shape " if len(shape) - self.components == 2 else ""
            raise RequestError(f"{self._name} must have the shape {wanted}, got {found}{tuple(self._source.shape)}")
        if 0 in shape:
            raise RequestError(f"{self._name} has no voxels: its shape is {tuple(shape)}")
        return tuple(shape)

    @property
    def steps(self) -> list[int]:
        """The time steps of an image that are read."""
        return list(range(self._source.time_steps)) if self.step is None else [self.step]

    @property
    def geometries(self) -> list[BaseGeometry]:
        """Geometry of each time step of an image that is read."""
        return [self._source.get_geometry(step) for step in self.steps]

    @property
    def spacing(self) -> Triple:
        """Distances (x, y, z) in mm between voxel centres."""
        if self._spacing is not None:
            return self._spacing
        return (1.0, 1.0, 1.0) if not self.is_image else self._source.get_spacing(self.step or 0)

    @property
    def origin(self) -> Triple:
        """World position (mm, LPS) of the first voxel's centre; 0 for an array."""
        return (0.0, 0.0, 0.0) if not self.is_image else self._source.get_origin(self.step or 0)

    @property
    def direction(self) -> NDArray[np.float64]:
        """World directions of x, y and z as columns; the identity for an array."""
        return np.eye(3) if not self.is_image else np.asarray(self._source.get_direction(self.step or 0), np.float64)

    @property
    def matrix(self) -> NDArray[np.float64]:
        """3x3 matrix from index distances (x, y, z) to world distances in mm."""
        matrix: NDArray[np.float64] = self.direction * np.asarray(self.spacing)
        return matrix

    def check_axes(self) -> None:
        """Refuse sheared axes, along which distances do not add up as fronts assume."""
        direction = self.direction
        unit = direction / np.linalg.norm(direction, axis=0)
        shear = float(np.abs(unit.T @ unit - np.eye(3)).max())
        if shear > MAX_SHEAR:
            raise GeometryError(
                f"the image's axes are sheared: the cosine between two of them is {shear:.3g}, at most {MAX_SHEAR} is "
                "allowed; image.resample(orthogonal=True) or mitk-rs convert --orthogonal gives it orthogonal axes"
            )

    def seeds(self, value: Any, name: str, *, role: str = "seed", needed: bool = True, source: Any = None) -> Indices:
        """Voxels (x, y, z) from a list of indices, from :class:`mitk_rs.seeds.Seeds`, or from a file of them.

        ``source`` is what the user passed, where that is not what the volume was made of.
        """
        if isinstance(value, str | os.PathLike):
            from mitk_rs.seeds import is_seed_file, read_seeds

            value = read_seeds(value) if is_seed_file(os.fspath(value)) else value
        if hasattr(value, "to_space"):
            value = value.indices(self._source if source is None else source, role=role, time_step=self.step)
        return indices(value, name, self.shape, needed=needed)

    def read(self, compute: Callable[[Array], _Result]) -> _Result:
        """What ``compute`` makes of the voxels, under a read accessor if they are an image's."""
        if not self.is_image:
            return compute(self._source[self.step] if self._takes_step else self._source)
        step = self.step if self._takes_step else None
        voxels, lock = self._source._leased_view(step, writeable=False, patience=None, place=place())
        try:
            return compute(voxels)
        finally:
            # Not left to the array's end: the traceback of an error would keep the lock for as long as the error lives.
            lock.release()

    def wrap(self, array: Array, *, components: bool | None = None) -> Any:
        """A result on the voxel grid as what the source was: the array, or an image that takes over its memory."""
        if not self.is_image:
            return array
        components = self.components if components is None else components
        array = np.ascontiguousarray(array)
        spacing = self._source.get_spacing(self.step or 0)
        made = self._source._like(array, spacing, self.origin, self.direction, components=components)
        if made.time_steps > 1:
            made.time_geometry = self._source.time_geometry.clone()
        return made

    def place(self, array: Array, places: Sequence[tuple[Array, Array, Array]]) -> Any:
        """A result with a place of its own, ``(spacing, origin, direction)`` for each time step."""
        image = self._source._like(array, *places[0], components=self.components)
        if len(places) > 1:
            times = self._source.time_geometry.clone()
            for step, (spacing, origin, direction) in enumerate(places):
                geometry = image.get_geometry(step).clone()
                geometry.direction, geometry.spacing, geometry.origin = direction, spacing, origin
                times.set_geometry_for_time_step(geometry, step)
            image.time_geometry = times
        return image


def image_of(source: Any) -> Any:
    """The image of an array, whose memory it takes over, or of an image of another library; else the source."""
    if isinstance(source, np.ndarray):
        from mitk_rs.image import Image

        return Image(source, copy=None)
    return as_image(source)


def indices(value: Any, name: str, shape: Sequence[int], *, needed: bool = True) -> Indices:
    """Voxel indices as triples of ints; on a picture pairs (x, y), too. The core says whether they lie inside."""
    example = "(x, y) pairs, such as [(71, 213)]" if len(shape) == 2 else "(x, y, z) triples, such as [(71, 213, 16)]"
    points = _points(value, f"{name} must be a list of {example}, got", (2, 3) if len(shape) == 2 else (3,))
    if points.dtype == np.uint64 or (points.dtype.kind == "O" and all(isinstance(i, int) for i in points.flat)):
        if not all(abs(int(i)) < 2**63 for i in points.flat):
            raise RequestError(f"{name} must lie inside the image, got {brief(value)}")
        points = points.astype(np.int64)
    if points.dtype.kind not in "iu":
        raise type_error(f"{name} must be whole numbers (voxel indices), got {brief(value)}")
    if needed and not len(points):
        raise RequestError(f"{name} is empty: at least one voxel is needed, as a list of {example}")
    if points.shape[1] == 2:
        points = np.column_stack([points, np.zeros(len(points), points.dtype)])
    return [(x, y, z) for x, y, z in points.tolist()]


def _points(value: Any, complaint: str, lengths: tuple[int, ...]) -> Array:
    if isinstance(value, str | bytes) or not isinstance(value, Iterable) or getattr(value, "ndim", 1) == 0:
        raise type_error(f"{complaint} {brief(value)}")
    given = value if isinstance(value, np.ndarray) else list(value)
    if len(given) == 0:
        return np.empty((0, 3), np.int64)
    try:
        points = np.asarray(given)
    except ValueError:
        points = np.empty(0)
    if points.ndim != 2 or points.shape[1] not in lengths:
        raise RequestError(f"{complaint} {brief(value)}")
    if points.dtype.kind == "f" and given is not value and all(isinstance(i, int) for point in given for i in point):
        # NumPy makes floats of integers that 64 bits with a sign do not hold.
        points = np.asarray(given, object)
    return points


# --- progress ---------------------------------------------------------------------------------------------------------


def shows_progress(function: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """Let a function that takes ``progress=`` take ``True`` there, for a bar."""

    @functools.wraps(function)
    def run(*args: _Parameters.args, **options: _Parameters.kwargs) -> _Result:
        wanted = options.get("progress")
        if wanted is False:
            del options["progress"]
        if wanted is not True:
            return function(*args, **options)
        with progress_bar(function.__name__.replace("_", " ")) as bar:
            options["progress"] = bar
            return function(*args, **options)

    return run


class Clock:
    """One timeout and one progress for several steps."""

    def __init__(self, timeout: float | None, progress: Callable[[float], object] | None) -> None:
        self._start = time.perf_counter()
        self._timeout, self._progress = timeout, progress

    def seconds(self) -> float:
        """Since it was made."""
        return time.perf_counter() - self._start

    def options(self, first: float, last: float) -> dict[str, Any]:
        """``progress`` and ``timeout`` of a step that goes from a fraction of the whole to another."""
        rest = None if self._timeout is None else self._timeout - self.seconds()
        if rest is not None and rest <= 0:
            raise TooSlow(f"the timeout of {self._timeout:g} s is over")
        return {"progress": self.part(first, last), "timeout": rest}

    def part(self, first: float, last: float) -> Callable[[float], object] | None:
        """``progress`` of such a step."""
        tell = self._progress
        return tell and (lambda done: tell(first + (last - first) * done))


@contextmanager
def progress_bar(label: str, opened: Callable[[], object] | None = None) -> Iterator[Callable[[float], None]]:
    """A function that takes the done fraction and shows it until the block ends, also by an error.

    The bar appears once the work has taken a second. ``opened`` is called when it appears in a terminal.
    """
    start = time.monotonic()
    bar: Callable[[float], object] | None = None

    def show(fraction: float) -> None:
        nonlocal bar
        if bar is None and time.monotonic() - start >= _PATIENCE_SECONDS:
            bar = stack.enter_context(_bar(label, opened))
        if bar is not None:
            bar(fraction)

    with ExitStack() as stack:
        yield show


@contextmanager
def _bar(label: str, opened: Callable[[], object] | None) -> Iterator[Callable[[float], object]]:
    """A bar of rich in a terminal, of HTML in a notebook; nothing where standard error is a file or a pipe."""
    from rich.console import Console

    console = Console(stderr=True)
    if console.is_jupyter:  # rich needs a widget library there
        from html import escape

        from IPython.display import HTML, display

        name, handle = escape(label), display(HTML(""), display_id=True)
        shown = "<div>{0} <progress max='1' value='{1:.3f}'></progress> {1:.0%}</div>"
        try:
            yield lambda fraction: handle.update(HTML(shown.format(name, fraction)))
        finally:
            handle.update(HTML(""))
    elif console.is_terminal:
        from rich.progress import Progress

        if opened is not None:
            opened()
        progress = Progress(console=console, transient=True)
        task = progress.add_task(label, total=1.0)
        with progress:
            yield lambda fraction: progress.update(task, completed=fraction)
    else:
        yield lambda _: None
