"""The base class of all scripts, with VMTK's attribute and method names.

A script is constructed without arguments, gets its inputs as attributes (or from the words of a pype), is executed,
and keeps its outputs as attributes. Its members declare what the words, the help and the pipes know of it. The log
and prompts go to its output stream, answers come from its input stream, notes and warnings go to the logger
``mitk_rs.vmtk``.
"""

from __future__ import annotations

import difflib
import html
import logging
import sys
import textwrap
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from mitk_rs.errors import DisplayError, RequestError, UsageError
from mitk_rs.vmtk import make_script
from mitk_rs.vmtk.options import (
    BUILTIN_TYPES,
    COMMON_INPUTS,
    COMMON_OUTPUTS,
    HELP_FLAGS,
    Member,
    MemberTable,
    Option,
    Words,
    file_member,
    from_row,
    pypeMember,
    read_options,
)

__all__ = ["Talking", "UnknownAttributeWarning", "pypeScript"]

_logger = logging.getLogger("mitk_rs.vmtk")


class Talking:
    """The part of scripts and pypes that reads and writes text."""

    def __init__(self) -> None:
        self.ScriptName = ""
        self.InputStream: Any = sys.stdin
        self.OutputStream: Any = sys.stdout
        self.LogOn = 1
        self.Progress = 0.0

    def PrintLog(self, logMessage: str, indent: int = 0) -> None:
        """Write a line to the log (standard output), unless ``LogOn`` is 0."""
        if self.LogOn:
            self.OutputStream.write("    " * indent + logMessage + "\n")

    def PrintWarning(self, message: str) -> None:
        """Send a warning to the logger ``mitk_rs.vmtk``; commands show it on standard error."""
        _logger.warning("%s: warning: %s", self.ScriptName, message)

    def PrintNote(self, message: str) -> None:
        """Send a note to the logger ``mitk_rs.vmtk``; commands show it on standard error."""
        _logger.info("%s: note: %s", self.ScriptName, message)

    def PrintError(self, errorMessage: str) -> None:
        """Raise :class:`mitk_rs.errors.RequestError`, which is a ``RuntimeError`` as VMTK's callers expect."""
        raise RequestError(errorMessage.removeprefix("Error: "))

    def OutputText(self, text: str) -> None:
        """Write text without an end of line to standard output."""
        self.OutputStream.write(text)

    def InputInfo(self, prompt: str = "") -> None:
        """Show a message at once, where the user is asked, too."""
        self.OutputText(prompt)
        if hasattr(self.OutputStream, "flush"):
            self.OutputStream.flush()
        if hasattr(self.InputStream, "prompt"):
            self.InputStream.prompt(prompt, info=True)

    def InputText(self, prompt: str = "", validator: Callable[[str], Any] | None = None) -> str:
        """Ask until ``validator`` accepts the answer.

        Raises ``DisplayError`` (the input ended; VMTK would ask for ever).
        """
        while True:
            self.InputInfo(prompt)
            line = self.InputStream.readline()
            if not line:
                raise DisplayError(f"no answer to {prompt.strip()!r}: the input has ended")
            text = str(line).rstrip("\n")
            if validator is None or validator(text):
                return text

    def OutputProgress(self, progress: float, percentStep: int) -> None:
        """Show progress in steps of ``percentStep`` percent."""
        if int(100 * progress) // percentStep != int(100 * self.Progress) // percentStep:
            self.Progress = progress
            self.InputInfo(f"\rProgress: {int(100 * progress)}%")

    def EndProgress(self) -> None:
        """End the line of the progress display."""
        self.OutputText("\n")


# Help

_HEADERS = ("Argument", "Variable", "Type", "Length", "Range", "Default", "Description")


def _section(title: str, members: list[pypeMember]) -> list[str]:
    """One paragraph an option, wrapped at 70 columns."""
    wrapped = (textwrap.fill(_paragraph(member), initial_indent="   ", subsequent_indent="     ") for member in members)
    return [f"  {title}", *wrapped]


def _paragraph(member: pypeMember) -> str:
    text = f"-{member.OptionName} {member.MemberName}"
    if member.MemberLength:
        text += f" ({member.MemberType},{member.MemberLength})"
        if member.is_builtin:
            text += f" {member.GetRangeRepresentation()}" if member.MemberRange else ""
            text += f"; default={member.Default}" if member.Default != "" else ""
    return f"{text}: {member.MemberDoc}" if member.MemberDoc else text


