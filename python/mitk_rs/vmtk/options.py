"""The options of all scripts: one table for each, what an option is, and how words become its value.

A :class:`Member` is one row of VMTK's option tables: attribute, option, type, length, range, default and
description are the interface of ``vmtkimageinitialization`` and ``vmtkimagemipviewer``; ``flags`` is the GNU
spelling of the same option and ``help`` its explanation in ``mitk-rs init --help``. The native commands, the
VMTK names and the script classes all derive from these tables.

A script object holds its rows as :class:`pypeMember`, VMTK's class, which also keeps how the member got its value
in a running pype. As in VMTK, file options are not declared: an input or output member with an ``io`` script gets
one (:func:`file_member`).
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mitk_rs.errors import UsageError

__all__ = [
    "BUILTIN_TYPES",
    "INIT",
    "METHODS",
    "MIP",
    "Member",
    "MemberTable",
    "file_member",
    "from_row",
    "from_table",
    "geometry_member",
    "parse_bool",
    "parse_float",
    "parse_int",
    "physical_points_member",
    "pypeMember",
]

# Rows of the tables

METHODS = (
    "isosurface",
    "threshold",
    "collidingfronts",
    "fastmarching",
    "seeds",
    "multiplecollidingfronts",
)

_TRUE = frozenset({"1", "yes", "true", "on"})
_FALSE = frozenset({"0", "no", "false", "off"})


@dataclass(frozen=True, kw_only=True)
class Member:
    """One option.

    ``length`` is the number of values, -1 for any number. ``range`` is VMTK's text (empty where there is
    none); what is really accepted are ``choices`` (``str``) and values of at least ``minimum`` (numbers).
    """

    attribute: str
    option: str
    type: str
    length: int = 1
    range: str = ""
    default: object = None
    doc: str = ""
    io: str = ""
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    flags: tuple[str, ...] = ()
    metavar: str = ""
    help: str = ""

    @property
    def is_number(self) -> bool:
        """Whether the values are numbers, so that ``-5`` and ``-inf`` are values and not options."""
        return self.type in ("int", "float")


@dataclass(frozen=True, kw_only=True)
class MemberTable:
    """All options of one script, in the order of VMTK's help."""

    script: str
    doc: str
    inputs: tuple[Member, ...]
    outputs: tuple[Member, ...]

    def all_inputs(self) -> tuple[Member, ...]:
        """The common members, the declared ones, and the generated file options, in VMTK's order."""
        rows: list[Member] = [*_COMMON_INPUTS]
        for member in self.inputs:
            rows.append(member)
            if member.io:
                rows.append(file_member(member, output=False))
        rows.extend(file_member(member, output=True) for member in self.outputs if member.io)
        return tuple(rows)

    def all_outputs(self) -> tuple[Member, ...]:
        """The common output members and the declared ones."""
        return (*_COMMON_OUTPUTS, *self.outputs)

    def input(self, option: str) -> Member:
        """The input member with this option name; ``KeyError`` where there is none."""
        for member in self.all_inputs():
            if member.option == option:
                return member
        raise KeyError(option)


def file_member(member: Member, *, output: bool) -> Member:
    """The file option that VMTK generates for a member with a reader or writer."""
    name = "Output" if output else "Input"
    role = "writer" if output else "reader"
    return Member(
        attribute=f"{member.attribute}{name}FileName",
        option=f"{member.option}file",
        type="str",
        default="",
        doc=f"filename for the default {member.attribute} {role}",
        flags=member.flags,
        metavar=member.metavar or "FILE",
        help=member.help,
    )


def parse_int(word: str) -> int:
    """A whole number; ``3.0`` is one, ``1.5`` is not."""
    try:
        return int(word)
    except ValueError:
        pass
    try:
        number = float(word)
        if number.is_integer():
            return int(number)
    except ValueError:
        pass
    raise ValueError(f"expects whole numbers, got {word}")


def parse_float(word: str) -> float:
    """A number; ``inf`` and ``nan`` in any spelling that Python knows are numbers."""
    try:
        return float(word)
    except ValueError:
        raise ValueError(f"expects a number, got {word}") from None


def parse_bool(word: str) -> bool:
    """0 or 1, or yes, no, true, false, on, off in any case."""
    lower = word.lower()
    if lower in _TRUE or lower in _FALSE:
        return lower in _TRUE
    raise ValueError(f"expects 0 or 1 (or yes, no, true, false, on, off), got {word}")


