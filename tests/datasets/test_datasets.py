"""The synthetic angiography is what its description says, and its truth is true."""

import numpy as np
import pytest
import SimpleITK as sitk

import mitk_rs as mitk

GENERATIONS = 4


@pytest.fixture(scope="module")
def tree():
    return mitk.datasets.vessel_tree(size=(128, 128, 96), spacing=(1.0, 1.0, 1.3), generations=GENERATIONS)


def to_index(image, points):
    """World points as continuous voxel indices (x, y, z)."""
    return (points - np.array(image.origin)) @ np.linalg.inv(image.direction).T / np.array(image.spacing)


def at(array, index):
    return array[index[2], index[1], index[0]]


def test_same_arguments_give_the_same_voxels(tree):
    again = mitk.datasets.vessel_tree(size=(128, 128, 96), spacing=(1.0, 1.0, 1.3), generations=GENERATIONS)
    np.testing.assert_array_equal(again.image.as_numpy(), tree.image.as_numpy())
    np.testing.assert_array_equal(again.labels, tree.labels)


def test_another_seed_gives_another_tree(tree):
    other = mitk.datasets.vessel_tree(size=(128, 128, 96), spacing=(1.0, 1.0, 1.3), seed=1)
    assert (other.mask != tree.mask).sum() > 1000


def test_image_is_oblique_anisotropic_int16(tree):
    image = tree.image
    assert image.as_numpy().dtype == np.int16
    assert image.as_numpy().shape == (96, 128, 128)
    assert tuple(image.spacing) == (1.0, 1.0, 1.3)
    np.testing.assert_allclose(image.direction @ image.direction.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(image.direction) == pytest.approx(1)
    assert np.abs(image.direction - np.eye(3)).max() > 0.1


def test_tissues_have_their_hounsfield_units(tree):
    voxels = tree.image.as_numpy()
    labels_inside = np.abs(voxels[tree.mask] - 350.0)
    assert np.median(labels_inside) < 40
    assert voxels[0, 0, 0] < -900, "air in the corner"
    assert (voxels > 600).mean() > 0.005, "bone"
    assert (voxels[:48][tree.mask[:48]] < 700).all()
    assert (voxels[48:][tree.mask[48:]] > 800).any(), "a calcification at the root"


def test_every_target_is_as_many_generations_away_as_asked(tree):
    assert len(tree.targets) == 2 ** (GENERATIONS - 1)
    assert {len(tree.path(number)) for number in range(len(tree.targets))} == {GENERATIONS}
    assert all(tree.path(number)[0] == 0 for number in range(len(tree.targets)))


def test_branches_taper_and_bend_and_obey_murrays_law(tree):
    for line, radii in zip(tree.centre_lines, tree.radii, strict=True):
        assert (np.diff(radii) < 0).all()
        steps = np.linalg.norm(np.diff(line, axis=0), axis=1).sum()
        assert steps > 1.002 * np.linalg.norm(line[-1] - line[0])
    for parent in range(2 ** (GENERATIONS - 1) - 1):
        children = [branch for branch, stem in enumerate(tree.parents) if stem == parent]
        # The ends have tapered by 12 %.
        cubes = sum((tree.radii[child][-1] / 0.88) ** 3 for child in children)
        assert cubes == pytest.approx(tree.radii[parent][-1] ** 3, rel=1e-3)


def test_children_begin_where_their_parent_ends(tree):
    for branch, parent in enumerate(tree.parents):
        if parent >= 0:
            np.testing.assert_allclose(tree.centre_lines[branch][0], tree.centre_lines[parent][-1], atol=1e-9)


def test_centre_lines_run_inside_the_vessel_in_world_coordinates(tree):
    for line in tree.centre_lines:
        index = np.rint(to_index(tree.image, line)).astype(int)
        inside = index[(index[:, 2] < 96)]
        assert tree.mask[inside[:, 2], inside[:, 1], inside[:, 0]].all()


def test_the_wall_is_one_radius_from_the_centre_line(tree):
    points, radii = np.concatenate(tree.centre_lines), np.concatenate(tree.radii)
    rng = np.random.default_rng(0)
    band = rng.permutation(np.argwhere(sitk_dilate(tree.mask)))[:2000]
    world = np.array(tree.image.origin) + (band[:, ::-1] * np.array(tree.image.spacing)) @ tree.image.direction.T
    depth = (np.linalg.norm(world[:, None] - points[None], axis=2) - radii).min(axis=1)
    np.testing.assert_array_equal(depth < 0, tree.mask[tuple(band.T)])


def sitk_dilate(mask):
    return sitk.GetArrayFromImage(sitk.BinaryDilate(sitk.GetImageFromArray(mask.astype(np.uint8)), (3, 3, 3))) > 0


def test_seeds_lie_in_the_vessel_and_above_the_threshold(tree):
    for seed in (tree.source, *tree.targets):
        assert at(tree.mask, seed)
        assert at(tree.image.as_numpy(), seed) >= tree.lower_threshold
    assert [at(tree.labels, target) - 1 for target in tree.targets] == list(tree.leaves)


def test_bone_does_not_touch_the_vessel(tree):
    """Everything bright that is connected to the source is vessel."""
    image = sitk.GetImageFromArray(tree.image.as_numpy())
    grown = sitk.GetArrayFromImage(sitk.ConnectedThreshold(image, [tree.source], tree.lower_threshold, 3000)) > 0
    overlap = 2 * (grown & tree.mask).sum() / (grown.sum() + tree.mask.sum())
    assert overlap > 0.93


def test_path_mask_holds_the_branches_to_one_target_only(tree):
    path = tree.path_mask(0)
    assert at(path, tree.source)
    assert at(path, tree.targets[0])
    assert not at(path, tree.targets[-1])
    assert (path <= tree.mask).all()


def test_the_whole_tree_lies_in_the_volume(tree):
    for face in (tree.mask[0], tree.mask[:, 0], tree.mask[:, -1], tree.mask[:, :, 0], tree.mask[:, :, -1]):
        assert not face.any()
    assert tree.mask[-1].any(), "the root comes in through the last slice"


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": (16, 64, 64)},
        {"size": (64, 64)},
        {"size": (2**63, 64, 64)},
        {"spacing": (1.0, 0.0, 1.0)},
        {"spacing": (1.0, float("nan"), 1.0)},
        {"generations": 0},
        {"generations": 6},
        {"noise": -1.0},
    ],
    ids=str,
)
def test_arguments_out_of_range_are_refused_by_name(wrong):
    with pytest.raises(mitk.RequestError, match=next(iter(wrong))):
        mitk.datasets.vessel_tree(**wrong)


def test_given_direction_and_origin_are_kept():
    axes = np.diag([-1.0, -1.0, 1.0])
    tree = mitk.datasets.vessel_tree(size=(40, 40, 40), generations=1, direction=axes, origin=(1.0, 2.0, 3.0))
    np.testing.assert_array_equal(tree.image.direction, axes)
    assert tuple(tree.image.origin) == (1.0, 2.0, 3.0)


def test_repr_is_one_short_line(tree):
    assert "branches, source" in repr(tree)
    assert len(repr(tree)) < 100


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
