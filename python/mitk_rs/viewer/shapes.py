"""Seeds and surfaces in a window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mitk_rs._platform import vtk
from mitk_rs.viewer.window import ViewerWindow

__all__ = ["SeedMarkers", "SurfaceShape"]

_SEED_COLOUR = (1.0, 0.0, 0.0)
_SEED_PART = 0.02


class SeedMarkers:
    """Spheres at seeds, 2 % of the image's diagonal in diameter; red unless ``colour`` says otherwise."""

    def __init__(self, window: ViewerWindow, diagonal: float, *, colour: Sequence[float] = _SEED_COLOUR) -> None:
        self._window = window
        self.points: Any = vtk("vtkCommonDataModel").vtkPolyData()
        glyphs = vtk("vtkFiltersCore").vtkGlyph3D()
        glyphs.SetInputData(self.points)
        sphere = vtk("vtkFiltersSources").vtkSphereSource()
        glyphs.SetSourceConnection(sphere.GetOutputPort())
        glyphs.SetScaleModeToDataScalingOff()
        glyphs.SetScaleFactor(diagonal * _SEED_PART)
        self._actor = _actor(window, glyphs.GetOutputPort(), colour)
        # The colour itself, whatever the light.
        self._actor.GetProperty().LightingOff()
        self.show(())

    def show(self, positions: Sequence[Sequence[float]]) -> None:
        """Show spheres at these positions instead of the ones before."""
        points = vtk("vtkCommonCore").vtkPoints()
        for position in positions:
            points.InsertNextPoint(*position)
        self.points.SetPoints(points)
        self.points.Modified()

    def remove(self) -> None:
        """Take the spheres out of the window."""
        self._window.renderer.RemoveActor(self._actor)


class SurfaceShape:
    """A surface that may change or be absent."""

    def __init__(self, window: ViewerWindow, colour: tuple[float, float, float], opacity: float) -> None:
        self._window = window
        self._empty = vtk("vtkCommonDataModel").vtkPolyData()
        self._producer = vtk("vtkCommonExecutionModel").vtkTrivialProducer()
        self._producer.SetOutput(self._empty)
        self.actor = _actor(window, self._producer.GetOutputPort(), colour)
        self.actor.GetProperty().SetOpacity(opacity)

    def show(self, surface: Any | None) -> None:
        """Show another ``vtkPolyData``, or nothing."""
        self._producer.SetOutput(self._empty if surface is None else surface)

    def remove(self) -> None:
        """Take the surface out of the window."""
        self._window.renderer.RemoveActor(self.actor)


def _actor(window: ViewerWindow, port: Any, colour: Sequence[float]) -> Any:
    mapper = vtk("vtkRenderingCore").vtkPolyDataMapper()
    mapper.SetInputConnection(port)
    mapper.ScalarVisibilityOff()
    actor = vtk("vtkRenderingCore").vtkActor()
    actor.SetMapper(mapper)
    actor.GetProperty().SetColor(*colour)
    window.renderer.AddActor(actor)
    return actor
