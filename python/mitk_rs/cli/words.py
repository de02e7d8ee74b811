"""What is done to the words of a line before argparse sees them.

argparse takes ``-inf`` for an option, lets a list of numbers swallow the file name after it, reads ``-ofoo`` as
``-o foo`` and has no idea of a typing error. So numbers are joined to their option first (``--source=1,2,3``), and
unknown options are refused with the nearest known one.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping

from mitk_rs.errors import UsageError

__all__ = ["is_numbers", "join_numbers", "nearest", "refuse_unknown", "repeated", "split_numbers"]

_NUMBER = re.compile(r"[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|inf(inity)?|nan)", re.IGNORECASE)
_SEPARATOR = re.compile(r"[\s,]+")


def split_numbers(text: str) -> list[str]:
    """The words of ``1,2,3`` or ``"1 2 3"``."""
    return [word for word in _SEPARATOR.split(text) if word]


def is_numbers(word: str) -> bool:
    """Whether a word is one number or several."""
    parts = split_numbers(word)
    return bool(parts) and all(_NUMBER.fullmatch(part) for part in parts)


def join_numbers(words: list[str], lengths: Mapping[str, int]) -> list[str]:
    """Join the numbers that follow a numeric option to it with ``=`` and commas.

    ``lengths`` maps option names to how many values they take, -1 for any number. An option of one value takes the
    next word only; a list takes every number up to the first word that is none. Words behind ``--`` stay.
    """
    joined: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        joined.append(word)
        if word == "--":
            return joined + rest
        length = lengths.get(word)
        if length is None:
            continue
        count = 0
        while count < len(rest) and (length != 1 or count < 1) and is_numbers(rest[count]):
            count += 1
        if count:
            joined[-1] = f"{word}={','.join(rest[:count])}"
            del rest[:count]
    return joined


def _options(words: list[str]) -> list[str]:
    """The words that are options, without their ``=value``."""
    end = words.index("--") if "--" in words else len(words)
    looks = [word for word in words[:end] if re.match(r"--?[A-Za-z]", word)]
    return [word.partition("=")[0] for word in looks]


def refuse_unknown(words: list[str], known: Collection[str], short: Collection[str] = ()) -> None:
    """Refuse the first unknown option. ``short`` names one-letter options that may have their value attached.

    Raises
    ------
    UsageError
        Naming the option and the nearest known one.
    """
    for option in _options(words):
        if option in known:
            continue
        hint = nearest(option, known)
        attached = not option.startswith("--") and option[:2] in short
        if attached and not hint:
            continue
        raise UsageError(f"unknown option {option}{hint}")


def nearest(word: str, known: Collection[str]) -> str:
    """``"; did you mean X?"`` for the known word most like ``word``, or nothing."""
    found = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.7)
    return f"; did you mean {found[0]}?" if found else ""


def repeated(words: list[str]) -> list[str]:
    """The options in VMTK's spelling (one dash, several letters) that occur more than once, in order."""
    options = [word for word in _options(words) if not word.startswith("--") and len(word) > 2]
    return sorted({word for word in options if options.count(word) > 1}, key=options.index)
