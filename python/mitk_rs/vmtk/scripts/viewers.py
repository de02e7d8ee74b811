"""Scripts that show something in a window, and ``vmtkrenderer``, the window that several of them share.

``vmtkimagemipviewer`` writes the picture of its window as well, without one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitk_rs._platform import has_display, require_display, vtk
from mitk_rs.errors import DisplayError, FileWriteError, RequestError
from mitk_rs.io.atomic import check_writable
from mitk_rs.viewer.slices import PLANE_KEYS, ImagePlanes, SeedMarkers
from mitk_rs.viewer.window import RETURN_KEYS, STANDARD_KEYS, ViewerWindow, typed
from mitk_rs.vmtk import tables
from mitk_rs.vmtk.conversion import Index, arrays_of, as_image, as_working, attach, frame_of, patient_axes, select_array
from mitk_rs.vmtk.script import pypeScript

__all__ = ["vmtkImageMIPViewer", "vmtkImageSeeder", "vmtkImageViewer", "vmtkRenderer", "vmtkSurfaceViewer"]


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
        """The window of the renderer, or a new one; a ``DisplayError`` where there is no display to show it on."""
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
        return select_array(as_working(self._needed("Image")), array)


# While text is typed.
_TEXT_KEYS = (("Return", "answer"), ("Escape", "other keys, and back to typing"), ("F1", "hide or show the keys"))


class vmtkRenderer(tables.Renderer, pypeScript):
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

        Raises ``DisplayError`` (there is no display, and neither EGL nor OSMesa to draw without one).
        """
        self._opened()

    def _opened(self) -> ViewerWindow:
        if self.Window is None:
            self.Window = ViewerWindow(
                size=(self.WindowSize[0], self.WindowSize[1]),
                background=(self.Background[0], self.Background[1], self.Background[2]),
                magnification=self.ScreenshotMagnification,
            )
            self.Renderer, self.RenderWindow = self.Window.renderer, self.Window.window
            self.RenderWindowInteractor = self.Window.interactor
            if any(self.WindowPosition):
                self.RenderWindow.SetPosition(*self.WindowPosition)
            self.RenderWindow.SetPointSmoothing(self.PointSmoothing)
            self.RenderWindow.SetLineSmoothing(self.LineSmoothing)
            self.RenderWindow.SetPolygonSmoothing(self.PolygonSmoothing)
        return self.Window

    def AddKeyBinding(
        self, key: str, text: str, callback: Callable[[Any], object] | None = None, group: str | None = None
    ) -> None:
        """Let a key call something, with this renderer's interactor as its argument."""
        window = self._opened()
        window.bind(key, text, None if callback is None else lambda: callback(self.RenderWindowInteractor))

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

        Raises ``DisplayError`` (there is no display to wait at).
        """
        window = self._opened()
        self.CurrentTextInput, self.TextInputMode = "", 1
        # The keys of whoever shows something in the window come back with the answer.
        self._other_keys, window.on_key = window.on_key, self._type
        window.show_keys(_TEXT_KEYS)
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
        shown = "" if self.CurrentTextInput is None else f"{self.CurrentTextInput}_"
        self._opened().show_prompt(f"{self.TextInputQuery}{shown}" if self.TextInputQuery else "")
        self._opened().render()

    def _type(self, symbol: str, character: str) -> bool:
        """Escape stops the typing, so that keys have their usual meaning, and starts it again."""
        if symbol == "Escape":
            self.TextInputMode = 1 - self.TextInputMode
            self._opened().show_keys(_TEXT_KEYS if self.TextInputMode else None)
            self._opened().render()
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
        if interactive:
            self._opened().run()
        else:
            self._opened().render()

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


class vmtkImageViewer(tables.ImageViewer, ViewingScript):
    """Show an image (VMTK's ``vmtkImageViewer``). ``Display`` 0 opens no window unless a renderer is passed in."""

    def BuildView(self) -> None:
        """Show the slices and, with ``Display``, wait for ``q``."""
        image = self.working_image(self.ArrayName)
        window = self.open_window()
        interpolate, margins = bool(self.TextureInterpolation), bool(self.Margins)
        planes = ImagePlanes(window, image, axes=patient_axes(image), interpolate=interpolate, margins=margins)
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
        self._needed("Image")
        if self.Display or self.vmtkRenderer is not None:
            self.BuildView()


_SEED_KEYS = (("Ctrl+click", "place a seed"), ("u", "take the last seed away"), ("q", "quit and proceed"))


class vmtkImageSeeder(tables.ImageSeeder, ViewingScript):
    """Let a user place seeds (VMTK's ``vmtkImageSeeder``).

    Attributes
    ----------
    Seeds
        ``vtkPolyData`` of the positions, in VMTK's frame.
    SeedIndices
        Their voxels i, j, k, in the order of placing.
    """

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

        axes, interpolate = patient_axes(image), bool(self.TextureInterpolation)
        planes = ImagePlanes(window, image, axes=axes, on_control_click=add, interpolate=interpolate)
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
        self._needed("Image")
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


class vmtkSurfaceViewer(tables.SurfaceViewer, ViewingScript):
    """Show a surface (VMTK's ``vmtkSurfaceViewer``); ``w`` cycles surface, edges and wireframe."""

    ScalarBarActor: Any = None

    def BuildView(self) -> None:
        """Show the surface and, with ``Display``, wait for ``q``."""
        window = self.open_window()
        for old in (self.Actor, self.ScalarBarActor):
            if old is not None:
                window.renderer.RemoveViewProp(old)
        self._make_actor()
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

    def _make_actor(self) -> None:
        self.Actor = vtk("vtkRenderingCore").vtkActor()
        self.Actor.SetMapper(self._make_mapper())
        look = self.Actor.GetProperty()
        if self.Color[0] >= 0:
            look.SetColor(*self.Color)
        look.SetOpacity(self.Opacity)
        look.SetLineWidth(self.LineWidth)
        if self.FlatInterpolation:
            look.SetInterpolationToFlat()
        self.SetSurfaceRepresentation(self.Representation)

    def _make_mapper(self) -> Any:
        mapper = vtk("vtkRenderingCore").vtkPolyDataMapper()
        mapper.SetInputData(self.Surface)
        if not self.ArrayName:
            mapper.ScalarVisibilityOff()
            return mapper
        data = self.Surface.GetCellData() if self.DisplayCellData else self.Surface.GetPointData()
        array = data.GetArray(self.ArrayName)
        if array is None:
            names = ", ".join(str(name) for name, _ in arrays_of(data)) or "none"
            raise RequestError(f"-array {self.ArrayName}: no such array; there are {names}")
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
        look = self.Actor.GetProperty()
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
        self._needed("Surface")
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


# The maximum intensity projection

_PICTURES = (".png", ".tif", ".tiff")
_VALUES = ".npy"
_SIZE = (1200, 900)
_BACKGROUND = (0.1, 0.1, 0.2)


class vmtkImageMIPViewer(tables.ImageMIPViewer, ViewingScript):
    """Show the maximum intensity projection of an image (VMTK's ``vmtkImageMIPViewer``).

    Attributes
    ----------
    WindowLevel
        Black at level - window / 2, white at level + window / 2; window 0 takes the full range.
    Opacity
        ``None``, or two numbers from 0 to 1: opacity at the lower and at the upper end of the grey ramp.
    MIPOutputFileName
        Where the picture is written (``-omipfile``); ``ImageOutputFileName`` (``-ofile``) gets the *input*, as in
        VMTK.
    Volume
        The ``vtkVolume`` that was shown.
    """

    Summary = "show the maximum intensity projection of a 3D image, or write it as a picture"
    ImageOutputFileName: str
    Volume: Any = None

    def Execute(self) -> None:
        """Write the picture, show the window.

        Raises ``RequestError`` (no image or no such array) or ``DisplayError`` (``Display`` is 1, there is no display,
        and no picture was asked for).
        """
        self._needed("Image")
        if self.SampleDistance < 0:
            raise RequestError(f"SampleDistance must be >= 0, got {self.SampleDistance:g}")
        if self.Opacity is not None and not all(0 <= value <= 1 for value in self.Opacity):
            raise RequestError(f"Opacity must be two numbers from 0 to 1, got {self.Opacity}")
        image = self.working_image(self.ArrayName)
        if self.MIPOutputFileName:
            self._write(image, self.MIPOutputFileName)
        if self.Display or self.vmtkRenderer is not None:
            self._show()
        self._say_what_was_made()

    def CheckOutputs(self) -> None:
        """Refuse files that could not be written, before anything is computed."""
        super().CheckOutputs()
        name = self.MIPOutputFileName
        if name and Path(name).suffix.lower() not in (*_PICTURES, _VALUES):
            raise FileWriteError(f"cannot write {name}: its ending must be one of {' '.join(_PICTURES)} {_VALUES}")
        if name:
            check_writable(name)

    def _write(self, image: Any, name: str) -> None:
        """Write the view of VMTK's window, 1200 x 900, along -z with y up, in perspective.

        A ``.npy`` gets the values themselves as float32, NaN where a ray misses the image.
        """
        from mitk_rs.projection import render_mip
        from mitk_rs.projection.picture import write_array, write_picture

        values = render_mip(
            as_image(image),
            direction=(0, 0, -1),
            up=(0, 1, 0),
            size=_SIZE,
            perspective=True,
            sample_distance=None if self.AutoSampleDistance or not self.SampleDistance else self.SampleDistance,
            dtype=np.float32,
            threads=self.Threads,
        )
        if Path(name).suffix.lower() == _VALUES:
            write_array(values, name)
        else:
            write_picture(self._coloured(values, image.GetScalarRange()), name)

    def _coloured(self, values: NDArray[np.float32], full_range: tuple[float, float]) -> NDArray[np.uint8]:
        from mitk_rs.projection.picture import in_window

        window, level = self.WindowLevel
        low, high = (level - window / 2, level + window / 2) if window > 0 else full_range
        grey = in_window(values, low, high)
        at_low, at_high = self.Opacity or (1.0, 1.0)
        covered = np.where(np.isnan(values), 0.0, at_low + (at_high - at_low) * grey)[..., np.newaxis]
        colours = covered * grey[..., np.newaxis] + (1 - covered) * np.array(_BACKGROUND)
        return np.asarray(np.rint(colours * 255).astype(np.uint8))

    def _show(self) -> None:
        try:
            self.BuildView()
        except DisplayError:
            if not self.MIPOutputFileName:
                raise DisplayError(
                    "there is no display to show the projection on; -display 0 -omipfile FILE writes it"
                ) from None
            self.PrintNote("there is no display, the projection is written only")

    def _say_what_was_made(self) -> None:
        shown = self.Display or self.vmtkRenderer is not None
        if self.ImageOutputFileName:
            self.PrintNote("-ofile writes the input image, not the projection; -omipfile FILE writes that")
        elif self._words is not None and not (shown or self.MIPOutputFileName or self.ConsumedMembers):
            self.PrintNote("nothing was produced; -omipfile FILE writes the projection")

    def BuildView(self) -> None:
        """Show the projection and, with ``Display``, wait for ``q``. Raises ``DisplayError`` (there is no display)."""
        from mitk_rs.viewer.mip_viewer import show

        image = self.working_image(self.ArrayName)
        window = self.open_window()
        if self.Volume is not None:
            window.renderer.RemoveViewProp(self.Volume)
        shown = show(
            image,
            window=window,
            display=bool(self.Display),
            axes=patient_axes(image),
            sample_distance=self.SampleDistance,
            auto_sample_distance=bool(self.AutoSampleDistance),
            window_level=self.WindowLevel,
            opacity=self.Opacity,
        )
        self.Volume = None if shown is None else shown.volume
        self.release_window()
