//! Level sets from an image: the methods without a front, and the speed image of those with one.
//!
//! A level set is negative inside, positive outside, zero at the surface. All of it is arithmetic on one voxel at
//! a time, in the precision VTK's filters use (`vtkmImageInitialization` of VMTK is the model); the specification
//! calls the equations isosurface, threshold, seeds and speed.

use crate::error::{Error, Result};
use crate::grid::{Index3, Size3};
use crate::memory::try_filled;
use crate::pixel::Pixel;
use crate::task::TaskControl;
use crate::voxels::Voxels;
use rayon::prelude::*;

/// Smallest and largest value of an image, as `f32` voxels seen in double precision.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// Smallest value.
    pub low: f64,
    /// Largest value.
    pub high: f64,
}

/// How an intensity becomes a number to compute with: cast to `f32`, negated or not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Intensity {
    /// Sum of smallest and largest value where the image is negated.
    negate: Option<f64>,
    /// Range of the image after negation (which keeps it).
    pub range: Range,
}

impl Intensity {
    /// Scans the image for its range and for voxels that are no numbers.
    ///
    /// # Errors
    /// [`Error::BadVoxel`] with the first NaN or infinite voxel.
    pub fn of(image: &Voxels<'_>, negate: bool, control: &TaskControl) -> Result<Self> {
        let range = range_of(image, control)?;
        Ok(Self { negate: negate.then_some(range.high + range.low), range })
    }

    /// The intensity to compute with.
    #[inline(always)]
    pub fn value(&self, voxel: f32) -> f32 {
        match self.negate {
            None => voxel,
            Some(sum) => (-f64::from(voxel) + sum) as f32,
        }
    }
}

/// Range of an image; refuses NaN and infinity.
fn range_of(image: &Voxels<'_>, control: &TaskControl) -> Result<Range> {
    let size = image.size();
    let slices = (0..size.z()).into_par_iter().map(|z| slice_range(image, z, control));
    // Of two bad voxels the first in memory order is the one to report.
    let none = || Ok((f32::INFINITY, f32::NEG_INFINITY));
    let (low, high) = slices.reduce(none, |a, b| {
        let ((low, high), b) = (a?, b?);
        Ok((low.min(b.0), high.max(b.1)))
    })?;
    Ok(Range { low: f64::from(low), high: f64::from(high) })
}

fn slice_range(image: &Voxels<'_>, z: usize, control: &TaskControl) -> Result<(f32, f32)> {
    control.check()?;
    let mut row = try_filled(image.size().x(), 0f32)?;
    let mut range = (f32::INFINITY, f32::NEG_INFINITY);
    for y in 0..image.size().y() {
        read_row(image, y, z, &mut row);
        if let Some(x) = row.iter().position(|v| !v.is_finite()) {
            let index = [x, y, z].map(|i| i as i64);
            return Err(Error::BadVoxel { image: "the image", index, value: f64::from(row[x]) });
        }
        range = row.iter().fold(range, |(low, high), &v| (low.min(v), high.max(v)));
    }
    Ok(range)
}

/// One row as `f32`.
fn read_row(image: &Voxels<'_>, y: usize, z: usize, row: &mut [f32]) {
    crate::pixel::dispatch_pixel!(image.pixel(), P => image.read_row::<P, f32>(0, y, z, row, P::to_f32));
}

/// Applies `map` to every voxel as `f32`, slice by slice in parallel.
fn map_voxels(
    image: &Voxels<'_>,
    out: &mut [f32],
    control: &TaskControl,
    map: impl Fn(f32) -> f32 + Sync,
) -> Result<()> {
    let size = image.size();
    Error::check_lengths("length of the result", out.len(), size.voxels())?;
    out.par_chunks_mut(size.x() * size.y()).enumerate().try_for_each(|(z, slice)| {
        control.check()?;
        for (y, row) in slice.chunks_mut(size.x()).enumerate() {
            read_row(image, y, z, row);
            row.iter_mut().for_each(|v| *v = map(*v));
        }
        Ok(())
    })
}

