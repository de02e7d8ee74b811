"""Readers on request, threads, accessors, and the traps of ITK's formats."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

import mitk_rs as mitk
from mitk_rs.io.formats import FORMATS

VOXELS = np.random.default_rng(3).integers(0, 200, (20, 30, 40)).astype("u1")


@pytest.fixture
def scan(tmp_path):
    path = tmp_path / "scan.nrrd"
    mitk.Image(VOXELS, spacing=(0.5, 0.7, 1.1), origin=(1, 2, 3)).save(path)
    return path


# --- IOUtil -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("preferences", [None, [], (), ["ITK NrrdImageIO"], ("no such reader", "ITK NrrdImageIO")])
@pytest.mark.parametrize("blacklist", [None, [], ("no such reader",), ["ITK MetaImageIO"]])
def test_every_way_of_asking_loads_the_same(scan, preferences, blacklist):
    (image,) = mitk.IOUtil.load(scan, reader_preferences=preferences, reader_blacklist=blacklist)
    np.testing.assert_array_equal(image.array, VOXELS)
    assert image.spacing == (0.5, 0.7, 1.1)
    assert image.origin == (1.0, 2.0, 3.0)
    assert image.get_property("path") == str(scan)
    assert image.get_property("ITK.InputFilterName") == "NrrdImageIO"


def test_a_blacklist_of_every_reader_is_an_error(scan):
    with pytest.raises(mitk.Exception, match="the blacklist leaves no reader; without it: ITK NrrdImageIO"):
        mitk.IOUtil.load(scan, reader_blacklist=mitk.IOUtil.readers(scan))


def test_a_preferred_reader_reads(tmp_path):
    path = tmp_path / "x.bmp"
    mitk.Image(VOXELS[0]).save(path)
    assert mitk.IOUtil.readers(path) == ["Pillow BMP", "ITK BMPImageIO"]
    assert mitk.IOUtil.load(path)[0].shape == (30, 40)
    (of_itk,) = mitk.IOUtil.load(path, reader_preferences=["ITK BMPImageIO"])
    np.testing.assert_array_equal(of_itk.array[..., 0], VOXELS[0])


def test_a_text_is_no_list_of_readers(scan):
    with pytest.raises(TypeError, match="single text"):
        mitk.IOUtil.load(scan, "ITK NrrdImageIO")


def test_only_images_are_saved(tmp_path):
    with pytest.raises(TypeError, match="got ndarray"):
        mitk.IOUtil.save(VOXELS, tmp_path / "x.nrrd")
    with pytest.raises(mitk.Exception, match="empty"):
        mitk.IOUtil.save(mitk.Image(), tmp_path / "x.nrrd")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_file_is_known_by_its_content_where_the_ending_says_nothing(tmp_path, suffix):
    path, other = tmp_path / f"scan{suffix}", tmp_path / "scan.data"
    mitk.Image(VOXELS[0]).save(path)
    path.rename(other)
    np.testing.assert_array_equal(mitk.Image(other).array, VOXELS[0])
    assert mitk.IOUtil.load(other)[0].shape == (30, 40)


@pytest.mark.parametrize("name", ["X.NRRD", "X.Nii.Gz", "X.MHA", "X.VTI", "X.NPY"])
def test_endings_in_capitals_are_the_same_formats(tmp_path, name):
    mitk.Image(VOXELS).save(tmp_path / name)
    np.testing.assert_array_equal(mitk.Image(tmp_path / name).array, VOXELS)


@pytest.mark.parametrize("name", ["scan", "scan.xyz", "scan.gz"])
def test_an_unknown_ending_is_refused_before_anything_is_written(tmp_path, name):
    with pytest.raises(mitk.FileWriteError, match=r"known are \.bmp, \.hdr"):
        mitk.Image(VOXELS).save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_paths_may_be_text_bytes_or_path_objects(tmp_path):
    path = tmp_path / "größe 1.mha"
    for spelled in (path, str(path), str(path).encode()):
        mitk.Image(VOXELS).save(spelled)
        np.testing.assert_array_equal(mitk.Image(spelled).array, VOXELS)


@pytest.mark.parametrize("suffix", [".mhd", ".nhdr"])
def test_a_header_may_name_data_in_another_folder(tmp_path, suffix):
    voxels = np.zeros((100, 200, 200), "u1")
    mitk.io.write_image(mitk.Image(voxels), tmp_path / f"x{suffix}", compress=False)
    (header,) = tmp_path.glob(f"*{suffix}")
    (data,) = (file for file in tmp_path.iterdir() if file != header)
    (tmp_path / "data").mkdir()
    data.rename(tmp_path / "data" / data.name)
    header.write_text(header.read_text().replace(data.name, f"data/{data.name}"))
    assert mitk.Image(header).shape == voxels.shape


# --- time -------------------------------------------------------------------------------------------------------


def test_the_time_spacing_of_nifti_is_an_option(tmp_path):
    path = tmp_path / "x.nii"
    peer = nibabel.Nifti1Image(np.zeros((5, 4, 3, 2), "i2"), np.eye(4))
    peer.header.set_zooms((1, 1, 1, 1500))
    peer.header.set_xyzt_units("mm", "msec")
    nibabel.save(peer, path)
    assert mitk.Image(path).time_geometry.time_points == (0, 1, 2)
    timed = mitk.io.read_image(path, time_spacing=True)
    assert timed.time_geometry.time_points == (0, 1500, 3000)
    mitk.io.write_image(timed, tmp_path / "y.nii", time_spacing=True)
    assert nibabel.load(tmp_path / "y.nii").header.get_zooms()[3] == 1.5
    timed.save(tmp_path / "z.nii")
    assert nibabel.load(tmp_path / "z.nii").header.get_zooms()[3] == 1.0


def test_decreasing_time_points_are_refused(tmp_path):
    path = tmp_path / "x.nhdr"
    image = mitk.Image(np.zeros((2, 3, 4, 5), "u1"))
    image.time_geometry = mitk.ArbitraryTimeGeometry.from_time_points([0, 10, 20])
    image.save(path)
    path.write_text(path.read_text().replace("timepoints:=0 10 20", "timepoints:=0 30 20"))
    with pytest.raises(mitk.FileError, match="30"):
        mitk.Image(path)


# --- places -----------------------------------------------------------------------------------------------------


def nrrd_in(space, path):
    lines = ["NRRD0004", "type: uchar", "dimension: 3", f"space: {space}", "sizes: 2 2 2"]
    lines += ["space directions: (2,0,0) (0,3,0) (0,0,4)", "kinds: domain domain domain", "encoding: raw"]
    path.write_bytes("\n".join([*lines, "space origin: (1,2,3)", "", ""]).encode() + bytes(8))
    return path


@pytest.mark.parametrize(
    ("space", "signs"),
    [
        ("left-posterior-superior", (1, 1, 1)),
        ("right-anterior-superior", (-1, -1, 1)),
        ("left-anterior-superior", (1, -1, 1)),
    ],
)
def test_named_spaces_of_nrrd_become_lps(tmp_path, space, signs):
    """Older versions of ITK turn x instead of y for left-anterior-superior."""
    image = mitk.Image(nrrd_in(space, tmp_path / "x.nrrd"))
    assert image.origin == tuple(np.multiply(signs, (1.0, 2.0, 3.0)))
    np.testing.assert_array_equal(image.direction, np.diag(np.array(signs, float)))
    assert image.spacing == (2, 3, 4)


@pytest.mark.parametrize("suffix", [".mha", ".nrrd", ".nii.gz"])
def test_simpleitk_and_we_agree_on_every_axis(tmp_path, suffix):
    c, s = np.cos(0.3), np.sin(0.3)
    direction = np.array([[c, -s, 0], [s, c, 0], [0, 0, -1]])
    image = mitk.Image(VOXELS, (0.5, 0.7, 1.1), (1, 2, 3), direction)
    image.save(tmp_path / f"x{suffix}")
    peer = sitk.ReadImage(str(tmp_path / f"x{suffix}"))
    np.testing.assert_allclose(peer.GetDirection(), direction.ravel(), atol=1e-6)
    index = (7, 11, 13)
    np.testing.assert_allclose(peer.TransformIndexToPhysicalPoint(index), list(image.index_to_world(index)), atol=1e-5)
    assert peer[index] == VOXELS[13, 11, 7]


def test_vtk_and_we_agree_on_a_vti_file(tmp_path):
    from vtkmodules.vtkIOXML import vtkXMLImageDataReader

    c, s = np.cos(0.3), np.sin(0.3)
    image = mitk.Image(VOXELS, (0.5, 0.7, 1.1), (1, 2, 3), [[c, -s, 0], [s, c, 0], [0, 0, 1]])
    image.save(tmp_path / "x.vti")
    reader = vtkXMLImageDataReader()
    reader.SetFileName(str(tmp_path / "x.vti"))
    reader.Update()
    data, index = reader.GetOutput(), (7, 11, 13)
    np.testing.assert_allclose(data.GetPoint(data.ComputePointId(index)), list(image.index_to_world(index)), atol=1e-12)
    assert data.GetScalarComponentAsDouble(*index, 0) == VOXELS[13, 11, 7]


# --- threads and accessors --------------------------------------------------------------------------------------


def test_saving_needs_a_read_accessor(tmp_path):
    image = mitk.Image(VOXELS)
    with image.read():
        image.save(tmp_path / "a.mha")
    with image.write(), pytest.raises(mitk.MemoryIsLockedError):
        image.save(tmp_path / "b.mha")
    assert not (tmp_path / "b.mha").exists()
    with image.write() as voxels:
        voxels[0] = 1


def test_saving_waits_for_a_writer_in_another_thread(tmp_path):
    image, entered, leave = mitk.Image(VOXELS), threading.Event(), threading.Event()

    def write():
        with image.write() as voxels:
            entered.set()
            leave.wait(60)
            voxels[:] = 42

    writer = threading.Thread(target=write)
    writer.start()
    assert entered.wait(60)
    threading.Timer(0.1, leave.set).start()
    image.save(tmp_path / "x.mha")
    writer.join()
    assert (mitk.Image(tmp_path / "x.mha").array == 42).all()


def test_a_failed_save_leaves_no_lock(tmp_path):
    image = mitk.Image(VOXELS)
    with pytest.raises(mitk.FileWriteError) as kept:
        image.save(tmp_path / "missing" / "x.mha")
    with image.write(block=False) as voxels:
        voxels[0] = 0
    assert kept.value is not None


def test_threads_load_and_save_every_format_at_once(tmp_path):
    suffixes = [kind.suffixes[0] for kind in FORMATS if 3 in kind.dimensions and not kind.lossy] * 3

    def there_and_back(number, suffix):
        voxels = np.full((8, 9, 10), number, "u1")
        path = tmp_path / f"{number}{suffix}"
        mitk.Image(voxels).save(path)
        return np.array_equal(mitk.Image(path).array, voxels)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(there_and_back, range(len(suffixes)), suffixes))


@pytest.mark.parametrize("suffix", [".mha", ".nrrd", ".nii.gz"])
def test_other_threads_run_while_a_file_is_read_and_written(tmp_path, suffix):
    """ITK works without the interpreter: a thread that needs it keeps counting."""
    # Reading takes some milliseconds, a few ticks: many readings, for where other programs have the processors.
    image = mitk.Image(np.random.default_rng(0).integers(0, 255, (200, 256, 256)).astype("u1"))
    assert counted_while(lambda: image.save(tmp_path / f"x{suffix}")) > 10
    assert sum(counted_while(lambda: mitk.Image(tmp_path / f"x{suffix}")) for _ in range(20)) > 10


def counted_while(work):
    """How often another thread ran Python code while ``work`` ran, with hardly any forced switches between them."""
    interval, count, done = sys.getswitchinterval(), [0], threading.Event()

    def tick():
        while not done.wait(0.001):
            count[0] += 1

    ticker = threading.Thread(target=tick)
    sys.setswitchinterval(30)
    ticker.start()
    try:
        work()
        return count[0]
    finally:
        sys.setswitchinterval(interval)
        done.set()
        ticker.join()


def test_loading_takes_the_readers_memory_over(tmp_path):
    """One copy of the voxels in memory, not two."""
    import psutil

    path = tmp_path / "x.mha"
    mitk.io.write_image(mitk.Image(np.zeros((100, 1000, 1000), "u1")), path, compress=False)
    process = psutil.Process()
    mitk.Image(path)
    before = process.memory_info().rss
    image = mitk.Image(path)
    assert process.memory_info().rss - before < 150e6
    assert image.nbytes == 100_000_000
