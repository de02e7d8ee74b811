"""From the headers of DICOM images to volumes: which belong together, in which order, at which place and time."""

from __future__ import annotations

import statistics
import warnings
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mitk_rs.errors import DicomSeriesWarning
from mitk_rs.geometry import Frame
from mitk_rs.io.checks import printable

__all__ = ["Slice", "Volume", "volumes_of", "warn"]

# Slices closer than this are at the same place; distances that differ by more than this share are not equal.
_SAME_PLACE_MM = 1e-3
_UNEQUAL = 0.01


@dataclass(frozen=True)
class Slice:
    """One image of a series, or one frame of a file that has several.

    Attributes
    ----------
    path, frame
        The file, and which of its frames.
    instance
        Identifier of the image; copies have the same.
    origin, direction, spacing
        Place of the image in LPS mm; the third spacing is what the header says of the distance of slices, 0 for
        nothing.
    shape, dtype, components
        Rows and columns; type of the rescaled voxels.
    clocks
        What orders images of the same place in time, in ms where it is a time: position in time, trigger time, frame
        reference time, time of acquisition, time of the content.
    number
        Number of the image in its series, and of the frame in its file.
    is_native
        pydicom reads the pixels: they are not compressed, or only by run lengths.
    """

    path: str
    frame: int
    instance: str
    origin: NDArray[np.float64]
    direction: NDArray[np.float64]
    spacing: tuple[float, float, float]
    shape: tuple[int, int]
    dtype: np.dtype[np.generic]
    components: int
    clocks: tuple[float, ...]
    number: tuple[float, int]
    is_native: bool = True

    @property
    def height(self) -> float:
        """Position along the normal of the slice in mm."""
        return float(self.origin @ self.direction[:, 2])

    @property
    def group(self) -> tuple[object, ...]:
        """What slices of one volume have in common."""
        turned = tuple(np.round(self.direction.ravel(), 3) + 0.0)
        return (self.shape, self.components, tuple(np.round(self.spacing[:2], 4)), turned)


@dataclass(frozen=True)
class Volume:
    """Slices in order.

    Attributes
    ----------
    steps
        ``steps[t][z]``.
    frame
        Where the voxels are.
    time_points
        Bounds of the time steps in ms; None where the headers do not say them.
    faults
        What a regular stack would not have: gaps, uneven distances, tilt, images left out.
    """

    steps: list[list[Slice]]
    frame: Frame
    time_points: tuple[float, ...] | None
    faults: list[str] = field(default_factory=list)

    @property
    def slices(self) -> list[Slice]:
        """All of them, time step after time step."""
        return [one for step in self.steps for one in step]


def warn(message: str) -> None:
    """Warn about a series."""
    warnings.warn(message, DicomSeriesWarning, stacklevel=2)


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
        Files that hold the same image again.
    """
    groups: dict[tuple[object, ...], list[Slice]] = defaultdict(list)
    for one in _without_copies(slices, name):
        groups[one.group].append(one)
    ordered = sorted(groups.values(), key=len, reverse=True)
    return [_volume(group) for group in ordered]


def cine(frames: Sequence[Slice], starts: Sequence[float], last_ms: float) -> Volume:
    """Return the volume over time of the frames of one file that show the same place.

    ``starts`` are the times of the frames in ms, ``last_ms`` the duration of the last one.
    """
    frame, _ = _frame(frames[:1])
    return Volume([[one] for one in frames], frame, (*starts, starts[-1] + last_ms))


def _without_copies(slices: Iterable[Slice], name: str) -> list[Slice]:
    """Leave out files that hold the same image again."""
    found: dict[tuple[str, int], Slice] = {}
    copies = 0
    for one in slices:
        key = (one.instance or one.path, one.frame)
        copies += key in found
        found.setdefault(key, one)
    if copies:
        warn(f"{printable(name)}: {copies} files hold images that other files also hold; they are left out")
    return list(found.values())


def _volume(slices: Sequence[Slice]) -> Volume:
    stacks = _stacks(slices)
    count = min(map(len, stacks))
    surplus = len(slices) - count * len(stacks)
    faults = [f"{surplus} images are left out, not every place has as many time steps"] if surplus else []
    steps = [[stack[step] for stack in stacks] for step in range(count)]
    frame, others = _frame(steps[0])
    return Volume(steps, frame, _time_points(steps), faults + others)


def _stacks(slices: Sequence[Slice]) -> list[list[Slice]]:
    """Images of the same place together, from the lowest to the highest place, each stack in the order of time."""
    stacks: list[list[Slice]] = []
    for one in sorted(slices, key=lambda one: (one.height, one.number, one.path)):
        if stacks and one.height - stacks[-1][0].height < _SAME_PLACE_MM:
            stacks[-1].append(one)
        else:
            stacks.append([one])
    return [sorted(stack, key=lambda one: (one.clocks, one.number, one.path)) for stack in stacks]


def _frame(stack: Sequence[Slice]) -> tuple[Frame, list[str]]:
    """Place the volume where its slices are, also a sheared one, which a tilted gantry gives; say what is irregular."""
    first = stack[0]
    direction, faults = first.direction.copy(), []
    thickness = first.spacing[2] if first.spacing[2] > 0 else 1.0
    if len(stack) > 1:
        faults = _gaps(stack)
        stride = np.median(np.diff([one.origin for one in stack], axis=0), axis=0)
        thickness = float(np.linalg.norm(stride))
        if np.linalg.norm(stride / thickness - direction[:, 2]) > 1e-3:
            faults.append("the slices are shifted along their plane (tilted gantry), so the volume is sheared")
            direction[:, 2] = stride / thickness
    spacing = (float(first.spacing[0]), float(first.spacing[1]), thickness)
    origin = (float(first.origin[0]), float(first.origin[1]), float(first.origin[2]))
    return Frame(spacing=spacing, origin=origin).with_direction(direction), faults


def _gaps(stack: Sequence[Slice]) -> list[str]:
    distances = np.diff([one.height for one in stack])
    usual = statistics.median(distances)
    faults = []
    for below, distance in enumerate(distances):
        if abs(distance - usual) <= _UNEQUAL * usual:
            continue
        missing = round(distance / usual) - 1
        whole = missing > 0 and abs(distance / usual - missing - 1) <= 10 * _UNEQUAL
        slices = "1 slice is" if missing == 1 else f"{missing} slices are"
        what = f"{slices} missing" if whole else f"the distance is {distance:.4g} mm"
        faults.append(f"{what} after slice {below} of {len(stack)}, slices are {usual:.4g} mm apart elsewhere")
    return faults


def _time_points(steps: Sequence[Sequence[Slice]]) -> tuple[float, ...] | None:
    """Bounds of the time steps in ms from the first; None where the headers do not tell them apart."""
    if len(steps) < 2:
        return None
    # Trigger time, frame reference time, time of acquisition: positions in time have no unit.
    for clock in (1, 2, 3):
        starts = [min(one.clocks[clock] for one in step) for step in steps]
        lengths = np.diff(starts)
        if (lengths > 0).all():
            begun = [start - starts[0] for start in starts]
            return (*begun, begun[-1] + float(lengths[-1]))
    return None
