"""The dialogue of interactive level-set evolution, apart from any window or terminal.

For each branch an :class:`EvolutionDialogue` leads the dialogue of initialization unless a level set to start from was
given, asks for thresholds (where the type uses them) and parameters, evolves, shows the result, and starts again with
the parameters until the result is accepted. Accepted branches are merged. Front ends treat it as a
:class:`~mitk_rs.viewer.dialogue.Dialogue`.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from mitk_rs._validation import brief
from mitk_rs.errors import RequestError
from mitk_rs.viewer.dialogue import Branch, Dialogue, DoubtError, Index, RefusalError, outside, yes

__all__ = ["EvolutionDialogue", "EvolutionStep", "Parameters"]


class EvolutionStep(enum.Enum):
    """What the dialogue waits for, in the order of the questions."""

    INITIALIZATION = "initialization"
    LOWER = "lower"
    UPPER = "upper"
    ITERATIONS = "iterations"
    PROPAGATION = "propagation"
    CURVATURE = "curvature"
    ADVECTION = "advection"
    ACCEPT = "accept"
    MERGE = "merge"
    ANOTHER = "another"
    DONE = "done"
    CANCELLED = "cancelled"


_S = EvolutionStep
_PARAMETERS = (_S.LOWER, _S.UPPER, _S.ITERATIONS, _S.PROPAGATION, _S.CURVATURE, _S.ADVECTION)
_ALLOWED = {
    _S.LOWER: "a number, i to look at the image",
    _S.UPPER: "a number, i to look at the image",
    _S.ITERATIONS: "a whole number of at least 1",
    _S.PROPAGATION: "0 or more",
    _S.CURVATURE: "0 or more",
    _S.ADVECTION: "0 or more",
}
_PROMPTS = {
    _S.LOWER: "Lower threshold of the speed",
    _S.UPPER: "Upper threshold of the speed",
    _S.ITERATIONS: "Number of iterations",
    _S.PROPAGATION: "Propagation scaling",
    _S.CURVATURE: "Curvature scaling",
    _S.ADVECTION: "Advection scaling",
    _S.ACCEPT: "Accept this result? (y; n for other parameters; c to continue from it)",
    _S.MERGE: "Merge this branch with the others? (y; n keeps this one alone)",
    _S.ANOTHER: "Segment another branch? (y/n)",
}


# What a step back brings back. Parameters stay as they were answered: they are the defaults of the questions.
_STATE = ("_step", "_begin", "initial", "result", "merged", "branches")


@dataclass(frozen=True)
class Parameters:
    """What is asked for."""

    lower: float | None = None
    upper: float | None = None
    iterations: int = 300
    propagation: float = 0.0
    curvature: float = 0.0
    advection: float = 1.0


@dataclass
class EvolutionDialogue:
    """One session.

    Parameters
    ----------
    questions
        The parameters that the type uses.
    evolve
        Makes a level set from one to start from and parameters; a :class:`~mitk_rs.errors.RequestError` it raises is
        shown as :attr:`message` and the parameters are asked for again.
    merge
        Combines two level sets.
    initialization
        Begins the dialogue about the level set that a branch starts from.
    parameters
        Offered as the answers of the first branch.
    initial
        What the first branch starts from, instead of a dialogue.
    merged
        What the branches are merged with.
    value_range
        Least and greatest value of the image, as for :class:`~mitk_rs.viewer.dialogue.Dialogue`.
    """

    questions: tuple[EvolutionStep, ...]
    evolve: Callable[[Any, Parameters], Any]
    merge: Callable[[Any, Any], Any]
    initialization: Callable[[], Dialogue]
    parameters: Parameters = field(default_factory=Parameters)
    initial: Any = None
    merged: Any = None
    value_range: tuple[float, float] | None = None
    result: Any = field(default=None, init=False)
    looking: bool = field(default=False, init=False)
    branches: int = field(default=0, init=False)
    _step: EvolutionStep = field(default=_S.INITIALIZATION, init=False)
    _message: str = field(default="", init=False)
    _begin: Dialogue | None = field(default=None, init=False)
    _history: list[dict[str, Any]] = field(default_factory=list, init=False)
    _doubted: Any = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._start_branch()

    # What a front end shows

    @property
    def step(self) -> Any:
        """What is waited for."""
        return self._step if self._begin is None else self._begin.step

    @property
    def finished(self) -> bool:
        """Whether nothing is asked any more."""
        return self._step in (_S.DONE, _S.CANCELLED)

    @property
    def can_go_back(self) -> bool:
        """Whether there was a question before this one."""
        begun = self._begin
        return not self.finished and (bool(self._history) or (begun is not None and begun.can_go_back))

    @property
    def accepted(self) -> int:
        """How many branches have been accepted."""
        return self.branches + (0 if self._begin is None else self._begin.accepted)

    @property
    def wants_seeds(self) -> bool:
        """Whether the question is answered by placing seeds."""
        return self._begin is not None and self._begin.wants_seeds

    @property
    def seeds(self) -> list[Index]:
        """The seeds placed so far."""
        return [] if self._begin is None else self._begin.seeds

    @property
    def branch(self) -> Branch:
        """What is known of the level set that the branch starts from."""
        return Branch() if self._begin is None else self._begin.branch

    @property
    def message(self) -> str:
        """What the user should read."""
        return self._message if self._begin is None else self._begin.message

    @property
    def default(self) -> str:
        """The answer that an empty one stands for, empty where there is none."""
        if self._step not in _PARAMETERS:
            return ""
        value = getattr(self.parameters, self._step.value)
        return "" if value is None else f"{value:g}"

    @property
    def prompt(self) -> str:
        """The question, with its default."""
        if self._begin is not None:
            return self._begin.prompt
        text = _PROMPTS.get(self._step, "")
        allowed = _ALLOWED.get(self._step, "")
        if self._step in (_S.LOWER, _S.UPPER) and self.value_range is not None:
            allowed += f"; values: {self.value_range[0]:g} to {self.value_range[1]:g}"
        text += f" ({allowed})" if allowed else ""
        return f"{text} [{self.default}]" if self.default else text

    def interval_with(self, text: str) -> tuple[float, float] | None:
        """The interval of values that would be inside if ``text`` were the answer; ``None`` if it is not a bound."""
        if self._begin is not None:
            return self._begin.interval_with(text)
        if self._step not in (_S.LOWER, _S.UPPER):
            return None
        try:
            value = _number(self._step, text or self.default)
        except RefusalError:
            return None
        return (value, math.inf) if self._step is _S.LOWER else (self.parameters.lower or -math.inf, value)

    # What a user does

    def answer(self, text: str) -> None:
        """Answer a text question; empty text takes the default.

        Raises
        ------
        RefusalError
            The text does not answer the question. The question stays, the reason is :attr:`message`, too.
        """
        if self._begin is not None:
            self._begin.answer(text)
            return self._follow()
        self._message = ""
        before = self._state()
        try:
            self._answer(text.strip() or self.default)
        except RefusalError as refusal:
            self._message = str(refusal)
            raise
        if not self.looking:
            self._history.append(before)
        return None

    def add_seed(self, index: Index) -> None:
        """Add a voxel."""
        self._initialization().add_seed(index)

    def undo_seed(self) -> None:
        """Take the last seed away again."""
        self._initialization().undo_seed()

    def seeds_done(self) -> None:
        """End a seed question."""
        self._initialization().seeds_done()
        self._follow()

    def back(self) -> None:
        """Ask the question before this one again.

        Raises
        ------
        RefusalError
            This is the first question.
        """
        begun = self._begin
        if begun is not None and (begun.can_go_back or not self._history):
            begun.back()
            self.looking, self.result = begun.looking, begun.result
            return
        if not self.can_go_back:
            self._message = "this is the first question"
            raise RefusalError(self._message)
        for name, value in self._history.pop().items():
            setattr(self, name, value)
        if self._begin is not None and self._begin.can_go_back:
            self._begin.back()
            self.result = self._begin.result
        self.looking, self._message = False, "one step back"

    def _state(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _STATE}

    def cancel(self) -> None:
        """End without a result."""
        self._begin, self._step = None, _S.CANCELLED
        self.merged = None
        self._message = "cancelled"

    # How it goes on

    def _initialization(self) -> Dialogue:
        if self._begin is None:
            self._message = "no seeds are asked for now"
            raise RefusalError(self._message)
        return self._begin

    def _follow(self) -> None:
        """Look whether the dialogue about the start has ended."""
        begun = self._begin
        assert begun is not None
        self.looking, self.result = begun.looking, begun.result
        if not begun.finished:
            return
        self._history.append(self._state())
        self._begin, self.result = None, None
        self.initial = begun.merged
        if self.initial is None:
            self._message = "no level set to start from was accepted"
            self._step = _S.ANOTHER
        else:
            self._ask_parameters()

    def _start_branch(self) -> None:
        if self.initial is None:
            self._step, self._begin = _S.INITIALIZATION, self.initialization()
        else:
            self._ask_parameters()

    def _ask_parameters(self) -> None:
        """Ask for the parameters, from the first on, with the start in view."""
        self._step, self.result = self.questions[0], self.initial

    def _answer(self, word: str) -> None:
        if self.finished:
            raise RefusalError("the dialogue has ended")
        if self._step in _PARAMETERS:
            self._take_parameter(word)
        elif self._step is _S.ACCEPT:
            self._judge(word)
        elif self._step is _S.MERGE:
            self._keep(self.merge(self.merged, self.result) if yes(word) else self.result)
        elif yes(word):
            self._start_branch()
        else:
            self._step = _S.DONE

    def _take_parameter(self, word: str) -> None:
        if word == "i" and self._step in (_S.LOWER, _S.UPPER):
            self.looking, self._message = True, "q brings the question back"
            return
        value = _number(self._step, word)
        if self._step is _S.UPPER and self.parameters.lower is not None and value < self.parameters.lower:
            raise RefusalError(f"the upper threshold {value:g} is below the lower one {self.parameters.lower:g}")
        doubt = outside(value, self.value_range) if self._step in (_S.LOWER, _S.UPPER) else ""
        if doubt and self._doubted != (self._step, value):
            self._doubted = (self._step, value)
            raise DoubtError(doubt, word)
        self.looking = False
        self.parameters = replace(self.parameters, **{self._step.value: value})
        place = self.questions.index(self._step) + 1
        if place < len(self.questions):
            self._step = self.questions[place]
        else:
            self._evolve(self.initial)

    def _evolve(self, start: Any) -> None:
        try:
            self.result = self.evolve(start, self.parameters)
        except RequestError as error:
            self._ask_parameters()
            self._message = str(error)
            return
        self._step = _S.ACCEPT

    def _judge(self, word: str) -> None:
        if word.lower() in ("c", "continue"):
            self._evolve(self.result)
        elif not yes(word):
            self._ask_parameters()
        elif self.merged is None:
            self._keep(self.result)
        else:
            self._step = _S.MERGE

    def _keep(self, merged: Any) -> None:
        self.merged, self.result, self.initial = merged, None, None
        self.branches += 1
        self._step = _S.ANOTHER


def _number(step: EvolutionStep, word: str) -> Any:
    try:
        value = int(word) if step is _S.ITERATIONS else float(word)
    except ValueError:
        value = math.nan
    least = 1 if step is _S.ITERATIONS else 0
    bounded = step not in (_S.LOWER, _S.UPPER)
    if not math.isfinite(value) or (bounded and value < least):
        raise RefusalError(f"{brief(word or 'nothing')} does not answer: {_ALLOWED[step].partition(',')[0]} is needed")
    return value
