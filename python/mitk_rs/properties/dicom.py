"""DICOM tags and paths of tags as property names (``mitk::DICOMTagPath``)."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import Any, Self, SupportsIndex, overload

from mitk_rs._validation import text
from mitk_rs.errors import RequestError
from mitk_rs.properties.dicom_names import TAG_NAMES
from mitk_rs.properties.paths import Node, NodeKind, Path

__all__ = ["DICOMTag", "DICOMTagPath"]

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
            number = operator.index(getattr(self, name))
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
            group = DICOMTag(operator.index(group), operator.index(element))
        if group is not None and not isinstance(group, DICOMTag):
            raise TypeError(f"DICOMTagPath takes a DICOMTag or group and element, got {group!r}")
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
            raise RequestError(f"a DICOM property's name must look like DICOM.0010.0010, got {property_name!r}")
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
        raise RequestError(f"a DICOM tag must look like (0010,0010), (0008,1115)[0] or *, got {part!r}")
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
