"""``Image.to_vtk()`` and the other methods that convert images to and from objects of other libraries."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Self, SupportsIndex

if TYPE_CHECKING:
    import nibabel.nifti1
    import nibabel.spatialimages
    import pyvista
    import SimpleITK
    import torch
    import xarray
    from vtkmodules.vtkCommonDataModel import vtkImageData

    from mitk_rs.image import Image


class Conversions:
    """Part of ``Image``: images for other libraries and of them.

    A ``to_`` method imports the library it is named after, a ``from_`` method raises ``TypeError`` for anything that is
    not that library's. :meth:`mitk_rs.Image.from_any` finds out which it is.
    """

    if TYPE_CHECKING:
        # Defined by Image.
        @classmethod
        def _of(cls, image: Image) -> Self: ...

    def to_vtk(self, time_step: SupportsIndex = 0) -> vtkImageData:
        """Show a time step as ``vtkImageData`` that shares the voxels.

        VTK holds a reference to the voxels: they live as long as the result, whatever becomes of this image. Nothing
        locks them: what one side writes the other sees. Spacing, origin and direction are copies.

        Raises
        ------
        TimeStepError
            The time step does not exist.

        Examples
        --------
        >>> import mitk_rs as mitk, numpy as np
        >>> image = mitk.Image(np.zeros((4, 5, 6), np.int16), spacing=(0.5, 0.5, 2.0))
        >>> image.to_vtk().GetDimensions()
        (6, 5, 4)
        """
        return self._converted("vtk", time_step)  # type: ignore[no-any-return]

    def to_pyvista(self, time_step: SupportsIndex = 0) -> pyvista.ImageData:
        """Show a time step as ``pyvista.ImageData`` that shares the voxels, as :meth:`to_vtk` does."""
        return self._converted("pyvista", time_step)

    def to_simpleitk(self) -> SimpleITK.Image:
        """Copy the image to a ``SimpleITK.Image``, all time steps, with the text entries a file would have.

        The geometry is that of the first time step; a fourth axis has spacing 1 and origin 0.

        Raises
        ------
        GeometryError
            A 2-D image that does not lie in the plane z = 0.
        """
        return self._converted("simpleitk")

    def to_itk(self) -> Any:
        """Copy the image to an ``itk.Image``, or an ``itk.VectorImage`` where it has components.

        Raises
        ------
        RequestError
            ITK's Python package wraps no image of this type.
        GeometryError
            A 2-D image that does not lie in the plane z = 0.
        """
        return self._converted("itk")

    def to_nibabel(self) -> nibabel.nifti1.Nifti1Image:
        """Show the image as ``nibabel.Nifti1Image``: axes ``(x, y, z, t, c)``, affine in RAS millimetres.

        The voxels are shared, read-only, and live as long as the result.

        Examples
        --------
        >>> import mitk_rs as mitk, numpy as np
        >>> image = mitk.Image(np.zeros((4, 5, 6), np.int16), origin=(1, 2, 3))
        >>> image.to_nibabel().affine[:3, 3].tolist()
        [-1.0, -2.0, 3.0]
        """
        return self._converted("nibabel")

    def to_xarray(self) -> xarray.DataArray:
        """Show the image as ``xarray.DataArray`` with dimensions ``([t, ][z, ]y, x[, c])``.

        Coordinates are millimetres along the image's own axes (milliseconds for t), as ``itk.xarray_from_image``
        gives them; attributes hold ``spacing``, ``origin``, ``direction`` and ``time_points``. The voxels are shared,
        read-only, and live as long as the result.
        """
        return self._converted("xarray")

    def to_torch(self) -> torch.Tensor:
        """Show all voxels as ``torch.Tensor`` ``([t, ][z, ]y, x[, c])`` that shares them, through DLPack.

        Tensors are always writeable: what is written changes the image, and no lock is held.
        """
        return self._converted("torch")

    @classmethod
    def from_vtk(cls, source: vtkImageData, *, copy: bool | None = None) -> Self:
        """The image of a ``vtkImageData`` (or pyvista's ``ImageData``), at its place; 2-D where it has one slice.

        Parameters
        ----------
        source
            With numbers at its points. The active array counts, else the first. Its extent may begin anywhere.
        copy
            ``None`` shares the voxels where that is possible: with VTK 9.7 or newer, in arrays that hold the
            components of a voxel side by side, which are all that filters and readers make. What one side writes the
            other sees; no lock holds VTK back. The memory lives as long as the image or any view of it, whatever
            becomes of the VTK objects. A VTK array that is resized gets memory of its own and parts from the image.
            Where voxels cannot be shared (older VTK, arrays of separate components, bits, or computed values) they
            are copied. ``True`` always copies, ``False`` raises where a copy is needed.

        Raises
        ------
        TypeError
            Anything else.
        RequestError
            No numbers at the points, or a place in the world that no image can have.
        ValueError
            ``copy=False`` and voxels that cannot be shared.

        Examples
        --------
        >>> import mitk_rs as mitk
        >>> from vtkmodules.vtkCommonDataModel import vtkImageData
        >>> data = vtkImageData()
        >>> data.SetDimensions(6, 5, 4)
        >>> data.AllocateScalars(4, 1)
        >>> image = mitk.Image.from_vtk(data)
        >>> image.as_numpy()[3, 4, 5] = 7
        >>> data.GetScalarComponentAsDouble(5, 4, 3, 0)
        7.0
        """
        return cls._made_of("vtk", source, copy=copy)

    @classmethod
    def from_pyvista(cls, source: pyvista.DataSet, *, copy: bool | None = None) -> Self:
        """The image of a ``pyvista.ImageData``: same as :meth:`from_vtk`."""
        return cls._made_of("vtk", source, copy=copy)

    @classmethod
    def from_simpleitk(cls, source: SimpleITK.Image) -> Self:
        """A copy of a ``SimpleITK.Image``, with its text entries as properties."""
        return cls._made_of("simpleitk", source)

    @classmethod
    def from_itk(cls, source: Any) -> Self:
        """A copy of an ``itk.Image`` or ``itk.VectorImage``."""
        return cls._made_of("itk", source)

    @classmethod
    def from_nibabel(cls, source: nibabel.spatialimages.SpatialImage) -> Self:
        """A copy of a nibabel image, from RAS and ``(x, y, z, t)`` to LPS and ``(t, z, y, x)``."""
        return cls._made_of("nibabel", source)

    @classmethod
    def from_xarray(cls, source: xarray.DataArray) -> Self:
        """A copy of an ``xarray.DataArray`` with dimensions named t, z, y, x, c.

        Raises
        ------
        RequestError
            Other dimensions.
        GeometryError
            Coordinates that are not equally spaced.
        """
        return cls._made_of("xarray", source)

    @classmethod
    def from_torch(cls, source: torch.Tensor) -> Self:
        """A copy of a ``torch.Tensor`` ``([t, ][z, ]y, x)``, from whatever device it is on."""
        return cls._made_of("torch", source)

    @classmethod
    def _made_of(cls, library: str, source: Any, **options: Any) -> Self:
        from mitk_rs.interop import from_library

        return cls._of(from_library(library, source, **options))

    @staticmethod
    def _recognised(source: Any) -> Any:
        """The image of an image of another library; anything else as it is."""
        from mitk_rs.interop import as_image

        return as_image(source)

    def _converted(self, library: str, *options: Any) -> Any:
        return getattr(import_module("mitk_rs.interop.libraries"), f"to_{library}")(self, *options)
