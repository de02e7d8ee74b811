"""How maps between index and world take and give points, vectors and arrays."""

from __future__ import annotations

import reprlib
from collections.abc import Callable
from typing import Any

import numpy as np

from mitk_rs.geometry.arguments import FloatArray, coordinates
from mitk_rs.points import Point3D, Vector3D

Map = Callable[[FloatArray], FloatArray]


def converted(points: Map, vectors: Map, source: Any, target: Any) -> Any:
    """Apply the map that fits the kind of ``source``; fill ``target`` or return something like ``source``."""
    _refuse_mixture(source, target)
    moves = vectors if isinstance(source, Vector3D) or isinstance(target, Vector3D) else points
    result = moves(coordinates(source))
    if target is None:
        return like(source, result)
    _fill(target, result)
    return None


def like(source: Any, result: FloatArray) -> Any:
    """Arrays for arrays and for lists of points, a vector for a vector, else a point."""
    if isinstance(source, np.ndarray) or result.ndim > 1:
        return result
    return (Vector3D if isinstance(source, Vector3D) else Point3D)(*result)


def _refuse_mixture(source: Any, target: Any) -> None:
    kinds = {type(item) for item in (source, target) if isinstance(item, Point3D | Vector3D)}
    if len(kinds) > 1:
        raise TypeError(f"cannot map a {type(source).__name__} into a {type(target).__name__}")


def _fill(target: Any, result: FloatArray) -> None:
    if isinstance(target, Point3D | Vector3D) and result.ndim == 1:
        for axis, value in enumerate(result):
            target[axis] = value
        return
    if not isinstance(target, np.ndarray) or target.dtype.kind != "f" or target.shape != result.shape:
        raise TypeError(
            f"the output must be a Point3D, a Vector3D or a float array of shape {result.shape}, "
            f"got {reprlib.repr(target)}"
        )
    target[...] = result