def _table(title: str, members: list[pypeMember]) -> str:
    header = "".join(f"<th>{name}</th>" for name in _HEADERS)
    rows = "".join(f"<tr>{_cells(member)}\n</tr>\n" for member in members)
    return f'<h3>{title}</h3>\n<table class="vmtkscripts">\n<tr>\n{header}\n</tr>\n{rows}</table>\n'


def _cells(member: pypeMember) -> str:
    texts = [member.OptionName, member.MemberName, member.MemberType, str(member.MemberLength)]
    texts += [member.MemberRange, str(member.Default)] if member.is_builtin else ["", ""]
    return "".join(f"<td>{html.escape(text, quote=False)}</td>" for text in [*texts, member.MemberDoc])


# The base class


class UnknownAttributeWarning(UserWarning):
    """An attribute that the script does not have was set; VMTK would ignore it silently."""


class _SealedType(type):
    """Marks scripts of this package as complete after construction, so that a misspelt attribute is noticed."""

    def __call__(cls, *arguments: Any, **options: Any) -> Any:
        script = super().__call__(*arguments, **options)
        script.__dict__["_sealed"] = cls.__module__.startswith("mitk_rs.")
        return script


class pypeScript(Talking, metaclass=_SealedType):
    """Base of all scripts (VMTK's ``pypeScript``).

    Attributes
    ----------
    InputMembers, OutputMembers
        Lists of :class:`pypeMember`.
    ExtensionMembers
        Input members that VMTK does not have; their values are printed only when they were given.
    Table
        The options of the script in :mod:`mitk_rs.vmtk.tables`; ``None`` in scripts that declare them as VMTK's do.
    Arguments
        The words of the script in a pype.
    ExitOnError
        Kept for VMTK's sake and without effect: errors are always exceptions.

    Examples
    --------
    >>> from mitk_rs.vmtk import vmtkscripts
    >>> script = vmtkscripts.vmtkImageInitialization()
    >>> script.Method, script.IsoSurfaceValue
    ('collidingfronts', 0.0)
    """

    Summary = ""
    Table: MemberTable | None = None

    def __init__(self) -> None:
        super().__init__()
        self.BuiltinOptionTypes = list(BUILTIN_TYPES)
        self.ScriptDoc = ""
        self.Arguments: list[Any] = []
        self.InputMembers: list[pypeMember] = []
        self.OutputMembers: list[pypeMember] = []
        self.ExtensionMembers: list[pypeMember] = []
        self.Id = "0"
        self.Self = self
        self.Disabled = 0
        self.ExitOnError = 1
        self.Threads: int | None = None
        self.ConsumedMembers: frozenset[str] = frozenset()
        self._words: Words | None = None
        self._declare(self.InputMembers, COMMON_INPUTS, piped=False)
        self._declare(self.OutputMembers, COMMON_OUTPUTS, piped=False)
        if self.Table is not None:
            self.SetMembersFromTable(self.Table)

    def __setattr__(self, name: str, value: Any) -> None:
        if self.__dict__.get("_sealed") and not name.startswith("_") and not hasattr(self, name):
            near = difflib.get_close_matches(name, dir(self), n=1)
            hint = f", did you mean {near[0]}?" if near else ""
            text = f"{type(self).__name__} has no attribute {name}{hint}"
            warnings.warn(text, UnknownAttributeWarning, stacklevel=2)
        super().__setattr__(name, value)

    def _needed(self, name: str) -> Any:
        """The value of a member without which the script cannot work."""
        value = getattr(self, name)
        if value is None or (name.endswith("FileName") and not value):
            self.PrintError(f"Error: no {name}.")
        return value

    # Declaration

    def SetScriptName(self, scriptName: str) -> None:
        """Set the name under which pypes know the script."""
        self.ScriptName = scriptName

    def SetScriptDoc(self, scriptDoc: str) -> None:
        """Set the description."""
        self.ScriptDoc = scriptDoc

    def SetInputMembers(self, membersToAppend: Sequence[Any]) -> None:
        """Declare inputs, each a :class:`pypeMember` or VMTK's list of up to seven entries.

        A member with a reader gets a file option of its own: ``Image`` with option ``i`` gets ``-ifile``.
        """
        self._declare(self.InputMembers, membersToAppend, "Input")

    def SetOutputMembers(self, membersToAppend: Sequence[Any]) -> None:
        """Declare outputs; a member with a writer gets a file option among the inputs."""
        self._declare(self.OutputMembers, membersToAppend, "Output")

    def SetExtensionMembers(self, membersToAppend: Sequence[Any]) -> None:
        """Declare options that VMTK does not have; the help lists them apart."""
        self._declare(self.ExtensionMembers, membersToAppend, piped=False)

    def SetMembersFromTable(self, table: MemberTable) -> None:
        """Declare everything from a table, and set the defaults."""
        self.SetScriptName(table.script)
        self.SetScriptDoc(table.doc)
        for row in (*table.inputs, *table.outputs, *table.extensions):
            setattr(self, row.attribute, list(row.default) if isinstance(row.default, list) else row.default)
        self.SetInputMembers(table.inputs)
        self.SetOutputMembers(table.outputs)
        self.SetExtensionMembers(table.extensions)

    def _declare(
        self, members: list[pypeMember], rows: Sequence[Any], direction: str = "", *, piped: bool = True
    ) -> None:
        for row in rows:
            member = from_row(row)
            member.Extension = members is self.ExtensionMembers
            member.AutoPipe = int(piped and member.AutoPipe)
            if not hasattr(self, member.MemberName):
                setattr(self, member.MemberName, None)
            member.Default = getattr(self, member.MemberName)
            members.append(member)
            if member.MemberIO and direction:
                declared = Member(member.OptionName, member.MemberType, attribute=member.MemberName)
                file = file_member(declared, direction)
                setattr(self, file.attribute, file.default)
                self._declare(self.InputMembers, [file])

    # Reading words

    def input_member(self, option: str) -> pypeMember | None:
        """The input or extension member with this option name."""
        members = self.InputMembers + self.ExtensionMembers
        return next((member for member in members if member.OptionName == option), None)

    def _was_given(self, option: str) -> bool:
        """Whether the words of the script have this option."""
        member = self.input_member(option)
        return member is not None and member.Given

    def read_words(self) -> Words:
        """Sort and check the words without changing any attribute; no ``UsageError`` where they ask for help."""
        if self._words is None:
            names = [member.OptionName for member in self.ExtensionMembers]
            words = read_options(self.Arguments, is_number=self._is_number, long_options=names)
            if not any(flag in HELP_FLAGS for flag in words.flags):
                self._check(words)
            self._words = words
        return self._words

    def _is_number(self, option: str) -> bool:
        member = self.input_member(option)
        return member is not None and member.MemberType == "float"

    def _check(self, words: Words) -> None:
        for option in words.options.values():
            member = self.input_member(option.name)
            if member is None:
                known = [member.OptionName for member in self.InputMembers + self.ExtensionMembers]
                near = difflib.get_close_matches(option.name, known, n=1)
                hint = f", did you mean -{near[0]}?" if near else f"; {self.ScriptName} --help lists the options"
                raise UsageError(f"unknown option -{option.name}{hint}")
            if not _reference(option):
                member.value_of(option.values)

    def ParseArguments(self) -> int:
        """Take the words over into the attributes; 0 when help was asked for and printed instead, else 1."""
        words = self.read_words()
        asked = next((flag for flag in words.flags if flag in HELP_FLAGS), None)
        if asked is not None:
            texts = {"--help": self.GetUsageString, "--html": self.GetHTMLUsageString}
            self.OutputText("\n" + texts.get(asked, self.GetScriptDocString)() + "\n")
            return 0
        for name in words.repeated:
            self.PrintWarning(f"-{name} is given more than once; the last one counts")
        for flag in words.flags:
            self.PrintWarning(f"{flag} is not known and ignored")
        for stray in words.strays:
            self.PrintWarning(f"{stray!r} belongs to no option and is ignored")
        for member in self.InputMembers + self.ExtensionMembers:
            if member.OptionName in words.options:
                self._take(member, words.options[member.OptionName])
        return 1

    def _take(self, member: pypeMember, option: Option) -> None:
        member.Pushed = int(option.pushed)
        member.Given = True
        reference = _reference(option)
        if reference:
            member.ExplicitPipe = reference[1:] or "None"
            self.PrintLog(f"{member.MemberName} = {reference if reference != '@' else '@None'}", 1)
            return
        if member.MemberLength != -1 or option.values:
            member.MemberValue = member.value_of(option.values)
            setattr(self, member.MemberName, member.MemberValue)
        self._print_member(member)

    # Files

    def IORead(self) -> None:
        """Read the files named by the ``-*file`` options of the inputs into their members."""
        for member, name in self._files(self.InputMembers, "Input"):
            reader = self._helper(member)
            reader.InputFileName = name
            reader.Execute()
            setattr(self, member.MemberName, reader.Output)

    def input_file_name(self) -> str:
        """The first file that the script reads, empty without one."""
        names = [member.MemberName for member in self.InputMembers if member.MemberName.endswith("InputFileName")]
        names += ["InputFileName", "InputDirectoryName"]
        return next(filter(None, (getattr(self, name, "") for name in names)), "")

    def CheckOutputs(self) -> None:
        """Refuse output files that could not be written, before anything is read or computed.

        Raises ``FileWriteError`` (a folder is missing or not writable, or an ending names no known format).
        """
        for writer in self._writers():
            writer.CheckOutputs()

    def IOWrite(self) -> None:
        """Write the outputs whose ``-*file`` options were given: all of them or none."""
        from mitk_rs.io.atomic import atomic_outputs

        with atomic_outputs():
            for writer in self._writers():
                writer.Execute()

    def _writers(self) -> list[Any]:
        """A writer for every output whose file option was given."""
        writers = []
        for member, name in self._files(self.OutputMembers, "Output"):
            writer = self._helper(member)
            writer.Input = getattr(self, member.MemberName)
            writer.OutputFileName = name
            writers.append(writer)
        return writers

    def _files(self, members: list[pypeMember], direction: str) -> list[tuple[pypeMember, str]]:
        """The members whose file was named, and its name."""
        names = [
            (each, getattr(self, f"{each.MemberName}{direction}FileName", "")) for each in members if each.MemberIO
        ]
        return [(member, name) for member, name in names if name]

    def _helper(self, member: pypeMember) -> Any:
        helper: Any = make_script(member.MemberIO)
        helper.LogOn, helper.InputStream, helper.OutputStream = self.LogOn, self.InputStream, self.OutputStream
        if hasattr(helper, "Geometry"):
            helper.Geometry = getattr(self, "Geometry", "")
        return helper

    # What a script does

    def Execute(self) -> None:
        """Do the work; scripts override this."""

    def Deallocate(self) -> None:
        """Give resources back at the end of a pype."""

    # Log

    def PrintInputMembers(self) -> None:
        """Log the inputs with their values."""
        self.PrintLog(f"Input {self.ScriptName} members:")
        self._print_members(self.InputMembers + [member for member in self.ExtensionMembers if member.Given])

    def PrintOutputMembers(self) -> None:
        """Log the outputs with their values."""
        self.PrintLog(f"Output {self.ScriptName} members:")
        self._print_members(self.OutputMembers)

    def _print_members(self, members: list[pypeMember]) -> None:
        for member in members:
            if member.MemberName != "Self":
                self._print_member(member)

    def _print_member(self, member: pypeMember) -> None:
        self.PrintLog(f"{member.MemberName} = {_shown(member, getattr(self, member.MemberName))}", 1)

    # Help

    def GetUsageString(self) -> str:
        """The help as text."""
        doc = self.GetScriptDocString()
        parts = [textwrap.fill(f"{self.ScriptName} : {doc}" if doc else self.ScriptName, subsequent_indent=" ")]
        parts += _section("Input arguments:", self.InputMembers)
        parts += _section("Output arguments:", self.OutputMembers)
        if self.ExtensionMembers:
            parts += _section("Additions of mitk_rs:", self.ExtensionMembers)
        return "\n".join(parts) + "\n"

    def GetHTMLUsageString(self) -> str:
        """The help as VMTK's HTML page: a heading, the description, one table each of inputs and outputs."""
        doc = f"<h2>Description</h2>\n{self.ScriptDoc}\n" if self.ScriptDoc else ""
        tables = _table("Input arguments", self.InputMembers) + _table("Output arguments", self.OutputMembers)
        return f"<h1>{self.ScriptName}</h1>\n{doc}{tables}\n"

    def GetScriptDocString(self) -> str:
        """The description alone."""
        return self.ScriptDoc or self.Summary


def _reference(option: Option) -> str:
    """The ``@`` reference among the values, empty where there is none."""
    found = [value for value in option.values if isinstance(value, str) and value.startswith("@")]
    return found[-1] if found else ""


def _shown(member: pypeMember, value: Any) -> str:
    if member.MemberLength == 0:
        return "on" if value else "off"
    if member.is_builtin or member.MemberType == "list" or value is None:
        return str(value)
    return member.MemberType
