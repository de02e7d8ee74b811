"""Files of points become the voxels that they name, whatever their coordinates and the axes of the scan.

The fixtures are written here by hand, from the documented formats: every millimetre comes from the image's matrix by
plain arithmetic, not from the package.
"""

import contextlib
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mitk_rs as mitk
from mitk_rs.seeds import SEED_SUFFIXES, Seed, Seeds

INDICES = [(3, 17, 5), (20, 2, 11), (0, 0, 0)]
LABELS = ["inlet", "aorta", "aorta"]
SPACING, ORIGIN = (0.7, 0.9, 2.5), (-31.5, 12.25, 140.0)


def oblique():
    a, b = math.radians(25), math.radians(-40)
    z = np.array([[math.cos(a), -math.sin(a), 0], [math.sin(a), math.cos(a), 0], [0, 0, 1]])
    x = np.array([[1, 0, 0], [0, math.cos(b), -math.sin(b)], [0, math.sin(b), math.cos(b)]])
    return z @ x


DIRECTIONS = {
    "axial": np.eye(3),
    "oblique": oblique(),
    "left-handed": np.diag([1.0, 1.0, -1.0]),
    "oblique and left-handed": oblique() @ np.diag([-1.0, 1.0, 1.0]),
}


@pytest.fixture(params=DIRECTIONS, scope="module")
def scan(request):
    voxels = np.zeros((12, 20, 24), np.int16)
    return mitk.Image(voxels, spacing=SPACING, origin=ORIGIN, direction=DIRECTIONS[request.param])


def millimetres(scan, system, nudge=0.3):
    """Where the voxels are, a little beside their centres, with the signs of the coordinate system."""
    direction = np.asarray(scan.direction)
    world = [direction @ (np.add(index, (nudge, -nudge, nudge)) * SPACING) + ORIGIN for index in INDICES]
    return [(point * ([-1, -1, 1] if system == "RAS" else [1, 1, 1])).tolist() for point in world]


def markups(points, system):
    control = [{"label": label, "position": point} for label, point in zip(LABELS, points, strict=True)]
    control.insert(1, {"label": "not placed", "position": [0, 0, 0], "positionStatus": "undefined"})
    return json.dumps({"markups": [{"type": "Fiducial", "coordinateSystem": system, "controlPoints": control}]})


def fcsv(points, system, version="4.10"):
    lines = [f"# Markups fiducial file version = {version}"]
    lines += [f"# CoordinateSystem = {system}"] if system is not None else []
    lines += ["# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID"]
    for number, (point, label) in enumerate(zip(points, LABELS, strict=True)):
        numbers = ",".join(map(repr, point))
        lines.append(f'vtkMRMLMarkupsFiducialNode_{number},{numbers},0,0,0,1,1,1,0,{label},"a, b",')
    return "\n".join(lines) + "\n"


def mps(points, geometry=""):
    body = "".join(
        f"<point><id>{n}</id><specification>0</specification><x>{x!r}</x><y>{y!r}</y><z>{z!r}</z></point>"
        for n, (x, y, z) in enumerate(points)
    )
    series = f"<time_series><time_series_id>0</time_series_id>{geometry}{body}</time_series>"
    return (
        f'<?xml version="1.0" encoding="UTF-8" ?><point_set_file><file_version>0.1</file_version>'
        f"<point_set>{series}</point_set></point_set_file>"
    )


@pytest.mark.parametrize("system", ["LPS", "RAS"])
def test_markups_of_slicer(scan, system, tmp_path):
    file = tmp_path / "seeds.mrk.json"
    file.write_text(markups(millimetres(scan, system), system))
    assert mitk.read_seeds(file).indices(scan) == INDICES
    assert mitk.read_seeds(f"{file}:aorta").indices(scan) == INDICES[1:]
    # The same content under the ending that says less.
    file.rename(tmp_path / "seeds.json")
    assert mitk.read_seeds(tmp_path / "seeds.json").indices(scan) == INDICES


