"""Property classes (``mitk::BaseProperty`` and its descendants): single values, and texts of time steps and slices."""

from __future__ import annotations

import copy
import json
import operator
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Generic, Self, SupportsFloat, SupportsIndex, TypeVar

import numpy as np

from mitk_rs._validation import check_kind, step_number, type_error
from mitk_rs.errors import RequestError, brief
from mitk_rs.points import Color

_INT_RANGE = range(-(2**31), 2**31)


class BaseProperty(ABC):
    """A typed value; create one of the descendants.

    Properties are equal if class and value are. ``str`` gives the value as text, :meth:`to_dict` and
    :meth:`to_json` everything that :func:`property_from_dict` and :meth:`from_json` need to build it again.
    """

    __module__ = "mitk_rs"
    _classes: ClassVar[dict[str, type[BaseProperty]]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if cls.__module__ == __name__:
            cls.__module__ = "mitk_rs"
            if not cls.__name__.startswith("_"):
                BaseProperty._classes[cls.__name__] = cls

    @property
    @abstractmethod
    def value(self) -> Any:
        """What the property holds."""

    @classmethod
    @abstractmethod
    def from_value(cls, value: Any) -> Self:
        """The property of this class that holds ``value``; ``TypeError`` if it cannot."""

    def as_python(self) -> Any:
        """The value as owners hand it out: a Python object, or the property itself where there is none."""
        return self.value

    def to_dict(self) -> dict[str, Any]:
        """Class name and value, for :func:`property_from_dict`."""
        return {"type": type(self).__name__, "value": self.value}

    @classmethod
    def _from_dict(cls, content: Mapping[str, Any]) -> Self:
        return cls.from_value(_entry(content, "value"))

    def to_json(self) -> str:
        """The property as JSON text, for :meth:`from_json`."""
        return json.dumps(self.to_dict())

    @staticmethod
    def from_json(text: str) -> BaseProperty:
        """The property that :meth:`to_json` wrote.

        Raises
        ------
        RequestError
            The text is not JSON, or does not describe a property.
        """
        return property_from_dict(parsed(text, "text", "a property"))

    def clone(self) -> Self:
        """An equal property that shares nothing with this one."""
        return copy.deepcopy(self)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.to_dict() == other.to_dict()

    # Some descendants are mutable, and MITK's properties have no hash either.
    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<mitk.{type(self).__name__}: {self}>"


def parsed(text: Any, name: str, what: str) -> Any:
    """What JSON text says."""
    check_kind(text, (str, bytes, bytearray), name, "text")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"{what} must be JSON: {error}") from None


_Value = TypeVar("_Value")


class _SimpleProperty(BaseProperty, Generic[_Value]):
    """One immutable value, which the constructor checks."""

    _value: _Value

    @property
    def value(self) -> _Value:
        """What the property holds."""
        return self._value

    @classmethod
    def from_value(cls, value: Any) -> Self:
        return cls(value)  # type: ignore[call-arg]

    @classmethod
    def _refuse(cls, value: Any, expected: str) -> TypeError:
        return type_error(f"{cls.__name__} holds {expected}, got {brief(value)}")

    def __str__(self) -> str:
        return str(self._value)


class StringProperty(_SimpleProperty[str]):
    """A text.

    Examples
    --------
    >>> from mitk_rs import StringProperty
    >>> StringProperty("CT")
    <mitk.StringProperty: CT>
    """

    def __init__(self, value: str = "") -> None:
        if not isinstance(value, str):
            raise self._refuse(value, "text")
        self._value = value


class BoolProperty(_SimpleProperty[bool]):
    """A truth value; ``str`` gives ``1`` or ``0``."""

    def __init__(self, value: bool = False) -> None:  # noqa: FBT001, FBT002 - MITK's signature
        if not isinstance(value, bool | int | float | np.number | np.bool_):
            raise self._refuse(value, "a truth value")
        self._value = bool(value)

    def __str__(self) -> str:
        return str(int(self._value))


class IntProperty(_SimpleProperty[int]):
    """A whole number of 32 bits."""

    def __init__(self, value: SupportsIndex = 0) -> None:
        try:
            self._value = int(operator.index(value))
        except TypeError:
            raise self._refuse(value, "a whole number") from None
        if self._value not in _INT_RANGE:
            raise self._refuse(self._value, "-2147483648 to 2147483647")


class DoubleProperty(_SimpleProperty[float]):
    """A number in double precision."""

    def __init__(self, value: SupportsFloat = 0.0) -> None:
        try:
            self._value = float("x" if isinstance(value, str | bytes) else value)
        except (TypeError, ValueError, OverflowError):
            raise self._refuse(value, "a number") from None


class FloatProperty(DoubleProperty):
    """A number in single precision."""

    def __init__(self, value: SupportsFloat = 0.0) -> None:
        super().__init__(value)
        with np.errstate(over="ignore"):
            self._value = float(np.float32(self._value))

    def __str__(self) -> str:
        return str(np.float32(self._value))


