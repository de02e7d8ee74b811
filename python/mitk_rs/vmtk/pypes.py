"""What programs import from VMTK's ``pypes``: scripts, members, and the runner of pypes.

A pype runs scripts one after the other, each fed by the ones before: ``-option @script.option`` names a source; an
input without one takes the latest earlier output of the same attribute name and type by itself.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from mitk_rs.errors import UsageError
from mitk_rs.vmtk import make_script
from mitk_rs.vmtk.options import HELP_FLAGS, parse_int, pypeMember, split_segments, split_text
from mitk_rs.vmtk.script import Talking, pypeScript

__all__ = ["Pype", "PypeRun", "pypeMain", "pypeMember", "pypeScript"]

# How scripts feed each other

Source = tuple[pypeScript, pypeMember]


def automatic_source(member: pypeMember, earlier: Sequence[pypeScript]) -> Source | None:
    """The latest earlier output (or pushed input) of the same attribute name and type."""
    for script in reversed(earlier):
        pushed = [candidate for candidate in script.InputMembers if candidate.Pushed]
        for other in pushed + script.OutputMembers:
            same = (other.MemberName, other.MemberType) == (member.MemberName, member.MemberType)
            if same and other.AutoPipe and member.AutoPipe:
                return script, other
    return None


def resolve_reference(reference: str, earlier: Sequence[pypeScript]) -> Source:
    """What ``script.option``, ``script-ID.option`` or ``.option`` (the script just before) stands for."""
    name, separator, option = reference.partition(".")
    if not separator or "." in option:
        raise UsageError(f"invalid option piping @{reference}; write @.option, @script.option or @script-ID.option")
    script_name, _, script_id = name.partition("-")
    fitting = [
        script
        for script in earlier
        if not name or (script.ScriptName == script_name and script_id in ("", str(script.Id)))
    ]
    if not fitting:
        known = ", ".join(f"{entry.ScriptName}-{entry.Id}" for entry in earlier) or "none"
        raise UsageError(f"invalid option piping @{reference}; scripts before this one: {known}")
    script = fitting[-1]
    for member in script.OutputMembers + script.InputMembers:
        if member.OptionName == option:
            return script, member
    outputs = ", ".join(member.OptionName for member in script.OutputMembers)
    raise UsageError(f"invalid option piping @{reference}; {script.ScriptName} has the outputs {outputs}")


def transfer(script: pypeScript, earlier: Sequence[pypeScript], sources: dict[str, Source]) -> None:
    """Resolve the references of a script and hand over what its sources hold.

    ``sources`` holds the automatic ones; an explicit value or reference takes precedence.
    """
    script.PrintLog(f"Explicit piping {script.ScriptName}")
    for member in script.InputMembers:
        if member.ExplicitPipe == "None":
            sources.pop(member.MemberName, None)
            setattr(script, member.MemberName, None)
        elif member.ExplicitPipe:
            sources[member.MemberName] = resolve_reference(member.ExplicitPipe, earlier)
            script.PrintLog(f"{member.MemberName} = {label(sources[member.MemberName])}", 1)
    for member in script.InputMembers:
        source = sources.get(member.MemberName)
        if source is not None and member.MemberValue is None:
            member.MemberPipe = label(source)
            setattr(script, member.MemberName, getattr(source[0], source[1].MemberName))


def label(source: Source) -> str:
    """A source as the log shows it: ``vmtkimagereader-0.Image``."""
    script, member = source
    return f"{script.ScriptName}-{script.Id}.{member.MemberName}"


# Running

# What VMTK prints; --query lists nothing there. `mitk-rs pype --help` says more.
_USAGE = (
    "Usage: pype --nolog --noauto --query firstScriptName -scriptOptionName scriptOptionValue "
    "--pipe secondScriptName -scriptOptionName scriptOptionValue -scriptOptionName @firstScriptName.scriptOptionName "
    "-id 2 --pipe thirdScriptName -scriptOptionName @secondScriptName-2.scriptOptionName"
)


class Pype(Talking):
    """A line of scripts.

    Attributes
    ----------
    Arguments
        The words of the pype.
    ScriptList
        ``[name, words]`` of each script, after :meth:`ParseArguments`.
    ScriptObjectList
        The scripts that have run.
    AutoPipe, LogOn
        0 switches automatic pipes or the log off.
    CurrentScriptName
        The script that is at work, or was when an exception came.
    InputFileName
        The file that it works on: its own, or the last that an earlier script read; empty without one.
    Seconds
        Time that each script of ``ScriptObjectList`` took.
    """

    def __init__(self) -> None:
        super().__init__()
        self.Arguments: list[Any] = []
        self.ScriptList: list[list[Any]] = []
        self.ScriptObjectList: list[pypeScript] = []
        self.ScriptName = "pype"
        self.CurrentScriptName = "pype"
        self.InputFileName = ""
        self.AutoPipe = 1
        self.ExitOnError = 1
        self.Threads: int | None = None
        self.Seconds: list[float] = []

    def GetUsageString(self) -> str:
        """One line that shows the form of a pype."""
        return _USAGE

    def SetOutputStreamToNull(self) -> None:
        """Discard the log."""
        self.OutputStream = _Null()

    def SetArgumentsString(self, argumentsString: str, **kwargs: Any) -> None:
        """Split a pype into words; ``{name}`` is replaced by the keyword argument of that name."""
        self.Arguments = split_text(argumentsString, kwargs or None)

    def ParseArguments(self) -> None:
        """Remove the flags and split the rest into scripts.

        Raises ``UsageError`` (no script name, an empty part, a placeholder for a dialog, or a bad number of threads).
        """
        kept: list[Any] = []
        remaining = iter(self.Arguments)
        for word in remaining:
            text = word if isinstance(word, str) else ""
            if text == "--nolog":
                self.LogOn = 0
            elif text == "--noauto":
                self.AutoPipe = 0
            elif text == "--threads":
                self.Threads = _threads(next(remaining, ""))
            else:
                kept.append(word)
        self.ScriptList = [[segment.name, list(segment.words)] for segment in split_segments(kept)]

    def GetScriptObject(self, scriptName: str, scriptId: str = "0") -> pypeScript | None:
        """The script of this name and id that has run, ``None`` where there is none."""
        wanted = (scriptName, str(scriptId))
        ran = (script for script in self.ScriptObjectList if (script.ScriptName, str(script.Id)) == wanted)
        return next(ran, None)

    def Execute(self) -> None:
        """Check every script's words, then run the scripts in turn.

        Raises ``mitk_rs.errors.Exception`` (the pype or a script is wrong; with a :class:`UsageError` of the pype,
        nothing has run).
        """
        self.ScriptObjectList = []
        self.Seconds = []
        scripts = self._checked_scripts()
        try:
            for position, script in enumerate(scripts):
                script.ConsumedMembers = _consumed(script, scripts[position + 1 :], bool(self.AutoPipe))
                self.CurrentScriptName = script.ScriptName
                if not self._run(script):
                    return
        finally:
            for script in self.ScriptObjectList:
                script.Deallocate()

    def _checked_scripts(self) -> list[pypeScript]:
        scripts: list[pypeScript] = []
        for name, words in self.ScriptList:
            self.CurrentScriptName = name
            script = self._make(name, words)
            scripts.append(script)
            if any(flag in HELP_FLAGS for flag in script.read_words().flags):
                break
            _check_references(script, scripts[:-1])
        return scripts

    def _make(self, name: str, words: Sequence[Any]) -> pypeScript:
        script = make_script(name)
        script.Arguments = list(words)
        script.LogOn = self.LogOn
        script.InputStream = self.InputStream or script.InputStream
        script.OutputStream = self.OutputStream or script.OutputStream
        script.ExitOnError = self.ExitOnError
        script.Threads = self.Threads
        return script

    def _run(self, script: pypeScript) -> bool:
        """Run one script; ``False`` when it printed its help instead."""
        started = time.perf_counter()
        self.PrintLog("")
        sources = self.AutoPipeScriptObject(script) if self.AutoPipe else {}
        self.PrintLog(f"Parsing options {script.ScriptName}")
        if not script.ParseArguments():
            return False
        if script.Disabled:
            self.PrintLog(f"\n{script.ScriptName} is disabled. Bypassing it.")
            return True
        transfer(script, self.ScriptObjectList, sources)
        self.InputFileName = script.input_file_name() or self.InputFileName
        script.PrintInputMembers()
        script.CheckOutputs()
        script.IORead()
        self.PrintLog(f"Executing {script.ScriptName} ...")
        script.Execute()
        self.PrintLog(f"Done executing {script.ScriptName}.")
        script.IOWrite()
        script.PrintOutputMembers()
        self.ScriptObjectList.append(script)
        self.Seconds.append(time.perf_counter() - started)
        return True

    def AutoPipeScriptObject(self, scriptObject: pypeScript) -> dict[str, Source]:
        """Find and log the earlier outputs that fit the inputs of a script, by attribute name."""
        self.PrintLog(f"Automatic piping {scriptObject.ScriptName}")
        sources: dict[str, Source] = {}
        for member in scriptObject.InputMembers:
            source = automatic_source(member, self.ScriptObjectList)
            if source is not None:
                sources[member.MemberName] = source
                self.PrintLog(f"{member.MemberName} = {label(source)}", 1)
        return sources


def _threads(word: Any) -> int:
    try:
        count = parse_int(str(word))
    except ValueError as error:
        raise UsageError(f"--threads {error}") from None
    if count < 1:
        raise UsageError(f"--threads needs a number of at least 1, got {word}")
    return count


def _check_references(script: pypeScript, earlier: list[pypeScript]) -> None:
    """Refuse references to what is not there, before anything runs."""
    given = script.read_words().options.get("id")
    if given is not None and given.values:
        # References of later scripts need it.
        script.Id = str(given.values[-1])
    visible = [other for other in earlier if not _disabled(other)]
    for reference in _references(script):
        resolve_reference(reference, visible)


def _references(script: pypeScript) -> list[str]:
    values = [value for option in script.read_words().options.values() for value in option.values]
    return [value[1:] for value in values if isinstance(value, str) and value.startswith("@") and value != "@"]


def _disabled(script: pypeScript) -> bool:
    option = script.read_words().options.get("disabled")
    member = script.input_member("disabled")
    return option is not None and member is not None and bool(member.value_of(option.values))


def _consumed(script: pypeScript, later: Sequence[pypeScript], automatic: bool) -> frozenset[str]:  # noqa: FBT001
    """Names of the script's outputs that later scripts take: by reference, or automatically."""
    piped = [member for other in later for member in other.InputMembers if automatic and member.AutoPipe]
    taken = {member.MemberName for member in piped}
    for name, _, option in (text.rpartition(".") for other in later for text in _references(other)):
        if name.partition("-")[0] in ("", script.ScriptName):
            taken |= {member.MemberName for member in script.OutputMembers if member.OptionName == option}
    return frozenset(member.MemberName for member in script.OutputMembers if member.MemberName in taken)


