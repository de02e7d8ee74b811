"""Names of properties as paths: keys with indices and wildcards, and DICOM tags (``mitk::PropertyKeyPath``,
``mitk::DICOMTagPath``)."""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, Self, SupportsIndex, TypeVar, overload

from mitk_rs._validation import check_kind, flag, text, type_error, whole_number, wrong_type
from mitk_rs.errors import RequestError, brief

_SELECTION = re.compile(r"\[(\*|\d+)\]")


class NodeKind(enum.IntEnum):
    """What a node of a path stands for; numbers as in MITK."""

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

    def text(self, label: str, separator: str = "") -> str:
        """The node with its label in this spelling; selected items are in brackets."""
        match self.kind:
            case NodeKind.ANY_ELEMENT:
                return "*"
            case NodeKind.ANY_SELECTION:
                return f"{label}{separator}[*]"
            case NodeKind.ELEMENT_SELECTION:
                return f"{label}{separator}[{self.selection}]"
        return label


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
        number = 0 if isinstance(item, str) else whole_number(item, "item")
        if number < 0:
            raise RequestError(f"an item number must not be negative, got {number}")
        return self._selecting(item if isinstance(item, str) else str(number))

    def _selecting(self, item: str) -> Self:
        return self._of((*self._nodes[:-1], self._nodes[-1].selecting(item)))

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._nodes == other._nodes

    def __hash__(self) -> int:
        return hash((type(self), self._nodes))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self)._of, (self._nodes,)

    def __repr__(self) -> str:
        return f"<mitk.{type(self).__name__}: {self}>"


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
        return ".".join(node.text(node.label, ".") for node in self._nodes)


def _element(name: Any) -> str:
    if not isinstance(name, str):
        raise type_error(f"an element of a path must be text, got {brief(name)}")
    if not name or (name[0] == "[" and not _SELECTION.fullmatch(name)):
        raise RequestError(f'an element of a path must be a name, "*", "[*]" or "[number]", got {brief(name)}')
    return name


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
    return re.escape(node.text(node.label, "."))


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
        return _TAG_NAMES.get(str(self), str(self))

    def __str__(self) -> str:
        return f"({self.group:04X},{self.element:04X})"

    def __repr__(self) -> str:
        return f"<mitk.DICOMTag: {self}>"


# Names of the attributes that images carry (DICOM PS3.6, keyword words apart): group, then element and name.
_COMMON_TAGS = """
0002: 0010 Transfer Syntax UID
0008: 0005 Specific Character Set; 0008 Image Type; 0016 SOP Class UID; 0018 SOP Instance UID; 0020 Study Date;
    0021 Series Date; 0022 Acquisition Date; 0023 Content Date; 002A Acquisition Date Time; 0030 Study Time;
    0031 Series Time; 0032 Acquisition Time; 0033 Content Time; 0050 Accession Number; 0060 Modality;
    0070 Manufacturer; 0080 Institution Name; 0090 Referring Physician Name; 0100 Code Value;
    0102 Coding Scheme Designator; 0104 Code Meaning; 1030 Study Description; 103E Series Description;
    1090 Manufacturer Model Name; 1110 Referenced Study Sequence; 1115 Referenced Series Sequence;
    1140 Referenced Image Sequence; 1150 Referenced SOP Class UID; 1155 Referenced SOP Instance UID;
    2111 Derivation Description; 2112 Source Image Sequence
0010: 0010 Patient Name; 0020 Patient ID; 0030 Patient Birth Date; 0040 Patient Sex; 1010 Patient Age;
    1020 Patient Size; 1030 Patient Weight
0018: 0010 Contrast Bolus Agent; 0015 Body Part Examined; 0020 Scanning Sequence; 0050 Slice Thickness; 0060 KVP;
    0080 Repetition Time; 0081 Echo Time; 0082 Inversion Time; 0087 Magnetic Field Strength;
    0088 Spacing Between Slices; 1030 Protocol Name; 1060 Trigger Time; 1100 Reconstruction Diameter;
    1120 Gantry Detector Tilt; 1150 Exposure Time; 1151 X Ray Tube Current; 1210 Convolution Kernel; 1314 Flip Angle;
    5100 Patient Position; 9073 Acquisition Duration
0020: 000D Study Instance UID; 000E Series Instance UID; 0010 Study ID; 0011 Series Number; 0012 Acquisition Number;
    0013 Instance Number; 0032 Image Position Patient; 0037 Image Orientation Patient; 0052 Frame Of Reference UID;
    0100 Temporal Position Identifier; 0105 Number Of Temporal Positions; 0110 Temporal Resolution;
    1002 Images In Acquisition; 1041 Slice Location; 4000 Image Comments
0028: 0002 Samples Per Pixel; 0004 Photometric Interpretation; 0008 Number Of Frames; 0010 Rows; 0011 Columns;
    0030 Pixel Spacing; 0100 Bits Allocated; 0101 Bits Stored; 0102 High Bit; 0103 Pixel Representation;
    0106 Smallest Image Pixel Value; 0107 Largest Image Pixel Value; 0120 Pixel Padding Value; 1050 Window Center;
    1051 Window Width; 1052 Rescale Intercept; 1053 Rescale Slope; 1054 Rescale Type
0040: 0244 Performed Procedure Step Start Date
0062: 0002 Segment Sequence; 0004 Segment Number; 0005 Segment Label
7FE0: 0010 Pixel Data
"""
_TAG_NAMES: dict[str, str] = {
    f"({group},{element})": name
    for group, entries in re.findall(r"^(\w{4}): (.*(?:\n    .*)*)", _COMMON_TAGS, re.MULTILINE)
    for element, name in re.findall(r"(\w{4}) ([^;]+)", entries)
}


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
        numbers = [node.text(f"{node.label.group:04X}.{node.label.element:04X}", ".") for node in self._nodes]
        return ".".join(["DICOM", *numbers])

    def to_readable_name(self, include_tags: bool = False) -> str:  # noqa: FBT001, FBT002 - MITK's signature
        """Names of the attributes; those that are not common ones show as numbers.

        Parameters
        ----------
        include_tags
            Add the numbers to the names.
        """
        names = [node.label.name for node in self._nodes]
        if flag(include_tags, "include_tags"):
            tags = [str(node.label) for node in self._nodes]
            names = [name if name == tag else f"{name} {tag}" for name, tag in zip(names, tags, strict=True)]
        return ".".join(node.text(name) for node, name in zip(self._nodes, names, strict=True))

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
        return ".".join(node.text(str(node.label)) for node in self._nodes)


def _node(part: str) -> Node[DICOMTag]:
    match = _TAG.fullmatch(part)
    if match is None:
        raise RequestError(f"a DICOM tag must look like (0010,0010), (0008,1115)[0] or *, got {brief(part)}")
    return _from_match(match)


def _from_match(match: re.Match[str]) -> Node[DICOMTag]:
    node = Node(DICOMTag(int(match[1], 16), int(match[2], 16)))
    return node if match[3] is None else node.selecting(match[3])
