"""``TimeGeometry``: time steps with bounds, each with a geometry (``mitk::TimeGeometry``)."""

from __future__ import annotations

import math
import operator
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, SupportsFloat, SupportsIndex

from mitk_rs.errors import RequestError, TimeStepError
from mitk_rs.geometry import BaseGeometry, Geometry3D, SlicedGeometry3D
from mitk_rs.time_geometry import arguments
from mitk_rs.time_geometry.grids import Grid

__all__ = ["TimeGeometry"]


@dataclass(frozen=True)
class Steps:
    """The grid and one geometry a step: they belong together and are replaced together."""

    grid: Grid
    geometries: tuple[BaseGeometry, ...]


class TimeGeometry:
    """Base of the time geometries: what can be asked of any of them.

    Times are milliseconds, steps count from 0. Objects are live and may be used from any thread.

    Raises
    ------
    TypeError
        On construction: create a :class:`ProportionalTimeGeometry` or an :class:`ArbitraryTimeGeometry`.
        From all methods: a step that is no whole number or is negative.
    RequestError
        A time point that is not finite.
    """

    __module__ = "mitk_rs"

    def __init__(self) -> None:
        raise TypeError("TimeGeometry is abstract; use ProportionalTimeGeometry or ArbitraryTimeGeometry")

    def _start(self, grid: Grid, geometries: Sequence[BaseGeometry]) -> None:
        self._lock = threading.RLock()
        self._steps = Steps(grid, tuple(geometries))
        self._of_image = self._frozen = False

    def _bind(self) -> Self:
        """Keep the number of steps from now on, because an image has as many."""
        self._of_image = True
        return self

    def _freeze(self) -> None:
        """Refuse every change from now on, also of the geometries."""
        self._frozen = True
        for geometry in self.geometries:
            geometry._freeze()

    def _change(self, grid: Grid, geometries: Sequence[BaseGeometry]) -> None:
        """Replace the steps; the lock is held."""
        if self._frozen:
            raise RequestError("the time geometry is a snapshot's, which never changes: take a clone() of it")
        if self._of_image and grid.count != self.count_time_steps():
            raise RequestError(
                f"the time geometry is that of an image with {self.count_time_steps()} time steps and keeps them, "
                f"got {grid.count}: take a clone() of it"
            )
        self._steps = Steps(grid, tuple(geometries))

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

        A step that does not exist is no error: a proportional grid extrapolates, an arbitrary one says (0,
        0)."""
        grid = self._steps.grid
        return grid.bounds() if time_step is None else grid.step_bounds(arguments.time_step(time_step))

    def get_min_time_point(self, time_step: SupportsIndex | None = None) -> float:
        """Lower bound in ms of the whole or of one step."""
        return self.get_time_bounds(time_step)[0]

    def get_max_time_point(self, time_step: SupportsIndex | None = None) -> float:
        """Upper bound in ms of the whole or of one step."""
        return self.get_time_bounds(time_step)[1]

    def time_step_to_time_point(self, time_step: SupportsIndex) -> float:
        """Lower bound of a step in ms; on an unbounded grid the step number itself, as in MITK."""
        return self._steps.grid.point_of(arguments.time_step(time_step))

    def time_point_to_time_step(self, time_point: SupportsFloat) -> int:
        """The step a moment belongs to.

        Before the beginning it is 0. Beyond the end it is **not** clamped: a proportional grid counts on, an
        arbitrary one gives the number of steps. Ask :meth:`is_valid_time_point` first.
        """
        return self._steps.grid.step_of(arguments.time_point(time_point))

    def is_valid_time_step(self, time_step: SupportsIndex) -> bool:
        """Whether the step exists."""
        return 0 <= operator.index(time_step) < self.count_time_steps()

    def is_valid_time_point(self, time_point: SupportsFloat) -> bool:
        """Whether the moment lies between the bounds, the upper one excluded."""
        return self._steps.grid.covers(float(time_point))

    @property
    def geometries(self) -> tuple[BaseGeometry, ...]:
        """The live geometry of each step."""
        return self._steps.geometries

    def get_geometry_for_time_step(self, time_step: SupportsIndex) -> BaseGeometry | None:
        """The live geometry of a step, ``None`` if there is no such step."""
        geometries, step = self._steps.geometries, operator.index(time_step)
        return geometries[step] if 0 <= step < len(geometries) else None

    def get_geometry_for_time_point(self, time_point: SupportsFloat) -> BaseGeometry | None:
        """The live geometry of the step a moment belongs to, ``None`` outside the bounds."""
        steps, point = self._steps, float(time_point)
        return steps.geometries[steps.grid.step_of(point)] if steps.grid.covers(point) else None

    def set_geometry_for_time_step(self, geometry: BaseGeometry, time_step: SupportsIndex) -> None:
        """Give a step a clone of ``geometry``.

        Raises
        ------
        TimeStepError
            There is no such step.
        """
        step = arguments.time_step(time_step)
        with self._lock:
            geometries = list(self._steps.geometries)
            if step >= len(geometries):
                raise TimeStepError(f"time step must be 0 to {len(geometries) - 1}, got {step}")
            geometries[step] = _geometry(geometry).clone()
            self._change(self._steps.grid, geometries)

    def replace_time_step_geometries(self, geometry: BaseGeometry) -> None:
        """Give every step a clone of ``geometry``; the times stay."""
        with self._lock:
            self._change(self._steps.grid, clones(geometry, self.count_time_steps()))

    def expand_to_number_of_time_steps(self, count: SupportsIndex) -> None:
        """Add steps up to ``count``; a smaller count changes nothing, as in MITK.

        A proportional grid clones the geometry of step 0, an arbitrary one adds identity geometries and
        repeats the duration of its last step. A static grid becomes one of 1 ms steps from 0."""
        wanted = arguments.time_step(count, "number of time steps")
        with self._lock:
            missing = wanted - self.count_time_steps()
            if missing > 0:
                added = clones(self._template(), missing)
                self._change(self._steps.grid.expanded(wanted), (*self._steps.geometries, *added))

    def _template(self) -> BaseGeometry:
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
        steps = self._steps
        if len(steps.geometries) != len(image_geometries):
            raise TimeStepError(
                f"the time geometry has {len(steps.geometries)} time steps, the image {len(image_geometries)}"
            )
        fitted = map(_fitted, steps.geometries, image_geometries)
        return self._copy(steps.grid, tuple(fitted))

    def _copy(self, grid: Grid, geometries: Sequence[BaseGeometry]) -> Self:
        twin = type(self).__new__(type(self))
        twin._start(grid, geometries)
        return twin

    def clone(self) -> Self:
        """An equal time geometry that shares nothing with this one."""
        steps = self._steps
        return self._copy(steps.grid, [geometry.clone() for geometry in steps.geometries])

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
        mine, theirs = self._steps, other._steps
        return (
            mine.grid.count == theirs.grid.count
            and all(map(_within(eps), mine.grid.bounds(), theirs.grid.bounds()))
            and all(map(_within(eps), mine.grid.points(), theirs.grid.points()))
            and all(a.is_close(b, eps) for a, b in zip(mine.geometries, theirs.geometries, strict=True))
        )

    def __repr__(self) -> str:
        lower, upper = self.get_time_bounds()
        return f"<mitk.{type(self).__name__}: {self.count_time_steps()} time steps, {lower} to {upper} ms>"


def _within(eps: float) -> Any:
    return lambda a, b: math.isclose(a, b, rel_tol=0.0, abs_tol=eps)


def _geometry(value: Any) -> BaseGeometry:
    if not isinstance(value, BaseGeometry):
        raise TypeError(f"geometry must be a BaseGeometry, got {type(value).__name__}")
    return value


def clones(geometry: BaseGeometry | None, count: int) -> tuple[BaseGeometry, ...]:
    template = Geometry3D.new() if geometry is None else _geometry(geometry)
    return tuple(template.clone() for _ in range(count))


def _fitted(given: BaseGeometry, present: BaseGeometry) -> BaseGeometry:
    fitted = SlicedGeometry3D.new()
    untouched = given.is_close(SlicedGeometry3D.new(), eps=0.0)
    fitted.initialize_geometry(present if untouched else given)
    fitted.bounds, fitted.image_geometry = present.bounds, True
    return fitted