/// `f32(value - image)`: bright inside.
///
/// # Errors
/// [`Error::Mismatch`], [`Error::Cancelled`].
pub fn isosurface(
    image: &Voxels<'_>,
    intensity: &Intensity,
    value: f64,
    out: &mut [f32],
    control: &TaskControl,
) -> Result<()> {
    let value = value as f32;
    map_voxels(image, out, control, |v| value - intensity.value(v))
}

/// Inclusive bounds on an intensity, each optional, rounded to `f32` before they are compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    lower: f32,
    upper: f32,
    /// Whether any bound was given.
    given: bool,
}

impl Bounds {
    /// Bounds from what the user gave.
    ///
    /// # Errors
    /// [`Error::BadArgument`] for NaN.
    pub fn new(lower: Option<f64>, upper: Option<f64>) -> Result<Self> {
        for (name, bound) in [("lower threshold", lower), ("upper threshold", upper)] {
            if bound.is_some_and(f64::is_nan) {
                return Err(Error::BadArgument { name, got: "NaN".into(), allowed: "it must be a number" });
            }
        }
        Ok(Self {
            lower: lower.map_or(f32::NEG_INFINITY, |b| b as f32),
            upper: upper.map_or(f32::INFINITY, |b| b as f32),
            given: lower.is_some() || upper.is_some(),
        })
    }

    /// Whether `value` lies within, both ends included.
    #[inline(always)]
    pub fn contain(&self, value: f32) -> bool {
        self.lower <= value && value <= self.upper
    }
}

/// -1 where the intensity lies within the bounds, +1 elsewhere; the intensity itself where no bound is given.
///
/// # Errors
/// [`Error::Mismatch`], [`Error::Cancelled`].
pub fn threshold(
    image: &Voxels<'_>,
    intensity: &Intensity,
    bounds: &Bounds,
    out: &mut [f32],
    control: &TaskControl,
) -> Result<()> {
    map_voxels(image, out, control, |v| {
        let v = intensity.value(v);
        match (bounds.given, bounds.contain(v)) {
            (false, _) => v,
            (true, true) => -1.0,
            (true, false) => 1.0,
        }
    })
}

/// +1 everywhere, -1 at each point and at its face and edge neighbours (VTK's 3x3x3 ellipsoid: 19 voxels).
///
/// # Errors
/// [`Error::IndexOutside`], [`Error::Mismatch`].
pub fn seeds(size: Size3, points: &[Index3], out: &mut [f32]) -> Result<()> {
    Error::check_lengths("length of the result", out.len(), size.voxels())?;
    for &point in points {
        size.check(point, "seed")?;
    }
    out.par_iter_mut().for_each(|v| *v = 1.0);
    for point in points {
        for step in (0..27).map(|n| [n % 3 - 1, n / 3 % 3 - 1, n / 9 - 1]) {
            let near = step.iter().filter(|s| **s != 0).count() <= 2;
            let neighbour: Index3 = std::array::from_fn(|a| point[a] + step[a]);
            if near && size.contains(neighbour) {
                out[size.offset(neighbour.map(|i| i as usize))] = -1.0;
            }
        }
    }
    Ok(())
}

/// What becomes of voxels outside the bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outside {
    /// Speed 0, always.
    Zero,
    /// VMTK's: the value `low - high` before normalization, which an image with a negative maximum turns into a
    /// positive speed.
    Vmtk,
}

/// The speed of a front from intensities: masked by bounds, then normalized to `[0, 1]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SpeedMap {
    intensity: Intensity,
    bounds: Bounds,
    outside_value: f32,
    outside_zero: bool,
    low: f64,
    scale: f64,
}

