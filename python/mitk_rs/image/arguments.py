"""Checks of what users hand in as dimensions, time steps and arrays."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterable
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mitk_rs._validation import brief, check_kind, flag, is_masked, real_number, step_number, type_error
from mitk_rs.errors import RequestError, TimeStepError
from mitk_rs.pixel_type import PixelType, component_type

Array = NDArray[Any]

_AXES = ("x", "y", "z", "t")


def dimensions(value: Any) -> list[int]:
    """Sizes (x, y[, z[, t]]) as ints of at least 1."""
    expected = "dimensions must be 2 to 4 whole numbers (x, y, z, t)"
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        raise type_error(f"{expected}, got {brief(value)}")
    try:
        sizes = [operator.index(size) for size in itertools.islice(value, 100)]
    except TypeError:
        raise type_error(f"{expected}, got {brief(value)}") from None
    if not 2 <= len(sizes) <= 4:
        raise RequestError(f"{expected}, got {len(sizes)}")
    for axis, size in zip(_AXES, sizes, strict=False):
        if not 1 <= size < 2**63:
            raise RequestError(f"dimensions must be at least 1 on every axis, got {size} along {axis}")
    return sizes


def access(step: SupportsIndex | None, timeout: float | None, block: bool) -> tuple[int | None, float | None]:  # noqa: FBT001
    """The step to read or write, ``None`` for all; and the seconds to wait for it, ``None`` for as long as it takes."""
    step = None if step is None else step_number(step)
    if step is not None and step >= 2**63:
        raise TimeStepError(f"time step {step} does not exist")
    patience = None if timeout is None else real_number(timeout, "timeout")
    return step, patience if flag(block, "block") else 0.0


def pixel(dtype: DTypeLike | PixelType, channels: SupportsIndex) -> tuple[str, int]:
    """NumPy's name of the component type, and the number of components."""
    try:
        count = operator.index(channels)
    except TypeError:
        raise type_error(f"channels must be an int, got {brief(channels)}") from None
    if not 1 <= count < 2**63:
        raise RequestError(f"channels must be at least 1, got {count}")
    if not isinstance(dtype, PixelType):
        return component_type(dtype).name, count
    if dtype.components > 1 and count not in (1, dtype.components):
        raise RequestError(f"the pixel type has {dtype.components} components, but channels is {count}")
    return dtype.dtype.name, max(count, dtype.components)


def array(value: Any, *, components: bool) -> tuple[Array, list[int], int]:
    """A plain array with sizes (x, y[, z[, t]]) and number of components.

    ``components`` says whether the last axis counts components. Booleans become 0 and 1.
    """
    if not isinstance(value, np.ndarray):
        raise type_error(f"expected a numpy array, got {type(value).__name__}; Image.from_any converts others")
    if is_masked(value):
        raise type_error("a masked array would lose its mask: use array.filled(value)")
    check_kind(components, (bool, int, np.bool_), "components", "True or False")
    components = bool(components)
    plain = np.asarray(value)
    spatial = plain.ndim - components
    if not 2 <= spatial <= 4:
        extra = " and the axis of components" if components else ""
        raise RequestError(f"the array must have 2 to 4 dimensions{extra}, got shape {plain.shape}")
    if 0 in plain.shape:
        raise RequestError(f"the array has an axis of length 0: shape {plain.shape}")
    supported = component_type(plain.dtype)
    if plain.dtype == np.bool_:
        plain = plain.view(supported)
    count = plain.shape[-1] if components else 1
    return plain, list(plain.shape[spatial - 1 :: -1]), count
