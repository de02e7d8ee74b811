"""Names of properties as paths: keys with indices and wildcards, and DICOM tags (``mitk::PropertyKeyPath``,
``mitk::DICOMTagPath``)."""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, Self, SupportsIndex, TypeVar, overload

from mitk_rs._validation import brief, check_kind, flag, text, type_error, whole_number, wrong_type
from mitk_rs.errors import RequestError
from mitk_rs.properties.dicom_names import TAG_NAMES

__all__ = [
    "DICOMTag",
    "DICOMTagPath",
    "PropertyKeyPath",
    "find_indexed_properties",
]

_SELECTION = re.compile(r"\[(\*|\d+)\]")


class NodeKind(enum.IntEnum):
    """What a node of a path stands for; numbers as in MITK."""

    INVALID = 0
    ELEMENT = 1
    ELEMENT_SELECTION = 2
    ANY_SELECTION = 3
    ANY_ELEMENT = 4


Label = TypeVar("Label")


@dataclass(frozen=True)
class Node(Generic[Label]):
    """One step of a path: a labelled element, one or all of its items, or any element."""

    label: Label
    kind: NodeKind = NodeKind.ELEMENT
    selection: int = 0

    def selecting(self, item: str) -> Self:
        """This element with an item number or ``*`` for all."""
        if item == "*":
            return replace(self, kind=NodeKind.ANY_SELECTION, selection=0)
        return replace(self, kind=NodeKind.ELEMENT_SELECTION, selection=int(item))

    @property
    def item(self) -> str:
        """The selected item in brackets, empty if the node selects none."""
        if self.kind is NodeKind.ANY_SELECTION:
            return "[*]"
        return f"[{self.selection}]" if self.kind is NodeKind.ELEMENT_SELECTION else ""


class Path(Generic[Label]):
    """An immutable sequence of nodes."""

    __slots__ = ("_nodes",)
    _nodes: tuple[Node[Label], ...]

    @classmethod
    def _of(cls, nodes: Sequence[Node[Label]]) -> Self:
        path = cls.__new__(cls)
        path._nodes = tuple(nodes)
        return path

    @property
    def is_empty(self) -> bool:
        """Whether the path has no nodes."""
        return not self._nodes

    @property
    def is_explicit(self) -> bool:
        """Whether the path has no wildcards."""
        wildcards = (NodeKind.ANY_SELECTION, NodeKind.ANY_ELEMENT)
        return not any(node.kind in wildcards for node in self._nodes)

    def __len__(self) -> int:
        return len(self._nodes)

    def __getitem__(self, item: SupportsIndex | str) -> Self:
        if isinstance(item, str) and item != "*":
            raise RequestError(f'a path takes an item number or "*" in brackets, got {brief(item)}')
        if self.is_empty:
            raise IndexError("an empty path has no element whose items could be selected")
        return self._selecting(item if isinstance(item, str) else str(_item_number(item)))

    def _selecting(self, item: str) -> Self:
        return self._of((*self._nodes[:-1], self._nodes[-1].selecting(item)))

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._nodes == other._nodes

    def __hash__(self) -> int:
        return hash((type(self), self._nodes))

    def __copy__(self) -> Self:
        return self._of(self._nodes)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self._of(self._nodes)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self)._of, (self._nodes,)

    def __repr__(self) -> str:
        return f"<mitk.{type(self).__name__}: {self}>"


def _item_number(item: SupportsIndex) -> int:
    number = whole_number(item, "item")
    if number < 0:
        raise RequestError(f"an item number must not be negative, got {number}")
    return number


class PropertyKeyPath(Path[str]):
    """A property's name as a path of elements: ``PropertyKeyPath("a") / "b"`` is ``a.b``.

    Parameters
    ----------
    element
        The first element; without it the path is empty.

    Examples
    --------
    >>> from mitk_rs import PropertyKeyPath
    >>> str(PropertyKeyPath("series") / "image"), str((PropertyKeyPath("series") / "image")[3] / "name")
    ('series.image', 'series.image.[3].name')
    >>> (PropertyKeyPath("series")["*"] / "*").is_explicit
    False
    """

    __module__ = "mitk_rs"
    __slots__ = ()

    def __init__(self, element: str | None = None) -> None:
        self._nodes = () if element is None else (Node(_element(element)),)

    @classmethod
    def from_string(cls, property_name: str) -> Self:
        """The path of a dotted name, as ``str`` gives it.

        Raises
        ------
        RequestError
            An element is empty, or brackets do not follow an element.
        """
        text(property_name, "property_name")
        path = cls()
        for part in property_name.split(".") if property_name else ():
            path = path / part
        return path

    def __truediv__(self, element: str | PropertyKeyPath) -> Self:
        if isinstance(element, PropertyKeyPath):
            return self._of((*self._nodes, *element._nodes))
        if element == "*":
            return self._of((*self._nodes, Node("", NodeKind.ANY_ELEMENT)))
        selection = _SELECTION.fullmatch(_element(element))
        if selection is None:
            return self._of((*self._nodes, Node(element)))
        if self.is_empty or self._nodes[-1].kind is not NodeKind.ELEMENT:
            raise RequestError(f"{element} must follow an element, got {brief(str(self))} before it")
        return self._selecting(selection[1])

    def get_nodes(self) -> list[dict[str, Any]]:
        """Type number, name and selected item of each node."""
        return [{"type": int(n.kind), "name": n.label, "selection": n.selection} for n in self._nodes]

    def __str__(self) -> str:
        return ".".join(_node_text(node) for node in self._nodes)


