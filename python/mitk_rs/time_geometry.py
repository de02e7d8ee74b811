"""When an image's time steps are, and where each of them lies.

A *time step* is a number counted from 0, a *time point* a moment in milliseconds. Each step lasts from its lower bound,
included, to its upper bound, excluded. Every step owns a spatial geometry of its own. Classes and results are those of
MITK's ``TimeGeometry`` and its descendants.

A time geometry holds :class:`Steps`: a grid, which knows the bounds of each step, and their geometries.
"""

from __future__ import annotations

import itertools
import logging
import math
import operator
import sys
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self, SupportsFloat, SupportsIndex, TypeAlias, cast

import numpy as np

from mitk_rs._validation import check_kind, not_negative, real_number, step_number, type_error, whole_number
from mitk_rs.errors import RequestError, TimeStepError, brief
from mitk_rs.geometry import BaseGeometry, Geometry3D, SlicedGeometry3D, WithNew

__all__ = [
    "ArbitraryTimeGeometry",
    "ProportionalTimeGeometry",
    "TimeGeometry",
    "time_geometry_from_keys",
    "time_geometry_keys",
]

_log = logging.getLogger("mitk_rs")

TYPE_KEY = "org_mitk_timegeometry_type"
POINTS_KEY = "org_mitk_timegeometry_timepoints"

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
    def fresh(cls, count: int) -> Self:
        """The steps of a fresh image: one that is always valid, else 1 ms steps from 0."""
        return cls(-LATEST, math.inf, 1) if count == 1 else cls(0.0, 1.0, count)

    def _lower(self, step: int) -> float:
        return min(self.first + (self.duration * step if step else 0.0), LATEST)

    def bounds(self) -> tuple[float, float]:
        return self.first, self._lower(self.count)

    def step_bounds(self, step: int) -> tuple[float, float]:
        return self._lower(step), self._lower(step + 1)

    def point_of(self, step: int) -> float:
        return float(step) if self.first <= -LATEST or self.duration >= LATEST else self.first + step * self.duration

    def step_of(self, point: float) -> int:
        if point < self.first or math.isinf(self.duration):
            return 0
        quotient = (point - self.first) / self.duration
        if math.isinf(quotient):
            return self.count
        # The quotient may be rounded: the step is the one whose bounds hold the point.
        step = math.floor(quotient)
        lower, upper = self.step_bounds(step)
        if point < lower:
            return step - 1
        return step + 1 if point >= upper > lower else step

    def covers(self, point: float) -> bool:
        lower, upper = self.bounds()
        return lower <= point < upper

    def expanded(self, count: int) -> Self:
        return self.fresh(count) if math.isinf(self.duration) and count > 1 else replace(self, count=count)

    def points(self) -> tuple[float, ...]:
        _check_listed(self.count)
        return tuple(self._lower(step) for step in range(self.count + 1)) if self.count else ()


@dataclass(frozen=True)
class ArbitraryGrid:
    """Steps with bounds of their own; gaps are allowed and belong to the step after them."""

    lower: tuple[float, ...] = ()
    upper: tuple[float, ...] = ()

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
        return self.upper[step] + (COLLAPSED_DURATION if step == self.count - 1 and self.is_collapsed else 0.0)

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
            last = self.upper[-1]
            raise RequestError(f"a time step must not begin before the last one ends at {last} ms, got {lower} ms")
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


Grid: TypeAlias = ProportionalGrid | ArbitraryGrid
Run: TypeAlias = tuple[int, BaseGeometry]


def checked_geometry(value: Any) -> BaseGeometry:
    if not isinstance(value, BaseGeometry):
        raise type_error(f"geometry must be a BaseGeometry, got {type(value).__name__}")
    return value


def pattern_of(geometry: BaseGeometry | None) -> BaseGeometry:
    return Geometry3D.new() if geometry is None else checked_geometry(geometry).clone()


