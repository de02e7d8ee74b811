"""Behind the methods of ``Image``: checks of arguments, accessors, and how images are cropped, copied and pickled."""

from __future__ import annotations

import inspect
import itertools
import operator
import pickle
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, SupportsIndex, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mitk_rs._core import ArrayLock
from mitk_rs._validation import check_kind, flag, is_masked, real_number, step_number, type_error
from mitk_rs.errors import RequestError, TimeStepError, brief
from mitk_rs.image.placement import cropped_times
from mitk_rs.pixel_type import PixelType, component_type

if TYPE_CHECKING:
    from mitk_rs.image.image import Image

Array = NDArray[Any]
Place = tuple[str, int, str]
_Image = TypeVar("_Image", bound="Image")

# Layout of a pickle. A larger number is refused: it was written by a newer version.
PICKLE_FORMAT = 1
# What copies and pickles treat themselves; the rest of an object's attributes belongs to subclasses and users.
_OWN_STATE = frozenset({"_bound_times", "_uid", "_property_lock", "_owned", "_provided"})


# --- arguments --------------------------------------------------------------------------------------------------------


class ParametersOfInit:
    """What ``inspect.signature`` and ``help`` show of a class that has a ``__new__`` of its own: its constructor."""

    def __get__(self, instance: object, owner: type) -> inspect.Signature:
        signature = inspect.signature(owner.__init__)  # type: ignore[misc]
        _self, *parameters = signature.parameters.values()
        return inspect.Signature(parameters)


def checked_dimensions(value: Any) -> list[int]:
    """Sizes (x, y[, z[, t]]) as ints of at least 1."""
    expected = "dimensions must be 2 to 4 whole numbers (x, y, z, t)"
    try:
        if isinstance(value, str | bytes) or not isinstance(value, Iterable):
            raise TypeError
        sizes = [operator.index(size) for size in itertools.islice(value, 100)]
    except TypeError:
        raise type_error(f"{expected}, got {brief(value)}") from None
    if not 2 <= len(sizes) <= 4:
        raise RequestError(f"{expected}, got {len(sizes)}")
    for axis, size in zip("xyzt", sizes, strict=False):
        if not 1 <= size < 2**63:
            raise RequestError(f"dimensions must be at least 1 on every axis, got {size} along {axis}")
    return sizes


def checked_access(
    step: SupportsIndex | None,
    timeout: float | None,
    block: bool,  # noqa: FBT001
) -> tuple[int | None, float | None]:
    """The step to read or write, ``None`` for all; and the seconds to wait for it, ``None`` for as long as it takes."""
    step = None if step is None else step_number(step)
    if step is not None and step >= 2**63:
        raise TimeStepError(f"time step {step} does not exist")
    patience = None if timeout is None else real_number(timeout, "timeout")
    return step, patience if flag(block, "block") else 0.0


def checked_pixel(dtype: DTypeLike | PixelType, channels: SupportsIndex) -> tuple[str, int]:
    """NumPy's name of the component type, and the number of components."""
    try:
        count = operator.index(channels)
    except TypeError:
        raise type_error(f"channels must be an int, got {brief(channels)}") from None
    if not 1 <= count < 2**63:
        raise RequestError(f"channels must be at least 1, got {count}")
    if not isinstance(dtype, PixelType):
        return component_type(dtype).name, count
    if dtype.components > 1 and count not in (1, dtype.components):
        raise RequestError(f"the pixel type has {dtype.components} components, but channels is {count}")
    return dtype.dtype.name, max(count, dtype.components)


def checked_array(value: Any, *, components: bool) -> tuple[Array, list[int], int]:
    """A plain array with sizes (x, y[, z[, t]]) and number of components, which the last axis counts on demand.

    Booleans become 0 and 1.
    """
    if not isinstance(value, np.ndarray):
        raise type_error(f"expected a numpy array, got {type(value).__name__}; Image.from_any converts others")
    if is_masked(value):
        raise type_error("a masked array would lose its mask: use array.filled(value)")
    check_kind(components, (bool, int, np.bool_), "components", "True or False")
    components = bool(components)
    plain = np.asarray(value)
    spatial = plain.ndim - components
    if not 2 <= spatial <= 4:
        extra = " and the axis of components" if components else ""
        raise RequestError(f"the array must have 2 to 4 dimensions{extra}, got shape {plain.shape}")
    if 0 in plain.shape:
        raise RequestError(f"the array has an axis of length 0: shape {plain.shape}")
    supported = component_type(plain.dtype)
    if plain.dtype == np.bool_:
        plain = plain.view(supported)
    return plain, list(plain.shape[spatial - 1 :: -1]), plain.shape[-1] if components else 1


def _corner(value: Any, name: str, sizes: Sequence[int]) -> tuple[int, ...]:
    try:
        indices = tuple(operator.index(index) for index in value)
    except TypeError:
        raise type_error(f"{name} must be {len(sizes)} whole numbers, got {brief(value)}") from None
    if len(indices) != len(sizes):
        raise RequestError(f"{name} must have {len(sizes)} indices (x, y, z), got {len(indices)}")
    return indices


