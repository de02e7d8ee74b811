"""Run in a child process: public functions with extreme arguments, or with little memory, and what becomes of it.

``python sweep.py arguments|memory NAME...`` prints a line of JSON for everything that must not be, and at last what it
counted. Before each call it writes to standard error what it is about to do, so that its end can be explained.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import re
import resource
import signal
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import public_surface
from public_surface import Call, calls

import mitk_rs as mitk

STEP = int(os.environ.get("MITK_RS_SWEEP_STEP", "1"))
SECONDS = 20  # of processor time: a call that takes more hangs
ROOM = 1 << 30
LEVELS = 50
LIBC = ctypes.CDLL(None)
NUMBERS = [
    *(1e300, -1e300, 1e-300, -1e-300, 5e-324, -5e-324, 1e-40, float("nan"), float("inf"), float("-inf"), 0, -1),
    *(2**31, -(2**31), 2**32, 2**53, 2**63 - 1, 2**63, -(2**63), 2**64, 10**30, -(10**30), True, None),
]  # fmt: skip
TEXTS = ["", "\0", "x" * 100_000, "\ud800", "-1", "1e999"]


def spread(shape: tuple[int, ...], value: float = 1, dtype: str = "f4") -> Any:
    """An array of any shape that costs nothing."""
    return np.broadcast_to(np.asarray(value, dtype), shape)


def arrays() -> Iterator[Any]:
    """Arrays of huge, empty and thin shapes, and of numbers that are hardly any."""
    for shape in [(2**20,) * 3, (1, 2**20, 2**20), (2**31, 1, 1), (1, 1, 2**40), (2**60,), (2,) * 20, (2**13,) * 3]:
        yield spread(shape)
    yield spread((2**19,) * 3, 1, "f8")
    yield spread((2**20,) * 3, 1, "u1")
    for shape in [(0, 5, 6), (5, 0, 6), (5, 6, 0), (0,), (), (1, 1, 1), (3, 1, 1)]:
        yield spread(shape)
    for value in (np.nan, np.inf, -np.inf, 1e300, -1e300, 1e-300, 5e-324):
        yield spread((4, 5, 6), value, "f8")
        yield spread((4, 5, 6), value, "f4")
    yield spread((4, 5, 6), 2**63 - 1, "i8")
    for dtype in ("f2", "c8", "?", "U3", "O", "M8[s]"):
        yield np.zeros((4, 5, 6), dtype)


def extremes() -> Iterator[Any]:
    """Everything an argument is tried with."""
    yield from NUMBERS
    yield from TEXTS
    for value in NUMBERS:
        yield (value,) * 3
        yield [(value,) * 3]
        yield (value, value)
    yield from ((), [], {}, [()], slice(10**30), b"\0", object())
    with np.errstate(all="ignore"):
        yield from arrays()


class Hang(BaseException):
    """The limit of processor time has come."""


def refuse_to_hang(*_: object) -> None:
    raise Hang


def used() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def limit(more: int | None) -> None:
    """Allow as many bytes of address space as are in use now, and `more`."""
    soft = resource.RLIM_INFINITY if more is None else used() + more
    resource.setrlimit(resource.RLIMIT_AS, (soft, resource.RLIM_INFINITY))


def shown(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"array {value.shape} {value.dtype} of {value.flat[0] if value.size else None}"
    return repr(value)[:60]


def defect(call: Call, error: BaseException) -> str:
    """What is wrong with an error: not a class of ours, TypeError or MemoryError; more than a line; no function named.

    Operators may raise what containers and NumPy arrays are known for, and warn of numbers that become infinite.
    """
    operator = call.name.endswith(("__", ".pop", ".popitem"))
    if operator and isinstance(error, LookupError | TypeError | ValueError | OverflowError | RuntimeWarning):
        return ""
    if not isinstance(error, TypeError | MemoryError | mitk.Exception | ModuleNotFoundError):
        return "foreign"
    if isinstance(error, mitk.Exception) and "\n" in str(error):
        return "several lines"
    # What names a property names its class.
    names = set(call.name.rstrip("=").split("."))
    if isinstance(error, TypeError) and not names & set(re.findall(r"\w+", str(error))):
        return "does not name the function"
    return ""


class Sweep:
    """Counts what happens and prints what must not."""

    def __init__(self, how: str) -> None:
        self.counts: Counter[str] = Counter()
        # Functions that take memory from the system.
        self.hungry: set[str] = set()
        self.only_memory = how == "memory"

    def attempt(self, call: Call, given: dict[str, Any], what: str, room: int | None = None) -> str:
        """Make one call, with that much memory more than now; how it ended."""
        os.write(2, f"{call.name}({what})\n".encode(errors="replace"))
        text, wrong = "", ""
        try:
            run = call.prepare(given)
            if self.only_memory:
                trim()
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            limit(room)
            run()
            outcome = "done"
        except Hang:
            outcome = wrong = "hang"
        except BaseException as error:
            limit(None)
            outcome = "short of memory" if isinstance(error, MemoryError) else "refused"
            wrong = "" if outcome != "refused" else "foreign" if self.only_memory else defect(call, error)
            text = f"{type(error).__name__}: {str(error)[:150]}"
        finally:
            limit(None)
            signal.setitimer(signal.ITIMER_PROF, 0)
        self.counts[wrong or outcome] += 1
        if wrong:
            print(json.dumps({"call": call.name, "given": what, "outcome": wrong, "error": text}), flush=True)
        return outcome

    def arguments(self, call: Call) -> None:
        """Each argument with every `STEP`-th value, the others good."""
        for number, name in enumerate((*call.parameters, *call.many)):
            for value in list(extremes())[(number + len(call.name)) % STEP :: STEP]:
                given = call.good()
                if "timeout" in call.parameters:
                    given["timeout"] = 1
                given[name] = [value] * max(1, len(given.get(name, ()))) if name in call.many else value
                self.attempt(call, given, f"{name}={shown(value)}", ROOM)

    def memory(self, call: Call) -> None:
        """The call with 50 amounts of memory, from none to what it needs."""
        room, most = 0, 1 << 33
        while self.attempt(call, call.good(), f"{room} bytes", room) != "done" and room < most:
            room = max(4096, 2 * room)
        if room:
            self.hungry.add(call.name)
        for level in range(0, LEVELS if room else 0, max(1, STEP // 2 - 2)):
            part = room * level // LEVELS
            self.attempt(call, call.good(), f"{part} of {room} bytes", part)


def trim() -> None:
    """Give back what the allocator keeps, so that every amount of memory counts from the same state."""
    gc.collect()
    LIBC.malloc_trim(0)


def main() -> None:
    """Sweep the named functions, every `step`-th from `first`."""
    signal.signal(signal.SIGPROF, refuse_to_hang)
    # What NumPy, Python and other libraries warn of is a defect; ours are meant for users.
    warnings.simplefilter("error")
    warnings.simplefilter("default", mitk.DicomSeriesWarning)
    how, names = sys.argv[1], set(sys.argv[2:])
    if how == "memory":
        public_surface.scale = 4
    sweep = Sweep(how)
    run: Callable[[Call], None] = sweep.arguments if how == "arguments" else sweep.memory
    for call in calls():
        if call.name in names:
            # Libraries warn while they are imported, and what they keep for later calls is there from now on.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    call.prepare(call.good())()
                except ModuleNotFoundError:
                    continue
                except (mitk.Exception, TypeError):
                    # What refuses whatever it gets here.
                    pass
            gc.freeze()
            run(call)
    mitk.set_num_threads(None)
    assert mitk.fast_marching(np.ones((4, 5, 6)), seeds=[(1, 1, 1)]).accepted == 120, "computing goes on afterwards"
    print(json.dumps({"counts": sweep.counts, "hungry": sorted(sweep.hungry)}), flush=True)


if __name__ == "__main__":
    main()
