//! Feature images: where in a scan are edges?
//!
//! A feature image is small at edges and large in homogeneous regions. Level sets slow down, or are drawn to the
//! valley, where it is small. Two steps make it: the *magnitude* m of the gradient in grey values per mm, and a *map*
//! of m to the feature.
//!
//! | kind | magnitude | map |
//! |---|---|---|
//! | [`Kind::Gradient`] | central differences, or derivatives of a Gaussian | reciprocal or sigmoid |
//! | [`Kind::VtkGradient`] | central differences, halved at the borders | `1 / (m + 1)` in single precision |
//! | [`Kind::Upwind`] | one-sided differences, seen from the dark side of a bright vessel | reciprocal or sigmoid |
//! | [`Kind::Fwhm`] | none: the voxel against half the maximum around it | a sigmoid, -1 outside to 1 inside |
//!
//! The reciprocal is `1 / (1 + m)`; the sigmoid falls from 0.953 at the lower end of a range of m to 0.047 at its
//! upper end. Volumes are `f32`; where nothing else is said a result is computed in `f64` and rounded once. Outside
//! the volume a value is that of the nearest voxel. Derivatives are taken along the axes of the array: directions play
//! no part.
//!
//! The models are `vtkvmtkGradientMagnitudeImageFilter` and its kin in VMTK's `vtkvmtkImageFeatures`,
//! `itk::GradientMagnitudeImageFilter`, `itk::GradientMagnitudeRecursiveGaussianImageFilter`,
//! `itk::BoundedReciprocalImageFilter`, `itk::SigmoidImageFilter`, `vtkImageGradientMagnitude` and
//! `vtkvmtkFWHMFeatureImageFilter`.

pub mod gaussian;
mod half_maximum;
mod stencils;

use crate::cpu::Instructions;
use crate::error::{Error, Result};
use crate::grid::{Size3, Spacing3};
use crate::memory::Zeroed;
use crate::pixel::Pixel;
use crate::simd::{Kernel, run};
use crate::task::TaskControl;
use crate::voxels::Voxels;
use fearless_simd::Simd;
use rayon::prelude::*;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Gradient magnitude, of the image itself where sigma is 0.
    Gradient {
        /// Standard deviation in mm of the Gaussian that smooths first.
        sigma: f64,
    },
    /// Gradient magnitude as VTK computes it.
    VtkGradient {
        /// How many axes count, x first: 2 or 3.
        dimensions: usize,
    },
    /// Upwind gradient magnitude.
    Upwind {
        /// 0: central differences; 1: the larger fall seen from the voxel.
        factor: f64,
    },
    /// Full width at half maximum.
    Fwhm {
        /// Semi-axes in voxels along (x, y, z) of the ellipsoid in which the maximum is looked for.
        radius: [usize; 3],
        /// Grey value of the background.
        background: f32,
    },
}

/// How a magnitude becomes a feature, for [`Kind::Gradient`] and [`Kind::Upwind`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Map {
    /// `1 / (1 + m)`.
    Reciprocal,
    /// A falling sigmoid over a range of m; over the range of the whole volume where none is given.
    Sigmoid {
        /// Magnitudes that get 0.953 and 0.047.
        range: Option<(f64, f64)>,
    },
}

/// Computes the feature image of `image` into `out`.
///
/// # Errors
/// [`Error::BadVoxel`] for a voxel that is not finite, [`Error::BadArgument`], [`Error::Mismatch`],
/// [`Error::OutOfMemory`], [`Error::Cancelled`].
pub fn compute(
    image: &Voxels<'_>,
    spacing: Spacing3,
    (kind, map): (Kind, Map),
    instructions: Instructions,
    out: &mut [f32],
    control: &TaskControl,
) -> Result<()> {
    let size = image.size();
    let volume = read_finite(image, "the image", control)?;
    let scan = stencils::Scan { volume: &volume, size, spacing, instructions };
    match kind {
        Kind::Gradient { sigma } if sigma != 0.0 => {
            let filters = gaussian::Gaussian::new(sigma, size, spacing, instructions)?;
            gaussian::magnitude(&filters, &volume, out, control)?;
        }
        Kind::Gradient { .. } => scan.apply(stencils::Central, out, control)?,
        Kind::Upwind { factor } => scan.apply(stencils::Upwind::new(factor)?, out, control)?,
        Kind::VtkGradient { dimensions } => {
            return scan.apply(stencils::VtkFeature::new(dimensions)?, out, control);
        }
        Kind::Fwhm { radius, background } => {
            return half_maximum::feature(&volume, size, radius, background, out, control);
        }
    }
    drop(volume);
    apply_map(map, out, size, instructions, control)
}