class StepGeometries(Sequence[BaseGeometry]):
    """One live geometry for each step, made when it is first asked for.

    ``runs`` are ``(end, pattern)``: the steps up to ``end``, and from the end of the run before, begin as clones of
    ``pattern``, which is never handed out. So a million equal steps cost as much as one.
    """

    def __init__(self, runs: Iterable[Run], live: dict[int, BaseGeometry] | None = None) -> None:
        self._runs = tuple(runs)
        self._live = {} if live is None else live
        self._lock = threading.Lock()
        self._frozen = False

    @classmethod
    def alike(cls, geometry: BaseGeometry | None, count: int) -> Self:
        """Return ``count`` clones of a geometry, of an initial one if it is None."""
        return cls([(count, pattern_of(geometry))] if count else [])

    @classmethod
    def of(cls, geometries: Sequence[BaseGeometry]) -> Self:
        """Return these geometries, live."""
        if isinstance(geometries, cls):
            return geometries
        check_kind(geometries, Sequence, "image_geometries", "a list of geometries")
        live = {step: checked_geometry(geometry) for step, geometry in enumerate(geometries)}
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
                self._live[number] = self._twin(self._pattern(number))
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
        longer = StepGeometries([*kept, (len(self) + count, pattern)], self._live)
        longer._lock = self._lock
        return longer

    def put(self, geometry: BaseGeometry, step: int) -> None:
        """Replace the geometry of a step."""
        with self._lock:
            self._live[step] = geometry

    def combined(self, other: StepGeometries, make: Callable[[BaseGeometry, BaseGeometry], BaseGeometry]) -> Self:
        """Return what ``make`` makes of the geometries of each step."""
        ends = sorted({end for end, _ in (*self._runs, *other._runs)})
        begins = zip([0, *ends], ends, strict=False)
        runs = [(end, make(self._pattern(begin), other._pattern(begin))) for begin, end in begins]
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
            runs = tuple((end, self._twin(pattern)) for end, pattern in self._runs)
            for geometry in [*(pattern for _, pattern in runs), *self._live.values()]:
                act(geometry)
            self._runs = runs

    def _twin(self, pattern: BaseGeometry) -> BaseGeometry:
        twin = pattern.clone()
        if self._frozen:
            twin._freeze()
        return twin


def _begins_of_untouched(runs: Iterable[Run], touched: Sequence[int]) -> list[int]:
    """Return where runs begin that have steps other than the ``touched`` ones."""
    ends = sorted({end for end, _ in runs})
    places = [bisect_left(touched, end) for end in ends]
    spans = zip([0, *ends], ends, [0, *places], places, strict=False)
    return [begin for begin, end, first, last in spans if end - begin > last - first]


class Steps(NamedTuple):
    """The grid and the geometries of the steps: they belong together and are replaced together."""

    grid: Grid
    geometries: StepGeometries


