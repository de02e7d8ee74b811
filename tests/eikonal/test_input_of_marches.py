"""Any real type, any strides, any shape; bad input is refused with a line that says what to do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import mitk_rs as mitk
from mitk_rs import _core
from mitk_rs.testing import PIXEL_TYPES, speed_volume


def march(speed: Any, **options: Any) -> Any:
    return mitk.fast_marching(speed, **{"seeds": [(1, 1, 1)], **options}).arrival_time


@pytest.mark.parametrize("name", [*PIXEL_TYPES, "bool"])
def test_every_pixel_type_is_read(name: str) -> None:
    speed = np.random.default_rng(0).integers(0, 2, (6, 7, 8)).astype(name)
    speed[1, 1, 1] = 1
    np.testing.assert_array_equal(march(speed), march(speed.astype(np.float32)))


def views() -> dict[str, Any]:
    whole = speed_volume("noise", (20, 30, 40), seed=4)
    shifted = np.frombuffer(b"x" + whole.tobytes(), np.float32, offset=1).reshape(whole.shape)
    fortran = np.asfortranarray(whole)
    frozen = whole.copy()
    frozen.flags.writeable = False
    return {
        "every second voxel": whole[::2, ::2, ::2],
        "backwards": whole[::-1, :, ::-1],
        "transposed": whole.T,
        "axes exchanged": whole.transpose(1, 2, 0),
        "Fortran order": fortran,
        "a window": whole[3:-2, 5:, :-7],
        "not aligned": shifted,
        "read-only": frozen,
        "one value everywhere": np.broadcast_to(np.float32(0.5), (9, 10, 11)),
        "rows repeated": np.broadcast_to(whole[:, :1], whole.shape),
        "a field of records": np.rec.fromarrays([whole, whole.astype(np.uint8)], names="speed,label")["speed"],
    }


@pytest.mark.parametrize("view", views().values(), ids=views().keys())
def test_any_strides_are_read(view: Any) -> None:
    plain = np.array(view, order="C")
    np.testing.assert_array_equal(march(view), march(plain))
    ends = {"seeds1": [(1, 1, 1)], "seeds2": [(6, 7, 8)]}
    np.testing.assert_array_equal(mitk.colliding_fronts(view, **ends), mitk.colliding_fronts(plain, **ends))


def test_input_is_not_changed() -> None:
    speed = speed_volume("smooth", (9, 10, 11))
    before = speed.copy()
    march(speed)
    np.testing.assert_array_equal(speed, before)


def test_a_picture_is_a_volume_of_one_slice() -> None:
    speed = speed_volume("smooth", (33, 47), seed=1)
    flat = mitk.fast_marching(speed, seeds=[(5, 6)], spacing=(1, 2), gradient=True)
    deep = mitk.fast_marching(speed[None], seeds=[(5, 6, 0)], spacing=(1, 2, 1), gradient=True)
    assert flat.arrival_time.shape == (33, 47)
    np.testing.assert_array_equal(flat.arrival_time, deep.arrival_time[0])
    np.testing.assert_array_equal(flat.gradient, deep.gradient[0])
    ends = {"seeds1": [(5, 6, 0)], "seeds2": [(40, 30, 0)]}
    np.testing.assert_array_equal(mitk.colliding_fronts(speed, **ends), mitk.colliding_fronts(speed[None], **ends)[0])


def test_out_takes_the_result() -> None:
    speed = speed_volume("smooth", (9, 10, 11))
    out = np.full(speed.shape, 7, np.float32)
    arrival = mitk.fast_marching(speed, seeds=[(1, 1, 1)], out=out)
    assert arrival.arrival_time is out
    np.testing.assert_array_equal(out, march(speed))
    ends = {"seeds1": [(1, 1, 1)], "seeds2": [(9, 9, 8)]}
    assert mitk.colliding_fronts(speed, **ends, out=out) is out
    np.testing.assert_array_equal(out, mitk.colliding_fronts(speed, **ends))


def read_only(shape: Any) -> Any:
    array = np.zeros(shape, np.float32)
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    ("out", "kind", "words"),
    [
        (np.zeros((2, 3, 5), np.float32), ValueError, "shape"),
        (np.zeros((2, 3, 4), np.float64), TypeError, "float32"),
        (np.zeros((2, 3, 8), np.float32)[:, :, ::2], ValueError, "contiguous"),
        (read_only((2, 3, 4)), ValueError, "writeable"),
        ([[[0.0] * 4] * 3] * 2, TypeError, "numpy array"),
    ],
)
def test_unfit_out_is_refused(out: Any, kind: Any, words: str) -> None:
    with pytest.raises(kind, match=words):
        march(np.ones((2, 3, 4), np.float32), out=out)


def test_out_and_input_are_lent_to_one_computation_at_a_time() -> None:
    """From a callback, because then it is certain that the first computation has not ended."""
    speed, out, refused = np.ones((4, 5, 6), np.float32), np.zeros((4, 5, 6), np.float32), []

    def again(fraction: float) -> None:
        calls = {
            "out is used": lambda: march(np.ones((4, 5, 6), np.float32), out=out),
            "out is used by": lambda: march(np.ones((2, 5, 6), np.float32), out=out[1:3]),
            "speed is written": lambda: march(out),
            "volume is written": lambda: mitk.project(out, axis="z"),
        }
        for words, call in calls.items():
            with pytest.raises(ValueError, match=words):
                call()
            refused.append(words)
        march(speed)

    mitk.fast_marching(speed, seeds=[(1, 1, 1)], out=out, progress=again)
    assert len(refused) == 4
    np.testing.assert_array_equal(march(out + 1, out=out), march(out * 0 + march(speed) + 1))


def test_out_that_overlaps_the_input_is_refused() -> None:
    both = np.ones((4, 3, 4), np.float32)
    for out in (both, both[1:3]):
        with pytest.raises(ValueError, match="share memory"):
            march(both[: len(out)] if out is not both else both, out=out)


@pytest.mark.parametrize("solver", ["tiles", "heap"])
@pytest.mark.parametrize("gap", [-1.0, np.nan, np.inf, -np.inf])
def test_both_solvers_refuse_seeds_without_a_place_or_a_time(solver: str, gap: float) -> None:
    speed = np.ones((3, 4, 5), np.float32)
    with pytest.raises(mitk.RequestError, match="seeds is empty: a front needs at least one seed"):
        _core.march(speed, (1, 1, 1), [], solver=solver)
    with pytest.raises(mitk.RequestError, match=r"seed time is .*: it must be finite and >= 0"):
        _core.march(speed, (1, 1, 1), [(0, 0, 0)], seed_times=[gap], solver=solver)


BAD_POINTS = [
    ([], mitk.RequestError, "empty"),
    ((1, 1, 1), mitk.RequestError, r"triples, such as \[\(71, 213, 16\)\]"),
    ([(1, 1)], mitk.RequestError, "triples"),
    ([(1, 1, 1), (1, 1)], mitk.RequestError, "triples"),
    ([(1, 1, 1, 1)], mitk.RequestError, "triples"),
    ([(1.0, 1.0, 1.0)], TypeError, "whole numbers"),
    ([("1", "1", "1")], TypeError, "whole numbers"),
    ("111", TypeError, "triples"),
    (7, TypeError, "triples"),
    ([(5, 0, 0)], mitk.RequestError, r"seed \(5, 0, 0\) lies outside the image: allowed x 0..4, y 0..3, z 0..2"),
    ([(0, -1, 0)], mitk.RequestError, r"\(0, -1, 0\) lies outside"),
    ([(0, 2**63, 0)], mitk.RequestError, "seeds1?2? must lie inside the image"),
    ([(0, -(10**30), 0)], mitk.RequestError, "seeds1?2? must lie inside the image"),
]


@pytest.mark.parametrize(("seeds", "kind", "words"), BAD_POINTS)
def test_bad_seeds_are_refused(seeds: Any, kind: Any, words: str) -> None:
    speed = np.ones((3, 4, 5), np.float32)
    with pytest.raises(kind, match=words):
        march(speed, seeds=seeds)
    for other in ("seeds1", "seeds2"):
        with pytest.raises(kind, match=words):
            mitk.colliding_fronts(speed, **{"seeds1": [(1, 1, 1)], "seeds2": [(2, 2, 2)], other: seeds})


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"targets": [(9, 9, 9)]}, mitk.RequestError, r"target \(9, 9, 9\) lies outside"),
        ({"target_mode": "one"}, mitk.RequestError, "at least one target"),
        ({"targets": [(0, 0, 0)], "target_mode": "some:2"}, mitk.RequestError, "at most the number of distinct"),
        ({"targets": [(0, 0, 0)], "target_mode": 0}, mitk.RequestError, "at least 1"),
        ({"targets": [(0, 0, 0)], "target_mode": "some:x"}, mitk.RequestError, "some:2"),
        ({"targets": [(0, 0, 0)], "target_mode": "any"}, mitk.RequestError, "allowed are 'one'"),
        ({"targets": [(0, 0, 0)], "target_offset": -1.0}, mitk.RequestError, "target_offset is -1"),
        ({"targets": [(0, 0, 0)], "target_offset": np.nan}, mitk.RequestError, "target_offset is NaN"),
        ({"stopping_time": -2.0}, mitk.RequestError, "stopping_time is -2"),
        ({"stopping_time": np.nan}, mitk.RequestError, "stopping_time is NaN"),
        ({"seed_times": [1.0, 2.0]}, mitk.RequestError, "seed_times has 2 entries, there are 1 seeds"),
        ({"seed_times": [np.nan]}, mitk.RequestError, r"seed_times\[0\] is nan"),
        ({"seed_times": [-np.inf]}, mitk.RequestError, "every time must be finite"),
        ({"spacing": (1, 1)}, TypeError, "spacing must be three numbers"),
        ({"spacing": (1, 0, 1)}, mitk.GeometryError, "greater than 0 mm"),
        ({"spacing": (1, np.nan, 1)}, mitk.GeometryError, "finite"),
        ({"threads": 0}, mitk.RequestError, "threads is 0: 1 to 1024"),
        ({"threads": 5000}, mitk.RequestError, "threads is 5000"),
        ({"timeout": -1.0}, mitk.RequestError, "timeout is -1"),
        ({"time_step": 0}, TypeError, "time_step goes with an Image"),
        ({"gradient": np.ones(3)}, TypeError, "fast_marching: gradient must be True or False"),
        ({"sparse": np.ones(3)}, TypeError, "fast_marching: sparse must be True or False"),
        ({"target_offset": 10**400, "targets": [(1, 1, 1)]}, mitk.RequestError, "target_offset is 1000"),
        ({"stopping_time": 10**400}, mitk.RequestError, "stopping_time is 1000"),
        ({"offset": 3}, TypeError, "offset"),
    ],
)
def test_bad_options_are_refused(options: Any, kind: Any, words: str) -> None:
    with pytest.raises(kind, match=words):
        march(np.ones((3, 4, 5), np.float32), **options)


# The last four are finite and below 0, but not in single precision, in which products are compared.
@pytest.mark.parametrize("epsilon", [0.0, 1e-6, np.nan, -np.inf, -5e-324, -1e-300, -1e-46, -1e39])
@pytest.mark.parametrize("solver", ["tiles", "heap"])
def test_bad_negative_epsilon_is_refused_and_nothing_beside_the_result_is_written(epsilon: float, solver: str) -> None:
    room = np.full(2000, 7, np.float32)
    out, speed = room[700:1200].reshape(5, 5, 20), np.ones((5, 5, 20), np.float32)
    with pytest.raises(mitk.RequestError, match="negative_epsilon"):
        _core.colliding_fronts(
            speed, (1, 1, 1), [(1, 2, 2)], [(18, 2, 2)], negative_epsilon=epsilon, solver=solver, out=out
        )
    assert (room[:700] == 7).all()
    assert (room[1200:] == 7).all()


@pytest.mark.parametrize("shape", [(5, 5, 20), (1, 9, 11), (3, 17, 9)])
@pytest.mark.parametrize("apply_connectivity", [True, False])
@pytest.mark.parametrize("epsilon", [-1.5e-45, -1e-38, -1e-6, -3e38])
def test_a_front_writes_inside_its_volume_only(shape: Any, apply_connectivity: bool, epsilon: float) -> None:
    speed = speed_volume("smooth", shape, seed=2)
    room = np.full(speed.size + 2000, 7, np.float32)
    out = room[1000:-1000].reshape(shape)
    ends = ([(1, 2, 0)], [(shape[2] - 2, 2, 0)])
    options: dict[str, Any] = {"apply_connectivity": apply_connectivity, "negative_epsilon": epsilon}
    _core.colliding_fronts(speed, (1, 1, 1), *ends, **options, out=out)
    assert (room[:1000] == 7).all()
    assert (room[-1000:] == 7).all()
    plain = _core.colliding_fronts(speed, (1, 1, 1), *ends, **options, solver="heap")
    assert out.tobytes() == plain.tobytes()


@pytest.mark.parametrize(
    ("speed", "kind", "words"),
    [
        (np.ones(5), mitk.RequestError, r"shape \(z, y, x\) or \(y, x\), got \(5,\)"),
        (np.ones((2, 2, 2, 2)), mitk.RequestError, r"got \(2, 2, 2, 2\)"),
        (np.ones((2, 0, 2)), mitk.RequestError, "speed has no voxels"),
        (np.ones((2, 2, 2), complex), TypeError, "complex128: allowed are native uint8"),
        (np.ones((2, 2, 2), ">f4"), TypeError, "allowed are native"),
        (np.ones((2, 2, 2), np.float16), TypeError, "float16"),
        (np.full((2, 2, 2), None), TypeError, "object"),
        (np.ma.ones((2, 2, 2)), TypeError, "masked array"),
        ([[[1.0]]], TypeError, "must be an Image or a numpy array, got list"),
        (None, TypeError, "got NoneType"),
    ],
)
def test_unfit_speeds_are_refused(speed: Any, kind: Any, words: str) -> None:
    with pytest.raises(kind, match=words):
        march(speed, seeds=[(0, 0, 0)])