_ID = Member(
    attribute="Id",
    option="id",
    type="str",
    default="0",
    doc="script id",
    help="name of this step; unused",
)
_SELF = Member(
    attribute="Self",
    option="handle",
    type="self",
    doc="handle to self",
    help="accepted and unused",
)
_DISABLED = Member(
    attribute="Disabled",
    option="disabled",
    type="bool",
    default=0,
    doc="disable execution and piping",
    help="1 checks the options and does nothing",
)
_COMMON_INPUTS = (_ID, _SELF, _DISABLED)
_COMMON_OUTPUTS = (_ID, _SELF)

INIT = MemberTable(
    script="vmtkimageinitialization",
    doc="",
    inputs=(
        Member(
            attribute="Image",
            option="i",
            type="vtkImageData",
            io="vmtkimagereader",
            metavar="IN",
            help="the image to start from",
        ),
        Member(
            attribute="NegateImage",
            option="negate",
            type="bool",
            default=0,
            doc="negate image values before initializing",
            flags=("--negate",),
            help="replace each value v by min + max - v first; thresholds apply to the result",
        ),
        Member(
            attribute="Interactive",
            option="interactive",
            type="bool",
            default=1,
            flags=("--interactive",),
            help="ask for what is missing in a dialogue",
        ),
        Member(
            attribute="Method",
            option="method",
            type="str",
            range='["isosurface","threshold","collidingfronts","fastmarching","seeds"]',
            default="collidingfronts",
            choices=METHODS,
            flags=("--method",),
            metavar="METHOD",
            help="isosurface, threshold, collidingfronts, fastmarching, seeds or multiplecollidingfronts",
        ),
        Member(
            attribute="SourcePoints",
            option="sourcepoints",
            type="int",
            length=-1,
            default=[],
            doc="list of source point IJK coordinates",
            flags=("--source",),
            metavar="I J K",
            help="where fronts start: voxel indices I J K counted from 0 along x, y, z; any number of "
            "triples, may be repeated",
        ),
        Member(
            attribute="TargetPoints",
            option="targetpoints",
            type="int",
            length=-1,
            default=[],
            doc="list of target point IJK coordinates",
            flags=("--target",),
            metavar="I J K",
            help="where fronts have to arrive, written as --source",
        ),
        Member(
            attribute="UpperThreshold",
            option="upperthreshold",
            type="float",
            doc="the value of the upper threshold to use for threshold, collidingfronts and fastmarching",
            flags=("--upper",),
            metavar="U",
            help="greatest value inside (method threshold) or that a front may enter (the front methods)",
        ),
        Member(
            attribute="LowerThreshold",
            option="lowerthreshold",
            type="float",
            # The published table gives both thresholds the same text; ours explains each in `help`.
            doc="the value of the upper threshold to use for threshold, collidingfronts and fastmarching",
            flags=("--lower",),
            metavar="L",
            help="least value inside (method threshold) or that a front may enter (the front methods)",
        ),
        Member(
            attribute="IsoSurfaceValue",
            option="isosurface",
            type="float",
            default=0.0,
            doc="the isosurface value to adopt as the level set surface",
            flags=("--isosurface",),
            metavar="V",
            help="value of the image that becomes the surface (method isosurface)",
        ),
        Member(
            attribute="vmtkRenderer",
            option="renderer",
            type="vmtkRenderer",
            help="accepted and unused: there is no renderer outside of a pipe",
        ),
    ),
    outputs=(
        Member(attribute="IsoSurfaceValue", option="isosurfacevalue", type="float", default=0.0),
        Member(
            attribute="InitialLevelSets",
            option="olevelsets",
            type="vtkImageData",
            io="vmtkimagewriter",
            flags=("-o", "--output"),
            metavar="LEVELSET",
            help="level set image to write: .mha .mhd .nrrd .nhdr .nii .nii.gz .vti .vtk",
        ),
        Member(
            attribute="Surface",
            option="osurface",
            type="vtkPolyData",
            io="vmtksurfacewriter",
            flags=("--surface",),
            metavar="SURFACE",
            help="surface of the zero level to write: .stl .vtp .ply .obj .vtk",
        ),
    ),
)

