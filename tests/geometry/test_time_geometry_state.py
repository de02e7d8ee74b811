"""Time geometries as values: round trips, copies, comparison, assignment to images, header texts."""

import copy
import logging
import math
import pickle
import threading

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import mitk_rs as mitk
from mitk_rs.time_geometry import time_geometry_from_keys, time_geometry_keys

moments = st.floats(-1e6, 1e6)
durations = st.floats(1e-3, 1e5)


@given(moments, durations, st.integers(1, 200), st.data())
def test_proportional_step_to_point_and_back(first, duration, steps, data):
    grid = mitk.ProportionalTimeGeometry(first, duration, steps)
    step = data.draw(st.integers(0, steps - 1))
    assert grid.time_point_to_time_step(grid.time_step_to_time_point(step)) == step
    point = data.draw(st.floats(*grid.get_time_bounds(step), exclude_max=True))
    assert grid.time_point_to_time_step(point) == step


@given(st.lists(moments, min_size=2, max_size=20, unique=True).map(sorted), st.data())
def test_arbitrary_step_to_point_and_back(points, data):
    grid = mitk.ArbitraryTimeGeometry.from_time_points(points)
    step = data.draw(st.integers(0, len(points) - 2))
    lower, upper = grid.get_time_bounds(step)
    point = data.draw(st.floats(lower, upper, exclude_max=True))
    assert grid.time_point_to_time_step(point) == step
    assert grid.is_valid_time_point(point)
    assert grid.get_geometry_for_time_point(point) is grid.geometries[step]


@given(st.lists(moments, min_size=2, max_size=20).map(sorted))
def test_header_texts_read_back_exactly(points):
    assume(points[-1] > points[-2])
    grid = mitk.ArbitraryTimeGeometry.from_time_points(points, mitk.Geometry3D())
    back = time_geometry_from_keys(time_geometry_keys(grid), mitk.Geometry3D(), len(points) - 1)
    assert back == grid


@given(moments, durations, st.integers(1, 30))
def test_header_texts_keep_proportional_grids(first, duration, steps):
    grid = mitk.ProportionalTimeGeometry(first, duration, steps)
    back = time_geometry_from_keys(time_geometry_keys(grid), mitk.Geometry3D(), steps)
    assert back.time_points == grid.time_points


def test_header_texts_have_mitks_keys_and_17_digits():
    grid = mitk.ArbitraryTimeGeometry.from_time_points([0.1, 1234567.5])
    assert time_geometry_keys(grid) == {
        "org_mitk_timegeometry_type": "ArbitraryTimeGeometry",
        "org_mitk_timegeometry_timepoints": "0.10000000000000001 1234567.5",
    }


@pytest.mark.parametrize("steps", [1, 4])
def test_a_fresh_grid_writes_no_header_texts(steps):
    grid = mitk.ProportionalTimeGeometry.from_geometry(mitk.Geometry3D(), steps)
    assert time_geometry_keys(grid) == {}
    assert time_geometry_from_keys({}, mitk.Geometry3D(), steps) == grid
    grid.first_time_point, grid.step_duration = 0.0, 2.0
    assert time_geometry_keys(grid)


def test_gaps_close_and_a_collapsed_end_becomes_1_ms():
    grid = mitk.ArbitraryTimeGeometry()
    for lower, upper in ((1, 1.9), (2, 2.9), (3, 3)):
        grid.append(None, lower, upper)
    back = time_geometry_from_keys(time_geometry_keys(grid), mitk.Geometry3D(), 3)
    assert [back.get_time_bounds(step) for step in range(3)] == [(1, 1.9), (1.9, 2.9), (2.9, 4)]


def test_dotted_keys_win():
    keys = {
        "org_mitk_timegeometry_type": "ArbitraryTimeGeometry",
        "org_mitk_timegeometry_timepoints": "0 1",
        "org.mitk.timegeometry.timepoints": "5 7",
    }
    assert time_geometry_from_keys(keys, mitk.Geometry3D(), 1).time_points == (5, 7)


