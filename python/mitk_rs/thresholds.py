"""Grey values of an image: how they are distributed, and where a threshold may be.

Otsu's thresholds part the values into classes whose variances are smallest (N. Otsu, "A threshold selection method from
gray-level histograms", IEEE Trans SMC 9(1), 1979; ``itk::OtsuMultipleThresholdsImageFilter``). A vessel among other
tissue is found with the half-maximum rule: its border is where the value is half way between vessel and background.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mitk_rs._sources import AnyImage, Source
from mitk_rs._validation import whole_number
from mitk_rs.errors import RequestError, brief

__all__ = ["PERCENTILES", "Histogram", "ProposedThreshold", "histogram", "propose_lower_threshold"]

#: Which percentiles :func:`histogram` gives.
PERCENTILES = (0.0, 1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0, 99.9, 100.0)
# How far around the seeds the background is looked for.
_MARGIN_MM = 20.0
_OTSU_BINS = 256
_MOST_BINS = 1 << 24


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """How many voxels have which values. NaN and infinite values are left out."""

    __module__ = "mitk_rs"
    edges: NDArray[np.float64]  #: Borders of the bins, one more than there are bins.
    counts: NDArray[np.int64]  #: Voxels in each bin.
    percentiles: dict[float, float]
    """Values that 0, 1, 5, 25, 50, 75, 95, 99, 99.9 and 100 percent of the voxels do not exceed."""
    otsu: tuple[float, ...]  #: One threshold that parts the values in two, then two that part them in three.


@dataclass(frozen=True, kw_only=True)
class ProposedThreshold:
    """A lower threshold and where it comes from."""

    __module__ = "mitk_rs"
    value: float  #: Half way between the other two.
    seeds: float  #: Mean of the 3 x 3 x 3 voxels around the darkest seed.
    background: float  #: Median of the next darker class of voxels near the seeds.


def histogram(image: AnyImage, *, bins: int = 64, time_step: int | None = None) -> Histogram:
    """Count the values of an image, and propose thresholds by Otsu's method.

    Parameters
    ----------
    image
        A scalar :class:`~mitk_rs.Image`, or an array ``(z, y, x)``.
    bins
        Number of bins of equal width between the least and the greatest value.
    time_step
        Which frame of an image with several.

    Raises
    ------
    RequestError
        Several components, no finite value, or more than 16777216 bins.

    See Also
    --------
    propose_lower_threshold

    Examples
    --------
    >>> import mitk_rs as mitk
    >>> found = mitk.histogram(mitk.datasets.tube(), bins=2)
    >>> found.counts.tolist(), found.percentiles[50.0]
    ([7100, 900], 0.0)
    """
    if not 1 <= whole_number(bins, "bins") <= _MOST_BINS:
        raise RequestError(f"bins is {brief(bins)}: allowed are 1 to {_MOST_BINS}")
    return Source(image, "the image", time_step=time_step).read(lambda voxels: _histogram(voxels, bins))


def _histogram(voxels: NDArray[Any], bins: int) -> Histogram:
    values = _finite(voxels)
    # As float64, so that the width of a bin does not overflow the type of the voxels.
    low, high = float(values.min()), float(values.max())
    # The edges of bins must differ, also where all values are equal and large.
    least = 2 * bins * float(np.spacing(max(abs(low), abs(high))))
    around = max(0.5, least) if high - low < least else 0.0
    counts, edges = np.histogram(values, bins, (low - around, high + around))
    found = np.percentile(values, PERCENTILES).tolist()
    return Histogram(
        edges=edges,
        counts=counts.astype(np.int64),
        percentiles=dict(zip(PERCENTILES, found, strict=True)),
        otsu=(*_otsu(values, 1), *_otsu(values, 2)),
    )


def _finite(voxels: NDArray[Any]) -> NDArray[Any]:
    values = voxels.ravel()
    values = values.view(np.uint8) if values.dtype == np.bool_ else values
    if voxels.dtype.kind == "f" and not np.isfinite(values).all():
        values = values[np.isfinite(values)]
    if not values.size:
        raise RequestError("the image has no finite value")
    return values


def _otsu(values: NDArray[Any], thresholds: int) -> tuple[float, ...]:
    """Values that part others into classes; none where there are fewer values than classes."""
    low, high = float(values.min()), float(values.max())
    if low == high:
        return ()
    from mitk_rs.io import checks
    from mitk_rs.io.itk import library

    sitk = library()
    # Scaled: ITK compares bins with a tolerance that large numbers would not meet.
    scaled = ((values.astype(np.float64) - low) / (high - low)).astype(np.float32)
    checks.check_room(16 * values.size, "Otsu's method")
    otsu = sitk.OtsuMultipleThresholdsImageFilter()
    otsu.SetNumberOfThresholds(thresholds)
    otsu.SetNumberOfHistogramBins(_OTSU_BINS)
    otsu.Execute(sitk.GetImageFromArray(scaled.reshape(1, -1)))
    return tuple(low + share * (high - low) for share in otsu.GetThresholds())


def propose_lower_threshold(
    image: AnyImage, seeds: Sequence[Sequence[int]], *, time_step: int | None = None
) -> ProposedThreshold:
    """Propose a lower threshold for fronts through a bright vessel, from the values at its seeds.

    The threshold is half way between the darkest seed and the background. The seed's value is the mean of its
    3 x 3 x 3 voxels. For the background, the voxels in the box of all seeds and 20 mm around it are parted into three
    classes by Otsu's method; it is the median of the class below the seed's.

    Parameters
    ----------
    image
        A scalar :class:`~mitk_rs.Image`, or an array ``(z, y, x)`` with a spacing of 1 mm.
    seeds
        Sources and targets, as for :func:`mitk_rs.initialize_level_set`.
    time_step
        Which frame of an image with several.

    Raises
    ------
    RequestError
        No seeds, seeds outside, or seeds that are not brighter than what is around them.

    See Also
    --------
    histogram, mitk_rs.initialize_level_set

    Examples
    --------
    >>> import mitk_rs as mitk
    >>> mitk.propose_lower_threshold(mitk.datasets.tube(), [(10, 10, 2), (10, 10, 17)]).value
    50.0
    """
    volume = Source(image, "the image", time_step=time_step)
    points = volume.seeds(seeds, "seeds")
    return volume.read(lambda voxels: propose(voxels, volume.spacing, points))


def propose(voxels: NDArray[Any], spacing: Sequence[float], seeds: Sequence[Sequence[int]]) -> ProposedThreshold:
    """What :func:`propose_lower_threshold` documents, for voxels and spacing (x, y, z) in mm."""
    points = np.asarray([seed[::-1][-voxels.ndim :] for seed in seeds], dtype=np.int64)
    if not len(points):
        raise RequestError("no seeds: a threshold is proposed from the values at sources and targets")
    if (points < 0).any() or (points >= voxels.shape).any():
        raise RequestError("a seed lies outside the image")
    level = min(float(np.mean(_box(voxels, point, point, 1), dtype=np.float64)) for point in points)
    margin = np.ceil(_MARGIN_MM / np.asarray(spacing[::-1][-voxels.ndim :])).astype(np.int64)
    around = _finite(_box(voxels, points.min(axis=0), points.max(axis=0), margin))
    darker = [threshold for threshold in _otsu(around, 2) if threshold < level]
    if not darker:
        raise RequestError(
            f"no threshold can be proposed: the seeds ({level:g}) are not brighter than what is around them; "
            "give a lower or an upper threshold"
        )
    below = around[around <= darker[-1]]
    # Where few values occur, the class between two thresholds may be empty.
    between = below[below > darker[-2]] if len(darker) > 1 else below
    background = float(np.median(between if between.size else below))
    return ProposedThreshold(value=(level + background) / 2, seeds=level, background=background)


def _box(voxels: NDArray[Any], first: NDArray[Any], last: NDArray[Any], margin: ArrayLike) -> NDArray[Any]:
    low, high = np.maximum(np.subtract(first, margin), 0), np.add(last, margin) + 1
    return voxels[tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))]
