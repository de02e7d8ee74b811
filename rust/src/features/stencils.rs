//! Features from the six face neighbours of each voxel.

use crate::cpu::Instructions;
use crate::error::{Error, Result};
use crate::grid::{Size3, Spacing3};
use crate::memory::try_filled;
use crate::simd::{Kernel, run};
use crate::task::TaskControl;
use fearless_simd::Simd;
use rayon::prelude::*;

/// A volume to take differences of.
pub(super) struct Scan<'a> {
    pub(super) volume: &'a [f32],
    pub(super) size: Size3,
    pub(super) spacing: Spacing3,
    pub(super) instructions: Instructions,
}

/// A voxel and, along (x, y, z), the neighbours before and behind it.
#[derive(Clone, Copy)]
pub(super) struct Around {
    centre: f64,
    before: [f64; 3],
    behind: [f64; 3],
}

/// What is computed from a voxel and its neighbours.
pub(super) trait Stencil: Copy + Sync {
    /// The result at a voxel; `h` is the spacing in mm.
    fn value(self, around: Around, h: [f64; 3]) -> f32;
}

/// `f32` of the length of a vector.
#[inline(always)]
fn length(v: [f64; 3]) -> f32 {
    (v[0] * v[0] + v[1] * v[1] + v[2] * v[2]).sqrt() as f32
}

/// Magnitude of central differences.
#[derive(Clone, Copy)]
pub(super) struct Central;

impl Stencil for Central {
    #[inline(always)]
    fn value(self, around: Around, h: [f64; 3]) -> f32 {
        length(std::array::from_fn(|a| {
            let c = 0.5 * (1.0 / h[a]);
            around.before[a] * -c + around.behind[a] * c
        }))
    }
}

/// `1 / (m + 1)` of central differences along the first axes, as `vtkImageGradientMagnitude` computes them.
#[derive(Clone, Copy)]
pub(super) struct VtkFeature {
    /// 1 along axes that count, else 0.
    counts: [f64; 3],
}

impl VtkFeature {
    /// Gradients along `dimensions` axes.
    pub(super) fn new(dimensions: usize) -> Result<Self> {
        match dimensions {
            2 => Ok(Self { counts: [1.0, 1.0, 0.0] }),
            3 => Ok(Self { counts: [1.0; 3] }),
            other => Err(Error::BadArgument { name: "dimensionality", got: other.to_string(), allowed: "2 or 3" }),
        }
    }
}

impl Stencil for VtkFeature {
    #[inline(always)]
    fn value(self, around: Around, h: [f64; 3]) -> f32 {
        let m = length(std::array::from_fn(|a| (around.before[a] - around.behind[a]) * (0.5 / h[a]) * self.counts[a]));
        1.0 / (m + 1.0)
    }
}

/// Magnitude of one-sided differences, mixed by a factor.
#[derive(Clone, Copy)]
pub(super) struct Upwind {
    /// Weight of the larger difference; the other one gets the rest.
    larger: f64,
}

impl Upwind {
    /// `factor` is 0 for central differences, 1 for the larger fall.
    pub(super) fn new(factor: f64) -> Result<Self> {
        if !(0.0..=1.0).contains(&factor) {
            let allowed = "it must be within 0 to 1";
            return Err(Error::BadArgument { name: "upwind_factor", got: factor.to_string(), allowed });
        }
        Ok(Self { larger: (1.0 + factor) / 2.0 })
    }
}

impl Stencil for Upwind {
    #[inline(always)]
    fn value(self, around: Around, h: [f64; 3]) -> f32 {
        length(std::array::from_fn(|a| {
            let k = 1.0 / h[a];
            let backward = around.centre * k + around.before[a] * -k;
            let forward = around.behind[a] * k + around.centre * -k;
            let (major, minor) = if -backward > forward { (backward, forward) } else { (forward, backward) };
            let slope = self.larger * major + (1.0 - self.larger) * minor;
            if -backward > 0.0 || forward > 0.0 { slope } else { 0.0 }
        }))
    }
}

impl Scan<'_> {
    /// Computes `stencil` at every voxel.
    pub(super) fn apply<T: Stencil>(&self, stencil: T, out: &mut [f32], control: &TaskControl) -> Result<()> {
        let [nx, ny, _] = self.size.array();
        out.par_chunks_mut(nx * ny).enumerate().try_for_each(|(z, slice)| {
            control.check()?;
            let mut padded = try_filled(nx + 2, 0.0)?;
            for (y, out) in slice.chunks_mut(nx).enumerate() {
                self.pad_row(y, z, &mut padded);
                let across = self.rows_across(y, z);
                run(self.instructions, Row { stencil, h: self.spacing.array(), padded: &padded, across, out });
            }
            Ok(())
        })
    }

    fn row(&self, y: usize, z: usize) -> &[f32] {
        let [nx, ny, _] = self.size.array();
        &self.volume[(z * ny + y) * nx..][..nx]
    }

    /// A row with its first and last voxel repeated.
    fn pad_row(&self, y: usize, z: usize, padded: &mut [f32]) {
        let row = self.row(y, z);
        padded[1..=row.len()].copy_from_slice(row);
        padded[0] = row[0];
        padded[row.len() + 1] = row[row.len() - 1];
    }

    /// The rows before and behind along y, then along z.
    fn rows_across(&self, y: usize, z: usize) -> [&[f32]; 4] {
        let [_, ny, nz] = self.size.array();
        [
            self.row(y.saturating_sub(1), z),
            self.row((y + 1).min(ny - 1), z),
            self.row(y, z.saturating_sub(1)),
            self.row(y, (z + 1).min(nz - 1)),
        ]
    }
}

/// A row of results.
struct Row<'a, T> {
    stencil: T,
    h: [f64; 3],
    padded: &'a [f32],
    across: [&'a [f32]; 4],
    out: &'a mut [f32],
}

impl<T: Stencil> Kernel for Row<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let n = self.out.len();
        let (left, centre, right) = (&self.padded[..n], &self.padded[1..=n], &self.padded[2..n + 2]);
        let across = self.across.map(|row| &row[..n]);
        for x in 0..n {
            let around = Around {
                centre: f64::from(centre[x]),
                before: [left[x], across[0][x], across[2][x]].map(f64::from),
                behind: [right[x], across[1][x], across[3][x]].map(f64::from),
            };
            self.out[x] = self.stencil.value(around, self.h);
        }
    }
}