@pytest.mark.parametrize(
    ("header", "system"), [("LPS", "LPS"), ("RAS", "RAS"), ("0", "RAS"), ("1", "LPS"), (None, "RAS")]
)
def test_fiducials_of_slicer(scan, header, system, tmp_path):
    file = tmp_path / "seeds.fcsv"
    file.write_text(fcsv(millimetres(scan, system), header))
    assert mitk.read_seeds(file).indices(scan) == INDICES
    assert mitk.read_seeds(f"{file}:inlet,aorta").indices(scan) == INDICES


def test_fiducials_of_slicer_3_have_other_columns(scan, tmp_path):
    rows = [
        f"{label},{','.join(map(repr, point))},1,1"
        for label, point in zip(LABELS, millimetres(scan, "RAS"), strict=True)
    ]
    file = tmp_path / "seeds.fcsv"
    file.write_text("\n".join(["# Fiducial List file seeds.fcsv", "# columns = label,x,y,z,sel,vis", *rows]))
    assert mitk.read_seeds(f"{file}:aorta").indices(scan) == INDICES[1:]


def test_point_sets_of_mitk(scan, tmp_path):
    file = tmp_path / "seeds.mps"
    file.write_text(mps(millimetres(scan, "LPS")))
    assert mitk.read_seeds(file).indices(scan) == INDICES
    assert mitk.read_seeds(f"{file}:1").indices(scan) == [INDICES[1]]


def test_point_sets_of_mitk_go_through_their_geometry(scan, tmp_path):
    shift = np.array([5.0, -7.0, 2.0])
    turn = oblique()
    local = [(turn.T @ (np.array(point) - shift)).tolist() for point in millimetres(scan, "LPS")]
    names = [f'm_{row}_{column}="{float(turn[row, column])!r}"' for row in range(3) for column in range(3)]
    geometry = f'<Geometry3D><IndexToWorld type="Matrix3x3" {" ".join(names)}/>'
    geometry += '<Offset type="Vector3D" x="5" y="-7" z="2"/></Geometry3D>'
    file = tmp_path / "seeds.mps"
    file.write_text(mps(local, geometry))
    assert mitk.read_seeds(file).indices(scan) == INDICES


def test_points_of_napari_are_in_the_order_of_the_array(scan, tmp_path):
    file = tmp_path / "points.csv"
    rows = [f"{n},{z + 0.3},{y - 0.3},{x + 0.3}" for n, (x, y, z) in enumerate(INDICES)]
    file.write_text("\n".join(["index,axis-0,axis-1,axis-2", *rows]))
    assert mitk.read_seeds(file).indices(scan) == INDICES
    assert mitk.read_seeds(file).indices(scan.array) == INDICES


@pytest.mark.parametrize("system", ["LPS", "RAS"])
@pytest.mark.parametrize("names", ["xyz", "lps", "ras", "ijk", ""])
def test_columns_of_a_table_say_what_the_numbers_are(scan, names, system, tmp_path):
    if (names == "ras") != (system == "RAS"):
        return
    points = INDICES if names in ("ijk", "") else millimetres(scan, system)
    rows = [f"{label};{';'.join(map(str, point))}" for label, point in zip(LABELS, points, strict=True)]
    rows = [f"Label;{';'.join(names.upper())}", *rows] if names else [row.partition(";")[2] for row in rows]
    file = tmp_path / "points.csv"
    file.write_text("﻿" + "\r\n".join(rows))
    assert mitk.read_seeds(file).indices(scan) == INDICES


def test_time_steps_of_a_file_choose_the_seeds(tmp_path):
    movie = mitk.Image(np.zeros((3, 4, 5, 6), np.uint8))
    file = tmp_path / "points.csv"
    file.write_text("index,axis-0,axis-1,axis-2,axis-3\n0,0,1,2,3\n1,2,3,4,5\n")
    seeds = mitk.read_seeds(file)
    assert seeds.indices(movie, time_step=0) == [(3, 2, 1)]
    assert seeds.indices(movie, time_step=2) == [(5, 4, 3)]
    with pytest.raises(mitk.RequestError, match="has no seeds of time step 1: it has some of 0, 2"):
        seeds.indices(movie, time_step=1)


