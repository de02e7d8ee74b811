"""The steps of a time geometry: bounds of each (a grid), and a spatial geometry of each."""

from __future__ import annotations

import itertools
import math
import operator
import sys
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self, SupportsFloat

import numpy as np

from mitk_rs._validation import brief, check_kind, not_negative, real_number, type_error
from mitk_rs.errors import RequestError
from mitk_rs.geometry import BaseGeometry, Geometry3D

EARLIEST = -sys.float_info.max
LATEST = sys.float_info.max

# A final step without a duration counts as this long (ms).
COLLAPSED_DURATION = 1.0
# Grids whose bounds are listed one by one have at most this many steps.
MOST_LISTED_STEPS = 1 << 24


def moment(value: SupportsFloat, what: str = "time point") -> float:
    """Check a moment in ms."""
    if isinstance(value, str | bytes):
        raise type_error(f"{what} must be a number of ms, got {brief(value)}")
    point = real_number(value, what)
    if not math.isfinite(point):
        raise RequestError(f"{what} must be a finite number of ms, got {point}")
    return point


def checked_points(values: Iterable[SupportsFloat]) -> tuple[float, ...]:
    """Check moments in ms: at least a beginning and an end, never decreasing."""
    check_kind(values, Iterable, "time_points", "an iterable of numbers of ms")
    listed = list(itertools.islice(values, MOST_LISTED_STEPS + 2))
    if len(listed) < 2:
        raise RequestError(f"time points must be at least 2 (n steps have n + 1), got {len(listed)}")
    _check_listed(len(listed) - 1)
    # The first that is not a finite number is named; millions that all are cost milliseconds.
    points = np.array(listed if set(map(type, listed)) <= {float, int} else list(map(moment, listed)), np.float64)
    if not np.isfinite(points).all():
        moment(points[~np.isfinite(points)][0])
    decreases = np.flatnonzero(np.diff(points) < 0)
    if decreases.size:
        step = int(decreases[0])
        lower, upper = points[step : step + 2].tolist()
        raise RequestError(f"time points must not decrease, step {step} would last from {lower} to {upper} ms")
    return tuple(points.tolist())


def _check_listed(count: int) -> None:
    if count > MOST_LISTED_STEPS:
        raise RequestError(f"the bounds of at most {MOST_LISTED_STEPS} time steps can be listed, got {count}")


class Grid(Protocol):
    """Steps and their bounds."""

    @property
    def count(self) -> int: ...

    def bounds(self) -> tuple[float, float]: ...

    def step_bounds(self, step: int) -> tuple[float, float]: ...

    def point_of(self, step: int) -> float: ...

    def step_of(self, point: float) -> int: ...

    def covers(self, point: float) -> bool: ...

    def expanded(self, count: int) -> Self: ...

    def points(self) -> tuple[float, ...]: ...


@dataclass(frozen=True)
class ProportionalGrid:
    """Steps of equal duration: step i lasts ``[first + duration * i, first + duration * (i + 1))``."""

    first: float = 0.0
    duration: float = 1.0
    count: int = 0

    def __post_init__(self) -> None:
        if not self.duration > 0:
            raise RequestError(f"step duration must be greater than 0 ms, got {self.duration}")
        if not math.isfinite(self.first):
            raise RequestError(f"first time point must be a finite number of ms, got {self.first}")
        if math.isinf(self.duration) and self.count > 1:
            raise RequestError(f"a step duration of infinity allows one time step, got {self.count}")

    @classmethod
    def static(cls) -> Self:
        """One step that is always valid."""
        return cls(EARLIEST, math.inf, 1)

    @property
    def is_unbounded(self) -> bool:
        return self.first <= EARLIEST or self.duration >= LATEST

    def _lower(self, step: int) -> float:
        offset = self.duration * step if step else 0.0
        return min(self.first + offset, LATEST)

    def bounds(self) -> tuple[float, float]:
        return self.first, self._lower(self.count)

    def step_bounds(self, step: int) -> tuple[float, float]:
        return self._lower(step), self._lower(step + 1)

    def point_of(self, step: int) -> float:
        return float(step) if self.is_unbounded else self.first + step * self.duration

    def step_of(self, point: float) -> int:
        if point < self.first or math.isinf(self.duration):
            return 0
        quotient = (point - self.first) / self.duration
        if math.isinf(quotient):
            return self.count
        return self._settled(math.floor(quotient), point)

    def _settled(self, step: int, point: float) -> int:
        """Undo the rounding of the quotient: the step is the one whose bounds hold the point."""
        lower, upper = self.step_bounds(step)
        if point < lower:
            return step - 1
        return step + 1 if point >= upper > lower else step

    def covers(self, point: float) -> bool:
        lower, upper = self.bounds()
        return lower <= point < upper

    def expanded(self, count: int) -> Self:
        if math.isinf(self.duration) and count > 1:
            return type(self)(0.0, 1.0, count)
        return replace(self, count=count)

    def points(self) -> tuple[float, ...]:
        _check_listed(self.count)
        return tuple(self._lower(step) for step in range(self.count + 1)) if self.count else ()


