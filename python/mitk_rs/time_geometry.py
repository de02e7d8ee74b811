"""When an image's time steps are, and where each of them lies.

A *time step* is a number counted from 0, a *time point* a moment in milliseconds. Each step lasts from its lower bound,
included, to its upper bound, excluded. Every step owns a spatial geometry of its own. Classes and results are those of
MITK's ``TimeGeometry`` and its descendants.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self, SupportsFloat, SupportsIndex, cast

from mitk_rs._time_steps import (
    ArbitraryGrid,
    Grid,
    ProportionalGrid,
    StepGeometries,
    Steps,
    checked_geometry,
    checked_points,
    grids_are_close,
    moment,
)
from mitk_rs._validation import check_kind, real_number, step_number, type_error, whole_number
from mitk_rs.errors import RequestError, TimeStepError
from mitk_rs.geometry import BaseGeometry, Geometry3D, SlicedGeometry3D

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
        self._of_image = self._frozen = False

    def _bind(self) -> Self:
        """Keep the number of steps from now on, because an image has as many."""
        self._of_image = True
        return self

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

    def __len__(self) -> int:
        return self.count_time_steps()

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

        A step that does not exist is not an error: a proportional grid extrapolates, an arbitrary one says (0,
        0)."""
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

    def _looked_at(self) -> BaseGeometry:
        """The geometry of step 0, which exists, to look at only."""
        return self._steps.geometries.peek(0)

    def _distinct(self) -> list[BaseGeometry]:
        """Geometries to look at only, among them those of every step."""
        return self._steps.geometries.distinct()

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
            steps = self._steps
            if step >= steps.grid.count:
                raise TimeStepError(f"time step must be 0 to {steps.grid.count - 1}, got {step}")
            self._change(steps.grid, steps.geometries)
            steps.geometries.put(checked_geometry(geometry).clone(), step)

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
            missing = wanted - self.count_time_steps()
            if missing > 0:
                longer = self._steps.geometries.extended(self._pattern().clone(), missing)
                self._change(self._steps.grid.expanded(wanted), longer)

    def _pattern(self) -> BaseGeometry:
        """What a new step looks like."""
        return Geometry3D.new()

    def for_image(self, image_geometries: Sequence[BaseGeometry]) -> Self:
        """A copy that fits an image whose present geometries are given, one a step.

        A step whose geometry was never touched (its initial state) takes the image's. The others keep
        spacing, direction and origin; bounds are those of the image, whose voxels they describe.

        Raises
        ------
        TimeStepError
            The number of steps differs.
        """
        if not isinstance(image_geometries, StepGeometries):
            check_kind(image_geometries, Sequence, "image_geometries", "a list of geometries")
            for geometry in image_geometries:
                checked_geometry(geometry)
        steps = self._steps
        if len(steps.geometries) != len(image_geometries):
            raise TimeStepError(
                f"the time geometry has {len(steps.geometries)} time steps, the image {len(image_geometries)}"
            )
        return self._copy(steps.grid, steps.geometries.combined(StepGeometries.of(image_geometries), _fitted))

    def _copy(self, grid: Grid, geometries: Sequence[BaseGeometry]) -> Self:
        twin = type(self).__new__(type(self))
        twin._start(grid, geometries)
        return twin

    def clone(self) -> Self:
        """An equal time geometry that shares nothing with this one."""
        steps = self._steps
        return self._copy(steps.grid, steps.geometries.combined(steps.geometries, lambda one, _: one.clone()))

    def __copy__(self) -> Self:
        return self.clone()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self.clone()

    def __getstate__(self) -> dict[str, Any]:
        return {"steps": self._steps}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._start(state["steps"].grid, state["steps"].geometries)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TimeGeometry):
            return NotImplemented
        return type(self) is type(other) and self._steps == other._steps

    # Mutable: equal now, different later, so no hash.
    __hash__ = None  # type: ignore[assignment]

    def is_close(self, other: TimeGeometry, eps: float = 1e-6) -> bool:
        """Whether steps, bounds and geometries agree within ``eps`` (ms and mm), whatever the classes."""
        check_kind(other, TimeGeometry, "other", "a TimeGeometry")
        mine, theirs = self._steps, other._steps
        return grids_are_close(mine.grid, theirs.grid, eps) and mine.geometries.agree(
            theirs.geometries, lambda one, another: one.is_close(another, eps)
        )

    def __repr__(self) -> str:
        lower, upper = self.get_time_bounds()
        return f"<mitk.{type(self).__name__}: {self.count_time_steps()} time steps, {lower} to {upper} ms>"


