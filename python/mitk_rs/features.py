"""Feature images: where a scan has edges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Unpack, overload

import numpy as np
from numpy.typing import NDArray

from mitk_rs import _core
from mitk_rs._sources import AnyImage, ImageT, Source, shows_progress
from mitk_rs._validation import RunOptions, check_names, finite, flag, not_negative, numbers, one_of, run_options
from mitk_rs.errors import RequestError, brief

if TYPE_CHECKING:
    from mitk_rs.image import Image
    from mitk_rs.interop import ForeignImage

__all__ = ["FEATURE_TYPES", "feature_image"]

#: Types of feature images.
FEATURE_TYPES = ("gradient", "vtkgradient", "upwind", "fwhm")


class FeatureOptions(RunOptions, total=False):
    """Keyword arguments of :func:`feature_image`, explained there."""

    type: str
    sigma: float
    sigmoid: bool
    sigmoid_range: tuple[float, float] | None
    upwind_factor: float
    radius: Sequence[int]
    background: float
    dimensionality: int
    time_step: int | None


@overload
def feature_image(scan: ImageT, **options: Unpack[FeatureOptions]) -> ImageT: ...
@overload
def feature_image(scan: NDArray[Any], **options: Unpack[FeatureOptions]) -> NDArray[np.float32]: ...
@overload
def feature_image(scan: ForeignImage, **options: Unpack[FeatureOptions]) -> Image: ...
@shows_progress
def feature_image(
    scan: AnyImage,
    *,
    type: str = "gradient",  # noqa: A002
    sigma: float = 0.0,
    sigmoid: bool = False,
    sigmoid_range: tuple[float, float] | None = None,
    upwind_factor: float = 1.0,
    radius: Sequence[int] = (1, 1, 1),
    background: float = 0.0,
    dimensionality: int = 3,
    time_step: int | None = None,
    **run: Unpack[RunOptions],
) -> Any:
    """Compute where a scan has edges, as a map for level sets.

    The feature is near 1 where the scan is homogeneous and near 0 at edges (``"fwhm"`` is different, see below).
    Derivatives are taken along the axes of the array, in grey values per mm; directions play no part. Outside the scan
    a value is that of the nearest voxel.

    Parameters
    ----------
    scan
        A scalar :class:`~mitk_rs.Image` of any pixel type, or an array ``(z, y, x)`` with a spacing of 1 mm. It is
        computed with as float32; NaN and infinite voxels are refused.
    type
        ``"gradient"``: from the gradient magnitude by central differences, or by derivatives of a Gaussian where
        ``sigma`` is above 0. Equal to ``itk::GradientMagnitudeImageFilter`` and
        ``itk::GradientMagnitudeRecursiveGaussianImageFilter`` in every bit.

        ``"vtkgradient"``: from central differences that count half at the border, as in ``vtkImageGradientMagnitude``.

        ``"upwind"``: from one-sided differences. An edge of a bright vessel is seen from its dark side only, which
        keeps thin vessels open inside.

        ``"fwhm"``: each voxel against half the maximum around it (full width at half maximum), from -1 in the
        background to 1 in the vessel: made for ``propagation``, not for ``advection``. Grey values are not scaled, so
        a scan with values far above 1 gives little else than -1 and 1; divide it first.
    sigma
        Standard deviation in mm of the Gaussian, for ``"gradient"``. It must not exceed the extent of the scan along
        any axis, and every axis needs at least four voxels.
    sigmoid
        Map the gradient magnitude m with a sigmoid that falls from 0.953 to 0.047 over the range of m, rather than with
        ``1 / (1 + m)``. For ``"gradient"`` and ``"upwind"``.
    sigmoid_range
        The lower and upper end of that range; by default the smallest and the largest m of the scan, so that a single
        bright outlier, such as metal, moves the whole curve.
    upwind_factor
        For ``"upwind"``, from 0 (central differences) to 1 (the larger fall).
    radius
        For ``"fwhm"``, semi-axes (x, y, z) in voxels of the ellipsoid in which the maximum is looked for.
    background
        For ``"fwhm"``, the grey value of the background.
    dimensionality
        For ``"vtkgradient"``: 2 takes the gradient along x and y only.
    time_step
        Which frame of an image with several.
    threads, progress, cancel, timeout
        As in :func:`~mitk_rs.fast_marching`. The result is the same for any number of threads.

    Returns
    -------
    Image or numpy.ndarray
        float32, with the geometry of the scan; an array for an array.

    Raises
    ------
    RequestError
        An unknown type, an argument out of its range or without effect on this type, voxels that are not finite, a
        scan with several components.
    Cancelled, TimeoutError, MemoryError
        The call was cancelled, took too long, or memory was refused.

    See Also
    --------
    evolve_level_set : Segmentation that uses the feature.

    Notes
    -----
    m is in grey values per mm: the feature of a CT in Hounsfield units lies near 0.01 at its edges and near 1 / noise
    elsewhere. The time step of the evolution follows its largest value, but the balance between terms that use the
    feature and ``curvature`` depends on the scale of grey values.

    References
    ----------
    ``vmtkimagefeatures`` of VMTK; V. Caselles, R. Kimmel and G. Sapiro, "Geodesic active contours", Int J Comput Vis
    22(1), 1997; G. Farnebäck and C.-F. Westin, "Improving Deriche-style recursive Gaussian filters", J Math Imaging Vis
    26(3), 2006.

    Examples
    --------
    >>> import numpy as np
    >>> import mitk_rs as mitk
    >>> scan = np.zeros((5, 5, 8), np.int16)
    >>> scan[:, :, 4:] = 18
    >>> mitk.feature_image(scan)[2, 2]
    array([1. , 1. , 1. , 0.1, 0.1, 1. , 1. , 1. ], dtype=float32)
    >>> mitk.feature_image(scan, type="upwind")[2, 2].round(3)
    array([1.   , 1.   , 1.   , 0.053, 1.   , 1.   , 1.   , 1.   ], dtype=float32)
    """
    check_names("feature_image", run, RunOptions)
    feature: _core._Feature = {
        "type": one_of(type, "type", FEATURE_TYPES),
        "sigma": not_negative(sigma, "sigma"),
        "sigmoid": flag(sigmoid, "sigmoid"),
        "sigmoid_range": _range(sigmoid_range),
        "upwind_factor": finite(upwind_factor, "upwind_factor"),
        "radius": _radius(radius),
        "background": finite(background, "background"),
        "dimensionality": one_of(dimensionality, "dimensionality", (2, 3)),
    }
    _check_feature(feature)
    how = run_options(run)
    volume = Source(scan, "scan", time_step=time_step)
    return volume.wrap(volume.read(lambda voxels: _core.feature_image(voxels, volume.spacing, feature, **how)))


def _range(value: tuple[float, float] | None) -> tuple[float, float] | None:
    if value is None:
        return None
    ends = numbers(value, "sigmoid_range")
    two = ends.shape == (2,)
    if not (two and np.isfinite(ends).all() and ends[0] < ends[1]):
        shown = value if two else brief(value)
        raise RequestError(f"sigmoid_range is {shown}: two finite numbers are needed, the lower one first")
    return float(ends[0]), float(ends[1])


def _radius(value: Sequence[int]) -> tuple[int, int, int]:
    radius = numbers(value, "radius")
    if radius.shape != (3,) or not ((np.floor(radius) == radius) & (radius >= 0) & (radius < 2**31)).all():
        raise RequestError(f"radius is {brief(value)}: three whole numbers (x, y, z) >= 0 are needed, in voxels")
    x, y, z = (int(r) for r in radius)
    return x, y, z


def _check_feature(feature: _core._Feature) -> None:
    """Refuse what has no effect on the type."""
    kind = feature["type"]
    if feature["sigma"] > 0 and kind != "gradient":
        raise RequestError(f"sigma is for type 'gradient': type {brief(kind)} does not smooth")
    if feature["sigmoid"] and kind not in ("gradient", "upwind"):
        raise RequestError(f"sigmoid is for types 'gradient' and 'upwind': type {brief(kind)} has a map of its own")
    if feature["sigmoid_range"] is not None and not feature["sigmoid"]:
        raise RequestError("sigmoid_range is only used with sigmoid=True")