class _Null:
    """A stream that forgets."""

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        pass


def PypeRun(arguments: str, **kwargs: Any) -> Pype:
    """Run a pype given as one line and return it, so that results can be read from its scripts.

    Parameters
    ----------
    arguments
        The line, e.g. ``"vmtkimagereader -ifile a.mha --pipe vmtkimagewriter -ofile b.vti"``.
    kwargs
        Objects for words ``{name}`` of the pype.

    Raises
    ------
    mitk_rs.errors.Exception
        A ``RuntimeError`` that says what is wrong; never ``SystemExit``.

    Examples
    --------
    >>> from mitk_rs.vmtk import pypes
    >>> pypes.PypeRun("vmtkimageinitialization -interactive 0 --nolog")
    Traceback (most recent call last):
    mitk_rs.RequestError: no Image.
    """
    pype = Pype()
    pype.ExitOnError = 0
    pype.SetArgumentsString(arguments, **kwargs)
    pype.ParseArguments()
    pype.Execute()
    return pype


class pypeMain:
    """Runs the words of a command line (VMTK's ``pypeMain``)."""

    def __init__(self) -> None:
        self.Arguments: Sequence[str] = ()

    def Execute(self) -> None:
        """Run the pype; exceptions go to the caller."""
        pype = Pype()
        pype.Arguments = list(self.Arguments)
        pype.ParseArguments()
        pype.Execute()
