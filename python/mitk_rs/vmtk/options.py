"""What an option is, how text becomes words and options, and how words become values.

A :class:`Member` is one row of the tables in :mod:`mitk_rs.vmtk.tables`, from which the native commands, the VMTK names
and the script classes derive. A script object holds its rows as :class:`pypeMember`, VMTK's class, which also keeps
how the member got its value in a running pype. As in VMTK, file options are not declared: an input or output member
with an ``io`` script gets one (:func:`file_member`).

A *word* is what the shell hands over, or what :func:`split_text` cuts out of a string: white space separates,
double quotes group, nothing else has a meaning. ``--pipe`` cuts the words into *segments*, one a script; the first
word of a segment names the script. In the rest, ``-`` followed by a letter starts an option and everything up to
the next option or ``--flag`` is its values, so ``-5`` and ``-.5`` are values. Nothing is ever evaluated. Source of the
rules: VMTK's ``PypeS`` (``pype.py``, ``pypescript.py``), with the corrections that ``docs/howto/vmtk.md`` lists.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from mitk_rs.errors import UsageError, brief

__all__ = [
    "Member",
    "MemberTable",
    "parse_bool",
    "parse_float",
    "parse_int",
    "pypeMember",
    "read_options",
    "split_text",
]

# Rows of the tables

_WORDS = {"1": 1, "yes": 1, "true": 1, "on": 1, "0": 0, "no": 0, "false": 0, "off": 0}


@dataclass(frozen=True)
class Member:
    """One option.

    ``length`` is the number of values, -1 for any number, which must be a multiple of ``multiple``. ``range`` is VMTK's
    text (empty where there is none); ``choices`` are accepted as well. ``role`` is input, output or extension (an input
    that VMTK does not have). ``flags``, ``metavar`` and ``help`` are for ``mitk-rs init``.
    """

    option: str
    type: str
    doc: str = ""
    default: object = None
    range: str = ""
    length: int = 1
    io: str = ""
    attribute: str = ""
    role: str = "input"
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
        return (*rows, *(file_member(member, "Output") for member in self.outputs if member.io))


def file_member(member: Member, direction: str) -> Member:
    """The file option that VMTK generates for a member with a reader (``Input``) or writer (``Output``)."""
    return Member(
        f"{member.option}file",
        "str",
        f"filename for the default {member.attribute} {'reader' if direction == 'Input' else 'writer'}",
        default="",
        attribute=f"{member.attribute}{direction}FileName",
        flags=member.flags,
        metavar=member.metavar or "FILE",
        help=member.help,
    )


def parse_int(word: str) -> int:
    """A whole number; ``3.0`` is one, ``1.5`` is not."""
    for kind in (int, float):
        try:
            if kind(word) == int(kind(word)):
                return int(kind(word))
        except (ValueError, OverflowError):
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
    if word.lower() not in _WORDS:
        raise ValueError(f"expects 0 or 1 (or yes, no, true, false, on, off), got {word}")
    return bool(_WORDS[word.lower()])


_ID = Member("id", "str", "script id", "0", attribute="Id", help="name of this step; unused")
_SELF = Member("handle", "self", "handle to self", attribute="Self", help="accepted and unused")
_DISABLED = Member(
    "disabled", "bool", "disable execution and piping", 0, attribute="Disabled",
    help="1 checks the options and does nothing",
)  # fmt: skip
COMMON_INPUTS = (_ID, _SELF, _DISABLED)
COMMON_OUTPUTS = (_ID, _SELF)

# Members of a script object

_PARSERS: dict[str, Callable[[str], Any]] = {
    "int": parse_int,
    "str": str,
    "float": parse_float,
    "bool": lambda word: int(parse_bool(word)),
}
BUILTIN_TYPES = tuple(_PARSERS)


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
        self.MemberName, self.OptionName = memberName, optionName
        self.MemberType, self.MemberLength, self.MemberRange = memberType, memberLength, memberRange
        self.MemberDoc, self.MemberIO = memberDoc, memberIO
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

    def _between(self, brackets: str) -> str:
        """The range without its brackets; empty where it has other ones."""
        given = self.MemberRange
        return given[1:-1] if (given[:1], given[-1:]) == tuple(brackets) else ""

    def GetRangeEnumeration(self) -> list[Any]:
        """The allowed values of a ``["a","b"]`` range, else an empty list."""
        return list(ast.literal_eval(f"[{self._between('[]')}]"))

    def GetRangeValues(self) -> list[float | None]:
        """The two ends of a ``(low,high)`` range, ``None`` for an open one, else an empty list."""
        ends = [float(end) if end.strip() else None for end in self._between("()").split(",")]
        return ends[:2] if len(ends) >= 2 else []

    def GetRangeRepresentation(self) -> str:
        """The range in words: ``in ['a', 'b']`` or ``>= 0.0 and <= 1.0``."""
        enumeration = self.GetRangeEnumeration()
        if enumeration:
            return f"in {enumeration}"
        ends = zip((">=", "<="), self.GetRangeValues(), strict=False)
        return " and ".join(f"{sign} {end}" for sign, end in ends if end is not None)

    def IsInRange(self, value: Any) -> bool:
        """Whether one value is allowed."""
        enumeration = self.GetRangeEnumeration()
        if enumeration:
            return value in enumeration or value in self.Accepted
        low, high = self.GetRangeValues() or (None, None)
        return bool((low is None or value >= low) and (high is None or value <= high))

    def accepted_text(self) -> str:
        """What is allowed, for a message."""
        enumeration = self.GetRangeEnumeration()
        if enumeration:
            return "one of " + ", ".join(dict.fromkeys([*map(str, enumeration), *self.Accepted]))
        return self.GetRangeRepresentation()

    def value_of(self, words: Sequence[Any]) -> Any:
        """The value that the words after the option stand for; a ``UsageError`` names the option and a wrong word."""
        values = list(words[0]) if len(words) == 1 and isinstance(words[0], list | tuple) else list(words)
        # In place of voxel indices in threes, files of points are taken.
        if self.MemberType == "int" and self.Multiple == 3 and values and all(map(_is_seed_file, values)):
            return values
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
        if self.MemberLength not in (-1, len(values)):
            plural = "value" if self.MemberLength == 1 else "values"
            raise UsageError(f"-{self.OptionName} needs {self.MemberLength} {plural}, got {len(values)}")

    def _convert(self, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if not self.is_builtin:
            hint = f"; to read a file write -{self.OptionName}file {value}" if self.MemberIO else ""
            raise UsageError(f"-{self.OptionName} takes a reference such as @.o, got {value}{hint}")
        try:
            return _PARSERS[self.MemberType](value)
        except ValueError as error:
            raise UsageError(f"-{self.OptionName} {error}") from None

    def _check_range(self, value: Any) -> None:
        try:
            inside = self.IsInRange(value)
        except TypeError:
            inside = False
        if not inside:
            raise UsageError(f"-{self.OptionName} must be {self.accepted_text()}, got {value}")


def _is_seed_file(word: Any) -> bool:
    from mitk_rs.seeds import is_seed_file  # with NumPy, which `mitk-rs --help` does without

    return isinstance(word, str) and is_seed_file(word)


def from_row(row: Sequence[Any] | pypeMember | Member) -> pypeMember:
    """A member from VMTK's list of up to seven entries, or from a row of the tables; or the member itself."""
    if isinstance(row, pypeMember):
        return row
    if isinstance(row, Member):
        member = pypeMember(row.attribute, row.option, row.type, row.length, row.range, row.doc, row.io)
        member.Accepted, member.Multiple = row.choices, row.multiple
        return member
    if isinstance(row, list | tuple) and 4 <= len(row) <= 7:
        return pypeMember(*row)
    raise UsageError(f"a member is a pypeMember or a list of 4 to 7 entries, got {brief(row)}")


