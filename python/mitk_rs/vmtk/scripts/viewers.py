"""Scripts that show something in a window, and ``vmtkrenderer``, the window that several of them share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mitk_rs._platform import vtk
from mitk_rs.errors import RequestError
from mitk_rs.viewer.display import has_display, require_display
from mitk_rs.viewer.planes import PLANE_KEYS, ImagePlanes
from mitk_rs.viewer.shapes import SeedMarkers
from mitk_rs.viewer.window import RETURN_KEYS, STANDARD_KEYS, ViewerWindow, typed
from mitk_rs.vmtk import tables
from mitk_rs.vmtk.conversion import as_working, attach, frame_of, patient_axes, select_array
from mitk_rs.vmtk.script import pypeScript

__all__ = [
    "MAPS",
    "ViewingScript",
    "entitle",
    "lookup_table",
    "vmtkImageSeeder",
    "vmtkImageViewer",
    "vmtkRenderer",
    "vmtkRendererInputStream",
    "vmtkSurfaceViewer",
]


def entitle(window: ViewerWindow, script: pypeScript) -> None:
    """Name a window after the file that a script shows, and let the script tell the names of screenshots."""
    window.set_title(Path(script.input_file_name()).name or script.ScriptName)
    window.on_notice = script.PrintNote


class ViewingScript(pypeScript):
    """Base of scripts that show something in a window."""

    Image: Any
    vmtkRenderer: Any
    Display: int = 1
    OwnRenderer = 0

    def open_window(self) -> Any:
        """The window of the renderer, a new one if none was passed in.

        Raises
        ------
        DisplayError
            It is going to be shown, and there is no display.
        """
        if self.Display:
            require_display("the window")
        if self.vmtkRenderer is None:
            self.vmtkRenderer = vmtkRenderer()
            self.OwnRenderer = 1
        self.vmtkRenderer.RegisterScript(self)
        window = self.vmtkRenderer.Window
        entitle(window, self)
        return window

    def release_window(self) -> None:
        """Close the window if it is the script's own, so that the script can be executed again."""
        if self.OwnRenderer:
            self.vmtkRenderer.Deallocate()
            self.vmtkRenderer = None
            self.OwnRenderer = 0

    def working_image(self, array: str = "") -> Any:
        """The input as ``vtkImageData`` with the wanted array active."""
        if self.Image is None:
            self.PrintError("Error: no Image.")
        return select_array(as_working(self.Image), array)


# While text is typed.
_TEXT_KEYS = (("Return", "answer"), ("Escape", "other keys, and back to typing"), ("F1", "hide or show the keys"))


