"""Lines nobody meant: never evaluated, never a hang, never a traceback, always a documented exit code.

``MITK_RS_FUZZ_LINES`` sets how many lines are tried (2,000 in the ordinary suite).
"""

from __future__ import annotations

import builtins
import contextlib
import io
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mitk_rs.cli.console import ExitCode
from mitk_rs.cli.vmtk_names import run
from mitk_rs.vmtk import SCRIPTS, make_script

LINES = int(os.environ.get("MITK_RS_FUZZ_LINES", "2000"))
SECONDS = 20
# 1 is "something unexpected": a defect of ours.
DOCUMENTED = {int(code) for code in ExitCode} - {int(ExitCode.UNEXPECTED), int(ExitCode.INTERRUPTED)}

# Windows are another test's matter, and these words would open or keep one.
NAMES = sorted(set(SCRIPTS) - {"vmtkrenderer"})
OPTIONS = sorted(
    {f"-{member.OptionName}" for name in NAMES for member in make_script(name).InputMembers}
    | {f"-{member.OptionName}" for name in NAMES for member in make_script(name).ExtensionMembers}
)
EVIL = [
    "__import__('os').system('touch PWNED')",
    "'+__import__('os').system('touch PWNED')+'",
    "');open('PWNED','w');('",
    "$(touch PWNED)",
    "`touch PWNED`",
    '";touch PWNED;"',
    "%s%s%n",
    "{0.__class__}",
    "{image}",
    "a" * 5000,
    "\\x00\\n\\t",
    "é" * 40,
    "\u202e",
    "..",
    "/",
    "~",
    "",
]
VALUES = ["0", "1", "-1", "3.0", "1.5", "1e400", "-inf", "nan", "-nan", "yes", "off", "1 2 3", "none.mha", "none.vti"]
REFERENCES = ["@", "@.o", "@.", "@x.o", "@vmtkimagereader.o", "@vmtkimagereader-0.o", "@.i", "@@", "@.o.o", "@-.o"]
FLAGS = ["--pipe", "--help", "--html", "--nolog", "--noauto", "--json", "--threads", "--", "---", "-", "-@", "--doc"]
WORDS = [*NAMES, *OPTIONS, *(f"{option}@" for option in OPTIONS[:10]), *EVIL, *VALUES, *REFERENCES, *FLAGS]


@pytest.fixture(autouse=True)
def _quiet_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DISPLAY", raising=False)


def guarded(evaluate: Callable[..., object]) -> Callable[..., object]:
    """``eval`` or ``exec`` for the libraries, but not for words of a line."""

    def guard(source: object, *arguments: object, **options: object) -> object:
        assert "PWNED" not in str(source), "a word of the line was evaluated"
        return evaluate(source, *arguments, **options)

    return guard


def too_long(signum: int, frame: FrameType | None) -> None:
    raise AssertionError(f"a line takes longer than {SECONDS} s")


def check(words: list[str]) -> None:
    """Run a line inside this process, as the command would."""
    out, err = io.StringIO(), io.StringIO()
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(SECONDS)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = run(words)
    finally:
        signal.alarm(0)
    assert status in DOCUMENTED, (words, status, err.getvalue())
    assert "Traceback" not in out.getvalue() + err.getvalue(), words
    assert (": error: " in err.getvalue()) == (status != 0), (words, status, err.getvalue())
    assert not Path("PWNED").exists(), words


def test_lines_of_known_and_odd_words(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        make_script(name)
    for name in ("eval", "exec"):
        monkeypatch.setattr(builtins, name, guarded(getattr(builtins, name)))
    generator = random.Random(20261121)
    for _ in range(LINES):
        words = generator.choices(WORDS, k=generator.randint(0, 9))
        check([generator.choice(NAMES), *words] if generator.random() < 0.8 else ["pype", *words])


@settings(max_examples=max(LINES // 20, 100), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.one_of(st.sampled_from(WORDS), st.text(max_size=12)), max_size=8))
def test_lines_of_any_text(words: list[str]) -> None:
    check(["pype", *words])


@settings(max_examples=max(LINES // 20, 100), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text(max_size=60))
def test_a_line_in_one_word(line: str) -> None:
    check(["pype", f"vmtkimagereader {line}"])
