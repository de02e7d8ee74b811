"""The words of all commands, on top of argparse.

argparse takes ``-inf`` for an option, lets a list of numbers swallow the file name after it, reads ``-ofoo`` as
``-o foo``, has no idea of a typing error, and leaves the process. So numbers are joined to their option first
(``--source=1,2,3``), unknown options are refused with the nearest known one, and errors are exceptions.
"""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Callable, Collection, Mapping
from itertools import takewhile
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from mitk_rs.errors import UsageError
from mitk_rs.vmtk.options import parse_float, parse_int

if TYPE_CHECKING:
    from mitk_rs.cli.files import Session

Namespace = argparse.Namespace

_NUMBER = re.compile(r"[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|inf(inity)?|nan)", re.IGNORECASE)
_ARGUMENT = re.compile(r"argument (?P<names>[^\s:]+(?: [A-Z ]+)?): (?P<text>.*)", re.DOTALL)


# Words


def split_numbers(text: str) -> list[str]:
    """The words of ``1,2,3`` or ``"1 2 3"``."""
    return [word for word in re.split(r"[\s,]+", text) if word]


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
        most = {None: 0, 1: 1}.get(lengths.get(word), len(rest))
        numbers = list(takewhile(is_numbers, rest[:most]))
        if numbers:
            joined[-1] = f"{word}={','.join(numbers)}"
            del rest[: len(numbers)]
    return joined


def _options(words: list[str]) -> list[str]:
    """The words that are options, without their ``=value``."""
    end = words.index("--") if "--" in words else len(words)
    return [word.partition("=")[0] for word in words[:end] if re.match(r"--?[A-Za-z]", word)]


def refuse_unknown(words: list[str], known: Collection[str], short: Collection[str]) -> None:
    """Refuse the first unknown option. ``short`` names one-letter options that may have their value attached."""
    for name in _options(words):
        if name not in known:
            hint = nearest(name, known)
            attached = not name.startswith("--") and name[:2] in short
            if hint or not attached:
                raise UsageError(f"unknown option {name}{hint}")


def nearest(word: str, known: Collection[str]) -> str:
    """``"; did you mean X?"`` for the known word most like ``word``, or nothing."""
    found = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.7)
    return f"; did you mean {found[0]}?" if found else ""


def repeated(words: list[str]) -> list[str]:
    """The options in VMTK's spelling (one dash, several letters) that occur more than once, in order."""
    options = [word for word in _options(words) if not word.startswith("--") and len(word) > 2]
    return sorted({word for word in options if options.count(word) > 1}, key=options.index)


# Kinds of values