class vmtkRenderer(pypeScript):
    """A window that scripts share (VMTK's ``vmtkRenderer``).

    Attributes
    ----------
    Window
        The :class:`mitk_rs.viewer.window.ViewerWindow`, after :meth:`Initialize`.
    Renderer, RenderWindow, RenderWindowInteractor
        Its VTK objects.
    UseRendererInputStream
        Whether :meth:`RegisterScript` lets a script ask its questions in the window.
    TextInputQuery, CurrentTextInput
        The question in the window, and what has been typed; :meth:`EnterTextInputMode` starts the typing.
    ExitAfterTextInputMode
        Whether the end of the typing ends :meth:`Render` as well.
    """

    Table = tables.RENDERER
    WindowSize: list[int]
    WindowPosition: list[int]
    Background: list[float]
    Annotations: int
    PointSmoothing: int
    LineSmoothing: int
    PolygonSmoothing: int
    ScreenshotMagnification: int

    def __init__(self) -> None:
        super().__init__()
        self.vmtkRenderer = self
        self.Window: ViewerWindow | None = None
        self.Renderer: Any = None
        self.RenderWindow: Any = None
        self.RenderWindowInteractor: Any = None
        self.UseRendererInputStream = True
        self.TextInputMode = 0
        self.TextInputQuery: str | None = None
        self.CurrentTextInput: str | None = None
        self.ExitAfterTextInputMode = True
        self.ExitTextInputCallback: Callable[[str], object] | None = None
        self._other_keys: Callable[[str, str], bool] | None = None

    def Initialize(self) -> None:
        """Open the window, unless it is open; off screen where there is no display.

        Raises
        ------
        DisplayError
            There is no display, and neither EGL nor OSMesa to draw without one.
        """
        if self.Window is not None:
            return
        self.Window = ViewerWindow(
            size=(self.WindowSize[0], self.WindowSize[1]),
            background=(self.Background[0], self.Background[1], self.Background[2]),
            magnification=self.ScreenshotMagnification,
        )
        self.Renderer = self.Window.renderer
        self.RenderWindow = self.Window.window
        self.RenderWindowInteractor = self.Window.interactor
        self._apply_window_options()

    def _apply_window_options(self) -> None:
        if any(self.WindowPosition):
            self.RenderWindow.SetPosition(*self.WindowPosition)
        self.RenderWindow.SetPointSmoothing(self.PointSmoothing)
        self.RenderWindow.SetLineSmoothing(self.LineSmoothing)
        self.RenderWindow.SetPolygonSmoothing(self.PolygonSmoothing)

    def AddKeyBinding(
        self, key: str, text: str, callback: Callable[[Any], object] | None = None, group: str | None = None
    ) -> None:
        """Let a key call something, with this renderer's interactor as its argument."""
        self.Initialize()
        assert self.Window is not None
        bound = None if callback is None else lambda: callback(self.RenderWindowInteractor)
        self.Window.bind(key, text, bound)

    def RemoveKeyBinding(self, key: str) -> None:
        """Forget a key."""
        if self.Window is not None:
            self.Window.unbind(key)

    def RegisterScript(self, script: pypeScript) -> None:
        """Open the window for a script, which from now on asks its questions there if there is a display."""
        self.Initialize()
        if self.UseRendererInputStream and has_display():
            script.InputStream = vmtkRendererInputStream(self)

    # Questions in the window

    def PromptAsync(self, queryText: str, callback: Callable[[str], object]) -> None:
        """Ask in the window without waiting; ``callback`` gets the answer while :meth:`Render` takes events."""
        self.TextInputQuery, self.ExitTextInputCallback = queryText, callback
        self.EnterTextInputMode(interactive=0)

    def EnterTextInputMode(self, interactive: int = 1) -> None:
        """Take keys as text, up to Return; with ``interactive`` wait for it.

        Raises
        ------
        DisplayError
            There is no display to wait at.
        """
        self.Initialize()
        assert self.Window is not None
        self.CurrentTextInput, self.TextInputMode = "", 1
        # The keys of whoever shows something in the window come back with the answer.
        self._other_keys, self.Window.on_key = self.Window.on_key, self._type
        self.Window.show_keys(_TEXT_KEYS)
        self.UpdateTextInput()
        self.Render(interactive)

    def ExitTextInputMode(self) -> None:
        """End the typing and hand the answer over."""
        assert self.Window is not None
        self.TextInputMode, self.Window.on_key = 0, self._other_keys
        self.Window.show_keys(None)
        self.Window.show_prompt("")
        self.Window.render()
        callback, self.ExitTextInputCallback = self.ExitTextInputCallback, None
        if callback is not None:
            callback(self.CurrentTextInput or "")
        if self.ExitAfterTextInputMode:
            self.Window.stop()

    def UpdateTextInput(self) -> None:
        """Show the question and what has been typed."""
        self.Initialize()
        assert self.Window is not None
        shown = "" if self.CurrentTextInput is None else f"{self.CurrentTextInput}_"
        self.Window.show_prompt(f"{self.TextInputQuery}{shown}" if self.TextInputQuery else "")
        self.Window.render()

    def _type(self, symbol: str, character: str) -> bool:
        """Escape stops the typing, so that keys have their usual meaning, and starts it again."""
        if symbol == "Escape":
            self.TextInputMode = 1 - self.TextInputMode
            assert self.Window is not None
            self.Window.show_keys(_TEXT_KEYS if self.TextInputMode else None)
            self.Window.render()
        elif not self.TextInputMode:
            return self._other_keys is not None and self._other_keys(symbol, character)
        elif symbol in RETURN_KEYS:
            self.ExitTextInputMode()
        else:
            self.CurrentTextInput = typed(self.CurrentTextInput or "", symbol, character)
            self.UpdateTextInput()
        return True

    def Render(self, interactive: int = 1) -> None:
        """Draw; with ``interactive`` take events until ``q``."""
        self.Initialize()
        assert self.Window is not None
        if interactive:
            self.Window.run()
        else:
            self.Window.render()

    def Execute(self) -> None:
        """Open the window."""
        self.Initialize()

    def Deallocate(self) -> None:
        """Close the window; the script can be initialized again."""
        if self.Window is not None:
            self.Window.close()
        self.Window = self.Renderer = self.RenderWindow = self.RenderWindowInteractor = None


