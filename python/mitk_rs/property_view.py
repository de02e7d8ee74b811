"""The mapping that ``image.properties`` gives."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mitk_rs.properties import PropertyOwner

__all__ = ["PropertyView"]

_SHOWN_KEYS = 5


class PropertyView(MutableMapping[str, Any]):
    """The properties of an owner as a mapping from names to values; always shows their present state.

    Iterating and looking up are separate steps: take ``dict(view.items())`` where other threads write.

    Parameters
    ----------
    owner
        Anything with ``get_property``, ``set_property``, ``remove_property`` and ``property_keys``.

    Raises
    ------
    KeyError
        From ``view[key]`` and ``del view[key]`` if there is no such property.
    PropertyNotOwnedError
        From ``view[key] = value`` and ``del view[key]`` if the property is read-only.
    """

    def __init__(self, owner: PropertyOwner) -> None:
        self._owner = owner

    def _require(self, key: str) -> Any:
        found = self._owner.get_property(key, raw=True) if isinstance(key, str) else None
        if found is None:
            raise KeyError(key)
        return found

    def __getitem__(self, key: str) -> Any:
        return self._require(key).as_python()

    def __setitem__(self, key: str, value: Any) -> None:
        self._owner.set_property(key, value)

    def __delitem__(self, key: str) -> None:
        self._require(key)
        self._owner.remove_property(key)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self._owner.get_property(key, raw=True) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._owner.property_keys)

    def __len__(self) -> int:
        return len(self._owner.property_keys)

    def __repr__(self) -> str:
        keys = self._owner.property_keys
        return f"PropertyView({keys if len(keys) <= _SHOWN_KEYS else f'{len(keys)} properties'})"
