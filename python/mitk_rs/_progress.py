"""Progress of work in several steps, and bars for ``progress=True``: of rich in a terminal, of HTML in a notebook.

A bar appears once the work has taken a second, and is removed when it ends, also by an error. Where nobody watches,
because standard error is a file or a pipe, there is none.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar

from mitk_rs.errors import TimeoutError as TooSlow

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Clock", "progress_bar", "shows_progress"]

# Work that ends sooner than this shows no bar.
_PATIENCE_SECONDS = 1.0
_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


def shows_progress(function: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """Let a function that takes ``progress=`` take ``True`` there, for a bar."""

    @functools.wraps(function)
    def run(*args: _Parameters.args, **options: _Parameters.kwargs) -> _Result:
        wanted = options.get("progress")
        if wanted is not True and wanted is not False:
            return function(*args, **options)
        options.pop("progress")
        if wanted is False:
            return function(*args, **options)
        with progress_bar(function.__name__.replace("_", " ")) as bar:
            options["progress"] = bar
            return function(*args, **options)

    return run


class Clock:
    """One timeout and one progress for several steps."""

    def __init__(self, timeout: float | None, progress: Callable[[float], object] | None) -> None:
        self._start = time.perf_counter()
        self._timeout, self._progress = timeout, progress

    def seconds(self) -> float:
        """Since it was made."""
        return time.perf_counter() - self._start

    def options(self, first: float, last: float) -> dict[str, Any]:
        """``progress`` and ``timeout`` of a step that goes from a fraction of the whole to another."""
        return {"progress": self.part(first, last), "timeout": self._rest()}

    def part(self, first: float, last: float) -> Callable[[float], object] | None:
        """``progress`` of such a step."""
        tell = self._progress
        return None if tell is None else lambda done: tell(first + (last - first) * done)

    def _rest(self) -> float | None:
        if self._timeout is None:
            return None
        rest = self._timeout - self.seconds()
        if rest <= 0:
            raise TooSlow(f"the timeout of {self._timeout:g} s is over")
        return rest


@contextmanager
def progress_bar(label: str, opened: Callable[[], object] | None = None) -> Iterator[Callable[[float], None]]:
    """A function that takes the done fraction and shows it until the block ends.

    Parameters
    ----------
    label
        What is done.
    opened
        Called when the bar appears in a terminal.
    """
    bar = _Bar(label, opened)
    try:
        yield bar
    finally:
        bar.close()


class _Shown(Protocol):
    def show(self, fraction: float) -> None: ...
    def close(self) -> None: ...


class _Bar:
    def __init__(self, label: str, opened: Callable[[], object] | None) -> None:
        self._label, self._opened = label, opened
        self._start = time.monotonic()
        self._shown: _Shown | None = None

    def __call__(self, fraction: float) -> None:
        if self._shown is None:
            if time.monotonic() - self._start < _PATIENCE_SECONDS:
                return
            self._shown = self._open()
        self._shown.show(fraction)

    def _open(self) -> _Shown:
        from rich.console import Console

        console = Console(stderr=True)
        if console.is_jupyter:
            return _InNotebook(self._label)
        if not console.is_terminal:
            return _Nowhere()
        if self._opened is not None:
            self._opened()
        return _InTerminal(self._label, console)

    def close(self) -> None:
        if self._shown is not None:
            self._shown.close()


class _InTerminal:
    def __init__(self, label: str, console: Console) -> None:
        from rich.progress import Progress

        self._progress = Progress(console=console, transient=True)
        self._task = self._progress.add_task(label, total=1.0)
        self._progress.start()

    def show(self, fraction: float) -> None:
        self._progress.update(self._task, completed=fraction)

    def close(self) -> None:
        self._progress.stop()


class _InNotebook:
    """An element of HTML that is replaced; rich needs a widget library there."""

    def __init__(self, label: str) -> None:
        from html import escape

        from IPython.display import HTML, display

        self._label, self._html = escape(label), HTML
        self._handle: Any = display(HTML(""), display_id=True)

    def show(self, fraction: float) -> None:
        bar = f"<progress max='1' value='{fraction:.3f}'></progress>"
        self._handle.update(self._html(f"<div>{self._label} {bar} {fraction:.0%}</div>"))

    def close(self) -> None:
        self._handle.update(self._html(""))


class _Nowhere:
    def show(self, fraction: float) -> None:
        pass

    def close(self) -> None:
        pass