@dataclass(frozen=True)
class ArbitraryGrid:
    """Steps with bounds of their own; gaps are allowed and belong to the step after them."""

    lower: tuple[float, ...] = ()
    upper: tuple[float, ...] = ()

    @classmethod
    def from_points(cls, points: tuple[float, ...]) -> Self:
        return cls(points[:-1], points[1:])

    @property
    def count(self) -> int:
        return len(self.lower)

    @property
    def is_collapsed(self) -> bool:
        """Whether the final step has no duration; it then counts as 1 ms, its end included."""
        return bool(self.lower) and self.lower[-1] == self.upper[-1]

    def bounds(self) -> tuple[float, float]:
        return (self.lower[0], self._upper(self.count - 1)) if self.count else (0.0, 0.0)

    def _upper(self, step: int) -> float:
        is_final = step == self.count - 1
        return self.upper[step] + (COLLAPSED_DURATION if is_final and self.is_collapsed else 0.0)

    def step_bounds(self, step: int) -> tuple[float, float]:
        return (self.lower[step], self._upper(step)) if step < self.count else (0.0, 0.0)

    def point_of(self, step: int) -> float:
        return self.step_bounds(step)[0]

    def step_of(self, point: float) -> int:
        if not self.count or point < self.lower[0]:
            return 0
        passed = bisect_right(self.upper, point)
        return self.count - 1 if passed == self.count and self.covers(point) else passed

    def covers(self, point: float) -> bool:
        lower, upper = self.bounds()
        return lower <= point < upper or (self.is_collapsed and point == upper)

    def appended(self, lower: float, upper: float) -> Self:
        if upper < lower:
            raise RequestError(f"a time step must not end before it begins, got {lower} to {upper} ms")
        if self.count and lower < self.upper[-1]:
            raise RequestError(
                f"a time step must not begin before the last one ends at {self.upper[-1]} ms, got {lower} ms"
            )
        return type(self)((*self.lower, lower), (*self.upper, upper))

    def expanded(self, count: int) -> Self:
        if not self.count:
            raise RequestError("an empty time geometry has no step whose duration could be repeated; append steps")
        _check_listed(count)
        begin = self._upper(self.count - 1)
        duration = begin - self.lower[-1]
        ends = [begin + step * duration for step in range(count - self.count + 1)]
        return type(self)((*self.lower, *ends[:-1]), (*self.upper[:-1], *ends))

    def points(self) -> tuple[float, ...]:
        return (self.lower[0], *self.upper[:-1], self._upper(self.count - 1)) if self.count else ()


def grids_are_close(one: Grid, other: Grid, eps: float) -> bool:
    if one.count != other.count:
        return False
    within = _within(eps)
    # Between steps of equal duration the distance is largest at an end.
    if isinstance(one, ProportionalGrid) and isinstance(other, ProportionalGrid):
        return all(map(within, one.bounds(), other.bounds()))
    return all(map(within, one.bounds(), other.bounds())) and all(map(within, one.points(), other.points()))


