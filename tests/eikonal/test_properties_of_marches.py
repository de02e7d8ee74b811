"""What must hold for every arrival time, on generated speeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import mitk_rs as mitk
from mitk_rs.testing import indices, shapes, spacings, speed_volume, speeds

FAR = np.float32(mitk.marching.FAR)
Floats = NDArray[np.float32]
Index = tuple[int, ...]


@st.composite
def problems(draw: st.DrawFn, *, zeros: bool = True) -> tuple[Floats, list[Index]]:
    """A volume of speeds and some seeds in it."""
    shape = draw(shapes(3, max_side=7))
    return draw(speeds(shape, zeros=zeros)), draw(st.lists(indices(shape), min_size=1, max_size=3))


def nearest(known: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """The smaller of both neighbours' times on an axis, FAR beyond the border."""
    width = [(int(a == axis),) * 2 for a in range(3)]
    padded = np.pad(known, width, constant_values=float(FAR))
    n = known.shape[axis]
    return np.minimum(padded.take(range(n), axis), padded.take(range(2, n + 2), axis))


def solve(known: NDArray[np.float64], speed: Floats, spacing: Sequence[float]) -> Floats:
    """The arrival time at each voxel that follows from its neighbours' known times: ITK's equations, in NumPy."""
    candidates = np.stack([nearest(known, axis) for axis in (2, 1, 0)])
    weights = np.array([(1 / h) * (1 / h) for h in spacing])
    order = np.argsort(candidates, axis=0, kind="stable")
    with np.errstate(divide="ignore", invalid="ignore"):
        slowness = 1 / speed.astype(np.float64)
        a, b, c = np.zeros(speed.shape), np.zeros(speed.shape), -(slowness * slowness)
        solution, going = np.full(speed.shape, float(FAR)), np.ones(speed.shape, bool)
        for t, w in zip(np.take_along_axis(candidates, order, 0), weights[order], strict=True):
            going &= solution >= t
            a, b, c = (np.where(going, old + new, old) for old, new in ((a, w), (b, t * w), (c, t * t * w)))
            root = np.sqrt(np.maximum(b * b - a * c, 0))
            solution = np.where(going, (root + b) / a, solution)
        return np.where(solution < float(FAR), solution, FAR).astype(np.float32)


def assert_fixed_point(
    arrival: Any, speed: Floats, seeds: Sequence[Index], spacing: Sequence[float] = (1, 1, 1)
) -> None:
    """Every voxel but the seeds holds exactly what follows from the accepted ones around it."""
    times = arrival.arrival_time
    # In double precision, as the core does: NumPy would round the stop to single.
    accepted = (times.astype(np.float64) <= arrival.stop) & (times < FAR)
    expected = solve(np.where(accepted, times, FAR).astype(np.float64), speed, spacing)
    for x, y, z in seeds:
        assert times[z, y, x] == 0
        expected[z, y, x] = 0
    np.testing.assert_array_equal(times, expected)


@given(problems(), spacings(), st.floats(0, 30))
@example((np.ones((1, 1, 3), np.float32), [(0, 0, 0)]), (0.1, 1.0, 1.0), 0.1)
@settings(deadline=None)
def test_times_satisfy_the_discrete_eikonal_equation(problem: Any, spacing: Any, limit: float) -> None:
    speed, seeds = problem
    for stop in (None, limit):
        arrival = mitk.fast_marching(speed, spacing=spacing, seeds=seeds, stopping_time=stop)
        assert_fixed_point(arrival, speed, seeds, spacing)


@pytest.mark.parametrize("kind", ["constant", "smooth", "noise", "blocks", "binary"])
def test_larger_volumes_satisfy_it(kind: Any) -> None:
    speed, seeds, spacing = speed_volume(kind, (45, 50, 61), seed=2), [(0, 0, 0), (40, 30, 44)], (0.8, 0.8, 2.5)
    arrival = mitk.fast_marching(speed, spacing=spacing, seeds=seeds)
    assert_fixed_point(arrival, speed, seeds, spacing)


@given(problems(), st.integers(-8, 8))
@settings(deadline=None)
def test_k_times_the_speed_takes_a_kth_of_the_time(problem: Any, exponent: int) -> None:
    speed, seeds = problem
    slow = mitk.fast_marching(speed, seeds=seeds).arrival_time
    fast = mitk.fast_marching(speed * np.float32(2.0**exponent), seeds=seeds).arrival_time
    reached = slow < FAR
    np.testing.assert_array_equal(fast[~reached], FAR)
    np.testing.assert_allclose(fast[reached] * 2.0**exponent, slow[reached], rtol=1e-6)


