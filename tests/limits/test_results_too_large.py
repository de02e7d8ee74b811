"""A result that does not fit into memory is a MemoryError with the number of bytes: not a panic, not the end."""

from __future__ import annotations

import pytest
from children import needs_limits, run_in_child

# Inputs that repeat one voxel cost no memory; results are as large as inputs pretend to be.
CALLS = {
    "march": "_core.march(ones(20000, 20000, 20000), UNIT, SEED)",
    "march, float64": "_core.march(ones(20000, 20000, 20000), UNIT, SEED, precision='float64')",
    "march, gradient": "_core.march(ones(1, 6000, 20000), UNIT, SEED, gradient=True)",
    "march, heap": "_core.march(ones(20000, 20000, 20000), UNIT, SEED, solver='heap')",
    "colliding fronts": "_core.colliding_fronts(ones(20000, 20000, 20000), UNIT, SEED, [(5, 0, 0)])",
    "speed": "_core.speed_image(ones(20000, 20000, 20000), (None, None, False, False))",
    "isosurface": "_core.isosurface(ones(20000, 20000, 20000), 0.5)",
    "threshold": "_core.threshold(ones(20000, 20000, 20000), 0.5)",
    "seeds": "_core.seed_level_set((20000, 20000, 20000), SEED)",
    "combine": "_core.combine(ones(20000, 20000, 20000), ones(20000, 20000, 20000))",
    "inside": "_core.measure_inside(ones(1, 1, 10**13))",
    "inside of many rows": "_core.measure_inside(ones(1, 10**13, 1))",
    "speed of a long row": "_core.scan_speed(ones(1, 1, 10**13), (None, None, False, False))",
    "max": "_core.project_axis(ones(1, 2**20, 2**20), 2, 'max', 0, 1)",
    "std": "_core.project_axis(ones(1, 2**15, 2**13), 2, 'std', 0, 1)",
    "argmax": "_core.project_axis(ones(1, 2**20, 2**20), 2, 'argmax', 0, 1)",
    "all axes": "_core.project_all_axes(ones(1, 2**20, 2**20), 'max')",
    "slide": "_core.slide_axis(ones(20000, 20000, 20000), 0, 3, 'max')",
    "bounds of bricks": "_core.Bricks(ones(2**12, 2**20, 2**20))",
    "rays": "_core.cast_rays(ones(2, 2, 2), None, size=(65536, 65536), **CAMERA)",
    "depths": "_core.cast_rays(ones(2, 2, 2), None, size=(20000, 20000), depths=True, **CAMERA)",
    "image": "mitk.Image().initialize('float64', (20000, 20000, 20000))",
    "fast_marching": "mitk.fast_marching(ones(20000, 20000, 20000), seeds=SEED)",
    "colliding_fronts": "mitk.colliding_fronts(ones(20000, 20000, 20000), seeds1=SEED, seeds2=[(5, 0, 0)])",
    "project": "mitk.project(ones(1, 2**20, 2**20), axis='z')",
}


@needs_limits
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_a_result_beyond_memory_is_a_memory_error(call: str) -> None:
    lines = run_in_child(f"""
        UNIT, SEED = (1, 1, 1), [(0, 0, 0)]
        CAMERA = dict(corner=(0, 0, 0), column=(1, 0, 0), row=(0, 1, 0), step=(0, 0, 1))
        def ones(z, y, x):
            return np.broadcast_to(np.float32(1), (z, y, x))
        # Whatever the first call brings in must not count.
        mitk.fast_marching(ones(4, 5, 6), seeds=SEED)
        limit_memory(1 << 30)
        try:
            {call}
        except Exception as error:
            unlimit_memory()
            print(isinstance(error, MemoryError), str(error))
        print(mitk.fast_marching(ones(4, 5, 6), seeds=SEED).accepted)
    """)
    assert lines[0].startswith("True out of memory: could not allocate "), lines
    assert lines[0].endswith(" bytes")
    assert int(lines[0].split()[-2]) > 1 << 28
    assert lines[1] == "120", "computing goes on afterwards"