def test_two_axes_are_those_of_a_picture(tmp_path):
    file = tmp_path / "points.csv"
    file.write_text("index,axis-0,axis-1\n0,1,2\n")
    assert mitk.read_seeds(file).indices(np.zeros((5, 6))) == [(2, 1, 0)]


@pytest.mark.parametrize(
    ("name", "coordinates"),
    [
        ("a.mrk.json", "LPS"), ("a.mrk.json", "RAS"), ("a.fcsv", "LPS"), ("a.fcsv", "RAS"), ("a.mps", "LPS"),
        ("a.csv", "index"), ("a.csv", "LPS"), ("a.csv", "RAS"), ("a.csv", "napari"),
        ("a.json", "index"), ("a.json", "LPS"), ("a.json", "RAS"), ("a.csv", None), ("A.FCSV", None),
    ],
)  # fmt: skip
def test_what_is_written_reads_back(scan, name, coordinates, tmp_path):
    seeds = mitk.Seeds([Seed(index, label) for index, label in zip(INDICES, LABELS, strict=True)])
    mitk.write_seeds(seeds, tmp_path / name, coordinates=coordinates, image=scan)
    back = mitk.read_seeds(tmp_path / name)
    assert back.indices(scan) == INDICES
    if not (name.endswith(".mps") or coordinates == "napari"):
        assert [seed.label for seed in back.seeds] == LABELS
    # Through the other space and back: the same place, not only the same voxel.
    places = back.to_space("index", scan)
    np.testing.assert_allclose([seed.position for seed in places.seeds], INDICES, atol=1e-9)


def test_slicer_finds_what_it_needs_in_written_markups(scan, tmp_path):
    mitk.write_seeds(mitk.Seeds([Seed((1, 2, 3), 'Ä, "x"')]), tmp_path / "a.mrk.json", image=scan)
    content = json.loads((tmp_path / "a.mrk.json").read_text(encoding="utf-8"))
    (markup,) = content["markups"]
    assert (markup["type"], markup["coordinateSystem"]) == ("Fiducial", "LPS")
    (point,) = markup["controlPoints"]
    assert (point["label"], point["positionStatus"]) == ('Ä, "x"', "defined")
    np.testing.assert_allclose(point["position"], scan.index_to_world((1, 2, 3)), atol=1e-12)


def test_every_function_takes_files(tmp_path):
    tube = mitk.datasets.tube()
    ends = {"inlet": (10, 10, 2), "outlet": (10, 10, 17)}
    seeds = mitk.Seeds([Seed(index, label) for label, index in ends.items()])
    mitk.write_seeds(seeds, tmp_path / "ends.mrk.json", image=tube)
    file = f"{tmp_path / 'ends.mrk.json'}"
    options = {"method": "collidingfronts", "lower_threshold": 50}
    expected = mitk.initialize_level_set(tube, sources=[ends["inlet"]], targets=[ends["outlet"]], **options)
    given_files = mitk.initialize_level_set(tube, sources=f"{file}:inlet", targets=f"{file}:outlet", **options)
    given_seeds = mitk.initialize_level_set(tube, sources=seeds.select("inlet"), targets=[ends["outlet"]], **options)
    for result in (given_files, given_seeds):
        assert result.level_set.equals(expected.level_set)
    speed = mitk.Image(np.ones((20, 20, 20), np.float32), spacing=tube.spacing, origin=tube.origin)
    assert mitk.fast_marching(speed, seeds=f"{file}:inlet", targets=tmp_path / "ends.mrk.json").target_value is not None
    front = mitk.colliding_fronts(speed, seeds1=f"{file}:inlet", seeds2=f"{file}:outlet")
    assert front.equals(mitk.colliding_fronts(speed, seeds1=[ends["inlet"]], seeds2=[ends["outlet"]]))