class ColorProperty(_SimpleProperty[Color]):
    """A :class:`Color`; owners hand it out as a tuple ``(r, g, b)``.

    Examples
    --------
    >>> from mitk_rs import ColorProperty
    >>> ColorProperty.from_rgb(1, 0.5, 0).value
    mitk.Color(1.000000, 0.500000, 0.000000)
    """

    def __init__(self, color: Color) -> None:
        if not isinstance(color, Color):
            raise self._refuse(color, "a Color")
        self._value = Color(*color)

    @classmethod
    def from_rgb(cls, r: SupportsFloat, g: SupportsFloat, b: SupportsFloat) -> Self:
        """The property of a colour's components."""
        return cls(Color(r, g, b))

    @property
    def value(self) -> Color:
        """A copy of the colour."""
        return Color(*self._value)

    @classmethod
    def from_value(cls, value: Any) -> Self:
        several = isinstance(value, Color | Sequence) or (isinstance(value, np.ndarray) and value.ndim)
        if several and not isinstance(value, str) and len(value) == 3:
            return cls(Color(*value))
        raise cls._refuse(value, "a Color or three numbers")

    def as_python(self) -> tuple[float, ...]:
        return tuple(self._value)

    def to_dict(self) -> dict[str, Any]:
        return {"type": type(self).__name__, "value": tuple(self._value)}

    def __str__(self) -> str:
        return " ".join(f"{component:g}" for component in self._value)


def property_from_dict(d: Mapping[str, Any]) -> BaseProperty:
    """The property that a dictionary of ``to_dict`` describes: ``{"type": class name, "value": ...}``.

    Raises
    ------
    RequestError
        No such class, or an entry is missing.
    TypeError
        The class cannot hold the value.

    Examples
    --------
    >>> from mitk_rs import property_from_dict
    >>> property_from_dict({"type": "IntProperty", "value": 5})
    <mitk.IntProperty: 5>
    """
    if not isinstance(d, Mapping):
        raise type_error(f"a property must be described by a dictionary, got {brief(d)}")
    name = _entry(d, "type")
    if name not in BaseProperty._classes:
        raise RequestError(
            f"property type must be one of {', '.join(sorted(BaseProperty._classes))}, got {brief(name)}"
        )
    return BaseProperty._classes[name]._from_dict(d)


def _entry(content: Mapping[str, Any], key: str) -> Any:
    if key not in content:
        raise RequestError(
            f"a property's dictionary must have the key {brief(key)}, got {brief(sorted(map(str, content)))}"
        )
    return content[key]


def wrapped(value: Any) -> BaseProperty:
    """The property that fits a Python value best."""
    if isinstance(value, BaseProperty):
        return value
    # bool is an int in Python, so it comes first.
    for kinds, cls in _WRAPPERS:
        if isinstance(value, kinds):
            return cls.from_value(value)
    if isinstance(value, tuple) and len(value) == 3:
        return ColorProperty.from_value(value)
    raise type_error(
        f"a property must be bool, int, float, str, Color, a tuple (r, g, b) or a BaseProperty, "
        f"got {type(value).__name__}"
    )


_WRAPPERS: tuple[tuple[Any, type[BaseProperty]], ...] = (
    ((bool, np.bool_), BoolProperty),
    ((int, np.integer), IntProperty),
    ((float, np.floating), DoubleProperty),
    (str, StringProperty),
    (Color, ColorProperty),
)


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

    def __init__(self, value: str = "") -> None:
        self._lock = threading.Lock()
        self._texts: dict[Position, str] = {(0, 0): _text(value)}

    @property
    def value(self) -> str:
        """The text of the first slice of the first time step."""
        return next(iter(self._texts.values()), "")

    @classmethod
    def from_value(cls, value: Any) -> Self:
        raise type_error(f"{cls.__name__} is set as an object of its class, got {brief(value)}")

    def as_python(self) -> Self:
        return self

    def _find(self, time_step: SupportsIndex | None, z_slice: SupportsIndex | None) -> str | None:
        texts = self._texts
        if time_step is None and z_slice is None:
            return next(iter(texts.values()), None)
        steps = {step for step, _ in texts}
        step = _first(steps) if time_step is None else step_number(time_step)
        if z_slice is not None:
            return texts.get((step, step_number(z_slice, "slice")))
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
            steps = [step_number(time_step)]
        if z_slice is not None:
            return [(step, step_number(z_slice, "slice")) for step in steps]
        slices = [0] if time_step is None else self.get_available_slices(time_step) or [0]
        return [(step, slice_) for step in steps for slice_ in slices]

    def get_available_time_steps(self, z_slice: SupportsIndex | None = None) -> list[int]:
        """Time steps that have texts, of one slice if given."""
        wanted = None if z_slice is None else step_number(z_slice, "slice")
        return sorted({step for step, slice_ in self._texts if wanted in (None, slice_)})

    def get_available_slices(self, time_step: SupportsIndex | None = None) -> list[int]:
        """Slices that have texts, at one time step if given."""
        wanted = None if time_step is None else step_number(time_step)
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
            texts = {(step_number(t), step_number(z, "slice")): _text(text) for t, z, text in entries}
        except ValueError:
            raise RequestError(f"entries must be (time step, slice, text), got {brief(entries)}") from None
        return cls._of(texts)

    @classmethod
    def _of(cls, texts: Mapping[Position, str]) -> Self:
        created = cls()
        created._texts = dict(sorted(texts.items()))
        return created

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self)._of, (self._texts,)

    def __str__(self) -> str:
        return self.value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise type_error(f"TemporoSpatialStringProperty holds texts, got {brief(value)}")
    return value


def _first(numbers: set[int]) -> int:
    return min(numbers, default=0)
