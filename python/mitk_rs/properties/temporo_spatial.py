"""A text for each time step and slice (``mitk::TemporoSpatialStringProperty``), as DICOM tags of a series
have."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Self, SupportsIndex

from mitk_rs.errors import RequestError
from mitk_rs.properties.values import BaseProperty, _entry
from mitk_rs.time_geometry import whole_step as whole_number

__all__ = ["TemporoSpatialStringProperty"]

Position = tuple[int, int]


class TemporoSpatialStringProperty(BaseProperty):
    """Texts by time step and slice; made with one text, it is *uniform* and acts like a text.

    Asked without a slice it answers for the slice nearest to 0 (an earlier one if there is a choice), asked
    without a time step for the time step nearest to 0. What has no value gives an empty text, see
    :meth:`has_value`.

    Examples
    --------
    >>> from mitk_rs import TemporoSpatialStringProperty
    >>> position = TemporoSpatialStringProperty("0")
    >>> position.set_value("2.5", time_step=0, z_slice=1)
    >>> position.get_value(time_step=0, z_slice=1), position.is_uniform
    ('2.5', False)
    """

    __module__ = "mitk_rs"

    def __init__(self, value: str = "") -> None:
        self._lock = threading.Lock()
        self._texts: dict[Position, str] = {(0, 0): _text(value)}

    @property
    def value(self) -> str:
        """The text of the first slice of the first time step."""
        return next(iter(self._texts.values()), "")

    @classmethod
    def from_value(cls, value: Any) -> Self:
        raise TypeError(f"{cls.__name__} is set as an object of its class, got {value!r}")

    def as_python(self) -> Self:
        return self

    def _find(self, time_step: SupportsIndex | None, z_slice: SupportsIndex | None) -> str | None:
        texts = self._texts
        if time_step is None and z_slice is None:
            return next(iter(texts.values()), None)
        steps = {step for step, _ in texts}
        step = _first(steps) if time_step is None else whole_number(time_step)
        if z_slice is not None:
            return texts.get((step, whole_number(z_slice, "slice")))
        slices = {slice_ for at, slice_ in texts if at == step}
        return texts[step, _first(slices)] if slices else None

    def get_value(self, time_step: SupportsIndex | None = None, z_slice: SupportsIndex | None = None) -> str:
        """The text at a time step and slice, empty if there is none."""
        return self._find(time_step, z_slice) or ""

    def has_value(self, time_step: SupportsIndex | None = None, z_slice: SupportsIndex | None = None) -> bool:
        """Whether there is a text at a time step and slice."""
        return self._find(time_step, z_slice) is not None

    def set_value(
        self, value: str, time_step: SupportsIndex | None = None, z_slice: SupportsIndex | None = None
    ) -> None:
        """Set the text of one position, of a whole time step, of a slice at all time steps, or of everything.

        A time step without slices gets slice 0; a slice without time steps gets time step 0. Without time
        step and slice all texts are replaced by this one."""
        text = _text(value)
        with self._lock:
            changed = dict.fromkeys(self._positions(time_step, z_slice), text)
            kept = {} if time_step is None and z_slice is None else self._texts
            self._texts = dict(sorted((kept | changed).items()))

    def _positions(self, time_step: SupportsIndex | None, z_slice: SupportsIndex | None) -> list[Position]:
        if time_step is None:
            steps = [0] if z_slice is None else self.get_available_time_steps() or [0]
        else:
            steps = [whole_number(time_step)]
        if z_slice is not None:
            return [(step, whole_number(z_slice, "slice")) for step in steps]
        slices = [0] if time_step is None else self.get_available_slices(time_step) or [0]
        return [(step, slice_) for step in steps for slice_ in slices]

    def get_available_time_steps(self, z_slice: SupportsIndex | None = None) -> list[int]:
        """Time steps that have texts, of one slice if given."""
        wanted = None if z_slice is None else whole_number(z_slice, "slice")
        return sorted({step for step, slice_ in self._texts if wanted in (None, slice_)})

    def get_available_slices(self, time_step: SupportsIndex | None = None) -> list[int]:
        """Slices that have texts, at one time step if given."""
        wanted = None if time_step is None else whole_number(time_step)
        return sorted({slice_ for step, slice_ in self._texts if wanted in (None, step)})

    @property
    def is_uniform(self) -> bool:
        """Whether all texts are the same."""
        return len(set(self._texts.values())) <= 1

    def to_dict(self) -> dict[str, Any]:
        """``{"type": ..., "entries": [(time step, slice, text), ...]}``."""
        entries = [(step, slice_, text) for (step, slice_), text in self._texts.items()]
        return {"type": type(self).__name__, "entries": entries}

    @classmethod
    def _from_dict(cls, content: Mapping[str, Any]) -> Self:
        entries = _entry(content, "entries")
        try:
            texts = {(whole_number(t), whole_number(z, "slice")): _text(text) for t, z, text in entries}
        except ValueError:
            raise RequestError(f"entries must be (time step, slice, text), got {entries!r}") from None
        return cls._of(texts)

    @classmethod
    def _of(cls, texts: Mapping[Position, str]) -> Self:
        created = cls()
        created._texts = dict(sorted(texts.items()))
        return created

    def clone(self) -> Self:
        return self._of(self._texts)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self)._of, (self._texts,)

    def __str__(self) -> str:
        return self.value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"TemporoSpatialStringProperty holds texts, got {value!r}")
    return value


def _first(numbers: set[int]) -> int:
    return min(numbers, default=0)