def test_a_seed_outside_is_named_by_its_label(scan, tmp_path):
    file = tmp_path / "seeds.mrk.json"
    file.write_text(markups([[1e6, 0.0, 0.0]] * 3, "LPS"))
    with pytest.raises(mitk.RequestError, match=r"source 'inlet' of .*seeds\.mrk\.json at 1e\+06 0 0 mm lies outside"):
        mitk.initialize_level_set(scan, sources=f"{file}:inlet", targets=[(0, 0, 0)], lower_threshold=1)


def test_an_unknown_label_lists_those_there_are(scan, tmp_path):
    file = tmp_path / "seeds.mrk.json"
    file.write_text(markups(millimetres(scan, "LPS"), "LPS"))
    with pytest.raises(mitk.RequestError, match=r"Aorta: no seed has this label; the labels are inlet, aorta$"):
        mitk.read_seeds(f"{file}:Aorta")


def test_millimetres_have_no_place_on_an_array(tmp_path):
    file = tmp_path / "seeds.csv"
    file.write_text("x,y,z\n1,2,3\n")
    for refused in (
        lambda: mitk.fast_marching(np.ones((5, 5, 5)), seeds=file),
        lambda: mitk.initialize_level_set(np.ones((5, 5, 5)), method="seeds", sources=file),
    ):
        with pytest.raises(mitk.RequestError, match="an array has no geometry"):
            refused()


def test_a_colon_may_be_part_of_a_name(tmp_path):
    file = tmp_path / "a.csv:b.csv"
    file.write_text("i,j,k,label\n1,2,3,c\n")
    assert len(mitk.read_seeds(file)) == 1


