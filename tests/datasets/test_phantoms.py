"""Phantoms hold the exact values that they promise."""

import numpy as np

import mitk_rs as mitk


def test_tube_has_45_voxels_in_each_slice():
    voxels = mitk.datasets.tube().as_numpy()
    assert voxels.dtype == np.int16
    assert voxels.shape == (20, 20, 20)
    assert ((voxels == 100).sum(axis=(1, 2)) == 45).all()
    assert set(np.unique(voxels)) == {0, 100}


def test_tube_is_where_it_should_be():
    tube = mitk.datasets.tube()
    assert tuple(tube.spacing) == (0.5, 0.5, 1.0)
    assert tuple(tube.origin) == (-3.0, 2.0, 7.0)
    np.testing.assert_array_equal(tube.direction, np.eye(3))
    assert tube.as_numpy()[5, 10, 13] == 100
    assert tube.as_numpy()[5, 10, 14] == 0
