"""From the headers of DICOM slices to volumes: which belong together, in which order, at which place and time."""

from __future__ import annotations

import re
import statistics
import warnings
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mitk_rs.errors import DicomSeriesWarning
from mitk_rs.geometry.frame import Frame

__all__ = ["Slice", "Volume", "volumes_of"]

INSTANCE, POSITION_ID, TRIGGER = "0008|0018", "0020|0100", "0018|1060"
_ACQUIRED = ("0008|002a", "0008|0022", "0008|0032")  # date and time, date, time
_FRAME_TIME, _CONTENT_TIME, _NUMBER = "0054|1300", "0008|0033", "0020|0013"

# Slices closer than this are at the same place; distances that differ by more than this share are not equal.
_SAME_PLACE_MM = 1e-3
_UNEQUAL = 0.01


@dataclass(frozen=True)
class Slice:
    """One image of a series: where it lies and what its header says."""

    path: str
    origin: NDArray[np.float64]
    direction: NDArray[np.float64]
    spacing: tuple[float, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    components: int
    tags: Mapping[str, str]

    @property
    def height(self) -> float:
        """Position along the normal of the slice in mm."""
        return float(self.origin @ self.direction[:, 2])

    @property
    def group(self) -> tuple[object, ...]:
        """What slices of one volume have in common."""
        turned = tuple(np.round(self.direction.ravel(), 3) + 0.0)
        return (self.shape, self.components, tuple(np.round(self.spacing[:2], 4)), turned)

    @property
    def moment(self) -> tuple[float, ...]:
        """What orders images of the same place in time."""
        return (
            _number(self.tags.get(POSITION_ID)),
            _number(self.tags.get(TRIGGER)),
            _number(self.tags.get(_FRAME_TIME)),
            acquisition_ms(self.tags),
            _milliseconds(self.tags.get(_CONTENT_TIME, "")),
            _number(self.tags.get(_NUMBER)),
        )


@dataclass(frozen=True)
class Volume:
    """Slices in order: ``steps[t][z]``."""

    steps: list[list[Slice]]
    frame: Frame
    time_points: tuple[float, ...] | None

    @property
    def slices(self) -> list[Slice]:
        """All of them, time step after time step."""
        return [one for step in self.steps for one in step]


def volumes_of(slices: Iterable[Slice], name: str) -> list[Volume]:
    """Sort the slices of one series into volumes, the largest first.

    Parameters
    ----------
    slices
        In any order.
    name
        What warnings call the series.

    Warns
    -----
    DicomSeriesWarning
        Missing slices, unequal distances, a tilted gantry, or images that fit no time step.
    """
    groups: dict[tuple[object, ...], list[Slice]] = defaultdict(list)
    for one in _without_copies(slices, name):
        groups[one.group].append(one)
    ordered = sorted(groups.values(), key=len, reverse=True)
    return [_volume(group, name) for group in ordered]


def _without_copies(slices: Iterable[Slice], name: str) -> list[Slice]:
    """Leave out files that hold the same image again."""
    found: dict[str, Slice] = {}
    copies = 0
    for one in slices:
        key = one.tags.get(INSTANCE) or one.path
        copies += key in found
        found.setdefault(key, one)
    if copies:
        _warn(f"{name}: {copies} files hold images that other files hold, too; they are left out")
    return list(found.values())


def _volume(slices: Sequence[Slice], name: str) -> Volume:
    stacks = _stacks(slices)
    count = min(map(len, stacks))
    surplus = len(slices) - count * len(stacks)
    if surplus:
        _warn(f"{name}: {surplus} images are left out, not every place has as many time steps")
    steps = [[stack[step] for stack in stacks] for step in range(count)]
    return Volume(steps, _frame(steps[0], name), _time_points(steps))


def _stacks(slices: Sequence[Slice]) -> list[list[Slice]]:
    """Images of the same place together, from the lowest to the highest place, each stack in the order of time."""
    stacks: list[list[Slice]] = []
    for one in sorted(slices, key=lambda one: (one.height, _number(one.tags.get(_NUMBER)), one.path)):
        if stacks and one.height - stacks[-1][0].height < _SAME_PLACE_MM:
            stacks[-1].append(one)
        else:
            stacks.append([one])
    return [sorted(stack, key=lambda one: (one.moment, one.path)) for stack in stacks]


def _frame(stack: Sequence[Slice], name: str) -> Frame:
    """Place the volume where its slices are: also a sheared one, which a tilted gantry gives."""
    first = stack[0]
    direction = first.direction.copy()
    thickness = first.spacing[2] if len(first.spacing) > 2 and first.spacing[2] > 0 else 1.0
    if len(stack) > 1:
        _tell_gaps(stack, name)
        stride = np.median(np.diff([one.origin for one in stack], axis=0), axis=0)
        thickness = float(np.linalg.norm(stride))
        if np.linalg.norm(stride / thickness - direction[:, 2]) > 1e-3:
            _warn(f"{name}: the slices are shifted along their plane (tilted gantry); the volume is sheared")
            direction[:, 2] = stride / thickness
    spacing = (float(first.spacing[0]), float(first.spacing[1]), thickness)
    origin = (float(first.origin[0]), float(first.origin[1]), float(first.origin[2]))
    return Frame(spacing=spacing, origin=origin).with_direction(direction)


def _tell_gaps(stack: Sequence[Slice], name: str) -> None:
    distances = np.diff([one.height for one in stack])
    usual = statistics.median(distances)
    for below, distance in enumerate(distances):
        if abs(distance - usual) <= _UNEQUAL * usual:
            continue
        missing = round(distance / usual) - 1
        whole = missing > 0 and abs(distance / usual - missing - 1) <= 10 * _UNEQUAL
        slices = "1 slice is" if missing == 1 else f"{missing} slices are"
        what = f"{slices} missing" if whole else f"the distance is {distance:.4g} mm"
        _warn(f"{name}: {what} after slice {below} of {len(stack)}, slices lie {usual:.4g} mm apart elsewhere")


def _time_points(steps: Sequence[Sequence[Slice]]) -> tuple[float, ...] | None:
    """Bounds of the time steps in ms from the first, None where the headers do not tell them apart."""
    if len(steps) < 2:
        return None
    for clock in (
        lambda one: _number(one.tags.get(TRIGGER)),
        lambda one: _number(one.tags.get(_FRAME_TIME)),
        lambda one: acquisition_ms(one.tags),
    ):
        starts = [min(map(clock, step)) for step in steps]
        lengths = np.diff(starts)
        if (lengths > 0).all():
            begun = [start - starts[0] for start in starts]
            return (*begun, begun[-1] + float(lengths[-1]))
    return None


def acquisition_ms(tags: Mapping[str, str]) -> float:
    """Return the moment of acquisition in milliseconds of some calendar; 0 where no tag tells it."""
    moment, date, time = (tags.get(tag, "").strip() for tag in _ACQUIRED)
    if moment:
        date, time = moment[:8], re.split(r"[+-]", moment[8:])[0]
    day = np.datetime64(f"{date[:4]}-{date[4:6]}-{date[6:8]}", "D").astype(int) if re.fullmatch(r"\d{8}", date) else 0
    return float(day) * 86_400_000.0 + _milliseconds(time)


def _milliseconds(time: str) -> float:
    """Time of day ``HHMMSS.ffffff``; later parts may be missing."""
    parts = re.fullmatch(r"(\d\d)(\d\d)?(\d\d(?:\.\d*)?)?", time.strip().replace(":", ""))
    if parts is None:
        return 0.0
    hours, minutes, seconds = (float(part or 0) for part in parts.groups())
    return 1000.0 * (3600 * hours + 60 * minutes + seconds)


def _number(text: str | None) -> float:
    try:
        return float(text or 0)
    except ValueError:
        return 0.0


def _warn(message: str) -> None:
    warnings.warn(message, DicomSeriesWarning, stacklevel=2)
