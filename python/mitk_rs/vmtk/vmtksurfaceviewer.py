"""``vmtksurfaceviewer``: a surface in a window, alone or in the window of other viewers."""

from __future__ import annotations

from typing import Any

from mitk_rs._vtk import vtk
from mitk_rs.errors import RequestError
from mitk_rs.vmtk.colourmaps import MAPS, lookup_table
from mitk_rs.vmtk.extensions import geometry_member
from mitk_rs.vmtk.viewing import ViewingScript

__all__ = ["vmtkSurfaceViewer"]

_REPRESENTATIONS = ("surface", "edges", "wireframe")


class vmtkSurfaceViewer(ViewingScript):
    """Show a surface (VMTK's ``vmtkSurfaceViewer``); ``w`` cycles surface, edges and wireframe."""

    def __init__(self) -> None:
        super().__init__()
        self.Surface: Any = None
        self.Opacity = 1.0
        self.ArrayName = ""
        self.ScalarRange = [0.0, 0.0]
        self.ColorMap = "cooltowarm"
        self.NumberOfColors = 256
        self.Legend = 0
        self.LegendTitle = ""
        self.FlatInterpolation = 0
        self.DisplayCellData = 0
        self.Color = [-1.0, -1.0, -1.0]
        self.LineWidth = 1
        self.Representation = "surface"
        self.Actor: Any = None
        self.ScalarBarActor: Any = None
        self.Geometry = ""
        self.SetScriptName("vmtksurfaceviewer")
        self.SetScriptDoc("show a surface")
        self._declare_members()

    def _declare_members(self) -> None:
        maps = "[" + ",".join(f'"{name}"' for name in MAPS) + "]"
        self.SetInputMembers(
            [
                ["Surface", "i", "vtkPolyData", 1, "", "the input surface", "vmtksurfacereader"],
                ["vmtkRenderer", "renderer", "vmtkRenderer", 1, "", "external renderer"],
                ["Display", "display", "bool", 1, "", "toggle rendering"],
                ["Representation", "representation", "str", 1, '["surface","wireframe","edges"]', "how to draw it"],
                ["Opacity", "opacity", "float", 1, "(0.0,1.0)", "opacity of the surface"],
                ["ArrayName", "array", "str", 1, "", "name of the array that colours the surface"],
                ["ScalarRange", "scalarrange", "float", 2, "", "range of the colours"],
                ["ColorMap", "colormap", "str", 1, maps, "the colours"],
                ["NumberOfColors", "numberofcolors", "int", 1, "(2,65536)", "number of colours"],
                ["Legend", "legend", "bool", 1, "", "toggle the bar of colours"],
                ["FlatInterpolation", "flat", "bool", 1, "", "toggle flat shading"],
                ["DisplayCellData", "celldata", "bool", 1, "", "take the array from the cells"],
                ["Color", "color", "float", 3, "", "red, green and blue of the surface"],
                ["LineWidth", "linewidth", "int", 1, "(0.0,)", "width of lines"],
                ["LegendTitle", "legendtitle", "str", 1, "", "title of the bar of colours"],
            ]
        )
        self.SetOutputMembers(
            [
                ["Surface", "o", "vtkPolyData", 1, "", "the output surface", "vmtksurfacewriter"],
                ["Actor", "oactor", "vtkActor", 1, "", "the output actor"],
            ]
        )
        self.SetExtensionMembers([geometry_member()])

    def BuildView(self) -> None:
        """Show the surface and, with ``Display``, wait for ``q``."""
        window = self.open_window()
        for old in (self.Actor, self.ScalarBarActor):
            if old is not None:
                window.renderer.RemoveViewProp(old)
        self.Actor = self._make_actor()
        window.renderer.AddActor(self.Actor)
        if self.Legend:
            self.ScalarBarActor = self._make_legend()
            window.renderer.AddViewProp(self.ScalarBarActor)
        window.bind("w", "surface, edges, wireframe", self._next_representation)
        if self.Display:
            window.renderer.ResetCamera()
            window.run()
        self.release_window()

    def _make_actor(self) -> Any:
        actor = vtk("vtkRenderingCore").vtkActor()
        actor.SetMapper(self._make_mapper())
        look = actor.GetProperty()
        if self.Color[0] >= 0:
            look.SetColor(*self.Color)
        look.SetOpacity(self.Opacity)
        look.SetLineWidth(self.LineWidth)
        if self.FlatInterpolation:
            look.SetInterpolationToFlat()
        self._represent(actor, self.Representation)
        return actor

    def _make_mapper(self) -> Any:
        mapper = vtk("vtkRenderingCore").vtkPolyDataMapper()
        mapper.SetInputData(self.Surface)
        if not self.ArrayName:
            mapper.ScalarVisibilityOff()
            return mapper
        data = self.Surface.GetCellData() if self.DisplayCellData else self.Surface.GetPointData()
        array = data.GetArray(self.ArrayName)
        if array is None:
            names = [data.GetArrayName(position) for position in range(data.GetNumberOfArrays())]
            raise RequestError(f"-array {self.ArrayName}: no such array; there are {', '.join(names) or 'none'}")
        if self.DisplayCellData:
            mapper.SetScalarModeToUseCellFieldData()
        else:
            mapper.SetScalarModeToUsePointFieldData()
        mapper.SelectColorArray(self.ArrayName)
        mapper.SetLookupTable(lookup_table(self.ColorMap, self.NumberOfColors))
        given = self.ScalarRange[1] > self.ScalarRange[0]
        mapper.SetScalarRange(*(self.ScalarRange if given else array.GetRange(0)))
        return mapper

    def _make_legend(self) -> Any:
        legend = vtk("vtkRenderingAnnotation").vtkScalarBarActor()
        legend.SetLookupTable(self.Actor.GetMapper().GetLookupTable())
        legend.SetTitle(self.LegendTitle)
        legend.SetLabelFormat("%.2f")
        return legend

    def SetSurfaceRepresentation(self, representation: str) -> None:
        """Draw as ``surface``, ``edges`` or ``wireframe``."""
        self.Representation = representation
        self._represent(self.Actor, representation)

    def _represent(self, actor: Any, representation: str) -> None:
        look = actor.GetProperty()
        look.SetEdgeVisibility(representation == "edges")
        if representation == "wireframe":
            look.SetRepresentationToWireframe()
        else:
            look.SetRepresentationToSurface()

    def _next_representation(self) -> None:
        position = _REPRESENTATIONS.index(self.Representation) + 1
        self.SetSurfaceRepresentation(_REPRESENTATIONS[position % len(_REPRESENTATIONS)])
        self.vmtkRenderer.Render(interactive=0)

    def Execute(self) -> None:
        """Show the surface."""
        if self.Surface is None:
            self.PrintError("Error: no Surface.")
        if self.Display or self.vmtkRenderer is not None:
            self.BuildView()