impl SpeedMap {
    /// Scans the image for the two ranges that the equations need.
    ///
    /// # Errors
    /// [`Error::BadVoxel`], [`Error::Cancelled`].
    pub fn of(
        image: &Voxels<'_>,
        intensity: Intensity,
        bounds: Bounds,
        outside: Outside,
        control: &TaskControl,
    ) -> Result<Self> {
        let full = intensity.range;
        // With a negative maximum `low - high` is no longer below every voxel; measured from the minimum it is.
        let top = if outside == Outside::Zero && full.high < 0.0 { full.high - full.low } else { full.high };
        let outside_value = (full.low - top) as f32;
        let range = if bounds.given { masked_range(image, &intensity, &bounds, outside_value, control)? } else { full };
        let scale = if range.high > range.low { 1.0 / (range.high - range.low) } else { 1.0 };
        let outside_zero = outside == Outside::Zero;
        Ok(Self { intensity, bounds, outside_value, outside_zero, low: range.low, scale })
    }

    /// Speed of a voxel from its intensity as stored, cast to `f32`.
    #[inline(always)]
    pub fn speed(&self, voxel: f32) -> f32 {
        let value = self.intensity.value(voxel);
        let inside = !self.bounds.given || self.bounds.contain(value);
        if !inside && self.outside_zero {
            return 0.0;
        }
        let value = if inside { value } else { self.outside_value };
        ((f64::from(value) - self.low) * self.scale) as f32
    }

    /// Whether a voxel of this stored intensity lies within the bounds.
    #[inline(always)]
    pub fn contains(&self, voxel: f32) -> bool {
        self.bounds.contain(self.intensity.value(voxel))
    }

    /// The speed image, for those who want to see it.
    ///
    /// # Errors
    /// [`Error::Mismatch`], [`Error::Cancelled`].
    pub fn fill(&self, image: &Voxels<'_>, out: &mut [f32], control: &TaskControl) -> Result<()> {
        map_voxels(image, out, control, |v| self.speed(v))
    }
}

/// Range of the image in which every voxel outside the bounds has `outside_value`.
fn masked_range(
    image: &Voxels<'_>,
    intensity: &Intensity,
    bounds: &Bounds,
    outside_value: f32,
    control: &TaskControl,
) -> Result<Range> {
    let size = image.size();
    let slice = |z: usize| -> Result<(f32, f32)> {
        control.check()?;
        let mut row = try_filled(size.x(), 0f32)?;
        let mut range = (f32::INFINITY, f32::NEG_INFINITY);
        for y in 0..size.y() {
            read_row(image, y, z, &mut row);
            for v in row.iter().map(|&v| intensity.value(v)) {
                let v = if bounds.contain(v) { v } else { outside_value };
                range = (range.0.min(v), range.1.max(v));
            }
        }
        Ok(range)
    };
    let merge = |a: (f32, f32), b: (f32, f32)| Ok((a.0.min(b.0), a.1.max(b.1)));
    let none = || (f32::INFINITY, f32::NEG_INFINITY);
    let (low, high) = (0..size.z()).into_par_iter().map(slice).try_reduce(none, merge)?;
    Ok(Range { low: f64::from(low), high: f64::from(high) })
}

/// How the level sets of several branches become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Combine {
    /// The union: the smaller value of each voxel.
    Minimum,
    /// VMTK's: the sum.
    Sum,
}

/// Combines `branch` into `merged`.
///
/// # Errors
/// [`Error::Mismatch`].
pub fn combine(merged: &mut [f32], branch: &Voxels<'_>, how: Combine, control: &TaskControl) -> Result<()> {
    let size = branch.size();
    Error::check_lengths("length of the result", merged.len(), size.voxels())?;
    merged.par_chunks_mut(size.x() * size.y()).enumerate().try_for_each(|(z, slice)| {
        control.check()?;
        let mut row = try_filled(size.x(), 0f32)?;
        for (y, merged) in slice.chunks_mut(size.x()).enumerate() {
            read_row(branch, y, z, &mut row);
            for (m, &b) in merged.iter_mut().zip(&row) {
                *m = match how {
                    Combine::Minimum => m.min(b),
                    Combine::Sum => *m + b,
                };
            }
        }
        Ok(())
    })
}

#[cfg(test)]
#[path = "levelset_tests.rs"]
mod tests;
