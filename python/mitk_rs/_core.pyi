"""Types of the Rust module, kept by hand and checked against it by stubtest."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol, Required, Self, SupportsIndex, TypedDict, Unpack, final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import disjoint_base

_Index = tuple[int, int, int] | Sequence[int]
_Progress = Callable[[float], object]
_SpeedMap = tuple[float | None, float | None, bool, bool]

class _Cancel(Protocol):
    def is_set(self) -> bool: ...

class _Run(TypedDict, total=False):
    threads: int | None
    progress: _Progress | None
    cancel: _Cancel | None
    timeout: float | None

class _Front(_Run, total=False):
    speed_map: _SpeedMap | ScannedSpeed | None
    check: str
    solver: str
    memory_limit: int | None
    instructions: str | None
    shuffle: int | None
    out: NDArray[Any] | None

class _March(_Front, total=False):
    seed_times: Sequence[float] | None
    target_mode: str | int
    targets: Sequence[_Index]
    target_offset: float
    stopping_time: float | None
    gradient: bool
    sparse: bool
    precision: str

class _Collision(_Front, total=False):
    stop_on_targets: bool
    apply_connectivity: bool
    negative_epsilon: float

class _Rays(_Run, total=False):
    size: Required[Sequence[int]]
    corner: Required[Sequence[float]]
    column: Required[Sequence[float]]
    row: Required[Sequence[float]]
    step: Sequence[float] | None
    eye: Sequence[float] | None
    distance: float
    matrix: Sequence[Sequence[float]]
    depths: bool
    plain: bool

class _Feature(TypedDict):
    type: str
    sigma: float
    sigmoid: bool
    sigmoid_range: tuple[float, float] | None
    upwind_factor: float
    radius: tuple[int, int, int]
    background: float
    dimensionality: int

class _Evolution(TypedDict):
    type: str
    iterations: int
    propagation: float
    curvature: float
    advection: float
    advection_sigma: float
    thresholds: tuple[float, float] | None
    edge_weight: float
    smoothing_iterations: int
    smoothing_time_step: float
    smoothing_conductance: float
    isosurface: float
    max_rms: float
    vmtk: bool

@final
class MarchRecord:
    @property
    def arrival_time(self) -> NDArray[Any]: ...
    @property
    def indices(self) -> NDArray[np.int64] | None: ...
    @property
    def gradient(self) -> NDArray[np.float32] | None: ...
    @property
    def target_value(self) -> float | None: ...
    @property
    def stop(self) -> float: ...
    @property
    def accepted(self) -> int: ...
    @property
    def evaluations(self) -> int: ...
    @property
    def windows(self) -> int: ...

@final
class EvolutionRecord:
    @property
    def rms(self) -> list[float]: ...
    @property
    def time_steps(self) -> list[float]: ...
    @property
    def active(self) -> list[int]: ...
    @property
    def moved(self) -> list[int]: ...
    @property
    def blocked(self) -> list[int]: ...
    @property
    def at_rest(self) -> bool: ...
    @property
    def touches_frame(self) -> bool: ...

@final
class ViewOwner: ...

@final
class ArrayLock:
    def close(self) -> bool: ...
    def release(self) -> None: ...

@final
class Bricks:
    def __new__(cls, volume: NDArray[Any], **run: Unpack[_Run]) -> Self: ...
    @property
    def nbytes(self) -> int: ...

@disjoint_base
class ImageStore:
    def __new__(cls, *_args: Any, **_options: Any) -> Self: ...
    def _initialize(self, pixel: str, axes: Sequence[int], components: int) -> None: ...
    def _adopt(self, array: NDArray[Any], axes: Sequence[int], components: int) -> None: ...
    def _adopt_private(self, array: NDArray[Any], axes: Sequence[int], components: int) -> None: ...
    def _copy(self, array: NDArray[Any], axes: Sequence[int], components: int) -> None: ...
    def _share_from(self, other: ImageStore) -> None: ...
    def _copy_from(self, other: ImageStore) -> None: ...
    def _freeze(self) -> None: ...
    def _is_frozen(self) -> bool: ...
    def _layout(self) -> tuple[str, list[int], int] | None: ...
    def _shape(self) -> tuple[int, ...]: ...
    def _read_view(self, time_step: SupportsIndex | None) -> NDArray[Any]: ...
    def _write_view(self, time_step: SupportsIndex | None) -> NDArray[Any]: ...
    def _leased_view(
        self, time_step: SupportsIndex | None, writeable: bool, patience: float | None, place: tuple[str, int, str]
    ) -> tuple[NDArray[Any], ArrayLock]: ...
    def _stamp(self) -> int | None: ...
    def _leases(self) -> int: ...

def version() -> str: ...
def set_num_threads(n: int | None) -> None: ...
def get_num_threads() -> int: ...
def cpu_features() -> list[str]: ...
def force_instructions(name: Literal["baseline", "avx2", "avx512", "neon"] | None) -> None: ...
def speed_image(image: NDArray[Any], parameters: _SpeedMap, **run: Unpack[_Run]) -> NDArray[np.float32]: ...
def isosurface(
    image: NDArray[Any], value: float, *, negate: bool = False, threads: int | None = None
) -> NDArray[np.float32]: ...
def threshold(
    image: NDArray[Any],
    lower: float | None = None,
    upper: float | None = None,
    *,
    negate: bool = False,
    threads: int | None = None,
) -> NDArray[np.float32]: ...
def seed_level_set(
    shape: tuple[int, int, int], points: Sequence[_Index], *, threads: int | None = None
) -> NDArray[np.float32]: ...
def combine(
    merged: NDArray[Any],
    branch: NDArray[Any],
    how: Literal["minimum", "sum"] = "minimum",
    *,
    threads: int | None = None,
) -> NDArray[np.float32]: ...

@final
class ScannedSpeed: ...

def scan_speed(image: NDArray[Any], parameters: _SpeedMap, *, threads: int | None = None) -> ScannedSpeed: ...
def march(
    speed: NDArray[Any], spacing: Sequence[float], seeds: Sequence[_Index], **options: Unpack[_March]
) -> MarchRecord: ...
def colliding_fronts(
    speed: NDArray[Any],
    spacing: Sequence[float],
    seeds1: Sequence[_Index],
    seeds2: Sequence[_Index],
    **options: Unpack[_Collision],
) -> NDArray[np.float32]: ...
def fixed_point_defects(
    arrival_time: NDArray[Any],
    speed: NDArray[Any],
    spacing: Sequence[float],
    seeds: Sequence[_Index],
    stop: float,
    *,
    threads: int | None = None,
) -> int: ...
def feature_image(
    image: NDArray[Any],
    spacing: Sequence[float],
    options: _Feature,
    *,
    instructions: str | None = None,
    **run: Unpack[_Run],
) -> NDArray[np.float32]: ...
def evolve_level_set(
    image: NDArray[Any],
    initial: Sequence[tuple[NDArray[Any], bool]],
    merge: Sequence[NDArray[Any]],
    spacing: Sequence[float],
    options: _Evolution,
    *,
    instructions: str | None = None,
    **run: Unpack[_Run],
) -> tuple[NDArray[np.float32], EvolutionRecord]: ...
def measure_inside(
    level_set: NDArray[Any], *, cancel: _Cancel | None = None
) -> tuple[int, int, list[list[int]] | None]: ...
def project_axis(
    volume: NDArray[Any],
    axis: int,
    kind: str,
    first: int,
    end: int,
    **run: Unpack[_Run],
) -> NDArray[Any]: ...
def project_all_axes(
    volume: NDArray[Any],
    kind: str,
    **run: Unpack[_Run],
) -> list[NDArray[Any]]: ...
def slide_axis(
    volume: NDArray[Any],
    axis: int,
    thickness: int,
    kind: str,
    **run: Unpack[_Run],
) -> NDArray[Any]: ...
def cast_rays(
    volume: NDArray[Any], bricks: Bricks | None, **options: Unpack[_Rays]
) -> tuple[NDArray[np.float32], NDArray[np.int32] | None]: ...