/// The voxels in single precision, all of them finite; `name` is what errors call the image.
///
/// # Errors
/// [`Error::BadVoxel`] with the first one that is not, [`Error::OutOfMemory`], [`Error::Cancelled`].
pub fn read_finite(image: &Voxels<'_>, name: &'static str, control: &TaskControl) -> Result<Zeroed<f32>> {
    let [nx, ny, _] = image.size().array();
    let mut volume = Zeroed::dense(image.size().voxels())?;
    each_slice(&mut volume, nx * ny, control, |z, slice| {
        slice.chunks_exact_mut(nx).enumerate().try_for_each(|(y, row)| read_finite_row(image, name, y, z, row))
    })?;
    Ok(volume)
}

/// Works on all slices of `length` values, on several at once. Fails as the first slice in memory that fails.
///
/// # Errors
/// What `work` returns, [`Error::Cancelled`].
pub(crate) fn each_slice<T: Send>(
    values: &mut [T],
    length: usize,
    control: &TaskControl,
    work: impl Fn(usize, &mut [T]) -> Result<()> + Sync,
) -> Result<()> {
    let slices = values.par_chunks_mut(length).enumerate();
    let faults = slices.map(|(z, slice)| control.check().and_then(|()| work(z, slice)).err());
    faults.find_first(Option::is_some).flatten().map_or(Ok(()), Err)
}

/// Reads a row in single precision; `name` is what errors call the image.
///
/// # Errors
/// [`Error::BadVoxel`] with the first voxel that is not finite.
pub(crate) fn read_finite_row(
    image: &Voxels<'_>,
    name: &'static str,
    y: usize,
    z: usize,
    row: &mut [f32],
) -> Result<()> {
    /// All bits set in the exponent: infinite, or not a number.
    const EXPONENT: u32 = 0x7f80_0000;
    crate::pixel::dispatch_pixel!(image.pixel(), P => image.read_row::<P, f32>(0, y, z, row, P::to_f32));
    // In 32 bits, so that vectors of the row's own width do it.
    let bad = row.iter().fold(0, |bad, v| bad | u32::from(v.to_bits() & EXPONENT == EXPONENT));
    if bad == 0 {
        return Ok(());
    }
    let x = row.iter().position(|v| !v.is_finite()).unwrap_or(0);
    Err(Error::BadVoxel { image: name, index: [x, y, z].map(|i| i as i64), value: f64::from(row[x]) })
}

/// Turns magnitudes into features in place.
fn apply_map(
    map: Map,
    values: &mut [f32],
    size: Size3,
    instructions: Instructions,
    control: &TaskControl,
) -> Result<()> {
    let slice = size.x() * size.y();
    let Map::Sigmoid { range } = map else {
        return each_slice(values, slice, control, |_, slice| {
            run(instructions, Reciprocal(slice));
            Ok(())
        });
    };
    let (low, high) = range.unwrap_or_else(|| range_of(values, slice));
    if !(low.is_finite() && high.is_finite() && low < high) {
        let allowed = "two finite numbers are needed, the lower one first; without edges there are none";
        return Err(Error::BadArgument { name: "range of the sigmoid", got: format!("({low}, {high})"), allowed });
    }
    let (alpha, beta) = (-(high - low) / 6.0, (high + low) / 2.0);
    each_slice(values, slice, control, |_, slice| {
        for m in slice {
            *m = (1.0 / (1.0 + (-(f64::from(*m) - beta) / alpha).exp())) as f32;
        }
        Ok(())
    })
}

/// `1 / (1 + m)` in place of m.
struct Reciprocal<'a>(&'a mut [f32]);

impl Kernel for Reciprocal<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for m in self.0 {
            *m = (1.0 / (1.0 + f64::from(*m))) as f32;
        }
    }
}

fn range_of(values: &[f32], slice: usize) -> (f64, f64) {
    let ends = values.par_chunks(slice).map(|slice| {
        slice.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &v| (low.min(v), high.max(v)))
    });
    let (low, high) = ends.reduce(|| (f32::INFINITY, f32::NEG_INFINITY), |a, b| (a.0.min(b.0), a.1.max(b.1)));
    (f64::from(low), f64::from(high))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
