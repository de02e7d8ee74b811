"""Children with limits: a process of its own for what could end one, with a limit of memory and of time."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

PREAMBLE = """
import resource, sys
import numpy as np
import mitk_rs as mitk
from mitk_rs import _core

def limit_memory(more):
    \"\"\"Allow as many bytes of address space as are in use now, and `more`.\"\"\"
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + more, resource.RLIM_INFINITY))

def unlimit_memory():
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
"""


def run_in_child(script: str, *, seconds: float = 60.0) -> list[str]:
    """The lines that a script prints; it fails the test if it ends in any other way than by itself."""
    command = [sys.executable, "-X", "faulthandler", "-c", PREAMBLE + textwrap.dedent(script)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired as expired:
        pytest.fail(f"the child hangs, having printed {expired.stdout!r}")
    assert done.returncode == 0, f"the child ended with {done.returncode}: {done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout.splitlines()


needs_limits = pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are set the way Linux does")
