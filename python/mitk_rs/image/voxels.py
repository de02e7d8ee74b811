"""The voxels of an image: what they are, and how they are read and written."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np

from mitk_rs import _core
from mitk_rs.errors import Exception as MitkException
from mitk_rs.image.accessors import Accessor, place
from mitk_rs.image.arguments import Array
from mitk_rs.pixel_type import PixelType, make_pixel_type


class Voxels(_core.ImageStore):
    """Base of ``Image``: the part that knows nothing of geometry."""

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
        index = operator.index(axis)
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
            There is no such time step.
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
        if not use_accessor:
            return self._write_view(time_step) if writeable else self._read_view(time_step)
        lease = self._leased_write_view if writeable else self._leased_read_view
        return lease(time_step, timeout if block else 0.0, place())[0]

    def read(
        self, time_step: SupportsIndex | None = None, *, timeout: float | None = None, block: bool = True
    ) -> Accessor:
        """A read accessor: ``with image.read() as a:`` gives a read-only array nobody else changes meanwhile.

        Parameters and errors are those of :meth:`as_numpy`.
        """
        patience = timeout if block else 0.0
        return Accessor(lambda where: self._leased_read_view(time_step, patience, where))

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
        patience = timeout if block else 0.0
        return Accessor(lambda where: self._leased_write_view(time_step, patience, where))

    def _fill(self, array: Array) -> None:
        np.copyto(self._write_view(None), array)
