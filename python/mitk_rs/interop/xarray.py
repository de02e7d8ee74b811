"""``xarray.DataArray`` with named dimensions and coordinates in millimetres (and milliseconds)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitk_rs.errors import GeometryError, RequestError
from mitk_rs.image import Image
from mitk_rs.interop.frames import image_from
from mitk_rs.time_geometry import ArbitraryTimeGeometry

__all__ = ["from_image", "to_image"]

_AXES = ("t", "z", "y", "x", "c")


def from_image(image: Image) -> Any:
    """Show an image as ``xarray.DataArray``; see :meth:`mitk_rs.Image.to_xarray`."""
    import xarray

    names = [*_AXES[4 - image.ndim : 4], *(["c"] if image.components > 1 else [])]
    attributes: dict[str, Any] = {
        "spacing": image.spacing,
        "origin": image.origin,
        "direction": image.direction.tolist(),
        "space": "LPS",
    }
    if "t" in names:
        attributes["time_points"] = image.time_geometry.time_points
    return xarray.DataArray(image.array, dims=names, coords=_coordinates(image, names), attrs=attributes)


def _coordinates(image: Image, names: Sequence[str]) -> dict[str, Any]:
    """Millimetres along the image's own axes, as ITK's ``xarray_from_image`` gives them; the direction is apart."""
    coordinates: dict[str, Any] = {}
    for axis, name in enumerate("xyz"):
        if name in names:
            values = image.origin[axis] + image.spacing[axis] * np.arange(image.get_dimension(axis))
            coordinates[name] = (name, values, {"units": "mm"})
    if "t" in names:
        coordinates["t"] = ("t", np.array(image.time_geometry.time_points[:-1]), {"units": "ms"})
    return coordinates


def to_image(source: Any) -> Image:
    """Copy an array whose dimensions are named t, z, y, x and c (any order; t, z and c may be missing).

    Raises
    ------
    RequestError
        Other names of dimensions.
    GeometryError
        Coordinates that are not equally spaced.
    """
    unknown = [str(name) for name in source.dims if name not in _AXES]
    if unknown or not {"x", "y"} <= set(source.dims) or ("t" in source.dims and "z" not in source.dims):
        raise RequestError(f"dimensions must be named t, z, y, x, c with at least y and x, got {source.dims}")
    ordered = source.transpose(*[name for name in _AXES if name in source.dims])
    image = image_from(ordered.values, _affine(ordered), components="c" in ordered.dims, what="xarray array")
    points = ordered.attrs.get("time_points")
    if image.ndim == 4 and points is not None and len(points) == image.time_steps + 1:
        times = ArbitraryTimeGeometry.from_time_points(points)
        image.time_geometry = times if tuple(points) != image.time_geometry.time_points else image.time_geometry
    return image


def _affine(source: Any) -> NDArray[np.float64]:
    """Coordinates tell spacing and origin of the axes that have them, attributes tell the rest."""
    spacing = np.array(source.attrs.get("spacing", (1.0, 1.0, 1.0)), np.float64)
    origin = np.array(source.attrs.get("origin", (0.0, 0.0, 0.0)), np.float64)
    direction = np.array(source.attrs.get("direction", np.eye(3)), np.float64)
    if (spacing.shape, origin.shape, direction.shape) != ((3,), (3,), (3, 3)):
        raise GeometryError("attributes spacing, origin and direction must have 3, 3 and 3x3 numbers")
    for axis, name in enumerate("xyz"):
        if name in source.coords and source.coords[name].dims == (name,):
            spacing[axis], origin[axis] = _stride(source.coords[name].values, name, spacing[axis])
    affine = np.eye(4)
    affine[:3, :3] = direction * spacing
    affine[:3, 3] = origin
    return affine


def _stride(values: NDArray[Any], name: str, fallback: float) -> tuple[float, float]:
    """Distance and start of coordinates; a single coordinate has no distance of its own."""
    numbers = np.asarray(values, np.float64)
    if len(numbers) < 2:
        return fallback, float(numbers[0])
    strides = np.diff(numbers)
    if not np.allclose(strides, strides[0], rtol=1e-5, atol=1e-9) or strides[0] == 0:
        raise GeometryError(
            f"coordinates along {name} must be equally spaced, distances are {strides[:4].tolist()} ..."
        )
    return _told_exactly(float((numbers[-1] - numbers[0]) / len(strides)), fallback), float(numbers[0])


def _told_exactly(measured: float, told: float) -> float:
    """The attribute's digits where the coordinates agree with it: differences of sums lose the last ones."""
    return told if math.isclose(measured, told, rel_tol=1e-9) else measured