class TimeGeometry:
    """Base of the time geometries: what can be asked of any of them.

    Times are milliseconds, steps count from 0. Objects are live and may be used from any thread.

    Raises
    ------
    TypeError
        On construction: create a :class:`ProportionalTimeGeometry` or an :class:`ArbitraryTimeGeometry`.
        From all methods: a step that is not a whole number or is negative.
    RequestError
        A time point that is not finite.
    """

    __module__ = "mitk_rs"

    def __init__(self) -> None:
        raise type_error("TimeGeometry is abstract; use ProportionalTimeGeometry or ArbitraryTimeGeometry")

    def _start(self, grid: Grid, geometries: Sequence[BaseGeometry]) -> None:
        self._lock = threading.RLock()
        self._steps = Steps(grid, StepGeometries.of(geometries))
        # The number of steps of an image stays.
        self._of_image = self._frozen = False

    def _freeze(self) -> None:
        """Refuse every change from now on, also of the geometries."""
        self._frozen = True
        self._steps.geometries.freeze()

    def _change(self, grid: Grid, geometries: Sequence[BaseGeometry]) -> None:
        """Replace the steps; the lock is held."""
        if self._frozen:
            raise RequestError("the time geometry is a snapshot's, which never changes: take a clone() of it")
        if self._of_image and grid.count != self.count_time_steps():
            raise RequestError(
                f"the time geometry is that of an image with {self.count_time_steps()} time steps and keeps them, "
                f"got {grid.count}: take a clone() of it"
            )
        self._steps = Steps(grid, StepGeometries.of(geometries))

    def count_time_steps(self) -> int:
        """Number of time steps."""
        return self._steps.grid.count

    __len__ = count_time_steps

    # Without it an empty time geometry would be false.
    def __bool__(self) -> bool:
        return True

    @property
    def first_time_point(self) -> float:
        """Lower bound of the first step in ms."""
        return self.get_min_time_point()

    @property
    def time_points(self) -> tuple[float, ...]:
        """n + 1 moments in ms: the lower bound of step 0, then the upper bound of each step."""
        return self._steps.grid.points()

    def get_time_bounds(self, time_step: SupportsIndex | None = None) -> tuple[float, float]:
        """Lower and upper bound in ms of the whole or of one step.

        A step that does not exist is not an error: a proportional grid extrapolates, an arbitrary one says (0, 0)."""
        grid = self._steps.grid
        return grid.bounds() if time_step is None else grid.step_bounds(step_number(time_step))

    def get_min_time_point(self, time_step: SupportsIndex | None = None) -> float:
        """Lower bound in ms of the whole or of one step."""
        return self.get_time_bounds(time_step)[0]

    def get_max_time_point(self, time_step: SupportsIndex | None = None) -> float:
        """Upper bound in ms of the whole or of one step."""
        return self.get_time_bounds(time_step)[1]

    def time_step_to_time_point(self, time_step: SupportsIndex) -> float:
        """Lower bound of a step in ms; on an unbounded grid the step number itself, as in MITK."""
        return self._steps.grid.point_of(step_number(time_step))

    def time_point_to_time_step(self, time_point: SupportsFloat) -> int:
        """The step a moment belongs to.

        Before the beginning it is 0. Beyond the end it is **not** clamped: a proportional grid counts on, an
        arbitrary one gives the number of steps. Ask :meth:`is_valid_time_point` first.
        """
        return self._steps.grid.step_of(moment(time_point))

    def is_valid_time_step(self, time_step: SupportsIndex) -> bool:
        """Whether the step exists."""
        return 0 <= whole_number(time_step, "time_step") < self.count_time_steps()

    def is_valid_time_point(self, time_point: SupportsFloat) -> bool:
        """Whether the moment lies between the bounds, the upper one excluded."""
        return self._steps.grid.covers(real_number(time_point, "time_point"))

    @property
    def geometries(self) -> Sequence[BaseGeometry]:
        """The live geometry of each step."""
        return self._steps.geometries

    def _change_all(self, act: Callable[[BaseGeometry], None]) -> None:
        """Change the geometry of every step."""
        with self._lock:
            self._steps.geometries.change(act)

    def get_geometry_for_time_step(self, time_step: SupportsIndex) -> BaseGeometry | None:
        """The live geometry of a step, ``None`` if there is no such step."""
        geometries, step = self._steps.geometries, whole_number(time_step, "time_step")
        return geometries[step] if 0 <= step < len(geometries) else None

    def get_geometry_for_time_point(self, time_point: SupportsFloat) -> BaseGeometry | None:
        """The live geometry of the step a moment belongs to, ``None`` outside the bounds."""
        steps, point = self._steps, real_number(time_point, "time_point")
        return steps.geometries[steps.grid.step_of(point)] if steps.grid.covers(point) else None

    def set_geometry_for_time_step(self, geometry: BaseGeometry, time_step: SupportsIndex) -> None:
        """Give a step a clone of ``geometry``.

        Raises
        ------
        TimeStepError
            There is no such step.
        """
        step = step_number(time_step)
        with self._lock:
            grid, geometries = self._steps
            if step >= grid.count:
                raise TimeStepError(f"time step must be 0 to {grid.count - 1}, got {step}")
            self._change(grid, geometries)
            geometries.put(checked_geometry(geometry).clone(), step)

    def replace_time_step_geometries(self, geometry: BaseGeometry) -> None:
        """Give every step a clone of ``geometry``; the times stay."""
        with self._lock:
            self._change(self._steps.grid, StepGeometries.alike(geometry, self.count_time_steps()))

    def expand_to_number_of_time_steps(self, count: SupportsIndex) -> None:
        """Add steps up to ``count``; a smaller count changes nothing, as in MITK.

        A proportional grid clones the geometry of step 0, an arbitrary one adds identity geometries and
        repeats the duration of its last step. A static grid becomes one of 1 ms steps from 0."""
        wanted = step_number(count, "number of time steps")
        with self._lock:
            grid, geometries = self._steps
            if wanted > grid.count:
                like_first = isinstance(grid, ProportionalGrid) and grid.count > 0
                pattern = geometries.peek(0).clone() if like_first else Geometry3D.new()
                self._change(grid.expanded(wanted), geometries.extended(pattern, wanted - grid.count))

    def for_image(self, image_geometries: Sequence[BaseGeometry]) -> Self:
        """A copy that fits an image whose present geometries are given, one a step.

        A step whose geometry was never touched (its initial state) takes the image's. The others keep
        spacing, direction and origin; bounds are those of the image, whose voxels they describe.

        Raises
        ------
        TimeStepError
            The number of steps differs.
        """
        grid, mine = self._steps
        theirs = StepGeometries.of(image_geometries)
        if len(mine) != len(theirs):
            raise TimeStepError(f"the time geometry has {len(mine)} time steps, the image {len(theirs)}")
        return self._copy(grid, mine.combined(theirs, _fitted))

    def _copy(self, grid: Grid, geometries: Sequence[BaseGeometry]) -> Self:
        twin = type(self).__new__(type(self))
        twin._start(grid, geometries)
        return twin

    def clone(self) -> Self:
        """An equal time geometry that shares nothing with this one."""
        grid, mine = self._steps
        return self._copy(grid, mine.combined(mine, lambda one, _: one.clone()))

    __copy__ = clone

    def __getstate__(self) -> dict[str, Any]:
        return {"steps": self._steps}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._start(*state["steps"])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TimeGeometry):
            return NotImplemented
        (grid, geometries), (theirs, others) = self._steps, other._steps
        return type(self) is type(other) and grid == theirs and geometries.agree(others, operator.eq)

    # Mutable: equal now, different later, so no hash.
    __hash__ = None  # type: ignore[assignment]

    def is_close(self, other: TimeGeometry, eps: float = 1e-6) -> bool:
        """Whether steps, bounds and geometries agree within ``eps`` (ms and mm), whatever the classes."""
        check_kind(other, TimeGeometry, "other", "a TimeGeometry")
        (mine, geometries), (theirs, others) = self._steps, other._steps
        if mine.count != theirs.count:
            return False
        not_negative(eps, "eps")
        pairs = [*zip(mine.bounds(), theirs.bounds(), strict=True)]
        # Between steps of equal duration the distance is largest at an end.
        if not (isinstance(mine, ProportionalGrid) and isinstance(theirs, ProportionalGrid)):
            pairs += zip(mine.points(), theirs.points(), strict=True)
        same = all(math.isclose(a, b, rel_tol=0.0, abs_tol=eps) for a, b in pairs)
        return same and geometries.agree(others, lambda one, another: one.is_close(another, eps))

    def __repr__(self) -> str:
        lower, upper = self.get_time_bounds()
        return f"<mitk.{type(self).__name__}: {self.count_time_steps()} time steps, {lower} to {upper} ms>"


