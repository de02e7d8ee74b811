//! Where a march gets its speeds from: an array of speeds, or intensities through a [`SpeedMap`], read tile by tile.
//!
//! A speed is finite and at least 0. It is checked where it is read, so that a march costs what its front costs; a bad
//! one that no front comes near is not noticed. [`Speed::check`] looks at all of them.

use super::Time;
use crate::error::{Error, Result};
use crate::grid::Size3;
use crate::levelset::SpeedMap;
use crate::pixel::Pixel;
use crate::task::TaskControl;
use crate::voxels::Voxels;
use ndarray::ArrayView3;
use rayon::prelude::*;

/// Speeds of a volume.
#[derive(Debug, Clone, Copy)]
pub struct Speed<'a> {
    voxels: Voxels<'a>,
    map: Option<SpeedMap>,
    /// Axis of the caller for each axis.
    order: [usize; 3],
}

/// A voxel whose speed is NaN, infinite or negative.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct BadSpeed {
    /// Offset in memory order of the caller's volume.
    pub(crate) offset: u64,
    /// Voxel `(x, y, z)` of the caller's volume.
    pub(crate) index: [usize; 3],
    /// Its speed.
    pub(crate) value: f64,
}

impl BadSpeed {
    /// The one that comes first in memory order.
    pub(crate) fn first(a: Option<Self>, b: Option<Self>) -> Option<Self> {
        match (a, b) {
            (Some(a), Some(b)) => Some(if b.offset < a.offset { b } else { a }),
            (a, b) => a.or(b),
        }
    }

    /// As an error.
    pub(crate) fn error(self) -> Error {
        Error::BadSpeed { index: self.index.map(|i| i as i64), value: self.value }
    }
}

impl<'a> Speed<'a> {
    /// An array of speeds, each to be finite and >= 0.
    pub fn from_speeds(voxels: Voxels<'a>) -> Self {
        Self { voxels, map: None, order: [0, 1, 2] }
    }

    /// An array `(z, y, x)` of speeds, each to be finite and >= 0.
    ///
    /// # Errors
    /// [`Error::BadArgument`] for an empty axis.
    pub fn from_array<P: Pixel>(array: ArrayView3<'a, P>) -> Result<Self> {
        let ((nz, ny, nx), s) = (array.dim(), array.strides());
        let size = Size3::new([nx, ny, nz])?;
        let strides = [s[2], s[1], s[0]].map(|s| s * size_of::<P>() as isize);
        // SAFETY: the array is borrowed for 'a and has all these elements.
        let voxels = unsafe { Voxels::from_raw(array.as_ptr().cast(), P::TYPE, size, strides) };
        Ok(Self::from_speeds(voxels))
    }

    /// Intensities, mapped to speeds.
    pub fn from_intensities(voxels: Voxels<'a>, map: SpeedMap) -> Self {
        Self { voxels, map: Some(map), order: [0, 1, 2] }
    }

    /// Number of voxels.
    pub fn size(&self) -> Size3 {
        self.voxels.size()
    }

    /// Checks every speed, on the current rayon pool.
    ///
    /// # Errors
    /// [`Error::BadSpeed`] with the first offending voxel in memory order.
    pub fn check(&self, control: &TaskControl) -> Result<()> {
        let n = self.size().array();
        let slice = |z: usize| if control.is_cancelled() { None } else { self.first_bad([0, 0, z], [n[0], n[1], 1]) };
        let bad = (0..n[2]).into_par_iter().map(slice).find_first(Option::is_some).flatten();
        control.check()?;
        bad.map_or(Ok(()), |bad| Err(bad.error()))
    }

    /// The same speeds with the axes in another order: axis `a` of the result is axis `order[a]` of `self`.
    pub(crate) fn permuted(&self, order: [usize; 3]) -> Result<Self> {
        let size = Size3::new(order.map(|a| self.size().array()[a]))?;
        let strides = order.map(|a| self.voxels.strides()[a]);
        // SAFETY: the same voxels under other names.
        let voxels = unsafe { Voxels::from_raw(self.voxels.as_ptr(), self.voxels.pixel(), size, strides) };
        Ok(Self { voxels, map: self.map, order: order.map(|a| self.order[a]) })
    }

