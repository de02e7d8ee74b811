"""``Image``: voxels behind accessors, with geometry, properties and files (``mitk::Image``).

The class is in this file: construction, files, voxels and their accessors, copies and comparison. Its geometry is in
:mod:`.placement`, methods for other libraries in :mod:`.conversions`; accessors, checks of arguments, crops, copies and
pickles are in :mod:`.protocols`; how images present themselves is in :mod:`.display`.
"""

from __future__ import annotations

import copy
import operator
import os
import uuid
from collections.abc import Sequence
from importlib import import_module
from typing import IO, TYPE_CHECKING, Any, Literal, NoReturn, Self, SupportsIndex, cast

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from mitk_rs import _core
from mitk_rs._validation import flag, not_negative, path_name, type_error, whole_number
from mitk_rs.errors import Exception as MitkException
from mitk_rs.errors import RequestError
from mitk_rs.image import protocols
from mitk_rs.image.conversions import Conversions
from mitk_rs.image.placement import Placement, fresh_time_geometry
from mitk_rs.image.protocols import Accessor, Array, ParametersOfInit, checked_access, checked_array, place
from mitk_rs.pixel_type import PixelType, make_pixel_type
from mitk_rs.properties import PropertyOwner

if TYPE_CHECKING:
    from mitk_rs.interop import ForeignImage

Interpolation = Literal["linear", "nearest", "bspline", "lanczos"]
Path = str | bytes | os.PathLike[str] | os.PathLike[bytes]