@pytest.mark.parametrize(
    ("kind", "points"),
    [
        ("ProportionalTimeGeometry", "0 1 2"),
        ("ArbitraryTimeGeometry", ""),
        ("ArbitraryTimeGeometry", "0 1"),
        ("ArbitraryTimeGeometry", "0 1 2 3"),
        ("ArbitraryTimeGeometry", "0 one 2"),
    ],
)
def test_header_texts_that_do_not_fit_are_logged_and_ignored(kind, points, caplog):
    keys = {"org_mitk_timegeometry_type": kind, "org_mitk_timegeometry_timepoints": points}
    with caplog.at_level(logging.ERROR, "mitk_rs"):
        grid = time_geometry_from_keys(keys, mitk.Geometry3D(), 2)
    assert grid == mitk.ProportionalTimeGeometry.from_geometry(mitk.Geometry3D(), 2)
    assert "time geometry in the header ignored" in caplog.text


def test_decreasing_header_points_are_an_error():
    keys = {
        "org_mitk_timegeometry_type": "ArbitraryTimeGeometry",
        "org_mitk_timegeometry_timepoints": "0 2 1",
    }
    with pytest.raises(mitk.RequestError, match=r"step 1 would last from 2.0 to 1.0 ms"):
        time_geometry_from_keys(keys, mitk.Geometry3D(), 2)


GRIDS = [
    mitk.ProportionalTimeGeometry(1, 2, 3, mitk.Geometry3D(origin=(1, 2, 3))),
    mitk.ArbitraryTimeGeometry.from_time_points([0, 1, 5], mitk.SlicedGeometry3D(spacing=(1, 2, 3))),
]


@pytest.mark.parametrize("grid", GRIDS, ids=["proportional", "arbitrary"])
def test_copies_are_deep(grid):
    for twin in (grid.clone(), copy.copy(grid), copy.deepcopy(grid), pickle.loads(pickle.dumps(grid))):
        assert type(twin) is type(grid)
        assert twin == grid
        twin.get_geometry_for_time_step(0).origin = (9, 9, 9)
        assert twin != grid
    with pytest.raises(TypeError, match="unhashable"):
        hash(grid)


def test_is_close_compares_steps_bounds_times_and_geometries_of_any_class():
    grid = mitk.ProportionalTimeGeometry(0, 10, 3)
    assert grid.is_close(mitk.ArbitraryTimeGeometry.from_time_points([0, 10, 20, 30 + 1e-7]))
    assert grid != mitk.ArbitraryTimeGeometry.from_time_points([0, 10, 20, 30])
    assert not grid.is_close(mitk.ProportionalTimeGeometry(0, 10, 4))
    assert not grid.is_close(mitk.ArbitraryTimeGeometry.from_time_points([0, 10, 21, 30]))
    assert not grid.is_close(mitk.ProportionalTimeGeometry(0, 10, 3, mitk.Geometry3D(origin=(1, 0, 0))))
    assert grid != "grid"


def test_steps_of_a_grid_are_independent():
    grid = mitk.ProportionalTimeGeometry(0, 1, 2, mitk.Geometry3D())
    grid.get_geometry_for_time_step(0).spacing = (2, 2, 2)
    assert grid.get_geometry_for_time_step(1).spacing == (1, 1, 1)
    grid.set_geometry_for_time_step(mitk.Geometry3D(spacing=(3, 3, 3)), 1)
    assert grid.get_geometry_for_time_step(1).spacing == (3, 3, 3)


def test_for_image_fills_untouched_steps_and_keeps_the_others():
    image = [mitk.SlicedGeometry3D.for_image((4, 3, 2), spacing=(5, 5, 5)) for _ in range(2)]
    grid = mitk.ArbitraryTimeGeometry.from_time_points([0, 1, 3])
    grid.set_geometry_for_time_step(mitk.Geometry3D(spacing=(7, 7, 7)), 1)
    fitted = grid.for_image(image)
    assert fitted.time_points == (0, 1, 3)
    assert [type(geometry) for geometry in fitted.geometries] == [mitk.SlicedGeometry3D] * 2
    assert [geometry.spacing.x for geometry in fitted.geometries] == [5, 7]
    assert all(geometry.bounds == [0, 4, 0, 3, 0, 2] for geometry in fitted.geometries)
    assert all(geometry.image_geometry for geometry in fitted.geometries)
    assert fitted.geometries[0] is not image[0]
    with pytest.raises(mitk.TimeStepError, match="the time geometry has 2 time steps, the image 1"):
        grid.for_image(image[:1])


def test_attributes_of_a_proportional_grid_can_be_set():
    grid = mitk.ProportionalTimeGeometry(0, 1, 2)
    grid.first_time_point, grid.step_duration = 100, 40
    assert (grid.first_time_point, grid.step_duration, grid.is_static) == (100.0, 40.0, False)
    assert grid.get_time_bounds() == (100.0, 180.0)


