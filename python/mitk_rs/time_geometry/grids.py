"""The arithmetic of time grids: immutable values, bounds in ms, no geometry.

Results for steps and points outside a grid are MITK's (``mitkProportionalTimeGeometry``,
``mitkArbitraryTimeGeometry``): some extrapolate, some are 0, none is an error.
"""

from __future__ import annotations

import math
import sys
from bisect import bisect_right
from dataclasses import dataclass, replace
from typing import Protocol, Self

from mitk_rs.errors import RequestError

EARLIEST = -sys.float_info.max
LATEST = sys.float_info.max

# A final step without a duration counts as this long (ms).
COLLAPSED_DURATION = 1.0


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
        begin = self._upper(self.count - 1)
        duration = begin - self.lower[-1]
        grid = replace(self, upper=(*self.upper[:-1], begin))
        for step in range(count - self.count):
            grid = grid.appended(begin + step * duration, begin + (step + 1) * duration)
        return grid

    def points(self) -> tuple[float, ...]:
        return (self.lower[0], *(self._upper(step) for step in range(self.count))) if self.count else ()
