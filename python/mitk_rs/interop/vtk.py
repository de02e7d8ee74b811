"""``vtkImageData``: the same voxels on both sides, with the direction matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from mitk_rs._platform import vtk
from mitk_rs._validation import flag
from mitk_rs.errors import RequestError
from mitk_rs.image import Image
from mitk_rs.interop.frames import step_of
from mitk_rs.io.images import image_of
from mitk_rs.io.vtk import image_data_to_record, point_scalars, record_to_image_data

if TYPE_CHECKING:
    from vtkmodules.vtkCommonDataModel import vtkImageData

__all__ = ["from_image", "to_image"]

# Where VTK's ``numpy_to_vtk`` keeps the array whose memory a ``vtkBuffer`` borrows, and so do we.
_LENT = "_numpy_reference"


def from_image(image: Image, time_step: SupportsIndex = 0) -> vtkImageData:
    """Show a time step as ``vtkImageData``; see :meth:`mitk_rs.Image.to_vtk`."""
    data: vtkImageData = record_to_image_data(step_of(image, time_step, writeable=True))
    return data


def to_image(data: Any, *, copy: bool | None = None) -> Image:
    """Make an image of a ``vtkImageData``; see :meth:`mitk_rs.Image.from_vtk`."""
    copy = None if copy is None else flag(copy, "copy")
    record = image_data_to_record(data)
    shared = None if copy else _shared(point_scalars(data))
    if shared is not None:
        return image_of(record.with_array(shared.reshape(record.shape)), shared=True)
    if copy is False:
        raise RequestError("copy=False, but VTK keeps these voxels in a way that cannot be shared: use copy=None")
    return image_of(record.with_array(record.array.copy()))


class _Pin:
    """Memory that an array of NumPy shows, and the VTK array it is in, so that no filter overwrites that."""

    def __init__(self, shown: NDArray[Any], scalars: Any) -> None:
        self.__array_interface__ = shown.__array_interface__
        self._held = (shown, scalars)


def _shared(scalars: Any) -> NDArray[Any] | None:
    """The numbers as a flat array that keeps their memory alive, whatever VTK does; ``None`` where there is no way.

    A ``vtkDataArray`` gives its memory up when it is resized, although arrays of NumPy show it. So it gets another
    ``vtkBuffer``, which borrows the same memory and does not free it; the first one belongs to the arrays that show it.
    """
    # VTK before 9.7 hides its buffers; bits, computed values and separate components have not got one such.
    if not (hasattr(scalars, "GetBuffer") and hasattr(scalars, "SetBuffer")):
        return None
    shown, lent = _numbers(scalars), getattr(scalars.GetBuffer(), _LENT, None)
    if lent is None or lent.ctypes.data != shown.ctypes.data:
        scalars.SetBuffer(_borrower(scalars.GetBuffer(), shown))
    return np.asarray(_Pin(shown, scalars))


def _borrower(buffer: Any, shown: NDArray[Any]) -> Any:
    made = buffer.NewInstance()
    made.SetBuffer(buffer, shown.size)
    made.SetFreeFunction(True)  # noqa: FBT003 - it means: there is none
    setattr(made, _LENT, shown)
    return made


def _numbers(scalars: Any) -> NDArray[Any]:
    dtype = np.dtype(vtk("util.numpy_support").get_numpy_array_type(scalars.GetDataType()))
    return np.frombuffer(scalars.GetBuffer(), dtype, scalars.GetNumberOfValues())