def _fitted(given: BaseGeometry, present: BaseGeometry) -> BaseGeometry:
    fitted = SlicedGeometry3D.new()
    untouched = given.is_close(SlicedGeometry3D.new(), eps=0.0)
    fitted.initialize_geometry(present if untouched else given)
    fitted.bounds, fitted.image_geometry = present.bounds, True
    return fitted


class ProportionalTimeGeometry(WithNew, TimeGeometry):
    """Steps of equal duration: step i lasts ``[first + i * duration, first + (i + 1) * duration)`` ms.

    Parameters
    ----------
    first_time_point
        Lower bound of step 0 in ms.
    step_duration
        Duration of each step in ms, greater than 0; infinity is allowed for a single step.
    steps
        Number of steps.
    geometry
        Each step gets a clone of it; an initial :class:`Geometry3D` if not given, which an image replaces
        by its own when the time geometry is assigned to it.

    Raises
    ------
    RequestError
        A duration or first time point that is out of range.

    Examples
    --------
    >>> from mitk_rs import ProportionalTimeGeometry
    >>> grid = ProportionalTimeGeometry(100, 40, 5)
    >>> grid.get_time_bounds(), grid.time_point_to_time_step(150)
    ((100.0, 300.0), 1)
    """

    __module__ = "mitk_rs"

    def __init__(
        self,
        first_time_point: SupportsFloat = 0.0,
        step_duration: SupportsFloat = 1.0,
        steps: SupportsIndex = 0,
        geometry: BaseGeometry | None = None,
    ) -> None:
        count = step_number(steps, "number of time steps")
        first = real_number(first_time_point, "first_time_point")
        grid = ProportionalGrid(first, real_number(step_duration, "step_duration"), count)
        self._start(grid, StepGeometries.alike(geometry, count))

    @classmethod
    def from_geometry(cls, geometry: BaseGeometry, steps: SupportsIndex = 1) -> Self:
        """The time geometry of a fresh image: always valid with one step, else 1 ms steps from 0.

        Examples
        --------
        >>> from mitk_rs import Geometry3D, ProportionalTimeGeometry
        >>> ProportionalTimeGeometry.from_geometry(Geometry3D(), 3).time_points
        (0.0, 1.0, 2.0, 3.0)
        """
        grid = ProportionalGrid.fresh(step_number(steps, "number of time steps"))
        return cls(grid.first, grid.duration, grid.count, geometry)

    @property
    def _grid(self) -> ProportionalGrid:
        return cast(ProportionalGrid, self._steps.grid)

    @property
    def is_static(self) -> bool:
        """Whether the single step never ends."""
        return math.isinf(self._grid.duration)

    @property
    def is_default(self) -> bool:
        """Whether the times are those of a fresh image: always valid, or 1 ms steps from 0."""
        return self._grid == ProportionalGrid.fresh(self._grid.count)

    @property
    def first_time_point(self) -> float:
        """Lower bound of step 0 in ms; can be set."""
        return self._grid.first

    @first_time_point.setter
    def first_time_point(self, value: SupportsFloat) -> None:
        self._regrid(first=real_number(value, "first_time_point"))

    @property
    def step_duration(self) -> float:
        """Duration of each step in ms; can be set."""
        return self._grid.duration

    @step_duration.setter
    def step_duration(self, value: SupportsFloat) -> None:
        self._regrid(duration=real_number(value, "step_duration"))

    def _regrid(self, **changes: Any) -> None:
        with self._lock:
            self._change(replace(self._grid, **changes), self._steps.geometries)


