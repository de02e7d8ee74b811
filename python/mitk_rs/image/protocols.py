"""How images are cropped, copied and pickled; the parts of ``Image`` that are more than a few lines."""

from __future__ import annotations

import inspect
import operator
import pickle
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from mitk_rs._validation import brief, type_error
from mitk_rs.errors import RequestError
from mitk_rs.geometry import BaseGeometry, SlicedGeometry3D
from mitk_rs.time_geometry import ProportionalTimeGeometry, TimeGeometry

if TYPE_CHECKING:
    from mitk_rs.image.image import Image

_Image = TypeVar("_Image", bound="Image")

# Layout of a pickle. A larger number is refused: it was written by a newer version.
PICKLE_FORMAT = 1
# What copies and pickles treat themselves; the rest of an object's attributes belongs to subclasses and users.
_OWN_STATE = frozenset({"_bound_times", "_uid", "_property_lock", "_owned", "_provided"})


class ParametersOfInit:
    """What ``inspect.signature`` and ``help`` show of a class that has a ``__new__`` of its own: its constructor."""

    def __get__(self, instance: object, owner: type) -> inspect.Signature:
        signature = inspect.signature(owner.__init__)  # type: ignore[misc]
        _self, *parameters = signature.parameters.values()
        return inspect.Signature(parameters)


def fresh_time_geometry(
    sizes: Sequence[int],
    spacing: Any = None,
    origin: Any = None,
    direction: ArrayLike | None = None,
) -> TimeGeometry:
    """The time geometry of a new image: the same geometry at each step."""
    geometry = SlicedGeometry3D.for_image(
        sizes,
        spacing=(1.0, 1.0, 1.0) if spacing is None else spacing,
        origin=(0.0, 0.0, 0.0) if origin is None else origin,
        direction=direction,
    )
    return ProportionalTimeGeometry.from_geometry(geometry, sizes[3] if len(sizes) > 3 else 1)


def cropped_times(times: TimeGeometry, index: Sequence[int], sizes: Sequence[int]) -> TimeGeometry:
    """The time geometry of the part of an image that begins at a voxel and has ``sizes`` voxels."""

    def move(geometry: BaseGeometry) -> None:
        geometry.origin = geometry.index_to_world(tuple(map(float, index)))

    moved = times.clone()
    moved._change_all(move)
    return moved.for_image(fresh_time_geometry(sizes).geometries)


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


def cropped(image: _Image, lower: Sequence[int], upper: Sequence[int]) -> _Image:
    """The voxels of an image from one index up to but without another."""
    sizes = image._known_layout()[1][:3]
    begin, end = _corner(lower, "lower", sizes), _corner(upper, "upper", sizes)
    if any(not 0 <= b < e <= size for b, e, size in zip(begin, end, sizes, strict=True)):
        got = f"lower {begin}, upper {end}, size {tuple(sizes)}"
        raise RequestError(f"crop needs 0 <= lower < upper <= size on every axis, got {got}")
    made = _cropped_voxels(image, [slice(b, e) for b, e in zip(begin, end, strict=True)])
    made.__dict__.update(foreign_state(image))
    made._copy_properties_from(image)
    made._times = cropped_times(image.time_geometry, [*begin, 0][:3], made._known_layout()[1])
    return made


def _cropped_voxels(image: _Image, box: list[slice]) -> _Image:
    components = image.components > 1
    made = image._bare()
    voxels = image.as_numpy(use_accessor=True, writeable=False)
    part = voxels[(..., *reversed(box), *([slice(None)] if components else []))]
    sizes = list(part.shape[::-1][components:])
    made._initialize(part.dtype.name, sizes, image.components)
    made._fill(part)
    return made


def pickled(image: Image, protocol: int) -> tuple[Any, ...]:
    """What :meth:`object.__reduce_ex__` gives of an image."""
    state = {
        "format": PICKLE_FORMAT,
        "layout": image._layout(),
        "times": image._times,
        "properties": _property_state(image),
        "other": foreign_state(image),
    }
    return _unpickled, (type(image), state, _pickled_steps(image, protocol))


def _property_state(image: Image) -> Any:
    with image._property_lock:
        return dict(image._owned), dict(image._provided)


def _pickled_steps(image: Image, protocol: int) -> list[Any]:
    # Of a snapshot, so that writers meanwhile neither wait nor show.
    source = image.snapshot()
    steps = [source.as_numpy(writeable=False, time_step=step) for step in range(source.time_steps)]
    return [pickle.PickleBuffer(step.data) if protocol >= 5 else step.tobytes() for step in steps]


def spelled(key: Any) -> str:
    return "..." if key is Ellipsis else type(key).__name__


def _corner(value: Any, name: str, sizes: Sequence[int]) -> tuple[int, ...]:
    try:
        indices = tuple(operator.index(index) for index in value)
    except TypeError:
        raise type_error(f"{name} must be {len(sizes)} whole numbers, got {brief(value)}") from None
    if len(indices) != len(sizes):
        raise RequestError(f"{name} must have {len(sizes)} indices (x, y, z), got {len(indices)}")
    return indices


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