class vmtkRendererInputStream:
    """Input of scripts that ask in the window of a renderer (VMTK's ``vmtkRendererInputStream``)."""

    def __init__(self, renderer: vmtkRenderer) -> None:
        self.renderer = renderer

    def prompt(self, text: str, info: bool = False) -> None:  # noqa: FBT001, FBT002 - VMTK's signature
        """Show a question, or a message, in the window."""
        self.renderer.TextInputQuery, self.renderer.CurrentTextInput = text, None
        self.renderer.UpdateTextInput()

    def readline(self) -> str:
        """Wait for an answer; empty, as at the end of a file, when the window is closed instead."""
        self.renderer.EnterTextInputMode()
        if self.renderer.TextInputMode:
            self.renderer.TextInputMode = 0
            return ""
        return f"{self.renderer.CurrentTextInput}\n"


# Images


class vmtkImageViewer(ViewingScript):
    """Show an image (VMTK's ``vmtkImageViewer``). ``Display`` 0 opens no window unless a renderer is passed in."""

    Table = tables.IMAGE_VIEWER
    ArrayName: str
    WindowLevel: list[float]
    Margins: int
    TextureInterpolation: int
    ContinuousCursor: int
    DisplayPlaneWidgetX: int
    DisplayPlaneWidgetY: int
    DisplayPlaneWidgetZ: int
    PlaneWidgetX: Any
    PlaneWidgetY: Any
    PlaneWidgetZ: Any

    def BuildView(self) -> None:
        """Show the slices and, with ``Display``, wait for ``q``."""
        image = self.working_image(self.ArrayName)
        window = self.open_window()
        planes = ImagePlanes(
            window,
            image,
            axes=patient_axes(image),
            interpolate=bool(self.TextureInterpolation),
            margins=bool(self.Margins),
        )
        displayed = (self.DisplayPlaneWidgetX, self.DisplayPlaneWidgetY, self.DisplayPlaneWidgetZ)
        for widget, shown in zip(planes.widgets, displayed, strict=True):
            widget.SetUseContinuousCursor(self.ContinuousCursor)
            if not shown:
                widget.Off()
        if self.WindowLevel[0]:
            planes.grey.start_with(*self.WindowLevel)
        window.show_annotations(bool(self.vmtkRenderer.Annotations))
        self.PlaneWidgetX, self.PlaneWidgetY, self.PlaneWidgetZ = planes.widgets
        window.on_key = lambda symbol, _: planes.key(symbol)
        if self.Display:
            planes.look()
            window.show_keys([("q", "quit and proceed"), *PLANE_KEYS, *STANDARD_KEYS])
            window.run()
            window.show_keys(None)
            planes.remove()
        self.release_window()

    def Execute(self) -> None:
        """Show the image."""
        if self.Image is None:
            self.PrintError("Error: no Image.")
        if self.Display or self.vmtkRenderer is not None:
            self.BuildView()


Index = tuple[int, int, int]
_SEED_KEYS = (("Ctrl+click", "place a seed"), ("u", "take the last seed away"), ("q", "quit and proceed"))


