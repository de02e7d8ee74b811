"""The dialogue of interactive image initialization, apart from any window or terminal.

A :class:`Dialogue` asks one question at a time. Text questions (method, thresholds, isovalue, accept, another
branch) are answered with :meth:`Dialogue.answer`; seed questions collect voxels with :meth:`Dialogue.add_seed` and
end with :meth:`Dialogue.seeds_done`. When everything a method needs is known, the branch is computed and shown;
accepted branches are merged. Front ends only show :attr:`Dialogue.prompt` and pass on what the user does.

The flow, the digits of the methods and the words ``n`` (none), ``i`` (look at the image), ``q`` (go on), ``y`` and
``n`` are those of VMTK's ``vmtkimageinitialization``. :meth:`Dialogue.back` goes one question back; what was answered
since is offered again.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from mitk_rs._validation import brief
from mitk_rs.errors import RequestError

__all__ = ["METHOD_DIGITS", "Branch", "Dialogue", "DoubtError", "Index", "RefusalError", "Step", "outside", "yes"]

Index = tuple[int, int, int]

METHOD_DIGITS = (
    "collidingfronts",
    "multiplecollidingfronts",
    "fastmarching",
    "threshold",
    "isosurface",
    "seeds",
)


class Step(enum.Enum):
    """What the dialogue waits for."""

    METHOD = "method"
    LOWER = "lower threshold"
    UPPER = "upper threshold"
    ISOVALUE = "isosurface level"
    SOURCES = "source seeds"
    TARGETS = "target seeds"
    TWO_SEEDS = "two seeds"
    PAIRS = "pairs of seeds"
    SEEDS = "seeds"
    ACCEPT = "accept"
    ANOTHER = "another branch"
    DONE = "done"
    CANCELLED = "cancelled"


_STEPS: dict[str, tuple[Step, ...]] = {
    "collidingfronts": (Step.LOWER, Step.UPPER, Step.TWO_SEEDS),
    "multiplecollidingfronts": (Step.LOWER, Step.UPPER, Step.PAIRS),
    "fastmarching": (Step.LOWER, Step.UPPER, Step.SOURCES, Step.TARGETS),
    "threshold": (Step.LOWER, Step.UPPER),
    "isosurface": (Step.ISOVALUE,),
    "seeds": (Step.SEEDS,),
}
_SEED_STEPS = frozenset({Step.SOURCES, Step.TARGETS, Step.TWO_SEEDS, Step.PAIRS, Step.SEEDS})
_NUMBER_STEPS = frozenset({Step.LOWER, Step.UPPER, Step.ISOVALUE})
_METHOD_LIST = ", ".join(f"{digit} {name}" for digit, name in enumerate(METHOD_DIGITS))

# What a step back brings back, and which answers it offers again.
_STATE = ("step", "branch", "defaults", "result", "merged", "_remaining")
_OFFERED = ("method", "lower", "upper", "isovalue")

_TWO_MORE = ("place both", "place one more", "take some away")

_PROMPTS = {
    Step.METHOD: f"Initialization method ({_METHOD_LIST})",
    Step.LOWER: "Lower threshold (a number, n for none, i to look at the image)",
    Step.UPPER: "Upper threshold (a number, n for none, i to look at the image)",
    Step.ISOVALUE: "Isosurface level (a number, i to look at the image)",
    Step.SOURCES: "Place source seeds",
    Step.TARGETS: "Place target seeds (none: everything near the sources)",
    Step.TWO_SEEDS: "Place exactly two seeds, the ends of the vessel",
    Step.PAIRS: "Place seeds in pairs: 1-2, 3-4, ...",
    Step.SEEDS: "Place seeds",
    Step.ACCEPT: "Accept this result? (y/n)",
    Step.ANOTHER: "Initialize another branch? (y/n)",
    Step.DONE: "",
    Step.CANCELLED: "",
}


class RefusalError(ValueError):
    """An answer that does not fit the question; the question stays."""


class DoubtError(RefusalError):
    """An answer that is hardly meant; the same :attr:`answer` once more is taken."""

    def __init__(self, reason: str, answer: str) -> None:
        super().__init__(reason)
        self.answer = answer


@dataclass(frozen=True)
class Branch:
    """What is known of one branch. Indices are ``(i, j, k)``, the first value of each axis as in the image."""

    method: str | None = None
    lower: float | None = None
    upper: float | None = None
    isovalue: float | None = None
    sources: tuple[Index, ...] = ()
    targets: tuple[Index, ...] = ()


@dataclass
class Dialogue:
    """One session.

    Parameters
    ----------
    extent
        First and last index of each axis, as VTK's extent: ``(i0, i1, j0, j1, k0, k1)``.
    compute
        Makes a level set from a complete :class:`Branch`; a :class:`~mitk_rs.errors.RequestError` it raises is
        shown as :attr:`message` and the branch starts again.
    merge
        Combines the accepted level sets so far with a new one.
    defaults
        What was given beforehand; it is offered as the answer of the first branch.
    value_range
        Least and greatest value of the image. It is shown beside questions for values, and values outside of it are
        asked for twice.
    """

    extent: tuple[int, int, int, int, int, int]
    compute: Callable[[Branch], Any]
    merge: Callable[[Any, Any], Any]
    defaults: Branch = field(default_factory=Branch)
    value_range: tuple[float, float] | None = None
    step: Step = field(default=Step.METHOD, init=False)
    branch: Branch = field(default_factory=Branch, init=False)
    seeds: list[Index] = field(default_factory=list, init=False)
    message: str = field(default="", init=False)
    looking: bool = field(default=False, init=False)
    result: Any = field(default=None, init=False)
    merged: Any = field(default=None, init=False)
    branches: list[Branch] = field(default_factory=list, init=False)
    _remaining: tuple[Step, ...] = field(default=(), init=False)
    _history: list[dict[str, Any]] = field(default_factory=list, init=False)
    _left: dict[Step, list[Index]] = field(default_factory=dict, init=False)
    _doubted: tuple[Step, float] | None = field(default=None, init=False)

    # What a front end shows

    @property
    def finished(self) -> bool:
        """Whether nothing is asked any more."""
        return self.step in (Step.DONE, Step.CANCELLED)

    @property
    def can_go_back(self) -> bool:
        """Whether there was a question before this one."""
        return bool(self._history) and self.step is not Step.CANCELLED

    @property
    def accepted(self) -> int:
        """How many branches have been accepted."""
        return len(self.branches)

    @property
    def wants_seeds(self) -> bool:
        """Whether the question is answered by placing seeds."""
        return self.step in _SEED_STEPS

    @property
    def default(self) -> str:
        """The answer that an empty one stands for, empty where there is none."""
        if self.step is Step.METHOD and self.defaults.method:
            return str(METHOD_DIGITS.index(self.defaults.method))
        value = {
            Step.LOWER: self.defaults.lower,
            Step.UPPER: self.defaults.upper,
            Step.ISOVALUE: self.defaults.isovalue,
        }.get(self.step)
        return "" if value is None else f"{value:g}"

    @property
    def prompt(self) -> str:
        """The question, with its default."""
        text = _PROMPTS[self.step]
        if self.step in _NUMBER_STEPS and self.value_range is not None:
            low, high = self.value_range
            text = f"{text[:-1]}; values: {low:g} to {high:g})"
        return f"{text} [{self.default}]" if self.default else text

    def interval_with(self, text: str) -> tuple[float, float] | None:
        """The interval of values that would be inside if ``text`` were the answer; ``None`` if it is not a bound."""
        if self.step not in _NUMBER_STEPS:
            return None
        try:
            value = self._number(text or self.default)
        except RefusalError:
            return None
        if self.step is Step.UPPER:
            return _bound(self.branch.lower, -math.inf), _bound(value, math.inf)
        return (_bound(value, -math.inf), math.inf)

    # What a user does

    def answer(self, text: str) -> None:
        """Answer a text question; empty text takes the default.

        Raises
        ------
        RefusalError
            The text does not answer the question. The question stays, the reason is :attr:`message`, too.
        """
        word = text.strip() or self.default
        self.message = ""
        before = self._state()
        try:
            self._answer(word)
        except RefusalError as refusal:
            self.message = str(refusal)
            raise
        if before["step"] is Step.ANOTHER and not self.finished:
            # Results of earlier branches are large, and accepted.
            self._history.clear()
        if not self.looking:
            self._history.append(before)

    def _answer(self, word: str) -> None:
        if self.wants_seeds or self.finished:
            raise RefusalError("seeds are asked for, not text" if self.wants_seeds else "the dialogue has ended")
        if self.step is Step.METHOD:
            self._choose_method(word)
        elif self.step in _NUMBER_STEPS:
            self._take_number(word)
        elif self.step is Step.ACCEPT:
            self._judge(yes(word))
        elif yes(word):
            self._start_branch()
        else:
            self.step = Step.DONE

    def add_seed(self, index: Index) -> None:
        """Add a voxel.

        Raises
        ------
        RefusalError
            No seeds are asked for, or the voxel is outside of the image.
        """
        if not self.wants_seeds:
            raise self._refused("no seeds are asked for now")
        for value, low, high, axis in zip(index, self.extent[::2], self.extent[1::2], "ijk", strict=True):
            if not low <= value <= high:
                raise self._refused(f"seed {index} is outside: {axis} goes from {low} to {high}")
        self.seeds.append(index)
        self.message = f"seed {len(self.seeds)} at {index[0]} {index[1]} {index[2]}"

    def undo_seed(self) -> None:
        """Take the last seed away again."""
        if not self.seeds:
            raise self._refused("there is no seed to take away")
        gone = self.seeds.pop()
        self.message = f"seed at {gone[0]} {gone[1]} {gone[2]} taken away"

    def seeds_done(self) -> None:
        """End a seed question."""
        if not self.wants_seeds:
            raise self._refused("no seeds are asked for now")
        self._check_seeds()
        self._history.append(self._state())
        self._store_seeds()
        self.message = ""
        self._next()

    def back(self) -> None:
        """Ask the question before this one again; what was answered since is its default.

        Raises
        ------
        RefusalError
            This is the first question.
        """
        if not self.can_go_back:
            raise self._refused("this is the first question")
        if self.wants_seeds:
            self._left[self.step] = self.seeds
        answered = {name: value for name in _OFFERED if (value := getattr(self.branch, name)) is not None}
        for name, value in self._history.pop().items():
            setattr(self, name, value)
        self.defaults = replace(self.defaults, **answered)
        self.looking = False
        self.message = "one step back"

    def _state(self) -> dict[str, Any]:
        kept = {name: getattr(self, name) for name in _STATE}
        return {**kept, "seeds": list(self.seeds), "branches": list(self.branches)}

    def cancel(self) -> None:
        """End without a result."""
        self.step = Step.CANCELLED
        self.merged = None
        self.message = "cancelled"

    # How it goes on

    def _refused(self, reason: str) -> RefusalError:
        self.message = reason
        return RefusalError(reason)

    def _choose_method(self, word: str) -> None:
        if word in METHOD_DIGITS:
            word = str(METHOD_DIGITS.index(word))
        if not (word.isascii() and word.isdigit() and int(word) < len(METHOD_DIGITS)):
            raise RefusalError(
                f"{brief(word or 'nothing')} is not a method: 0 to {len(METHOD_DIGITS) - 1} or a name is needed"
            )
        self.branch = Branch(method=METHOD_DIGITS[int(word)])
        self._remaining = _STEPS[METHOD_DIGITS[int(word)]]
        self._next()

    def _take_number(self, word: str) -> None:
        if word == "i":
            self.looking = True
            self.message = "q brings the question back"
            return
        value = self._number(word)
        if self.step is Step.UPPER:
            self._check_order(value)
        doubt = outside(value, self.value_range)
        if doubt and value is not None and self._doubted != (self.step, value):
            self._doubted = (self.step, value)
            raise DoubtError(doubt, word)
        if self.step is Step.LOWER:
            self.branch = replace(self.branch, lower=value)
        elif self.step is Step.UPPER:
            self.branch = replace(self.branch, upper=value)
        else:
            self.branch = replace(self.branch, isovalue=value)
        self.looking = False
        self._next()

    def _number(self, word: str) -> float | None:
        if word in ("n", "none") and self.step is not Step.ISOVALUE:
            return None
        try:
            value = float(word)
        except ValueError:
            value = math.nan
        if math.isnan(value):
            none = "" if self.step is Step.ISOVALUE else " or n for none"
            raise RefusalError(f"{brief(word or 'nothing')} is not a number{none}")
        return value

    def _check_order(self, upper: float | None) -> None:
        lower = self.branch.lower
        if lower is not None and upper is not None and lower > upper:
            raise RefusalError(f"nothing lies between the lower threshold {lower:g} and the upper one {upper:g}")
        if self.branch.method == "threshold" and lower is None and upper is None:
            raise RefusalError("threshold needs a lower or an upper bound")

    def _next(self) -> None:
        if not self._remaining:
            self._compute()
            return
        self.step, self._remaining = self._remaining[0], self._remaining[1:]
        self.seeds = self._left.pop(self.step, []) or self._given_seeds()

    def _given_seeds(self) -> list[Index]:
        sources, targets = list(self.defaults.sources), list(self.defaults.targets)
        if self.step is Step.TWO_SEEDS:
            return (sources[:1] + targets[:1]) if sources and targets else []
        if self.step is Step.PAIRS:
            return [seed for pair in zip(sources, targets, strict=False) for seed in pair]
        return {Step.SOURCES: sources, Step.TARGETS: targets, Step.SEEDS: sources + targets}.get(self.step, [])

    def _check_seeds(self) -> None:
        count = len(self.seeds)
        placed = f"{count} {'is' if count == 1 else 'are'} placed"
        if self.step is Step.TWO_SEEDS and count != 2:
            raise self._refused(f"exactly 2 seeds are needed, {placed}; {_TWO_MORE[min(count, 2)]}")
        if self.step is Step.PAIRS and (count == 0 or count % 2):
            raise self._refused(f"seeds are needed in pairs, {placed}")
        if self.step in (Step.SOURCES, Step.SEEDS) and count == 0:
            raise self._refused("at least one seed is needed")

    def _store_seeds(self) -> None:
        seeds = tuple(self.seeds)
        if self.step is Step.TARGETS:
            self.branch = replace(self.branch, targets=seeds)
        elif self.step in (Step.TWO_SEEDS, Step.PAIRS):
            self.branch = replace(self.branch, sources=seeds[::2], targets=seeds[1::2])
        else:
            self.branch = replace(self.branch, sources=seeds)

    def _compute(self) -> None:
        try:
            self.result = self.compute(self.branch)
        except RequestError as error:
            self._start_branch()
            self.message = str(error)
            return
        self.step = Step.ACCEPT

    def _judge(self, accepted: bool) -> None:  # noqa: FBT001
        if accepted:
            self.branches.append(self.branch)
            self.merged = self.result if self.merged is None else self.merge(self.merged, self.result)
        self.result = None
        self.step = Step.ANOTHER

    def _start_branch(self) -> None:
        """Ask from the method on; the thresholds of the last branch are the new defaults, its points are not."""
        self.defaults = replace(self.branch, sources=(), targets=())
        self.branch = Branch()
        self.seeds = []
        self._left.clear()
        self.result = None
        self.step = Step.METHOD


def outside(value: float | None, value_range: tuple[float, float] | None) -> str:
    """What to say of a value that no voxel has; empty for the others."""
    if value is None or value_range is None or value_range[0] <= value <= value_range[1]:
        return ""
    low, high = value_range
    return f"{value:g} is outside of the values of the image, {low:g} to {high:g}; answer it once more to take it"


def yes(word: str) -> bool:
    """Whether a word means yes.

    Raises
    ------
    RefusalError
        It means neither yes nor no.
    """
    lower = word.lower()
    if lower in ("y", "yes", "1"):
        return True
    if lower in ("n", "no", "0"):
        return False
    raise RefusalError(f"{brief(word or 'nothing')} is neither y nor n")


def _bound(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value
