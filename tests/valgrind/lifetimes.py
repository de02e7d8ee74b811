"""Every order of dropping an image, its views, its leases and the modules' attributes, for a run under valgrind.

``make valgrind`` runs it; memcheck then sees any read or write of memory that was given back. Small images live on
the heap, large ones in maps of their own, adopted ones in NumPy's memory.
"""

import copy
import gc
import itertools
import pickle
import sys
import warnings

import numpy as np

import mitk_rs as mitk


def made_images(size):
    voxels = np.full((2, size, size, size), 7, np.int16)
    yield mitk.Image(voxels)
    yield mitk.Image(voxels, copy=None)
    empty = mitk.Image()
    empty.initialize("int16", [size, size, size, 2])
    empty[:] = 7
    yield empty
    yield copy.copy(empty)
    yield pickle.loads(pickle.dumps(empty))


VIEWS = {
    "direct": lambda image: image.as_numpy(),
    "frame": lambda image: image.as_numpy(time_step=1),
    "leased": lambda image: image.as_numpy(use_accessor=True),
    "leased frame": lambda image: image.as_numpy(use_accessor=True, writeable=False, time_step=1),
    "array": lambda image: image.array,
    "buffer": lambda image: np.asarray(memoryview(image)),
    "protocol": np.asarray,
    "dlpack": np.from_dlpack,
}


def read_all(kept):
    for one in kept.values():
        array = one.array if isinstance(one, mitk.Image) else one
        assert array.min() == array.max() == 7


def drop_in_order(image, view, order):
    alive = {"image": image, "view": view(image)}
    alive["derived"] = alive["view"][..., 1:, ::2]
    del image
    for name in order:
        read_all(alive)
        if getattr(alive[name], "flags", None) is not None and alive[name].flags.writeable:
            alive[name][...] = 7
        del alive[name]
        gc.collect(0)


def drop_everything(size):
    for view in VIEWS.values():
        for order in itertools.permutations(["image", "view", "derived"]):
            for image in made_images(size):
                drop_in_order(image, view, order)
                del image


def reinitialize_and_share():
    image = mitk.Image(np.full((9, 9), 7, np.float32))
    views = [image.array]
    for size in (5, 50, 1500):
        views.append(image.as_numpy())
        snapshot = image.snapshot()
        image.initialize("float32", [size, size])
        image.as_numpy()[:] = 7
        views += [image.array, snapshot.array]
        snapshot = image.snapshot()
        image.as_numpy()[0] = 7
    del image, snapshot
    for view in views:
        assert view.min() == view.max() == 7


def with_blocks():
    image = mitk.Image(np.full((4, 4, 4), 7, np.uint8))
    with image.write() as voxels:
        voxels[:] = 7
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        with image.read() as voxels:
            survivor = voxels[1]
    del image, voxels
    assert survivor.max() == 7


def drop_the_module():
    view = mitk.Image(np.full((30, 30, 30), 7, np.float64)).as_numpy(use_accessor=True)
    image_class = mitk.Image
    vars(mitk).pop("Image", None)
    for name in ("mitk_rs", "mitk_rs._core", "mitk_rs.image"):
        sys.modules.pop(name, None)
    del image_class
    gc.collect()
    assert view.max() == 7


if __name__ == "__main__":
    drop_everything(4)
    drop_everything(120 if "--large" in sys.argv else 40)
    reinitialize_and_share()
    with_blocks()
    drop_the_module()
    print("every view read what it should")
