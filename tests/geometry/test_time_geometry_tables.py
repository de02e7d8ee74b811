"""Every row of the specification's worked time-geometry examples (ms)."""

import math
import sys

import numpy as np
import pytest

import mitk_rs as mitk

LARGEST = sys.float_info.max


def regular():
    return mitk.ProportionalTimeGeometry(0, 1, 5)


def static():
    return mitk.ProportionalTimeGeometry.from_geometry(mitk.Geometry3D())


def arbitrary(*bounds):
    grid = mitk.ArbitraryTimeGeometry.new()
    for lower, upper in bounds:
        grid.append(None, lower, upper)
    return grid


def gapless():
    return arbitrary((0, 10), (10, 30), (30, 60))


def with_gaps():
    return arbitrary((1, 1.9), (2, 2.9), (3, 3.9))


def collapsed_end():
    return arbitrary((1, 1.9), (2, 2.9), (3, 3))


def collapsed_middle():
    return arbitrary((1, 1.9), (2, 2), (3, 3.9))


def test_regular_bounds():
    grid = regular()
    assert grid.count_time_steps() == len(grid) == 5
    assert grid.get_time_bounds() == (grid.get_min_time_point(), grid.get_max_time_point()) == (0.0, 5.0)
    assert grid.get_time_bounds(2) == (grid.get_min_time_point(2), grid.get_max_time_point(2)) == (2.0, 3.0)
    assert grid.get_time_bounds(7) == (7.0, 8.0), "bounds of a step that does not exist are extrapolated"


@pytest.mark.parametrize(("point", "step"), [(-0.5, 0), (0, 0), (2.0, 2), (2.999, 2), (5.0, 5), (7.2, 7)])
def test_regular_point_to_step_is_not_clamped(point, step):
    assert regular().time_point_to_time_step(point) == step


@pytest.mark.parametrize(("point", "valid"), [(-0.1, False), (0, True), (4.999, True), (5.0, False)])
def test_regular_valid_points(point, valid):
    assert regular().is_valid_time_point(point) is valid


def test_regular_geometries_are_live_objects():
    grid = regular()
    assert grid.get_geometry_for_time_point(4.5) is grid.get_geometry_for_time_step(4)
    assert grid.get_geometry_for_time_point(5.0) is None
    assert grid.get_geometry_for_time_step(5) is None
    assert grid.get_geometry_for_time_step(-1) is None
    assert grid.time_step_to_time_point(6) == 6.0
    assert [grid.is_valid_time_step(step) for step in (-1, 0, 4, 5)] == [False, True, True, False]


def test_static_is_always_valid():
    grid = static()
    assert grid.is_static
    assert grid.get_time_bounds() == (-LARGEST, LARGEST)
    assert grid.get_time_bounds(0) == (-LARGEST, LARGEST)
    assert [grid.time_step_to_time_point(step) for step in (0, 5)] == [0.0, 5.0]
    for point in (-1e300, -LARGEST, -1.5, 0.0, 1e6, math.nextafter(LARGEST, 0)):
        assert grid.time_point_to_time_step(point) == 0
        assert grid.is_valid_time_point(point)
    assert grid.time_point_to_time_step(LARGEST) == 0
    assert not grid.is_valid_time_point(LARGEST)


def test_new_proportional_has_no_steps():
    grid = mitk.ProportionalTimeGeometry.new()
    assert grid.count_time_steps() == 0
    assert grid.get_time_bounds() == (0.0, 0.0)
    assert grid.time_point_to_time_step(3.7) == 3
    assert not grid.is_valid_time_point(0)
    assert not grid.is_valid_time_step(0)
    assert grid.time_points == ()
    assert bool(grid)


@pytest.mark.parametrize(
    ("point", "step"), [(-5, 0), (0, 0), (9.999, 0), (10, 1), (29.9, 1), (30, 2), (60, 3), (1000, 3)]
)
def test_gapless_point_to_step(point, step):
    assert gapless().time_point_to_time_step(point) == step


def test_gapless_rest():
    grid = gapless()
    assert [grid.is_valid_time_point(point) for point in (0, 59.9, 60)] == [True, True, False]
    assert [grid.time_step_to_time_point(step) for step in range(4)] == [0, 10, 30, 0]
    assert grid.get_time_bounds(3) == (0.0, 0.0)
    assert grid.time_points == (0, 10, 30, 60)


