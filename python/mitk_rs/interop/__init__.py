"""Images of other libraries, both ways: VTK, SimpleITK, ITK, nibabel, pyvista, xarray, torch and anything with DLPack.

The methods of ``Image`` are in :mod:`mitk_rs.image.conversions`; here :mod:`.libraries` does the work.
Asking for a conversion imports only the library asked for; :func:`from_any` imports none at all.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from mitk_rs._validation import one_of, type_error
from mitk_rs.errors import FileError, RequestError

if TYPE_CHECKING:
    from mitk_rs.image import Image

__all__ = ["ForeignImage", "as_image", "from_any", "from_library"]


class _HasGetSpacing(Protocol):
    """Images of VTK, pyvista, SimpleITK and ITK."""

    def GetSpacing(self) -> Any: ...  # noqa: N802 - their name


class _HasAffine(Protocol):
    """Images of nibabel."""

    @property
    def affine(self) -> Any: ...


class _HasDims(Protocol):
    """Arrays of xarray."""

    @property
    def dims(self) -> Any: ...


class _HasNumpy(Protocol):
    """Tensors of torch."""

    def numpy(self) -> Any: ...


ForeignImage = _HasGetSpacing | _HasAffine | _HasDims | _HasNumpy
"""An image of another library, as type checkers see it; :func:`as_image` knows them by their classes."""

# Where the classes live that our modules understand: module here, module there, name of the class there. An object
# can only be of a class whose module is loaded already, so nothing is imported to find out.
_CLASSES = (
    ("vtk", "vtkmodules.vtkCommonDataModel", "vtkImageData"),
    ("simpleitk", "SimpleITK", "Image"),
    ("nibabel", "nibabel.spatialimages", "SpatialImage"),
    ("xarray", "xarray", "DataArray"),
    ("torch", "torch", "Tensor"),
)
_EXPECTED = {name: f"{module.split('.')[0]}.{kind}" for name, module, kind in _CLASSES} | {"itk": "itk.Image"}


def from_any(source: Any) -> Image:
    """Make an image of an object of another library, recognised without importing that library.

    Parameters
    ----------
    source
        ========================  ============================================================
        NumPy array               as ``Image(array)``: ``([t, z, ]y, x)``
        ``vtkImageData``          and pyvista's ``ImageData``: shared, see :meth:`Image.from_vtk`
        ``SimpleITK.Image``       2-D to 4-D, scalars and vectors, with its text entries
        ``itk.Image``             and ``itk.VectorImage``
        nibabel image             RAS is turned to LPS, ``(x, y, z, t)`` to ``(t, z, y, x)``
        ``xarray.DataArray``      with dimensions named t, z, y, x, c
        ``torch.Tensor``          on the CPU, as an array
        anything with DLPack      on the CPU, as an array
        anything with an array    ``__array__``, ``__array_interface__`` or the buffer protocol
        path                      as ``Image(path)``
        ``Image``                 a copy
        ========================  ============================================================

    Returns
    -------
    Image
        With voxels of its own; only VTK's are shared. ``from_any(...).copy()`` parts from VTK, too.

    Raises
    ------
    TypeError
        Nothing that is known.
    RequestError
        Voxels of a type that no image has, a ``vtkImageData`` without numbers at its points.
    RequestError, GeometryError
        A place in the world that no image can have.

    Examples
    --------
    >>> import mitk_rs as mitk, SimpleITK
    >>> peer = SimpleITK.Image([4, 3, 2], SimpleITK.sitkInt16)
    >>> peer.SetSpacing([0.5, 0.5, 2.0])
    >>> image = mitk.Image.from_any(peer)
    >>> image.shape, image.spacing
    ((2, 3, 4), (0.5, 0.5, 2.0))
    """
    from mitk_rs.image import Image

    if isinstance(source, Image):
        return source.copy()
    if isinstance(source, str | bytes | os.PathLike):
        return Image(source)
    return _made(_library_of(source) or "arrays", source)


def from_library(library: str, source: Any, **options: Any) -> Image:
    """Make an image of an object of one library.

    Raises
    ------
    TypeError
        The object is not that library's.
    """
    if one_of(library, "library", tuple(_EXPECTED)) != _library_of(source):
        kind = type(source)
        raise type_error(f"expected {_EXPECTED[library]}, got {kind.__module__}.{kind.__qualname__}")
    return _made(library, source, **options)


def as_image(source: Any) -> Any:
    """Make an image of an image of another library; give anything else back as it is.

    Functions that take an image call it first, so that they take images of VTK, SimpleITK, ITK, nibabel, pyvista,
    xarray and torch, too.

    Examples
    --------
    >>> import mitk_rs as mitk, SimpleITK
    >>> mitk.interop.as_image(SimpleITK.Image([4, 3, 2], SimpleITK.sitkInt16)).shape
    (2, 3, 4)
    >>> mitk.interop.as_image(5)
    5
    """
    library = _library_of(source)
    return source if library is None else _made(library, source)


def _made(library: str, source: Any, **options: Any) -> Image:
    try:
        made: Image = getattr(import_module("mitk_rs.interop.libraries"), f"from_{library}")(source, **options)
    except FileError as error:
        # The adapters of files do the work; there is no file to blame.
        raise RequestError(str(error).removeprefix("cannot read ")) from None
    return made


def _library_of(source: Any) -> str | None:
    for name, module, class_name in _CLASSES:
        known = getattr(sys.modules.get(module), class_name, None)
        if isinstance(known, type) and isinstance(source, known):
            return name
    return "itk" if type(source).__module__.startswith("itk.") else None
