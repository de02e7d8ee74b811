"""The words of a pype line: how text becomes words, words become segments, and a segment becomes options.

A *word* is what the shell hands over, or what :func:`split_text` cuts out of a string: white space separates,
double quotes group, nothing else has a meaning. ``--pipe`` cuts the words into *segments*, one a script; the first
word of a segment names the script. In the rest, ``-`` followed by a letter starts an option and everything up to
the next option or ``--flag`` is its values, so ``-5`` and ``-.5`` are values. Nothing is ever evaluated.

Source of the rules: VMTK's ``PypeS`` (``pype.py``, ``pypescript.py``), with its defects put right as
``docs/howto/vmtk.md`` lists them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from mitk_rs.errors import UsageError

__all__ = ["HELP_FLAGS", "Option", "Segment", "Words", "read_lines", "read_options", "split_segments", "split_text"]

HELP_FLAGS = ("--help", "--doc", "--html", "--dokuwiki", "--pmwiki")
_PLACEHOLDERS = ("FILE", "BROWSER")
_SIGNED_WORDS = frozenset({"-inf", "-infinity", "-nan"})


@dataclass(frozen=True)
class Segment:
    """One script of a pype with its words (any object may stand among them, for callers from Python)."""

    name: str
    words: tuple[Any, ...]


@dataclass(frozen=True)
class Option:
    """One option as it stands in a segment: ``-name@`` is pushed to later scripts."""

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
    """Cut a line into words.

    Parameters
    ----------
    text
        The line; ``"two words"`` in double quotes is one word, also an empty one.
    substitutions
        Objects for words of the form ``{name}``.

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
    if substitutions is None:
        return words
    return [_substitute(word, substitutions) for word in words]


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
    return Segment(_script_name(group[0]), tuple(group[1:]))


def _script_name(word: Any) -> str:
    if not isinstance(word, str):
        raise UsageError(f"a script name is text, got {type(word).__name__}")
    path = PurePath(word)
    return path.name.removesuffix(path.suffix) if path.suffix == ".py" else path.name


def _starts_option(word: Any) -> bool:
    return isinstance(word, str) and (word == "-" or (word[:1] == "-" and word[1:2].isascii() and word[1:2].isalpha()))


def _is_flag(word: Any) -> bool:
    return isinstance(word, str) and word.startswith("--")


def read_options(
    words: Sequence[Any],
    *,
    is_number: Callable[[str], bool],
    long_options: Sequence[str] = (),
) -> Words:
    """Sort the words of one segment.

    Parameters
    ----------
    words
        The segment without the script name.
    is_number
        Tells of an option name whether its values are floats, for which ``-inf`` and ``-nan`` are values.
    long_options
        Names that are also understood as ``--name``.

    Returns
    -------
    Words
        Unknown names are not judged here: who knows the script does that.
    """
    found = Words()
    current: Option | None = None
    for word in words:
        opened = _opened(word, current, is_number, long_options)
        if opened is not None:
            _keep(found, current)
            current = opened
        elif _is_flag(word):
            _keep(found, current)
            current = None
            found.flags.append(word)
        elif current is None:
            found.strays.append(str(word))
        else:
            current = Option(current.name, (*current.values, word), current.pushed)
    _keep(found, current)
    return found


def _opened(
    word: Any, current: Option | None, is_number: Callable[[str], bool], long_options: Sequence[str]
) -> Option | None:
    if _is_flag(word):
        return Option(word[2:], ()) if word[2:] in long_options else None
    if not _starts_option(word):
        return None
    if current is not None and word.lower() in _SIGNED_WORDS and is_number(current.name):
        return None
    name = word[1:]
    return Option(name.removesuffix("@"), (), name.endswith("@"))


def _keep(found: Words, option: Option | None) -> None:
    if option is None:
        return
    if option.name in found.options:
        found.repeated.append(option.name)
    found.options[option.name] = option