def converter(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """Make argparse show the message of a ``ValueError`` as it is."""

    def convert(word: str) -> Any:
        try:
            return parse(word)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return convert


class Numbers:
    """Converts ``1,2,3`` to a list; as an argparse ``type`` it tells the parser that its values are numbers.

    ``length`` is the number of values: 1 gives the value itself, -1 takes any number that ``multiple`` divides.
    """

    def __init__(self, parse: Callable[[str], float], length: int, *, multiple: int = 1) -> None:
        self.parse, self.length, self.multiple = converter(parse), length, multiple

    def __call__(self, word: str) -> Any:
        values = [self.parse(part) for part in split_numbers(word) or [word]]
        if self.length not in (-1, len(values)):
            needed = "one value" if self.length == 1 else f"{self.length} values"
            raise argparse.ArgumentTypeError(f"needs {needed}, got {len(values)}")
        if len(values) % self.multiple:
            raise argparse.ArgumentTypeError(f"needs a multiple of {self.multiple} values, got {len(values)}")
        return values[0] if self.length == 1 else values


class Points(Numbers):
    """Converts ``1,2,3`` to a list of numbers, and the name of a file of points to a list that holds it."""

    def __init__(self) -> None:
        super().__init__(parse_float, -1, multiple=3)

    def __call__(self, word: str) -> Any:
        from mitk_rs.seeds import SEED_SUFFIXES, is_seed_file

        if is_seed_file(word):
            return [word]
        if not is_numbers((split_numbers(word) or [""])[0]):
            endings = " ".join(SEED_SUFFIXES)
            raise argparse.ArgumentTypeError(f"expects numbers I J K or a file of points ({endings}), got {word}")
        return super().__call__(word)


def _whole(least: int | None) -> Callable[[str], int]:
    """What converts a word to a whole number, not below ``least``."""

    def parse(word: str) -> int:
        value = parse_int(word)
        if least is not None and value < least:
            raise ValueError(f"must be >= {least}, got {word}")
        return value

    return parse


class OneOf:
    """Converts nothing, but accepts one of a few words only, with a hint where it is nearly one of them."""

    def __init__(self, choices: tuple[str, ...]) -> None:
        self.choices = choices

    def __call__(self, word: str) -> str:
        if word in self.choices:
            return word
        hint = nearest(word, self.choices)
        raise argparse.ArgumentTypeError(f"must be one of {', '.join(self.choices)}; got {word}{hint}")


# The parser of a command


class Options(argparse._ActionsContainer):
    """What a parser and its groups declare."""

    def option(self, usage: str, text: str, kind: Any = None, *, least: int | None = None, **settings: Any) -> None:
        """Add an option as its usage says: ``-o --output FILE`` takes a value, ``--force`` is a switch.

        ``kind`` is ``float`` or ``int`` (not below ``least``) for as many numbers as the usage names, the words that
        are allowed, or a function.
        """
        names = [word for word in usage.split() if word.startswith("-")]
        values = usage.split()[len(names) :]
        if not values:
            self.add_argument(*names, action="store_true", help=text, **settings)
            return
        if kind in (float, int):
            kind = Numbers(parse_float if kind is float else _whole(least), len(values))
        elif isinstance(kind, list | tuple):
            kind = OneOf(tuple(kind))
        action = self.add_argument(*names, help=text, **settings, metavar=" ".join(values), type=kind)
        if isinstance(kind, OneOf):
            # For completion; the kind itself, which gives hints, comes first.
            action.choices = kind.choices

    def time_step(self, text: str = "frame of an image with several") -> None:
        """Add the option that chooses a frame."""
        self.option("--time-step N", text, int, least=0)

    def points(self) -> None:
        """Add the option that says what the numbers of points are."""
        text = (
            "what the numbers of sources and targets are: index (default; whole voxels from 0), physical (LPS mm, "
            "nearest voxel) or ras (RAS mm); files of points say it themselves"
        )
        self.option("--points KIND", text, ("index", "physical", "ras"), default="index")


class Group(Options, argparse._ArgumentGroup):
    """Options under a title of their own."""


class Either(Options, argparse._MutuallyExclusiveGroup):
    """Options of which one is needed."""


class CommandParser(Options, argparse.ArgumentParser):
    """Parser of one command; raises :class:`UsageError` where argparse would print and exit."""

    def __init__(self, *args: Any, **options: Any) -> None:
        options = {"allow_abbrev": False, "formatter_class": argparse.RawDescriptionHelpFormatter, **options}
        super().__init__(*args, **options)
        self._words: list[str] = []

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Prepare the words, then parse them as argparse does."""
        self._words = list(sys.argv[1:] if args is None else args)
        if {"-h", "--help"} & set(self._words):
            self.print_help()
            self.exit()
        known = self._option_string_actions
        short = [name for name, action in known.items() if len(name) == 2 and action.nargs != 0]
        refuse_unknown(self._words, known, short)
        lengths = {name: action.type.length for name, action in known.items() if isinstance(action.type, Numbers)}
        return super().parse_known_args(join_numbers(self._words, lengths), namespace)

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage and leaving."""
        if found := _ARGUMENT.match(message):
            text = "needs a value" if found["text"] == "expected one argument" else found["text"]
            raise UsageError(f"{self._as_typed(found['names'])} {text}")
        message = message.replace("the following arguments are required:", "missing")
        raise UsageError(message.replace("unrecognized arguments:", "unexpected words:"))

    def _as_typed(self, names: str) -> str:
        """The spelling that the user chose of ``--lower/-lowerthreshold``."""
        spellings = names.split("/")
        typed = {word.partition("=")[0] for word in self._words}
        return next((name for name in spellings if name in typed), spellings[0])

    def group(self, title: str) -> Group:
        """A group of options."""
        group = Group(self, title)
        self._action_groups.append(group)
        return group

    def either(self) -> Either:
        """A group of options of which one is needed."""
        group = Either(self, required=True)
        self._mutually_exclusive_groups.append(group)
        return group

    def common(self, *, threads: bool = False, output: bool = True) -> None:
        """Add the options that every command spells alike: ``--quiet``, ``--json``, ``--threads``, ``--force``."""
        self.option("-q --quiet", "no notes, warnings or progress on stderr")
        self.option("--json", "print one JSON object on stdout")
        if threads:
            text = "threads to compute with (default: all this process may use); the result is the same for any number"
            self.option("--threads N", text, int, least=1)
        if output:
            self.option("--force", "replace output files that exist")

    def reading(self, *, threads: bool = False, output: bool = True, streams: bool = True) -> None:
        """Add what every command that reads an image has: common options, the format of ``-``, how inputs are read."""
        self.common(threads=threads, output=output)
        if streams:
            where = "standard output, and of standard input" if output else "standard input"
            text = f"format of {where} (-) where its content does not show it: an ending such as mha"
            self.option("--format ENDING", text)
        group = self.group("reading")
        text = "which of several DICOM series of a folder: number in the list of mitk-rs info, UID or description"
        group.option("--series SERIES", text)
        text = "read a DICOM series with missing slices, uneven distances or a tilted gantry, and warn"
        group.option("--allow-gaps", text)
        group.option("--allow-other-folders", "let a header (.mhd .nhdr .hdr) name data outside its own folder")


class Command(NamedTuple):
    """A command of the program: what its help says, the function that adds its options, and the one that runs it."""

    settings: Mapping[str, Any]
    add_options: Callable[[CommandParser], None]
    run: Callable[[Namespace, Session], None]


#: The commands of the modules that are imported.
COMMANDS: dict[str, Command] = {}


def command(
    name: str, add_options: Callable[[CommandParser], None], text: str, description: str, epilog: str | None = None
) -> Callable[[Callable[[Namespace, Session], None]], Callable[[Namespace, Session], None]]:
    """Make a function the one that runs a command; ``text`` is its row in the help of the program."""

    def keep(run: Callable[[Namespace, Session], None]) -> Callable[[Namespace, Session], None]:
        COMMANDS[name] = Command({"help": text, "description": description, "epilog": epilog}, add_options, run)
        return run

    return keep


def refuse(mistakes: Mapping[str, object]) -> None:
    """Refuse a command that makes one of these mistakes."""
    for text, made in mistakes.items():
        if made:
            raise UsageError(text)


def given(args: Namespace, names: str) -> dict[str, Any]:
    """The values of some options, as keyword arguments of the same names."""
    return {name: getattr(args, name) for name in names.split()}
