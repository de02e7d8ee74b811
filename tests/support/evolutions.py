"""Generated evolutions: small volumes with everything in them that could make a difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
TYPES = ("geodesic", "curves", "threshold", "laplacian")


def smooth_noise(random: np.random.Generator, shape: Sequence[int], width: float) -> Floats:
    """Noise of standard deviation 1, smoothed with a Gaussian of ``width`` voxels, periodically."""
    frequencies = np.meshgrid(*(np.fft.fftfreq(n) for n in shape), indexing="ij")
    damping = np.exp(-2 * (np.pi * width) ** 2 * sum(f**2 for f in frequencies))
    noise = np.fft.ifftn(np.fft.fftn(random.normal(size=shape)) * damping).real
    return (noise / max(noise.std(), 1e-12)).astype(np.float32)


@dataclass(frozen=True)
class Case:
    """An evolution: what ITK gets, and what is asked of it."""

    kind: str
    image: Floats
    """The feature of geodesic and curves, else the scan."""

    initial: Floats
    spacing: tuple[float, float, float]
    options: dict[str, Any] = field(default_factory=dict)

    def of_itk(self, oracle: Any) -> dict[str, Any]:
        """Level set, RMS and number of iterations by ITK."""
        return oracle.ask("evolve", self.kind, self.image, self.initial, self.spacing, **self.options)

    def request(self) -> dict[str, Any]:
        """The options as ``_core.evolve_level_set`` takes them; NaN is kept as in ITK."""
        request = {
            "type": self.kind,
            "iterations": 10,
            "propagation": 0.0,
            "curvature": 0.0,
            "advection": 1.0,
            "advection_sigma": 0.0,
            "thresholds": None,
            "edge_weight": 0.0,
            "smoothing_iterations": 5,
            "smoothing_time_step": 0.1,
            "smoothing_conductance": 0.8,
            "isosurface": 0.0,
            "max_rms": 1e-20,
            "vmtk": True,
        }
        given = dict(self.options)
        request["advection_sigma"] = given.pop("sigma", 0.0)
        reverse = given.pop("reverse", False)
        if "smoothing" in given:
            steps, time_step, conductance = given.pop("smoothing")
            request |= {"smoothing_iterations": steps, "smoothing_time_step": time_step}
            request["smoothing_conductance"] = conductance
        request |= given
        # With VMTK's defects curves is reversed.
        if reverse != (self.kind == "curves"):
            request |= {"propagation": -request["propagation"], "advection": -request["advection"]}
        return request


def initial_level_set(random: np.random.Generator, shape: Sequence[int]) -> Floats:
    """Smooth, rough, in two steps, or with the largest numbers: several pieces, some of them cut by the frame."""
    noise = smooth_noise(random, shape, float(random.choice([0.7, 1.2, 2.0, 3.0])))
    scale = float(random.choice([0.3, 1.0, 4.0]))
    form = random.integers(0, 6)
    if form == 0:
        return np.where(noise < 0.3, np.float32(-1), np.float32(1))
    if form == 1:
        return np.where(noise < 0, noise, np.float32(1.7e38)).astype(np.float32)
    if form == 2:
        return np.where(np.abs(noise) < 0.2, np.float32(0), noise)
    return (noise * scale).astype(np.float32)


def generated(number: int) -> Case:
    """The case of a number, always the same."""
    random = np.random.default_rng(number)
    kind = TYPES[number % 4]
    shape = tuple(random.integers(5, 25, 3).tolist())
    spacing = tuple(random.uniform(0.3, 3.0, 3).tolist()) if number % 3 else (1.0, 1.0, 1.0)
    if number % 12 == 1:
        spacing = (0.3, 1.0, 3.0)
    initial = initial_level_set(random, shape)
    options: dict[str, Any] = {
        "iterations": int(random.choice([0, 1, 5, 15, 40])),
        "propagation": float(random.choice([0.0, 0.5, 1.0, -1.0])),
        "curvature": float(random.choice([0.0, 0.0, 0.2, 1.0])),
        "isosurface": float(random.choice([0.0, 0.0, 0.3])),
        "max_rms": float(random.choice([1e-20, 1e-3])),
    }
    roughness = float(random.choice([0.0, 0.6, 1.5]))
    if kind in ("geodesic", "curves"):
        image = np.exp(smooth_noise(random, shape, roughness)).astype(np.float32)
        options |= {"advection": float(random.choice([0.0, 1.0, 3.0])), "reverse": bool(random.integers(0, 2))}
        if min(shape) >= 4 and random.random() < 0.3:
            options["sigma"] = float(random.uniform(0.4, 1.5))
    else:
        image = (smooth_noise(random, shape, roughness) * 100).astype(np.float32)
    if kind == "threshold":
        options["thresholds"] = (float(random.uniform(-80, 0)), float(random.uniform(0, 120)))
        options["edge_weight"] = float(random.choice([0.0, 0.7, 2.5]))
        options["smoothing"] = (int(random.integers(0, 6)), 0.1, float(random.choice([0.8, 2.0])))
    return Case(kind, image, initial, spacing, options)


def has_surface(case: Case) -> bool:
    """Whether the initial level set has a zero crossing."""
    shifted = case.initial - np.float32(case.options.get("isosurface", 0.0))
    return bool(np.unique(np.sign(shifted)).size > 1)
