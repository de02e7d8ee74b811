"""How scripts feed each other, shown on small scripts of the test's own."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pytest

from mitk_rs import vmtk as registry
from mitk_rs.errors import RequestError, UsageError
from mitk_rs.vmtk import pypes


class Source(pypes.pypeScript):
    """Makes a number."""

    def __init__(self) -> None:
        super().__init__()
        self.Level = 1.0
        self.Thing: Any = None
        self.SetScriptName("source")
        self.SetScriptDoc("make a thing")
        self.SetInputMembers([["Level", "l", "float", 1, "(0.0,)", "the level"]])
        self.SetOutputMembers([["Thing", "o", "thing", 1, "", "the thing"]])

    def Execute(self) -> None:
        self.PrintLog("making")
        self.Thing = f"thing of {self.Level}"


class Sink(pypes.pypeScript):
    """Takes what others make."""

    def __init__(self) -> None:
        super().__init__()
        self.Level = 5.0
        self.Thing: Any = None
        self.Other: Any = None
        self.SetScriptName("sink")
        self.SetInputMembers([["Thing", "i", "thing", 1], ["Other", "other", "thing", 1], ["Level", "l", "float", 1]])
        self.SetOutputMembers([["Other", "oother", "thing", 1]])


@pytest.fixture(autouse=True)
def _scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    made = {"source": Source, "sink": Sink}
    monkeypatch.setattr(registry, "script_class", lambda name: made[name] if name in made else real(name))


real = registry.script_class


def run(line: str, **options: Any) -> SimpleNamespace:
    pype = pypes.Pype()
    pype.OutputStream = io.StringIO()
    for name, value in options.items():
        setattr(pype, name, value)
    pype.SetArgumentsString(line)
    pype.ParseArguments()
    pype.Execute()
    return SimpleNamespace(scripts=pype.ScriptObjectList, log=pype.OutputStream.getvalue(), pype=pype)


def test_the_log_is_the_one_people_parse() -> None:
    assert run("source -l 2 --pipe sink").log == (
        "\nAutomatic piping source\nParsing options source\n    Level = 2.0\nExplicit piping source\n"
        "Input source members:\n    Id = 0\n    Disabled = 0\n    Level = 2.0\nExecuting source ...\nmaking\n"
        "Done executing source.\nOutput source members:\n    Id = 0\n    Thing = thing\n"
        "\nAutomatic piping sink\n    Thing = source-0.Thing\nParsing options sink\nExplicit piping sink\n"
        "Input sink members:\n    Id = 0\n    Disabled = 0\n    Thing = thing\n    Other = None\n    Level = 5.0\n"
        "Executing sink ...\nDone executing sink.\nOutput sink members:\n    Id = 0\n    Other = None\n"
    )


def test_same_name_and_type_flows_by_itself() -> None:
    assert run("source --pipe sink").scripts[-1].Thing == "thing of 1.0"


def test_the_latest_fitting_output_flows() -> None:
    assert run("source -l 2 --pipe source -l 3 -id b --pipe sink").scripts[-1].Thing == "thing of 3.0"


def test_noauto_cuts_automatic_pipes() -> None:
    assert run("source --pipe sink --noauto").scripts[-1].Thing is None


@pytest.mark.parametrize("reference", ["@.o", "@source.o", "@source-0.o"])
def test_references_of_every_form(reference: str) -> None:
    result = run(f"source --pipe sink -other {reference}")
    assert result.scripts[-1].Other == "thing of 1.0"
    assert f"\n    Other = {reference}\n" in result.log
    assert "\n    Other = source-0.Thing\n" in result.log


def test_a_reference_by_id_takes_that_one() -> None:
    assert run("source -l 2 -id a --pipe source -l 3 -id b --pipe sink -other @source-a.o").scripts[-1].Other == (
        "thing of 2.0"
    )


def test_inputs_can_be_referred_to() -> None:
    assert run("source -l 7 --pipe sink -l @.l").scripts[-1].Level == 7.0


def test_an_at_sign_alone_cuts_the_pipe() -> None:
    assert run("source --pipe sink -i @").scripts[-1].Thing is None
    assert run("source -l@ 20 --pipe sink -l @").scripts[-1].Level is None


def test_a_member_tells_where_its_value_comes_from() -> None:
    sink = run("source --pipe sink -other @.o").scripts[-1]
    pipes = {member.MemberName: member.MemberPipe for member in sink.InputMembers}
    assert (pipes["Thing"], pipes["Other"], pipes["Level"]) == ("source-0.Thing", "source-0.Thing", "")


@pytest.mark.parametrize("reference", ["@.nosuch", "@nosuch.o", "@source-9.o", "@o", "@source.o.o"])
def test_a_bad_reference_stops_before_anything_runs(reference: str) -> None:
    pype = pypes.Pype()
    pype.OutputStream = io.StringIO()
    pype.SetArgumentsString(f"source --pipe sink -other {reference}")
    pype.ParseArguments()
    with pytest.raises(UsageError, match="invalid option piping"):
        pype.Execute()
    assert pype.OutputStream.getvalue() == ""


def test_pushed_inputs_flow_and_unpushed_do_not() -> None:
    assert run("source -l@ 20 --pipe sink").scripts[-1].Level == 20.0
    assert run("source -l 20 --pipe sink").scripts[-1].Level == 5.0


def test_an_explicit_zero_beats_the_pipe() -> None:
    assert run("source -l@ 20 --pipe sink -l 0").scripts[-1].Level == 0.0


def test_a_disabled_script_is_invisible() -> None:
    result = run("source -disabled 1 --pipe sink")
    assert [script.ScriptName for script in result.scripts] == ["sink"]
    assert "source is disabled. Bypassing it." in result.log
    with pytest.raises(UsageError, match="invalid option piping"):
        run("source -disabled 1 --pipe sink -other @source.o")


def test_nolog_is_silent_wherever_it_stands() -> None:
    assert run("source --nolog --pipe sink").log == ""


def test_help_wins_wherever_it_stands_and_ends_the_pype() -> None:
    result = run("source -nosuch 3 --help --pipe nosuch")
    assert "source : make a thing" in result.log
    assert "-l Level (float,1) >= 0.0; default=1.0: the level" in " ".join(result.log.split())
    assert result.scripts == []


def test_earlier_scripts_have_run_when_a_later_one_shows_its_help() -> None:
    assert [script.ScriptName for script in run("source --pipe sink --help").scripts] == ["source"]


def test_an_error_anywhere_on_the_line_keeps_all_scripts_from_running() -> None:
    with pytest.raises(UsageError, match="unknown option -nosuch"):
        run("source --pipe sink -nosuch 1")


def test_scripts_are_found_by_name_and_id() -> None:
    pype = run("source -id a --pipe sink").pype
    assert pype.GetScriptObject("source", "a").Id == "a"
    assert pype.GetScriptObject("source", "0") is None


def test_an_unknown_script_is_named_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="unknown script vmtkimagereadr; did you mean vmtkimagereader"):
        run("vmtkimagereadr")


def test_the_usage_of_a_pype_is_vmtks() -> None:
    usage = pypes.Pype().GetUsageString()
    assert usage.startswith("Usage: pype --nolog --noauto --query firstScriptName -scriptOptionName scriptOptionValue ")
    assert usage.endswith(" -id 2 --pipe thirdScriptName -scriptOptionName @secondScriptName-2.scriptOptionName")


def test_errors_are_runtime_errors_and_never_end_the_host() -> None:
    with pytest.raises(RuntimeError, match="no Image"):
        pypes.PypeRun("vmtkimageinitialization -interactive 0 --nolog")


def test_a_misspelt_attribute_is_noticed() -> None:
    from mitk_rs.vmtk import vmtkscripts
    from mitk_rs.vmtk.script import UnknownAttributeWarning

    script = vmtkscripts.vmtkImageInitialization()
    with pytest.warns(UnknownAttributeWarning, match="did you mean LowerThreshold"):
        script.LowerTreshold = 5


def test_own_scripts_may_make_attributes_as_they_like() -> None:
    script = Source()
    script.Whatever = 3
    assert script.Whatever == 3


def test_printerror_raises_without_the_word_error() -> None:
    with pytest.raises(RequestError, match=r"^no Image\.$"):
        Source().PrintError("Error: no Image.")


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("@reader", "invalid option piping @reader; write @.option, @script.option or @script-ID.option"),
        ("@a.b.c", "invalid option piping @a.b.c; write @.option"),
        ("@nobody.o", "invalid option piping @nobody.o; scripts before this one: none"),
    ],
)
def test_a_bad_reference_is_told_with_what_would_do(reference: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        pypes.PypeRun(f"vmtkimagewriter --nolog -i {reference} -ofile x.vti")
    assert message in str(caught.value)