class ArbitraryTimeGeometry(WithNew, TimeGeometry):
    """Steps with bounds of their own, without steps at first; :meth:`append` adds them.

    Gaps between steps are allowed; a moment in a gap is valid and belongs to the step after it. A final
    step without duration (lower bound = upper bound) counts as 1 ms long with its end included; one in the
    middle is never found.

    Examples
    --------
    >>> from mitk_rs import ArbitraryTimeGeometry
    >>> grid = ArbitraryTimeGeometry.from_time_points([0, 10, 30, 60])
    >>> grid.count_time_steps(), grid.get_time_bounds(1), grid.time_point_to_time_step(29.9)
    (3, (10.0, 30.0), 1)
    """

    __module__ = "mitk_rs"

    def __init__(self) -> None:
        self._start(ArbitraryGrid(), ())

    @classmethod
    def from_time_points(cls, time_points: Iterable[SupportsFloat], geometry: BaseGeometry | None = None) -> Self:
        """Steps without gaps from n + 1 moments in ms that never decrease.

        Parameters
        ----------
        time_points
            Lower bound of step 0, then the upper bound of each step.
        geometry
            Each step gets a clone of it, as for :class:`ProportionalTimeGeometry`.

        Raises
        ------
        RequestError
            Fewer than two time points, one that is not finite, or a decrease.
        """
        points, created = checked_points(time_points), cls()
        grid = ArbitraryGrid(points[:-1], points[1:])
        created._start(grid, StepGeometries.alike(geometry, grid.count))
        return created

    def append(
        self, geometry: BaseGeometry | None, min_time_point: SupportsFloat, max_time_point: SupportsFloat
    ) -> None:
        """Add a step from ``min_time_point`` to ``max_time_point`` (ms) with a clone of ``geometry``.

        Raises
        ------
        RequestError
            The step would end before it begins or begin before the last one ends.
        """
        lower, upper = moment(min_time_point, "min_time_point"), moment(max_time_point, "max_time_point")
        pattern = pattern_of(geometry)
        with self._lock:
            grid = cast(ArbitraryGrid, self._steps.grid).appended(lower, upper)
            self._change(grid, self._steps.geometries.extended(pattern, 1))


