"""What an option is, and how words become its value.

A :class:`Member` is one row of the tables in :mod:`mitk_rs.vmtk.tables`, from which the native commands, the VMTK names
and the script classes derive. A script object holds its rows as :class:`pypeMember`, VMTK's class, which also keeps
how the member got its value in a running pype. As in VMTK, file options are not declared: an input or output member
with an ``io`` script gets one (:func:`file_member`).
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mitk_rs._validation import brief
from mitk_rs.errors import UsageError
from mitk_rs.seeds import is_seed_file

__all__ = [
    "BUILTIN_TYPES",
    "COMMON_INPUTS",
    "COMMON_OUTPUTS",
    "Member",
    "MemberTable",
    "file_member",
    "from_row",
    "from_table",
    "parse_bool",
    "parse_float",
    "parse_int",
    "pypeMember",
]

# Rows of the tables

_TRUE = frozenset({"1", "yes", "true", "on"})
_FALSE = frozenset({"0", "no", "false", "off"})


@dataclass(frozen=True)
class Member:
    """One option, in the order of VMTK's rows.

    ``length`` is the number of values, -1 for any number, which must be a multiple of ``multiple``. ``range`` is VMTK's
    text (empty where there is none); ``choices`` are accepted as well. ``flags``, ``metavar`` and ``help`` are for
    ``mitk-rs init``.
    """

    attribute: str
    option: str
    type: str
    length: int = 1
    range: str = ""
    doc: str = ""
    io: str = ""
    default: object = None
    multiple: int = 1
    choices: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    metavar: str = ""
    help: str = ""

    @property
    def is_number(self) -> bool:
        """Whether the values are numbers, so that ``-5`` and ``-inf`` are values and not options."""
        return self.type in ("int", "float")


@dataclass(frozen=True)
class MemberTable:
    """All options of one script, in the order of VMTK's help; ``extensions`` are those that VMTK does not have."""

    script: str
    doc: str
    inputs: tuple[Member, ...] = ()
    outputs: tuple[Member, ...] = ()
    extensions: tuple[Member, ...] = ()

    def all_inputs(self) -> tuple[Member, ...]:
        """The common members, the declared ones, and the generated file options, in VMTK's order."""
        rows: list[Member] = [*COMMON_INPUTS]
        for member in self.inputs:
            rows += [member, file_member(member, "Input")] if member.io else [member]
        rows += [file_member(member, "Output") for member in self.outputs if member.io]
        return tuple(rows)

    def all_outputs(self) -> tuple[Member, ...]:
        """The common output members and the declared ones."""
        return (*COMMON_OUTPUTS, *self.outputs)

    def input(self, option: str) -> Member:
        """The input member with this option name; ``KeyError`` where there is none."""
        for member in self.all_inputs():
            if member.option == option:
                return member
        raise KeyError(option)


def file_member(member: Member, direction: str) -> Member:
    """The file option that VMTK generates for a member with a reader (``Input``) or writer (``Output``)."""
    return Member(
        attribute=f"{member.attribute}{direction}FileName",
        option=f"{member.option}file",
        type="str",
        doc=f"filename for the default {member.attribute} {'reader' if direction == 'Input' else 'writer'}",
        default="",
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


_ID = Member("Id", "id", "str", 1, "", "script id", default="0", help="name of this step; unused")
_SELF = Member("Self", "handle", "self", 1, "", "handle to self", help="accepted and unused")
_DISABLED = Member(
    "Disabled", "disabled", "bool", 1, "", "disable execution and piping", default=0,
    help="1 checks the options and does nothing",
)  # fmt: skip
COMMON_INPUTS = (_ID, _SELF, _DISABLED)
COMMON_OUTPUTS = (_ID, _SELF)


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
        if self._takes_points() and values and all(isinstance(word, str) and is_seed_file(word) for word in values):
            return values
        self._check_length(values)
        if self.MemberLength == 0:
            return 1
        converted = [self._convert(value) for value in values]
        for value in converted:
            self._check_range(value)
        return converted[0] if self.MemberLength == 1 else converted

    def _takes_points(self) -> bool:
        """Whether the values are voxel indices in threes, in place of which files of points are taken."""
        return self.MemberType == "int" and self.Multiple == 3

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
    raise UsageError(f"a member is a pypeMember or a list of 4 to 7 entries, got {brief(row)}")


def from_table(row: Member) -> pypeMember:
    """A member from the table that the native commands use, too."""
    member = pypeMember(row.attribute, row.option, row.type, row.length, row.range, row.doc, row.io)
    member.Accepted = row.choices
    member.Multiple = row.multiple
    return member
