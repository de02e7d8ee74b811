"""Typed key/value data of images, as MITK's properties.

An *owner* (an image, a :class:`PropertyList`) maps names to property objects. Names are dotted paths such as
``DICOM.0010.0010`` or ``annotations.[2].text``; :class:`PropertyKeyPath` and :class:`DICOMTagPath` build
and take them apart. Reading converts to Python values, writing wraps them; ``raw=True`` gives the property
object itself."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any, Literal, Self, overload

from mitk_rs._validation import check_kind, flag, type_error
from mitk_rs.errors import PropertyNotOwnedError, RequestError, brief
from mitk_rs.properties.paths import DICOMTag, DICOMTagPath, PropertyKeyPath, find_indexed_properties
from mitk_rs.properties.values import (
    BaseProperty,
    BoolProperty,
    ColorProperty,
    DoubleProperty,
    FloatProperty,
    IntProperty,
    StringProperty,
    TemporoSpatialStringProperty,
    parsed,
    property_from_dict,
    wrapped,
)
from mitk_rs.property_view import PropertyView

__all__ = [
    "BaseProperty",
    "BoolProperty",
    "ColorProperty",
    "DICOMTag",
    "DICOMTagPath",
    "DoubleProperty",
    "FloatProperty",
    "IntProperty",
    "PropertyKeyPath",
    "PropertyList",
    "PropertyOwner",
    "StringProperty",
    "TemporoSpatialStringProperty",
    "find_indexed_properties",
    "property_from_dict",
]


class PropertyOwner:
    """Methods of everything that has properties (``mitk::IPropertyOwner``), for any thread.

    A descendant calls ``__init__`` before anything else. It may show properties that users cannot write with
    :meth:`_provide`.
    """

    __module__ = "mitk_rs"

    def __init__(self) -> None:
        self._property_lock = threading.RLock()
        self._owned: dict[str, BaseProperty] = {}
        self._provided: dict[str, BaseProperty] = {}

    def _provide(self, key: str, value: Any) -> None:
        """Show a property that can be read but not written or removed."""
        with self._property_lock:
            self._provided[_name(key)] = wrapped(value)

    def _find(self, key: str) -> BaseProperty | None:
        name = _name(key)
        with self._property_lock:
            return self._owned.get(name, self._provided.get(name))

    @property
    def properties(self) -> PropertyView:
        """A live mapping from names to values; a new view each time."""
        return PropertyView(self)

    @property
    def property_keys(self) -> list[str]:
        """The names of all properties, sorted."""
        with self._property_lock:
            return sorted({*self._owned, *self._provided})

    @overload
    def get_property(self, key: str, raw: Literal[True]) -> BaseProperty | None: ...
    @overload
    def get_property(self, key: str, raw: bool = False) -> Any: ...  # noqa: FBT001, FBT002
    def get_property(self, key: str, raw: bool = False) -> Any:  # noqa: FBT001, FBT002 - MITK's signature
        """The value of a property, ``None`` if there is none.

        Parameters
        ----------
        key
            The name.
        raw
            Give the property object itself. Otherwise str, bool, int, float or ``(r, g, b)``, and the
            object only where Python has no such value.
        """
        found = self._find(key)
        return found if flag(raw, "raw") or found is None else found.as_python()

    def set_property(self, key: str, value: Any) -> None:
        """Set a property.

        A :class:`BaseProperty` is kept as it is. Any other value is converted to the class that the
        property has; a new one gets the class that fits: bool, int (32 bits), float (double), str,
        :class:`Color` or 3-tuple.

        Raises
        ------
        PropertyNotOwnedError
            The property is provided by something else and cannot be written here.
        TypeError
            The value does not fit the class of the property, or no class.
        """
        name = _name(key)
        with self._property_lock:
            self._refuse_provided(name, "written")
            present = self._owned.get(name)
            if present is not None and not isinstance(value, BaseProperty):
                value = type(present).from_value(value)
            self._owned[name] = wrapped(value)

    def remove_property(self, key: str) -> None:
        """Remove a property; nothing happens if there is none.

        Raises
        ------
        PropertyNotOwnedError
            The property is provided by something else and cannot be removed here.
        """
        name = _name(key)
        with self._property_lock:
            self._refuse_provided(name, "removed")
            self._owned.pop(name, None)

    def property_is_owned(self, key: str) -> bool:
        """Whether a property exists and can be written here."""
        with self._property_lock:
            return _name(key) in self._owned

    def _refuse_provided(self, name: str, what: str) -> None:
        if name in self._provided and name not in self._owned:
            raise PropertyNotOwnedError(
                f"property {brief(name)} is provided read-only by this {type(self).__name__} and cannot be {what}"
            )

    def _copy_properties_from(self, other: PropertyOwner) -> None:
        """Take over clones of all properties of ``other``."""
        with other._property_lock:
            owned = {name: found.clone() for name, found in other._owned.items()}
            provided = {name: found.clone() for name, found in other._provided.items()}
        with self._property_lock:
            self._owned, self._provided = owned, provided


class PropertyList(PropertyOwner):
    """Properties on their own; it owns everything it holds.

    Examples
    --------
    >>> from mitk_rs import PropertyList
    >>> notes = PropertyList()
    >>> notes.set_property("window.level", 300)
    >>> PropertyList.from_json(notes.to_json()).get_property("window.level")
    300
    """

    __module__ = "mitk_rs"

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Name -> ``{"type": class name, "value": ...}``."""
        with self._property_lock:
            return {name: self._owned[name].to_dict() for name in sorted(self._owned)}

    @classmethod
    def from_dict(cls, d: Mapping[str, Mapping[str, Any]]) -> Self:
        """The list that :meth:`to_dict` describes.

        Raises
        ------
        RequestError
            A property has an unknown class or lacks an entry.
        """
        check_kind(d, Mapping, "d", "a dictionary")
        created = cls()
        for name, content in d.items():
            created.set_property(name, property_from_dict(content))
        return created

    def to_json(self) -> str:
        """:meth:`to_dict` as JSON text."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_json(cls, json_text: str) -> Self:
        """The list that :meth:`to_json` wrote.

        Raises
        ------
        RequestError
            The text is not a JSON object, or does not describe properties.
        """
        content = parsed(json_text, "json_text", "a property list")
        if not isinstance(content, dict):
            raise RequestError(f"a property list must be a JSON object, got {type(content).__name__}")
        return cls.from_dict(content)

    def clone(self) -> Self:
        """An equal list that shares nothing with this one."""
        twin = type(self)()
        twin._copy_properties_from(self)
        return twin

    def __copy__(self) -> Self:
        return self.clone()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self.clone()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).from_dict, (self.to_dict(),)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PropertyList) and self.to_dict() == other.to_dict()

    # Mutable: equal now, different later, so no hash.
    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<mitk.PropertyList: {len(self.property_keys)} properties>"


def _name(key: Any) -> str:
    if not isinstance(key, str):
        raise type_error(f"a property's name must be text, got {brief(key)}")
    return key
