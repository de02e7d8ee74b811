"""``mitk-rs completion``: a script that makes a shell complete our commands and options."""

from __future__ import annotations

import argparse
from argparse import Namespace
from collections.abc import Iterator

from mitk_rs.cli.parser import CommandParser, Subparsers, one_of
from mitk_rs.errors import UsageError

__all__ = ["add_parser", "run"]

SHELLS = ("bash", "zsh", "fish")

_DESCRIPTION = """Print a completion script for a shell.

  bash:  mitk-rs completion bash > ~/.local/share/bash-completion/completions/mitk-rs
  zsh:   mitk-rs completion zsh > ~/.zfunc/_mitk-rs       (with ~/.zfunc in $fpath)
  fish:  mitk-rs completion fish > ~/.config/fish/completions/mitk-rs.fish"""


def add_parser(subparsers: Subparsers[CommandParser]) -> CommandParser:
    """Add the command to the program's."""
    parser = subparsers.add_parser("completion", help="print a completion script", description=_DESCRIPTION)
    parser.add_argument("shell", type=one_of(SHELLS), metavar="SHELL", help=", ".join(SHELLS))
    return parser


def run(args: Namespace) -> None:
    """Print the script."""
    from mitk_rs.cli.console import Console
    from mitk_rs.cli.main import build_parsers

    parser, commands = build_parsers()
    script = _fish_script(parser, commands) if args.shell == "fish" else _with_shtab(parser, args.shell)
    Console("mitk-rs completion").result(script)


def _with_shtab(parser: argparse.ArgumentParser, shell: str) -> str:
    try:
        import shtab
    except ImportError as error:
        raise UsageError(f"completion for {shell} needs the package shtab: {error}") from error
    return str(shtab.complete(parser, shell))


def _fish_script(parser: CommandParser, commands: dict[str, CommandParser]) -> str:
    return "".join(f"{line}\n" for line in _fish(parser, commands))


def _fish(parser: CommandParser, commands: dict[str, CommandParser]) -> Iterator[str]:
    yield "# Completions of mitk-rs for fish."
    yield "complete -c mitk-rs -n __fish_use_subcommand -l version -d 'print the version and leave'"
    helps = {action.dest: action.help or "" for action in _choices(parser)}
    for name, command in commands.items():
        yield f"complete -c mitk-rs -f -n __fish_use_subcommand -a {name} -d {_quoted(helps.get(name, ''))}"
        words = [word for action in command._actions if not action.option_strings for word in action.choices or ()]
        if words:
            yield f"complete -c mitk-rs -n '__fish_seen_subcommand_from {name}' -f -a {_quoted(' '.join(words))}"
        for action in command._actions:
            if action.option_strings and action.help is not argparse.SUPPRESS:
                yield _fish_option(name, action)


def _choices(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """The pseudo-actions that hold the help of each subcommand."""
    subparsers = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return [choice for action in subparsers for choice in action._choices_actions]


def _fish_option(command: str, action: argparse.Action) -> str:
    words = ["complete -c mitk-rs", f"-n '__fish_seen_subcommand_from {command}'"]
    for name in action.option_strings:
        kind = "-l" if name.startswith("--") else "-s" if len(name) == 2 else "-o"
        words.append(f"{kind} {name.lstrip('-')}")
    if action.choices:
        words.append(f"-x -a {_quoted(' '.join(action.choices))}")
    elif action.nargs != 0:
        words.append("-r")
    words.append(f"-d {_quoted(action.help or '')}")
    return " ".join(words)


def _quoted(text: str) -> str:
    """A string in fish's single quotes."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
