"""Property classes that hold one value (``mitk::BaseProperty`` and its simple descendants)."""

from __future__ import annotations

import json
import operator
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self, SupportsFloat, SupportsIndex

import numpy as np

from mitk_rs.errors import RequestError
from mitk_rs.points import Color

__all__ = [
    "BaseProperty",
    "BoolProperty",
    "ColorProperty",
    "DoubleProperty",
    "FloatProperty",
    "IntProperty",
    "StringProperty",
    "property_from_dict",
]

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
        if cls.__module__ == BaseProperty.__module__ and not cls.__name__.startswith("_"):
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
            The text is no JSON or describes no property.
        """
        try:
            content = json.loads(text)
        except ValueError as error:
            raise RequestError(f"a property must be JSON: {error}") from None
        return property_from_dict(content)

    @abstractmethod
    def clone(self) -> Self:
        """An equal property that shares nothing with this one."""

    def __copy__(self) -> Self:
        return self.clone()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self.clone()

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.to_dict() == other.to_dict()

    # Some descendants are mutable, and MITK's properties have no hash either.
    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<mitk.{type(self).__name__}: {self}>"


class _SimpleProperty(BaseProperty):
    """One immutable value."""

    __module__ = "mitk_rs"
    _value: Any

    def clone(self) -> Self:
        return type(self).from_value(self.value)

    @classmethod
    def _refuse(cls, value: Any, expected: str) -> TypeError:
        return TypeError(f"{cls.__name__} holds {expected}, got {value!r}")

    def __str__(self) -> str:
        return str(self._value)


class StringProperty(_SimpleProperty):
    """A text.

    Examples
    --------
    >>> from mitk_rs import StringProperty
    >>> StringProperty("CT")
    <mitk.StringProperty: CT>
    """

    __module__ = "mitk_rs"

    def __init__(self, value: str = "") -> None:
        if not isinstance(value, str):
            raise self._refuse(value, "text")
        self._value = value

    @property
    def value(self) -> str:
        """The text."""
        text: str = self._value
        return text

    @classmethod
    def from_value(cls, value: Any) -> Self:
        return cls(value)


class BoolProperty(_SimpleProperty):
    """A truth value; ``str`` gives ``1`` or ``0``."""

    __module__ = "mitk_rs"

    def __init__(self, value: bool = False) -> None:  # noqa: FBT001, FBT002 - MITK's signature
        if not isinstance(value, bool | int | float | np.number | np.bool_):
            raise self._refuse(value, "a truth value")
        self._value = bool(value)

    @property
    def value(self) -> bool:
        """The truth value."""
        return bool(self._value)

    @classmethod
    def from_value(cls, value: Any) -> Self:
        return cls(value)

    def __str__(self) -> str:
        return str(int(self._value))


class IntProperty(_SimpleProperty):
    """A whole number of 32 bits."""

    __module__ = "mitk_rs"

    def __init__(self, value: SupportsIndex = 0) -> None:
        if not hasattr(value, "__index__"):
            raise self._refuse(value, "a whole number")
        self._value = operator.index(value)
        if self._value not in _INT_RANGE:
            raise self._refuse(self._value, "-2147483648 to 2147483647")

    @property
    def value(self) -> int:
        """The number."""
        return int(self._value)

    @classmethod
    def from_value(cls, value: Any) -> Self:
        return cls(value)


class DoubleProperty(_SimpleProperty):
    """A number in double precision."""

    __module__ = "mitk_rs"

    def __init__(self, value: SupportsFloat = 0.0) -> None:
        if isinstance(value, str | bytes) or not hasattr(value, "__float__"):
            raise self._refuse(value, "a number")
        self._value = self._rounded(float(value))

    @staticmethod
    def _rounded(value: float) -> float:
        return value

    @property
    def value(self) -> float:
        """The number."""
        return float(self._value)

    @classmethod
    def from_value(cls, value: Any) -> Self:
        return cls(value)


class FloatProperty(DoubleProperty):
    """A number in single precision."""

    __module__ = "mitk_rs"

    @staticmethod
    def _rounded(value: float) -> float:
        with np.errstate(over="ignore"):
            return float(np.float32(value))

    def __str__(self) -> str:
        return str(np.float32(self._value))


class ColorProperty(_SimpleProperty):
    """A :class:`Color`; owners hand it out as a tuple ``(r, g, b)``.

    Examples
    --------
    >>> from mitk_rs import ColorProperty
    >>> ColorProperty.from_rgb(1, 0.5, 0).value
    mitk.Color(1.000000, 0.500000, 0.000000)
    """

    __module__ = "mitk_rs"

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
        if isinstance(value, Color | Sequence | np.ndarray) and not isinstance(value, str) and len(value) == 3:
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
        raise TypeError(f"a property must be described by a dictionary, got {d!r}")
    name = _entry(d, "type")
    if name not in BaseProperty._classes:
        raise RequestError(f"property type must be one of {', '.join(sorted(BaseProperty._classes))}, got {name!r}")
    return BaseProperty._classes[name]._from_dict(d)


def _entry(content: Mapping[str, Any], key: str) -> Any:
    if key not in content:
        raise RequestError(f"a property's dictionary must have the key {key!r}, got {sorted(map(str, content))}")
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
    raise TypeError(
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