class Image(PropertyOwner, Conversions, Placement, _core.ImageStore):
    """A 2-D, 3-D or 3-D + time image with one or more components a voxel.

    Parameters
    ----------
    source
        Nothing (then call :meth:`initialize`), the path of a file, an array ``([t, ][z, ]y, x)``, or the content of a
        file: a binary file such as ``io.BytesIO``, or bytes with ``format``. (Bytes without it are a path.)
    spacing, origin
        Three numbers (x, y, z) in mm, with an array only; 1 mm and 0 by default. They hold for all time steps.
    direction
        3x3 matrix whose columns are the world directions of x, y and z; identity by default.
    copy
        ``True`` copies the array. ``None`` takes its memory over without a copy where it is C-contiguous and
        aligned: image and array then show the same voxels, and the array is kept alive. ``False`` is refused.
    components
        Whether the last axis of the array counts components.
    format
        Ending of the format of a content, ``".mha"`` or ``"mha"``; for a binary file it is needed only where the
        content does not begin with a mark of its format.

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
    __signature__ = ParametersOfInit()

    def __new__(cls, *args: Any, **options: Any) -> Self:
        made = super().__new__(cls, *args, **options)
        made._times = None
        made._uid = None
        PropertyOwner.__init__(made)
        return made

    def __init__(
        self,
        source: Path | Array | IO[bytes] | bytearray | memoryview | None = None,
        spacing: ArrayLike | None = None,
        origin: ArrayLike | None = None,
        direction: ArrayLike | None = None,
        copy: bool | None = True,  # noqa: FBT001, FBT002 - positional in MITK
        *,
        components: bool = False,
        format: str | None = None,  # noqa: A002
    ) -> None:
        placed = not (spacing is None and origin is None and direction is None)
        if format is not None or callable(getattr(source, "read", None)):
            self._load_content(source, format, placed=placed)
            return
        if source is None or isinstance(source, str | bytes | os.PathLike):
            if placed:
                raise type_error("spacing, origin and direction go with an array, not with a file or nothing")
            if source is not None:
                from mitk_rs.io import read_image

                self._take_over(read_image(source))
            return
        array, sizes, count = checked_array(source, components=components)
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

    def _load_content(self, source: Any, format: str | None, *, placed: bool) -> None:  # noqa: A002
        if placed:
            raise TypeError("spacing, origin and direction go with an array, not with the content of a file")
        if isinstance(source, str | os.PathLike):
            raise TypeError("format goes with bytes or a binary file: the ending of a path names its format")
        from mitk_rs.io import from_bytes

        self._take_over(from_bytes(source, format))

    def _take_over(self, image: Image) -> None:
        """Become an image that nobody else knows."""
        if image.ndim:
            self._share_from(image)
        self._times = image._times
        self._uid = image._uid
        self._copy_properties_from(image)

    @classmethod
    def _taking_over(cls, array: Array, *, components: bool = False) -> Self:
        """The image of a contiguous array that nobody else will ever write: for readers of files."""
        made = cls._bare()
        plain, sizes, count = checked_array(array, components=components)
        made._adopt_private(np.ascontiguousarray(plain), sizes, count)
        made._times = fresh_time_geometry(sizes)
        return made

    @classmethod
    def _bare(cls) -> Self:
        """An empty image of the class, without a call of a constructor that a subclass may have."""
        return Image.__new__(cls)

    def like(self, array: Array, *, time_step: int = 0) -> Self:
        """An image of one time step with other voxels at the place of this one, of its class and with its properties.

        Parameters
        ----------
        array
            The voxels of one time step: ``(z, y, x)`` or ``(y, x)`` as this image has them, or with components as one
            axis more. The memory is taken over where possible.
        time_step
            Whose geometry the result gets.

        Raises
        ------
        RequestError
            The array does not have the size of this image.

        Examples
        --------
        >>> import numpy as np, mitk_rs as mitk
        >>> scan = mitk.Image(np.zeros((2, 3, 4), "int16"), spacing=(0.5, 0.5, 2))
        >>> scan.like(scan.as_numpy() > 0).get_spacing()
        (0.5, 0.5, 2.0)
        """
        step = self.shape[: self.ndim][-3:] if self.time_steps == 1 else self.shape[1 : self.ndim]
        given = np.asarray(array)
        if given.shape[: len(step)] != step or given.ndim > len(step) + 1:
            raise RequestError(f"array has the shape {given.shape}: it must have that of a time step, {step}")
        place = self.get_spacing(time_step), self.get_origin(time_step), self.get_direction(time_step)
        plain = given.astype(np.uint8) if given.dtype == np.bool_ else given
        return self._like(plain, *place, components=given.ndim > len(step), properties=True)

    def _like(self, array: Array, *place: Any, components: bool = False, properties: bool = False) -> Self:
        """A result of this image: of the same class, with other voxels, whose memory is taken over where possible.

        ``place`` is spacing, origin and direction. The constructor is not called, because a subclass may have one of
        its own; what a subclass stores is kept, and with ``properties`` what the image says of patient and study, too.
        """
        made = self._bare()
        plain, sizes, count = checked_array(array, components=components)
        made._set_array(plain, sizes, count, copy=None)
        made._times = fresh_time_geometry(sizes, *place)
        made.__dict__.update(protocols.foreign_state(self))
        if properties:
            made._copy_properties_from(self)
        return made

    def initialize(
        self,
        dtype: DTypeLike | PixelType | None = None,
        dimensions: ArrayLike | None = None,
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
            No dtype, or sizes that are not whole numbers.
        RequestError
            An unsupported dtype, or a size below 1.
        MemoryIsLockedError
            An accessor is held. (Unlocked views are allowed: they keep the old voxels.)
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
            raise type_error("initialize needs the pixel type once: as dtype or as type=")
        sizes = protocols.checked_dimensions(dimensions)
        name, components = protocols.checked_pixel(pixel, channels)
        self._initialize(name, sizes, components)
        self._times = fresh_time_geometry(sizes)

    @classmethod
    def from_numpy(
        cls,
        array: Array,
        spacing: ArrayLike | None = None,
        origin: ArrayLike | None = None,
        direction: ArrayLike | None = None,
        copy: bool | None = True,  # noqa: FBT001, FBT002 - positional in MITK
        *,
        components: bool = False,
    ) -> Self:
        """The image of an array: same as the constructor, for arrays only.

        This and the other methods that make images give the class they are called on, without a call of its
        constructor.
        """
        checked_array(array, components=components)
        return cls._of(Image(array, spacing, origin, direction, copy, components=components))

    @classmethod
    def from_any(cls, source: object) -> Self:
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
        return cls._of(Image(path_name(path)))

    @classmethod
    def _of(cls, image: Image) -> Self:
        """An image that nobody else knows, as an object of this class; the voxels stay where they are."""
        try:
            image.__class__ = cls
        except TypeError:
            # A class with __slots__ has another layout in memory.
            made = cls._bare()
            made._take_over(image)
            return made
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

    def to_bytes(self, format: str = ".mha", *, compress: bool = True) -> bytes:  # noqa: A002
        """The content of the file that :meth:`save` writes, for answers of a service and pipes.

        Parameters
        ----------
        format
            Ending of the format, ``".mha"`` or ``"mha"``; one that has all in one file.
        compress
            Pack the voxels where the format can.

        Raises
        ------
        RequestError
            The format is unknown, or has its voxels in a second file.
        FileWriteError
            The format cannot hold the image.

        See Also
        --------
        mitk_rs.Image : ``Image(content, format=".mha")`` is the way back.

        Examples
        --------
        >>> import numpy as np, mitk_rs as mitk
        >>> scan = mitk.Image(np.zeros((2, 3, 4), "int16"), spacing=(0.5, 0.5, 2))
        >>> mitk.Image(scan.to_bytes("nrrd"), format="nrrd").equals(scan)
        True
        """
        from mitk_rs.io import to_bytes

        return to_bytes(self, format, compress=flag(compress, "compress"))

    @property
    def uid(self) -> str:
        """Identifier of this object, made when first asked for.

        Files that can hold it keep it from then on. (MITK makes one for every image; then no two files would be equal.)
        """
        with self._property_lock:
            self._uid = self._uid or str(uuid.uuid4())
            return self._uid

    # --- voxels -------------------------------------------------------------------------------------------------------

    if TYPE_CHECKING:
        # The base class has it in C: a read-only buffer of all voxels.
        def __buffer__(self, flags: int, /) -> memoryview: ...

    def _known_layout(self) -> tuple[str, list[int], int]:
        layout = self._layout()
        if layout is None:
            raise MitkException("the image is empty: call initialize(), load a file or make it from an array first")
        return layout

    @property
    def ndim(self) -> int:
        """Number of axes: 2, 3 or 4 (time counts, components do not); 0 for an empty image."""
        layout = self._layout()
        return 0 if layout is None else len(layout[1])

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes in NumPy's order, ``([t, ][z, ]y, x[, components])``; ``()`` for an empty image."""
        return () if self._layout() is None else self._shape()

    @property
    def dtype(self) -> np.dtype[Any]:
        """NumPy's type of a component."""
        return np.dtype(self._known_layout()[0])

    @property
    def components(self) -> int:
        """Number of components of a voxel."""
        return self._known_layout()[2]

    @property
    def pixel_type(self) -> PixelType:
        """Component type and number of components."""
        name, _, components = self._known_layout()
        return make_pixel_type(name, components)

    @property
    def nbytes(self) -> int:
        """Bytes of all voxels; 0 for an empty image."""
        return 0 if self._layout() is None else self.array.nbytes

    def get_dimension(self, axis: SupportsIndex | None = None) -> int:
        """Number of axes, or the size of one in MITK's order.

        Parameters
        ----------
        axis
            0 for x, 1 for y, 2 for z, 3 for time. An axis the image does not have has size 1, as in MITK.
        """
        layout = self._layout()
        sizes = [] if layout is None else layout[1]
        if axis is None:
            return len(sizes)
        index = whole_number(axis, "axis")
        return sizes[index] if 0 <= index < len(sizes) else 1

    @property
    def array(self) -> Array:
        """Read-only view of all voxels: no copy, no lock, valid for as long as it is needed."""
        return self._read_view(None)

    @property
    def is_snapshot(self) -> bool:
        """Whether the image never changes; see :meth:`Image.snapshot`."""
        return self._is_frozen()

    def as_numpy(
        self,
        use_accessor: bool = False,  # noqa: FBT001, FBT002 - positional in MITK
        writeable: bool = True,  # noqa: FBT001, FBT002 - positional in MITK
        time_step: SupportsIndex | None = None,
        *,
        timeout: float | None = None,
        block: bool = True,
    ) -> Array:
        """The voxels as an array ``([t, ][z, ]y, x[, components])``, never a copy.

        Parameters
        ----------
        use_accessor
            Whether the array holds a lock until it and every view of it are gone: a read lock, which others
            share, or with ``writeable`` a write lock, which excludes them. Without, nothing protects the
            voxels from writers in other threads.
        writeable
            Whether voxels may be changed through the array. What is ``False`` here stays so.
        time_step
            One time step, as an array without the time axis; the lock then covers this step only. ``None`` is
            the whole image. (MITK's default 0 means the whole image, too.)
        timeout
            Seconds to wait for the lock; ``None`` for as long as it takes.
        block
            ``False`` does not wait at all.

        Raises
        ------
        MemoryIsLockedError
            The calling thread itself holds a lock in the way (then at once), or time is up.
        TimeStepError
            The time step does not exist.
        Exception
            The image is empty.
        TypeError
            A time step that is negative or no whole number.

        Notes
        -----
        Where a snapshot or a copy shares the voxels, the first writeable view gets the image voxels of its own;
        read-only views taken before keep showing the shared ones.

        Examples
        --------
        >>> import numpy as np, mitk_rs as mitk
        >>> image = mitk.Image(np.zeros((4, 3, 2), np.float32))
        >>> image.as_numpy()[3, 2, 1] = 7
        >>> image.as_numpy(writeable=False)[3, 2, 1]
        np.float32(7.0)
        """
        step, patience = checked_access(time_step, timeout, block)
        if not flag(use_accessor, "use_accessor"):
            return self._write_view(step) if flag(writeable, "writeable") else self._read_view(step)
        return self._leased_view(step, flag(writeable, "writeable"), patience, place())[0]

    def read(
        self, time_step: SupportsIndex | None = None, *, timeout: float | None = None, block: bool = True
    ) -> Accessor:
        """A read accessor: ``with image.read() as a:`` gives a read-only array nobody else changes meanwhile.

        Parameters and errors are those of :meth:`as_numpy`.
        """
        step, patience = checked_access(time_step, timeout, block)
        return Accessor(lambda where: self._leased_view(step, writeable=False, patience=patience, place=where))

    def write(
        self, time_step: SupportsIndex | None = None, *, timeout: float | None = None, block: bool = True
    ) -> Accessor:
        """A write accessor: ``with image.write() as a:`` gives a writeable array nobody else sees meanwhile.

        Parameters and errors are those of :meth:`as_numpy`.

        Examples
        --------
        >>> import numpy as np, mitk_rs as mitk
        >>> image = mitk.Image(np.zeros((2, 2), np.uint8))
        >>> with image.write() as voxels:
        ...     voxels[:] = 5
        >>> int(image.array.sum())
        20
        """
        step, patience = checked_access(time_step, timeout, block)
        return Accessor(lambda where: self._leased_view(step, writeable=True, patience=patience, place=where))

    def _fill(self, array: Array) -> None:
        np.copyto(self._write_view(None), array)

    # --- copies, comparison, protocols of Python and NumPy ------------------------------------------------------------

    # Iterating over voxels one by one is never what is wanted; without this, Python would try __getitem__.
    __iter__ = None

    def __getitem__(self, key: Any) -> NoReturn:
        spelled = "..." if key is Ellipsis else type(key).__name__
        raise type_error(
            f"image[{spelled}] could mean voxels or a part of the image: "
            "use image.array[...] for voxels, image.crop(...) for a part"
        )

    def __setitem__(self, key: Any, value: Any) -> None:
        """Write voxels by array indices ``([t, ][z, ]y, x[, component])``, under a write accessor."""
        with self.write() as voxels:
            voxels[key] = value

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Array:  # noqa: FBT001 - NumPy's
        """Read-only view of all voxels; a copy where a conversion or ``copy=True`` asks for one."""
        view = self.array
        if dtype is None or np.dtype(dtype) == view.dtype:
            return view.copy() if copy else view
        if copy is False:
            raise ValueError(f"copy=False, but {view.dtype.name} voxels as {np.dtype(dtype).name} need a copy")
        return view.astype(dtype)

    def __dlpack__(self, **options: Any) -> Any:
        """All voxels, read-only; consumers that know no read-only arrays get ``BufferError``."""
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        device: tuple[int, int] = self.array.__dlpack_device__()
        return device

    def snapshot(self) -> Self:
        """An image of the voxels as they are now that never changes, so its readers never wait.

        Neither do its geometry and times. Voxels are shared with this image until it is written; then this image gets
        voxels of its own. If a writeable view exists, or the voxels belong to an array that was taken over, they are
        copied at once.

        Raises
        ------
        MemoryIsLockedError
            The calling thread holds a write accessor.

        Examples
        --------
        >>> import numpy as np, mitk_rs as mitk
        >>> image = mitk.Image(np.zeros((2, 2), np.uint8))
        >>> before = image.snapshot()
        >>> image[:] = 1
        >>> int(before.array.max()), int(image.array.max())
        (0, 1)
        """
        made = copy.copy(self)
        made._freeze()
        if made._times is not None:
            made._times._freeze()
        return made

    def copy(self) -> Self:
        """An independent image: voxels, geometry and properties of its own."""
        return copy.deepcopy(self)

    def clone(self) -> Self:
        """Same as :meth:`copy` (``mitk::Image::Clone``)."""
        return copy.deepcopy(self)

    def __copy__(self) -> Self:
        """A copy that shares voxels until one of the two is written."""
        made = protocols.twin(self, _core.ImageStore._share_from)
        made.__dict__.update(protocols.foreign_state(self))
        return made

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        made = protocols.twin(self, _core.ImageStore._copy_from)
        memo[id(self)] = made
        made.__dict__.update(copy.deepcopy(protocols.foreign_state(self), memo))
        return made

    def equals(self, other: object, *, rtol: float = 0.0, atol: float = 0.0, geometry: bool = True) -> bool:
        """Whether ``other`` is an image with the same voxels at the same places and times.

        ``==`` compares identity. Properties are not compared.

        Parameters
        ----------
        rtol, atol
            Allowed relative and absolute difference of voxels, as in ``numpy.isclose``. NaN equals NaN.
        geometry
            Whether geometry and times must agree, too, within 1e-6 mm and ms.
        """
        rtol, atol = not_negative(rtol, "rtol"), not_negative(atol, "atol")
        if not isinstance(other, Image) or self._layout() != other._layout():
            return False
        if self.ndim == 0:
            return True
        if flag(geometry, "geometry") and not self.time_geometry.is_close(other.time_geometry):
            return False
        mine, theirs = (one.as_numpy(use_accessor=True, writeable=False) for one in (self, other))
        # Along the slowest axis, so that comparing needs little memory.
        pairs = zip(mine, theirs, strict=True)
        # A tolerance that the voxels' type does not hold is infinite in it.
        with np.errstate(over="ignore", invalid="ignore"):
            return all(np.allclose(a, b, rtol, atol, equal_nan=True) for a, b in pairs)

    def crop(self, lower: Sequence[int], upper: Sequence[int]) -> Self:
        """A new image of the voxels from index ``lower`` up to but without ``upper``, at the same place in the world.

        Parameters
        ----------
        lower, upper
            Indices (x, y[, z]) with 0 <= lower < upper <= size. All time steps are cropped alike.

        Raises
        ------
        RequestError
            Indices outside the image, or nothing between them.

        Examples
        --------
        >>> import numpy as np, mitk_rs as mitk
        >>> part = mitk.Image(np.zeros((5, 6, 7), np.uint8), spacing=(2, 1, 1)).crop((1, 0, 0), (4, 6, 5))
        >>> part.shape, part.origin
        ((5, 6, 3), (2.0, 0.0, 0.0))
        """
        return protocols.cropped(self, lower, upper)

    def resample(
        self,
        spacing: float | Sequence[float] | None = None,
        *,
        like: Image | ForeignImage | None = None,
        orthogonal: bool = False,
        interpolation: Interpolation = "linear",
        fill: float | None = None,
    ) -> Self:
        """The image on another grid: with another spacing, on the grid of another image, or on orthogonal axes.

        Parameters
        ----------
        spacing
            Distances (x, y, z) in mm between voxels, or one for all axes. The axes stay, and so does the outer side of
            the first voxel; as many voxels are taken as come nearest to the extent of the image.
        like
            Image on whose grid the result is; also one of SimpleITK, ITK, VTK or nibabel.
        orthogonal
            Make the axes orthogonal: x stays, y stays in the plane of x and y, z becomes normal to it. So a scan with a
            tilted gantry gets axes that fronts accept. The result holds the whole image; without ``spacing`` slices are
            as far apart as before.
        interpolation
            ``"linear"``; ``"nearest"`` for labels and masks, which makes no new values; ``"bspline"`` (cubic) or
            ``"lanczos"`` for smooth images. Integers are cut to whole numbers, as SimpleITK does.
        fill
            Value outside of this image; by default its least value, such as air in a CT. Give a positive one for a
            level set.

        Returns
        -------
        Image
            Of the same class and pixel type, with all time steps and properties. All time steps are on one grid.

        Raises
        ------
        RequestError
            None or several of ``spacing``, ``like`` and ``orthogonal``; an interpolation that the pixel type does not
            have.
        GeometryError
            A spacing that is not above 0.
        MemoryLimitError
            So many voxels do not fit into memory.

        References
        ----------
        ``itk::ResampleImageFilter``; SimpleITK's ``Resample``.

        Examples
        --------
        >>> import numpy as np, mitk_rs as mitk
        >>> scan = mitk.Image(np.zeros((10, 20, 20), "int16"), spacing=(0.5, 0.5, 2))
        >>> scan.resample(1.0).shape
        (20, 10, 10)
        >>> scan.resample(like=scan.resample(1.0)).spacing
        (1.0, 1.0, 1.0)
        """
        work = import_module("mitk_rs.interop.resampling").resampled
        made: Self = work(self, spacing, like=like, orthogonal=orthogonal, interpolation=interpolation, fill=fill)
        return made

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        """Voxels travel out of band, one buffer a time step, where protocol 5 and the caller allow."""
        return protocols.pickled(self, operator.index(protocol))

    def __repr__(self) -> str:
        from mitk_rs.image import display

        return display.line_of_text(self)

    def _repr_html_(self) -> str:
        """A table, and the middle slices across z, y and x of time step 0, turned for radiologists."""
        from mitk_rs.image import display

        return display.table_with_slices(self)

    def _repr_png_(self) -> bytes | None:
        """The maximum intensity projection along z of time step 0, of a 2-D image itself; nothing for an empty one."""
        from mitk_rs.image import display

        return display.picture_of(self)