def _fitted(given: BaseGeometry, present: BaseGeometry) -> BaseGeometry:
    fitted = SlicedGeometry3D.new()
    untouched = given.is_close(SlicedGeometry3D.new(), eps=0.0)
    fitted.initialize_geometry(present if untouched else given)
    fitted.bounds, fitted.image_geometry = present.bounds, True
    return fitted


class ProportionalTimeGeometry(TimeGeometry):
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
        grid = ProportionalGrid(
            real_number(first_time_point, "first_time_point"), real_number(step_duration, "step_duration"), count
        )
        self._start(grid, StepGeometries.alike(geometry, count))

    @classmethod
    def new(cls) -> Self:
        """A time geometry without steps."""
        return cls()

    @classmethod
    def from_geometry(cls, geometry: BaseGeometry, steps: SupportsIndex = 1) -> Self:
        """The time geometry of a fresh image: always valid with one step, else 1 ms steps from 0.

        Examples
        --------
        >>> from mitk_rs import Geometry3D, ProportionalTimeGeometry
        >>> ProportionalTimeGeometry.from_geometry(Geometry3D(), 3).time_points
        (0.0, 1.0, 2.0, 3.0)
        """
        count = step_number(steps, "number of time steps")
        if count != 1:
            return cls(0.0, 1.0, count, geometry)
        static = ProportionalGrid.static()
        return cls(static.first, static.duration, static.count, geometry)

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
        grid = self._grid
        return grid == (ProportionalGrid.static() if grid.count == 1 else ProportionalGrid(0.0, 1.0, grid.count))

    @property
    def first_time_point(self) -> float:
        """Lower bound of step 0 in ms; can be set."""
        return self._grid.first

    @first_time_point.setter
    def first_time_point(self, value: SupportsFloat) -> None:
        with self._lock:
            self._regrid(replace(self._grid, first=real_number(value, "first_time_point")))

    @property
    def step_duration(self) -> float:
        """Duration of each step in ms; can be set."""
        return self._grid.duration

    @step_duration.setter
    def step_duration(self, value: SupportsFloat) -> None:
        with self._lock:
            self._regrid(replace(self._grid, duration=real_number(value, "step_duration")))

    def _regrid(self, grid: ProportionalGrid) -> None:
        self._change(grid, self._steps.geometries)

    def _pattern(self) -> BaseGeometry:
        return self._looked_at() if self.count_time_steps() else super()._pattern()


class ArbitraryTimeGeometry(TimeGeometry):
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
    def new(cls) -> Self:
        """A time geometry without steps."""
        return cls()

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
        grid = ArbitraryGrid.from_points(checked_points(time_points))
        created = cls()
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
        lower = moment(min_time_point, "min_time_point")
        upper = moment(max_time_point, "max_time_point")
        pattern = Geometry3D.new() if geometry is None else checked_geometry(geometry).clone()
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
    kind, text = (_value(keys, key) for key in (TYPE_KEY, POINTS_KEY))
    if kind is None and text is None:
        return ProportionalTimeGeometry.from_geometry(geometry, steps)
    points = _numbers(text or "")
    if kind != "ArbitraryTimeGeometry" or len(points) != steps + 1:
        _log.error("time geometry in the header ignored: type %r, %d points, %d steps", kind, len(points), steps)
        return ProportionalTimeGeometry.from_geometry(geometry, steps)
    return ArbitraryTimeGeometry.from_time_points(points, geometry)


def _value(keys: Mapping[str, str], key: str) -> str | None:
    return keys.get(key.replace("_", "."), keys.get(key))


def _numbers(text: str) -> list[float]:
    try:
        return [float(word) for word in text.split()]
    except ValueError:
        return []