# --- accessors --------------------------------------------------------------------------------------------------------


def place() -> Place:
    """Where user code called us: file, line, and name of the thread. It ends up in messages about locks."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("mitk_rs."):
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno, threading.current_thread().name


class Accessor:
    """What ``image.read()`` and ``image.write()`` return: gives the array for the length of a ``with`` block.

    After the block the name it was bound to stays a readable, unlocked array. If anything else still refers to the
    voxels, such as a slice, even one under the same name, the lock stays until that is gone and a ``ResourceWarning``
    says so: unlocking under a live view would let others write what it reads. As long as any array of a write accessor
    exists, a snapshot or copy of the image gets voxels of its own at once.
    """

    __slots__ = ("_lock", "_open", "_place")

    def __init__(self, opener: Callable[[Place], tuple[Array, ArrayLock]]) -> None:
        self._open = opener
        self._place = place()
        self._lock: ArrayLock | None = None

    def __enter__(self) -> Array:
        if self._lock is not None:
            raise RuntimeError("this accessor is open already; ask the image for another one")
        array, self._lock = self._open(self._place)
        return array

    def __exit__(self, *_exception: object) -> None:
        lock, self._lock = self._lock, None
        if lock is not None and not lock.close():
            file, line, _ = self._place
            message = f"a view of the voxels survives the accessor opened at {file}:{line} and keeps it locked"
            warnings.warn(message, ResourceWarning, stacklevel=2)


# --- parts, copies and pickles ----------------------------------------------------------------------------------------


def cropped(image: _Image, lower: Sequence[int], upper: Sequence[int]) -> _Image:
    """The voxels of an image from one index up to but without another."""
    sizes = image._known_layout()[1][:3]
    begin, end = _corner(lower, "lower", sizes), _corner(upper, "upper", sizes)
    if any(not 0 <= b < e <= size for b, e, size in zip(begin, end, sizes, strict=True)):
        got = f"lower {begin}, upper {end}, size {tuple(sizes)}"
        raise RequestError(f"crop needs 0 <= lower < upper <= size on every axis, got {got}")
    made, many = image._bare(), image.components > 1
    voxels = image.as_numpy(use_accessor=True, writeable=False)
    box = [slice(b, e) for b, e in zip(begin, end, strict=True)]
    part = voxels[(..., *reversed(box), *([slice(None)] if many else []))]
    made._initialize(part.dtype.name, list(part.shape[::-1][many:]), image.components)
    made._fill(part)
    made.__dict__.update(foreign_state(image))
    made._copy_properties_from(image)
    made._times = cropped_times(image.time_geometry, [*begin, 0][:3], made._known_layout()[1])
    return made


def twin(image: _Image, fill: Any) -> _Image:
    """A copy of an image whose voxels ``fill`` provides."""
    made = image._bare()
    if image.ndim:
        lease = image.as_numpy(use_accessor=True, writeable=False)
        fill(made, image)
        made._times = image.time_geometry.clone()
        del lease
    made._copy_properties_from(image)
    return made


def foreign_state(image: Image) -> dict[str, Any]:
    """What subclasses and users keep in an image."""
    return {name: value for name, value in image.__dict__.items() if name not in _OWN_STATE}


def pickled(image: Image, protocol: int) -> tuple[Any, ...]:
    """What :meth:`object.__reduce_ex__` gives of an image."""
    with image._property_lock:
        properties = dict(image._owned), dict(image._provided)
    state = {
        "format": PICKLE_FORMAT,
        "layout": image._layout(),
        "times": image._times,
        "properties": properties,
        "other": foreign_state(image),
    }
    # Of a snapshot, so that writers meanwhile neither wait nor show.
    source = image.snapshot()
    steps = [source.as_numpy(writeable=False, time_step=step) for step in range(source.time_steps)]
    contents = [pickle.PickleBuffer(step.data) if protocol >= 5 else step.tobytes() for step in steps]
    return _unpickled, (type(image), state, contents)


def _unpickled(cls: Any, state: dict[str, Any], steps: Sequence[Any]) -> Any:
    """The image that ``__reduce_ex__`` described."""
    number = state["format"]
    if number > PICKLE_FORMAT:
        raise RequestError(
            f"the pickled image has format {number}, this version of mitk_rs knows {PICKLE_FORMAT}: "
            "update mitk_rs, or exchange a file instead"
        )
    image = cls._bare()
    if state["layout"] is not None:
        image._initialize(*state["layout"])
        if len(steps) != image.get_dimension(3):
            raise RequestError(f"the pickled image has {len(steps)} time steps instead of {image.get_dimension(3)}")
        for step, content in enumerate(steps):
            target = image._write_view(step)
            np.copyto(target, np.frombuffer(content, target.dtype).reshape(target.shape))
        image._times = state["times"]
    image._owned, image._provided = state["properties"]
    image.__dict__.update(state["other"])
    return image