def test_gaps_belong_to_the_step_after_them():
    grid = with_gaps()
    assert grid.get_time_bounds() == (1, 3.9)
    assert [grid.time_point_to_time_step(point) for point in (0.5, 1.95, 3.5, 3.9)] == [0, 1, 2, 3]
    assert [grid.is_valid_time_point(point) for point in (0.5, 1.95, 3.9)] == [False, True, False]


def test_a_collapsed_final_step_lasts_1_ms_and_includes_its_end():
    grid = collapsed_end()
    assert grid.get_max_time_point() == 4
    assert grid.get_max_time_point(2) == 4
    assert grid.is_valid_time_point(4.0)
    assert grid.time_point_to_time_step(4.0) == 2
    assert grid.time_point_to_time_step(4.5) == 3
    assert grid.get_geometry_for_time_point(4.0) is grid.get_geometry_for_time_step(2)
    assert not grid.is_valid_time_point(4.5)
    assert grid.time_points == (1, 1.9, 2.9, 4)


def test_a_collapsed_step_in_the_middle_is_never_selected():
    grid = collapsed_middle()
    assert grid.time_point_to_time_step(2.0) == 2
    assert not grid.is_valid_time_point(3.9)
    assert grid.time_point_to_time_step(3.9) == 3
    gapless_too = mitk.ArbitraryTimeGeometry.from_time_points([1, 2, 2, 3])
    assert {gapless_too.time_point_to_time_step(point) for point in np.linspace(1, 2.9, 200)} == {0, 2}


def test_empty_arbitrary():
    grid = mitk.ArbitraryTimeGeometry()
    assert grid.get_time_bounds() == (0.0, 0.0)
    assert grid.time_point_to_time_step(12.0) == 0
    assert not grid.is_valid_time_point(0)
    assert grid.time_points == ()


def test_from_time_points_is_without_gaps():
    grid = mitk.ArbitraryTimeGeometry.from_time_points([0, 10, 30, 60], mitk.Geometry3D(spacing=(2, 2, 2)))
    assert grid.is_close(gapless()) is False, "geometries count"
    assert [grid.get_time_bounds(step) for step in range(3)] == [(0, 10), (10, 30), (30, 60)]
    assert all(geometry.spacing == (2, 2, 2) for geometry in grid.geometries)
    assert len({id(geometry) for geometry in grid.geometries}) == 3


def test_expanding_a_proportional_grid_clones_step_0():
    grid = mitk.ProportionalTimeGeometry(5, 2, 2, mitk.Geometry3D(spacing=(2, 2, 2)))
    grid.expand_to_number_of_time_steps(4)
    assert grid.time_points == (5, 7, 9, 11, 13)
    assert grid.get_geometry_for_time_step(3).spacing == (2, 2, 2)
    assert grid.get_geometry_for_time_step(3) is not grid.get_geometry_for_time_step(0)


def test_expanding_an_arbitrary_grid_adds_identity_and_repeats_the_last_duration():
    grid = mitk.ArbitraryTimeGeometry.from_time_points([0, 10, 30], mitk.Geometry3D(spacing=(2, 2, 2)))
    grid.expand_to_number_of_time_steps(4)
    assert grid.time_points == (0, 10, 30, 50, 70)
    assert grid.get_geometry_for_time_step(3) == mitk.Geometry3D()
    ended = collapsed_end()
    ended.expand_to_number_of_time_steps(5)
    assert ended.time_points == (1, 1.9, 2.9, 4, 5, 6)


def test_expanding_a_static_grid_gives_1_ms_steps():
    grid = static()
    grid.expand_to_number_of_time_steps(3)
    assert grid.time_points == (0, 1, 2, 3)


def test_shrinking_changes_nothing():
    grid = regular()
    grid.expand_to_number_of_time_steps(2)
    assert grid.count_time_steps() == 5


def test_replacing_all_geometries_keeps_the_times():
    grid, geometry = gapless(), mitk.SlicedGeometry3D(spacing=(3, 3, 3))
    grid.replace_time_step_geometries(geometry)
    assert grid.time_points == (0, 10, 30, 60)
    assert all(each == geometry and each is not geometry for each in grid.geometries)
