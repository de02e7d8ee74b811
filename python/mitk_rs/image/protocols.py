"""How images are copied, compared, pickled and handed to other libraries."""

from __future__ import annotations

import copy
import operator
import pickle
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn, Self

import numpy as np
from numpy.typing import DTypeLike

from mitk_rs.errors import RequestError
from mitk_rs.image.arguments import Array
from mitk_rs.image.spatial import Spatial, cropped_times
from mitk_rs.image.voxels import Voxels
from mitk_rs.properties import PropertyOwner

# Layout of a pickle. A larger number is refused: it was written by a newer version.
PICKLE_FORMAT = 1
# What copies and pickles treat themselves; the rest of an object's attributes belongs to subclasses and users.
_OWN_STATE = frozenset({"_bound_times", "_uid", "_property_lock", "_owned", "_provided"})


class Protocols(PropertyOwner, Spatial, Voxels):
    """Part of ``Image``: protocols of Python and NumPy."""

    if TYPE_CHECKING:
        # Defined by Image.
        @classmethod
        def _bare(cls) -> Self: ...

    # Iterating over voxels one by one is never what is wanted; without this, Python would try __getitem__.
    __iter__ = None

    def __getitem__(self, key: Any) -> NoReturn:
        raise TypeError(
            f"image[{_spelled(key)}] could mean voxels or a part of the image: "
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
        made = self._twin(Voxels._share_from)
        made.__dict__.update(self._foreign_state())
        return made

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        made = self._twin(Voxels._copy_from)
        memo[id(self)] = made
        made.__dict__.update(copy.deepcopy(self._foreign_state(), memo))
        return made

    def _twin(self, fill: Any) -> Self:
        made = self._bare()
        if self.ndim:
            lease = self.as_numpy(use_accessor=True, writeable=False)
            fill(made, self)
            made._times = self.time_geometry.clone()
            del lease
        made._copy_properties_from(self)
        return made

    def _foreign_state(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in _OWN_STATE}

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
        if not isinstance(other, Protocols) or self._layout() != other._layout():
            return False
        if self.ndim == 0:
            return True
        if geometry and not self.time_geometry.is_close(other.time_geometry):
            return False
        mine = self.as_numpy(use_accessor=True, writeable=False)
        theirs = other.as_numpy(use_accessor=True, writeable=False)
        # Along the slowest axis, so that comparing needs little memory.
        pairs = zip(mine, theirs, strict=True)
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
        sizes = self._known_layout()[1][:3]
        begin, end = _corner(lower, "lower", sizes), _corner(upper, "upper", sizes)
        if any(not 0 <= b < e <= size for b, e, size in zip(begin, end, sizes, strict=True)):
            got = f"lower {begin}, upper {end}, size {tuple(sizes)}"
            raise RequestError(f"crop needs 0 <= lower < upper <= size on every axis, got {got}")
        made = self._cropped_voxels([slice(b, e) for b, e in zip(begin, end, strict=True)])
        made.__dict__.update(self._foreign_state())
        made._copy_properties_from(self)
        made._times = cropped_times(self.time_geometry, [*begin, 0][:3], made._known_layout()[1])
        return made

    def _cropped_voxels(self, box: list[slice]) -> Self:
        components = self.components > 1
        made = self._bare()
        voxels = self.as_numpy(use_accessor=True, writeable=False)
        part = voxels[(..., *reversed(box), *([slice(None)] if components else []))]
        sizes = list(part.shape[::-1][components:])
        made._initialize(part.dtype.name, sizes, self.components)
        made._fill(part)
        return made

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        """Voxels travel out of band, one buffer a time step, where protocol 5 and the caller allow."""
        state = {
            "format": PICKLE_FORMAT,
            "layout": self._layout(),
            "times": self._times,
            "properties": self._property_state(),
            "other": self._foreign_state(),
        }
        return _unpickled, (type(self), state, self._pickled_steps(operator.index(protocol)))

    def _property_state(self) -> Any:
        with self._property_lock:
            return dict(self._owned), dict(self._provided)

    def _pickled_steps(self, protocol: int) -> list[Any]:
        # Of a snapshot, so that writers meanwhile neither wait nor show.
        source = self.snapshot()
        steps = [source.as_numpy(writeable=False, time_step=step) for step in range(source.time_steps)]
        return [pickle.PickleBuffer(step.data) if protocol >= 5 else step.tobytes() for step in steps]


def _spelled(key: Any) -> str:
    return "..." if key is Ellipsis else type(key).__name__


def _corner(value: Any, name: str, sizes: Sequence[int]) -> tuple[int, ...]:
    try:
        indices = tuple(operator.index(index) for index in value)
    except TypeError:
        raise TypeError(f"{name} must be {len(sizes)} whole numbers, got {value!r}") from None
    if len(indices) != len(sizes):
        raise RequestError(f"{name} must have {len(sizes)} indices (x, y, z), got {len(indices)}")
    return indices


def _unpickled(cls: Any, state: dict[str, Any], steps: Sequence[Any]) -> Any:
    """The image that ``__reduce_ex__`` described."""
    number = state["format"]
    if number > PICKLE_FORMAT:
        raise RequestError(
            f"the pickled image has format {number}, this version of mitk_rs knows {PICKLE_FORMAT}: "
            "update mitk_rs, or exchange a file instead"
        )
    image = cls._bare()
    if state["layout"] is not None:
        image._initialize(*state["layout"])
        if len(steps) != image.get_dimension(3):
            raise RequestError(f"the pickled image has {len(steps)} time steps instead of {image.get_dimension(3)}")
        for step, content in enumerate(steps):
            target = image._write_view(step)
            np.copyto(target, np.frombuffer(content, target.dtype).reshape(target.shape))
        image._times = state["times"]
    image._owned, image._provided = state["properties"]
    image.__dict__.update(state["other"])
    return image