# Words

HELP_FLAGS = ("--help", "--doc", "--html", "--dokuwiki", "--pmwiki")
_PLACEHOLDERS = ("FILE", "BROWSER")
_SIGNED_WORDS = frozenset({"-inf", "-infinity", "-nan"})


@dataclass(frozen=True)
class Segment:
    """One script of a pype with its words (callers from Python may put any object among them)."""

    name: str
    words: tuple[Any, ...]


@dataclass(frozen=True)
class Option:
    """One option of a segment: ``-name@`` is pushed to later scripts."""

    name: str
    values: tuple[Any, ...]
    pushed: bool = False


@dataclass
class Words:
    """A segment after reading: options (the last of a name wins), flags, and what had no meaning."""

    options: dict[str, Option] = field(default_factory=dict)
    flags: list[str] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)


def split_text(text: str, substitutions: Mapping[str, Any] | None = None) -> list[Any]:
    """Cut a line into words; ``substitutions`` are the objects for words of the form ``{name}``.

    Raises
    ------
    UsageError
        A quote is left open, or ``{name}`` has no substitution.

    Examples
    --------
    >>> split_text('vmtkimagereader -ifile "my scan.mha"')
    ['vmtkimagereader', '-ifile', 'my scan.mha']
    """
    words: list[Any] = []
    for position, part in enumerate(text.split('"')):
        words.extend([part] if position % 2 else part.split())
    if text.count('"') % 2:
        raise UsageError('a double quote is left open; quotes have to come in pairs: "two words"')
    return words if substitutions is None else [_substitute(word, substitutions) for word in words]