    /// Speed of one voxel in the precision of `T`.
    pub fn at<T: Time>(&self, v: [usize; 3]) -> T {
        let mut value = [T::default()];
        self.read_box(v, [1; 3], [1; 2], &mut value);
        value[0]
    }

    /// Speeds of a box of voxels; rows of `out` are `pitch[0]` apart, slices `pitch[1]`.
    pub(crate) fn read_box<T: Time>(&self, start: [usize; 3], extent: [usize; 3], pitch: [usize; 2], out: &mut [T]) {
        crate::pixel::dispatch_pixel!(self.voxels.pixel(), P => match &self.map {
            None => self.voxels.read_box::<P, T>(start, extent, pitch, out, |v| T::from_f64(v.to_f64())),
            Some(map) => {
                self.voxels.read_box::<P, T>(start, extent, pitch, out, |v| T::from_f64(f64::from(map.speed(v.to_f32()))));
            }
        });
    }

    /// The first voxel of a box, in memory order of the caller's volume, that has no valid speed.
    pub(crate) fn first_bad(&self, start: [usize; 3], extent: [usize; 3]) -> Option<BadSpeed> {
        match self.map {
            // A map gives speeds from 0 to 1.
            Some(_) => None,
            None => crate::pixel::dispatch_pixel!(self.voxels.pixel(), P => self.first_bad_of::<P>(start, extent)),
        }
    }

    fn first_bad_of<P: Pixel>(&self, start: [usize; 3], extent: [usize; 3]) -> Option<BadSpeed> {
        let good = |v: P| (v >= P::ZERO) & (v <= P::HIGHEST);
        let mut first = None;
        for z in start[2]..start[2] + extent[2] {
            for y in start[1]..start[1] + extent[1] {
                // Folding the whole row first vectorizes; the search runs only on a row that has a bad voxel.
                let whole = extent[0] == self.size().x();
                if whole && self.voxels.fold_row(y, z, true, |all, v| all & good(v)) {
                    continue;
                }
                for x in start[0]..start[0] + extent[0] {
                    let value = self.voxels.get::<P>([x, y, z]);
                    if !good(value) {
                        first = BadSpeed::first(first, Some(self.bad([x, y, z], value.to_f64())));
                    }
                }
            }
        }
        first
    }

    /// A bad speed by the caller's index.
    fn bad(&self, v: [usize; 3], value: f64) -> BadSpeed {
        let (mut index, mut n) = (v, v);
        for a in 0..3 {
            (index[self.order[a]], n[self.order[a]]) = (v[a], self.size().array()[a]);
        }
        let offset = (index[2] as u64 * n[1] as u64 + index[1] as u64) * n[0] as u64 + index[0] as u64;
        BadSpeed { offset, index, value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;

    #[test]
    fn an_array_of_any_strides_is_read_by_its_indices() {
        let array = Array3::from_shape_fn((4, 3, 2), |(z, y, x)| (100 * z + 10 * y + x) as f64);
        let turned = array.view().reversed_axes();
        let (speed, other) = (Speed::from_array(array.view()).unwrap(), Speed::from_array(turned).unwrap());
        assert_eq!((speed.size().array(), other.size().array()), ([2, 3, 4], [4, 3, 2]));
        assert_eq!((speed.at::<f64>([1, 2, 3]), other.at::<f64>([3, 2, 1])), (321.0, 321.0));
    }

    #[test]
    fn the_first_bad_speed_is_that_of_the_caller_s_memory_whatever_the_order_of_axes() {
        let size = Size3::new([2, 3, 4]).unwrap();
        for first in 0..23 {
            let mut values = [1f32; 24];
            (values[first], values[first + 1], values[23]) = (-1.0, -2.0, f32::NAN);
            let speed = Speed::from_speeds(Voxels::from_slice(&values, size).unwrap());
            for order in [[0, 1, 2], [1, 2, 0], [0, 2, 1], [2, 1, 0]] {
                let turned = speed.permuted(order).unwrap();
                let expected = BadSpeed { offset: first as u64, index: size.voxel(first), value: -1.0 };
                assert_eq!(turned.first_bad([0; 3], turned.size().array()), Some(expected));
            }
        }
    }
}
