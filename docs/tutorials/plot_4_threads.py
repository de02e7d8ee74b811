"""
4. Inside a threaded service
============================

A service answers many requests at once. This lesson shows what concurrent calls share, how they are stopped, and how
threads read an image while another one writes it. ``examples/service`` has a whole web service.
"""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import matplotlib.pyplot as plt
import numpy as np

import mitk_rs as mitk

tree = mitk.datasets.vessel_tree(size=(96, 96, 80), spacing=(1.3, 1.3, 1.6), generations=3)
scan = tree.image

# %%
# Calls from many threads
# -----------------------
#
# Computations let go of the interpreter, so calls of several threads run at the same time. They share one budget of
# threads: eight callers do not start eight times as many.
mitk.set_num_threads(2)


def request(number: int) -> tuple[int, bytes]:
    target = tree.targets[number % len(tree.targets)]
    found = mitk.initialize_level_set(scan, sources=[tree.source], targets=[target], lower_threshold=200.0)
    return number % len(tree.targets), found.level_set.array.tobytes()


with ThreadPoolExecutor(max_workers=8) as callers:
    answers = list(callers.map(request, range(16)))

# %%
# Results do not depend on the number of threads, nor on who else computes: equal requests have equal bytes.
different = {target: len({voxels for which, voxels in answers if which == target}) for target, _ in answers}
print("different answers for each target:", different)

# %%
# Limits of time, and clients that leave
# --------------------------------------
#
# ``timeout=`` ends a call after so many seconds; ``cancel=`` takes a :class:`threading.Event`. Both work within a
# fraction of a second, and leave nothing behind.
speed = np.ones((256, 256, 256), np.float32)
try:
    mitk.fast_marching(speed, seeds=[(0, 0, 0)], timeout=0.05)
except mitk.TimeoutError as error:
    print("timeout:", error)

left = threading.Event()
threading.Timer(0.1, left.set).start()
try:
    mitk.fast_marching(speed, seeds=[(0, 0, 0)], cancel=left)
except mitk.Cancelled as error:
    print("cancelled:", error)

# %%
# In ``async`` code, ``await mitk.aio.fast_marching(...)`` is cancelled with the task that awaits it; see
# :mod:`mitk_rs.aio`.
#
# Errors for people
# -----------------
#
# Every refusal is a :class:`mitk_rs.Exception` with one line. A service maps the classes to statuses:
statuses = {mitk.RequestError: 422, mitk.FileError: 400, mitk.TimeoutError: 504}
for options in ({"lower_threshold": 5000.0}, {"lower_threshold": 200.0, "method": "magic"}):
    try:
        mitk.initialize_level_set(scan, **{"sources": [tree.source], "targets": tree.targets[:1], **options})
    except mitk.Exception as error:
        status = next(status for kind, status in statuses.items() if isinstance(error, kind))
        print(status, error)

# %%
# Readers and writers of one image
# --------------------------------
#
# Any number of readers can hold an image; a writer needs it exclusively. Here a writer adds frames of a growing value,
# and readers check that they never see half of a change. Readers do not queue behind a writer that waits, so they pause
# between reads; a steady stream of them would keep it waiting.
image = mitk.Image(np.zeros((64, 64, 64), np.int16))
torn, seen, stop = [], set(), threading.Event()


def read() -> None:
    while not stop.is_set():
        with image.read() as voxels:
            seen.add(int(voxels[0, 0, 0]))
            torn.append(voxels.min() != voxels.max())
        time.sleep(0.002)


readers = [threading.Thread(target=read) for _ in range(3)]
for reader in readers:
    reader.start()
for value in range(1, 20):
    with image.write() as voxels:
        voxels[:] = value
    time.sleep(0.005)
stop.set()
for reader in readers:
    reader.join()
print(f"{len(torn)} reads, {sum(torn)} of them torn, {len(seen)} different values seen")

# %%
# A snapshot never changes and locks nobody out; it shares the voxels until the image is written.
before = image.snapshot()
with image.write() as voxels:
    voxels[:] = -1
print(int(before.array[0, 0, 0]), int(image.array[0, 0, 0]))

# %%
# How long do requests take?
# --------------------------
#
# The first one is slower, because it loads libraries: make a small call when the service starts.
seconds = []
for _ in range(20):
    start = time.perf_counter()
    request(0)
    seconds.append(1000 * (time.perf_counter() - start))
figure, panel = plt.subplots(figsize=(7, 2.8), layout="constrained")
panel.bar(range(20), seconds)
panel.set(xlabel="request", ylabel="ms", title="colliding fronts in 96 x 96 x 80 voxels")
plt.show()

mitk.set_num_threads(None)

# %%
# Next: :doc:`plot_5_projections`.
