"""The dialogue of interactive initialization, without any window or terminal."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitk_rs.errors import FileMissingError, RequestError, UsageError
from mitk_rs.viewer.dialogue import (
    METHOD_DIGITS,
    Branch,
    Dialogue,
    DoubtError,
    EvolutionDialogue,
    EvolutionStep,
    RefusalError,
    Step,
)
from mitk_rs.viewer.front_ends import replay, run_terminal

EXTENT = (0, 19, 4, 10, 0, 9)


def dialogue(defaults: Branch | None = None, fails: tuple[str, ...] = ()) -> Dialogue:
    def compute(branch: Branch) -> Any:
        if branch.method in fails:
            raise RequestError("no way through")
        return {branch}

    return Dialogue(EXTENT, compute, lambda one, other: one | other, defaults or Branch())


def say(session: Dialogue, *answers: str) -> None:
    for answer in answers:
        session.answer(answer)


def test_the_digits_are_those_of_vmtk() -> None:
    assert METHOD_DIGITS == (
        "collidingfronts",
        "multiplecollidingfronts",
        "fastmarching",
        "threshold",
        "isosurface",
        "seeds",
    )


def test_two_branches_are_merged() -> None:
    session = dialogue()
    say(session, "0", "10", "n")
    session.add_seed((1, 5, 2))
    session.add_seed((3, 6, 2))
    session.seeds_done()
    say(session, "y", "y", "2", "n", "20")
    session.add_seed((1, 5, 2))
    session.seeds_done()
    session.add_seed((9, 9, 9))
    session.seeds_done()
    say(session, "y", "n")
    assert session.step is Step.DONE
    assert session.merged == {
        Branch("collidingfronts", 10.0, None, None, ((1, 5, 2),), ((3, 6, 2),)),
        Branch("fastmarching", None, 20.0, None, ((1, 5, 2),), ((9, 9, 9),)),
    }


def test_a_rejected_result_is_not_merged() -> None:
    session = dialogue()
    say(session, "4", "50", "n", "n")
    assert session.step is Step.DONE
    assert session.merged is None


@pytest.mark.parametrize("answer", ["", "7", "x", "-1", "²", "0 0"])
def test_a_wrong_method_is_asked_again(answer: str) -> None:
    session = dialogue()
    with pytest.raises(RefusalError, match="not a method"):
        session.answer(answer)
    assert session.step is Step.METHOD


@pytest.mark.parametrize("answer", ["", "x", "nan", "1,5"])
def test_a_wrong_number_is_asked_again(answer: str) -> None:
    session = dialogue()
    session.answer("0")
    with pytest.raises(RefusalError, match="not a number or n"):
        session.answer(answer)
    assert session.step is Step.LOWER


def test_isosurface_needs_a_number_where_vmtk_crashes() -> None:
    session = dialogue()
    session.answer("4")
    with pytest.raises(RefusalError, match="'n' is not a number"):
        session.answer("n")


def test_crossed_and_missing_thresholds_are_told() -> None:
    session = dialogue()
    say(session, "3", "5")
    with pytest.raises(RefusalError, match="nothing lies between"):
        session.answer("4")
    session = dialogue()
    say(session, "3", "n")
    with pytest.raises(RefusalError, match="needs a lower or an upper"):
        session.answer("n")


def test_colliding_fronts_want_exactly_two_seeds() -> None:
    session = dialogue()
    say(session, "0", "n", "n")
    session.add_seed((1, 5, 2))
    with pytest.raises(RefusalError, match="exactly 2 seeds are needed, 1 is placed; place one more"):
        session.seeds_done()
    assert session.seeds == [(1, 5, 2)]


def test_pairs_are_sources_and_targets_in_turn() -> None:
    session = dialogue()
    say(session, "1", "n", "n")
    for i in range(4):
        session.add_seed((i, 5, 0))
    session.seeds_done()
    assert (session.branch.sources, session.branch.targets) == (((0, 5, 0), (2, 5, 0)), ((1, 5, 0), (3, 5, 0)))


def test_an_odd_seed_is_not_dropped_silently() -> None:
    session = dialogue()
    say(session, "1", "n", "n")
    session.add_seed((0, 5, 0))
    with pytest.raises(RefusalError, match="pairs, 1 is placed"):
        session.seeds_done()


def test_seeds_are_counted_as_in_the_extent() -> None:
    session = dialogue()
    session.answer("5")
    session.add_seed((0, 4, 0))
    with pytest.raises(RefusalError, match="j goes from 4 to 10"):
        session.add_seed((0, 3, 0))


def test_the_last_seed_can_be_taken_back() -> None:
    session = dialogue()
    session.answer("5")
    session.add_seed((0, 4, 0))
    session.add_seed((1, 4, 0))
    session.undo_seed()
    assert session.seeds == [(0, 4, 0)]
    session.undo_seed()
    with pytest.raises(RefusalError, match="no seed"):
        session.undo_seed()


def test_what_the_line_says_is_the_default() -> None:
    session = dialogue(Branch("fastmarching", 10.0, None, None, ((1, 5, 2),), ((3, 6, 2),)))
    assert session.prompt.endswith("[2]")
    session.answer("")
    assert session.prompt.endswith("[10]")
    say(session, "", "n")
    assert session.seeds == [(1, 5, 2)]
    session.seeds_done()
    session.seeds_done()
    assert session.step is Step.ACCEPT


def test_points_of_the_line_are_for_the_first_branch_and_thresholds_stay() -> None:
    session = dialogue(Branch("seeds", None, None, None, ((1, 5, 2),), ()))
    session.answer("")
    session.seeds_done()
    say(session, "y", "y", "5")
    assert session.seeds == []
    session = dialogue()
    say(session, "3", "7", "n", "y", "y", "3")
    assert session.default == "7"


def test_looking_at_the_image_keeps_the_question() -> None:
    session = dialogue()
    say(session, "0", "i")
    assert (session.looking, session.step) == (True, Step.LOWER)
    session.looking = False
    session.answer("5")
    assert session.step is Step.UPPER


def test_the_preview_follows_what_is_typed() -> None:
    session = dialogue()
    assert session.interval_with("5") is None
    session.answer("0")
    assert session.interval_with("12") == (12.0, float("inf"))
    assert session.interval_with("12x") is None
    session.answer("12")
    assert session.interval_with("20") == (12.0, 20.0)


def test_a_failed_computation_starts_the_branch_again() -> None:
    session = dialogue(fails=("isosurface",))
    say(session, "4", "3")
    assert (session.step, session.message) == (Step.METHOD, "no way through")


def test_cancel_gives_nothing() -> None:
    session = dialogue()
    say(session, "4", "3", "y")
    session.cancel()
    assert session.finished
    assert session.merged is None


def test_one_step_back_asks_again_and_offers_what_was_answered() -> None:
    session = dialogue()
    with pytest.raises(RefusalError, match="this is the first question"):
        session.back()
    say(session, "0", "10", "n")
    session.add_seed((1, 5, 2))
    session.back()
    assert (session.step, session.branch.upper) == (Step.UPPER, None)
    session.back()
    assert (session.step, session.default) == (Step.LOWER, "10")
    say(session, "12", "n")
    assert session.seeds == [(1, 5, 2)]
    session.add_seed((3, 6, 2))
    session.seeds_done()
    assert session.result == {Branch("collidingfronts", 12.0, None, None, ((1, 5, 2),), ((3, 6, 2),))}
    session.back()
    assert (session.step, session.seeds, session.result) == (Step.TWO_SEEDS, [(1, 5, 2), (3, 6, 2)], None)
    session.seeds_done()
    session.answer("y")
    assert session.accepted == 1
    session.back()
    assert (session.step, session.accepted, session.merged) == (Step.ACCEPT, 0, None)
    assert session.result is not None


def test_the_way_back_from_a_failed_computation_keeps_the_seeds() -> None:
    session = dialogue(fails=("seeds",))
    session.answer("5")
    session.add_seed((0, 4, 0))
    session.seeds_done()
    assert (session.step, session.message) == (Step.METHOD, "no way through")
    session.back()
    assert (session.step, session.seeds) == (Step.SEEDS, [(0, 4, 0)])


def test_values_that_no_voxel_has_are_asked_for_twice() -> None:
    session = dialogue()
    session.value_range = (0.0, 2570.2)
    session.answer("0")
    assert session.prompt == "Lower threshold (a number, n for none, i to look at the image; values: 0 to 2570.2)"
    with pytest.raises(DoubtError, match=r"99999 is outside of the values of the image, 0 to 2570.2; answer it once"):
        session.answer("99999")
    with pytest.raises(DoubtError, match="-3 is outside"):
        session.answer("-3")
    assert session.step is Step.LOWER
    session.answer("-3")
    assert (session.step, session.branch.lower) == (Step.UPPER, -3.0)
    session.answer("2570.2")
    assert session.step is Step.TWO_SEEDS


@settings(max_examples=200)
@given(
    st.lists(st.sampled_from([*"0123456", "n", "y", "i", "", "seed", "undo", "done", "back", "-3.5", "x"]), max_size=40)
)
def test_no_order_of_answers_breaks_it(moves: list[str]) -> None:
    session = dialogue(fails=("seeds",))
    for move in moves:
        before = session.step
        try:
            if move == "seed":
                session.add_seed((0, 4, 0))
            elif move == "undo":
                session.undo_seed()
            elif move == "done":
                session.seeds_done()
            elif move == "back":
                session.back()
            else:
                session.answer(move)
        except RefusalError:
            assert session.step is before
    assert session.prompt or session.finished


# Lines: the terminal and replay


def no_picture(_: Dialogue, path: Path) -> None:
    path.write_text("picture")


def script(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "answers.txt"
    path.write_text(text)
    return path


def test_a_script_file_leads_the_dialogue(tmp_path: Path) -> None:
    session = dialogue()
    lines = "0   # colliding fronts\n10\nn\n\n1 5 2\n3, 6, 2\n9 9 9\nundo\ndone\nshow {}\ny\nn\n"
    replay(session, no_picture, script(tmp_path, lines.format(tmp_path / "p.png")), lambda _: None)
    assert session.merged == {Branch("collidingfronts", 10.0, None, None, ((1, 5, 2),), ((3, 6, 2),))}
    assert (tmp_path / "p.png").read_text() == "picture"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("9\n", ":1: '9' is not a method"),
        ("0\n\nn\nn\n1 2\n", ":5: '1 2' is not a voxel"),
        ("0\nn\n", "ends after line 2 while this is asked: Upper threshold"),
        ("4\n3\ny\nn\nmore\n", ":5: the dialogue has ended before this line"),
        ("", "ends after line 0"),
    ],
)
def test_a_script_file_that_does_not_fit_is_told_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        replay(dialogue(), no_picture, script(tmp_path, text), lambda _: None)
    assert message in str(caught.value)


def test_a_missing_script_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileMissingError):
        replay(dialogue(), no_picture, tmp_path / "none", lambda _: None)


def test_a_terminal_asks_again_and_shows_what_is_wrong() -> None:
    session, said = dialogue(), io.StringIO()
    run_terminal(session, no_picture, io.StringIO("x\n4\n50\ny\nn\n"), said.write)
    assert session.merged == {Branch("isosurface", isovalue=50.0)}
    assert "'x' is not a method" in said.getvalue()


def test_a_terminal_goes_back_and_helps(tmp_path: Path) -> None:
    session, said = dialogue(), io.StringIO()
    session.value_range = (0.0, 100.0)
    lines = "4\n500\n500\nback\nhelp\n50\ny\nn\n"
    run_terminal(session, no_picture, io.StringIO(lines), said.write)
    assert session.merged == {Branch("isosurface", isovalue=50.0)}
    assert "back goes one question back" in said.getvalue()
    assert said.getvalue().count("500 is outside of the values of the image, 0 to 100") == 1
    session = dialogue()
    session.value_range = (0.0, 100.0)
    replay(session, no_picture, script(tmp_path, "4\n500\nback\n50\ny\nn\n"), lambda _: None)
    assert session.merged == {Branch("isosurface", isovalue=50.0)}


def test_the_end_of_input_cancels() -> None:
    session = dialogue()
    run_terminal(session, no_picture, io.StringIO("0\n"), lambda _: None)
    assert session.step is Step.CANCELLED


# Evolution


def evolution(**options: Any) -> EvolutionDialogue:
    questions = (EvolutionStep.LOWER, EvolutionStep.UPPER, EvolutionStep.ITERATIONS)
    return EvolutionDialogue(
        questions,
        lambda start, used: {*start, used.iterations},
        lambda one, other: one | other,
        dialogue,
        value_range=(0.0, 100.0),
        **options,
    )


def test_an_evolution_goes_back_into_the_dialogue_about_its_start() -> None:
    session = evolution()
    with pytest.raises(RefusalError, match="this is the first question"):
        session.back()
    for answer in ("4", "50", "y", "n"):
        session.answer(answer)
    assert session.prompt == "Lower threshold of the speed (a number, i to look at the image; values: 0 to 100)"
    session.back()
    assert session.step is Step.ANOTHER
    session.back()
    session.back()
    assert session.step is Step.ISOVALUE
    assert session.prompt.endswith("[50]")
    for answer in ("40", "y", "n"):
        session.answer(answer)
    assert session.initial == {Branch("isosurface", isovalue=40.0)}
    assert session.message == ""


def test_a_lower_threshold_of_0_is_a_bound_of_what_is_shown() -> None:
    session = evolution(initial=frozenset({"start"}))
    session.answer("0")
    assert session.interval_with("20") == (0.0, 20.0)


def test_an_evolution_goes_back_through_its_parameters() -> None:
    session = evolution(initial=frozenset({"start"}))
    with pytest.raises(DoubtError, match="500 is outside of the values of the image, 0 to 100"):
        session.answer("500")
    session.answer("10")
    session.answer("20")
    session.answer("7")
    assert (session.step, session.result) == (EvolutionStep.ACCEPT, {"start", 7})
    session.back()
    assert (session.step, session.default, session.result) == (EvolutionStep.ITERATIONS, "7", frozenset({"start"}))
    session.back()
    session.back()
    assert (session.step, session.default) == (EvolutionStep.LOWER, "10")
    for answer in ("", "", "9", "y"):
        session.answer(answer)
    assert (session.accepted, session.merged) == (1, {"start", 9})
    session.back()
    assert (session.accepted, session.merged, session.step) == (0, None, EvolutionStep.ACCEPT)
