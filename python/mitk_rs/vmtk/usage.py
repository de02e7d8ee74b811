"""The help of a script as text and as the HTML table of VMTK's documentation."""

from __future__ import annotations

import html
import textwrap
from typing import TYPE_CHECKING

from mitk_rs.vmtk.member import pypeMember

if TYPE_CHECKING:
    from mitk_rs.vmtk.script import pypeScript

__all__ = ["html_usage", "text_usage"]

_HEADERS = ("Argument", "Variable", "Type", "Length", "Range", "Default", "Description")


def text_usage(script: pypeScript) -> str:
    """Name, description, and one paragraph an option, wrapped at 70 columns."""
    doc = script.ScriptDoc or script.Summary
    head = f"{script.ScriptName} : {doc}" if doc else script.ScriptName
    parts = [textwrap.fill(head, subsequent_indent=" ")]
    parts += _section("Input arguments:", script.InputMembers)
    parts += _section("Output arguments:", script.OutputMembers)
    if script.ExtensionMembers:
        parts += _section("Additions of mitk_rs:", script.ExtensionMembers)
    return "\n".join(parts) + "\n"


def _section(title: str, members: list[pypeMember]) -> list[str]:
    return [f"  {title}", *(_filled(_paragraph(member)) for member in members)]


def _filled(paragraph: str) -> str:
    return textwrap.fill(paragraph, initial_indent="   ", subsequent_indent="     ")


def _paragraph(member: pypeMember) -> str:
    text = f"-{member.OptionName} {member.MemberName}"
    if member.MemberLength:
        text += f" ({member.MemberType},{member.MemberLength})"
        if member.is_builtin:
            text += f" {member.GetRangeRepresentation()}" if member.MemberRange else ""
            text += f"; default={member.Default}" if member.Default != "" else ""
    return f"{text}: {member.MemberDoc}" if member.MemberDoc else text


def html_usage(script: pypeScript) -> str:
    """The page of VMTK's web documentation: a heading, the description, one table each of inputs and outputs."""
    parts = [f"<h1>{script.ScriptName}</h1>\n"]
    if script.ScriptDoc:
        parts.append(f"<h2>Description</h2>\n{script.ScriptDoc}\n")
    parts.append(_table("Input arguments", script.InputMembers))
    parts.append(_table("Output arguments", script.OutputMembers))
    return "".join(parts) + "\n"


def _table(title: str, members: list[pypeMember]) -> str:
    header = "".join(f"<th>{name}</th>" for name in _HEADERS)
    rows = "".join(f"<tr>{_cells(member)}\n</tr>\n" for member in members)
    return f'<h3>{title}</h3>\n<table class="vmtkscripts">\n<tr>\n{header}\n</tr>\n{rows}</table>\n'


def _cells(member: pypeMember) -> str:
    texts = [member.OptionName, member.MemberName, member.MemberType, str(member.MemberLength)]
    texts += [member.MemberRange, str(member.Default)] if member.is_builtin else ["", ""]
    texts.append(member.MemberDoc)
    return "".join(f"<td>{html.escape(text, quote=False)}</td>" for text in texts)
