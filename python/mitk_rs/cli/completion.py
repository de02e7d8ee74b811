"""``mitk-rs completion``: a script that makes a shell complete our commands and options."""

from __future__ import annotations

import re
from argparse import Namespace

from mitk_rs.cli.parser import CommandParser, Subparsers, one_of

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
    import shtab

    from mitk_rs.cli.console import Console
    from mitk_rs.cli.main import build_parsers

    parser, commands = build_parsers()
    for command in commands.values():
        for action in command._actions:
            # What is neither a number nor one of a few words is the name of a file.
            if action.type is None and action.choices is None and action.nargs != 0:
                action.complete = shtab.FILE  # type: ignore[attr-defined]
    script = shtab.complete(parser, args.shell)
    if args.shell == "fish":
        # fish's word for options of one dash and several letters, which shtab takes for short ones.
        script = re.sub(r" -s (?=\w{2})", " -o ", script)
    Console("mitk-rs completion").result(script)