LAUGHS = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]><point_set_file>&b;</point_set_file>'
HOSTILE = {
    "empty.mrk.json": b"",
    "list.mrk.json": b"[1, 2]",
    "deep.mrk.json": b'{"markups":' + b"[" * 200_000,
    "half.mrk.json": b'{"markups": [{"controlPoints": [{"position": [1, 2]}]}]}',
    "text.mrk.json": b'{"markups": [{"controlPoints": [{"position": ["a", "b", "c"]}]}]}',
    "nan.mrk.json": b'{"markups": [{"controlPoints": [{"position": [NaN, 0, 0]}]}]}',
    "huge.mrk.json": b'{"markups": [{"controlPoints": [{"position": [' + b"9" * 6000 + b", 0, 0]}]}]}",
    "inches.mrk.json": b'{"markups": [{"coordinateUnits": "in", "controlPoints": []}]}',
    "ijk.mrk.json": b'{"markups": [{"coordinateSystem": "IJK", "controlPoints": []}]}',
    "other.json": b'{"seeds": []}',
    "step.json": b'{"format": "mitk_rs seeds", "version": 1, "coordinate_system": "index", '
    b'"seeds": [{"position": [1, 2, 3], "time_step": -1}]}',
    "short.fcsv": b"# Markups fiducial file version = 4.10\n0,1,2\n",
    "system.fcsv": b"# Markups fiducial file version = 4.10\n# CoordinateSystem = 2\n0,1,2,3\n",
    "latin.fcsv": b"# Markups fiducial file version = 4.10\n0,1,2,3,0,0,0,1,1,1,0,\xe4,,\n",
    "quote.fcsv": b'"' + b"x" * 200_000,
    "laughs.mps": LAUGHS.encode(),
    "utf16.mps": LAUGHS.encode("utf-16"),
    "cut.mps": b"<point_set_file><point_set>",
    "other.mps": b"<html/>",
    "word.mps": b"<point_set_file><point_set><point><x>a</x><y>1</y><z>1</z></point></point_set></point_set_file>",
    "matrix.mps": b"<point_set_file><point_set><time_series><Geometry3D><IndexToWorld/><Offset/></Geometry3D>"
    b"</time_series></point_set></point_set_file>",
    "deep.mps": b"<point_set_file>" + b"<a>" * 200_000,
    "nothing.csv": b"\n\n",
    "columns.csv": b"a,b,c\n1,2,3\n",
    "ragged.csv": b"i,j,k\n1,2\n",
    "axes.csv": b"axis-0\n1\n",
    "zero.csv": b"i,j,k\n1,2,\x003\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_damaged_files_are_refused_in_one_line(name, tmp_path):
    (tmp_path / name).write_bytes(HOSTILE[name])
    with pytest.raises(mitk.FileError, match=r"^cannot read ") as refused:
        mitk.read_seeds(tmp_path / name)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 300 + len(str(tmp_path))


def test_large_files_are_not_read(tmp_path):
    file = tmp_path / "large.csv"
    with file.open("wb") as stream:
        stream.truncate(2**34)
    with pytest.raises(mitk.FileError, match="larger than 16 MB"):
        mitk.read_seeds(file)
    file.write_text("i,j,k\n" + "1,2,3\n" * 100_001)
    with pytest.raises(mitk.FileError, match="100001 points, more than 100000"):
        mitk.read_seeds(file)


@given(suffix=st.sampled_from(SEED_SUFFIXES), data=st.binary(max_size=200), head=st.sampled_from(sorted(HOSTILE)))
def test_no_content_raises_anything_else(tmp_path_factory, suffix, data, head):
    file = tmp_path_factory.getbasetemp() / f"any{suffix}"
    file.write_bytes(HOSTILE[head][:300] + data)
    with contextlib.suppress(mitk.FileError):
        mitk.read_seeds(file)


def test_files_of_other_kinds_are_refused(tmp_path):
    with pytest.raises(mitk.FileError, match=r"a file of seeds ends with \.mrk\.json \.fcsv \.mps \.csv \.json"):
        mitk.read_seeds("seeds.txt")
    with pytest.raises(FileNotFoundError):
        mitk.read_seeds(tmp_path / "absent.csv")
    seeds = mitk.Seeds([Seed((1, 2, 3))])
    with pytest.raises(mitk.FileError, match="its coordinates are one of LPS; got RAS"):
        mitk.write_seeds(seeds, tmp_path / "a.mps", coordinates="RAS")
    with pytest.raises(mitk.RequestError, match="an image is needed to make millimetres"):
        mitk.write_seeds(seeds, tmp_path / "a.mps")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("wrong", "kind", "words"),
    [
        (5, TypeError, "Seeds: seeds must be an iterable of Seed"),
        ([(1, 2, 3)], TypeError, r"Seeds: seeds\[0\] must be a Seed, got tuple"),
        ([Seed((1, 2, 3)), Seed((1, 2))], TypeError, r"seeds\[1\].position must be three numbers"),
        ([Seed((1, 2, np.nan))], mitk.GeometryError, r"seeds\[0\].position must be finite"),
        ([Seed((1, 2, 3), 5)], TypeError, r"seeds\[0\].label must be text"),
        ([Seed((1, 2, 3), "", 1.5)], TypeError, r"seeds\[0\].time_step must be a whole number"),
    ],
)
def test_entries_that_are_not_seeds_are_refused(wrong, kind, words):
    with pytest.raises(kind, match=words):
        Seeds(wrong)


def test_seeds_refuse_arguments_of_a_wrong_type(tmp_path):
    seeds = Seeds([Seed((1, 2, 3), "inlet")])
    for refused, words in (
        (lambda: seeds.select(5), "Seeds.select: label must be text"),
        (lambda: seeds.indices(5), "Seeds.indices: image must be an Image or a numpy array"),
        (lambda: seeds.indices(np.ones((5, 5, 5)), time_step=np.ones(3)), "Seeds.indices: time_step must be a whole"),
        (lambda: mitk.read_seeds(5), "read_seeds: path must be the name of a file"),
        (lambda: mitk.write_seeds(5, tmp_path / "x.csv"), "write_seeds: seeds must be Seeds"),
    ):
        with pytest.raises(TypeError, match=words):
            refused()
    with pytest.raises(mitk.RequestError, match="space is 'RAS': it must be one of 'index', 'LPS'"):
        seeds.to_space("RAS")
    with pytest.raises(mitk.RequestError, match=r"image has the shape \(5,\)"):
        seeds.indices(np.ones(5))