def test_appending_from_many_threads_loses_nothing():
    grid, lock, clock = mitk.ArbitraryTimeGeometry(), threading.Lock(), [0]

    def append():
        for _ in range(100):
            with lock:
                clock[0] += 1
                grid.append(None, clock[0], clock[0] + 1)
            assert len(grid.geometries) <= clock[0]
            grid.expand_to_number_of_time_steps(1)

    threads = [threading.Thread(target=append) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert grid.count_time_steps() == len(grid.geometries) == 400


def proportional(*arguments):
    return lambda: mitk.ProportionalTimeGeometry(*arguments)


def from_points(*points):
    return lambda: mitk.ArbitraryTimeGeometry.from_time_points(points)


def on_grid(name, *arguments):
    return lambda: getattr(GRIDS[1].clone(), name)(*arguments)


BAD = [
    (proportional(0, 0, 1), mitk.RequestError, "step duration must be greater than 0 ms, got 0.0"),
    (proportional(0, -1, 1), mitk.RequestError, "step duration must be greater than 0 ms"),
    (proportional(0, math.nan, 1), mitk.RequestError, "step duration must be"),
    (proportional(0, math.inf, 2), mitk.RequestError, "infinity allows one time step, got 2"),
    (proportional(math.nan, 1, 1), mitk.RequestError, "first time point must be a finite number of ms"),
    (proportional(0, 1, -1), TypeError, "number of time steps must not be negative, got -1"),
    (proportional(0, 1, 1.5), TypeError, "number of time steps must be a whole number, got float 1.5"),
    (proportional(0, 1, 1, "geometry"), TypeError, "geometry must be a BaseGeometry, got str"),
    (from_points(1), mitk.RequestError, "at least 2"),
    (from_points(2, 1), mitk.RequestError, "must not decrease, step 0 would last from 2.0 to 1.0 ms"),
    (from_points(0, math.inf), mitk.RequestError, "finite number of ms, got inf"),
    (from_points("0", "1"), TypeError, "number of ms, got '0'"),
    (on_grid("append", None, 7, 6), mitk.RequestError, "must not end before it begins, got 7.0 to 6.0"),
    (on_grid("append", None, 4, 6), mitk.RequestError, "must not begin before the last one ends at 5.0 ms"),
    (on_grid("append", 3, 5, 6), TypeError, "geometry must be a BaseGeometry, got int"),
    (on_grid("get_time_bounds", -1), TypeError, "time_step must not be negative, got -1"),
    (on_grid("get_time_bounds", 0.5), TypeError, "time_step must be a whole number, got float 0.5"),
    (on_grid("time_step_to_time_point", -1), TypeError, "time_step must not be negative"),
    (on_grid("time_point_to_time_step", math.nan), mitk.RequestError, "finite number of ms, got nan"),
    (on_grid("time_point_to_time_step", "1"), TypeError, "number of ms, got '1'"),
    (on_grid("set_geometry_for_time_step", mitk.Geometry3D(), 2), mitk.TimeStepError, "0 to 1, got 2"),
    (lambda: mitk.ArbitraryTimeGeometry().expand_to_number_of_time_steps(2), mitk.RequestError, "append"),
    (mitk.TimeGeometry, TypeError, "TimeGeometry is abstract"),
]


@pytest.mark.parametrize(("act", "error", "message"), BAD, ids=[str(i) for i in range(len(BAD))])
def test_bad_input_is_refused(act, error, message):
    with pytest.raises(error, match=message):
        act()


def test_moments_that_are_no_numbers_are_not_valid():
    for grid in GRIDS:
        for point in (math.nan, math.inf, -math.inf):
            assert not grid.is_valid_time_point(point)
            assert grid.get_geometry_for_time_point(point) is None


@pytest.mark.parametrize("name", ["TimeGeometry", "ProportionalTimeGeometry", "ArbitraryTimeGeometry"])
def test_classes_belong_to_the_package(name):
    assert getattr(mitk, name).__module__ == "mitk_rs"
    assert "time steps" in repr(GRIDS[0])


# --- many steps ---------------------------------------------------------------------------------------------------

MANY = 10**9


def test_a_billion_equal_steps_cost_as_much_as_one():
    grid = mitk.ProportionalTimeGeometry(0, 1, MANY, mitk.Geometry3D(origin=(1, 2, 3)))
    assert (len(grid), grid.get_max_time_point()) == (MANY, 1e9)
    last = grid.get_geometry_for_time_step(MANY - 1)
    assert last is grid.get_geometry_for_time_step(MANY - 1)
    last.origin = (4, 5, 6)
    twin = pickle.loads(pickle.dumps(grid.clone()))
    assert twin == grid
    assert twin.is_close(grid)
    assert twin.get_geometry_for_time_step(MANY - 1).origin == (4, 5, 6)
    assert twin.get_geometry_for_time_step(7).origin == (1, 2, 3)
    assert twin != mitk.ProportionalTimeGeometry(0, 1, MANY, mitk.Geometry3D(origin=(1, 2, 3)))
    with pytest.raises(mitk.RequestError, match=f"at most 16777216 time steps can be listed, got {MANY}"):
        _ = grid.time_points


def test_expanding_to_billions_of_steps_returns_or_is_refused_at_once():
    grid = mitk.ProportionalTimeGeometry(0, 1, 3, mitk.Geometry3D(origin=(1, 2, 3)))
    first = grid.get_geometry_for_time_step(0)
    grid.expand_to_number_of_time_steps(2**31)
    assert grid.count_time_steps() == 2**31
    assert grid.get_geometry_for_time_step(0) is first
    assert grid.get_geometry_for_time_step(2**31 - 1).origin == (1, 2, 3)
    with pytest.raises(mitk.RequestError, match="at most 16777216 time steps"):
        mitk.ArbitraryTimeGeometry.from_time_points([0, 1]).expand_to_number_of_time_steps(2**31)


def test_a_million_time_steps_of_an_image_are_made_when_asked_for(monkeypatch):
    made = []
    monkeypatch.setattr(mitk.SlicedGeometry3D, "clone", counted(mitk.SlicedGeometry3D.clone, made))
    image = mitk.Image(np.zeros((10**6, 2, 1, 1), np.uint8), spacing=(2, 2, 2))
    assert image.time_steps == 10**6
    image.get_geometry(999_999).origin = (7, 8, 9)
    image.set_spacing((3, 3, 3), time_step=None)
    snapshot = image.snapshot()
    image.set_origin((1, 1, 1), time_step=5)
    assert [snapshot.get_origin(step) for step in (5, 999_999)] == [(0, 0, 0), (7, 8, 9)]
    assert snapshot.get_spacing(123_456) == (3, 3, 3)
    with pytest.raises(mitk.RequestError, match="snapshot"):
        snapshot.get_geometry(17).spacing = (1, 1, 1)
    assert image.crop((0, 0, 0), (1, 1, 1)).get_origin(999_999) == (7, 8, 9)
    assert len(made) < 100


def counted(clone, made):
    def clone_and_count(self):
        made.append(self)
        return clone(self)

    return clone_and_count


@pytest.mark.parametrize("seed", range(20))
def test_any_order_of_changes_gives_what_a_list_of_geometries_gives(seed):
    random = np.random.default_rng(seed)
    grid, expected = mitk.ProportionalTimeGeometry(0, 1, 3, mitk.Geometry3D()), [(0.0, 0.0, 0.0)] * 3
    for number in range(30):
        act, step, origin = random.integers(6), int(random.integers(len(expected))), (number + 1.0, 0.0, 0.0)
        if act == 0:
            grid.get_geometry_for_time_step(step).origin = origin
            expected[step] = origin
        elif act == 1:
            grid.set_geometry_for_time_step(mitk.Geometry3D(origin=origin), step)
            expected[step] = origin
        elif act == 2:
            grid.expand_to_number_of_time_steps(len(expected) + 2)
            expected += [expected[0]] * 2
        elif act == 3:
            grid.replace_time_step_geometries(mitk.Geometry3D(origin=origin))
            expected = [origin] * len(expected)
        elif act == 4:
            before, grid = grid, grid.clone()
            assert before == grid
            assert before.is_close(grid)
            before.get_geometry_for_time_step(step).origin = (-1, -1, -1)
            assert before != grid
        else:
            _ = grid.get_geometry_for_time_step(step)
    assert [tuple(geometry.origin) for geometry in grid.geometries] == expected
    fitted = grid.for_image([mitk.SlicedGeometry3D.for_image((4, 3, 2)) for _ in expected])
    assert [tuple(geometry.origin) for geometry in fitted.geometries] == expected