def _element(name: Any) -> str:
    if not isinstance(name, str):
        raise type_error(f"an element of a path must be text, got {brief(name)}")
    if not name or (name[0] == "[" and not _SELECTION.fullmatch(name)):
        raise RequestError(f'an element of a path must be a name, "*", "[*]" or "[number]", got {brief(name)}')
    return name


def _node_text(node: Node[str]) -> str:
    if node.kind is NodeKind.ANY_ELEMENT:
        return "*"
    return f"{node.label}.{node.item}" if node.item else node.label


class _Keyed(Protocol):
    @property
    def property_keys(self) -> list[str]: ...


def find_indexed_properties(provider: _Keyed, path: PropertyKeyPath) -> dict[int, str]:
    """The names that match a path with one ``[*]``, by the number found in its place.

    Parameters
    ----------
    provider
        Anything with ``property_keys``, such as an image.
    path
        A path with exactly one ``[*]``.

    Raises
    ------
    RequestError
        None or several ``[*]``; it is a ``ValueError``.

    Examples
    --------
    >>> from mitk_rs import PropertyKeyPath, PropertyList, find_indexed_properties
    >>> notes = PropertyList()
    >>> notes.set_property("notes.[7].text", "aneurysm")
    >>> find_indexed_properties(notes, PropertyKeyPath("notes")["*"] / "text")
    {7: 'notes.[7].text'}
    """
    check_kind(path, PropertyKeyPath, "path", "a PropertyKeyPath")
    if not hasattr(provider, "property_keys"):
        raise wrong_type("provider", "an image or another owner of properties", provider)
    wildcards = sum(node.kind is NodeKind.ANY_SELECTION for node in path._nodes)
    if wildcards != 1:
        raise RequestError(f"the path must have exactly one [*] wildcard, got {wildcards} in {brief(str(path))}")
    pattern = re.compile(r"\.".join(map(_node_pattern, path._nodes)))
    matches = filter(None, map(pattern.fullmatch, provider.property_keys))
    return dict(sorted((int(match[1]), match[0]) for match in matches))


def _node_pattern(node: Node[str]) -> str:
    if node.kind is NodeKind.ANY_ELEMENT:
        return r"[^.]+"
    if node.kind is NodeKind.ANY_SELECTION:
        return rf"{re.escape(node.label)}\.\[(\d+)\]"
    return re.escape(_node_text(node))


_HEX = r"([0-9A-Fa-f]{4})"
_TAG = re.compile(rf"\({_HEX},{_HEX}\)(?:\[(\*|\d+)\])?")
_NAMED_TAG = re.compile(rf"{_HEX}\.{_HEX}(?:\.\[(\*|\d+)\])?")


@dataclass(frozen=True)
class DICOMTag:
    """A DICOM attribute: ``DICOMTag(0x0010, 0x0010)`` is the patient's name.

    Raises
    ------
    RequestError
        A number outside 0 to 0xFFFF.
    """

    __module__ = "mitk_rs"
    group: int
    element: int

    def __post_init__(self) -> None:
        for name in ("group", "element"):
            number = whole_number(getattr(self, name), name)
            if not 0 <= number <= 0xFFFF:
                raise RequestError(f"{name} of a DICOM tag must be 0 to 0xFFFF, got {number:#x}")

    @property
    def name(self) -> str:
        """The attribute's name, or the numbers where it is not a common one."""
        return TAG_NAMES.get((self.group, self.element), str(self))

    def __str__(self) -> str:
        return f"({self.group:04X},{self.element:04X})"

    def __repr__(self) -> str:
        return f"<mitk.DICOMTag: {self}>"


_ANY = Node(DICOMTag(0, 0), NodeKind.ANY_ELEMENT)


