"""Checks of what users hand in as time steps and time points."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from itertools import pairwise
from typing import SupportsFloat, SupportsIndex

from mitk_rs.errors import RequestError


def time_step(value: SupportsIndex, what: str = "time step") -> int:
    """A step number; whether it exists is another question."""
    if not hasattr(value, "__index__"):
        raise TypeError(f"{what} must be a whole number, got {value!r}")
    step = operator.index(value)
    if step < 0:
        raise TypeError(f"{what} must not be negative, got {step}")
    return step


def time_point(value: SupportsFloat, what: str = "time point") -> float:
    """A moment in ms."""
    if isinstance(value, str | bytes):
        raise TypeError(f"{what} must be a number of ms, got {value!r}")
    point = float(value)
    if not math.isfinite(point):
        raise RequestError(f"{what} must be a finite number of ms, got {point}")
    return point


def time_points(values: Iterable[SupportsFloat]) -> tuple[float, ...]:
    """Moments in ms that never decrease; at least a beginning and an end."""
    points = tuple(time_point(value) for value in values)
    if len(points) < 2:
        raise RequestError(f"time points must be at least 2 (n steps have n + 1), got {len(points)}")
    for step, (lower, upper) in enumerate(pairwise(points)):
        if upper < lower:
            raise RequestError(f"time points must not decrease, step {step} would last from {lower} to {upper} ms")
    return points
