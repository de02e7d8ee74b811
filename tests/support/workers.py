"""Processes that hold a heavy package and answer pickled requests."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any


class PickleWorker:
    """A script that reads ``(name, arguments, options)`` and answers, started with the first question.

    An answer that is a string is the message of an error.
    """

    def __init__(self, script: Path) -> None:
        self._script = script
        self._process: subprocess.Popen[bytes] | None = None

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            command = [sys.executable, self._script]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return self._process

    def ask(self, name: str, *arguments: Any, **options: Any) -> Any:
        process = self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        pickle.dump((name, arguments, options), process.stdin)
        process.stdin.flush()
        answer = pickle.load(process.stdout)
        if isinstance(answer, str):
            raise RuntimeError(answer)
        return answer

    def close(self) -> None:
        if self._process is not None:
            self._process.communicate()
