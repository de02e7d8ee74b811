//! Edge-preserving smoothing of a scan, and its Laplacian.
//!
//! Gradient anisotropic diffusion (Perona and Malik, "Scale-space and edge detection using anisotropic diffusion", IEEE
//! Trans Pattern Anal Mach Intell 12(7), 1990) moves `u` by `div(c grad u)`, where the conductance `c = exp(|grad u|^2
//! / M)` is small across edges. M follows the mean squared gradient of the whole volume and is found anew in each
//! iteration. The model is `itk::GradientAnisotropicDiffusionImageFilter`, whose arithmetic this is: differences in
//! single precision, all else in double. The mean is summed slice by slice and the slices in order, so it does not
//! depend on threads.

use super::lattice::Lattice;
use crate::error::Result;
use crate::memory::{Zeroed, try_filled};
use crate::task::TaskControl;
use rayon::prelude::*;

/// The edge term of the threshold type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Diffusion {
    /// Weight of the Laplacian of the smoothed scan.
    pub weight: f64,
    /// Number of iterations of the smoothing.
    pub iterations: u32,
    /// Its time step; stable up to `min(h) / 16`, as ITK recommends, and `0.5 / sum(1 / h^2)` for a spacing h.
    pub time_step: f64,
    /// Its conductance: how large a gradient counts as an edge, in units of the mean one.
    pub conductance: f64,
}

impl Diffusion {
    /// The smoothed scan.
    pub(super) fn apply(&self, lattice: &Lattice, scan: &[f32], control: &TaskControl) -> Result<Zeroed<f32>> {
        let mut values = Zeroed::dense(scan.len())?;
        values.copy_from_slice(scan);
        let mut next = Zeroed::dense(scan.len())?;
        let (conductance, time_step) = (f64::from(self.conductance as f32), f64::from(self.time_step as f32));
        for _ in 0..self.iterations {
            let mean = mean_square_gradient(lattice, &values, control)?;
            let scale = (mean * conductance * conductance * -2.0) as f32;
            if scale == 0.0 {
                break;
            }
            let volume = Volume { lattice, values: &values };
            volume.map(&mut next, control, |at| {
                let change = volume.flow(at, f64::from(scale)) as f32;
                volume.at(at, [0, 0, 0]) + (f64::from(change) * time_step) as f32
            })?;
            std::mem::swap(&mut values, &mut next);
        }
        Ok(values)
    }
}

/// Sum of second derivatives by central differences.
pub(super) fn laplacian(lattice: &Lattice, values: &[f32], control: &TaskControl) -> Result<Zeroed<f32>> {
    let squares = lattice.spacing.map(|h| (1.0 / h) * (1.0 / h));
    let sides = squares.map(|square| f64::from(square as f32));
    let centre = f64::from(-squares.iter().map(|square| 2.0 * square).sum::<f64>() as f32);
    let volume = Volume { lattice, values };
    let mut out = Zeroed::dense(values.len())?;
    volume.map(&mut out, control, |at| {
        let value = |by: [i64; 3]| f64::from(volume.at(at, by));
        let lower = sides[2] * value([0, 0, -1]) + sides[1] * value([0, -1, 0]) + sides[0] * value([-1, 0, 0]);
        let middle = lower + centre * value([0, 0, 0]);
        (middle + sides[0] * value([1, 0, 0]) + sides[1] * value([0, 1, 0]) + sides[2] * value([0, 0, 1])) as f32
    })?;
    Ok(out)
}

/// The mean over the volume of the squared gradient by central differences.
fn mean_square_gradient(lattice: &Lattice, values: &[f32], control: &TaskControl) -> Result<f64> {
    control.check()?;
    let volume = Volume { lattice, values };
    let [nx, ny, nz] = lattice.size.array();
    let mut sums = try_filled(nz, 0.0)?;
    sums.par_iter_mut().enumerate().for_each(|(z, sum)| {
        for (y, x) in (0..ny).flat_map(|y| (0..nx).map(move |x| (y, x))) {
            for axis in 0..3 {
                let slope = f64::from(volume.across([x, y, z], axis, [0, 0, 0])) / -2.0 / lattice.spacing[axis];
                *sum += slope * slope;
            }
        }
    });
    Ok(sums.iter().sum::<f64>() / values.len() as f64)
}

/// Values on the grid; outside the volume a value is that of the nearest voxel.
struct Volume<'a> {
    lattice: &'a Lattice,
    values: &'a [f32],
}

impl Volume<'_> {
    /// Computes every voxel of `out`.
    fn map(&self, out: &mut [f32], control: &TaskControl, value: impl Fn([usize; 3]) -> f32 + Sync) -> Result<()> {
        let [nx, ny, _] = self.lattice.size.array();
        out.par_chunks_mut(nx * ny).enumerate().try_for_each(|(z, slice)| {
            control.check()?;
            for (y, row) in slice.chunks_exact_mut(nx).enumerate() {
                row.iter_mut().enumerate().for_each(|(x, to)| *to = value([x, y, z]));
            }
            Ok(())
        })
    }

    /// The value at a displacement from a voxel.
    #[inline(always)]
    fn at(&self, voxel: [usize; 3], by: [i64; 3]) -> f32 {
        let size = self.lattice.size.array();
        let place = |a: usize| voxel[a].saturating_add_signed(by[a] as isize).min(size[a] - 1);
        self.values[self.lattice.size.offset([place(0), place(1), place(2)])]
    }

    /// The difference across a voxel along an axis, of the voxel at a displacement.
    #[inline(always)]
    fn across(&self, voxel: [usize; 3], axis: usize, by: [i64; 3]) -> f32 {
        let (mut before, mut behind) = (by, by);
        before[axis] -= 1;
        behind[axis] += 1;
        self.at(voxel, behind) - self.at(voxel, before)
    }

    /// `div(c grad u)`.
    #[inline(always)]
    fn flow(&self, voxel: [usize; 3], scale: f64) -> f64 {
        let k = self.lattice.spacing.map(|h| 1.0 / h);
        let centre = self.at(voxel, [0, 0, 0]);
        let slope = |b: usize, by: [i64; 3]| f64::from(self.across(voxel, b, by)) / 2.0 * k[b];
        let mut change = 0.0;
        for a in 0..3 {
            let step = |by: i64| std::array::from_fn(|axis| if axis == a { by } else { 0 });
            let forward = f64::from(self.at(voxel, step(1)) - centre) * k[a];
            let backward = f64::from(centre - self.at(voxel, step(-1))) * k[a];
            let (mut ahead, mut behind) = (0.0, 0.0);
            for b in (0..3).filter(|b| *b != a) {
                let here = slope(b, [0, 0, 0]);
                ahead += 0.25 * (here + slope(b, step(1))).powi(2);
                behind += 0.25 * (here + slope(b, step(-1))).powi(2);
            }
            change += forward * ((forward * forward + ahead) / scale).exp()
                - backward * ((backward * backward + behind) / scale).exp();
        }
        change
    }
}
