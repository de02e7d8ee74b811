"""The time geometries that exist: steps of equal duration, and steps with bounds of their own."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Self, SupportsFloat, SupportsIndex, cast

from mitk_rs.geometry import BaseGeometry
from mitk_rs.time_geometry import arguments
from mitk_rs.time_geometry.base import TimeGeometry, clones
from mitk_rs.time_geometry.grids import ArbitraryGrid, ProportionalGrid

__all__ = ["ArbitraryTimeGeometry", "ProportionalTimeGeometry"]


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
        count = arguments.time_step(steps, "number of time steps")
        grid = ProportionalGrid(float(first_time_point), float(step_duration), count)
        self._start(grid, clones(geometry, count))

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
        count = arguments.time_step(steps, "number of time steps")
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
            self._regrid(replace(self._grid, first=float(value)))

    @property
    def step_duration(self) -> float:
        """Duration of each step in ms; can be set."""
        return self._grid.duration

    @step_duration.setter
    def step_duration(self, value: SupportsFloat) -> None:
        with self._lock:
            self._regrid(replace(self._grid, duration=float(value)))

    def _regrid(self, grid: ProportionalGrid) -> None:
        self._change(grid, self._steps.geometries)

    def _template(self) -> BaseGeometry:
        geometries = self._steps.geometries
        return geometries[0] if geometries else super()._template()


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
        grid = ArbitraryGrid.from_points(arguments.time_points(time_points))
        created = cls()
        created._start(grid, clones(geometry, grid.count))
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
        lower = arguments.time_point(min_time_point, "min_time_point")
        upper = arguments.time_point(max_time_point, "max_time_point")
        added = clones(geometry, 1)
        with self._lock:
            grid = cast(ArbitraryGrid, self._steps.grid).appended(lower, upper)
            self._change(grid, (*self._steps.geometries, *added))