def _substitute(word: str, substitutions: Mapping[str, Any]) -> Any:
    if not (word.startswith("{") and word.endswith("}")):
        return word
    if word[1:-1] not in substitutions:
        raise UsageError(f"{word} is not among the keyword arguments ({', '.join(substitutions) or 'none'})")
    return substitutions[word[1:-1]]


def read_lines(text: str) -> list[str]:
    """The pypes of a file: one a line, ``#`` lines and blank ones skipped, a trailing backslash joins lines."""
    joined = text.replace("\\\r\n", " ").replace("\\\n", " ")
    lines = (line.strip() for line in joined.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def split_segments(words: Sequence[Any]) -> list[Segment]:
    """Cut words at ``--pipe``; a trailing ``--pipe`` is legal, an empty segment before the end is not."""
    groups: list[list[Any]] = [[]]
    for word in words:
        if isinstance(word, str) and word == "--pipe":
            groups.append([])
        else:
            groups[-1].append(word)
    if len(groups) > 1 and not groups[-1]:
        groups.pop()
    return [_segment(group, number) for number, group in enumerate(groups, start=1)]


def _segment(group: list[Any], number: int) -> Segment:
    if not group:
        raise UsageError(f"no script name in part {number} of the pype; --pipe has to stand between two scripts")
    for word in group:
        if isinstance(word, str) and word in _PLACEHOLDERS:
            raise UsageError(f"{word} stands for a file dialog in VMTK; dialogs are not offered, write the name")
    if not isinstance(group[0], str):
        raise UsageError(f"a script name is text, got {type(group[0]).__name__}")
    path = PurePath(group[0])
    return Segment(path.stem if path.suffix == ".py" else path.name, tuple(group[1:]))


def read_options(words: Sequence[Any], *, is_number: Callable[[str], bool], long_options: Sequence[str] = ()) -> Words:
    """Sort the words of one segment, which come after the script name; the script judges unknown names.

    ``is_number`` says of an option whether its values are floats, for which ``-inf`` and ``-nan`` are values;
    ``long_options`` are names that are also understood as ``--name``.
    """
    found = Words()
    current: Option | None = None
    for word in words:
        opened = _opened(word, current, is_number, long_options)
        flag = isinstance(word, str) and word.startswith("--")
        if opened is None and not flag and current is not None:
            current = Option(current.name, (*current.values, word), current.pushed)
            continue
        _keep(found, current)
        current = opened
        if opened is None:
            (found.flags if flag else found.strays).append(str(word))
    _keep(found, current)
    return found


def _opened(
    word: Any, current: Option | None, is_number: Callable[[str], bool], long_options: Sequence[str]
) -> Option | None:
    """The option that a word starts."""
    if not isinstance(word, str) or word[:1] != "-":
        return None
    if word.startswith("--"):
        return Option(word[2:], ()) if word[2:] in long_options else None
    name = word[1:]
    if name and not (name[0].isascii() and name[0].isalpha()):
        return None
    if current is not None and word.lower() in _SIGNED_WORDS and is_number(current.name):
        return None
    return Option(name.removesuffix("@"), (), name.endswith("@"))


def _keep(found: Words, option: Option | None) -> None:
    if option is not None:
        if option.name in found.options:
            found.repeated.append(option.name)
        found.options[option.name] = option