MIP = MemberTable(
    script="vmtkimagemipviewer",
    doc="display a 3D image",
    inputs=(
        Member(
            attribute="Image",
            option="i",
            type="vtkImageData",
            doc="the input image",
            io="vmtkimagereader",
            metavar="IN",
            help="the image to project",
        ),
        Member(
            attribute="ArrayName",
            option="array",
            type="str",
            default="",
            doc="name of the array to display",
            metavar="NAME",
        ),
        Member(attribute="vmtkRenderer", option="renderer", type="vmtkRenderer", doc="external renderer"),
        Member(
            attribute="SampleDistance",
            option="sampledistance",
            type="float",
            range="(0.0,)",
            default=1.0,
            doc="the distance at sample projections are generated",
            minimum=0.0,
            flags=("--sample-distance",),
            metavar="MM",
        ),
        Member(
            attribute="AutoSampleDistance",
            option="autosampledistance",
            type="bool",
            default=1,
            doc="toggle automatic sample distance",
        ),
        Member(
            attribute="WindowLevel",
            option="windowlevel",
            type="float",
            length=2,
            default=[0.0, 0.0],
            doc="the window/level for generating the rendering",
            metavar="WINDOW LEVEL",
        ),
        Member(attribute="Display", option="display", type="bool", default=1, doc="toggle rendering"),
    ),
    outputs=(
        Member(
            attribute="Image",
            option="o",
            type="vtkImageData",
            doc="the output image",
            io="vmtkimagewriter",
        ),
    ),
)


# Members of a script object

BUILTIN_TYPES = ("int", "str", "float", "bool")

_PARSERS: dict[str, Callable[[str], Any]] = {
    "int": parse_int,
    "float": parse_float,
    "bool": lambda word: int(parse_bool(word)),
    "str": str,
}


