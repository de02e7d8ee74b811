"""How values flow from earlier scripts to a later one: automatic pipes, pushed inputs and ``@`` references."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mitk_rs.errors import UsageError
from mitk_rs.vmtk.member import pypeMember

if TYPE_CHECKING:
    from mitk_rs.vmtk.script import pypeScript

__all__ = ["automatic_source", "resolve_reference", "transfer"]

Source = tuple["pypeScript", pypeMember]


def automatic_source(member: pypeMember, earlier: Sequence[pypeScript]) -> Source | None:
    """The latest earlier output (or pushed input) of the same attribute name and type."""
    if not member.AutoPipe:
        return None
    for script in reversed(earlier):
        pushed = [candidate for candidate in script.InputMembers if candidate.Pushed]
        for candidate in pushed + script.OutputMembers:
            if candidate.AutoPipe and _same_kind(candidate, member):
                return script, candidate
    return None


def _same_kind(one: pypeMember, other: pypeMember) -> bool:
    return (one.MemberName, one.MemberType) == (other.MemberName, other.MemberType)


def resolve_reference(reference: str, earlier: Sequence[pypeScript]) -> Source:
    """What ``script.option``, ``script-ID.option`` or ``.option`` (the script just before) stands for.

    Raises
    ------
    UsageError
        There is no such script before, or it has no such option.
    """
    name, separator, option = reference.partition(".")
    if not separator or "." in option:
        raise UsageError(f"invalid option piping @{reference}; write @.option, @script.option or @script-ID.option")
    script = _named(name, earlier)
    if script is None:
        known = ", ".join(f"{entry.ScriptName}-{entry.Id}" for entry in earlier) or "none"
        raise UsageError(f"invalid option piping @{reference}; scripts before this one: {known}")
    for member in script.OutputMembers + script.InputMembers:
        if member.OptionName == option:
            return script, member
    outputs = ", ".join(member.OptionName for member in script.OutputMembers)
    raise UsageError(f"invalid option piping @{reference}; {script.ScriptName} has the outputs {outputs}")


def _named(name: str, earlier: Sequence[pypeScript]) -> pypeScript | None:
    if not name:
        return earlier[-1] if earlier else None
    script_name, _, script_id = name.partition("-")
    fitting = [script for script in earlier if script.ScriptName == script_name and script_id in ("", str(script.Id))]
    return fitting[-1] if fitting else None


def transfer(script: pypeScript, earlier: Sequence[pypeScript], sources: dict[str, Source]) -> None:
    """Resolve the references of a script and hand over what its sources hold.

    ``sources`` holds the automatic ones; an explicit value or reference of the line beats them.
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
