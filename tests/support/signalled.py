"""Run ``mitk-rs`` and send it a signal at a chosen step of its work.

As a program: ``python signalled.py KIND:NAME NUMBER SIGNAL -- WORDS`` runs ``mitk-rs WORDS`` and sends itself SIGNAL
just before the NUMBER-th event of that kind: ``import:numpy`` is the import of a module, ``os.rename:`` any rename,
``os.link:``, ``os.mkdir:``, ``os.remove:`` and ``open:`` likewise. With SIGNAL 0 it counts the events instead, and
prints how many there were as the last line of standard output.

As a module: :func:`run_signalled` starts that program, :func:`send_when_ready` sends a signal after a delay that
counts from the moment when the program has taken over the signals.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

# Every step at which a write could be interrupted.
STEPS = ("open:", "os.mkdir:", "os.chmod:", "os.link:", "os.rename:", "os.remove:", "os.rmdir:")


def run_signalled(event: str, number: int, which: int, *words: str, folder: Path, **options):
    """Run ``mitk-rs`` in ``folder`` with a signal at a step."""
    command = [sys.executable, __file__, event, str(number), str(int(which)), "--", *words]
    environment = {name: value for name, value in os.environ.items() if name != "DISPLAY"}
    settings = {"capture_output": True, "text": True, "timeout": 120, "cwd": folder, "env": environment, **options}
    return subprocess.run(command, check=False, stdin=subprocess.DEVNULL, **settings)


def count_steps(event: str, *words: str, folder: Path) -> int:
    """How many events of a kind a command has."""
    done = run_signalled(event, 0, 0, *words, folder=folder)
    assert done.returncode == 0, done.stderr
    return int(done.stdout.splitlines()[-1])


def is_ready(process: subprocess.Popen) -> bool:
    """Whether the program has taken over the signals: until then Python itself answers them."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("SigCgt:"):
            return bool(int(line.split()[1], 16) & 1 << (signal.SIGTERM - 1))
    return False


def send_when_ready(process: subprocess.Popen, which: int, delay: float) -> None:
    """Send a signal ``delay`` seconds after the program has taken over the signals."""
    while process.poll() is None and not is_ready(process):
        time.sleep(0.001)
    time.sleep(delay)
    process.send_signal(which)


def _main() -> int:
    event, number, which = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    sys.argv = ["mitk-rs", *sys.argv[5:]]
    kind, _, name = event.partition(":")
    here = Path.cwd()
    count = 0

    class Finder:
        """Python tells of modules that are written in C only; this one of all others."""

        @staticmethod
        def find_spec(module: str, *_: object) -> None:
            sys.audit("import", module)

    def watch(happening: str, args: tuple) -> None:
        nonlocal count
        if happening != kind or (name and args[0] != name):
            return
        # Only what happens in the working folder: libraries open files of their own.
        if not name and here not in Path(os.fsdecode(args[0])).absolute().parents:
            return
        count += 1
        if which and count == number:
            os.kill(os.getpid(), which)

    sys.addaudithook(watch)
    sys.meta_path.insert(0, Finder)
    from mitk_rs.cli.main import main, program

    if which:
        return program()
    status = main()
    print(count)
    return status


if __name__ == "__main__":
    sys.exit(_main())
