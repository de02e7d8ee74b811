"""``vmtkimagefeatures`` and ``vmtklevelsetsegmentation``: VMTK's options and numbers, headless and in a dialogue."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK

import mitk_rs as mitk
from mitk_rs.errors import DisplayError, RequestError, UsageError
from mitk_rs.vmtk import pypes, vmtkscripts

# Option, attribute, type, number of values, default.
FEATURES = """
i Image vtkImageData 1 None
dimensionality Dimensionality int 1 3
featureimagetype FeatureImageType str 1 gradient
sigmoid SigmoidRemapping bool 1 0
derivativesigma DerivativeSigma float 1 0.0
upwindfactor UpwindFactor float 1 1.0
fwhmradius FWHMRadius int 3 [3, 3, 3]
fwhmbackgroundvalue FWHMBackgroundValue float 1 0.0
"""
LEVEL_SETS = """
i Image vtkImageData 1 None
featureimage FeatureImage vtkImageData 1 None
initializationimage InitializationImage vtkImageData 1 None
initiallevelsets InitialLevelSets vtkImageData 1 None
levelsets LevelSets vtkImageData 1 None
levelsetstype LevelSetsType str 1 geodesic
featureimagetype FeatureImageType str 1 gradient
sigmoid SigmoidRemapping bool 1 0
isosurfacevalue IsoSurfaceValue float 1 0.0
derivativesigma DerivativeSigma float 1 0.0
featurederivativesigma FeatureDerivativeSigma float 1 0.0
upwindfactor UpwindFactor float 1 1.0
fwhmradius FWHMRadius float 3 [1.0, 1.0, 1.0]
fwhmbackgroundvalue FWHMBackgroundValue float 1 0.0
negate NegateImage bool 1 0
iterations NumberOfIterations int 1 0
propagation PropagationScaling float 1 0.0
curvature CurvatureScaling float 1 0.0
advection AdvectionScaling float 1 1.0
edgeweight EdgeWeight float 1 0.0
smoothingiterations SmoothingIterations int 1 5
smoothingtimestep SmoothingTimeStep float 1 0.1
smoothingconductance SmoothingConductance float 1 0.8
renderer vmtkRenderer vtkRenderer 1 None
"""
OUTPUTS = {
    "vmtkImageFeatures": ["o Image"],
    "vmtkLevelSetSegmentation": ["o LevelSets", "ofeatureimage FeatureImage"],
}
DISTANCE = np.sqrt(sum(a**2 for a in np.mgrid[:16, :18, :20] - 8.0)).astype(np.float32)
SCAN = (100 / (1 + np.exp(2 * (DISTANCE - 6)))).astype(np.float32)


@pytest.mark.parametrize(("name", "rows"), [("vmtkImageFeatures", FEATURES), ("vmtkLevelSetSegmentation", LEVEL_SETS)])
def test_every_option_of_vmtk_is_there_with_its_default(name: str, rows: str) -> None:
    script = getattr(vmtkscripts, name)()
    members = {member.OptionName: member for member in script.InputMembers}
    for row in rows.strip().splitlines():
        option, attribute, kind, length, default = row.split(maxsplit=4)
        member = members[option]
        assert (member.MemberName, member.MemberLength) == (attribute, int(length))
        assert member.MemberType == kind.replace("vtkRenderer", "vmtkRenderer")
        assert str(getattr(script, attribute)) == default
        assert member.MemberDoc
    outputs = [f"{member.OptionName} {member.MemberName}" for member in script.OutputMembers]
    assert outputs[2:] == OUTPUTS[name]


def features(**attributes: Any) -> Any:
    return executed(vmtkscripts.vmtkImageFeatures(), Image=SCAN, **attributes)


def segmented(**attributes: Any) -> Any:
    given = {"Image": SCAN, "InitialLevelSets": DISTANCE - 4, "NumberOfIterations": 20, "PropagationScaling": 1.0}
    return executed(vmtkscripts.vmtkLevelSetSegmentation(), **{**given, **attributes})


def executed(script: Any, **attributes: Any) -> Any:
    script.LogOn = 0
    for name, value in attributes.items():
        setattr(script, name, value)
    script.Execute()
    return script


def test_features_are_those_of_the_function() -> None:
    for attributes, options in (
        ({}, {}),
        ({"DerivativeSigma": 1.0, "SigmoidRemapping": 1}, {"sigma": 1.0, "sigmoid": True}),
        ({"FeatureImageType": "vtkgradient", "Dimensionality": 2}, {"type": "vtkgradient", "dimensionality": 2}),
        ({"FeatureImageType": "upwind", "UpwindFactor": 0.5}, {"type": "upwind", "upwind_factor": 0.5}),
        ({"FeatureImageType": "fwhm"}, {"type": "fwhm", "radius": (3, 3, 3)}),
    ):
        script = features(**attributes)
        np.testing.assert_array_equal(script.FeatureImage, mitk.feature_image(SCAN, **options))
        assert script.Image is script.FeatureImage


def test_options_that_a_feature_type_ignores_are_ignored() -> None:
    script = features(FeatureImageType="fwhm", SigmoidRemapping=1, DerivativeSigma=2.0)
    np.testing.assert_array_equal(script.FeatureImage, features(FeatureImageType="fwhm").FeatureImage)


def test_an_evolution_is_that_of_the_function() -> None:
    script = segmented(CurvatureScaling=0.2, FeatureDerivativeSigma=0.8)
    expected = mitk.evolve_level_set(
        SCAN, DISTANCE - 4, iterations=20, propagation=1, curvature=0.2, feature_sigma=0.8, advection_sigma=0.8
    )
    np.testing.assert_array_equal(script.LevelSets, expected.level_set.array)
    np.testing.assert_array_equal(script.FeatureImage, mitk.feature_image(SCAN, sigma=0.8))
    assert script.Report.iterations == 20


@pytest.mark.parametrize("kind", ["curves", "threshold", "laplacian"])
def test_the_other_types(kind: str) -> None:
    thresholds: dict[str, Any] = {}
    if kind == "threshold":
        thresholds = {"LowerThreshold": 50.0, "UpperThreshold": 200.0, "EdgeWeight": 0.5}
    script = segmented(LevelSetsType=kind, **thresholds)
    options: dict[str, Any] = {}
    if kind == "threshold":
        options = {"lower_threshold": 50, "upper_threshold": 200, "edge_weight": 0.5, "smoothing_time_step": 0.1}
    expected = mitk.evolve_level_set(SCAN, DISTANCE - 4, type=kind, iterations=20, propagation=1, **options)
    np.testing.assert_array_equal(script.LevelSets, expected.level_set.array)


def test_curves_run_backwards_under_compat_alone() -> None:
    forwards, backwards = (segmented(LevelSetsType="curves", Compat=compat).LevelSets for compat in ("", "vmtk"))
    assert (backwards < 0).sum() < (DISTANCE < 4).sum() < (forwards < 0).sum()


def test_a_level_set_of_another_type_is_converted() -> None:
    """VMTK reads its bytes as floats."""
    whole = np.rint(10 * (DISTANCE - 4)).astype(np.int16)
    expected = segmented(InitialLevelSets=whole.astype(np.float32)).LevelSets
    np.testing.assert_array_equal(segmented(InitialLevelSets=whole).LevelSets, expected)
    np.testing.assert_array_equal(segmented(Image=SCAN.astype(np.float64)).LevelSets, segmented().LevelSets)


def test_branches_are_merged_whatever_their_type() -> None:
    other = np.where(DISTANCE > 9, -1, 1)
    for dtype in (np.float32, np.float64, np.int16):
        merged = segmented(LevelSets=other.astype(dtype)).LevelSets
        np.testing.assert_array_equal(merged, np.minimum(segmented().LevelSets, other.astype(np.float32)))


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"InitialLevelSets": DISTANCE[:5]}, "has 20 x 18 x 5 voxels, the input image 20 x 18 x 16"),
        ({"FeatureImage": DISTANCE[:5]}, "has 20 x 18 x 5 voxels"),
        ({"LevelSets": DISTANCE[:5]}, "20 x 18 x 5"),
        ({"InitialLevelSets": (DISTANCE - 4, (2.0, 2.0, 2.0))}, "has the spacing"),
        ({"InitialLevelSets": None}, "no InitialLevelSets: give -initiallevelsetsfile"),
        ({"InitialLevelSets": None, "LevelSetsInput": DISTANCE - 4}, "set InitialLevelSets"),
        ({"Image": None}, "no Image"),
        ({"LevelSetsType": "threshold"}, "needs -lowerthreshold and -upperthreshold"),
        ({"LevelSetsType": "threshold", "LowerThreshold": 3.0}, "needs -upperthreshold"),
        ({"FeatureImageType": "fwhm", "FWHMRadius": [1.5, 1, 1]}, "whole numbers of voxels"),
        ({"InitialLevelSets": DISTANCE + 1}, "initial is nowhere below the isosurface"),
    ],
)
def test_what_vmtk_takes_silently_is_an_error(attributes: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        segmented(**attributes)


def test_results_come_back_as_what_came_in() -> None:
    image = mitk.Image(SCAN, spacing=(0.5, 0.6, 0.7), origin=(1, 2, 3), direction=np.diag([-1.0, -1.0, 1.0]))
    ours = segmented(Image=image, InitialLevelSets=mitk.Image(DISTANCE - 4, spacing=(0.5, 0.6, 0.7)))
    assert isinstance(ours.LevelSets, mitk.Image)
    assert (ours.LevelSets.spacing, ours.LevelSets.origin) == (image.spacing, image.origin)
    simple = SimpleITK.GetImageFromArray(SCAN)
    assert isinstance(segmented(Image=simple).LevelSets, SimpleITK.Image)


def test_a_pype_from_files_to_files(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    mitk.Image(SCAN, spacing=(1, 1, 2)).save("scan.mha")
    pypes.PypeRun(
        "vmtkimagereader -ifile scan.mha --pipe vmtkimageinitialization -interactive 0 -method threshold "
        "-lowerthreshold 95 --pipe vmtklevelsetsegmentation -iterations 30 -propagation 1 -curvature 0.1 "
        "-ofile ls.mha -ofeatureimagefile f.mha"
    )
    start = mitk.Image(np.where(SCAN >= 95, -1, 1).astype(np.float32), spacing=(1, 1, 2))
    scan = mitk.Image("scan.mha")
    expected = mitk.evolve_level_set(scan, start, iterations=30, propagation=1, curvature=0.1)
    np.testing.assert_array_equal(mitk.Image("ls.mha").array, expected.level_set.array)
    np.testing.assert_array_equal(mitk.Image("f.mha").array, mitk.feature_image(scan).array)
    pypes.PypeRun("vmtkimagefeatures -ifile scan.mha -derivativesigma 1 --pipe vmtkimagewriter -ofile g.mha")
    np.testing.assert_array_equal(mitk.Image("g.mha").array, mitk.feature_image(scan, sigma=1).array)


def test_vmtks_published_result(test_data: Path) -> None:
    pype = pypes.PypeRun(
        f"vmtklevelsetsegmentation -ifile {test_data}/aorta.mha -iterations 10 --nolog "
        f"-initiallevelsetsfile {test_data}/vmtk_reference_fastmarching.mha --compat vmtk --pipe"
    )
    made = pype.GetScriptObject("vmtklevelsetsegmentation", "0").LevelSetsOutput
    from mitk_rs.vmtk.conversion import as_image

    reference = mitk.Image(test_data / "vmtk_reference_geodesic.mha").array
    ours = as_image(made).as_numpy(time_step=0)
    assert (ours == reference).mean() >= 0.99
    assert np.abs(ours - reference).max() <= 2.5e-7


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("-levelsetstype snake", "-levelsetstype must be one of geodesic, curves"),
        ("-iterations -1", "-iterations must be >= 0"),
        ("-propagation -1", "-propagation must be >= 0.0"),
        ("-upwindfactor 2", "-upwindfactor must be"),
        ("-fwhmradius 1 1", "-fwhmradius needs 3 values"),
        ("-iteration 5", "did you mean -iterations"),
    ],
)
def test_words_that_do_not_fit_are_refused(words: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        pypes.PypeRun(f"vmtklevelsetsegmentation {words}")


# The dialogue


def answered(tmp_path: Path, lines: str, **attributes: Any) -> Any:
    answers = tmp_path / "answers.txt"
    answers.write_text(lines)
    return segmented(NumberOfIterations=0, DialogueFileName=str(answers), **attributes)


def test_the_parameters_are_asked_for_until_the_result_is_accepted(tmp_path: Path) -> None:
    picture = tmp_path / "before.png"
    lines = f"show {picture}\n5\n1\n0\n1\nn\n10\n2\n0.1\ndefault\ny\nn\n"
    script = answered(tmp_path, lines)
    expected = segmented(NumberOfIterations=10, PropagationScaling=2.0, CurvatureScaling=0.1)
    np.testing.assert_array_equal(script.LevelSets, expected.LevelSets)
    assert picture.stat().st_size > 0


def test_an_evolution_is_continued_from_its_result(tmp_path: Path) -> None:
    script = answered(tmp_path, "10\n1\n0\n1\nc\ny\nn\n")
    first = segmented(NumberOfIterations=10)
    np.testing.assert_array_equal(
        script.LevelSets, segmented(NumberOfIterations=10, InitialLevelSets=first.LevelSets).LevelSets
    )


def test_the_dialogue_asks_for_the_thresholds_of_the_type(tmp_path: Path) -> None:
    script = answered(tmp_path, "50\n200\n20\n1\n0\ny\nn\n", LevelSetsType="threshold")
    expected = segmented(LevelSetsType="threshold", LowerThreshold=50, UpperThreshold=200)
    np.testing.assert_array_equal(script.LevelSets, expected.LevelSets)
    with pytest.raises(UsageError, match="below the lower one"):
        answered(tmp_path, "50\n20\n", LevelSetsType="threshold")


def test_several_branches_are_initialized_evolved_and_merged(tmp_path: Path) -> None:
    branch = "3\n95\nn\ny\nn\n20\n1\n0\n1\ny\n"
    script = answered(tmp_path, f"{branch}y\n{branch}y\nn\n", InitialLevelSets=None)
    start = np.where(SCAN >= 95, -1, 1).astype(np.float32)
    np.testing.assert_array_equal(script.LevelSets, segmented(InitialLevelSets=start).LevelSets)
    with pytest.raises(RequestError, match="the dialogue was cancelled, nothing is written"):
        answered(tmp_path, "20\ncancel\n")


def test_a_terminal_is_asked(monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    terminal = io.StringIO("frog\n10\n1\n0\n1\ny\nn\n")
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    script = segmented(NumberOfIterations=0, InputStream=terminal)
    np.testing.assert_array_equal(script.LevelSets, segmented(NumberOfIterations=10).LevelSets)
    said = capsys.readouterr().err
    assert "Number of iterations (a whole number of at least 1) [300]" in said
    assert "'frog' does not answer" in said


def test_without_display_and_terminal_nobody_is_asked(monkeypatch: Any) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(DisplayError, match="-iterations N"):
        segmented(NumberOfIterations=0, InputStream=io.StringIO())