@given(problems(), spacings(), st.permutations([0, 1, 2]))
@settings(deadline=None)
def test_permuting_axes_permutes_the_times(problem: Any, spacing: Any, order: Any) -> None:
    speed, seeds = problem
    plain = mitk.fast_marching(speed, spacing=spacing, seeds=seeds).arrival_time
    turned = mitk.fast_marching(
        speed.transpose(order),
        spacing=[spacing[::-1][axis] for axis in order][::-1],
        seeds=[[seed[::-1][axis] for axis in order][::-1] for seed in seeds],
    ).arrival_time
    np.testing.assert_allclose(turned, plain.transpose(order), rtol=2e-6)


@given(problems(), st.data())
@settings(deadline=None)
def test_more_seeds_never_increase_a_time(problem: Any, data: Any) -> None:
    speed, seeds = problem
    few = mitk.fast_marching(speed, seeds=seeds).arrival_time
    more = [*seeds, data.draw(indices(speed.shape))]
    many = mitk.fast_marching(speed, seeds=more).arrival_time
    assert (many <= few * np.float32(1 + 1e-6)).all()


@given(problems(zeros=False))
@settings(deadline=None)
def test_gradient_is_as_long_as_the_slowness(problem: Any) -> None:
    speed, seeds = problem
    arrival = mitk.fast_marching(speed, seeds=seeds, gradient=True)
    length = np.linalg.norm(arrival.gradient.astype(np.float64), axis=-1)
    rounding = 4 * np.finfo(np.float32).eps * arrival.arrival_time.max()
    expected = 1 / speed.astype(np.float64)
    for x, y, z in seeds:
        assert not arrival.gradient[z, y, x].any()
        expected[z, y, x] = 0
    np.testing.assert_allclose(length, expected, rtol=1e-5, atol=2 * rounding)


@given(problems(), st.data())
@settings(deadline=None)
def test_stopping_changes_no_accepted_time(problem: Any, data: Any) -> None:
    speed, seeds = problem
    targets = data.draw(st.lists(indices(speed.shape), min_size=1, max_size=3))
    mode = data.draw(st.sampled_from(["one", "all"]))
    whole = mitk.fast_marching(speed, seeds=seeds).arrival_time
    arrival = mitk.fast_marching(speed, seeds=seeds, targets=targets, target_mode=mode, target_offset=2.0)
    reached = sorted(float(whole[z, y, x]) for x, y, z in set(targets))
    deciding = reached[0] if mode == "one" else reached[-1]
    if deciding >= FAR:
        assert arrival.target_value is None
        assert arrival.stop == float(FAR)
    else:
        assert arrival.target_value == deciding
        assert arrival.stop == deciding + 2.0
    accepted = whole.astype(np.float64) <= arrival.stop
    np.testing.assert_array_equal(arrival.arrival_time[accepted], whole[accepted])
    assert (arrival.arrival_time[~accepted] > arrival.stop).all() or arrival.stop == float(FAR)


@given(problems(), st.data())
@settings(deadline=None)
def test_collision_is_symmetric_without_connectivity(problem: Any, data: Any) -> None:
    speed, seeds1 = problem
    seeds2 = data.draw(st.lists(indices(speed.shape), min_size=1, max_size=3))
    options: dict[str, Any] = {"apply_connectivity": False, "stop_on_targets": False}
    one_way = mitk.colliding_fronts(speed, seeds1=seeds1, seeds2=seeds2, **options)
    other_way = mitk.colliding_fronts(speed, seeds1=seeds2, seeds2=seeds1, **options)
    np.testing.assert_array_equal(one_way, other_way)


@given(problems(), st.data())
@settings(deadline=None)
def test_connectivity_keeps_a_subset(problem: Any, data: Any) -> None:
    speed, seeds1 = problem
    seeds2 = data.draw(st.lists(indices(speed.shape), min_size=1, max_size=3))
    everything = mitk.colliding_fronts(speed, seeds1=seeds1, seeds2=seeds2, apply_connectivity=False)
    connected = mitk.colliding_fronts(speed, seeds1=seeds1, seeds2=seeds2)
    kept = connected != 0
    np.testing.assert_array_equal(connected[kept], everything[kept])
    assert (connected <= 0).all()
    for x, y, z in seeds1:
        assert connected[z, y, x] == np.float32(-1e-6)