class vmtkImageSeeder(ViewingScript):
    """Let a user place seeds (VMTK's ``vmtkImageSeeder``).

    Attributes
    ----------
    Seeds
        ``vtkPolyData`` of the positions, in VMTK's frame.
    SeedIndices
        Their voxels i, j, k, in the order of placing.
    """

    Table = tables.SEEDER
    ArrayName: str
    TextureInterpolation: int
    KeepSeeds: int
    SeedRGBColor: list[float]
    Seeds: Any

    def __init__(self) -> None:
        super().__init__()
        self.SeedIndices: list[Index] = []

    def InitializeSeeds(self) -> None:
        """Forget all seeds."""
        self.SeedIndices = []
        self.Seeds = vtk("vtkCommonDataModel").vtkPolyData()
        self.Seeds.SetPoints(vtk("vtkCommonCore").vtkPoints())

    def BuildView(self) -> None:
        """Show the slices and, with ``Display``, collect Ctrl+clicks until ``q``; ``u`` takes the last seed away."""
        image = self.working_image(self.ArrayName)
        window = self.open_window()
        markers = SeedMarkers(window, image.GetLength(), colour=self.SeedRGBColor)

        def refresh() -> None:
            markers.show([_position(image, index) for index in self.SeedIndices])
            window.render()

        def add(index: Index) -> None:
            self.SeedIndices.append(index)
            refresh()

        def undo() -> None:
            del self.SeedIndices[-1:]
            refresh()

        axes = patient_axes(image)
        planes = ImagePlanes(
            window, image, axes=axes, on_control_click=add, interpolate=bool(self.TextureInterpolation)
        )
        window.on_key = lambda symbol, _: planes.key(symbol)
        window.bind("u", "take the last seed away", undo)
        window.show_keys([*_SEED_KEYS, *PLANE_KEYS, *STANDARD_KEYS])
        window.show_prompt("Ctrl+click adds a seed, u takes the last away, q goes on")
        planes.look()
        if self.Display:
            window.run()
        window.show_prompt("")
        window.show_keys(None)
        window.unbind("u")
        planes.remove()
        if not self.KeepSeeds:
            markers.remove()
        self.release_window()

    def Execute(self) -> None:
        """Collect seeds."""
        if self.Image is None:
            self.PrintError("Error: no Image.")
        self.InitializeSeeds()
        if self.Display:
            self.BuildView()
        image = self.working_image(self.ArrayName)
        for index in self.SeedIndices:
            self.Seeds.GetPoints().InsertNextPoint(*_position(image, index))
        attach(self.Seeds, frame_of(image))


def _position(image: Any, index: Index) -> list[float]:
    point = [0.0, 0.0, 0.0]
    image.TransformIndexToPhysicalPoint(*index, point)
    return point


# Surfaces

_REPRESENTATIONS = ("surface", "edges", "wireframe")


class vmtkSurfaceViewer(ViewingScript):
    """Show a surface (VMTK's ``vmtkSurfaceViewer``); ``w`` cycles surface, edges and wireframe."""

    Table = tables.SURFACE_VIEWER
    Surface: Any
    Opacity: float
    ArrayName: str
    ScalarRange: list[float]
    ColorMap: str
    NumberOfColors: int
    Legend: int
    LegendTitle: str
    FlatInterpolation: int
    DisplayCellData: int
    Color: list[float]
    LineWidth: int
    Representation: str
    Actor: Any
    ScalarBarActor: Any = None

    def BuildView(self) -> None:
        """Show the surface and, with ``Display``, wait for ``q``."""
        window = self.open_window()
        for old in (self.Actor, self.ScalarBarActor):
            if old is not None:
                window.renderer.RemoveViewProp(old)
        self.Actor = self._make_actor()
        window.renderer.AddActor(self.Actor)
        window.set_patient_axes(patient_axes(self.Surface))
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


Node = tuple[float, float, float, float]
MAPS: dict[str, tuple[Node, ...]] = {
    "rainbow": ((0, 0, 0, 1), (0.25, 0, 1, 1), (0.5, 0, 1, 0), (0.75, 1, 1, 0), (1, 1, 0, 0)),
    "blackbody": ((0, 0, 0, 0), (0.4, 0.9, 0, 0), (0.8, 0.9, 0.9, 0), (1, 1, 1, 1)),
    "cooltowarm": ((0, 0.23, 0.30, 0.75), (0.5, 0.87, 0.87, 0.87), (1, 0.71, 0.02, 0.15)),
    "grayscale": ((0, 0, 0, 0), (1, 1, 1, 1)),
}


def lookup_table(name: str, count: int) -> Any:
    """A ``vtkLookupTable`` with ``count`` colours of a map."""
    function = vtk("vtkRenderingCore").vtkColorTransferFunction()
    for position, red, green, blue in MAPS[name]:
        function.AddRGBPoint(position, red, green, blue)
    table = vtk("vtkCommonCore").vtkLookupTable()
    table.SetNumberOfTableValues(count)
    for entry in range(count):
        table.SetTableValue(entry, *function.GetColor(entry / (count - 1)), 1.0)
    return table
