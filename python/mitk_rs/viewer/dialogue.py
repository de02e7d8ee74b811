"""The dialogues of interactive initialization and evolution of level sets, apart from any window.

A dialogue asks one question at a time. Text questions are answered with :meth:`Dialogue.answer`; seed questions
collect voxels with :meth:`Dialogue.add_seed` and end with :meth:`Dialogue.seeds_done`. When everything is known, the
level set is computed and shown; accepted branches are merged. :meth:`Dialogue.back` goes one question back; what was
answered since is offered again. Front ends only show :attr:`Dialogue.prompt` and pass on what the user does.

The flow, the digits of the methods and the words ``n`` (none), ``i`` (look at the image), ``q`` (go on), ``y`` and
``n`` are those of VMTK's ``vmtkimageinitialization`` and ``vmtklevelsetsegmentation``.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from mitk_rs.errors import RequestError, brief

__all__ = [
    "METHOD_DIGITS",
    "AnyDialogue",
    "Branch",
    "Dialogue",
    "DoubtError",
    "EvolutionDialogue",
    "EvolutionStep",
    "Index",
    "Parameters",
    "RefusalError",
    "Step",
    "interval",
]

Index = tuple[int, int, int]
Range = tuple[float, float]
Merge = Callable[[Any, Any], Any]

METHOD_DIGITS = (
    "collidingfronts",
    "multiplecollidingfronts",
    "fastmarching",
    "threshold",
    "isosurface",
    "seeds",
)


class RefusalError(ValueError):
    """An answer that does not fit the question; the question stays."""


class DoubtError(RefusalError):
    """An answer that is hardly meant; the same :attr:`answer` once more is taken."""

    def __init__(self, reason: str, answer: str) -> None:
        super().__init__(reason)
        self.answer = answer


class Step(enum.Enum):
    """What the dialogue of initialization waits for, and how it asks."""

    METHOD = f"Initialization method ({', '.join(f'{digit} {name}' for digit, name in enumerate(METHOD_DIGITS))})"
    LOWER = "Lower threshold (a number, n for none, i to look at the image)"
    UPPER = "Upper threshold (a number, n for none, i to look at the image)"
    ISOVALUE = "Isosurface level (a number, i to look at the image)"
    SOURCES = "Place source seeds"
    TARGETS = "Place target seeds (none: everything near the sources)"
    TWO_SEEDS = "Place exactly two seeds, the ends of the vessel"
    PAIRS = "Place seeds in pairs: 1-2, 3-4, ..."
    SEEDS = "Place seeds"
    ACCEPT = "Accept this result? (y/n)"
    ANOTHER = "Initialize another branch? (y/n)"
    DONE = "done"
    CANCELLED = "cancelled"


class EvolutionStep(enum.Enum):
    """What the dialogue of evolution waits for, in the order of the questions, and how it asks."""

    INITIALIZATION = "initialization"
    LOWER = "Lower threshold of the speed (a number, i to look at the image)"
    UPPER = "Upper threshold of the speed (a number, i to look at the image)"
    ITERATIONS = "Number of iterations (a whole number of at least 1)"
    PROPAGATION = "Propagation scaling (0 or more)"
    CURVATURE = "Curvature scaling (0 or more)"
    ADVECTION = "Advection scaling (0 or more)"
    ACCEPT = "Accept this result? (y; n for other parameters; c to continue from it)"
    MERGE = "Merge this branch with the others? (y; n keeps this one alone)"
    ANOTHER = "Segment another branch? (y/n)"
    DONE = "done"
    CANCELLED = "cancelled"


_METHOD_STEPS: dict[str, tuple[Step, ...]] = {
    "collidingfronts": (Step.LOWER, Step.UPPER, Step.TWO_SEEDS),
    "multiplecollidingfronts": (Step.LOWER, Step.UPPER, Step.PAIRS),
    "fastmarching": (Step.LOWER, Step.UPPER, Step.SOURCES, Step.TARGETS),
    "threshold": (Step.LOWER, Step.UPPER),
    "isosurface": (Step.ISOVALUE,),
    "seeds": (Step.SEEDS,),
}
_SEED_STEPS = frozenset({Step.SOURCES, Step.TARGETS, Step.TWO_SEEDS, Step.PAIRS, Step.SEEDS})
_TWO_MORE = ("place both", "place one more", "take some away")


@dataclass(frozen=True)
class Branch:
    """What is known of one branch. Indices are ``(i, j, k)``, the first value of each axis as in the image."""

    method: str | None = None
    lower: float | None = None
    upper: float | None = None
    isovalue: float | None = None
    sources: tuple[Index, ...] = ()
    targets: tuple[Index, ...] = ()


@dataclass(frozen=True)
class Parameters:
    """What is asked for before a level set evolves."""

    lower: float | None = None
    upper: float | None = None
    iterations: int = 300
    propagation: float = 0.0
    curvature: float = 0.0
    advection: float = 1.0


class _Questions:
    """What both dialogues are: questions, one after the other, with a way back.

    The fields of what is answered are named as the steps that ask for them. ``value_range`` is the least and the
    greatest value of the image: it is shown beside questions for values, and values outside of it are asked for twice.
    """

    _STEPS: type[enum.Enum]
    # The steps that ask for values of the image.
    _VALUES: frozenset[enum.Enum]
    # The attributes that hold answers and what is offered as answers, and all that a step back brings back.
    _ANSWERED: str
    _OFFERED: str
    _STATE: tuple[str, ...]
    _answer: Callable[[str], None]
    _number: Callable[[str], Any]
    _check_order: Callable[[float | None, Any], None]
    _next: Callable[[], None]

    def __init__(self, step: enum.Enum, merge: Merge, value_range: Range | None) -> None:
        self.step, self.merge, self.value_range = step, merge, value_range
        self.branch = Branch()
        self.seeds: list[Index] = []
        self.message = ""
        self.looking = False
        self.result: Any = None
        self.merged: Any = None
        self._history: list[dict[str, Any]] = []
        self._doubted: Any = None

    # What a front end shows

    @property
    def finished(self) -> bool:
        """Whether nothing is asked any more."""
        return self.step.name in ("DONE", "CANCELLED")

    @property
    def can_go_back(self) -> bool:
        """Whether there was a question before this one."""
        return bool(self._history) and self.step.name != "CANCELLED"

    @property
    def wants_seeds(self) -> bool:
        """Whether the question is answered by placing seeds."""
        return self.step in _SEED_STEPS

    @property
    def default(self) -> str:
        """The answer that an empty one stands for, empty where there is none."""
        value = getattr(getattr(self, self._OFFERED), self.step.name.lower(), None)
        return f"{value:g}" if isinstance(value, int | float) else ""

    @property
    def prompt(self) -> str:
        """The question, with its default."""
        text: str = "" if self.finished else self.step.value
        if self.step in self._VALUES and self.value_range is not None:
            low, high = self.value_range
            text = f"{text[:-1]}; values: {low:g} to {high:g})"
        return f"{text} [{self.default}]" if self.default else text

    def interval_with(self, text: str) -> Range | None:
        """The interval of values that would be inside if ``text`` were the answer; ``None`` if it is not a bound."""
        if self.step not in self._VALUES:
            return None
        try:
            value = self._number(text or self.default)
        except RefusalError:
            return None
        return interval(self._lower, value) if self.step.name == "UPPER" else interval(value, None)

    @property
    def _lower(self) -> float | None:
        lower: float | None = getattr(self, self._ANSWERED).lower
        return lower

    # What a user does

    def answer(self, text: str) -> None:
        """Answer a text question; empty text takes the default. What is refused has its reason in ``message``, too."""
        self.message = ""
        before = self._state()
        try:
            self._answer(text.strip() or self.default)
        except RefusalError as refusal:
            self.message = str(refusal)
            raise
        if not self.looking:
            self._history.append(before)

    def back(self) -> None:
        """Ask the question before this one again; what was answered since is its default."""
        if not self.can_go_back:
            raise self._refused("this is the first question")
        for name, value in self._history.pop().items():
            setattr(self, name, value)
        self.looking = False
        self.message = "one step back"

    def cancel(self) -> None:
        """End without a result."""
        self.step = self._STEPS["CANCELLED"]
        self.merged = None
        self.message = "cancelled"

    # How it goes on

    def _take_number(self, word: str) -> None:
        valued = self.step in self._VALUES
        if valued and word == "i":
            self.looking, self.message = True, "q brings the question back"
            return
        value = self._number(word)
        if self.step.name == "UPPER":
            self._check_order(self._lower, value)
        doubt = _outside(value, self.value_range) if valued else ""
        if doubt and self._doubted != (self.step, value):
            self._doubted = (self.step, value)
            raise DoubtError(doubt, word)
        self.looking = False
        setattr(self, self._ANSWERED, replace(getattr(self, self._ANSWERED), **{self.step.name.lower(): value}))
        self._next()

    def _refused(self, reason: str) -> RefusalError:
        self.message = reason
        return RefusalError(reason)

    def _state(self) -> dict[str, Any]:
        kept = {name: getattr(self, name) for name in self._STATE}
        return {name: list(value) if isinstance(value, list) else value for name, value in kept.items()}


class Dialogue(_Questions):
    """The dialogue of initialization.

    ``extent`` is VTK's: first and last index of each axis. ``compute`` makes a level set from a complete ``Branch``; a
    ``RequestError`` it raises is the message, and the branch starts again. ``merge`` combines the accepted level sets
    so far with a new one. ``defaults`` are offered as the answers of the first branch.
    """

    _STEPS = Step
    _VALUES = frozenset({Step.LOWER, Step.UPPER, Step.ISOVALUE})
    _ANSWERED, _OFFERED = "branch", "defaults"
    _STATE = ("step", "branch", "defaults", "result", "merged", "_remaining", "seeds", "branches")

    def __init__(
        self,
        extent: tuple[int, int, int, int, int, int],
        compute: Callable[[Branch], Any],
        merge: Merge,
        defaults: Branch = Branch(),
        value_range: Range | None = None,
    ) -> None:
        super().__init__(Step.METHOD, merge, value_range)
        self.extent, self.compute, self.defaults = extent, compute, defaults
        self.branches: list[Branch] = []
        self._remaining: tuple[Step, ...] = ()
        self._left: dict[enum.Enum, list[Index]] = {}

    @property
    def accepted(self) -> int:
        """How many branches have been accepted."""
        return len(self.branches)

    @property
    def default(self) -> str:
        """The answer that an empty one stands for, empty where there is none."""
        if self.step is Step.METHOD and self.defaults.method:
            return str(METHOD_DIGITS.index(self.defaults.method))
        return super().default

    def add_seed(self, index: Index) -> None:
        """Add a voxel, if seeds are asked for and it is in the image."""
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
        """Ask the question before this one again; what was answered since is its default."""
        left = {self.step: self.seeds} if self.wants_seeds else {}
        names = ("method", "lower", "upper", "isovalue")
        answered = {name: value for name in names if (value := getattr(self.branch, name)) is not None}
        super().back()
        self._left |= left
        self.defaults = replace(self.defaults, **answered)

    def _answer(self, word: str) -> None:
        if self.wants_seeds or self.finished:
            raise RefusalError("seeds are asked for, not text" if self.wants_seeds else "the dialogue has ended")
        if self.step is Step.METHOD:
            self._choose_method(word)
        elif self.step in self._VALUES:
            self._take_number(word)
        elif self.step is Step.ACCEPT:
            self._judge(accepted=_yes(word))
        elif _yes(word):
            self._start_branch()
            # Results of earlier branches are large, and accepted.
            self._history.clear()
        else:
            self.step = Step.DONE

    def _choose_method(self, word: str) -> None:
        if word in METHOD_DIGITS:
            word = str(METHOD_DIGITS.index(word))
        if not (word.isascii() and word.isdigit() and int(word) < len(METHOD_DIGITS)):
            raise RefusalError(
                f"{brief(word or 'nothing')} is not a method: 0 to {len(METHOD_DIGITS) - 1} or a name is needed"
            )
        self.branch = Branch(method=METHOD_DIGITS[int(word)])
        self._remaining = _METHOD_STEPS[METHOD_DIGITS[int(word)]]
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

    def _check_order(self, lower: float | None, upper: float | None) -> None:
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
        given: dict[enum.Enum, list[Index]] = {Step.SOURCES: sources, Step.TARGETS: targets}
        return sources + targets if self.step is Step.SEEDS else given.get(self.step, [])

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

    def _judge(self, *, accepted: bool) -> None:
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


class EvolutionDialogue(_Questions):
    """The dialogue of evolution.

    Each branch starts from ``initial``, or else from what a dialogue that ``initialization`` begins comes to. Then it
    asks ``questions``, the parameters that the type uses, lets ``evolve`` make a level set from the start and them, and
    shows it, again and again until it is accepted. A ``RequestError`` of ``evolve`` is the message. ``parameters`` are
    offered as the answers of the first branch, and ``merge`` combines accepted branches with those before, at first
    with ``merged``.
    """

    _STEPS = EvolutionStep
    _VALUES = frozenset({EvolutionStep.LOWER, EvolutionStep.UPPER})
    _ANSWERED = _OFFERED = "parameters"
    # Parameters stay as they were answered: they are the defaults of the questions.
    _STATE = ("step", "_start", "initial", "result", "merged", "branches", "seeds", "branch")

    def __init__(
        self,
        questions: tuple[EvolutionStep, ...],
        evolve: Callable[[Any, Parameters], Any],
        merge: Merge,
        initialization: Callable[[], Dialogue],
        parameters: Parameters = Parameters(),
        initial: Any = None,
        merged: Any = None,
        value_range: Range | None = None,
    ) -> None:
        super().__init__(EvolutionStep.INITIALIZATION, merge, value_range)
        self.questions, self.evolve, self.initialization = questions, evolve, initialization
        self.parameters, self.initial, self.merged = parameters, initial, merged
        self.branches = 0
        self._start: Dialogue | None = None
        self._start_branch()

    @property
    def can_go_back(self) -> bool:
        """Whether there was a question before this one."""
        return super().can_go_back or (self._start is not None and self._start.can_go_back)

    @property
    def accepted(self) -> int:
        """How many branches have been accepted."""
        return self.branches + (0 if self._start is None else self._start.accepted)

    @property
    def prompt(self) -> str:
        """The question, with its default."""
        return super().prompt if self._start is None else self._start.prompt

    def interval_with(self, text: str) -> Range | None:
        """The interval of values that would be inside if ``text`` were the answer; ``None`` if it is not a bound."""
        return super().interval_with(text) if self._start is None else self._start.interval_with(text)

    def answer(self, text: str) -> None:
        """Answer a text question; empty text takes the default."""
        if self._start is None:
            super().answer(text)
        else:
            self._in_start("answer", text)

    def add_seed(self, index: Index) -> None:
        """Add a voxel, if seeds are asked for and it is in the image."""
        self._in_start("add_seed", index)

    def undo_seed(self) -> None:
        """Take the last seed away again."""
        self._in_start("undo_seed")

    def seeds_done(self) -> None:
        """End a seed question."""
        self._in_start("seeds_done")

    def back(self) -> None:
        """Ask the question before this one again; what was answered since is its default."""
        if self._start is None or (self._history and not self._start.can_go_back):
            super().back()
        if self._start is not None:
            self._in_start("back")

    def cancel(self) -> None:
        """End without a result."""
        self._start = None
        super().cancel()

    def _in_start(self, action: str, *given: Any) -> None:
        """Do what the user does to the dialogue about the start, and see whether it ends with that."""
        start = self._start
        if start is None:
            raise self._refused("no seeds are asked for now")
        try:
            getattr(start, action)(*given)
            self.looking = start.looking
        finally:
            self._show(start)
        if start.finished:
            self._history.append(self._state())
            self._start, self.initial = None, start.merged
            # Nothing of the start is shown any more.
            self._show(_Questions(EvolutionStep.ANOTHER, self.merge, None))
            if self.initial is None:
                self.message = "no level set to start from was accepted"
            else:
                self._ask_parameters()

    def _show(self, shown: _Questions) -> None:
        self.step, self.message, self.result = shown.step, shown.message, shown.result
        self.seeds, self.branch = shown.seeds, shown.branch

    def _start_branch(self) -> None:
        if self.initial is None:
            self._start = self.initialization()
            self._show(self._start)
        else:
            self._ask_parameters()

    def _ask_parameters(self) -> None:
        """Ask for the parameters, from the first on, with the start in view."""
        self.step, self.result = self.questions[0], self.initial

    def _answer(self, word: str) -> None:
        if self.finished:
            raise RefusalError("the dialogue has ended")
        if self.step in self.questions:
            self._take_number(word)
        elif self.step is EvolutionStep.ACCEPT:
            self._judge(word)
        elif self.step is EvolutionStep.MERGE:
            self._keep(self.merge(self.merged, self.result) if _yes(word) else self.result)
        elif _yes(word):
            self._start_branch()
        else:
            self.step = EvolutionStep.DONE

    def _number(self, word: str) -> float:
        whole, valued = self.step is EvolutionStep.ITERATIONS, self.step in self._VALUES
        least = -math.inf if valued else 1 if whole else 0
        try:
            value = int(word) if whole else float(word)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or value < least:
            needed = "a whole number of at least 1" if whole else "a number" if valued else "0 or more"
            raise RefusalError(f"{brief(word or 'nothing')} does not answer: {needed} is needed")
        return value

    def _check_order(self, lower: float | None, upper: float) -> None:
        if lower is not None and upper < lower:
            raise RefusalError(f"the upper threshold {upper:g} is below the lower one {lower:g}")

    def _next(self) -> None:
        left = self.questions[[*self.questions].index(self.step) + 1 :]  # type: ignore[arg-type]
        if left:
            self.step = left[0]
        else:
            self._evolve(self.initial)

    def _evolve(self, start: Any) -> None:
        try:
            self.result = self.evolve(start, self.parameters)
        except RequestError as error:
            self._ask_parameters()
            self.message = str(error)
            return
        self.step = EvolutionStep.ACCEPT

    def _judge(self, word: str) -> None:
        if word.lower() in ("c", "continue"):
            self._evolve(self.result)
        elif not _yes(word):
            self._ask_parameters()
        elif self.merged is None:
            self._keep(self.result)
        else:
            self.step = EvolutionStep.MERGE

    def _keep(self, merged: Any) -> None:
        self.merged, self.result, self.initial = merged, None, None
        self.branches += 1
        self.step = EvolutionStep.ANOTHER


AnyDialogue = Dialogue | EvolutionDialogue


def interval(lower: float | None, upper: float | None) -> Range:
    """The values between two bounds, without limit where there is none."""
    return -math.inf if lower is None else lower, math.inf if upper is None else upper


def _outside(value: float | None, value_range: Range | None) -> str:
    """What to say of a value that no voxel has; empty for the others."""
    if value is None or value_range is None or value_range[0] <= value <= value_range[1]:
        return ""
    low, high = value_range
    return f"{value:g} is outside of the values of the image, {low:g} to {high:g}; answer it once more to take it"


def _yes(word: str) -> bool:
    """Whether a word means yes; one that means neither yes nor no is refused."""
    lower = word.lower()
    if lower in ("y", "yes", "1"):
        return True
    if lower in ("n", "no", "0"):
        return False
    raise RefusalError(f"{brief(word or 'nothing')} is neither y nor n")