class StepGeometries(Sequence[BaseGeometry]):
    """One live geometry for each step, made when it is first asked for.

    ``runs`` are ``(end, pattern)``: the steps up to ``end``, and from the end of the run before, begin as clones of
    ``pattern``, which is never handed out. So a million equal steps cost as much as one.
    """

    def __init__(
        self,
        runs: Iterable[tuple[int, BaseGeometry]],
        live: dict[int, BaseGeometry] | None = None,
        lock: threading.Lock | None = None,
    ) -> None:
        self._runs = tuple(runs)
        self._live = {} if live is None else live
        self._lock = threading.Lock() if lock is None else lock
        self._frozen = False

    @classmethod
    def alike(cls, geometry: BaseGeometry | None, count: int) -> Self:
        """Return ``count`` clones of a geometry, of an initial one if it is None."""
        pattern = Geometry3D.new() if geometry is None else checked_geometry(geometry).clone()
        return cls([(count, pattern)] if count else [])

    @classmethod
    def of(cls, geometries: Iterable[BaseGeometry]) -> Self:
        """Return these geometries, live."""
        if isinstance(geometries, cls):
            return geometries
        live = dict(enumerate(geometries))
        return cls([(step + 1, geometry) for step, geometry in live.items()], live)

    def __len__(self) -> int:
        return self._runs[-1][0] if self._runs else 0

    def __getitem__(self, step: Any) -> Any:
        if isinstance(step, slice):
            return [self[number] for number in range(*step.indices(len(self)))]
        number = operator.index(step)
        number += len(self) if number < 0 else 0
        if not 0 <= number < len(self):
            raise IndexError(step)
        with self._lock:
            if number not in self._live:
                made = self._pattern(number).clone()
                if self._frozen:
                    made._freeze()
                self._live[number] = made
            return self._live[number]

    def _pattern(self, step: int) -> BaseGeometry:
        return self._runs[bisect_right(self._runs, step, key=operator.itemgetter(0))][1]

    def peek(self, step: int) -> BaseGeometry:
        """Return a step's geometry to look at, not to hand out."""
        return self._live.get(step) or self._pattern(step)

    def freeze(self) -> None:
        """Refuse every change from now on."""
        with self._lock:
            self._frozen = True
            for geometry in self._live.values():
                geometry._freeze()

    def __getstate__(self) -> dict[str, Any]:
        return {"runs": self._runs, "live": dict(self._live)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        StepGeometries.__init__(self, state["runs"], state["live"])

    def extended(self, pattern: BaseGeometry, count: int) -> StepGeometries:
        """Return these geometries, still live, and ``count`` clones of ``pattern``."""
        kept = self._runs[:-1] if self._runs and self._runs[-1][1] == pattern else self._runs
        return StepGeometries([*kept, (len(self) + count, pattern)], self._live, self._lock)

    def put(self, geometry: BaseGeometry, step: int) -> None:
        """Replace the geometry of a step."""
        with self._lock:
            self._live[step] = geometry

    def combined(self, other: StepGeometries, make: Callable[[BaseGeometry, BaseGeometry], BaseGeometry]) -> Self:
        """Return what ``make`` makes of the geometries of each step."""
        ends = sorted({end for end, _ in (*self._runs, *other._runs)})
        begins = [0, *ends][: len(ends)]
        runs = [
            (end, make(self._pattern(begin), other._pattern(begin))) for begin, end in zip(begins, ends, strict=True)
        ]
        changed = {*self._live, *other._live}
        return type(self)(runs, {step: make(self.peek(step), other.peek(step)) for step in changed})

    def agree(self, other: StepGeometries, same: Callable[[BaseGeometry, BaseGeometry], bool]) -> bool:
        """Return True if ``same`` holds at every step of two sequences of the same length."""
        changed = sorted({*self._live, *other._live})
        begins = _begins_of_untouched([*self._runs, *other._runs], changed)
        return all(same(self._pattern(step), other._pattern(step)) for step in begins) and all(
            same(self.peek(step), other.peek(step)) for step in changed
        )

    def distinct(self) -> list[BaseGeometry]:
        """Return geometries to look at, among them those of every step; equal steps may be left out."""
        live = dict(self._live)
        return [*map(self._pattern, _begins_of_untouched(self._runs, sorted(live))), *live.values()]

    def change(self, act: Callable[[BaseGeometry], None]) -> None:
        """Change every geometry."""
        with self._lock:
            runs = tuple((end, self._changed(pattern, act)) for end, pattern in self._runs)
            for geometry in self._live.values():
                act(geometry)
            self._runs = runs

    def _changed(self, pattern: BaseGeometry, act: Callable[[BaseGeometry], None]) -> BaseGeometry:
        twin = pattern.clone()
        if self._frozen:
            twin._freeze()
        act(twin)
        return twin


def _begins_of_untouched(runs: Iterable[tuple[int, BaseGeometry]], touched: Sequence[int]) -> list[int]:
    """Return where runs begin that have steps other than the ``touched`` ones."""
    ends = sorted({end for end, _ in runs})
    places = [bisect_left(touched, end) for end in ends]
    spans = zip([0, *ends], ends, [0, *places], places, strict=False)
    return [begin for begin, end, first, last in spans if end - begin > last - first]


@dataclass(frozen=True)
class Steps:
    """The grid and the geometries of the steps: they belong together and are replaced together."""

    grid: Grid
    geometries: StepGeometries

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Steps):
            return NotImplemented
        return self.grid == other.grid and self.geometries.agree(other.geometries, operator.eq)


def _within(eps: float) -> Any:
    not_negative(eps, "eps")
    return lambda a, b: math.isclose(a, b, rel_tol=0.0, abs_tol=eps)


def checked_geometry(value: Any) -> BaseGeometry:
    if not isinstance(value, BaseGeometry):
        raise type_error(f"geometry must be a BaseGeometry, got {type(value).__name__}")
    return value
