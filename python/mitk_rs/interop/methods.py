"""``Image.to_vtk()`` and its kin."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, SupportsIndex

if TYPE_CHECKING:
    from vtkmodules.vtkCommonDataModel import vtkImageData

__all__ = ["Conversions"]


class Conversions:
    """Part of ``Image``: the same image for other libraries. Each method imports the library it is named after."""

    def to_vtk(self, time_step: SupportsIndex = 0) -> vtkImageData:
        """Show a time step as ``vtkImageData`` that shares the voxels.

        VTK holds a reference to the voxels: they live as long as the result, whatever becomes of this image. Nothing
        locks them: what one side writes the other sees. Spacing, origin and direction are copies.

        Raises
        ------
        TimeStepError
            There is no such time step.

        Examples
        --------
        >>> import mitk_rs as mitk, numpy as np
        >>> image = mitk.Image(np.zeros((4, 5, 6), np.int16), spacing=(0.5, 0.5, 2.0))
        >>> image.to_vtk().GetDimensions()
        (6, 5, 4)
        """
        return self._converted("vtk", time_step)  # type: ignore[no-any-return]

    def to_pyvista(self, time_step: SupportsIndex = 0) -> Any:
        """Show a time step as ``pyvista.ImageData`` that shares the voxels, as :meth:`to_vtk` does."""
        return self._converted("pyvista", time_step)

    def to_simpleitk(self) -> Any:
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

    def to_nibabel(self) -> Any:
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

    def to_xarray(self) -> Any:
        """Show the image as ``xarray.DataArray`` with dimensions ``([t, ][z, ]y, x[, c])``.

        Coordinates are millimetres along the image's own axes (milliseconds for t), as ``itk.xarray_from_image``
        gives them; attributes hold ``spacing``, ``origin``, ``direction`` and ``time_points``. The voxels are shared,
        read-only, and live as long as the result.
        """
        return self._converted("xarray")

    def to_torch(self) -> Any:
        """Show all voxels as ``torch.Tensor`` ``([t, ][z, ]y, x[, c])`` that shares them, through DLPack.

        Tensors are always writeable: what is written changes the image, and no lock is held.
        """
        return self._converted("torch")

    def _converted(self, library: str, *options: Any) -> Any:
        return import_module(f"mitk_rs.interop.{library}").from_image(self, *options)