class DICOMTagPath(Path[DICOMTag]):
    """A path into DICOM data sets: tags, items of sequences in brackets, wildcards.

    ``DICOMTagPath()`` is empty; ``DICOMTagPath(group, element)`` and ``DICOMTagPath(tag)`` have one tag.
    Paths are joined by ``/``; ``[n]`` and ``["*"]`` select items of the last tag's sequence.

    Examples
    --------
    >>> from mitk_rs import DICOMTagPath
    >>> path = DICOMTagPath(0x0008, 0x1115)[0] / DICOMTagPath(0x0020, 0x000E)
    >>> str(path), path.to_property_name()
    ('(0008,1115)[0].(0020,000E)', 'DICOM.0008.1115.[0].0020.000E')
    >>> path.to_readable_name()
    'Referenced Series Sequence[0].Series Instance UID'
    """

    __module__ = "mitk_rs"
    __slots__ = ()

    @overload
    def __init__(self) -> None: ...
    @overload
    def __init__(self, group: DICOMTag) -> None: ...
    @overload
    def __init__(self, group: SupportsIndex, element: SupportsIndex) -> None: ...
    def __init__(self, group: Any = None, element: Any = None) -> None:
        if element is not None:
            group = DICOMTag(whole_number(group, "group"), whole_number(element, "element"))
        if group is not None and not isinstance(group, DICOMTag):
            raise type_error(f"DICOMTagPath takes a DICOMTag or group and element, got {brief(group)}")
        self._nodes = () if group is None else (Node(group),)

    @classmethod
    def from_string(cls, tag_string: str) -> Self:
        """The path of a text such as ``(0008,1115)[0].(0020,000E)``, as ``str`` gives it.

        Raises
        ------
        RequestError
            A part is not a tag.
        """
        text(tag_string, "tag_string")
        parts = tag_string.split(".") if tag_string else []
        return cls._of([_ANY if part == "*" else _node(part) for part in parts])

    @classmethod
    def from_property_name(cls, property_name: str) -> Self:
        """The path of a property name such as ``DICOM.0010.0010``.

        Raises
        ------
        RequestError
            The name does not start with ``DICOM`` or continues with something that is not a tag.
        """
        text(property_name, "property_name")
        head, _, rest = property_name.partition(".")
        nodes = []
        while head == "DICOM" and rest:
            match = re.match(r"\*", rest) or _NAMED_TAG.match(rest)
            if match is None or rest[match.end() : match.end() + 1] not in ("", "."):
                break
            nodes.append(_ANY if match[0] == "*" else _from_match(match))
            rest = rest[match.end() + 1 :]
        if head != "DICOM" or rest:
            raise RequestError(f"a DICOM property's name must look like DICOM.0010.0010, got {brief(property_name)}")
        return cls._of(nodes)

    def to_property_name(self) -> str:
        """The property's name: ``DICOM`` and the numbers, dotted."""
        return ".".join(["DICOM", *map(_property_part, self._nodes)])

    def to_readable_name(self, include_tags: bool = False) -> str:  # noqa: FBT001, FBT002 - MITK's signature
        """Names of the attributes; those that are not common ones show as numbers.

        Parameters
        ----------
        include_tags
            Add the numbers to the names.
        """
        include_tags = flag(include_tags, "include_tags")
        return ".".join(_readable_part(node, include_tags=include_tags) for node in self._nodes)

    def __truediv__(self, other: DICOMTagPath) -> Self:
        if not isinstance(other, DICOMTagPath):
            return NotImplemented
        return self._of((*self._nodes, *other._nodes))

    def get_nodes(self) -> list[dict[str, Any]]:
        """Type number, tag ``(group, element)`` and selected item of each node."""
        return [
            {"type": int(n.kind), "tag": (n.label.group, n.label.element), "selection": n.selection}
            for n in self._nodes
        ]

    def __str__(self) -> str:
        return ".".join("*" if n.kind is NodeKind.ANY_ELEMENT else f"{n.label}{n.item}" for n in self._nodes)


def _node(part: str) -> Node[DICOMTag]:
    match = _TAG.fullmatch(part)
    if match is None:
        raise RequestError(f"a DICOM tag must look like (0010,0010), (0008,1115)[0] or *, got {brief(part)}")
    return _from_match(match)


def _from_match(match: re.Match[str]) -> Node[DICOMTag]:
    node = Node(DICOMTag(int(match[1], 16), int(match[2], 16)))
    return node if match[3] is None else node.selecting(match[3])


def _property_part(node: Node[DICOMTag]) -> str:
    if node.kind is NodeKind.ANY_ELEMENT:
        return "*"
    numbers = f"{node.label.group:04X}.{node.label.element:04X}"
    return f"{numbers}.{node.item}" if node.item else numbers


def _readable_part(node: Node[DICOMTag], *, include_tags: bool) -> str:
    if node.kind is NodeKind.ANY_ELEMENT:
        return "*"
    named = node.label.name != str(node.label)
    return f"{node.label.name}{f' {node.label}' if include_tags and named else ''}{node.item}"
