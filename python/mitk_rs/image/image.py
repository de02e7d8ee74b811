"""``Image``: voxels behind accessors, with geometry, properties and files (``mitk::Image``)."""

from __future__ import annotations

import os
import uuid
from typing import Any, Self, SupportsIndex, cast

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from mitk_rs.errors import RequestError
from mitk_rs.image import arguments
from mitk_rs.image.arguments import Array
from mitk_rs.image.display import Display
from mitk_rs.image.protocols import Protocols
from mitk_rs.image.spatial import fresh_time_geometry
from mitk_rs.interop.methods import Conversions
from mitk_rs.pixel_type import PixelType
from mitk_rs.properties import PropertyOwner

Path = str | bytes | os.PathLike[str] | os.PathLike[bytes]


class Image(Protocols, Display, Conversions):
    """A 2-D, 3-D or 3-D + time image with one or more components a voxel.

    Parameters
    ----------
    source
        Nothing (then call :meth:`initialize`), the path of a file, or an array ``([t, ][z, ]y, x)``.
    spacing, origin
        Three numbers (x, y, z) in mm, with an array only; 1 mm and 0 by default. They hold for all time steps.
    direction
        3x3 matrix whose columns are the world directions of x, y and z; identity by default.
    copy
        ``True`` copies the array. ``None`` takes its memory over without a copy where it is C-contiguous and
        aligned: image and array then show the same voxels, and the array is kept alive. ``False`` is refused.
    components
        Whether the last axis of the array counts components.

    Raises
    ------
    TypeError
        A source of another kind (:meth:`from_any` converts many), or not three numbers.
    ValueError
        An array with fewer than 2 or more than 4 dimensions, ``copy=False``, a direction that is not 3x3.
    RequestError
        An unsupported dtype, or an axis of length 0.
    FileError
        A file that cannot be read.

    Examples
    --------
    >>> import numpy as np, mitk_rs as mitk
    >>> image = mitk.Image(np.zeros((30, 20, 10), np.int16), spacing=(0.5, 0.5, 2.0))
    >>> image.shape, image.spacing
    ((30, 20, 10), (0.5, 0.5, 2.0))
    """

    __module__ = "mitk_rs"
    _uid: str | None

    def __new__(cls, *args: Any, **options: Any) -> Self:
        made = super().__new__(cls, *args, **options)
        made._times = None
        made._uid = None
        PropertyOwner.__init__(made)
        return made

    def __init__(
        self,
        source: Path | Array | None = None,
        spacing: Any = None,
        origin: Any = None,
        direction: ArrayLike | None = None,
        copy: bool | None = True,  # noqa: FBT001, FBT002 - positional in MITK
        *,
        components: bool = False,
    ) -> None:
        placed = not (spacing is None and origin is None and direction is None)
        if source is None or isinstance(source, str | bytes | os.PathLike):
            if placed:
                raise TypeError("spacing, origin and direction go with an array, not with a file or nothing")
            if source is not None:
                self._load(source)
            return
        array, sizes, count = arguments.array(source, components=components)
        times = fresh_time_geometry(sizes, spacing, origin, direction)
        self._set_array(array, sizes, count, copy=copy)
        self._times = times

    def _set_array(self, array: Array, sizes: list[int], components: int, *, copy: bool | None) -> None:
        if copy is False:
            raise RequestError("copy=False is not supported: use copy=None to share the array's memory where possible")
        contiguous = array.flags.c_contiguous and array.flags.aligned
        if contiguous and copy is None:
            self._adopt(array, sizes, components)
        elif contiguous:
            self._copy(array, sizes, components)
        else:
            self._initialize(array.dtype.name, sizes, components)
            self._fill(array)

    def _load(self, path: Path) -> None:
        from mitk_rs.io import read_image

        loaded = read_image(path)
        self._share_from(loaded)
        self._times = loaded.time_geometry
        self._uid = loaded._uid
        self._copy_properties_from(loaded)

    @classmethod
    def _taking_over(cls, array: Array, *, components: bool = False) -> Self:
        """The image of a contiguous array that nobody else will ever write: for readers of files."""
        made = cls._bare()
        plain, sizes, count = arguments.array(array, components=components)
        made._adopt_private(np.ascontiguousarray(plain), sizes, count)
        made._times = fresh_time_geometry(sizes)
        return made

    @classmethod
    def _bare(cls) -> Self:
        """An empty image of the class, without a call of a constructor that a subclass may have."""
        return Image.__new__(cls)

    def like(self, array: Array, *, time_step: int = 0) -> Self:
        """An image of other voxels at the place of this one, of the same class and with its properties.

        Parameters
        ----------
        array
            The voxels of one time step: ``(z, y, x)`` or ``(y, x)`` as this image has them, or with components as one
            axis more. The memory is taken over where possible.
        time_step
            Whose geometry the result gets.

        Returns
        -------
        Image
            One time step with spacing, origin and direction of this image.

        Raises
        ------
        RequestError
            The array does not have the size of this image.

        Examples
        --------
        >>> import numpy as np, mitk_rs as mitk
        >>> scan = mitk.Image(np.zeros((2, 3, 4), "int16"), spacing=(0.5, 0.5, 2))
        >>> scan.like(scan.as_numpy() > 0).get_spacing()
        Vector3D(0.5, 0.5, 2.0)
        """
        step = self.shape[: self.ndim][-3:] if self.time_steps == 1 else self.shape[1 : self.ndim]
        given = np.asarray(array)
        if given.shape[: len(step)] != step or given.ndim > len(step) + 1:
            raise RequestError(f"array has the shape {given.shape}: it must have that of a time step, {step}")
        place = (self.get_spacing(time_step), self.get_origin(time_step), self.get_direction(time_step))
        plain = given.astype(np.uint8) if given.dtype == np.bool_ else given
        return self._like(plain, *place, components=given.ndim > len(step), properties=True)

    def _like(
        self,
        array: Array,
        spacing: Any = None,
        origin: Any = None,
        direction: ArrayLike | None = None,
        *,
        components: bool = False,
        properties: bool = False,
    ) -> Self:
        """A result of this image: of the same class, with other voxels, whose memory is taken over where possible.

        The constructor is not called, because a subclass may have one of its own; what a subclass stores is kept, and
        with ``properties`` what the image says of patient and study, too.
        """
        made = self._bare()
        plain, sizes, count = arguments.array(array, components=components)
        made._set_array(plain, sizes, count, copy=None)
        made._times = fresh_time_geometry(sizes, spacing, origin, direction)
        made.__dict__.update(self._foreign_state())
        if properties:
            made._copy_properties_from(self)
        return made

    @property
    def uid(self) -> str:
        """Identifier of this object, made when first asked for.

        Files that can hold it keep it from then on. (MITK makes one for every image; then no two files would be equal.)
        """
        with self._property_lock:
            self._uid = self._uid or str(uuid.uuid4())
            return self._uid

    @classmethod
    def from_numpy(
        cls,
        array: Array,
        spacing: Any = None,
        origin: Any = None,
        direction: ArrayLike | None = None,
        copy: bool | None = True,  # noqa: FBT001, FBT002 - positional in MITK
        *,
        components: bool = False,
    ) -> Self:
        """The image of an array: same as the constructor, for arrays only.

        This and the other methods that make images give the class they are called on, without a call of its
        constructor.
        """
        arguments.array(array, components=components)
        return cls._of(Image(array, spacing, origin, direction, copy, components=components))

    @classmethod
    def from_any(cls, source: Any) -> Self:
        """The image of an object of another library, recognised without importing that library.

        Arrays, SimpleITK and ITK images, ``vtkImageData``, pyvista grids, nibabel images, xarray arrays, torch
        tensors and anything with DLPack; see :mod:`mitk_rs.interop`.

        Raises
        ------
        TypeError
            Nothing that is known.
        """
        from mitk_rs.interop import from_any

        return cls._of(from_any(source))

    @classmethod
    def load(cls, path: Path) -> Self:
        """The image in a file or in a folder of DICOM files: same as ``Image(path)``."""
        return cls._of(Image(os.fspath(path)))

    @classmethod
    def _of(cls, image: Image) -> Self:
        """An image that nobody else knows, as an object of this class; the voxels stay where they are."""
        image.__class__ = cls
        return cast(Self, image)

    def save(self, path: Path) -> None:
        """Write the image to a file whose format the extension names; a read accessor is held meanwhile.

        Raises
        ------
        FileError
            An unknown extension, data that the format cannot hold, or a file that cannot be written. The old
            file is then as it was.
        MemoryIsLockedError
            The calling thread holds a write accessor.
        """
        from mitk_rs.io import write_image

        write_image(self, path)

    def initialize(
        self,
        dtype: DTypeLike | PixelType | None = None,
        dimensions: Any = None,
        channels: SupportsIndex = 1,
        *,
        type: PixelType | DTypeLike | None = None,  # noqa: A002 - MITK's name
    ) -> None:
        """Give the image voxels of value 0 and a fresh geometry. What it had before is gone.

        Parameters
        ----------
        dtype
            Type of a component, as ``numpy.dtype`` takes it, or a :class:`PixelType`; also as ``type=``.
        dimensions
            Sizes (x, y[, z[, t]]).
        channels
            Components of a voxel: 3 for RGB, 4 for RGBA.

        Raises
        ------
        TypeError
            No dtype, or sizes that are no whole numbers.
        RequestError
            An unsupported dtype, or a size below 1.
        MemoryIsLockedError
            An accessor is held. (Unlocked views are no obstacle: they keep the old voxels.)
        MemoryError
            Not enough memory.

        Examples
        --------
        >>> import mitk_rs as mitk
        >>> image = mitk.Image()
        >>> image.initialize("uint8", dimensions=[256, 128, 32], channels=3)
        >>> image.shape
        (32, 128, 256, 3)
        """
        pixel = dtype if type is None else type
        if pixel is None or (dtype is not None and type is not None):
            raise TypeError("initialize needs the pixel type once: as dtype or as type=")
        sizes = arguments.dimensions(dimensions)
        name, components = arguments.pixel(pixel, channels)
        self._initialize(name, sizes, components)
        self._times = fresh_time_geometry(sizes)
