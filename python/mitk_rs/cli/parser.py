"""argparse for all commands: numbers may be negative, typing errors get a hint, errors are exceptions."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn, TypeVar

from mitk_rs.cli.words import is_numbers, join_numbers, nearest, refuse_unknown, split_numbers
from mitk_rs.errors import UsageError
from mitk_rs.vmtk.options import parse_float, parse_int

__all__ = [
    "CommandParser",
    "Numbers",
    "OneOf",
    "Points",
    "Subparsers",
    "add_common",
    "converter",
    "integer",
    "number",
    "one_of",
]

T = TypeVar("T")
Namespace = argparse.Namespace
Subparsers = argparse._SubParsersAction

_ARGUMENT = re.compile(r"argument (?P<names>[^\s:]+(?: [A-Z ]+)?): (?P<text>.*)", re.DOTALL)


def converter(parse: Callable[[str], T]) -> Callable[[str], T]:
    """Make argparse show the message of a ``ValueError`` as it is."""

    def convert(word: str) -> T:
        try:
            return parse(word)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return convert


class Numbers:
    """Converts ``1,2,3`` to a list; as an argparse ``type`` it tells the parser that its values are numbers.

    ``length`` is the number of values, -1 for any; with ``multiple`` their number must be a multiple of it.
    """

    def __init__(self, parse: Callable[[str], float], length: int, *, multiple: int = 1) -> None:
        self.parse, self.length, self.multiple = parse, length, multiple

    def __call__(self, word: str) -> Any:
        try:
            values = [self.parse(part) for part in split_numbers(word) or [word]]
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        if self.length == 1:
            return self._single(values)
        if self.length > 1 and len(values) != self.length:
            raise argparse.ArgumentTypeError(f"needs {self.length} values, got {len(values)}")
        if len(values) % self.multiple:
            raise argparse.ArgumentTypeError(f"needs a multiple of {self.multiple} values, got {len(values)}")
        return values

    @staticmethod
    def _single(values: Sequence[float]) -> float:
        if len(values) != 1:
            raise argparse.ArgumentTypeError(f"needs one value, got {len(values)}")
        return values[0]


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


def number() -> Numbers:
    """One real number."""
    return Numbers(parse_float, 1)


def integer(*, minimum: int | None = None) -> Numbers:
    """One whole number, at least ``minimum``."""

    def parse(word: str) -> int:
        value = parse_int(word)
        if minimum is not None and value < minimum:
            raise ValueError(f"must be >= {minimum}, got {word}")
        return value

    return Numbers(parse, 1)


class OneOf:
    """Converts nothing, but accepts one of a few words only, with a hint where it is nearly one of them."""

    def __init__(self, choices: Iterable[str]) -> None:
        self.choices = tuple(choices)

    def __call__(self, word: str) -> str:
        if word in self.choices:
            return word
        hint = nearest(word, self.choices)
        raise argparse.ArgumentTypeError(f"must be one of {', '.join(self.choices)}; got {word}{hint}")


def one_of(choices: Iterable[str]) -> OneOf:
    """One of a few words."""
    return OneOf(choices)


class CommandParser(argparse.ArgumentParser):
    """Parser of one command; raises :class:`UsageError` where argparse would print and exit."""

    def __init__(self, *args: Any, **options: Any) -> None:
        options.setdefault("allow_abbrev", False)
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(*args, **options)
        self._words: list[str] = []

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Prepare the words, then parse them as argparse does."""
        self._words = list(sys.argv[1:] if args is None else args)
        if {"-h", "--help"} & set(self._words):
            self.print_help()
            self.exit()
        known = self._option_string_actions
        refuse_unknown(self._words, known, [name for name, action in known.items() if _is_short(name, action)])
        return super().parse_known_args(join_numbers(self._words, self._lengths()), namespace)

    def _lengths(self) -> dict[str, int]:
        actions = self._option_string_actions.items()
        return {name: action.type.length for name, action in actions if isinstance(action.type, Numbers)}

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage and leaving."""
        raise UsageError(self._tidy(message))

    def _tidy(self, message: str) -> str:
        found = _ARGUMENT.match(message)
        if found:
            return f"{self._as_typed(found['names'])} {_reworded(found['text'])}"
        message = message.replace("the following arguments are required:", "missing")
        return message.replace("unrecognized arguments:", "unexpected words:")

    def _as_typed(self, names: str) -> str:
        """The spelling that the user chose of ``--lower/-lowerthreshold``."""
        spellings = names.split("/")
        typed = {word.partition("=")[0] for word in self._words}
        return next((name for name in spellings if name in typed), spellings[0])


def _is_short(name: str, action: argparse.Action) -> bool:
    return len(name) == 2 and action.nargs != 0


def _reworded(text: str) -> str:
    return "needs a value" if text == "expected one argument" else text


def add_common(parser: argparse.ArgumentParser, *, threads: bool = False, output: bool = True) -> None:
    """Add the options that every command spells alike: ``--quiet``, ``--json``, ``--threads``, ``--force``."""
    parser.add_argument("-q", "--quiet", action="store_true", help="no notes, warnings or progress on stderr")
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout")
    if threads:
        text = "threads to compute with (default: all this process may use); the result is the same for any number"
        parser.add_argument("--threads", type=integer(minimum=1), metavar="N", help=text)
    if output:
        parser.add_argument("--force", action="store_true", help="replace output files that exist")