class pypeMember:
    """A member of a script: attribute, option, type, length, range, description and default reader or writer.

    Parameters
    ----------
    memberName, optionName, memberType
        Attribute of the script, option without its dash, and ``int``, ``float``, ``bool``, ``str`` or the class of
        an object (``vtkImageData``).
    memberLength
        Number of values; -1 for any number, 0 for a switch.
    memberRange
        ``'["a","b"]'`` (one of), ``'(low,high)'`` (closed, either end may be missing) or empty.
    memberDoc, memberIO
        Description, and the script that reads or writes the member's file.

    Attributes
    ----------
    MemberPipe, ExplicitPipe, MemberValue, Pushed, AutoPipe
        How the member got its value in a running pype.
    Accepted
        Values beyond ``MemberRange`` that are accepted although VMTK's published table does not name them.
    Multiple
        The number of values has to be a multiple of this.
    Extension
        Whether the option is an addition of mitk_rs.
    """

    def __init__(
        self,
        memberName: str,
        optionName: str,
        memberType: str,
        memberLength: int,
        memberRange: str = "",
        memberDoc: str = "",
        memberIO: str = "",
    ) -> None:
        self.MemberName = memberName
        self.OptionName = optionName
        self.MemberType = memberType
        self.MemberLength = memberLength
        self.MemberRange = memberRange
        self.MemberDoc = memberDoc
        self.MemberIO = memberIO
        self.MemberPipe: str | None = ""
        self.MemberValue: Any = None
        self.ExplicitPipe = ""
        self.AutoPipe = 1
        self.Pushed = 0
        self.Accepted: tuple[str, ...] = ()
        self.Default: Any = None
        self.Extension = False
        self.Multiple = 1
        self.Given = False

    def __repr__(self) -> str:
        return f"pypeMember({self.MemberName!r}, {self.OptionName!r}, {self.MemberType!r}, {self.MemberLength})"

    @property
    def is_builtin(self) -> bool:
        """Whether values come from words and not from other scripts."""
        return self.MemberType in BUILTIN_TYPES

    def GetRangeEnumeration(self) -> list[Any]:
        """The allowed values of a ``["a","b"]`` range, else an empty list."""
        if not (self.MemberRange.startswith("[") and self.MemberRange.endswith("]")):
            return []
        return list(ast.literal_eval(self.MemberRange))

    def GetRangeValues(self) -> list[float | None]:
        """The two ends of a ``(low,high)`` range, ``None`` for an open one, else an empty list."""
        if not (self.MemberRange.startswith("(") and self.MemberRange.endswith(")")):
            return []
        ends = [float(end) if end.strip() else None for end in self.MemberRange[1:-1].split(",")]
        return ends[:2] if len(ends) >= 2 else []

    def GetRangeRepresentation(self) -> str:
        """The range in words: ``in ['a', 'b']`` or ``>= 0.0 and <= 1.0``."""
        enumeration = self.GetRangeEnumeration()
        if enumeration:
            return f"in {enumeration}"
        signs = (">=", "<=")
        ends = self.GetRangeValues()
        return " and ".join(f"{sign} {end}" for sign, end in zip(signs, ends, strict=False) if end is not None)

    def IsInRange(self, value: Any) -> bool:
        """Whether one value is allowed."""
        enumeration = self.GetRangeEnumeration()
        if enumeration:
            return value in enumeration or value in self.Accepted
        ends = self.GetRangeValues()
        if not ends:
            return True
        low, high = ends
        return bool((low is None or value >= low) and (high is None or value <= high))

    def accepted_text(self) -> str:
        """What is allowed, for a message."""
        enumeration = self.GetRangeEnumeration()
        if enumeration:
            return "one of " + ", ".join(dict.fromkeys([*map(str, enumeration), *self.Accepted]))
        return self.GetRangeRepresentation()

    def value_of(self, words: Sequence[Any]) -> Any:
        """The value that the words after the option stand for.

        Raises
        ------
        UsageError
            Wrong count, a word of the wrong type, or a value out of range; the message names option and word.
        """
        values = list(words[0]) if len(words) == 1 and isinstance(words[0], list | tuple) else list(words)
        self._check_length(values)
        if self.MemberLength == 0:
            return 1
        converted = [self._convert(value) for value in values]
        for value in converted:
            self._check_range(value)
        return converted[0] if self.MemberLength == 1 else converted

    def _check_length(self, values: list[Any]) -> None:
        if len(values) % self.Multiple:
            raise UsageError(f"-{self.OptionName} got {len(values)} values, need a multiple of {self.Multiple}")
        if self.MemberLength in (-1, len(values)):
            return
        plural = "value" if self.MemberLength == 1 else "values"
        raise UsageError(f"-{self.OptionName} needs {self.MemberLength} {plural}, got {len(values)}")

    def _convert(self, value: Any) -> Any:
        if not self.is_builtin:
            return self._object(value)
        if not isinstance(value, str):
            return value
        try:
            return _PARSERS[self.MemberType](value)
        except ValueError as error:
            raise UsageError(f"-{self.OptionName} {error}") from None

    def _object(self, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        hint = f"; to read a file write -{self.OptionName}file {value}" if self.MemberIO else ""
        raise UsageError(f"-{self.OptionName} takes a reference such as @.o, got {value}{hint}")

    def _check_range(self, value: Any) -> None:
        try:
            inside = self.IsInRange(value)
        except TypeError:
            inside = False
        if not inside:
            text = self.accepted_text()
            raise UsageError(f"-{self.OptionName} must be {text}, got {value}")


def from_row(row: Sequence[Any] | pypeMember) -> pypeMember:
    """A member from VMTK's list of up to seven entries, or the member itself."""
    if isinstance(row, pypeMember):
        return row
    if isinstance(row, list | tuple) and 4 <= len(row) <= 7:
        return pypeMember(*row)
    raise UsageError(f"a member is a pypeMember or a list of 4 to 7 entries, got {row!r}")


def from_table(row: Member) -> pypeMember:
    """A member from the table that the native commands use, too."""
    member = pypeMember(row.attribute, row.option, row.type, row.length, row.range, row.doc, row.io)
    member.Accepted = row.choices
    return member


# Options that mitk_rs adds under VMTK's names


def geometry_member() -> pypeMember:
    """Which frame files get; see :mod:`mitk_rs.vmtk.frames`."""
    return pypeMember(
        "Geometry",
        "geometry",
        "str",
        1,
        '["","physical","vmtk"]',
        "frame of the files written: physical keeps the world positions of the input, vmtk is what VMTK writes; "
        "without it image files of ITK's formats are physical, .vti, .vtk and surfaces are as VMTK writes them",
    )


def physical_points_member(attribute: str, option: str, kind: str) -> pypeMember:
    """Points in millimetres instead of voxels."""
    member = pypeMember(
        attribute, option, "float", -1, "", f"list of {kind} points in physical coordinates x y z (LPS, mm)"
    )
    member.Multiple = 3
    return member