def time_geometry_keys(time_geometry: TimeGeometry) -> dict[str, str]:
    """The header texts of a time geometry; none for that of a fresh image.

    Examples
    --------
    >>> from mitk_rs import ProportionalTimeGeometry
    >>> from mitk_rs.time_geometry import time_geometry_keys
    >>> time_geometry_keys(ProportionalTimeGeometry(0, 2.5, 2))["org_mitk_timegeometry_timepoints"]
    '0 2.5 5'
    """
    check_kind(time_geometry, TimeGeometry, "time_geometry", "a TimeGeometry")
    if isinstance(time_geometry, ProportionalTimeGeometry) and time_geometry.is_default:
        return {}
    points = " ".join(f"{point:.17g}" for point in time_geometry.time_points)
    return {TYPE_KEY: "ArbitraryTimeGeometry", POINTS_KEY: points} if points else {}


def time_geometry_from_keys(keys: Mapping[str, str], geometry: BaseGeometry, steps: int) -> TimeGeometry:
    """The time geometry that header texts describe; every step gets a clone of ``geometry``.

    Dotted keys of older files win over the ones with underscores. Keys that do not fit (another type, not n
    + 1 numbers) are logged and the time geometry is that of a fresh image, as in MITK.

    Raises
    ------
    RequestError
        The time points decrease.
    """
    check_kind(keys, Mapping, "keys", "a dictionary of texts")
    steps = step_number(steps, "steps")
    kind, text = (keys.get(key.replace("_", "."), keys.get(key)) for key in (TYPE_KEY, POINTS_KEY))
    if kind is None and text is None:
        return ProportionalTimeGeometry.from_geometry(geometry, steps)
    try:
        points = [float(word) for word in (text or "").split()]
    except ValueError:
        points = []
    if kind != "ArbitraryTimeGeometry" or len(points) != steps + 1:
        _log.error("time geometry in the header ignored: type %r, %d points, %d steps", kind, len(points), steps)
        return ProportionalTimeGeometry.from_geometry(geometry, steps)
    return ArbitraryTimeGeometry.from_time_points(points, geometry)
